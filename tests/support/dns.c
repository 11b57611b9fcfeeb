#define _GNU_SOURCE /* strcasecmp, SOCK_CLOEXEC */
#include "support/dns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    HEADER_SIZE = 12,
    PACKET_SIZE = 512,
    TYPE_A = 1,
    TYPE_CNAME = 5,
    TYPE_AAAA = 28,
    NO_ERROR = 0,
    SERVER_FAILURE = 2,
    NO_SUCH_NAME = 3
};

typedef struct row {
    struct row *next;
    char *name;
    char *addresses;
    char *target; /* NULL: no alias */
    unsigned ttl_s;
    int code;
    bool silent, garbage;
    size_t count;
} row;

struct dns {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int fd, wake;
    char servers[32];
    row *rows;
};

/* A question as it came, and the answer that is written behind it. */
typedef struct packet {
    unsigned char bytes[PACKET_SIZE];
    size_t length;
    size_t question_end;
    char name[256];
    unsigned type;
} packet;

static void die(const char *what) {
    fprintf(stderr, "test DNS server: %s: %s\n", what, strerror(errno));
    abort();
}

static char *copy_text(const char *text) {
    char *copy = strdup(text);
    if (copy == NULL)
        die("memory");
    return copy;
}

/* ------------------------------------------------------------- the table -- */

static row *find_row(const dns *server, const char *name) {
    row *found = server->rows;
    while (found != NULL && strcasecmp(found->name, name) != 0)
        found = found->next;
    return found;
}

static void put_row(dns *server, const char *name, row values) {
    pthread_mutex_lock(&server->lock);
    row *at = find_row(server, name);
    if (at == NULL) {
        at = calloc(1, sizeof(*at));
        if (at == NULL)
            die("memory");
        at->name = copy_text(name);
        at->next = server->rows;
        server->rows = at;
    }
    free(at->addresses);
    free(at->target);
    at->addresses = copy_text(values.addresses == NULL ? "" : values.addresses);
    at->target = values.target == NULL ? NULL : copy_text(values.target);
    at->ttl_s = values.ttl_s;
    at->code = values.code;
    at->silent = values.silent;
    at->garbage = values.garbage;
    pthread_mutex_unlock(&server->lock);
}

void dns_set(dns *server, const char *name, const char *addresses, unsigned ttl_s) {
    put_row(server, name, (row){.addresses = (char *)addresses, .ttl_s = ttl_s});
}

void dns_alias(dns *server, const char *name, const char *target, unsigned ttl_s) {
    put_row(server, name, (row){.target = (char *)target, .ttl_s = ttl_s});
}

void dns_missing(dns *server, const char *name) {
    put_row(server, name, (row){.code = NO_SUCH_NAME});
}

void dns_failing(dns *server, const char *name) {
    put_row(server, name, (row){.code = SERVER_FAILURE});
}

void dns_garbage(dns *server, const char *name) {
    put_row(server, name, (row){.garbage = true});
}

void dns_silent(dns *server, const char *name) {
    put_row(server, name, (row){.silent = true});
}

static size_t count_of(const dns *server, const char *name) {
    const row *found = find_row(server, name);
    return found == NULL ? 0 : found->count;
}

size_t dns_count(dns *server, const char *name) {
    pthread_mutex_lock(&server->lock);
    size_t count = count_of(server, name);
    pthread_mutex_unlock(&server->lock);
    return count;
}

int dns_wait_count(dns *server, const char *name, size_t count, int timeout_ms) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t end_ns = until.tv_nsec + (int64_t)timeout_ms * 1000000;
    until.tv_sec += end_ns / 1000000000;
    until.tv_nsec = end_ns % 1000000000;
    int in_time = 0;
    pthread_mutex_lock(&server->lock);
    while (count_of(server, name) < count && in_time == 0)
        in_time = pthread_cond_timedwait(&server->changed, &server->lock, &until);
    int reached = count_of(server, name) >= count;
    pthread_mutex_unlock(&server->lock);
    return reached;
}

/* ------------------------------------------------------------ the answer -- */

/* Reads the one question; what c-ares sends has no compression in it. */
static bool read_question(packet *p) {
    size_t at = HEADER_SIZE, length = 0;
    while (at < p->length && p->bytes[at] != 0) {
        size_t label = p->bytes[at++];
        if (label > 63 || at + label >= p->length || length + label + 1 >= sizeof(p->name))
            return false;
        if (length > 0)
            p->name[length++] = '.';
        memcpy(p->name + length, p->bytes + at, label);
        length += label;
        at += label;
    }
    if (at + 5 > p->length)
        return false;
    p->name[length] = '\0';
    p->type = (unsigned)p->bytes[at + 1] << 8 | p->bytes[at + 2];
    p->question_end = at + 5;
    return true;
}

static void put(packet *p, const void *bytes, size_t length) {
    if (p->length + length > PACKET_SIZE)
        die("an answer is longer than a packet");
    memcpy(p->bytes + p->length, bytes, length);
    p->length += length;
}

static void put_number(packet *p, size_t size, unsigned number) {
    for (size_t i = size; i-- > 0;) {
        unsigned char byte = (unsigned char)(number >> 8 * i);
        put(p, &byte, 1);
    }
}

