/* Dead letters, the log of attempts, and what is taken back: on a connection of their own, so that
 * passes go on meanwhile. */
#include "driver/store_postgres_work.h"

enum { STEP = 500 };

#define KEY BB_PG_UTF8("$1")
#define WEBHOOK_ID BB_PG_UTF8("$2")

/* $7 and $8: behind that one. */
#define FITS                                                                                       \
    " WHERE ($1::bigint = 0 OR d.number = $1) AND ($2::bytea IS NULL OR d.webhook = (SELECT"       \
    " number FROM bb_webhook WHERE id = " WEBHOOK_ID ")) AND d.died_ms >= $3 AND"                  \
    " ($4::bigint = 0 OR d.died_ms < $4) AND ($5::bigint = 0 OR d.verdict = $5)"                   \
    " AND (d.died_ms, d.number) > ($7::bigint, $8::bigint)"                                        \
    " ORDER BY d.died_ms, d.number LIMIT $6"

/* Of the events that lose, or get, rows of `from`: the new counts, locked in the order of their
 * numbers, as everybody does. */
#define EVENTS(from, open, dead)                                                                   \
    " events AS MATERIALIZED (SELECT e.number, e.open " open " AS open, e.dead " dead " AS dead"   \
    " FROM bb_event e JOIN (SELECT event, count(*)::int AS count, count(*) FILTER"                 \
    " (WHERE webhook <> 0)::int AS known FROM " from " GROUP BY event) AS c"                       \
    " ON c.event = e.number ORDER BY e.number FOR UPDATE OF e),"
#define EVENTS_OF_REVIVED EVENTS("fit", "+ c.known", "- c.count")
#define EVENTS_OF_FORGOTTEN EVENTS("old", "", "- c.count")
#define EVENTS_OF_TAKEN_BACK EVENTS("back", "- c.count", "")

#define FORGET_EVENTS                                                                              \
    " gone AS (DELETE FROM bb_event e USING events v WHERE e.number = v.number AND v.open <= 0"    \
    " AND v.dead <= 0), kept AS (UPDATE bb_event e SET open = v.open, dead = v.dead, key ="        \
    " CASE WHEN v.open > 0 THEN e.key END FROM events v WHERE e.number = v.number AND"             \
    " (v.open > 0 OR v.dead > 0))"

static const char count_dead[] = "SELECT count(*) FROM (SELECT FROM bb_dead d" FITS ") AS f";
static const char list_dead[] =
    "SELECT d.number, coalesce(w.id, ''), e.json, d.reason, d.enqueued_ms, d.died_ms, d.verdict,"
    " d.attempts FROM bb_dead d LEFT JOIN bb_webhook w ON w.number = d.webhook"
    " JOIN bb_event e ON e.number = d.event" FITS;

/* An event that nobody could read is a new one again, to be matched. */
static const char revive_dead[] =
    "WITH fit AS MATERIALIZED (SELECT d.number, d.webhook, d.event FROM bb_dead d" FITS
    " FOR UPDATE), revived AS (INSERT INTO bb_delivery(number, webhook, event, enqueued_ms, due_ms,"
    " order_key, is_held) SELECT number, webhook, event, " BB_PG_NOW_MS ", 0, 0, false FROM fit"
    " WHERE webhook <> 0),"
    " dropped AS (DELETE FROM bb_dead d USING fit f WHERE d.number = f.number)," EVENTS_OF_REVIVED
    " changed AS (UPDATE bb_event e SET open = nullif(v.open, 0), dead = v.dead, enqueued_ms ="
    " CASE WHEN v.open = 0 THEN " BB_PG_NOW_MS " ELSE e.enqueued_ms END FROM events v"
    " WHERE e.number = v.number) SELECT count(*) FROM fit";

static const char list_attempts[] =
    "SELECT at_ms, duration_ms, attempt, verdict, status, code, words FROM bb_attempt"
    " WHERE delivery = $1 ORDER BY number";

