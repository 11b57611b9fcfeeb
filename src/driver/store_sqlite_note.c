/* The log of attempts and dead letters, as they are written. */
#include <stdio.h>

#include "driver/store_sqlite_pass.h"

bool bb_sqlite_log(struct bb_sqlite *s, const struct bb_claim *claim, int64_t webhook) {
    const struct bb_note *note = claim->note;
    return !bb_note_is_attempt(note) ||
           bb_sqlite_db_run(&s->db, BB_SQL_LOG, "iiiiiitt", claim->number, webhook,
                            note->duration_ms, note->attempt, (int64_t)note->verdict,
                            (int64_t)note->status, note->code, note->words);
}

bool bb_sqlite_bury(struct bb_sqlite *s, const struct bb_claim *claim, int64_t attempts) {
    return bb_sqlite_db_run(&s->db, BB_SQL_DIE, "iiiit", claim->number, claim->lease, attempts,
                            (int64_t)bb_note_verdict(claim), bb_note_reason(claim));
}

bool bb_sqlite_bury_unreadable(struct bb_sqlite *s, const struct bb_sqlite_unreadable *bad,
                               int64_t lease) {
    bb_note_tell_unreadable(&s->host, bad->event, bad->why);
    return bb_sqlite_db_run(&s->db, BB_SQL_DIE, "iiiit", bad->number, lease, bad->attempts,
                            (int64_t)BB_DEAD, bad->why) &&
           bb_sqlite_db_run(&s->db, BB_SQL_END, "ii", bad->number, lease) &&
           bb_sqlite_db_run(&s->db, BB_SQL_FREE_KEY, "i", bad->event);
}

/* It is a delivery for a moment, which gives it a number: of webhook 0, which is nobody's. */
bool bb_sqlite_bury_unmatched(struct bb_sqlite *s, int64_t event, const char *reason) {
    struct bb_sqlite_unreadable bad = {.event = event};
    if (!bb_sqlite_db_run(&s->db, BB_SQL_DELIVER_TO_NOBODY, "i", event))
        return false;
    bad.number = sqlite3_last_insert_rowid(s->db.handle);
    snprintf(bad.why, sizeof bad.why, "%s", reason);
    return bb_sqlite_bury_unreadable(s, &bad, 0);
}
