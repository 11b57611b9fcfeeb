#define _GNU_SOURCE /* RTLD_NEXT */
#include "support/resolve.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

enum { MAX_NAMES = 64, MAX_FDS = 4096 };

typedef struct entry {
    char name[256];
    char address[INET_ADDRSTRLEN]; /* "": lookups fail */
    int port;
    bool hang;
    size_t lookups;
} entry;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static entry entries[MAX_NAMES];
static size_t entry_count;
static bool shows_peers;
static size_t hanging;
static struct in_addr asked_for[MAX_FDS]; /* of connections that were made elsewhere; else 0 */
static unsigned generation;               /* of the table: a hanging lookup ends with its own */

static entry *find(const char *name) {
    for (size_t i = entry_count; i > 0; i--) {
        if (strcasecmp(entries[i - 1].name, name) == 0)
            return &entries[i - 1];
    }
    return NULL;
}

static void add(const char *name, const char *address, int port, bool hang) {
    pthread_mutex_lock(&lock);
    if (entry_count == MAX_NAMES)
        abort();
    entry *added = &entries[entry_count++];
    *added = (entry){.port = port, .hang = hang};
    snprintf(added->name, sizeof(added->name), "%s", name);
    snprintf(added->address, sizeof(added->address), "%s", address);
    pthread_mutex_unlock(&lock);
}

void resolve_to(const char *name, const char *address, int port) {
    add(name, address, port, false);
}

void resolve_fail(const char *name) {
    add(name, "", 0, false);
}

void resolve_show_peers(void) {
    pthread_mutex_lock(&lock);
    shows_peers = true;
    pthread_mutex_unlock(&lock);
}

void resolve_hang(const char *name) {
    add(name, "", 0, true);
}

size_t resolve_lookups(const char *name) {
    pthread_mutex_lock(&lock);
    const entry *known = find(name);
    size_t lookups = known == NULL ? 0 : known->lookups;
    pthread_mutex_unlock(&lock);
    return lookups;
}

void resolve_forget(void) {
    pthread_mutex_lock(&lock);
    entry_count = 0;
    shows_peers = false;
    memset(asked_for, 0, sizeof asked_for);
    generation++;
    pthread_cond_broadcast(&changed);
    while (hanging > 0)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static void hang_on(void) {
    unsigned mine = generation;
    hanging++;
    while (generation == mine)
        pthread_cond_wait(&changed, &lock);
    hanging--;
    pthread_cond_broadcast(&changed);
}

/* Whether the table knows `name`; then its address, "" for a failure. */
static bool look_up(const char *name, char address[INET_ADDRSTRLEN]) {
    pthread_mutex_lock(&lock);
    entry *known = name == NULL ? NULL : find(name);
    if (known != NULL) {
        memcpy(address, known->address, INET_ADDRSTRLEN);
        known->lookups++;
        if (known->hang)
            hang_on();
    }
    pthread_mutex_unlock(&lock);
    return known != NULL;
}

typedef int (*getaddrinfo_fn)(const char *, const char *, const struct addrinfo *,
                              struct addrinfo **);

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result) {
    getaddrinfo_fn real;
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    char address[INET_ADDRSTRLEN];
    if (!look_up(node, address))
        return real(node, service, hints, result);
    return address[0] == '\0' ? EAI_NONAME : real(address, service, hints, result);
}

static int redirected_port(const struct sockaddr_in *to) {
    char address[INET_ADDRSTRLEN];
    int port = 0;
    inet_ntop(AF_INET, &to->sin_addr, address, sizeof(address));
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < entry_count; i++) {
        if (strcmp(entries[i].address, address) == 0)
            port = entries[i].port;
    }
    pthread_mutex_unlock(&lock);
    return port;
}

/* Where a connection leads for the one who made it; 0: where it really does. */
static void note_asked_for(int fd, struct in_addr address) {
    pthread_mutex_lock(&lock);
    if (fd >= 0 && fd < MAX_FDS)
        asked_for[fd] = shows_peers ? (struct in_addr){0} : address;
    pthread_mutex_unlock(&lock);
}

typedef int (*connect_fn)(int, const struct sockaddr *, socklen_t);
typedef int (*getpeername_fn)(int, struct sockaddr *, socklen_t *);

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic" /* glibc declares the address as a transparent union   \
                                             */
int connect(int fd, const struct sockaddr *address, socklen_t length) {
    connect_fn real;
    *(void **)&real = dlsym(RTLD_NEXT, "connect");
    struct sockaddr_in to;
    note_asked_for(fd, (struct in_addr){0});
    if (address->sa_family != AF_INET || length < sizeof(to))
        return real(fd, address, length);
    memcpy(&to, address, sizeof(to));
    int port = redirected_port(&to);
    if (port != 0) {
        note_asked_for(fd, to.sin_addr);
        to.sin_port = htons((uint16_t)port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    return real(fd, (const struct sockaddr *)&to, sizeof(to));
}

int getpeername(int fd, struct sockaddr *address, socklen_t *length) {
    getpeername_fn real;
    *(void **)&real = dlsym(RTLD_NEXT, "getpeername");
    int code = real(fd, address, length);
    pthread_mutex_lock(&lock);
    if (code == 0 && fd < MAX_FDS && asked_for[fd].s_addr != 0 && address->sa_family == AF_INET)
        ((struct sockaddr_in *)(void *)address)->sin_addr = asked_for[fd];
    pthread_mutex_unlock(&lock);
    return code;
}
#pragma GCC diagnostic pop