static const char forget_old[] =
    "WITH old AS MATERIALIZED (SELECT number, webhook, event FROM bb_dead WHERE died_ms < $1"
    " ORDER BY died_ms, number LIMIT $2 FOR UPDATE SKIP LOCKED),"
    " dropped AS (DELETE FROM bb_dead d USING old o WHERE d.number = o.number)"
    "," EVENTS_OF_FORGOTTEN FORGET_EVENTS
    ", lines AS (DELETE FROM bb_attempt a USING (SELECT delivery, number FROM bb_attempt"
    " WHERE at_ms < $1 ORDER BY at_ms LIMIT $2 FOR UPDATE SKIP LOCKED) AS o WHERE a.delivery ="
    " o.delivery AND a.number = o.number RETURNING 1)"
    " SELECT (SELECT count(*) FROM old) + (SELECT count(*) FROM lines)";

static const char forget_new[] =
    "WITH gone AS (DELETE FROM bb_event WHERE key = " KEY " AND open IS NULL RETURNING"
    " coalesce(cardinality(webhooks), 1) AS wanted) SELECT coalesce(sum(wanted), 0) FROM gone";
static const char forget_deliveries[] =
    "WITH back AS MATERIALIZED (SELECT d.number, d.webhook, d.event, d.order_key FROM bb_delivery d"
    " JOIN bb_event e ON e.number = d.event WHERE e.key = " KEY " AND d.lease = 0"
    " ORDER BY d.number FOR UPDATE OF d SKIP LOCKED),"
    " dropped AS (DELETE FROM bb_delivery d USING back b WHERE d.number = b.number)"
    "," EVENTS_OF_TAKEN_BACK FORGET_EVENTS " SELECT webhook, order_key FROM back";

/* ---- transactions ---- */

/* What has ended belongs to what is asked for. What cannot be written now is not there yet. */
static struct bb_postgres *lock(struct bb_store *store) {
    struct bb_postgres *s = (struct bb_postgres *)store;
    pthread_mutex_lock(&s->archive_lock);
    pthread_mutex_lock(&s->lock);
    bb_postgres_write_settled(s);
    pthread_mutex_unlock(&s->lock);
    return s;
}

static int unlock(struct bb_postgres *s, bool ok, bb_error *error) {
    int code = ok ? BB_OK
                  : bb_fail(error, BB_ERR_OUTBOX, "outbox: it cannot be read or written: %s",
                            s->archive_db.trouble);
    pthread_mutex_unlock(&s->archive_lock);
    return code;
}

static bool end(struct bb_postgres_db *db, bool ok) {
    if (ok && bb_postgres_db_commit(db))
        return true;
    bb_postgres_db_roll_back(db);
    return false;
}

/* The answer to the one statement that has no name. */
static const PGresult *answer(const struct bb_postgres_db *db) {
    return bb_postgres_db_result(db, BB_PG_STATEMENTS);
}

/* ---- dead letters ---- */

/* Those that fit, in steps: the next one begins behind this one. */
struct step {
    const bb_dead_filter *filter;
    int64_t died_ms, number;
    uint64_t left;
};

static struct step first_step(const bb_dead_filter *filter) {
    return (struct step){.filter = filter,
                         .died_ms = INT64_MIN,
                         .left = filter->most ? filter->most : (uint64_t)INT64_MAX};
}

static bool ask(struct bb_postgres_db *db, const char *sql, const struct step *step,
                uint64_t most) {
    const bb_dead_filter *filter = step->filter;
    if (!bb_postgres_db_begin_safe(db))
        return false;
    bb_postgres_db_send_sql(db, sql, "iuiiiiii", filter->number, filter->webhook_id,
                            filter->died_from_ms, filter->died_before_ms, (int64_t)filter->verdict,
                            (int64_t)(step->left < most ? step->left : most), step->died_ms,
                            step->number);
    return end(db, true);
}

