/* Text as the products measure it, and what of HTTP and of signatures they look at. */
#ifndef BB_NOTIFY_RECEIVER_TEXT_H
#define BB_NOTIFY_RECEIVER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool utf8_valid(const char *text, size_t length); /* a NUL byte is not valid */
size_t utf8_encode(uint32_t point, char *out);    /* 1 to 4 bytes, no NUL */

/* Of well-formed UTF-8. */
size_t utf16_units(const char *text);
size_t code_points(const char *text);
bool is_blank(const char *text); /* NULL, "" and white space */

/* `pattern` matches the path of `target`; "*" stands for one segment, or the rest of
 * one, of letters, digits and "-_.@". */
bool path_matches(const char *target, const char *pattern);

/* The percent-decoded value of a query parameter; false when there is none, or it
 * does not fit. */
bool query_value(const char *target, const char *name, char *out, size_t size);

struct signing {
    const void *key;
    size_t key_length;
    const char *text;
    size_t text_length;
};

/* Whether `sign` is base64(HMAC-SHA256(key, text)). */
bool signature_is(const struct signing *signing, const char *sign);

/* Bytes decoded, 0 when `text` is not base64 or does not fit. */
size_t base64_decode(const char *text, unsigned char *out, size_t size);

/* A whole decimal number without anything around it; false for all else. */
bool read_decimal(const char *text, int64_t *number);

#endif
