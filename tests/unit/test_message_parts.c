/* What a message is made of besides its title's words: names, excerpts, links, mentions, cuts. */
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
#include "event/message.h"
#include "support/arena.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FAMILY "\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA6"

static struct bb_message *message_of(const bb_event *event) {
    static struct bb_message message;
    assert_true(bb_message_make(&message, &arena, event, BB_ENGLISH));
    return &message;
}

static bb_event event_of(bb_activity activity) {
    bb_event event = BB_EVENT_INIT;
    event.activity = activity;
    return event;
}

static const char *fact(const struct bb_message *m, enum bb_label kind) {
    for (size_t i = 0; i < m->fact_count; i++)
        if (m->facts[i].kind == kind)
            return m->facts[i].value;
    return NULL;
}

static bool is_cut(const struct bb_message *m, const char *name) {
    for (size_t i = 0; i < m->cuts.count; i++)
        if (strcmp(m->cuts.names[i], name) == 0)
            return true;
    return false;
}

/* ------------------------------------------------------------------ names -- */

static const struct {
    const char *name;
    const char *shown;
} names[] = {
    {"plain", "plain"},
    {"first line\nsecond line", "first line"},
    {"\r\n\r\n  first \t line \r\nsecond", "first line"},
    {"one\xE2\x80\xA8two", "one"}, /* a line separator */
    {FAMILY, FAMILY},
    {"\xF0\x9F\x9A\x80", "\xF0\x9F\x9A\x80"},
    {"\xE4\xB8\xAD\xE6\x96\x87", "\xE4\xB8\xAD\xE6\x96\x87"},
    {"a/b?c#d <e> & \"f\"", "a/b?c#d <e> & \"f\""},
    {"bad \xFF\xC0\x80 bytes", "bad \xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD bytes"},
    {"a\xE2\x80\xAE"
     "b\xEF\xBB\xBF"
     "c\x01\x7F",
     "abc"},
    {"100 %s %n {a}", "100 %s %n {a}"},
};

static void a_name_is_shown_as_one_clean_line_wherever_it_stands(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        char title[256];
        bb_issue issue = BB_ISSUE_INIT;
        bb_project project = BB_PROJECT_INIT;
        bb_stage stage = BB_STAGE_INIT;
        bb_task task = BB_TASK_INIT;
        bb_user creator = BB_USER_INIT;
        issue.name = project.name = stage.name = task.name = creator.name = names[i].name;
        bb_event event = event_of(BB_ISSUE_CREATE);
        event.issue = &issue;
        event.project = &project;
        event.stage = &stage;
        event.task = &task;
        event.creator = &creator;
        const struct bb_message *m = message_of(&event);
        snprintf(title, sizeof(title), "Issue created - %s", names[i].shown);
        assert_string_equal(m->title, title);
        assert_int_equal(m->fact_count, 5);
        for (size_t k = 0; k < m->fact_count; k++)
            assert_string_equal(m->facts[k].value, names[i].shown);
        event.title = names[i].name;
        assert_string_equal(message_of(&event)->title, names[i].shown);
    }
}

static void a_megabyte_of_a_name_is_kept_short(void **state) {
    (void)state;
    const size_t megabyte = 1 << 20;
    char *name = malloc(megabyte + 1);
    assert_non_null(name);
    memset(name, 'x', megabyte);
    name[megabyte] = '\0';
    bb_issue issue = BB_ISSUE_INIT;
    issue.name = name;
    bb_event event = event_of(BB_ISSUE_CREATE);
    event.issue = &issue;
    assert_in_range(strlen(message_of(&event)->title), 1000, 8192);
    event.title = name;
    assert_in_range(strlen(message_of(&event)->title), 1000, 8192);
    free(name);
}

/* ------------------------------------------------------------ descriptions -- */

