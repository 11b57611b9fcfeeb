/*
 * Whatever is given as headers of a webhook's own and as its Authorization: it is refused without a
 * value being told, or each stands in the request once, as it was given, is a header line and no
 * more, and no printed view shows its value.
 *
 * Input: how many, the type, then the Authorization, and a name and a value each.
 */
#include "fuzz/fuzz.h"

#include <string.h>
#include <strings.h>

#include "support/samples.h"

enum { MOST = 18, LEAST_SECRET = 12 };

/* What the library, HTTP or the signature sets. */
static const char *const reserved[] = {"host",
                                       "connection",
                                       "transfer-encoding",
                                       "te",
                                       "trailer",
                                       "upgrade",
                                       "content-length",
                                       "content-type",
                                       "expect",
                                       "keep-alive",
                                       "user-agent",
                                       "webhook-id",
                                       "webhook-timestamp",
                                       "webhook-signature"};

static void check_line(const char *text) {
    for (; *text; text++)
        FUZZ_CHECK((unsigned char)*text >= ' ' && *text != 0x7F, "a control character in a header");
}

static size_t count_of(const bb_request *request, const char *name, const char *value) {
    size_t count = 0;
    for (size_t i = 0; i < bb_request_header_count(request); i++)
        if (strcasecmp(bb_request_header_name(request, i), name) == 0) {
            count++;
            FUZZ_CHECK(strcmp(bb_request_header_value(request, i, BB_REAL), value) == 0,
                       "%s is %s, not %s", name, bb_request_header_value(request, i, BB_REAL),
                       value);
        }
    return count;
}

static void check_hidden(const bb_request *request, const char *value) {
    if (strlen(value) < LEAST_SECRET)
        return;
    for (size_t i = 0; i < bb_request_header_count(request); i++)
        FUZZ_CHECK(!strstr(bb_request_header_value(request, i, BB_MASKED), value), "shown: %s",
                   value);
}

static void check_own(const bb_header *header) {
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
        FUZZ_CHECK(strcasecmp(header->name, reserved[i]) != 0, "%s was taken", header->name);
    FUZZ_CHECK(*header->name && !strpbrk(header->name, " \t:;,()<>@\"/[]?={}\\"), "taken: \"%s\"",
               header->name);
}

static void check_taken(const bb_webhook *webhook, const bb_request *request) {
    for (size_t i = 0; i < bb_request_header_count(request); i++) {
        check_line(bb_request_header_name(request, i));
        check_line(bb_request_header_value(request, i, BB_REAL));
    }
    for (size_t i = 0; i < webhook->header_count; i++) {
        const bb_header *header = &webhook->headers[i];
        check_own(header);
        FUZZ_CHECK(count_of(request, header->name, header->value) == 1, "%s is not there once",
                   header->name);
        check_hidden(request, header->value);
    }
    if (*webhook->authorization)
        FUZZ_CHECK(count_of(request, "Authorization", webhook->authorization) == 1,
                   "Authorization is not there once");
}

/* The names are told; a secret that is a part of one is the host's own doing. */
static bool is_in_a_name(const bb_webhook *webhook, const char *secret) {
    for (size_t i = 0; i < webhook->header_count; i++)
        if (strstr(webhook->headers[i].name, secret))
            return true;
    return false;
}

static void check_untold(const bb_webhook *webhook, const char *secret, const char *told) {
    FUZZ_CHECK(strlen(secret) < LEAST_SECRET || is_in_a_name(webhook, secret) ||
                   !strstr(told, secret),
               "told: %s", told);
}

static void check_refused(const bb_webhook *webhook, int code, const char *told) {
    FUZZ_CHECK(code == BB_ERR_WEBHOOK, "%d: %s", code, told);
    for (size_t i = 0; i < webhook->header_count; i++)
        check_untold(webhook, webhook->headers[i].value, told);
    check_untold(webhook, webhook->authorization, told);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const bb_type types[] = {BB_CUSTOM, BB_SLACK, BB_DISCORD, BB_TEAMS,
                                    BB_FEISHU, BB_WECOM, BB_DINGTALK};
    fuzz_input input = fuzz_open(data, size);
    bb_header headers[MOST];
    size_t count = fuzz_choose(&input, MOST);
    bb_webhook webhook = sample_webhook(types[fuzz_choose(&input, 7)]);
    bb_attempt attempt = sample_attempt();
    bb_request *request = NULL;
    bb_error error = BB_ERROR_INIT;
    sample s;
    sample_make(&s, &sample_cases[0]);
    webhook.authorization = fuzz_text(&input);
    for (size_t i = 0; i < count; i++)
        headers[i] = (bb_header){.name = fuzz_text(&input), .value = fuzz_text(&input)};
    webhook.headers = headers;
    webhook.header_count = (uint32_t)count;
    int code = bb_webhook_prepare(NULL, &webhook, &s.event, &attempt, &request, &error);
    if (fuzz_check_error("prepare", code, &error))
        check_taken(&webhook, request);
    else
        check_refused(&webhook, code, error.text);
    bb_request_free(request);
    fuzz_close(&input);
    return 0;
}
