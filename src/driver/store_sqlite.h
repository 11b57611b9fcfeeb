/*
 * The outbox in a SQLite database: rows outlive the process, and several processes may work on
 * them. What may be sent now is leased, and lies in memory until what came of it is written.
 */
#ifndef BB_DRIVER_STORE_SQLITE_H
#define BB_DRIVER_STORE_SQLITE_H

#include "delivery/store.h"

struct bb_store_sqlite_config {
    bb_allocator mem;
    bool survives_power_loss;
    int64_t lease_ms;
    int64_t gather_ms; /* new events are looked for so often, while others can be sent */
};

/* BB_ERR_OUTBOX, BB_ERR_NO_MEMORY. */
int bb_store_sqlite_open(const struct bb_store_sqlite_config *config, const char *path,
                         struct bb_store **store, bb_error *error);

#endif
