/* Events into the outbox, each for every webhook that wants it. */
#include "api/standing.h"
#include "delivery/identity.h"

/* An event on its way in. */
struct entry {
    struct bb_event_view view;
    char new_id[80];
    struct bb_hooks hooks;
    struct bb_standing **standings; /* of the puts */
    struct bb_put *puts;
    size_t count;
};

/* Those that go in together. */
struct entries {
    struct bb_dispatcher *dispatcher;
    struct bb_arena arena;
    struct entry *items;
    struct bb_put_event *puts; /* the same, for the store */
    size_t count;
    void *connection; /* NULL: the store's own */
};

static int read_event(struct entries *all, struct entry *entry, const bb_event *event,
                      bb_error *error) {
    struct bb_dispatcher *d = all->dispatcher;
    bb_event *own = &entry->view.event;
    int code = bb_event_read(&entry->view, &all->arena, event, error);
    if (code)
        return code;
    if (own->id && *own->id) {
        own->id = bb_identity_of_id(&all->arena, own->id);
    } else {
        bb_dispatcher_new_id(d, entry->new_id);
        own->id = entry->new_id;
    }
    if (own->created_ts == 0)
        own->created_ts = bb_settings_now_ms(&d->settings) / 1000;
    return own->id ? BB_OK : bb_fail_memory(error);
}

/* Those of one issue wait for one another; an event without an issue for none. */
static uint64_t order_key(const bb_webhook *webhook, const bb_event *event) {
    if (webhook->order == BB_ORDER_WEBHOOK)
        return 1;
    if (webhook->order != BB_ORDER_ISSUE || !event->issue)
        return 0;
    return (uint64_t)event->issue->id * 2 + 3; /* never 0, nor that of the whole webhook */
}

enum { CHANGED = 1 }; /* a webhook was replaced or removed since they were listed */

/* Finds the queues, and keeps them from being closed. BB_OK, BB_ERR_NO_MEMORY or CHANGED. */
static int find_queues_of(struct bb_dispatcher *d, struct entry *entry) {
    for (size_t i = 0; i < entry->hooks.count; i++) {
        struct bb_hook *hook = entry->hooks.items[i];
        struct bb_standing *standing = bb_standing_with_queue(d, hook);
        if (!standing)
            return bb_hook_is_gone(hook) ? CHANGED : BB_ERR_NO_MEMORY;
        standing->lane.puts++;
        entry->standings[entry->count] = standing;
        entry->puts[entry->count++] = (struct bb_put){
            .queue = standing->lane.queue,
            .order_key = order_key(&hook->webhook, &entry->view.event),
        };
    }
    return BB_OK;
}

static int find_queues(struct entries *all) {
    int code = BB_OK;
    pthread_mutex_lock(&all->dispatcher->lock);
    for (size_t i = 0; code == BB_OK && i < all->count; i++) {
        struct entry *entry = &all->items[i];
        code = find_queues_of(all->dispatcher, entry);
        all->puts[i].event = &entry->view.event;
        all->puts[i].puts = entry->puts;
        all->puts[i].count = entry->count;
    }
    pthread_mutex_unlock(&all->dispatcher->lock);
    return code;
}

static void leave_queues_of(struct bb_dispatcher *d, const struct entry *entry, bool were_put) {
    for (size_t i = 0; i < entry->count; i++) {
        struct bb_standing *standing = entry->standings[i];
        standing->counters.enqueued += were_put;
        if (--standing->lane.puts == 0 && standing->lane.is_removed)
            d->store->vtable->wake(d->store, standing->lane.queue);
    }
}

static void leave_queues(struct entries *all, bool were_put) {
    pthread_mutex_lock(&all->dispatcher->lock);
    for (size_t i = 0; i < all->count; i++)
        leave_queues_of(all->dispatcher, &all->items[i], were_put && !all->puts[i].is_left_out);
    pthread_mutex_unlock(&all->dispatcher->lock);
}

/* Those that want them; the room for their puts. */
static int list(struct entries *all, bb_error *error) {
    for (size_t i = 0; i < all->count; i++) {
        struct entry *entry = &all->items[i];
        int code =
            bb_registry_list(all->dispatcher->registry, &entry->view.event, &entry->hooks, error);
        if (code)
            return code;
        size_t count = entry->hooks.count;
        entry->count = 0;
        if (count == 0)
            continue;
        entry->puts = bb_arena_alloc(&all->arena, count * sizeof *entry->puts);
        entry->standings = bb_arena_alloc(&all->arena, count * sizeof *entry->standings);
    }
    return all->arena.failed ? bb_fail_memory(error) : BB_OK;
}

