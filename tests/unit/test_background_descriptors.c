/* A process has so many descriptors, and most of them are not the library's. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "support/background.h"
#include "support/dns.h"

#define BACKGROUND_TEST(function)                                                                  \
    cmocka_unit_test_setup_teardown(function, background_setup, background_teardown)

enum { DESCRIPTORS = 256, NAMES = 220, ROUNDS = 3 };

static size_t count_open(void) {
    size_t count = 0;
    for (int fd = 0; fd < DESCRIPTORS; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void add_names(background *b) {
    server_step yes = posting_success(BB_CUSTOM);
    server_on(b->receiver, "/hook", &yes, 1);
    for (int i = 0; i < NAMES; i++) {
        char id[16], url[100];
        snprintf(id, sizeof id, "hook%d", i);
        snprintf(url, sizeof url, "http://host%d.test:%d/hook", i, server_port(b->receiver));
        posting_add(b->dispatcher, BB_CUSTOM, id, url);
    }
}

/* The receivers keep theirs open as long as they can. */
static void kept_connections_leave_half_of_the_descriptors(void **state) {
    background *b = *state;
    struct rlimit before, low;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    server_stop(b->receiver);
    b->receiver = server_start(&(server_options){.own_process = 1});
    low = before;
    low.rlim_cur = DESCRIPTORS;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    size_t own = count_open();
    dns *names = dns_start();
    dns_set(names, "*", "127.0.0.1", 600);
    b->options.dns_servers = dns_servers(names);
    b->options.max_in_flight = 32;
    background_open(b);
    add_names(b);
    for (size_t i = 1; i <= ROUNDS; i++) {
        background_enqueue(b, NULL);
        background_flush(b);
        assert_int_equal(b->counts[BB_NOTICE_DELIVERED], i * NAMES);
        assert_in_range(count_open(), 1, own + DESCRIPTORS / 2 + 16);
    }
    dns_stop(names);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BACKGROUND_TEST(kept_connections_leave_half_of_the_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
