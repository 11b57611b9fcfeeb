/*
 * Memory that is freed all at once: the texts of one message, one rendering,
 * one request. Failure is sticky: a caller may build on and look once at the
 * end, because every function here that takes NULL text gives NULL back.
 */
#ifndef BB_BASE_ARENA_H
#define BB_BASE_ARENA_H

#include <stdbool.h>

#include "base/mem.h"

struct bb_chunk;

struct bb_arena {
    const bb_allocator *mem;
    struct bb_chunk *chunks;
    char *next;
    char *end;
    size_t chunk_size; /* of the next one */
    bool failed;
    bool is_secret;
};

void bb_arena_init(struct bb_arena *arena, const bb_allocator *mem);
void bb_arena_free(struct bb_arena *arena);

/* For texts with a secret, a URL or a signature among them: they are wiped when they are forgotten,
 * and nothing of them is in memory that is given back. */
void bb_arena_init_secret(struct bb_arena *arena, const bb_allocator *mem);

/* Forgets what was taken, and its failure; keeps one chunk of a usual size for what is taken next.
 */
void bb_arena_reset(struct bb_arena *arena);

/* How much will be taken, about: the first chunk has room for it. */
void bb_arena_expect(struct bb_arena *arena, size_t size);

/* Aligned for any type, not zeroed. NULL and `failed` when out of memory. */
void *bb_arena_alloc(struct bb_arena *arena, size_t size);
void *bb_arena_zalloc(struct bb_arena *arena, size_t size);

/* A NUL-terminated copy of `length` bytes. */
char *bb_arena_copy(struct bb_arena *arena, const char *bytes, size_t length);
/* NULL at once when the arena has failed: its arguments may be NULL then. */
char *bb_arena_print(struct bb_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same for formats that have no other directive than %s: several times faster. */
char *bb_arena_join(struct bb_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Room for at most `size` bytes whose real number is only known later: nothing
 * else may be taken from the arena between the two calls. */
char *bb_arena_reserve(struct bb_arena *arena, size_t size);
void bb_arena_commit(struct bb_arena *arena, size_t used);

#endif
