/*
 * Names to addresses by c-ares, on the thread that drives: nothing here waits for the network (the
 * hosts file is read). What was found is kept for its time to live (from 1 s to 5 minutes; a
 * failure for 1 s), for at most 4,096 names, and look-ups of one name at the same time share one
 * query. Belongs to one thread at a time.
 */
#ifndef BB_DRIVER_RESOLVER_H
#define BB_DRIVER_RESOLVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"

struct bb_resolver;

/* Asked to watch `fd` from now on for reading and writing; both false: no more, it is about to be
 * closed. Called within any of the calls below that take a resolver, bb_resolver_free too; must
 * not call one. False: cannot be watched, and what is asked over it ends by time-outs. */
typedef bool bb_resolver_watch(void *user, int fd, bool read, bool write);

struct bb_resolver_config {
    const bb_allocator *mem;
    const char *servers; /* "192.0.2.53,[2001:db8::53]:5353"; NULL: the system's */
    bb_resolver_watch *watch;
    void *watch_user;
};

/* What a name has: borrowed until the resolver's next call. */
struct bb_addresses {
    /* "192.0.2.1,2001:db8::1": as CURLOPT_RESOLVE takes it after "host:port:", where brackets are
     * allowed but not needed. At most 8, in the order of RFC 6724; never empty. */
    const char *list;
    /* Not the same for two different lists of any names; never 0. A name keeps it while its list
     * stays the same, failures between or not, until the name is dropped to make room. */
    uint64_t version;
};

/* One look-up, in the caller's memory; `done` is called once, perhaps before bb_resolver_find
 * returns, never after bb_resolver_cancel. NULL addresses: none, and `why` says so ("no such name",
 * static). `done` may look up and cancel, free `lookup` and look up with it again, but not free the
 * resolver; the look-ups it makes are done after it has returned. */
struct bb_lookup {
    void (*done)(struct bb_lookup *lookup, const struct bb_addresses *addresses, const char *why);
    struct bb_lookup *next; /* the resolver's own */
    struct bb_name *name;
};

/* False when `servers` is not a list of 1 to 8 addresses without zones, each alone or with a port.
 * Pure. */
bool bb_resolver_is_server_list(const char *servers);

/* NULL when out of memory, or c-ares cannot start, or the servers are no list. `config` is copied,
 * and its servers are not needed afterwards. c-ares takes its own memory from malloc. */
struct bb_resolver *bb_resolver_new(const struct bb_resolver_config *config);
void bb_resolver_free(struct bb_resolver *resolver); /* no look-up is open any more */

/* `host` is a name in lower case, never an address. `now_ms` is monotonic. A query ends by itself
 * after 7 s for each server: the caller has its own deadline, and cancels. */
void bb_resolver_find(struct bb_resolver *resolver, const char *host, struct bb_lookup *lookup,
                      int64_t now_ms);

/* The query goes on for the others, and for what is kept. Does nothing for a look-up that is done
 * or cancelled, or that is all zero. */
void bb_resolver_cancel(struct bb_resolver *resolver, struct bb_lookup *lookup);

/* A watched descriptor is ready; an error of its counts as both. */
void bb_resolver_ready(struct bb_resolver *resolver, int fd, bool read, bool write, int64_t now_ms);

/* When c-ares wants bb_resolver_run at the latest: milliseconds from now, -1 for never. */
int bb_resolver_timeout_ms(struct bb_resolver *resolver);
void bb_resolver_run(struct bb_resolver *resolver, int64_t now_ms);

#endif
