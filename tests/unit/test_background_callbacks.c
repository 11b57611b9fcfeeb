/* What a callback may do and what it is told it may not; and a host's loop next to other threads.
 */
#include <poll.h>
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

#include "support/background.h"

#define BACKGROUND_TEST(function)                                                                  \
    cmocka_unit_test_setup_teardown(function, background_setup, background_teardown)

static const uint32_t soon[] = {1, 1, 1};

/* Runs the test's case on the library's thread, then on one that drives itself. */
static void in_both_ways(background *b, size_t delivered) {
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    background_enqueue(b, "one");
    background_wait_until(b, BB_NOTICE_DELIVERED, delivered);
    assert_int_equal(bb_dispatcher_stop(b->dispatcher, 5000, NULL, NULL), BB_OK);
    background_enqueue(b, "two");
    background_drive_until(b, BB_NOTICE_DELIVERED, 2 * delivered);
    background_flush(b);
    background_check_books(b);
}

/* --------------------------------------------------------------- not allowed -- */

static atomic_int busy_calls;

static void call_what_is_not_allowed(background *b, const bb_notice *notice) {
    bb_error error = BB_ERROR_INIT;
    size_t waiting;
    (void)notice;
    busy_calls += bb_dispatcher_start(b->dispatcher, &error) == BB_ERR_BUSY;
    busy_calls += strstr(error.text, "callback") != NULL;
    busy_calls += bb_dispatcher_stop(b->dispatcher, 1000, &waiting, NULL) == BB_ERR_BUSY;
    busy_calls += bb_dispatcher_flush(b->dispatcher, 1000, NULL) == BB_ERR_BUSY;
    busy_calls += bb_dispatcher_run(b->dispatcher, NULL) == BB_ERR_BUSY;
    busy_calls += bb_dispatcher_free(b->dispatcher) == BB_ERR_BUSY;
}

