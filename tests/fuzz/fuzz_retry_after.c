/*
 * Whatever headers and body state a wait, at any time: it is none, or from a second to a day; and a
 * plain Retry-After of Custom is the wait that it says.
 *
 * Input: the type, the status, the time; then as texts the headers and the body.
 */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "support/samples.h"

enum { SECOND_MS = 1000, DAY_MS = 24 * 60 * 60 * SECOND_MS };

/* Of headers whose first line is "Retry-After: 12"; -1: of others. */
static int64_t plain_wait_ms(const char *headers) {
    static const char name[] = "Retry-After: ";
    if (strncasecmp(headers, name, strlen(name)) != 0)
        return -1;
    const char *digits = headers + strlen(name);
    size_t count = strspn(digits, "0123456789");
    if (count == 0 || (digits[count] && !strchr("\r\n", digits[count])))
        return -1;
    int64_t seconds = 0;
    for (size_t i = 0; i < count && seconds < DAY_MS; i++)
        seconds = seconds * 10 + digits[i] - '0';
    int64_t ms = seconds * SECOND_MS;
    return ms < SECOND_MS ? SECOND_MS : ms > DAY_MS ? DAY_MS : ms;
}

static void check(const bb_webhook *webhook, const bb_response *response, int64_t now_ms) {
    bb_outcome outcome = BB_OUTCOME_INIT;
    bb_error error = BB_ERROR_INIT;
    int code = bb_webhook_judge(webhook, response, now_ms, &outcome, &error);
    FUZZ_CHECK(fuzz_check_error("judge", code, &error), "%s", error.text);
    int64_t wait = outcome.retry_after_ms, plain = plain_wait_ms(response->headers);
    FUZZ_CHECK(wait == 0 || (wait >= SECOND_MS && wait <= DAY_MS), "the wait is %lld",
               (long long)wait);
    FUZZ_CHECK((outcome.advice == BB_ADVICE_PAUSE) == (wait > 0), "the advice is %d, the wait %lld",
               (int)outcome.advice, (long long)wait);
    if (webhook->type != BB_CUSTOM)
        return;
    FUZZ_CHECK(outcome.verdict == BB_RETRY, "the verdict is %d", (int)outcome.verdict);
    FUZZ_CHECK(plain < 0 || wait == plain, "%s is a wait of %lld", response->headers,
               (long long)wait);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const int statuses[] = {429, 503, 500, 408};
    static const int64_t times[] = {1767323045000, 1767323045999, 0, 1, 253402300799000, -1,
                                    INT64_MAX,     INT64_MIN};
    fuzz_input input = fuzz_open(data, size);
    bb_webhook webhook = sample_webhook((bb_type)(1 + fuzz_choose(&input, BB_CUSTOM)));
    bb_response response = BB_RESPONSE_INIT;
    response.http_status = statuses[fuzz_choose(&input, 4)];
    int64_t now_ms = times[fuzz_choose(&input, 8)];
    response.headers = fuzz_text(&input);
    response.body = fuzz_text(&input);
    response.body_length = strlen(response.body);
    check(&webhook, &response, now_ms);
    fuzz_close(&input);
    return 0;
}
