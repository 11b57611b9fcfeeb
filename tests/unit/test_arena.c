/* Memory that is freed all at once, and whose failure sticks; and the allocator beneath it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "support/alloc.h"

static struct bb_arena arena;

static int open_arena(void **state) {
    *state = NULL;
    bb_arena_init(&arena, alloc_library());
    return 0;
}

static int close_arena(void **state) {
    (void)state;
    bb_arena_free(&arena);
    return alloc_live() == 0 ? 0 : -1; /* nothing is ever left behind */
}

static void blocks_are_aligned_and_do_not_overlap(void **state) {
    (void)state;
    enum { BLOCKS = 2000 };
    static unsigned char *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = bb_arena_alloc(&arena, i);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % alignof(max_align_t), 0);
        memset(blocks[i], (int)(i & 0xFF), i);
    }
    for (size_t i = 0; i < BLOCKS; i++)
        for (size_t k = 0; k < i; k++)
            assert_int_equal(blocks[i][k], i & 0xFF);
    assert_false(arena.failed);
}

static void a_block_of_no_size_is_no_failure(void **state) {
    (void)state;
    assert_non_null(bb_arena_alloc(&arena, 0));
    assert_non_null(bb_arena_zalloc(&arena, 0));
    assert_false(arena.failed);
}

static void zeroed_blocks_are_zero(void **state) {
    (void)state;
    static const char zeros[5000];
    memset(bb_arena_alloc(&arena, 5000), 0xFF, 5000);
    bb_arena_free(&arena);
    for (size_t size = 1; size <= sizeof(zeros); size *= 3)
        assert_memory_equal(bb_arena_zalloc(&arena, size), zeros, size);
}

static void texts_are_copied_and_printed(void **state) {
    (void)state;
    char text[] = "abc";
    const char *copy = bb_arena_copy(&arena, text, 2);
    text[0] = '!';
    assert_string_equal(copy, "ab");
    assert_string_equal(bb_arena_copy(&arena, "", 0), "");
    assert_memory_equal(bb_arena_copy(&arena, "a\0b", 3), "a\0b", 4);
    assert_string_equal(bb_arena_print(&arena, "%s-%d%%", "x", 7), "x-7%");
    assert_string_equal(bb_arena_print(&arena, "%s", ""), "");
    assert_int_equal(strlen(bb_arena_print(&arena, "%5000d", 1)), 5000);
    assert_null(bb_arena_copy(&arena, NULL, 3));
    assert_false(arena.failed);
}

/* Also where a chunk is all but used up. */
static void pieces_are_joined(void **state) {
    (void)state;
    char piece[80], expected[200];
    assert_string_equal(bb_arena_join(&arena, "a"), "a");
    assert_string_equal(bb_arena_join(&arena, "%s", ""), "");
    for (size_t i = 0; i < 5000; i++) {
        size_t n = i % (sizeof(piece) - 1);
        if (i % 1000 == 0) {
            bb_arena_free(&arena);
            bb_arena_expect(&arena, 500 + i / 1000);
        }
        memset(piece, 'x', n);
        piece[n] = '\0';
        snprintf(expected, sizeof(expected), "<%s>%s", piece, piece);
        assert_string_equal(bb_arena_join(&arena, "<%s>%s", piece, piece), expected);
    }
    const char *volatile never_made = NULL;
    arena.failed = true;
    assert_null(bb_arena_join(&arena, "%s", never_made));
}

static void a_reservation_takes_only_what_is_committed(void **state) {
    (void)state;
    char *first = bb_arena_reserve(&arena, 100);
    strcpy(first, "abc");
    bb_arena_commit(&arena, 4);
    char *second = bb_arena_reserve(&arena, 100);
    assert_in_range((uintptr_t)second - (uintptr_t)first, 4, 2 * alignof(max_align_t));
    strcpy(second, "def");
    bb_arena_commit(&arena, 4);
    assert_string_equal(first, "abc");
    char *large = bb_arena_reserve(&arena, 100000);
    memset(large, 'x', 100000);
    bb_arena_commit(&arena, 100000);
    assert_string_equal(second, "def");
}

