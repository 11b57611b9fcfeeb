/* Webhooks that are paused, disabled, removed; times that jump; and everything at random. */
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
    return sim_success(7);
}

static sim_reply failing(sim_hook *hook) {
    (void)hook;
    return sim_failure(7);
}

static sim_reply hanging(sim_hook *hook) {
    (void)hook;
    return sim_timeout();
}

static sim_reply gone(sim_hook *hook) {
    (void)hook;
    sim_reply reply = sim_failure(7);
    reply.outcome.verdict = BB_DEAD;
    reply.outcome.advice = BB_ADVICE_DISABLE;
    return reply;
}

/* Once, then healthy. */
static sim_reply put_off_once(sim_hook *hook) {
    sim_reply reply = hook->state++ ? sim_success(7) : sim_failure(7);
    if (reply.outcome.verdict == BB_RETRY) {
        reply.outcome.advice = BB_ADVICE_PAUSE;
        reply.outcome.retry_after_ms = HOUR;
    }
    return reply;
}

static void begin(void) {
    sim_begin(512, 3);
}

/* ---- disabled and paused ---- */

static void what_waits_for_a_disabled_one_goes_on_when_it_is_enabled(void **state) {
    (void)state;
    begin();
    sim_hook *hook = sim_add(BB_CUSTOM, gone);
    sim_put(hook, 100);
    sim_run(world.now_ms + 1000 * (int64_t)DAY);
    assert_int_equal(hook->attempts, 1);
    sim_put(hook, 10);
    assert_true(sim_is_idle());
    hook->receiver = healthy;
    sim_clear(hook);
    assert_false(sim_is_idle());
    sim_run(world.now_ms + SECOND);
    assert_int_equal(hook->delivered, 109);
    sim_must_be_over();
}

static void what_waits_for_a_disabled_one_ends_at_its_age_limit(void **state) {
    (void)state;
    begin();
    sim_hook *hook = sim_add(BB_CUSTOM, gone);
    hook->webhook.age_limit_s = 3600;
    sim_configure(hook);
    sim_put(hook, 3);
    sim_run(world.now_ms + 30 * MINUTE);
    size_t later = sim_put(hook, 2);
    sim_run(world.records[1].put_ms + HOUR - 1);
    assert_int_equal(hook->expired, 0);
    sim_run(world.now_ms + 1);
    assert_int_equal(hook->expired, 2);
    sim_run_dry();
    assert_int_equal(hook->expired, 4);
    assert_int_equal(world.records[later].end_ms - world.records[later].put_ms, HOUR);
    sim_must_be_over();
}

static void each_kind_of_stop_lets_what_is_too_old_out(void **state) {
    (void)state;
    static const sim_receiver receivers[] = {gone, put_off_once, failing};
    for (size_t i = 0; i < 3; i++) {
        begin();
        sim_hook *hook = sim_add(BB_CUSTOM, receivers[i]);
        hook->webhook.age_limit_s = 45;
        sim_configure(hook);
        sim_put(hook, 20);
        sim_run_dry();
        for (size_t k = 0; k < world.record_count; k++)
            assert_in_range(world.records[k].end_ms - world.records[k].put_ms, 0, 45 * SECOND);
        assert_true(hook->expired > 0);
        sim_must_be_over();
    }
}

static void a_paused_one_waits_and_goes_on_by_itself(void **state) {
    (void)state;
    begin();
    sim_hook *hook = sim_add(BB_CUSTOM, put_off_once);
    sim_put(hook, 50);
    sim_run(world.now_ms + HOUR);
    assert_int_equal(hook->attempts, 1);
    assert_true(sim_is_idle());
    sim_run(world.now_ms + SECOND);
    assert_int_equal(hook->delivered, 50);
    sim_must_be_over();
}

static void a_pause_of_the_type_stops_all_of_it(void **state) {
    (void)state;
    begin();
    for (int i = 0; i < 10; i++)
        sim_put(sim_add(BB_CUSTOM, healthy), 3);
    bb_flow_pause(&world.type_pause.until_ms, MINUTE, world.now_ms);
    sim_run(1000 + MINUTE - 1);
    assert_int_equal(world.flown, 0);
    sim_run_dry();
    assert_int_equal(world.flown, 30);
    assert_true(world.now_ms < 1000 + MINUTE + SECOND);
    sim_must_be_over();
}

/* Five fail while a sixth is still under way; that one is answered well. */
static sim_reply one_of_six_is_late(sim_hook *hook) {
    if (world.flown < 3 || hook->attempts > 11)
        return sim_success(7);
    return hook->state++ == 0 ? sim_success(5 * SECOND) : sim_failure(10);
}

