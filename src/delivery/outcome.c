#include "delivery/outcome.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "event/webhook.h"

enum {
    BODY_READ_MAX = 64 * 1024,
    TEXT_MAX = 4 * 1024 /* of a body that is not JSON: what may be quoted */
};

/* ---- no answer ---- */

struct failure {
    bb_verdict verdict;
    bb_advice advice;
    const char *text;
};

/* Nothing that was not sent is ever dead, but for an address that the guard
 * refuses: it would be refused tomorrow. */
static const struct failure failures[] = {
    [BB_FAILURE_RESOLVE] = {BB_RETRY, 0, "its name has no address"},
    [BB_FAILURE_CONNECT] = {BB_RETRY, 0, "no connection"},
    [BB_FAILURE_TLS] = {BB_RETRY, 0, "no TLS session"},
    [BB_FAILURE_CERTIFICATE] = {BB_RETRY, BB_ADVICE_OPERATOR, "its certificate was not accepted"},
    [BB_FAILURE_REFUSED_ADDRESS] = {BB_DEAD, BB_ADVICE_OPERATOR,
                                    "it leads to an address that is refused"},
    [BB_FAILURE_NOT_STARTED] = {BB_RETRY, 0, "not sent"},
    [BB_FAILURE_ANSWER_LOST] = {BB_UNKNOWN, 0, "sent, but the answer was lost"},
    [BB_FAILURE_REFUSED_REQUEST] = {BB_RETRY, 0, "it refused the request unread"},
    [BB_FAILURE_CREDENTIALS] = {BB_RETRY, BB_ADVICE_OPERATOR, "its URL and secrets were not given"},
    [BB_FAILURE_PROXY] = {BB_RETRY, BB_ADVICE_OPERATOR, "no way through the proxy"},
    [BB_FAILURE_SETTINGS] = {BB_RETRY, BB_ADVICE_OPERATOR, "not sent"},
};

static const struct failure *failure_of(const bb_response *response) {
    int failure = (int)response->failure;
    if (failure <= 0 || failure > BB_FAILURE_SETTINGS)
        failure = BB_FAILURE_ANSWER_LOST; /* neither a status nor a known reason */
    return &failures[failure];
}

static void judge_failure(struct bb_secrets *secrets, const bb_webhook *webhook,
                          const bb_response *response, bb_outcome *outcome) {
    char label[104];
    const struct failure *failure = failure_of(response);
    /* the HTTP library's may tell an address, which is for the operator only */
    bool tells_words = response->failure_text && response->failure != BB_FAILURE_REFUSED_ADDRESS;
    const char *words = tells_words ? response->failure_text : "";
    const char *clean = bb_redact(secrets, words);
    outcome->verdict = failure->verdict;
    outcome->advice = failure->advice;
    snprintf(outcome->text, sizeof outcome->text, "webhook \"%s\": %s%s%s",
             bb_webhook_label(webhook, label), failure->text, clean && *clean ? ": " : "",
             clean ? clean : "");
}

/* ---- an answer ---- */

static const char *advice_text(const bb_outcome *outcome, char out[64]) {
    switch ((int)outcome->advice) {
    case BB_ADVICE_DISABLE:
        return "; the webhook is gone";
    case BB_ADVICE_OPERATOR:
        return "; its settings must be mended";
    case BB_ADVICE_PAUSE:
        snprintf(out, 64, "; wait %" PRId64 " ms", outcome->retry_after_ms);
        return out;
    default:
        return "";
    }
}

/* A text that grows at `to`. */
struct sentence {
    char *to;
    const char *end;
};

static void append(struct sentence *sentence, const char *before, const char *text) {
    enum { PART_MAX = 180 };
    sentence->to += bb_text_copy(sentence->to, (size_t)(sentence->end - sentence->to), before);
    size_t room = (size_t)(sentence->end - sentence->to);
    sentence->to += bb_text_copy(sentence->to, room <= PART_MAX ? room : PART_MAX + 1, text);
}

/* One sentence from the parts; what the kind itself had to say stands last. */
static void write_text(const struct bb_endpoint *endpoint, const bb_webhook *webhook,
                       bb_outcome *outcome) {
    char label[104], advice[64], status[BB_INTEGER_SIZE], own[sizeof outcome->text];
    struct sentence sentence = {outcome->text, outcome->text + sizeof outcome->text};
    bb_text_copy(own, sizeof own, outcome->text);
    append(&sentence, "webhook \"", bb_webhook_label(webhook, label));
    append(&sentence, "\": ", endpoint->label);
    append(&sentence, " answered HTTP ", bb_text_digits(outcome->http_status, status));
    if (*outcome->remote_code)
        append(&sentence, " ", outcome->remote_code);
    if (*outcome->remote_message)
        append(&sentence, ": ", outcome->remote_message);
    if (*own)
        append(&sentence, ": ", own);
    if (outcome->http_status / 100 == 3)
        append(&sentence, ": ", "a redirect, which is not followed");
    append(&sentence, "", advice_text(outcome, advice));
}

