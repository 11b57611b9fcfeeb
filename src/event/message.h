/*
 * The neutral rendering of an event in one language: what a room is told,
 * before any product's shape. All text in it is repaired; nothing is escaped.
 */
#ifndef BB_EVENT_MESSAGE_H
#define BB_EVENT_MESSAGE_H

#include "event/event.h"
#include "event/words.h"

/* What had to be shortened or left out, named as users read it. */
struct bb_cuts {
    const char *names[24]; /* static strings, each once */
    size_t count;
};

void bb_cuts_add(struct bb_cuts *cuts, const char *name);

struct bb_fact {
    enum bb_label kind;
    const char *label; /* in the message's language */
    const char *name;  /* for bb_cuts: "issue_description" */
    const char *value; /* never empty */
    bool is_cut;       /* it is not all of the event's text */
    bool is_long;      /* an excerpt, of several lines; the others are names and words */
};

enum {
    BB_EXCERPT_GRAPHEMES = 450, /* issue description and result detail */
    BB_LINK_MAX = 2000          /* bytes, ( and ) counted as the three that they take in
                                   markdown; Discord takes 2,048, a link is never cut */
};

struct bb_message {
    const bb_event *event; /* what it was made from; its text is not repaired */
    bb_language language;
    bb_level level;
    const char *title;       /* one line, never empty */
    const char *description; /* lines; "" when there is none */
    const char *link;        /* http(s), printable ASCII or UTF-8, safe in quotes; "" */
    int64_t created_ts;      /* seconds */
    struct bb_fact facts[BB_LABEL_COUNT];
    size_t fact_count;
    const bb_mention *mentions; /* names repaired; ids only of the characters that
                                   ids have, else NULL */
    size_t mention_count;
    bool everyone;
    bool is_complete;
    struct bb_cuts cuts;
};

/*
 * Makes the message; its text lives in `arena`. `event` is one that bb_event_read
 * has given. False when out of memory. In two steps for those who need no more than
 * the first: title, level, description and link; then facts and mentions.
 */
bool bb_message_make(struct bb_message *message, struct bb_arena *arena, const bb_event *event,
                     bb_language language);
bool bb_message_begin(struct bb_message *message, struct bb_arena *arena, const bb_event *event,
                      bb_language language);
bool bb_message_complete(struct bb_message *message, struct bb_arena *arena);

/* The level that `event` has, given or derived. */
bb_level bb_event_level(const bb_event *event);

#endif
