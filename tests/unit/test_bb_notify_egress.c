/* bb-notify's way to the receiver: what its configuration says of proxies, of where connections are
 * made from and of TLS takes effect, and a mistake in it is told without its secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/bb_notify.h"
#include "support/certificate.h"
#include "support/proxy.h"

/* With these members in front. */
static void write_config(notify *fixture, const char *members) {
    char config[1024];
    snprintf(config, sizeof config, "{" NOTIFY_LOCAL ",%s,'webhooks':[" NOTIFY_CUSTOM("ops") "]}",
             members);
    notify_write_config(fixture, config);
}

static void its_proxy_is_used(void **state) {
    notify *fixture = *state;
    char members[300], target[64];
    proxy *p = proxy_start(&(proxy_options){
        .user = "me", .password = "s3cret", .to_port = server_port(fixture->receiver)});
    notify_answer_ok(fixture, "/ops");
    snprintf(members, sizeof members, "'proxy':'%s','proxy_user':'me','proxy_password':'s3cret'",
             proxy_url(p));
    write_config(fixture, members);
    assert_int_equal(notify_post(fixture, NULL), 0);
    snprintf(target, sizeof target, "127.0.0.1:%d", server_port(fixture->receiver));
    assert_int_equal(proxy_asked(p), 1);
    assert_string_equal(proxy_target(p, 0), target);
    snprintf(members, sizeof members, "'proxy':'%s','proxy_user':'me','proxy_password':'S3CRET'",
             proxy_url(p));
    write_config(fixture, members);
    assert_int_equal(notify_post(fixture, NULL), 1);
    assert_told(fixture->result.out, "the proxy");
    assert_not_told(fixture->result.out, "S3CRET");
    assert_not_told(fixture->result.err, "S3CRET");
    snprintf(members, sizeof members, "'proxy':'%s','no_proxy':'127.0.0.0/8'", proxy_url(p));
    write_config(fixture, members);
    assert_int_equal(notify_post(fixture, NULL), 0);
    assert_int_equal(proxy_asked(p), 2);
    proxy_stop(p);
}

static void the_environments_proxy_is_used_where_it_is_asked_for(void **state) {
    notify *fixture = *state;
    proxy *p = proxy_start(&(proxy_options){.to_port = server_port(fixture->receiver)});
    notify_answer_ok(fixture, "/ops");
    setenv("http_proxy", proxy_url(p), 1);
    write_config(fixture, "'use_environment_proxy':false");
    assert_int_equal(notify_post(fixture, NULL), 0);
    assert_int_equal(proxy_connections(p), 0);
    write_config(fixture, "'use_environment_proxy':true");
    assert_int_equal(notify_post(fixture, NULL), 0);
    assert_int_equal(proxy_asked(p), 1);
    unsetenv("http_proxy");
    proxy_stop(p);
}

static void its_source_is_used(void **state) {
    notify *fixture = *state;
    notify_answer_ok(fixture, "/ops");
    write_config(fixture, "'source':'127.0.0.9'");
    assert_int_equal(notify_post(fixture, NULL), 0);
    assert_string_equal(server_request_at(fixture->receiver, 0)->from, "127.0.0.9");
}

static void a_webhook_has_tls_of_its_own(void **state) {
    notify *fixture = *state;
    char certificate[128], key[128], pin[64], config[1200];
    snprintf(certificate, sizeof certificate, "%s/client.pem", fixture->directory);
    snprintf(key, sizeof key, "%s/client.key", fixture->directory);
    assert_true(certificate_files("me", certificate, key, "s3cret"));
    server *receiver =
        server_start(&(server_options){.tls_names = "IP:127.0.0.1", .client_ca = certificate});
    server_on(receiver, "/ops", &(server_step){.status = 200, .body = "{\"code\":0}"}, 1);
    assert_true(certificate_pin(server_ca_file(receiver), pin));
    snprintf(config, sizeof config,
             "{" NOTIFY_LOCAL ",'webhooks':[{'name':'ops','type':'custom','url':'%s',"
             "'activities':'all','client_certificate':'%s','client_key':'%s',"
             "'client_key_password':'s3cret','pinned_key':'%s','ca_file':'%s'}]}",
             server_url(receiver, "/ops"), certificate, key, pin, server_ca_file(receiver));
    notify_write_config(fixture, config);
    assert_int_equal(notify_post(fixture, NULL), 0);
    assert_string_equal(server_request_at(receiver, 0)->client, "me");
    server_stop(receiver);
    unlink(certificate);
    unlink(key);
}

static void a_mistake_is_told_without_its_secret(void **state) {
    static const struct {
        const char *members, *words;
    } cases[] = {
        {"'proxy':'http://proxy.example','proxy_user':'me','proxy_password':'s3cret'",
         "egress.proxy: has no port"},
        {"'proxy':''", "proxy: must not be empty"},
        {"'proxy':7", "proxy: must be a string"},
        {"'proxy_user':'me','proxy_password':'s3cret'", "proxy_user: is given without a proxy"},
        {"'use_environment_proxy':1", "use_environment_proxy: must be true or false"},
        {"'source':'eth 0'", "egress.source: is neither"},
        {"'webhooks':[{'name':'x','type':'custom','url':'https://h.example/','activities':'all',"
         "'client_certificate':'/nonexistent/a.pem'}]",
         "client_certificate: /nonexistent/a.pem: "},
        {"'webhooks':[{'name':'x','type':'custom','url':'https://h.example/','activities':'all',"
         "'client_key_password':'s3cret'}]",
         "client_key_password: is given without client_certificate"},
        {"'webhooks':[{'name':'x','type':'custom','url':'https://h.example/','activities':'all',"
         "'pinned_key':'sha256'}]",
         "pinned_key: is not sha256//"},
    };
    notify *fixture = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char config[600];
        int has_webhooks = strstr(cases[i].members, "'webhooks'") != NULL;
        snprintf(config, sizeof config, "{%s%s}", cases[i].members,
                 has_webhooks ? "" : ",'webhooks':[]");
        notify_write_config(fixture, config);
        assert_int_equal(notify_post(fixture, NULL), 2);
        assert_told(fixture->result.err, cases[i].words);
        assert_not_told(fixture->result.err, "s3cret");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        NOTIFY_TEST(its_proxy_is_used),
        NOTIFY_TEST(the_environments_proxy_is_used_where_it_is_asked_for),
        NOTIFY_TEST(its_source_is_used),
        NOTIFY_TEST(a_webhook_has_tls_of_its_own),
        NOTIFY_TEST(a_mistake_is_told_without_its_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
