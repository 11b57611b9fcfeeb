/* What the statements of a pass read when much waits and the server's statistics know nothing of
 * it: as much as they need, and not all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "driver/store_postgres.h"
#include "driver/store_postgres_db.h"
#include "support/alloc.h"
#include "support/postgres.h"

enum { WAITING = 20000, SOME = 64 };

/* Of as many events and deliveries as have never been counted by the server. */
static PGconn *fill(void) {
    const struct bb_store_postgres_config config = {.mem = *alloc_library(), .lease_ms = 60000};
    struct bb_store *store = NULL;
    bb_error error = BB_ERROR_INIT;
    char sql[512];
    if (bb_store_postgres_open(&config, postgres_fresh(), &store, &error) != BB_OK)
        fail_msg("%s", error.text);
    store->vtable->free(store);
    PGconn *conn = postgres_connect();
    postgres_run(conn, "ALTER TABLE bb_event SET (autovacuum_enabled = false)");
    postgres_run(conn, "ALTER TABLE bb_delivery SET (autovacuum_enabled = false)");
    postgres_run(conn, "INSERT INTO bb_webhook(number, id) VALUES(1, 'room')");
    snprintf(sql, sizeof(sql),
             "INSERT INTO bb_event(json, webhooks, order_keys) SELECT '{}', '{room}', '{0}'"
             " FROM generate_series(1, %d)",
             WAITING);
    postgres_run(conn, sql);
    snprintf(sql, sizeof(sql),
             "INSERT INTO bb_delivery(webhook, event, enqueued_ms, due_ms, order_key, is_held)"
             " SELECT 1, n, n, n, 0, false FROM generate_series(1, %d) AS n",
             WAITING);
    postgres_run(conn, sql);
    return conn;
}

static void run(PGconn *conn, enum bb_pg which) {
    PGresult *result = PQexec(conn, bb_postgres_db_text(which));
    if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
        fail_msg("%s", PQerrorMessage(conn));
    PQclear(result);
}

/* The most rows that one node of the statement's plan has given at once. */
static long most_rows(const PGresult *plan) {
    static const char actual[] = "actual rows=";
    long most = -1;
    for (int i = 0; i < PQntuples(plan); i++) {
        const char *rows = strstr(PQgetvalue(plan, i, 0), actual);
        long count = rows ? strtol(rows + sizeof(actual) - 1, NULL, 10) : -1;
        most = count > most ? count : most;
    }
    return most;
}

static long rows_read(PGconn *conn, enum bb_pg which, int count, const char *const *values) {
    char sql[8192];
    run(conn, BB_PG_BEGIN);
    run(conn, BB_PG_SETTINGS);
    snprintf(sql, sizeof(sql), "EXPLAIN (ANALYZE, TIMING OFF) %s", bb_postgres_db_text(which));
    PGresult *plan = PQexecParams(conn, sql, count, NULL, values, NULL, NULL, 0);
    if (PQresultStatus(plan) != PGRES_TUPLES_OK)
        fail_msg("%s", PQerrorMessage(conn));
    long most = most_rows(plan);
    PQclear(plan);
    run(conn, BB_PG_ROLLBACK);
    return most;
}

static void no_more_is_read_than_is_asked_for(void **state) {
    (void)state;
    static const struct {
        enum bb_pg which;
        int count;
        const char *values[5];
        long rows;
    } cases[] = {
        {BB_PG_LOOK, 0, {NULL}, 1},
        {BB_PG_TIMES, 1, {"{1}"}, 1},
        {BB_PG_NEW_EVENTS, 2, {"64", "4096"}, SOME},
        {BB_PG_DUE, 5, {"{1}", "1000000", "{64}", "7", "60000"}, SOME},
        {BB_PG_OLDER, 5, {"{1}", "1000000", "{64}", "7", "60000"}, SOME},
    };
    PGconn *conn = fill();
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        long rows = rows_read(conn, cases[i].which, cases[i].count, cases[i].values);
        if (rows != cases[i].rows)
            fail_msg("statement %d reads %ld rows at once, not %ld", (int)cases[i].which, rows,
                     cases[i].rows);
    }
    PQfinish(conn);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_more_is_read_than_is_asked_for)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
