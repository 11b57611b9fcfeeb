/* What answers do to a webhook: it is paused, disabled, resumed, replaced; and the test message,
 * which asks nothing of that. The time is virtual. */
#include "support/posting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

enum { SECOND = 1000, HOUR = 3600 * SECOND, DAY = 24 * HOUR };

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

static bb_webhook_status status_of(world *w, const char *id) {
    bb_webhook_status status = BB_WEBHOOK_STATUS_INIT;
    assert_int_equal(bb_dispatcher_status(w->dispatcher, id, &status, NULL), BB_OK);
    return status;
}

static void assert_fine(world *w, const char *id) {
    bb_webhook_status status = status_of(w, id);
    assert_int_equal(status.paused_until_ms, 0);
    assert_int_equal(status.disabled, 0);
    assert_string_equal(status.reason, "");
}

static const bb_attempt_report *send_test(world *w, const char *id, bb_report **report) {
    bb_error error = BB_ERROR_INIT;
    if (bb_webhook_test(w->dispatcher, id, report, &error) != BB_OK)
        fail_msg("%s", error.text);
    assert_int_equal(bb_report_count(*report), 1);
    return bb_report_row(*report, 0);
}

/* ----------------------------------------------------- the wait asked for -- */

typedef struct wait {
    bb_type type; /* 0: Slack */
    int status;
    const char *headers;
    const char *body;
    int64_t wait_ms; /* 0: none was stated */
} wait;

static const wait seconds = {.status = 429, .headers = "Retry-After: 2\r\n", .wait_ms = 2 * SECOND};
static const wait seconds_of_503 = {
    .status = 503, .headers = "Retry-After: 120\r\n", .wait_ms = 120 * SECOND};
static const wait name_in_other_letters = {
    .status = 429, .headers = "retry-AFTER:   7  \r\n", .wait_ms = 7 * SECOND};
static const wait date = {.status = 429,
                          .headers = "Retry-After: Thu, 01 Jan 2026 00:02:00 GMT\r\n",
                          .wait_ms = 120 * SECOND};
static const wait date_long_ago = {.status = 429,
                                   .headers = "Retry-After: Thu, 01 Jan 2015 00:00:00 GMT\r\n",
                                   .wait_ms = 1 * SECOND};
static const wait date_far_away = {
    .status = 429, .headers = "Retry-After: Fri, 01 Jan 2126 00:00:00 GMT\r\n", .wait_ms = DAY};
static const wait huge_number = {
    .status = 429, .headers = "Retry-After: 1000000000\r\n", .wait_ms = DAY};
static const wait number_beyond_64_bits = {
    .status = 429, .headers = "Retry-After: 99999999999999999999999999\r\n", .wait_ms = DAY};
static const wait negative_number = {.status = 429, .headers = "Retry-After: -5\r\n"};
static const wait garbage = {.status = 429, .headers = "Retry-After: soon\r\n"};
static const wait empty_value = {.status = 429, .headers = "Retry-After:\r\n"};
static const wait no_header = {.status = 429};
static const wait fraction_in_discords_body = {
    .type = BB_DISCORD,
    .status = 429,
    .headers = "Content-Type: application/json\r\n",
    .body = "{\"message\":\"You are being rate limited.\",\"retry_after\":1.5,\"global\":false}",
    .wait_ms = 1500};
static const wait dingtalks_minute = {.type = BB_DINGTALK,
                                      .status = 200,
                                      .body = "{\"errcode\":130101,\"errmsg\":\"send too fast\"}",
                                      .wait_ms = 60 * SECOND};
static const wait wecoms_minute = {.type = BB_WECOM,
                                   .status = 200,
                                   .body =
                                       "{\"errcode\":45009,\"errmsg\":\"api freq out of limit\"}",
                                   .wait_ms = 60 * SECOND};

static void assert_paused(world *w, int64_t wait_ms) {
    bb_webhook_status status = status_of(w, "hook");
    assert_int_equal(status.paused_until_ms, now_ms + wait_ms);
    assert_int_equal(status.disabled, 0);
    assert_true(status.reason[0] != '\0');
    const bb_attempt_report *row = posting_send_one(w->dispatcher, "hook");
    posting_assert_row(row, BB_RETRY, 0);
    assert_int_equal(row->outcome->retry_after_ms, wait_ms);
    assert_int_equal(row->outcome->http_status, 0);
}

