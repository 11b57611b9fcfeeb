/* Which webhooks want an event. */
#ifndef BB_EVENT_FILTER_H
#define BB_EVENT_FILTER_H

#include <stdbool.h>

#include "base/mem.h"

/* The whole decision for one webhook; `event` is one that bb_event_read gave. */
bool bb_filter_matches(const bb_webhook *webhook, const bb_event *event);

/*
 * Webhooks by their project: a look-up visits those of the event's project and
 * those of every project, and no others; an addition or removal takes the same
 * time however many there are. Not locked.
 */
struct bb_index;

/* What a webhook is in an index: the caller's, who knows the webhook. It stays
 * where it is until it is removed. */
struct bb_member {
    struct bb_member *prev;
    struct bb_member *next; /* of the same project */
};

typedef void bb_member_visitor(void *user, struct bb_member *member);

struct bb_index *bb_index_new(const bb_allocator *mem);
void bb_index_free(struct bb_index *index); /* not the members */

/* Project 0: found for any event. False when out of memory, then nothing has
 * changed. Only a member may be removed or moved, and only from its project. */
bool bb_index_add(struct bb_index *index, int64_t project_id, struct bb_member *member);
void bb_index_remove(struct bb_index *index, int64_t project_id, struct bb_member *member);
bool bb_index_move(struct bb_index *index, int64_t from, int64_t to, struct bb_member *member);

/* Calls `found` for each member whose project is the event's, or 0; what else a
 * webhook asks is left to bb_filter_matches. */
void bb_index_find(const struct bb_index *index, const bb_event *event, bb_member_visitor *found,
                   void *user);

#endif
