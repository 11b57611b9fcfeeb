/* New events: each becomes a delivery for each webhook that wants it. */
#include <stdlib.h>
#include <string.h>

#include "driver/store_sqlite_pass.h"

/* ---- new events ---- */

/* One "order_key length:id," of the list of webhooks; false at its end. */
static bool next_webhook(const char **at, int64_t *order_key, const char **id, size_t *length) {
    char *end;
    if (!*at || !**at)
        return false;
    *order_key = strtoll(*at, &end, 10);
    *length = strtoul(end, &end, 10);
    *id = end + (*end == ':');
    if (strnlen(*id, *length) < *length)
        return false;
    *at = *id + *length;
    *at += **at == ',';
    return true;
}

static bool has_several(const char *webhooks) {
    int64_t order_key;
    const char *at = webhooks, *id;
    size_t length;
    bool has_one = next_webhook(&at, &order_key, &id, &length);
    return has_one && next_webhook(&at, &order_key, &id, &length);
}

int64_t bb_sqlite_number_of(struct bb_sqlite *s, const char *id) {
    bool failed = false;
    int64_t number = -1;
    for (int i = 0; i < 2 && number < 0 && !failed; i++) {
        sqlite3_stmt *row = bb_sqlite_db_bind(&s->db, BB_SQL_FIND_WEBHOOK, "t", id);
        if (bb_sqlite_db_step(row, &failed)) {
            number = sqlite3_column_int64(row, 0);
            sqlite3_reset(row);
        } else if (!failed) {
            failed = !bb_sqlite_db_run(&s->db, BB_SQL_ADD_WEBHOOK, "t", id);
        }
    }
    return failed ? -1 : number;
}

struct fresh {
    int64_t number;
    const char *webhooks; /* the scratch arena's */
    struct bb_parcel *parcel;
    int64_t enqueued_ms, due_ms;
    bool is_shared;     /* by several webhooks */
    const char *is_bad; /* why: it is wanted by nobody, since nobody can read it */
};

/* A later one of its order waits until the earlier one is over. */
static bool is_held(struct bb_sqlite *s, int64_t webhook, int64_t order_key, bool *failed) {
    if (!order_key)
        return false;
    sqlite3_stmt *row = bb_sqlite_db_bind(&s->db, BB_SQL_IS_HELD, "ii", webhook, order_key);
    bool is = bb_sqlite_db_step(row, failed);
    sqlite3_reset(row);
    return is;
}

/* Whether it can be leased as it is made: it is due, and nothing waits ahead of it. */
static bool is_next(struct bb_sqlite *s, const struct bb_sqlite_leased *leased,
                    const struct bb_sqlite_queue *q, const struct fresh *event) {
    return q && !q->is_stale && q->due_ms == INT64_MAX && q->not_before_ms <= s->now_ms &&
           event->due_ms <= bb_leases_later(s->now_ms, s->host.wall_offset_ms) &&
           bb_sqlite_room(s, leased, q) > 0;
}

/* Of rows of `leased` that have no number yet: the next `count`, which are all that the statement
 * writes. SQLite numbers them in their order. */
static bool number_rows(struct bb_sqlite *s, struct bb_sqlite_leased *leased, enum bb_sql which,
                        size_t count) {
    struct bb_delivery *rows = leased->leases.rows + leased->numbered;
    bool failed = false;
    int at = 3;
    sqlite3_stmt *statement =
        bb_sqlite_db_bind(&s->db, which, "ii", leased->leases.lease, bb_sqlite_lease_end_ms(s));
    for (size_t i = 0; i < count; i++) {
        const struct bb_sqlite_queue *q = rows[i].queue->kept;
        int64_t due_ms = leased->leases.due_ms[leased->numbered + i];
        sqlite3_bind_int64(statement, at++, q->number);
        sqlite3_bind_int64(statement, at++, rows[i].claim.event);
        sqlite3_bind_int64(statement, at++, rows[i].history.enqueued_ms + s->host.wall_offset_ms);
        sqlite3_bind_int64(statement, at++, due_ms + s->host.wall_offset_ms);
        sqlite3_bind_int64(statement, at++, rows[i].claim.order_key);
    }
    bb_sqlite_db_step(statement, &failed);
    for (size_t i = 0; i < count; i++)
        rows[i].claim.number = sqlite3_last_insert_rowid(s->db.handle) - (int64_t)(count - 1 - i);
    leased->numbered += count;
    return !failed;
}

/* What was leased is written: before another is, or is asked for, that comes after it. */
static bool number_leased(struct bb_sqlite *s, struct bb_sqlite_leased *leased) {
    bool ok = true;
    while (ok && leased->leases.count - leased->numbered >= BB_SQLITE_TOGETHER)
        ok = number_rows(s, leased, BB_SQL_DELIVER_LEASED_TOGETHER, BB_SQLITE_TOGETHER);
    while (ok && leased->leases.count > leased->numbered)
        ok = number_rows(s, leased, BB_SQL_DELIVER_LEASED, 1);
    return ok;
}

static bool deliver_leased(struct bb_sqlite *s, struct bb_sqlite_leased *leased,
                           struct bb_sqlite_queue *q, const struct fresh *event,
                           int64_t order_key) {
    const struct bb_delivery delivery = {
        .parcel = bb_parcel_retain(event->parcel),
        .queue = q->queue,
        .history = {.enqueued_ms = event->enqueued_ms - s->host.wall_offset_ms, .claims = 1},
        .claim = {.event = event->number, .is_shared = event->is_shared, .order_key = order_key},
    };
    bb_sqlite_add_leased(leased, &delivery, event->due_ms - s->host.wall_offset_ms);
    return leased->leases.count - leased->numbered < BB_SQLITE_TOGETHER || number_leased(s, leased);
}

