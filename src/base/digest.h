/* Hashes, signatures, base64 and random bytes: OpenSSL, and the only file that knows. */
#ifndef BB_BASE_DIGEST_H
#define BB_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

enum {
    BB_SHA256_SIZE = 32,
    BB_BASE64_SHA256_SIZE = 45 /* with the NUL */
};

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