static void a_late_success_lets_go_on_what_the_breaker_held_up(void **state) {
    (void)state;
    begin();
    sim_hook *hook = sim_add(BB_CUSTOM, one_of_six_is_late);
    sim_put(hook, 3);
    sim_run_dry();
    sim_put(hook, 30);
    sim_run(world.now_ms + SECOND);
    assert_true(bb_breaker_wait(&hook->lane.flow.breaker, world.now_ms) > 20 * SECOND);
    uint32_t before = hook->delivered;
    sim_run(world.now_ms + 5 * SECOND);
    assert_true(hook->delivered > before + 10);
    sim_run_dry();
    sim_must_be_over();
}

/* ---- removed ---- */

static void must_be_removed(sim_hook *hook, uint32_t removed) {
    assert_int_equal(hook->removed, removed);
    assert_true(hook->is_closed);
    assert_null(hook->lane.queue);
    sim_must_be_over();
}

static void all_that_waits_for_a_removed_one_comes_out_at_once(void **state) {
    (void)state;
    static const size_t counts[] = {0, 1, 2, 100};
    for (size_t i = 0; i < 4; i++) {
        begin();
        sim_hook *hook = sim_add(BB_CUSTOM, healthy);
        sim_put(hook, counts[i]);
        sim_remove(hook);
        sim_run(world.now_ms);
        must_be_removed(hook, (uint32_t)counts[i]);
    }
}

static void also_what_was_to_be_retried_in_hours(void **state) {
    (void)state;
    begin();
    sim_hook *hook = sim_add(BB_CUSTOM, failing);
    sim_put(hook, 4);
    sim_run(world.now_ms + HOUR);
    sim_remove(hook);
    sim_run(world.now_ms);
    must_be_removed(hook, 4);
}

static void also_of_a_disabled_a_paused_and_a_broken_one(void **state) {
    (void)state;
    static const sim_receiver receivers[] = {gone, put_off_once, failing};
    for (size_t i = 0; i < 3; i++) {
        begin();
        sim_hook *hook = sim_add(BB_CUSTOM, receivers[i]);
        sim_put(hook, 50);
        sim_run(world.now_ms + MINUTE);
        sim_remove(hook);
        sim_run(world.now_ms);
        must_be_removed(hook, 50 - hook->dead);
    }
}

static void also_while_some_of_it_is_under_way(void **state) {
    (void)state;
    for (size_t waiting = 0; waiting < 3; waiting++) {
        begin();
        sim_hook *hook = sim_add(BB_CUSTOM, hanging);
        sim_put(hook, 1 + waiting);
        sim_run(world.now_ms + SECOND);
        sim_remove(hook);
        sim_run(world.now_ms + SECOND);
        assert_int_equal(hook->removed, waiting);
        assert_false(hook->is_closed);
        sim_run(world.now_ms + 15 * SECOND);
        must_be_removed(hook, (uint32_t)waiting);
        assert_int_equal(hook->dead, 1);
    }
}

static void also_while_it_waits_for_a_slot_of_its_kind(void **state) {
    (void)state;
    sim_begin(8, 1);
    for (int i = 0; i < 30; i++)
        sim_put(sim_add(BB_CUSTOM, hanging), 2);
    sim_run(world.now_ms + 20 * SECOND);
    for (size_t i = 0; i < 30; i++)
        sim_remove(world.hooks[i]);
    sim_run_dry();
    for (size_t i = 0; i < 30; i++)
        assert_true(world.hooks[i]->is_closed);
    sim_must_be_over();
}

static void also_while_it_waits_within_its_rate(void **state) {
    (void)state;
    begin();
    sim_hook *hook = sim_add(BB_SLACK, healthy);
    sim_put(hook, 10);
    sim_run(world.now_ms + 2 * SECOND);
    uint32_t before = hook->delivered;
    assert_false(sim_is_idle());
    sim_remove(hook);
    sim_run(world.now_ms);
    must_be_removed(hook, 10 - before);
}

static void it_is_not_closed_while_somebody_puts(void **state) {
    (void)state;
    begin();
    sim_hook *hook = sim_add(BB_CUSTOM, healthy);
    sim_put(hook, 2);
    hook->lane.puts = 1;
    sim_remove(hook);
    sim_run(world.now_ms);
    assert_int_equal(hook->removed, 2);
    assert_false(hook->is_closed);
    sim_put(hook, 1);
    hook->lane.puts = 0;
    world.store->vtable->wake(world.store, hook->lane.queue); /* as enqueue does */
    sim_run(world.now_ms);
    must_be_removed(hook, 3);
}

/* ---- idle ---- */

static void what_waits_within_a_rate_is_not_idle(void **state) {
    (void)state;
    begin();
    sim_hook *hook = sim_add(BB_DINGTALK, healthy);
    sim_put(hook, 25);
    sim_run(world.now_ms + 10 * SECOND);
    assert_int_equal(hook->delivered, 20);
    assert_false(sim_is_idle());
    sim_run(world.now_ms + MINUTE);
    assert_int_equal(hook->delivered, 25);
    sim_must_be_over();
}

