/* What answers say of a webhook: pauses of one and of a whole type, limits that are kept before
 * they are reached, webhooks that are gone. In virtual time, over real HTTP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/background.h"

#define BACKGROUND_TEST(function)                                                                  \
    cmocka_unit_test_setup_teardown(function, background_setup, background_teardown)

#define JSON "Content-Type: application/json\r\n"

enum { MINUTE_MS = 60000 };

static const int64_t start_ms = INT64_C(1700000000000);

static void open_in_virtual_time(background *b) {
    b->clock_ms = start_ms;
    b->options.no_jitter = 1;
    background_open(b);
}

static int64_t delivered_at(background *b, size_t index) {
    return background_told(b, BB_NOTICE_DELIVERED, index)->at_ms - start_ms;
}

static bb_webhook_status status_of(background *b, const char *id) {
    bb_webhook_status status = BB_WEBHOOK_STATUS_INIT;
    assert_int_equal(bb_dispatcher_status(b->dispatcher, id, &status, NULL), BB_OK);
    return status;
}

/* ----------------------------------------------------------------- discord -- */

static void a_global_limit_of_discord_pauses_all_its_webhooks(void **state) {
    static const server_step limited = {
        .status = 429,
        .headers = JSON "X-RateLimit-Global: true\r\nX-RateLimit-Scope: global\r\n",
        .body = "{\"message\":\"slow down\",\"retry_after\":2.5,\"global\":true}"};
    background *b = *state;
    server_step steps[] = {limited, posting_success(BB_DISCORD)};
    open_in_virtual_time(b);
    background_script(b, BB_DISCORD, "first", steps, 2);
    background_enqueue(b, "one");
    assert_true(background_pass_time(b, BB_NOTICE_RETRYING, 1, start_ms));
    background_add_healthy(b, BB_DISCORD, "second");
    background_add_healthy(b, BB_CUSTOM, "other");
    background_enqueue(b, "two");
    assert_true(background_pass_time(b, BB_NOTICE_DELIVERED, 4, INT64_MAX));
    assert_string_equal(background_told(b, BB_NOTICE_DELIVERED, 0)->webhook_id, "other");
    assert_int_equal(delivered_at(b, 0), 0);
    for (size_t i = 1; i < 4; i++)
        assert_int_equal(delivered_at(b, i), 2500);
    assert_int_equal(background_told(b, BB_NOTICE_PAUSED, 0)->wait_ms, 2500);
    assert_int_equal(b->counts[BB_NOTICE_PAUSED], 1);
    assert_string_equal(background_told(b, BB_NOTICE_RECOVERED, 0)->webhook_id, "first");
    background_check_books(b);
}

static void a_limit_of_one_webhook_of_discord_pauses_that_one(void **state) {
    static const server_step limited = {.status = 429,
                                        .headers = JSON "X-RateLimit-Scope: user\r\n",
                                        .body = "{\"retry_after\":1.5,\"global\":false}"};
    background *b = *state;
    server_step steps[] = {limited, posting_success(BB_DISCORD)};
    open_in_virtual_time(b);
    background_script(b, BB_DISCORD, "limited", steps, 2);
    background_add_healthy(b, BB_DISCORD, "healthy");
    background_enqueue(b, "one");
    assert_true(background_pass_time(b, BB_NOTICE_DELIVERED, 2, INT64_MAX));
    assert_int_equal(delivered_at(b, 0), 0);
    assert_int_equal(delivered_at(b, 1), 1500);
    background_check_books(b);
}

static void what_is_left_of_a_limit_is_kept_before_it_is_reached(void **state) {
    static const server_step last = {
        .status = 200,
        .headers = JSON "X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset-After: 3.25\r\n",
        .body = "{\"id\":\"1\"}"};
    background *b = *state;
    server_step steps[] = {last, posting_success(BB_DISCORD)};
    open_in_virtual_time(b);
    background_script(b, BB_DISCORD, "hook", steps, 2);
    background_enqueue(b, "one");
    background_enqueue(b, "two");
    assert_true(background_pass_time(b, BB_NOTICE_DELIVERED, 2, INT64_MAX));
    assert_int_equal(delivered_at(b, 0), 0);
    assert_int_equal(delivered_at(b, 1), 3250);
    assert_int_equal(b->counts[BB_NOTICE_PAUSED], 0); /* nothing was refused */
    background_check_books(b);
}

/* ---------------------------------------------------------------- dingtalk -- */

