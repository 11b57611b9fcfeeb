/* The front door: one event, one attempt to every webhook that wants it, judged. */
#include "api/post.h"

#include <string.h>

#include "api/batch.h"
#include "api/report.h"
#include "api/standing.h"
#include "delivery/identity.h"
#include "delivery/outcome.h"
#include "driver/clock.h"
#include "event/webhook.h"

struct delivery {
    struct bb_hook *hook;
    struct bb_hook *sender;       /* the same with its URL and secrets, retained while it is sent */
    struct bb_standing *standing; /* while it counts for the webhook's rates */
    const struct bb_rendering *rendering;
    struct bb_report_row *row;
    struct bb_request request;
    struct bb_transfer transfer;
    int64_t started_ms; /* monotonic */
};

struct post {
    struct bb_dispatcher *dispatcher;
    const struct bb_post_mode *mode;
    char new_id[80]; /* for an event that has none */
    struct bb_arena scratch;
    struct bb_batch batch;
    struct bb_hooks hooks;
    struct bb_report *report;
    const char *event_id; /* the report's: all its rows share it */
    struct bb_session *session;
    struct delivery *deliveries;
    size_t next; /* the first that was not begun */
    size_t running;
    int64_t deadline_ms; /* monotonic */
};

/* ---- one delivery ---- */

static void judge(struct post *post, struct delivery *delivery, const bb_response *response) {
    struct bb_dispatcher *d = post->dispatcher;
    struct bb_arena scratch;
    bb_outcome *outcome = &delivery->row->outcome;
    struct bb_exchange exchange = {
        .webhook = delivery->sender ? &delivery->sender->webhook : &delivery->hook->webhook,
        .host = response->request ? response->request->url.host : "",
        .response = response,
        .now_ms = bb_settings_now_ms(&d->settings),
    };
    bb_arena_init_secret(&scratch, &d->settings.mem);
    bb_outcome_judge(&scratch, &exchange, outcome);
    bb_arena_free(&scratch);
    if (post->mode->only && outcome->verdict == BB_DELIVERED)
        bb_standing_clear(d, delivery->hook); /* before what this answer asks for */
    bb_standing_note(d, delivery->hook, outcome);
}

static void log_outcome(const struct post *post, const struct delivery *delivery) {
    const bb_outcome *outcome = &delivery->row->outcome;
    bb_level level = outcome->verdict == BB_DELIVERED ? BB_INFO
                     : outcome->verdict == BB_DEAD    ? BB_ERROR
                                                      : BB_WARN;
    bb_settings_log(&post->dispatcher->settings, level, outcome->text);
}

static void not_started(struct post *post, struct delivery *delivery, bb_failure failure,
                        const char *why) {
    bb_response response = BB_RESPONSE_INIT;
    response.failure = failure;
    response.failure_text = why;
    judge(post, delivery, &response);
    log_outcome(post, delivery);
}

static void fill_in_times(struct delivery *delivery) {
    const struct bb_transfer *transfer = &delivery->transfer;
    bb_attempt_report *row = &delivery->row->face;
    row->sent = transfer->is_sent;
    row->duration_ms = bb_clock_monotonic_ms() - delivery->started_ms;
    row->dns_us = transfer->dns_us;
    row->connect_us = transfer->connect_us;
    row->tls_us = transfer->tls_us;
    row->first_byte_us = transfer->first_byte_us;
    row->total_us = transfer->total_us;
    row->reused_connection = transfer->is_reused;
}

static void finish(struct post *post, struct delivery *delivery) {
    struct bb_transfer *transfer = &delivery->transfer;
    bb_response response = BB_RESPONSE_INIT;
    response.http_status = transfer->status;
    response.failure = transfer->failure;
    response.failure_text = transfer->failure_text;
    response.headers = bb_buf_data(&transfer->headers);
    response.body = bb_buf_data(&transfer->body);
    response.body_length = transfer->body.length;
    response.request = &delivery->request;
    judge(post, delivery, &response);
    bb_standing_end_post(post->dispatcher, delivery->standing, transfer->is_sent);
    fill_in_times(delivery);
    bb_dispatcher_log_refused(post->dispatcher, &delivery->hook->webhook, transfer);
    log_outcome(post, delivery);
    bb_transfer_free(transfer);
    bb_arena_free(&delivery->request.arena);
    bb_hook_release(delivery->sender);
    post->running--;
}