static const struct {
    bb_activity activity;
    const char *description, *comment, *shown;
} descriptions[] = {
    {BB_ISSUE_CREATE, NULL, NULL, ""},
    {BB_ISSUE_CREATE, " \n a\r\n\tb \n\n", NULL, "a\n\tb"},
    {BB_ISSUE_CREATE, NULL, "not for this", ""},
    {BB_ISSUE_COMMENT_CREATE, NULL, "looks\ngood", "looks\ngood"},
    {BB_ISSUE_COMMENT_CREATE, "", "good", "good"},
    {BB_ISSUE_COMMENT_CREATE, "the host's own", "good", "the host's own"},
    {BB_ISSUE_COMMENT_CREATE, NULL, NULL, ""},
    {BB_ISSUE_CREATE, "\xE2\x80\x8D \xE3\x80\x80", NULL, ""}, /* nothing to see */
};

static void a_description_keeps_its_lines_and_a_comment_is_one(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(descriptions); i++) {
        bb_event event = event_of(descriptions[i].activity);
        event.description = descriptions[i].description;
        event.comment = descriptions[i].comment;
        assert_string_equal(message_of(&event)->description, descriptions[i].shown);
        assert_false(is_cut(message_of(&event), "description"));
    }
}

static void a_description_beyond_all_measure_is_told_to_be_cut(void **state) {
    (void)state;
    char *text = malloc(BB_TEXT_MAX + 2);
    assert_non_null(text);
    memset(text, 'd', BB_TEXT_MAX + 1);
    text[BB_TEXT_MAX + 1] = '\0';
    bb_event event = event_of(BB_ISSUE_CREATE);
    event.description = text;
    assert_int_equal(strlen(message_of(&event)->description), BB_TEXT_MAX);
    assert_true(is_cut(message_of(&event), "description"));
    text[BB_TEXT_MAX] = '\0';
    assert_false(is_cut(message_of(&event), "description"));
    free(text);
}

/* 449, 450 and 451 characters of 2 to 4 bytes. */
static void excerpts_are_cut_above_450_characters_and_told(void **state) {
    (void)state;
    static const char *const units[] = {"x", "\xC3\xA9", "\xE4\xB8\x96", FAMILY};
    static char text[(BB_EXCERPT_GRAPHEMES + 1) * 16 + 1];
    for (size_t u = 0; u < COUNT(units); u++) {
        for (size_t count = BB_EXCERPT_GRAPHEMES - 1; count <= BB_EXCERPT_GRAPHEMES + 1; count++) {
            text[0] = '\0';
            for (size_t k = 0, n = strlen(units[u]); k < count; k++)
                memcpy(text + k * n, units[u], n + 1);
            bb_issue issue = BB_ISSUE_INIT;
            bb_task task = BB_TASK_INIT;
            issue.description = task.detail = text;
            bb_event event = event_of(BB_TASK_STATUS_UPDATE);
            event.issue = &issue;
            event.task = &task;
            const struct bb_message *m = message_of(&event);
            bool expected = count > BB_EXCERPT_GRAPHEMES;
            for (size_t k = 0; k < m->fact_count; k++)
                assert_int_equal(m->facts[k].is_cut, expected && m->facts[k].is_long);
            assert_int_equal(strcmp(fact(m, BB_LABEL_RESULT_DETAIL), text) == 0, !expected);
            assert_string_equal(fact(m, BB_LABEL_ISSUE_DESCRIPTION),
                                fact(m, BB_LABEL_RESULT_DETAIL));
        }
    }
}

/* ------------------------------------------------------------------ links -- */

static const struct {
    const char *link, *shown;
    bool cut;
} links[] = {
    {NULL, "", false},
    {"", "", false},
    {" \n", "", false},
    {"https://bb.example.com/issue/101", "https://bb.example.com/issue/101", false},
    {"HTTPS://bb.example.com/", "HTTPS://bb.example.com/", false},
    {"http://bb.example.com/a?b=c&d=e#activity4", "http://bb.example.com/a?b=c&d=e#activity4",
     false},
    {"  https://bb.example.com/x \n", "https://bb.example.com/x", false},
    {"https://x.example/a b\"c<d>e", "https://x.example/a%20b%22c%3Cd%3Ee", false},
    {"https://x.example/`{|}^\\", "https://x.example/%60%7B%7C%7D%5E%5C", false},
    {"https://x.example/a%20b", "https://x.example/a%20b", false},
    {"https://x.example/a\nb\tc", "https://x.example/a%0Ab%09c", false},
    {"https://x.example/\xE4\xB8\x96", "https://x.example/%E4%B8%96", false},
    {"javascript:alert(1)", "", true},
    {"data:text/html,x", "", true},
    {"file:///etc/passwd", "", true},
    {"//bb.example.com/x", "", true},
    {"bb.example.com/x", "", true},
    {"/issue/101", "", true},
    {"https:bb.example.com", "", true},
    {"xhttps://bb.example.com", "", true},
    {"https://", "", true},
    {"https:///x", "", true},
    {"https://?x", "", true},
    {"http://[::1]/x", "http://[::1]/x", false},
};

