/* A resolver starts with the servers of the host or the system, and does without memory. */
#include "support/resolving.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "support/alloc.h"

/* ------------------------------------------------------------------- servers -- */

static void servers_are_a_list_of_addresses(void **state) {
    (void)state;
    static const char *const good[] = {
        "192.0.2.53",     "192.0.2.53:5353",
        "2001:db8::53",   "[2001:db8::53]",
        "[::1]:1",        "::1,127.0.0.1:65535",
        "2001::53",       "::",
        "192.0.2.53:053", "1.1.1.1,1.1.1.2,::3,4.4.4.4,5.5.5.5,6.6.6.6,7.7.7.7,8.8.8.8",
    };
    static const char *const bad[] = {
        "",
        ",",
        "192.0.2.53,",
        ",192.0.2.53",
        "dns.test",
        "192.0.2",
        "192.0.2.53:",
        "192.0.2.53:0",
        "192.0.2.53:65536",
        "192.0.2.53:1x",
        "[::1",
        "::1]",
        "[::1]53",
        "[::1]:",
        "[192.0.2.53]",
        "[]",
        "fe80::1%lo",
        "[fe80::1%lo]:1",
        "192.0.2.53 ,::1",
        "192.0.2.53; ::1",
        ":53",
        "192.0.2.53:+1",
        "192.0.2.53:5:3",
        "1.1.1.1,1.1.1.2,::3,4.4.4.4,5.5.5.5,6.6.6.6,7.7.7.7,8.8.8.8,9.9.9.9",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:0000:1111:2222",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        resolving r;
        assert_true(bb_resolver_is_server_list(good[i]));
        resolving_open(&r, good[i]); /* c-ares agrees */
        assert_non_null(r.resolver);
        resolving_close(&r);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        resolving r;
        if (bb_resolver_is_server_list(bad[i]))
            fail_msg("taken for a list: %s", bad[i]);
        resolving_open(&r, bad[i]);
        assert_null(r.resolver);
        resolving_close(&r);
    }
}

static void the_system_has_servers(void **state) {
    (void)state;
    struct bb_resolver_config config = {.mem = alloc_library()};
    struct bb_resolver *resolver = bb_resolver_new(&config);
    assert_non_null(resolver);
    assert_int_equal(bb_resolver_timeout_ms(resolver), -1);
    bb_resolver_free(resolver);
    bb_resolver_free(NULL);
}

/* A second later. */
static void behind_a_silent_server_the_next_is_asked(void **state) {
    (void)state;
    resolving r;
    char servers[128];
    dns *silent = dns_start(), *answering = dns_start();
    dns_silent(silent, "*");
    dns_set(answering, "*", "192.0.2.1", 60);
    snprintf(servers, sizeof(servers), "%s,%s", dns_servers(silent), dns_servers(answering));
    resolving_open(&r, servers);
    assert_string_equal(resolving_look_up(&r, "hooks.test").list, "192.0.2.1");
    assert_true(dns_count(silent, "*") > 0);
    resolving_close(&r);
    dns_stop(silent);
    dns_stop(answering);
}

/* -------------------------------------------------------------------- memory -- */

static void look_up_once(void *user) {
    (void)user;
    resolving r;
    resolving_open(&r, NULL);
    if (r.resolver != NULL) {
        dns_set(r.names, "hooks.test", "192.0.2.1", 60);
        probe p = resolving_look_up(&r, "hooks.test");
        if (alloc_has_failed())
            assert_string_equal(p.why, "out of memory");
        else
            assert_string_equal(p.list, "192.0.2.1");
        alloc_end();
        r.now_ms += 1000; /* there is memory again */
        assert_string_equal(resolving_look_up(&r, "hooks.test").list, "192.0.2.1");
    } else {
        assert_true(alloc_has_failed());
    }
    resolving_close(&r);
}

static void without_memory_a_look_up_fails_with_a_sentence(void **state) {
    (void)state;
    alloc_fail_each("bb_resolver_find", 0, look_up_once, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_are_a_list_of_addresses),
        cmocka_unit_test(the_system_has_servers),
        cmocka_unit_test(behind_a_silent_server_the_next_is_asked),
        cmocka_unit_test_teardown(without_memory_a_look_up_fails_with_a_sentence, alloc_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
