#include "api/dispatcher.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "api/courier.h"
#include "api/outbox.h"
#include "api/proxies.h"
#include "base/digest.h"
#include "driver/clock.h"
#include "driver/process.h"
#include "driver/store_memory.h"
#include "event/webhook.h"

/* ---- life ---- */

static bool keep(struct bb_arena *arena, const char **text) {
    if (*text)
        *text = bb_arena_copy(arena, *text, strlen(*text));
    return !arena->failed;
}

/* What the options point to is the caller's. */
static bool keep_options(struct bb_dispatcher *d) {
    bb_background_options *background = &d->settings.background;
    size_t size = background->retry_delay_count * sizeof *background->retry_delays_ms;
    uint32_t *delays = bb_arena_alloc(&d->arena, size);
    if (!delays)
        return false;
    memcpy(delays, background->retry_delays_ms, size);
    background->retry_delays_ms = delays;
    d->settings.options.allocator = NULL; /* `mem` and `background` are the copies */
    d->settings.options.background = NULL;
    return keep(&d->arena, &d->settings.options.ca_file) &&
           keep(&d->arena, &d->settings.options.user_agent) &&
           keep(&d->arena, &background->dns_servers) && keep(&d->arena, &d->settings.egress.source);
}

static bool make_id_prefix(struct bb_dispatcher *d) {
    unsigned char bytes[(sizeof d->id_prefix - 1) / 2];
    bool is_random = bb_random(bytes, sizeof bytes);
    bb_hex(bytes, sizeof bytes, d->id_prefix);
    return is_random;
}

static void count_drop(void *user, void *owner) {
    struct bb_dispatcher *d = user;
    struct bb_standing *standing = owner;
    atomic_fetch_add(&standing->dropped, 1);
    atomic_fetch_add(&d->dropped, 1);
}

static void log_trouble(void *user, const char *text) {
    struct bb_dispatcher *d = user;
    bb_settings_log(&d->settings, BB_ERROR, text);
}

/* A process that stands still for the length of an attempt must not find that another one has made
 * it, too. */
static int check_lease(const struct bb_dispatcher *d, const struct bb_store *store,
                       bb_error *error) {
    uint32_t longest_ms = d->settings.options.timeout_ms;
    if (store->lease_ms == 0 || store->lease_ms > longest_ms)
        return BB_OK;
    return bb_fail(error, BB_ERR_ARGUMENT,
                   "options: timeout_ms (%" PRIu32 ") is not shorter than the lease_ms (%" PRId64
                   ") of the outbox: a lease must outlast any attempt",
                   longest_ms, store->lease_ms);
}

/* An outbox is a store that its host made. */
static int attach_outbox(struct bb_dispatcher *d, bb_error *error) {
    struct bb_store *store = (struct bb_store *)d->settings.background.outbox;
    struct bb_moment now = bb_dispatcher_moment(d);
    struct bb_store_host host = {
        .wall_offset_ms = now.wall_ms - now.ticks_ms, .trouble = log_trouble, .user = d};
    int code = bb_outbox_check(store, error);
    code = code ? code : check_lease(d, store, error);
    if (code)
        return code;
    code = store->vtable->attach(store, &host);
    if (code)
        return bb_fail(error, code, "background options: outbox works for another dispatcher");
    d->store = store;
    return BB_OK;
}

static int open_memory(struct bb_dispatcher *d, bb_error *error) {
    const bb_background_options *background = &d->settings.background;
    struct bb_store_memory_config config = {
        .mem = &d->settings.mem,
        .max_deliveries = background->max_waiting,
        .max_bytes = background->max_waiting_bytes,
        .drops_oldest = background->when_full == BB_FULL_DROP_OLDEST,
        .dropped = count_drop,
        .dropped_user = d,
    };
    d->store = bb_store_memory_new(&config);
    return d->store ? BB_OK : bb_fail_memory(error);
}

static void close_store(struct bb_dispatcher *d) {
    if (d->store && d->settings.background.outbox)
        d->store->vtable->detach(d->store);
    else if (d->store)
        d->store->vtable->free(d->store);
}

