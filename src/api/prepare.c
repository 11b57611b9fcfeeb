/* A request without a network, and what its pieces are. */
#include <string.h>

#include "api/batch.h"
#include "delivery/identity.h"
#include "event/filter.h"
#include "event/webhook.h"

/* Behind a bb_request that hosts hold: everything that its texts come from. */
struct prepared {
    struct bb_request request; /* first: a bb_request points here */
    struct bb_settings settings;
    struct bb_hook *hook; /* with its URL and secrets */
    struct bb_arena scratch;
    struct bb_batch batch;
    const struct bb_rendering *rendering;
    const char *masked_url;
    const char *masked_body;
    size_t masked_length;
};

static const struct prepared *behind(const bb_request *request) {
    return (const struct prepared *)request;
}

/* ---- prepare ---- */

static int read_attempt(struct prepared *p, const bb_attempt *attempt, struct bb_signing *signing,
                        bb_error *error) {
    bb_attempt own = BB_ATTEMPT_INIT;
    int code = attempt ? bb_struct_read(&own, sizeof own, attempt, "attempt", error) : BB_OK;
    if (code)
        return code;
    signing->time_ms = own.time_ms ? own.time_ms : bb_settings_now_ms(&p->settings);
    signing->delivery_id = own.delivery_id;
    if (!own.delivery_id || !*own.delivery_id)
        return BB_OK;
    size_t n = strlen(own.delivery_id);
    if (strspn(own.delivery_id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "0123456789_-") != n ||
        n > 255)
        return bb_fail(error, BB_ERR_ARGUMENT,
                       "attempt.delivery_id has other characters than letters, digits, _ and -");
    signing->delivery_id = bb_arena_copy(&p->request.arena, own.delivery_id, n);
    return signing->delivery_id ? BB_OK : bb_fail_memory(error);
}

static int mask(struct prepared *p, bb_error *error) {
    p->masked_url = bb_request_masked_url(&p->request);
    p->masked_body = bb_request_masked_body(&p->request, &p->masked_length);
    return p->request.arena.failed ? bb_fail_memory(error) : BB_OK;
}

static int keep_user_agent(struct prepared *p, bb_error *error) {
    const char **text = &p->settings.options.user_agent;
    *text = bb_arena_copy(&p->request.arena, *text, strlen(*text));
    return *text ? BB_OK : bb_fail_memory(error);
}

static int make_request(struct prepared *p, struct bb_signing *signing, bb_error *error) {
    if (!signing->delivery_id || !*signing->delivery_id)
        signing->delivery_id =
            bb_identity_of_delivery(&p->request.arena, p->batch.event->id, p->hook->webhook.id);
    if (!signing->delivery_id)
        return bb_fail_memory(error);
    int code = bb_batch_render(&p->batch, p->hook, &p->rendering, error);
    if (code == BB_OK)
        code = bb_batch_request(&p->batch, p->hook, p->rendering, signing, &p->request, error);
    return code ? code : mask(p, error);
}

static int make_hook(struct prepared *p, const bb_webhook *webhook, bb_error *error) {
    struct bb_hook *hook;
    int code = bb_hook_new(&p->settings.mem, &p->settings.policy, webhook, &hook, error);
    if (code == BB_OK)
        code = bb_hook_present(&p->settings, hook, &p->hook, error);
    bb_hook_release(hook);
    return code;
}

static int prepare(struct prepared *p, const bb_webhook *webhook, const bb_event *event,
                   const bb_attempt *attempt, bb_error *error) {
    struct bb_signing signing;
    int code = read_attempt(p, attempt, &signing, error);
    if (code == BB_OK)
        code = keep_user_agent(p, error);
    if (code == BB_OK)
        code = make_hook(p, webhook, error);
    if (code == BB_OK)
        code = bb_batch_begin(&p->batch, event, NULL, signing.time_ms, error);
    return code ? code : make_request(p, &signing, error);
}

int bb_webhook_prepare(const bb_options *options, const bb_webhook *webhook, const bb_event *event,
                       const bb_attempt *attempt, bb_request **request, bb_error *error) {
    struct bb_settings settings;
    if (!request)
        return bb_fail(error, BB_ERR_ARGUMENT, "request is NULL");
    *request = NULL;
    int code = bb_settings_read(&settings, options, error);
    if (code)
        return code;
    struct prepared *p = bb_mem_zalloc(&settings.mem, sizeof *p);
    if (!p) {
        bb_settings_free(&settings);
        return bb_fail_memory(error);
    }
    p->settings = settings;
    bb_arena_init_secret(&p->request.arena, &p->settings.mem);
    bb_arena_init(&p->scratch, &p->settings.mem);
    bb_batch_init(&p->batch, &p->settings, &p->scratch);
    code = prepare(p, webhook, event, attempt, error);
    if (code)
        bb_request_free(&p->request);
    else
        *request = &p->request;
    return code;
}

void bb_request_free(bb_request *request) {
    struct prepared *p = (struct prepared *)request;
    if (!p)
        return;
    bb_allocator mem = p->settings.mem;
    bb_batch_free(&p->batch);
    bb_arena_free(&p->scratch);
    bb_hook_release(p->hook);
    bb_arena_free(&p->request.arena);
    bb_settings_free(&p->settings);
    bb_mem_free(&mem, p);
}

/* ---- its pieces ---- */

const char *bb_request_method(const bb_request *request) {
    (void)request;
    return "POST";
}

const char *bb_request_url(const bb_request *request, bb_view view) {
    if (!request)
        return NULL;
    return view == BB_REAL ? request->url.text : behind(request)->masked_url;
}

const char *bb_request_body(const bb_request *request, bb_view view, size_t *length) {
    if (length)
        *length = 0;
    if (!request)
        return NULL;
    if (length)
        *length = view == BB_REAL ? request->length : behind(request)->masked_length;
    return view == BB_REAL ? request->body : behind(request)->masked_body;
}

size_t bb_request_header_count(const bb_request *request) {
    return request ? request->header_count : 0;
}

const char *bb_request_header_name(const bb_request *request, size_t index) {
    return index < bb_request_header_count(request) ? request->headers[index].name : NULL;
}

const char *bb_request_header_value(const bb_request *request, size_t index, bb_view view) {
    if (index >= bb_request_header_count(request))
        return NULL;
    bool is_masked = view != BB_REAL && request->headers[index].is_secret;
    return is_masked ? BB_MASK : request->headers[index].value;
}

size_t bb_request_cut_count(const bb_request *request) {
    return request ? behind(request)->rendering->cuts.count : 0;
}

const char *bb_request_cut(const bb_request *request, size_t index) {
    return index < bb_request_cut_count(request) ? behind(request)->rendering->cuts.names[index]
                                                 : NULL;
}

/* ---- the filter's word ---- */

int bb_webhook_matches(const bb_webhook *webhook, const bb_event *event, bb_error *error) {
    struct bb_event_view view;
    struct bb_arena arena;
    bb_webhook own;
    bb_arena_init(&arena, &bb_mem_default);
    int code = bb_webhook_read(&own, webhook, error);
    if (code == BB_OK)
        code = bb_event_read(&view, &arena, event, error);
    if (code == BB_OK)
        code = bb_filter_matches(&own, &view.event);
    bb_arena_free(&arena);
    return code;
}
