/* The circuit breaker in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>

#include "delivery/breaker.h"
#include "delivery/retry.h"
#include "support/alloc.h"

static const struct bb_breaker_rules rules = {
    .failures = 5, .percent = 70, .open_ms = 30000, .open_max_ms = 600000};

static struct bb_breaker breaker;
static int64_t now_ms;

static int begin(void **state) {
    *state = NULL;
    breaker = (struct bb_breaker){0};
    now_ms = 1000;
    return 0;
}

static bool note(bool failed) {
    return bb_breaker_note(&breaker, &rules, failed, now_ms);
}

static bool is_open(void) {
    return bb_breaker_wait(&breaker, now_ms) > 0;
}

static void open_it(void) {
    for (int i = 0; i < 5; i++)
        note(true);
    assert_true(is_open());
}

/* The answers in order, 'x' a failure; whether the last one opens it, and none before. */
static bool opens_at_last(const char *answers) {
    bool opened = false;
    for (; *answers; answers++) {
        assert_false(opened);
        opened = note(*answers == 'x');
        assert_int_equal(opened, is_open());
    }
    return opened;
}

/* ---- opening ---- */

static void a_new_one_is_closed(void **state) {
    (void)state;
    assert_int_equal(bb_breaker_wait(&breaker, 0), 0);
    assert_false(bb_breaker_is_probing(&breaker));
}

static void five_failures_in_a_row_open_it(void **state) {
    (void)state;
    assert_true(opens_at_last("xxxxx"));
    assert_int_equal(bb_breaker_wait(&breaker, now_ms), 30000);
    assert_true(bb_breaker_is_probing(&breaker));
}

static void four_in_a_row_and_a_success_do_not(void **state) {
    (void)state;
    assert_false(opens_at_last("xxxx.x"));
    begin(state);
    assert_true(opens_at_last("xxxx.xxxxx")); /* by both rules */
}

static void seven_of_the_last_ten_open_it(void **state) {
    (void)state;
    assert_true(opens_at_last("xx.xx.xx.x"));
    begin(state);
    assert_true(opens_at_last(".xx.xx.xx.x"));
}

static void six_of_the_last_ten_do_not(void **state) {
    (void)state;
    assert_false(opens_at_last("xx.xx.xx..xx.xx.xx.."));
}

static void before_ten_are_known_only_a_row_counts(void **state) {
    (void)state;
    assert_false(opens_at_last("xxxx.xxxx"));
}

static void a_success_never_opens_it(void **state) {
    (void)state;
    const struct bb_breaker_rules touchy = {
        .failures = 100, .percent = 1, .open_ms = 1, .open_max_ms = 1};
    for (int i = 0; i < 9; i++)
        assert_false(bb_breaker_note(&breaker, &touchy, true, now_ms));
    assert_false(bb_breaker_note(&breaker, &touchy, false, now_ms));
    assert_true(bb_breaker_note(&breaker, &touchy, true, now_ms));
}

/* ---- while it is open ---- */

static void its_time_runs_down(void **state) {
    (void)state;
    open_it();
    assert_int_equal(bb_breaker_wait(&breaker, now_ms + 29999), 1);
    assert_int_equal(bb_breaker_wait(&breaker, now_ms + 30000), 0);
    assert_true(bb_breaker_is_probing(&breaker));
}

static void each_failed_probe_doubles_its_time_up_to_the_most(void **state) {
    (void)state;
    static const int64_t times[] = {60000, 120000, 240000, 480000, 600000, 600000, 600000};
    open_it();
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        now_ms += bb_breaker_wait(&breaker, now_ms);
        assert_true(note(true));
        assert_int_equal(bb_breaker_wait(&breaker, now_ms), times[i]);
    }
}

static void the_first_time_obeys_the_most_too(void **state) {
    (void)state;
    const struct bb_breaker_rules odd = {
        .failures = 1, .percent = 100, .open_ms = 5000, .open_max_ms = 100};
    assert_true(bb_breaker_note(&breaker, &odd, true, now_ms));
    assert_int_equal(bb_breaker_wait(&breaker, now_ms), 100);
}

