#include "driver/http_guard.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include <ifaddrs.h>
#include <netinet/in.h>

enum { FRESH_S = 60 };

struct bb_http_guard {
    const bb_allocator *mem;
    const struct bb_guard *rules;
    pthread_mutex_t lock;
    struct bb_address *own; /* the public ones: of the others the table says enough */
    size_t own_count;
    time_t read_s;
};

static time_t now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* ---- this host's own addresses ---- */

static bool take_address(const struct sockaddr *from, struct bb_address *address) {
    if (from && from->sa_family == AF_INET) {
        address->length = 4;
        memcpy(address->bytes, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
    } else if (from && from->sa_family == AF_INET6) {
        address->length = 16;
        memcpy(address->bytes, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 16);
    } else {
        return false;
    }
    return !bb_address_kind(address);
}

static size_t count_all(const struct ifaddrs *all) {
    size_t count = 0;
    for (; all; all = all->ifa_next)
        count++;
    return count;
}

/* When they cannot be read again, those that were read before stay. */
static bool refresh(struct bb_http_guard *guard) {
    struct ifaddrs *all;
    if (getifaddrs(&all) != 0)
        return true;
    struct bb_address *own = bb_mem_alloc(guard->mem, (count_all(all) + 1) * sizeof *own);
    if (own) {
        bb_mem_free(guard->mem, guard->own);
        guard->own = own;
        guard->own_count = 0;
        for (const struct ifaddrs *one = all; one; one = one->ifa_next)
            guard->own_count += take_address(one->ifa_addr, &own[guard->own_count]);
    }
    freeifaddrs(all);
    return own != NULL;
}

/* ---- life ---- */

struct bb_http_guard *bb_http_guard_new(const bb_allocator *mem, const struct bb_guard *rules) {
    struct bb_http_guard *guard = bb_mem_zalloc(mem, sizeof *guard);
    if (!guard)
        return NULL;
    guard->mem = mem;
    guard->rules = rules;
    guard->read_s = now_s();
    pthread_mutex_init(&guard->lock, NULL);
    if (refresh(guard))
        return guard;
    bb_http_guard_free(guard);
    return NULL;
}

void bb_http_guard_free(struct bb_http_guard *guard) {
    if (!guard)
        return;
    pthread_mutex_destroy(&guard->lock);
    bb_mem_free(guard->mem, guard->own);
    bb_mem_free(guard->mem, guard);
}

/* ---- judging ---- */

struct bb_bounds bb_http_guard_hold(struct bb_http_guard *guard, bool allow_private) {
    pthread_mutex_lock(&guard->lock);
    time_t now = now_s();
    if (now - guard->read_s >= FRESH_S) {
        guard->read_s = now;
        refresh(guard);
    }
    return (struct bb_bounds){.guard = guard->rules,
                              .own = guard->own,
                              .own_count = guard->own_count,
                              .allow_private = allow_private};
}

void bb_http_guard_release(struct bb_http_guard *guard) {
    pthread_mutex_unlock(&guard->lock);
}

const char *bb_http_guard_judge(struct bb_http_guard *guard, bool allow_private,
                                const struct bb_address *address) {
    struct bb_bounds bounds = bb_http_guard_hold(guard, allow_private);
    const char *rule = bb_guard_judge(&bounds, address);
    bb_http_guard_release(guard);
    return rule;
}
