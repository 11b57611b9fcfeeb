/*
 * A pairing heap of nodes that lie in the caller's structs: the smallest key first, of equal ones
 * the smaller tie. Never allocates, so nothing here can fail.
 */
#ifndef BB_BASE_HEAP_H
#define BB_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bb_heap_node {
    struct bb_heap_node *child;
    struct bb_heap_node *next;
    struct bb_heap_node *previous; /* of the first child: its parent */
    int64_t key;
    uint64_t tie;
};

struct bb_heap {
    struct bb_heap_node *root; /* the smallest; NULL: empty */
};

void bb_heap_insert(struct bb_heap *heap, struct bb_heap_node *node, int64_t key, uint64_t tie);
void bb_heap_remove(struct bb_heap *heap, struct bb_heap_node *node);

#endif
