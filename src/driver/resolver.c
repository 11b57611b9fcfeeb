/*
 * Look-ups over c-ares. A callback of c-ares only notes what was found; `done` is called when
 * c-ares has returned, so that it may call the resolver again however it likes.
 *
 * Nothing is ever cancelled in c-ares, which could only cancel all at once: a query that nobody
 * waits for any more ends by its answer or time-outs, and what it finds is kept.
 */
#include "driver/resolver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <ares.h>

#include "base/global.h"
#include "driver/resolver_names.h"
#include "driver/resolver_servers.h"

enum {
    TTL_MIN_MS = 1000,
    TTL_MAX_MS = 5 * 60 * 1000,
    FAILURE_MS = 1000,
    /* a server has 1 s, 2 s, then 4 s: silence shows soon, and the caller gives up when it likes */
    FIRST_TIMEOUT_MS = 1000,
    TRIES = 3,
    ADDRESSES_MAX = 8,
    LIST_SIZE = ADDRESSES_MAX * INET6_ADDRSTRLEN
};

struct bb_resolver {
    struct bb_resolver_config config;
    ares_channel channel;
    struct bb_names names;
    int64_t now_ms;
    uint64_t last_version;
    struct bb_lookup *settled; /* to be told, in order */
    struct bb_lookup **settled_end;
    bool is_telling;
    struct bb_name *no_memory, *no_room; /* what look-ups hear that got no name; no resolver */
};

/* ---- start and end ---- */

/* c-ares counts its users without a lock. The host's own calls of ares_library_init are not under
 * this one: a host that uses c-ares too makes them before it starts threads, as c-ares asks. */
static bool library_start(void) {
    bb_global_lock(BB_GLOBAL_RESOLVER);
    bool ok = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS;
    bb_global_unlock(BB_GLOBAL_RESOLVER);
    return ok;
}

static void library_stop(void) {
    bb_global_lock(BB_GLOBAL_RESOLVER);
    ares_library_cleanup();
    bb_global_unlock(BB_GLOBAL_RESOLVER);
}

static void on_socket_state(void *user, ares_socket_t fd, int read, int write) {
    const struct bb_resolver *resolver = user;
    /* where it cannot be watched, its queries end by their time-outs */
    resolver->config.watch(resolver->config.watch_user, fd, read != 0, write != 0);
}

static bool open_channel(struct bb_resolver *resolver) {
    char lookups[] = "fb";                                       /* the hosts file, then DNS */
    struct ares_options options = {.flags = ARES_FLAG_NOALIASES, /* no file from HOSTALIASES */
                                   .timeout = FIRST_TIMEOUT_MS,
                                   .tries = TRIES,
                                   .lookups = lookups,
                                   .sock_state_cb = on_socket_state,
                                   .sock_state_cb_data = resolver};
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
               ARES_OPT_SOCK_STATE_CB | ARES_OPT_ROTATE;
    char servers[BB_SERVERS_TEXT];
    if (ares_init_options(&resolver->channel, &options, mask) != ARES_SUCCESS)
        return false;
    if (!resolver->config.servers)
        return true;
    return bb_servers_normalise(resolver->config.servers, servers) &&
           ares_set_servers_ports_csv(resolver->channel, servers) == ARES_SUCCESS;
}

static struct bb_name *new_refusal(struct bb_resolver *resolver, const char *why) {
    struct bb_name *name = bb_mem_zalloc(resolver->config.mem, sizeof *name + 1);
    if (name)
        name->why = why;
    return name;
}

struct bb_resolver *bb_resolver_new(const struct bb_resolver_config *config) {
    struct bb_resolver *resolver = bb_mem_zalloc(config->mem, sizeof *resolver);
    if (!resolver)
        return NULL;
    if (!library_start()) {
        bb_mem_free(config->mem, resolver);
        return NULL;
    }
    resolver->config = *config;
    resolver->names.mem = config->mem;
    resolver->settled_end = &resolver->settled;
    resolver->no_memory = new_refusal(resolver, "out of memory");
    resolver->no_room = new_refusal(resolver, "too many names are looked up at the same time");
    if (!resolver->no_memory || !resolver->no_room || !open_channel(resolver)) {
        bb_resolver_free(resolver);
        return NULL;
    }
    resolver->config.servers = NULL; /* the caller's, no longer needed */
    return resolver;
}

