/* The log of attempts and dead letters, as they are written. */
#include <stdio.h>

#include "driver/store_sqlite_pass.h"

static int bind_attempt(sqlite3_stmt *statement, int at, const struct bb_delivery *delivery) {
    const struct bb_note *note = delivery->claim.note;
    const struct bb_sqlite_queue *q = delivery->queue->kept;
    sqlite3_bind_int64(statement, at++, delivery->claim.number);
    sqlite3_bind_int64(statement, at++, q->number);
    sqlite3_bind_int64(statement, at++, note->duration_ms);
    sqlite3_bind_int64(statement, at++, note->attempt);
    sqlite3_bind_int64(statement, at++, note->verdict);
    sqlite3_bind_int64(statement, at++, note->status);
    sqlite3_bind_text(statement, at++, note->code, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, at++, note->words, -1, SQLITE_STATIC);
    return at;
}

static bool log_some(struct bb_sqlite *s, enum bb_sql which,
                     const struct bb_delivery *const *attempts, size_t count) {
    sqlite3_stmt *statement = bb_sqlite_db_bind(&s->db, which, "i", s->clock_ms);
    bool failed = false;
    int at = 2;
    for (size_t i = 0; i < count; i++)
        at = bind_attempt(statement, at, attempts[i]);
    bb_sqlite_db_step(statement, &failed);
    return !failed;
}

bool bb_sqlite_log(struct bb_sqlite *s) {
    const struct bb_delivery *attempts[BB_SQLITE_TOGETHER];
    size_t count = 0;
    bool ok = true;
    for (const struct bb_delivery *d = s->settled.first; ok && d; d = d->claim.next) {
        if (bb_note_is_attempt(d->claim.note))
            attempts[count++] = d;
        if (count == BB_SQLITE_TOGETHER) {
            ok = log_some(s, BB_SQL_LOG_TOGETHER, attempts, count);
            count = 0;
        }
    }
    for (size_t i = 0; ok && i < count; i++)
        ok = log_some(s, BB_SQL_LOG, &attempts[i], 1);
    return ok;
}

bool bb_sqlite_bury(struct bb_sqlite *s, const struct bb_claim *claim, int64_t attempts) {
    return bb_sqlite_db_run(&s->db, BB_SQL_DIE, "iiiiit", claim->number, claim->lease, s->clock_ms,
                            attempts, (int64_t)bb_note_verdict(claim), bb_note_reason(claim));
}

/* It is a delivery for a moment, which gives it a number: of webhook 0, which is nobody's. */
bool bb_sqlite_bury_unmatched(struct bb_sqlite *s, int64_t event, const char *reason) {
    if (!bb_sqlite_db_run(&s->db, BB_SQL_DELIVER_TO_NOBODY, "i", event))
        return false;
    int64_t number = sqlite3_last_insert_rowid(s->db.handle);
    bb_note_tell_unreadable(&s->host, event, reason);
    return bb_sqlite_db_run(&s->db, BB_SQL_DIE, "iiiiit", number, INT64_C(0), s->clock_ms,
                            INT64_C(0), (int64_t)BB_DEAD, reason) &&
           bb_sqlite_db_run(&s->db, BB_SQL_END, "ii", number, INT64_C(0)) &&
           bb_sqlite_db_run(&s->db, BB_SQL_FREE_KEY, "i", event);
}
