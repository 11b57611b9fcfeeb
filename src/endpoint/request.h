/* A request in the making: what bb_request shows to hosts. */
#ifndef BB_ENDPOINT_REQUEST_H
#define BB_ENDPOINT_REQUEST_H

#include "base/url.h"
#include "event/headers.h"
#include "event/message.h"

#define BB_MASK "***"

/* What is new at each attempt. */
struct bb_signing {
    int64_t time_ms;
    const char *delivery_id; /* letters, digits, _ and -: the same over retries */
};

struct bb_request_header {
    const char *name;
    const char *value;
    bool is_secret;
};

struct bb_request {
    struct bb_arena arena;
    struct bb_url url;
    struct bb_request_header headers[8 + BB_HEADERS_MAX]; /* the library's, the host's */
    size_t header_count;
    const char *body; /* the arena's, or somebody's who outlives the request */
    size_t length;
    const char *secret; /* a part of `body` that is masked in print, or NULL */
    size_t secret_length;
};

void bb_request_add_header(struct bb_request *request, const char *name, const char *value,
                           bool is_secret);

/* Adds a query parameter; `value` is percent-encoded once. */
void bb_request_add_query(struct bb_request *request, const char *name, const char *value);

/* Puts `members` ("\"a\":1,") at the beginning of the body's object. When they
 * hold `secret`, it is masked in print. */
void bb_request_add_members(struct bb_request *request, const char *members, const char *secret);

/* Scheme, host and BB_MASK; the body with its secret replaced. From the arena. */
const char *bb_request_masked_url(struct bb_request *request);
const char *bb_request_masked_body(struct bb_request *request, size_t *length);

#endif
