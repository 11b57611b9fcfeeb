#include "endpoint/answer.h"

#include <string.h>

#include "base/text.h"
#include "base/url.h"

enum { MIN_WAIT_MS = 1000, MAX_WAIT_MS = 24 * 60 * 60 * 1000 };

/* ---- outcomes ---- */

static void set_wait(bb_outcome *outcome, int64_t wait_ms) {
    if (wait_ms <= 0)
        return;
    outcome->retry_after_ms = wait_ms < MIN_WAIT_MS   ? MIN_WAIT_MS
                              : wait_ms > MAX_WAIT_MS ? MAX_WAIT_MS
                                                      : wait_ms;
    outcome->advice = BB_ADVICE_PAUSE;
}

void bb_outcome_act(bb_outcome *outcome, enum bb_action action, int64_t wait_ms) {
    switch (action) {
    case BB_ACT_DELIVERED:
        outcome->verdict = BB_DELIVERED;
        break;
    case BB_ACT_RETRY:
        outcome->verdict = BB_RETRY;
        break;
    case BB_ACT_RETRY_OPERATOR:
        outcome->verdict = BB_RETRY;
        outcome->advice = BB_ADVICE_OPERATOR;
        return;
    case BB_ACT_OPERATOR:
        outcome->verdict = BB_DEAD;
        outcome->advice = BB_ADVICE_OPERATOR;
        return;
    case BB_ACT_DISABLE:
        outcome->verdict = BB_DEAD;
        outcome->advice = BB_ADVICE_DISABLE;
        return;
    case BB_ACT_DROP:
        outcome->verdict = BB_DEAD;
        return;
    }
    set_wait(outcome, wait_ms);
}

static void quote(char *out, size_t size, const struct bb_answer *answer, const char *text) {
    const char *clean = text ? bb_redact(answer->secrets, text) : NULL;
    bb_text_copy(out, size, clean ? clean : "");
    bb_text_safe(out);
}

void bb_outcome_quote(bb_outcome *outcome, const struct bb_answer *answer, const char *code,
                      const char *words) {
    quote(outcome->remote_code, sizeof outcome->remote_code, answer, code);
    quote(outcome->remote_message, sizeof outcome->remote_message, answer, words);
}

/* ---- rules ---- */

bool bb_contains(const char *text, const char *part) {
    for (; text && *text; text++)
        if (bb_text_begins_like(text, part))
            return true;
    return false;
}

static bool fits(const struct bb_rule *rule, int status, const char *code, const char *words) {
    bool is_status = rule->status == 0 || rule->status == status ||
                     (rule->status == BB_ANY_2XX && status / 100 == 2);
    return is_status && (!rule->code || (code && bb_text_is_like(rule->code, code))) &&
           (!rule->words || bb_contains(words, rule->words));
}

bool bb_answer_apply(const struct bb_answer *answer, const struct bb_rule *rules, const char *code,
                     const char *words, bb_outcome *outcome) {
    for (; rules->action; rules++) {
        if (!fits(rules, answer->status, code, words))
            continue;
        int64_t stated = bb_answer_retry_after_ms(answer), least = (int64_t)rules->wait_s * 1000;
        bb_outcome_act(outcome, rules->action, stated > least ? stated : least);
        return true;
    }
    return false;
}

static bool is_passing(int status) {
    return status == 408 || status == 425 || status == 429 || status >= 500;
}

void bb_answer_apply_status(const struct bb_answer *answer, bb_outcome *outcome) {
    if (is_passing(answer->status))
        bb_outcome_act(outcome, BB_ACT_RETRY, bb_answer_retry_after_ms(answer));
    else
        bb_outcome_act(outcome, answer->status == 410 ? BB_ACT_DISABLE : BB_ACT_DROP, 0);
}

void bb_answer_apply_body(const struct bb_answer *answer, const struct bb_rule *rules,
                          const char *code_name, const char *words_name, bb_outcome *outcome) {
    const char *code = bb_answer_code(answer, bb_json_get(answer->json, code_name));
    const char *words = bb_json_text(bb_json_get(answer->json, words_name));
    bb_outcome_quote(outcome, answer, code, words || code ? words : answer->text);
    if (!bb_answer_apply(answer, rules, code, words, outcome))
        bb_answer_apply_status(answer, outcome);
}

/* ---- parts of an answer ---- */

static const char *trimmed_copy(struct bb_arena *arena, const char *from, size_t n) {
    char *value = bb_arena_copy(arena, from, n);
    return bb_text_trim(value);
}

const char *bb_answer_header(const struct bb_answer *answer, const char *name) {
    size_t length = strlen(name);
    for (const char *line = answer->headers; *line;) {
        size_t n = strcspn(line, "\r\n");
        if (n > length && line[length] == ':' && bb_text_begins_like(line, name))
            return trimmed_copy(answer->arena, line + length + 1, n - length - 1);
        line += n;
        while (*line == '\r' || *line == '\n')
            line++;
    }
    return NULL;
}

/* By hand, because strtod obeys the process's locale. Digits beyond what a day
 * needs are saturated. */
int64_t bb_seconds_to_ms(const char *text) {
    int64_t ms = 0, unit = 1000;
    bool any = false;
    if (!text)
        return 0;
    for (; *text >= '0' && *text <= '9'; text++, any = true)
        ms = ms < MAX_WAIT_MS ? ms * 10 + (*text - '0') * 1000 : ms;
    if (!any)
        return 0;
    if (*text == '.') {
        for (text++; *text >= '0' && *text <= '9'; text++) {
            unit /= 10;
            ms += unit ? (*text - '0') * unit : 0;
            if (!unit && *text > '0') {
                ms++;
                break;
            }
        }
        text += strspn(text, "0123456789");
    }
    if (*text)
        return 0;
    return ms > 0 ? ms : 1;
}

int64_t bb_answer_retry_after_ms(const struct bb_answer *answer) {
    const char *value = bb_answer_header(answer, "Retry-After");
    if (!value || !*value)
        return 0;
    if (*value >= '0' && *value <= '9' && strspn(value, "0123456789.") == strlen(value))
        return bb_seconds_to_ms(value);
    int64_t date = bb_url_date(value), now = answer->now_ms / 1000;
    if (date < 0 || *value == '-' || *value == '+')
        return 0;
    if (date <= now)
        return 1; /* it has passed: the shortest wait */
    return date - MAX_WAIT_MS / 1000 > now ? MAX_WAIT_MS : date * 1000 - answer->now_ms;
}

const char *bb_answer_code(const struct bb_answer *answer, const struct bb_value *value) {
    int64_t number;
    double fraction;
    if (bb_json_text(value))
        return bb_json_text(value);
    if (bb_json_int64(value, &number))
        return bb_text_integer(answer->arena, number);
    if (bb_json_number(value, &fraction))
        return bb_arena_print(answer->arena, "%g", fraction);
    return NULL;
}
