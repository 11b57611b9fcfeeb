/* An event at rest: in one block, unchanging, shared by all who deliver it. One that comes out of a
 * store is JSON, and read by the first who needs it. */
#ifndef BB_EVENT_PARCEL_H
#define BB_EVENT_PARCEL_H

#include <stdatomic.h>

#include "event/event.h"

struct bb_parcel {
    atomic_uint references;
    uint32_t rows;    /* deliveries of it, and how many of these are */
    uint32_t claimed; /* claimed: the store's, under its lock */
    void *batch;      /* made of it, and the driving thread's; NULL: none */
    size_t size;      /* bytes in all */
    const bb_allocator *mem;
    const bb_event *event; /* with an id and a time; all that it points to lies behind. NULL: it is
                              JSON so far, bb_parcel_open */
    struct bb_event_doc *document; /* what that became */
    const char *json;
    size_t length;
    char id[40]; /* of an event without one */
};

/* A copy of `event` (one that bb_event_read gave) with one reference; each text up to BB_TEXT_MAX
 * bytes. NULL when out of memory. `mem` outlives it. */
struct bb_parcel *bb_parcel_new(const bb_allocator *mem, const bb_event *event);

/* A copy of the text, which is not looked at. An event without an id gets one of its `number` in
 * the outbox, the same whoever reads it. NULL when out of memory. */
struct bb_parcel *bb_parcel_of_json(const bb_allocator *mem, int64_t number, const char *json,
                                    size_t length);

/* Its event. NULL: it is none (BB_ERR_EVENT), or there is no memory (BB_ERR_NO_MEMORY). By one
 * thread at a time, of those that look at `event`. */
const bb_event *bb_parcel_open(struct bb_parcel *parcel, bb_error *error);

/* What was opened is forgotten, until it is opened again. */
void bb_parcel_close(struct bb_parcel *parcel);

/* bb_parcel_of_json and bb_parcel_open. NULL: one of them failed, `error` says how. */
struct bb_parcel *bb_parcel_read(const bb_allocator *mem, int64_t number, const char *json,
                                 size_t length, bb_error *error);

struct bb_parcel *bb_parcel_retain(struct bb_parcel *parcel);
void bb_parcel_release(struct bb_parcel *parcel); /* NULL is fine */

#endif