static void a_callback_that_would_wait_for_itself_is_told_so(void **state) {
    background *b = *state;
    busy_calls = 0;
    b->on_notice = call_what_is_not_allowed;
    background_open(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    in_both_ways(b, 1);
    assert_int_equal(busy_calls, 2 * 6);
    b->on_notice = NULL;
}

/* ------------------------------------------------------------------- allowed -- */

static void look_around(background *b, const bb_notice *notice) {
    bb_webhook_status status = BB_WEBHOOK_STATUS_INIT;
    char page[16 * 1024];
    bb_stats stats = background_stats(b, notice->webhook_id);
    assert_true(stats.delivered > 0);
    stats = background_stats(b, NULL);
    assert_int_equal(stats.enqueued, stats.waiting + stats.in_flight + stats.delivered +
                                         stats.dead + stats.dropped);
    assert_int_equal(bb_dispatcher_status(b->dispatcher, notice->webhook_id, &status, NULL), BB_OK);
    assert_int_equal(bb_dispatcher_resume(b->dispatcher, notice->webhook_id, NULL), BB_OK);
    assert_int_equal(bb_dispatcher_prometheus(b->dispatcher, page, sizeof page, NULL, NULL), BB_OK);
    assert_true(bb_dispatcher_fd(b->dispatcher) >= 0);
    bb_dispatcher_timeout_ms(b->dispatcher);
}

static void a_callback_may_look_around(void **state) {
    background *b = *state;
    b->on_notice = look_around;
    background_open(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    in_both_ways(b, 1);
}

/* Each delivery of the first event is followed by another, ten times. */
static void enqueue_another(background *b, const bb_notice *notice) {
    int number = atoi(notice->attempt->event_id);
    char id[16];
    if (number >= 10)
        return;
    snprintf(id, sizeof id, "%d", number + 1);
    background_enqueue(b, id);
}

static void a_callback_may_enqueue(void **state) {
    background *b = *state;
    b->on_notice = enqueue_another;
    background_open(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    in_both_ways(b, 11);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 22);
}

static void post_too(background *b, const bb_notice *notice) {
    (void)notice;
    bb_report *report = posting_send(b->dispatcher);
    assert_int_equal(bb_report_undelivered(report), 0);
    bb_report_free(report);
    pthread_mutex_lock(&b->lock);
    b->sent++; /* which the receiver counts as well */
    pthread_mutex_unlock(&b->lock);
}

static void a_callback_may_post(void **state) {
    background *b = *state;
    b->on_notice = post_too;
    background_open(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    background_enqueue(b, "one");
    background_wait_until(b, BB_NOTICE_DELIVERED, 1);
    assert_int_equal(bb_dispatcher_stop(b->dispatcher, 5000, NULL, NULL), BB_OK);
    assert_int_equal(server_requests(b->receiver), 2);
}

static void remove_it(background *b, const bb_notice *notice) {
    char id[64];
    snprintf(id, sizeof id, "%s", notice->webhook_id);
    bb_dispatcher_remove(b->dispatcher, id, NULL);
    assert_string_equal(notice->webhook_id, id); /* borrowed for the callback, removed or not */
    assert_string_equal(notice->attempt->webhook_name, id);
}

static void a_callback_may_remove_its_own_webhook(void **state) {
    background *b = *state;
    b->on_notice = remove_it;
    background_open(b);
    for (int round = 0; round < 3; round++) {
        background_add_healthy(b, BB_CUSTOM, "hook");
        for (int i = 0; i < 5; i++)
            background_enqueue(b, NULL);
        background_flush(b);
        assert_int_equal(bb_dispatcher_count(b->dispatcher), 0);
    }
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 3);
    assert_int_equal(b->counts[BB_NOTICE_DEAD], 12);
    background_check_books(b);
}

static void replace_it(background *b, const bb_notice *notice) {
    bb_webhook hook = posting_hook(BB_CUSTOM, "hook", server_url(b->receiver, "/mended"));
    if (notice->kind == BB_NOTICE_RETRYING)
        assert_int_equal(bb_dispatcher_replace(b->dispatcher, &hook, NULL), BB_OK);
}

/* What waits goes on with the new one. */
static void a_callback_may_replace_its_own_webhook(void **state) {
    background *b = *state;
    server_step yes = posting_success(BB_CUSTOM);
    b->on_notice = replace_it;
    b->options.retry_delays_ms = soon;
    b->options.retry_delay_count = 3;
    background_open(b);
    server_on(b->receiver, "/mended", &yes, 1);
    background_script(b, BB_CUSTOM, "hook", &(server_step){.status = 500}, 1);
    for (int i = 0; i < 5; i++)
        background_enqueue(b, NULL);
    background_drive_until(b, BB_NOTICE_DELIVERED, 5);
    assert_int_equal(server_requests_to(b->receiver, "/hook"), 1);
    assert_int_equal(server_requests_to(b->receiver, "/mended"), 5);
    background_check_books(b);
}

static void resume_it(background *b, const bb_notice *notice) {
    if (notice->kind == BB_NOTICE_DISABLED)
        assert_int_equal(bb_dispatcher_resume(b->dispatcher, notice->webhook_id, NULL), BB_OK);
}

static void a_callback_may_resume_what_was_disabled(void **state) {
    background *b = *state;
    server_step steps[] = {{.status = 410}, posting_success(BB_CUSTOM)};
    b->on_notice = resume_it;
    background_open(b);
    background_script(b, BB_CUSTOM, "hook", steps, 2);
    background_enqueue(b, "one");
    background_enqueue(b, "two");
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 1);
    background_check_books(b);
}

/* The last notices come from within bb_dispatcher_free. */
static void a_callback_within_free_may_look_and_enqueue(void **state) {
    background *b = *state;
    background_open(b);
    background_script(b, BB_CUSTOM, "hook", &(server_step){.end = SERVER_SILENT}, 1);
    background_enqueue(b, "1");
    while (!server_wait_requests(b->receiver, 1, 1))
        assert_int_equal(bb_dispatcher_run(b->dispatcher, NULL), BB_OK);
    b->on_notice = enqueue_another;
    assert_int_equal(bb_dispatcher_free(b->dispatcher), BB_OK);
    b->dispatcher = NULL;
    assert_int_equal(b->counts[BB_NOTICE_RETRYING], 1);
    assert_int_equal(background_told(b, BB_NOTICE_RETRYING, 0)->verdict, BB_UNKNOWN);
}

/* ------------------------------------------------------------ the host's loop -- */

typedef struct loop {
    background *b;
    atomic_int is_over;
    atomic_int asleep; /* how often it went to sleep without a time-out */
} loop;

static void *run_loop(void *user) {
    loop *l = user;
    struct pollfd ready = {.fd = bb_dispatcher_fd(l->b->dispatcher), .events = POLLIN};
    while (!atomic_load(&l->is_over)) {
        int wait_ms = bb_dispatcher_timeout_ms(l->b->dispatcher);
        atomic_fetch_add(&l->asleep, wait_ms < 0);
        poll(&ready, 1, wait_ms < 0 ? PATIENCE_MS : wait_ms);
        int code = bb_dispatcher_run(l->b->dispatcher, NULL);
        assert_true(code == BB_OK || code == BB_ERR_BUSY);
    }
    return NULL;
}

static void wait_until_asleep(loop *l, int times) {
    while (atomic_load(&l->asleep) < times)
        poll(NULL, 0, 1);
}

/* A flush in another thread drives for a while: the loop is woken by what comes after it. */
static void a_hosts_loop_wakes_after_a_flush_drove(void **state) {
    background *b = *state;
    loop l = {.b = b};
    pthread_t thread;
    background_open(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    assert_int_equal(pthread_create(&thread, NULL, run_loop, &l), 0);
    for (size_t round = 0; round < 20; round++) {
        wait_until_asleep(&l, 1);
        atomic_store(&l.asleep, 0);
        int code = bb_dispatcher_flush(b->dispatcher, PATIENCE_MS, NULL);
        assert_true(code == BB_OK || code == BB_ERR_BUSY);
        background_enqueue(b, NULL);
        background_wait_until(b, BB_NOTICE_DELIVERED, round + 1);
    }
    atomic_store(&l.is_over, 1);
    background_enqueue(b, NULL);
    pthread_join(thread, NULL);
    background_flush(b);
    background_check_books(b);
}

static void *ask_for_time_outs(void *user) {
    loop *l = user;
    while (!atomic_load(&l->is_over))
        bb_dispatcher_timeout_ms(l->b->dispatcher);
    return NULL;
}

static void a_time_out_may_be_asked_for_while_another_thread_drives(void **state) {
    background *b = *state;
    server_step slow = posting_success(BB_CUSTOM);
    loop l = {.b = b};
    pthread_t thread;
    slow.delay_ms = 2;
    background_open(b);
    background_script(b, BB_CUSTOM, "hook", &slow, 1);
    assert_int_equal(pthread_create(&thread, NULL, ask_for_time_outs, &l), 0);
    for (int i = 0; i < 50; i++) {
        background_enqueue(b, NULL);
        background_flush(b);
    }
    atomic_store(&l.is_over, 1);
    pthread_join(thread, NULL);
    background_check_books(b);
}

/* Whatever is done to a sleeping loop's dispatcher, the loop sees it. */
static void a_sleeping_loop_is_woken_by_any_thread(void **state) {
    static const server_step later = {.status = 429, .headers = "Retry-After: 3600\r\n"};
    background *b = *state;
    server_step steps[] = {later, posting_success(BB_CUSTOM)};
    loop l = {.b = b};
    pthread_t thread;
    background_open(b);
    background_script(b, BB_CUSTOM, "hook", steps, 2);
    assert_int_equal(pthread_create(&thread, NULL, run_loop, &l), 0);
    background_enqueue(b, "one");
    background_wait_until(b, BB_NOTICE_PAUSED, 1);
    background_enqueue(b, "two");
    assert_int_equal(bb_dispatcher_resume(b->dispatcher, "hook", NULL), BB_OK);
    background_wait_until(b, BB_NOTICE_DELIVERED, 1);
    assert_int_equal(bb_dispatcher_remove(b->dispatcher, "hook", NULL), BB_OK);
    background_wait_until(b, BB_NOTICE_DEAD, 1);
    atomic_store(&l.is_over, 1);
    background_add_healthy(b, BB_CUSTOM, "hook");
    background_enqueue(b, "three");
    pthread_join(thread, NULL);
    background_flush(b);
    background_check_books(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BACKGROUND_TEST(a_callback_that_would_wait_for_itself_is_told_so),
        BACKGROUND_TEST(a_callback_may_look_around),
        BACKGROUND_TEST(a_callback_may_enqueue),
        BACKGROUND_TEST(a_callback_may_post),
        BACKGROUND_TEST(a_callback_may_remove_its_own_webhook),
        BACKGROUND_TEST(a_callback_may_replace_its_own_webhook),
        BACKGROUND_TEST(a_callback_may_resume_what_was_disabled),
        BACKGROUND_TEST(a_callback_within_free_may_look_and_enqueue),
        BACKGROUND_TEST(a_hosts_loop_wakes_after_a_flush_drove),
        BACKGROUND_TEST(a_time_out_may_be_asked_for_while_another_thread_drives),
        BACKGROUND_TEST(a_sleeping_loop_is_woken_by_any_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
