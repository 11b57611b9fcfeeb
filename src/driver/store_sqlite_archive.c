#include "driver/store_sqlite_archive.h"

#include <string.h>

#include "driver/store_sqlite_pass.h"

/* These are rare, so they are prepared when they are needed. */
#define FITS                                                                                       \
    " WHERE (?1 = 0 OR d.number = ?1) AND (?2 IS NULL OR d.webhook = (SELECT number FROM"          \
    " bb_webhook WHERE id = ?2)) AND d.died_ms >= ?3 AND (?4 = 0 OR d.died_ms < ?4)"               \
    " AND (?5 = 0 OR d.verdict = ?5) ORDER BY d.died_ms, d.number LIMIT ?6"

static const char count_dead[] = "SELECT count(*) FROM (SELECT 1 FROM bb_dead d" FITS ")";
static const char list_dead[] =
    "SELECT d.number, ifnull(w.id, ''), e.json, d.reason, d.enqueued_ms, d.died_ms, d.verdict,"
    " d.attempts FROM bb_dead d LEFT JOIN bb_webhook w ON w.number = d.webhook"
    " JOIN bb_event e ON e.number = d.event" FITS;
static const char revive_dead[] =
    "INSERT INTO bb_delivery(number, webhook, event, enqueued_ms, due_ms, order_key, is_held)"
    " SELECT number, webhook, event, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER),"
    " 0, 0, 0 FROM (SELECT d.* FROM bb_dead d" FITS ") WHERE webhook <> 0";

/* What nobody could read is a new event once more: those up to the last that was fanned out are not
 * looked at again. */
static const char renew_events[] =
    "INSERT INTO bb_event(json) SELECT e.json FROM (SELECT d.* FROM bb_dead d" FITS
    ") d JOIN bb_event e ON e.number = d.event WHERE d.webhook = 0";
static const char drop_renewed[] = "DELETE FROM bb_event WHERE number IN (SELECT event FROM"
                                   " (SELECT d.* FROM bb_dead d" FITS ") WHERE webhook = 0)";
static const char drop_revived[] =
    "DELETE FROM bb_dead WHERE number IN (SELECT d.number FROM bb_dead d" FITS ")";
static const char list_attempts[] =
    "SELECT at_ms, duration_ms, attempt, verdict, status, code, words FROM bb_attempt"
    " WHERE delivery = ?1 ORDER BY number";

/* A dead letter that is forgotten lets go of its event, as a delivery does that is over. */
static const char find_old[] = "SELECT number, event, EXISTS(SELECT 1 FROM bb_shared s WHERE"
                               " s.event = d.event), 0, 0 FROM bb_dead d WHERE died_ms < ?1"
                               " ORDER BY died_ms LIMIT ?2";
static const char forget_dead[] = "DELETE FROM bb_dead WHERE number = ?1";
static const char forget_attempts[] =
    "DELETE FROM bb_attempt WHERE number IN (SELECT number FROM bb_attempt ORDER BY number"
    " LIMIT ?2) AND at_ms < ?1";

static const char find_of_key[] =
    "SELECT d.number, d.event, EXISTS(SELECT 1 FROM bb_shared s WHERE s.event = d.event),"
    " d.webhook, d.order_key FROM bb_delivery d JOIN bb_event e ON e.number = d.event"
    " WHERE e.key = ?1 AND d.lease = 0 LIMIT ?2";
static const char forget_new[] = "DELETE FROM bb_event WHERE key = ?1 AND number >"
                                 " (SELECT fanned_out FROM bb_outbox_version)";
static const char forget_delivery[] = "DELETE FROM bb_delivery WHERE number = ?1";

enum { STEP = 500 };

static struct bb_sqlite *lock(struct bb_store *store) {
    struct bb_sqlite *s = (struct bb_sqlite *)store;
    pthread_mutex_lock(&s->lock);
    return s;
}

static void unlock(struct bb_sqlite *s) {
    pthread_mutex_unlock(&s->lock);
}

static int fail(struct bb_sqlite *s, bb_error *error) {
    if (s->is_outdated)
        return bb_fail(error, BB_ERR_OUTBOX, "outbox: %s", BB_LEASES_OUTDATED);
    return bb_sqlite_db_fail(s->db.handle, "it cannot be read or written", error);
}

