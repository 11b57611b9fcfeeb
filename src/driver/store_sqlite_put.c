/* Events on their way in: one row each, by the library or by SQL. */
#include <sched.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
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

/* A row that is ready to be written: where its texts begin. */
struct row {
    size_t json, webhooks;
    const char *key;
    bool *is_left_out;
};

/* Rows that are written together: the event, and the webhooks that want it as "order_key
 * length:id," each. */
struct bb_sqlite_putting {
    struct bb_arena arena;
    struct bb_buf texts;
    struct row only; /* usually there is one: it needs no memory */
    struct row *rows;
    size_t count;
    int64_t enqueued_ms, due_ms;

    int code; /* of the group that it is written with ... */
    bb_error *error;
    bool is_done;
    struct bb_sqlite_putting *next; /* ... which this is a list of */
};

static bool print_webhooks(struct bb_buf *out, const struct bb_put *puts, size_t count) {
    char room[BB_INTEGER_SIZE];
    for (size_t i = 0; i < count; i++) {
        const struct bb_sqlite_queue *q = puts[i].queue->kept;
        size_t length = strlen(q->id);
        bb_buf_text(out, bb_text_digits((int64_t)puts[i].order_key, room));
        bb_buf_add(out, " ", 1);
        bb_buf_text(out, bb_text_digits((int64_t)length, room));
        bb_buf_add(out, ":", 1);
        bb_buf_add(out, q->id, length);
        bb_buf_add(out, ",", 1);
    }
    bb_buf_add(out, "", 1);
    return !bb_buf_failed(out);
}

static int insert_row(sqlite3 *handle, sqlite3_stmt *statement, const char *texts,
                      const struct row *row, bb_error *error) {
    int code = BB_OK;
    sqlite3_bind_text(statement, 1, texts + row->json, (int)(row->webhooks - row->json - 1),
                      SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, texts + row->webhooks, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, row->key, -1, SQLITE_STATIC);
    if (sqlite3_step(statement) != SQLITE_DONE)
        code = bb_sqlite_db_fail(handle, "the event cannot be written", error);
    *row->is_left_out = code == BB_OK && sqlite3_changes(handle) == 0;
    sqlite3_reset(statement);
    return code;
}

static int insert(sqlite3 *handle, sqlite3_stmt *statement, const struct bb_sqlite_putting *put,
                  bb_error *error) {
    int code = BB_OK;
    sqlite3_bind_int64(statement, 4, put->enqueued_ms);
    sqlite3_bind_int64(statement, 5, put->due_ms);
    for (size_t i = 0; code == BB_OK && i < put->count; i++)
        code = insert_row(handle, statement, bb_buf_data(&put->texts), &put->rows[i], error);
    sqlite3_clear_bindings(statement);
    return code;
}

/* ---- groups: those who put at the same time share one transaction, and its wait for the disk ----
 */

