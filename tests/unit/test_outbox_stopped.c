/*
 * A process that is stopped by SIGSTOP for longer than its lease, and goes on by SIGCONT: others
 * have its deliveries by then, and what it says about them late is not believed, whatever it is and
 * whatever has become of them.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "support/worker.h"

/* A long lease does not run out by itself, however busy the machine is: the test ends it, and its
 * owner does not know. A short one does, as its owner knows. */
enum { SHORT_LEASE_MS = 2000, LONG_LEASE_MS = 60000, PATIENCE_MS = 30000 };

static const uint32_t an_hour[] = {3600 * 1000};

/* Two processes with the webhook "hook"; the first one has the events, and notes of its own. */
typedef struct pair {
    server *receiver;
    worker_life life;
    worker_notes *first_notes, *second_notes;
    worker first, second;
} pair;

static void open_pair(pair *p, worker_store store, uint32_t lease_ms, const server_step *steps,
                      size_t count) {
    const server_options apart = {.own_process = 1};
    worker_begin(store);
    bb_outbox_free(worker_open_outbox(lease_ms));
    p->receiver = server_start(&apart);
    server_on(p->receiver, "/hook", steps, count);
    p->first_notes = worker_notes_new(0);
    p->second_notes = worker_notes_new(0);
    p->life = (worker_life){.receiver = p->receiver,
                            .hooks = {"hook"},
                            .lease_ms = lease_ms,
                            .options = BB_BACKGROUND_OPTIONS_INIT};
    p->life.options.retry_delays_ms = an_hour;
    p->life.options.retry_delay_count = 1;
    p->life.options.no_jitter = 1;
}

/* Until it does not run any more. */
static void stop(worker running) {
    int status = 0;
    assert_int_equal(kill(running.pid, SIGSTOP), 0);
    assert_int_equal(waitpid(running.pid, &status, WUNTRACED), running.pid);
    assert_true(WIFSTOPPED(status));
}

/* The first one has sent its first request, and does not move any more; its leases run out, and the
 * answer comes now. */
static void stop_first_while_it_sends(pair *p, size_t events) {
    p->life.notes = p->first_notes;
    p->life.count = events;
    p->first = worker_start(&p->life);
    assert_true(server_wait_requests(p->receiver, 1, PATIENCE_MS));
    worker_wait_number("SELECT count(*) FROM bb_delivery WHERE lease <> 0", (int64_t)events);
    stop(p->first);
    if (p->life.lease_ms == LONG_LEASE_MS)
        worker_number("UPDATE bb_delivery SET leased_until_ms = 0 WHERE lease <> 0 RETURNING 1");
    server_release(p->receiver);
}

static void start_second(pair *p) {
    p->life.notes = p->second_notes;
    p->life.count = 0;
    p->life.lease_ms = LONG_LEASE_MS;
    p->second = worker_start(&p->life);
}

/* It says what it has to say, and ends. */
static void let_first_end(pair *p, bb_notice_kind says) {
    assert_int_equal(kill(p->first.pid, SIGCONT), 0);
    worker_wait_counts(p->first_notes, says, 1);
    worker_end(p->first);
    assert_int_equal(atomic_load(&p->first_notes->counts[says]), 1);
}

static void close_pair(pair *p) {
    worker_end(p->second);
    worker_notes_free(p->first_notes);
    worker_notes_free(p->second_notes);
    server_stop(p->receiver);
    worker_finish();
}

/* ---- the cases ---- */

/* Some have been delivered by another one, some are under way there, some only leased: it brings
 * nothing back, gives nothing back, and sends nothing of what it had leased and not begun. */
static void a_late_failure_changes_nothing(void **state) {
    enum { EVENTS = 20 };
    static const server_step steps[] = {{.status = 503, .hold = 1},
                                        {.status = 200, .body = "{\"code\":0}"},
                                        {.status = 200, .delay_ms = 50, .body = "{\"code\":0}"}};
    pair p;
    open_pair(&p, *(worker_store *)*state, SHORT_LEASE_MS, steps, 3);
    stop_first_while_it_sends(&p, EVENTS);
    start_second(&p);
    worker_wait_counts(p.second_notes, BB_NOTICE_DELIVERED, 2);
    let_first_end(&p, BB_NOTICE_RETRYING);
    worker_wait_counts(p.second_notes, BB_NOTICE_DELIVERED, EVENTS);
    worker_wait_number("SELECT count(*) FROM bb_delivery", 0);
    assert_int_equal(atomic_load(&p.first_notes->counts[BB_NOTICE_DELIVERED]), 0);
    assert_int_equal(server_requests(p.receiver), EVENTS + 1);
    close_pair(&p);
}

static void check_retry_stands(pair *p) {
    assert_int_equal(worker_number("SELECT count(*) FROM bb_delivery"), 1);
    assert_int_equal(worker_number("SELECT attempts FROM bb_delivery"), 1);
    assert_int_equal(worker_number("SELECT lease FROM bb_delivery"), 0);
    assert_in_range(worker_number("SELECT due_ms - enqueued_ms FROM bb_delivery"), an_hour[0],
                    an_hour[0] + 60000);
    assert_int_equal(server_requests(p->receiver), 2);
}

static void a_late_success_does_not_end_what_another_retries(void **state) {
    static const server_step steps[] = {{.status = 200, .hold = 1, .body = "{\"code\":0}"},
                                        {.status = 503}};
    pair p;
    open_pair(&p, *(worker_store *)*state, LONG_LEASE_MS, steps, 2);
    stop_first_while_it_sends(&p, 1);
    start_second(&p);
    worker_wait_counts(p.second_notes, BB_NOTICE_RETRYING, 1);
    worker_wait_number("SELECT attempts FROM bb_delivery", 1);
    let_first_end(&p, BB_NOTICE_DELIVERED);
    check_retry_stands(&p);
    close_pair(&p);
}

static void a_late_success_does_not_end_what_another_sends(void **state) {
    static const server_step steps[] = {{.status = 200, .hold = 1, .body = "{\"code\":0}"},
                                        {.status = 503, .delay_ms = 1000}};
    pair p;
    open_pair(&p, *(worker_store *)*state, LONG_LEASE_MS, steps, 2);
    stop_first_while_it_sends(&p, 1);
    start_second(&p);
    assert_true(server_wait_requests(p.receiver, 2, PATIENCE_MS));
    let_first_end(&p, BB_NOTICE_DELIVERED);
    worker_wait_counts(p.second_notes, BB_NOTICE_RETRYING, 1);
    worker_wait_number("SELECT attempts FROM bb_delivery", 1);
    check_retry_stands(&p);
    close_pair(&p);
}

static worker_store sqlite = WORKER_SQLITE, postgres = WORKER_POSTGRES;

#define ON_BOTH(test)                                                                              \
    {#test " (SQLite)", test, NULL, NULL, &sqlite}, {                                              \
#test " (PostgreSQL)", test, NULL, NULL, &postgres                                         \
    }

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_BOTH(a_late_failure_changes_nothing),
        ON_BOTH(a_late_success_does_not_end_what_another_retries),
        ON_BOTH(a_late_success_does_not_end_what_another_sends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