static void a_robot_of_dingtalk_that_is_too_fast_rests_a_minute(void **state) {
    static const server_step fast = {
        .status = 200, .headers = JSON, .body = "{\"errcode\":130101,\"errmsg\":\"too fast\"}"};
    background *b = *state;
    server_step steps[] = {fast, posting_success(BB_DINGTALK)};
    open_in_virtual_time(b);
    background_script(b, BB_DINGTALK, "robot", steps, 2);
    background_enqueue(b, "one");
    assert_true(background_pass_time(b, BB_NOTICE_PAUSED, 1, start_ms));
    bb_webhook_status status = status_of(b, "robot");
    assert_int_equal(status.paused_until_ms, start_ms + MINUTE_MS);
    assert_non_null(strstr(status.reason, "too fast"));
    background_enqueue(b, "two");
    assert_true(background_pass_time(b, BB_NOTICE_DELIVERED, 2, INT64_MAX));
    assert_int_equal(delivered_at(b, 0), MINUTE_MS);
    assert_int_equal(b->counts[BB_NOTICE_RECOVERED], 1);
    background_check_books(b);
}

static void a_burst_to_one_robot_of_dingtalk_is_twenty_a_minute(void **state) {
    background *b = *state;
    server_step yes = posting_success(BB_DINGTALK);
    open_in_virtual_time(b);
    bb_webhook hook = background_hook(b, BB_DINGTALK, "robot", &yes, 1);
    hook.no_rate = 0;
    background_add(b, &hook);
    for (int i = 0; i < 25; i++)
        background_enqueue(b, NULL);
    assert_false(background_pass_time(b, BB_NOTICE_DELIVERED, 25, start_ms + MINUTE_MS));
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 20);
    assert_true(background_pass_time(b, BB_NOTICE_DELIVERED, 25, start_ms + MINUTE_MS + 1000));
    assert_int_equal(delivered_at(b, 19), 0);
    assert_true(delivered_at(b, 20) > MINUTE_MS);
    background_check_books(b);
}

static void posts_count_for_the_same_rate(void **state) {
    background *b = *state;
    server_step yes = posting_success(BB_DINGTALK);
    open_in_virtual_time(b);
    bb_webhook hook = background_hook(b, BB_DINGTALK, "robot", &yes, 1);
    hook.no_rate = 0;
    background_add(b, &hook);
    for (int i = 0; i < 15; i++)
        assert_int_equal(posting_send_one(b->dispatcher, "robot")->sent, 1);
    for (int i = 0; i < 10; i++)
        background_enqueue(b, NULL);
    assert_false(background_pass_time(b, BB_NOTICE_DELIVERED, 10, start_ms + MINUTE_MS));
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 5);
    assert_true(background_pass_time(b, BB_NOTICE_DELIVERED, 10, INT64_MAX));
}

/* A flush drives on while only a rate is in the way, and does not wait for a pause. */
static void a_flush_waits_for_a_rate_and_not_for_a_pause(void **state) {
    static const server_step later = {.status = 429, .headers = "Retry-After: 3600\r\n"};
    background *b = *state;
    server_step yes = posting_success(BB_CUSTOM);
    background_open(b);
    bb_webhook hook = background_hook(b, BB_CUSTOM, "paced", &yes, 1);
    hook.no_rate = 0;
    hook.rate_count = 1;
    hook.rate_period_ms = 50;
    background_add(b, &hook);
    background_script(b, BB_CUSTOM, "paused", &later, 1);
    for (int i = 0; i < 4; i++)
        background_enqueue(b, NULL);
    int64_t began = server_now_ms();
    background_flush(b);
    assert_true(server_now_ms() - began >= 150);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 4);
    background_enqueue(b, NULL);
    began = server_now_ms();
    background_flush(b);
    assert_true(server_now_ms() - began < 5000);
    assert_int_equal(background_stats(b, "paused").waiting, 5);
    assert_int_equal(background_stats(b, "paused").attempts, 1);
    background_check_books(b);
}

/* ----------------------------------------------------------------- disabled -- */

static void one_that_is_gone_is_disabled_until_it_is_resumed(void **state) {
    background *b = *state;
    server_step steps[] = {{.status = 410}, posting_success(BB_CUSTOM)};
    open_in_virtual_time(b);
    background_script(b, BB_CUSTOM, "hook", steps, 2);
    background_enqueue(b, "one");
    background_enqueue(b, "two");
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DEAD], 1);
    assert_int_equal(b->counts[BB_NOTICE_DISABLED], 1);
    assert_int_equal(status_of(b, "hook").disabled, 1);
    background_enqueue(b, "three");
    background_flush(b);
    assert_int_equal(background_stats(b, "hook").waiting, 2);
    assert_int_equal(background_stats(b, NULL).webhooks_disabled, 1);
    assert_false(background_pass_time(b, BB_NOTICE_DELIVERED, 1, INT64_MAX));
    assert_int_equal(server_requests(b->receiver), 1);
    assert_int_equal(bb_dispatcher_resume(b->dispatcher, "hook", NULL), BB_OK);
    assert_true(background_pass_time(b, BB_NOTICE_DELIVERED, 2, start_ms));
    assert_string_equal(background_told(b, BB_NOTICE_DELIVERED, 0)->event_id, "two");
    assert_int_equal(b->counts[BB_NOTICE_RECOVERED], 1);
    background_check_books(b);
}

