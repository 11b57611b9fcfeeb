/* Eight processes that enqueue into one outbox and deliver from it, all at once: each attempt of
 * each delivery is made by one of them, once. BB_TEST_ROWS says how many events there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/worker.h"

enum { WORKERS = 8, USUAL_ROWS = 4000, FAILURES = 8, LEASE_MS = 60000 };

static size_t rows(void) {
    const char *asked = getenv("BB_TEST_ROWS");
    size_t count = asked ? (size_t)strtoul(asked, NULL, 10) : USUAL_ROWS;
    return (count < WORKERS ? WORKERS : count) / WORKERS * WORKERS;
}

/* Of the first requests one in eight fails, and has another attempt. */
static server *start_receiver(void) {
    static const server_step fine = {.status = 200, .body = "{\"code\":0}"}, bad = {.status = 503};
    const server_options apart = {.own_process = 1};
    server_step steps[8 * FAILURES + 1];
    server *receiver = server_start(&apart);
    for (size_t i = 0; i <= 8 * FAILURES; i++)
        steps[i] = i % 8 == 7 ? bad : fine;
    server_on(receiver, "/hook", steps, 8 * FAILURES + 1);
    return receiver;
}

static int compare_ids(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t different_ids(server *receiver) {
    size_t count = server_requests(receiver), different = 0;
    const char **ids = calloc(count + 1, sizeof(*ids));
    assert_non_null(ids);
    for (size_t i = 0; i < count; i++)
        ids[i] = server_header(server_request_at(receiver, i), "webhook-id");
    qsort(ids, count, sizeof(*ids), compare_ids);
    for (size_t i = 0; i < count; i++)
        different += i == 0 || strcmp(ids[i - 1], ids[i]) != 0;
    free(ids);
    return different;
}

/* Those after the first ones, of all events. */
static size_t check_attempts(const worker_notes *notes) {
    size_t again = 0;
    for (size_t i = 0; i < notes->events; i++) {
        assert_int_equal(atomic_load(&notes->attempts[i][0]), 1);
        for (int attempt = 1; attempt < WORKER_MOST_ATTEMPTS; attempt++) {
            assert_in_range(atomic_load(&notes->attempts[i][attempt]), 0, 1);
            again += atomic_load(&notes->attempts[i][attempt]);
        }
    }
    return again;
}

static void start_all(worker *workers, worker_life *life, size_t count) {
    for (size_t i = 0; i < WORKERS; i++) {
        life->first = i * (count / WORKERS);
        life->count = count / WORKERS;
        workers[i] = worker_start(life);
    }
}

static void each_attempt_is_made_by_one(worker_store store) {
    static const uint32_t soon[] = {1, 1, 1};
    size_t count = rows();
    worker workers[WORKERS];
    worker_begin(store);
    bb_outbox_free(worker_open_outbox(LEASE_MS));
    server *receiver = start_receiver();
    worker_notes *notes = worker_notes_new(count);
    worker_life life = {.receiver = receiver,
                        .hooks = {"hook"},
                        .lease_ms = LEASE_MS,
                        .options = BB_BACKGROUND_OPTIONS_INIT,
                        .notes = notes};
    life.options.retry_delays_ms = soon;
    life.options.retry_delay_count = 3;
    int64_t began_ms = server_now_ms();
    start_all(workers, &life, count);
    worker_wait_counts(notes, BB_NOTICE_DELIVERED, count);
    int64_t took_ms = server_now_ms() - began_ms;
    for (size_t i = 0; i < WORKERS; i++)
        worker_end(workers[i]);
    print_message("%zu events enqueued and delivered by %d processes in %lld ms\n", count, WORKERS,
                  (long long)took_ms);
    assert_int_equal(atomic_load(&notes->counts[BB_NOTICE_DELIVERED]), count);
    assert_int_equal(atomic_load(&notes->counts[BB_NOTICE_RETRYING]), FAILURES);
    assert_int_equal(check_attempts(notes), FAILURES);
    assert_int_equal(server_requests(receiver), count + FAILURES);
    assert_int_equal(different_ids(receiver), count);
    assert_int_equal(worker_number("SELECT count(*) FROM bb_delivery"), 0);
    assert_in_range(worker_number("SELECT count(*) FROM bb_event"), 0,
                    1); /* 1: the newest, empty */
    worker_notes_free(notes);
    server_stop(receiver);
    worker_finish();
}

static void each_attempt_is_made_by_one_of_eight_on_postgres(void **state) {
    (void)state;
    each_attempt_is_made_by_one(WORKER_POSTGRES);
}

static void each_attempt_is_made_by_one_of_eight_on_sqlite(void **state) {
    (void)state;
    each_attempt_is_made_by_one(WORKER_SQLITE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_attempt_is_made_by_one_of_eight_on_postgres),
        cmocka_unit_test(each_attempt_is_made_by_one_of_eight_on_sqlite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