/* ---- statements ---- */

static sqlite3_stmt *prepare(struct bb_sqlite *s, const char *sql) {
    sqlite3_stmt *statement = NULL;
    sqlite3_prepare_v2(s->db.handle, sql, -1, &statement, NULL);
    return statement; /* NULL is bound, stepped and finalized without harm, and fails */
}

static sqlite3_stmt *prepare_filter(struct bb_sqlite *s, const char *sql,
                                    const bb_dead_filter *filter) {
    sqlite3_stmt *statement = prepare(s, sql);
    sqlite3_bind_int64(statement, 1, filter->number);
    sqlite3_bind_text(statement, 2, filter->webhook_id, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 3, filter->died_from_ms);
    sqlite3_bind_int64(statement, 4, filter->died_before_ms);
    sqlite3_bind_int64(statement, 5, (int64_t)filter->verdict);
    sqlite3_bind_int64(statement, 6, filter->most ? (int64_t)filter->most : -1);
    return statement;
}

static bool run(sqlite3_stmt *statement) {
    bool ok = statement && sqlite3_step(statement) == SQLITE_DONE;
    sqlite3_finalize(statement);
    return ok;
}

/* The caller may wait, but nobody else for the store's lock meanwhile. */
static bool begin(struct bb_sqlite *s) {
    enum { TRIES = 1000, PAUSE_MS = 5 };
    bool ok = bb_sqlite_begin(s);
    for (int i = 0; i < TRIES && !ok && bb_sqlite_db_is_busy(&s->db); i++) {
        pthread_mutex_unlock(&s->lock);
        sqlite3_sleep(PAUSE_MS);
        pthread_mutex_lock(&s->lock);
        ok = bb_sqlite_begin(s);
    }
    return ok;
}

static bool end(struct bb_sqlite *s, bool ok) {
    if (ok && bb_sqlite_db_run(&s->db, BB_SQL_COMMIT, ""))
        return true;
    if (!sqlite3_get_autocommit(s->db.handle))
        bb_sqlite_db_run(&s->db, BB_SQL_ROLLBACK, "");
    return false;
}

/* ---- dead letters ---- */

static bool count_fitting(struct bb_sqlite *s, const bb_dead_filter *filter, size_t *count) {
    sqlite3_stmt *row = prepare_filter(s, count_dead, filter);
    bool ok = row && sqlite3_step(row) == SQLITE_ROW;
    if (ok)
        *count = (size_t)sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    return ok;
}

static bool show_dead(struct bb_sqlite *s, const bb_dead_filter *filter, bb_dead_visitor visit,
                      void *user) {
    sqlite3_stmt *row = prepare_filter(s, list_dead, filter);
    int code, stop = 0;
    while (row && (code = sqlite3_step(row)) == SQLITE_ROW && !stop) {
        bb_dead_letter letter = BB_DEAD_LETTER_INIT;
        letter.number = sqlite3_column_int64(row, 0);
        letter.webhook_id = (const char *)sqlite3_column_text(row, 1);
        letter.event = (const char *)sqlite3_column_text(row, 2);
        letter.reason = (const char *)sqlite3_column_text(row, 3);
        letter.enqueued_ms = sqlite3_column_int64(row, 4);
        letter.died_ms = sqlite3_column_int64(row, 5);
        letter.verdict = (bb_verdict)sqlite3_column_int(row, 6);
        letter.attempts = sqlite3_column_int(row, 7);
        stop = visit(user, &letter);
    }
    sqlite3_finalize(row);
    return row && (stop || code == SQLITE_DONE);
}

/* What has ended and is not written yet belongs to what is asked for. */
static bool write_first(struct bb_sqlite *s) {
    if (!s->settled.first)
        return true;
    if (!begin(s))
        return false;
    bool ok = end(s, bb_sqlite_settle_all(s));
    if (ok)
        bb_sqlite_forget_settled(s, NULL);
    return ok;
}

