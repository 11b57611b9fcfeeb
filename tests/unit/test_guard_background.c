/* The address guard in background delivery: names whose answers change, also a day later, and
 * connections that are kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/background.h"
#include "support/dns.h"
#include "support/log.h"
#include "support/resolve.h"

enum { DAY_MS = 24 * 60 * 60 * 1000, TTL_MS = 1000 };

static const int64_t start_ms = 1700000000000;

typedef struct guarded {
    background *b;
    dns *names;
} guarded;

static int setup(void **state) {
    static guarded g;
    void *b;
    if (background_setup(&b) != 0)
        return -1;
    g = (guarded){.b = b, .names = dns_start()};
    g.b->options.dns_servers = dns_servers(g.names);
    *state = &g;
    return 0;
}

static int teardown(void **state) {
    guarded *g = *state;
    int code = background_teardown((void **)&g->b);
    dns_stop(g->names);
    resolve_forget();
    return code;
}

static void open_guarded(guarded *g) {
    bb_options options = background_bb_options(g->b);
    options.insecure_allow_private_addresses = 0;
    options.egress = posting_guarded_options().egress;
    log_into(&options);
    g->b->dispatcher = posting_dispatcher(&options);
}

/* A public address that leads to the receiver. */
static void set_public(guarded *g, const char *name) {
    resolve_to("public", "1.2.3.4", server_port(g->b->receiver));
    dns_set(g->names, name, "1.2.3.4", 1);
}

static void add(guarded *g, const char *id, const char *name, const server_step *steps,
                size_t count, int allow_private) {
    char path[64], url[200];
    snprintf(path, sizeof path, "/%s", id);
    server_on(g->b->receiver, path, steps, count);
    snprintf(url, sizeof url, "http://%s:%d%s", name, server_port(g->b->receiver), path);
    bb_webhook hook = posting_hook(BB_CUSTOM, id, url);
    hook.no_rate = 1;
    hook.insecure_allow_private_addresses = allow_private;
    background_add(g->b, &hook);
}

static void assert_refused(background *b, size_t index, const char *address) {
    const told *dead = background_told(b, BB_NOTICE_DEAD, index);
    assert_int_equal(dead->verdict, BB_DEAD);
    assert_int_equal(dead->sent, 0);
    assert_non_null(strstr(dead->text, "an address that is refused"));
    assert_null(strstr(dead->text, address));
    assert_true(log_has(dead->webhook_id, address));
}

/* What the resolver keeps of a name is stale then. */
static void outlive_names(void) {
    int64_t end = server_now_ms() + TTL_MS + 100;
    while (server_now_ms() < end)
        poll(NULL, 0, (int)(end - server_now_ms()));
}

static void a_retry_a_day_later_meets_the_guard_again(void **state) {
    static const uint32_t a_day[] = {DAY_MS};
    guarded *g = *state;
    background *b = g->b;
    const server_step busy = {.status = 503, .end = SERVER_CLOSE};
    b->clock_ms = start_ms;
    b->options.no_jitter = 1;
    b->options.retry_delays_ms = a_day;
    b->options.retry_delay_count = 1;
    open_guarded(g);
    set_public(g, "turning.test");
    add(g, "tenant", "turning.test", &busy, 1, 0);
    background_enqueue(b, "one");
    assert_true(background_pass_time(b, BB_NOTICE_RETRYING, 1, start_ms));
    assert_int_equal(server_requests(b->receiver), 1);
    dns_set(g->names, "turning.test", "127.0.0.1", 1);
    outlive_names();
    assert_true(background_pass_time(b, BB_NOTICE_DEAD, 1, start_ms + 2 * (int64_t)DAY_MS));
    assert_refused(b, 0, "127.0.0.1");
    assert_int_equal(background_told(b, BB_NOTICE_DEAD, 0)->attempt, 2);
    assert_int_equal(background_told(b, BB_NOTICE_DEAD, 0)->at_ms, start_ms + DAY_MS);
    assert_int_equal(server_requests(b->receiver), 1);
    assert_int_equal(server_connections(b->receiver), 1);
    background_check_books(b);
}

static void an_answer_with_public_and_private_addresses_leads_to_no_private_one(void **state) {
    static const char *const answers[] = {"1.2.3.5,127.0.0.1", "127.0.0.1,1.2.3.5", "1.2.3.5,::1",
                                          "::ffff:127.0.0.1,1.2.3.5"};
    guarded *g = *state;
    background *b = g->b;
    server_step yes = posting_success(BB_CUSTOM);
    open_guarded(g);
    resolve_to("nobody", "1.2.3.5", 1); /* where nobody listens */
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        char id[16], name[32];
        snprintf(id, sizeof id, "tenant%zu", i);
        snprintf(name, sizeof name, "both%zu.test", i);
        dns_set(g->names, name, answers[i], 60);
        add(g, id, name, &yes, 1, 0);
    }
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_DEAD, sizeof answers / sizeof *answers);
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        assert_int_equal(background_told(b, BB_NOTICE_DEAD, i)->sent, 0);
    assert_int_equal(server_connections(b->receiver), 0);
    background_check_books(b);
}

