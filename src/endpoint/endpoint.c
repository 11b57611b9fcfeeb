#include "endpoint/endpoint.h"

#include <string.h>

extern const struct bb_endpoint bb_endpoint_slack;
extern const struct bb_endpoint bb_endpoint_discord;
extern const struct bb_endpoint bb_endpoint_teams;
extern const struct bb_endpoint bb_endpoint_dingtalk;
extern const struct bb_endpoint bb_endpoint_feishu;
extern const struct bb_endpoint bb_endpoint_wecom;
extern const struct bb_endpoint bb_endpoint_custom;

static const struct bb_endpoint *const endpoints[] = {
    &bb_endpoint_slack,  &bb_endpoint_discord, &bb_endpoint_teams,  &bb_endpoint_dingtalk,
    &bb_endpoint_feishu, &bb_endpoint_wecom,   &bb_endpoint_custom,
};

const struct bb_endpoint *bb_endpoint_of(bb_type type) {
    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++)
        if (endpoints[i]->type == type)
            return endpoints[i];
    return NULL;
}

/* On label boundaries: ".office.com" is above a.office.com, not above evil-office.com. */
static bool is_host(const char *host, const char *rule) {
    if (*rule != '.')
        return strcmp(host, rule) == 0;
    size_t n = strlen(host), suffix = strlen(rule);
    return n > suffix && strcmp(host + n - suffix, rule) == 0;
}

bool bb_endpoint_has_host(const struct bb_endpoint *endpoint, const char *host) {
    if (!endpoint->hosts)
        return true;
    for (const char *const *rule = endpoint->hosts; *rule; rule++)
        if (is_host(host, *rule))
            return true;
    return false;
}

enum {
    USUAL_TEXTS = 6 * 1024, /* bytes of a message, with room to escape in */
    USUAL_BODY = 2047       /* with its NUL a whole number of kilobytes */
};

bool bb_endpoint_render(const struct bb_endpoint *endpoint, struct bb_arena *scratch,
                        const struct bb_message *message, const bb_webhook *webhook,
                        struct bb_buf *body, struct bb_cuts *cuts) {
    bb_arena_expect(scratch, USUAL_TEXTS);
    struct bb_render r = {.message = message, .webhook = webhook, .arena = scratch, .cuts = cuts};
    *cuts = message->cuts;
    bb_buf_reserve(body, USUAL_BODY);
    bb_json_begin(&r.json, body);
    endpoint->render(&r);
    bool printed = bb_json_finish(&r.json) && !scratch->failed;
    body->no_memory = body->no_memory || scratch->failed;
    bb_arena_reset(scratch);
    return printed && body->length <= endpoint->body_max;
}
