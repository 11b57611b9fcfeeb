/* Who drives the courier, and for how long. */
#include <errno.h>
#include <limits.h>
#include <time.h>

#include "api/courier.h"
#include "driver/clock.h"
#include "driver/process.h"

/* ---- the right to drive, under drive_lock */

static int busy(const struct bb_dispatcher *d, bb_error *error) {
    bool is_own = pthread_equal(d->driver, pthread_self());
    return bb_fail(error, BB_ERR_BUSY,
                   is_own ? "this cannot be called from a callback"
                          : "another thread drives this dispatcher");
}

/* Made once, by whoever is first; stays for the dispatcher's life. */
static struct bb_courier *courier_of(struct bb_dispatcher *d) {
    if (!d->courier)
        d->courier = bb_courier_new(d);
    if (d->courier)
        atomic_store(&d->alarm.poller, ((struct bb_courier *)d->courier)->poller);
    return d->courier;
}

/* Right after courier_of has failed. */
static int fail_courier(bb_error *error) {
    if (errno == EMFILE || errno == ENFILE)
        return bb_fail(error, BB_ERR_SYSTEM,
                       "no file descriptor is left: close some, or raise RLIMIT_NOFILE");
    return bb_fail_memory(error);
}

static int claim(struct bb_dispatcher *d, bb_error *error) {
    if (d->is_driving)
        return busy(d, error);
    if (!courier_of(d))
        return fail_courier(error);
    d->is_driving = true;
    d->driver = pthread_self();
    return BB_OK;
}

static int begin_driving(struct bb_dispatcher *d, bb_error *error) {
    int code = bb_dispatcher_check(d, error);
    if (code)
        return code;
    pthread_mutex_lock(&d->drive_lock);
    code = claim(d, error);
    pthread_mutex_unlock(&d->drive_lock);
    return code;
}

static void end_driving(struct bb_dispatcher *d) {
    pthread_mutex_lock(&d->drive_lock);
    d->is_driving = false;
    pthread_mutex_unlock(&d->drive_lock);
}

/* The host's loop may have gone to sleep before, and has not seen what was changed meanwhile. */
static void hand_back(struct bb_dispatcher *d) {
    end_driving(d);
    bb_alarm_ring(&d->alarm);
    bb_poller_wake(d->courier->poller);
}

/* What is under way ends, by itself or by force; nothing new begins. */
static void drain(struct bb_dispatcher *d, int64_t end_ms) {
    int64_t left;
    while (d->courier->flights && (left = end_ms - bb_clock_monotonic_ms()) > 0)
        bb_courier_turn(d->courier, left, false);
    bb_courier_abandon(d->courier);
    bb_courier_turn(d->courier, 0, false);
}

static size_t waiting_in(struct bb_dispatcher *d) {
    return (size_t)d->store->vtable->counts(d->store).waiting;
}

/* ---- the library's own thread */

/* What the thread is to do next: false when it is to end. */
static bool take_orders(struct bb_dispatcher *d, uint64_t *flush) {
    pthread_mutex_lock(&d->drive_lock);
    bool goes_on = !d->is_stopping;
    *flush = d->flush_asked;
    pthread_mutex_unlock(&d->drive_lock);
    return goes_on;
}

static void answer_flush(struct bb_dispatcher *d, uint64_t flush) {
    pthread_mutex_lock(&d->drive_lock);
    d->flush_done = flush;
    pthread_cond_broadcast(&d->driven);
    pthread_mutex_unlock(&d->drive_lock);
}

static void *thread_main(void *user) {
    struct bb_dispatcher *d = user;
    uint64_t flush, answered = 0;
    while (take_orders(d, &flush)) {
        bool is_asked = d->courier->is_flushing = flush != answered;
        bb_courier_turn(d->courier, -1, true);
        if (is_asked && bb_courier_is_idle(d->courier)) {
            answer_flush(d, flush);
            answered = flush;
        }
    }
    d->courier->is_flushing = false;
    drain(d, d->stop_ms);
    return NULL;
}

/* It inherits what is blocked here, so no signal of the host's ever reaches it. */
static bool create_thread(struct bb_dispatcher *d) {
    sigset_t before;
    bb_process_block_signals(&before);
    bool is_made = pthread_create(&d->driver, NULL, thread_main, d) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return is_made;
}

int bb_dispatcher_start(bb_dispatcher *d, bb_error *error) {
    int code = begin_driving(d, error);
    if (code)
        return code;
    pthread_mutex_lock(&d->drive_lock);
    d->is_stopping = false;
    d->has_thread = create_thread(d);
    d->is_driving = d->has_thread;
    if (!d->has_thread)
        code = bb_fail(error, BB_ERR_SYSTEM, "a thread could not be started");
    pthread_mutex_unlock(&d->drive_lock);
    return code;
}

/* ---- stop */

/* Whether there is a thread, which is told to end then. */
static int tell_to_stop(struct bb_dispatcher *d, int64_t end_ms, bool *has_thread,
                        bb_error *error) {
    int code = BB_OK;
    pthread_mutex_lock(&d->drive_lock);
    *has_thread = d->has_thread;
    if (d->has_thread && (d->is_stopping || pthread_equal(d->driver, pthread_self()))) {
        code = busy(d, error);
    } else if (d->has_thread) {
        d->is_stopping = true;
        d->stop_ms = end_ms;
    } else {
        code = claim(d, error);
    }
    pthread_mutex_unlock(&d->drive_lock);
    return code;
}

