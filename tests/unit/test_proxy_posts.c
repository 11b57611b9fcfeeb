/* Posts through a proxy: the receiver's address is found and judged here, the tunnel leads to it,
 * and what the proxy fails at is told as such, in time and without its password. */
#include "support/log.h"
#include "support/posting.h"
#include "support/proxy.h"
#include "support/resolve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT_MS = 700, SLACK_MS = 10000 };

static const char *const variables[] = {"https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY",
                                        "all_proxy",   "ALL_PROXY",   "no_proxy",   "NO_PROXY"};

static void set_variables(const char *value) {
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        if (value && i < 6)
            setenv(variables[i], value, 1);
        else
            unsetenv(variables[i]);
}

static int open_world(void **state) {
    set_variables(NULL);
    return posting_open_world(state);
}

static int close_world(void **state) {
    set_variables(NULL);
    resolve_forget();
    return posting_close_world(state);
}

/* The guard is on, but for ports; `change` NULL: the proxy and no more. */
static void use_egress(world *w, bb_egress egress, const char *ca_file) {
    bb_options options = posting_guarded_options();
    egress.struct_size = sizeof egress;
    egress.ports = "*";
    options.egress = &egress;
    options.ca_file = ca_file;
    log_into(&options);
    posting_use(w, &options);
}

static void use_proxy(world *w, const proxy *p) {
    use_egress(w, (bb_egress){.proxy = proxy_url(p)}, NULL);
}

static bb_webhook hook_at(server *receiver, const char *scheme, const char *id, const char *name) {
    static char urls[4][200];
    static size_t next;
    char *url = urls[next++ % 4], path[64];
    server_step yes = posting_success(BB_CUSTOM);
    snprintf(path, sizeof path, "/%s", id);
    server_on(receiver, path, &yes, 1);
    snprintf(url, sizeof urls[0], "%s://%s:%d%s", scheme, name, server_port(receiver), path);
    return posting_hook(BB_CUSTOM, id, url);
}

static void add(world *w, const bb_webhook *hook) {
    bb_error error = BB_ERROR_INIT;
    if (bb_dispatcher_add(w->dispatcher, hook, &error) != BB_OK)
        fail_msg("%s", error.text);
}

/* A webhook "hook" at the receiver by a public name, whose address is 1.2.3.4. */
static void add_public(world *w, server *receiver, const char *scheme) {
    resolve_to("public.example", "1.2.3.4", server_port(receiver));
    bb_webhook hook = hook_at(receiver, scheme, "hook", "public.example");
    hook.authorization = "Bearer of-the-receiver";
    add(w, &hook);
}

static void assert_target(proxy *p, size_t index, const char *address, int port) {
    char expected[80];
    snprintf(expected, sizeof expected, "%s:%d", address, port);
    assert_non_null(proxy_target(p, index));
    assert_string_equal(proxy_target(p, index), expected);
}

/* ---- the way there */

/* A second request finds the tunnel of the first. */
static void assert_way(world *w, server *receiver, proxy *p, const char *scheme) {
    char host[64];
    add_public(w, receiver, scheme);
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    const bb_attempt_report *row = posting_send_one(w->dispatcher, "hook");
    posting_assert_row(row, BB_DELIVERED, 1);
    assert_true(row->reused_connection);
    assert_int_equal(proxy_asked(p), 1);
    assert_target(p, 0, "1.2.3.4", server_port(receiver));
    assert_false(proxy_heard(p, "public.example"));
    assert_false(proxy_heard(p, "of-the-receiver"));
    assert_int_equal(server_connections(receiver), 1);
    snprintf(host, sizeof host, "public.example:%d", server_port(receiver));
    assert_string_equal(server_header(server_request_at(receiver, 0), "Host"), host);
}

static void a_tunnel_leads_to_the_checked_address(void **state) {
    world *w = *state;
    for (int socks = 0; socks <= 1; socks++) {
        server *receiver = server_start(NULL);
        proxy *p = proxy_start(&(proxy_options){.socks = socks, .to_port = server_port(receiver)});
        use_proxy(w, p);
        assert_way(w, receiver, p, "http");
        proxy_stop(p);
        server_stop(receiver);
    }
}

