#include "receiver_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

/* The length of the sequence that begins with `lead`, 0 for none. */
static size_t sequence_length(unsigned char lead) {
    if (lead < 0x80)
        return lead != 0;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/* Overlong forms, surrogates and what lies past U+10FFFF show in the second byte. */
static bool second_byte_fits(unsigned char lead, unsigned char second) {
    unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    return second >= low && second <= high;
}

static bool sequence_valid(const unsigned char *at, size_t length) {
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return false;
    }
    return length < 2 || second_byte_fits(at[0], at[1]);
}

bool utf8_valid(const char *text, size_t length) {
    const unsigned char *at = (const unsigned char *)text;
    const unsigned char *end = at + length;
    while (at < end) {
        size_t bytes = sequence_length(*at);
        if (bytes == 0 || bytes > (size_t)(end - at) || !sequence_valid(at, bytes))
            return false;
        at += bytes;
    }
    return true;
}

size_t utf8_encode(uint32_t point, char *out) {
    static const unsigned char leads[] = {0, 0x00, 0xc0, 0xe0, 0xf0};
    size_t length = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (point & 0x3f));
        point >>= 6;
    }
    out[0] = (char)(leads[length] | point);
    return length;
}

size_t code_points(const char *text) {
    size_t count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

size_t utf16_units(const char *text) {
    size_t count = code_points(text);
    for (; *text; text++)
        count += (unsigned char)*text >= 0xf0;
    return count;
}

bool is_blank(const char *text) {
    return !text || text[strspn(text, " \t\r\n")] == '\0';
}

static bool in_segment(char c) {
    return c && (isalnum((unsigned char)c) || strchr("-_.@", c));
}

bool path_matches(const char *target, const char *pattern) {
    for (; *pattern; pattern++) {
        if (*pattern == '*' && !in_segment(*target))
            return false;
        if (*pattern == '*') {
            while (in_segment(*target))
                target++;
        } else if (*pattern != *target++) {
            return false;
        }
    }
    return *target == '\0' || *target == '?';
}

static const char *find_parameter(const char *target, const char *name) {
    size_t length = strlen(name);
    const char *at = strchr(target, '?');
    while (at && (strncmp(at + 1, name, length) != 0 || at[1 + length] != '='))
        at = strchr(at + 1, '&');
    return at ? at + length + 2 : NULL;
}

static char decode_one(const char **at) {
    if (**at == '%' && isxdigit((unsigned char)(*at)[1]) && isxdigit((unsigned char)(*at)[2])) {
        char digits[] = {(*at)[1], (*at)[2], '\0'};
        *at += 3;
        return (char)strtol(digits, NULL, 16);
    }
    char c = *(*at)++;
    if (c == '+')
        return ' ';
    return c;
}

bool query_value(const char *target, const char *name, char *out, size_t size) {
    const char *at = find_parameter(target, name);
    if (!at)
        return false;
    while (*at && *at != '&') {
        if (size-- <= 1)
            return false;
        *out++ = decode_one(&at);
    }
    *out = '\0';
    return true;
}

bool signature_is(const struct signing *signing, const char *sign) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned char encoded[EVP_MAX_MD_SIZE * 2];
    unsigned int length = 0;
    if (!HMAC(EVP_sha256(), signing->key, (int)signing->key_length,
              (const unsigned char *)signing->text, signing->text_length, digest, &length)) {
        return false;
    }
    EVP_EncodeBlock(encoded, digest, (int)length);
    return strcmp((const char *)encoded, sign) == 0;
}

size_t base64_decode(const char *text, unsigned char *out, size_t size) {
    size_t length = strlen(text);
    if (length % 4 != 0 || length / 4 * 3 > size)
        return 0;
    int decoded = EVP_DecodeBlock(out, (const unsigned char *)text, (int)length);
    size_t padding = length ? (size_t)(text[length - 1] == '=') + (text[length - 2] == '=') : 0;
    return decoded < 0 ? 0 : (size_t)decoded - padding;
}

bool read_decimal(const char *text, int64_t *number) {
    if (!text || !*text || text[strspn(text, "0123456789")] != '\0')
        return false;
    errno = 0;
    *number = strtoll(text, NULL, 10);
    return errno == 0;
}
