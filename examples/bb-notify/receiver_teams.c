/* A Power Automate flow behind a Teams channel. A real one answers 202 to nearly all
 * and fails later, unseen; here a card that the channel could not show is refused at
 * once, as the trigger's schema check would. */
#include <stdlib.h>
#include <string.h>

#include "receiver_rules.h"

/* The smallest body that was seen refused (prometheus-msteams#29): Teams limits the
 * stored message to 28 KB, which is larger than what is sent. */
enum { MAX_BODY = 19600 };

static const char json_type[] = "application/json; charset=utf-8";

static bool one_of(const char *text, const char *const *names, size_t count) {
    for (size_t i = 0; text && i < count; i++) {
        if (strcmp(text, names[i]) == 0)
            return true;
    }
    return false;
}

static const char *element_fault(const struct json *element);

static const char *elements_fault(const struct json *items) {
    const char *fault = json_count(items) ? NULL : "A card element is empty.";
    for (const struct json *item = json_first(items); item && !fault; item = item->next)
        fault = element_fault(item);
    return fault;
}

static const char *container_fault(const struct json *container) {
    static const char *const styles[] = {"default",   "emphasis", "good",
                                         "attention", "warning",  "accent"};
    const struct json *style = json_member(container, "style");
    if (style && !one_of(json_string(container, "style"), styles, 6))
        return "A container's style is not known.";
    return elements_fault(json_member(container, "items"));
}

static const char *columns_fault(const struct json *set) {
    return elements_fault(json_member(set, "columns"));
}

static const char *text_block_fault(const struct json *block) {
    return is_blank(json_string(block, "text")) ? "A TextBlock has no text." : NULL;
}

static const char *facts_fault(const struct json *set) {
    const struct json *facts = json_member(set, "facts");
    const char *fault = json_count(facts) ? NULL : "A FactSet has no facts.";
    for (const struct json *fact = json_first(facts); fact && !fault; fact = fact->next) {
        bool whole = !is_blank(json_string(fact, "title")) && !is_blank(json_string(fact, "value"));
        fault = whole ? NULL : "A fact has no title or no value.";
    }
    return fault;
}

static const char *inlines_fault(const struct json *block) {
    return json_count(json_member(block, "inlines")) ? NULL : "A RichTextBlock has no inlines.";
}

static const char *actions_fault(const struct json *actions) {
    static const char *const types[] = {"Action.OpenUrl", "Action.ShowCard",
                                        "Action.ToggleVisibility"};
    for (const struct json *at = json_first(actions); at; at = at->next) {
        if (!one_of(json_string(at, "type"), types, 3))
            return "An action cannot be used from a webhook.";
        if (json_says(at, "type", types[0]) && !is_web_url(json_string(at, "url")))
            return "Action.OpenUrl needs an absolute URL.";
    }
    return NULL;
}

static const char *element_fault(const struct json *element) {
    static const struct {
        const char *type;
        const char *(*fault)(const struct json *element);
    } kinds[] = {{"TextBlock", text_block_fault}, {"FactSet", facts_fault},
                 {"Container", container_fault},  {"ColumnSet", columns_fault},
                 {"Column", container_fault},     {"RichTextBlock", inlines_fault}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (json_says(element, "type", kinds[i].type))
            return kinds[i].fault(element);
    }
    return "A card element's type is not known.";
}

/* A mention works only where its text stands in the card, byte for byte. */
static const char *entities_fault(const struct json *card) {
    const struct json *entities = json_at(card, "msteams.entities");
    for (const struct json *at = json_first(entities); at; at = at->next) {
        const char *text = json_string(at, "text");
        if (is_blank(json_string(json_member(at, "mentioned"), "id")) || is_blank(text) ||
            !holds_text(json_member(card, "body"), text)) {
            return "A mention does not match the card's text.";
        }
    }
    return NULL;
}

/* 1.5 and later: "card couldn't be displayed" (microsoft/AdaptiveCards#7676). */
static bool version_ok(const char *version) {
    return version && version[0] == '1' && version[1] == '.' && version[2] >= '0' &&
           version[2] <= '4' && version[3] == '\0';
}

static const char *card_fault(const struct json *attachment) {
    const struct json *card = json_member(attachment, "content");
    if (!json_says(attachment, "contentType", "application/vnd.microsoft.card.adaptive"))
        return "An attachment is not an adaptive card.";
    if (!json_says(card, "type", "AdaptiveCard"))
        return "The card's type is not AdaptiveCard.";
    if (!version_ok(json_string(card, "version")))
        return "The card's version is above 1.4.";
    const char *fault = elements_fault(json_member(card, "body"));
    fault = fault ? fault : actions_fault(json_member(card, "actions"));
    return fault ? fault : entities_fault(card);
}

static const char *message_fault(const struct json *message) {
    const struct json *attachments = json_member(message, "attachments");
    if (!json_says(message, "type", "message"))
        return "Invalid type. Expected a message.";
    const char *fault = json_is(attachments, JSON_ARRAY) && attachments->child
                            ? NULL
                            : "Required property 'attachments' is missing or empty.";
    for (const struct json *at = json_first(attachments); at && !fault; at = at->next) {
        fault = card_fault(at);
    }
    return fault;
}

static void answer_error(const struct receiver_call *call, int status, const char *code,
                         const char *message) {
    answer_with(call->answer, status, json_type, "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}",
                code, message);
}

/* The signature covers the query's bytes, so "sp" must come as it was handed out. */
static bool query_ok(const struct receiver_call *call) {
    const char *target = call->request->target;
    char value[128];
    if (!query_value(target, "api-version", value, sizeof value)) {
        answer_error(call, 400, "MissingApiVersionParameter",
                     "The api-version query parameter (?api-version=) is required.");
    } else if (!query_value(target, "sig", value, sizeof value) || is_blank(value)) {
        answer_error(call, 401, "DirectApiAuthorizationRequired",
                     "The request must be authenticated only by Shared Access scheme.");
    } else if (!strstr(target, "sp=%2Ftriggers%2Fmanual%2Frun")) {
        answer_error(call, 401, "AuthorizationFailed",
                     "The authentication credentials are not valid.");
    } else {
        return true;
    }
    return false;
}

void teams_check(const struct receiver_call *call) {
    static const char *const paths[] = {
        "/workflows/*/triggers/manual/paths/invoke",
        "/powerautomate/automations/direct/workflows/*/triggers/manual/paths/invoke"};
    const char *target = call->request->target;
    if (!path_matches(target, paths[0]) && !path_matches(target, paths[1])) {
        answer_error(call, 404, "WorkflowNotFound", "The workflow could not be found.");
        return;
    }
    if (!query_ok(call))
        return;
    if (call->request->body_length > MAX_BODY) {
        answer_error(call, 413, "RequestEntityTooLarge", "The request is too large.");
        return;
    }
    const char *fault = is_post(call->request) && has_json_type(call->request)
                            ? message_fault(call->message)
                            : "The request's content is not JSON.";
    if (fault) {
        answer_error(call, 400, "TriggerInputSchemaMismatch", fault);
        return;
    }
    answer_with(call->answer, 202, json_type, "%s", "");
}

void teams_too_many(const struct receiver_call *call, int64_t wait_ms) {
    answer_retry_after(call->answer, wait_ms);
    answer_error(call, 429, "TooManyRequests", "Rate limit is exceeded. Try again later.");
}
