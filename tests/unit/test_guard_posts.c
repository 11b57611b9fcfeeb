/* The address guard in posts and test messages: what it refuses reaches nobody, whichever way it is
 * led to, and is told to the operator alone. */
#include "support/log.h"
#include "support/posting.h"
#include "support/resolve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static int close_names_and_world(void **state) {
    resolve_forget();
    return posting_close_world(state);
}

static void use_guarded(world *w) {
    bb_options options = posting_guarded_options();
    log_into(&options);
    posting_use(w, &options);
}

/* A webhook at the path "/<id>" of the receiver by the name. */
static bb_webhook hook_at(world *w, const char *id, const char *name) {
    static char urls[4][200];
    static size_t next;
    char *url = urls[next++ % 4], path[64];
    server_step yes = posting_success(BB_CUSTOM);
    snprintf(path, sizeof path, "/%s", id);
    server_on(w->receiver, path, &yes, 1);
    snprintf(url, sizeof urls[0], "http://%s:%d%s", name, server_port(w->receiver), path);
    return posting_hook(BB_CUSTOM, id, url);
}

static void add(world *w, const bb_webhook *hook) {
    bb_error error = BB_ERROR_INIT;
    if (bb_dispatcher_add(w->dispatcher, hook, &error) != BB_OK)
        fail_msg("%s", error.text);
}

static void assert_refused(const bb_attempt_report *row) {
    posting_assert_row(row, BB_DEAD, 0);
    assert_int_equal(row->outcome->advice, BB_ADVICE_OPERATOR);
    assert_int_equal(row->outcome->http_status, 0);
    assert_non_null(strstr(row->outcome->text, "an address that is refused"));
}

static void the_address_and_the_rule_are_for_the_operator_alone(void **state) {
    static const struct {
        const char *address, *rule;
    } cases[] = {{"127.0.0.1", "loopback"},
                 {"10.77.0.9", "private"},
                 {"169.254.169.254", "cloud metadata"},
                 {"100.64.3.2", "CGNAT"}};
    world *w = *state;
    use_guarded(w);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[32], told[64];
        snprintf(name, sizeof name, "inside%zu.example", i);
        resolve_to(name, cases[i].address, server_port(w->receiver));
        bb_webhook hook = hook_at(w, name, name);
        add(w, &hook);
        const bb_attempt_report *row = posting_send_one(w->dispatcher, name);
        assert_refused(row);
        assert_null(strstr(row->outcome->text, cases[i].address));
        assert_null(strstr(row->outcome->text, cases[i].rule));
        snprintf(told, sizeof told, "%s (", cases[i].address);
        assert_true(log_has(name, told));
        assert_true(log_has(told, cases[i].rule));
    }
    assert_int_equal(server_connections(w->receiver), 0);
}

static void the_test_message_meets_the_same_guard(void **state) {
    world *w = *state;
    bb_report *report;
    use_guarded(w);
    resolve_to("inside.example", "127.0.0.1", 0);
    bb_webhook hook = hook_at(w, "tenant", "inside.example");
    add(w, &hook);
    assert_int_equal(bb_webhook_test(w->dispatcher, "tenant", &report, NULL), BB_OK);
    assert_refused(bb_report_row(report, 0));
    assert_null(strstr(bb_report_row(report, 0)->outcome->text, "127.0.0.1"));
    bb_report_free(report);
    assert_true(log_has("tenant", "127.0.0.1 (loopback)"));
    assert_int_equal(server_connections(w->receiver), 0);
}

