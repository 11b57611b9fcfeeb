/* A buffer grows up to its cap, and never forgets a failure until it is cleared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "support/alloc.h"

static void an_empty_buffer_is_an_empty_text(void **state) {
    (void)state;
    struct bb_buf buf;
    bb_buf_init(&buf, alloc_library(), 10);
    assert_string_equal(bb_buf_data(&buf), "");
    assert_false(bb_buf_failed(&buf));
    bb_buf_add(&buf, "", 0);
    bb_buf_add(&buf, NULL, 0);
    bb_buf_text(&buf, "");
    assert_string_equal(bb_buf_data(&buf), "");
    assert_int_equal(buf.length, 0);
    assert_false(bb_buf_failed(&buf));
    bb_buf_free(&buf);
    bb_buf_free(&buf); /* once more does no harm */
}

static void bytes_are_appended_up_to_the_cap_exactly(void **state) {
    (void)state;
    for (size_t cap = 0; cap < 2000; cap += 37) {
        struct bb_buf buf;
        bb_buf_init(&buf, alloc_library(), cap);
        for (size_t i = 0; i < cap; i++)
            bb_buf_add(&buf, "x", 1);
        assert_int_equal(buf.length, cap);
        assert_int_equal(strlen(bb_buf_data(&buf)), cap);
        assert_false(bb_buf_failed(&buf));
        bb_buf_text(&buf, "y");
        assert_int_equal(buf.length, cap);
        assert_true(buf.too_large && !buf.no_memory);
        bb_buf_free(&buf);
    }
}

static void what_does_not_fit_is_left_out_whole_and_so_is_all_after_it(void **state) {
    (void)state;
    struct bb_buf buf;
    bb_buf_init(&buf, alloc_library(), 5);
    bb_buf_text(&buf, "abc");
    bb_buf_text(&buf, "def");
    bb_buf_text(&buf, "g");
    assert_string_equal(bb_buf_data(&buf), "abc");
    assert_false(bb_buf_reserve(&buf, 1));
    assert_false(bb_buf_reserve(&buf, 0));
    bb_buf_clear(&buf);
    assert_string_equal(bb_buf_data(&buf), "");
    assert_false(bb_buf_failed(&buf));
    bb_buf_text(&buf, "fresh");
    assert_string_equal(bb_buf_data(&buf), "fresh");
    bb_buf_free(&buf);
}

static void sizes_beyond_all_memory_do_not_overflow(void **state) {
    (void)state;
    struct bb_buf buf;
    bb_buf_init(&buf, alloc_library(), 100);
    bb_buf_text(&buf, "abc");
    assert_false(bb_buf_reserve(&buf, SIZE_MAX));
    assert_true(buf.too_large);
    bb_buf_clear(&buf);
    assert_false(bb_buf_reserve(&buf, SIZE_MAX - 2));
    assert_true(buf.too_large);
    bb_buf_free(&buf);
}

static void a_text_that_was_never_made_is_a_failure(void **state) {
    (void)state;
    struct bb_buf buf;
    bb_buf_init(&buf, alloc_library(), 100);
    bb_buf_text(&buf, NULL);
    bb_buf_text(&buf, "abc");
    assert_true(buf.no_memory && !buf.too_large);
    assert_string_equal(bb_buf_data(&buf), "");
    bb_buf_free(&buf);
}

static void bytes_may_hold_nul(void **state) {
    (void)state;
    struct bb_buf buf;
    bb_buf_init(&buf, alloc_library(), 100);
    bb_buf_add(&buf, "a\0b", 3);
    bb_buf_add(&buf, "\0", 1);
    assert_int_equal(buf.length, 4);
    assert_memory_equal(bb_buf_data(&buf), "a\0b\0", 5);
    bb_buf_free(&buf);
}

static void what_is_cut_off_is_gone_and_a_failure_stays(void **state) {
    (void)state;
    struct bb_buf buf;
    bb_buf_init(&buf, alloc_library(), 6);
    bb_buf_cut(&buf, 0); /* nothing was ever there */
    assert_string_equal(bb_buf_data(&buf), "");
    bb_buf_text(&buf, "abcdef");
    bb_buf_text(&buf, "g");
    bb_buf_cut(&buf, 2);
    assert_string_equal(bb_buf_data(&buf), "ab");
    assert_int_equal(buf.length, 2);
    assert_true(buf.too_large);
    bb_buf_free(&buf);
}

static void what_was_kept_stays_when_memory_runs_out(void **state) {
    (void)state;
    long live = alloc_live();
    for (size_t nth = 1; nth <= 4; nth++) {
        struct bb_buf buf;
        size_t kept = 0;
        bb_buf_init(&buf, alloc_library(), 1 << 20);
        alloc_begin(nth, 1);
        for (size_t i = 0; i < 10000 && !bb_buf_failed(&buf); i++) {
            kept = buf.length;
            bb_buf_text(&buf, "abcdefghij");
        }
        alloc_end();
        assert_true(buf.no_memory && !buf.too_large);
        assert_int_equal(buf.length, kept);
        assert_int_equal(strlen(bb_buf_data(&buf)), kept);
        bb_buf_text(&buf, "more"); /* there is memory again, but the failure stays */
        assert_int_equal(buf.length, kept);
        bb_buf_clear(&buf);
        bb_buf_text(&buf, "more");
        assert_string_equal(bb_buf_data(&buf), "more");
        bb_buf_free(&buf);
        assert_int_equal(alloc_live(), live);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_buffer_is_an_empty_text),
        cmocka_unit_test(bytes_are_appended_up_to_the_cap_exactly),
        cmocka_unit_test(what_does_not_fit_is_left_out_whole_and_so_is_all_after_it),
        cmocka_unit_test(sizes_beyond_all_memory_do_not_overflow),
        cmocka_unit_test(a_text_that_was_never_made_is_a_failure),
        cmocka_unit_test(bytes_may_hold_nul),
        cmocka_unit_test(what_is_cut_off_is_gone_and_a_failure_stays),
        cmocka_unit_test(what_was_kept_stays_when_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
