#define _GNU_SOURCE /* memmem, SOCK_CLOEXEC */
#include "support/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "support/certificate.h"

enum { MOST_CLIENTS = 256, HEARD_MAX = 64 * 1024, CHUNK = 16 * 1024, HEAD_MAX = 8 * 1024 };

typedef struct client {
    proxy *p;
    pthread_t thread;
    int fd, far; /* -1: none */
    SSL *ssl;
} client;

struct proxy {
    proxy_options options;
    char url[64], ca_file[64];
    SSL_CTX *tls;
    pthread_t thread;
    pthread_mutex_t lock;
    int listener, port;
    client clients[MOST_CLIENTS];
    size_t client_count;
    char targets[MOST_CLIENTS][80];
    size_t asked;
    char heard[HEARD_MAX];
    size_t heard_length;
};

static void die(const char *what) {
    fprintf(stderr, "test proxy: %s: %s\n", what, strerror(errno));
    abort();
}

/* ---- bytes ---- */

static ssize_t take(client *c, void *into, size_t size) {
    return c->ssl ? SSL_read(c->ssl, into, (int)size) : recv(c->fd, into, size, 0);
}

static bool give(client *c, const void *bytes, size_t size) {
    if (c->ssl)
        return SSL_write(c->ssl, bytes, (int)size) == (int)size;
    return send(c->fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size;
}

static void hear(client *c, const void *bytes, size_t size) {
    proxy *p = c->p;
    pthread_mutex_lock(&p->lock);
    if (size > HEARD_MAX - p->heard_length)
        size = HEARD_MAX - p->heard_length;
    memcpy(p->heard + p->heard_length, bytes, size);
    p->heard_length += size;
    pthread_mutex_unlock(&p->lock);
}

/* Exactly so many; false at the end. */
static bool take_all(client *c, void *into, size_t size) {
    unsigned char *at = into;
    for (size_t n = 0; n < size;) {
        ssize_t more = take(c, at + n, size - n);
        if (more <= 0)
            return false;
        n += (size_t)more;
    }
    hear(c, into, size);
    return true;
}

/* ---- tunnels ---- */

static void note_target(client *c, const char *target) {
    proxy *p = c->p;
    pthread_mutex_lock(&p->lock);
    if (p->asked < MOST_CLIENTS)
        snprintf(p->targets[p->asked++], sizeof p->targets[0], "%s", target);
    pthread_mutex_unlock(&p->lock);
}

/* What the tunnel is refused with that was noted just now; 0: not. */
static int refusal(proxy *p) {
    pthread_mutex_lock(&p->lock);
    bool is_refused = !p->options.refusals || p->asked <= (size_t)p->options.refusals;
    pthread_mutex_unlock(&p->lock);
    return is_refused ? p->options.refusal : 0;
}

static bool connect_far(client *c) {
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)c->p->options.to_port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int far = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (far < 0)
        die("socket");
    pthread_mutex_lock(&c->p->lock);
    c->far = far;
    pthread_mutex_unlock(&c->p->lock);
    return connect(far, (struct sockaddr *)&to, sizeof to) == 0;
}

static bool carry(client *c, bool from_client) {
    char bytes[CHUNK];
    ssize_t n = from_client ? take(c, bytes, sizeof bytes) : recv(c->far, bytes, sizeof bytes, 0);
    if (n <= 0)
        return false;
    return from_client ? send(c->far, bytes, (size_t)n, MSG_NOSIGNAL) == n
                       : give(c, bytes, (size_t)n);
}

static void relay(client *c) {
    struct pollfd fds[2] = {{.fd = c->fd, .events = POLLIN}, {.fd = c->far, .events = POLLIN}};
    bool ok = true;
    while (ok) {
        bool has_more = c->ssl && SSL_pending(c->ssl) > 0;
        if (poll(fds, 2, has_more ? 0 : -1) < 0)
            die("poll");
        if (has_more || fds[0].revents)
            ok = carry(c, true);
        if (ok && fds[1].revents)
            ok = carry(c, false);
    }
}

/* Until the other side ends. */
static void stay_silent(client *c) {
    char bytes[256];
    while (take(c, bytes, sizeof bytes) > 0)
        continue;
}

/* ---- HTTP ---- */

static bool read_head(client *c, char head[HEAD_MAX]) {
    size_t n = 0;
    head[0] = '\0';
    while (!strstr(head, "\r\n\r\n")) {
        if (n + 1 == HEAD_MAX || !take_all(c, head + n, 1))
            return false;
        head[++n] = '\0';
    }
    return true;
}

