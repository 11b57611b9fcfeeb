/* The canary: whatever goes wrong, no part of a webhook's URL path or query, secret or signature
 * gets into an error, an outcome, a report, a status or a log line. */
#include "support/canary.h"
#include "support/posting.h"
#include "support/resolve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT_MS = 600 };

typedef struct kind {
    bb_type type;
    const char *path;
    const char *query;
    const char *secret;
} kind;

static const kind kinds[] = {
    {BB_SLACK, "/services/cAnArYT0001/cAnArYB0001/cAnArYdeadbeef0123456789", "x=cAnArYquery", NULL},
    {BB_DISCORD, "/api/v10/webhooks/123456789012345678/cAnArYtoken-0123456789_abcdef", "", NULL},
    {BB_TEAMS, "/workflows/cAnArYflow/triggers/manual/paths/invoke",
     "api-version=1&sp=%2Ftriggers&sv=1.0&sig=cAnArYsig0123456789", NULL},
    {BB_DINGTALK, "/robot/send", "access_token=cAnArYtoken0123456789abcdef",
     "SECcAnArY0123456789abcdef"},
    {BB_FEISHU, "/open-apis/bot/v2/hook/cAnArYhook-0123-4567", "", "cAnArYfeishusecret"},
    {BB_WECOM, "/cgi-bin/webhook/send", "key=cAnArYkey-0123-4567-89ab", NULL},
    {BB_CUSTOM, "/in/cAnArYpath", "token=cAnArYtoken0123456789",
     "whsec_cAnArYcAnArYcAnArYcAnArYcAnArYcA"},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static char log_text[1 << 16]; /* all on this thread: posts log where they are called */
static size_t log_length;

static void take_log(void *user, bb_level level, const char *text) {
    (void)user;
    (void)level;
    int added = snprintf(log_text + log_length, sizeof(log_text) - log_length, "%s\n", text);
    log_length += (size_t)added;
    assert_true(log_length < sizeof(log_text));
}

static int open_logged_world(void **state) {
    posting_open_world(state);
    log_length = 0;
    log_text[0] = '\0';
    bb_options options = posting_options();
    options.timeout_ms = LIMIT_MS;
    options.connect_timeout_ms = LIMIT_MS;
    options.log = take_log;
    posting_use(*state, &options);
    return 0;
}

static int close_logged_world(void **state) {
    resolve_forget();
    return posting_close_world(state);
}

/* --------------------------------------------------------------- looking -- */

static void assert_report_silent(const bb_report *report, const canaries *known) {
    for (size_t i = 0; i < bb_report_count(report); i++) {
        const bb_attempt_report *row = bb_report_row(report, i);
        canary_assert_silent("webhook_id", row->webhook_id, known);
        canary_assert_silent("webhook_name", row->webhook_name, known);
        canary_assert_silent("event_id", row->event_id, known);
        canary_assert_silent("delivery_id", row->delivery_id, known);
        canary_assert_silent("remote_code", row->outcome->remote_code, known);
        canary_assert_silent("remote_message", row->outcome->remote_message, known);
        canary_assert_silent("text", row->outcome->text, known);
        assert_true(row->outcome->text[0] != '\0');
    }
}

static void assert_all_silent(world *w, const bb_report *report, const canaries *known) {
    bb_webhook_status status = BB_WEBHOOK_STATUS_INIT;
    assert_report_silent(report, known);
    assert_int_equal(bb_dispatcher_status(w->dispatcher, "hook", &status, NULL), BB_OK);
    canary_assert_silent("reason", status.reason, known);
    assert_true(log_text[0] != '\0');
    canary_assert_silent("log", log_text, known);
    log_length = 0;
    log_text[0] = '\0';
}

/* ------------------------------------------------------------- one post -- */

static void add_secret_hook(world *w, const kind *k, const char *base) {
    char url[400];
    snprintf(url, sizeof(url), "%s%s%s%s", base, k->path, k->query[0] == '\0' ? "" : "?", k->query);
    bb_webhook hook = posting_hook(k->type, "hook", url);
    const bb_webhook full = canary_hook(k->type, "hook", base);
    hook.secret = k->secret;
    hook.previous_secret = full.previous_secret;
    hook.authorization = full.authorization;
    hook.headers = full.headers;
    hook.header_count = full.header_count;
    bb_error error = BB_ERROR_INIT;
    if (bb_dispatcher_add(w->dispatcher, &hook, &error) != BB_OK)
        fail_msg("%s", error.text);
}

/* A post, another while the state that its answer made holds, and the test message. */
static void post_and_look(world *w, const kind *k, const char *base) {
    add_secret_hook(w, k, base);
    bb_report *report = posting_send(w->dispatcher);
    size_t requests = server_requests(w->receiver);
    canaries known = {.count = 0};
    if (requests > 0)
        known = canary_signatures(server_request_at(w->receiver, requests - 1));
    assert_all_silent(w, report, &known);
    bb_report_free(report);
    report = posting_send(w->dispatcher);
    assert_all_silent(w, report, NULL);
    bb_report_free(report);
    assert_int_equal(bb_webhook_test(w->dispatcher, "hook", &report, NULL), BB_OK);
    assert_all_silent(w, report, NULL);
    bb_report_free(report);
    assert_int_equal(bb_dispatcher_remove(w->dispatcher, "hook", NULL), BB_OK);
}

/* Every kind against a receiver whose every path has this script. */
static void look_at_each_kind(world *w, server_step step) {
    server_on(w->receiver, NULL, &step, 1);
    for (size_t i = 0; i < KINDS; i++)
        post_and_look(w, &kinds[i], server_url(w->receiver, ""));
}

/* ------------------------------------------------ answers that echo them -- */

static void look_at_echoes(world *w, const char *before, const char *behind) {
    static const int statuses[] = {200, 400, 404, 410, 429, 500};
    static const server_echo echoes[] = {SERVER_ECHO_PLAIN, SERVER_ECHO_DECODED,
                                         SERVER_ECHO_ESCAPED};
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        for (size_t j = 0; j < sizeof(echoes) / sizeof(echoes[0]); j++) {
            server_step step = {.status = statuses[i], .body = before, .tail = behind};
            step.echo = echoes[j];
            look_at_each_kind(w, step);
        }
    }
}

