#include "delivery/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event/webhook.h"

static int fail_url(const bb_webhook *webhook, const char *what, bb_error *error) {
    char label[104];
    return bb_fail(error, BB_ERR_URL, "webhook \"%s\": url: %s", bb_webhook_label(webhook, label),
                   what);
}

static int check_address(const bb_webhook *webhook, const struct bb_bounds *bounds,
                         const struct bb_url *url, bb_error *error) {
    char what[200];
    const char *rule = bb_guard_judge_host(bounds, url->host);
    if (!rule)
        return BB_OK;
    if (rule == bb_guard_denied)
        return fail_url(webhook, "its host is one that egress.deny_addresses refuses", error);
    if (rule == bb_guard_metadata)
        return fail_url(webhook,
                        "its host is a cloud's metadata service (only an entry for just that "
                        "address in egress.allow_addresses would allow it)",
                        error);
    snprintf(what, sizeof what,
             "its host is not a public address: %s (egress.allow_addresses or "
             "insecure_allow_private_addresses would allow it)",
             rule);
    return fail_url(webhook, what, error);
}

static unsigned port_of(const struct bb_url *url) {
    if (*url->port)
        return (unsigned)strtoul(url->port, NULL, 10);
    return strcmp(url->scheme, "https") == 0 ? 443 : 80;
}

static int check_place(const struct bb_endpoint *endpoint, const bb_webhook *webhook,
                       const struct bb_policy *policy, const struct bb_url *url, bb_error *error) {
    struct bb_bounds bounds = policy->bounds;
    bounds.allow_private |= webhook->insecure_allow_private_addresses != 0;
    if (strcmp(url->scheme, "https") != 0 && !policy->allow_http)
        return fail_url(webhook, "is not https (insecure_allow_http would allow it)", error);
    if (strcmp(url->scheme, "https") != 0 && bb_webhook_has_tls(webhook))
        return bb_webhook_fail(error, BB_ERR_WEBHOOK, webhook,
                               "client_certificate, pinned_key and ca_file: are for https only");
    int code = check_address(webhook, &bounds, url, error);
    if (code)
        return code;
    if (!bb_guard_has_port(&bounds, policy->allow_http, port_of(url)))
        return fail_url(webhook, "its port is not an allowed one (egress.ports would allow it)",
                        error);
    if (!webhook->allow_any_host && !bb_endpoint_has_host(endpoint, url->host))
        return fail_url(webhook,
                        "its host is not one of this product's (allow_any_host would allow it)",
                        error);
    return BB_OK;
}

static int configure(struct bb_arena *arena, const struct bb_endpoint *endpoint,
                     const bb_webhook *webhook, struct bb_url *url, bb_error *error) {
    const char *mistake = endpoint->configure ? endpoint->configure(arena, webhook, url) : NULL;
    if (arena->failed)
        return bb_fail_memory(error);
    if (!mistake)
        return BB_OK;
    bool is_url = strncmp(mistake, "url:", 4) == 0;
    return bb_webhook_fail(error, is_url ? BB_ERR_URL : BB_ERR_WEBHOOK, webhook, mistake);
}

int bb_target_resolve(struct bb_arena *arena, const bb_webhook *webhook,
                      const struct bb_policy *policy, struct bb_url *url, bb_error *error) {
    const struct bb_endpoint *endpoint = bb_endpoint_of(webhook->type);
    const char *why = NULL;
    int code = bb_url_parse(arena, webhook->url, url, &why);
    if (code == BB_ERR_NO_MEMORY)
        return bb_fail_memory(error);
    if (code)
        return fail_url(webhook, why, error);
    code = check_place(endpoint, webhook, policy, url, error);
    return code ? code : configure(arena, endpoint, webhook, url, error);
}
