/* Events as JSON: every member both ways, what may be left out, and errors that name the member. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "bb_webhook.h"
#include "event/event.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ACTIVITY "\"activity_type\":\"bb.issue.create\""

static bb_event_doc *parse(const char *json) {
    bb_event_doc *document = NULL;
    bb_error error = BB_ERROR_INIT;
    if (bb_event_parse(NULL, json, strlen(json), &document, &error) != BB_OK)
        fail_msg("%s: %s", json, error.text);
    return document;
}

static const char *print(const bb_event *event) {
    static char out[32768];
    size_t length = 0;
    assert_int_equal(bb_event_print(event, out, sizeof(out), &length, NULL), BB_OK);
    assert_int_equal(length, strlen(out));
    return out;
}

static void assert_refused(const char *json, const char *expected) {
    bb_event_doc *document = NULL;
    bb_error error = BB_ERROR_INIT;
    int code = bb_event_parse(NULL, json, strlen(json), &document, &error);
    if (code != BB_ERR_EVENT || strncmp(error.text, expected, strlen(expected)) != 0)
        fail_msg("%s: %s %s, wanted \"%s\"", json, bb_code_name(code), error.text, expected);
    assert_null(document);
}

/* ------------------------------------------------------------ every member -- */

/* In the order in which they are printed; NULL ends an object. */
typedef struct object {
    const char *name; /* "": the event itself */
    const char *members[12];
} object;

static const object objects[] = {
    {"",
     {"\"id\":\"evt_1\"", ACTIVITY, "\"level\":\"WARN\"", "\"title\":\"T\"",
      "\"description\":\"line\\nline\"", "\"link\":\"https://x.example/?a=b&c\"",
      "\"created_ts\":1700000000", "\"comment\":\"\\\"quoted\\\"\""}},
    {"creator", {"\"id\":-9223372036854775808", "\"name\":\"Ann\"", "\"email\":\"ann@x.example\""}},
    {"issue",
     {"\"id\":9223372036854775807", "\"name\":\"\xE4\xB8\x96\"", "\"status\":\"CANCELED\"",
      "\"type\":\"schema\"", "\"description\":\"why\""}},
    {"project", {"\"id\":9007199254740993", "\"name\":\"Shop\""}},
    {"field", {"\"name\":\"assignee\"", "\"old\":\"A\"", "\"new\":\"B\""}},
    {"stage", {"\"id\":-1", "\"name\":\"Prod\"", "\"status\":\"END\"", "\"failed_tasks\":2"}},
    {"task",
     {"\"id\":3", "\"name\":\"t\"", "\"old_status\":\"RUNNING\"", "\"status\":\"ON_HOLD\"",
      "\"detail\":\"\xF0\x9F\x98\x80\"", "\"skipped_reason\":\"no\""}},
    {"mentions",
     {"\"name\":\"Bob\"", "\"slack\":\"U1\"", "\"discord\":\"80351110224678912\"",
      "\"teams\":\"b@x.example\"", "\"dingtalk\":\"d\"", "\"phone\":\"+8613800000000\"",
      "\"feishu\":\"ou_1\"", "\"wecom\":\"w\"", "\"everyone\":true"}},
};

/* Each object has bits of `chosen`: whether it is there, then whether its members are. */
static bool is_chosen(const uint64_t *chosen, size_t *bit) {
    size_t at = (*bit)++;
    return chosen[at / 64] >> at % 64 & 1;
}

static void put_members(char *out, const object *o, const uint64_t *chosen, size_t *bit) {
    const char *comma = "";
    for (size_t i = 0; o->members[i]; i++) {
        bool is_needed = strcmp(o->members[i], ACTIVITY) == 0;
        if (!is_chosen(chosen, bit) && !is_needed)
            continue;
        strcat(strcat(out, comma), o->members[i]);
        comma = ",";
    }
}

