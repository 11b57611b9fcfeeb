/* The outbox in PostgreSQL as hosts use it: transactions, restarts, crashes, several processes. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/outbox_postgres.h"

/* ------------------------------------------------------------- transactions -- */

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
    PQfinish(db);
    assert_int_equal(bb_dispatcher_wake(b->dispatcher, NULL), BB_OK);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 1);
    assert_string_equal(background_told(b, BB_NOTICE_DELIVERED, 0)->event_id, "done");
    assert_int_equal(server_requests(b->receiver), 1);
    pg_close_all(b);
    assert_int_equal(postgres_count("issue"), 1);
    assert_int_equal(postgres_count("bb_event"), 0);
    assert_int_equal(postgres_count("bb_delivery"), 0);
}

/* Nobody tells the dispatcher: another connection's commit is noticed. */
static void a_commit_is_noticed_without_a_word(void **state) {
    background *b = *state;
    pg_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    background_enqueue(b, "first");
    background_wait_until(b, BB_NOTICE_DELIVERED, 1);
    PGconn *db = postgres_connect();
    assert_int_equal(pg_enqueue_on(b, db, "second", NULL), BB_OK);
    PQfinish(db);
    background_wait_until(b, BB_NOTICE_DELIVERED, 2);
}

static void a_connection_without_the_outbox_is_an_error(void **state) {
    background *b = *state;
    bb_error error = BB_ERROR_INIT;
    pg_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    PGconn *db = postgres_connect();
    postgres_run(db, "CREATE SCHEMA elsewhere; SET search_path = elsewhere");
    assert_int_equal(pg_enqueue_on(b, db, "lost", &error), BB_ERR_OUTBOX);
    assert_non_null(strstr(error.text, "has no outbox"));
    assert_int_equal(bb_postgres_enqueue(b->dispatcher, NULL, posting_event(), NULL, NULL, &error),
                     BB_ERR_ARGUMENT);
    PQfinish(db);
}

/* A second opening where there is somewhere to make them in shows that nothing else was wrong. */
static void where_tables_cannot_be_made_it_is_said(void **state) {
    bb_error error = BB_ERROR_INIT;
    bb_outbox *outbox = (bb_outbox *)*state;
    const char *nowhere = postgres_conninfo_with("options='-c search_path=nowhere'");
    assert_int_equal(bb_postgres_open(nowhere, NULL, &outbox, &error), BB_ERR_OUTBOX);
    assert_null(outbox);
    assert_non_null(strstr(error.text, "its tables cannot be made: "));
    assert_non_null(strstr(error.text, "schema"));
    assert_int_equal(bb_postgres_open(postgres_conninfo_with(""), NULL, &outbox, NULL), BB_OK);
    bb_outbox_free(outbox);
}

/* Whatever the host's connection takes for text. */
static void enqueue_in_encoding(background *b, const char *set_encoding) {
    bb_event event = BB_EVENT_INIT;
    pg_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    PGconn *db = postgres_connect();
    postgres_run(db, set_encoding);
    event.activity = BB_ISSUE_CREATE;
    event.title = "\xE5\xB7\xA5\xE5\x8D\x95 \\ \"quoted\"";
    bb_error error = BB_ERROR_INIT;
    if (bb_postgres_enqueue(b->dispatcher, db, &event, NULL, NULL, &error) != BB_OK)
        fail_msg("%s", error.text);
    PQfinish(db);
    assert_int_equal(bb_dispatcher_wake(b->dispatcher, NULL), BB_OK);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 1);
    assert_non_null(strstr(server_request_at(b->receiver, 0)->body, "\xE5\xB7\xA5\xE5\x8D\x95"));
}

static void the_hosts_encoding_does_not_matter(void **state) {
    enqueue_in_encoding(*state, "SET client_encoding = 'LATIN1'");
}

static void a_connection_in_utf8_is_written_to_as_it_is(void **state) {
    enqueue_in_encoding(*state, "SET client_encoding = 'UTF8'");
}

