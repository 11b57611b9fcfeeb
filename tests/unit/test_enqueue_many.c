/* Many events in one call: together or not at all, on every store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/outbox.h"
#include "support/outbox_postgres.h"

enum { MANY = 300 };

static void (*open_all)(background *b); /* of the store of this test */

static int memory_setup(void **state) {
    open_all = background_open;
    return background_setup(state);
}

static int sqlite_setup(void **state) {
    open_all = outbox_open_all;
    return outbox_setup(state);
}

static int postgres_setup(void **state) {
    open_all = pg_open_all;
    return pg_setup(state);
}

/* ---- events, known by their numbers ---- */

static bb_event events[MANY];
static const bb_event *pointers[MANY];
static char ids[MANY][32];

static const bb_event *const *make_events(size_t count) {
    for (size_t i = 0; i < count; i++) {
        snprintf(ids[i], sizeof ids[i], "event-%zu", i);
        events[i] = (bb_event)BB_EVENT_INIT;
        events[i].activity = BB_ISSUE_CREATE;
        events[i].id = ids[i];
        events[i].title = "a \"quoted\" {title}, with \\ and \xE4\xB8\xAD";
        pointers[i] = &events[i];
    }
    return pointers;
}

static void add_in_order(background *b) {
    server_step yes = posting_success(BB_CUSTOM);
    bb_webhook hook = background_hook(b, BB_CUSTOM, "hook", &yes, 1);
    hook.order = BB_ORDER_WEBHOOK;
    background_add(b, &hook);
}

static int enqueue(background *b, size_t count, const char *const *keys, size_t *deliveries,
                   bb_error *error) {
    bb_enqueue_options options = BB_ENQUEUE_OPTIONS_INIT;
    options.keys = keys;
    return bb_webhook_enqueue_many(b->dispatcher, make_events(count), count, &options, deliveries,
                                   error);
}

static void must_be_delivered(background *b, size_t index, const char *id) {
    assert_string_equal(background_told(b, BB_NOTICE_DELIVERED, index)->event_id, id);
}

/* ---- on every store ---- */

static void they_go_out_in_their_order(void **state) {
    background *b = *state;
    size_t deliveries = 0;
    open_all(b);
    add_in_order(b);
    assert_int_equal(enqueue(b, MANY, NULL, &deliveries, NULL), BB_OK);
    assert_int_equal(deliveries, MANY);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], MANY);
    for (size_t i = 0; i < MANY; i++)
        must_be_delivered(b, i, ids[i]);
    assert_non_null(strstr(server_request_at(b->receiver, MANY - 1)->body,
                           "a \\\"quoted\\\" {title}, with \\\\ and \xE4\xB8\xAD"));
    assert_int_equal(background_stats(b, NULL).enqueued, MANY);
    background_check_books(b);
}

static void one_that_is_wrong_keeps_all_of_them_out(void **state) {
    background *b = *state;
    bb_error error = BB_ERROR_INIT;
    open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    make_events(3);
    events[2].activity = (bb_activity)99;
    assert_int_equal(bb_webhook_enqueue_many(b->dispatcher, pointers, 3, NULL, NULL, &error),
                     BB_ERR_EVENT);
    assert_non_null(strstr(error.text, "events[2]: event.activity"));
    pointers[1] = NULL;
    assert_int_equal(bb_webhook_enqueue_many(b->dispatcher, pointers, 3, NULL, NULL, &error),
                     BB_ERR_ARGUMENT);
    assert_non_null(strstr(error.text, "events[1]: event is NULL"));
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 0);
}

static void each_goes_to_those_who_want_it(void **state) {
    background *b = *state;
    size_t deliveries = 0;
    open_all(b);
    server_step yes = posting_success(BB_CUSTOM);
    bb_webhook comments = background_hook(b, BB_CUSTOM, "comments", &yes, 1);
    comments.activities = BB_ISSUE_COMMENT_CREATE;
    background_add(b, &comments);
    assert_int_equal(enqueue(b, 3, NULL, &deliveries, NULL), BB_OK);
    assert_int_equal(deliveries, 0);
    make_events(3);
    events[1].activity = BB_ISSUE_COMMENT_CREATE;
    assert_int_equal(bb_webhook_enqueue_many(b->dispatcher, pointers, 3, NULL, &deliveries, NULL),
                     BB_OK);
    assert_int_equal(deliveries, 1);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 1);
    must_be_delivered(b, 0, "event-1");
}

