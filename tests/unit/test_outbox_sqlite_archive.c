/* What the outbox in SQLite keeps: dead letters, attempts; and what SQL alone can do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/outbox.h"

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
    assert_int_equal(bb_outbox_dead(outbox_now, filter, note_letter, &seen, &number, NULL), BB_OK);
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
    outbox_open_all(b);
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
    assert_int_equal(bb_outbox_replay(outbox_now, &filter, &replayed, NULL), BB_OK);
    assert_int_equal(replayed, 1);
    assert_int_equal(look(NULL).count, 0);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 1);
    assert_string_equal(background_told(b, BB_NOTICE_DELIVERED, 0)->delivery_id,
                        background_told(b, BB_NOTICE_DEAD, 0)->delivery_id);
    assert_int_equal(bb_outbox_attempts(outbox_now, seen.number, note_status, log, NULL), BB_OK);
    assert_string_equal(log, "1:200 not today;1:200 ;");
    assert_int_equal(outbox_count("bb_event"), 0);
}

static void old_letters_and_lines_are_purged(void **state) {
    static const server_step no = {.status = 404};
    background *b = *state;
    size_t purged = 0;
    outbox_open_all(b);
    background_script(b, BB_CUSTOM, "one", &no, 1);
    background_script(b, BB_CUSTOM, "two", &no, 1);
    for (int i = 0; i < 3; i++)
        background_enqueue(b, NULL);
    background_flush(b);
    assert_int_equal(look(NULL).count, 6);
    assert_int_equal(bb_outbox_purge(outbox_now, 1000, &purged, NULL), BB_OK);
    assert_int_equal(purged, 0);
    assert_int_equal(bb_outbox_purge(outbox_now, INT64_MAX, &purged, NULL), BB_OK);
    assert_int_equal(purged, 6 + 6);
    assert_int_equal(look(NULL).count, 0);
    assert_int_equal(outbox_count("bb_event"), 0);
    assert_int_equal(outbox_count("bb_shared"), 0);
    assert_int_equal(outbox_count("bb_attempt"), 0);
}

static void what_waits_is_taken_back_by_its_key(void **state) {
    background *b = *state;
    bb_event event = BB_EVENT_INIT;
    bb_enqueue_options options = BB_ENQUEUE_OPTIONS_INIT;
    size_t canceled = 0;
    outbox_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "one");
    background_add_healthy(b, BB_CUSTOM, "two");
    event.activity = BB_ISSUE_CREATE;
    options.key = "order 66";
    assert_int_equal(bb_webhook_enqueue(b->dispatcher, &event, &options, NULL, NULL), BB_OK);
    assert_int_equal(bb_outbox_cancel(outbox_now, "another", &canceled, NULL), BB_OK);
    assert_int_equal(canceled, 0);
    assert_int_equal(bb_outbox_cancel(outbox_now, "order 66", &canceled, NULL), BB_OK);
    assert_int_equal(canceled, 2);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 0);
    assert_int_equal(outbox_count("bb_event"), 0);
    assert_int_equal(bb_webhook_enqueue(b->dispatcher, &event, &options, NULL, NULL), BB_OK);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 2);
}

static void a_dead_letter_lets_go_of_the_key(void **state) {
    static const server_step steps[] = {{.status = 404}, {.status = 200, .body = "{\"code\":0}"}};
    background *b = *state;
    bb_event event = BB_EVENT_INIT;
    bb_enqueue_options options = BB_ENQUEUE_OPTIONS_INIT;
    size_t deliveries = 0;
    outbox_open_all(b);
    background_script(b, BB_CUSTOM, "hook", steps, 2);
    event.activity = BB_ISSUE_CREATE;
    options.key = "order 66";
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(bb_webhook_enqueue(b->dispatcher, &event, &options, &deliveries, NULL),
                         BB_OK);
        assert_int_equal(deliveries, 1);
        background_flush(b);
    }
    assert_int_equal(b->counts[BB_NOTICE_DEAD], 1);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 1);
}

/* Nobody has looked at it yet. */
static void what_was_just_committed_is_taken_back_too(void **state) {
    background *b = *state;
    bb_event event = BB_EVENT_INIT;
    bb_enqueue_options options = BB_ENQUEUE_OPTIONS_INIT;
    size_t canceled = 0;
    outbox_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    sqlite3 *db = outbox_open_host();
    event.activity = BB_ISSUE_CREATE;
    outbox_run(db, "BEGIN");
    for (int i = 0; i < 600; i++) {
        options.key = i == 599 ? "order 66" : NULL;
        assert_int_equal(
            bb_sqlite_enqueue(b->dispatcher, db, sqlite3_sourceid(), &event, &options, NULL, NULL),
            BB_OK);
    }
    outbox_run(db, "COMMIT");
    outbox_run(db, "INSERT INTO bb_event(json, key) VALUES('{\"activity_type\":"
                   "\"bb.issue.create\"}', 'by SQL')");
    sqlite3_close(db);
    assert_int_equal(bb_outbox_cancel(outbox_now, "order 66", &canceled, NULL), BB_OK);
    assert_int_equal(canceled, 1);
    assert_int_equal(bb_outbox_cancel(outbox_now, "by SQL", &canceled, NULL), BB_OK);
    assert_int_equal(canceled, 1);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 599);
}

/* As a trigger, a migration or a program in another language does it. */
static void an_event_that_was_inserted_by_sql_is_delivered(void **state) {
    background *b = *state;
    outbox_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "one");
    background_add_healthy(b, BB_SLACK, "two");
    sqlite3 *db = outbox_open_host();
    outbox_run(db, "INSERT INTO bb_event(json) VALUES('{\"activity_type\":\"bb.issue.create\","
                   "\"issue\":{\"id\":7,\"name\":\"Add index\"}}')");
    outbox_run(db, "INSERT INTO bb_event(json) VALUES('nonsense')");
    sqlite3_close(db);
    background_enqueue(b, "behind it");
    assert_int_equal(bb_dispatcher_wake(b->dispatcher, NULL), BB_OK);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 4);
    assert_string_equal(background_told(b, BB_NOTICE_DELIVERED, 0)->event_id, "evt_sql_1");
    assert_int_equal(outbox_count("bb_event"), 0);
}

/* Somebody has written into the tables: it does not hold up the rest. */
static void an_event_that_cannot_be_read_is_dead(void **state) {
    background *b = *state;
    outbox_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    sqlite3 *db = outbox_open_host();
    outbox_run(db, "INSERT INTO bb_event(json, webhooks) VALUES('no JSON', '0 4:hook,')");
    outbox_run(db, "INSERT INTO bb_event(json, webhooks) VALUES('{}', '0 4:hook,')");
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

int main(void) {
    const struct CMUnitTest tests[] = {
        OUTBOX_TEST(a_dead_letter_is_kept_and_can_be_sent_again),
        OUTBOX_TEST(old_letters_and_lines_are_purged),
        OUTBOX_TEST(what_waits_is_taken_back_by_its_key),
        OUTBOX_TEST(a_dead_letter_lets_go_of_the_key),
        OUTBOX_TEST(what_was_just_committed_is_taken_back_too),
        OUTBOX_TEST(an_event_that_was_inserted_by_sql_is_delivered),
        OUTBOX_TEST(an_event_that_cannot_be_read_is_dead),
        OUTBOX_TEST(an_outbox_in_memory_has_no_archive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