static void what_waits_for_a_retry_or_a_pause_is_idle(void **state) {
    (void)state;
    begin();
    sim_put(sim_add(BB_CUSTOM, failing), 1);
    sim_put(sim_add(BB_CUSTOM, put_off_once), 5);
    assert_false(sim_is_idle());
    sim_run(world.now_ms + SECOND);
    assert_true(sim_is_idle());
}

/* What was to be sent within the rate goes away, while something else waits for hours. */
static void a_rate_that_nobody_waits_for_any_more_is_idle(void **state) {
    (void)state;
    begin();
    sim_hook *hook = sim_add(BB_SLACK, failing);
    sim_put(hook, 1);
    sim_run(world.now_ms + 10 * SECOND); /* its third attempt comes in five minutes */
    hook->receiver = healthy;
    sim_put(hook, 1);
    sim_run(world.now_ms + 100);
    assert_int_equal(hook->delivered, 1);
    sim_clear(hook); /* looked at, though nothing is due */
    sim_run(world.now_ms + 2 * SECOND);
    assert_int_equal(world.store->vtable->counts(world.store).waiting, 1);
    assert_true(sim_is_idle());
    sim_run_dry();
    sim_must_be_over();
}

static void what_waits_for_a_post_to_end_is_not_idle(void **state) {
    (void)state;
    begin();
    sim_hook *hook = sim_add(BB_SLACK, healthy);
    bb_window_begin(&hook->lane.flow.window);
    sim_put(hook, 1);
    sim_run(world.now_ms + 5 * SECOND);
    assert_int_equal(hook->attempts, 0);
    assert_false(sim_is_idle());
    bb_window_end(&hook->lane.flow.window, true, world.now_ms);
    bb_scheduler_unblock(&world.scheduler, &hook->lane);
    sim_run(world.now_ms + 2 * SECOND);
    assert_int_equal(hook->delivered, 1);
    sim_must_be_over();
}

/* ---- time ---- */

static void a_clock_that_jumps_a_year_ends_waits_and_ages(void **state) {
    (void)state;
    begin();
    sim_hook *chat = sim_add(BB_DINGTALK, healthy), *custom = sim_add(BB_CUSTOM, put_off_once);
    sim_put(chat, 25);
    sim_put(custom, 5);
    sim_put(sim_add(BB_CUSTOM, hanging), 2);
    sim_run(world.now_ms + SECOND);
    world.now_ms += 365 * (int64_t)DAY; /* nothing happened in between */
    sim_run(world.now_ms + SECOND);
    assert_int_equal(chat->delivered, 20);
    assert_int_equal(chat->expired, 5);
    assert_int_equal(custom->delivered, 5);
    sim_run_dry();
    sim_must_be_over();
}

static void a_put_from_a_moment_ahead_is_waited_for(void **state) {
    (void)state;
    begin();
    sim_hook *hook = sim_add(BB_SLACK, healthy);
    for (int i = 0; i < 5; i++) {
        world.now_ms++;
        sim_put(hook, 1);
        world.now_ms--;
        sim_run(world.now_ms);
    }
    sim_run_dry();
    assert_int_equal(hook->delivered, 5);
    sim_must_be_over();
}

static void an_order_is_kept_over_retries(void **state) {
    (void)state;
    begin();
    sim_hook *hook = sim_add(BB_CUSTOM, failing);
    hook->order_key = 1;
    sim_put(hook, 50);
    sim_run(world.now_ms + HOUR);
    assert_in_range(hook->attempts, 2, 5); /* all of the first one */
    hook->receiver = healthy;
    sim_run_dry(); /* which checks the order */
    assert_int_equal(hook->most_at_once, 1);
    assert_int_equal(hook->delivered, 50);
    sim_must_be_over();
}

/* ---- everything at random ---- */

static void any_verdict(bb_outcome *outcome) {
    static const bb_verdict verdicts[] = {BB_DELIVERED, BB_DELIVERED, BB_DELIVERED, BB_RETRY,
                                          BB_RETRY,     BB_DEAD,      BB_UNKNOWN};
    outcome->verdict = verdicts[sim_below(7)];
    outcome->http_status = outcome->verdict == BB_UNKNOWN || sim_below(5) == 0 ? 0 : 200;
    if (sim_below(20) == 0) {
        outcome->advice = BB_ADVICE_PAUSE;
        outcome->retry_after_ms = SECOND + (int64_t)sim_below(sim_below(5) ? MINUTE : DAY);
        outcome->whole_type = sim_below(30) == 0;
    } else if (sim_below(300) == 0) {
        outcome->advice = BB_ADVICE_DISABLE;
    }
}

