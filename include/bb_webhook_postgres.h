/*
 * An outbox in a PostgreSQL database (12 or later, UTF-8): events wait there, a crash loses none,
 * and they can be enqueued in the host's own transaction. Part of a component library of its own
 * (bb_webhook_postgres).
 *
 *     bb_outbox *outbox;
 *     bb_postgres_open("dbname=app", NULL, &outbox, NULL);
 *     background.outbox = outbox;                     -- bb_options.background = &background
 *
 *     PQexec(conn, "BEGIN; UPDATE issue SET ...");
 *     bb_postgres_enqueue(dispatcher, conn, &event, NULL, NULL, NULL);
 *     PQexec(conn, "COMMIT");                         -- or ROLLBACK: then it was never sent
 *     bb_dispatcher_wake(dispatcher, NULL);           -- else it is noticed within a second
 *
 * Its tables begin with bb_ and lie in the first schema of the connection's search_path; they are
 * made when they are missing, and with them the function bb_enqueue(event json, key text, due
 * timestamptz), which enqueues by plain SQL. No extension, no trigger, no superuser. Any number of
 * processes, on any machines, may work on one outbox: the database's clock decides. A pooler in
 * transaction mode may stand between. Delivery is at least once: what was sent and not written
 * before a crash is sent again, with the same id.
 */
#ifndef BB_WEBHOOK_POSTGRES_H
#define BB_WEBHOOK_POSTGRES_H

#include <libpq-fe.h>

#include "bb_webhook.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bb_postgres_options {
    size_t struct_size;
    const bb_allocator *allocator; /* copied; NULL: malloc */
    uint32_t lease_ms; /* how long a process that has died keeps others from what it was about to
                          send; longer than bb_options.timeout_ms, which is
                          checked. 0: 60,000 */
    uint32_t reserved; /* 0 */
} bb_postgres_options;
#define BB_POSTGRES_OPTIONS_INIT BB_INIT_STRUCT(bb_postgres_options)

/* Opens, or makes, the outbox in the database that libpq finds by `conninfo`: with up to
 * three connections, one to work and, once they are needed, one to enqueue and one for the
 * functions of bb_webhook_outbox.h. Unless it says otherwise they give up after a few seconds
 * (connect_timeout, tcp_user_timeout). Tables of an older version become those of this library,
 * under an advisory lock, with all that waits in them. `options` may be NULL. Free it by
 * bb_outbox_free. BB_ERR_OUTBOX says what PostgreSQL says, or that the tables are newer;
 * BB_ERR_ARGUMENT, BB_ERR_STRUCT, BB_ERR_NO_MEMORY.
 *
 * A connection that is lost is made again; deliveries that were under way go on meanwhile. An
 * enqueueing whose connection is lost is an error (BB_ERR_OUTBOX), though the event may have been
 * stored: with a key it can be repeated safely. */
BB_API int bb_postgres_open(const char *conninfo, const bb_postgres_options *options,
                            bb_outbox **outbox, bb_error *error);

/* bb_webhook_enqueue on the host's connection `conn` to the same database (and search_path), within
 * its transaction if it has one: one INSERT. When it fails, so has that transaction, as ever in
 * PostgreSQL. `conn` must not be busy, nor in pipeline mode. */
BB_API int bb_postgres_enqueue(bb_dispatcher *dispatcher, PGconn *conn, const bb_event *event,
                               const bb_enqueue_options *options, size_t *deliveries,
                               bb_error *error);

#ifdef __cplusplus
}
#endif

#endif
