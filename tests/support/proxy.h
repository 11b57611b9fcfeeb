/*
 * A small proxy on 127.0.0.1, of HTTP (CONNECT) or SOCKS5, in threads of the test: it notes what it
 * is asked for and lets tunnels lead to the scripted server, or refuses, or is silent.
 *
 * Like the scripted HTTP server it ends the program, with a sentence, when the machine refuses.
 * What is handed out is borrowed until proxy_stop. All functions may be called from any thread.
 */
#ifndef SUPPORT_PROXY_H
#define SUPPORT_PROXY_H

#include <stddef.h>

typedef struct proxy proxy;

typedef struct proxy_options {
    int socks;             /* not 0: SOCKS5; else HTTP */
    const char *tls_names; /* HTTP over TLS, with a certificate for these names; NULL: without */
    const char *user;      /* NULL: everybody may use it */
    const char *password;
    int refusal;  /* not 0: the status, or SOCKS reply, that every tunnel is refused with */
    int refusals; /* so many tunnels are; 0: every one */
    int silent;   /* not 0: it reads, and never answers */
    int hangs_up; /* not 0: it closes where it would answer */
    int to_port;  /* tunnels lead to this port of 127.0.0.1, wherever they were to go */
} proxy_options;

proxy *proxy_start(const proxy_options *options);
void proxy_stop(proxy *p); /* NULL is fine */

int proxy_port(const proxy *p);
const char *proxy_url(const proxy *p);     /* "http://127.0.0.1:PORT", "socks5://..." */
const char *proxy_ca_file(const proxy *p); /* NULL without TLS */

size_t proxy_connections(proxy *p);
size_t proxy_asked(proxy *p); /* tunnels that it was asked for */

/* "192.0.2.1:443", "[2001:db8::1]:443"; "name:" before what is no address. NULL past the end. */
const char *proxy_target(proxy *p, size_t index);

/* Whether clients have said this before a tunnel was there. */
int proxy_heard(proxy *p, const char *text);

#endif
