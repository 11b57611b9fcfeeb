/* The webhooks of a dispatcher: added, replaced, removed and matched by any thread. */
#ifndef BB_API_REGISTRY_H
#define BB_API_REGISTRY_H

#include "api/hook.h"

struct bb_registry;

/* Hooks, each retained for the list. */
struct bb_hooks {
    const bb_allocator *mem;
    struct bb_hook **items;
    size_t count;
    size_t capacity;
    bool no_memory;
};

void bb_hooks_free(struct bb_hooks *hooks);

struct bb_registry *bb_registry_new(const bb_allocator *mem);
void bb_registry_free(struct bb_registry *registry);

/* Called under the registry's lock when `hook` has taken the place of `old`, or (NULL) old was
 * removed: changes of one webhook are told in the order in which they were made. */
typedef void bb_registry_moved(void *user, struct bb_hook *old, struct bb_hook *hook);
void bb_registry_watch(struct bb_registry *registry, bb_registry_moved *moved, void *user);

/* Both take over the caller's reference when they succeed. BB_ERR_EXISTS,
 * BB_ERR_NOT_FOUND, BB_ERR_NO_MEMORY. */
int bb_registry_add(struct bb_registry *registry, struct bb_hook *hook, bb_error *error);
int bb_registry_replace(struct bb_registry *registry, struct bb_hook *hook, bb_error *error);

int bb_registry_remove(struct bb_registry *registry, const char *id, bb_error *error);
size_t bb_registry_count(struct bb_registry *registry);

/* Says that no webhook has the id: BB_ERR_NOT_FOUND. */
int bb_registry_missing(const char *id, bb_error *error);

/* Retained; NULL when there is none. */
struct bb_hook *bb_registry_find(struct bb_registry *registry, const char *id);

/* Those that want `event`, or (NULL) all; in the order in which they were added.
 * BB_ERR_NO_MEMORY, then the list is empty. */
int bb_registry_list(struct bb_registry *registry, const bb_event *event, struct bb_hooks *hooks,
                     bb_error *error);

#endif
