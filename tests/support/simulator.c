#include "support/simulator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "driver/store_memory.h"
#include "endpoint/endpoint.h"
#include "support/alloc.h"

enum { SECOND = 1000, DAY = 24 * 60 * 60 * SECOND, RECORDS = 400000, HOOKS = 2000 };

sim world;

typedef struct flight {
    struct bb_flight face; /* first */
    struct bb_heap_node end;
    sim_reply reply;
} flight;

/* ---- replies ---- */

sim_reply sim_success(int64_t latency_ms) {
    return (sim_reply){.latency_ms = latency_ms,
                       .outcome = {.verdict = BB_DELIVERED, .http_status = 200}};
}

sim_reply sim_failure(int64_t latency_ms) {
    return (sim_reply){.latency_ms = latency_ms,
                       .outcome = {.verdict = BB_RETRY, .http_status = 503}};
}

sim_reply sim_timeout(void) {
    return (sim_reply){.latency_ms = 15 * SECOND, .outcome = {.verdict = BB_UNKNOWN}};
}

uint64_t sim_below(uint64_t most) {
    return bb_retry_chance(&world.chance) % most;
}

/* ---- life ---- */

static void *zeroed(size_t count, size_t size) {
    void *block = calloc(count, size);
    assert_non_null(block);
    return block;
}

void sim_begin(uint32_t max_in_flight, uint64_t seed) {
    struct bb_store_memory_config config = {
        .mem = alloc_library(), .max_deliveries = RECORDS, .max_bytes = UINT64_C(1) << 40};
    assert_int_equal(sim_end(NULL), 0); /* the one before */
    world = (sim){.now_ms = 1000, .chance = seed};
    world.store = bb_store_memory_new(&config);
    world.scheduler = (struct bb_scheduler){
        .limits = {.max_in_flight = max_in_flight, .slow_after_ms = 100}, .store = world.store};
    world.schedule = (struct bb_retry_schedule){bb_retry_delays_ms, bb_retry_delay_count, true};
    world.rules = (struct bb_flow_rules){
        .breaker = {.failures = 5, .percent = 70, .open_ms = 30000, .open_max_ms = 600000},
        .disable_after_ms = INT64_C(5) * DAY,
        .disable_failures = 5,
    };
    world.hooks = zeroed(HOOKS, sizeof *world.hooks);
    world.records = zeroed(RECORDS, sizeof *world.records);
}

static void free_flights(void) {
    while (world.flights.root) {
        flight *f = (flight *)((char *)world.flights.root - offsetof(flight, end));
        bb_heap_remove(&world.flights, &f->end);
        bb_scheduler_end(&world.scheduler, &f->face, true, false, world.now_ms);
        world.store->vtable->settle(world.store, f->face.delivery, BB_SETTLED, 0, NULL);
        free(f);
    }
}

int sim_end(void **state) {
    (void)state;
    if (!world.store)
        return 0;
    free_flights();
    world.store->vtable->free(world.store);
    for (size_t i = 0; i < world.hook_count; i++) {
        bb_flow_free(&world.hooks[i]->lane.flow, alloc_library());
        free(world.hooks[i]);
    }
    free(world.hooks);
    free(world.records);
    world = (sim){0};
    return alloc_live() == 0 ? 0 : -1;
}

void sim_configure(sim_hook *hook) {
    const struct bb_endpoint *endpoint = bb_endpoint_of(hook->webhook.type);
    uint32_t age_s = hook->webhook.age_limit_s ? hook->webhook.age_limit_s : endpoint->age_limit_s;
    hook->lane.rules = (struct bb_retry_rules){
        .when_unknown = endpoint->is_idempotent ? BB_UNKNOWN_RETRY : BB_UNKNOWN_ONCE_MORE,
        .max_attempts = hook->webhook.max_attempts,
        .age_limit_ms = INT64_C(1000) * age_s,
    };
    assert_true(bb_flow_configure(&hook->lane.flow, alloc_library(), &hook->webhook));
}

sim_hook *sim_add(bb_type type, sim_receiver receiver) {
    assert_true(world.hook_count < HOOKS);
    sim_hook *hook = zeroed(1, sizeof *hook);
    hook->webhook = (bb_webhook)BB_WEBHOOK_INIT;
    hook->webhook.type = type;
    hook->receiver = receiver;
    hook->index = world.hook_count;
    hook->lane.flow.type_pause = &world.type_pause;
    sim_configure(hook);
    hook->lane.queue = world.store->vtable->open(world.store, "hook", &hook->lane);
    assert_non_null(hook->lane.queue);
    world.hooks[world.hook_count++] = hook;
    return hook;
}

/* ---- what a host does ---- */

