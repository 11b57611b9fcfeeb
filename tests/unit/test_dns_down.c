/*
 * Name servers that are down, in each way that they know: an attempt ends in time with a sentence
 * and nothing sent, other names are found meanwhile, and what waited is delivered when they are
 * back. What posts do, whose names the system looks up, is in test_post_network.c.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/background.h"
#include "support/dns.h"

enum { LIMIT_MS = 1500, MARGIN_MS = 5000 };

static int open_world(void **state) {
    static const uint32_t delays_ms[] = {1200, 1200, 1200, 1200, 1200, 1200, 1200, 1200};
    int code = background_setup(state);
    background *b = *state;
    b->options.no_jitter = 1;
    b->options.retry_delays_ms = delays_ms;
    b->options.retry_delay_count = sizeof delays_ms / sizeof delays_ms[0];
    b->options.breaker_open_ms = b->options.breaker_open_max_ms = 1;
    return code;
}

static void open_dispatcher(background *b, const char *servers) {
    b->options.dns_servers = servers;
    bb_options options = background_bb_options(b);
    options.timeout_ms = options.connect_timeout_ms = LIMIT_MS;
    b->dispatcher = posting_dispatcher(&options);
}

static void add_named(background *b, const char *id, const char *host) {
    char path[32], url[100];
    server_step yes = posting_success(BB_CUSTOM);
    snprintf(path, sizeof path, "/%s", id);
    snprintf(url, sizeof url, "http://%s:%d/%s", host, server_port(b->receiver), id);
    server_on(b->receiver, path, &yes, 1);
    posting_add(b->dispatcher, BB_CUSTOM, id, url);
}

static void assert_told(background *b, const char *words, int64_t since_ms) {
    const told *notice = background_told(b, BB_NOTICE_RETRYING, 0);
    int64_t took_ms = server_now_ms() - since_ms;
    assert_in_range(took_ms, 0, LIMIT_MS + MARGIN_MS);
    assert_string_equal(notice->webhook_id, "down");
    assert_int_equal(notice->sent, 0);
    if (!strstr(notice->text, words))
        fail_msg("\"%s\" does not say \"%s\"", notice->text, words);
}

/* With a healthy name next to it. */
static void live_through(background *b, void (*go_down)(dns *server, const char *name),
                         const char *words) {
    dns *names = dns_start();
    dns_set(names, "healthy.test", "127.0.0.1", 60);
    go_down(names, "down.test");
    open_dispatcher(b, dns_servers(names));
    add_named(b, "down", "down.test");
    add_named(b, "healthy", "healthy.test");
    int64_t since_ms = server_now_ms();
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_RETRYING, 1);
    assert_told(b, words, since_ms);
    background_drive_until(b, BB_NOTICE_DELIVERED, 1);
    assert_string_equal(background_told(b, BB_NOTICE_DELIVERED, 0)->webhook_id, "healthy");
    dns_set(names, "down.test", "127.0.0.1", 60);
    background_drive_until(b, BB_NOTICE_DELIVERED, 2);
    assert_int_equal(server_requests_to(b->receiver, "/down"), 1);
    assert_int_equal(server_requests_to(b->receiver, "/healthy"), 1);
    bb_stats stats = background_stats(b, NULL);
    assert_int_equal(stats.waiting + stats.in_flight + stats.dead, 0);
    assert_int_equal(bb_dispatcher_free(b->dispatcher), BB_OK);
    b->dispatcher = NULL;
    dns_stop(names);
}

static void servers_that_do_not_answer_are_waited_for_as_long_as_an_attempt_is(void **state) {
    live_through(*state, dns_silent, "its name servers did not answer in time");
}

static void servers_that_fail_are_asked_again(void **state) {
    live_through(*state, dns_failing, "its DNS servers failed");
}

static void answers_without_sense_are_none(void **state) {
    live_through(*state, dns_garbage, "its DNS servers");
}

static void a_name_that_was_taken_away_is_asked_for_again(void **state) {
    live_through(*state, dns_missing, "no such name");
}

static void where_no_server_listens_an_attempt_fails_in_time(void **state) {
    background *b = *state;
    char servers[64];
    dns *gone = dns_start();
    snprintf(servers, sizeof servers, "%s", dns_servers(gone));
    dns_stop(gone);
    open_dispatcher(b, servers);
    add_named(b, "down", "down.test");
    int64_t since_ms = server_now_ms();
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_RETRYING, 1);
    assert_told(b, "its name has no address", since_ms);
    assert_int_equal(server_requests(b->receiver), 0);
}

#define DOWN_TEST(test) cmocka_unit_test_setup_teardown(test, open_world, background_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        DOWN_TEST(servers_that_do_not_answer_are_waited_for_as_long_as_an_attempt_is),
        DOWN_TEST(servers_that_fail_are_asked_again),
        DOWN_TEST(answers_without_sense_are_none),
        DOWN_TEST(a_name_that_was_taken_away_is_asked_for_again),
        DOWN_TEST(where_no_server_listens_an_attempt_fails_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
