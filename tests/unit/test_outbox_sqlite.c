/* The outbox in SQLite as hosts use it: transactions, restarts, crashes, several processes. */
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

#include "bb_webhook_sqlite.h"
#include "support/background.h"

enum { LEASE_MS = 1000 };

/* ------------------------------------------------------------------ fixture -- */

static char path[64];
static bb_outbox *outbox;

static void remove_files(void) {
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        char name[80];
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
}

static int setup(void **state) {
    snprintf(path, sizeof path, "/tmp/bb_outbox_XXXXXX");
    close(mkstemp(path));
    return background_setup(state);
}

static int teardown(void **state) {
    int code = background_teardown(state);
    bb_outbox_free(outbox);
    outbox = NULL;
    remove_files();
    return code;
}

#define OUTBOX_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static bb_outbox *open_outbox(void) {
    bb_sqlite_options options = BB_SQLITE_OPTIONS_INIT;
    bb_error error = BB_ERROR_INIT;
    bb_outbox *opened = NULL;
    options.lease_ms = LEASE_MS;
    options.safety = BB_SQLITE_PROCESS_CRASH;
    if (bb_sqlite_open(path, &options, &opened, &error) != BB_OK)
        fail_msg("%s", error.text);
    return opened;
}

static void open_all(background *b) {
    outbox = open_outbox();
    b->options.outbox = outbox;
    background_open(b);
}

/* As when the program ends and is started again. */
static void close_all(background *b) {
    assert_int_equal(bb_dispatcher_free(b->dispatcher), BB_OK);
    b->dispatcher = NULL;
    bb_outbox_free(outbox);
    outbox = NULL;
}

static sqlite3 *open_host(void) {
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    return db;
}

static void run(sqlite3 *db, const char *sql) {
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
}

static int64_t count(const char *table) {
    char sql[80];
    sqlite3 *db = open_host();
    sqlite3_stmt *statement = NULL;
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return number;
}

static int enqueue_on(background *b, sqlite3 *db, const char *id, bb_error *error) {
    bb_issue issue = BB_ISSUE_INIT;
    bb_event event = BB_EVENT_INIT;
    issue.id = 1;
    issue.name = "Add index";
    event.activity = BB_ISSUE_CREATE;
    event.id = id;
    event.issue = &issue;
    return bb_sqlite_enqueue(b->dispatcher, db, sqlite3_sourceid(), &event, NULL, NULL, error);
}

/* ------------------------------------------------------------- transactions -- */

static void a_commit_sends_and_a_rollback_does_not(void **state) {
    background *b = *state;
    open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    sqlite3 *db = open_host();
    run(db, "CREATE TABLE issue(id INTEGER PRIMARY KEY)");
    run(db, "BEGIN; INSERT INTO issue VALUES(1)");
    assert_int_equal(enqueue_on(b, db, "undone", NULL), BB_OK);
    run(db, "ROLLBACK");
    run(db, "BEGIN; INSERT INTO issue VALUES(2)");
    assert_int_equal(enqueue_on(b, db, "done", NULL), BB_OK);
    run(db, "COMMIT");
    sqlite3_close(db);
    assert_int_equal(bb_dispatcher_wake(b->dispatcher, NULL), BB_OK);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 1);
    assert_string_equal(background_told(b, BB_NOTICE_DELIVERED, 0)->event_id, "done");
    assert_int_equal(server_requests(b->receiver), 1);
    close_all(b);
    assert_int_equal(count("issue"), 1);
    assert_int_equal(count("bb_event"), 0);
    assert_int_equal(count("bb_delivery"), 0);
}

/* Nobody tells the dispatcher: another connection's commit is noticed. */
static void a_commit_is_noticed_without_a_word(void **state) {
    background *b = *state;
    open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    background_enqueue(b, "first");
    background_wait_until(b, BB_NOTICE_DELIVERED, 1);
    sqlite3 *db = open_host();
    assert_int_equal(enqueue_on(b, db, "second", NULL), BB_OK);
    sqlite3_close(db);
    background_wait_until(b, BB_NOTICE_DELIVERED, 2);
}

static void a_connection_without_the_outbox_is_an_error(void **state) {
    background *b = *state;
    bb_error error = BB_ERROR_INIT;
    sqlite3 *elsewhere = NULL;
    open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    assert_int_equal(sqlite3_open(":memory:", &elsewhere), SQLITE_OK);
    assert_int_equal(enqueue_on(b, elsewhere, "lost", &error), BB_ERR_OUTBOX);
    assert_non_null(strstr(error.text, "has no outbox"));
    sqlite3_close(elsewhere);
}

