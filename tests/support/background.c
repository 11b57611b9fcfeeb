#include "support/background.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <sys/wait.h>

/* ---------------------------------------------------------------- notices -- */

static void copy_text(char *to, size_t size, const char *from) {
    snprintf(to, size, "%s", from != NULL ? from : "");
}

static void copy_notice(told *to, const bb_notice *notice, int64_t at_ms) {
    const bb_attempt_report *row = notice->attempt;
    *to = (told){
        .kind = notice->kind, .wait_ms = notice->wait_ms, .count = notice->count, .at_ms = at_ms};
    copy_text(to->webhook_id, sizeof(to->webhook_id), notice->webhook_id);
    copy_text(to->text, sizeof(to->text), notice->text);
    if (row == NULL)
        return;
    copy_text(to->event_id, sizeof(to->event_id), row->event_id);
    copy_text(to->delivery_id, sizeof(to->delivery_id), row->delivery_id);
    to->verdict = row->outcome->verdict;
    to->http_status = row->outcome->http_status;
    to->attempt = row->attempt;
    to->sent = row->sent;
}

static void note(void *user, const bb_notice *notice) {
    background *b = user;
    pthread_mutex_lock(&b->lock);
    if (b->count < TOLD_MAX)
        copy_notice(&b->tells[b->count++], notice, b->clock_ms);
    b->counts[notice->kind]++;
    b->sent += notice->attempt != NULL && notice->attempt->sent;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
    if (b->on_notice != NULL)
        b->on_notice(b, notice);
}

static size_t told_count(background *b, bb_notice_kind kind) {
    pthread_mutex_lock(&b->lock);
    size_t count = b->counts[kind];
    pthread_mutex_unlock(&b->lock);
    return count;
}

static const told *find_told(background *b, bb_notice_kind kind, size_t index) {
    for (size_t i = 0; i < b->count; i++) {
        if (b->tells[i].kind == kind && index-- == 0)
            return &b->tells[i];
    }
    return NULL;
}

const told *background_told(background *b, bb_notice_kind kind, size_t index) {
    pthread_mutex_lock(&b->lock);
    const told *found = find_told(b, kind, index);
    pthread_mutex_unlock(&b->lock);
    if (found == NULL)
        fail_msg("there is no notice %zu of kind %d", index, (int)kind);
    return found;
}

/* ------------------------------------------------------------------- life -- */

static int64_t read_clock(void *user) {
    background *b = user;
    return b->clock_ms;
}

int background_setup(void **state) {
    background *b = calloc(1, sizeof(*b));
    pthread_condattr_t monotonic;
    if (b == NULL)
        return -1;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&b->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&b->lock, NULL);
    b->options = (bb_background_options)BB_BACKGROUND_OPTIONS_INIT;
    b->receiver = server_start(NULL);
    *state = b;
    return 0;
}

int background_teardown(void **state) {
    background *b = *state;
    int code = bb_dispatcher_free(b->dispatcher);
    server_stop(b->receiver);
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
    free(b);
    return code;
}

bb_options background_bb_options(background *b) {
    bb_options options = posting_options();
    b->options.notify = note;
    b->options.notify_user = b;
    options.background = &b->options;
    if (b->options.outbox != NULL)
        options.timeout_ms = BACKGROUND_ATTEMPT_MS;
    if (b->clock_ms != 0) {
        options.clock = read_clock;
        options.clock_user = b;
    }
    return options;
}

void background_open(background *b) {
    bb_options options = background_bb_options(b);
    b->dispatcher = posting_dispatcher(&options);
}

bb_webhook background_hook(background *b, bb_type type, const char *id, const server_step *steps,
                           size_t count) {
    char path[80];
    snprintf(path, sizeof(path), "/%s", id);
    server_on(b->receiver, path, steps, count);
    bb_webhook hook = posting_hook(type, id, server_url(b->receiver, path));
    hook.no_rate = 1;
    return hook;
}

void background_add(background *b, const bb_webhook *hook) {
    bb_error error = BB_ERROR_INIT;
    if (bb_dispatcher_add(b->dispatcher, hook, &error) != BB_OK)
        fail_msg("%s", error.text);
}

void background_script(background *b, bb_type type, const char *id, const server_step *steps,
                       size_t count) {
    bb_webhook hook = background_hook(b, type, id, steps, count);
    background_add(b, &hook);
}

void background_add_healthy(background *b, bb_type type, const char *id) {
    server_step yes = posting_success(type);
    background_script(b, type, id, &yes, 1);
}

/* ---------------------------------------------------------------- driving -- */

size_t background_enqueue_issue(background *b, const char *event_id, int64_t issue_id) {
    bb_event event = *posting_event();
    bb_issue issue = *event.issue;
    bb_error error = BB_ERROR_INIT;
    size_t deliveries = 0;
    issue.id = issue_id;
    event.issue = &issue;
    event.id = event_id;
    if (bb_webhook_enqueue(b->dispatcher, &event, NULL, &deliveries, &error) != BB_OK)
        fail_msg("%s", error.text);
    return deliveries;
}

