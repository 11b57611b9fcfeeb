#include "support/arena.h"

#include "base/mem.h"

struct bb_arena arena;

int open_arena(void **state) {
    (void)state;
    bb_arena_init(&arena, &bb_mem_default);
    return 0;
}

int close_arena(void **state) {
    (void)state;
    bb_arena_free(&arena);
    return 0;
}
