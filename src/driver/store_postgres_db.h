/*
 * The PostgreSQL outbox as tables and statements: docs/outbox.md. One connection, which nobody else
 * uses. Nothing of it outlives a transaction, so that it may be another one each time: statements
 * have no names and settings are local.
 */
#ifndef BB_DRIVER_STORE_POSTGRES_DB_H
#define BB_DRIVER_STORE_POSTGRES_DB_H

#include <stdbool.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "base/buf.h"
#include "base/error.h"

/* The database's clock, and a parameter that is sent as UTF-8 bytes. */
#define BB_PG_NOW_MS "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
#define BB_PG_UTF8(parameter) "convert_from(" parameter "::bytea, 'UTF8')"

/* Advisory locks are the whole database's: the first of their two numbers is ours. */
#define BB_PG_LOCKS "1650614901"

enum { BB_PG_VERSION = 2 }; /* of the tables */

enum bb_pg {
    BB_PG_BEGIN = 0,
    BB_PG_BEGIN_READING,
    BB_PG_SETTINGS,
    BB_PG_SAFE_SETTINGS,
    BB_PG_COMMIT,
    BB_PG_ROLLBACK,
    BB_PG_PUT,
    BB_PG_PUT_PLAIN,
    BB_PG_PUT_MANY,
    BB_PG_LOOK,
    BB_PG_MATCH,
    BB_PG_NEW_EVENTS,
    BB_PG_BURY_EVENTS,
    BB_PG_DROP_UNWANTED,
    BB_PG_LOCK_ORDER,
    BB_PG_ADD_WEBHOOKS_OF,
    BB_PG_FAN_OUT,
    BB_PG_ADD_WEBHOOKS,
    BB_PG_FIND_WEBHOOKS,
    BB_PG_TIMES,
    BB_PG_LOCK_TURNS,
    BB_PG_TURNS,
    BB_PG_NOTE_FLOWS,
    BB_PG_DUE,
    BB_PG_OLDER,
    BB_PG_RENEW,
    BB_PG_FREE_EXPIRED,
    BB_PG_RELEASE,
    BB_PG_RETRY,
    BB_PG_END,
    BB_PG_LOG,
    BB_PG_NEXT_OF_ORDER,
    BB_PG_COUNT_WAITING,
    BB_PG_COUNT_WAITING_OF,
    BB_PG_STATEMENTS
};

enum { BB_PG_ONCE = 24, BB_PG_TROUBLE = 256, BB_PG_ARRAY_MAX = 64 * 1024 * 1024 };

/* How long an answer is waited for: the driving thread carries everything that is under way. The
 * server gives up a little before. */
enum { BB_PG_ANSWER_MS = 5000 };

struct bb_postgres_db {
    PQconninfoOption *conninfo; /* as it was read, with what was missing */
    PGconn *handle;             /* NULL: not now */
    bool is_failed;             /* since the last exchange; sticky */
    size_t sent;                /* for the next exchange, or of the last */
    bool is_over;               /* `sent` is of the last */
    bool is_posted;             /* `sent` is on its way */
    enum bb_pg which[BB_PG_ONCE];
    PGresult *results[BB_PG_ONCE];
    char trouble[BB_PG_TROUBLE]; /* what the last failure was, in one line; "": it was not one of
                                    the database's */
};

/* Reads `conninfo`, connects, makes or checks the tables. `*skew_ms`: what the database's clock is
 * ahead of this machine's. BB_ERR_OUTBOX, BB_ERR_NO_MEMORY. */
int bb_postgres_db_open(struct bb_postgres_db *db, const char *conninfo, int64_t *skew_ms,
                        bb_error *error);
int bb_postgres_db_read(struct bb_postgres_db *db, const char *conninfo, bb_error *error);
void bb_postgres_db_close(struct bb_postgres_db *db);

/* Makes the tables where they are missing: store_postgres_tables.c. */
int bb_postgres_db_install(struct bb_postgres_db *db, bb_error *error);

/* The text of a statement: store_postgres_text.c. */
const char *bb_postgres_db_text(enum bb_pg which);

