/* What follows from an outcome: the delivery is settled or tried again, counted, told. */
#include <stdio.h>
#include <string.h>

#include "api/courier.h"
#include "delivery/identity.h"
#include "event/webhook.h"

/* What is told of one delivery or webhook, once nothing is locked any more. */
struct telling {
    struct bb_courier *courier;
    const struct bb_hook *hook;
    bb_attempt_report attempt;
};

/* ---- telling */

static void tell(const struct telling *telling, bb_notice notice) {
    const bb_background_options *options = &telling->courier->dispatcher->settings.background;
    if (!options->notify)
        return;
    if (telling->hook) {
        notice.webhook_id = telling->hook->webhook.id;
        notice.webhook_name = bb_webhook_called(&telling->hook->webhook);
    }
    options->notify(options->notify_user, &notice);
    telling->courier->now = bb_dispatcher_moment(telling->courier->dispatcher);
}

static void tell_attempt(const struct telling *telling, bb_notice_kind kind, int64_t wait_ms) {
    bb_notice notice = BB_NOTICE_INIT;
    notice.kind = kind;
    notice.attempt = &telling->attempt;
    notice.text = telling->attempt.outcome->text;
    notice.wait_ms = wait_ms;
    tell(telling, notice);
}

static void tell_webhook(const struct telling *telling, bb_notice_kind kind, int64_t wait_ms,
                         const char *text) {
    bb_notice notice = BB_NOTICE_INIT;
    notice.kind = kind;
    notice.text = text;
    notice.wait_ms = wait_ms;
    tell(telling, notice);
}

static void log_outcome(const struct bb_dispatcher *d, const bb_outcome *outcome, bool again) {
    bb_level level = outcome->verdict == BB_DELIVERED ? BB_INFO : again ? BB_WARN : BB_ERROR;
    bb_settings_log(&d->settings, level, outcome->text);
}

/* A sentence about the webhook itself, which is logged. */
static const char *log_webhook(const struct telling *telling, const char *what, char line[256]) {
    char label[104];
    snprintf(line, 256, "webhook \"%s\": %s", bb_webhook_label(&telling->hook->webhook, label),
             what);
    bb_settings_log(&telling->courier->dispatcher->settings, BB_WARN, line);
    return line;
}

/* News of the webhook. The text is the outcome's, but of a recovery. */
static void tell_news(const struct telling *telling, const struct bb_flow_news *news,
                      bool type_paused, int64_t wait_ms) {
    const bb_outcome *outcome = telling->attempt.outcome;
    char line[256];
    if (news->is_disabled || news->is_given_up) {
        log_webhook(
            telling,
            news->is_given_up ? "disabled, it was without success for too long" : "disabled", line);
        tell_webhook(telling, BB_NOTICE_DISABLED, 0, outcome->text);
    } else if (news->is_broken || news->is_paused || type_paused) {
        log_webhook(telling, news->is_broken ? "the circuit breaker is open" : "paused", line);
        tell_webhook(telling, BB_NOTICE_PAUSED, wait_ms, outcome->text);
    } else if (news->is_recovered) {
        tell_webhook(telling, BB_NOTICE_RECOVERED, 0,
                     log_webhook(telling, "it takes messages again", line));
    }
}

/* ---- the books */

static void count_latency(struct bb_latency *latency, int64_t ms) {
    size_t bucket = 0;
    while (ms > bb_latency_bound_ms(bucket))
        bucket++;
    latency->counts[bucket]++;
    latency->sum_ms += (uint64_t)ms;
}

static void count_in(struct bb_counters *counters, const bb_outcome *outcome, bool is_sent,
                     bool again) {
    counters->attempts++;
    counters->sent += is_sent;
    counters->unknown += outcome->verdict == BB_UNKNOWN;
    counters->delivered += outcome->verdict == BB_DELIVERED;
    counters->retried += again;
    counters->dead += !again && outcome->verdict != BB_DELIVERED;
}

static void count(struct bb_dispatcher *d, struct bb_standing *standing, const bb_outcome *outcome,
                  bool is_sent, bool again) {
    count_in(&d->totals, outcome, is_sent, again);
    count_in(&standing->counters, outcome, is_sent, again);
}

/* ---- an attempt */

