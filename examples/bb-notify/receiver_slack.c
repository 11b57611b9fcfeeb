/* Slack's incoming webhooks: every answer is one word of text/html. Lengths are taken
 * in UTF-16 units, the strictest reading of Slack's "characters". */
#include <string.h>

#include "receiver_rules.h"

enum {
    MAX_ATTACHMENTS = 100,
    MAX_BLOCKS = 50,
    MAX_BLOCK_TEXT = 13200, /* over all blocks; seen, not documented */
    MAX_TEXT_OBJECT = 3000,
    MAX_FIELDS = 10,
    MAX_FIELD = 2000,
    MAX_HEADER = 150,
    MAX_CONTEXT = 10,
    MAX_ACTIONS = 25,
    MAX_BUTTON_TEXT = 75,
    MAX_BUTTON_VALUE = 2000,
    MAX_URL = 3000,
    MAX_ID = 255
};

/* "" in `type` stands for any of the two types. */
static bool text_object_ok(const struct json *object, const char *type, size_t most) {
    bool known = json_says(object, "type", "plain_text") || json_says(object, "type", "mrkdwn");
    return known && (!*type || json_says(object, "type", type)) &&
           is_text(json_member(object, "text"), 1, most);
}

static bool optional_text_ok(const struct json *object, const char *key, size_t most) {
    const struct json *value = json_member(object, key);
    return !value || is_text(value, 1, most);
}

static bool section_ok(const struct json *block) {
    const struct json *text = json_member(block, "text");
    const struct json *fields = json_member(block, "fields");
    if (text && !text_object_ok(text, "", MAX_TEXT_OBJECT))
        return false;
    if (!fields)
        return text != NULL;
    for (const struct json *field = fields->child; field; field = field->next) {
        if (!text_object_ok(field, "", MAX_FIELD))
            return false;
    }
    size_t count = json_count(fields);
    return json_is(fields, JSON_ARRAY) && count > 0 && count <= MAX_FIELDS;
}

static bool header_ok(const struct json *block) {
    return text_object_ok(json_member(block, "text"), "plain_text", MAX_HEADER);
}

static bool divider_ok(const struct json *block) {
    return json_is(block, JSON_OBJECT);
}

static bool image_ok(const struct json *block) {
    const struct json *url = json_member(block, "image_url");
    return is_text(url, 1, MAX_URL) && is_web_url(url->text) &&
           is_text(json_member(block, "alt_text"), 1, MAX_BUTTON_VALUE);
}

static bool context_ok(const struct json *block) {
    const struct json *elements = json_member(block, "elements");
    size_t count = json_count(elements);
    if (!json_is(elements, JSON_ARRAY) || count == 0 || count > MAX_CONTEXT)
        return false;
    for (const struct json *element = elements->child; element; element = element->next) {
        if (!text_object_ok(element, "", MAX_TEXT_OBJECT) && !image_ok(element))
            return false;
    }
    return true;
}

static bool button_ok(const struct json *element) {
    const struct json *url = json_member(element, "url");
    return json_says(element, "type", "button") &&
           text_object_ok(json_member(element, "text"), "plain_text", MAX_BUTTON_TEXT) &&
           (!url || (is_text(url, 1, MAX_URL) && is_web_url(url->text))) &&
           optional_text_ok(element, "value", MAX_BUTTON_VALUE) &&
           optional_text_ok(element, "action_id", MAX_ID);
}

static bool actions_ok(const struct json *block) {
    const struct json *elements = json_member(block, "elements");
    size_t count = json_count(elements);
    if (!json_is(elements, JSON_ARRAY) || count == 0 || count > MAX_ACTIONS)
        return false;
    for (const struct json *element = elements->child; element; element = element->next) {
        if (!button_ok(element))
            return false;
    }
    return true;
}

static bool block_ok(const struct json *block) {
    static const struct {
        const char *type;
        bool (*ok)(const struct json *block);
    } kinds[] = {{"section", section_ok}, {"header", header_ok},   {"divider", divider_ok},
                 {"image", image_ok},     {"context", context_ok}, {"actions", actions_ok}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (json_says(block, "type", kinds[i].type))
            return kinds[i].ok(block) && optional_text_ok(block, "block_id", MAX_ID);
    }
    return false;
}

static bool blocks_ok(const struct json *blocks) {
    if (!json_is(blocks, JSON_ARRAY) || json_count(blocks) > MAX_BLOCKS)
        return false;
    for (const struct json *block = blocks->child; block; block = block->next) {
        if (!block_ok(block))
            return false;
    }
    return true;
}

/* The characters of all "text" members below `value`. */
static size_t text_length(const struct json *value) {
    size_t length = 0;
    for (const struct json *member = json_first(value); member; member = member->next) {
        bool text = member->key && strcmp(member->key, "text") == 0;
        length +=
            text && member->kind == JSON_STRING ? utf16_units(member->text) : text_length(member);
    }
    return length;
}

static const char *blocks_fault(const struct json *blocks, const char *fault) {
    if (!blocks)
        return NULL;
    if (!blocks_ok(blocks))
        return fault;
    return text_length(blocks) > MAX_BLOCK_TEXT ? "msg_blocks_too_long" : NULL;
}

static const char *attachment_fault(const struct json *attachment) {
    const struct json *blocks = json_member(attachment, "blocks");
    if (!json_is(attachment, JSON_OBJECT))
        return "invalid_attachments";
    if (!blocks && is_blank(json_string(attachment, "text")) &&
        is_blank(json_string(attachment, "fallback"))) {
        return "missing_text_or_fallback_or_attachments";
    }
    return blocks_fault(blocks, "invalid_attachments");
}

static const char *attachments_fault(const struct json *attachments) {
    const char *fault = NULL;
    if (attachments && !json_is(attachments, JSON_ARRAY))
        return "invalid_attachments";
    if (json_count(attachments) > MAX_ATTACHMENTS)
        return "too_many_attachments";
    for (const struct json *at = json_first(attachments); at && !fault; at = at->next) {
        fault = attachment_fault(at);
    }
    return fault;
}

static const char *message_fault(const struct json *message) {
    const struct json *text = json_member(message, "text");
    const struct json *blocks = json_member(message, "blocks");
    const struct json *attachments = json_member(message, "attachments");
    if (!message || (text && !json_is(text, JSON_STRING)))
        return "invalid_payload";
    if (is_blank(json_string(message, "text")) && !json_count(blocks) && !json_count(attachments))
        return "no_text";
    const char *fault = blocks_fault(blocks, "invalid_blocks");
    return fault ? fault : attachments_fault(attachments);
}

void slack_check(const struct receiver_call *call) {
    static const char html[] = "text/html; charset=utf-8";
    if (!path_matches(call->request->target, "/services/T*/B*/*")) {
        answer_with(call->answer, 404, html, "no_service");
        return;
    }
    if (!is_post(call->request) || !has_json_type(call->request)) {
        answer_with(call->answer, 400, html, "invalid_payload");
        return;
    }
    const char *fault = message_fault(call->message);
    answer_with(call->answer, fault ? 400 : 200, html, "%s", fault ? fault : "ok");
}

void slack_too_many(const struct receiver_call *call, int64_t wait_ms) {
    answer_retry_after(call->answer, wait_ms);
    answer_with(call->answer, 429, "application/json; charset=utf-8",
                "{\"retry_after\":%s,\"ok\":false,\"error\":\"rate_limited\"}",
                call->answer->retry_after);
}
