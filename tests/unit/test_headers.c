/* A webhook's own headers: they reach the receiver as they are and nobody else, and nothing that
 * could make another request of this one is taken for one. */
#include "support/posting.h"
#include "support/samples.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TOKEN "Bearer cAnArY.0123-4567"

static int prepare(const bb_webhook *webhook, bb_request **request, bb_error *error) {
    sample s;
    sample_make(&s, &sample_cases[0]);
    return bb_webhook_prepare(NULL, webhook, &s.event, NULL, request, error);
}

/* The error names the webhook and `what`, and tells no value. */
static void assert_webhook_refused(const bb_webhook *webhook, const char *what) {
    bb_error error = BB_ERROR_INIT;
    bb_request *request = NULL;
    int code = prepare(webhook, &request, &error);
    bb_request_free(request);
    if (code != BB_ERR_WEBHOOK)
        fail_msg("%s: %s instead of BB_ERR_WEBHOOK", what, bb_code_name(code));
    if (!strstr(error.text, what) || !strstr(error.text, "webhook \""))
        fail_msg("'%s' does not say %s", error.text, what);
    if (strstr(error.text, "cAnArY"))
        fail_msg("'%s' tells a secret", error.text);
}

static void assert_refused(const char *name, const char *value, const char *what) {
    bb_webhook webhook = sample_webhook(BB_CUSTOM);
    const bb_header headers[] = {{"X-First", "1"}, {name, value}};
    webhook.headers = headers;
    webhook.header_count = 2;
    assert_webhook_refused(&webhook, what);
}

static void assert_header(const bb_request *request, const char *name, const char *value) {
    for (size_t i = 0; i < bb_request_header_count(request); i++) {
        if (strcmp(bb_request_header_name(request, i), name) != 0)
            continue;
        assert_string_equal(bb_request_header_value(request, i, BB_REAL), value);
        assert_string_equal(bb_request_header_value(request, i, BB_MASKED), "***");
        return;
    }
    fail_msg("%s is not there", name);
}

/* ---- what is sent */

static void every_kind_sends_them_and_shows_them_masked(void **state) {
    (void)state;
    bb_header headers[16];
    char names[16][8];
    for (size_t i = 0; i < COUNT(headers); i++) {
        snprintf(names[i], sizeof names[i], "X-%zu", i);
        headers[i] = (bb_header){names[i], "cAnArY !\"#\xC3\xA9~"};
    }
    for (bb_type type = BB_SLACK; type <= BB_CUSTOM; type++) {
        bb_webhook webhook = sample_webhook(type);
        bb_request *request = NULL;
        webhook.headers = headers;
        webhook.header_count = COUNT(headers);
        webhook.authorization = TOKEN;
        if (type == BB_CUSTOM)
            webhook.secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        assert_int_equal(prepare(&webhook, &request, NULL), BB_OK);
        assert_header(request, "Authorization", TOKEN);
        for (size_t i = 0; i < COUNT(headers); i++)
            assert_header(request, names[i], headers[i].value);
        assert_int_equal(bb_request_header_count(request),
                         2 + 1 + 16 + (type == BB_CUSTOM ? 3 : 0));
        bb_request_free(request);
    }
}

static void assert_received(const server_request *request) {
    assert_string_equal(server_header(request, "Authorization"), TOKEN);
    assert_string_equal(server_header(request, "X-Api-Key"), "cAnArY:key, and more");
    assert_string_equal(server_header(request, "x-tenant"), "7");
    assert_string_equal(server_header(request, "Content-Type"), "application/json");
}

static void posts_tests_and_background_deliveries_have_them(void **state) {
    world *w = *state;
    char name[] = "X-Api-Key", value[] = "cAnArY:key, and more", authorization[] = TOKEN;
    bb_header headers[] = {{name, value}, {"X-Tenant", "7"}};
    server_step yes = posting_success(BB_CUSTOM);
    server_on(w->receiver, "/hook", &yes, 1);
    bb_webhook hook = posting_hook(BB_CUSTOM, "hook", server_url(w->receiver, "/hook"));
    hook.headers = headers;
    hook.header_count = 2;
    hook.authorization = authorization;
    assert_int_equal(bb_dispatcher_add(w->dispatcher, &hook, NULL), BB_OK);
    memset(name, 'x', strlen(name)); /* what is kept is a copy */
    memset(value, 'x', strlen(value));
    memset(authorization, 'x', strlen(authorization));
    memset(headers, 0, sizeof headers);
    assert_int_equal(posting_send_one(w->dispatcher, "hook")->outcome->verdict, BB_DELIVERED);
    assert_int_equal(bb_webhook_test(w->dispatcher, "hook", NULL, NULL), BB_OK);
    assert_int_equal(bb_webhook_enqueue(w->dispatcher, posting_event(), NULL, NULL, NULL), BB_OK);
    assert_int_equal(bb_dispatcher_flush(w->dispatcher, PATIENCE_MS, NULL), BB_OK);
    assert_int_equal(server_requests(w->receiver), 3);
    for (size_t i = 0; i < 3; i++)
        assert_received(server_request_at(w->receiver, i));
}

