/*
 * Text is cut between user-perceived characters and never above its limit. The texts are put
 * together from such characters, so that the right answer is known: as many of them as fit with
 * the ellipsis, without blanks at the end. It is worked out here by counting, not by the library.
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

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DOTS "\xE2\x80\xA6"
#define ZWSP "\xE2\x80\x8B"
#define ZWJ "\xE2\x80\x8D"
#define VS16 "\xEF\xB8\x8F"
#define GRIN "\xF0\x9F\x98\x80"
#define WOMAN "\xF0\x9F\x91\xA9"
#define FAMILY WOMAN ZWJ WOMAN ZWJ "\xF0\x9F\x91\xA7" ZWJ "\xF0\x9F\x91\xA6"
#define GERMANY "\xF0\x9F\x87\xA9\xF0\x9F\x87\xAA"
#define CHINA "\xF0\x9F\x87\xA8\xF0\x9F\x87\xB3"
#define TAG(c) "\xF3\xA0\x81" c
#define ENGLAND                                                                                    \
    "\xF0\x9F\x8F\xB4" TAG("\xA7") TAG("\xA2") TAG("\xA5") TAG("\xAE") TAG("\xA7") TAG("\xBF")

/* One user-perceived character each. No two of them join when they stand side by side. */
static const char *const characters[] = {
    "a",
    "Z",
    "7",
    ".",
    "\"",
    "\\",
    "&",
    "*",
    " ",
    "\n",
    "\xC3\xA9",                             /* e acute, composed */
    "e\xCC\x81",                            /* and not */
    "o\xCC\x88\xCC\xA7\xCC\xB1",            /* three marks on one letter */
    "\xE4\xB8\x96",                         /* CJK */
    "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB", /* Hangul in jamo */
    "\xE0\xA4\xA8\xE0\xA4\xBF",             /* Devanagari with a vowel sign */
    "\xE0\xB8\x81\xE0\xB9\x87",             /* Thai with a mark */
    GRIN,
    "\xF0\x9F\x91\x8D\xF0\x9F\x8F\xBD",         /* thumb with a skin tone */
    "\xE2\x9D\xA4" VS16,                        /* heart as emoji */
    "1" VS16 "\xE2\x83\xA3",                    /* keycap */
    "\xF0\x9F\x8F\xB4" ZWJ "\xE2\x98\xA0" VS16, /* pirate flag */
    FAMILY,
    GERMANY,
    CHINA,
    ENGLAND,
};

typedef struct sample {
    char text[2048];
    size_t ends[64]; /* where each character ends */
    size_t count;
} sample;

static void add_character(sample *s, const char *character) {
    size_t at = s->count ? s->ends[s->count - 1] : 0;
    strcpy(s->text + at, character);
    s->ends[s->count++] = at + strlen(character);
}

/* xorshift: the same texts in each run. */
static uint32_t random_number(void) {
    static uint32_t state = 2463534242u;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static void make_random_sample(sample *s) {
    *s = (sample){.count = 0};
    size_t length = 1 + random_number() % 24;
    while (s->count < length)
        add_character(s, characters[random_number() % COUNT(characters)]);
}

/* One character again and again, after `lead` letters: every offset in it is a limit once. */
static void make_repeating_sample(sample *s, const char *character, size_t lead) {
    *s = (sample){.count = 0};
    while (s->count < lead)
        add_character(s, "x");
    while (s->count < lead + 20)
        add_character(s, character);
}

/* ---------------------------------------------------------- the right answer -- */

/* An escaping of its own: longer than the library's, and with a zero-width space in it. */
static const unsigned char specials[256] = {['&'] = 1, ['*'] = 1, ['\\'] = 1};

static const char *escape_of(char c) {
    return c == '&' ? "&amp;" : c == '*' ? ZWSP "*" ZWSP : "\\\\";
}

static size_t write_escape(const char *begin, const char *at, char *out) {
    (void)begin;
    return bb_escape_put(out, escape_of(*at));
}

static const struct bb_escape escape = {specials, write_escape};

static void put_escaped(char *out, const char *text, size_t n, bool escaped) {
    *out = '\0';
    for (size_t i = 0; i < n; i++) {
        if (escaped && specials[(unsigned char)text[i]])
            strcat(out, escape_of(text[i]));
        else
            strncat(out, text + i, 1);
    }
}

/* In UTF-16 units, bytes, and bytes inside a JSON string. */
static struct bb_limit size_of(const char *text) {
    struct bb_limit size = {0};
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        bool begins = *c < 0x80 || *c >= 0xC0;
        size.units += begins ? (*c >= 0xF0 ? 2 : 1) : 0;
        size.bytes++;
        size.json += *c == '"' || *c == '\\' || *c == '\n' || *c == '\t' ? 2 : 1;
    }
    return size;
}

