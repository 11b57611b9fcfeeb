#include "driver/store_postgres.h"

#include <string.h>
#include <unistd.h>

#include <utlist.h>

#include "driver/store_memory.h"
#include "driver/store_postgres_work.h"

/* What was put meanwhile is news to whoever looks. */
static struct bb_postgres *lock(struct bb_store *store) {
    struct bb_postgres *s = (struct bb_postgres *)store;
    pthread_mutex_lock(&s->lock);
    s->has_news |= atomic_exchange(&s->is_put, false);
    return s;
}

static void unlock(struct bb_postgres *s) {
    pthread_mutex_unlock(&s->lock);
}

/* ---- queues ---- */

/* Its number is found by the next pass: a queue can be opened while the server is away. */
static struct bb_postgres_queue *make_queue(struct bb_postgres *s, const char *id, void *owner) {
    size_t size = strlen(id) + 1;
    struct bb_postgres_queue *q = bb_mem_zalloc(&s->config.mem, sizeof *q + size);
    if (!q)
        return NULL;
    memcpy(q->id, id, size);
    q->queue = s->memory->vtable->open(s->memory, "", owner);
    if (!q->queue) {
        bb_mem_free(&s->config.mem, q);
        return NULL;
    }
    q->queue->kept = q;
    q->due_ms = q->oldest_ms = INT64_MAX;
    s->has_unnumbered = s->has_news = true;
    DL_APPEND2(s->queues, q, previous, next);
    s->queue_count++;
    return q;
}

static struct bb_queue *postgres_open(struct bb_store *store, const char *webhook_id, void *owner) {
    struct bb_postgres *s = lock(store);
    struct bb_postgres_queue *q = make_queue(s, webhook_id, owner);
    unlock(s);
    return q ? q->queue : NULL;
}

static void free_queue(struct bb_postgres *s, struct bb_postgres_queue *q) {
    q->due_ms = INT64_MAX;
    bb_postgres_time(s, q);
    if (bb_postgres_find_queue(s, q->number) == q)
        s->by_number[q->number] = NULL;
    s->memory->vtable->close(s->memory, q->queue);
    DL_DELETE2(s->queues, q, previous, next);
    s->queue_count--;
    bb_mem_free(&s->config.mem, q);
}

/* Those rows that were settled lie in the queue; if they cannot be written, their leases run out.
 */
static void postgres_close(struct bb_store *store, struct bb_queue *queue) {
    struct bb_postgres *s = lock(store);
    bb_postgres_release_waiting(s, queue->kept);
    bb_postgres_write_settled(s);
    bb_settled_forget(&s->settled, s->memory, &s->config.mem, queue);
    free_queue(s, queue->kept);
    unlock(s);
}

/* ---- life ---- */

/* Both clocks were compared when the outbox was opened; later on, only steady ones are read. */
static int postgres_attach(struct bb_store *store, const struct bb_store_host *host) {
    struct bb_postgres *s = lock(store);
    int code = s->is_attached ? BB_ERR_BUSY : BB_OK;
    if (code == BB_OK) {
        s->host = *host;
        s->offset_ms = host->wall_offset_ms + s->skew_ms;
        s->is_attached = s->has_news = true;
        s->looks.chance = (uint64_t)s->offset_ms ^ (uint64_t)(uintptr_t)s;
    }
    unlock(s);
    return code;
}

static void postgres_detach(struct bb_store *store) {
    struct bb_postgres *s = lock(store);
    for (struct bb_postgres_queue *q = s->queues; q; q = q->next)
        bb_postgres_release_waiting(s, q);
    s->not_before_ms = 0; /* one more try is worth it: else others wait for the leases' end */
    bb_postgres_write_settled(s);
    bb_settled_forget(&s->settled, s->memory, &s->config.mem, NULL);
    bb_postgres_forget_matches(s);
    while (s->queues)
        free_queue(s, s->queues);
    s->host = (struct bb_store_host){0};
    s->offset_ms = s->not_before_ms = s->back_off_ms = s->looks.again_ms = s->renew_ms = 0;
    s->is_attached = false;
    unlock(s);
}

