/* The contract of one queue: what is put, when it is claimed, what becomes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "support/alloc.h"
#include "support/store_contract.h"

/* ---- put ---- */

static void a_new_store_is_empty(void **state) {
    (void)state;
    store_must_count(0, 0);
    store_must_not_take(1000);
    store_must_wait_until(0, INT64_MAX);
    assert_int_equal(store->vtable->waiting(store, store_queues[0]), 0);
    assert_true(store->vtable->oldest_ms(store, store_queues[0]) == INT64_MAX);
}

static void what_is_put_is_claimed_and_settled(void **state) {
    (void)state;
    store_must_put(0, "one", 0, 500, 500);
    store_must_count(1, 0);
    assert_int_equal(store->vtable->waiting(store, store_queues[0]), 1);
    struct bb_delivery *one = store_next(0, 500, "one");
    assert_int_equal(one->history.enqueued_ms, 500);
    assert_int_equal(one->history.attempts, 0);
    store_must_count(0, 1);
    assert_int_equal(store->vtable->waiting(store, store_queues[0]), 0);
    store_must_not_take(1000);
    store_settle(one);
    store_must_count(0, 0);
    store_must_not_take(1000000);
}

static void what_is_not_due_is_not_claimed(void **state) {
    (void)state;
    store_must_put(0, "later", 0, 100, 200);
    store_must_wait_until(100, 200);
    store_must_not_take(199);
    store_must_take(0, 200);
    store_must_not_claim(0, 199);
    store_settle(store_must_claim(0, 200, "later"));
    store_give(0, 0);
}

static void they_are_claimed_as_they_are_due_then_as_they_were_put(void **state) {
    (void)state;
    static const struct {
        const char *id;
        int64_t due_ms;
    } puts[] = {{"e", 50}, {"c", 40}, {"f", 50}, {"a", 10}, {"d", 40}, {"b", 10}, {"g", 50}};
    for (size_t i = 0; i < 7; i++)
        store_must_put(0, puts[i].id, 0, 0, puts[i].due_ms);
    for (char id[] = "a"; *id <= 'g'; ++*id)
        store_settle(store_next(0, 50, id));
    store_must_count(0, 0);
}

static void a_put_by_somebody_whose_clock_is_ahead_waits_for_ours(void **state) {
    (void)state;
    store_must_put(0, "early", 0, 101, 101);
    store_must_not_take(100);
    store_must_wait_until(100, 101);
    store_settle(store_next(0, 101, "early"));
}

static void all_of_a_put_or_none(void **state) {
    (void)state;
    bb_event event = BB_EVENT_INIT;
    event.id = "shared";
    event.activity = BB_ISSUE_CREATE;
    struct bb_put puts[STORE_QUEUES];
    for (size_t i = 0; i < STORE_QUEUES; i++)
        puts[i] = (struct bb_put){.queue = store_queues[i]};
    assert_int_equal(store_put_event(store, &event, puts, STORE_QUEUES, 5, 5), BB_OK);
    assert_int_equal(store_put_event(store, &event, puts, 0, 5, 5), BB_OK);
    store_must_count(STORE_QUEUES, 0);
    for (size_t i = 0; i < STORE_QUEUES; i++) {
        store_must_count(STORE_QUEUES - i, 0);
        store_settle(store_next(i, 5, "shared"));
    }
    store_must_count(0, 0);
}

static void one_queue_may_be_put_into_twice_at_once(void **state) {
    (void)state;
    bb_event event = BB_EVENT_INIT;
    event.id = "twice";
    event.activity = BB_ISSUE_CREATE;
    struct bb_put puts[] = {{store_queues[0], 7}, {store_queues[0], 7}};
    assert_int_equal(store_put_event(store, &event, puts, 2, 5, 5), BB_OK);
    store_settle(store_next(0, 5, "twice"));
    store_settle(store_next(0, 5, "twice"));
    store_must_count(0, 0);
}

/* ---- retry ---- */