static bool send_request(struct post *post, struct delivery *delivery, int64_t left_ms) {
    const struct bb_settings *settings = &post->dispatcher->settings;
    struct bb_signing signing = {
        .time_ms = bb_settings_now_ms(settings),
        .delivery_id = delivery->row->face.delivery_id,
    };
    int64_t timeout = settings->options.timeout_ms;
    delivery->started_ms = bb_clock_monotonic_ms();
    bb_arena_init_secret(&delivery->request.arena, &settings->mem);
    delivery->transfer = (struct bb_transfer){
        .request = &delivery->request,
        .timeout_ms = (long)(timeout < left_ms ? timeout : left_ms),
        .owner = delivery,
        .tls = bb_hook_tls(delivery->hook),
        .allow_private = delivery->hook->webhook.insecure_allow_private_addresses != 0,
    };
    if (bb_batch_request(&post->batch, delivery->sender, delivery->rendering, &signing,
                         &delivery->request, NULL) == BB_OK &&
        bb_session_start(post->session, &delivery->transfer)) {
        delivery->standing = bb_standing_begin_post(post->dispatcher, delivery->hook);
        return true;
    }
    bb_arena_free(&delivery->request.arena);
    return false;
}

static int64_t left_of(const struct post *post) {
    return post->deadline_ms - bb_clock_monotonic_ms();
}

static void start(struct post *post, struct delivery *delivery) {
    bb_error error = BB_ERROR_INIT;
    const struct bb_settings *settings = &post->dispatcher->settings;
    int code = bb_hook_present(settings, delivery->hook, &delivery->sender, &error);
    int64_t left_ms = left_of(post); /* the host's callback may have taken some */
    if (code == BB_OK && left_ms > 0 && send_request(post, delivery, left_ms)) {
        post->running++;
        return;
    }
    if (code && code != BB_ERR_NO_MEMORY)
        not_started(post, delivery, BB_FAILURE_CREDENTIALS, bb_hook_why(delivery->hook, &error));
    else
        not_started(post, delivery, BB_FAILURE_NOT_STARTED,
                    left_ms > 0 ? "out of memory" : "the time of the whole post was over");
    bb_hook_release(delivery->sender);
}

static void begin(struct post *post, struct delivery *delivery) {
    struct bb_dispatcher *d = post->dispatcher;
    delivery->row->face.attempt = 1;
    if (!delivery->rendering)
        return; /* its outcome is known: it does not fit into a request */
    if (!post->mode->only && bb_standing_forbids(d, delivery->hook, &delivery->row->outcome))
        log_outcome(post, delivery);
    else if (left_of(post) <= 0)
        not_started(post, delivery, BB_FAILURE_NOT_STARTED, "the time of the whole post was over");
    else
        start(post, delivery);
}

/* ---- all of them ---- */

static void drive(struct post *post) {
    size_t most = post->dispatcher->settings.options.max_parallel;
    while (post->running > 0 || post->next < post->hooks.count) {
        while (post->running < most && post->next < post->hooks.count)
            begin(post, &post->deliveries[post->next++]);
        if (post->running == 0)
            continue;
        struct bb_transfer *transfer = bb_session_wait(post->session, 1000);
        if (transfer)
            finish(post, transfer->owner);
    }
}

/* ---- preparation: everything that can fail before anything is sent ---- */

static void too_large(struct delivery *delivery, const bb_error *why) {
    bb_outcome *outcome = &delivery->row->outcome;
    outcome->verdict = BB_DEAD;
    memcpy(outcome->text, why->text, sizeof outcome->text);
}

