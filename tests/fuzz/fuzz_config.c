/*
 * Whatever bb-notify's configuration file holds: it is refused in one sentence, or every webhook of
 * it has an id of its own and is taken by the library, or refused without a word of its secrets.
 */
#include "fuzz/file.h"
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "bb-notify/config.h"
#include "support/samples.h"

enum { SECRET_PART = 8 };

static void check_ids(const struct config *config) {
    for (size_t i = 0; i < config->count; i++) {
        const char *id = config->webhooks[i].id;
        FUZZ_CHECK(id && *id, "webhook %zu has no id", i);
        for (size_t k = 0; k < i; k++)
            FUZZ_CHECK(strcmp(config->webhooks[k].id, id) != 0, "two webhooks are %s", id);
    }
}

/* Names are told; a secret that is one, or stands in the library's sentences, says nothing. */
static void check_not_told(const bb_webhook *webhook, const char *secret, const char *told) {
    static const char own[] =
        "/api/webhooks/ID/TOKEN /services/ /open-apis/bot/v2/hook/ begins or "
        "ends with a blank or newline is not \"whsec_\" and base64 of 16 to 64 "
        "bytes webhooks have none, remove it";
    if (secret && strlen(secret) >= SECRET_PART && !strstr(own, secret) &&
        !strstr(webhook->name, secret) && !strstr(webhook->id, secret))
        FUZZ_CHECK(!strstr(told, secret), "%s tells %s", told, secret);
}

static const char *tail_of(const char *url) {
    const char *host = strstr(url, "://");
    return host ? host + 3 + strcspn(host + 3, "/?#") : NULL;
}

static void check_webhook(const struct config *config, const bb_webhook *webhook) {
    bb_attempt attempt = sample_attempt();
    bb_request *request = NULL;
    bb_error error = BB_ERROR_INIT;
    sample s;
    sample_make(&s, &sample_cases[0]);
    int code = bb_webhook_prepare(&config->options, webhook, &s.event, &attempt, &request, &error);
    if (!fuzz_check_error("prepare", code, &error)) {
        check_not_told(webhook, webhook->secret, error.text);
        check_not_told(webhook, tail_of(webhook->url), error.text);
    }
    bb_request_free(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct config config;
    struct mistake mistake = {{0}};
    bool is_loaded = config_load(fuzz_file(data, size), &config, &mistake);
    FUZZ_CHECK(memchr(mistake.text, '\0', sizeof(mistake.text)), "a mistake without an end");
    FUZZ_CHECK(is_loaded == !*mistake.text, "loaded: %d, the mistake: %s", is_loaded, mistake.text);
    if (is_loaded) {
        check_ids(&config);
        for (size_t i = 0; i < config.count; i++)
            check_webhook(&config, &config.webhooks[i]);
    }
    config_free(&config);
    return 0;
}
