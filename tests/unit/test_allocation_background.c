/*
 * Running out of memory in background delivery. Each allocation of the library, cJSON and libcurl
 * fails once, alone and with all that follow, from the enqueuing over the first attempts to the
 * retries. An event is taken wholly or refused with BB_ERR_NO_MEMORY; what was taken ends when
 * there is memory again: delivered, or given up because it may have arrived. Nothing leaks.
 *
 * Of the many points some are taken; BB_TEST_SCALE multiplies them.
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
#include "support/dns.h"

enum { HOOKS = 5, EVENTS = 3, POINTS = 60, SHORT_TURNS = 60, SECOND_MS = 1000 };

static dns *names;
static int is_small; /* one webhook and one event, so that every point can be taken */

/* ------------------------------------------------------------------- world -- */

static void forget_notices(background *b) {
    b->count = b->sent = 0;
    memset(b->counts, 0, sizeof b->counts);
}

static char named_url[100];

static int give_url(void *user, const char *webhook_id, bb_credentials *given) {
    (void)user;
    assert_string_equal(webhook_id, "named");
    given->url = named_url;
    return 0;
}

/* One that is found by its name and has its URL from the host, one whose URL is signed, two that
 * are asked again. */
static void add_hooks(background *b) {
    static const server_step no = {.status = 503};
    server_step custom[] = {no, posting_success(BB_CUSTOM)};
    server_step slack[] = {no, posting_success(BB_SLACK)};
    server_step dingtalk = posting_success(BB_DINGTALK);
    bb_webhook hook = background_hook(b, BB_CUSTOM, "custom", custom, 2);
    hook.secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    background_add(b, &hook);
    if (is_small)
        return;
    hook = background_hook(b, BB_DINGTALK, "dingtalk", &dingtalk, 1);
    hook.secret = "SECtest";
    background_add(b, &hook);
    hook = background_hook(b, BB_SLACK, "slack", slack, 2);
    hook.order = BB_ORDER_ISSUE;
    background_add(b, &hook);
    background_add_healthy(b, BB_DISCORD, "discord");
    hook = background_hook(b, BB_CUSTOM, "named", custom + 1, 1);
    snprintf(named_url, sizeof named_url, "http://hooks.test:%d/named", server_port(b->receiver));
    hook.url = NULL;
    background_add(b, &hook);
}

static void open_world(background *b) {
    b->clock_ms = INT64_C(1700000000000);
    b->options.no_jitter = 1;
    b->options.dns_servers = dns_servers(names);
    bb_options options = background_bb_options(b);
    options.allocator = alloc_library();
    options.credentials = give_url;
    options.timeout_ms = options.connect_timeout_ms = 2000;
    b->dispatcher = posting_dispatcher(&options);
    add_hooks(b);
    forget_notices(b);
}

/* --------------------------------------------------------------------- one -- */

static size_t enqueue_some(background *b) {
    size_t taken = 0;
    for (int i = 0; i < (is_small ? 1 : EVENTS); i++) {
        bb_event event = *posting_event();
        bb_error error = BB_ERROR_INIT;
        size_t deliveries = 99;
        event.id = NULL;
        int code = bb_webhook_enqueue(b->dispatcher, &event, NULL, &deliveries, &error);
        if (code != BB_OK)
            assert_int_equal(code, BB_ERR_NO_MEMORY);
        assert_int_equal(deliveries, code == BB_OK ? bb_dispatcher_count(b->dispatcher) : 0);
        taken += deliveries;
    }
    return taken;
}

static size_t ended(const background *b) {
    return b->counts[BB_NOTICE_DELIVERED] + b->counts[BB_NOTICE_DEAD];
}

/* Drives while memory is short: for some turns only, because it may stay so. */
static void drive_for_a_while(background *b, size_t taken) {
    for (int i = 0; i < SHORT_TURNS && ended(b) < taken; i++) {
        int code = bb_dispatcher_run(b->dispatcher, NULL);
        assert_true(code == BB_OK || code == BB_ERR_SYSTEM || code == BB_ERR_NO_MEMORY);
        struct pollfd ready = {.fd = bb_dispatcher_fd(b->dispatcher), .events = POLLIN};
        if (ready.fd >= 0 && background_stats(b, NULL).in_flight > 0)
            poll(&ready, 1, 10);
        else
            b->clock_ms += SECOND_MS;
    }
}

