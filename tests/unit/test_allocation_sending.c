/*
 * Running out of memory while webhooks are told what happened, by a receiver in a process of its
 * own. Each allocation of the library, cJSON and libcurl fails once, alone and with all that
 * follow. A call then says BB_ERR_NO_MEMORY, and nothing was sent; or each webhook has an outcome
 * that agrees with what has arrived: delivered is there, retry is not, unknown may be; dead is
 * nobody for want of memory. Nothing leaks, and the next post is delivered.
 *
 * Of the hundreds of points of a post some dozens are taken; BB_TEST_SCALE multiplies them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/alloc.h"
#include "support/posting.h"
#include "support/proxy.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct kind {
    bb_type type;
    const char *path;
    const char *secret;
} kinds[] = {
    {BB_SLACK, "/services/T0/B0/x", NULL},
    {BB_DISCORD, "/api/v10/webhooks/123456789012345678/x", NULL},
    {BB_TEAMS, "/workflows/w/triggers/manual/paths/invoke", NULL},
    {BB_DINGTALK, "/robot/send", "SECtest"},
    {BB_FEISHU, "/open-apis/bot/v2/hook/x", "demo"},
    {BB_WECOM, "/cgi-bin/webhook/send", NULL},
    {BB_CUSTOM, "/custom", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]), POSTS_MAX = 10000, POINTS = 150 };

/* Every post has a number, which its messages carry: what arrived for it, and what was said. */
static server *receiver;
static size_t posts, scanned;
static unsigned char arrived[POSTS_MAX][KINDS];
static unsigned char said[POSTS_MAX][KINDS]; /* a bb_verdict; 0: the post was refused */

/* Without TLS: libcurl 7.88.1 itself frees a host's name twice when memory runs out while it keeps
 * a TLS session. */
static int open_receiver(void **state) {
    (void)state;
    server_options options = {.own_process = 1};
    receiver = server_start(&options);
    posts = scanned = 0;
    memset(arrived, 0, sizeof(arrived));
    memset(said, 0, sizeof(said));
    for (size_t k = 0; k < KINDS; k++) {
        server_step yes = posting_success(kinds[k].type);
        server_on(receiver, kinds[k].path, &yes, 1);
    }
    return 0;
}

static int close_receiver(void **state) {
    alloc_teardown(state);
    server_stop(receiver);
    return 0;
}

/* ----------------------------------------------------------------- arrivals -- */

static size_t kind_of(const char *path) {
    for (size_t k = 0; k < KINDS; k++)
        if (strcmp(kinds[k].path, path) == 0)
            return k;
    fail_msg("a request for %s", path);
    return 0;
}

/* Nothing goes out with less than it should have: no half of a URL or body, no signature missing.
 */
static void assert_is_whole(const server_request *request, bb_type type) {
    assert_non_null(server_header(request, "Content-Type"));
    assert_non_null(server_header(request, "User-Agent"));
    assert_int_equal(request->body[0], '{');
    assert_int_equal(request->body[request->body_length - 1], '}');
    if (strstr(request->query, "key=abcdefghijkl") == NULL)
        fail_msg("%s without its query: \"%s\"", request->path, request->query);
    if (type == BB_DINGTALK)
        assert_non_null(strstr(request->query, "&sign="));
    if (type == BB_FEISHU)
        assert_non_null(strstr(request->body, "\"sign\":\""));
    if (type == BB_CUSTOM)
        assert_non_null(server_header(request, "webhook-signature"));
}

static void scan_arrivals(void) {
    const server_request *request;
    for (; (request = server_request_at(receiver, scanned)) != NULL; scanned++) {
        assert_is_whole(request, kinds[kind_of(request->path)].type);
        const char *mark = strstr(request->body, "serial");
        size_t number = mark == NULL ? 0 : strtoul(mark + strlen("serial"), NULL, 10);
        assert_in_range(number, 1, posts);
        size_t count = ++arrived[number - 1][kind_of(request->path)];
        assert_int_equal(count, 1); /* one attempt is one POST */
    }
}

static void assert_agrees(size_t post, size_t kind) {
    bb_verdict verdict = said[post][kind];
    if (verdict == BB_UNKNOWN || (verdict == BB_DELIVERED) == (arrived[post][kind] == 1))
        return;
    fail_msg("%s: %s, but %d arrived", bb_type_name(kinds[kind].type),
             verdict ? bb_verdict_name(verdict) : "the post was refused", arrived[post][kind]);
}

static void assert_all_agree(void) {
    scan_arrivals();
    for (size_t post = 0; post < posts; post++)
        for (size_t kind = 0; kind < KINDS; kind++)
            assert_agrees(post, kind);
}

/* -------------------------------------------------------------------- posts -- */

