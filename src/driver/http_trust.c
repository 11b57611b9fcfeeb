#include "driver/http_trust.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>

#include "driver/http_flood.h"

enum { FRESH_S = 24 * 60 * 60 };

struct bb_http_trust {
    const bb_allocator *mem;
    const char *bundle; /* NULL: libcurl does without */
    bool is_shared;     /* libcurl runs on this very OpenSSL, so a store can be given to it */
    pthread_mutex_t lock;
    X509_STORE *store; /* NULL: not read so far */
    time_t read_s;
};

/* An OpenSSL of another version, or another TLS library, has stores of its own. */
static bool is_own_openssl(const char *backend) {
    static const char name[] = "OpenSSL/";
    return backend && strncmp(backend, name, sizeof name - 1) == 0 &&
           strcmp(backend + sizeof name - 1, OpenSSL_version(OPENSSL_VERSION_STRING)) == 0;
}

struct bb_http_trust *bb_http_trust_new(const bb_allocator *mem, const char *bundle) {
    const curl_version_info_data *libcurl = curl_version_info(CURLVERSION_NOW);
    struct bb_http_trust *trust = bb_mem_zalloc(mem, sizeof *trust);
    if (!trust)
        return NULL;
    trust->mem = mem;
    trust->bundle = bundle ? bundle : libcurl->cainfo;
    trust->is_shared = is_own_openssl(libcurl->ssl_version);
    pthread_mutex_init(&trust->lock, NULL);
    return trust;
}

void bb_http_trust_free(struct bb_http_trust *trust) {
    if (!trust)
        return;
    X509_STORE_free(trust->store);
    pthread_mutex_destroy(&trust->lock);
    bb_mem_free(trust->mem, trust);
}

/* With the flags that libcurl gives its own. */
static X509_STORE *read_bundle(const char *bundle) {
    X509_STORE *store = X509_STORE_new();
    if (store && X509_STORE_load_file(store, bundle) == 1 &&
        X509_STORE_set_flags(store, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN) == 1)
        return store;
    X509_STORE_free(store);
    return NULL;
}

/* When it cannot be read again, what was read before stays. */
static void refresh(struct bb_http_trust *trust) {
    time_t now_s = time(NULL);
    if (trust->store && now_s >= trust->read_s && now_s - trust->read_s < FRESH_S)
        return;
    X509_STORE *fresh = read_bundle(trust->bundle);
    if (!fresh)
        return;
    X509_STORE_free(trust->store);
    trust->store = fresh;
    trust->read_s = now_s;
}

/* CURLOPT_SSL_CTX_FUNCTION */
static CURLcode on_context(CURL *easy, void *context, void *user) {
    struct bb_http_trust *trust = user;
    (void)easy;
    bb_http_flood_watch(context);
    if (!trust)
        return CURLE_OK;
    pthread_mutex_lock(&trust->lock);
    refresh(trust);
    bool is_read = trust->store != NULL;
    if (is_read)
        SSL_CTX_set1_cert_store(context, trust->store);
    pthread_mutex_unlock(&trust->lock);
    return is_read ? CURLE_OK : CURLE_SSL_CACERT_BADFILE;
}

/* Debian's libcurl also names a CApath, with which it reads the bundle for each connection. */
bool bb_http_trust_set(struct bb_http_trust *trust, void *easy) {
    if (!trust->bundle)
        return true;
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* not every TLS library has one */
    if (trust->is_shared &&
        curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_context) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, trust) == CURLE_OK)
        return curl_easy_setopt(easy, CURLOPT_CAINFO, NULL) == CURLE_OK;
    return curl_easy_setopt(easy, CURLOPT_CAINFO, trust->bundle) == CURLE_OK;
}

/* Neither is there for every TLS library. */
void bb_http_trust_set_own(void *easy) {
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, NULL);
}

/* Nothing is ever found below /dev/null, and of the store that is shared it is not even asked for;
 * but connections and sessions are told apart by it. */
bool bb_http_trust_set_apart(const struct bb_http_trust *trust, void *easy, const char *mark) {
    char path[sizeof "/dev/null/" + 64];
    if (!trust->is_shared) /* another TLS library would not let it pass: none of them is kept */
        return curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK;
    snprintf(path, sizeof path, "/dev/null/%s", mark);
    return curl_easy_setopt(easy, CURLOPT_CAPATH, path) == CURLE_OK;
}

void bb_http_trust_clear_apart(void *easy) {
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 0L);
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
}

const char *bb_http_trust_bundle(const struct bb_http_trust *trust) {
    return trust->bundle;
}
