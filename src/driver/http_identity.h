/* What TLS is by a webhook's own settings: its client certificate, the key that its receiver is
 * held to, its authorities. libcurl keeps connections and sessions with different ones apart. */
#ifndef BB_DRIVER_HTTP_IDENTITY_H
#define BB_DRIVER_HTTP_IDENTITY_H

#include "driver/http_transfer.h"

/* For a transfer that has some; and on its handle, which will serve others. */
bool bb_http_identity_set(const struct bb_transfer *transfer, CURL *easy);
void bb_http_identity_clear(const struct bb_transfer *transfer, CURL *easy);

/* What is wrong with these settings or with what the receiver makes of them, in words, and how that
 * is classed; NULL: something else. */
const char *bb_http_identity_failure(const struct bb_transfer *transfer, CURLcode result,
                                     bb_failure *failure);

/* Whether a receiver has refused the client's certificate, or that there is none, on a new
 * connection: with TLS 1.3 that is told after the request, of which it reads nothing then. */
bool bb_http_identity_is_refused(const struct bb_transfer *transfer, CURLcode result);

#endif
