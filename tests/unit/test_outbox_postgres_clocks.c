/*
 * Processes whose wall clocks are hours off, on one outbox in PostgreSQL:
 * they deliver neither early nor late, give up nothing as too old, and take no leases from each
 * other, because the database's clock decides. Nor does it matter when a clock is set while the
 * process runs.
 */
#define _GNU_SOURCE /* syscall */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/worker.h"

enum { LEASE_MS = 20000, PATIENCE_MS = 30000, HOUR_MS = 3600 * 1000, OFF_MS = 5 * HOUR_MS };

/* ---- the clocks ---- */

enum { CLOCKS = 4, NOW = 3 };

/* What each is off: the test's own is number NOW, and right. In memory that all processes share. */
static _Atomic int64_t *off_ms;
static size_t mine = NOW;

static void use_clock(size_t number) {
    mine = number;
}

/* Stands in for the C library's, for the library too. */
int clock_gettime(clockid_t id, struct timespec *now) {
    int code = (int)syscall(SYS_clock_gettime, id, now);
    if (code == 0 && id == CLOCK_REALTIME && off_ms)
        now->tv_sec += (time_t)(atomic_load(&off_ms[mine]) / 1000);
    return code;
}

/* ---- what they share ---- */

typedef struct clocks {
    server *receiver;
    worker_notes *notes;
} clocks;

static int setup(void **state) {
    static clocks all;
    const server_options apart = {.own_process = 1};
    atomic_store(&off_ms[0], OFF_MS);
    atomic_store(&off_ms[1], -OFF_MS);
    atomic_store(&off_ms[2], 0);
    worker_begin(WORKER_POSTGRES);
    bb_outbox_free(worker_open_outbox(LEASE_MS));
    all.receiver = server_start(&apart);
    all.notes = worker_notes_new(0);
    *state = &all;
    return 0;
}

static int teardown(void **state) {
    clocks *all = *state;
    worker_notes_free(all->notes);
    server_stop(all->receiver);
    worker_finish();
    return 0;
}

static worker_life life_of(clocks *all, const char *hook, size_t number) {
    worker_life life = {.receiver = all->receiver,
                        .hooks = {hook},
                        .lease_ms = LEASE_MS,
                        .options = BB_BACKGROUND_OPTIONS_INIT,
                        .begin = use_clock,
                        .number = number,
                        .notes = all->notes};
    life.age_limit_s = HOUR_MS / 1000;
    return life;
}

static void answer_fine(clocks *all, const char *path) {
    server_on(all->receiver, path, &(server_step){.status = 200, .body = "{\"code\":0}"}, 1);
}

/* It has nothing else to do. */
static void enqueue_by(clocks *all, const char *hook, size_t number, uint32_t delay_ms) {
    worker_life life = life_of(all, hook, number);
    int64_t before = worker_number("SELECT count(*) FROM bb_delivery");
    life.count = 1;
    life.delay_ms = delay_ms;
    worker running = worker_start(&life);
    worker_wait_number("SELECT count(*) FROM bb_delivery", before + 1);
    worker_end(running);
}

/* ---- the cases ---- */

/* Whoever enqueues, and whoever delivers. */
static void nothing_is_early_or_late_or_too_old(void **state) {
    enum { DELAY_MS = 500 };
    clocks *all = *state;
    answer_fine(all, "/hook");
    for (size_t i = 0; i < 6; i++) {
        worker_life delivers = life_of(all, "hook", (i + 1 + i / 3) % 3);
        int64_t began_ms = server_now_ms();
        enqueue_by(all, "hook", i % 3, DELAY_MS);
        worker running = worker_start(&delivers);
        assert_true(server_wait_requests(all->receiver, i + 1, PATIENCE_MS));
        assert_true(server_request_at(all->receiver, i)->time_ms >= began_ms + DELAY_MS);
        worker_wait_number("SELECT count(*) FROM bb_delivery", 0);
        worker_end(running);
    }
    assert_int_equal(atomic_load(&all->notes->counts[BB_NOTICE_DEAD]), 0);
}

