/* Reading an answer: what all kinds share, and rules as rows of a table. */
#ifndef BB_ENDPOINT_ANSWER_H
#define BB_ENDPOINT_ANSWER_H

#include "base/json.h"
#include "endpoint/redact.h"

struct bb_answer {
    int status;
    const char *host;            /* that was asked; "" when it is not known */
    const char *headers;         /* "Name: value" lines; never NULL */
    const char *text;            /* the body's beginning: repaired, one line, trimmed */
    bool is_whole;               /* false: `text` is not all of the body */
    const struct bb_value *json; /* the body, NULL when it is no JSON object */
    int64_t now_ms;
    struct bb_secrets *secrets; /* taken out of what is quoted */
    struct bb_arena *arena;
};

/* What a row says: endpoints' documentation knows five things to do. */
enum bb_action {
    BB_ACT_DELIVERED = 1,
    BB_ACT_DROP,     /* this message is dead */
    BB_ACT_OPERATOR, /* so is each until somebody mends the settings */
    BB_ACT_DISABLE,  /* the webhook is gone */
    BB_ACT_RETRY,
    BB_ACT_RETRY_OPERATOR /* may pass by itself, but somebody should look */
};

enum { BB_ANY_2XX = 2 };

/* The first row that fits says what to do. */
struct bb_rule {
    int status;        /* 0: any; BB_ANY_2XX */
    const char *code;  /* the provider's, whole, case ignored; NULL: any */
    const char *words; /* must be in its message, case ignored; NULL: any */
    enum bb_action action;
    int wait_s; /* for BB_ACT_RETRY, the least wait by the provider's rules */
};

/* Ends a table. */
#define BB_RULE_END                                                                                \
    { 0, NULL, NULL, 0, 0 }

/* Sets the outcome by the first row that fits; false when none does. */
bool bb_answer_apply(const struct bb_answer *answer, const struct bb_rule *rules, const char *code,
                     const char *words, bb_outcome *outcome);

/* For products that answer {code: 0, words: "ok"}: quotes both members, then sets
 * the outcome by the first row that fits, or else by the HTTP status. */
void bb_answer_apply_body(const struct bb_answer *answer, const struct bb_rule *rules,
                          const char *code_name, const char *words_name, bb_outcome *outcome);

/* Sets the outcome by the HTTP status alone: 408, 425, 429 and 5xx are retried,
 * 410 disables, everything else is dead, 2xx too (the body was not understood). */
void bb_answer_apply_status(const struct bb_answer *answer, bb_outcome *outcome);

/* `wait_ms` 0: none was stated. It is kept within 1 s and 24 h. */
void bb_outcome_act(bb_outcome *outcome, enum bb_action action, int64_t wait_ms);

/* Quotes the provider's code and words (either may be NULL): without the
 * webhook's secrets, safe to print, as much as there is room for. */
void bb_outcome_quote(bb_outcome *outcome, const struct bb_answer *answer, const char *code,
                      const char *words);

/* A header's value, trimmed; NULL when it is not there. */
const char *bb_answer_header(const struct bb_answer *answer, const char *name);

/* The wait that Retry-After states, in seconds (a fraction too) or as a date;
 * 0 when there is none or it makes no sense. */
int64_t bb_answer_retry_after_ms(const struct bb_answer *answer);

/* Seconds such as "1.5", rounded up to a millisecond, at least 1; 0 for what is
 * not a number (or NULL). */
int64_t bb_seconds_to_ms(const char *text);

/* A member that is a number or a string, as text; NULL for anything else. */
const char *bb_answer_code(const struct bb_answer *answer, const struct bb_value *value);

/* Whether `text` has `part` in it, ASCII case ignored. */
bool bb_contains(const char *text, const char *part);

#endif
