/* The verbs list, replay and purge: what became of deliveries that ended without a success. Each
 * returns the program's exit code. None of them sends anything. */
#ifndef BB_NOTIFY_DEAD_H
#define BB_NOTIFY_DEAD_H

#include "session.h"

int dead_list_run(struct session *session);
int dead_replay_run(struct session *session);
int dead_purge_run(struct session *session);

#endif
