/*
 * Running out of memory in the public calls of the outboxes in SQLite and in PostgreSQL: each
 * allocation of the library, cJSON, libcurl, OpenSSL and SQLite fails once, alone and with all that
 * follow (libpq has no hooks). The call says so and nothing of it is in the database, or all is;
 * made again it succeeds, and what was committed is delivered.
 *
 * Of SQLite's many points some are taken; BB_TEST_SCALE multiplies them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/alloc.h"
#include "support/outbox.h"
#include "support/outbox_postgres.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { POINTS = 20, MANY = 3, SHORT_MS = 100 };

static sqlite3 *db;
static PGconn *conn;
static bb_sqlite_writer *writer;

/* ---- calls: each enqueues `adds` deliveries, or none ---- */

static bb_event event(void) {
    bb_event e = *posting_event();
    e.id = NULL;
    return e;
}

static int call_enqueue(background *b, bb_error *error) {
    bb_event e = event();
    return bb_webhook_enqueue(b->dispatcher, &e, NULL, NULL, error);
}

static int call_enqueue_many(background *b, bb_error *error) {
    bb_event e = event();
    const bb_event *events[MANY] = {&e, &e, &e};
    return bb_webhook_enqueue_many(b->dispatcher, events, MANY, NULL, NULL, error);
}

static int visit_letter(void *user, const bb_dead_letter *letter) {
    (void)user;
    assert_string_equal(letter->webhook_id, "refusing");
    return 0;
}

static int call_dead(background *b, bb_error *error) {
    return bb_outbox_dead(b->options.outbox, NULL, visit_letter, NULL, NULL, error);
}

static int call_replay(background *b, bb_error *error) {
    return bb_outbox_replay(b->options.outbox, NULL, NULL, error);
}

static int visit_attempt(void *user, const bb_attempt_record *attempt) {
    (void)user;
    assert_int_equal(attempt->attempt, 1);
    return 0;
}

static int call_attempts(background *b, bb_error *error) {
    return bb_outbox_attempts(b->options.outbox, 1, visit_attempt, NULL, error);
}

static int call_purge(background *b, bb_error *error) {
    return bb_outbox_purge(b->options.outbox, INT64_MAX, NULL, error);
}

static int call_cancel(background *b, bb_error *error) {
    return bb_outbox_cancel(b->options.outbox, "no such key", NULL, error);
}

/* The second time there is memory. */
static int is_short;

static void go_on_failing(void) {
    if (is_short)
        alloc_resume();
}

/* In a transaction of the host's. Where the call failed, the host rolls back. */
static int in_transaction(background *b, int (*call)(background *b, bb_error *error),
                          bb_error *error) {
    outbox_run(db, "BEGIN");
    go_on_failing();
    int code = call(b, error);
    alloc_end();
    if (!sqlite3_get_autocommit(db)) /* without memory SQLite may have rolled back by itself */
        outbox_run(db, code == BB_OK ? "COMMIT" : "ROLLBACK");
    return code;
}

static int enqueue_in_it(background *b, bb_error *error) {
    bb_event e = event();
    return bb_sqlite_enqueue(b->dispatcher, db, sqlite3_sourceid(), &e, NULL, NULL, error);
}

static int call_sqlite_enqueue(background *b, bb_error *error) {
    alloc_end();
    return in_transaction(b, enqueue_in_it, error);
}

static int write_in_it(background *b, bb_error *error) {
    bb_event e = event();
    int code = writer ? BB_OK
                      : bb_sqlite_writer_new(b->dispatcher, db, sqlite3_sourceid(), &writer, error);
    if (code == BB_OK)
        code = bb_sqlite_writer_enqueue(writer, &e, NULL, NULL, error);
    else
        assert_null(writer);
    return code;
}

static int call_writer(background *b, bb_error *error) {
    alloc_end();
    return in_transaction(b, write_in_it, error);
}

static int call_postgres_enqueue(background *b, bb_error *error) {
    bb_event e = event();
    alloc_end();
    postgres_run(conn, "BEGIN");
    go_on_failing();
    int code = bb_postgres_enqueue(b->dispatcher, conn, &e, NULL, NULL, error);
    alloc_end();
    postgres_run(conn, code == BB_OK ? "COMMIT" : "ROLLBACK");
    return code;
}

typedef struct call {
    const char *name;
    int (*make)(background *b, bb_error *error);
    size_t adds; /* events that both webhooks get */
} call;

