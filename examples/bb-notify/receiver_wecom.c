/* WeCom's group robot: always HTTP 200; lengths are bytes of UTF-8. No rule about the
 * content type is known, so there is none here. */
#include <string.h>

#include "receiver_rules.h"

enum { MAX_CONTENT = 4096, MAX_LINK = 1024 };

static void answer_code(const struct receiver_call *call, int code, const char *message) {
    answer_with(call->answer, 200, "application/json; charset=UTF-8",
                "{\"errcode\":%d,\"errmsg\":\"%s, hint: [1773309600364920071], from ip: 127.0.0.1, "
                "more info at https://open.work.weixin.qq.com/devtool/query?e=%d\"}",
                code, message, code);
}

/* 0, or the code of the first bad link target: [label](target). */
static int links_fault(const char *content) {
    for (const char *at = strstr(content, "]("); at; at = strstr(at + 2, "](")) {
        const char *target = at + 2;
        if (strncmp(target, "http://", 7) != 0 && strncmp(target, "https://", 8) != 0)
            return 45034;
        if (strcspn(target, ")") > MAX_LINK)
            return 40039;
    }
    return 0;
}

static void check_markdown(const struct receiver_call *call) {
    const struct json *content = json_at(call->message, "markdown.content");
    if (!json_is(content, JSON_STRING)) {
        answer_code(call, 40063, "missing parameter: markdown.content");
    } else if (is_blank(content->text)) {
        answer_code(call, 44004, "empty content");
    } else if (strlen(content->text) > MAX_CONTENT) {
        answer_code(call, 40058,
                    "markdown.content exceed max length 4096. invalid Request Parameter");
    } else if (links_fault(content->text)) {
        answer_code(call, links_fault(content->text), "invalid url in content");
    } else {
        answer_with(call->answer, 200, "application/json; charset=UTF-8",
                    "{\"errcode\":0,\"errmsg\":\"ok\"}");
    }
}

void wecom_check(const struct receiver_call *call) {
    char key[64] = "";
    query_value(call->request->target, "key", key, sizeof key);
    if (!path_matches(call->request->target, "/cgi-bin/webhook/send") || strlen(key) != 36) {
        answer_code(call, 93000, "invalid webhook url");
    } else if (!is_post(call->request)) {
        answer_code(call, 43002, "require POST method");
    } else if (!call->message) {
        answer_code(call, 47001, "data format error");
    } else if (!json_says(call->message, "msgtype", "markdown")) {
        answer_code(call, 40008, "invalid message type");
    } else {
        check_markdown(call);
    }
}

void wecom_too_many(const struct receiver_call *call, int64_t wait_ms) {
    (void)wait_ms; /* it does not say how long */
    answer_code(call, 45009, "api freq out of limit");
}
