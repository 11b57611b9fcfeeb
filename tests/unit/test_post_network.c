/* What lies before a request: names, addresses, connections. None of these faults may let a
 * byte of a request out, cost more than the connect limit, or touch the other webhooks of a post.
 */
#include "support/posting.h"
#include "support/resolve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LIMIT_MS = 600, SLACK_MS = 10000 };

static int close_names_and_world(void **state) {
    resolve_forget();
    return posting_close_world(state);
}

static const char *url_of(int port) {
    static char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/hook", port);
    return url;
}

static const bb_attempt_report *post_in_vain(world *w, bb_verdict verdict) {
    return posting_send_in_vain(w, verdict, LIMIT_MS + SLACK_MS);
}

/* ---------------------------------------------------------------- connect -- */

static int bound_socket(int *port) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void a_refused_connection_is_a_retry(void **state) {
    world *w = *state;
    int port = 0;
    int fd = bound_socket(&port); /* nobody listens, and nobody else can */
    posting_add(w->dispatcher, BB_SLACK, "hook", url_of(port));
    const bb_attempt_report *row = post_in_vain(w, BB_RETRY);
    assert_int_equal(row->outcome->advice, 0);
    assert_int_equal(row->outcome->retry_after_ms, 0);
    close(fd);
}

/* With its queue full, a listening socket answers no further SYN: a connect hangs. */
enum { QUEUE = 4 };

static void fill_queue(int port, int fds[QUEUE]) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < QUEUE; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
        fcntl(fds[i], F_SETFL, O_NONBLOCK);
        connect(fds[i], (struct sockaddr *)&address, sizeof(address));
    }
    struct pollfd last = {.fd = fds[QUEUE - 1], .events = POLLOUT};
    assert_int_equal(poll(&last, 1, 50), 0);
}

static void a_connection_that_hangs_is_a_retry_at_the_connect_limit(void **state) {
    world *w = *state;
    posting_limit_connecting(w, LIMIT_MS);
    int port = 0;
    int fds[QUEUE];
    int fd = bound_socket(&port);
    assert_int_equal(listen(fd, 0), 0);
    fill_queue(port, fds);
    posting_add(w->dispatcher, BB_SLACK, "hook", url_of(port));
    int64_t began = server_now_ms();
    const bb_attempt_report *row = post_in_vain(w, BB_RETRY);
    assert_true(server_now_ms() - began >= LIMIT_MS * 9 / 10);
    assert_non_null(strstr(row->outcome->text, "no connection: "));
    for (int i = 0; i < QUEUE; i++)
        close(fds[i]);
    close(fd);
}

/* ------------------------------------------------------------------ names -- */

static void a_name_without_an_address_is_a_retry(void **state) {
    world *w = *state;
    resolve_fail("gone.example");
    posting_add(w->dispatcher, BB_SLACK, "hook", "http://gone.example/hook");
    post_in_vain(w, BB_RETRY);
    assert_int_equal(resolve_lookups("gone.example"), 1);
}

static void a_lookup_that_hangs_is_a_retry_at_the_connect_limit(void **state) {
    world *w = *state;
    posting_limit_connecting(w, LIMIT_MS);
    resolve_hang("slow.example");
    posting_add(w->dispatcher, BB_SLACK, "hook", "http://slow.example/hook");
    int64_t began = server_now_ms();
    post_in_vain(w, BB_RETRY);
    assert_true(server_now_ms() - began >= LIMIT_MS * 9 / 10);
    post_in_vain(w, BB_RETRY); /* with the first lookup still hanging */
    assert_int_equal(server_requests(w->receiver), 2);
}

static void a_dispatcher_is_freed_while_a_lookup_hangs(void **state) {
    world *w = *state;
    posting_limit_connecting(w, LIMIT_MS);
    resolve_hang("slow.example");
    posting_add(w->dispatcher, BB_SLACK, "hook", "http://slow.example/hook");
    post_in_vain(w, BB_RETRY);
    int64_t began = server_now_ms();
    posting_use(w, NULL);
    assert_true(server_now_ms() - began < SLACK_MS);
}

