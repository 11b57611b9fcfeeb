#include "driver/resolver_servers.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "driver/resolver.h"

struct server {
    char host[INET6_ADDRSTRLEN];
    unsigned port;
};

/* "" stands for the usual port, else ":" and the number up to `end`. */
static bool read_port(const char *text, const char *end, unsigned *port) {
    *port = 53;
    if (text == end)
        return true;
    if (*text++ != ':' || text == end || end - text > 5)
        return false;
    for (*port = 0; text < end; text++) {
        if (*text < '0' || *text > '9')
            return false;
        *port = *port * 10 + (unsigned)(*text - '0');
    }
    return *port > 0 && *port <= 65535;
}

static bool read_host(const char *text, const char *end, int family, struct server *server) {
    unsigned char address[sizeof(struct in6_addr)];
    size_t length = (size_t)(end - text);
    if (length >= sizeof server->host)
        return false;
    memcpy(server->host, text, length);
    server->host[length] = '\0';
    return inet_pton(family, server->host, address) == 1;
}

static const char *find_until(const char *text, const char *end, char c) {
    const char *at = memchr(text, c, (size_t)(end - text));
    return at ? at : end;
}

/* Writes one server from `text` to `end`. Returns the characters written, 0: it is none. */
static size_t add_server(const char *text, const char *end, char *out, size_t size) {
    struct server server;
    const char *colon = find_until(text, end, ':');
    bool ok, is_v4 = false;
    if (*text == '[') {
        const char *close = find_until(text, end, ']');
        ok = close < end && read_host(text + 1, close, AF_INET6, &server) &&
             read_port(close + 1, end, &server.port);
    } else if (find_until(colon < end ? colon + 1 : end, end, ':') < end) { /* two colons */
        ok = read_host(text, end, AF_INET6, &server) && read_port(end, end, &server.port);
    } else {
        is_v4 = true;
        ok = read_host(text, colon, AF_INET, &server) && read_port(colon, end, &server.port);
    }
    if (!ok)
        return 0;
    return (size_t)(is_v4 ? snprintf(out, size, "%s:%u", server.host, server.port)
                          : snprintf(out, size, "[%s]:%u", server.host, server.port));
}

bool bb_servers_normalise(const char *servers, char *text) {
    size_t length = 0;
    for (size_t count = 0; count < BB_SERVERS_MAX; count++) {
        const char *end = servers + strcspn(servers, ",");
        if (count > 0)
            text[length++] = ',';
        size_t added = add_server(servers, end, text + length, BB_SERVERS_TEXT - length);
        if (added == 0)
            return false;
        length += added;
        if (*end == '\0')
            return true;
        servers = end + 1;
    }
    return false;
}

bool bb_resolver_is_server_list(const char *servers) {
    char text[BB_SERVERS_TEXT];
    return bb_servers_normalise(servers, text);
}
