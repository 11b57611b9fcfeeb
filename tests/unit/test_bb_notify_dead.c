/* bb-notify --outbox with list, replay and purge, end to end: what becomes of dead letters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/bb_notify.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define OPS NOTIFY_CUSTOM("ops")
#define DEV NOTIFY_CUSTOM("dev")

static const server_step yes = {.status = 200, .body = "{\"code\":0}"};
static const server_step no = {.status = 200, .body = "{\"code\":7,\"message\":\"not today\"}"};
static const server_step busy = {.status = 503};

static char outbox[112]; /* the file */

/* ---- fixture ---- */

static int setup(void **state) {
    int code = notify_setup(state);
    snprintf(outbox, sizeof outbox, "%s/outbox.db", ((notify *)*state)->directory);
    return code;
}

static int teardown(void **state) {
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        char name[128];
        snprintf(name, sizeof name, "%s%s", outbox, ends[i]);
        unlink(name);
    }
    return notify_teardown(state);
}

#define DEAD_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#define RUN(...) notify_run(fixture, "-c", fixture->config, "-o", outbox, __VA_ARGS__, NULL)

static void answer(notify *fixture, const char *path, const server_step *step) {
    server_on(fixture->receiver, path, step, 1);
}

static void enqueue(notify *fixture) {
    assert_int_equal(RUN("enqueue", fixture->events), 0);
}

/* One letter of each webhook of the configuration, whose events are called e-1. */
static void let_die(notify *fixture) {
    notify_write_events(
        fixture,
        "{'id':'e-1','activity_type':'bb.issue.create','created_ts':1700000000,'title':'A'}\n");
    enqueue(fixture);
    assert_int_equal(RUN("deliver"), 1);
}

static const char *id_of(const notify *fixture, size_t request) {
    return server_header(server_request_at(fixture->receiver, request), "webhook-id");
}

static void assert_listed(notify *fixture, const char *count) {
    assert_int_equal(RUN("list"), 0);
    assert_told(fixture->result.out, count);
}

