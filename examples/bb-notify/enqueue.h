/* The verb enqueue: the events of a file go into the outbox, nothing is sent. */
#ifndef BB_NOTIFY_ENQUEUE_H
#define BB_NOTIFY_ENQUEUE_H

#include "session.h"

/* Returns the program's exit code. */
int enqueue_run(struct session *session);

#endif
