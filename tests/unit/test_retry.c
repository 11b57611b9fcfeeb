/* The retry schedule in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <string.h>

#include "delivery/retry.h"
#include "support/alloc.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

static const struct bb_retry_schedule exact = {bb_retry_delays_ms, 9, false};
static const struct bb_retry_schedule jittered = {bb_retry_delays_ms, 9, true};
static const struct bb_retry_rules custom = {.when_unknown = BB_UNKNOWN_RETRY};
static const struct bb_retry_rules chat = {.when_unknown = BB_UNKNOWN_ONCE_MORE,
                                           .age_limit_ms = 24 * HOUR};

static const bb_outcome failed = {.struct_size = sizeof failed, .verdict = BB_RETRY};
static const bb_outcome lost = {.struct_size = sizeof lost, .verdict = BB_UNKNOWN};

static bb_outcome put_off(int64_t wait_ms) {
    return (bb_outcome){
        .struct_size = sizeof(bb_outcome), .verdict = BB_RETRY, .retry_after_ms = wait_ms};
}

/* One delivery, whose attempts take no time. */
struct run {
    struct bb_retry_history history;
    struct bb_retry_decision last;
    int64_t now_ms;
    uint64_t chance;
};

static bool attempt(struct run *run, const struct bb_retry_schedule *schedule,
                    const struct bb_retry_rules *rules, const bb_outcome *outcome) {
    run->history.attempts++;
    run->last = bb_retry_decide(schedule, rules, &run->history, outcome, run->now_ms,
                                bb_retry_chance(&run->chance));
    if (run->last.again) {
        assert_true(run->last.due_ms >= run->now_ms);
        assert_null(run->last.why_not);
        run->now_ms = run->last.due_ms;
    }
    return run->last.again;
}

static struct run fail_to_the_end(const struct bb_retry_schedule *schedule,
                                  const struct bb_retry_rules *rules, const bb_outcome *outcome,
                                  uint64_t seed) {
    struct run run = {.chance = seed};
    while (attempt(&run, schedule, rules, outcome))
        assert_true(run.history.attempts < 1000);
    return run;
}

static int64_t sum(size_t count) {
    int64_t all = 0;
    for (size_t i = 0; i < count; i++)
        all += bb_retry_delays_ms[i];
    return all;
}

/* ---- the schedule ---- */

static void the_usual_schedule_has_ten_attempts_over_three_days(void **state) {
    (void)state;
    assert_int_equal(bb_retry_delay_count, 9);
    struct run run = fail_to_the_end(&exact, &custom, &failed, 1);
    assert_int_equal(run.history.attempts, 10);
    assert_int_equal(run.now_ms, 5 * SECOND + 5 * MINUTE + 30 * MINUTE +
                                     (int64_t)(2 + 5 + 10 + 14 + 20 + 24) * HOUR);
    assert_string_equal(run.last.why_not, "that was the last attempt");
}

static void with_jitter_the_sum_is_within_a_fifth(void **state) {
    (void)state;
    int64_t all = sum(9), least = INT64_MAX, most = 0;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct run run = fail_to_the_end(&jittered, &custom, &failed, seed);
        assert_int_equal(run.history.attempts, 10);
        assert_in_range(run.now_ms, all - all / 5, all + all / 5);
        least = run.now_ms < least ? run.now_ms : least;
        most = run.now_ms > most ? run.now_ms : most;
    }
    assert_true(most - least > all / 5); /* and it does vary */
}

static void each_delay_is_within_a_fifth_for_any_chance(void **state) {
    (void)state;
    static const uint64_t chances[] = {0,        1, UINT64_MAX, UINT64_MAX - 1, UINT64_C(1) << 63,
                                       INT64_MAX};
    static const uint32_t delays[] = {0, 1, 4, 5, 999, 1000, INT32_MAX, UINT32_MAX};
    const struct bb_retry_schedule schedule = {delays, 8, true};
    for (uint32_t step = 0; step < 8; step++)
        for (size_t i = 0; i < sizeof chances / sizeof *chances; i++) {
            int64_t delay = delays[step], got = bb_retry_delay_ms(&schedule, step, chances[i]);
            assert_true(got >= 0 && got >= delay - delay / 5 && got <= delay + delay / 5);
        }
}

