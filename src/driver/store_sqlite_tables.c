/* The tables: they are made, or brought from an older version to this one, under SQLite's own lock.
 */
#include "driver/store_sqlite_db.h"

/* ---- tables ---- */

#define NOW_MS BB_SQLITE_NOW_MS

/* There is one writer at a time, so events are committed in the order of their numbers, and one
 * number says which are fanned out into deliveries: no event is written again before it is deleted.
 * SQLite numbers them by the largest that is there, plus one; so the newest event's row stays when
 * it is over, emptied, until a newer one is there (`ended` is its number, else 0): then none is
 * used twice. AUTOINCREMENT would say the same, and write one more page in the host's transaction.
 * Most have one delivery, which takes the event with it; `bb_shared` counts those of the others.
 * The indexes are partial: they hold what is looked for, and nothing of what only waits. Most
 * deliveries are leased as they are made: those are in the index by lease only, and by order where
 * they have one. The log is forgotten in the order of its numbers, which needs no index by time. */
#define EVENT_COLUMNS                                                                              \
    "number INTEGER PRIMARY KEY, json TEXT NOT NULL, webhooks TEXT, key TEXT,"                     \
    " enqueued_ms INTEGER NOT NULL DEFAULT (" NOW_MS "), due_ms INTEGER NOT NULL DEFAULT 0"
#define EVENT_KEY "CREATE UNIQUE INDEX bb_event_key ON bb_event(key) WHERE key IS NOT NULL;"

static const char tables[] =
    "CREATE TABLE bb_outbox_version(version INTEGER NOT NULL, fanned_out INTEGER NOT NULL,"
    " ended INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE bb_webhook(number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE);"
    "CREATE TABLE bb_event(" EVENT_COLUMNS ");"
    "CREATE TABLE bb_shared(event INTEGER PRIMARY KEY, open INTEGER NOT NULL);" EVENT_KEY
    "CREATE TABLE bb_dead(number INTEGER PRIMARY KEY, webhook INTEGER NOT NULL,"
    " event INTEGER NOT NULL, enqueued_ms INTEGER NOT NULL, died_ms INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL, verdict INTEGER NOT NULL, reason TEXT NOT NULL);"
    "CREATE INDEX bb_dead_time ON bb_dead(died_ms);"
    "CREATE INDEX bb_dead_event ON bb_dead(event);"
    "CREATE TABLE bb_attempt(number INTEGER PRIMARY KEY, delivery INTEGER NOT NULL,"
    " webhook INTEGER NOT NULL, at_ms INTEGER NOT NULL, duration_ms INTEGER NOT NULL,"
    " attempt INTEGER NOT NULL, verdict INTEGER NOT NULL, status INTEGER NOT NULL,"
    " code TEXT NOT NULL, words TEXT NOT NULL);"
    "CREATE INDEX bb_attempt_delivery ON bb_attempt(delivery);"
    "CREATE TABLE bb_delivery(number INTEGER PRIMARY KEY AUTOINCREMENT, webhook INTEGER NOT NULL,"
    " event INTEGER NOT NULL, enqueued_ms INTEGER NOT NULL, due_ms INTEGER NOT NULL,"
    " order_key INTEGER NOT NULL, is_held INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,"
    " steps INTEGER NOT NULL DEFAULT 0, unknowns INTEGER NOT NULL DEFAULT 0,"
    " claims INTEGER NOT NULL DEFAULT 0, lease INTEGER NOT NULL DEFAULT 0,"
    " leased_until_ms INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX bb_delivery_due ON bb_delivery(webhook, due_ms)"
    " WHERE lease = 0 AND is_held = 0;"
    "CREATE INDEX bb_delivery_age ON bb_delivery(webhook, enqueued_ms) WHERE lease = 0;"
    "CREATE INDEX bb_delivery_lease ON bb_delivery(leased_until_ms) WHERE lease <> 0;"
    "CREATE INDEX bb_delivery_order ON bb_delivery(webhook, order_key)"
    " WHERE order_key <> 0;"
    "INSERT INTO bb_outbox_version VALUES(2, 0, 0);";

/* ---- versions ---- */

/* What makes tables of the next version of those of a version; what waits in them goes on. */
static const char *const steps[] = {
    [1] =
        "CREATE TABLE bb_event_2(" EVENT_COLUMNS ");"
        "INSERT INTO bb_event_2 SELECT * FROM bb_event;"
        "ALTER TABLE bb_outbox_version ADD COLUMN ended INTEGER NOT NULL DEFAULT 0;"
        /* The last number that was used; whoever looks for new events finds it wanted by nobody. */
        "INSERT INTO bb_event_2(number, json, webhooks) SELECT seq, '', '' FROM sqlite_sequence"
        " WHERE name = 'bb_event' AND seq > (SELECT ifnull(max(number), 0) FROM bb_event);"
        "UPDATE bb_outbox_version SET ended ="
        " ifnull((SELECT number FROM bb_event_2 WHERE json = '' AND number <= fanned_out), 0);"
        "DROP TABLE bb_event;"
        "ALTER TABLE bb_event_2 RENAME TO bb_event;" EVENT_KEY
        "UPDATE bb_outbox_version SET version = 2;",
};

_Static_assert(sizeof steps / sizeof *steps == BB_SQLITE_VERSION, "a step for each version");

/* ---- install ---- */

static bool execute(sqlite3 *handle, const char *sql) {
    return sqlite3_exec(handle, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* What the statement's one row says; negative: it could not be read. */
static int read_int(sqlite3 *handle, const char *sql) {
    sqlite3_stmt *statement = NULL;
    int number = -1;
    if (sqlite3_prepare_v2(handle, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        number = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

/* Of the tables that are there; 0: none are, negative: it could not be read. Within a transaction:
 * another process may be making them. */
static int version_of(sqlite3 *handle) {
    int found =
        read_int(handle, "SELECT count(*) FROM sqlite_schema WHERE name = 'bb_outbox_version'");
    return found > 0 ? read_int(handle, "SELECT version FROM bb_outbox_version") : found;
}

/* From a version that is there, or (0) from nothing. */
static bool bring_up(sqlite3 *handle, int version) {
    bool ok = version > 0 || execute(handle, tables);
    for (; ok && version > 0 && version < BB_SQLITE_VERSION; version++)
        ok = execute(handle, steps[version]);
    return ok;
}

int bb_sqlite_db_install(sqlite3 *handle, bb_error *error) {
    bool is_own = sqlite3_get_autocommit(handle) != 0;
    if (is_own && !execute(handle, "BEGIN IMMEDIATE"))
        return bb_sqlite_db_fail(handle, "its tables cannot be looked at", error);
    int version = version_of(handle), code = BB_OK;
    if (version > BB_SQLITE_VERSION)
        code = bb_fail(error, BB_ERR_OUTBOX,
                       "outbox: its tables are of version %d, this library knows up to %d", version,
                       BB_SQLITE_VERSION);
    else if (version < 0 || !bring_up(handle, version))
        code = bb_sqlite_db_fail(handle, "its tables cannot be made", error);
    if (is_own && !execute(handle, code ? "ROLLBACK" : "COMMIT") && code == BB_OK)
        code = bb_sqlite_db_fail(handle, "its tables cannot be made", error);
    return code;
}
