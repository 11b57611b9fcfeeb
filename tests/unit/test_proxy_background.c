/* Background delivery through a proxy: each attempt is asked for by an address that was judged,
 * whoever looked it up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "support/background.h"
#include "support/dns.h"
#include "support/log.h"
#include "support/proxy.h"
#include "support/resolve.h"

typedef struct proxied {
    background *b;
    dns *names;
    proxy *p;
} proxied;

static int setup(void **state) {
    static proxied w;
    void *b;
    if (background_setup(&b) != 0)
        return -1;
    w = (proxied){.b = b, .names = dns_start()};
    w.b->options.dns_servers = dns_servers(w.names);
    *state = &w;
    return 0;
}

static int teardown(void **state) {
    proxied *w = *state;
    int code = background_teardown((void **)&w->b);
    proxy_stop(w->p);
    dns_stop(w->names);
    resolve_forget();
    return code;
}

static void open_with(proxied *w, proxy_options how) {
    bb_options options = background_bb_options(w->b);
    bb_egress egress = BB_EGRESS_INIT;
    how.to_port = server_port(w->b->receiver);
    proxy_stop(w->p);
    w->p = proxy_start(&how);
    egress.ports = "*";
    egress.proxy = proxy_url(w->p);
    options.egress = &egress;
    options.insecure_allow_private_addresses = 0;
    log_into(&options);
    w->b->dispatcher = posting_dispatcher(&options);
}

static void add(proxied *w, const char *id, const char *host) {
    char path[64], url[200];
    server_step yes = posting_success(BB_CUSTOM);
    snprintf(path, sizeof path, "/%s", id);
    server_on(w->b->receiver, path, &yes, 1);
    snprintf(url, sizeof url, "http://%s:%d%s", host, server_port(w->b->receiver), path);
    bb_webhook hook = posting_hook(BB_CUSTOM, id, url);
    hook.no_rate = 1;
    background_add(w->b, &hook);
}

static void assert_target(proxied *w, size_t index, const char *address) {
    char expected[80];
    snprintf(expected, sizeof expected, "%s:%d", address, server_port(w->b->receiver));
    assert_non_null(proxy_target(w->p, index));
    assert_string_equal(proxy_target(w->p, index), expected);
}

/* Two of each: the second finds the tunnel of the first. */
static void assert_ways(proxied *w) {
    background *b = w->b;
    dns_set(w->names, "public.test", "10.0.0.1,1.2.3.4", 60);
    dns_set(w->names, "six.test", "2606:4700::1111", 60);
    add(w, "public", "public.test");
    add(w, "literal", "1.2.3.5");
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_DELIVERED, 2);
    background_enqueue(b, "two");
    background_drive_until(b, BB_NOTICE_DELIVERED, 4);
    assert_int_equal(proxy_asked(w->p), 2);
    bb_dispatcher_remove(b->dispatcher, "literal", NULL);
    add(w, "six", "six.test");
    background_enqueue(b, "three");
    background_drive_until(b, BB_NOTICE_DELIVERED, 6);
    assert_int_equal(proxy_asked(w->p), 3);
    assert_target(w, 2, "[2606:4700::1111]");
    size_t literal = strstr(proxy_target(w->p, 0), "1.2.3.5") ? 0 : 1;
    assert_target(w, literal, "1.2.3.5");
    assert_target(w, !literal, "1.2.3.4");
    assert_false(proxy_heard(w->p, "public.test"));
    assert_int_equal(server_connections(b->receiver), 3);
    background_check_books(b);
}

static void tunnels_of_http_lead_to_checked_addresses(void **state) {
    open_with(*state, (proxy_options){0});
    assert_ways(*state);
}

static void tunnels_of_socks_lead_to_checked_addresses(void **state) {
    open_with(*state, (proxy_options){.socks = 1});
    assert_ways(*state);
}

/* Of a receiver with addresses of both families, as most have: within the attempt. */
static void what_the_proxy_does_not_reach_by_one_family_it_is_asked_for_by_the_other(void **state) {
    proxied *w = *state;
    background *b = w->b;
    for (int socks = 0; socks <= 1; socks++) {
        open_with(w, (proxy_options){.socks = socks, .refusal = socks ? 4 : 503, .refusals = 1});
        dns_set(w->names, "both.test", "2606:4700::1111,1.2.3.4,2606:4700::2222", 60);
        add(w, "both", "both.test");
        background_enqueue(b, "one");
        background_drive_until(b, BB_NOTICE_DELIVERED, (size_t)socks + 1);
        assert_int_equal(background_told(b, BB_NOTICE_DELIVERED, (size_t)socks)->attempt, 1);
        assert_int_equal(proxy_asked(w->p), 2);
        bool is_v6_first = *proxy_target(w->p, 0) == '[';
        assert_target(w, is_v6_first, "1.2.3.4");
        assert_true(strstr(proxy_target(w->p, !is_v6_first), "[2606:4700::"));
        bb_dispatcher_free(b->dispatcher);
        b->dispatcher = NULL;
    }
    open_with(w, (proxy_options){.refusal = 502});
    add(w, "both", "both.test");
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_RETRYING, 1);
    assert_non_null(strstr(background_told(b, BB_NOTICE_RETRYING, 0)->text, "could not reach it"));
    assert_int_equal(proxy_asked(w->p), 2);
}

