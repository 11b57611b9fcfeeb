/*
 * How a webhook stands with its dispatcher: what answers have said of it, what is under way to it,
 * what has come of it. Made when it is first needed; outlives a replacement of the webhook. All of
 * it is guarded by the dispatcher's lock.
 */
#ifndef BB_API_STANDING_H
#define BB_API_STANDING_H

#include "api/dispatcher.h"

/* Says which webhooks want the events that were written into the outbox by SQL. By who drives. */
void bb_enqueue_match(struct bb_dispatcher *dispatcher);

struct bb_standing {
    struct bb_lane lane; /* first */
    atomic_uint references;
    const bb_allocator *mem;
    struct bb_hook *hook;                /* the present one, retained; NULL when it was removed */
    struct bb_standing *next, *previous; /* of the dispatcher, while there is a hook */
    char *reason;                        /* why it is paused or disabled; NULL: not known */
    struct bb_counters counters;
    atomic_ullong dropped; /* the store's thread counts */
    uint64_t dropped_told; /* of these */
};

/* The hook's, made if it has none, with a queue to put into. NULL when out of memory, or it was
 * removed meanwhile. The lock is held. */
struct bb_standing *bb_standing_with_queue(struct bb_dispatcher *dispatcher, struct bb_hook *hook);
void bb_standing_release(struct bb_standing *standing); /* NULL is fine */

/* A post to the webhook begins, and has ended so: it counts for the webhook's rates. `standing` is
 * what the first call returned. */
struct bb_standing *bb_standing_begin_post(struct bb_dispatcher *dispatcher, struct bb_hook *hook);
void bb_standing_end_post(struct bb_dispatcher *dispatcher, struct bb_standing *standing,
                          bool is_sent);

/* Takes in what a post's outcome says of the webhook itself. */
void bb_standing_note(struct bb_dispatcher *dispatcher, struct bb_hook *hook,
                      const bb_outcome *outcome);

/* The same for background delivery; the lock is held. `hook` is what the attempt began with.
 * `*type_paused` tells of a new pause of the whole type. */
struct bb_flow_news bb_standing_take_in(struct bb_dispatcher *dispatcher,
                                        struct bb_standing *standing, const struct bb_hook *hook,
                                        const bb_outcome *outcome, bool counts, int64_t now_ms,
                                        bool *type_paused);

/* Whether nothing may be sent now; then `outcome` says why and how long. */
bool bb_standing_forbids(struct bb_dispatcher *dispatcher, struct bb_hook *hook,
                         bb_outcome *outcome);

/* Ends pause, disabled state and open breaker. */
void bb_standing_clear(struct bb_dispatcher *dispatcher, struct bb_hook *hook);

/* `hook` has taken the place of `old`, or (NULL) old was removed. */
void bb_standing_move(struct bb_dispatcher *dispatcher, struct bb_hook *old, struct bb_hook *hook);

/* Lets go of the hook of a standing that was removed and emptied, or whose dispatcher ends. The
 * lock is held, or nobody else is left. */
void bb_standing_detach(struct bb_dispatcher *dispatcher, struct bb_standing *standing);

void bb_standing_read(struct bb_dispatcher *dispatcher, struct bb_hook *hook,
                      bb_webhook_status *status);

#endif
