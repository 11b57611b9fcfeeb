#include "base/buf.h"

#include <string.h>

enum { FIRST_CAPACITY = 512 };

void bb_buf_init(struct bb_buf *buf, const bb_allocator *mem, size_t cap) {
    memset(buf, 0, sizeof *buf);
    buf->mem = mem;
    buf->cap = cap;
}

void bb_buf_free(struct bb_buf *buf) {
    if (buf->is_secret)
        bb_mem_free_secret(buf->mem, buf->data, buf->capacity);
    else
        bb_mem_free(buf->mem, buf->data);
    buf->data = NULL;
    buf->length = buf->capacity = 0;
}

void bb_buf_clear(struct bb_buf *buf) {
    buf->length = 0;
    buf->too_large = buf->no_memory = false;
    if (buf->data)
        buf->data[0] = '\0';
}

void bb_buf_cut(struct bb_buf *buf, size_t length) {
    buf->length = length;
    if (buf->data)
        buf->data[length] = '\0';
}

static size_t grown_capacity(const struct bb_buf *buf, size_t wanted) {
    size_t capacity = buf->capacity ? buf->capacity : FIRST_CAPACITY;
    while (capacity < wanted)
        capacity *= 2;
    return capacity - 1 < buf->cap ? capacity : buf->cap + 1;
}

/* By hand where the host's allocator must not leave the old block as it is. */
static char *resize(struct bb_buf *buf, size_t capacity) {
    if (!buf->is_secret || !buf->data)
        return bb_mem_resize(buf->mem, buf->data, capacity);
    char *data = bb_mem_alloc(buf->mem, capacity);
    if (!data)
        return NULL;
    memcpy(data, buf->data, buf->length);
    data[buf->length] = '\0';
    bb_mem_free_secret(buf->mem, buf->data, buf->capacity);
    return data;
}

bool bb_buf_grow(struct bb_buf *buf, size_t size) {
    if (bb_buf_failed(buf))
        return false;
    if (size > buf->cap - buf->length) {
        buf->too_large = true;
        return false;
    }
    size_t wanted = buf->length + size + 1;
    if (wanted <= buf->capacity)
        return true;
    size_t capacity = grown_capacity(buf, wanted);
    char *data = resize(buf, capacity);
    if (!data) {
        buf->no_memory = true;
        return false;
    }
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

void bb_buf_add(struct bb_buf *buf, const char *bytes, size_t length) {
    if (length == 0 || !bb_buf_reserve(buf, length))
        return;
    memcpy(buf->data + buf->length, bytes, length);
    buf->length += length;
    buf->data[buf->length] = '\0';
}

void bb_buf_text(struct bb_buf *buf, const char *text) {
    if (text)
        bb_buf_add(buf, text, strlen(text));
    else
        buf->no_memory = true;
}

const char *bb_buf_data(const struct bb_buf *buf) {
    return buf->data ? buf->data : "";
}