static void a_disabled_one_goes_on_when_it_is_replaced(void **state) {
    background *b = *state;
    server_step yes = posting_success(BB_CUSTOM);
    open_in_virtual_time(b);
    background_script(b, BB_CUSTOM, "hook", &(server_step){.status = 410}, 1);
    background_enqueue(b, "one");
    background_flush(b);
    background_enqueue(b, "two");
    background_flush(b);
    server_on(b->receiver, "/elsewhere", &yes, 1);
    bb_webhook hook = posting_hook(BB_CUSTOM, "hook", server_url(b->receiver, "/elsewhere"));
    assert_int_equal(bb_dispatcher_replace(b->dispatcher, &hook, NULL), BB_OK);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 1);
    assert_int_equal(server_requests_to(b->receiver, "/elsewhere"), 1);
    background_check_books(b);
}

/* What waits for a disabled one stays until it is too old, and is told then. */
static void what_waits_for_a_disabled_one_expires(void **state) {
    static const server_step gone = {.status = 404, .body = "no_service"};
    background *b = *state;
    open_in_virtual_time(b);
    background_script(b, BB_SLACK, "hook", &gone, 1);
    background_enqueue(b, "one");
    background_flush(b);
    b->clock_ms += MINUTE_MS;
    background_enqueue(b, "two");
    assert_true(background_pass_time(b, BB_NOTICE_DEAD, 2, INT64_MAX));
    const told *dead = background_told(b, BB_NOTICE_DEAD, 1);
    assert_int_equal(dead->at_ms, start_ms + MINUTE_MS + INT64_C(24) * 60 * MINUTE_MS);
    assert_int_equal(dead->sent, 0);
    assert_int_equal(dead->attempt, 0);
    background_check_books(b);
}

/* ------------------------------------------------------------------ removed -- */

static void what_waits_for_a_removed_one_is_dead(void **state) {
    background *b = *state;
    background_open(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    background_enqueue(b, "one");
    background_enqueue(b, "two");
    assert_int_equal(bb_dispatcher_remove(b->dispatcher, "hook", NULL), BB_OK);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DEAD], 2);
    assert_non_null(strstr(background_told(b, BB_NOTICE_DEAD, 0)->text, "removed"));
    assert_int_equal(server_requests(b->receiver), 0);
    background_check_books(b);
}

/* Its state is forgotten, though something was in flight: the counts of paused ones show it. */
static void one_that_is_removed_in_flight_is_forgotten(void **state) {
    static const server_step held = {.status = 429, .headers = "Retry-After: 3600\r\n", .hold = 1};
    background *b = *state;
    background_open(b);
    background_script(b, BB_CUSTOM, "hook", &held, 1);
    background_enqueue(b, "one");
    while (background_stats(b, NULL).in_flight == 0 || !server_wait_requests(b->receiver, 1, 1))
        assert_int_equal(bb_dispatcher_run(b->dispatcher, NULL), BB_OK);
    assert_int_equal(bb_dispatcher_remove(b->dispatcher, "hook", NULL), BB_OK);
    assert_int_equal(bb_dispatcher_run(b->dispatcher, NULL), BB_OK);
    server_release(b->receiver);
    background_drive_until(b, BB_NOTICE_DEAD, 1);
    background_flush(b);
    assert_int_equal(background_stats(b, NULL).webhooks_paused, 0);
    background_check_books(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BACKGROUND_TEST(a_global_limit_of_discord_pauses_all_its_webhooks),
        BACKGROUND_TEST(a_limit_of_one_webhook_of_discord_pauses_that_one),
        BACKGROUND_TEST(what_is_left_of_a_limit_is_kept_before_it_is_reached),
        BACKGROUND_TEST(a_robot_of_dingtalk_that_is_too_fast_rests_a_minute),
        BACKGROUND_TEST(a_burst_to_one_robot_of_dingtalk_is_twenty_a_minute),
        BACKGROUND_TEST(posts_count_for_the_same_rate),
        BACKGROUND_TEST(a_flush_waits_for_a_rate_and_not_for_a_pause),
        BACKGROUND_TEST(one_that_is_gone_is_disabled_until_it_is_resumed),
        BACKGROUND_TEST(a_disabled_one_goes_on_when_it_is_replaced),
        BACKGROUND_TEST(what_waits_for_a_disabled_one_expires),
        BACKGROUND_TEST(what_waits_for_a_removed_one_is_dead),
        BACKGROUND_TEST(one_that_is_removed_in_flight_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
