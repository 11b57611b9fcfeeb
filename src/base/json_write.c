#include "base/json.h"

#include <string.h>

#include "base/scan.h"
#include "base/text.h"

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

static bb_scan with_escapes(bb_scan bytes) {
    return (bb_scan)((bytes < 0x20) | (bytes == '"') | (bytes == '\\'));
}

static size_t plain_run(const char *text, size_t length) {
    size_t i = bb_scan_usual(text, length, with_escapes);
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

/* After what stands before, if it is no bracket that was just opened. */
static bool needs_comma(const struct bb_buf *out) {
    char last = out->data[out->length - 1];
    return last != '{' && last != '[';
}

/* Begins a member and makes room for `size` bytes of its value: where they go, or
 * NULL. A bracket was written before, so there is a last byte. */
static char *begin_member(struct bb_json *json, struct bb_json_key key, size_t size) {
    struct bb_buf *out = json->out;
    if (bb_buf_failed(out))
        return NULL;
    bool comma = needs_comma(out);
    size_t name = key.text ? key.length + strlen("\"\":") : 0;
    if (!bb_buf_reserve(out, comma + name + size))
        return NULL;
    char *to = out->data + out->length;
    if (comma)
        *to++ = ',';
    if (!key.text)
        return to;
    *to++ = '"';
    memcpy(to, key.text, key.length);
    to += key.length;
    *to++ = '"';
    *to++ = ':';
    return to;
}

static void end_member(struct bb_json *json, const char *end) {
    json->out->length = (size_t)(end - json->out->data);
}

void bb_json_push_open(struct bb_json *json, struct bb_json_key key, const char brackets[2]) {
    if (json->depth + 1 == BB_JSON_DEPTH)
        json->out->no_memory = true;
    char *to = begin_member(json, key, 1);
    if (!to)
        return;
    *to = brackets[0];
    end_member(json, to + 1);
    json->closing[++json->depth] = brackets[1];
}

void bb_json_push_text(struct bb_json *json, struct bb_json_key key, const char *text) {
    if (!text) {
        json->out->no_memory = true;
        return;
    }
    size_t length = strlen(text), run = plain_run(text, length);
    char *to = begin_member(json, key, length + strlen("\"\""));
    if (!to)
        return;
    *to++ = '"';
    memcpy(to, text, run);
    to += run;
    if (run == length) { /* nearly always */
        *to = '"';
        end_member(json, to + 1);
        return;
    }
    end_member(json, to);
    put_escaped(json->out, text + run, length - run);
    bb_buf_add(json->out, "\"", 1);
}

static bb_scan not_plain(bb_scan bytes) {
    return (bb_scan)((bytes < 0x20) | (bytes > 0x7E) | (bytes == '"') | (bytes == '\\'));
}

static bool is_plain(const char *text, size_t length) {
    size_t i = bb_scan_usual(text, length, not_plain);
    while (i < length && (unsigned char)text[i] < 0x7F && !escapes[(unsigned char)text[i]])
        i++;
    return i == length;
}

bool bb_json_push_plain(struct bb_json *json, struct bb_json_key key, const char *text,
                        size_t max) {
    size_t length = strnlen(text, max);
    if (text[length] || !is_plain(text, length))
        return false;
    char *to = begin_member(json, key, length + strlen("\"\""));
    if (!to)
        return true; /* out of memory, which bb_json_finish tells */
    *to++ = '"';
    memcpy(to, text, length);
    to[length] = '"';
    end_member(json, to + length + 1);
    return true;
}

void bb_json_push_word(struct bb_json *json, struct bb_json_key key, const char *word) {
    size_t length = strlen(word);
    char *to = begin_member(json, key, length);
    if (!to)
        return;
    memcpy(to, word, length);
    end_member(json, to + length);
}

void bb_json_push_integer(struct bb_json *json, struct bb_json_key key, int64_t number) {
    char room[BB_INTEGER_SIZE];
    bb_json_push_word(json, key, bb_text_digits(number, room));
}

void bb_json_begin(struct bb_json *json, struct bb_buf *out) {
    *json = (struct bb_json){.out = out, .start = out->length, .closing = "}"};
    bb_buf_add(out, "{", 1);
}

void bb_json_end(struct bb_json *json) {
    if (json->depth > 0 && !bb_buf_failed(json->out))
        bb_buf_add(json->out, &json->closing[json->depth--], 1);
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
