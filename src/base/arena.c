#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"

/* Each chunk is twice as large as the one before: a webhook's few texts take
 * little, a message's many take few calls. */
enum { FIRST_CHUNK = 512, LARGEST_CHUNK = 16 * 1024 };

struct bb_chunk {
    struct bb_chunk *older;
    size_t size;
    max_align_t bytes[];
};

void bb_arena_init(struct bb_arena *arena, const bb_allocator *mem) {
    memset(arena, 0, sizeof *arena);
    arena->mem = mem;
}

void bb_arena_init_secret(struct bb_arena *arena, const bb_allocator *mem) {
    bb_arena_init(arena, mem);
    arena->is_secret = true;
}

void bb_arena_free(struct bb_arena *arena) {
    while (arena->chunks) {
        struct bb_chunk *chunk = arena->chunks;
        arena->chunks = chunk->older;
        if (arena->is_secret) /* also what was printed behind the end, and did not fit */
            bb_wipe(chunk->bytes, chunk->size);
        bb_mem_free(arena->mem, chunk);
    }
    arena->next = arena->end = NULL;
}

void bb_arena_reset(struct bb_arena *arena) {
    struct bb_chunk *kept = arena->chunks; /* the newest is the largest */
    if (!kept || (size_t)(arena->end - (char *)kept->bytes) > 4 * LARGEST_CHUNK) {
        bb_arena_free(arena);
    } else {
        arena->chunks = kept->older;
        kept->older = NULL;
        char *end = arena->end;
        if (arena->is_secret)
            bb_wipe(kept->bytes, (size_t)(arena->next - (char *)kept->bytes));
        bb_arena_free(arena);
        arena->chunks = kept;
        arena->next = (char *)kept->bytes;
        arena->end = end;
    }
    arena->failed = false;
}

/* At least one unit, so that NULL always means failure. */
static size_t aligned(size_t size) {
    size_t unit = alignof(max_align_t);
    return size ? (size + unit - 1) / unit * unit : unit;
}

void bb_arena_expect(struct bb_arena *arena, size_t size) {
    arena->chunk_size = aligned(size); /* what is left of a chunk always is */
}

static bool add_chunk(struct bb_arena *arena, size_t size) {
    size_t usual = arena->chunk_size ? arena->chunk_size : FIRST_CHUNK;
    if (size < usual)
        size = usual;
    if (usual < LARGEST_CHUNK)
        arena->chunk_size = 2 * usual;
    struct bb_chunk *chunk = bb_mem_alloc(arena->mem, sizeof *chunk + size);
    if (!chunk) {
        arena->failed = true;
        return false;
    }
    chunk->older = arena->chunks;
    chunk->size = size;
    arena->chunks = chunk;
    arena->next = (char *)chunk->bytes;
    arena->end = arena->next + size;
    return true;
}

char *bb_arena_reserve(struct bb_arena *arena, size_t size) {
    if (size > SIZE_MAX / 2)
        arena->failed = true;
    if (arena->failed)
        return NULL;
    size = aligned(size);
    if ((size_t)(arena->end - arena->next) < size && !add_chunk(arena, size))
        return NULL;
    return arena->next;
}

void bb_arena_commit(struct bb_arena *arena, size_t used) {
    arena->next += aligned(used);
}

void *bb_arena_alloc(struct bb_arena *arena, size_t size) {
    char *block = bb_arena_reserve(arena, size);
    if (block)
        bb_arena_commit(arena, size);
    return block;
}

void *bb_arena_zalloc(struct bb_arena *arena, size_t size) {
    void *block = bb_arena_alloc(arena, size);
    if (block)
        memset(block, 0, size);
    return block;
}

char *bb_arena_copy(struct bb_arena *arena, const char *bytes, size_t length) {
    if (!bytes)
        return NULL;
    char *copy = bb_arena_alloc(arena, length + 1);
    if (!copy)
        return NULL;
    memcpy(copy, bytes, length);
    copy[length] = '\0';
    return copy;
}

/* Printed where there is room already; only a text that does not fit is printed twice. */
char *bb_arena_print(struct bb_arena *arena, const char *format, ...) {
    if (arena->failed) /* an argument may be a text that was never made */
        return NULL;
    va_list args;
    size_t room = (size_t)(arena->end - arena->next);
    va_start(args, format);
    int length = vsnprintf(arena->next, room, format, args);
    va_end(args);
    char *text = bb_arena_reserve(arena, (size_t)length + 1);
    if (!text)
        return NULL;
    if ((size_t)length >= room) {
        va_start(args, format);
        vsnprintf(text, (size_t)length + 1, format, args);
        va_end(args);
    }
    bb_arena_commit(arena, (size_t)length + 1);
    return text;
}

static size_t plain_length(const char *format) {
    size_t length = 1;
    while (format[length] && format[length] != '%')
        length++;
    return length;
}

/* Writes those pieces that fit into the room with a NUL to come; counts all. */
static size_t join(char *out, size_t room, const char *format, va_list args) {
    size_t used = 0;
    while (*format) {
        bool is_text = format[0] == '%' && format[1] == 's';
        const char *piece = is_text ? va_arg(args, const char *) : format;
        size_t length = is_text ? strlen(piece) : plain_length(format);
        if (used + length < room)
            memcpy(out + used, piece, length);
        used += length;
        format += is_text ? 2 : length;
    }
    return used;
}

char *bb_arena_join(struct bb_arena *arena, const char *format, ...) {
    if (arena->failed) /* an argument may be a text that was never made */
        return NULL;
    va_list args;
    size_t room = (size_t)(arena->end - arena->next);
    va_start(args, format);
    size_t length = join(arena->next, room, format, args);
    va_end(args);
    char *text = bb_arena_reserve(arena, length + 1);
    if (!text)
        return NULL;
    if (length >= room) {
        va_start(args, format);
        join(text, length + 1, format, args);
        va_end(args);
    }
    text[length] = '\0';
    bb_arena_commit(arena, length + 1);
    return text;
}
