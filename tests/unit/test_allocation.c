/*
 * Running out of memory where no network is needed: each allocation of the library, cJSON and
 * libcurl's URL parser fails once, alone and with all that follow. Every call then either says
 * BB_ERR_NO_MEMORY or gives what it always gives. Posts are test_allocation_sending.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "delivery/outcome.h"
#include "support/alloc.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HOOK(what, address, key)                                                                   \
    {                                                                                              \
        .struct_size = sizeof(bb_webhook), .name = #what, .type = what, .url = address,            \
        .secret = key, .activities = BB_ACTIVITY_ALL                                               \
    }

/* One of each kind, each with whatever it can be signed with. */
static const bb_webhook kinds[] = {
    HOOK(BB_SLACK, "https://hooks.slack.com/services/T0/B0/abcdefghijkl", NULL),
    HOOK(BB_DISCORD, "https://discord.com/api/webhooks/123456789012345678/abcdefghijkl", NULL),
    HOOK(BB_TEAMS,
         "https://prod-01.westus.logic.azure.com/workflows/w/triggers/manual/paths/invoke"
         "?sig=abcdefghijkl",
         NULL),
    HOOK(BB_DINGTALK, "https://oapi.dingtalk.com/robot/send?access_token=abcdefghijkl", "SECtest"),
    HOOK(BB_FEISHU, "https://open.feishu.cn/open-apis/bot/v2/hook/abcdefghijkl", "demo"),
    HOOK(BB_WECOM, "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=abcdefghijkl", NULL),
    HOOK(BB_CUSTOM, "https://ci.example.com/hook/abcdefghijkl",
         "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
};

static const char event_json[] =
    "{\"activity_type\":\"bb.pipeline.task.status.update\",\"level\":\"WARN\",\"link\":"
    "\"https://bb.example.com/issue/101\",\"created_ts\":1700000000,\"description\":\"a\\nb\","
    "\"creator\":{\"id\":9007199254740993,\"name\":\"Ann\"},\"issue\":{\"id\":101,\"name\":"
    "\"Add index\",\"status\":\"OPEN\",\"type\":\"schema\",\"description\":\"*why*\"},"
    "\"project\":{\"id\":7,\"name\":\"Shop\"},\"stage\":{\"id\":1,\"name\":\"Prod\",\"status\":"
    "\"BEGIN\"},\"task\":{\"id\":2,\"name\":\"t\",\"old_status\":\"RUNNING\",\"status\":\"FAILED\","
    "\"detail\":\"lock timeout\"},\"mentions\":[{\"name\":\"Bob\",\"slack\":\"U0123\",\"phone\":"
    "\"13800000000\"},\"everyone\"]}";

static bb_event_doc *event_document(void) {
    bb_event_doc *document = NULL;
    assert_int_equal(bb_event_parse(NULL, event_json, strlen(event_json), &document, NULL), BB_OK);
    return document;
}

static bb_options options_with_allocator(void) {
    bb_options options = BB_OPTIONS_INIT;
    options.allocator = alloc_library();
    return options;
}

/* What a call may say when memory was short; anything else it must have done in full. */
static void assert_no_memory(int code, const bb_error *error) {
    assert_true(alloc_has_failed());
    assert_int_equal(code, BB_ERR_NO_MEMORY);
    assert_int_equal(error->code, BB_ERR_NO_MEMORY);
    assert_string_not_equal(error->text, "");
}

/* -------------------------------------------------------- event documents -- */

typedef struct printing {
    const bb_event *event;
    char expected[2048];
} printing;

static void parse_event(void *user) {
    printing *p = user;
    char printed[2048];
    size_t length = 0;
    bb_event_doc *document = NULL;
    bb_error error = BB_ERROR_INIT;
    int code = bb_event_parse(alloc_library(), event_json, strlen(event_json), &document, &error);
    alloc_end();
    if (code) {
        assert_no_memory(code, &error);
        assert_null(document);
        return;
    }
    const bb_event *event = bb_event_doc_event(document);
    assert_int_equal(bb_event_print(event, printed, sizeof(printed), &length, NULL), BB_OK);
    assert_string_equal(printed, p->expected);
    bb_event_doc_free(document);
}

static void print_event(void *user) {
    printing *p = user;
    char printed[2048];
    size_t length = 0;
    bb_error error = BB_ERROR_INIT;
    int code = bb_event_print(p->event, printed, sizeof(printed), &length, &error);
    alloc_end();
    if (code)
        assert_no_memory(code, &error);
    else
        assert_string_equal(printed, p->expected);
}

static void an_event_is_read_and_written_wholly_or_not_at_all(void **state) {
    (void)state;
    bb_event_doc *document = event_document();
    printing p = {.event = bb_event_doc_event(document)};
    size_t length = 0;
    assert_int_equal(bb_event_print(p.event, p.expected, sizeof(p.expected), &length, NULL), BB_OK);
    alloc_fail_each("bb_event_parse", 0, parse_event, &p);
    alloc_fail_each("bb_event_print", 0, print_event, &p);
    bb_event_doc_free(document);
}

/* --------------------------------------------------------------- requests -- */

typedef struct preparation {
    const bb_webhook *webhook;
    const bb_event *event;
    bb_request *expected;
} preparation;

static int prepare(const preparation *p, bb_request **request, bb_error *error) {
    bb_options options = options_with_allocator();
    bb_attempt attempt = BB_ATTEMPT_INIT;
    attempt.time_ms = 1700000000000;
    return bb_webhook_prepare(&options, p->webhook, p->event, &attempt, request, error);
}

static void assert_same_request(const bb_request *a, const bb_request *b) {
    for (bb_view view = BB_REAL; view <= BB_MASKED; view++) {
        size_t n = 0, m = 0;
        assert_string_equal(bb_request_url(a, view), bb_request_url(b, view));
        const char *body = bb_request_body(a, view, &n), *other = bb_request_body(b, view, &m);
        assert_int_equal(n, m);
        assert_memory_equal(body, other, n);
        for (size_t i = 0; i < bb_request_header_count(a); i++)
            assert_string_equal(bb_request_header_value(a, i, view),
                                bb_request_header_value(b, i, view));
    }
    assert_int_equal(bb_request_header_count(a), bb_request_header_count(b));
    assert_int_equal(bb_request_cut_count(a), bb_request_cut_count(b));
}

static void prepare_once(void *user) {
    preparation *p = user;
    bb_request *request = NULL;
    bb_error error = BB_ERROR_INIT;
    int code = prepare(p, &request, &error);
    alloc_end();
    if (code) {
        assert_no_memory(code, &error);
        assert_null(request);
        return;
    }
    assert_same_request(request, p->expected);
    bb_request_free(request);
}

static void a_request_is_prepared_wholly_or_not_at_all(void **state) {
    (void)state;
    bb_event_doc *document = event_document();
    for (size_t i = 0; i < COUNT(kinds); i++) {
        char what[64];
        preparation p = {.webhook = &kinds[i], .event = bb_event_doc_event(document)};
        assert_int_equal(prepare(&p, &p.expected, NULL), BB_OK);
        snprintf(what, sizeof(what), "bb_webhook_prepare, %s", kinds[i].name);
        alloc_fail_each(what, 0, prepare_once, &p);
        bb_request_free(p.expected);
    }
    bb_event_doc_free(document);
}

/* --------------------------------------------------------------- judgement -- */

static const struct answer {
    int kind; /* in `kinds` */
    int status;
    const char *headers;
    const char *body;
    bb_verdict verdict;
} answers[] = {
    {0, 200, "", "ok", BB_DELIVERED},
    {0, 404, "", "no_service", BB_DEAD},
    {0, 429, "Retry-After: 30\r\n", "rate_limited", BB_RETRY},
    {1, 200, "X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset-After: 1.5\r\n", "{\"id\":\"1\"}",
     BB_DELIVERED},
    {1, 204, "", "", BB_DELIVERED},
    {1, 429, "", "{\"retry_after\":1.5,\"global\":true}", BB_RETRY},
    {1, 404, "", "{\"code\":10015,\"message\":\"Unknown Webhook\"}", BB_DEAD},
    {2, 202, "", "", BB_DELIVERED},
    {3, 200, "", "{\"errcode\":0,\"errmsg\":\"ok\"}", BB_DELIVERED},
    {3, 200, "", "{\"errcode\":130101,\"errmsg\":\"send too fast\"}", BB_RETRY},
    {4, 200, "", "{\"code\":0,\"msg\":\"success\"}", BB_DELIVERED},
    {4, 200, "", "{\"code\":11232,\"msg\":\"frequency limited\"}", BB_RETRY},
    {4, 400, "", "{\"code\":9499,\"msg\":\"too many request\"}", BB_RETRY},
    {5, 200, "", "{\"errcode\":0,\"errmsg\":\"ok\"}", BB_DELIVERED},
    {5, 200, "", "{\"errcode\":45009,\"errmsg\":\"freq out of limit\"}", BB_RETRY},
    {6, 200, "", "{\"code\":0}", BB_DELIVERED},
    {6, 200, "", "{\"code\":\"0\",\"message\":\"fine\"}", BB_DELIVERED},
    {6, 503, "Retry-After: Fri, 02 Jan 2026 03:05:05 GMT\r\n", "busy", BB_RETRY},
};
static const int64_t now_ms = 1767323045000; /* 2026-01-02T03:04:05Z */

static bb_response response_of(const struct answer *answer) {
    bb_response response = BB_RESPONSE_INIT;
    response.http_status = answer->status;
    response.headers = answer->headers;
    response.body = answer->body;
    response.body_length = strlen(answer->body);
    return response;
}

static void judge_once(void *user) {
    const struct answer *answer = user;
    bb_response response = response_of(answer);
    bb_outcome expected = BB_OUTCOME_INIT, outcome = BB_OUTCOME_INIT;
    bb_error error = BB_ERROR_INIT;
    int code = bb_webhook_judge(&kinds[answer->kind], &response, now_ms, &outcome, &error);
    alloc_end();
    assert_int_equal(bb_webhook_judge(&kinds[answer->kind], &response, now_ms, &expected, NULL),
                     BB_OK);
    assert_int_equal(expected.verdict, answer->verdict);
    if (code)
        assert_no_memory(code, &error);
    else
        assert_memory_equal(&outcome, &expected, sizeof(outcome));
}

static void an_answer_is_judged_rightly_or_not_at_all(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        char what[64];
        struct answer answer = answers[i];
        snprintf(what, sizeof(what), "bb_webhook_judge, %s, %d", kinds[answer.kind].name,
                 answer.status);
        alloc_fail_each(what, 0, judge_once, &answer);
    }
}

