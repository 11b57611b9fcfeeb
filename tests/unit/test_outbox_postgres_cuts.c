/* The outbox in PostgreSQL when things go wrong between it and its server, when many work on it,
 * and when its tables are not what they should be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "support/outbox_postgres.h"

static void sleep_ms(long ms) {
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

static void add_slow_hook(background *b) {
    static const server_step steps[] = {{.status = 200, .delay_ms = 10, .body = "{\"code\":0}"}};
    background_script(b, BB_CUSTOM, "hook", steps, 1);
}

/* Everything has arrived, be it more than once, and nothing is left. */
static void wait_for_all(background *b, size_t events) {
    background_wait_until(b, BB_NOTICE_DELIVERED, events);
    for (int i = 0; i < 100 && postgres_count("bb_delivery") + postgres_count("bb_event") > 0; i++)
        sleep_ms(100);
    assert_int_equal(postgres_count("bb_delivery"), 0);
    assert_int_equal(postgres_count("bb_event"), 0);
    assert_int_equal(pg_different_ids(b->receiver), events);
    assert_int_equal(b->counts[BB_NOTICE_DEAD], 0);
}

/* ----------------------------------------------------------------------- cuts -- */

static void a_server_that_is_restarted_loses_nothing(void **state) {
    enum { EVENTS = 300 };
    background *b = *state;
    bb_error error = BB_ERROR_INIT;
    pg_open_all(b);
    add_slow_hook(b);
    for (int i = 0; i < EVENTS; i++)
        background_enqueue(b, NULL);
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    background_wait_until(b, BB_NOTICE_DELIVERED, EVENTS / 10);
    postgres_stop();
    assert_int_equal(bb_webhook_enqueue(b->dispatcher, posting_event(), NULL, NULL, &error),
                     BB_ERR_OUTBOX);
    assert_non_null(strstr(error.text, "cannot be written"));
    sleep_ms(500);
    postgres_start();
    background_enqueue(b, "afterwards");
    wait_for_all(b, EVENTS + 1);
    assert_non_null(strstr(pg_last_trouble(), "outbox: "));
}

/* Webhooks can be added, and looked at, while nobody answers. */
static void a_server_that_is_away_keeps_nobody(void **state) {
    background *b = *state;
    pg_open_all(b);
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    postgres_stop();
    int64_t before_ms = server_now_ms();
    background_add_healthy(b, BB_CUSTOM, "hook");
    assert_int_equal(background_stats(b, NULL).waiting, 0);
    assert_true(server_now_ms() - before_ms < 5000);
    postgres_start();
    background_enqueue(b, "one");
    wait_for_all(b, 1);
}

static void connections_that_are_cut_are_made_again(void **state) {
    enum { EVENTS = 300, CUTS = 5 };
    background *b = *state;
    pg_open_all(b);
    add_slow_hook(b);
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    PGconn *db = postgres_connect();
    for (int i = 0; i < CUTS; i++) {
        for (int j = 0; j < EVENTS / CUTS; j++)
            background_enqueue(b, NULL);
        long long cut =
            postgres_run(db, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE"
                             " datname = current_database() AND pid <> pg_backend_pid()");
        assert_true(cut >= 1);
        sleep_ms(50);
    }
    PQfinish(db);
    wait_for_all(b, EVENTS);
    assert_non_null(strstr(pg_last_trouble(), "outbox: "));
    assert_in_range(server_requests(b->receiver), EVENTS, EVENTS + CUTS * 8);
}

/* A lock that somebody holds is waited for, but not for long. */
static void a_statement_that_hangs_is_given_up(void **state) {
    background *b = *state;
    bb_error error = BB_ERROR_INIT;
    pg_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    PGconn *db = postgres_connect();
    postgres_run(db, "BEGIN");
    postgres_run(db, "LOCK TABLE bb_event IN ACCESS EXCLUSIVE MODE");
    int64_t before_ms = server_now_ms();
    assert_int_equal(bb_webhook_enqueue(b->dispatcher, posting_event(), NULL, NULL, &error),
                     BB_ERR_OUTBOX);
    assert_true(server_now_ms() - before_ms < 10000);
    assert_non_null(strstr(error.text, "statement timeout"));
    postgres_run(db, "ROLLBACK");
    PQfinish(db);
    background_enqueue(b, "one");
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 1);
}

/* Nor does it hang on at the server, which would have one more of them each time. */
static void a_look_that_hangs_is_given_up(void **state) {
    background *b = *state;
    pg_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    background_enqueue(b, "one");
    background_flush(b);
    PGconn *db = postgres_connect();
    postgres_run(db, "BEGIN");
    postgres_run(db, "LOCK TABLE bb_delivery IN ACCESS EXCLUSIVE MODE");
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    while (pg_last_trouble()[0] == '\0')
        sleep_ms(10);
    assert_non_null(strstr(pg_last_trouble(), "statement timeout"));
    assert_int_equal(background_stats(b, NULL).waiting, 0);
    assert_in_range(postgres_run(db, "SELECT count(*) FROM pg_stat_activity WHERE"
                                     " datname = current_database() AND wait_event_type = 'Lock'"),
                    0, 1);
    postgres_run(db, "ROLLBACK");
    PQfinish(db);
    background_enqueue(b, "two");
    background_wait_until(b, BB_NOTICE_DELIVERED, 2);
}

