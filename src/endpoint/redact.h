/* Taking a webhook's secrets out of text that others wrote. */
#ifndef BB_ENDPOINT_REDACT_H
#define BB_ENDPOINT_REDACT_H

#include <stdbool.h>

#include "endpoint/request.h"

struct bb_secret {
    struct bb_secret *next;
    const char *text;
    bool is_masked_in_part; /* also when the end of a text leaves only its beginning */
};

/* What of a webhook must never be printed: its secrets, its URL's path and query, the values of
 * its own headers, and the parts of them that are long enough to be one ("services" and "v1" are
 * words). Collected when first needed: most answers quote nothing. */
struct bb_secrets {
    struct bb_arena *arena;
    const bb_webhook *webhook;        /* its URL need not be a sound one */
    const struct bb_request *request; /* what was sent, for its signatures; or NULL */
    struct bb_secret *items;
    bool is_collected;
};

/*
 * `text` with every secret replaced by ***, however it is spelled: as it is,
 * percent-encoded, or with JSON's escapes; also the beginning of one that the
 * end of the text cuts off. Of a long text only the first 4 KiB. NULL when out of
 * memory.
 */
const char *bb_redact(struct bb_secrets *secrets, const char *text);

#endif