static bool fits(const char *text, struct bb_limit limit) {
    struct bb_limit size = size_of(text);
    return (limit.units == 0 || size.units <= limit.units) &&
           (limit.bytes == 0 || size.bytes <= limit.bytes) &&
           (limit.json == 0 || size.json <= limit.json);
}

static size_t without_blanks(const char *text, size_t n) {
    while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\n'))
        n--;
    return n;
}

/* Returns whether something had to be left out. */
static bool expect(const sample *s, bool escaped, struct bb_limit limit, char out[8192]) {
    put_escaped(out, s->text, strlen(s->text), escaped);
    if (fits(out, limit))
        return false;
    out[0] = '\0';
    if (!fits(DOTS, limit))
        return true;
    for (size_t kept = s->count; kept-- > 0;) {
        size_t end = kept ? s->ends[kept - 1] : 0;
        put_escaped(out, s->text, end, escaped);
        if (!fits(strcat(out, DOTS), limit))
            continue;
        put_escaped(out, s->text, without_blanks(s->text, end), escaped);
        strcat(out, DOTS);
        return true;
    }
    return true;
}

static void assert_fits_as_expected(const sample *s, bool escaped, struct bb_limit limit) {
    static char expected[8192];
    struct bb_arena arena;
    bool cut = false, expected_cut = expect(s, escaped, limit, expected);
    bb_arena_init(&arena, &bb_mem_default);
    const char *fitted = bb_text_fit(&arena, s->text, escaped ? &escape : NULL, limit, &cut);
    assert_true(fits(fitted, limit));
    if (strcmp(fitted, expected) != 0 || cut != expected_cut)
        fail_msg("limits %zu units, %zu bytes, %zu in JSON: \"%s\" became \"%s\", expected \"%s\"",
                 limit.units, limit.bytes, limit.json, s->text, fitted, expected);
    bb_arena_free(&arena);
}

static void assert_fits_at_every_limit(const sample *s, size_t most) {
    for (int escaped = 0; escaped < 2; escaped++) {
        for (size_t n = 0; n <= most; n++) {
            assert_fits_as_expected(s, escaped, (struct bb_limit){.units = n});
            assert_fits_as_expected(s, escaped, (struct bb_limit){.bytes = n});
            assert_fits_as_expected(s, escaped, (struct bb_limit){.json = n});
            assert_fits_as_expected(
                s, escaped, (struct bb_limit){.units = n, .bytes = 2 * n, .json = 2 * n + 1});
        }
    }
}

/* -------------------------------------------------------------------- fit -- */

static void texts_of_many_scripts_are_cut_between_characters(void **state) {
    (void)state;
    sample s;
    for (size_t i = 0; i < 250; i++) {
        make_random_sample(&s);
        assert_fits_at_every_limit(&s, 20);
    }
}

static void no_character_is_ever_split(void **state) {
    (void)state;
    sample s;
    for (size_t i = 0; i < COUNT(characters); i++) {
        for (size_t lead = 0; lead < 2; lead++) {
            make_repeating_sample(&s, characters[i], lead);
            assert_fits_at_every_limit(&s, 3 * strlen(characters[i]) + 6);
        }
    }
}

