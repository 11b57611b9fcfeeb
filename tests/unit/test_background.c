/* Background delivery over real HTTP: handed over, driven in each way, retried, told. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/background.h"

#define BACKGROUND_TEST(function)                                                                  \
    cmocka_unit_test_setup_teardown(function, background_setup, background_teardown)

static const server_step busy = {.status = 503};

/* ---------------------------------------------------------------- driving -- */

static void an_event_reaches_every_webhook_that_wants_it(void **state) {
    static const bb_type types[] = {BB_SLACK,  BB_DISCORD, BB_TEAMS, BB_DINGTALK,
                                    BB_FEISHU, BB_WECOM,   BB_CUSTOM};
    background *b = *state;
    background_open(b);
    for (size_t i = 0; i < 7; i++)
        background_add_healthy(b, types[i], bb_type_name(types[i]));
    assert_int_equal(background_enqueue(b, "one"), 7);
    assert_int_equal(background_stats(b, NULL).waiting, 7);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 7);
    assert_int_equal(server_requests(b->receiver), 7);
    const told *first = background_told(b, BB_NOTICE_DELIVERED, 0);
    assert_string_equal(first->event_id, "one");
    assert_int_equal(first->attempt, 1);
    assert_int_equal(first->verdict, BB_DELIVERED);
    background_check_books(b);
}

static void the_librarys_own_thread_drives(void **state) {
    background *b = *state;
    background_open(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_ERR_BUSY);
    assert_int_equal(bb_dispatcher_run(b->dispatcher, NULL), BB_ERR_BUSY);
    for (int i = 0; i < 100; i++)
        background_enqueue(b, NULL);
    background_wait_until(b, BB_NOTICE_DELIVERED, 100);
    background_flush(b);
    size_t waiting = 99;
    assert_int_equal(bb_dispatcher_stop(b->dispatcher, 5000, &waiting, NULL), BB_OK);
    assert_int_equal(waiting, 0);
    background_check_books(b);
}

static void the_hosts_loop_drives(void **state) {
    background *b = *state;
    background_open(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    assert_int_equal(bb_dispatcher_timeout_ms(b->dispatcher), -1);
    background_enqueue(b, "one");
    struct pollfd ready = {.fd = bb_dispatcher_fd(b->dispatcher), .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 0), 1); /* the descriptor alone tells */
    background_drive_until(b, BB_NOTICE_DELIVERED, 1);
    background_check_books(b);
}

static void what_waits_survives_a_stop_and_goes_on(void **state) {
    background *b = *state;
    background_open(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    assert_int_equal(bb_dispatcher_stop(b->dispatcher, 0, NULL, NULL), BB_OK);
    background_enqueue(b, "one");
    size_t waiting = 0;
    assert_int_equal(bb_dispatcher_stop(b->dispatcher, 0, &waiting, NULL), BB_OK);
    assert_int_equal(waiting, 1);
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    background_wait_until(b, BB_NOTICE_DELIVERED, 1);
    background_check_books(b);
}

/* ---------------------------------------------------------------- retries -- */

static void a_failure_is_tried_again_with_the_same_id(void **state) {
    static const uint32_t at_once[] = {1, 1, 1};
    background *b = *state;
    server_step steps[] = {busy, busy, posting_success(BB_CUSTOM)};
    b->options.retry_delays_ms = at_once;
    b->options.retry_delay_count = 3;
    background_open(b);
    bb_webhook hook = background_hook(b, BB_CUSTOM, "hook", steps, 3);
    background_add(b, &hook);
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_DELIVERED, 1);
    assert_int_equal(b->counts[BB_NOTICE_RETRYING], 2);
    assert_int_equal(background_told(b, BB_NOTICE_DELIVERED, 0)->attempt, 3);
    const char *id = server_header(server_request_at(b->receiver, 0), "webhook-id");
    assert_string_equal(id, server_header(server_request_at(b->receiver, 2), "webhook-id"));
    assert_string_equal(id, background_told(b, BB_NOTICE_DELIVERED, 0)->delivery_id);
    background_check_books(b);
}

static void it_is_given_up_when_the_schedule_is_over(void **state) {
    static const uint32_t at_once[] = {1};
    background *b = *state;
    b->options.retry_delays_ms = at_once;
    b->options.retry_delay_count = 1;
    background_open(b);
    bb_webhook hook = background_hook(b, BB_CUSTOM, "hook", &busy, 1);
    background_add(b, &hook);
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_DEAD, 1);
    assert_int_equal(server_requests(b->receiver), 2);
    assert_non_null(strstr(background_told(b, BB_NOTICE_DEAD, 0)->text, "last attempt"));
    background_check_books(b);
}

static void a_refusal_is_not_tried_again(void **state) {
    background *b = *state;
    background_open(b);
    bb_webhook hook = background_hook(b, BB_CUSTOM, "hook", &(server_step){.status = 400}, 1);
    background_add(b, &hook);
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_DEAD, 1);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 1);
    background_check_books(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BACKGROUND_TEST(an_event_reaches_every_webhook_that_wants_it),
        BACKGROUND_TEST(the_librarys_own_thread_drives),
        BACKGROUND_TEST(the_hosts_loop_drives),
        BACKGROUND_TEST(what_waits_survives_a_stop_and_goes_on),
        BACKGROUND_TEST(a_failure_is_tried_again_with_the_same_id),
        BACKGROUND_TEST(it_is_given_up_when_the_schedule_is_over),
        BACKGROUND_TEST(a_refusal_is_not_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
