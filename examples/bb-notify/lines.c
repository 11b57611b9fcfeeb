#include "lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_CAPACITY = 64 * 1024 };

void lines_start(struct lines *lines, int descriptor) {
    *lines = (struct lines){.descriptor = descriptor, .kind = LINE_TEXT};
}

void lines_end(struct lines *lines) {
    free(lines->buffer);
}

/* ---- take ---- */

/* The line that ends before `end`, after which the next begins at `next`. */
static enum line_kind finish(struct lines *lines, size_t end, size_t next) {
    enum line_kind kind = lines->kind;
    lines->text = lines->buffer + lines->start;
    lines->length = end - lines->start;
    if (kind == LINE_TEXT && lines->length > LINE_LIMIT)
        kind = LINE_TOO_LONG;
    lines->start = lines->searched = next;
    lines->kind = LINE_TEXT;
    lines->number++;
    return kind;
}

static enum line_kind take_last(struct lines *lines) {
    if (lines->kind == LINE_TEXT && lines->start == lines->end)
        return LINE_END;
    return finish(lines, lines->end, lines->end);
}

static const char *find_newline(const struct lines *lines) {
    size_t unsearched = lines->end - lines->searched;
    return unsearched > 0 ? memchr(lines->buffer + lines->searched, '\n', unsearched) : NULL;
}

enum line_kind lines_take(struct lines *lines) {
    const char *newline = find_newline(lines);
    if (newline) {
        size_t end = (size_t)(newline - lines->buffer);
        return finish(lines, end, end + 1);
    }
    lines->searched = lines->end;
    return lines->is_over ? take_last(lines) : LINE_PART;
}

/* ---- read ---- */

static bool grow(struct lines *lines) {
    size_t capacity = lines->capacity ? lines->capacity * 2 : FIRST_CAPACITY;
    char *buffer = realloc(lines->buffer, capacity);
    if (!buffer)
        return false;
    lines->buffer = buffer;
    lines->capacity = capacity;
    return true;
}

/* Moves the beginning of the line to the front of the buffer. */
static void move_up(struct lines *lines) {
    if (lines->start == 0)
        return;
    memmove(lines->buffer, lines->buffer + lines->start, lines->end - lines->start);
    lines->end -= lines->start;
    lines->searched -= lines->start;
    lines->start = 0;
}

/* What is known to be no good need not be kept. */
static void forget(struct lines *lines) {
    lines->end = lines->searched = 0;
}

static void make_room(struct lines *lines) {
    move_up(lines);
    if (lines->kind == LINE_TEXT && lines->end > LINE_LIMIT)
        lines->kind = LINE_TOO_LONG;
    else if (lines->kind == LINE_TEXT && lines->end == lines->capacity && !grow(lines))
        lines->kind = LINE_NO_MEMORY;
    if (lines->kind != LINE_TEXT)
        forget(lines);
}

static void fail(struct lines *lines, int failure) {
    lines->failure = failure;
    lines->is_over = true;
}

void lines_read(struct lines *lines) {
    ssize_t count;
    make_room(lines);
    if (lines->capacity == 0) { /* not even for the first line */
        fail(lines, ENOMEM);
        return;
    }
    do
        count = read(lines->descriptor, lines->buffer + lines->end, lines->capacity - lines->end);
    while (count < 0 && errno == EINTR);
    if (count > 0)
        lines->end += (size_t)count;
    else
        fail(lines, count < 0 ? errno : 0);
}

enum line_kind lines_next(struct lines *lines) {
    enum line_kind kind;
    while ((kind = lines_take(lines)) == LINE_PART)
        lines_read(lines);
    return kind;
}

/* ---- count ---- */

unsigned long lines_count(int descriptor) {
    char part[16 * 1024], last = '\n';
    unsigned long count = 0;
    ssize_t size;
    off_t start = lseek(descriptor, 0, SEEK_CUR);
    if (start < 0)
        return 0;
    while ((size = read(descriptor, part, sizeof part)) > 0) {
        for (ssize_t i = 0; i < size; i++)
            count += part[i] == '\n';
        last = part[size - 1];
    }
    if (lseek(descriptor, start, SEEK_SET) != start)
        return 0;
    return count + (last != '\n');
}
