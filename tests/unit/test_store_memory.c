/* The store in memory: the contract of stores, and what only this one does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "delivery/retry.h"
#include "driver/store_memory.h"
#include "support/alloc.h"
#include "support/store_contract.h"

static int drops[STORE_QUEUES];
static bool drops_oldest;

static void count_drop(void *user, void *owner) {
    assert_ptr_equal(user, drops);
    drops[*(int *)owner]++;
}

static struct bb_store *open_memory(uint64_t max_deliveries, uint64_t max_bytes) {
    struct bb_store_memory_config config = {.mem = alloc_library(),
                                            .max_deliveries = max_deliveries,
                                            .max_bytes = max_bytes,
                                            .drops_oldest = drops_oldest,
                                            .dropped = count_drop,
                                            .dropped_user = drops};
    return bb_store_memory_new(&config);
}

static void close_memory(struct bb_store *memory) {
    memory->vtable->free(memory);
}

static const store_factory factory = {open_memory, close_memory, false};

static int begin_dropping(void **state) {
    *state = NULL;
    drops_oldest = true;
    for (size_t i = 0; i < STORE_QUEUES; i++)
        drops[i] = 0;
    store_open(&factory, 10, 1000000);
    return 0;
}

static int end_store(void **state) {
    (void)state;
    return store_close(&factory);
}

static void put_numbered(size_t queue, int number, uint64_t key) {
    char id[16];
    snprintf(id, sizeof id, "%d", number);
    store_must_put(queue, id, key, number, number);
}

/* ---- dropping ---- */

static void what_has_waited_longest_makes_room(void **state) {
    (void)state;
    for (int i = 0; i < 13; i++)
        put_numbered((size_t)i % 2, i, 0);
    store_must_count(10, 0);
    assert_int_equal(drops[0], 2); /* 0, 2 */
    assert_int_equal(drops[1], 1);
    store_settle(store_next(1, 100, "3"));
    store_settle(store_next(0, 100, "4"));
}

static void what_is_claimed_is_not_dropped(void **state) {
    (void)state;
    for (int i = 0; i < 10; i++)
        put_numbered(0, i, 0);
    struct bb_delivery *zero = store_next(0, 100, "0");
    put_numbered(1, 10, 0);
    store_retry(zero, 50);
    store_settle(store_next(0, 100, "2")); /* 1 was dropped */
    store_settle(store_next(1, 100, "10"));
    assert_int_equal(drops[0], 1);
}

static void nothing_is_dropped_for_what_finds_no_room_even_so(void **state) {
    (void)state;
    struct bb_delivery *claimed[8];
    struct bb_put puts[3];
    char id[16];
    for (int i = 0; i < 10; i++)
        put_numbered(0, i, 0);
    for (int i = 0; i < 8; i++) {
        snprintf(id, sizeof id, "%d", i);
        claimed[i] = store_next(0, 100, id);
    }
    for (size_t i = 0; i < 3; i++)
        puts[i] = (struct bb_put){.queue = store_queues[1]};
    const bb_event *event = claimed[0]->parcel->event;
    assert_int_equal(store_put_event(store, event, puts, 3, 1, 1), BB_ERR_FULL);
    store_must_count(2, 8);
    assert_int_equal(store_put_event(store, event, puts, 2, 1, 1), BB_OK);
    store_must_count(2, 8);
    assert_int_equal(drops[0], 2);
    for (int i = 0; i < 8; i++)
        store_settle(claimed[i]);
}

static int put_large(size_t texts) {
    static char large[250001];
    for (size_t i = 0; i < sizeof large - 1; i++)
        large[i] = 'x';
    bb_event event = BB_EVENT_INIT;
    event.id = "large";
    event.title = large;
    event.description = texts > 1 ? large : NULL;
    event.comment = texts > 2 ? large : NULL;
    struct bb_put put = {store_queues[0], 0};
    return store_put_event(store, &event, &put, 1, 1, 1);
}

static void bytes_make_room_too(void **state) {
    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(put_large(1), BB_OK);
    assert_int_equal(drops[0], 1);
    struct bb_delivery *one = store_next(0, 1, "large"), *two = store_next(0, 1, "large");
    assert_int_equal(put_large(3), BB_ERR_FULL);
    store_must_count(1, 2); /* dropping the one that waits would not have been enough */
    store_settle(one);
    store_retry(two, 1);
    assert_int_equal(put_large(3), BB_OK);
    store_must_count(1, 0);
    assert_int_equal(drops[0], 3);
}

static void the_next_of_its_key_goes_on_when_one_is_dropped(void **state) {
    (void)state;
    store_must_put(0, "first", 9, 1, 9000);
    for (int i = 2; i < 11; i++)
        put_numbered(0, i, 9);
    store_must_not_take(100);
    store_must_put(1, "newest", 0, 100, 100);
    store_settle(store_next(0, 100, "2"));
    assert_int_equal(drops[0], 1);
    store_settle(store_next(1, 100, "newest"));
    store_settle(store_next(0, 100, "3"));
}

