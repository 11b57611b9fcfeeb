/* bb-notify --background end to end: retries, limits, signals, what is told and printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/bb_notify.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { PATIENCE_MS = 20000 };

#define OPS NOTIFY_CUSTOM("ops")
#define ISSUE "{'activity_type':'bb.issue.create','issue':{'id':7}}\n"

static const server_step yes = {.status = 200, .body = "{\"code\":0}"};
static const server_step busy = {.status = 503};
static const server_step gone = {.status = 410};
static const server_step held = {.status = 200, .body = "{\"code\":0}", .hold = 1};

/* A configuration with these members at the top, for these webhooks. */
static void configure(notify *fixture, const char *members, const char *webhooks) {
    char config[2048];
    snprintf(config, sizeof config, "{%s,'no_jitter':true,%s'webhooks':[%s]}", NOTIFY_LOCAL,
             members, webhooks);
    notify_write_config(fixture, config);
}

static void answer(notify *fixture, const char *path, const server_step *steps, size_t count) {
    server_on(fixture->receiver, path, steps, count);
}

static void write_many_events(notify *fixture, size_t count) {
    char events[100 * sizeof NOTIFY_CREATED] = "";
    assert_true(count <= 100);
    while (count-- > 0)
        strcat(events, NOTIFY_CREATED);
    notify_write_events(fixture, events);
}

/* ---- the summary ---- */

static void the_summary_has_a_row_for_each_webhook_and_adds_up(void **state) {
    notify *fixture = *state;
    notify_write_webhooks(fixture, OPS "," NOTIFY_CUSTOM("dev"));
    write_many_events(fixture, 3);
    answer(fixture, "/ops", &yes, 1);
    answer(fixture, "/dev", &yes, 1);
    assert_int_equal(notify_post(fixture, "--background", NULL), 0);
    assert_string_equal(fixture->result.err, "");
    assert_string_equal(fixture->result.out,
                        "WEBHOOK  TYPE      DELIVERED  DEAD  DROPPED  LEFT  ATTEMPTS\n"
                        "ops      custom            3     -        -     -         3\n"
                        "dev      custom            3     -        -     -         3\n"
                        "\n"
                        "6 deliveries of 3 events: 6 delivered\n");
    assert_int_equal(server_requests(fixture->receiver), 6);
}

static void what_is_dead_is_told_with_its_reason(void **state) {
    notify *fixture = *state;
    notify_answer(fixture, "/ops", 200, NULL, "{\"code\":17,\"message\":\"no such room\"}");
    assert_int_equal(notify_post(fixture, "--background", NULL), 1);
    assert_told(fixture->result.out, "1        -     -         1  Custom answered HTTP 200 17: no "
                                     "such room\n");
    assert_told(fixture->result.out, "1 delivery of 1 event: 1 dead\n");
}

static void what_is_left_and_what_is_dead_have_each_their_reason(void **state) {
    notify *fixture = *state;
    const server_step steps[] = {{.status = 400}, gone};
    answer(fixture, "/ops", steps, 2);
    write_many_events(fixture, 3);
    assert_int_equal(notify_post(fixture, "--background", NULL), 1);
    assert_told(fixture->result.out,
                "disabled: Custom answered HTTP 410; the webhook is gone; dead: Custom answered "
                "HTTP 410; the webhook is gone\n");
}

static void events_that_nobody_wants_end_at_once(void **state) {
    notify *fixture = *state;
    configure(fixture, "", "");
    assert_int_equal(notify_post(fixture, "--background", NULL), 0);
    assert_string_equal(fixture->result.out, "0 deliveries of 1 event\n");
}

static void a_bad_line_is_named_and_the_rest_is_delivered(void **state) {
    notify *fixture = *state;
    answer(fixture, "/ops", &yes, 1);
    notify_write_events(fixture, NOTIFY_CREATED "no event\n\n" NOTIFY_CREATED);
    assert_int_equal(notify_post(fixture, "--background", NULL), 1);
    assert_told(fixture->result.err, "events.jsonl: line 2: ");
    assert_told(fixture->result.out, "2 deliveries of 2 events: 2 delivered; 1 bad line\n");
}

