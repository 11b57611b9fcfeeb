/* Sliding windows against an adversary: a message arrives whenever it hurts most. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>

#include "delivery/retry.h"
#include "delivery/window.h"
#include "support/alloc.h"

enum { MESSAGES = 1500, MINUTE = 60000 };

typedef struct message {
    int64_t begin_ms;
    int64_t end_ms;
    bool is_unsent;
    bool is_over;
} message;

/* A webhook that always has more to send, `most` at once. */
static struct {
    struct bb_window window;
    message messages[MESSAGES];
    size_t count;
    size_t most, open;
    int64_t now_ms;
    uint64_t chance;
    int64_t latency_ms; /* at most */
    bool loses_some;    /* sometimes nothing is sent */
} run;

static void begin(const struct bb_rate rates[BB_RATES], size_t most, int64_t latency_ms,
                  uint64_t seed) {
    run.count = run.open = 0;
    run.most = most;
    run.now_ms = 1000000;
    run.chance = seed;
    run.latency_ms = latency_ms;
    run.loses_some = false;
    assert_true(bb_window_init(&run.window, alloc_library(), rates));
}

static void end(void) {
    bb_window_free(&run.window, alloc_library());
    assert_int_equal(alloc_live(), 0);
}

static uint64_t below(uint64_t most) {
    return bb_retry_chance(&run.chance) % most;
}

/* ---- running ---- */

static int64_t next_end(void) {
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < run.count; i++)
        if (!run.messages[i].is_over && run.messages[i].end_ms < next)
            next = run.messages[i].end_ms;
    return next;
}

static void end_due(void) {
    for (size_t i = 0; i < run.count; i++) {
        message *m = &run.messages[i];
        if (m->is_over || m->end_ms > run.now_ms)
            continue;
        m->is_over = true;
        bb_window_end(&run.window, !m->is_unsent, run.now_ms);
        run.open--;
    }
}

static int64_t any_latency(void) {
    if (run.latency_ms == 0 || below(4) == 0)
        return 1;
    return 1 + (int64_t)below((uint64_t)run.latency_ms);
}

static void send(void) {
    bb_window_begin(&run.window);
    run.messages[run.count++] = (message){.begin_ms = run.now_ms,
                                          .end_ms = run.now_ms + any_latency(),
                                          .is_unsent = run.loses_some && below(3) == 0};
    run.open++;
}

static void send_all(size_t count) {
    while (run.count < count) {
        int64_t wait = bb_window_wait(&run.window, run.now_ms), ends = next_end();
        if (wait == 0 && run.open < run.most) {
            send();
            continue;
        }
        int64_t free_ms = wait == INT64_MAX || wait == 0 ? INT64_MAX : run.now_ms + wait;
        assert_true(wait != INT64_MAX || run.open > 0);
        run.now_ms = ends < free_ms ? ends : free_ms;
        end_due();
    }
}

/* ---- judging ---- */

/* The most that the receiver can have seen within one period: each message arrived at the moment
 * between its begin and its end that is worst. */
static size_t worst_window(int64_t period_ms) {
    size_t worst = 0;
    for (size_t k = 0; k < run.count; k++) {
        int64_t from = run.messages[k].end_ms, to = from + period_ms;
        size_t seen = 0;
        for (size_t i = 0; i < run.count; i++)
            seen += !run.messages[i].is_unsent && run.messages[i].end_ms >= from &&
                    run.messages[i].begin_ms <= to;
        worst = seen > worst ? seen : worst;
    }
    return worst;
}

static void within(const struct bb_rate rates[BB_RATES]) {
    for (size_t i = 0; i < BB_RATES; i++)
        if (rates[i].count)
            assert_in_range(worst_window(rates[i].period_ms), 0, rates[i].count);
}

/* How long `count` messages may take: each period and margin, and the latency of one, see a full
 * count. */
static int64_t longest(const struct bb_rate *rate, size_t count) {
    int64_t period = rate->period_ms + rate->period_ms / 20 + 1;
    return (int64_t)(count / rate->count + 1) * (period + run.latency_ms + 1);
}

