/* Which webhooks want an event. */
#ifndef BB_EVENT_FILTER_H
#define BB_EVENT_FILTER_H

#include <stdbool.h>

#include "base/mem.h"

/* The whole decision for one webhook; `event` is one that bb_event_read gave. */
bool bb_filter_matches(const bb_webhook *webhook, const bb_event *event);

/*
 * Entries (anything; a webhook is their face) found by project and activity:
 * a look-up costs time in proportion to what it finds, however many there are.
 * Not locked.
 */
struct bb_index;

struct bb_index *bb_index_new(const bb_allocator *mem);
void bb_index_free(struct bb_index *index); /* not the entries */

/* `webhook` decides where the entry is found: project, activities; a disabled one
 * is not found at all. False when out of memory, with nothing added. */
bool bb_index_add(struct bb_index *index, const bb_webhook *webhook, void *entry);
void bb_index_remove(struct bb_index *index, const bb_webhook *webhook, void *entry);

/* Calls `found` for each entry under the event's activity whose project is the
 * event's, or none; what else the webhook asks is left to bb_filter_matches. */
void bb_index_find(const struct bb_index *index, const bb_event *event,
                   void (*found)(void *user, void *entry), void *user);

#endif