/* Its certificate is for the name, which the proxy was not told. */
static void the_name_stays_with_tls(void **state) {
    world *w = *state;
    for (int socks = 0; socks <= 1; socks++) {
        server *receiver = server_start(&(server_options){.tls_names = "DNS:public.example"});
        proxy *p = proxy_start(&(proxy_options){.socks = socks, .to_port = server_port(receiver)});
        use_egress(w, (bb_egress){.proxy = proxy_url(p)}, server_ca_file(receiver));
        assert_way(w, receiver, p, "https");
        proxy_stop(p);
        server_stop(receiver);
    }
}

static void a_certificate_behind_the_proxy_is_checked(void **state) {
    world *w = *state;
    server *receiver = server_start(&(server_options){.tls_names = "DNS:other.example"});
    proxy *p = proxy_start(&(proxy_options){.to_port = server_port(receiver)});
    use_egress(w, (bb_egress){.proxy = proxy_url(p)}, server_ca_file(receiver));
    add_public(w, receiver, "https");
    const bb_attempt_report *row = posting_send_one(w->dispatcher, "hook");
    posting_assert_row(row, BB_RETRY, 0);
    assert_non_null(strstr(row->outcome->text, "its certificate was not accepted"));
    assert_int_equal(server_requests(receiver), 0);
    proxy_stop(p);
    server_stop(receiver);
}

static void a_proxy_may_be_spoken_to_over_tls(void **state) {
    world *w = *state;
    proxy *p = proxy_start(
        &(proxy_options){.tls_names = "IP:127.0.0.1", .to_port = server_port(w->receiver)});
    use_egress(w, (bb_egress){.proxy = proxy_url(p)}, proxy_ca_file(p));
    assert_way(w, w->receiver, p, "http");
    server *other = server_start(&(server_options){.tls_names = "IP:127.0.0.1"});
    use_egress(w, (bb_egress){.proxy = proxy_url(p)}, server_ca_file(other));
    add_public(w, w->receiver, "http");
    const bb_attempt_report *row = posting_send_one(w->dispatcher, "hook");
    posting_assert_row(row, BB_RETRY, 0);
    assert_non_null(strstr(row->outcome->text, "the proxy: its certificate was not accepted"));
    assert_int_equal(server_requests(w->receiver), 2);
    proxy_stop(p);
    server_stop(other);
}

static void a_proxy_that_wants_a_password_gets_it(void **state) {
    world *w = *state;
    for (int i = 0; i < 4; i++) {
        char url[200];
        proxy *p = proxy_start(&(proxy_options){.socks = i % 2,
                                                .user = "operator",
                                                .password = "s3cret pass",
                                                .to_port = server_port(w->receiver)});
        snprintf(url, sizeof url, "%s://operator:s3cret%%20pass@127.0.0.1:%d/",
                 i % 2 ? "socks5h" : "http", proxy_port(p));
        bb_egress apart = {
            .proxy = proxy_url(p), .proxy_user = "operator", .proxy_password = "s3cret pass"};
        use_egress(w, i < 2 ? apart : (bb_egress){.proxy = url}, NULL);
        add_public(w, w->receiver, "http");
        posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
        assert_target(p, 0, "1.2.3.4", server_port(w->receiver));
        proxy_stop(p);
    }
}

/* ---- the guard */

