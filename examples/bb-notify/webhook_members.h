/* One webhook of the configuration file. */
#ifndef BB_NOTIFY_WEBHOOK_MEMBERS_H
#define BB_NOTIFY_WEBHOOK_MEMBERS_H

#include "members.h"

#include <bb_webhook.h>

/* Reads `json` over what `webhook` holds already. Strings are borrowed from the
 * JSON; the lists are the webhook's: free them with webhook_clear. */
bool webhook_read(const cJSON *json, bb_webhook *webhook, struct mistake *mistake);
void webhook_clear(bb_webhook *webhook);

#endif