static void another_copy_of_sqlite_is_refused(void **state) {
    background *b = *state;
    bb_error error = BB_ERROR_INIT;
    bb_event event = BB_EVENT_INIT;
    open_all(b);
    sqlite3 *db = open_host();
    assert_int_equal(
        bb_sqlite_enqueue(b->dispatcher, db, "2001-01-01 another", &event, NULL, NULL, &error),
        BB_ERR_ARGUMENT);
    assert_non_null(strstr(error.text, "two copies of SQLite"));
    sqlite3_close(db);
}

static void an_outbox_in_memory_takes_no_transaction(void **state) {
    background *b = *state;
    bb_error error = BB_ERROR_INIT;
    background_open(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    sqlite3 *db = open_host();
    assert_int_equal(enqueue_on(b, db, "one", &error), BB_ERR_ARGUMENT);
    assert_non_null(strstr(error.text, "no outbox that keeps events"));
    sqlite3_close(db);
}

static void the_same_key_is_taken_once(void **state) {
    background *b = *state;
    bb_event event = BB_EVENT_INIT;
    bb_enqueue_options options = BB_ENQUEUE_OPTIONS_INIT;
    open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    event.activity = BB_ISSUE_CREATE;
    options.key = "order 66";
    for (int i = 0; i < 3; i++)
        assert_int_equal(bb_webhook_enqueue(b->dispatcher, &event, &options, NULL, NULL), BB_OK);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 1);
}

/* ------------------------------------------------------------------ restart -- */

static void what_waits_is_delivered_by_the_next_process(void **state) {
    background *b = *state;
    open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    for (int i = 0; i < 20; i++)
        background_enqueue(b, NULL);
    close_all(b);
    assert_int_equal(server_requests(b->receiver), 0);
    open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    assert_int_equal(background_stats(b, NULL).waiting, 20);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 20);
    assert_int_equal(server_requests(b->receiver), 20);
    assert_int_equal(background_stats(b, NULL).waiting, 0);
}

static void a_retry_goes_on_where_it_was(void **state) {
    static const server_step steps[] = {{.status = 503}, {.status = 200, .body = "{\"code\":0}"}};
    static const uint32_t delays[] = {1};
    background *b = *state;
    b->options.retry_delays_ms = delays;
    b->options.retry_delay_count = 1;
    b->options.no_jitter = 1;
    open_all(b);
    background_script(b, BB_CUSTOM, "hook", steps, 2);
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_RETRYING, 1);
    close_all(b);
    open_all(b);
    bb_webhook hook = BB_WEBHOOK_INIT;
    hook.id = hook.name = "hook";
    hook.type = BB_CUSTOM;
    hook.url = server_url(b->receiver, "/hook");
    hook.activities = BB_ACTIVITY_ALL;
    background_add(b, &hook);
    background_drive_until(b, BB_NOTICE_DELIVERED, 1);
    const told *delivered = background_told(b, BB_NOTICE_DELIVERED, 0);
    assert_int_equal(delivered->attempt, 2);
    assert_string_equal(delivered->delivery_id,
                        background_told(b, BB_NOTICE_RETRYING, 0)->delivery_id);
}

static void what_waits_for_a_removed_webhook_waits_for_its_return(void **state) {
    background *b = *state;
    open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    background_enqueue(b, "one");
    assert_int_equal(bb_dispatcher_remove(b->dispatcher, "hook", NULL), BB_OK);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DEAD], 0);
    assert_int_equal(server_requests(b->receiver), 0);
    background_add_healthy(b, BB_CUSTOM, "hook");
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 1);
}

/* ------------------------------------------------------------- dead letters -- */

typedef struct letters {
    size_t count;
    int64_t number;
    int attempts;
    char webhook_id[32];
    char reason[256];
    char event[1024];
} letters;

static int note_letter(void *user, const bb_dead_letter *letter) {
    letters *seen = user;
    seen->count++;
    seen->number = letter->number;
    seen->attempts = letter->attempts;
    snprintf(seen->webhook_id, sizeof seen->webhook_id, "%s", letter->webhook_id);
    snprintf(seen->reason, sizeof seen->reason, "%s", letter->reason);
    snprintf(seen->event, sizeof seen->event, "%s", letter->event);
    return 0;
}

static letters look(const bb_dead_filter *filter) {
    letters seen = {0};
    size_t number = 99;
    assert_int_equal(bb_outbox_dead(outbox, filter, note_letter, &seen, &number, NULL), BB_OK);
    assert_int_equal(number, seen.count);
    return seen;
}

