/* Hashes, signatures, base64 and random bytes: OpenSSL, and the only file that knows. */
#ifndef BB_BASE_DIGEST_H
#define BB_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

enum {
    BB_SHA256_SIZE = 32,
    BB_BASE64_SHA256_SIZE = 45, /* with the NUL */
    BB_ED25519_KEY_SIZE = 32,   /* of a private key's seed, and of a public key */
    BB_ED25519_SIZE = 64
};

/* What is found out with OpenSSL's memory; BB_UNDECIDED: there was none. */
enum bb_truth { BB_FALSE, BB_TRUE, BB_UNDECIDED };

/* False only when OpenSSL has no memory. */
bool bb_sha256(const void *data, size_t length, unsigned char out[BB_SHA256_SIZE]);

/* The parts follow one another without anything between them. */
struct bb_part {
    const void *data;
    size_t length;
};
bool bb_hmac_sha256(const void *key, size_t key_length, const struct bb_part *parts, size_t count,
                    unsigned char out[BB_SHA256_SIZE]);
bool bb_hmac_sha256_base64(const void *key, size_t key_length, const struct bb_part *parts,
                           size_t count, char out[BB_BASE64_SHA256_SIZE]);

/* False: no memory. */
bool bb_ed25519_public(const unsigned char seed[BB_ED25519_KEY_SIZE],
                       unsigned char out[BB_ED25519_KEY_SIZE]);
bool bb_ed25519_sign(const unsigned char seed[BB_ED25519_KEY_SIZE], const struct bb_part *parts,
                     size_t count, unsigned char out[BB_ED25519_SIZE]);
/* Whether the signature is the key's. */
enum bb_truth bb_ed25519_verify(const unsigned char key[BB_ED25519_KEY_SIZE],
                                const struct bb_part *parts, size_t count,
                                const unsigned char signature[BB_ED25519_SIZE]);

/* Takes as long whatever the bytes are. */
bool bb_is_same(const void *a, const void *b, size_t length);

/* Standard base64 with padding; `out` needs 4 * ((length + 2) / 3) + 1 bytes. */
void bb_base64_encode(const unsigned char *data, size_t length, char *out);

/* Padded or not. The number of bytes written to `out`, -1 when `text` is not
 * base64 or holds more than `size` bytes. */
int bb_base64_decode(const char *text, unsigned char *out, size_t size);

/* Lower case; `out` needs 2 * length + 1 bytes. */
void bb_hex(const unsigned char *data, size_t length, char *out);

bool bb_random(unsigned char *out, size_t length);

/* Overwrites a secret in a way that the compiler keeps. */
void bb_wipe(void *data, size_t length);

#endif
