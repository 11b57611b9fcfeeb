/*
 * Somebody else's transaction that stays open, and idle, for the whole run: until it ends the
 * server must keep every row that was there, and a claim has to step over those that are over. What
 * a claim costs is told, in time and in pages, before and after; what it may cost at most is a
 * ratio.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "driver/store_postgres_db.h"
#include "support/outbox_postgres.h"

enum { CLAIMED = 64, OVER = 2000, MOST_RATIO = 3 };

struct cost {
    double ms;
    long pages;
};

static double number_after(const char *text, const char *word) {
    const char *at = strstr(text, word);
    return at ? strtod(at + strlen(word), NULL) : 0;
}

/* The pages are those of the plan's top, which counts what is below it. */
static struct cost read_plan(const PGresult *plan) {
    struct cost cost = {0};
    for (int row = 0; row < PQntuples(plan); row++) {
        const char *line = PQgetvalue(plan, row, 0);
        if (cost.pages == 0)
            cost.pages = (long)(number_after(line, "shared hit=") + number_after(line, " read="));
        cost.ms += number_after(line, "Execution Time: ");
    }
    return cost;
}

/* Of a claim of all that waits, whenever it is due; it is undone. */
static struct cost cost_of_claim(PGconn *db) {
    char sql[4096], most[16];
    const char *const values[] = {"{1}", "9000000000000000", most, "1", "1000"};
    snprintf(most, sizeof(most), "{%d}", CLAIMED);
    snprintf(sql, sizeof(sql), "EXPLAIN (ANALYZE, BUFFERS) %s", bb_postgres_db_text(BB_PG_DUE));
    postgres_run(db, "BEGIN");
    PGresult *plan = PQexecParams(db, sql, 5, NULL, values, NULL, NULL, 0);
    if (PQresultStatus(plan) != PGRES_TUPLES_OK)
        fail_msg("%s", PQerrorMessage(db));
    struct cost cost = read_plan(plan);
    PQclear(plan);
    postgres_run(db, "ROLLBACK");
    assert_true(cost.pages > 0);
    return cost;
}

static void enqueue_for_later(background *b, size_t events) {
    bb_enqueue_options later = BB_ENQUEUE_OPTIONS_INIT;
    later.delay_ms = 3600 * 1000;
    for (size_t i = 0; i < events; i++)
        assert_int_equal(bb_webhook_enqueue(b->dispatcher, posting_event(), &later, NULL, NULL),
                         BB_OK);
}

static void a_snapshot_that_is_held_does_not_stop_claims(void **state) {
    background *b = *state;
    pg_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    PGconn *holder = postgres_connect(), *db = postgres_connect();
    enqueue_for_later(b, CLAIMED);
    background_flush(b);
    assert_int_equal(postgres_count("bb_delivery"), CLAIMED);
    postgres_run(holder, "BEGIN ISOLATION LEVEL REPEATABLE READ");
    postgres_run(holder, "SELECT count(*) FROM bb_delivery");
    struct cost before = cost_of_claim(db);
    for (size_t i = 0; i < OVER; i++)
        background_enqueue(b, NULL);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], OVER);
    struct cost after = cost_of_claim(db);
    print_message("a claim of %d: %.2f ms, %ld pages; after %d deliveries that cannot be vacuumed:"
                  " %.2f ms, %ld pages\n",
                  CLAIMED, before.ms, before.pages, OVER, after.ms, after.pages);
    assert_int_equal(postgres_run(holder, "SELECT count(*) FROM bb_delivery"), CLAIMED);
    assert_true(after.pages <= MOST_RATIO * before.pages);
    PQfinish(holder);
    PQfinish(db);
}

int main(void) {
    const struct CMUnitTest tests[] = {PG_TEST(a_snapshot_that_is_held_does_not_stop_claims)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
