/*
 * Whatever a server answers, bb_webhook_judge gives one sound outcome that is safe to print and
 * tells no part of the webhook's URL or secret, however the answer repeats it.
 *
 * Input: which webhook, when, flags; then as texts the status (decimal), the headers, the words of
 * the HTTP library; then the body. In words and body, ECHO and one byte stand for a piece of the
 * webhook in one of several spellings.
 */
#include "fuzz/fuzz.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/targets.h"

enum { ECHO = 0x1d, DAY_MS = 24 * 60 * 60 * 1000, WINDOW = 8, EXPANDED_MAX = 80000 };

/* ---- echoes */

typedef struct text {
    char *bytes;
    size_t length;
} text;

static void put(text *t, const char *bytes, size_t n) {
    if (t->length + n > EXPANDED_MAX)
        return;
    memcpy(t->bytes + t->length, bytes, n);
    t->length += n;
}

static void put_spelled(text *t, spelling how, const char *word) {
    char spelt[8];
    for (; *word; word++)
        put(t, spelt, spell(spelt, *word, how));
}

static void put_echo(text *t, const target *from, unsigned which) {
    const char *tail = strchr(from->url + strlen("https://"), '/');
    const char *pieces[] = {from->url,       tail,           from->secret, from->tokens[0],
                            from->tokens[1], from->tokens[2]};
    const char *piece = pieces[which % 6];
    put_spelled(t, (spelling)(which / 6 % SPELLINGS), piece ? piece : from->url);
}

/* In a block of its own size. */
static text expand(const target *from, const char *bytes, size_t size) {
    static char room[EXPANDED_MAX];
    text t = {.bytes = room};
    for (const char *end = bytes + size; bytes < end; bytes++) {
        if (*bytes == ECHO && bytes + 1 < end)
            put_echo(&t, from, (unsigned char)*++bytes);
        else
            put(&t, bytes, 1);
    }
    t.bytes = malloc(t.length + 1);
    FUZZ_CHECK(t.bytes, "no memory");
    memcpy(t.bytes, room, t.length);
    t.bytes[t.length] = '\0';
    return t;
}

/* ---- secrets */

/* By hand: libFuzzer looks over strstr's shoulder, and would put the tokens into its inputs. */
static bool begins_with(const char *at, const char *part, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (at[i] != part[i])
            return false;
    return true;
}

static bool holds(const text *t, const char *part, size_t length) {
    for (size_t i = 0; i + length <= t->length; i++)
        if (begins_with(t->bytes + i, part, length))
            return true;
    return false;
}

/* Whether the input itself brings two neighbours of the part: their way into a text is no secret's.
 * What is taken out of texts, such as control characters, may stand between them. */
static bool brings_of(const text *input, const char *part) {
    char last = '\0';
    for (size_t i = 0; i < input->length; i++) {
        char c = input->bytes[i];
        if (!isalnum((unsigned char)c) && !(!c || !strchr("-_@", c)))
            continue;
        for (size_t k = 0; k + 1 < WINDOW; k++)
            if (last == part[k] && c == part[k + 1])
                return true;
        last = c;
    }
    return false;
}

/* No token, and no eight bytes in a row of one that an echo has brought. */
static void check_tells_nothing(const target *t, const text *input, const char *what,
                                const char *told) {
    char bytes[600];
    text plain = {.bytes = bytes};
    unspell(told, bytes);
    plain.length = strlen(bytes);
    for (size_t i = 0; i < TARGET_TOKENS && t->tokens[i]; i++) {
        const char *token = t->tokens[i];
        FUZZ_CHECK(!holds(&plain, token, strlen(token)), "%s tells %s: %s", what, token, told);
        for (const char *at = token; strlen(at) >= WINDOW; at++)
            if (holds(&plain, at, WINDOW) && !brings_of(input, at))
                fuzz_fail("%s of %s tells %.8s: %s", what, bb_type_name(t->type), at, told);
    }
}

/* ---- the outcome */

