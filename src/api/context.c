/* What every call needs of its dispatcher: whether it may use it, the time, new ids. */
#include <stdio.h>
#include <string.h>

#include "api/dispatcher.h"
#include "driver/clock.h"
#include "driver/process.h"
#include "event/webhook.h"

int bb_dispatcher_check(const struct bb_dispatcher *d, bb_error *error) {
    if (!d)
        return bb_fail(error, BB_ERR_ARGUMENT, "dispatcher is NULL");
    if (d->forks != bb_process_forks())
        return bb_fail(error, BB_ERR_FORKED,
                       "the dispatcher belongs to the parent process: make another one");
    return BB_OK;
}

/* However far the host's clock jumps, there is room for any wait after it. */
static const int64_t last_tick_ms = INT64_MAX / 2;

int64_t bb_dispatcher_ticks(struct bb_dispatcher *d) {
    struct bb_ticks *ticks = &d->ticks;
    if (!d->settings.has_own_clock)
        return bb_clock_monotonic_ms();
    pthread_mutex_lock(&ticks->lock);
    int64_t read_ms = bb_settings_now_ms(&d->settings);
    if (read_ms > ticks->read_ms) { /* set back, this moment lasts, and time goes on from it */
        uint64_t passed = (uint64_t)read_ms - (uint64_t)ticks->read_ms;
        uint64_t left = (uint64_t)(last_tick_ms - ticks->now_ms);
        ticks->now_ms += (int64_t)(passed < left ? passed : left);
    }
    ticks->read_ms = read_ms;
    int64_t now_ms = ticks->now_ms;
    pthread_mutex_unlock(&ticks->lock);
    return now_ms;
}

struct bb_moment bb_dispatcher_moment(struct bb_dispatcher *d) {
    int64_t now_ms = bb_clock_monotonic_ms();
    return (struct bb_moment){
        .monotonic_ms = now_ms,
        .ticks_ms = d->settings.has_own_clock ? bb_dispatcher_ticks(d) : now_ms,
        .wall_ms = bb_settings_now_ms(&d->settings),
    };
}

static char *write_hex(char *out, unsigned long long number) {
    char digits[2 * sizeof number];
    size_t n = 0;
    do {
        digits[n++] = "0123456789abcdef"[number & 15];
    } while (number >>= 4);
    while (n > 0)
        *out++ = digits[--n];
    return out;
}

void bb_dispatcher_new_id(struct bb_dispatcher *d, char out[80]) {
    char *at = stpcpy(stpcpy(out, "evt_"), d->id_prefix);
    *at++ = '_';
    *write_hex(at, atomic_fetch_add(&d->events, 1)) = '\0';
}

struct bb_http_config bb_dispatcher_http(const struct bb_dispatcher *d) {
    const bb_options *options = &d->settings.options;
    const char *source = d->settings.egress.source;
    return (struct bb_http_config){
        .mem = &d->settings.mem,
        .trust = d->trust,
        .guard = d->guard,
        .proxies = d->proxies.https || d->proxies.http ? &d->proxies : NULL,
        .source = source && *source ? source : NULL,
        .max_parallel = (long)options->max_parallel,
        .connect_timeout_ms = (long)options->connect_timeout_ms,
        .http2 = options->http2 != 0,
        .allow_http = d->settings.policy.allow_http,
        .allow_private = d->settings.policy.bounds.allow_private,
    };
}

void bb_dispatcher_log_refused(const struct bb_dispatcher *d, const bb_webhook *webhook,
                               const struct bb_transfer *transfer) {
    char label[104], line[480];
    if (!*transfer->refused || !d->settings.options.log)
        return;
    snprintf(line, sizeof line, "guard: webhook \"%s\": not connected to %s",
             bb_webhook_label(webhook, label), transfer->refused);
    bb_settings_log(&d->settings, BB_WARN, line);
}
