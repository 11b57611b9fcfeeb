/*
 * Queues are taken, `ready` (a list, in turn), or in `timers` (a heap) until something is due.
 */
#include "driver/store_memory.h"

#include <pthread.h>
#include <string.h>

#include <utlist.h>

#include "driver/store_memory_rows.h"

enum queue_place { QUEUE_IDLE = 0, QUEUE_READY, QUEUE_TIMED, QUEUE_TAKEN };

struct queue {
    struct bb_queue face; /* first */
    struct rows rows;
    int64_t not_before_ms;
    struct bb_heap_node timer;
    struct queue *previous_turn, *next_turn; /* in `ready` */
    struct queue *previous, *next;           /* of all */
    enum queue_place place;
    bool is_woken; /* to be taken even if nothing is due */
};

struct memory {
    struct bb_store store; /* first */
    struct bb_store_memory_config config;
    pthread_mutex_t lock;
    struct queue *queues;
    struct queue *ready;
    struct bb_heap timers;
    struct row *ages; /* of all rows, also claimed ones */
    struct bb_store_counts counts;
    uint64_t claimed_bytes; /* of these; never dropped */
    uint64_t next_sequence;
    int64_t now_ms; /* of the last `take`: the time of whoever puts may be a little later, and
                       what is due by it only would be taken, not claimed, and taken again */
};

static struct memory *lock(struct bb_store *store) {
    struct memory *m = (struct memory *)store;
    pthread_mutex_lock(&m->lock);
    return m;
}

static void unlock(struct memory *m) {
    pthread_mutex_unlock(&m->lock);
}

/* ---- when a queue is due ---- */

static struct queue *of_timer(struct bb_heap_node *node) {
    return (struct queue *)((char *)node - offsetof(struct queue, timer));
}

static void unschedule(struct memory *m, struct queue *q) {
    if (q->place == QUEUE_READY)
        DL_DELETE2(m->ready, q, previous_turn, next_turn);
    else if (q->place == QUEUE_TIMED)
        bb_heap_remove(&m->timers, &q->timer);
    q->place = QUEUE_IDLE;
}

static void make_ready(struct memory *m, struct queue *q) {
    unschedule(m, q);
    q->place = QUEUE_READY;
    DL_APPEND2(m->ready, q, previous_turn, next_turn);
}

static int64_t due_ms(const struct queue *q) {
    int64_t due = bb_rows_due_ms(&q->rows);
    return due > q->not_before_ms ? due : q->not_before_ms;
}

/* One that is ready keeps its turn. */
static void schedule(struct memory *m, struct queue *q) {
    int64_t due = due_ms(q);
    if (q->place == QUEUE_TAKEN)
        return;
    if (q->is_woken || due <= m->now_ms) {
        if (q->place != QUEUE_READY)
            make_ready(m, q);
        return;
    }
    if (q->place == QUEUE_TIMED && q->timer.key == due)
        return;
    unschedule(m, q);
    if (due == INT64_MAX)
        return;
    q->place = QUEUE_TIMED;
    bb_heap_insert(&m->timers, &q->timer, due, m->next_sequence++);
}

/* ---- life ---- */

static void free_row(struct memory *m, struct row *row) {
    struct bb_parcel *parcel = row->face.parcel;
    DL_DELETE2(m->ages, row, older, newer);
    m->counts.bytes -= sizeof *row;
    if (--parcel->rows == 0)
        m->counts.bytes -= parcel->size;
    bb_parcel_release(parcel);
    bb_mem_free(m->config.mem, row);
}

static void end_waiting(struct memory *m, struct queue *q, struct row *row) {
    bb_rows_claim(&q->rows, row);
    bb_rows_end(&q->rows, row);
    m->counts.waiting--;
    free_row(m, row);
}

static void free_queue(struct memory *m, struct queue *q) {
    struct row *row;
    while ((row = bb_rows_oldest(&q->rows)))
        end_waiting(m, q, row);
    unschedule(m, q);
    DL_DELETE2(m->queues, q, previous, next);
    bb_mem_free(m->config.mem, q);
}

static void memory_free(struct bb_store *store) {
    struct memory *m = (struct memory *)store;
    while (m->queues)
        free_queue(m, m->queues);
    pthread_mutex_destroy(&m->lock);
    bb_mem_free(m->config.mem, m);
}