static void forget_hooks(struct entries *all) {
    for (size_t i = 0; i < all->count; i++)
        bb_hooks_free(&all->items[i].hooks);
}

/* Of those that were not left out, or (before they are put) of all. */
static size_t count_deliveries(const struct entries *all) {
    size_t count = 0;
    for (size_t i = 0; i < all->count; i++)
        count += all->puts[i].is_left_out ? 0 : all->items[i].hooks.count;
    return count;
}

static int put(struct entries *all, uint32_t delay_ms, bb_error *error) {
    struct bb_dispatcher *d = all->dispatcher;
    int64_t now_ms = bb_dispatcher_ticks(d);
    int code = find_queues(all);
    if (code == BB_OK)
        code = d->store->vtable->put(d->store, all->connection, all->puts, all->count, now_ms,
                                     now_ms + delay_ms, error);
    leave_queues(all, code == BB_OK);
    if (code == BB_ERR_FULL) {
        atomic_fetch_add(&d->refused, all->count);
        bb_fail(error, code, "the outbox is full: %zu deliveries were not taken",
                count_deliveries(all));
    } else if (code == BB_ERR_NO_MEMORY) {
        bb_fail_memory(error);
    }
    bb_alarm_ring(&d->alarm);
    return code;
}

static int put_all(struct entries *all, uint32_t delay_ms, bb_error *error) {
    int code = CHANGED;
    while (code == CHANGED) {
        forget_hooks(all);
        code = list(all, error);
        if (code == BB_OK && count_deliveries(all) > 0)
            code = put(all, delay_ms, error);
    }
    return code;
}

/* ---- events that were enqueued by SQL */

static int match(struct entries *all, int64_t number, const bb_event *written) {
    struct bb_dispatcher *d = all->dispatcher;
    struct bb_parcel *parcel = NULL;
    int code = read_event(all, all->items, written, NULL);
    code = code ? code : list(all, NULL);
    code = code ? code : find_queues(all);
    if (code == BB_OK && !(parcel = bb_parcel_new(&d->settings.mem, &all->items->view.event)))
        code = BB_ERR_NO_MEMORY;
    if (code == BB_OK)
        code =
            d->store->vtable->match(d->store, number, parcel, all->items->puts, all->items->count);
    leave_queues(all, code == BB_OK);
    bb_parcel_release(parcel);
    return code;
}

void bb_enqueue_match(struct bb_dispatcher *dispatcher) {
    const struct bb_store_vtable *store = dispatcher->store->vtable;
    struct bb_parcel *parcel;
    int64_t number;
    int code = BB_OK;
    while (code == BB_OK && store->unmatched &&
           (parcel = store->unmatched(dispatcher->store, &number))) {
        struct entry entry = {.count = 0};
        struct bb_put_event put = {.event = NULL};
        struct entries one = {.dispatcher = dispatcher, .items = &entry, .puts = &put, .count = 1};
        bb_arena_init(&one.arena, &dispatcher->settings.mem);
        code = match(&one, number, parcel->event); /* a failure is tried again in the next turn */
        forget_hooks(&one);
        bb_arena_free(&one.arena);
        bb_parcel_release(parcel);
    }
}

/* ---- by the host */

static int read_options(bb_enqueue_options *own, const bb_enqueue_options *options,
                        bb_error *error) {
    *own = (bb_enqueue_options)BB_ENQUEUE_OPTIONS_INIT;
    return options ? bb_struct_read(own, sizeof *own, options, "enqueue options", error) : BB_OK;
}

