#include "driver/store_sqlite.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include <utlist.h>

#include "driver/store_memory.h"
#include "driver/store_sqlite_archive.h"
#include "driver/store_sqlite_pass.h"

static struct bb_sqlite *lock(struct bb_store *store) {
    struct bb_sqlite *s = (struct bb_sqlite *)store;
    pthread_mutex_lock(&s->lock);
    return s;
}

static void unlock(struct bb_sqlite *s) {
    pthread_mutex_unlock(&s->lock);
}

/* ---- queues ---- */

static struct bb_sqlite_queue *make_queue(struct bb_sqlite *s, const char *id, void *owner) {
    size_t size = strlen(id) + 1;
    struct bb_sqlite_queue *q = bb_mem_zalloc(&s->config.mem, sizeof *q + size);
    if (!q)
        return NULL;
    memcpy(q->id, id, size);
    q->queue = s->memory->vtable->open(s->memory, "", owner);
    if (!q->queue) {
        bb_mem_free(&s->config.mem, q);
        return NULL;
    }
    q->queue->kept = q;
    q->number = -1;
    q->due_ms = INT64_MAX;
    q->is_stale = s->has_news = s->has_unnumbered = true;
    DL_APPEND2(s->queues, q, previous, next);
    s->queue_count++;
    return q;
}

static struct bb_queue *sqlite_open(struct bb_store *store, const char *webhook_id, void *owner) {
    struct bb_sqlite *s = lock(store);
    struct bb_sqlite_queue *q = make_queue(s, webhook_id, owner);
    unlock(s);
    return q ? q->queue : NULL;
}

static void free_queue(struct bb_sqlite *s, struct bb_sqlite_queue *q) {
    q->due_ms = INT64_MAX;
    bb_sqlite_time(s, q);
    if (q->number >= 0 && s->by_number[q->number] == q) /* it may have a successor already */
        s->by_number[q->number] = NULL;
    s->memory->vtable->close(s->memory, q->queue);
    DL_DELETE2(s->queues, q, previous, next);
    s->queue_count--;
    bb_mem_free(&s->config.mem, q);
}

static void sqlite_close(struct bb_store *store, struct bb_queue *queue) {
    struct bb_sqlite *s = lock(store);
    bb_sqlite_release_waiting(s, queue->kept);
    bb_sqlite_write_settled(s); /* those rows lie in the queue; if it fails, their leases run out */
    bb_sqlite_forget_settled(s, queue->kept);
    free_queue(s, queue->kept);
    unlock(s);
}

/* ---- life ---- */

static int sqlite_attach(struct bb_store *store, const struct bb_store_host *host) {
    struct bb_sqlite *s = lock(store);
    int code = s->is_attached ? BB_ERR_BUSY : BB_OK;
    if (code == BB_OK) {
        s->host = *host;
        s->is_attached = s->has_news = true;
        s->looks.chance = (uint64_t)host->wall_offset_ms ^ (uint64_t)(uintptr_t)s;
    }
    unlock(s);
    return code;
}

/* What is not written now is sent again: so it is the one time that others are waited for. */
static void write_last(struct bb_sqlite *s) {
    enum { PATIENCE_MS = 2000 };
    sqlite3_busy_timeout(s->db.handle, PATIENCE_MS);
    bb_sqlite_write_settled(s);
    sqlite3_busy_timeout(s->db.handle, 0);
}

static void sqlite_detach(struct bb_store *store) {
    struct bb_sqlite *s = lock(store);
    for (struct bb_sqlite_queue *q = s->queues; q; q = q->next)
        bb_sqlite_release_waiting(s, q);
    if (s->settled.first)
        write_last(s);
    bb_sqlite_forget_settled(s, NULL);
    while (s->queues)
        free_queue(s, s->queues);
    s->host = (struct bb_store_host){0};
    s->is_attached = false;
    unlock(s);
}

