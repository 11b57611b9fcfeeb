#include "ledger.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b) {
    return strcmp(((const struct ledger_row *)a)->id, ((const struct ledger_row *)b)->id);
}

bool ledger_open(struct ledger *ledger, const bb_webhook *webhooks, size_t count) {
    *ledger = (struct ledger){.rows = calloc(count + 1, sizeof *ledger->rows)};
    if (!ledger->rows)
        return false;
    for (size_t i = 0; i < count; i++)
        ledger->rows[i].id = webhooks[i].id;
    ledger->count = count;
    qsort(ledger->rows, count, sizeof *ledger->rows, compare);
    return true;
}

void ledger_close(struct ledger *ledger) {
    for (size_t i = 0; i < ledger->count; i++) {
        free(ledger->rows[i].why_dead);
        free(ledger->rows[i].why_waiting);
    }
    free(ledger->rows);
}

struct ledger_row *ledger_find(const struct ledger *ledger, const char *id) {
    const struct ledger_row key = {.id = id};
    return bsearch(&key, ledger->rows, ledger->count, sizeof key, compare);
}

void ledger_note(struct ledger *ledger, const bb_notice *notice) {
    if (notice->kind != BB_NOTICE_DEAD && notice->kind != BB_NOTICE_RETRYING)
        return;
    struct ledger_row *row = ledger_find(ledger, notice->webhook_id);
    if (!row)
        return;
    char **why = notice->kind == BB_NOTICE_DEAD ? &row->why_dead : &row->why_waiting;
    free(*why);
    *why = strdup(notice->text); /* without memory the reason is not told */
}
