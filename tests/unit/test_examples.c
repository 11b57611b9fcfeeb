/* The example programs of background delivery, against a server: one with the library's thread, two
 * that drive a dispatcher from a loop of their own, one with its events in a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/bb_notify.h"
#include "support/program.h"
#include "support/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const loops[] = {POLL_LOOP, LIBUV_LOOP};
enum { LOOPS = sizeof loops / sizeof *loops };

static const server_step yes = {.status = 200, .body = "{\"code\":0}"};

/* Runs it with a webhook of this server, which answers so. */
static program_result run(const char *path, server *receiver, const server_step *steps,
                          size_t count) {
    const char *const arguments[] = {path, NULL};
    program_result result = {0};
    server_on(receiver, "/hook", steps, count);
    setenv("WEBHOOK_URL", server_url(receiver, "/hook"), 1);
    program_run(&result, arguments, NULL);
    return result;
}

static void the_librarys_thread_delivers_before_the_program_ends(void **state) {
    (void)state;
    setenv("ALLOW_HTTP", "1", 1);
    server *receiver = server_start(NULL);
    program_result result = run(BACKGROUND, receiver, &yes, 1);
    assert_string_equal(result.err, "");
    assert_int_equal(result.status, 0);
    assert_int_equal(server_requests(receiver), 1);
    program_result_free(&result);
    server_stop(receiver);
}

static void what_waits_for_a_later_attempt_is_left(void **state) {
    const server_step busy = {.status = 503};
    (void)state;
    setenv("ALLOW_HTTP", "1", 1);
    server *receiver = server_start(NULL);
    program_result result = run(BACKGROUND, receiver, &busy, 1);
    assert_int_equal(result.status, 1);
    assert_string_equal(result.err, "not delivered: 1\n");
    assert_int_equal(server_requests(receiver), 1);
    program_result_free(&result);
    server_stop(receiver);
}

static void what_is_refused_is_told_and_fails(void **state) {
    const server_step no = {.status = 400};
    (void)state;
    setenv("ALLOW_HTTP", "1", 1);
    server *receiver = server_start(NULL);
    program_result result = run(BACKGROUND, receiver, &no, 1);
    assert_int_equal(result.status, 1);
    assert_told(result.err, "webhook \"my service\": Custom answered HTTP 400\nnot delivered: 1\n");
    program_result_free(&result);
    server_stop(receiver);
}

static void each_loop_delivers_its_events_and_ends(void **state) {
    (void)state;
    setenv("ALLOW_HTTP", "1", 1);
    for (size_t i = 0; i < LOOPS; i++) {
        server *receiver = server_start(NULL);
        program_result result = run(loops[i], receiver, &yes, 1);
        assert_string_equal(result.err, "");
        assert_int_equal(result.status, 0);
        assert_int_equal(line_count(result.out), 3);
        assert_int_equal(server_requests(receiver), 3);
        program_result_free(&result);
        server_stop(receiver);
    }
}

static void each_loop_waits_for_a_pause_and_goes_on(void **state) {
    const server_step steps[] = {{.status = 429, .headers = "Retry-After: 1\r\n"}, yes};
    (void)state;
    setenv("ALLOW_HTTP", "1", 1);
    for (size_t i = 0; i < LOOPS; i++) {
        server *receiver = server_start(NULL);
        program_result result = run(loops[i], receiver, steps, 2);
        assert_int_equal(result.status, 0);
        assert_told(result.out, "  again in 1000 ms\n");
        assert_null(strstr(result.out, "takes messages again"));
        assert_int_equal(server_requests(receiver), 4);
        program_result_free(&result);
        server_stop(receiver);
    }
}

static void each_loop_tells_what_is_dead_and_fails(void **state) {
    const server_step steps[] = {{.status = 400}, yes};
    (void)state;
    setenv("ALLOW_HTTP", "1", 1);
    for (size_t i = 0; i < LOOPS; i++) {
        server *receiver = server_start(NULL);
        program_result result = run(loops[i], receiver, steps, 2);
        assert_int_equal(result.status, 1);
        assert_told(result.out, "webhook \"my service\": Custom answered HTTP 400\n");
        program_result_free(&result);
        server_stop(receiver);
    }
}