static void set_rules(struct bb_dispatcher *d) {
    const bb_background_options *background = &d->settings.background;
    d->schedule = (struct bb_retry_schedule){
        .delays_ms = background->retry_delays_ms,
        .delay_count = background->retry_delay_count,
        .has_jitter = !background->no_jitter,
    };
    d->rules = (struct bb_flow_rules){
        .breaker = {.failures = background->breaker_failures,
                    .percent = background->breaker_percent,
                    .open_ms = background->breaker_open_ms,
                    .open_max_ms = background->breaker_open_max_ms},
        .disable_after_ms = INT64_C(1000) * background->disable_after_s,
        .disable_failures = background->breaker_failures,
    };
    d->scheduler = (struct bb_scheduler){
        .limits = {.max_in_flight = background->max_in_flight,
                   .slow_after_ms = background->slow_after_ms},
        .store = d->store,
    };
}

static void move_standing(void *user, struct bb_hook *old, struct bb_hook *hook) {
    bb_standing_move(user, old, hook);
}

/* What was copied elsewhere is the caller's. */
static void forget_egress(bb_egress *egress) {
    egress->proxy = egress->proxy_user = egress->proxy_password = egress->no_proxy = NULL;
}

static int build(struct bb_dispatcher *d, bb_error *error) {
    if (!keep_options(d) || !make_id_prefix(d))
        return bb_fail_memory(error);
    int code = bb_proxies_read(&d->arena, &d->settings.egress, &d->proxies, error);
    if (code)
        return code;
    forget_egress(&d->settings.egress);
    code = d->settings.background.outbox ? attach_outbox(d, error) : open_memory(d, error);
    if (code)
        return code;
    set_rules(d);
    d->trust = bb_http_trust_new(&d->settings.mem, d->settings.options.ca_file);
    d->guard = bb_http_guard_new(&d->settings.mem, d->settings.guard);
    if (!d->trust || !d->guard)
        return bb_fail_memory(error);
    struct bb_http_config config = bb_dispatcher_http(d);
    d->http = bb_http_new(&config);
    d->registry = bb_registry_new(&d->settings.mem);
    if (d->registry)
        bb_registry_watch(d->registry, move_standing, d);
    return d->http && d->registry ? BB_OK : bb_fail_memory(error);
}

static void init_locks(struct bb_dispatcher *d) {
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&d->driven, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&d->lock, NULL);
    pthread_mutex_init(&d->drive_lock, NULL);
    pthread_mutex_init(&d->ticks.lock, NULL);
}

static void destroy_locks(struct bb_dispatcher *d) {
    pthread_mutex_destroy(&d->ticks.lock);
    pthread_mutex_destroy(&d->drive_lock);
    pthread_mutex_destroy(&d->lock);
    pthread_cond_destroy(&d->driven);
}

int bb_dispatcher_new(const bb_options *options, bb_dispatcher **dispatcher, bb_error *error) {
    struct bb_settings settings;
    if (!dispatcher)
        return bb_fail(error, BB_ERR_ARGUMENT, "dispatcher is NULL");
    *dispatcher = NULL;
    int code = bb_settings_read(&settings, options, error);
    if (code)
        return code;
    if (!bb_http_global_start()) {
        bb_settings_free(&settings);
        return bb_fail(error, BB_ERR_SYSTEM, "libcurl could not be started");
    }
    struct bb_dispatcher *d = bb_mem_zalloc(&settings.mem, sizeof *d);
    if (!d) {
        bb_settings_free(&settings);
        bb_http_global_stop();
        return bb_fail_memory(error);
    }
    d->settings = settings;
    d->forks = bb_process_forks();
    bb_arena_init_secret(&d->arena, &d->settings.mem); /* a proxy's password */
    init_locks(d);
    code = build(d, error);
    if (code) {
        bb_dispatcher_free(d);
        return code;
    }
    *dispatcher = d;
    return BB_OK;
}

int bb_dispatcher_free(bb_dispatcher *d) {
    int code = d ? bb_dispatcher_check(d, NULL) : BB_OK;
    if (d && code == BB_OK)
        code = bb_drive_end(d, NULL);
    if (!d || code)
        return code;
    bb_allocator mem = d->settings.mem;
    bb_http_free(d->http);
    bb_http_guard_free(d->guard);
    bb_http_trust_free(d->trust);
    while (d->standings)
        bb_standing_detach(d, d->standings);
    bb_registry_free(d->registry);
    close_store(d);
    destroy_locks(d);
    bb_arena_free(&d->arena);
    bb_settings_free(&d->settings);
    bb_mem_free(&mem, d);
    bb_http_global_stop();
    return BB_OK;
}