static bool count_fitting(struct bb_postgres_db *db, const bb_dead_filter *filter, size_t *count) {
    const struct step all = first_step(filter);
    if (!ask(db, count_dead, &all, INT64_MAX))
        return false;
    *count = (size_t)bb_postgres_db_int(answer(db), 0, 0, 0);
    return true;
}

static int show_letter(const PGresult *rows, int row, bb_dead_visitor visit, void *user) {
    bb_dead_letter letter = BB_DEAD_LETTER_INIT;
    letter.number = bb_postgres_db_int(rows, row, 0, 0);
    letter.webhook_id = PQgetvalue(rows, row, 1);
    letter.event = PQgetvalue(rows, row, 2);
    letter.reason = PQgetvalue(rows, row, 3);
    letter.enqueued_ms = bb_postgres_db_int(rows, row, 4, 0);
    letter.died_ms = bb_postgres_db_int(rows, row, 5, 0);
    letter.verdict = (bb_verdict)bb_postgres_db_int(rows, row, 6, 0);
    letter.attempts = (int)bb_postgres_db_int(rows, row, 7, 0);
    return visit(user, &letter);
}

static bool show_dead(struct bb_postgres_db *db, const bb_dead_filter *filter,
                      bb_dead_visitor visit, void *user) {
    struct step step = first_step(filter);
    int count = STEP, stop = 0;
    while (!stop && count == STEP && step.left > 0) {
        if (!ask(db, list_dead, &step, STEP))
            return false;
        const PGresult *rows = answer(db);
        count = bb_postgres_db_rows(rows);
        for (int i = 0; i < count && !stop; i++)
            stop = show_letter(rows, i, visit, user);
        step.left -= (uint64_t)count;
        step.number = bb_postgres_db_int(rows, count - 1, 0, 0);
        step.died_ms = bb_postgres_db_int(rows, count - 1, 5, 0);
    }
    return true;
}

static int dead(struct bb_store *store, const bb_dead_filter *filter, bb_dead_visitor visit,
                void *user, size_t *count, bb_error *error) {
    struct bb_postgres *s = lock(store);
    bool ok = count_fitting(&s->archive_db, filter, count) &&
              (!visit || show_dead(&s->archive_db, filter, visit, user));
    return unlock(s, ok, error);
}

/* What waits is new to passes. */
static void look_again(struct bb_postgres *s) {
    pthread_mutex_lock(&s->lock);
    bb_postgres_make_stale(s);
    s->has_news = true;
    pthread_mutex_unlock(&s->lock);
}

/* Only so many as there are now: one may die again meanwhile. */
static int replay(struct bb_store *store, const bb_dead_filter *filter, size_t *count,
                  bb_error *error) {
    struct bb_postgres *s = lock(store);
    struct step step = first_step(filter);
    size_t most = 0, revived = STEP;
    *count = 0;
    bool ok = count_fitting(&s->archive_db, filter, &most);
    step.left = most;
    while (ok && step.left > 0 && revived > 0) {
        ok = ask(&s->archive_db, revive_dead, &step, STEP);
        revived = ok ? (size_t)bb_postgres_db_int(answer(&s->archive_db), 0, 0, 0) : 0;
        step.left -= revived;
        *count += revived;
    }
    look_again(s);
    return unlock(s, ok, error);
}

/* ---- attempts ---- */

static bool show_attempts(struct bb_postgres_db *db, int64_t number, bb_attempt_visitor visit,
                          void *user) {
    if (!bb_postgres_db_begin_safe(db))
        return false;
    bb_postgres_db_send_sql(db, list_attempts, "i", number);
    if (!end(db, true))
        return false;
    const PGresult *rows = answer(db);
    for (int i = 0, stop = 0; i < bb_postgres_db_rows(rows) && !stop; i++) {
        bb_attempt_record record = BB_ATTEMPT_RECORD_INIT;
        record.at_ms = bb_postgres_db_int(rows, i, 0, 0);
        record.duration_ms = bb_postgres_db_int(rows, i, 1, 0);
        record.attempt = (int)bb_postgres_db_int(rows, i, 2, 0);
        record.verdict = (bb_verdict)bb_postgres_db_int(rows, i, 3, 0);
        record.http_status = (int)bb_postgres_db_int(rows, i, 4, 0);
        record.remote_code = PQgetvalue(rows, i, 5);
        record.remote_message = PQgetvalue(rows, i, 6);
        stop = visit(user, &record);
    }
    return true;
}

