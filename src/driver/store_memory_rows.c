#include "driver/store_memory_rows.h"

#include <stddef.h>

#include <utlist.h>

/* uthash takes its memory through these; `mem` is in scope wherever it is used. */
#define uthash_malloc(size) bb_mem_alloc(mem, size)
#define uthash_free(block, size) bb_mem_free(mem, block)
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* Rows of one order key behind the one that is fresh, later or claimed. */
struct chain {
    uint64_t key;
    struct row *waiting;
    UT_hash_handle hh;
};

/* ---- chains ---- */

static struct chain *find_chain(const struct rows *rows, uint64_t key) {
    struct chain *chain;
    HASH_FIND(hh, rows->chains, &key, sizeof key, chain);
    return chain;
}

static struct chain *new_chain(struct rows *rows, uint64_t key) {
    const bb_allocator *mem = rows->mem;
    struct chain *chain = bb_mem_zalloc(mem, sizeof *chain);
    if (!chain)
        return NULL;
    chain->key = key;
    HASH_ADD(hh, rows->chains, key, sizeof chain->key, chain);
    if (chain->hh.tbl) /* NULL: uthash found no memory */
        return chain;
    bb_mem_free(mem, chain);
    return NULL;
}

static void drop_chain(struct rows *rows, struct chain *chain) {
    const bb_allocator *mem = rows->mem;
    HASH_DEL(rows->chains, chain);
    bb_mem_free(mem, chain);
}

/* ---- places ---- */

static void place(struct rows *rows, struct row *row) {
    const struct row *last = rows->fresh ? rows->fresh->previous : NULL;
    if (!last || (last->due_ms <= row->due_ms && last->sequence < row->sequence)) {
        row->place = ROW_FRESH;
        DL_APPEND2(rows->fresh, row, previous, next);
    } else {
        row->place = ROW_LATER;
        bb_heap_insert(&rows->later, &row->node, row->due_ms, row->sequence);
    }
}

/* Nearly always the youngest of all. */
static void add_by_age(struct rows *rows, struct row *row) {
    struct row *at = NULL, *last = rows->ages ? rows->ages->elder : NULL;
    while (last && last->face.history.enqueued_ms > row->face.history.enqueued_ms) {
        at = last;
        last = last == rows->ages ? NULL : last->elder;
    }
    if (at)
        DL_PREPEND_ELEM2(rows->ages, at, row, elder, younger);
    else
        DL_APPEND2(rows->ages, row, elder, younger);
}

bool bb_rows_add(struct rows *rows, struct row *row, uint64_t order_key) {
    struct chain *chain = order_key ? find_chain(rows, order_key) : NULL;
    if (chain) {
        row->place = ROW_CHAINED;
        row->chain = chain;
        DL_APPEND2(chain->waiting, row, previous, next);
    } else if (order_key && !(row->chain = new_chain(rows, order_key))) {
        return false;
    } else {
        place(rows, row);
    }
    add_by_age(rows, row);
    rows->waiting++;
    return true;
}

static struct row *of_node(struct bb_heap_node *node) {
    return node ? (struct row *)((char *)node - offsetof(struct row, node)) : NULL;
}

struct row *bb_rows_first(const struct rows *rows) {
    struct row *fresh = rows->fresh, *later = of_node(rows->later.root);
    if (!fresh || !later)
        return fresh ? fresh : later;
    if (later->due_ms != fresh->due_ms)
        return later->due_ms < fresh->due_ms ? later : fresh;
    return later->sequence < fresh->sequence ? later : fresh;
}

int64_t bb_rows_due_ms(const struct rows *rows) {
    const struct row *first = bb_rows_first(rows);
    return first ? first->due_ms : INT64_MAX;
}

/* Claimed ones are passed over: they are few. */
struct row *bb_rows_oldest(const struct rows *rows) {
    struct row *row = rows->ages;
    while (row && row->place == ROW_CLAIMED)
        row = row->younger;
    return row;
}

void bb_rows_claim(struct rows *rows, struct row *row) {
    if (row->place == ROW_FRESH) {
        DL_DELETE2(rows->fresh, row, previous, next);
    } else if (row->place == ROW_LATER) {
        bb_heap_remove(&rows->later, &row->node);
    } else if (row->place == ROW_CHAINED) {
        DL_DELETE2(row->chain->waiting, row, previous, next);
        row->chain = NULL; /* nobody waits for this one */
    }
    row->place = ROW_CLAIMED;
    rows->waiting--;
}

void bb_rows_retry(struct rows *rows, struct row *row, int64_t due_ms) {
    row->due_ms = due_ms;
    place(rows, row);
    rows->waiting++;
}

void bb_rows_end(struct rows *rows, struct row *row) {
    struct chain *chain = row->chain;
    DL_DELETE2(rows->ages, row, elder, younger);
    if (!chain)
        return;
    struct row *next = chain->waiting;
    if (!next) {
        drop_chain(rows, chain);
        return;
    }
    DL_DELETE2(chain->waiting, next, previous, next);
    place(rows, next);
}
