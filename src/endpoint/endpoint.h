/*
 * The kinds of receiver. To add one: its file with a `struct bb_endpoint`, a
 * row in endpoint.c, its golden files, a row in the README.
 */
#ifndef BB_ENDPOINT_ENDPOINT_H
#define BB_ENDPOINT_ENDPOINT_H

#include "base/url.h"
#include "endpoint/answer.h"
#include "endpoint/render.h"
#include "endpoint/request.h"

/* At most `count` messages in any window of `period_ms`. */
struct bb_rate {
    uint32_t count;
    uint32_t period_ms;
};

enum {
    BB_RATES = 2,
    BB_CHAT_AGE_LIMIT_S = 24 * 60 * 60 /* nobody wants yesterday's news in a room */
};

struct bb_endpoint {
    bb_type type;
    const char *label;        /* as its makers write it: "WeCom" */
    const char *const *hosts; /* where it receives: NULL-terminated list of names, or
                                 ".example.com" for any below; NULL: any host */
    const char *content_type;
    size_t body_max;         /* bytes of JSON, without what `sign` adds */
    bool is_data;            /* passes the event on: needs no facts, no mentions */
    bool is_success_by_body; /* `judge` looks at nothing but status, body, allow_any_2xx and
                                Retry-After */

    /* what background delivery obeys where the webhook does not say otherwise */
    struct bb_rate rates[BB_RATES]; /* of one webhook, as documented; count 0: none */
    uint32_t max_in_flight;
    uint32_t age_limit_s; /* 0: none */
    bool is_idempotent;   /* is told the delivery's id, so that a second one can be left out */

    /*
     * Checks what only this kind knows of a webhook (form of the URL, secret)
     * and rewrites `url` to what is requested. Returns what is wrong, as the end
     * of a sentence that begins with the webhook's name ("url has no ..."), or
     * NULL. With `allow_any_host` the form of the URL is not held against it.
     * Text is taken from `arena`, whose failure the caller looks at. May be NULL.
     */
    const char *(*configure)(struct bb_arena *arena, const bb_webhook *webhook, struct bb_url *url);

    /*
     * Pushes the members of the body into `r->json`, whose root object is open;
     * notes what did not fit by bb_render_fit or bb_cuts_add. Pure: the same
     * message and settings give the same bytes. Everything per delivery is left
     * to `sign`. Failures are sticky in the arena and in the JSON.
     */
    void (*render)(struct bb_render *r);

    /*
     * Adds what belongs to one attempt: signatures, idempotency keys. The body,
     * URL and headers of `request` may be replaced; texts come from its arena.
     * May be NULL. Failure is the arena's.
     */
    void (*sign)(struct bb_request *request, const bb_webhook *webhook,
                 const struct bb_signing *signing);

    /*
     * Reads the answer and fills in verdict, advice, wait and the remote code
     * and words of `outcome`, which comes zeroed. There is an answer with a
     * status. Never blocks, never fails.
     */
    void (*judge)(const struct bb_answer *answer, const bb_webhook *webhook, bb_outcome *outcome);
};

/* NULL for a type that is not known. */
const struct bb_endpoint *bb_endpoint_of(bb_type type);

/* Whether the product receives on `host` (lower case). */
bool bb_endpoint_has_host(const struct bb_endpoint *endpoint, const char *host);

/* Renders `message` for `webhook` into `body`; `scratch` is empty, and is again afterwards. False:
 * too large or no memory. */
bool bb_endpoint_render(const struct bb_endpoint *endpoint, struct bb_arena *scratch,
                        const struct bb_message *message, const bb_webhook *webhook,
                        struct bb_buf *body, struct bb_cuts *cuts);

#endif
