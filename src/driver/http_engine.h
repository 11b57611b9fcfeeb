/*
 * Transfers of background delivery: many at once on one thread, driven by the readiness of
 * descriptors. Several multi handles, URLs spread over them, because libcurl looks at every
 * connection and every name of a handle for each request.
 */
#ifndef BB_DRIVER_HTTP_ENGINE_H
#define BB_DRIVER_HTTP_ENGINE_H

#include "driver/http.h"

struct bb_engine;

struct bb_engine_config {
    struct bb_http_config http; /* what concerns descriptors is the engine's own */
    uint32_t max_in_flight;

    /* Asked to watch a descriptor from now on; both false: no more. False: it cannot. */
    bool (*watch)(void *user, int fd, bool read, bool write);
    void *watch_user;
};

/* NULL when out of memory. `config` is copied. */
struct bb_engine *bb_engine_new(const struct bb_engine_config *config);
void bb_engine_free(struct bb_engine *engine); /* nothing runs any more */

/* Begins a transfer. False when it could not be, for want of memory. */
bool bb_engine_start(struct bb_engine *engine, struct bb_transfer *transfer);

/* Ends one that is not over: it is among the finished then, as one that failed. */
void bb_engine_cancel(struct bb_engine *engine, struct bb_transfer *transfer);

/* A watched descriptor is ready. */
void bb_engine_ready(struct bb_engine *engine, int fd, bool read, bool write);

/* Does what time asks for; `now_ms` is monotonic. */
void bb_engine_run(struct bb_engine *engine, int64_t now_ms);
int64_t bb_engine_due_ms(const struct bb_engine *engine); /* when; INT64_MAX: never */

/* The next transfer that is over, NULL for none: settled, to be freed by bb_transfer_free. */
struct bb_transfer *bb_engine_finished(struct bb_engine *engine);

#endif
