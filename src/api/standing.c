#include "api/standing.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "event/webhook.h"

enum { DAY_MS = 24 * 60 * 60 * 1000 };

/* What is left of a pause. None is longer than a day: if more is left, the clock
 * was set back, and nobody would remember why the webhook is silent. */
static int64_t left_of(int64_t until_ms, int64_t now_ms) {
    if (until_ms == 0 || until_ms <= now_ms)
        return 0;
    uint64_t left = (uint64_t)until_ms - (uint64_t)now_ms;
    return left <= DAY_MS ? (int64_t)left : 0;
}

/* Without memory for the reason the state holds all the same. */
static void set_reason(struct bb_hook *hook, const char *reason) {
    const bb_allocator *mem = hook->mem;
    bb_mem_free(mem, hook->reason);
    hook->reason = reason ? bb_mem_strdup(mem, reason) : NULL;
}

static void set_pause(struct bb_dispatcher *d, struct bb_hook *hook, const bb_outcome *outcome,
                      int64_t now_ms) {
    int64_t wait_ms = outcome->retry_after_ms;
    int64_t until_ms = now_ms > INT64_MAX - wait_ms ? INT64_MAX : now_ms + wait_ms;
    if (outcome->whole_type) {
        struct bb_pause *pause = &d->type_pauses[hook->webhook.type];
        if (left_of(pause->until_ms, now_ms) < wait_ms) {
            pause->until_ms = until_ms;
            memcpy(pause->reason, outcome->text, sizeof pause->reason);
        }
    } else if (left_of(hook->paused_until_ms, now_ms) < wait_ms) {
        hook->paused_until_ms = until_ms;
        set_reason(hook, outcome->text);
    }
}

void bb_standing_note(struct bb_dispatcher *d, struct bb_hook *hook, const bb_outcome *outcome,
                      int64_t now_ms) {
    if (outcome->advice != BB_ADVICE_PAUSE && outcome->advice != BB_ADVICE_DISABLE)
        return;
    pthread_mutex_lock(&d->standing_lock);
    if (outcome->advice == BB_ADVICE_PAUSE) {
        set_pause(d, hook, outcome, now_ms);
    } else {
        hook->is_disabled = true;
        set_reason(hook, outcome->text);
    }
    pthread_mutex_unlock(&d->standing_lock);
}

/* The pause that lasts longer, the webhook's own or its whole type's. */
static int64_t pause_left(const struct bb_dispatcher *d, const struct bb_hook *hook, int64_t now_ms,
                          const char **reason) {
    const struct bb_pause *type = &d->type_pauses[hook->webhook.type];
    int64_t own = left_of(hook->paused_until_ms, now_ms);
    int64_t of_type = left_of(type->until_ms, now_ms);
    *reason = of_type > own ? type->reason : hook->reason ? hook->reason : "";
    return of_type > own ? of_type : own;
}

bool bb_standing_forbids(struct bb_dispatcher *d, struct bb_hook *hook, int64_t now_ms,
                         bb_outcome *outcome) {
    char label[104];
    const char *reason;
    bb_webhook_label(&hook->webhook, label);
    pthread_mutex_lock(&d->standing_lock);
    int64_t wait = pause_left(d, hook, now_ms, &reason);
    bool is_disabled = hook->is_disabled;
    if (is_disabled) {
        outcome->advice = BB_ADVICE_DISABLE;
        snprintf(outcome->text, sizeof outcome->text,
                 "webhook \"%s\": not sent, it was disabled: %.300s", label,
                 hook->reason ? hook->reason : "");
    } else if (wait > 0) {
        outcome->advice = BB_ADVICE_PAUSE;
        outcome->retry_after_ms = wait;
        snprintf(outcome->text, sizeof outcome->text,
                 "webhook \"%s\": not sent, it is paused for %" PRId64 " ms: %.300s", label, wait,
                 reason);
    }
    pthread_mutex_unlock(&d->standing_lock);
    if (!is_disabled && wait <= 0)
        return false;
    bb_text_safe(outcome->text);
    outcome->verdict = BB_RETRY;
    return true;
}

void bb_standing_clear(struct bb_dispatcher *d, struct bb_hook *hook) {
    pthread_mutex_lock(&d->standing_lock);
    hook->is_disabled = false;
    hook->paused_until_ms = 0;
    set_reason(hook, NULL);
    pthread_mutex_unlock(&d->standing_lock);
}

void bb_standing_read(struct bb_dispatcher *d, struct bb_hook *hook, int64_t now_ms,
                      bb_webhook_status *status) {
    const char *reason;
    pthread_mutex_lock(&d->standing_lock);
    int64_t wait = pause_left(d, hook, now_ms, &reason);
    status->paused_until_ms = wait > 0 ? now_ms + wait : 0;
    status->disabled = hook->is_disabled;
    if (hook->is_disabled && hook->reason)
        reason = hook->reason;
    if (status->disabled || wait > 0)
        snprintf(status->reason, sizeof status->reason, "%s", reason);
    pthread_mutex_unlock(&d->standing_lock);
}