static void a_name_that_resolves_is_reached_and_its_address_kept(void **state) {
    world *w = *state;
    resolve_to("receiver.example", "127.0.0.1", 0);
    server_on(w->receiver, "/hook", STEPS({.status = 200, .body = "ok"}));
    posting_add(w->dispatcher, BB_SLACK, "hook",
                posting_url_at(w->receiver, "http", "receiver.example"));
    for (int i = 0; i < 3; i++)
        posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    assert_int_equal(resolve_lookups("receiver.example"), 1);
    assert_int_equal(server_connections(w->receiver), 1);
}

static void an_internationalised_name_is_asked_for_in_ascii(void **state) {
    world *w = *state;
    char host[64];
    resolve_to("xn--bcher-kva.example", "127.0.0.1", 0);
    server_on(w->receiver, "/hook", STEPS({.status = 200, .body = "ok"}));
    posting_add(w->dispatcher, BB_SLACK, "hook",
                posting_url_at(w->receiver, "http",
                               "b\xC3\xBC"
                               "cher.example"));
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    snprintf(host, sizeof host, "xn--bcher-kva.example:%d", server_port(w->receiver));
    assert_string_equal(server_header(server_request_at(w->receiver, 0), "Host"), host);
}

/* -------------------------------------------------------------- addresses -- */

static const char *const private_addresses[] = {"127.0.0.1",   "127.9.9.9",      "0.0.0.0",
                                                "10.1.2.3",    "172.16.0.1",     "172.31.255.255",
                                                "192.168.1.1", "169.254.169.254"};

static void a_name_with_a_private_address_is_refused_at_the_connect(void **state) {
    world *w = *state;
    bb_options options = posting_guarded_options();
    posting_use(w, &options);
    size_t count = sizeof(private_addresses) / sizeof(private_addresses[0]);
    for (size_t i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof(name), "inside%zu.example", i);
        resolve_to(name, private_addresses[i], server_port(w->receiver));
        posting_add(w->dispatcher, BB_SLACK, name, posting_url_at(w->receiver, "http", name));
    }
    bb_report *report = posting_send(w->dispatcher);
    for (size_t i = 0; i < count; i++) {
        const bb_attempt_report *row = bb_report_row(report, i);
        posting_assert_row(row, BB_DEAD, 0);
        assert_int_equal(row->outcome->advice, BB_ADVICE_OPERATOR);
    }
    bb_report_free(report);
    assert_int_equal(server_connections(w->receiver), 0);
}

static void *post_in_thread(void *dispatcher) {
    bb_report *report = NULL;
    bb_webhook_post(dispatcher, posting_event(), NULL, &report, NULL);
    return report;
}

/* The held post keeps its own connections, so the second has to look the name up again. */
static void a_name_that_turns_to_a_private_address_is_refused(void **state) {
    world *w = *state;
    bb_options options = posting_guarded_options();
    posting_use(w, &options);
    resolve_to("turning.example", "1.2.3.4", server_port(w->receiver));
    server_on(w->receiver, "/hook", STEPS({.status = 200, .body = "ok", .hold = 1}));
    posting_add(w->dispatcher, BB_SLACK, "hook",
                posting_url_at(w->receiver, "http", "turning.example"));
    pthread_t held;
    assert_int_equal(pthread_create(&held, NULL, post_in_thread, w->dispatcher), 0);
    assert_true(server_wait_requests(w->receiver, 1, PATIENCE_MS));

    resolve_to("turning.example", "127.0.0.1", 0);
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DEAD, 0);
    assert_int_equal(server_requests(w->receiver), 1);
    server_release(w->receiver);
    void *report = NULL;
    pthread_join(held, &report);
    posting_assert_row(posting_row(report, "hook"), BB_DELIVERED, 1);
    bb_report_free(report);
}

