#define _GNU_SOURCE /* strcasecmp, mkdtemp, accept4 */
#include "support/server_private.h"

#include "support/certificate.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const size_t mapping_size = (size_t)1 << 30; /* reserved, not used until written */

void server_die(const char *what) {
    fprintf(stderr, "test server: %s: %s\n", what, strerror(errno));
    abort();
}

int64_t server_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void server_lock(server *receiver) {
    pthread_mutex_lock(&receiver->lock);
}

void server_unlock(server *receiver) {
    pthread_mutex_unlock(&receiver->lock);
}

void *server_alloc(server *receiver, size_t size) {
    size_t aligned = (size + 15) & ~(size_t)15;
    if (aligned > mapping_size - receiver->used) {
        errno = ENOMEM;
        server_die("too much was recorded");
    }
    void *block = (char *)receiver + receiver->used;
    receiver->used += aligned;
    return block;
}

char *server_copy(server *receiver, const char *bytes, size_t length) {
    char *copy = server_alloc(receiver, length + 1);
    memcpy(copy, bytes, length);
    return copy;
}

/* ---------------------------------------------------------------- start -- */

static void open_listener(server *receiver) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    int small = 64 * 1024; /* so that a sender of 10 MiB notices soon that nobody reads */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)) != 0 ||
        bind(fd, (struct sockaddr *)&address, length) != 0 || listen(fd, 1024) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        server_die("listening socket");
    receiver->listener = fd;
    receiver->port = ntohs(address.sin_port);
}

/* Sessions are resumed only within one context, which OpenSSL wants to hear. */
static void ask_for_certificates(SSL_CTX *tls, const char *ca_file) {
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    if (SSL_CTX_load_verify_locations(tls, ca_file, NULL) != 1 ||
        SSL_CTX_set_session_id_context(tls, (const unsigned char *)"test", 4) != 1)
        server_die("clients' authorities");
}

/* What is older than TLS 1.2 also needs old signatures. */
static void speak_old_tls(SSL_CTX *tls, int most) {
    SSL_CTX_set_min_proto_version(tls, TLS1_VERSION);
    SSL_CTX_set_security_level(tls, 0);
    if (SSL_CTX_set_max_proto_version(tls, most) != 1)
        server_die("TLS version");
}

static void make_certificate(server *receiver, const server_options *options) {
    const char *base = getenv("TMPDIR");
    snprintf(receiver->directory, sizeof(receiver->directory), "%s/bb_server_XXXXXX",
             base != NULL ? base : P_tmpdir);
    if (mkdtemp(receiver->directory) == NULL)
        server_die(receiver->directory);
    snprintf(receiver->ca_file, sizeof(receiver->ca_file), "%s/certificate.pem",
             receiver->directory);
    receiver->tls =
        certificate_context(options->tls_names, options->tls_expired, receiver->ca_file);
    if (receiver->tls == NULL)
        server_die("certificate");
    if (options->client_ca != NULL)
        ask_for_certificates(receiver->tls, options->client_ca);
    if (options->tls_most != 0)
        speak_old_tls(receiver->tls, options->tls_most);
}

static void speak_http2(server *receiver, const server_options *options) {
    static const char no_settings[] = "\0\0\0\4\0\0\0\0";
    bool has_own = options->greeting != NULL;
    receiver->greeting_length = has_own ? options->greeting_length : sizeof(no_settings);
    receiver->greeting =
        server_copy(receiver, has_own ? options->greeting : no_settings, receiver->greeting_length);
    server_http2_offer(receiver->tls);
}

static void init_lock(server *receiver) {
    pthread_mutexattr_t mutex;
    pthread_mutexattr_init(&mutex);
    pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&receiver->lock, &mutex);
    pthread_mutexattr_destroy(&mutex);
    pthread_condattr_t condition;
    pthread_condattr_init(&condition);
    pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED);
    pthread_condattr_setclock(&condition, CLOCK_MONOTONIC);
    pthread_cond_init(&receiver->changed, &condition);
    pthread_condattr_destroy(&condition);
}

/* SIGPIPE is blocked here alone: the process under test must do without such help. */
static void *serve_in_thread(void *receiver) {
    sigset_t pipe_signal;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL);
    server_loop(receiver);
    return NULL;
}

