/* Where a webhook may send: its URL held against every rule. */
#ifndef BB_DELIVERY_TARGET_H
#define BB_DELIVERY_TARGET_H

#include "base/error.h"
#include "delivery/guard.h"
#include "endpoint/endpoint.h"

/* The operator's word, from bb_options. */
struct bb_policy {
    struct bb_bounds bounds; /* of all webhooks: one may have switched on more */
    bool allow_http;
    bool gives_credentials; /* so that a webhook need not have a URL */
};

/* Parses, checks and rewrites the webhook's URL into what is requested. The
 * error names the webhook, never the URL. BB_ERR_URL, BB_ERR_WEBHOOK,
 * BB_ERR_NO_MEMORY. */
int bb_target_resolve(struct bb_arena *arena, const bb_webhook *webhook,
                      const struct bb_policy *policy, struct bb_url *url, bb_error *error);

#endif
