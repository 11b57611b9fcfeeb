/* A file's lines, of any length up to a bound. Read by descriptor and not through stdio, so that
 * whoever polls the descriptor knows what has not been read yet. */
#ifndef BB_NOTIFY_LINES_H
#define BB_NOTIFY_LINES_H

#include <stdbool.h>
#include <stddef.h>

#define LINE_LIMIT (16u * 1024 * 1024)

enum line_kind {
    LINE_END,       /* no further line, or reading failed: `failure` is set */
    LINE_TEXT,      /* text and length are set, without the newline */
    LINE_TOO_LONG,  /* longer than LINE_LIMIT: read over */
    LINE_NO_MEMORY, /* the same, because memory is short */
    LINE_PART       /* of lines_take only: the rest of the line must be read first */
};

struct lines {
    int descriptor;   /* owned by the caller */
    const char *text; /* may hold NUL bytes; valid until the next line is read */
    size_t length;
    unsigned long number; /* of the line read last; the first is 1 */
    int failure;          /* errno of what ended the reading too early; else 0 */

    char *buffer; /* what was read and not taken yet lies from `start` to `end` */
    size_t capacity, start, end;
    size_t searched;     /* before it there is no newline */
    enum line_kind kind; /* of the line that is being read */
    bool is_over;        /* there is nothing more to read */
};

void lines_start(struct lines *lines, int descriptor);
void lines_end(struct lines *lines);

/* Reads on to the end of the next line. */
enum line_kind lines_next(struct lines *lines);

/* The same in two steps. The next line of what was read already: */
enum line_kind lines_take(struct lines *lines);
/* One read(2), which waits for the file. */
void lines_read(struct lines *lines);

/* How many lines a file has from its position on, which stays; 0 for a pipe. */
unsigned long lines_count(int descriptor);

#endif
