/*
 * What every endpoint promises, whatever it is given: the product takes the body,
 * a reader finds what happened in it, and nobody but the host has put markup there.
 * One suite for every row of the table of endpoints; the body is read by a decoder
 * that shares no code with the library. What is cut: test_contract_cut.c; who is
 * notified: test_contract_mentions.c. BB_TEST_SCALE above 1 tries every text with
 * every activity.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/contract.h"
#include "support/hostile.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const none[] = {NULL};

/* ---- every event */

static void check_sample(const bb_webhook *webhook, const sample *s, const sample_case *c) {
    contract_made made;
    bool chinese = webhook->language == BB_CHINESE;
    if (contract_prepare(&made, webhook, &s->event)) {
        contract_check(&made, &(struct decode_expect){.link = s->event.link});
        contract_check_shows(&made, chinese ? c->title_zh : c->title_en, true);
        contract_check_shows(&made, SAMPLE_ISSUE, true);
        contract_check_cuts(&made, none);
    }
    contract_free(&made);
}

static void each_event_is_taken_and_says_what_happened(void **state) {
    (void)state;
    FOR_EACH_TYPE(type) {
        bb_webhook webhook = sample_webhook(type);
        for (size_t i = 0; i < 4 * sample_case_count; i++) {
            const sample_case *c = &sample_cases[i / 4];
            sample s;
            sample_make(&s, c);
            webhook.language = i % 2 ? BB_CHINESE : BB_ENGLISH;
            if (i & 2)
                s.event.link = NULL;
            contract_try("%s, %s, %s, %s link", bb_type_name(type), c->name,
                         bb_language_name(webhook.language), s.event.link ? "a" : "no");
            check_sample(&webhook, &s, c);
        }
    }
}

static void an_event_of_nothing_but_its_activity_is_a_message(void **state) {
    (void)state;
    FOR_EACH_TYPE(type) {
        bb_webhook webhook = sample_webhook(type);
        for (size_t i = 0; i < SAMPLE_ACTIVITIES; i++) {
            bb_event event = BB_EVENT_INIT;
            event.activity = sample_activity(i);
            webhook.keyword = i % 2 ? "" : NULL;
            contract_try("%s, bare %s", bb_type_name(type), bb_activity_name(event.activity));
            contract_check_event(&webhook, &event, NULL);
        }
    }
}

static void parts_without_a_word_in_them_are_a_message(void **state) {
    (void)state;
    FOR_EACH_TYPE(type) {
        bb_webhook webhook = sample_webhook(type);
        for (size_t i = 0; i < SAMPLE_ACTIVITIES; i++) {
            sample s;
            sample_fill(&s, sample_activity(i));
            for (size_t t = 0; t < sample_text_count; t++)
                sample_set(&s, &sample_texts[t], NULL);
            contract_try("%s, wordless %s", bb_type_name(type), bb_activity_name(s.event.activity));
            contract_check_event(&webhook, &s.event, SAMPLE_LINK);
        }
    }
}

/* ---- the same bytes */

static void an_event_prepared_again_gives_the_same_bytes(void **state) {
    (void)state;
    FOR_EACH_TYPE(type) {
        bb_webhook webhook = sample_webhook(type);
        contract_made first, again;
        sample s, same;
        sample_fill(&s, BB_TASK_STATUS_UPDATE);
        sample_fill(&same, BB_TASK_STATUS_UPDATE);
        s.event.id = same.event.id = NULL;
        contract_try("%s", bb_type_name(type));
        bool made = contract_prepare(&first, &webhook, &s.event);
        if (contract_prepare(&again, &webhook, &same.event) && made) {
            assert_int_equal(first.length, again.length);
            assert_memory_equal(first.body, again.body, first.length);
            assert_string_equal(bb_request_url(first.request, BB_REAL),
                                bb_request_url(again.request, BB_REAL));
        }
        contract_free(&first);
        contract_free(&again);
    }
}

/* ---- levels */

static char *mark_of_level(const bb_webhook *webhook, sample *s, int level) {
    contract_made made;
    char *mark = NULL;
    s->event.level = (bb_level)level;
    if (contract_prepare(&made, webhook, &s->event))
        mark = contract_level_mark(&made);
    contract_free(&made);
    return mark;
}

