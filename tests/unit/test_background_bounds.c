/* The outbox is bounded: what happens when it is full, in deliveries and in bytes, and that its
 * books balance all the time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/background.h"

#define BACKGROUND_TEST(function)                                                                  \
    cmocka_unit_test_setup_teardown(function, background_setup, background_teardown)

static int try_to_enqueue(background *b, const char *id, const char *comment, bb_error *error) {
    bb_event event = *posting_event();
    size_t deliveries = 99;
    event.id = id;
    if (comment != NULL)
        event.comment = comment;
    int code = bb_webhook_enqueue(b->dispatcher, &event, NULL, &deliveries, error);
    if (code != BB_OK)
        assert_int_equal(deliveries, 0);
    background_check_books(b);
    return code;
}

static void open_with_room(background *b, uint32_t max_waiting, bb_when_full when_full) {
    b->options.max_waiting = max_waiting;
    b->options.when_full = when_full;
    background_open(b);
}

/* Drives until the receiver, which holds them, has so many requests. */
static void drive_until_held(background *b, size_t requests) {
    while (!server_wait_requests(b->receiver, requests, 1))
        assert_int_equal(bb_dispatcher_run(b->dispatcher, NULL), BB_OK);
}

static void add_holding(background *b, const char *id) {
    server_step held = posting_success(BB_CUSTOM);
    held.hold = 1;
    background_script(b, BB_CUSTOM, id, &held, 1);
}

/* ----------------------------------------------------------------- refused -- */

static void a_full_outbox_refuses_and_tells(void **state) {
    background *b = *state;
    bb_error error = BB_ERROR_INIT;
    open_with_room(b, 3, 0);
    background_add_healthy(b, BB_CUSTOM, "hook");
    for (int i = 0; i < 3; i++)
        assert_int_equal(try_to_enqueue(b, NULL, NULL, NULL), BB_OK);
    assert_int_equal(try_to_enqueue(b, NULL, NULL, &error), BB_ERR_FULL);
    assert_non_null(strstr(error.text, "full"));
    assert_int_equal(try_to_enqueue(b, NULL, NULL, NULL), BB_ERR_FULL);
    assert_int_equal(background_stats(b, NULL).refused, 2);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 3);
    assert_int_equal(b->counts[BB_NOTICE_FULL], 1);
    assert_int_equal(background_told(b, BB_NOTICE_FULL, 0)->count, 2);
    assert_string_equal(background_told(b, BB_NOTICE_FULL, 0)->webhook_id, "");
    assert_int_equal(try_to_enqueue(b, NULL, NULL, NULL), BB_OK);
    background_flush(b);
    background_check_books(b);
}

static void an_event_is_taken_for_all_its_webhooks_or_for_none(void **state) {
    background *b = *state;
    open_with_room(b, 3, 0);
    background_add_healthy(b, BB_CUSTOM, "first");
    background_add_healthy(b, BB_SLACK, "second");
    assert_int_equal(try_to_enqueue(b, "one", NULL, NULL), BB_OK);
    assert_int_equal(try_to_enqueue(b, "two", NULL, NULL), BB_ERR_FULL);
    assert_int_equal(background_stats(b, NULL).waiting, 2);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 2);
    background_check_books(b);
}

static void what_is_in_flight_takes_room_too(void **state) {
    background *b = *state;
    open_with_room(b, 1, 0);
    add_holding(b, "hook");
    assert_int_equal(try_to_enqueue(b, "one", NULL, NULL), BB_OK);
    drive_until_held(b, 1);
    assert_int_equal(try_to_enqueue(b, "two", NULL, NULL), BB_ERR_FULL);
    server_release(b->receiver);
    background_flush(b);
    assert_int_equal(try_to_enqueue(b, "three", NULL, NULL), BB_OK);
    background_flush(b);
    background_check_books(b);
}

/* ----------------------------------------------------------------- dropped -- */

static void the_oldest_are_dropped_and_told(void **state) {
    background *b = *state;
    open_with_room(b, 3, BB_FULL_DROP_OLDEST);
    background_add_healthy(b, BB_CUSTOM, "hook");
    static const char *const ids[] = {"1", "2", "3", "4", "5"};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(try_to_enqueue(b, ids[i], NULL, NULL), BB_OK);
    assert_int_equal(background_stats(b, NULL).dropped, 2);
    assert_int_equal(background_stats(b, "hook").dropped, 2);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DROPPED], 1);
    assert_int_equal(background_told(b, BB_NOTICE_DROPPED, 0)->count, 2);
    assert_string_equal(background_told(b, BB_NOTICE_DROPPED, 0)->webhook_id, "hook");
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(background_told(b, BB_NOTICE_DELIVERED, i)->event_id, ids[i + 2]);
    background_check_books(b);
}

static void each_webhook_is_told_of_its_own_losses(void **state) {
    background *b = *state;
    open_with_room(b, 4, BB_FULL_DROP_OLDEST);
    background_add_healthy(b, BB_CUSTOM, "first");
    assert_int_equal(try_to_enqueue(b, "1", NULL, NULL), BB_OK);
    background_add_healthy(b, BB_CUSTOM, "second");
    for (int i = 0; i < 3; i++)
        assert_int_equal(try_to_enqueue(b, NULL, NULL, NULL), BB_OK);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DROPPED], 2);
    assert_int_equal(background_told(b, BB_NOTICE_DROPPED, 0)->count, 2);
    assert_int_equal(background_told(b, BB_NOTICE_DROPPED, 1)->count, 1);
    background_check_books(b);
}

