#include "api/alarm.h"

void bb_alarm_ring(struct bb_alarm *alarm) {
    struct bb_poller *poller = atomic_load(&alarm->poller);
    if (!poller)
        return;
    atomic_store(&alarm->has_news, true);
    if (atomic_load(&alarm->is_asleep) && atomic_exchange(&alarm->is_asleep, false))
        bb_poller_wake(poller);
}

bool bb_alarm_may_sleep(struct bb_alarm *alarm) {
    atomic_store(&alarm->is_asleep, true);
    return !atomic_load(&alarm->has_news);
}

void bb_alarm_wake_up(struct bb_alarm *alarm) {
    atomic_store(&alarm->is_asleep, false);
    atomic_store(&alarm->has_news, false);
}
