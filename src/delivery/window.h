/*
 * Sliding windows over the messages of one webhook. A message reaches the receiver at an unknown
 * moment between its beginning and its end here; one that is under way counts all the time, and one
 * that has ended for the whole period after its end: so no window at the receiver ever holds more
 * than the limit, however long requests take. Time is an argument, in milliseconds.
 */
#ifndef BB_DELIVERY_WINDOW_H
#define BB_DELIVERY_WINDOW_H

#include "endpoint/endpoint.h"

enum { BB_RATE_COUNT_MAX = 1000 };

struct bb_window {
    struct bb_rate rates[BB_RATES];
    int64_t *ends;   /* a ring of when the last ones ended */
    uint32_t size;   /* of the ring: the largest count; 0: no limit */
    uint32_t next;   /* where the next end goes */
    uint32_t filled; /* ends that are known */
    uint32_t open;   /* messages under way */
};

/* `rates` may have a count of 0: no such limit. False when out of memory. */
bool bb_window_init(struct bb_window *window, const bb_allocator *mem,
                    const struct bb_rate rates[BB_RATES]);

/* Other limits from now on, of what is known so far, too. False when out of memory: the old ones
 * hold. */
bool bb_window_change(struct bb_window *window, const bb_allocator *mem,
                      const struct bb_rate rates[BB_RATES]);

void bb_window_free(struct bb_window *window, const bb_allocator *mem);

void bb_window_begin(struct bb_window *window);

/* `is_sent` false: no byte left this machine, so it does not count. */
void bb_window_end(struct bb_window *window, bool is_sent, int64_t now_ms);

/* The same limits over messages that are known from elsewhere: `ends`, the earliest first, which it
 * borrows, and how many are under way. To be asked only. */
struct bb_window bb_window_of(const struct bb_rate rates[BB_RATES], int64_t *ends, uint32_t count,
                              uint32_t open);

/* How long the next message must wait; 0: it may begin. INT64_MAX: until one that is under way has
 * ended. */
int64_t bb_window_wait(const struct bb_window *window, int64_t now_ms);

#endif
