/*
 * The providers' answers, one line each in tests/answers/<file>.jsonl, and what
 * each must mean. A line is a JSON object:
 *
 *   case         its name, unique in the file
 *   webhook      {type, url?, secret?, teams_connector?, allow_any_2xx?}
 *   status       HTTP status; or failure: "resolve", ... (with failure_text?)
 *   headers?     as bb_response.headers; dates in them are relative to now_ms
 *   body?        text; or body_hex: bytes
 *   verdict, advice ("" for none), retry_after_ms (exact, or {min, max}),
 *   whole_type   what the outcome must be
 *   remote_code?, remote_message_contains?, text_contains? (one or a list)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "bb_webhook.h"

static const int64_t now_ms = 1767323045000; /* 2026-01-02T03:04:05Z */
static const char webhook_name[] = "ops room";

typedef struct answer_file {
    const char *name;
    size_t least; /* lines: an emptied or shortened file must not pass */
} answer_file;

typedef struct answer_case {
    const char *file;
    const char *name;
    const cJSON *line;
    size_t wrong;
} answer_case;

__attribute__((format(printf, 2, 3))) static void wrong(answer_case *c, const char *format, ...) {
    char why[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    print_error("%s.jsonl: %s: %s\n", c->file, c->name, why);
    c->wrong++;
}

/* ---------------------------------------------------------------- reading -- */

static const char *text_of(const cJSON *object, const char *member) {
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, member));
}

static int number_of(const cJSON *object, const char *member) {
    const cJSON *found = cJSON_GetObjectItemCaseSensitive(object, member);
    return cJSON_IsNumber(found) ? found->valueint : 0;
}

static int truth_of(const cJSON *object, const char *member) {
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, member));
}

static char *read_whole(const char *file) {
    char path[1024];
    snprintf(path, sizeof path, "%s/answers/%s.jsonl", TESTS_DIR, file);
    FILE *stream = fopen(path, "rb");
    if (!stream)
        fail_msg("cannot open %s", path);
    assert_int_equal(fseek(stream, 0, SEEK_END), 0);
    long size = ftell(stream);
    assert_true(size > 0);
    rewind(stream);
    char *text = malloc((size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)size, stream), (size_t)size);
    text[size] = '\0';
    fclose(stream);
    return text;
}

static unsigned char hex_digit(char digit) {
    static const char digits[] = "0123456789abcdef";
    const char *found = digit ? strchr(digits, digit) : NULL;
    assert_non_null(found);
    return (unsigned char)(found - digits);
}

/* A block of exactly the body's size, so that a sanitizer sees a byte too far. */
static char *body_of(const cJSON *line, size_t *length) {
    const char *text = text_of(line, "body");
    const char *hex = text_of(line, "body_hex");
    *length = hex ? strlen(hex) / 2 : text ? strlen(text) : 0;
    char *body = malloc(*length ? *length : 1);
    assert_non_null(body);
    for (size_t i = 0; hex && i < *length; i++)
        body[i] = (char)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
    if (text)
        memcpy(body, text, *length);
    return body;
}

static bb_failure failure_of(const cJSON *line) {
    static const char *const names[] = {
        "",           "resolve", "connect", "tls", "certificate", "refused_address", "not_started",
        "answer_lost"};
    const char *name = text_of(line, "failure");
    for (int i = 1; name && i <= BB_FAILURE_ANSWER_LOST; i++)
        if (strcmp(names[i], name) == 0)
            return (bb_failure)i;
    assert_null(name);
    return (bb_failure)0;
}

