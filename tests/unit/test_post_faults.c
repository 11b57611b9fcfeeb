/* What a post makes of a receiver that misbehaves: each fault costs its own webhook one attempt and
 * a bounded time, is judged soundly, and leaves the healthy webhook of the same post alone. */
#include "support/gzip_bomb.h"
#include "support/posting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

enum {
    LIMIT_MS = 600,   /* of an attempt, for the faults that never end */
    SLACK_MS = 10000, /* what a loaded machine may add */
    MIB = 1024 * 1024,
    BODY_CAP_MAX = 2 * MIB /* the library reads 64 KiB; the rest is socket buffers */
};

typedef struct fault {
    server_step step;
    bb_type type; /* 0: Slack */
    bb_verdict verdict;
    int http_status;
    bb_advice advice;
    int timed_out; /* not 0: it takes the whole of LIMIT_MS */
} fault;

#define CHUNKED "Transfer-Encoding: chunked\r\n"

/* ---- no whole answer: the message may have arrived */

static const fault closed_after_the_request = {.step = {.end = SERVER_CLOSE},
                                               .verdict = BB_UNKNOWN};
static const fault reset_after_the_request = {.step = {.end = SERVER_RESET}, .verdict = BB_UNKNOWN};
static const fault closed_after_the_request_headers = {
    .step = {.end = SERVER_CLOSE, .moment = SERVER_AFTER_HEADERS}, .verdict = BB_UNKNOWN};
static const fault reset_after_the_request_headers = {
    .step = {.end = SERVER_RESET, .moment = SERVER_AFTER_HEADERS}, .verdict = BB_UNKNOWN};
static const fault closed_in_the_status_line = {
    .step = {.status = 200, .body = "ok", .stop_after = 7, .end = SERVER_CLOSE},
    .verdict = BB_UNKNOWN};
/* libcurl calls this a whole answer with status 200; Discord would be satisfied with it. */
static const fault closed_in_the_headers = {
    .step = {.status = 200, .stop_after = 25, .end = SERVER_CLOSE},
    .type = BB_DISCORD,
    .verdict = BB_UNKNOWN};
