/* Any number of threads post on one dispatcher while others change its webhooks: every request that
 * arrived is a row of exactly one report, and nothing is lost, doubled or raced for. */
#include "support/posting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 8, STABLE = 6, CHANGING = 4 };

typedef struct shared {
    server *receiver;
    bb_dispatcher *dispatcher;
    size_t posts; /* of each thread */
    char urls[CHANGING][2][100];
    atomic_int posting; /* threads that are not done */
    atomic_size_t sent;
    atomic_size_t delivered;
    atomic_size_t stable;
    atomic_size_t failures; /* calls that did not return what they must */
    atomic_size_t changes;
} shared;

static void count_rows(shared *s, const bb_report *report) {
    for (size_t i = 0; i < bb_report_count(report); i++) {
        const bb_attempt_report *row = bb_report_row(report, i);
        s->sent += row->sent != 0;
        s->delivered += row->outcome->verdict == BB_DELIVERED;
        s->stable += strncmp(row->webhook_id, "stable", 6) == 0;
    }
}

static void *post_often(void *argument) {
    shared *s = argument;
    for (size_t i = 0; i < s->posts; i++) {
        bb_report *report = NULL;
        int code = bb_webhook_post(s->dispatcher, posting_event(), NULL, &report, NULL);
        s->failures += code != BB_OK;
        count_rows(s, report);
        bb_report_free(report);
    }
    s->posting--;
    return NULL;
}

static int count_visit(void *user, const bb_webhook *webhook) {
    *(size_t *)user += webhook->url != NULL;
    return 0;
}

/* One webhook comes, is told apart, changes its path, and goes. */
static void change_one(shared *s, int which) {
    char id[32];
    snprintf(id, sizeof(id), "changing%d", which);
    bb_webhook hook = posting_hook(BB_CUSTOM, id, s->urls[which][0]);
    s->failures += bb_dispatcher_add(s->dispatcher, &hook, NULL) != BB_OK;
    hook.url = s->urls[which][1];
    s->failures += bb_dispatcher_replace(s->dispatcher, &hook, NULL) != BB_OK;
    bb_webhook_status status = BB_WEBHOOK_STATUS_INIT;
    s->failures += bb_dispatcher_status(s->dispatcher, id, &status, NULL) != BB_OK;
    s->failures += status.disabled != 0 || status.paused_until_ms != 0;
    s->failures += bb_dispatcher_resume(s->dispatcher, id, NULL) != BB_OK;
    size_t seen = 0;
    s->failures += bb_dispatcher_list(s->dispatcher, count_visit, &seen, NULL) != 0;
    s->failures += seen < STABLE + 1 || bb_dispatcher_count(s->dispatcher) < STABLE + 1;
    s->failures += bb_dispatcher_remove(s->dispatcher, id, NULL) != BB_OK;
    s->changes++;
}

static void *change_often(void *argument) {
    shared *s = argument;
    for (int i = 0; s->posting > 0; i++)
        change_one(s, i % CHANGING);
    return NULL;
}

static void add_webhooks(shared *s) {
    server_step custom = posting_success(BB_CUSTOM);
    for (int i = 0; i < STABLE; i++) {
        char id[32];
        snprintf(id, sizeof(id), "stable%d", i);
        posting_add_healthy(s->dispatcher, s->receiver, id);
    }
    server_on(s->receiver, NULL, &custom, 1);
    for (int i = 0; i < CHANGING; i++) {
        for (int j = 0; j < 2; j++) {
            char path[40];
            snprintf(path, sizeof(path), "/changing%d/%d", i, j);
            snprintf(s->urls[i][j], sizeof(s->urls[i][j]), "%s", server_url(s->receiver, path));
        }
    }
}

static size_t posts_per_thread(void) {
    const char *wanted = getenv("BB_TEST_POSTS");
    return wanted != NULL ? strtoul(wanted, NULL, 10) : 60;
}

