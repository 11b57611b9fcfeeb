#include "support/archive_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const archive_kind *kind;
static bb_outbox *outbox;

static const server_step yes = {.status = 200, .body = "{\"code\":0}"};
static const server_step no = {.status = 404};

/* ---- what the cases are written with ---- */

static int setup(void **state) {
    return kind->setup(state);
}

static int teardown(void **state) {
    return kind->teardown(state);
}

#define ARCHIVE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void open_all(background *b) {
    outbox = kind->open(b);
}

static void run(const char *sql) {
    void *connection = kind->connect();
    kind->run(connection, sql);
    kind->disconnect(connection);
}

static void must_be_empty(void) {
    for (const char *const *table = kind->tables; *table; table++)
        if (kind->count(*table) != 0)
            fail_msg("%s is not empty", *table);
}

static int note_letter(void *user, const bb_dead_letter *letter) {
    archive_letters *seen = user;
    seen->count++;
    seen->number = letter->number;
    seen->attempts = letter->attempts;
    snprintf(seen->webhook_id, sizeof seen->webhook_id, "%s", letter->webhook_id);
    snprintf(seen->reason, sizeof seen->reason, "%s", letter->reason);
    snprintf(seen->event, sizeof seen->event, "%s", letter->event);
    return 0;
}

archive_letters archive_look(bb_outbox *from, const bb_dead_filter *filter) {
    archive_letters seen = {0};
    size_t number = 99;
    assert_int_equal(bb_outbox_dead(from, filter, note_letter, &seen, &number, NULL), BB_OK);
    assert_int_equal(number, seen.count);
    return seen;
}

static archive_letters look(void) {
    return archive_look(outbox, NULL);
}

static int note_status(void *user, const bb_attempt_record *attempt) {
    char *line = user;
    size_t used = strlen(line);
    assert_true(attempt->at_ms > 0 && attempt->duration_ms >= 0);
    snprintf(line + used, 256 - used, "%d:%d %s;", attempt->attempt, attempt->http_status,
             attempt->remote_message);
    return 0;
}

static void log_must_be(int64_t number, const char *expected) {
    char log[256] = "";
    assert_int_equal(bb_outbox_attempts(outbox, number, note_status, log, NULL), BB_OK);
    assert_string_equal(log, expected);
}

static void replay_must_be(const bb_dead_filter *filter, size_t count) {
    size_t replayed = 99;
    assert_int_equal(bb_outbox_replay(outbox, filter, &replayed, NULL), BB_OK);
    assert_int_equal(replayed, count);
}

static void purge_must_be(int64_t before_ms, size_t count) {
    size_t purged = 99;
    assert_int_equal(bb_outbox_purge(outbox, before_ms, &purged, NULL), BB_OK);
    assert_int_equal(purged, count);
}

static void cancel_must_be(const char *key, size_t count) {
    size_t canceled = 99;
    assert_int_equal(bb_outbox_cancel(outbox, key, &canceled, NULL), BB_OK);
    assert_int_equal(canceled, count);
}

/* How many deliveries are taken. */
static size_t enqueue_with_key(background *b, const char *key, int64_t issue_id) {
    bb_issue issue = BB_ISSUE_INIT;
    bb_event event = BB_EVENT_INIT;
    bb_enqueue_options options = BB_ENQUEUE_OPTIONS_INIT;
    size_t deliveries = 99;
    issue.id = issue_id;
    event.activity = BB_ISSUE_CREATE;
    event.issue = issue_id ? &issue : NULL;
    options.key = key;
    assert_int_equal(bb_webhook_enqueue(b->dispatcher, &event, &options, &deliveries, NULL), BB_OK);
    return deliveries;
}

static void retry_at_once(background *b) {
    static const uint32_t delays[] = {1};
    b->options.retry_delays_ms = delays;
    b->options.retry_delay_count = 1;
    b->options.no_jitter = 1;
}

/* One whose later deliveries of an issue wait for the earlier ones. */
static void add_ordered(background *b) {
    bb_webhook hook = background_hook(b, BB_CUSTOM, "hook", &yes, 1);
    hook.order = BB_ORDER_ISSUE;
    background_add(b, &hook);
}

/* ---- dead letters ---- */

