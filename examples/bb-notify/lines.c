#include "lines.h"

#include <stdbool.h>
#include <stdlib.h>

void lines_start(struct lines *lines, FILE *file) {
    *lines = (struct lines){.file = file};
}

void lines_end(struct lines *lines) {
    free(lines->text);
}

static bool grow(struct lines *lines) {
    size_t capacity = lines->capacity ? lines->capacity * 2 : 4096;
    char *text = realloc(lines->text, capacity);
    if (!text)
        return false;
    lines->text = text;
    lines->capacity = capacity;
    return true;
}

static enum line_kind append(struct lines *lines, int byte) {
    if (lines->length == LINE_LIMIT)
        return LINE_TOO_LONG;
    if (lines->length == lines->capacity && !grow(lines))
        return LINE_NO_MEMORY;
    lines->text[lines->length++] = (char)byte;
    return LINE_TEXT;
}

enum line_kind lines_next(struct lines *lines) {
    enum line_kind kind = LINE_TEXT;
    int byte = getc_unlocked(lines->file);
    if (byte == EOF)
        return LINE_END;
    lines->number++;
    lines->length = 0;
    for (; byte != EOF && byte != '\n'; byte = getc_unlocked(lines->file))
        if (kind == LINE_TEXT)
            kind = append(lines, byte);
    return kind;
}

unsigned long lines_count(FILE *file) {
    unsigned long count = 0;
    off_t start = ftello(file);
    int byte, last = '\n';
    if (start < 0)
        return 0;
    while ((byte = getc_unlocked(file)) != EOF) {
        count += byte == '\n';
        last = byte;
    }
    if (fseeko(file, start, SEEK_SET) != 0)
        return 0;
    return count + (last != '\n');
}
