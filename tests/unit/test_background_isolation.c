/* One webhook's trouble is its own: what hangs, what has much to do and what fails delays nobody
 * else, and is left alone for a while in the end. */
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

enum { HANGING = 20, NAMELESS = 20, HEALTHY = 160, EVENTS = 5, PROMPT_MS = 3000 };

static const int64_t start_ms = INT64_C(1700000000000);

/* ----------------------------------------------------------------- hanging -- */

static void add_numbered(background *b, size_t number) {
    char id[16], url[100];
    snprintf(id, sizeof id, "hook%zu", number);
    if (number % 10 == 3) {
        background_script(b, BB_CUSTOM, id, &(server_step){.end = SERVER_SILENT}, 1);
    } else if (number % 10 == 7) {
        snprintf(url, sizeof url, "http://silent%zu.test/hook", number);
        posting_add(b->dispatcher, BB_CUSTOM, id, url);
    } else if (number % 2) {
        server_step yes = posting_success(BB_CUSTOM);
        snprintf(url, sizeof url, "/%s", id);
        server_on(b->receiver, url, &yes, 1);
        snprintf(url, sizeof url, "http://healthy.test:%d/%s", server_port(b->receiver), id);
        posting_add(b->dispatcher, BB_CUSTOM, id, url);
    } else {
        background_add_healthy(b, BB_CUSTOM, id);
    }
}

/* The others' deliveries are all made while the hanging ones still hang, however few slots there
 * are. */
static void hanging_ones_delay_nobody(background *b, uint32_t max_in_flight) {
    dns *names = dns_start();
    dns_silent(names, "*");
    dns_set(names, "healthy.test", "127.0.0.1", 60);
    b->options.dns_servers = dns_servers(names);
    b->options.max_in_flight = max_in_flight;
    background_open(b);
    for (size_t i = 0; i < HANGING + NAMELESS + HEALTHY; i++)
        add_numbered(b, i);
    int64_t began = server_now_ms();
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    for (int i = 0; i < EVENTS; i++)
        assert_int_equal(background_enqueue(b, NULL), HANGING + NAMELESS + HEALTHY);
    background_wait_until(b, BB_NOTICE_DELIVERED, HEALTHY * EVENTS);
    assert_true(server_now_ms() - began < PROMPT_MS);
    assert_int_equal(b->counts[BB_NOTICE_RETRYING], 0);
    size_t waiting = 0;
    assert_int_equal(bb_dispatcher_stop(b->dispatcher, 0, &waiting, NULL), BB_OK);
    assert_int_equal(waiting, (HANGING + NAMELESS) * EVENTS);
    assert_true(server_now_ms() - began < PROMPT_MS);
    background_check_books(b);
    dns_stop(names);
}

static void hanging_ones_delay_nobody_where_there_are_many_slots(void **state) {
    hanging_ones_delay_nobody(*state, 0);
}

static void hanging_ones_delay_nobody_where_there_are_few_slots(void **state) {
    hanging_ones_delay_nobody(*state, 64);
}

static void one_that_hangs_has_one_request_while_it_is_unknown(void **state) {
    background *b = *state;
    background_open(b);
    background_script(b, BB_CUSTOM, "silent", &(server_step){.end = SERVER_SILENT}, 1);
    background_add_healthy(b, BB_CUSTOM, "healthy");
    for (int i = 0; i < 20; i++)
        background_enqueue(b, NULL);
    background_drive_until(b, BB_NOTICE_DELIVERED, 20);
    assert_int_equal(server_requests_to(b->receiver, "/silent"), 1);
    assert_int_equal(background_stats(b, "silent").in_flight, 1);
    assert_int_equal(background_stats(b, "silent").waiting, 19);
}

/* They share a host, and with it all that libcurl keeps of it. */
static void a_refused_connection_leaves_what_is_in_flight_alone(void **state) {
    background *b = *state;
    server *gone = server_start(NULL);
    char url[100];
    snprintf(url, sizeof url, "%s", server_url(gone, "/refused"));
    server_stop(gone);
    background_open(b);
    background_script(b, BB_CUSTOM, "silent", &(server_step){.end = SERVER_SILENT}, 1);
    background_enqueue(b, "one");
    while (!server_wait_requests(b->receiver, 1, 1))
        assert_int_equal(bb_dispatcher_run(b->dispatcher, NULL), BB_OK);
    posting_add(b->dispatcher, BB_CUSTOM, "refused", url);
    background_enqueue(b, "two");
    background_drive_until(b, BB_NOTICE_RETRYING, 1);
    assert_string_equal(background_told(b, BB_NOTICE_RETRYING, 0)->webhook_id, "refused");
    assert_non_null(strstr(background_told(b, BB_NOTICE_RETRYING, 0)->text, "onnect"));
    assert_null(strstr(background_told(b, BB_NOTICE_RETRYING, 0)->text, "memory"));
    assert_int_equal(background_stats(b, "silent").in_flight, 1);
}

/* -------------------------------------------------------------------- much -- */

static void one_with_much_to_do_does_not_delay_one_with_little(void **state) {
    enum { MUCH = 5000, SOON = 64 };
    background *b = *state;
    background_open(b);
    background_add_healthy(b, BB_CUSTOM, "much");
    for (int i = 0; i < MUCH; i++)
        background_enqueue(b, NULL);
    background_add_healthy(b, BB_CUSTOM, "little");
    background_enqueue(b, "last");
    background_drive_until(b, BB_NOTICE_DELIVERED, SOON);
    assert_int_equal(background_stats(b, "little").delivered, 1);
    background_flush(b);
    background_check_books(b);
}

/* ----------------------------------------------------------------- breaker -- */