static void sqlite_free(struct bb_store *store) {
    struct bb_sqlite *s = (struct bb_sqlite *)store;
    bb_allocator mem = s->config.mem;
    sqlite_detach(store);
    bb_sqlite_db_close(&s->db);
    bb_sqlite_file_forget(&s->file);
    if (s->memory)
        s->memory->vtable->free(s->memory);
    bb_arena_free(&s->scratch);
    bb_mem_free(&mem, s->by_number);
    pthread_cond_destroy(&s->group_done);
    pthread_mutex_destroy(&s->group_lock);
    pthread_mutex_destroy(&s->lock);
    bb_mem_free(&mem, s);
}

/* ---- take, claim, settle, give ---- */

/* New events can be taken in. */
static bool wants_news(const struct bb_sqlite *s) {
    return s->has_news && !bb_leases_are_enough(s->memory, s->now_ms);
}

/* Though something in memory can be sent. */
static bool must_write(const struct bb_sqlite *s, int64_t now_ms) {
    return bb_settled_is_due(&s->settled, now_ms) ||
           (now_ms - s->pass_ms >= s->config.gather_ms && wants_news(s));
}

static bool needs_pass(const struct bb_sqlite *s, int64_t now_ms) {
    if (now_ms < s->not_before_ms)
        return false;
    return must_write(s, now_ms) || bb_settled_is_alone(s->settled.count, s->memory) ||
           s->has_news || now_ms >= s->looks.again_ms ||
           (s->due.root && s->due.root->key <= now_ms);
}

/* While something in memory can be sent, only what has waited long enough is written. */
static struct bb_queue *sqlite_take(struct bb_store *store, int64_t now_ms) {
    struct bb_sqlite *s = lock(store);
    s->now_ms = now_ms;
    if (must_write(s, now_ms) && now_ms >= s->not_before_ms)
        bb_sqlite_pass(s, now_ms);
    struct bb_queue *queue = s->memory->vtable->take(s->memory, now_ms);
    if (!queue && needs_pass(s, now_ms) && bb_sqlite_pass(s, now_ms))
        queue = s->memory->vtable->take(s->memory, now_ms);
    unlock(s);
    return queue;
}

/* Leases of a queue that may not send for so long are given back. */
static void sqlite_give(struct bb_store *store, struct bb_queue *queue, int64_t not_before_ms) {
    enum { LONG_MS = 5000 };
    struct bb_sqlite *s = lock(store);
    struct bb_sqlite_queue *q = queue->kept;
    if (not_before_ms > s->now_ms && not_before_ms - s->now_ms > LONG_MS)
        bb_sqlite_release_waiting(s, q);
    q->not_before_ms = not_before_ms;
    bb_sqlite_time(s, q);
    s->memory->vtable->give(s->memory, queue, not_before_ms);
    unlock(s);
}

static void sqlite_wake(struct bb_store *store, struct bb_queue *queue) {
    struct bb_sqlite *s = lock(store);
    struct bb_sqlite_queue *q = queue->kept;
    q->not_before_ms = 0;
    bb_sqlite_time(s, q);
    s->memory->vtable->wake(s->memory, queue);
    unlock(s);
}

/* It may have more once half of it is gone. */
static void note_room(struct bb_sqlite *s, struct bb_sqlite_queue *q) {
    if (!q->is_full || bb_sqlite_room(s, NULL, q) < s->memory->vtable->waiting(s->memory, q->queue))
        return;
    q->is_full = false;
    bb_sqlite_time(s, q);
}

/* Whether a pass might bring something for the queue. */
static bool may_have_more(const struct bb_sqlite *s, const struct bb_sqlite_queue *q,
                          int64_t now_ms) {
    return now_ms >= s->not_before_ms && (bb_settled_may_bring(&s->settled) || wants_news(s) ||
                                          (q->is_timed && q->node.key <= now_ms));
}

static struct bb_delivery *sqlite_claim(struct bb_store *store, struct bb_queue *queue,
                                        int64_t now_ms) {
    struct bb_sqlite *s = lock(store);
    if (now_ms >= s->not_before_ms && bb_settled_must_be_written(queue))
        bb_sqlite_pass(s, now_ms);
    struct bb_delivery *claimed = bb_leases_claim(&s->settled, s->memory, queue, now_ms);
    note_room(s, queue->kept);
    if (!claimed && may_have_more(s, queue->kept, now_ms) && bb_sqlite_pass(s, now_ms))
        claimed = bb_leases_claim(&s->settled, s->memory, queue, now_ms);
    unlock(s);
    return claimed;
}

