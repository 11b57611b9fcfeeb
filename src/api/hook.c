#include "api/hook.h"

#include <stdio.h>
#include <string.h>

#include "api/standing.h"
#include "base/digest.h"
#include "event/webhook.h"

#define IS_GONE (1u << 30) /* in `references`: there are never as many */

/* The one block that is kept; the texts of both arguments are copied. `target` may be NULL. */
static struct bb_hook *keep(const bb_allocator *mem, const bb_webhook *webhook,
                            const char *target) {
    bb_webhook own = *webhook;
    bool has_own_target = target && strcmp(target, webhook->url) != 0;
    size_t size = bb_webhook_pack(&own, NULL), target_size = target ? strlen(target) + 1 : 0;
    struct bb_hook *hook =
        bb_mem_zalloc(mem, sizeof *hook + size + (has_own_target ? target_size : 0));
    if (!hook)
        return NULL;
    atomic_init(&hook->references, 1);
    hook->mem = mem;
    hook->webhook = *webhook;
    bb_webhook_pack(&hook->webhook, hook->texts);
    if (has_own_target)
        memcpy(hook->texts + size, target, target_size);
    hook->target_at = has_own_target ? (uint32_t)size
                      : target       ? (uint32_t)(hook->webhook.url - hook->texts)
                                     : UINT32_MAX;
    return hook;
}

static bool is_given(const char *text) {
    return text && *text;
}

/* One whose URL comes with each attempt. */
static int check_without_url(bb_webhook *webhook, bb_error *error) {
    const char *what = is_given(webhook->secret)            ? "secret"
                       : is_given(webhook->previous_secret) ? "previous_secret"
                       : is_given(webhook->authorization)   ? "authorization"
                                                            : NULL;
    char label[104];
    webhook->url = NULL;
    if (!what)
        return BB_OK;
    return bb_fail(error, BB_ERR_WEBHOOK,
                   "webhook \"%s\": %s: comes with the url from options.credentials: give both or "
                   "none here",
                   bb_webhook_label(webhook, label), what);
}

static int make(struct bb_arena *scratch, const struct bb_policy *policy, const bb_webhook *webhook,
                struct bb_hook **hook, bb_error *error) {
    bb_webhook own;
    struct bb_url url;
    int code = bb_webhook_read(&own, webhook, error);
    if (code)
        return code;
    bool has_url = is_given(own.url) || !policy->gives_credentials;
    code = has_url ? bb_target_resolve(scratch, &own, policy, &url, error)
                   : check_without_url(&own, error);
    if (code)
        return code;
    *hook = keep(scratch->mem, &own, has_url ? url.text : NULL);
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

/* ---- what an attempt is made with ---- */

/* What the callback said, as if it had been configured so. */
static int read_credentials(const struct bb_settings *settings, const struct bb_hook *hook,
                            const bb_credentials *given, struct bb_hook **present,
                            bb_error *error) {
    bb_webhook whole = hook->webhook;
    struct bb_policy policy = settings->policy;
    whole.url = given->url ? given->url : "";
    whole.secret = given->secret;
    whole.previous_secret = given->previous_secret;
    whole.authorization = given->authorization;
    policy.gives_credentials = false; /* one without a URL is none */
    return bb_hook_new(hook->mem, &policy, &whole, present, error);
}

int bb_hook_present(const struct bb_settings *settings, struct bb_hook *hook,
                    struct bb_hook **present, bb_error *error) {
    bb_credentials given = BB_CREDENTIALS_INIT;
    const bb_options *options = &settings->options;
    *present = bb_hook_target(hook) ? bb_hook_retain(hook) : NULL;
    if (*present)
        return BB_OK;
    if (options->credentials(options->credentials_user, hook->webhook.id, &given) != 0)
        return bb_webhook_fail(error, BB_ERR_WEBHOOK, &hook->webhook,
                               "options.credentials had none for it");
    int code = read_credentials(settings, hook, &given, present, error);
    if (given.release)
        given.release(&given);
    bb_wipe(&given, sizeof given);
    return code;
}

const char *bb_hook_why(const struct bb_hook *hook, const bb_error *error) {
    char label[104], named[128];
    int length =
        snprintf(named, sizeof named, "webhook \"%s\": ", bb_webhook_label(&hook->webhook, label));
    return error->text + (strncmp(error->text, named, (size_t)length) == 0 ? length : 0);
}

const char *bb_hook_target(const struct bb_hook *hook) {
    return hook->target_at == UINT32_MAX ? NULL : hook->texts + hook->target_at;
}

void bb_hook_set_gone(struct bb_hook *hook) {
    atomic_fetch_or_explicit(&hook->references, IS_GONE, memory_order_relaxed);
}

bool bb_hook_is_gone(const struct bb_hook *hook) {
    return (atomic_load_explicit(&hook->references, memory_order_relaxed) & IS_GONE) != 0;
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
    const char *target = bb_hook_target(hook);
    bool has_own_target = target && target != hook->webhook.url;
    return sizeof *hook + bb_webhook_pack(&texts, NULL) + (has_own_target ? strlen(target) + 1 : 0);
}

void bb_hook_release(struct bb_hook *hook) {
    if (!hook ||
        (atomic_fetch_sub_explicit(&hook->references, 1, memory_order_acq_rel) & ~IS_GONE) != 1)
        return;
    bb_standing_release(hook->standing);
    bb_http_target_free(hook->parsed);
    bb_mem_free_secret(hook->mem, hook, size_of(hook));
}