/* Inside a post there must be an outcome all the same: never "dead" for want of memory, and
 * "delivered" only for what was read as that. */
static void judge_inside_a_post(void *user) {
    const struct answer *answer = user;
    bb_response response = response_of(answer);
    struct bb_exchange exchange = {
        .webhook = &kinds[answer->kind], .host = "", .response = &response, .now_ms = now_ms};
    bb_outcome outcome;
    struct bb_arena arena;
    bb_arena_init(&arena, alloc_library());
    bb_outcome_judge(&arena, &exchange, &outcome);
    alloc_end();
    bb_arena_free(&arena);
    if (outcome.verdict != answer->verdict) {
        assert_true(alloc_has_failed());
        if (outcome.verdict != BB_UNKNOWN)
            fail_msg("HTTP %d %s is %s for want of memory", answer->status, answer->body,
                     bb_verdict_name(outcome.verdict));
    }
    assert_int_equal(outcome.http_status, answer->status);
    assert_string_not_equal(outcome.text, "");
}

static void no_delivery_is_dead_for_want_of_memory(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        char what[64];
        struct answer answer = answers[i];
        snprintf(what, sizeof(what), "judging in a post, %s, %d", kinds[answer.kind].name,
                 answer.status);
        alloc_fail_each(what, 0, judge_inside_a_post, &answer);
    }
}

