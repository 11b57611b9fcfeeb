/* A receiver that costs as little as it can, so that the sender is what is measured. */
#define _GNU_SOURCE /* accept4, memmem */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

enum { DESCRIPTORS = 16384, ROOM = 16 * 1024, LATE_MAX = 1 << 16 };

static void die(const char *what) {
    fprintf(stderr, "bench receiver: %s: %s\n", what, strerror(errno));
    exit(1);
}

struct client {
    char *in;
    size_t length;
};

/* Answers that are held back, in the order in which they are due. */
struct late {
    int fd;
    double due_s;
};
struct lates {
    const char *path, *body;
    double after_s;
    struct late all[LATE_MAX];
    size_t first, next;
};

static struct client clients[DESCRIPTORS];
static struct lates lates[] = {{.path = "/late/", .body = "ok", .after_s = 0.005},
                               {.path = "/later/", .body = "{\"code\":0}", .after_s = 0.1}};
enum { LATES = sizeof lates / sizeof *lates };

static void answer(int fd, const char *body) {
    char out[256];
    int n = snprintf(out, sizeof out,
                     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                     "Content-Length: %zu\r\n\r\n%s",
                     strlen(body), body);
    if (send(fd, out, (size_t)n, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
        die("send");
}

static bool hold_back(int fd, const char *target) {
    for (struct lates *l = lates; l < lates + LATES; l++) {
        if (strncmp(target, l->path, strlen(l->path)) != 0)
            continue;
        l->all[l->next++ % LATE_MAX] = (struct late){fd, bench_now_s() + l->after_s};
        return true;
    }
    return false;
}

static void serve_one(int fd, const char *target) {
    if (hold_back(fd, target))
        return;
    if (strncmp(target, "/services/", 10) == 0) {
        answer(fd, "ok");
    } else if (strncmp(target, "/hang/", 6) != 0) {
        answer(fd, "{\"code\":0,\"message\":\"ok\"}");
    }
}

/* How long the first request is that lies in `in` wholly; 0: it does not. */
static size_t request_length(const struct client *client) {
    const char *end = memmem(client->in, client->length, "\r\n\r\n", 4);
    const char *field = memmem(client->in, client->length, "Content-Length:", 15);
    if (!end || !field)
        return 0;
    size_t head = (size_t)(end + 4 - client->in);
    size_t body = strtoul(field + 15, NULL, 10);
    return client->length >= head + body ? head + body : 0;
}

static void drop(int fd) {
    free(clients[fd].in);
    clients[fd] = (struct client){0};
    close(fd);
}

static void read_from(int fd) {
    struct client *client = &clients[fd];
    if (!client->in && !(client->in = malloc(ROOM + 1)))
        die("malloc");
    ssize_t n = recv(fd, client->in + client->length, ROOM - client->length, 0);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN)
            drop(fd);
        return;
    }
    client->length += (size_t)n;
    client->in[client->length] = '\0';
    for (size_t length; (length = request_length(client)) > 0;) {
        serve_one(fd, strchr(client->in, ' ') + 1);
        client->length -= length;
        memmove(client->in, client->in + length, client->length + 1);
    }
}

static void accept_all(int epoll, int listener) {
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (fd >= DESCRIPTORS)
            die("too many connections");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

static int serve_late(void) {
    double now = bench_now_s();
    bool is_any = false;
    for (struct lates *l = lates; l < lates + LATES; l++) {
        while (l->first < l->next && l->all[l->first % LATE_MAX].due_s <= now) {
            int fd = l->all[l->first++ % LATE_MAX].fd;
            if (clients[fd].in)
                answer(fd, l->body);
        }
        is_any |= l->first < l->next;
    }
    return is_any ? 1 : -1;
}

static void serve(int listener) {
    struct epoll_event events[256], event = {.events = EPOLLIN, .data.fd = listener};
    int epoll = epoll_create1(0);
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) != 0)
        die("epoll");
    for (int wait_ms = -1;; wait_ms = serve_late()) {
        int count = epoll_wait(epoll, events, 256, wait_ms);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener)
                accept_all(epoll, listener);
            else
                read_from(events[i].data.fd);
        }
    }
}

static int open_listener(unsigned *port) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    /* all of 127.0.0.0/8, which is what 1,000 hosts are made of */
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        die("listening socket");
    *port = ntohs(address.sin_port);
    return fd;
}

static void allow_descriptors(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
    setrlimit(RLIMIT_NOFILE, &limit);
}

struct bench_receiver bench_receiver_start(void) {
    struct bench_receiver receiver;
    int listener = open_listener(&receiver.port);
    allow_descriptors();
    receiver.pid = fork();
    if (receiver.pid < 0)
        die("fork");
    if (receiver.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        bench_pin_to_core(1);
        serve(listener);
    }
    bench_pin_to_core(0);
    close(listener);
    return receiver;
}

void bench_receiver_stop(struct bench_receiver *receiver) {
    kill(receiver->pid, SIGTERM);
    waitpid(receiver->pid, NULL, 0);
}