/* ---- retries ---- */

static void it_ends_only_when_retries_that_are_due_later_are_over(void **state) {
    notify *fixture = *state;
    const server_step steps[] = {busy, busy, yes};
    configure(fixture, "'retry_delays_ms':[50,400],", OPS);
    answer(fixture, "/ops", steps, 3);
    assert_int_equal(notify_post(fixture, "--background", NULL), 0);
    assert_told(fixture->result.out, "ops      custom            1     -        -     -         3");
    assert_int_equal(server_requests(fixture->receiver), 3);
    int64_t last_ms = server_request_at(fixture->receiver, 2)->time_ms;
    assert_true(last_ms - server_request_at(fixture->receiver, 1)->time_ms >= 390);
}

static void a_delivery_is_dead_when_its_schedule_is_over(void **state) {
    notify *fixture = *state;
    configure(fixture, "'retry_delays_ms':[1,1],", OPS);
    answer(fixture, "/ops", &busy, 1);
    assert_int_equal(notify_post(fixture, "--background", NULL), 1);
    assert_int_equal(server_requests(fixture->receiver), 3);
    assert_told(fixture->result.out, "that was the last attempt");
}

/* ---- JSON ---- */

static void json_has_one_line_an_attempt_with_the_promised_members(void **state) {
    notify *fixture = *state;
    char names[512];
    const server_step steps[] = {busy, yes};
    configure(fixture, "'retry_delays_ms':[40],", OPS);
    answer(fixture, "/ops", steps, 2);
    assert_int_equal(notify_post(fixture, "--background", "--json", NULL), 0);
    assert_string_equal(fixture->result.err, "");
    assert_int_equal(line_count(fixture->result.out), 2);
    cJSON *first = notify_json_line(fixture, 0), *second = notify_json_line(fixture, 1);
    assert_string_equal(names_of(first, names, sizeof names),
                        "webhook,type,activity_type,verdict,http_status,remote_code,"
                        "remote_message,retry_after_ms,attempt,duration_ms,webhook_id,event_id,"
                        "delivery_id,sent,text,next_attempt_ms");
    assert_string_equal(text_of(first, "verdict"), "retry");
    assert_string_equal(text_of(second, "verdict"), "delivered");
    assert_int_equal(number_of(first, "next_attempt_ms"), 40);
    assert_null(cJSON_GetObjectItem(second, "next_attempt_ms"));
    assert_int_equal(number_of(second, "attempt"), 2);
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(second, "sent")));
    assert_string_equal(text_of(first, "delivery_id"), text_of(second, "delivery_id"));
    assert_string_equal(text_of(second, "delivery_id"),
                        server_header(server_request_to(fixture->receiver, "/ops"), "webhook-id"));
    cJSON_Delete(first);
    cJSON_Delete(second);
}

static void with_json_what_is_left_is_told_on_standard_error(void **state) {
    notify *fixture = *state;
    configure(fixture, "", OPS);
    answer(fixture, "/ops", &gone, 1);
    write_many_events(fixture, 3);
    assert_int_equal(notify_post(fixture, "--background", "--json", NULL), 1);
    assert_int_equal(line_count(fixture->result.out), 1);
    assert_told(fixture->result.err, "webhook \"ops\": 2 left: disabled: ");
}

static void a_reader_that_went_away_stops_it_with_a_word(void **state) {
    notify *fixture = *state;
    answer(fixture, "/ops", &yes, 1);
    fixture->options.output = PROGRAM_CLOSED_PIPE;
    assert_int_equal(notify_post(fixture, "--background", "--json", NULL), 1);
    assert_told(fixture->result.err, "standard output: ");
}

/* ---- webhooks that take nothing ---- */