static const fault closed_before_the_blank_line = {
    .step = {.raw = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", .end = SERVER_CLOSE},
    .type = BB_DISCORD,
    .verdict = BB_UNKNOWN};
static const fault reset_in_the_headers = {
    .step = {.status = 200, .stop_after = 25, .end = SERVER_RESET}, .verdict = BB_UNKNOWN};
static const fault closed_in_the_body = {
    .step = {.status = 200, .body = "ok", .declared_length = 99, .end = SERVER_CLOSE},
    .verdict = BB_UNKNOWN};
static const fault closed_in_a_body_of_any_2xx = {
    .step = {.status = 200, .body = "{\"id\":", .declared_length = 99, .end = SERVER_CLOSE},
    .type = BB_DISCORD,
    .verdict = BB_UNKNOWN};
static const fault closed_in_the_chunks = {
    .step = {.status = 200, .headers = CHUNKED, .body = "2\r\nok\r\n", .end = SERVER_CLOSE},
    .verdict = BB_UNKNOWN};
static const fault never_answered = {
    .step = {.end = SERVER_SILENT}, .verdict = BB_UNKNOWN, .timed_out = 1};
static const fault silent_in_the_headers = {
    .step = {.status = 200, .stop_after = 25, .end = SERVER_SILENT},
    .verdict = BB_UNKNOWN,
    .timed_out = 1};
static const fault silent_in_the_body = {
    .step = {.status = 200, .body = "o", .declared_length = 2, .end = SERVER_SILENT},
    .verdict = BB_UNKNOWN,
    .timed_out = 1};
static const fault answered_too_late = {
    .step = {.status = 200, .body = "ok", .delay_ms = LIMIT_MS + SLACK_MS},
    .verdict = BB_UNKNOWN,
    .timed_out = 1};
static const fault dripped_headers = {
    .step = {.raw = "HTTP/1.1 200 OK\r\n", .repeat = "X-Drip: 1\r\n", .drip_ms = 20},
    .verdict = BB_UNKNOWN,
    .timed_out = 1};
static const fault dripped_body = {
    .step = {.status = 200, .headers = CHUNKED, .repeat = "1\r\nx\r\n", .drip_ms = 20},
    .verdict = BB_UNKNOWN,
    .timed_out = 1};
static const fault endless_headers = {
    .step = {.raw = "HTTP/1.1 200 OK\r\n", .repeat = "X-More: and more\r\n"},
    .verdict = BB_UNKNOWN};
static const fault endless_header_line = {
    .step = {.raw = "HTTP/1.1 200 OK\r\nX-More: ", .repeat = "and more "}, .verdict = BB_UNKNOWN};
static const fault endless_interim_answers = {
    .step = {.repeat = "HTTP/1.1 103 Early Hints\r\nX-More: and more\r\n\r\n"},
    .verdict = BB_UNKNOWN};
static const fault endless_continues = {.step = {.repeat = "HTTP/1.1 100 Continue\r\n\r\n"},
                                        .verdict = BB_UNKNOWN};
static const fault dripped_continues = {
    .step = {.repeat = "HTTP/1.1 100 Continue\r\n\r\n", .drip_ms = 5},
    .verdict = BB_UNKNOWN,
    .timed_out = 1};
static const fault another_protocol = {
    .step = {.raw = "SSH-2.0-OpenSSH_9.2p1\r\n", .end = SERVER_CLOSE}, .verdict = BB_UNKNOWN};
static const fault body_without_headers = {.step = {.raw = "ok", .end = SERVER_CLOSE},
                                           .verdict = BB_UNKNOWN};
static const fault garbage_of_all_bytes = {
    .step = {.raw = "\x01\x02\xff\xfe\x80\r\n\r\n\x1b[31m", .end = SERVER_CLOSE},
    .verdict = BB_UNKNOWN};
static const fault broken_chunk_length = {
    .step = {.status = 200, .headers = CHUNKED, .body = "zz\r\nok\r\n0\r\n\r\n"},
    .verdict = BB_UNKNOWN};
static const fault huge_chunk_length = {
    .step = {.status = 200, .headers = CHUNKED, .body = "fffffffffffffffffff\r\nok\r\n0\r\n\r\n"},
    .verdict = BB_UNKNOWN};

/* ---- an answer, too long: the cap stops it and the status, or what was read, decides */

#define TEN_MIB .repeat = "x", .repeat_bytes = 10 * MIB
#define TEN_MIB_LENGTH "Content-Length: 10485760\r\n"

static const fault ten_mebibytes_of_200 = {
    .step = {.status = 200, .headers = TEN_MIB_LENGTH, TEN_MIB},
    .verdict = BB_DEAD,
    .http_status = 200};
static const fault ten_mebibytes_after_ok = {
    .step = {.status = 200, .headers = TEN_MIB_LENGTH, .body = "ok", TEN_MIB},
    .verdict = BB_DEAD,
    .http_status = 200};
static const fault ten_mebibytes_of_any_2xx = {
    .step = {.status = 200, .headers = TEN_MIB_LENGTH, TEN_MIB},
    .type = BB_DISCORD,
    .verdict = BB_DELIVERED,
    .http_status = 200};
static const fault ten_mebibytes_of_500 = {
    .step = {.status = 500, .headers = TEN_MIB_LENGTH, TEN_MIB},
    .verdict = BB_RETRY,
    .http_status = 500};
static const fault ten_mebibytes_of_404 = {
    .step = {.status = 404, .headers = TEN_MIB_LENGTH, TEN_MIB},
    .verdict = BB_DEAD,
    .http_status = 404};
static const fault endless_chunks = {
    .step = {.status = 503, .headers = CHUNKED, .repeat = "5\r\nxxxxx\r\n"},
    .verdict = BB_RETRY,
    .http_status = 503};
static const fault endless_body_without_length = {
    .step = {.raw = "HTTP/1.1 202 OK\r\nConnection: close\r\n\r\n", .repeat = "x"},
    .type = BB_TEAMS,
    .verdict = BB_DELIVERED,
    .http_status = 202};

/* ---- a whole answer that must not be believed, or followed */

static const fault gzip_is_not_unpacked = {
    .step = {.status = 200,
             .headers = "Content-Encoding: gzip\r\n",
             .body = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xcb\xcf\x06\x00\x47\xdd\xdc\x79"
                     "\x02\x00\x00\x00", /* "ok" */
             .body_length = 22},
    .verdict = BB_DEAD,
    .http_status = 200};
static const fault body_of_nul_and_bad_utf8 = {
    .step = {.status = 400, .body = "no\0\xff\xfe\x80_text\x1b[31m", .body_length = 16},
    .verdict = BB_DEAD,
    .http_status = 400};
static const fault demands_a_password = {
    .step = {.status = 401, .headers = "WWW-Authenticate: Basic realm=\"r\"\r\n"},
    .verdict = BB_DEAD,
    .http_status = 401};
static const fault empty_200 = {.step = {.status = 200}, .verdict = BB_DEAD, .http_status = 200};

/* ------------------------------------------------------------- one test -- */

static bb_report *post_bounded(bb_dispatcher *dispatcher, const fault *given) {
    int64_t before = server_now_ms();
    bb_report *report = posting_send(dispatcher);
    int64_t took = server_now_ms() - before;
    assert_true(took < LIMIT_MS + SLACK_MS);
    if (given->timed_out)
        assert_true(took >= LIMIT_MS * 9 / 10);
    return report;
}

static void assert_faulty(const bb_attempt_report *row, const fault *given) {
    posting_assert_row(row, given->verdict, 1);
    assert_int_equal(row->outcome->http_status, given->http_status);
    assert_int_equal(row->outcome->advice, given->advice);
    assert_int_equal(row->attempt, 1);
    assert_true(row->outcome->text[0] != '\0');
    for (const char *c = row->outcome->remote_message; *c != '\0'; c++)
        assert_true((unsigned char)*c >= 0x20 && *c != 0x7f);
}

static void run_fault(void **state) {
    const fault *given = *state;
    server *receiver = server_start(NULL);
    bb_options options = posting_options();
    if (given->timed_out)
        options.timeout_ms = LIMIT_MS;
    bb_dispatcher *dispatcher = posting_dispatcher(&options);
    server_on(receiver, "/faulty", &given->step, 1);
    posting_add(dispatcher, given->type != 0 ? given->type : BB_SLACK, "faulty",
                server_url(receiver, "/faulty"));
    posting_add_healthy(dispatcher, receiver, "healthy");

    bb_report *report = post_bounded(dispatcher, given);
    assert_int_equal(bb_report_count(report), 2);
    assert_faulty(posting_row(report, "faulty"), given);
    posting_assert_row(posting_row(report, "healthy"), BB_DELIVERED, 1);
    assert_int_equal(bb_report_undelivered(report), given->verdict == BB_DELIVERED ? 0 : 1);
    assert_int_equal(server_requests_to(receiver, "/faulty"), 1);
    assert_int_equal(server_requests(receiver), 2);
    assert_true(server_bytes_sent(receiver) < BODY_CAP_MAX);

    bb_report_free(report);
    bb_dispatcher_free(dispatcher);
    server_stop(receiver);
}

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

/* The RST may overtake the request or not: both accounts are sound, a third is not. */
static void a_reset_on_accept_is_told_as_it_was(void **state) {
    world *w = *state;
    server_on_accept(w->receiver, STEPS({.end = SERVER_RESET}));
    posting_script(w, BB_SLACK, "hook", STEPS({.status = 200, .body = "ok"}));
    const bb_attempt_report *row = posting_send_one(w->dispatcher, "hook");
    posting_assert_row(row, row->sent ? BB_UNKNOWN : BB_RETRY, row->sent);
    assert_int_equal(server_requests(w->receiver), 0);
    assert_int_equal(server_connections(w->receiver), 1);
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    assert_int_equal(server_requests(w->receiver), 1);
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

#define FAULT(name)                                                                                \
    { #name, run_fault, NULL, NULL, (void *)(uintptr_t)&name }

int main(void) {
    const struct CMUnitTest tests[] = {
        FAULT(closed_after_the_request),
        FAULT(reset_after_the_request),
        FAULT(closed_after_the_request_headers),
        FAULT(reset_after_the_request_headers),
        FAULT(closed_in_the_status_line),
        FAULT(closed_in_the_headers),
        FAULT(closed_before_the_blank_line),
        FAULT(reset_in_the_headers),
        FAULT(closed_in_the_body),
        FAULT(closed_in_a_body_of_any_2xx),
        FAULT(closed_in_the_chunks),
        FAULT(never_answered),
        FAULT(silent_in_the_headers),
        FAULT(silent_in_the_body),
        FAULT(answered_too_late),
        FAULT(dripped_headers),
        FAULT(dripped_body),
        FAULT(endless_headers),
        FAULT(endless_header_line),
        FAULT(endless_interim_answers),
        FAULT(endless_continues),
        FAULT(dripped_continues),
        FAULT(another_protocol),
        FAULT(body_without_headers),
        FAULT(garbage_of_all_bytes),
        FAULT(broken_chunk_length),
        FAULT(huge_chunk_length),
        FAULT(ten_mebibytes_of_200),
        FAULT(ten_mebibytes_after_ok),
        FAULT(ten_mebibytes_of_any_2xx),
        FAULT(ten_mebibytes_of_500),
        FAULT(ten_mebibytes_of_404),
        FAULT(endless_chunks),
        FAULT(endless_body_without_length),
        FAULT(gzip_is_not_unpacked),
        FAULT(body_of_nul_and_bad_utf8),
        FAULT(demands_a_password),
        FAULT(empty_200),
        WITH_WORLD(a_kept_connection_that_closes_under_a_request_is_one_post),
        WITH_WORLD(a_kept_connection_that_resets_under_a_request_is_one_post),
        WITH_WORLD(a_connection_that_closed_while_idle_is_replaced),
        WITH_WORLD(a_reset_on_accept_is_told_as_it_was),
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