static int enqueue_at(bb_dispatcher *dispatcher, void *connection, const bb_event *event,
                      const bb_enqueue_options *options, size_t *deliveries, bb_error *error) {
    bb_enqueue_options own;
    if (deliveries)
        *deliveries = 0;
    int code = bb_dispatcher_check(dispatcher, error);
    code = code ? code : read_options(&own, options, error);
    if (code == BB_OK && own.keys)
        code = bb_fail(error, BB_ERR_ARGUMENT, "enqueue options: keys are for many events");
    if (code)
        return code;
    struct entry entry = {.count = 0};
    struct bb_put_event put = {.key = own.key};
    struct entries one = {.dispatcher = dispatcher,
                          .items = &entry,
                          .puts = &put,
                          .count = 1,
                          .connection = connection};
    bb_arena_init(&one.arena, &dispatcher->settings.mem);
    code = read_event(&one, &entry, event, error);
    code = code ? code : put_all(&one, own.delay_ms, error);
    if (code == BB_OK && deliveries)
        *deliveries = count_deliveries(&one);
    forget_hooks(&one);
    bb_arena_free(&one.arena);
    return code;
}

int bb_webhook_enqueue(bb_dispatcher *dispatcher, const bb_event *event,
                       const bb_enqueue_options *options, size_t *deliveries, bb_error *error) {
    return enqueue_at(dispatcher, NULL, event, options, deliveries, error);
}

int bb_webhook_enqueue_on(bb_dispatcher *dispatcher, void *connection, const bb_event *event,
                          const bb_enqueue_options *options, size_t *deliveries, bb_error *error) {
    if (!connection)
        return bb_fail(error, BB_ERR_ARGUMENT, "connection is NULL");
    return enqueue_at(dispatcher, connection, event, options, deliveries, error);
}

/* ---- many at once */

/* Says which one it was. */
static int fail_at(size_t index, int code, bb_error *error) {
    char why[sizeof error->text];
    if (!error || code == BB_ERR_NO_MEMORY)
        return code;
    memcpy(why, error->text, sizeof why);
    return bb_fail(error, (bb_code)code, "events[%zu]: %s", index, why);
}

static int read_all(struct entries *all, const bb_event *const *events,
                    const bb_enqueue_options *options, bb_error *error) {
    for (size_t i = 0; i < all->count; i++) {
        int code = read_event(all, &all->items[i], events[i], error);
        if (code)
            return fail_at(i, code, error);
        all->puts[i].key = options->keys ? options->keys[i] : NULL;
    }
    return BB_OK;
}

static int enqueue_many(struct entries *all, const bb_event *const *events,
                        const bb_enqueue_options *options, size_t *deliveries, bb_error *error) {
    const bb_allocator *mem = &all->dispatcher->settings.mem;
    bb_arena_init(&all->arena, mem);
    if (all->count <= SIZE_MAX / sizeof *all->items) {
        all->items = bb_mem_zalloc(mem, all->count * sizeof *all->items);
        all->puts = bb_mem_zalloc(mem, all->count * sizeof *all->puts);
    }
    int code =
        all->items && all->puts ? read_all(all, events, options, error) : bb_fail_memory(error);
    code = code ? code : put_all(all, options->delay_ms, error);
    if (code == BB_OK && deliveries)
        *deliveries = count_deliveries(all);
    if (all->items)
        forget_hooks(all);
    bb_mem_free(mem, all->puts);
    bb_mem_free(mem, all->items);
    bb_arena_free(&all->arena);
    return code;
}

int bb_webhook_enqueue_many(bb_dispatcher *dispatcher, const bb_event *const *events, size_t count,
                            const bb_enqueue_options *options, size_t *deliveries,
                            bb_error *error) {
    bb_enqueue_options own;
    struct entries all = {.dispatcher = dispatcher, .count = count};
    if (deliveries)
        *deliveries = 0;
    int code = bb_dispatcher_check(dispatcher, error);
    code = code ? code : read_options(&own, options, error);
    if (code == BB_OK && !events && count > 0)
        code = bb_fail(error, BB_ERR_ARGUMENT, "events is NULL");
    if (code == BB_OK && own.key)
        code = bb_fail(error, BB_ERR_ARGUMENT,
                       "enqueue options: key is one event's, many have their keys in keys");
    if (code || count == 0)
        return code;
    return enqueue_many(&all, events, &own, deliveries, error);
}

int bb_dispatcher_wake(bb_dispatcher *dispatcher, bb_error *error) {
    int code = bb_dispatcher_check(dispatcher, error);
    if (code == BB_OK) {
        if (dispatcher->store->vtable->look_again)
            dispatcher->store->vtable->look_again(dispatcher->store);
        bb_alarm_ring(&dispatcher->alarm);
    }
    return code;
}
