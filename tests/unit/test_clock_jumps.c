/*
 * The host's clock jumps by days, forwards and backwards, during pauses, retries and rates: nothing
 * is stuck and nothing goes out in a burst, and what is signed has the time of that moment.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/background.h"

#define CLOCK_TEST(test) cmocka_unit_test_setup_teardown(test, open_world, background_teardown)

enum { SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS };

static const int64_t start_ms = INT64_C(1700000000000), day_ms = INT64_C(86400000);

static int open_world(void **state) {
    int code = background_setup(state);
    background *b = *state;
    b->clock_ms = start_ms;
    b->options.no_jitter = 1;
    background_open(b);
    return code;
}

/* How many have come by then, from now on. */
static size_t delivered_until(background *b, int64_t until_ms) {
    size_t before = b->counts[BB_NOTICE_DELIVERED];
    background_pass_time(b, BB_NOTICE_DELIVERED, SIZE_MAX, until_ms);
    if (b->clock_ms < until_ms)
        b->clock_ms = until_ms;
    return b->counts[BB_NOTICE_DELIVERED] - before;
}

static void a_jump_back_during_a_pause_adds_nothing_to_it(void **state) {
    background *b = *state;
    static const server_step steps[] = {
        {.status = 429, .headers = "Retry-After: 60\r\n", .body = "slow down"},
        {.status = 200, .body = "{\"code\":0}"}};
    background_script(b, BB_CUSTOM, "hook", steps, 2);
    background_enqueue(b, NULL);
    background_drive_until(b, BB_NOTICE_PAUSED, 1);
    assert_int_equal(bb_dispatcher_run(b->dispatcher, NULL), BB_OK);
    b->clock_ms -= 3 * day_ms;
    int64_t at_ms = b->clock_ms;
    assert_int_equal(delivered_until(b, at_ms + 59 * SECOND_MS), 0);
    assert_int_equal(delivered_until(b, at_ms + 62 * SECOND_MS), 1);
}

static void a_jump_forwards_ends_a_pause_and_retries_once(void **state) {
    background *b = *state;
    static const server_step steps[] = {
        {.status = 503, .headers = "Retry-After: 60\r\n", .body = "later"},
        {.status = 503, .body = "later"},
        {.status = 200, .body = "{\"code\":0}"}};
    background_script(b, BB_CUSTOM, "hook", steps, 3);
    background_enqueue(b, NULL);
    background_drive_until(b, BB_NOTICE_RETRYING, 1);
    b->clock_ms += 3 * day_ms; /* many waits of the schedule: they are no missed attempts */
    int64_t at_ms = b->clock_ms;
    background_drive_until(b, BB_NOTICE_RETRYING, 2);
    assert_int_equal(server_requests(b->receiver), 2);
    assert_int_equal(delivered_until(b, at_ms + 4 * SECOND_MS), 0);
    assert_int_equal(delivered_until(b, at_ms + 6 * MINUTE_MS), 1);
    assert_int_equal(server_requests(b->receiver), 3);
}

/* Fifty wait for one that takes ten a minute. */
static void no_jump_lets_a_rate_be_exceeded(void **state) {
    background *b = *state;
    static const int64_t jumps_ms[] = {1, -1, 1, 1, -1};
    server_step yes = posting_success(BB_CUSTOM);
    bb_webhook hook = background_hook(b, BB_CUSTOM, "hook", &yes, 1);
    hook.no_rate = 0;
    hook.rate_count = 10;
    hook.rate_period_ms = MINUTE_MS;
    background_add(b, &hook);
    for (int i = 0; i < 50; i++)
        background_enqueue(b, NULL);
    size_t all = 0;
    for (size_t i = 0; i < 5; i++) {
        size_t came = delivered_until(b, b->clock_ms + 50 * SECOND_MS);
        if (came > 10)
            fail_msg("%zu came at once after jump %zu", came, i);
        all += came;
        b->clock_ms += jumps_ms[i] * 2 * day_ms;
    }
    for (int i = 0; i < 10; i++)
        all += delivered_until(b, b->clock_ms + MINUTE_MS);
    assert_int_equal(all, 50);
    assert_int_equal(server_requests(b->receiver), 50);
}

static int64_t timestamp_of(background *b, size_t index) {
    const char *text = server_header(server_request_at(b->receiver, index), "webhook-timestamp");
    assert_non_null(text);
    return strtoll(text, NULL, 10);
}

/* An event keeps its own time; an attempt has the time at which it is made, by the host's clock. */
static void what_is_signed_has_the_time_of_its_attempt(void **state) {
    background *b = *state;
    static const int64_t jumps_ms[] = {0, 5, -9};
    char created[64];
    static const server_step steps[] = {{.status = 503, .body = "later"},
                                        {.status = 503, .body = "later"},
                                        {.status = 200, .body = "{\"code\":0}"}};
    bb_webhook hook = background_hook(b, BB_CUSTOM, "hook", steps, 3);
    bb_event event = *posting_event();
    hook.secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    background_add(b, &hook);
    event.created_ts = 0; /* when it is enqueued */
    assert_int_equal(bb_webhook_enqueue(b->dispatcher, &event, NULL, NULL, NULL), BB_OK);
    snprintf(created, sizeof created, "\"created_ts\":%" PRId64, start_ms / 1000);
    for (size_t i = 0; i < 3; i++) {
        b->clock_ms += jumps_ms[i] * day_ms;
        int64_t until_ms = b->clock_ms + 6 * MINUTE_MS;
        while (server_requests(b->receiver) <= i &&
               background_pass_time(b, i < 2 ? BB_NOTICE_RETRYING : BB_NOTICE_DELIVERED,
                                    i < 2 ? i + 1 : 1, until_ms))
            ;
        assert_int_equal(server_requests(b->receiver), i + 1);
        assert_in_range(llabs(timestamp_of(b, i) - b->clock_ms / 1000), 0, 1);
        assert_non_null(strstr(server_request_at(b->receiver, i)->body, created));
    }
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 1);
}

/* Posts as well. */
static void a_post_is_signed_with_the_present_time(void **state) {
    background *b = *state;
    static const int64_t jumps_ms[] = {0, 400, -800};
    server_step yes = posting_success(BB_CUSTOM);
    bb_webhook hook = background_hook(b, BB_CUSTOM, "hook", &yes, 1);
    hook.secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    background_add(b, &hook);
    for (size_t i = 0; i < 3; i++) {
        b->clock_ms += jumps_ms[i] * day_ms;
        posting_assert_row(posting_send_one(b->dispatcher, "hook"), BB_DELIVERED, 1);
        assert_int_equal(timestamp_of(b, i), b->clock_ms / 1000);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLOCK_TEST(a_jump_back_during_a_pause_adds_nothing_to_it),
        CLOCK_TEST(a_jump_forwards_ends_a_pause_and_retries_once),
        CLOCK_TEST(no_jump_lets_a_rate_be_exceeded),
        CLOCK_TEST(what_is_signed_has_the_time_of_its_attempt),
        CLOCK_TEST(a_post_is_signed_with_the_present_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
