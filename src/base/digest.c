#include "base/digest.h"

#include <pthread.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

/* Looked up once: OpenSSL 3 searches its providers at each use otherwise. Kept for
 * the life of the process, as OpenSSL itself is. */
static EVP_MD *sha256;

static void fetch(void) {
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

static bool has_sha256(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fetch);
    return sha256 != NULL;
}

bool bb_sha256(const void *data, size_t length, unsigned char out[BB_SHA256_SIZE]) {
    return has_sha256() && EVP_Digest(data, length, out, NULL, sha256, NULL) == 1;
}

/* HMAC's block size, and the digest of one padded key and what follows it. */
enum { BLOCK = 64 };

static bool digest_behind(EVP_MD_CTX *context, const unsigned char pad[BLOCK],
                          const struct bb_part *parts, size_t count, unsigned char *out) {
    bool ok = EVP_DigestInit_ex2(context, sha256, NULL) == 1 &&
              EVP_DigestUpdate(context, pad, BLOCK) == 1;
    for (size_t i = 0; ok && i < count; i++)
        ok = EVP_DigestUpdate(context, parts[i].data, parts[i].length) == 1;
    return ok && EVP_DigestFinal_ex(context, out, NULL) == 1;
}

static bool pad_key(const void *key, size_t length, unsigned char inner[BLOCK],
                    unsigned char outer[BLOCK]) {
    memset(inner, 0, BLOCK);
    if (length > BLOCK && !bb_sha256(key, length, inner))
        return false;
    if (length > 0 && length <= BLOCK)
        memcpy(inner, key, length);
    for (size_t i = 0; i < BLOCK; i++) {
        outer[i] = inner[i] ^ 0x5C;
        inner[i] ^= 0x36;
    }
    return true;
}

/* RFC 2104 by the letter, over OpenSSL's SHA-256: its EVP_MAC takes twice as long for a
 * body of a kilobyte, because each new context looks up its digest by name. */
bool bb_hmac_sha256(const void *key, size_t key_length, const struct bb_part *parts, size_t count,
                    unsigned char out[BB_SHA256_SIZE]) {
    unsigned char inner[BLOCK], outer[BLOCK], digest[BB_SHA256_SIZE];
    const struct bb_part inner_digest = {digest, sizeof digest};
    EVP_MD_CTX *context = has_sha256() ? EVP_MD_CTX_new() : NULL;
    bool ok = context && pad_key(key, key_length, inner, outer) &&
              digest_behind(context, inner, parts, count, digest) &&
              digest_behind(context, outer, &inner_digest, 1, out);
    EVP_MD_CTX_free(context);
    bb_wipe(inner, sizeof inner);
    bb_wipe(outer, sizeof outer);
    return ok;
}

bool bb_hmac_sha256_base64(const void *key, size_t key_length, const struct bb_part *parts,
                           size_t count, char out[BB_BASE64_SHA256_SIZE]) {
    unsigned char digest[BB_SHA256_SIZE];
    if (!bb_hmac_sha256(key, key_length, parts, count, digest))
        return false;
    bb_base64_encode(digest, sizeof digest, out);
    return true;
}

void bb_base64_encode(const unsigned char *data, size_t length, char *out) {
    EVP_EncodeBlock((unsigned char *)out, data, (int)length);
}

/* Unpadded text, up to what OpenSSL's block decoder wants: a multiple of four. */
enum { MAX_TEXT = 1024 };

/* The length without padding, or 0 for what is not base64: OpenSSL lets blanks and
 * padding in the middle pass. */
static size_t unpadded_length(const char *text) {
    size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    size_t padding = strspn(text + n, "=");
    bool is_whole = text[n + padding] == '\0' && n % 4 != 1;
    return is_whole && (padding == 0 || (padding <= 2 && (n + padding) % 4 == 0)) ? n : 0;
}

int bb_base64_decode(const char *text, unsigned char *out, size_t size) {
    unsigned char padded[MAX_TEXT + 4], decoded[MAX_TEXT];
    size_t n = unpadded_length(text);
    if (n > MAX_TEXT || (n == 0 && *text))
        return -1;
    memcpy(padded, text, n);
    size_t padding = (4 - n % 4) % 4;
    memset(padded + n, '=', padding);
    int length = EVP_DecodeBlock(decoded, padded, (int)(n + padding));
    if (length < 0 || (size_t)length - padding > size)
        return -1;
    memcpy(out, decoded, (size_t)length - padding);
    bb_wipe(decoded, n + padding);
    bb_wipe(padded, n + padding);
    return length - (int)padding;
}

void bb_hex(const unsigned char *data, size_t length, char *out) {
    for (size_t i = 0; i < length; i++) {
        out[2 * i] = "0123456789abcdef"[data[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[data[i] & 15];
    }
    out[2 * length] = '\0';
}

bool bb_random(unsigned char *out, size_t length) {
    return RAND_bytes(out, (int)length) == 1;
}

void bb_wipe(void *data, size_t length) {
    OPENSSL_cleanse(data, length);
}