static void the_systems_resolver_is_asked_where_it_is_wanted(void **state) {
    proxied *w = *state;
    background *b = w->b;
    b->options.resolver = BB_RESOLVER_SYSTEM;
    b->options.dns_servers = NULL;
    open_with(w, (proxy_options){.socks = 1});
    resolve_to("public.test", "1.2.3.4", 0);
    add(w, "public", "public.test");
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_DELIVERED, 1);
    assert_target(w, 0, "1.2.3.4");
    assert_int_equal(resolve_lookups("public.test"), 1);
    background_check_books(b);
}

static void the_guard_judges_what_the_proxy_is_asked_for(void **state) {
    static const char *const answers[] = {"127.0.0.1", "10.0.0.1,10.0.0.2", "169.254.169.254",
                                          "::1", "64:ff9b::7f00:1"};
    enum { COUNT = sizeof answers / sizeof *answers };
    proxied *w = *state;
    background *b = w->b;
    open_with(w, (proxy_options){0});
    for (size_t i = 0; i < COUNT; i++) {
        char id[16], name[32];
        snprintf(id, sizeof id, "tenant%zu", i);
        snprintf(name, sizeof name, "inside%zu.test", i);
        dns_set(w->names, name, answers[i], 60);
        add(w, id, name);
    }
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_DEAD, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        assert_non_null(strstr(background_told(b, BB_NOTICE_DEAD, i)->text, "is refused"));
    assert_true(log_has("tenant0", "127.0.0.1 (loopback)"));
    assert_true(log_has("tenant1", "10.0.0.1 (private), 10.0.0.2 (private)"));
    assert_int_equal(proxy_connections(w->p), 0);
    assert_int_equal(server_connections(b->receiver), 0);
    background_check_books(b);
}

/* Told as the proxy's fault, tried again, and never as sent. */
static void what_the_proxy_fails_at_is_tried_again(void **state) {
    static const proxy_options ways[] = {
        {.refusal = 403}, {.socks = 1, .refusal = 1}, {.hangs_up = 1}};
    proxied *w = *state;
    background *b = w->b;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        open_with(w, ways[i]);
        dns_set(w->names, "public.test", "1.2.3.4", 60);
        add(w, "public", "public.test");
        background_enqueue(b, "one");
        background_drive_until(b, BB_NOTICE_RETRYING, i + 1);
        const told *t = background_told(b, BB_NOTICE_RETRYING, i);
        assert_int_equal(t->sent, 0);
        assert_non_null(strstr(t->text, "no way through the proxy: it"));
        bb_dispatcher_free(b->dispatcher);
        b->dispatcher = NULL;
    }
    assert_int_equal(server_connections(b->receiver), 0);
}

static void what_is_under_way_to_a_silent_proxy_can_be_stopped(void **state) {
    proxied *w = *state;
    background *b = w->b;
    open_with(w, (proxy_options){.silent = 1});
    dns_set(w->names, "public.test", "1.2.3.4", 60);
    add(w, "public", "public.test");
    background_enqueue(b, "one");
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    int64_t until_ms = server_now_ms() + BACKGROUND_PATIENCE_MS;
    while (proxy_asked(w->p) == 0 && server_now_ms() < until_ms)
        bb_dispatcher_flush(b->dispatcher, 10, NULL);
    assert_int_equal(proxy_asked(w->p), 1);
    int64_t began = server_now_ms();
    bb_dispatcher_stop(b->dispatcher, 0, NULL, NULL);
    assert_true(server_now_ms() - began < 5000);
    assert_int_equal(background_stats(b, NULL).sent, 0);
}

#define PROXY_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        PROXY_TEST(tunnels_of_http_lead_to_checked_addresses),
        PROXY_TEST(tunnels_of_socks_lead_to_checked_addresses),
        PROXY_TEST(what_the_proxy_does_not_reach_by_one_family_it_is_asked_for_by_the_other),
        PROXY_TEST(the_systems_resolver_is_asked_where_it_is_wanted),
        PROXY_TEST(the_guard_judges_what_the_proxy_is_asked_for),
        PROXY_TEST(what_the_proxy_fails_at_is_tried_again),
        PROXY_TEST(what_is_under_way_to_a_silent_proxy_can_be_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
