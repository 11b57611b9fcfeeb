#include "api/registry.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "event/filter.h"

/* uthash takes its memory through these; `mem` is in scope wherever it is used. */
#define uthash_malloc(size) bb_mem_alloc(mem, size)
#define uthash_free(block, size) bb_mem_free(mem, block)
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct entry {
    struct bb_member member; /* first: a member of the index points here */
    struct bb_hook *hook;
    UT_hash_handle hh; /* by the hook's id */
};

struct bb_registry {
    const bb_allocator *mem;
    pthread_rwlock_t lock;
    struct entry *by_id; /* in the order in which they were added */
    struct bb_index *index;
    uint64_t next_serial;
    bb_registry_moved *moved; /* NULL: nobody is told */
    void *moved_user;
};

/* ---- lists ---- */

static void append(struct bb_hooks *hooks, struct bb_hook *hook) {
    if (hooks->count == hooks->capacity) {
        size_t capacity = hooks->capacity ? 2 * hooks->capacity : 16;
        struct bb_hook **items =
            bb_mem_resize(hooks->mem, hooks->items, capacity * sizeof *hooks->items);
        if (!items) {
            hooks->no_memory = true;
            return;
        }
        hooks->items = items;
        hooks->capacity = capacity;
    }
    hooks->items[hooks->count++] = bb_hook_retain(hook);
}

void bb_hooks_free(struct bb_hooks *hooks) {
    for (size_t i = 0; i < hooks->count; i++)
        bb_hook_release(hooks->items[i]);
    if (hooks->items)
        bb_mem_free(hooks->mem, hooks->items);
    hooks->items = NULL;
    hooks->count = 0;
}

static int by_serial(const void *a, const void *b) {
    const struct bb_hook *const *x = a, *const *y = b;
    return ((*x)->serial > (*y)->serial) - ((*x)->serial < (*y)->serial);
}

/* ---- life ---- */

