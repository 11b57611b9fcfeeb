#include "table.h"

#include "text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LINE_WIDTH = 5,
    NAME_WIDTH = 7, /* at least, and at most: */
    NAME_WIDTH_LIMIT = 28,
    TYPE_WIDTH = 8,
    ACTIVITY_WIDTH = 28,
    VERDICT_WIDTH = 9,
    STATUS_WIDTH = 4,
    TIME_WIDTH = 8
};

/* Of webhooks' rows, each as wide as its heading. */
enum { DELIVERED_WIDTH = 9, DEAD_WIDTH = 4, DROPPED_WIDTH = 7, LEFT_WIDTH = 4, ATTEMPTS_WIDTH = 8 };

enum { WAITING_WIDTH = 7, LEASED_WIDTH = 6 };

enum { NUMBER_WIDTH = 6, DIED_WIDTH = 20, EVENT_WIDTH = 40 };

void table_start(struct table *table, FILE *out) {
    const char *no_colour = getenv("NO_COLOR");
    *table = (struct table){.out = out, .name_width = NAME_WIDTH};
    table->colours = isatty(fileno(out)) && !(no_colour && *no_colour);
}

void table_fit_name(struct table *table, const char *name) {
    size_t width = text_width(name);
    if (width > NAME_WIDTH_LIMIT)
        width = NAME_WIDTH_LIMIT;
    if (width > table->name_width)
        table->name_width = width;
}

static void print_column(struct table *table, const char *text, size_t width) {
    text_print_column(table->out, text, width);
    fputs("  ", table->out);
}

static void print_heading(struct table *table) {
    fprintf(table->out, "%*s  ", LINE_WIDTH, "LINE");
    print_column(table, "WEBHOOK", table->name_width);
    print_column(table, "TYPE", TYPE_WIDTH);
    print_column(table, "ACTIVITY", ACTIVITY_WIDTH);
    print_column(table, "VERDICT", VERDICT_WIDTH);
    fprintf(table->out, "%*s  %*s\n", STATUS_WIDTH, "HTTP", TIME_WIDTH, "TIME");
    table->begun = true;
}

static const char *verdict_colour(bb_verdict verdict) {
    switch (verdict) {
    case BB_DELIVERED:
        return "\x1b[32m"; /* green */
    case BB_RETRY:
        return "\x1b[33m"; /* yellow */
    case BB_DEAD:
        return "\x1b[31m"; /* red */
    default:
        return "\x1b[35m"; /* magenta */
    }
}

static void print_verdict(struct table *table, bb_verdict verdict) {
    if (table->colours)
        fputs(verdict_colour(verdict), table->out);
    text_print_column(table->out, bb_verdict_name(verdict), VERDICT_WIDTH);
    fputs(table->colours ? "\x1b[0m  " : "  ", table->out);
}

/* The number, or "-" for one that there is not. */
static void print_number(struct table *table, int64_t number, int width) {
    if (number)
        fprintf(table->out, "%*" PRId64 "  ", width, number);
    else
        fprintf(table->out, "%*s  ", width, "-");
}

static const char *without_prefix(const char *activity) {
    return strncmp(activity, "bb.", 3) == 0 ? activity + 3 : activity;
}

void table_row(struct table *table, const bb_attempt_report *row, unsigned long line) {
    if (!table->begun)
        print_heading(table);
    print_number(table, (int64_t)line, LINE_WIDTH);
    print_column(table, row->webhook_name, table->name_width);
    print_column(table, bb_type_name(row->type), TYPE_WIDTH);
    print_column(table, without_prefix(bb_activity_name(row->activity)), ACTIVITY_WIDTH);
    print_verdict(table, row->outcome->verdict);
    print_number(table, row->outcome->http_status, STATUS_WIDTH);
    fprintf(table->out, "%*" PRId64 " ms", TIME_WIDTH - 3, row->duration_ms);
    if (row->outcome->verdict != BB_DELIVERED) {
        fputs("  ", table->out);
        text_print(table->out, text_without_name(row->outcome->text, row->webhook_name));
    }
    fputc('\n', table->out);
}

static void print_standing_heading(struct table *table) {
    print_column(table, "WEBHOOK", table->name_width);
    print_column(table, "TYPE", TYPE_WIDTH);
    fputs("DELIVERED  DEAD  DROPPED  LEFT  ATTEMPTS\n", table->out);
    table->begun = true;
}

static void print_standing_numbers(struct table *table, const bb_stats *stats) {
    print_number(table, (int64_t)stats->delivered, DELIVERED_WIDTH);
    print_number(table, (int64_t)stats->dead, DEAD_WIDTH);
    print_number(table, (int64_t)stats->dropped, DROPPED_WIDTH);
    print_number(table, (int64_t)(stats->waiting + stats->in_flight), LEFT_WIDTH);
    fprintf(table->out, "%*" PRIu64, ATTEMPTS_WIDTH, stats->attempts);
}

