#include "standings.h"

#include "complain.h"
#include "json_output.h"
#include "now.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WHY_SIZE = 1200 }; /* two reasons of 512 bytes, and what stands around them */

static bb_stats stats_of(const struct session *session, const char *id) {
    bb_stats stats = BB_STATS_INIT;
    bb_dispatcher_stats(session->dispatcher, id, &stats, NULL);
    if (session->outbox.store && id) { /* other processes have a part in it, too */
        const struct outbox_row *row = outbox_find(&session->outbox, id);
        stats.waiting = row ? row->waiting : 0;
        stats.in_flight = 0;
    }
    return stats;
}

static bb_webhook_status status_of(const struct session *session, const char *id) {
    bb_webhook_status status = BB_WEBHOOK_STATUS_INIT;
    bb_dispatcher_status(session->dispatcher, id, &status, NULL);
    return status;
}

bool standings_are_stuck(const struct session *session) {
    bb_stats all = stats_of(session, NULL);
    uint64_t stuck = 0;
    if (all.in_flight > 0)
        return false;
    for (size_t i = 0; i < session->config.count && stuck < all.waiting; i++) {
        const char *id = session->config.webhooks[i].id;
        if (status_of(session, id).disabled)
            stuck += stats_of(session, id).waiting;
    }
    return stuck == all.waiting;
}

/* ---- why ---- */

static void say_until(char why[WHY_SIZE], const char *what, int64_t until_ms, const char *reason) {
    char wait[TEXT_WAIT_SIZE];
    int64_t left = until_ms - now_ms();
    snprintf(why, WHY_SIZE, "%s for %s more: %s", what, text_wait(left > 0 ? left : 0, wait),
             reason);
}

/* When the next attempt is due, if nothing but that is waited for. */
static bool say_when(const struct session *session, const bb_webhook *webhook, const char *reason,
                     char why[WHY_SIZE]) {
    char wait[TEXT_WAIT_SIZE];
    const struct outbox_row *row =
        session->outbox.store ? outbox_find(&session->outbox, webhook->id) : NULL;
    int64_t now = now_ms();
    if (!row || row->due_ms == INT64_MAX || row->due_ms <= now)
        return false;
    snprintf(why, WHY_SIZE, "next attempt in %s%s%s", text_wait(row->due_ms - now, wait),
             reason ? ": " : "", reason ? text_without_name(reason, webhook->name) : "");
    return true;
}

static void say_why_left(const struct session *session, const bb_webhook *webhook,
                         const bb_webhook_status *status, const struct ledger_row *row,
                         char why[WHY_SIZE]) {
    const char *reason = text_without_name(status->reason, webhook->name);
    if (status->disabled)
        snprintf(why, WHY_SIZE, "disabled: %s", reason);
    else if (status->paused_until_ms)
        say_until(why, "paused", status->paused_until_ms, reason);
    else if (status->probe_ms)
        say_until(why, "circuit breaker open", status->probe_ms, reason);
    else if (say_when(session, webhook, row ? row->why_waiting : NULL, why))
        return;
    else if (row && row->why_waiting)
        snprintf(why, WHY_SIZE, "to be tried again: %s",
                 text_without_name(row->why_waiting, webhook->name));
    else
        snprintf(why, WHY_SIZE, "not its turn yet");
}

static void add_why_dead(const bb_webhook *webhook, const struct ledger_row *row,
                         char why[WHY_SIZE]) {
    size_t used = strlen(why);
    if (row && row->why_dead)
        snprintf(why + used, WHY_SIZE - used, "%s%s", used > 0 ? "; dead: " : "",
                 text_without_name(row->why_dead, webhook->name));
}

static void say_why(const struct session *session, const bb_webhook *webhook, const bb_stats *stats,
                    const struct ledger *ledger, char why[WHY_SIZE]) {
    const struct ledger_row *row = ledger_find(ledger, webhook->id);
    bb_webhook_status status = status_of(session, webhook->id);
    *why = '\0';
    if (stats->waiting + stats->in_flight > 0)
        say_why_left(session, webhook, &status, row, why);
    if (stats->dead > 0)
        add_why_dead(webhook, row, why);
}

/* ---- telling ---- */

static void tell_row(struct session *session, const bb_webhook *webhook, const bb_stats *stats,
                     const char *why) {
    const struct table_standing standing = {
        .name = webhook->name, .type = webhook->type, .stats = stats, .why = why};
    table_standing_row(&session->table, &standing);
}

static void complain_of(const bb_webhook *webhook, const bb_stats *stats, const char *why) {
    uint64_t left = stats->waiting + stats->in_flight;
    if (left > 0)
        complain("webhook \"%s\": %" PRIu64 " left: %s", webhook->name, left, why);
}

void standings_tell(struct session *session, const struct ledger *ledger) {
    for (size_t i = 0; i < session->config.count; i++) {
        const bb_webhook *webhook = &session->config.webhooks[i];
        bb_stats stats = stats_of(session, webhook->id);
        char why[WHY_SIZE];
        if (stats.enqueued + stats.attempts + stats.waiting == 0)
            continue;
        say_why(session, webhook, &stats, ledger, why);
        if (session->options->json)
            complain_of(webhook, &stats, why);
        else
            tell_row(session, webhook, &stats, why);
    }
}

/* ---- statistics ---- */

/* To be freed; NULL when out of memory. Nothing changes any more while its size is found out. */
static char *prometheus(const struct session *session, size_t *length) {
    bb_dispatcher_prometheus(session->dispatcher, NULL, 0, length, NULL);
    char *text = malloc(*length + 1);
    if (text &&
        bb_dispatcher_prometheus(session->dispatcher, text, *length + 1, length, NULL) == BB_OK)
        return text;
    free(text);
    return NULL;
}

void standings_print_statistics(struct session *session) {
    size_t length = 0;
    char *text = prometheus(session, &length);
    if (!text)
        complain("there is no memory for the statistics");
    else if (session->options->json)
        json_output_statistics(stdout, text, length);
    else
        printf("\n%s", text);
    free(text);
    session_flush(session);
}
