/* The canary in background delivery: whatever the receivers repeat, no part of a webhook's URL, of
 * its secrets, headers or signatures gets into a database, a notice, a statistic or what is told of
 * dead letters; nor does the password of the database itself. */
#include "support/canary.h"
#include "support/outbox.h"
#include "support/outbox_postgres.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char log_text[1 << 16]; /* this thread drives, so all lines are its own */

static void take_log(void *user, bb_level level, const char *text) {
    size_t length = strlen(log_text);
    (void)user, (void)level;
    snprintf(log_text + length, sizeof(log_text) - length, "%s\n", text);
}

/* ---- deliveries to receivers that repeat all that they are sent */

static void add_each_kind(background *b) {
    for (bb_type type = BB_SLACK; type <= BB_CUSTOM; type++) {
        char id[16];
        snprintf(id, sizeof id, "hook-%d", type);
        bb_webhook hook = canary_hook(type, id, server_url(b->receiver, ""));
        hook.no_rate = 1;
        background_add(b, &hook);
    }
}

static void deliver_with(background *b, const char *event_id, server_step step) {
    step.echo = SERVER_ECHO_PLAIN;
    server_on(b->receiver, NULL, &step, 1);
    assert_int_equal(background_enqueue(b, event_id), 7);
    background_flush(b);
}

/* Dead, to be tried again, lost, and delivered. */
static void deliver_in_every_way(background *b) {
    size_t before = server_requests(b->receiver);
    add_each_kind(b);
    deliver_with(b, "dead",
                 (server_step){.status = 400, .body = "{\"code\":7,\"message\":\"", .tail = "\"}"});
    deliver_with(b, "wrong", (server_step){.status = 200, .body = "{\"errcode\":9,\"errmsg\":\""});
    deliver_with(b, "lost", (server_step){.status = 200, .declared_length = 1 << 20});
    deliver_with(b, "later", (server_step){.status = 503, .body = "busy: "});
    assert_true(server_requests(b->receiver) >= before + 21);
}

/* ---- looking */

static int look_at_attempt(void *user, const bb_attempt_record *record) {
    background *b = user;
    canary_assert_bytes_silent("remote_code", record->remote_code, strlen(record->remote_code),
                               b->receiver);
    canary_assert_bytes_silent("remote_message", record->remote_message,
                               strlen(record->remote_message), b->receiver);
    return 0;
}

static int look_at_letter(void *user, const bb_dead_letter *letter) {
    background *b = user;
    canary_assert_bytes_silent("reason", letter->reason, strlen(letter->reason), b->receiver);
    canary_assert_bytes_silent("event", letter->event, strlen(letter->event), b->receiver);
    return 0;
}

static void look_at_archive(background *b) {
    size_t dead = 0;
    assert_int_equal(bb_outbox_dead(b->options.outbox, NULL, look_at_letter, b, &dead, NULL),
                     BB_OK);
    assert_true(dead >= 7);
    for (int64_t number = 1; number <= 28; number++)
        bb_outbox_attempts(b->options.outbox, number, look_at_attempt, b, NULL);
}

static void look_at_statistics(background *b) {
    static char page[256 * 1024];
    size_t length = 0;
    bb_webhook_status status = BB_WEBHOOK_STATUS_INIT;
    assert_int_equal(bb_dispatcher_prometheus(b->dispatcher, page, sizeof page, &length, NULL),
                     BB_OK);
    assert_non_null(strstr(page, "hook-7"));
    canary_assert_bytes_silent("prometheus", page, length, b->receiver);
    for (bb_type type = BB_SLACK; type <= BB_CUSTOM; type++) {
        char id[16];
        snprintf(id, sizeof id, "hook-%d", type);
        bb_stats stats = background_stats(b, id);
        canary_assert_bytes_silent("statistics", (const char *)&stats, sizeof stats, b->receiver);
        assert_int_equal(bb_dispatcher_status(b->dispatcher, id, &status, NULL), BB_OK);
        canary_assert_bytes_silent("status", status.reason, strlen(status.reason), b->receiver);
    }
}

