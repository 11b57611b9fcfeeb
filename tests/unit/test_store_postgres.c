/* The store in PostgreSQL: the contract of stores. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "driver/store_postgres.h"
#include "support/alloc.h"
#include "support/postgres.h"
#include "support/store_contract.h"

/* Its leases outlast the jumps of the cases' time. */
static struct bb_store *open_postgres(uint64_t max_deliveries, uint64_t max_bytes) {
    bb_error error = BB_ERROR_INIT;
    struct bb_store *made = NULL;
    struct bb_store_postgres_config config = {.mem = *alloc_library(),
                                              .lease_ms = INT64_C(1) << 40};
    (void)max_deliveries, (void)max_bytes;
    if (bb_store_postgres_open(&config, postgres_fresh(), &made, &error) != BB_OK)
        fail_msg("%s", error.text);
    return made;
}

static void close_postgres(struct bb_store *postgres) {
    postgres->vtable->free(postgres);
}

/* ---- memory that runs out ---- */

static void put_one(struct bb_queue *queue, const char *id) {
    bb_event event = BB_EVENT_INIT;
    event.activity = BB_ISSUE_CREATE;
    event.id = id;
    struct bb_put put = {queue, 7};
    store_put_event(store, &event, &put, 1, 1, 1);
}

/* A life, as far as there is memory for it; time passes, because a pass that fails is tried again
 * later. */
static void live(void *user) {
    struct bb_store_postgres_config config = {.mem = *alloc_library(), .lease_ms = 60000};
    struct bb_queue *queue, *taken;
    struct bb_delivery *delivery;
    if (bb_store_postgres_open(&config, user, &store, NULL) != BB_OK)
        return;
    if ((queue = store->vtable->open(store, "hook", NULL))) {
        put_one(queue, "one");
        put_one(queue, "two");
        for (int64_t now_ms = 1; now_ms < 40000; now_ms += 10000) {
            if (!(taken = store->vtable->take(store, now_ms)))
                continue;
            if ((delivery = store->vtable->claim(store, taken, now_ms)))
                store_retry(delivery, now_ms);
            store->vtable->give(store, taken, 0);
        }
    }
    store->vtable->free(store);
}

static void memory_that_runs_out_leaves_nothing_behind(void **state) {
    char conninfo[256];
    (void)state;
    snprintf(conninfo, sizeof(conninfo), "%s", postgres_fresh());
    alloc_fail_each("a store's life", 50, live, conninfo);
    store = NULL;
}

int main(void) {
    const store_factory factory = {open_postgres, close_postgres, true};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(memory_that_runs_out_leaves_nothing_behind, alloc_teardown),
    };
    return store_contract_run(&factory) +
           cmocka_run_group_tests_name("memory that runs out", tests, NULL, NULL);
}
