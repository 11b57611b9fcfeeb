/* What came of an attempt, between its end and the transaction that writes it. */
#include <stdio.h>
#include <string.h>

#include "driver/store_sqlite_pass.h"

struct bb_note {
    int64_t duration_ms;
    int64_t attempt;
    int verdict, status;
    const char *code, *words, *reason; /* behind it */
    char texts[];
};

static const char *keep(char **to, const char *text) {
    size_t size = strlen(text) + 1;
    char *kept = memcpy(*to, text, size);
    *to += size;
    return kept;
}

struct bb_note *bb_sqlite_note_new(struct bb_sqlite *s, const struct bb_delivery *delivery,
                                   const struct bb_result *result) {
    const bb_outcome *outcome = result->outcome;
    bool is_delivered = outcome->verdict == BB_DELIVERED; /* then nobody asks for the sentence */
    size_t size = strlen(outcome->remote_code) + strlen(outcome->remote_message) +
                  (is_delivered ? 0 : strlen(outcome->text)) + 3;
    struct bb_note *note = bb_mem_alloc(&s->config.mem, sizeof *note + size);
    if (!note)
        return NULL;
    char *to = note->texts;
    *note = (struct bb_note){.duration_ms = result->duration_ms,
                             .attempt = delivery->history.attempts,
                             .verdict = (int)outcome->verdict,
                             .status = outcome->http_status,
                             .code = keep(&to, outcome->remote_code),
                             .words = keep(&to, outcome->remote_message)};
    note->reason = keep(&to, is_delivered ? "" : outcome->text);
    return note;
}

bool bb_sqlite_note_log(struct bb_sqlite *s, const struct bb_claim *claim, int64_t webhook) {
    const struct bb_note *note = claim->note;
    return !note || note->duration_ms < 0 ||
           bb_sqlite_db_run(&s->db, BB_SQL_LOG, "iiiiiitt", claim->number, webhook,
                            note->duration_ms, note->attempt, (int64_t)note->verdict,
                            (int64_t)note->status, note->code, note->words);
}

/* When there was no memory for a note, the letter is kept without its reason. */
bool bb_sqlite_note_bury(struct bb_sqlite *s, const struct bb_claim *claim, int64_t attempts) {
    const struct bb_note *note = claim->note;
    return bb_sqlite_db_run(&s->db, BB_SQL_DIE, "iiiit", claim->number, claim->lease, attempts,
                            (int64_t)(note ? note->verdict : BB_DEAD), note ? note->reason : "");
}
