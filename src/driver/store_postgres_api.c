/* What bb_webhook_postgres.h declares. */
#include "bb_webhook_postgres.h"

#include "driver/store_postgres.h"

enum { USUAL_LEASE_MS = 60 * 1000, LEAST_LEASE_MS = 1000, GATHER_MS = 20 };

static int read_options(bb_postgres_options *own, const bb_postgres_options *options,
                        bb_error *error) {
    int code =
        options ? bb_struct_read(own, sizeof *own, options, "postgres options", error) : BB_OK;
    if (code)
        return code;
    if (own->reserved)
        return bb_fail(error, BB_ERR_ARGUMENT, "postgres options: reserved is not 0");
    if (own->lease_ms == 0)
        own->lease_ms = USUAL_LEASE_MS;
    if (own->lease_ms < LEAST_LEASE_MS)
        return bb_fail(error, BB_ERR_ARGUMENT, "postgres options: lease_ms is less than 1,000");
    return BB_OK;
}

int bb_postgres_open(const char *conninfo, const bb_postgres_options *options, bb_outbox **outbox,
                     bb_error *error) {
    bb_postgres_options own = BB_POSTGRES_OPTIONS_INIT;
    struct bb_store_postgres_config config = {.gather_ms = GATHER_MS};
    struct bb_store *store = NULL;
    if (!conninfo || !outbox)
        return bb_fail(error, BB_ERR_ARGUMENT, "conninfo or outbox is NULL");
    *outbox = NULL;
    int code = read_options(&own, options, error);
    if (code == BB_OK)
        code = bb_allocator_read(&config.mem, own.allocator, error);
    if (code)
        return code;
    config.lease_ms = own.lease_ms;
    code = bb_store_postgres_open(&config, conninfo, &store, error);
    *outbox = (bb_outbox *)store;
    return code;
}

int bb_postgres_enqueue(bb_dispatcher *dispatcher, PGconn *conn, const bb_event *event,
                        const bb_enqueue_options *options, size_t *deliveries, bb_error *error) {
    if (deliveries)
        *deliveries = 0;
    if (!conn)
        return bb_fail(error, BB_ERR_ARGUMENT, "conn is NULL");
    return bb_webhook_enqueue_on(dispatcher, conn, event, options, deliveries, error);
}
