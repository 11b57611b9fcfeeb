/* When a store that others work on as well looks for what they have written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "driver/store_leases.h"

enum { NOW_MS = 100000 };

static int64_t note(struct bb_looks *looks, bool is_changed) {
    bb_looks_note(looks, is_changed, NOW_MS);
    return looks->again_ms - NOW_MS;
}

static void looks_become_rare_while_nothing_comes(void **state) {
    (void)state;
    struct bb_looks looks = {.chance = 7};
    static const int64_t waits_ms[] = {50, 100, 200, 400, 800, 1000, 1000, 1000};
    for (size_t i = 0; i < sizeof waits_ms / sizeof *waits_ms; i++) {
        int64_t wait_ms = note(&looks, false);
        assert_in_range(wait_ms, waits_ms[i] * 3 / 4, waits_ms[i]);
    }
}

static void somebodys_writing_makes_the_next_look_soon(void **state) {
    (void)state;
    struct bb_looks looks = {.wait_ms = BB_LOOKS_LONGEST_MS};
    assert_true(note(&looks, true) <= BB_LOOKS_SHORTEST_MS);
    assert_true(note(&looks, false) <= 2 * BB_LOOKS_SHORTEST_MS);
}

static void those_that_begin_together_do_not_stay_together(void **state) {
    (void)state;
    struct bb_looks one = {.chance = 1}, other = {.chance = 2};
    size_t together = 0;
    for (size_t i = 0; i < 100; i++)
        together += note(&one, false) == note(&other, false);
    assert_true(together < 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looks_become_rare_while_nothing_comes),
        cmocka_unit_test(somebodys_writing_makes_the_next_look_soon),
        cmocka_unit_test(those_that_begin_together_do_not_stay_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