static void postgres_free(struct bb_store *store) {
    struct bb_postgres *s = (struct bb_postgres *)store;
    bb_allocator mem = s->config.mem;
    postgres_detach(store);
    bb_postgres_db_close(&s->db);
    bb_postgres_db_close(&s->put_db);
    bb_postgres_db_close(&s->archive_db);
    if (s->memory)
        s->memory->vtable->free(s->memory);
    bb_mem_free(&mem, s->by_number);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->put_lock);
    pthread_mutex_destroy(&s->archive_lock);
    bb_mem_free(&mem, s);
}

/* ---- take, claim, settle, give ---- */

static void wake(struct bb_postgres *s, struct bb_postgres_queue *q) {
    q->not_before_ms = 0;
    bb_postgres_time(s, q);
    s->memory->vtable->wake(s->memory, q->queue);
}

/* Though something in memory can be sent: there may always be something. */
static bool must_write(const struct bb_postgres *s, int64_t now_ms) {
    return bb_settled_is_due(&s->settled, now_ms) || now_ms >= s->looks.again_ms ||
           (s->posted.first && now_ms - s->posted.since_ms >= BB_LEASES_WRITE_MS) ||
           (s->has_news && now_ms - s->pass_ms >= s->config.gather_ms &&
            !bb_leases_are_enough(s->memory, now_ms));
}

/* Else they are written with what was settled. */
static bool has_flow_news_alone(const struct bb_postgres *s) {
    return s->has_flow_news && !s->settled.first;
}

static bool needs_pass(const struct bb_postgres *s, int64_t now_ms) {
    if (now_ms < s->not_before_ms)
        return false;
    return must_write(s, now_ms) || bb_postgres_is_settled_alone(s) || s->has_news ||
           has_flow_news_alone(s) || (s->due.root && s->due.root->key <= now_ms);
}

/* The end of a pause lets it be taken. */
static void tell_pauses(struct bb_postgres *s) {
    for (struct bb_postgres_queue *q = s->has_others_pauses ? s->queues : NULL; q; q = q->next)
        if (bb_postgres_tell_pause(q))
            wake(s, q);
    s->has_others_pauses = false;
}

/* While something in memory can be sent, only what has waited long enough is written. */
static struct bb_queue *postgres_take(struct bb_store *store, int64_t now_ms) {
    struct bb_postgres *s = lock(store);
    s->now_ms = now_ms;
    if (must_write(s, now_ms) && now_ms >= s->not_before_ms)
        bb_postgres_pass(s, now_ms);
    tell_pauses(s);
    struct bb_queue *queue = s->memory->vtable->take(s->memory, now_ms);
    if (!queue && needs_pass(s, now_ms) && bb_postgres_pass(s, now_ms)) {
        tell_pauses(s);
        queue = s->memory->vtable->take(s->memory, now_ms);
    }
    unlock(s);
    return queue;
}

/* Leases of a queue that may not send for so long are given back. */
static void postgres_give(struct bb_store *store, struct bb_queue *queue, int64_t not_before_ms) {
    enum { LONG_MS = 5000 };
    struct bb_postgres *s = lock(store);
    struct bb_postgres_queue *q = queue->kept;
    if (not_before_ms > s->now_ms && not_before_ms - s->now_ms > LONG_MS)
        bb_postgres_release_waiting(s, q);
    q->not_before_ms = not_before_ms;
    bb_postgres_time(s, q);
    s->memory->vtable->give(s->memory, queue, not_before_ms);
    unlock(s);
}

static void postgres_wake(struct bb_store *store, struct bb_queue *queue) {
    struct bb_postgres *s = lock(store);
    bb_postgres_note_pause(s, queue->kept);
    wake(s, queue->kept);
    unlock(s);
}

/* Whether a pass might bring something for the queue. */
static bool may_have_more(const struct bb_postgres *s, const struct bb_postgres_queue *q,
                          int64_t now_ms) {
    return now_ms >= s->not_before_ms && (bb_settled_may_bring(&s->settled) || s->has_news ||
                                          (q->is_timed && q->node.key <= now_ms));
}

/* Once half of its share is claimed it may have more. */
static void note_room(struct bb_postgres *s, struct bb_postgres_queue *q) {
    if (!q->is_full || bb_leases_room(s->memory, q->queue, s->queue_count) <
                           s->memory->vtable->waiting(s->memory, q->queue))
        return;
    q->is_full = false;
    bb_postgres_time(s, q);
}