static void deny_and_allow_lists_hold_where_it_is_connected_to(void **state) {
    world *w = *state;
    bb_egress egress = BB_EGRESS_INIT;
    bb_options options = posting_guarded_options();
    egress.ports = "*";
    egress.allow_addresses = "127.0.0.0/8";
    egress.deny_addresses = "1.2.3.0/24";
    options.egress = &egress;
    log_into(&options);
    posting_use(w, &options);
    resolve_to("allowed.example", "127.0.0.1", 0);
    resolve_to("denied.example", "1.2.3.4", server_port(w->receiver));
    bb_webhook allowed = hook_at(w, "allowed", "allowed.example"),
               denied = hook_at(w, "denied", "denied.example");
    add(w, &allowed);
    add(w, &denied);
    bb_report *report = posting_send(w->dispatcher);
    posting_assert_row(posting_row(report, "allowed"), BB_DELIVERED, 1);
    assert_refused(posting_row(report, "denied"));
    bb_report_free(report);
    assert_true(log_has("denied", "1.2.3.4 (deny_addresses)"));
    assert_int_equal(server_requests(w->receiver), 1);
}

/* The operator's own receiver inside the network, and a tenant who has found out where it is. */
static void a_connection_of_one_webhook_is_not_lent_to_one_with_other_rules(void **state) {
    enum { TIMES = 3 };
    world *w = *state;
    use_guarded(w);
    resolve_to("inside.example", "127.0.0.1", 0);
    bb_webhook inside = hook_at(w, "inside", "inside.example"),
               tenant = hook_at(w, "tenant", "inside.example");
    inside.insecure_allow_private_addresses = 1;
    add(w, &inside);
    posting_assert_row(posting_send_one(w->dispatcher, "inside"), BB_DELIVERED, 1);
    add(w, &tenant);
    for (int i = 0; i < TIMES; i++) {
        bb_report *report = posting_send(w->dispatcher);
        posting_assert_row(posting_row(report, "inside"), BB_DELIVERED, 1);
        assert_true(posting_row(report, "inside")->reused_connection);
        assert_refused(posting_row(report, "tenant"));
        bb_report_free(report);
    }
    assert_int_equal(server_connections(w->receiver), 1);
    assert_int_equal(server_requests_to(w->receiver, "/inside"), 1 + TIMES);
    assert_int_equal(server_requests_to(w->receiver, "/tenant"), 0);
}

/* Where both may go they keep connections apart all the same. */
static void webhooks_with_different_rules_keep_their_own_connections(void **state) {
    enum { TIMES = 5 };
    world *w = *state;
    use_guarded(w);
    resolve_to("public.example", "1.2.3.4", server_port(w->receiver));
    bb_webhook one = hook_at(w, "one", "public.example"),
               other = hook_at(w, "other", "public.example");
    other.insecure_allow_private_addresses = 1;
    add(w, &one);
    add(w, &other);
    for (int i = 0; i < TIMES; i++) {
        bb_report *report = posting_send(w->dispatcher);
        posting_assert_row(posting_row(report, "one"), BB_DELIVERED, 1);
        posting_assert_row(posting_row(report, "other"), BB_DELIVERED, 1);
        bb_report_free(report);
    }
    assert_int_equal(server_connections(w->receiver), 2);
}

/* Their connections lie elsewhere than the others': they are kept, and end, all the same. */
static void connections_of_webhooks_with_own_rules_are_kept_and_renewed(void **state) {
    enum { HOOKS = 12, TIMES = 3 };
    world *w = *state;
    server_options tls = {.tls_names = "IP:127.0.0.1"};
    server *secure = server_start(&tls);
    bb_options options = posting_guarded_options();
    server_step yes = posting_success(BB_CUSTOM), last = yes;
    last.headers = "Content-Type: application/json\r\nConnection: close\r\n";
    last.end = SERVER_CLOSE;
    options.ca_file = server_ca_file(secure);
    posting_use(w, &options);
    for (int i = 0; i < HOOKS; i++) {
        char id[16], path[32];
        snprintf(id, sizeof id, "hook%d", i);
        snprintf(path, sizeof path, "/%s", id);
        server_on(secure, path, (server_step[]){yes, yes, last, yes}, 4);
        bb_webhook hook = posting_hook(BB_CUSTOM, id, server_url(secure, path));
        hook.insecure_allow_private_addresses = 1;
        add(w, &hook);
    }
    for (int i = 0; i < 2 * TIMES; i++) {
        bb_report *report = posting_send(w->dispatcher);
        assert_int_equal(bb_report_undelivered(report), 0);
        bb_report_free(report);
    }
    assert_int_equal(server_requests(secure), HOOKS * 2 * TIMES);
    assert_int_equal(server_connections(secure), 2 * HOOKS);
    server_stop(secure);
}

