/* What the scripted server knows of HTTP/2: where a request's frames begin and end. */
#include "support/server_private.h"

#include <string.h>

enum { FRAME_HEAD = 9, TYPE_DATA = 0, TYPE_HEADERS = 1, END_STREAM = 1 };

static const unsigned char protocols[] = {2, 'h', '2', 8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

static int choose(SSL *ssl, const unsigned char **chosen, unsigned char *length,
                  const unsigned char *offered, unsigned int offered_length, void *user) {
    unsigned char *found = NULL;
    (void)ssl, (void)user;
    if (SSL_select_next_proto(&found, length, protocols, sizeof(protocols), offered,
                              offered_length) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

void server_http2_offer(SSL_CTX *tls) {
    SSL_CTX_set_alpn_select_cb(tls, choose, NULL);
}

bool server_http2_is_spoken(const SSL *ssl) {
    const unsigned char *chosen = NULL;
    unsigned int length = 0;
    SSL_get0_alpn_selected(ssl, &chosen, &length);
    return length == 2 && memcmp(chosen, "h2", 2) == 0;
}

size_t server_http2_preface(size_t length) {
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    return length < sizeof(preface) - 1 ? 0 : sizeof(preface) - 1;
}

server_http2_seen server_http2_look(const char *bytes, size_t length) {
    const unsigned char *at = (const unsigned char *)bytes;
    server_http2_seen seen = {0};
    while (!seen.is_whole && length - seen.length >= FRAME_HEAD) {
        const unsigned char *head = at + seen.length;
        size_t frame = FRAME_HEAD + ((size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2]);
        if (length - seen.length < frame)
            break;
        seen.length += frame;
        seen.has_headers = seen.has_headers || head[3] == TYPE_HEADERS;
        seen.is_whole = (head[3] == TYPE_HEADERS || head[3] == TYPE_DATA) && head[4] & END_STREAM;
    }
    return seen;
}

server_request *server_http2_record(server *receiver, bool is_whole, size_t connection) {
    server_lock(receiver);
    server_request *request = server_alloc(receiver, sizeof(*request));
    *request = (server_request){.method = "POST",
                                .path = "",
                                .query = "",
                                .version = "HTTP/2",
                                .body = "",
                                .complete = is_whole,
                                .connection = connection,
                                .time_ms = server_now_ms()};
    server_keep(receiver, request);
    server_unlock(receiver);
    return request;
}