static void run_wait(void **state) {
    const wait *given = *state;
    void *opened = NULL;
    open_virtual_world(&opened);
    world *w = opened;
    bb_type type = given->type != 0 ? given->type : BB_SLACK;
    server_step refusal = {.status = given->status, .headers = given->headers, .body = given->body};
    posting_script(w, type, "hook", STEPS(refusal, posting_success(type)));

    const bb_attempt_report *row = posting_send_one(w->dispatcher, "hook");
    posting_assert_row(row, BB_RETRY, 1);
    assert_int_equal(row->outcome->retry_after_ms, given->wait_ms);
    assert_int_equal(row->outcome->advice, given->wait_ms != 0 ? BB_ADVICE_PAUSE : 0);
    if (given->wait_ms != 0) {
        assert_paused(w, given->wait_ms);
        now_ms += given->wait_ms - 1;
        assert_paused(w, 1);
        assert_int_equal(server_requests(w->receiver), 1);
        now_ms += 1;
    }
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    assert_int_equal(server_requests(w->receiver), 2);
    assert_fine(w, "hook");
    posting_close_world(&opened);
}

/* ----------------------------------------------------------------- paused -- */

#define TOO_MANY                                                                                   \
    { .status = 429, .headers = "Retry-After: 60\r\n" }
#define YES                                                                                        \
    { .status = 200, .body = "ok" }

static void a_pause_holds_for_its_own_webhook_alone(void **state) {
    world *w = *state;
    posting_script(w, BB_SLACK, "hook", STEPS(TOO_MANY, YES));
    posting_add_healthy(w->dispatcher, w->receiver, "other");
    bb_report_free(posting_send(w->dispatcher));
    bb_report *report = posting_send(w->dispatcher);
    posting_assert_row(posting_row(report, "hook"), BB_RETRY, 0);
    posting_assert_row(posting_row(report, "other"), BB_DELIVERED, 1);
    bb_report_free(report);
    assert_int_equal(server_requests_to(w->receiver, "/hook"), 1);
    assert_fine(w, "other");
}

static void a_global_limit_pauses_every_webhook_of_its_type(void **state) {
    world *w = *state;
    server_step global = {.status = 429,
                          .headers = "Content-Type: application/json\r\n",
                          .body = "{\"message\":\"x\",\"retry_after\":5,\"global\":true}"};
    posting_script(w, BB_DISCORD, "one", STEPS(global, posting_success(BB_DISCORD)));
    posting_script(w, BB_DISCORD, "two", STEPS(posting_success(BB_DISCORD)));
    posting_add_healthy(w->dispatcher, w->receiver, "slack");
    bb_report *report = NULL;
    const bb_attempt_report *row = send_test(w, "one", &report);
    posting_assert_row(row, BB_RETRY, 1);
    assert_int_equal(row->outcome->whole_type, 1);
    bb_report_free(report);

    report = posting_send(w->dispatcher);
    posting_assert_row(posting_row(report, "one"), BB_RETRY, 0);
    posting_assert_row(posting_row(report, "two"), BB_RETRY, 0);
    assert_int_equal(posting_row(report, "two")->outcome->retry_after_ms, 5 * SECOND);
    posting_assert_row(posting_row(report, "slack"), BB_DELIVERED, 1);
    bb_report_free(report);
    assert_int_equal(server_requests(w->receiver), 2);

    now_ms += 5 * SECOND;
    report = posting_send(w->dispatcher);
    assert_int_equal(bb_report_undelivered(report), 0);
    bb_report_free(report);
}

static void resume_ends_a_pause(void **state) {
    world *w = *state;
    posting_script(w, BB_SLACK, "hook", STEPS(TOO_MANY, YES));
    bb_report_free(posting_send(w->dispatcher));
    assert_int_equal(bb_dispatcher_resume(w->dispatcher, "hook", NULL), BB_OK);
    assert_fine(w, "hook");
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
}

/* --------------------------------------------------------------- disabled -- */

static void assert_disabled(world *w, const char *id, const char *reason) {
    bb_webhook_status status = status_of(w, id);
    assert_int_equal(status.disabled, 1);
    assert_non_null(strstr(status.reason, reason));
    size_t before = server_requests(w->receiver);
    const bb_attempt_report *row = posting_send_one(w->dispatcher, id);
    posting_assert_row(row, BB_RETRY, 0);
    assert_int_equal(server_requests(w->receiver), before);
}