static void put_one(sim_hook *hook) {
    bb_event event = BB_EVENT_INIT;
    event.created_ts = (int64_t)world.record_count;
    struct bb_put put = {hook->lane.queue, hook->order_key};
    struct bb_put_event one = {.event = &event, .puts = &put, .count = 1};
    assert_true(world.record_count < RECORDS);
    world.records[world.record_count++] =
        (sim_record){.hook = hook, .put_ms = world.now_ms, .first_ms = -1, .end_ms = -1};
    assert_int_equal(
        world.store->vtable->put(world.store, NULL, &one, 1, world.now_ms, world.now_ms, NULL),
        BB_OK);
}

size_t sim_put(sim_hook *hook, size_t count) {
    size_t first = world.record_count;
    while (count-- > 0)
        put_one(hook);
    return first;
}

void sim_clear(sim_hook *hook) {
    bb_flow_clear(&hook->lane.flow);
    bb_scheduler_wake(&world.scheduler, &hook->lane);
}

void sim_remove(sim_hook *hook) {
    hook->lane.is_removed = true;
    bb_scheduler_wake(&world.scheduler, &hook->lane);
}

bool sim_is_idle(void) {
    return bb_scheduler_is_idle(&world.scheduler, world.now_ms);
}

/* ---- the end of a delivery ---- */

static sim_record *record_of(const struct bb_delivery *delivery) {
    return &world.records[delivery->parcel->event->created_ts];
}

static void end_delivery(struct bb_delivery *delivery) {
    sim_record *record = record_of(delivery);
    size_t number = (size_t)(record - world.records);
    assert_int_equal(record->end_ms, -1); /* once */
    record->end_ms = world.now_ms;
    world.ended++;
    if (record->hook->order_key)
        record->hook->last_ended = number;
    world.store->vtable->settle(world.store, delivery, BB_SETTLED, 0, NULL);
}

static void end_without_attempt(struct bb_delivery *delivery, enum bb_due due) {
    sim_hook *hook = record_of(delivery)->hook;
    int64_t age = world.now_ms - delivery->history.enqueued_ms;
    assert_ptr_equal(hook, delivery->queue->owner);
    hook->expired += due == BB_DUE_EXPIRED;
    hook->removed += due == BB_DUE_REMOVED;
    assert_true(due == BB_DUE_REMOVED ? hook->lane.is_removed
                                      : age >= hook->lane.rules.age_limit_ms);
    end_delivery(delivery);
}

/* ---- attempts ---- */

/* Nothing may be sent to it but what is sent now. */
static void check_begin(const sim_hook *hook, const sim_record *record) {
    const struct bb_flow *flow = &hook->lane.flow;
    assert_false(hook->lane.is_removed || hook->is_closed || flow->is_disabled);
    assert_int_equal(bb_flow_pause_left(flow, world.now_ms), 0);
    assert_int_equal(bb_breaker_wait(&flow->breaker, world.now_ms), 0);
    assert_true(flow->in_flight <= flow->most && flow->in_flight <= flow->room);
    assert_true(!bb_breaker_is_probing(&flow->breaker) || flow->in_flight == 1);
    assert_true(world.scheduler.in_flight <= world.scheduler.limits.max_in_flight);
    assert_true(hook->order_key == 0 || hook->last_ended <= (size_t)(record - world.records));
}

static void keep_most(sim_hook *hook) {
    const struct bb_scheduler *s = &world.scheduler;
    if (hook->lane.flow.in_flight > hook->most_at_once)
        hook->most_at_once = hook->lane.flow.in_flight;
    world.most_in_flight =
        s->in_flight > world.most_in_flight ? s->in_flight : world.most_in_flight;
    world.most_slow = s->slow_in_flight > world.most_slow ? s->slow_in_flight : world.most_slow;
    world.most_unknown =
        s->unknown_in_flight > world.most_unknown ? s->unknown_in_flight : world.most_unknown;
}

static void begin(struct bb_delivery *delivery) {
    sim_record *record = record_of(delivery);
    sim_hook *hook = record->hook;
    flight *f = zeroed(1, sizeof *f);
    bb_scheduler_begin(&world.scheduler, &f->face, delivery, world.now_ms);
    check_begin(hook, record);
    keep_most(hook);
    record->first_ms = record->first_ms < 0 ? world.now_ms : record->first_ms;
    hook->attempts++;
    f->reply = hook->receiver(hook);
    bb_heap_insert(&world.flights, &f->end, world.now_ms + f->reply.latency_ms, world.flown++);
}

static struct bb_retry_decision decide(flight *f) {
    struct bb_lane *lane = f->face.lane;
    f->face.delivery->history.attempts++;
    if (lane->is_removed)
        return (struct bb_retry_decision){.again = false};
    return bb_retry_decide(&world.schedule, &lane->rules, &f->face.delivery->history,
                           &f->reply.outcome, world.now_ms, bb_retry_chance(&world.chance));
}

