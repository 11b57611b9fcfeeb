/* One HTML page that shows messages as the rooms of seven products lay them out, made
 * from the requests that arrived. Nothing in it loads anything; all text is escaped. */
#ifndef BB_NOTIFY_PAGE_H
#define BB_NOTIFY_PAGE_H

#include <stddef.h>
#include <stdio.h>

#include "bb_webhook.h"
#include "receiver.h"

/* One event, and the message that each product got of it. */
struct page_section {
    const bb_event *event;
    int64_t time_ms;                                         /* when it was posted */
    const struct receiver_exchange *messages[BB_CUSTOM + 1]; /* by type; NULL: none came */
};

void page_write(FILE *out, const struct page_section *sections, size_t count);

#endif
