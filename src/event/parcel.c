#include "event/parcel.h"

#include <inttypes.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "event/event_json.h"

enum { REMEMBERED = 32 };

/* Goes over the event twice: first to measure (no block yet), then to copy. Structs come before
 * texts, so that only they need aligning. */
struct packer {
    char *block; /* NULL: only measure */
    size_t used;
    uint32_t lengths[REMEMBERED]; /* of the first texts, as they were measured */
    size_t texts;
};

static void *pack(struct packer *p, const void *from, size_t size) {
    void *to = p->block ? p->block + p->used : NULL;
    if (to)
        memcpy(to, from, size);
    p->used += size;
    return to;
}

static void *pack_struct(struct packer *p, const void *from, size_t size) {
    size_t unit = alignof(max_align_t);
    p->used = (p->used + unit - 1) / unit * unit;
    return from ? pack(p, from, size) : NULL;
}

static size_t length_of(struct packer *p, const char *text) {
    size_t i = p->texts++;
    if (p->block && i < REMEMBERED)
        return p->lengths[i];
    size_t length = strnlen(text, BB_TEXT_MAX);
    if (i < REMEMBERED)
        p->lengths[i] = (uint32_t)length;
    return length;
}

static void pack_text(struct packer *p, const char **text) {
    if (!*text)
        return;
    size_t length = length_of(p, *text);
    char *copy = pack(p, *text, length);
    pack(p, "", 1);
    if (copy)
        *text = copy;
}

/* What the copy consists of: writable, because its pointers are moved. */
struct parts {
    bb_event *event;
    bb_user *creator;
    bb_issue *issue;
    bb_project *project;
    bb_field *field;
    bb_stage *stage;
    bb_task *task;
    bb_mention **mentions;
};

#define PACK_PART(member) parts->member = pack_struct(p, from->member, sizeof *parts->member)

static void pack_structs(struct packer *p, const bb_event *from, struct parts *parts) {
    parts->event = pack_struct(p, from, sizeof *from);
    PACK_PART(creator);
    PACK_PART(issue);
    PACK_PART(project);
    PACK_PART(field);
    PACK_PART(stage);
    PACK_PART(task);
    parts->mentions = pack_struct(p, from->mentions, from->mention_count * sizeof *parts->mentions);
    for (size_t i = 0; i < from->mention_count; i++) {
        bb_mention *mention = pack_struct(p, from->mentions[i], sizeof *mention);
        if (parts->mentions)
            parts->mentions[i] = mention;
    }
}

static void link_parts(const struct parts *parts) {
    bb_event *event = parts->event;
    event->creator = parts->creator;
    event->issue = parts->issue;
    event->project = parts->project;
    event->field = parts->field;
    event->stage = parts->stage;
    event->task = parts->task;
    event->mentions = (const bb_mention *const *)parts->mentions;
}

/* `text` names one in the copy, or while measuring in the original (whose pointer then is a
 * passing one). */
#define PACK_TEXT(owner, copy, member)                                                             \
    do {                                                                                           \
        const char *passing = (owner)->member;                                                     \
        pack_text(p, (copy) ? &(copy)->member : &passing);                                         \
    } while (0)

static void pack_issue_texts(struct packer *p, const bb_event *from, const struct parts *to) {
    if (from->creator) {
        PACK_TEXT(from->creator, to->creator, name);
        PACK_TEXT(from->creator, to->creator, email);
    }
    if (from->project)
        PACK_TEXT(from->project, to->project, name);
    if (from->issue) {
        PACK_TEXT(from->issue, to->issue, name);
        PACK_TEXT(from->issue, to->issue, type);
        PACK_TEXT(from->issue, to->issue, description);
    }
    if (from->field) {
        PACK_TEXT(from->field, to->field, name);
        PACK_TEXT(from->field, to->field, old_value);
        PACK_TEXT(from->field, to->field, new_value);
    }
}

static void pack_pipeline_texts(struct packer *p, const bb_event *from, const struct parts *to) {
    if (from->stage)
        PACK_TEXT(from->stage, to->stage, name);
    if (from->task) {
        PACK_TEXT(from->task, to->task, name);
        PACK_TEXT(from->task, to->task, old_status);
        PACK_TEXT(from->task, to->task, status);
        PACK_TEXT(from->task, to->task, detail);
        PACK_TEXT(from->task, to->task, skipped_reason);
    }
}

