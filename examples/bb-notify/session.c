#include "session.h"

#include "background.h"
#include "complain.h"
#include "deliver.h"
#include "json_output.h"

#include <errno.h>
#include <string.h>

static bool add_webhooks(struct session *session, bb_error *error) {
    for (size_t i = 0; i < session->config.count; i++) {
        const bb_webhook *webhook = &session->config.webhooks[i];
        if (bb_dispatcher_add(session->dispatcher, webhook, error) != BB_OK) {
            complain("%s: %s", session->options->config_path, error->text);
            return false;
        }
        table_fit_name(&session->table, webhook->name);
    }
    return true;
}

/* Who runs bb-notify is the operator, so is told which addresses the guard has refused. */
static void take_log(void *user, bb_level level, const char *text) {
    static const char guard[] = "guard: ";
    struct session *session = user;
    if (strncmp(text, guard, sizeof guard - 1) == 0)
        complain("%s", text + sizeof guard - 1);
    else if (session->options->outbox_place)
        outbox_log(&session->outbox, level, text);
}

/* Where what is delivered waits, and who is told of it. */
static bool prepare_background(struct session *session) {
    struct config *config = &session->config;
    const struct options *options = session->options;
    config->background.notify_user = session;
    config->background.notify = options->mode == MODE_DELIVER ? deliver_notice : background_notice;
    config->options.log = take_log;
    config->options.log_user = session;
    if (!options->outbox_place)
        return true;
    if (!outbox_open(&session->outbox, options->outbox_place, config->lease_ms))
        return false;
    config->background.outbox = session->outbox.store;
    return true;
}

bool session_open(struct session *session, const struct options *options) {
    struct mistake mistake;
    bb_error error = BB_ERROR_INIT;
    *session = (struct session){.options = options};
    table_start(&session->table, stdout);
    if (!config_load(options->config_path, &session->config, &mistake)) {
        complain("%s", mistake.text);
        return false;
    }
    if (!prepare_background(session))
        return false;
    if (bb_dispatcher_new(&session->config.options, &session->dispatcher, &error) != BB_OK) {
        complain("%s: %s", options->config_path, error.text);
        return false;
    }
    return add_webhooks(session, &error);
}

void session_close(struct session *session) {
    bb_dispatcher_free(session->dispatcher);
    outbox_close(&session->outbox);
    config_free(&session->config);
}

void session_tell_report(struct session *session, const bb_report *report, unsigned long line) {
    progress_hide(&session->progress);
    for (size_t i = 0; i < bb_report_count(report); i++) {
        const bb_attempt_report *row = bb_report_row(report, i);
        session->tally.verdicts[row->outcome->verdict]++;
        if (session->options->json)
            json_output_delivery(stdout, row);
        else
            table_row(&session->table, row, line);
    }
    session_flush(session);
}

void session_flush(struct session *session) {
    if (fflush(stdout) == 0 && !ferror(stdout))
        return;
    if (!session->output_lost)
        complain("standard output: %s", strerror(errno));
    session->output_lost = true;
}

static bool all_delivered(const struct tally *tally) {
    return tally->failed + tally->bad_lines + tally->verdicts[BB_RETRY] + tally->verdicts[BB_DEAD] +
               tally->verdicts[BB_UNKNOWN] + tally->dropped + tally->left ==
           0;
}

int session_finish(struct session *session) {
    if (!session->options->json && session->options->mode != MODE_DRY_RUN)
        table_summary(&session->table, &session->tally);
    session_flush(session);
    return all_delivered(&session->tally) && !session->output_lost ? EXIT_DELIVERED
                                                                   : EXIT_UNDELIVERED;
}