static void an_answer_that_says_gone_disables(world *w, bb_type type, server_step gone,
                                              const char *reason) {
    posting_script(w, type, "hook", STEPS(gone, posting_success(type)));
    const bb_attempt_report *row = posting_send_one(w->dispatcher, "hook");
    posting_assert_row(row, BB_DEAD, 1);
    assert_int_equal(row->outcome->advice, BB_ADVICE_DISABLE);
    assert_disabled(w, "hook", reason);
    now_ms += 365 * (int64_t)DAY;
    assert_disabled(w, "hook", reason);
    assert_int_equal(bb_dispatcher_resume(w->dispatcher, "hook", NULL), BB_OK);
    assert_fine(w, "hook");
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    assert_int_equal(server_requests(w->receiver), 2);
}

static void a_410_disables_until_resumed(void **state) {
    an_answer_that_says_gone_disables(*state, BB_CUSTOM, (server_step){.status = 410}, "410");
}

static void no_service_disables_until_resumed(void **state) {
    an_answer_that_says_gone_disables(
        *state, BB_SLACK, (server_step){.status = 404, .body = "no_service"}, "no_service");
}

static void a_code_in_a_200_disables_until_resumed(void **state) {
    server_step gone = {.status = 200,
                        .body = "{\"errcode\":300005,\"errmsg\":\"token is not exist\"}"};
    an_answer_that_says_gone_disables(*state, BB_DINGTALK, gone, "300005");
}

static void a_404_of_a_custom_receiver_does_not_disable(void **state) {
    world *w = *state;
    posting_script(w, BB_CUSTOM, "hook", STEPS({.status = 404}, posting_success(BB_CUSTOM)));
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DEAD, 1);
    assert_fine(w, "hook");
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
}

static void settings_to_mend_do_not_stop_what_comes_later(void **state) {
    world *w = *state;
    posting_script(w, BB_SLACK, "hook", STEPS({.status = 403, .body = "action_prohibited"}, YES));
    const bb_attempt_report *row = posting_send_one(w->dispatcher, "hook");
    posting_assert_row(row, BB_DEAD, 1);
    assert_int_equal(row->outcome->advice, BB_ADVICE_OPERATOR);
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
}

static void replacing_a_webhook_forgets_its_state(void **state) {
    world *w = *state;
    posting_script(w, BB_SLACK, "paused", STEPS(TOO_MANY, YES));
    posting_script(w, BB_SLACK, "gone", STEPS({.status = 410, .body = "channel_is_archived"}, YES));
    bb_report_free(posting_send(w->dispatcher));
    static const char *const ids[] = {"paused", "gone"};
    for (size_t i = 0; i < 2; i++) {
        char path[40];
        snprintf(path, sizeof(path), "/%s", ids[i]);
        bb_webhook anew = posting_hook(BB_SLACK, ids[i], server_url(w->receiver, path));
        assert_int_equal(bb_dispatcher_replace(w->dispatcher, &anew, NULL), BB_OK);
        assert_fine(w, ids[i]);
    }
    bb_report *report = posting_send(w->dispatcher);
    assert_int_equal(bb_report_undelivered(report), 0);
    bb_report_free(report);
}

static void status_and_resume_know_their_webhooks(void **state) {
    world *w = *state;
    bb_webhook_status status = BB_WEBHOOK_STATUS_INIT;
    bb_error error = BB_ERROR_INIT;
    assert_int_equal(bb_dispatcher_status(w->dispatcher, "none", &status, &error),
                     BB_ERR_NOT_FOUND);
    assert_non_null(strstr(error.text, "none"));
    assert_int_equal(bb_dispatcher_resume(w->dispatcher, "none", NULL), BB_ERR_NOT_FOUND);
    posting_add_healthy(w->dispatcher, w->receiver, "hook");
    status.struct_size = 0;
    assert_int_equal(bb_dispatcher_status(w->dispatcher, "hook", &status, NULL), BB_ERR_STRUCT);
    assert_int_equal(bb_dispatcher_resume(w->dispatcher, "hook", NULL), BB_OK);
    assert_fine(w, "hook");
}

/* ----------------------------------------------------------- signatures -- */

static void add_signed(world *w, bb_type type, const char *id, const char *secret) {
    char path[32];
    snprintf(path, sizeof(path), "/%s", id);
    server_on(w->receiver, path, STEPS(posting_success(type)));
    bb_webhook hook = posting_hook(type, id, server_url(w->receiver, path));
    hook.secret = secret;
    assert_int_equal(bb_dispatcher_add(w->dispatcher, &hook, NULL), BB_OK);
}