static void an_echo_in_plain_text_is_masked(void **state) {
    look_at_echoes(*state, "no such hook: ", "");
}

static void an_echo_in_the_providers_words_is_masked(void **state) {
    look_at_echoes(*state, "{\"ok\":false,\"errcode\":310000,\"code\":19021,\"error\":\"", "\"}");
    look_at_echoes(*state, "{\"code\":50035,\"errcode\":40058,\"errmsg\":\"", "\"}");
    look_at_echoes(*state, "{\"code\":9499,\"msg\":\"", "\"}");
    look_at_echoes(*state, "{\"code\":7,\"message\":\"", "\"}");
    look_at_echoes(*state, "{\"error\":{\"code\":\"Broken\",\"message\":\"", "\"}}");
}

static void an_echo_in_the_providers_code_is_masked(void **state) {
    look_at_echoes(*state, "{\"ok\":false,\"code\":\"", "\"}");
    look_at_echoes(*state, "{\"errmsg\":\"no\",\"errcode\":\"", "\"}");
    look_at_echoes(*state, "{\"error\":{\"message\":\"no\",\"code\":\"", "\"}}");
}

/* Where a text is cut, a half of the secret must not be left over. */
static void an_echo_that_is_cut_off_is_masked(void **state) {
    world *w = *state;
    static const size_t edges[] = {64, 512, 4096,
                                   65536}; /* of a code, a text, what is kept, read */
    static char before[70000];
    for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
        for (size_t back = 1; back < 120; back += 17) {
            size_t length = edges[i] > back ? edges[i] - back : 0;
            memset(before, 'p', length);
            before[length] = '\0';
            look_at_each_kind(
                w, (server_step){.status = 400, .body = before, .echo = SERVER_ECHO_PLAIN});
        }
    }
}

static void a_redirect_to_the_secret_is_masked(void **state) {
    static const char location[] = "Location: https://example.com/cAnArYelsewhere?cAnArY=1\r\n"
                                   "X-Echo: cAnArY\r\n";
    look_at_each_kind(*state, (server_step){.status = 302, .headers = location});
}

/* ----------------------------------------------------------- no answers -- */

static void failures_under_way_tell_nothing(void **state) {
    world *w = *state;
    look_at_each_kind(w, (server_step){.end = SERVER_CLOSE});
    look_at_each_kind(w, (server_step){.end = SERVER_RESET});
    look_at_each_kind(w, (server_step){.raw = "cAnArY\r\n", .end = SERVER_CLOSE});
    look_at_each_kind(
        w,
        (server_step){.status = 200, .body = "cAnArY", .declared_length = 99, .end = SERVER_CLOSE});
    look_at_each_kind(w, (server_step){.status = 200,
                                       .headers = "Transfer-Encoding: chunked\r\n",
                                       .body = "zz cAnArY\r\n"});
}

static void a_time_limit_tells_nothing(void **state) {
    world *w = *state;
    server_on(w->receiver, NULL, STEPS({.end = SERVER_SILENT}));
    post_and_look(w, &kinds[0], server_url(w->receiver, ""));
}

