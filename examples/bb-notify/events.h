/* The events file: one JSON object a line. */
#ifndef BB_NOTIFY_EVENTS_H
#define BB_NOTIFY_EVENTS_H

#include "lines.h"

#include <bb_webhook.h>
#include <stdbool.h>

enum event_kind {
    EVENTS_END,   /* or reading failed: `failure` is set */
    EVENTS_EVENT, /* `event` is set, until the next call */
    EVENTS_BAD,   /* a line that is no event: `problem` is set */
    EVENTS_PART   /* of events_take only: the rest of the line must be read first */
};

struct events {
    const char *name; /* of the file, for messages */
    struct lines lines;
    bb_event_doc *document;
    const bb_event *event;
    bb_error problem;
    int failure; /* errno of what ended the reading too early; else 0 */
};

/* Opens `path`, or standard input for "-". False, with `failure` set, if it cannot
 * be read. Close in either case. */
bool events_open(struct events *events, const char *path);
void events_close(struct events *events);

/* Reads on to the next line that is not blank. */
enum event_kind events_next(struct events *events);

/* The same of what lines_read(&events->lines) has read already. */
enum event_kind events_take(struct events *events);

#endif