static void the_guard_judges_what_the_proxy_is_asked_for(void **state) {
    static const char *const inside[] = {"127.0.0.1", "10.1.2.3", "169.254.169.254"};
    world *w = *state;
    for (size_t i = 0; i < 6; i++) {
        const char *address = inside[i / 2];
        proxy *p =
            proxy_start(&(proxy_options){.socks = i % 2, .to_port = server_port(w->receiver)});
        use_proxy(w, p);
        resolve_to("inside.example", address, 0);
        bb_webhook hook = hook_at(w->receiver, "http", "tenant", "inside.example");
        add(w, &hook);
        const bb_attempt_report *row = posting_send_one(w->dispatcher, "tenant");
        posting_assert_row(row, BB_DEAD, 0);
        assert_non_null(strstr(row->outcome->text, "an address that is refused"));
        assert_null(strstr(row->outcome->text, address));
        assert_true(log_has("tenant", address));
        assert_int_equal(proxy_connections(p), 0); /* at 127.0.0.1: it would have been allowed */
        proxy_stop(p);
    }
    assert_int_equal(server_connections(w->receiver), 0);
}

/* By address and by a name that leads inside; nothing else that is inside is opened by it. */
static void the_proxy_itself_may_be_inside_the_network(void **state) {
    world *w = *state;
    char url[64];
    proxy *p = proxy_start(&(proxy_options){.to_port = server_port(w->receiver)});
    resolve_to("proxy.example", "10.9.9.9", proxy_port(p));
    snprintf(url, sizeof url, "http://proxy.example:%d", proxy_port(p));
    use_egress(w, (bb_egress){.proxy = url}, NULL);
    add_public(w, w->receiver, "http");
    resolve_to("inside.example", "10.9.9.9", proxy_port(p));
    bb_webhook tenant = hook_at(w->receiver, "http", "tenant", "inside.example");
    add(w, &tenant);
    bb_report *report = posting_send(w->dispatcher);
    posting_assert_row(posting_row(report, "hook"), BB_DELIVERED, 1);
    posting_assert_row(posting_row(report, "tenant"), BB_DEAD, 0);
    bb_report_free(report);
    assert_int_equal(proxy_asked(p), 1);
    assert_true(log_has("tenant", "10.9.9.9 (private)"));
    proxy_stop(p);
}

static void a_host_of_no_proxy_is_reached_directly_and_judged(void **state) {
    world *w = *state;
    proxy *p = proxy_start(&(proxy_options){.to_port = server_port(w->receiver)});
    use_egress(w, (bb_egress){.proxy = proxy_url(p), .no_proxy = "direct.example,10.0.0.0/8"},
               NULL);
    resolve_to("a.direct.example", "1.2.3.4", server_port(w->receiver));
    resolve_to("b.direct.example", "127.0.0.1", 0);
    bb_webhook hook = hook_at(w->receiver, "http", "hook", "a.direct.example"),
               tenant = hook_at(w->receiver, "http", "tenant", "b.direct.example");
    add(w, &hook);
    add(w, &tenant);
    bb_report *report = posting_send(w->dispatcher);
    posting_assert_row(posting_row(report, "hook"), BB_DELIVERED, 1);
    posting_assert_row(posting_row(report, "tenant"), BB_DEAD, 0);
    bb_report_free(report);
    assert_int_equal(proxy_connections(p), 0);
    assert_int_equal(server_connections(w->receiver), 1);
    proxy_stop(p);
}

static void a_name_without_an_address_never_reaches_the_proxy(void **state) {
    world *w = *state;
    proxy *p = proxy_start(&(proxy_options){.to_port = server_port(w->receiver)});
    use_proxy(w, p);
    resolve_fail("nowhere.example");
    bb_webhook hook = hook_at(w->receiver, "http", "hook", "nowhere.example");
    add(w, &hook);
    const bb_attempt_report *row = posting_send_one(w->dispatcher, "hook");
    posting_assert_row(row, BB_RETRY, 0);
    assert_non_null(strstr(row->outcome->text, "its name has no address"));
    assert_int_equal(proxy_connections(p), 0);
    proxy_stop(p);
}

/* ---- what a proxy fails at */

static void assert_no_secret(const bb_attempt_report *row) {
    assert_null(strstr(row->outcome->text, "s3cret"));
    assert_null(strstr(row->outcome->text, "operator"));
    assert_null(strstr(row->outcome->text, "127.0.0.1"));
    assert_false(log_has("s3cret", ""));
}

