#include "dead_print.h"

#include "moment.h"
#include "text.h"

#include <inttypes.h>
#include <string.h>

/* What is told of a letter's event, which may be unreadable: that is a way to die. */
struct view {
    bb_event_doc *document;
    const char *activity, *id;
};

static struct view open_view(const bb_dead_letter *letter) {
    struct view view = {.activity = "", .id = ""};
    if (bb_event_parse(NULL, letter->event, strlen(letter->event), &view.document, NULL) != BB_OK)
        return view;
    const bb_event *event = bb_event_doc_event(view.document);
    const char *activity = bb_activity_name(event->activity);
    view.activity = activity ? activity : "";
    view.id = event->id ? event->id : "";
    return view;
}

static void close_view(struct view *view) {
    bb_event_doc_free(view->document);
}

/* A reason begins with the name of its webhook, which may be another than its id. */
static const char *short_reason(const struct session *session, const bb_dead_letter *letter) {
    const char *name = letter->webhook_id;
    for (size_t i = 0; i < session->config.count; i++)
        if (strcmp(session->config.webhooks[i].id, letter->webhook_id) == 0)
            name = session->config.webhooks[i].name;
    return text_without_name(letter->reason, name);
}

static const char *or_dash(const char *text) {
    return *text ? text : "-";
}

void dead_print_row(struct session *session, const bb_dead_letter *letter) {
    char died[MOMENT_SIZE];
    struct view view = open_view(letter);
    struct table_letter row = {
        .number = letter->number,
        .died = moment_text(letter->died_ms, died),
        .webhook = or_dash(letter->webhook_id),
        .activity = or_dash(view.activity),
        .event_id = or_dash(view.id),
        .attempts = letter->attempts,
        .verdict = letter->verdict,
        .reason = short_reason(session, letter),
    };
    table_letter_row(&session->table, &row);
    close_view(&view);
}

/* ---- one letter ---- */

static void print_member(const char *label, const char *value) {
    printf("%-9s ", label);
    text_print(stdout, value);
    putchar('\n');
}

void dead_print_whole(const struct session *session, const bb_dead_letter *letter) {
    char moment[MOMENT_SIZE];
    struct view view = open_view(letter);
    printf("%-9s %" PRId64 "\n", "number", letter->number);
    print_member("webhook", or_dash(letter->webhook_id));
    print_member("activity", or_dash(view.activity));
    print_member("event id", or_dash(view.id));
    print_member("enqueued", moment_text(letter->enqueued_ms, moment));
    print_member("died", moment_text(letter->died_ms, moment));
    printf("%-9s %d\n", "attempts", letter->attempts);
    print_member("verdict", bb_verdict_name(letter->verdict));
    print_member("reason", short_reason(session, letter));
    print_member("event", letter->event);
    puts("\nATTEMPT  TIME                  VERDICT    HTTP         TOOK  ANSWER");
    close_view(&view);
}

void dead_print_attempt(const bb_attempt_record *attempt) {
    char moment[MOMENT_SIZE], status[16] = "-";
    if (attempt->http_status)
        snprintf(status, sizeof status, "%d", attempt->http_status);
    printf("%7d  %s  %-9s  %4s  %8" PRId64 " ms", attempt->attempt,
           moment_text(attempt->at_ms, moment), bb_verdict_name(attempt->verdict), status,
           attempt->duration_ms);
    if (*attempt->remote_code || *attempt->remote_message)
        fputs(" ", stdout);
    if (*attempt->remote_code) {
        putchar(' ');
        text_print(stdout, attempt->remote_code);
    }
    if (*attempt->remote_message) {
        putchar(' ');
        text_print(stdout, attempt->remote_message);
    }
    putchar('\n');
}

/* ---- JSON ---- */

void dead_print_json_begin(struct json_line *line, const bb_dead_letter *letter) {
    char moment[MOMENT_SIZE];
    struct view view = open_view(letter);
    json_line_begin(line, stdout);
    json_line_integer(line, "number", letter->number);
    json_line_string(line, "enqueued", moment_text(letter->enqueued_ms, moment));
    json_line_string(line, "died", moment_text(letter->died_ms, moment));
    json_line_string(line, "webhook_id", letter->webhook_id);
    json_line_string(line, "activity_type", view.activity);
    json_line_string(line, "event_id", view.id);
    json_line_integer(line, "attempts", letter->attempts);
    json_line_string(line, "verdict", bb_verdict_name(letter->verdict));
    json_line_string(line, "reason", letter->reason);
    if (view.document)
        json_line_json(line, "event", letter->event);
    else
        json_line_string(line, "event", letter->event);
    close_view(&view);
}

void dead_print_json_attempt(struct json_line *line, const bb_attempt_record *attempt) {
    char moment[MOMENT_SIZE];
    json_line_open_element(line, "{");
    json_line_integer(line, "attempt", attempt->attempt);
    json_line_string(line, "at", moment_text(attempt->at_ms, moment));
    json_line_string(line, "verdict", bb_verdict_name(attempt->verdict));
    json_line_integer(line, "http_status", attempt->http_status);
    json_line_string(line, "remote_code", attempt->remote_code);
    json_line_string(line, "remote_message", attempt->remote_message);
    json_line_integer(line, "duration_ms", attempt->duration_ms);
    json_line_close(line, "}");
}
