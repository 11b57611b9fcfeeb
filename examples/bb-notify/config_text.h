/* A configuration file, from its bytes to its JSON. */
#ifndef BB_NOTIFY_CONFIG_TEXT_H
#define BB_NOTIFY_CONFIG_TEXT_H

#include "members.h"

/* NULL, with the mistake set, if the file cannot be read or is not JSON. Integers
 * that a double cannot hold are strings in it. Free with cJSON_Delete. */
cJSON *config_text_read(const char *path, struct mistake *mistake);

#endif
