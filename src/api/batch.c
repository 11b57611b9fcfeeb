#include "api/batch.h"

#include <string.h>

#include "base/text.h"
#include "delivery/identity.h"
#include "event/webhook.h"

enum {
    USUAL_BATCH = 6 * 1024, /* a message, a few deliveries */
    SPARE_MAX = 16 * 1024
};

void bb_batch_init(struct bb_batch *batch, const struct bb_settings *settings,
                   struct bb_arena *scratch) {
    memset(batch, 0, sizeof *batch);
    batch->settings = settings;
    batch->event = &batch->view.event;
    bb_arena_init(&batch->arena, &settings->mem);
    batch->scratch = scratch;
    bb_arena_expect(&batch->arena, USUAL_BATCH);
}

int bb_batch_begin(struct bb_batch *batch, const bb_event *event, const char *new_id,
                   int64_t now_ms, bb_error *error) {
    int code = bb_event_read(&batch->view, &batch->arena, event, error);
    if (code)
        return code;
    bb_event *own = &batch->view.event;
    if (own->id && *own->id)
        own->id = bb_identity_of_id(&batch->arena, own->id);
    else
        own->id = new_id ? new_id : bb_identity_of_event(&batch->arena, own);
    if (own->created_ts == 0)
        own->created_ts = now_ms / 1000;
    return own->id ? BB_OK : bb_fail_memory(error);
}

bool bb_batch_forget_event(struct bb_batch *batch) {
    const bb_event *event = &batch->view.event;
    const char *id = bb_arena_copy(&batch->arena, event->id, strlen(event->id));
    if (!id)
        return false;
    batch->view.event =
        (bb_event){.struct_size = sizeof *event, .id = id, .activity = event->activity};
    memset(batch->messages, 0, sizeof batch->messages);
    return true;
}

static void drop_rendering(struct bb_batch *batch, struct bb_rendering *rendering) {
    batch->renderings = rendering->next;
    bb_hook_release(rendering->like);
    if (batch->spare.data || rendering->body.capacity > SPARE_MAX) {
        bb_buf_free(&rendering->body);
    } else {
        batch->spare = rendering->body;
        bb_buf_clear(&batch->spare);
    }
}

void bb_batch_reset(struct bb_batch *batch) {
    while (batch->renderings)
        drop_rendering(batch, batch->renderings);
    memset(batch->messages, 0, sizeof batch->messages);
    bb_arena_reset(&batch->arena);
}

void bb_batch_free(struct bb_batch *batch) {
    bb_batch_reset(batch);
    bb_buf_free(&batch->spare);
    bb_arena_free(&batch->arena);
}

/* ---- render ---- */

/* Every setting that changes the bytes of a body. */
static bool is_alike(const bb_webhook *a, const bb_webhook *b) {
    return a->type == b->type && a->language == b->language &&
           a->dingtalk_action_card == b->dingtalk_action_card &&
           bb_text_same(a->keyword, b->keyword) && bb_text_same(a->button_text, b->button_text);
}

static struct bb_message *message_in(struct bb_batch *batch, bb_language language) {
    struct bb_message **message = &batch->messages[language];
    if (*message)
        return *message;
    struct bb_message *made = bb_arena_alloc(&batch->arena, sizeof *made);
    if (made && bb_message_begin(made, &batch->arena, batch->event, language))
        *message = made;
    return *message;
}

static void take_body(struct bb_batch *batch, struct bb_rendering *rendering, size_t cap) {
    rendering->body = batch->spare;
    memset(&batch->spare, 0, sizeof batch->spare);
    rendering->body.mem = &batch->settings->mem;
    rendering->body.cap = cap;
}

static int make_rendering(struct bb_batch *batch, struct bb_hook *hook,
                          const struct bb_rendering **rendering, bb_error *error) {
    const struct bb_endpoint *endpoint = bb_hook_endpoint(hook);
    struct bb_message *message = message_in(batch, hook->webhook.language);
    struct bb_rendering *made = bb_arena_zalloc(&batch->arena, sizeof *made);
    if (!message || !made || (!endpoint->is_data && !bb_message_complete(message, &batch->arena)))
        return bb_fail_memory(error);
    made->like = bb_hook_retain(hook);
    take_body(batch, made, endpoint->body_max);
    made->next = batch->renderings;
    batch->renderings = made;
    *rendering = made;
    if (bb_endpoint_render(endpoint, batch->scratch, message, &hook->webhook, &made->body,
                           &made->cuts))
        return BB_OK;
    bool no_memory = made->body.no_memory;
    drop_rendering(batch, made);
    if (no_memory)
        return bb_fail_memory(error);
    return bb_webhook_fail(error, BB_ERR_TOO_LARGE, &hook->webhook,
                           "the event does not fit into a request");
}

int bb_batch_render(struct bb_batch *batch, struct bb_hook *hook,
                    const struct bb_rendering **rendering, bb_error *error) {
    for (struct bb_rendering *r = batch->renderings; r; r = r->next) {
        if (is_alike(&r->like->webhook, &hook->webhook)) {
            *rendering = r;
            return BB_OK;
        }
    }
    return make_rendering(batch, hook, rendering, error);
}

/* Which of the host's are secrets nobody can tell, so all are. */
static void add_own_headers(struct bb_request *request, const bb_webhook *webhook) {
    if (webhook->authorization && *webhook->authorization)
        bb_request_add_header(request, "Authorization", webhook->authorization, true);
    for (size_t i = 0; i < webhook->header_count; i++)
        bb_request_add_header(request, webhook->headers[i].name, webhook->headers[i].value, true);
}

int bb_batch_request(const struct bb_batch *batch, const struct bb_hook *hook,
                     const struct bb_rendering *rendering, const struct bb_signing *signing,
                     struct bb_request *request, bb_error *error) {
    const struct bb_endpoint *endpoint = bb_hook_endpoint(hook);
    if (!request->url.text && !bb_url_split(&request->arena, bb_hook_target(hook), &request->url))
        return bb_fail_memory(error);
    request->body = rendering->body.data;
    request->length = rendering->body.length;
    bb_request_add_header(request, "Content-Type", endpoint->content_type, false);
    bb_request_add_header(request, "User-Agent", batch->settings->options.user_agent, false);
    add_own_headers(request, &hook->webhook);
    if (endpoint->sign)
        endpoint->sign(request, &hook->webhook, signing);
    return request->arena.failed ? bb_fail_memory(error) : BB_OK;
}
