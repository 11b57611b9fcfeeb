/*
 * The life of an outbox in SQLite, from its opening to a purge, of which each allocation fails
 * once: the library's and SQLite's own. Nothing crashes or is left behind, and what is in the file
 * afterwards is whole: what was taken is there or was sent, and nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "driver/store_sqlite.h"
#include "driver/store_sqlite_db.h"
#include "support/alloc.h"
#include "support/outbox.h"

enum { MANY = 3, LATE_MS = 40000 };

static sqlite3 *host;

/* ---- putting ---- */

static size_t taken; /* deliveries */

static void note(int code, size_t deliveries) {
    assert_true(code == BB_OK || code == BB_ERR_NO_MEMORY || code == BB_ERR_OUTBOX);
    taken += code == BB_OK ? deliveries : 0;
}

static bb_event event_of(const char *id) {
    bb_event event = BB_EVENT_INIT;
    event.activity = BB_ISSUE_CREATE;
    event.id = event.title = id;
    event.created_ts = 1;
    return event;
}

/* One that goes to both, in order and with a key; many; and one within the host's transaction. */
static void put_all(struct bb_store *store, struct bb_queue *const queues[2]) {
    bb_event shared = event_of("shared"), other = event_of("other");
    const struct bb_put puts[] = {{queues[0], 7}, {queues[1], 0}};
    struct bb_put_event one = {.event = &shared, .key = "key", .puts = puts, .count = 2};
    struct bb_put_event many[MANY], again = {.event = &other, .puts = puts, .count = 1};
    note(store->vtable->put(store, NULL, &one, 1, 1, 1, NULL), 2);
    for (size_t i = 0; i < MANY; i++)
        many[i] = (struct bb_put_event){.event = &other, .puts = puts, .count = 1 + i % 2};
    note(store->vtable->put(store, NULL, many, MANY, 1, 1, NULL), MANY + MANY / 2);
    struct bb_sqlite_connection connection = {.db = host};
    if (sqlite3_exec(host, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
        return;
    int code = BB_ERR_NO_MEMORY;
    if (sqlite3_prepare_v2(host, bb_sqlite_db_text(BB_SQL_PUT), -1, &connection.put, NULL) ==
        SQLITE_OK)
        code = store->vtable->put(store, &connection, &again, 1, 1, 1, NULL);
    sqlite3_finalize(connection.put);
    bool is_committed =
        code == BB_OK && sqlite3_exec(host, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
    alloc_end(); /* the host gives its lock back, or everybody waits for it */
    if (!is_committed)
        sqlite3_exec(host, "ROLLBACK", NULL, NULL, NULL);
    alloc_resume();
    note(code, is_committed);
}

/* ---- delivering ---- */

static size_t ended; /* and not dead, as far as the store was told */

/* In turn: delivered, dead, to be tried again. */
static void deliver(struct bb_store *store, int64_t now_ms) {
    bb_outcome outcome = BB_OUTCOME_INIT;
    const struct bb_result result = {.outcome = &outcome, .duration_ms = 1};
    struct bb_queue *queue = store->vtable->take(store, now_ms);
    struct bb_delivery *delivery;
    static unsigned turn;
    snprintf(outcome.text, sizeof outcome.text, "it was so");
    while (queue && (delivery = store->vtable->claim(store, queue, now_ms))) {
        bool is_last = turn++ % 3 != 2;
        outcome.verdict = turn % 3 == 1 ? BB_DELIVERED : turn % 3 == 2 ? BB_DEAD : BB_RETRY;
        ended += outcome.verdict == BB_DELIVERED;
        store->vtable->settle(store, delivery, is_last ? BB_SETTLED : BB_SETTLED_RETRY, now_ms,
                              &result);
    }
    if (queue)
        store->vtable->give(store, queue, 0);
}

/* ---- looking, and cleaning up ---- */

static int visit_letter(void *user, const bb_dead_letter *letter) {
    (void)user;
    assert_int_equal(letter->verdict, BB_DEAD);
    return 0;
}

static int visit_attempt(void *user, const bb_attempt_record *attempt) {
    (void)user, (void)attempt;
    return 0;
}

static size_t cancelled;

static void archive(struct bb_store *store) {
    bb_outbox *outbox = (bb_outbox *)store;
    bb_dead_filter filter = BB_DEAD_FILTER_INIT;
    size_t count = 0;
    filter.most = 1;
    note(bb_outbox_dead(outbox, NULL, visit_letter, NULL, NULL, NULL), 0);
    note(bb_outbox_attempts(outbox, 1, visit_attempt, NULL, NULL), 0);
    note(bb_outbox_replay(outbox, &filter, NULL, NULL), 0);
    if (bb_outbox_cancel(outbox, "key", &count, NULL) == BB_OK)
        cancelled += count;
    note(bb_outbox_purge(outbox, 1, NULL, NULL), 0);
}

static void live(struct bb_store *store) {
    const struct bb_store_host of = {.wall_offset_ms = 0};
    struct bb_queue *queues[2] = {NULL, NULL};
    assert_int_equal(store->vtable->attach(store, &of), BB_OK);
    for (size_t i = 0; i < 2; i++)
        queues[i] = store->vtable->open(store, i ? "two" : "one", NULL);
    if (queues[0] && queues[1]) {
        put_all(store, queues);
        for (int64_t now_ms = 1; now_ms < LATE_MS; now_ms += 1000)
            deliver(store, now_ms);
        archive(store);
        store->vtable->counts(store);
        store->vtable->waiting(store, queues[0]);
    }
    store->vtable->detach(store);
}

/* ---- what is in the file ---- */

static void must_be_none(const char *what) {
    if (outbox_count(what) != 0)
        fail_msg("there are %s", what);
}

/* A delivery that is over without a trace was told to be; so the others are there. */
static void check_file(void) {
    int64_t rows = outbox_count("bb_delivery") + outbox_count("bb_dead");
    int64_t fresh = outbox_count("bb_event, bb_outbox_version WHERE number > fanned_out");
    must_be_none(
        "bb_delivery d WHERE NOT EXISTS(SELECT 1 FROM bb_event e WHERE e.number = d.event)");
    must_be_none("bb_dead d WHERE NOT EXISTS(SELECT 1 FROM bb_event e WHERE e.number = d.event)");
    must_be_none(
        "bb_event e, bb_outbox_version WHERE e.number <= fanned_out AND e.number <> ended AND NOT "
        "EXISTS(SELECT 1"
        " FROM bb_delivery d WHERE d.event = e.number) AND NOT EXISTS(SELECT 1 FROM bb_dead"
        " d WHERE d.event = e.number)");
    must_be_none("bb_shared s WHERE open <> (SELECT count(*) FROM bb_delivery d WHERE d.event ="
                 " s.event) + (SELECT count(*) FROM bb_dead d WHERE d.event = s.event)");
    must_be_none("bb_delivery WHERE is_held = 1 AND number = (SELECT min(number) FROM bb_delivery d"
                 " WHERE d.order_key = 7)");
    if (fresh == 0)
        assert_in_range(rows + (int64_t)(ended + cancelled), taken, 1000);
    assert_true(rows <= (int64_t)taken);
}

/* With memory. */
static void open_host(void) {
    alloc_end();
    host = outbox_open_host();
    outbox_run(host, "PRAGMA synchronous = OFF");
    alloc_resume();
}

static void live_without_memory(void *user) {
    struct bb_store_sqlite_config config = {.mem = *alloc_library(), .lease_ms = 60000};
    struct bb_store *store = NULL;
    (void)user;
    taken = ended = cancelled = 0;
    open_host();
    if (bb_store_sqlite_open(&config, outbox_path, &store, NULL) == BB_OK) {
        live(store);
        alloc_end();
        store->vtable->free(store);
        check_file();
    }
    alloc_end();
    outbox_run(host, "DELETE FROM bb_delivery; DELETE FROM bb_dead; DELETE FROM bb_event; DELETE"
                     " FROM bb_shared; DELETE FROM bb_attempt;"
                     " UPDATE bb_outbox_version SET fanned_out = 0, ended = 0");
    sqlite3_close(host);
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    bb_outbox_free(outbox_open());
    alloc_fail_each("an outbox in SQLite", 400 * alloc_scale(), live_without_memory, NULL);
}

static int close_all(void **state) {
    alloc_teardown(state);
    return outbox_teardown(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_allocation_may_fail, outbox_setup, close_all),
    };
    alloc_hook_others();
    alloc_hook_sqlite();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
