/* The event as JSON: one table says how each member is spelled, both ways. */
#include "event/event_json.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "event/event.h"

enum kind { TEXT, INTEGER, FLAG, ACTIVITY, LEVEL, ISSUE_STATUS, STAGE_STATUS };

struct member {
    struct bb_json_key key;
    enum kind kind;
    size_t offset;
};

#define MEMBER(type, field, name, kind)                                                            \
    { {name, sizeof(name) - 1}, kind, offsetof(type, field) }
#define END_OF_MEMBERS                                                                             \
    { {NULL, 0}, TEXT, 0 }

static const struct member event_members[] = {
    MEMBER(bb_event, id, "id", TEXT),
    MEMBER(bb_event, activity, "activity_type", ACTIVITY),
    MEMBER(bb_event, level, "level", LEVEL),
    MEMBER(bb_event, title, "title", TEXT),
    MEMBER(bb_event, description, "description", TEXT),
    MEMBER(bb_event, link, "link", TEXT),
    MEMBER(bb_event, created_ts, "created_ts", INTEGER),
    MEMBER(bb_event, comment, "comment", TEXT),
    END_OF_MEMBERS,
};
static const struct member user_members[] = {
    MEMBER(bb_user, id, "id", INTEGER),
    MEMBER(bb_user, name, "name", TEXT),
    MEMBER(bb_user, email, "email", TEXT),
    END_OF_MEMBERS,
};
static const struct member project_members[] = {
    MEMBER(bb_project, id, "id", INTEGER),
    MEMBER(bb_project, name, "name", TEXT),
    END_OF_MEMBERS,
};
static const struct member issue_members[] = {
    MEMBER(bb_issue, id, "id", INTEGER),
    MEMBER(bb_issue, name, "name", TEXT),
    MEMBER(bb_issue, status, "status", ISSUE_STATUS),
    MEMBER(bb_issue, type, "type", TEXT),
    MEMBER(bb_issue, description, "description", TEXT),
    END_OF_MEMBERS,
};
static const struct member field_members[] = {
    MEMBER(bb_field, name, "name", TEXT),
    MEMBER(bb_field, old_value, "old", TEXT),
    MEMBER(bb_field, new_value, "new", TEXT),
    END_OF_MEMBERS,
};
static const struct member stage_members[] = {
    MEMBER(bb_stage, id, "id", INTEGER),
    MEMBER(bb_stage, name, "name", TEXT),
    MEMBER(bb_stage, status, "status", STAGE_STATUS),
    MEMBER(bb_stage, failed_tasks, "failed_tasks", INTEGER),
    END_OF_MEMBERS,
};
static const struct member task_members[] = {
    MEMBER(bb_task, id, "id", INTEGER),
    MEMBER(bb_task, name, "name", TEXT),
    MEMBER(bb_task, old_status, "old_status", TEXT),
    MEMBER(bb_task, status, "status", TEXT),
    MEMBER(bb_task, detail, "detail", TEXT),
    MEMBER(bb_task, skipped_reason, "skipped_reason", TEXT),
    END_OF_MEMBERS,
};
static const struct member mention_members[] = {
    MEMBER(bb_mention, name, "name", TEXT),         MEMBER(bb_mention, slack, "slack", TEXT),
    MEMBER(bb_mention, discord, "discord", TEXT),   MEMBER(bb_mention, teams, "teams", TEXT),
    MEMBER(bb_mention, dingtalk, "dingtalk", TEXT), MEMBER(bb_mention, phone, "phone", TEXT),
    MEMBER(bb_mention, feishu, "feishu", TEXT),     MEMBER(bb_mention, wecom, "wecom", TEXT),
    MEMBER(bb_mention, everyone, "everyone", FLAG), END_OF_MEMBERS,
};

/* The structs that an event points to. */
struct part {
    const char *name;
    const struct member *members;
    size_t offset; /* of the pointer in bb_event */
    size_t size;
};

static const struct part parts[] = {
    {"creator", user_members, offsetof(bb_event, creator), sizeof(bb_user)},
    {"issue", issue_members, offsetof(bb_event, issue), sizeof(bb_issue)},
    {"project", project_members, offsetof(bb_event, project), sizeof(bb_project)},
    {"field", field_members, offsetof(bb_event, field), sizeof(bb_field)},
    {"stage", stage_members, offsetof(bb_event, stage), sizeof(bb_stage)},
    {"task", task_members, offsetof(bb_event, task), sizeof(bb_task)},
};
enum { PART_COUNT = sizeof parts / sizeof *parts };
enum { USUAL_PARTS = 512 }; /* bytes: one small block, which allocators are quick with */

/* ---- parse ---- */

struct bb_event_doc {
    bb_allocator mem;
    struct bb_arena arena;
    struct bb_value *json; /* the event's strings are its */
    bb_event event;
};

static bool read_name(const struct bb_value *value, enum kind kind, int *out) {
    const char *name = bb_json_text(value);
    if (kind == ACTIVITY)
        *out = (int)bb_activity_from_name(name);
    else if (kind == LEVEL)
        *out = (int)bb_level_from_name(name);
    else if (kind == ISSUE_STATUS)
        *out = (int)bb_issue_status_from_name(name);
    else
        *out = (int)bb_stage_status_from_name(name);
    return *out != 0;
}