/* What is under way of the old one does not stand in the way of the new one. */
static void a_webhook_that_comes_back_while_it_is_removed_goes_on(void **state) {
    static const server_step steps[] = {{.status = 200, .hold = 1, .body = "{\"code\":0}"}};
    background *b = *state;
    pg_open_all(b);
    background_script(b, BB_CUSTOM, "hook", steps, 1);
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    background_enqueue(b, "one");
    assert_true(server_wait_requests(b->receiver, 1, BACKGROUND_PATIENCE_MS));
    assert_int_equal(bb_dispatcher_remove(b->dispatcher, "hook", NULL), BB_OK);
    background_add_healthy(b, BB_CUSTOM, "hook");
    background_enqueue(b, "two");
    background_wait_until(b, BB_NOTICE_DELIVERED, 1);
    server_release(b->receiver);
    background_wait_until(b, BB_NOTICE_DELIVERED, 2);
    sleep_ms(100); /* and the old one is closed */
    background_enqueue(b, "three");
    wait_for_all(b, 3);
}

/* ---------------------------------------------------------------------- order -- */

enum { ISSUES = 5, OF_EACH = 40 };

static void enqueue_of_issue(background *b, int issue_id, int number) {
    char name[32];
    bb_issue issue = BB_ISSUE_INIT;
    bb_event event = BB_EVENT_INIT;
    snprintf(name, sizeof(name), "number %d.", number);
    issue.id = issue_id;
    issue.name = name;
    event.activity = BB_ISSUE_CREATE;
    event.issue = &issue;
    assert_int_equal(bb_webhook_enqueue(b->dispatcher, &event, NULL, NULL, NULL), BB_OK);
}

static int number_after(const char *body, const char *word) {
    const char *at = strstr(body, word);
    assert_non_null(at);
    return atoi(at + strlen(word));
}

static void check_order(server *receiver) {
    int last[ISSUES + 1] = {0};
    for (size_t i = 0; i < server_requests(receiver); i++) {
        const char *issue = strstr(server_request_at(receiver, i)->body, "\"issue\":");
        assert_non_null(issue);
        int id = number_after(issue, "\"id\":"), number = number_after(issue, "number ");
        assert_in_range(id, 1, ISSUES);
        assert_int_equal(number, last[id] + 1);
        last[id] = number;
    }
}

static void set_order(background *b, background *of) {
    bb_webhook hook = posting_hook(BB_CUSTOM, "hook", server_url(of->receiver, "/hook"));
    hook.no_rate = 1;
    hook.order = BB_ORDER_ISSUE;
    assert_int_equal(bb_dispatcher_replace(b->dispatcher, &hook, NULL), BB_OK);
}

/* While both enqueue, fan out, and send; the last of an issue is settled by one while the other
 * adds the next. */
static void the_order_holds_across_processes(void **state) {
    background *one = *state;
    pg_open_all(one);
    background_add_healthy(one, BB_CUSTOM, "hook");
    background *two = pg_open_second(one);
    set_order(one, one);
    set_order(two, one);
    assert_int_equal(bb_dispatcher_start(one->dispatcher, NULL), BB_OK);
    assert_int_equal(bb_dispatcher_start(two->dispatcher, NULL), BB_OK);
    for (int number = 1; number <= OF_EACH; number++)
        for (int issue = 1; issue <= ISSUES; issue++)
            enqueue_of_issue((number + issue) % 2 ? one : two, issue, number);
    assert_true(server_wait_requests(one->receiver, ISSUES * OF_EACH, BACKGROUND_PATIENCE_MS));
    background_flush(one);
    background_flush(two);
    assert_int_equal(server_requests(one->receiver), ISSUES * OF_EACH);
    check_order(one->receiver);
    assert_true(one->counts[BB_NOTICE_DELIVERED] > 0 && two->counts[BB_NOTICE_DELIVERED] > 0);
    pg_close_second(two);
    assert_int_equal(postgres_count("bb_delivery"), 0);
}

/* --------------------------------------------------------------------- tables -- */

static bb_outbox *try_to_open(const char *conninfo, bb_error *error) {
    bb_outbox *outbox = NULL;
    assert_int_equal(bb_postgres_open(conninfo, NULL, &outbox, error), BB_ERR_OUTBOX);
    assert_null(outbox);
    return outbox;
}

static void newer_tables_are_refused(void **state) {
    (void)state;
    bb_error error = BB_ERROR_INIT;
    bb_outbox_free(pg_open_outbox());
    PGconn *db = postgres_connect();
    postgres_run(db, "UPDATE bb_outbox_version SET version = 99");
    PQfinish(db);
    try_to_open(postgres_conninfo_with(""), &error);
    assert_non_null(strstr(error.text, "of version 99, this library knows up to 2"));
}

