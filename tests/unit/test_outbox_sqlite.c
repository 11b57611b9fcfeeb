/* The outbox in SQLite as hosts use it: transactions and restarts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/outbox.h"

/* ------------------------------------------------------------- transactions -- */

static void a_commit_sends_and_a_rollback_does_not(void **state) {
    background *b = *state;
    outbox_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    sqlite3 *db = outbox_open_host();
    outbox_run(db, "CREATE TABLE issue(id INTEGER PRIMARY KEY)");
    outbox_run(db, "BEGIN; INSERT INTO issue VALUES(1)");
    assert_int_equal(outbox_enqueue_on(b, db, "undone", NULL), BB_OK);
    outbox_run(db, "ROLLBACK");
    outbox_run(db, "BEGIN; INSERT INTO issue VALUES(2)");
    assert_int_equal(outbox_enqueue_on(b, db, "done", NULL), BB_OK);
    outbox_run(db, "COMMIT");
    sqlite3_close(db);
    assert_int_equal(bb_dispatcher_wake(b->dispatcher, NULL), BB_OK);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 1);
    assert_string_equal(background_told(b, BB_NOTICE_DELIVERED, 0)->event_id, "done");
    assert_int_equal(server_requests(b->receiver), 1);
    outbox_close_all(b);
    assert_int_equal(outbox_count("issue"), 1);
    assert_int_equal(outbox_count(OUTBOX_EVENTS), 0);
    assert_int_equal(outbox_count("bb_delivery"), 0);
}

/* Prepared once, and gone before the connection is. */
static void a_writer_enqueues_again_and_again(void **state) {
    background *b = *state;
    bb_sqlite_writer *writer = NULL;
    bb_event event = BB_EVENT_INIT;
    size_t deliveries = 0;
    outbox_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    sqlite3 *db = outbox_open_host();
    event.activity = BB_ISSUE_CREATE;
    assert_int_equal(bb_sqlite_writer_new(b->dispatcher, db, sqlite3_sourceid(), &writer, NULL),
                     BB_OK);
    for (int i = 0; i < 4; i++) {
        outbox_run(db, "BEGIN");
        assert_int_equal(bb_sqlite_writer_enqueue(writer, &event, NULL, &deliveries, NULL), BB_OK);
        assert_int_equal(deliveries, 1);
        outbox_run(db, i % 2 ? "COMMIT" : "ROLLBACK");
    }
    bb_sqlite_writer_free(writer);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(bb_dispatcher_wake(b->dispatcher, NULL), BB_OK);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 2);
}

/* Nobody tells the dispatcher: another connection's commit is noticed. */
static void a_commit_is_noticed_without_a_word(void **state) {
    background *b = *state;
    outbox_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    background_enqueue(b, "first");
    background_wait_until(b, BB_NOTICE_DELIVERED, 1);
    sqlite3 *db = outbox_open_host();
    assert_int_equal(outbox_enqueue_on(b, db, "second", NULL), BB_OK);
    sqlite3_close(db);
    background_wait_until(b, BB_NOTICE_DELIVERED, 2);
}

static void a_connection_without_the_outbox_is_an_error(void **state) {
    background *b = *state;
    bb_error error = BB_ERROR_INIT;
    sqlite3 *elsewhere = NULL;
    outbox_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    assert_int_equal(sqlite3_open(":memory:", &elsewhere), SQLITE_OK);
    assert_int_equal(outbox_enqueue_on(b, elsewhere, "lost", &error), BB_ERR_OUTBOX);
    assert_non_null(strstr(error.text, "has no outbox"));
    sqlite3_close(elsewhere);
}

static void another_copy_of_sqlite_is_refused(void **state) {
    background *b = *state;
    bb_error error = BB_ERROR_INIT;
    bb_event event = BB_EVENT_INIT;
    outbox_open_all(b);
    sqlite3 *db = outbox_open_host();
    assert_int_equal(
        bb_sqlite_enqueue(b->dispatcher, db, "2001-01-01 another", &event, NULL, NULL, &error),
        BB_ERR_ARGUMENT);
    assert_non_null(strstr(error.text, "two copies of SQLite"));
    sqlite3_close(db);
}

