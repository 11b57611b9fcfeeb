/* The flow to one webhook: how much at once, and how it is set up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/alloc.h"
#include "support/flow.h"

/* ---- room ---- */

static void room_doubles_by_success_up_to_the_most(void **state) {
    (void)state;
    static const uint32_t rooms[] = {1, 2, 4, 8, 8, 8};
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(flow_room(), rooms[i]);
        assert_int_equal(flow.is_known, i > 0);
        flow_note(&flow_success);
    }
}

static void an_odd_maximum_is_not_passed(void **state) {
    (void)state;
    flow_webhook.max_in_flight = 5;
    flow_configure();
    static const uint32_t rooms[] = {1, 2, 4, 5, 5};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(flow_room(), rooms[i]);
        flow_note(&flow_success);
    }
}

static void the_largest_maximum_is_reached_too(void **state) {
    (void)state;
    flow_webhook.max_in_flight = UINT32_MAX;
    flow_configure();
    flow_note_often(&flow_success, 31);
    assert_int_equal(flow.room, UINT32_C(1) << 31);
    flow_note_often(&flow_success, 2);
    assert_int_equal(flow.room, UINT32_MAX);
    assert_int_equal(flow_stop(), BB_FLOW_FREE);
}

static void a_failure_leaves_room_for_one(void **state) {
    (void)state;
    const bb_outcome *failures[] = {&flow_failure, &flow_lost};
    for (size_t i = 0; i < 2; i++) {
        flow_note_often(&flow_success, 5);
        assert_int_equal(flow_room(), 8);
        flow_note(failures[i]);
        assert_int_equal(flow_room(), 1);
        assert_false(flow.is_known);
    }
}

static void an_answer_that_is_no_failure_leaves_room_as_it_is(void **state) {
    (void)state;
    const bb_outcome *answers[] = {&flow_refusal, &flow_put_off, &flow_too_large};
    for (size_t i = 0; i < 3; i++) {
        flow_note_often(&flow_success, 5);
        flow_note(answers[i]);
        flow_now_ms += DAY;
        assert_int_equal(flow_room(), 8);
        assert_true(flow.is_known);
    }
}

static void chat_rooms_are_told_one_thing_at_a_time(void **state) {
    (void)state;
    for (int type = BB_SLACK; type < BB_CUSTOM; type++) {
        flow_webhook.type = (bb_type)type;
        flow_configure();
        flow_note_often(&flow_success, 3);
        assert_int_equal(flow_room(), 1);
    }
}

/* ---- the breaker ---- */

static void five_failures_in_a_row_break_it(void **state) {
    (void)state;
    assert_false(flow_is_news(flow_note_often(&flow_failure, 4)));
    assert_true(flow_note(&flow_lost).is_broken);
    assert_int_equal(flow_stop(), BB_FLOW_BROKEN);
    assert_int_equal(flow_wait(), 30 * SECOND);
}

static void a_probe_goes_alone(void **state) {
    (void)state;
    flow_note_often(&flow_success, 4);
    flow.in_flight = 1; /* a straggler */
    flow_note_often(&flow_failure, 5);
    flow_now_ms += 30 * SECOND;
    assert_int_equal(flow_stop(), BB_FLOW_BUSY);
    flow.in_flight = 0;
    assert_int_equal(flow_room(), 1);
    flow_note(&flow_success);
    assert_int_equal(flow_room(), 2); /* and then gradually more */
}

static void being_put_off_or_refused_does_not_break_it(void **state) {
    (void)state;
    const bb_outcome *answers[] = {&flow_put_off, &flow_refusal, &flow_too_large};
    for (size_t i = 0; i < 3; i++) {
        assert_false(flow_note_often(answers[i], 100).is_broken);
        flow_now_ms += MINUTE;
        assert_int_equal(flow_stop(), BB_FLOW_FREE);
    }
}

static void an_answer_closes_it_and_want_of_a_question_does_not(void **state) {
    (void)state;
    flow_note_often(&flow_failure, 5);
    flow_now_ms += 30 * SECOND;
    flow_note(&flow_too_large);
    assert_true(bb_breaker_is_probing(&flow.breaker));
    flow_note(&flow_refusal);
    assert_false(bb_breaker_is_probing(&flow.breaker));
    flow_note_often(&flow_failure, 4);
    flow_note(&flow_too_large);
    assert_true(flow_note(&flow_failure).is_broken);
}

static void a_post_does_not_move_it(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++)
        assert_false(flow_is_news(flow_note_of_post(&flow_failure)));
    flow_note_often(&flow_failure, 5);
    flow_note_of_post(&flow_success);
    assert_int_equal(flow_stop(), BB_FLOW_BROKEN);
    assert_int_equal(flow.room, 1);
    assert_false(flow.is_known);
}

static void a_post_pauses_and_disables(void **state) {
    (void)state;
    assert_true(flow_note_of_post(&flow_put_off).is_paused);
    assert_int_equal(flow_stop(), BB_FLOW_PAUSED);
    assert_true(flow_note_of_post(&flow_gone).is_disabled);
    assert_int_equal(flow_stop(), BB_FLOW_DISABLED);
}

/* ---- clear and configure ---- */

