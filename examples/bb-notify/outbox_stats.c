#include "outbox_stats.h"

#include "now.h"
#include "standings.h"
#include "table.h"

#include <inttypes.h>
#include <string.h>

static bool is_configured(const struct session *session, const char *id) {
    for (size_t i = 0; i < session->config.count; i++)
        if (strcmp(session->config.webhooks[i].id, id) == 0)
            return true;
    return false;
}

static void print_row(struct session *session, const struct outbox_row *row,
                      const bb_webhook *webhook) {
    int64_t now = now_ms();
    struct table_waiting waiting = {
        .name = webhook ? webhook->name : row->id,
        .type = webhook ? bb_type_name(webhook->type) : "-",
        .waiting = row->waiting - row->leased,
        .leased = row->leased,
        .next_in_ms = row->due_ms == INT64_MAX ? -1
                      : row->due_ms > now      ? row->due_ms - now
                                               : 0,
        .is_stranger = !webhook,
    };
    table_waiting_row(&session->table, &waiting);
}

/* In the order of the configuration; then those that it does not have. */
static void print_rows(struct session *session) {
    const struct outbox_row *row;
    for (size_t i = 0; i < session->config.count; i++)
        if ((row = outbox_find(&session->outbox, session->config.webhooks[i].id)))
            print_row(session, row, &session->config.webhooks[i]);
    for (size_t i = 0; i < session->outbox.count; i++)
        if (!is_configured(session, (row = &session->outbox.rows[i])->id))
            print_row(session, row, NULL);
}

static void print_summary(struct session *session) {
    uint64_t all = outbox_waiting(&session->outbox);
    for (size_t i = 0; i < session->outbox.count; i++)
        table_fit_name(&session->table, session->outbox.rows[i].id);
    print_rows(session);
    if (all > 0)
        putchar('\n');
    printf("%" PRIu64 " deliver%s\n", all, all == 1 ? "y waits" : "ies wait");
    uint64_t unmatched = session->outbox.unmatched;
    if (unmatched > 0)
        printf("%" PRIu64 " event%s written by SQL and not matched yet\n", unmatched,
               unmatched == 1 ? " was" : "s were");
}

int outbox_stats_run(struct session *session) {
    if (!outbox_look(&session->outbox))
        return EXIT_UNDELIVERED;
    if (!session->options->json)
        print_summary(session);
    standings_print_statistics(session);
    return session->output_lost ? EXIT_UNDELIVERED : EXIT_DELIVERED;
}