size_t background_enqueue(background *b, const char *event_id) {
    return background_enqueue_issue(b, event_id, 101);
}

void background_flush(background *b) {
    bb_error error = BB_ERROR_INIT;
    if (bb_dispatcher_flush(b->dispatcher, BACKGROUND_PATIENCE_MS, &error) != BB_OK)
        fail_msg("%s", error.text);
}

void background_drive_until(background *b, bb_notice_kind kind, size_t count) {
    int64_t end = server_now_ms() + BACKGROUND_PATIENCE_MS;
    struct pollfd ready = {.fd = bb_dispatcher_fd(b->dispatcher), .events = POLLIN};
    while (told_count(b, kind) < count) {
        if (server_now_ms() > end)
            fail_msg("%zu of %zu notices of kind %d came", told_count(b, kind), count, (int)kind);
        int wait_ms = bb_dispatcher_timeout_ms(b->dispatcher);
        poll(&ready, 1, wait_ms < 0 || wait_ms > 100 ? 100 : wait_ms);
        assert_int_equal(bb_dispatcher_run(b->dispatcher, NULL), BB_OK);
    }
}

/* False when time would have to pass `until_ms`. */
static int move_on(background *b, struct pollfd *ready, int64_t until_ms) {
    int wait_ms = bb_dispatcher_timeout_ms(b->dispatcher);
    if (background_stats(b, NULL).in_flight > 0) {
        poll(ready, 1, wait_ms < 0 || wait_ms > 100 ? 100 : wait_ms);
        return 1;
    }
    if (wait_ms < 0 || b->clock_ms + wait_ms > until_ms)
        return 0;
    b->clock_ms += wait_ms;
    return 1;
}

int background_pass_time(background *b, bb_notice_kind kind, size_t count, int64_t until_ms) {
    int64_t end = server_now_ms() + BACKGROUND_PATIENCE_MS;
    struct pollfd ready = {.fd = bb_dispatcher_fd(b->dispatcher), .events = POLLIN};
    assert_int_equal(bb_dispatcher_run(b->dispatcher, NULL), BB_OK);
    while (told_count(b, kind) < count && move_on(b, &ready, until_ms)) {
        if (server_now_ms() > end)
            fail_msg("%zu of %zu notices of kind %d came", told_count(b, kind), count, (int)kind);
        assert_int_equal(bb_dispatcher_run(b->dispatcher, NULL), BB_OK);
    }
    return told_count(b, kind) >= count;
}

void background_wait_until(background *b, bb_notice_kind kind, size_t count) {
    int64_t end = server_now_ms() + BACKGROUND_PATIENCE_MS;
    struct timespec until = {.tv_sec = end / 1000, .tv_nsec = end % 1000 * 1000000};
    int late = 0;
    pthread_mutex_lock(&b->lock);
    while (b->counts[kind] < count && late == 0)
        late = pthread_cond_timedwait(&b->changed, &b->lock, &until);
    size_t came = b->counts[kind];
    pthread_mutex_unlock(&b->lock);
    if (came < count) {
        bb_stats stats = background_stats(b, NULL);
        const told *dead = find_told(b, BB_NOTICE_DEAD, 0);
        fail_msg("%zu of %zu notices of kind %d came; waiting %d, in flight %d, dead %d: %s", came,
                 count, (int)kind, (int)stats.waiting, (int)stats.in_flight, (int)stats.dead,
                 dead ? dead->text : "");
    }
}

/* ------------------------------------------------------------------ books -- */

bb_stats background_stats(background *b, const char *id) {
    bb_stats stats = BB_STATS_INIT;
    bb_error error = BB_ERROR_INIT;
    if (bb_dispatcher_stats(b->dispatcher, id, &stats, &error) != BB_OK)
        fail_msg("%s", error.text);
    return stats;
}

void background_check_books(background *b) {
    bb_stats stats = background_stats(b, NULL);
    assert_int_equal(stats.enqueued, stats.waiting + stats.in_flight + stats.delivered +
                                         stats.dead + stats.dropped);
    assert_int_equal(stats.delivered, b->counts[BB_NOTICE_DELIVERED]);
    assert_int_equal(stats.dead, b->counts[BB_NOTICE_DEAD]);
    assert_int_equal(stats.retried, b->counts[BB_NOTICE_RETRYING]);
    assert_int_equal(stats.sent, b->sent);
    if (stats.in_flight == 0)
        assert_int_equal(stats.sent, server_requests(b->receiver));
}

/* ---- processes ---- */

void background_use_own_process(background *b) {
    server_stop(b->receiver);
    b->receiver = server_start(&(server_options){.own_process = 1});
}

int background_wait_for_child(pid_t child) {
    int ended = -1;
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &ended, 0), child);
    if (WIFSIGNALED(ended))
        fail_msg("the child was ended by signal %d", WTERMSIG(ended));
    return WEXITSTATUS(ended);
}
