#include "driver/store_note.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

static const char *keep(char **to, const char *text) {
    size_t size = strlen(text) + 1;
    char *kept = memcpy(*to, text, size);
    bb_text_safe(kept);
    *to += size;
    return kept;
}

static struct bb_note *make(const bb_allocator *mem, int64_t attempt,
                            const struct bb_result *result) {
    const bb_outcome *outcome = result->outcome;
    bool is_delivered = outcome->verdict == BB_DELIVERED; /* then nobody asks for the sentence */
    size_t size = strlen(outcome->remote_code) + strlen(outcome->remote_message) +
                  (is_delivered ? 0 : strlen(outcome->text)) + 3;
    struct bb_note *note = bb_mem_alloc(mem, sizeof *note + size);
    if (!note)
        return NULL;
    char *to = note->texts;
    *note = (struct bb_note){.duration_ms = result->duration_ms,
                             .attempt = attempt,
                             .verdict = (int)outcome->verdict,
                             .status = outcome->http_status,
                             .code = keep(&to, outcome->remote_code),
                             .words = keep(&to, outcome->remote_message)};
    note->reason = keep(&to, is_delivered ? "" : outcome->text);
    return note;
}

void bb_note_settled(const bb_allocator *mem, struct bb_delivery *delivery, enum bb_settlement how,
                     const struct bb_result *result) {
    struct bb_claim *claim = &delivery->claim;
    claim->note = result ? make(mem, delivery->history.attempts, result) : NULL;
    claim->is_dead = how == BB_SETTLED && result && result->outcome->verdict != BB_DELIVERED;
}

bool bb_note_is_attempt(const struct bb_note *note) {
    return note && note->duration_ms >= 0;
}

int bb_note_verdict(const struct bb_claim *claim) {
    return claim->note ? claim->note->verdict : BB_DEAD;
}

const char *bb_note_reason(const struct bb_claim *claim) {
    return claim->note ? claim->note->reason : "";
}

/* ---- events that nobody can read ---- */

void bb_note_unreadable(char reason[BB_NOTE_REASON], const bb_error *error) {
    snprintf(reason, BB_NOTE_REASON, "its event cannot be read: %s", error->text);
}

void bb_note_tell_unreadable(const struct bb_store_host *host, int64_t event, const char *reason) {
    char text[BB_NOTE_REASON + 64];
    snprintf(text, sizeof text, "outbox: event %" PRId64 " became a dead letter: %s", event,
             reason);
    if (host->trouble)
        host->trouble(host->user, text);
}
