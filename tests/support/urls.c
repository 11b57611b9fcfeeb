#include "support/urls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

bb_options urls_insecure(bool http, bool private_addresses) {
    bb_options options = BB_OPTIONS_INIT;
    options.insecure_allow_http = http;
    options.insecure_allow_private_addresses = private_addresses;
    return options;
}

int urls_try(const bb_options *options, const bb_webhook *webhook, char *requested, size_t size,
             bb_error *error) {
    bb_attempt attempt = sample_attempt();
    bb_request *request = NULL;
    sample s;
    sample_make(&s, &sample_cases[0]);
    int code = bb_webhook_prepare(options, webhook, &s.event, &attempt, &request, error);
    if (code == BB_OK)
        snprintf(requested, size, "%s", bb_request_url(request, BB_REAL));
    else
        assert_null(request);
    bb_request_free(request);
    return code;
}

void urls_check_requested(bb_type type, const char *url, const char *expected) {
    bb_webhook webhook = sample_webhook(type);
    bb_error error = BB_ERROR_INIT;
    char requested[1024];
    webhook.url = url;
    contract_try("%s, %s", bb_type_name(type), url);
    if (urls_try(NULL, &webhook, requested, sizeof(requested), &error) != BB_OK)
        contract_complain("%s", error.text);
    else if (strcmp(requested, expected) != 0)
        contract_complain("requests %s", requested);
}

void urls_check_refused_with(const bb_options *options, bb_webhook *webhook, const char *url,
                             const char *reason) {
    bb_error error = BB_ERROR_INIT;
    char requested[1024];
    webhook->url = url;
    contract_try("%s, %s", bb_type_name(webhook->type), url ? url : "NULL");
    int code = urls_try(options, webhook, requested, sizeof(requested), &error);
    if (code != BB_ERR_URL)
        contract_complain("%s: %s", bb_code_name(code), code ? error.text : requested);
    else if (!strstr(error.text, "ops room") || !strstr(error.text, reason))
        contract_complain("'%s' does not name the webhook and '%s'", error.text, reason);
    else if (strstr(error.text, URLS_CANARY) || (url && strlen(url) > 8 && strstr(error.text, url)))
        contract_complain("'%s' tells the URL", error.text);
}

void urls_check_refused(bb_type type, const char *url, const char *reason) {
    bb_webhook webhook = sample_webhook(type);
    urls_check_refused_with(NULL, &webhook, url, reason);
}
