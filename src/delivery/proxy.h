/* The operator's proxies: how they are written, and which one a request goes through. Pure. */
#ifndef BB_DELIVERY_PROXY_H
#define BB_DELIVERY_PROXY_H

#include <stdbool.h>

#include "base/arena.h"
#include "bb_webhook.h"

/* Each is NULL where there is none. Secrets: they may have a password in them. */
struct bb_proxies {
    const char *https, *http; /* for URLs of that scheme; as libcurl takes them */
    const char *user, *password;
    const char *except; /* hosts that are reached directly */
};

/* What is wrong with how a proxy is written ("has no port"), or NULL. */
const char *bb_proxy_mistake(const char *text);

/* What is wrong with the members that concern proxy and source ("proxy: has no port"), or NULL.
 * `said` has room for it. */
const char *bb_proxy_egress_mistake(const bb_egress *egress, char said[120]);

/* One that is written without a mistake, so that names are not left to it. NULL: no memory. */
const char *bb_proxy_copy(struct bb_arena *arena, const char *text);

/* NULL: directly. `proxies` may be NULL. */
const char *bb_proxy_for(const struct bb_proxies *proxies, const char *scheme);

#endif
