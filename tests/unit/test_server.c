/* The scripted server does what its steps say: driven here by libcurl alone. */
#include "support/resolve.h"
#include "support/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <curl/curl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE_MS = 20000 }; /* only ever waited for by a test that fails */

#define STEPS(...)                                                                                 \
    (const server_step[]){__VA_ARGS__},                                                            \
        sizeof((const server_step[]){__VA_ARGS__}) / sizeof(server_step)

typedef struct answer {
    CURLcode code;
    long status;
    size_t length;
    char text[4096]; /* the beginning of headers and body */
} answer;

static size_t collect(char *bytes, size_t size, size_t count, void *user) {
    answer *got = user;
    size_t length = size * count;
    for (size_t i = 0; i < length && got->length + i + 1 < sizeof(got->text); i++)
        got->text[got->length + i] = bytes[i];
    got->length += length;
    return length;
}

static CURL *client(long timeout_ms) {
    CURL *easy = curl_easy_init();
    assert_non_null(easy);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_HEADER, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "a body");
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, collect);
    return easy;
}

static answer post(CURL *easy, const char *url) {
    answer got = {0};
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &got);
    got.code = curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &got.status);
    return got;
}

static answer post_once(const char *url, long timeout_ms) {
    CURL *easy = client(timeout_ms);
    answer got = post(easy, url);
    curl_easy_cleanup(easy);
    return got;
}

static answer post_to(server *receiver, long timeout_ms) {
    return post_once(server_url(receiver, "/hook"), timeout_ms);
}

static int start(void **state) {
    *state = server_start(NULL);
    return 0;
}

static int stop(void **state) {
    server_stop(*state);
    return 0;
}

/* -------------------------------------------------------------- records -- */

static void a_request_is_recorded_whole(void **state) {
    server *receiver = *state;
    server_on(receiver, "/hook",
              STEPS({.status = 200, .headers = "X-Seen: yes\r\n", .body = "ok"}));
    answer got = post_once(server_url(receiver, "/hook?key=1"), PATIENCE_MS);
    assert_int_equal(got.code, CURLE_OK);
    assert_int_equal(got.status, 200);
    assert_non_null(strstr(got.text, "X-Seen: yes\r\nContent-Length: 2\r\n\r\nok"));

    assert_int_equal(server_requests(receiver), 1);
    const server_request *request = server_request_at(receiver, 0);
    assert_string_equal(request->method, "POST");
    assert_string_equal(request->path, "/hook");
    assert_string_equal(request->query, "key=1");
    assert_string_equal(request->version, "HTTP/1.1");
    assert_string_equal(request->body, "a body");
    assert_int_equal(request->body_length, 6);
    assert_int_equal(request->complete, 1);
    assert_int_equal(request->connection, 1);
    assert_string_equal(server_header(request, "content-length"), "6");
    assert_null(server_header(request, "X-Absent"));
    assert_null(server_request_at(receiver, 1));
    assert_ptr_equal(server_request_to(receiver, "/hook"), request);
    assert_null(server_request_to(receiver, "/other"));
}

static void each_path_follows_its_own_script_and_repeats_its_last_step(void **state) {
    server *receiver = *state;
    server_on(receiver, "/a", STEPS({.status = 201}, {.status = 202}));
    server_on(receiver, NULL, STEPS({.status = 203}));
    static const struct {
        const char *path;
        long status;
    } posts[] = {{"/a", 201}, {"/b", 203}, {"/a", 202}, {"/a", 202}};
    for (size_t i = 0; i < sizeof(posts) / sizeof(posts[0]); i++)
        assert_int_equal(post_once(server_url(receiver, posts[i].path), PATIENCE_MS).status,
                         posts[i].status);
    server_on(receiver, "/a", STEPS({.status = 204}));
    assert_int_equal(post_once(server_url(receiver, "/a"), PATIENCE_MS).status, 204);
    assert_int_equal(server_requests_to(receiver, "/a"), 4);
}

static void a_path_without_a_script_is_not_found(void **state) {
    assert_int_equal(post_to(*state, PATIENCE_MS).status, 404);
    assert_int_equal(server_requests(*state), 1);
}