/* Readers first, as is usual, and with many posts no change would ever be made. */
static void init_lock(pthread_rwlock_t *lock) {
    pthread_rwlockattr_t fair;
    pthread_rwlockattr_init(&fair);
#ifdef __GLIBC__
    pthread_rwlockattr_setkind_np(&fair, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
#endif
    pthread_rwlock_init(lock, &fair);
    pthread_rwlockattr_destroy(&fair);
}

struct bb_registry *bb_registry_new(const bb_allocator *mem) {
    struct bb_registry *registry = bb_mem_zalloc(mem, sizeof *registry);
    if (!registry)
        return NULL;
    registry->mem = mem;
    registry->index = bb_index_new(mem);
    if (!registry->index) {
        bb_mem_free(mem, registry);
        return NULL;
    }
    init_lock(&registry->lock);
    return registry;
}

void bb_registry_watch(struct bb_registry *registry, bb_registry_moved *moved, void *user) {
    registry->moved = moved;
    registry->moved_user = user;
}

static void tell_moved(const struct bb_registry *registry, struct bb_hook *old,
                       struct bb_hook *hook) {
    if (registry->moved)
        registry->moved(registry->moved_user, old, hook);
}

static void drop_entry(struct bb_registry *registry, struct entry *entry) {
    const bb_allocator *mem = registry->mem;
    HASH_DEL(registry->by_id, entry);
    bb_hook_release(entry->hook);
    bb_mem_free(mem, entry);
}

void bb_registry_free(struct bb_registry *registry) {
    if (!registry)
        return;
    bb_index_free(registry->index);
    while (registry->by_id)
        drop_entry(registry, registry->by_id);
    pthread_rwlock_destroy(&registry->lock);
    bb_mem_free(registry->mem, registry);
}

/* ---- changes, under the write lock ---- */

static struct entry *find(const struct bb_registry *registry, const char *id) {
    struct entry *entry;
    HASH_FIND_STR(registry->by_id, id, entry);
    return entry;
}

static bool insert(struct bb_registry *registry, struct bb_hook *hook) {
    const bb_allocator *mem = registry->mem;
    struct entry *entry = bb_mem_zalloc(mem, sizeof *entry);
    if (!entry)
        return false;
    entry->hook = hook;
    HASH_ADD_KEYPTR(hh, registry->by_id, hook->webhook.id, strlen(hook->webhook.id), entry);
    if (entry->hh.tbl && bb_index_add(registry->index, hook->webhook.project_id, &entry->member))
        return true;
    if (entry->hh.tbl)
        HASH_DEL(registry->by_id, entry);
    bb_mem_free(mem, entry);
    return false;
}

static void remove_entry(struct bb_registry *registry, struct entry *entry) {
    bb_index_remove(registry->index, entry->hook->webhook.project_id, &entry->member);
    tell_moved(registry, entry->hook, NULL);
    drop_entry(registry, entry);
}

int bb_registry_missing(const char *id, bb_error *error) {
    return bb_fail(error, BB_ERR_NOT_FOUND, "no webhook has the id \"%.100s\"", id);
}

int bb_registry_add(struct bb_registry *registry, struct bb_hook *hook, bb_error *error) {
    int code = BB_OK;
    pthread_rwlock_wrlock(&registry->lock);
    hook->serial = registry->next_serial;
    if (find(registry, hook->webhook.id))
        code = bb_fail(error, BB_ERR_EXISTS, "another webhook has the id \"%.100s\" already",
                       hook->webhook.id);
    else if (!insert(registry, hook))
        code = bb_fail_memory(error);
    else
        registry->next_serial++;
    pthread_rwlock_unlock(&registry->lock);
    return code;
}

/* The entry stays, with its place among all; its key moves to the new hook's text. */
static int exchange(struct bb_registry *registry, struct entry *entry, struct bb_hook *hook,
                    bb_error *error) {
    struct bb_hook *old = entry->hook;
    if (!bb_index_move(registry->index, old->webhook.project_id, hook->webhook.project_id,
                       &entry->member))
        return bb_fail_memory(error);
    hook->serial = old->serial;
    entry->hook = hook;
    entry->hh.key = hook->webhook.id;
    tell_moved(registry, old, hook);
    bb_hook_release(old);
    return BB_OK;
}

int bb_registry_replace(struct bb_registry *registry, struct bb_hook *hook, bb_error *error) {
    pthread_rwlock_wrlock(&registry->lock);
    struct entry *entry = find(registry, hook->webhook.id);
    int code = entry ? exchange(registry, entry, hook, error)
                     : bb_registry_missing(hook->webhook.id, error);
    pthread_rwlock_unlock(&registry->lock);
    return code;
}

int bb_registry_remove(struct bb_registry *registry, const char *id, bb_error *error) {
    pthread_rwlock_wrlock(&registry->lock);
    struct entry *entry = find(registry, id);
    if (entry)
        remove_entry(registry, entry);
    pthread_rwlock_unlock(&registry->lock);
    return entry ? BB_OK : bb_registry_missing(id, error);
}

/* ---- look-ups, under the read lock ---- */

size_t bb_registry_count(struct bb_registry *registry) {
    pthread_rwlock_rdlock(&registry->lock);
    size_t count = HASH_COUNT(registry->by_id);
    pthread_rwlock_unlock(&registry->lock);
    return count;
}

struct bb_hook *bb_registry_find(struct bb_registry *registry, const char *id) {
    pthread_rwlock_rdlock(&registry->lock);
    struct entry *entry = find(registry, id);
    struct bb_hook *hook = entry ? bb_hook_retain(entry->hook) : NULL;
    pthread_rwlock_unlock(&registry->lock);
    return hook;
}

struct match {
    struct bb_hooks *hooks;
    const bb_event *event;
};

static void take_if_wanted(void *user, struct bb_member *member) {
    const struct match *match = user;
    struct bb_hook *hook = ((struct entry *)member)->hook;
    if (bb_filter_matches(&hook->webhook, match->event))
        append(match->hooks, hook);
}

int bb_registry_list(struct bb_registry *registry, const bb_event *event, struct bb_hooks *hooks,
                     bb_error *error) {
    *hooks = (struct bb_hooks){.mem = registry->mem};
    pthread_rwlock_rdlock(&registry->lock);
    if (event) {
        struct match match = {.hooks = hooks, .event = event};
        bb_index_find(registry->index, event, take_if_wanted, &match);
    } else {
        for (struct entry *e = registry->by_id; e; e = e->hh.next)
            append(hooks, e->hook);
    }
    pthread_rwlock_unlock(&registry->lock);
    if (hooks->no_memory) {
        bb_hooks_free(hooks);
        return bb_fail_memory(error);
    }
    if (event && hooks->count > 1)
        qsort(hooks->items, hooks->count, sizeof *hooks->items, by_serial);
    return BB_OK;
}
