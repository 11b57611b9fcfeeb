/*
 * Sample webhooks and events: one webhook of each type that its product would
 * know, one event for each way in which a title is derived, and a table of every
 * text that an event can carry, so that tests can go over all of them.
 */
#ifndef SUPPORT_SAMPLES_H
#define SUPPORT_SAMPLES_H

#include "bb_webhook.h"

/* 2023-11-14T22:13:20Z: when every sample happened and is prepared. */
#define SAMPLE_TIME INT64_C(1700000000)
#define SAMPLE_LINK "https://bb.example.com/issue/101"
#define SAMPLE_ISSUE "Add index to orders"

/* An event and all that it points to. It points into itself: never copied. */
typedef struct sample {
    bb_event event;
    bb_user creator;
    bb_project project;
    bb_issue issue;
    bb_field field;
    bb_stage stage;
    bb_task task;
    bb_mention mention; /* only a name */
    const bb_mention *mentions[1];
} sample;

/* A webhook of that type, for every activity, without a secret. Static strings. */
bb_webhook sample_webhook(bb_type type);

/* When SAMPLE_TIME is, with a delivery id of its own. */
bb_attempt sample_attempt(void);

/* ---- one event for each title */

typedef struct sample_case {
    const char *name;
    const char *title_en; /* what stands before " - " */
    const char *title_zh;
    bb_activity activity;
    bb_level level;
    bb_issue_status issue_status;
    bb_stage_status stage_status;
    int64_t failed_tasks;
    const char *field, *old_value, *new_value;
    const char *old_status, *status, *detail, *skipped_reason;
} sample_case;

extern const sample_case sample_cases[];
extern const size_t sample_case_count;

/* The case, with the parts that its activity usually has. */
void sample_make(sample *s, const sample_case *c);

/* ---- one event with everything */

enum { SAMPLE_ACTIVITIES = 6 };
bb_activity sample_activity(size_t index);

/* Every part is there and every text that can be shown is short. A field event
 * is a new assignee, a task has failed, a stage has ended. */
void sample_fill(sample *s, bb_activity activity);

/* A text of an event. Sets are of bb_activity. */
typedef struct sample_text {
    const char *name;
    size_t offset;     /* of the pointer in a sample */
    size_t hides;      /* offset of the text that would stand in front of it; 0: none */
    uint32_t in_rooms; /* where chats show it */
    uint32_t in_custom;
    const char *cut;        /* its name when it is cut; NULL: never shown */
    const char *cut_custom; /* NULL: as `cut` */
    uint32_t in_title;      /* where it is a part of the title, too */
} sample_text;

extern const sample_text sample_texts[];
extern const size_t sample_text_count;

/* Sets one text of a filled sample, and clears the one that hides it. */
void sample_set(sample *s, const sample_text *text, const char *value);

/* Whether a webhook of that type shows it. */
int sample_shows(const sample_text *text, bb_type type, bb_activity activity);

#endif
