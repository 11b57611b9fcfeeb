/* The contract of several queues: turns, waking, limits, closing, and threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/alloc.h"
#include "support/store_contract.h"

/* ---- turns ---- */

static void queues_have_their_turns_in_the_order_they_became_due(void **state) {
    (void)state;
    store_must_put(2, "two", 0, 1, 30);
    store_must_put(0, "zero", 0, 1, 20);
    store_must_put(1, "one", 0, 1, 10);
    for (size_t i = 0; i < 3; i++) {
        static const size_t order[] = {1, 0, 2};
        store_must_take(order[i], 100);
    }
    assert_null(store->vtable->take(store, 100));
    for (size_t i = 0; i < 3; i++)
        store_give(i, 0);
}

static void a_long_queue_has_its_turn_no_more_often_than_a_short_one(void **state) {
    (void)state;
    char id[16];
    for (int i = 0; i < 100; i++) {
        snprintf(id, sizeof id, "%d", i);
        store_must_put(0, id, 0, 1, 1);
    }
    store_settle(store_next(0, 1, "0"));
    store_must_put(1, "a", 0, 1, 1);
    store_must_put(1, "b", 0, 1, 1);
    store_must_put(2, "c", 0, 1, 1);
    store_settle(store_next(0, 1, "1"));
    store_settle(store_next(1, 1, "a"));
    store_settle(store_next(2, 1, "c"));
    store_settle(store_next(0, 1, "2"));
    store_settle(store_next(1, 1, "b"));
    for (int i = 3; i < 100; i++) {
        snprintf(id, sizeof id, "%d", i);
        store_settle(store_next(0, 1, id));
    }
    store_must_count(0, 0);
}

static void a_taken_queue_is_not_taken_again(void **state) {
    (void)state;
    store_must_put(0, "one", 0, 1, 1);
    store_must_put(0, "two", 0, 1, 1);
    store_must_take(0, 1);
    store_must_put(0, "three", 0, 1, 1);
    store->vtable->wake(store, store_queues[0]);
    store_must_not_take(1);
    store_settle(store_must_claim(0, 1, "one"));
    store_must_not_take(1);
    store_give(0, 0);
    store_must_take(0, 1);
    store_give(0, 0);
}

static void a_queue_is_not_taken_before_the_time_it_was_given_back_for(void **state) {
    (void)state;
    store_must_put(0, "one", 0, 1, 1);
    store_must_take(0, 1);
    store_give(0, 500);
    store_must_wait_until(1, 500);
    store_must_put(0, "two", 0, 2, 2); /* not for a new one either */
    store_must_not_take(499);
    store_settle(store_next(0, 500, "one"));
    store_settle(store_next(0, 500, "two"));
}

static void given_back_for_ever_it_waits_for_ever(void **state) {
    (void)state;
    store_must_put(0, "one", 0, 1, 1);
    store_must_take(0, 1);
    store_give(0, INT64_MAX);
    store_must_put(0, "two", 0, 2, 2);
    store_must_wait_until(3, INT64_MAX);
    store_must_not_take(INT64_MAX - 1);
    store->vtable->wake(store, store_queues[0]);
    store_settle(store_next(0, 3, "one"));
    store_settle(store_next(0, 3, "two"));
}

/* ---- full queues ---- */

enum { MANY = 700 }; /* more than a store has in memory of one */

/* All that is due now. */
static int settle_due(size_t queue, int64_t now_ms) {
    struct bb_delivery *delivery;
    int count = 0;
    while (store->vtable->take(store, now_ms)) {
        while ((delivery = store->vtable->claim(store, store_queues[queue], now_ms))) {
            store_settle(delivery);
            count++;
        }
        store_give(queue, 0);
    }
    return count;
}

static void a_full_queue_that_is_put_off_goes_on(void **state) {
    enum { CLAIMED = 9, LONG_MS = 60000 };
    (void)state;
    char id[16];
    for (int i = 0; i < MANY; i++) {
        snprintf(id, sizeof id, "%d", i);
        store_must_put(0, id, 0, 1, 1);
    }
    int64_t now_ms = 1000;
    for (int i = 0; i < CLAIMED; i++, now_ms += 1000) {
        store_must_take(0, now_ms);
        store_settle(store->vtable->claim(store, store_queues[0], now_ms));
        store_give(0, i < CLAIMED - 1 ? 0 : now_ms + LONG_MS);
    }
    int count = CLAIMED;
    for (int i = 0; i < 20; i++, now_ms += LONG_MS)
        count += settle_due(0, now_ms);
    assert_int_equal(count, MANY);
}

/* ---- wake ---- */