#define OUTBOX_CALLS                                                                               \
    {"bb_webhook_enqueue", call_enqueue, 1}, {"bb_webhook_enqueue_many", call_enqueue_many, MANY}, \
        {"bb_outbox_dead", call_dead, 0}, {"bb_outbox_replay", call_replay, 0},                    \
        {"bb_outbox_attempts", call_attempts, 0}, {"bb_outbox_purge", call_purge, 0}, {            \
        "bb_outbox_cancel", call_cancel, 0                                                         \
    }

/* ---- a world with one dead letter ---- */

typedef struct depot {
    const char *name;
    void (*open)(background *b);
    void (*close)(background *b);
} depot;

static void open_sqlite(background *b) {
    outbox_remove_files();
    outbox_make_file();
    outbox_open_all(b);
    db = outbox_open_host();
}

static void close_sqlite(background *b) {
    bb_sqlite_writer_free(writer);
    writer = NULL;
    sqlite3_close(db);
    outbox_close_all(b);
}

static void open_postgres(background *b) {
    pg_open_all(b);
    conn = postgres_connect();
}

static void close_postgres(background *b) {
    postgres_run(conn, "TRUNCATE bb_event, bb_delivery, bb_dead, bb_attempt");
    PQfinish(conn);
    pg_close_all(b);
}

static void add_hooks(background *b) {
    background_add_healthy(b, BB_CUSTOM, "hook");
    background_script(b, BB_CUSTOM, "refusing",
                      STEPS({.status = 200, .body = "{\"code\":7,\"message\":\"no\"}"}));
    background_enqueue(b, NULL);
    background_flush(b);
    assert_int_equal(bb_dispatcher_remove(b->dispatcher, "refusing", NULL), BB_OK);
}

typedef struct calling {
    background *b;
    const depot *depot;
    const call *call;
} calling;

static void assert_told(const calling *c, int code, const bb_error *error) {
    if (!alloc_has_failed() || (code != BB_ERR_NO_MEMORY && code != BB_ERR_OUTBOX))
        fail_msg("%s: %s, %s", c->call->name, bb_code_name(code), error->text);
    assert_int_equal(error->code, code);
    assert_string_not_equal(error->text, "");
}

static void make_once(void *user) {
    const calling *c = user;
    background *b = c->b;
    bb_error error = BB_ERROR_INIT;
    alloc_end();
    c->depot->open(b);
    add_hooks(b);
    size_t before = server_requests_to(b->receiver, "/hook"), made = 1;
    is_short = 1;
    alloc_resume();
    int code = c->call->make(b, &error);
    alloc_end();
    is_short = 0;
    if (code != BB_OK)
        assert_told(c, code, &error);
    if (code == BB_OK)
        made = 2;
    if (c->call->make(b, &error) != BB_OK)
        fail_msg("%s: %s", c->call->name, error.text);
    assert_int_equal(bb_dispatcher_wake(b->dispatcher, NULL), BB_OK);
    background_flush(b);
    size_t sent = server_requests_to(b->receiver, "/hook") - before;
    if (sent != made * c->call->adds)
        fail_msg("%s: %zu of %zu were sent", c->call->name, sent, made * c->call->adds);
    alloc_end();
    c->depot->close(b);
}

/* Driven while memory is short, then with memory again: nothing is stuck or dead. */
static void deliver_once(void *user) {
    static const uint32_t delays_ms[] = {10, 10, 10, 10, 10, 10, 10, 10};
    const calling *c = user;
    background *b = c->b;
    alloc_end();
    b->options.retry_delays_ms = delays_ms;
    b->options.retry_delay_count = COUNT(delays_ms);
    b->options.breaker_open_ms = b->options.breaker_open_max_ms = 1;
    c->depot->open(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    size_t before = server_requests_to(b->receiver, "/hook");
    assert_int_equal(call_enqueue_many(b, NULL), BB_OK);
    alloc_resume();
    int code = bb_dispatcher_flush(b->dispatcher, SHORT_MS, NULL);
    alloc_end();
    assert_true(code == BB_OK || code == BB_ERR_TIMEOUT || alloc_has_failed());
    int64_t end = server_now_ms() + PATIENCE_MS;
    while (background_stats(b, NULL).delivered < MANY && server_now_ms() < end)
        background_flush(b);
    bb_stats stats = background_stats(b, NULL);
    assert_int_equal(stats.delivered, MANY);
    assert_int_equal(stats.waiting + stats.in_flight + stats.dead, 0);
    assert_true(server_requests_to(b->receiver, "/hook") - before >= MANY);
    c->depot->close(b);
}

static void make_each(background *b, const depot *where, const call *calls, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char what[64];
        calling c = {.b = b, .depot = where, .call = &calls[i]};
        snprintf(what, sizeof what, "%s, %s", where->name, calls[i].name);
        alloc_fail_each(what, POINTS * alloc_scale(), make_once, &c);
    }
    char what[64];
    calling c = {.b = b, .depot = where};
    snprintf(what, sizeof what, "%s, delivering", where->name);
    alloc_fail_each(what, POINTS / 2 * alloc_scale(), deliver_once, &c);
}