static void a_retry_comes_back_at_its_time_with_its_history(void **state) {
    (void)state;
    store_must_put(0, "one", 0, 1, 1);
    struct bb_delivery *one = store_next(0, 1, "one");
    one->history.attempts = 3;
    one->history.steps = 2;
    one->history.unknowns = 1;
    store_retry(one, 5000);
    store_must_count(1, 0);
    store_must_wait_until(1, 5000);
    store_must_not_take(4999);
    one = store_next(0, 5000, "one");
    assert_int_equal(one->history.enqueued_ms, 1);
    assert_int_equal(one->history.attempts, 3);
    assert_int_equal(one->history.steps, 2);
    assert_int_equal(one->history.unknowns, 1);
    store_settle(one);
}

static void a_retry_holds_up_nobody_else(void **state) {
    (void)state;
    store_must_put(0, "one", 0, 1, 1);
    store_must_put(0, "two", 0, 2, 2);
    store_retry(store_next(0, 2, "one"), 5000);
    store_settle(store_next(0, 2, "two"));
    store_must_put(0, "three", 0, 3, 3);
    store_settle(store_next(0, 3, "three"));
    store_settle(store_next(0, 5000, "one"));
}

static void a_retry_that_is_due_at_once_goes_before_younger_ones(void **state) {
    (void)state;
    store_must_put(0, "one", 0, 1, 1);
    store_must_put(0, "two", 0, 1, 1);
    store_retry(store_next(0, 1, "one"), 1);
    store_settle(store_next(0, 1, "one"));
    store_settle(store_next(0, 1, "two"));
}

/* ---- order ---- */

static void a_later_one_of_a_key_waits_while_the_earlier_is_claimed(void **state) {
    (void)state;
    store_must_put(0, "first", 9, 1, 1);
    store_must_put(0, "second", 9, 1, 1);
    store_must_put(0, "other", 8, 1, 1);
    struct bb_delivery *first = store_next(0, 1, "first");
    store_settle(store_next(0, 1, "other"));
    store_must_not_take(1000);
    store_must_count(1, 1);
    store_settle(first);
    store_settle(store_next(0, 1000, "second"));
}

static void a_later_one_of_a_key_waits_while_the_earlier_is_retried(void **state) {
    (void)state;
    store_must_put(0, "first", 9, 1, 1);
    store_must_put(0, "second", 9, 1, 1);
    store_must_put(0, "free", 0, 1, 1);
    store_retry(store_next(0, 1, "first"), 5000);
    store_settle(store_next(0, 1, "free"));
    store_must_wait_until(1, 5000);
    store_must_not_take(4999);
    store_retry(store_next(0, 5000, "first"), 6000);
    store_must_not_take(5999);
    store_settle(store_next(0, 6000, "first"));
    store_settle(store_next(0, 6000, "second"));
}

static void a_later_one_of_a_key_waits_even_if_it_is_due_before(void **state) {
    (void)state;
    store_must_put(0, "first", 9, 1, 100);
    store_must_put(0, "second", 9, 2, 50);
    store_must_not_take(99);
    store_settle(store_next(0, 100, "first"));
    store_settle(store_next(0, 100, "second"));
}

static void one_that_is_put_after_the_key_was_free_waits_for_nobody(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        store_must_put(0, "one", 9, 1, 1);
        store_settle(store_next(0, 1, "one"));
    }
}

static void keys_of_two_queues_are_two_keys(void **state) {
    (void)state;
    store_must_put(0, "zero", 9, 1, 1);
    store_must_put(1, "one", 9, 1, 1);
    struct bb_delivery *zero = store_next(0, 1, "zero");
    store_settle(store_next(1, 1, "one"));
    store_settle(zero);
}

static void many_of_one_key_come_one_by_one(void **state) {
    (void)state;
    enum { MANY = 50 };
    char id[16];
    for (int i = 0; i < MANY; i++) {
        snprintf(id, sizeof id, "%d", i);
        store_must_put(0, id, UINT64_MAX, 1, MANY - i);
    }
    for (int i = 0; i < MANY; i++) {
        snprintf(id, sizeof id, "%d", i);
        struct bb_delivery *delivery = store_next(0, MANY, id);
        store_must_not_take(MANY);
        if (i % 3 == 0) {
            store_retry(delivery, MANY);
            delivery = store_next(0, MANY, id);
        }
        store_settle(delivery);
    }
    store_must_count(0, 0);
}

/* ---- age ---- */

