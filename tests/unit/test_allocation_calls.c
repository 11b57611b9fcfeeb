/*
 * Running out of memory in the calls that test_allocation.c and its other neighbours leave out:
 * those that take no memory at all, and those of background delivery one by one. Each then says
 * BB_ERR_NO_MEMORY and has done nothing, or has done all; made again it succeeds, and everything
 * that was taken is delivered.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/alloc.h"
#include "support/background.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { SHORT_MS = 200, MANY = 3 };

/* ---- without any memory ---- */

static bb_request *prepared(const bb_webhook *hook) {
    bb_request *request = NULL;
    bb_options options = BB_OPTIONS_INIT;
    options.insecure_allow_http = options.insecure_allow_private_addresses = 1;
    assert_int_equal(bb_webhook_prepare(&options, hook, posting_event(), NULL, &request, NULL),
                     BB_OK);
    return request;
}

static void look_at_names(void) {
    bb_error error = BB_ERROR_INIT;
    assert_string_equal(bb_activity_name(bb_activity_from_name("bb.issue.create")),
                        "bb.issue.create");
    assert_int_equal(bb_issue_status_from_name(bb_issue_status_name(BB_ISSUE_DONE)), BB_ISSUE_DONE);
    assert_int_equal(bb_stage_status_from_name(bb_stage_status_name(BB_STAGE_END)), BB_STAGE_END);
    assert_int_equal(bb_language_from_name(bb_language_name(BB_CHINESE)), BB_CHINESE);
    assert_int_equal(bb_level_from_name(bb_level_name(BB_WARN)), BB_WARN);
    assert_int_equal(bb_type_from_name(bb_type_name(BB_CUSTOM)), BB_CUSTOM);
    assert_string_equal(bb_verdict_name(BB_DEAD), "dead");
    assert_non_null(bb_advice_name(BB_ADVICE_PAUSE));
    assert_string_equal(bb_code_name(BB_ERR_FULL), "BB_ERR_FULL");
    assert_string_equal(bb_webhook_version(), BB_WEBHOOK_VERSION);
    assert_int_equal(bb_latency_bound_ms(0), 5);
    bb_struct_init(&error, sizeof error);
    assert_int_equal(error.struct_size, sizeof error);
}

static void look_at_request(const bb_request *request) {
    size_t length = 0;
    assert_string_equal(bb_request_method(request), "POST");
    assert_non_null(strstr(bb_request_url(request, BB_MASKED), "***"));
    assert_non_null(bb_request_body(request, BB_REAL, &length));
    assert_int_not_equal(bb_request_header_count(request), 0);
    assert_non_null(bb_request_header_name(request, 0));
    assert_non_null(bb_request_header_value(request, 0, BB_REAL));
    assert_null(bb_request_cut(request, bb_request_cut_count(request)));
}

static void look_at_report(const bb_report *report) {
    assert_int_equal(bb_report_count(report), 1);
    assert_int_equal(bb_report_undelivered(report), 0);
    assert_int_equal(bb_report_row(report, 0)->outcome->verdict, BB_DELIVERED);
}

static void look_at_dispatcher(background *b) {
    bb_webhook_status status = BB_WEBHOOK_STATUS_INIT;
    assert_int_equal(bb_dispatcher_count(b->dispatcher), 1);
    assert_int_equal(bb_dispatcher_wake(b->dispatcher, NULL), BB_OK);
    assert_true(bb_dispatcher_fd(b->dispatcher) >= 0);
    assert_true(bb_dispatcher_timeout_ms(b->dispatcher) >= -1);
    assert_int_equal(bb_dispatcher_status(b->dispatcher, "hook", &status, NULL), BB_OK);
    assert_int_equal(bb_dispatcher_resume(b->dispatcher, "hook", NULL), BB_OK);
    assert_int_equal(background_stats(b, NULL).delivered, 1);
    assert_int_equal(background_stats(b, "hook").delivered, 1);
    assert_int_equal(bb_dispatcher_stop(b->dispatcher, 0, NULL, NULL), BB_OK);
}

