#ifndef BB_API_STATS_H
#define BB_API_STATS_H

#include "api/standing.h"

/* Of one webhook, or (`hook` NULL) of all. Takes the dispatcher's lock. */
void bb_stats_of(struct bb_dispatcher *dispatcher, struct bb_hook *hook, bb_stats *stats);

#endif
