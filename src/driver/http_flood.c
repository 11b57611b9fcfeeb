#include "driver/http_flood.h"

#include <stddef.h>

#include <openssl/ssl.h>

/* All answers that may lie ready on a connection fit in: libcurl stops at the first that has a
 * body. Of the smallest frames it is a quarter of a second's work. */
enum { STRETCH_MAX = 512 * 1024 };

static _Thread_local struct {
    const SSL *connection;
    size_t bytes; /* of this connection, without a break */
    bool has_cut;
} stretch;

void bb_http_flood_begin(void) {
    stretch.connection = NULL;
    stretch.bytes = 0;
    stretch.has_cut = false;
}

bool bb_http_flood_has_cut(void) {
    return stretch.has_cut;
}

/* Of each TLS record's five bytes in front, the last two are its length. What is read after it
 * looks like the connection's end. */
static void on_message(int is_written, int version, int type, const void *bytes, size_t length,
                       SSL *ssl, void *user) {
    const unsigned char *head = bytes;
    (void)version, (void)user;
    if (is_written || type != SSL3_RT_HEADER || length != SSL3_RT_HEADER_LENGTH)
        return;
    if (stretch.connection != ssl)
        stretch.bytes = 0;
    stretch.connection = ssl;
    stretch.bytes += (size_t)head[3] << 8 | head[4];
    if (stretch.bytes <= STRETCH_MAX)
        return;
    SSL_set_shutdown(ssl, SSL_get_shutdown(ssl) | SSL_RECEIVED_SHUTDOWN);
    stretch.has_cut = true;
}

void bb_http_flood_watch(void *context) {
    SSL_CTX_set_msg_callback(context, on_message);
}
