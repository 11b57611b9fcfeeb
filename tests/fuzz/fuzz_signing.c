/*
 * Whatever is given as the secret of Custom, DingTalk or Feishu, and as a delivery's id: it is
 * refused without being told, or the request carries the signature that the product will compute,
 * no printed view of it shows that or the secret, and no answer that repeats them gets them told.
 *
 * Input: the type, the time, then the delivery's id and the secret.
 */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "support/samples.h"

enum { KEY_MAX = 2048, BASE64_SIZE = 45, SECRET_LEAST = 16, SECRET_MOST = 500 };

/* ---- what the product computes */

/* Standard base64, as RFC 4648 has it; -1 for what is none. */
static int decode_base64(const char *text, unsigned char *out) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned bits = 0, held = 0;
    int length = 0;
    for (; *text && *text != '='; text++) {
        const char *digit = strchr(digits, *text);
        if (!digit || length == KEY_MAX)
            return -1;
        bits = (bits << 6 | (unsigned)(digit - digits)) & 0xFFFFFFu;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[length++] = (unsigned char)(bits >> held);
        }
    }
    return text[strspn(text, "=")] ? -1 : length;
}

static void sign(const void *key, size_t key_length, const char *text, char out[BASE64_SIZE]) {
    unsigned char digest[32];
    unsigned length = sizeof(digest);
    FUZZ_CHECK(HMAC(EVP_sha256(), key, (int)key_length, (const unsigned char *)text, strlen(text),
                    digest, &length),
               "no HMAC");
    EVP_EncodeBlock((unsigned char *)out, digest, (int)length);
}

static const char *header(const bb_request *request, const char *name, bb_view view) {
    for (size_t i = 0; i < bb_request_header_count(request); i++)
        if (strcmp(bb_request_header_name(request, i), name) == 0)
            return bb_request_header_value(request, i, view);
    return "";
}

static void sign_custom(const bb_request *request, const char *secret, char out[BASE64_SIZE]) {
    static char text[64 * 1024];
    unsigned char key[KEY_MAX];
    size_t prefix = strncmp(secret, "whsec_", 6) == 0 ? 6 : 0;
    int length = decode_base64(secret + prefix, key);
    FUZZ_CHECK(length >= 16 && length <= 64, "a key of %d bytes: %s", length, secret);
    snprintf(text, sizeof(text), "%s.%s.%s", header(request, "webhook-id", BB_REAL),
             header(request, "webhook-timestamp", BB_REAL),
             bb_request_body(request, BB_REAL, NULL));
    sign(key, (size_t)length, text, out);
}

static void sign_robot(bb_type type, const char *secret, int64_t time_ms, char out[BASE64_SIZE]) {
    static char text[16 * 1024];
    long long time = (long long)(type == BB_FEISHU ? time_ms / 1000 : time_ms);
    snprintf(text, sizeof(text), "%lld\n%s", time, secret);
    if (type == BB_FEISHU)
        sign(text, strlen(text), "", out);
    else
        sign(secret, strlen(secret), text, out);
}

/* ---- where it stands */

static void encode(const char *text, char *out) {
    for (; *text; text++)
        if (strchr("+/=", *text))
            out += sprintf(out, "%%%02X", (unsigned)*text);
        else
            *out++ = *text;
    *out = '\0';
}

static void check_carried(bb_type type, const bb_request *request, const char *signature) {
    char encoded[4 * BASE64_SIZE], wanted[5 * BASE64_SIZE];
    encode(signature, encoded);
    const char *carrier = header(request, "webhook-signature", BB_REAL);
    snprintf(wanted, sizeof(wanted), "v1,%s", signature);
    if (type == BB_FEISHU) {
        carrier = bb_request_body(request, BB_REAL, NULL);
        snprintf(wanted, sizeof(wanted), "\"sign\":\"%s\"", signature);
    } else if (type == BB_DINGTALK) {
        carrier = bb_request_url(request, BB_REAL);
        snprintf(wanted, sizeof(wanted), "&sign=%s", encoded);
    }
    FUZZ_CHECK(strstr(carrier, wanted), "no %s in %s", wanted, carrier);
}

/* An id that is the secret is the host's own doing. */
static void check_masked(const bb_request *request, const char *signature, const char *secret,
                         const char *id) {
    bool is_hidden = strlen(secret) >= SECRET_LEAST && !strstr(id, secret);
    const char *views[] = {bb_request_url(request, BB_MASKED),
                           bb_request_body(request, BB_MASKED, NULL),
                           header(request, "webhook-signature", BB_MASKED)};
    for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
        FUZZ_CHECK(!strstr(views[i], signature), "the signature in %s", views[i]);
        FUZZ_CHECK(!is_hidden || !strstr(views[i], secret), "the secret in %s", views[i]);
    }
}

