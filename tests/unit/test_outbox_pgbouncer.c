/*
 * The outbox in PostgreSQL through PgBouncer in transaction mode: enqueueing, by itself and in the
 * host's transaction, delivery, retries, dead ones, several dispatchers, all over fewer connections
 * to the server than there are connections to the pooler. Nothing stays behind in those.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/outbox_postgres.h"
#include "support/pgbouncer.h"

enum { CONNECTIONS = 2 };

static int setup(void **state) {
    int code = pg_setup(state);
    pgbouncer_start(CONNECTIONS);
    return code;
}

static int teardown(void **state) {
    int code = pg_teardown(state);
    pgbouncer_stop();
    return code;
}

/* As the server counts them. */
static long long connections_of_pooler(void) {
    postgres_go_through(POSTGRES_PORT);
    PGconn *db = postgres_connect();
    long long number =
        postgres_run(db, "SELECT count(*) FROM pg_stat_activity WHERE usename = 'host' AND"
                         " datname = current_database() AND pid <> pg_backend_pid()");
    PQfinish(db);
    postgres_go_through(PGBOUNCER_PORT);
    return number;
}

/* In each of the connections, by transactions that are open at the same time. */
static void check_that_nothing_stays(void) {
    static const char all[] =
        "SELECT (SELECT count(*) FROM pg_prepared_statements) + (SELECT count(*) FROM pg_cursors)"
        " + (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')"
        " + (SELECT count(*) FROM pg_listening_channels())"
        " + (current_setting('statement_timeout') <> '0')::int"
        " + (current_setting('synchronous_commit') <> 'on')::int"
        " + (current_setting('transaction_isolation') <> 'read committed')::int";
    PGconn *dbs[CONNECTIONS];
    long long pids[CONNECTIONS];
    for (int i = 0; i < CONNECTIONS; i++) {
        dbs[i] = postgres_connect();
        postgres_run(dbs[i], "BEGIN");
        pids[i] = postgres_run(dbs[i], "SELECT pg_backend_pid()");
        assert_int_equal(postgres_run(dbs[i], all), 0);
    }
    assert_int_not_equal(pids[0], pids[1]);
    for (int i = 0; i < CONNECTIONS; i++) {
        postgres_run(dbs[i], "COMMIT");
        PQfinish(dbs[i]);
    }
}

static void a_commit_sends_and_a_rollback_does_not(void **state) {
    background *b = *state;
    pg_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    PGconn *db = postgres_connect();
    postgres_run(db, "CREATE TABLE issue(id bigint PRIMARY KEY)");
    postgres_run(db, "BEGIN; INSERT INTO issue VALUES(1)");
    assert_int_equal(pg_enqueue_on(b, db, "undone", NULL), BB_OK);
    postgres_run(db, "ROLLBACK");
    postgres_run(db, "BEGIN; INSERT INTO issue VALUES(2)");
    assert_int_equal(pg_enqueue_on(b, db, "done", NULL), BB_OK);
    postgres_run(db, "COMMIT");
    assert_int_equal(pg_enqueue_on(b, db, "without", NULL), BB_OK);
    PQfinish(db);
    background_enqueue(b, "by itself");
    assert_int_equal(bb_dispatcher_wake(b->dispatcher, NULL), BB_OK);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 3);
    assert_int_equal(server_requests(b->receiver), 3);
    pg_close_all(b);
    assert_int_equal(postgres_count("issue"), 1);
    assert_int_equal(postgres_count("bb_delivery"), 0);
    check_that_nothing_stays();
    assert_in_range(connections_of_pooler(), 1, CONNECTIONS);
}