/* So that a crash repeats no more of it than may be under way. */
static void write_settled_of(struct bb_postgres *s, const struct bb_queue *queue, int64_t now_ms) {
    s->now_ms = now_ms;
    if (now_ms < s->not_before_ms || !bb_settled_must_be_written(queue))
        return;
    if (bb_postgres_wait_for_posted(s) && bb_settled_must_be_written(queue))
        bb_postgres_write_settled(s);
}

static struct bb_delivery *postgres_claim(struct bb_store *store, struct bb_queue *queue,
                                          int64_t now_ms) {
    struct bb_postgres *s = lock(store);
    write_settled_of(s, queue, now_ms);
    struct bb_delivery *claimed = bb_leases_claim(&s->settled, s->memory, queue, now_ms);
    note_room(s, queue->kept);
    if (!claimed && may_have_more(s, queue->kept, now_ms) && bb_postgres_pass(s, now_ms))
        claimed = bb_leases_claim(&s->settled, s->memory, queue, now_ms);
    if (bb_settled_must_soon_be_written(queue))
        bb_postgres_post(s);
    unlock(s);
    return claimed;
}

/* Of those that nobody has, as of the last look, and of those that nobody will have as soon as
 * that is written. */
static int64_t oldest_kept(const struct bb_postgres *s, const struct bb_postgres_queue *q) {
    int64_t oldest = q->oldest_ms;
    return bb_leases_least(oldest, bb_settled_oldest_ms(&s->settled, q->queue));
}

/* Leases it, if there is any. */
static bool lease_older(struct bb_postgres *s, struct bb_postgres_queue *q, int64_t before_ms) {
    return s->now_ms >= s->not_before_ms && oldest_kept(s, q) < before_ms &&
           bb_postgres_lease_older(s, q, before_ms);
}

/* New events are deliveries first. */
static struct bb_postgres *lock_without_news(struct bb_store *store) {
    struct bb_postgres *s = lock(store);
    if (s->has_news && s->now_ms >= s->not_before_ms)
        bb_postgres_pass_over(s, s->now_ms);
    bb_postgres_wait_for_posted(s); /* by that, too */
    return s;
}

static struct bb_delivery *postgres_claim_older(struct bb_store *store, struct bb_queue *queue,
                                                int64_t enqueued_before_ms) {
    struct bb_postgres *s = lock_without_news(store);
    struct bb_delivery *claimed =
        s->memory->vtable->claim_older(s->memory, queue, enqueued_before_ms);
    if (!claimed && lease_older(s, queue->kept, enqueued_before_ms))
        claimed = s->memory->vtable->claim_older(s->memory, queue, enqueued_before_ms);
    note_room(s, queue->kept);
    unlock(s);
    return claimed;
}

static void postgres_settle(struct bb_store *store, struct bb_delivery *delivery,
                            enum bb_settlement how, int64_t due_ms,
                            const struct bb_result *result) {
    struct bb_postgres *s = lock(store);
    struct bb_postgres_queue *q = delivery->queue->kept;
    bb_note_settled(&s->config.mem, delivery, how, result);
    if (result && result->duration_ms >= 0)
        bb_postgres_note_attempt(s, q);
    if (result && result->outcome->whole_type)
        bb_postgres_note_pauses(s);
    else
        bb_postgres_note_pause(s, q);
    bb_settled_add(&s->settled, delivery, how, due_ms, s->now_ms);
    unlock(s);
}

/* ---- looking ---- */

static int64_t pass_ms(const struct bb_postgres *s, int64_t now_ms) {
    int64_t pass_ms = s->looks.again_ms;
    if (s->has_news || s->unmatched_count > 0 || has_flow_news_alone(s) || must_write(s, now_ms) ||
        bb_postgres_is_settled_alone(s))
        pass_ms = now_ms;
    if (s->settled.first)
        pass_ms = bb_leases_least(pass_ms, s->settled.since_ms + BB_LEASES_WRITE_MS);
    if (s->posted.first)
        pass_ms = bb_leases_least(pass_ms, s->posted.since_ms + BB_LEASES_WRITE_MS);
    if (s->due.root)
        pass_ms = bb_leases_least(pass_ms, s->due.root->key);
    return pass_ms < s->not_before_ms ? s->not_before_ms : pass_ms;
}

static int64_t postgres_next_ms(struct bb_store *store, int64_t now_ms) {
    struct bb_postgres *s = lock(store);
    int64_t next_ms =
        bb_leases_least(pass_ms(s, now_ms), s->memory->vtable->next_ms(s->memory, now_ms));
    unlock(s);
    return next_ms;
}

