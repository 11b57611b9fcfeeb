/*
 * The SQLite outbox as tables and statements: docs/outbox.md. One connection, which nobody else
 * uses; every statement is prepared once.
 */
#ifndef BB_DRIVER_STORE_SQLITE_DB_H
#define BB_DRIVER_STORE_SQLITE_DB_H

#include <stdbool.h>

#include <sqlite3.h>

#include "base/error.h"

/* Of the database: what is written by plain SQL has the same. */
#define BB_SQLITE_NOW_MS "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"

enum {
    BB_SQLITE_VERSION = 2,  /* of the tables */
    BB_SQLITE_TOGETHER = 16 /* rows that a statement named so writes */
};

enum bb_sql {
    BB_SQL_BEGIN = 0,
    BB_SQL_COMMIT,
    BB_SQL_ROLLBACK,
    BB_SQL_NOW,
    BB_SQL_PUT,
    BB_SQL_IS_COMMITTED,
    BB_SQL_NEW_EVENTS,
    BB_SQL_UNMATCHED,
    BB_SQL_MATCH,
    BB_SQL_FANNED_OUT,
    BB_SQL_SHARE,
    BB_SQL_DELIVER,
    BB_SQL_DELIVER_LEASED,
    BB_SQL_DELIVER_LEASED_TOGETHER,
    BB_SQL_DELIVER_TO_NOBODY,
    BB_SQL_IS_HELD,
    BB_SQL_ADD_WEBHOOK,
    BB_SQL_FIND_WEBHOOK,
    BB_SQL_DUE_MS,
    BB_SQL_DUE,
    BB_SQL_OLDER,
    BB_SQL_LEASE,
    BB_SQL_EVENT,
    BB_SQL_RENEW,
    BB_SQL_FREE_EXPIRED,
    BB_SQL_RELEASE,
    BB_SQL_UNCLAIM,
    BB_SQL_RETRY,
    BB_SQL_END,
    BB_SQL_COUNT_RUN,
    BB_SQL_END_RUN,
    BB_SQL_END_ONE_OF_SHARED,
    BB_SQL_END_SHARED,
    BB_SQL_END_EVENT,
    BB_SQL_END_EVENTS_OF_RUN,
    BB_SQL_EMPTY_EVENT,
    BB_SQL_NOTE_EMPTY,
    BB_SQL_END_EMPTY,
    BB_SQL_LOG,
    BB_SQL_LOG_TOGETHER,
    BB_SQL_DIE,
    BB_SQL_FREE_KEY,
    BB_SQL_NEXT_OF_ORDER,
    BB_SQL_COUNT_WAITING,
    BB_SQL_COUNT_WAITING_OF,
    BB_SQL_OLDEST_OF,
    BB_SQL_DATA_VERSION,
    BB_SQL_STATEMENTS
};

struct bb_sqlite_db {
    sqlite3 *handle;
    sqlite3_stmt *statements[BB_SQL_STATEMENTS];
};

/* The host's, with the one statement that is needed there: what bb_put_place.connection points to.
 */
struct bb_sqlite_connection {
    sqlite3 *db;
    sqlite3_stmt *put;
};

/* A statement never waits for another connection's lock: the driving thread carries everything that
 * is under way, and the host that has the lock may be waiting for it. It rather comes back later.
 */

/* Opens the file, makes or checks the tables, prepares. `is_full`: a commit survives a loss of
 * power. BB_ERR_OUTBOX, BB_ERR_NO_MEMORY. */
int bb_sqlite_db_open(struct bb_sqlite_db *db, const char *path, bool is_full, bb_error *error);
void bb_sqlite_db_close(struct bb_sqlite_db *db);

/* Makes the tables in a database where they are missing, or those of this version of older ones, in
 * the transaction that is open or in one of its own. BB_ERR_OUTBOX, BB_ERR_NO_MEMORY. */
int bb_sqlite_db_install(sqlite3 *handle, bb_error *error);

/* The text of a statement, to run it on a connection of somebody else's. */
const char *bb_sqlite_db_text(enum bb_sql which);

/* Binds `format`'s arguments: 'i' an int64_t, 't' a text (NULL is NULL), which stays until the
 * statement is used again. */
sqlite3_stmt *bb_sqlite_db_bind(struct bb_sqlite_db *db, enum bb_sql which, const char *format,
                                ...);

/* The next row of a bound statement; false: there is none, or (`*failed`) it could not be read. */
bool bb_sqlite_db_step(sqlite3_stmt *statement, bool *failed);

/* A statement without rows. False: it failed. */
bool bb_sqlite_db_run(struct bb_sqlite_db *db, enum bb_sql which, const char *format, ...);

/* Whether the last failure was another connection's lock. */
bool bb_sqlite_db_is_busy(const struct bb_sqlite_db *db);

/* What the last failure was, as an error. */
int bb_sqlite_db_fail(sqlite3 *handle, const char *what, bb_error *error);

#endif
