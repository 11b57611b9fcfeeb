#include "deliver.h"

#include "complain.h"
#include "ledger.h"
#include "notices.h"
#include "now.h"
#include "standings.h"
#include "stop_signal.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>

enum {
    STOP_MS = 10000, /* for what is under way when a signal comes */
    SHORTEST_LOOK_MS = 20,
    LONGEST_LOOK_MS = 500 /* between two looks, while nothing happens */
};

struct deliver {
    struct session *session;
    struct ledger ledger;
    int stop_signal;         /* readable when a signal has come */
    int64_t look_ms;         /* when to look next whether it is over */
    int64_t rest_ms;         /* not before: a look that takes long is rare */
    int wait_ms;             /* between two looks */
    bool was_stopped;        /* by a signal, or because standard output takes no more */
    bool failed;             /* the outbox could not be read */
    const bb_error *failure; /* of the dispatcher; NULL: none */
};

/* ---- notices ---- */

/* While something ends again and again there is more to come. */
static void put_off_look(struct deliver *d) {
    d->wait_ms = SHORTEST_LOOK_MS;
    d->look_ms = ticks_ms() + d->wait_ms;
    if (d->look_ms < d->rest_ms)
        d->look_ms = d->rest_ms;
}

static void take_attempt(struct deliver *d, const bb_notice *notice) {
    unsigned long *verdicts = d->session->tally.verdicts;
    put_off_look(d);
    ledger_note(&d->ledger, notice);
    if (notice->kind == BB_NOTICE_DELIVERED)
        verdicts[BB_DELIVERED]++;
    else if (notice->kind == BB_NOTICE_DEAD)
        verdicts[BB_DEAD]++;
    notices_tell_attempt(d->session, notice);
}

void deliver_notice(void *user, const bb_notice *notice) {
    struct session *session = user;
    if (!session->deliver) /* the dispatcher is being freed, all is told */
        return;
    switch (notice->kind) {
    case BB_NOTICE_DELIVERED:
    case BB_NOTICE_RETRYING:
    case BB_NOTICE_DEAD:
        take_attempt(session->deliver, notice);
        break;
    case BB_NOTICE_PAUSED:
    case BB_NOTICE_DISABLED:
    case BB_NOTICE_RECOVERED:
        notices_tell_webhook(session, notice);
        break;
    case BB_NOTICE_DROPPED: /* a database has no limits */
    case BB_NOTICE_FULL:
        break;
    }
}

/* ---- whether it is over ---- */

/* From when on something may be sent to the webhook, in milliseconds since 1970. */
static int64_t open_ms(const struct session *session, const char *id) {
    bb_webhook_status status = BB_WEBHOOK_STATUS_INIT;
    bb_dispatcher_status(session->dispatcher, id, &status, NULL);
    if (status.disabled)
        return INT64_MAX;
    return status.paused_until_ms > status.probe_ms ? status.paused_until_ms : status.probe_ms;
}

/* When the next attempt is due for a webhook of the configuration; INT64_MAX: never. */
static int64_t next_ms(const struct session *session, const struct outbox_row *row) {
    int64_t opens_ms = open_ms(session, row->id);
    return row->due_ms > opens_ms ? row->due_ms : opens_ms;
}

/* What a process has taken is waited for, also when it is another one: it ends soon, or, when that
 * process has died, is free again after its lease. */
static bool has_work(const struct session *session) {
    int64_t now = now_ms();
    if (session->outbox.unmatched > 0) /* the dispatcher does that first */
        return true;
    for (size_t i = 0; i < session->config.count; i++) {
        const struct outbox_row *row =
            outbox_find(&session->outbox, session->config.webhooks[i].id);
        if (row && (row->leased > 0 || next_ms(session, row) <= now))
            return true;
    }
    return false;
}

static bool look(struct deliver *d) {
    enum { SHARE = 20 }; /* of the time is for looking */
    int64_t began = ticks_ms();
    d->failed = !outbox_look(&d->session->outbox);
    int64_t now = ticks_ms();
    d->rest_ms = now + (now - began) * SHARE;
    d->wait_ms = d->wait_ms ? d->wait_ms * 2 : SHORTEST_LOOK_MS;
    if (d->wait_ms > LONGEST_LOOK_MS)
        d->wait_ms = LONGEST_LOOK_MS;
    d->look_ms = now + d->wait_ms > d->rest_ms ? now + d->wait_ms : d->rest_ms;
    return !d->failed;
}

static bool is_over(struct deliver *d) {
    if (d->session->options->forever || ticks_ms() < d->look_ms)
        return false;
    return !look(d) || !has_work(d->session);
}

/* ---- the loop ---- */

static int until_look_ms(const struct deliver *d) {
    int64_t left = d->look_ms - ticks_ms();
    if (d->session->options->forever)
        return -1;
    return left > 0 ? (int)left : 0;
}

