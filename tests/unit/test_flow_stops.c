/* When nothing is sent to a webhook at all, and what is told of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/flow.h"

/* ---- pauses ---- */

static void a_stated_wait_pauses_the_webhook(void **state) {
    (void)state;
    assert_true(flow_note(&flow_put_off).is_paused);
    assert_int_equal(flow_stop(), BB_FLOW_PAUSED);
    assert_int_equal(flow_wait(), 10 * SECOND);
    flow_now_ms += 10 * SECOND - 1;
    assert_int_equal(flow_wait(), 1);
    flow_now_ms++;
    assert_int_equal(flow_stop(), BB_FLOW_FREE);
}

static void the_longer_pause_wins(void **state) {
    (void)state;
    int64_t until = 0;
    assert_true(bb_flow_pause(&until, 5000, flow_now_ms));
    assert_false(bb_flow_pause(&until, 4000, flow_now_ms));
    assert_int_equal(until, flow_now_ms + 5000);
    assert_false(bb_flow_pause(&until, 6000, flow_now_ms)); /* no new one, but longer */
    assert_int_equal(until, flow_now_ms + 6000);
    assert_true(bb_flow_pause(&until, 1, flow_now_ms + 6000));
    assert_false(bb_flow_pause(&until, 0, flow_now_ms + 9000));
    assert_false(bb_flow_pause(&until, -1, flow_now_ms + 9000));
    assert_int_equal(until, flow_now_ms + 6001);
}

static void a_pause_of_the_type_holds_for_each_of_it(void **state) {
    (void)state;
    flow_type_pause.until_ms = flow_now_ms + 3000;
    assert_int_equal(flow_stop(), BB_FLOW_PAUSED);
    assert_int_equal(bb_flow_pause_left(&flow, flow_now_ms), 3000);
    flow.paused_until_ms = flow_now_ms + 2000;
    assert_int_equal(flow_wait(), 3000);
    flow.paused_until_ms = flow_now_ms + 4000;
    assert_int_equal(flow_wait(), 4000);
}

static void a_pause_of_the_type_is_not_the_webhooks_own(void **state) {
    (void)state;
    bb_outcome whole = flow_put_off;
    whole.whole_type = 1;
    assert_false(flow_note(&whole).is_paused);
    assert_int_equal(flow.paused_until_ms, 0);
}

static void no_pause_is_longer_than_a_day(void **state) {
    (void)state;
    int64_t until = 0;
    assert_true(bb_flow_pause(&until, DAY + 1, flow_now_ms));
    flow.paused_until_ms = until;
    assert_int_equal(flow_wait(), DAY);
    assert_false(bb_flow_pause(&until, INT64_MAX, flow_now_ms));
    assert_int_equal(until, flow_now_ms + DAY);
    flow.paused_until_ms = flow_now_ms + DAY + 1; /* the clock was set back */
    assert_int_equal(flow_stop(), BB_FLOW_FREE);
}

static void pauses_work_at_the_ends_of_time(void **state) {
    (void)state;
    static const int64_t times[] = {INT64_MIN, -1, INT64_MAX - DAY, INT64_MAX - 1};
    for (size_t i = 0; i < 4; i++) {
        int64_t until = 0;
        assert_true(bb_flow_pause(&until, DAY, times[i]));
        flow.paused_until_ms = until;
        assert_in_range(bb_flow_pause_left(&flow, times[i]), 1, DAY);
        flow.paused_until_ms = INT64_MAX;
        assert_in_range(bb_flow_pause_left(&flow, times[i]), 0, DAY);
    }
}

static void a_success_may_ask_for_a_pause_that_is_no_news(void **state) {
    (void)state;
    bb_outcome last_one = flow_put_off;
    last_one.verdict = BB_DELIVERED;
    assert_false(flow_is_news(flow_note(&last_one)));
    assert_int_equal(flow_stop(), BB_FLOW_PAUSED);
    flow_now_ms += flow_wait();
    assert_false(flow_is_news(flow_note(&flow_success))); /* nor is its end */
}

/* ---- disabled ---- */

static void it_is_disabled_at_once_by_advice(void **state) {
    (void)state;
    struct bb_flow_news news = flow_note(&flow_gone);
    assert_true(news.is_disabled && !news.is_given_up);
    assert_int_equal(flow_stop(), BB_FLOW_DISABLED);
    assert_true(flow_wait() == INT64_MAX);
    assert_false(flow_note(&flow_gone).is_disabled); /* told once */
    flow_now_ms += INT64_C(1000) * DAY;
    assert_int_equal(flow_stop(), BB_FLOW_DISABLED);
}

static void a_refusal_does_not_disable(void **state) {
    (void)state;
    assert_false(flow_is_news(flow_note_often(&flow_refusal, 1000)));
    assert_int_equal(flow_stop(), BB_FLOW_FREE);
}