static bool deliver(struct bb_sqlite *s, struct bb_sqlite_leased *leased, const struct fresh *event,
                    const char *id, int64_t order_key) {
    bool failed = false;
    int64_t webhook = bb_sqlite_number_of(s, id);
    if (webhook < 0 || (order_key && !number_leased(s, leased)))
        return false;
    struct bb_sqlite_queue *q = bb_sqlite_find_queue(s, webhook);
    int64_t held = is_held(s, webhook, order_key, &failed);
    if (!failed && !held && is_next(s, leased, q, event))
        return deliver_leased(s, leased, q, event, order_key);
    if (q)
        q->is_stale = true;
    return !failed && number_leased(s, leased) &&
           bb_sqlite_db_run(&s->db, BB_SQL_DELIVER, "iiiiii", webhook, event->number,
                            event->enqueued_ms, event->due_ms, order_key, held);
}

static bool fan_out(struct bb_sqlite *s, struct bb_sqlite_leased *leased,
                    const struct fresh *event) {
    const char *at = event->webhooks, *id;
    int64_t order_key, open = 0;
    if (event->is_bad)
        return bb_sqlite_bury_unmatched(s, event->number, event->is_bad);
    for (size_t length; next_webhook(&at, &order_key, &id, &length); open++) {
        const char *name = bb_arena_copy(&s->scratch, id, length);
        if (!name || !deliver(s, leased, event, name, order_key))
            return false;
    }
    if (open == 0)
        return bb_sqlite_drop_event(s, event->number);
    return !event->is_shared || bb_sqlite_db_run(&s->db, BB_SQL_SHARE, "ii", event->number, open);
}

static struct fresh read_fresh(struct bb_sqlite *s, sqlite3_stmt *row) {
    int64_t number = sqlite3_column_int64(row, 0);
    const char *webhooks = (const char *)sqlite3_column_text(row, 1);
    const char *json = (const char *)sqlite3_column_text(row, 4);
    struct fresh event = {
        .number = number,
        .webhooks = bb_arena_copy(&s->scratch, webhooks ? webhooks : "",
                                  (size_t)sqlite3_column_bytes(row, 1)),
        .enqueued_ms = sqlite3_column_int64(row, 2),
        .due_ms = sqlite3_column_int64(row, 3),
        .parcel = bb_parcel_of_json(&s->config.mem, number, json, json ? strlen(json) : 0),
    };
    event.is_shared = has_several(event.webhooks);
    return event;
}

/* Of an event that was written by SQL: NULL when it can be read, and so be matched. */
static const char *why_unreadable(struct bb_sqlite *s, struct bb_parcel *parcel, bool *failed) {
    bb_error error = BB_ERROR_INIT;
    char reason[BB_NOTE_REASON];
    bool is_read = bb_parcel_open(parcel, &error) != NULL;
    bb_parcel_close(parcel);
    *failed = !is_read && error.code == BB_ERR_NO_MEMORY;
    if (is_read || *failed)
        return NULL;
    bb_note_unreadable(reason, &error);
    return bb_arena_copy(&s->scratch, reason, strlen(reason));
}

/* Up to one that is not matched yet, so that none is overtaken. */
static bool read_new(struct bb_sqlite *s, struct fresh events[BB_LEASES_NEWS], size_t *count) {
    bool failed = false;
    sqlite3_stmt *row = bb_sqlite_db_bind(&s->db, BB_SQL_NEW_EVENTS, "i", (int64_t)BB_LEASES_NEWS);
    *count = 0;
    s->has_unmatched = false;
    while (!s->has_unmatched && *count < BB_LEASES_NEWS && !failed &&
           bb_sqlite_db_step(row, &failed)) {
        struct fresh event = read_fresh(s, row);
        bool is_matched = sqlite3_column_type(row, 1) != SQLITE_NULL;
        failed = !event.parcel;
        if (!failed && !is_matched)
            event.is_bad = why_unreadable(s, event.parcel, &failed);
        s->has_unmatched = !failed && !is_matched && !event.is_bad;
        if (failed || s->has_unmatched)
            bb_parcel_release(event.parcel);
        else
            events[(*count)++] = event;
    }
    sqlite3_reset(row);
    return !failed && !s->scratch.failed;
}

/* There is a newer one. */
static bool end_empty(struct bb_sqlite *s) {
    return bb_sqlite_db_run(&s->db, BB_SQL_END_EMPTY, "") &&
           bb_sqlite_db_run(&s->db, BB_SQL_NOTE_EMPTY, "i", INT64_C(0));
}

/* With a whole batch there may be more. */
bool bb_sqlite_fan_out(struct bb_sqlite *s, struct bb_sqlite_leased *leased) {
    struct fresh events[BB_LEASES_NEWS];
    size_t count = 0;
    bool ok = read_new(s, events, &count) && (count == 0 || end_empty(s));
    for (size_t i = 0; ok && i < count; i++)
        ok = fan_out(s, leased, &events[i]);
    if (ok && count > 0)
        ok = number_leased(s, leased) &&
             bb_sqlite_db_run(&s->db, BB_SQL_FANNED_OUT, "i", events[count - 1].number);
    for (size_t i = 0; i < count; i++)
        bb_parcel_release(events[i].parcel);
    leased->has_looked = true;
    leased->has_more = count == BB_LEASES_NEWS;
    return ok;
}
