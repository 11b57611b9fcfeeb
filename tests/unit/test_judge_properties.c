/*
 * What holds of bb_webhook_judge for any answer: what it writes is safe to print
 * and tells no secret, what it asks for is within its limits. The answers are
 * generated from a fixed seed; BB_TEST_SCALE multiplies how many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bb_webhook.h"
#include "support/targets.h"

enum { DAY_MS = 24 * 60 * 60 * 1000, WINDOW = 8, BODY_MAX = 70000 };

/* ---------------------------------------------------------------- generator -- */

typedef uint64_t generator;

static uint32_t below(generator *g, uint32_t limit) { /* xorshift64* */
    *g ^= *g >> 12;
    *g ^= *g << 25;
    *g ^= *g >> 27;
    return (uint32_t)((*g * UINT64_C(2685821657736338717)) >> 33) % limit;
}

static size_t rounds(size_t usual) {
    const char *scale = getenv("BB_TEST_SCALE");
    unsigned long factor = scale ? strtoul(scale, NULL, 10) : 1;
    return usual * (factor ? factor : 1);
}

typedef struct answer {
    int status;
    bb_failure failure;
    int64_t now_ms;
    const char *headers;
    char failure_text[512];
    char body[BODY_MAX];
    size_t length;
} answer;

static void append(answer *a, const char *bytes, size_t n) {
    size_t room = sizeof a->body - a->length;
    n = n < room ? n : room;
    memcpy(a->body + a->length, bytes, n);
    a->length += n;
}

static void append_text(answer *a, const char *text) {
    append(a, text, strlen(text));
}

/* clang-format off */
static const char *const bodies[] = {
    "ok", "1", "no_service", "invalid_blocks", "error code: 1015", "\xEF\xBB\xBF{\"code\":0}",
    "{\"ok\":false,\"error\":\"rate_limited\",\"retry_after\":1}",
    "{\"message\":\"You are being rate limited.\",\"retry_after\":64.57,\"global\":true}",
    "{\"code\":50035,\"message\":\"Invalid Form Body\",\"errors\":{\"embeds\":{\"0\":{}}}}",
    "{\"code\":10015,\"message\":\"Unknown Webhook\"}",
    "{\"error\":{\"code\":\"WorkflowNotFound\",\"message\":\"The workflow could not be found.\"}}",
    "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 "
    "with ContextId tcid=0,server=a,cv=b..",
    "{\"errcode\":0,\"errmsg\":\"ok\"}",
    "{\"errcode\":310000,\"errmsg\":\"description:\xE5\x85\xB3\xE9\x94\xAE\xE8\xAF\x8D\xE4\xB8\x8D"
    "\xE5\x8C\xB9\xE9\x85\x8D;solution:\\u8bf7\\ud83d\\udd37\"}",
    "{\"errcode\":130101,\"errmsg\":\"fast\",\"status\":1111,\"wait\":5,\"punish\":\"deny\"}",
    "{\"errcode\":93000,\"errmsg\":\"invalid webhook url, hint: [1], from ip: 203.0.113.9\"}",
    "{\"code\":9499,\"msg\":\"too many request\",\"data\":{}}",
    "{\"Extra\":null,\"StatusCode\":0,\"StatusMessage\":\"success\"}",
    "{\"code\":\"17\",\"message\":\"quota \\\"x\\\" exceeded\\n\"}",
    "<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head></html>"};
static const char *const pieces[] = {
    "{", "}", "[", "]", "\"", ":", ",", "\\", "\n", "\r", "\t", " ", "0", "-1", "1e999", "0.5",
    "9223372036854775808", "99999999999999999999999999", "null", "true", "false", "\"text\"",
    "\"code\":", "\"errcode\":", "\"errmsg\":", "\"message\":", "\"msg\":", "\"ok\":", "\"error\":",
    "\"retry_after\":", "\"wait\":", "\"punish\":\"deny\"", "\"StatusCode\":", "\"global\":true",
    "HTTP error ", "\\u0000", "\\ud83d", "\\udd37", "\\u202e", "\\n", "\x1b[31m", "\x7f", "\xC2\x85",
    "\xE2\x80\xA8", "\xE2\x80\xAE", "\xE2\x81\xA6", "\xEF\xBB\xBF", "\xE4\xB8\x96",
    "\xF0\x9F\x94\xB7", "\xF0\x9F\x94", "\xE4\xB8", "\xC0\x80", "\xED\xA0\x80", "\xFF", "\x80",
    "<html>", "ok", "long words without an end "};
