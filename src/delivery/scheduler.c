#include "delivery/scheduler.h"

/* ---- rings ---- */

static void push(struct bb_ring *ring, struct bb_lane *lane) {
    lane->next = NULL;
    lane->place = BB_LANE_WAITING;
    if (ring->last)
        ring->last->next = lane;
    else
        ring->first = lane;
    ring->last = lane;
}

static struct bb_lane *pop(struct bb_ring *ring) {
    struct bb_lane *lane = ring->first;
    ring->first = lane->next;
    if (!ring->first)
        ring->last = NULL;
    return lane;
}

/* ---- slots ---- */

static uint32_t at_least_one(uint32_t n) {
    return n ? n : 1;
}

static bool has_unknown_slot(const struct bb_scheduler *s) {
    uint32_t most = s->limits.max_in_flight;
    return s->slow_in_flight + s->unknown_in_flight < most - most / 4;
}

static bool has_slow_slot(const struct bb_scheduler *s) {
    uint32_t most = s->limits.max_in_flight;
    return s->slow_in_flight < at_least_one(most / 2) &&
           s->slow_in_flight + s->unknown_in_flight < most - most / 8;
}

/* ---- age ---- */

static void list_add(struct bb_scheduler *s, struct bb_flight *flight) {
    flight->older = s->youngest;
    flight->younger = NULL;
    if (s->youngest)
        s->youngest->younger = flight;
    else
        s->oldest = flight;
    s->youngest = flight;
}

static void list_remove(struct bb_scheduler *s, struct bb_flight *flight) {
    if (flight->older)
        flight->older->younger = flight->younger;
    else
        s->oldest = flight->younger;
    if (flight->younger)
        flight->younger->older = flight->older;
    else
        s->youngest = flight->older;
}

/* The counters of a kind follow what its lanes have under way. */
static void count_lane(struct bb_scheduler *s, const struct bb_flow *flow, int sign) {
    uint32_t change = (uint32_t)sign * flow->in_flight;
    if (!flow->is_known)
        s->unknown_in_flight += change;
    else if (flow->is_slow)
        s->slow_in_flight += change;
}

static void grow_old(struct bb_scheduler *s, int64_t now_ms) {
    while (s->oldest && now_ms - s->oldest->began_ms >= s->limits.slow_after_ms) {
        struct bb_flight *flight = s->oldest;
        struct bb_flow *flow = &flight->lane->flow;
        list_remove(s, flight);
        flight->is_old = true;
        flow->old_in_flight++;
        count_lane(s, flow, -1);
        flow->is_slow = true;
        count_lane(s, flow, 1);
    }
}

/* ---- next ---- */

static void give(struct bb_scheduler *s, struct bb_lane *lane, int64_t not_before_ms) {
    lane->place = BB_LANE_GIVEN;
    s->store->vtable->give(s->store, lane->queue, not_before_ms);
}

/* The end of a wait, or of the oldest one's life (what is put later lives longer), whichever comes
 * first. */
static int64_t end_of_wait(struct bb_scheduler *s, const struct bb_lane *lane, int64_t wait_ms,
                           int64_t now_ms) {
    int64_t end = wait_ms > INT64_MAX - now_ms ? INT64_MAX : now_ms + wait_ms;
    int64_t oldest = s->store->vtable->oldest_ms(s->store, lane->queue);
    int64_t expires = bb_retry_expires_ms(&lane->rules, oldest == INT64_MAX ? now_ms : oldest);
    return expires < end ? expires : end;
}

/* Until something of it ends. */
static void keep_busy(struct bb_scheduler *s, struct bb_lane *lane) {
    lane->place = BB_LANE_BUSY;
    s->busy++;
}

static void wait_for_rate(struct bb_scheduler *s, struct bb_lane *lane, int64_t until_ms) {
    lane->is_rate_waiting = true;
    s->rate_waiting++;
    if (until_ms > s->rate_until_ms)
        s->rate_until_ms = until_ms;
}

