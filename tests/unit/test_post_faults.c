/* What a post makes of a connection that has had a fault, or of one that is kept; of each fault by
 * itself, test_hostile_receivers. */
#include "support/gzip_bomb.h"
#include "support/posting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

enum { MIB = 1024 * 1024 };

#define TEN_MIB .repeat = "x", .repeat_bytes = 10 * MIB
#define TEN_MIB_LENGTH "Content-Length: 10485760\r\n"

/* ------------------------------------------------- more than one request -- */

/* libcurl posts again by itself when a kept connection dies under a request. */
static void dies_when_reused(world *w, server_end end) {
    posting_script(
        w, BB_SLACK, "hook",
        STEPS({.status = 200, .body = "ok"}, {.end = end}, {.status = 200, .body = "ok"}));
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    const bb_attempt_report *row = posting_send_one(w->dispatcher, "hook");
    posting_assert_row(row, BB_UNKNOWN, 1);
    assert_int_equal(row->outcome->http_status, 0);
    assert_int_equal(server_requests(w->receiver), 2);
    assert_int_equal(server_request_at(w->receiver, 1)->connection, 1);

    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    assert_int_equal(server_requests(w->receiver), 3);
}

static void a_kept_connection_that_closes_under_a_request_is_one_post(void **state) {
    dies_when_reused(*state, SERVER_CLOSE);
}

static void a_kept_connection_that_resets_under_a_request_is_one_post(void **state) {
    dies_when_reused(*state, SERVER_RESET);
}

static void a_connection_that_closed_while_idle_is_replaced(void **state) {
    world *w = *state;
    posting_script(w, BB_SLACK, "hook", STEPS({.status = 200, .body = "ok", .end = SERVER_CLOSE}));
    for (size_t i = 1; i <= 3; i++) {
        posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
        assert_true(server_wait_ended(w->receiver, i, PATIENCE_MS));
        assert_int_equal(server_requests(w->receiver), i);
    }
    assert_int_equal(server_connections(w->receiver), 3);
}

static void a_redirect_is_not_followed(void **state) {
    static const int statuses[] = {301, 302, 303, 307, 308};
    world *w = *state;
    server_on(w->receiver, "/elsewhere", STEPS({.status = 200, .body = "ok"}));
    posting_add(w->dispatcher, BB_SLACK, "hook", server_url(w->receiver, "/hook"));
    char location[200] = "Location: ";
    strncat(location, server_url(w->receiver, "/elsewhere\r\n"), sizeof(location) - 20);
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        server_on(w->receiver, "/hook", STEPS({.status = statuses[i], .headers = location}));
        const bb_attempt_report *row = posting_send_one(w->dispatcher, "hook");
        posting_assert_row(row, BB_DEAD, 1);
        assert_int_equal(row->outcome->http_status, statuses[i]);
        assert_int_equal(server_requests(w->receiver), i + 1);
    }
    assert_int_equal(server_requests_to(w->receiver, "/elsewhere"), 0);
}

static void a_connection_whose_answer_was_cut_off_is_not_used_again(void **state) {
    world *w = *state;
    posting_script(
        w, BB_SLACK, "hook",
        STEPS({.status = 500, .headers = TEN_MIB_LENGTH, TEN_MIB}, {.status = 200, .body = "ok"}));
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_RETRY, 1);
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    assert_int_equal(server_connections(w->receiver), 2);
    assert_int_equal(server_request_at(w->receiver, 1)->connection, 2);
}

static void interim_answers_are_passed_over(void **state) {
    world *w = *state;
    posting_script(w, BB_SLACK, "hook",
                   STEPS({.raw = "HTTP/1.1 100 Continue\r\n\r\n"
                                 "HTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\n\r\n"
                                 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}));
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    assert_int_equal(server_requests(w->receiver), 1);
}

/* Only the headers of the answer itself count. */
static void a_wait_in_an_interim_answer_is_not_obeyed(void **state) {
    world *w = *state;
    posting_script(w, BB_SLACK, "hook",
                   STEPS({.raw = "HTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\n\r\n"
                                 "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"}));
    const bb_attempt_report *row = posting_send_one(w->dispatcher, "hook");
    posting_assert_row(row, BB_RETRY, 1);
    assert_int_equal(row->outcome->retry_after_ms, 0);
}

/* An answer whose headers are `size` bytes long, and which is "ok" in every other way. */
static const bb_attempt_report *post_for_headers(world *w, size_t size) {
    static const char line[] =
        "X-More: and more, and more, and more, and more, and more, and 62\r\n";
    char *headers = calloc(1, size + sizeof(line));
    assert_non_null(headers);
    for (size_t used = 0; used < size; used += sizeof(line) - 1)
        memcpy(headers + used, line, sizeof(line));
    posting_script(w, BB_SLACK, "hook", STEPS({.status = 200, .headers = headers, .body = "ok"}));
    free(headers);
    return posting_send_one(w->dispatcher, "hook");
}

static void headers_of_16_kib_are_read(void **state) {
    posting_assert_row(post_for_headers(*state, 16 * 1024), BB_DELIVERED, 1);
}

static void headers_of_64_kib_are_too_long(void **state) {
    posting_assert_row(post_for_headers(*state, 64 * 1024), BB_UNKNOWN, 1);
}

static void a_packed_bomb_is_read_as_the_bytes_it_is(void **state) {
    world *w = *state;
    size_t length = 0;
    char *bomb = gzip_bomb(64 * MIB, &length);
    server_step step = {.status = 200,
                        .headers = "Content-Encoding: gzip\r\n",
                        .body = bomb,
                        .body_length = length};
    posting_script(w, BB_DISCORD, "hook", &step, 1);
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    const server_request *request = server_request_at(w->receiver, 0);
    assert_null(server_header(request, "Accept-Encoding"));
    assert_null(server_header(request, "TE"));
    free(bomb);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_WORLD(a_kept_connection_that_closes_under_a_request_is_one_post),
        WITH_WORLD(a_kept_connection_that_resets_under_a_request_is_one_post),
        WITH_WORLD(a_connection_that_closed_while_idle_is_replaced),
        WITH_WORLD(a_redirect_is_not_followed),
        WITH_WORLD(a_connection_whose_answer_was_cut_off_is_not_used_again),
        WITH_WORLD(interim_answers_are_passed_over),
        WITH_WORLD(a_wait_in_an_interim_answer_is_not_obeyed),
        WITH_WORLD(headers_of_16_kib_are_read),
        WITH_WORLD(headers_of_64_kib_are_too_long),
        WITH_WORLD(a_packed_bomb_is_read_as_the_bytes_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
