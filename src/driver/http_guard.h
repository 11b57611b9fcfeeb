/* The address guard at the socket: delivery/guard.h with this host's own addresses, which are read
 * again once a minute. Any thread. */
#ifndef BB_DRIVER_HTTP_GUARD_H
#define BB_DRIVER_HTTP_GUARD_H

#include "base/mem.h"
#include "delivery/guard.h"

struct bb_http_guard;

/* NULL when out of memory. `rules` are borrowed. */
struct bb_http_guard *bb_http_guard_new(const bb_allocator *mem, const struct bb_guard *rules);
void bb_http_guard_free(struct bb_http_guard *guard); /* NULL is fine */

/* What addresses are held against, until the other is called: others wait so long. */
struct bb_bounds bb_http_guard_hold(struct bb_http_guard *guard, bool allow_private);
void bb_http_guard_release(struct bb_http_guard *guard);

/* The rule that refuses, or NULL. */
const char *bb_http_guard_judge(struct bb_http_guard *guard, bool allow_private,
                                const struct bb_address *address);

#endif
