#define _GNU_SOURCE /* accept4, POLLRDHUP */
#include "support/server_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef enum stage {
    STAGE_HANDSHAKE, /* TLS */
    STAGE_READING,   /* a request */
    STAGE_WAITING,   /* for the delay or the release */
    STAGE_ANSWERING,
    STAGE_IGNORING, /* what comes is read and dropped, until the other side ends */
    STAGE_GONE
} stage;

typedef struct connection {
    int fd;
    SSL *ssl;
    size_t number;
    stage stage;
    short tls_wants; /* poll events of the handshake */
    bool http2;      /* is spoken: what comes while it is answered is read, and dropped */
    bool greeted;    /* the client's preface has come */
    bool ended;      /* counted as ended */
    bool unanswered; /* counted as waiting */
    char *in;
    size_t in_length;
    size_t in_size;
    const server_request *request;
    const server_step *step;
    server_output output;
    int64_t due_ms; /* nothing is written before */
} connection;

typedef struct loop {
    server *receiver;
    connection **connections;
    struct pollfd *polls; /* the wake-up, the listener, then one for each connection */
    size_t count;
    size_t size;
    bool released;
} loop;

/* ---------------------------------------------------------------- bytes -- */

/* > 0 bytes; 0: not now; < 0: the other side has ended. */
static ssize_t read_some(connection *c, char *into, size_t size) {
    if (c->ssl != NULL) {
        int n = SSL_read(c->ssl, into, (int)size);
        return n > 0 ? n : SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_READ ? 0 : -1;
    }
    ssize_t n = recv(c->fd, into, size, 0);
    return n > 0 ? n : n < 0 && errno == EAGAIN ? 0 : -1;
}

static ssize_t write_some(connection *c, const char *bytes, size_t length) {
    if (c->ssl != NULL) {
        int n = SSL_write(c->ssl, bytes, (int)length);
        return n > 0 ? n : SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_WRITE ? 0 : -1;
    }
    ssize_t n = send(c->fd, bytes, length, 0);
    return n > 0 ? n : n < 0 && errno == EAGAIN ? 0 : -1;
}

/* ------------------------------------------------------------------ end -- */

static void count_end(loop *l, connection *c) {
    server *receiver = l->receiver;
    server_lock(receiver);
    receiver->ended += !c->ended;
    receiver->waiting -= c->unanswered;
    pthread_cond_broadcast(&receiver->changed);
    server_unlock(receiver);
    c->ended = true;
    c->unanswered = false;
}

static void drop(loop *l, connection *c) {
    server_output_end(&c->output);
    SSL_free(c->ssl);
    close(c->fd);
    free(c->in);
    c->stage = STAGE_GONE;
    count_end(l, c);
}

static void reset(loop *l, connection *c) {
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    drop(l, c);
}

/* A FIN, not the RST that a close with unread bytes makes: what comes is read on. */
static void finish(loop *l, connection *c) {
    if (c->ssl != NULL && SSL_is_init_finished(c->ssl))
        SSL_shutdown(c->ssl);
    shutdown(c->fd, SHUT_WR);
    c->stage = STAGE_IGNORING;
    count_end(l, c);
}

/* ---------------------------------------------------------------- steps -- */

static void start_tls(loop *l, connection *c) {
    c->ssl = SSL_new(l->receiver->tls);
    if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1)
        server_die("TLS");
    SSL_set_accept_state(c->ssl);
    c->tls_wants = POLLIN;
    c->stage = STAGE_HANDSHAKE;
}

static void serve_next(loop *l, connection *c) {
    c->step = NULL;
    c->request = NULL;
    c->stage = STAGE_READING;
    if (l->receiver->tls != NULL && c->ssl == NULL)
        start_tls(l, c);
}

static void end_step(loop *l, connection *c) {
    server_output_end(&c->output);
    switch (c->step->end) {
    case SERVER_KEEP:
        serve_next(l, c);
        break;
    case SERVER_CLOSE:
        finish(l, c);
        break;
    case SERVER_RESET:
        reset(l, c);
        break;
    case SERVER_SILENT:
        c->stage = STAGE_IGNORING;
        break;
    }
}

static void begin_step(connection *c, const server_step *step) {
    c->step = step;
    c->due_ms = step->delay_ms == 0 ? 0 : server_now_ms() + step->delay_ms;
    c->stage = STAGE_WAITING;
}

static const server_step *choose_step(loop *l, const char *head, size_t length) {
    const char *target = (const char *)memchr(head, ' ', length) + 1;
    server_lock(l->receiver);
    const char *path = server_copy(l->receiver, target, strcspn(target, "? \r"));
    const server_step *step = server_next_step(l->receiver, path);
    server_unlock(l->receiver);
    return step;
}