static void what_waits_for_a_disabled_webhook_alone_is_not_waited_for(void **state) {
    notify *fixture = *state;
    notify_write_webhooks(fixture, OPS "," NOTIFY_CUSTOM("dev"));
    answer(fixture, "/ops", &gone, 1);
    answer(fixture, "/dev", &yes, 1);
    write_many_events(fixture, 3);
    assert_int_equal(notify_post(fixture, "--background", NULL), 1);
    assert_told(fixture->result.err, "webhook \"ops\" gets nothing any more: Custom answered HTTP "
                                     "410");
    assert_told(fixture->result.out,
                "ops      custom            -     1        -     2         1  disabled: ");
    assert_told(fixture->result.out, "6 deliveries of 3 events: 3 delivered, 1 dead, 2 left\n");
}

static void a_pause_is_told_and_waited_for(void **state) {
    notify *fixture = *state;
    const server_step steps[] = {{.status = 429, .headers = "Retry-After: 1\r\n"}, yes};
    answer(fixture, "/ops", steps, 2);
    write_many_events(fixture, 2);
    assert_int_equal(notify_post(fixture, "--background", NULL), 0);
    assert_told(fixture->result.err, "webhook \"ops\" gets nothing for 1 s: ");
    assert_told(fixture->result.err, "webhook \"ops\" takes messages again\n");
    assert_told(fixture->result.out, "2 deliveries of 2 events: 2 delivered\n");
}

/* ---- reading goes on meanwhile ---- */

static void deliveries_begin_while_standard_input_is_still_open(void **state) {
    notify *fixture = *state;
    answer(fixture, "/ops", &yes, 1);
    program *running = notify_start(fixture, "--background", NULL);
    notify_type(running, NOTIFY_CREATED);
    assert_true(server_wait_requests(fixture->receiver, 1, PATIENCE_MS));
    notify_type(running, "{'activity_type':"); /* a line may come in pieces */
    notify_type(running, "'bb.issue.create'}\n" NOTIFY_CREATED);
    assert_true(server_wait_requests(fixture->receiver, 3, PATIENCE_MS));
    notify_type(running, "{'activity_type':'bb.issue.create'}"); /* without a newline */
    assert_int_equal(notify_finish(fixture, running), 0);
    assert_told(fixture->result.out, "4 deliveries of 4 events: 4 delivered\n");
}

static void a_full_outbox_makes_the_reading_wait_and_loses_nothing(void **state) {
    notify *fixture = *state;
    configure(fixture, "'max_waiting':2,", OPS);
    answer(fixture, "/ops", &yes, 1);
    write_many_events(fixture, 100);
    assert_int_equal(notify_post(fixture, "--background", NULL), 0);
    assert_told(fixture->result.out, "100 deliveries of 100 events: 100 delivered\n");
    assert_int_equal(server_requests(fixture->receiver), 100);
}

static void an_event_for_which_there_can_be_no_room_is_told(void **state) {
    notify *fixture = *state;
    configure(fixture, "'max_waiting':1,", OPS "," NOTIFY_CUSTOM("dev"));
    assert_int_equal(notify_post(fixture, "--background", NULL), 1);
    assert_told(fixture->result.err, "events.jsonl: line 1: the outbox is full");
    assert_string_equal(fixture->result.out, "0 deliveries of 1 event; 1 event not posted\n");
}

static void an_outbox_full_of_what_a_disabled_webhook_will_not_take_ends_the_waiting(void **state) {
    notify *fixture = *state;
    configure(fixture, "'max_waiting':2,", OPS);
    answer(fixture, "/ops", &gone, 1);
    write_many_events(fixture, 4);
    assert_int_equal(notify_post(fixture, "--background", NULL), 1);
    assert_told(fixture->result.err, "line 4: the outbox is full");
    assert_told(fixture->result.out, "3 deliveries of 4 events: 1 dead, 2 left; 1 event not "
                                     "posted\n");
}

