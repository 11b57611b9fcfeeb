#include "base/digest.h"

#include <pthread.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

/* Looked up once: OpenSSL 3 searches its providers at each use otherwise. Kept for
 * the life of the process, as OpenSSL itself is. */
static EVP_MD *sha256;
static EVP_MAC_CTX *hmac; /* without a key: copied for each use */

static void fetch(void) {
    char name[] = "SHA256";
    const OSSL_PARAM digest[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    sha256 = EVP_MD_fetch(NULL, name, NULL);
    hmac = mac ? EVP_MAC_CTX_new(mac) : NULL;
    EVP_MAC_free(mac);
    if (hmac && EVP_MAC_CTX_set_params(hmac, digest) != 1) {
        EVP_MAC_CTX_free(hmac);
        hmac = NULL;
    }
}

static void fetch_once(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fetch);
}

bool bb_sha256(const void *data, size_t length, unsigned char out[BB_SHA256_SIZE]) {
    fetch_once();
    return sha256 && EVP_Digest(data, length, out, NULL, sha256, NULL) == 1;
}

bool bb_hmac_sha256(const void *key, size_t key_length, const struct bb_part *parts, size_t count,
                    unsigned char out[BB_SHA256_SIZE]) {
    fetch_once();
    EVP_MAC_CTX *context = hmac ? EVP_MAC_CTX_dup(hmac) : NULL;
    bool ok = context && EVP_MAC_init(context, key_length ? key : "", key_length, NULL) == 1;
    for (size_t i = 0; ok && i < count; i++)
        ok = EVP_MAC_update(context, parts[i].data, parts[i].length) == 1;
    ok = ok && EVP_MAC_final(context, out, NULL, BB_SHA256_SIZE) == 1;
    EVP_MAC_CTX_free(context);
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
