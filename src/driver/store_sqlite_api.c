/* What bb_webhook_sqlite.h declares. */
#include "bb_webhook_sqlite.h"

#include <string.h>

#include "base/mem.h"
#include "driver/store_sqlite.h"

enum { USUAL_LEASE_MS = 60 * 1000, LEAST_LEASE_MS = 1000, GATHER_MS = 5 };

static int read_options(bb_sqlite_options *own, const bb_sqlite_options *options, bb_error *error) {
    int code = options ? bb_struct_read(own, sizeof *own, options, "sqlite options", error) : BB_OK;
    if (code)
        return code;
    if (own->safety > BB_SQLITE_PROCESS_CRASH)
        return bb_fail(error, BB_ERR_ARGUMENT,
                       "sqlite options: safety is neither BB_SQLITE_POWER_LOSS nor "
                       "BB_SQLITE_PROCESS_CRASH");
    if (own->lease_ms == 0)
        own->lease_ms = USUAL_LEASE_MS;
    if (own->lease_ms < LEAST_LEASE_MS)
        return bb_fail(error, BB_ERR_ARGUMENT, "sqlite options: lease_ms is less than 1,000");
    return BB_OK;
}

int bb_sqlite_open(const char *path, const bb_sqlite_options *options, bb_outbox **outbox,
                   bb_error *error) {
    bb_sqlite_options own = BB_SQLITE_OPTIONS_INIT;
    bb_allocator mem;
    struct bb_store *store = NULL;
    if (!path || !outbox)
        return bb_fail(error, BB_ERR_ARGUMENT, "path or outbox is NULL");
    *outbox = NULL;
    int code = read_options(&own, options, error);
    if (code == BB_OK)
        code = bb_allocator_read(&mem, own.allocator, error);
    if (code)
        return code;
    struct bb_store_sqlite_config config = {
        .mem = mem,
        .survives_power_loss = own.safety != BB_SQLITE_PROCESS_CRASH,
        .lease_ms = own.lease_ms,
        .gather_ms = GATHER_MS,
    };
    code = bb_store_sqlite_open(&config, path, &store, error);
    *outbox = (bb_outbox *)store;
    return code;
}

int bb_sqlite_enqueue(bb_dispatcher *dispatcher, sqlite3 *db, const char *sourceid,
                      const bb_event *event, const bb_enqueue_options *options, size_t *deliveries,
                      bb_error *error) {
    if (deliveries)
        *deliveries = 0;
    if (!db || !sourceid)
        return bb_fail(error, BB_ERR_ARGUMENT, "db or sourceid is NULL");
    if (strcmp(sourceid, sqlite3_sourceid()) != 0)
        return bb_fail(error, BB_ERR_ARGUMENT,
                       "this program has two copies of SQLite (yours is of %.40s, the outbox's of "
                       "%.40s): link the same one",
                       sourceid, sqlite3_sourceid());
    return bb_webhook_enqueue_on(dispatcher, db, event, options, deliveries, error);
}
