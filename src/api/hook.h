/* A webhook as a dispatcher keeps it: counted, and unchanging but for its standing. */
#ifndef BB_API_HOOK_H
#define BB_API_HOOK_H

#include <stdatomic.h>

#include "api/settings.h"

struct bb_hook {
    atomic_uint references;
    uint64_t serial; /* in the order in which webhooks were added */
    struct bb_arena arena;
    bb_webhook webhook;
    struct bb_url url; /* what is requested, before signing */
    const struct bb_endpoint *endpoint;

    /* what answers have said; under the dispatcher's standing lock */
    int64_t paused_until_ms;
    bool is_disabled;
    char *reason; /* from the dispatcher's allocator, or NULL */
};

/* Checks and copies `webhook`, with one reference. `mem` outlives the hook. */
int bb_hook_new(const bb_allocator *mem, const struct bb_policy *policy, const bb_webhook *webhook,
                struct bb_hook **hook, bb_error *error);

struct bb_hook *bb_hook_retain(struct bb_hook *hook);
void bb_hook_release(struct bb_hook *hook); /* NULL is fine */

#endif
