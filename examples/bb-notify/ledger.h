/* What went wrong last with each webhook. */
#ifndef BB_NOTIFY_LEDGER_H
#define BB_NOTIFY_LEDGER_H

#include <bb_webhook.h>
#include <stdbool.h>

struct ledger_row {
    const char *id;    /* the webhook's */
    char *why_dead;    /* the last delivery that was given up; NULL: none was */
    char *why_waiting; /* the last attempt that another one follows */
};

struct ledger {
    struct ledger_row *rows; /* by id */
    size_t count;
};

/* The webhooks' ids are borrowed. False when out of memory. */
bool ledger_open(struct ledger *ledger, const bb_webhook *webhooks, size_t count);
void ledger_close(struct ledger *ledger);

/* NULL: there is no such webhook. */
struct ledger_row *ledger_find(const struct ledger *ledger, const char *id);

/* Takes in the text of BB_NOTICE_DEAD or BB_NOTICE_RETRYING; does nothing for other kinds. */
void ledger_note(struct ledger *ledger, const bb_notice *notice);

#endif
