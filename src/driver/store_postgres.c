#include "driver/store_postgres.h"

#include <string.h>

#include <utlist.h>

#include "driver/store_memory.h"
#include "driver/store_postgres_work.h"
#include "event/event_json.h"

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
    struct bb_postgres_queue *q = bb_mem_zalloc(&s->config.mem, sizeof *q + strlen(id) + 1);
    if (!q)
        return NULL;
    strcpy(q->id, id);
    q->queue = s->memory->vtable->open(s->memory, "", owner);
    if (!q->queue) {
        bb_mem_free(&s->config.mem, q);
        return NULL;
    }
    q->queue->kept = q;
    q->due_ms = q->oldest_ms = INT64_MAX;
    s->has_unnumbered = s->has_news = true;
    DL_APPEND2(s->queues, q, previous, next);
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
    bb_mem_free(&s->config.mem, q);
}

/* Those rows that were settled lie in the queue; if they cannot be written, their leases run out.
 */
static void postgres_close(struct bb_store *store, struct bb_queue *queue) {
    struct bb_postgres *s = lock(store);
    bb_settled_release(&s->settled, s->memory, queue, s->now_ms);
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
        s->chance = (uint64_t)s->offset_ms ^ (uint64_t)(uintptr_t)s;
    }
    unlock(s);
    return code;
}

static void postgres_detach(struct bb_store *store) {
    struct bb_postgres *s = lock(store);
    for (struct bb_postgres_queue *q = s->queues; q; q = q->next)
        bb_settled_release(&s->settled, s->memory, q->queue, s->now_ms);
    s->not_before_ms = 0; /* one more try is worth it: else others wait for the leases' end */
    bb_postgres_write_settled(s);
    bb_settled_forget(&s->settled, s->memory, &s->config.mem, NULL);
    bb_postgres_forget_matches(s);
    while (s->queues)
        free_queue(s, s->queues);
    s->host = (struct bb_store_host){0};
    s->offset_ms = s->not_before_ms = s->back_off_ms = s->look_again_ms = s->renew_ms = 0;
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

/* ---- put ---- */

/* One row, ready to be written: the event, and the webhooks that want it with their order keys. */
struct put {
    struct bb_arena arena;
    struct bb_buf json, webhooks, order_keys;
    int64_t enqueued_ms, due_ms;
    const char *key;
};

bool bb_postgres_print_webhooks(struct bb_buf *webhooks, struct bb_buf *order_keys,
                                const struct bb_put *puts, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const struct bb_postgres_queue *q = puts[i].queue->kept;
        bb_postgres_add_text(webhooks, q->id);
        bb_postgres_add_number(order_keys, (int64_t)puts[i].order_key);
    }
    return bb_postgres_array(webhooks) && bb_postgres_array(order_keys);
}

/* One round trip, on a connection of its own: nobody waits for a pass, and no pass for this. */
static bool insert(struct bb_postgres_db *db, const struct put *put) {
    bb_postgres_db_check(db);
    if (!bb_postgres_db_connect(db))
        return false;
    bb_postgres_db_send(db, BB_PG_BEGIN, "");
    bb_postgres_db_send(db, BB_PG_SAFE_SETTINGS, "");
    bb_postgres_db_send(db, BB_PG_PUT, "uutuii", bb_buf_data(&put->json),
                        bb_buf_data(&put->webhooks), bb_buf_data(&put->order_keys), put->key,
                        put->enqueued_ms, put->due_ms);
    bb_postgres_db_send(db, BB_PG_COMMIT, "");
    return bb_postgres_db_exchange(db);
}

static int put_on_own(struct bb_postgres *s, const struct put *put, bb_error *error) {
    int code = BB_OK;
    pthread_mutex_lock(&s->put_lock);
    if (!insert(&s->put_db, put)) {
        code = bb_fail(error, BB_ERR_OUTBOX, "outbox: the event cannot be written: %s",
                       s->put_db.trouble);
        bb_postgres_db_roll_back(&s->put_db);
    }
    pthread_mutex_unlock(&s->put_lock);
    if (code == BB_OK)
        atomic_store(&s->is_put, true);
    return code;
}

