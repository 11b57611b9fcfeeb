/* One attempt: the name is looked up, the request made and sent, the answer judged. */
#include <stdio.h>
#include <string.h>

#include <utlist.h>

#include "api/courier.h"
#include "delivery/identity.h"
#include "event/webhook.h"

enum {
    IDLE_FLIGHTS = 64,
    NO_MEMORY_MS = 1000,  /* until the next try */
    PARSED_TARGETS = 1024 /* that are kept while nothing is sent to them */
};

static const struct bb_settings *settings_of(const struct bb_courier_flight *flight) {
    return &flight->courier->dispatcher->settings;
}

/* ---- the end */

/* A target that nothing is sent to any more is parsed again when it is needed again. */
static void forget_target(struct bb_courier_flight *flight) {
    struct bb_hook *hook = flight->hook;
    if (!hook->parsed || flight->standing->lane.flow.in_flight > 0 ||
        atomic_load(&flight->courier->dispatcher->targets) <= PARSED_TARGETS)
        return;
    bb_http_target_free(hook->parsed);
    hook->parsed = NULL;
}

static void free_flight(struct bb_courier_flight *flight) {
    const bb_allocator *mem = &settings_of(flight)->mem;
    bb_transfer_free(&flight->transfer);
    bb_arena_free(&flight->request.arena);
    bb_mem_free_secret(mem, flight, sizeof *flight);
}

/* But for its memory, as new. */
static void empty(struct bb_courier_flight *flight) {
    struct bb_courier *courier = flight->courier;
    struct bb_request *request = &flight->request;
    bb_transfer_reset(&flight->transfer);
    bb_arena_reset(&request->arena);
    memset((char *)request + sizeof request->arena, 0, sizeof *request - sizeof request->arena);
    memset(flight, 0, offsetof(struct bb_courier_flight, request));
    flight->courier = courier;
}

/* It is nobody's any more. */
static void end(struct bb_courier_flight *flight) {
    struct bb_courier *courier = flight->courier;
    if (flight->kept)
        bb_batches_leave(courier, flight->kept);
    forget_target(flight);
    bb_hook_release(flight->sender);
    bb_hook_release(flight->hook);
    DL_DELETE2(courier->flights, flight, previous, next);
    if (courier->idle_count >= IDLE_FLIGHTS) {
        free_flight(flight);
        return;
    }
    empty(flight);
    flight->next = courier->idle;
    courier->idle = flight;
    courier->idle_count++;
}

static void put_off(struct bb_courier_flight *flight, int64_t wait_ms) {
    bb_ending_put_off(flight, wait_ms);
    end(flight);
}

static void end_with(struct bb_courier_flight *flight, bb_outcome *outcome) {
    bb_ending_of_flight(flight, outcome);
    end(flight);
}

/* ---- the outcome */

static void judge(struct bb_courier_flight *flight, const bb_response *response,
                  bb_outcome *outcome) {
    const struct bb_settings *settings = settings_of(flight);
    struct bb_arena *scratch = &flight->courier->scratch;
    struct bb_exchange exchange = {
        .webhook = flight->sender ? &flight->sender->webhook : &flight->hook->webhook,
        .host = response->request ? response->request->url.host : "",
        .response = response,
        .now_ms = flight->courier->now.wall_ms,
        .known =
            settings->background.notify || settings->options.log ? NULL : &flight->courier->known,
    };
    bb_outcome_judge(scratch, &exchange, outcome);
    bb_arena_reset(scratch);
}

/* Nothing was sent. */
static void fail(struct bb_courier_flight *flight, bb_failure failure, const char *why) {
    bb_outcome outcome;
    bb_response response = BB_RESPONSE_INIT;
    response.failure = failure;
    response.failure_text = why;
    judge(flight, &response, &outcome);
    end_with(flight, &outcome);
}

static void fail_too_large(struct bb_courier_flight *flight, const bb_error *error) {
    bb_outcome outcome = BB_OUTCOME_INIT;
    outcome.verdict = BB_DEAD;
    memcpy(outcome.text, error->text, sizeof outcome.text);
    end_with(flight, &outcome);
}