static void one_that_waits_for_its_turn_may_be_dropped(void **state) {
    (void)state;
    for (int i = 0; i < 10; i++)
        put_numbered(0, i, 9);
    struct bb_delivery *zero = store_next(0, 100, "0");
    put_numbered(1, 10, 0);
    put_numbered(1, 11, 0);
    assert_int_equal(drops[0], 2); /* 1, 2 */
    store_settle(zero);
    store_settle(store_next(1, 100, "10"));
    store_settle(store_next(0, 100, "3"));
}

static void dropping_everything_again_and_again_keeps_the_books(void **state) {
    (void)state;
    uint64_t chance = 5;
    for (int i = 0; i < 20000; i++) {
        put_numbered(bb_retry_chance(&chance) % STORE_QUEUES, i, bb_retry_chance(&chance) % 3);
        if (bb_retry_chance(&chance) % 4)
            continue;
        struct bb_queue *queue = store->vtable->take(store, i);
        struct bb_delivery *delivery = queue ? store->vtable->claim(store, queue, i) : NULL;
        if (queue)
            store->vtable->give(store, queue, 0);
        if (delivery && bb_retry_chance(&chance) % 2)
            store_retry(delivery, i + 3);
        else if (delivery)
            store_settle(delivery);
    }
    assert_int_equal(store->vtable->counts(store).waiting, 10);
}

/* ---- memory ---- */

/* A put of many, with new keys and old ones, and the store's life around it. */
static void live_through(void *user) {
    bb_event event = BB_EVENT_INIT;
    struct bb_put puts[400];
    (void)user;
    event.id = "one";
    struct bb_store *memory = open_memory(1000, 1 << 20);
    struct bb_queue *queue = memory ? memory->vtable->open(memory, "hook", NULL) : NULL;
    for (size_t i = 0; i < 400; i++)
        puts[i] = (struct bb_put){.queue = queue, .order_key = i < 350 ? i : i % 10};
    for (int round = 0; queue && round < 2; round++) {
        struct bb_store_counts before = memory->vtable->counts(memory);
        int code = store_put_event(memory, &event, puts, 400, 1, 1);
        struct bb_store_counts after = memory->vtable->counts(memory);
        assert_true(code == BB_OK || code == BB_ERR_NO_MEMORY);
        assert_int_equal(after.waiting - before.waiting, code == BB_OK ? 400 : 0);
        assert_int_equal(after.bytes == before.bytes, code != BB_OK);
        assert_int_equal(memory->vtable->waiting(memory, queue), after.waiting);
    }
    if (memory)
        memory->vtable->free(memory);
}

static void memory_may_run_out_anywhere(void **state) {
    (void)state;
    drops_oldest = false;
    alloc_fail_each("a store's life", 300 * alloc_scale(), live_through, NULL);
}

static void the_store_shares_one_event_between_its_deliveries(void **state) {
    (void)state;
    bb_event event = BB_EVENT_INIT;
    event.id = "shared";
    struct bb_put puts[STORE_QUEUES];
    for (size_t i = 0; i < STORE_QUEUES; i++)
        puts[i] = (struct bb_put){.queue = store_queues[i]};
    assert_int_equal(store_put_event(store, &event, puts, 1, 1, 1), BB_OK);
    uint64_t one = store->vtable->counts(store).bytes;
    struct bb_delivery *only = store_next(0, 1, "shared");
    uint64_t row = one - only->parcel->size;
    store_settle(only);
    assert_int_equal(store_put_event(store, &event, puts, STORE_QUEUES, 1, 1), BB_OK);
    assert_int_equal(store->vtable->counts(store).bytes - STORE_QUEUES * row, one - row);
    struct bb_parcel *parcel = NULL;
    for (size_t i = 0; i < STORE_QUEUES; i++) {
        struct bb_delivery *delivery = store_next(i, 1, "shared");
        assert_true(i == 0 || delivery->parcel == parcel);
        parcel = i == 0 ? bb_parcel_retain(delivery->parcel) : parcel;
        assert_int_equal(atomic_load(&parcel->references), STORE_QUEUES + 1 - i);
        store_settle(delivery);
    }
    bb_parcel_release(parcel);
    store_must_count(0, 0);
}

int main(void) {
#define DROPPING(test) cmocka_unit_test_setup_teardown(test, begin_dropping, end_store)
    const struct CMUnitTest tests[] = {
        DROPPING(what_has_waited_longest_makes_room),
        DROPPING(what_is_claimed_is_not_dropped),
        DROPPING(nothing_is_dropped_for_what_finds_no_room_even_so),
        DROPPING(bytes_make_room_too),
        DROPPING(the_next_of_its_key_goes_on_when_one_is_dropped),
        DROPPING(one_that_waits_for_its_turn_may_be_dropped),
        DROPPING(dropping_everything_again_and_again_keeps_the_books),
        DROPPING(the_store_shares_one_event_between_its_deliveries),
        cmocka_unit_test_teardown(memory_may_run_out_anywhere, alloc_teardown),
    };
    int failed = store_contract_run(&factory);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
