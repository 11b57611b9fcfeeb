/* Several processes at one outbox in SQLite; and one that is killed. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/outbox.h"

/* -------------------------------------------------------------- several at it -- */

static void two_share_the_work(void **state) {
    enum { EVENTS = 300 };
    background *one = *state, *two = NULL;
    void *second = NULL;
    outbox_open_all(one);
    background_add_healthy(one, BB_CUSTOM, "hook");
    for (int i = 0; i < EVENTS; i++)
        background_enqueue(one, NULL);
    assert_int_equal(background_setup(&second), 0);
    two = second;
    bb_outbox *other = outbox_open();
    two->options.outbox = other;
    background_open(two);
    outbox_add_hook_at(two, one->receiver);
    assert_int_equal(bb_dispatcher_start(one->dispatcher, NULL), BB_OK);
    assert_int_equal(bb_dispatcher_start(two->dispatcher, NULL), BB_OK);
    while (server_requests(one->receiver) < EVENTS)
        background_flush(one);
    background_flush(one);
    background_flush(two);
    assert_int_equal(one->counts[BB_NOTICE_DELIVERED] + two->counts[BB_NOTICE_DELIVERED], EVENTS);
    assert_int_equal(server_requests(one->receiver), EVENTS);
    assert_int_equal(background_teardown(&second), 0);
    bb_outbox_free(other);
    assert_int_equal(outbox_count("bb_delivery"), 0);
}

/* ------------------------------------------------------------------- crashes -- */

/* A process of its own that enqueues, drives, and is killed while answers are outstanding. */
static void deliver_until_killed(const char *url, int events) {
    bb_options options = BB_OPTIONS_INIT;
    bb_background_options settings = BB_BACKGROUND_OPTIONS_INIT;
    bb_webhook hook = BB_WEBHOOK_INIT;
    bb_dispatcher *dispatcher = NULL;
    settings.outbox = outbox_open();
    options.background = &settings;
    options.insecure_allow_http = options.insecure_allow_private_addresses = 1;
    options.timeout_ms = BACKGROUND_ATTEMPT_MS;
    hook.id = hook.name = "hook";
    hook.type = BB_CUSTOM;
    hook.url = url;
    hook.activities = BB_ACTIVITY_ALL;
    bb_event event = BB_EVENT_INIT;
    event.activity = BB_ISSUE_CREATE;
    if (bb_dispatcher_new(&options, &dispatcher, NULL) != BB_OK ||
        bb_dispatcher_add(dispatcher, &hook, NULL) != BB_OK)
        _exit(1);
    for (int i = 0; i < events; i++)
        if (bb_webhook_enqueue(dispatcher, &event, NULL, NULL, NULL) != BB_OK)
            _exit(1);
    bb_dispatcher_flush(dispatcher, 60000, NULL);
    _exit(1); /* not reached: it is killed */
}

static size_t different_ids(server *receiver) {
    size_t different = 0;
    for (size_t i = 0; i < server_requests(receiver); i++) {
        const char *id = server_header(server_request_at(receiver, i), "webhook-id");
        size_t j = 0;
        while (j < i &&
               strcmp(id, server_header(server_request_at(receiver, j), "webhook-id")) != 0)
            j++;
        different += j == i;
    }
    return different;
}

static void a_killed_process_loses_nothing(void **state) {
    enum { EVENTS = 30, IN_FLIGHT = 8 };
    static const server_step steps[] = {{.status = 200, .body = "{\"code\":0}"},
                                        {.status = 200, .body = "{\"code\":0}"},
                                        {.status = 200, .hold = 1, .body = "{\"code\":0}"}};
    background *b = *state;
    server_on(b->receiver, "/hook", steps, 3);
    const char *url = server_url(b->receiver, "/hook");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        deliver_until_killed(url, EVENTS);
    assert_true(server_wait_requests(b->receiver, 3, BACKGROUND_PATIENCE_MS));
    kill(child, SIGKILL);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    server_on(b->receiver, "/hook", steps, 1);
    server_release(b->receiver);
    outbox_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    while (outbox_count("bb_delivery") + outbox_count(OUTBOX_EVENTS) > 0)
        background_flush(b);
    assert_int_equal(different_ids(b->receiver), EVENTS);
    size_t again = server_requests(b->receiver) - EVENTS;
    assert_in_range(again, 1, IN_FLIGHT + 2); /* in flight, or answered and not written */
}

/* A process that slept beyond its lease: what it says then is not believed. */
static void a_result_after_the_lease_is_refused(void **state) {
    static const server_step steps[] = {{.status = 503, .hold = 1},
                                        {.status = 200, .body = "{\"code\":0}"}};
    background *slow = *state, *quick = NULL;
    void *second = NULL;
    outbox_open_all(slow);
    background_script(slow, BB_CUSTOM, "hook", steps, 2);
    background_enqueue(slow, "one");
    while (server_requests(slow->receiver) == 0) /* and then it does not move any more */
        assert_int_equal(bb_dispatcher_run(slow->dispatcher, NULL), BB_OK);
    assert_int_equal(background_setup(&second), 0);
    quick = second;
    bb_outbox *other = outbox_open();
    quick->options.outbox = other;
    background_open(quick);
    outbox_add_hook_at(quick, slow->receiver);
    assert_int_equal(bb_dispatcher_start(quick->dispatcher, NULL), BB_OK);
    background_wait_until(quick, BB_NOTICE_DELIVERED, 1);
    background_flush(quick);
    assert_int_equal(background_teardown(&second), 0);
    bb_outbox_free(other);
    assert_int_equal(outbox_count("bb_delivery"), 0);
    server_release(slow->receiver);
    background_drive_until(slow, BB_NOTICE_RETRYING, 1); /* it believes so ... */
    outbox_close_all(slow);
    assert_int_equal(outbox_count("bb_delivery"), 0); /* ... and nobody else does */
    assert_int_equal(server_requests(slow->receiver), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        OUTBOX_TEST(two_share_the_work),
        OUTBOX_TEST(a_killed_process_loses_nothing),
        OUTBOX_TEST(a_result_after_the_lease_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
