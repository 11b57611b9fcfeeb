#include "background.h"

#include "complain.h"
#include "events.h"
#include "ledger.h"
#include "notices.h"
#include "run.h"
#include "standings.h"
#include "stop_signal.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

enum {
    STOP_MS = 10000,    /* for what is under way when a signal comes */
    EVENTS_AT_ONCE = 64 /* between two turns of the dispatcher */
};

struct background {
    struct session *session;
    struct events events;
    struct ledger ledger;
    int stop_signal;         /* readable when a signal has come */
    bool is_reading;         /* the events are not over */
    bool needs_input;        /* and more of them must be read first */
    bool has_event;          /* one that the outbox had no room for */
    bool may_have_room;      /* something has ended since */
    bool has_disabled;       /* a webhook was disabled: what waits for it may wait for ever */
    bool was_stopped;        /* by a signal, or a failure */
    unsigned long retrying;  /* of the tally's `left`, those that have failed before */
    const bb_error *failure; /* of the dispatcher: nothing goes on; NULL: none */
};

/* ---- notices ---- */

/* `attempt` counts the one that this is, unless none was made. */
static void count_retrying(struct background *b, const bb_notice *notice) {
    int before = notice->attempt->attempt - !notice->attempt->not_made;
    bool was = before > 0, is = notice->kind == BB_NOTICE_RETRYING;
    if (is && !was)
        b->retrying++;
    else if (was && !is && b->retrying > 0)
        b->retrying--;
}

static void take_over(struct background *b, unsigned long *total, unsigned long count) {
    *total += count;
    b->session->tally.left -= count;
    b->may_have_room = true;
}

static void take_attempt(struct background *b, const bb_notice *notice) {
    struct session *session = b->session;
    unsigned long *verdicts = session->tally.verdicts;
    count_retrying(b, notice);
    ledger_note(&b->ledger, notice);
    if (notice->kind == BB_NOTICE_DELIVERED)
        take_over(b, &verdicts[BB_DELIVERED], 1);
    else if (notice->kind == BB_NOTICE_DEAD)
        take_over(b, &verdicts[BB_DEAD], 1);
    notices_tell_attempt(session, notice);
}

void background_notice(void *user, const bb_notice *notice) {
    struct session *session = user;
    struct background *b = session->background;
    if (!b) /* the dispatcher is being freed, all is told */
        return;
    switch (notice->kind) {
    case BB_NOTICE_DELIVERED:
    case BB_NOTICE_RETRYING:
    case BB_NOTICE_DEAD:
        take_attempt(b, notice);
        break;
    case BB_NOTICE_DROPPED:
        take_over(b, &session->tally.dropped, notice->count);
        break;
    case BB_NOTICE_DISABLED:
        b->has_disabled = b->may_have_room = true; /* or never again: that is found out then */
        notices_tell_webhook(session, notice);
        break;
    case BB_NOTICE_PAUSED:
    case BB_NOTICE_RECOVERED:
        notices_tell_webhook(session, notice);
        break;
    case BB_NOTICE_FULL: /* the event is kept and tried again */
        break;
    }
}

/* ---- events ---- */

/* Whether nothing is left but what waits for disabled webhooks, which no one enables here. */
static bool is_stuck(const struct background *b) {
    return b->has_disabled && standings_are_stuck(b->session);
}

static void fail_event(struct background *b, const bb_error *error) {
    b->session->tally.events++;
    b->session->tally.failed++;
    run_tell_problem(b->session, &b->events, error->text);
}

/* Without room the event is kept until there is some, unless there will be none. */
static void enqueue(struct background *b) {
    struct session *session = b->session;
    bb_error error = BB_ERROR_INIT;
    size_t deliveries;
    int code = bb_webhook_enqueue(session->dispatcher, b->events.event, NULL, &deliveries, &error);
    b->may_have_room = false;
    b->has_event = code == BB_ERR_FULL && session->tally.left > 0 && !is_stuck(b);
    if (b->has_event)
        return;
    if (code != BB_OK) {
        fail_event(b, &error);
        return;
    }
    session->tally.events++;
    session->tally.left += deliveries;
}

static void take_event(struct background *b) {
    switch (events_take(&b->events)) {
    case EVENTS_END:
        b->is_reading = false;
        break;
    case EVENTS_EVENT:
        enqueue(b);
        break;
    case EVENTS_BAD:
        b->session->tally.bad_lines++;
        run_tell_problem(b->session, &b->events, b->events.problem.text);
        break;
    case EVENTS_PART:
        b->needs_input = true;
        break;
    }
}