static void a_refusal_of_the_proxy_is_told_as_one(void **state) {
    static const struct {
        proxy_options proxy;
        const char *words;
        int is_receivers; /* fault */
    } cases[] = {
        {{.user = "operator", .password = "other"}, "another user name or password (407)", 0},
        {{.socks = 1, .user = "operator", .password = "other"}, "another user name or password", 0},
        {{.refusal = 403}, "the proxy: it does not allow this (403)", 0},
        {{.socks = 1, .refusal = 2}, "the proxy: it does not allow this", 0},
        {{.refusal = 502}, "no connection: the proxy could not reach it", 1},
        {{.socks = 1, .refusal = 5}, "no connection: the proxy could not reach it", 1},
        {{.refusal = 418}, "the proxy: it refused the request for a tunnel", 0},
        {{.socks = 1, .refusal = 7}, "the proxy: it refused the request for a tunnel", 0},
        {{.hangs_up = 1}, "the proxy: it closed the connection", 0},
        {{.socks = 1, .hangs_up = 1}, "the proxy: ", 0},
    };
    world *w = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        proxy_options options = cases[i].proxy;
        options.to_port = server_port(w->receiver);
        proxy *p = proxy_start(&options);
        use_egress(w,
                   (bb_egress){
                       .proxy = proxy_url(p), .proxy_user = "operator", .proxy_password = "s3cret"},
                   NULL);
        add_public(w, w->receiver, "http");
        const bb_attempt_report *row = posting_send_one(w->dispatcher, "hook");
        posting_assert_row(row, BB_RETRY, 0);
        if (!strstr(row->outcome->text, cases[i].words))
            fail_msg("case %zu: %s", i, row->outcome->text);
        assert_int_equal(row->outcome->advice, cases[i].is_receivers ? 0 : BB_ADVICE_OPERATOR);
        assert_int_equal(row->outcome->http_status, 0);
        assert_no_secret(row);
        proxy_stop(p);
    }
    assert_int_equal(server_connections(w->receiver), 0);
}

static void a_proxy_that_is_away_is_told(void **state) {
    world *w = *state;
    for (int socks = 0; socks <= 1; socks++) {
        char url[64];
        proxy *p = proxy_start(&(proxy_options){.socks = socks});
        snprintf(url, sizeof url, "%s", proxy_url(p));
        proxy_stop(p);
        use_egress(w, (bb_egress){.proxy = url}, NULL);
        add_public(w, w->receiver, "http");
        const bb_attempt_report *row = posting_send_one(w->dispatcher, "hook");
        posting_assert_row(row, BB_RETRY, 0);
        assert_non_null(strstr(row->outcome->text, "the proxy: it could not be connected to"));
        assert_no_secret(row);
    }
    resolve_fail("proxy.example");
    use_egress(w, (bb_egress){.proxy = "http://proxy.example:3128"}, NULL);
    add_public(w, w->receiver, "http");
    const bb_attempt_report *row = posting_send_one(w->dispatcher, "hook");
    posting_assert_row(row, BB_RETRY, 0);
    assert_non_null(strstr(row->outcome->text, "the proxy: its name has no address"));
    assert_int_equal(server_connections(w->receiver), 0);
}

static void a_proxy_that_is_silent_costs_the_time_to_connect(void **state) {
    static const struct {
        int socks;
        const char *scheme, *words;
    } cases[] = {{0, "http", "the proxy: it did not answer in time"},
                 {0, "https", "the proxy: it did not answer in time"},
                 {1, "http", "the proxy: it did not answer in time"},
                 {1, "https", "neither the proxy nor what is behind it answered in time"}};
    world *w = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        proxy *p = proxy_start(&(proxy_options){.socks = cases[i].socks, .silent = 1});
        bb_options options = posting_guarded_options();
        bb_egress egress = BB_EGRESS_INIT;
        egress.ports = "*";
        egress.proxy = proxy_url(p);
        options.egress = &egress;
        options.connect_timeout_ms = LIMIT_MS;
        log_into(&options);
        posting_use(w, &options);
        add_public(w, w->receiver, cases[i].scheme);
        int64_t began = server_now_ms();
        const bb_attempt_report *row = posting_send_one(w->dispatcher, "hook");
        posting_assert_row(row, BB_RETRY, 0);
        assert_true(server_now_ms() - began < LIMIT_MS + SLACK_MS);
        assert_true(server_now_ms() - began >= LIMIT_MS - 50);
        if (!strstr(row->outcome->text, cases[i].words))
            fail_msg("case %zu: %s", i, row->outcome->text);
        proxy_stop(p);
    }
    assert_int_equal(server_connections(w->receiver), 0);
}