static const char *read_value(const struct bb_value *value, enum kind kind, void *out) {
    switch (kind) {
    case TEXT:
        *(const char **)out = bb_json_text(value);
        return *(const char **)out ? NULL : "is not a string";
    case INTEGER:
        return bb_json_int64(value, out) ? NULL : "is not a whole number";
    case FLAG:
        *(int *)out = bb_json_is_true(value);
        return bb_json_is_bool(value) ? NULL : "is neither true nor false";
    default:
        return read_name(value, kind, out) ? NULL : "has a value that is not known";
    }
}

static bool is_empty_text(const struct bb_value *value) {
    const char *text = bb_json_text(value);
    return text && !*text;
}

static int read_members(const struct bb_value *object, const struct member *members, void *out,
                        const char *where, bb_error *error) {
    const char *dot = *where ? "." : "";
    if (!bb_json_is_object(object))
        return bb_fail(error, BB_ERR_EVENT, "%s is not an object", where);
    for (; members->key.text; members++) {
        const struct bb_value *value = bb_json_get(object, members->key.text);
        if (bb_json_is_null(value) || is_empty_text(value))
            continue;
        const char *wrong = read_value(value, members->kind, (char *)out + members->offset);
        if (wrong)
            return bb_fail(error, BB_ERR_EVENT, "%s%s%s %s%s%.60s", where, dot, members->key.text,
                           wrong, bb_json_text(value) ? ": " : "",
                           bb_json_text(value) ? bb_json_text(value) : "");
    }
    return BB_OK;
}

/* A zeroed struct that begins with its struct_size. */
static void *new_struct(struct bb_arena *arena, size_t size) {
    void *made = bb_arena_zalloc(arena, size);
    if (made)
        memcpy(made, &size, sizeof size);
    return made;
}

static int read_part(struct bb_event_doc *doc, const struct part *part, bb_error *error) {
    const struct bb_value *value = bb_json_get(doc->json, part->name);
    if (bb_json_is_null(value))
        return BB_OK;
    void *made = new_struct(&doc->arena, part->size);
    if (!made)
        return bb_fail_memory(error);
    memcpy((char *)&doc->event + part->offset, &made, sizeof made);
    return read_members(value, part->members, made, part->name, error);
}

static int read_mention(struct bb_arena *arena, const struct bb_value *value,
                        const bb_mention **out, bb_error *error) {
    bb_mention *mention = new_struct(arena, sizeof *mention);
    *out = mention;
    if (!mention)
        return bb_fail_memory(error);
    const char *word = bb_json_text(value);
    if (word && strcmp(word, "everyone") == 0) {
        mention->everyone = 1;
        return BB_OK;
    }
    return read_members(value, mention_members, mention, "mentions[]", error);
}

static int read_mentions(struct bb_event_doc *doc, bb_error *error) {
    const struct bb_value *list = bb_json_get(doc->json, "mentions");
    if (bb_json_is_null(list))
        return BB_OK;
    if (!bb_json_is_array(list))
        return bb_fail(error, BB_ERR_EVENT, "mentions is not a list");
    const bb_mention **mentions = bb_arena_zalloc(&doc->arena, BB_MENTIONS_MAX * sizeof *mentions);
    if (!mentions)
        return bb_fail_memory(error);
    size_t count = 0;
    for (const struct bb_value *v = bb_json_first(list); v; v = bb_json_next(v)) {
        if (bb_json_is_null(v) || count == BB_MENTIONS_MAX)
            continue;
        int code = read_mention(&doc->arena, v, &mentions[count++], error);
        if (code)
            return code;
    }
    doc->event.mentions = mentions;
    doc->event.mention_count = count;
    return BB_OK;
}

static int read_event(struct bb_event_doc *doc, bb_error *error) {
    if (!bb_json_is_object(doc->json))
        return bb_fail(error, BB_ERR_EVENT, "the event is not a JSON object");
    int code = read_members(doc->json, event_members, &doc->event, "", error);
    for (size_t i = 0; code == BB_OK && i < PART_COUNT; i++)
        code = read_part(doc, &parts[i], error);
    if (code == BB_OK)
        code = read_mentions(doc, error);
    if (code == BB_OK && !doc->event.activity)
        code = bb_fail(error, BB_ERR_EVENT, "activity_type is missing");
    return code;
}

int bb_event_parse(const bb_allocator *allocator, const char *json, size_t length,
                   bb_event_doc **document, bb_error *error) {
    bb_allocator mem;
    if (!json || !document)
        return bb_fail(error, BB_ERR_ARGUMENT, "json or document is NULL");
    *document = NULL;
    int code = bb_allocator_read(&mem, allocator, error);
    if (code)
        return code;
    struct bb_event_doc *doc = bb_mem_zalloc(&mem, sizeof *doc);
    if (!doc)
        return bb_fail_memory(error);
    doc->mem = mem;
    bb_arena_init(&doc->arena, &doc->mem);
    doc->event.struct_size = sizeof doc->event;
    doc->json = bb_json_parse(&doc->arena, json, length);
    bb_arena_expect(&doc->arena, USUAL_PARTS);
    if (doc->json)
        code = read_event(doc, error);
    else if (doc->arena.failed)
        code = bb_fail_memory(error);
    else
        code = bb_fail(error, BB_ERR_EVENT, "the event is not JSON");
    if (code)
        bb_event_doc_free(doc);
    else
        *document = doc;
    return code;
}