static void take_events(struct background *b) {
    if (b->has_event && b->may_have_room)
        enqueue(b);
    for (int i = 0; i < EVENTS_AT_ONCE; i++)
        if (b->is_reading && !b->needs_input && !b->has_event)
            take_event(b);
}

/* ---- the loop ---- */

/* Returns after how many milliseconds to come again, -1: any. */
static int show_progress(struct background *b) {
    const struct tally *tally = &b->session->tally;
    unsigned long retrying = b->retrying < tally->left ? b->retrying : tally->left;
    const struct progress_counts counts = {
        .delivered = tally->verdicts[BB_DELIVERED],
        .waiting = tally->left - retrying,
        .retrying = retrying,
        .over = tally->verdicts[BB_DEAD] + tally->dropped,
        .more = b->is_reading,
    };
    return progress_show_counts(&b->session->progress, &counts);
}

static bool can_take_events(const struct background *b) {
    return b->has_event ? b->may_have_room : b->is_reading && !b->needs_input;
}

static int sooner(int a, int b) {
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* Waits until there is something to do. False: a signal has come. */
static bool wait_for_work(struct background *b) {
    bool reads = b->needs_input;
    struct pollfd ready[] = {
        {.fd = bb_dispatcher_fd(b->session->dispatcher), .events = POLLIN},
        {.fd = b->stop_signal, .events = POLLIN},
        {.fd = reads ? b->events.lines.descriptor : -1, .events = POLLIN},
    };
    int timeout_ms = bb_dispatcher_timeout_ms(b->session->dispatcher);
    timeout_ms = sooner(timeout_ms, show_progress(b));
    if (poll(ready, 3, can_take_events(b) ? 0 : timeout_ms) < 0)
        return true; /* interrupted: the next one tells by what */
    if (reads && ready[2].revents) {
        lines_read(&b->events.lines);
        b->needs_input = false;
    }
    return ready[1].revents == 0;
}

static bool is_over(const struct background *b) {
    return !b->is_reading && !b->has_event && (b->session->tally.left == 0 || is_stuck(b));
}

static void stop(struct background *b) {
    b->was_stopped = true;
    progress_hide(&b->session->progress);
    complain("stopping: what is under way has %d s to end, another signal ends it at once",
             STOP_MS / 1000);
    bb_dispatcher_stop(b->session->dispatcher, STOP_MS, NULL, NULL);
}

static void deliver(struct background *b, bb_error *error) {
    while (!is_over(b)) {
        if (!wait_for_work(b) || b->session->output_lost) {
            stop(b);
            return;
        }
        take_events(b);
        if (bb_dispatcher_run(b->session->dispatcher, error) != BB_OK) {
            b->failure = error;
            return;
        }
    }
}

/* ---- the whole ---- */

static bool begin(struct background *b) {
    const struct config *config = &b->session->config;
    if (!ledger_open(&b->ledger, config->webhooks, config->count)) {
        complain("out of memory");
        return false;
    }
    if (!events_open(&b->events, b->session->options->events_path)) {
        complain("%s: %s", b->events.name, strerror(b->events.failure));
        return false;
    }
    b->stop_signal = stop_signal_watch();
    if (b->stop_signal < 0)
        complain("a pipe for signals: %s", strerror(errno));
    return b->stop_signal >= 0;
}

static void tell_early_end(const struct background *b) {
    if (b->failure)
        complain("%s", b->failure->text);
    if (b->events.failure)
        complain("%s: %s", b->events.name, strerror(b->events.failure));
    else if (b->has_event)
        complain("%s: stopped before line %lu", b->events.name, b->events.lines.number);
    else if (b->is_reading)
        complain("%s: stopped after line %lu", b->events.name, b->events.lines.number);
}

static int finish(struct background *b) {
    struct session *session = b->session;
    progress_hide(&session->progress);
    tell_early_end(b);
    standings_tell(session, &b->ledger);
    int status = session_finish(session);
    if (session->options->stats)
        standings_print_statistics(session);
    bool is_whole = !b->was_stopped && !b->failure && !b->events.failure && !session->output_lost;
    return is_whole ? status : EXIT_UNDELIVERED;
}

int background_run(struct session *session) {
    struct background b = {.session = session, .is_reading = true};
    bb_error error = BB_ERROR_INIT;
    int status = EXIT_USAGE;
    session->background = &b;
    b.events.lines.descriptor = -1;
    if (begin(&b)) {
        progress_start(&session->progress, 0);
        deliver(&b, &error);
        status = finish(&b);
    }
    session->background = NULL;
    events_close(&b.events);
    ledger_close(&b.ledger);
    return status;
}
