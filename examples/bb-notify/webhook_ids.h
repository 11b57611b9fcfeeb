/* The dispatcher wants an id of its own for each webhook, the configuration file
 * only a name, which projects may share. */
#ifndef BB_NOTIFY_WEBHOOK_IDS_H
#define BB_NOTIFY_WEBHOOK_IDS_H

#include "members.h"

#include <bb_webhook.h>

/* Gives each webhook without an id its name, or, where that is taken, the name
 * with "#" and its place in the file (from 1). `list` holds the webhooks' JSON
 * in the same order, and keeps the ids that are made. */
bool webhook_ids_assign(bb_webhook *webhooks, size_t count, const cJSON *list,
                        struct mistake *mistake);

#endif
