/* The outbox in a SQLite file. */
#include "complain.h"
#include "outbox.h"

#include <bb_webhook_sqlite.h>
#include <stdlib.h>
#include <string.h>

enum { BUSY_MS = 10000 }; /* another process may be writing */

static bool fail(const struct outbox *outbox) {
    sqlite3 *db = outbox->connection;
    complain("%s: %s", outbox->name, db ? sqlite3_errmsg(db) : "out of memory");
    return false;
}

/* A statement without results. */
static bool execute(const struct outbox *outbox, const char *sql) {
    return sqlite3_exec(outbox->connection, sql, NULL, NULL, NULL) == SQLITE_OK || fail(outbox);
}

static bool sqlite_open(struct outbox *outbox, const char *path, uint32_t lease_ms) {
    bb_sqlite_options options = BB_SQLITE_OPTIONS_INIT;
    bb_error error = BB_ERROR_INIT;
    sqlite3 *db = NULL;
    options.lease_ms = lease_ms;
    if (bb_sqlite_open(path, &options, &outbox->store, &error) != BB_OK) {
        complain("%s: %s", outbox->name, error.text);
        return false;
    }
    int code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
    outbox->connection = db;
    if (code != SQLITE_OK)
        return fail(outbox);
    sqlite3_busy_timeout(db, BUSY_MS);
    return execute(outbox, "PRAGMA synchronous = FULL"); /* as the library's own */
}

static void sqlite_close(struct outbox *outbox) {
    sqlite3_close(outbox->connection);
}

/* ---- enqueueing ---- */

static bool sqlite_begin(struct outbox *outbox) {
    return execute(outbox, "BEGIN IMMEDIATE");
}

static bool sqlite_commit(struct outbox *outbox) {
    return execute(outbox, "COMMIT");
}

/* SQLite itself rolls back after some failures; then there is nothing left to do. */
static void sqlite_roll_back(struct outbox *outbox) {
    sqlite3_exec(outbox->connection, "ROLLBACK", NULL, NULL, NULL);
}

static int sqlite_enqueue(struct outbox *outbox, bb_dispatcher *dispatcher, const bb_event *event,
                          size_t *deliveries, bb_error *error) {
    return bb_sqlite_enqueue(dispatcher, outbox->connection, sqlite3_sourceid(), event, NULL,
                             deliveries, error);
}

/* ---- the look ---- */

/* id, waiting, leased, due_ms */
static bool add_deliveries(struct outbox *outbox, sqlite3_stmt *result) {
    const char *id = (const char *)sqlite3_column_text(result, 0);
    struct outbox_row more = {.waiting = (uint64_t)sqlite3_column_int64(result, 1),
                              .leased = (uint64_t)sqlite3_column_int64(result, 2),
                              .due_ms = INT64_MAX};
    if (sqlite3_column_type(result, 3) != SQLITE_NULL)
        more.due_ms = sqlite3_column_int64(result, 3);
    return id ? outbox_add(outbox, id, strlen(id), &more) : fail(outbox);
}

/* webhooks, events, due_ms: of events that no process has made deliveries of yet. Their webhooks
 * are "order_key length:id," each; NULL: an event that plain SQL has written. */
static bool add_new_events(struct outbox *outbox, sqlite3_stmt *result) {
    const char *at = (const char *)sqlite3_column_text(result, 0);
    const struct outbox_row more = {.waiting = (uint64_t)sqlite3_column_int64(result, 1),
                                    .due_ms = sqlite3_column_int64(result, 2)};
    if (sqlite3_column_type(result, 0) == SQLITE_NULL)
        outbox->unmatched += more.waiting;
    while (at && (at = strchr(at, ' ')) != NULL) {
        char *id;
        size_t length = strtoul(at, &id, 10);
        id += *id == ':';
        if (strnlen(id, length) < length)
            break;
        if (!outbox_add(outbox, id, length, &more))
            return false;
        at = id + length;
    }
    return true;
}

static bool read_rows(struct outbox *outbox, const char *sql,
                      bool (*take)(struct outbox *outbox, sqlite3_stmt *result)) {
    sqlite3_stmt *result;
    if (sqlite3_prepare_v2(outbox->connection, sql, -1, &result, NULL) != SQLITE_OK)
        return fail(outbox);
    int code;
    while ((code = sqlite3_step(result)) == SQLITE_ROW)
        if (!take(outbox, result)) {
            sqlite3_finalize(result);
            return false;
        }
    bool is_read = code == SQLITE_DONE || fail(outbox);
    sqlite3_finalize(result);
    return is_read;
}

static const char deliveries[] =
    "SELECT w.id, count(*), sum(d.lease <> 0),"
    " min(CASE WHEN d.lease = 0 AND d.is_held = 0 THEN d.due_ms END)"
    " FROM bb_delivery d JOIN bb_webhook w ON w.number = d.webhook GROUP BY d.webhook";

static const char new_events[] = "SELECT webhooks, count(*), min(due_ms) FROM bb_event"
                                 " WHERE number > (SELECT fanned_out FROM bb_outbox_version)"
                                 " GROUP BY webhooks";

/* In one transaction, or what becomes deliveries in between would be counted never or twice. */
static bool sqlite_look(struct outbox *outbox) {
    if (!execute(outbox, "BEGIN"))
        return false;
    bool is_read = read_rows(outbox, deliveries, add_deliveries) &&
                   read_rows(outbox, new_events, add_new_events);
    return execute(outbox, "COMMIT") && is_read;
}

static bool sqlite_count_attempts(struct outbox *outbox, int64_t before_ms, uint64_t *count) {
    sqlite3_stmt *result;
    if (sqlite3_prepare_v2(outbox->connection, "SELECT count(*) FROM bb_attempt WHERE at_ms < ?1",
                           -1, &result, NULL) != SQLITE_OK)
        return fail(outbox);
    sqlite3_bind_int64(result, 1, before_ms);
    bool is_read = sqlite3_step(result) == SQLITE_ROW;
    *count = is_read ? (uint64_t)sqlite3_column_int64(result, 0) : 0;
    is_read = is_read || fail(outbox);
    sqlite3_finalize(result);
    return is_read;
}

const struct outbox_backend outbox_sqlite = {
    .open = sqlite_open,
    .close = sqlite_close,
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .roll_back = sqlite_roll_back,
    .enqueue = sqlite_enqueue,
    .look = sqlite_look,
    .count_attempts = sqlite_count_attempts,
    .passing = "is locked",
};