static void a_link_is_a_web_link_that_ends_no_markup(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(links); i++) {
        bb_event event = event_of(BB_ISSUE_CREATE);
        event.link = links[i].link;
        const struct bb_message *m = message_of(&event);
        assert_string_equal(m->link, links[i].shown);
        assert_int_equal(is_cut(m, "link"), links[i].cut);
    }
}

/* What is percent-encoded counts three, and so does a parenthesis, which markdown cannot have. */
static void a_link_is_whole_or_left_out(void **state) {
    (void)state;
    static const char inside[] = {'p', ' ', '(', ')'};
    char link[BB_LINK_MAX + 2] = "https://x.example/";
    for (size_t length = BB_LINK_MAX - 3; length <= BB_LINK_MAX + 1; length++) {
        for (size_t i = 0; i < sizeof(inside); i++) {
            memset(link + 18, 'p', length - 18);
            link[length] = '\0';
            link[20] = inside[i];
            bool fits = length + (inside[i] == 'p' ? 0 : 2) <= BB_LINK_MAX;
            bb_event event = event_of(BB_ISSUE_CREATE);
            event.link = link;
            const struct bb_message *m = message_of(&event);
            assert_int_equal(*m->link != '\0', fits);
            assert_int_equal(is_cut(m, "link"), !fits);
        }
    }
}

/* --------------------------------------------------------------- mentions -- */

static const struct {
    const char *id, *kept;
} ids[] = {
    {"U0123ABCD", "U0123ABCD"},
    {"80351110224678912", "80351110224678912"},
    {"ann.b_c-d+e@example.com", "ann.b_c-d+e@example.com"},
    {"", NULL},
    {"U1> <!channel", NULL},
    {"all></at><at id=all", NULL},
    {"a b", NULL},
    {"a\nb", NULL},
    {"allen", "allen"},
    {"@here.we.go", "@here.we.go"},
    {"all", NULL}, /* words that call a whole room */
    {"@all", NULL},
    {"@Everyone", NULL},
    {"HERE", NULL},
    {"channel", NULL},
    {"\xE4\xB8\x96", NULL},
    {"\"", NULL},
};

static void an_id_with_markup_in_it_notifies_nobody(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(ids); i++) {
        bb_mention mention = BB_MENTION_INIT;
        const bb_mention *list[] = {&mention};
        mention.name = "A\nnn";
        mention.slack = mention.discord = mention.teams = mention.dingtalk = ids[i].id;
        mention.feishu = mention.wecom = ids[i].id;
        bb_event event = event_of(BB_ISSUE_CREATE);
        event.mentions = list;
        event.mention_count = 1;
        const struct bb_message *m = message_of(&event);
        assert_int_equal(m->mention_count, 1);
        const char *const kept[] = {m->mentions[0].slack,  m->mentions[0].discord,
                                    m->mentions[0].teams,  m->mentions[0].dingtalk,
                                    m->mentions[0].feishu, m->mentions[0].wecom};
        for (size_t k = 0; k < COUNT(kept); k++) {
            assert_int_equal(kept[k] != NULL, ids[i].kept != NULL);
            if (kept[k])
                assert_string_equal(kept[k], ids[i].kept);
        }
        assert_string_equal(m->mentions[0].name, "A");
        assert_false(m->everyone);
    }
}