static int dead(struct bb_store *store, const bb_dead_filter *filter, bb_dead_visitor visit,
                void *user, size_t *count, bb_error *error) {
    struct bb_sqlite *s = lock(store);
    bool ok = write_first(s) && count_fitting(s, filter, count) &&
              (!visit || show_dead(s, filter, visit, user));
    int code = ok ? BB_OK : fail(s, error);
    unlock(s);
    return code;
}

/* The number of rows, too. */
static bool run_filter(struct bb_sqlite *s, const char *sql, const bb_dead_filter *filter,
                       size_t *count) {
    bool ok = run(prepare_filter(s, sql, filter));
    *count += ok ? (size_t)sqlite3_changes(s->db.handle) : 0;
    return ok;
}

static int replay(struct bb_store *store, const bb_dead_filter *filter, size_t *count,
                  bb_error *error) {
    struct bb_sqlite *s = lock(store);
    bool ok = write_first(s) && begin(s);
    *count = 0;
    if (ok) {
        size_t dropped = 0;
        ok = end(s, run_filter(s, revive_dead, filter, count) &&
                        run_filter(s, renew_events, filter, count) &&
                        run_filter(s, drop_renewed, filter, &dropped) &&
                        run_filter(s, drop_revived, filter, &dropped));
    }
    if (!ok)
        *count = 0;
    for (struct bb_sqlite_queue *q = s->queues; ok && q; q = q->next)
        q->is_stale = true;
    s->has_news |= ok;
    int code = ok ? BB_OK : fail(s, error);
    unlock(s);
    return code;
}

/* ---- attempts ---- */

static bool show_attempts(struct bb_sqlite *s, int64_t number, bb_attempt_visitor visit,
                          void *user) {
    sqlite3_stmt *row = prepare(s, list_attempts);
    int code = SQLITE_DONE, stop = 0;
    sqlite3_bind_int64(row, 1, number);
    while (row && (code = sqlite3_step(row)) == SQLITE_ROW && !stop) {
        bb_attempt_record record = BB_ATTEMPT_RECORD_INIT;
        record.at_ms = sqlite3_column_int64(row, 0);
        record.duration_ms = sqlite3_column_int64(row, 1);
        record.attempt = sqlite3_column_int(row, 2);
        record.verdict = (bb_verdict)sqlite3_column_int(row, 3);
        record.http_status = sqlite3_column_int(row, 4);
        record.remote_code = (const char *)sqlite3_column_text(row, 5);
        record.remote_message = (const char *)sqlite3_column_text(row, 6);
        stop = visit(user, &record);
    }
    sqlite3_finalize(row);
    return row && (stop || code == SQLITE_DONE);
}

static int attempts(struct bb_store *store, int64_t number, bb_attempt_visitor visit, void *user,
                    bb_error *error) {
    struct bb_sqlite *s = lock(store);
    int code = write_first(s) && show_attempts(s, number, visit, user) ? BB_OK : fail(s, error);
    unlock(s);
    return code;
}

/* ---- forgetting ---- */

/* Rows that let go of their event, and of those behind them in their order. */
struct gone {
    struct bb_claim rows[STEP];
    int64_t webhooks[STEP];
    size_t count;
};

static bool find_gone(sqlite3_stmt *row, struct gone *gone) {
    int code = SQLITE_ERROR;
    for (gone->count = 0; gone->count < STEP && row && (code = sqlite3_step(row)) == SQLITE_ROW;) {
        gone->webhooks[gone->count] = sqlite3_column_int64(row, 3);
        gone->rows[gone->count++] = (struct bb_claim){.number = sqlite3_column_int64(row, 0),
                                                      .event = sqlite3_column_int64(row, 1),
                                                      .is_shared = sqlite3_column_int(row, 2),
                                                      .order_key = sqlite3_column_int64(row, 4)};
    }
    sqlite3_finalize(row);
    return code == SQLITE_DONE || code == SQLITE_ROW;
}

static bool let_go(struct bb_sqlite *s, const struct bb_claim *claim, int64_t webhook) {
    return bb_sqlite_end_event(s, claim) &&
           (!claim->is_shared || bb_sqlite_db_run(&s->db, BB_SQL_FREE_KEY, "i", claim->event)) &&
           (!claim->order_key ||
            bb_sqlite_db_run(&s->db, BB_SQL_NEXT_OF_ORDER, "ii", webhook, claim->order_key));
}

