/*
 * Whether another attempt follows, and when. Pure: time and chance are arguments.
 */
#ifndef BB_DELIVERY_RETRY_H
#define BB_DELIVERY_RETRY_H

#include <stdbool.h>

#include "bb_webhook.h"

enum {
    BB_RETRY_DELAYS_MAX = 100,
    BB_RETRY_ATTEMPTS_MAX = 200, /* however politely each was put off */
    BB_RETRY_CLAIMS_MAX = 5      /* in a row, of which nobody knows how they ended */
};

/* A dispatcher's. */
struct bb_retry_schedule {
    const uint32_t *delays_ms; /* before the second, third, ... attempt */
    size_t delay_count;
    bool has_jitter; /* +-20 % */
};

/* The schedule of Standard Webhooks. */
extern const uint32_t bb_retry_delays_ms[];
extern const size_t bb_retry_delay_count;

/* A webhook's. */
struct bb_retry_rules {
    bb_when_unknown when_unknown; /* not 0 */
    uint32_t max_attempts;        /* 0: as many as the schedule has */
    int64_t age_limit_ms;         /* 0: none */
};

/* What a delivery has behind it; counted on by bb_retry_decide. */
struct bb_retry_history {
    int64_t enqueued_ms;
    uint32_t attempts; /* all that were made */
    uint32_t steps;    /* of the schedule that were used */
    uint32_t unknowns; /* attempts whose answer was lost */
    uint32_t claims;   /* since the last one that is known to have ended, with this one: the others'
                          processes ended. 0: such are not counted */
};

struct bb_retry_decision {
    bool again;
    int64_t due_ms;
    const char *why_not; /* a part of a sentence, where the outcome alone does not say it */
};

/* After an attempt (history->attempts counts it already) that ended so. `chance` is any 64 random
 * bits. A wait that the answer states is kept, and uses no step of the schedule. */
struct bb_retry_decision bb_retry_decide(const struct bb_retry_schedule *schedule,
                                         const struct bb_retry_rules *rules,
                                         struct bb_retry_history *history,
                                         const bb_outcome *outcome, int64_t now_ms,
                                         uint64_t chance);

/* The `step`th delay (from 0) with its jitter; -1 when the schedule is over. */
int64_t bb_retry_delay_ms(const struct bb_retry_schedule *schedule, uint32_t step, uint64_t chance);

/* The time at which a delivery is too old; INT64_MAX: never. */
int64_t bb_retry_expires_ms(const struct bb_retry_rules *rules, int64_t enqueued_ms);

/* The next of a sequence of 64 random-looking bits (splitmix64): for jitter, not for secrets. */
uint64_t bb_retry_chance(uint64_t *state);

#endif
