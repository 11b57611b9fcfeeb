/* What came of an attempt, between its end and the transaction that writes it: for the log of
 * attempts, and for dead letters. */
#ifndef BB_DRIVER_STORE_NOTE_H
#define BB_DRIVER_STORE_NOTE_H

#include "delivery/store.h"

/* Its texts are as short as an outcome's, and what a database of UTF-8 takes. */
struct bb_note {
    int64_t duration_ms;
    int64_t attempt;
    int verdict, status;
    const char *code, *words, *reason; /* behind it */
    char texts[];
};

/* Notes on the delivery's claim what came of it. Without memory there is no note, and a dead letter
 * has no reason. */
void bb_note_settled(const bb_allocator *mem, struct bb_delivery *delivery, enum bb_settlement how,
                     const struct bb_result *result);

/* Whether it tells of an attempt; NULL does not. */
bool bb_note_is_attempt(const struct bb_note *note);

/* Of a dead letter. */
int bb_note_verdict(const struct bb_claim *claim);
const char *bb_note_reason(const struct bb_claim *claim);

/* ---- events by plain SQL of which nobody can say who wants them: they are dead letters, too */

enum { BB_NOTE_REASON = 560 };

/* Why it is a dead letter; and the words for the host, which has nobody's notice of it. */
void bb_note_unreadable(char reason[BB_NOTE_REASON], const bb_error *error);
void bb_note_tell_unreadable(const struct bb_store_host *host, int64_t event, const char *reason);

#endif