static void put_record(packet *p, unsigned type, unsigned ttl_s, const void *data, size_t length) {
    put_number(p, 2, 0xC000 | HEADER_SIZE); /* the name of the question */
    put_number(p, 2, type);
    put_number(p, 2, 1);
    put_number(p, 4, ttl_s);
    put_number(p, 2, (unsigned)length);
    put(p, data, length);
    p->bytes[7]++;
}

static void put_addresses(packet *p, const row *found) {
    char *rest = NULL, *list = copy_text(found->addresses);
    for (char *one = strtok_r(list, ",", &rest); one != NULL; one = strtok_r(NULL, ",", &rest)) {
        unsigned char address[16];
        bool is_v6 = strchr(one, ':') != NULL;
        if (inet_pton(is_v6 ? AF_INET6 : AF_INET, one, address) != 1)
            die(one);
        if (p->type == (is_v6 ? TYPE_AAAA : TYPE_A))
            put_record(p, p->type, found->ttl_s, address, is_v6 ? 16 : 4);
    }
    free(list);
}

/* The alias, and from there on as a server would that has all: the target's addresses, whose name
 * is within the alias's record. */
static void put_alias(packet *p, const dns *server, const row *found) {
    unsigned char name[256];
    size_t length = 0;
    for (const char *label = found->target; *label != '\0';) {
        size_t n = strcspn(label, ".");
        name[length++] = (unsigned char)n;
        memcpy(name + length, label, n);
        length += n;
        label += n + (label[n] == '.');
    }
    name[length++] = 0;
    put_record(p, TYPE_CNAME, found->ttl_s, name, length);
    const row *target = find_row(server, found->target);
    size_t first = p->length, target_at = p->length - length;
    if (target == NULL)
        return;
    put_addresses(p, target);
    size_t size = p->type == TYPE_A ? 16 : 28;
    for (size_t at = first; at < p->length; at += size)
        p->bytes[at + 1] = (unsigned char)target_at;
}

/* False: no answer. */
static bool write_answer(dns *server, packet *p) {
    static const row unknown = {.code = NO_SUCH_NAME};
    row *found = find_row(server, p->name);
    if (found == NULL)
        found = find_row(server, "*");
    if (found != NULL)
        found->count++;
    const row *values = found == NULL ? &unknown : found;
    if (values->silent)
        return false;
    p->bytes[2] = 0x81; /* an answer, to a question with "recursion desired" */
    p->bytes[3] = (unsigned char)(0x80 | values->code);
    memset(p->bytes + 6, 0, 6); /* no records yet */
    p->length = p->question_end;
    if (values->garbage) { /* records without number, and names that lead to themselves */
        memset(p->bytes + 6, 0xFF, 2);
        p->length = PACKET_SIZE;
        memset(p->bytes + p->question_end, 0xC0, PACKET_SIZE - p->question_end);
    } else if (values->target != NULL)
        put_alias(p, server, values);
    else if (values->code == NO_ERROR && values->addresses != NULL)
        put_addresses(p, values);
    return true;
}

static void serve_one(dns *server) {
    packet p;
    struct sockaddr_in from;
    socklen_t from_length = sizeof(from);
    ssize_t n =
        recvfrom(server->fd, p.bytes, PACKET_SIZE, 0, (struct sockaddr *)&from, &from_length);
    p.length = n > 0 ? (size_t)n : 0;
    if (p.length <= HEADER_SIZE || !read_question(&p))
        return;
    pthread_mutex_lock(&server->lock);
    bool is_answered = write_answer(server, &p);
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    if (is_answered) /* who asked may be gone */
        sendto(server->fd, p.bytes, p.length, 0, (struct sockaddr *)&from, from_length);
}

static void *serve(void *user) {
    dns *server = user;
    struct pollfd fds[] = {{.fd = server->fd, .events = POLLIN},
                           {.fd = server->wake, .events = POLLIN}};
    while (fds[1].revents == 0) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            die("poll");
        if (fds[0].revents != 0)
            serve_one(server);
    }
    return NULL;
}

/* --------------------------------------------------------- start and stop -- */

static void open_socket(dns *server) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    server->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (server->fd < 0 || bind(server->fd, (struct sockaddr *)&address, length) != 0 ||
        getsockname(server->fd, (struct sockaddr *)&address, &length) != 0)
        die("socket");
    snprintf(server->servers, sizeof(server->servers), "127.0.0.1:%u", ntohs(address.sin_port));
}

dns *dns_start(void) {
    dns *server = calloc(1, sizeof(*server));
    if (server == NULL)
        die("memory");
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&server->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&server->lock, NULL);
    open_socket(server);
    server->wake = eventfd(0, EFD_CLOEXEC);
    if (server->wake < 0)
        die("eventfd");
    if (pthread_create(&server->thread, NULL, serve, server) != 0)
        die("thread");
    return server;
}

static void free_rows(row *rows) {
    while (rows != NULL) {
        row *next = rows->next;
        free(rows->name);
        free(rows->addresses);
        free(rows->target);
        free(rows);
        rows = next;
    }
}

void dns_stop(dns *server) {
    if (server == NULL)
        return;
    uint64_t one = 1;
    if (write(server->wake, &one, sizeof(one)) != sizeof(one))
        die("eventfd");
    pthread_join(server->thread, NULL);
    close(server->fd);
    close(server->wake);
    free_rows(server->rows);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

const char *dns_servers(const dns *server) {
    return server->servers;
}
