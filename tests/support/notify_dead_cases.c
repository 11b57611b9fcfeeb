#include "support/notify_outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static const server_step yes = {.status = 200, .body = "{\"code\":0}"};
static const server_step no = {.status = 200, .body = "{\"code\":7,\"message\":\"not today\"}"};
static const server_step busy = {.status = 503};

/* One letter of each webhook of the configuration, whose events are called e-1. */
static void let_die(notify *fixture) {
    notify_write_events(
        fixture,
        "{'id':'e-1','activity_type':'bb.issue.create','created_ts':1700000000,'title':'A'}\n");
    assert_int_equal(NOTIFY_RUN("enqueue", fixture->events), 0);
    assert_int_equal(NOTIFY_RUN("deliver"), 1);
}

static void assert_listed(notify *fixture, const char *count) {
    assert_int_equal(NOTIFY_RUN("list"), 0);
    assert_told(fixture->result.out, count);
}

/* ---- list ---- */

static void what_has_died_is_listed_with_its_reason(void **state) {
    notify *fixture = *state;
    notify_script(fixture, "/ops", &no);
    let_die(fixture);
    notify_execute("UPDATE bb_dead SET died_ms = 1767323045678");
    assert_int_equal(NOTIFY_RUN("list"), 0);
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
    notify_script(fixture, "/ops", &no);
    let_die(fixture);
    notify_write_webhooks(fixture, NOTIFY_DEV);
    assert_listed(fixture, "Z  operations-room  issue.create");
}

static void a_letter_is_shown_whole_with_its_attempts(void **state) {
    notify *fixture = *state;
    const server_step steps[] = {busy, no};
    notify_write_config(fixture, "{" NOTIFY_LOCAL ",'no_jitter':true,'retry_delays_ms':[1],"
                                 "'webhooks':[" NOTIFY_OPS "]}");
    server_on(fixture->receiver, "/ops", steps, 2);
    assert_int_equal(NOTIFY_RUN("enqueue", fixture->events), 0);
    for (int i = 0; i < 100 && server_requests(fixture->receiver) < 2; i++)
        assert_int_equal(NOTIFY_RUN("deliver"), 1);
    assert_int_equal(NOTIFY_RUN("list", "1"), 0);
    assert_told(fixture->result.out, "webhook   ops\n");
    assert_told(fixture->result.out, "activity  bb.issue.create\n");
    assert_told(fixture->result.out, "attempts  2\n");
    assert_told(fixture->result.out, "reason    Custom answered HTTP 200 7: not today\n");
    assert_told(fixture->result.out, "event     {\"id\":\"evt_");
    assert_told(fixture->result.out, "  retry       503  ");
    assert_told(fixture->result.out, " ms  7 not today\n");
    assert_int_equal(NOTIFY_RUN("list", "2"), 1);
    assert_told(fixture->result.err, ": there is no dead letter 2\n");
}

static void json_has_one_line_a_letter(void **state) {
    notify *fixture = *state;
    char names[256];
    notify_write_webhooks(fixture, NOTIFY_OPS "," NOTIFY_DEV);
    notify_script(fixture, "/ops", &no);
    notify_script(fixture, "/dev", &no);
    let_die(fixture);
    assert_int_equal(NOTIFY_RUN("--json", "list"), 0);
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
    assert_int_equal(NOTIFY_RUN("--json", "list", "1"), 0);
    assert_int_equal(line_count(fixture->result.out), 1);
    letter = notify_json_line(fixture, 0);
    const cJSON *log = cJSON_GetObjectItem(letter, "log");
    assert_int_equal(cJSON_GetArraySize(log), 1);
    assert_string_equal(text_of(cJSON_GetArrayItem(log, 0), "remote_message"), "not today");
    assert_int_equal(number_of(cJSON_GetArrayItem(log, 0), "http_status"), 200);
    cJSON_Delete(letter);
}

