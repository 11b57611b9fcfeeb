/*
 * Text is repaired as Unicode says, and cut where a reader would cut it. Repair is held against a
 * decoder that is written here after table 3-7 of the Unicode standard; cutting against texts that
 * are put together from user-perceived characters, so that each boundary is known.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "support/alloc.h"
#include "support/arena.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FAMILY                                                                                     \
    "\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA9\xE2\x80\x8D"                                     \
    "\xF0\x9F\x91\xA7\xE2\x80\x8D\xF0\x9F\x91\xA6"
#define GERMANY "\xF0\x9F\x87\xA9\xF0\x9F\x87\xAA"
#define GRIN "\xF0\x9F\x98\x80"
#define BAD "\xEF\xBF\xBD"

static void renew_arena(void) {
    bb_arena_free(&arena);
    bb_arena_init(&arena, &bb_mem_default);
}

/* ----------------------------------------------------------------- repair -- */

/* Table 3-7, well-formed UTF-8 byte sequences. */
static const struct row {
    unsigned char first_low, first_high, second_low, second_high;
    size_t length;
} well_formed[] = {
    {0x00, 0x7F, 0, 0, 1},       {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
    {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
    {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
};

static const struct row *row_of(unsigned char first) {
    for (size_t i = 0; i < COUNT(well_formed); i++)
        if (first >= well_formed[i].first_low && first <= well_formed[i].first_high)
            return &well_formed[i];
    return NULL;
}

/* How many of the bytes belong together: a character, or a maximal part of one (U+FFFD). */
static size_t reference_decode(const unsigned char *s, size_t n, uint32_t *character) {
    const struct row *row = row_of(s[0]);
    *character = 0xFFFD;
    if (row == NULL)
        return 1;
    uint32_t value = row->length == 1 ? s[0] : s[0] & (0x7Fu >> row->length);
    for (size_t i = 1; i < row->length; i++) {
        unsigned char low = i == 1 ? row->second_low : 0x80;
        unsigned char high = i == 1 ? row->second_high : 0xBF;
        if (i >= n || s[i] < low || s[i] > high)
            return i;
        value = value << 6 | (s[i] & 0x3Fu);
    }
    *character = value;
    return row->length;
}

static size_t encode(uint32_t c, char *out) {
    size_t length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    out[length] = '\0';
    for (size_t i = length; i-- > 1; c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)(length == 1 ? c : (0xF00u >> length & 0xFF) | c);
    return length;
}

/* The policy of text.h, a range a row. */
static const struct {
    uint32_t low, high;
} removed[] = {{0x00, 0x08},     {0x0B, 0x1F},     {0x7F, 0x9F},     {0x200B, 0x200B},
               {0x2060, 0x2060}, {0xFEFF, 0xFEFF}, {0x202A, 0x202E}, {0x2066, 0x2069}};

static bool is_removed(uint32_t c) {
    for (size_t i = 0; i < COUNT(removed); i++)
        if (c >= removed[i].low && c <= removed[i].high)
            return true;
    return false;
}

static bool is_noncharacter(uint32_t c) {
    return (c & 0xFFFF) >= 0xFFFE || (c >= 0xFDD0 && c <= 0xFDEF);
}

static void reference_repair(const char *text, char *out) {
    const unsigned char *s = (const unsigned char *)text;
    size_t n = strlen(text), used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < n;) {
        uint32_t c;
        i += reference_decode(s + i, n - i, &c);
        if (c == '\r' && s[i] == '\n')
            continue;
        if (c == '\r' || c == 0x2028 || c == 0x2029)
            c = '\n';
        if (!is_removed(c))
            used += encode(is_noncharacter(c) ? 0xFFFD : c, out + used);
    }
}

static void assert_repaired_as_reference(const char *text) {
    char expected[64];
    bool cut = false;
    reference_repair(text, expected);
    const char *repaired = bb_text_repair(&arena, text, SIZE_MAX, &cut);
    if (strcmp(repaired, expected) != 0) {
        for (const char *c = text; *c; c++)
            print_error("%02X ", (unsigned char)*c);
        fail_msg("repaired to \"%s\", expected \"%s\"", repaired, expected);
    }
    assert_string_equal(bb_text_repaired(&arena, text, SIZE_MAX, &cut), expected);
    assert_false(cut);
}

/* Both edges of each range of lead and continuation bytes, and what stands next to them. */
static const unsigned char edges[] = {
    0x01, 0x09, 0x0A, 0x0D, 0x20, 0x41, 0x7E, 0x7F, 0x80, 0x8F, 0x90, 0x9F,
    0xA0, 0xA8, 0xA9, 0xBB, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xE2,
    0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
};

static void every_pair_of_bytes_is_repaired_as_the_standard_says(void **state) {
    (void)state;
    for (unsigned first = 1; first < 256; first++) {
        for (unsigned second = 1; second < 256; second++) {
            char text[] = {(char)first, (char)second, 'x', '\0'};
            assert_repaired_as_reference(text);
            text[2] = '\0';
            assert_repaired_as_reference(text);
        }
        renew_arena();
    }
}

static void every_quadruple_of_edge_bytes_is_repaired_as_the_standard_says(void **state) {
    (void)state;
    for (size_t a = 0; a < COUNT(edges); a++) {
        for (size_t b = 0; b < COUNT(edges); b++) {
            for (size_t i = 0; i < COUNT(edges) * COUNT(edges); i++) {
                char text[] = {(char)edges[a], (char)edges[b], (char)edges[i / COUNT(edges)],
                               (char)edges[i % COUNT(edges)], '\0'};
                assert_repaired_as_reference(text);
            }
            renew_arena();
        }
    }
}

/* Plain text is passed over eight bytes at a time. */
static void every_byte_is_seen_wherever_it_stands(void **state) {
    (void)state;
    for (unsigned byte = 1; byte < 256; byte++) {
        for (size_t at = 0; at < 20; at++) {
            char text[] = "abcdefghijklmnopqrst";
            text[at] = (char)byte;
            assert_repaired_as_reference(text);
        }
        renew_arena();
    }
}

static void every_code_point_is_kept_removed_or_replaced_as_stated(void **state) {
    (void)state;
    for (uint32_t c = 1; c <= 0x10FFFF; c += c < 0x3000 || (c & 0xFFFF) >= 0xFDC0 ? 1 : 61) {
        char text[8] = "a";
        text[1 + encode(c, text + 1)] = 'b';
        assert_repaired_as_reference(text);
        if (c % 1024 == 0)
            renew_arena();
    }
}

static const struct {
    const char *text;
    const char *repaired;
} repairs[] = {
    {NULL, ""},
    {"", ""},
    {"plain", "plain"},
    {"\xC0\x80", BAD BAD},                                 /* overlong NUL */
    {"\xED\xA0\x80", BAD BAD BAD},                         /* a surrogate */
    {"\xED\xA0\xBD\xED\xB8\x80", BAD BAD BAD BAD BAD BAD}, /* CESU-8 */
    {"\x80", BAD},
    {"a\xE4\xB8", "a" BAD}, /* cut off at the end */
    {"\xF0\x9F\x98x", BAD "x"},
    {"\xF8\x88\x80\x80\x80", BAD BAD BAD BAD BAD},
    {"\xF4\x90\x80\x80", BAD BAD BAD BAD}, /* above U+10FFFF */
    {"a\r\nb\rc\n\rd", "a\nb\nc\n\nd"},
    {"a\xE2\x80\xA8"
     "b\xE2\x80\xA9"
     "c",
     "a\nb\nc"},
    {"a\x01\x02\x1F\x7F\tb", "a\tb"},
    {"a\xC2\x85"
     "b",
     "ab"}, /* NEL is C1 */
    {"\xEF\xBB\xBF"
     "bom",
     "bom"},
    {"a\xE2\x80\xAE"
     "b\xE2\x80\xAC",
     "ab"}, /* bidirectional override */
    {"a\xE2\x81\xA6"
     "b\xE2\x81\xA9",
     "ab"},
    {"a\xE2\x80\x8B\xE2\x81\xA0"
     "b",
     "ab"},
    {"\xD9\x85\xE2\x80\x8C\xD9\x85", "\xD9\x85\xE2\x80\x8C\xD9\x85"}, /* ZWNJ stays */
    {FAMILY, FAMILY},
    {"a\xE2\x80\x8E"
     "b\xE2\x80\x8F",
     "a\xE2\x80\x8E"
     "b\xE2\x80\x8F"}, /* marks stay */
};

static void each_class_of_ill_formed_text_has_its_repair(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(repairs); i++) {
        bool cut = false;
        assert_string_equal(bb_text_repair(&arena, repairs[i].text, SIZE_MAX, &cut),
                            repairs[i].repaired);
        assert_false(cut);
    }
}

static void a_repair_within_a_length_takes_whole_characters(void **state) {
    (void)state;
    const char *text = "a\xC3\xA9\xE4\xB8\x96" GRIN "z"; /* 1, 2, 3, 4, 1 bytes */
    static const size_t whole[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11};
    for (size_t max = 0; max < COUNT(whole); max++) {
        bool cut = false;
        const char *repaired = bb_text_repair(&arena, text, max, &cut);
        assert_int_equal(strlen(repaired), whole[max]);
        assert_memory_equal(repaired, text, whole[max]);
        assert_int_equal(cut, max < strlen(text));
        cut = false;
        assert_string_equal(bb_text_repaired(&arena, text, max, &cut), repaired);
        assert_int_equal(cut, max < strlen(text));
        cut = false;
        assert_int_equal(strlen(bb_text_repaired(&arena, "plain ascii", max, &cut)), max);
        assert_int_equal(cut, max < strlen("plain ascii"));
    }
}

static void a_repair_is_itself_in_good_repair(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(repairs); i++) {
        bool cut = false;
        const char *once = bb_text_repair(&arena, repairs[i].text, SIZE_MAX, &cut);
        assert_string_equal(bb_text_repair(&arena, once, SIZE_MAX, &cut), once);
        assert_string_equal(bb_text_repaired(&arena, repairs[i].text, SIZE_MAX, &cut), once);
    }
}