static int sooner(int a, int b) {
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* Waits until there is something to do. False: a signal has come. */
static bool wait_for_work(struct deliver *d) {
    struct pollfd ready[] = {
        {.fd = bb_dispatcher_fd(d->session->dispatcher), .events = POLLIN},
        {.fd = d->stop_signal, .events = POLLIN},
    };
    int timeout_ms = bb_dispatcher_timeout_ms(d->session->dispatcher);
    if (poll(ready, 2, sooner(timeout_ms, until_look_ms(d))) < 0)
        return true; /* interrupted: the next one tells by what */
    return ready[1].revents == 0;
}

static void stop(struct deliver *d) {
    d->was_stopped = true;
    complain("stopping: what is under way has %d s to end, another signal ends it at once",
             STOP_MS / 1000);
    bb_dispatcher_stop(d->session->dispatcher, STOP_MS, NULL, NULL);
}

static void deliver(struct deliver *d, bb_error *error) {
    while (!is_over(d)) {
        if (!wait_for_work(d) || d->session->output_lost) {
            stop(d);
            return;
        }
        if (bb_dispatcher_run(d->session->dispatcher, error) != BB_OK) {
            d->failure = error;
            return;
        }
    }
}

/* ---- the end ---- */

static const char *deliveries(uint64_t count) {
    return count == 1 ? "delivery waits" : "deliveries wait";
}

static void tell_waiting(const struct session *session, uint64_t left, int64_t next) {
    char wait[TEXT_WAIT_SIZE];
    const char *name = session->outbox.name, *what = deliveries(left);
    int64_t now = now_ms();
    if (next == INT64_MAX)
        complain("%s: %" PRIu64 " %s, no further attempt is due", name, left, what);
    else if (next <= now)
        complain("%s: %" PRIu64 " %s, the next attempt is due now", name, left, what);
    else
        complain("%s: %" PRIu64 " %s, the next attempt is due in %s", name, left, what,
                 text_wait(next - now, wait));
}

static void tell_next(const struct session *session) {
    uint64_t left = 0;
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < session->config.count; i++) {
        const struct outbox_row *row =
            outbox_find(&session->outbox, session->config.webhooks[i].id);
        int64_t next = row ? next_ms(session, row) : INT64_MAX;
        left += row ? row->waiting : 0;
        first = next < first ? next : first;
    }
    if (left > 0)
        tell_waiting(session, left, first);
}

static bool is_configured(const struct session *session, const char *id) {
    return ledger_find(&session->deliver->ledger, id) != NULL;
}

static void tell_strangers(const struct session *session) {
    uint64_t left = 0;
    for (size_t i = 0; i < session->outbox.count; i++)
        if (!is_configured(session, session->outbox.rows[i].id))
            left += session->outbox.rows[i].waiting;
    if (left > 0)
        complain("%s: %" PRIu64 " %s for webhooks that the configuration does not have",
                 session->outbox.name, left, deliveries(left));
}

/* What has ended and is not written yet is written when the dispatcher looks at its outbox. */
static void look_at_end(struct deliver *d) {
    bb_stats stats = BB_STATS_INIT;
    bb_dispatcher_wake(d->session->dispatcher, NULL);
    bb_dispatcher_stats(d->session->dispatcher, NULL, &stats, NULL);
    look(d);
    d->session->tally.left = (unsigned long)outbox_waiting(&d->session->outbox);
}

/* A signal is how --forever is meant to end. */
static int finish(struct deliver *d) {
    struct session *session = d->session;
    if (d->failure)
        complain("%s", d->failure->text);
    if (!d->failed)
        look_at_end(d);
    standings_tell(session, &d->ledger);
    int status = session_finish(session);
    tell_next(session);
    tell_strangers(session);
    if (d->failure || d->failed || session->output_lost)
        return EXIT_UNDELIVERED;
    if (d->was_stopped)
        return session->options->forever ? EXIT_DELIVERED : EXIT_UNDELIVERED;
    return status;
}

static bool begin(struct deliver *d) {
    const struct config *config = &d->session->config;
    if (!ledger_open(&d->ledger, config->webhooks, config->count)) {
        complain("out of memory");
        return false;
    }
    d->stop_signal = stop_signal_watch();
    if (d->stop_signal < 0)
        complain("a pipe for signals: %s", strerror(errno));
    return d->stop_signal >= 0;
}

int deliver_run(struct session *session) {
    struct deliver d = {.session = session};
    bb_error error = BB_ERROR_INIT;
    int status = EXIT_USAGE;
    session->deliver = &d;
    if (begin(&d)) {
        deliver(&d, &error);
        status = finish(&d);
    }
    session->deliver = NULL;
    ledger_close(&d.ledger);
    return status;
}