/* clang-format on */
enum { BODIES = sizeof bodies / sizeof *bodies, PIECES = sizeof pieces / sizeof *pieces };

static void mutate(generator *g, answer *a) {
    for (uint32_t n = below(g, 4); n > 0 && a->length > 0; n--)
        a->body[below(g, (uint32_t)a->length)] = (char)below(g, 256);
}

static void make_body(generator *g, answer *a) {
    a->length = 0;
    if (below(g, 2))
        append_text(a, bodies[below(g, BODIES)]);
    else
        for (uint32_t n = below(g, 40); n > 0; n--)
            append_text(a, pieces[below(g, PIECES)]);
    if (below(g, 100) == 0)
        while (a->length < BODY_MAX)
            append_text(a, pieces[below(g, PIECES)]);
    mutate(g, a);
    if (below(g, 3) == 0)
        a->length = below(g, (uint32_t)a->length + 1);
}

static void make_answer(generator *g, answer *a) {
    /* clang-format off */
    static const int statuses[] = {
        0, -1, 99, 100, 200, 200, 200, 200, 201, 202, 204, 299, 301, 304, 400, 400, 401, 403, 404,
        405, 408, 410, 413, 425, 429, 429, 429, 500, 502, 503, 504, 599, 600, 999, INT32_MAX};
    static const char *const headers[] = {
        NULL, "", ":", "\r\n\r\n", "Retry-After", "Retry-After:", "Retry-After: 0\r\n",
        "Retry-After: 9223372036854775807\r\n", "Retry-After: -9223372036854775808\r\n",
        "Retry-After: 1e308\n", "Retry-After: nan", "Retry-After: inf", "retry-after:0.0001",
        "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\n",
        "Retry-After: Thu, 01 Jan 1970 00:00:00 GMT\r\n",
        "X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset-After: 1e300\r\nX-RateLimit-Global: true\r\n",
        "X-RateLimit-Remaining: 0\nX-RateLimit-Reset-After: 0.001\nX-RateLimit-Scope: global\n",
        "\xff\xfe: \x80\nRetry-After: 5\xff\n"};
    /* clang-format on */
    static const int64_t times[] = {0, 1, 1767323045000, 253402300799000, INT64_MAX, -1, INT64_MIN};
    memset(a, 0, offsetof(answer, body));
    a->status = statuses[below(g, sizeof statuses / sizeof *statuses)];
    a->headers = headers[below(g, sizeof headers / sizeof *headers)];
    a->now_ms = times[below(g, sizeof times / sizeof *times)];
    make_body(g, a);
    if (below(g, 8) == 0) {
        a->failure = (bb_failure)(1 + below(g, BB_FAILURE_CREDENTIALS));
        for (uint32_t n = below(g, 6); n > 0; n--)
            strcat(a->failure_text, pieces[below(g, PIECES)]);
    }
}

/* --------------------------------------------------------------- properties -- */

static size_t code_point(const unsigned char *s, uint32_t *cp) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = s[0] < 0x80 ? 1 : s[0] < 0xC2 ? 0 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    if (n == 0 || s[0] > 0xF4)
        return 0;
    *cp = n == 1 ? s[0] : s[0] & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
        *cp = *cp << 6 | (s[i] & 0x3Fu);
    }
    bool surrogate = *cp >= 0xD800 && *cp <= 0xDFFF;
    return *cp < least[n] || *cp > 0x10FFFF || surrogate ? 0 : n;
}