static server_peer peer_of(const connection *c) {
    server_peer peer = {.resumed = c->ssl != NULL && SSL_session_reused(c->ssl)};
    struct sockaddr_in address;
    socklen_t length = sizeof(address);
    if (getpeername(c->fd, (struct sockaddr *)&address, &length) == 0)
        inet_ntop(AF_INET, &address.sin_addr, peer.from, sizeof(peer.from));
    X509 *certificate = c->ssl != NULL ? SSL_get1_peer_certificate(c->ssl) : NULL;
    if (certificate != NULL)
        X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, peer.client,
                                  sizeof(peer.client));
    X509_free(certificate);
    return peer;
}

/* The step is chosen when the headers are there, and begins at its moment. */
static void consider_request(loop *l, connection *c) {
    size_t body = 0;
    size_t head = server_head_length(c->in, c->in_length, &body);
    if (head == 0)
        return;
    if (c->step == NULL)
        c->step = choose_step(l, c->in, head);
    size_t there = c->in_length - head < body ? c->in_length - head : body;
    if (there < body && c->step->moment == SERVER_AFTER_BODY)
        return;
    server_peer peer = peer_of(c);
    c->request = server_record(l->receiver, c->in, head, there, c->number, &peer);
    c->unanswered = true;
    c->in_length = 0;
    begin_step(c, c->step);
}

static void drop_input(connection *c, size_t length) {
    memmove(c->in, c->in + length, c->in_length - length);
    c->in_length -= length;
}

static void consider_http2(loop *l, connection *c) {
    size_t preface = c->greeted ? 0 : server_http2_preface(c->in_length);
    if (!c->greeted && preface == 0)
        return;
    drop_input(c, preface);
    c->greeted = true;
    server_http2_seen seen = server_http2_look(c->in, c->in_length);
    if (!seen.has_headers)
        return;
    if (c->step == NULL)
        c->step = choose_step(l, " /", 2);
    if (!seen.is_whole && c->step->moment == SERVER_AFTER_BODY)
        return;
    c->request = server_http2_record(l->receiver, seen.is_whole, c->number);
    c->unanswered = true;
    drop_input(c, seen.length);
    begin_step(c, c->step);
}

static void count_answer(loop *l, connection *c) {
    server_lock(l->receiver);
    l->receiver->waiting -= c->unanswered;
    server_unlock(l->receiver);
    c->unanswered = false;
}

static void begin_answer(loop *l, connection *c) {
    if ((c->step->hold && !l->released) || server_now_ms() < c->due_ms)
        return;
    count_answer(l, c);
    server_output_begin(&c->output, c->step, c->request);
    c->stage = STAGE_ANSWERING;
}

/* Counted before anybody can have seen them and asked for the count. */
static ssize_t write_counted(loop *l, connection *c, const char *bytes, size_t length) {
    server_lock(l->receiver);
    ssize_t sent = write_some(c, bytes, length);
    if (sent > 0)
        l->receiver->bytes_sent += (uint64_t)sent;
    server_unlock(l->receiver);
    return sent;
}

static void answer_on(loop *l, connection *c) {
    size_t length = 0;
    const char *bytes = server_output_next(&c->output, &length);
    if (length > 0 && c->step->drip_ms > 0)
        length = 1;
    ssize_t sent = length == 0 ? 0 : write_counted(l, c, bytes, length);
    if (sent < 0) {
        drop(l, c);
        return;
    }
    c->output.sent += (uint64_t)sent;
    if (c->step->drip_ms > 0)
        c->due_ms = server_now_ms() + c->step->drip_ms;
    if (c->output.sent == c->output.limit)
        end_step(l, c);
}

/* --------------------------------------------------------------- events -- */

/* It is short, and the first: there is room for all of it. */
static void greet(loop *l, connection *c) {
    const server *receiver = l->receiver;
    c->http2 = receiver->greeting != NULL && server_http2_is_spoken(c->ssl);
    if (c->http2 && write_counted(l, c, receiver->greeting, receiver->greeting_length) !=
                        (ssize_t)receiver->greeting_length)
        drop(l, c);
}

static void handshake(loop *l, connection *c) {
    int done = SSL_accept(c->ssl);
    if (done == 1) {
        c->stage = STAGE_READING;
        greet(l, c);
        return;
    }
    int error = SSL_get_error(c->ssl, done);
    c->tls_wants = error == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN;
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return;
    SSL_free(c->ssl);
    c->ssl = NULL;
    finish(l, c); /* a RST could overtake the alert that says why */
}

static void make_room(connection *c) {
    if (c->in_size - c->in_length >= 4096)
        return;
    c->in_size = c->in_size * 2 + 8192;
    c->in = realloc(c->in, c->in_size);
    if (c->in == NULL)
        server_die("request");
}

/* All that is there; false when the other side has ended. */
static bool receive(connection *c) {
    ssize_t n = 0;
    do {
        make_room(c);
        n = read_some(c, c->in + c->in_length, c->in_size - c->in_length);
        if (c->stage == STAGE_READING && n > 0)
            c->in_length += (size_t)n;
    } while (n > 0);
    return n == 0;
}

