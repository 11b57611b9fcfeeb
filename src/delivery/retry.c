#include "delivery/retry.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

const uint32_t bb_retry_delays_ms[] = {5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR,
                                       10 * HOUR,  14 * HOUR,  20 * HOUR,   24 * HOUR};
const size_t bb_retry_delay_count = sizeof bb_retry_delays_ms / sizeof *bb_retry_delays_ms;

uint64_t bb_retry_chance(uint64_t *state) {
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

int64_t bb_retry_delay_ms(const struct bb_retry_schedule *schedule, uint32_t step,
                          uint64_t chance) {
    if (step >= schedule->delay_count)
        return -1;
    int64_t delay = schedule->delays_ms[step], fifth = delay / 5;
    if (schedule->has_jitter)
        delay += (int64_t)(chance % (uint64_t)(2 * fifth + 1)) - fifth;
    return delay;
}

int64_t bb_retry_expires_ms(const struct bb_retry_rules *rules, int64_t enqueued_ms) {
    if (rules->age_limit_ms == 0 || enqueued_ms > INT64_MAX - rules->age_limit_ms)
        return INT64_MAX;
    return enqueued_ms + rules->age_limit_ms;
}

static bool unknown_ends_it(const struct bb_retry_rules *rules,
                            const struct bb_retry_history *history) {
    return rules->when_unknown == BB_UNKNOWN_GIVE_UP ||
           (rules->when_unknown == BB_UNKNOWN_ONCE_MORE && history->unknowns > 1);
}

static uint32_t most_attempts(const struct bb_retry_rules *rules) {
    bool is_less = rules->max_attempts > 0 && rules->max_attempts < BB_RETRY_ATTEMPTS_MAX;
    return is_less ? rules->max_attempts : BB_RETRY_ATTEMPTS_MAX;
}

static struct bb_retry_decision give_up(const char *why) {
    return (struct bb_retry_decision){.why_not = why};
}

/* -1: the schedule is over. */
static int64_t wait_of(const struct bb_retry_schedule *schedule, struct bb_retry_history *history,
                       const bb_outcome *outcome, uint64_t chance) {
    if (outcome->retry_after_ms > 0)
        return outcome->retry_after_ms;
    return bb_retry_delay_ms(schedule, history->steps++, chance);
}

struct bb_retry_decision bb_retry_decide(const struct bb_retry_schedule *schedule,
                                         const struct bb_retry_rules *rules,
                                         struct bb_retry_history *history,
                                         const bb_outcome *outcome, int64_t now_ms,
                                         uint64_t chance) {
    if (outcome->verdict != BB_RETRY && outcome->verdict != BB_UNKNOWN)
        return give_up(NULL);
    history->unknowns += outcome->verdict == BB_UNKNOWN;
    if (outcome->verdict == BB_UNKNOWN && unknown_ends_it(rules, history))
        return give_up("it may have arrived, so it is not sent again");
    bool goes_on = history->attempts < most_attempts(rules);
    int64_t wait = goes_on ? wait_of(schedule, history, outcome, chance) : -1;
    if (wait < 0)
        return give_up("that was the last attempt");
    int64_t due = now_ms > INT64_MAX - wait ? INT64_MAX : now_ms + wait;
    if (due >= bb_retry_expires_ms(rules, history->enqueued_ms))
        return give_up("it would be too old by the next attempt");
    return (struct bb_retry_decision){.again = true, .due_ms = due};
}
