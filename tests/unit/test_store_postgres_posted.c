/* What was settled is posted to PostgreSQL, and its answer is not waited for while there is
 * something to send: whatever becomes of it, in the end it is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "driver/store_leases.h"
#include "driver/store_postgres.h"
#include "support/alloc.h"
#include "support/postgres.h"
#include "support/store_contract.h"

enum { WAITING = 4, DUE_MS = 1000, POSTED_MS = DUE_MS + BB_LEASES_WRITE_MS };

static PGconn *host;
static struct bb_queue *queue;
static unsigned troubles;

static void note_trouble(void *user, const char *text) {
    (void)user, (void)text;
    troubles++;
}

static void put(size_t number) {
    char id[32];
    bb_event event = BB_EVENT_INIT;
    event.activity = BB_ISSUE_CREATE;
    snprintf(id, sizeof(id), "event %zu", number);
    event.id = id;
    const struct bb_put one = {queue, 0};
    assert_int_equal(store_put_event(store, &event, &one, 1, 1, DUE_MS), BB_OK);
}

static int begin(void **state) {
    (void)state;
    const struct bb_store_postgres_config config = {.mem = *alloc_library(), .lease_ms = 300000};
    const struct bb_store_host dispatcher = {.trouble = note_trouble};
    bb_error error = BB_ERROR_INIT;
    if (bb_store_postgres_open(&config, postgres_fresh(), &store, &error) != BB_OK)
        fail_msg("%s", error.text);
    host = postgres_connect();
    assert_int_equal(store->vtable->attach(store, &dispatcher), BB_OK);
    queue = store->vtable->open(store, "room", NULL);
    for (size_t i = 0; i < WAITING; i++)
        put(i);
    troubles = 0;
    return 0;
}

static int end(void **state) {
    (void)state;
    if (store)
        store->vtable->free(store);
    store = NULL;
    PQfinish(host);
    return 0;
}

static struct bb_delivery *must_claim(int64_t now_ms) {
    struct bb_delivery *delivery = store->vtable->claim(store, queue, now_ms);
    assert_non_null(delivery);
    return delivery;
}

static long long rows(void) {
    return postgres_run(host, "SELECT count(*) FROM bb_delivery");
}

/* One has ended, one is under way, the others are in memory; nobody can write the first one's end
 * while the host has its row. */
static struct bb_delivery *settle_one_that_is_locked(void) {
    assert_ptr_equal(store->vtable->take(store, DUE_MS), queue);
    struct bb_delivery *first = must_claim(DUE_MS), *second = must_claim(DUE_MS);
    postgres_run(host, "BEGIN");
    postgres_run(host, "SELECT number FROM bb_delivery ORDER BY number LIMIT 1 FOR UPDATE");
    store_settle(first);
    store->vtable->give(store, queue, 0);
    assert_ptr_equal(store->vtable->take(store, POSTED_MS), queue);
    return second;
}

static void wait_until_it_is_blocked(void) {
    while (postgres_run(host, "SELECT count(*) FROM pg_stat_activity"
                              " WHERE wait_event_type = 'Lock' AND application_name = 'bb_webhook'"
                              " AND datname = current_database()") == 0)
        postgres_run(host, "SELECT pg_stat_clear_snapshot()");
}

static void cut(void) {
    postgres_run(host, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                       " WHERE wait_event_type = 'Lock' AND datname = current_database()");
}

static void a_server_that_is_slow_to_write_holds_up_nothing(void **state) {
    (void)state;
    struct bb_delivery *claimed[WAITING] = {NULL, settle_one_that_is_locked()};
    wait_until_it_is_blocked();
    for (size_t i = 2; i < WAITING; i++)
        claimed[i] = must_claim(POSTED_MS);
    assert_int_equal(rows(), WAITING);
    assert_true(store->vtable->owes(store, POSTED_MS));
    postgres_run(host, "COMMIT");
    store_must_count(0, WAITING - 1);
    assert_int_equal(rows(), WAITING - 1);
    assert_int_equal(troubles, 0);
    for (size_t i = 1; i < WAITING; i++)
        store_settle(claimed[i]);
}