/* ------------------------------------------------------------------ lines -- */

static char *own(const char *text) {
    return bb_arena_copy(&arena, text, strlen(text));
}

static const struct {
    const char *text, *first, *flat, *trimmed;
} lines[] = {
    {"", "", "", ""},
    {" \n\t \n", "", "", ""},
    {"one", "one", "one", "one"},
    {"\n \n  one \t two  \nthree\n", "one two", "one two three", "one \t two  \nthree"},
    {"a\n\nb", "a", "a b", "a\n\nb"},
    {"  \xE4\xB8\x96 \n", "\xE4\xB8\x96", "\xE4\xB8\x96", "\xE4\xB8\x96"},
};

static void a_name_is_its_first_line_and_a_fact_is_one_line(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++) {
        assert_string_equal(bb_text_first_line(own(lines[i].text)), lines[i].first);
        assert_string_equal(bb_text_flatten(own(lines[i].text)), lines[i].flat);
        assert_string_equal(bb_text_trim(own(lines[i].text)), lines[i].trimmed);
    }
    assert_null(bb_text_first_line(NULL));
    assert_null(bb_text_flatten(NULL));
    assert_null(bb_text_trim(NULL));
}

static void invisible_text_is_recognised(void **state) {
    (void)state;
    static const char *const invisible[] = {
        "",
        " ",
        "\n\t",
        "\xC2\xA0",
        "\xE3\x80\x80", /* no-break and ideographic blank */
        "\xE2\x80\x8D",
        "\xE2\x80\x8C",
        "\xE2\x80\x8E\xE2\x80\x8F",
        "\xC2\xAD",
        "\xEF\xB8\x8F",
        "\xE3\x85\xA4",
        "\xE2\xA0\x80",
        "\xE1\x85\x9F\xE1\x85\xA0",
        "\xCD\x8F",
    };
    static const char *const visible[] = {"a",         GRIN, "\xE4\xB8\x96", " .",
                                          "\xC2\xA0x", BAD,  "\xCC\x81",     "0"};
    for (size_t i = 0; i < COUNT(invisible); i++)
        assert_true(bb_text_is_invisible(invisible[i]));
    for (size_t i = 0; i < COUNT(visible); i++)
        assert_false(bb_text_is_invisible(visible[i]));
}

