/* How whoever drives is told that there is something to look at: deliveries, losses, orders. */
#ifndef BB_API_ALARM_H
#define BB_API_ALARM_H

#include <stdatomic.h>

#include "driver/poller.h"

struct bb_alarm {
    _Atomic(struct bb_poller *) poller; /* NULL: nobody has driven so far */
    atomic_bool has_news;
    atomic_bool is_asleep; /* who drives waits, or its host's loop does: it must be woken */
};

/* There are news. Any thread. */
void bb_alarm_ring(struct bb_alarm *alarm);

/* Who drives goes to sleep if there are no news, which is what is returned. Who rings before is
 * seen; who rings later sees that it sleeps, and wakes it. */
bool bb_alarm_may_sleep(struct bb_alarm *alarm);

/* It is awake; whatever the news are, it looks at them from here on. */
void bb_alarm_wake_up(struct bb_alarm *alarm);

#endif
