/* Ids that stay the same over retries, crashes and restarts, and tell nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "delivery/identity.h"
#include "support/alloc.h"

static struct bb_arena arena;

static int open_arena(void **state) {
    (void)state;
    bb_arena_init(&arena, alloc_library());
    return 0;
}

static int close_arena(void **state) {
    (void)state;
    bb_arena_free(&arena);
    return 0;
}

static void assert_form(const char *id, const char *prefix) {
    assert_non_null(id);
    assert_memory_equal(id, prefix, 4);
    assert_int_equal(strlen(id), 4 + 32);
    assert_int_equal(strspn(id + 4, "0123456789abcdef"), 32);
}

/* The digests were worked out by hand: printf '5:evt_1ops' | sha256sum. */
static void a_delivery_has_the_same_id_for_ever(void **state) {
    (void)state;
    const char *id = bb_identity_of_delivery(&arena, "evt_1", "ops");
    assert_form(id, "msg_");
    assert_string_equal(id, "msg_138242a5258527d823b6e7de1b2c691a");
    assert_string_equal(bb_identity_of_delivery(&arena, "evt_1", "ops"), id);
}

static void deliveries_differ_by_event_and_by_webhook(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"a", "bc"}, {"ab", "c"}, {"abc", ""}, {"", "abc"},  {"a", "b"},   {"b", "a"},
        {"1", ":a"}, {"1:", "a"}, {"A", "bc"}, {"a.b", "c"}, {"a", "b.c"},
    };
    enum { PAIRS = sizeof(pairs) / sizeof(pairs[0]) };
    const char *ids[PAIRS];
    for (size_t i = 0; i < PAIRS; i++) {
        ids[i] = bb_identity_of_delivery(&arena, pairs[i][0], pairs[i][1]);
        assert_form(ids[i], "msg_");
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(ids[i], ids[k]);
    }
}

static const char *id_of(bb_activity activity, const char *title, int64_t issue_id) {
    bb_event event = BB_EVENT_INIT;
    bb_issue issue = BB_ISSUE_INIT;
    issue.id = issue_id;
    event.activity = activity;
    event.title = title;
    event.issue = &issue;
    return bb_identity_of_event(&arena, &event);
}

static void an_event_without_an_id_is_known_by_its_content(void **state) {
    (void)state;
    const char *id = id_of(BB_ISSUE_CREATE, "t", 1);
    assert_form(id, "evt_");
    char title[] = "t"; /* the same text in another place */
    assert_string_equal(id_of(BB_ISSUE_CREATE, title, 1), id);
    assert_string_not_equal(id_of(BB_ISSUE_COMMENT_CREATE, "t", 1), id);
    assert_string_not_equal(id_of(BB_ISSUE_CREATE, "u", 1), id);
    assert_string_not_equal(id_of(BB_ISSUE_CREATE, "t", 2), id);
    assert_string_equal(id_of(BB_ISSUE_CREATE, NULL, 1), id_of(BB_ISSUE_CREATE, "", 1));
}

static bb_request *prepare(const char *event_id, const char *delivery_id, int *code) {
    bb_webhook hook = BB_WEBHOOK_INIT;
    bb_event event = BB_EVENT_INIT;
    bb_attempt attempt = BB_ATTEMPT_INIT;
    bb_request *request = NULL;
    hook.name = "ops";
    hook.type = BB_CUSTOM;
    hook.url = "https://ci.example.com/h";
    event.id = event_id;
    event.activity = BB_ISSUE_CREATE;
    event.created_ts = 1700000000;
    attempt.delivery_id = delivery_id;
    attempt.time_ms = 1700000001999;
    *code = bb_webhook_prepare(NULL, &hook, &event, &attempt, &request, NULL);
    return request;
}

static const char *header(const bb_request *request, const char *name) {
    for (size_t i = 0; i < bb_request_header_count(request); i++)
        if (strcmp(bb_request_header_name(request, i), name) == 0)
            return bb_request_header_value(request, i, BB_REAL);
    fail_msg("no header %s", name);
    return NULL;
}

static void requests_carry_the_derived_id(void **state) {
    (void)state;
    int code;
    bb_request *request = prepare("evt_1", NULL, &code);
    assert_string_equal(header(request, "webhook-id"),
                        bb_identity_of_delivery(&arena, "evt_1", "ops"));
    assert_string_equal(header(request, "webhook-timestamp"), "1700000001");
    bb_request_free(request);
    request = prepare(NULL, NULL, &code);
    bb_request *again = prepare("", "", &code);
    assert_string_equal(header(request, "webhook-id"), header(again, "webhook-id"));
    bb_request_free(request);
    bb_request_free(again);
}

static void a_delivery_id_of_the_hosts_own_is_used_if_it_is_a_word(void **state) {
    (void)state;
    int code;
    bb_request *request = prepare("evt_1", "Delivery_7-a", &code);
    assert_string_equal(header(request, "webhook-id"), "Delivery_7-a");
    bb_request_free(request);
    static const char *const wrong[] = {"a.b", "a b", "a\r\nX: y", "\xE4\xB8\x96", "a/b"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_null(prepare("evt_1", wrong[i], &code));
        assert_int_equal(code, BB_ERR_ARGUMENT);
    }
    char longest[257];
    memset(longest, 'x', sizeof(longest));
    longest[256] = '\0';
    assert_null(prepare("evt_1", longest, &code));
    longest[255] = '\0';
    request = prepare("evt_1", longest, &code);
    assert_string_equal(header(request, "webhook-id"), longest);
    bb_request_free(request);
}

static void without_memory_there_is_no_id(void **state) {
    (void)state;
    struct bb_arena short_arena;
    bb_arena_init(&short_arena, alloc_library());
    alloc_begin(1, 1);
    assert_null(bb_identity_of_delivery(&short_arena, "a", "b"));
    alloc_end();
    assert_true(short_arena.failed);
    bb_arena_free(&short_arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_delivery_has_the_same_id_for_ever),
        cmocka_unit_test(deliveries_differ_by_event_and_by_webhook),
        cmocka_unit_test(an_event_without_an_id_is_known_by_its_content),
        cmocka_unit_test(requests_carry_the_derived_id),
        cmocka_unit_test(a_delivery_id_of_the_hosts_own_is_used_if_it_is_a_word),
        cmocka_unit_test(without_memory_there_is_no_id),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
