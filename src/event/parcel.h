/* An event at rest: copied into one block, unchanging, shared by all who deliver it. */
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
    const bb_event *event; /* with an id and a time; all that it points to lies behind */
};

/* A copy of `event` (one that bb_event_read gave) with one reference; each text up to BB_TEXT_MAX
 * bytes. NULL when out of memory. `mem` outlives it. */
struct bb_parcel *bb_parcel_new(const bb_allocator *mem, const bb_event *event);

struct bb_parcel *bb_parcel_retain(struct bb_parcel *parcel);
void bb_parcel_release(struct bb_parcel *parcel); /* NULL is fine */

#endif
