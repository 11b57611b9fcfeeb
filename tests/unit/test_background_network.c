/* Names, addresses, TLS and many targets in background delivery: what a request is sent to is found
 * anew when it moves, checked each time, and trusted only with a certificate. */
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

#define BACKGROUND_TEST(function)                                                                  \
    cmocka_unit_test_setup_teardown(function, background_setup, background_teardown)

static const int64_t start_ms = INT64_C(1700000000000);

/* ------------------------------------------------------------------- names -- */

static void add_named(background *b, const char *id, const char *host) {
    char path[32], url[100];
    server_step yes = posting_success(BB_CUSTOM);
    snprintf(path, sizeof path, "/%s", id);
    server_on(b->receiver, path, &yes, 1);
    snprintf(url, sizeof url, "http://%s:%d%s", host, server_port(b->receiver), path);
    posting_add(b->dispatcher, BB_CUSTOM, id, url);
}

static void an_address_that_does_not_answer_is_followed_by_the_next(void **state) {
    background *b = *state;
    dns *names = dns_start();
    dns_set(names, "hooks.test", "127.0.0.2,127.0.0.1", 60);
    b->options.dns_servers = dns_servers(names);
    background_open(b); /* the receiver listens on the second alone */
    add_named(b, "hook", "hooks.test");
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_DELIVERED, 1);
    assert_int_equal(background_told(b, BB_NOTICE_DELIVERED, 0)->attempt, 1);
    background_check_books(b);
    dns_stop(names);
}

/* What was known of it is forgotten after a second, the shortest time to live. */
static void an_address_that_moves_is_followed(void **state) {
    static const uint32_t at_once[] = {1};
    background *b = *state;
    dns *names = dns_start();
    dns_set(names, "hooks.test", "127.0.0.2", 1);
    b->options.dns_servers = dns_servers(names);
    b->options.retry_delays_ms = at_once;
    b->options.retry_delay_count = 1;
    background_open(b);
    add_named(b, "hook", "hooks.test");
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_RETRYING, 1);
    assert_int_equal(background_told(b, BB_NOTICE_RETRYING, 0)->sent, 0);
    dns_set(names, "hooks.test", "127.0.0.1", 1);
    int64_t end = server_now_ms() + BACKGROUND_PATIENCE_MS;
    while (b->counts[BB_NOTICE_DELIVERED] == 0 && server_now_ms() < end) {
        bb_dispatcher_resume(b->dispatcher, "hook", NULL); /* the breaker has opened */
        background_enqueue(b, NULL);
        background_flush(b);
    }
    assert_true(b->counts[BB_NOTICE_DELIVERED] > 0);
    background_check_books(b);
    dns_stop(names);
}

static void name_servers_that_are_none_are_refused(void **state) {
    background *b = *state;
    bb_dispatcher *dispatcher = NULL;
    bb_error error = BB_ERROR_INIT;
    b->options.dns_servers = "not a server";
    bb_options options = background_bb_options(b);
    assert_int_equal(bb_dispatcher_new(&options, &dispatcher, &error), BB_ERR_ARGUMENT);
    assert_null(dispatcher);
    assert_non_null(strstr(error.text, "dns_servers"));
}

static void one_question_serves_all_webhooks_of_a_name(void **state) {
    enum { HOOKS = 50 };
    background *b = *state;
    dns *names = dns_start();
    dns_set(names, "hooks.test", "127.0.0.1", 60);
    b->options.dns_servers = dns_servers(names);
    background_open(b);
    for (int i = 0; i < HOOKS; i++) {
        char id[16];
        snprintf(id, sizeof id, "hook%d", i);
        add_named(b, id, "hooks.test");
    }
    background_enqueue(b, "one");
    background_enqueue(b, "two");
    background_drive_until(b, BB_NOTICE_DELIVERED, 2 * HOOKS);
    assert_in_range(dns_count(names, "hooks.test"), 1, 2); /* for each kind of address */
    background_check_books(b);
    dns_stop(names);
}

static void a_name_may_be_looked_up_by_the_system(void **state) {
    background *b = *state;
    b->options.resolver = BB_RESOLVER_SYSTEM;
    background_open(b);
    add_named(b, "hook", "localhost");
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_DELIVERED, 1);
    background_check_books(b);
}

