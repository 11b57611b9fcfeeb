#include "driver/store_sqlite_db.h"

#include <stdarg.h>
#include <string.h>

/* ---- statements ---- */

/* Up to ?3 of the webhook ?1 that `choice` finds: of an index alone. */
#define CHOOSE(choice, by)                                                                         \
    "SELECT number FROM bb_delivery WHERE webhook = ?1 AND lease = 0 AND " choice " ORDER BY " by  \
    ", number LIMIT ?3"

/* A statement costs more than the row that it writes: where there are many, one writes sixteen. The
 * first arguments are those that all rows share. */
#define FOUR(row) row "," row "," row "," row
#define TOGETHER(row) FOUR(FOUR(row))
_Static_assert(BB_SQLITE_TOGETHER == 16, "rows of a statement");

#define DELIVER_LEASED(rows)                                                                       \
    "INSERT INTO bb_delivery(lease, leased_until_ms, webhook, event, enqueued_ms, due_ms,"         \
    " order_key, is_held, claims) VALUES" rows
#define DELIVERY "(?1, ?2, ?, ?, ?, ?, ?, 0, 1)"

#define LOG(rows)                                                                                  \
    "INSERT INTO bb_attempt(at_ms, delivery, webhook, duration_ms, attempt, verdict, status,"      \
    " code, words) VALUES" rows
#define ATTEMPT "(?1, ?, ?, ?, ?, ?, ?, ?, ?)"