static void signatures_are_made_anew_for_each_attempt(void **state) {
    world *w = *state;
    static const char *const times[] = {"1767225600", "1767229200"};
    add_signed(w, BB_CUSTOM, "custom", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3");
    for (size_t i = 0; i < 2; i++, now_ms += HOUR) {
        posting_assert_row(posting_send_one(w->dispatcher, "custom"), BB_DELIVERED, 1);
        const server_request *request = server_request_at(w->receiver, i);
        assert_string_equal(server_header(request, "webhook-timestamp"), times[i]);
    }
    const server_request *one = server_request_at(w->receiver, 0);
    const server_request *two = server_request_at(w->receiver, 1);
    assert_string_equal(server_header(one, "webhook-id"), server_header(two, "webhook-id"));
    assert_string_not_equal(server_header(one, "webhook-signature"),
                            server_header(two, "webhook-signature"));
    assert_string_equal(one->body, two->body);
}

static void the_chat_products_signatures_carry_the_time_of_the_attempt(void **state) {
    world *w = *state;
    add_signed(w, BB_DINGTALK, "dingtalk", "SECtest123");
    add_signed(w, BB_FEISHU, "feishu", "SECtest123");
    now_ms += HOUR;
    bb_report_free(posting_send(w->dispatcher));
    const server_request *request = server_request_to(w->receiver, "/dingtalk");
    assert_non_null(strstr(request->query, "timestamp=1767229200000&sign="));
    request = server_request_to(w->receiver, "/feishu");
    assert_non_null(strstr(request->body, "\"timestamp\":\"1767229200\""));
    assert_non_null(strstr(request->body, "\"sign\":\""));
}

/* ------------------------------------------------------- the test message -- */

static void a_test_message_names_its_webhook_and_is_one_request(void **state) {
    static const bb_type types[] = {BB_SLACK,  BB_DISCORD, BB_TEAMS, BB_DINGTALK,
                                    BB_FEISHU, BB_WECOM,   BB_CUSTOM};
    world *w = *state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        char id[32];
        snprintf(id, sizeof(id), "room of %s", bb_type_name(types[i]));
        char path[32];
        snprintf(path, sizeof(path), "/test%zu", i);
        server_on(w->receiver, NULL, STEPS(posting_success(types[i])));
        posting_add(w->dispatcher, types[i], id, server_url(w->receiver, path));
        bb_report *report = NULL;
        posting_assert_row(send_test(w, id, &report), BB_DELIVERED, 1);
        bb_report_free(report);
        assert_int_equal(server_requests(w->receiver), i + 1);
        assert_non_null(strstr(server_request_at(w->receiver, i)->body, id));
        assert_non_null(strstr(server_request_at(w->receiver, i)->body, " test"));
    }
    const char *custom = server_request_to(w->receiver, "/test6")->body;
    assert_non_null(strstr(custom, "\"level\":\"INFO\""));
}

static void a_test_message_asks_no_filter(void **state) {
    world *w = *state;
    bb_webhook hook = posting_hook(BB_SLACK, "hook", server_url(w->receiver, "/hook"));
    hook.activities = 0;
    hook.project_id = 99;
    hook.min_level = BB_ERROR;
    hook.issue_statuses = BB_ISSUE_DONE;
    server_on(w->receiver, "/hook", STEPS(YES));
    assert_int_equal(bb_dispatcher_add(w->dispatcher, &hook, NULL), BB_OK);
    bb_report *report = NULL;
    posting_assert_row(send_test(w, "hook", &report), BB_DELIVERED, 1);
    bb_report_free(report);
    hook.disabled = 1;
    assert_int_equal(bb_dispatcher_replace(w->dispatcher, &hook, NULL), BB_OK);
    posting_assert_row(send_test(w, "hook", &report), BB_DELIVERED, 1);
    bb_report_free(report);
    assert_int_equal(server_requests(w->receiver), 2);
}

static void a_delivered_test_message_ends_a_pause_and_a_disabled_state(void **state) {
    world *w = *state;
    posting_script(w, BB_SLACK, "paused", STEPS(TOO_MANY, YES));
    posting_script(w, BB_SLACK, "gone", STEPS({.status = 410, .body = "channel_is_archived"}, YES));
    bb_report_free(posting_send(w->dispatcher));
    bb_report *report = NULL;
    posting_assert_row(send_test(w, "paused", &report), BB_DELIVERED, 1);
    bb_report_free(report);
    posting_assert_row(send_test(w, "gone", &report), BB_DELIVERED, 1);
    bb_report_free(report);
    assert_fine(w, "paused");
    assert_fine(w, "gone");
}

