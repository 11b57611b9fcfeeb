#define _XOPEN_SOURCE 700 /* NOLINT: the name is POSIX's; for wcwidth */
#include "text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <wchar.h>

#define REPLACEMENT "\xEF\xBF\xBD"
#define ELLIPSIS "\xE2\x80\xA6"

/* Bytes that a character with this first byte has; 0: no character begins so. */
static size_t sequence_length(unsigned char first) {
    if (first < 0x80)
        return 1;
    if (first >= 0xC2 && first < 0xE0)
        return 2;
    if (first >= 0xE0 && first < 0xF0)
        return 3;
    return first >= 0xF0 && first < 0xF5 ? 4 : 0;
}

static bool is_overlong_or_surrogate(uint32_t character, size_t length) {
    if (length == 3)
        return character < 0x800 || (character >= 0xD800 && character < 0xE000);
    return length == 4 && (character < 0x10000 || character > 0x10FFFF);
}

size_t text_decode(const char *text, size_t length, uint32_t *character) {
    const unsigned char *bytes = (const unsigned char *)text;
    size_t wanted = sequence_length(bytes[0]);
    uint32_t value = wanted == 1 ? bytes[0] : bytes[0] & (0x7Fu >> wanted);
    *character = TEXT_REPLACEMENT;
    if (wanted == 0 || wanted > length)
        return 1;
    for (size_t i = 1; i < wanted; i++) {
        if ((bytes[i] & 0xC0) != 0x80)
            return 1;
        value = value << 6 | (bytes[i] & 0x3Fu);
    }
    if (is_overlong_or_surrogate(value, wanted))
        return 1;
    *character = value;
    return wanted;
}

/* One character as it is shown. */
struct glyph {
    const char *bytes;
    size_t length;
    size_t width;
};

static bool is_control(uint32_t character) {
    return character < 0x20 || (character >= 0x7F && character < 0xA0);
}

/* Takes the first character off `*text`. */
static struct glyph next_glyph(const char **text) {
    uint32_t character;
    struct glyph glyph = {.bytes = *text};
    glyph.length = text_decode(*text, strnlen(*text, 4), &character);
    *text += glyph.length;
    if (is_control(character) || character == TEXT_REPLACEMENT)
        return (struct glyph){REPLACEMENT, strlen(REPLACEMENT), 1};
    int width = wcwidth((wchar_t)character);
    glyph.width = width < 0 ? 1 : (size_t)width;
    return glyph;
}

size_t text_width(const char *text) {
    size_t width = 0;
    while (*text)
        width += next_glyph(&text).width;
    return width;
}

void text_print(FILE *out, const char *text) {
    while (*text) {
        struct glyph glyph = next_glyph(&text);
        fwrite(glyph.bytes, 1, glyph.length, out);
    }
}

/* Prints what fits into `width` columns and returns how many it took. */
static size_t print_beginning(FILE *out, const char *text, size_t width) {
    size_t used = 0;
    while (*text) {
        struct glyph glyph = next_glyph(&text);
        if (used + glyph.width > width)
            break;
        fwrite(glyph.bytes, 1, glyph.length, out);
        used += glyph.width;
    }
    return used;
}

void text_print_column(FILE *out, const char *text, size_t width) {
    size_t used;
    if (text_width(text) <= width) {
        used = print_beginning(out, text, width);
    } else {
        used = print_beginning(out, text, width - 1) + 1;
        fputs(ELLIPSIS, out);
    }
    fprintf(out, "%*s", (int)(width - used), "");
}

const char *text_without_name(const char *sentence, const char *webhook_name) {
    char prefix[160];
    int length = snprintf(prefix, sizeof prefix, "webhook \"%s\": ", webhook_name);
    bool is_named = length < (int)sizeof prefix && strncmp(sentence, prefix, (size_t)length) == 0;
    return sentence + (is_named ? length : 0);
}

const char *text_wait(int64_t ms, char out[TEXT_WAIT_SIZE]) {
    enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };
    if (ms < SECOND)
        snprintf(out, TEXT_WAIT_SIZE, "%" PRId64 " ms", ms);
    else if (ms < 2 * MINUTE)
        snprintf(out, TEXT_WAIT_SIZE, "%" PRId64 " s", ms / SECOND);
    else if (ms < 2 * HOUR)
        snprintf(out, TEXT_WAIT_SIZE, "%" PRId64 " min", ms / MINUTE);
    else
        snprintf(out, TEXT_WAIT_SIZE, "%" PRId64 " h", ms / HOUR);
    return out;
}