static void each_level_looks_different(void **state) {
    (void)state;
    FOR_EACH_TYPE(type) {
        bb_webhook webhook = sample_webhook(type);
        char *marks[BB_ERROR + 1] = {NULL};
        sample s;
        sample_make(&s, &sample_cases[0]);
        for (int level = BB_INFO; level <= BB_ERROR; level++) {
            marks[level] = mark_of_level(&webhook, &s, level);
            contract_try("%s, %s", bb_type_name(type), bb_level_name((bb_level)level));
            for (int other = BB_INFO; other < level; other++)
                if (!marks[level] || strcmp(marks[level], marks[other]) == 0)
                    contract_complain("looks like %s: %s", bb_level_name((bb_level)other),
                                      marks[level] ? marks[level] : "no mark");
        }
        for (int level = BB_INFO; level <= BB_ERROR; level++)
            free(marks[level]);
    }
}

static void each_event_has_its_level(void **state) {
    (void)state;
    FOR_EACH_TYPE(type) {
        bb_webhook webhook = sample_webhook(type);
        for (size_t i = 0; i < sample_case_count; i++) {
            sample s;
            sample_make(&s, &sample_cases[i]);
            char *derived = mark_of_level(&webhook, &s, 0);
            char *given = mark_of_level(&webhook, &s, (int)sample_cases[i].level);
            contract_try("%s, %s", bb_type_name(type), sample_cases[i].name);
            if (!derived || !given || strcmp(derived, given) != 0)
                contract_complain("is not shown as %s", bb_level_name(sample_cases[i].level));
            free(derived);
            free(given);
        }
    }
}

/* ---- hostile texts */

static void check_hostile(const bb_webhook *webhook, bb_activity activity, const sample_text *text,
                          const hostile *h) {
    sample s;
    contract_made made;
    sample_fill(&s, activity);
    sample_set(&s, text, h->text);
    contract_try("%s, %s, %s = %s", bb_type_name(webhook->type), bb_activity_name(activity),
                 text->name, h->name);
    if (contract_prepare(&made, webhook, &s.event)) {
        contract_check(&made, &(struct decode_expect){.link = SAMPLE_LINK});
        if (h->literal && sample_shows(text, webhook->type, activity) &&
            !contract_is_cut(&made, text->cut))
            contract_check_shows(&made, h->text, true);
        if (text->offset != offsetof(sample, issue.name))
            contract_check_shows(&made, SAMPLE_ISSUE, true);
    }
    contract_free(&made);
}

/* Activities with which a text is worth a try: a failed task shows nearly all of
 * them, some stand in titles, too. */
static uint32_t places_of(const sample_text *text) {
    const char *scale = getenv("BB_TEST_SCALE");
    if (scale && strtoul(scale, NULL, 10) > 1)
        return BB_ACTIVITY_ALL;
    uint32_t titles = text->in_title & (BB_STAGE_STATUS_UPDATE | BB_ISSUE_FIELD_UPDATE);
    uint32_t comment = text->in_rooms == BB_ISSUE_COMMENT_CREATE ? BB_ISSUE_COMMENT_CREATE : 0;
    return BB_TASK_STATUS_UPDATE | titles | comment;
}

static void check_hostile_texts(const hostile *list, size_t count) {
    FOR_EACH_TYPE(type) {
        bb_webhook webhook = sample_webhook(type);
        for (size_t i = 0; i < SAMPLE_ACTIVITIES * sample_text_count; i++) {
            const sample_text *text = &sample_texts[i / SAMPLE_ACTIVITIES];
            bb_activity activity = sample_activity(i % SAMPLE_ACTIVITIES);
            for (size_t h = 0; (places_of(text) & (uint32_t)activity) && h < count; h++)
                check_hostile(&webhook, activity, text, &list[h]);
        }
    }
}

static void hostile_text_in_any_place_is_shown_and_not_obeyed(void **state) {
    (void)state;
    check_hostile_texts(hostile_texts, hostile_text_count);
}