/* ---- webhooks ---- */

typedef int registry_change(struct bb_registry *registry, struct bb_hook *hook, bb_error *error);

/* What waits in an outbox for a webhook that has been added is found by its queue. */
static int open_queue(bb_dispatcher *d, struct bb_hook *hook, bb_error *error) {
    pthread_mutex_lock(&d->lock);
    bool is_open = bb_standing_with_queue(d, hook) || bb_hook_is_gone(hook);
    pthread_mutex_unlock(&d->lock);
    if (is_open)
        return BB_OK;
    bb_registry_remove(d->registry, hook->webhook.id, NULL);
    return bb_fail_memory(error);
}

/* What waits in an outbox belongs to the webhook's id: a name may be changed. */
static int check_id(const bb_dispatcher *d, const bb_webhook *webhook, bb_error *error) {
    bb_webhook own = BB_WEBHOOK_INIT;
    if (!d->store->vtable->keeps_rows)
        return BB_OK;
    int code = bb_struct_read(&own, sizeof own, webhook, "webhook", error);
    if (code || (own.id && *own.id))
        return code;
    return bb_webhook_fail(error, BB_ERR_WEBHOOK, &own, "id: is required with an outbox");
}

/* Held against this host's own addresses, too. */
static int make_hook(bb_dispatcher *d, const bb_webhook *webhook, struct bb_hook **hook,
                     bb_error *error) {
    struct bb_policy policy = d->settings.policy;
    policy.bounds = bb_http_guard_hold(d->guard, policy.bounds.allow_private);
    int code = bb_hook_new(&d->settings.mem, &policy, webhook, hook, error);
    bb_http_guard_release(d->guard);
    return code;
}

static int change(bb_dispatcher *d, const bb_webhook *webhook, registry_change *apply,
                  bb_error *error) {
    struct bb_hook *hook;
    int code = bb_dispatcher_check(d, error);
    if (code == BB_OK)
        code = check_id(d, webhook, error);
    if (code)
        return code;
    code = make_hook(d, webhook, &hook, error);
    if (code)
        return code;
    bb_hook_retain(hook); /* once it is in the registry, another thread may remove it */
    code = apply(d->registry, hook, error);
    if (code)
        bb_hook_release(hook);
    else if (d->store->vtable->keeps_rows)
        code = open_queue(d, hook, error);
    bb_hook_release(hook);
    bb_alarm_ring(&d->alarm);
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
    int code = bb_dispatcher_check(dispatcher, error);
    if (code == BB_OK)
        code = bb_registry_remove(dispatcher->registry, id, error);
    if (code == BB_OK)
        bb_alarm_ring(&dispatcher->alarm);
    return code;
}

size_t bb_dispatcher_count(const bb_dispatcher *dispatcher) {
    return bb_dispatcher_check(dispatcher, NULL) == BB_OK ? bb_registry_count(dispatcher->registry)
                                                          : 0;
}

int bb_dispatcher_list(bb_dispatcher *dispatcher, bb_webhook_visitor visit, void *user,
                       bb_error *error) {
    struct bb_hooks hooks;
    if (!dispatcher || !visit)
        return bb_fail(error, BB_ERR_ARGUMENT, "dispatcher or visit is NULL");
    int code = bb_dispatcher_check(dispatcher, error);
    if (code)
        return code;
    code = bb_registry_list(dispatcher->registry, NULL, &hooks, error);
    for (size_t i = 0; code == BB_OK && i < hooks.count; i++)
        code = visit(user, &hooks.items[i]->webhook);
    bb_hooks_free(&hooks);
    return code;
}

/* ---- standing ---- */

static int find(bb_dispatcher *dispatcher, const char *id, struct bb_hook **hook, bb_error *error) {
    if (!dispatcher || !id)
        return bb_fail(error, BB_ERR_ARGUMENT, "dispatcher or id is NULL");
    int code = bb_dispatcher_check(dispatcher, error);
    if (code)
        return code;
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
    bb_standing_read(dispatcher, hook, &own);
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