/* With what waits in them. */
static void tables_of_version_1_are_brought_up(void **state) {
    background *b = *state;
    static const char look[] = "SELECT count(*) FROM pg_class WHERE relname = 'bb_attempt' AND"
                               " reloptions IS NOT NULL";
    bb_outbox_free(pg_open_outbox());
    PGconn *db = postgres_connect();
    postgres_run(db, "SELECT bb_enqueue('{\"activity_type\":\"bb.issue.create\"}')");
    postgres_run(db, "UPDATE bb_outbox_version SET version = 1");
    postgres_run(db, "ALTER TABLE bb_attempt RESET (autovacuum_vacuum_scale_factor,"
                     " autovacuum_vacuum_threshold)");
    assert_int_equal(postgres_run(db, look), 0);
    pg_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    assert_int_equal(postgres_run(db, "SELECT version FROM bb_outbox_version"), 2);
    assert_int_equal(postgres_run(db, look), 1);
    PQfinish(db);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 1);
}

/* A process that goes on while another one of a later version has begun. */
static void tables_that_become_newer_are_left_alone(void **state) {
    background *b = *state;
    pg_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    PGconn *db = postgres_connect();
    postgres_run(db, "UPDATE bb_outbox_version SET version = 99");
    postgres_run(db, "SELECT bb_enqueue('{\"activity_type\":\"bb.issue.create\"}')");
    assert_int_equal(bb_dispatcher_flush(b->dispatcher, 200, NULL), BB_ERR_TIMEOUT);
    assert_int_equal(server_requests(b->receiver), 0);
    assert_non_null(strstr(pg_last_trouble(), "of another version since it was opened"));
    postgres_run(db, "UPDATE bb_outbox_version SET version = 2");
    PQfinish(db);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 1);
}

static void tables_lie_in_the_search_path(void **state) {
    (void)state;
    bb_error error = BB_ERROR_INIT;
    bb_outbox *outbox = NULL;
    PGconn *db = postgres_connect();
    postgres_run(db, "CREATE SCHEMA hooks");
    const char *conninfo = postgres_conninfo_with("options='-c search_path=hooks'");
    if (bb_postgres_open(conninfo, NULL, &outbox, &error) != BB_OK)
        fail_msg("%s", error.text);
    bb_outbox_free(outbox);
    assert_int_equal(postgres_run(db, "SELECT count(*) FROM pg_tables WHERE schemaname = 'hooks'"),
                     6);
    assert_int_equal(postgres_run(db, "SELECT hooks.bb_enqueue('{}')"), 1);
    assert_int_equal(postgres_run(db, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"),
                     0);
    PQfinish(db);
}

static void no_password_is_ever_told(void **state) {
    static const char *const wrong[] = {"password=s3cret nonsense", "password=s3cret port=1",
                                        "postgres://user:s3cret@127.0.0.1:1/db",
                                        "postgres://user:s3cret@[::1"};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        bb_error error = BB_ERROR_INIT;
        try_to_open(wrong[i], &error);
        assert_non_null(strstr(error.text, "outbox: "));
        assert_null(strstr(error.text, "s3cret"));
        assert_null(strchr(error.text, '\n'));
    }
}

static void wrong_options_are_refused(void **state) {
    (void)state;
    bb_outbox *outbox = NULL;
    bb_postgres_options options = BB_POSTGRES_OPTIONS_INIT;
    assert_int_equal(bb_postgres_open(NULL, NULL, &outbox, NULL), BB_ERR_ARGUMENT);
    assert_int_equal(bb_postgres_open("", NULL, NULL, NULL), BB_ERR_ARGUMENT);
    options.lease_ms = 999;
    assert_int_equal(bb_postgres_open("", &options, &outbox, NULL), BB_ERR_ARGUMENT);
    options.lease_ms = 1000;
    options.reserved = 1;
    assert_int_equal(bb_postgres_open("", &options, &outbox, NULL), BB_ERR_ARGUMENT);
    options.struct_size = 0;
    assert_int_equal(bb_postgres_open("", &options, &outbox, NULL), BB_ERR_STRUCT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        PG_TEST(a_server_that_is_restarted_loses_nothing),
        PG_TEST(a_server_that_is_away_keeps_nobody),
        PG_TEST(connections_that_are_cut_are_made_again),
        PG_TEST(a_statement_that_hangs_is_given_up),
        PG_TEST(a_look_that_hangs_is_given_up),
        PG_TEST(a_webhook_that_comes_back_while_it_is_removed_goes_on),
        PG_TEST(the_order_holds_across_processes),
        PG_TEST(newer_tables_are_refused),
        PG_TEST(tables_of_version_1_are_brought_up),
        PG_TEST(tables_that_become_newer_are_left_alone),
        PG_TEST(tables_lie_in_the_search_path),
        PG_TEST(no_password_is_ever_told),
        PG_TEST(wrong_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
