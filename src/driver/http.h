/*
 * HTTP by libcurl's multi interface. A session belongs to one thread at a time
 * and keeps its connections, TLS sessions and DNS cache between uses.
 */
#ifndef BB_DRIVER_HTTP_H
#define BB_DRIVER_HTTP_H

#include <stdatomic.h>

#include "base/buf.h"
#include "delivery/proxy.h"
#include "driver/http_guard.h"
#include "driver/http_trust.h"
#include "endpoint/request.h"

struct bb_http_config {
    const bb_allocator *mem;
    struct bb_http_trust *trust; /* borrowed for the pool's life, like the next */
    struct bb_http_guard *guard;
    const struct bb_proxies *proxies; /* NULL: none; else borrowed, too */
    const char *source;               /* interface or address; NULL: any; likewise */
    long connect_timeout_ms;
    long max_parallel; /* transfers of one session at once */
    bool http2;
    bool allow_http;
    bool allow_private;  /* of every transfer */
    bool needs_no_times; /* nobody looks at a transfer's dns_us, connect_us, ... */
    bool pins_names; /* the caller looks names up and gives addresses; libcurl's cache keeps them */

    /* NULL, or told when a connection's descriptor was made, and before it is closed */
    void (*opens)(void *user, int fd);
    void (*closes)(void *user, int fd);
    void *descriptors_user;
};

/* A URL as libcurl has parsed it, and what its cache of names knows: kept between attempts. While
 * it lives it is one of `*count`, which outlives it. */
struct bb_http_target;
struct bb_http_target *bb_http_target_new(const bb_allocator *mem, const char *text,
                                          atomic_size_t *count); /* `text` outlives it */
const struct bb_url *bb_http_target_parts(const struct bb_http_target *target);
void bb_http_target_free(struct bb_http_target *target); /* NULL is fine */

enum {
    BB_HTTP_BODY_MAX = 64 * 1024,   /* read of an answer; the rest is not waited for */
    BB_HTTP_HEADERS_MAX = 32 * 1024 /* more, and the answer counts as lost */
};

/* Transfers with different rules for addresses do not share connections. */
enum { BB_HTTP_RULES = 2 }; /* the configuration's, and those of transfers that open more */

/* One attempt. The caller fills in the first part; the second is the result. */
struct bb_transfer {
    const struct bb_request *request; /* stays until the transfer is over */
    long timeout_ms;
    long connect_timeout_ms; /* 0: the configuration's */
    void *owner;
    struct bb_http_target *target; /* of the request's URL; NULL: none is kept. Stays, too */
    bool is_signed_url;            /* the request's URL is not the target's: query differs */
    const bb_webhook *tls;         /* whose own settings for TLS hold; NULL: none. Stays, too */
    bool allow_private;            /* also where the configuration does not */
    const char *addresses;         /* "192.0.2.1,[2001:db8::1]"; NULL: libcurl looks them up */
    uint64_t addresses_version;

    bb_failure failure; /* 0: there is an answer */
    int status;
    bool is_sent; /* a request was at least begun */
    bool is_reused;
    int64_t dns_us, connect_us, tls_us, first_byte_us, total_us;

    /* the driver's own */
    struct bb_transfer *next, *previous;
    void *shard;
    void *easy;
    void *header_list; /* one block, of that many bytes */
    size_t header_list_size;
    void *resolve_list;
    void *connect_list;
    const char *proxy;  /* NULL: none */
    bool is_finding;    /* the address that the proxy is asked for: http_proxy.h */
    bool is_past_proxy; /* it has given the tunnel, or is not needed for this host */
    char chosen[46];    /* that address */
    char spare[46];     /* one of the other family; "": none, or none any more */
    int64_t finding_dns_us, finding_us;
    const struct bb_http_config *config;
    int requests;              /* begun on the wire: a second one is stopped */
    bool is_on_new_connection; /* the first one, over HTTP/2 */
    size_t header_bytes;
    bool is_head_complete; /* the headers' blank line has come */
    int socket_errno;      /* when no socket could be made */
    bool is_cut;           /* the body was longer than is read */

    /* kept from one transfer to the next by bb_transfer_reset */
    void *kept_handle; /* NULL: none */
    struct bb_buf headers;
    struct bb_buf body;
    char failure_text[256];
    char error[256];
    char refused[256]; /* "127.0.0.1 (loopback), ...": addresses that were, and by which rule. For
                          the operator only */
};

struct bb_http;
struct bb_session;

/* Starts libcurl for the process, and ends it: counted by libcurl itself. */
bool bb_http_global_start(void);
void bb_http_global_stop(void);

/* NULL when out of memory. `config` is copied. */
struct bb_http *bb_http_new(const struct bb_http_config *config);
void bb_http_free(struct bb_http *http);

/* A session of the caller's own until it is given back; a warm one if there is
 * one. NULL when out of memory. Any thread. */
struct bb_session *bb_http_take(struct bb_http *http);
/* `now_ms` (monotonic) tells which sessions nobody has wanted for a minute: they
 * are closed, for their connections are dead by then. */
void bb_http_give(struct bb_http *http, struct bb_session *session, int64_t now_ms);

/* Starts one transfer. False when it could not be, for want of memory. */
bool bb_session_start(struct bb_session *session, struct bb_transfer *transfer);

/* Drives the session: returns a transfer that is over, or NULL when none is over
 * yet; waits for at most `timeout_ms` for something to happen. */
struct bb_transfer *bb_session_wait(struct bb_session *session, int timeout_ms);

/* Frees what a transfer that is over holds; the other one keeps memory and handle for the next. */
void bb_transfer_free(struct bb_transfer *transfer);
void bb_transfer_reset(struct bb_transfer *transfer);

#endif