static bool is_welcome_http(const proxy *p, const char *head) {
    char pair[128], code[256], line[300];
    if (!p->options.user)
        return true;
    int n = snprintf(pair, sizeof pair, "%s:%s", p->options.user, p->options.password);
    EVP_EncodeBlock((unsigned char *)code, (const unsigned char *)pair, n);
    snprintf(line, sizeof line, "Proxy-Authorization: Basic %s\r\n", code);
    return strstr(head, line) != NULL;
}

/* Whether the tunnel is there. */
static bool shake_http(client *c) {
    char head[HEAD_MAX], target[70], answer[128], told[80];
    unsigned char address[16];
    if (!read_head(c, head) || sscanf(head, "CONNECT %69s", target) != 1)
        return false;
    char *port = strrchr(target, ':');
    bool is_v6 = *target == '[';
    if (!port)
        return false;
    *(is_v6 ? port - 1 : port) = '\0';
    bool is_address = inet_pton(is_v6 ? AF_INET6 : AF_INET, target + is_v6, address) == 1;
    *(is_v6 ? port - 1 : port) = is_v6 ? ']' : ':';
    snprintf(told, sizeof told, "%s%s", is_address ? "" : "name:", target);
    note_target(c, told);
    if (c->p->options.silent)
        stay_silent(c);
    if (c->p->options.silent || c->p->options.hangs_up)
        return false;
    int status = !is_welcome_http(c->p, head) ? 407 : refusal(c->p);
    if (!status && !connect_far(c))
        status = 502;
    const char *body = status ? "Content-Length: 2\r\n\r\nno" : "\r\n";
    const char *challenge = status == 407 ? "Proxy-Authenticate: Basic realm=\"x\"\r\n" : "";
    int n = snprintf(answer, sizeof answer, "HTTP/1.1 %d x\r\n%s%s", status ? status : 200,
                     challenge, body);
    return give(c, answer, (size_t)n) && !status;
}

/* ---- SOCKS5 ---- */

static bool log_in_socks(client *c) {
    unsigned char hello[2], methods[255], sizes[2], name[256], password[256];
    const proxy_options *o = &c->p->options;
    if (!take_all(c, hello, 2) || hello[0] != 5 || !take_all(c, methods, hello[1]))
        return false;
    unsigned char method = o->user ? 2 : 0;
    if (!memchr(methods, method, hello[1]))
        method = 0xFF;
    if (!give(c, (unsigned char[]){5, method}, 2) || method == 0xFF)
        return false;
    if (method == 0)
        return true;
    if (!take_all(c, sizes, 2) || !take_all(c, name, sizes[1]) || !take_all(c, sizes, 1) ||
        !take_all(c, password, sizes[0]))
        return false;
    password[sizes[0]] = '\0';
    bool is_welcome = memmem(name, sizeof name, o->user, strlen(o->user)) == name &&
                      strcmp((char *)password, o->password) == 0;
    return give(c, (unsigned char[]){1, !is_welcome}, 2) && is_welcome;
}

static bool read_target(client *c, unsigned char kind) {
    unsigned char bytes[256], size = kind == 1 ? 4 : 16, port[2];
    char text[INET6_ADDRSTRLEN], told[80];
    if (kind == 3 && !take_all(c, &size, 1))
        return false;
    if (!take_all(c, bytes, size) || !take_all(c, port, 2))
        return false;
    bytes[size] = '\0';
    if (kind == 3)
        snprintf(told, sizeof told, "name:%.60s", (char *)bytes);
    else
        snprintf(told, sizeof told, kind == 1 ? "%s:%d" : "[%s]:%d",
                 inet_ntop(kind == 1 ? AF_INET : AF_INET6, bytes, text, sizeof text),
                 port[0] << 8 | port[1]);
    note_target(c, told);
    return true;
}

static bool shake_socks(client *c) {
    unsigned char head[4], answer[10] = {5, 0, 0, 1};
    const proxy_options *o = &c->p->options;
    if (!log_in_socks(c) || !take_all(c, head, 4) || !read_target(c, head[3]))
        return false;
    if (o->silent)
        stay_silent(c);
    if (o->silent || o->hangs_up)
        return false;
    answer[1] = (unsigned char)refusal(c->p);
    if (!answer[1] && !connect_far(c))
        answer[1] = 5;
    return give(c, answer, sizeof answer) && !answer[1];
}