void bb_resolver_free(struct bb_resolver *resolver) {
    if (!resolver)
        return;
    ares_destroy(resolver->channel); /* queries that nobody waits for settle here */
    library_stop();
    const bb_allocator *mem = resolver->config.mem;
    bb_names_free(&resolver->names);
    bb_mem_free(mem, resolver->no_memory);
    bb_mem_free(mem, resolver->no_room);
    bb_mem_free(mem, resolver);
}

/* ---- telling ---- */

static void settle(struct bb_resolver *resolver, struct bb_lookup *lookup) {
    lookup->next = NULL;
    *resolver->settled_end = lookup;
    resolver->settled_end = &lookup->next;
}

static struct bb_lookup *reversed(struct bb_lookup *list) {
    struct bb_lookup *turned = NULL;
    while (list) {
        struct bb_lookup *next = list->next;
        list->next = turned;
        turned = list;
        list = next;
    }
    return turned;
}

static void settle_all(struct bb_name *name) {
    struct bb_lookup *lookup = reversed(name->waiting);
    name->waiting = NULL;
    while (lookup) {
        struct bb_lookup *next = lookup->next;
        settle(name->resolver, lookup);
        lookup = next;
    }
}

/* The outermost call tells all, so the stack stays flat whatever `done` asks for. */
static void tell(struct bb_resolver *resolver) {
    if (resolver->is_telling)
        return;
    resolver->is_telling = true;
    while (resolver->settled) {
        struct bb_lookup *lookup = resolver->settled;
        struct bb_name *name = lookup->name;
        resolver->settled = lookup->next;
        if (!resolver->settled)
            resolver->settled_end = &resolver->settled;
        name->open--;
        lookup->next = NULL;
        lookup->name = NULL;
        lookup->done(lookup, name->why ? NULL : &name->addresses, name->why);
    }
    resolver->is_telling = false;
}

/* ---- answers ---- */

static const char *failure_text(int status) {
    switch (status) {
    case ARES_ENOTFOUND:
        return "no such name";
    case ARES_ENODATA:
        return "the name has no address";
    case ARES_ETIMEOUT:
        return "its DNS servers did not answer";
    case ARES_ECONNREFUSED: /* also what 1.18 says when all of them answered with a failure */
        return "its DNS servers failed or could not be reached";
    case ARES_ESERVFAIL:
    case ARES_EREFUSED:
    case ARES_ENOTIMP:
        return "its DNS servers failed";
    case ARES_EBADNAME:
    case ARES_EBADQUERY:
    case ARES_EBADSTR:
        return "not a valid name";
    case ARES_EFORMERR:
    case ARES_EBADRESP:
        return "its DNS servers' answer cannot be understood";
    case ARES_ENOMEM:
        return "out of memory";
    default:
        return "the look-up failed";
    }
}

/* NULL for what cannot be connected to by its text: other families, and with a zone. */
static const char *address_text(const struct sockaddr *address, char *text) {
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)address;
        return inet_ntop(AF_INET, &v4->sin_addr, text, INET6_ADDRSTRLEN);
    }
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)address;
        return v6->sin6_scope_id ? NULL
                                 : inet_ntop(AF_INET6, &v6->sin6_addr, text, INET6_ADDRSTRLEN);
    }
    return NULL;
}

/* `list` has LIST_SIZE bytes; empty when no address can be used. */
static void write_list(const struct ares_addrinfo *found, char *list) {
    char text[INET6_ADDRSTRLEN];
    size_t length = 0, count = 0;
    list[0] = '\0';
    for (const struct ares_addrinfo_node *node = found->nodes; node; node = node->ai_next) {
        if (count == ADDRESSES_MAX || !address_text(node->ai_addr, text))
            continue;
        if (count++ > 0)
            list[length++] = ',';
        size_t n = strlen(text);
        memcpy(list + length, text, n + 1);
        length += n;
    }
}

static int64_t smaller_ttl(int64_t seconds, int ttl) {
    if (ttl < 0) /* more than 31 bits: none, says RFC 2181 */
        return 0;
    return ttl < seconds ? ttl : seconds;
}