static void a_dead_letter_is_kept_and_can_be_sent_again(void **state) {
    static const server_step steps[] = {
        {.status = 200, .body = "{\"code\":7,\"message\":\"not today\"}"},
        {.status = 200, .body = "{\"code\":0}"}};
    background *b = *state;
    bb_dead_filter filter = BB_DEAD_FILTER_INIT;
    open_all(b);
    background_script(b, BB_CUSTOM, "hook", steps, 2);
    background_enqueue(b, "one");
    background_flush(b);
    archive_letters seen = look();
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.attempts, 1);
    assert_string_equal(seen.webhook_id, "hook");
    assert_non_null(strstr(seen.reason, "not today"));
    assert_non_null(strstr(seen.event, "\"id\":\"one\""));
    filter.webhook_id = "another";
    assert_int_equal(archive_look(outbox, &filter).count, 0);
    filter.webhook_id = "hook";
    filter.verdict = BB_DEAD;
    assert_int_equal(archive_look(outbox, &filter).count, 1);
    replay_must_be(&filter, 1);
    assert_int_equal(look().count, 0);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 1);
    assert_string_equal(background_told(b, BB_NOTICE_DELIVERED, 0)->delivery_id,
                        background_told(b, BB_NOTICE_DEAD, 0)->delivery_id);
    log_must_be(seen.number, "1:200 not today;1:200 ;");
    assert_int_equal(kind->count(kind->tables[0]), 0);
}

static void each_attempt_has_a_line_in_the_log(void **state) {
    static const server_step steps[] = {{.status = 503, .body = "tired"},
                                        {.status = 200, .body = "{\"code\":0}"}};
    background *b = *state;
    retry_at_once(b);
    open_all(b);
    background_script(b, BB_CUSTOM, "hook", steps, 2);
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_DELIVERED, 1);
    log_must_be(1, "1:503 tired;2:200 ;");
    assert_int_equal(look().count, 0);
    assert_int_equal(kind->count("bb_attempt"), 2);
}

/* More than any step takes. */
static void many_letters_are_shown_and_sent_again_in_steps(void **state) {
    enum { MANY = 1100 };
    background *b = *state;
    bb_dead_filter filter = BB_DEAD_FILTER_INIT;
    open_all(b);
    background_script(b, BB_CUSTOM, "hook", &no, 1);
    for (int i = 0; i < MANY; i++)
        background_enqueue(b, NULL);
    background_flush(b);
    assert_int_equal(look().count, MANY);
    filter.most = 501;
    assert_int_equal(archive_look(outbox, &filter).count, 501);
    replay_must_be(&filter, 501);
    assert_int_equal(look().count, MANY - 501);
    background_flush(b); /* and they die again */
    replay_must_be(NULL, MANY);
    server_on(b->receiver, "/hook", &yes, 1);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], MANY);
    purge_must_be(INT64_MAX, MANY + 501 + MANY);
    must_be_empty();
}

static void old_letters_and_lines_are_purged(void **state) {
    background *b = *state;
    open_all(b);
    background_script(b, BB_CUSTOM, "one", &no, 1);
    background_script(b, BB_CUSTOM, "two", &no, 1);
    for (int i = 0; i < 3; i++)
        background_enqueue(b, NULL);
    background_flush(b);
    assert_int_equal(look().count, 6);
    purge_must_be(1000, 0);
    purge_must_be(INT64_MAX, 6 + 6);
    assert_int_equal(look().count, 0);
    must_be_empty();
}

/* From other threads than the one that drives. */
static void the_archive_is_open_while_deliveries_go_on(void **state) {
    enum { MANY = 200 };
    background *b = *state;
    open_all(b);
    background_script(b, BB_CUSTOM, "dead", &no, 1);
    background_add_healthy(b, BB_CUSTOM, "fine");
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    for (int i = 0; i < MANY; i++) {
        background_enqueue(b, NULL);
        if (i % 20 == 0)
            assert_int_equal(bb_outbox_purge(outbox, 1, NULL, NULL), BB_OK);
        if (i % 20 == 10) {
            archive_letters seen = {0};
            assert_int_equal(bb_outbox_dead(outbox, NULL, note_letter, &seen, NULL, NULL), BB_OK);
        }
    }
    background_wait_until(b, BB_NOTICE_DEAD, MANY);
    background_flush(b);
    assert_int_equal(look().count, MANY);
}

/* ---- keys ---- */

static void what_waits_is_taken_back_by_its_key(void **state) {
    background *b = *state;
    open_all(b);
    background_add_healthy(b, BB_CUSTOM, "one");
    background_add_healthy(b, BB_CUSTOM, "two");
    assert_int_equal(enqueue_with_key(b, "order 66", 0), 2);
    cancel_must_be("another", 0);
    cancel_must_be("order 66", 2);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 0);
    must_be_empty();
    assert_int_equal(enqueue_with_key(b, "order 66", 0), 2);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 2);
}

static void what_is_taken_back_lets_the_next_of_its_order_go(void **state) {
    background *b = *state;
    open_all(b);
    add_ordered(b);
    enqueue_with_key(b, "order 66", 7);
    enqueue_with_key(b, NULL, 7);
    background_stats(b, NULL); /* they are deliveries then */
    cancel_must_be("order 66", 1);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 1);
    must_be_empty();
}

