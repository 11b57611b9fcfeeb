/* What SQLite's store writes together, many rows with one statement, comes out as if each were
 * written by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "driver/store_leases.h"
#include "driver/store_sqlite.h"
#include "driver/store_sqlite_db.h"
#include "support/alloc.h"
#include "support/store_contract.h"

/* Several statements' worth, and some that are left over. The newest event's row stays. */
enum { MANY = 3 * BB_SQLITE_TOGETHER + 5, NOW_MS = 1000, LATER_MS = NOW_MS + 10 };

static char path[64];
static sqlite3 *others; /* another connection to the database */
static struct bb_delivery *claimed[MANY];

static int begin(void **state) {
    (void)state;
    const struct bb_store_sqlite_config config = {.mem = *alloc_library(), .lease_ms = 300000};
    const struct bb_store_host dispatcher = {.trouble = NULL};
    bb_error error = BB_ERROR_INIT;
    strcpy(path, "/tmp/bb_store_together_XXXXXX");
    close(mkstemp(path));
    if (bb_store_sqlite_open(&config, path, &store, &error) != BB_OK)
        fail_msg("%s", error.text);
    assert_int_equal(sqlite3_open(path, &others), SQLITE_OK);
    assert_int_equal(store->vtable->attach(store, &dispatcher), BB_OK);
    store_open_queues();
    store_must_not_take(0); /* which numbers them: an event may be leased as it is taken in */
    return 0;
}

static int end(void **state) {
    (void)state;
    static const char *const ends[] = {"", "-wal", "-shm"};
    store->vtable->free(store);
    store = NULL;
    sqlite3_close(others);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char name[80];
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
    return alloc_live() == 0 ? 0 : -1;
}

/* Its one row's number; -1: there is no row. */
static int64_t ask(const char *sql) {
    sqlite3_stmt *row = NULL;
    assert_int_equal(sqlite3_prepare_v2(others, sql, -1, &row, NULL), SQLITE_OK);
    int64_t number = sqlite3_step(row) == SQLITE_ROW ? sqlite3_column_int64(row, 0) : -1;
    sqlite3_finalize(row);
    return number;
}

static int64_t ask_of(const char *sql, int64_t number) {
    char text[200];
    snprintf(text, sizeof text, sql, (long long)number);
    return ask(text);
}

static void put_many(void) {
    for (size_t i = 0; i < MANY; i++) {
        char id[32];
        snprintf(id, sizeof id, "event %zu", i);
        store_must_put(0, id, 0, 1, NOW_MS);
    }
    store_must_put(1, "the newest", 0, 1, NOW_MS);
}

static void claim_many(void) {
    store_must_take(0, NOW_MS);
    for (size_t i = 0; i < MANY; i++) {
        char id[32];
        snprintf(id, sizeof id, "event %zu", i);
        claimed[i] = store_must_claim(0, NOW_MS, id);
    }
    store_give(0, 0);
}

static void settle(struct bb_delivery *delivery, bb_verdict verdict) {
    bb_outcome outcome = {.struct_size = sizeof outcome, .verdict = verdict, .http_status = 200};
    const struct bb_result result = {&outcome, .duration_ms = 5};
    snprintf(outcome.text, sizeof outcome.text, "so it went");
    delivery->history.attempts++;
    store->vtable->settle(store, delivery, BB_SETTLED, 0, &result);
}

/* Answers come as they like. */
static void settle_many(void) {
    for (size_t i = 0; i < MANY; i++) {
        struct bb_delivery *one = claimed[i * 7 % MANY];
        if (one)
            settle(one, BB_DELIVERED);
    }
}

static void write_all(void) {
    store->vtable->take(store, LATER_MS + BB_LEASES_WRITE_MS);
}

static void what_is_leased_as_it_is_made_has_the_numbers_of_its_rows(void **state) {
    (void)state;
    put_many();
    claim_many();
    for (size_t i = 0; i < MANY; i++) {
        int64_t number = claimed[i]->claim.number;
        assert_int_equal(ask_of("SELECT event FROM bb_delivery WHERE number = %lld", number),
                         claimed[i]->claim.event);
        assert_true(ask_of("SELECT lease FROM bb_delivery WHERE number = %lld", number) ==
                    claimed[i]->claim.lease);
        assert_true(i == 0 || number == claimed[i - 1]->claim.number + 1);
        assert_int_equal(ask_of("SELECT due_ms FROM bb_delivery WHERE number = %lld", number),
                         NOW_MS);
        assert_int_equal(ask_of("SELECT enqueued_ms FROM bb_delivery WHERE number = %lld", number),
                         1);
    }
    settle_many();
}

