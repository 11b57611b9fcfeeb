/* The outbox in a PostgreSQL database. */
#include "complain.h"
#include "now.h"
#include "outbox.h"

#include <bb_webhook_postgres.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libpq's texts are of several lines: the first one says it. */
static bool fail(const struct outbox *outbox, const char *text) {
    complain("%s: %.*s", outbox->name, (int)strcspn(text, "\r\n"), text);
    return false;
}

/* ---- the connection ---- */

static void say_nothing(void *user, const char *text) {
    (void)user, (void)text;
}

/* A server that is gone is noticed within seconds, unless the URL says otherwise: the library's
 * own connections do the same. */
static bool connect_to(struct outbox *outbox, const char *url) {
    static const char *const keywords[] = {"fallback_application_name",
                                           "connect_timeout",
                                           "tcp_user_timeout",
                                           "keepalives_idle",
                                           "dbname",
                                           "client_encoding",
                                           NULL};
    const char *const values[] = {"bb-notify", "3", "5000", "5", url, "UTF8", NULL};
    PGconn *db = PQconnectdbParams(keywords, values, 1);
    outbox->connection = db;
    PQsetNoticeProcessor(db, say_nothing, NULL);
    return PQstatus(db) == CONNECTION_OK || fail(outbox, PQerrorMessage(db));
}

static bool postgres_open(struct outbox *outbox, const char *url, uint32_t lease_ms) {
    bb_postgres_options options = BB_POSTGRES_OPTIONS_INIT;
    bb_error error = BB_ERROR_INIT;
    options.lease_ms = lease_ms;
    if (bb_postgres_open(url, &options, &outbox->store, &error) != BB_OK)
        return fail(outbox, error.text);
    return connect_to(outbox, url);
}

static void postgres_close(struct outbox *outbox) {
    PQfinish(outbox->connection);
}

/* ---- statements ---- */

static bool is_done(const PGresult *result) {
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

static PGresult *execute(const struct outbox *outbox, const char *sql, const char *parameter) {
    return PQexecParams(outbox->connection, sql, parameter ? 1 : 0, NULL, &parameter, NULL, NULL,
                        0);
}

/* Reads what the server has said unasked: farewell, perhaps. */
static bool is_alive(PGconn *db) {
    struct pollfd ready = {.fd = PQsocket(db), .events = POLLIN};
    while (PQstatus(db) == CONNECTION_OK && poll(&ready, 1, 0) > 0)
        if (!PQconsumeInput(db))
            return false;
    return PQstatus(db) == CONNECTION_OK;
}

/* Outside of a transaction: a connection that was cut while nobody used it is made again. NULL,
 * after a complaint. */
static PGresult *ask(const struct outbox *outbox, const char *sql, const char *parameter) {
    PGconn *db = outbox->connection;
    if (!is_alive(db))
        PQreset(db);
    PGresult *result = PQstatus(db) == CONNECTION_OK ? execute(outbox, sql, parameter) : NULL;
    if (is_done(result))
        return result;
    fail(outbox, PQerrorMessage(db));
    PQclear(result);
    return NULL;
}

/* ---- enqueueing ---- */

static bool postgres_begin(struct outbox *outbox) {
    PGresult *result = ask(outbox, "BEGIN", NULL);
    PQclear(result);
    return result != NULL;
}

static bool postgres_commit(struct outbox *outbox) {
    PGresult *result = execute(outbox, "COMMIT", NULL);
    bool is_committed = is_done(result) || fail(outbox, PQerrorMessage(outbox->connection));
    PQclear(result);
    return is_committed;
}

static void postgres_roll_back(struct outbox *outbox) {
    PQclear(execute(outbox, "ROLLBACK", NULL));
}

static int postgres_enqueue(struct outbox *outbox, bb_dispatcher *dispatcher, const bb_event *event,
                            size_t *deliveries, bb_error *error) {
    return bb_postgres_enqueue(dispatcher, outbox->connection, event, NULL, deliveries, error);
}

/* ---- the look ---- */

static int64_t number_at(const PGresult *rows, int row, int column) {
    return strtoll(PQgetvalue(rows, row, column), NULL, 10);
}

/* id, waiting, leased, due in so many milliseconds. Without an id: events of plain SQL. */
static bool add_row(struct outbox *outbox, const PGresult *rows, int row) {
    struct outbox_row more = {.waiting = (uint64_t)number_at(rows, row, 1),
                              .leased = (uint64_t)number_at(rows, row, 2),
                              .due_ms = INT64_MAX};
    if (!PQgetisnull(rows, row, 3))
        more.due_ms = now_ms() + number_at(rows, row, 3);
    if (PQgetisnull(rows, row, 0)) {
        outbox->unmatched += more.waiting;
        return true;
    }
    const char *id = PQgetvalue(rows, row, 0);
    return outbox_add(outbox, id, strlen(id), &more);
}

/* Deliveries; and events that no process has made deliveries of yet, whose webhooks are NULL when
 * plain SQL has written them. One statement sees one moment. Times go by the database's clock. */
static const char look[] =
    "SELECT id, sum(waiting)::bigint, sum(leased)::bigint,"
    " min(due_ms) - (extract(epoch FROM clock_timestamp()) * 1000)::bigint FROM ("
    "SELECT w.id, count(*) AS waiting, count(*) FILTER (WHERE d.lease <> 0) AS leased,"
    " min(d.due_ms) FILTER (WHERE d.lease = 0 AND NOT d.is_held) AS due_ms"
    " FROM bb_delivery d JOIN bb_webhook w ON w.number = d.webhook GROUP BY w.id"
    " UNION ALL SELECT u.id, count(*), 0, min(e.due_ms) FROM bb_event e"
    " LEFT JOIN LATERAL unnest(e.webhooks) AS u(id) ON true WHERE e.open IS NULL GROUP BY u.id"
    ") AS found GROUP BY id ORDER BY id";

static bool postgres_look(struct outbox *outbox) {
    PGresult *rows = ask(outbox, look, NULL);
    bool is_read = rows != NULL;
    for (int row = 0; is_read && row < PQntuples(rows); row++)
        is_read = add_row(outbox, rows, row);
    PQclear(rows);
    return is_read;
}

static bool postgres_count_attempts(struct outbox *outbox, int64_t before_ms, uint64_t *count) {
    char before[24];
    snprintf(before, sizeof before, "%" PRId64, before_ms);
    PGresult *result =
        ask(outbox, "SELECT count(*) FROM bb_attempt WHERE at_ms < $1::bigint", before);
    *count = result ? (uint64_t)number_at(result, 0, 0) : 0;
    PQclear(result);
    return result != NULL;
}

const struct outbox_backend outbox_postgres = {
    .open = postgres_open,
    .close = postgres_close,
    .begin = postgres_begin,
    .commit = postgres_commit,
    .roll_back = postgres_roll_back,
    .enqueue = postgres_enqueue,
    .look = postgres_look,
    .count_attempts = postgres_count_attempts,
};
