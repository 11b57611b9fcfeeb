/*
 * Names to addresses by c-ares, on the thread that drives: nothing here blocks. What was found is
 * kept for its time to live (from 1 s to 5 minutes; a failure for 1 s), and look-ups of one name at
 * the same time share one query. Belongs to one thread at a time.
 */
#ifndef BB_DRIVER_RESOLVER_H
#define BB_DRIVER_RESOLVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"

struct bb_resolver;

/* Asked to watch `fd` from now on for reading and writing; both false: no more. */
typedef bool bb_resolver_watch(void *user, int fd, bool read, bool write);

struct bb_resolver_config {
    const bb_allocator *mem;
    const char *servers; /* "192.0.2.53,[2001:db8::53]:5353"; NULL: the system's */
    bb_resolver_watch *watch;
    void *watch_user;
};

/* What a name has: borrowed until the resolver's next call. */
struct bb_addresses {
    const char *list; /* "192.0.2.1,2001:db8::1", at most 8, in the system's order of preference */
    uint64_t version; /* not the same for two different lists of any names; never 0 */
};

/* One look-up, in the caller's memory; `done` is called once, perhaps before bb_resolver_find
 * returns, never after bb_resolver_cancel. NULL addresses: none, and `why` says so. */
struct bb_lookup {
    void (*done)(struct bb_lookup *lookup, const struct bb_addresses *addresses, const char *why);
    struct bb_lookup *next; /* the resolver's own */
    struct bb_name *name;
};

/* False when `servers` is not a list of addresses. Pure. */
bool bb_resolver_is_server_list(const char *servers);

/* NULL when out of memory, or c-ares cannot start. `config` is copied. */
struct bb_resolver *bb_resolver_new(const struct bb_resolver_config *config);
void bb_resolver_free(struct bb_resolver *resolver); /* no look-up is open any more */

/* `host` is a name, never an address. `now_ms` is monotonic. */
void bb_resolver_find(struct bb_resolver *resolver, const char *host, struct bb_lookup *lookup,
                      int64_t now_ms);
void bb_resolver_cancel(struct bb_resolver *resolver, struct bb_lookup *lookup);

/* A watched descriptor is ready. */
void bb_resolver_ready(struct bb_resolver *resolver, int fd, bool read, bool write, int64_t now_ms);

/* When c-ares wants bb_resolver_run at the latest: milliseconds from now, -1 for never. */
int bb_resolver_timeout_ms(struct bb_resolver *resolver);
void bb_resolver_run(struct bb_resolver *resolver, int64_t now_ms);

#endif
