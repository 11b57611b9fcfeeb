/*
 * JSON as the library writes and reads it: all 64 bits of an integer, no U+0000, no lone surrogate,
 * nothing that only looks like JSON, and no byte beyond the length that was given.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "support/alloc.h"
#include "support/arena.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FFFD "\xEF\xBF\xBD"

/* In a block of exactly that length, so that a look beyond its end is noticed. */
static struct bb_value *parse_bytes(const char *text, size_t length) {
    char *exact = malloc(length ? length : 1);
    assert_non_null(exact);
    memcpy(exact, text, length);
    struct bb_value *value = bb_json_parse(&arena, exact, length);
    if (bb_json_is_object(value)) /* a hint that is never wrong in this direction */
        assert_true(bb_json_may_be_object(exact, length));
    free(exact);
    assert_false(arena.failed);
    return value;
}

static struct bb_value *parse(const char *text) {
    return parse_bytes(text, strlen(text));
}

/* Parses {"v":<text>} and hands over its member; the document is freed by the caller. */
static const struct bb_value *parse_member(const char *text, struct bb_value **document) {
    char whole[512];
    snprintf(whole, sizeof(whole), "{\"v\":%s}", text);
    *document = parse(whole);
    return bb_json_get(*document, "v");
}

/* ---------------------------------------------------------------- integers -- */

static const struct {
    const char *text;
    bool is_integer;
    int64_t value;
} integers[] = {
    {"0", true, 0},
    {"-0", true, 0},
    {"7", true, 7},
    {"-7", true, -7},
    {"123456789012345", true, 123456789012345},
    {"1234567890123456", true, 1234567890123456},
    {"-123456789012345", true, -123456789012345},
    {"9007199254740991", true, 9007199254740991},
    {"9007199254740992", true, 9007199254740992},
    {"9007199254740993", true, 9007199254740993}, /* no double is this */
    {"-9007199254740993", true, -9007199254740993},
    {"9223372036854775807", true, INT64_MAX},
    {"-9223372036854775808", true, INT64_MIN},
    {"9223372036854775808", false, 0},
    {"-9223372036854775809", false, 0},
    {"99999999999999999999999999", false, 0},
    {"\"42\"", true, 42},
    {"\"-42\"", true, -42},
    {"\"9223372036854775807\"", true, INT64_MAX},
    {"\"-9223372036854775808\"", true, INT64_MIN},
    {"\"9223372036854775808\"", false, 0},
    {"\"\"", false, 0},
    {"\" 42\"", false, 0},
    {"\"42 \"", false, 0},
    {"\"+42\"", false, 0},
    {"\"- 42\"", false, 0},
    {"\"0x2a\"", false, 0},
    {"\"4e2\"", false, 0},
    {"\"forty\"", false, 0},
    {"\"-\"", false, 0},
    {"1e3", true, 1000},
    {"42.0", true, 42},
    {"1.5", false, 0},
    {"1e30", false, 0},
    {"-1e300", false, 0},
    {"true", false, 0},
    {"null", false, 0},
    {"[1]", false, 0},
    {"{}", false, 0},
};

static void integers_keep_all_their_bits(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(integers); i++) {
        struct bb_value *document;
        const struct bb_value *value = parse_member(integers[i].text, &document);
        int64_t number = 1234;
        if (bb_json_int64(value, &number) != integers[i].is_integer)
            fail_msg("%s: taken for an integer: %d", integers[i].text, !integers[i].is_integer);
        assert_true(number == (integers[i].is_integer ? integers[i].value : 1234));
        bb_json_free(document);
    }
    int64_t number;
    assert_false(bb_json_int64(NULL, &number));
}

static void integers_of_every_length_come_back(void **state) {
    (void)state;
    for (int bits = 0; bits < 63; bits++) {
        for (int64_t around = -2; around <= 2; around++) {
            char text[32];
            struct bb_value *document;
            int64_t value = ((int64_t)1 << bits) + around, number = 0;
            for (int sign = -1; sign <= 1; sign += 2) {
                snprintf(text, sizeof(text), "%" PRId64, sign * value);
                assert_true(bb_json_int64(parse_member(text, &document), &number));
                assert_true(number == sign * value);
                bb_json_free(document);
            }
        }
    }
}

static void a_fraction_is_a_number(void **state) {
    (void)state;
    struct bb_value *document;
    double number = 0;
    assert_true(bb_json_number(parse_member("1.5", &document), &number));
    assert_true(number > 1.49 && number < 1.51);
    bb_json_free(document);
    assert_false(bb_json_number(parse_member("\"1.5\"", &document), &number));
    bb_json_free(document);
    assert_false(bb_json_number(NULL, &number));
}