static int look_at_headers(void *user, const bb_webhook *webhook) {
    *(int *)user += 1;
    assert_string_equal(webhook->authorization, TOKEN);
    assert_int_equal(webhook->header_count, 2);
    assert_string_equal(webhook->headers[1].name, "B");
    assert_string_equal(webhook->headers[1].value, "2");
    assert_string_equal(webhook->issue_types[0], "bug");
    return 0;
}

/* Two lists in one block: neither may be where the other's texts are. */
static void they_are_kept_beside_the_issue_types(void **state) {
    world *w = *state;
    static const char *const types[] = {"bug", "task", "story"};
    static const bb_header headers[] = {{"A", "1"}, {"B", "2"}};
    for (size_t count = 1; count <= COUNT(types); count++) {
        int seen = 0;
        bb_webhook hook = posting_hook(BB_SLACK, "hook", "https://hooks.slack.com/services/T/B/x");
        hook.issue_types = types;
        hook.issue_type_count = count;
        hook.headers = headers;
        hook.header_count = 2;
        hook.authorization = TOKEN;
        assert_int_equal(bb_dispatcher_add(w->dispatcher, &hook, NULL), BB_OK);
        bb_dispatcher_list(w->dispatcher, look_at_headers, &seen, NULL);
        assert_int_equal(seen, 1);
        bb_dispatcher_remove(w->dispatcher, "hook", NULL);
    }
}

/* ---- what is refused */

static void what_is_not_the_hosts_to_set_is_refused(void **state) {
    (void)state;
    static const char *const names[] = {"Host",
                                        "Content-Length",
                                        "Transfer-Encoding",
                                        "Connection",
                                        "Keep-Alive",
                                        "TE",
                                        "Trailer",
                                        "Upgrade",
                                        "Expect",
                                        "User-Agent",
                                        "Content-Type",
                                        "Content-Encoding",
                                        "Proxy-Authorization",
                                        "Proxy-Connection",
                                        "webhook-id",
                                        "webhook-timestamp",
                                        "webhook-signature",
                                        "webhook-other",
                                        "Accept-Encoding",
                                        "HTTP2-Settings",
                                        "hOST",
                                        "WEBHOOK-ID",
                                        "content-length"};
    for (size_t i = 0; i < COUNT(names); i++)
        assert_refused(names[i], "cAnArY", names[i]);
    assert_refused("authorization", "cAnArY", "is what authorization is for");
    assert_refused("x-FIRST", "cAnArY", "x-FIRST: is given twice");
}

/* Only names that begin so are meant. */
static void names_that_look_like_those_are_taken(void **state) {
    (void)state;
    static const char *const names[] = {"Hosts",
                                        "X-Host",
                                        "Webhook",
                                        "webhooks-id",
                                        "Team",
                                        "Date",
                                        "Authorization-Extra",
                                        "Contents",
                                        "Cookie",
                                        "!#$%&'*+-.^_`|~"};
    for (size_t i = 0; i < COUNT(names); i++) {
        bb_webhook webhook = sample_webhook(BB_SLACK);
        const bb_header header = {names[i], "1"};
        bb_request *request = NULL;
        webhook.headers = &header;
        webhook.header_count = 1;
        assert_int_equal(prepare(&webhook, &request, NULL), BB_OK);
        assert_header(request, names[i], "1");
        bb_request_free(request);
    }
}

/* It could be a whole line, with its secret. */
static void a_name_that_is_no_token_is_refused_and_not_repeated(void **state) {
    (void)state;
    static const char long_name[] =
        "0123456789012345678901234567890123456789012345678901234567890123"
        "cAnArY";
    static const char *const names[] = {NULL,
                                        "",
                                        " ",
                                        "X-Key: cAnArY",
                                        "cAnArY ",
                                        " cAnArY",
                                        "cAnArY\r\nX: 1",
                                        "cAnArY\n",
                                        "cAnArY\t",
                                        "cAnArY\xC3\xA9",
                                        "cAnArY\x7F",
                                        "(cAnArY)",
                                        "cAnArY,",
                                        "cAnArY/1",
                                        "\"cAnArY\"",
                                        "cAnArY@x",
                                        "[cAnArY]",
                                        "{cAnArY}",
                                        "cAnArY;",
                                        "cAnArY=",
                                        "cAnArY?",
                                        "<cAnArY>",
                                        ":cAnArY",
                                        "cAnArY\\",
                                        long_name};
    for (size_t i = 0; i < COUNT(names); i++)
        assert_refused(names[i], "1", "headers[1]");
}