static void after_five_days_without_success_it_is_given_up(void **state) {
    (void)state;
    const bb_outcome *kinds[] = {&flow_failure, &flow_lost, &flow_refusal};
    for (size_t i = 0; i < 3; i++) {
        bb_flow_clear(&flow);
        flow_note_often(kinds[i], 4);
        flow_now_ms += INT64_C(5) * DAY - 1;
        assert_false(flow_note(kinds[i]).is_given_up);
        flow_now_ms++;
        assert_true(flow_note(kinds[i]).is_given_up);
        assert_int_equal(flow_stop(), BB_FLOW_DISABLED);
        assert_false(flow_note(kinds[i]).is_given_up); /* told once */
    }
}

static void a_few_failures_are_no_reason_however_far_apart(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_false(flow_is_news(flow_note(&flow_failure)));
        flow_now_ms += INT64_C(30) * DAY;
    }
    assert_int_equal(flow_stop(), BB_FLOW_FREE);
    assert_true(flow_note(&flow_failure).is_given_up);
}

static void one_flake_after_years_of_silence_is_none(void **state) {
    (void)state;
    flow_note(&flow_success);
    flow_note(&flow_failure);
    flow_now_ms += INT64_C(1000) * DAY;
    assert_false(flow_is_news(flow_note(&flow_failure)));
    flow_note(&flow_success);
    flow_now_ms += INT64_C(1000) * DAY;
    assert_false(flow_note_often(&flow_failure, 9).is_given_up);
}

static void a_success_begins_the_five_days_anew(void **state) {
    (void)state;
    for (int day = 0; day < 40; day++) {
        assert_false(flow_note_often(&flow_refusal, 10).is_given_up);
        if (day % 4 == 0)
            flow_note(&flow_success);
        flow_now_ms += DAY;
    }
    assert_int_equal(flow_stop(), BB_FLOW_FREE);
}

static void a_success_of_a_post_counts_for_the_five_days(void **state) {
    (void)state;
    flow_note_often(&flow_failure, 4);
    flow_now_ms += INT64_C(5) * DAY;
    flow_note_of_post(&flow_success);
    assert_false(flow_note(&flow_failure).is_given_up);
}

/* ---- recovery ---- */

static void a_recovery_is_told_once_after_each_kind_of_trouble(void **state) {
    (void)state;
    assert_false(flow_is_news(flow_note(&flow_success)));
    flow_note(&flow_put_off);
    assert_true(flow_note(&flow_success).is_recovered);
    assert_false(flow_is_news(flow_note(&flow_success)));
    flow_note_often(&flow_failure, 5);
    flow_now_ms += MINUTE;
    assert_true(flow_note(&flow_success).is_recovered);
    assert_false(flow_is_news(flow_note(&flow_success)));
    flow_note(&flow_gone);
    bb_flow_clear(&flow);
    assert_true(flow_note(&flow_success).is_recovered);
    assert_false(flow_is_news(flow_note_often(&flow_success, 3)));
}

static void a_failure_that_nobody_was_told_of_needs_no_recovery(void **state) {
    (void)state;
    flow_note_often(&flow_failure, 4);
    assert_false(flow_is_news(flow_note(&flow_success)));
}

/* A post tells its caller; the notice is left to background delivery. */
static void a_post_does_not_use_up_the_recovery(void **state) {
    (void)state;
    flow_note_often(&flow_failure, 5);
    assert_false(flow_is_news(flow_note_of_post(&flow_success)));
    flow_now_ms += MINUTE;
    assert_true(flow_note(&flow_success).is_recovered);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FLOW_TEST(a_stated_wait_pauses_the_webhook),
        FLOW_TEST(the_longer_pause_wins),
        FLOW_TEST(a_pause_of_the_type_holds_for_each_of_it),
        FLOW_TEST(a_pause_of_the_type_is_not_the_webhooks_own),
        FLOW_TEST(no_pause_is_longer_than_a_day),
        FLOW_TEST(pauses_work_at_the_ends_of_time),
        FLOW_TEST(a_success_may_ask_for_a_pause_that_is_no_news),
        FLOW_TEST(it_is_disabled_at_once_by_advice),
        FLOW_TEST(a_refusal_does_not_disable),
        FLOW_TEST(after_five_days_without_success_it_is_given_up),
        FLOW_TEST(a_few_failures_are_no_reason_however_far_apart),
        FLOW_TEST(one_flake_after_years_of_silence_is_none),
        FLOW_TEST(a_success_begins_the_five_days_anew),
        FLOW_TEST(a_success_of_a_post_counts_for_the_five_days),
        FLOW_TEST(a_recovery_is_told_once_after_each_kind_of_trouble),
        FLOW_TEST(a_failure_that_nobody_was_told_of_needs_no_recovery),
        FLOW_TEST(a_post_does_not_use_up_the_recovery),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