static void an_end_is_compared_whole(void **state) {
    (void)state;
    assert_true(bb_text_ends_with("a Bytebase", "Bytebase"));
    assert_true(bb_text_ends_with("Bytebase", "Bytebase"));
    assert_true(bb_text_ends_with("x", ""));
    assert_false(bb_text_ends_with("ytebase", "Bytebase"));
    assert_false(bb_text_ends_with("Bytebase.", "Bytebase"));
}

/* ------------------------------------------------------------------- safe -- */

static bool is_well_formed(const char *text) {
    const unsigned char *s = (const unsigned char *)text;
    for (size_t i = 0, n = strlen(text), taken; i < n; i += taken) {
        uint32_t c;
        taken = reference_decode(s + i, n - i, &c);
        if (c == 0xFFFD && !(taken == 3 && memcmp(s + i, BAD, 3) == 0))
            return false;
    }
    return true;
}

static void assert_safe(const char *text) {
    char safe[64];
    snprintf(safe, sizeof(safe), "%s", text);
    bb_text_safe(safe);
    bool good = is_well_formed(safe) && strlen(safe) <= strlen(text);
    for (const char *c = safe; *c; c++)
        good = good && (unsigned char)*c >= 0x20 && *c != 0x7F;
    if (!good) {
        for (const char *c = text; *c; c++)
            print_error("%02X ", (unsigned char)*c);
        print_error("-> ");
        for (const char *c = safe; *c; c++)
            print_error("%02X ", (unsigned char)*c);
        fail_msg("not safe to print");
    }
}