static const char *usual_url(bb_type type) {
    switch (type) {
    case BB_SLACK:
        return "https://hooks.slack.com/services/T0CANARY/B0CANARY/canarycanarycanary";
    case BB_DISCORD:
        return "https://discord.com/api/webhooks/110000000000000001/canarycanarycanary";
    case BB_TEAMS:
        return "https://default0.aa.environment.api.powerplatform.com:443/powerautomate/"
               "automations/"
               "direct/workflows/0123456789abcdef/triggers/manual/paths/invoke?api-version=1"
               "&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=canarycanarycanary";
    case BB_DINGTALK:
        return "https://oapi.dingtalk.com/robot/send?access_token="
               "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    case BB_FEISHU:
        return "https://open.feishu.cn/open-apis/bot/v2/hook/canary00-1111-2222-3333-444444444444";
    case BB_WECOM:
        return "https://qyapi.weixin.qq.com/cgi-bin/webhook/send"
               "?key=canary00-1111-2222-3333-444444444444";
    case BB_CUSTOM:
        return "https://hooks.example.com/bb/canarycanarycanary";
    }
    return NULL;
}

static bb_webhook webhook_of(const cJSON *line) {
    const cJSON *settings = cJSON_GetObjectItemCaseSensitive(line, "webhook");
    bb_webhook webhook = BB_WEBHOOK_INIT;
    webhook.name = webhook_name;
    webhook.activities = BB_ACTIVITY_ALL;
    webhook.type = bb_type_from_name(text_of(settings, "type"));
    webhook.url = text_of(settings, "url");
    if (!webhook.url)
        webhook.url = usual_url(webhook.type);
    webhook.secret = text_of(settings, "secret");
    webhook.teams_connector = truth_of(settings, "teams_connector");
    webhook.allow_any_2xx = truth_of(settings, "allow_any_2xx");
    return webhook;
}

/* ------------------------------------------------------------ expectations -- */

static void check_name(answer_case *c, const char *member, const char *is) {
    const char *wanted = text_of(c->line, member);
    if (!wanted)
        wrong(c, "the line has no %s", member);
    else if (strcmp(is, wanted) != 0)
        wrong(c, "%s is \"%s\", wanted \"%s\"", member, is, wanted);
}

static void check_wait(answer_case *c, int64_t is) {
    const cJSON *wanted = cJSON_GetObjectItemCaseSensitive(c->line, "retry_after_ms");
    int64_t least = number_of(c->line, "retry_after_ms");
    int64_t most = least;
    if (cJSON_IsObject(wanted)) {
        least = number_of(wanted, "min");
        most = number_of(wanted, "max");
    } else if (!cJSON_IsNumber(wanted)) {
        wrong(c, "the line has no retry_after_ms");
    }
    if (is < least || is > most)
        wrong(c, "retry_after_ms is %lld, wanted %lld to %lld", (long long)is, (long long)least,
              (long long)most);
}

static void check_part(answer_case *c, const char *what, const char *is, const cJSON *part) {
    const char *wanted = cJSON_GetStringValue(part);
    if (!wanted)
        wrong(c, "%s is wanted to contain what is no string", what);
    else if (!strstr(is, wanted))
        wrong(c, "%s \"%s\" lacks \"%s\"", what, is, wanted);
}

static void check_parts(answer_case *c, const char *what, const char *member, const char *is) {
    const cJSON *wanted = cJSON_GetObjectItemCaseSensitive(c->line, member);
    const cJSON *part;
    if (cJSON_IsArray(wanted))
        cJSON_ArrayForEach(part, wanted) check_part(c, what, is, part);
    else if (wanted)
        check_part(c, what, is, wanted);
}

static void check_outcome(answer_case *c, const bb_outcome *outcome) {
    check_name(c, "verdict", bb_verdict_name(outcome->verdict));
    check_name(c, "advice", bb_advice_name(outcome->advice));
    check_wait(c, outcome->retry_after_ms);
    if (!!outcome->whole_type != number_of(c->line, "whole_type"))
        wrong(c, "whole_type is %d", outcome->whole_type);
    if (outcome->http_status != number_of(c->line, "status"))
        wrong(c, "http_status is %d", outcome->http_status);
    if (cJSON_HasObjectItem(c->line, "remote_code"))
        check_name(c, "remote_code", outcome->remote_code);
    check_parts(c, "remote_message", "remote_message_contains", outcome->remote_message);
    check_parts(c, "text", "text_contains", outcome->text);
    if (!strstr(outcome->text, webhook_name))
        wrong(c, "text \"%s\" does not name the webhook", outcome->text);
}

