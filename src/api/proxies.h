/* Which proxies a dispatcher uses: the host's, or, where it asks for them, its environment's. */
#ifndef BB_API_PROXIES_H
#define BB_API_PROXIES_H

#include "api/settings.h"
#include "delivery/proxy.h"

/* `egress` has been read without a mistake. Copies into `arena`, which is one for secrets.
 * BB_ERR_ARGUMENT (the sentence names the variable, never its value), BB_ERR_NO_MEMORY. */
int bb_proxies_read(struct bb_arena *arena, const bb_egress *egress, struct bb_proxies *proxies,
                    bb_error *error);

#endif