static int write(struct bb_postgres *s, const struct bb_put_place *place, struct put *put,
                 const bb_event *event, const struct bb_put *puts, size_t count, bb_error *error) {
    if (!bb_event_json(event, &put->arena, &put->json) ||
        !bb_postgres_print_webhooks(&put->webhooks, &put->order_keys, puts, count))
        return bb_fail_memory(error);
    if (place && place->connection)
        return bb_postgres_db_put_on(place->connection, bb_buf_data(&put->json),
                                     bb_buf_data(&put->webhooks), bb_buf_data(&put->order_keys),
                                     put->key, put->enqueued_ms, put->due_ms, error);
    return put_on_own(s, put, error);
}

static int postgres_put(struct bb_store *store, const struct bb_put_place *place,
                        struct bb_parcel *parcel, const struct bb_put *puts, size_t count,
                        int64_t now_ms, int64_t due_ms, bb_error *error) {
    struct bb_postgres *s = (struct bb_postgres *)store;
    struct put put = {.key = place ? place->key : NULL,
                      .enqueued_ms = now_ms + s->offset_ms,
                      .due_ms = due_ms + s->offset_ms};
    if (count == 0)
        return BB_OK;
    bb_arena_init(&put.arena, &s->config.mem);
    bb_buf_init(&put.json, &s->config.mem, BB_EVENT_JSON_MAX);
    bb_buf_init(&put.webhooks, &s->config.mem, BB_EVENT_JSON_MAX);
    bb_buf_init(&put.order_keys, &s->config.mem, BB_EVENT_JSON_MAX);
    int code = write(s, place, &put, parcel->event, puts, count, error);
    bb_buf_free(&put.order_keys);
    bb_buf_free(&put.webhooks);
    bb_buf_free(&put.json);
    bb_arena_free(&put.arena);
    return code;
}

/* ---- take, claim, settle, give ---- */

/* Though something in memory can be sent. */
static bool must_write(const struct bb_postgres *s, int64_t now_ms) {
    return bb_settled_is_due(&s->settled, now_ms) ||
           (s->has_news && now_ms - s->pass_ms >= s->config.gather_ms);
}

static bool needs_pass(const struct bb_postgres *s, int64_t now_ms) {
    if (now_ms < s->not_before_ms)
        return false;
    return must_write(s, now_ms) ||
           (s->settled.first && bb_settled_is_alone(&s->settled, s->memory)) || s->has_news ||
           now_ms >= s->look_again_ms || (s->due.root && s->due.root->key <= now_ms);
}

/* While something in memory can be sent, only what has waited long enough is written. */
static struct bb_queue *postgres_take(struct bb_store *store, int64_t now_ms) {
    struct bb_postgres *s = lock(store);
    s->now_ms = now_ms;
    if (must_write(s, now_ms) && now_ms >= s->not_before_ms)
        bb_postgres_pass(s, now_ms);
    struct bb_queue *queue = s->memory->vtable->take(s->memory, now_ms);
    if (!queue && needs_pass(s, now_ms) && bb_postgres_pass(s, now_ms))
        queue = s->memory->vtable->take(s->memory, now_ms);
    unlock(s);
    return queue;
}

/* Leases of a queue that may not send for so long are given back. */
static void postgres_give(struct bb_store *store, struct bb_queue *queue, int64_t not_before_ms) {
    enum { LONG_MS = 5000 };
    struct bb_postgres *s = lock(store);
    struct bb_postgres_queue *q = queue->kept;
    if (not_before_ms > s->now_ms && not_before_ms - s->now_ms > LONG_MS)
        bb_settled_release(&s->settled, s->memory, q->queue, s->now_ms);
    q->not_before_ms = not_before_ms;
    bb_postgres_time(s, q);
    s->memory->vtable->give(s->memory, queue, not_before_ms);
    unlock(s);
}