/* Whatever ends a line, moves a cursor, or reorders or hides what follows. */
static bool is_unsafe(uint32_t cp) {
    return cp < 0x20 || (cp >= 0x7F && cp <= 0x9F) || cp == 0x2028 || cp == 0x2029 ||
           cp == 0x200B || cp == 0x2060 || cp == 0xFEFF || (cp >= 0x202A && cp <= 0x202E) ||
           (cp >= 0x2066 && cp <= 0x2069);
}

static void check_text(const char *what, const char *text, size_t size) {
    assert_non_null(memchr(text, '\0', size));
    size_t n;
    for (const char *at = text; *at; at += n) {
        uint32_t cp = 0;
        n = code_point((const unsigned char *)at, &cp);
        if (n == 0)
            fail_msg("%s is not UTF-8 from byte %td: \"%s\"", what, at - text, text);
        if (is_unsafe(cp))
            fail_msg("%s holds U+%04X: \"%s\"", what, (unsigned)cp, text);
    }
}

static void check_outcome(const bb_outcome *outcome) {
    int64_t wait = outcome->retry_after_ms;
    assert_in_range(outcome->verdict, BB_DELIVERED, BB_UNKNOWN);
    assert_in_range(outcome->advice, 0, BB_ADVICE_DISABLE);
    if (wait != 0 && (wait < 1000 || wait > DAY_MS))
        fail_msg("retry_after_ms is %lld", (long long)wait);
    assert_true(outcome->advice != BB_ADVICE_PAUSE || wait > 0);
    assert_true(!outcome->whole_type || outcome->advice == BB_ADVICE_PAUSE);
    assert_true(outcome->advice != BB_ADVICE_DISABLE || outcome->verdict == BB_DEAD);
    check_text("remote_code", outcome->remote_code, sizeof outcome->remote_code);
    check_text("remote_message", outcome->remote_message, sizeof outcome->remote_message);
    check_text("text", outcome->text, sizeof outcome->text);
    assert_true(outcome->text[0] != '\0');
}

/* The body is judged in a block of its own size, so that a sanitizer sees a byte
 * too far, and the outcome begins full of what must not stay. */
static void judge(const target *t, const answer *a, bb_outcome *outcome) {
    char *body = malloc(a->length + !a->length);
    assert_non_null(body);
    memcpy(body, a->body, a->length);
    bb_webhook webhook = target_webhook(t);
    bb_response response = BB_RESPONSE_INIT;
    response.http_status = a->status;
    response.failure = a->failure;
    response.failure_text = a->failure_text;
    response.headers = a->headers;
    response.body = body;
    response.body_length = a->length;
    memset(outcome, 0xA5, sizeof *outcome);
    outcome->struct_size = sizeof *outcome;
    assert_int_equal(bb_webhook_judge(&webhook, &response, a->now_ms, outcome, NULL), BB_OK);
    free(body);
    check_outcome(outcome);
}

static void any_answer_has_one_sound_outcome(void **state) {
    (void)state;
    generator g = 20260102;
    for (size_t i = 0; i < rounds(20000); i++) {
        answer a;
        bb_outcome outcome, again;
        make_answer(&g, &a);
        judge(&targets[i % TARGETS], &a, &outcome);
        judge(&targets[i % TARGETS], &a, &again);
        assert_memory_equal(&outcome, &again, sizeof outcome);
    }
}

static void a_body_may_end_after_any_byte(void **state) {
    (void)state;
    static const int statuses[] = {200, 400, 429};
    for (size_t b = 0; b < BODIES; b++)
        for (size_t t = 0; t < TARGETS; t++)
            for (size_t length = 0; length <= strlen(bodies[b]); length++) {
                answer a = {.status = statuses[length % 3]};
                bb_outcome outcome;
                append(&a, bodies[b], length);
                judge(&targets[t], &a, &outcome);
            }
}

/* ------------------------------------------------------------------ secrets -- */

static void append_spelled(answer *a, spelling how, const char *text) {
    char spelt[8];
    for (; *text; text++)
        append(a, spelt, spell(spelt, *text, how));
}

