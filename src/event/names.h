#ifndef BB_EVENT_NAMES_H
#define BB_EVENT_NAMES_H

#include <stdbool.h>

#include "bb_webhook.h"

bool bb_activity_is_valid(int activity); /* exactly one known bit */
bool bb_level_is_valid(int level);       /* 0 (derived) included */
bool bb_language_is_valid(int language); /* 0 (English) included */

#endif