static void the_test_message_is_held_against_the_same_addresses(void **state) {
    world *w = *state;
    bb_options options = posting_guarded_options();
    posting_use(w, &options);
    resolve_to("inside.example", "127.0.0.1", 0);
    posting_add(w->dispatcher, BB_SLACK, "hook",
                posting_url_at(w->receiver, "http", "inside.example"));
    bb_report *report = NULL;
    assert_int_equal(bb_webhook_test(w->dispatcher, "hook", &report, NULL), BB_OK);
    posting_assert_row(bb_report_row(report, 0), BB_DEAD, 0);
    bb_report_free(report);
    assert_int_equal(server_connections(w->receiver), 0);
}

static void literal_private_addresses_are_refused_when_added(void **state) {
    static const char *const urls[] = {
        "https://127.0.0.1/hook",       "https://localhost/hook",
        "https://LOCALHOST./hook",      "https://[::1]/hook",
        "https://10.0.0.1/hook",        "https://192.168.0.1/hook",
        "https://169.254.169.254/hook", "https://[::ffff:127.0.0.1]/hook",
        "https://127.1/hook",           "https://2130706433/hook",
        "https://0x7f000001/hook",      "https://0177.0.0.1/hook",
        "https://[fe80::1]/hook",       "https://[fc00::1]/hook",
        "https://0.0.0.0/hook",         "https://[::]/hook"};
    world *w = *state;
    bb_options options = BB_OPTIONS_INIT;
    posting_use(w, &options);
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        bb_webhook hook = posting_hook(BB_CUSTOM, "hook", urls[i]);
        if (bb_dispatcher_add(w->dispatcher, &hook, NULL) != BB_ERR_URL)
            fail_msg("%s was not refused", urls[i]);
    }
    bb_webhook plain = posting_hook(BB_CUSTOM, "hook", "http://example.com/hook");
    assert_int_equal(bb_dispatcher_add(w->dispatcher, &plain, NULL), BB_ERR_URL);
    assert_int_equal(bb_dispatcher_count(w->dispatcher), 0);
}

static void a_blank_around_a_url_is_named_as_the_mistake(void **state) {
    static const char *const urls[] = {"https://example.com/hook\n", "https://example.com/hook ",
                                       " https://example.com/hook", "https://example.com/hook\r\n",
                                       "\thttps://example.com/hook"};
    world *w = *state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        bb_webhook hook = posting_hook(BB_CUSTOM, "hook", urls[i]);
        bb_error error = BB_ERROR_INIT;
        assert_int_equal(bb_dispatcher_add(w->dispatcher, &hook, &error), BB_ERR_URL);
        assert_non_null(strstr(error.text, "blank"));
        assert_non_null(strstr(error.text, "hook"));
    }
}

#define WITH_NAMES(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, posting_open_world, close_names_and_world)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_NAMES(a_refused_connection_is_a_retry),
        WITH_NAMES(a_connection_that_hangs_is_a_retry_at_the_connect_limit),
        WITH_NAMES(a_name_without_an_address_is_a_retry),
        WITH_NAMES(a_lookup_that_hangs_is_a_retry_at_the_connect_limit),
        WITH_NAMES(a_dispatcher_is_freed_while_a_lookup_hangs),
        WITH_NAMES(an_internationalised_name_is_asked_for_in_ascii),
        WITH_NAMES(a_name_that_resolves_is_reached_and_its_address_kept),
        WITH_NAMES(a_name_with_a_private_address_is_refused_at_the_connect),
        WITH_NAMES(a_name_that_turns_to_a_private_address_is_refused),
        WITH_NAMES(the_test_message_is_held_against_the_same_addresses),
        WITH_NAMES(a_blank_around_a_url_is_named_as_the_mistake),
        WITH_NAMES(literal_private_addresses_are_refused_when_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
