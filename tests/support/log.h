/* What a dispatcher logs, kept for a test to look at. One at a time; any thread may log. */
#ifndef SUPPORT_LOG_H
#define SUPPORT_LOG_H

#include "bb_webhook.h"

/* Lets the options log here, from now on into an empty log. */
void log_into(bb_options *options);

/* Whether a line has both texts in it. */
int log_has(const char *one, const char *other);

/* How many lines have it. */
size_t log_count(const char *text);

#endif
