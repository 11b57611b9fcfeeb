/* New events: they are matched, where SQL has written them, and fanned out into deliveries. */
#include <string.h>

#include "driver/store_postgres_work.h"
#include "event/event_json.h"

enum { MOST_ARRAY = 64 * 1024 * 1024 };

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

enum { JSON = 2 }; /* the column, of those that have to be matched only */

/* What one look has found. */
struct news {
    struct bb_buf numbers; /* of those that can be fanned out */
    size_t count;
    bool is_ordered; /* one of them */
    struct bb_postgres_rows bad;
    int found; /* in all */
};

/* One that SQL has written, and of which nobody has said who wants it. False: out of memory. */
static bool read_unmatched(struct bb_postgres *s, struct news *news, const PGresult *found, int row,
                           bool *is_bad) {
    bb_error error = BB_ERROR_INIT;
    char reason[BB_NOTE_REASON];
    int64_t event = bb_postgres_db_int(found, row, 0, 0);
    struct bb_parcel *parcel = bb_note_parcel(&s->config.mem, event, PQgetvalue(found, row, JSON),
                                              (size_t)PQgetlength(found, row, JSON), &error);
    *is_bad = !parcel;
    if (parcel)
        keep_unmatched(s, event, parcel);
    if (parcel || error.code == BB_ERR_NO_MEMORY)
        return parcel != NULL;
    bb_note_unreadable(reason, &error);
    bb_note_tell_unreadable(&s->host, event, reason);
    bb_postgres_rows_add(&news->bad, event, reason);
    return true;
}

/* Up to one that must be matched first, so that none is overtaken. */
static bool read_news(struct bb_postgres *s, struct news *news) {
    const PGresult *found = bb_postgres_db_result(&s->db, BB_PG_NEW_EVENTS);
    bool is_held_up = false, is_bad, ok = true;
    news->found = bb_postgres_db_rows(found);
    bb_postgres_forget_unmatched(s);
    for (int i = 0; ok && i < news->found; i++) {
        if (!PQgetisnull(found, i, JSON)) {
            ok = read_unmatched(s, news, found, i, &is_bad);
            is_held_up |= !is_bad;
        } else if (!is_held_up) {
            bb_postgres_add_number(&news->numbers, bb_postgres_db_int(found, i, 0, 0));
            news->is_ordered |= bb_postgres_db_int(found, i, 1, 0) != 0;
            news->count++;
        }
    }
    return ok;
}

static bool look_for_news(struct bb_postgres *s, struct news *news) {
    if (!s->has_news)
        return true;
    if (!send_matches(s))
        return false;
    bb_postgres_db_send(&s->db, BB_PG_NEW_EVENTS, "i", (int64_t)BB_LEASES_BATCH);
    return bb_postgres_db_exchange(&s->db) && read_news(s, news);
}

static bool send_fan_out(struct bb_postgres *s, struct news *news) {
    const char *array = bb_postgres_array(&news->numbers);
    if (!array || !bb_postgres_rows_send(&news->bad, &s->db, BB_PG_BURY_EVENTS))
        return false;
    if (news->count == 0)
        return true;
    bb_postgres_db_send(&s->db, BB_PG_ADD_WEBHOOKS_OF, "t", array);
    if (news->is_ordered)
        bb_postgres_db_send(&s->db, BB_PG_LOCK_ORDER, "");
    bb_postgres_db_send(&s->db, BB_PG_FAN_OUT, "t", array);
    return true;
}

static void note_fanned_out(struct bb_postgres *s) {
    const PGresult *fanned = bb_postgres_db_result(&s->db, BB_PG_FAN_OUT);
    for (int i = 0; i < bb_postgres_db_rows(fanned); i++) {
        struct bb_postgres_queue *q =
            bb_postgres_find_queue(s, bb_postgres_db_int(fanned, i, 0, 0));
        if (q)
            q->is_stale = true;
    }
}

/* Oldest first. */
bool bb_postgres_fan_out(struct bb_postgres *s, struct bb_postgres_leased *leased) {
    struct news news = {.count = 0};
    bb_buf_init(&news.numbers, &s->config.mem, MOST_ARRAY);
    bb_postgres_rows_begin(&news.bad, &s->config.mem, "iu");
    bool ok = look_for_news(s, &news) && send_fan_out(s, &news) &&
              bb_postgres_send_settled(s, news.is_ordered) && bb_postgres_send_renewals(s);
    bb_postgres_rows_free(&news.bad);
    bb_buf_free(&news.numbers);
    if (ok && s->has_expired)
        bb_postgres_db_send(&s->db, BB_PG_FREE_EXPIRED, "");
    ok = ok && bb_postgres_db_exchange(&s->db);
    if (ok && s->has_expired)
        bb_postgres_make_stale(s);
    if (ok) {
        note_fanned_out(s);
        bb_postgres_note_renewals(s, leased->leases.until_ms);
    }
    leased->found = (size_t)news.found;
    return ok;
}