static int attempts(struct bb_store *store, int64_t number, bb_attempt_visitor visit, void *user,
                    bb_error *error) {
    struct bb_postgres *s = lock(store);
    return unlock(s, show_attempts(&s->archive_db, number, visit, user), error);
}

/* ---- forgetting ---- */

/* One small transaction; `*count` is 0 when nothing is left. */
static bool purge_step(struct bb_postgres_db *db, int64_t before_ms, size_t *count) {
    *count = 0;
    if (!bb_postgres_db_begin_safe(db))
        return false;
    bb_postgres_db_send_sql(db, forget_old, "ii", before_ms, (int64_t)STEP);
    if (!end(db, true))
        return false;
    *count = (size_t)bb_postgres_db_int(answer(db), 0, 0, 0);
    return true;
}

static int purge(struct bb_store *store, int64_t before_ms, size_t *count, bb_error *error) {
    size_t step = 1;
    int code = BB_OK;
    *count = 0;
    while (code == BB_OK && step > 0) {
        struct bb_postgres *s = lock(store); /* anew for each step: others have their turn */
        code = unlock(s, purge_step(&s->archive_db, before_ms, &step), error);
        *count += step;
    }
    return code;
}

/* Those that waited for what is taken back. */
static bool send_next_of_order(struct bb_postgres *s, const PGresult *back) {
    struct bb_postgres_rows rows;
    bb_postgres_rows_begin(&rows, &s->config.mem, "ii");
    for (int i = 0; i < bb_postgres_db_rows(back); i++)
        bb_postgres_rows_add(&rows, bb_postgres_db_int(back, i, 0, 0),
                             bb_postgres_db_int(back, i, 1, 0));
    return bb_postgres_rows_send(&rows, &s->archive_db, BB_PG_NEXT_OF_ORDER);
}

/* First events of which no deliveries are made: one that is fanned out right now has some then. */
static bool take_back(struct bb_postgres *s, const char *key, size_t *count) {
    struct bb_postgres_db *db = &s->archive_db;
    if (!bb_postgres_db_begin_safe(db))
        return false;
    bb_postgres_db_send(db, BB_PG_LOCK_ORDER, "");
    bb_postgres_db_send_sql(db, forget_new, "u", key);
    bb_postgres_db_send_sql(db, forget_deliveries, "u", key);
    if (!bb_postgres_db_exchange(db))
        return end(db, false);
    const PGresult *back = db->results[db->sent - 1];
    size_t taken = (size_t)bb_postgres_db_int(answer(db), 0, 0, 0);
    taken += (size_t)bb_postgres_db_rows(back);
    bool ok = end(db, send_next_of_order(s, back));
    *count = ok ? taken : 0;
    return ok;
}

/* What was leased ahead of time, and is not under way, is given back first; nobody here leases it
 * meanwhile. */
static int cancel(struct bb_store *store, const char *key, size_t *count, bb_error *error) {
    struct bb_postgres *s = lock(store);
    *count = 0;
    pthread_mutex_lock(&s->lock);
    for (struct bb_postgres_queue *q = s->queues; q; q = q->next)
        bb_postgres_release_waiting(s, q);
    bb_postgres_write_settled(s);
    bool ok = take_back(s, key, count);
    pthread_mutex_unlock(&s->lock);
    look_again(s);
    return unlock(s, ok, error);
}

const struct bb_store_archive bb_store_postgres_archive = {
    .dead = dead,
    .replay = replay,
    .attempts = attempts,
    .purge = purge,
    .cancel = cancel,
};