static void fill_in_times(bb_attempt_report *row, const struct bb_courier_flight *flight) {
    const struct bb_transfer *transfer = &flight->transfer;
    row->duration_ms = flight->courier->now.monotonic_ms - flight->began_ms;
    row->dns_us = flight->dns_us ? flight->dns_us : transfer->dns_us;
    row->sent = transfer->is_sent;
    row->connect_us = transfer->connect_us;
    row->tls_us = transfer->tls_us;
    row->first_byte_us = transfer->first_byte_us;
    row->total_us = transfer->total_us;
    row->reused_connection = transfer->is_reused;
}

static bb_attempt_report report_of(const struct bb_hook *hook, const bb_event *event,
                                   const bb_outcome *outcome) {
    return (bb_attempt_report){
        .struct_size = sizeof(bb_attempt_report),
        .webhook_id = hook->webhook.id,
        .webhook_name = bb_webhook_called(&hook->webhook),
        .event_id = event->id,
        .type = hook->webhook.type,
        .activity = event->activity,
        .outcome = outcome,
    };
}

static void add_words(bb_outcome *outcome, const char *words) {
    size_t used = strlen(outcome->text);
    if (!words)
        return;
    snprintf(outcome->text + used, sizeof outcome->text - used, "; %s", words);
    bb_text_safe(outcome->text);
}

/* What is done under the lock, and told after it. */
struct ending {
    struct bb_retry_decision decision;
    struct bb_flow_news news;
    bool type_paused;
    int64_t pause_ms;
};

static struct bb_retry_decision decide(struct bb_courier_flight *flight, const bb_outcome *outcome,
                                       int64_t now_ms) {
    const struct bb_dispatcher *d = flight->courier->dispatcher;
    struct bb_retry_history *history = &flight->face.delivery->history;
    history->attempts++;
    struct bb_retry_decision decision =
        bb_retry_decide(&d->schedule, &flight->standing->lane.rules, history, outcome, now_ms,
                        bb_retry_chance(&flight->courier->chance));
    if (decision.again && flight->standing->lane.is_removed && !d->store->vtable->keeps_rows)
        decision = (struct bb_retry_decision){.why_not = "the webhook was removed"};
    return decision;
}

static void settle(struct bb_courier_flight *flight, const struct bb_retry_decision *decision,
                   const bb_outcome *outcome) {
    struct bb_store *store = flight->courier->dispatcher->store;
    const struct bb_result result = {
        .outcome = outcome,
        .duration_ms = flight->courier->now.monotonic_ms - flight->began_ms,
    };
    store->vtable->settle(store, flight->face.delivery,
                          decision->again ? BB_SETTLED_RETRY : BB_SETTLED, decision->due_ms,
                          outcome ? &result : NULL);
}

static int64_t pause_of(const struct bb_flow *flow, int64_t now_ms) {
    int64_t pause = bb_flow_pause_left(flow, now_ms);
    int64_t broken = bb_breaker_wait(&flow->breaker, now_ms);
    return pause > broken ? pause : broken;
}

static struct ending enter(struct bb_courier_flight *flight, const bb_outcome *outcome,
                           int64_t now_ms) {
    struct bb_dispatcher *d = flight->courier->dispatcher;
    struct bb_standing *standing = flight->standing;
    struct ending ending = {.decision = decide(flight, outcome, now_ms)};
    bool is_sent = flight->transfer.is_sent;
    ending.news = bb_standing_take_in(d, standing, flight->hook, outcome, !flight->is_abandoned,
                                      now_ms, &ending.type_paused);
    ending.pause_ms = pause_of(&standing->lane.flow, now_ms);
    count(d, standing, outcome, is_sent, ending.decision.again);
    if (outcome->verdict == BB_DELIVERED)
        count_latency(&d->latency, now_ms - flight->face.delivery->history.enqueued_ms);
    settle(flight, &ending.decision, outcome);
    bb_scheduler_end(&d->scheduler, &flight->face, is_sent, outcome->http_status != 0, now_ms);
    return ending;
}