static bool insert_all(struct bb_sqlite *s, struct bb_sqlite_putting *group) {
    for (struct bb_sqlite_putting *put = group; put; put = put->next) {
        put->code = insert(s->db.handle, s->db.statements[BB_SQL_PUT], put, put->error);
        if (put->code)
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

static int64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Those of the last group, and those who came while it was written, are about to come (again): a
 * wait for the disk takes longer than they do. Where they were waited for in vain the next wait is
 * half as long; none is long, for the last group may have waited for another process's lock. */
static void wait_for_company(struct bb_sqlite *s) {
    enum { LONGEST_US = 5000, MOST_VAIN = 4 };
    int64_t most_us = s->group_us < LONGEST_US ? s->group_us : LONGEST_US;
    int64_t until_us = now_us() + (most_us >> (1 + s->vain));
    while (s->group_size < s->company && now_us() < until_us) {
        pthread_mutex_unlock(&s->group_lock);
        sched_yield();
        pthread_mutex_lock(&s->group_lock);
    }
    if (s->group_size >= s->company)
        s->vain = 0;
    else if (s->vain < MOST_VAIN)
        s->vain++;
}

/* Writes the group that is waiting. The group's lock is held before and after, not meanwhile. */
static void lead_group(struct bb_sqlite *s) {
    s->is_led = true;
    wait_for_company(s);
    struct bb_sqlite_putting *group = s->group;
    size_t size = s->group_size;
    s->group = NULL;
    s->group_size = 0;
    pthread_mutex_unlock(&s->group_lock);
    int64_t began_us = now_us();
    lead(s, group);
    pthread_mutex_lock(&s->group_lock);
    s->group_us = now_us() - began_us;
    for (; group; group = group->next)
        group->is_done = true;
    s->company = size + s->group_size;
    s->is_led = false;
    pthread_cond_broadcast(&s->group_done);
}

static int put_on_own(struct bb_sqlite *s, struct bb_sqlite_putting *put, bb_error *error) {
    put->error = error;
    pthread_mutex_lock(&s->group_lock);
    put->next = s->group;
    s->group = put;
    s->group_size++;
    while (!put->is_done && s->is_led)
        pthread_cond_wait(&s->group_done, &s->group_lock);
    if (!put->is_done) /* then it is still in the group, and nobody leads */
        lead_group(s);
    pthread_mutex_unlock(&s->group_lock);
    return put->code;
}

/* ---- on the host's connection ---- */

/* What this thread has enqueued last within a transaction of its own, and the outbox's serial
 * number; 0: nothing. The connection itself is not asked later on: it may be closed by then. */
static _Thread_local struct {
    uint64_t outbox;
    int64_t number;
} open_put;

static int put_on_host(const struct bb_sqlite *s, const struct bb_sqlite_connection *host,
                       const struct bb_sqlite_putting *put, bb_error *error) {
    int code = insert(host->db, host->put, put, error);
    if (code == BB_OK && !*put->rows->is_left_out && !sqlite3_get_autocommit(host->db)) {
        open_put.outbox = s->serial;
        open_put.number = sqlite3_last_insert_rowid(host->db);
    }
    return code;
}

/* Whether somebody has the right to write, and nobody has committed since that event was written.
 */
static bool is_open(struct bb_sqlite *s, int64_t number) {
    bool failed = false;
    if (bb_sqlite_db_run(&s->db, BB_SQL_BEGIN, "")) {
        bb_sqlite_db_run(&s->db, BB_SQL_ROLLBACK, "");
        return false;
    }
    if (!bb_sqlite_db_is_busy(&s->db))
        return false;
    sqlite3_stmt *row = bb_sqlite_db_bind(&s->db, BB_SQL_IS_COMMITTED, "i", number);
    bool is_committed = bb_sqlite_db_step(row, &failed);
    sqlite3_reset(row);
    return !is_committed && !failed;
}

/* After a rollback it may be somebody else who writes: that passes, and is waited for. */
bool bb_sqlite_is_blocked(struct bb_store *store) {
    enum { TRIES = 20, PAUSE_MS = 5 };
    struct bb_sqlite *s = (struct bb_sqlite *)store;
    bool is_blocked = open_put.outbox == s->serial;
    for (int i = 0; is_blocked && i < TRIES; i++) {
        pthread_mutex_lock(&s->lock);
        is_blocked = is_open(s, open_put.number);
        pthread_mutex_unlock(&s->lock);
        if (is_blocked)
            sqlite3_sleep(PAUSE_MS);
    }
    if (!is_blocked && open_put.outbox == s->serial)
        open_put.outbox = 0;
    return is_blocked;
}

/* ---- what is to be written ---- */

static int print_row(struct bb_sqlite_putting *put, struct bb_put_event *event) {
    struct row row = {.key = event->key, .is_left_out = &event->is_left_out};
    row.json = put->texts.length;
    if (!bb_event_json(event->event, &put->arena, &put->texts))
        return BB_ERR_NO_MEMORY;
    bb_buf_add(&put->texts, "", 1);
    row.webhooks = put->texts.length;
    if (!print_webhooks(&put->texts, event->puts, event->count))
        return BB_ERR_NO_MEMORY;
    put->rows[put->count++] = row;
    return BB_OK;
}

/* Those that somebody wants. */
static int print_rows(struct bb_sqlite_putting *put, struct bb_put_event *events, size_t count) {
    int code = BB_OK;
    if (count > 1)
        put->rows = bb_arena_alloc(&put->arena, count * sizeof *put->rows);
    if (!put->rows)
        return BB_ERR_NO_MEMORY;
    for (size_t i = 0; code == BB_OK && i < count; i++)
        if (events[i].count > 0)
            code = print_row(put, &events[i]);
    return code;
}

static void init_putting(struct bb_sqlite_putting *put, const struct bb_sqlite *s) {
    enum { USUAL_SIZE = 1000 }; /* of an event, and of a block that allocators are quick with */
    *put = (struct bb_sqlite_putting){.rows = &put->only};
    bb_arena_init(&put->arena, &s->config.mem);
    bb_buf_init(&put->texts, &s->config.mem, SIZE_MAX / 2);
    bb_buf_reserve(&put->texts, USUAL_SIZE);
}

static void free_putting(struct bb_sqlite_putting *put) {
    bb_buf_free(&put->texts);
    bb_arena_free(&put->arena);
}

int bb_sqlite_put(struct bb_store *store, void *connection, struct bb_put_event *events,
                  size_t count, int64_t now_ms, int64_t due_ms, bb_error *error) {
    struct bb_sqlite *s = (struct bb_sqlite *)store;
    const struct bb_sqlite_connection *host = connection;
    struct bb_sqlite_putting put;
    init_putting(&put, s);
    put.enqueued_ms = now_ms + s->host.wall_offset_ms;
    put.due_ms = due_ms + s->host.wall_offset_ms;
    int code = print_rows(&put, events, count);
    if (code)
        bb_fail_memory(error);
    else if (host && put.count > 0)
        code = put_on_host(s, host, &put, error);
    else if (put.count > 0)
        code = put_on_own(s, &put, error);
    free_putting(&put);
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
        const char *json = (const char *)sqlite3_column_text(row, 1);
        parcel = bb_parcel_read(&s->config.mem, *number, json, json ? strlen(json) : 0, NULL);
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

static int write_match(struct bb_sqlite *s, int64_t number, const struct bb_sqlite_putting *put) {
    const char *texts = bb_buf_data(&put->texts);
    return bb_sqlite_db_run(&s->db, BB_SQL_MATCH, "itt", number, texts + put->rows->json,
                            texts + put->rows->webhooks)
               ? BB_OK
               : BB_ERR_OUTBOX;
}

int bb_sqlite_match(struct bb_store *store, int64_t number, const struct bb_parcel *parcel,
                    const struct bb_put *puts, size_t count) {
    struct bb_sqlite *s = lock(store);
    struct bb_put_event event = {.event = parcel->event, .puts = puts, .count = count};
    struct bb_sqlite_putting put;
    init_putting(&put, s);
    int code = print_row(&put, &event);
    code = code ? code : write_match(s, number, &put);
    s->has_news |= code == BB_OK;
    free_putting(&put);
    unlock(s);
    return code;
}
