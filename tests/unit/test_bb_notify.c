/* bb-notify end to end: the built program, files of its own, a server on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "support/bb_notify.h"

#include <bb_webhook.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMENTED "{'activity_type':'bb.issue.comment.create','comment':'fine'}\n"

/* ---- the table ---- */

static void a_table_has_a_row_for_each_delivery_and_sums_up(void **state) {
    notify *fixture = *state;
    notify_write_webhooks(fixture, NOTIFY_CUSTOM("ops") "," NOTIFY_CUSTOM("dev"));
    notify_write_events(fixture, NOTIFY_CREATED COMMENTED);
    notify_answer_ok(fixture, "/ops");
    notify_answer(fixture, "/dev", 200, NULL, "{\"code\":17,\"message\":\"no such room\"}");
    assert_int_equal(notify_post(fixture, NULL), 1);
    assert_string_equal(fixture->result.err, "");
    assert_int_equal(line_count(fixture->result.out), 1 + 4 + 1 + 1);
    assert_told(fixture->result.out,
                "    1  ops      custom    issue.create                  delivered   200");
    assert_told(fixture->result.out,
                "    2  dev      custom    issue.comment.create          dead        200");
    assert_told(fixture->result.out, "no such room");
    assert_told(fixture->result.out, "4 deliveries of 2 events: 2 delivered, 2 dead\n");
}

static void columns_are_aligned_by_terminal_columns_not_bytes(void **state) {
    notify *fixture = *state;
    notify_write_webhooks(
        fixture, "{'name':'审批群','type':'custom','url':'@/a','activities':'all'},"
                 "{'name':'e\xCC\x81quipe','type':'custom','url':'@/a','activities':'all'},"
                 "{'name':'a name that is far too long for a column of the table',"
                 "'type':'custom','url':'@/a','activities':'all'}");
    notify_answer_ok(fixture, "/a");
    assert_int_equal(notify_post(fixture, NULL), 0);
    assert_told(fixture->result.out, "  审批群                        custom  ");
    assert_told(fixture->result.out, "  e\xCC\x81quipe                        custom  ");
    assert_told(fixture->result.out, "  a name that is far too long…  custom  ");
}

static void a_column_is_as_wide_as_the_widest_name(void **state) {
    notify *fixture = *state;
    notify_write_webhooks(fixture, "{'name':'审批发布通知群','type':'custom','url':'@/a',"
                                   "'activities':'all'}," NOTIFY_CUSTOM("ops"));
    notify_answer_ok(fixture, "/a");
    notify_answer_ok(fixture, "/ops");
    assert_int_equal(notify_post(fixture, NULL), 0);
    assert_told(fixture->result.out, "  WEBHOOK         TYPE");
    assert_told(fixture->result.out, "  审批发布通知群  custom");
    assert_told(fixture->result.out, "  ops             custom");
}

static void control_characters_of_a_name_do_not_reach_the_terminal(void **state) {
    notify *fixture = *state;
    notify_write_webhooks(
        fixture,
        "{'id':'a','name':'a\\u001b[2Jb\\nc\xFF','type':'custom','url':'@/a','activities':'all'}");
    notify_answer_ok(fixture, "/a");
    assert_int_equal(notify_post(fixture, NULL), 0);
    assert_told(fixture->result.out, "a\xEF\xBF\xBD[2Jb\xEF\xBF\xBD"
                                     "c\xEF\xBF\xBD  custom");
}

static void a_terminal_gets_colours_unless_NO_COLOR_says_no(void **state) {
    notify *fixture = *state;
    notify_answer_ok(fixture, "/ops");
    fixture->options.output = PROGRAM_TERMINAL;
    unsetenv("NO_COLOR");
    assert_int_equal(notify_post(fixture, NULL), 0);
    assert_told(fixture->result.out, "\x1b[32mdelivered");
    setenv("NO_COLOR", "1", 1);
    assert_int_equal(notify_post(fixture, NULL), 0);
    assert_not_told(fixture->result.out, "\x1b[");
    unsetenv("NO_COLOR");
    fixture->options.output = PROGRAM_FILES;
    assert_int_equal(notify_post(fixture, NULL), 0);
    assert_not_told(fixture->result.out, "\x1b[");
}

