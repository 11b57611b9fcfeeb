/* An event as one line of JSON: docs/event-json.md. */
#ifndef BB_EVENT_EVENT_JSON_H
#define BB_EVENT_EVENT_JSON_H

#include "base/arena.h"
#include "base/buf.h"

/* More than any event takes whose texts are cut to what is looked at. */
enum { BB_EVENT_JSON_MAX = 64 * 1024 * 1024 };

/* Appends `event` (one that bb_event_read gave) to `out`; empty members are left
 * out. False when out of memory or when `out` is too small. */
bool bb_event_json(const bb_event *event, struct bb_arena *arena, struct bb_buf *out);

/* The event, with `id` (which outlives it) where it has none. */
const bb_event *bb_event_doc_named(bb_event_doc *document, const char *id);

#endif