static void the_oldest_is_told_whatever_it_waits_for(void **state) {
    (void)state;
    store_must_put(0, "first", 9, 10, 9000);
    store_must_put(0, "second", 9, 20, 20);
    assert_true(store->vtable->oldest_ms(store, store_queues[0]) == 10);
    struct bb_delivery *first = store_next(0, 9000, "first");
    assert_true(store->vtable->oldest_ms(store, store_queues[0]) == 20);
    store_retry(first, 20000);
    assert_true(store->vtable->oldest_ms(store, store_queues[0]) == 10);
    store_settle(store_next(0, 20000, "first"));
    store_settle(store_next(0, 20000, "second"));
    assert_true(store->vtable->oldest_ms(store, store_queues[0]) == INT64_MAX);
}

static void older_ones_are_claimed_due_or_not(void **state) {
    (void)state;
    store_must_put(0, "later", 0, 10, 9000);
    store_must_put(0, "due", 0, 20, 20);
    store_must_take(0, 30);
    assert_null(store->vtable->claim_older(store, store_queues[0], 10));
    store_settle(store_must_claim_older(0, 11, "later"));
    assert_null(store->vtable->claim_older(store, store_queues[0], 20));
    store_settle(store_must_claim_older(0, 21, "due"));
    assert_null(store->vtable->claim_older(store, store_queues[0], INT64_MAX));
    store_give(0, 0);
    store_must_count(0, 0);
}

static void older_ones_are_claimed_whatever_their_order(void **state) {
    (void)state;
    store_must_put(0, "first", 9, 10, 10);
    store_must_put(0, "second", 9, 20, 20);
    store_must_put(0, "third", 9, 30, 30);
    struct bb_delivery *first = store_next(0, 10, "first");
    store_retry(first, 40);
    store_must_take(0, 40);
    first = store_must_claim(0, 40, "first");
    struct bb_delivery *second = store_must_claim_older(0, 25, "second");
    assert_null(store->vtable->claim_older(store, store_queues[0], 25));
    store_must_not_claim(0, 40);
    store_settle(second);
    store_must_not_claim(0, 40); /* the third still waits for the first */
    store_settle(first);
    store_settle(store_must_claim(0, 40, "third"));
    store_give(0, 0);
    store_must_count(0, 0);
}

static void when_the_earlier_one_expires_the_next_goes_on(void **state) {
    (void)state;
    store_must_put(0, "first", 9, 10, 9000);
    store_must_put(0, "second", 9, 20, 20);
    store_must_not_take(100);
    store->vtable->wake(store, store_queues[0]);
    store_must_take(0, 100);
    store_settle(store_must_claim_older(0, 15, "first"));
    store_settle(store_must_claim(0, 100, "second"));
    store_give(0, 0);
}

int store_cases_run(void) {
    const struct CMUnitTest tests[] = {
#define CASE(test) cmocka_unit_test_setup_teardown(test, store_case_begin, store_case_end)
        CASE(a_new_store_is_empty),
        CASE(what_is_put_is_claimed_and_settled),
        CASE(what_is_not_due_is_not_claimed),
        CASE(they_are_claimed_as_they_are_due_then_as_they_were_put),
        CASE(a_put_by_somebody_whose_clock_is_ahead_waits_for_ours),
        CASE(all_of_a_put_or_none),
        CASE(one_queue_may_be_put_into_twice_at_once),
        CASE(a_retry_comes_back_at_its_time_with_its_history),
        CASE(a_retry_holds_up_nobody_else),
        CASE(a_retry_that_is_due_at_once_goes_before_younger_ones),
        CASE(a_later_one_of_a_key_waits_while_the_earlier_is_claimed),
        CASE(a_later_one_of_a_key_waits_while_the_earlier_is_retried),
        CASE(a_later_one_of_a_key_waits_even_if_it_is_due_before),
        CASE(one_that_is_put_after_the_key_was_free_waits_for_nobody),
        CASE(keys_of_two_queues_are_two_keys),
        CASE(many_of_one_key_come_one_by_one),
        CASE(the_oldest_is_told_whatever_it_waits_for),
        CASE(older_ones_are_claimed_due_or_not),
        CASE(older_ones_are_claimed_whatever_their_order),
        CASE(when_the_earlier_one_expires_the_next_goes_on),
    };
    return cmocka_run_group_tests_name("the store's contract", tests, NULL, NULL);
}
