#include "enqueue.h"

#include "complain.h"
#include "run.h"

#include <errno.h>
#include <string.h>

/* One transaction is what one read(2) brought: many events cost one flush to the disk, and none
 * waits for input that is yet to come. */
struct batch {
    bool is_open;
    unsigned long first_line;
    unsigned long events, deliveries;
};

struct enqueue {
    struct session *session;
    struct events events;
    struct batch batch;
    struct outbox *outbox;
    bool failed; /* it takes no more */
};

static bool begin(struct enqueue *e) {
    if (e->batch.is_open)
        return true;
    e->batch = (struct batch){.first_line = e->events.lines.number};
    e->batch.is_open = e->outbox->backend->begin(e->outbox);
    e->failed = !e->batch.is_open;
    return e->batch.is_open;
}

static void roll_back(struct enqueue *e) {
    e->outbox->backend->roll_back(e->outbox);
    e->batch.is_open = false;
    e->failed = true;
}

static void commit(struct enqueue *e) {
    if (!e->batch.is_open)
        return;
    if (!e->outbox->backend->commit(e->outbox)) {
        roll_back(e);
        return;
    }
    e->session->tally.events += e->batch.events;
    e->session->tally.left += e->batch.deliveries;
    e->batch.is_open = false;
}

/* A failure of the outbox ends all; one of the event is its own. */
static void put(struct enqueue *e) {
    struct session *session = e->session;
    bb_error error = BB_ERROR_INIT;
    size_t deliveries = 0;
    if (!begin(e))
        return;
    int code = e->outbox->backend->enqueue(e->outbox, session->dispatcher, e->events.event,
                                           &deliveries, &error);
    if (code == BB_OK) {
        e->batch.events++;
        e->batch.deliveries += deliveries;
        return;
    }
    run_tell_problem(session, &e->events, error.text);
    if (code == BB_ERR_OUTBOX)
        roll_back(e);
    else
        session->tally.failed++;
}

/* False: there is nothing more. */
static bool take(struct enqueue *e) {
    switch (events_take(&e->events)) {
    case EVENTS_END:
        return false;
    case EVENTS_EVENT:
        put(e);
        break;
    case EVENTS_BAD:
        e->session->tally.bad_lines++;
        run_tell_problem(e->session, &e->events, e->events.problem.text);
        break;
    case EVENTS_PART:
        commit(e);
        if (!e->failed)
            lines_read(&e->events.lines);
        break;
    }
    progress_show(&e->session->progress, e->events.lines.number);
    return !e->failed;
}

static const char *plural(unsigned long count) {
    return count == 1 ? "" : "s";
}

static void sum_up(const struct tally *tally) {
    printf("%lu event%s enqueued, %lu deliver%s", tally->events, plural(tally->events), tally->left,
           tally->left == 1 ? "y" : "ies");
    if (tally->failed)
        printf("; %lu event%s not enqueued", tally->failed, plural(tally->failed));
    if (tally->bad_lines)
        printf("; %lu bad line%s", tally->bad_lines, plural(tally->bad_lines));
    putchar('\n');
}

static int finish(struct enqueue *e) {
    struct session *session = e->session;
    const struct tally *tally = &session->tally;
    progress_hide(&session->progress);
    if (e->failed)
        complain("%s: line %lu and what follows was not enqueued", e->events.name,
                 e->batch.first_line);
    if (e->events.failure)
        complain("%s: %s", e->events.name, strerror(e->events.failure));
    sum_up(tally);
    session_flush(session);
    bool is_whole = !e->failed && !e->events.failure && !session->output_lost &&
                    tally->failed + tally->bad_lines == 0;
    return is_whole ? EXIT_DELIVERED : EXIT_UNDELIVERED;
}

int enqueue_run(struct session *session) {
    struct enqueue e = {.session = session, .outbox = &session->outbox};
    int status = EXIT_USAGE;
    if (events_open(&e.events, session->options->events_path)) {
        progress_start(&session->progress,
                       progress_wanted() ? lines_count(e.events.lines.descriptor) : 0);
        while (take(&e))
            ;
        commit(&e);
        status = finish(&e);
    } else {
        complain("%s: %s", e.events.name, strerror(e.events.failure));
    }
    events_close(&e.events);
    return status;
}