static void stragglers_that_fail_do_not_lengthen_it(void **state) {
    (void)state;
    open_it();
    for (int i = 0; i < 100; i++) {
        now_ms += 100;
        assert_false(note(true));
        assert_int_equal(bb_breaker_wait(&breaker, now_ms), 30000 - 100 * (i + 1));
    }
    now_ms += 20000;
    assert_true(note(true)); /* the probe: the second time is twice the first */
    assert_int_equal(bb_breaker_wait(&breaker, now_ms), 60000);
}

static void a_probe_that_succeeds_closes_it(void **state) {
    (void)state;
    open_it();
    now_ms += 30000;
    assert_false(note(false));
    assert_false(bb_breaker_is_probing(&breaker));
    assert_true(opens_at_last("xxxxx")); /* all anew, and not sooner */
    assert_int_equal(bb_breaker_wait(&breaker, now_ms), 30000);
}

static void a_straggler_that_succeeds_closes_it_at_once(void **state) {
    (void)state;
    open_it();
    now_ms += 10;
    assert_false(note(false));
    assert_false(is_open());
    assert_false(bb_breaker_is_probing(&breaker));
}

/* ---- odd times ---- */

static void it_works_at_the_ends_of_time(void **state) {
    (void)state;
    static const int64_t times[] = {INT64_MIN, INT64_MIN + 1,     -30000,       -1,
                                    0,         INT64_MAX - 30000, INT64_MAX - 1};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        begin(state);
        now_ms = times[i];
        open_it();
        assert_true(bb_breaker_is_probing(&breaker));
        assert_in_range(bb_breaker_wait(&breaker, now_ms), 1, 30001);
        assert_false(note(true));
        now_ms = INT64_MAX;
        note(true);
        note(false);
        assert_false(bb_breaker_is_probing(&breaker));
    }
}

static void years_later_the_probe_may_go(void **state) {
    (void)state;
    open_it();
    now_ms += INT64_C(86400000) * 3650;
    assert_false(is_open());
    assert_true(bb_breaker_is_probing(&breaker));
}

/* ---- at random ---- */

static int64_t previous_open; /* how long it was open the last time; 0: it was closed since */

static void check_opening(void) {
    int64_t wait = bb_breaker_wait(&breaker, now_ms);
    int64_t expected = previous_open == 0 ? 30000 : 2 * previous_open;
    assert_int_equal(wait, expected < 600000 ? expected : 600000);
    previous_open = wait;
}

static void its_times_follow_the_rule_whatever_happens(void **state) {
    (void)state;
    uint64_t chance = 11;
    for (size_t i = 0; i < 100000 * alloc_scale(); i++) {
        now_ms += (int64_t)(bb_retry_chance(&chance) % 20000);
        bool failed = bb_retry_chance(&chance) % 10 < 8, was_open = is_open();
        bool opened = note(failed);
        if (opened)
            check_opening();
        assert_false(opened && (was_open || !failed));
        if (!bb_breaker_is_probing(&breaker))
            previous_open = 0;
        assert_true(failed || !bb_breaker_is_probing(&breaker));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_new_one_is_closed, begin),
        cmocka_unit_test_setup(five_failures_in_a_row_open_it, begin),
        cmocka_unit_test_setup(four_in_a_row_and_a_success_do_not, begin),
        cmocka_unit_test_setup(seven_of_the_last_ten_open_it, begin),
        cmocka_unit_test_setup(six_of_the_last_ten_do_not, begin),
        cmocka_unit_test_setup(before_ten_are_known_only_a_row_counts, begin),
        cmocka_unit_test_setup(a_success_never_opens_it, begin),
        cmocka_unit_test_setup(its_time_runs_down, begin),
        cmocka_unit_test_setup(each_failed_probe_doubles_its_time_up_to_the_most, begin),
        cmocka_unit_test_setup(the_first_time_obeys_the_most_too, begin),
        cmocka_unit_test_setup(stragglers_that_fail_do_not_lengthen_it, begin),
        cmocka_unit_test_setup(a_probe_that_succeeds_closes_it, begin),
        cmocka_unit_test_setup(a_straggler_that_succeeds_closes_it_at_once, begin),
        cmocka_unit_test_setup(it_works_at_the_ends_of_time, begin),
        cmocka_unit_test_setup(years_later_the_probe_may_go, begin),
        cmocka_unit_test_setup(its_times_follow_the_rule_whatever_happens, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