static void a_private_answer_next_to_a_public_one_does_not_stop_delivery(void **state) {
    guarded *g = *state;
    background *b = g->b;
    server_step yes = posting_success(BB_CUSTOM);
    open_guarded(g);
    set_public(g, "both.test");
    dns_set(g->names, "both.test", "10.0.0.1,1.2.3.4", 60);
    add(g, "tenant", "both.test", &yes, 1, 0);
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_DELIVERED, 1);
    assert_int_equal(server_requests(b->receiver), 1);
    background_check_books(b);
}

static void every_private_answer_is_refused(void **state) {
    static const char *const answers[] = {"127.0.0.1",       "0.0.0.0",       "10.0.0.1",
                                          "169.254.169.254", "::1",           "::ffff:127.0.0.1",
                                          "64:ff9b::7f00:1", "fd00:ec2::254", "fe80::1",
                                          "2002:7f00:1::1"};
    enum { COUNT = sizeof answers / sizeof *answers };
    guarded *g = *state;
    background *b = g->b;
    server_step yes = posting_success(BB_CUSTOM);
    open_guarded(g);
    for (size_t i = 0; i < COUNT; i++) {
        char id[16], name[32];
        snprintf(id, sizeof id, "tenant%zu", i);
        snprintf(name, sizeof name, "inside%zu.test", i);
        dns_set(g->names, name, answers[i], 60);
        add(g, id, name, &yes, 1, 0);
    }
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_DEAD, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        const char *id = background_told(b, BB_NOTICE_DEAD, i)->webhook_id;
        assert_refused(b, i, answers[atoi(id + strlen("tenant"))]);
    }
    assert_int_equal(server_connections(b->receiver), 0);
    background_check_books(b);
}

/* The same name, the same receiver: only the rules of the two differ. */
static void a_kept_connection_is_not_lent_to_a_webhook_with_other_rules(void **state) {
    enum { TIMES = 3 };
    guarded *g = *state;
    background *b = g->b;
    server_step yes = posting_success(BB_CUSTOM);
    open_guarded(g);
    dns_set(g->names, "inside.test", "127.0.0.1", 60);
    add(g, "inside", "inside.test", &yes, 1, 1);
    background_enqueue(b, "first");
    background_drive_until(b, BB_NOTICE_DELIVERED, 1);
    add(g, "tenant", "inside.test", &yes, 1, 0);
    for (size_t i = 0; i < TIMES; i++) {
        background_enqueue(b, NULL);
        background_drive_until(b, BB_NOTICE_DELIVERED, 2 + i);
        background_drive_until(b, BB_NOTICE_DEAD, 1 + i);
        assert_refused(b, i, "127.0.0.1");
    }
    assert_int_equal(server_connections(b->receiver), 1);
    assert_int_equal(server_requests_to(b->receiver, "/inside"), 1 + TIMES);
    assert_int_equal(server_requests_to(b->receiver, "/tenant"), 0);
    background_check_books(b);
}

/* One that was replaced by another with less rights does not find the old one's connection. */
static void a_webhook_that_loses_its_switch_loses_its_connection(void **state) {
    guarded *g = *state;
    background *b = g->b;
    char url[100];
    server_step yes = posting_success(BB_CUSTOM);
    open_guarded(g);
    dns_set(g->names, "inside.test", "127.0.0.1", 60);
    add(g, "hook", "inside.test", &yes, 1, 1);
    background_enqueue(b, "first");
    background_drive_until(b, BB_NOTICE_DELIVERED, 1);
    snprintf(url, sizeof url, "http://inside.test:%d/hook", server_port(b->receiver));
    bb_webhook stricter = posting_hook(BB_CUSTOM, "hook", url);
    assert_int_equal(bb_dispatcher_replace(b->dispatcher, &stricter, NULL), BB_OK);
    background_enqueue(b, "second");
    background_drive_until(b, BB_NOTICE_DEAD, 1);
    assert_refused(b, 0, "127.0.0.1");
    assert_int_equal(server_requests(b->receiver), 1);
    background_check_books(b);
}

static void the_peer_of_a_connection_is_judged_before_a_request(void **state) {
    guarded *g = *state;
    background *b = g->b;
    server_step yes = posting_success(BB_CUSTOM);
    open_guarded(g);
    resolve_show_peers();
    set_public(g, "public.test");
    add(g, "tenant", "public.test", &yes, 1, 0);
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_DEAD, 1);
    assert_refused(b, 0, "127.0.0.1");
    assert_int_equal(server_requests(b->receiver), 0);
    background_check_books(b);
}

#define GUARD_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        GUARD_TEST(a_retry_a_day_later_meets_the_guard_again),
        GUARD_TEST(an_answer_with_public_and_private_addresses_leads_to_no_private_one),
        GUARD_TEST(a_private_answer_next_to_a_public_one_does_not_stop_delivery),
        GUARD_TEST(every_private_answer_is_refused),
        GUARD_TEST(a_kept_connection_is_not_lent_to_a_webhook_with_other_rules),
        GUARD_TEST(a_webhook_that_loses_its_switch_loses_its_connection),
        GUARD_TEST(the_peer_of_a_connection_is_judged_before_a_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
