/* bb_webhook_post against a receiver that answers as the products do: who is told, what a request
 * looks like when it arrives, and the connections it takes. */
#include "support/posting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHAT_TYPE "application/json; charset=utf-8"

typedef struct kind {
    bb_type type;
    const char *id;
    const char *path;
    const char *content_type;
} kind;

static const kind kinds[] = {
    {BB_SLACK, "slack", "/services/T1/B1/x", CHAT_TYPE},
    {BB_DISCORD, "discord", "/api/v10/webhooks/123456789012345678/token", CHAT_TYPE},
    {BB_TEAMS, "teams", "/workflows/w1/triggers/manual/paths/invoke", CHAT_TYPE},
    {BB_DINGTALK, "dingtalk", "/robot/send", CHAT_TYPE},
    {BB_FEISHU, "feishu", "/open-apis/bot/v2/hook/h1", CHAT_TYPE},
    {BB_WECOM, "wecom", "/cgi-bin/webhook/send", CHAT_TYPE},
    {BB_CUSTOM, "custom", "/custom", "application/json"},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static void add_kind(world *w, const kind *k) {
    server_step yes = posting_success(k->type);
    server_on(w->receiver, k->path, &yes, 1);
    posting_add(w->dispatcher, k->type, k->id, server_url(w->receiver, k->path));
}

/* ------------------------------------------------------- who, and how -- */

static void every_kind_is_told_and_believed(void **state) {
    world *w = *state;
    for (size_t i = 0; i < KINDS; i++)
        add_kind(w, &kinds[i]);
    bb_report *report = posting_send(w->dispatcher);
    assert_int_equal(bb_report_count(report), KINDS);
    assert_int_equal(bb_report_undelivered(report), 0);
    for (size_t i = 0; i < KINDS; i++) {
        const bb_attempt_report *row = bb_report_row(report, i);
        assert_string_equal(row->webhook_id, kinds[i].id);
        assert_string_equal(row->webhook_name, kinds[i].id);
        assert_string_equal(row->event_id, "event-1");
        assert_int_equal(row->type, kinds[i].type);
        assert_int_equal(row->activity, BB_ISSUE_COMMENT_CREATE);
        assert_int_equal(row->attempt, 1);
        assert_int_equal(row->outcome->http_status, kinds[i].type == BB_TEAMS ? 202 : 200);
        posting_assert_row(row, BB_DELIVERED, 1);
        assert_int_equal(server_requests_to(w->receiver, kinds[i].path), 1);
    }
    assert_null(bb_report_row(report, KINDS));
    assert_int_equal(server_requests(w->receiver), KINDS);
    bb_report_free(report);
}

static void assert_plain_post(const server_request *request, const char *content_type) {
    char length[32];
    snprintf(length, sizeof(length), "%zu", request->body_length);
    assert_string_equal(request->method, "POST");
    assert_string_equal(request->version, "HTTP/1.1");
    assert_int_equal(request->complete, 1);
    assert_string_equal(server_header(request, "Content-Type"), content_type);
    assert_string_equal(server_header(request, "Content-Length"), length);
    assert_string_equal(server_header(request, "User-Agent"), "bb_webhook/" BB_WEBHOOK_VERSION);
    static const char *const unwanted[] = {"Expect",           "Accept-Encoding", "TE",
                                           "Cookie",           "Authorization",   "Referer",
                                           "Transfer-Encoding"};
    for (size_t i = 0; i < sizeof(unwanted) / sizeof(unwanted[0]); i++)
        assert_null(server_header(request, unwanted[i]));
    assert_int_equal(request->body[0], '{');
    assert_int_equal(request->body[request->body_length - 1], '}');
}

static void a_request_says_what_it_is_and_nothing_more(void **state) {
    world *w = *state;
    for (size_t i = 0; i < KINDS; i++)
        add_kind(w, &kinds[i]);
    bb_report_free(posting_send(w->dispatcher));
    for (size_t i = 0; i < KINDS; i++)
        assert_plain_post(server_request_to(w->receiver, kinds[i].path), kinds[i].content_type);
}

static void a_large_request_goes_out_at_once_without_expect(void **state) {
    world *w = *state;
    add_kind(w, &kinds[KINDS - 1]);
    size_t size = 200 * 1024;
    char *text = malloc(size + 1);
    assert_non_null(text);
    memset(text, 'd', size);
    text[size] = '\0';
    bb_event event = *posting_event();
    event.description = text;
    bb_report *report = NULL;
    assert_int_equal(bb_webhook_post(w->dispatcher, &event, NULL, &report, NULL), BB_OK);
    posting_assert_row(bb_report_row(report, 0), BB_DELIVERED, 1);
    const server_request *request = server_request_at(w->receiver, 0);
    assert_true(request->body_length > 100 * 1024); /* the description is cut to fit */
    assert_plain_post(request, "application/json");
    bb_report_free(report);
    free(text);
}

static void the_user_agent_is_the_hosts_choice(void **state) {
    world *w = *state;
    bb_options options = posting_options();
    options.user_agent = "tracker/2.0";
    posting_use(w, &options);
    posting_add_healthy(w->dispatcher, w->receiver, "hook");
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    assert_string_equal(server_header(server_request_at(w->receiver, 0), "User-Agent"),
                        "tracker/2.0");
}

static void what_the_filter_leaves_out_is_not_told(void **state) {
    world *w = *state;
    bb_webhook hook = posting_hook(BB_SLACK, "stage", server_url(w->receiver, "/never"));
    hook.activities = BB_STAGE_STATUS_UPDATE;
    assert_int_equal(bb_dispatcher_add(w->dispatcher, &hook, NULL), BB_OK);
    hook.activities = 0;
    hook.id = "nothing";
    assert_int_equal(bb_dispatcher_add(w->dispatcher, &hook, NULL), BB_OK);
    hook.activities = BB_ACTIVITY_ALL;
    hook.project_id = 8;
    hook.id = "other project";
    assert_int_equal(bb_dispatcher_add(w->dispatcher, &hook, NULL), BB_OK);
    hook.project_id = 7;
    hook.disabled = 1;
    hook.id = "disabled";
    assert_int_equal(bb_dispatcher_add(w->dispatcher, &hook, NULL), BB_OK);

    bb_report *report = posting_send(w->dispatcher);
    assert_int_equal(bb_report_count(report), 0);
    assert_int_equal(bb_report_undelivered(report), 0);
    bb_report_free(report);

    hook.disabled = 0;
    hook.id = "same project";
    hook.url = server_url(w->receiver, "/own");
    server_on(w->receiver, "/own", STEPS({.status = 200, .body = "ok"}));
    assert_int_equal(bb_dispatcher_add(w->dispatcher, &hook, NULL), BB_OK);
    posting_assert_row(posting_send_one(w->dispatcher, "same project"), BB_DELIVERED, 1);
    assert_int_equal(server_requests(w->receiver), 1);
}

static void a_post_without_a_report_is_sent_all_the_same(void **state) {
    world *w = *state;
    posting_add_healthy(w->dispatcher, w->receiver, "hook");
    assert_int_equal(bb_webhook_post(w->dispatcher, posting_event(), NULL, NULL, NULL), BB_OK);
    assert_int_equal(server_requests(w->receiver), 1);
}

static void a_failure_of_the_first_does_not_keep_the_others_from_being_told(void **state) {
    world *w = *state;
    posting_script(w, BB_SLACK, "gone", STEPS({.status = 404, .body = "no_service"}));
    posting_script(w, BB_SLACK, "broken", STEPS({.status = 500}));
    posting_add_healthy(w->dispatcher, w->receiver, "one");
    posting_add_healthy(w->dispatcher, w->receiver, "two");
    bb_report *report = posting_send(w->dispatcher);
    posting_assert_row(posting_row(report, "gone"), BB_DEAD, 1);
    posting_assert_row(posting_row(report, "broken"), BB_RETRY, 1);
    posting_assert_row(posting_row(report, "one"), BB_DELIVERED, 1);
    posting_assert_row(posting_row(report, "two"), BB_DELIVERED, 1);
    assert_int_equal(bb_report_undelivered(report), 2);
    bb_report_free(report);
}

static void nothing_of_the_process_surroundings_is_used(void **state) {
    world *w = *state;
    static const char *const proxies[] = {"http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy",
                                          "ALL_PROXY"};
    for (size_t i = 0; i < sizeof(proxies) / sizeof(proxies[0]); i++)
        setenv(proxies[i], "http://127.0.0.1:1", 1);
    posting_script(w, BB_SLACK, "hook",
                   STEPS({.status = 200, .headers = "Set-Cookie: a=b; Path=/\r\n", .body = "ok"}));
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    for (size_t i = 0; i < sizeof(proxies) / sizeof(proxies[0]); i++)
        unsetenv(proxies[i]);
    assert_null(server_header(server_request_at(w->receiver, 1), "Cookie"));
}

/* ------------------------------------------------------------- signature -- */

/* "v1," and the base64 of the HMAC over id "." timestamp "." body. */
static void sign(const server_request *request, char out[64]) {
    static const unsigned char key[] = "0123456789abcdef01234567";
    size_t size = request->body_length + 200;
    char *text = malloc(size);
    assert_non_null(text);
    int head = snprintf(text, size, "%s.%s.", server_header(request, "webhook-id"),
                        server_header(request, "webhook-timestamp"));
    memcpy(text + head, request->body, request->body_length);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    HMAC(EVP_sha256(), key, sizeof(key) - 1, (unsigned char *)text,
         (size_t)head + request->body_length, digest, &length);
    memcpy(out, "v1,", 3);
    EVP_EncodeBlock((unsigned char *)out + 3, digest, (int)length);
    free(text);
}

static void the_signed_bytes_are_the_sent_bytes(void **state) {
    world *w = *state;
    const char *url = server_url(w->receiver, "/custom");
    bb_webhook hook = posting_hook(BB_CUSTOM, "custom", url);
    hook.secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";
    assert_int_equal(bb_dispatcher_add(w->dispatcher, &hook, NULL), BB_OK);
    server_step yes = posting_success(BB_CUSTOM);
    server_on(w->receiver, "/custom", &yes, 1);
    bb_report *reports[2] = {posting_send(w->dispatcher), posting_send(w->dispatcher)};
    for (size_t i = 0; i < 2; i++) {
        const server_request *request = server_request_at(w->receiver, i);
        char expected[64];
        sign(request, expected);
        assert_string_equal(server_header(request, "webhook-signature"), expected);
        assert_string_equal(server_header(request, "webhook-id"),
                            bb_report_row(reports[i], 0)->delivery_id);
    }
    assert_string_equal(bb_report_row(reports[0], 0)->delivery_id,
                        bb_report_row(reports[1], 0)->delivery_id);
    bb_report_free(reports[0]);
    bb_report_free(reports[1]);
}

/* ----------------------------------------------------------- connections -- */

static void connections_are_kept_between_posts(void **state) {
    world *w = *state;
    posting_add_healthy(w->dispatcher, w->receiver, "hook");
    for (int i = 0; i < 10; i++) {
        const bb_attempt_report *row = posting_send_one(w->dispatcher, "hook");
        posting_assert_row(row, BB_DELIVERED, 1);
        assert_int_equal(row->reused_connection != 0, i > 0);
        assert_int_equal(row->connect_us > 0, i == 0);
        assert_true(row->first_byte_us > 0 && row->total_us >= row->first_byte_us);
    }
    assert_int_equal(server_requests(w->receiver), 10);
    assert_int_equal(server_connections(w->receiver), 1);
}

static void a_wide_post_keeps_as_many_connections_as_it_used(void **state) {
    world *w = *state;
    enum { WIDTH = 20 };
    for (int i = 0; i < WIDTH; i++) {
        char id[32];
        snprintf(id, sizeof(id), "hook%d", i);
        posting_add_healthy(w->dispatcher, w->receiver, id);
    }
    for (int i = 0; i < 5; i++)
        bb_report_free(posting_send(w->dispatcher));
    assert_int_equal(server_requests(w->receiver), 5 * WIDTH);
    assert_true(server_connections(w->receiver) <= WIDTH);
}

/* ----------------------------------------------------------------- usage -- */

static void wrong_use_is_an_error_and_sends_nothing(void **state) {
    world *w = *state;
    posting_add_healthy(w->dispatcher, w->receiver, "hook");
    bb_report *report = NULL;
    bb_error error = BB_ERROR_INIT;
    bb_event none = BB_EVENT_INIT;
    assert_int_equal(bb_webhook_post(w->dispatcher, &none, NULL, &report, &error), BB_ERR_EVENT);
    assert_int_equal(error.code, BB_ERR_EVENT);
    assert_true(error.text[0] != '\0');
    bb_event unset = *posting_event();
    unset.struct_size = 0;
    assert_int_equal(bb_webhook_post(w->dispatcher, &unset, NULL, &report, NULL), BB_ERR_STRUCT);
    assert_int_equal(bb_webhook_post(w->dispatcher, NULL, NULL, &report, NULL), BB_ERR_ARGUMENT);
    assert_int_equal(bb_webhook_post(NULL, posting_event(), NULL, &report, NULL), BB_ERR_ARGUMENT);
    assert_null(report);
    assert_int_equal(server_requests(w->receiver), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_WORLD(every_kind_is_told_and_believed),
        WITH_WORLD(a_request_says_what_it_is_and_nothing_more),
        WITH_WORLD(a_large_request_goes_out_at_once_without_expect),
        WITH_WORLD(the_user_agent_is_the_hosts_choice),
        WITH_WORLD(what_the_filter_leaves_out_is_not_told),
        WITH_WORLD(a_post_without_a_report_is_sent_all_the_same),
        WITH_WORLD(a_failure_of_the_first_does_not_keep_the_others_from_being_told),
        WITH_WORLD(nothing_of_the_process_surroundings_is_used),
        WITH_WORLD(the_signed_bytes_are_the_sent_bytes),
        WITH_WORLD(connections_are_kept_between_posts),
        WITH_WORLD(a_wide_post_keeps_as_many_connections_as_it_used),
        WITH_WORLD(wrong_use_is_an_error_and_sends_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
