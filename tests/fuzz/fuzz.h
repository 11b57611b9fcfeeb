/*
 * What the fuzz targets share: an input is taken apart into small choices and texts, and a
 * property that does not hold ends the program, so that libFuzzer keeps the input.
 *
 * A choice is one byte. A text goes on to the next FUZZ_END or to the input's end, so that inputs
 * can be read and written by people; a NUL within it ends it early, as of any C string.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bb_webhook.h"

#define FUZZ_END '\x1e' /* ASCII's record separator */

/* What each target defines; also called by replay.c. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_TEXTS = 128 };

typedef struct fuzz_input {
    const char *at;
    const char *end;
    char *texts[FUZZ_TEXTS]; /* each in a block of its own size: a sanitizer sees a byte too far */
    size_t text_count;
} fuzz_input;

fuzz_input fuzz_open(const uint8_t *data, size_t size);
void fuzz_close(fuzz_input *input);

/* A number below `count` (at most 256); 0 at the end. */
unsigned fuzz_choose(fuzz_input *input, unsigned count);

/* Never NULL, unless FUZZ_TEXTS were taken; lives until fuzz_close. */
const char *fuzz_text(fuzz_input *input);

/* Prints what does not hold and aborts. */
_Noreturn __attribute__((format(printf, 1, 2))) void fuzz_fail(const char *format, ...);
#define FUZZ_CHECK(condition, ...) ((condition) ? (void)0 : fuzz_fail(__VA_ARGS__))

/* `text` ends within its `size` bytes and is well-formed UTF-8, one line, without a control
 * character and without what reorders or hides. */
void fuzz_check_printable(const char *what, const char *text, size_t size);

/* The call gave BB_OK or an error of its own, with one sentence that is safe to print. Whether it
 * was BB_OK. `error` was BB_ERROR_INIT before the call. */
bool fuzz_check_error(const char *what, int code, const bb_error *error);

#endif