static void failures_before_the_request_tell_nothing(void **state) {
    world *w = *state;
    resolve_fail("gone.example");
    resolve_to("refusing.example", "127.0.0.1", 0);
    server_step no_tls = {.raw = "220 cAnArY\r\n", .end = SERVER_CLOSE};
    server *secure = server_start(&(server_options){.tls_names = "DNS:other.example"});
    char tls_to_plain[64];
    snprintf(tls_to_plain, sizeof(tls_to_plain), "https://127.0.0.1:%d", server_port(w->receiver));
    for (size_t i = 0; i < KINDS; i++) {
        post_and_look(w, &kinds[i], "http://gone.example");
        post_and_look(w, &kinds[i], "http://refusing.example:1");
        server_on_accept(w->receiver, STEPS(no_tls, no_tls, no_tls));
        post_and_look(w, &kinds[i], tls_to_plain);
        post_and_look(w, &kinds[i], server_url(secure, ""));
    }
    server_stop(secure);
}

static void a_refused_address_tells_nothing(void **state) {
    world *w = *state;
    resolve_to("inside.example", "127.0.0.1", 0);
    bb_options options = posting_guarded_options();
    options.log = take_log;
    posting_use(w, &options);
    for (size_t i = 0; i < KINDS; i++)
        post_and_look(w, &kinds[i], "http://inside.example");
}

/* ------------------------------------------------------- configurations -- */

/* Every call that takes one. Returns how many refused it. */
static size_t refuse_everywhere(bb_dispatcher *dispatcher, const bb_webhook *hook) {
    enum { ADD, REPLACE, PREPARE, MATCHES, JUDGE, CALLS };
    bb_response response = BB_RESPONSE_INIT;
    bb_outcome outcome = BB_OUTCOME_INIT;
    bb_request *request = NULL;
    size_t refused = 0;
    response.http_status = 400;
    response.body = "no such hook: cAnArY0123456789";
    response.body_length = strlen(response.body);
    for (int call = ADD; call < CALLS; call++) {
        bb_error error = BB_ERROR_INIT;
        int code = call == ADD       ? bb_dispatcher_add(dispatcher, hook, &error)
                   : call == REPLACE ? bb_dispatcher_replace(dispatcher, hook, &error)
                   : call == PREPARE
                       ? bb_webhook_prepare(NULL, hook, posting_event(), NULL, &request, &error)
                   : call == MATCHES ? bb_webhook_matches(hook, posting_event(), &error)
                                     : bb_webhook_judge(hook, &response, 1, &outcome, &error);
        refused += code < 0;
        canary_assert_silent("error", error.text, NULL);
        assert_true(code >= 0 || code == BB_ERR_NOT_FOUND || strstr(error.text, "hook") != NULL);
        bb_request_free(request);
        request = NULL;
    }
    bb_dispatcher_remove(dispatcher, "hook", NULL);
    return refused;
}

static void refused_headers_and_secrets_tell_nothing(void **state) {
    static const bb_header headers[] = {
        {"X-Key: cAnArY", "1"},   {"cAnArY\r\n", "1"},  {NULL, "cAnArY"},        {"Host", "cAnArY"},
        {"X-Key", "cAnArY\r\nX"}, {"X-Key", " cAnArY"}, {"webhook-id", "cAnArY"}};
    static const char *const previous[] = {
        "cAnArY", "whsec_cAnArY", "whsk_cAnArYcAnArY",
        "whpk_cAnArYcAnArYcAnArYcAnArYcAnArYcAnArYcAnArYc=", "cAnArYcAnArYcAnArYcAnArYcAnArYcA\n"};
    world *w = *state;
    size_t count = sizeof(headers) / sizeof(headers[0]);
    for (size_t i = 0; i < count; i++) {
        bb_webhook hook = canary_hook(BB_CUSTOM, "hook", "https://h.example");
        hook.headers = &headers[i];
        hook.header_count = 1;
        assert_true(refuse_everywhere(w->dispatcher, &hook) >= 4);
    }
    for (size_t i = 0; i < sizeof(previous) / sizeof(previous[0]); i++) {
        bb_webhook hook = canary_hook(BB_CUSTOM, "hook", "https://h.example");
        hook.previous_secret = previous[i];
        assert_true(refuse_everywhere(w->dispatcher, &hook) >= 3);
        hook.secret = previous[i];
        hook.previous_secret = NULL;
        assert_true(refuse_everywhere(w->dispatcher, &hook) >= 3);
    }
    bb_webhook hook = canary_hook(BB_SLACK, "hook", "https://h.example");
    hook.authorization = "Bearer cAnArY\n";
    assert_true(refuse_everywhere(w->dispatcher, &hook) >= 4);
}