static void a_large_body_arrives_whole(void **state) {
    server *receiver = *state;
    enum { SIZE = 300000 };
    char *body = malloc(SIZE);
    assert_non_null(body);
    memset(body, 'b', SIZE);
    server_on(receiver, "/hook", STEPS({.status = 200}));
    CURL *easy = client(PATIENCE_MS);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)SIZE);
    assert_int_equal(post(easy, server_url(receiver, "/hook")).status, 200);
    curl_easy_cleanup(easy);
    assert_int_equal(server_request_at(receiver, 0)->body_length, SIZE);
    assert_memory_equal(server_request_at(receiver, 0)->body, body, SIZE);
    free(body);
}

static void connections_are_kept_and_counted(void **state) {
    server *receiver = *state;
    server_on(receiver, "/hook", STEPS({.status = 200}));
    CURL *easy = client(PATIENCE_MS);
    for (int i = 0; i < 3; i++)
        assert_int_equal(post(easy, server_url(receiver, "/hook")).status, 200);
    assert_int_equal(server_connections(receiver), 1);
    assert_int_equal(server_request_at(receiver, 2)->connection, 1);
    assert_int_equal(server_wait_ended(receiver, 1, 0), 0);
    curl_easy_cleanup(easy);
    assert_int_equal(server_wait_ended(receiver, 1, PATIENCE_MS), 1);
    assert_int_equal(post_to(receiver, PATIENCE_MS).status, 200);
    assert_int_equal(server_connections(receiver), 2);
    assert_int_equal(server_request_at(receiver, 3)->connection, 2);
}

static void assert_echoed(server *receiver, server_echo echo, const char *text) {
    server_on(receiver, "/hook",
              STEPS({.status = 200, .body = "{\"message\":\"", .echo = echo, .tail = "\"}"}));
    answer got = post_once(server_url(receiver, "/hook?key=a%2Fb%zz%"), PATIENCE_MS);
    assert_non_null(strstr(got.text, text));
    assert_non_null(strstr(got.text, "a body \"}"));
}

static void the_request_is_echoed_inside_a_json_string(void **state) {
    assert_echoed(*state, SERVER_ECHO_PLAIN, "{\"message\":\"/hook key=a%2Fb%zz% Host 127.0.0.1");
    assert_echoed(*state, SERVER_ECHO_DECODED, "{\"message\":\"/hook key=a/b%zz% Host 127.0.0.1");
    assert_echoed(*state, SERVER_ECHO_ESCAPED,
                  "{\"message\":\"\\/hook key=a%2Fb%zz% Host 127.0.0.1");
}

/* --------------------------------------------------------------- faults -- */

typedef struct fault {
    server_step step;
    CURLcode code;    /* what libcurl makes of it */
    size_t requests;  /* recorded */
    long timeout_ms;  /* libcurl's; 0: patience */
    const char *text; /* the answer begins with it */
} fault;

static void run_fault(void **state) {
    const fault *given = *state;
    server *receiver = server_start(NULL);
    server_on(receiver, "/hook", &given->step, 1);
    answer got = post_to(receiver, given->timeout_ms != 0 ? given->timeout_ms : PATIENCE_MS);
    assert_int_equal(got.code, given->code);
    assert_int_equal(server_requests(receiver), given->requests);
    if (given->text != NULL)
        assert_memory_equal(got.text, given->text, strlen(given->text));
    int64_t before = server_now_ms();
    server_stop(receiver);
    assert_true(server_now_ms() - before < 1000);
}

#define CHUNKED "Transfer-Encoding: chunked\r\n"
enum { SOON_MS = 200, KIB = 1024, MIB = 1024 * 1024 };

static const fault closes_without_an_answer = {{.end = SERVER_CLOSE}, CURLE_GOT_NOTHING, 1, 0, ""};
static const fault resets_without_an_answer = {{.end = SERVER_RESET}, CURLE_RECV_ERROR, 1, 0, ""};
static const fault closes_after_the_headers = {
    {.end = SERVER_CLOSE, .moment = SERVER_AFTER_HEADERS}, CURLE_GOT_NOTHING, 1, 0, ""};
static const fault closes_in_the_headers = {
    {.status = 200, .stop_after = 20, .end = SERVER_CLOSE}, CURLE_OK, 1, 0, "HTTP/1.1 200 OK\r\n"};
static const fault closes_in_the_body = {
    {.status = 200, .body = "half", .declared_length = 99, .end = SERVER_CLOSE},
    CURLE_PARTIAL_FILE,
    1,
    0,
    "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf"};
static const fault never_answers = {
    {.end = SERVER_SILENT}, CURLE_OPERATION_TIMEDOUT, 1, SOON_MS, ""};
