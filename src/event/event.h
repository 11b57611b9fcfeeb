/* An event as this library's compilation sees it. */
#ifndef BB_EVENT_EVENT_H
#define BB_EVENT_EVENT_H

#include "base/arena.h"
#include "base/error.h"

enum {
    BB_EVENT_ID_MAX = 255,
    BB_MENTIONS_MAX = 100,   /* more are left out: no room of any product needs them */
    BB_TEXT_MAX = 256 * 1024 /* most bytes of one text that are looked at */
};

/* The caller's event and every struct behind it, read by their struct_size: all
 * of this library's size, strings still the caller's. `event` points into the
 * view; the mentions into the arena that was given. */
struct bb_event_view {
    bb_event event;
    bb_user creator;
    bb_issue issue;
    bb_project project;
    bb_field field;
    bb_stage stage;
    bb_task task;
};

/* BB_ERR_EVENT, BB_ERR_STRUCT, BB_ERR_NO_MEMORY. */
int bb_event_read(struct bb_event_view *view, struct bb_arena *arena, const bb_event *event,
                  bb_error *error);

#endif