static void a_terminal_sees_the_progress_of_many_events_only(void **state) {
    notify *fixture = *state;
    char many[21 * sizeof NOTIFY_CREATED] = "";
    for (int i = 0; i < 21; i++)
        strcat(many, NOTIFY_CREATED);
    notify_answer_ok(fixture, "/ops");
    fixture->options.output = PROGRAM_TERMINAL;
    notify_post(fixture, NULL);
    assert_not_told(fixture->result.out, "line 1 of 1");
    notify_write_events(fixture, many);
    assert_int_equal(notify_post(fixture, NULL), 0);
    assert_told(fixture->result.out, "]  47 %  line 10 of 21");
    assert_told(fixture->result.out, "] 100 %  line 21 of 21\r\x1b[K");
    fixture->options.output = PROGRAM_FILES;
    assert_int_equal(notify_post(fixture, NULL), 0);
    assert_string_equal(fixture->result.err, "");
}

/* ---- JSON ---- */

static void json_has_one_line_a_delivery_with_the_promised_members(void **state) {
    notify *fixture = *state;
    char names[256];
    notify_answer(fixture, "/ops", 200, NULL, "{\"code\":17,\"message\":\"no \\\"such\\\" room\"}");
    assert_int_equal(notify_post(fixture, "--json", NULL), 1);
    assert_string_equal(fixture->result.err, "");
    assert_int_equal(line_count(fixture->result.out), 1);
    cJSON *json = notify_json_line(fixture, 0);
    assert_string_equal(names_of(json, names, sizeof names),
                        "webhook,type,activity_type,verdict,http_status,remote_code,"
                        "remote_message,retry_after_ms,attempt,duration_ms");
    assert_string_equal(text_of(json, "webhook"), "ops");
    assert_string_equal(text_of(json, "type"), "custom");
    assert_string_equal(text_of(json, "activity_type"), "bb.issue.create");
    assert_string_equal(text_of(json, "verdict"), "dead");
    assert_int_equal(number_of(json, "http_status"), 200);
    assert_string_equal(text_of(json, "remote_code"), "17");
    assert_string_equal(text_of(json, "remote_message"), "no \"such\" room");
    assert_int_equal(number_of(json, "retry_after_ms"), 0);
    assert_int_equal(number_of(json, "attempt"), 1);
    assert_in_range((uintmax_t)number_of(json, "duration_ms"), 0, 15000);
    cJSON_Delete(json);
}

static void assert_verdict(const notify *fixture, size_t line, const char *verdict) {
    cJSON *json = notify_json_line(fixture, line);
    assert_string_equal(text_of(json, "verdict"), verdict);
    cJSON_Delete(json);
}

static void json_tells_every_verdict_and_the_wait(void **state) {
    notify *fixture = *state;
    const server_step silent = {.end = SERVER_CLOSE};
    notify_write_webhooks(fixture, NOTIFY_CUSTOM("a") "," NOTIFY_CUSTOM("b") "," NOTIFY_CUSTOM(
                                       "c") "," NOTIFY_CUSTOM("d"));
    notify_answer_ok(fixture, "/a");
    notify_answer(fixture, "/b", 503, "Retry-After: 7\r\n", "");
    notify_answer(fixture, "/c", 400, NULL, "");
    server_on(fixture->receiver, "/d", &silent, 1);
    assert_int_equal(notify_post(fixture, "--json", NULL), 1);
    assert_int_equal(line_count(fixture->result.out), 4);
    assert_verdict(fixture, 0, "delivered");
    assert_verdict(fixture, 1, "retry");
    assert_verdict(fixture, 2, "dead");
    assert_verdict(fixture, 3, "unknown");
    cJSON *retry = notify_json_line(fixture, 1);
    assert_int_equal(number_of(retry, "retry_after_ms"), 7000);
    cJSON_Delete(retry);
}

/* ---- lines that are no events ---- */