/* The shortest of all records that led there. */
static int64_t ttl_ms(const struct ares_addrinfo *found) {
    int64_t seconds = TTL_MAX_MS / 1000;
    for (const struct ares_addrinfo_node *node = found->nodes; node; node = node->ai_next)
        seconds = smaller_ttl(seconds, node->ai_ttl);
    for (const struct ares_addrinfo_cname *name = found->cnames; name; name = name->next)
        seconds = smaller_ttl(seconds, name->ttl);
    return seconds * 1000 < TTL_MIN_MS ? TTL_MIN_MS : seconds * 1000;
}

static void learn(struct bb_name *name, const char *why, int64_t for_ms) {
    int64_t now_ms = name->resolver->now_ms;
    name->why = why;
    name->is_known = true;
    name->learned_ms = now_ms;
    name->until_ms = now_ms + for_ms;
}

static void learn_addresses(struct bb_name *name, const struct ares_addrinfo *found) {
    struct bb_resolver *resolver = name->resolver;
    char list[LIST_SIZE];
    write_list(found, list);
    if (!*list)
        learn(name, failure_text(ARES_ENODATA), FAILURE_MS);
    else if (!bb_name_set_list(name, resolver->config.mem, list, &resolver->last_version))
        learn(name, failure_text(ARES_ENOMEM), FAILURE_MS);
    else
        learn(name, NULL, ttl_ms(found));
}

static void on_answer(void *user, int status, int timeouts, struct ares_addrinfo *found) {
    struct bb_name *name = user;
    (void)timeouts;
    name->is_asked = false;
    if (status == ARES_SUCCESS && found)
        learn_addresses(name, found);
    else
        learn(name, failure_text(status), FAILURE_MS);
    if (found)
        ares_freeaddrinfo(found);
    settle_all(name);
}

/* ---- questions ---- */

static struct bb_name *take_name(struct bb_resolver *resolver, const char *host) {
    struct bb_name *name = bb_names_find(&resolver->names, host);
    if (name)
        return name;
    if (!bb_names_make_room(&resolver->names, resolver->now_ms))
        return resolver->no_room;
    name = bb_names_add(&resolver->names, host);
    if (!name)
        return resolver->no_memory;
    name->resolver = resolver;
    return name;
}

static void ask(struct bb_name *name) {
    const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    name->is_asked = true;
    ares_getaddrinfo(name->resolver->channel, name->host, NULL, &hints, on_answer, name);
}

void bb_resolver_find(struct bb_resolver *resolver, const char *host, struct bb_lookup *lookup,
                      int64_t now_ms) {
    resolver->now_ms = now_ms;
    struct bb_name *name = take_name(resolver, host);
    lookup->name = name;
    name->open++;
    if (!name->resolver || bb_name_is_fresh(name, now_ms)) {
        settle(resolver, lookup);
    } else {
        lookup->next = name->waiting;
        name->waiting = lookup;
        if (!name->is_asked)
            ask(name);
    }
    tell(resolver);
}

static bool unlink_from(struct bb_lookup **at, const struct bb_lookup *lookup) {
    while (*at && *at != lookup)
        at = &(*at)->next;
    if (!*at)
        return false;
    *at = lookup->next;
    return true;
}

void bb_resolver_cancel(struct bb_resolver *resolver, struct bb_lookup *lookup) {
    if (!lookup->name)
        return;
    if (!unlink_from(&lookup->name->waiting, lookup) && unlink_from(&resolver->settled, lookup)) {
        resolver->settled_end = &resolver->settled;
        while (*resolver->settled_end)
            resolver->settled_end = &(*resolver->settled_end)->next;
    }
    lookup->name->open--;
    lookup->name = NULL;
    lookup->next = NULL;
}

/* ---- the loop's side ---- */

void bb_resolver_ready(struct bb_resolver *resolver, int fd, bool read, bool write,
                       int64_t now_ms) {
    resolver->now_ms = now_ms;
    ares_process_fd(resolver->channel, read ? fd : ARES_SOCKET_BAD, write ? fd : ARES_SOCKET_BAD);
    tell(resolver);
}

int bb_resolver_timeout_ms(struct bb_resolver *resolver) {
    struct timeval room;
    const struct timeval *wait = ares_timeout(resolver->channel, NULL, &room);
    /* one more, or the cut off part of a millisecond would be spent spinning */
    return wait ? (int)(wait->tv_sec * 1000 + wait->tv_usec / 1000 + 1) : -1;
}

void bb_resolver_run(struct bb_resolver *resolver, int64_t now_ms) {
    resolver->now_ms = now_ms;
    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    tell(resolver);
}