static sim_reply any_reply(sim_hook *hook) {
    sim_reply reply = {.latency_ms = (int64_t)sim_below(sim_below(4) ? 90 : 20 * SECOND)};
    (void)hook;
    any_verdict(&reply.outcome);
    reply.is_unsent = reply.outcome.http_status == 0 && sim_below(2);
    return reply;
}

static void change(sim_hook *hook) {
    hook->webhook.max_in_flight = (uint32_t)sim_below(10);
    hook->webhook.rate_count = (uint32_t)sim_below(4);
    hook->webhook.rate_period_ms = 1 + (uint32_t)sim_below(5000);
    hook->webhook.age_limit_s = (uint32_t)sim_below(3) * 1000;
    hook->webhook.max_attempts = (uint32_t)sim_below(6);
    sim_configure(hook);
    sim_clear(hook);
}

static void add_any(void) {
    sim_hook *hook = sim_add((bb_type)(BB_SLACK + sim_below(7)), any_reply);
    hook->order_key = sim_below(4) == 0;
}

static void do_anything(void) {
    sim_hook *hook = world.hooks[sim_below(world.hook_count)];
    bool is_removed = hook->lane.is_removed;
    uint64_t what = sim_below(100);
    if (what < 45 && !is_removed)
        sim_put(hook, 1 + sim_below(5));
    else if (what < 90)
        sim_run(world.now_ms + (int64_t)sim_below(what < 85 ? 300 : 20 * MINUTE));
    else if (what < 92 && !is_removed)
        sim_clear(hook);
    else if (what < 94 && !is_removed)
        change(hook);
    else if (what == 94 && !is_removed)
        sim_remove(hook);
    else if (what == 95 && world.hook_count < 60)
        add_any();
    else if (what == 96)
        world.now_ms += (int64_t)sim_below(sim_below(20) ? MINUTE : DAY);
}

static void enable_all(void) {
    for (size_t i = 0; i < world.hook_count; i++) {
        world.hooks[i]->receiver = healthy;
        if (!world.hooks[i]->lane.is_removed)
            sim_clear(world.hooks[i]);
    }
    world.type_pause.until_ms = 0;
}

static void live_and_end(uint32_t max_in_flight, uint64_t seed, size_t steps) {
    sim_begin(max_in_flight, seed);
    for (int i = 0; i < 12; i++)
        add_any();
    for (size_t i = 0; i < steps; i++) {
        do_anything();
        sim_check_counters();
    }
    enable_all();
    sim_run(world.now_ms + MINUTE); /* what was under way may have disabled one again */
    enable_all();
    sim_run_dry();
    for (size_t i = 0; i < world.hook_count; i++)
        assert_int_equal(world.hooks[i]->is_closed, world.hooks[i]->lane.is_removed);
    sim_must_be_over();
}

static void with_everything_at_random_each_delivery_ends_once(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 100 * alloc_scale(); seed++)
        live_and_end(seed % 3 ? 3 + (uint32_t)seed % 20 : 512, seed, 2000);
}

#define SIM_TEST(test) cmocka_unit_test_teardown(test, sim_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        SIM_TEST(what_waits_for_a_disabled_one_goes_on_when_it_is_enabled),
        SIM_TEST(what_waits_for_a_disabled_one_ends_at_its_age_limit),
        SIM_TEST(each_kind_of_stop_lets_what_is_too_old_out),
        SIM_TEST(a_paused_one_waits_and_goes_on_by_itself),
        SIM_TEST(a_pause_of_the_type_stops_all_of_it),
        SIM_TEST(a_late_success_lets_go_on_what_the_breaker_held_up),
        SIM_TEST(all_that_waits_for_a_removed_one_comes_out_at_once),
        SIM_TEST(also_what_was_to_be_retried_in_hours),
        SIM_TEST(also_of_a_disabled_a_paused_and_a_broken_one),
        SIM_TEST(also_while_some_of_it_is_under_way),
        SIM_TEST(also_while_it_waits_for_a_slot_of_its_kind),
        SIM_TEST(also_while_it_waits_within_its_rate),
        SIM_TEST(it_is_not_closed_while_somebody_puts),
        SIM_TEST(what_waits_within_a_rate_is_not_idle),
        SIM_TEST(what_waits_for_a_retry_or_a_pause_is_idle),
        SIM_TEST(a_rate_that_nobody_waits_for_any_more_is_idle),
        SIM_TEST(what_waits_for_a_post_to_end_is_not_idle),
        SIM_TEST(a_clock_that_jumps_a_year_ends_waits_and_ages),
        SIM_TEST(a_put_from_a_moment_ahead_is_waited_for),
        SIM_TEST(an_order_is_kept_over_retries),
        SIM_TEST(with_everything_at_random_each_delivery_ends_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
