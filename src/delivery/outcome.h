/* From what came back, or did not, to what it means. */
#ifndef BB_DELIVERY_OUTCOME_H
#define BB_DELIVERY_OUTCOME_H

#include "endpoint/endpoint.h"

/* Judges `response` for `webhook`; `url` may be NULL (then only the secret is
 * kept out of the texts). Scratch memory comes from `arena`; when that fails the
 * outcome is still sound: unknown for a 2xx whose body could not be read,
 * what the status says for the others. */
void bb_outcome_judge(struct bb_arena *arena, const bb_webhook *webhook, const struct bb_url *url,
                      const bb_response *response, int64_t now_ms, bb_outcome *outcome);

#endif