void bb_ending_of_flight(struct bb_courier_flight *flight, bb_outcome *outcome) {
    struct bb_dispatcher *d = flight->courier->dispatcher;
    int64_t now_ms = flight->courier->now.ticks_ms;
    struct telling telling = {.courier = flight->courier, .hook = flight->hook};
    telling.attempt = report_of(flight->hook, flight->kept->batch.event, outcome);
    telling.attempt.delivery_id = flight->delivery_id;
    telling.attempt.attempt = (int)flight->face.delivery->history.attempts + 1;
    fill_in_times(&telling.attempt, flight);
    pthread_mutex_lock(&d->lock);
    struct ending ending = enter(flight, outcome, now_ms);
    pthread_mutex_unlock(&d->lock);
    const struct bb_retry_decision *decision = &ending.decision;
    add_words(outcome, decision->why_not);
    log_outcome(d, outcome, decision->again);
    tell_attempt(&telling,
                 decision->again                    ? BB_NOTICE_RETRYING
                 : outcome->verdict == BB_DELIVERED ? BB_NOTICE_DELIVERED
                                                    : BB_NOTICE_DEAD,
                 decision->again ? decision->due_ms - now_ms : 0);
    tell_news(&telling, &ending.news, ending.type_paused, ending.pause_ms);
}

/* ---- no attempt */

void bb_ending_put_off(struct bb_courier_flight *flight, int64_t wait_ms) {
    struct bb_dispatcher *d = flight->courier->dispatcher;
    int64_t now_ms = flight->courier->now.ticks_ms;
    struct bb_retry_decision later = {.again = true, .due_ms = now_ms + wait_ms};
    pthread_mutex_lock(&d->lock);
    settle(flight, &later, NULL);
    bb_scheduler_end(&d->scheduler, &flight->face, false, false, now_ms);
    pthread_mutex_unlock(&d->lock);
}

/* Retained: it may be replaced at any time. */
static struct bb_hook *present_hook(struct bb_dispatcher *d, const struct bb_standing *standing) {
    pthread_mutex_lock(&d->lock);
    struct bb_hook *hook = bb_hook_retain(standing->hook);
    pthread_mutex_unlock(&d->lock);
    return hook;
}

/* A delivery that ends without an attempt. */
struct burial {
    struct bb_delivery *delivery;
    struct bb_flight *face; /* NULL: it was not begun */
    const struct bb_hook *hook;
    bb_outcome outcome;
};

static void print_outcome(struct burial *burial, bb_verdict verdict, const char *what,
                          const char *why) {
    bb_outcome *outcome = &burial->outcome;
    char label[104];
    *outcome = (bb_outcome)BB_OUTCOME_INIT;
    outcome->verdict = verdict;
    snprintf(outcome->text, sizeof outcome->text, "webhook \"%s\": %s%s",
             bb_webhook_label(&burial->hook->webhook, label), what, why);
    bb_text_safe(outcome->text);
}

static void print_why(struct burial *burial, enum bb_due why) {
    char claims[64];
    if (why == BB_DUE_FATAL) {
        snprintf(claims, sizeof claims, "%u processes ended while they had it",
                 (unsigned)burial->delivery->history.claims - 1);
        print_outcome(burial, BB_UNKNOWN, "not sent again, ", claims);
        return;
    }
    print_outcome(burial, BB_DEAD, "not sent, ",
                  why == BB_DUE_EXPIRED ? "it has become too old" : "the webhook was removed");
}

static void enter_dead(struct bb_dispatcher *d, const struct burial *burial, int64_t now_ms) {
    struct bb_standing *standing = burial->delivery->queue->owner;
    const struct bb_result result = {.outcome = &burial->outcome, .duration_ms = -1};
    pthread_mutex_lock(&d->lock);
    d->store->vtable->settle(d->store, burial->delivery, BB_SETTLED, 0, &result);
    if (burial->face)
        bb_scheduler_end(&d->scheduler, burial->face, false, false, now_ms);
    d->totals.dead++;
    standing->counters.dead++;
    pthread_mutex_unlock(&d->lock);
}

