/*
 * Whatever comes in as a signed request: it is believed only where HMAC-SHA256 as OpenSSL computes
 * it, or Ed25519, says so, at a time that is near enough; and never with another body. What is
 * refused is told by a code of its own, in a sentence without a secret.
 *
 * Input: how the clock is off, the tolerance, then id, timestamp, signatures, body, two secrets.
 */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { NOW_S = 1700000000, LEAST_SECRET = 16 };

/* The key, 0 to 64 bytes; -1: it is none of HMAC's. */
static int key_of(const char *secret, unsigned char key[2048]) {
    size_t prefix = strncmp(secret, "whsec_", 6) == 0 ? 6 : 0;
    size_t length = strcspn(secret + prefix, "=");
    unsigned char padded[2052];
    if (strncmp(secret, "whpk_", 5) == 0 || strncmp(secret, "whsk_", 5) == 0 || length > 2000)
        return -1;
    size_t whole = (length + 3) / 4 * 4;
    memset(padded, '=', sizeof(padded));
    memcpy(padded, secret + prefix, length);
    padded[whole] = '\0';
    int size = EVP_DecodeBlock(key, padded, (int)whole);
    return size < 0 ? -1 : size - (int)(whole - length);
}

/* "v1," and base64, as it would be for the secret; "": none would be. */
static void sign(const bb_received *received, const char *secret, char token[64]) {
    unsigned char key[2048], digest[32];
    unsigned digest_length = sizeof(digest);
    int length = key_of(secret, key);
    size_t room = strlen(received->id) + strlen(received->timestamp) + received->body_length + 3;
    unsigned char *text = malloc(room);
    *token = '\0';
    FUZZ_CHECK(text, "no memory");
    int head = snprintf((char *)text, room, "%s.%s.", received->id, received->timestamp);
    memcpy(text + head, received->body, received->body_length);
    if (length > 0 && HMAC(EVP_sha256(), key, length, text, (size_t)head + received->body_length,
                           digest, &digest_length)) {
        strcpy(token, "v1,");
        EVP_EncodeBlock((unsigned char *)token + 3, digest, 32);
    }
    free(text);
}

static bool is_among(const char *signatures, const char *token) {
    size_t n = strlen(token);
    for (const char *at = signatures; n > 0 && (at = strstr(at, token)); at++)
        if ((at == signatures || at[-1] == ' ') && (at[n] == '\0' || at[n] == ' '))
            return true;
    return false;
}

static bool has_v1a(const bb_received *received) {
    bool has_key = false;
    for (size_t i = 0; i < received->secret_count; i++)
        has_key |= strncmp(received->secrets[i], "whpk_", 5) == 0 ||
                   strncmp(received->secrets[i], "whsk_", 5) == 0;
    return has_key && strstr(received->signature, "v1a,");
}

/* It was signed, near the time, and no other body was. */
static void check_believed(const bb_received *received) {
    char token[64];
    bool is_signed = has_v1a(received);
    for (size_t i = 0; i < received->secret_count && !is_signed; i++) {
        sign(received, received->secrets[i], token);
        is_signed = is_among(received->signature, token);
    }
    FUZZ_CHECK(is_signed, "believed: %s", received->signature);
    long long off = llabs(strtoll(received->timestamp, NULL, 10) - received->now_ms / 1000);
    FUZZ_CHECK(off <= (received->tolerance_s ? received->tolerance_s : 300) + 1LL, "%lld s off",
               off);
    char *other = malloc(received->body_length + 1);
    FUZZ_CHECK(other, "no memory");
    memcpy(other, received->body, received->body_length);
    other[received->body_length] = 'x';
    bb_received changed = *received;
    changed.body = other;
    changed.body_length++;
    FUZZ_CHECK(bb_webhook_verify(&changed, NULL) == BB_ERR_SIGNATURE, "a longer body is believed");
    free(other);
}

/* What OpenSSL would have signed, at the right time, is not refused. */
static void check_refused(const bb_received *received, int code, const bb_error *error) {
    char token[64];
    FUZZ_CHECK(code == BB_ERR_MISSING || code == BB_ERR_MALFORMED || code == BB_ERR_TOO_OLD ||
                   code == BB_ERR_TOO_NEW || code == BB_ERR_SIGNATURE || code == BB_ERR_ARGUMENT,
               "%d: %s", code, error->text);
    for (size_t i = 0; i < received->secret_count; i++)
        FUZZ_CHECK(strlen(received->secrets[i]) < LEAST_SECRET ||
                       !strstr(error->text, received->secrets[i]),
                   "told: %s", error->text);
    if (code != BB_ERR_SIGNATURE)
        return;
    for (size_t i = 0; i < received->secret_count; i++) {
        sign(received, received->secrets[i], token);
        FUZZ_CHECK(!*token || !is_among(received->signature, token), "refused: %s", token);
    }
}

/* The first signature may be right: a fuzzer does not guess it. */
static const char *complete(const bb_received *received, const char *given, char out[1024]) {
    char token[64];
    if (strncmp(given, "!", 1) != 0 || strlen(given) > 900)
        return given;
    sign(received, received->secrets[0], token);
    snprintf(out, 1024, "%s%s", token, given + 1);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const int64_t off_ms[] = {0, 1, 999, 299000, 300000, 301000, -300000, -301000, 1000000};
    static const uint32_t tolerances[] = {0, 1, 300, 86400, UINT32_MAX};
    fuzz_input input = fuzz_open(data, size);
    bb_received received = BB_RECEIVED_INIT;
    bb_error error = BB_ERROR_INIT;
    char signatures[1024];
    received.now_ms = NOW_S * INT64_C(1000) + off_ms[fuzz_choose(&input, 9)];
    received.tolerance_s = tolerances[fuzz_choose(&input, 5)];
    received.id = fuzz_text(&input);
    received.timestamp = fuzz_text(&input);
    const char *given = fuzz_text(&input);
    const char *body = fuzz_text(&input);
    const char *const secrets[] = {fuzz_text(&input), fuzz_text(&input)};
    received.body = body;
    received.body_length = strlen(body);
    received.secrets = secrets;
    received.secret_count = 2;
    received.signature = complete(&received, given, signatures);
    int code = bb_webhook_verify(&received, &error);
    if (fuzz_check_error("verify", code, &error))
        check_believed(&received);
    else
        check_refused(&received, code, &error);
    fuzz_close(&input);
    return 0;
}
