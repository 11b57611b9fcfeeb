/*
 * One webhook of each type (of Teams two) whose URL and secret have parts that nobody may read, and
 * the spellings in which an answer can repeat them.
 */
#ifndef SUPPORT_TARGETS_H
#define SUPPORT_TARGETS_H

#include <stddef.h>

#include "bb_webhook.h"

enum { TARGETS = 8, TARGET_TOKENS = 3 };

typedef struct target {
    const char *url;
    const char *secret;
    const char *tokens[TARGET_TOKENS]; /* those parts */
    bb_type type;
    int connector;
} target;

extern const target targets[TARGETS];

/* Named "ops room", for every activity. */
bb_webhook target_webhook(const target *t);

/* QUERY percent-encodes only what a query's value must; SLASHES and UNICODE are JSON's. */
typedef enum spelling { RAW, QUERY, PERCENT, LOWER, SLASHES, UNICODE, SPELLINGS } spelling;

/* Returns how long it is. */
size_t spell(char out[8], char c, spelling how);

/* What a reader could make of `text`: %XX, \/ and \uXXXX undone. `plain` has its room. */
void unspell(const char *text, char *plain);

#endif
