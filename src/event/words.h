/* Every word that the library itself says in a room, in each language. */
#ifndef BB_EVENT_WORDS_H
#define BB_EVENT_WORDS_H

#include "base/arena.h"

/* Titles: what follows " - " is the issue's, stage's or task's name. */
enum bb_title {
    BB_TITLE_ISSUE_CREATED,
    BB_TITLE_ISSUE_REOPENED,
    BB_TITLE_ISSUE_RESOLVED,
    BB_TITLE_ISSUE_CANCELED,
    BB_TITLE_ISSUE_UPDATED, /* also for what has no title of its own */
    BB_TITLE_REASSIGNED,    /* {a} to {b} */
    BB_TITLE_ASSIGNED,      /* to {b} */
    BB_TITLE_UNASSIGNED,    /* from {a} */
    BB_TITLE_DESCRIPTION_CHANGED,
    BB_TITLE_NAME_CHANGED,
    BB_TITLE_COMMENT_CREATED,
    BB_TITLE_STAGE_BEGINS,
    BB_TITLE_STAGE_ENDS,
    BB_TITLE_STAGE_FAILED,
    BB_TITLE_STAGE_CHANGED,
    BB_TITLE_TASK_APPROVED,
    BB_TITLE_TASK_CANCELED,
    BB_TITLE_TASK_STARTED,
    BB_TITLE_TASK_COMPLETED,
    BB_TITLE_TASK_SKIPPED,
    BB_TITLE_TASK_FAILED,
    BB_TITLE_TASK_CHANGED,
    BB_TITLE_TEST, /* the webhook's name follows */
    BB_TITLE_COUNT
};

/* Labels, in the order in which facts are shown. */
enum bb_label {
    BB_LABEL_PROJECT,
    BB_LABEL_ISSUE,
    BB_LABEL_ISSUE_DESCRIPTION,
    BB_LABEL_STAGE,
    BB_LABEL_TASK,
    BB_LABEL_STATUS,
    BB_LABEL_RESULT_DETAIL,
    BB_LABEL_BY,
    BB_LABEL_COUNT
};

/* `pattern` with {a} and {b} replaced; NULL when out of memory or one is NULL. */
char *bb_word_expand(struct bb_arena *arena, const char *pattern, const char *a, const char *b);

/* Static; never NULL. Language 0 is English. */
const char *bb_word_title(bb_language language, enum bb_title title);
const char *bb_word_label(bb_language language, enum bb_label label);
const char *bb_word_colon(bb_language language); /* ": " or its fullwidth form */
const char *bb_word_button(bb_language language);
const char *bb_word_everyone(bb_language language); /* where a product cannot notify a room */
const char *bb_word_test(bb_language language);     /* "This is a test of webhook {a}." */

#endif