static int note_status(void *user, const bb_attempt_record *attempt) {
    char *line = user;
    size_t used = strlen(line);
    snprintf(line + used, 256 - used, "%d:%d %s;", attempt->attempt, attempt->http_status,
             attempt->remote_message);
    return 0;
}

static void a_dead_letter_is_kept_and_can_be_sent_again(void **state) {
    static const server_step steps[] = {
        {.status = 200, .body = "{\"code\":7,\"message\":\"not today\"}"},
        {.status = 200, .body = "{\"code\":0}"}};
    background *b = *state;
    bb_dead_filter filter = BB_DEAD_FILTER_INIT;
    size_t replayed = 0;
    char log[256] = "";
    open_all(b);
    background_script(b, BB_CUSTOM, "hook", steps, 2);
    background_enqueue(b, "one");
    background_flush(b);
    letters seen = look(NULL);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.attempts, 1);
    assert_string_equal(seen.webhook_id, "hook");
    assert_non_null(strstr(seen.reason, "not today"));
    assert_non_null(strstr(seen.event, "\"id\":\"one\""));
    filter.webhook_id = "another";
    assert_int_equal(look(&filter).count, 0);
    filter.webhook_id = "hook";
    filter.verdict = BB_DEAD;
    assert_int_equal(look(&filter).count, 1);
    assert_int_equal(bb_outbox_replay(outbox, &filter, &replayed, NULL), BB_OK);
    assert_int_equal(replayed, 1);
    assert_int_equal(look(NULL).count, 0);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 1);
    assert_string_equal(background_told(b, BB_NOTICE_DELIVERED, 0)->delivery_id,
                        background_told(b, BB_NOTICE_DEAD, 0)->delivery_id);
    assert_int_equal(bb_outbox_attempts(outbox, seen.number, note_status, log, NULL), BB_OK);
    assert_string_equal(log, "1:200 not today;1:200 ;");
    assert_int_equal(count("bb_event"), 0);
}

static void old_letters_and_lines_are_purged(void **state) {
    static const server_step no = {.status = 404};
    background *b = *state;
    size_t purged = 0;
    open_all(b);
    background_script(b, BB_CUSTOM, "one", &no, 1);
    background_script(b, BB_CUSTOM, "two", &no, 1);
    for (int i = 0; i < 3; i++)
        background_enqueue(b, NULL);
    background_flush(b);
    assert_int_equal(look(NULL).count, 6);
    assert_int_equal(bb_outbox_purge(outbox, 1000, &purged, NULL), BB_OK);
    assert_int_equal(purged, 0);
    assert_int_equal(bb_outbox_purge(outbox, INT64_MAX, &purged, NULL), BB_OK);
    assert_int_equal(purged, 6 + 6);
    assert_int_equal(look(NULL).count, 0);
    assert_int_equal(count("bb_event"), 0);
    assert_int_equal(count("bb_shared"), 0);
    assert_int_equal(count("bb_attempt"), 0);
}

static void what_waits_is_taken_back_by_its_key(void **state) {
    background *b = *state;
    bb_event event = BB_EVENT_INIT;
    bb_enqueue_options options = BB_ENQUEUE_OPTIONS_INIT;
    size_t canceled = 0;
    open_all(b);
    background_add_healthy(b, BB_CUSTOM, "one");
    background_add_healthy(b, BB_CUSTOM, "two");
    event.activity = BB_ISSUE_CREATE;
    options.key = "order 66";
    assert_int_equal(bb_webhook_enqueue(b->dispatcher, &event, &options, NULL, NULL), BB_OK);
    assert_int_equal(bb_outbox_cancel(outbox, "another", &canceled, NULL), BB_OK);
    assert_int_equal(canceled, 0);
    assert_int_equal(bb_outbox_cancel(outbox, "order 66", &canceled, NULL), BB_OK);
    assert_int_equal(canceled, 2);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 0);
    assert_int_equal(count("bb_event"), 0);
    assert_int_equal(bb_webhook_enqueue(b->dispatcher, &event, &options, NULL, NULL), BB_OK);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 2);
}

