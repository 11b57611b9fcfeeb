/*
 * Texts that break careless formatters: markup of every dialect, bytes that are
 * no text, graphemes of many code points, lengths without end.
 */
#ifndef SUPPORT_HOSTILE_H
#define SUPPORT_HOSTILE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct hostile {
    const char *name;
    const char *text;
    bool literal; /* one well-formed line: a reader must see exactly this */
} hostile;

/* Short ones, of at most 80 bytes. */
extern const hostile hostile_texts[];
extern const size_t hostile_text_count;

/* Blanks and what cannot be seen. */
extern const hostile hostile_blanks[];
extern const size_t hostile_blank_count;

/* Graphemes that must stay whole. */
extern const hostile hostile_clusters[];
extern const size_t hostile_cluster_count;

enum { HOSTILE_MEGABYTE = 1024 * 1024, HOSTILE_LONG = 12 };

/* A megabyte of one thing over and over; made at the first call, never freed
 * before hostile_free. */
const hostile *hostile_long(size_t index);
void hostile_free(void);

/* `unit` over and over, `size` bytes or a little less. For the caller to free. */
char *hostile_repeat(const char *unit, size_t size);

#endif