static void open_in_virtual_time(background *b) {
    b->clock_ms = start_ms;
    b->options.no_jitter = 1;
    background_open(b);
}

static bb_webhook_status status_of(background *b, const char *id) {
    bb_webhook_status status = BB_WEBHOOK_STATUS_INIT;
    assert_int_equal(bb_dispatcher_status(b->dispatcher, id, &status, NULL), BB_OK);
    return status;
}

/* Five failures open it for 30 s, a probe that fails for 60 s, one that succeeds closes it. */
static void the_breaker_opens_is_told_and_probes(void **state) {
    static const server_step no = {.status = 500};
    background *b = *state;
    server_step steps[] = {no, no, no, no, no, no, posting_success(BB_CUSTOM)};
    open_in_virtual_time(b);
    background_script(b, BB_CUSTOM, "hook", steps, 7);
    for (int i = 0; i < 20; i++)
        background_enqueue(b, NULL);
    assert_true(background_pass_time(b, BB_NOTICE_PAUSED, 1, start_ms));
    assert_int_equal(server_requests(b->receiver), 5);
    assert_int_equal(background_told(b, BB_NOTICE_PAUSED, 0)->wait_ms, 30000);
    assert_int_equal(status_of(b, "hook").probe_ms, start_ms + 30000);
    assert_int_equal(status_of(b, "hook").failures_in_row, 5);
    assert_int_equal(background_stats(b, NULL).webhooks_broken, 1);
    assert_true(background_pass_time(b, BB_NOTICE_PAUSED, 2, start_ms + 30000));
    assert_int_equal(server_requests(b->receiver), 6);
    assert_int_equal(background_told(b, BB_NOTICE_PAUSED, 1)->wait_ms, 60000);
    assert_true(background_pass_time(b, BB_NOTICE_DELIVERED, 1, start_ms + 90000));
    assert_int_equal(b->counts[BB_NOTICE_RECOVERED], 1);
    assert_int_equal(background_stats(b, NULL).webhooks_broken, 0);
    assert_true(background_pass_time(b, BB_NOTICE_DELIVERED, 20, INT64_MAX));
    background_check_books(b);
}

static void a_webhook_whose_breaker_is_open_can_be_resumed(void **state) {
    static const server_step no = {.status = 500};
    background *b = *state;
    server_step steps[] = {no, no, no, no, no, posting_success(BB_CUSTOM)};
    open_in_virtual_time(b);
    background_script(b, BB_CUSTOM, "hook", steps, 6);
    for (int i = 0; i < 10; i++)
        background_enqueue(b, NULL);
    assert_true(background_pass_time(b, BB_NOTICE_PAUSED, 1, start_ms));
    assert_int_equal(bb_dispatcher_resume(b->dispatcher, "hook", NULL), BB_OK);
    assert_true(background_pass_time(b, BB_NOTICE_DELIVERED, 5, start_ms));
    assert_true(background_pass_time(b, BB_NOTICE_DELIVERED, 10, start_ms + 5000));
    background_check_books(b);
}

/* The one that fails is left alone, the others are not. */
static void an_open_breaker_is_one_webhooks_own(void **state) {
    background *b = *state;
    open_in_virtual_time(b);
    background_script(b, BB_CUSTOM, "failing", &(server_step){.status = 500}, 1);
    background_add_healthy(b, BB_CUSTOM, "healthy");
    for (int i = 0; i < 50; i++)
        background_enqueue(b, NULL);
    assert_true(background_pass_time(b, BB_NOTICE_DELIVERED, 50, start_ms));
    assert_int_equal(server_requests_to(b->receiver, "/failing"), 5);
    background_flush(b);
    background_check_books(b);
}

/* ---------------------------------------------------------------- disabled -- */

static void one_without_success_for_days_is_disabled(void **state) {
    enum { HOUR_S = 3600 };
    background *b = *state;
    b->options.disable_after_s = HOUR_S;
    open_in_virtual_time(b);
    background_script(b, BB_CUSTOM, "hook", &(server_step){.status = 500}, 1);
    background_add_healthy(b, BB_CUSTOM, "healthy");
    for (int i = 0; i < 5; i++)
        background_enqueue(b, NULL);
    assert_true(background_pass_time(b, BB_NOTICE_DISABLED, 1, INT64_MAX));
    const told *disabled = background_told(b, BB_NOTICE_DISABLED, 0);
    assert_true(disabled->at_ms >= start_ms + HOUR_S * INT64_C(1000));
    assert_string_equal(disabled->webhook_id, "hook");
    assert_int_equal(status_of(b, "hook").disabled, 1);
    assert_int_equal(background_stats(b, "hook").waiting, 5);
    size_t requests = server_requests(b->receiver);
    assert_false(background_pass_time(b, BB_NOTICE_DEAD, 1, INT64_MAX));
    assert_int_equal(server_requests(b->receiver), requests);
    background_check_books(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BACKGROUND_TEST(hanging_ones_delay_nobody_where_there_are_many_slots),
        BACKGROUND_TEST(hanging_ones_delay_nobody_where_there_are_few_slots),
        BACKGROUND_TEST(one_that_hangs_has_one_request_while_it_is_unknown),
        BACKGROUND_TEST(a_refused_connection_leaves_what_is_in_flight_alone),
        BACKGROUND_TEST(one_with_much_to_do_does_not_delay_one_with_little),
        BACKGROUND_TEST(the_breaker_opens_is_told_and_probes),
        BACKGROUND_TEST(a_webhook_whose_breaker_is_open_can_be_resumed),
        BACKGROUND_TEST(an_open_breaker_is_one_webhooks_own),
        BACKGROUND_TEST(one_without_success_for_days_is_disabled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