static struct bb_answer read_answer(struct bb_arena *arena, struct bb_secrets *secrets,
                                    const struct bb_exchange *exchange) {
    const bb_response *response = exchange->response;
    bool cut = false; /* TEXT_MAX is enough to quote from */
    size_t n = response->body ? response->body_length : 0;
    if (n > BODY_READ_MAX)
        n = BODY_READ_MAX;
    const char *body = bb_arena_copy(arena, n ? response->body : "", n);
    const char *text = bb_text_flatten(bb_text_repair(arena, body, TEXT_MAX, &cut));
    return (struct bb_answer){
        .status = response->http_status,
        .host = exchange->host,
        .headers = response->headers ? response->headers : "",
        .text = text ? text : "",
        .is_whole = body && !cut && strlen(body) == n,
        .json = body && bb_json_may_be_object(body, n) ? bb_json_parse(arena, body, n) : NULL,
        .now_ms = exchange->now_ms,
        .secrets = secrets,
        .arena = arena,
    };
}

/* ---- answers that are known ---- */

static struct bb_known_success *known_of(const struct bb_exchange *exchange) {
    return exchange->known && bb_endpoint_of(exchange->webhook->type)->is_success_by_body
               ? &exchange->known->of[exchange->webhook->type]
               : NULL;
}

static bool has_stated_wait(struct bb_arena *arena, const bb_response *response) {
    const struct bb_answer answer = {.headers = response->headers, .arena = arena};
    return response->headers && (bb_answer_header(&answer, "Retry-After") || arena->failed);
}

static bool is_known(struct bb_arena *arena, const struct bb_known_success *known,
                     const struct bb_exchange *exchange) {
    const bb_response *response = exchange->response;
    return known->status == response->http_status &&
           known->allow_any_2xx == !!exchange->webhook->allow_any_2xx &&
           known->length == response->body_length &&
           memcmp(known->body, response->body, known->length) == 0 &&
           !has_stated_wait(arena, response);
}

static void learn(struct bb_known_success *known, const struct bb_exchange *exchange) {
    const bb_response *response = exchange->response;
    if (response->body_length == 0 || response->body_length > sizeof known->body)
        return;
    known->status = response->http_status;
    known->allow_any_2xx = exchange->webhook->allow_any_2xx;
    known->length = response->body_length;
    memcpy(known->body, response->body, known->length);
}

static void judge_answer(struct bb_arena *arena, struct bb_secrets *secrets,
                         const struct bb_exchange *exchange, bb_outcome *outcome) {
    const bb_webhook *webhook = exchange->webhook;
    const struct bb_endpoint *endpoint = bb_endpoint_of(webhook->type);
    struct bb_answer answer = read_answer(arena, secrets, exchange);
    if (!arena->failed)
        endpoint->judge(&answer, webhook, outcome);
    if (arena->failed) { /* also when it failed on the way */
        memset(outcome, 0, sizeof *outcome);
        outcome->verdict = BB_UNKNOWN;
    }
    bb_json_free((struct bb_value *)answer.json);
    outcome->http_status = answer.status;
    if (!exchange->known || outcome->verdict != BB_DELIVERED || outcome->advice)
        write_text(endpoint, webhook, outcome);
}

static void judge_or_know(struct bb_arena *arena, struct bb_secrets *secrets,
                          const struct bb_exchange *exchange, bb_outcome *outcome) {
    struct bb_known_success *known = known_of(exchange);
    if (known && is_known(arena, known, exchange)) {
        outcome->verdict = BB_DELIVERED;
        outcome->http_status = known->status;
        return;
    }
    judge_answer(arena, secrets, exchange, outcome);
    if (known && outcome->verdict == BB_DELIVERED && !outcome->advice)
        learn(known, exchange);
}

void bb_outcome_judge(struct bb_arena *arena, const struct bb_exchange *exchange,
                      bb_outcome *outcome) {
    const bb_response *response = exchange->response;
    struct bb_secrets secrets = {
        .arena = arena, .webhook = exchange->webhook, .request = exchange->response->request};
    memset(outcome, 0, sizeof *outcome);
    if (response->failure || response->http_status < 200 || response->http_status > 999)
        judge_failure(&secrets, exchange->webhook, response, outcome);
    else
        judge_or_know(arena, &secrets, exchange, outcome);
    bb_text_safe(outcome->text);
    outcome->struct_size = sizeof *outcome;
}
