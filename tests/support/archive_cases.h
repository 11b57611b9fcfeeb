/*
 * What any outbox that keeps events keeps besides what waits: dead letters, attempts; and what
 * plain SQL can do. A program runs all of it over its kind of outbox, and adds what only that kind
 * has.
 */
#ifndef SUPPORT_ARCHIVE_CASES_H
#define SUPPORT_ARCHIVE_CASES_H

#include "support/background.h"

typedef struct archive_kind {
    int (*setup)(void **state); /* cmocka's: *state is a background, the outbox is empty */
    int (*teardown)(void **state);
    bb_outbox *(*open)(background *b); /* with its dispatcher */

    /* A connection of the host's own. */
    void *(*connect)(void);
    void (*disconnect)(void *connection);
    void (*run)(void *connection, const char *sql);
    int (*enqueue)(background *b, void *connection, const bb_event *event,
                   const bb_enqueue_options *options);

    int64_t (*count)(const char *table); /* its rows */
    const char *const *tables; /* events first: empty when nothing is kept; NULL */
} archive_kind;

/* Runs every case. Returns how many failed. */
int archive_cases_run(const archive_kind *kind);

/* ---- what the cases are written with */

/* The dead letters, and the last one of them. */
typedef struct archive_letters {
    size_t count;
    int64_t number;
    int attempts;
    char webhook_id[32];
    char reason[256];
    char event[1024];
} archive_letters;
archive_letters archive_look(bb_outbox *outbox, const bb_dead_filter *filter);

#endif