/* What waits behind a dropped one in its order goes on. */
static void an_order_survives_a_drop(void **state) {
    background *b = *state;
    server_step yes = posting_success(BB_CUSTOM);
    open_with_room(b, 2, BB_FULL_DROP_OLDEST);
    bb_webhook hook = background_hook(b, BB_CUSTOM, "hook", &yes, 1);
    hook.order = BB_ORDER_WEBHOOK;
    background_add(b, &hook);
    for (int i = 0; i < 6; i++)
        assert_int_equal(try_to_enqueue(b, NULL, NULL, NULL), BB_OK);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 2);
    assert_int_equal(background_stats(b, NULL).dropped, 4);
    background_check_books(b);
}

static void what_is_in_flight_is_not_dropped(void **state) {
    background *b = *state;
    open_with_room(b, 2, BB_FULL_DROP_OLDEST);
    add_holding(b, "hook");
    assert_int_equal(try_to_enqueue(b, "held", NULL, NULL), BB_OK);
    drive_until_held(b, 1);
    assert_int_equal(try_to_enqueue(b, "dropped", NULL, NULL), BB_OK);
    assert_int_equal(try_to_enqueue(b, "kept", NULL, NULL), BB_OK);
    server_release(b->receiver);
    background_flush(b);
    assert_string_equal(background_told(b, BB_NOTICE_DELIVERED, 0)->event_id, "held");
    assert_string_equal(background_told(b, BB_NOTICE_DELIVERED, 1)->event_id, "kept");
    background_check_books(b);
}

static void nothing_is_dropped_for_an_event_that_finds_no_room_even_then(void **state) {
    background *b = *state;
    open_with_room(b, 2, BB_FULL_DROP_OLDEST);
    add_holding(b, "first");
    assert_int_equal(try_to_enqueue(b, "held", NULL, NULL), BB_OK);
    drive_until_held(b, 1);
    assert_int_equal(try_to_enqueue(b, "waiting", NULL, NULL), BB_OK);
    background_add_healthy(b, BB_CUSTOM, "second");
    assert_int_equal(try_to_enqueue(b, "of two", NULL, NULL), BB_ERR_FULL);
    assert_int_equal(background_stats(b, NULL).dropped, 0);
    assert_int_equal(background_stats(b, NULL).waiting, 1);
    server_release(b->receiver);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 2);
    background_check_books(b);
}

/* ------------------------------------------------------------------- bytes -- */

static size_t fill(background *b, size_t most) {
    size_t taken = 0;
    while (taken < most && try_to_enqueue(b, NULL, NULL, NULL) == BB_OK) {
        taken++;
        assert_true(background_stats(b, NULL).waiting_bytes <= b->options.max_waiting_bytes);
    }
    return taken;
}

static void bytes_are_bounded_too(void **state) {
    background *b = *state;
    b->options.max_waiting_bytes = 16 * 1024;
    background_open(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    size_t taken = fill(b, 1000);
    assert_in_range(taken, 4, 64);
    background_flush(b);
    assert_int_equal(background_stats(b, NULL).waiting_bytes, 0);
    assert_int_equal(fill(b, 1000), taken);
    background_flush(b);
    background_check_books(b);
}

static void an_event_counts_once_for_all_its_webhooks(void **state) {
    background *b = *state;
    char comment[8 * 1024];
    memset(comment, 'x', sizeof comment);
    comment[sizeof comment - 1] = '\0';
    b->options.max_waiting_bytes = 16 * 1024;
    background_open(b);
    for (int i = 0; i < 5; i++) {
        char id[16];
        snprintf(id, sizeof id, "hook%d", i);
        background_add_healthy(b, BB_CUSTOM, id);
    }
    assert_int_equal(try_to_enqueue(b, "one", comment, NULL), BB_OK);
    background_flush(b);
    assert_int_equal(background_stats(b, NULL).waiting_bytes, 0);
    background_check_books(b);
}

static void one_that_is_too_large_is_refused_and_drops_nothing(void **state) {
    background *b = *state;
    char *comment = malloc(64 * 1024);
    assert_non_null(comment);
    memset(comment, 'x', 64 * 1024);
    comment[64 * 1024 - 1] = '\0';
    b->options.max_waiting_bytes = 16 * 1024;
    open_with_room(b, 10, BB_FULL_DROP_OLDEST);
    background_add_healthy(b, BB_CUSTOM, "hook");
    assert_int_equal(try_to_enqueue(b, "one", NULL, NULL), BB_OK);
    assert_int_equal(try_to_enqueue(b, "large", comment, NULL), BB_ERR_FULL);
    free(comment);
    background_flush(b);
    assert_int_equal(background_stats(b, NULL).dropped, 0);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 1);
    background_check_books(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BACKGROUND_TEST(a_full_outbox_refuses_and_tells),
        BACKGROUND_TEST(an_event_is_taken_for_all_its_webhooks_or_for_none),
        BACKGROUND_TEST(what_is_in_flight_takes_room_too),
        BACKGROUND_TEST(the_oldest_are_dropped_and_told),
        BACKGROUND_TEST(each_webhook_is_told_of_its_own_losses),
        BACKGROUND_TEST(an_order_survives_a_drop),
        BACKGROUND_TEST(what_is_in_flight_is_not_dropped),
        BACKGROUND_TEST(nothing_is_dropped_for_an_event_that_finds_no_room_even_then),
        BACKGROUND_TEST(bytes_are_bounded_too),
        BACKGROUND_TEST(an_event_counts_once_for_all_its_webhooks),
        BACKGROUND_TEST(one_that_is_too_large_is_refused_and_drops_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