static void an_outbox_in_memory_takes_no_transaction(void **state) {
    background *b = *state;
    bb_error error = BB_ERROR_INIT;
    background_open(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    bb_outbox_free(outbox_open()); /* there are tables, but not of this dispatcher */
    sqlite3 *db = outbox_open_host();
    assert_int_equal(outbox_enqueue_on(b, db, "one", &error), BB_ERR_ARGUMENT);
    assert_non_null(strstr(error.text, "no outbox that keeps events"));
    sqlite3_close(db);
}

static void the_same_key_is_taken_once(void **state) {
    background *b = *state;
    bb_event event = BB_EVENT_INIT;
    bb_enqueue_options options = BB_ENQUEUE_OPTIONS_INIT;
    outbox_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    event.activity = BB_ISSUE_CREATE;
    options.key = "order 66";
    for (int i = 0; i < 3; i++)
        assert_int_equal(bb_webhook_enqueue(b->dispatcher, &event, &options, NULL, NULL), BB_OK);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 1);
}

static int flush_at_once(background *b, bb_error *error) {
    int64_t began = server_now_ms();
    int code = bb_dispatcher_flush(b->dispatcher, BACKGROUND_PATIENCE_MS, error);
    assert_true(server_now_ms() - began < BACKGROUND_PATIENCE_MS / 2);
    return code;
}

/* Nothing can be settled while the host has the right to write. */
static void flushing_within_the_own_transaction_is_an_error_at_once(void **state) {
    background *b = *state;
    bb_error error = BB_ERROR_INIT;
    outbox_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    sqlite3 *db = outbox_open_host(), *other = outbox_open_host();
    for (size_t i = 0; i < 2; i++) { /* driven by the call, then by a thread */
        background_enqueue(b, "before");
        outbox_run(db, "BEGIN");
        assert_int_equal(outbox_enqueue_on(b, db, "one", NULL), BB_OK);
        assert_int_equal(flush_at_once(b, &error), BB_ERR_BUSY);
        assert_non_null(strstr(error.text, "transaction"));
        outbox_run(db, "SAVEPOINT part");
        assert_int_equal(outbox_enqueue_on(b, db, "two", NULL), BB_OK);
        outbox_run(db, "ROLLBACK TO part");
        assert_int_equal(flush_at_once(b, &error), BB_ERR_BUSY);
        outbox_run(db, i == 0 ? "COMMIT" : "ROLLBACK");
        background_flush(b);
        assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 2 + i);
        assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), i == 0 ? BB_OK : BB_ERR_BUSY);
    }
    outbox_run(db, "BEGIN");
    assert_int_equal(outbox_enqueue_on(b, db, "three", NULL), BB_OK);
    outbox_run(db, "COMMIT");
    outbox_run(other, "BEGIN IMMEDIATE"); /* somebody else's transaction is waited for */
    assert_int_equal(bb_dispatcher_wake(b->dispatcher, NULL), BB_OK);
    assert_int_equal(bb_dispatcher_flush(b->dispatcher, 300, &error), BB_ERR_TIMEOUT);
    outbox_run(other, "COMMIT");
    background_flush(b);
    sqlite3_close(other);
    sqlite3_close(db);
}

/* ------------------------------------------------------------------ restart -- */

static void what_waits_is_delivered_by_the_next_process(void **state) {
    background *b = *state;
    outbox_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    for (int i = 0; i < 20; i++)
        background_enqueue(b, NULL);
    outbox_close_all(b);
    assert_int_equal(server_requests(b->receiver), 0);
    outbox_open_all(b);
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
    outbox_open_all(b);
    background_script(b, BB_CUSTOM, "hook", steps, 2);
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_RETRYING, 1);
    outbox_close_all(b);
    outbox_open_all(b);
    outbox_add_hook_at(b, b->receiver);
    background_drive_until(b, BB_NOTICE_DELIVERED, 1);
    const told *delivered = background_told(b, BB_NOTICE_DELIVERED, 0);
    assert_int_equal(delivered->attempt, 2);
    assert_string_equal(delivered->delivery_id,
                        background_told(b, BB_NOTICE_RETRYING, 0)->delivery_id);
}

