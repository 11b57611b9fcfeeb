/* What receivers do to a sender: each misbehaviour, and what a delivery to it comes to. The table
 * of docs/hostile.md says the same; a test compares them. */
#ifndef SUPPORT_HOSTILE_CASES_H
#define SUPPORT_HOSTILE_CASES_H

#include "support/posting.h"

/* How the receiver is spoken to. */
typedef enum hostile_place {
    HOSTILE_HTTP = 0,
    HOSTILE_HTTPS,       /* with a certificate that is trusted */
    HOSTILE_SELF_SIGNED, /* with one that nobody knows */
    HOSTILE_EXPIRED,
    HOSTILE_WRONG_HOST,
    HOSTILE_NO_TLS, /* https:// to one that does not speak it */
    HOSTILE_HTTP2
} hostile_place;

typedef struct hostile_case {
    const char *name; /* the row's in docs/hostile.md */
    hostile_place place;
    server_step step;     /* follows the request ... */
    int on_accept;        /* ... or, not 0, the connection */
    int packed;           /* not 0: the step's body is a small file that unpacks to 64 MiB */
    const char *greeting; /* HTTP/2: the first frames; NULL: the usual one */
    size_t greeting_length;
    bb_type type; /* 0: Custom */
    int big;      /* not 0: the request is longer than the windows of HTTP/2 are at first */
    int lasts;    /* not 0: nothing ends it but the attempt's limit */

    /* what it comes to */
    bb_verdict verdict;
    bb_advice advice;
    int http_status;
    int64_t retry_after_ms;
    int unsent;       /* not 0: no byte of a request left */
    size_t requests;  /* that arrived */
    const char *says; /* a part of the sentence */
} hostile_case;

extern const hostile_case hostile_http[]; /* and TLS */
extern const size_t hostile_http_count;
extern const hostile_case hostile_http2[];
extern const size_t hostile_http2_count;

#endif