static void check_no_token(const target *t, const char *what, const char *text) {
    char plain[1024];
    unspell(text, plain);
    for (size_t i = 0; i < TARGET_TOKENS && t->tokens[i]; i++)
        for (size_t at = 0; at + WINDOW <= strlen(t->tokens[i]); at++) {
            char part[WINDOW + 1] = {0};
            memcpy(part, t->tokens[i] + at, WINDOW);
            if (strstr(plain, part))
                fail_msg("%s of %s tells \"%s\": \"%s\"", what, bb_type_name(t->type), part, text);
        }
}

static void check_tells_nothing(const target *t, const answer *a) {
    bb_outcome outcome;
    judge(t, a, &outcome);
    check_no_token(t, "remote_code", outcome.remote_code);
    check_no_token(t, "remote_message", outcome.remote_message);
    check_no_token(t, "text", outcome.text);
}

/* A piece of the webhook that an answer may repeat: the URL, what follows its
 * host, its secret, or one token alone. */
static const char *echoed(generator *g, const target *t) {
    const char *tail = strchr(t->url + strlen("https://"), '/');
    const char *parts[] = {t->url, tail, t->secret ? t->secret : tail, t->tokens[0]};
    return parts[below(g, 4)];
}

static const char *const frames[][2] = {
    {"", ""},
    {"<p>The requested URL ", " was not found on this server.</p>"},
    {"POST ", " HTTP/1.1"},
    {"{\"errcode\":310000,\"errmsg\":\"no robot at ", "\"}"},
    {"{\"code\":19001,\"msg\":\"", "\"}"},
    {"{\"code\":50035,\"message\":\"", " is wrong\"}"},
    {"{\"code\":\"", "\",\"message\":\"x\"}"},
    {"{\"ok\":false,\"error\":\"", "\"}"},
    {"{\"error\":{\"code\":\"", "\",\"message\":\"x\"}}"},
    {"{\"error\":{\"code\":\"NotFound\",\"message\":\"", "\"}}"},
    {"{\"broken\":\"", ""}};

static void make_echo(generator *g, const target *t, answer *a) {
    static const int statuses[] = {200, 204, 302, 400, 401, 403, 404, 410, 429, 500};
    const char *const *frame = frames[below(g, sizeof frames / sizeof *frames)];
    memset(a, 0, offsetof(answer, body));
    a->length = 0;
    a->status = statuses[below(g, sizeof statuses / sizeof *statuses)];
    append_text(a, frame[0]);
    for (uint32_t n = below(g, 2) ? below(g, 620) : 0; n > 0; n--)
        append_text(a, "x");
    append_text(a, below(g, 2) ? " " : "");
    append_spelled(a, (spelling)below(g, SPELLINGS), echoed(g, t));
    append_text(a, below(g, 2) ? " " : "");
    append_text(a, frame[1]);
}

static void every_spelling_is_understood(void **state) {
    (void)state;
    for (int how = 0; how < SPELLINGS; how++) {
        answer a = {0};
        char plain[sizeof a.body];
        append_spelled(&a, (spelling)how, targets[0].url);
        append(&a, "", 1);
        unspell(a.body, plain);
        assert_string_equal(plain, targets[0].url);
    }
}

static void judge_echoes(uint64_t seed, bool whole) {
    generator g = seed;
    for (size_t i = 0; i < rounds(20000); i++) {
        answer a;
        make_echo(&g, &targets[i % TARGETS], &a);
        if (!whole)
            a.length = below(&g, (uint32_t)a.length + 1);
        check_tells_nothing(&targets[i % TARGETS], &a);
    }
}

static void an_answer_that_repeats_a_secret_tells_nothing(void **state) {
    (void)state;
    judge_echoes(3, true);
}

static void an_answer_that_ends_inside_a_secret_tells_nothing(void **state) {
    (void)state;
    judge_echoes(4, false);
}

