/* How the webhooks stand at the end of background delivery: what they got, what is left, why. */
#ifndef BB_NOTIFY_STANDINGS_H
#define BB_NOTIFY_STANDINGS_H

#include "ledger.h"
#include "session.h"

/* Whether everything that is left waits for webhooks that are disabled. */
bool standings_are_stuck(const struct session *session);

/* A row of the table for each webhook that something was enqueued for, or waited for in the outbox.
 * With JSON, a complaint about each that something is left for. */
void standings_tell(struct session *session, const struct ledger *ledger);

/* Prints the Prometheus text: by itself, or as the last JSON line. */
void standings_print_statistics(struct session *session);

#endif