static void look_at_notices(background *b) {
    assert_true(b->count >= 21);
    for (size_t i = 0; i < b->count; i++)
        canary_assert_bytes_silent("notice", (const char *)&b->tells[i], sizeof b->tells[i],
                                   b->receiver);
    assert_true(strlen(log_text) > 1000);
    canary_assert_bytes_silent("log", log_text, strlen(log_text), b->receiver);
}

static void look_at_everything(background *b) {
    look_at_archive(b);
    look_at_statistics(b);
    look_at_notices(b);
}

/* The fixture's dispatcher, with a log. */
static void open_logged(background *b, bb_outbox *outbox) {
    bb_error error = BB_ERROR_INIT;
    log_text[0] = '\0';
    b->options.outbox = outbox;
    bb_options options = background_bb_options(b);
    options.log = take_log;
    options.timeout_ms = BACKGROUND_ATTEMPT_MS;
    if (bb_dispatcher_new(&options, &b->dispatcher, &error) != BB_OK)
        fail_msg("%s", error.text);
}

/* ---- SQLite */

static void look_at_files(background *b) {
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    char path[128];
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        snprintf(path, sizeof path, "%s%s", outbox_path, ends[i]);
        canary_assert_file_silent(path, b->receiver);
    }
}

static void a_sqlite_file_and_its_log_hold_no_secret(void **state) {
    background *b = *state;
    bb_outbox *outbox = outbox_open();
    open_logged(b, outbox);
    deliver_in_every_way(b);
    look_at_everything(b);
    look_at_files(b); /* while the write-ahead log is there */
    bb_dispatcher_free(b->dispatcher);
    b->dispatcher = NULL;
    bb_outbox_free(outbox);
    look_at_files(b);
}

/* ---- PostgreSQL */

static void look_at_tables(background *b) {
    PGconn *db = postgres_connect();
    PGresult *tables = PQexec(db, "SELECT tablename FROM pg_tables WHERE tablename LIKE 'bb\\_%'");
    assert_true(PQntuples(tables) >= 4);
    for (int i = 0; i < PQntuples(tables); i++) {
        char sql[200];
        snprintf(sql, sizeof sql, "SELECT t::text FROM %s t", PQgetvalue(tables, i, 0));
        PGresult *rows = PQexec(db, sql);
        assert_int_equal(PQresultStatus(rows), PGRES_TUPLES_OK);
        for (int row = 0; row < PQntuples(rows); row++)
            canary_assert_bytes_silent(PQgetvalue(tables, i, 0), PQgetvalue(rows, row, 0),
                                       (size_t)PQgetlength(rows, row, 0), b->receiver);
        PQclear(rows);
    }
    PQclear(tables);
    PQfinish(db);
}

static void the_tables_in_postgres_hold_no_secret(void **state) {
    background *b = *state;
    bb_outbox *outbox = pg_open_outbox();
    open_logged(b, outbox);
    deliver_in_every_way(b);
    look_at_everything(b);
    look_at_tables(b);
    bb_dispatcher_free(b->dispatcher);
    b->dispatcher = NULL;
    bb_outbox_free(outbox);
}

static void no_password_of_a_database_is_told(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "postgres://u:cAnArY@127.0.0.1:1/db",
        "postgres://u:cAnArY@[::1/db",
        "postgres://u:cAnArY%zz@h/db",
        "postgres://u:cAnArY@127.0.0.1:x/db",
        "password=cAnArY host=127.0.0.1 port=1",
        "password='cAnArY host=127.0.0.1",
        "password=cAnArY nonsense=cAnArY",
        "cAnArY",
        "host=127.0.0.1 port=1 password=cAnArY sslmode=wrong",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        bb_outbox *outbox = NULL;
        bb_error error = BB_ERROR_INIT;
        assert_int_equal(bb_postgres_open(wrong[i], NULL, &outbox, &error), BB_ERR_OUTBOX);
        assert_true(error.text[0] != '\0');
        canary_assert_silent("bb_postgres_open", error.text, NULL);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        OUTBOX_TEST(a_sqlite_file_and_its_log_hold_no_secret),
        PG_TEST(the_tables_in_postgres_hold_no_secret),
        cmocka_unit_test(no_password_of_a_database_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