static void a_value_cannot_begin_another_line(void **state) {
    (void)state;
    char value[] = "cAnArY?cAnArY", long_value[4098];
    for (int c = 1; c < 256; c++) {
        value[6] = (char)c;
        if (c < 0x20 || c == 0x7F)
            assert_refused("X-Key", value, "X-Key: its value has a control character");
    }
    assert_refused("X-Key", " cAnArY", "X-Key: its value begins");
    assert_refused("X-Key", "cAnArY ", "X-Key: its value begins");
    assert_refused("X-Key", "", "X-Key: has no value");
    assert_refused("X-Key", NULL, "X-Key: has no value");
    memset(long_value, 'v', sizeof long_value);
    long_value[4097] = '\0';
    assert_refused("X-Key", long_value, "X-Key: its value is longer");
}

static void an_authorization_is_checked_likewise(void **state) {
    (void)state;
    static const char *const values[] = {"Bearer cAnArY\r\nX: 1", "cAnArY\n", "cAnArY ", " cAnArY",
                                         "\x7F"};
    for (size_t i = 0; i < COUNT(values); i++) {
        bb_webhook webhook = sample_webhook(BB_SLACK);
        webhook.authorization = values[i];
        assert_webhook_refused(&webhook, "authorization: its value");
    }
    bb_webhook webhook = sample_webhook(BB_SLACK);
    bb_request *request = NULL;
    webhook.authorization = "";
    assert_int_equal(prepare(&webhook, &request, NULL), BB_OK);
    assert_int_equal(bb_request_header_count(request), 2);
    bb_request_free(request);
}

static void a_list_that_cannot_be_read_is_refused(void **state) {
    (void)state;
    bb_header many[17];
    bb_webhook webhook = sample_webhook(BB_SLACK);
    for (size_t i = 0; i < COUNT(many); i++)
        many[i] = (bb_header){"X", "1"};
    webhook.header_count = 17;
    webhook.headers = many;
    assert_webhook_refused(&webhook, "header_count");
    webhook.header_count = 1;
    webhook.headers = NULL;
    assert_webhook_refused(&webhook, "headers: is NULL");
}

/* ---- previous_secret */

static void only_custom_takes_a_second_secret(void **state) {
    (void)state;
#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    for (bb_type type = BB_SLACK; type < BB_CUSTOM; type++) {
        bb_webhook webhook = sample_webhook(type);
        webhook.previous_secret = "cAnArY";
        assert_webhook_refused(&webhook, "previous_secret: only Custom");
    }
    static const struct {
        const char *secret, *previous, *what;
    } wrong[] = {
        {NULL, SECRET, "previous_secret: is given without secret"},
        {"", SECRET, "previous_secret: is given without secret"},
        {SECRET, "whsec_cAnArY", "previous_secret: is neither"},
        {SECRET, "whsec_cAnArYcAnArYcAnArYcAnArYcAnArYcA ", "previous_secret: begins"},
        {SECRET,
         "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=", "previous_secret: is a public key"},
        {"whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=", NULL, "secret: is a public key"},
        /* a seed with the public half of another */
        {"whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh/VKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9"
         "lMicMFs6Kvg==",
         NULL, "secret: is neither"}};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        bb_webhook webhook = sample_webhook(BB_CUSTOM);
        webhook.secret = wrong[i].secret;
        webhook.previous_secret = wrong[i].previous;
        assert_webhook_refused(&webhook, wrong[i].what);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_sends_them_and_shows_them_masked),
        WITH_WORLD(posts_tests_and_background_deliveries_have_them),
        WITH_WORLD(they_are_kept_beside_the_issue_types),
        cmocka_unit_test(what_is_not_the_hosts_to_set_is_refused),
        cmocka_unit_test(names_that_look_like_those_are_taken),
        cmocka_unit_test(a_name_that_is_no_token_is_refused_and_not_repeated),
        cmocka_unit_test(a_value_cannot_begin_another_line),
        cmocka_unit_test(an_authorization_is_checked_likewise),
        cmocka_unit_test(a_list_that_cannot_be_read_is_refused),
        cmocka_unit_test(only_custom_takes_a_second_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
