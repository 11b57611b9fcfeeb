#include "base/digest.h"

#include <pthread.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

/* Looked up once: OpenSSL 3 searches its providers at each use otherwise. Kept for
 * the life of the process, as OpenSSL itself is. */
static EVP_MD *sha256;

static void fetch_sha256(void) {
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

static const EVP_MD *get_sha256(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fetch_sha256);
    return sha256 ? sha256 : EVP_sha256();
}

bool bb_sha256(const void *data, size_t length, unsigned char out[BB_SHA256_SIZE]) {
    return EVP_Digest(data, length, out, NULL, get_sha256(), NULL) == 1;
}

bool bb_hmac_sha256(const void *key, size_t key_length, const void *data, size_t length,
                    unsigned char out[BB_SHA256_SIZE]) {
    return HMAC(get_sha256(), key, (int)key_length, data, length, out, NULL) != NULL;
}

void bb_base64_encode(const unsigned char *data, size_t length, char *out) {
    EVP_EncodeBlock((unsigned char *)out, data, (int)length);
}

/* Unpadded text, up to what OpenSSL's block decoder wants: a multiple of four. */
enum { MAX_TEXT = 1024 };

int bb_base64_decode(const char *text, unsigned char *out, size_t size) {
    unsigned char padded[MAX_TEXT + 4], decoded[MAX_TEXT];
    size_t n = strlen(text);
    while (n > 0 && text[n - 1] == '=')
        n--;
    if (n > MAX_TEXT || n % 4 == 1 || strlen(text) - n > 2 || strspn(text, " \t\r\n"))
        return -1;
    memcpy(padded, text, n);
    size_t padding = (4 - n % 4) % 4;
    memset(padded + n, '=', padding);
    int length = EVP_DecodeBlock(decoded, padded, (int)(n + padding));
    if (length < 0 || (size_t)length - padding > size)
        return -1;
    memcpy(out, decoded, (size_t)length - padding);
    bb_wipe(decoded, sizeof decoded);
    bb_wipe(padded, sizeof padded);
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
