/* Ids that are the same over retries, crashes and restarts. */
#ifndef BB_DELIVERY_IDENTITY_H
#define BB_DELIVERY_IDENTITY_H

#include "event/event.h"

/* An id from the event's own content, for events that have none. `event` is one
 * that bb_event_read gave. NULL when out of memory. */
const char *bb_identity_of_event(struct bb_arena *arena, const bb_event *event);

/* `id`, or for one longer than BB_EVENT_ID_MAX a digest of it. NULL when out of
 * memory. */
const char *bb_identity_of_id(struct bb_arena *arena, const char *id);

/* "msg_" and 32 hex digits: a digest of both ids, so it has no dot in it (Standard
 * Webhooks) and tells nothing of them. NULL when out of memory. */
const char *bb_identity_of_delivery(struct bb_arena *arena, const char *event_id,
                                    const char *webhook_id);

#endif
