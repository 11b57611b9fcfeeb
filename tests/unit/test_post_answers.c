/* Whole answers on their way through the wire: each is one request, judged by status and body
 * together. The answer tables themselves are tested without a network. */
#include "support/posting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

typedef struct told {
    bb_type type;
    int status;
    const char *body;
    bb_verdict verdict;
    bb_advice advice;
    const char *code; /* the remote one; NULL: not looked at */
    int connector;    /* Teams: the old one */
} told;

#define TEAMS_ERROR "Webhook message delivery failed with error: Microsoft Teams endpoint returned "

static const told tellings[] = {
    {BB_SLACK, 200, "ok", BB_DELIVERED, 0, NULL, 0},
    {BB_SLACK, 200, "{\"ok\":true}", BB_DELIVERED, 0, NULL, 0},
    {BB_SLACK, 200, "{\"ok\":false,\"error\":\"x\"}", BB_DEAD, 0, "x", 0},
    {BB_SLACK, 200, "invalid_payload", BB_DEAD, 0, NULL, 0},
    {BB_SLACK, 200, "<html>Sign in</html>", BB_DEAD, 0, NULL, 0},
    {BB_SLACK, 200, "", BB_DEAD, 0, NULL, 0},
    {BB_SLACK, 400, "no_text", BB_DEAD, 0, "no_text", 0},
    {BB_SLACK, 403, "invalid_token", BB_DEAD, BB_ADVICE_DISABLE, "invalid_token", 0},
    {BB_SLACK, 400, "", BB_DEAD, 0, NULL, 0},
    {BB_SLACK, 403, "", BB_DEAD, 0, NULL, 0},
    {BB_SLACK, 429, "", BB_RETRY, 0, NULL, 0},
    {BB_SLACK, 500, "", BB_RETRY, 0, NULL, 0},
    {BB_SLACK, 502, "<html>", BB_RETRY, 0, NULL, 0},
    {BB_SLACK, 503, "", BB_RETRY, 0, NULL, 0},
    {BB_SLACK, 504, "", BB_RETRY, 0, NULL, 0},
    {BB_DISCORD, 204, NULL, BB_DELIVERED, 0, NULL, 0},
    {BB_DISCORD, 200, "{\"id\":\"1\"}", BB_DELIVERED, 0, NULL, 0},
    {BB_DISCORD, 400, "{\"code\":50035,\"message\":\"Invalid Form Body\"}", BB_DEAD, 0, "50035", 0},
    {BB_DISCORD, 404, "{\"code\":10015,\"message\":\"Unknown Webhook\"}", BB_DEAD,
     BB_ADVICE_DISABLE, "10015", 0},
    {BB_TEAMS, 202, "", BB_DELIVERED, 0, NULL, 0},
    {BB_TEAMS, 200, "", BB_DELIVERED, 0, NULL, 0},
    {BB_TEAMS, 200, "1", BB_DELIVERED, 0, NULL, 1},
    {BB_TEAMS, 200, TEAMS_ERROR "HTTP error 413 with ContextId x", BB_DEAD, 0, NULL, 1},
    {BB_TEAMS, 200, TEAMS_ERROR "HTTP error 429 with ContextId x", BB_RETRY, 0, NULL, 1},
    {BB_DINGTALK, 200, "{\"errcode\":0,\"errmsg\":\"ok\"}", BB_DELIVERED, 0, NULL, 0},
    {BB_DINGTALK, 200, "{\"errcode\":310000,\"errmsg\":\"keywords not in content\"}", BB_DEAD,
     BB_ADVICE_OPERATOR, "310000", 0},
    {BB_DINGTALK, 200, "{\"errcode\":130101,\"errmsg\":\"send too fast\"}", BB_RETRY,
     BB_ADVICE_PAUSE, "130101", 0},
    {BB_FEISHU, 200, "{\"StatusCode\":0,\"StatusMessage\":\"success\"}", BB_DELIVERED, 0, NULL, 0},
    {BB_FEISHU, 200, "{\"neither\":0}", BB_DEAD, 0, NULL, 0},
    {BB_FEISHU, 400, "{\"code\":9499,\"msg\":\"too many request\"}", BB_RETRY, 0, "9499", 0},
    {BB_FEISHU, 200, "{\"code\":9499,\"msg\":\"Bad Request\"}", BB_DEAD, 0, "9499", 0},
    {BB_WECOM, 200, "{\"errcode\":0,\"errmsg\":\"ok\"}", BB_DELIVERED, 0, NULL, 0},
    {BB_WECOM, 200, "{\"errcode\":40058,\"errmsg\":\"exceed max length\"}", BB_DEAD, 0, "40058", 0},
    {BB_WECOM, 200, "{\"errcode\":45009,\"errmsg\":\"api freq out of limit\"}", BB_RETRY,
     BB_ADVICE_PAUSE, "45009", 0},
    {BB_WECOM, 200, "{\"errcode\":93000,\"errmsg\":\"invalid webhook url\"}", BB_DEAD,
     BB_ADVICE_DISABLE, "93000", 0},
    {BB_CUSTOM, 200, "{\"code\":0}", BB_DELIVERED, 0, NULL, 0},
    {BB_CUSTOM, 200, "{\"code\":7,\"message\":\"no\"}", BB_DEAD, 0, "7", 0},
    {BB_CUSTOM, 204, NULL, BB_DEAD, 0, NULL, 0},
    {BB_CUSTOM, 400, "", BB_DEAD, 0, NULL, 0},
    {BB_CUSTOM, 401, "", BB_DEAD, 0, NULL, 0},
    {BB_CUSTOM, 404, "", BB_DEAD, 0, NULL, 0},
    {BB_CUSTOM, 408, "", BB_RETRY, 0, NULL, 0},
    {BB_CUSTOM, 410, "", BB_DEAD, BB_ADVICE_DISABLE, NULL, 0},
    {BB_CUSTOM, 425, "", BB_RETRY, 0, NULL, 0},
    {BB_CUSTOM, 500, "", BB_RETRY, 0, NULL, 0},
};
enum { TELLINGS = sizeof(tellings) / sizeof(tellings[0]) };