static void rows_have_the_databases_times(void **state) {
    clocks *all = *state;
    for (size_t i = 0; i < 3; i++)
        enqueue_by(all, "hook", i, HOUR_MS);
    assert_in_range(worker_number("SELECT max(abs(enqueued_ms - extract(epoch FROM now()) * 1000))"
                                  "::bigint FROM bb_delivery"),
                    0, PATIENCE_MS);
    assert_int_equal(worker_number("SELECT min(due_ms - enqueued_ms) FROM bb_delivery"), HOUR_MS);
    assert_int_equal(worker_number("SELECT max(due_ms - enqueued_ms) FROM bb_delivery"), HOUR_MS);
}

/* While one waits for an answer, each of the others, whose clock says that the lease is long over or
 * that it has hardly begun, has shown that it looks at what is due. */
static void no_clock_takes_a_lease(void **state) {
    static const char *const own[] = {"ahead", "behind", "right"};
    static const server_step held = {.status = 200, .hold = 1, .body = "{\"code\":0}"};
    clocks *all = *state;
    worker others[3];
    server_on(all->receiver, "/held", &held, 1);
    for (size_t i = 0; i < 3; i++) {
        char path[16];
        snprintf(path, sizeof(path), "/%s", own[i]);
        answer_fine(all, path);
        enqueue_by(all, own[i], i, 2000);
    }
    worker_life life = life_of(all, "held", NOW);
    life.count = 1;
    worker holder = worker_start(&life);
    assert_true(server_wait_requests(all->receiver, 1, PATIENCE_MS));
    for (size_t i = 0; i < 3; i++) {
        worker_life other = life_of(all, "held", i);
        other.hooks[1] = own[i];
        others[i] = worker_start(&other);
    }
    worker_wait_counts(all->notes, BB_NOTICE_DELIVERED, 3);
    assert_int_equal(server_requests_to(all->receiver, "/held"), 1);
    server_release(all->receiver);
    worker_wait_counts(all->notes, BB_NOTICE_DELIVERED, 4);
    for (size_t i = 0; i < 3; i++)
        worker_end(others[i]);
    worker_end(holder);
    assert_int_equal(server_requests_to(all->receiver, "/held"), 1);
    assert_int_equal(worker_number("SELECT count(*) FROM bb_delivery"), 0);
}

/* Forward while something is not due yet, back when it is about to be. */
static void a_clock_may_be_set_meanwhile(void **state) {
    enum { DELAY_MS = 1000 };
    clocks *all = *state;
    worker_life life = life_of(all, "hook", 2);
    answer_fine(all, "/hook");
    answer_fine(all, "/soon");
    life.count = 1;
    life.delay_ms = DELAY_MS;
    int64_t began_ms = server_now_ms();
    worker running = worker_start(&life);
    worker_wait_number("SELECT count(*) FROM bb_delivery", 1);
    atomic_store(&off_ms[2], OFF_MS);
    worker_life late_comer = life_of(all, "soon", 2);
    late_comer.count = 1;
    worker other = worker_start(&late_comer); /* which begins with it like that */
    worker_wait_counts(all->notes, BB_NOTICE_DELIVERED, 1);
    worker_end(other);
    atomic_store(&off_ms[2], -OFF_MS);
    assert_true(server_wait_requests(all->receiver, 2, PATIENCE_MS));
    assert_true(server_request_to(all->receiver, "/hook")->time_ms >= began_ms + DELAY_MS);
    worker_wait_counts(all->notes, BB_NOTICE_DELIVERED, 2);
    worker_end(running);
}

int main(void) {
    off_ms = mmap(NULL, CLOCKS * sizeof(*off_ms), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_early_or_late_or_too_old, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_have_the_databases_times, setup, teardown),
        cmocka_unit_test_setup_teardown(no_clock_takes_a_lease, setup, teardown),
        cmocka_unit_test_setup_teardown(a_clock_may_be_set_meanwhile, setup, teardown),
    };
    return off_ms == MAP_FAILED || cmocka_run_group_tests(tests, NULL, NULL);
}
