#include "endpoint/request.h"

#include <string.h>

void bb_request_add_header(struct bb_request *request, const char *name, const char *value,
                           bool is_secret) {
    if (value)
        request->headers[request->header_count++] =
            (struct bb_request_header){.name = name, .value = value, .is_secret = is_secret};
}

void bb_request_add_query(struct bb_request *request, const char *name, const char *value) {
    struct bb_arena *arena = &request->arena;
    struct bb_url *url = &request->url;
    const char *encoded = bb_url_encode(arena, value);
    const char *query =
        bb_arena_join(arena, "%s%s%s=%s", url->query, *url->query ? "&" : "", name, encoded);
    if (!query)
        return;
    url->query = query;
    bb_url_join(arena, url);
}

void bb_request_add_members(struct bb_request *request, const char *members, const char *secret) {
    if (!members)
        return;
    size_t added = strlen(members);
    char *body = bb_arena_alloc(&request->arena, request->length + added + 1);
    if (!body)
        return;
    body[0] = '{';
    memcpy(body + 1, members, added);
    memcpy(body + 1 + added, request->body + 1, request->length - 1);
    request->body = body;
    request->length += added;
    body[request->length] = '\0';
    if (secret) {
        request->secret = body + 1 + (strstr(members, secret) - members);
        request->secret_length = strlen(secret);
    }
}

const char *bb_request_masked_url(struct bb_request *request) {
    const struct bb_url *url = &request->url;
    return bb_arena_join(&request->arena, "%s://%s%s%s/" BB_MASK, url->scheme, url->host,
                         *url->port ? ":" : "", url->port);
}

const char *bb_request_masked_body(struct bb_request *request, size_t *length) {
    *length = request->length;
    if (!request->secret)
        return request->body;
    size_t before = (size_t)(request->secret - request->body);
    const char *after = request->secret + request->secret_length;
    size_t rest = request->length - before - request->secret_length;
    char *body = bb_arena_alloc(&request->arena, before + strlen(BB_MASK) + rest + 1);
    if (!body)
        return NULL;
    memcpy(body, request->body, before);
    memcpy(body + before, BB_MASK, strlen(BB_MASK));
    memcpy(body + before + strlen(BB_MASK), after, rest + 1);
    *length = before + strlen(BB_MASK) + rest;
    return body;
}
