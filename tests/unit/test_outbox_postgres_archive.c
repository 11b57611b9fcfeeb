/* What the outbox in PostgreSQL keeps: dead letters, attempts; and bb_enqueue, for those who have
 * nothing but SQL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/archive_cases.h"
#include "support/outbox_postgres.h"

#define CREATED "'{\"activity_type\":\"bb.issue.create\",\"issue\":{\"id\":7,\"name\":\"A\"}}'"

/* ---- as any outbox ---- */

static bb_outbox *open_postgres(background *b) {
    pg_open_all(b);
    return b->options.outbox;
}

static void *connect_host(void) {
    return postgres_connect();
}

static void disconnect_host(void *connection) {
    PQfinish(connection);
}

static void run(void *connection, const char *sql) {
    postgres_run(connection, sql);
}

static int enqueue(background *b, void *connection, const bb_event *event,
                   const bb_enqueue_options *options) {
    return bb_postgres_enqueue(b->dispatcher, connection, event, options, NULL, NULL);
}

static int64_t count(const char *table) {
    return postgres_count(table);
}

/* ---- bb_enqueue ---- */

static void a_commit_of_sql_sends_and_a_rollback_does_not(void **state) {
    background *b = *state;
    pg_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    PGconn *db = postgres_connect();
    postgres_run(db, "BEGIN");
    assert_int_equal(postgres_run(db, "SELECT bb_enqueue(" CREATED ")"), 1);
    postgres_run(db, "ROLLBACK");
    postgres_run(db, "BEGIN");
    assert_int_equal(postgres_run(db, "SELECT bb_enqueue(" CREATED ")"), 2);
    postgres_run(db, "COMMIT");
    PQfinish(db);
    assert_int_equal(bb_dispatcher_wake(b->dispatcher, NULL), BB_OK);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 1);
    assert_string_equal(background_told(b, BB_NOTICE_DELIVERED, 0)->event_id, "evt_sql_2");
    assert_int_equal(postgres_count("bb_event"), 0);
}

static void a_key_of_sql_is_taken_once(void **state) {
    background *b = *state;
    pg_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    PGconn *db = postgres_connect();
    postgres_run(db, "SELECT bb_enqueue(" CREATED ", 'order 66')");
    assert_int_equal(
        postgres_run(db, "SELECT (bb_enqueue(" CREATED ", key => 'order 66') IS NULL)::int"), 1);
    PQfinish(db);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 1);
}

static void an_event_of_sql_waits_until_it_is_due(void **state) {
    background *b = *state;
    pg_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    PGconn *db = postgres_connect();
    postgres_run(db, "SELECT bb_enqueue(" CREATED ", due => now() + interval '1 hour')");
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 0);
    assert_in_range(postgres_run(db, "SELECT due_ms - enqueued_ms FROM bb_delivery"), 3590000,
                    3600000);
    PQfinish(db);
}

/* The tables lie where they were made, whatever the caller's search_path. */
static void sql_calls_it_from_any_schema(void **state) {
    background *b = *state;
    pg_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    PGconn *db = postgres_connect();
    postgres_run(db, "CREATE SCHEMA elsewhere; SET search_path = elsewhere");
    postgres_run(db, "SELECT public.bb_enqueue(" CREATED ")");
    PQfinish(db);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 1);
}

static void what_is_no_json_is_refused_at_once(void **state) {
    background *b = *state;
    pg_open_all(b);
    PGconn *db = postgres_connect();
    PGresult *result = PQexec(db, "SELECT bb_enqueue('nonsense')");
    assert_string_equal(PQresultErrorField(result, PG_DIAG_SQLSTATE), "22P02");
    PQclear(result);
    PQfinish(db);
    assert_int_equal(postgres_count("bb_event"), 0);
}

