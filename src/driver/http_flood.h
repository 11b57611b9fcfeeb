/*
 * How much a receiver may make libcurl read. Over HTTP/2 libcurl 7.88 goes on reading for as long
 * as frames come that belong to no answer (SETTINGS, PING), so one receiver would keep the thread,
 * past every time limit; and what libcurl throws away itself (those, extensions of chunks) has no
 * other limit than the time. Such a connection is cut here, within OpenSSL.
 */
#ifndef BB_DRIVER_HTTP_FLOOD_H
#define BB_DRIVER_HTTP_FLOOD_H

#include <stdbool.h>

/* Begins a stretch: before each call in which libcurl may read. Each thread has its own. */
void bb_http_flood_begin(void);

/* A request is about to be written: its connection may bring as much as at first. */
void bb_http_flood_request(void);

/* Whether a connection was cut in this stretch. */
bool bb_http_flood_has_cut(void);

/* Watches the connections of a context (an SSL_CTX *). */
void bb_http_flood_watch(void *context);

#endif
