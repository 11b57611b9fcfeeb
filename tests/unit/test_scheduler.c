/* Who is served when: fairness, limits, and receivers that hang, in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/alloc.h"
#include "support/simulator.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

/* ---- receivers ---- */

static sim_reply healthy(sim_hook *hook) {
    (void)hook;
    return sim_success(5 + (int64_t)sim_below(5));
}

static sim_reply hanging(sim_hook *hook) {
    (void)hook;
    return sim_timeout();
}

static sim_reply sluggish(sim_hook *hook) {
    (void)hook;
    return sim_success(3 * SECOND);
}

/* Hangs until its state is 0. Until it has answered, it is asked one thing at a time, and then two
 * for each answer. */
static sim_reply returning(sim_hook *hook) {
    assert_true(hook->lane.flow.in_flight <= (hook->delivered < 3 ? 1u << hook->delivered : 8));
    return hook->state ? sim_timeout() : sim_success(20);
}

static bool is_healthy(const sim_hook *hook) {
    return hook->receiver == healthy;
}

/* ---- fairness ---- */

static void a_single_one_is_served_beside_a_hundred_thousand(void **state) {
    (void)state;
    sim_begin(512, 1);
    sim_hook *crowd = sim_add(BB_CUSTOM, healthy), *single = sim_add(BB_CUSTOM, healthy);
    sim_put(crowd, 100000);
    sim_run(world.now_ms + 1000);
    size_t record = sim_put(single, 1);
    sim_run(world.now_ms + 20);
    assert_true(world.records[record].first_ms - world.records[record].put_ms <= 1);
    assert_true(world.records[record].end_ms >= 0);
    assert_true(crowd->delivered < 10000); /* most of it still waits */
}

static void among_many_crowds_each_has_the_same_share(void **state) {
    (void)state;
    enum { CROWDS = 50 };
    sim_begin(16, 1);
    for (int i = 0; i < CROWDS; i++)
        sim_put(sim_add(BB_CUSTOM, healthy), i == 0 ? 50000 : 1000);
    sim_run(world.now_ms + 2 * SECOND);
    uint32_t least = UINT32_MAX, most = 0;
    for (size_t i = 0; i < CROWDS; i++) {
        uint32_t attempts = world.hooks[i]->attempts;
        least = attempts < least ? attempts : least;
        most = attempts > most ? attempts : most;
    }
    assert_true(least > 0);
    assert_in_range(most, least, least + least / 4 + 2);
    assert_int_equal(world.most_in_flight, 16);
}

static void a_new_one_waits_for_no_whole_crowd(void **state) {
    (void)state;
    sim_begin(4, 1); /* the slots are the bottleneck */
    for (int i = 0; i < 10; i++)
        sim_put(sim_add(BB_CUSTOM, healthy), 1000);
    sim_run(world.now_ms + SECOND);
    size_t record = sim_put(sim_add(BB_CUSTOM, healthy), 1);
    size_t before = world.flown;
    sim_run(world.now_ms + SECOND);
    assert_true(world.records[record].end_ms - world.records[record].put_ms < 100);
    assert_true(world.flown - before > 100);
}

/* ---- limits ---- */

static void no_limit_on_what_is_under_way_is_passed(void **state) {
    (void)state;
    static const uint32_t limits[] = {1, 2, 3, 4, 7, 64, 512};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        sim_begin(limits[i], i);
        for (int k = 0; k < 100; k++) {
            sim_hook *hook = sim_add(k % 3 ? BB_CUSTOM : BB_SLACK, k % 2 ? healthy : sluggish);
            hook->webhook.max_in_flight = k % 5 == 0 ? 3 : 0;
            sim_configure(hook);
            sim_put(hook, 40);
        }
        sim_run_dry(); /* which checks all of them */
        assert_int_equal(world.most_in_flight, limits[i] < 400 ? limits[i] : world.most_in_flight);
        for (size_t k = 0; k < 100; k++)
            assert_true(world.hooks[k]->most_at_once <= (k % 5 == 0 ? 3u : k % 3 == 0 ? 1u : 8u));
        sim_must_be_over();
    }
}

static void a_crowd_uses_all_the_room_of_its_webhook(void **state) {
    (void)state;
    sim_begin(512, 1);
    sim_hook *hook = sim_add(BB_CUSTOM, healthy);
    sim_put(hook, 1000);
    sim_run_dry();
    assert_int_equal(hook->most_at_once, 8);
    assert_true(world.now_ms < 1000 + 1500); /* 1000 of 7 ms, eight at once, and no gaps */
    sim_must_be_over();
}

