/* Taking a webhook's secrets out of text that others wrote. */
#ifndef BB_ENDPOINT_REDACT_H
#define BB_ENDPOINT_REDACT_H

#include "base/url.h"

enum { BB_SECRETS_MAX = 32 };

struct bb_secrets {
    const char *texts[BB_SECRETS_MAX];
    size_t count;
};

/* What of a webhook must never be printed: its URL's path and query, whole and
 * in their parts (of 8 and of 4 bytes or more; shorter ones are words like
 * "v1"), also percent-decoded, and its secret. `url` or `secret` may be NULL. */
void bb_secrets_collect(struct bb_secrets *secrets, struct bb_arena *arena,
                        const struct bb_url *url, const char *secret);

/* `text` with every secret replaced by ***. NULL when out of memory. */
const char *bb_redact(struct bb_arena *arena, const struct bb_secrets *secrets, const char *text);

#endif