/* One of them has its URL from the host. */
static int give_url(void *user, const char *webhook_id, bb_credentials *given) {
    static char url[128];
    (void)user, (void)webhook_id;
    snprintf(url, sizeof(url), "%s?key=abcdefghijkl", server_url(receiver, kinds[0].path));
    given->url = url;
    return 0;
}

static proxy *way; /* of every dispatcher; NULL: directly */

static bb_dispatcher *new_dispatcher(bb_error *error, int *code) {
    bb_dispatcher *dispatcher = NULL;
    bb_options options = posting_options();
    options.credentials = give_url;
    bb_egress egress = BB_EGRESS_INIT;
    egress.proxy = way ? proxy_url(way) : NULL;
    options.egress = &egress;
    options.allocator = alloc_library();
    *code = bb_dispatcher_new(&options, &dispatcher, error);
    return dispatcher;
}

static int add(bb_dispatcher *dispatcher, const struct kind *kind, const char *name,
               bb_error *error) {
    char url[128];
    snprintf(url, sizeof(url), "%s?key=abcdefghijkl", server_url(receiver, kind->path));
    bb_webhook hook = posting_hook(kind->type, bb_type_name(kind->type), url);
    hook.name = name;
    hook.secret = kind->secret;
    if (kind->type == BB_SLACK)
        hook.url = NULL;
    if (kind->type == BB_CUSTOM)
        hook.previous_secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    hook.authorization = kind->type == BB_SLACK ? NULL : "Bearer token";
    return bb_dispatcher_add(dispatcher, &hook, error);
}

/* What a call may say when memory was short. */
static void assert_no_memory(int code, const bb_error *error) {
    if (code != BB_ERR_NO_MEMORY || !alloc_has_failed())
        fail_msg("%s: %s", bb_code_name(code), error->text);
    assert_int_equal(error->code, BB_ERR_NO_MEMORY);
}

/* Adds those that are not there yet. */
static void add_kinds(bb_dispatcher *dispatcher) {
    for (size_t k = 0; k < KINDS; k++) {
        bb_error error = BB_ERROR_INIT;
        int code = add(dispatcher, &kinds[k], "room", &error);
        if (code && code != BB_ERR_EXISTS)
            assert_no_memory(code, &error);
    }
}

static void take_row(size_t post, const bb_attempt_report *row) {
    size_t k = 0;
    while (kinds[k].type != row->type)
        k++;
    said[post][k] = (unsigned char)row->outcome->verdict;
    assert_in_range(row->outcome->verdict, BB_DELIVERED, BB_UNKNOWN);
    if (row->outcome->verdict == BB_DEAD)
        fail_msg("dead for want of memory: %s", row->outcome->text);
    if (row->outcome->verdict != BB_DELIVERED)
        assert_true(alloc_has_failed());
    assert_string_not_equal(row->outcome->text, "");
    assert_string_equal(row->webhook_id, bb_type_name(row->type));
    assert_non_null(row->delivery_id);
    assert_agrees(post, k);
}

/* Returns the number of rows. */
static size_t take_report(size_t post, int code, bb_report *report, const bb_error *error) {
    scan_arrivals();
    if (code) {
        assert_no_memory(code, error);
        assert_null(report);
        return 0;
    }
    size_t count = bb_report_count(report);
    for (size_t i = 0; i < count; i++)
        take_row(post, bb_report_row(report, i));
    return count;
}

static size_t next_post(void) {
    assert_in_range(posts, 0, POSTS_MAX - 1);
    return posts++;
}

static int send_post(bb_dispatcher *dispatcher, size_t post, bb_report **report, bb_error *error) {
    char link[64];
    bb_issue issue = BB_ISSUE_INIT;
    bb_event event = *posting_event();
    snprintf(link, sizeof(link), "https://bb.example.com/issue/serial%06zu", post + 1);
    issue.id = 101;
    issue.name = "Add index";
    issue.description = "because it is slow";
    event.issue = &issue;
    event.link = link;
    return bb_webhook_post(dispatcher, &event, NULL, report, error);
}

static void post_once(bb_dispatcher *dispatcher) {
    size_t post = next_post();
    bb_report *report = NULL;
    bb_error error = BB_ERROR_INIT;
    int code = send_post(dispatcher, post, &report, &error);
    size_t rows = take_report(post, code, report, &error);
    if (code == BB_OK)
        assert_int_equal(rows, bb_dispatcher_count(dispatcher));
    bb_report_free(report);
}

/* With memory again: every kind is there and told. Frees the dispatcher. */
static void assert_works_again(bb_dispatcher *dispatcher) {
    add_kinds(dispatcher);
    assert_int_equal(bb_dispatcher_count(dispatcher), KINDS);
    post_once(dispatcher);
    for (size_t k = 0; k < KINDS; k++)
        assert_int_equal(said[posts - 1][k], BB_DELIVERED);
    bb_dispatcher_free(dispatcher);
}