/* A document as it is printed. */
static void make_document(char *out, const uint64_t chosen[2]) {
    size_t bit = 0;
    strcpy(out, "{");
    for (size_t i = 0; i < COUNT(objects); i++) {
        bool is_there = is_chosen(chosen, &bit), is_list = strcmp(objects[i].name, "mentions") == 0;
        char members[1024] = "";
        put_members(members, &objects[i], chosen, &bit);
        if (i == 0)
            strcat(out, members);
        else if (is_there)
            sprintf(out + strlen(out), ",\"%s\":%s{%s}%s", objects[i].name, is_list ? "[" : "",
                    members, is_list ? "]" : "");
    }
    strcat(out, "}");
    assert_true(bit <= 128);
}

static void assert_comes_back(const uint64_t chosen[2]) {
    char text[4096];
    make_document(text, chosen);
    bb_event_doc *document = parse(text);
    assert_string_equal(print(bb_event_doc_event(document)), text);
    bb_event_doc_free(document);
}

static void what_is_printed_is_what_was_parsed(void **state) {
    (void)state;
    const uint64_t none[2] = {0, 0}, all[2] = {UINT64_MAX, UINT64_MAX};
    assert_comes_back(none);
    assert_comes_back(all);
    for (size_t bit = 0; bit < 128; bit++) {
        uint64_t one[2] = {0, 0}, all_but_one[2] = {UINT64_MAX, UINT64_MAX};
        one[bit / 64] |= (uint64_t)1 << bit % 64;
        all_but_one[bit / 64] ^= (uint64_t)1 << bit % 64;
        assert_comes_back(one);
        assert_comes_back(all_but_one);
    }
    uint64_t random[2] = {88172645463325252u, 362436069362436069u};
    for (int i = 0; i < 500; i++) {
        for (int k = 0; k < 2; k++) {
            random[k] ^= random[k] << 13;
            random[k] ^= random[k] >> 7;
            random[k] ^= random[k] << 17;
        }
        assert_comes_back(random);
    }
}

static void every_member_reaches_its_field(void **state) {
    (void)state;
    char text[4096];
    make_document(text, (const uint64_t[2]){UINT64_MAX, UINT64_MAX});
    bb_event_doc *document = parse(text);
    const bb_event *e = bb_event_doc_event(document);
    assert_string_equal(e->id, "evt_1");
    assert_int_equal(e->activity, BB_ISSUE_CREATE);
    assert_int_equal(e->level, BB_WARN);
    assert_string_equal(e->title, "T");
    assert_string_equal(e->description, "line\nline");
    assert_string_equal(e->link, "https://x.example/?a=b&c");
    assert_true(e->created_ts == 1700000000);
    assert_string_equal(e->comment, "\"quoted\"");
    assert_true(e->creator->id == INT64_MIN && e->issue->id == INT64_MAX);
    assert_string_equal(e->creator->name, "Ann");
    assert_string_equal(e->creator->email, "ann@x.example");
    assert_string_equal(e->issue->name, "\xE4\xB8\x96");
    assert_int_equal(e->issue->status, BB_ISSUE_CANCELED);
    assert_string_equal(e->issue->type, "schema");
    assert_string_equal(e->issue->description, "why");
    assert_true(e->project->id == 9007199254740993);
    assert_string_equal(e->project->name, "Shop");
    assert_string_equal(e->field->name, "assignee");
    assert_string_equal(e->field->old_value, "A");
    assert_string_equal(e->field->new_value, "B");
    assert_true(e->stage->id == -1 && e->stage->failed_tasks == 2);
    assert_string_equal(e->stage->name, "Prod");
    assert_int_equal(e->stage->status, BB_STAGE_END);
    assert_true(e->task->id == 3);
    assert_string_equal(e->task->name, "t");
    assert_string_equal(e->task->old_status, "RUNNING");
    assert_string_equal(e->task->status, "ON_HOLD");
    assert_string_equal(e->task->detail, "\xF0\x9F\x98\x80");
    assert_string_equal(e->task->skipped_reason, "no");
    assert_int_equal(e->mention_count, 1);
    const bb_mention *m = e->mentions[0];
    const char *const ids[] = {m->name,     m->slack, m->discord, m->teams,
                               m->dingtalk, m->phone, m->feishu,  m->wecom};
    static const char *const expected[] = {
        "Bob", "U1", "80351110224678912", "b@x.example", "d", "+8613800000000", "ou_1", "w"};
    for (size_t i = 0; i < COUNT(ids); i++)
        assert_string_equal(ids[i], expected[i]);
    assert_int_equal(m->everyone, 1);
    assert_int_equal(e->struct_size, sizeof(*e));
    assert_int_equal(m->struct_size, sizeof(*m));
    bb_event_doc_free(document);
}

