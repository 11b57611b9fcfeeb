#include "delivery/breaker.h"

enum { REMEMBERED = 10 };

int64_t bb_breaker_wait(const struct bb_breaker *breaker, int64_t now_ms) {
    return breaker->open_until_ms > now_ms ? breaker->open_until_ms - now_ms : 0;
}

bool bb_breaker_is_probing(const struct bb_breaker *breaker) {
    return breaker->open_until_ms != 0;
}

static uint32_t count_bits(uint16_t bits) {
    uint32_t count = 0;
    for (; bits; bits = (uint16_t)(bits & (bits - 1)))
        count++;
    return count;
}

static bool is_too_much(const struct bb_breaker *breaker, const struct bb_breaker_rules *rules) {
    return breaker->failures >= rules->failures ||
           (breaker->known == REMEMBERED &&
            count_bits(breaker->last) * 100 >= rules->percent * REMEMBERED);
}

static void open_for(struct bb_breaker *breaker, const struct bb_breaker_rules *rules, int64_t ms,
                     int64_t now_ms) {
    breaker->open_ms = ms < rules->open_max_ms ? ms : rules->open_max_ms;
    bool is_last = now_ms > INT64_MAX - breaker->open_ms;
    breaker->open_until_ms = is_last ? INT64_MAX : now_ms + breaker->open_ms;
    if (breaker->open_until_ms == 0)
        breaker->open_until_ms = 1; /* 0 is "closed" */
}

/* What comes back while it is open was sent before it opened: its failure tells nothing new. */
static bool note_while_open(struct bb_breaker *breaker, const struct bb_breaker_rules *rules,
                            int64_t now_ms) {
    if (now_ms < breaker->open_until_ms)
        return false;
    open_for(breaker, rules, 2 * breaker->open_ms, now_ms);
    return true;
}

bool bb_breaker_note(struct bb_breaker *breaker, const struct bb_breaker_rules *rules, bool failed,
                     int64_t now_ms) {
    if (!failed && bb_breaker_is_probing(breaker)) {
        *breaker = (struct bb_breaker){0};
        return false;
    }
    breaker->failures = failed ? breaker->failures + (breaker->failures < UINT32_MAX) : 0;
    breaker->last = (uint16_t)((breaker->last << 1 | failed) & ((1 << REMEMBERED) - 1));
    if (breaker->known < REMEMBERED)
        breaker->known++;
    if (bb_breaker_is_probing(breaker))
        return note_while_open(breaker, rules, now_ms);
    if (!failed || !is_too_much(breaker, rules))
        return false;
    open_for(breaker, rules, rules->open_ms, now_ms);
    return true;
}
