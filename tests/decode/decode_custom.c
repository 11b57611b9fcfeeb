/* Custom: the documented members, in their order, and nothing else. */
#include <string.h>

#include "decode/decode_inside.h"

struct member {
    const char *name;
    int type;
};

static void show(struct decoding *d, const cJSON *text) {
    if (strstr(text->valuestring, "\u200b"))
        decode_fail(d, text, "holds U+200B");
    decode_say(d, text->valuestring, strlen(text->valuestring));
    decode_say(d, "\n", 1);
}

/* The member at this place; NULL when another stands there. */
static const cJSON *at_place(struct decoding *d, const cJSON *object, const cJSON *found,
                             const struct member *wanted) {
    if (!found)
        decode_fail(d, object, "has no %s", wanted->name);
    else if (strcmp(found->string, wanted->name) != 0)
        decode_fail(d, found, "stands where %s should", wanted->name);
    else
        return decode_need(d, object, wanted->name, wanted->type);
    return NULL;
}

/* Checks the members in their order and returns what follows them. */
static const cJSON *members(struct decoding *d, const cJSON *object, const struct member *wanted,
                            size_t count) {
    const cJSON *next = object->child;
    for (size_t i = 0; i < count; i++) {
        const cJSON *found = at_place(d, object, next, &wanted[i]);
        if (cJSON_IsString(found))
            show(d, found);
        next = next ? next->next : NULL;
    }
    return next;
}

/* An object with exactly these members, or null. */
static void part(struct decoding *d, const char *key, const struct member *wanted, size_t count) {
    const cJSON *object = cJSON_GetObjectItemCaseSensitive(d->root, key);
    if (!object || cJSON_IsNull(object))
        return;
    if (!cJSON_IsObject(object)) {
        decode_fail(d, object, "is not an object");
        return;
    }
    const cJSON *more = members(d, object, wanted, count);
    if (more)
        decode_fail(d, more, "is no member of the contract");
}

/* `stage` or `task`: an id, a name and further values, but no structures. */
static void pipeline_part(struct decoding *d, const cJSON *object) {
    const cJSON *value;
    if (!cJSON_IsObject(object)) {
        decode_fail(d, object, "is not an object");
        return;
    }
    decode_need(d, object, "id", cJSON_Number);
    decode_need(d, object, "name", cJSON_String);
    cJSON_ArrayForEach(value, object) {
        if (cJSON_IsString(value))
            show(d, value);
        else if (!cJSON_IsNumber(value) && !cJSON_IsBool(value))
            decode_fail(d, value, "is no plain value");
    }
}

static void pipeline(struct decoding *d, const cJSON *after) {
    const cJSON *activity = cJSON_GetObjectItemCaseSensitive(d->root, "activity_type");
    const char *type = cJSON_IsString(activity) ? activity->valuestring : "";
    for (; after; after = after->next) {
        bool stage = strcmp(after->string, "stage") == 0, task = strcmp(after->string, "task") == 0;
        bool fits = (stage && (strstr(type, ".stage.") || strstr(type, ".task."))) ||
                    (task && strstr(type, ".task."));
        if (!fits)
            decode_fail(d, after, "is no member of the contract for %s", type);
        else
            pipeline_part(d, after);
    }
}

static void values(struct decoding *d) {
    decode_one_of(d, d->root, "level", "INFO SUCCESS WARN ERROR");
    decode_one_of(d, d->root, "activity_type",
                  "bb.issue.create bb.issue.status.update bb.pipeline.stage.status.update "
                  "bb.pipeline.task.status.update bb.issue.field.update bb.issue.comment.create");
    decode_filled(d, decode_may(d, d->root, "title", cJSON_String));
    const cJSON *created = decode_may(d, d->root, "created_ts", cJSON_Number);
    if (created && created->valuedouble > 1e11)
        decode_fail(d, created, "is no time in seconds");
    const cJSON *link = decode_may(d, d->root, "link", cJSON_String);
    const char *expected = d->expect->link ? d->expect->link : "";
    if (link && !decode_same_url(link->valuestring, strlen(link->valuestring), expected))
        decode_fail(d, link, "is '%s', not '%s'", link->valuestring, expected);
    const cJSON *issue = cJSON_GetObjectItemCaseSensitive(d->root, "issue");
    const cJSON *status = cJSON_GetObjectItemCaseSensitive(issue, "status");
    bool is_given = !cJSON_IsString(status) || *status->valuestring; /* "" when it is not */
    if (cJSON_IsObject(issue) && is_given)
        decode_one_of(d, issue, "status", "OPEN DONE CANCELED");
}

void decode_custom(struct decoding *d) {
    static const struct member root[] = {
        {"level", cJSON_String},        {"activity_type", cJSON_String},
        {"title", cJSON_String},        {"description", cJSON_String},
        {"link", cJSON_String},         {"creator_id", cJSON_Number},
        {"creator_name", cJSON_String}, {"created_ts", cJSON_Number}};
    static const struct member issue[] = {{"id", cJSON_Number},
                                          {"name", cJSON_String},
                                          {"status", cJSON_String},
                                          {"type", cJSON_String},
                                          {"description", cJSON_String}};
    static const struct member project[] = {{"id", cJSON_Number}, {"name", cJSON_String}};
    static const char *const parts[] = {"issue", "project"};
    const cJSON *next = members(d, d->root, root, sizeof(root) / sizeof(root[0]));
    for (size_t i = 0; i < 2; i++) {
        if (!next || strcmp(next->string, parts[i]) != 0)
            decode_fail(d, next ? next : d->root, "is not followed by %s", parts[i]);
        next = next ? next->next : NULL;
    }
    part(d, "issue", issue, sizeof(issue) / sizeof(issue[0]));
    part(d, "project", project, sizeof(project) / sizeof(project[0]));
    values(d);
    pipeline(d, next);
}
