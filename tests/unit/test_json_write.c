/* Writing JSON: the bytes, the buffer's cap, and failures that stick until the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "support/alloc.h"

enum { ROOMY = 1 << 20 };

static void write_sample(struct bb_json *json, struct bb_buf *out) {
    bb_json_begin(json, out);
    bb_json_string(json, "text",
                   "a\"b\\c\n\t\x01"
                   "d\xE4\xB8\x96\x7F/");
    bb_json_integer(json, "min", INT64_MIN);
    bb_json_integer(json, "max", INT64_MAX);
    bb_json_bool(json, "yes", true);
    bb_json_bool(json, "no", false);
    bb_json_null(json, "none");
    bb_json_array(json, "list");
    bb_json_string(json, NULL, "one");
    bb_json_integer(json, NULL, 2);
    bb_json_object(json, NULL);
    bb_json_string(json, "deep", "");
    bb_json_end(json);
    bb_json_array(json, NULL);
    bb_json_end(json);
    bb_json_end(json);
    bb_json_object(json, "empty");
    bb_json_end(json);
}

static const char sample[] =
    "{\"text\":\"a\\\"b\\\\c\\n\\t\\u0001d\xE4\xB8\x96\x7F/\",\"min\":-9223372036854775808,"
    "\"max\":9223372036854775807,\"yes\":true,\"no\":false,\"none\":null,"
    "\"list\":[\"one\",2,{\"deep\":\"\"},[]],\"empty\":{}}";

static void what_is_pushed_is_printed_in_order_without_blanks(void **state) {
    (void)state;
    struct bb_json json;
    struct bb_buf out;
    bb_buf_init(&out, &bb_mem_default, ROOMY);
    bb_buf_text(&out, "before");
    write_sample(&json, &out);
    assert_true(bb_json_finish(&json));
    assert_string_equal(bb_buf_data(&out) + strlen("before"), sample);
    assert_int_equal(out.length, strlen("before") + strlen(sample));
    bb_buf_free(&out);
}

static void a_document_longer_than_any_first_guess_is_printed(void **state) {
    (void)state;
    const size_t megabyte = 1 << 20;
    char *text = malloc(megabyte + 1);
    assert_non_null(text);
    memset(text, '"', megabyte);
    text[megabyte] = '\0';
    struct bb_json json;
    struct bb_buf out;
    bb_buf_init(&out, &bb_mem_default, 3 * megabyte);
    bb_json_begin(&json, &out);
    bb_json_string(&json, "t", text);
    assert_true(bb_json_finish(&json));
    assert_int_equal(out.length, 2 * megabyte + strlen("{\"t\":\"\"}"));
    bb_buf_free(&out);
    free(text);
}

static void what_does_not_fit_says_so(void **state) {
    (void)state;
    for (size_t cap = 0; cap < strlen(sample); cap++) {
        struct bb_json json;
        struct bb_buf out;
        bb_buf_init(&out, &bb_mem_default, cap);
        write_sample(&json, &out);
        assert_false(bb_json_finish(&json));
        assert_true(out.too_large);
        assert_false(out.no_memory);
        assert_int_equal(out.length, 0);
        bb_buf_free(&out);
    }
}

static void what_just_fits_is_written(void **state) {
    (void)state;
    struct bb_json json;
    struct bb_buf out;
    bb_buf_init(&out, &bb_mem_default, strlen(sample));
    write_sample(&json, &out);
    assert_true(bb_json_finish(&json));
    assert_string_equal(bb_buf_data(&out), sample);
    bb_buf_free(&out);
}

/* Every byte that a string can have, alone and within plain text of every length. */
static void only_quotes_backslashes_and_controls_are_escaped(void **state) {
    (void)state;
    static const char *const short_forms[256] = {
        ['\b'] = "\\b", ['\f'] = "\\f", ['\n'] = "\\n", ['\r'] = "\\r",
        ['\t'] = "\\t", ['"'] = "\\\"", ['\\'] = "\\\\"};
    for (int byte = 1; byte < 256; byte++) {
        for (int plain = 0; plain < 20; plain++) {
            char text[48], form[8], expected[64];
            struct bb_json json;
            struct bb_buf out;
            snprintf(form, sizeof form, byte < 0x20 ? "\\u%04x" : "%c", byte);
            const char *spelled = short_forms[byte] ? short_forms[byte] : form;
            snprintf(text, sizeof text, "%.*s%c%.*s", plain, "abcdefghijklmnopqrst", byte,
                     20 - plain, "abcdefghijklmnopqrst");
            snprintf(expected, sizeof expected, "{\"t\":\"%.*s%s%.*s\"}", plain,
                     "abcdefghijklmnopqrst", spelled, 20 - plain, "abcdefghijklmnopqrst");
            bb_buf_init(&out, &bb_mem_default, ROOMY);
            bb_json_begin(&json, &out);
            bb_json_string(&json, "t", text);
            assert_true(bb_json_finish(&json));
            assert_string_equal(bb_buf_data(&out), expected);
            bb_buf_free(&out);
        }
    }
}

