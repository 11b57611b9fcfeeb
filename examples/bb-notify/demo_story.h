/* The events of a file, all kept at once, because the page shows some of them at the
 * end. */
#ifndef BB_NOTIFY_DEMO_STORY_H
#define BB_NOTIFY_DEMO_STORY_H

#include <stdbool.h>
#include <stddef.h>

#include "bb_webhook.h"

struct demo_story {
    bb_event_doc **documents;
    size_t count;
    size_t bad_lines; /* already complained about */
};

/* False, after a complaint: the file cannot be read. Free in either case. */
bool demo_story_read(struct demo_story *story, const char *path);
void demo_story_free(struct demo_story *story);

const bb_event *demo_story_event(const struct demo_story *story, size_t index);

/* Picks up to `most` events that show different things, in their order: an issue's
 * creation, a comment, a failed task, the end; others where these are missing.
 * Returns how many indices it wrote. */
size_t demo_story_pick(const struct demo_story *story, size_t *indices, size_t most);

#endif
