/* The configuration file: which webhooks there are, and how to post to them. */
#ifndef BB_NOTIFY_CONFIG_H
#define BB_NOTIFY_CONFIG_H

#include "members.h"

#include <bb_webhook.h>

struct config {
    bb_options options; /* its `background` and `egress` are the next ones: it is not copied */
    bb_background_options background;
    bb_egress egress;
    uint32_t lease_ms;    /* of --outbox; 0: not given */
    bb_webhook *webhooks; /* in the file's order, each with an id of its own */
    size_t count;
    bb_webhook common; /* what the file says once for all webhooks */
    const cJSON *list; /* the webhooks as JSON, a part of the document */
    cJSON *document;   /* owns every string above */
};

/* False if the file is not right: the mistake names the webhook and the member.
 * Call config_free in either case. */
bool config_load(const char *path, struct config *config, struct mistake *mistake);
void config_free(struct config *config);

#endif
