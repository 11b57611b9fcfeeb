#include "support/certificate.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

enum { DAY = 24 * 60 * 60 };

static int add_extension(X509 *certificate, int id, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, id, value);
    int added = extension != NULL && X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    return added;
}

static int name_itself(X509 *certificate, const char *common) {
    X509_NAME *name = X509_get_subject_name(certificate);
    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common, -1,
                                      -1, 0) &&
           X509_set_issuer_name(certificate, name);
}

/* `names` NULL: a client's. */
static int fill_in(X509 *certificate, EVP_PKEY *key, const char *common, const char *names,
                   int expired) {
    return X509_set_version(certificate, X509_VERSION_3) &&
           ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) &&
           X509_gmtime_adj(X509_getm_notBefore(certificate), -2L * DAY) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(certificate), expired ? -DAY : DAY) != NULL &&
           name_itself(certificate, common) && X509_set_pubkey(certificate, key) &&
           add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE") &&
           (names == NULL || add_extension(certificate, NID_subject_alt_name, names)) &&
           X509_sign(certificate, key, EVP_sha256());
}

static int write_pem(X509 *certificate, const char *pem_file) {
    FILE *file = fopen(pem_file, "w");
    if (file == NULL)
        return 0;
    int written = PEM_write_X509(file, certificate);
    return fclose(file) == 0 && written;
}

SSL_CTX *certificate_context(const char *names, int expired, const char *pem_file) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    int made = key != NULL && certificate != NULL && context != NULL &&
               fill_in(certificate, key, "test receiver", names, expired) &&
               write_pem(certificate, pem_file) && SSL_CTX_use_certificate(context, certificate) &&
               SSL_CTX_use_PrivateKey(context, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
    if (made)
        return context;
    SSL_CTX_free(context);
    return NULL;
}

static int write_key(EVP_PKEY *key, const char *key_file, const char *password) {
    FILE *file = fopen(key_file, "w");
    if (file == NULL)
        return 0;
    int written = PEM_write_PrivateKey(file, key, password != NULL ? EVP_aes_256_cbc() : NULL, NULL,
                                       0, NULL, (void *)password);
    return fclose(file) == 0 && written;
}

int certificate_files(const char *name, const char *pem_file, const char *key_file,
                      const char *password) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    int made = key != NULL && certificate != NULL && fill_in(certificate, key, name, NULL, 0) &&
               write_pem(certificate, pem_file) && write_key(key, key_file, password);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return made;
}

static int print_pin(const X509 *certificate, char pin[64]) {
    unsigned char digest[32], *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    int made = n > 0 && EVP_Digest(der, (size_t)n, digest, NULL, EVP_sha256(), NULL);
    char code[48];
    if (made)
        EVP_EncodeBlock((unsigned char *)code, digest, sizeof digest);
    if (made)
        snprintf(pin, 64, "sha256//%s", code);
    OPENSSL_free(der);
    return made;
}

int certificate_pin(const char *pem_file, char pin[64]) {
    FILE *file = fopen(pem_file, "r");
    if (file == NULL)
        return 0;
    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    int made = certificate != NULL && print_pin(certificate, pin);
    X509_free(certificate);
    fclose(file);
    return made;
}
