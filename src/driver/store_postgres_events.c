/* New events: they are matched, where SQL has written them, and fanned out into deliveries. */
#include "driver/store_postgres_work.h"
#include "event/event_json.h"

/* ---- who wants what SQL has written ---- */

/* All of the last look: they are matched one by one, and written together by the next pass. */
static void keep_unmatched(struct bb_postgres *s, int64_t number, struct bb_parcel *parcel) {
    s->unmatched[s->unmatched_count++] = (struct bb_postgres_unmatched){number, parcel};
}

void bb_postgres_forget_unmatched(struct bb_postgres *s) {
    while (s->unmatched_at < s->unmatched_count)
        bb_parcel_release(s->unmatched[s->unmatched_at++].parcel);
    s->unmatched_at = s->unmatched_count = 0;
}

/* Beyond so many bytes the rest waits for the next look. */
static bool is_enough(const struct bb_postgres *s) {
    enum { MOST_BYTES = 8 * 1024 * 1024 };
    return s->matched.count > 0 && s->matched.columns[1].length > MOST_BYTES;
}

struct bb_parcel *bb_postgres_unmatched(struct bb_store *store, int64_t *number) {
    struct bb_postgres *s = (struct bb_postgres *)store;
    struct bb_parcel *parcel = NULL;
    pthread_mutex_lock(&s->lock);
    if (is_enough(s))
        bb_postgres_forget_unmatched(s);
    if (s->unmatched_at < s->unmatched_count) {
        const struct bb_postgres_unmatched *next = &s->unmatched[s->unmatched_at++];
        *number = next->number;
        parcel = next->parcel;
        s->has_news = true; /* whatever becomes of it */
    }
    pthread_mutex_unlock(&s->lock);
    return parcel;
}

/* An event with its webhooks, ready to be written. */
struct match {
    struct bb_arena arena;
    struct bb_buf json, webhooks, order_keys;
};

static bool print_match(struct match *m, const struct bb_parcel *parcel, const struct bb_put *puts,
                        size_t count) {
    return bb_event_json(parcel->event, &m->arena, &m->json) &&
           bb_postgres_print_webhooks(&m->webhooks, &m->order_keys, puts, count);
}

static void keep_match(struct bb_postgres *s, int64_t number, const struct match *m) {
    if (s->matched.count == 0)
        bb_postgres_rows_begin(&s->matched, &s->config.mem, "iuuu");
    bb_postgres_rows_add(&s->matched, number, bb_buf_data(&m->json), bb_buf_data(&m->webhooks),
                         bb_buf_data(&m->order_keys));
}

int bb_postgres_match(struct bb_store *store, int64_t number, const struct bb_parcel *parcel,
                      const struct bb_put *puts, size_t count) {
    struct bb_postgres *s = (struct bb_postgres *)store;
    struct match m;
    bb_arena_init(&m.arena, &s->config.mem);
    bb_buf_init(&m.json, &s->config.mem, BB_EVENT_JSON_MAX);
    bb_buf_init(&m.webhooks, &s->config.mem, BB_EVENT_JSON_MAX);
    bb_buf_init(&m.order_keys, &s->config.mem, BB_EVENT_JSON_MAX);
    pthread_mutex_lock(&s->lock);
    bool ok = print_match(&m, parcel, puts, count);
    if (ok)
        keep_match(s, number, &m);
    pthread_mutex_unlock(&s->lock);
    bb_buf_free(&m.order_keys);
    bb_buf_free(&m.webhooks);
    bb_buf_free(&m.json);
    bb_arena_free(&m.arena);
    return ok ? BB_OK : BB_ERR_NO_MEMORY;
}

/* What cannot be written now is seen again as what it was. */
static bool send_matches(struct bb_postgres *s) {
    return s->matched.count == 0 || bb_postgres_rows_send(&s->matched, &s->db, BB_PG_MATCH);
}