static void a_dead_letter_lets_go_of_the_key(void **state) {
    static const server_step steps[] = {{.status = 404}, {.status = 200, .body = "{\"code\":0}"}};
    background *b = *state;
    open_all(b);
    background_script(b, BB_CUSTOM, "hook", steps, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(enqueue_with_key(b, "order 66", 0), 1);
        background_flush(b);
    }
    assert_int_equal(b->counts[BB_NOTICE_DEAD], 1);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 1);
}

/* Whichever of the two ends last. */
static void a_key_is_free_when_only_dead_letters_are_left(void **state) {
    static const server_step late[] = {{.status = 503}, {.status = 200, .body = "{\"code\":0}"}};
    background *b = *state;
    retry_at_once(b);
    open_all(b);
    background_script(b, BB_CUSTOM, "dead", &no, 1);
    background_script(b, BB_CUSTOM, "late", late, 2);
    assert_int_equal(enqueue_with_key(b, "order 66", 0), 2);
    background_drive_until(b, BB_NOTICE_DEAD, 1);
    assert_int_equal(look().count, 1);
    background_drive_until(b, BB_NOTICE_DELIVERED, 1);
    assert_int_equal(look().count, 1);
    size_t requests = server_requests(b->receiver);
    enqueue_with_key(b, "order 66", 0);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), requests + 2);
    purge_must_be(INT64_MAX, 2 + 5);
    must_be_empty();
}

/* Nobody has looked at it yet. */
static void what_was_just_committed_is_taken_back_too(void **state) {
    background *b = *state;
    bb_event event = BB_EVENT_INIT;
    bb_enqueue_options options = BB_ENQUEUE_OPTIONS_INIT;
    open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    void *db = kind->connect();
    event.activity = BB_ISSUE_CREATE;
    kind->run(db, "BEGIN");
    for (int i = 0; i < 600; i++) {
        options.key = i == 599 ? "order 66" : NULL;
        assert_int_equal(kind->enqueue(b, db, &event, &options), BB_OK);
    }
    kind->run(db, "COMMIT");
    kind->run(db, "INSERT INTO bb_event(json, key) VALUES('{\"activity_type\":"
                  "\"bb.issue.create\"}', 'by SQL')");
    kind->disconnect(db);
    cancel_must_be("order 66", 1);
    cancel_must_be("by SQL", 1);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 599);
}

/* ---- SQL ---- */

/* As a trigger, a migration or a program in another language does it. */
static void an_event_that_was_inserted_by_sql_is_delivered(void **state) {
    background *b = *state;
    open_all(b);
    background_add_healthy(b, BB_CUSTOM, "one");
    background_add_healthy(b, BB_SLACK, "two");
    run("INSERT INTO bb_event(json) VALUES('{\"activity_type\":\"bb.issue.create\","
        "\"issue\":{\"id\":7,\"name\":\"Add index\"}}')");
    background_enqueue(b, "behind it");
    assert_int_equal(bb_dispatcher_wake(b->dispatcher, NULL), BB_OK);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 4);
    assert_string_equal(background_told(b, BB_NOTICE_DELIVERED, 0)->event_id, "evt_sql_1");
    must_be_empty();
}

static void events_of_sql_are_delivered_in_order(void **state) {
    enum { MANY = 600 };
    background *b = *state;
    open_all(b);
    bb_webhook hook = background_hook(b, BB_CUSTOM, "hook", &yes, 1);
    hook.order = BB_ORDER_WEBHOOK;
    background_add(b, &hook);
    void *db = kind->connect();
    kind->run(db, "BEGIN");
    for (int i = 0; i < MANY; i++) {
        char sql[160];
        snprintf(sql, sizeof sql,
                 "INSERT INTO bb_event(json) VALUES('{\"activity_type\":\"bb.issue.create\","
                 "\"id\":\"e-%d\"}')",
                 i);
        kind->run(db, i % 3 == 2 ? "INSERT INTO bb_event(json) VALUES('{}')" : sql);
    }
    kind->run(db, "COMMIT");
    kind->disconnect(db);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], MANY - MANY / 3);
    for (int i = 0, at = 0; i < MANY; i++) {
        char id[16];
        snprintf(id, sizeof id, "e-%d", i);
        if (i % 3 != 2)
            assert_string_equal(background_told(b, BB_NOTICE_DELIVERED, (size_t)at++)->event_id,
                                id);
    }
    assert_int_equal(look().count, MANY / 3);
}