static void clear_forgets_pause_breaker_and_disabled(void **state) {
    (void)state;
    flow_note(&flow_put_off);
    flow_note_often(&flow_failure, 5);
    flow_note(&flow_gone);
    bb_flow_clear(&flow);
    assert_int_equal(flow_stop(), BB_FLOW_FREE);
    assert_int_equal(flow.failures, 0);
    assert_int_equal(flow_room(), 1);
    assert_false(flow_note_often(&flow_failure, 4).is_broken);
    flow_now_ms += INT64_C(6) * DAY;
    struct bb_flow_news news = flow_note(&flow_failure); /* counted anew from there */
    assert_true(news.is_broken && news.is_given_up);
}

static void configure_keeps_the_state(void **state) {
    (void)state;
    flow_note_often(&flow_success, 4);
    flow_note(&flow_put_off);
    flow.in_flight = 3;
    flow_webhook.max_in_flight = 4;
    flow_webhook.rate_count = 1;
    flow_webhook.rate_period_ms = MINUTE;
    flow_configure();
    assert_int_equal(flow.in_flight, 3);
    assert_int_equal(flow_stop(), BB_FLOW_PAUSED);
    flow_now_ms += 10 * SECOND;
    assert_int_equal(flow_stop(), BB_FLOW_FREE);
    flow.in_flight = 4;
    assert_int_equal(flow_stop(), BB_FLOW_BUSY);
    flow_note(&flow_gone);
    flow_configure();
    assert_int_equal(flow_stop(), BB_FLOW_DISABLED);
}

static void send_one(void) {
    bb_window_begin(&flow.window);
    bb_window_end(&flow.window, true, flow_now_ms);
}

static void the_webhooks_own_rate_replaces_the_types(void **state) {
    (void)state;
    flow_webhook.type = BB_SLACK;
    flow_configure();
    send_one();
    assert_int_equal(flow_stop(), BB_FLOW_RATE);
    assert_int_equal(flow_wait(), 1051);
    flow_webhook.rate_count = 2;
    flow_webhook.rate_period_ms = MINUTE;
    flow_configure();
    assert_int_equal(flow_stop(), BB_FLOW_FREE);
    send_one();
    assert_int_equal(flow_wait(), 60500);
    flow_webhook.no_rate = 1;
    flow_configure();
    assert_int_equal(flow_stop(), BB_FLOW_FREE);
    flow_webhook.no_rate = 0;
    flow_webhook.rate_count = 0;
    flow_configure();
    assert_int_equal(flow_stop(), BB_FLOW_FREE); /* without a rate nothing was remembered */
}

static void what_is_under_way_within_a_rate_is_busy_not_late(void **state) {
    (void)state;
    flow_webhook.type = BB_SLACK;
    flow_configure();
    bb_window_begin(&flow.window); /* by a post */
    assert_int_equal(flow_stop(), BB_FLOW_BUSY);
    assert_true(flow_wait() == INT64_MAX);
    flow_configure();
    bb_window_end(&flow.window, true, flow_now_ms);
    assert_int_equal(flow_stop(), BB_FLOW_RATE);
}

static void without_memory_the_old_limits_hold(void **state) {
    (void)state;
    flow_webhook.rate_count = 1;
    flow_webhook.rate_period_ms = 1000;
    flow_configure();
    send_one();
    flow_webhook.rate_count = 20;
    alloc_begin(1, 0);
    assert_false(bb_flow_configure(&flow, alloc_library(), &flow_webhook));
    alloc_end();
    assert_int_equal(flow_stop(), BB_FLOW_RATE);
    flow_configure();
    assert_int_equal(flow_stop(), BB_FLOW_FREE);
}

static void the_worst_stop_comes_first(void **state) {
    (void)state;
    flow_webhook.type = BB_SLACK;
    flow_configure();
    send_one();
    assert_int_equal(flow_stop(), BB_FLOW_RATE);
    flow.in_flight = 1;
    assert_int_equal(flow_stop(), BB_FLOW_BUSY);
    flow_note_often(&flow_failure, 5);
    assert_int_equal(flow_stop(), BB_FLOW_BROKEN);
    flow_note(&flow_put_off);
    assert_int_equal(flow_stop(), BB_FLOW_PAUSED);
    flow_note(&flow_gone);
    assert_int_equal(flow_stop(), BB_FLOW_DISABLED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FLOW_TEST(room_doubles_by_success_up_to_the_most),
        FLOW_TEST(an_odd_maximum_is_not_passed),
        FLOW_TEST(the_largest_maximum_is_reached_too),
        FLOW_TEST(a_failure_leaves_room_for_one),
        FLOW_TEST(an_answer_that_is_no_failure_leaves_room_as_it_is),
        FLOW_TEST(chat_rooms_are_told_one_thing_at_a_time),
        FLOW_TEST(five_failures_in_a_row_break_it),
        FLOW_TEST(a_probe_goes_alone),
        FLOW_TEST(being_put_off_or_refused_does_not_break_it),
        FLOW_TEST(an_answer_closes_it_and_want_of_a_question_does_not),
        FLOW_TEST(a_post_does_not_move_it),
        FLOW_TEST(a_post_pauses_and_disables),
        FLOW_TEST(clear_forgets_pause_breaker_and_disabled),
        FLOW_TEST(configure_keeps_the_state),
        FLOW_TEST(the_webhooks_own_rate_replaces_the_types),
        FLOW_TEST(what_is_under_way_within_a_rate_is_busy_not_late),
        FLOW_TEST(without_memory_the_old_limits_hold),
        FLOW_TEST(the_worst_stop_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