void bb_flight_finish(struct bb_courier_flight *flight) {
    bb_outcome outcome;
    const struct bb_transfer *transfer = &flight->transfer;
    bb_response response = BB_RESPONSE_INIT;
    if (flight->is_abandoned && !transfer->is_sent) {
        put_off(flight, 0);
        return;
    }
    response.http_status = transfer->status;
    response.failure = transfer->failure;
    response.failure_text =
        flight->is_abandoned ? "the delivery was stopped" : transfer->failure_text;
    response.headers = bb_buf_data(&transfer->headers);
    response.body = bb_buf_data(&transfer->body);
    response.body_length = transfer->body.length;
    response.request = &flight->request;
    bb_dispatcher_log_refused(flight->courier->dispatcher, &flight->hook->webhook, transfer);
    judge(flight, &response, &outcome);
    end_with(flight, &outcome);
}

/* ---- send */

static int make_request(struct bb_courier_flight *flight, bb_error *error) {
    const struct bb_rendering *rendering;
    struct bb_signing signing = {
        .time_ms = flight->courier->now.wall_ms,
        .delivery_id = flight->delivery_id,
    };
    int code = bb_batch_render(&flight->kept->batch, flight->hook, &rendering, error);
    if (code)
        return code;
    code = bb_batch_request(&flight->kept->batch, flight->sender, rendering, &signing,
                            &flight->request, error);
    if (code == BB_OK)
        bb_batches_close(flight->kept);
    return code;
}

static int64_t left_of(int64_t limit_ms, int64_t used_ms) {
    return limit_ms > used_ms ? limit_ms - used_ms : 1;
}

static void send_request(struct bb_courier_flight *flight, const struct bb_addresses *addresses) {
    const bb_options *options = &settings_of(flight)->options;
    bb_error error = BB_ERROR_INIT;
    int64_t used_ms = flight->courier->now.monotonic_ms - flight->began_ms;
    int code = make_request(flight, &error);
    if (code == BB_ERR_TOO_LARGE) {
        fail_too_large(flight, &error);
        return;
    }
    struct bb_transfer *transfer = &flight->transfer;
    transfer->request = &flight->request;
    transfer->timeout_ms = (long)left_of(options->timeout_ms, used_ms);
    transfer->connect_timeout_ms = (long)left_of(options->connect_timeout_ms, used_ms);
    transfer->owner = flight;
    transfer->tls = bb_hook_tls(flight->hook);
    transfer->allow_private = flight->hook->webhook.insecure_allow_private_addresses != 0;
    transfer->is_signed_url = flight->request.url.text != bb_hook_target(flight->sender);
    transfer->addresses = addresses ? addresses->list : NULL;
    transfer->addresses_version = addresses ? addresses->version : 0;
    if (code || !bb_engine_start(flight->courier->engine, transfer))
        put_off(flight, NO_MEMORY_MS);
}

/* ---- look up */

static bool is_address(const char *host) {
    size_t n = strlen(host);
    return *host == '[' || (n > 0 && strspn(host, "0123456789.") == n);
}

static void stop_looking(struct bb_courier_flight *flight) {
    DL_DELETE2(flight->courier->looking_up, flight, previous_look_up, next_look_up);
    flight->is_looking_up = false;
}

static void on_looked_up(struct bb_lookup *lookup, const struct bb_addresses *addresses,
                         const char *why) {
    struct bb_courier_flight *flight =
        (struct bb_courier_flight *)((char *)lookup - offsetof(struct bb_courier_flight, lookup));
    stop_looking(flight);
    flight->courier->now = bb_dispatcher_moment(flight->courier->dispatcher);
    flight->dns_us = (flight->courier->now.monotonic_ms - flight->began_ms) * 1000;
    if (addresses)
        send_request(flight, addresses);
    else
        fail(flight, BB_FAILURE_RESOLVE, why);
}

static struct bb_http_target *target_of(const struct bb_courier_flight *flight) {
    struct bb_hook *hook = flight->sender;
    if (!hook->parsed)
        hook->parsed = bb_http_target_new(&settings_of(flight)->mem, bb_hook_target(hook),
                                          &flight->courier->dispatcher->targets);
    return hook->parsed;
}

