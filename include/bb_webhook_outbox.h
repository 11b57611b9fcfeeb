/*
 * bb_webhook: what an outbox keeps besides what waits. Part of bb_webhook.h.
 *
 * A delivery that ended without a success is a dead letter: its event and the reason stay, so that
 * somebody can look at it and send it again. Each attempt leaves a line in a log. Both are kept
 * until they are purged. The functions work on an outbox of any kind that keeps events, also while
 * dispatchers work on it, and may block as its database does. Any thread.
 */
#ifndef BB_WEBHOOK_OUTBOX_H
#define BB_WEBHOOK_OUTBOX_H

#include "bb_webhook_background.h"

#ifdef __cplusplus
extern "C" {
#endif

/* All strings are borrowed for the call that shows it. */
typedef struct bb_dead_letter {
    size_t struct_size;
    int64_t number;         /* of the delivery, in this outbox */
    const char *webhook_id; /* "": of an event by plain SQL that cannot be read: nobody knows */
    const char *event;      /* JSON: bb_event_parse reads it, unless that is why it is dead */
    const char *reason;     /* one sentence */
    int64_t enqueued_ms;    /* since 1970 */
    int64_t died_ms;
    bb_verdict verdict; /* of the last attempt */
    int attempts;
} bb_dead_letter;
#define BB_DEAD_LETTER_INIT BB_INIT_STRUCT(bb_dead_letter)

/* Which dead letters; zero in any field means all. */
typedef struct bb_dead_filter {
    size_t struct_size;
    int64_t number;
    const char *webhook_id;
    int64_t died_from_ms;   /* since 1970, this moment too ... */
    int64_t died_before_ms; /* ... and this one not */
    bb_verdict verdict;
    uint32_t most; /* the oldest so many */
} bb_dead_filter;
#define BB_DEAD_FILTER_INIT BB_INIT_STRUCT(bb_dead_filter)

/* One line of the log. Strings are borrowed for the call. */
typedef struct bb_attempt_record {
    size_t struct_size;
    int64_t at_ms; /* when it was written, since 1970 */
    int64_t duration_ms;
    const char *remote_code;    /* the provider's own, "" for none */
    const char *remote_message; /* its own words */
    bb_verdict verdict;
    int http_status; /* 0: no answer */
    int attempt;     /* 1 for the first */
    int reserved;    /* zero */
} bb_attempt_record;
#define BB_ATTEMPT_RECORD_INIT BB_INIT_STRUCT(bb_attempt_record)

/* Return 0 to go on, anything else to stop. Must not use the outbox. */
typedef int (*bb_dead_visitor)(void *user, const bb_dead_letter *letter);
typedef int (*bb_attempt_visitor)(void *user, const bb_attempt_record *attempt);

/* Shows dead letters, the oldest first. `filter` may be NULL. `*count` (may be NULL) receives how
 * many fit the filter; with `visit` NULL they are only counted. BB_ERR_OUTBOX, BB_ERR_STRUCT,
 * BB_ERR_ARGUMENT (also where the outbox keeps none), BB_ERR_FORKED, BB_ERR_NO_MEMORY. */
BB_API int bb_outbox_dead(bb_outbox *outbox, const bb_dead_filter *filter, bb_dead_visitor visit,
                          void *user, size_t *count, bb_error *error);

/* Makes waiting deliveries of them again, due at once, with a fresh schedule and the same ids; of
 * those without a webhook, events that are matched again. `*count` (may be NULL): how many, also
 * when it fails halfway. Errors of this and the following ones are those of bb_outbox_dead. */
BB_API int bb_outbox_replay(bb_outbox *outbox, const bb_dead_filter *filter, size_t *count,
                            bb_error *error);

/* Shows the attempts of a delivery, dead or not, the first one first. */
BB_API int bb_outbox_attempts(bb_outbox *outbox, int64_t number, bb_attempt_visitor visit,
                              void *user, bb_error *error);

/* Forgets dead letters and log lines that are older than that, in small steps, so that others are
 * not kept waiting. `*count` (may be NULL) receives how many there were. */
BB_API int bb_outbox_purge(bb_outbox *outbox, int64_t before_ms, size_t *count, bb_error *error);

/* Takes back what was enqueued with the key and is not under way; what waited behind it in an order
 * goes ahead. `*count` (may be NULL): how many deliveries. */
BB_API int bb_outbox_cancel(bb_outbox *outbox, const char *key, size_t *count, bb_error *error);

#ifdef __cplusplus
}
#endif

#endif
