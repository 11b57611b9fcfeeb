#include "config.h"

#include "background_members.h"
#include "config_text.h"
#include "webhook_ids.h"
#include "webhook_members.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_POST_TIMEOUT_MS 30000u /* the library's own */

static bool read_list(const cJSON *value, void *field, struct mistake *mistake) {
    *(const cJSON **)field = value;
    return cJSON_IsArray(value) || mistaken(mistake, "must be a list of webhooks");
}

#define AT(field) offsetof(struct config, field)

static const struct member members[] = {
    {"webhooks", read_list, AT(list), true},
    {"insecure_allow_http", read_flag, AT(options.insecure_allow_http), false},
    {"insecure_allow_private_addresses", read_flag, AT(options.insecure_allow_private_addresses),
     false},
    {"allow_addresses", read_filled_text, AT(egress.allow_addresses), false},
    {"deny_addresses", read_filled_text, AT(egress.deny_addresses), false},
    {"nat64_prefixes", read_filled_text, AT(egress.nat64_prefixes), false},
    {"ports", read_filled_text, AT(egress.ports), false},
    {"allow_any_host", read_flag, AT(common.allow_any_host), false},
    {"keyword", read_text, AT(common.keyword), false},
    {"button_text", read_text, AT(common.button_text), false},
    {"connect_timeout_ms", read_milliseconds, AT(options.connect_timeout_ms), false},
    {"timeout_ms", read_milliseconds, AT(options.timeout_ms), false},
    {"ca_file", read_readable_path, AT(options.ca_file), false},
    {"proxy", read_filled_text, AT(egress.proxy), false},
    {"proxy_user", read_filled_text, AT(egress.proxy_user), false},
    {"proxy_password", read_filled_text, AT(egress.proxy_password), false},
    {"no_proxy", read_filled_text, AT(egress.no_proxy), false},
    {"use_environment_proxy", read_flag, AT(egress.use_environment_proxy), false},
    {"source", read_filled_text, AT(egress.source), false},
    {"user_agent", read_text, AT(options.user_agent), false},
    {"retry_delays_ms", read_retry_delays, AT(background), false},
    {"no_jitter", read_flag, AT(background.no_jitter), false},
    {"max_waiting", read_count, AT(background.max_waiting), false},
    {"max_waiting_bytes", read_bytes, AT(background.max_waiting_bytes), false},
    {"max_in_flight", read_slots, AT(background.max_in_flight), false},
    {"slow_after_ms", read_milliseconds, AT(background.slow_after_ms), false},
    {"breaker_failures", read_count, AT(background.breaker_failures), false},
    {"breaker_percent", read_percent, AT(background.breaker_percent), false},
    {"breaker_open_ms", read_milliseconds, AT(background.breaker_open_ms), false},
    {"breaker_open_max_ms", read_milliseconds, AT(background.breaker_open_max_ms), false},
    {"disable_after_s", read_count, AT(background.disable_after_s), false},
    {"when_full", read_when_full, AT(background.when_full), false},
    {"resolver", read_resolver, AT(background.resolver), false},
    {"lease_ms", read_lease, AT(lease_ms), false},
    {"dns_servers", read_filled_text, AT(background.dns_servers), false},
};

/* "webhook "ops room"", or "webhook 3" while its name is the mistake. */
static bool mistaken_at_webhook(struct mistake *mistake, const cJSON *json, size_t position) {
    char place[256];
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(json, "name");
    if (cJSON_IsString(name) && name->valuestring[0])
        snprintf(place, sizeof place, "webhook \"%s\"", name->valuestring);
    else
        snprintf(place, sizeof place, "webhook %zu", position);
    return mistaken_at(mistake, place);
}

static bool read_webhooks(struct config *config, struct mistake *mistake) {
    const cJSON *json;
    config->webhooks = calloc((size_t)cJSON_GetArraySize(config->list) + 1, sizeof(bb_webhook));
    if (!config->webhooks)
        return mistaken(mistake, "out of memory");
    cJSON_ArrayForEach(json, config->list) {
        bb_webhook *webhook = &config->webhooks[config->count++];
        *webhook = config->common;
        if (!webhook_read(json, webhook, mistake))
            return mistaken_at_webhook(mistake, json, config->count);
    }
    return true;
}

/* A post must leave its attempts the time that they were given. */
static void fit_post_timeout(bb_options *options) {
    if (options->timeout_ms > DEFAULT_POST_TIMEOUT_MS)
        options->post_timeout_ms = options->timeout_ms;
}

bool config_load(const char *path, struct config *config, struct mistake *mistake) {
    *config = (struct config){.options = BB_OPTIONS_INIT,
                              .background = BB_BACKGROUND_OPTIONS_INIT,
                              .egress = BB_EGRESS_INIT,
                              .common = BB_WEBHOOK_INIT};
    config->options.background = &config->background;
    config->options.egress = &config->egress;
    config->document = config_text_read(path, mistake);
    if (!config->document)
        return mistaken_at(mistake, path);
    if (!members_read(config->document, members, sizeof members / sizeof *members, config,
                      mistake) ||
        !read_webhooks(config, mistake) ||
        !webhook_ids_assign(config->webhooks, config->count, config->list, mistake))
        return mistaken_at(mistake, path);
    fit_post_timeout(&config->options);
    return true;
}

void config_free(struct config *config) {
    for (size_t i = 0; i < config->count; i++)
        webhook_clear(&config->webhooks[i]);
    free(config->webhooks);
    background_clear(&config->background);
    cJSON_Delete(config->document);
}
