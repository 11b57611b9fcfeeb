/* Receivers that misbehave over HTTP/2: the same, and what becomes of a connection that is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "support/hostile_run.h"

/* Frames: headers with status 200 and a body that ends the stream. */
#define YES(stream) "\0\0\1\1\4\0\0\0" stream "\x88\0\0\12\0\1\0\0\0" stream "{\"code\":0}"
#define GOAWAY_AFTER(stream) "\0\0\10\7\0\0\0\0\0\0\0\0" stream "\0\0\0\0"
#define REFUSED(stream) "\0\0\4\3\0\0\0\0" stream "\0\0\0\7"
#define BYTES(frames) .raw = (frames), .raw_length = sizeof(frames) - 1

static int open_world(void **state) {
    static world w;
    w.receiver = server_start(&(server_options){.tls_names = "IP:127.0.0.1", .http2 = 1});
    bb_options options = posting_options();
    options.ca_file = server_ca_file(w.receiver);
    options.http2 = 1;
    w.dispatcher = posting_dispatcher(&options);
    posting_add(w.dispatcher, BB_CUSTOM, "hook", server_url(w.receiver, "/hook"));
    *state = &w;
    return 0;
}

static void a_connection_is_kept(void **state) {
    world *w = *state;
    server_on(w->receiver, NULL, STEPS({BYTES(YES("\1"))}, {BYTES(YES("\3"))}));
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    assert_int_equal(server_connections(w->receiver), 1);
    assert_int_equal(server_requests(w->receiver), 2);
}

static void one_that_said_goaway_is_not_used_again(void **state) {
    world *w = *state;
    server_on(w->receiver, NULL, STEPS({BYTES(YES("\1") GOAWAY_AFTER("\1"))}));
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    assert_int_equal(server_connections(w->receiver), 2);
    assert_int_equal(server_requests(w->receiver), 2);
}

/* It might have been lost with the connection, as far as libcurl tells. */
static void a_refusal_on_a_kept_connection_is_unknown(void **state) {
    world *w = *state;
    server_on(w->receiver, NULL, STEPS({BYTES(YES("\1"))}, {BYTES(REFUSED("\3"))}));
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_UNKNOWN, 1);
    assert_int_equal(server_requests(w->receiver), 2);
}

typedef struct posting {
    bb_dispatcher *dispatcher;
    bb_report *report;
} posting;

static void *post(void *user) {
    posting *p = user;
    bb_webhook_post(p->dispatcher, posting_event(), NULL, &p->report, NULL);
    return NULL;
}

/* Also where one is kept and free: both requests are there before either is answered. */
static void requests_of_one_host_share_no_connection(void **state) {
    world *w = *state;
    posting p = {.dispatcher = w->dispatcher};
    pthread_t thread;
    server_on(w->receiver, NULL, STEPS({BYTES(YES("\1"))}, {.hold = 1, .end = SERVER_RESET}));
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    posting_add(w->dispatcher, BB_CUSTOM, "other", server_url(w->receiver, "/other"));
    assert_int_equal(pthread_create(&thread, NULL, post, &p), 0);
    assert_true(server_wait_requests(w->receiver, 3, PATIENCE_MS));
    assert_int_equal(server_connections(w->receiver), 2);
    server_release(w->receiver);
    pthread_join(thread, NULL);
    assert_int_equal(bb_report_undelivered(p.report), 2);
    bb_report_free(p.report);
}

#define WITH_HTTP2(test) cmocka_unit_test_setup_teardown(test, open_world, posting_close_world)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_HTTP2(a_connection_is_kept),
        WITH_HTTP2(one_that_said_goaway_is_not_used_again),
        WITH_HTTP2(a_refusal_on_a_kept_connection_is_unknown),
        WITH_HTTP2(requests_of_one_host_share_no_connection),
    };
    int failed = hostile_run_all(hostile_http2, hostile_http2_count);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
