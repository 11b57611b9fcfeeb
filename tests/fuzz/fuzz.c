#include "fuzz/fuzz.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decode/decode_inside.h"

/* ---- input */

fuzz_input fuzz_open(const uint8_t *data, size_t size) {
    const char *begin = size ? (const char *)data : "";
    return (fuzz_input){.at = begin, .end = begin + size};
}

void fuzz_close(fuzz_input *input) {
    for (size_t i = 0; i < input->text_count; i++)
        free(input->texts[i]);
}

unsigned fuzz_choose(fuzz_input *input, unsigned count) {
    return input->at < input->end ? (unsigned char)*input->at++ % count : 0;
}

/* Up to a NUL in it, in a block of its own size. An input has none behind it. */
static char *copy(const char *from, size_t length) {
    const char *nul = length ? memchr(from, '\0', length) : NULL;
    size_t n = nul ? (size_t)(nul - from) : length;
    char *text = malloc(n + 1);
    if (text && n > 0)
        memcpy(text, from, n);
    if (text)
        text[n] = '\0';
    return text;
}

const char *fuzz_text(fuzz_input *input) {
    size_t left = (size_t)(input->end - input->at);
    const char *mark = left ? memchr(input->at, FUZZ_END, left) : NULL;
    size_t length = mark ? (size_t)(mark - input->at) : left;
    char *text = input->text_count < FUZZ_TEXTS ? copy(input->at, length) : NULL;
    input->at += length + (mark != NULL);
    if (text)
        input->texts[input->text_count++] = text;
    return text;
}

/* ---- properties */

void fuzz_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    abort();
}

void fuzz_check_printable(const char *what, const char *text, size_t size) {
    FUZZ_CHECK(memchr(text, '\0', size), "%s has no end", what);
    size_t left = strlen(text), n;
    for (const char *at = text; left > 0; at += n, left -= n) {
        uint32_t rune = 0;
        n = decode_rune(at, left, &rune);
        FUZZ_CHECK(n > 0, "%s is not UTF-8 from byte %td: %s", what, at - text, text);
        FUZZ_CHECK(*at != '\n' && *at != '\t' && !decode_zero_width(at), "%s holds U+%04X: %s",
                   what, (unsigned)rune, text);
    }
    uint32_t bad = decode_forbidden(text);
    FUZZ_CHECK(bad == 0, "%s holds U+%04X: %s", what, (unsigned)bad, text);
}

bool fuzz_check_error(const char *what, int code, const bb_error *error) {
    FUZZ_CHECK(code <= BB_OK && code >= BB_ERR_MALFORMED, "%s gave %d", what, code);
    FUZZ_CHECK((int)error->code == code, "%s gave %d and told %d", what, code, (int)error->code);
    fuzz_check_printable(what, error->text, sizeof(error->text));
    FUZZ_CHECK((code == BB_OK) == !*error->text, "%s gave %d and told: %s", what, code,
               error->text);
    return code == BB_OK;
}
