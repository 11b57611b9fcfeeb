/*
 * bb_webhook: the receiver's side of a Custom webhook. Part of bb_webhook.h; a receiver needs
 * nothing else. What senders sign is Standard Webhooks 1.0.0, by this library or by others.
 */
#ifndef BB_WEBHOOK_VERIFY_H
#define BB_WEBHOOK_VERIFY_H

#include "bb_webhook_event.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A request that came in: the values of three of its headers, NULL where there is none, and its
 * body as it came, before any parsing. */
typedef struct bb_received {
    size_t struct_size;
    const char *id;        /* webhook-id */
    const char *timestamp; /* webhook-timestamp */
    const char *signature; /* webhook-signature */
    const void *body;      /* may be NULL when body_length is 0 */
    size_t body_length;
    const char *const *secrets; /* what the sender may sign with: "whsec_..." (prefix optional),
                                   "whpk_..." (public) or "whsk_..."; NULL and "" in it are passed
                                   over, so that there may be a second one or not */
    size_t secret_count;
    int64_t now_ms;       /* since 1970; required */
    uint32_t tolerance_s; /* how far the timestamp may be off, to either side; 0: 300 */
    uint32_t reserved;    /* zero */
} bb_received;
#define BB_RECEIVED_INIT BB_INIT_STRUCT(bb_received)

/*
 * Whether one of the request's signatures was made with one of the secrets, at a time that is near
 * enough. Pure; compares in constant time; any thread. BB_OK: it was, and only then may the body be
 * believed. That the same request does not come twice is for the caller to see, by webhook-id.
 *
 * BB_ERR_MISSING (a header, which error->text names), BB_ERR_MALFORMED (likewise), BB_ERR_TOO_OLD,
 * BB_ERR_TOO_NEW, BB_ERR_SIGNATURE (none is of these secrets, or the body was changed): the
 * sender's fault. BB_ERR_ARGUMENT (a secret that cannot be read, no secret, no now_ms),
 * BB_ERR_STRUCT, BB_ERR_NO_MEMORY: the receiver's.
 */
BB_API int bb_webhook_verify(const bb_received *received, bb_error *error);

#ifdef __cplusplus
}
#endif

#endif
