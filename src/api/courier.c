#include "api/courier.h"

#include <errno.h>
#include <string.h>

#include "base/digest.h"
#include "driver/clock.h"

enum { AT_ONCE = 64, ENGINE = 0, RESOLVER = 1 }; /* the last two are tags */

/* Where answers come fast, beginning more before looking at them would only open more connections,
 * and what is under way would leave the processor's cache: a few each turn keep it busy. */
enum { BEGUN_A_TURN = 16 };

/* ---- life */

static bool watch_for_engine(void *user, int fd, bool read, bool write) {
    return bb_poller_watch(user, fd, ENGINE, read, write);
}

static bool watch_for_resolver(void *user, int fd, bool read, bool write) {
    return bb_poller_watch(user, fd, RESOLVER, read, write);
}

static bool open_engine(struct bb_courier *courier) {
    const struct bb_settings *settings = &courier->dispatcher->settings;
    struct bb_engine_config config = {
        .http = bb_dispatcher_http(courier->dispatcher),
        .max_in_flight = settings->background.max_in_flight,
        .watch = watch_for_engine,
        .watch_user = courier->poller,
    };
    config.http.needs_no_times = !settings->background.notify;
    config.http.pins_names =
        settings->background.resolver != BB_RESOLVER_SYSTEM && !config.http.proxies; /* libcurl
                                                               looks these up itself */
    courier->engine = bb_engine_new(&config);
    return courier->engine != NULL;
}

static bool open_resolver(struct bb_courier *courier) {
    const struct bb_settings *settings = &courier->dispatcher->settings;
    struct bb_resolver_config config = {
        .mem = &settings->mem,
        .servers = settings->background.dns_servers,
        .watch = watch_for_resolver,
        .watch_user = courier->poller,
    };
    if (settings->background.resolver == BB_RESOLVER_SYSTEM)
        return true;
    courier->resolver = bb_resolver_new(&config);
    return courier->resolver != NULL;
}

static bool seed(struct bb_courier *courier) {
    unsigned char bytes[sizeof courier->chance];
    bool is_random = bb_random(bytes, sizeof bytes);
    memcpy(&courier->chance, bytes, sizeof bytes);
    return is_random;
}

struct bb_courier *bb_courier_new(struct bb_dispatcher *dispatcher) {
    const struct bb_allocator *mem = &dispatcher->settings.mem;
    errno = 0;
    struct bb_courier *courier = bb_mem_zalloc(mem, sizeof *courier);
    if (!courier)
        return NULL;
    courier->dispatcher = dispatcher;
    bb_arena_init_secret(&courier->scratch, mem);
    courier->poller = bb_poller_new(mem);
    if (courier->poller && open_engine(courier) && open_resolver(courier) && seed(courier))
        return courier;
    int why = errno;
    bb_courier_free(courier);
    errno = why;
    return NULL;
}

void bb_courier_free(struct bb_courier *courier) {
    if (!courier)
        return;
    bb_batches_free(courier);
    bb_arena_free(&courier->scratch);
    bb_flight_free_idle(courier);
    bb_engine_free(courier->engine);
    bb_resolver_free(courier->resolver);
    bb_poller_free(courier->poller);
    bb_mem_free_secret(&courier->dispatcher->settings.mem, courier, sizeof *courier);
}

/* ---- begin */

/* Takes one delivery from the store, and begins it in the books. */
static enum bb_due take_next(struct bb_courier *courier, struct bb_delivery **delivery,
                             struct bb_courier_flight **flight) {
    struct bb_dispatcher *d = courier->dispatcher;
    struct bb_lane *lane;
    int64_t now_ms = courier->now.ticks_ms;
    pthread_mutex_lock(&d->lock);
    enum bb_due due = bb_scheduler_next(&d->scheduler, now_ms, delivery, &lane);
    if (due == BB_DUE_ATTEMPT && !(*flight = bb_flight_begin(courier, *delivery, now_ms))) {
        d->store->vtable->settle(d->store, *delivery, BB_SETTLED_RETRY, now_ms + 1000, NULL);
        due = BB_DUE_NOTHING;
    }
    if (due == BB_DUE_CLOSED)
        bb_standing_detach(d, (struct bb_standing *)lane);
    pthread_mutex_unlock(&d->lock);
    return due;
}

/* What ends at once (too old, of a removed webhook, ...) must not keep it from what is under way.
 */
