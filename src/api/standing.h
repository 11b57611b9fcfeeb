/* What answers have said of a webhook: paused, disabled, or neither. */
#ifndef BB_API_STANDING_H
#define BB_API_STANDING_H

#include "api/dispatcher.h"

/* Takes in what an outcome says of the webhook itself. */
void bb_standing_note(struct bb_dispatcher *dispatcher, struct bb_hook *hook,
                      const bb_outcome *outcome, int64_t now_ms);

/* Whether nothing may be sent now; then `outcome` says why and how long. */
bool bb_standing_forbids(struct bb_dispatcher *dispatcher, struct bb_hook *hook, int64_t now_ms,
                         bb_outcome *outcome);

void bb_standing_clear(struct bb_dispatcher *dispatcher, struct bb_hook *hook);

void bb_standing_read(struct bb_dispatcher *dispatcher, struct bb_hook *hook, int64_t now_ms,
                      bb_webhook_status *status);

#endif
