/* Readers of the members that only background delivery heeds. */
#ifndef BB_NOTIFY_BACKGROUND_MEMBERS_H
#define BB_NOTIFY_BACKGROUND_MEMBERS_H

#include "members.h"

#include <bb_webhook.h>

/* The list and its count are two fields: `field` is the whole bb_background_options. */
bool read_retry_delays(const cJSON *value, void *field, struct mistake *mistake);

bool read_slots(const cJSON *value, void *field, struct mistake *mistake);     /* uint32_t */
bool read_percent(const cJSON *value, void *field, struct mistake *mistake);   /* uint32_t */
bool read_bytes(const cJSON *value, void *field, struct mistake *mistake);     /* uint64_t */
bool read_lease(const cJSON *value, void *field, struct mistake *mistake);     /* uint32_t */
bool read_when_full(const cJSON *value, void *field, struct mistake *mistake); /* bb_when_full */
bool read_resolver(const cJSON *value, void *field, struct mistake *mistake); /* bb_resolver_kind */

/* Frees what read_retry_delays made. */
void background_clear(bb_background_options *background);

#endif