/* Events for another queue, which may not send, and with an order, lie in between. */
static void what_cannot_be_leased_at_once_keeps_its_place_among_what_can(void **state) {
    (void)state;
    store_must_put(2, "first of all", 0, 1, NOW_MS);
    store_must_take(2, NOW_MS);
    struct bb_delivery *first = store_must_claim(2, NOW_MS, "first of all");
    store_give(2, NOW_MS + 4000);
    store_must_put(0, "a", 0, 1, NOW_MS);
    store_must_put(2, "b", 0, 1, NOW_MS);
    store_must_put(0, "c", 9, 1, NOW_MS);
    store_must_put(0, "d", 9, 1, NOW_MS);
    store_must_put(0, "e", 0, 1, NOW_MS);
    store_must_take(0, NOW_MS);
    struct bb_delivery *a = store_must_claim(0, NOW_MS, "a");
    struct bb_delivery *c = store_must_claim(0, NOW_MS, "c");
    struct bb_delivery *e = store_must_claim(0, NOW_MS, "e");
    store_must_not_claim(0, NOW_MS);
    int64_t b = ask_of("SELECT number FROM bb_delivery WHERE event = %lld", a->claim.event + 1);
    int64_t d = ask_of("SELECT number FROM bb_delivery WHERE event = %lld", c->claim.event + 1);
    assert_true(a->claim.number < b && b < c->claim.number);
    assert_true(c->claim.number < d && d < e->claim.number);
    assert_int_equal(ask_of("SELECT is_held FROM bb_delivery WHERE number = %lld", d), 1);
    store_settle(c);
    store_settle(first);
    store_settle(a);
    store_settle(e);
    settle(store_must_claim(0, LATER_MS, "d"), BB_DELIVERED);
}

static void what_was_leased_together_ends_together(void **state) {
    (void)state;
    put_many();
    claim_many();
    settle_many();
    write_all();
    assert_int_equal(ask("SELECT count(*) FROM bb_delivery"), 1); /* the newest event's */
    assert_int_equal(ask("SELECT count(*) FROM bb_event"), 1);
    assert_int_equal(ask("SELECT count(DISTINCT delivery) FROM bb_attempt WHERE duration_ms = 5"
                         " AND attempt = 1 AND status = 200"),
                     MANY);
    assert_int_equal(ask("SELECT count(*) FROM bb_attempt"), MANY);
}

/* Else its number would be given once more. */
static void with_the_newest_event_its_row_stays_empty(void **state) {
    (void)state;
    put_many();
    claim_many();
    struct bb_delivery *newest = store_next(1, NOW_MS, "the newest");
    int64_t number = newest->claim.event;
    settle_many();
    settle(newest, BB_DELIVERED);
    write_all();
    assert_int_equal(ask("SELECT count(*) FROM bb_delivery"), 0);
    assert_int_equal(ask("SELECT count(*) FROM bb_event"), 1);
    assert_int_equal(ask("SELECT number FROM bb_event WHERE json = ''"), number);
    assert_int_equal(ask("SELECT ended FROM bb_outbox_version"), number);
    store_must_put(1, "a newer one", 0, 1, NOW_MS);
    assert_int_equal(ask("SELECT max(number) FROM bb_event"), number + 1);
}

/* As much as a C program binds that counts a text's end with the text. */
static void what_nobody_can_read_does_not_disturb_those_around_it(void **state) {
    (void)state;
    static const char sql[] =
        "INSERT INTO bb_event(json, webhooks) VALUES('nonsense', NULL),"
        " ('{\"id\":\"of SQL\",\"activity_type\":\"bb.issue.create\"}' || char(0), NULL)";
    store_must_put(0, "before", 0, 1, NOW_MS);
    assert_int_equal(sqlite3_exec(others, sql, NULL, NULL, NULL), SQLITE_OK);
    store_must_take(0, NOW_MS);
    struct bb_delivery *before = store_must_claim(0, NOW_MS, "before");
    assert_int_equal(ask("SELECT event FROM bb_dead"), before->claim.event + 1);
    assert_int_equal(
        ask_of("SELECT event FROM bb_delivery WHERE number = %lld", before->claim.number),
        before->claim.event);
    int64_t number = 0;
    struct bb_parcel *parcel = store->vtable->unmatched(store, &number);
    assert_non_null(parcel);
    assert_int_equal(number, before->claim.event + 2);
    assert_string_equal(bb_parcel_open(parcel, NULL)->id, "of SQL");
    bb_parcel_release(parcel);
    settle(before, BB_DELIVERED);
}

