/* How much of a post is on its way at once, how long it takes at most, and that neither the one nor
 * the other is a matter of what else is going on. */
#include "support/posting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>

/* -------------------------------------------------------------- parallel -- */

typedef struct running {
    pthread_t thread;
    bb_dispatcher *dispatcher;
    bb_report *report;
    int code;
} running;

static void *post_in_thread(void *argument) {
    running *r = argument;
    r->code = bb_webhook_post(r->dispatcher, posting_event(), NULL, &r->report, NULL);
    return NULL;
}

static void start_post(running *r, bb_dispatcher *dispatcher) {
    *r = (running){.dispatcher = dispatcher};
    assert_int_equal(pthread_create(&r->thread, NULL, post_in_thread, r), 0);
}

static bb_report *finish_post(running *r) {
    pthread_join(r->thread, NULL);
    assert_int_equal(r->code, BB_OK);
    return r->report;
}

static void add_held(world *w, int count) {
    for (int i = 0; i < count; i++) {
        char id[32];
        snprintf(id, sizeof(id), "hook%d", i);
        posting_script(w, BB_SLACK, id, STEPS({.status = 200, .body = "ok", .hold = 1}));
    }
}

static void assert_width(world *w, int hooks, size_t width) {
    add_held(w, hooks);
    running r;
    start_post(&r, w->dispatcher);
    assert_true(server_wait_requests(w->receiver, width, PATIENCE_MS));
    server_release(w->receiver);
    bb_report *report = finish_post(&r);
    assert_int_equal(bb_report_count(report), hooks);
    assert_int_equal(bb_report_undelivered(report), 0);
    assert_int_equal(server_requests(w->receiver), hooks);
    assert_int_equal(server_peak_waiting(w->receiver), width);
    bb_report_free(report);
}

static void a_post_to_many_has_64_on_their_way_at_once(void **state) {
    assert_width(*state, 150, 64);
}

static void max_parallel_bounds_a_post(void **state) {
    bb_options options = posting_options();
    options.max_parallel = 3;
    posting_use(*state, &options);
    assert_width(*state, 10, 3);
}

static void a_post_does_not_wait_for_another_post(void **state) {
    world *w = *state;
    posting_script(w, BB_SLACK, "hook",
                   STEPS({.status = 200, .body = "ok", .hold = 1}, {.status = 200, .body = "ok"}));
    running held;
    start_post(&held, w->dispatcher);
    assert_true(server_wait_requests(w->receiver, 1, PATIENCE_MS));
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    server_release(w->receiver);
    bb_report *report = finish_post(&held);
    posting_assert_row(posting_row(report, "hook"), BB_DELIVERED, 1);
    bb_report_free(report);
}

static void a_running_post_finishes_with_the_webhook_it_began_with(void **state) {
    world *w = *state;
    add_held(w, 2);
    running held;
    start_post(&held, w->dispatcher);
    assert_true(server_wait_requests(w->receiver, 2, PATIENCE_MS));
    assert_int_equal(bb_dispatcher_remove(w->dispatcher, "hook0", NULL), BB_OK);
    bb_webhook other = posting_hook(BB_SLACK, "hook1", server_url(w->receiver, "/elsewhere"));
    assert_int_equal(bb_dispatcher_replace(w->dispatcher, &other, NULL), BB_OK);
    server_release(w->receiver);
    bb_report *report = finish_post(&held);
    assert_string_equal(posting_row(report, "hook0")->webhook_name, "hook0");
    assert_int_equal(bb_report_undelivered(report), 0);
    bb_report_free(report);
    assert_int_equal(server_requests_to(w->receiver, "/elsewhere"), 0);
    report = posting_send(w->dispatcher);
    assert_int_equal(bb_report_count(report), 1);
    assert_int_equal(server_requests_to(w->receiver, "/elsewhere"), 1);
    bb_report_free(report);
}

/* ------------------------------------------------------------ time limits -- */

enum { LIMIT_MS = 600, SLACK_MS = 10000 };