static const struct {
    const char *phone, *kept;
} phones[] = {
    {"13800000000", "13800000000"},
    {"+8613800000000", "13800000000"},
    {"+86 138-0000-0000", "13800000000"},
    {"138 0000 0000", "13800000000"},
    {NULL, NULL},
    {"", NULL},
    {"+1 555 0100", NULL},
    {"1380000000", NULL},
    {"138000000000", NULL},
    {"1380000000x", NULL},
    {"13800000000>", NULL},
    {"@all", NULL},
    {"+86", NULL},
    {"\xEF\xBC\x91"
     "3800000000",
     NULL},
};

static void a_phone_number_is_eleven_digits_or_none(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(phones); i++) {
        bb_mention mention = BB_MENTION_INIT;
        const bb_mention *list[] = {&mention};
        mention.phone = phones[i].phone;
        bb_event event = event_of(BB_ISSUE_CREATE);
        event.mentions = list;
        event.mention_count = 1;
        const char *kept = message_of(&event)->mentions[0].phone;
        assert_int_equal(kept != NULL, phones[i].kept != NULL);
        if (kept)
            assert_string_equal(kept, phones[i].kept);
    }
}

static void everyone_is_asked_for_by_the_list_alone(void **state) {
    (void)state;
    bb_mention everyone = BB_MENTION_INIT, ann = BB_MENTION_INIT;
    const bb_mention *list[] = {&ann, &everyone, &ann};
    everyone.everyone = 1;
    everyone.slack = "U1";
    ann.name = "Ann";
    bb_event event = event_of(BB_ISSUE_COMMENT_CREATE);
    event.comment = "@everyone <!channel> @all";
    assert_false(message_of(&event)->everyone);
    event.mentions = list;
    event.mention_count = COUNT(list);
    const struct bb_message *m = message_of(&event);
    assert_true(m->everyone);
    assert_int_equal(m->mention_count, 2);
    assert_string_equal(m->mentions[0].name, "Ann");
    assert_string_equal(m->mentions[1].name, "Ann");
}

/* ------------------------------------------------------------------- cuts -- */

static void each_cut_is_noted_once(void **state) {
    (void)state;
    struct bb_cuts cuts = {.count = 0};
    bb_cuts_add(&cuts, "title");
    bb_cuts_add(&cuts, "link");
    bb_cuts_add(&cuts, "title");
    assert_int_equal(cuts.count, 2);
    assert_string_equal(cuts.names[0], "title");
    assert_string_equal(cuts.names[1], "link");
}

static void the_same_event_gives_the_same_message(void **state) {
    (void)state;
    bb_issue issue = BB_ISSUE_INIT;
    issue.name = "I";
    issue.description = "d";
    bb_event event = event_of(BB_ISSUE_CREATE);
    event.issue = &issue;
    event.link = "https://x.example/";
    event.created_ts = 1700000000;
    struct bb_message a = *message_of(&event), b = *message_of(&event);
    assert_string_equal(a.title, b.title);
    assert_string_equal(a.description, b.description);
    assert_string_equal(a.link, b.link);
    assert_int_equal(a.fact_count, b.fact_count);
    assert_int_equal(a.created_ts, 1700000000);
    assert_ptr_equal(a.event, &event);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_shown_as_one_clean_line_wherever_it_stands),
        cmocka_unit_test(a_megabyte_of_a_name_is_kept_short),
        cmocka_unit_test(a_description_keeps_its_lines_and_a_comment_is_one),
        cmocka_unit_test(a_description_beyond_all_measure_is_told_to_be_cut),
        cmocka_unit_test(excerpts_are_cut_above_450_characters_and_told),
        cmocka_unit_test(a_link_is_a_web_link_that_ends_no_markup),
        cmocka_unit_test(a_link_is_whole_or_left_out),
        cmocka_unit_test(an_id_with_markup_in_it_notifies_nobody),
        cmocka_unit_test(a_phone_number_is_eleven_digits_or_none),
        cmocka_unit_test(everyone_is_asked_for_by_the_list_alone),
        cmocka_unit_test(each_cut_is_noted_once),
        cmocka_unit_test(the_same_event_gives_the_same_message),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
