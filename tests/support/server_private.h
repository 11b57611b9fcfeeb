/* The inside of server.h. The whole state lives in one mapping that a child process shares at the
 * same address, so the records read alike from either side of a fork. */
#ifndef SUPPORT_SERVER_PRIVATE_H
#define SUPPORT_SERVER_PRIVATE_H

#include "support/server.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

enum { SERVER_MAX_REQUESTS = 1 << 18 };

typedef struct server_script {
    const char *path; /* NULL: any */
    const server_step *steps;
    size_t count;
    size_t next;
    struct server_script *older;
} server_script;

struct server {
    pthread_mutex_t lock; /* guards everything down to `requests`; shared between processes */
    pthread_cond_t changed;
    size_t used; /* bytes of the mapping */
    server_script *scripts;
    server_script accepts;
    bool released;
    bool stopping;
    size_t connections;
    size_t ended;
    size_t waiting;
    size_t peak_waiting;
    uint64_t bytes_sent;
    size_t request_count;
    server_request *requests[SERVER_MAX_REQUESTS];

    int listener; /* from here on: fixed before the loop begins */
    int wake;
    int port;
    SSL_CTX *tls;
    const char *greeting; /* of HTTP/2; NULL: it is not spoken */
    size_t greeting_length;
    char directory[256];
    char ca_file[300];
    pthread_t thread;
    pid_t child; /* 0: a thread serves */
};

/* Ends the program with `what` and errno's text. */
void server_die(const char *what);

void server_lock(server *receiver);
void server_unlock(server *receiver);

/* Zeroed memory of the shared mapping, never freed by itself. The lock must be held. */
void *server_alloc(server *receiver, size_t size);
char *server_copy(server *receiver, const char *bytes, size_t length);

/* The step that the next request for `path` takes, and the next connection (NULL: none). The lock
 * must be held. */
const server_step *server_next_step(server *receiver, const char *path);
const server_step *server_next_accept(server *receiver);

/* Reads one request out of `bytes`: the length of its line and headers, 0 while their end has not
 * come. `*body_length` is what its Content-Length says. */
size_t server_head_length(const char *bytes, size_t length, size_t *body_length);

/* Who has sent a request. */
typedef struct server_peer {
    char from[16];
    char client[64];
    int resumed;
} server_peer;

/* Keeps a request whose head is `head` bytes long, and wakes who waits for it. */
server_request *server_record(server *receiver, const char *bytes, size_t head, size_t body,
                              size_t connection, const server_peer *peer);

/* What has come of the next request, over HTTP/2. */
typedef struct server_http2_seen {
    bool has_headers;
    bool is_whole;
    size_t length; /* of the frames up to it */
} server_http2_seen;

/* Looks at the frames in `bytes`, which do not begin with the preface any more. */
server_http2_seen server_http2_look(const char *bytes, size_t length);

/* The length of the preface that a client begins with; 0 while it is not all there. */
size_t server_http2_preface(size_t length);

/* As server_record, of a request whose inside is not looked at. */
server_request *server_http2_record(server *receiver, bool is_whole, size_t connection);

/* Lets a context choose HTTP/2 of those who offer it, and says whether a connection has. */
void server_http2_offer(SSL_CTX *tls);
bool server_http2_is_spoken(const SSL *ssl);

/* Keeps a request, with the lock held, and wakes who waits for it. */
void server_keep(server *receiver, server_request *request);

/* The bytes of an answer, made by server_output_begin. */
typedef struct server_output {
    char *head; /* status line, headers, body */
    size_t head_length;
    char *unit; /* the repeated text, some times over */
    size_t unit_length;
    uint64_t limit; /* bytes in all; UINT64_MAX: without end */
    uint64_t sent;
} server_output;

void server_output_begin(server_output *output, const server_step *step,
                         const server_request *request);
/* The bytes that come next, at least one unless all were sent. */
const char *server_output_next(const server_output *output, size_t *length);
void server_output_end(server_output *output);

/* Serves until the receiver is stopping. */
void server_loop(server *receiver);

#endif
