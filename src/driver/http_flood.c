#include "driver/http_flood.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

enum {
    /* Five times the longest answer that is read, for a connection has one at a time. Of the
     * smallest frames it is a quarter of a second's work. */
    STRETCH_MAX = 512 * 1024,
    /* Since the connection's last request. */
    IN_ALL_MAX = 4 * 1024 * 1024
};

static _Thread_local struct {
    const SSL *connection;
    size_t bytes; /* of this connection, without a break */
    bool is_request;
    bool has_cut;
} stretch;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int in_all; /* where a connection keeps its bytes; -1: nowhere, for want of memory */

void bb_http_flood_begin(void) {
    stretch.connection = NULL;
    stretch.bytes = 0;
    stretch.is_request = false;
    stretch.has_cut = false;
}

void bb_http_flood_request(void) {
    stretch.is_request = true;
}

bool bb_http_flood_has_cut(void) {
    return stretch.has_cut;
}

static void on_written(SSL *ssl) {
    if (stretch.is_request)
        SSL_set_ex_data(ssl, in_all, NULL);
    stretch.is_request = false;
}

static size_t add_in_all(SSL *ssl, size_t bytes) {
    bytes += (size_t)(uintptr_t)SSL_get_ex_data(ssl, in_all);
    SSL_set_ex_data(ssl, in_all, (void *)(uintptr_t)bytes);
    return bytes;
}

static size_t add_in_stretch(const SSL *ssl, size_t bytes) {
    if (stretch.connection != ssl)
        stretch.bytes = 0;
    stretch.connection = ssl;
    return stretch.bytes += bytes;
}

/* Of each TLS record's five bytes in front, the last two are its length. What is read after it
 * looks like the connection's end. */
static void on_message(int is_written, int version, int type, const void *bytes, size_t length,
                       SSL *ssl, void *user) {
    const unsigned char *head = bytes;
    (void)version, (void)user;
    if (type != SSL3_RT_HEADER || length != SSL3_RT_HEADER_LENGTH)
        return;
    if (is_written) {
        on_written(ssl);
        return;
    }
    size_t record = (size_t)head[3] << 8 | head[4];
    if (add_in_stretch(ssl, record) <= STRETCH_MAX && add_in_all(ssl, record) <= IN_ALL_MAX)
        return;
    SSL_set_shutdown(ssl, SSL_get_shutdown(ssl) | SSL_RECEIVED_SHUTDOWN);
    stretch.has_cut = true;
}

static void take_index(void) {
    in_all = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

void bb_http_flood_watch(void *context) {
    pthread_once(&once, take_index);
    SSL_CTX_set_msg_callback(context, on_message);
}