/* ------------------------------------------------------- what may be missing -- */

static void null_and_empty_mean_missing(void **state) {
    (void)state;
    static const char *const nothings[] = {"null", "\"\""};
    for (size_t n = 0; n < COUNT(nothings); n++) {
        char text[2048] = "{" ACTIVITY;
        for (size_t i = 0; i < COUNT(objects); i++) {
            char *end = text + strlen(text);
            if (i > 0 && n == 0) {
                sprintf(end, ",\"%s\":null", objects[i].name);
                continue;
            }
            for (size_t k = 0; i == 0 && objects[i].members[k]; k++)
                if (strcmp(objects[i].members[k], ACTIVITY) != 0)
                    sprintf(text + strlen(text), ",%.*s:%s",
                            (int)strcspn(objects[i].members[k], ":"), objects[i].members[k],
                            nothings[n]);
        }
        strcat(text, "}");
        bb_event_doc *document = parse(text);
        assert_string_equal(print(bb_event_doc_event(document)), "{" ACTIVITY "}");
        bb_event_doc_free(document);
    }
    bb_event_doc *document = parse("{" ACTIVITY ",\"issue\":{\"id\":null,\"name\":\"\",\"status\":"
                                   "\"\"},\"mentions\":[null,{\"name\":null,\"everyone\":null}]}");
    assert_string_equal(print(bb_event_doc_event(document)),
                        "{" ACTIVITY ",\"issue\":{},\"mentions\":[{}]}");
    bb_event_doc_free(document);
}

static void unknown_members_are_ignored(void **state) {
    (void)state;
    bb_event_doc *document = parse(
        "{\"x\":{\"deep\":[1,{\"id\":2}]},\"Id\":5," ACTIVITY ",\"issue\":{\"labels\":[\"a\"],"
        "\"id\":1,\"ID\":\"no\"},\"mentions\":[{\"matrix\":\"@a:b\",\"name\":\"B\"}],"
        "\"version\":99}");
    assert_string_equal(print(bb_event_doc_event(document)),
                        "{" ACTIVITY ",\"issue\":{\"id\":1},\"mentions\":[{\"name\":\"B\"}]}");
    bb_event_doc_free(document);
}

static void integers_may_be_strings(void **state) {
    (void)state;
    bb_event_doc *document =
        parse("{" ACTIVITY ",\"created_ts\":\"1700000000\",\"issue\":{\"id\":"
              "\"9223372036854775807\"},\"project\":{\"id\":\"-9223372036854775808\"}}");
    assert_string_equal(print(bb_event_doc_event(document)),
                        "{" ACTIVITY ",\"created_ts\":1700000000,\"issue\":{\"id\":"
                        "9223372036854775807},\"project\":{\"id\":-9223372036854775808}}");
    bb_event_doc_free(document);
}

static void everyone_may_be_said_in_a_word(void **state) {
    (void)state;
    bb_event_doc *document =
        parse("{" ACTIVITY ",\"mentions\":[\"everyone\",{\"everyone\":false}]}");
    const bb_event *event = bb_event_doc_event(document);
    assert_int_equal(event->mention_count, 2);
    assert_int_equal(event->mentions[0]->everyone, 1);
    assert_int_equal(event->mentions[1]->everyone, 0);
    bb_event_doc_free(document);
}

