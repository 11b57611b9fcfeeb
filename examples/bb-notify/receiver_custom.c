/* A service of one's own, written to the Custom endpoint's contract, which verifies
 * Standard Webhooks signatures. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "receiver_rules.h"

enum { TOLERANCE_S = 300, MAX_KEY = 64 };

static void answer_code(const struct receiver_call *call, int status, int code,
                        const char *message) {
    answer_with(call->answer, status, "application/json", "{\"code\":%d,\"message\":\"%s\"}", code,
                message);
}

/* One "v1,<base64>" among those that the header lists, separated by blanks. */
static bool one_signature_fits(const struct signing *signing, const char *header) {
    while (*header) {
        char token[128];
        size_t length = strcspn(header, " ");
        snprintf(token, sizeof token, "%.*s", (int)length, header);
        if (strncmp(token, "v1,", 3) == 0 && signature_is(signing, token + 3))
            return true;
        header += length + (header[length] == ' ');
    }
    return false;
}

/* The signed text is "id.timestamp.body". */
static bool signature_fits(const struct receiver_call *call, const char *id, const char *time,
                           const char *header) {
    static const char prefix[] = "whsec_";
    unsigned char key[MAX_KEY + 3];
    const char *secret = call->room->secret;
    size_t size = strlen(id) + strlen(time) + call->request->body_length + 3;
    char *text = malloc(size);
    if (!text)
        return false;
    secret += strncmp(secret, prefix, sizeof prefix - 1) == 0 ? sizeof prefix - 1 : 0;
    snprintf(text, size, "%s.%s.%s", id, time, call->request->body);
    struct signing signing = {key, base64_decode(secret, key, sizeof key), text, size - 1};
    bool fits = signing.key_length > 0 && one_signature_fits(&signing, header);
    free(text);
    return fits;
}

static const char *signature_fault(const struct receiver_call *call) {
    const char *id = request_header(call->request, "webhook-id");
    const char *time = request_header(call->request, "webhook-timestamp");
    const char *header = request_header(call->request, "webhook-signature");
    int64_t time_s;
    if (!call->room->secret)
        return NULL;
    if (!id || !*id || strchr(id, '.') || !time || !header)
        return "missing required headers";
    if (!read_decimal(time, &time_s) || llabs(call->now_ms / 1000 - time_s) > TOLERANCE_S)
        return "message timestamp out of tolerance";
    return signature_fits(call, id, time, header) ? NULL : "no matching signature found";
}

/* A member that an object must have, and what it must be. */
struct member_rule {
    const char *key;
    enum json_kind kind;
    const char *const *values; /* NULL-terminated; NULL: any */
};

static bool member_ok(const struct json *object, const struct member_rule *rule) {
    const struct json *value = json_member(object, rule->key);
    if (!json_is(value, rule->kind) || (rule->kind == JSON_NUMBER && !value->integer))
        return false;
    const char *const *known = rule->values;
    while (known && *known && strcmp(*known, value->text) != 0)
        known++;
    return !known || *known;
}

/* The key of the first rule that is broken, NULL for none. */
static const char *broken_rule(const struct json *object, const struct member_rule *rules) {
    while (rules->key && member_ok(object, rules))
        rules++;
    return rules->key;
}

/* `key` when that member is neither null nor an object by the rules. */
static const char *part_fault(const struct json *message, const char *key,
                              const struct member_rule *rules) {
    const struct json *part = json_member(message, key);
    if (json_is(part, JSON_NULL))
        return NULL;
    return !json_is(part, JSON_OBJECT) || broken_rule(part, rules) ? key : NULL;
}

static const char *const levels[] = {"INFO", "SUCCESS", "WARN", "ERROR", NULL};
static const char *const activities[] = {"bb.issue.create",
                                         "bb.issue.status.update",
                                         "bb.pipeline.stage.status.update",
                                         "bb.pipeline.task.status.update",
                                         "bb.issue.field.update",
                                         "bb.issue.comment.create",
                                         NULL};
static const char *const statuses[] = {"OPEN", "DONE", "CANCELED", "", NULL};

static const struct member_rule message_rules[] = {{"level", JSON_STRING, levels},
                                                   {"activity_type", JSON_STRING, activities},
                                                   {"title", JSON_STRING, NULL},
                                                   {"description", JSON_STRING, NULL},
                                                   {"link", JSON_STRING, NULL},
                                                   {"creator_id", JSON_NUMBER, NULL},
                                                   {"creator_name", JSON_STRING, NULL},
                                                   {"created_ts", JSON_NUMBER, NULL},
                                                   {NULL, JSON_NULL, NULL}};
static const struct member_rule issue_rules[] = {
    {"id", JSON_NUMBER, NULL},         {"name", JSON_STRING, NULL},
    {"type", JSON_STRING, NULL},       {"description", JSON_STRING, NULL},
    {"status", JSON_STRING, statuses}, {NULL, JSON_NULL, NULL}};
static const struct member_rule named_rules[] = {
    {"id", JSON_NUMBER, NULL}, {"name", JSON_STRING, NULL}, {NULL, JSON_NULL, NULL}};

/* The member that is missing or wrong, NULL for none. */
static const char *message_fault(const struct json *message) {
    const char *fault = broken_rule(message, message_rules);
    fault = fault ? fault : part_fault(message, "issue", issue_rules);
    fault = fault ? fault : part_fault(message, "project", named_rules);
    if (!fault && json_member(message, "stage"))
        fault = part_fault(message, "stage", named_rules);
    if (!fault && json_member(message, "task"))
        fault = part_fault(message, "task", named_rules);
    return !fault && is_blank(json_string(message, "title")) ? "title" : fault;
}

static void check_message(const struct receiver_call *call) {
    char text[64];
    const char *fault = call->message ? message_fault(call->message) : "body";
    if (!fault) {
        answer_code(call, 200, 0, "success");
        return;
    }
    snprintf(text, sizeof text, "%s is missing or wrong", fault);
    answer_code(call, 200, 400, text);
}

void custom_check(const struct receiver_call *call) {
    const char *type = request_header(call->request, "Content-Type");
    if (!path_matches(call->request->target, "/hooks/bb")) {
        answer_code(call, 404, 404, "no such hook");
    } else if (!is_post(call->request)) {
        answer_code(call, 405, 405, "method not allowed");
    } else if (!type || strcmp(type, "application/json") != 0) {
        answer_code(call, 415, 415, "Content-Type must be application/json");
    } else {
        const char *fault = signature_fault(call);
        if (fault) {
            answer_code(call, 401, 401, fault);
        } else {
            check_message(call);
        }
    }
}