static void what_a_lost_connection_has_not_written_is_written_again(void **state) {
    (void)state;
    store_settle(settle_one_that_is_locked());
    wait_until_it_is_blocked();
    cut();
    postgres_run(host, "COMMIT");
    assert_int_equal(rows(), WAITING);
    for (int64_t now_ms = POSTED_MS; rows() == WAITING; now_ms += BB_LEASES_WRITE_MS)
        store->vtable->take(store, now_ms);
    assert_int_equal(rows(), WAITING - 2);
    assert_int_equal(troubles, 1);
    store_must_count(WAITING - 2, 0);
}

/* The look for what is new posts, and the count is a question to the same server. */
static void what_is_counted_is_not_mixed_up_with_what_was_posted(void **state) {
    (void)state;
    struct bb_delivery *second = settle_one_that_is_locked();
    postgres_run(host, "COMMIT");
    store_must_count(WAITING - 2, 1);
    store_settle(must_claim(POSTED_MS));
    put(WAITING);
    store_must_count(WAITING - 2, 1);
    store_settle(second);
    store->vtable->give(store, queue, 0);
    assert_ptr_equal(store->vtable->take(store, POSTED_MS + BB_LEASES_WRITE_MS), queue);
    store_must_count(WAITING - 2, 0);
    assert_int_equal(rows(), WAITING - 2);
    assert_int_equal(troubles, 0);
}

/* As if there were always something to send. */
static void what_others_enqueue_is_seen_while_there_is_something_to_send(void **state) {
    enum { LATER_MS = DUE_MS + 2000 };
    (void)state;
    assert_ptr_equal(store->vtable->take(store, DUE_MS), queue);
    postgres_run(host, "INSERT INTO bb_event(json, webhooks, order_keys)"
                       " SELECT json, '{room}', '{0}' FROM bb_event LIMIT 1");
    store->vtable->give(store, queue, 0);
    assert_ptr_equal(store->vtable->take(store, LATER_MS), queue);
    assert_int_equal(postgres_run(host, "SELECT count(*) FROM bb_event WHERE open IS NULL"), 0);
}

static void a_store_that_is_closed_asks_a_server_that_it_has_lost_once_more(void **state) {
    (void)state;
    store_settle(settle_one_that_is_locked());
    wait_until_it_is_blocked();
    cut();
    postgres_run(host, "COMMIT");
    store->vtable->free(store);
    store = NULL;
    assert_int_equal(rows(), WAITING - 2);
    assert_int_equal(postgres_run(host, "SELECT count(*) FROM bb_delivery WHERE lease = 0"), 2);
}

static void what_was_posted_is_written_before_a_store_is_closed(void **state) {
    (void)state;
    struct bb_delivery *second = settle_one_that_is_locked();
    postgres_run(host, "COMMIT");
    store_settle(second);
    store->vtable->free(store);
    store = NULL;
    assert_int_equal(rows(), WAITING - 2);
    assert_int_equal(postgres_run(host, "SELECT count(*) FROM bb_delivery WHERE lease = 0"), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_server_that_is_slow_to_write_holds_up_nothing, begin,
                                        end),
        cmocka_unit_test_setup_teardown(what_a_lost_connection_has_not_written_is_written_again,
                                        begin, end),
        cmocka_unit_test_setup_teardown(what_is_counted_is_not_mixed_up_with_what_was_posted, begin,
                                        end),
        cmocka_unit_test_setup_teardown(
            what_others_enqueue_is_seen_while_there_is_something_to_send, begin, end),
        cmocka_unit_test_setup_teardown(
            a_store_that_is_closed_asks_a_server_that_it_has_lost_once_more, begin, end),
        cmocka_unit_test_setup_teardown(what_was_posted_is_written_before_a_store_is_closed, begin,
                                        end),
    };
    return cmocka_run_group_tests_name("posted to PostgreSQL", tests, NULL, NULL);
}
