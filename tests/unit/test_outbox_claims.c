/* A delivery that ends the process which has it: it does so a bounded number of times, and takes no
 * other down with it. On both outboxes that several processes share. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/outbox.h"
#include "support/outbox_postgres.h"

enum { DEATHS = 5, EVENTS = 40, POISON = 20 };

/* What both kinds of outbox have. */
static const struct kind {
    bb_outbox *(*open)(void);
    void (*open_all)(background *b);
    void (*close_all)(background *b);
    int64_t (*run)(const char *sql); /* the first column of its first row */
} * kind;

/* ---- SQLite ---- */

static int64_t run_on_sqlite(const char *sql) {
    sqlite3 *db = outbox_open_host();
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    int64_t number = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
    sqlite3_close(db);
    return number;
}

static int sqlite_setup(void **state) {
    static const struct kind sqlite = {outbox_open, outbox_open_all, outbox_close_all,
                                       run_on_sqlite};
    kind = &sqlite;
    return outbox_setup(state);
}

/* ---- PostgreSQL ---- */

static int64_t run_on_postgres(const char *sql) {
    PGconn *db = postgres_connect();
    PGresult *result = PQexec(db, sql);
    int64_t number = PQntuples(result) > 0 ? strtoll(PQgetvalue(result, 0, 0), NULL, 10) : 0;
    assert_true(PQresultStatus(result) == PGRES_TUPLES_OK ||
                PQresultStatus(result) == PGRES_COMMAND_OK);
    PQclear(result);
    PQfinish(db);
    return number;
}

static int postgres_setup(void **state) {
    static const struct kind postgres = {pg_open_outbox, pg_open_all, pg_close_all,
                                         run_on_postgres};
    kind = &postgres;
    return pg_setup(state);
}

/* ---- processes that die ---- */

static void enqueue_all(background *b) {
    char ids[EVENTS][32];
    bb_event events[EVENTS];
    const bb_event *pointers[EVENTS];
    for (size_t i = 0; i < EVENTS; i++) {
        snprintf(ids[i], sizeof ids[i], i == POISON ? "poison" : "event-%zu", i);
        events[i] = (bb_event)BB_EVENT_INIT;
        events[i].activity = BB_ISSUE_CREATE;
        events[i].id = events[i].title = ids[i];
        pointers[i] = &events[i];
    }
    assert_int_equal(bb_webhook_enqueue_many(b->dispatcher, pointers, EVENTS, NULL, NULL, NULL),
                     BB_OK);
}

static void die_of_poison(void *user, const bb_notice *notice) {
    (void)user;
    if (notice->attempt && strcmp(notice->attempt->event_id, "poison") == 0)
        kill(getpid(), SIGKILL);
}

static void deliver_until_dead(const char *url) {
    bb_options options = BB_OPTIONS_INIT;
    bb_background_options settings = BB_BACKGROUND_OPTIONS_INIT;
    bb_dispatcher *dispatcher = NULL;
    bb_webhook hook = posting_hook(BB_CUSTOM, "hook", url);
    hook.no_rate = 1;
    settings.outbox = kind->open();
    settings.notify = die_of_poison;
    options.background = &settings;
    options.timeout_ms = BACKGROUND_ATTEMPT_MS;
    options.insecure_allow_http = options.insecure_allow_private_addresses = 1;
    if (bb_dispatcher_new(&options, &dispatcher, NULL) != BB_OK ||
        bb_dispatcher_add(dispatcher, &hook, NULL) != BB_OK)
        _exit(1);
    while (bb_dispatcher_flush(dispatcher, 20000, NULL) == BB_OK)
        ;
    _exit(1); /* not reached: it dies */
}

/* And its leases run out at once. */
static void let_one_die(const char *url) {
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        deliver_until_dead(url);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    kind->run("UPDATE bb_delivery SET leased_until_ms = 0");
}

static size_t requests_with(background *b, const char *id) {
    size_t count = 0;
    for (size_t i = 0; i < server_requests(b->receiver); i++)
        count += strstr(server_request_at(b->receiver, i)->body, id) != NULL;
    return count;
}

