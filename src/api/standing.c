#include "api/standing.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <utlist.h>

#include "base/text.h"
#include "event/webhook.h"

/* ---- life ---- */

static bool set_up(struct bb_dispatcher *d, struct bb_standing *standing, struct bb_hook *hook) {
    const bb_webhook *webhook = &hook->webhook;
    const struct bb_endpoint *endpoint = bb_hook_endpoint(hook);
    uint32_t age_limit_s = webhook->age_limit_s ? webhook->age_limit_s : endpoint->age_limit_s;
    bb_when_unknown usual = endpoint->is_idempotent ? BB_UNKNOWN_RETRY : BB_UNKNOWN_ONCE_MORE;
    standing->lane.flow.type_pause = &d->type_pauses[webhook->type];
    standing->lane.rules = (struct bb_retry_rules){
        .when_unknown = webhook->when_unknown ? webhook->when_unknown : usual,
        .max_attempts = webhook->max_attempts,
        .age_limit_ms = INT64_C(1000) * age_limit_s,
    };
    return bb_flow_configure(&standing->lane.flow, standing->mem, webhook);
}

static struct bb_standing *make(struct bb_dispatcher *d, struct bb_hook *hook) {
    struct bb_standing *standing = bb_mem_zalloc(hook->mem, sizeof *standing);
    if (!standing)
        return NULL;
    standing->mem = hook->mem;
    atomic_init(&standing->references, 1);
    if (!set_up(d, standing, hook)) {
        bb_mem_free(hook->mem, standing);
        return NULL;
    }
    standing->hook = bb_hook_retain(hook);
    DL_APPEND2(d->standings, standing, previous, next);
    hook->standing = standing;
    return standing;
}

static struct bb_standing *find_or_make(struct bb_dispatcher *d, struct bb_hook *hook) {
    return hook->standing || bb_hook_is_gone(hook) ? hook->standing : make(d, hook);
}

static void open_queue(struct bb_dispatcher *d, struct bb_lane *lane, const char *webhook_id) {
    lane->queue = d->store->vtable->open(d->store, webhook_id, lane);
    if (lane->queue)
        lane->queue->flow = &lane->flow;
}

struct bb_standing *bb_standing_with_queue(struct bb_dispatcher *d, struct bb_hook *hook) {
    struct bb_standing *standing = find_or_make(d, hook);
    if (!standing || standing->lane.is_removed || !standing->hook)
        return NULL;
    if (!standing->lane.queue)
        open_queue(d, &standing->lane, hook->webhook.id);
    return standing->lane.queue ? standing : NULL;
}

void bb_standing_release(struct bb_standing *standing) {
    if (!standing || atomic_fetch_sub_explicit(&standing->references, 1, memory_order_acq_rel) != 1)
        return;
    bb_flow_free(&standing->lane.flow, standing->mem);
    bb_mem_free(standing->mem, standing->reason);
    bb_mem_free(standing->mem, standing);
}

void bb_standing_detach(struct bb_dispatcher *d, struct bb_standing *standing) {
    struct bb_hook *hook = standing->hook;
    DL_DELETE2(d->standings, standing, previous, next);
    standing->hook = NULL;
    bb_hook_release(hook); /* perhaps with the standing */
}

/* ---- changes ---- */

/* Without memory for the reason the state holds all the same. */
static void set_reason(struct bb_standing *standing, const char *reason) {
    bb_mem_free(standing->mem, standing->reason);
    standing->reason = reason ? bb_mem_strdup(standing->mem, reason) : NULL;
}

static void clear(struct bb_dispatcher *d, struct bb_standing *standing) {
    bb_flow_clear(&standing->lane.flow);
    set_reason(standing, NULL);
    bb_scheduler_wake(&d->scheduler, &standing->lane);
}

void bb_standing_clear(struct bb_dispatcher *d, struct bb_hook *hook) {
    pthread_mutex_lock(&d->lock);
    if (hook->standing)
        clear(d, hook->standing);
    pthread_mutex_unlock(&d->lock);
    bb_alarm_ring(&d->alarm);
}

static void replace_hook(struct bb_dispatcher *d, struct bb_standing *standing,
                         struct bb_hook *hook) {
    struct bb_hook *old = standing->hook;
    atomic_fetch_add_explicit(&standing->references, 1, memory_order_relaxed);
    hook->standing = standing;
    standing->hook = bb_hook_retain(hook);
    bb_hook_release(old);
    set_up(d, standing, hook); /* without memory its old rates hold */
    clear(d, standing);
}