static struct bb_queue *memory_open(struct bb_store *store, const char *webhook_id, void *owner) {
    struct memory *m = lock(store);
    struct queue *q = bb_mem_zalloc(m->config.mem, sizeof *q);
    (void)webhook_id; /* nobody else knows the queue */
    if (q) {
        q->face.owner = owner;
        q->rows.mem = m->config.mem;
        DL_APPEND2(m->queues, q, previous, next);
    }
    unlock(m);
    return (struct bb_queue *)q;
}

static void memory_close(struct bb_store *store, struct bb_queue *queue) {
    struct memory *m = lock(store);
    free_queue(m, (struct queue *)queue);
    unlock(m);
}

/* ---- put ---- */

static void free_rows(struct memory *m, struct row *rows) {
    while (rows) {
        struct row *next = rows->next;
        bb_mem_free(m->config.mem, rows);
        rows = next;
    }
}

/* A list of `count` empty rows, made before the lock is taken. */
static struct row *make_rows(struct memory *m, size_t count) {
    struct row *rows = NULL;
    for (size_t i = 0; i < count; i++) {
        struct row *row = bb_mem_zalloc(m->config.mem, sizeof *row);
        if (!row) {
            free_rows(m, rows);
            return NULL;
        }
        row->next = rows;
        rows = row;
    }
    return rows;
}

static bool has_room(const struct memory *m, size_t count, uint64_t bytes) {
    return m->counts.waiting + m->counts.claimed + count <= m->config.max_deliveries &&
           m->counts.bytes + bytes <= m->config.max_bytes;
}

static struct row *oldest_waiting(const struct memory *m) {
    struct row *row = m->ages;
    while (row && row->place == ROW_CLAIMED)
        row = row->newer;
    return row;
}

static void drop(struct memory *m, struct row *row) {
    struct queue *q = (struct queue *)row->face.queue;
    end_waiting(m, q, row);
    schedule(m, q);
    if (m->config.dropped)
        m->config.dropped(m->config.dropped_user, q->face.owner);
}

static bool make_room(struct memory *m, size_t count, uint64_t bytes) {
    struct row *row;
    if (has_room(m, count, bytes))
        return true;
    if (!m->config.drops_oldest || m->counts.claimed + count > m->config.max_deliveries ||
        m->claimed_bytes + bytes > m->config.max_bytes)
        return false; /* nor would dropping help */
    while (!has_room(m, count, bytes) && (row = oldest_waiting(m)))
        drop(m, row);
    return true;
}

static bool add_row(struct memory *m, struct row *row, struct bb_parcel *parcel,
                    const struct bb_put *put, uint64_t sequence, int64_t now_ms, int64_t due) {
    struct queue *q = (struct queue *)put->queue;
    memset(row, 0, sizeof *row);
    row->face.parcel = bb_parcel_retain(parcel);
    row->face.queue = put->queue;
    row->face.history.enqueued_ms = now_ms;
    row->due_ms = due;
    row->sequence = sequence;
    if (!bb_rows_add(&q->rows, row, put->order_key)) {
        bb_parcel_release(parcel);
        return false;
    }
    DL_APPEND2(m->ages, row, older, newer);
    m->counts.waiting++;
    m->counts.bytes += sizeof *row;
    if (parcel->rows++ == 0)
        m->counts.bytes += parcel->size;
    schedule(m, q);
    return true;
}

/* The last ones that were added, because memory for the next has not been found. */
static void take_back(struct memory *m, size_t count) {
    while (count-- > 0) {
        struct row *row = m->ages->older;
        struct queue *q = (struct queue *)row->face.queue;
        end_waiting(m, q, row);
        schedule(m, q);
    }
}

/* Of all events, before the lock is taken. */
struct batch {
    struct bb_parcel **parcels;
    struct row *rows;
    size_t row_count;
    uint64_t bytes;
};

static bool make_batch(struct memory *m, const struct bb_put_event *events, size_t count,
                       struct batch *batch) {
    batch->parcels = bb_mem_zalloc(m->config.mem, count * sizeof *batch->parcels);
    for (size_t i = 0; batch->parcels && i < count; i++) {
        batch->parcels[i] = bb_parcel_new(m->config.mem, events[i].event);
        if (!batch->parcels[i])
            return false;
        batch->bytes += batch->parcels[i]->size + events[i].count * sizeof *batch->rows;
        batch->row_count += events[i].count;
    }
    batch->rows = batch->parcels ? make_rows(m, batch->row_count) : NULL;
    return batch->parcels && (batch->rows || batch->row_count == 0);
}

