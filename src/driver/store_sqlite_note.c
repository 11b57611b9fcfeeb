/* The log of attempts and dead letters, as they are written. */
#include <stdio.h>

#include "driver/store_sqlite_pass.h"

bool bb_sqlite_log(struct bb_sqlite *s, const struct bb_claim *claim, int64_t webhook) {
    const struct bb_note *note = claim->note;
    return !bb_note_is_attempt(note) ||
           bb_sqlite_db_run(&s->db, BB_SQL_LOG, "iiiiiiitt", claim->number, webhook, s->clock_ms,
                            note->duration_ms, note->attempt, (int64_t)note->verdict,
                            (int64_t)note->status, note->code, note->words);
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