static void remove_hook(struct bb_dispatcher *d, struct bb_standing *standing) {
    if (!standing->lane.queue) {
        bb_standing_detach(d, standing);
        return;
    }
    standing->lane.is_removed = true;
    bb_scheduler_wake(&d->scheduler, &standing->lane);
}

void bb_standing_move(struct bb_dispatcher *d, struct bb_hook *old, struct bb_hook *hook) {
    pthread_mutex_lock(&d->lock);
    struct bb_standing *standing = old->standing;
    bb_hook_set_gone(old);
    if (standing && standing->hook == old && hook)
        replace_hook(d, standing, hook);
    else if (standing && standing->hook == old)
        remove_hook(d, standing);
    pthread_mutex_unlock(&d->lock);
}

/* ---- what answers say ---- */

static bool pause_type(struct bb_dispatcher *d, const struct bb_hook *hook,
                       const bb_outcome *outcome, int64_t now_ms) {
    struct bb_pause *pause = &d->type_pauses[hook->webhook.type];
    bool is_new = bb_flow_pause(&pause->until_ms, outcome->retry_after_ms, now_ms);
    if (pause->until_ms >= now_ms + outcome->retry_after_ms)
        memcpy(pause->reason, outcome->text, sizeof pause->reason);
    return is_new;
}

/* What a receiver has answered to an old webhook tells nothing of a new one elsewhere. */
static bool is_replaced(const struct bb_standing *standing, const struct bb_hook *hook) {
    if (!standing->hook || standing->hook == hook)
        return false;
    const bb_webhook *present = &standing->hook->webhook, *old = &hook->webhook;
    return present->type != old->type || !bb_text_same(present->url, old->url) ||
           !bb_text_same(present->secret, old->secret) ||
           !bb_text_same(present->authorization, old->authorization);
}

struct bb_flow_news bb_standing_take_in(struct bb_dispatcher *d, struct bb_standing *standing,
                                        const struct bb_hook *hook, const bb_outcome *outcome,
                                        bool counts, int64_t now_ms, bool *type_paused) {
    struct bb_flow_news news = {0};
    int64_t paused_until_ms = standing->lane.flow.paused_until_ms;
    *type_paused = outcome->advice == BB_ADVICE_PAUSE && outcome->whole_type &&
                   pause_type(d, hook, outcome, now_ms);
    if (is_replaced(standing, hook))
        return news;
    news = bb_scheduler_note(&d->scheduler, &standing->lane, &d->rules, outcome, counts, now_ms);
    if (*type_paused && counts) /* so that its recovery is told */
        standing->lane.flow.is_troubled = true;
    if (news.is_broken || news.is_disabled || news.is_given_up ||
        standing->lane.flow.paused_until_ms != paused_until_ms)
        set_reason(standing, outcome->text);
    return news;
}

void bb_standing_note(struct bb_dispatcher *d, struct bb_hook *hook, const bb_outcome *outcome) {
    bool needs_none = outcome->advice != BB_ADVICE_PAUSE && outcome->advice != BB_ADVICE_DISABLE;
    bool type_paused;
    int64_t now_ms = bb_dispatcher_ticks(d);
    pthread_mutex_lock(&d->lock);
    struct bb_standing *standing = needs_none ? hook->standing : find_or_make(d, hook);
    if (standing)
        bb_standing_take_in(d, standing, hook, outcome, false, now_ms, &type_paused);
    pthread_mutex_unlock(&d->lock);
}

/* ---- posts ---- */

static bool has_rates(const struct bb_hook *hook) {
    return !hook->webhook.no_rate &&
           (hook->webhook.rate_count || bb_hook_endpoint(hook)->rates[0].count);
}

struct bb_standing *bb_standing_begin_post(struct bb_dispatcher *d, struct bb_hook *hook) {
    if (!has_rates(hook))
        return NULL;
    pthread_mutex_lock(&d->lock);
    struct bb_standing *standing = find_or_make(d, hook);
    if (standing)
        bb_window_begin(&standing->lane.flow.window);
    pthread_mutex_unlock(&d->lock);
    return standing;
}