static int64_t number_from(sqlite3_stmt *row, int64_t otherwise) {
    bool failed = false;
    int64_t number = otherwise;
    if (bb_sqlite_db_step(row, &failed) && sqlite3_column_type(row, 0) != SQLITE_NULL)
        number = sqlite3_column_int64(row, 0);
    sqlite3_reset(row);
    return number;
}

/* Of those that nobody has, and of those that nobody will have as soon as that is written. */
static int64_t oldest_kept(struct bb_sqlite *s, const struct bb_sqlite_queue *q) {
    sqlite3_stmt *row = bb_sqlite_db_bind(&s->db, BB_SQL_OLDEST_OF, "i", q->number);
    int64_t oldest = number_from(row, INT64_MAX);
    if (oldest != INT64_MAX)
        oldest -= s->host.wall_offset_ms;
    return bb_leases_least(oldest, bb_settled_oldest_ms(&s->settled, q->queue));
}

/* Leases it, if there is any. */
static bool lease_older(struct bb_sqlite *s, struct bb_sqlite_queue *q, int64_t before_ms) {
    return s->now_ms >= s->not_before_ms && oldest_kept(s, q) < before_ms &&
           bb_sqlite_lease_older(s, q, before_ms);
}

/* New events are deliveries first. */
static struct bb_sqlite *lock_without_news(struct bb_store *store) {
    struct bb_sqlite *s = lock(store);
    if (s->has_news && s->now_ms >= s->not_before_ms)
        bb_sqlite_pass(s, s->now_ms);
    return s;
}

static struct bb_delivery *sqlite_claim_older(struct bb_store *store, struct bb_queue *queue,
                                              int64_t enqueued_before_ms) {
    struct bb_sqlite *s = lock_without_news(store);
    struct bb_delivery *claimed =
        s->memory->vtable->claim_older(s->memory, queue, enqueued_before_ms);
    if (!claimed && lease_older(s, queue->kept, enqueued_before_ms))
        claimed = s->memory->vtable->claim_older(s->memory, queue, enqueued_before_ms);
    note_room(s, queue->kept);
    unlock(s);
    return claimed;
}

static void sqlite_settle(struct bb_store *store, struct bb_delivery *delivery,
                          enum bb_settlement how, int64_t due_ms, const struct bb_result *result) {
    struct bb_sqlite *s = lock(store);
    bb_note_settled(&s->config.mem, delivery, how, result);
    bb_settled_add(&s->settled, delivery, how, due_ms, s->now_ms);
    unlock(s);
}

/* ---- looking ---- */

static int64_t pass_ms(const struct bb_sqlite *s, int64_t now_ms) {
    int64_t pass_ms = s->looks.again_ms;
    if (s->has_news || s->has_unmatched || must_write(s, now_ms) ||
        bb_settled_is_alone(s->settled.count, s->memory))
        pass_ms = now_ms;
    if (s->settled.first)
        pass_ms = bb_leases_least(pass_ms, s->settled.since_ms + BB_LEASES_WRITE_MS);
    if (s->due.root)
        pass_ms = bb_leases_least(pass_ms, s->due.root->key);
    return pass_ms < s->not_before_ms ? s->not_before_ms : pass_ms;
}

static int64_t sqlite_next_ms(struct bb_store *store, int64_t now_ms) {
    struct bb_sqlite *s = lock(store);
    int64_t next_ms =
        bb_leases_least(pass_ms(s, now_ms), s->memory->vtable->next_ms(s->memory, now_ms));
    unlock(s);
    return next_ms;
}

static bool has_suspects(const struct bb_sqlite *s) {
    for (const struct bb_sqlite_queue *q = s->queues; q; q = q->next)
        if (q->has_suspects)
            return true;
    return false;
}

static bool sqlite_owes(struct bb_store *store, int64_t now_ms) {
    struct bb_sqlite *s = lock(store);
    bool owes = s->settled.first || s->has_news || s->has_unmatched ||
                (s->due.root && s->due.root->key <= now_ms) || has_suspects(s);
    unlock(s);
    return owes;
}

