/* What the demo says on standard output. */
#ifndef BB_NOTIFY_DEMO_PRINT_H
#define BB_NOTIFY_DEMO_PRINT_H

#include "bb_webhook.h"
#include "receiver.h"

/* One delivery: its row of the report, the request as the receiver got it (NULL: none
 * came), and its URL, masked. */
struct demo_delivery {
    const bb_attempt_report *row;
    const struct receiver_exchange *exchange;
    const char *masked_url;
};

void demo_print_event(size_t number, int64_t time_ms, const char *title, bb_activity activity);
void demo_print_delivery(const struct demo_delivery *delivery);

#endif