/* Of a field without a title of its own the description tells name, old and new. */
static void check_field(bb_type type, size_t part, const hostile *h) {
    bb_webhook webhook = sample_webhook(type);
    contract_made made;
    sample s;
    sample_fill(&s, BB_ISSUE_FIELD_UPDATE);
    const char **parts[] = {&s.field.name, &s.field.old_value, &s.field.new_value};
    s.event.description = NULL;
    s.field.name = "priority";
    *parts[part] = h->text;
    contract_try("%s, part %zu of a change = %s", bb_type_name(type), part, h->name);
    if (contract_prepare(&made, &webhook, &s.event)) {
        contract_check(&made, &(struct decode_expect){.link = SAMPLE_LINK});
        contract_check_shows(&made, SAMPLE_ISSUE, true);
        if (h->literal)
            contract_check_shows(&made, h->text, true);
    }
    contract_free(&made);
}

static void a_hostile_change_is_shown_and_not_obeyed(void **state) {
    (void)state;
    FOR_EACH_TYPE(type) {
        for (size_t part = 0; part < 3; part++) {
            for (size_t i = 0; i < hostile_text_count; i++)
                check_field(type, part, &hostile_texts[i]);
            for (size_t i = 0; i < hostile_blank_count; i++)
                check_field(type, part, &hostile_blanks[i]);
        }
    }
}

static void text_that_cannot_be_seen_leaves_a_message(void **state) {
    (void)state;
    check_hostile_texts(hostile_blanks, hostile_blank_count);
}

static void a_megabyte_in_any_place_keeps_the_limits(void **state) {
    (void)state;
    for (size_t i = 0; i < HOSTILE_LONG; i++)
        check_hostile_texts(hostile_long(i), 1);
}

/* ---- all at once */

/* Everything long at the same time: what settings may add, a long link, many people. */
static void fill_wholly(sample *s, bb_mention *people, const bb_mention **list, const char *text) {
    for (size_t t = 0; t < sample_text_count; t++)
        if (!sample_texts[t].hides)
            sample_set(s, &sample_texts[t], text);
    s->event.id = "evt-1";
    for (size_t i = 0; i < CONTRACT_PEOPLE; i++) {
        people[i] = (bb_mention)BB_MENTION_INIT;
        people[i].name = text;
        list[i] = &people[i];
    }
    s->event.mentions = list;
    s->event.mention_count = CONTRACT_PEOPLE;
}

static void check_all_at_once(bb_webhook *webhook, bb_activity activity, const hostile *h,
                              const char *link) {
    static bb_mention people[CONTRACT_PEOPLE];
    static const bb_mention *list[CONTRACT_PEOPLE];
    contract_made made, plain;
    sample s;
    sample_fill(&s, activity);
    s.event.level = BB_ERROR;
    s.event.link = link;
    contract_try("%s, %s, every text = %s, link of %zu bytes", bb_type_name(webhook->type),
                 bb_activity_name(activity), h->name, strlen(link));
    bool known = contract_prepare(&plain, webhook, &s.event);
    fill_wholly(&s, people, list, h->text);
    if (contract_prepare(&made, webhook, &s.event) && known) {
        char *mark = contract_level_mark(&made), *expected = contract_level_mark(&plain);
        contract_check(&made, &(struct decode_expect){.link = link});
        if (!mark || !expected || strcmp(mark, expected) != 0)
            contract_complain("the level is '%s', not '%s'", mark, expected);
        free(mark);
        free(expected);
    }
    contract_free(&made);
    contract_free(&plain);
}

static void every_text_hostile_at_once_keeps_limits_level_and_link(void **state) {
    (void)state;
    FOR_EACH_TYPE(type) {
        bb_webhook webhook = sample_webhook(type);
        for (size_t i = 0; i < hostile_text_count; i++)
            check_all_at_once(&webhook, sample_activity(i % SAMPLE_ACTIVITIES), &hostile_texts[i],
                              SAMPLE_LINK);
    }
}

/* Links of the greatest length: 2,000 bytes as they are sent. */
static const struct {
    const char *unit;
    size_t sent; /* its bytes once it is percent-encoded */
} link_units[] = {{"a", 1}, {"&", 1}, {"(", 3}, {"世", 9}, {"%28", 3}, {"*_", 2}};

static char *longest_link(size_t index) {
    static const char begin[] = "https://bb.example.com/?";
    size_t count = (2000 - strlen(begin)) / link_units[index].sent;
    char *tail = hostile_repeat(link_units[index].unit, count * strlen(link_units[index].unit));
    char *link = malloc(strlen(begin) + strlen(tail) + 1);
    assert_non_null(link);
    strcat(strcpy(link, begin), tail);
    free(tail);
    return link;
}

