#include "base/key.h"

#include <string.h>

#include "base/text.h"

static bool has_prefix(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static enum bb_truth truth_of(bool is_so) {
    return is_so ? BB_TRUE : BB_FALSE;
}

/* With another's public half, nobody could verify what it signs. */
static enum bb_truth has_own_half(const struct bb_key *key) {
    unsigned char half[BB_ED25519_KEY_SIZE];
    if (key->length != 2 * sizeof half)
        return BB_FALSE;
    if (!bb_ed25519_public(key->bytes, half))
        return BB_UNDECIDED;
    return truth_of(bb_is_same(half, key->bytes + sizeof half, sizeof half));
}

static enum bb_truth is_sound(const struct bb_key *key) {
    switch (key->kind) {
    case BB_KEY_SHARED:
        return truth_of(key->length >= BB_KEY_MIN);
    case BB_KEY_PRIVATE:
        return has_own_half(key);
    default:
        return truth_of(key->length == BB_ED25519_KEY_SIZE);
    }
}

enum bb_truth bb_key_read(struct bb_key *key, const char *text) {
    key->kind = has_prefix(text, "whsk_")   ? BB_KEY_PRIVATE
                : has_prefix(text, "whpk_") ? BB_KEY_PUBLIC
                                            : BB_KEY_SHARED;
    if (key->kind != BB_KEY_SHARED)
        text += strlen("whsk_");
    else if (has_prefix(text, "whsec_"))
        text += strlen("whsec_");
    int length = bb_base64_decode(text, key->bytes, sizeof key->bytes);
    key->length = length > 0 ? (size_t)length : 0;
    enum bb_truth truth = length > 0 ? is_sound(key) : BB_FALSE;
    if (truth != BB_TRUE)
        bb_wipe(key, sizeof *key);
    return truth;
}

static const char *version_of(const struct bb_key *key) {
    return key->kind == BB_KEY_SHARED ? "v1," : "v1a,";
}

/* How long it is; 0 when there is none. */
static size_t sign(const struct bb_key *key, const struct bb_part *parts, size_t count,
                   unsigned char out[BB_ED25519_SIZE]) {
    if (key->kind == BB_KEY_SHARED)
        return bb_hmac_sha256(key->bytes, key->length, parts, count, out) ? BB_SHA256_SIZE : 0;
    bool ok = key->kind == BB_KEY_PRIVATE && bb_ed25519_sign(key->bytes, parts, count, out);
    return ok ? BB_ED25519_SIZE : 0;
}

bool bb_key_sign(const struct bb_key *key, const struct bb_part *parts, size_t count,
                 char token[BB_KEY_TOKEN_SIZE]) {
    const char *version = version_of(key);
    unsigned char signature[BB_ED25519_SIZE];
    size_t length = sign(key, parts, count, signature);
    size_t used = bb_text_copy(token, BB_KEY_TOKEN_SIZE, version);
    if (length)
        bb_base64_encode(signature, length, token + used);
    return length > 0;
}

static enum bb_truth verify_shared(const struct bb_key *key, const struct bb_part *parts,
                                   size_t count, const unsigned char *given) {
    unsigned char own[BB_SHA256_SIZE];
    if (!bb_hmac_sha256(key->bytes, key->length, parts, count, own))
        return BB_UNDECIDED;
    return truth_of(bb_is_same(own, given, sizeof own));
}

enum bb_truth bb_key_verify(const struct bb_key *key, const struct bb_part *parts, size_t count,
                            const char *token) {
    const char *version = version_of(key);
    unsigned char given[BB_ED25519_SIZE];
    if (!has_prefix(token, version))
        return BB_FALSE;
    int length = bb_base64_decode(token + strlen(version), given, sizeof given);
    if (key->kind == BB_KEY_SHARED)
        return length == BB_SHA256_SIZE ? verify_shared(key, parts, count, given) : BB_FALSE;
    size_t public_at = key->kind == BB_KEY_PRIVATE ? BB_ED25519_KEY_SIZE : 0;
    return length == BB_ED25519_SIZE
               ? bb_ed25519_verify(key->bytes + public_at, parts, count, given)
               : BB_FALSE;
}
