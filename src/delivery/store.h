/*
 * Where deliveries wait. A store keeps each event once and one narrow row per delivery: never a
 * rendered body, a URL or a secret. It decides what is due and in which order; what may be sent now
 * is the scheduler's business.
 *
 * The scheduler takes a queue (the deliveries of one webhook) that has something due, claims from
 * it, and gives it back; queues are taken in the order in which they were given back or became due,
 * so that one with a million deliveries has its turn no more often than one with a single one.
 *
 * Threads: `put`, `wake`, `counts` and `waiting` from any, also at once; the others by one at a
 * time. Times: milliseconds of whatever clock the caller uses throughout.
 */
#ifndef BB_DELIVERY_STORE_H
#define BB_DELIVERY_STORE_H

#include "delivery/retry.h"
#include "event/parcel.h"

/* A webhook's deliveries. The store allocates it; `owner` is the caller's. */
struct bb_queue {
    void *owner;
};

/* A row that has been claimed: the caller's until it is settled. */
struct bb_delivery {
    struct bb_parcel *parcel; /* lives as long as the row */
    struct bb_queue *queue;
    struct bb_retry_history history; /* kept when it is settled to be retried or released */
};

struct bb_put {
    struct bb_queue *queue;
    uint64_t order_key; /* deliveries of one queue with the same one stay in order; 0: none */
};

struct bb_store_counts {
    uint64_t waiting;
    uint64_t claimed;
    uint64_t bytes; /* of the events and rows of both */
};

enum bb_settlement { BB_SETTLED = 1, BB_SETTLED_RETRY };

struct bb_store; /* each kind's own, its first member the vtable */

struct bb_store_vtable {
    void (*free)(struct bb_store *store);

    /* A queue for the webhook, NULL when out of memory. Closing it frees what waits in it; nothing
     * of it is claimed any more, and it is not taken. */
    struct bb_queue *(*open)(struct bb_store *store, const char *webhook_id, void *owner);
    void (*close)(struct bb_store *store, struct bb_queue *queue);

    /* Adds a delivery of `parcel` (retained, not consumed) to each of the queues, due at `due_ms`,
     * all or none. BB_ERR_FULL when the store's limits leave no room, BB_ERR_NO_MEMORY. May block
     * where the store writes to a disk. */
    int (*put)(struct bb_store *store, struct bb_parcel *parcel, const struct bb_put *puts,
               size_t count, int64_t now_ms, int64_t due_ms);

    /* A queue with something due, which is the caller's until it gives it back; NULL: there is
     * none. It may turn out to have nothing to claim. */
    struct bb_queue *(*take)(struct bb_store *store, int64_t now_ms);

    /* Not to be taken before `not_before_ms` (0: as soon as something is due). */
    void (*give)(struct bb_store *store, struct bb_queue *queue, int64_t not_before_ms);

    /* Forgets the time until which a queue was given back, and lets it be taken even when nothing
     * in it is due; does nothing for one that is taken. */
    void (*wake)(struct bb_store *store, struct bb_queue *queue);

    /* Of a taken queue: the delivery that has been due longest; NULL: nothing is due, or what is
     * must wait for its turn in its order. */
    struct bb_delivery *(*claim)(struct bb_store *store, struct bb_queue *queue, int64_t now_ms);

    /* The same for one that was enqueued before, due or not, whatever its order. */
    struct bb_delivery *(*claim_older)(struct bb_store *store, struct bb_queue *queue,
                                       int64_t enqueued_before_ms);

    /* Ends a claim; `due_ms` is for BB_SETTLED_RETRY. Needs no memory and cannot fail. A store that
     * writes may do so later, in batches. */
    void (*settle)(struct bb_store *store, struct bb_delivery *delivery, enum bb_settlement how,
                   int64_t due_ms);

    /* When `take` will have something: a time not later than now: at once; INT64_MAX: not before
     * something is put. */
    int64_t (*next_ms)(struct bb_store *store, int64_t now_ms);

    /* When the oldest waiting delivery of the queue was enqueued; INT64_MAX: none waits. */
    int64_t (*oldest_ms)(struct bb_store *store, struct bb_queue *queue);

    size_t (*waiting)(struct bb_store *store, struct bb_queue *queue);
    struct bb_store_counts (*counts)(struct bb_store *store);
};

struct bb_store {
    const struct bb_store_vtable *vtable;
};

#endif