void bb_postgres_forget_matches(struct bb_postgres *s) {
    bb_postgres_forget_unmatched(s);
    if (s->matched.count > 0)
        bb_postgres_rows_free(&s->matched);
}

/* ---- new events ---- */

enum {
    ORDERED = 1,
    UNWANTED,
    JSON,
    FOUND
}; /* columns; the JSON is of those that have to be matched only */

/* What one look has found. */
struct news {
    struct bb_buf numbers; /* of those that can be fanned out */
    size_t count;
    bool is_ordered; /* one of them */
    struct bb_postgres_rows unwanted, bad;
};

/* One that SQL has written, and of which nobody has said who wants it. False: out of memory. */
static bool read_unmatched(struct bb_postgres *s, struct news *news, const PGresult *found, int row,
                           bool *is_bad) {
    bb_error error = BB_ERROR_INIT;
    char reason[BB_NOTE_REASON];
    int64_t event = bb_postgres_db_int(found, row, 0, 0);
    struct bb_parcel *parcel = bb_parcel_read(&s->config.mem, event, PQgetvalue(found, row, JSON),
                                              (size_t)PQgetlength(found, row, JSON), &error);
    if (parcel)
        keep_unmatched(s, event, parcel);
    *is_bad = !parcel && error.code != BB_ERR_NO_MEMORY;
    if (!*is_bad)
        return parcel != NULL;
    bb_note_unreadable(reason, &error);
    bb_note_tell_unreadable(&s->host, event, reason);
    bb_postgres_rows_add(&news->bad, event, reason);
    return true;
}

/* One that is matched. */
static void add_news(struct news *news, const PGresult *found, int row) {
    int64_t event = bb_postgres_db_int(found, row, 0, 0);
    if (bb_postgres_db_int(found, row, UNWANTED, 0)) {
        bb_postgres_rows_add(&news->unwanted, event);
        return;
    }
    bb_postgres_add_number(&news->numbers, event);
    news->is_ordered |= bb_postgres_db_int(found, row, ORDERED, 0) != 0;
    news->count++;
}

/* Up to one that must be matched first, so that none is overtaken. */
static bool read_news(struct bb_postgres *s, struct bb_postgres_leased *leased, struct news *news) {
    const PGresult *found = bb_postgres_db_result(&s->db, BB_PG_NEW_EVENTS);
    bool is_held_up = false, is_bad, ok = true;
    int rows = bb_postgres_db_rows(found);
    int64_t count = bb_postgres_db_int(found, 0, FOUND, 0);
    leased->has_found = rows > 0;
    leased->has_more = count == BB_LEASES_NEWS || count > rows;
    bb_postgres_forget_unmatched(s);
    for (int i = 0; ok && i < rows; i++) {
        if (!PQgetisnull(found, i, JSON)) {
            ok = read_unmatched(s, news, found, i, &is_bad);
            is_held_up |= !is_bad;
        } else if (!is_held_up) {
            add_news(news, found, i);
        }
    }
    return ok;
}

static bool look_for_news(struct bb_postgres *s, struct bb_postgres_leased *leased,
                          struct news *news) {
    enum { MOST = 4096 }; /* deliveries: some tens of milliseconds */
    leased->has_looked = s->has_news && !bb_leases_are_enough(s->memory, s->now_ms);
    if (!leased->has_looked)
        return true;
    if (!send_matches(s))
        return false;
    bb_postgres_db_send(&s->db, BB_PG_NEW_EVENTS, "ii", (int64_t)BB_LEASES_NEWS, (int64_t)MOST);
    return bb_postgres_db_exchange(&s->db) && read_news(s, leased, news);
}

/* What is due of it can be leased as it is made: nothing waits ahead of it. */
static bool is_free(const struct bb_postgres *s, const struct bb_postgres_queue *q) {
    const struct bb_flow *flow = q->queue->flow;
    return q->number && !q->is_stale && q->due_ms == INT64_MAX && q->not_before_ms <= s->now_ms &&
           !(flow && flow->window.size > 0);
}

