/* What bb_webhook_sqlite.h declares. */
#include "bb_webhook_sqlite.h"

#include <string.h>

#include "driver/store_sqlite.h"
#include "driver/store_sqlite_db.h"

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

/* ---- on the host's connection ---- */

static int check_connection(sqlite3 *db, const char *sourceid, bb_error *error) {
    if (!db || !sourceid)
        return bb_fail(error, BB_ERR_ARGUMENT, "db or sourceid is NULL");
    if (strcmp(sourceid, sqlite3_sourceid()) != 0)
        return bb_fail(error, BB_ERR_ARGUMENT,
                       "this program has two copies of SQLite (yours is of %.40s, the outbox's of "
                       "%.40s): link the same one",
                       sourceid, sqlite3_sourceid());
    return BB_OK;
}

/* Before the connection is touched, which in a child of fork() may be the parent's. */
static int check_dispatcher(bb_dispatcher *dispatcher, bb_error *error) {
    bb_webhook_status status = BB_WEBHOOK_STATUS_INIT;
    int code = bb_dispatcher_status(dispatcher, "", &status, NULL);
    if (code == BB_OK || code == BB_ERR_NOT_FOUND)
        return BB_OK;
    return bb_dispatcher_status(dispatcher, "", &status, error);
}

static int prepare(struct bb_sqlite_connection *connection, bb_error *error) {
    if (sqlite3_prepare_v3(connection->db, bb_sqlite_db_text(BB_SQL_PUT), -1,
                           SQLITE_PREPARE_PERSISTENT, &connection->put, NULL) == SQLITE_OK)
        return BB_OK;
    return bb_sqlite_db_fail(connection->db, "the connection's database has no outbox", error);
}

int bb_sqlite_enqueue(bb_dispatcher *dispatcher, sqlite3 *db, const char *sourceid,
                      const bb_event *event, const bb_enqueue_options *options, size_t *deliveries,
                      bb_error *error) {
    struct bb_sqlite_connection connection = {.db = db};
    if (deliveries)
        *deliveries = 0;
    int code = check_connection(db, sourceid, error);
    code = code ? code : check_dispatcher(dispatcher, error);
    code = code ? code : prepare(&connection, error);
    if (code)
        return code;
    code = bb_webhook_enqueue_on(dispatcher, &connection, event, options, deliveries, error);
    sqlite3_finalize(connection.put);
    return code;
}

struct bb_sqlite_writer {
    struct bb_sqlite_connection connection;
    bb_dispatcher *dispatcher;
};

int bb_sqlite_writer_new(bb_dispatcher *dispatcher, sqlite3 *db, const char *sourceid,
                         bb_sqlite_writer **writer, bb_error *error) {
    struct bb_sqlite_writer *made;
    if (!dispatcher || !writer)
        return bb_fail(error, BB_ERR_ARGUMENT, "dispatcher or writer is NULL");
    *writer = NULL;
    int code = check_connection(db, sourceid, error);
    code = code ? code : check_dispatcher(dispatcher, error);
    if (code)
        return code;
    made = sqlite3_malloc(sizeof *made); /* as all that is the connection's */
    if (!made)
        return bb_fail_memory(error);
    *made = (struct bb_sqlite_writer){.connection = {.db = db}, .dispatcher = dispatcher};
    code = prepare(&made->connection, error);
    if (code)
        bb_sqlite_writer_free(made);
    else
        *writer = made;
    return code;
}

int bb_sqlite_writer_enqueue(bb_sqlite_writer *writer, const bb_event *event,
                             const bb_enqueue_options *options, size_t *deliveries,
                             bb_error *error) {
    if (deliveries)
        *deliveries = 0;
    if (!writer)
        return bb_fail(error, BB_ERR_ARGUMENT, "writer is NULL");
    return bb_webhook_enqueue_on(writer->dispatcher, &writer->connection, event, options,
                                 deliveries, error);
}

void bb_sqlite_writer_free(bb_sqlite_writer *writer) {
    if (!writer)
        return;
    sqlite3_finalize(writer->connection.put);
    sqlite3_free(writer);
}