static void a_trigger_enqueues_in_the_transaction_that_fires_it(void **state) {
    background *b = *state;
    pg_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    PGconn *db = postgres_connect();
    postgres_run(db, "CREATE TABLE issue(id bigint PRIMARY KEY, name text);"
                     "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                     " PERFORM bb_enqueue(json_build_object('activity_type', 'bb.issue.create',"
                     " 'issue', json_build_object('id', NEW.id, 'name', NEW.name)));"
                     " RETURN NULL; END $$;"
                     "CREATE TRIGGER told AFTER INSERT ON issue FOR EACH ROW EXECUTE FUNCTION"
                     " tell()");
    postgres_run(db, "BEGIN; INSERT INTO issue VALUES(1, 'undone'); ROLLBACK");
    postgres_run(db, "INSERT INTO issue VALUES(2, 'Add index'), (3, 'Drop \"index\"')");
    PQfinish(db);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 2);
    assert_non_null(strstr(server_request_at(b->receiver, 0)->body, "Add index"));
    assert_non_null(strstr(server_request_at(b->receiver, 1)->body, "Drop \\\"index\\\""));
}

/* Both drive at once, and each has its own idea of what to look at. */
static void two_dispatchers_fan_an_event_of_sql_out_once(void **state) {
    enum { EVENTS = 1000 };
    background *one = *state;
    pg_open_all(one);
    background_add_healthy(one, BB_CUSTOM, "hook");
    background *two = pg_open_second(one);
    assert_int_equal(bb_dispatcher_start(one->dispatcher, NULL), BB_OK);
    assert_int_equal(bb_dispatcher_start(two->dispatcher, NULL), BB_OK);
    PGconn *db = postgres_connect();
    for (int i = 0; i < EVENTS; i += 100)
        postgres_run(db, "SELECT bb_enqueue(" CREATED ") FROM generate_series(1, 100)");
    PQfinish(db);
    while (postgres_count("bb_event") > 0) {
        background_flush(one);
        background_flush(two);
    }
    assert_int_equal(one->counts[BB_NOTICE_DELIVERED] + two->counts[BB_NOTICE_DELIVERED], EVENTS);
    assert_int_equal(server_requests(one->receiver), EVENTS);
    assert_int_equal(pg_different_ids(one->receiver), EVENTS);
    pg_close_second(two);
    assert_int_equal(postgres_count("bb_attempt"), EVENTS);
    assert_int_equal(postgres_count("bb_delivery"), 0);
}

/* ---- the server is away ---- */

static void without_the_server_the_archive_says_so(void **state) {
    background *b = *state;
    bb_error error = BB_ERROR_INIT;
    size_t count = 5;
    pg_open_all(b);
    postgres_stop();
    assert_int_equal(bb_outbox_dead(b->options.outbox, NULL, NULL, NULL, &count, &error),
                     BB_ERR_OUTBOX);
    assert_int_equal(count, 0);
    assert_non_null(strstr(error.text, "it cannot be read or written: "));
    assert_int_equal(bb_outbox_cancel(b->options.outbox, "key", NULL, NULL), BB_ERR_OUTBOX);
    postgres_start();
    assert_int_equal(bb_outbox_dead(b->options.outbox, NULL, NULL, NULL, &count, NULL), BB_OK);
}

int main(void) {
    static const char *const tables[] = {"bb_event", "bb_delivery", "bb_dead", NULL};
    const archive_kind kind = {
        .setup = pg_setup,
        .teardown = pg_teardown,
        .open = open_postgres,
        .connect = connect_host,
        .disconnect = disconnect_host,
        .run = run,
        .enqueue = enqueue,
        .count = count,
        .tables = tables,
    };
    const struct CMUnitTest tests[] = {
        PG_TEST(a_commit_of_sql_sends_and_a_rollback_does_not),
        PG_TEST(a_key_of_sql_is_taken_once),
        PG_TEST(an_event_of_sql_waits_until_it_is_due),
        PG_TEST(sql_calls_it_from_any_schema),
        PG_TEST(what_is_no_json_is_refused_at_once),
        PG_TEST(a_trigger_enqueues_in_the_transaction_that_fires_it),
        PG_TEST(two_dispatchers_fan_an_event_of_sql_out_once),
        PG_TEST(without_the_server_the_archive_says_so),
    };
    return archive_cases_run(&kind) + cmocka_run_group_tests_name("bb_enqueue", tests, NULL, NULL);
}