static void more_mentions_than_any_room_needs_are_left_out(void **state) {
    (void)state;
    static char text[8192] = "{" ACTIVITY ",\"mentions\":[\"everyone\"";
    for (int i = 1; i < BB_MENTIONS_MAX + 50; i++)
        strcat(text, ",{\"name\":\"n\"}");
    strcat(text, "]}");
    bb_event_doc *document = parse(text);
    assert_int_equal(bb_event_doc_event(document)->mention_count, BB_MENTIONS_MAX);
    bb_event_doc_free(document);
}

static void bytes_pass_the_reader_and_are_repaired_by_the_writer(void **state) {
    (void)state;
    bb_event_doc *document =
        parse("{" ACTIVITY ",\"title\":\"a\xFF\x80\\u0000\\uD800b\xE2\x80\xAE\"}");
    const bb_event *event = bb_event_doc_event(document);
    assert_string_equal(event->title, "a\xFF\x80\xEF\xBF\xBD"
                                      "b\xE2\x80\xAE");
    assert_string_equal(print(event),
                        "{" ACTIVITY ",\"title\":\"a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
                        "b\"}");
    bb_event_doc_free(document);
}

static void a_text_of_which_repair_leaves_nothing_is_left_out(void **state) {
    (void)state;
    static const char json[] =
        "{" ACTIVITY
        ",\"title\":\"\\u0001\",\"issue\":{\"name\":\"\\u0000\\u0002\",\"type\":\"t\"}}";
    bb_event_doc *document = parse(json);
    assert_string_equal(print(bb_event_doc_event(document)),
                        "{" ACTIVITY ",\"issue\":{\"type\":\"t\"}}");
    bb_event_doc_free(document);
}

/* ------------------------------------------------------------------- errors -- */

static const struct {
    const char *json, *error;
} refused[] = {
    {"", "the event is not JSON"},
    {"{", "the event is not JSON"},
    {"[]", "the event is not a JSON object"},
    {"\"x\"", "the event is not a JSON object"},
    {"null", "the event is not a JSON object"},
    {"{}", "activity_type is missing"},
    {"{\"activity_type\":null}", "activity_type is missing"},
    {"{\"activity_type\":\"bb.issue.created\"}",
     "activity_type has a value that is not known: bb.issue.created"},
    {"{\"activity_type\":1}", "activity_type has a value that is not known"},
    {"{" ACTIVITY ",\"level\":\"info\"}", "level has a value that is not known: info"},
    {"{" ACTIVITY ",\"title\":5}", "title is not a string"},
    {"{" ACTIVITY ",\"title\":12345678901234567}", "title is not a string"},
    {"{" ACTIVITY ",\"description\":[\"a\"]}", "description is not a string"},
    {"{" ACTIVITY ",\"created_ts\":1.5}", "created_ts is not a whole number"},
    {"{" ACTIVITY ",\"created_ts\":\"soon\"}", "created_ts is not a whole number: soon"},
    {"{" ACTIVITY ",\"created_ts\":true}", "created_ts is not a whole number"},
    {"{" ACTIVITY ",\"issue\":{\"id\":9223372036854775808}}", "issue.id is not a whole number"},
    {"{" ACTIVITY ",\"issue\":{\"status\":\"CLOSED\"}}",
     "issue.status has a value that is not known: CLOSED"},
    {"{" ACTIVITY ",\"issue\":7}", "issue is not an object"},
    {"{" ACTIVITY ",\"issue\":[]}", "issue is not an object"},
    {"{" ACTIVITY ",\"creator\":\"Ann\"}", "creator is not an object"},
    {"{" ACTIVITY ",\"creator\":{\"name\":{}}}", "creator.name is not a string"},
    {"{" ACTIVITY ",\"project\":{\"name\":false}}", "project.name is not a string"},
    {"{" ACTIVITY ",\"field\":{\"old\":1}}", "field.old is not a string"},
    {"{" ACTIVITY ",\"stage\":{\"status\":\"DONE\"}}",
     "stage.status has a value that is not known: DONE"},
    {"{" ACTIVITY ",\"stage\":{\"failed_tasks\":\"x\"}}",
     "stage.failed_tasks is not a whole number: x"},
    {"{" ACTIVITY ",\"task\":{\"detail\":0}}", "task.detail is not a string"},
    {"{" ACTIVITY ",\"mentions\":{}}", "mentions is not a list"},
    {"{" ACTIVITY ",\"mentions\":[\"all\"]}", "mentions[] is not an object"},
    {"{" ACTIVITY ",\"mentions\":[{\"slack\":1}]}", "mentions[].slack is not a string"},
    {"{" ACTIVITY ",\"mentions\":[{\"everyone\":\"yes\"}]}",
     "mentions[].everyone is neither true nor false: yes"},
};