static const fault holds_its_answer = {{.hold = 1}, CURLE_OPERATION_TIMEDOUT, 1, SOON_MS, ""};
static const fault stops_in_the_body = {
    {.status = 200, .body = "half", .declared_length = 99, .end = SERVER_SILENT},
    CURLE_OPERATION_TIMEDOUT,
    1,
    SOON_MS,
    "HTTP/1.1 200 OK\r\n"};
static const fault drips_without_end = {
    {.status = 200, .headers = CHUNKED, .repeat = "1\r\nx\r\n", .drip_ms = 5},
    CURLE_OPERATION_TIMEDOUT,
    1,
    SOON_MS,
    NULL};
static const fault never_ends_its_headers = {
    {.raw = "HTTP/1.1 200 OK\r\n", .repeat = "X-More: and more\r\n", .drip_ms = 1},
    CURLE_OPERATION_TIMEDOUT,
    1,
    SOON_MS,
    NULL};
static const fault never_ends_its_interim_answers = {
    {.repeat = "HTTP/1.1 103 Early Hints\r\n\r\n", .drip_ms = 1},
    CURLE_OPERATION_TIMEDOUT,
    1,
    SOON_MS,
    NULL};
static const fault repeats_as_often_as_asked = {{.raw = "HTTP/1.1 200 OK\r\n",
                                                 .repeat = "X-More: 1\r\n",
                                                 .repeat_bytes = 22,
                                                 .end = SERVER_CLOSE},
                                                CURLE_OK,
                                                1,
                                                0,
                                                "HTTP/1.1 200 OK\r\nX-More: 1\r\nX-More: 1\r\n"};
static const fault answers_with_ten_mebibytes = {{.status = 200,
                                                  .headers = "Content-Length: 10485760\r\n",
                                                  .repeat = "x",
                                                  .repeat_bytes = 10 * MIB},
                                                 CURLE_OK,
                                                 1,
                                                 0,
                                                 "HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n"};
static const fault speaks_another_protocol = {
    {.raw = "SSH-2.0-OpenSSH_9.2\r\n", .end = SERVER_CLOSE}, CURLE_UNSUPPORTED_PROTOCOL, 1, 0, ""};
static const fault sends_broken_chunks = {
    {.status = 200, .headers = CHUNKED, .body = "zz\r\n", .end = SERVER_CLOSE},
    CURLE_RECV_ERROR,
    1,
    0,
    "HTTP/1.1 200 OK\r\n"};
static const fault redirects = {{.status = 302, .headers = "Location: /elsewhere\r\n"},
                                CURLE_OK,
                                1,
                                0,
                                "HTTP/1.1 302 Scripted\r\nLocation: /elsewhere\r\n"};

/* ------------------------------------------------------------ sequences -- */

static void a_delay_comes_before_the_answer(void **state) {
    server *receiver = *state;
    server_on(receiver, "/hook", STEPS({.status = 200, .delay_ms = 120}));
    int64_t before = server_now_ms();
    assert_int_equal(post_to(receiver, PATIENCE_MS).status, 200);
    assert_true(server_now_ms() - before >= 120);
}

static void a_drip_is_no_faster_than_asked(void **state) {
    server *receiver = *state;
    server_on(receiver, "/hook", STEPS({.status = 200, .body = "0123456789", .drip_ms = 4}));
    int64_t before = server_now_ms();
    answer got = post_to(receiver, PATIENCE_MS);
    assert_int_equal(got.code, CURLE_OK);
    assert_true(server_now_ms() - before >= 4 * ((int64_t)got.length - 1));
    /* the last byte may arrive before the server has counted it */
    assert_in_range(server_bytes_sent(receiver), got.length - 1, got.length);
}

static void a_reused_connection_dies_under_the_second_request(void **state) {
    server *receiver = *state;
    server_on(receiver, "/hook", STEPS({.status = 200}, {.end = SERVER_CLOSE}, {.status = 201}));
    CURL *easy = client(PATIENCE_MS);
    assert_int_equal(post(easy, server_url(receiver, "/hook")).status, 200);
    /* libcurl posts once more by itself: the trap which the library has to stop */
    assert_int_equal(post(easy, server_url(receiver, "/hook")).status, 201);
    curl_easy_cleanup(easy);
    assert_int_equal(server_requests(receiver), 3);
    assert_int_equal(server_request_at(receiver, 1)->connection, 1);
    assert_int_equal(server_request_at(receiver, 2)->connection, 2);
}

