/*
 * An outbox in a SQLite database: events wait on disk, a crash loses none, and they can be enqueued
 * in the host's own transaction. Part of a component library of its own (bb_webhook_sqlite).
 *
 *     bb_outbox *outbox;
 *     bb_sqlite_open("app.db", NULL, &outbox, NULL);
 *     background.outbox = outbox;                     -- bb_options.background = &background
 *
 *     sqlite3_exec(db, "BEGIN; UPDATE issue SET ...", 0, 0, 0);
 *     bb_sqlite_enqueue(dispatcher, db, sqlite3_sourceid(), &event, NULL, NULL, NULL);
 *     sqlite3_exec(db, "COMMIT", 0, 0, 0);            -- or ROLLBACK: then it was never sent
 *     bb_dispatcher_wake(dispatcher, NULL);
 *
 * Its tables begin with bb_ and may lie in the host's own database file. Several processes may
 * work on one file. Delivery is at least once: what was sent and not written before a crash is sent
 * again, with the same id.
 */
#ifndef BB_WEBHOOK_SQLITE_H
#define BB_WEBHOOK_SQLITE_H

#include <sqlite3.h>

#include "bb_webhook.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum bb_sqlite_safety {
    BB_SQLITE_POWER_LOSS = 1, /* an enqueued event survives a loss of power: synchronous = FULL (the
                                 usual case) */
    BB_SQLITE_PROCESS_CRASH /* it survives the end of the process: synchronous = NORMAL, an order of
                               magnitude faster */
} bb_sqlite_safety;

typedef struct bb_sqlite_options {
    size_t struct_size;
    const bb_allocator *allocator; /* copied; NULL: malloc */
    bb_sqlite_safety safety;
    uint32_t lease_ms; /* how long a process that has died keeps others from what it was about to
                          send; longer than bb_options.timeout_ms, which is
                          checked. 0: 60,000 */
} bb_sqlite_options;
#define BB_SQLITE_OPTIONS_INIT BB_INIT_STRUCT(bb_sqlite_options)

/* Opens, or makes, the outbox in the database `path`; tables of an older version become those of
 * this library, under SQLite's lock, with all that waits in them. `options` may be NULL. Free it by
 * bb_outbox_free. BB_ERR_OUTBOX says what SQLite says, or that the tables are newer;
 * BB_ERR_ARGUMENT, BB_ERR_STRUCT, BB_ERR_NO_MEMORY, BB_ERR_FORKED (the parent process had an outbox
 * in this file open when it forked: the child would take the parent's locks for its own, and the
 * file could be damaged. A program that is started by exec may open it). */
BB_API int bb_sqlite_open(const char *path, const bb_sqlite_options *options, bb_outbox **outbox,
                          bb_error *error);

/* bb_webhook_enqueue on the host's connection `db` to the same database, within its transaction if
 * it has one. `sourceid` is what the host's sqlite3_sourceid() says: a host with another copy of
 * SQLite is refused (BB_ERR_ARGUMENT), because the two would break each other's locks. */
BB_API int bb_sqlite_enqueue(bb_dispatcher *dispatcher, sqlite3 *db, const char *sourceid,
                             const bb_event *event, const bb_enqueue_options *options,
                             size_t *deliveries, bb_error *error);

/* The same for a host that enqueues often: what has to be prepared on the connection is prepared
 * once. A writer belongs to its connection's thread, outlives neither the dispatcher nor the
 * connection, and is freed before sqlite3_close. Errors as above. */
typedef struct bb_sqlite_writer bb_sqlite_writer;
BB_API int bb_sqlite_writer_new(bb_dispatcher *dispatcher, sqlite3 *db, const char *sourceid,
                                bb_sqlite_writer **writer, bb_error *error);
BB_API int bb_sqlite_writer_enqueue(bb_sqlite_writer *writer, const bb_event *event,
                                    const bb_enqueue_options *options, size_t *deliveries,
                                    bb_error *error);
BB_API void bb_sqlite_writer_free(bb_sqlite_writer *writer); /* NULL is fine */

#ifdef __cplusplus
}
#endif

#endif