static void an_outbox_in_memory_takes_no_transaction(void **state) {
    background *b = *state;
    bb_error error = BB_ERROR_INIT;
    background_open(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    PGconn *db = postgres_connect();
    assert_int_equal(pg_enqueue_on(b, db, "one", &error), BB_ERR_ARGUMENT);
    assert_non_null(strstr(error.text, "no outbox that keeps events"));
    PQfinish(db);
}

static void the_same_key_is_taken_once(void **state) {
    background *b = *state;
    bb_event event = BB_EVENT_INIT;
    bb_enqueue_options options = BB_ENQUEUE_OPTIONS_INIT;
    pg_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    event.activity = BB_ISSUE_CREATE;
    options.key = "order 66";
    for (int i = 0; i < 3; i++)
        assert_int_equal(bb_webhook_enqueue(b->dispatcher, &event, &options, NULL, NULL), BB_OK);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 1);
}

/* ------------------------------------------------------------------ restart -- */

static void what_waits_is_delivered_by_the_next_process(void **state) {
    background *b = *state;
    pg_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    for (int i = 0; i < 20; i++)
        background_enqueue(b, NULL);
    pg_close_all(b);
    assert_int_equal(server_requests(b->receiver), 0);
    pg_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    assert_int_equal(background_stats(b, NULL).waiting, 20);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 20);
    assert_int_equal(server_requests(b->receiver), 20);
    assert_int_equal(background_stats(b, NULL).waiting, 0);
}

static void a_retry_goes_on_where_it_was(void **state) {
    static const server_step steps[] = {{.status = 503}, {.status = 200, .body = "{\"code\":0}"}};
    static const uint32_t delays[] = {1};
    background *b = *state;
    b->options.retry_delays_ms = delays;
    b->options.retry_delay_count = 1;
    b->options.no_jitter = 1;
    pg_open_all(b);
    background_script(b, BB_CUSTOM, "hook", steps, 2);
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_RETRYING, 1);
    pg_close_all(b);
    pg_open_all(b);
    pg_add_hook_of(b, b);
    background_drive_until(b, BB_NOTICE_DELIVERED, 1);
    const told *delivered = background_told(b, BB_NOTICE_DELIVERED, 0);
    assert_int_equal(delivered->attempt, 2);
    assert_string_equal(delivered->delivery_id,
                        background_told(b, BB_NOTICE_RETRYING, 0)->delivery_id);
}

static void what_waits_for_a_removed_webhook_waits_for_its_return(void **state) {
    background *b = *state;
    pg_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    background_enqueue(b, "one");
    assert_int_equal(bb_dispatcher_remove(b->dispatcher, "hook", NULL), BB_OK);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DEAD], 0);
    assert_int_equal(server_requests(b->receiver), 0);
    background_add_healthy(b, BB_CUSTOM, "hook");
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 1);
}

/* -------------------------------------------------------------- several at it -- */

static void two_share_the_work(void **state) {
    enum { EVENTS = 300 };
    background *one = *state;
    pg_open_all(one);
    background_add_healthy(one, BB_CUSTOM, "hook");
    for (int i = 0; i < EVENTS; i++)
        background_enqueue(one, NULL);
    background *two = pg_open_second(one);
    assert_int_equal(bb_dispatcher_start(one->dispatcher, NULL), BB_OK);
    assert_int_equal(bb_dispatcher_start(two->dispatcher, NULL), BB_OK);
    while (server_requests(one->receiver) < EVENTS)
        background_flush(one);
    background_flush(one);
    background_flush(two);
    assert_int_equal(one->counts[BB_NOTICE_DELIVERED] + two->counts[BB_NOTICE_DELIVERED], EVENTS);
    assert_int_equal(server_requests(one->receiver), EVENTS);
    pg_close_second(two);
    assert_int_equal(postgres_count("bb_delivery"), 0);
}

/* ------------------------------------------------------------------- crashes -- */

