/* A webhook as a dispatcher keeps it: counted, and unchanging. */
#ifndef BB_API_HOOK_H
#define BB_API_HOOK_H

#include <stdalign.h>
#include <stdatomic.h>

#include "api/settings.h"

struct bb_standing;
struct bb_http_target;

/*
 * One block with all its texts, because there may be many: whatever can be made
 * again for a request (the parts of its URL, its endpoint) is not kept.
 */
struct bb_hook {
    bb_webhook webhook;
    const bb_allocator *mem;
    uint64_t serial; /* in the order in which webhooks were added */

    _Atomic(struct bb_standing *) standing; /* counted, set once; NULL: nothing is known of it */
    struct bb_http_target *parsed; /* `target`, kept between attempts: the driving thread's */
    atomic_uint references;        /* and whether it is gone */
    uint32_t target_at;            /* in `texts`; UINT32_MAX: there is none */
    alignas(const char *) char texts[];
};

/* Checks and copies `webhook`, with one reference. `mem` outlives the hook. */
int bb_hook_new(const bb_allocator *mem, const struct bb_policy *policy, const bb_webhook *webhook,
                struct bb_hook **hook, bb_error *error);

/* What one attempt is made with: the hook itself, or where it has no URL another one with what the
 * host's callback says; to be released. No lock is held. The error names the webhook.
 * BB_ERR_WEBHOOK (the callback gave nothing, or nothing that may be used), BB_ERR_URL,
 * BB_ERR_NO_MEMORY. */
int bb_hook_present(const struct bb_settings *settings, struct bb_hook *hook,
                    struct bb_hook **present, bb_error *error);

/* The same sentence without the webhook's name, for those who have said it. */
const char *bb_hook_why(const struct bb_hook *hook, const bb_error *error);

/* The URL that is requested, before signing; often webhook.url itself. NULL: it is only known at
 * each attempt. */
const char *bb_hook_target(const struct bb_hook *hook);

/* Removed or replaced: nothing new is known of it. Under the dispatcher's lock. */
void bb_hook_set_gone(struct bb_hook *hook);
bool bb_hook_is_gone(const struct bb_hook *hook);

const struct bb_endpoint *bb_hook_endpoint(const struct bb_hook *hook);

/* Its webhook where that has settings of its own for TLS, else NULL. */
const bb_webhook *bb_hook_tls(const struct bb_hook *hook);

struct bb_hook *bb_hook_retain(struct bb_hook *hook);
void bb_hook_release(struct bb_hook *hook); /* NULL is fine */

#endif
