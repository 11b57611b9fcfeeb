/*
 * Bytes that grow up to a cap. Failure is sticky: after the first append that
 * does not fit, or that finds no memory, the buffer keeps what it has, ignores
 * the rest and says so at the end.
 */
#ifndef BB_BASE_BUF_H
#define BB_BASE_BUF_H

#include <stdbool.h>

#include "base/mem.h"

struct bb_buf {
    const bb_allocator *mem;
    char *data; /* NUL-terminated once anything was appended */
    size_t length;
    size_t capacity; /* never beyond cap and a NUL */
    size_t cap;      /* most bytes, without the NUL */
    bool too_large;
    bool no_memory;
    bool is_secret; /* set by the owner: nothing of it is in memory that is given back */
};

void bb_buf_init(struct bb_buf *buf, const bb_allocator *mem, size_t cap);
void bb_buf_free(struct bb_buf *buf);

void bb_buf_clear(struct bb_buf *buf); /* keeps the memory, forgets a failure */
void bb_buf_add(struct bb_buf *buf, const char *bytes, size_t length);
void bb_buf_text(struct bb_buf *buf, const char *text); /* NULL: sticky failure */

void bb_buf_cut(struct bb_buf *buf, size_t length); /* keeps the first `length` bytes */

bool bb_buf_grow(struct bb_buf *buf, size_t size); /* for bb_buf_reserve */

static inline bool bb_buf_failed(const struct bb_buf *buf) {
    return buf->too_large || buf->no_memory;
}

/* Room for `size` more bytes at data + length, and a NUL. False: sticky failure. */
static inline bool bb_buf_reserve(struct bb_buf *buf, size_t size) {
    return (size < buf->capacity - buf->length && !bb_buf_failed(buf)) || bb_buf_grow(buf, size);
}

const char *bb_buf_data(const struct bb_buf *buf); /* never NULL */

#endif
