/* What tests of secrets share: a word that stands in every secret, and the signatures that a
 * receiver has seen, neither of which may be told anywhere. */
#ifndef SUPPORT_CANARY_H
#define SUPPORT_CANARY_H

#include "bb_webhook.h"
#include "support/server.h"

/* In every secret, also at its beginning, so that a beginning alone is found too. */
#define CANARY "cAnArY"

enum { CANARY_SIGNATURES = 8, CANARY_MAX = 200 };

/* Signatures are secrets that no test knows beforehand. */
typedef struct canaries {
    char text[CANARY_SIGNATURES][CANARY_MAX];
    size_t count;
} canaries;

canaries canary_signatures(const server_request *request);

/* Fails the test where a text (NULL is fine) holds the word or one of the signatures; `known` may
 * be NULL. */
void canary_assert_silent(const char *where, const char *text, const canaries *known);

/* The same for bytes, and for all that the receiver was sent. */
void canary_assert_bytes_silent(const char *where, const char *bytes, size_t length,
                                server *receiver);
void canary_assert_file_silent(const char *path, server *receiver);

/* A webhook whose every secret holds the word: path and query of its URL, secrets, headers. Static
 * until the next call with this type. `base` is "http://host:port". */
bb_webhook canary_hook(bb_type type, const char *id, const char *base);

#endif