static void filters_choose(void **state) {
    notify *fixture = *state;
    notify_write_webhooks(fixture, NOTIFY_OPS "," NOTIFY_DEV);
    notify_script(fixture, "/ops", &no);
    notify_script(fixture, "/dev", &no);
    let_die(fixture);
    notify_execute(
        "UPDATE bb_dead SET died_ms = 1767225600000 + number * 86400000"); /* January, 2nd on */
    assert_int_equal(NOTIFY_RUN("--webhook", "dev", "--verdict", "dead", "list"), 0);
    assert_told(fixture->result.out, "     2  2026-01-03T00:00:00Z  dev ");
    assert_told(fixture->result.out, "\n1 dead letter\n");
    assert_int_equal(NOTIFY_RUN("--since", "2026-01-03", "list"), 0);
    assert_not_told(fixture->result.out, "ops ");
    assert_int_equal(NOTIFY_RUN("--before", "2026-01-03T00:00:00Z", "list"), 0);
    assert_not_told(fixture->result.out, "dev ");
    assert_int_equal(NOTIFY_RUN("--most", "1", "list"), 0);
    assert_not_told(fixture->result.out, "dev ");
    assert_int_equal(NOTIFY_RUN("--most", "3", "list"), 0);
    assert_told(fixture->result.out, "\n2 dead letters\n");
}

static void a_filter_that_fits_nothing_lists_nothing(void **state) {
    notify *fixture = *state;
    notify_script(fixture, "/ops", &no);
    let_die(fixture);
    assert_int_equal(NOTIFY_RUN("--webhook", "nobody", "list"), 0);
    assert_string_equal(fixture->result.out, "0 dead letters\n");
    assert_int_equal(NOTIFY_RUN("--verdict", "retry", "list"), 0);
    assert_string_equal(fixture->result.out, "0 dead letters\n");
    assert_int_equal(NOTIFY_RUN("--verdict", "unknown", "--json", "list"), 0);
    assert_string_equal(fixture->result.out, "");
    assert_int_equal(NOTIFY_RUN("--webhook", "nobody", "--yes", "replay"), 0);
    assert_string_equal(fixture->result.out,
                        "0 dead letters fit\n0 deliveries wait again: deliver sends them\n");
}

/* ---- replay ---- */

static void replay_without_yes_changes_nothing(void **state) {
    notify *fixture = *state;
    notify_script(fixture, "/ops", &no);
    let_die(fixture);
    assert_int_equal(NOTIFY_RUN("replay"), 0);
    assert_string_equal(fixture->result.out,
                        "1 dead letter fits\n"
                        "nothing was changed: with --yes they wait to be sent again\n");
    assert_int_equal(NOTIFY_RUN("replay", "1"), 0);
    assert_listed(fixture, "\n1 dead letter\n");
    assert_int_equal(NOTIFY_RUN("deliver"), 0);
    assert_int_equal(server_requests(fixture->receiver), 1);
}

static void what_is_replayed_arrives_again_with_the_same_id(void **state) {
    notify *fixture = *state;
    const server_step steps[] = {no, yes};
    server_on(fixture->receiver, "/ops", steps, 2);
    let_die(fixture);
    assert_int_equal(NOTIFY_RUN("--yes", "replay"), 0);
    assert_string_equal(fixture->result.out,
                        "1 dead letter fits\n1 delivery waits again: deliver sends it\n");
    assert_int_equal(server_requests(fixture->receiver), 1);
    assert_int_equal(NOTIFY_RUN("deliver"), 0);
    assert_told(fixture->result.out, "1 delivery: 1 delivered\n");
    assert_int_equal(server_requests(fixture->receiver), 2);
    assert_string_equal(notify_id_of(fixture, 0), notify_id_of(fixture, 1));
    assert_int_equal(NOTIFY_RUN("list"), 0);
    assert_string_equal(fixture->result.out, "0 dead letters\n");
}

static void one_letter_is_replayed_by_its_number(void **state) {
    notify *fixture = *state;
    notify_write_webhooks(fixture, NOTIFY_OPS "," NOTIFY_DEV);
    notify_script(fixture, "/ops", &no);
    notify_script(fixture, "/dev", &no);
    let_die(fixture);
    assert_int_equal(NOTIFY_RUN("--yes", "replay", "2"), 0);
    assert_listed(fixture, "     1  ");
    assert_not_told(fixture->result.out, "     2  ");
    assert_int_equal(NOTIFY_RUN("--yes", "replay", "2"), 1);
    assert_told(fixture->result.err, "there is no dead letter 2\n");
}

/* ---- purge ---- */

