/* What waits for what: by default nothing; with BB_ORDER_ISSUE and BB_ORDER_WEBHOOK a later event
 * for an earlier one, also while that is tried again. */
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

static const int64_t start_ms = INT64_C(1700000000000);

static void add_hook(background *b, bb_order order, server_step first) {
    server_step steps[] = {first, posting_success(BB_CUSTOM)};
    bb_webhook hook = background_hook(b, BB_CUSTOM, "hook", steps, 2);
    hook.order = order;
    background_add(b, &hook);
}

static void deliver_three(background *b, bb_order order, server_step first, size_t delivered) {
    b->clock_ms = start_ms;
    b->options.no_jitter = 1;
    background_open(b);
    add_hook(b, order, first);
    background_enqueue_issue(b, "first", 1);
    background_enqueue_issue(b, "second", 1);
    background_enqueue_issue(b, "other", 2);
    assert_true(background_pass_time(b, BB_NOTICE_DELIVERED, delivered, INT64_MAX));
    background_check_books(b);
}

/* What was told, as "first second"; those that are tried again in brackets. */
static void assert_told(background *b, const char *expected) {
    char all[200] = "";
    for (size_t i = 0; i < b->count; i++) {
        const told *t = &b->tells[i];
        char one[80];
        snprintf(one, sizeof one, t->kind == BB_NOTICE_DELIVERED ? "%s%s" : "%s(%s)", i ? " " : "",
                 t->event_id);
        strncat(all, one, sizeof all - strlen(all) - 1);
    }
    assert_string_equal(all, expected);
}

static const server_step busy = {.status = 503};

static void by_default_nothing_waits(void **state) {
    deliver_three(*state, 0, busy, 3);
    assert_told(*state, "(first) second other first");
}

static void events_of_one_issue_wait_for_each_other(void **state) {
    deliver_three(*state, BB_ORDER_ISSUE, busy, 3);
    assert_told(*state, "(first) other first second");
}

static void events_of_one_webhook_wait_for_each_other(void **state) {
    deliver_three(*state, BB_ORDER_WEBHOOK, busy, 3);
    assert_told(*state, "(first) first second other");
}

static void nothing_waits_for_one_that_is_given_up(void **state) {
    deliver_three(*state, BB_ORDER_WEBHOOK, (server_step){.status = 400}, 2);
    assert_told(*state, "(first) second other");
}

static void one_whose_answer_was_lost_is_waited_for(void **state) {
    deliver_three(*state, BB_ORDER_WEBHOOK, (server_step){.end = SERVER_RESET}, 3);
    assert_told(*state, "(first) first second other");
}

static void a_later_one_waits_while_an_earlier_one_is_in_flight(void **state) {
    background *b = *state;
    server_step held = posting_success(BB_CUSTOM);
    held.hold = 1;
    background_open(b);
    add_hook(b, BB_ORDER_WEBHOOK, posting_success(BB_CUSTOM));
    background_enqueue_issue(b, "warm", 1); /* known now: two may be in flight */
    background_drive_until(b, BB_NOTICE_DELIVERED, 1);
    server_on(b->receiver, "/hook", &held, 1);
    background_enqueue_issue(b, "first", 1);
    background_enqueue_issue(b, "second", 2);
    while (!server_wait_requests(b->receiver, 2, 1))
        assert_int_equal(bb_dispatcher_run(b->dispatcher, NULL), BB_OK);
    assert_int_equal(bb_dispatcher_run(b->dispatcher, NULL), BB_OK);
    assert_int_equal(background_stats(b, "hook").waiting, 1);
    assert_int_equal(background_stats(b, "hook").in_flight, 1);
    server_release(b->receiver);
    background_drive_until(b, BB_NOTICE_DELIVERED, 3);
    background_check_books(b);
}

