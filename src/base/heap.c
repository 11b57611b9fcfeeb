#include "base/heap.h"

static bool is_before(const struct bb_heap_node *a, const struct bb_heap_node *b) {
    return a->key < b->key || (a->key == b->key && a->tie < b->tie);
}

/* Both are roots; the later one becomes the first child of the earlier one. */
static struct bb_heap_node *meld(struct bb_heap_node *a, struct bb_heap_node *b) {
    if (!a || !b)
        return a ? a : b;
    if (is_before(b, a)) {
        struct bb_heap_node *later = a;
        a = b;
        b = later;
    }
    b->next = a->child;
    if (b->next)
        b->next->previous = b;
    b->previous = a;
    a->child = b;
    return a;
}

static struct bb_heap_node *detach(struct bb_heap_node *node) {
    if (node)
        node->next = node->previous = NULL;
    return node;
}

/* Pairs siblings from the left into a list that is melded from the right: what makes the cost
 * logarithmic on average. */
static struct bb_heap_node *meld_all(struct bb_heap_node *first) {
    struct bb_heap_node *pairs = NULL, *all = NULL;
    while (first) {
        struct bb_heap_node *second = first->next, *rest = second ? second->next : NULL;
        struct bb_heap_node *pair = meld(detach(first), detach(second));
        pair->next = pairs;
        pairs = pair;
        first = rest;
    }
    while (pairs) {
        struct bb_heap_node *rest = pairs->next;
        all = meld(all, detach(pairs));
        pairs = rest;
    }
    return all;
}

void bb_heap_insert(struct bb_heap *heap, struct bb_heap_node *node, int64_t key, uint64_t tie) {
    *node = (struct bb_heap_node){.key = key, .tie = tie};
    heap->root = meld(heap->root, node);
}

static void cut(struct bb_heap_node *node) {
    if (node->previous->child == node)
        node->previous->child = node->next;
    else
        node->previous->next = node->next;
    if (node->next)
        node->next->previous = node->previous;
    detach(node);
}

void bb_heap_remove(struct bb_heap *heap, struct bb_heap_node *node) {
    struct bb_heap_node *rest = meld_all(node->child);
    node->child = NULL;
    if (heap->root == node) {
        heap->root = rest;
        return;
    }
    cut(node);
    heap->root = meld(heap->root, rest);
}