/* It ends elsewhere than where it was made to: the request is not sent. */
static void the_peer_of_a_connection_is_judged_before_a_request(void **state) {
    world *w = *state;
    use_guarded(w);
    resolve_show_peers();
    resolve_to("public.example", "1.2.3.4", server_port(w->receiver));
    bb_webhook hook = hook_at(w, "tenant", "public.example");
    add(w, &hook);
    const bb_attempt_report *row = posting_send_one(w->dispatcher, "tenant");
    assert_refused(row);
    assert_true(log_has("tenant", "127.0.0.1 (loopback)"));
    assert_true(server_wait_ended(w->receiver, 1, PATIENCE_MS));
    assert_int_equal(server_connections(w->receiver), 1);
    assert_int_equal(server_requests(w->receiver), 0);
}

static void a_redirect_is_not_followed(void **state) {
    static const char *const names[] = {"127.0.0.1", "localhost", "public.example"};
    world *w = *state;
    use_guarded(w);
    resolve_to("public.example", "1.2.3.4", server_port(w->receiver));
    server_on(w->receiver, "/elsewhere", STEPS({.status = 200}));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char headers[128];
        bb_webhook hook = hook_at(w, names[i], "public.example");
        snprintf(headers, sizeof headers, "Location: http://%s:%d/elsewhere\r\n", names[i],
                 server_port(w->receiver));
        server_step to = {.status = i == 2 ? 307 : 302, .headers = headers};
        server_on(w->receiver, strchr(hook.url + 7, '/'), &to, 1);
        add(w, &hook);
        const bb_attempt_report *row = posting_send_one(w->dispatcher, names[i]);
        posting_assert_row(row, BB_DEAD, 1);
        assert_int_equal(row->outcome->http_status, to.status);
    }
    assert_int_equal(server_requests_to(w->receiver, "/elsewhere"), 0);
}

static void a_mistake_in_a_list_makes_no_dispatcher(void **state) {
    static const struct {
        bb_egress egress;
        const char *field, *entry;
    } cases[] = {
        {{.allow_addresses = "10.0.0.0/40"}, "options.egress.allow_addresses", "10.0.0.0/40"},
        {{.deny_addresses = "8.8.8.8,x"}, "options.egress.deny_addresses", "\"x\""},
        {{.nat64_prefixes = "64:ff9b::/97"}, "options.egress.nat64_prefixes", "64:ff9b::/97"},
        {{.ports = "443,all"}, "options.egress.ports", "all"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bb_options options = BB_OPTIONS_INIT;
        bb_egress egress = cases[i].egress;
        bb_dispatcher *dispatcher;
        bb_error error = BB_ERROR_INIT;
        egress.struct_size = sizeof egress;
        options.egress = &egress;
        assert_int_equal(bb_dispatcher_new(&options, &dispatcher, &error), BB_ERR_ARGUMENT);
        assert_null(dispatcher);
        assert_non_null(strstr(error.text, cases[i].field));
        assert_non_null(strstr(error.text, cases[i].entry));
    }
}

#define WITH_NAMES(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, posting_open_world, close_names_and_world)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_NAMES(the_address_and_the_rule_are_for_the_operator_alone),
        WITH_NAMES(the_test_message_meets_the_same_guard),
        WITH_NAMES(deny_and_allow_lists_hold_where_it_is_connected_to),
        WITH_NAMES(a_connection_of_one_webhook_is_not_lent_to_one_with_other_rules),
        WITH_NAMES(webhooks_with_different_rules_keep_their_own_connections),
        WITH_NAMES(connections_of_webhooks_with_own_rules_are_kept_and_renewed),
        WITH_NAMES(the_peer_of_a_connection_is_judged_before_a_request),
        WITH_NAMES(a_redirect_is_not_followed),
        WITH_NAMES(a_mistake_in_a_list_makes_no_dispatcher),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