static void a_refused_configuration_tells_nothing(void **state) {
    static const struct {
        bb_type type;
        const char *url;
        const char *secret;
    } wrong[] = {
        {BB_SLACK, "cAnArY", NULL},
        {BB_SLACK, "cAnArY-0123-4567", NULL},
        {BB_SLACK, "", "cAnArY"},
        {BB_SLACK, "ftp://hooks.slack.com/services/cAnArY", NULL},
        {BB_SLACK, "http://hooks.slack.com/services/cAnArY", NULL},
        {BB_SLACK, "https://evil.example/services/cAnArY", NULL},
        {BB_SLACK, "https://127.0.0.1/services/cAnArY", NULL},
        {BB_SLACK, "https://hooks.slack.com:99999/services/cAnArY", NULL},
        {BB_SLACK, "https://user:cAnArY@hooks.slack.com/services/T/B/x", NULL},
        {BB_SLACK, "https://cAnArY@hooks.slack.com/services/T/B/x", NULL},
        {BB_SLACK, "https://hooks.slack.com\\@evil.example/cAnArY", NULL},
        {BB_SLACK, "https://hooks.slack.com/services/T B/cAnArY", NULL},
        {BB_SLACK, "https://hooks.slack.com/services/T/B/cAnArY\n", NULL},
        {BB_SLACK, "https:///cAnArY", NULL},
        {BB_SLACK, "https://[::1/cAnArY", NULL},
        {BB_SLACK, "https:cAnArY", NULL},
        {BB_SLACK, "https://hooks.slack.com/cAnArY", "cAnArY"},
        {BB_DISCORD, "https://discord.com/api/webhooks/1/cAnArY/github", NULL},
        {BB_DISCORD, "https://discord.com/cAnArY", NULL},
        {BB_DINGTALK, "https://oapi.dingtalk.com/cAnArY?token=cAnArY", NULL},
        {BB_FEISHU, "https://open.feishu.cn/cAnArY", NULL},
        {BB_WECOM, "https://qyapi.weixin.qq.com/cAnArY", NULL},
        {BB_CUSTOM, "https://example.com/cAnArY", "whsec_cAnArY!"},
        {BB_CUSTOM, "https://example.com/cAnArY", "whsec_cAnArYcA"},
    };
    world *w = *state;
    bb_options options = BB_OPTIONS_INIT;
    options.log = take_log;
    posting_use(w, &options);
    size_t refused = 0;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        bb_webhook hook = posting_hook(wrong[i].type, "hook", wrong[i].url);
        hook.secret = wrong[i].secret;
        hook.allow_any_host = 0;
        refused += refuse_everywhere(w->dispatcher, &hook) >= 3; /* add, replace, prepare */
    }
    canary_assert_silent("log", log_text, NULL);
    assert_true(refused >= 20);
}

static void signatures_are_found_in_what_was_sent(void **state) {
    (void)state;
    server_field header = {"webhook-signature", "v1,def= v1a,ghi="};
    server_request request = {.query = "timestamp=1&sign=a%2Fbc%3D",
                              .headers = &header,
                              .header_count = 1,
                              .body = "{\"sign\":\"xyz=\"}"};
    canaries known = canary_signatures(&request);
    assert_int_equal(known.count, 5);
    assert_string_equal(known.text[0], "a%2Fbc%3D");
    assert_string_equal(known.text[1], "a/bc=");
    assert_string_equal(known.text[2], "xyz=");
    assert_string_equal(known.text[3], "def=");
    assert_string_equal(known.text[4], "ghi=");
}

#define WITH_LOG(test) cmocka_unit_test_setup_teardown(test, open_logged_world, close_logged_world)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_LOG(an_echo_in_plain_text_is_masked),
        WITH_LOG(an_echo_in_the_providers_words_is_masked),
        WITH_LOG(an_echo_in_the_providers_code_is_masked),
        WITH_LOG(an_echo_that_is_cut_off_is_masked),
        WITH_LOG(a_redirect_to_the_secret_is_masked),
        WITH_LOG(failures_under_way_tell_nothing),
        WITH_LOG(a_time_limit_tells_nothing),
        WITH_LOG(failures_before_the_request_tell_nothing),
        WITH_LOG(a_refused_address_tells_nothing),
        WITH_LOG(a_refused_configuration_tells_nothing),
        WITH_LOG(refused_headers_and_secrets_tell_nothing),
        cmocka_unit_test(signatures_are_found_in_what_was_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
