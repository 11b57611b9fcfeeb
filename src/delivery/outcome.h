/* From what came back, or did not, to what it means. */
#ifndef BB_DELIVERY_OUTCOME_H
#define BB_DELIVERY_OUTCOME_H

#include "endpoint/endpoint.h"

/* What an outcome is made from. */
struct bb_exchange {
    const bb_webhook *webhook;
    const char *host; /* that was asked; "" when it is not known */
    const bb_response *response;
    int64_t now_ms;
    bool is_brief; /* nobody reads the sentence of a success: it need not be made */
};

/* Scratch memory comes from `arena`; when that fails the outcome is still sound:
 * unknown, because the answer could not be read. */
void bb_outcome_judge(struct bb_arena *arena, const struct bb_exchange *exchange,
                      bb_outcome *outcome);

#endif