static void of_those_what_has_become_somebody_elses_stays(void **state) {
    (void)state;
    put_many();
    claim_many();
    int64_t number = claimed[20]->claim.number, event = claimed[20]->claim.event;
    char sql[100];
    snprintf(sql, sizeof sql, "UPDATE bb_delivery SET lease = 77, claims = 2 WHERE number = %lld",
             (long long)number);
    assert_int_equal(sqlite3_exec(others, sql, NULL, NULL, NULL), SQLITE_OK);
    settle_many();
    write_all();
    assert_int_equal(ask("SELECT count(*) FROM bb_delivery"), 2);
    assert_int_equal(ask_of("SELECT lease FROM bb_delivery WHERE number = %lld", number), 77);
    assert_int_equal(ask_of("SELECT claims FROM bb_delivery WHERE number = %lld", number), 1);
    assert_int_equal(ask_of("SELECT number FROM bb_event WHERE number = %lld", event), event);
    assert_int_equal(ask("SELECT count(*) FROM bb_event"), 2);
}

static void of_those_what_goes_on_or_is_dead_stays(void **state) {
    (void)state;
    put_many();
    claim_many();
    int64_t retried = claimed[9]->claim.number, dead = claimed[30]->claim.number;
    store_retry(claimed[9], LATER_MS + 100000);
    settle(claimed[30], BB_DEAD);
    claimed[9] = claimed[30] = NULL;
    settle_many();
    write_all();
    assert_int_equal(ask("SELECT count(*) FROM bb_delivery"), 2);
    assert_int_equal(ask_of("SELECT lease FROM bb_delivery WHERE number = %lld", retried), 0);
    assert_int_equal(ask("SELECT number FROM bb_dead"), dead);
    assert_int_equal(ask("SELECT count(*) FROM bb_event"), 3);
}

static void an_event_stays_for_its_others(void **state) {
    (void)state;
    bb_event event = BB_EVENT_INIT;
    event.activity = BB_ISSUE_CREATE;
    event.id = "for two";
    const struct bb_put puts[] = {{store_queues[1], 0}, {store_queues[0], 0}};
    assert_int_equal(store_put_event(store, &event, puts, 2, 1, NOW_MS), BB_OK);
    put_many();
    store->vtable->take(store, NOW_MS);
    struct bb_delivery *of_other = store_must_claim(1, NOW_MS, "for two");
    settle(store_must_claim(0, NOW_MS, "for two"), BB_DELIVERED);
    settle(store_must_claim(0, NOW_MS, "event 0"), BB_DELIVERED);
    write_all();
    assert_int_equal(ask("SELECT count(*) FROM bb_event"), MANY + 1);
    settle(of_other, BB_DELIVERED);
    store->vtable->take(store, LATER_MS + 2 * BB_LEASES_WRITE_MS);
    assert_int_equal(ask("SELECT count(*) FROM bb_event"), MANY);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_leased_as_it_is_made_has_the_numbers_of_its_rows,
                                        begin, end),
        cmocka_unit_test_setup_teardown(
            what_cannot_be_leased_at_once_keeps_its_place_among_what_can, begin, end),
        cmocka_unit_test_setup_teardown(what_was_leased_together_ends_together, begin, end),
        cmocka_unit_test_setup_teardown(with_the_newest_event_its_row_stays_empty, begin, end),
        cmocka_unit_test_setup_teardown(what_nobody_can_read_does_not_disturb_those_around_it,
                                        begin, end),
        cmocka_unit_test_setup_teardown(of_those_what_has_become_somebody_elses_stays, begin, end),
        cmocka_unit_test_setup_teardown(of_those_what_goes_on_or_is_dead_stays, begin, end),
        cmocka_unit_test_setup_teardown(an_event_stays_for_its_others, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
