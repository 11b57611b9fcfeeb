/* bb-notify's members about where requests may go, and what is told of an address that is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/bb_notify.h"
#include "support/dns.h"

#include <stdio.h>
#include <string.h>

#define OPS(more)                                                                                  \
    "'webhooks':[{'name':'ops','type':'custom','url':'@/ops','activities':'all'" more "}]"

static void one_webhook_may_have_its_receiver_inside(void **state) {
    notify *fixture = *state;
    notify_answer_ok(fixture, "/ops");
    notify_write_config(fixture, "{'insecure_allow_http':true," OPS(
                                     ",'insecure_allow_private_addresses':true") "}");
    assert_int_equal(notify_post(fixture, NULL), 0);
    assert_int_equal(server_requests(fixture->receiver), 1);
    notify_write_config(fixture, "{'insecure_allow_http':true," OPS("") "}");
    assert_int_equal(notify_post(fixture, NULL), 2);
    assert_told(fixture->result.err, "loopback");
    assert_int_equal(server_requests(fixture->receiver), 1);
}

static void the_lists_open_and_close(void **state) {
    static const struct {
        const char *members, *words; /* no words: it is delivered */
    } cases[] = {
        {"'allow_addresses':'127.0.0.0/8','ports':'*'", NULL},
        {"'allow_addresses':'10.0.0.0/8, 127.0.0.1','ports':'1-65535'", NULL},
        {"'allow_addresses':'127.0.0.0/8'", "egress.ports"},
        {"'allow_addresses':'127.0.0.0/8','ports':'8443'", "egress.ports"},
        {"'allow_addresses':'127.0.0.2','ports':'*'", "loopback"},
        {"'allow_addresses':'127.0.0.1','deny_addresses':'127.0.0.0/8','ports':'*'",
         "egress.deny_addresses"},
        {"'insecure_allow_private_addresses':true,'deny_addresses':'127.0.0.1'",
         "egress.deny_addresses"},
        {"'insecure_allow_private_addresses':true,'ports':'443'", "egress.ports"},
    };
    notify *fixture = *state;
    notify_answer_ok(fixture, "/ops");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char config[512];
        snprintf(config, sizeof config, "{'insecure_allow_http':true,%s," OPS("") "}",
                 cases[i].members);
        notify_write_config(fixture, config);
        int status = notify_post(fixture, NULL);
        if (status != (cases[i].words ? 2 : 0))
            fail_msg("%s: %d: %s", cases[i].members, status, fixture->result.err);
        if (cases[i].words)
            assert_told(fixture->result.err, cases[i].words);
    }
}

/* The tables and lines that go to others name no address; standard error does. */
static void a_refused_address_is_told_on_standard_error(void **state) {
    notify *fixture = *state;
    dns *names = dns_start();
    char config[512];
    dns_set(names, "inside.test", "127.0.0.1", 60);
    snprintf(config, sizeof config,
             "{'insecure_allow_http':true,'ports':'*','dns_servers':'%s','webhooks':[{'name':'ops',"
             "'type':'custom','url':'http://inside.test:%d/ops','activities':'all'}]}",
             dns_servers(names), server_port(fixture->receiver));
    notify_write_config(fixture, config);
    assert_int_equal(notify_post(fixture, "--background", NULL), 1);
    assert_told(fixture->result.err, "webhook \"ops\": not connected to 127.0.0.1 (loopback)\n");
    assert_not_told(fixture->result.out, "127.0.0.1");
    assert_told(fixture->result.out, "dead");
    assert_int_equal(server_connections(fixture->receiver), 0);
    dns_stop(names);
}

static void a_metadata_service_is_no_receiver(void **state) {
    notify *fixture = *state;
    notify_write_config(fixture,
                        "{" NOTIFY_LOCAL ",'allow_addresses':'0.0.0.0/0','webhooks':[{'name':'ops',"
                        "'type':'custom','url':'http://169.254.43518/','activities':'all'}]}");
    assert_int_equal(notify_post(fixture, NULL), 2);
    assert_told(fixture->result.err, "metadata");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        NOTIFY_TEST(one_webhook_may_have_its_receiver_inside),
        NOTIFY_TEST(the_lists_open_and_close),
        NOTIFY_TEST(a_refused_address_is_told_on_standard_error),
        NOTIFY_TEST(a_metadata_service_is_no_receiver),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