/* Digits are no number inside a string, however many. */
static void a_number_stays_a_number_and_a_text_a_text(void **state) {
    (void)state;
    struct bb_value *document;
    assert_null(bb_json_text(parse_member("12345678901234567", &document)));
    bb_json_free(document);
    assert_string_equal(bb_json_text(parse_member("\"a 12345678901234567 b\"", &document)),
                        "a 12345678901234567 b");
    bb_json_free(document);
}

static void many_large_integers_side_by_side_are_read(void **state) {
    (void)state;
    enum { MANY = 2000 };
    static char text[MANY * 18 + 3];
    char *to = text;
    *to++ = '[';
    for (int i = 0; i < MANY; i++)
        to += sprintf(to, "%s%d", i ? "," : "", 0) - 1, to += sprintf(to, "9007199254740993");
    strcpy(to, "]");
    struct bb_value *document = parse(text);
    const struct bb_value *value = bb_json_first(document);
    for (int i = 0; i < MANY; i++, value = bb_json_next(value)) {
        int64_t number = 0;
        assert_true(bb_json_int64(value, &number));
        assert_true(number == 9007199254740993);
    }
    assert_null(value);
    bb_json_free(document);
}

/* ----------------------------------------------------------------- strings -- */

static const struct {
    const char *text;
    const char *value;
} strings[] = {
    {"\"\"", ""},
    {"\"plain\"", "plain"},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
    {"\"\\u0041\\u00e9\\u4e16\"", "A\xC3\xA9\xE4\xB8\x96"},
    {"\"\\uD83D\\uDE00\"", "\xF0\x9F\x98\x80"},
    {"\"\\ud83d\\ude00\"", "\xF0\x9F\x98\x80"},
    {"\"a\\u0000b\"", "ab"},
    {"\"\\u0000\"", ""},
    {"\"\\u0000\\u0000x\\u0000\"", "x"},
    {"\"\\u0001abc\"", "abc"}, /* what marks a big number is no text */
    {"\"\\u0001\\u0001\"", ""},
    {"\"\x01"
     "12345678901234567\"",
     "12345678901234567"},
    {"\"\\\\u0000\"", "\\u0000"}, /* an escaped backslash, then letters */
    {"\"\\\\\\u0000\"", "\\"},
    {"\"\\\\\\\\u0000\"", "\\\\u0000"},
    {"\"\\\\uD800\"", "\\uD800"},
    {"\"\\\"u0000\"", "\"u0000"},
    {"\"\\uD800\"", FFFD},      /* high, alone, at the end */
    {"\"\\uD800x\"", FFFD "x"}, /* before a letter */
    {"\"x\\uDBFF\"", "x" FFFD},
    {"\"\\uDC00\"", FFFD}, /* low, alone */
    {"\"\\uDFFFx\"", FFFD "x"},
    {"\"\\uD800\\uD800\"", FFFD FFFD}, /* two high */
    {"\"\\uD800\\uD83D\\uDE00\"", FFFD "\xF0\x9F\x98\x80"},
    {"\"\\uDE00\\uD83D\"", FFFD FFFD}, /* the wrong way round */
    {"\"\\uD83D\\uDE00\\uDE00\"", "\xF0\x9F\x98\x80" FFFD},
    {"\"\\uD800\\u0041\"", FFFD "A"}, /* before another escape */
    {"\"\\uD800\\u0000\"", FFFD},
    {"\"\\uD800\\n\"", FFFD "\n"},
    {"\"\\uD800\\\\uDC00\"", FFFD "\\uDC00"},
    {"\"\\uD800\xE4\xB8\x96\"", FFFD "\xE4\xB8\x96"},
    {"\"\xFF\xC0\x80\xED\xA0\x80\"", "\xFF\xC0\x80\xED\xA0\x80"}, /* passed on as it is */
    {"\"\xE4\xB8\"", "\xE4\xB8"},
};

static void strings_are_freed_of_what_cannot_be_kept(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(strings); i++) {
        struct bb_value *document;
        const char *value = bb_json_text(parse_member(strings[i].text, &document));
        if (!value || strcmp(value, strings[i].value) != 0)
            fail_msg("%s: read as \"%s\"", strings[i].text, value ? value : "(nothing)");
        bb_json_free(document);
    }
}

static void a_nul_byte_is_dropped_inside_a_string_and_refused_outside(void **state) {
    (void)state;
    static const char inside[] = "{\"a\0b\":\"c\0d\\\"\0\"}";
    struct bb_value *document = parse_bytes(inside, sizeof(inside) - 1);
    assert_string_equal(bb_json_text(bb_json_get(document, "ab")), "cd\"");
    bb_json_free(document);
    static const char outside[] = "{\"a\":1}";
    for (size_t i = 0; i < sizeof(outside); i++) {
        char text[sizeof(outside)];
        memcpy(text, outside, i);
        text[i] = '\0';
        memcpy(text + i + 1, outside + i, sizeof(outside) - 1 - i);
        document = parse_bytes(text, sizeof(outside));
        assert_int_equal(document != NULL, i == 2 || i == 3);
        bb_json_free(document);
    }
}

