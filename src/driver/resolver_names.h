/* What is known of names, for a time; at most BB_NAMES_MAX of them. */
#ifndef BB_DRIVER_RESOLVER_NAMES_H
#define BB_DRIVER_RESOLVER_NAMES_H

#include <stddef.h>

#include "driver/resolver.h"

enum { BB_NAMES_MAX = 4096, BB_NAMES_BUCKETS = 1024 };

struct bb_name {
    struct bb_name *next; /* in its bucket */
    struct bb_resolver *resolver;
    struct bb_lookup *waiting; /* for the query under way, the last one first */
    size_t open;               /* look-ups that are not answered: it stays */
    bool is_asked;             /* c-ares points to it: it stays */
    bool is_known;             /* for addresses, or for `why` there are none */
    int64_t learned_ms;
    int64_t until_ms;
    const char *why;               /* static; NULL: `addresses` hold */
    struct bb_addresses addresses; /* kept through failures, so that their version is too */
    char *list;                    /* theirs, owned */
    char host[];
};

struct bb_names {
    const bb_allocator *mem;
    struct bb_name *buckets[BB_NAMES_BUCKETS];
    size_t count;
};

void bb_names_free(struct bb_names *names);

struct bb_name *bb_names_find(const struct bb_names *names, const char *host);

/* Room for one more: what is out of date goes, else what was learned first. False: none can go. */
bool bb_names_make_room(struct bb_names *names, int64_t now_ms);

/* NULL: no memory. */
struct bb_name *bb_names_add(struct bb_names *names, const char *host);

bool bb_name_is_fresh(const struct bb_name *name, int64_t now_ms);

/* A list that is not the known one takes the next version. False: no memory, nothing changed. */
bool bb_name_set_list(struct bb_name *name, const bb_allocator *mem, const char *list,
                      uint64_t *last_version);

#endif
