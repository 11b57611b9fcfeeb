/* What is told of notices as they come, whoever drives. */
#ifndef BB_NOTIFY_NOTICES_H
#define BB_NOTIFY_NOTICES_H

#include "session.h"

/* With --json: one line of BB_NOTICE_DELIVERED, _RETRYING or _DEAD. */
void notices_tell_attempt(struct session *session, const bb_notice *notice);

/* On standard error: BB_NOTICE_PAUSED, _DISABLED or _RECOVERED. */
void notices_tell_webhook(struct session *session, const bb_notice *notice);

#endif
