/*
 * Whatever is given as a webhook's URL: what bb_webhook_prepare accepts is sent as it was read
 * (printable ASCII, no user, no fragment, path and query byte for byte), leads to a public host of
 * the product and is masked; what it refuses, and what an answer repeats of it, is not told.
 *
 * Input: the type, switches, then the URL.
 */
#include "fuzz/fuzz.h"

#include <ctype.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "support/samples.h"

enum { ANY_HOST = 1, HTTP = 2, PRIVATE = 4, SECRET_PART = 8 };

typedef struct tried {
    bb_options options;
    bb_webhook webhook;
    unsigned switches;
} tried;

/* Where "host:port" begins, and how long it is. */
static const char *authority_of(const char *url, size_t *length) {
    size_t scheme = strcspn(url, ":/?#");
    const char *at = strncmp(url + scheme, "://", 3) == 0 ? url + scheme + 3 : url;
    *length = strcspn(at, "/?#");
    return at;
}

static const char *tail_of(const char *url) {
    size_t length;
    const char *at = authority_of(url, &length);
    return at + length;
}

/* ---- what nobody may read */

static bool is_printable(const char *text) {
    for (; *text; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

/* What the library's own sentences say of paths is no secret. */
static void check_not_told(const char *what, const char *url, const char *told) {
    static const char own[] = "/api/webhooks/ID/TOKEN /services/ /open-apis/bot/v2/hook/";
    const char *tail = tail_of(url);
    size_t path = strcspn(tail, "?#");
    bool is_secret = path >= SECRET_PART || strlen(tail + path) > SECRET_PART;
    if (is_secret && is_printable(url) && !strstr(own, tail))
        FUZZ_CHECK(!strstr(told, tail), "%s tells %s: %s", what, tail, told);
}

static void check_echo(const tried *t) {
    bb_response response = BB_RESPONSE_INIT;
    bb_outcome outcome = BB_OUTCOME_INIT;
    bb_error error = BB_ERROR_INIT;
    response.http_status = 400;
    response.body = t->webhook.url;
    response.body_length = strlen(t->webhook.url);
    int code = bb_webhook_judge(&t->webhook, &response, SAMPLE_TIME * 1000, &outcome, &error);
    if (fuzz_check_error("judge", code, &error)) {
        check_not_told("remote_message", t->webhook.url, outcome.remote_message);
        check_not_told("text", t->webhook.url, outcome.text);
    }
}

/* ---- what is sent */

/* As a resolver would take it, in any of the forms that addresses have. */
static bool is_private(const char *host, size_t length) {
    char name[256];
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *found = NULL;
    if (length >= sizeof(name))
        return false;
    bool is_bracketed = *host == '[';
    snprintf(name, sizeof(name), "%.*s", (int)(length - 2 * is_bracketed), host + is_bracketed);
    if (strcasecmp(name, "localhost") == 0 || strcasecmp(name, "localhost.") == 0)
        return true;
    if (getaddrinfo(name, NULL, &hints, &found) != 0)
        return false;
    const struct sockaddr *address = found->ai_addr;
    const struct sockaddr_in *four = (const void *)address;
    const struct sockaddr_in6 *six = (const void *)address;
    const unsigned char *bytes = address->sa_family == AF_INET
                                     ? (const unsigned char *)&four->sin_addr
                                     : six->sin6_addr.s6_addr;
    bool is_four = address->sa_family == AF_INET || memcmp(bytes, &in6addr_any, 12) == 0;
    const unsigned char *v4 = address->sa_family == AF_INET ? bytes : bytes + 12;
    bool is_ours = is_four ? v4[0] == 127 || v4[0] == 10 || v4[0] == 0 ||
                                 (v4[0] == 192 && v4[1] == 168) || (v4[0] == 169 && v4[1] == 254) ||
                                 (v4[0] == 172 && v4[1] >> 4 == 1)
                           : (bytes[0] & 0xfe) == 0xfc || (bytes[0] == 0xfe && bytes[1] >= 0x80);
    freeaddrinfo(found);
    return is_ours;
}

static bool has_end(const char *host, size_t length, const char *end) {
    size_t n = strlen(end);
    bool is_subdomain = *end == '.';
    return is_subdomain ? length > n && strncasecmp(host + length - n, end, n) == 0
                        : length == n && strncasecmp(host, end, n) == 0;
}

static bool is_of_product(bb_type type, const char *host, size_t length) {
    static const char *const hosts[][8] = {
        [BB_SLACK] = {"hooks.slack.com", "hooks.slack-gov.com"},
        [BB_DISCORD] = {"discord.com", "discordapp.com", "ptb.discord.com", "canary.discord.com"},
        [BB_TEAMS] = {".logic.azure.com", ".powerplatform.com", ".powerautomate.com",
                      ".flow.microsoft.com", ".webhook.office.com", "outlook.office.com",
                      "outlook.office365.com"},
        [BB_DINGTALK] = {"oapi.dingtalk.com", "oapi.dingtalk.io"},
        [BB_FEISHU] = {"open.feishu.cn", "open.larksuite.com"},
        [BB_WECOM] = {"qyapi.weixin.qq.com"},
    };
    if (type == BB_CUSTOM)
        return true;
    for (size_t i = 0; i < 8 && hosts[type][i]; i++)
        if (has_end(host, length, hosts[type][i]))
            return true;
    return false;
}

static void check_host(const tried *t, const char *sent) {
    size_t length;
    const char *host = authority_of(sent, &length);
    FUZZ_CHECK(!memchr(host, '@', length), "sent to %s", sent);
    length = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?");
    FUZZ_CHECK(length > 0, "no host in %s", sent);
    FUZZ_CHECK((t->switches & PRIVATE) || !is_private(host, length), "private: %s", sent);
    FUZZ_CHECK((t->switches & ANY_HOST) || is_of_product(t->webhook.type, host, length),
               "not a host of %s: %s", bb_type_name(t->webhook.type), sent);
}

/* Of Discord's the path has its version and the query wait=true; stale parameters of DingTalk's are
 * left out. */
static bool is_changed(bb_type type, const char *tail) {
    return type == BB_DISCORD ||
           (type == BB_DINGTALK && (strstr(tail, "sign") || strstr(tail, "timestamp")));
}

static void check_tail(const tried *t, const char *sent) {
    const char *given = tail_of(t->webhook.url), *tail = tail_of(sent);
    char whole[4096];
    if (is_changed(t->webhook.type, given) || strlen(given) + 2 > sizeof(whole))
        return;
    snprintf(whole, sizeof(whole), "%s%s", *given == '/' ? "" : "/", given);
    size_t length = strlen(whole); /* an empty query is none */
    if (whole[length - 1] == '?' && strchr(whole, '?') == whole + length - 1)
        whole[length - 1] = '\0';
    FUZZ_CHECK(strcmp(tail, whole) == 0, "sent %s of %s", tail, given);
}

static void check_masked(const char *sent, const char *masked) {
    size_t length = (size_t)(tail_of(sent) - sent);
    FUZZ_CHECK(strncmp(sent, masked, length) == 0 && strcmp(masked + length, "/***") == 0,
               "%s is masked as %s", sent, masked);
}

static int prepare(const tried *t, const char *url, bb_request **request, bb_error *error) {
    bb_attempt attempt = sample_attempt();
    bb_webhook webhook = t->webhook;
    bb_event event = BB_EVENT_INIT;
    webhook.url = url;
    event.activity = BB_ISSUE_CREATE;
    event.created_ts = SAMPLE_TIME;
    return bb_webhook_prepare(&t->options, &webhook, &event, &attempt, request, error);
}

/* What was accepted is accepted again, and stays what it is. */
static void check_stays(const tried *t, const char *sent) {
    bb_request *again = NULL;
    bb_error error = BB_ERROR_INIT;
    int code = prepare(t, sent, &again, &error);
    FUZZ_CHECK(code == BB_OK, "%s, then %s", sent, error.text);
    FUZZ_CHECK(strcmp(bb_request_url(again, BB_REAL), sent) == 0, "%s, then %s", sent,
               bb_request_url(again, BB_REAL));
    bb_request_free(again);
}

static void check_sent(const tried *t, const bb_request *request) {
    const char *sent = bb_request_url(request, BB_REAL);
    FUZZ_CHECK(is_printable(sent) && !strpbrk(sent, "\\#"), "sent to %s", sent);
    FUZZ_CHECK(strncmp(sent, "https://", 8) == 0 ||
                   ((t->switches & HTTP) && strncmp(sent, "http://", 7) == 0),
               "sent to %s", sent);
    check_host(t, sent);
    check_tail(t, sent);
    check_masked(sent, bb_request_url(request, BB_MASKED));
    check_stays(t, sent);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_input input = fuzz_open(data, size);
    tried t = {.options = BB_OPTIONS_INIT};
    bb_request *request = NULL;
    bb_error error = BB_ERROR_INIT;
    t.webhook = sample_webhook((bb_type)(1 + fuzz_choose(&input, BB_CUSTOM)));
    t.switches = fuzz_choose(&input, 8);
    t.options.insecure_allow_http = (t.switches & HTTP) != 0;
    t.options.insecure_allow_private_addresses = (t.switches & PRIVATE) != 0;
    t.webhook.allow_any_host = (t.switches & ANY_HOST) != 0;
    t.webhook.url = fuzz_text(&input);
    int code = prepare(&t, t.webhook.url, &request, &error);
    if (fuzz_check_error("prepare", code, &error))
        check_sent(&t, request);
    else
        check_not_told("error", t.webhook.url, error.text);
    bb_request_free(request);
    check_echo(&t);
    fuzz_close(&input);
    return 0;
}
