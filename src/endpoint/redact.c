#include "endpoint/redact.h"

#include <string.h>

#define MASK "***"

enum {
    PART_MIN = 8, /* of a path, of a header's value */
    BEGINNING_MIN = 8,
    SECRET_MIN = 4,
    QUOTED_MAX = 4096 /* bytes of a text that are looked at: far more than is quoted */
};

/* ---- spelling ---- */

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool hex_byte(const char *at, char *byte) {
    int high = hex_digit(at[0]), low = high < 0 ? -1 : hex_digit(at[1]);
    *byte = (char)(high * 16 + low);
    return low >= 0;
}

/* The byte that is meant at `at`: a percent-encoded one, one of JSON's escapes, or
 * itself. A NUL is not meant: it would end what it stands in. Returns how long its
 * spelling is. */
static size_t spelled_byte(const char *at, char *byte) {
    if (at[0] == '%' && hex_byte(at + 1, byte) && *byte)
        return 3;
    if (at[0] == '\\' && strncmp(at + 1, "u00", 3) == 0 && hex_byte(at + 4, byte) && *byte)
        return 6;
    if (at[0] == '\\' && (at[1] == '/' || at[1] == '"' || at[1] == '\\')) {
        *byte = at[1];
        return 2;
    }
    *byte = at[0];
    return 1;
}

/* Whether the text ends here, or within the spelling of a byte. */
static bool is_end(const char *at) {
    return !*at || (*at == '%' && strnlen(at, 3) < 3) || (*at == '\\' && strnlen(at, 6) < 6);
}

static char *without_percents(struct bb_arena *arena, const char *text, size_t length) {
    char *out = bb_arena_copy(arena, text, length), *to = out;
    for (const char *from = out; from && *from; to++) {
        char byte = *from;
        from += *from == '%' ? spelled_byte(from, &byte) : 1;
        *to = byte;
    }
    if (out)
        *to = '\0';
    return out;
}

/* ---- what is secret ---- */

static void add_text(struct bb_secrets *secrets, const char *text, size_t min, bool in_part) {
    if (!text || strlen(text) < min)
        return;
    for (struct bb_secret *known = secrets->items; known; known = known->next)
        if (strcmp(known->text, text) == 0)
            return;
    struct bb_secret *secret = bb_arena_alloc(secrets->arena, sizeof *secret);
    if (!secret)
        return;
    *secret =
        (struct bb_secret){.text = text, .is_masked_in_part = in_part, .next = secrets->items};
    secrets->items = secret;
}

/* As it is, too: what its percents mean may be shorter, or no longer be spelled alike. */
static void add_both(struct bb_secrets *secrets, const char *text, size_t length, size_t min,
                     bool in_part) {
    if (memchr(text, '%', length))
        add_text(secrets, bb_arena_copy(secrets->arena, text, length), min, in_part);
    add_text(secrets, without_percents(secrets->arena, text, length), min, in_part);
}

static void add(struct bb_secrets *secrets, const char *text, size_t length, size_t min) {
    add_both(secrets, text, length, min, true);
}

/* A whole path or query begins with words that are not secret: "/services/". */
static void add_whole(struct bb_secrets *secrets, const char *text, size_t length) {
    add_both(secrets, text, length, SECRET_MIN, false);
}

static void add_query(struct bb_secrets *secrets, const char *query) {
    add_whole(secrets, query, strlen(query));
    while (*query) {
        size_t n = strcspn(query, "&#"), name = strcspn(query, "=");
        if (name < n)
            add(secrets, query + name + 1, n - name - 1, SECRET_MIN);
        query += n + (query[n] != '\0');
    }
}

static void add_path(struct bb_secrets *secrets, const char *path, size_t length) {
    add_whole(secrets, path, length);
    for (const char *end = path + length; path < end;) {
        size_t n = strcspn(path, "/?#");
        add(secrets, path, n, PART_MIN);
        path += n + 1;
    }
}

/* By hand, because a URL that the parser refuses is no less secret. */
static void add_url(struct bb_secrets *secrets, const char *url) {
    size_t scheme = strcspn(url, ":/?#");
    const char *authority = strncmp(url + scheme, "://", 3) == 0 ? url + scheme + 3 : url;
    const char *path = authority + strcspn(authority, "/?#");
    const char *user_end = memchr(authority, '@', (size_t)(path - authority));
    if (user_end)
        add(secrets, authority, (size_t)(user_end - authority), SECRET_MIN);
    size_t n = strcspn(path, "?#");
    add_path(secrets, path, n);
    if (path[n])
        add_query(secrets, path + n + 1);
}

