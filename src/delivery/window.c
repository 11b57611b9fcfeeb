#include "delivery/window.h"

#include <string.h>

/* Clocks do not run at one speed, and a receiver may round. */
static int64_t with_margin(uint32_t period_ms) {
    enum { MOST_MS = 500 };
    int64_t margin = period_ms / 20 + 1;
    return period_ms + (margin < MOST_MS ? margin : MOST_MS);
}

bool bb_window_init(struct bb_window *window, const bb_allocator *mem,
                    const struct bb_rate rates[BB_RATES]) {
    memset(window, 0, sizeof *window);
    for (size_t i = 0; i < BB_RATES; i++) {
        window->rates[i] = rates[i];
        if (rates[i].count > window->size)
            window->size = rates[i].count;
    }
    if (window->size > 0)
        window->ends = bb_mem_alloc(mem, window->size * sizeof *window->ends);
    return window->size == 0 || window->ends;
}

static void know_end(struct bb_window *window, int64_t end_ms) {
    if (window->size == 0)
        return;
    window->ends[window->next] = end_ms;
    window->next = (window->next + 1) % window->size;
    if (window->filled < window->size)
        window->filled++;
}

/* The kth latest end, from 1. */
static int64_t end_before(const struct bb_window *window, uint32_t k) {
    return window->ends[(window->next + window->size - k) % window->size];
}

bool bb_window_change(struct bb_window *window, const bb_allocator *mem,
                      const struct bb_rate rates[BB_RATES]) {
    struct bb_window changed;
    if (!bb_window_init(&changed, mem, rates))
        return false;
    changed.open = window->open;
    for (uint32_t k = window->filled; k > 0; k--)
        know_end(&changed, end_before(window, k));
    bb_window_free(window, mem);
    *window = changed;
    return true;
}

struct bb_window bb_window_of(const struct bb_rate rates[BB_RATES], int64_t *ends, uint32_t count,
                              uint32_t open) {
    struct bb_window window = {.ends = ends, .size = count, .filled = count, .open = open};
    memcpy(window.rates, rates, sizeof window.rates);
    return window;
}

void bb_window_free(struct bb_window *window, const bb_allocator *mem) {
    if (window->ends)
        bb_mem_free(mem, window->ends);
    memset(window, 0, sizeof *window);
}

void bb_window_begin(struct bb_window *window) {
    window->open++;
}

void bb_window_end(struct bb_window *window, bool is_sent, int64_t now_ms) {
    window->open--;
    if (is_sent)
        know_end(window, now_ms);
}

/* One more may begin when the kth latest end lies a whole period back, k being what the limit
 * leaves beside those under way. */
static int64_t wait_for(const struct bb_window *window, const struct bb_rate *rate,
                        int64_t now_ms) {
    if (window->open >= rate->count)
        return INT64_MAX;
    uint32_t k = rate->count - window->open;
    if (k > window->filled)
        return 0;
    int64_t free_ms = end_before(window, k) + with_margin(rate->period_ms);
    return free_ms > now_ms ? free_ms - now_ms : 0;
}

int64_t bb_window_wait(const struct bb_window *window, int64_t now_ms) {
    int64_t longest = 0;
    for (size_t i = 0; i < BB_RATES; i++) {
        int64_t wait = window->rates[i].count ? wait_for(window, &window->rates[i], now_ms) : 0;
        longest = wait > longest ? wait : longest;
    }
    return longest;
}