static void free_batch(struct memory *m, struct batch *batch, size_t count) {
    for (size_t i = 0; batch->parcels && i < count; i++)
        bb_parcel_release(batch->parcels[i]);
    bb_mem_free(m->config.mem, batch->parcels);
    free_rows(m, batch->rows);
}

static bool add_first_row(struct memory *m, struct batch *batch, struct bb_parcel *parcel,
                          const struct bb_put *put, int64_t now_ms, int64_t due) {
    struct row *row = batch->rows, *next = row->next;
    if (!add_row(m, row, parcel, put, m->next_sequence++, now_ms, due)) {
        row->next = next;
        return false;
    }
    batch->rows = next;
    return true;
}

static int add_rows(struct memory *m, struct batch *batch, const struct bb_put_event *events,
                    size_t count, int64_t now_ms, int64_t due) {
    size_t added = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < events[i].count; j++, added++)
            if (!add_first_row(m, batch, batch->parcels[i], &events[i].puts[j], now_ms, due)) {
                take_back(m, added);
                return BB_ERR_NO_MEMORY;
            }
    return BB_OK;
}

static int memory_put(struct bb_store *store, void *connection, struct bb_put_event *events,
                      size_t count, int64_t now_ms, int64_t due, bb_error *error) {
    struct memory *m = (struct memory *)store;
    struct batch batch = {.rows = NULL};
    for (size_t i = 0; i < count; i++)
        if (connection || events[i].key)
            return bb_fail(error, BB_ERR_ARGUMENT,
                           "the dispatcher has no outbox that keeps events");
    int code = BB_ERR_NO_MEMORY;
    if (make_batch(m, events, count, &batch)) {
        lock(store);
        code = make_room(m, batch.row_count, batch.bytes)
                   ? add_rows(m, &batch, events, count, now_ms, due)
                   : BB_ERR_FULL;
        unlock(m);
    }
    free_batch(m, &batch, count);
    return code;
}

bool bb_store_memory_add(struct bb_store *store, struct bb_queue *queue,
                         const struct bb_delivery *like, int64_t due) {
    struct memory *m = (struct memory *)store;
    const struct bb_put put = {.queue = queue};
    struct row *row = make_rows(m, 1);
    if (!row)
        return false;
    lock(store);
    bool is_added = add_row(m, row, like->parcel, &put, (uint64_t)like->claim.number,
                            like->history.enqueued_ms, due);
    if (is_added) {
        row->face.history = like->history;
        row->face.claim = like->claim;
    }
    unlock(m);
    if (!is_added)
        free_rows(m, row);
    return is_added;
}

void bb_store_memory_each(struct bb_store *store,
                          void (*visit)(void *user, struct bb_delivery *delivery), void *user) {
    struct memory *m = lock(store);
    for (struct row *row = m->ages; row; row = row->newer)
        visit(user, &row->face);
    unlock(m);
}

/* ---- take, claim, settle, give ---- */

static struct bb_queue *memory_take(struct bb_store *store, int64_t now_ms) {
    struct memory *m = lock(store);
    m->now_ms = now_ms;
    while (m->timers.root && m->timers.root->key <= now_ms)
        make_ready(m, of_timer(m->timers.root));
    struct queue *q = m->ready;
    if (q) {
        unschedule(m, q);
        q->place = QUEUE_TAKEN;
        q->is_woken = false;
    }
    unlock(m);
    return (struct bb_queue *)q;
}

/* Whether it is ready at once is found out by the next `take`, for which any time is late enough.
 */
static void memory_give(struct bb_store *store, struct bb_queue *queue, int64_t not_before_ms) {
    struct memory *m = lock(store);
    struct queue *q = (struct queue *)queue;
    q->place = QUEUE_IDLE;
    q->not_before_ms = not_before_ms;
    schedule(m, q);
    unlock(m);
}

static void memory_wake(struct bb_store *store, struct bb_queue *queue) {
    struct memory *m = lock(store);
    struct queue *q = (struct queue *)queue;
    if (q->place != QUEUE_TAKEN) {
        q->not_before_ms = 0;
        q->is_woken = true;
        schedule(m, q);
    }
    unlock(m);
}