static void the_oldest_are_dropped_where_the_configuration_says_so(void **state) {
    notify *fixture = *state;
    configure(fixture, "'max_waiting':2,'when_full':'drop_oldest',", OPS);
    answer(fixture, "/ops", &yes, 1);
    write_many_events(fixture, 5); /* read before the first is begun */
    assert_int_equal(notify_post(fixture, "--background", NULL), 1);
    assert_told(fixture->result.out, "5 deliveries of 5 events: 2 delivered, 3 dropped\n");
}

/* ---- signals ---- */

static void a_signal_lets_what_is_under_way_end_and_tells_what_is_left(void **state) {
    notify *fixture = *state;
    answer(fixture, "/ops", &held, 1);
    program *running = notify_start(fixture, "--background", NULL);
    notify_type(running, NOTIFY_CREATED NOTIFY_CREATED NOTIFY_CREATED);
    assert_true(server_wait_requests(fixture->receiver, 1, PATIENCE_MS));
    program_signal(running, SIGTERM);
    assert_true(program_wait_told(running, "stopping: ", PATIENCE_MS));
    server_release(fixture->receiver);
    assert_int_equal(notify_finish(fixture, running), 1);
    assert_told(fixture->result.err, "standard input: stopped after line 3\n");
    assert_told(fixture->result.out,
                "ops      custom            1     -        -     2         1  not its turn yet\n");
    assert_told(fixture->result.out, "3 deliveries of 3 events: 1 delivered, 2 left\n");
    assert_int_equal(server_requests(fixture->receiver), 1);
}

static void a_signal_does_not_wait_for_later_retries(void **state) {
    notify *fixture = *state;
    configure(fixture, "'retry_delays_ms':[3600000],", OPS);
    answer(fixture, "/ops", &busy, 1);
    program *running = notify_start(fixture, "--background", "--json", NULL);
    notify_type(running, NOTIFY_CREATED);
    assert_true(server_wait_requests(fixture->receiver, 1, PATIENCE_MS));
    program_signal(running, SIGINT);
    assert_int_equal(notify_finish(fixture, running), 1);
    assert_told(fixture->result.err, "webhook \"ops\": 1 left: to be tried again: Custom answered "
                                     "HTTP 503\n");
}

static void a_second_signal_ends_it_at_once(void **state) {
    const int pairs[][2] = {{SIGINT, SIGINT}, {SIGINT, SIGTERM}, {SIGTERM, SIGTERM}};
    notify *fixture = *state;
    answer(fixture, "/ops", &held, 1);
    for (size_t i = 0; i < 3; i++) {
        program *running = notify_start(fixture, "--background", NULL);
        notify_type(running, NOTIFY_CREATED);
        assert_true(server_wait_requests(fixture->receiver, i + 1, PATIENCE_MS));
        program_signal(running, pairs[i][0]);
        assert_true(program_wait_told(running, "stopping: ", PATIENCE_MS));
        program_signal(running, pairs[i][1]);
        assert_int_equal(notify_finish(fixture, running), -pairs[i][1]);
    }
}

/* ---- statistics ---- */

static void statistics_follow_the_summary(void **state) {
    notify *fixture = *state;
    answer(fixture, "/ops", &yes, 1);
    assert_int_equal(notify_post(fixture, "--background", "--stats", NULL), 0);
    assert_told(fixture->result.out, "1 delivery of 1 event: 1 delivered\n\n# HELP ");
    assert_told(fixture->result.out,
                "\nbb_webhook_ended_total{webhook=\"ops\",type=\"custom\",end=\"delivered\"} 1\n");
}

static void statistics_are_the_last_json_line(void **state) {
    notify *fixture = *state;
    answer(fixture, "/ops", &yes, 1);
    assert_int_equal(notify_post(fixture, "--background", "--stats", "--json", NULL), 0);
    assert_int_equal(line_count(fixture->result.out), 2);
    cJSON *last = notify_json_line(fixture, 1);
    assert_told(text_of(last, "prometheus"),
                "\nbb_webhook_sent_total{webhook=\"ops\",type=\"custom\"} 1\n");
    cJSON_Delete(last);
}

