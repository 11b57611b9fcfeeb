#include "driver/http_identity.h"

#include <string.h>

#include "base/digest.h"

#define SET(option, value) ok = curl_easy_setopt(easy, option, value) == CURLE_OK && ok

static bool is_given(const char *text) {
    return text && *text;
}

/* Without the store that all others share. */
static bool set_authorities(const struct bb_transfer *transfer, CURL *easy) {
    bool ok = true;
    bb_http_trust_set_own(easy);
    SET(CURLOPT_CAINFO, transfer->tls->ca_file);
    if (transfer->config->proxies) /* a proxy of https:// is not this webhook's */
        SET(CURLOPT_PROXY_CAINFO, bb_http_trust_bundle(transfer->config->trust));
    return ok;
}

/* libcurl takes connections for the same whose certificates are, whatever their keys and passwords.
 */
static bool set_apart(const struct bb_transfer *transfer, CURL *easy) {
    const bb_webhook *tls = transfer->tls;
    const char *key = is_given(tls->client_key) ? tls->client_key : "";
    const char *password = is_given(tls->client_key_password) ? tls->client_key_password : "";
    const struct bb_part parts[] = {{key, strlen(key) + 1}, {password, strlen(password)}};
    unsigned char digest[BB_SHA256_SIZE];
    char mark[2 * BB_SHA256_SIZE + 1];
    if (!bb_hmac_sha256(NULL, 0, parts, 2, digest))
        return false;
    bb_hex(digest, sizeof digest, mark);
    bool ok = bb_http_trust_set_apart(transfer->config->trust, easy, mark);
    bb_wipe(digest, sizeof digest);
    bb_wipe(mark, sizeof mark);
    return ok;
}

bool bb_http_identity_set(const struct bb_transfer *transfer, CURL *easy) {
    const bb_webhook *tls = transfer->tls;
    bool ok = true;
    if (is_given(tls->client_certificate)) {
        SET(CURLOPT_SSLCERT, tls->client_certificate);
        SET(CURLOPT_SSLKEY, is_given(tls->client_key) ? tls->client_key : NULL);
        SET(CURLOPT_KEYPASSWD, is_given(tls->client_key_password) ? tls->client_key_password : "");
    }
    if (is_given(tls->pinned_key))
        SET(CURLOPT_PINNEDPUBLICKEY, tls->pinned_key);
    if (is_given(tls->ca_file))
        ok = set_authorities(transfer, easy) && ok;
    return is_given(tls->client_certificate) ? set_apart(transfer, easy) && ok : ok;
}

void bb_http_identity_clear(const struct bb_transfer *transfer, CURL *easy) {
    curl_easy_setopt(easy, CURLOPT_SSLCERT, NULL);
    curl_easy_setopt(easy, CURLOPT_SSLKEY, NULL);
    curl_easy_setopt(easy, CURLOPT_KEYPASSWD, NULL);
    curl_easy_setopt(easy, CURLOPT_PINNEDPUBLICKEY, NULL);
    bb_http_trust_clear_apart(easy);
    if (is_given(transfer->tls->ca_file)) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
        bb_http_trust_set(transfer->config->trust, easy);
    }
}

const char *bb_http_identity_failure(const struct bb_transfer *transfer, CURLcode result,
                                     bb_failure *failure) {
    const bb_webhook *tls = transfer->tls;
    *failure = BB_FAILURE_SETTINGS;
    if (!tls)
        return NULL;
    if (result == CURLE_SSL_CACERT_BADFILE && is_given(tls->ca_file))
        return "its own bundle of trusted authorities (the webhook's ca_file) could not be read";
    if (result == CURLE_SSL_CERTPROBLEM && is_given(tls->client_certificate))
        return "its client certificate or key (client_certificate, client_key, "
               "client_key_password) could not be read or used";
    *failure = BB_FAILURE_CERTIFICATE;
    return result == CURLE_SSL_PINNEDPUBKEYNOTMATCH ? "its key is not the pinned one (pinned_key)"
                                                    : NULL;
}

bool bb_http_identity_is_refused(const struct bb_transfer *transfer, CURLcode result) {
    static const char *const alerts[] = {
        "alert certificate required",    "alert bad certificate",     "alert unknown ca",
        "alert unsupported certificate", "alert certificate expired", "alert certificate revoked",
        "alert certificate unknown",     "alert access denied"};
    if ((result != CURLE_RECV_ERROR && result != CURLE_SEND_ERROR) || transfer->header_bytes > 0)
        return false;
    for (size_t i = 0; i < sizeof alerts / sizeof *alerts; i++)
        if (strstr(transfer->error, alerts[i]))
            return true;
    return false;
}
