/* DingTalk's group robot: always HTTP 200; the answer is in `errcode`. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "receiver_rules.h"

enum { MAX_BODY = 20000, WINDOW_MS = 3600 * 1000 };

static void answer_code(const struct receiver_call *call, int code, const char *message) {
    answer_with(call->answer, 200, "application/json", "{\"errcode\":%d,\"errmsg\":\"%s\"}", code,
                message);
}

/* What the robot's `sign` must be: text "ts LF secret" under the secret itself. */
static bool sign_ok(const char *secret, const char *timestamp, const char *sign) {
    char text[256];
    int length = snprintf(text, sizeof text, "%s\n%s", timestamp, secret);
    struct signing signing = {secret, strlen(secret), text, (size_t)length};
    return length < (int)sizeof text && signature_is(&signing, sign);
}

static const char *signature_fault(const struct receiver_call *call) {
    char timestamp[32];
    char sign[128];
    int64_t time_ms;
    const char *target = call->request->target;
    if (!call->room->secret)
        return NULL;
    if (!query_value(target, "timestamp", timestamp, sizeof timestamp) ||
        !query_value(target, "sign", sign, sizeof sign)) {
        return "sign not match, more: [https://ding-doc.dingtalk.com/doc#/serverapi2/qf2nxq]";
    }
    if (!read_decimal(timestamp, &time_ms) || llabs(call->now_ms - time_ms) > WINDOW_MS)
        return "invalid timestamp, more: [https://ding-doc.dingtalk.com/doc#/serverapi2/qf2nxq]";
    return sign_ok(call->room->secret, timestamp, sign)
               ? NULL
               : "sign not match, more: [https://ding-doc.dingtalk.com/doc#/serverapi2/qf2nxq]";
}

static bool markdown_ok(const struct json *message) {
    const struct json *markdown = json_member(message, "markdown");
    return !is_blank(json_string(markdown, "title")) && !is_blank(json_string(markdown, "text"));
}

static bool card_button_ok(const struct json *button, const char *title, const char *url) {
    return !is_blank(json_string(button, title)) && !is_blank(json_string(button, url));
}

static bool action_card_ok(const struct json *message) {
    const struct json *card = json_member(message, "actionCard");
    const struct json *buttons = json_member(card, "btns");
    bool ok = !is_blank(json_string(card, "title")) && !is_blank(json_string(card, "text"));
    if (!buttons)
        return ok && card_button_ok(card, "singleTitle", "singleURL");
    for (const struct json *button = buttons->child; button; button = button->next)
        ok = ok && card_button_ok(button, "title", "actionURL");
    return ok && json_count(buttons) > 0;
}

static bool list_ok(const struct json *at, const char *key) {
    const struct json *list = json_member(at, key);
    for (const struct json *item = json_first(list); item; item = item->next) {
        if (item->kind != JSON_STRING)
            return false;
    }
    return !list || list->kind == JSON_ARRAY;
}

static bool at_ok(const struct json *message) {
    const struct json *at = json_member(message, "at");
    const struct json *all = json_member(at, "isAtAll");
    return list_ok(at, "atMobiles") && list_ok(at, "atUserIds") && (!all || all->kind == JSON_BOOL);
}

static void check_message(const struct receiver_call *call) {
    const char *keyword = call->room->keyword;
    bool markdown = json_says(call->message, "msgtype", "markdown");
    if (!markdown && !json_says(call->message, "msgtype", "actionCard")) {
        answer_code(call, 400105, "description:unsupported msgtype");
    } else if (!(markdown ? markdown_ok : action_card_ok)(call->message) || !at_ok(call->message)) {
        answer_code(call, 40035, "invalid parameter: title, text, button or at");
    } else if (keyword && !holds_text(call->message, keyword)) {
        answer_code(call, 310000,
                    "keywords not in content, more: "
                    "[https://ding-doc.dingtalk.com/doc#/serverapi2/qf2nxq]");
    } else {
        answer_code(call, 0, "ok");
    }
}

static bool request_ok(const struct receiver_call *call) {
    const struct receiver_request *request = call->request;
    char token[128] = "";
    query_value(request->target, "access_token", token, sizeof token);
    if (!path_matches(request->target, "/robot/send") || is_blank(token)) {
        answer_code(call, 400101, "access_token is missing");
    } else if (strlen(token) != 64 || token[strspn(token, "0123456789abcdef")]) {
        answer_code(call, 300005, "token is not exist");
    } else if (!is_post(request)) {
        answer_code(call, 43002, "need POST");
    } else if (!has_json_type(request)) {
        answer_code(call, 43004, "bad Content-Type");
    } else {
        return true;
    }
    return false;
}

void dingtalk_check(const struct receiver_call *call) {
    if (!request_ok(call))
        return;
    const char *fault = signature_fault(call);
    if (fault) {
        answer_code(call, 310000, fault);
    } else if (call->request->body_length > MAX_BODY) {
        answer_code(call, 460101, "message too long, exceed 20000 bytes");
    } else if (!call->message) {
        answer_code(call, 40035, "missing parameter json");
    } else {
        check_message(call);
    }
}

void dingtalk_too_many(const struct receiver_call *call, int64_t wait_ms) {
    (void)wait_ms; /* it does not say how long */
    answer_code(call, 130101, "send too fast, exceed 20 times per minute");
}