static void jitter_is_spread_evenly(void **state) {
    (void)state;
    enum { DRAWS = 100000, BINS = 10 };
    static const uint32_t delays[] = {100000};
    const struct bb_retry_schedule schedule = {delays, 1, true};
    uint64_t chance = 7;
    size_t bins[BINS] = {0};
    for (int i = 0; i < DRAWS; i++) {
        int64_t delay = bb_retry_delay_ms(&schedule, 0, bb_retry_chance(&chance));
        bins[(delay - 80000) * BINS / 40001]++;
    }
    for (int i = 0; i < BINS; i++)
        assert_in_range(bins[i], DRAWS / BINS * 95 / 100, DRAWS / BINS * 105 / 100);
}

static void both_ends_of_the_jitter_are_reached(void **state) {
    (void)state;
    static const uint32_t delays[] = {50};
    const struct bb_retry_schedule schedule = {delays, 1, true};
    bool seen[21] = {false};
    for (uint64_t chance = 0; chance < 21; chance++)
        seen[bb_retry_delay_ms(&schedule, 0, chance) - 40] = true;
    for (int i = 0; i < 21; i++)
        assert_true(seen[i]);
}

static void past_the_schedule_there_is_no_delay(void **state) {
    (void)state;
    assert_int_equal(bb_retry_delay_ms(&exact, 8, 0), 24 * HOUR);
    assert_int_equal(bb_retry_delay_ms(&exact, 9, 0), -1);
    assert_int_equal(bb_retry_delay_ms(&exact, UINT32_MAX, 0), -1);
    const struct bb_retry_schedule none = {NULL, 0, true};
    struct run run = fail_to_the_end(&none, &custom, &failed, 1);
    assert_int_equal(run.history.attempts, 1);
}

static void delays_of_nothing_are_at_once(void **state) {
    (void)state;
    static const uint32_t zeros[3] = {0};
    const struct bb_retry_schedule schedule = {zeros, 3, true};
    struct run run = fail_to_the_end(&schedule, &custom, &failed, 1);
    assert_int_equal(run.history.attempts, 4);
    assert_int_equal(run.now_ms, 0);
}

static void chance_does_not_repeat(void **state) {
    (void)state;
    uint64_t a = 0, b = 1, last = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t next = bb_retry_chance(&a);
        assert_true(next != last && next != bb_retry_chance(&b));
        last = next;
    }
}

/* ---- limits ---- */

static void the_number_of_attempts_can_be_limited(void **state) {
    (void)state;
    for (uint32_t most = 1; most <= 12; most++) {
        struct bb_retry_rules rules = custom;
        rules.max_attempts = most;
        struct run run = fail_to_the_end(&exact, &rules, &failed, 1);
        assert_int_equal(run.history.attempts, most < 10 ? most : 10);
        assert_int_equal(run.now_ms, sum(most < 10 ? most - 1 : 9));
    }
}

static void a_chat_delivery_ends_within_a_day(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct run run = fail_to_the_end(&jittered, &chat, &failed, seed);
        assert_true(run.now_ms < 24 * HOUR);
        assert_in_range(run.history.attempts, 6, 8);
        assert_string_equal(run.last.why_not, "it would be too old by the next attempt");
    }
}

static void the_age_limit_counts_from_the_enqueuing(void **state) {
    (void)state;
    const int64_t start = 1700000000000;
    struct bb_retry_history history = {.enqueued_ms = start, .attempts = 1};
    struct bb_retry_decision decision =
        bb_retry_decide(&exact, &chat, &history, &failed, start + 24 * HOUR - 5001, 0);
    assert_true(decision.again); /* a millisecond before it is too old */
    history.steps = 0;
    decision = bb_retry_decide(&exact, &chat, &history, &failed, start + 24 * HOUR - 5000, 0);
    assert_false(decision.again);
    assert_true(bb_retry_expires_ms(&chat, start) == start + 24 * HOUR);
    assert_true(bb_retry_expires_ms(&custom, start) == INT64_MAX);
}

static void a_stated_wait_beyond_the_age_limit_ends_it(void **state) {
    (void)state;
    bb_outcome tomorrow = put_off(24 * HOUR);
    struct run run = fail_to_the_end(&jittered, &chat, &tomorrow, 1);
    assert_int_equal(run.history.attempts, 1);
}

