/* Webhooks that are replaced and removed while something is sent to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/background.h"

#define BACKGROUND_TEST(function)                                                                  \
    cmocka_unit_test_setup_teardown(function, background_setup, background_teardown)

/* Begins an attempt to "old", whose answer is held. */
static void begin_held(background *b, bb_type type, server_step answer) {
    answer.hold = 1;
    background_open(b);
    bb_webhook hook = background_hook(b, type, "old", &answer, 1);
    hook.id = "hook";
    background_add(b, &hook);
    background_enqueue(b, "first");
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    assert_int_equal(server_wait_requests(b->receiver, 1, BACKGROUND_PATIENCE_MS), 1);
}

static bb_webhook_status status_of(background *b) {
    bb_webhook_status status = BB_WEBHOOK_STATUS_INIT;
    assert_int_equal(bb_dispatcher_status(b->dispatcher, "hook", &status, NULL), BB_OK);
    return status;
}

static void replace_by_new(background *b, bb_type type) {
    server_step yes = posting_success(type);
    bb_webhook hook = background_hook(b, type, "new", &yes, 1);
    hook.id = "hook";
    assert_int_equal(bb_dispatcher_replace(b->dispatcher, &hook, NULL), BB_OK);
}

/* The reason why people replace one: its URL was revoked. */
static void what_an_old_one_is_told_does_not_disable_the_new_one(void **state) {
    background *b = *state;
    begin_held(b, BB_CUSTOM, (server_step){.status = 410});
    replace_by_new(b, BB_CUSTOM);
    server_release(b->receiver);
    background_wait_until(b, BB_NOTICE_DEAD, 1);
    assert_int_equal(status_of(b).disabled, 0);
    assert_int_equal(status_of(b).failures_in_row, 0);
    background_enqueue(b, "second");
    background_wait_until(b, BB_NOTICE_DELIVERED, 1);
    assert_int_equal(server_requests_to(b->receiver, "/new"), 1);
    assert_int_equal(b->counts[BB_NOTICE_DISABLED], 0);
}

static void what_an_old_one_is_told_does_not_pause_the_new_one(void **state) {
    background *b = *state;
    begin_held(b, BB_CUSTOM, (server_step){.status = 429, .headers = "Retry-After: 600\r\n"});
    replace_by_new(b, BB_CUSTOM);
    server_release(b->receiver);
    background_wait_until(b, BB_NOTICE_RETRYING, 1);
    assert_int_equal(status_of(b).paused_until_ms, 0);
    background_enqueue(b, "second");
    background_wait_until(b, BB_NOTICE_DELIVERED, 1);
}

static void another_name_does_not_hide_what_the_url_says(void **state) {
    background *b = *state;
    begin_held(b, BB_CUSTOM, (server_step){.status = 410});
    bb_webhook hook = posting_hook(BB_CUSTOM, "hook", server_url(b->receiver, "/old"));
    hook.name = "another name";
    assert_int_equal(bb_dispatcher_replace(b->dispatcher, &hook, NULL), BB_OK);
    server_release(b->receiver);
    background_wait_until(b, BB_NOTICE_DISABLED, 1);
    assert_int_equal(status_of(b).disabled, 1);
}

static void one_that_is_removed_meanwhile_has_been_delivered_all_the_same(void **state) {
    background *b = *state;
    begin_held(b, BB_CUSTOM, posting_success(BB_CUSTOM));
    assert_int_equal(bb_dispatcher_remove(b->dispatcher, "hook", NULL), BB_OK);
    server_release(b->receiver);
    background_wait_until(b, BB_NOTICE_DELIVERED, 1);
    assert_null(strstr(background_told(b, BB_NOTICE_DELIVERED, 0)->text, "removed"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BACKGROUND_TEST(what_an_old_one_is_told_does_not_disable_the_new_one),
        BACKGROUND_TEST(what_an_old_one_is_told_does_not_pause_the_new_one),
        BACKGROUND_TEST(another_name_does_not_hide_what_the_url_says),
        BACKGROUND_TEST(one_that_is_removed_meanwhile_has_been_delivered_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
