#include "run.h"

#include "complain.h"
#include "json_output.h"

#include <errno.h>
#include <string.h>

typedef void (*event_handler)(struct session *session, const struct events *events);

void run_tell_problem(struct session *session, const struct events *events, const char *text) {
    progress_hide(&session->progress);
    complain("%s: line %lu: %s", events->name, events->lines.number, text);
}

static void tell_failure(struct session *session, const struct events *events,
                         const bb_error *error) {
    session->tally.failed++;
    run_tell_problem(session, events, error->text);
}

static void post_event(struct session *session, const struct events *events) {
    bb_error error = BB_ERROR_INIT;
    bb_report *report;
    if (bb_webhook_post(session->dispatcher, events->event, NULL, &report, &error) != BB_OK) {
        tell_failure(session, events, &error);
        return;
    }
    session_tell_report(session, report, events->lines.number);
    bb_report_free(report);
}

/* 0, also if the webhook does not ask for the event, or a negative bb_code. */
static int print_request(struct session *session, const bb_webhook *webhook, const bb_event *event,
                         bb_error *error) {
    bb_request *request;
    int code = bb_webhook_matches(webhook, event, error);
    if (code <= 0)
        return code;
    code = bb_webhook_prepare(&session->config.options, webhook, event, NULL, &request, error);
    if (code != BB_OK)
        return code;
    progress_hide(&session->progress);
    json_output_request(stdout, webhook, request);
    bb_request_free(request);
    return BB_OK;
}

static void print_requests(struct session *session, const struct events *events) {
    for (size_t i = 0; i < session->config.count; i++) {
        bb_error error = BB_ERROR_INIT;
        if (print_request(session, &session->config.webhooks[i], events->event, &error) != BB_OK)
            tell_failure(session, events, &error);
    }
    session_flush(session);
}

static void handle_events(struct session *session, struct events *events, event_handler handle) {
    enum event_kind kind;
    while (!session->output_lost && (kind = events_next(events)) != EVENTS_END) {
        if (kind == EVENTS_EVENT) {
            session->tally.events++;
            handle(session, events);
        } else {
            session->tally.bad_lines++;
            run_tell_problem(session, events, events->problem.text);
        }
        progress_show(&session->progress, events->lines.number);
    }
    progress_hide(&session->progress);
    if (session->output_lost)
        complain("%s: stopped after line %lu", events->name, events->lines.number);
}

int run_events(struct session *session) {
    const struct options *options = session->options;
    struct events events;
    int status = EXIT_USAGE;
    if (events_open(&events, options->events_path)) {
        progress_start(&session->progress,
                       progress_wanted() ? lines_count(events.lines.descriptor) : 0);
        handle_events(session, &events,
                      options->mode == MODE_DRY_RUN ? print_requests : post_event);
        status = session_finish(session);
    }
    events_close(&events);
    if (events.failure == 0)
        return status;
    complain("%s: %s", events.name, strerror(events.failure));
    return status == EXIT_USAGE ? EXIT_USAGE : EXIT_UNDELIVERED;
}

static void test_webhook(struct session *session, const bb_webhook *webhook) {
    bb_error error = BB_ERROR_INIT;
    bb_report *report;
    if (bb_webhook_test(session->dispatcher, webhook->id, &report, &error) != BB_OK) {
        complain("%s", error.text);
        session->tally.failed++;
        return;
    }
    session_tell_report(session, report, 0);
    bb_report_free(report);
}

/* Several projects may have a webhook of one name: all of them are meant. */
static bool is_meant(const bb_webhook *webhook, const char *name) {
    return strcmp(webhook->name, name) == 0 || strcmp(webhook->id, name) == 0;
}

int run_test(struct session *session) {
    const struct options *options = session->options;
    size_t count = 0;
    for (size_t i = 0; i < session->config.count && !session->output_lost; i++)
        if (is_meant(&session->config.webhooks[i], options->test_name)) {
            test_webhook(session, &session->config.webhooks[i]);
            count++;
        }
    if (count > 0)
        return session_finish(session);
    complain("%s: no webhook has the name or id \"%s\"", options->config_path, options->test_name);
    return EXIT_USAGE;
}