static const struct {
    const char *text;
    struct bb_limit limit;
    const char *fitted;
    bool cut;
} table[] = {
    {"", {.units = 5}, "", false},
    {"abcde", {.units = 5}, "abcde", false},
    {"abcdef", {.units = 5}, "abcd" DOTS, true},
    {"abcde", {.units = 2}, "a" DOTS, true},
    {"abcde", {.units = 1}, DOTS, true},
    {"abcde", {.bytes = 2}, "", true},
    {"abcde", {.bytes = 3}, DOTS, true},
    {"abcde", {.bytes = 4}, "a" DOTS, true},
    {"ab", {.bytes = 2}, "ab", false},
    {"a\xE2\x8C\x98"
     "cde",
     {.units = 5},
     "a\xE2\x8C\x98"
     "cde",
     false},
    {"a\xE2\x8C\x98"
     "cde",
     {.bytes = 5},
     "a" DOTS,
     true},
    {"\xE4\xB8\x96\xE7\x95\x8C"
     "cdef",
     {.units = 3},
     "\xE4\xB8\x96\xE7\x95\x8C" DOTS,
     true},
    {GRIN GRIN GRIN, {.units = 6}, GRIN GRIN GRIN, false},
    {GRIN GRIN GRIN, {.units = 5}, GRIN GRIN DOTS, true},
    {GRIN GRIN GRIN, {.units = 4}, GRIN DOTS, true},
    {GRIN GRIN, {.bytes = 7}, GRIN DOTS, true},
    {GRIN GRIN, {.bytes = 6}, DOTS, true},
    {"one two three", {.units = 8}, "one two" DOTS, true},
    {"one two three", {.units = 9}, "one two" DOTS, true},
    {"one\n\ntwo", {.units = 6}, "one" DOTS, true},
    {"\"\"\"\"", {.json = 8}, "\"\"\"\"", false},
    {"\"\"\"\"", {.json = 7}, "\"\"" DOTS, true},
    {"x" FAMILY, {.bytes = 25}, "x" DOTS, true},
    {"x" FAMILY "yyyy", {.bytes = 29}, "x" FAMILY DOTS, true},
    {"x" FAMILY "yyyy", {.bytes = 28}, "x" DOTS, true},
    {GERMANY CHINA, {.units = 5}, GERMANY DOTS, true},
    {GERMANY CHINA, {.units = 7}, GERMANY DOTS, true},
    {"e\xCC\x81"
     "e\xCC\x81"
     "e\xCC\x81",
     {.units = 4},
     "e\xCC\x81" DOTS,
     true},
};

static void known_texts_have_known_cuts(void **state) {
    (void)state;
    struct bb_arena arena;
    bb_arena_init(&arena, &bb_mem_default);
    for (size_t i = 0; i < COUNT(table); i++) {
        bool cut = false;
        assert_string_equal(bb_text_fit(&arena, table[i].text, NULL, table[i].limit, &cut),
                            table[i].fitted);
        assert_int_equal(cut, table[i].cut);
    }
    assert_null(bb_text_fit(&arena, NULL, NULL, (struct bb_limit){.units = 5}, NULL));
    bb_arena_free(&arena);
}

/* Texts of many bytes and few units, and the reverse, near the limits that products have. */
static void long_texts_end_exactly_at_their_limit(void **state) {
    (void)state;
    static const size_t lengths[] = {1999, 2000, 2001, 3999, 4000, 4001, 5999};
    static char text[3 * 6000 + 1];
    struct bb_arena arena;
    bb_arena_init(&arena, &bb_mem_default);
    for (size_t i = 0; i < COUNT(lengths); i++) {
        text[0] = '\0';
        for (size_t k = 0; k < lengths[i]; k++)
            memcpy(text + 3 * k, "\xE4\xB8\x96", 4);
        bool cut = false;
        const char *fitted =
            bb_text_fit(&arena, text, NULL, (struct bb_limit){.units = 2000}, &cut);
        assert_int_equal(cut, lengths[i] > 2000);
        assert_int_equal(size_of(fitted).units, lengths[i] < 2000 ? lengths[i] : 2000);
        assert_memory_equal(fitted, text, strlen(fitted) - (cut ? strlen(DOTS) : 0));
    }
    bb_arena_free(&arena);
}

static void a_megabyte_is_not_worked_on_for_a_short_place(void **state) {
    (void)state;
    const size_t megabyte = 1 << 20;
    char *text = malloc(megabyte + 1);
    assert_non_null(text);
    memset(text, '&', megabyte);
    text[megabyte] = '\0';
    struct bb_arena arena;
    bb_arena_init(&arena, alloc_library());
    alloc_begin(0, 0);
    bool cut = false;
    const char *fitted = bb_text_fit(&arena, text, &escape, (struct bb_limit){.units = 100}, &cut);
    alloc_end();
    assert_true(cut);
    assert_int_equal(size_of(fitted).units, 96); /* 19 entities and the ellipsis */
    assert_true(alloc_bytes() < 16 * 1024);
    bb_arena_free(&arena);
    free(text);
}

