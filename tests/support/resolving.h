/* What the resolver's tests share: a resolver with its DNS server, a loop, and look-ups that note
 * what they were told. */
#ifndef SUPPORT_RESOLVING_H
#define SUPPORT_RESOLVING_H

#include <poll.h>

#include "driver/resolver.h"
#include "support/dns.h"

enum { RESOLVING_FDS = 16, RESOLVING_LIST = 512 };

typedef struct resolving {
    dns *names;
    struct bb_resolver *resolver; /* NULL: no memory */
    int64_t now_ms;               /* the resolver's; moves when a test moves it */
    struct pollfd fds[RESOLVING_FDS];
    size_t fd_count;
} resolving;

typedef struct probe {
    struct bb_lookup lookup;
    int calls;
    char list[RESOLVING_LIST]; /* "" for none */
    uint64_t version;
    const char *why;
    void (*then)(struct probe *self); /* within `done`, may be NULL */
    void *user;
} probe;

/* With the tests' allocator. `servers` in place of its own DNS server's, or NULL. */
void resolving_open(resolving *r, const char *servers);
void resolving_close(resolving *r);

void resolving_find(resolving *r, const char *host, probe *p);

/* One turn of the loop, of at most 100 ms. */
void resolving_turn(resolving *r);

/* Turns until it is told; fails the test when that takes too long. */
void resolving_wait(resolving *r, const probe *p);

/* Both of the above, for a look-up of its own. */
probe resolving_look_up(resolving *r, const char *host);

#endif