static void everything_at_its_greatest_keeps_limits_level_and_link(void **state) {
    (void)state;
    char *button = hostile_repeat("*[", 400), *keyword = hostile_repeat("词", 200);
    for (size_t i = 0; i < HOSTILE_LONG * COUNT(link_units); i++) {
        size_t text = i / COUNT(link_units);
        char *link = longest_link(i % COUNT(link_units));
        FOR_EACH_TYPE(type) {
            bb_webhook webhook = sample_webhook(type);
            webhook.button_text = button;
            webhook.keyword = keyword;
            check_all_at_once(&webhook, sample_activity((i + text) % SAMPLE_ACTIVITIES),
                              hostile_long(text), link);
        }
        free(link);
    }
    free(button);
    free(keyword);
}

static void an_event_of_any_size_is_given_an_id(void **state) {
    (void)state;
    static bb_mention people[CONTRACT_PEOPLE];
    static const bb_mention *list[CONTRACT_PEOPLE];
    bb_webhook webhook = sample_webhook(BB_SLACK);
    sample s;
    sample_fill(&s, BB_ISSUE_CREATE);
    fill_wholly(&s, people, list, hostile_long(0)->text);
    s.event.id = NULL;
    contract_try("1 MiB in every text, no id");
    contract_check_event(&webhook, &s.event, SAMPLE_LINK);
}

/* ---- U+0000, which no C string can hold */

static void a_nul_in_event_json_ends_no_text(void **state) {
    (void)state;
    static const char json[] =
        "{\"activity_type\":\"bb.pipeline.task.status.update\",\"title\":\"one\\u0000 two\","
        "\"description\":\"three\\u0000 four\",\"issue\":{\"id\":1,\"status\":\"OPEN\","
        "\"name\":\"" SAMPLE_ISSUE "\\u0000\",\"description\":\"five\\u0000 six\"},"
        "\"task\":{\"name\":\"\\u0000seven\",\"detail\":\"eight \xff\xc3 \\ud800\\u0000 nine\"}}";
    static const char *const shown[] = {"one two", "three four", "five six", "nine", SAMPLE_ISSUE};
    bb_event_doc *document = NULL;
    assert_int_equal(bb_event_parse(NULL, json, sizeof(json) - 1, &document, NULL), BB_OK);
    FOR_EACH_TYPE(type) {
        bb_webhook webhook = sample_webhook(type);
        contract_made made;
        contract_try("%s", bb_type_name(type));
        if (contract_prepare(&made, &webhook, bb_event_doc_event(document))) {
            contract_check(&made, NULL);
            for (size_t i = 0; i < COUNT(shown); i++)
                contract_check_shows(&made, shown[i], true);
        }
        contract_free(&made);
    }
    bb_event_doc_free(document);
}

/* ---- links */

/* `expected` NULL: not a link that can be opened, told as cut. */
static const struct {
    const char *given, *expected;
} links[] = {
    {"https://bb.example.com/issue/101", "https://bb.example.com/issue/101"},
    {"http://localhost:8080/", "http://localhost:8080/"},
    {"HTTPS://BB.EXAMPLE.COM/x", "HTTPS://BB.EXAMPLE.COM/x"},
    {"https://bb.example.com/a?b=c&d=%20e#comment-4",
     "https://bb.example.com/a?b=c&d=%20e#comment-4"},
    {"  https://bb.example.com/x\n", "https://bb.example.com/x"},
    {"https://bb.example.com/a b", "https://bb.example.com/a%20b"},
    {"https://bb.example.com/(a)[b]{c}", "https://bb.example.com/(a)[b]{c}"},
    {"https://bb.example.com/)](https://evil.example)",
     "https://bb.example.com/)](https://evil.example)"},
    {"https://bb.example.com/|x>\"'`<!channel>\\^", "https://bb.example.com/|x>\"'`<!channel>\\^"},
    {"https://bb.example.com/\nhttps://evil.example",
     "https://bb.example.com/%0Ahttps://evil.example"},
    {"https://bb.example.com/工单", "https://bb.example.com/工单"},
    {"https://bb.example.com/\xff", "https://bb.example.com/\xef\xbf\xbd"},
    {"", NULL},
    {"   ", NULL},
    {"/issue/101", NULL},
    {"//bb.example.com/issue/101", NULL},
    {"bb.example.com/issue/101", NULL},
    {"javascript:alert(1)", NULL},
    {"javascript://x/%0aalert(1)//https://", NULL},
    {"data:text/html,x", NULL},
    {"ftp://bb.example.com/", NULL},
    {"https:", NULL},
    {"https://", NULL},
    {"http:///path", NULL},
    {"https://?x", NULL},
    {"https://#x", NULL},
    {"https://:443/", NULL},
};