static void execute(const char *sql) {
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(outbox, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* ---- list ---- */

static void what_has_died_is_listed_with_its_reason(void **state) {
    notify *fixture = *state;
    answer(fixture, "/ops", &no);
    let_die(fixture);
    execute("UPDATE bb_dead SET died_ms = 1767323045678");
    assert_int_equal(RUN("list"), 0);
    assert_string_equal(fixture->result.err, "");
    assert_string_equal(
        fixture->result.out,
        "NUMBER  DIED                  WEBHOOK  ACTIVITY                      EVENT               "
        "                      ATTEMPTS  VERDICT    REASON\n"
        "     1  2026-01-02T03:04:05Z  ops      issue.create                  e-1                 "
        "                             1  dead       Custom answered HTTP 200 7: not today\n"
        "\n"
        "1 dead letter\n");
}

static void the_id_of_a_webhook_is_shown_whole(void **state) {
    notify *fixture = *state;
    notify_write_webhooks(fixture, "{'name':'ops','id':'operations-room','type':'custom',"
                                   "'url':'@/ops','activities':'all'}");
    answer(fixture, "/ops", &no);
    let_die(fixture);
    notify_write_webhooks(fixture, DEV);
    assert_listed(fixture, "Z  operations-room  issue.create");
}

static void a_letter_is_shown_whole_with_its_attempts(void **state) {
    notify *fixture = *state;
    const server_step steps[] = {busy, no};
    notify_write_config(fixture, "{" NOTIFY_LOCAL ",'no_jitter':true,'retry_delays_ms':[1],"
                                 "'webhooks':[" OPS "]}");
    server_on(fixture->receiver, "/ops", steps, 2);
    enqueue(fixture);
    for (int i = 0; i < 100 && server_requests(fixture->receiver) < 2; i++)
        assert_int_equal(RUN("deliver"), 1);
    assert_int_equal(RUN("list", "1"), 0);
    assert_told(fixture->result.out, "webhook   ops\n");
    assert_told(fixture->result.out, "activity  bb.issue.create\n");
    assert_told(fixture->result.out, "attempts  2\n");
    assert_told(fixture->result.out, "reason    Custom answered HTTP 200 7: not today\n");
    assert_told(fixture->result.out, "event     {\"id\":\"evt_");
    assert_told(fixture->result.out, "  retry       503  ");
    assert_told(fixture->result.out, " ms  7 not today\n");
    assert_int_equal(RUN("list", "2"), 1);
    assert_told(fixture->result.err, "outbox.db: there is no dead letter 2\n");
}

static void json_has_one_line_a_letter(void **state) {
    notify *fixture = *state;
    char names[256];
    notify_write_webhooks(fixture, OPS "," DEV);
    answer(fixture, "/ops", &no);
    answer(fixture, "/dev", &no);
    let_die(fixture);
    assert_int_equal(RUN("--json", "list"), 0);
    assert_int_equal(line_count(fixture->result.out), 2);
    cJSON *letter = notify_json_line(fixture, 0); /* the one that died first */
    if (strcmp(text_of(letter, "webhook_id"), "dev") != 0) {
        cJSON_Delete(letter);
        letter = notify_json_line(fixture, 1);
    }
    assert_string_equal(names_of(letter, names, sizeof names),
                        "number,enqueued,died,webhook_id,activity_type,event_id,attempts,verdict,"
                        "reason,event");
    assert_string_equal(text_of(letter, "webhook_id"), "dev");
    assert_string_equal(text_of(letter, "event_id"), "e-1");
    assert_string_equal(text_of(cJSON_GetObjectItem(letter, "event"), "title"), "A");
    cJSON_Delete(letter);
    assert_int_equal(RUN("--json", "list", "1"), 0);
    assert_int_equal(line_count(fixture->result.out), 1);
    letter = notify_json_line(fixture, 0);
    const cJSON *log = cJSON_GetObjectItem(letter, "log");
    assert_int_equal(cJSON_GetArraySize(log), 1);
    assert_string_equal(text_of(cJSON_GetArrayItem(log, 0), "remote_message"), "not today");
    assert_int_equal(number_of(cJSON_GetArrayItem(log, 0), "http_status"), 200);
    cJSON_Delete(letter);
}

static void an_event_that_cannot_be_read_is_listed(void **state) {
    notify *fixture = *state;
    assert_int_equal(RUN("stats"), 0); /* makes the file */
    execute("INSERT INTO bb_event(json, webhooks) VALUES('no \"JSON', '0 3:ops,')");
    assert_int_equal(RUN("deliver"), 0);
    assert_listed(fixture, "dead       its event cannot be read: the event is not JSON\n");
    assert_int_equal(RUN("list", "1"), 0);
    assert_told(fixture->result.out, "event     no \"JSON\n");
    assert_int_equal(RUN("-j", "list"), 0);
    cJSON *letter = notify_json_line(fixture, 0);
    assert_string_equal(text_of(letter, "event"), "no \"JSON");
    cJSON_Delete(letter);
}

static void filters_choose(void **state) {
    notify *fixture = *state;
    notify_write_webhooks(fixture, OPS "," DEV);
    answer(fixture, "/ops", &no);
    answer(fixture, "/dev", &no);
    let_die(fixture);
    execute("UPDATE bb_dead SET died_ms = 1767225600000 + number * 86400000"); /* January, 2nd on */
    assert_int_equal(RUN("--webhook", "dev", "--verdict", "dead", "list"), 0);
    assert_told(fixture->result.out, "     2  2026-01-03T00:00:00Z  dev ");
    assert_told(fixture->result.out, "\n1 dead letter\n");
    assert_int_equal(RUN("--since", "2026-01-03", "list"), 0);
    assert_not_told(fixture->result.out, "ops ");
    assert_int_equal(RUN("--before", "2026-01-03T00:00:00Z", "list"), 0);
    assert_not_told(fixture->result.out, "dev ");
    assert_int_equal(RUN("--most", "1", "list"), 0);
    assert_not_told(fixture->result.out, "dev ");
    assert_int_equal(RUN("--most", "3", "list"), 0);
    assert_told(fixture->result.out, "\n2 dead letters\n");
}

static void a_filter_that_fits_nothing_lists_nothing(void **state) {
    notify *fixture = *state;
    answer(fixture, "/ops", &no);
    let_die(fixture);
    assert_int_equal(RUN("--webhook", "nobody", "list"), 0);
    assert_string_equal(fixture->result.out, "0 dead letters\n");
    assert_int_equal(RUN("--verdict", "retry", "list"), 0);
    assert_string_equal(fixture->result.out, "0 dead letters\n");
    assert_int_equal(RUN("--verdict", "unknown", "--json", "list"), 0);
    assert_string_equal(fixture->result.out, "");
    assert_int_equal(RUN("--webhook", "nobody", "--yes", "replay"), 0);
    assert_string_equal(fixture->result.out,
                        "0 dead letters fit\n0 deliveries wait again: deliver sends them\n");
}

/* ---- replay ---- */

static void replay_without_yes_changes_nothing(void **state) {
    notify *fixture = *state;
    answer(fixture, "/ops", &no);
    let_die(fixture);
    assert_int_equal(RUN("replay"), 0);
    assert_string_equal(fixture->result.out,
                        "1 dead letter fits\n"
                        "nothing was changed: with --yes they wait to be sent again\n");
    assert_int_equal(RUN("replay", "1"), 0);
    assert_listed(fixture, "\n1 dead letter\n");
    assert_int_equal(RUN("deliver"), 0);
    assert_int_equal(server_requests(fixture->receiver), 1);
}

static void what_is_replayed_arrives_again_with_the_same_id(void **state) {
    notify *fixture = *state;
    const server_step steps[] = {no, yes};
    server_on(fixture->receiver, "/ops", steps, 2);
    let_die(fixture);
    assert_int_equal(RUN("--yes", "replay"), 0);
    assert_string_equal(fixture->result.out,
                        "1 dead letter fits\n1 delivery waits again: deliver sends it\n");
    assert_int_equal(server_requests(fixture->receiver), 1);
    assert_int_equal(RUN("deliver"), 0);
    assert_told(fixture->result.out, "1 delivery: 1 delivered\n");
    assert_int_equal(server_requests(fixture->receiver), 2);
    assert_string_equal(id_of(fixture, 0), id_of(fixture, 1));
    assert_int_equal(RUN("list"), 0);
    assert_string_equal(fixture->result.out, "0 dead letters\n");
}

static void one_letter_is_replayed_by_its_number(void **state) {
    notify *fixture = *state;
    notify_write_webhooks(fixture, OPS "," DEV);
    answer(fixture, "/ops", &no);
    answer(fixture, "/dev", &no);
    let_die(fixture);
    assert_int_equal(RUN("--yes", "replay", "2"), 0);
    assert_listed(fixture, "     1  ");
    assert_not_told(fixture->result.out, "     2  ");
    assert_int_equal(RUN("--yes", "replay", "2"), 1);
    assert_told(fixture->result.err, "there is no dead letter 2\n");
}

/* ---- purge ---- */

static void purge_forgets_what_is_older(void **state) {
    notify *fixture = *state;
    answer(fixture, "/ops", &no);
    let_die(fixture);
    assert_int_equal(RUN("--before", "2020-01-01", "--yes", "purge"), 0);
    assert_string_equal(fixture->result.out, "0 dead letters and 0 attempts are older than that\n"
                                             "0 dead letters and attempts forgotten\n");
    assert_int_equal(RUN("--before", "9999-01-01", "purge"), 0);
    assert_string_equal(fixture->result.out,
                        "1 dead letter and 1 attempt are older than that\n"
                        "nothing was changed: with --yes they are forgotten\n");
    assert_listed(fixture, "\n1 dead letter\n");
    assert_int_equal(RUN("--before", "9999-01-01", "--yes", "purge"), 0);
    assert_told(fixture->result.out, "2 dead letters and attempts forgotten\n");
    assert_int_equal(RUN("list"), 0);
    assert_string_equal(fixture->result.out, "0 dead letters\n");
}

/* ---- events of plain SQL ---- */

static void an_event_that_was_written_by_sql_is_delivered(void **state) {
    notify *fixture = *state;
    answer(fixture, "/ops", &yes);
    assert_int_equal(RUN("stats"), 0); /* makes the file */
    execute("INSERT INTO bb_event(json) VALUES('{\"activity_type\":\"bb.issue.create\"}')");
    assert_int_equal(RUN("stats"), 0);
    assert_told(fixture->result.out, "1 event was written by SQL and not matched yet\n");
    assert_int_equal(RUN("deliver"), 0);
    assert_told(fixture->result.out, "1 delivery: 1 delivered\n");
    assert_int_equal(server_requests(fixture->receiver), 1);
}

static void an_event_of_sql_that_cannot_be_read_is_a_letter_that_can_be_mended(void **state) {
    notify *fixture = *state;
    answer(fixture, "/ops", &yes);
    assert_int_equal(RUN("stats"), 0); /* makes the file */
    execute("INSERT INTO bb_event(json) VALUES('nonsense')");
    assert_int_equal(RUN("deliver"), 0);
    assert_told(fixture->result.err, "event 1 became a dead letter: its event cannot be read: the "
                                     "event is not JSON\n");
    assert_int_equal(RUN("deliver"), 0);
    assert_string_equal(fixture->result.err, "");
    assert_int_equal(RUN("list", "1"), 0);
    assert_told(fixture->result.out, "webhook   -\n");
    assert_told(fixture->result.out, "reason    its event cannot be read: the event is not JSON\n");
    assert_told(fixture->result.out, "event     nonsense\n");
    execute("UPDATE bb_event SET json = '{\"activity_type\":\"bb.issue.create\"}' WHERE number ="
            " (SELECT event FROM bb_dead WHERE number = 1)");
    assert_int_equal(RUN("--yes", "replay", "1"), 0);
    assert_int_equal(RUN("deliver"), 0);
    assert_told(fixture->result.out, "1 delivery: 1 delivered\n");
    assert_listed(fixture, "0 dead letters");
}

/* ---- usage ---- */

static void assert_refused(const notify *fixture, int status, const char *words) {
    assert_int_equal(status, 2);
    assert_string_equal(fixture->result.out, "");
    assert_told(fixture->result.err, words);
}

static void options_that_make_no_sense_are_refused(void **state) {
    notify *fixture = *state;
    const char *only = "--yes go with list, replay and purge only\n";
    const char *json = "--json goes with deliver, stats and list only\n";
    assert_refused(fixture, RUN("--yes", "list"), "--yes goes with replay and purge only\n");
    assert_refused(fixture, RUN("--yes", "deliver"), only);
    assert_refused(fixture, RUN("--most", "3", "stats"), only);
    assert_refused(fixture, notify_post(fixture, "--webhook", "ops", NULL), only);
    assert_refused(fixture, notify_run(fixture, "--demo", "--yes", NULL), "--demo goes with no");
    assert_refused(fixture, RUN("--json", "replay"), json);
    assert_refused(fixture, RUN("--json", "--before", "2026-01-01", "purge"), json);
    assert_refused(fixture, RUN("--forever", "list"), "--forever goes with deliver only\n");
    assert_refused(fixture, RUN("list", "1", "2"), "the number of one dead letter, no more\n");
    assert_refused(fixture, RUN("--most", "2", "list", "1"), "goes without --webhook, ");
    assert_refused(fixture, RUN("purge"), "purge needs --before: ");
    assert_refused(fixture, RUN("--before", "2026-01-01", "purge", "1"), "and no number\n");
    assert_refused(fixture, RUN("--before", "2026-01-01", "--most", "1", "purge"),
                   "purge goes with --before only");
}

static void values_that_say_nothing_are_refused(void **state) {
    static const char *const moments[] = {"",
                                          "yesterday",
                                          "2026-1-2",
                                          "2026-02-29",
                                          "2026-13-01",
                                          "2026-01-02T24:00:00Z",
                                          "2026-01-02T03:04:05",
                                          "2026-01-02T03:04:05+01:00",
                                          "1970-01-01",
                                          "1969-12-31",
                                          "2026-01-02 03:04:05Z",
                                          "2026-01-02T03:60:00Z"};
    static const char *const numbers[] = {"", "0", "-1", "x", "1x", "9223372036854775808"};
    notify *fixture = *state;
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        assert_refused(fixture, RUN("--since", moments[i], "list"), "--since takes a time in UTC");
        assert_refused(fixture, RUN("--before", moments[i], "--yes", "purge"), "--before takes a");
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        assert_refused(fixture, RUN("--most", numbers[i], "list"), "--most takes a number");
        assert_refused(fixture, RUN("--yes", "replay", "--", numbers[i]), "the number of one dead");
    }
    assert_refused(fixture, RUN("--most", "4294967296", "list"), "--most takes a number");
    assert_refused(fixture, RUN("--verdict", "delivered", "list"),
                   "--verdict takes dead, retry or unknown\n");
    assert_refused(fixture, RUN("--webhook", "", "list"), "--webhook takes the id of a webhook\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        DEAD_TEST(what_has_died_is_listed_with_its_reason),
        DEAD_TEST(the_id_of_a_webhook_is_shown_whole),
        DEAD_TEST(a_letter_is_shown_whole_with_its_attempts),
        DEAD_TEST(json_has_one_line_a_letter),
        DEAD_TEST(an_event_that_cannot_be_read_is_listed),
        DEAD_TEST(filters_choose),
        DEAD_TEST(a_filter_that_fits_nothing_lists_nothing),
        DEAD_TEST(replay_without_yes_changes_nothing),
        DEAD_TEST(what_is_replayed_arrives_again_with_the_same_id),
        DEAD_TEST(one_letter_is_replayed_by_its_number),
        DEAD_TEST(purge_forgets_what_is_older),
        DEAD_TEST(an_event_that_was_written_by_sql_is_delivered),
        DEAD_TEST(an_event_of_sql_that_cannot_be_read_is_a_letter_that_can_be_mended),
        DEAD_TEST(options_that_make_no_sense_are_refused),
        DEAD_TEST(values_that_say_nothing_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
