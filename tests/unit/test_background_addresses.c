/* Names with several addresses, of which not all can be reached. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/background.h"
#include "support/dns.h"

#define BACKGROUND_TEST(function)                                                                  \
    cmocka_unit_test_setup_teardown(function, background_setup, background_teardown)

enum { PROMPT_MS = 3000, FILLERS = 4 };

/* The receiver listens at 127.0.0.1 only. */
static dns *open_with_addresses(background *b, const char *addresses) {
    char url[100];
    dns *names = dns_start();
    server_step yes = posting_success(BB_CUSTOM);
    dns_set(names, "many.test", addresses, 60);
    b->options.dns_servers = dns_servers(names);
    background_open(b);
    server_on(b->receiver, "/hook", &yes, 1);
    snprintf(url, sizeof url, "http://many.test:%d/hook", server_port(b->receiver));
    posting_add(b->dispatcher, BB_CUSTOM, "hook", url);
    return names;
}

static void assert_delivered_promptly(background *b, const char *addresses) {
    dns *names = open_with_addresses(b, addresses);
    int64_t began = server_now_ms();
    background_enqueue(b, NULL);
    background_flush(b);
    assert_true(server_now_ms() - began < PROMPT_MS);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 1);
    background_check_books(b);
    dns_stop(names);
}

static void addresses_that_refuse_are_passed_over_at_once(void **state) {
    assert_delivered_promptly(*state, "127.0.0.2,127.0.0.3,127.0.0.4,127.0.0.5,127.0.0.1");
}

/* A listener that takes nothing in, and whose queue is full: who connects hears nothing. */
static int listen_in_silence(int port, int fillers[FILLERS]) {
    struct sockaddr_in6 own = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    int listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), only = 1;
    own.sin6_addr = in6addr_loopback;
    if (listener < 0)
        return -1;
    setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
    if (bind(listener, (const void *)&own, sizeof own) != 0 || listen(listener, 0) != 0) {
        close(listener);
        return -1;
    }
    for (int i = 0; i < FILLERS; i++) {
        fillers[i] = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        connect(fillers[i], (const void *)&own, sizeof own);
    }
    return listener;
}

/* libcurl tells of the loser's end only after it has closed it. What else is under way must not
 * suffer: as many webhooks as there are, so that some share its multi handle. */
static void an_address_that_hangs_costs_nobody_an_answer(void **state) {
    enum { OTHERS = 16 };
    background *b = *state;
    int fillers[FILLERS];
    int listener = listen_in_silence(server_port(b->receiver), fillers);
    if (listener < 0)
        skip();
    dns *names = open_with_addresses(b, "::1,127.0.0.1");
    for (int i = 0; i < OTHERS; i++) {
        char id[16];
        server_step slow = posting_success(BB_CUSTOM);
        slow.delay_ms = 600;
        snprintf(id, sizeof id, "slow%d", i);
        background_script(b, BB_CUSTOM, id, &slow, 1);
    }
    background_enqueue(b, NULL);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_RETRYING], 0);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 1 + OTHERS);
    background_check_books(b);
    for (int i = 0; i < FILLERS; i++)
        close(fillers[i]);
    close(listener);
    dns_stop(names);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BACKGROUND_TEST(addresses_that_refuse_are_passed_over_at_once),
        BACKGROUND_TEST(an_address_that_hangs_costs_nobody_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