static void each_call_of_sqlites_is_made_wholly_or_not_at_all(void **state) {
    static const depot where = {"SQLite", open_sqlite, close_sqlite};
    static const call calls[] = {OUTBOX_CALLS,
                                 {"bb_sqlite_enqueue", call_sqlite_enqueue, 1},
                                 {"bb_sqlite_writer_new, _enqueue", call_writer, 1}};
    make_each(*state, &where, calls, COUNT(calls));
}

static void each_call_of_postgresqls_is_made_wholly_or_not_at_all(void **state) {
    static const depot where = {"PostgreSQL", open_postgres, close_postgres};
    static const call calls[] = {OUTBOX_CALLS, {"bb_postgres_enqueue", call_postgres_enqueue, 1}};
    make_each(*state, &where, calls, COUNT(calls));
}

/* ---- opening ---- */

static int open_by_path(bb_outbox **outbox, bb_error *error) {
    bb_sqlite_options options = BB_SQLITE_OPTIONS_INIT;
    options.allocator = alloc_library();
    options.safety = BB_SQLITE_PROCESS_CRASH;
    return bb_sqlite_open(outbox_path, &options, outbox, error);
}

static int open_by_conninfo(bb_outbox **outbox, bb_error *error) {
    bb_postgres_options options = BB_POSTGRES_OPTIONS_INIT;
    options.allocator = alloc_library();
    return bb_postgres_open(postgres_conninfo_with(""), &options, outbox, error);
}

typedef int opening(bb_outbox **outbox, bb_error *error);

static void open_once(opening *open) {
    bb_outbox *outbox = NULL;
    bb_error error = BB_ERROR_INIT;
    size_t dead = 99;
    int code = open(&outbox, &error);
    alloc_end();
    if (code != BB_OK) {
        assert_true(alloc_has_failed() && error.code == (bb_code)code);
        assert_true(code == BB_ERR_NO_MEMORY || code == BB_ERR_OUTBOX);
        assert_null(outbox);
        assert_int_equal(open(&outbox, NULL), BB_OK);
    }
    assert_int_equal(bb_outbox_dead(outbox, NULL, NULL, NULL, &dead, NULL), BB_OK);
    assert_int_equal(dead, 0);
    alloc_resume();
    bb_outbox_free(outbox); /* also without memory */
    alloc_end();
}

/* The first of all makes the tables; so does each with a file of its own. */
static void open_sqlite_once(void *user) {
    (void)user;
    alloc_end();
    outbox_remove_files();
    outbox_make_file();
    alloc_resume();
    open_once(open_by_path);
}

static void open_postgres_once(void *user) {
    (void)user;
    alloc_end();
    PGconn *host = postgres_connect();
    postgres_run(host, "DROP OWNED BY CURRENT_USER");
    PQfinish(host);
    alloc_resume();
    open_once(open_by_conninfo);
}

static void an_outbox_is_opened_or_is_not(void **state) {
    (void)state;
    alloc_fail_each("bb_sqlite_open", 3 * POINTS * alloc_scale(), open_sqlite_once, NULL);
    alloc_fail_each("bb_postgres_open", 0, open_postgres_once, NULL);
}

static int close_world(void **state) {
    alloc_teardown(state);
    outbox_remove_files();
    return pg_teardown(state);
}

#define WITH_BOTH(test) cmocka_unit_test_setup_teardown(test, pg_setup, close_world)

int main(void) {
    alloc_hook_openssl();
    alloc_hook_others();
    alloc_hook_sqlite();
    const struct CMUnitTest tests[] = {
        WITH_BOTH(an_outbox_is_opened_or_is_not),
        WITH_BOTH(each_call_of_sqlites_is_made_wholly_or_not_at_all),
        WITH_BOTH(each_call_of_postgresqls_is_made_wholly_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
