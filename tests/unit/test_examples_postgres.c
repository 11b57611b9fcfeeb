/* The example program with its issues in PostgreSQL, against servers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/bb_notify.h"
#include "support/postgres.h"
#include "support/program.h"
#include "support/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SENT = 299 };

static const server_step yes = {.status = 200, .body = "{\"code\":0}"};

static program *start(const char *mode, const char *conninfo, server *receiver) {
    const char *const arguments[] = {OUTBOX_POSTGRES, mode, conninfo, server_url(receiver, "/hook"),
                                     NULL};
    setenv("ALLOW_HTTP", "1", 1);
    return program_start(arguments);
}

static long long count(const char *rows) {
    char sql[80];
    PGconn *db = postgres_connect();
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", rows);
    long long number = postgres_run(db, sql);
    PQfinish(db);
    return number;
}

static size_t lines_with(const char *text, const char *part) {
    size_t count = 0;
    for (; (text = strstr(text, part)); text++)
        count += 1;
    return count;
}

static void two_processes_share_what_was_committed(void **state) {
    program_result result = {0};
    (void)state;
    server *receiver = server_start(NULL);
    server_on(receiver, "/hook", &yes, 1);
    program_finish(start("share", postgres_fresh(), receiver), &result);
    assert_string_equal(result.err, "");
    assert_int_equal(result.status, 0);
    assert_told(result.out, "issue 1: ROLLBACK, issues 2 to 300: COMMIT\n");
    assert_told(result.out, " delivered issue-300-done\n");
    assert_not_told(result.out, " delivered issue-1-done\n");
    assert_int_equal(lines_with(result.out, " delivered issue-"), SENT);
    assert_int_equal(lines_with(result.out, " has ended\n"), 2);
    assert_int_equal(server_requests(receiver), SENT);
    assert_int_equal(count("issue WHERE status = 'DONE'"), SENT);
    assert_int_equal(count("bb_delivery"), 0);
    program_result_free(&result);
    server_stop(receiver);
}

static void what_is_enqueued_waits_for_those_that_deliver(void **state) {
    program_result result = {0};
    (void)state;
    server *receiver = server_start(NULL);
    const char *conninfo = postgres_fresh();
    server_on(receiver, "/hook", &yes, 1);
    program_finish(start("enqueue", conninfo, receiver), &result);
    assert_string_equal(result.err, "");
    assert_int_equal(result.status, 0);
    assert_int_equal(server_connections(receiver), 0);
    program_result_free(&result);
    program_finish(start("deliver", conninfo, receiver), &result);
    assert_string_equal(result.err, "");
    assert_int_equal(lines_with(result.out, " delivered issue-"), SENT);
    assert_int_equal(server_requests(receiver), SENT);
    program_result_free(&result);
    server_stop(receiver);
}

static void a_database_that_is_not_there_is_told_and_fails(void **state) {
    program_result result = {0};
    (void)state;
    server *receiver = server_start(NULL);
    program_finish(start("share", "host=/nonexistent dbname=app", receiver), &result);
    assert_int_equal(result.status, 1);
    assert_told(result.err, ": outbox: ");
    assert_string_equal(result.out, "");
    program_result_free(&result);
    server_stop(receiver);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_processes_share_what_was_committed),
        cmocka_unit_test(what_is_enqueued_waits_for_those_that_deliver),
        cmocka_unit_test(a_database_that_is_not_there_is_told_and_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
