/* The keys of Standard Webhooks 1.0.0, as they are written down, and their signatures. */
#ifndef BB_BASE_KEY_H
#define BB_BASE_KEY_H

#include "base/digest.h"

enum bb_key_kind {
    BB_KEY_SHARED = 1, /* v1: HMAC-SHA256 */
    BB_KEY_PRIVATE,    /* v1a: Ed25519; its public half lies behind the seed */
    BB_KEY_PUBLIC      /* v1a, can only verify */
};

enum {
    BB_KEY_MIN = 16, /* bytes of a shared one */
    BB_KEY_MAX = 64,
    BB_KEY_TOKEN_SIZE = sizeof("v1a,") + 88 /* the longest, with its NUL */
};

struct bb_key {
    enum bb_key_kind kind;
    size_t length;
    unsigned char bytes[BB_KEY_MAX]; /* bb_wipe when it was used */
};

/* "whsec_" and base64 of 16 to 64 bytes (the prefix is optional, as in the reference libraries),
 * "whsk_" and base64 of an Ed25519 seed with its public key, or "whpk_" and base64 of that alone.
 * Not BB_TRUE: none of these, and `key` holds nothing. */
enum bb_truth bb_key_read(struct bb_key *key, const char *text);

/* "v1,..." or "v1a,...". False when OpenSSL has no memory, or with a public key. */
bool bb_key_sign(const struct bb_key *key, const struct bb_part *parts, size_t count,
                 char token[BB_KEY_TOKEN_SIZE]);

/* Whether `token` is the key's signature. Takes as long whatever its bytes are. */
enum bb_truth bb_key_verify(const struct bb_key *key, const struct bb_part *parts, size_t count,
                            const char *token);

#endif
