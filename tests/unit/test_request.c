/* A request as hosts see it: its real bytes, the same with every secret masked, and its pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "endpoint/request.h"
#include "support/alloc.h"

/* ------------------------------------------------------------------- pieces -- */

static struct bb_request request;

static int open_request(void **state) {
    const char *why = NULL;
    (void)state;
    request = (struct bb_request){.body = "{\"a\":1}", .length = 7};
    bb_arena_init(&request.arena, alloc_library());
    return bb_url_parse(&request.arena, "https://h.example:8443/p?k=secret", &request.url, &why);
}

static int close_request(void **state) {
    (void)state;
    bb_arena_free(&request.arena);
    return alloc_live() == 0 ? 0 : -1;
}

static void a_header_that_was_never_made_is_not_there(void **state) {
    (void)state;
    bb_request_add_header(&request, "a", "1", false);
    bb_request_add_header(&request, "b", NULL, true);
    bb_request_add_header(&request, "c", "3", true);
    assert_int_equal(bb_request_header_count(&request), 2);
    assert_string_equal(bb_request_header_name(&request, 1), "c");
    assert_string_equal(bb_request_header_value(&request, 0, BB_MASKED), "1");
    assert_string_equal(bb_request_header_value(&request, 1, BB_MASKED), "***");
    assert_string_equal(bb_request_header_value(&request, 1, BB_REAL), "3");
    assert_null(bb_request_header_name(&request, 2));
    assert_null(bb_request_header_value(&request, 2, BB_REAL));
}

static void a_parameter_is_encoded_once_and_put_at_the_end(void **state) {
    (void)state;
    bb_request_add_query(&request, "timestamp", "1700000000001");
    bb_request_add_query(&request, "sign", "r4CWp/Dz+Ng0=");
    assert_string_equal(request.url.text, "https://h.example:8443/p?k=secret&timestamp="
                                          "1700000000001&sign=r4CWp%2FDz%2BNg0%3D");
    request.url.query = "";
    bb_request_add_query(&request, "only", "");
    assert_string_equal(request.url.text, "https://h.example:8443/p?only=");
}

static void members_go_first_and_their_secret_is_masked(void **state) {
    (void)state;
    size_t length = 0;
    bb_request_add_members(&request, "\"timestamp\":\"1\",\"sign\":\"abc=\",", "abc=");
    assert_string_equal(request.body, "{\"timestamp\":\"1\",\"sign\":\"abc=\",\"a\":1}");
    assert_int_equal(request.length, strlen(request.body));
    assert_string_equal(bb_request_masked_body(&request, &length),
                        "{\"timestamp\":\"1\",\"sign\":\"***\",\"a\":1}");
    assert_int_equal(length, strlen("{\"timestamp\":\"1\",\"sign\":\"***\",\"a\":1}"));
}

static void members_without_a_secret_are_shown(void **state) {
    (void)state;
    size_t length = 0;
    bb_request_add_members(&request, NULL, NULL);
    assert_string_equal(request.body, "{\"a\":1}");
    bb_request_add_members(&request, "\"msgUuid\":\"m\",", NULL);
    assert_string_equal(request.body, "{\"msgUuid\":\"m\",\"a\":1}");
    assert_ptr_equal(bb_request_masked_body(&request, &length), request.body);
    assert_int_equal(length, request.length);
}

static void the_masked_url_is_scheme_host_and_port(void **state) {
    (void)state;
    assert_string_equal(bb_request_masked_url(&request), "https://h.example:8443/***");
    request.url.port = "";
    assert_string_equal(bb_request_masked_url(&request), "https://h.example/***");
}

static void without_memory_the_arena_says_so(void **state) {
    (void)state;
    size_t length;
    bb_request_add_members(&request, "\"sign\":\"abc=\",", "abc=");
    alloc_begin(1, 1);
    for (int i = 0; i < 100; i++)
        bb_request_add_query(&request, "name", "a value that fills the arena");
    alloc_end();
    assert_true(request.arena.failed);
    assert_null(bb_request_masked_url(&request));
    assert_null(bb_request_masked_body(&request, &length));
}

/* ------------------------------------------------------------- whole requests -- */