static const char *const texts[BB_SQL_STATEMENTS] = {
    [BB_SQL_BEGIN] = "BEGIN IMMEDIATE",
    [BB_SQL_COMMIT] = "COMMIT",
    [BB_SQL_ROLLBACK] = "ROLLBACK",
    [BB_SQL_NOW] = "SELECT " BB_SQLITE_NOW_MS ", ifnull((SELECT max(number) FROM bb_event), 0),"
                   " version FROM bb_outbox_version",
    [BB_SQL_PUT] = "INSERT INTO bb_event(json, webhooks, key, enqueued_ms, due_ms)"
                   " VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
    [BB_SQL_IS_COMMITTED] = "SELECT 1 WHERE (SELECT fanned_out FROM bb_outbox_version) >= ?1 OR"
                            " EXISTS(SELECT 1 FROM bb_event WHERE number >= ?1)",
    [BB_SQL_NEW_EVENTS] = "SELECT number, webhooks, enqueued_ms, due_ms, json FROM bb_event"
                          " WHERE number > (SELECT fanned_out FROM bb_outbox_version)"
                          " ORDER BY number LIMIT ?1",
    [BB_SQL_UNMATCHED] = "SELECT number, json FROM bb_event WHERE number > (SELECT fanned_out FROM"
                         " bb_outbox_version) AND webhooks IS NULL ORDER BY number LIMIT 1",
    [BB_SQL_MATCH] = "UPDATE bb_event SET json = ?2, webhooks = ?3 WHERE number = ?1 AND"
                     " webhooks IS NULL",
    [BB_SQL_FANNED_OUT] = "UPDATE bb_outbox_version SET fanned_out = ?1",
    [BB_SQL_SHARE] = "INSERT INTO bb_shared VALUES(?1, ?2)",
    [BB_SQL_DELIVER] = "INSERT INTO bb_delivery(webhook, event, enqueued_ms, due_ms, order_key,"
                       " is_held) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [BB_SQL_DELIVER_LEASED] = DELIVER_LEASED(DELIVERY),
    [BB_SQL_DELIVER_LEASED_TOGETHER] = DELIVER_LEASED(TOGETHER(DELIVERY)),
    [BB_SQL_DELIVER_TO_NOBODY] =
        "INSERT INTO bb_delivery(webhook, event, enqueued_ms, due_ms, order_key, is_held)"
        " SELECT 0, number, enqueued_ms, due_ms, 0, 0 FROM bb_event WHERE number = ?1",
    [BB_SQL_IS_HELD] = "SELECT 1 FROM bb_delivery WHERE webhook = ?1 AND order_key = ?2 AND"
                       " order_key <> 0 LIMIT 1",
    [BB_SQL_ADD_WEBHOOK] = "INSERT INTO bb_webhook(id) VALUES(?1) ON CONFLICT DO NOTHING",
    [BB_SQL_FIND_WEBHOOK] = "SELECT number FROM bb_webhook WHERE id = ?1",
    [BB_SQL_DUE_MS] = "SELECT due_ms FROM bb_delivery WHERE webhook = ?1 AND lease = 0 AND"
                      " is_held = 0 ORDER BY due_ms LIMIT 1",
    [BB_SQL_DUE] = CHOOSE("is_held = 0 AND due_ms <= ?2", "due_ms"),
    [BB_SQL_OLDER] = CHOOSE("enqueued_ms < ?2", "enqueued_ms"),
    /* All of a transaction at once: RETURNING keeps its rows in a table for the moment, which
     * the events would fill. */
    [BB_SQL_LEASE] = "UPDATE bb_delivery SET lease = ?2, leased_until_ms = ?3, claims = claims + 1"
                     " WHERE number IN (SELECT value FROM json_each(?1)) RETURNING"
                     " number, event, enqueued_ms, due_ms, order_key, attempts, steps, unknowns,"
                     " claims, webhook",
    [BB_SQL_EVENT] = "SELECT json, EXISTS(SELECT 1 FROM bb_shared WHERE event = ?1)"
                     " FROM bb_event WHERE number = ?1",
    [BB_SQL_RENEW] = "UPDATE bb_delivery SET leased_until_ms = ?3 WHERE number = ?1 AND lease = ?2",
    [BB_SQL_FREE_EXPIRED] = "UPDATE bb_delivery SET lease = 0 WHERE lease <> 0 AND"
                            " leased_until_ms <= ?1",
    [BB_SQL_RELEASE] = "UPDATE bb_delivery SET lease = 0, claims = claims - 1 WHERE number = ?1"
                       " AND lease = ?2",
    [BB_SQL_UNCLAIM] = "UPDATE bb_delivery SET claims = claims - 1 WHERE number = ?1 AND"
                       " lease <> ?2 AND claims > 0",
    [BB_SQL_RETRY] = "UPDATE bb_delivery SET lease = 0, claims = 0, due_ms = ?3, attempts = ?4,"
                     " steps = ?5, unknowns = ?6 WHERE number = ?1 AND lease = ?2",
    [BB_SQL_END] = "DELETE FROM bb_delivery WHERE number = ?1 AND lease = ?2",
    [BB_SQL_COUNT_RUN] = "SELECT count(*) FROM bb_delivery WHERE number BETWEEN ?1 AND ?2 AND"
                         " lease = ?3",
    [BB_SQL_END_RUN] = "DELETE FROM bb_delivery WHERE number BETWEEN ?1 AND ?2",
    [BB_SQL_END_ONE_OF_SHARED] = "UPDATE bb_shared SET open = open - 1 WHERE event = ?1",
    [BB_SQL_END_SHARED] = "DELETE FROM bb_shared WHERE event = ?1 AND open = 0",
    [BB_SQL_END_EVENT] = "DELETE FROM bb_event WHERE number = ?1",
    [BB_SQL_END_EVENTS_OF_RUN] = "DELETE FROM bb_event WHERE number BETWEEN ?1 AND ?2",
    [BB_SQL_EMPTY_EVENT] = "UPDATE bb_event SET json = '', webhooks = '', key = NULL"
                           " WHERE number = ?1",
    [BB_SQL_NOTE_EMPTY] = "UPDATE bb_outbox_version SET ended = ?1",
    [BB_SQL_END_EMPTY] = "DELETE FROM bb_event WHERE number ="
                         " (SELECT ended FROM bb_outbox_version)",
    [BB_SQL_LOG] = LOG(ATTEMPT),
    [BB_SQL_LOG_TOGETHER] = LOG(TOGETHER(ATTEMPT)),
    [BB_SQL_DIE] = "INSERT INTO bb_dead SELECT number, webhook, event, enqueued_ms,"
                   " ?3, ?4, ?5, ?6 FROM bb_delivery WHERE number = ?1 AND lease = ?2",
    /* When all that is left of the event is dead. */
    [BB_SQL_FREE_KEY] = "UPDATE bb_event SET key = NULL WHERE number = ?1 AND key IS NOT NULL AND"
                        " ifnull((SELECT open FROM bb_shared WHERE event = ?1), 1) <="
                        " (SELECT count(*) FROM bb_dead WHERE event = ?1)",
    [BB_SQL_NEXT_OF_ORDER] = "UPDATE bb_delivery SET is_held = 0 WHERE number = (SELECT"
                             " min(number) FROM bb_delivery WHERE webhook = ?1 AND"
                             " order_key = ?2 AND order_key <> 0)",
    [BB_SQL_COUNT_WAITING] = "SELECT count(*) FROM bb_delivery",
    [BB_SQL_COUNT_WAITING_OF] = "SELECT count(*) FROM bb_delivery INDEXED BY bb_delivery_due"
                                " WHERE webhook = ?1 AND lease = 0 AND is_held = 0",
    [BB_SQL_OLDEST_OF] = "SELECT enqueued_ms FROM bb_delivery WHERE webhook = ?1 AND"
                         " lease = 0 ORDER BY enqueued_ms LIMIT 1",
    [BB_SQL_DATA_VERSION] = "PRAGMA data_version",
};