static void begin_due(struct bb_courier *courier) {
    struct bb_delivery *delivery;
    struct bb_courier_flight *flight;
    enum bb_due due;
    for (int i = 0; i < BEGUN_A_TURN; i++) {
        due = take_next(courier, &delivery, &flight);
        if (due == BB_DUE_NOTHING)
            return;
        if (due == BB_DUE_ATTEMPT)
            bb_flight_go(flight);
        else if (due != BB_DUE_CLOSED)
            bb_ending_without_attempt(courier, delivery, due);
    }
}

/* ---- wait */

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t until(int64_t due_ms, int64_t now_ms) {
    return due_ms == INT64_MAX ? due_ms : due_ms > now_ms ? due_ms - now_ms : 0;
}

static int64_t scheduler_wait_ms(struct bb_courier *courier) {
    struct bb_dispatcher *d = courier->dispatcher;
    int64_t now_ms = bb_dispatcher_ticks(d);
    pthread_mutex_lock(&d->lock);
    int64_t wait = until(bb_scheduler_wake_ms(&d->scheduler, now_ms), now_ms);
    pthread_mutex_unlock(&d->lock);
    return wait;
}

static int64_t resolver_wait_ms(struct bb_courier *courier, int64_t now_ms) {
    int64_t wait =
        courier->looking_up ? until(courier->looking_up->look_up_ends_ms, now_ms) : INT64_MAX;
    int own = courier->resolver ? bb_resolver_timeout_ms(courier->resolver) : -1;
    return own < 0 ? wait : least(wait, own);
}

int bb_courier_idle_ms(struct bb_courier *courier, bool may_begin) {
    if (!bb_alarm_may_sleep(&courier->dispatcher->alarm))
        return 0;
    int64_t now_ms = bb_clock_monotonic_ms();
    int64_t wait = until(bb_engine_due_ms(courier->engine), now_ms);
    wait = least(wait, resolver_wait_ms(courier, now_ms));
    if (may_begin)
        wait = least(wait, scheduler_wait_ms(courier));
    return wait == INT64_MAX ? -1 : (int)least(wait, INT32_MAX);
}

bool bb_courier_is_idle(struct bb_courier *courier) {
    struct bb_dispatcher *d = courier->dispatcher;
    int64_t now_ms = bb_dispatcher_ticks(d);
    pthread_mutex_lock(&d->lock);
    bool idle = bb_scheduler_is_idle(&d->scheduler, now_ms);
    pthread_mutex_unlock(&d->lock);
    return idle;
}

static int how_long(struct bb_courier *courier, int64_t wait_ms, bool may_begin) {
    if (wait_ms == 0 || (courier->is_flushing && bb_courier_is_idle(courier)))
        return 0;
    int idle = bb_courier_idle_ms(courier, may_begin);
    if (wait_ms > 0 && (idle < 0 || wait_ms < idle))
        idle = (int)least(wait_ms, INT32_MAX);
    return idle;
}

static void wait_for_events(struct bb_courier *courier, int timeout_ms) {
    struct bb_ready ready[AT_ONCE];
    size_t count = bb_poller_wait(courier->poller, timeout_ms, ready, AT_ONCE);
    courier->now = bb_dispatcher_moment(courier->dispatcher);
    int64_t now_ms = courier->now.monotonic_ms;
    for (size_t i = 0; i < count; i++) {
        const struct bb_ready *r = &ready[i];
        if (r->tag == ENGINE)
            bb_engine_ready(courier->engine, r->fd, r->read, r->write);
        else if (courier->resolver)
            bb_resolver_ready(courier->resolver, r->fd, r->read, r->write, now_ms);
    }
    bb_engine_run(courier->engine, now_ms);
    if (courier->resolver)
        bb_resolver_run(courier->resolver, now_ms);
}

/* ---- end */

static void end_finished(struct bb_courier *courier) {
    struct bb_transfer *transfer;
    while ((transfer = bb_engine_finished(courier->engine)))
        bb_flight_finish(transfer->owner);
}

void bb_courier_turn(struct bb_courier *courier, int64_t wait_ms, bool may_begin) {
    courier->now = bb_dispatcher_moment(courier->dispatcher);
    if (may_begin) {
        bb_enqueue_match(courier->dispatcher);
        begin_due(courier);
    }
    int timeout = how_long(courier, wait_ms, may_begin);
    wait_for_events(courier, timeout);
    bb_alarm_wake_up(&courier->dispatcher->alarm);
    bb_flight_check_look_ups(courier);
    end_finished(courier);
    bb_ending_tell_losses(courier);
}

void bb_courier_abandon(struct bb_courier *courier) {
    while (courier->flights) {
        bb_flight_abandon(courier->flights);
        end_finished(courier);
    }
}