static const struct kind {
    bb_type type;
    const char *url, *secret, *masked_url;
    const char *tokens[3]; /* of URL and secret: in no masked view */
} kinds[] = {
    {BB_SLACK,
     "https://hooks.slack.com/services/TKEN00001/BKEN00002/kEy0000003",
     NULL,
     "https://hooks.slack.com/***",
     {"TKEN00001", "BKEN00002", "kEy0000003"}},
    {BB_DISCORD,
     "https://discord.com/api/webhooks/123456789012345678/kEy0000003",
     NULL,
     "https://discord.com/***",
     {"123456789012345678", "kEy0000003", "kEy0000003"}},
    {BB_TEAMS,
     "https://prod-01.westus.logic.azure.com:443/workflows/wKEN00001/triggers/manual/paths/invoke"
     "?sig=kEy0000003",
     NULL,
     "https://prod-01.westus.logic.azure.com:443/***",
     {"wKEN00001", "kEy0000003", "invoke"}},
    {BB_DINGTALK,
     "https://oapi.dingtalk.com/robot/send?access_token=kEy0000003",
     "SECkEy0000001",
     "https://oapi.dingtalk.com/***",
     {"kEy0000003", "SECkEy0000001", "sign="}},
    {BB_FEISHU,
     "https://open.feishu.cn/open-apis/bot/v2/hook/kEy0000003",
     "kEy0000001",
     "https://open.feishu.cn/***",
     {"kEy0000003", "kEy0000001", "open-apis"}},
    {BB_WECOM,
     "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=kEy0000003",
     NULL,
     "https://qyapi.weixin.qq.com/***",
     {"kEy0000003", "cgi-bin", "key="}},
    {BB_CUSTOM,
     "https://ci.example.com/hook/kEy0000003",
     "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
     "https://ci.example.com/***",
     {"kEy0000003", "MfKQ9r8GKYqrTwj", "/hook"}},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static bb_request *prepare(const struct kind *kind, const char *title) {
    bb_webhook hook = BB_WEBHOOK_INIT;
    bb_event event = BB_EVENT_INIT;
    bb_attempt attempt = BB_ATTEMPT_INIT;
    bb_request *made = NULL;
    bb_error error = BB_ERROR_INIT;
    hook.name = "room";
    hook.type = kind->type;
    hook.url = kind->url;
    hook.secret = kind->secret;
    event.activity = BB_ISSUE_CREATE;
    event.title = title;
    event.link = "https://bb.example.com/issue/101";
    event.created_ts = 1700000000;
    attempt.time_ms = 1700000001000;
    if (bb_webhook_prepare(NULL, &hook, &event, &attempt, &made, &error) != BB_OK)
        fail_msg("%s", error.text);
    return made;
}

/* Everything that a view shows, one after the other. */
static const char *everything(const bb_request *r, bb_view view) {
    static char out[16384];
    size_t length = 0;
    const char *body = bb_request_body(r, view, &length);
    int used = snprintf(out, sizeof(out), "%s\n%.*s\n", bb_request_url(r, view), (int)length, body);
    for (size_t i = 0; i < bb_request_header_count(r); i++)
        used += snprintf(out + used, sizeof(out) - (size_t)used, "%s: %s\n",
                         bb_request_header_name(r, i), bb_request_header_value(r, i, view));
    return out;
}

static void no_secret_is_in_the_masked_view(void **state) {
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        bb_request *r = prepare(&kinds[i], "T");
        assert_string_equal(bb_request_method(r), "POST");
        assert_string_equal(bb_request_url(r, BB_MASKED), kinds[i].masked_url);
        const char *shown = everything(r, BB_MASKED);
        for (size_t k = 0; k < 3; k++)
            if (strstr(shown, kinds[i].tokens[k]))
                fail_msg("%s shows %s: %s", bb_type_name(kinds[i].type), kinds[i].tokens[k], shown);
        bb_request_free(r);
    }
    bb_request_free(NULL);
}

static void signatures_are_in_the_real_view_only(void **state) {
    (void)state;
    static const char *const marks[KINDS] = {
        [3] = "&sign=", [4] = "\"sign\":\"", [6] = "webhook-signature: v1,"};
    for (size_t i = 0; i < KINDS; i++) {
        bb_request *r = prepare(&kinds[i], "T");
        if (marks[i]) {
            const char *at = strstr(everything(r, BB_REAL), marks[i]);
            assert_non_null(at);
            char signature[32];
            snprintf(signature, sizeof(signature), "%.20s", at + strlen(marks[i]));
            assert_null(strstr(everything(r, BB_MASKED), signature));
            assert_non_null(strstr(everything(r, BB_MASKED), "***"));
        }
        bb_request_free(r);
    }
}

static void both_views_have_the_same_body_but_for_the_signature(void **state) {
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        size_t real_length = 0, masked_length = 0;
        bb_request *r = prepare(&kinds[i], "T");
        const char *real = bb_request_body(r, BB_REAL, &real_length);
        const char *masked = bb_request_body(r, BB_MASKED, &masked_length);
        assert_int_equal(strlen(real), real_length);
        assert_int_equal(strlen(masked), masked_length);
        if (kinds[i].type != BB_FEISHU)
            assert_string_equal(real, masked);
        else
            assert_int_equal(real_length - masked_length, 44 - 3); /* a signature, three stars */
        assert_ptr_equal(bb_request_body(r, BB_REAL, NULL), real);
        bb_request_free(r);
    }
}

static void what_was_cut_is_told(void **state) {
    (void)state;
    static char title[5001];
    memset(title, 'x', sizeof(title) - 1);
    for (size_t i = 0; i < KINDS; i++) {
        bb_request *r = prepare(&kinds[i], "T");
        assert_int_equal(bb_request_cut_count(r), 0);
        assert_null(bb_request_cut(r, 0));
        bb_request_free(r);
        r = prepare(&kinds[i], title);
        assert_int_equal(bb_request_cut_count(r), 1);
        assert_string_equal(bb_request_cut(r, 0), "title");
        assert_null(bb_request_cut(r, 1));
        bb_request_free(r);
    }
}

static void the_same_event_gives_the_same_bytes(void **state) {
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        static char first[16384];
        bb_request *r = prepare(&kinds[i], "T"), *again = prepare(&kinds[i], "T");
        strcpy(first, everything(r, BB_REAL));
        assert_string_equal(everything(again, BB_REAL), first);
        bb_request_free(r);
        bb_request_free(again);
    }
}

#define WITH_REQUEST(test) cmocka_unit_test_setup_teardown(test, open_request, close_request)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_REQUEST(a_header_that_was_never_made_is_not_there),
        WITH_REQUEST(a_parameter_is_encoded_once_and_put_at_the_end),
        WITH_REQUEST(members_go_first_and_their_secret_is_masked),
        WITH_REQUEST(members_without_a_secret_are_shown),
        WITH_REQUEST(the_masked_url_is_scheme_host_and_port),
        WITH_REQUEST(without_memory_the_arena_says_so),
        cmocka_unit_test(no_secret_is_in_the_masked_view),
        cmocka_unit_test(signatures_are_in_the_real_view_only),
        cmocka_unit_test(both_views_have_the_same_body_but_for_the_signature),
        cmocka_unit_test(what_was_cut_is_told),
        cmocka_unit_test(the_same_event_gives_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
