/* From what came back, or did not, to what it means. */
#ifndef BB_DELIVERY_OUTCOME_H
#define BB_DELIVERY_OUTCOME_H

#include "endpoint/endpoint.h"

/* The last success of each type, where its body tells it: receivers say it with the same bytes
 * again and again, which are only read once. */
struct bb_known_success {
    int status; /* 0: none is known */
    bool allow_any_2xx;
    size_t length;
    char body[48];
};

struct bb_known_successes {
    struct bb_known_success of[BB_CUSTOM + 1]; /* by type */
};

/* What an outcome is made from. */
struct bb_exchange {
    const bb_webhook *webhook;
    const char *host; /* that was asked; "" when it is not known */
    const bb_response *response;
    int64_t now_ms;

    /* NULL, or: nobody reads the words of a success, so an answer that is known need not be read */
    struct bb_known_successes *known;
};

/* Scratch memory comes from `arena`; when that fails the outcome is still sound:
 * unknown, because the answer could not be read. */
void bb_outcome_judge(struct bb_arena *arena, const struct bb_exchange *exchange,
                      bb_outcome *outcome);

#endif
