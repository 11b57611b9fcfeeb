/* Receivers that misbehave over HTTP/1.1 and TLS: each comes to one outcome, in bounded time and
 * memory, and delays nobody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/hostile_run.h"

#define YES "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"code\":0}"

static void an_answer_behind_the_first_is_not_the_next_ones(void **state) {
    world *w = *state;
    posting_script(w, BB_CUSTOM, "hook", STEPS({.raw = YES YES}, {.status = 503}));
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    const bb_attempt_report *row = posting_send_one(w->dispatcher, "hook");
    posting_assert_row(row, BB_RETRY, 1);
    assert_int_equal(row->outcome->http_status, 503);
    assert_int_equal(server_requests(w->receiver), 2);
}

static void keep_line(void *user, bb_level level, const char *text) {
    char *line = user;
    (void)level;
    if (!*line)
        snprintf(line, 600, "%s", text);
}

/* Who is not notified of times has them not measured. */
static void a_stalled_handshake_is_told_as_one_to_the_log_alone(void **state) {
    enum { LIMIT_MS = 300 };
    world *w = *state;
    char line[600] = "";
    bb_options options = posting_options();
    options.connect_timeout_ms = LIMIT_MS;
    options.log = keep_line;
    options.log_user = line;
    posting_use(w, &options);
    server_on_accept(w->receiver, STEPS({.end = SERVER_SILENT}));
    posting_add(w->dispatcher, BB_CUSTOM, "hook",
                posting_url_at(w->receiver, "https", "127.0.0.1"));
    assert_int_equal(bb_webhook_enqueue(w->dispatcher, posting_event(), NULL, NULL, NULL), BB_OK);
    assert_int_equal(bb_dispatcher_flush(w->dispatcher, PATIENCE_MS, NULL), BB_OK);
    if (!strstr(line, "webhook \"hook\": no TLS session: "))
        fail_msg("%s", line);
    posting_use(w, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_WORLD(an_answer_behind_the_first_is_not_the_next_ones),
        WITH_WORLD(a_stalled_handshake_is_told_as_one_to_the_log_alone),
    };
    int failed = hostile_run_all(hostile_http, hostile_http_count);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
