/*
 * One event on its way to many webhooks: read once, put into words once for each
 * language, rendered once for each set of settings that changes the bytes.
 */
#ifndef BB_API_BATCH_H
#define BB_API_BATCH_H

#include "api/hook.h"
#include "event/event.h"
#include "event/message.h"

struct bb_rendering {
    struct bb_rendering *next;
    struct bb_hook *like; /* the first that it was made for, retained */
    struct bb_buf body;
    struct bb_cuts cuts;
};

struct bb_batch {
    const struct bb_settings *settings;
    struct bb_arena arena;
    struct bb_event_view view;
    const bb_event *event; /* with an id and a time, until it is forgotten */
    struct bb_message *messages[BB_CHINESE + 1];
    struct bb_rendering *renderings;
    struct bb_arena *scratch; /* of one rendering after the other */
    struct bb_buf spare;      /* a body's memory, for the next one */
};

/* An empty one; `settings` and `scratch`, which is empty between any two calls, outlive it. */
void bb_batch_init(struct bb_batch *batch, const struct bb_settings *settings,
                   struct bb_arena *scratch);
void bb_batch_free(struct bb_batch *batch);

/* Reads `event` into an empty batch and completes it: at `now_ms`, and where it has no
 * id with `new_id` (outlives the batch), or (NULL) one that is derived from its content. */
int bb_batch_begin(struct bb_batch *batch, const bb_event *event, const char *new_id,
                   int64_t now_ms, bb_error *error);

/* Keeps of the event what reports tell; nothing is rendered any more. False: out of memory. */
bool bb_batch_forget_event(struct bb_batch *batch);

/* Empties it, but keeps memory for the next event. */
void bb_batch_reset(struct bb_batch *batch);

/* The rendering for the hook's webhook; lives as long as the batch. BB_ERR_TOO_LARGE,
 * BB_ERR_NO_MEMORY. */
int bb_batch_render(struct bb_batch *batch, struct bb_hook *hook,
                    const struct bb_rendering **rendering, bb_error *error);

/* Makes the request of one attempt; its body is the rendering's unless signing
 * changed it. `request` is zero but for its arena, or has its URL's parts already.
 * BB_ERR_NO_MEMORY. */
int bb_batch_request(const struct bb_batch *batch, const struct bb_hook *hook,
                     const struct bb_rendering *rendering, const struct bb_signing *signing,
                     struct bb_request *request, bb_error *error);

#endif
