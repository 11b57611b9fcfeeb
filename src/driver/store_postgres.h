/*
 * The outbox in a PostgreSQL database: rows outlive the process, and any number of processes work
 * on them. What may be sent now is leased, and lies in memory until what came of it is written.
 */
#ifndef BB_DRIVER_STORE_POSTGRES_H
#define BB_DRIVER_STORE_POSTGRES_H

#include "delivery/store.h"

struct bb_store_postgres_config {
    bb_allocator mem;
    int64_t lease_ms;
    int64_t gather_ms; /* new events are looked for so often, while others can be sent */
};

/* BB_ERR_OUTBOX, BB_ERR_NO_MEMORY. */
int bb_store_postgres_open(const struct bb_store_postgres_config *config, const char *conninfo,
                           struct bb_store **store, bb_error *error);

#endif