/* Some are enough: what is not leased now is leased a little later. */
static void add_free_queues(const struct bb_postgres *s, struct bb_postgres_rows *rows) {
    enum { MOST = 256 };
    for (const struct bb_postgres_queue *q = s->queues; q && rows->count < MOST; q = q->next) {
        size_t room = is_free(s, q) ? bb_leases_room(s->memory, q->queue, s->queue_count) : 0;
        if (room > 0)
            bb_postgres_rows_add(rows, q->number, (int64_t)room);
    }
}

static bool send_deliveries(struct bb_postgres *s, const struct bb_postgres_leased *leased,
                            const char *numbers) {
    struct bb_postgres_rows rows;
    bb_postgres_rows_begin(&rows, &s->config.mem, "ii");
    if (!leased->leases_nothing)
        add_free_queues(s, &rows);
    const char *queues = bb_postgres_array(&rows.columns[0]);
    const char *room = bb_postgres_array(&rows.columns[1]);
    if (queues && room)
        bb_postgres_db_send(&s->db, BB_PG_FAN_OUT, "tttiiii", numbers, queues, room,
                            bb_leases_later(s->now_ms, s->offset_ms), leased->leases.lease,
                            s->config.lease_ms, (int64_t)BB_LEASES_BATCH);
    bb_postgres_rows_free(&rows);
    return queues && room;
}

static bool send_fan_out(struct bb_postgres *s, const struct bb_postgres_leased *leased,
                         struct news *news) {
    const char *array = bb_postgres_array(&news->numbers);
    if (!array || !bb_postgres_rows_send(&news->bad, &s->db, BB_PG_BURY_EVENTS) ||
        !bb_postgres_rows_send(&news->unwanted, &s->db, BB_PG_DROP_UNWANTED))
        return false;
    if (news->count == 0)
        return true;
    bb_postgres_db_send(&s->db, BB_PG_ADD_WEBHOOKS_OF, "t", array);
    if (news->is_ordered)
        bb_postgres_db_send(&s->db, BB_PG_LOCK_ORDER, "");
    return send_deliveries(s, leased, array);
}

/* Of those that were not leased. */
static void note_fanned_out(struct bb_postgres *s) {
    const PGresult *fanned = bb_postgres_db_result(&s->db, BB_PG_FAN_OUT);
    for (int i = 0; i < bb_postgres_db_rows(fanned); i++) {
        struct bb_postgres_queue *q =
            bb_postgres_find_queue(s, bb_postgres_db_int(fanned, i, 1, 0));
        if (q && PQgetisnull(fanned, i, 0))
            q->is_stale = true;
    }
}

/* After the exchange. */
static void note_written(struct bb_postgres *s, struct bb_postgres_leased *leased) {
    note_fanned_out(s);
    bb_postgres_note_renewals(s, leased->leases.until_ms);
    bb_postgres_free_turns(s);
    bb_postgres_read_leased(s, leased, BB_PG_FAN_OUT);
}

/* Oldest first. */
bool bb_postgres_fan_out(struct bb_postgres *s, struct bb_postgres_leased *leased) {
    struct news news = {.count = 0};
    bb_buf_init(&news.numbers, &s->config.mem, BB_PG_ARRAY_MAX);
    bb_postgres_rows_begin(&news.unwanted, &s->config.mem, "i");
    bb_postgres_rows_begin(&news.bad, &s->config.mem, "iu");
    bool ok = look_for_news(s, leased, &news) && send_fan_out(s, leased, &news) &&
              (leased->settles_nothing || bb_postgres_send_settled(s, news.is_ordered)) &&
              bb_postgres_send_renewals(s) && bb_postgres_send_flows(s) &&
              (bb_postgres_db_has_begun_only(&s->db) || bb_postgres_db_exchange(&s->db));
    bb_postgres_rows_free(&news.bad);
    bb_postgres_rows_free(&news.unwanted);
    bb_buf_free(&news.numbers);
    if (ok)
        note_written(s, leased);
    return ok;
}