/* ---- threads ---- */

static bool start_tls(client *c) {
    c->ssl = c->p->tls ? SSL_new(c->p->tls) : NULL;
    return !c->p->tls || (c->ssl && SSL_set_fd(c->ssl, c->fd) && SSL_accept(c->ssl) == 1);
}

static void *serve(void *user) {
    client *c = user;
    sigset_t pipe; /* OpenSSL writes without MSG_NOSIGNAL */
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    if (start_tls(c) && (c->p->options.socks ? shake_socks(c) : shake_http(c)))
        relay(c);
    pthread_mutex_lock(&c->p->lock);
    SSL_free(c->ssl);
    close(c->fd);
    if (c->far >= 0)
        close(c->far);
    c->fd = c->far = -1;
    pthread_mutex_unlock(&c->p->lock);
    return NULL;
}

static void *listen_on(void *user) {
    proxy *p = user;
    int fd;
    while ((fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        pthread_mutex_lock(&p->lock);
        if (p->client_count == MOST_CLIENTS)
            die("too many clients");
        client *c = &p->clients[p->client_count];
        *c = (client){.p = p, .fd = fd, .far = -1};
        if (pthread_create(&c->thread, NULL, serve, c) != 0)
            die("thread");
        p->client_count++;
        pthread_mutex_unlock(&p->lock);
    }
    return NULL;
}

static void open_listener(proxy *p) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof at;
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (p->listener < 0 || bind(p->listener, (struct sockaddr *)&at, sizeof at) != 0 ||
        listen(p->listener, 64) != 0 ||
        getsockname(p->listener, (struct sockaddr *)&at, &length) != 0)
        die("listen");
    p->port = ntohs(at.sin_port);
}

proxy *proxy_start(const proxy_options *options) {
    proxy *p = calloc(1, sizeof *p);
    if (!p)
        die("memory");
    p->options = *options;
    pthread_mutex_init(&p->lock, NULL);
    open_listener(p);
    if (options->tls_names) {
        snprintf(p->ca_file, sizeof p->ca_file, "/tmp/test_proxy_%d_%d.pem", (int)getpid(),
                 p->port);
        p->tls = certificate_context(options->tls_names, 0, p->ca_file);
        if (!p->tls)
            die("TLS");
    }
    snprintf(p->url, sizeof p->url, "%s://127.0.0.1:%d",
             options->socks ? "socks5"
             : p->tls       ? "https"
                            : "http",
             p->port);
    if (pthread_create(&p->thread, NULL, listen_on, p) != 0)
        die("thread");
    return p;
}

static void end_client(client *c) {
    pthread_mutex_lock(&c->p->lock);
    if (c->fd >= 0)
        shutdown(c->fd, SHUT_RDWR);
    if (c->far >= 0)
        shutdown(c->far, SHUT_RDWR);
    pthread_mutex_unlock(&c->p->lock);
    pthread_join(c->thread, NULL);
}

void proxy_stop(proxy *p) {
    if (!p)
        return;
    shutdown(p->listener, SHUT_RDWR);
    pthread_join(p->thread, NULL);
    for (size_t i = 0; i < p->client_count; i++)
        end_client(&p->clients[i]);
    close(p->listener);
    if (*p->ca_file)
        unlink(p->ca_file);
    SSL_CTX_free(p->tls);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* ---- what it has seen ---- */

int proxy_port(const proxy *p) {
    return p->port;
}

const char *proxy_url(const proxy *p) {
    return p->url;
}

const char *proxy_ca_file(const proxy *p) {
    return *p->ca_file ? p->ca_file : NULL;
}

size_t proxy_connections(proxy *p) {
    pthread_mutex_lock(&p->lock);
    size_t count = p->client_count;
    pthread_mutex_unlock(&p->lock);
    return count;
}

size_t proxy_asked(proxy *p) {
    pthread_mutex_lock(&p->lock);
    size_t count = p->asked;
    pthread_mutex_unlock(&p->lock);
    return count;
}

const char *proxy_target(proxy *p, size_t index) {
    return index < proxy_asked(p) ? p->targets[index] : NULL;
}

int proxy_heard(proxy *p, const char *text) {
    pthread_mutex_lock(&p->lock);
    int found = memmem(p->heard, p->heard_length, text, strlen(text)) != NULL;
    pthread_mutex_unlock(&p->lock);
    return found;
}