static void text_of_unknown_origin_becomes_safe_to_print(void **state) {
    (void)state;
    for (size_t a = 0; a < COUNT(edges); a++) {
        for (size_t i = 0; i < COUNT(edges) * COUNT(edges); i++) {
            char text[] = {(char)edges[a], (char)edges[i / COUNT(edges)],
                           (char)edges[i % COUNT(edges)], '\0', '\0'};
            assert_safe(text);
            text[3] = 'x';
            assert_safe(text);
        }
    }
}

static void what_a_fixed_array_cut_off_is_dropped(void **state) {
    (void)state;
    const char *text = "a " FAMILY "\xE4\xB8\x96\xC3\xA9";
    for (size_t n = 1; n <= strlen(text); n++) {
        char safe[64];
        snprintf(safe, n + 1, "%s", text);
        bb_text_safe(safe);
        assert_true(is_well_formed(safe));
        assert_memory_equal(safe, text, strlen(safe));
        assert_true(n - strlen(safe) < 4);
    }
}

static void good_text_stays_as_it_is_on_one_line(void **state) {
    (void)state;
    char text[] = "na\xC3\xAFve " FAMILY " " BAD " \"quoted\"", lines_too[] = "a\nb\tc\x1B[1m\r\n";
    char before[sizeof(text)];
    memcpy(before, text, sizeof(text));
    bb_text_safe(text);
    assert_string_equal(text, before);
    bb_text_safe(lines_too);
    assert_string_equal(lines_too, "a b c [1m  ");
}