/* Its place is kept, though it was given back by a stop. */
static void one_that_was_stopped_is_waited_for(void **state) {
    static const uint32_t soon[] = {1};
    background *b = *state;
    b->options.retry_delays_ms = soon;
    b->options.retry_delay_count = 1;
    background_open(b);
    add_hook(b, BB_ORDER_ISSUE, (server_step){.end = SERVER_SILENT});
    background_enqueue_issue(b, "first", 1);
    background_enqueue_issue(b, "second", 1);
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    assert_true(server_wait_requests(b->receiver, 1, PATIENCE_MS));
    assert_int_equal(bb_dispatcher_stop(b->dispatcher, 0, NULL, NULL), BB_OK);
    background_drive_until(b, BB_NOTICE_DELIVERED, 2);
    assert_told(b, "(first) first second");
    background_check_books(b);
}

/* ------------------------------------------------------------------- many -- */

enum { EVENTS = 600, ISSUES = 7, FAILURES = 300 };

static void script_failures(background *b, bb_order order) {
    server_step *steps = calloc(FAILURES + 1, sizeof *steps);
    assert_non_null(steps);
    for (size_t i = 0; i <= FAILURES; i++)
        steps[i] = i % 3 == 1   ? busy
                   : i % 7 == 2 ? (server_step){.end = SERVER_CLOSE}
                                : posting_success(BB_CUSTOM);
    bb_webhook hook = background_hook(b, BB_CUSTOM, "hook", steps, FAILURES + 1);
    hook.order = order;
    background_add(b, &hook);
    free(steps);
}

/* The event's number; they are spread over the issues. */
static int number_of(const told *t) {
    return atoi(t->event_id + strlen("e"));
}

static void check_order(background *b, int issues) {
    int last[ISSUES];
    memset(last, -1, sizeof last);
    for (size_t i = 0; i < b->count; i++) {
        int number = number_of(&b->tells[i]);
        if (b->tells[i].kind != BB_NOTICE_DELIVERED)
            continue;
        assert_true(number > last[number % issues]);
        last[number % issues] = number;
    }
}

static void many_stay_in_order(background *b, bb_order order, int issues) {
    static uint32_t
        soon[100]; /* more than any one of them can need, however they meet the script */
    for (size_t i = 0; i < sizeof soon / sizeof *soon; i++)
        soon[i] = 1 + i % 2;
    b->options.retry_delays_ms = soon;
    b->options.retry_delay_count = sizeof soon / sizeof *soon;
    b->options.breaker_open_ms = b->options.breaker_open_max_ms = 1;
    background_open(b);
    script_failures(b, order);
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    for (int i = 0; i < EVENTS; i++) {
        char id[16];
        snprintf(id, sizeof id, "e%d", i);
        background_enqueue_issue(b, id, i % ISSUES);
    }
    background_wait_until(b, BB_NOTICE_DELIVERED, EVENTS);
    assert_int_equal(bb_dispatcher_stop(b->dispatcher, 5000, NULL, NULL), BB_OK);
    assert_true(b->counts[BB_NOTICE_RETRYING] > 100);
    check_order(b, issues);
    background_check_books(b);
}

static void many_events_stay_in_the_order_of_their_issues(void **state) {
    many_stay_in_order(*state, BB_ORDER_ISSUE, ISSUES);
}

static void many_events_stay_in_the_order_of_their_webhook(void **state) {
    many_stay_in_order(*state, BB_ORDER_WEBHOOK, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BACKGROUND_TEST(by_default_nothing_waits),
        BACKGROUND_TEST(events_of_one_issue_wait_for_each_other),
        BACKGROUND_TEST(events_of_one_webhook_wait_for_each_other),
        BACKGROUND_TEST(nothing_waits_for_one_that_is_given_up),
        BACKGROUND_TEST(one_whose_answer_was_lost_is_waited_for),
        BACKGROUND_TEST(a_later_one_waits_while_an_earlier_one_is_in_flight),
        BACKGROUND_TEST(one_that_was_stopped_is_waited_for),
        BACKGROUND_TEST(many_events_stay_in_the_order_of_their_issues),
        BACKGROUND_TEST(many_events_stay_in_the_order_of_their_webhook),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
