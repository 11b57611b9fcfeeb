/* Many threads at once: everything that was taken ends exactly once, whatever is changed, read,
 * started and stopped meanwhile. Under ThreadSanitizer, too. */
#include <pthread.h>
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

#define BACKGROUND_TEST(function)                                                                  \
    cmocka_unit_test_setup_teardown(function, background_setup, background_teardown)

enum { THREADS = 8, EVENTS = 150, HOOKS = 6, PAGE = 64 * 1024 };

static const uint32_t soon[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

static void open_with_short_waits(background *b) {
    b->options.retry_delays_ms = soon;
    b->options.retry_delay_count = sizeof soon / sizeof *soon;
    b->options.breaker_open_ms = b->options.breaker_open_max_ms = 1;
    background_open(b);
}

/* --------------------------------------------------------------- the crowd -- */

typedef struct crowd {
    background *b;
    atomic_int ends[THREADS][EVENTS][HOOKS]; /* of each delivery: at most one */
    atomic_size_t taken[THREADS][EVENTS];    /* deliveries, as enqueue said */
    atomic_size_t posted;                    /* requests of posts */
    atomic_int is_over, unbalanced;
} crowd;

static crowd *the_crowd; /* of the running test, for the callback */

typedef struct member {
    crowd *c;
    size_t number;
} member;

static void hook_id(char out[16], size_t number) {
    snprintf(out, 16, "hook%zu", number);
}

/* Of HOOKS, some answer at once, some only when they are asked again, one says no. */
static bb_webhook hook_of(background *b, char id[16], size_t number) {
    char path[32];
    hook_id(id, number);
    snprintf(path, sizeof path, "/%s", id);
    bb_webhook hook = posting_hook(BB_CUSTOM, id, server_url(b->receiver, path));
    hook.no_rate = 1;
    return hook;
}

static void script_hooks(background *b) {
    server_step yes = posting_success(BB_CUSTOM);
    for (size_t i = 0; i < HOOKS; i++) {
        char id[16];
        server_step steps[] = {{.status = i % 2 ? 503 : 400}, yes, {.end = SERVER_CLOSE}, yes};
        bb_webhook hook = background_hook(b, BB_CUSTOM, "unused", &yes, 1);
        hook = hook_of(b, id, i);
        char path[32];
        snprintf(path, sizeof path, "/%s", id);
        server_on(b->receiver, path, steps, 4);
        background_add(b, &hook);
    }
}

static void note_end(background *b, const bb_notice *notice) {
    unsigned thread, event, hook;
    (void)b;
    if (notice->kind != BB_NOTICE_DELIVERED && notice->kind != BB_NOTICE_DEAD)
        return;
    if (sscanf(notice->attempt->event_id, "t%u-%u", &thread, &event) == 2 &&
        sscanf(notice->webhook_id, "hook%u", &hook) == 1)
        atomic_fetch_add(&the_crowd->ends[thread][event][hook], 1);
}

static void *enqueue_many(void *user) {
    const member *m = user;
    for (size_t i = 0; i < EVENTS; i++) {
        char id[32];
        snprintf(id, sizeof id, "t%zu-%zu", m->number, i);
        atomic_store(&m->c->taken[m->number][i],
                     background_enqueue_issue(m->c->b, id, (int64_t)i % 5));
    }
    return NULL;
}

static void change_one(background *b, size_t step) {
    char id[16];
    bb_webhook hook = hook_of(b, id, step % HOOKS);
    hook.order = step % 3 == 0 ? BB_ORDER_ISSUE : 0;
    switch (step / HOOKS % 4) {
    case 0:
        bb_dispatcher_replace(b->dispatcher, &hook, NULL);
        break;
    case 1:
        bb_dispatcher_resume(b->dispatcher, id, NULL);
        break;
    case 2:
        bb_dispatcher_remove(b->dispatcher, id, NULL);
        break;
    default:
        bb_dispatcher_add(b->dispatcher, &hook, NULL);
        break;
    }
}

static void *change_things(void *user) {
    const member *m = user;
    for (size_t step = 0; !atomic_load(&m->c->is_over); step++)
        change_one(m->c->b, step);
    return NULL;
}

static void look_once(crowd *c, char *page) {
    char id[16];
    background *b = c->b;
    bb_stats stats = BB_STATS_INIT;
    bb_webhook_status status = BB_WEBHOOK_STATUS_INIT;
    for (int i = 0; i < 100; i++) {
        bb_dispatcher_stats(b->dispatcher, NULL, &stats, NULL);
        if (stats.enqueued != stats.waiting + stats.in_flight + stats.delivered + stats.dead)
            atomic_fetch_add(&c->unbalanced, 1);
    }
    bb_dispatcher_prometheus(b->dispatcher, page, PAGE, NULL, NULL);
    hook_id(id, 0);
    bb_dispatcher_status(b->dispatcher, id, &status, NULL);
    bb_dispatcher_stats(b->dispatcher, id, &stats, NULL);
    bb_dispatcher_count(b->dispatcher);
}

static void *look_at_things(void *user) {
    const member *m = user;
    char *page = malloc(PAGE);
    assert_non_null(page);
    while (!atomic_load(&m->c->is_over))
        look_once(m->c, page);
    free(page);
    return NULL;
}

static void *post_some(void *user) {
    const member *m = user;
    for (int i = 0; i < 20; i++) {
        bb_report *report = posting_send(m->c->b->dispatcher);
        for (size_t row = 0; row < bb_report_count(report); row++)
            atomic_fetch_add(&m->c->posted, (size_t)bb_report_row(report, row)->sent);
        bb_report_free(report);
    }
    return NULL;
}

static void run_crowd(crowd *c) {
    pthread_t enqueuers[THREADS], others[3];
    member members[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        members[i] = (member){c, i};
        assert_int_equal(pthread_create(&enqueuers[i], NULL, enqueue_many, &members[i]), 0);
    }
    assert_int_equal(pthread_create(&others[0], NULL, change_things, &members[0]), 0);
    assert_int_equal(pthread_create(&others[1], NULL, look_at_things, &members[0]), 0);
    assert_int_equal(pthread_create(&others[2], NULL, post_some, &members[0]), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(enqueuers[i], NULL);
    pthread_join(others[2], NULL);
    atomic_store(&c->is_over, 1);
    pthread_join(others[0], NULL);
    pthread_join(others[1], NULL);
}

/* What was taken and what has ended; each delivery once at most. */
static void count_crowd(crowd *c, size_t *taken, size_t *ended) {
    *taken = *ended = 0;
    for (size_t t = 0; t < THREADS; t++) {
        for (size_t e = 0; e < EVENTS; e++) {
            size_t ends = 0;
            for (size_t h = 0; h < HOOKS; h++) {
                assert_in_range(atomic_load(&c->ends[t][e][h]), 0, 1);
                ends += (size_t)atomic_load(&c->ends[t][e][h]);
            }
            assert_true(ends <= atomic_load(&c->taken[t][e]));
            *taken += atomic_load(&c->taken[t][e]);
            *ended += ends;
        }
    }
}

static void check_crowd(crowd *c, size_t waiting) {
    size_t taken, ended;
    bb_stats stats = background_stats(c->b, NULL);
    count_crowd(c, &taken, &ended);
    assert_int_equal(taken, ended + waiting);
    assert_int_equal(stats.enqueued, taken);
    assert_int_equal(stats.delivered + stats.dead, ended);
    assert_int_equal(stats.sent, c->b->sent);
}

static void everything_ends_once_while_everything_changes(void **state) {
    background *b = *state;
    crowd *c = calloc(1, sizeof *c);
    assert_non_null(c);
    the_crowd = c;
    c->b = b;
    b->on_notice = note_end;
    open_with_short_waits(b);
    script_hooks(b);
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    run_crowd(c);
    size_t waiting = 0;
    assert_int_equal(bb_dispatcher_stop(b->dispatcher, 5000, &waiting, NULL), BB_OK);
    assert_int_equal(background_stats(b, NULL).in_flight, 0);
    check_crowd(c, waiting);
    assert_int_equal(atomic_load(&c->unbalanced), 0);
    assert_int_equal(server_requests(b->receiver), b->sent + atomic_load(&c->posted));
    while (background_stats(b, NULL).waiting > 0) {
        background_flush(b);
        bb_dispatcher_run(b->dispatcher, NULL);
    }
    check_crowd(c, 0);
    b->on_notice = NULL;
    free(c);
}

/* ------------------------------------------------------------------ expiry -- */

static void *replace_often(void *user) {
    crowd *c = user;
    while (!atomic_load(&c->is_over)) {
        char id[16];
        bb_webhook hook = hook_of(c->b, id, 0);
        hook.age_limit_s = 1;
        assert_int_equal(bb_dispatcher_replace(c->b->dispatcher, &hook, NULL), BB_OK);
    }
    return NULL;
}

static void what_is_too_old_ends_while_its_webhook_is_replaced(void **state) {
    background *b = *state;
    crowd *c = calloc(1, sizeof *c);
    pthread_t replacer;
    char id[16];
    assert_non_null(c);
    c->b = b;
    b->clock_ms = 1000000;
    background_open(b);
    bb_webhook hook = hook_of(b, id, 0);
    hook.age_limit_s = 1;
    background_add(b, &hook);
    for (int i = 0; i < 500; i++)
        background_enqueue(b, NULL);
    b->clock_ms += 2000;
    assert_int_equal(pthread_create(&replacer, NULL, replace_often, c), 0);
    background_flush(b);
    atomic_store(&c->is_over, 1);
    pthread_join(replacer, NULL);
    assert_int_equal(b->counts[BB_NOTICE_DEAD], 500);
    background_check_books(b);
    free(c);
}

/* ---------------------------------------------------------- start and stop -- */

static void *stop_it(void *user) {
    background *b = user;
    return (void *)(intptr_t)bb_dispatcher_stop(b->dispatcher, 5000, NULL, NULL);
}

static void two_threads_may_stop_at_once(void **state) {
    background *b = *state;
    background_open(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    for (int i = 0; i < 100; i++) {
        pthread_t other;
        void *code;
        assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
        background_enqueue(b, NULL);
        assert_int_equal(pthread_create(&other, NULL, stop_it, b), 0);
        int own = bb_dispatcher_stop(b->dispatcher, 5000, NULL, NULL);
        pthread_join(other, &code);
        int others = (int)(intptr_t)code;
        assert_true(own == BB_OK || own == BB_ERR_BUSY);
        assert_true(others == BB_OK || others == BB_ERR_BUSY);
        assert_true(own == BB_OK || others == BB_OK);
    }
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 100);
    background_check_books(b);
}

/* Asked at the moment at which the thread has just ended something: an order that it forgot would
 * hang, or run into the flush's time-out. */
static void no_order_to_the_thread_is_lost(void **state) {
    background *b = *state;
    background_open(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    for (size_t i = 1; i <= 1000 * alloc_scale(); i++) {
        assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
        background_enqueue(b, NULL);
        background_wait_until(b, BB_NOTICE_DELIVERED, i);
        if (i % 2)
            background_flush(b);
        assert_int_equal(bb_dispatcher_stop(b->dispatcher, 5000, NULL, NULL), BB_OK);
    }
    background_check_books(b);
}

static void *flush_it(void *user) {
    background *b = user;
    return (void *)(intptr_t)bb_dispatcher_flush(b->dispatcher, 200, NULL);
}

/* It does not say that all is delivered: there is always one that is due. */
static void a_flush_that_a_stop_cuts_short_says_so(void **state) {
    background *b = *state;
    open_with_short_waits(b);
    background_script(b, BB_CUSTOM, "hook", &(server_step){.end = SERVER_SILENT}, 1);
    for (int i = 0; i < 40; i++)
        background_enqueue(b, NULL);
    for (size_t i = 1; i <= 10; i++) {
        pthread_t flusher;
        void *code;
        assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
        assert_true(server_wait_requests(b->receiver, i, PATIENCE_MS));
        assert_int_equal(pthread_create(&flusher, NULL, flush_it, b), 0);
        int stopped = bb_dispatcher_stop(b->dispatcher, (uint32_t)i, NULL, NULL);
        pthread_join(flusher, &code);
        int flushed = (int)(intptr_t)code;
        assert_int_equal(stopped, BB_OK);
        assert_true(flushed == BB_ERR_BUSY || flushed == BB_ERR_TIMEOUT);
        assert_int_equal(bb_dispatcher_stop(b->dispatcher, 0, NULL, NULL), BB_OK);
    }
}

/* What was under way is told as unknown where it was sent, waits on where it was not, and goes on
 * when somebody drives again. */
static void a_stop_under_load_abandons_and_a_start_goes_on(void **state) {
    background *b = *state;
    server_step held = posting_success(BB_CUSTOM);
    held.hold = 1;
    open_with_short_waits(b);
    for (size_t i = 0; i < 40; i++) {
        char id[16];
        hook_id(id, i);
        background_script(b, BB_CUSTOM, id, &held, 1);
    }
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(background_enqueue(b, NULL), 40);
    assert_true(server_wait_requests(b->receiver, 20, PATIENCE_MS));
    size_t waiting = 0;
    assert_int_equal(bb_dispatcher_stop(b->dispatcher, 10, &waiting, NULL), BB_OK);
    assert_int_equal(waiting, 200);
    assert_true(b->sent >= 20);
    assert_int_equal(b->counts[BB_NOTICE_RETRYING], b->sent);
    assert_int_equal(background_stats(b, NULL).unknown, b->sent);
    assert_true(server_wait_requests(b->receiver, b->sent, PATIENCE_MS));
    background_check_books(b);
    server_release(b->receiver);
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    background_wait_until(b, BB_NOTICE_DELIVERED, 200);
    assert_int_equal(bb_dispatcher_stop(b->dispatcher, 5000, &waiting, NULL), BB_OK);
    assert_int_equal(waiting, 0);
    background_check_books(b);
}

/* What is answered within the deadline is judged as usual. */
static void a_stop_waits_for_what_is_in_flight(void **state) {
    background *b = *state;
    server_step slow = posting_success(BB_CUSTOM);
    slow.delay_ms = 100;
    background_open(b);
    background_script(b, BB_CUSTOM, "hook", &slow, 1);
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    background_enqueue(b, NULL);
    background_enqueue(b, NULL);
    assert_true(server_wait_requests(b->receiver, 1, PATIENCE_MS));
    size_t waiting = 0;
    assert_int_equal(bb_dispatcher_stop(b->dispatcher, PATIENCE_MS, &waiting, NULL), BB_OK);
    assert_int_equal(waiting, 1);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 1);
    background_check_books(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BACKGROUND_TEST(everything_ends_once_while_everything_changes),
        BACKGROUND_TEST(what_is_too_old_ends_while_its_webhook_is_replaced),
        BACKGROUND_TEST(two_threads_may_stop_at_once),
        BACKGROUND_TEST(no_order_to_the_thread_is_lost),
        BACKGROUND_TEST(a_flush_that_a_stop_cuts_short_says_so),
        BACKGROUND_TEST(a_stop_under_load_abandons_and_a_start_goes_on),
        BACKGROUND_TEST(a_stop_waits_for_what_is_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
