/* How often the store in PostgreSQL asks its server before it has something to send, and that it
 * knows what is left where it has not asked. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "driver/store_leases.h"
#include "driver/store_postgres.h"
#include "driver/store_postgres_db.h"
#include "support/alloc.h"
#include "support/postgres.h"
#include "support/store_contract.h"

enum {
    QUEUES = 64,
    EACH = 3,
    FIRST = BB_LEASES_FIRST,
    BEFORE_MS = 10,
    DUE_MS = 1000,
    LATER_MS = 50000
};

/* ---- what is asked ---- */

static unsigned trips, times_asked;

int PQsendQueryParams(PGconn *conn, const char *sql, int count, const Oid *types,
                      const char *const *values, const int *lengths, const int *formats,
                      int result_format) {
    __typeof__(PQsendQueryParams) *real;
    *(void **)&real = dlsym(RTLD_NEXT, "PQsendQueryParams");
    times_asked += strcmp(sql, bb_postgres_db_text(BB_PG_TIMES)) == 0;
    return real(conn, sql, count, types, values, lengths, formats, result_format);
}

int PQpipelineSync(PGconn *conn) {
    __typeof__(PQpipelineSync) *real;
    *(void **)&real = dlsym(RTLD_NEXT, "PQpipelineSync");
    trips++;
    return real(conn);
}

/* ---- stores ---- */

static struct bb_queue *queues[QUEUES + 1];

static void open_store(size_t count) {
    const struct bb_store_postgres_config config = {.mem = *alloc_library(), .lease_ms = 60000};
    char id[32];
    bb_error error = BB_ERROR_INIT;
    if (bb_store_postgres_open(&config, postgres_conninfo_with(""), &store, &error) != BB_OK)
        fail_msg("%s", error.text);
    for (size_t i = 0; i < count; i++) {
        snprintf(id, sizeof(id), "hook %zu", i);
        queues[i] = store->vtable->open(store, id, NULL);
        assert_non_null(queues[i]);
    }
    trips = times_asked = 0;
}

static void close_store(void) {
    store->vtable->free(store);
    store = NULL;
}

static void put(size_t queue, size_t number, int64_t due_ms) {
    char id[64];
    bb_event event = BB_EVENT_INIT;
    event.activity = BB_ISSUE_CREATE;
    snprintf(id, sizeof(id), "event %zu of %zu", number, queue);
    event.id = id;
    const struct bb_put one = {queues[queue], 0};
    assert_int_equal(store_put_event(store, &event, &one, 1, 1, due_ms), BB_OK);
}

/* Of each of so many queues so many wait, due at the same time, and have never been leased. */
static void leave_waiting(size_t count, size_t each) {
    postgres_fresh();
    open_store(count);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < each; j++)
            put(i, j, DUE_MS);
    while (store->vtable->owes(store, BEFORE_MS))
        assert_null(store->vtable->take(store, BEFORE_MS));
    close_store();
}

static struct bb_queue *must_claim_one(int64_t now_ms) {
    struct bb_queue *queue = store->vtable->take(store, now_ms);
    assert_non_null(queue);
    struct bb_delivery *delivery = store->vtable->claim(store, queue, now_ms);
    assert_non_null(delivery);
    store_settle(delivery);
    return queue;
}

/* ---- the first claim ---- */

/* It looks around, leases, commits. */
static void the_first_claim_takes_three_round_trips(void **state) {
    (void)state;
    leave_waiting(QUEUES, EACH);
    open_store(QUEUES);
    must_claim_one(DUE_MS);
    assert_int_equal(trips, 3);
    assert_int_equal(times_asked, 0);
    close_store();
}

static void a_webhook_that_nobody_knows_takes_one_more(void **state) {
    (void)state;
    leave_waiting(QUEUES, EACH);
    open_store(QUEUES + 1);
    must_claim_one(DUE_MS);
    assert_int_equal(trips, 4);
    close_store();
}

static void nothing_to_do_is_seen_in_two(void **state) {
    (void)state;
    leave_waiting(1, 0);
    open_store(1); /* it is added now */
    assert_null(store->vtable->take(store, DUE_MS));
    close_store();
    open_store(1);
    assert_null(store->vtable->take(store, DUE_MS));
    assert_int_equal(trips, 2);
    assert_false(store->vtable->owes(store, DUE_MS));
    close_store();
}

/* ---- what was not asked ---- */

static void claim_all(size_t count) {
    struct bb_queue *queue = store->vtable->take(store, DUE_MS);
    assert_ptr_equal(queue, queues[0]);
    for (size_t i = 0; i < count; i++) {
        struct bb_delivery *delivery = store->vtable->claim(store, queue, DUE_MS);
        assert_non_null(delivery);
        store_settle(delivery);
    }
    assert_null(store->vtable->claim(store, queue, DUE_MS));
    store->vtable->give(store, queue, 0);
}

/* It has given all that it was asked for, and that was all. */
static void a_queue_that_is_empty_by_chance_is_owed_nothing(void **state) {
    (void)state;
    leave_waiting(1, FIRST);
    open_store(1);
    claim_all(FIRST);
    assert_null(store->vtable->take(store, DUE_MS));
    assert_false(store->vtable->owes(store, DUE_MS));
    assert_true(store->vtable->next_ms(store, DUE_MS) > DUE_MS);
    assert_int_equal(store->vtable->waiting(store, queues[0]), 0);
    assert_true(store->vtable->oldest_ms(store, queues[0]) == INT64_MAX);
    close_store();
}

static void what_is_due_later_waits_for_its_time(void **state) {
    (void)state;
    leave_waiting(1, FIRST);
    open_store(1);
    put(0, FIRST, LATER_MS);
    claim_all(FIRST);
    assert_null(store->vtable->take(store, LATER_MS - 1));
    assert_false(store->vtable->owes(store, LATER_MS - 1));
    must_claim_one(LATER_MS);
    close_store();
}

static void what_goes_on_is_leased_without_a_question(void **state) {
    enum { ALL = 4 * FIRST };
    (void)state;
    leave_waiting(1, ALL);
    open_store(1);
    must_claim_one(DUE_MS);
    for (size_t i = 1; i < ALL; i++) {
        struct bb_delivery *delivery = store->vtable->claim(store, queues[0], DUE_MS);
        assert_non_null(delivery);
        store_settle(delivery);
        assert_true(i >= FIRST || times_asked == 0);
    }
    assert_null(store->vtable->claim(store, queues[0], DUE_MS));
    close_store();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_claim_takes_three_round_trips),
        cmocka_unit_test(a_webhook_that_nobody_knows_takes_one_more),
        cmocka_unit_test(nothing_to_do_is_seen_in_two),
        cmocka_unit_test(a_queue_that_is_empty_by_chance_is_owed_nothing),
        cmocka_unit_test(what_is_due_later_waits_for_its_time),
        cmocka_unit_test(what_goes_on_is_leased_without_a_question),
    };
    return cmocka_run_group_tests_name("round trips to PostgreSQL", tests, NULL, NULL);
}