/* Each look-up takes descriptors of libcurl's own, whose numbers connections get afterwards. */
static void many_names_may_be_looked_up_by_the_system(void **state) {
    enum { RECEIVERS = 12 };
    background *b = *state;
    server *receivers[RECEIVERS];
    server_step yes = posting_success(BB_CUSTOM);
    b->options.resolver = BB_RESOLVER_SYSTEM;
    background_open(b);
    for (size_t i = 0; i < RECEIVERS; i++) {
        char id[16];
        receivers[i] = server_start(NULL);
        snprintf(id, sizeof id, "hook%zu", i);
        server_on(receivers[i], "/hook", &yes, 1);
        posting_add(b->dispatcher, BB_CUSTOM, id,
                    posting_url_at(receivers[i], "http", "localhost"));
        background_enqueue(b, NULL);
        background_flush(b);
    }
    assert_int_equal(b->counts[BB_NOTICE_RETRYING], 0);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], RECEIVERS * (RECEIVERS + 1) / 2);
    for (size_t i = 0; i < RECEIVERS; i++)
        server_stop(receivers[i]);
}

/* Whatever led there: an address, or a name. */
static void private_addresses_are_refused(void **state) {
    background *b = *state;
    dns *names = dns_start();
    dns_set(names, "inside.test", "127.0.0.1", 60);
    b->options.dns_servers = dns_servers(names);
    bb_options options = background_bb_options(b);
    options.insecure_allow_private_addresses = 0;
    options.egress = posting_guarded_options().egress;
    b->dispatcher = posting_dispatcher(&options);
    add_named(b, "hook", "inside.test");
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_DEAD, 1);
    assert_int_equal(background_told(b, BB_NOTICE_DEAD, 0)->sent, 0);
    assert_non_null(strstr(background_told(b, BB_NOTICE_DEAD, 0)->text, "refused"));
    assert_int_equal(server_connections(b->receiver), 0);
    background_check_books(b);
    dns_stop(names);
}

/* --------------------------------------------------------------------- TLS -- */

static void open_with_tls(background *b, int is_trusted) {
    static const server_options own = {.tls_names = "IP:127.0.0.1"};
    server_stop(b->receiver);
    b->receiver = server_start(&own);
    bb_options options = background_bb_options(b);
    options.ca_file = is_trusted ? server_ca_file(b->receiver) : NULL;
    b->dispatcher = posting_dispatcher(&options);
}

static void many_are_sent_over_one_tls_connection(void **state) {
    background *b = *state;
    server_step yes = posting_success(BB_CUSTOM);
    open_with_tls(b, 1);
    bb_webhook hook = background_hook(b, BB_CUSTOM, "hook", &yes, 1);
    hook.max_in_flight = 1;
    background_add(b, &hook);
    for (int i = 0; i < 50; i++)
        background_enqueue(b, NULL);
    background_drive_until(b, BB_NOTICE_DELIVERED, 50);
    assert_int_equal(server_connections(b->receiver), 1);
    background_check_books(b);
}

static void a_certificate_that_nobody_knows_is_tried_again_and_nothing_is_sent(void **state) {
    background *b = *state;
    open_with_tls(b, 0);
    background_add_healthy(b, BB_CUSTOM, "hook");
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_RETRYING, 1);
    assert_int_equal(background_told(b, BB_NOTICE_RETRYING, 0)->sent, 0);
    assert_non_null(strstr(background_told(b, BB_NOTICE_RETRYING, 0)->text, "certificate"));
    background_check_books(b);
}

/* ------------------------------------------------------------------- many -- */

/* More than are kept parsed; some are replaced and removed between the events. */
static void more_webhooks_than_are_kept_parsed_get_their_events(void **state) {
    enum { MANY = 1200 };
    background *b = *state;
    char id[16];
    background_open(b);
    for (int i = 0; i < MANY; i++) {
        snprintf(id, sizeof id, "hook%d", i);
        background_add_healthy(b, BB_CUSTOM, id);
    }
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_DELIVERED, MANY);
    for (int i = 0; i < MANY; i += 3) {
        snprintf(id, sizeof id, "hook%d", i);
        assert_int_equal(bb_dispatcher_remove(b->dispatcher, id, NULL), BB_OK);
        if (i % 2)
            background_add_healthy(b, BB_CUSTOM, id);
    }
    size_t left = bb_dispatcher_count(b->dispatcher);
    assert_int_equal(background_enqueue(b, "two"), left);
    background_drive_until(b, BB_NOTICE_DELIVERED, MANY + left);
    background_check_books(b);
}

