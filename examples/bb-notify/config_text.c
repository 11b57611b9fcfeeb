#include "config_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAFE_DIGITS 15 /* every integer of so many digits is exact as a double */

static bool copy_all(FILE *from, FILE *to) {
    int byte;
    while ((byte = getc_unlocked(from)) != EOF)
        putc_unlocked(byte, to);
    return !ferror(from) && !ferror(to);
}

/* The whole file, to be freed; NULL with errno set. */
static char *read_whole(const char *path, size_t *length) {
    char *text = NULL;
    FILE *file = fopen(path, "r");
    FILE *memory = file ? open_memstream(&text, length) : NULL;
    bool copied = memory && copy_all(file, memory);
    int failure = errno;
    if (memory && fclose(memory) != 0)
        copied = false;
    if (file)
        fclose(file);
    if (copied)
        return text;
    free(text);
    errno = failure;
    return NULL;
}

/* Copies one number token to `*out`, in quotes if it is a long integer. */
static size_t copy_number(const char *token, char **out) {
    size_t length = strspn(token, "+-.0123456789eE");
    int quoted = length > SAFE_DIGITS && strspn(token, "-0123456789") == length;
    if (quoted)
        *(*out)++ = '"';
    memcpy(*out, token, length);
    *out += length;
    if (quoted)
        *(*out)++ = '"';
    return length;
}

/* cJSON keeps numbers as doubles, which lose digits beyond 2^53. Integers may be
 * written as strings too, so the long ones are made strings before it sees them. */
static char *quote_long_integers(const char *text) {
    size_t length = strlen(text);
    char *quoted = malloc(length + 2 * (length / SAFE_DIGITS) + 1);
    char *out = quoted;
    int in_string = 0;
    if (!quoted)
        return NULL;
    while (*text) {
        if (!in_string && strchr("-0123456789", *text)) {
            text += copy_number(text, &out);
            continue;
        }
        if (*text == '"')
            in_string = !in_string;
        else if (in_string && text[0] == '\\' && text[1])
            *out++ = *text++;
        *out++ = *text++;
    }
    *out = '\0';
    return quoted;
}

static unsigned long line_of(const char *text, const char *place) {
    unsigned long line = 1;
    for (; text < place; text++)
        line += *text == '\n';
    return line;
}

static cJSON *parse(const char *text, struct mistake *mistake) {
    char *quoted = quote_long_integers(text);
    const char *end = quoted;
    cJSON *json = quoted ? cJSON_ParseWithOpts(quoted, &end, 1) : NULL;
    if (!quoted)
        mistaken(mistake, "%s", strerror(errno));
    else if (!json)
        mistaken(mistake, "is not JSON, see line %lu", line_of(quoted, end));
    free(quoted);
    return json;
}

cJSON *config_text_read(const char *path, struct mistake *mistake) {
    size_t length = 0;
    char *text = read_whole(path, &length);
    cJSON *json = NULL;
    if (!text)
        mistaken(mistake, "%s", strerror(errno));
    else if (strlen(text) != length)
        mistaken(mistake, "is not JSON: it holds a NUL byte");
    else
        json = parse(text, mistake);
    free(text);
    return json;
}
