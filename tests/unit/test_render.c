/* What the formatters share, where no golden file looks closely: the time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <time.h>

#include "endpoint/render.h"

static const char *rendered(struct bb_arena *arena, int64_t seconds) {
    struct bb_message message = {.created_ts = seconds};
    struct bb_render render = {.message = &message, .arena = arena};
    return bb_render_time(&render);
}

static void assert_is_the_c_librarys(int64_t seconds) {
    struct bb_arena arena;
    struct tm utc;
    char expected[32];
    time_t when = (time_t)seconds;
    bb_arena_init(&arena, &bb_mem_default);
    assert_non_null(gmtime_r(&when, &utc));
    assert_int_not_equal(strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%SZ", &utc), 0);
    assert_string_equal(rendered(&arena, seconds), expected);
    bb_arena_free(&arena);
}

/* Each day of 450 years, then one in nineteen, to the end of the year 9999; and each
 * second of a day. */
static void a_time_is_what_the_c_library_says(void **state) {
    (void)state;
    const int64_t day = 24 * 60 * 60, year_10000 = 253402300800;
    for (int64_t at = 1; at < 450 * 366 * day; at += day)
        assert_is_the_c_librarys(at);
    for (int64_t at = 450 * 366 * day; at < year_10000; at += 19 * day)
        assert_is_the_c_librarys(at);
    for (int64_t at = 1767312000; at <= 1767312000 + day; at++)
        assert_is_the_c_librarys(at);
    assert_is_the_c_librarys(year_10000 - 1);
}

static void a_time_that_no_product_shows_is_none(void **state) {
    (void)state;
    struct bb_arena arena;
    bb_arena_init(&arena, &bb_mem_default);
    assert_null(rendered(&arena, 0));
    assert_null(rendered(&arena, -1));
    assert_null(rendered(&arena, INT64_MIN));
    assert_null(rendered(&arena, INT64_MAX));
    assert_null(rendered(&arena, 253402300800));
    bb_arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_time_is_what_the_c_library_says),
        cmocka_unit_test(a_time_that_no_product_shows_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