static void waking_forgets_the_time_it_was_given_back_for(void **state) {
    (void)state;
    store_must_put(0, "one", 0, 1, 1);
    store_must_take(0, 1);
    store_give(0, 500);
    store->vtable->wake(store, store_queues[0]);
    assert_true(store->vtable->next_ms(store, 2) <= 2);
    store_settle(store_next(0, 2, "one"));
}

static void a_woken_queue_is_taken_once_though_nothing_is_due(void **state) {
    (void)state;
    store_must_put(1, "later", 0, 1, 9000);
    for (size_t i = 0; i < 2; i++) {
        store->vtable->wake(store, store_queues[i]);
        store->vtable->wake(store, store_queues[i]);
        store_must_take(i, 2);
        store_must_not_claim(i, 2);
        store_give(i, 0);
        store_must_not_take(2);
    }
    store_settle(store_next(1, 9000, "later"));
}

static void nothing_that_happens_takes_the_waking_back(void **state) {
    (void)state;
    store_must_put(0, "one", 0, 1, 1);
    struct bb_delivery *one = store_next(0, 1, "one");
    store->vtable->wake(store, store_queues[0]);
    store_retry(one, 9000);
    store_must_take(0, 2);
    one = store_must_claim(0, 9000, "one");
    store_give(0, 0);
    store->vtable->wake(store, store_queues[0]);
    store_settle(one);
    store_must_take(0, 3);
    store_give(0, 0);
    store->vtable->wake(store, store_queues[0]);
    store_must_put(0, "later", 0, 3, 9000);
    store_must_take(0, 4);
    store_settle(store_must_claim_older(0, INT64_MAX, "later"));
    store_give(0, 0);
}

/* ---- limits ---- */

static void more_deliveries_than_the_limit_are_refused(void **state) {
    (void)state;
    int accepted = 0;
    while (accepted < 10000 && store_put(0, "one", 0, 1, 1) == BB_OK)
        accepted++;
    assert_int_equal(accepted, 10);
    assert_int_equal(store_put(1, "another", 0, 1, 1), BB_ERR_FULL);
    struct bb_delivery *one = store_next(0, 1, "one");
    assert_int_equal(store_put(1, "another", 0, 1, 1), BB_ERR_FULL); /* it may come back */
    store_settle(one);
    store_must_put(1, "another", 0, 1, 1);
    store_must_count(10, 0);
}

static void a_put_that_is_too_large_as_a_whole_leaves_nothing(void **state) {
    (void)state;
    bb_event event = BB_EVENT_INIT;
    event.id = "eleven";
    event.activity = BB_ISSUE_CREATE;
    struct bb_put puts[11];
    for (size_t i = 0; i < 11; i++)
        puts[i] = (struct bb_put){store_queues[i % STORE_QUEUES], i % 2};
    assert_int_equal(store_put_event(store, &event, puts, 11, 1, 1), BB_ERR_FULL);
    store_must_count(0, 0);
    assert_int_equal(store_put_event(store, &event, puts, 10, 1, 1), BB_OK);
    store_must_count(10, 0);
    assert_int_equal(store_put_event(store, &event, puts, 1, 1, 1), BB_ERR_FULL);
    store_must_count(10, 0);
}

static void more_bytes_than_the_limit_are_refused(void **state) {
    (void)state;
    char *id = malloc(200001);
    assert_non_null(id);
    for (size_t i = 0; i < 200000; i++)
        id[i] = 'x';
    id[200000] = '\0';
    int accepted = 0;
    while (accepted < 100 && store_put(0, id, 0, 1, 1) == BB_OK)
        accepted++;
    assert_int_equal(accepted, 4); /* a million bytes */
    store_must_count(4, 0);
    assert_true(store->vtable->counts(store).bytes <= 1000000);
    store_settle(store_next(0, 1, id));
    store_must_put(1, id, 0, 1, 1);
    assert_int_equal(store_put(1, id, 0, 1, 1), BB_ERR_FULL);
    free(id);
}

/* ---- closing ---- */

static void nothing_of_a_closed_queue_is_taken(void **state) {
    (void)state;
    store_must_put(0, "due", 0, 1, 1);
    store_must_put(0, "later", 0, 1, 900);
    store_must_put(0, "first", 9, 1, 1);
    store_must_put(0, "second", 9, 1, 1);
    store_must_put(1, "other", 0, 1, 1);
    uint64_t kept = store->vtable->keeps_rows ? 4 : 0; /* for whoever opens the queue again */
    store->vtable->close(store, store_queues[0]);
    store_must_count(1 + kept, 0);
    store_settle(store_next(1, 1, "other"));
    store_must_not_take(10000);
    store_must_count(kept, 0);
}

