/* Events are written, on a connection of the outbox's own or on the host's. */
#include "driver/store_postgres_work.h"
#include "event/event_json.h"

enum { MOST_PUT = 512 * 1024 * 1024 }; /* in one statement; the server takes no more than a GB */

/* Rows that are ready to be written: of each event its JSON, the webhooks that want it with their
 * order keys, and its key. */
struct put {
    struct bb_arena arena;
    struct bb_buf json, webhooks, order_keys; /* of one event */
    struct bb_buf columns[4];                 /* the same of all, and their keys */
    int64_t enqueued_ms, due_ms;
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

static void init_put(struct put *put, const struct bb_postgres *s, int64_t now_ms, int64_t due_ms) {
    *put = (struct put){.enqueued_ms = now_ms + s->offset_ms, .due_ms = due_ms + s->offset_ms};
    bb_arena_init(&put->arena, &s->config.mem);
    bb_buf_init(&put->json, &s->config.mem, BB_EVENT_JSON_MAX);
    bb_buf_init(&put->webhooks, &s->config.mem, BB_EVENT_JSON_MAX);
    bb_buf_init(&put->order_keys, &s->config.mem, BB_EVENT_JSON_MAX);
    for (size_t i = 0; i < 4; i++)
        bb_buf_init(&put->columns[i], &s->config.mem, MOST_PUT);
}

static void free_put(struct put *put) {
    for (size_t i = 0; i < 4; i++)
        bb_buf_free(&put->columns[i]);
    bb_buf_free(&put->order_keys);
    bb_buf_free(&put->webhooks);
    bb_buf_free(&put->json);
    bb_arena_free(&put->arena);
}

static bool print_event(struct put *put, const struct bb_put_event *event) {
    bb_buf_clear(&put->json);
    bb_buf_clear(&put->webhooks);
    bb_buf_clear(&put->order_keys);
    return bb_event_json(event->event, &put->arena, &put->json) &&
           bb_postgres_print_webhooks(&put->webhooks, &put->order_keys, event->puts, event->count);
}

static bool print_events(struct put *put, const struct bb_put_event *events, size_t count) {
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        if (events[i].count == 0)
            continue;
        ok = print_event(put, &events[i]);
        bb_postgres_add_text(&put->columns[0], bb_buf_data(&put->json));
        bb_postgres_add_text(&put->columns[1], bb_buf_data(&put->webhooks));
        bb_postgres_add_text(&put->columns[2], bb_buf_data(&put->order_keys));
        bb_postgres_add_text(&put->columns[3], events[i].key);
    }
    for (size_t i = 0; ok && i < 4; i++)
        ok = bb_postgres_array(&put->columns[i]);
    return ok;
}

/* One round trip, on a connection of its own: nobody waits for a pass, and no pass for this. */
static bool insert_one(struct bb_postgres_db *db, const struct put *put,
                       struct bb_put_event *event) {
    if (!bb_postgres_db_begin_safe(db))
        return false;
    const char *json = bb_buf_data(&put->json), *webhooks = bb_buf_data(&put->webhooks);
    const char *order_keys = bb_buf_data(&put->order_keys);
    if (event->key)
        bb_postgres_db_send(db, BB_PG_PUT, "uutuii", json, webhooks, order_keys, event->key,
                            put->enqueued_ms, put->due_ms);
    else
        bb_postgres_db_send(db, BB_PG_PUT_PLAIN, "tttii", json, webhooks, order_keys,
                            put->enqueued_ms, put->due_ms);
    if (!bb_postgres_db_commit(db))
        return false;
    event->is_left_out =
        event->key && bb_postgres_db_changes(bb_postgres_db_result(db, BB_PG_PUT)) == 0;
    return true;
}

/* Places are counted from 1, among those that somebody wants. */
static void note_left_out(const struct bb_postgres_db *db, struct bb_put_event *events,
                          size_t count) {
    const PGresult *places = bb_postgres_db_result(db, BB_PG_PUT_MANY);
    int64_t place = 0;
    for (size_t i = 0, row = 0; i < count; i++) {
        place += events[i].count > 0;
        events[i].is_left_out = events[i].count > 0 && (int)row < bb_postgres_db_rows(places) &&
                                bb_postgres_db_int(places, (int)row, 0, 0) == place;
        row += events[i].is_left_out;
    }
}

static bool insert_many(struct bb_postgres_db *db, const struct put *put,
                        struct bb_put_event *events, size_t count) {
    if (!bb_postgres_db_begin_safe(db))
        return false;
    bb_postgres_db_send(db, BB_PG_PUT_MANY, "uuuuii", bb_buf_data(&put->columns[0]),
                        bb_buf_data(&put->columns[1]), bb_buf_data(&put->columns[2]),
                        bb_buf_data(&put->columns[3]), put->enqueued_ms, put->due_ms);
    if (!bb_postgres_db_commit(db))
        return false;
    note_left_out(db, events, count);
    return true;
}

static int put_on_own(struct bb_postgres *s, struct put *put, struct bb_put_event *events,
                      size_t count, bb_error *error) {
    int code = BB_OK;
    if (!(count == 1 ? print_event(put, events) : print_events(put, events, count)))
        return bb_fail_memory(error);
    pthread_mutex_lock(&s->put_lock);
    if (!(count == 1 ? insert_one(&s->put_db, put, events)
                     : insert_many(&s->put_db, put, events, count))) {
        code = bb_fail(error, BB_ERR_OUTBOX, "outbox: the event cannot be written: %s",
                       s->put_db.trouble);
        bb_postgres_db_roll_back(&s->put_db);
    }
    pthread_mutex_unlock(&s->put_lock);
    if (code == BB_OK)
        atomic_store(&s->is_put, true);
    return code;
}

static int put_on_host(PGconn *handle, struct put *put, struct bb_put_event *event,
                       bb_error *error) {
    if (!print_event(put, event))
        return bb_fail_memory(error);
    return bb_postgres_db_put_on(handle, bb_buf_data(&put->json), bb_buf_data(&put->webhooks),
                                 bb_buf_data(&put->order_keys), event->key, put->enqueued_ms,
                                 put->due_ms, &event->is_left_out, error);
}

int bb_postgres_put(struct bb_store *store, void *connection, struct bb_put_event *events,
                    size_t count, int64_t now_ms, int64_t due_ms, bb_error *error) {
    struct bb_postgres *s = (struct bb_postgres *)store;
    struct put put;
    int code = BB_OK;
    bool is_wanted = false;
    init_put(&put, s, now_ms, due_ms);
    for (size_t i = 0; i < count; i++)
        is_wanted |= events[i].count > 0;
    for (size_t i = 0; connection && code == BB_OK && i < count; i++)
        if (events[i].count > 0)
            code = put_on_host(connection, &put, &events[i], error);
    if (!connection && is_wanted)
        code = put_on_own(s, &put, events, count, error);
    free_put(&put);
    return code;
}