static void what_waits_for_a_removed_webhook_waits_for_its_return(void **state) {
    background *b = *state;
    outbox_open_all(b);
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

/* Its old queue is still open then, and closed later. */
static void a_webhook_that_comes_back_in_mid_flight_goes_on(void **state) {
    static const server_step steps[] = {{.status = 200, .hold = 1, .body = "{\"code\":0}"}};
    background *b = *state;
    outbox_open_all(b);
    background_script(b, BB_CUSTOM, "hook", steps, 1);
    background_enqueue(b, "one");
    while (server_requests(b->receiver) == 0)
        assert_int_equal(bb_dispatcher_run(b->dispatcher, NULL), BB_OK);
    assert_int_equal(bb_dispatcher_remove(b->dispatcher, "hook", NULL), BB_OK);
    background_add_healthy(b, BB_CUSTOM, "hook");
    background_enqueue(b, "two");
    background_drive_until(b, BB_NOTICE_DELIVERED, 1);
    server_release(b->receiver);
    background_flush(b);
    background_enqueue(b, "three");
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 3);
    assert_int_equal(background_stats(b, NULL).waiting, 0);
}

/* An attempt is under way that will fail, and its webhook was removed. */
static void fail_while_it_is_removed(background *b, bb_order order) {
    static const server_step steps[] = {{.status = 503, .hold = 1},
                                        {.status = 200, .body = "{\"code\":0}"}};
    static const uint32_t delays[] = {1};
    b->options.retry_delays_ms = delays;
    b->options.retry_delay_count = 1;
    outbox_open_all(b);
    bb_webhook hook = background_hook(b, BB_CUSTOM, "hook", steps, 2);
    hook.order = order;
    background_add(b, &hook);
    background_enqueue(b, "one");
    while (server_requests(b->receiver) == 0)
        assert_int_equal(bb_dispatcher_run(b->dispatcher, NULL), BB_OK);
    assert_int_equal(bb_dispatcher_remove(b->dispatcher, "hook", NULL), BB_OK);
}

static void what_fails_after_its_webhook_was_removed_waits_for_its_return(void **state) {
    background *b = *state;
    fail_while_it_is_removed(b, (bb_order)0);
    server_release(b->receiver);
    background_drive_until(b, BB_NOTICE_RETRYING, 1);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DEAD], 0);
    outbox_add_hook_at(b, b->receiver);
    background_drive_until(b, BB_NOTICE_DELIVERED, 1);
}

/* Nobody else writes, so that nothing but the old one's end tells of it. */
static void what_fails_after_its_webhook_has_come_back_is_tried_again(void **state) {
    background *b = *state;
    fail_while_it_is_removed(b, BB_ORDER_WEBHOOK);
    bb_webhook hook = posting_hook(BB_CUSTOM, "hook", server_url(b->receiver, "/hook"));
    hook.order = BB_ORDER_WEBHOOK;
    background_add(b, &hook);
    background_enqueue(b, "two");
    background_stats(b, NULL); /* who counts makes it a delivery */
    server_release(b->receiver);
    background_drive_until(b, BB_NOTICE_DELIVERED, 2);
    assert_string_equal(background_told(b, BB_NOTICE_DELIVERED, 0)->event_id, "one");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        OUTBOX_TEST(a_commit_sends_and_a_rollback_does_not),
        OUTBOX_TEST(a_writer_enqueues_again_and_again),
        OUTBOX_TEST(a_commit_is_noticed_without_a_word),
        OUTBOX_TEST(a_connection_without_the_outbox_is_an_error),
        OUTBOX_TEST(another_copy_of_sqlite_is_refused),
        OUTBOX_TEST(an_outbox_in_memory_takes_no_transaction),
        OUTBOX_TEST(the_same_key_is_taken_once),
        OUTBOX_TEST(flushing_within_the_own_transaction_is_an_error_at_once),
        OUTBOX_TEST(what_waits_is_delivered_by_the_next_process),
        OUTBOX_TEST(a_retry_goes_on_where_it_was),
        OUTBOX_TEST(what_waits_for_a_removed_webhook_waits_for_its_return),
        OUTBOX_TEST(a_webhook_that_comes_back_in_mid_flight_goes_on),
        OUTBOX_TEST(what_fails_after_its_webhook_was_removed_waits_for_its_return),
        OUTBOX_TEST(what_fails_after_its_webhook_has_come_back_is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