/* ---- slow and unknown ones ---- */

static void slow_ones_have_at_most_half(void **state) {
    (void)state;
    sim_begin(64, 1);
    for (int i = 0; i < 100; i++)
        sim_put(sim_add(BB_CUSTOM, sluggish), 1);
    sim_run_dry(); /* now they are known, and slow */
    sim_must_be_over();
    world.most_slow = 0;
    for (size_t i = 0; i < 100; i++)
        sim_put(world.hooks[i], 20);
    int64_t start = world.now_ms;
    sim_run_dry();
    assert_int_equal(world.most_slow, 32);
    assert_true(world.now_ms - start < (2000 / 32 + 2) * 3 * SECOND); /* and do use it */
    sim_must_be_over();
}

static void unknown_hanging_ones_leave_a_quarter_to_the_known(void **state) {
    (void)state;
    sim_begin(512, 1);
    sim_hook *known = sim_add(BB_CUSTOM, healthy);
    sim_put(known, 5);
    sim_run_dry();
    for (int i = 0; i < 600; i++)
        sim_put(sim_add(BB_CUSTOM, hanging), 3);
    sim_run(world.now_ms + 10);
    assert_int_equal(world.most_unknown, 384);
    for (int i = 0; i < 1000; i++) {
        sim_put(known, 1);
        sim_run(world.now_ms + 20);
    }
    assert_int_equal(known->delivered, 1005);
    assert_true(sim_percentile(100, is_healthy) == INT64_MAX ||
                sim_percentile(99, is_healthy) <= 20);
    assert_true(world.most_in_flight <= 384 + 8);
}

static void a_new_healthy_one_is_served_beside_unknown_hanging_ones(void **state) {
    (void)state;
    sim_begin(512, 1);
    for (int i = 0; i < 300; i++)
        sim_put(sim_add(BB_CUSTOM, hanging), 3);
    sim_run(world.now_ms + 500);
    size_t record = sim_put(sim_add(BB_CUSTOM, healthy), 1);
    sim_run(world.now_ms + 50);
    assert_true(world.records[record].end_ms >= 0);
}

static void one_that_answers_quickly_again_is_slow_no_more(void **state) {
    (void)state;
    sim_begin(512, 1);
    sim_hook *hook = sim_add(BB_CUSTOM, sluggish);
    sim_put(hook, 1);
    sim_run_dry();
    assert_true(hook->lane.flow.is_slow); /* though nobody looked while it was under way */
    hook->receiver = healthy;
    sim_put(hook, 1);
    sim_run_dry();
    assert_false(hook->lane.flow.is_slow);
    sim_must_be_over();
}

/* Longer than makes a webhook a slow one. */
static sim_reply unhurried(sim_hook *hook) {
    (void)hook;
    return sim_success(150);
}

static bool is_unhurried(const sim_hook *hook) {
    return hook->receiver == unhurried;
}

static void hanging_ones_leave_room_for_those_that_take_their_time(void **state) {
    enum { SLOTS = 64, HANGING = 40, UNHURRIED = 10, EACH = 20 };
    (void)state;
    sim_begin(SLOTS, 17);
    for (int i = 0; i < HANGING; i++)
        sim_put(sim_add(BB_CUSTOM, hanging), EACH);
    for (int i = 0; i < UNHURRIED; i++)
        sim_put(sim_add(BB_CUSTOM, unhurried), EACH);
    sim_run(world.now_ms + 10 * SECOND); /* before any of the hanging ones has timed out */
    assert_in_range(sim_percentile(99, is_unhurried), 150, 4 * SECOND);
    for (size_t i = HANGING; i < HANGING + UNHURRIED; i++)
        assert_int_equal(world.hooks[i]->delivered, EACH);
    sim_check_counters();
}

/* ---- a thousand webhooks, a hundred hang ---- */

static size_t undelivered_healthy(void) {
    size_t count = 0;
    for (size_t i = 0; i < world.record_count; i++)
        count += is_healthy(world.records[i].hook) && world.records[i].end_ms < 0;
    return count;
}

/* 2,000 events a second to any of them, as in the experiment that the rules come from. `warm`:
 * those that hang have answered once. */
