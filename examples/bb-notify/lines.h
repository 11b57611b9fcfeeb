/* A file's lines, of any length up to a bound. */
#ifndef BB_NOTIFY_LINES_H
#define BB_NOTIFY_LINES_H

#include <stddef.h>
#include <stdio.h>

#define LINE_LIMIT (16u * 1024 * 1024)

enum line_kind {
    LINE_END,      /* no further line; see ferror */
    LINE_TEXT,     /* text and length are set, without the newline */
    LINE_TOO_LONG, /* longer than LINE_LIMIT: read over */
    LINE_NO_MEMORY /* the same, because memory is short */
};

struct lines {
    FILE *file; /* owned by the caller */
    char *text; /* may hold NUL bytes; valid until the next line is read */
    size_t length;
    size_t capacity;
    unsigned long number; /* of the line read last; the first is 1 */
};

void lines_start(struct lines *lines, FILE *file);
enum line_kind lines_next(struct lines *lines);
void lines_end(struct lines *lines);

/* How many lines a file has from its position on, which stays; 0 for a pipe. */
unsigned long lines_count(FILE *file);

#endif
