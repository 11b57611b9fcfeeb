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

static void match_all(struct bb_queue *queue) {
    struct bb_parcel *parcel;
    int64_t number;
    while ((parcel = store->vtable->unmatched(store, &number))) {
        struct bb_put put = {queue, 7};
        store->vtable->match(store, number, parcel, &put, 1);
        bb_parcel_release(parcel);
    }
}

static void end(struct bb_delivery *delivery) {
    bb_outcome outcome = BB_OUTCOME_INIT;
    const struct bb_result result = {&outcome, 7};
    outcome.verdict = BB_DEAD;
    snprintf(outcome.text, sizeof outcome.text, "nobody is \"there\"");
    store->vtable->settle(store, delivery, BB_SETTLED, 0, &result);
}

/* A life, as far as there is memory for it; time passes, because a pass that fails is tried again
 * later. */
static void live(void *user) {
    struct bb_store_postgres_config config = {.mem = *alloc_library(), .lease_ms = 60000};
    struct bb_queue *queue, *taken;
    struct bb_delivery *delivery;
    size_t count;
    if (bb_store_postgres_open(&config, user, &store, NULL) != BB_OK)
        return;
    if ((queue = store->vtable->open(store, "hook", NULL))) {
        put_one(queue, "one");
        put_one(queue, "two");
        for (int64_t now_ms = 1; now_ms < 60000; now_ms += 10000) {
            taken = store->vtable->take(store, now_ms);
            match_all(queue);
            if (!taken)
                continue;
            if ((delivery = store->vtable->claim(store, taken, now_ms)))
                store_retry(delivery, now_ms);
            if ((delivery = store->vtable->claim(store, taken, now_ms)))
                end(delivery);
            store->vtable->give(store, taken, 0);
        }
        store->vtable->archive->cancel(store, "nobody's", &count, NULL);
    }
    store->vtable->free(store);
}

/* Each life has an event by SQL to match, and one that nobody can read. */
static void live_with_sql(void *user) {
    PGconn *db = postgres_connect();
    postgres_run(db, "INSERT INTO bb_event(json) VALUES('{\"activity_type\":\"bb.issue.create\"}'),"
                     " ('nonsense')");
    PQfinish(db);
    live(user);
}

static void memory_that_runs_out_leaves_nothing_behind(void **state) {
    char conninfo[256];
    (void)state;
    snprintf(conninfo, sizeof(conninfo), "%s", postgres_fresh());
    live(conninfo); /* makes the tables */
    alloc_fail_each("a store's life", 50, live_with_sql, conninfo);
    PGconn *db = postgres_connect();
    assert_true(postgres_run(db, "SELECT count(*) FROM bb_dead WHERE webhook = 0") > 0);
    assert_true(postgres_run(db, "SELECT count(*) FROM bb_dead WHERE webhook <> 0") > 0);
    PQfinish(db);
    store = NULL;
}

/* ---- much at once ---- */

/* However many webhooks want them: what cannot be done in the time of one transaction is not done
 * at all, again and again. */
static void events_for_many_webhooks_become_deliveries_in_steps(void **state) {
    enum { EVENTS = 20, WEBHOOKS = 1000, MOST = 5 * WEBHOOKS };
    (void)state;
    store = open_postgres(0, 0);
    PGconn *db = postgres_connect();
    postgres_run(db, "INSERT INTO bb_event(json, webhooks, order_keys) SELECT"
                     " '{\"activity_type\":\"bb.issue.create\"}', w.ids, w.keys FROM"
                     " generate_series(1, 20), (SELECT array_agg('hook ' || i) AS ids,"
                     " array_agg(0) AS keys FROM generate_series(1, 1000) AS i) AS w");
    for (int64_t now_ms = 1000, before = 0, after = 0; before < EVENTS * WEBHOOKS;
         before = after, now_ms += 1000) {
        assert_null(store->vtable->take(store, now_ms));
        after = postgres_run(db, "SELECT count(*) FROM bb_delivery");
        assert_true(after > before && after <= before + 2 * MOST);
    }
    assert_int_equal(postgres_run(db, "SELECT count(*) FROM bb_delivery"), EVENTS * WEBHOOKS);
    PQfinish(db);
    close_postgres(store);
}

int main(void) {
    const store_factory factory = {open_postgres, close_postgres, true};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(memory_that_runs_out_leaves_nothing_behind, alloc_teardown),
        cmocka_unit_test(events_for_many_webhooks_become_deliveries_in_steps),
    };
    return store_contract_run(&factory) +
           cmocka_run_group_tests_name("the store in PostgreSQL", tests, NULL, NULL);
}