static bool forget_gone(struct bb_sqlite *s, const struct gone *gone, const char *sql) {
    sqlite3_stmt *statement = prepare(s, sql);
    bool ok = statement != NULL;
    for (size_t i = 0; ok && i < gone->count; i++) {
        sqlite3_bind_int64(statement, 1, gone->rows[i].number);
        ok = sqlite3_step(statement) == SQLITE_DONE && let_go(s, &gone->rows[i], gone->webhooks[i]);
        sqlite3_reset(statement);
    }
    sqlite3_finalize(statement);
    return ok;
}

static bool forget_log(struct bb_sqlite *s, int64_t before_ms, size_t *count) {
    sqlite3_stmt *statement = prepare(s, forget_attempts);
    sqlite3_bind_int64(statement, 1, before_ms);
    sqlite3_bind_int64(statement, 2, STEP);
    bool ok = run(statement);
    *count = ok ? (size_t)sqlite3_changes(s->db.handle) : 0;
    return ok;
}

/* One small transaction; `*count` is 0 when nothing is left. */
static bool purge_step(struct bb_sqlite *s, int64_t before_ms, size_t *count) {
    struct gone gone;
    size_t lines = 0;
    if (!begin(s))
        return false;
    sqlite3_stmt *row = prepare(s, find_old);
    sqlite3_bind_int64(row, 1, before_ms);
    sqlite3_bind_int64(row, 2, STEP);
    bool ok = find_gone(row, &gone) && forget_gone(s, &gone, forget_dead) &&
              forget_log(s, before_ms, &lines);
    *count = gone.count + lines;
    return end(s, ok);
}

static int purge(struct bb_store *store, int64_t before_ms, size_t *count, bb_error *error) {
    size_t step = 1;
    int code = BB_OK;
    *count = 0;
    while (code == BB_OK && step > 0) {
        struct bb_sqlite *s = lock(store); /* anew for each step: others have their turn */
        code = write_first(s) && purge_step(s, before_ms, &step) ? BB_OK : fail(s, error);
        *count += code ? 0 : step;
        unlock(s);
    }
    return code;
}

static bool cancel_step(struct bb_sqlite *s, const char *key, size_t *count) {
    struct gone gone;
    if (!begin(s))
        return false;
    sqlite3_stmt *row = prepare(s, find_of_key);
    sqlite3_bind_text(row, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_int64(row, 2, STEP);
    bool ok = find_gone(row, &gone) && forget_gone(s, &gone, forget_delivery);
    row = prepare(s, forget_new); /* what waits behind an event that is not matched yet */
    sqlite3_bind_text(row, 1, key, -1, SQLITE_STATIC);
    ok = run(row) && ok;
    *count = gone.count + (ok ? (size_t)sqlite3_changes(s->db.handle) : 0);
    return end(s, ok);
}

/* What was leased ahead of time, and is not under way, is given back first. */
static bool give_back(struct bb_sqlite *s) {
    for (struct bb_sqlite_queue *q = s->queues; q; q = q->next)
        bb_sqlite_release_waiting(s, q);
    return write_first(s);
}

/* Also what was committed by others; not what must be matched first. */
static bool fan_out_all(struct bb_sqlite *s) {
    s->has_news = true;
    while (s->has_news && !s->has_unmatched) {
        if (!give_back(s) || !bb_sqlite_pass(s, s->now_ms))
            return false;
    }
    return true;
}

static int cancel(struct bb_store *store, const char *key, size_t *count, bb_error *error) {
    struct bb_sqlite *s = lock(store);
    size_t step = 1;
    *count = 0;
    bool ok = fan_out_all(s) && give_back(s);
    while (ok && step > 0) {
        ok = cancel_step(s, key, &step);
        *count += ok ? step : 0;
    }
    for (struct bb_sqlite_queue *q = s->queues; q; q = q->next)
        q->is_stale = true;
    s->has_news = true;
    int code = ok ? BB_OK : fail(s, error);
    unlock(s);
    return code;
}

const struct bb_store_archive bb_store_sqlite_archive = {
    .dead = dead,
    .replay = replay,
    .attempts = attempts,
    .purge = purge,
    .cancel = cancel,
};
