/* Errors that may be missing, and structs of callers compiled with another version's header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

/* ------------------------------------------------------------------ errors -- */

static void a_failure_fills_the_error_and_returns_its_code(void **state) {
    (void)state;
    bb_error error = BB_ERROR_INIT;
    assert_int_equal(bb_fail(&error, BB_ERR_URL, "webhook \"%s\": %d", "ops", 7), BB_ERR_URL);
    assert_int_equal(error.code, BB_ERR_URL);
    assert_string_equal(error.text, "webhook \"ops\": 7");
    assert_int_equal(bb_fail_memory(&error), BB_ERR_NO_MEMORY);
    assert_int_equal(error.code, BB_ERR_NO_MEMORY);
    assert_string_not_equal(error.text, "");
}

static void nobody_has_to_listen(void **state) {
    (void)state;
    struct {
        bb_error error;
        char after[8];
    } unset = {.error = {.struct_size = 0, .text = "before"}, .after = "after"};
    assert_int_equal(bb_fail(NULL, BB_ERR_EVENT, "x"), BB_ERR_EVENT);
    assert_int_equal(bb_fail_memory(NULL), BB_ERR_NO_MEMORY);
    assert_int_equal(bb_fail(&unset.error, BB_ERR_EVENT, "x"), BB_ERR_EVENT);
    assert_string_equal(unset.error.text, "before"); /* of unknown size: not written to */
    assert_string_equal(unset.after, "after");
}

static void a_sentence_is_one_safe_line_within_its_room(void **state) {
    (void)state;
    bb_error error = BB_ERROR_INIT;
    bb_fail(&error, BB_ERR_EVENT, "%s",
            "a\nb\x1B[1m\xFF"
            "c");
    assert_string_equal(error.text, "a b [1m?c");
    char smiles[4 * 200 + 1] = "";
    for (size_t lead = 0; lead < 4; lead++) {
        for (size_t i = 0; i < 200; i++)
            memcpy(smiles + 4 * i, "\xF0\x9F\x98\x80", 5);
        bb_fail(&error, BB_ERR_EVENT, "%.*s%s", (int)lead, "xxx", smiles);
        assert_in_range(strlen(error.text), sizeof(error.text) - 5, sizeof(error.text) - 1);
        assert_int_equal((strlen(error.text) - lead) % 4, 0); /* whole characters */
    }
}

/* ----------------------------------------------------------------- structs -- */

typedef struct known {
    size_t struct_size;
    int64_t a;
    int64_t b;
} known;

typedef struct newer {
    known head;
    int64_t c;
    char d[8];
} newer;

static void a_struct_of_the_same_size_is_copied(void **state) {
    (void)state;
    known in = {sizeof(in), 1, 2}, out;
    assert_int_equal(bb_struct_read(&out, sizeof(out), &in, "known", NULL), BB_OK);
    assert_memory_equal(&out, &in, sizeof(out));
}

static void what_an_older_caller_did_not_know_is_zero(void **state) {
    (void)state;
    known in = {offsetof(known, b), 1, 2}, out;
    memset(&out, 0xFF, sizeof(out));
    assert_int_equal(bb_struct_read(&out, sizeof(out), &in, "known", NULL), BB_OK);
    assert_int_equal(out.a, 1);
    assert_int_equal(out.b, 0);
    assert_int_equal(out.struct_size, sizeof(out));
    in.struct_size = sizeof(size_t);
    assert_int_equal(bb_struct_read(&out, sizeof(out), &in, "known", NULL), BB_OK);
    assert_int_equal(out.a, 0);
}

/* Each single byte of the unknown tail counts. */
static void what_a_newer_caller_uses_beyond_this_library_is_refused(void **state) {
    (void)state;
    newer in;
    known out;
    for (size_t i = 0; i < sizeof(in) - sizeof(out); i++) {
        bb_error error = BB_ERROR_INIT;
        memset(&in, 0, sizeof(in));
        in.head = (known){sizeof(in), 1, 2};
        assert_int_equal(bb_struct_read(&out, sizeof(out), &in, "known", &error), BB_OK);
        assert_int_equal(out.b, 2);
        assert_int_equal(out.struct_size, sizeof(out));
        ((char *)&in)[sizeof(out) + i] = 1;
        assert_int_equal(bb_struct_read(&out, sizeof(out), &in, "known", &error), BB_ERR_STRUCT);
        assert_non_null(strstr(error.text, "known"));
        assert_non_null(strstr(error.text, BB_WEBHOOK_VERSION));
    }
}

static void a_size_that_was_never_set_is_refused(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, sizeof(size_t) - 1, 1 << 20, SIZE_MAX};
    known out;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        bb_error error = BB_ERROR_INIT;
        known in = {sizes[i], 1, 2};
        assert_int_equal(bb_struct_read(&out, sizeof(out), &in, "known", &error), BB_ERR_STRUCT);
        assert_non_null(strstr(error.text, "known.struct_size"));
        assert_int_equal(bb_struct_write(&in, &out, sizeof(out), "known", &error), BB_ERR_STRUCT);
        assert_int_equal(in.a, 1);
    }
    bb_error error = BB_ERROR_INIT;
    assert_int_equal(bb_struct_read(&out, sizeof(out), NULL, "known", &error), BB_ERR_ARGUMENT);
    assert_string_equal(error.text, "known is NULL");
    assert_int_equal(bb_struct_write(NULL, &out, sizeof(out), "known", &error), BB_ERR_ARGUMENT);
}