static void check_outcome(const bb_outcome *outcome) {
    int64_t wait = outcome->retry_after_ms;
    FUZZ_CHECK(outcome->verdict >= BB_DELIVERED && outcome->verdict <= BB_UNKNOWN,
               "the verdict is %d", (int)outcome->verdict);
    FUZZ_CHECK((int)outcome->advice >= 0 && outcome->advice <= BB_ADVICE_DISABLE,
               "the advice is %d", (int)outcome->advice);
    FUZZ_CHECK(wait == 0 || (wait >= 1000 && wait <= DAY_MS), "the wait is %lld", (long long)wait);
    FUZZ_CHECK(outcome->advice != BB_ADVICE_PAUSE || wait > 0, "a pause without a wait");
    FUZZ_CHECK(!outcome->whole_type || outcome->advice == BB_ADVICE_PAUSE,
               "a whole type without a pause");
    FUZZ_CHECK(outcome->advice != BB_ADVICE_DISABLE || outcome->verdict == BB_DEAD,
               "disabled, and not dead");
    fuzz_check_printable("remote_code", outcome->remote_code, sizeof(outcome->remote_code));
    fuzz_check_printable("remote_message", outcome->remote_message,
                         sizeof(outcome->remote_message));
    fuzz_check_printable("text", outcome->text, sizeof(outcome->text));
    FUZZ_CHECK(*outcome->text, "no text");
}

/* The outcome begins full of what must not stay. */
static void judge(const bb_webhook *webhook, const bb_response *response, int64_t now_ms,
                  bb_outcome *outcome) {
    bb_error error = BB_ERROR_INIT;
    memset(outcome, 0xA5, sizeof(*outcome));
    outcome->struct_size = sizeof(*outcome);
    int code = bb_webhook_judge(webhook, response, now_ms, outcome, &error);
    FUZZ_CHECK(fuzz_check_error("judge", code, &error), "%s", error.text);
    check_outcome(outcome);
}

/* ---- one answer */

static int status_of(const char *decimal) {
    long status = strtol(decimal, NULL, 10);
    return status > INT32_MAX ? INT32_MAX : status < INT32_MIN ? INT32_MIN : (int)status;
}

static void check(const target *t, fuzz_input *input, bb_response *response, int64_t now_ms,
                  unsigned flags) {
    text given = {.bytes = (char *)input->at, .length = (size_t)(input->end - input->at)};
    bb_webhook webhook = target_webhook(t);
    webhook.allow_any_2xx = flags & 1;
    webhook.teams_connector = webhook.teams_connector || flags >> 1;
    bb_outcome outcome, again;
    const char *words = fuzz_text(input);
    text told = expand(t, words, strlen(words));
    text body = expand(t, input->at, (size_t)(input->end - input->at));
    response->failure_text = told.bytes;
    response->body = body.bytes;
    response->body_length = body.length;
    judge(&webhook, response, now_ms, &outcome);
    judge(&webhook, response, now_ms, &again);
    FUZZ_CHECK(memcmp(&outcome, &again, sizeof(again)) == 0, "judged otherwise the second time");
    check_tells_nothing(t, &given, "remote_code", outcome.remote_code);
    check_tells_nothing(t, &given, "remote_message", outcome.remote_message);
    check_tells_nothing(t, &given, "text", outcome.text);
    free(told.bytes);
    free(body.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const int64_t times[] = {1767323045000, 0, 1, 253402300799000, INT64_MAX, -1, INT64_MIN};
    fuzz_input input = fuzz_open(data, size);
    bb_response response = BB_RESPONSE_INIT;
    const target *t = &targets[fuzz_choose(&input, TARGETS)];
    int64_t now_ms = times[fuzz_choose(&input, sizeof(times) / sizeof(times[0]))];
    unsigned flags = fuzz_choose(&input, 4);
    response.failure = (bb_failure)fuzz_choose(&input, BB_FAILURE_ANSWER_LOST + 2);
    response.http_status = status_of(fuzz_text(&input));
    response.headers = fuzz_text(&input);
    check(t, &input, &response, now_ms, flags);
    fuzz_close(&input);
    return 0;
}
