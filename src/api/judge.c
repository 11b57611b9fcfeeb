/* What an answer means, for hosts that send by themselves. */
#include <string.h>

#include "base/error.h"
#include "delivery/outcome.h"
#include "event/webhook.h"

static int judge(struct bb_arena *arena, const bb_webhook *webhook, const bb_response *response,
                 int64_t now_ms, bb_outcome *outcome, bb_error *error) {
    struct bb_url url;
    const char *why;
    bool has_url = webhook->url && *webhook->url;
    int code = has_url ? bb_url_parse(arena, webhook->url, &url, &why) : BB_ERR_URL;
    if (code == BB_ERR_NO_MEMORY)
        return bb_fail_memory(error);
    struct bb_exchange exchange = {
        .webhook = webhook,
        .host = code == BB_OK ? url.host : "",
        .response = response,
        .now_ms = now_ms,
    };
    bb_outcome_judge(arena, &exchange, outcome);
    return arena->failed ? bb_fail_memory(error) : BB_OK;
}

int bb_webhook_judge(const bb_webhook *webhook, const bb_response *response, int64_t now_ms,
                     bb_outcome *outcome, bb_error *error) {
    struct bb_arena arena;
    bb_webhook own_webhook;
    bb_response own_response;
    bb_outcome own_outcome;
    if (!outcome)
        return bb_fail(error, BB_ERR_ARGUMENT, "outcome is NULL");
    int code = bb_webhook_read(&own_webhook, webhook, error);
    if (code == BB_OK)
        code = bb_struct_read(&own_response, sizeof own_response, response, "response", error);
    if (code)
        return code;
    bb_arena_init_secret(&arena, &bb_mem_default);
    code = judge(&arena, &own_webhook, &own_response, now_ms, &own_outcome, error);
    bb_arena_free(&arena);
    return code ? code
                : bb_struct_write(outcome, &own_outcome, sizeof own_outcome, "outcome", error);
}