static void times_near_the_end_of_time_do_not_overflow(void **state) {
    (void)state;
    struct run run = {.now_ms = INT64_MAX - 10, .history.enqueued_ms = INT64_MAX - 10};
    bb_outcome later = put_off(24 * HOUR);
    attempt(&run, &jittered, &custom, &failed);
    run.now_ms = INT64_MAX;
    attempt(&run, &jittered, &chat, &later);
    assert_true(bb_retry_expires_ms(&chat, INT64_MAX) == INT64_MAX);
    assert_true(bb_retry_expires_ms(&chat, INT64_MAX - 24 * HOUR) == INT64_MAX);
    assert_true(bb_retry_expires_ms(&chat, INT64_MAX - 24 * HOUR - 1) == INT64_MAX - 1);
}

/* ---- stated waits ---- */

static void a_stated_wait_is_kept_and_uses_no_step(void **state) {
    (void)state;
    static const int64_t waits[] = {1, 1000, 1234, 61000, 24 * HOUR};
    struct run run = {.chance = 3};
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        int64_t before = run.now_ms;
        bb_outcome outcome = put_off(waits[i]);
        assert_true(attempt(&run, &jittered, &custom, &outcome));
        assert_int_equal(run.now_ms - before, waits[i]);
    }
    assert_int_equal(run.history.steps, 0);
    int64_t before = run.now_ms;
    assert_true(attempt(&run, &exact, &custom, &failed));
    assert_int_equal(run.now_ms - before, 5 * SECOND);
}

static void stated_waits_between_failures_leave_ten_attempts_of_the_schedule(void **state) {
    (void)state;
    bb_outcome busy = put_off(SECOND);
    struct run run = {.chance = 3};
    for (int i = 0; i < 9; i++) {
        assert_true(attempt(&run, &exact, &custom, &failed));
        assert_true(attempt(&run, &exact, &custom, &busy));
    }
    assert_false(attempt(&run, &exact, &custom, &failed));
    assert_int_equal(run.now_ms, sum(9) + 9 * SECOND);
}

static void waits_that_are_stated_for_ever_end_after_200_attempts(void **state) {
    (void)state;
    bb_outcome busy = put_off(SECOND);
    struct run run = fail_to_the_end(&exact, &custom, &busy, 1);
    assert_int_equal(run.history.attempts, BB_RETRY_ATTEMPTS_MAX);
    assert_int_equal(run.now_ms, 199 * SECOND);
}

/* max_attempts is what a host would like to be less. */
static void no_setting_allows_more_than_200_attempts(void **state) {
    (void)state;
    struct bb_retry_rules rules = custom;
    bb_outcome busy = put_off(SECOND);
    rules.max_attempts = UINT32_MAX;
    struct run run = fail_to_the_end(&exact, &rules, &busy, 1);
    assert_int_equal(run.history.attempts, BB_RETRY_ATTEMPTS_MAX);
}

static void the_longest_schedule_is_used_to_its_end(void **state) {
    (void)state;
    static const uint32_t delays[BB_RETRY_DELAYS_MAX] = {1};
    const struct bb_retry_schedule schedule = {delays, BB_RETRY_DELAYS_MAX, true};
    struct run run = fail_to_the_end(&schedule, &custom, &failed, 1);
    assert_int_equal(run.history.attempts, BB_RETRY_DELAYS_MAX + 1);
}

/* ---- verdicts ---- */

static void only_what_may_succeed_later_is_tried_again(void **state) {
    (void)state;
    static const bb_verdict ends[] = {BB_DELIVERED, BB_DEAD, (bb_verdict)0};
    for (size_t i = 0; i < 3; i++) {
        bb_outcome outcome = put_off(SECOND); /* whatever else it says */
        outcome.verdict = ends[i];
        struct run run = {.chance = 1};
        assert_false(attempt(&run, &exact, &custom, &outcome));
        assert_null(run.last.why_not); /* the outcome says it */
        assert_int_equal(run.history.steps, 0);
    }
}