static void purge_forgets_what_is_older(void **state) {
    notify *fixture = *state;
    notify_script(fixture, "/ops", &no);
    let_die(fixture);
    assert_int_equal(NOTIFY_RUN("--before", "2020-01-01", "--yes", "purge"), 0);
    assert_string_equal(fixture->result.out, "0 dead letters and 0 attempts are older than that\n"
                                             "0 dead letters and attempts forgotten\n");
    assert_int_equal(NOTIFY_RUN("--before", "9999-01-01", "purge"), 0);
    assert_string_equal(fixture->result.out,
                        "1 dead letter and 1 attempt are older than that\n"
                        "nothing was changed: with --yes they are forgotten\n");
    assert_listed(fixture, "\n1 dead letter\n");
    assert_int_equal(NOTIFY_RUN("--before", "9999-01-01", "--yes", "purge"), 0);
    assert_told(fixture->result.out, "2 dead letters and attempts forgotten\n");
    assert_int_equal(NOTIFY_RUN("list"), 0);
    assert_string_equal(fixture->result.out, "0 dead letters\n");
}

/* ---- events of plain SQL ---- */

static void an_event_that_was_written_by_sql_is_delivered(void **state) {
    notify *fixture = *state;
    notify_script(fixture, "/ops", &yes);
    assert_int_equal(NOTIFY_RUN("stats"), 0); /* makes the tables */
    notify_insert_event("{\"activity_type\":\"bb.issue.create\"}");
    assert_int_equal(NOTIFY_RUN("stats"), 0);
    assert_told(fixture->result.out, "1 event was written by SQL and not matched yet\n");
    assert_int_equal(NOTIFY_RUN("deliver"), 0);
    assert_told(fixture->result.out, "1 delivery: 1 delivered\n");
    assert_int_equal(server_requests(fixture->receiver), 1);
}

static void an_event_of_sql_that_cannot_be_read_is_a_letter_that_can_be_mended(void **state) {
    notify *fixture = *state;
    notify_script(fixture, "/ops", &yes);
    assert_int_equal(NOTIFY_RUN("stats"), 0); /* makes the tables */
    notify_execute("INSERT INTO bb_event(json) VALUES('nonsense')");
    assert_int_equal(NOTIFY_RUN("deliver"), 0);
    assert_told(fixture->result.err, "event 1 became a dead letter: its event cannot be read: the "
                                     "event is not JSON\n");
    assert_int_equal(NOTIFY_RUN("deliver"), 0);
    assert_string_equal(fixture->result.err, "");
    assert_int_equal(NOTIFY_RUN("list", "1"), 0);
    assert_told(fixture->result.out, "webhook   -\n");
    assert_told(fixture->result.out, "reason    its event cannot be read: the event is not JSON\n");
    assert_told(fixture->result.out, "event     nonsense\n");
    notify_execute("UPDATE bb_event SET json = '{\"activity_type\":\"bb.issue.create\"}' WHERE"
                   " number = (SELECT event FROM bb_dead WHERE number = 1)");
    assert_int_equal(NOTIFY_RUN("--yes", "replay", "1"), 0);
    assert_int_equal(NOTIFY_RUN("deliver"), 0);
    assert_told(fixture->result.out, "1 delivery: 1 delivered\n");
    assert_listed(fixture, "0 dead letters");
}

int notify_dead_cases_run(const notify_outbox_kind *kind) {
    const struct CMUnitTest tests[] = {
        NOTIFY_OUTBOX_TEST(what_has_died_is_listed_with_its_reason),
        NOTIFY_OUTBOX_TEST(the_id_of_a_webhook_is_shown_whole),
        NOTIFY_OUTBOX_TEST(a_letter_is_shown_whole_with_its_attempts),
        NOTIFY_OUTBOX_TEST(json_has_one_line_a_letter),
        NOTIFY_OUTBOX_TEST(filters_choose),
        NOTIFY_OUTBOX_TEST(a_filter_that_fits_nothing_lists_nothing),
        NOTIFY_OUTBOX_TEST(replay_without_yes_changes_nothing),
        NOTIFY_OUTBOX_TEST(what_is_replayed_arrives_again_with_the_same_id),
        NOTIFY_OUTBOX_TEST(one_letter_is_replayed_by_its_number),
        NOTIFY_OUTBOX_TEST(purge_forgets_what_is_older),
        NOTIFY_OUTBOX_TEST(an_event_that_was_written_by_sql_is_delivered),
        NOTIFY_OUTBOX_TEST(an_event_of_sql_that_cannot_be_read_is_a_letter_that_can_be_mended),
    };
    notify_use(kind);
    return cmocka_run_group_tests_name(kind->name, tests, NULL, NULL);
}
