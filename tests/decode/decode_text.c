#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "decode/decode_inside.h"

/* RFC 3629: the range of a second byte depends on the first one, which is what
 * keeps out overlong forms, surrogates and everything above U+10FFFF. */
static size_t sequence(const unsigned char *s, unsigned char *low, unsigned char *high) {
    *low = 0x80;
    *high = 0xBF;
    if (s[0] >= 0xC2 && s[0] <= 0xDF)
        return 2;
    if (s[0] >= 0xE0 && s[0] <= 0xEF) {
        *low = s[0] == 0xE0 ? 0xA0 : 0x80;
        *high = s[0] == 0xED ? 0x9F : 0xBF;
        return 3;
    }
    if (s[0] >= 0xF0 && s[0] <= 0xF4) {
        *low = s[0] == 0xF0 ? 0x90 : 0x80;
        *high = s[0] == 0xF4 ? 0x8F : 0xBF;
        return 4;
    }
    return 0;
}

size_t decode_rune(const char *text, size_t length, uint32_t *rune) {
    const unsigned char *s = (const unsigned char *)text;
    unsigned char low, high;
    if (length == 0)
        return 0;
    *rune = s[0];
    if (s[0] < 0x80)
        return 1;
    size_t size = sequence(s, &low, &high);
    if (size == 0 || size > length || s[1] < low || s[1] > high)
        return 0;
    *rune = s[0] & (0xFFu >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
        *rune = (*rune << 6) | (s[i] & 0x3Fu);
    }
    return size;
}

/* A lead byte of four bytes is what UTF-16 writes as two units. */
size_t decode_utf16(const char *text) {
    size_t units = 0;
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        units += (byte & 0xC0) != 0x80;
        units += byte >= 0xF0;
    }
    return units;
}

size_t decode_codepoints(const char *text) {
    size_t count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

static bool forbidden(uint32_t rune) {
    if (rune < 0x20)
        return rune != '\n' && rune != '\t';
    return (rune >= 0x7F && rune <= 0x9F) || rune == 0x2028 || rune == 0x2029 || rune == 0xFEFF ||
           rune == 0x2060 || (rune >= 0x202A && rune <= 0x202E) ||
           (rune >= 0x2066 && rune <= 0x2069);
}

uint32_t decode_forbidden(const char *text) {
    size_t left = strlen(text);
    while (left > 0) {
        uint32_t rune = 0;
        size_t size = decode_rune(text, left, &rune);
        if (size == 0 || forbidden(rune))
            return rune;
        text += size;
        left -= size;
    }
    return 0;
}

bool decode_zero_width(const char *at) {
    return strncmp(at, "\u200b", 3) == 0;
}

bool decode_blank(const char *text) {
    while (*text) {
        if (decode_zero_width(text))
            text += 3;
        else if (isspace((unsigned char)*text))
            text++;
        else
            return false;
    }
    return true;
}

static int hex(char byte) {
    const char *digits = "0123456789abcdef";
    const char *found = byte ? strchr(digits, tolower((unsigned char)byte)) : NULL;
    return found ? (int)(found - digits) : -1;
}

/* The byte that a URL means at `*at`, which moves behind it. */
static int url_byte(const char *url, size_t length, size_t *at) {
    if (*at >= length)
        return -1;
    char byte = url[(*at)++];
    if (byte == '%' && *at + 1 < length && hex(url[*at]) >= 0 && hex(url[*at + 1]) >= 0) {
        byte = (char)(hex(url[*at]) * 16 + hex(url[*at + 1]));
        *at += 2;
    }
    return (unsigned char)byte;
}

bool decode_same_url(const char *url, size_t length, const char *expected) {
    size_t at = 0, other = 0, expected_length = strlen(expected);
    int byte;
    do {
        byte = url_byte(url, length, &at);
        if (byte != url_byte(expected, expected_length, &other))
            return false;
    } while (byte >= 0);
    return true;
}

bool decode_web_url(const char *url) {
    size_t scheme = strncasecmp(url, "https://", 8) == 0  ? 8
                    : strncasecmp(url, "http://", 7) == 0 ? 7
                                                          : 0;
    if (scheme == 0 || !url[scheme] || strchr("/?#:", url[scheme]))
        return false;
    for (; *url; url++) {
        if ((unsigned char)*url <= ' ' || strchr("\"<>\\^`{|}", *url))
            return false;
    }
    return true;
}
