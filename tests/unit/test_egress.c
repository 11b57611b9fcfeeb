/* The way out: where connections are made from, and how mistakes in its settings are told. */
#include "support/posting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void use_source(world *w, const char *source) {
    bb_options options = posting_options();
    bb_egress egress = BB_EGRESS_INIT;
    server_step yes = posting_success(BB_CUSTOM);
    egress.source = source;
    options.egress = &egress;
    posting_use(w, &options);
    posting_script(w, BB_CUSTOM, "hook", &yes, 1);
}

static void connections_are_made_from_the_source(void **state) {
    static const char *const unusable[] = {"192.0.2.77", "nosuch0"};
    world *w = *state;
    use_source(w, "127.0.0.9");
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    assert_string_equal(server_request_at(w->receiver, 0)->from, "127.0.0.9");
    use_source(w, "lo");
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    for (size_t i = 0; i < sizeof unusable / sizeof *unusable; i++) {
        use_source(w, unusable[i]);
        const bb_attempt_report *row = posting_send_one(w->dispatcher, "hook");
        posting_assert_row(row, BB_RETRY, 0);
        assert_int_equal(row->outcome->advice, BB_ADVICE_OPERATOR);
        if (!strstr(row->outcome->text, "not sent: the source of connections (egress.source)"))
            fail_msg("%s", row->outcome->text);
    }
    assert_int_equal(server_requests(w->receiver), 2);
}

static void assert_mistake(bb_egress egress, const char *words) {
    bb_options options = BB_OPTIONS_INIT;
    bb_dispatcher *dispatcher;
    bb_error error = BB_ERROR_INIT;
    egress.struct_size = sizeof egress;
    options.egress = &egress;
    assert_int_equal(bb_dispatcher_new(&options, &dispatcher, &error), BB_ERR_ARGUMENT);
    assert_null(dispatcher);
    if (!strstr(error.text, words))
        fail_msg("not \"%s\": %s", words, error.text);
    assert_null(strstr(error.text, "s3cret"));
}

static void a_mistake_in_the_proxy_makes_no_dispatcher(void **state) {
    static const struct {
        bb_egress egress;
        const char *words;
    } cases[] = {
        {{.proxy = "http://user:s3cret@proxy.example"}, "egress.proxy: has no port"},
        {{.proxy = "http://[::1]"}, "egress.proxy: has no port"},
        {{.proxy = "http://user:s3cret@proxy.example:0"}, "egress.proxy: has a port that is none"},
        {{.proxy = "proxy.example:65536"}, "egress.proxy: has a port that is none"},
        {{.proxy = "http://:3128"}, "egress.proxy: has no host"},
        {{.proxy = "http://user:s3cret@[::1:3128"}, "egress.proxy: has no host"},
        {{.proxy = "http://p.example:3128/path"}, "egress.proxy: has something after its port"},
        {{.proxy = "http://p.example:3128 "}, "egress.proxy: has a blank"},
        {{.proxy = "http://user:s3cret/s3cret@p.example:3128"}, "before its host that must be"},
        {{.proxy = "socks4://p.example:1080"}, "egress.proxy: is none of"},
        {{.proxy_user = "user"}, "egress.proxy_user: is given without a proxy"},
        {{.no_proxy = "*"}, "egress.no_proxy: is given without a proxy"},
        {{.proxy = "http://p.example:1", .proxy_password = "s3cret"}, "egress.proxy_password: "},
        {{.proxy = "http://p.example:1", .use_environment_proxy = 1}, "use_environment_proxy"},
        {{.source = "eth0 "}, "egress.source: is neither"},
        {{.source = "host!name"}, "egress.source: is neither"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_mistake(cases[i].egress, cases[i].words);
    setenv("https_proxy", "http://user:s3cret@proxy.example", 1);
    assert_mistake((bb_egress){.use_environment_proxy = 1}, "https_proxy has no port");
    unsetenv("https_proxy");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_WORLD(connections_are_made_from_the_source),
        cmocka_unit_test(a_mistake_in_the_proxy_makes_no_dispatcher),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