static void what_is_measured_is_what_products_count(void **state) {
    (void)state;
    sample s;
    for (size_t i = 0; i < 200; i++) {
        make_random_sample(&s);
        struct bb_limit size = bb_text_measure(s.text, strlen(s.text)), expected = size_of(s.text);
        assert_int_equal(size.units, expected.units);
        assert_int_equal(size.bytes, expected.bytes);
        assert_int_equal(size.json, expected.json);
    }
}

/* ---------------------------------------------------------------- excerpt -- */

static void expect_excerpt(const sample *s, size_t most, char *out) {
    if (s->count <= most) {
        strcpy(out, s->text);
        return;
    }
    size_t end = most > 1 ? without_blanks(s->text, s->ends[most - 2]) : 0;
    snprintf(out, 2048, "%.*s%s", (int)end, s->text, most > 0 ? DOTS : "");
}

static void assert_excerpt(const sample *s, size_t most) {
    char expected[2048];
    struct bb_arena arena;
    bool cut = false;
    bb_arena_init(&arena, &bb_mem_default);
    expect_excerpt(s, most, expected);
    assert_string_equal(bb_text_excerpt(&arena, s->text, most, &cut), expected);
    assert_int_equal(cut, s->count > most);
    bb_arena_free(&arena);
}

static void an_excerpt_counts_what_a_reader_counts(void **state) {
    (void)state;
    sample s;
    for (size_t i = 0; i < 250; i++) {
        make_random_sample(&s);
        for (size_t most = 2; most <= 25; most++)
            assert_excerpt(&s, most);
    }
}

static void an_excerpt_of_one_character_is_the_ellipsis_and_of_none_is_empty(void **state) {
    (void)state;
    sample s = {.count = 0};
    add_character(&s, "a");
    assert_excerpt(&s, 1);
    add_character(&s, FAMILY);
    assert_excerpt(&s, 1);
    assert_excerpt(&s, 0);
}

static void an_excerpt_begins_to_be_cut_above_its_length(void **state) {
    (void)state;
    enum { MOST = 450 };
    static const char *const units[] = {"x", "\xE4\xB8\x96", GRIN, FAMILY, "e\xCC\x81"};
    static char text[(MOST + 1) * 32];
    for (size_t u = 0; u < COUNT(units); u++) {
        for (size_t count = MOST - 1; count <= MOST + 1; count++) {
            struct bb_arena arena;
            bool cut = false;
            bb_arena_init(&arena, &bb_mem_default);
            text[0] = '\0';
            for (size_t k = 0, n = strlen(units[u]); k < count; k++)
                memcpy(text + k * n, units[u], n + 1);
            const char *excerpt = bb_text_excerpt(&arena, text, MOST, &cut);
            assert_int_equal(cut, count > MOST);
            if (!cut)
                assert_string_equal(excerpt, text);
            else
                assert_int_equal(strlen(excerpt), (MOST - 1) * strlen(units[u]) + strlen(DOTS));
            bb_arena_free(&arena);
        }
    }
}

/* ----------------------------------------------------------- line starts -- */

static void the_start_of_a_line_is_seen_behind_blanks_and_digits(void **state) {
    (void)state;
    const char *text = "# a\n  12. b";
    assert_true(bb_text_at_line_start(text, text, false));
    assert_false(bb_text_at_line_start(text, text + 2, false));
    assert_true(bb_text_at_line_start(text, text + 4, false));
    assert_true(bb_text_at_line_start(text, text + 6, false));
    assert_false(bb_text_at_line_start(text, text + 8, false));
    assert_true(bb_text_at_line_start(text, text + 8, true));
    assert_false(bb_text_at_line_start(text, text + 10, true));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_many_scripts_are_cut_between_characters),
        cmocka_unit_test(no_character_is_ever_split),
        cmocka_unit_test(known_texts_have_known_cuts),
        cmocka_unit_test(long_texts_end_exactly_at_their_limit),
        cmocka_unit_test(a_megabyte_is_not_worked_on_for_a_short_place),
        cmocka_unit_test(what_is_measured_is_what_products_count),
        cmocka_unit_test(an_excerpt_counts_what_a_reader_counts),
        cmocka_unit_test(an_excerpt_of_one_character_is_the_ellipsis_and_of_none_is_empty),
        cmocka_unit_test(an_excerpt_begins_to_be_cut_above_its_length),
        cmocka_unit_test(the_start_of_a_line_is_seen_behind_blanks_and_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
