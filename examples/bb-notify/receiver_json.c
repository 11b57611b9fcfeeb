#include "receiver_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "receiver_text.h"

enum { MAX_DEPTH = 64 };

struct reader {
    const char *at;
    const char *end;
    int depth;
};

static struct json *read_value(struct reader *in);

static void skip_blanks(struct reader *in) {
    while (in->at < in->end && strchr(" \t\r\n", *in->at) && *in->at)
        in->at++;
}

static bool take(struct reader *in, char wanted) {
    skip_blanks(in);
    if (in->at == in->end || *in->at != wanted)
        return false;
    in->at++;
    return true;
}

static struct json *new_value(enum json_kind kind) {
    struct json *value = calloc(1, sizeof *value);
    if (value)
        value->kind = kind;
    return value;
}

static bool read_hex4(struct reader *in, uint32_t *unit) {
    *unit = 0;
    for (int i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdefABCDEF";
        const char *found = in->at < in->end && *in->at ? strchr(digits, *in->at) : NULL;
        if (!found)
            return false;
        uint32_t digit = (uint32_t)(found - digits);
        *unit = *unit * 16 + (digit > 15 ? digit - 6 : digit);
        in->at++;
    }
    return true;
}

/* After "\u": one unit, or a pair of surrogates. A lone one is not text. */
static bool read_unicode(struct reader *in, uint32_t *point) {
    uint32_t low;
    if (!read_hex4(in, point) || *point == 0 || (*point >= 0xdc00 && *point <= 0xdfff))
        return false;
    if (*point < 0xd800 || *point > 0xdbff)
        return true;
    if (in->end - in->at < 6 || memcmp(in->at, "\\u", 2) != 0)
        return false;
    in->at += 2;
    if (!read_hex4(in, &low) || low < 0xdc00 || low > 0xdfff)
        return false;
    *point = 0x10000 + ((*point - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

static char *read_escape(struct reader *in, char *out) {
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    uint32_t point;
    char name = '\0';
    if (in->at < in->end)
        name = *in->at++;
    const char *simple = name ? strchr(names, name) : NULL;
    if (simple) {
        *out = values[simple - names];
        return out + 1;
    }
    return name == 'u' && read_unicode(in, &point) ? out + utf8_encode(point, out) : NULL;
}

/* The decoded text is never longer than the written one. */
static char *read_characters(struct reader *in, char *text) {
    char *out = text;
    while (out && in->at < in->end && *in->at != '"') {
        unsigned char byte = (unsigned char)*in->at++;
        if (byte < 0x20)
            return NULL;
        if (byte == '\\') {
            out = read_escape(in, out);
        } else {
            *out++ = (char)byte;
        }
    }
    if (!out || in->at == in->end)
        return NULL;
    *out = '\0';
    in->at++;
    return text;
}

static char *read_text(struct reader *in) {
    if (!take(in, '"'))
        return NULL;
    char *text = malloc((size_t)(in->end - in->at) + 1);
    if (text && !read_characters(in, text)) {
        free(text);
        return NULL;
    }
    char *fitted = text ? realloc(text, strlen(text) + 1) : NULL;
    return fitted ? fitted : text;
}

static struct json *read_string(struct reader *in) {
    char *text = read_text(in);
    struct json *value = text ? new_value(JSON_STRING) : NULL;
    if (!value) {
        free(text);
        return NULL;
    }
    value->text = text;
    return value;
}

static size_t digits_at(const char *at) {
    return strspn(at, "0123456789");
}

/* The length of the number at `at`, 0 for none; the text ends with a NUL. */
static size_t number_length(const char *at, bool *integer) {
    const char *start = at;
    at += *at == '-';
    size_t whole = digits_at(at);
    if (whole == 0 || (whole > 1 && *at == '0'))
        return 0;
    at += whole;
    *integer = true;
    if (*at == '.') {
        size_t fraction = digits_at(at + 1);
        at += fraction ? fraction + 1 : 0;
        *integer = false;
    }
    if (*at == 'e' || *at == 'E') {
        const char *exponent = at + 1 + (at[1] == '+' || at[1] == '-');
        at = digits_at(exponent) ? exponent + digits_at(exponent) : at;
        *integer = false;
    }
    return (size_t)(at - start);
}

static struct json *read_number(struct reader *in) {
    bool integer = false;
    size_t length = number_length(in->at, &integer);
    char *text = length ? strndup(in->at, length) : NULL;
    struct json *value = text ? new_value(JSON_NUMBER) : NULL;
    if (!value) {
        free(text);
        return NULL;
    }
    value->text = text;
    value->integer = integer;
    value->number = strtod(text, NULL);
    in->at += length;
    return value;
}

static struct json *read_word(struct reader *in) {
    static const struct {
        const char *word;
        enum json_kind kind;
        double number;
    } words[] = {{"null", JSON_NULL, 0}, {"true", JSON_BOOL, 1}, {"false", JSON_BOOL, 0}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t length = strlen(words[i].word);
        if ((size_t)(in->end - in->at) >= length && memcmp(in->at, words[i].word, length) == 0) {
            struct json *value = new_value(words[i].kind);
            if (value)
                value->number = words[i].number;
            in->at += length;
            return value;
        }
    }
    return NULL;
}

static struct json *read_member(struct reader *in, bool named) {
    char *key = named ? read_text(in) : NULL;
    struct json *value = (key && take(in, ':')) || !named ? read_value(in) : NULL;
    if (!value) {
        free(key);
        return NULL;
    }
    value->key = key;
    return value;
}

static struct json *read_members(struct reader *in, struct json *container, char close) {
    struct json **last = &container->child;
    if (take(in, close))
        return container;
    do {
        *last = read_member(in, container->kind == JSON_OBJECT);
        if (!*last)
            break;
        last = &(*last)->next;
    } while (take(in, ','));
    if (!container->child || !take(in, close)) {
        json_free(container);
        return NULL;
    }
    return container;
}

static struct json *read_container(struct reader *in, enum json_kind kind, char close) {
    struct json *container = in->depth < MAX_DEPTH ? new_value(kind) : NULL;
    in->at++;
    in->depth++;
    container = container ? read_members(in, container, close) : NULL;
    in->depth--;
    return container;
}

static struct json *read_value(struct reader *in) {
    skip_blanks(in);
    switch (in->at < in->end ? *in->at : '\0') {
    case '{':
        return read_container(in, JSON_OBJECT, '}');
    case '[':
        return read_container(in, JSON_ARRAY, ']');
    case '"':
        return read_string(in);
    case 'n':
    case 't':
    case 'f':
        return read_word(in);
    default:
        return read_number(in);
    }
}

struct json *json_parse(const char *text, size_t length) {
    struct reader in = {text, text + length, 0};
    if (!utf8_valid(text, length))
        return NULL;
    struct json *value = read_value(&in);
    skip_blanks(&in);
    if (value && in.at != in.end) {
        json_free(value);
        return NULL;
    }
    return value;
}

void json_free(struct json *value) {
    while (value) {
        struct json *next = value->next;
        json_free(value->child);
        free((char *)value->key);
        free((char *)value->text);
        free(value);
        value = next;
    }
}

bool json_is(const struct json *value, enum json_kind kind) {
    return value && value->kind == kind;
}

const struct json *json_member(const struct json *object, const char *key) {
    const struct json *member = json_is(object, JSON_OBJECT) ? object->child : NULL;
    while (member && strcmp(member->key, key) != 0)
        member = member->next;
    return member;
}

const char *json_string(const struct json *object, const char *key) {
    const struct json *member = json_member(object, key);
    return json_is(member, JSON_STRING) ? member->text : NULL;
}

bool json_says(const struct json *object, const char *key, const char *word) {
    const char *text = json_string(object, key);
    return text && strcmp(text, word) == 0;
}

const struct json *json_first(const struct json *container) {
    return container ? container->child : NULL;
}

size_t json_count(const struct json *container) {
    size_t count = 0;
    for (const struct json *member = json_first(container); member; member = member->next) {
        count++;
    }
    return count;
}

static const struct json *json_index(const struct json *array, size_t index) {
    const struct json *member = json_is(array, JSON_ARRAY) ? array->child : NULL;
    while (member && index-- > 0)
        member = member->next;
    return member;
}

const struct json *json_at(const struct json *value, const char *path) {
    while (value && *path) {
        char key[64];
        size_t length = strcspn(path, ".");
        snprintf(key, sizeof key, "%.*s", (int)length, path);
        value = value->kind == JSON_ARRAY ? json_index(value, strtoul(key, NULL, 10))
                                          : json_member(value, key);
        path += length + (path[length] == '.');
    }
    return value;
}
