/* Deliveries for people to read: a row for each (in the background: for each webhook), and a line
 * that sums up. */
#ifndef BB_NOTIFY_TABLE_H
#define BB_NOTIFY_TABLE_H

#include "tally.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct table {
    FILE *out;
    size_t name_width;
    bool colours;
    bool begun; /* the heading is printed */
};

/* Colours only on a terminal, and not where NO_COLOR is set. */
void table_start(struct table *table, FILE *out);

/* Makes the column wide enough for `name`, within reason. Before the first row. */
void table_fit_name(struct table *table, const char *name);

/* `line` is the event's in its file; 0: it has none. Rows are of one kind in a table. */
void table_row(struct table *table, const bb_attempt_report *row, unsigned long line);
/* What background delivery came to for one webhook. */
struct table_standing {
    const char *name;
    bb_type type;
    const bb_stats *stats;
    const char *why; /* something is dead or left; "": there is nothing to tell */
};

/* What waits in the outbox for one webhook. */
struct table_waiting {
    const char *name;
    const char *type;
    uint64_t waiting;
    uint64_t leased;    /* that a process is about to send */
    int64_t next_in_ms; /* 0: now, negative: not before one that is leased */
    bool is_stranger;   /* the configuration has no such webhook */
};

/* A dead letter. */
struct table_letter {
    int64_t number;
    const char *died; /* when */
    const char *webhook, *activity, *event_id;
    const char *reason;
    int attempts;
    bb_verdict verdict;
};

void table_letter_row(struct table *table, const struct table_letter *letter);
void table_waiting_row(struct table *table, const struct table_waiting *waiting);
void table_standing_row(struct table *table, const struct table_standing *standing);
void table_summary(struct table *table, const struct tally *tally);

#endif