const char *bb_sqlite_db_text(enum bb_sql which) {
    return texts[which];
}

bool bb_sqlite_db_is_busy(const struct bb_sqlite_db *db) {
    return (sqlite3_errcode(db->handle) & 0xFF) == SQLITE_BUSY;
}

int bb_sqlite_db_fail(sqlite3 *handle, const char *what, bb_error *error) {
    int code = handle ? sqlite3_errcode(handle) : SQLITE_NOMEM;
    if (code == SQLITE_NOMEM)
        return bb_fail_memory(error);
    return bb_fail(error, BB_ERR_OUTBOX, "outbox: %s: %s", what, sqlite3_errmsg(handle));
}

/* ---- open ---- */

static bool execute(sqlite3 *handle, const char *sql) {
    return sqlite3_exec(handle, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static int prepare(struct bb_sqlite_db *db, bb_error *error) {
    for (int i = 0; i < BB_SQL_STATEMENTS; i++)
        if (sqlite3_prepare_v3(db->handle, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &db->statements[i], NULL) != SQLITE_OK)
            return bb_sqlite_db_fail(db->handle, "its tables are not as expected", error);
    return BB_OK;
}

/* This pragma does not obey the busy timeout. */
static bool use_wal(sqlite3 *handle) {
    enum { TRIES = 500, PAUSE_MS = 10 };
    bool ok = execute(handle, "PRAGMA journal_mode = WAL");
    for (int i = 0; i < TRIES && !ok && sqlite3_errcode(handle) == SQLITE_BUSY; i++) {
        sqlite3_sleep(PAUSE_MS);
        ok = execute(handle, "PRAGMA journal_mode = WAL");
    }
    return ok;
}

int bb_sqlite_db_open(struct bb_sqlite_db *db, const char *path, bool is_full, bb_error *error) {
    memset(db, 0, sizeof *db);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int code = BB_OK;
    if (sqlite3_open_v2(path, &db->handle, flags, NULL) != SQLITE_OK)
        code = bb_sqlite_db_fail(db->handle, "the file cannot be opened", error);
    else if (sqlite3_db_readonly(db->handle, "main")) /* SQLite opens it so without a word */
        code = bb_fail(error, BB_ERR_OUTBOX, "outbox: the file cannot be used: %s",
                       sqlite3_errstr(SQLITE_READONLY));
    if (code == BB_OK)
        sqlite3_busy_timeout(db->handle, 5000); /* while nothing is under way yet */
    if (code == BB_OK &&
        (!use_wal(db->handle) || !execute(db->handle, "PRAGMA cache_size = -16384") ||
         !execute(db->handle, "PRAGMA wal_autocheckpoint = 4000") ||
         !execute(db->handle,
                  is_full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL")))
        code = bb_sqlite_db_fail(db->handle, "the file cannot be used", error);
    code = code ? code : bb_sqlite_db_install(db->handle, error);
    code = code ? code : prepare(db, error);
    if (code)
        bb_sqlite_db_close(db);
    else
        sqlite3_busy_timeout(db->handle, 0);
    return code;
}

void bb_sqlite_db_close(struct bb_sqlite_db *db) {
    for (int i = 0; i < BB_SQL_STATEMENTS; i++)
        sqlite3_finalize(db->statements[i]);
    sqlite3_close(db->handle);
    memset(db, 0, sizeof *db);
}

/* ---- use ---- */

static sqlite3_stmt *bind(struct bb_sqlite_db *db, enum bb_sql which, const char *format,
                          va_list args) {
    sqlite3_stmt *statement = db->statements[which];
    sqlite3_reset(statement);
    for (int i = 1; *format; format++, i++) {
        if (*format == 'i')
            sqlite3_bind_int64(statement, i, va_arg(args, int64_t));
        else
            sqlite3_bind_text(statement, i, va_arg(args, const char *), -1, SQLITE_STATIC);
    }
    return statement;
}

sqlite3_stmt *bb_sqlite_db_bind(struct bb_sqlite_db *db, enum bb_sql which, const char *format,
                                ...) {
    va_list args;
    va_start(args, format);
    sqlite3_stmt *statement = bind(db, which, format, args);
    va_end(args);
    return statement;
}

bool bb_sqlite_db_step(sqlite3_stmt *statement, bool *failed) {
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        return true;
    *failed = *failed || code != SQLITE_DONE;
    sqlite3_reset(statement);
    return false;
}

bool bb_sqlite_db_run(struct bb_sqlite_db *db, enum bb_sql which, const char *format, ...) {
    va_list args;
    bool failed = false;
    va_start(args, format);
    sqlite3_stmt *statement = bind(db, which, format, args);
    va_end(args);
    while (bb_sqlite_db_step(statement, &failed))
        ;
    return !failed;
}
