#include "api/standing.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "event/webhook.h"

static int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* Without memory for the reason the state holds all the same. */
static void set_reason(struct bb_hook *hook, const char *reason) {
    const bb_allocator *mem = hook->arena.mem;
    bb_mem_free(mem, hook->reason);
    hook->reason = reason ? bb_mem_strdup(mem, reason) : NULL;
}

static void pause_until(struct bb_dispatcher *d, struct bb_hook *hook, const bb_outcome *outcome,
                        int64_t until_ms) {
    if (outcome->whole_type) {
        int64_t *type = &d->type_paused_until_ms[hook->webhook.type];
        *type = later(*type, until_ms);
    }
    hook->paused_until_ms = later(hook->paused_until_ms, until_ms);
    set_reason(hook, outcome->text);
}

void bb_standing_note(struct bb_dispatcher *d, struct bb_hook *hook, const bb_outcome *outcome,
                      int64_t now_ms) {
    if (outcome->advice != BB_ADVICE_PAUSE && outcome->advice != BB_ADVICE_DISABLE)
        return;
    pthread_mutex_lock(&d->standing_lock);
    if (outcome->advice == BB_ADVICE_PAUSE) {
        pause_until(d, hook, outcome, now_ms + outcome->retry_after_ms);
    } else {
        hook->is_disabled = true;
        set_reason(hook, outcome->text);
    }
    pthread_mutex_unlock(&d->standing_lock);
}

static int64_t paused_until(const struct bb_dispatcher *d, const struct bb_hook *hook) {
    return later(hook->paused_until_ms, d->type_paused_until_ms[hook->webhook.type]);
}

bool bb_standing_forbids(struct bb_dispatcher *d, struct bb_hook *hook, int64_t now_ms,
                         bb_outcome *outcome) {
    char label[104];
    bb_webhook_label(&hook->webhook, label);
    pthread_mutex_lock(&d->standing_lock);
    int64_t wait = paused_until(d, hook) - now_ms;
    bool is_disabled = hook->is_disabled;
    const char *reason = hook->reason ? hook->reason : "as an earlier answer asked";
    if (is_disabled) {
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
    pthread_mutex_lock(&d->standing_lock);
    int64_t until = paused_until(d, hook);
    status->paused_until_ms = until > now_ms ? until : 0;
    status->disabled = hook->is_disabled;
    if ((status->disabled || status->paused_until_ms) && hook->reason)
        snprintf(status->reason, sizeof status->reason, "%s", hook->reason);
    pthread_mutex_unlock(&d->standing_lock);
}