static void a_bad_line_is_named_and_the_rest_is_posted(void **state) {
    notify *fixture = *state;
    notify_answer_ok(fixture, "/ops");
    notify_write_events(fixture, NOTIFY_CREATED "{'activity_type':'bb.issue.created'}\n"
                                                "\n \t\r\n" NOTIFY_CREATED
                                                "[1]\n{'activity_type':\n" COMMENTED);
    assert_int_equal(notify_post(fixture, "--json", NULL), 1);
    assert_int_equal(server_requests(fixture->receiver), 3);
    assert_int_equal(line_count(fixture->result.out), 3);
    assert_int_equal(line_count(fixture->result.err), 3);
    assert_told(fixture->result.err, "events.jsonl: line 2: ");
    assert_told(fixture->result.err, "bb.issue.created");
    assert_told(fixture->result.err, "events.jsonl: line 6: ");
    assert_told(fixture->result.err, "events.jsonl: line 7: ");
    assert_int_equal(notify_post(fixture, NULL), 1);
    assert_told(fixture->result.out, "3 deliveries of 3 events: 3 delivered; 3 bad lines\n");
}

static void a_bad_line_alone_makes_the_exit_status_1(void **state) {
    notify *fixture = *state;
    notify_write_events(fixture, "no event");
    assert_int_equal(notify_post(fixture, NULL), 1);
    assert_int_equal(notify_post(fixture, "--dry-run", NULL), 1);
    assert_string_equal(fixture->result.out, "");
}

/* An event, but for its length, of `length` bytes without the newline. */
static void write_long_line(FILE *file, size_t length) {
    static const char start[] = "{\"activity_type\":\"bb.issue.create\",\"description\":\"";
    fputs(start, file);
    for (size_t i = sizeof start - 1 + 2; i < length; i++)
        fputc('x', file);
    fputs("\"}\n", file);
}

static void a_line_of_16_mib_is_read_and_a_longer_one_is_bad(void **state) {
    notify *fixture = *state;
    const size_t limit = 16 * 1024 * 1024;
    notify_answer_ok(fixture, "/ops");
    FILE *file = fopen(fixture->events, "w");
    assert_non_null(file);
    write_long_line(file, limit);
    write_long_line(file, limit + 1);
    write_long_line(file, 100);
    fclose(file);
    assert_int_equal(notify_post(fixture, NULL), 1);
    assert_int_equal(line_count(fixture->result.err), 1);
    assert_told(fixture->result.err, "line 2: is longer than 16 MiB");
    assert_int_equal(server_requests(fixture->receiver), 2);
}

static void a_byte_order_mark_and_a_missing_last_newline_do_no_harm(void **state) {
    notify *fixture = *state;
    notify_answer_ok(fixture, "/ops");
    notify_write_events(fixture, "\xEF\xBB\xBF{'activity_type':'bb.issue.create'}\r\n"
                                 "{'activity_type':'bb.issue.create'}");
    assert_int_equal(notify_post(fixture, NULL), 0);
    assert_int_equal(server_requests(fixture->receiver), 2);
}

/* ---- events ---- */

static void unknown_members_and_nulls_of_an_event_are_passed_over(void **state) {
    notify *fixture = *state;
    notify_answer_ok(fixture, "/ops");
    notify_write_events(fixture, "{'colour':{'deep':[1]},'activity_type':'bb.issue.create',"
                                 "'title':null,'issue':{'id':7,'name':null,'priority':3}}\n");
    assert_int_equal(notify_post(fixture, NULL), 0);
    assert_told(server_request_to(fixture->receiver, "/ops")->body, "\"id\":7");
}

static void bytes_that_are_not_utf8_arrive_as_replacement_characters(void **state) {
    notify *fixture = *state;
    notify_answer_ok(fixture, "/ops");
    notify_write_events(fixture, "{'activity_type':'bb.issue.create','issue':{'name':'a\xFF\xC0\x80"
                                 "\xED\xA0\x80z'}}\n");
    assert_int_equal(notify_post(fixture, "--json", NULL), 0);
    assert_string_equal(fixture->result.err, "");
    const char *body = server_request_to(fixture->receiver, "/ops")->body;
    assert_told(body, "\xEF\xBF\xBDz");
    assert_null(strchr(body, '\xFF'));
}

