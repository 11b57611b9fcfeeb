#ifndef BB_API_POST_H
#define BB_API_POST_H

#include "api/dispatcher.h"

/* How a post treats its webhooks. */
struct bb_post_mode {
    int64_t timeout_ms;
    struct bb_hook *only; /* NULL: those that match. Else this one, whatever its
                             filter and standing: a test */
};

int bb_post(struct bb_dispatcher *dispatcher, const bb_event *event,
            const struct bb_post_mode *mode, bb_report **report, bb_error *error);

#endif
