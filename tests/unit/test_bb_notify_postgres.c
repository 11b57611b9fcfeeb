/* bb-notify --outbox end to end, with a PostgreSQL database: what holds of every outbox, and of
 * this one: several deliver, servers go and come, no password is printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "support/notify_outbox.h"
#include "support/postgres.h"

#define CANARY NOTIFY_CANARY
#define AT(place, ...) notify_run(fixture, "-c", fixture->config, "-o", place, __VA_ARGS__, NULL)

static const server_step yes = {.status = 200, .body = "{\"code\":0}"};
static const server_step held = {.status = 200, .body = "{\"code\":0}", .hold = 1};

static void assert_no_secret(const notify *fixture) {
    assert_not_told(fixture->result.out, CANARY);
    assert_not_told(fixture->result.err, CANARY);
}

static long long ask(const char *sql) {
    PGconn *db = postgres_connect();
    long long number = postgres_run(db, sql);
    PQfinish(db);
    return number;
}

/* ---- several, and servers ---- */

/* Where it has no lock that others wait for. */
static void stop_between_transactions(program *running) {
    int64_t end_ms = server_now_ms() + NOTIFY_PATIENCE_MS;
    program_signal(running, SIGSTOP);
    while (ask("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'bb_webhook'"
               " AND state <> 'idle'") > 0) {
        assert_true(server_now_ms() < end_ms);
        program_signal(running, SIGCONT);
        program_signal(running, SIGSTOP);
    }
}

/* One has leased what was there, and stands still; what comes then is the other's. */
static void two_processes_have_their_part_at_the_same_time(void **state) {
    enum { EVENTS = 50 };
    notify *fixture = *state;
    notify_script(fixture, "/ops", &held);
    notify_enqueue(fixture, EVENTS);
    program *one = notify_start_deliver(fixture, NULL);
    assert_true(server_wait_requests(fixture->receiver, 1, NOTIFY_PATIENCE_MS));
    stop_between_transactions(one);
    notify_enqueue(fixture, EVENTS);
    program *two = notify_start_deliver(fixture, NULL);
    assert_true(server_wait_requests(fixture->receiver, 2, NOTIFY_PATIENCE_MS));
    notify_script(fixture, "/ops", &yes);
    server_release(fixture->receiver);
    program_signal(one, SIGCONT);
    assert_int_equal(notify_end(fixture, one), 0);
    assert_told(fixture->result.out, "\n50 deliveries: 50 delivered\n");
    assert_int_equal(notify_end(fixture, two), 0);
    assert_told(fixture->result.out, "\n50 deliveries: 50 delivered\n");
    assert_int_equal(server_requests(fixture->receiver), 2 * EVENTS);
    assert_int_equal(notify_different_ids(fixture), 2 * EVENTS);
}

static void wait_for_different_ids(const notify *fixture, size_t count) {
    int64_t end_ms = server_now_ms() + NOTIFY_PATIENCE_MS;
    while (notify_different_ids(fixture) < count) {
        assert_true(server_now_ms() < end_ms);
        server_wait_requests(fixture->receiver, server_requests(fixture->receiver) + 1, 100);
    }
}

/* What was delivered just before is delivered once more, when the server has lost that. */
static void a_server_that_goes_and_comes_again_is_waited_for(void **state) {
    notify *fixture = *state;
    notify_script(fixture, "/ops", &yes);
    notify_enqueue(fixture, 1);
    program *forever = notify_start_deliver(fixture, "--forever");
    wait_for_different_ids(fixture, 1);
    postgres_stop();
    assert_true(program_wait_told(forever, "; it is tried again\n", NOTIFY_PATIENCE_MS));
    assert_int_equal(NOTIFY_RUN("stats"), 2);
    assert_no_secret(fixture);
    postgres_start();
    notify_enqueue(fixture, 1);
    wait_for_different_ids(fixture, 2);
    program_signal(forever, SIGTERM);
    assert_int_equal(notify_end(fixture, forever), 0);
    assert_told(fixture->result.out, " delivered\n");
    assert_no_secret(fixture);
}

static void lease_ms_of_the_configuration_is_that_of_the_leases(void **state) {
    notify *fixture = *state;
    notify_configure(fixture, "'lease_ms':20000,'timeout_ms':19000,", NOTIFY_OPS);
    notify_script(fixture, "/ops", &held);
    notify_enqueue(fixture, 1);
    program *running = notify_start_deliver(fixture, NULL);
    assert_true(server_wait_requests(fixture->receiver, 1, NOTIFY_PATIENCE_MS));
    assert_in_range(ask("SELECT leased_until_ms - (extract(epoch FROM clock_timestamp())"
                        " * 1000)::bigint FROM bb_delivery WHERE lease <> 0"),
                    1, 20000);
    server_release(fixture->receiver);
    assert_int_equal(notify_end(fixture, running), 0);
}