static void a_failure_that_repeats_a_secret_tells_nothing(void **state) {
    (void)state;
    generator g = 5;
    for (size_t i = 0; i < rounds(2000); i++) {
        const target *t = &targets[i % TARGETS];
        answer a = {.failure = (bb_failure)(1 + below(&g, BB_FAILURE_CREDENTIALS))};
        snprintf(a.failure_text, sizeof a.failure_text, "%*s%s refused", (int)below(&g, 200),
                 "asked for ", echoed(&g, t));
        check_tells_nothing(t, &a);
    }
}

/* -------------------------------------------------------------- struct sizes -- */

static void a_smaller_outcome_is_filled_as_far_as_it_goes(void **state) {
    (void)state;
    static const size_t sizes[] = {offsetof(bb_outcome, remote_code), offsetof(bb_outcome, text)};
    bb_webhook webhook = target_webhook(&targets[0]);
    bb_response response = BB_RESPONSE_INIT;
    response.http_status = 410;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        bb_outcome outcome;
        memset(&outcome, 0xA5, sizeof outcome);
        outcome.struct_size = sizes[i];
        assert_int_equal(bb_webhook_judge(&webhook, &response, 0, &outcome, NULL), BB_OK);
        assert_int_equal(outcome.struct_size, sizes[i]);
        assert_int_equal(outcome.verdict, BB_DEAD);
        assert_int_equal(outcome.advice, BB_ADVICE_DISABLE);
        for (size_t at = sizes[i]; at < sizeof outcome; at++)
            assert_int_equal(((unsigned char *)&outcome)[at], 0xA5);
    }
}

static int judge_sizes(size_t webhook_size, size_t response_size, size_t outcome_size) {
    bb_webhook webhook = target_webhook(&targets[0]);
    bb_response response = BB_RESPONSE_INIT;
    bb_outcome outcome = BB_OUTCOME_INIT;
    webhook.struct_size = webhook_size;
    response.struct_size = response_size;
    response.http_status = 200;
    outcome.struct_size = outcome_size;
    return bb_webhook_judge(&webhook, &response, 0, &outcome, NULL);
}

static void a_struct_size_that_was_not_set_is_refused(void **state) {
    (void)state;
    const size_t w = sizeof(bb_webhook), r = sizeof(bb_response), o = sizeof(bb_outcome);
    assert_int_equal(judge_sizes(w, r, o), BB_OK);
    assert_int_equal(judge_sizes(0, r, o), BB_ERR_STRUCT);
    assert_int_equal(judge_sizes(w, 0, o), BB_ERR_STRUCT);
    assert_int_equal(judge_sizes(w, r, 0), BB_ERR_STRUCT);
}

static void a_newer_struct_is_taken_while_its_tail_is_zero(void **state) {
    (void)state;
    struct {
        bb_response response;
        unsigned char tail[16];
    } newer = {.response = {.struct_size = sizeof newer, .http_status = 500}};
    bb_webhook webhook = target_webhook(&targets[0]);
    bb_outcome outcome = BB_OUTCOME_INIT;
    assert_int_equal(bb_webhook_judge(&webhook, &newer.response, 0, &outcome, NULL), BB_OK);
    assert_int_equal(outcome.verdict, BB_RETRY);
    newer.tail[sizeof newer.tail - 1] = 1;
    assert_int_equal(bb_webhook_judge(&webhook, &newer.response, 0, &outcome, NULL), BB_ERR_STRUCT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_answer_has_one_sound_outcome),
        cmocka_unit_test(a_body_may_end_after_any_byte),
        cmocka_unit_test(every_spelling_is_understood),
        cmocka_unit_test(an_answer_that_repeats_a_secret_tells_nothing),
        cmocka_unit_test(an_answer_that_ends_inside_a_secret_tells_nothing),
        cmocka_unit_test(a_failure_that_repeats_a_secret_tells_nothing),
        cmocka_unit_test(a_smaller_outcome_is_filled_as_far_as_it_goes),
        cmocka_unit_test(a_struct_size_that_was_not_set_is_refused),
        cmocka_unit_test(a_newer_struct_is_taken_while_its_tail_is_zero),
    };
    return cmocka_run_group_tests_name("judge properties", tests, NULL, NULL);
}
