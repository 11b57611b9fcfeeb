/*
 * Which delivery is sent next. A webhook that hangs must not take the slots of the others, and that
 * it hangs shows in the age of what is under way, long before anything of it ends:
 *
 *   unknown   it has not answered yet, or failed last: one at a time, and a quarter of the slots is
 *             kept from all of them;
 *   slow      it does answer, but something of it is older than slow_after_ms: all slow ones share
 *             half of the slots, and an eighth is kept from them and the unknown together. So those
 *             that hang leave room for those that only take their time.
 *
 * Pure: no I/O but through the store, time is an argument. Not locked.
 */
#ifndef BB_DELIVERY_SCHEDULER_H
#define BB_DELIVERY_SCHEDULER_H

#include "delivery/flow.h"
#include "delivery/store.h"

struct bb_scheduler_limits {
    uint32_t max_in_flight;
    int64_t slow_after_ms;
};

/* Where a lane's queue is while it has one. */
enum bb_lane_place {
    BB_LANE_GIVEN = 0, /* with the store */
    BB_LANE_BUSY,      /* taken, until something of it ends */
    BB_LANE_WAITING    /* taken, for a slot of its kind */
};

/* One webhook in the scheduler; the queue's owner. */
struct bb_lane {
    struct bb_flow flow;
    struct bb_queue *queue; /* NULL: nothing was ever enqueued for it */
    struct bb_retry_rules rules;
    struct bb_lane *next; /* in one of the rings */
    uint32_t puts;        /* under way into the queue, which is not closed before they end */
    enum bb_lane_place place;
    bool is_rate_waiting; /* has something due, but not its turn */
    bool is_removed;      /* what waits for it is dead */
};

struct bb_ring {
    struct bb_lane *first;
    struct bb_lane *last;
};

/* One attempt under way, in the caller's struct. */
struct bb_flight {
    struct bb_lane *lane;
    struct bb_delivery *delivery;
    int64_t began_ms;
    struct bb_flight *younger, *older; /* among those that are not old yet */
    bool is_old;
};

struct bb_scheduler {
    struct bb_scheduler_limits limits;
    struct bb_store *store;
    uint32_t in_flight;
    uint32_t slow_in_flight;
    uint32_t unknown_in_flight;
    uint32_t busy;         /* lanes in BB_LANE_BUSY */
    uint32_t rate_waiting; /* lanes */
    int64_t rate_until_ms; /* by then each of them was looked at again, unless nothing of it is due
                              any more */
    struct bb_ring slow, unknown;
    struct bb_flight *oldest, *youngest; /* of those that are not old yet */
};

/* What is to be done with a delivery that was claimed. */
enum bb_due {
    BB_DUE_NOTHING = 0,
    BB_DUE_ATTEMPT, /* bb_scheduler_begin it */
    BB_DUE_EXPIRED, /* it is too old: settle it */
    BB_DUE_REMOVED, /* its webhook was removed: settle it */
    BB_DUE_FATAL,   /* process after process ended while it had it: settle it */
    BB_DUE_CLOSED   /* no delivery: of a removed lane nothing is left, and its queue was closed */
};

/* The next one; `*lane` is that of BB_DUE_CLOSED. */
enum bb_due bb_scheduler_next(struct bb_scheduler *s, int64_t now_ms, struct bb_delivery **delivery,
                              struct bb_lane **lane);

/* An attempt begins, its outcome is noted, and it ends: `is_sent` when a byte may have reached the
 * receiver, `is_answered` when it gave an answer. */
void bb_scheduler_begin(struct bb_scheduler *s, struct bb_flight *flight,
                        struct bb_delivery *delivery, int64_t now_ms);
struct bb_flow_news bb_scheduler_note(struct bb_scheduler *s, struct bb_lane *lane,
                                      const struct bb_flow_rules *rules, const bb_outcome *outcome,
                                      bool counts, int64_t now_ms);
void bb_scheduler_end(struct bb_scheduler *s, struct bb_flight *flight, bool is_sent,
                      bool is_answered, int64_t now_ms);

/* Something of the lane that the scheduler did not begin has ended: a post. */
void bb_scheduler_unblock(struct bb_scheduler *s, struct bb_lane *lane);

/* The lane is to be looked at again, whatever it waits for: it was cleared, changed or removed. */
void bb_scheduler_wake(struct bb_scheduler *s, struct bb_lane *lane);

/* When bb_scheduler_next must be asked again if nothing ends before: a time not later than now: at
 * once; INT64_MAX: never. */
int64_t bb_scheduler_wake_ms(struct bb_scheduler *s, int64_t now_ms);

/* Nothing is under way, is due, or waits for its turn within a rate. */
bool bb_scheduler_is_idle(struct bb_scheduler *s, int64_t now_ms);

#endif
