/* What one run has at hand: the configuration, a dispatcher that holds its
 * webhooks, and the outputs. */
#ifndef BB_NOTIFY_SESSION_H
#define BB_NOTIFY_SESSION_H

#include "config.h"
#include "options.h"
#include "outbox.h"
#include "progress.h"
#include "table.h"
#include "tally.h"

struct background;
struct deliver;

struct session {
    const struct options *options;
    struct config config;
    struct outbox outbox; /* with --outbox */
    bb_dispatcher *dispatcher;
    struct table table; /* unless JSON is asked for */
    struct progress progress;
    struct tally tally;
    bool output_lost;              /* standard output takes no more */
    struct background *background; /* while events are delivered in it; else NULL */
    struct deliver *deliver;       /* while the outbox is delivered; else NULL */
};

/* False if the configuration is wrong, which is told then. Close in either case. */
bool session_open(struct session *session, const struct options *options);
void session_close(struct session *session);

/* Prints and counts the rows of a report. `line` is the event's, 0 for none. */
void session_tell_report(struct session *session, const bb_report *report, unsigned long line);

/* To be called when something was printed: finds out whether it could be. */
void session_flush(struct session *session);

/* Sums up, and returns the program's exit code. */
int session_finish(struct session *session);

#endif