/* ---- progress ---- */

static void a_terminal_sees_how_the_deliveries_stand(void **state) {
    notify *fixture = *state;
    const server_step steps[] = {busy, yes};
    configure(fixture, "'retry_delays_ms':[600],", OPS);
    answer(fixture, "/ops", steps, 2);
    fixture->options.output = PROGRAM_TERMINAL;
    assert_int_equal(notify_post(fixture, "--background", NULL), 0);
    assert_told(fixture->result.out,
                "]   0 %  0 delivered, 0 waiting, 1 retrying, 0 dead\x1b[K\r\x1b[K");
    fixture->options.output = PROGRAM_FILES;
    assert_int_equal(notify_post(fixture, "--background", NULL), 0);
    assert_string_equal(fixture->result.err, "");
}

/* ---- usage ---- */

static void assert_refused(const notify *fixture, int status, const char *words) {
    assert_int_equal(status, 2);
    assert_string_equal(fixture->result.out, "");
    assert_told(fixture->result.err, words);
}

static void options_that_make_no_sense_together_are_refused(void **state) {
    notify *fixture = *state;
    assert_refused(fixture, notify_post(fixture, "--stats", NULL),
                   "--stats goes with --background only");
    assert_refused(fixture, notify_post(fixture, "--background", "--dry-run", NULL), "--dry-run");
    assert_refused(fixture, notify_post(fixture, "--background", "--test", "ops", NULL), "--test");
    assert_refused(fixture, notify_run(fixture, "--demo", "--background", NULL), "--demo");
    assert_refused(fixture, notify_run(fixture, "--demo", "--stats", NULL), "--demo");
    assert_refused(fixture,
                   notify_run(fixture, "-b", "-c", fixture->config, "/nonexistent/events", NULL),
                   "/nonexistent/events: ");
    assert_int_equal(server_requests(fixture->receiver), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        NOTIFY_TEST(the_summary_has_a_row_for_each_webhook_and_adds_up),
        NOTIFY_TEST(what_is_dead_is_told_with_its_reason),
        NOTIFY_TEST(what_is_left_and_what_is_dead_have_each_their_reason),
        NOTIFY_TEST(events_that_nobody_wants_end_at_once),
        NOTIFY_TEST(a_bad_line_is_named_and_the_rest_is_delivered),
        NOTIFY_TEST(it_ends_only_when_retries_that_are_due_later_are_over),
        NOTIFY_TEST(a_delivery_is_dead_when_its_schedule_is_over),
        NOTIFY_TEST(json_has_one_line_an_attempt_with_the_promised_members),
        NOTIFY_TEST(with_json_what_is_left_is_told_on_standard_error),
        NOTIFY_TEST(a_reader_that_went_away_stops_it_with_a_word),
        NOTIFY_TEST(what_waits_for_a_disabled_webhook_alone_is_not_waited_for),
        NOTIFY_TEST(a_pause_is_told_and_waited_for),
        NOTIFY_TEST(deliveries_begin_while_standard_input_is_still_open),
        NOTIFY_TEST(a_full_outbox_makes_the_reading_wait_and_loses_nothing),
        NOTIFY_TEST(an_event_for_which_there_can_be_no_room_is_told),
        NOTIFY_TEST(an_outbox_full_of_what_a_disabled_webhook_will_not_take_ends_the_waiting),
        NOTIFY_TEST(the_oldest_are_dropped_where_the_configuration_says_so),
        NOTIFY_TEST(a_signal_lets_what_is_under_way_end_and_tells_what_is_left),
        NOTIFY_TEST(a_signal_does_not_wait_for_later_retries),
        NOTIFY_TEST(a_second_signal_ends_it_at_once),
        NOTIFY_TEST(statistics_follow_the_summary),
        NOTIFY_TEST(statistics_are_the_last_json_line),
        NOTIFY_TEST(a_terminal_sees_how_the_deliveries_stand),
        NOTIFY_TEST(options_that_make_no_sense_together_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