/* -------------------------------------------------------------------- time -- */

static void a_clock_that_is_set_back_delays_nothing(void **state) {
    enum { HOUR_MS = 3600000 };
    background *b = *state;
    server_step steps[] = {{.status = 503}, posting_success(BB_CUSTOM)};
    b->clock_ms = start_ms;
    b->options.no_jitter = 1;
    background_open(b);
    background_script(b, BB_CUSTOM, "hook", steps, 2);
    background_enqueue(b, "one");
    assert_true(background_pass_time(b, BB_NOTICE_RETRYING, 1, start_ms));
    b->clock_ms -= HOUR_MS;
    assert_true(background_pass_time(b, BB_NOTICE_DELIVERED, 1, start_ms - HOUR_MS + 5000));
    background_check_books(b);
}

static int64_t enqueue_later(background *b, uint32_t delay_ms, const char *id) {
    bb_event event = *posting_event();
    bb_enqueue_options options = BB_ENQUEUE_OPTIONS_INIT;
    event.id = id;
    options.delay_ms = delay_ms;
    assert_int_equal(bb_webhook_enqueue(b->dispatcher, &event, &options, NULL, NULL), BB_OK);
    return start_ms + delay_ms;
}

static void what_is_delayed_goes_when_it_is_due(void **state) {
    background *b = *state;
    int64_t due_ms[3];
    b->clock_ms = start_ms;
    background_open(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    due_ms[2] = enqueue_later(b, 90000, "last");
    due_ms[0] = enqueue_later(b, 0, "first");
    due_ms[1] = enqueue_later(b, 30000, "second");
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 1);
    assert_true(background_pass_time(b, BB_NOTICE_DELIVERED, 3, INT64_MAX));
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(background_told(b, BB_NOTICE_DELIVERED, i)->at_ms, due_ms[i]);
    background_check_books(b);
}

static void a_clock_that_jumps_to_its_ends_overflows_nothing(void **state) {
    static const int64_t ends[] = {INT64_MAX, INT64_MIN, -1, INT64_MAX - 1000};
    background *b = *state;
    bb_webhook hook;
    server_step yes = posting_success(BB_SLACK);
    b->clock_ms = start_ms;
    background_open(b);
    background_script(b, BB_CUSTOM, "bad", &(server_step){.status = 503}, 1);
    hook = background_hook(b, BB_SLACK, "slow", &yes, 1);
    hook.no_rate = 0;
    hook.age_limit_s = UINT32_MAX;
    background_add(b, &hook);
    background_add_healthy(b, BB_CUSTOM, "good");
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        b->clock_ms = ends[i];
        enqueue_later(b, 0, NULL);
        enqueue_later(b, UINT32_MAX, NULL);
        background_drive_until(b, BB_NOTICE_DELIVERED, i + 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BACKGROUND_TEST(an_address_that_does_not_answer_is_followed_by_the_next),
        BACKGROUND_TEST(an_address_that_moves_is_followed),
        BACKGROUND_TEST(name_servers_that_are_none_are_refused),
        BACKGROUND_TEST(one_question_serves_all_webhooks_of_a_name),
        BACKGROUND_TEST(a_name_may_be_looked_up_by_the_system),
        BACKGROUND_TEST(many_names_may_be_looked_up_by_the_system),
        BACKGROUND_TEST(private_addresses_are_refused),
        BACKGROUND_TEST(many_are_sent_over_one_tls_connection),
        BACKGROUND_TEST(a_certificate_that_nobody_knows_is_tried_again_and_nothing_is_sent),
        BACKGROUND_TEST(more_webhooks_than_are_kept_parsed_get_their_events),
        BACKGROUND_TEST(a_clock_that_is_set_back_delays_nothing),
        BACKGROUND_TEST(a_clock_that_jumps_to_its_ends_overflows_nothing),
        BACKGROUND_TEST(what_is_delayed_goes_when_it_is_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
