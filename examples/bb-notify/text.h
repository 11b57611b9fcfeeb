/* UTF-8 from outside, made fit for a terminal and for JSON. */
#ifndef BB_NOTIFY_TEXT_H
#define BB_NOTIFY_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define TEXT_REPLACEMENT 0xFFFDu

/* Reads the first character of `text` (at least one byte) and returns how many
 * bytes it has. What is not well-formed is U+FFFD, one byte at a time. */
size_t text_decode(const char *text, size_t length, uint32_t *character);

/* Terminal columns that text_print would take. Needs a UTF-8 LC_CTYPE. */
size_t text_width(const char *text);

/* Prints `text`; control characters and ill-formed bytes become U+FFFD. */
void text_print(FILE *out, const char *text);

/* The same in exactly `width` columns: padded, or cut and ended with U+2026. */
void text_print_column(FILE *out, const char *text, size_t width);

/* An outcome's sentence after the name of its webhook, which the place of printing tells. */
const char *text_without_name(const char *sentence, const char *webhook_name);

/* A wait for people: "300 ms", "25 s", "4 min", "2 h". */
#define TEXT_WAIT_SIZE 32
const char *text_wait(int64_t ms, char out[TEXT_WAIT_SIZE]);

#endif
