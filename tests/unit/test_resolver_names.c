/* The names that are kept: no more than there is room for, and never one that is needed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "driver/resolver_names.h"
#include "support/alloc.h"

static struct bb_name *learn(struct bb_names *names, const char *host, int64_t at_ms,
                             int64_t for_ms) {
    struct bb_name *name = bb_names_add(names, host);
    assert_non_null(name);
    name->is_known = true;
    name->learned_ms = at_ms;
    name->until_ms = at_ms + for_ms;
    return name;
}

/* Up to the limit, each learned at 10 for 1,000. */
static void fill(struct bb_names *names) {
    for (int i = 0; names->count < BB_NAMES_MAX; i++) {
        char host[32];
        snprintf(host, sizeof(host), "h%d.test", i);
        learn(names, host, 10, 1000);
    }
}

static int open_names(void **state) {
    static struct bb_names names;
    names = (struct bb_names){.mem = alloc_library()};
    *state = &names;
    return 0;
}

static int close_names(void **state) {
    bb_names_free(*state);
    assert_int_equal(alloc_live(), 0);
    return 0;
}

static void each_name_is_found_again(void **state) {
    struct bb_names *names = *state;
    fill(names);
    for (int i = 0; i < BB_NAMES_MAX; i++) {
        char host[32];
        snprintf(host, sizeof(host), "h%d.test", i);
        assert_string_equal(bb_names_find(names, host)->host, host);
    }
    assert_null(bb_names_find(names, "h.test"));
    assert_null(bb_names_find(names, ""));
}

static void nothing_is_dropped_while_there_is_room(void **state) {
    struct bb_names *names = *state;
    learn(names, "old.test", 0, 1);
    assert_true(bb_names_make_room(names, 100000));
    assert_non_null(bb_names_find(names, "old.test"));
}

static void what_is_out_of_date_is_dropped_first(void **state) {
    struct bb_names *names = *state;
    learn(names, "oldest.test", 1, 10000);
    learn(names, "stale.test", 20, 5);
    learn(names, "stale too.test", 20, 5);
    fill(names);
    assert_true(bb_names_make_room(names, 25));
    assert_int_equal(names->count, BB_NAMES_MAX - 2);
    assert_null(bb_names_find(names, "stale.test"));
    assert_null(bb_names_find(names, "stale too.test"));
    assert_non_null(bb_names_find(names, "oldest.test"));
}

static void then_what_was_learned_first(void **state) {
    struct bb_names *names = *state;
    learn(names, "oldest.test", 1, 10000);
    fill(names);
    assert_true(bb_names_make_room(names, 25));
    assert_int_equal(names->count, BB_NAMES_MAX - 1);
    assert_null(bb_names_find(names, "oldest.test"));
}

static void what_is_needed_stays(void **state) {
    struct bb_names *names = *state;
    struct bb_name *open = learn(names, "open.test", 1, 1);
    struct bb_name *asked = learn(names, "asked.test", 1, 1);
    open->open = 1;
    asked->is_asked = true;
    fill(names);
    assert_true(bb_names_make_room(names, 100000));
    assert_int_equal(names->count, 2);
    for (int i = 0; i < BB_NAMES_MAX - 2; i++) {
        char host[32];
        snprintf(host, sizeof(host), "n%d.test", i);
        learn(names, host, 1, 1)->open = 1;
    }
    assert_false(bb_names_make_room(names, 100000));
    assert_int_equal(names->count, BB_NAMES_MAX);
    open->open = 0;
    assert_true(bb_names_make_room(names, 100000));
    assert_null(bb_names_find(names, "open.test"));
}

static void a_list_without_memory_leaves_the_known_one(void **state) {
    struct bb_names *names = *state;
    struct bb_name *name = learn(names, "hooks.test", 1, 1000);
    uint64_t last = 7;
    assert_true(bb_name_set_list(name, names->mem, "192.0.2.1", &last));
    assert_int_equal(name->addresses.version, 8);
    alloc_begin(1, 1);
    assert_true(bb_name_set_list(name, names->mem, "192.0.2.1", &last));
    assert_false(bb_name_set_list(name, names->mem, "192.0.2.2", &last));
    assert_null(bb_names_add(names, "other.test"));
    alloc_end();
    assert_string_equal(name->addresses.list, "192.0.2.1");
    assert_int_equal(name->addresses.version, 8);
    assert_int_equal(last, 8);
    assert_int_equal(names->count, 1);
}

#define WITH_NAMES(test) cmocka_unit_test_setup_teardown(test, open_names, close_names)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_NAMES(each_name_is_found_again),
        WITH_NAMES(nothing_is_dropped_while_there_is_room),
        WITH_NAMES(what_is_out_of_date_is_dropped_first),
        WITH_NAMES(then_what_was_learned_first),
        WITH_NAMES(what_is_needed_stays),
        WITH_NAMES(a_list_without_memory_leaves_the_known_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