static void an_idle_connection_can_be_closed(void **state) {
    server *receiver = *state;
    server_on(receiver, "/hook", STEPS({.status = 200, .end = SERVER_CLOSE}, {.status = 201}));
    CURL *easy = client(PATIENCE_MS);
    assert_int_equal(post(easy, server_url(receiver, "/hook")).status, 200);
    assert_int_equal(server_wait_ended(receiver, 1, PATIENCE_MS), 1);
    assert_int_equal(post(easy, server_url(receiver, "/hook")).status, 201);
    curl_easy_cleanup(easy);
    assert_int_equal(server_connections(receiver), 2);
    assert_int_equal(server_requests(receiver), 2);
}

static void connections_follow_a_script_of_their_own(void **state) {
    server *receiver = *state;
    server_on(receiver, "/hook", STEPS({.status = 200}));
    server_on_accept(
        receiver, STEPS({.end = SERVER_RESET}, {0}, {.raw = "220 mail\r\n", .end = SERVER_SILENT}));
    assert_int_not_equal(post_to(receiver, PATIENCE_MS).code, CURLE_OK);
    assert_int_equal(post_to(receiver, PATIENCE_MS).status, 200);
    assert_int_equal(post_to(receiver, PATIENCE_MS).code, CURLE_UNSUPPORTED_PROTOCOL);
    assert_int_equal(post_to(receiver, PATIENCE_MS).status, 200);
    assert_int_equal(server_connections(receiver), 4);
    assert_int_equal(server_requests(receiver), 2);
}

static void held_answers_wait_for_their_release(void **state) {
    server *receiver = *state;
    server_on(receiver, "/hook", STEPS({.status = 200, .hold = 1}));
    assert_int_equal(post_to(receiver, SOON_MS).code, CURLE_OPERATION_TIMEDOUT);
    assert_int_equal(server_peak_waiting(receiver), 1);
    server_release(receiver);
    assert_int_equal(post_to(receiver, PATIENCE_MS).status, 200);
}

static void a_reader_that_stops_is_noticed(void **state) {
    server *receiver = *state;
    server_on(receiver, "/hook",
              STEPS({.status = 200, .headers = "Content-Length: 104857600\r\n", .repeat = "x"}));
    CURL *easy = client(PATIENCE_MS);
    curl_easy_setopt(easy, CURLOPT_MAXFILESIZE, 1000L);
    assert_int_equal(post(easy, server_url(receiver, "/hook")).code, CURLE_FILESIZE_EXCEEDED);
    curl_easy_cleanup(easy);
    assert_int_equal(server_wait_ended(receiver, 1, PATIENCE_MS), 1);
    assert_true(server_bytes_sent(receiver) < 16 * MIB);
}

static void waiting_ends_when_the_time_is_over(void **state) {
    int64_t before = server_now_ms();
    assert_int_equal(server_wait_requests(*state, 1, 100), 0);
    assert_true(server_now_ms() - before >= 99);
}

/* ------------------------------------------------------------------ TLS -- */

static answer post_trusting(server *receiver, const char *url) {
    CURL *easy = client(PATIENCE_MS);
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(easy, CURLOPT_CAINFO, server_ca_file(receiver));
    answer got = post(easy, url);
    curl_easy_cleanup(easy);
    return got;
}

static answer post_over_tls(const server_options *options) {
    server *receiver = server_start(options);
    server_on(receiver, "/hook", STEPS({.status = 200, .body = "ok"}));
    answer got = post_trusting(receiver, server_url(receiver, "/hook"));
    assert_int_equal(server_requests(receiver), got.code == CURLE_OK);
    assert_int_equal(server_connections(receiver), 1);
    server_stop(receiver);
    return got;
}

static void its_own_certificate_is_accepted_when_trusted(void **state) {
    (void)state;
    server_options options = {.tls_names = "IP:127.0.0.1"};
    assert_int_equal(post_over_tls(&options).status, 200);
}

static void a_certificate_for_another_host_is_not_accepted(void **state) {
    (void)state;
    server_options options = {.tls_names = "DNS:other.example"};
    assert_int_equal(post_over_tls(&options).code, CURLE_PEER_FAILED_VERIFICATION);
}

static void an_expired_certificate_is_not_accepted(void **state) {
    (void)state;
    server_options options = {.tls_names = "IP:127.0.0.1", .tls_expired = 1};
    assert_int_equal(post_over_tls(&options).code, CURLE_PEER_FAILED_VERIFICATION);
}