/* What cannot be read has no id to be told. */
static void bury(struct bb_courier *courier, struct burial *burial) {
    static const bb_event nothing = {.id = ""};
    struct bb_dispatcher *d = courier->dispatcher;
    struct bb_parcel *parcel = bb_parcel_retain(burial->delivery->parcel);
    const bb_event *event = bb_parcel_open(parcel, NULL);
    struct telling telling = {.courier = courier, .hook = burial->hook};
    struct bb_arena arena;
    bb_arena_init(&arena, &d->settings.mem);
    telling.attempt = report_of(burial->hook, event ? event : &nothing, &burial->outcome);
    telling.attempt.delivery_id =
        bb_identity_of_delivery(&arena, telling.attempt.event_id, burial->hook->webhook.id);
    telling.attempt.attempt = (int)burial->delivery->history.attempts;
    telling.attempt.not_made = 1;
    enter_dead(d, burial, courier->now.ticks_ms);
    log_outcome(d, &burial->outcome, false);
    tell_attempt(&telling, BB_NOTICE_DEAD, 0);
    bb_arena_free(&arena);
    bb_parcel_release(parcel);
}

void bb_ending_without_attempt(struct bb_courier *courier, struct bb_delivery *delivery,
                               enum bb_due why) {
    struct bb_hook *hook = present_hook(courier->dispatcher, delivery->queue->owner);
    struct burial burial = {.delivery = delivery, .hook = hook};
    print_why(&burial, why);
    bury(courier, &burial);
    bb_hook_release(hook);
}

void bb_ending_unreadable(struct bb_courier_flight *flight, const bb_error *error) {
    struct burial burial = {
        .delivery = flight->face.delivery, .face = &flight->face, .hook = flight->hook};
    print_outcome(&burial, BB_DEAD, "not sent, its event cannot be read: ", error->text);
    bury(flight->courier, &burial);
}

/* ---- losses */

static void tell_drops(struct bb_courier *courier, struct bb_hook *hook, uint64_t count) {
    struct telling telling = {.courier = courier, .hook = hook};
    bb_notice notice = BB_NOTICE_INIT;
    char line[256];
    notice.kind = BB_NOTICE_DROPPED;
    notice.count = count;
    notice.text =
        log_webhook(&telling, "the outbox is full: what had waited longest was dropped", line);
    tell(&telling, notice);
}

/* Where to go on looking after `last` (retained), which may have been removed meanwhile. */
static struct bb_standing *standing_after(const struct bb_dispatcher *d,
                                          const struct bb_hook *last) {
    const struct bb_standing *standing = last ? last->standing : NULL;
    return standing && standing->hook ? standing->next : d->standings;
}

/* The next webhook of which drops have not been told, with their count. */
static struct bb_hook *next_drops(struct bb_dispatcher *d, const struct bb_hook *last,
                                  uint64_t *count) {
    struct bb_hook *hook = NULL;
    pthread_mutex_lock(&d->lock);
    for (struct bb_standing *s = standing_after(d, last); s && !hook; s = s->next) {
        *count = atomic_load(&s->dropped) - s->dropped_told;
        s->dropped_told += *count;
        hook = *count ? bb_hook_retain(s->hook) : NULL;
    }
    pthread_mutex_unlock(&d->lock);
    return hook;
}

static void tell_refusals(struct bb_courier *courier, uint64_t count) {
    struct telling telling = {.courier = courier};
    bb_notice notice = BB_NOTICE_INIT;
    notice.kind = BB_NOTICE_FULL;
    notice.count = count;
    notice.text = "the outbox is full: events were refused";
    bb_settings_log(&courier->dispatcher->settings, BB_ERROR, notice.text);
    tell(&telling, notice);
}

static void tell_all_drops(struct bb_courier *courier) {
    struct bb_hook *last = NULL, *hook;
    uint64_t count;
    while ((hook = next_drops(courier->dispatcher, last, &count))) {
        tell_drops(courier, hook, count);
        bb_hook_release(last);
        last = hook;
    }
    bb_hook_release(last);
}

void bb_ending_tell_losses(struct bb_courier *courier) {
    struct bb_dispatcher *d = courier->dispatcher;
    uint64_t dropped = atomic_load(&d->dropped), refused = atomic_load(&d->refused);
    if (dropped != courier->dropped_told) {
        courier->dropped_told = dropped;
        tell_all_drops(courier);
    }
    if (refused != courier->refused_told) {
        tell_refusals(courier, refused - courier->refused_told);
        courier->refused_told = refused;
    }
}
