/*
 * The authorities whose certificates are trusted: a bundle that is read once for all connections
 * of a dispatcher. Each of libcurl's multi handles would read it for itself otherwise, which takes
 * a hundred connections' time and most of a megabyte. It is read again after a day, as libcurl
 * does, so that a new bundle is noticed. Any thread.
 */
#ifndef BB_DRIVER_HTTP_TRUST_H
#define BB_DRIVER_HTTP_TRUST_H

#include <stdbool.h>

#include "base/mem.h"

struct bb_http_trust;

/* `bundle` (PEM) outlives it; NULL: the one that libcurl names. Nothing is read before the first
 * connection. NULL when out of memory. */
struct bb_http_trust *bb_http_trust_new(const bb_allocator *mem, const char *bundle);
void bb_http_trust_free(struct bb_http_trust *trust); /* NULL is fine */

/* What an easy handle (a CURL *) will trust; `trust` outlives its connections. */
bool bb_http_trust_set(struct bb_http_trust *trust, void *easy);

/* That it will trust a bundle of its own instead, until it is set again. */
void bb_http_trust_set_own(void *easy);

/* Makes libcurl tell the handle's connections and sessions from those with another `mark` (up to 64
 * characters), after the trust is set; until it is cleared. */
bool bb_http_trust_set_apart(const struct bb_http_trust *trust, void *easy, const char *mark);
void bb_http_trust_clear_apart(void *easy);

/* The file; NULL: libcurl does without. */
const char *bb_http_trust_bundle(const struct bb_http_trust *trust);

#endif