static void retries_and_dead_ones_are_written(void **state) {
    static const server_step fine = {.status = 200, .body = "{\"code\":0}"}, bad = {.status = 503},
                             gone = {.status = 404};
    static const uint32_t delays[] = {1, 1};
    background *b = *state;
    b->options.retry_delays_ms = delays;
    b->options.retry_delay_count = 2;
    b->options.no_jitter = 1;
    pg_open_all(b);
    background_script(b, BB_CUSTOM, "busy", STEPS(bad, bad, fine));
    background_script(b, BB_CUSTOM, "gone", STEPS(gone));
    background_script(b, BB_CUSTOM, "down", STEPS(bad));
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_DEAD, 2);
    background_drive_until(b, BB_NOTICE_DELIVERED, 1);
    assert_int_equal(b->counts[BB_NOTICE_RETRYING], 4);
    assert_int_equal(server_requests(b->receiver), 7);
    pg_close_all(b);
    assert_int_equal(postgres_count("bb_delivery"), 0);
    check_that_nothing_stays();
}

/* With more connections than the server gives, and while the host changes its tables. */
static void several_dispatchers_share_the_work(void **state) {
    enum { EVENTS = 150, OF_HOST = 50 };
    background *one = *state;
    pg_open_all(one);
    background_add_healthy(one, BB_CUSTOM, "hook");
    background *two = pg_open_second(one);
    PGconn *db = postgres_connect();
    postgres_run(db, "CREATE TABLE issue(id serial PRIMARY KEY)");
    assert_int_equal(bb_dispatcher_start(one->dispatcher, NULL), BB_OK);
    assert_int_equal(bb_dispatcher_start(two->dispatcher, NULL), BB_OK);
    for (int i = 0; i < EVENTS; i++) {
        background_enqueue(i % 2 ? one : two, NULL);
        if (i % (EVENTS / OF_HOST) != 0)
            continue;
        postgres_run(db, "BEGIN; INSERT INTO issue DEFAULT VALUES");
        assert_int_equal(pg_enqueue_on(one, db, NULL, NULL), BB_OK);
        postgres_run(db, "COMMIT");
    }
    PQfinish(db);
    assert_true(server_wait_requests(one->receiver, EVENTS + OF_HOST, BACKGROUND_PATIENCE_MS));
    background_flush(one);
    background_flush(two);
    assert_int_equal(one->counts[BB_NOTICE_DELIVERED] + two->counts[BB_NOTICE_DELIVERED],
                     EVENTS + OF_HOST);
    assert_int_equal(server_requests(one->receiver), EVENTS + OF_HOST);
    assert_int_equal(pg_different_ids(one->receiver), EVENTS + OF_HOST);
    assert_string_equal(pg_last_trouble(), "");
    assert_int_equal(postgres_count("bb_delivery"), 0);
    check_that_nothing_stays();
    pg_close_second(two);
    assert_in_range(connections_of_pooler(), 1, CONNECTIONS);
}

/* What waits goes on when it is back. */
static void a_pooler_that_is_restarted_loses_nothing(void **state) {
    enum { EVENTS = 100 };
    static const server_step slow = {.status = 200, .delay_ms = 10, .body = "{\"code\":0}"};
    background *b = *state;
    pg_open_all(b);
    background_script(b, BB_CUSTOM, "hook", &slow, 1);
    for (int i = 0; i < EVENTS; i++)
        background_enqueue(b, NULL);
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    background_wait_until(b, BB_NOTICE_DELIVERED, EVENTS / 10);
    pgbouncer_stop();
    pgbouncer_start(CONNECTIONS);
    background_enqueue(b, "afterwards");
    background_wait_until(b, BB_NOTICE_DELIVERED, EVENTS + 1);
    background_flush(b);
    assert_int_equal(pg_different_ids(b->receiver), EVENTS + 1);
    assert_int_equal(b->counts[BB_NOTICE_DEAD], 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_commit_sends_and_a_rollback_does_not, setup, teardown),
        cmocka_unit_test_setup_teardown(retries_and_dead_ones_are_written, setup, teardown),
        cmocka_unit_test_setup_teardown(several_dispatchers_share_the_work, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pooler_that_is_restarted_loses_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
