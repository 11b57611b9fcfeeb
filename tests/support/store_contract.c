#include "support/store_contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "support/alloc.h"

struct bb_store *store;
struct bb_queue *store_queues[STORE_QUEUES];
int store_owners[STORE_QUEUES];

static const store_factory *factory_of_cases;

/* ---- life ---- */

void store_open_queues(void) {
    for (int i = 0; i < STORE_QUEUES; i++) {
        char id[32];
        snprintf(id, sizeof id, "hook-%d", i);
        store_owners[i] = i;
        store_queues[i] = store->vtable->open(store, id, &store_owners[i]);
        assert_non_null(store_queues[i]);
        assert_ptr_equal(store_queues[i]->owner, &store_owners[i]);
    }
}

void store_open(const store_factory *factory, uint64_t max_deliveries, uint64_t max_bytes) {
    store = factory->open(max_deliveries, max_bytes);
    store_open_queues();
}

int store_close(const store_factory *factory) {
    if (store)
        factory->close(store);
    store = NULL;
    if (alloc_live() == 0)
        return 0;
    print_error("%ld blocks were left behind\n", alloc_live());
    return -1;
}

int store_case_begin(void **state) {
    *state = NULL;
    store_open(factory_of_cases, 100000, 1 << 30);
    return 0;
}

int store_small_case_begin(void **state) {
    *state = NULL;
    store_open(factory_of_cases, 10, 1000000);
    return 0;
}

int store_case_end(void **state) {
    (void)state;
    return store_close(factory_of_cases);
}

/* ---- put, take, give ---- */

int store_put_event(struct bb_store *into, const bb_event *event, const struct bb_put *puts,
                    size_t count, int64_t now_ms, int64_t due_ms) {
    struct bb_put_event put = {.event = event, .puts = puts, .count = count};
    return into->vtable->put(into, NULL, &put, 1, now_ms, due_ms, NULL);
}

int store_put(size_t queue, const char *id, uint64_t order_key, int64_t now_ms, int64_t due_ms) {
    bb_event event = BB_EVENT_INIT;
    event.activity = BB_ISSUE_CREATE;
    event.id = id;
    event.created_ts = 1;
    struct bb_put put = {store_queues[queue], order_key};
    return store_put_event(store, &event, &put, 1, now_ms, due_ms);
}

void store_must_put(size_t queue, const char *id, uint64_t order_key, int64_t now_ms,
                    int64_t due_ms) {
    assert_int_equal(store_put(queue, id, order_key, now_ms, due_ms), BB_OK);
}

void store_must_take(size_t queue, int64_t now_ms) {
    assert_true(store->vtable->next_ms(store, now_ms) <= now_ms);
    struct bb_queue *taken = store->vtable->take(store, now_ms);
    assert_non_null(taken);
    assert_int_equal(*(int *)taken->owner, queue);
    assert_ptr_equal(taken, store_queues[queue]);
}

void store_must_not_take(int64_t now_ms) {
    assert_null(store->vtable->take(store, now_ms));
    assert_true(store->vtable->next_ms(store, now_ms) > now_ms);
}

void store_must_wait_until(int64_t now_ms, int64_t due_ms) {
    int64_t next_ms = store->vtable->next_ms(store, now_ms);
    assert_true(next_ms == due_ms || (store->vtable->keeps_rows && next_ms < due_ms));
}

void store_give(size_t queue, int64_t not_before_ms) {
    store->vtable->give(store, store_queues[queue], not_before_ms);
}

/* ---- claim, settle ---- */

static struct bb_delivery *check(size_t queue, struct bb_delivery *delivery, const char *id) {
    assert_non_null(delivery);
    assert_ptr_equal(delivery->queue, store_queues[queue]);
    assert_string_equal(bb_parcel_open(delivery->parcel, NULL)->id, id);
    return delivery;
}

struct bb_delivery *store_must_claim(size_t queue, int64_t now_ms, const char *id) {
    return check(queue, store->vtable->claim(store, store_queues[queue], now_ms), id);
}

void store_must_not_claim(size_t queue, int64_t now_ms) {
    assert_null(store->vtable->claim(store, store_queues[queue], now_ms));
}

struct bb_delivery *store_must_claim_older(size_t queue, int64_t before_ms, const char *id) {
    return check(queue, store->vtable->claim_older(store, store_queues[queue], before_ms), id);
}

void store_settle(struct bb_delivery *delivery) {
    store->vtable->settle(store, delivery, BB_SETTLED, 0, NULL);
}

void store_retry(struct bb_delivery *delivery, int64_t due_ms) {
    store->vtable->settle(store, delivery, BB_SETTLED_RETRY, due_ms, NULL);
}

struct bb_delivery *store_next(size_t queue, int64_t now_ms, const char *id) {
    store_must_take(queue, now_ms);
    struct bb_delivery *delivery = store_must_claim(queue, now_ms, id);
    store_give(queue, 0);
    return delivery;
}

void store_must_count(uint64_t waiting, uint64_t claimed) {
    struct bb_store_counts counts = store->vtable->counts(store);
    assert_int_equal(counts.waiting, waiting);
    assert_int_equal(counts.claimed, claimed);
    if (!store->vtable->keeps_rows) /* else they are those in memory */
        assert_int_equal(counts.bytes > 0, waiting + claimed > 0);
}

/* ---- running ---- */

int store_contract_run(const store_factory *factory) {
    factory_of_cases = factory;
    int failed = store_cases_run() + store_queue_cases_run();
    return factory->has_no_limits ? failed : failed + store_bounded_cases_run();
}
