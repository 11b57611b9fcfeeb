#include "support/flow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/alloc.h"

const struct bb_flow_rules flow_rules = {
    .breaker = {.failures = 5, .percent = 70, .open_ms = 30 * SECOND, .open_max_ms = 10 * MINUTE},
    .disable_after_ms = INT64_C(5) * DAY,
    .disable_failures = 5,
    .slow_after_ms = 100,
};

struct bb_flow flow;
struct bb_pause flow_type_pause;
bb_webhook flow_webhook;
int64_t flow_now_ms;

void flow_configure(void) {
    assert_true(bb_flow_configure(&flow, alloc_library(), &flow_webhook));
}

int flow_begin(void **state) {
    *state = NULL;
    flow_webhook = (bb_webhook)BB_WEBHOOK_INIT;
    flow_webhook.type = BB_CUSTOM;
    flow_type_pause = (struct bb_pause){0};
    flow = (struct bb_flow){.type_pause = &flow_type_pause};
    flow_now_ms = 5000;
    return bb_flow_configure(&flow, alloc_library(), &flow_webhook) ? 0 : -1;
}

int flow_end(void **state) {
    (void)state;
    bb_flow_free(&flow, alloc_library());
    return alloc_live() == 0 ? 0 : -1;
}

/* ---- outcomes ---- */

const bb_outcome flow_success = {.verdict = BB_DELIVERED, .http_status = 200};
const bb_outcome flow_failure = {.verdict = BB_RETRY, .http_status = 503};
const bb_outcome flow_lost = {.verdict = BB_UNKNOWN};
const bb_outcome flow_refusal = {.verdict = BB_DEAD, .http_status = 400};
const bb_outcome flow_too_large = {.verdict = BB_DEAD};
const bb_outcome flow_put_off = {.verdict = BB_RETRY,
                                 .advice = BB_ADVICE_PAUSE,
                                 .http_status = 429,
                                 .retry_after_ms = 10 * SECOND};
const bb_outcome flow_gone = {.verdict = BB_DEAD, .advice = BB_ADVICE_DISABLE, .http_status = 410};

struct bb_flow_news flow_note(const bb_outcome *outcome) {
    return bb_flow_note(&flow, &flow_rules, outcome, true, flow_now_ms);
}

struct bb_flow_news flow_note_of_post(const bb_outcome *outcome) {
    return bb_flow_note(&flow, &flow_rules, outcome, false, flow_now_ms);
}

struct bb_flow_news flow_note_often(const bb_outcome *outcome, int count) {
    struct bb_flow_news news = {0};
    for (int i = 0; i < count; i++)
        news = flow_note(outcome);
    return news;
}

bool flow_is_news(struct bb_flow_news news) {
    return news.is_paused || news.is_broken || news.is_disabled || news.is_given_up ||
           news.is_recovered;
}

enum bb_flow_stop flow_stop(void) {
    return bb_flow_state(&flow, flow_now_ms).stop;
}

int64_t flow_wait(void) {
    return bb_flow_state(&flow, flow_now_ms).wait_ms;
}

uint32_t flow_room(void) {
    uint32_t count = 0;
    while (flow_stop() == BB_FLOW_FREE && count < 1000) {
        flow.in_flight++;
        count++;
    }
    assert_int_equal(flow_stop(), BB_FLOW_BUSY);
    assert_true(flow_wait() == INT64_MAX);
    flow.in_flight = 0;
    return count;
}