static int64_t run_thousand(bool some_hang, uint32_t max_in_flight, bool warm) {
    sim_begin(max_in_flight, 99);
    for (int i = 0; i < 1000; i++) {
        sim_put(sim_add(BB_CUSTOM, healthy), warm);
        sim_run(world.now_ms + 1);
    }
    sim_run(world.now_ms + 10);
    for (size_t i = 0; some_hang && i < 1000; i += 10)
        world.hooks[i]->receiver = hanging;
    uint64_t chance = 7;
    for (int event = 0; event < 40000; event++) {
        size_t to = bb_retry_chance(&chance) % 1000;
        if (some_hang || to % 10 != 0)
            sim_put(world.hooks[to], 1);
        sim_run(world.now_ms + event % 2);
    }
    sim_run(world.now_ms + 100);
    assert_int_equal(undelivered_healthy(), 0);
    sim_check_counters();
    return sim_percentile(99, is_healthy);
}

static void compare(uint32_t max_in_flight, bool warm) {
    int64_t alone = run_thousand(false, max_in_flight, warm);
    int64_t beside = run_thousand(true, max_in_flight, warm);
    print_message("p99 of 900 healthy webhooks: %d ms, beside 100 that hang %d ms\n", (int)alone,
                  (int)beside);
    assert_true(beside <= alone * 12 / 10 + 3);
}

static void a_hundred_hanging_ones_delay_nobody(void **state) {
    (void)state;
    compare(512, false);
}

static void nor_do_they_with_few_slots_when_the_others_are_known(void **state) {
    (void)state;
    compare(192, true); /* each of the 100 takes one before it shows */
}

/* All at once, nothing known of anybody: an event that goes to everyone. */
static void a_fan_out_to_a_thousand_unknown_ones_is_not_held_up(void **state) {
    (void)state;
    sim_begin(512, 1);
    for (int i = 0; i < 1000; i++)
        sim_add(BB_CUSTOM, i % 10 == 0 ? hanging : healthy);
    for (size_t i = 0; i < 1000; i++)
        sim_put(world.hooks[i], 1);
    sim_run(world.now_ms + 200);
    assert_int_equal(undelivered_healthy(), 0);
    assert_true(sim_percentile(99, is_healthy) < 50);
}

/* ---- one that returns ---- */

static void a_returning_one_is_met_by_one_probe_then_gradually(void **state) {
    (void)state;
    sim_begin(512, 1);
    sim_hook *hook = sim_add(BB_CUSTOM, returning);
    hook->state = 1;
    for (int i = 0; i < 600; i++) {
        sim_put(hook, 1);
        sim_run(world.now_ms + SECOND);
    }
    assert_int_equal(hook->most_at_once, 1);
    assert_in_range(hook->attempts, 5, 25); /* not six hundred */
    hook->state = 0;
    uint32_t before = hook->attempts;
    while (hook->delivered == 0)
        sim_run(world.now_ms + 1);
    assert_in_range(hook->attempts - before, 1, 4);
    assert_int_equal(hook->most_at_once, 2);
    sim_run_dry();
    assert_int_equal(hook->most_at_once, 8);
    assert_int_equal(hook->delivered + hook->dead, 600);
    sim_must_be_over();
}

static void a_broken_one_is_not_asked_before_its_time(void **state) {
    (void)state;
    sim_begin(512, 1);
    sim_hook *hook = sim_add(BB_CUSTOM, returning);
    hook->state = 1;
    sim_put(hook, 100);
    sim_run(world.now_ms + 24 * HOUR); /* sim_run checks that it is not */
    assert_true(hook->attempts < 24 * 6 + 10);
    assert_true(hook->attempts > 24 * 5);
}

#define SIM_TEST(test) cmocka_unit_test_teardown(test, sim_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        SIM_TEST(a_single_one_is_served_beside_a_hundred_thousand),
        SIM_TEST(among_many_crowds_each_has_the_same_share),
        SIM_TEST(a_new_one_waits_for_no_whole_crowd),
        SIM_TEST(no_limit_on_what_is_under_way_is_passed),
        SIM_TEST(a_crowd_uses_all_the_room_of_its_webhook),
        SIM_TEST(slow_ones_have_at_most_half),
        SIM_TEST(unknown_hanging_ones_leave_a_quarter_to_the_known),
        SIM_TEST(a_new_healthy_one_is_served_beside_unknown_hanging_ones),
        SIM_TEST(hanging_ones_leave_room_for_those_that_take_their_time),
        SIM_TEST(one_that_answers_quickly_again_is_slow_no_more),
        SIM_TEST(a_hundred_hanging_ones_delay_nobody),
        SIM_TEST(nor_do_they_with_few_slots_when_the_others_are_known),
        SIM_TEST(a_fan_out_to_a_thousand_unknown_ones_is_not_held_up),
        SIM_TEST(a_returning_one_is_met_by_one_probe_then_gradually),
        SIM_TEST(a_broken_one_is_not_asked_before_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