static bool has_suspects(const struct bb_postgres *s) {
    for (const struct bb_postgres_queue *q = s->queues; q; q = q->next)
        if (q->has_suspects)
            return true;
    return false;
}

static bool postgres_owes(struct bb_store *store, int64_t now_ms) {
    struct bb_postgres *s = lock(store);
    bool owes = s->settled.first || s->posted.first || s->has_news || s->unmatched_count > 0 ||
                s->has_flow_news || (s->due.root && s->due.root->key <= now_ms) ||
                has_suspects(s) || bb_postgres_waits_for_turn(s, now_ms);
    unlock(s);
    return owes;
}

static void postgres_look_again(struct bb_store *store) {
    struct bb_postgres *s = lock(store);
    s->has_news = true;
    unlock(s);
}

static int64_t postgres_oldest_ms(struct bb_store *store, struct bb_queue *queue) {
    struct bb_postgres *s = lock_without_news(store);
    int64_t oldest = bb_leases_least(s->memory->vtable->oldest_ms(s->memory, queue),
                                     oldest_kept(s, queue->kept));
    unlock(s);
    return oldest;
}

static size_t postgres_waiting(struct bb_store *store, struct bb_queue *queue) {
    struct bb_postgres *s = lock_without_news(store);
    const struct bb_postgres_queue *q = queue->kept;
    size_t waiting = s->memory->vtable->waiting(s->memory, queue);
    if (q->number)
        waiting += (size_t)bb_postgres_count(s, q->number);
    unlock(s);
    return waiting;
}

/* What is settled and not written is over. While the server is away, those in memory are all that
 * is known of. */
static struct bb_store_counts postgres_counts(struct bb_store *store) {
    struct bb_postgres *s = lock_without_news(store);
    struct bb_store_counts counts = s->memory->vtable->counts(s->memory);
    counts.claimed -= s->settled.count;
    uint64_t rows = bb_postgres_count(s, 0), over = counts.claimed + s->settled.ended;
    if (rows > over + counts.waiting)
        counts.waiting = rows - over;
    unlock(s);
    return counts;
}

static const struct bb_store_vtable vtable = {
    .version = BB_STORE_VERSION,
    .keeps_rows = true,
    .attach = postgres_attach,
    .detach = postgres_detach,
    .free = postgres_free,
    .open = postgres_open,
    .close = postgres_close,
    .put = bb_postgres_put,
    .take = postgres_take,
    .give = postgres_give,
    .wake = postgres_wake,
    .claim = postgres_claim,
    .claim_older = postgres_claim_older,
    .settle = postgres_settle,
    .unmatched = bb_postgres_unmatched,
    .match = bb_postgres_match,
    .look_again = postgres_look_again,
    .owes = postgres_owes,
    .archive = &bb_store_postgres_archive,
    .next_ms = postgres_next_ms,
    .oldest_ms = postgres_oldest_ms,
    .waiting = postgres_waiting,
    .counts = postgres_counts,
};

static int open_databases(struct bb_postgres *s, const char *conninfo, bb_error *error) {
    int code = bb_postgres_db_read(&s->put_db, conninfo, error);
    code = code ? code : bb_postgres_db_read(&s->archive_db, conninfo, error);
    return code ? code : bb_postgres_db_open(&s->db, conninfo, &s->skew_ms, error);
}

int bb_store_postgres_open(const struct bb_store_postgres_config *config, const char *conninfo,
                           struct bb_store **store, bb_error *error) {
    struct bb_postgres *s = bb_mem_zalloc(&config->mem, sizeof *s);
    if (!s)
        return bb_fail_memory(error);
    s->store = (struct bb_store){
        .vtable = &vtable, .lease_ms = config->lease_ms, .process = (long)getpid()};
    s->config = *config;
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->put_lock, NULL);
    pthread_mutex_init(&s->archive_lock, NULL);
    const struct bb_store_memory_config memory = {
        .mem = &s->config.mem, .max_deliveries = UINT64_MAX, .max_bytes = UINT64_MAX};
    s->memory = bb_store_memory_new(&memory);
    int code = s->memory ? open_databases(s, conninfo, error) : bb_fail_memory(error);
    if (code)
        postgres_free(&s->store);
    else
        *store = &s->store;
    return code;
}
