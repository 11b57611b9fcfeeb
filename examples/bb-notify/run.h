/* What bb-notify does for the modes that need a configuration. Each returns the
 * program's exit code. */
#ifndef BB_NOTIFY_RUN_H
#define BB_NOTIFY_RUN_H

#include "events.h"
#include "session.h"

/* Posts every event of the events file, or prints the requests of a dry run. */
int run_events(struct session *session);

/* Complains about the line that was read last. */
void run_tell_problem(struct session *session, const struct events *events, const char *text);

/* Sends the test message to each webhook that --test names. */
int run_test(struct session *session);

#endif
