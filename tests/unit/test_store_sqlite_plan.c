/* The SQLite outbox's statements: what they go through to find their rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "driver/store_sqlite_db.h"

static int open_tables(void **state) {
    sqlite3 *db;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(bb_sqlite_db_install(db, NULL), BB_OK);
    *state = db;
    return 0;
}

static int close_tables(void **state) {
    return sqlite3_close(*state);
}

/* Whether a line of the plan says so. */
static bool plan_has(sqlite3 *db, enum bb_sql which, const char *words) {
    char sql[2048];
    sqlite3_stmt *row = NULL;
    bool has = false;
    snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", bb_sqlite_db_text(which));
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &row, NULL), SQLITE_OK);
    while (sqlite3_step(row) == SQLITE_ROW)
        has = has || strstr((const char *)sqlite3_column_text(row, 3), words);
    sqlite3_finalize(row);
    return has;
}

static void nothing_that_is_asked_again_and_again_scans_or_sorts(void **state) {
    for (int which = 0; which < BB_SQL_STATEMENTS; which++) {
        if (which == BB_SQL_COUNT_WAITING) /* which is of all */
            continue;
        if (plan_has(*state, which, "SCAN bb_delivery") || plan_has(*state, which, "TEMP B-TREE") ||
            plan_has(*state, which, "SCAN bb_event") || plan_has(*state, which, "SCAN d") ||
            plan_has(*state, which, "SCAN e"))
            fail_msg("%s", bb_sqlite_db_text(which));
    }
}

static void what_is_due_is_found_among_what_may_be_leased_only(void **state) {
    assert_true(plan_has(*state, BB_SQL_DUE, "bb_delivery_due (webhook=? AND due_ms<?)"));
    assert_true(plan_has(*state, BB_SQL_DUE_MS, "bb_delivery_due (webhook=?)"));
    assert_true(plan_has(*state, BB_SQL_COUNT_WAITING_OF, "bb_delivery_due (webhook=?)"));
}

static void the_oldest_is_found_among_what_is_not_leased_only(void **state) {
    assert_true(plan_has(*state, BB_SQL_OLDER, "bb_delivery_age (webhook=? AND enqueued_ms<?)"));
    assert_true(plan_has(*state, BB_SQL_OLDEST_OF, "bb_delivery_age (webhook=?)"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_that_is_asked_again_and_again_scans_or_sorts),
        cmocka_unit_test(what_is_due_is_found_among_what_may_be_leased_only),
        cmocka_unit_test(the_oldest_is_found_among_what_is_not_leased_only),
    };
    return cmocka_run_group_tests(tests, open_tables, close_tables);
}