void bb_standing_end_post(struct bb_dispatcher *d, struct bb_standing *standing, bool is_sent) {
    if (!standing)
        return;
    int64_t now_ms = bb_dispatcher_ticks(d);
    pthread_mutex_lock(&d->lock);
    bb_window_end(&standing->lane.flow.window, is_sent, now_ms);
    bool waits_for_it = standing->lane.place == BB_LANE_BUSY;
    bb_scheduler_unblock(&d->scheduler, &standing->lane);
    pthread_mutex_unlock(&d->lock);
    if (waits_for_it)
        bb_alarm_ring(&d->alarm);
}

/* ---- looking ---- */

/* The longer pause's reason, the webhook's own or its whole type's. */
static const char *reason_of(const struct bb_dispatcher *d, const struct bb_hook *hook,
                             int64_t now_ms) {
    const struct bb_standing *standing = hook->standing;
    const struct bb_pause *type = &d->type_pauses[hook->webhook.type];
    bool is_type = type->until_ms > now_ms &&
                   (!standing || type->until_ms > standing->lane.flow.paused_until_ms);
    if (is_type && !(standing && standing->lane.flow.is_disabled))
        return type->reason;
    return standing && standing->reason ? standing->reason : "another process was told so";
}

/* A webhook of which nothing is known obeys its type's pauses all the same. */
static struct bb_flow flow_of(const struct bb_dispatcher *d, const struct bb_hook *hook) {
    if (hook->standing)
        return hook->standing->lane.flow;
    return (struct bb_flow){.type_pause = &d->type_pauses[hook->webhook.type]};
}

static bool describe_stop(const struct bb_dispatcher *d, const struct bb_hook *hook, int64_t now_ms,
                          bb_outcome *outcome) {
    char label[104];
    struct bb_flow flow = flow_of(d, hook);
    int64_t wait = bb_flow_pause_left(&flow, now_ms);
    const char *reason = reason_of(d, hook, now_ms);
    bb_webhook_label(&hook->webhook, label);
    if (flow.is_disabled) {
        outcome->advice = BB_ADVICE_DISABLE;
        snprintf(outcome->text, sizeof outcome->text,
                 "webhook \"%s\": not sent, it was disabled: %.300s", label, reason);
    } else if (wait > 0) {
        outcome->advice = BB_ADVICE_PAUSE;
        outcome->retry_after_ms = wait;
        snprintf(outcome->text, sizeof outcome->text,
                 "webhook \"%s\": not sent, it is paused for %" PRId64 " ms: %.300s", label, wait,
                 reason);
    }
    return flow.is_disabled || wait > 0;
}

bool bb_standing_forbids(struct bb_dispatcher *d, struct bb_hook *hook, bb_outcome *outcome) {
    int64_t now_ms = bb_dispatcher_ticks(d);
    pthread_mutex_lock(&d->lock);
    bool forbids = describe_stop(d, hook, now_ms, outcome);
    pthread_mutex_unlock(&d->lock);
    if (!forbids)
        return false;
    bb_text_safe(outcome->text);
    outcome->verdict = BB_RETRY;
    return true;
}

static int64_t wall_time(int64_t wall_ms, int64_t wait_ms) {
    return wait_ms > INT64_MAX - wall_ms ? INT64_MAX : wall_ms + wait_ms;
}

void bb_standing_read(struct bb_dispatcher *d, struct bb_hook *hook, bb_webhook_status *status) {
    int64_t now_ms = bb_dispatcher_ticks(d), wall_ms = bb_settings_now_ms(&d->settings);
    pthread_mutex_lock(&d->lock);
    struct bb_flow flow = flow_of(d, hook);
    int64_t paused = bb_flow_pause_left(&flow, now_ms);
    int64_t broken = bb_breaker_wait(&flow.breaker, now_ms);
    status->paused_until_ms = paused > 0 ? wall_time(wall_ms, paused) : 0;
    status->probe_ms = broken > 0                             ? wall_time(wall_ms, broken)
                       : bb_breaker_is_probing(&flow.breaker) ? wall_ms
                                                              : 0;
    status->disabled = flow.is_disabled;
    status->failures_in_row = flow.failures < INT32_MAX ? (int)flow.failures : INT32_MAX;
    if (status->disabled || paused > 0 || status->probe_ms != 0)
        snprintf(status->reason, sizeof status->reason, "%s", reason_of(d, hook, now_ms));
    pthread_mutex_unlock(&d->lock);
}