static void an_error_names_the_member(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++)
        assert_refused(refused[i].json, refused[i].error);
}

static void an_error_is_safe_to_print(void **state) {
    (void)state;
    bb_event_doc *document = NULL;
    bb_error error = BB_ERROR_INIT;
    const char *json = "{\"activity_type\":\"a\xFF\\n\\u001b[1m\xF0\x9F\x98\x80\"}";
    assert_int_equal(bb_event_parse(NULL, json, strlen(json), &document, &error), BB_ERR_EVENT);
    assert_string_equal(error.text,
                        "activity_type has a value that is not known: a?  [1m\xF0\x9F\x98\x80");
}

static void a_document_that_is_cut_off_anywhere_is_refused(void **state) {
    (void)state;
    char text[4096];
    make_document(text, (const uint64_t[2]){UINT64_MAX, UINT64_MAX});
    for (size_t n = 0; n < strlen(text); n++) {
        char *exact = malloc(n ? n : 1);
        assert_non_null(exact);
        bb_event_doc *document = NULL;
        memcpy(exact, text, n);
        assert_int_equal(bb_event_parse(NULL, exact, n, &document, NULL), BB_ERR_EVENT);
        assert_null(document);
        free(exact);
    }
}

/* ----------------------------------------------------------------- printing -- */

static void printing_says_how_much_room_it_needs(void **state) {
    (void)state;
    static const char expected[] = "{" ACTIVITY ",\"title\":\"\xE4\xB8\x96\"}";
    bb_event event = BB_EVENT_INIT;
    bb_error error = BB_ERROR_INIT;
    event.activity = BB_ISSUE_CREATE;
    event.title = "\xE4\xB8\x96";
    for (size_t size = 0; size <= sizeof(expected) + 1; size++) {
        char out[sizeof(expected) + 2];
        size_t length = 0;
        memset(out, '#', sizeof(out));
        int code = bb_event_print(&event, size ? out : NULL, size, &length, &error);
        assert_int_equal(code, size < sizeof(expected) ? BB_ERR_TOO_LARGE : BB_OK);
        assert_int_equal(length, sizeof(expected) - 1);
        if (code == BB_OK)
            assert_string_equal(out, expected);
        for (size_t i = size; i < sizeof(out); i++)
            assert_int_equal(out[i], '#');
    }
}

