#include "base/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/global.h"
#include "base/scan.h"
#include "base/text.h"

/* What the digits of a number begin with when they are kept as a string; taken
 * out of every other. */
enum { NUMBER_MARK = 1 };

/* cJSON keeps a number as a double, stops a string at \u0000 and refuses a lone
 * surrogate: this pass rewrites those three, and touches nothing else. */
struct tamer {
    const char *at;
    const char *end;
    char *out;
    bool in_string;
};

enum { NOT_HEX = 0x10000 };

static unsigned hex4(const char *s) {
    char digits[5] = {s[0], s[1], s[2], s[3], 0};
    if (strspn(digits, "0123456789abcdefABCDEF") != 4)
        return NOT_HEX;
    return (unsigned)strtoul(digits, NULL, 16);
}

static unsigned escape_at(const struct tamer *t, const char *at) {
    if (t->end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return NOT_HEX;
    return hex4(at + 2);
}

static void copy(struct tamer *t, size_t n) {
    memcpy(t->out, t->at, n);
    t->out += n;
    t->at += n;
}

static void tame_escape(struct tamer *t) {
    unsigned unit = escape_at(t, t->at);
    if (unit == 0 || unit == NUMBER_MARK) {
        t->at += 6;
    } else if (unit >= 0xD800 && unit < 0xDC00) {
        unsigned low = escape_at(t, t->at + 6);
        if (low >= 0xDC00 && low < 0xE000) {
            copy(t, 12);
            return;
        }
        memcpy(t->out, "\\ufffd", 6);
        t->out += 6;
        t->at += 6;
    } else if (unit >= 0xDC00 && unit < 0xE000) {
        memcpy(t->out, "\\ufffd", 6);
        t->out += 6;
        t->at += 6;
    } else if (unit == NOT_HEX && t->end - t->at > 1 && t->at[1] == 'u') {
        t->at += 2; /* cJSON would take it for U+0000: leave it an escape that is none */
        *t->out++ = '\\';
        *t->out++ = '?';
    } else {
        copy(t, t->end - t->at < 2 ? 1 : 2);
    }
}

static bool is_member_name(const struct tamer *t, const char *at) {
    while (at < t->end && strchr(" \t\r\n", *at) && *at)
        at++;
    return at < t->end && *at == ':';
}

/* An integer with more digits than a double holds becomes a marked string. */
static void tame_number(struct tamer *t) {
    enum { EXACT_DIGITS = 15 };
    size_t n = 1;
    bool integer = true;
    while (t->at + n < t->end && strchr("0123456789+-.eE", t->at[n]) && t->at[n]) {
        integer = integer && bb_is_digit(t->at[n]);
        n++;
    }
    bool quote = integer && n > EXACT_DIGITS && !is_member_name(t, t->at + n);
    if (quote) {
        *t->out++ = '"';
        *t->out++ = NUMBER_MARK;
    }
    copy(t, n);
    if (quote)
        *t->out++ = '"';
}

static void tame_one(struct tamer *t) {
    char c = *t->at;
    if (c == '\0' || c == NUMBER_MARK) { /* to cJSON blanks: outside of strings, too */
        t->at++;
        if (!t->in_string)
            *t->out++ = '?';
    } else if (t->in_string && c == '\\') {
        tame_escape(t);
    } else if (!t->in_string && (c == '-' || bb_is_digit(c))) {
        tame_number(t);
    } else {
        t->in_string ^= c == '"';
        copy(t, 1);
    }
}

static bb_scan special_in_string(bb_scan bytes) {
    return (bb_scan)((bytes == '\\') | (bytes == '"') | (bytes <= NUMBER_MARK));
}

/* What stands in a string as it is; nothing outside of one. */
static void copy_plain(struct tamer *t) {
    size_t length = (size_t)(t->end - t->at), n = 0;
    if (!t->in_string)
        return;
    n = bb_scan_usual(t->at, length, special_in_string);
    while (n < length && t->at[n] != '\\' && t->at[n] != '"' &&
           (unsigned char)t->at[n] > NUMBER_MARK)
        n++;
    copy(t, n);
}

/* Anywhere: one as long as that has a digit at one of the places that are looked at. */
static bool has_long_number(const char *text, size_t length) {
    enum { LONG = 16 };
    for (size_t i = LONG - 1; i < length; i += LONG) {
        size_t begin = i, end = i;
        while (end < length && bb_is_digit(text[end]))
            end++;
        while (end > i && begin > 0 && bb_is_digit(text[begin - 1]))
            begin--;
        if (end - begin >= LONG)
            return true;
    }
    return false;
}

static bb_scan special_anywhere(bb_scan bytes) {
    return (bb_scan)((bytes == '\\') | (bytes <= NUMBER_MARK));
}

/* Nearly all is: there is surely nothing to rewrite. */
static bool is_tame(const char *text, size_t length) {
    for (size_t i = 0; i < length;) {
        i += bb_scan_usual(text + i, length - i, special_anywhere);
        while (i < length && text[i] != '\\' && (unsigned char)text[i] > NUMBER_MARK)
            i++;
        if (i < length && (text[i] != '\\' || (i + 1 < length && text[i + 1] == 'u')))
            return false;
        i += 2;
    }
    return !has_long_number(text, length);
}

/* NULL: out of memory. */
static char *tame(struct bb_arena *scratch, const char *text, size_t length, size_t *tamed) {
    *tamed = length;
    if (is_tame(text, length))
        return bb_arena_copy(scratch, text, length);
    char *out = bb_arena_reserve(scratch, length + length / 4 + 16);
    if (!out)
        return NULL;
    struct tamer t = {.at = text, .end = text + length, .out = out};
    for (copy_plain(&t); t.at < t.end; copy_plain(&t))
        tame_one(&t);
    *t.out = '\0';
    *tamed = (size_t)(t.out - out);
    bb_arena_commit(scratch, *tamed + 1);
    return out;
}

/* cJSON notes the place of a parse error in a process-wide variable. */
static cJSON *parse(const char *document, size_t size) {
    bb_global_lock(BB_GLOBAL_JSON);
    cJSON *value = cJSON_ParseWithLengthOpts(document, size, NULL, 1);
    bb_global_unlock(BB_GLOBAL_JSON);
    return value;
}

static bool has_memory(void) {
    cJSON *probe = cJSON_CreateNull();
    cJSON_Delete(probe);
    return probe != NULL;
}

struct bb_value *bb_json_parse(struct bb_arena *scratch, const char *text, size_t length) {
    size_t tamed = 0;
    char *document = tame(scratch, text, length, &tamed);
    if (!document)
        return NULL;
    cJSON *value = parse(document, tamed + 1);
    if (!value) /* bad JSON, or no memory: cJSON does not say which, a second try does */
        value = parse(document, tamed + 1);
    if (!value && !has_memory())
        scratch->failed = true;
    return (struct bb_value *)value;
}

bool bb_json_may_be_object(const char *text, size_t length) {
    size_t i = length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    while (i < length && (unsigned char)text[i] <= ' ') /* cJSON's blanks, and what `tame` takes */
        i++;
    return i < length && text[i] == '{';
}

void bb_json_free(struct bb_value *value) {
    cJSON_Delete((cJSON *)value);
}

static const cJSON *item(const struct bb_value *value) {
    return (const cJSON *)value;
}

const struct bb_value *bb_json_get(const struct bb_value *object, const char *name) {
    if (!cJSON_IsObject(item(object)))
        return NULL;
    return (const struct bb_value *)cJSON_GetObjectItemCaseSensitive(item(object), name);
}

const struct bb_value *bb_json_first(const struct bb_value *array) {
    return array ? (const struct bb_value *)item(array)->child : NULL;
}

const struct bb_value *bb_json_next(const struct bb_value *value) {
    return value ? (const struct bb_value *)item(value)->next : NULL;
}

const char *bb_json_text(const struct bb_value *value) {
    const char *text = cJSON_GetStringValue(item(value));
    return text && *text == NUMBER_MARK ? NULL : text;
}

/* Of a string that is digits, or of a big number that was kept as one. */
static const char *digits_of(const struct bb_value *value) {
    const char *text = cJSON_GetStringValue(item(value));
    return text && *text == NUMBER_MARK ? text + 1 : text;
}

bool bb_json_is_object(const struct bb_value *value) {
    return cJSON_IsObject(item(value));
}

bool bb_json_is_array(const struct bb_value *value) {
    return cJSON_IsArray(item(value));
}

bool bb_json_is_null(const struct bb_value *value) {
    return !value || cJSON_IsNull(item(value));
}

bool bb_json_is_true(const struct bb_value *value) {
    return cJSON_IsTrue(item(value));
}

bool bb_json_is_bool(const struct bb_value *value) {
    return cJSON_IsBool(item(value));
}

static bool parse_int64(const char *digits, int64_t *number) {
    char *end;
    errno = 0;
    long long value = strtoll(digits, &end, 10);
    if (errno || end == digits || *end || (*digits != '-' && (*digits < '0' || *digits > '9')))
        return false;
    *number = value;
    return true;
}

bool bb_json_int64(const struct bb_value *value, int64_t *number) {
    const char *digits = digits_of(value);
    if (digits)
        return parse_int64(digits, number);
    if (!cJSON_IsNumber(item(value)))
        return false;
    double d = item(value)->valuedouble;
    if (!(d >= -9007199254740992.0 && d <= 9007199254740992.0) || d != (double)(int64_t)d)
        return false;
    *number = (int64_t)d;
    return true;
}

bool bb_json_number(const struct bb_value *value, double *number) {
    int64_t integer;
    const char *text = digits_of(value);
    if (cJSON_IsNumber(item(value)))
        *number = item(value)->valuedouble;
    else if (bb_json_int64(value, &integer))
        *number = (double)integer;
    else if (text && *text && strspn(text, "0123456789") == strlen(text))
        *number = 1e19; /* beyond 64 bits */
    else
        return false;
    return true;
}
