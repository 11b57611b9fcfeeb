/*
 * An answer like the last success need not be read again. Whatever was answered before, the
 * verdict is the one that reading it would give: each pair of answers of each type is judged both
 * ways.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "delivery/outcome.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

typedef struct given {
    int status;
    const char *headers;
    const char *body;
} given;

static const given answers[] = {
    {200, "", "ok"},
    {200, "Retry-After: 7\r\n", "ok"},
    {429, "Retry-After: 7\r\n", "ok"},
    {404, "", "ok"},
    {200, "", "okay"},
    {200, "", ""},
    {204, "X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset-After: 3\r\n", ""},
    {204, "", ""},
    {202, "", ""},
    {200, "", "1"},
    {202, "", "1"},
    {200, "", "{\"code\":0,\"message\":\"ok\"}"},
    {200, "retry-after: 5\r\n", "{\"code\":0,\"message\":\"ok\"}"},
    {201, "", "{\"code\":0,\"message\":\"ok\"}"},
    {200, "", "{\"code\":1,\"message\":\"ok\"}"},
    {200, "", "{\"errcode\":0,\"errmsg\":\"ok\"}"},
    {200, "", "{\"errcode\":310000,\"errmsg\":\"x\"}"},
    {200, "", "{\"errcode\":0,\"punish\":\"x\",\"wait\":9}"},
    {200, "", "{\"code\":0,\"msg\":\"a success whose words are longer than what is kept of it\"}"},
};

static const bb_type types[] = {BB_SLACK,  BB_DISCORD, BB_TEAMS, BB_DINGTALK,
                                BB_FEISHU, BB_WECOM,   BB_CUSTOM};

static bb_outcome judge(const bb_webhook *webhook, const given *answer,
                        struct bb_known_successes *known) {
    struct bb_arena arena;
    bb_outcome outcome;
    bb_response response = BB_RESPONSE_INIT;
    response.http_status = answer->status;
    response.headers = answer->headers;
    response.body = answer->body;
    response.body_length = strlen(answer->body);
    struct bb_exchange exchange = {
        .webhook = webhook, .host = "", .response = &response, .now_ms = 1, .known = known};
    bb_arena_init(&arena, &bb_mem_default);
    bb_outcome_judge(&arena, &exchange, &outcome);
    bb_arena_free(&arena);
    return outcome;
}

static bb_webhook webhook_of(bb_type type, bool allow_any_2xx) {
    bb_webhook webhook = BB_WEBHOOK_INIT;
    webhook.type = type;
    webhook.name = "room";
    webhook.url = "https://receiver.example/hook";
    webhook.allow_any_2xx = allow_any_2xx;
    return webhook;
}

static void assert_alike(const bb_outcome *a, const bb_outcome *b) {
    assert_int_equal(a->verdict, b->verdict);
    assert_int_equal(a->advice, b->advice);
    assert_int_equal(a->http_status, b->http_status);
    assert_int_equal(a->whole_type, b->whole_type);
    assert_int_equal(a->retry_after_ms, b->retry_after_ms);
    if (a->verdict != BB_DELIVERED || a->advice)
        assert_string_equal(a->text, b->text);
}

static void judge_pair(bb_type type, const given *first, const given *second, unsigned settings) {
    struct bb_known_successes known = {0};
    bb_webhook before = webhook_of(type, settings & 1), after = webhook_of(type, settings & 2);
    judge(&before, first, &known);
    bb_outcome anew = judge(&after, second, NULL), quick = judge(&after, second, &known);
    assert_alike(&quick, &anew);
}

static void what_was_answered_before_changes_no_verdict(void **state) {
    (void)state;
    for (size_t type = 0; type < COUNT(types); type++)
        for (size_t i = 0; i < COUNT(answers); i++)
            for (size_t j = 0; j < COUNT(answers); j++)
                for (unsigned settings = 0; settings < 4; settings++)
                    judge_pair(types[type], &answers[i], &answers[j], settings);
}

static void the_same_success_is_not_read_again(void **state) {
    (void)state;
    struct bb_known_successes known = {0};
    bb_webhook webhook = webhook_of(BB_CUSTOM, false);
    const given success = {200, "", "{\"code\":0,\"message\":\"ok\"}"};
    assert_string_equal(judge(&webhook, &success, &known).remote_message, "ok");
    bb_outcome again = judge(&webhook, &success, &known);
    assert_int_equal(again.verdict, BB_DELIVERED);
    assert_string_equal(again.remote_message, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_answered_before_changes_no_verdict),
        cmocka_unit_test(the_same_success_is_not_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