static void what_ends_five_processes_is_dead_and_the_others_are_delivered(void **state) {
    background *b = *state;
    kind->open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    enqueue_all(b);
    kind->close_all(b);
    for (int i = 0; i < DEATHS; i++)
        let_one_die(server_url(b->receiver, "/hook"));
    assert_int_equal(requests_with(b, "poison"), DEATHS);
    kind->open_all(b);
    server_step yes = posting_success(BB_CUSTOM);
    bb_webhook hook = background_hook(b, BB_CUSTOM, "hook", &yes, 1);
    background_add(b, &hook);
    while (kind->run("SELECT count(*) FROM bb_delivery") > 0)
        background_flush(b);
    const told *dead = background_told(b, BB_NOTICE_DEAD, 0);
    assert_int_equal(b->counts[BB_NOTICE_DEAD], 1);
    assert_string_equal(dead->event_id, "poison");
    assert_int_equal(dead->verdict, BB_UNKNOWN);
    assert_string_equal(dead->text,
                        "webhook \"hook\": not sent again, 5 processes ended while they had it");
    assert_int_equal(requests_with(b, "poison"), DEATHS);
    for (size_t i = 0; i < EVENTS; i++) {
        char id[32];
        snprintf(id, sizeof id, "event-%zu\"", i);
        assert_true(i == POISON || requests_with(b, id) > 0);
    }
}

/* ---- processes that do not ---- */

static void a_process_that_stops_in_good_order_does_not_count(void **state) {
    background *b = *state;
    for (int i = 0; i < DEATHS + 2; i++) {
        static const server_step hold = {.status = 200, .hold = 1};
        kind->open_all(b);
        background_script(b, BB_CUSTOM, "hook", &hold, 1);
        if (i == 0)
            enqueue_all(b);
        size_t before = server_requests(b->receiver);
        while (server_requests(b->receiver) == before) {
            kind->run("UPDATE bb_delivery SET due_ms = 0");
            assert_int_equal(bb_dispatcher_run(b->dispatcher, NULL), BB_OK);
        }
        assert_true(kind->run("SELECT max(claims) FROM bb_delivery") == 1);
        kind->close_all(b); /* its request is cut off */
        assert_int_equal(kind->run("SELECT max(claims) FROM bb_delivery"), 0);
    }
    assert_int_equal(b->counts[BB_NOTICE_DEAD], 0);
    server_release(b->receiver);
}

/* Two that are alive: what the first one had is claimed by the second. */
static void a_process_that_was_only_late_does_not_count(void **state) {
    static const server_step hold[] = {{.status = 503, .hold = 1}, {.status = 200, .hold = 1}};
    background *late = *state, *next = NULL;
    void *second = NULL;
    kind->open_all(late);
    background_script(late, BB_CUSTOM, "hook", hold, 2);
    background_enqueue(late, "one");
    while (server_requests(late->receiver) == 0) /* and then it does not move any more */
        assert_int_equal(bb_dispatcher_run(late->dispatcher, NULL), BB_OK);
    assert_int_equal(background_setup(&second), 0);
    next = second;
    bb_outbox *other = kind->open();
    next->options.outbox = other;
    background_open(next);
    outbox_add_hook_at(next, late->receiver);
    assert_int_equal(bb_dispatcher_start(next->dispatcher, NULL), BB_OK);
    assert_true(server_wait_requests(late->receiver, 2, BACKGROUND_PATIENCE_MS));
    assert_int_equal(kind->run("SELECT claims FROM bb_delivery"), 2);
    assert_int_equal(bb_dispatcher_stop(late->dispatcher, 0, NULL, NULL), BB_OK);
    kind->close_all(late);
    assert_int_equal(kind->run("SELECT claims FROM bb_delivery"), 1);
    server_release(late->receiver);
    background_flush(next);
    assert_int_equal(background_teardown(&second), 0);
    bb_outbox_free(other);
}

#define SQLITE(test) cmocka_unit_test_setup_teardown(test, sqlite_setup, outbox_teardown)
#define POSTGRES(test) cmocka_unit_test_setup_teardown(test, postgres_setup, pg_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        SQLITE(what_ends_five_processes_is_dead_and_the_others_are_delivered),
        POSTGRES(what_ends_five_processes_is_dead_and_the_others_are_delivered),
        SQLITE(a_process_that_stops_in_good_order_does_not_count),
        POSTGRES(a_process_that_stops_in_good_order_does_not_count),
        SQLITE(a_process_that_was_only_late_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
