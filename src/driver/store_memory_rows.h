/*
 * The rows of one queue in memory. A row is in one of these: `fresh`, a list in which none is due
 * before the one ahead of it; `later`, a heap, for whatever is due out of that order; the waiting
 * list of its chain; or claimed. All of them, claimed ones too, are in `ages`, the
 * oldest first.
 */
#ifndef BB_DRIVER_STORE_MEMORY_ROWS_H
#define BB_DRIVER_STORE_MEMORY_ROWS_H

#include "base/heap.h"
#include "delivery/store.h"

struct chain;

enum row_place { ROW_CLAIMED = 0, ROW_FRESH, ROW_LATER, ROW_CHAINED };

struct row {
    struct bb_delivery face; /* first */
    int64_t due_ms;
    uint64_t sequence;   /* in which rows were put, over all queues */
    struct chain *chain; /* that waits for this row to be settled; NULL: none */
    struct bb_heap_node node;
    struct row *previous, *next; /* in `fresh`, or among the waiting of a chain */
    struct row *elder, *younger; /* in the queue */
    struct row *older, *newer;   /* in the store */
    enum row_place place;
};

struct rows {
    const bb_allocator *mem;
    struct row *fresh;
    struct bb_heap later;
    struct row *ages;
    struct chain *chains; /* by order key */
    size_t waiting;
};

/* Puts `row` in its place; its due_ms and sequence are set. False when out of memory. */
bool bb_rows_add(struct rows *rows, struct row *row, uint64_t order_key);

/* When the first one that need not wait for another is due; INT64_MAX: there is none. */
int64_t bb_rows_due_ms(const struct rows *rows);
struct row *bb_rows_first(const struct rows *rows);
struct row *bb_rows_oldest(const struct rows *rows); /* not claimed */

/* Claimed: in none of the places any more. */
void bb_rows_claim(struct rows *rows, struct row *row);

/* A claimed row waits again, until `due_ms`. */
void bb_rows_retry(struct rows *rows, struct row *row, int64_t due_ms);

/* A claimed row is over (not freed); the next of its chain takes its place. */
void bb_rows_end(struct rows *rows, struct row *row);

#endif