static void eight_threads_post_while_webhooks_come_and_go(void **state) {
    (void)state;
    static shared s;
    s = (shared){.posts = posts_per_thread(), .posting = THREADS};
    s.receiver = server_start(&(server_options){.own_process = 1});
    s.dispatcher = posting_dispatcher(NULL);
    add_webhooks(&s);

    pthread_t threads[THREADS + 1];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post_often, &s), 0);
    assert_int_equal(pthread_create(&threads[THREADS], NULL, change_often, &s), 0);
    for (int i = 0; i <= THREADS; i++)
        pthread_join(threads[i], NULL);

    assert_int_equal(s.failures, 0);
    assert_true(s.changes > 0);
    assert_int_equal(s.stable, THREADS * s.posts * STABLE);
    assert_int_equal(s.delivered, s.sent);
    assert_int_equal(server_requests(s.receiver), s.sent);
    for (int i = 0; i < STABLE; i++) {
        char path[40];
        snprintf(path, sizeof(path), "/stable%d", i);
        assert_int_equal(server_requests_to(s.receiver, path), THREADS * s.posts);
    }
    assert_int_equal(bb_dispatcher_count(s.dispatcher), STABLE);
    bb_dispatcher_free(s.dispatcher);
    server_stop(s.receiver);
}

/* ------------------------------------------------------- changing states -- */

static void *post_and_resume(void *argument) {
    shared *s = argument;
    for (size_t i = 0; i < s->posts; i++) {
        bb_report *report = NULL;
        s->failures +=
            bb_webhook_post(s->dispatcher, posting_event(), NULL, &report, NULL) != BB_OK;
        count_rows(s, report);
        bb_report_free(report);
        s->failures += bb_dispatcher_resume(s->dispatcher, "stable", NULL) != BB_OK;
        s->failures += bb_webhook_test(s->dispatcher, "stable", &report, NULL) != BB_OK;
        count_rows(s, report);
        bb_report_free(report);
    }
    return NULL;
}

static void answers_that_pause_and_disable_are_counted_soundly_too(void **state) {
    (void)state;
    static shared s;
    s = (shared){.posts = posts_per_thread() / 2 + 1};
    s.receiver = server_start(&(server_options){.own_process = 1});
    s.dispatcher = posting_dispatcher(NULL);
    server_step script[100];
    for (size_t i = 0; i < 100; i++)
        script[i] = posting_success(BB_SLACK);
    for (size_t i = 0; i < 99; i += 3)
        script[i] = i % 2 == 0 ? (server_step){.status = 429, .headers = "Retry-After: 60\r\n"}
                               : (server_step){.status = 404, .body = "no_service"};
    server_on(s.receiver, "/stable", script, 100);
    posting_add(s.dispatcher, BB_SLACK, "stable", server_url(s.receiver, "/stable"));

    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post_and_resume, &s), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(s.failures, 0);
    assert_int_equal(s.stable, THREADS * s.posts * 2);
    assert_int_equal(server_requests(s.receiver), s.sent);
    bb_dispatcher_free(s.dispatcher);
    server_stop(s.receiver);
}

/* ------------------------------------------------- dispatchers of their own -- */

static void *live_a_whole_life(void *argument) {
    shared *s = argument;
    for (size_t i = 0; i < s->posts; i++) {
        bb_options options = posting_options();
        bb_dispatcher *dispatcher = NULL;
        bb_webhook hook = posting_hook(BB_SLACK, "stable", s->urls[0][0]);
        bb_report *report = NULL;
        s->failures += bb_dispatcher_new(&options, &dispatcher, NULL) != BB_OK;
        s->failures += bb_dispatcher_add(dispatcher, &hook, NULL) != BB_OK;
        s->failures += bb_webhook_post(dispatcher, posting_event(), NULL, &report, NULL) != BB_OK;
        count_rows(s, report);
        bb_report_free(report);
        bb_dispatcher_free(dispatcher);
    }
    return NULL;
}

static void dispatchers_are_made_and_freed_on_many_threads(void **state) {
    (void)state;
    static shared s;
    s = (shared){.posts = posts_per_thread() / 6 + 1};
    s.receiver = server_start(&(server_options){.own_process = 1});
    server_on(s.receiver, NULL, STEPS({.status = 200, .body = "ok"}));
    snprintf(s.urls[0][0], sizeof(s.urls[0][0]), "%s", server_url(s.receiver, "/hook"));
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, live_a_whole_life, &s), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(s.failures, 0);
    assert_int_equal(s.delivered, THREADS * s.posts);
    assert_int_equal(server_requests(s.receiver), s.sent);
    server_stop(s.receiver);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eight_threads_post_while_webhooks_come_and_go),
        cmocka_unit_test(answers_that_pause_and_disable_are_counted_soundly_too),
        cmocka_unit_test(dispatchers_are_made_and_freed_on_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