static void wrong_arguments_are_refused(void **state) {
    background *b = *state;
    bb_error error = BB_ERROR_INIT;
    bb_enqueue_options options = BB_ENQUEUE_OPTIONS_INIT;
    const char *const keys[] = {"a"};
    open_all(b);
    assert_int_equal(bb_webhook_enqueue_many(b->dispatcher, NULL, 0, NULL, NULL, &error), BB_OK);
    assert_int_equal(bb_webhook_enqueue_many(b->dispatcher, NULL, 1, NULL, NULL, &error),
                     BB_ERR_ARGUMENT);
    options.key = "all of them?";
    assert_int_equal(
        bb_webhook_enqueue_many(b->dispatcher, make_events(1), 1, &options, NULL, &error),
        BB_ERR_ARGUMENT);
    assert_non_null(strstr(error.text, "keys"));
    options.key = NULL;
    options.keys = keys;
    assert_int_equal(bb_webhook_enqueue(b->dispatcher, &events[0], &options, NULL, &error),
                     BB_ERR_ARGUMENT);
    assert_non_null(strstr(error.text, "keys"));
}

/* ---- in memory ---- */

static void beyond_the_limit_none_is_taken(void **state) {
    background *b = *state;
    bb_error error = BB_ERROR_INIT;
    b->options.max_waiting = 10;
    open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    assert_int_equal(enqueue(b, 11, NULL, NULL, &error), BB_ERR_FULL);
    assert_non_null(strstr(error.text, "11 deliveries were not taken"));
    assert_int_equal(background_stats(b, NULL).refused, 11);
    assert_int_equal(background_stats(b, NULL).waiting, 0);
    assert_int_equal(enqueue(b, 10, NULL, NULL, &error), BB_OK);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 10);
    background_check_books(b);
}

static void older_ones_make_room_for_all_of_them(void **state) {
    background *b = *state;
    b->options.max_waiting = 10;
    b->options.when_full = BB_FULL_DROP_OLDEST;
    open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    assert_int_equal(enqueue(b, 7, NULL, NULL, NULL), BB_OK);
    assert_int_equal(enqueue(b, 10, NULL, NULL, NULL), BB_OK);
    assert_int_equal(background_stats(b, NULL).dropped, 7);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 10);
    background_check_books(b);
}

static void memory_keeps_no_keys(void **state) {
    background *b = *state;
    bb_error error = BB_ERROR_INIT;
    const char *const keys[] = {NULL, "a"};
    open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    assert_int_equal(enqueue(b, 2, keys, NULL, &error), BB_ERR_ARGUMENT);
    assert_int_equal(background_stats(b, NULL).waiting, 0);
}

/* ---- where events are kept ---- */

static void one_whose_key_is_taken_is_left_out(void **state) {
    background *b = *state;
    const char *const first[] = {"a", NULL, "b"}, *const second[] = {"b", "c", NULL, "c"};
    open_all(b);
    add_in_order(b);
    assert_int_equal(enqueue(b, 3, first, NULL, NULL), BB_OK);
    assert_int_equal(enqueue(b, 4, second, NULL, NULL), BB_OK);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 5);
    must_be_delivered(b, 3, "event-1");
    must_be_delivered(b, 4, "event-2");
}

static void those_left_out_are_not_counted(void **state) {
    background *b = *state;
    const char *const keys[] = {"a", "b", "a", NULL, NULL, "a", "c"};
    size_t deliveries = 0;
    open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    assert_int_equal(enqueue(b, 7, keys, &deliveries, NULL), BB_OK);
    assert_int_equal(deliveries, 5);
    assert_int_equal(background_stats(b, NULL).enqueued, 5);
    assert_int_equal(enqueue(b, 4, keys, &deliveries, NULL), BB_OK);
    assert_int_equal(deliveries, 1);
}

#define MEMORY(test) cmocka_unit_test_setup_teardown(test, memory_setup, background_teardown)
#define SQLITE(test) cmocka_unit_test_setup_teardown(test, sqlite_setup, outbox_teardown)
#define POSTGRES(test) cmocka_unit_test_setup_teardown(test, postgres_setup, pg_teardown)
#define ON_EVERY_STORE(test) MEMORY(test), SQLITE(test), POSTGRES(test)

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_EVERY_STORE(they_go_out_in_their_order),
        ON_EVERY_STORE(one_that_is_wrong_keeps_all_of_them_out),
        ON_EVERY_STORE(each_goes_to_those_who_want_it),
        ON_EVERY_STORE(wrong_arguments_are_refused),
        MEMORY(beyond_the_limit_none_is_taken),
        MEMORY(older_ones_make_room_for_all_of_them),
        MEMORY(memory_keeps_no_keys),
        SQLITE(one_whose_key_is_taken_is_left_out),
        POSTGRES(one_whose_key_is_taken_is_left_out),
        SQLITE(those_left_out_are_not_counted),
        POSTGRES(those_left_out_are_not_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
