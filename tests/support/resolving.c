#include "support/resolving.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "support/alloc.h"
#include "support/server.h"

enum { TURN_MS = 100, PATIENCE_MS = 30000 };

static struct pollfd *find_fd(resolving *r, int fd) {
    size_t i = 0;
    while (i < r->fd_count && r->fds[i].fd != fd)
        i++;
    return &r->fds[i];
}

static bool watch(void *user, int fd, bool read, bool write) {
    resolving *r = user;
    struct pollfd *at = find_fd(r, fd);
    bool is_new = at == &r->fds[r->fd_count];
    if (!read && !write) {
        assert_false(is_new);
        *at = r->fds[--r->fd_count];
        return true;
    }
    if (is_new && ++r->fd_count == RESOLVING_FDS)
        fail_msg("%d descriptors", RESOLVING_FDS);
    *at = (struct pollfd){.fd = fd, .events = (short)((read ? POLLIN : 0) | (write ? POLLOUT : 0))};
    return true;
}

void resolving_open(resolving *r, const char *servers) {
    *r = (resolving){.names = dns_start(), .now_ms = 1000000};
    struct bb_resolver_config config = {
        .mem = alloc_library(),
        .servers = servers != NULL ? servers : dns_servers(r->names),
        .watch = watch,
        .watch_user = r,
    };
    r->resolver = bb_resolver_new(&config);
}

void resolving_close(resolving *r) {
    bb_resolver_free(r->resolver);
    assert_int_equal(r->fd_count, 0);
    dns_stop(r->names);
}

static void told(struct bb_lookup *lookup, const struct bb_addresses *addresses, const char *why) {
    probe *p = (probe *)lookup;
    assert_true((addresses == NULL) == (why != NULL));
    p->calls++;
    p->why = why;
    p->version = addresses == NULL ? 0 : addresses->version;
    snprintf(p->list, sizeof(p->list), "%s", addresses == NULL ? "" : addresses->list);
    if (p->then != NULL)
        p->then(p);
}

void resolving_find(resolving *r, const char *host, probe *p) {
    p->lookup.done = told;
    bb_resolver_find(r->resolver, host, &p->lookup, r->now_ms);
}

void resolving_turn(resolving *r) {
    struct pollfd ready[RESOLVING_FDS];
    size_t count = r->fd_count;
    int timeout_ms = bb_resolver_timeout_ms(r->resolver);
    if (timeout_ms < 0 || timeout_ms > TURN_MS)
        timeout_ms = TURN_MS;
    memcpy(ready, r->fds, sizeof(ready));
    assert_true(poll(ready, count, timeout_ms) >= 0);
    for (size_t i = 0; i < count; i++) {
        bool failed = (ready[i].revents & (POLLERR | POLLHUP)) != 0;
        if (ready[i].revents != 0)
            bb_resolver_ready(r->resolver, ready[i].fd, failed || ready[i].revents & POLLIN,
                              failed || ready[i].revents & POLLOUT, r->now_ms);
    }
    bb_resolver_run(r->resolver, r->now_ms);
}

void resolving_wait(resolving *r, const probe *p) {
    int64_t end = server_now_ms() + PATIENCE_MS;
    while (p->calls == 0) {
        if (server_now_ms() > end)
            fail_msg("no answer came");
        resolving_turn(r);
    }
    assert_int_equal(p->calls, 1);
}

probe resolving_look_up(resolving *r, const char *host) {
    probe p = {0};
    resolving_find(r, host, &p);
    resolving_wait(r, &p);
    return p;
}