static void one_that_hangs_costs_only_its_own_limit(void **state) {
    world *w = *state;
    bb_options options = posting_options();
    options.timeout_ms = LIMIT_MS;
    posting_use(w, &options);
    posting_script(w, BB_SLACK, "hanging", STEPS({.end = SERVER_SILENT}));
    char id[32];
    for (int i = 0; i < 5; i++) {
        snprintf(id, sizeof(id), "healthy%d", i);
        posting_add_healthy(w->dispatcher, w->receiver, id);
    }
    int64_t before = server_now_ms();
    bb_report *report = posting_send(w->dispatcher);
    int64_t took = server_now_ms() - before;
    assert_true(took >= LIMIT_MS * 9 / 10 && took < LIMIT_MS + SLACK_MS);
    posting_assert_row(posting_row(report, "hanging"), BB_UNKNOWN, 1);
    assert_true(posting_row(report, "hanging")->duration_ms >= LIMIT_MS * 9 / 10);
    for (size_t i = 1; i <= 5; i++) {
        posting_assert_row(bb_report_row(report, i), BB_DELIVERED, 1);
        assert_true(bb_report_row(report, i)->duration_ms < LIMIT_MS);
    }
    assert_int_equal(server_requests(w->receiver), 6);
    bb_report_free(report);
}

static void what_cannot_start_in_time_is_told_so(void **state) {
    world *w = *state;
    bb_options options = posting_options();
    options.max_parallel = 1;
    options.post_timeout_ms = LIMIT_MS;
    posting_use(w, &options);
    posting_script(w, BB_SLACK, "hanging", STEPS({.end = SERVER_SILENT}));
    posting_add_healthy(w->dispatcher, w->receiver, "second");
    posting_add_healthy(w->dispatcher, w->receiver, "third");
    int64_t before = server_now_ms();
    bb_report *report = posting_send(w->dispatcher);
    int64_t took = server_now_ms() - before;
    assert_true(took >= LIMIT_MS * 9 / 10 && took < LIMIT_MS + SLACK_MS);
    assert_int_equal(bb_report_count(report), 3);
    posting_assert_row(bb_report_row(report, 0), BB_UNKNOWN, 1);
    posting_assert_row(bb_report_row(report, 1), BB_RETRY, 0);
    posting_assert_row(bb_report_row(report, 2), BB_RETRY, 0);
    assert_int_equal(server_requests(w->receiver), 1);
    bb_report_free(report);
}

static void a_post_can_have_a_limit_of_its_own(void **state) {
    world *w = *state;
    posting_script(w, BB_SLACK, "hanging", STEPS({.end = SERVER_SILENT}));
    bb_post_options options = BB_POST_OPTIONS_INIT;
    options.timeout_ms = LIMIT_MS;
    bb_report *report = NULL;
    int64_t before = server_now_ms();
    assert_int_equal(bb_webhook_post(w->dispatcher, posting_event(), &options, &report, NULL),
                     BB_OK);
    int64_t took = server_now_ms() - before;
    assert_true(took >= LIMIT_MS * 9 / 10 && took < LIMIT_MS + SLACK_MS);
    posting_assert_row(bb_report_row(report, 0), BB_UNKNOWN, 1);
    bb_report_free(report);
}

static void a_slow_answer_within_the_limit_is_waited_for(void **state) {
    world *w = *state;
    posting_script(w, BB_SLACK, "slow", STEPS({.status = 200, .body = "ok", .delay_ms = 250}));
    const bb_attempt_report *row = posting_send_one(w->dispatcher, "slow");
    posting_assert_row(row, BB_DELIVERED, 1);
    assert_true(row->duration_ms >= 250);
}

static void an_interrupted_post_can_be_followed_by_another(void **state) {
    world *w = *state;
    bb_options options = posting_options();
    options.timeout_ms = LIMIT_MS;
    posting_use(w, &options);
    posting_script(w, BB_SLACK, "hook",
                   STEPS({.end = SERVER_SILENT}, {.status = 200, .body = "ok"}));
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_UNKNOWN, 1);
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    assert_int_equal(server_requests(w->receiver), 2);
    assert_int_equal(server_connections(w->receiver), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_WORLD(a_post_to_many_has_64_on_their_way_at_once),
        WITH_WORLD(max_parallel_bounds_a_post),
        WITH_WORLD(a_post_does_not_wait_for_another_post),
        WITH_WORLD(a_running_post_finishes_with_the_webhook_it_began_with),
        WITH_WORLD(one_that_hangs_costs_only_its_own_limit),
        WITH_WORLD(what_cannot_start_in_time_is_told_so),
        WITH_WORLD(a_post_can_have_a_limit_of_its_own),
        WITH_WORLD(a_slow_answer_within_the_limit_is_waited_for),
        WITH_WORLD(an_interrupted_post_can_be_followed_by_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