static const struct bb_rate limits[][BB_RATES] = {
    {{1, 1000}}, {{5, 2000}}, {{4, 1000}},  {{20, MINUTE}},    {{5, 1000}, {100, MINUTE}},
    {{1, 1}},    {{3, 7}},    {{1000, 50}}, {{2, 10}, {3, 20}}};
enum { LIMITS = sizeof limits / sizeof *limits };

/* ---- tests ---- */

static void no_period_at_the_receiver_holds_more_than_the_limit(void **state) {
    (void)state;
    static const int64_t latencies[] = {0, 10, 900, 15000, 100000};
    for (size_t i = 0; i < LIMITS; i++)
        for (size_t l = 0; l < 5; l++)
            for (size_t most = 1; most <= 8; most += 7) {
                begin(limits[i], most, latencies[l], i * 100 + l * 10 + most);
                send_all(300);
                within(limits[i]);
                end();
            }
}

static void random_limits_hold(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 60 * alloc_scale(); seed++) {
        uint64_t chance = seed;
        struct bb_rate rates[BB_RATES];
        for (size_t i = 0; i < BB_RATES; i++) {
            rates[i].count = (uint32_t)(bb_retry_chance(&chance) % 30 + i);
            rates[i].period_ms = (uint32_t)(1 + bb_retry_chance(&chance) % 3000);
        }
        begin(rates, 1 + bb_retry_chance(&chance) % 40, (int64_t)(bb_retry_chance(&chance) % 2000),
              seed);
        run.loses_some = seed % 2;
        send_all(250);
        within(rates);
        end();
    }
}

static void a_limit_is_not_needlessly_slow(void **state) {
    (void)state;
    for (size_t i = 0; i < LIMITS; i++) {
        begin(limits[i], SIZE_MAX, 500, i);
        int64_t start = run.now_ms;
        send_all(MESSAGES);
        const struct bb_rate *slow = limits[i][1].count ? &limits[i][1] : &limits[i][0];
        int64_t most = longest(&limits[i][0], MESSAGES);
        most = longest(slow, MESSAGES) > most ? longest(slow, MESSAGES) : most;
        assert_in_range(run.now_ms - start, 0, most);
        end();
    }
}

static void of_25_at_once_dingtalk_gets_20_in_the_first_minute(void **state) {
    (void)state;
    begin(limits[3], 1, 0, 1);
    int64_t start = run.now_ms;
    send_all(25);
    assert_true(run.messages[19].begin_ms - start < 1000);
    assert_true(run.messages[20].begin_ms - run.messages[0].end_ms > MINUTE);
    assert_true(run.messages[24].begin_ms - start < MINUTE + 1000);
    within(limits[3]);
    end();
}

static void feishu_gets_five_a_second_and_a_hundred_a_minute(void **state) {
    (void)state;
    begin(limits[4], 8, 0, 1);
    int64_t start = run.now_ms;
    send_all(205);
    assert_true(run.messages[5].begin_ms - start > 1000);
    assert_in_range(run.messages[99].begin_ms - start, 19000, 21000);
    assert_in_range(run.messages[100].begin_ms - start, MINUTE + 1, MINUTE + 1000);
    assert_in_range(run.messages[200].begin_ms - start, 2 * MINUTE + 2, 2 * MINUTE + 2000);
    within(limits[4]);
    end();
}

static void what_was_not_sent_does_not_count(void **state) {
    (void)state;
    begin(limits[0], 1, 0, 1);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(bb_window_wait(&run.window, run.now_ms), 0);
        bb_window_begin(&run.window);
        bb_window_end(&run.window, false, run.now_ms);
    }
    bb_window_begin(&run.window);
    bb_window_end(&run.window, true, run.now_ms);
    assert_int_equal(bb_window_wait(&run.window, run.now_ms), 1051);
    assert_int_equal(bb_window_wait(&run.window, run.now_ms + 1050), 1);
    assert_int_equal(bb_window_wait(&run.window, run.now_ms + 1051), 0);
    end();
}

static void one_under_way_counts_until_it_ends(void **state) {
    (void)state;
    begin(limits[0], 1, 0, 1);
    bb_window_begin(&run.window);
    assert_true(bb_window_wait(&run.window, run.now_ms) == INT64_MAX);
    assert_true(bb_window_wait(&run.window, run.now_ms + INT32_MAX) == INT64_MAX);
    bb_window_end(&run.window, true, run.now_ms + 900000);
    assert_int_equal(bb_window_wait(&run.window, run.now_ms + 900000), 1051);
    end();
}

