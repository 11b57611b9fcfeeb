/* bb-notify --background: the events are handed over, and delivered while the reading goes on. One
 * thread: a poll loop over the dispatcher, the events and the signals. */
#ifndef BB_NOTIFY_BACKGROUND_H
#define BB_NOTIFY_BACKGROUND_H

#include "session.h"

/* Returns the program's exit code when nothing waits any more, or it was stopped. */
int background_run(struct session *session);

/* The dispatcher's `notify`; `user` is the session. */
void background_notice(void *user, const bb_notice *notice);

#endif
