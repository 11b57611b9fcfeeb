/*
 * A small HTTP/1.1 server on 127.0.0.1 that follows a script, mostly to misbehave on purpose, and
 * records what really arrived. One poll loop, in a thread of the test or in a process of its own.
 * It serves what libcurl sends: no chunked requests, no pipelining. Of HTTP/2 it knows how a
 * request comes; what it answers are the bytes of frames that a script has.
 *
 * Every call fails the program (abort, with a sentence) when the machine refuses: a test cannot go
 * on without its receiver. What a test thread passes in is copied; what it is handed is borrowed
 * until server_stop. All functions may be called from any thread of the process that started it.
 */
#ifndef SUPPORT_SERVER_H
#define SUPPORT_SERVER_H

#include <stddef.h>
#include <stdint.h>

typedef struct server server;

typedef struct server_options {
    /* NULL: plain HTTP. Else HTTPS with a self-signed certificate for these names, written as in
     * OpenSSL's subjectAltName: "IP:127.0.0.1,DNS:hooks.slack.com". */
    const char *tls_names;
    int tls_expired;       /* not 0: the certificate ended yesterday */
    const char *client_ca; /* PEM file: who has no certificate from it is refused; NULL: everybody
                              is served */
    int tls_most;          /* the newest version that it speaks, as OpenSSL's TLS1_1_VERSION; 0:
                              any */
    int own_process;       /* not 0: serve from a child process */
    /* Not 0: who offers HTTP/2 with the handshake gets it. `greeting`: the frames that are sent
     * then (NULL: SETTINGS without a setting). Its requests have no script but that of every path,
     * whose steps have `raw`; they are recorded without headers and body. */
    int http2;
    const char *greeting;
    size_t greeting_length;
} server_options;

/* What follows the bytes of an answer. */
typedef enum server_end {
    SERVER_KEEP = 0, /* the connection waits for the next request */
    SERVER_CLOSE,    /* FIN */
    SERVER_RESET,    /* RST */
    SERVER_SILENT    /* open, and nothing more */
} server_end;

/* When a step begins. */
typedef enum server_moment {
    SERVER_AFTER_BODY = 0, /* the whole request is there */
    SERVER_AFTER_HEADERS   /* its body is not read; the step must not end with SERVER_KEEP */
} server_moment;

/* The request's target, headers and body, shown in its answer; quotes, backslashes and line ends
 * are left out, so that it fits into a JSON string. */
typedef enum server_echo {
    SERVER_ECHO_NOTHING = 0,
    SERVER_ECHO_PLAIN,
    SERVER_ECHO_DECODED, /* %2F as a slash */
    SERVER_ECHO_ESCAPED  /* a slash as JSON's \/ */
} server_echo;

/* What is done with one request. Zero in any field means the usual case; {.status = 200} is a
 * plain empty answer, and {.end = SERVER_CLOSE} closes without a byte. */
typedef struct server_step {
    int status;             /* 0: no status line, headers or body are made */
    const char *headers;    /* "Name: value\r\n" lines */
    const char *body;       /* its Content-Length is added unless `headers` frames it */
    size_t body_length;     /* 0: to the NUL */
    size_t declared_length; /* the Content-Length claimed; 0: the true one */
    const char *raw;        /* sent as it is, in place of status, headers and body */
    size_t raw_length;      /* 0: to the NUL */
    const char *repeat;     /* follows the above, again and again ... */
    size_t repeat_length;   /* 0: to the NUL */
    size_t repeat_bytes;    /* ... for this many bytes; 0: without end */
    server_echo echo;       /* after the body */
    const char *tail;       /* closes what `echo` was put into */
    int delay_ms;           /* before the first byte */
    int hold;               /* not 0: before the first byte, until server_release */
    int drip_ms;            /* between two bytes; 0: as fast as they are read */
    size_t stop_after;      /* the end comes after this many bytes; 0: after all */
    server_end end;
    server_moment moment;
} server_step;

typedef struct server_field {
    const char *name;
    const char *value;
} server_field;

typedef struct server_request {
    const char *method;
    const char *path;
    const char *query; /* without the "?"; "" for none */
    const char *version;
    const server_field *headers;
    size_t header_count;
    const char *body; /* NUL-terminated beyond its length */
    size_t body_length;
    int complete;       /* 0: its step began before its body was there */
    int resumed;        /* not 0: its connection began with an earlier one's TLS session */
    const char *from;   /* the address that it came from; of HTTP/2 NULL, as the next */
    const char *client; /* the name in the client's certificate; "" without one */
    size_t connection;  /* 1 for the first that was accepted */
    int64_t time_ms;    /* CLOCK_MONOTONIC */
} server_request;

/* `options` may be NULL. */
server *server_start(const server_options *options);

/* Ends every connection and the loop, and frees what was recorded. NULL is fine. */
void server_stop(server *receiver);

int server_port(const server *receiver);

/* "http://127.0.0.1:<port><path>", or https. */
const char *server_url(server *receiver, const char *path);

/* The PEM file with the certificate, to be trusted by a client; NULL without TLS. */
const char *server_ca_file(const server *receiver);

/* The requests for `path` (without query; NULL: every path that has no script) take these steps in
 * turn; the last one is repeated. Replaces an earlier script. A path without any script is 404. */
void server_on(server *receiver, const char *path, const server_step *steps, size_t count);

/* The next connections take these steps when they are accepted, before a byte is read; those
 * after them are served as usual. {0} serves its connection as usual too. With TLS they come before
 * its handshake and speak plainly. */
void server_on_accept(server *receiver, const server_step *steps, size_t count);

/* Lets every held step go on, also those to come. */
void server_release(server *receiver);

size_t server_connections(server *receiver); /* accepted so far */
size_t server_requests(server *receiver);    /* recorded so far */
size_t server_requests_to(server *receiver, const char *path);
size_t server_peak_waiting(server *receiver); /* most requests unanswered at one time */
uint64_t server_bytes_sent(server *receiver);

/* Waits until as many requests were recorded, or connections ended by either side. 1, or 0 when
 * the time is over. */
int server_wait_requests(server *receiver, size_t count, int timeout_ms);
int server_wait_ended(server *receiver, size_t count, int timeout_ms);

/* In the order of arrival; NULL past the end. */
const server_request *server_request_at(server *receiver, size_t index);

/* The first request for `path`; NULL if there is none. */
const server_request *server_request_to(server *receiver, const char *path);

/* The first header of that name, in any case; NULL if it has none. */
const char *server_header(const server_request *request, const char *name);

/* CLOCK_MONOTONIC in milliseconds. */
int64_t server_now_ms(void);

#endif