static void serve_in_child(server *receiver) {
    pid_t child = fork();
    if (child < 0)
        server_die("fork");
    if (child > 0) {
        receiver->child = child;
        close(receiver->listener); /* else nobody is refused when the child dies */
        return;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    serve_in_thread(receiver);
    _exit(0);
}

server *server_start(const server_options *options) {
    static const server_options plain;
    if (options == NULL)
        options = &plain;
    server *receiver = mmap(NULL, mapping_size, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (receiver == MAP_FAILED)
        server_die("mapping");
    receiver->used = (sizeof(*receiver) + 15) & ~(size_t)15;
    init_lock(receiver);
    open_listener(receiver);
    receiver->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (receiver->wake < 0)
        server_die("eventfd");
    if (options->tls_names != NULL)
        make_certificate(receiver, options);
    if (options->http2)
        speak_http2(receiver, options);
    if (options->own_process)
        serve_in_child(receiver);
    else if (pthread_create(&receiver->thread, NULL, serve_in_thread, receiver) != 0)
        server_die("thread");
    return receiver;
}

/* ----------------------------------------------------------------- stop -- */

static void wake_loop(server *receiver) {
    uint64_t one = 1;
    if (write(receiver->wake, &one, sizeof(one)) != sizeof(one))
        server_die("eventfd");
}

static void join(server *receiver) {
    if (receiver->child == 0) {
        pthread_join(receiver->thread, NULL);
        close(receiver->listener);
    } else {
        waitpid(receiver->child, NULL, 0);
    }
}

static void forget_certificate(server *receiver) {
    if (receiver->tls == NULL)
        return;
    SSL_CTX_free(receiver->tls);
    unlink(receiver->ca_file);
    rmdir(receiver->directory);
}

void server_stop(server *receiver) {
    if (receiver == NULL)
        return;
    server_lock(receiver);
    receiver->stopping = true;
    server_unlock(receiver);
    wake_loop(receiver);
    join(receiver);
    close(receiver->wake);
    forget_certificate(receiver);
    pthread_cond_destroy(&receiver->changed);
    pthread_mutex_destroy(&receiver->lock);
    munmap(receiver, mapping_size);
}

/* -------------------------------------------------------------- address -- */

int server_port(const server *receiver) {
    return receiver->port;
}

const char *server_ca_file(const server *receiver) {
    return receiver->tls == NULL ? NULL : receiver->ca_file;
}

const char *server_url(server *receiver, const char *path) {
    size_t size = strlen(path) + 40;
    server_lock(receiver);
    char *url = server_alloc(receiver, size);
    server_unlock(receiver);
    snprintf(url, size, "http%s://127.0.0.1:%d%s", receiver->tls == NULL ? "" : "s", receiver->port,
             path);
    return url;
}

/* --------------------------------------------------------------- script -- */

static const char *copy_text(server *receiver, const char *text) {
    return text == NULL ? NULL : server_copy(receiver, text, strlen(text));
}

static const char *copy_bytes(server *receiver, const char *bytes, size_t *length) {
    if (bytes == NULL)
        return NULL;
    if (*length == 0)
        *length = strlen(bytes);
    return server_copy(receiver, bytes, *length);
}

static server_step *copy_steps(server *receiver, const server_step *steps, size_t count) {
    server_step *copies = server_alloc(receiver, count * sizeof(*copies));
    for (size_t i = 0; i < count; i++) {
        copies[i] = steps[i];
        copies[i].headers = copy_text(receiver, steps[i].headers);
        copies[i].body = copy_bytes(receiver, steps[i].body, &copies[i].body_length);
        copies[i].raw = copy_bytes(receiver, steps[i].raw, &copies[i].raw_length);
        copies[i].repeat = copy_bytes(receiver, steps[i].repeat, &copies[i].repeat_length);
        copies[i].tail = copy_text(receiver, steps[i].tail);
    }
    return copies;
}

void server_on(server *receiver, const char *path, const server_step *steps, size_t count) {
    server_lock(receiver);
    server_script *script = server_alloc(receiver, sizeof(*script));
    script->path = copy_text(receiver, path);
    script->steps = copy_steps(receiver, steps, count);
    script->count = count;
    script->older = receiver->scripts;
    receiver->scripts = script;
    server_unlock(receiver);
}

void server_on_accept(server *receiver, const server_step *steps, size_t count) {
    server_lock(receiver);
    receiver->accepts.steps = copy_steps(receiver, steps, count);
    receiver->accepts.count = count;
    receiver->accepts.next = 0;
    server_unlock(receiver);
}

const server_step *server_next_accept(server *receiver) {
    server_script *script = &receiver->accepts;
    return script->next < script->count ? &script->steps[script->next++] : NULL;
}

static server_script *find_script(server *receiver, const char *path) {
    server_script *fallback = NULL;
    for (server_script *script = receiver->scripts; script != NULL; script = script->older) {
        if (script->path != NULL && strcmp(script->path, path) == 0)
            return script;
        if (script->path == NULL && fallback == NULL)
            fallback = script;
    }
    return fallback;
}

const server_step *server_next_step(server *receiver, const char *path) {
    static const server_step no_script = {.status = 404, .body = "no script", .body_length = 9};
    server_script *script = find_script(receiver, path);
    if (script == NULL || script->count == 0)
        return &no_script;
    const server_step *step = &script->steps[script->next];
    if (script->next + 1 < script->count)
        script->next++;
    return step;
}

void server_release(server *receiver) {
    server_lock(receiver);
    receiver->released = true;
    server_unlock(receiver);
    wake_loop(receiver);
}

/* -------------------------------------------------------------- records -- */

static size_t read_counter(server *receiver, const size_t *counter) {
    server_lock(receiver);
    size_t value = *counter;
    server_unlock(receiver);
    return value;
}

size_t server_connections(server *receiver) {
    return read_counter(receiver, &receiver->connections);
}

size_t server_requests(server *receiver) {
    return read_counter(receiver, &receiver->request_count);
}

size_t server_peak_waiting(server *receiver) {
    return read_counter(receiver, &receiver->peak_waiting);
}

uint64_t server_bytes_sent(server *receiver) {
    server_lock(receiver);
    uint64_t sent = receiver->bytes_sent;
    server_unlock(receiver);
    return sent;
}

static int wait_counter(server *receiver, const size_t *counter, size_t count, int timeout_ms) {
    int64_t end = server_now_ms() + timeout_ms;
    struct timespec until = {.tv_sec = end / 1000, .tv_nsec = end % 1000 * 1000000};
    int in_time = 0;
    server_lock(receiver);
    while (*counter < count && in_time == 0)
        in_time = pthread_cond_timedwait(&receiver->changed, &receiver->lock, &until);
    int reached = *counter >= count;
    server_unlock(receiver);
    return reached;
}

int server_wait_requests(server *receiver, size_t count, int timeout_ms) {
    return wait_counter(receiver, &receiver->request_count, count, timeout_ms);
}

int server_wait_ended(server *receiver, size_t count, int timeout_ms) {
    return wait_counter(receiver, &receiver->ended, count, timeout_ms);
}

const server_request *server_request_at(server *receiver, size_t index) {
    server_lock(receiver);
    const server_request *request =
        index < receiver->request_count ? receiver->requests[index] : NULL;
    server_unlock(receiver);
    return request;
}

const server_request *server_request_to(server *receiver, const char *path) {
    const server_request *request = NULL;
    for (size_t i = 0; (request = server_request_at(receiver, i)) != NULL; i++) {
        if (strcmp(request->path, path) == 0)
            return request;
    }
    return NULL;
}

size_t server_requests_to(server *receiver, const char *path) {
    size_t count = 0;
    server_lock(receiver);
    for (size_t i = 0; i < receiver->request_count; i++)
        count += strcmp(receiver->requests[i]->path, path) == 0;
    server_unlock(receiver);
    return count;
}

const char *server_header(const server_request *request, const char *name) {
    for (size_t i = 0; i < request->header_count; i++) {
        if (strcasecmp(request->headers[i].name, name) == 0)
            return request->headers[i].value;
    }
    return NULL;
}
