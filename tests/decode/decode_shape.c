#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decode/decode_inside.h"

/* Writes the path from `from` to `to` in front of which `path` holds `used`
 * bytes; false when `to` is not below. */
static bool find_path(const cJSON *from, const cJSON *to, char *path, size_t size, size_t used) {
    if (from == to)
        return true;
    int index = 0;
    const cJSON *child;
    cJSON_ArrayForEach(child, from) {
        int more = cJSON_IsArray(from)
                       ? snprintf(path + used, size - used, "[%d]", index++)
                       : snprintf(path + used, size - used, "%s%s", used ? "." : "", child->string);
        if (more < 0 || (size_t)more >= size - used)
            continue;
        if (find_path(child, to, path, size, used + (size_t)more))
            return true;
    }
    path[used] = '\0';
    return false;
}

void decode_fail(struct decoding *d, const cJSON *where, const char *format, ...) {
    if (d->failed)
        return;
    d->failed = true;
    char path[256] = "", text[256];
    if (where && where != d->root)
        find_path(d->root, where, path, sizeof(path), 0);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (d->why_size)
        snprintf(d->why, d->why_size, "%s: %s %s", d->product, *path ? path : "body", text);
}

void decode_say(struct decoding *d, const char *bytes, size_t length) {
    if (length == 0)
        return;
    if (d->text_room - d->text_length < length) {
        size_t room = 2 * d->text_room + length;
        char *grown = realloc(d->texts, room);
        if (!grown)
            abort();
        d->texts = grown;
        d->text_room = room;
    }
    memcpy(d->texts + d->text_length, bytes, length);
    d->text_length += length;
}

static const char *type_name(int type) {
    switch (type) {
    case cJSON_String:
        return "a string";
    case cJSON_Number:
        return "an integer";
    case cJSON_Array:
        return "an array";
    case cJSON_Object:
        return "an object";
    case cJSON_NULL:
        return "null";
    default:
        return "a boolean";
    }
}

const cJSON *decode_may(struct decoding *d, const cJSON *object, const char *key, int type) {
    const cJSON *found = object ? cJSON_GetObjectItemCaseSensitive(object, key) : NULL;
    if (!found)
        return NULL;
    if (type == cJSON_True ? cJSON_IsBool(found) : (found->type & 0xFF) == type)
        return found;
    decode_fail(d, found, "is not %s", type_name(type));
    return NULL;
}

const cJSON *decode_need(struct decoding *d, const cJSON *object, const char *key, int type) {
    if (object && !cJSON_GetObjectItemCaseSensitive(object, key))
        decode_fail(d, object, "has no %s", key);
    return decode_may(d, object, key, type);
}

bool decode_listed(const char *allowed, const char *word) {
    size_t size = strlen(word);
    while (*allowed) {
        size_t length = strcspn(allowed, " ");
        if (length == size && memcmp(allowed, word, size) == 0)
            return true;
        allowed += length + (allowed[length] == ' ');
    }
    return false;
}

void decode_keys(struct decoding *d, const cJSON *object, const char *allowed) {
    const cJSON *member;
    if (object && !cJSON_IsObject(object))
        decode_fail(d, object, "is not an object");
    cJSON_ArrayForEach(member, object) {
        if (member->string && !decode_listed(allowed, member->string))
            decode_fail(d, member, "is no member that the product knows");
    }
}

void decode_one_of(struct decoding *d, const cJSON *object, const char *key, const char *allowed) {
    const cJSON *word = decode_need(d, object, key, cJSON_String);
    if (word && !decode_listed(allowed, word->valuestring))
        decode_fail(d, word, "is '%s', which is none of: %s", word->valuestring, allowed);
}

size_t decode_items(struct decoding *d, const cJSON *array, size_t least, size_t most) {
    size_t count = (size_t)cJSON_GetArraySize(array);
    if (array && (count < least || count > most))
        decode_fail(d, array, "has %zu items, limit %zu to %zu", count, least, most);
    return count;
}

void decode_limit(struct decoding *d, const cJSON *text, enum decode_unit unit, size_t most) {
    static const char *const names[] = {"UTF-16 units", "code points", "bytes"};
    if (!text)
        return;
    const char *s = text->valuestring;
    size_t size = unit == DECODE_UTF16        ? decode_utf16(s)
                  : unit == DECODE_CODEPOINTS ? decode_codepoints(s)
                                              : strlen(s);
    if (size > most)
        decode_fail(d, text, "has %zu %s, limit %zu", size, names[unit], most);
}

void decode_filled(struct decoding *d, const cJSON *text) {
    if (text && decode_blank(text->valuestring))
        decode_fail(d, text, "is empty");
}

void decode_one_line(struct decoding *d, const cJSON *text) {
    if (text && strchr(text->valuestring, '\n'))
        decode_fail(d, text, "has more than one line");
}

void decode_plain(struct decoding *d, const cJSON *text) {
    if (!text)
        return;
    decode_filled(d, text);
    if (strstr(text->valuestring, "\u200b"))
        decode_fail(d, text, "has U+200B where there is no markup to break");
    decode_say(d, text->valuestring, strlen(text->valuestring));
    decode_say(d, "\n", 1);
}

void decode_link(struct decoding *d, const cJSON *url) {
    if (!url)
        return;
    const char *expected = d->expect->link;
    if (!decode_web_url(url->valuestring))
        decode_fail(d, url, "is no absolute http(s) URL");
    if (!expected || !decode_same_url(url->valuestring, strlen(url->valuestring), expected))
        decode_fail(d, url, "is '%s', which is not the event's link", url->valuestring);
    d->link_seen = true;
}

bool decode_mention(struct decoding *d, const char *id, size_t length) {
    for (size_t i = 0; i < d->expect->mention_count; i++) {
        const char *expected = d->expect->mentions[i];
        if (strlen(expected) == length && memcmp(expected, id, length) == 0) {
            d->mention_seen[i] = true;
            return true;
        }
    }
    return false;
}

void decode_body_limit(struct decoding *d, size_t most) {
    if (d->length > most)
        decode_fail(d, NULL, "has %zu bytes, limit %zu", d->length, most);
}

void decode_link_seen(struct decoding *d) {
    if (d->expect->link && !d->link_seen)
        decode_fail(d, NULL, "has no link to '%s'", d->expect->link);
}

void decode_all_seen(struct decoding *d) {
    decode_link_seen(d);
    for (size_t i = 0; i < d->expect->mention_count; i++) {
        if (!d->mention_seen[i])
            decode_fail(d, NULL, "does not notify '%s'", d->expect->mentions[i]);
    }
}

static void unique_keys(struct decoding *d, const cJSON *object) {
    for (const cJSON *one = object->child; one; one = one->next) {
        for (const cJSON *other = one->next; other; other = other->next) {
            if (strcmp(one->string, other->string) == 0)
                decode_fail(d, object, "has the key '%s' twice", one->string);
        }
    }
}

void decode_common(struct decoding *d, const cJSON *node) {
    if (cJSON_IsObject(node))
        unique_keys(d, node);
    uint32_t rune = cJSON_IsString(node) ? decode_forbidden(node->valuestring) : 0;
    if (rune)
        decode_fail(d, node, "holds U+%04X", (unsigned)rune);
    const cJSON *child;
    cJSON_ArrayForEach(child, node) decode_common(d, child);
}