/* -------------------------------------------------------------- process -- */

static void a_child_process_serves_alike(void **state) {
    (void)state;
    server *receiver = server_start(&(server_options){.own_process = 1});
    server_on(receiver, "/hook", STEPS({.status = 200, .body = "ok"}, {.end = SERVER_CLOSE}));
    assert_int_equal(post_to(receiver, PATIENCE_MS).status, 200);
    assert_int_equal(post_to(receiver, PATIENCE_MS).code, CURLE_GOT_NOTHING);
    assert_int_equal(server_wait_requests(receiver, 2, 0), 1);
    assert_string_equal(server_request_at(receiver, 0)->body, "a body");
    assert_int_equal(server_connections(receiver), 2);
    server_stop(receiver);
}

/* -------------------------------------------------------------- resolve -- */

static void a_registered_name_leads_to_the_server(void **state) {
    (void)state;
    server *receiver = server_start(&(server_options){.tls_names = "DNS:hooks.slack.com"});
    server_on(receiver, "/services/T/B/x", STEPS({.status = 200, .body = "ok"}));
    resolve_to("hooks.slack.com", "203.0.113.7", server_port(receiver));
    answer got = post_trusting(receiver, "https://hooks.slack.com/services/T/B/x");
    assert_int_equal(got.status, 200);
    assert_string_equal(server_header(server_request_at(receiver, 0), "Host"), "hooks.slack.com");
    assert_int_equal(resolve_lookups("hooks.slack.com"), 1);
    resolve_forget();
    server_stop(receiver);
}

static void lookups_fail_and_hang_as_registered(void **state) {
    (void)state;
    resolve_fail("gone.example");
    resolve_hang("slow.example");
    assert_int_equal(post_once("http://gone.example/", PATIENCE_MS).code,
                     CURLE_COULDNT_RESOLVE_HOST);
    CURL *easy = client(SOON_MS);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* else the cleanup waits for the lookup */
    assert_int_equal(post(easy, "http://slow.example/").code, CURLE_OPERATION_TIMEDOUT);
    assert_int_equal(resolve_lookups("slow.example"), 1);
    curl_easy_cleanup(easy);
    resolve_forget();
}

#define FAULT(name)                                                                                \
    { #name, run_fault, NULL, NULL, (void *)(uintptr_t)&name }
#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_request_is_recorded_whole),
        WITH_SERVER(each_path_follows_its_own_script_and_repeats_its_last_step),
        WITH_SERVER(a_path_without_a_script_is_not_found),
        WITH_SERVER(a_large_body_arrives_whole),
        WITH_SERVER(connections_are_kept_and_counted),
        WITH_SERVER(the_request_is_echoed_inside_a_json_string),
        FAULT(closes_without_an_answer),
        FAULT(resets_without_an_answer),
        FAULT(closes_after_the_headers),
        FAULT(closes_in_the_headers),
        FAULT(closes_in_the_body),
        FAULT(never_answers),
        FAULT(holds_its_answer),
        FAULT(stops_in_the_body),
        FAULT(drips_without_end),
        FAULT(never_ends_its_headers),
        FAULT(never_ends_its_interim_answers),
        FAULT(repeats_as_often_as_asked),
        FAULT(answers_with_ten_mebibytes),
        FAULT(speaks_another_protocol),
        FAULT(sends_broken_chunks),
        FAULT(redirects),
        WITH_SERVER(a_delay_comes_before_the_answer),
        WITH_SERVER(a_drip_is_no_faster_than_asked),
        WITH_SERVER(a_reused_connection_dies_under_the_second_request),
        WITH_SERVER(an_idle_connection_can_be_closed),
        WITH_SERVER(connections_follow_a_script_of_their_own),
        WITH_SERVER(held_answers_wait_for_their_release),
        WITH_SERVER(a_reader_that_stops_is_noticed),
        WITH_SERVER(waiting_ends_when_the_time_is_over),
        cmocka_unit_test(its_own_certificate_is_accepted_when_trusted),
        cmocka_unit_test(a_certificate_for_another_host_is_not_accepted),
        cmocka_unit_test(an_expired_certificate_is_not_accepted),
        cmocka_unit_test(a_child_process_serves_alike),
        cmocka_unit_test(a_registered_name_leads_to_the_server),
        cmocka_unit_test(lookups_fail_and_hang_as_registered),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
