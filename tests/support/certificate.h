/* Self-signed certificates made for one test run. */
#ifndef SUPPORT_CERTIFICATE_H
#define SUPPORT_CERTIFICATE_H

#include <openssl/ssl.h>

/* A server's context with a fresh key and a certificate for `names` ("IP:127.0.0.1,DNS:a.example"),
 * valid from two days ago until tomorrow, or until yesterday when `expired`. The certificate is
 * also written to `pem_file`. NULL when OpenSSL or the file refuses. */
SSL_CTX *certificate_context(const char *names, int expired, const char *pem_file);

/* A client's certificate in the name `name`, signed by itself, and its key, encrypted where there
 * is a `password`: both are PEM files. False when OpenSSL or a file refuses. */
int certificate_files(const char *name, const char *pem_file, const char *key_file,
                      const char *password);

/* "sha256//..." of the public key in the certificate of a PEM file. False as above. */
int certificate_pin(const char *pem_file, char pin[64]);

#endif
