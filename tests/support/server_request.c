#define _GNU_SOURCE /* memmem, strcasecmp */
#include "support/server_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *find(const char *from, const char *end, const char *text) {
    return memmem(from, (size_t)(end - from), text, strlen(text));
}

/* Only Content-Length frames a body: the library never sends a chunked request. */
static size_t content_length(const char *head, const char *end) {
    static const char name[] = "\r\nContent-Length:";
    for (const char *at = head; at + sizeof(name) < end; at++) {
        if (strncasecmp(at, name, sizeof(name) - 1) == 0)
            return strtoul(at + sizeof(name) - 1, NULL, 10);
    }
    return 0;
}

size_t server_head_length(const char *bytes, size_t length, size_t *body_length) {
    const char *end = length == 0 ? NULL : find(bytes, bytes + length, "\r\n\r\n");
    if (end == NULL)
        return 0;
    *body_length = content_length(bytes, end + 2);
    return (size_t)(end - bytes) + 4;
}

/* The part of [*from, end) up to `stop`, and *from behind it; all of it when `stop` is not there.
 */
static const char *take(server *receiver, const char **from, const char *end, const char *stop) {
    const char *at = find(*from, end, stop);
    const char *part = server_copy(receiver, *from, (size_t)((at != NULL ? at : end) - *from));
    *from = at != NULL ? at + strlen(stop) : end;
    return part;
}

static void read_request_line(server *receiver, server_request *request, const char *line,
                              const char *end) {
    request->method = take(receiver, &line, end, " ");
    const char *target = take(receiver, &line, end, " ");
    request->version = take(receiver, &line, end, "\r\n");
    const char *target_end = target + strlen(target);
    request->path = take(receiver, &target, target_end, "?");
    request->query = take(receiver, &target, target_end, "#");
}

static size_t count_lines(const char *from, const char *end) {
    size_t count = 0;
    while ((from = find(from, end, "\r\n")) != NULL) {
        from += 2;
        count++;
    }
    return count;
}

/* `from` .. `end`: the header lines, each with its line end. */
static void read_headers(server *receiver, server_request *request, const char *from,
                         const char *end) {
    server_field *fields =
        server_alloc(receiver, count_lines(from, end) * sizeof(*request->headers));
    for (size_t i = 0; from < end; i++) {
        const char *line = take(receiver, &from, end, "\r\n");
        const char *line_end = line + strlen(line);
        fields[i].name = take(receiver, &line, line_end, ":");
        fields[i].value = line + strspn(line, " ");
        request->header_count++;
    }
    request->headers = fields;
}

void server_keep(server *receiver, server_request *request) {
    if (receiver->request_count == SERVER_MAX_REQUESTS) {
        errno = ENOBUFS;
        server_die("too many requests");
    }
    receiver->requests[receiver->request_count++] = request;
    receiver->waiting++;
    if (receiver->waiting > receiver->peak_waiting)
        receiver->peak_waiting = receiver->waiting;
    pthread_cond_broadcast(&receiver->changed);
}

server_request *server_record(server *receiver, const char *bytes, size_t head, size_t body,
                              size_t connection, const server_peer *peer) {
    const char *line_end = find(bytes, bytes + head, "\r\n");
    server_lock(receiver);
    server_request *request = server_alloc(receiver, sizeof(*request));
    read_request_line(receiver, request, bytes, line_end);
    read_headers(receiver, request, line_end + 2, bytes + head - 2);
    request->body = server_copy(receiver, bytes + head, body);
    request->body_length = body;
    request->connection = connection;
    request->resumed = peer->resumed;
    request->from = server_copy(receiver, peer->from, strlen(peer->from));
    request->client = server_copy(receiver, peer->client, strlen(peer->client));
    request->time_ms = server_now_ms();
    request->complete = body == content_length(bytes, bytes + head);
    server_keep(receiver, request);
    server_unlock(receiver);
    return request;
}
