#include "endpoint/redact.h"

#include <string.h>

#define MASK "***"

enum { PATH_PART_MIN = 8, QUERY_VALUE_MIN = 4, SECRET_MIN = 4 };

static void add(struct bb_secrets *secrets, const char *text, size_t min) {
    if (text && strlen(text) >= min && secrets->count < BB_SECRETS_MAX)
        secrets->texts[secrets->count++] = text;
}

static int hex_digit(char c) {
    const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c | 0x20) : NULL;
    return at && (c | 0x20) == *at ? (int)(at - digits) : -1;
}

static char *percent_decoded(struct bb_arena *arena, const char *text) {
    char *out = bb_arena_copy(arena, text, strlen(text)), *to = out;
    for (; out && *text; text++) {
        int high = *text == '%' ? hex_digit(text[1]) : -1;
        int low = high >= 0 ? hex_digit(text[2]) : -1;
        if (low >= 0) {
            *to++ = (char)(high * 16 + low);
            text += 2;
        } else {
            *to++ = *text;
        }
    }
    if (out)
        *to = '\0';
    return out;
}

/* A part as written, as it may be echoed decoded, and encoded throughout. */
static void add_part(struct bb_secrets *secrets, struct bb_arena *arena, const char *part,
                     size_t length, size_t min) {
    const char *text = bb_arena_copy(arena, part, length);
    if (!text)
        return;
    add(secrets, text, min);
    const char *decoded = percent_decoded(arena, text);
    if (decoded && strcmp(decoded, text) != 0)
        add(secrets, decoded, min);
    const char *encoded = bb_url_encode(arena, text);
    if (encoded && strcmp(encoded, text) != 0)
        add(secrets, encoded, min);
}

static void add_query_values(struct bb_secrets *secrets, struct bb_arena *arena,
                             const char *query) {
    while (*query) {
        size_t n = strcspn(query, "&"), name = strcspn(query, "=&");
        if (name < n)
            add_part(secrets, arena, query + name + 1, n - name - 1, QUERY_VALUE_MIN);
        query += n + (query[n] == '&');
    }
}

static void add_path_parts(struct bb_secrets *secrets, struct bb_arena *arena, const char *path) {
    while (*path) {
        size_t n = strcspn(path, "/");
        add_part(secrets, arena, path, n, PATH_PART_MIN);
        path += n + (path[n] == '/');
    }
}

void bb_secrets_collect(struct bb_secrets *secrets, struct bb_arena *arena,
                        const struct bb_url *url, const char *secret) {
    secrets->count = 0;
    if (secret && *secret) {
        add(secrets, secret, SECRET_MIN);
        if (strncmp(secret, "whsec_", 6) == 0)
            add(secrets, secret + 6, SECRET_MIN);
    }
    if (!url)
        return;
    add_part(secrets, arena, url->path, strlen(url->path), 2);
    add(secrets, url->query, QUERY_VALUE_MIN);
    add_query_values(secrets, arena, url->query);
    add_path_parts(secrets, arena, url->path);
}

/* The length of the longest secret that begins at `at`. */
static size_t secret_at(const struct bb_secrets *secrets, const char *at) {
    size_t longest = 0;
    for (size_t i = 0; i < secrets->count; i++) {
        size_t n = strlen(secrets->texts[i]);
        if (n > longest && strncmp(at, secrets->texts[i], n) == 0)
            longest = n;
    }
    return longest;
}

const char *bb_redact(struct bb_arena *arena, const struct bb_secrets *secrets, const char *text) {
    size_t shortest_grows = strlen(MASK) * strlen(text) + 1;
    char *out = bb_arena_reserve(arena, shortest_grows);
    if (!out)
        return NULL;
    char *to = out;
    while (*text) {
        size_t n = secret_at(secrets, text);
        if (n) {
            memcpy(to, MASK, strlen(MASK));
            to += strlen(MASK);
            text += n;
        } else {
            *to++ = *text++;
        }
    }
    *to = '\0';
    bb_arena_commit(arena, (size_t)(to - out) + 1);
    return out;
}