/* ---- passwords ---- */

static void no_verb_prints_the_password(void **state) {
    notify *fixture = *state;
    notify_configure(fixture, "'retry_delays_ms':[3600000],", NOTIFY_OPS);
    notify_answer(fixture, "/ops", 503, NULL, "");
    assert_int_equal(notify_enqueue(fixture, 1), 0);
    assert_no_secret(fixture);
    assert_int_equal(NOTIFY_RUN("deliver"), 1);
    assert_told(fixture->result.err, "bb-notify: postgres:///case_");
    assert_no_secret(fixture);
    assert_int_equal(NOTIFY_RUN("stats"), 0);
    assert_no_secret(fixture);
    assert_int_equal(NOTIFY_RUN("enqueue", "/nonexistent/e"), 2);
    assert_no_secret(fixture);
    notify_execute("DROP TABLE bb_webhook");
    assert_int_equal(NOTIFY_RUN("stats"), 1);
    assert_told(fixture->result.err, "bb-notify: postgres:///case_");
    assert_no_secret(fixture);
}

/* Refused before libpq sees it, or told without its words. */
static void no_url_that_is_wrong_is_printed(void **state) {
    static const struct {
        const char *url, *words;
    } wrong[] = {
        {"postgres://me:" CANARY "@127.0.0.1:1/app", "postgres://127.0.0.1:1/app: outbox: "},
        {"postgres://me:" CANARY "@[::1]:1/app", "postgres://[::1]:1/app: outbox: "},
        {"postgres:///app?host=/nonexistent&password=" CANARY, "postgres:///app: outbox: "},
        {"postgres://me@127.0.0.1:1/app?passwort=" CANARY, "is not one that libpq understands"},
        {"postgres://me:%zz" CANARY "@127.0.0.1:1/app", "is not one that libpq understands"},
        {"postgres://me:a/" CANARY "@127.0.0.1:1/app", "is written %2F or %40"},
        {"postgres://me:a@" CANARY "@127.0.0.1:1/app", "is written %2F or %40"},
        {"postgresql://me:a?b=/" CANARY "@127.0.0.1:1/app", "is written %2F or %40"},
        {"postgres://me:" CANARY "/app", "a port, which is a number"},
        {"postgres://[::1]:1,me:" CANARY, "a port, which is a number"},
        {"postgresq://me:" CANARY "@127.0.0.1/app", "begins with postgres://"},
        {"user=me password=" CANARY, "begins with postgres://"},
    };
    notify *fixture = *state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        notify_assert_refused(fixture, AT(wrong[i].url, "deliver"), wrong[i].words);
        assert_no_secret(fixture);
    }
}

/* ---- without libpq ---- */

static void a_program_that_was_built_without_postgresql_says_so(void **state) {
    notify *fixture = *state;
    const char *const arguments[] = {
        BB_NOTIFY_WITHOUT_POSTGRES, "-c", fixture->config, "-o", notify_place, "deliver", NULL};
    program_run(&fixture->result, arguments, NULL);
    notify_assert_refused(fixture, fixture->result.status,
                          "was built without PostgreSQL (BB_WEBHOOK_POSTGRES=OFF): --outbox takes "
                          "the path of a SQLite file\n");
    assert_no_secret(fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        NOTIFY_OUTBOX_TEST(two_processes_have_their_part_at_the_same_time),
        NOTIFY_OUTBOX_TEST(a_server_that_goes_and_comes_again_is_waited_for),
        NOTIFY_OUTBOX_TEST(lease_ms_of_the_configuration_is_that_of_the_leases),
        NOTIFY_OUTBOX_TEST(no_verb_prints_the_password),
        NOTIFY_OUTBOX_TEST(no_url_that_is_wrong_is_printed),
        NOTIFY_OUTBOX_TEST(a_program_that_was_built_without_postgresql_says_so),
    };
    int failed = notify_outbox_cases_run(&notify_postgres);
    failed += notify_dead_cases_run(&notify_postgres);
    return failed + cmocka_run_group_tests_name("PostgreSQL's own", tests, NULL, NULL);
}