/* As the dispatcher does it. */
static void end(flight *f) {
    sim_hook *hook = (sim_hook *)f->face.lane;
    const bb_outcome *outcome = &f->reply.outcome;
    struct bb_retry_decision decision = decide(f);
    bb_heap_remove(&world.flights, &f->end);
    bb_scheduler_note(&world.scheduler, f->face.lane, &world.rules, outcome, true, world.now_ms);
    if (outcome->advice == BB_ADVICE_PAUSE && outcome->whole_type)
        bb_flow_pause(&world.type_pause.until_ms, outcome->retry_after_ms, world.now_ms);
    hook->delivered += outcome->verdict == BB_DELIVERED;
    hook->dead += !decision.again && outcome->verdict != BB_DELIVERED;
    if (decision.again)
        world.store->vtable->settle(world.store, f->face.delivery, BB_SETTLED_RETRY,
                                    decision.due_ms, NULL);
    else
        end_delivery(f->face.delivery);
    bb_scheduler_end(&world.scheduler, &f->face, !f->reply.is_unsent, outcome->http_status != 0,
                     world.now_ms);
    free(f);
}

/* ---- time ---- */

static void do_due(void) {
    struct bb_delivery *delivery;
    struct bb_lane *lane;
    enum bb_due due;
    while ((due = bb_scheduler_next(&world.scheduler, world.now_ms, &delivery, &lane)) !=
           BB_DUE_NOTHING) {
        if (due == BB_DUE_ATTEMPT) {
            begin(delivery);
        } else if (due == BB_DUE_CLOSED) {
            assert_null(delivery);
            assert_false(((sim_hook *)lane)->is_closed);
            ((sim_hook *)lane)->is_closed = true;
        } else {
            end_without_attempt(delivery, due);
        }
    }
    assert_true(bb_scheduler_wake_ms(&world.scheduler, world.now_ms) > world.now_ms);
}

static void end_due(void) {
    struct bb_heap_node *node;
    while ((node = world.flights.root) && node->key <= world.now_ms)
        end((flight *)((char *)node - offsetof(flight, end)));
}

static int64_t next_ms(void) {
    int64_t wake = bb_scheduler_wake_ms(&world.scheduler, world.now_ms);
    int64_t ends = world.flights.root ? world.flights.root->key : INT64_MAX;
    return wake < ends ? wake : ends;
}

static void happen(int64_t until_ms) {
    for (;;) {
        end_due();
        do_due();
        int64_t next = next_ms();
        if (next > until_ms)
            return;
        world.now_ms = next > world.now_ms ? next : world.now_ms;
    }
}

void sim_run(int64_t until_ms) {
    happen(until_ms);
    world.now_ms = until_ms;
}

void sim_run_dry(void) {
    happen(INT64_MAX - 1);
}

/* ---- judging ---- */

void sim_check_counters(void) {
    const struct bb_scheduler *s = &world.scheduler;
    uint32_t slow = 0, unknown = 0, all = 0;
    for (size_t i = 0; i < world.hook_count; i++) {
        const struct bb_flow *flow = &world.hooks[i]->lane.flow;
        all += flow->in_flight;
        slow += flow->is_known && flow->is_slow ? flow->in_flight : 0;
        unknown += !flow->is_known ? flow->in_flight : 0;
    }
    assert_int_equal(s->in_flight, all);
    assert_int_equal(s->slow_in_flight, slow);
    assert_int_equal(s->unknown_in_flight, unknown);
}

void sim_must_be_over(void) {
    struct bb_store_counts counts = world.store->vtable->counts(world.store);
    sim_check_counters();
    assert_int_equal(world.scheduler.in_flight, 0);
    assert_int_equal(world.scheduler.slow_in_flight, 0);
    assert_int_equal(world.scheduler.unknown_in_flight, 0);
    assert_int_equal(world.scheduler.busy, 0);
    assert_null(world.scheduler.oldest);
    assert_int_equal(counts.waiting, 0);
    assert_int_equal(counts.claimed, 0);
    assert_int_equal(counts.bytes, 0);
    assert_int_equal(world.ended, world.record_count);
    assert_true(sim_is_idle());
}

static int compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int64_t sim_percentile(unsigned percent, bool (*has)(const sim_hook *hook)) {
    int64_t *times = zeroed(world.record_count + 1, sizeof *times), time;
    size_t count = 0;
    for (size_t i = 0; i < world.record_count; i++) {
        const sim_record *record = &world.records[i];
        if (has(record->hook))
            times[count++] = record->end_ms < 0 ? INT64_MAX : record->end_ms - record->put_ms;
    }
    qsort(times, count, sizeof *times, compare);
    time = times[count * percent / 100];
    free(times);
    return time;
}
