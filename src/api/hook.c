#include "api/hook.h"

#include <string.h>

#include "api/standing.h"
#include "event/webhook.h"

/* The one block that is kept; the texts of both arguments are copied. */
static struct bb_hook *keep(const bb_allocator *mem, const bb_webhook *webhook,
                            const char *target) {
    bb_webhook own = *webhook;
    bool has_own_target = strcmp(target, webhook->url) != 0;
    size_t size = bb_webhook_pack(&own, NULL), target_size = strlen(target) + 1;
    struct bb_hook *hook =
        bb_mem_zalloc(mem, sizeof *hook + size + (has_own_target ? target_size : 0));
    if (!hook)
        return NULL;
    atomic_init(&hook->references, 1);
    hook->mem = mem;
    hook->webhook = *webhook;
    bb_webhook_pack(&hook->webhook, hook->texts);
    hook->target = has_own_target ? memcpy(hook->texts + size, target, target_size)
                                  : (const void *)hook->webhook.url;
    return hook;
}

static int make(struct bb_arena *scratch, const struct bb_policy *policy, const bb_webhook *webhook,
                struct bb_hook **hook, bb_error *error) {
    bb_webhook own;
    struct bb_url url;
    int code = bb_webhook_read(&own, webhook, error);
    if (code == BB_OK)
        code = bb_target_resolve(scratch, &own, policy, &url, error);
    if (code)
        return code;
    *hook = keep(scratch->mem, &own, url.text);
    return *hook ? BB_OK : bb_fail_memory(error);
}

int bb_hook_new(const bb_allocator *mem, const struct bb_policy *policy, const bb_webhook *webhook,
                struct bb_hook **hook, bb_error *error) {
    struct bb_arena scratch;
    *hook = NULL;
    bb_arena_init_secret(&scratch, mem);
    int code = make(&scratch, policy, webhook, hook, error);
    bb_arena_free(&scratch);
    return code;
}

const struct bb_endpoint *bb_hook_endpoint(const struct bb_hook *hook) {
    return bb_endpoint_of(hook->webhook.type);
}

const bb_webhook *bb_hook_tls(const struct bb_hook *hook) {
    return bb_webhook_has_tls(&hook->webhook) ? &hook->webhook : NULL;
}

struct bb_hook *bb_hook_retain(struct bb_hook *hook) {
    atomic_fetch_add_explicit(&hook->references, 1, memory_order_relaxed);
    return hook;
}

static size_t size_of(const struct bb_hook *hook) {
    bb_webhook texts = hook->webhook;
    bool has_own_target = hook->target != hook->webhook.url;
    return sizeof *hook + bb_webhook_pack(&texts, NULL) +
           (has_own_target ? strlen(hook->target) + 1 : 0);
}

void bb_hook_release(struct bb_hook *hook) {
    if (!hook || atomic_fetch_sub_explicit(&hook->references, 1, memory_order_acq_rel) != 1)
        return;
    bb_standing_release(hook->standing);
    bb_http_target_free(hook->parsed);
    bb_mem_free_secret(hook->mem, hook, size_of(hook));
}