static void put_off(struct bb_scheduler *s, struct bb_lane *lane, struct bb_flow_state state,
                    int64_t now_ms) {
    if (state.stop == BB_FLOW_BUSY && lane->flow.window.open > 0) {
        keep_busy(s, lane);
        return;
    }
    if (state.stop == BB_FLOW_RATE)
        wait_for_rate(s, lane, now_ms + state.wait_ms);
    give(s, lane, end_of_wait(s, lane, state.wait_ms, now_ms));
}

static struct bb_delivery *claim_expired(struct bb_scheduler *s, struct bb_lane *lane,
                                         int64_t now_ms) {
    if (lane->rules.age_limit_ms == 0)
        return NULL;
    return s->store->vtable->claim_older(s->store, lane->queue,
                                         now_ms - lane->rules.age_limit_ms + 1);
}

/* A lane whose flow is free: what is due of it, if there is a slot of its kind. */
static enum bb_due claim_due(struct bb_scheduler *s, struct bb_lane *lane, int64_t now_ms,
                             struct bb_delivery **delivery) {
    if (lane->flow.is_known && lane->flow.is_slow && !has_slow_slot(s)) {
        push(&s->slow, lane);
        return BB_DUE_NOTHING;
    }
    if (!lane->flow.is_known && !has_unknown_slot(s)) {
        push(&s->unknown, lane);
        return BB_DUE_NOTHING;
    }
    *delivery = s->store->vtable->claim(s->store, lane->queue, now_ms);
    give(s, lane, 0);
    if (!*delivery)
        return BB_DUE_NOTHING;
    const struct bb_retry_history *history = &(*delivery)->history;
    if (bb_retry_expires_ms(&lane->rules, history->enqueued_ms) <= now_ms)
        return BB_DUE_EXPIRED;
    return history->claims > BB_RETRY_CLAIMS_MAX ? BB_DUE_FATAL : BB_DUE_ATTEMPT;
}

static enum bb_due empty_removed(struct bb_scheduler *s, struct bb_lane *lane,
                                 struct bb_delivery **delivery) {
    const struct bb_store_vtable *store = s->store->vtable;
    if (!store->keeps_rows)
        *delivery = store->claim_older(s->store, lane->queue, INT64_MAX);
    if (*delivery) {
        give(s, lane, 0);
        store->wake(s->store, lane->queue); /* for the others, due or not, and to be closed */
        return BB_DUE_REMOVED;
    }
    if (lane->flow.in_flight > 0) {
        keep_busy(s, lane);
        return BB_DUE_NOTHING;
    }
    if (lane->puts > 0) {
        give(s, lane, 0);
        return BB_DUE_NOTHING;
    }
    store->close(s->store, lane->queue);
    lane->queue = NULL;
    return BB_DUE_CLOSED;
}

static enum bb_due look_at(struct bb_scheduler *s, struct bb_lane *lane, int64_t now_ms,
                           struct bb_delivery **delivery) {
    s->rate_waiting -= lane->is_rate_waiting;
    lane->is_rate_waiting = false;
    if (lane->is_removed)
        return empty_removed(s, lane, delivery);
    struct bb_flow_state state = bb_flow_state(&lane->flow, now_ms);
    if (state.stop == BB_FLOW_FREE)
        return claim_due(s, lane, now_ms, delivery);
    *delivery = claim_expired(s, lane, now_ms);
    if (*delivery) {
        give(s, lane, 0);
        return BB_DUE_EXPIRED;
    }
    put_off(s, lane, state, now_ms);
    return BB_DUE_NOTHING;
}

/* One that waited for its kind of slot has waited longest. */
static struct bb_lane *take(struct bb_scheduler *s, int64_t now_ms) {
    if (s->slow.first && has_slow_slot(s))
        return pop(&s->slow);
    if (s->unknown.first && has_unknown_slot(s))
        return pop(&s->unknown);
    struct bb_queue *queue = s->store->vtable->take(s->store, now_ms);
    return queue ? queue->owner : NULL;
}

