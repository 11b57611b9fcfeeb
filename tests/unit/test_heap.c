/* The heap against a sorted array: random inserts and removals, and many equal keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/heap.h"
#include "delivery/retry.h"
#include "support/alloc.h"

enum { NODES = 300 };

static struct bb_heap heap;
static struct bb_heap_node nodes[NODES];
static struct bb_heap_node *sorted[NODES]; /* what is in the heap, in order */
static size_t count;
static uint64_t chance;

static int begin(void **state) {
    *state = NULL;
    heap = (struct bb_heap){0};
    count = 0;
    chance = 42;
    return 0;
}

static uint64_t below(uint64_t most) {
    return bb_retry_chance(&chance) % most;
}

static bool is_before(const struct bb_heap_node *a, const struct bb_heap_node *b) {
    return a->key < b->key || (a->key == b->key && a->tie < b->tie);
}

static void insert(struct bb_heap_node *node, int64_t key, uint64_t tie) {
    bb_heap_insert(&heap, node, key, tie);
    size_t i = count++;
    for (; i > 0 && is_before(node, sorted[i - 1]); i--)
        sorted[i] = sorted[i - 1];
    sorted[i] = node;
}

static void remove_at(size_t i) {
    bb_heap_remove(&heap, sorted[i]);
    count--;
    for (; i < count; i++)
        sorted[i] = sorted[i + 1];
}

static void check_root(void) {
    assert_ptr_equal(heap.root, count ? sorted[0] : NULL);
}

static struct bb_heap_node *find_unused(void) {
    for (;;) {
        struct bb_heap_node *node = &nodes[below(NODES)];
        bool is_used = false;
        for (size_t i = 0; i < count; i++)
            is_used = is_used || sorted[i] == node;
        if (!is_used)
            return node;
    }
}

/* Grows and shrinks in waves, so that both a full and an empty heap are met. */
static void churn(size_t steps, uint64_t keys) {
    uint64_t tie = 0;
    for (size_t i = 0; i < steps; i++) {
        bool grows = below(100) < (i / 500 % 2 == 0 ? 65 : 35);
        if (count == 0 || (grows && count < NODES - 1))
            insert(find_unused(), (int64_t)below(keys) - (int64_t)(keys / 2), tie++);
        else
            remove_at(below(3) ? 0 : below(count));
        check_root();
    }
    while (count > 0) {
        remove_at(0);
        check_root();
    }
}

static void the_smallest_is_always_at_the_root(void **state) {
    (void)state;
    churn(10000 * alloc_scale(), 1000000);
}

static void of_equal_keys_the_smaller_tie_comes_first(void **state) {
    (void)state;
    churn(10000 * alloc_scale(), 3);
}

static void anything_may_be_removed_in_any_order(void **state) {
    (void)state;
    for (int round = 0; round < 50; round++) {
        for (size_t i = 0; i < NODES; i++)
            insert(&nodes[i], (int64_t)below(NODES), i);
        while (count > 0) {
            remove_at(below(count));
            check_root();
        }
    }
}

static void extreme_keys_are_in_order(void **state) {
    (void)state;
    static const int64_t keys[] = {0, INT64_MAX, INT64_MIN, -1, 1, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        insert(&nodes[i], keys[i], UINT64_MAX - i);
    while (count > 0) {
        check_root();
        remove_at(0);
    }
    check_root();
}

static void a_node_may_be_used_again_at_once(void **state) {
    (void)state;
    for (int64_t i = 0; i < 1000; i++) {
        insert(&nodes[0], -i, 0);
        insert(&nodes[1], i, 0);
        check_root();
        remove_at(0);
        remove_at(0);
        assert_null(heap.root);
    }
}

/* Rising keys make the longest lists of children: nothing may recurse over them. */
static void a_million_nodes_need_no_stack(void **state) {
    (void)state;
    enum { MANY = 1000000 };
    struct bb_heap_node *many = calloc(MANY, sizeof *many);
    assert_non_null(many);
    for (size_t i = 0; i < MANY; i++)
        bb_heap_insert(&heap, &many[i], (int64_t)i, 0);
    for (size_t i = 0; i < MANY; i++) {
        assert_ptr_equal(heap.root, &many[i]);
        bb_heap_remove(&heap, heap.root);
    }
    assert_null(heap.root);
    free(many);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_smallest_is_always_at_the_root, begin),
        cmocka_unit_test_setup(of_equal_keys_the_smaller_tie_comes_first, begin),
        cmocka_unit_test_setup(anything_may_be_removed_in_any_order, begin),
        cmocka_unit_test_setup(extreme_keys_are_in_order, begin),
        cmocka_unit_test_setup(a_node_may_be_used_again_at_once, begin),
        cmocka_unit_test_setup(a_million_nodes_need_no_stack, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
