#include <string.h>

#include "decode/decode_inside.h"

/* Deeper than any card needs, far from what a parser's stack takes. */
enum { DEPTH_LIMIT = 16 };

struct reader {
    struct decoding *d;
    size_t at;
    int depth;
};

static bool value(struct reader *r);

static bool refuse(struct reader *r, const char *what) {
    decode_fail(r->d, NULL, "byte %zu: %s", r->at, what);
    return false;
}

static int peek(const struct reader *r) {
    return r->at < r->d->length ? (unsigned char)r->d->body[r->at] : -1;
}

static bool take(struct reader *r, char byte) {
    if (peek(r) != byte)
        return false;
    r->at++;
    return true;
}

static void skip_blanks(struct reader *r) {
    while (r->at < r->d->length && memchr(" \t\r\n", r->d->body[r->at], 4))
        r->at++;
}

static bool escape(struct reader *r) {
    int byte = peek(r);
    if (byte == 'u')
        return refuse(r, "an escape \\u where raw UTF-8 is wanted");
    if (byte < 0 || !strchr("\"\\nt", byte))
        return refuse(r, "an escape other than \\\" \\\\ \\n \\t");
    r->at++;
    return true;
}

static bool string(struct reader *r) {
    if (!take(r, '"'))
        return refuse(r, "a string is missing");
    while (!take(r, '"')) {
        uint32_t rune = 0;
        size_t size = decode_rune(r->d->body + r->at, r->d->length - r->at, &rune);
        if (r->at >= r->d->length)
            return refuse(r, "a string does not end");
        if (size == 0)
            return refuse(r, "ill-formed UTF-8");
        if (rune < 0x20)
            return refuse(r, "a raw control character in a string");
        r->at += size;
        if (rune == '\\' && !escape(r))
            return false;
    }
    return true;
}

static bool number(struct reader *r) {
    static const char limits[2][20] = {"9223372036854775807", "9223372036854775808"};
    bool negative = take(r, '-');
    const char *digits = r->d->body + r->at;
    size_t count = 0;
    while (peek(r) >= '0' && peek(r) <= '9') {
        r->at++;
        count++;
    }
    if (count == 0 || (count > 1 && digits[0] == '0'))
        return refuse(r, "not a JSON value");
    if (peek(r) == '.' || peek(r) == 'e' || peek(r) == 'E')
        return refuse(r, "a number that is not a plain integer");
    if (count > 19 || (count == 19 && memcmp(digits, limits[negative], 19) > 0))
        return refuse(r, "a number beyond 64 bits");
    return true;
}

static bool literal(struct reader *r) {
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < 3; i++) {
        size_t size = strlen(words[i]);
        if (r->d->length - r->at >= size && memcmp(r->d->body + r->at, words[i], size) == 0) {
            r->at += size;
            return true;
        }
    }
    return number(r);
}

static bool key(struct reader *r) {
    skip_blanks(r);
    if (!string(r))
        return false;
    skip_blanks(r);
    return take(r, ':') || refuse(r, "':' is missing");
}

/* The inside of an object (with keys) or an array, and its end. */
static bool items(struct reader *r, char end) {
    skip_blanks(r);
    if (take(r, end))
        return true;
    do {
        if ((end == '}' && !key(r)) || !value(r))
            return false;
        skip_blanks(r);
    } while (take(r, ','));
    return take(r, end) || refuse(r, "',' or an end is missing");
}

static bool value(struct reader *r) {
    if (r->depth == DEPTH_LIMIT)
        return refuse(r, "nested too deeply");
    r->depth++;
    skip_blanks(r);
    bool good;
    if (take(r, '{'))
        good = items(r, '}');
    else if (take(r, '['))
        good = items(r, ']');
    else
        good = peek(r) == '"' ? string(r) : literal(r);
    r->depth--;
    return good;
}

bool decode_json(struct decoding *d) {
    struct reader r = {.d = d};
    if (!value(&r))
        return false;
    skip_blanks(&r);
    return r.at == d->length || refuse(&r, "something follows the JSON value");
}