static void pack_mention_texts(struct packer *p, const bb_mention *from, bb_mention *to) {
    PACK_TEXT(from, to, name);
    PACK_TEXT(from, to, slack);
    PACK_TEXT(from, to, discord);
    PACK_TEXT(from, to, teams);
    PACK_TEXT(from, to, dingtalk);
    PACK_TEXT(from, to, phone);
    PACK_TEXT(from, to, feishu);
    PACK_TEXT(from, to, wecom);
}

static void pack_texts(struct packer *p, const bb_event *from, const struct parts *to) {
    PACK_TEXT(from, to->event, id);
    PACK_TEXT(from, to->event, title);
    PACK_TEXT(from, to->event, description);
    PACK_TEXT(from, to->event, link);
    PACK_TEXT(from, to->event, comment);
    pack_issue_texts(p, from, to);
    pack_pipeline_texts(p, from, to);
    for (size_t i = 0; i < from->mention_count; i++)
        pack_mention_texts(p, from->mentions[i], to->mentions ? to->mentions[i] : NULL);
}

static void pack_event(struct packer *p, const bb_event *event, struct parts *parts) {
    p->used = sizeof(struct bb_parcel);
    p->texts = 0;
    pack_structs(p, event, parts);
    if (p->block)
        link_parts(parts);
    pack_texts(p, event, parts);
}

static struct bb_parcel *parcel_of_size(const bb_allocator *mem, size_t size) {
    struct bb_parcel *parcel = bb_mem_alloc(mem, size);
    if (!parcel)
        return NULL;
    memset(parcel, 0, sizeof *parcel);
    atomic_init(&parcel->references, 1);
    parcel->size = size;
    parcel->mem = mem;
    return parcel;
}

struct bb_parcel *bb_parcel_new(const bb_allocator *mem, const bb_event *event) {
    struct packer packer = {0};
    struct parts parts;
    pack_event(&packer, event, &parts);
    struct bb_parcel *parcel = parcel_of_size(mem, packer.used);
    if (!parcel)
        return NULL;
    packer.block = (char *)parcel;
    pack_event(&packer, event, &parts);
    parcel->event = parts.event;
    return parcel;
}

/* ---- JSON ---- */

struct bb_parcel *bb_parcel_of_json(const bb_allocator *mem, int64_t number, const char *json,
                                    size_t length) {
    struct bb_parcel *parcel = parcel_of_size(mem, sizeof *parcel + length);
    if (!parcel)
        return NULL;
    if (length > 0)
        memcpy(parcel + 1, json, length);
    parcel->json = (const char *)(parcel + 1);
    parcel->length = length;
    snprintf(parcel->id, sizeof parcel->id, "evt_sql_%" PRId64, number);
    return parcel;
}

const bb_event *bb_parcel_open(struct bb_parcel *parcel, bb_error *error) {
    if (parcel->event ||
        bb_event_parse(parcel->mem, parcel->json, parcel->length, &parcel->document, error))
        return parcel->event;
    return parcel->event = bb_event_doc_named(parcel->document, parcel->id);
}

void bb_parcel_close(struct bb_parcel *parcel) {
    if (!parcel->document)
        return;
    bb_event_doc_free(parcel->document);
    parcel->document = NULL;
    parcel->event = NULL;
}

struct bb_parcel *bb_parcel_read(const bb_allocator *mem, int64_t number, const char *json,
                                 size_t length, bb_error *error) {
    struct bb_parcel *parcel = bb_parcel_of_json(mem, number, json, length);
    if (!parcel)
        bb_fail_memory(error);
    if (parcel && bb_parcel_open(parcel, error))
        return parcel;
    bb_parcel_release(parcel);
    return NULL;
}

/* ---- life ---- */

struct bb_parcel *bb_parcel_retain(struct bb_parcel *parcel) {
    atomic_fetch_add_explicit(&parcel->references, 1, memory_order_relaxed);
    return parcel;
}

void bb_parcel_release(struct bb_parcel *parcel) {
    if (!parcel || atomic_fetch_sub_explicit(&parcel->references, 1, memory_order_acq_rel) > 1)
        return;
    bb_parcel_close(parcel);
    bb_mem_free(parcel->mem, parcel);
}