static void an_event_that_nobody_wants_is_gone(void **state) {
    background *b = *state;
    open_all(b);
    bb_webhook hook = background_hook(b, BB_CUSTOM, "hook", &yes, 1);
    hook.activities = BB_ISSUE_COMMENT_CREATE;
    background_add(b, &hook);
    run("INSERT INTO bb_event(json) VALUES('{\"activity_type\":\"bb.issue.create\"}')");
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 0);
    must_be_empty();
}

/* It is in nobody's way, and waits until somebody has mended it. */
static void an_event_of_sql_that_cannot_be_read_is_a_dead_letter(void **state) {
    background *b = *state;
    open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    run("INSERT INTO bb_event(json, key) VALUES('nonsense', 'order 66')");
    background_enqueue(b, "behind it");
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 1);
    archive_letters seen = look();
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.webhook_id, "");
    assert_string_equal(seen.reason, "its event cannot be read: the event is not JSON");
    assert_string_equal(seen.event, "nonsense");
    log_must_be(seen.number, "");
    replay_must_be(NULL, 1);
    background_flush(b);
    assert_int_equal(look().count, 1);
    run("UPDATE bb_event SET json = '{\"activity_type\":\"bb.issue.create\"}'");
    assert_int_equal(enqueue_with_key(b, "order 66", 0), 1); /* its key was free */
    replay_must_be(NULL, 1);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 3);
    must_be_empty();
}

static void an_event_of_sql_that_cannot_be_read_is_purged(void **state) {
    background *b = *state;
    open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    run("INSERT INTO bb_event(json) VALUES('nonsense')");
    run("INSERT INTO bb_event(json) VALUES('{}')");
    background_flush(b);
    assert_int_equal(look().count, 2);
    assert_string_equal(look().reason, "its event cannot be read: activity_type is missing");
    purge_must_be(INT64_MAX, 2);
    must_be_empty();
}

/* Somebody has written into the tables: it does not hold up the rest, nor what waits for it. */
static void a_delivery_whose_event_cannot_be_read_is_dead(void **state) {
    background *b = *state;
    open_all(b);
    add_ordered(b);
    background_add_healthy(b, BB_CUSTOM, "another");
    enqueue_with_key(b, "bad", 7);
    run("UPDATE bb_event SET json = '{}'");
    enqueue_with_key(b, NULL, 7);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 2);
    assert_int_equal(look().count, 2);
    archive_letters seen = look();
    assert_non_null(
        strstr(seen.reason, "\": not sent, its event cannot be read: activity_type is missing"));
    assert_int_equal(b->counts[BB_NOTICE_DEAD], 2);
    run("UPDATE bb_event SET json = '{\"activity_type\":\"bb.issue.create\"}'");
    replay_must_be(NULL, 2);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 4);
    must_be_empty();
}

static void an_outbox_in_memory_has_no_archive(void **state) {
    background *b = *state;
    size_t number = 5;
    background_open(b);
    assert_int_equal(bb_outbox_dead(NULL, NULL, NULL, NULL, &number, NULL), BB_ERR_ARGUMENT);
    assert_int_equal(number, 0);
}

int archive_cases_run(const archive_kind *of) {
    const struct CMUnitTest tests[] = {
        ARCHIVE_TEST(a_dead_letter_is_kept_and_can_be_sent_again),
        ARCHIVE_TEST(each_attempt_has_a_line_in_the_log),
        ARCHIVE_TEST(many_letters_are_shown_and_sent_again_in_steps),
        ARCHIVE_TEST(old_letters_and_lines_are_purged),
        ARCHIVE_TEST(the_archive_is_open_while_deliveries_go_on),
        ARCHIVE_TEST(what_waits_is_taken_back_by_its_key),
        ARCHIVE_TEST(what_is_taken_back_lets_the_next_of_its_order_go),
        ARCHIVE_TEST(a_dead_letter_lets_go_of_the_key),
        ARCHIVE_TEST(a_key_is_free_when_only_dead_letters_are_left),
        ARCHIVE_TEST(what_was_just_committed_is_taken_back_too),
        ARCHIVE_TEST(an_event_that_was_inserted_by_sql_is_delivered),
        ARCHIVE_TEST(events_of_sql_are_delivered_in_order),
        ARCHIVE_TEST(an_event_that_nobody_wants_is_gone),
        ARCHIVE_TEST(an_event_of_sql_that_cannot_be_read_is_a_dead_letter),
        ARCHIVE_TEST(an_event_of_sql_that_cannot_be_read_is_purged),
        ARCHIVE_TEST(a_delivery_whose_event_cannot_be_read_is_dead),
        ARCHIVE_TEST(an_outbox_in_memory_has_no_archive),
    };
    kind = of;
    return cmocka_run_group_tests_name("what is kept", tests, NULL, NULL);
}
