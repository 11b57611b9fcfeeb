/* The verb deliver: what waits in the outbox is sent. One thread: a poll loop over the dispatcher
 * and the signals. */
#ifndef BB_NOTIFY_DELIVER_H
#define BB_NOTIFY_DELIVER_H

#include "session.h"

/* Returns the program's exit code when nothing is left that can be sent now, or it was stopped. */
int deliver_run(struct session *session);

/* The dispatcher's `notify`; `user` is the session. */
void deliver_notice(void *user, const bb_notice *notice);

#endif
