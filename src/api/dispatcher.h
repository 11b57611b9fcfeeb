#ifndef BB_API_DISPATCHER_H
#define BB_API_DISPATCHER_H

#include <pthread.h>

#include "api/alarm.h"
#include "api/registry.h"
#include "delivery/scheduler.h"
#include "driver/http.h"

struct bb_courier;
struct bb_standing;

/* Deliveries of one webhook, or of all. */
struct bb_counters {
    uint64_t enqueued; /* of one webhook only: of all it is the sum of what came of them */
    uint64_t delivered, dead, attempts, sent, retried, unknown;
};

struct bb_latency {
    uint64_t sum_ms;
    uint64_t counts[BB_LATENCY_BUCKETS];
};

/* A clock that never goes back, made of one that may. */
struct bb_ticks {
    pthread_mutex_t lock;
    int64_t read_ms; /* of the one that may, the last time */
    int64_t now_ms;
};

struct bb_dispatcher {
    struct bb_settings settings;
    struct bb_arena arena;      /* the options' texts */
    char id_prefix[2 * 16 + 1]; /* random: what event ids made here begin with */
    atomic_ullong events;       /* and a number ends them */
    unsigned forks;             /* of the process when it was made */
    struct bb_ticks ticks;
    struct bb_registry *registry;
    struct bb_alarm alarm;
    struct bb_proxies proxies;
    struct bb_http_trust *trust;
    struct bb_http_guard *guard;
    struct bb_http *http; /* for posts */

    pthread_mutex_t lock;                       /* guards standings, scheduler, counters */
    struct bb_pause type_pauses[BB_CUSTOM + 1]; /* Discord's global limits */
    struct bb_standing *standings;
    struct bb_store *store;
    struct bb_scheduler scheduler;
    struct bb_flow_rules rules;
    struct bb_retry_schedule schedule;
    struct bb_counters totals;
    struct bb_latency latency;
    atomic_ullong dropped; /* deliveries; the store's thread counts */
    atomic_ullong refused; /* events */
    atomic_size_t targets; /* URLs that hooks keep parsed */

    pthread_mutex_t drive_lock; /* guards what follows: drive.c */
    pthread_cond_t driven;
    pthread_t driver;
    bool is_driving;                      /* `driver` is at it */
    bool has_thread;                      /* it is the library's own */
    bool is_stopping;                     /* it is to end ... */
    int64_t stop_ms;                      /* ... at this time (monotonic) */
    uint64_t flush_asked, flush_done;     /* numbers of flushes */
    uint64_t flush_cut;                   /* those up to here were stopped */
    _Atomic(struct bb_courier *) courier; /* NULL: nobody has driven so far */
};

/* BB_ERR_ARGUMENT for NULL, BB_ERR_FORKED in a child of the process that made it. */
int bb_dispatcher_check(const struct bb_dispatcher *dispatcher, bb_error *error);

/* Milliseconds of the clock that waits are counted by: it never goes back. Any thread. */
int64_t bb_dispatcher_ticks(struct bb_dispatcher *dispatcher);

/* All clocks. */
struct bb_moment {
    int64_t monotonic_ms; /* for what happens on the network */
    int64_t ticks_ms;     /* for what waits */
    int64_t wall_ms;      /* for signatures and dates */
};
struct bb_moment bb_dispatcher_moment(struct bb_dispatcher *dispatcher);

/* How requests are sent. */
struct bb_http_config bb_dispatcher_http(const struct bb_dispatcher *dispatcher);

/* Tells the operator which addresses the guard has refused a transfer, if any. */
void bb_dispatcher_log_refused(const struct bb_dispatcher *dispatcher, const bb_webhook *webhook,
                               const struct bb_transfer *transfer);

/* An id for an event that has none. */
void bb_dispatcher_new_id(struct bb_dispatcher *dispatcher, char out[80]);

#endif