static void a_queue_may_be_closed_while_it_is_taken(void **state) {
    (void)state;
    store_must_put(0, "one", 0, 1, 1);
    store_must_put(1, "two", 0, 1, 1);
    store_must_take(0, 1);
    store->vtable->close(store, store_queues[0]);
    store_settle(store_next(1, 1, "two"));
    store->vtable->wake(store, store_queues[2]);
    store->vtable->close(store, store_queues[2]);
    store_must_not_take(10000);
}

static void what_waits_when_the_store_is_closed_is_freed(void **state) {
    (void)state;
    for (size_t i = 0; i < 40; i++)
        store_must_put(i % STORE_QUEUES, "one", i % 3, 1, (int64_t)i);
    store_retry(store_next(0, 1, "one"), 900); /* and the teardown looks for leaks */
}

/* ---- threads ---- */

enum { THREADS = 8, EACH = 250 };

static atomic_int ends[THREADS][EACH];
static atomic_int puts_left;

static void *put_them(void *user) {
    long thread = (long)(intptr_t)user;
    for (int i = 0; i < EACH; i++) {
        char id[32];
        snprintf(id, sizeof id, "%ld %d", thread, i);
        uint64_t key = i % 2 ? (uint64_t)thread + 1 : 0;
        if (store_put((size_t)(thread + i) % STORE_QUEUES, id, key, i, i) != BB_OK)
            break;
        store->vtable->wake(store, store_queues[i % STORE_QUEUES]);
        store->vtable->counts(store);
        store->vtable->waiting(store, store_queues[i % STORE_QUEUES]);
    }
    atomic_fetch_sub(&puts_left, 1);
    return NULL;
}

static void end_one(struct bb_delivery *delivery, int64_t now_ms) {
    char *rest;
    const char *id = bb_parcel_open(delivery->parcel, NULL)->id;
    long thread = strtol(id, &rest, 10), i = strtol(rest, NULL, 10);
    if (delivery->history.attempts++ < (uint32_t)i % 3) {
        store_retry(delivery, now_ms + i % 5);
        return;
    }
    atomic_fetch_add(&ends[thread][i], 1);
    store_settle(delivery);
}

/* Several at once are claimed, so that orders and retries are met. */
static void drive(int64_t *now_ms) {
    struct bb_delivery *held[16];
    size_t count = 0;
    struct bb_queue *queue;
    while (count < 16 && (queue = store->vtable->take(store, *now_ms))) {
        struct bb_delivery *delivery = store->vtable->claim(store, queue, *now_ms);
        store->vtable->give(store, queue, 0);
        if (delivery)
            held[count++] = delivery;
    }
    for (size_t i = 0; i < count; i++)
        end_one(held[i], *now_ms);
    ++*now_ms;
}

static void each_delivery_ends_once_with_eight_threads_that_put(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    int64_t now_ms = 0;
    atomic_store(&puts_left, THREADS);
    for (intptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, put_them, (void *)i), 0);
    while (atomic_load(&puts_left) > 0 || store->vtable->counts(store).waiting > 0)
        drive(&now_ms);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    store_must_count(0, 0);
    for (size_t t = 0; t < THREADS; t++)
        for (size_t i = 0; i < EACH; i++)
            assert_int_equal(atomic_exchange(&ends[t][i], 0), 1);
}

int store_queue_cases_run(void) {
    const struct CMUnitTest tests[] = {
#define CASE(test) cmocka_unit_test_setup_teardown(test, store_case_begin, store_case_end)
        CASE(queues_have_their_turns_in_the_order_they_became_due),
        CASE(a_long_queue_has_its_turn_no_more_often_than_a_short_one),
        CASE(a_taken_queue_is_not_taken_again),
        CASE(a_queue_is_not_taken_before_the_time_it_was_given_back_for),
        CASE(given_back_for_ever_it_waits_for_ever),
        CASE(a_full_queue_that_is_put_off_goes_on),
        CASE(waking_forgets_the_time_it_was_given_back_for),
        CASE(a_woken_queue_is_taken_once_though_nothing_is_due),
        CASE(nothing_that_happens_takes_the_waking_back),
        CASE(nothing_of_a_closed_queue_is_taken),
        CASE(a_queue_may_be_closed_while_it_is_taken),
        CASE(what_waits_when_the_store_is_closed_is_freed),
        CASE(each_delivery_ends_once_with_eight_threads_that_put),
    };
    return cmocka_run_group_tests_name("the store's contract", tests, NULL, NULL);
}

int store_bounded_cases_run(void) {
    const struct CMUnitTest tests[] = {
#define SMALL(test) cmocka_unit_test_setup_teardown(test, store_small_case_begin, store_case_end)
        SMALL(more_deliveries_than_the_limit_are_refused),
        SMALL(a_put_that_is_too_large_as_a_whole_leaves_nothing),
        SMALL(more_bytes_than_the_limit_are_refused),
    };
    return cmocka_run_group_tests_name("the store's limits", tests, NULL, NULL);
}
