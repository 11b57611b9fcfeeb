#include "base/digest.h"

#include <stdatomic.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "base/global.h"

/* Looked up once: OpenSSL 3 searches its providers at each use otherwise. Kept for
 * the life of the process, as OpenSSL itself is. */
static _Atomic(EVP_MD *) sha256;
static _Atomic(EVP_MAC_CTX *) hmac; /* without a key: copied for each use */

static EVP_MAC_CTX *fetch_hmac(void) {
    char name[] = "SHA256";
    const OSSL_PARAM digest[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *context = mac ? EVP_MAC_CTX_new(mac) : NULL;
    EVP_MAC_free(mac);
    if (context && EVP_MAC_CTX_set_params(context, digest) != 1) {
        EVP_MAC_CTX_free(context);
        context = NULL;
    }
    return context;
}

/* Again by the next call, where there was no memory. */
static void fetch(void) {
    if (sha256 && hmac)
        return;
    bb_global_lock(BB_GLOBAL_DIGEST);
    if (!sha256)
        sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!hmac)
        hmac = fetch_hmac();
    bb_global_unlock(BB_GLOBAL_DIGEST);
}

bool bb_sha256(const void *data, size_t length, unsigned char out[BB_SHA256_SIZE]) {
    fetch();
    return sha256 && EVP_Digest(data, length, out, NULL, sha256, NULL) == 1;
}

bool bb_hmac_sha256(const void *key, size_t key_length, const struct bb_part *parts, size_t count,
                    unsigned char out[BB_SHA256_SIZE]) {
    fetch();
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

/* ---- Ed25519: OpenSSL takes the whole message at once ---- */

static unsigned char *join(const struct bb_part *parts, size_t count, size_t *length) {
    *length = 0;
    for (size_t i = 0; i < count; i++)
        *length += parts[i].length;
    unsigned char *whole = OPENSSL_malloc(*length + 1), *to = whole;
    for (size_t i = 0; whole && i < count; i++) {
        if (parts[i].length)
            memcpy(to, parts[i].data, parts[i].length);
        to += parts[i].length;
    }
    return whole;
}

bool bb_ed25519_public(const unsigned char seed[BB_ED25519_KEY_SIZE],
                       unsigned char out[BB_ED25519_KEY_SIZE]) {
    size_t length = BB_ED25519_KEY_SIZE;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, length);
    bool ok = key && EVP_PKEY_get_raw_public_key(key, out, &length) == 1;
    EVP_PKEY_free(key);
    return ok;
}

bool bb_ed25519_sign(const unsigned char seed[BB_ED25519_KEY_SIZE], const struct bb_part *parts,
                     size_t count, unsigned char out[BB_ED25519_SIZE]) {
    size_t length, size = BB_ED25519_SIZE;
    unsigned char *whole = join(parts, count, &length);
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, BB_ED25519_KEY_SIZE);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = whole && key && context && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
              EVP_DigestSign(context, out, &size, whole, length) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    OPENSSL_free(whole);
    return ok;
}

static enum bb_truth verify(EVP_PKEY *key, const unsigned char *whole, size_t length,
                            const unsigned char signature[BB_ED25519_SIZE]) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    enum bb_truth truth = BB_UNDECIDED;
    if (context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1)
        truth = EVP_DigestVerify(context, signature, BB_ED25519_SIZE, whole, length) == 1
                    ? BB_TRUE
                    : BB_FALSE;
    EVP_MD_CTX_free(context);
    return truth;
}

/* A "no" of OpenSSL's may be want of memory, which it does not say: it has to say so twice. */
enum bb_truth bb_ed25519_verify(const unsigned char key[BB_ED25519_KEY_SIZE],
                                const struct bb_part *parts, size_t count,
                                const unsigned char signature[BB_ED25519_SIZE]) {
    size_t length;
    unsigned char *whole = join(parts, count, &length);
    EVP_PKEY *own = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, BB_ED25519_KEY_SIZE);
    enum bb_truth truth = whole && own ? verify(own, whole, length, signature) : BB_UNDECIDED;
    if (truth == BB_FALSE)
        truth = verify(own, whole, length, signature);
    if (truth != BB_TRUE)
        ERR_clear_error(); /* the host's thread may look at its queue of errors */
    EVP_PKEY_free(own);
    OPENSSL_free(whole);
    return truth;
}

bool bb_is_same(const void *a, const void *b, size_t length) {
    return CRYPTO_memcmp(a, b, length) == 0;
}

/* ---- text ---- */

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
    if (n == 0 || n > MAX_TEXT)
        return *text ? -1 : 0;
    memcpy(padded, text, n);
    size_t padding = (4 - n % 4) % 4;
    memset(padded + n, '=', padding);
    int length = EVP_DecodeBlock(decoded, padded, (int)(n + padding));
    length = length < 0 ? -1 : length - (int)padding;
    if (length >= 0 && (size_t)length <= size)
        memcpy(out, decoded, (size_t)length);
    else
        length = -1;
    bb_wipe(decoded, n + padding);
    bb_wipe(padded, n + padding);
    return length;
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
