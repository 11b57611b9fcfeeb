#include "delivery/flow.h"

#include <string.h>

enum { DAY_MS = 24 * 60 * 60 * 1000 };

/* ---- limits ---- */

static void rates_of(const bb_webhook *webhook, struct bb_rate rates[BB_RATES]) {
    memset(rates, 0, BB_RATES * sizeof *rates);
    if (webhook->no_rate)
        return;
    if (webhook->rate_count) {
        rates[0].count = webhook->rate_count;
        rates[0].period_ms = webhook->rate_period_ms;
    } else {
        memcpy(rates, bb_endpoint_of(webhook->type)->rates, BB_RATES * sizeof *rates);
    }
}

bool bb_flow_configure(struct bb_flow *flow, const bb_allocator *mem, const bb_webhook *webhook) {
    struct bb_rate rates[BB_RATES];
    rates_of(webhook, rates);
    if (memcmp(rates, flow->window.rates, sizeof rates) != 0 &&
        !bb_window_change(&flow->window, mem, rates))
        return false;
    uint32_t usual = bb_endpoint_of(webhook->type)->max_in_flight;
    flow->most = webhook->max_in_flight ? webhook->max_in_flight : usual;
    if (flow->room == 0) {
        flow->room = 1;
        flow->failing_since_ms = -1;
    }
    return true;
}

void bb_flow_free(struct bb_flow *flow, const bb_allocator *mem) {
    bb_window_free(&flow->window, mem);
}

void bb_flow_clear(struct bb_flow *flow) {
    flow->breaker = (struct bb_breaker){0};
    flow->paused_until_ms = 0;
    flow->failing_since_ms = -1;
    flow->failures = 0;
    flow->is_disabled = false;
}

/* ---- state ---- */

/* None is longer than a day: if more is left, the clock was set back, and nobody would remember
 * why the webhook is silent. */
static int64_t left_of(int64_t until_ms, int64_t now_ms) {
    if (until_ms == 0 || until_ms <= now_ms)
        return 0;
    uint64_t left = (uint64_t)until_ms - (uint64_t)now_ms;
    return left <= DAY_MS ? (int64_t)left : 0;
}

int64_t bb_flow_pause_left(const struct bb_flow *flow, int64_t now_ms) {
    int64_t own = left_of(flow->paused_until_ms, now_ms);
    int64_t type = flow->type_pause ? left_of(flow->type_pause->until_ms, now_ms) : 0;
    return own > type ? own : type;
}

static struct bb_flow_state stop_for(enum bb_flow_stop stop, int64_t wait_ms) {
    return (struct bb_flow_state){.stop = stop, .wait_ms = wait_ms};
}

/* A probe goes alone. */
static bool is_busy(const struct bb_flow *flow) {
    uint32_t room = bb_breaker_is_probing(&flow->breaker) ? 1 : flow->room;
    return flow->in_flight >= (room < flow->most ? room : flow->most);
}

struct bb_flow_state bb_flow_state(const struct bb_flow *flow, int64_t now_ms) {
    int64_t wait;
    if (flow->is_disabled)
        return stop_for(BB_FLOW_DISABLED, INT64_MAX);
    if ((wait = bb_flow_pause_left(flow, now_ms)) > 0)
        return stop_for(BB_FLOW_PAUSED, wait);
    if ((wait = bb_breaker_wait(&flow->breaker, now_ms)) > 0)
        return stop_for(BB_FLOW_BROKEN, wait);
    if (is_busy(flow))
        return stop_for(BB_FLOW_BUSY, INT64_MAX);
    if ((wait = bb_window_wait(&flow->window, now_ms)) > 0)
        return stop_for(wait == INT64_MAX ? BB_FLOW_BUSY : BB_FLOW_RATE, wait);
    return stop_for(BB_FLOW_FREE, 0);
}

/* ---- what answers say ---- */

bool bb_flow_pause(int64_t *until_ms, int64_t wait_ms, int64_t now_ms) {
    int64_t left = left_of(*until_ms, now_ms);
    wait_ms = wait_ms < DAY_MS ? wait_ms : DAY_MS;
    if (left >= wait_ms)
        return false;
    *until_ms = now_ms > INT64_MAX - wait_ms ? INT64_MAX : now_ms + wait_ms;
    return left == 0;
}

static void note_success(struct bb_flow *flow, bool counts, struct bb_flow_news *news) {
    flow->failing_since_ms = -1;
    flow->failures = 0;
    if (!counts)
        return;
    news->is_recovered = flow->is_troubled;
    flow->is_troubled = false;
    flow->is_known = true;
    if (flow->room < flow->most)
        flow->room = flow->room <= (flow->most - 1) / 2 ? 2 * flow->room : flow->most;
}

/* Being put off is no failure of the receiver, and a refusal is an answer. */
static bool is_failure(const bb_outcome *outcome) {
    return outcome->verdict == BB_UNKNOWN ||
           (outcome->verdict == BB_RETRY && outcome->retry_after_ms == 0);
}

static void note_failure(struct bb_flow *flow, const struct bb_flow_rules *rules, int64_t now_ms,
                         struct bb_flow_news *news) {
    if (flow->failing_since_ms < 0)
        flow->failing_since_ms = now_ms;
    flow->failures += flow->failures < UINT32_MAX;
    news->is_given_up = !flow->is_disabled && flow->failures >= rules->disable_failures &&
                        now_ms - flow->failing_since_ms >= rules->disable_after_ms;
}

/* What never came to a question tells nothing: a payload that was too large. */
static bool is_answer(const bb_outcome *outcome) {
    return outcome->verdict != BB_DEAD || outcome->http_status != 0;
}

static void note_breaker(struct bb_flow *flow, const struct bb_flow_rules *rules,
                         const bb_outcome *outcome, int64_t now_ms, struct bb_flow_news *news) {
    bool failed = is_failure(outcome);
    if (failed) {
        flow->room = 1;
        flow->is_known = false;
    }
    if (failed || is_answer(outcome))
        news->is_broken = bb_breaker_note(&flow->breaker, &rules->breaker, failed, now_ms);
}

struct bb_flow_news bb_flow_note(struct bb_flow *flow, const struct bb_flow_rules *rules,
                                 const bb_outcome *outcome, bool counts, int64_t now_ms) {
    struct bb_flow_news news = {0};
    if (counts)
        note_breaker(flow, rules, outcome, now_ms, &news);
    if (outcome->verdict == BB_DELIVERED)
        note_success(flow, counts, &news);
    else if (counts)
        note_failure(flow, rules, now_ms, &news);
    if (outcome->advice == BB_ADVICE_PAUSE && !outcome->whole_type)
        news.is_paused = bb_flow_pause(&flow->paused_until_ms, outcome->retry_after_ms, now_ms) &&
                         outcome->verdict != BB_DELIVERED;
    news.is_disabled = outcome->advice == BB_ADVICE_DISABLE && !flow->is_disabled;
    flow->is_disabled = flow->is_disabled || news.is_disabled || news.is_given_up;
    if (news.is_paused || news.is_broken || news.is_disabled || news.is_given_up)
        flow->is_troubled = true;
    return news;
}
