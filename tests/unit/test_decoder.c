/*
 * The decoder must be right before tests can lean on it: each file of
 * decode/planted holds a good body, which passes, and violations, each of which
 * planted into that body must be refused by name. The files:
 *
 *   type TYPE, link URL, mention ID, everyone    what is expected, a line each
 *   (blank line) BODY (blank line)               indented as one likes
 *   FIND => PUT => WHY                           FIND stands in the body once;
 *                                                WHY is part of the refusal, or
 *                                                "ok": the body still passes
 *
 * In all of them <<ZW>> is U+200B, <<5*text>> is five times the text, and
 * <<C3A4>> are these bytes. A line with // says what follows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "decode/decode.h"

enum { LEAST_VIOLATIONS = 8 };

struct sample {
    char *file; /* lines, cut apart in place */
    bb_type type;
    struct decode_expect expect;
    const char *mentions[4];
    char *body;
    char *plants; /* the rest of the file */
};

/* ---- text that grows */

struct text {
    char *bytes;
    size_t length;
    size_t room;
};

static void append(struct text *text, const char *bytes, size_t length) {
    if (text->length + length + 1 > text->room) {
        text->room = 2 * (text->length + length + 1);
        text->bytes = realloc(text->bytes, text->room);
        assert_non_null(text->bytes);
    }
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

static void append_hex(struct text *text, const char *hex, size_t length) {
    for (size_t i = 0; i + 1 < length; i += 2) {
        char digits[] = {hex[i], hex[i + 1], '\0'};
        char byte = (char)strtoul(digits, NULL, 16);
        append(text, &byte, 1);
    }
}

/* What stands between << and >>. */
static void append_meant(struct text *text, const char *what, size_t length) {
    const char *star = memchr(what, '*', length);
    if (length == 2 && memcmp(what, "ZW", 2) == 0) {
        append(text, "\u200b", 3);
    } else if (star) {
        for (unsigned long left = strtoul(what, NULL, 10); left > 0; left--)
            append(text, star + 1, length - (size_t)(star + 1 - what));
    } else {
        append_hex(text, what, length);
    }
}

static char *expand(const char *line, size_t length) {
    struct text text = {0};
    append(&text, "", 0);
    const char *end = line + length;
    while (line < end) {
        const char *mark = strstr(line, "<<");
        const char *plain = mark && mark < end ? mark : end;
        append(&text, line, (size_t)(plain - line));
        line = plain;
        if (plain < end) {
            const char *close = strstr(mark, ">>");
            assert_non_null(close);
            append_meant(&text, mark + 2, (size_t)(close - mark - 2));
            line = close + 2;
        }
    }
    return text.bytes;
}

/* ---- the files */

static char *read_whole(const char *name) {
    char path[512], block[4096];
    struct text text = {0};
    size_t length;
    snprintf(path, sizeof(path), "%s/decode/planted/%s.txt", TESTS_DIR, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("cannot open %s", path);
    while ((length = fread(block, 1, sizeof(block), file)) > 0)
        append(&text, block, length);
    fclose(file);
    assert_non_null(text.bytes);
    return text.bytes;
}

/* Cuts the first line off `*rest`; NULL at the end. */
static char *next_line(char **rest) {
    char *line = *rest;
    if (!*line)
        return NULL;
    size_t length = strcspn(line, "\n");
    *rest = line + length + (line[length] == '\n');
    line[length] = '\0';
    return line;
}

static bb_type type_of(const char *name) {
    static const char *const names[] = {"",         "slack",  "discord", "teams",
                                        "dingtalk", "feishu", "wecom",   "custom"};
    for (int i = BB_SLACK; i <= BB_CUSTOM; i++) {
        if (strcmp(names[i], name) == 0)
            return (bb_type)i;
    }
    return (bb_type)0;
}

static void read_expectation(struct sample *sample, const char *line) {
    if (strncmp(line, "type ", 5) == 0)
        sample->type = type_of(line + 5);
    else if (strncmp(line, "link ", 5) == 0)
        sample->expect.link = line + 5;
    else if (strncmp(line, "mention ", 8) == 0)
        sample->mentions[sample->expect.mention_count++] = line + 8;
    else if (strcmp(line, "everyone") == 0)
        sample->expect.everyone = true;
    else
        fail_msg("'%s' is no expectation", line);
}

static void read_sample(struct sample *sample, const char *name) {
    char *line, *rest = sample->file = read_whole(name);
    struct text body = {0};
    sample->expect.mentions = sample->mentions;
    while ((line = next_line(&rest)) && *line)
        read_expectation(sample, line);
    assert_int_not_equal(sample->type, 0);
    while ((line = next_line(&rest)) && *line) {
        line += strspn(line, " ");
        append(&body, line, strlen(line));
    }
    assert_non_null(body.bytes);
    sample->body = expand(body.bytes, body.length);
    sample->plants = rest;
    free(body.bytes);
}

static void free_sample(struct sample *sample) {
    free(sample->file);
    free(sample->body);
}

/* ---- checks */

static void check_body(const struct sample *sample, const char *body, const char *wanted,
                       const char *what) {
    char why[512] = "";
    bool good = strcmp(wanted, "ok") == 0;
    if (decode_check(sample->type, body, strlen(body), &sample->expect, why, sizeof(why)) != good ||
        (!good && !strstr(why, wanted)))
        fail_msg("%.200s: '%s' where '%s' was expected", what, why, wanted);
}

static void check_plant(const struct sample *sample, const char *find, const char *put,
                        const char *wanted, const char *line) {
    struct text body = {0};
    const char *place = strstr(sample->body, find);
    if (!place || strstr(place + 1, find))
        fail_msg("'%s' does not stand once in the body", find);
    append(&body, sample->body, (size_t)(place - sample->body));
    append(&body, put, strlen(put));
    append(&body, place + strlen(find), strlen(place + strlen(find)));
    check_body(sample, body.bytes, wanted, line);
    free(body.bytes);
}

/* Plants what a line says; returns whether it was a violation. */
static size_t check_line(const struct sample *sample, const char *line) {
    static const char arrow[] = " => ";
    const char *first = strstr(line, arrow);
    const char *second = first ? strstr(first + 4, arrow) : NULL;
    if (!second) {
        fail_msg("'%s' has no two arrows", line);
        return 0;
    }
    char *find = expand(line, (size_t)(first - line));
    char *put = expand(first + 4, (size_t)(second - first - 4));
    check_plant(sample, find, put, second + 4, line);
    free(find);
    free(put);
    return strcmp(second + 4, "ok") != 0;
}

static void check_file(const char *name) {
    struct sample sample = {0};
    size_t violations = 0;
    char *line;
    read_sample(&sample, name);
    check_body(&sample, sample.body, "ok", name);
    while ((line = next_line(&sample.plants)))
        violations += *line && strncmp(line, "//", 2) != 0 ? check_line(&sample, line) : 0;
    print_message("%s: %zu violations\n", name, violations);
    assert_true(violations >= LEAST_VIOLATIONS);
    free_sample(&sample);
}

static void a_planted_violation_in_a_slack_body_is_named(void **state) {
    (void)state;
    check_file("slack");
    check_file("slack_quiet");
}

static void a_planted_violation_in_a_discord_body_is_named(void **state) {
    (void)state;
    check_file("discord");
    check_file("discord_quiet");
}

static void a_planted_violation_in_a_teams_body_is_named(void **state) {
    (void)state;
    check_file("teams");
}

static void a_planted_violation_in_a_dingtalk_body_is_named(void **state) {
    (void)state;
    check_file("dingtalk");
    check_file("action_card");
}

static void a_planted_violation_in_a_feishu_body_is_named(void **state) {
    (void)state;
    check_file("feishu");
}

static void a_planted_violation_in_a_wecom_body_is_named(void **state) {
    (void)state;
    check_file("wecom");
}

static void a_planted_violation_in_a_custom_body_is_named(void **state) {
    (void)state;
    check_file("custom");
}

static void a_violation_that_no_product_takes_is_named(void **state) {
    (void)state;
    check_file("common");
}

static void what_is_not_expected_is_refused(void **state) {
    (void)state;
    static const char *const names[] = {"slack",       "discord", "teams", "dingtalk",
                                        "action_card", "feishu",  "wecom", "custom"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct sample sample = {0};
        char why[256] = "";
        read_sample(&sample, names[i]);
        if (decode_check(sample.type, sample.body, strlen(sample.body), NULL, why, sizeof(why)))
            fail_msg("%s passes although nothing was expected", names[i]);
        assert_string_not_equal(why, "");
        free_sample(&sample);
    }
}

static void a_nul_byte_and_what_is_no_object_are_refused(void **state) {
    (void)state;
    char why[256];
    assert_false(decode_check(BB_CUSTOM, "{\"a\":\"\0\"}", 9, NULL, why, sizeof(why)));
    assert_non_null(strstr(why, "a raw control character"));
    assert_false(decode_check(BB_CUSTOM, "", 0, NULL, why, sizeof(why)));
    assert_non_null(strstr(why, "not a JSON value"));
    assert_false(decode_check(BB_SLACK, "[1]", 3, NULL, why, sizeof(why)));
    assert_string_equal(why, "slack: body is not an object");
    assert_null(decode_texts(BB_SLACK, "{", 1));
}

static void texts_are_shown_without_their_escapes(void **state) {
    (void)state;
    static const struct {
        const char *file, *words;
        bool shown;
    } cases[] = {
        {"slack", "Created - a < b", true},
        {"slack", "words :smile: 12:30:45 a_b\n> no quote", true},
        {"slack", "&lt;", false},
        {"discord", "Created - *a* 22 < 33", true},
        {"discord", "words _x_ snake \\ <@1>\n1. one", true},
        {"teams", "Created - *a*", true},
        {"teams", "{{DATE(x)}}", true},
        {"dingtalk", "Status: OPEN <b> & _x_", true},
        {"dingtalk", "https://bb.example.com", false},
        {"action_card", "words", true},
        {"feishu", "words <at id=all> ~", true},
        {"wecom", "a<b>", true},
        {"wecom", "Status: OPEN", true},
        {"custom", "Task failed - *a*", true},
        {"custom", "Remove", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sample sample = {0};
        read_sample(&sample, cases[i].file);
        if (decode_shows(sample.type, sample.body, strlen(sample.body), cases[i].words) !=
            cases[i].shown)
            fail_msg("%s: '%s'", cases[i].file, cases[i].words);
        free_sample(&sample);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_planted_violation_in_a_slack_body_is_named),
        cmocka_unit_test(a_planted_violation_in_a_discord_body_is_named),
        cmocka_unit_test(a_planted_violation_in_a_teams_body_is_named),
        cmocka_unit_test(a_planted_violation_in_a_dingtalk_body_is_named),
        cmocka_unit_test(a_planted_violation_in_a_feishu_body_is_named),
        cmocka_unit_test(a_planted_violation_in_a_wecom_body_is_named),
        cmocka_unit_test(a_planted_violation_in_a_custom_body_is_named),
        cmocka_unit_test(a_violation_that_no_product_takes_is_named),
        cmocka_unit_test(what_is_not_expected_is_refused),
        cmocka_unit_test(a_nul_byte_and_what_is_no_object_are_refused),
        cmocka_unit_test(texts_are_shown_without_their_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
