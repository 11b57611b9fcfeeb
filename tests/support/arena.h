/* An arena that is new for each test: cmocka's setup and teardown. */
#ifndef SUPPORT_ARENA_H
#define SUPPORT_ARENA_H

#include "base/arena.h"

extern struct bb_arena arena;

int open_arena(void **state);
int close_arena(void **state);

#endif
