/* What background delivery makes of a receiver, or a network, that misbehaves: what is tried again,
 * when, how often, and what of it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/background.h"
#include "support/dns.h"

#define BACKGROUND_TEST(function)                                                                  \
    cmocka_unit_test_setup_teardown(function, background_setup, background_teardown)

enum { LIMIT_MS = 300, SLACK_MS = 8000 };

static const int64_t start_ms = INT64_C(1700000000000); /* Tue, 14 Nov 2023 22:13:20 GMT */
static const uint32_t at_once[] = {1, 1, 1, 1};

/* ------------------------------------------------------------------ what -- */

static void use_delays(background *b, const uint32_t *delays, size_t count) {
    b->options.retry_delays_ms = delays;
    b->options.retry_delay_count = count;
    b->options.no_jitter = 1;
}

/* With a dispatcher on the test's clock. */
static void open_in_virtual_time(background *b) {
    b->clock_ms = start_ms;
    b->options.no_jitter = 1;
    background_open(b);
}

static void fails_then_succeeds(background *b, bb_type type, server_step fault) {
    server_step steps[] = {fault, fault, posting_success(type)};
    background_script(b, type, "hook", steps, 3);
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_DELIVERED, 1);
    assert_int_equal(b->counts[BB_NOTICE_RETRYING], 2);
    assert_int_equal(server_requests(b->receiver), 3);
    background_check_books(b);
}

/* ---------------------------------------------------------------- retried -- */

static void a_server_error_is_tried_again(void **state) {
    static const int statuses[] = {500, 502, 503, 504, 408, 425};
    background *b = *state;
    use_delays(b, at_once, 4);
    background_open(b);
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        char id[16];
        snprintf(id, sizeof id, "hook%d", statuses[i]);
        server_step steps[] = {{.status = statuses[i]}, posting_success(BB_CUSTOM)};
        background_script(b, BB_CUSTOM, id, steps, 2);
    }
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_DELIVERED, 6);
    assert_int_equal(b->counts[BB_NOTICE_RETRYING], 6);
    assert_int_equal(b->counts[BB_NOTICE_DEAD], 0);
    background_check_books(b);
}

static void a_refusal_is_one_request(void **state) {
    static const int statuses[] = {400, 401, 403, 404, 405, 410, 413, 422, 301, 302};
    background *b = *state;
    use_delays(b, at_once, 4);
    background_open(b);
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        char id[16];
        snprintf(id, sizeof id, "hook%d", statuses[i]);
        background_script(b, BB_CUSTOM, id, &(server_step){.status = statuses[i]}, 1);
    }
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_DEAD, 10);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 10);
    assert_int_equal(b->counts[BB_NOTICE_RETRYING], 0);
    background_check_books(b);
}

static void a_refused_connection_is_tried_again_and_nothing_was_sent(void **state) {
    background *b = *state;
    server *gone = server_start(NULL);
    char url[100];
    snprintf(url, sizeof url, "%s", server_url(gone, "/hook"));
    server_stop(gone);
    use_delays(b, at_once, 2);
    background_open(b);
    posting_add(b->dispatcher, BB_CUSTOM, "hook", url);
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_DEAD, 1);
    assert_int_equal(b->counts[BB_NOTICE_RETRYING], 2);
    assert_int_equal(b->sent, 0);
    assert_int_equal(background_told(b, BB_NOTICE_DEAD, 0)->attempt, 3);
    background_check_books(b);
}

static void a_name_that_is_missing_is_tried_again_until_it_is_there(void **state) {
    static const uint32_t longer_than_a_failure_is_kept[] = {1, 1100};
    background *b = *state;
    dns *names = dns_start();
    dns_missing(names, "hooks.test");
    b->options.dns_servers = dns_servers(names);
    use_delays(b, longer_than_a_failure_is_kept, 2);
    background_open(b);
    server_step yes = posting_success(BB_CUSTOM);
    server_on(b->receiver, "/hook", &yes, 1);
    posting_add(b->dispatcher, BB_CUSTOM, "hook",
                posting_url_at(b->receiver, "http", "hooks.test"));
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_RETRYING, 2);
    assert_int_equal(b->sent, 0);
    dns_set(names, "hooks.test", "127.0.0.1", 60);
    background_drive_until(b, BB_NOTICE_DELIVERED, 1);
    assert_int_equal(server_requests(b->receiver), 1);
    background_check_books(b);
    dns_stop(names);
}