static void integers_keep_all_64_bits(void **state) {
    notify *fixture = *state;
    notify_write_webhooks(
        fixture,
        "{'name':'a','project_id':9007199254740993,'type':'custom','url':'@/a','activities':'all'},"
        "{'name':'b','project_id':9007199254740992,'type':'custom','url':'@/b','activities':'all'},"
        "{'name':'c','project_id':'9007199254740993','type':'custom','url':'@/c',"
        "'activities':'all'},"
        "{'name':'d','project_id':-9223372036854775808,'type':'custom','url':'@/d',"
        "'activities':'all'}");
    notify_answer_ok(fixture, "/a");
    notify_answer_ok(fixture, "/c");
    notify_answer_ok(fixture, "/d");
    notify_write_events(fixture, "{'activity_type':'bb.issue.create','issue':"
                                 "{'id':9223372036854775807},'project':{'id':9007199254740993}}\n"
                                 "{'activity_type':'bb.issue.create','project':"
                                 "{'id':'-9223372036854775808'}}\n");
    assert_int_equal(notify_post(fixture, NULL), 0);
    assert_int_equal(server_requests(fixture->receiver), 3);
    const char *body = server_request_to(fixture->receiver, "/a")->body;
    assert_told(body, "\"id\":9223372036854775807");
    assert_told(body, "\"id\":9007199254740993");
    assert_non_null(server_request_to(fixture->receiver, "/c"));
    assert_told(server_request_to(fixture->receiver, "/d")->body, "\"id\":-9223372036854775808");
}

static void standard_input_is_read_for_a_dash(void **state) {
    notify *fixture = *state;
    static const char input[] = "{\"activity_type\":\"bb.issue.create\"}\nno event\n";
    notify_answer_ok(fixture, "/ops");
    fixture->options.input = input;
    fixture->options.input_length = sizeof input - 1;
    assert_int_equal(notify_run(fixture, "--config", fixture->config, "--json", "-", NULL), 1);
    assert_int_equal(line_count(fixture->result.out), 1);
    assert_told(fixture->result.err, "standard input: line 2: ");
}

/* ---- output that nobody takes ---- */

static void a_reader_that_went_away_ends_the_run_with_a_word(void **state) {
    notify *fixture = *state;
    notify_answer_ok(fixture, "/ops");
    notify_write_events(fixture, NOTIFY_CREATED NOTIFY_CREATED NOTIFY_CREATED);
    fixture->options.output = PROGRAM_CLOSED_PIPE;
    assert_int_equal(notify_post(fixture, "--json", NULL), 1);
    assert_int_equal(server_requests(fixture->receiver), 1);
    assert_told(fixture->result.err, "standard output: ");
    assert_told(fixture->result.err, "stopped after line 1\n");
}

/* ---- the test message ---- */

static void a_test_message_goes_to_the_named_webhook_whatever_its_filter(void **state) {
    notify *fixture = *state;
    notify_write_webhooks(
        fixture, NOTIFY_CUSTOM("ops") ",{'name':'审批 \\\"群\\\"','id':'h2','type':'custom',"
                                      "'url':'@/quiet','activities':[],'enabled':false}");
    notify_answer_ok(fixture, "/quiet");
    const char *const names[] = {"审批 \"群\"", "h2"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(notify_run(fixture, "--config", fixture->config, "--test", names[i], NULL),
                         0);
        assert_told(fixture->result.out, "1 delivery: 1 delivered\n");
        assert_int_equal(server_requests_to(fixture->receiver, "/quiet"), i + 1);
    }
    assert_int_equal(server_requests(fixture->receiver), 2);
    assert_told(server_request_to(fixture->receiver, "/quiet")->body, "审批 \\\"群\\\"");
}

static void a_test_message_that_fails_tells_the_receivers_words(void **state) {
    notify *fixture = *state;
    notify_answer(fixture, "/ops", 200, NULL, "{\"code\":5,\"message\":\"closed for today\"}");
    assert_int_equal(notify_run(fixture, "--config", fixture->config, "--test", "ops", NULL), 1);
    assert_told(fixture->result.out, "closed for today");
    assert_int_equal(
        notify_run(fixture, "--config", fixture->config, "--json", "--test", "ops", NULL), 1);
    assert_verdict(fixture, 0, "dead");
    assert_int_equal(line_count(fixture->result.out), 1);
}

/* ---- usage ---- */

