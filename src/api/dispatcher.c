#include "api/dispatcher.h"

#include <string.h>

#include "api/standing.h"
#include "base/digest.h"

/* ---- life ---- */

static bool keep(struct bb_arena *arena, const char **text) {
    if (*text)
        *text = bb_arena_copy(arena, *text, strlen(*text));
    return !arena->failed;
}

static bool make_id_prefix(struct bb_dispatcher *d) {
    unsigned char bytes[(sizeof d->id_prefix - 1) / 2];
    bool is_random = bb_random(bytes, sizeof bytes);
    bb_hex(bytes, sizeof bytes, d->id_prefix);
    return is_random;
}

static bool build(struct bb_dispatcher *d) {
    bb_options *options = &d->settings.options;
    if (!keep(&d->arena, &options->ca_file) || !keep(&d->arena, &options->user_agent))
        return false;
    struct bb_http_config config = {
        .mem = &d->settings.mem,
        .ca_file = options->ca_file,
        .max_parallel = (long)options->max_parallel,
        .connect_timeout_ms = (long)options->connect_timeout_ms,
        .http2 = options->http2 != 0,
        .allow_http = d->settings.policy.allow_http,
        .allow_private = d->settings.policy.allow_private,
    };
    d->http = bb_http_new(&config);
    d->registry = bb_registry_new(&d->settings.mem);
    return d->http && d->registry;
}

int bb_dispatcher_new(const bb_options *options, bb_dispatcher **dispatcher, bb_error *error) {
    struct bb_settings settings;
    if (!dispatcher)
        return bb_fail(error, BB_ERR_ARGUMENT, "dispatcher is NULL");
    *dispatcher = NULL;
    int code = bb_settings_read(&settings, options, error);
    if (code)
        return code;
    if (!bb_http_global_start())
        return bb_fail(error, BB_ERR_SYSTEM, "libcurl could not be started");
    struct bb_dispatcher *d = bb_mem_zalloc(&settings.mem, sizeof *d);
    if (!d) {
        bb_http_global_stop();
        return bb_fail_memory(error);
    }
    d->settings = settings;
    d->settings.options.allocator = NULL; /* the caller's: `mem` is the copy */
    bb_arena_init(&d->arena, &d->settings.mem);
    pthread_mutex_init(&d->standing_lock, NULL);
    atomic_init(&d->events, 0);
    if (!make_id_prefix(d) || !build(d)) {
        bb_dispatcher_free(d);
        return bb_fail_memory(error);
    }
    *dispatcher = d;
    return BB_OK;
}

void bb_dispatcher_free(bb_dispatcher *d) {
    if (!d)
        return;
    bb_allocator mem = d->settings.mem;
    bb_http_free(d->http);
    bb_registry_free(d->registry);
    pthread_mutex_destroy(&d->standing_lock);
    bb_arena_free(&d->arena);
    bb_mem_free(&mem, d);
    bb_http_global_stop();
}

/* ---- webhooks ---- */

typedef int registry_change(struct bb_registry *registry, struct bb_hook *hook, bb_error *error);

static int change(bb_dispatcher *d, const bb_webhook *webhook, registry_change *apply,
                  bb_error *error) {
    struct bb_hook *hook;
    if (!d)
        return bb_fail(error, BB_ERR_ARGUMENT, "dispatcher is NULL");
    int code = bb_hook_new(&d->settings.mem, &d->settings.policy, webhook, &hook, error);
    if (code)
        return code;
    code = apply(d->registry, hook, error);
    if (code)
        bb_hook_release(hook);
    return code;
}

int bb_dispatcher_add(bb_dispatcher *dispatcher, const bb_webhook *webhook, bb_error *error) {
    return change(dispatcher, webhook, bb_registry_add, error);
}

int bb_dispatcher_replace(bb_dispatcher *dispatcher, const bb_webhook *webhook, bb_error *error) {
    return change(dispatcher, webhook, bb_registry_replace, error);
}

int bb_dispatcher_remove(bb_dispatcher *dispatcher, const char *id, bb_error *error) {
    if (!dispatcher || !id)
        return bb_fail(error, BB_ERR_ARGUMENT, "dispatcher or id is NULL");
    return bb_registry_remove(dispatcher->registry, id, error);
}

size_t bb_dispatcher_count(const bb_dispatcher *dispatcher) {
    return dispatcher ? bb_registry_count(dispatcher->registry) : 0;
}

int bb_dispatcher_list(bb_dispatcher *dispatcher, bb_webhook_visitor visit, void *user,
                       bb_error *error) {
    struct bb_hooks hooks;
    if (!dispatcher || !visit)
        return bb_fail(error, BB_ERR_ARGUMENT, "dispatcher or visit is NULL");
    int code = bb_registry_list(dispatcher->registry, NULL, &hooks, error);
    for (size_t i = 0; code == BB_OK && i < hooks.count; i++)
        code = visit(user, &hooks.items[i]->webhook);
    bb_hooks_free(&hooks);
    return code;
}

/* ---- standing ---- */

static int find(bb_dispatcher *dispatcher, const char *id, struct bb_hook **hook, bb_error *error) {
    if (!dispatcher || !id)
        return bb_fail(error, BB_ERR_ARGUMENT, "dispatcher or id is NULL");
    *hook = bb_registry_find(dispatcher->registry, id);
    if (!*hook)
        return bb_registry_missing(id, error);
    return BB_OK;
}

int bb_dispatcher_status(bb_dispatcher *dispatcher, const char *id, bb_webhook_status *status,
                         bb_error *error) {
    struct bb_hook *hook = NULL;
    bb_webhook_status own = BB_WEBHOOK_STATUS_INIT;
    int code = find(dispatcher, id, &hook, error);
    if (code)
        return code;
    bb_standing_read(dispatcher, hook, bb_settings_now_ms(&dispatcher->settings), &own);
    bb_hook_release(hook);
    return bb_struct_write(status, &own, sizeof own, "status", error);
}

int bb_dispatcher_resume(bb_dispatcher *dispatcher, const char *id, bb_error *error) {
    struct bb_hook *hook = NULL;
    int code = find(dispatcher, id, &hook, error);
    if (code)
        return code;
    bb_standing_clear(dispatcher, hook);
    bb_hook_release(hook);
    return BB_OK;
}
