/* The headers that a host adds to a webhook's requests. */
#ifndef BB_EVENT_HEADERS_H
#define BB_EVENT_HEADERS_H

#include <stdbool.h>

#include "base/error.h"

enum { BB_HEADERS_MAX = 16 };

/* Whether it can stand in a header: anything else could begin another one, or a body. */
bool bb_header_value_is_sound(const char *value);

/* Checks `headers` and `authorization`. The error names the webhook and the header, never a
 * value. BB_ERR_WEBHOOK. */
int bb_headers_check(const bb_webhook *webhook, bb_error *error);

#endif
