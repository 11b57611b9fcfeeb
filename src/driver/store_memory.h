/* The store of a process that keeps nothing: everything waits in memory, within limits. */
#ifndef BB_DRIVER_STORE_MEMORY_H
#define BB_DRIVER_STORE_MEMORY_H

#include "delivery/store.h"

struct bb_store_memory_config {
    const bb_allocator *mem;
    uint64_t max_deliveries; /* waiting and claimed */
    uint64_t max_bytes;
    bool drops_oldest; /* when full; else bb_store.put says BB_ERR_FULL */

    /* Told of each delivery that was dropped, with its queue's owner, on the thread that puts and
     * under the store's lock: must not call the store. May be NULL. */
    void (*dropped)(void *user, void *owner);
    void *dropped_user;
};

/* NULL when out of memory. `config` is copied. */
struct bb_store *bb_store_memory_new(const struct bb_store_memory_config *config);

/* For a store that keeps its rows elsewhere and has those in memory that may be sent now: adds one
 * of `queue` with a history and a claim, whatever the limits. `like->parcel` is retained. */
bool bb_store_memory_add(struct bb_store *store, struct bb_queue *queue,
                         const struct bb_delivery *like, int64_t due_ms);

/* Calls `visit` with each row, claimed or not. */
void bb_store_memory_each(struct bb_store *store,
                          void (*visit)(void *user, struct bb_delivery *delivery), void *user);

#endif