/* ---------------------------------------------------------------- webhooks -- */

static int count_webhook(void *user, const bb_webhook *webhook) {
    (void)webhook;
    ++*(size_t *)user;
    return 0;
}

static size_t count_listed(bb_dispatcher *dispatcher) {
    size_t listed = 0;
    assert_int_equal(bb_dispatcher_list(dispatcher, count_webhook, &listed, NULL), BB_OK);
    return listed;
}

typedef int change(bb_dispatcher *dispatcher, const bb_webhook *webhook, bb_error *error);

/* Fails the 1st allocation, the 2nd ... until the change is made; each time before that, nothing
 * has changed. Returns how often it failed. */
static size_t change_at_last(bb_dispatcher *dispatcher, change *apply, const bb_webhook *webhook,
                             int and_after) {
    size_t before = bb_dispatcher_count(dispatcher), nth = 1;
    for (;; nth++) {
        bb_error error = BB_ERROR_INIT;
        alloc_begin(nth, and_after);
        int code = apply(dispatcher, webhook, &error);
        alloc_end();
        if (code == BB_OK)
            return nth - 1;
        assert_no_memory(code, &error);
        assert_int_equal(bb_dispatcher_count(dispatcher), before);
    }
}

/* Enough webhooks that every table has to grow several times. */
static void webhooks_are_added_and_replaced_wholly_or_not_at_all(void **state) {
    (void)state;
    enum { MANY = 400 };
    bb_options options = options_with_allocator();
    bb_dispatcher *dispatcher = NULL;
    long before = alloc_live();
    size_t failures = 0;
    assert_int_equal(bb_dispatcher_new(&options, &dispatcher, NULL), BB_OK);
    for (int i = 0; i < MANY; i++) {
        char id[24];
        bb_webhook webhook = kinds[(size_t)i % COUNT(kinds)];
        snprintf(id, sizeof(id), "hook %d", i);
        webhook.id = id;
        webhook.project_id = i % 50;
        failures += change_at_last(dispatcher, bb_dispatcher_add, &webhook, i % 2);
        webhook.project_id = i;
        webhook.activities = BB_ISSUE_CREATE | BB_ISSUE_COMMENT_CREATE;
        failures += change_at_last(dispatcher, bb_dispatcher_replace, &webhook, i % 2);
        assert_int_equal(bb_dispatcher_count(dispatcher), i + 1);
    }
    assert_int_equal(count_listed(dispatcher), MANY);
    print_message("%d webhooks added and replaced, %zu failures\n", MANY, failures);
    bb_dispatcher_free(dispatcher);
    assert_int_equal(alloc_live(), before);
}

