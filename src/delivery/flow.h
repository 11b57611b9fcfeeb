/*
 * The flow to one webhook: how much may be under way, at which rate, and when nothing may be sent
 * at all. Pure: time is an argument, in milliseconds. Not locked.
 */
#ifndef BB_DELIVERY_FLOW_H
#define BB_DELIVERY_FLOW_H

#include "delivery/breaker.h"
#include "delivery/window.h"

/* A dispatcher's. */
struct bb_flow_rules {
    struct bb_breaker_rules breaker;
    int64_t disable_after_ms; /* without a success, when there were at least so many failures */
    uint32_t disable_failures;
    int64_t slow_after_ms; /* a request of this age makes its webhook a slow one */
};

/* A pause of every webhook of a type: Discord's global limits. */
struct bb_pause {
    int64_t until_ms; /* 0: none */
    char reason[512];
};

struct bb_flow {
    struct bb_window window;
    struct bb_breaker breaker;
    const struct bb_pause *type_pause;
    int64_t paused_until_ms;  /* 0: not paused */
    int64_t failing_since_ms; /* since when nothing was a success; -1: the last one was */
    uint32_t failures;        /* since then */
    uint32_t most;            /* under way at once */
    uint32_t room;          /* of these so far: 1 while nothing is known, doubled by each success */
    uint32_t in_flight;     /* of background delivery */
    uint32_t old_in_flight; /* of these as old as slow_after_ms */
    bool is_known;          /* something was answered since it was last in trouble */
    bool is_slow;
    bool is_disabled;
    bool is_troubled; /* paused, broken or disabled, and no success since: it was told */
};

/* What is new since the last attempt. */
struct bb_flow_news {
    bool is_paused;    /* by an answer's words, or */
    bool is_broken;    /* by the circuit breaker */
    bool is_disabled;  /* by an answer, or */
    bool is_given_up;  /* for want of success */
    bool is_recovered; /* after any of these */
};

/* Why nothing may be sent. */
enum bb_flow_stop {
    BB_FLOW_FREE = 0,
    BB_FLOW_BUSY, /* what is under way must end first */
    BB_FLOW_RATE,
    BB_FLOW_PAUSED,
    BB_FLOW_BROKEN,
    BB_FLOW_DISABLED
};

/* How a flow stands; `wait_ms` is how long the stop lasts, INT64_MAX for until something else
 * happens. */
struct bb_flow_state {
    enum bb_flow_stop stop;
    int64_t wait_ms;
};

/* The limits of a webhook whose struct has been read. False when out of memory. What is known of
 * the flow so far stays. */
bool bb_flow_configure(struct bb_flow *flow, const bb_allocator *mem, const bb_webhook *webhook);
void bb_flow_free(struct bb_flow *flow, const bb_allocator *mem);

/* Forgets pause, disabled state and breaker. */
void bb_flow_clear(struct bb_flow *flow);

struct bb_flow_state bb_flow_state(const struct bb_flow *flow, int64_t now_ms);

/* What is left of its pause, the webhook's own or its whole type's. */
int64_t bb_flow_pause_left(const struct bb_flow *flow, int64_t now_ms);

/* A stated pause, of at most a day; a longer one that holds already stays. True when it is a new
 * one. */
bool bb_flow_pause(int64_t *until_ms, int64_t wait_ms, int64_t now_ms);

/* Takes in what an outcome says of the webhook. `counts` false: of an attempt that is not
 * background delivery's, which does not move the breaker and is no recovery. */
struct bb_flow_news bb_flow_note(struct bb_flow *flow, const struct bb_flow_rules *rules,
                                 const bb_outcome *outcome, bool counts, int64_t now_ms);

#endif