static size_t most_points(void) {
    return POINTS * alloc_scale();
}

/* ---------------------------------------------------------------- the tests -- */

static void live_a_whole_life(void *user) {
    (void)user;
    bb_report *report = NULL;
    bb_error error = BB_ERROR_INIT;
    int code;
    bb_dispatcher *dispatcher = new_dispatcher(&error, &code);
    if (code) {
        assert_no_memory(code, &error);
        assert_null(dispatcher);
        return;
    }
    add_kinds(dispatcher);
    size_t post = next_post();
    code = send_post(dispatcher, post, &report, &error);
    bb_dispatcher_free(dispatcher); /* also without memory */
    alloc_end();
    take_report(post, code, report, &error);
    bb_report_free(report);
}

static void a_dispatcher_lives_from_new_to_free_without_memory(void **state) {
    (void)state;
    alloc_fail_each("new, add, post, free", most_points(), live_a_whole_life, NULL);
    assert_all_agree();
}

/* A dispatcher that was made while there was memory. */
static bb_dispatcher *new_dispatcher_at_ease(void) {
    bb_error error = BB_ERROR_INIT;
    int code;
    alloc_end();
    bb_dispatcher *dispatcher = new_dispatcher(&error, &code);
    assert_int_equal(code, BB_OK);
    return dispatcher;
}

static void run_short_at_first(void *user) {
    (void)user;
    bb_dispatcher *dispatcher = new_dispatcher_at_ease();
    alloc_resume();
    add_kinds(dispatcher);
    post_once(dispatcher);
    alloc_end();
    assert_works_again(dispatcher);
}

static void a_dispatcher_that_was_short_of_memory_works_again(void **state) {
    (void)state;
    alloc_fail_each("add, first post", most_points(), run_short_at_first, NULL);
    assert_all_agree();
}

static void run_short_later(void *user) {
    (void)user;
    bb_dispatcher *dispatcher = new_dispatcher_at_ease();
    add_kinds(dispatcher);
    post_once(dispatcher);
    alloc_resume();
    post_once(dispatcher);
    alloc_end();
    assert_works_again(dispatcher);
}

static void kept_connections_survive_want_of_memory(void **state) {
    (void)state;
    alloc_fail_each("second post, on kept connections", most_points(), run_short_later, NULL);
    assert_all_agree();
}

static void run_short_through_a_proxy(void *user) {
    const int *socks = user;
    way = proxy_start(&(proxy_options){.socks = *socks, .to_port = server_port(receiver)});
    run_short_at_first(NULL);
    proxy_stop(way);
    way = NULL;
}

static void a_way_through_a_proxy_survives_want_of_memory(void **state) {
    (void)state;
    for (int socks = 0; socks <= 1; socks++)
        alloc_fail_each("add, first post through a proxy", most_points() / 2,
                        run_short_through_a_proxy, &socks);
    assert_all_agree();
}

static void send_test(void *user) {
    const struct kind *kind = user;
    char name[32];
    size_t post = next_post();
    bb_report *report = NULL;
    bb_error error = BB_ERROR_INIT;
    bb_dispatcher *dispatcher = new_dispatcher_at_ease();
    snprintf(name, sizeof(name), "serial%06zu", post + 1);
    assert_int_equal(add(dispatcher, kind, name, NULL), BB_OK);
    alloc_resume();
    int code = bb_webhook_test(dispatcher, bb_type_name(kind->type), &report, &error);
    alloc_end();
    assert_int_equal(take_report(post, code, report, &error), code == BB_OK);
    bb_report_free(report);
    assert_works_again(dispatcher);
}

static void a_test_message_is_sent_or_is_not(void **state) {
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        char what[64];
        struct kind kind = kinds[k];
        snprintf(what, sizeof(what), "bb_webhook_test, %s", bb_type_name(kind.type));
        alloc_fail_each(what, most_points() / 5, send_test, &kind);
    }
    assert_all_agree();
}

int main(void) {
    alloc_hook_openssl();
    alloc_hook_others();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_dispatcher_lives_from_new_to_free_without_memory,
                                        open_receiver, close_receiver),
        cmocka_unit_test_setup_teardown(a_dispatcher_that_was_short_of_memory_works_again,
                                        open_receiver, close_receiver),
        cmocka_unit_test_setup_teardown(kept_connections_survive_want_of_memory, open_receiver,
                                        close_receiver),
        cmocka_unit_test_setup_teardown(a_way_through_a_proxy_survives_want_of_memory,
                                        open_receiver, close_receiver),
        cmocka_unit_test_setup_teardown(a_test_message_is_sent_or_is_not, open_receiver,
                                        close_receiver),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
