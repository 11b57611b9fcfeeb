/* URLs and HTTP dates, parsed by libcurl's pure functions. */
#ifndef BB_BASE_URL_H
#define BB_BASE_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

/* In bytes. Each part of one is looked for in every answer: who types it in must not decide how
 * long that takes. */
enum { BB_URL_MAX = 4096 };

struct bb_url {
    const char *text;   /* put together from the parts below: what is requested */
    const char *scheme; /* lower case */
    const char *host;   /* lower case ASCII; IPv4 in dotted form, IPv6 in brackets */
    const char *port;   /* digits as written; "" when not written */
    const char *path;   /* as written, never re-encoded; begins with / */
    const char *query;  /* as written, without the ?; "" when there is none */
};

/*
 * Parses an http(s) URL. Refused with a reason in `*why` (a sentence's end: "has
 * a user name before the host"): backslashes, blanks, control and non-ASCII
 * bytes, user information, zone ids, fragments, other schemes. But a host may be an
 * internationalised one in UTF-8: it is given in its xn-- form, which is then read as
 * if it had been written.
 * BB_ERR_URL, BB_ERR_NO_MEMORY.
 */
int bb_url_parse(struct bb_arena *arena, const char *text, struct bb_url *url, const char **why);

/* Puts scheme, host, port, path and query of `url` together again in `text`. */
int bb_url_join(struct bb_arena *arena, struct bb_url *url);

/* The other way: the parts of a text that bb_url_join made, which stays the
 * caller's and outlives them. False when out of memory. */
bool bb_url_split(struct bb_arena *arena, const char *text, struct bb_url *url);

/* Percent-encodes all but the unreserved characters of RFC 3986. */
const char *bb_url_encode(struct bb_arena *arena, const char *text);

/* `query` without the parameters named in the NULL-terminated `names`. */
const char *bb_url_query_without(struct bb_arena *arena, const char *query,
                                 const char *const *names);

/* Whether `query` has the parameter with a value that is not empty. */
bool bb_url_query_has(const char *query, const char *name);

/* Seconds since 1970 of an HTTP date, in any of its three forms; -1 when it is none. */
int64_t bb_url_date(const char *text);

#endif