static void postgres_wake(struct bb_store *store, struct bb_queue *queue) {
    struct bb_postgres *s = lock(store);
    struct bb_postgres_queue *q = queue->kept;
    q->not_before_ms = 0;
    bb_postgres_time(s, q);
    s->memory->vtable->wake(s->memory, queue);
    unlock(s);
}

/* Whether a pass might bring something for the queue. */
static bool may_have_more(const struct bb_postgres *s, const struct bb_postgres_queue *q,
                          int64_t now_ms) {
    return now_ms >= s->not_before_ms && (bb_settled_may_bring(&s->settled) || s->has_news ||
                                          (q->is_timed && q->node.key <= now_ms));
}

static struct bb_delivery *postgres_claim(struct bb_store *store, struct bb_queue *queue,
                                          int64_t now_ms) {
    struct bb_postgres *s = lock(store);
    struct bb_delivery *claimed = bb_leases_claim(s->memory, queue, now_ms);
    if (!claimed && may_have_more(s, queue->kept, now_ms) && bb_postgres_pass(s, now_ms))
        claimed = bb_leases_claim(s->memory, queue, now_ms);
    unlock(s);
    return claimed;
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* Of those that nobody has, as of the last look, and of those that nobody will have as soon as
 * that is written. */
static int64_t oldest_kept(const struct bb_postgres *s, const struct bb_postgres_queue *q) {
    int64_t oldest = q->oldest_ms;
    return least(oldest, bb_settled_oldest_ms(&s->settled, q->queue));
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
        bb_postgres_pass(s, s->now_ms);
    return s;
}

static struct bb_delivery *postgres_claim_older(struct bb_store *store, struct bb_queue *queue,
                                                int64_t enqueued_before_ms) {
    struct bb_postgres *s = lock_without_news(store);
    struct bb_delivery *claimed =
        s->memory->vtable->claim_older(s->memory, queue, enqueued_before_ms);
    if (!claimed && lease_older(s, queue->kept, enqueued_before_ms))
        claimed = s->memory->vtable->claim_older(s->memory, queue, enqueued_before_ms);
    unlock(s);
    return claimed;
}

static void postgres_settle(struct bb_store *store, struct bb_delivery *delivery,
                            enum bb_settlement how, int64_t due_ms,
                            const struct bb_result *result) {
    struct bb_postgres *s = lock(store);
    bb_note_settled(&s->config.mem, delivery, how, result);
    bb_settled_add(&s->settled, delivery, how, due_ms, s->now_ms);
    unlock(s);
}

/* ---- looking ---- */

static int64_t pass_ms(const struct bb_postgres *s, int64_t now_ms) {
    int64_t pass_ms = s->look_again_ms;
    if (s->has_news || s->unmatched_count > 0 || must_write(s, now_ms) ||
        (s->settled.first && bb_settled_is_alone(&s->settled, s->memory)))
        pass_ms = now_ms;
    if (s->settled.first)
        pass_ms = least(pass_ms, s->settled.since_ms + BB_LEASES_WRITE_MS);
    if (s->due.root)
        pass_ms = least(pass_ms, s->due.root->key);
    return pass_ms < s->not_before_ms ? s->not_before_ms : pass_ms;
}

static int64_t postgres_next_ms(struct bb_store *store, int64_t now_ms) {
    struct bb_postgres *s = lock(store);
    int64_t next_ms = least(pass_ms(s, now_ms), s->memory->vtable->next_ms(s->memory, now_ms));
    unlock(s);
    return next_ms;
}

static bool postgres_owes(struct bb_store *store, int64_t now_ms) {
    struct bb_postgres *s = lock(store);
    bool owes = s->settled.first || s->has_news || s->unmatched_count > 0 ||
                (s->due.root && s->due.root->key <= now_ms);
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
    int64_t oldest =
        least(s->memory->vtable->oldest_ms(s->memory, queue), oldest_kept(s, queue->kept));
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
    .put = postgres_put,
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
    s->store = (struct bb_store){.vtable = &vtable, .lease_ms = config->lease_ms};
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
