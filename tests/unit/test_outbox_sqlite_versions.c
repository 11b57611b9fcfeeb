/* The outbox in SQLite by versions of its tables: older ones are brought up to date with all that
 * waits in them, newer ones are refused; and no number of an event is used twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/outbox.h"

/* ---- tables of version 1, as they were */

static const char version_1[] =
    "DROP TABLE IF EXISTS bb_outbox_version; DROP TABLE IF EXISTS bb_webhook;"
    "DROP TABLE IF EXISTS bb_event; DROP TABLE IF EXISTS bb_shared; DROP TABLE IF EXISTS bb_dead;"
    "DROP TABLE IF EXISTS bb_attempt; DROP TABLE IF EXISTS bb_delivery;"
    "CREATE TABLE bb_outbox_version(version INTEGER NOT NULL, fanned_out INTEGER NOT NULL);"
    "CREATE TABLE bb_webhook(number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE);"
    "CREATE TABLE bb_event(number INTEGER PRIMARY KEY AUTOINCREMENT, json TEXT NOT NULL,"
    " webhooks TEXT, key TEXT, enqueued_ms INTEGER NOT NULL DEFAULT"
    " (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)),"
    " due_ms INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE bb_shared(event INTEGER PRIMARY KEY, open INTEGER NOT NULL);"
    "CREATE UNIQUE INDEX bb_event_key ON bb_event(key) WHERE key IS NOT NULL;"
    "CREATE TABLE bb_dead(number INTEGER PRIMARY KEY, webhook INTEGER NOT NULL,"
    " event INTEGER NOT NULL, enqueued_ms INTEGER NOT NULL, died_ms INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL, verdict INTEGER NOT NULL, reason TEXT NOT NULL);"
    "CREATE INDEX bb_dead_time ON bb_dead(died_ms);"
    "CREATE INDEX bb_dead_event ON bb_dead(event);"
    "CREATE TABLE bb_attempt(number INTEGER PRIMARY KEY, delivery INTEGER NOT NULL,"
    " webhook INTEGER NOT NULL, at_ms INTEGER NOT NULL, duration_ms INTEGER NOT NULL,"
    " attempt INTEGER NOT NULL, verdict INTEGER NOT NULL, status INTEGER NOT NULL,"
    " code TEXT NOT NULL, words TEXT NOT NULL);"
    "CREATE INDEX bb_attempt_delivery ON bb_attempt(delivery);"
    "CREATE TABLE bb_delivery(number INTEGER PRIMARY KEY AUTOINCREMENT, webhook INTEGER NOT NULL,"
    " event INTEGER NOT NULL, enqueued_ms INTEGER NOT NULL, due_ms INTEGER NOT NULL,"
    " order_key INTEGER NOT NULL, is_held INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,"
    " steps INTEGER NOT NULL DEFAULT 0, unknowns INTEGER NOT NULL DEFAULT 0,"
    " claims INTEGER NOT NULL DEFAULT 0, lease INTEGER NOT NULL DEFAULT 0,"
    " leased_until_ms INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX bb_delivery_due ON bb_delivery(webhook, due_ms) WHERE lease = 0 AND is_held = 0;"
    "CREATE INDEX bb_delivery_age ON bb_delivery(webhook, enqueued_ms) WHERE lease = 0;"
    "CREATE INDEX bb_delivery_lease ON bb_delivery(leased_until_ms) WHERE lease <> 0;"
    "CREATE INDEX bb_delivery_order ON bb_delivery(webhook, order_key) WHERE order_key <> 0;"
    "INSERT INTO bb_outbox_version VALUES(1, 0);";

/* Of the webhook "hook": event 1 waits, 2 was leased by a process that has ended, 3 is a dead
 * letter, 4 has no delivery yet; those up to 9 are over. */
static const char content[] =
    "INSERT INTO bb_webhook VALUES(1, 'hook');"
    "INSERT INTO bb_event(number, json, webhooks, key) VALUES"
    "(1, '{\"activity_type\":\"bb.issue.create\",\"id\":\"evt_1\"}', '0 4:hook,', 'first'),"
    "(2, '{\"activity_type\":\"bb.issue.create\",\"id\":\"evt_2\"}', '0 4:hook,', NULL),"
    "(3, '{\"activity_type\":\"bb.issue.create\",\"id\":\"evt_3\"}', '0 4:hook,', NULL),"
    "(4, '{\"activity_type\":\"bb.issue.create\",\"id\":\"evt_4\"}', '0 4:hook,', NULL),"
    "(9, '', '', NULL);"
    "DELETE FROM bb_event WHERE number = 9;"
    "INSERT INTO bb_delivery(number, webhook, event, enqueued_ms, due_ms, order_key, is_held)"
    " VALUES(1, 1, 1, 1, 1, 0, 0), (2, 1, 2, 1, 1, 0, 0), (3, 1, 3, 1, 1, 0, 0);"
    "UPDATE bb_delivery SET lease = 77, leased_until_ms = 2, claims = 1 WHERE number = 2;"
    "INSERT INTO bb_dead VALUES(3, 1, 3, 1, 2, 1, 3, 'HTTP 410');"
    "DELETE FROM bb_delivery WHERE number = 3;"
    "INSERT INTO bb_attempt VALUES(1, 3, 1, 2, 5, 1, 3, 410, '', '');";

static void make_version_1(int64_t fanned_out) {
    char sql[80];
    sqlite3 *db = outbox_open_host();
    outbox_run(db, "PRAGMA journal_mode = WAL");
    outbox_run(db, version_1);
    outbox_run(db, content);
    snprintf(sql, sizeof sql, "UPDATE bb_outbox_version SET fanned_out = %d", (int)fanned_out);
    outbox_run(db, sql);
    sqlite3_close(db);
}

