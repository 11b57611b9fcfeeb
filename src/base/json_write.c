#include "base/json.h"

#include <string.h>

/* ---- bytes ---- */

/* What follows the backslash of a byte that cannot stand in a string; 'u': four
 * digits as well; 0: the byte may stand there. */
static const char escapes[256] = {
    [0x00] = 'u', [0x01] = 'u', [0x02] = 'u', [0x03] = 'u',  [0x04] = 'u', [0x05] = 'u',
    [0x06] = 'u', [0x07] = 'u', ['\b'] = 'b', ['\t'] = 't',  ['\n'] = 'n', [0x0B] = 'u',
    ['\f'] = 'f', ['\r'] = 'r', [0x0E] = 'u', [0x0F] = 'u',  [0x10] = 'u', [0x11] = 'u',
    [0x12] = 'u', [0x13] = 'u', [0x14] = 'u', [0x15] = 'u',  [0x16] = 'u', [0x17] = 'u',
    [0x18] = 'u', [0x19] = 'u', [0x1A] = 'u', [0x1B] = 'u',  [0x1C] = 'u', [0x1D] = 'u',
    [0x1E] = 'u', [0x1F] = 'u', ['"'] = '"',  ['\\'] = '\\',
};

static size_t plain_run(const char *text, size_t length) {
    size_t i = 0;
    while (i < length && !escapes[(unsigned char)text[i]])
        i++;
    return i;
}

static void put_escape(struct bb_buf *out, char c) {
    char letter = escapes[(unsigned char)c];
    const char digits[] = {
        '\\', letter, '0', '0', (char)('0' + (c >> 4)), "0123456789abcdef"[c & 15]};
    bb_buf_add(out, digits, letter == 'u' ? 6 : 2);
}

static void put_escaped(struct bb_buf *out, const char *text, size_t length) {
    while (length > 0) {
        size_t run = plain_run(text, length);
        bb_buf_add(out, text, run);
        if (run == length)
            return;
        put_escape(out, text[run]);
        text += run + 1;
        length -= run + 1;
    }
}

/* ---- members ---- */

/* The comma after what stands before, if it is no bracket that was just opened. */
static bool needs_comma(const struct bb_buf *out) {
    char last = out->data[out->length - 1];
    return last != '{' && last != '[';
}

/* Begins a member and makes room for `size` bytes of its value: where they go, or
 * NULL. A bracket was written before, so there is a last byte. */
static char *begin_member(struct bb_json *json, const char *key, size_t size) {
    struct bb_buf *out = json->out;
    if (bb_buf_failed(out))
        return NULL;
    bool comma = needs_comma(out);
    size_t key_length = key ? strlen(key) : 0;
    if (!bb_buf_reserve(out, size + comma + (key ? key_length + 3 : 0)))
        return NULL;
    char *to = out->data + out->length;
    if (comma)
        *to++ = ',';
    if (!key)
        return to;
    *to++ = '"';
    memcpy(to, key, key_length);
    to += key_length;
    *to++ = '"';
    *to++ = ':';
    return to;
}

static void end_member(struct bb_json *json, const char *end) {
    json->out->length = (size_t)(end - json->out->data);
}

static void put(struct bb_json *json, const char *key, const char *value, size_t length) {
    char *to = begin_member(json, key, length);
    if (!to)
        return;
    memcpy(to, value, length);
    end_member(json, to + length);
}

static void open_bracket(struct bb_json *json, const char *key, char opening, char closing) {
    if (json->depth + 1 == BB_JSON_DEPTH)
        json->out->no_memory = true;
    char *to = begin_member(json, key, 1);
    if (!to)
        return;
    *to = opening;
    end_member(json, to + 1);
    json->closing[++json->depth] = closing;
}

void bb_json_begin(struct bb_json *json, struct bb_buf *out) {
    *json = (struct bb_json){.out = out, .start = out->length, .closing = "}"};
    bb_buf_add(out, "{", 1);
}

void bb_json_object(struct bb_json *json, const char *key) {
    open_bracket(json, key, '{', '}');
}

void bb_json_array(struct bb_json *json, const char *key) {
    open_bracket(json, key, '[', ']');
}

void bb_json_end(struct bb_json *json) {
    if (json->depth > 0 && !bb_buf_failed(json->out))
        bb_buf_add(json->out, &json->closing[json->depth--], 1);
}

void bb_json_string(struct bb_json *json, const char *key, const char *text) {
    if (!text) {
        json->out->no_memory = true;
        return;
    }
    size_t length = strlen(text), run = plain_run(text, length);
    char *to = begin_member(json, key, length + 2);
    if (!to)
        return;
    *to++ = '"';
    memcpy(to, text, run);
    end_member(json, to + run);
    put_escaped(json->out, text + run, length - run);
    bb_buf_add(json->out, "\"", 1);
}

void bb_json_integer(struct bb_json *json, const char *key, int64_t number) {
    char digits[20], *end = digits + sizeof digits, *at = end;
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do
        *--at = (char)('0' + left % 10);
    while (left /= 10);
    if (number < 0)
        *--at = '-';
    put(json, key, at, (size_t)(end - at));
}

void bb_json_bool(struct bb_json *json, const char *key, bool value) {
    put(json, key, value ? "true" : "false", value ? 4 : 5);
}

void bb_json_null(struct bb_json *json, const char *key) {
    put(json, key, "null", 4);
}

bool bb_json_finish(struct bb_json *json) {
    struct bb_buf *out = json->out;
    while (json->depth > 0 && !bb_buf_failed(out))
        bb_json_end(json);
    bb_buf_add(out, "}", 1);
    if (bb_buf_failed(out))
        bb_buf_cut(out, json->start);
    return !bb_buf_failed(out);
}