static void a_result_fills_what_the_caller_has_room_for(void **state) {
    (void)state;
    known in = {sizeof(in), 1, 2}, small = {offsetof(known, b), 7, 8};
    newer large;
    assert_int_equal(bb_struct_write(&small, &in, sizeof(in), "known", NULL), BB_OK);
    assert_int_equal(small.struct_size, offsetof(known, b));
    assert_int_equal(small.a, 1);
    assert_int_equal(small.b, 8); /* beyond its claimed size */
    memset(&large, 0xFF, sizeof(large));
    large.head.struct_size = sizeof(large);
    assert_int_equal(bb_struct_write(&large, &in, sizeof(in), "known", NULL), BB_OK);
    assert_int_equal(large.head.struct_size, sizeof(large));
    assert_int_equal(large.head.b, 2);
    assert_int_equal(large.c, 0);
    assert_int_equal(large.d[7], 0);
}

/* ------------------------------------------------------------------ public -- */

static void a_struct_can_be_begun_without_the_macro(void **state) {
    (void)state;
    bb_webhook by_macro = BB_WEBHOOK_INIT, by_call;
    memset(&by_call, 0xFF, sizeof(by_call));
    assert_int_equal(bb_struct_init(&by_call, sizeof(by_call)), BB_OK);
    assert_int_equal(by_call.struct_size, by_macro.struct_size);
    assert_null(by_call.url);
    assert_int_equal(by_call.dingtalk_action_card, 0);
    assert_int_equal(bb_struct_init(NULL, sizeof(by_call)), BB_ERR_ARGUMENT);
    assert_int_equal(bb_struct_init(&by_call, sizeof(size_t) - 1), BB_ERR_ARGUMENT);
    size_t only_size = 0;
    assert_int_equal(bb_struct_init(&only_size, sizeof(only_size)), BB_OK);
    assert_int_equal(only_size, sizeof(only_size));
}

/* Append-only means that no struct ends in padding, where a newer field would go unnoticed. */
static void no_public_struct_ends_in_padding(void **state) {
    (void)state;
#define ENDS_WITH(type, member)                                                                    \
    assert_int_equal(offsetof(type, member) + sizeof(((type *)0)->member), sizeof(type))
    ENDS_WITH(bb_error, text);
    ENDS_WITH(bb_allocator, user);
    ENDS_WITH(bb_user, email);
    ENDS_WITH(bb_project, name);
    ENDS_WITH(bb_issue, reserved);
    ENDS_WITH(bb_field, new_value);
    ENDS_WITH(bb_stage, reserved);
    ENDS_WITH(bb_task, skipped_reason);
    ENDS_WITH(bb_mention, reserved);
    ENDS_WITH(bb_event, mention_count);
    ENDS_WITH(bb_webhook, ca_file);
    ENDS_WITH(bb_options, egress);
    ENDS_WITH(bb_egress, reserved);
    ENDS_WITH(bb_credentials, kept);
    ENDS_WITH(bb_received, reserved);
    ENDS_WITH(bb_background_options, outbox);
    ENDS_WITH(bb_enqueue_options, keys);
    ENDS_WITH(bb_notice, reserved);
    ENDS_WITH(bb_stats, latency);
    ENDS_WITH(bb_outcome, text);
    ENDS_WITH(bb_attempt_report, not_made);
    ENDS_WITH(bb_webhook_status, probe_ms);
    ENDS_WITH(bb_post_options, reserved);
    ENDS_WITH(bb_attempt, delivery_id);
    ENDS_WITH(bb_response, request);
}

static void the_version_is_the_headers(void **state) {
    (void)state;
    int major, minor, patch;
    assert_string_equal(bb_webhook_version(), BB_WEBHOOK_VERSION);
    assert_int_equal(sscanf(BB_WEBHOOK_VERSION, "%d.%d.%d", &major, &minor, &patch), 3);
    assert_int_equal(BB_WEBHOOK_VERSION_NUMBER, major * 10000 + minor * 100 + patch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_fills_the_error_and_returns_its_code),
        cmocka_unit_test(nobody_has_to_listen),
        cmocka_unit_test(a_sentence_is_one_safe_line_within_its_room),
        cmocka_unit_test(a_struct_of_the_same_size_is_copied),
        cmocka_unit_test(what_an_older_caller_did_not_know_is_zero),
        cmocka_unit_test(what_a_newer_caller_uses_beyond_this_library_is_refused),
        cmocka_unit_test(a_size_that_was_never_set_is_refused),
        cmocka_unit_test(a_result_fills_what_the_caller_has_room_for),
        cmocka_unit_test(a_struct_can_be_begun_without_the_macro),
        cmocka_unit_test(no_public_struct_ends_in_padding),
        cmocka_unit_test(the_version_is_the_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
