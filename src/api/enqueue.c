/* One event into the outbox, for every webhook that wants it. */
#include "api/standing.h"
#include "delivery/identity.h"

/* An event on its way in. */
struct entry {
    struct bb_dispatcher *dispatcher;
    struct bb_arena arena;
    struct bb_event_view view;
    char new_id[80];
    struct bb_hooks hooks;
    struct bb_parcel *parcel;
    struct bb_put *puts;
    struct bb_standing **standings; /* of the puts */
    size_t count;
    const struct bb_put_place *place; /* NULL: as the store likes */
};

static int read_event(struct entry *entry, const bb_event *event, bb_error *error) {
    struct bb_dispatcher *d = entry->dispatcher;
    bb_event *own = &entry->view.event;
    int code = bb_event_read(&entry->view, &entry->arena, event, error);
    if (code)
        return code;
    if (own->id && *own->id) {
        own->id = bb_identity_of_id(&entry->arena, own->id);
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
static int find_queues(struct entry *entry) {
    struct bb_dispatcher *d = entry->dispatcher;
    int code = BB_OK;
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; code == BB_OK && i < entry->hooks.count; i++) {
        struct bb_hook *hook = entry->hooks.items[i];
        struct bb_standing *standing = bb_standing_with_queue(d, hook);
        if (!standing) {
            code = hook->is_gone ? CHANGED : BB_ERR_NO_MEMORY;
            continue;
        }
        standing->lane.puts++;
        entry->standings[entry->count] = standing;
        entry->puts[entry->count++] = (struct bb_put){
            .queue = standing->lane.queue,
            .order_key = order_key(&hook->webhook, &entry->view.event),
        };
    }
    pthread_mutex_unlock(&d->lock);
    return code;
}

static void leave_queues(struct entry *entry, bool were_put) {
    struct bb_dispatcher *d = entry->dispatcher;
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < entry->count; i++) {
        struct bb_standing *standing = entry->standings[i];
        standing->counters.enqueued += were_put;
        if (--standing->lane.puts == 0 && standing->lane.is_removed)
            d->store->vtable->wake(d->store, standing->lane.queue);
    }
    pthread_mutex_unlock(&d->lock);
}

static int prepare(struct entry *entry, bb_error *error) {
    size_t count = entry->hooks.count;
    if (!entry->parcel)
        entry->parcel = bb_parcel_new(&entry->dispatcher->settings.mem, &entry->view.event);
    entry->count = 0;
    entry->puts = bb_arena_alloc(&entry->arena, count * sizeof *entry->puts);
    entry->standings = bb_arena_alloc(&entry->arena, count * sizeof *entry->standings);
    return entry->parcel && !entry->arena.failed ? BB_OK : bb_fail_memory(error);
}

static int put(struct entry *entry, uint32_t delay_ms, bb_error *error) {
    struct bb_dispatcher *d = entry->dispatcher;
    int64_t now_ms = bb_dispatcher_ticks(d);
    int code = find_queues(entry);
    if (code == BB_OK)
        code = d->store->vtable->put(d->store, entry->place, entry->parcel, entry->puts,
                                     entry->count, now_ms, now_ms + delay_ms, error);
    leave_queues(entry, code == BB_OK);
    if (code == BB_ERR_EXISTS) { /* that is what its key is for */
        entry->count = 0;
        code = BB_OK;
    } else if (code == BB_ERR_FULL) {
        atomic_fetch_add(&d->refused, 1);
        bb_fail(error, code, "the outbox is full: %zu deliveries of the event were not taken",
                entry->count);
    } else if (code == BB_ERR_NO_MEMORY) {
        bb_fail_memory(error);
    }
    bb_alarm_ring(&d->alarm);
    return code;
}

static int enqueue(struct entry *entry, const bb_event *event, uint32_t delay_ms, bb_error *error) {
    int code = read_event(entry, event, error);
    while (code == BB_OK) {
        code =
            bb_registry_list(entry->dispatcher->registry, &entry->view.event, &entry->hooks, error);
        if (code || entry->hooks.count == 0)
            return code;
        code = prepare(entry, error);
        if (code == BB_OK)
            code = put(entry, delay_ms, error);
        if (code != CHANGED)
            return code;
        bb_hooks_free(&entry->hooks);
        entry->count = 0;
        code = BB_OK;
    }
    return code;
}

/* ---- events that were enqueued by SQL */

static int match(struct entry *entry, int64_t number, const struct bb_parcel *parcel) {
    struct bb_dispatcher *d = entry->dispatcher;
    int code = read_event(entry, parcel->event, NULL);
    if (code == BB_OK)
        code = bb_registry_list(d->registry, &entry->view.event, &entry->hooks, NULL);
    if (code == BB_OK)
        code = prepare(entry, NULL);
    if (code == BB_OK)
        code = find_queues(entry);
    if (code == BB_OK)
        code = d->store->vtable->match(d->store, number, entry->parcel, entry->puts, entry->count);
    leave_queues(entry, code == BB_OK);
    return code;
}

void bb_enqueue_match(struct bb_dispatcher *dispatcher) {
    const struct bb_store_vtable *store = dispatcher->store->vtable;
    struct bb_parcel *parcel;
    int64_t number;
    int code = BB_OK;
    while (code == BB_OK && store->unmatched &&
           (parcel = store->unmatched(dispatcher->store, &number))) {
        struct entry entry = {.dispatcher = dispatcher};
        bb_arena_init(&entry.arena, &dispatcher->settings.mem);
        code = match(&entry, number, parcel); /* a failure is tried again in the next turn */
        bb_parcel_release(entry.parcel);
        bb_hooks_free(&entry.hooks);
        bb_arena_free(&entry.arena);
        bb_parcel_release(parcel);
    }
}

/* ---- by the host */

static int enqueue_at(bb_dispatcher *dispatcher, void *connection, const bb_event *event,
                      const bb_enqueue_options *options, size_t *deliveries, bb_error *error) {
    bb_enqueue_options own = BB_ENQUEUE_OPTIONS_INIT;
    if (deliveries)
        *deliveries = 0;
    int code = bb_dispatcher_check(dispatcher, error);
    if (code == BB_OK && options)
        code = bb_struct_read(&own, sizeof own, options, "enqueue options", error);
    if (code)
        return code;
    struct bb_put_place place = {.connection = connection, .key = own.key};
    struct entry entry = {.dispatcher = dispatcher, .place = connection || own.key ? &place : NULL};
    bb_arena_init(&entry.arena, &dispatcher->settings.mem);
    code = enqueue(&entry, event, own.delay_ms, error);
    if (code == BB_OK && deliveries)
        *deliveries = entry.count;
    bb_parcel_release(entry.parcel);
    bb_hooks_free(&entry.hooks);
    bb_arena_free(&entry.arena);
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

int bb_dispatcher_wake(bb_dispatcher *dispatcher, bb_error *error) {
    int code = bb_dispatcher_check(dispatcher, error);
    if (code == BB_OK) {
        if (dispatcher->store->vtable->look_again)
            dispatcher->store->vtable->look_again(dispatcher->store);
        bb_alarm_ring(&dispatcher->alarm);
    }
    return code;
}
