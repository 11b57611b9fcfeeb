#include "api/hook.h"

#include "event/webhook.h"

static int fill(struct bb_hook *hook, const struct bb_policy *policy, const bb_webhook *webhook,
                bb_error *error) {
    int code = bb_webhook_read(&hook->webhook, webhook, error);
    if (code)
        return code;
    if (!bb_webhook_keep(&hook->webhook, &hook->arena))
        return bb_fail_memory(error);
    hook->endpoint = bb_endpoint_of(hook->webhook.type);
    return bb_target_resolve(&hook->arena, &hook->webhook, policy, &hook->url, error);
}

int bb_hook_new(const bb_allocator *mem, const struct bb_policy *policy, const bb_webhook *webhook,
                struct bb_hook **hook, bb_error *error) {
    struct bb_hook *made = bb_mem_zalloc(mem, sizeof *made);
    if (!made)
        return bb_fail_memory(error);
    atomic_init(&made->references, 1);
    bb_arena_init(&made->arena, mem);
    int code = fill(made, policy, webhook, error);
    if (code)
        bb_hook_release(made);
    else
        *hook = made;
    return code;
}

struct bb_hook *bb_hook_retain(struct bb_hook *hook) {
    atomic_fetch_add_explicit(&hook->references, 1, memory_order_relaxed);
    return hook;
}

void bb_hook_release(struct bb_hook *hook) {
    if (!hook || atomic_fetch_sub_explicit(&hook->references, 1, memory_order_acq_rel) != 1)
        return;
    const bb_allocator *mem = hook->arena.mem;
    bb_mem_free(mem, hook->reason);
    bb_arena_free(&hook->arena);
    bb_mem_free(mem, hook);
}
