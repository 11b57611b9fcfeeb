#include "event/headers.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "event/webhook.h"

enum { NAME_MAX_BYTES = 64, VALUE_MAX_BYTES = 4096 };

/* What says where a request ends, what it holds, who sends it and where it goes: the library's,
 * libcurl's, or members of their own. A line that ends with - stands for all that begin so. */
static const char *const own[] = {
    "Accept-Encoding", "Connection",        "Content-", "Expect",     "Host",
    "HTTP2-Settings",  "Keep-Alive",        "Proxy-",   "TE",         "Trailer",
    "Upgrade",         "Transfer-Encoding", "webhook-", "User-Agent", NULL,
};

static bool is_own(const char *name) {
    for (const char *const *line = own; *line; line++) {
        bool is_prefix = bb_text_ends_with(*line, "-");
        if (is_prefix ? bb_text_begins_like(name, *line) : bb_text_is_like(name, *line))
            return true;
    }
    return false;
}

/* RFC 9110, 5.6.2. */
static bool is_token(const char *name) {
    size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                            "!#$%&'*+-.^_`|~");
    return n > 0 && n <= NAME_MAX_BYTES && name[n] == '\0';
}

bool bb_header_value_is_sound(const char *value) {
    for (; *value; value++)
        if ((unsigned char)*value < 0x20 || *value == 0x7F)
            return false;
    return true;
}

/* What is wrong, or NULL. libcurl takes an empty value for the wish that there be no such header.
 */
static const char *find_value_mistake(const char *value) {
    if (!value || !*value)
        return "has no value";
    if (!bb_header_value_is_sound(value))
        return "its value has a control character in it";
    size_t n = strlen(value);
    if (*value == ' ' || value[n - 1] == ' ')
        return "its value begins or ends with a blank";
    return n > VALUE_MAX_BYTES ? "its value is longer than 4,096 bytes" : NULL;
}

static bool is_repeated(const bb_webhook *webhook, size_t index) {
    for (size_t i = 0; i < index; i++)
        if (bb_text_is_like(webhook->headers[i].name, webhook->headers[index].name))
            return true;
    return false;
}

static const char *find_mistake(const bb_webhook *webhook, size_t index) {
    const bb_header *header = &webhook->headers[index];
    if (bb_text_is_like(header->name, "Authorization"))
        return "is what authorization is for: give its value there";
    if (is_own(header->name))
        return "is not the host's to set, remove it";
    if (is_repeated(webhook, index))
        return "is given twice";
    return find_value_mistake(header->value);
}

static int fail_at(const bb_webhook *webhook, size_t index, const char *mistake, bb_error *error) {
    char label[104];
    return bb_fail(error, BB_ERR_WEBHOOK, "webhook \"%s\": headers: %s: %s",
                   bb_webhook_label(webhook, label), webhook->headers[index].name, mistake);
}

/* A name that is none may be a whole line with its secret: it is not repeated. */
static int fail_name(const bb_webhook *webhook, size_t index, bb_error *error) {
    char label[104];
    return bb_fail(error, BB_ERR_WEBHOOK,
                   "webhook \"%s\": headers[%zu]: its name is not 1 to 64 letters, digits, - and "
                   "the like",
                   bb_webhook_label(webhook, label), index);
}

static int check_authorization(const bb_webhook *webhook, bb_error *error) {
    char what[80];
    const char *value = webhook->authorization;
    const char *mistake = value && *value ? find_value_mistake(value) : NULL;
    if (!mistake)
        return BB_OK;
    snprintf(what, sizeof what, "authorization: %s", mistake);
    return bb_webhook_fail(error, BB_ERR_WEBHOOK, webhook, what);
}

int bb_headers_check(const bb_webhook *webhook, bb_error *error) {
    if (webhook->header_count > BB_HEADERS_MAX)
        return bb_webhook_fail(error, BB_ERR_WEBHOOK, webhook, "header_count: is more than 16");
    if (webhook->header_count && !webhook->headers)
        return bb_webhook_fail(error, BB_ERR_WEBHOOK, webhook,
                               "headers: is NULL, but header_count is not 0");
    for (size_t i = 0; i < webhook->header_count; i++) {
        if (!webhook->headers[i].name || !is_token(webhook->headers[i].name))
            return fail_name(webhook, i, error);
        const char *mistake = find_mistake(webhook, i);
        if (mistake)
            return fail_at(webhook, i, mistake, error);
    }
    return check_authorization(webhook, error);
}
