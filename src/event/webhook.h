/* A webhook's configuration, checked and copied. */
#ifndef BB_EVENT_WEBHOOK_H
#define BB_EVENT_WEBHOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* The struct by its struct_size, its texts still the caller's; `id` is the name
 * when it has none. What can be said without knowing the kind is checked. An
 * error names the webhook and the field. BB_ERR_WEBHOOK, BB_ERR_STRUCT. */
int bb_webhook_read(bb_webhook *out, const bb_webhook *webhook, bb_error *error);

/* Moves every text of a webhook that bb_webhook_read gave to `to`, which is
 * aligned for pointers. Returns how many bytes that takes; with `to` NULL nothing
 * is moved. A name that is the same as the id takes none. */
size_t bb_webhook_pack(bb_webhook *webhook, void *to);

/* Whether it has settings of its own for TLS. */
bool bb_webhook_has_tls(const bb_webhook *webhook);

/* How it is called: its name, or the id of one that has none. */
const char *bb_webhook_called(const bb_webhook *webhook);

/* The same for sentences, safe to print: at most 100 bytes. */
const char *bb_webhook_label(const bb_webhook *webhook, char out[104]);

int bb_webhook_fail(bb_error *error, bb_code code, const bb_webhook *webhook, const char *what);

#endif