static void list_once(void *user) {
    bb_dispatcher *dispatcher = user;
    size_t listed = 0;
    bb_error error = BB_ERROR_INIT;
    int code = bb_dispatcher_list(dispatcher, count_webhook, &listed, &error);
    alloc_end();
    if (code)
        assert_no_memory(code, &error);
    assert_int_equal(listed, code ? 0 : bb_dispatcher_count(dispatcher));
}

static void webhooks_are_listed_wholly_or_not_at_all(void **state) {
    (void)state;
    enum { MANY = 100 };
    bb_options options = options_with_allocator();
    bb_dispatcher *dispatcher = NULL;
    assert_int_equal(bb_dispatcher_new(&options, &dispatcher, NULL), BB_OK);
    for (int i = 0; i < MANY; i++) {
        char id[24];
        bb_webhook webhook = kinds[0];
        snprintf(id, sizeof(id), "hook %d", i);
        webhook.id = id;
        assert_int_equal(bb_dispatcher_add(dispatcher, &webhook, NULL), BB_OK);
    }
    alloc_fail_each("bb_dispatcher_list", 0, list_once, dispatcher);
    bb_dispatcher_free(dispatcher);
}

int main(void) {
    alloc_hook_openssl();
    alloc_hook_others();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_event_is_read_and_written_wholly_or_not_at_all,
                                  alloc_teardown),
        cmocka_unit_test_teardown(a_request_is_prepared_wholly_or_not_at_all, alloc_teardown),
        cmocka_unit_test_teardown(an_answer_is_judged_rightly_or_not_at_all, alloc_teardown),
        cmocka_unit_test_teardown(no_delivery_is_dead_for_want_of_memory, alloc_teardown),
        cmocka_unit_test_teardown(webhooks_are_added_and_replaced_wholly_or_not_at_all,
                                  alloc_teardown),
        cmocka_unit_test_teardown(webhooks_are_listed_wholly_or_not_at_all, alloc_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