/* A process of its own that enqueues, drives, and is killed while answers are outstanding. */
static void deliver_until_killed(const char *url, int events) {
    bb_options options = BB_OPTIONS_INIT;
    bb_background_options settings = BB_BACKGROUND_OPTIONS_INIT;
    bb_webhook hook = BB_WEBHOOK_INIT;
    bb_dispatcher *dispatcher = NULL;
    settings.outbox = pg_open_outbox();
    options.background = &settings;
    options.insecure_allow_http = options.insecure_allow_private_addresses = 1;
    options.timeout_ms = BACKGROUND_ATTEMPT_MS;
    hook.id = hook.name = "hook";
    hook.type = BB_CUSTOM;
    hook.url = url;
    hook.activities = BB_ACTIVITY_ALL;
    bb_event event = BB_EVENT_INIT;
    event.activity = BB_ISSUE_CREATE;
    if (bb_dispatcher_new(&options, &dispatcher, NULL) != BB_OK ||
        bb_dispatcher_add(dispatcher, &hook, NULL) != BB_OK)
        _exit(1);
    for (int i = 0; i < events; i++)
        if (bb_webhook_enqueue(dispatcher, &event, NULL, NULL, NULL) != BB_OK)
            _exit(1);
    bb_dispatcher_flush(dispatcher, 60000, NULL);
    _exit(1); /* not reached: it is killed */
}

static void a_killed_process_loses_nothing(void **state) {
    enum { EVENTS = 30, IN_FLIGHT = 8 };
    static const server_step steps[] = {{.status = 200, .body = "{\"code\":0}"},
                                        {.status = 200, .body = "{\"code\":0}"},
                                        {.status = 200, .hold = 1, .body = "{\"code\":0}"}};
    background *b = *state;
    server_on(b->receiver, "/hook", steps, 3);
    const char *url = server_url(b->receiver, "/hook");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        deliver_until_killed(url, EVENTS);
    assert_true(server_wait_requests(b->receiver, 3, BACKGROUND_PATIENCE_MS));
    kill(child, SIGKILL);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    size_t before = server_requests(b->receiver);
    server_on(b->receiver, "/hook", steps, 1);
    server_release(b->receiver);
    pg_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    while (postgres_count("bb_delivery") + postgres_count("bb_event") > 0)
        background_flush(b);
    assert_int_equal(pg_different_ids(b->receiver), EVENTS);
    size_t again = server_requests(b->receiver) - EVENTS;
    assert_in_range(again, 1, IN_FLIGHT + 2); /* in flight, or answered and not written */
    assert_true(before >= again);
}

/* A process that slept beyond its lease: what it says then is not believed. */
static void a_result_after_the_lease_is_refused(void **state) {
    static const server_step steps[] = {{.status = 503, .hold = 1},
                                        {.status = 200, .body = "{\"code\":0}"}};
    background *slow = *state;
    pg_open_all(slow);
    background_script(slow, BB_CUSTOM, "hook", steps, 2);
    background_enqueue(slow, "one");
    while (server_requests(slow->receiver) == 0) /* and then it does not move any more */
        assert_int_equal(bb_dispatcher_run(slow->dispatcher, NULL), BB_OK);
    background *quick = pg_open_second(slow);
    assert_int_equal(bb_dispatcher_start(quick->dispatcher, NULL), BB_OK);
    background_wait_until(quick, BB_NOTICE_DELIVERED, 1);
    background_flush(quick);
    pg_close_second(quick);
    assert_int_equal(postgres_count("bb_delivery"), 0);
    server_release(slow->receiver);
    background_drive_until(slow, BB_NOTICE_RETRYING, 1); /* it believes so ... */
    pg_close_all(slow);
    assert_int_equal(postgres_count("bb_delivery"), 0); /* ... and nobody else does */
    assert_int_equal(server_requests(slow->receiver), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        PG_TEST(a_commit_sends_and_a_rollback_does_not),
        PG_TEST(a_commit_is_noticed_without_a_word),
        PG_TEST(a_connection_without_the_outbox_is_an_error),
        PG_TEST(where_tables_cannot_be_made_it_is_said),
        PG_TEST(the_hosts_encoding_does_not_matter),
        PG_TEST(a_connection_in_utf8_is_written_to_as_it_is),
        PG_TEST(an_outbox_in_memory_takes_no_transaction),
        PG_TEST(the_same_key_is_taken_once),
        PG_TEST(what_waits_is_delivered_by_the_next_process),
        PG_TEST(a_retry_goes_on_where_it_was),
        PG_TEST(what_waits_for_a_removed_webhook_waits_for_its_return),
        PG_TEST(two_share_the_work),
        PG_TEST(a_killed_process_loses_nothing),
        PG_TEST(a_result_after_the_lease_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