/* What the tables are, without the words that made them. */
static char *describe(void) {
    static const char sql[] =
        "SELECT group_concat(line, ';') FROM (SELECT m.name || ' ' || c.name || ' ' || c.type ||"
        " c.\"notnull\" || c.pk || ifnull(c.dflt_value, '') AS line FROM sqlite_schema m JOIN"
        " pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name LIKE 'bb_%' UNION ALL"
        " SELECT sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY 1)";
    sqlite3 *db = outbox_open_host();
    sqlite3_stmt *row = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    char *description = strdup((const char *)sqlite3_column_text(row, 0));
    sqlite3_finalize(row);
    sqlite3_close(db);
    return description;
}

static void replay_all(void) {
    bb_dead_filter all = BB_DEAD_FILTER_INIT;
    size_t count = 0;
    assert_int_equal(bb_outbox_replay(outbox_now, &all, &count, NULL), BB_OK);
    assert_int_equal(count, 1);
}

static int64_t enqueue_within_transaction(background *b, const char *id) {
    sqlite3 *db = outbox_open_host();
    outbox_run(db, "BEGIN");
    assert_int_equal(outbox_enqueue_on(b, db, id, NULL), BB_OK);
    int64_t number = sqlite3_last_insert_rowid(db);
    outbox_run(db, "COMMIT");
    sqlite3_close(db);
    assert_int_equal(bb_dispatcher_wake(b->dispatcher, NULL), BB_OK);
    return number;
}

static void live_on(background *b, int64_t fanned_out) {
    make_version_1(fanned_out);
    outbox_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    assert_int_equal(outbox_count("bb_outbox_version WHERE version = 2"), 1);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), fanned_out < 4 ? 3 : 2);
    replay_all();
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), fanned_out < 4 ? 4 : 3);
    assert_int_equal(enqueue_within_transaction(b, "the next"), 10);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), fanned_out < 4 ? 5 : 4);
}

static void what_waits_in_tables_of_version_1_goes_on(void **state) {
    live_on(*state, 3);
}

/* All that was enqueued is fanned out: event 4 is one that lost its delivery to nobody's fault. */
static void the_last_number_of_version_1_is_not_used_again(void **state) {
    live_on(*state, 9);
}

static void tables_that_were_brought_up_are_those_of_a_new_file(void **state) {
    (void)state;
    bb_outbox_free(outbox_open());
    char *fresh = describe();
    make_version_1(0);
    char *old = describe();
    bb_outbox_free(outbox_open());
    char *brought_up = describe();
    assert_string_not_equal(old, fresh);
    assert_string_equal(brought_up, fresh);
    free(brought_up);
    free(old);
    free(fresh);
}

/* ---- later ones */

static void newer_tables_are_refused(void **state) {
    (void)state;
    bb_outbox *outbox = NULL;
    bb_error error = BB_ERROR_INIT;
    bb_outbox_free(outbox_open());
    sqlite3 *db = outbox_open_host();
    outbox_run(db, "UPDATE bb_outbox_version SET version = 99");
    sqlite3_close(db);
    assert_int_equal(bb_sqlite_open(outbox_path, NULL, &outbox, &error), BB_ERR_OUTBOX);
    assert_null(outbox);
    assert_non_null(strstr(error.text, "of version 99, this library knows up to 2"));
}

/* A process that goes on while another one of a later version has begun. */
static void tables_that_become_newer_are_left_alone(void **state) {
    background *b = *state;
    bb_dead_filter all = BB_DEAD_FILTER_INIT;
    bb_error error = BB_ERROR_INIT;
    size_t count = 0;
    outbox_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    sqlite3 *db = outbox_open_host();
    assert_int_equal(outbox_enqueue_on(b, db, "one", NULL), BB_OK);
    outbox_run(db, "UPDATE bb_outbox_version SET version = 99");
    assert_int_equal(bb_dispatcher_flush(b->dispatcher, 100, NULL), BB_ERR_TIMEOUT);
    assert_int_equal(server_requests(b->receiver), 0);
    assert_int_equal(bb_outbox_replay(outbox_now, &all, &count, &error), BB_ERR_OUTBOX);
    assert_non_null(strstr(error.text, "of another version since it was opened"));
    outbox_run(db, "UPDATE bb_outbox_version SET version = 2");
    sqlite3_close(db);
    assert_int_equal(bb_dispatcher_wake(b->dispatcher, NULL), BB_OK);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 1);
}

/* ---- numbers */

static void no_number_of_an_event_is_used_twice(void **state) {
    background *b = *state;
    outbox_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    for (int64_t number = 1; number <= 5; number++) {
        assert_int_equal(enqueue_within_transaction(b, NULL), number);
        background_flush(b);
        assert_int_equal(server_requests(b->receiver), number);
    }
    outbox_close_all(b);
    assert_int_equal(outbox_count("bb_delivery"), 0);
    assert_int_equal(outbox_count(OUTBOX_EVENTS), 0);
    assert_int_equal(outbox_count("bb_event"), 1); /* which keeps the number */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        OUTBOX_TEST(what_waits_in_tables_of_version_1_goes_on),
        OUTBOX_TEST(the_last_number_of_version_1_is_not_used_again),
        OUTBOX_TEST(tables_that_were_brought_up_are_those_of_a_new_file),
        OUTBOX_TEST(newer_tables_are_refused),
        OUTBOX_TEST(tables_that_become_newer_are_left_alone),
        OUTBOX_TEST(no_number_of_an_event_is_used_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