static void check_link(const bb_webhook *webhook, const char *given, const char *expected) {
    static const char *const cut[] = {"link", NULL};
    sample s;
    contract_made made;
    sample_make(&s, &sample_cases[0]);
    s.event.link = given;
    contract_try("%s, link = %.80s", bb_type_name(webhook->type), given);
    if (contract_prepare(&made, webhook, &s.event)) {
        contract_check(&made, &(struct decode_expect){.link = expected});
        contract_check_cuts(&made, expected || !given[strspn(given, " ")] ? none : cut);
    }
    contract_free(&made);
}

static void a_link_is_opened_as_it_was_meant_or_not_at_all(void **state) {
    (void)state;
    char *long_path = hostile_repeat("/x", 2100), too_long[2200];
    snprintf(too_long, sizeof(too_long), "https://bb.example.com%s", long_path);
    FOR_EACH_TYPE(type) {
        bb_webhook webhook = sample_webhook(type);
        for (size_t i = 0; i < COUNT(links); i++)
            check_link(&webhook, links[i].given, links[i].expected);
        check_link(&webhook, too_long, NULL);
    }
    free(long_path);
}

/* ---- keyword */

static void the_keyword_stands_in_every_dingtalk_and_feishu_text(void **state) {
    (void)state;
    static const bb_type types[] = {BB_DINGTALK, BB_FEISHU, BB_DINGTALK};
    for (size_t i = 0; i < COUNT(types) * 4 * sample_case_count; i++) {
        const sample_case *c = &sample_cases[i / (COUNT(types) * 4)];
        size_t variant = i / COUNT(types) % 4;
        bb_webhook webhook = sample_webhook(types[i % COUNT(types)]);
        contract_made made;
        sample s;
        sample_make(&s, c);
        s.event.link = variant & 1 ? SAMPLE_LINK : NULL;
        webhook.language = variant & 2 ? BB_CHINESE : BB_ENGLISH;
        webhook.button_text = "Open";
        webhook.dingtalk_action_card = i % COUNT(types) == 2;
        contract_try("%s, %s, variant %zu", bb_type_name(webhook.type), c->name, variant);
        if (contract_prepare(&made, &webhook, &s.event)) {
            contract_check(&made, &(struct decode_expect){.link = s.event.link});
            contract_check_shows(&made, "Bytebase", true);
        }
        contract_free(&made);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CONTRACT(each_event_is_taken_and_says_what_happened),
        CONTRACT(an_event_of_nothing_but_its_activity_is_a_message),
        CONTRACT(parts_without_a_word_in_them_are_a_message),
        CONTRACT(an_event_prepared_again_gives_the_same_bytes),
        CONTRACT(each_level_looks_different),
        CONTRACT(each_event_has_its_level),
        CONTRACT(hostile_text_in_any_place_is_shown_and_not_obeyed),
        CONTRACT(a_hostile_change_is_shown_and_not_obeyed),
        CONTRACT(text_that_cannot_be_seen_leaves_a_message),
        CONTRACT(a_megabyte_in_any_place_keeps_the_limits),
        CONTRACT(every_text_hostile_at_once_keeps_limits_level_and_link),
        CONTRACT(everything_at_its_greatest_keeps_limits_level_and_link),
        CONTRACT(an_event_of_any_size_is_given_an_id),
        CONTRACT(a_nul_in_event_json_ends_no_text),
        CONTRACT(a_link_is_opened_as_it_was_meant_or_not_at_all),
        CONTRACT(the_keyword_stands_in_every_dingtalk_and_feishu_text),
    };
    int failed = cmocka_run_group_tests_name("contract", tests, NULL, NULL);
    hostile_free();
    return failed;
}
