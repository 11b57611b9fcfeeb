/* Tens of thousands of events to receivers that fail in every way at random: each ends once, every
 * request was told of, and nothing of it stays in memory. BB_TEST_SCALE=20 makes it the full size
 * of 100,000. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/alloc.h"
#include "support/background.h"

enum { HOOKS = 8, EVENTS = 5000, SCRIPT = 1000, ROOM = 2000, ROUNDS = 2, KEPT_BYTES = 256 * 1024 };

typedef struct soak {
    background *b;
    size_t events;
    atomic_uchar *ends; /* by the event's number */
} soak;

static soak *the_soak; /* for the callback */

/* splitmix64, from a fixed seed: each run is the same. */
static uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    return z ^ (z >> 27);
}

static server_step answer_of(bb_type type, uint64_t random) {
    server_step yes = posting_success(type), slow = yes;
    slow.delay_ms = 1 + (int)(random >> 32) % 5;
    switch (random % 20) {
    case 0:
        return (server_step){.end = SERVER_RESET};
    case 1:
        return (server_step){.end = SERVER_CLOSE};
    case 2:
        return (server_step){.status = 503};
    case 3:
        return (server_step){.status = type == BB_CUSTOM ? 429 : 502}; /* chats rest for long */
    case 4:
        return (server_step){.status = 400};
    case 5:
        return (server_step){.status = 500, .stop_after = 10, .end = SERVER_CLOSE};
    case 6:
        return slow;
    default:
        return yes;
    }
}

static void add_hook(background *b, size_t number) {
    static const bb_type types[] = {BB_CUSTOM, BB_SLACK, BB_CUSTOM, BB_DISCORD, BB_DINGTALK};
    bb_type type = types[number % 5];
    char id[16];
    uint64_t seed = number;
    size_t script = SCRIPT * alloc_scale();
    server_step *steps = calloc(script + 1, sizeof *steps);
    assert_non_null(steps);
    for (size_t i = 0; i < script; i++)
        steps[i] = answer_of(type, next_random(&seed));
    if (type == BB_CUSTOM)
        steps[7] = (server_step){.status = 429, .headers = "Retry-After: 1\r\n"};
    steps[script] = posting_success(type);
    snprintf(id, sizeof id, "hook%zu", number);
    bb_webhook hook = background_hook(b, type, id, steps, script + 1);
    hook.project_id = (int64_t)number + 1;
    hook.order = number % 2 ? BB_ORDER_ISSUE : 0;
    background_add(b, &hook);
    free(steps);
}

static void note_end(background *b, const bb_notice *notice) {
    (void)b;
    if (notice->kind == BB_NOTICE_DELIVERED || notice->kind == BB_NOTICE_DEAD)
        atomic_fetch_add(&the_soak->ends[strtoul(notice->attempt->event_id + 1, NULL, 10)], 1);
}

static void open_soak(soak *s) {
    static uint32_t soon[20];
    background *b = s->b;
    for (size_t i = 0; i < 20; i++)
        soon[i] = 1 + (uint32_t)i % 4;
    b->on_notice = note_end;
    b->options.retry_delays_ms = soon;
    b->options.retry_delay_count = 20;
    b->options.breaker_open_ms = 2;
    b->options.breaker_open_max_ms = 10;
    b->options.max_waiting = ROOM;
    bb_options options = background_bb_options(b);
    options.allocator = alloc_library();
    b->dispatcher = posting_dispatcher(&options);
    for (size_t i = 0; i < HOOKS; i++)
        add_hook(b, i);
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
}

/* To one webhook; waits while the outbox is full. */
static void enqueue_number(background *b, size_t number) {
    bb_event event = *posting_event();
    bb_issue issue = *event.issue;
    bb_project project = *event.project;
    char id[24];
    int code;
    snprintf(id, sizeof id, "e%zu", number);
    issue.id = (int64_t)(number / HOOKS % 10);
    project.id = (int64_t)(number % HOOKS) + 1;
    event.id = id;
    event.issue = &issue;
    event.project = &project;
    while ((code = bb_webhook_enqueue(b->dispatcher, &event, NULL, NULL, NULL)) == BB_ERR_FULL)
        poll(NULL, 0, 1);
    assert_int_equal(code, BB_OK);
}

/* A flush does not wait for retries. */
static void wait_until_empty(background *b) {
    bb_stats stats;
    int64_t end_ms = server_now_ms() + 10 * PATIENCE_MS;
    while (stats = background_stats(b, NULL), stats.waiting + stats.in_flight > 0) {
        if (server_now_ms() > end_ms)
            fail_msg("%zu deliveries still wait", (size_t)stats.waiting);
        poll(NULL, 0, 2);
    }
}

/* What is in memory while nothing waits. */
static long run_round(soak *s, size_t round) {
    size_t events = s->events / ROUNDS;
    for (size_t i = 0; i < events; i++)
        enqueue_number(s->b, round * events + i);
    wait_until_empty(s->b);
    return alloc_live_bytes();
}

static void check_ends(const soak *s) {
    for (size_t i = 0; i < s->events; i++) {
        if (s->ends[i] != 1)
            fail_msg("event %zu ended %d times", i, s->ends[i]);
    }
}

static void every_event_ends_once_and_nothing_stays(void **state) {
    soak s = {.b = *state, .events = EVENTS * alloc_scale()};
    long before = alloc_live();
    s.ends = calloc(s.events, sizeof *s.ends);
    assert_non_null(s.ends);
    the_soak = &s;
    open_soak(&s);
    long half = run_round(&s, 0), whole = run_round(&s, 1);
    assert_true(whole < half + KEPT_BYTES);
    assert_int_equal(bb_dispatcher_stop(s.b->dispatcher, 5000, NULL, NULL), BB_OK);
    check_ends(&s);
    bb_stats stats = background_stats(s.b, NULL);
    assert_int_equal(stats.enqueued, s.events);
    assert_int_equal(stats.waiting_bytes, 0);
    assert_true(stats.retried > 0 && stats.dead > 0 && stats.unknown > 0);
    background_check_books(s.b);
    assert_int_equal(bb_dispatcher_free(s.b->dispatcher), BB_OK);
    s.b->dispatcher = NULL;
    assert_int_equal(alloc_live(), before);
    free(s.ends);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_event_ends_once_and_nothing_stays, background_setup,
                                        background_teardown),
    };
    alloc_hook_others();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
