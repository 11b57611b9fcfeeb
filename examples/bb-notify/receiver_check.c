#include "receiver.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "receiver_rules.h"

/* At most `count` messages in any `window_ms`. */
struct rate {
    size_t count;
    int64_t window_ms;
};

struct product {
    void (*check)(const struct receiver_call *call);
    void (*too_many)(const struct receiver_call *call, int64_t wait_ms);
    struct rate rates[2];
};

/* Slack says one a second and bears short bursts; Discord's second rule is the hidden
 * one of the channel. */
static const struct product products[] = {
    [BB_SLACK] = {slack_check, slack_too_many, {{5, 5000}}},
    [BB_DISCORD] = {discord_check, discord_too_many, {{5, 2000}, {30, 60000}}},
    [BB_TEAMS] = {teams_check, teams_too_many, {{4, 1000}, {60, 30000}}},
    [BB_DINGTALK] = {dingtalk_check, dingtalk_too_many, {{20, 60000}}},
    [BB_FEISHU] = {feishu_check, feishu_too_many, {{5, 1000}, {100, 60000}}},
    [BB_WECOM] = {wecom_check, wecom_too_many, {{20, 60000}}},
    [BB_CUSTOM] = {custom_check, NULL, {{0, 0}}},
};

void answer_with(struct receiver_answer *answer, int status, const char *content_type,
                 const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    answer->status = status;
    answer->content_type = content_type;
    vsnprintf(answer->body, sizeof(answer->body), format, arguments);
    va_end(arguments);
}

void answer_retry_after(struct receiver_answer *answer, int64_t wait_ms) {
    snprintf(answer->retry_after, sizeof(answer->retry_after), "%lld",
             (long long)(wait_ms + 999) / 1000);
}

const char *request_header(const struct receiver_request *request, const char *name) {
    for (size_t i = 0; i < request->header_count; i++) {
        if (strcasecmp(request->headers[i].name, name) == 0)
            return request->headers[i].value;
    }
    return NULL;
}

bool is_post(const struct receiver_request *request) {
    return strcmp(request->method, "POST") == 0;
}

bool has_json_type(const struct receiver_request *request) {
    static const char json[] = "application/json";
    const char *type = request_header(request, "Content-Type");
    /* strchr finds the NUL too: a type without parameters. */
    return type && strncasecmp(type, json, sizeof json - 1) == 0 &&
           strchr("; ", type[sizeof json - 1]);
}

bool is_text(const struct json *value, size_t least, size_t most) {
    if (!json_is(value, JSON_STRING))
        return false;
    size_t length = utf16_units(value->text);
    return length >= least && length <= most;
}

bool is_web_url(const char *url) {
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; url && i < 2; i++) {
        size_t length = strlen(schemes[i]);
        if (strncmp(url, schemes[i], length) == 0)
            return url[length] && !url[strcspn(url, " \t\r\n")];
    }
    return false;
}

bool holds_text(const struct json *value, const char *needle) {
    if (json_is(value, JSON_STRING))
        return strstr(value->text, needle) != NULL;
    for (const struct json *member = json_first(value); member; member = member->next) {
        if (holds_text(member, needle))
            return true;
    }
    return false;
}

void receiver_check(const struct receiver_room *room, const struct receiver_request *request,
                    int64_t now_ms, struct receiver_answer *answer) {
    struct json *body = json_parse(request->body, request->body_length);
    struct receiver_call call = {room, request, now_ms, NULL, answer};
    if (json_is(body, JSON_OBJECT))
        call.message = body;
    memset(answer, 0, sizeof *answer);
    products[room->type].check(&call);
    json_free(body);
}

int receiver_check_rate(const struct receiver_room *room, const struct receiver_request *request,
                        const int64_t *times, size_t count, int64_t now_ms,
                        struct receiver_answer *answer) {
    const struct product *product = &products[room->type];
    const struct receiver_call call = {room, request, now_ms, NULL, answer};
    for (size_t i = 0; i < 2; i++) {
        const struct rate *rate = &product->rates[i];
        if (rate->count == 0 || count < rate->count)
            continue;
        int64_t free_at = times[count - rate->count] + rate->window_ms;
        if (now_ms < free_at) {
            memset(answer, 0, sizeof *answer);
            product->too_many(&call, free_at - now_ms);
            return 1;
        }
    }
    return 0;
}