static void brackets_at_the_end_of_a_text_are_text(void **state) {
    (void)state;
    struct bb_json json;
    struct bb_buf out;
    bb_buf_init(&out, &bb_mem_default, ROOMY);
    bb_json_begin(&json, &out);
    bb_json_string(&json, "a[", "{");
    bb_json_string(&json, "b{", "[");
    bb_json_array(&json, "c");
    assert_true(bb_json_finish(&json));
    assert_string_equal(bb_buf_data(&out), "{\"a[\":\"{\",\"b{\":\"[\",\"c\":[]}");
    bb_buf_free(&out);
}

static void what_stood_before_a_failure_stays(void **state) {
    (void)state;
    struct bb_json json;
    struct bb_buf out;
    bb_buf_init(&out, &bb_mem_default, ROOMY);
    bb_buf_text(&out, "before");
    bb_json_begin(&json, &out);
    bb_json_string(&json, "a", "b");
    bb_json_string(&json, "c", NULL);
    assert_false(bb_json_finish(&json));
    assert_string_equal(bb_buf_data(&out), "before");
    assert_int_equal(out.length, strlen("before"));
    bb_buf_free(&out);
}

static void a_text_that_was_never_made_is_told_at_the_end(void **state) {
    (void)state;
    struct bb_json json;
    struct bb_buf out;
    bb_buf_init(&out, &bb_mem_default, ROOMY);
    bb_json_begin(&json, &out);
    bb_json_string(&json, "a", NULL);
    bb_json_object(&json, "b");
    bb_json_integer(&json, "c", 1);
    bb_json_end(&json);
    bb_json_end(&json);
    assert_false(bb_json_finish(&json));
    assert_true(out.no_memory);
    assert_int_equal(out.length, 0);
    bb_buf_free(&out);
}

static void deeper_than_can_be_is_told_at_the_end(void **state) {
    (void)state;
    for (int depth = BB_JSON_DEPTH - 2; depth <= BB_JSON_DEPTH + 2; depth++) {
        struct bb_json json;
        struct bb_buf out;
        bb_buf_init(&out, &bb_mem_default, ROOMY);
        bb_json_begin(&json, &out);
        for (int i = 0; i < depth; i++)
            bb_json_object(&json, "o");
        bb_json_string(&json, "s", "t");
        assert_int_equal(bb_json_finish(&json), depth < BB_JSON_DEPTH);
        bb_buf_free(&out);
    }
}

/* Long enough that the buffer grows several times. */
static void write_long(struct bb_json *json, struct bb_buf *out) {
    bb_json_begin(json, out);
    bb_json_array(json, "list");
    for (int i = 0; i < 4000; i++)
        bb_json_string(json, NULL, "a \"text\"\n");
    bb_json_end(json);
}

/* Every allocation of the document fails once, alone and with all that follow it. */
static void without_memory_nothing_is_printed_and_nothing_leaks(void **state) {
    (void)state;
    struct bb_json json;
    struct bb_buf out;
    long live = alloc_live();
    size_t points = 1;
    for (size_t nth = 0; nth <= points; nth++) {
        for (int and_after = 0; and_after < 2; and_after++) {
            bb_buf_init(&out, alloc_library(), ROOMY);
            alloc_begin(nth, and_after);
            write_long(&json, &out);
            bool printed = bb_json_finish(&json);
            points = nth == 0 ? alloc_end() : (alloc_end(), points);
            assert_int_equal(printed, nth == 0);
            assert_int_equal(out.no_memory, nth != 0);
            assert_int_equal(out.length > 0, nth == 0);
            bb_buf_free(&out);
            assert_int_equal(alloc_live(), live);
        }
    }
    assert_true(points >= 5);
}

int main(void) {
    alloc_hook_others();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_pushed_is_printed_in_order_without_blanks),
        cmocka_unit_test(a_document_longer_than_any_first_guess_is_printed),
        cmocka_unit_test(what_does_not_fit_says_so),
        cmocka_unit_test(what_just_fits_is_written),
        cmocka_unit_test(only_quotes_backslashes_and_controls_are_escaped),
        cmocka_unit_test(brackets_at_the_end_of_a_text_are_text),
        cmocka_unit_test(what_stood_before_a_failure_stays),
        cmocka_unit_test(a_text_that_was_never_made_is_told_at_the_end),
        cmocka_unit_test(deeper_than_can_be_is_told_at_the_end),
        cmocka_unit_test(without_memory_nothing_is_printed_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