static void a_lost_answer_is_treated_as_the_webhook_wishes(void **state) {
    (void)state;
    static const struct {
        bb_when_unknown when;
        uint32_t attempts;
    } rows[] = {{BB_UNKNOWN_RETRY, 10}, {BB_UNKNOWN_ONCE_MORE, 2}, {BB_UNKNOWN_GIVE_UP, 1}};
    for (size_t i = 0; i < 3; i++) {
        struct bb_retry_rules rules = {.when_unknown = rows[i].when};
        struct run run = fail_to_the_end(&exact, &rules, &lost, 1);
        assert_int_equal(run.history.attempts, rows[i].attempts);
        assert_int_equal(run.history.unknowns, rows[i].attempts);
        if (rows[i].when != BB_UNKNOWN_RETRY)
            assert_non_null(strstr(run.last.why_not, "may have arrived"));
    }
}

static void a_certain_failure_does_not_use_up_the_one_more(void **state) {
    (void)state;
    struct run run = {.chance = 1};
    assert_true(attempt(&run, &exact, &chat, &failed));
    assert_true(attempt(&run, &exact, &chat, &lost));
    assert_true(attempt(&run, &exact, &chat, &failed));
    assert_true(attempt(&run, &exact, &chat, &failed));
    assert_false(attempt(&run, &exact, &chat, &lost));
    assert_int_equal(run.history.attempts, 5);
}

/* ---- everything at random ---- */

static bb_outcome any_outcome(uint64_t *chance) {
    bb_outcome outcome = BB_OUTCOME_INIT;
    outcome.verdict = bb_retry_chance(chance) % 2 ? BB_RETRY : BB_UNKNOWN;
    if (bb_retry_chance(chance) % 3 == 0)
        outcome.retry_after_ms = (int64_t)(bb_retry_chance(chance) % (24 * HOUR)) + 1;
    return outcome;
}

static void any_sequence_of_answers_comes_to_an_end(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 2000 * alloc_scale(); seed++) {
        uint64_t chance = seed;
        struct bb_retry_rules rules = {
            .when_unknown = (bb_when_unknown)(1 + bb_retry_chance(&chance) % 3),
            .max_attempts = (uint32_t)(bb_retry_chance(&chance) % 20),
            .age_limit_ms = (int64_t)(bb_retry_chance(&chance) % 2) * 24 * HOUR,
        };
        struct run run = {.chance = seed};
        bb_outcome outcome = any_outcome(&chance);
        while (attempt(&run, &jittered, &rules, &outcome))
            outcome = any_outcome(&chance);
        assert_true(run.history.steps <= 10);
        assert_true(run.history.attempts <= (rules.max_attempts ? rules.max_attempts : 200));
        assert_true(rules.age_limit_ms == 0 || run.now_ms < rules.age_limit_ms);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_usual_schedule_has_ten_attempts_over_three_days),
        cmocka_unit_test(with_jitter_the_sum_is_within_a_fifth),
        cmocka_unit_test(each_delay_is_within_a_fifth_for_any_chance),
        cmocka_unit_test(jitter_is_spread_evenly),
        cmocka_unit_test(both_ends_of_the_jitter_are_reached),
        cmocka_unit_test(past_the_schedule_there_is_no_delay),
        cmocka_unit_test(delays_of_nothing_are_at_once),
        cmocka_unit_test(chance_does_not_repeat),
        cmocka_unit_test(the_number_of_attempts_can_be_limited),
        cmocka_unit_test(a_chat_delivery_ends_within_a_day),
        cmocka_unit_test(the_age_limit_counts_from_the_enqueuing),
        cmocka_unit_test(a_stated_wait_beyond_the_age_limit_ends_it),
        cmocka_unit_test(times_near_the_end_of_time_do_not_overflow),
        cmocka_unit_test(a_stated_wait_is_kept_and_uses_no_step),
        cmocka_unit_test(stated_waits_between_failures_leave_ten_attempts_of_the_schedule),
        cmocka_unit_test(waits_that_are_stated_for_ever_end_after_200_attempts),
        cmocka_unit_test(no_setting_allows_more_than_200_attempts),
        cmocka_unit_test(the_longest_schedule_is_used_to_its_end),
        cmocka_unit_test(only_what_may_succeed_later_is_tried_again),
        cmocka_unit_test(a_lost_answer_is_treated_as_the_webhook_wishes),
        cmocka_unit_test(a_certain_failure_does_not_use_up_the_one_more),
        cmocka_unit_test(any_sequence_of_answers_comes_to_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