static int prepare_delivery(struct post *post, size_t i, bb_error *error) {
    struct delivery *delivery = &post->deliveries[i];
    const bb_event *event = post->batch.event;
    struct bb_arena *arena = &post->report->arena;
    bb_error why = BB_ERROR_INIT;
    delivery->hook = post->hooks.items[i];
    delivery->row = &post->report->rows[i];
    const bb_webhook *webhook = &delivery->hook->webhook;
    const char *name = bb_webhook_called(webhook);
    bb_attempt_report *row = &delivery->row->face;
    row->webhook_id = bb_arena_copy(arena, webhook->id, strlen(webhook->id));
    row->webhook_name = bb_arena_copy(arena, name, strlen(name));
    row->event_id = post->event_id;
    row->delivery_id = bb_identity_of_delivery(arena, event->id, webhook->id);
    row->type = webhook->type;
    row->activity = event->activity;
    int code = bb_batch_render(&post->batch, delivery->hook, &delivery->rendering, &why);
    if (code == BB_ERR_TOO_LARGE) {
        delivery->rendering = NULL;
        too_large(delivery, &why);
    } else if (code || arena->failed) {
        return bb_fail_memory(error);
    }
    return BB_OK;
}

static int find_hooks(struct post *post, bb_error *error) {
    struct bb_dispatcher *d = post->dispatcher;
    if (!post->mode->only)
        return bb_registry_list(d->registry, post->batch.event, &post->hooks, error);
    post->hooks = (struct bb_hooks){.mem = &d->settings.mem};
    post->hooks.items = bb_mem_alloc(&d->settings.mem, sizeof *post->hooks.items);
    if (!post->hooks.items)
        return bb_fail_memory(error);
    post->hooks.items[post->hooks.count++] = bb_hook_retain(post->mode->only);
    return BB_OK;
}

static int prepare(struct post *post, const bb_event *event, bb_error *error) {
    struct bb_dispatcher *d = post->dispatcher;
    const bb_allocator *mem = &d->settings.mem;
    bb_dispatcher_new_id(d, post->new_id);
    bb_arena_init(&post->scratch, mem);
    bb_batch_init(&post->batch, &d->settings, &post->scratch);
    int code =
        bb_batch_begin(&post->batch, event, post->new_id, bb_settings_now_ms(&d->settings), error);
    if (code == BB_OK)
        code = find_hooks(post, error);
    if (code)
        return code;
    post->report = bb_report_new(mem, post->hooks.count);
    post->deliveries =
        bb_arena_zalloc(&post->batch.arena, post->hooks.count * sizeof *post->deliveries);
    post->session = bb_http_take(d->http);
    if (!post->report || !post->deliveries || !post->session)
        return bb_fail_memory(error);
    const char *id = post->batch.event->id;
    post->event_id = bb_arena_copy(&post->report->arena, id, strlen(id));
    for (size_t i = 0; code == BB_OK && i < post->hooks.count; i++)
        code = prepare_delivery(post, i, error);
    return code;
}

int bb_post(struct bb_dispatcher *dispatcher, const bb_event *event,
            const struct bb_post_mode *mode, bb_report **report, bb_error *error) {
    struct post post = {.dispatcher = dispatcher, .mode = mode};
    post.deadline_ms = bb_clock_monotonic_ms() + mode->timeout_ms;
    int code = prepare(&post, event, error);
    if (code == BB_OK)
        drive(&post);
    if (post.session)
        bb_http_give(dispatcher->http, post.session, bb_clock_monotonic_ms());
    bb_hooks_free(&post.hooks);
    bb_batch_free(&post.batch);
    bb_arena_free(&post.scratch);
    if (code == BB_OK && report)
        *report = post.report;
    else
        bb_report_free(post.report);
    return code;
}

int bb_webhook_post(bb_dispatcher *dispatcher, const bb_event *event,
                    const bb_post_options *options, bb_report **report, bb_error *error) {
    if (report)
        *report = NULL;
    bb_post_options own = BB_POST_OPTIONS_INIT;
    int code = bb_dispatcher_check(dispatcher, error);
    if (code == BB_OK && options)
        code = bb_struct_read(&own, sizeof own, options, "post options", error);
    if (code)
        return code;
    uint32_t usual = dispatcher->settings.options.post_timeout_ms;
    struct bb_post_mode mode = {.timeout_ms = own.timeout_ms ? own.timeout_ms : usual};
    return bb_post(dispatcher, event, &mode, report, error);
}
