/* Events on their way in: one row each, by the library or by SQL. */
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "driver/store_sqlite_pass.h"
#include "event/event_json.h"

static struct bb_sqlite *lock(struct bb_store *store) {
    struct bb_sqlite *s = (struct bb_sqlite *)store;
    pthread_mutex_lock(&s->lock);
    return s;
}

static void unlock(struct bb_sqlite *s) {
    pthread_mutex_unlock(&s->lock);
}

/* ---- put ---- */

/* One row, ready to be written: the event, and the webhooks that want it as "order_key length:id,"
 * each. */
struct bb_sqlite_putting {
    struct bb_arena arena;
    struct bb_buf json, webhooks;
    int64_t enqueued_ms, due_ms;
    const char *key;

    int code; /* of the group that it is written with ... */
    bb_error *error;
    bool is_done;
    struct bb_sqlite_putting *next; /* ... which this is a list of */
};

static bool print_webhooks(struct bb_buf *out, const struct bb_put *puts, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const struct bb_sqlite_queue *q = puts[i].queue->kept;
        char head[48];
        int length = snprintf(head, sizeof head, "%" PRId64 " %zu:", (int64_t)puts[i].order_key,
                              strlen(q->id));
        bb_buf_add(out, head, (size_t)length);
        bb_buf_add(out, q->id, strlen(q->id));
        bb_buf_add(out, ",", 1);
    }
    return !bb_buf_failed(out);
}

static int insert(sqlite3 *handle, sqlite3_stmt *statement, const struct bb_sqlite_putting *put,
                  bb_error *error) {
    sqlite3_bind_text(statement, 1, bb_buf_data(&put->json), -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, bb_buf_data(&put->webhooks), -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, put->key, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 4, put->enqueued_ms);
    sqlite3_bind_int64(statement, 5, put->due_ms);
    int code = BB_OK;
    if (sqlite3_step(statement) != SQLITE_DONE)
        code = bb_sqlite_db_fail(handle, "the event cannot be written", error);
    else if (sqlite3_changes(handle) == 0)
        code = BB_ERR_EXISTS; /* one with its key waits already */
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return code;
}

/* ---- groups: those who put at the same time share one transaction, and its wait for the disk ----
 */

static bool insert_all(struct bb_sqlite *s, struct bb_sqlite_putting *group) {
    for (struct bb_sqlite_putting *put = group; put; put = put->next) {
        put->code = insert(s->db.handle, s->db.statements[BB_SQL_PUT], put, put->error);
        if (put->code && put->code != BB_ERR_EXISTS)
            return false;
    }
    return true;
}

static bool write_group(struct bb_sqlite *s, struct bb_sqlite_putting *group) {
    bool ok = bb_sqlite_db_run(&s->db, BB_SQL_BEGIN, "") && insert_all(s, group) &&
              bb_sqlite_db_run(&s->db, BB_SQL_COMMIT, "");
    s->has_news |= ok;
    return ok;
}

/* None of them is written. */
static void fail_group(struct bb_sqlite *s, struct bb_sqlite_putting *group) {
    for (struct bb_sqlite_putting *put = group; put; put = put->next)
        put->code = bb_sqlite_db_fail(s->db.handle, "the event cannot be written", put->error);
    if (!sqlite3_get_autocommit(s->db.handle))
        bb_sqlite_db_run(&s->db, BB_SQL_ROLLBACK, "");
}

/* Nobody waits for the store's lock while somebody else has the database's. */
static void lead(struct bb_sqlite *s, struct bb_sqlite_putting *group) {
    enum { TRIES = 1000, PAUSE_MS = 5 };
    bool is_busy = true;
    for (int i = 0; i < TRIES && is_busy; i++) {
        pthread_mutex_lock(&s->lock);
        bool ok = write_group(s, group);
        is_busy = !ok && bb_sqlite_db_is_busy(&s->db);
        if (!ok)
            fail_group(s, group);
        pthread_mutex_unlock(&s->lock);
        if (is_busy)
            sqlite3_sleep(PAUSE_MS);
    }
}

/* Those of the last group are about to come again: a wait for the disk takes longer than they do.
 */
static void wait_for_company(struct bb_sqlite *s) {
    enum { LOOKS = 20 };
    for (int i = 0; i < LOOKS && s->group_size < s->last_group_size; i++) {
        pthread_mutex_unlock(&s->group_lock);
        sched_yield();
        pthread_mutex_lock(&s->group_lock);
    }
    s->last_group_size = s->group_size;
    s->group_size = 0;
}