void table_standing_row(struct table *table, const struct table_standing *standing) {
    if (!table->begun)
        print_standing_heading(table);
    print_column(table, standing->name, table->name_width);
    print_column(table, bb_type_name(standing->type), TYPE_WIDTH);
    print_standing_numbers(table, standing->stats);
    if (*standing->why) {
        fputs("  ", table->out);
        text_print(table->out, standing->why);
    }
    fputc('\n', table->out);
}

/* ---- what waits ---- */

static void print_waiting_heading(struct table *table) {
    print_column(table, "WEBHOOK", table->name_width);
    print_column(table, "TYPE", TYPE_WIDTH);
    fputs("WAITING  LEASED  NEXT\n", table->out);
    table->begun = true;
}

static void print_next(struct table *table, const struct table_waiting *waiting) {
    char wait[TEXT_WAIT_SIZE];
    if (waiting->is_stranger)
        fputs("not in the configuration\n", table->out);
    else if (waiting->next_in_ms < 0)
        fputs("-\n", table->out);
    else if (waiting->next_in_ms == 0)
        fputs("now\n", table->out);
    else
        fprintf(table->out, "in %s\n", text_wait(waiting->next_in_ms, wait));
}

void table_waiting_row(struct table *table, const struct table_waiting *waiting) {
    if (!table->begun)
        print_waiting_heading(table);
    print_column(table, waiting->name, table->name_width);
    print_column(table, waiting->type, TYPE_WIDTH);
    print_number(table, (int64_t)waiting->waiting, WAITING_WIDTH);
    print_number(table, (int64_t)waiting->leased, LEASED_WIDTH);
    print_next(table, waiting);
}

/* ---- what is dead ---- */

static void print_letter_heading(struct table *table) {
    fprintf(table->out, "%*s  ", NUMBER_WIDTH, "NUMBER");
    print_column(table, "DIED", DIED_WIDTH);
    print_column(table, "WEBHOOK", table->name_width);
    print_column(table, "ACTIVITY", ACTIVITY_WIDTH);
    print_column(table, "EVENT", EVENT_WIDTH);
    fprintf(table->out, "%*s  ", ATTEMPTS_WIDTH, "ATTEMPTS");
    print_column(table, "VERDICT", VERDICT_WIDTH);
    fputs("REASON\n", table->out);
    table->begun = true;
}

void table_letter_row(struct table *table, const struct table_letter *letter) {
    if (!table->begun)
        print_letter_heading(table);
    print_number(table, letter->number, NUMBER_WIDTH);
    print_column(table, letter->died, DIED_WIDTH);
    print_column(table, letter->webhook, table->name_width);
    print_column(table, without_prefix(letter->activity), ACTIVITY_WIDTH);
    print_column(table, letter->event_id, EVENT_WIDTH);
    print_number(table, letter->attempts, ATTEMPTS_WIDTH);
    print_verdict(table, letter->verdict);
    text_print(table->out, letter->reason);
    fputc('\n', table->out);
}

static const char *plural(unsigned long count) {
    return count == 1 ? "" : "s";
}

/* The parts of the sum, after a colon and then commas. */
static void print_part(struct table *table, const char **separator, unsigned long count,
                       const char *what) {
    if (count == 0)
        return;
    fprintf(table->out, "%s%lu %s", *separator, count, what);
    *separator = ", ";
}

static void print_parts(struct table *table, const struct tally *tally) {
    const char *separator = ": ";
    for (int verdict = BB_DELIVERED; verdict <= BB_UNKNOWN; verdict++)
        print_part(table, &separator, tally->verdicts[verdict],
                   bb_verdict_name((bb_verdict)verdict));
    print_part(table, &separator, tally->dropped, "dropped");
    print_part(table, &separator, tally->left, "left");
}

void table_summary(struct table *table, const struct tally *tally) {
    unsigned long deliveries = tally->dropped + tally->left;
    for (int verdict = BB_DELIVERED; verdict <= BB_UNKNOWN; verdict++)
        deliveries += tally->verdicts[verdict];
    if (table->begun)
        fputc('\n', table->out);
    if (deliveries == 1)
        fputs("1 delivery", table->out);
    else
        fprintf(table->out, "%lu deliveries", deliveries);
    if (tally->events)
        fprintf(table->out, " of %lu event%s", tally->events, plural(tally->events));
    print_parts(table, tally);
    if (tally->failed)
        fprintf(table->out, "; %lu event%s not posted", tally->failed, plural(tally->failed));
    if (tally->bad_lines)
        fprintf(table->out, "; %lu bad line%s", tally->bad_lines, plural(tally->bad_lines));
    fputc('\n', table->out);
}