static void join(struct bb_dispatcher *d) {
    bb_alarm_ring(&d->alarm);
    pthread_join(d->driver, NULL);
    pthread_mutex_lock(&d->drive_lock);
    d->has_thread = d->is_driving = d->is_stopping = false;
    d->flush_cut = d->flush_asked; /* nobody is left to wait for */
    pthread_cond_broadcast(&d->driven);
    pthread_mutex_unlock(&d->drive_lock);
}

int bb_dispatcher_stop(bb_dispatcher *d, uint32_t deadline_ms, size_t *waiting, bb_error *error) {
    bool has_thread;
    int code = bb_dispatcher_check(d, error);
    if (code)
        return code;
    int64_t end_ms = bb_clock_monotonic_ms() + deadline_ms;
    code = tell_to_stop(d, end_ms, &has_thread, error);
    if (code)
        return code;
    if (has_thread) {
        join(d);
    } else {
        drain(d, end_ms);
        hand_back(d);
    }
    if (waiting)
        *waiting = waiting_in(d);
    return BB_OK;
}

/* ---- flush */

static int late(uint32_t timeout_ms, bb_error *error) {
    return bb_fail(error, BB_ERR_TIMEOUT, "not everything was delivered within %u ms", timeout_ms);
}

static int wait_for_thread(struct bb_dispatcher *d, uint32_t timeout_ms, bb_error *error) {
    int64_t end_ms = bb_clock_monotonic_ms() + timeout_ms;
    struct timespec end = {.tv_sec = (time_t)(end_ms / 1000),
                           .tv_nsec = (long)(end_ms % 1000) * 1000000};
    uint64_t mine = ++d->flush_asked;
    int late_by = 0;
    pthread_mutex_unlock(&d->drive_lock);
    bb_alarm_ring(&d->alarm);
    pthread_mutex_lock(&d->drive_lock);
    while (d->flush_done < mine && d->flush_cut < mine && late_by == 0)
        late_by = pthread_cond_timedwait(&d->driven, &d->drive_lock, &end);
    if (d->flush_done >= mine)
        return BB_OK;
    return d->flush_cut >= mine ? bb_fail(error, BB_ERR_BUSY, "the dispatcher was stopped")
                                : late(timeout_ms, error);
}

static int drive_until_idle(struct bb_dispatcher *d, uint32_t timeout_ms, bb_error *error) {
    int64_t end_ms = bb_clock_monotonic_ms() + timeout_ms, left;
    bool idle;
    d->courier->is_flushing = true;
    while (!(idle = bb_courier_is_idle(d->courier)) &&
           (left = end_ms - bb_clock_monotonic_ms()) > 0)
        bb_courier_turn(d->courier, left, true);
    d->courier->is_flushing = false;
    return idle ? BB_OK : late(timeout_ms, error);
}

/* What it waits for would never come. */
static int check_transaction(struct bb_dispatcher *d, bb_error *error) {
    const struct bb_store_vtable *store = d->store->vtable;
    if (!store->is_blocked || !store->is_blocked(d->store))
        return BB_OK;
    return bb_fail(error, BB_ERR_BUSY,
                   "this thread has enqueued within a transaction that is still open and keeps the "
                   "outbox from being written: commit it before flushing");
}

int bb_dispatcher_flush(bb_dispatcher *d, uint32_t timeout_ms, bb_error *error) {
    int code = bb_dispatcher_check(d, error);
    code = code ? code : check_transaction(d, error);
    if (code)
        return code;
    pthread_mutex_lock(&d->drive_lock);
    bool has_thread = d->has_thread && !pthread_equal(d->driver, pthread_self());
    code = has_thread ? wait_for_thread(d, timeout_ms, error) : claim(d, error);
    pthread_mutex_unlock(&d->drive_lock);
    if (has_thread || code)
        return code;
    code = drive_until_idle(d, timeout_ms, error);
    hand_back(d);
    return code;
}

/* ---- the host's loop */

int bb_dispatcher_fd(bb_dispatcher *d) {
    int code = bb_dispatcher_check(d, NULL);
    if (code)
        return code;
    pthread_mutex_lock(&d->drive_lock);
    struct bb_courier *courier = courier_of(d);
    code = courier ? bb_poller_fd(courier->poller) : fail_courier(NULL);
    pthread_mutex_unlock(&d->drive_lock);
    return code;
}

/* Only who drives may look at what is under way. */
static int timeout_ms(struct bb_dispatcher *d) {
    enum { ASK_AGAIN_MS = 10 };
    if (d->is_driving)
        return d->has_thread ? -1 : ASK_AGAIN_MS;
    return bb_courier_idle_ms(d->courier, true);
}

int bb_dispatcher_timeout_ms(bb_dispatcher *d) {
    if (bb_dispatcher_check(d, NULL) != BB_OK || bb_dispatcher_fd(d) < 0)
        return -1;
    pthread_mutex_lock(&d->drive_lock);
    int wait_ms = timeout_ms(d);
    pthread_mutex_unlock(&d->drive_lock);
    return wait_ms;
}

int bb_dispatcher_run(bb_dispatcher *d, bb_error *error) {
    int code = begin_driving(d, error);
    if (code)
        return code;
    bb_courier_turn(d->courier, 0, true);
    end_driving(d);
    return BB_OK;
}

/* ---- the end */

int bb_drive_end(struct bb_dispatcher *d, bb_error *error) {
    pthread_mutex_lock(&d->drive_lock);
    bool is_needed = d->courier != NULL;
    pthread_mutex_unlock(&d->drive_lock);
    int code = is_needed ? bb_dispatcher_stop(d, 0, NULL, error) : BB_OK;
    if (code == BB_OK)
        bb_courier_free(d->courier);
    return code;
}