static void assert_usage_is_refused(const notify *fixture, const char *word) {
    assert_int_equal(fixture->result.status, 2);
    assert_string_equal(fixture->result.out, "");
    assert_told(fixture->result.err, word);
}

static void wrong_usage_is_told_and_exits_with_2(void **state) {
    notify *fixture = *state;
    notify_run(fixture, fixture->events, NULL);
    assert_usage_is_refused(fixture, "--config is missing");
    notify_run(fixture, "--config", fixture->config, NULL);
    assert_usage_is_refused(fixture, "one events file is needed");
    notify_run(fixture, "--config", fixture->config, fixture->events, "-", NULL);
    assert_usage_is_refused(fixture, "one events file is needed");
    notify_run(fixture, "--config", NULL);
    assert_usage_is_refused(fixture, "--config");
    notify_post(fixture, "--colour", NULL);
    assert_usage_is_refused(fixture, "--colour");
    notify_post(fixture, "--test", "ops", NULL);
    assert_usage_is_refused(fixture, "--test takes no events file");
    notify_run(fixture, "--config", fixture->config, "--dry-run", "--test", "ops", NULL);
    assert_usage_is_refused(fixture, "--dry-run");
    notify_run(fixture, "--demo", "--json", NULL);
    assert_usage_is_refused(fixture, "--demo");
    notify_run(fixture, "--config", fixture->config, "--test", "nobody", NULL);
    assert_usage_is_refused(fixture, "\"nobody\"");
    notify_run(fixture, "--config", fixture->config, "/nonexistent/events", NULL);
    assert_usage_is_refused(fixture, "/nonexistent/events: ");
    notify_run(fixture, "--config", fixture->config, fixture->directory, NULL);
    assert_usage_is_refused(fixture, fixture->directory);
    assert_int_equal(server_requests(fixture->receiver), 0);
}

static void help_and_version_are_printed_on_standard_output(void **state) {
    notify *fixture = *state;
    assert_int_equal(notify_run(fixture, "--help", NULL), 0);
    assert_told(fixture->result.out, "--dry-run");
    assert_string_equal(fixture->result.err, "");
    assert_int_equal(notify_run(fixture, "--version", NULL), 0);
    assert_string_equal(fixture->result.out, "bb-notify " BB_WEBHOOK_VERSION "\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        NOTIFY_TEST(a_table_has_a_row_for_each_delivery_and_sums_up),
        NOTIFY_TEST(columns_are_aligned_by_terminal_columns_not_bytes),
        NOTIFY_TEST(a_column_is_as_wide_as_the_widest_name),
        NOTIFY_TEST(control_characters_of_a_name_do_not_reach_the_terminal),
        NOTIFY_TEST(a_terminal_gets_colours_unless_NO_COLOR_says_no),
        NOTIFY_TEST(a_terminal_sees_the_progress_of_many_events_only),
        NOTIFY_TEST(json_has_one_line_a_delivery_with_the_promised_members),
        NOTIFY_TEST(json_tells_every_verdict_and_the_wait),
        NOTIFY_TEST(a_bad_line_is_named_and_the_rest_is_posted),
        NOTIFY_TEST(a_bad_line_alone_makes_the_exit_status_1),
        NOTIFY_TEST(a_line_of_16_mib_is_read_and_a_longer_one_is_bad),
        NOTIFY_TEST(a_byte_order_mark_and_a_missing_last_newline_do_no_harm),
        NOTIFY_TEST(unknown_members_and_nulls_of_an_event_are_passed_over),
        NOTIFY_TEST(bytes_that_are_not_utf8_arrive_as_replacement_characters),
        NOTIFY_TEST(integers_keep_all_64_bits),
        NOTIFY_TEST(standard_input_is_read_for_a_dash),
        NOTIFY_TEST(a_reader_that_went_away_ends_the_run_with_a_word),
        NOTIFY_TEST(a_test_message_goes_to_the_named_webhook_whatever_its_filter),
        NOTIFY_TEST(a_test_message_that_fails_tells_the_receivers_words),
        NOTIFY_TEST(wrong_usage_is_told_and_exits_with_2),
        NOTIFY_TEST(help_and_version_are_printed_on_standard_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