/* An Ed25519 key's signature is not computed here: it is verified by the public half, which stands
 * in its last 32 bytes. */
static void check_public(const bb_webhook *webhook, const bb_request *request) {
    const char *const secrets[] = {webhook->secret};
    bb_received received = BB_RECEIVED_INIT;
    bb_error error = BB_ERROR_INIT;
    received.id = header(request, "webhook-id", BB_REAL);
    received.timestamp = header(request, "webhook-timestamp", BB_REAL);
    received.signature = header(request, "webhook-signature", BB_REAL);
    received.body = bb_request_body(request, BB_REAL, &received.body_length);
    received.secrets = secrets;
    received.secret_count = 1;
    received.now_ms = strtoll(received.timestamp, NULL, 10) * 1000;
    FUZZ_CHECK(strncmp(received.signature, "v1a,", 4) == 0, "signed by %s", received.signature);
    bool is_time = received.now_ms > 0 && received.now_ms < INT64_C(100000000000000);
    int code = is_time ? bb_webhook_verify(&received, &error) : BB_OK;
    FUZZ_CHECK(code == BB_OK, "%s: %s", error.text, received.signature);
    FUZZ_CHECK(!strstr(header(request, "webhook-signature", BB_MASKED), received.signature + 4),
               "the signature is shown");
}

/* ---- answers that repeat it */

static bool is_printable(const char *text) {
    for (; *text; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

static void check_echo(const bb_webhook *webhook, const bb_request *request, const char *word) {
    bb_response response = BB_RESPONSE_INIT;
    bb_outcome outcome = BB_OUTCOME_INIT;
    if (strlen(word) < SECRET_LEAST || strlen(word) > SECRET_MOST || !is_printable(word))
        return;
    response.http_status = 400;
    response.request = request;
    response.body = word;
    response.body_length = strlen(word);
    int code = bb_webhook_judge(webhook, &response, SAMPLE_TIME * 1000, &outcome, NULL);
    FUZZ_CHECK(code == BB_OK, "judge gave %d", code);
    size_t prefix = strncmp(word, "whsec_", 6) == 0 ? 6 : 0;
    FUZZ_CHECK(!strstr(outcome.text, word + prefix) &&
                   !strstr(outcome.remote_message, word + prefix),
               "told: %s, %s", outcome.text, outcome.remote_message);
}

static void check(const bb_webhook *webhook, const bb_request *request, const bb_attempt *attempt) {
    char signature[BASE64_SIZE];
    if (webhook->type == BB_CUSTOM && strncmp(webhook->secret, "whsk_", 5) == 0) {
        check_public(webhook, request);
        check_echo(webhook, request, webhook->secret);
        return;
    }
    if (webhook->type == BB_CUSTOM)
        sign_custom(request, webhook->secret, signature);
    else
        sign_robot(webhook->type, webhook->secret, attempt->time_ms, signature);
    check_carried(webhook->type, request, signature);
    check_masked(request, signature, webhook->secret, attempt->delivery_id);
    check_echo(webhook, request, signature);
    check_echo(webhook, request, webhook->secret);
}

static void check_refused(const bb_webhook *webhook, int code, const char *told) {
    static const char own[] = "secret: is neither \"whsec_\" and base64 of 16 to 64 bytes nor "
                              "\"whsk_\" and base64 of an Ed25519 key";
    const char *secret = webhook->secret;
    FUZZ_CHECK(code == BB_ERR_WEBHOOK || code == BB_ERR_ARGUMENT, "%d: %s", code, told);
    FUZZ_CHECK(strlen(secret) < SECRET_LEAST || strstr(own, secret) || !strstr(told, secret),
               "told: %s", told);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const bb_type types[] = {BB_CUSTOM, BB_DINGTALK, BB_FEISHU};
    static const int64_t times[] = {SAMPLE_TIME * 1000, 1, 999, INT64_MAX, -1, INT64_MIN};
    fuzz_input input = fuzz_open(data, size);
    bb_webhook webhook = sample_webhook(types[fuzz_choose(&input, 3)]);
    bb_attempt attempt = sample_attempt();
    bb_request *request = NULL;
    bb_error error = BB_ERROR_INIT;
    sample s;
    sample_make(&s, &sample_cases[0]);
    attempt.time_ms = times[fuzz_choose(&input, 6)];
    attempt.delivery_id = fuzz_text(&input);
    webhook.secret = fuzz_text(&input);
    int code = bb_webhook_prepare(NULL, &webhook, &s.event, &attempt, &request, &error);
    if (!fuzz_check_error("prepare", code, &error))
        check_refused(&webhook, code, error.text);
    else if (*webhook.secret)
        check(&webhook, request, &attempt);
    bb_request_free(request);
    fuzz_close(&input);
    return 0;
}