static void a_refused_test_message_shows_the_reason_and_leaves_the_state(void **state) {
    world *w = *state;
    posting_script(w, BB_SLACK, "hook", STEPS({.status = 404, .body = "no_service"}));
    bb_report_free(posting_send(w->dispatcher));
    bb_report *report = NULL;
    const bb_attempt_report *row = send_test(w, "hook", &report);
    posting_assert_row(row, BB_DEAD, 1);
    assert_string_equal(row->outcome->remote_code, "no_service");
    assert_non_null(strstr(row->outcome->text, "hook"));
    assert_null(strstr(row->outcome->text, "http://"));
    bb_report_free(report);
    assert_int_equal(server_requests(w->receiver), 2);
    assert_disabled(w, "hook", "no_service");
}

static void a_test_of_an_unknown_webhook_is_an_error(void **state) {
    world *w = *state;
    bb_report *report = NULL;
    bb_error error = BB_ERROR_INIT;
    assert_int_equal(bb_webhook_test(w->dispatcher, "none", &report, &error), BB_ERR_NOT_FOUND);
    assert_non_null(strstr(error.text, "none"));
    assert_null(report);
}

/* JSON's own escapes are undone by hand: the title must hold quote, line end and emoji soundly. */
static void a_test_message_copes_with_any_name(void **state) {
    world *w = *state;
    bb_webhook hook = posting_hook(BB_CUSTOM, "hook", server_url(w->receiver, "/hook"));
    hook.name = "\"ops\" \xf0\x9f\x9a\x80\nroom";
    server_step yes = posting_success(BB_CUSTOM);
    server_on(w->receiver, "/hook", &yes, 1);
    assert_int_equal(bb_dispatcher_add(w->dispatcher, &hook, NULL), BB_OK);
    bb_report *report = NULL;
    posting_assert_row(send_test(w, "hook", &report), BB_DELIVERED, 1);
    const char *body = server_request_at(w->receiver, 0)->body;
    assert_non_null(strstr(body, "\\\"ops\\\" \xf0\x9f\x9a\x80"));
    bb_report_free(report);
}

#define WAIT(name)                                                                                 \
    { "wait_" #name, run_wait, NULL, NULL, (void *)(uintptr_t)&name }
#define WITH_CLOCK(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, open_virtual_world, posting_close_world)

int main(void) {
    const struct CMUnitTest tests[] = {
        WAIT(seconds),
        WAIT(seconds_of_503),
        WAIT(name_in_other_letters),
        WAIT(date),
        WAIT(date_long_ago),
        WAIT(date_far_away),
        WAIT(huge_number),
        WAIT(number_beyond_64_bits),
        WAIT(negative_number),
        WAIT(garbage),
        WAIT(empty_value),
        WAIT(no_header),
        WAIT(fraction_in_discords_body),
        WAIT(dingtalks_minute),
        WAIT(wecoms_minute),
        WITH_CLOCK(a_pause_holds_for_its_own_webhook_alone),
        WITH_CLOCK(a_global_limit_pauses_every_webhook_of_its_type),
        WITH_CLOCK(resume_ends_a_pause),
        WITH_CLOCK(a_410_disables_until_resumed),
        WITH_CLOCK(no_service_disables_until_resumed),
        WITH_CLOCK(a_code_in_a_200_disables_until_resumed),
        WITH_CLOCK(a_404_of_a_custom_receiver_does_not_disable),
        WITH_CLOCK(settings_to_mend_do_not_stop_what_comes_later),
        WITH_CLOCK(replacing_a_webhook_forgets_its_state),
        WITH_CLOCK(status_and_resume_know_their_webhooks),
        WITH_CLOCK(signatures_are_made_anew_for_each_attempt),
        WITH_CLOCK(the_chat_products_signatures_carry_the_time_of_the_attempt),
        WITH_CLOCK(a_test_message_names_its_webhook_and_is_one_request),
        WITH_CLOCK(a_test_message_asks_no_filter),
        WITH_CLOCK(a_delivered_test_message_ends_a_pause_and_a_disabled_state),
        WITH_CLOCK(a_refused_test_message_shows_the_reason_and_leaves_the_state),
        WITH_CLOCK(a_test_of_an_unknown_webhook_is_an_error),
        WITH_CLOCK(a_test_message_copes_with_any_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