static void what_only_looks_takes_no_memory(void **state) {
    background *b = *state;
    bb_event_doc *document = NULL;
    const char *json = "{\"activity_type\":\"bb.issue.create\",\"issue\":{\"name\":\"a\"}}";
    background_open(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    background_enqueue(b, NULL);
    background_flush(b);
    bb_report *report = posting_send(b->dispatcher);
    bb_webhook hook = posting_hook(BB_CUSTOM, "hook", server_url(b->receiver, "/hook"));
    bb_request *request = prepared(&hook);
    assert_int_equal(bb_event_parse(alloc_library(), json, strlen(json), &document, NULL), BB_OK);
    alloc_begin(1, 1);
    look_at_names();
    look_at_request(request);
    look_at_report(report);
    look_at_dispatcher(b);
    assert_int_equal(bb_event_doc_event(document)->activity, BB_ISSUE_CREATE);
    bb_request_free(request);
    bb_report_free(report);
    bb_event_doc_free(document);
    assert_int_equal(alloc_end(), 0);
}

/* ---- one call at a time ---- */

static bb_webhook match_hook(void) {
    return posting_hook(BB_CUSTOM, "hook", "https://ci.example.com/");
}

static int call_matches(background *b, bb_error *error) {
    bb_webhook hook = match_hook();
    (void)b;
    int code = bb_webhook_matches(&hook, posting_event(), error);
    return code == 1 ? BB_OK : code;
}

static int call_enqueue(background *b, bb_error *error) {
    bb_event event = *posting_event();
    size_t deliveries = 99;
    event.id = NULL;
    int code = bb_webhook_enqueue(b->dispatcher, &event, NULL, &deliveries, error);
    assert_int_equal(deliveries, code == BB_OK ? 2 : 0);
    return code;
}

static int call_enqueue_many(background *b, bb_error *error) {
    bb_event events[MANY];
    const bb_event *pointers[MANY];
    size_t deliveries = 99;
    for (size_t i = 0; i < MANY; i++) {
        events[i] = *posting_event();
        events[i].id = NULL;
        pointers[i] = &events[i];
    }
    int code = bb_webhook_enqueue_many(b->dispatcher, pointers, MANY, NULL, &deliveries, error);
    assert_int_equal(deliveries, code == BB_OK ? 2 * MANY : 0);
    return code;
}

static int call_remove(background *b, bb_error *error) {
    int code = bb_dispatcher_remove(b->dispatcher, "second", error);
    assert_int_equal(bb_dispatcher_count(b->dispatcher), code == BB_OK ? 1 : 2);
    return code;
}

static int call_fd(background *b, bb_error *error) {
    int fd = bb_dispatcher_fd(b->dispatcher);
    if (error)
        error->code = fd < 0 ? (bb_code)fd : BB_OK;
    return fd < 0 ? fd : BB_OK;
}

static int call_run(background *b, bb_error *error) {
    return bb_dispatcher_run(b->dispatcher, error);
}

static int call_start(background *b, bb_error *error) {
    return bb_dispatcher_start(b->dispatcher, error);
}

static int call_stats(background *b, bb_error *error) {
    bb_stats stats = BB_STATS_INIT;
    return bb_dispatcher_stats(b->dispatcher, NULL, &stats, error);
}

static int call_replace(background *b, bb_error *error) {
    char url[100];
    snprintf(url, sizeof url, "%s", server_url(b->receiver, "/first"));
    bb_webhook hook = posting_hook(BB_CUSTOM, "first", url);
    return bb_dispatcher_replace(b->dispatcher, &hook, error);
}

static const struct call {
    const char *name;
    int (*call)(background *b, bb_error *error);
    int is_repeatable; /* a second success would be another thing */
} calls[] = {
    {"bb_webhook_matches", call_matches, 1},
    {"bb_webhook_enqueue", call_enqueue, 1},
    {"bb_webhook_enqueue_many", call_enqueue_many, 1},
    {"bb_dispatcher_remove", call_remove, 0},
    {"bb_dispatcher_replace", call_replace, 1},
    {"bb_dispatcher_fd", call_fd, 1},
    {"bb_dispatcher_run", call_run, 1},
    {"bb_dispatcher_start", call_start, 0},
    {"bb_dispatcher_stats", call_stats, 1},
};

static void open_two(background *b) {
    bb_options options = background_bb_options(b);
    options.allocator = alloc_library();
    b->options.no_jitter = 1;
    b->options.breaker_open_ms = b->options.breaker_open_max_ms = 1;
    b->dispatcher = posting_dispatcher(&options);
    background_add_healthy(b, BB_CUSTOM, "first");
    background_add_healthy(b, BB_CUSTOM, "second");
}

/* Whatever waits is delivered, also what has to wait for its next attempt first; what was refused
 * is not there. */
static void assert_nothing_is_stuck(background *b) {
    bb_stats stats;
    int64_t end = server_now_ms() + PATIENCE_MS;
    assert_int_equal(bb_webhook_enqueue(b->dispatcher, posting_event(), NULL, NULL, NULL), BB_OK);
    do {
        bb_error error = BB_ERROR_INIT;
        if (bb_dispatcher_flush(b->dispatcher, PATIENCE_MS, &error) != BB_OK)
            fail_msg("%s", error.text);
        poll(NULL, 0, 1);
        stats = background_stats(b, NULL);
    } while (stats.waiting + stats.in_flight > 0 && server_now_ms() < end);
    assert_int_equal(stats.waiting + stats.in_flight, 0);
    assert_int_equal(stats.delivered, stats.enqueued - stats.dead);
    assert_int_not_equal(stats.delivered, 0);
}

struct calling {
    background *b;
    const struct call *of;
};

static void call_once(void *user) {
    const struct calling *c = user;
    bb_error error = BB_ERROR_INIT;
    alloc_end();
    open_two(c->b);
    alloc_resume();
    int code = c->of->call(c->b, &error);
    alloc_end();
    if (code != BB_OK) {
        if (code != BB_ERR_NO_MEMORY || !alloc_has_failed())
            fail_msg("%s: %s, %s", c->of->name, bb_code_name(code), error.text);
        assert_int_equal(error.code, BB_ERR_NO_MEMORY);
    }
    if (code != BB_OK || c->of->is_repeatable)
        assert_int_equal(c->of->call(c->b, NULL), BB_OK);
    assert_nothing_is_stuck(c->b);
    assert_int_equal(bb_dispatcher_free(c->b->dispatcher), BB_OK);
    c->b->dispatcher = NULL;
}

static void each_call_is_made_wholly_or_not_at_all(void **state) {
    for (size_t i = 0; i < COUNT(calls); i++) {
        struct calling c = {.b = *state, .of = &calls[i]};
        alloc_fail_each(calls[i].name, 0, call_once, &c);
    }
}

/* ---- while the library's thread drives ---- */

/* What is enqueued meanwhile is delivered when there is memory again, whatever the thread could not
 * do. */
static void drive_short_of_memory(void *user) {
    background *b = user;
    alloc_end();
    b->options.retry_delays_ms = (const uint32_t[]){10, 10, 10, 10, 10, 10, 10, 10};
    b->options.retry_delay_count = 8;
    open_two(b);
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    alloc_resume();
    int code = call_enqueue(b, &(bb_error)BB_ERROR_INIT);
    assert_true(code == BB_OK || code == BB_ERR_NO_MEMORY);
    code = bb_dispatcher_flush(b->dispatcher, SHORT_MS, NULL);
    assert_true(code == BB_OK || code == BB_ERR_TIMEOUT); /* it waits for no longer, for whatever */
    alloc_end();
    assert_int_equal(call_enqueue(b, NULL), BB_OK);
    assert_nothing_is_stuck(b);
    assert_int_equal(bb_dispatcher_stop(b->dispatcher, PATIENCE_MS, NULL, NULL), BB_OK);
    assert_int_equal(bb_dispatcher_free(b->dispatcher), BB_OK);
    b->dispatcher = NULL;
}

static void the_thread_goes_on_when_there_is_memory_again(void **state) {
    alloc_fail_each("with the thread", 40 * alloc_scale(), drive_short_of_memory, *state);
}

static int close_world(void **state) {
    alloc_teardown(state);
    return background_teardown(state);
}

#define WITH_BACKGROUND(test) cmocka_unit_test_setup_teardown(test, background_setup, close_world)

int main(void) {
    alloc_hook_openssl();
    alloc_hook_others();
    const struct CMUnitTest tests[] = {
        WITH_BACKGROUND(what_only_looks_takes_no_memory),
        WITH_BACKGROUND(each_call_is_made_wholly_or_not_at_all),
        WITH_BACKGROUND(the_thread_goes_on_when_there_is_memory_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