static void a_failure_sticks(void **state) {
    (void)state;
    const char *before = bb_arena_copy(&arena, "kept", 4);
    alloc_begin(1, 0);
    assert_null(bb_arena_alloc(&arena, 1 << 20));
    alloc_end();
    assert_true(arena.failed);
    assert_null(bb_arena_alloc(&arena, 1)); /* although there would be room */
    assert_null(bb_arena_zalloc(&arena, 1));
    assert_null(bb_arena_reserve(&arena, 1));
    assert_null(bb_arena_copy(&arena, "x", 1));
    const char *volatile never_made = NULL;
    assert_null(bb_arena_print(&arena, "%s", never_made));
    assert_string_equal(before, "kept");
}

static void a_size_beyond_all_memory_is_a_failure(void **state) {
    (void)state;
    assert_null(bb_arena_alloc(&arena, SIZE_MAX));
    assert_true(arena.failed);
    bb_arena_free(&arena);
    bb_arena_init(&arena, alloc_library());
    assert_null(bb_arena_alloc(&arena, SIZE_MAX - 8));
    assert_true(arena.failed);
}

/* Few calls of the allocator for many texts, little memory for few. */
static void chunks_grow_with_what_is_asked_for(void **state) {
    (void)state;
    alloc_begin(0, 0);
    bb_arena_copy(&arena, "abc", 3);
    assert_true(alloc_bytes() < 1024);
    for (size_t i = 0; i < 10000; i++)
        bb_arena_alloc(&arena, 16);
    assert_true(alloc_end() < 20);
    assert_true(alloc_bytes() < 2 * 10000 * 16);
}

/* ---------------------------------------------------------------- allocator -- */

static void the_default_allocator_is_malloc(void **state) {
    (void)state;
    char *block = bb_mem_alloc(&bb_mem_default, 10);
    strcpy(block, "abc");
    block = bb_mem_resize(&bb_mem_default, block, 10000);
    assert_string_equal(block, "abc");
    bb_mem_free(&bb_mem_default, block);
    bb_mem_free(&bb_mem_default, NULL);
    char *copy = bb_mem_strdup(&bb_mem_default, "");
    assert_string_equal(copy, "");
    bb_mem_free(&bb_mem_default, copy);
}

static void the_hosts_allocator_gives_and_takes_every_block(void **state) {
    (void)state;
    alloc_begin(0, 0);
    char *zeroed = bb_mem_zalloc(alloc_library(), 100), *copy = bb_mem_strdup(alloc_library(), "a");
    assert_int_equal(alloc_end(), 2);
    assert_int_equal(alloc_live(), 2);
    assert_int_equal(zeroed[0] | zeroed[99], 0);
    bb_mem_free(alloc_library(), zeroed);
    bb_mem_free(alloc_library(), copy);
    assert_int_equal(alloc_live(), 0);
    alloc_begin(1, 1);
    assert_null(bb_mem_zalloc(alloc_library(), 100));
    assert_null(bb_mem_strdup(alloc_library(), "a"));
    assert_null(bb_mem_resize(alloc_library(), NULL, 1));
    alloc_end();
}

#define WITH_ARENA(test) cmocka_unit_test_setup_teardown(test, open_arena, close_arena)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_ARENA(blocks_are_aligned_and_do_not_overlap),
        WITH_ARENA(a_block_of_no_size_is_no_failure),
        WITH_ARENA(zeroed_blocks_are_zero),
        WITH_ARENA(texts_are_copied_and_printed),
        WITH_ARENA(pieces_are_joined),
        WITH_ARENA(a_reservation_takes_only_what_is_committed),
        WITH_ARENA(a_failure_sticks),
        WITH_ARENA(a_size_beyond_all_memory_is_a_failure),
        WITH_ARENA(chunks_grow_with_what_is_asked_for),
        cmocka_unit_test(the_default_allocator_is_malloc),
        cmocka_unit_test(the_hosts_allocator_gives_and_takes_every_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