static void id_of(size_t index, char id[32], char path[40]) {
    snprintf(id, 32, "%s%zu", bb_type_name(tellings[index].type), index);
    snprintf(path, 40, "/%s", id);
}

static void add_telling(world *w, size_t index) {
    const told *t = &tellings[index];
    char id[32];
    char path[40];
    id_of(index, id, path);
    server_on(w->receiver, path, STEPS({.status = t->status, .body = t->body}));
    bb_webhook hook = posting_hook(t->type, id, server_url(w->receiver, path));
    hook.teams_connector = t->connector;
    assert_int_equal(bb_dispatcher_add(w->dispatcher, &hook, NULL), BB_OK);
}

static void assert_telling(const bb_attempt_report *row, const told *t) {
    const bb_outcome *outcome = row->outcome;
    posting_assert_row(row, t->verdict, 1);
    assert_int_equal(outcome->http_status, t->status);
    assert_int_equal(row->attempt, 1);
    if (outcome->advice != t->advice)
        fail_msg("%s: advice %s", row->webhook_id, bb_advice_name(outcome->advice));
    if (t->code != NULL)
        assert_string_equal(outcome->remote_code, t->code);
}

/* All in one post, so that each is also the others' neighbour. */
static void every_answer_is_one_request_and_judged_by_itself(void **state) {
    world *w = *state;
    for (size_t i = 0; i < TELLINGS; i++)
        add_telling(w, i);
    bb_report *report = posting_send(w->dispatcher);
    assert_int_equal(bb_report_count(report), TELLINGS);
    size_t undelivered = 0;
    for (size_t i = 0; i < TELLINGS; i++) {
        char id[32];
        char path[40];
        id_of(i, id, path);
        assert_telling(posting_row(report, id), &tellings[i]);
        undelivered += tellings[i].verdict != BB_DELIVERED;
    }
    assert_int_equal(bb_report_undelivered(report), undelivered);
    assert_int_equal(server_requests(w->receiver), TELLINGS);
    bb_report_free(report);
}

static void any_2xx_will_do_where_it_is_allowed(void **state) {
    world *w = *state;
    bb_webhook hook = posting_hook(BB_CUSTOM, "hook", server_url(w->receiver, "/hook"));
    hook.allow_any_2xx = 1;
    assert_int_equal(bb_dispatcher_add(w->dispatcher, &hook, NULL), BB_OK);
    server_on(
        w->receiver, "/hook",
        STEPS({.status = 204}, {.status = 201, .body = "made"}, {.status = 302}, {.status = 400}));
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DEAD, 1);
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DEAD, 1);
    assert_int_equal(server_requests(w->receiver), 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_WORLD(every_answer_is_one_request_and_judged_by_itself),
        WITH_WORLD(any_2xx_will_do_where_it_is_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