static void waits_grow_with_the_schedule(void **state) {
    static const int64_t waits[] = {5000,     300000,   1800000,  7200000, 18000000,
                                    36000000, 50400000, 72000000, 86400000};
    background *b = *state;
    b->options.breaker_failures = 100;
    b->options.breaker_percent = 100;
    b->options.breaker_open_ms = b->options.breaker_open_max_ms = 1;
    open_in_virtual_time(b);
    background_script(b, BB_CUSTOM, "hook", &(server_step){.status = 500}, 1);
    background_enqueue(b, "one");
    assert_true(background_pass_time(b, BB_NOTICE_DEAD, 1, INT64_MAX));
    assert_int_equal(server_requests(b->receiver), 10);
    int64_t at_ms = start_ms;
    for (size_t i = 0; i < 9; i++) {
        const told *retry = background_told(b, BB_NOTICE_RETRYING, i);
        assert_int_equal(retry->wait_ms, waits[i]);
        assert_int_equal(retry->at_ms, at_ms);
        at_ms += waits[i];
    }
    background_check_books(b);
}

static void what_is_too_old_is_given_up(void **state) {
    background *b = *state;
    open_in_virtual_time(b);
    bb_webhook hook = background_hook(b, BB_SLACK, "hook", &(server_step){.status = 500}, 1);
    background_add(b, &hook);
    background_enqueue(b, "one");
    assert_true(background_pass_time(b, BB_NOTICE_DEAD, 1, INT64_MAX));
    const told *dead = background_told(b, BB_NOTICE_DEAD, 0);
    assert_non_null(strstr(dead->text, "too old"));
    assert_true(dead->at_ms <= start_ms + INT64_C(24) * 60 * 60 * 1000);
    background_check_books(b);
}

/* --------------------------------------------------------- a stated wait -- */

static void waits_so_long(background *b, const char *headers, int64_t wait_ms) {
    server_step steps[] = {{.status = 429, .headers = headers}, posting_success(BB_CUSTOM)};
    open_in_virtual_time(b);
    background_script(b, BB_CUSTOM, "hook", steps, 2);
    background_enqueue(b, "one");
    background_enqueue(b, "two");
    assert_true(background_pass_time(b, BB_NOTICE_DELIVERED, 2, INT64_MAX));
    assert_int_equal(background_told(b, BB_NOTICE_RETRYING, 0)->wait_ms, wait_ms);
    assert_int_equal(background_told(b, BB_NOTICE_PAUSED, 0)->wait_ms, wait_ms);
    assert_int_equal(background_told(b, BB_NOTICE_DELIVERED, 0)->at_ms, start_ms + wait_ms);
    assert_int_equal(b->counts[BB_NOTICE_RECOVERED], 1);
    background_check_books(b);
}

static void a_wait_in_seconds_is_kept(void **state) {
    waits_so_long(*state, "Retry-After: 7\r\n", 7000);
}

static void a_wait_until_a_date_is_kept(void **state) {
    waits_so_long(*state, "Retry-After: Tue, 14 Nov 2023 22:13:29 GMT\r\n", 9000);
}

static void an_absurd_wait_is_a_day(void **state) {
    waits_so_long(*state, "Retry-After: 1000000000\r\n", 86400000);
}

/* It uses no step of the schedule, nor does it count for the breaker. */
static void a_wait_that_makes_no_sense_is_the_schedules(void **state) {
    static const char *const headers[] = {"Retry-After: -5\r\n", "Retry-After: soon\r\n", NULL};
    background *b = *state;
    server_step steps[4] = {{.status = 429}, {.status = 429}, {.status = 429}};
    for (size_t i = 0; i < 3; i++)
        steps[i].headers = headers[i];
    steps[3] = posting_success(BB_CUSTOM);
    open_in_virtual_time(b);
    background_script(b, BB_CUSTOM, "hook", steps, 4);
    background_enqueue(b, "one");
    assert_true(background_pass_time(b, BB_NOTICE_DELIVERED, 1, INT64_MAX));
    assert_int_equal(background_told(b, BB_NOTICE_RETRYING, 0)->wait_ms, 5000);
    assert_int_equal(background_told(b, BB_NOTICE_RETRYING, 1)->wait_ms, 300000);
    assert_int_equal(background_told(b, BB_NOTICE_RETRYING, 2)->wait_ms, 1800000);
    assert_int_equal(b->counts[BB_NOTICE_PAUSED], 0);
    background_check_books(b);
}