enum bb_due bb_scheduler_next(struct bb_scheduler *s, int64_t now_ms, struct bb_delivery **delivery,
                              struct bb_lane **lane) {
    enum bb_due due = BB_DUE_NOTHING;
    *delivery = NULL;
    grow_old(s, now_ms);
    while (due == BB_DUE_NOTHING && s->in_flight < s->limits.max_in_flight &&
           (*lane = take(s, now_ms)))
        due = look_at(s, *lane, now_ms, delivery);
    return due;
}

/* ---- begin and end ---- */

void bb_scheduler_begin(struct bb_scheduler *s, struct bb_flight *flight,
                        struct bb_delivery *delivery, int64_t now_ms) {
    struct bb_lane *lane = delivery->queue->owner;
    flight->lane = lane;
    flight->delivery = delivery;
    flight->began_ms = now_ms;
    flight->is_old = false;
    list_add(s, flight);
    count_lane(s, &lane->flow, -1);
    lane->flow.in_flight++;
    count_lane(s, &lane->flow, 1);
    bb_window_begin(&lane->flow.window);
    s->in_flight++;
}

struct bb_flow_news bb_scheduler_note(struct bb_scheduler *s, struct bb_lane *lane,
                                      const struct bb_flow_rules *rules, const bb_outcome *outcome,
                                      bool counts, int64_t now_ms) {
    bool was_broken = bb_breaker_is_probing(&lane->flow.breaker);
    count_lane(s, &lane->flow, -1);
    struct bb_flow_news news = bb_flow_note(&lane->flow, rules, outcome, counts, now_ms);
    count_lane(s, &lane->flow, 1);
    if (was_broken && !bb_breaker_is_probing(&lane->flow.breaker))
        s->store->vtable->wake(s->store, lane->queue);
    return news;
}

void bb_scheduler_end(struct bb_scheduler *s, struct bb_flight *flight, bool is_sent,
                      bool is_answered, int64_t now_ms) {
    struct bb_lane *lane = flight->lane;
    struct bb_flow *flow = &lane->flow;
    grow_old(s, now_ms); /* it may be old, and nobody has looked since */
    count_lane(s, flow, -1);
    if (flight->is_old)
        flow->old_in_flight--;
    else
        list_remove(s, flight);
    flow->in_flight--;
    s->in_flight--;
    if (is_answered && !flight->is_old && flow->old_in_flight == 0)
        flow->is_slow = false;
    count_lane(s, flow, 1);
    bb_window_end(&flow->window, is_sent, now_ms);
    bb_scheduler_unblock(s, lane);
}

void bb_scheduler_unblock(struct bb_scheduler *s, struct bb_lane *lane) {
    if (lane->place != BB_LANE_BUSY)
        return;
    s->busy--;
    give(s, lane, 0);
    if (lane->is_removed)
        s->store->vtable->wake(s->store, lane->queue); /* to be closed */
}

void bb_scheduler_wake(struct bb_scheduler *s, struct bb_lane *lane) {
    bb_scheduler_unblock(s, lane);
    if (lane->queue)
        s->store->vtable->wake(s->store, lane->queue);
}

/* ---- waiting ---- */

static bool has_turn_in_ring(const struct bb_scheduler *s) {
    return (s->slow.first && has_slow_slot(s)) || (s->unknown.first && has_unknown_slot(s));
}

int64_t bb_scheduler_wake_ms(struct bb_scheduler *s, int64_t now_ms) {
    if (s->in_flight >= s->limits.max_in_flight)
        return INT64_MAX;
    return has_turn_in_ring(s) ? now_ms : s->store->vtable->next_ms(s->store, now_ms);
}

bool bb_scheduler_is_idle(struct bb_scheduler *s, int64_t now_ms) {
    const struct bb_store_vtable *store = s->store->vtable;
    if (s->in_flight > 0 || s->busy > 0 || s->slow.first || s->unknown.first ||
        store->next_ms(s->store, now_ms) <= now_ms ||
        (store->owes && store->owes(s->store, now_ms)))
        return false;
    return s->rate_waiting == 0 || s->rate_until_ms <= now_ms ||
           store->counts(s->store).waiting == 0;
}
