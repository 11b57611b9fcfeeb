/* Looking inside: what has come of everything so far. */
#include "api/stats.h"

static const int64_t bounds_ms[BB_LATENCY_BUCKETS] = {
    5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 1800000, INT64_MAX,
};

int64_t bb_latency_bound_ms(size_t bucket) {
    return bucket < BB_LATENCY_BUCKETS ? bounds_ms[bucket] : -1;
}

static void fill_in_counters(bb_stats *stats, const struct bb_counters *counters) {
    stats->enqueued = counters->enqueued;
    stats->delivered = counters->delivered;
    stats->dead = counters->dead;
    stats->attempts = counters->attempts;
    stats->sent = counters->sent;
    stats->retried = counters->retried;
    stats->unknown = counters->unknown;
}

static void count_state(bb_stats *stats, const struct bb_flow *flow, int64_t now_ms) {
    stats->webhooks_disabled += flow->is_disabled;
    stats->webhooks_broken += bb_breaker_is_probing(&flow->breaker);
    stats->webhooks_paused += bb_flow_pause_left(flow, now_ms) > 0;
}

static void fill_in_all(struct bb_dispatcher *d, bb_stats *stats, int64_t now_ms) {
    uint64_t dropped = atomic_load(&d->dropped);
    struct bb_store_counts counts = d->store->vtable->counts(d->store);
    fill_in_counters(stats, &d->totals);
    stats->waiting = counts.waiting;
    stats->waiting_bytes = counts.bytes;
    stats->in_flight = counts.claimed;
    stats->dropped = dropped;
    /* another thread may have put one that it has not counted yet */
    stats->enqueued =
        stats->waiting + stats->in_flight + stats->delivered + stats->dead + stats->dropped;
    stats->refused = atomic_load(&d->refused);
    stats->latency_sum_ms = d->latency.sum_ms;
    for (size_t i = 0; i < BB_LATENCY_BUCKETS; i++)
        stats->latency[i] = d->latency.counts[i];
    for (struct bb_standing *s = d->standings; s; s = s->next)
        count_state(stats, &s->lane.flow, now_ms);
}

static void fill_in_one(struct bb_dispatcher *d, const struct bb_standing *standing,
                        bb_stats *stats, int64_t now_ms) {
    fill_in_counters(stats, &standing->counters);
    if (standing->lane.queue)
        stats->waiting = d->store->vtable->waiting(d->store, standing->lane.queue);
    stats->in_flight = standing->lane.flow.in_flight;
    stats->dropped = atomic_load(&standing->dropped);
    count_state(stats, &standing->lane.flow, now_ms);
}

void bb_stats_of(struct bb_dispatcher *d, struct bb_hook *hook, bb_stats *stats) {
    int64_t now_ms = bb_dispatcher_ticks(d);
    *stats = (bb_stats)BB_STATS_INIT;
    pthread_mutex_lock(&d->lock);
    if (!hook)
        fill_in_all(d, stats, now_ms);
    else if (hook->standing)
        fill_in_one(d, hook->standing, stats, now_ms);
    pthread_mutex_unlock(&d->lock);
}

int bb_dispatcher_stats(bb_dispatcher *dispatcher, const char *webhook_id, bb_stats *stats,
                        bb_error *error) {
    bb_stats own;
    struct bb_hook *hook = NULL;
    int code = bb_dispatcher_check(dispatcher, error);
    if (code)
        return code;
    if (webhook_id && !(hook = bb_registry_find(dispatcher->registry, webhook_id)))
        return bb_registry_missing(webhook_id, error);
    bb_stats_of(dispatcher, hook, &own);
    bb_hook_release(hook);
    return bb_struct_write(stats, &own, sizeof own, "stats", error);
}