static void look_up(struct bb_courier_flight *flight) {
    struct bb_courier *courier = flight->courier;
    struct bb_http_target *target = flight->transfer.target = target_of(flight);
    if (!target) {
        put_off(flight, NO_MEMORY_MS);
        return;
    }
    const struct bb_url *url = &flight->request.url;
    flight->request.url = *bb_http_target_parts(target);
    if (!courier->resolver || is_address(url->host)) {
        send_request(flight, NULL);
        return;
    }
    flight->is_looking_up = true;
    flight->look_up_ends_ms =
        flight->began_ms + (int64_t)settings_of(flight)->options.connect_timeout_ms;
    DL_APPEND2(courier->looking_up, flight, previous_look_up, next_look_up);
    flight->lookup = (struct bb_lookup){.done = on_looked_up};
    bb_resolver_find(courier->resolver, url->host, &flight->lookup, flight->began_ms);
}

void bb_flight_check_look_ups(struct bb_courier *courier) {
    struct bb_courier_flight *flight;
    while ((flight = courier->looking_up) && flight->look_up_ends_ms <= courier->now.monotonic_ms) {
        bb_resolver_cancel(courier->resolver, &flight->lookup);
        stop_looking(flight);
        fail(flight, BB_FAILURE_RESOLVE, "its name servers did not answer in time");
    }
}

/* ---- begin */

static struct bb_courier_flight *take_flight(struct bb_courier *courier) {
    const struct bb_allocator *mem = &courier->dispatcher->settings.mem;
    struct bb_courier_flight *flight = courier->idle;
    if (flight) {
        courier->idle = flight->next;
        courier->idle_count--;
    } else if ((flight = bb_mem_zalloc(mem, sizeof *flight))) {
        bb_arena_init_secret(&flight->request.arena, mem);
    }
    return flight;
}

struct bb_courier_flight *bb_flight_begin(struct bb_courier *courier, struct bb_delivery *delivery,
                                          int64_t now_ms) {
    struct bb_dispatcher *d = courier->dispatcher;
    struct bb_courier_flight *flight = take_flight(courier);
    if (!flight)
        return NULL;
    flight->courier = courier;
    flight->standing = delivery->queue->owner;
    bb_scheduler_begin(&d->scheduler, &flight->face, delivery, now_ms);
    flight->hook = bb_hook_retain(flight->standing->hook);
    DL_APPEND2(courier->flights, flight, previous, next);
    return flight;
}

/* It is a digest of both ids, so it is only made for a request or a notice that tells it. */
static bool needs_id(const struct bb_courier_flight *flight) {
    return settings_of(flight)->background.notify || bb_hook_endpoint(flight->hook)->is_idempotent;
}

/* False: the flight is over. */
static bool take_sender(struct bb_courier_flight *flight) {
    bb_error error = BB_ERROR_INIT;
    int code = bb_hook_present(settings_of(flight), flight->hook, &flight->sender, &error);
    if (!bb_hook_target(flight->hook)) /* the host was called back, and took its time */
        flight->courier->now = bb_dispatcher_moment(flight->courier->dispatcher);
    if (code == BB_ERR_NO_MEMORY)
        put_off(flight, NO_MEMORY_MS);
    else if (code)
        fail(flight, BB_FAILURE_CREDENTIALS, bb_hook_why(flight->hook, &error));
    return code == BB_OK;
}

void bb_flight_go(struct bb_courier_flight *flight) {
    bb_error error = BB_ERROR_INIT;
    struct bb_parcel *parcel = flight->face.delivery->parcel;
    flight->began_ms = flight->courier->now.monotonic_ms;
    flight->kept = bb_batches_use(flight->courier, parcel, &error);
    if (error.code == BB_ERR_EVENT) {
        bb_ending_unreadable(flight, &error);
        end(flight);
        return;
    }
    if (flight->kept && needs_id(flight))
        flight->delivery_id = bb_identity_of_delivery(&flight->request.arena, parcel->event->id,
                                                      flight->hook->webhook.id);
    if (!flight->kept || flight->request.arena.failed)
        put_off(flight, NO_MEMORY_MS);
    else if (take_sender(flight))
        look_up(flight);
}

void bb_flight_abandon(struct bb_courier_flight *flight) {
    if (flight->is_looking_up) {
        bb_resolver_cancel(flight->courier->resolver, &flight->lookup);
        stop_looking(flight);
        put_off(flight, 0);
        return;
    }
    flight->is_abandoned = true;
    bb_engine_cancel(flight->courier->engine, &flight->transfer);
}

void bb_flight_free_idle(struct bb_courier *courier) {
    while (courier->idle) {
        struct bb_courier_flight *flight = courier->idle;
        courier->idle = flight->next;
        free_flight(flight);
    }
}
