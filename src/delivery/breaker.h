/*
 * A circuit breaker: after too many failures nothing is sent for a while, then one message probes.
 * Time is an argument, in milliseconds.
 */
#ifndef BB_DELIVERY_BREAKER_H
#define BB_DELIVERY_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

struct bb_breaker_rules {
    uint32_t failures; /* in a row */
    uint32_t percent;  /* or of the last ten */
    int64_t open_ms;   /* the first time; doubles with each probe that fails */
    int64_t open_max_ms;
};

struct bb_breaker {
    int64_t open_until_ms; /* 0: closed */
    int64_t open_ms;       /* how long it was opened for */
    uint32_t failures;     /* in a row */
    uint16_t last;         /* the last ten, a bit each: failed */
    uint16_t known;        /* how many of them there were */
};

/* How long until the probe; 0: closed, or the probe may go. */
int64_t bb_breaker_wait(const struct bb_breaker *breaker, int64_t now_ms);

/* Whether what is sent now is a probe. */
bool bb_breaker_is_probing(const struct bb_breaker *breaker);

/* Takes in how one attempt ended. True when that has opened the breaker, also anew. */
bool bb_breaker_note(struct bb_breaker *breaker, const struct bb_breaker_rules *rules, bool failed,
                     int64_t now_ms);

#endif