/* A misspelt member would be an expectation that is never looked at. */
static void check_members(answer_case *c) {
    static const char *const known[] = {"case",         "webhook",
                                        "status",       "failure",
                                        "failure_text", "headers",
                                        "body",         "body_hex",
                                        "verdict",      "advice",
                                        "whole_type",   "retry_after_ms",
                                        "remote_code",  "remote_message_contains",
                                        "text_contains"};
    const cJSON *member;
    cJSON_ArrayForEach(member, c->line) {
        size_t i = 0;
        while (i < sizeof known / sizeof *known && strcmp(known[i], member->string) != 0)
            i++;
        if (i == sizeof known / sizeof *known)
            wrong(c, "unknown member \"%s\"", member->string);
    }
}

/* ------------------------------------------------------------------- tests -- */

static void judge_line(answer_case *c) {
    size_t length;
    char *body = body_of(c->line, &length);
    bb_webhook webhook = webhook_of(c->line);
    bb_response response = BB_RESPONSE_INIT;
    response.http_status = number_of(c->line, "status");
    response.failure = failure_of(c->line);
    response.failure_text = text_of(c->line, "failure_text");
    response.headers = text_of(c->line, "headers");
    response.body = body;
    response.body_length = length;
    bb_outcome outcome = BB_OUTCOME_INIT;
    bb_error error = BB_ERROR_INIT;
    int code = bb_webhook_judge(&webhook, &response, now_ms, &outcome, &error);
    if (code == BB_OK)
        check_outcome(c, &outcome);
    else
        wrong(c, "bb_webhook_judge says %s: %s", bb_code_name(code), error.text);
    free(body);
}

static size_t wrong_in_line(const char *file, const char *text, cJSON *seen) {
    cJSON *line = cJSON_Parse(text);
    const char *name = text_of(line, "case");
    answer_case c = {file, name ? name : text, line, 0};
    if (!name)
        wrong(&c, "the line cannot be read or has no name");
    else if (cJSON_GetObjectItemCaseSensitive(seen, name))
        wrong(&c, "the name is there twice");
    if (name) {
        cJSON_AddTrueToObject(seen, name);
        check_members(&c);
        judge_line(&c);
    }
    cJSON_Delete(line);
    return c.wrong;
}

static void every_answer_means_what_its_line_says(void **state) {
    const answer_file *file = *state;
    char *text = read_whole(file->name);
    cJSON *seen = cJSON_CreateObject();
    size_t lines = 0;
    size_t mistakes = 0;
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1, lines++) {
        *end = '\0';
        mistakes += wrong_in_line(file->name, line, seen);
    }
    cJSON_Delete(seen);
    free(text);
    if (mistakes)
        fail_msg("%zu mismatches in %s.jsonl", mistakes, file->name);
    if (lines < file->least)
        fail_msg("%s.jsonl has %zu lines, %zu at least are wanted", file->name, lines, file->least);
}

int main(void) {
    static answer_file files[] = {
        {"slack", 116},          {"discord", 123},  {"teams_workflow", 70},
        {"teams_connector", 86}, {"dingtalk", 129}, {"feishu", 110},
        {"wecom", 97},           {"custom", 176},   {"transport", 116}};
    enum { FILES = sizeof files / sizeof *files };
    struct CMUnitTest tests[FILES];
    memset(tests, 0, sizeof tests);
    for (size_t i = 0; i < FILES; i++) {
        tests[i].name = files[i].name;
        tests[i].test_func = every_answer_means_what_its_line_says;
        tests[i].initial_state = &files[i];
    }
    return cmocka_run_group_tests_name("answers", tests, NULL, NULL);
}
