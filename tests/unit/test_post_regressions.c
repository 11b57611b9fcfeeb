/* Faults that were there once: each stays mended. */
#include "support/posting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const int64_t start_ms = INT64_C(1767225600000); /* 2026-01-01 00:00:00 UTC */
static int64_t now_ms; /* changed only between posts: they read it on this thread */

static int64_t virtual_clock(void *user) {
    (void)user;
    return now_ms;
}

static int open_virtual_world(void **state) {
    posting_open_world(state);
    now_ms = start_ms;
    bb_options options = posting_options();
    options.clock = virtual_clock;
    posting_use(*state, &options);
    return 0;
}

static void trailers_of_a_chunked_answer_do_no_harm(void **state) {
    world *w = *state;
    posting_script(w, BB_CUSTOM, "hook",
                   STEPS({.raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                 "a\r\n{\"code\":0}\r\n0\r\nX-Trailer: 1\r\n\r\n"}));
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
}

static void a_clock_that_is_set_back_makes_no_pause_longer(void **state) {
    world *w = *state;
    const int64_t year = INT64_C(365) * 24 * 3600 * 1000;
    posting_script(
        w, BB_SLACK, "hook",
        STEPS({.status = 429, .headers = "Retry-After: 5\r\n"}, {.status = 200, .body = "ok"}));
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_RETRY, 1);
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_RETRY, 0);
    now_ms -= year;
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_RETRY, 0);
    now_ms += 5000;
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
}

static void a_clock_before_1970_pauses_nobody(void **state) {
    world *w = *state;
    posting_script(w, BB_SLACK, "hook", STEPS({.status = 200, .body = "ok"}));
    now_ms = -5000;
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
}

static void a_clock_at_its_end_overflows_nothing(void **state) {
    world *w = *state;
    posting_script(w, BB_SLACK, "hook", STEPS({.status = 429, .headers = "Retry-After: 5\r\n"}));
    now_ms = INT64_MAX;
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_RETRY, 1);
}

static void a_pause_of_a_whole_type_tells_every_webhook_why(void **state) {
    world *w = *state;
    bb_webhook_status status = BB_WEBHOOK_STATUS_INIT;
    posting_script(w, BB_DISCORD, "first",
                   STEPS({.status = 429, .body = "{\"retry_after\":9,\"global\":true}"}));
    posting_send_one(w->dispatcher, "first");
    posting_script(w, BB_DISCORD, "second", STEPS({.status = 204}));
    assert_int_equal(bb_dispatcher_status(w->dispatcher, "second", &status, NULL), BB_OK);
    assert_true(status.paused_until_ms == start_ms + 9000);
    assert_non_null(strstr(status.reason, "429"));
    assert_int_equal(bb_dispatcher_resume(w->dispatcher, "second", NULL), BB_OK);
    posting_assert_row(posting_send_one(w->dispatcher, "second"), BB_RETRY, 0);
}

static void a_delivered_test_keeps_the_pause_that_its_answer_asks_for(void **state) {
    world *w = *state;
    bb_report *report = NULL;
    bb_webhook_status status = BB_WEBHOOK_STATUS_INIT;
    posting_script(w, BB_DISCORD, "hook",
                   STEPS({.status = 200,
                          .headers = "X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset-After: 2\r\n",
                          .body = "{\"id\":\"1\"}"}));
    assert_int_equal(bb_webhook_test(w->dispatcher, "hook", &report, NULL), BB_OK);
    posting_assert_row(bb_report_row(report, 0), BB_DELIVERED, 1);
    bb_report_free(report);
    assert_int_equal(bb_dispatcher_status(w->dispatcher, "hook", &status, NULL), BB_OK);
    assert_true(status.paused_until_ms == start_ms + 2000);
}

/* 65,000 percent signs were once compared with each secret to the end of the text. */
static void an_answer_of_percent_signs_costs_no_time(void **state) {
    world *w = *state;
    enum { SIGNS = 65000, HOOKS = 50, BOUND_MS = 5000 };
    char *body = malloc(SIGNS + 1), id[16];
    assert_non_null(body);
    memset(body, '%', SIGNS);
    body[SIGNS] = '\0';
    for (int i = 0; i < HOOKS; i++) {
        snprintf(id, sizeof(id), "hook%d", i);
        posting_script(w, BB_CUSTOM, id, STEPS({.status = 400, .body = body}));
    }
    int64_t begin = server_now_ms();
    bb_report *report = posting_send(w->dispatcher);
    assert_int_equal(bb_report_count(report), HOOKS);
    assert_true(server_now_ms() - begin < BOUND_MS);
    bb_report_free(report);
    free(body);
}

/* So many parts that a table of them would be full before the signature's turn. */
static void a_signature_is_masked_however_many_parts_the_url_has(void **state) {
    world *w = *state;
    char path[800] = "/x";
    for (int i = 0; i < 45; i++)
        snprintf(path + strlen(path), sizeof(path) - strlen(path), "/part-%06d", i);
    bb_webhook hook = posting_hook(BB_CUSTOM, "hook", server_url(w->receiver, path));
    hook.secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    assert_int_equal(bb_dispatcher_add(w->dispatcher, &hook, NULL), BB_OK);
    server_on(w->receiver, path, STEPS({.status = 400, .echo = SERVER_ECHO_PLAIN}));
    const bb_attempt_report *row = posting_send_one(w->dispatcher, "hook");
    const char *sent = server_header(server_request_at(w->receiver, 0), "webhook-signature");
    assert_non_null(strstr(sent, "v1,"));
    assert_null(strstr(row->outcome->remote_message, sent + 3));
    assert_null(strstr(row->outcome->text, sent + 3));
}