static void each_loop_refuses_http_unless_it_is_allowed(void **state) {
    (void)state;
    unsetenv("ALLOW_HTTP");
    for (size_t i = 0; i < LOOPS; i++) {
        server *receiver = server_start(NULL);
        program_result result = run(loops[i], receiver, &yes, 1);
        assert_int_equal(result.status, 1);
        assert_told(result.err, "my service");
        assert_int_equal(server_connections(receiver), 0);
        program_result_free(&result);
        server_stop(receiver);
    }
}

/* ---- the outbox in a file ---- */

typedef struct file {
    char directory[40];
    char path[64];
} file;

static file make_file(void) {
    file made = {.directory = "/tmp/bb-example-XXXXXX"};
    assert_non_null(mkdtemp(made.directory));
    snprintf(made.path, sizeof made.path, "%s/app.db", made.directory);
    return made;
}

static void remove_file(const file *made) {
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        char name[80];
        snprintf(name, sizeof name, "%s%s", made->path, ends[i]);
        unlink(name);
    }
    assert_int_equal(rmdir(made->directory), 0);
}

static program_result run_outbox(server *receiver, const file *made, const server_step *step) {
    const char *const arguments[] = {OUTBOX_SQLITE, server_url(receiver, "/hook"), made->path,
                                     NULL};
    program_result result = {0};
    setenv("ALLOW_HTTP", "1", 1);
    server_on(receiver, "/hook", step, 1);
    program_run(&result, arguments, NULL);
    return result;
}

static void assert_ends(const program_result *result, const char *end) {
    size_t length = strlen(result->out);
    assert_true(length >= strlen(end));
    assert_string_equal(result->out + length - strlen(end), end);
}

static void what_is_committed_is_sent_and_what_is_rolled_back_is_not(void **state) {
    char end[96];
    file made = make_file();
    (void)state;
    server *receiver = server_start(NULL);
    program_result result = run_outbox(receiver, &made, &yes);
    assert_string_equal(result.err, "");
    assert_int_equal(result.status, 0);
    assert_told(result.out, "issue 101: ROLLBACK\n");
    assert_told(result.out, "issue 102: COMMIT\n");
    assert_told(result.out, "issue-102-done was delivered\n");
    snprintf(end, sizeof end, "0 waiting in %s\n", made.path);
    assert_ends(&result, end);
    assert_int_equal(server_requests(receiver), 1);
    assert_non_null(strstr(server_request_at(receiver, 0)->body, "\"id\":102"));
    program_result_free(&result);
    server_stop(receiver);
    remove_file(&made);
}

static void what_is_not_delivered_waits_in_the_file(void **state) {
    const server_step busy = {.status = 503};
    char end[96];
    file made = make_file();
    (void)state;
    server *receiver = server_start(NULL);
    for (int run_number = 1; run_number <= 2; run_number++) {
        program_result result = run_outbox(receiver, &made, &busy);
        assert_int_equal(result.status, 0);
        assert_told(result.out, "webhook \"my service\": Custom answered HTTP 503\n");
        snprintf(end, sizeof end, "%d waiting in %s\n", run_number, made.path);
        assert_ends(&result, end);
        program_result_free(&result);
    }
    server_stop(receiver);
    remove_file(&made);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_librarys_thread_delivers_before_the_program_ends),
        cmocka_unit_test(what_waits_for_a_later_attempt_is_left),
        cmocka_unit_test(what_is_refused_is_told_and_fails),
        cmocka_unit_test(each_loop_delivers_its_events_and_ends),
        cmocka_unit_test(each_loop_waits_for_a_pause_and_goes_on),
        cmocka_unit_test(each_loop_tells_what_is_dead_and_fails),
        cmocka_unit_test(each_loop_refuses_http_unless_it_is_allowed),
        cmocka_unit_test(what_is_committed_is_sent_and_what_is_rolled_back_is_not),
        cmocka_unit_test(what_is_not_delivered_waits_in_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
