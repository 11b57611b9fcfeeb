/* What the benchmarks of background delivery share. */
#ifndef BENCH_BACKGROUND_H
#define BENCH_BACKGROUND_H

#include <curl/curl.h>

#include "bench/bench.h"

/* ---- background_bare.c: a tuned loop of libcurl's multi interface that posts one constant body:
 * socket_action and epoll with descriptors kept registered, easy handles kept, each URL parsed
 * once. What the library is measured by. */
struct bench_bare_config {
    const char *const *urls; /* in turn */
    unsigned url_count;
    unsigned at_once;
    const bb_request *request; /* its headers and body */
    const char *ca_file;       /* NULL: no TLS */
};

/* What the library would send to a webhook of the type. */
bb_request *bench_bare_request(bb_type type);

/* Posts `count` times; the seconds that took, negative when one failed. */
struct bench_bare *bench_bare_open(const struct bench_bare_config *config);
bool bench_bare_run(struct bench_bare *bare, unsigned count);
void bench_bare_close(struct bench_bare *bare);

/* ---- a dispatcher of `count` webhooks */
struct bench_fleet {
    bb_type type;
    unsigned count;
    unsigned port;
    const char *path; /* "/services/T0/B0" and the number follow */
    bool own_hosts;   /* each has a host of its own */
    bool by_project;  /* webhook i wants project i + 1; else all want everything */
    unsigned at_once; /* max_in_flight; 0: the usual */
    unsigned hanging; /* the first ones have this path: */
    const char *hanging_path;
    const bb_egress *egress;       /* NULL: private addresses are allowed; else they are not */
    bool has_headers;              /* each has an Authorization and two headers of its own */
    const bb_allocator *allocator; /* NULL: malloc */
    bb_outbox *outbox;             /* NULL: in memory */
    bb_notice_fn notify;
    void *notify_user;
};

struct bench_sender {
    bb_dispatcher *dispatcher;
    struct bench_sample *samples; /* made before anything is measured */
    unsigned number;
};

/* false: told on stderr */
bool bench_sender_open(struct bench_sender *sender, const struct bench_fleet *fleet);
void bench_sender_close(struct bench_sender *sender);

/* Enqueues `count` different events, `in_queue` of them at most waiting at a time, and delivers. */
bool bench_sender_run(struct bench_sender *sender, const struct bench_fleet *fleet, unsigned count);

/* ---- the single figures */
bool bench_enqueue(unsigned rounds);
bool bench_hosts(unsigned port, unsigned rounds, unsigned count);
bool bench_slow(unsigned port, unsigned rounds);
bool bench_tls(unsigned rounds);
bool bench_memory(void);
bool bench_outbox(unsigned port, unsigned rounds, unsigned count);
bool bench_peer(unsigned port, unsigned rounds, unsigned count);
bool bench_claims(unsigned rounds, unsigned count);
bool bench_waiting(unsigned port, unsigned rounds);
bool bench_several(unsigned port, unsigned rounds, unsigned count);
bool bench_host(unsigned port, unsigned rounds);
bool bench_guard(unsigned port, unsigned rounds, unsigned count);

#endif
