/*
 * Background delivery in virtual time: the real scheduler, flows, retries and store in memory;
 * receivers are functions. Time jumps from one thing that happens to the next. Whatever happens, it
 * checks that limits hold, that counters are right and that each delivery ends exactly once.
 */
#ifndef SUPPORT_SIMULATOR_H
#define SUPPORT_SIMULATOR_H

#include <stdbool.h>

#include "base/heap.h"
#include "delivery/scheduler.h"

typedef struct sim_reply {
    int64_t latency_ms;
    bb_outcome outcome; /* http_status 0: no answer */
    bool is_unsent;
} sim_reply;

typedef struct sim_hook sim_hook;
typedef sim_reply (*sim_receiver)(sim_hook *hook);

struct sim_hook {
    struct bb_lane lane; /* first */
    bb_webhook webhook;
    sim_receiver receiver;
    size_t index;
    uint64_t order_key; /* of all that is put for it */
    size_t last_ended;  /* record, when there is an order */
    uint32_t attempts, delivered, dead, expired, removed;
    uint32_t most_at_once;
    int state; /* the receiver's */
    bool is_closed;
};

/* One delivery. */
typedef struct sim_record {
    sim_hook *hook;
    int64_t put_ms;
    int64_t first_ms; /* of its first attempt; -1: none yet */
    int64_t end_ms;   /* -1: it waits, or is under way */
} sim_record;

typedef struct sim {
    struct bb_scheduler scheduler;
    struct bb_retry_schedule schedule;
    struct bb_flow_rules rules;
    struct bb_pause type_pause;
    struct bb_store *store;
    struct bb_heap flights; /* by when they end */
    sim_hook **hooks;
    size_t hook_count;
    sim_record *records;
    size_t record_count, ended;
    int64_t now_ms;
    uint64_t chance;
    uint64_t flown; /* flights, ever */
    uint32_t most_slow, most_unknown, most_in_flight;
} sim;

extern sim world;

/* A world without webhooks, at the usual settings but `max_in_flight`; ends one before it. The end
 * is cmocka's teardown. */
void sim_begin(uint32_t max_in_flight, uint64_t seed);
int sim_end(void **state);

/* A webhook; its struct may be changed before sim_configure reads it again. */
sim_hook *sim_add(bb_type type, sim_receiver receiver);
void sim_configure(sim_hook *hook);

/* Puts `count` deliveries; returns the first one's record. */
size_t sim_put(sim_hook *hook, size_t count);

/* Lets happen what happens until then; or until nothing more will. */
void sim_run(int64_t until_ms);
void sim_run_dry(void);

/* What a host does. */
void sim_clear(sim_hook *hook);
void sim_remove(sim_hook *hook);

bool sim_is_idle(void);
uint64_t sim_below(uint64_t most);

/* The scheduler's counters are what its webhooks have under way. */
void sim_check_counters(void);

/* Everything has ended: once each, and the counters are 0. */
void sim_must_be_over(void);

/* Of the deliveries of webhooks for which `has` is true: how long they took until the end. */
int64_t sim_percentile(unsigned percent, bool (*has)(const sim_hook *hook));

/* Usual replies. */
sim_reply sim_success(int64_t latency_ms);
sim_reply sim_failure(int64_t latency_ms);
sim_reply sim_timeout(void); /* after 15 s, the answer lost */

#endif