/* Connects, if it is not. False: `trouble` says why. */
bool bb_postgres_db_connect(struct bb_postgres_db *db);
void bb_postgres_db_disconnect(struct bb_postgres_db *db);

/* A connection that its server has ended is ended here as well: before it is used again. */
void bb_postgres_db_check(struct bb_postgres_db *db);

/* Adds a statement to the next exchange. `format`'s arguments: 'i' an int64_t, 't' a text, 'u' a
 * text as UTF-8 bytes, whatever the connection's encoding (NULL is NULL). */
void bb_postgres_db_send(struct bb_postgres_db *db, enum bb_pg which, const char *format, ...);
void bb_postgres_db_send_sql(struct bb_postgres_db *db, const char *sql, const char *format, ...);
void bb_postgres_db_send_arrays(struct bb_postgres_db *db, enum bb_pg which, const char *format,
                                const char *const *arrays); /* 't' and 'u' as above, else 't' */

/* Sends them all at once, if there are any, and waits for all answers. False: one has failed, and
 * none of those after it was done; `trouble` says why. */
bool bb_postgres_db_exchange(struct bb_postgres_db *db);

/* The same in two: sends them, and waits for their answers, later. Nothing can be sent between: it
 * fails. False: not all is sent, which collecting does; what was sent may hold locks until then. */
bool bb_postgres_db_post(struct bb_postgres_db *db);
bool bb_postgres_db_collect(struct bb_postgres_db *db);

/* A transaction with its settings, added to the next exchange: without them a statement might hang
 * on the server for longer than its answer is waited for. Its end is an exchange. */
void bb_postgres_db_begin(struct bb_postgres_db *db, enum bb_pg how, enum bb_pg settings);
bool bb_postgres_db_has_begun_only(const struct bb_postgres_db *db); /* as of the next exchange */
bool bb_postgres_db_commit(struct bb_postgres_db *db);

/* Begins one that must not be lost, on a connection that may have been lost meanwhile. */
bool bb_postgres_db_begin_safe(struct bb_postgres_db *db);

/* The answer to a statement of the last exchange; NULL: it was not in it. */
const PGresult *bb_postgres_db_result(const struct bb_postgres_db *db, enum bb_pg which);
int bb_postgres_db_rows(const PGresult *result);        /* of NULL: 0 */
int64_t bb_postgres_db_changes(const PGresult *result); /* how many rows were written */
int64_t bb_postgres_db_int(const PGresult *result, int row, int column, int64_t if_null);

/* Leaves a transaction that is not to be committed. */
void bb_postgres_db_roll_back(struct bb_postgres_db *db);

/* On a connection of the host's: one statement, and its answer is only whether it worked, and
 * whether one with the key was there. */
int bb_postgres_db_put_on(PGconn *handle, const char *json, const char *webhooks, const char *keys,
                          const char *key, int64_t enqueued_ms, int64_t due_ms, bool *is_left_out,
                          bb_error *error);

/* ---- store_postgres_rows.c ---- */

/* Arrays of numbers, and of texts (NULL is NULL), as PostgreSQL writes them: "{", then these, then
 * "}". */
void bb_postgres_add_number(struct bb_buf *array, int64_t number);
void bb_postgres_add_text(struct bb_buf *array, const char *text);
const char *bb_postgres_array(struct bb_buf *array);

enum { BB_PG_COLUMNS = 8 };

/* Rows on their way to the server. */
struct bb_postgres_rows {
    const char *format; /* of each column: 'i' an int64_t, 'u' a text */
    struct bb_buf columns[BB_PG_COLUMNS];
    size_t count;
};
void bb_postgres_rows_begin(struct bb_postgres_rows *rows, const bb_allocator *mem,
                            const char *format);
void bb_postgres_rows_add(struct bb_postgres_rows *rows, ...);
void bb_postgres_rows_free(struct bb_postgres_rows *rows);

/* Adds the statement for them, whose parameters are the columns, to the next exchange if there are
 * any, and frees them. False: out of memory. */
bool bb_postgres_rows_send(struct bb_postgres_rows *rows, struct bb_postgres_db *db,
                           enum bb_pg which);

#endif
