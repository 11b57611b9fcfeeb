#include "complain.h"

#include "text.h"

#include <stdarg.h>
#include <stdio.h>

void complain(const char *format, ...) {
    char line[2048]; /* the longest sentences (bb_error, bb_outcome) have 512 bytes */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    fputs("bb-notify: ", stderr);
    text_print(stderr, line);
    fputc('\n', stderr);
}