static void being_put_off_uses_no_step_of_the_schedule(void **state) {
    static const uint32_t one[] = {1000};
    background *b = *state;
    server_step later = {.status = 429, .headers = "Retry-After: 60\r\n"};
    server_step steps[] = {later, later,           later,
                           later, later,           later,
                           later, {.status = 500}, posting_success(BB_CUSTOM)};
    use_delays(b, one, 1);
    open_in_virtual_time(b);
    background_script(b, BB_CUSTOM, "hook", steps, 9);
    background_enqueue(b, "one");
    assert_true(background_pass_time(b, BB_NOTICE_DELIVERED, 1, INT64_MAX));
    assert_int_equal(background_told(b, BB_NOTICE_DELIVERED, 0)->at_ms,
                     start_ms + 7 * 60000 + 1000);
    background_check_books(b);
}

/* ------------------------------------------------------- the answer is lost -- */

/* Attempts that were made of one that is never answered, by rule and type. */
static void lost_answers(background *b, bb_type type, bb_when_unknown rule, size_t attempts) {
    use_delays(b, at_once, 3);
    background_open(b);
    bb_webhook hook = background_hook(b, type, "hook", &(server_step){.end = SERVER_CLOSE}, 1);
    hook.when_unknown = rule;
    background_add(b, &hook);
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_DEAD, 1);
    assert_int_equal(server_requests(b->receiver), attempts);
    assert_int_equal(b->sent, attempts);
    assert_int_equal(background_told(b, BB_NOTICE_DEAD, 0)->verdict, BB_UNKNOWN);
    assert_int_equal(background_stats(b, "hook").unknown, attempts);
    background_check_books(b);
}

static void a_lost_answer_is_tried_again_where_the_receiver_sees_the_id(void **state) {
    lost_answers(*state, BB_CUSTOM, 0, 4);
}

static void a_lost_answer_is_tried_again_of_dingtalk_too(void **state) {
    lost_answers(*state, BB_DINGTALK, 0, 4);
}

static void a_lost_answer_of_slack_is_tried_once_more(void **state) {
    lost_answers(*state, BB_SLACK, 0, 2);
}

static void a_lost_answer_is_not_tried_again_where_that_is_the_rule(void **state) {
    lost_answers(*state, BB_CUSTOM, BB_UNKNOWN_GIVE_UP, 1);
}

static void a_lost_answer_of_slack_is_tried_as_often_as_asked_for(void **state) {
    lost_answers(*state, BB_SLACK, BB_UNKNOWN_RETRY, 4);
}

/* ------------------------------------------------------------- time limits -- */

static void silent_names_end_in_time(background *b, uint32_t connect_timeout_ms,
                                     uint32_t timeout_ms) {
    dns *names = dns_start();
    dns_silent(names, "*");
    b->options.dns_servers = dns_servers(names);
    use_delays(b, at_once, 1);
    bb_options options = background_bb_options(b);
    options.connect_timeout_ms = connect_timeout_ms;
    options.timeout_ms = timeout_ms;
    b->dispatcher = posting_dispatcher(&options);
    posting_add(b->dispatcher, BB_CUSTOM, "hook", "http://silent.test/hook");
    background_enqueue(b, "one");
    int64_t began = server_now_ms();
    background_drive_until(b, BB_NOTICE_DEAD, 1);
    assert_true(server_now_ms() - began >= 2 * LIMIT_MS * 9 / 10);
    assert_true(server_now_ms() - began < 2 * LIMIT_MS + SLACK_MS);
    assert_non_null(strstr(background_told(b, BB_NOTICE_DEAD, 0)->text, "did not answer in time"));
    assert_int_equal(b->sent, 0);
    background_check_books(b);
    dns_stop(names);
}

static void a_name_server_that_is_silent_ends_in_time(void **state) {
    silent_names_end_in_time(*state, LIMIT_MS, PATIENCE_MS);
}

static void the_limit_of_an_attempt_is_that_of_its_look_up_too(void **state) {
    silent_names_end_in_time(*state, PATIENCE_MS, LIMIT_MS);
}

/* --------------------------------------------------------------- each attempt -- */