static void the_margin_is_a_twentieth_and_at_most_half_a_second(void **state) {
    (void)state;
    static const int64_t rows[][2] = {{1, 2},
                                      {1000, 1051},
                                      {9980, 10480},
                                      {60000, 60500},
                                      {UINT32_MAX, INT64_C(500) + UINT32_MAX}};
    for (size_t i = 0; i < 5; i++) {
        struct bb_rate rates[BB_RATES] = {{1, (uint32_t)rows[i][0]}};
        begin(rates, 1, 0, 1);
        bb_window_begin(&run.window);
        bb_window_end(&run.window, true, 0);
        assert_int_equal(bb_window_wait(&run.window, 0), rows[i][1]);
        end();
    }
}

static void without_a_limit_nothing_waits(void **state) {
    (void)state;
    static const struct bb_rate none[BB_RATES];
    begin(none, 1, 0, 1);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(bb_window_wait(&run.window, run.now_ms), 0);
        bb_window_begin(&run.window);
    }
    for (int i = 0; i < 1000; i++)
        bb_window_end(&run.window, true, run.now_ms);
    assert_int_equal(run.window.open, 0);
    end();
}

/* So that a change of a webhook's settings opens no gap. */
static void new_limits_know_what_the_old_ones_saw(void **state) {
    (void)state;
    static const uint32_t counts[] = {1, 5, 19, 20, 21, 1000};
    for (size_t i = 0; i < 6; i++) {
        struct bb_rate rates[BB_RATES] = {{counts[i], MINUTE}};
        begin(limits[3], 1, 0, 1);
        send_all(33);
        assert_true(bb_window_change(&run.window, alloc_library(), rates));
        assert_int_equal(run.window.open, run.open);
        size_t before = run.count;
        send_all(before + 40);
        rates[0].count = counts[i] > 20 ? counts[i] : 20;
        within(rates);
        end();
    }
}

static void a_larger_limit_is_free_at_once(void **state) {
    (void)state;
    static const struct bb_rate larger[BB_RATES] = {{3, 1000}};
    begin(limits[0], 1, 0, 1);
    bb_window_begin(&run.window);
    bb_window_end(&run.window, true, run.now_ms);
    assert_true(bb_window_change(&run.window, alloc_library(), larger));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(bb_window_wait(&run.window, run.now_ms), 0);
        bb_window_begin(&run.window);
        bb_window_end(&run.window, true, run.now_ms);
    }
    assert_int_equal(bb_window_wait(&run.window, run.now_ms), 1051);
    end();
}

static void without_memory_there_is_no_window(void **state) {
    (void)state;
    struct bb_window window;
    alloc_begin(1, 0);
    assert_false(bb_window_init(&window, alloc_library(), limits[3]));
    alloc_end();
    bb_window_free(&window, alloc_library());
    begin(limits[0], 1, 0, 1);
    bb_window_begin(&run.window);
    alloc_begin(1, 0);
    assert_false(bb_window_change(&run.window, alloc_library(), limits[3]));
    alloc_end();
    assert_int_equal(run.window.rates[0].count, 1); /* the old one holds */
    assert_true(bb_window_wait(&run.window, run.now_ms) == INT64_MAX);
    end();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_period_at_the_receiver_holds_more_than_the_limit),
        cmocka_unit_test(random_limits_hold),
        cmocka_unit_test(a_limit_is_not_needlessly_slow),
        cmocka_unit_test(of_25_at_once_dingtalk_gets_20_in_the_first_minute),
        cmocka_unit_test(feishu_gets_five_a_second_and_a_hundred_a_minute),
        cmocka_unit_test(what_was_not_sent_does_not_count),
        cmocka_unit_test(one_under_way_counts_until_it_ends),
        cmocka_unit_test(the_margin_is_a_twentieth_and_at_most_half_a_second),
        cmocka_unit_test(without_a_limit_nothing_waits),
        cmocka_unit_test(new_limits_know_what_the_old_ones_saw),
        cmocka_unit_test(a_larger_limit_is_free_at_once),
        cmocka_unit_test(without_memory_there_is_no_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