/* A request counts as arrived although its sender hung up right behind it. */
static void read_on(loop *l, connection *c) {
    bool open = receive(c);
    if (c->stage == STAGE_READING && c->http2)
        consider_http2(l, c);
    else if (c->stage == STAGE_READING)
        consider_request(l, c);
    if (!open)
        drop(l, c);
}

static void advance(loop *l, connection *c, short events) {
    if (c->stage == STAGE_HANDSHAKE && events != 0)
        handshake(l, c);
    else if ((c->stage == STAGE_READING || c->stage == STAGE_IGNORING) && events != 0)
        read_on(l, c);
    else if (c->stage == STAGE_ANSWERING && c->http2 && (events & POLLIN) != 0 && !receive(c))
        drop(l, c);
    else if ((events & (POLLRDHUP | POLLHUP | POLLERR)) != 0)
        drop(l, c);
    if (c->stage == STAGE_WAITING)
        begin_answer(l, c);
    if (c->stage == STAGE_ANSWERING && server_now_ms() >= c->due_ms)
        answer_on(l, c);
}

static void welcome(loop *l, int fd) {
    connection *c = calloc(1, sizeof(*c));
    if (l->count == l->size) {
        l->size = l->size * 2 + 64;
        l->connections = realloc(l->connections, l->size * sizeof(connection *));
        l->polls = realloc(l->polls, (l->size + 2) * sizeof(struct pollfd));
    }
    if (c == NULL || l->connections == NULL || l->polls == NULL)
        server_die("connection");
    l->connections[l->count++] = c;
    c->fd = fd;
    server_lock(l->receiver);
    c->number = ++l->receiver->connections;
    const server_step *step = server_next_accept(l->receiver);
    server_unlock(l->receiver);
    if (step == NULL)
        serve_next(l, c);
    else
        begin_step(c, step);
}

static void accept_all(loop *l) {
    int fd;
    while ((fd = accept4(l->receiver->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        welcome(l, fd);
}

/* ----------------------------------------------------------------- loop -- */

static bool is_timed(const loop *l, const connection *c) {
    return c->stage == STAGE_ANSWERING ||
           (c->stage == STAGE_WAITING && (!c->step->hold || l->released));
}

static short wanted_events(const connection *c, int64_t now) {
    switch (c->stage) {
    case STAGE_HANDSHAKE:
        return c->tls_wants;
    case STAGE_ANSWERING:
        return (short)(POLLRDHUP | (c->http2 ? POLLIN : 0) | (now >= c->due_ms ? POLLOUT : 0));
    case STAGE_WAITING:
        return POLLRDHUP;
    default:
        return POLLIN;
    }
}

/* Milliseconds until the next due time; -1: none. */
static int fill_polls(loop *l) {
    int64_t now = server_now_ms();
    int64_t wait = -1;
    l->polls[0] = (struct pollfd){.fd = l->receiver->wake, .events = POLLIN};
    l->polls[1] = (struct pollfd){.fd = l->receiver->listener, .events = POLLIN};
    for (size_t i = 0; i < l->count; i++) {
        const connection *c = l->connections[i];
        l->polls[i + 2] = (struct pollfd){.fd = c->fd, .events = wanted_events(c, now)};
        if (is_timed(l, c) && c->due_ms > now && (wait < 0 || c->due_ms - now < wait))
            wait = c->due_ms - now;
        else if (c->stage == STAGE_WAITING && is_timed(l, c) && c->due_ms <= now)
            wait = 0;
    }
    return (int)wait;
}

static void forget_gone(loop *l) {
    size_t kept = 0;
    for (size_t i = 0; i < l->count; i++) {
        if (l->connections[i]->stage == STAGE_GONE)
            free(l->connections[i]);
        else
            l->connections[kept++] = l->connections[i];
    }
    l->count = kept;
}

/* False when the receiver is stopping. */
static bool look_at_orders(loop *l) {
    uint64_t orders;
    if (read(l->receiver->wake, &orders, sizeof(orders)) < 0 && errno != EAGAIN)
        server_die("eventfd");
    server_lock(l->receiver);
    l->released = l->receiver->released;
    bool go_on = !l->receiver->stopping;
    server_unlock(l->receiver);
    return go_on;
}

static void turn(loop *l) {
    if (poll(l->polls, l->count + 2, fill_polls(l)) < 0 && errno != EINTR)
        server_die("poll");
}

void server_loop(server *receiver) {
    loop l = {.receiver = receiver, .polls = calloc(2, sizeof(struct pollfd))};
    if (l.polls == NULL)
        server_die("loop");
    while (look_at_orders(&l)) {
        turn(&l);
        for (size_t i = 0; i < l.count; i++)
            advance(&l, l.connections[i], l.polls[i + 2].revents);
        if ((l.polls[1].revents & POLLIN) != 0)
            accept_all(&l);
        forget_gone(&l);
    }
    for (size_t i = 0; i < l.count; i++)
        drop(&l, l.connections[i]);
    forget_gone(&l);
    free(l.connections);
    free(l.polls);
}