const bb_event *bb_event_doc_event(const bb_event_doc *document) {
    return document ? &document->event : NULL;
}

const bb_event *bb_event_doc_named(bb_event_doc *document, const char *id) {
    if (!document->event.id || !*document->event.id)
        document->event.id = id;
    return &document->event;
}

void bb_event_doc_free(bb_event_doc *document) {
    if (!document)
        return;
    bb_allocator mem = document->mem;
    bb_json_free(document->json);
    bb_arena_free(&document->arena);
    bb_mem_free(&mem, document);
}

/* ---- print ---- */

static const char *name_of(enum kind kind, int value) {
    if (kind == ACTIVITY)
        return bb_activity_name((bb_activity)value);
    if (kind == LEVEL)
        return bb_level_name((bb_level)value);
    if (kind == ISSUE_STATUS)
        return bb_issue_status_name((bb_issue_status)value);
    return bb_stage_status_name((bb_stage_status)value);
}

/* Where the texts of one document go, and how long each may be. */
struct printer {
    struct bb_json json;
    struct bb_arena *arena;
    size_t text_max;
};

static void print_text(struct printer *p, struct bb_json_key key, const char *text) {
    bool cut = false;
    if (!text || !*text || bb_json_push_plain(&p->json, key, text, p->text_max))
        return;
    const char *repaired = bb_text_repaired(p->arena, text, p->text_max, &cut);
    if (!repaired || *repaired) /* of control characters nothing is left */
        bb_json_push_text(&p->json, key, repaired);
}

static void print_member(struct printer *p, const struct member *member, const void *at) {
    switch (member->kind) {
    case TEXT:
        print_text(p, member->key, *(const char *const *)at);
        break;
    case INTEGER:
        if (*(const int64_t *)at)
            bb_json_push_integer(&p->json, member->key, *(const int64_t *)at);
        break;
    case FLAG:
        if (*(const int *)at)
            bb_json_push_word(&p->json, member->key, "true");
        break;
    default:
        print_text(p, member->key, name_of(member->kind, *(const int *)at));
    }
}

static void print_members(struct printer *p, const struct member *members, const void *from) {
    for (; members->key.text; members++)
        print_member(p, members, (const char *)from + members->offset);
}

static void print_mentions(struct printer *p, const bb_event *event) {
    enum { MENTION_TEXT_MAX = 4096 }; /* names and ids, and there may be a hundred */
    if (event->mention_count == 0)
        return;
    p->text_max = MENTION_TEXT_MAX;
    bb_json_array(&p->json, "mentions");
    for (size_t i = 0; i < event->mention_count; i++) {
        bb_json_object(&p->json, NULL);
        print_members(p, mention_members, event->mentions[i]);
        bb_json_end(&p->json);
    }
    bb_json_end(&p->json);
}

bool bb_event_json(const bb_event *event, struct bb_arena *arena, struct bb_buf *out) {
    struct printer p = {.arena = arena, .text_max = BB_TEXT_MAX};
    bb_json_begin(&p.json, out);
    print_members(&p, event_members, event);
    for (size_t i = 0; i < PART_COUNT; i++) {
        const void *part = *(const void *const *)((const char *)event + parts[i].offset);
        if (!part)
            continue;
        bb_json_object(&p.json, parts[i].name);
        print_members(&p, parts[i].members, part);
        bb_json_end(&p.json);
    }
    print_mentions(&p, event);
    return bb_json_finish(&p.json);
}

static int print_event(const bb_event *event, struct bb_arena *arena, struct bb_buf *buf,
                       bb_error *error) {
    struct bb_event_view view;
    int code = bb_event_read(&view, arena, event, error);
    if (code == BB_OK && !bb_event_json(&view.event, arena, buf))
        code = bb_fail_memory(error);
    return code;
}

int bb_event_print(const bb_event *event, char *out, size_t size, size_t *length, bb_error *error) {
    if (!length || (!out && size))
        return bb_fail(error, BB_ERR_ARGUMENT, "out or length is NULL");
    struct bb_arena arena;
    struct bb_buf buf;
    bb_arena_init(&arena, &bb_mem_default);
    bb_buf_init(&buf, &bb_mem_default, BB_EVENT_JSON_MAX);
    int code = print_event(event, &arena, &buf, error);
    if (code == BB_OK) {
        *length = buf.length;
        if (buf.length < size)
            memcpy(out, buf.data, buf.length + 1);
        else
            code = bb_fail(error, BB_ERR_TOO_LARGE, "out has room for %zu bytes, %zu are needed",
                           size, buf.length + 1);
    }
    bb_buf_free(&buf);
    bb_arena_free(&arena);
    return code;
}