static void names_of_members_are_tamed_too(void **state) {
    (void)state;
    struct bb_value *document = parse("{\"a\\u0000b\":1,\"\\uD800\":2}");
    assert_non_null(bb_json_get(document, "ab"));
    assert_non_null(bb_json_get(document, FFFD));
    bb_json_free(document);
}

/* ------------------------------------------------------------ what is JSON -- */

static const char *const not_json[] = {
    "",
    " ",
    "nul",
    "tru",
    "truex",
    "nulll",
    "'a'",
    "\"a",
    "a",
    "{",
    "}",
    "[",
    "]",
    "{]",
    "[}",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{,}",
    "{a:1}",
    "{1:1}",
    "[1,]",
    "[,1]",
    "[1 2]",
    "{\"a\" 1}",
    "1 2",
    "{}{}",
    "{} x",
    "[] ]",
    "\"a\" \"b\"",
    "{}\\",
    "-",
    "+1",
    ".5",
    "--1",
    "1-2",
    "1e",
    "1e+",
    "NaN",
    "Infinity",
    "\"\\x\"",
    "\"\\\"",
    "\"\\u\"",
    "\"\\u12\"",
    "\"\\uZZZZ\"",
    "\"\\u12G4\"",
    "\"\\u0x00\"",
    "\"\\u+000\"",
    "\"\\u-000\"",
    "\"\\u  00\"",
    "\"\\uD800\\u\"",
    "\"\\u00\\u0000\"",
    "{12345678901234567:1}",
    "/**/{}",
    "{}//",
};

static void what_only_looks_like_json_is_refused(void **state) {
    (void)state;
    size_t wrong = 0;
    for (size_t i = 0; i < COUNT(not_json); i++) {
        struct bb_value *document = parse(not_json[i]);
        if (document) {
            print_error("accepted: %s\n", not_json[i]);
            wrong++;
        }
        bb_json_free(document);
    }
    assert_int_equal(wrong, 0);
}

static const char document_text[] =
    " {\"text\":\"a\\u0000\\uD800\\\"\xF0\x9F\x98\x80\",\"big\":-9223372036854775808,"
    "\"list\":[1,2.5e3,true,false,null,{\"deep\":[[]]}],\"\":\"\\ud83d\\ude00\"}";

static void a_document_that_is_cut_off_anywhere_is_refused(void **state) {
    (void)state;
    size_t length = sizeof(document_text) - 1;
    for (size_t n = 0; n < length; n++)
        assert_null(parse_bytes(document_text, n));
    struct bb_value *document = parse_bytes(document_text, length);
    assert_non_null(document);
    bb_json_free(document);
}

static void anything_behind_a_document_but_blanks_is_refused(void **state) {
    (void)state;
    for (int c = 1; c < 256; c++) {
        char text[] = {'{', '}', (char)c, '\0'};
        struct bb_value *document = parse(text);
        bool is_blank = c == ' ' || c == '\n' || c == '\r' || c == '\t';
        if (is_blank)
            assert_non_null(document);
        else if (c > ' ') /* other controls are nobody's garbage */
            assert_null(document);
        bb_json_free(document);
    }
}

/* What has to be rewritten, again and again: it must fit the room that was made for it. */
static void a_text_of_nothing_but_trouble_is_survived(void **state) {
    (void)state;
    static const char *const troubles[] = {"\\u",
                                           "\\u1",
                                           "\\u12",
                                           "\\u123",
                                           "\\uD800",
                                           "\\uDC00",
                                           "\\uZZZZ",
                                           "\\u0000",
                                           "\\",
                                           "\\\\",
                                           "\"",
                                           "\"\\u",
                                           "1234567890123456,",
                                           "-123456789012345,",
                                           "1234567890123456:",
                                           "1234567890123456\"",
                                           "-",
                                           "[1,"};
    for (size_t i = 0; i < COUNT(troubles); i++) {
        for (int in_string = 0; in_string < 2; in_string++) {
            enum { SIZE = 64 * 1024 };
            static char text[SIZE + 32];
            size_t used = (size_t)sprintf(text, in_string ? "[\"" : "[");
            while (used < SIZE)
                used += (size_t)sprintf(text + used, "%s", troubles[i]);
            bb_json_free(parse_bytes(text, used));
        }
    }
}

static void any_single_wrong_byte_is_survived(void **state) {
    (void)state;
    char text[sizeof(document_text)];
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        static const char wrong[] = {'"', '\\', '{', ']', 'u', '-', '0', '\0', (char)0xFF};
        for (size_t w = 0; w < sizeof(wrong); w++) {
            memcpy(text, document_text, sizeof(text));
            text[i] = wrong[w];
            bb_json_free(parse_bytes(text, sizeof(text) - 1));
        }
    }
}

