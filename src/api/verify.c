/* The receiver's side: whether a request is what its sender signed. No dispatcher, no memory. */
#include <string.h>

#include "base/error.h"
#include "base/key.h"

enum {
    TOKENS_MAX = 16, /* each costs a signature for each secret: a stranger decides how many */
    DIGITS_MAX = 12,
    USUAL_TOLERANCE_S = 300 /* of the reference libraries */
};

/* ---- headers ---- */

static int check_header(const char *name, const char *value, bb_error *error) {
    return value && *value ? BB_OK
                           : bb_fail(error, BB_ERR_MISSING, "the header %s is missing", name);
}

static int check_headers(const bb_received *r, bb_error *error) {
    int code = check_header("webhook-id", r->id, error);
    if (code == BB_OK)
        code = check_header("webhook-timestamp", r->timestamp, error);
    if (code == BB_OK)
        code = check_header("webhook-signature", r->signature, error);
    return code;
}

/* A point in the id would move what follows it into the time, and that into the body. */
static int check_id(const char *id, bb_error *error) {
    if (strchr(id, '.'))
        return bb_fail(error, BB_ERR_MALFORMED, "the header webhook-id has a point in it");
    return BB_OK;
}

static int check_time(const bb_received *r, bb_error *error) {
    size_t digits = strspn(r->timestamp, "0123456789");
    int64_t tolerance_s = r->tolerance_s ? r->tolerance_s : USUAL_TOLERANCE_S, time_s = 0;
    if (r->timestamp[digits] || digits > DIGITS_MAX)
        return bb_fail(error, BB_ERR_MALFORMED,
                       "the header webhook-timestamp is not a number of seconds since 1970");
    for (size_t i = 0; i < digits; i++)
        time_s = 10 * time_s + (r->timestamp[i] - '0');
    int64_t off_s = time_s - r->now_ms / 1000;
    if (off_s < -tolerance_s)
        return bb_fail(error, BB_ERR_TOO_OLD, "the request is too old: its time is past by %lld s",
                       (long long)-off_s);
    if (off_s > tolerance_s)
        return bb_fail(error, BB_ERR_TOO_NEW,
                       "the request is of the future: its time is ahead by %lld s",
                       (long long)off_s);
    return BB_OK;
}

/* ---- signatures ---- */

struct signed_content {
    struct bb_part parts[5]; /* "id.timestamp.body" */
};

static bool is_known(const char *token) {
    return strncmp(token, "v1,", 3) == 0 || strncmp(token, "v1a,", 4) == 0;
}

/* Takes the next token; "" for one that is longer than any that is known. False: none is left. */
static bool next_token(const char **from, char token[BB_KEY_TOKEN_SIZE]) {
    *from += strspn(*from, " ");
    size_t n = strcspn(*from, " ");
    bool fits = n < BB_KEY_TOKEN_SIZE;
    memcpy(token, *from, fits ? n : 0);
    token[fits ? n : 0] = '\0';
    *from += n;
    return n > 0;
}

/* How many there are, of versions that are known; what else there is must be of another one. */
static int check_tokens(const char *header, bb_error *error) {
    char token[BB_KEY_TOKEN_SIZE];
    size_t known = 0, all = 0;
    while (next_token(&header, token)) {
        all++;
        known += is_known(token);
    }
    if (all > TOKENS_MAX)
        return bb_fail(error, BB_ERR_MALFORMED,
                       "the header webhook-signature has more than %d signatures", TOKENS_MAX);
    if (known == 0)
        return bb_fail(error, BB_ERR_MALFORMED,
                       "the header webhook-signature has neither a v1 nor a v1a signature");
    return BB_OK;
}

/* What has been found of any of the signatures. */
struct findings {
    bool is_signed;
    bool is_undecided; /* OpenSSL had no memory to look at one */
};

static void look_at(const struct bb_key *key, const char *header,
                    const struct signed_content *content, struct findings *findings) {
    char token[BB_KEY_TOKEN_SIZE];
    while (next_token(&header, token)) {
        enum bb_truth truth = bb_key_verify(key, content->parts, 5, token);
        findings->is_signed |= truth == BB_TRUE;
        findings->is_undecided |= truth == BB_UNDECIDED;
    }
}

static int check_signature(const bb_received *r, bb_error *error) {
    const struct signed_content content = {{{r->id, strlen(r->id)},
                                            {".", 1},
                                            {r->timestamp, strlen(r->timestamp)},
                                            {".", 1},
                                            {r->body, r->body_length}}};
    struct findings findings = {false, false};
    for (size_t i = 0; i < r->secret_count; i++) {
        struct bb_key key;
        enum bb_truth is_key =
            r->secrets[i] && *r->secrets[i] ? bb_key_read(&key, r->secrets[i]) : BB_FALSE;
        findings.is_undecided |= is_key == BB_UNDECIDED;
        if (is_key != BB_TRUE)
            continue;
        look_at(&key, r->signature, &content, &findings);
        bb_wipe(&key, sizeof key);
    }
    if (findings.is_signed)
        return BB_OK;
    if (findings.is_undecided)
        return bb_fail_memory(error);
    return bb_fail(error, BB_ERR_SIGNATURE,
                   "no signature is of these secrets: another secret, or a changed request");
}

/* ---- the receiver's own mistakes ---- */

static int check_secrets(const bb_received *r, bb_error *error) {
    size_t count = 0;
    for (size_t i = 0; r->secrets && i < r->secret_count; i++) {
        struct bb_key key;
        if (!r->secrets[i] || !*r->secrets[i])
            continue;
        enum bb_truth is_key = bb_key_read(&key, r->secrets[i]);
        if (is_key == BB_UNDECIDED)
            return bb_fail_memory(error);
        if (is_key == BB_FALSE)
            return bb_fail(error, BB_ERR_ARGUMENT,
                           "received.secrets[%zu] is not a secret of Standard Webhooks "
                           "(whsec_, whpk_ or whsk_ and base64)",
                           i);
        bb_wipe(&key, sizeof key);
        count++;
    }
    return count ? BB_OK
                 : bb_fail(error, BB_ERR_ARGUMENT,
                           "received.secrets has none: nothing can be verified");
}

static int check_arguments(const bb_received *r, bb_error *error) {
    if (r->body_length && !r->body)
        return bb_fail(error, BB_ERR_ARGUMENT, "received.body is NULL, but not empty");
    if (r->now_ms <= 0)
        return bb_fail(error, BB_ERR_ARGUMENT, "received.now_ms is not set");
    return check_secrets(r, error);
}

int bb_webhook_verify(const bb_received *received, bb_error *error) {
    bb_received own;
    int code = bb_struct_read(&own, sizeof own, received, "received", error);
    if (code == BB_OK)
        code = check_arguments(&own, error);
    if (code == BB_OK)
        code = check_headers(&own, error);
    if (code == BB_OK)
        code = check_id(own.id, error);
    if (code == BB_OK)
        code = check_tokens(own.signature, error);
    if (code == BB_OK)
        code = check_time(&own, error);
    return code ? code : check_signature(&own, error);
}
