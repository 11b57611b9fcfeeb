/* The verb stats: what waits in the outbox. */
#ifndef BB_NOTIFY_OUTBOX_STATS_H
#define BB_NOTIFY_OUTBOX_STATS_H

#include "session.h"

/* Returns the program's exit code. */
int outbox_stats_run(struct session *session);

#endif