static struct bb_delivery *claim(struct memory *m, struct queue *q, struct row *row) {
    if (!row)
        return NULL;
    bb_rows_claim(&q->rows, row);
    m->counts.waiting--;
    m->counts.claimed++;
    m->claimed_bytes += sizeof *row;
    if (row->face.parcel->claimed++ == 0)
        m->claimed_bytes += row->face.parcel->size;
    return &row->face;
}

static void unclaim(struct memory *m, struct row *row) {
    m->counts.claimed--;
    m->claimed_bytes -= sizeof *row;
    if (--row->face.parcel->claimed == 0)
        m->claimed_bytes -= row->face.parcel->size;
}

static struct bb_delivery *memory_claim(struct bb_store *store, struct bb_queue *queue,
                                        int64_t now_ms) {
    struct memory *m = lock(store);
    struct queue *q = (struct queue *)queue;
    struct row *row = bb_rows_first(&q->rows);
    struct bb_delivery *claimed = claim(m, q, row && row->due_ms <= now_ms ? row : NULL);
    unlock(m);
    return claimed;
}

static struct bb_delivery *memory_claim_older(struct bb_store *store, struct bb_queue *queue,
                                              int64_t enqueued_before_ms) {
    struct memory *m = lock(store);
    struct queue *q = (struct queue *)queue;
    struct row *row = bb_rows_oldest(&q->rows);
    bool is_older = row && row->face.history.enqueued_ms < enqueued_before_ms;
    struct bb_delivery *claimed = claim(m, q, is_older ? row : NULL);
    unlock(m);
    return claimed;
}

static void memory_settle(struct bb_store *store, struct bb_delivery *delivery,
                          enum bb_settlement how, int64_t due, const struct bb_result *result) {
    struct memory *m = lock(store);
    (void)result; /* nothing is kept */
    struct row *row = (struct row *)delivery;
    struct queue *q = (struct queue *)delivery->queue;
    unclaim(m, row);
    if (how == BB_SETTLED_RETRY) {
        bb_rows_retry(&q->rows, row, due);
        m->counts.waiting++;
    } else {
        bb_rows_end(&q->rows, row);
        free_row(m, row);
    }
    schedule(m, q);
    unlock(m);
}

/* ---- looking ---- */

static int64_t memory_next_ms(struct bb_store *store, int64_t now_ms) {
    struct memory *m = lock(store);
    int64_t next = m->timers.root ? m->timers.root->key : INT64_MAX;
    if (m->ready)
        next = now_ms;
    unlock(m);
    return next;
}

static int64_t memory_oldest_ms(struct bb_store *store, struct bb_queue *queue) {
    struct memory *m = lock(store);
    const struct row *row = bb_rows_oldest(&((struct queue *)queue)->rows);
    int64_t oldest = row ? row->face.history.enqueued_ms : INT64_MAX;
    unlock(m);
    return oldest;
}

static size_t memory_waiting(struct bb_store *store, struct bb_queue *queue) {
    struct memory *m = lock(store);
    size_t waiting = ((struct queue *)queue)->rows.waiting;
    unlock(m);
    return waiting;
}

static struct bb_store_counts memory_counts(struct bb_store *store) {
    struct memory *m = lock(store);
    struct bb_store_counts counts = m->counts;
    unlock(m);
    return counts;
}

static const struct bb_store_vtable vtable = {
    .version = BB_STORE_VERSION,
    .free = memory_free,
    .open = memory_open,
    .close = memory_close,
    .put = memory_put,
    .take = memory_take,
    .give = memory_give,
    .wake = memory_wake,
    .claim = memory_claim,
    .claim_older = memory_claim_older,
    .settle = memory_settle,
    .next_ms = memory_next_ms,
    .oldest_ms = memory_oldest_ms,
    .waiting = memory_waiting,
    .counts = memory_counts,
};

struct bb_store *bb_store_memory_new(const struct bb_store_memory_config *config) {
    struct memory *m = bb_mem_zalloc(config->mem, sizeof *m);
    if (!m)
        return NULL;
    m->store.vtable = &vtable;
    m->config = *config;
    pthread_mutex_init(&m->lock, NULL);
    return &m->store;
}