/* As a trigger, a migration or a program in another language does it. */
static void an_event_that_was_inserted_by_sql_is_delivered(void **state) {
    background *b = *state;
    open_all(b);
    background_add_healthy(b, BB_CUSTOM, "one");
    background_add_healthy(b, BB_SLACK, "two");
    sqlite3 *db = open_host();
    run(db, "INSERT INTO bb_event(json) VALUES('{\"activity_type\":\"bb.issue.create\","
            "\"issue\":{\"id\":7,\"name\":\"Add index\"}}')");
    run(db, "INSERT INTO bb_event(json) VALUES('nonsense')");
    sqlite3_close(db);
    background_enqueue(b, "behind it");
    assert_int_equal(bb_dispatcher_wake(b->dispatcher, NULL), BB_OK);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 4);
    assert_string_equal(background_told(b, BB_NOTICE_DELIVERED, 0)->event_id, "evt_sql_1");
    assert_int_equal(count("bb_event"), 0);
}

/* Somebody has written into the tables: it does not hold up the rest. */
static void an_event_that_cannot_be_read_is_dead(void **state) {
    background *b = *state;
    open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    sqlite3 *db = open_host();
    run(db, "INSERT INTO bb_event(json, webhooks) VALUES('no JSON', '0 4:hook,')");
    run(db, "INSERT INTO bb_event(json, webhooks) VALUES('{}', '0 4:hook,')");
    sqlite3_close(db);
    background_enqueue(b, "fine");
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 1);
    assert_int_equal(look(NULL).count, 2);
    assert_string_equal(look(NULL).reason, "its event cannot be read");
}

static void an_outbox_in_memory_has_no_archive(void **state) {
    background *b = *state;
    size_t number = 5;
    background_open(b);
    assert_int_equal(bb_outbox_dead(NULL, NULL, NULL, NULL, &number, NULL), BB_ERR_ARGUMENT);
    assert_int_equal(number, 0);
}

/* -------------------------------------------------------------- several at it -- */

static void two_share_the_work(void **state) {
    enum { EVENTS = 300 };
    background *one = *state, *two = NULL;
    void *second = NULL;
    open_all(one);
    background_add_healthy(one, BB_CUSTOM, "hook");
    for (int i = 0; i < EVENTS; i++)
        background_enqueue(one, NULL);
    assert_int_equal(background_setup(&second), 0);
    two = second;
    bb_outbox *other = open_outbox();
    two->options.outbox = other;
    background_open(two);
    bb_webhook hook = BB_WEBHOOK_INIT;
    hook.id = hook.name = "hook";
    hook.type = BB_CUSTOM;
    hook.url = server_url(one->receiver, "/hook");
    hook.activities = BB_ACTIVITY_ALL;
    background_add(two, &hook);
    assert_int_equal(bb_dispatcher_start(one->dispatcher, NULL), BB_OK);
    assert_int_equal(bb_dispatcher_start(two->dispatcher, NULL), BB_OK);
    while (server_requests(one->receiver) < EVENTS)
        background_flush(one);
    background_flush(one);
    background_flush(two);
    assert_int_equal(one->counts[BB_NOTICE_DELIVERED] + two->counts[BB_NOTICE_DELIVERED], EVENTS);
    assert_int_equal(server_requests(one->receiver), EVENTS);
    assert_int_equal(background_teardown(&second), 0);
    bb_outbox_free(other);
    assert_int_equal(count("bb_delivery"), 0);
}

/* ------------------------------------------------------------------- crashes -- */

/* A process of its own that enqueues, drives, and is killed while answers are outstanding. */
static void deliver_until_killed(const char *url, int events) {
    bb_options options = BB_OPTIONS_INIT;
    bb_background_options settings = BB_BACKGROUND_OPTIONS_INIT;
    bb_webhook hook = BB_WEBHOOK_INIT;
    bb_dispatcher *dispatcher = NULL;
    settings.outbox = open_outbox();
    options.background = &settings;
    options.insecure_allow_http = options.insecure_allow_private_addresses = 1;
    hook.id = hook.name = "hook";
    hook.type = BB_CUSTOM;
    hook.url = url;
    hook.activities = BB_ACTIVITY_ALL;
    bb_event event = BB_EVENT_INIT;
    event.activity = BB_ISSUE_CREATE;
    if (bb_dispatcher_new(&options, &dispatcher, NULL) != BB_OK ||
        bb_dispatcher_add(dispatcher, &hook, NULL) != BB_OK)
        _exit(1);
    for (int i = 0; i < events; i++)
        if (bb_webhook_enqueue(dispatcher, &event, NULL, NULL, NULL) != BB_OK)
            _exit(1);
    bb_dispatcher_flush(dispatcher, 60000, NULL);
    _exit(1); /* not reached: it is killed */
}

