/* A self-signed certificate made for one test run. */
#ifndef SUPPORT_CERTIFICATE_H
#define SUPPORT_CERTIFICATE_H

#include <openssl/ssl.h>

/* A server's context with a fresh key and a certificate for `names` ("IP:127.0.0.1,DNS:a.example"),
 * valid from two days ago until tomorrow, or until yesterday when `expired`. The certificate is
 * also written to `pem_file`. NULL when OpenSSL or the file refuses. */
SSL_CTX *certificate_context(const char *names, int expired, const char *pem_file);

#endif