/* ---- the environment */

static void the_environment_is_ignored_unless_asked_for(void **state) {
    world *w = *state;
    proxy *p = proxy_start(&(proxy_options){.to_port = server_port(w->receiver)});
    set_variables(proxy_url(p));
    use_egress(w, (bb_egress){0}, NULL);
    add_public(w, w->receiver, "http");
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    assert_int_equal(proxy_connections(p), 0);
    use_egress(w, (bb_egress){.use_environment_proxy = 1}, NULL);
    set_variables(NULL); /* it has been read */
    add_public(w, w->receiver, "http");
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    assert_int_equal(proxy_asked(p), 1);
    assert_target(p, 0, "1.2.3.4", server_port(w->receiver));
    resolve_to("inside.example", "127.0.0.1", 0);
    bb_webhook tenant = hook_at(w->receiver, "http", "tenant", "inside.example");
    add(w, &tenant);
    posting_assert_row(posting_send_one(w->dispatcher, "tenant"), BB_DEAD, 0);
    assert_int_equal(proxy_asked(p), 1);
    proxy_stop(p);
}

static void the_environment_is_read_by_the_rules_of_libcurl(void **state) {
    static const struct {
        const char *name;
        int is_used; /* for an http:// URL */
    } cases[] = {{"http_proxy", 1},  {"HTTP_PROXY", 0}, {"https_proxy", 0},
                 {"HTTPS_PROXY", 0}, {"all_proxy", 1},  {"ALL_PROXY", 1}};
    world *w = *state;
    size_t used = 0;
    proxy *p = proxy_start(&(proxy_options){.to_port = server_port(w->receiver)});
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        set_variables(NULL);
        setenv(cases[i].name, proxy_url(p), 1);
        use_egress(w, (bb_egress){.use_environment_proxy = 1}, NULL);
        add_public(w, w->receiver, "http");
        posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
        used += (size_t)cases[i].is_used;
        assert_int_equal(proxy_asked(p), used);
    }
    setenv("no_proxy", "localhost,.example", 1);
    use_egress(w, (bb_egress){.use_environment_proxy = 1}, NULL);
    add_public(w, w->receiver, "http");
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    assert_int_equal(proxy_asked(p), used);
    proxy_stop(p);
}

#define WITH_PROXY(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_PROXY(a_tunnel_leads_to_the_checked_address),
        WITH_PROXY(the_name_stays_with_tls),
        WITH_PROXY(a_certificate_behind_the_proxy_is_checked),
        WITH_PROXY(a_proxy_may_be_spoken_to_over_tls),
        WITH_PROXY(a_proxy_that_wants_a_password_gets_it),
        WITH_PROXY(the_guard_judges_what_the_proxy_is_asked_for),
        WITH_PROXY(the_proxy_itself_may_be_inside_the_network),
        WITH_PROXY(a_host_of_no_proxy_is_reached_directly_and_judged),
        WITH_PROXY(a_name_without_an_address_never_reaches_the_proxy),
        WITH_PROXY(a_refusal_of_the_proxy_is_told_as_one),
        WITH_PROXY(a_proxy_that_is_away_is_told),
        WITH_PROXY(a_proxy_that_is_silent_costs_the_time_to_connect),
        WITH_PROXY(the_environment_is_ignored_unless_asked_for),
        WITH_PROXY(the_environment_is_read_by_the_rules_of_libcurl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
