#include "driver/resolver_names.h"

#include <string.h>

/* FNV-1a. Who types URLs can choose hosts that collide; there are BB_NAMES_MAX at most. */
static size_t bucket_of(const char *host) {
    uint32_t hash = 2166136261u;
    for (; *host; host++)
        hash = (hash ^ (unsigned char)*host) * 16777619u;
    return (hash ^ hash >> 16) % BB_NAMES_BUCKETS;
}

static void name_free(const bb_allocator *mem, struct bb_name *name) {
    bb_mem_free(mem, name->list);
    bb_mem_free(mem, name);
}

void bb_names_free(struct bb_names *names) {
    for (size_t i = 0; i < BB_NAMES_BUCKETS; i++) {
        while (names->buckets[i]) {
            struct bb_name *name = names->buckets[i];
            names->buckets[i] = name->next;
            name_free(names->mem, name);
        }
    }
    names->count = 0;
}

struct bb_name *bb_names_find(const struct bb_names *names, const char *host) {
    struct bb_name *name = names->buckets[bucket_of(host)];
    while (name && strcmp(name->host, host) != 0)
        name = name->next;
    return name;
}

static void drop(struct bb_names *names, struct bb_name **at) {
    struct bb_name *name = *at;
    *at = name->next;
    name_free(names->mem, name);
    names->count--;
}

static void drop_name(struct bb_names *names, const struct bb_name *name) {
    struct bb_name **at = &names->buckets[bucket_of(name->host)];
    while (*at != name)
        at = &(*at)->next;
    drop(names, at);
}

static bool can_go(const struct bb_name *name) {
    return name->open == 0 && !name->is_asked;
}

/* Drops what is out of date and returns the oldest of the rest; NULL: none can go. */
static struct bb_name *drop_stale(struct bb_names *names, int64_t now_ms) {
    struct bb_name *oldest = NULL;
    for (size_t i = 0; i < BB_NAMES_BUCKETS; i++) {
        struct bb_name **at = &names->buckets[i];
        while (*at) {
            struct bb_name *name = *at;
            if (can_go(name) && !bb_name_is_fresh(name, now_ms)) {
                drop(names, at);
                continue;
            }
            if (can_go(name) && (!oldest || name->learned_ms < oldest->learned_ms))
                oldest = name;
            at = &name->next;
        }
    }
    return oldest;
}

bool bb_names_make_room(struct bb_names *names, int64_t now_ms) {
    if (names->count < BB_NAMES_MAX)
        return true;
    struct bb_name *oldest = drop_stale(names, now_ms);
    if (names->count >= BB_NAMES_MAX && oldest)
        drop_name(names, oldest);
    return names->count < BB_NAMES_MAX;
}

struct bb_name *bb_names_add(struct bb_names *names, const char *host) {
    size_t size = strlen(host) + 1;
    struct bb_name *name = bb_mem_zalloc(names->mem, sizeof *name + size);
    if (!name)
        return NULL;
    memcpy(name->host, host, size);
    struct bb_name **bucket = &names->buckets[bucket_of(host)];
    name->next = *bucket;
    *bucket = name;
    names->count++;
    return name;
}

bool bb_name_is_fresh(const struct bb_name *name, int64_t now_ms) {
    return name->is_known && now_ms < name->until_ms;
}

bool bb_name_set_list(struct bb_name *name, const bb_allocator *mem, const char *list,
                      uint64_t *last_version) {
    if (name->list && strcmp(name->list, list) == 0)
        return true;
    char *copy = bb_mem_strdup(mem, list);
    if (!copy)
        return false;
    bb_mem_free(mem, name->list);
    name->list = copy;
    name->addresses = (struct bb_addresses){.list = copy, .version = ++*last_version};
    return true;
}