static void a_copy_takes_what_there_is_room_for(void **state) {
    (void)state;
    for (size_t size = 1; size <= 8; size++) {
        char out[9] = "########";
        size_t kept = size - 1 < 5 ? size - 1 : 5;
        assert_int_equal(bb_text_copy(out, size, "abcde"), kept);
        assert_memory_equal(out, "abcde", kept);
        assert_int_equal(out[kept], '\0');
        assert_memory_equal(out + kept + 1, "########" + kept + 1, 8 - kept - 1);
    }
}

static void an_integer_has_all_its_digits(void **state) {
    (void)state;
    static const int64_t numbers[] = {0,  1,   9,         10,        -1,       -9,
                                      99, 100, INT64_MIN, INT64_MAX, INT32_MIN};
    for (size_t i = 0; i < COUNT(numbers); i++) {
        char room[BB_INTEGER_SIZE], expected[32];
        snprintf(expected, sizeof(expected), "%lld", (long long)numbers[i]);
        assert_string_equal(bb_text_digits(numbers[i], room), expected);
        assert_string_equal(bb_text_integer(&arena, numbers[i]), expected);
    }
}

static void only_letters_of_ascii_have_a_case(void **state) {
    (void)state;
    static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
                      lower[] = "abcdefghijklmnopqrstuvwxyz";
    for (int byte = 0; byte < 256; byte++) {
        char c = (char)byte, other = c;
        const char *at = memchr(upper, c, 26);
        if (at)
            other = lower[at - upper];
        assert_int_equal(bb_to_lower(c), other);
        assert_int_equal(bb_is_letter(c), at || memchr(lower, c, 26));
        assert_int_equal(bb_is_digit(c), byte >= '0' && byte <= '9');
    }
}

static void what_differs_in_case_only_is_alike(void **state) {
    (void)state;
    assert_true(bb_text_is_like("", ""));
    assert_true(bb_text_is_like("Retry-AFTER", "retry-After"));
    assert_true(bb_text_begins_like("Retry-AFTER", "retry-After"));
    assert_true(bb_text_begins_like("HTTPS://x", "https://"));
    assert_true(bb_text_begins_like("x", ""));
    assert_false(bb_text_is_like("here", "her"));
    assert_false(bb_text_is_like("her", "here"));
    assert_false(bb_text_begins_like("her", "here"));
    assert_false(bb_text_begins_like("", "h"));
    assert_false(bb_text_is_like("@", "`")); /* what differs in one bit, as letters do */
    assert_false(bb_text_is_like("[", "{"));
    assert_false(bb_text_is_like("\xC3\x84", "\xC3\xA4")); /* A and a with a diaeresis */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_of_bytes_is_repaired_as_the_standard_says),
        cmocka_unit_test(every_quadruple_of_edge_bytes_is_repaired_as_the_standard_says),
        cmocka_unit_test(every_byte_is_seen_wherever_it_stands),
        cmocka_unit_test(every_code_point_is_kept_removed_or_replaced_as_stated),
        cmocka_unit_test(each_class_of_ill_formed_text_has_its_repair),
        cmocka_unit_test(a_repair_within_a_length_takes_whole_characters),
        cmocka_unit_test(a_repair_is_itself_in_good_repair),
        cmocka_unit_test(a_copy_takes_what_there_is_room_for),
        cmocka_unit_test(an_integer_has_all_its_digits),
        cmocka_unit_test(a_name_is_its_first_line_and_a_fact_is_one_line),
        cmocka_unit_test(invisible_text_is_recognised),
        cmocka_unit_test(an_end_is_compared_whole),
        cmocka_unit_test(only_letters_of_ascii_have_a_case),
        cmocka_unit_test(what_differs_in_case_only_is_alike),
        cmocka_unit_test(text_of_unknown_origin_becomes_safe_to_print),
        cmocka_unit_test(what_a_fixed_array_cut_off_is_dropped),
        cmocka_unit_test(good_text_stays_as_it_is_on_one_line),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
