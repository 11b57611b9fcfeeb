/* Feishu's and Lark's custom bot. The address is judged before the signature, and that
 * before the content. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "receiver_rules.h"

enum { MAX_BODY = 20480, WINDOW_S = 3600 };

static void answer_code(const struct receiver_call *call, int status, int code,
                        const char *message) {
    answer_with(call->answer, status, "application/json; charset=utf-8",
                "{\"code\":%d,\"data\":{},\"msg\":\"%s\"}", code, message);
}

/* The mirror image of DingTalk's: the key is "ts LF secret", the text is empty. */
static bool sign_ok(const char *secret, const char *timestamp, const char *sign) {
    char key[256];
    int length = snprintf(key, sizeof key, "%s\n%s", timestamp, secret);
    struct signing signing = {key, (size_t)length, "", 0};
    return length < (int)sizeof key && signature_is(&signing, sign);
}

static bool signature_ok(const struct receiver_call *call) {
    const char *timestamp = json_string(call->message, "timestamp");
    const char *sign = json_string(call->message, "sign");
    int64_t time_s;
    if (!call->room->secret)
        return true;
    return sign && read_decimal(timestamp, &time_s) &&
           llabs(call->now_ms / 1000 - time_s) <= WINDOW_S &&
           sign_ok(call->room->secret, timestamp, sign);
}

static bool label_ok(const struct json *text) {
    return (json_says(text, "tag", "plain_text") || json_says(text, "tag", "lark_md")) &&
           !is_blank(json_string(text, "content"));
}

static bool div_ok(const struct json *div) {
    const struct json *text = json_member(div, "text");
    const struct json *fields = json_member(div, "fields");
    for (const struct json *field = json_first(fields); field; field = field->next) {
        if (!label_ok(json_member(field, "text")))
            return false;
    }
    return text ? label_ok(text) : json_count(fields) > 0;
}

static bool markdown_ok(const struct json *element) {
    return !is_blank(json_string(element, "content"));
}

static bool rule_ok(const struct json *element) {
    return json_is(element, JSON_OBJECT);
}

static bool button_ok(const struct json *button) {
    const char *url = json_string(button, "url");
    return json_says(button, "tag", "button") && label_ok(json_member(button, "text")) &&
           (!url || is_web_url(url));
}

static bool action_ok(const struct json *element) {
    const struct json *actions = json_member(element, "actions");
    for (const struct json *at = json_first(actions); at; at = at->next) {
        if (!button_ok(at))
            return false;
    }
    return json_count(actions) > 0;
}

static bool note_ok(const struct json *element) {
    const struct json *parts = json_member(element, "elements");
    for (const struct json *at = json_first(parts); at; at = at->next) {
        if (!label_ok(at))
            return false;
    }
    return json_count(parts) > 0;
}

static bool element_ok(const struct json *element) {
    static const struct {
        const char *tag;
        bool (*ok)(const struct json *element);
    } kinds[] = {{"div", div_ok},
                 {"markdown", markdown_ok},
                 {"hr", rule_ok},
                 {"action", action_ok},
                 {"note", note_ok}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (json_says(element, "tag", kinds[i].tag))
            return kinds[i].ok(element);
    }
    return false;
}

/* JSON 1.0 cards: 2.0 has no `action` and no `note`. */
static bool card_ok(const struct json *card) {
    const struct json *elements = json_member(card, "elements");
    const struct json *header = json_member(card, "header");
    if (header && is_blank(json_string(json_member(header, "title"), "content")))
        return false;
    for (const struct json *at = json_first(elements); at; at = at->next) {
        if (!element_ok(at))
            return false;
    }
    return json_count(elements) > 0;
}

static void check_message(const struct receiver_call *call) {
    const struct json *card = json_member(call->message, "card");
    const char *keyword = call->room->keyword;
    if (!json_string(call->message, "msg_type")) {
        answer_code(call, 200, 19002, "params error, msg_type need");
    } else if (!json_says(call->message, "msg_type", "interactive") ||
               !json_is(card, JSON_OBJECT)) {
        answer_code(call, 200, 19002, "params error, unknown card value");
    } else if (!card_ok(card)) {
        answer_code(call, 200, 230099,
                    "Failed to create card content, ext=ErrCode: 200621; "
                    "ErrMsg: parse card json err");
    } else if (keyword && !holds_text(card, keyword)) {
        answer_code(call, 200, 19024, "Key Words Not Found");
    } else {
        answer_with(call->answer, 200, "application/json; charset=utf-8",
                    "{\"StatusCode\":0,\"StatusMessage\":\"success\",\"code\":0,\"data\":{},"
                    "\"msg\":\"success\"}");
    }
}

void feishu_check(const struct receiver_call *call) {
    const struct receiver_request *request = call->request;
    if (!path_matches(request->target, "/open-apis/bot/v2/hook/*")) {
        answer_code(call, 200, 19001, "param invalid: incoming webhook access token invalid");
    } else if (!is_post(request) || !has_json_type(request) || request->body_length > MAX_BODY) {
        answer_code(call, 400, 9499, "Bad Request");
    } else if (!call->message) {
        answer_code(call, 400, 9499, "fail to parse content");
    } else if (!signature_ok(call)) {
        answer_code(call, 200, 19021,
                    "sign match fail or timestamp is not within one hour from current time");
    } else {
        check_message(call);
    }
}

void feishu_too_many(const struct receiver_call *call, int64_t wait_ms) {
    (void)wait_ms; /* it does not say how long */
    answer_code(call, 200, 11232, "frequency limited psm[lark.oapi.app_platform_runtime]");
}