/* Signatures ("v1,... v1a,..."): each by itself, without its version. And what a header of the host
 * consists of. */
static void add_value(struct bb_secrets *secrets, const char *value) {
    while (*value) {
        size_t n = strcspn(value, " "), version = strcspn(value, ", ");
        size_t skipped = version < n ? version + 1 : 0;
        add(secrets, value + skipped, n - skipped, PART_MIN);
        value += n + strspn(value + n, " ");
    }
}

/* In the URL that was requested, in headers, in the body. */
static void add_signatures(struct bb_secrets *secrets, const struct bb_request *request) {
    add_url(secrets, request->url.text);
    for (size_t i = 0; i < request->header_count; i++)
        if (request->headers[i].is_secret)
            add_value(secrets, request->headers[i].value);
    if (request->secret)
        add(secrets, request->secret, request->secret_length, SECRET_MIN);
}

/* The prefix alone is no secret, and a receiver may leave it out. */
static void add_key(struct bb_secrets *secrets, const char *text) {
    if (!text)
        return;
    if (strncmp(text, "whsec_", 6) == 0)
        text += 6;
    else if (strncmp(text, "whsk_", 5) == 0)
        text += 5;
    add(secrets, text, strlen(text), SECRET_MIN);
}

/* "Bearer ...": the first of several words is none. */
static void add_authorization(struct bb_secrets *secrets, const char *value) {
    if (!value)
        return;
    const char *blank = strchr(value, ' ');
    value = blank ? blank + 1 : value;
    add(secrets, value, strlen(value), SECRET_MIN);
    add_value(secrets, value);
}

static void add_headers(struct bb_secrets *secrets, const bb_webhook *webhook) {
    add_authorization(secrets, webhook->authorization);
    for (size_t i = 0; i < webhook->header_count; i++) {
        add(secrets, webhook->headers[i].value, strlen(webhook->headers[i].value), PART_MIN);
        add_value(secrets, webhook->headers[i].value);
    }
}

static void collect(struct bb_secrets *secrets) {
    const bb_webhook *webhook = secrets->webhook;
    secrets->is_collected = true;
    add_key(secrets, webhook->secret);
    add_key(secrets, webhook->previous_secret);
    add_headers(secrets, webhook);
    if (webhook->url)
        add_url(secrets, webhook->url);
    if (secrets->request)
        add_signatures(secrets, secrets->request);
}

/* ---- taking it out ---- */

/* How much of the text at `at` spells `secret`, or literally is it; 0 when it does not. */
static size_t match(const struct bb_secret *secret, const char *at, bool literally) {
    const char *begin = at;
    for (const char *expected = secret->text; *expected; expected++) {
        char byte;
        size_t taken = spelled_byte(at, &byte);
        if (literally) { /* its own % or \ begins no spelling */
            byte = *at;
            taken = 1;
        }
        if (!*at || byte != *expected) {
            bool is_beginning =
                secret->is_masked_in_part && is_end(at) && expected - secret->text >= BEGINNING_MIN;
            return is_beginning ? (size_t)(at - begin) + strlen(at) : 0;
        }
        at += taken;
    }
    return (size_t)(at - begin);
}

static size_t secret_at(const struct bb_secrets *secrets, const char *at) {
    size_t longest = 0;
    for (const struct bb_secret *secret = secrets->items; secret; secret = secret->next) {
        size_t n = match(secret, at, false);
        if (n == 0)
            n = match(secret, at, true);
        longest = n > longest ? n : longest;
    }
    return longest;
}

const char *bb_redact(struct bb_secrets *secrets, const char *text) {
    size_t length = strnlen(text, QUOTED_MAX);
    if (length < SECRET_MIN)
        return text;
    if (!secrets->is_collected)
        collect(secrets);
    char *out = bb_arena_alloc(secrets->arena, strlen(MASK) * length + 1), *to = out;
    const char *end = text + length;
    if (!out || secrets->arena->failed) /* without its secrets a text is not quoted */
        return NULL;
    while (text < end) {
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
    return out;
}