static void sqlite_look_again(struct bb_store *store) {
    struct bb_sqlite *s = lock(store);
    s->has_news = true;
    unlock(s);
}

static int64_t sqlite_oldest_ms(struct bb_store *store, struct bb_queue *queue) {
    struct bb_sqlite *s = lock_without_news(store);
    int64_t oldest = bb_leases_least(s->memory->vtable->oldest_ms(s->memory, queue),
                                     oldest_kept(s, queue->kept));
    unlock(s);
    return oldest;
}

static size_t sqlite_waiting(struct bb_store *store, struct bb_queue *queue) {
    struct bb_sqlite *s = lock_without_news(store);
    const struct bb_sqlite_queue *q = queue->kept;
    sqlite3_stmt *row = bb_sqlite_db_bind(&s->db, BB_SQL_COUNT_WAITING_OF, "i", q->number);
    size_t waiting = (size_t)number_from(row, 0) + s->memory->vtable->waiting(s->memory, queue);
    unlock(s);
    return waiting;
}

/* What is settled and not written is over. */
static struct bb_store_counts sqlite_counts(struct bb_store *store) {
    struct bb_sqlite *s = lock_without_news(store);
    struct bb_store_counts counts = s->memory->vtable->counts(s->memory);
    counts.claimed -= s->settled.count;
    counts.waiting = (uint64_t)number_from(bb_sqlite_db_bind(&s->db, BB_SQL_COUNT_WAITING, ""), 0) -
                     counts.claimed - s->settled.ended;
    unlock(s);
    return counts;
}

static const struct bb_store_vtable vtable = {
    .version = BB_STORE_VERSION,
    .keeps_rows = true,
    .attach = sqlite_attach,
    .detach = sqlite_detach,
    .free = sqlite_free,
    .open = sqlite_open,
    .close = sqlite_close,
    .put = bb_sqlite_put,
    .take = sqlite_take,
    .give = sqlite_give,
    .wake = sqlite_wake,
    .claim = sqlite_claim,
    .claim_older = sqlite_claim_older,
    .settle = sqlite_settle,
    .unmatched = bb_sqlite_unmatched,
    .match = bb_sqlite_match,
    .owes = sqlite_owes,
    .look_again = sqlite_look_again,
    .is_blocked = bb_sqlite_is_blocked,
    .archive = &bb_store_sqlite_archive,
    .next_ms = sqlite_next_ms,
    .oldest_ms = sqlite_oldest_ms,
    .waiting = sqlite_waiting,
    .counts = sqlite_counts,
};

static int open_file(struct bb_sqlite *s, const char *path, bb_error *error) {
    if (bb_sqlite_file_is_inherited(path))
        return bb_fail(error, BB_ERR_FORKED,
                       "outbox: the parent process had this file open when it forked, and SQLite's "
                       "locks do not outlive that: fork first, or open it after exec");
    int code = bb_sqlite_db_open(&s->db, path, s->config.survives_power_loss, error);
    if (code == BB_OK)
        bb_sqlite_file_note(&s->file, path);
    return code;
}

int bb_store_sqlite_open(const struct bb_store_sqlite_config *config, const char *path,
                         struct bb_store **store, bb_error *error) {
    struct bb_sqlite *s = bb_mem_zalloc(&config->mem, sizeof *s);
    if (!s)
        return bb_fail_memory(error);
    static atomic_ullong opened;
    s->store = (struct bb_store){
        .vtable = &vtable, .lease_ms = config->lease_ms, .process = (long)getpid()};
    s->serial = atomic_fetch_add(&opened, 1) + 1;
    s->config = *config;
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->group_lock, NULL);
    pthread_cond_init(&s->group_done, NULL);
    bb_arena_init(&s->scratch, &s->config.mem);
    const struct bb_store_memory_config memory = {
        .mem = &s->config.mem, .max_deliveries = UINT64_MAX, .max_bytes = UINT64_MAX};
    s->memory = bb_store_memory_new(&memory);
    int code = s->memory ? open_file(s, path, error) : bb_fail_memory(error);
    if (code)
        sqlite_free(&s->store);
    else
        *store = &s->store;
    return code;
}