/* What a look-up without memory has found is kept for a second, not of the test's clock: the whole
 * schedule would pass in it. */
static void let_names_be_asked_again(const background *b) {
    enum { KEPT_MS = 1100 };
    int has_failed = 0;
    for (size_t i = 0; i < b->count; i++)
        has_failed |= strcmp(b->tells[i].webhook_id, "named") == 0 &&
                      strstr(b->tells[i].text, "its name has no address") != NULL;
    if (has_failed)
        poll(NULL, 0, KEPT_MS);
}

static void assert_ends_are_sound(const background *b, size_t requests) {
    for (size_t i = 0; i < b->count; i++) {
        const told *t = &b->tells[i];
        if (t->kind == BB_NOTICE_DEAD && t->verdict != BB_UNKNOWN)
            fail_msg("dead for want of memory: %s", t->text);
    }
    assert_true(b->counts[BB_NOTICE_DELIVERED] <= requests);
    assert_true(requests <= b->sent);
}

static void deliver_some(void *user) {
    background *b = user;
    alloc_end();
    open_world(b);
    size_t before = server_requests(b->receiver);
    alloc_resume();
    size_t taken = enqueue_some(b);
    drive_for_a_while(b, taken);
    alloc_end();
    let_names_be_asked_again(b);
    background_pass_time(b, BB_NOTICE_DELIVERED, taken, INT64_MAX);
    bb_stats stats = background_stats(b, NULL);
    assert_int_equal(ended(b), taken);
    assert_int_equal(stats.enqueued, taken);
    assert_int_equal(stats.delivered + stats.dead, taken);
    assert_int_equal(stats.waiting_bytes, 0);
    assert_ends_are_sound(b, server_requests(b->receiver) - before);
    assert_int_equal(bb_dispatcher_free(b->dispatcher), BB_OK);
    b->dispatcher = NULL;
}

static void what_was_taken_is_delivered_when_there_is_memory_again(void **state) {
    is_small = 0;
    alloc_fail_each("background", POINTS * alloc_scale(), deliver_some, *state);
}

static void one_delivery_survives_the_failure_of_any_allocation(void **state) {
    is_small = 1;
    alloc_fail_each("one delivery", 0, deliver_some, *state);
    is_small = 0;
}

/* ------------------------------------------------------------------- looking -- */

static void look_at_it(void *user) {
    background *b = user;
    char page[32 * 1024];
    int code = bb_dispatcher_prometheus(b->dispatcher, page, sizeof page, NULL, NULL);
    if (code != BB_OK)
        assert_int_equal(code, BB_ERR_NO_MEMORY);
    assert_int_equal(background_stats(b, NULL).waiting, HOOKS);
}

static void looking_at_it_without_memory_changes_nothing(void **state) {
    background *b = *state;
    open_world(b);
    background_enqueue(b, "one");
    alloc_fail_each("prometheus", 0, look_at_it, b);
    assert_int_equal(bb_dispatcher_free(b->dispatcher), BB_OK);
    b->dispatcher = NULL;
}

/* Ends with the failing over, so that a test that fails is told of with memory. */
static int close_world(void **state) {
    alloc_teardown(state);
    return background_teardown(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_taken_is_delivered_when_there_is_memory_again,
                                        background_setup, close_world),
        cmocka_unit_test_setup_teardown(one_delivery_survives_the_failure_of_any_allocation,
                                        background_setup, close_world),
        cmocka_unit_test_setup_teardown(looking_at_it_without_memory_changes_nothing,
                                        background_setup, close_world),
    };
    alloc_hook_openssl();
    alloc_hook_others();
    names = dns_start();
    dns_set(names, "hooks.test", "127.0.0.1", 60);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    dns_stop(names);
    return failed;
}