static void each_attempt_is_signed_anew(void **state) {
    background *b = *state;
    server_step steps[] = {{.status = 500}, posting_success(BB_CUSTOM)};
    open_in_virtual_time(b);
    bb_webhook hook = background_hook(b, BB_CUSTOM, "hook", steps, 2);
    hook.secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz";
    background_add(b, &hook);
    background_enqueue(b, "one");
    assert_true(background_pass_time(b, BB_NOTICE_DELIVERED, 1, INT64_MAX));
    const server_request *first = server_request_at(b->receiver, 0);
    const server_request *second = server_request_at(b->receiver, 1);
    assert_string_equal(server_header(first, "webhook-id"), server_header(second, "webhook-id"));
    assert_string_equal(server_header(first, "webhook-timestamp"), "1700000000");
    assert_string_equal(server_header(second, "webhook-timestamp"), "1700000005");
    assert_string_not_equal(server_header(first, "webhook-signature"),
                            server_header(second, "webhook-signature"));
    assert_string_equal(first->body, second->body);
    background_check_books(b);
}

static void each_attempt_is_signed_anew_in_the_url_too(void **state) {
    background *b = *state;
    server_step steps[] = {{.status = 500}, posting_success(BB_DINGTALK)};
    open_in_virtual_time(b);
    bb_webhook hook = background_hook(b, BB_DINGTALK, "hook", steps, 2);
    hook.secret = "SECtest";
    background_add(b, &hook);
    background_enqueue(b, "one");
    assert_true(background_pass_time(b, BB_NOTICE_DELIVERED, 1, INT64_MAX));
    assert_non_null(strstr(server_request_at(b->receiver, 0)->query, "timestamp=1700000000000"));
    assert_non_null(strstr(server_request_at(b->receiver, 1)->query, "timestamp=1700000005000"));
    background_check_books(b);
}

/* Of every attempt one notice, numbered from 1, with what came of it. */
static void each_attempt_is_told_once(void **state) {
    background *b = *state;
    server_step steps[] = {
        {.status = 500}, {.end = SERVER_RESET}, {.status = 503}, posting_success(BB_CUSTOM)};
    use_delays(b, at_once, 4);
    background_open(b);
    background_script(b, BB_CUSTOM, "hook", steps, 4);
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_DELIVERED, 1);
    assert_int_equal(b->count, 4);
    static const int statuses[] = {500, 0, 503, 200};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(b->tells[i].attempt, i + 1);
        assert_int_equal(b->tells[i].http_status, statuses[i]);
        assert_int_equal(b->tells[i].sent, 1);
        assert_string_equal(b->tells[i].delivery_id, b->tells[0].delivery_id);
    }
    assert_int_equal(b->tells[1].verdict, BB_UNKNOWN);
    background_check_books(b);
}

static void a_connection_that_was_reset_is_made_anew(void **state) {
    background *b = *state;
    use_delays(b, at_once, 4);
    background_open(b);
    fails_then_succeeds(b, BB_CUSTOM, (server_step){.end = SERVER_RESET});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BACKGROUND_TEST(a_server_error_is_tried_again),
        BACKGROUND_TEST(a_refusal_is_one_request),
        BACKGROUND_TEST(a_refused_connection_is_tried_again_and_nothing_was_sent),
        BACKGROUND_TEST(a_name_that_is_missing_is_tried_again_until_it_is_there),
        BACKGROUND_TEST(waits_grow_with_the_schedule),
        BACKGROUND_TEST(what_is_too_old_is_given_up),
        BACKGROUND_TEST(a_wait_in_seconds_is_kept),
        BACKGROUND_TEST(a_wait_until_a_date_is_kept),
        BACKGROUND_TEST(an_absurd_wait_is_a_day),
        BACKGROUND_TEST(a_wait_that_makes_no_sense_is_the_schedules),
        BACKGROUND_TEST(being_put_off_uses_no_step_of_the_schedule),
        BACKGROUND_TEST(a_lost_answer_is_tried_again_where_the_receiver_sees_the_id),
        BACKGROUND_TEST(a_lost_answer_is_tried_again_of_dingtalk_too),
        BACKGROUND_TEST(a_lost_answer_of_slack_is_tried_once_more),
        BACKGROUND_TEST(a_lost_answer_is_not_tried_again_where_that_is_the_rule),
        BACKGROUND_TEST(a_lost_answer_of_slack_is_tried_as_often_as_asked_for),
        BACKGROUND_TEST(a_name_server_that_is_silent_ends_in_time),
        BACKGROUND_TEST(the_limit_of_an_attempt_is_that_of_its_look_up_too),
        BACKGROUND_TEST(each_attempt_is_signed_anew),
        BACKGROUND_TEST(each_attempt_is_signed_anew_in_the_url_too),
        BACKGROUND_TEST(each_attempt_is_told_once),
        BACKGROUND_TEST(a_connection_that_was_reset_is_made_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