static char *nested(size_t depth, const char *open, const char *close) {
    size_t n = strlen(open), m = strlen(close);
    char *text = malloc(depth * (n + m) + 2);
    assert_non_null(text);
    for (size_t i = 0; i < depth; i++) {
        memcpy(text + i * n, open, n);
        memcpy(text + depth * n + i * m, close, m);
    }
    text[depth * (n + m)] = '\0';
    return text;
}

static void deep_nesting_is_read_or_refused_and_does_no_harm(void **state) {
    (void)state;
    static const struct {
        const char *open, *close;
    } brackets[] = {{"[", "]"}, {"[{\"a\":[", "]}]"}, {"[", ""}};
    for (size_t i = 0; i < COUNT(brackets); i++) {
        char *shallow = nested(30, brackets[i].open, brackets[i].close);
        char *deep = nested(200000, brackets[i].open, brackets[i].close);
        struct bb_value *document = parse(shallow);
        assert_int_equal(document != NULL, *brackets[i].close != '\0');
        bb_json_free(document);
        assert_null(parse(deep));
        free(shallow);
        free(deep);
    }
}

/* ----------------------------------------------------------------- reading -- */

static void members_are_found_by_their_exact_name(void **state) {
    (void)state;
    struct bb_value *document =
        parse("{\"Name\":\"N\",\"name\":\"n\",\"list\":[true,null],\"o\":{}}");
    assert_string_equal(bb_json_text(bb_json_get(document, "name")), "n");
    assert_string_equal(bb_json_text(bb_json_get(document, "Name")), "N");
    assert_null(bb_json_get(document, "NAME"));
    assert_null(bb_json_get(bb_json_get(document, "list"), "name"));
    const struct bb_value *list = bb_json_get(document, "list");
    assert_true(bb_json_is_array(list) && !bb_json_is_object(list));
    assert_true(bb_json_is_object(bb_json_get(document, "o")));
    assert_true(bb_json_is_true(bb_json_first(list)) && bb_json_is_bool(bb_json_first(list)));
    assert_true(bb_json_is_null(bb_json_next(bb_json_first(list))));
    assert_null(bb_json_next(bb_json_next(bb_json_first(list))));
    assert_null(bb_json_text(list));
    bb_json_free(document);
}

static void a_missing_member_is_nothing_at_all(void **state) {
    (void)state;
    assert_null(bb_json_get(NULL, "x"));
    assert_null(bb_json_first(NULL));
    assert_null(bb_json_next(NULL));
    assert_null(bb_json_text(NULL));
    assert_true(bb_json_is_null(NULL));
    assert_false(bb_json_is_object(NULL));
    assert_false(bb_json_is_array(NULL));
    assert_false(bb_json_is_true(NULL));
    assert_false(bb_json_is_bool(NULL));
    bb_json_free(NULL);
}

static void what_is_no_object_is_seen_at_its_beginning(void **state) {
    (void)state;
    static const char *const texts[] = {"{", " \t\r\n{}", "\xEF\xBB\xBF {}", "\x02{", "",
                                        " ", "ok",        "\"{\"",           "[{}]",  "\xEF\xBB{"};
    enum { MAY_BE = 4 }; /* the first ones; and whatever parse_bytes finds to be one */
    for (size_t i = 0; i < COUNT(texts); i++) {
        bb_json_free(parse(texts[i]));
        assert_int_equal(bb_json_may_be_object(texts[i], strlen(texts[i])), i < MAY_BE);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_keep_all_their_bits),
        cmocka_unit_test(integers_of_every_length_come_back),
        cmocka_unit_test(a_fraction_is_a_number),
        cmocka_unit_test(a_number_stays_a_number_and_a_text_a_text),
        cmocka_unit_test(many_large_integers_side_by_side_are_read),
        cmocka_unit_test(strings_are_freed_of_what_cannot_be_kept),
        cmocka_unit_test(a_nul_byte_is_dropped_inside_a_string_and_refused_outside),
        cmocka_unit_test(names_of_members_are_tamed_too),
        cmocka_unit_test(what_only_looks_like_json_is_refused),
        cmocka_unit_test(a_document_that_is_cut_off_anywhere_is_refused),
        cmocka_unit_test(anything_behind_a_document_but_blanks_is_refused),
        cmocka_unit_test(a_text_of_nothing_but_trouble_is_survived),
        cmocka_unit_test(any_single_wrong_byte_is_survived),
        cmocka_unit_test(deep_nesting_is_read_or_refused_and_does_no_harm),
        cmocka_unit_test(members_are_found_by_their_exact_name),
        cmocka_unit_test(a_missing_member_is_nothing_at_all),
        cmocka_unit_test(what_is_no_object_is_seen_at_its_beginning),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