static void printing_checks_what_it_is_given(void **state) {
    (void)state;
    char out[64];
    size_t length;
    bb_event event = BB_EVENT_INIT;
    bb_issue issue = {.struct_size = 0};
    assert_int_equal(bb_event_print(&event, out, sizeof(out), &length, NULL), BB_ERR_EVENT);
    event.activity = BB_ISSUE_CREATE | BB_ISSUE_COMMENT_CREATE;
    assert_int_equal(bb_event_print(&event, out, sizeof(out), &length, NULL), BB_ERR_EVENT);
    event.activity = BB_ISSUE_CREATE;
    event.level = 9;
    assert_int_equal(bb_event_print(&event, out, sizeof(out), &length, NULL), BB_ERR_EVENT);
    event.level = 0;
    event.issue = &issue;
    assert_int_equal(bb_event_print(&event, out, sizeof(out), &length, NULL), BB_ERR_STRUCT);
    event.issue = NULL;
    assert_int_equal(bb_event_print(NULL, out, sizeof(out), &length, NULL), BB_ERR_ARGUMENT);
    assert_int_equal(bb_event_print(&event, NULL, 1, &length, NULL), BB_ERR_ARGUMENT);
    assert_int_equal(bb_event_print(&event, out, sizeof(out), NULL, NULL), BB_ERR_ARGUMENT);
}

static void parsing_checks_what_it_is_given(void **state) {
    (void)state;
    bb_event_doc *document = NULL;
    bb_allocator unset = {.struct_size = 0}, empty = BB_ALLOCATOR_INIT;
    assert_int_equal(bb_event_parse(NULL, NULL, 0, &document, NULL), BB_ERR_ARGUMENT);
    assert_int_equal(bb_event_parse(NULL, "{}", 2, NULL, NULL), BB_ERR_ARGUMENT);
    assert_int_equal(bb_event_parse(&unset, "{}", 2, &document, NULL), BB_ERR_STRUCT);
    assert_null(bb_event_doc_event(NULL));
    bb_event_doc_free(NULL);
    /* an allocator without functions, as bb_options' */
    assert_int_equal(bb_event_parse(&empty, "{}", 2, &document, NULL), BB_ERR_ARGUMENT);
}

/* Wherever it stands, in a text that is looked at byte by byte or in blocks. */
static void every_byte_is_printed_as_the_repaired_text_says(void **state) {
    (void)state;
    enum { LENGTH = 40 };
    char text[LENGTH + 1] = {0};
    for (int byte = 1; byte < 256; byte++)
        for (size_t length = 1; length <= LENGTH; length += 13)
            for (size_t at = 0; at < length; at++) {
                struct bb_arena arena;
                bool cut = false;
                bb_event event = BB_EVENT_INIT;
                memset(text, 'x', length);
                text[at] = (char)byte;
                text[length] = '\0';
                event.activity = BB_ISSUE_CREATE;
                event.title = text;
                bb_arena_init(&arena, &bb_mem_default);
                bb_event_doc *document = parse(print(&event));
                const char *title = bb_event_doc_event(document)->title;
                assert_string_equal(title ? title : "",
                                    bb_text_repaired(&arena, text, BB_TEXT_MAX, &cut));
                bb_event_doc_free(document);
                bb_arena_free(&arena);
            }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_printed_is_what_was_parsed),
        cmocka_unit_test(every_member_reaches_its_field),
        cmocka_unit_test(null_and_empty_mean_missing),
        cmocka_unit_test(unknown_members_are_ignored),
        cmocka_unit_test(integers_may_be_strings),
        cmocka_unit_test(everyone_may_be_said_in_a_word),
        cmocka_unit_test(more_mentions_than_any_room_needs_are_left_out),
        cmocka_unit_test(bytes_pass_the_reader_and_are_repaired_by_the_writer),
        cmocka_unit_test(a_text_of_which_repair_leaves_nothing_is_left_out),
        cmocka_unit_test(an_error_names_the_member),
        cmocka_unit_test(an_error_is_safe_to_print),
        cmocka_unit_test(a_document_that_is_cut_off_anywhere_is_refused),
        cmocka_unit_test(every_byte_is_printed_as_the_repaired_text_says),
        cmocka_unit_test(printing_says_how_much_room_it_needs),
        cmocka_unit_test(printing_checks_what_it_is_given),
        cmocka_unit_test(parsing_checks_what_it_is_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