static size_t different_ids(server *receiver) {
    size_t different = 0;
    for (size_t i = 0; i < server_requests(receiver); i++) {
        const char *id = server_header(server_request_at(receiver, i), "webhook-id");
        size_t j = 0;
        while (j < i &&
               strcmp(id, server_header(server_request_at(receiver, j), "webhook-id")) != 0)
            j++;
        different += j == i;
    }
    return different;
}

static void a_killed_process_loses_nothing(void **state) {
    enum { EVENTS = 30, IN_FLIGHT = 8 };
    static const server_step steps[] = {{.status = 200, .body = "{\"code\":0}"},
                                        {.status = 200, .body = "{\"code\":0}"},
                                        {.status = 200, .hold = 1, .body = "{\"code\":0}"}};
    background *b = *state;
    server_on(b->receiver, "/hook", steps, 3);
    const char *url = server_url(b->receiver, "/hook");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        deliver_until_killed(url, EVENTS);
    assert_true(server_wait_requests(b->receiver, 3, BACKGROUND_PATIENCE_MS));
    kill(child, SIGKILL);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    size_t before = server_requests(b->receiver);
    server_on(b->receiver, "/hook", steps, 1);
    server_release(b->receiver);
    open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    while (count("bb_delivery") + count("bb_event") > 0)
        background_flush(b);
    assert_int_equal(different_ids(b->receiver), EVENTS);
    size_t again = server_requests(b->receiver) - EVENTS;
    assert_in_range(again, 1, IN_FLIGHT + 2); /* in flight, or answered and not written */
    assert_true(before >= again);
}

/* A process that slept beyond its lease: what it says then is not believed. */
static void a_result_after_the_lease_is_refused(void **state) {
    static const server_step steps[] = {{.status = 503, .hold = 1},
                                        {.status = 200, .body = "{\"code\":0}"}};
    background *slow = *state, *quick = NULL;
    void *second = NULL;
    open_all(slow);
    background_script(slow, BB_CUSTOM, "hook", steps, 2);
    background_enqueue(slow, "one");
    while (server_requests(slow->receiver) == 0) /* and then it does not move any more */
        assert_int_equal(bb_dispatcher_run(slow->dispatcher, NULL), BB_OK);
    assert_int_equal(background_setup(&second), 0);
    quick = second;
    bb_outbox *other = open_outbox();
    quick->options.outbox = other;
    background_open(quick);
    bb_webhook hook = BB_WEBHOOK_INIT;
    hook.id = hook.name = "hook";
    hook.type = BB_CUSTOM;
    hook.url = server_url(slow->receiver, "/hook");
    hook.activities = BB_ACTIVITY_ALL;
    background_add(quick, &hook);
    assert_int_equal(bb_dispatcher_start(quick->dispatcher, NULL), BB_OK);
    background_wait_until(quick, BB_NOTICE_DELIVERED, 1);
    background_flush(quick);
    assert_int_equal(background_teardown(&second), 0);
    bb_outbox_free(other);
    assert_int_equal(count("bb_delivery"), 0);
    server_release(slow->receiver);
    background_drive_until(slow, BB_NOTICE_RETRYING, 1); /* it believes so ... */
    close_all(slow);
    assert_int_equal(count("bb_delivery"), 0); /* ... and nobody else does */
    assert_int_equal(server_requests(slow->receiver), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        OUTBOX_TEST(a_commit_sends_and_a_rollback_does_not),
        OUTBOX_TEST(a_commit_is_noticed_without_a_word),
        OUTBOX_TEST(a_connection_without_the_outbox_is_an_error),
        OUTBOX_TEST(another_copy_of_sqlite_is_refused),
        OUTBOX_TEST(an_outbox_in_memory_takes_no_transaction),
        OUTBOX_TEST(the_same_key_is_taken_once),
        OUTBOX_TEST(what_waits_is_delivered_by_the_next_process),
        OUTBOX_TEST(a_retry_goes_on_where_it_was),
        OUTBOX_TEST(what_waits_for_a_removed_webhook_waits_for_its_return),
        OUTBOX_TEST(a_dead_letter_is_kept_and_can_be_sent_again),
        OUTBOX_TEST(old_letters_and_lines_are_purged),
        OUTBOX_TEST(what_waits_is_taken_back_by_its_key),
        OUTBOX_TEST(an_event_that_was_inserted_by_sql_is_delivered),
        OUTBOX_TEST(an_event_that_cannot_be_read_is_dead),
        OUTBOX_TEST(an_outbox_in_memory_has_no_archive),
        OUTBOX_TEST(two_share_the_work),
        OUTBOX_TEST(a_killed_process_loses_nothing),
        OUTBOX_TEST(a_result_after_the_lease_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