static int put_on_own(struct bb_sqlite *s, struct bb_sqlite_putting *put, bb_error *error) {
    struct bb_sqlite_putting *group;
    put->error = error;
    pthread_mutex_lock(&s->group_lock);
    put->next = s->group;
    s->group = put;
    s->group_size++;
    while (!put->is_done && s->is_led)
        pthread_cond_wait(&s->group_done, &s->group_lock);
    if (!put->is_done) { /* then it is still in the group, and nobody leads */
        s->is_led = true;
        wait_for_company(s);
        group = s->group;
        s->group = NULL;
        pthread_mutex_unlock(&s->group_lock);
        lead(s, group);
        pthread_mutex_lock(&s->group_lock);
        for (; group; group = group->next)
            group->is_done = true;
        s->is_led = false;
        pthread_cond_broadcast(&s->group_done);
    }
    pthread_mutex_unlock(&s->group_lock);
    return put->code;
}

static int write(struct bb_sqlite *s, const struct bb_put_place *place,
                 struct bb_sqlite_putting *put, const bb_event *event, const struct bb_put *puts,
                 size_t count, bb_error *error) {
    if (!bb_event_json(event, &put->arena, &put->json) ||
        !print_webhooks(&put->webhooks, puts, count))
        return bb_fail_memory(error);
    const struct bb_sqlite_connection *host = place ? place->connection : NULL;
    if (host)
        return insert(host->db, host->put, put, error);
    return put_on_own(s, put, error);
}

int bb_sqlite_put(struct bb_store *store, const struct bb_put_place *place,
                  struct bb_parcel *parcel, const struct bb_put *puts, size_t count, int64_t now_ms,
                  int64_t due_ms, bb_error *error) {
    struct bb_sqlite *s = (struct bb_sqlite *)store;
    struct bb_sqlite_putting put = {.key = place ? place->key : NULL,
                                    .enqueued_ms = now_ms + s->host.wall_offset_ms,
                                    .due_ms = due_ms + s->host.wall_offset_ms};
    if (count == 0)
        return BB_OK;
    bb_arena_init(&put.arena, &s->config.mem);
    bb_buf_init(&put.json, &s->config.mem, BB_EVENT_JSON_MAX);
    bb_buf_init(&put.webhooks, &s->config.mem, BB_EVENT_JSON_MAX);
    int code = write(s, place, &put, parcel->event, puts, count, error);
    bb_buf_free(&put.webhooks);
    bb_buf_free(&put.json);
    bb_arena_free(&put.arena);
    return code;
}

/* ---- what was written by SQL ---- */

/* What nobody can read is the next pass's, which buries it. */
static struct bb_parcel *read_unmatched(struct bb_sqlite *s, int64_t *number) {
    struct bb_parcel *parcel = NULL;
    bool failed = false;
    sqlite3_stmt *row = bb_sqlite_db_bind(&s->db, BB_SQL_UNMATCHED, "");
    bool is_there = bb_sqlite_db_step(row, &failed);
    if (is_there) {
        *number = sqlite3_column_int64(row, 0);
        parcel =
            bb_sqlite_parcel(s, NULL, *number, (const char *)sqlite3_column_text(row, 1), NULL);
    }
    sqlite3_reset(row);
    s->has_unmatched = parcel != NULL;
    s->has_news |= !parcel;
    return parcel;
}

struct bb_parcel *bb_sqlite_unmatched(struct bb_store *store, int64_t *number) {
    struct bb_sqlite *s = lock(store);
    struct bb_parcel *parcel = s->has_unmatched ? read_unmatched(s, number) : NULL;
    unlock(s);
    return parcel;
}

static int write_match(struct bb_sqlite *s, int64_t number, struct bb_sqlite_putting *put,
                       const struct bb_parcel *parcel, const struct bb_put *puts, size_t count) {
    if (!bb_event_json(parcel->event, &put->arena, &put->json) ||
        !print_webhooks(&put->webhooks, puts, count))
        return BB_ERR_NO_MEMORY;
    return bb_sqlite_db_run(&s->db, BB_SQL_MATCH, "itt", number, bb_buf_data(&put->json),
                            bb_buf_data(&put->webhooks))
               ? BB_OK
               : BB_ERR_OUTBOX;
}

int bb_sqlite_match(struct bb_store *store, int64_t number, const struct bb_parcel *parcel,
                    const struct bb_put *puts, size_t count) {
    struct bb_sqlite *s = lock(store);
    struct bb_sqlite_putting put = {.key = NULL};
    bb_arena_init(&put.arena, &s->config.mem);
    bb_buf_init(&put.json, &s->config.mem, BB_EVENT_JSON_MAX);
    bb_buf_init(&put.webhooks, &s->config.mem, BB_EVENT_JSON_MAX);
    int code = write_match(s, number, &put, parcel, puts, count);
    s->has_news |= code == BB_OK;
    bb_buf_free(&put.webhooks);
    bb_buf_free(&put.json);
    bb_arena_free(&put.arena);
    unlock(s);
    return code;
}