static int visit_none(void *user, const bb_webhook *webhook) {
    (void)user, (void)webhook;
    return 1;
}

/* Every call that would use what the fork has copied, perhaps with a lock held. The exit code of
 * the child. */
static int use_in_child(bb_dispatcher *dispatcher) {
    size_t deliveries;
    bb_report *report;
    bb_stats stats = BB_STATS_INIT;
    bb_webhook_status status = BB_WEBHOOK_STATUS_INIT;
    bb_webhook hook = posting_hook(BB_CUSTOM, "other", "https://hooks.example.com/");
    char text[1];
    size_t length;
    const int codes[] = {
        bb_webhook_post(dispatcher, posting_event(), NULL, &report, NULL),
        bb_webhook_test(dispatcher, "hook", &report, NULL),
        bb_webhook_enqueue(dispatcher, posting_event(), NULL, &deliveries, NULL),
        bb_dispatcher_start(dispatcher, NULL),
        bb_dispatcher_stop(dispatcher, 0, NULL, NULL),
        bb_dispatcher_flush(dispatcher, 0, NULL),
        bb_dispatcher_fd(dispatcher),
        bb_dispatcher_run(dispatcher, NULL),
        bb_dispatcher_stats(dispatcher, NULL, &stats, NULL),
        bb_dispatcher_prometheus(dispatcher, text, sizeof(text), &length, NULL),
        bb_dispatcher_list(dispatcher, visit_none, NULL, NULL),
        bb_dispatcher_status(dispatcher, "hook", &status, NULL),
        bb_dispatcher_resume(dispatcher, "hook", NULL),
        bb_dispatcher_add(dispatcher, &hook, NULL),
        bb_dispatcher_replace(dispatcher, &hook, NULL),
        bb_dispatcher_remove(dispatcher, "hook", NULL),
        bb_dispatcher_timeout_ms(dispatcher) < 0 ? BB_ERR_FORKED : BB_OK,
        bb_dispatcher_count(dispatcher) == 0 ? BB_ERR_FORKED : BB_OK,
        bb_dispatcher_free(dispatcher),
    };
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (codes[i] != BB_ERR_FORKED)
            return (int)i + 1;
    }
    return 0;
}

static void a_child_of_fork_is_refused_its_parents_dispatcher(void **state) {
    world *w = *state;
    int status = -1;
    posting_script(w, BB_CUSTOM, "hook", STEPS({.status = 200, .body = "{\"code\":0}"}));
    assert_int_equal(bb_dispatcher_start(w->dispatcher, NULL), BB_OK);
    pid_t child = fork();
    if (child == 0)
        _exit(use_in_child(w->dispatcher));
    waitpid(child, &status, 0);
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(bb_webhook_enqueue(w->dispatcher, posting_event(), NULL, NULL, NULL), BB_OK);
    assert_int_equal(bb_dispatcher_flush(w->dispatcher, 10000, NULL), BB_OK);
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
}

static void an_event_id_of_a_megabyte_is_shortened(void **state) {
    world *w = *state;
    enum { LENGTH = 1 << 20 };
    bb_event event = *posting_event();
    char *id = malloc(LENGTH + 1);
    assert_non_null(id);
    memset(id, 'i', LENGTH);
    id[LENGTH] = '\0';
    event.id = id;
    posting_script(w, BB_CUSTOM, "hook", STEPS({.status = 200, .body = "{\"code\":0}"}));
    for (int i = 0; i < 2; i++) {
        bb_report *report = NULL;
        assert_int_equal(bb_webhook_post(w->dispatcher, &event, NULL, &report, NULL), BB_OK);
        assert_in_range(strlen(bb_report_row(report, 0)->event_id), 1, 255);
        bb_report_free(report);
    }
    assert_string_equal(server_header(server_request_at(w->receiver, 0), "webhook-id"),
                        server_header(server_request_at(w->receiver, 1), "webhook-id"));
    free(id);
}

static void a_call_that_fails_leaves_nothing_to_free(void **state) {
    world *w = *state;
    bb_report *report = (bb_report *)(uintptr_t)1;
    bb_event nothing = BB_EVENT_INIT;
    assert_int_equal(bb_webhook_post(w->dispatcher, &nothing, NULL, &report, NULL), BB_ERR_EVENT);
    assert_null(report);
    report = (bb_report *)(uintptr_t)1;
    assert_int_equal(bb_webhook_test(w->dispatcher, "nobody", &report, NULL), BB_ERR_NOT_FOUND);
    assert_null(report);
}

#define VIRTUAL(test) cmocka_unit_test_setup_teardown(test, open_virtual_world, posting_close_world)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_WORLD(trailers_of_a_chunked_answer_do_no_harm),
        VIRTUAL(a_clock_that_is_set_back_makes_no_pause_longer),
        VIRTUAL(a_clock_before_1970_pauses_nobody),
        VIRTUAL(a_clock_at_its_end_overflows_nothing),
        VIRTUAL(a_pause_of_a_whole_type_tells_every_webhook_why),
        VIRTUAL(a_delivered_test_keeps_the_pause_that_its_answer_asks_for),
        WITH_WORLD(an_answer_of_percent_signs_costs_no_time),
        WITH_WORLD(a_signature_is_masked_however_many_parts_the_url_has),
        WITH_WORLD(a_child_of_fork_is_refused_its_parents_dispatcher),
        WITH_WORLD(an_event_id_of_a_megabyte_is_shortened),
        WITH_WORLD(a_call_that_fails_leaves_nothing_to_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
