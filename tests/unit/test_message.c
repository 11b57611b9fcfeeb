/*
 * From an event to words: the table of titles and levels in both languages, every row and what is
 * odd, and the facts in their order. Names, links and mentions are test_message_parts.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "event/message.h"
#include "support/arena.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Each story sets what it is about; the rest of the event is a whole one. */
typedef struct story {
    const char *label;
    bb_activity activity;
    bb_issue_status issue_status;
    bb_stage_status stage_status;
    int64_t failed_tasks;
    const char *old_status, *status, *skipped;
    const char *field, *was, *now;
    const char *en, *zh;
    bb_level level;
} story;

#define ISSUE(status, en, zh, level)                                                               \
    { #status, BB_ISSUE_STATUS_UPDATE, status, 0, 0, 0, 0, 0, 0, 0, 0, en, zh, level }
#define STAGE(status, failed, en, zh, level)                                                       \
    { #status, BB_STAGE_STATUS_UPDATE, 0, status, failed, 0, 0, 0, 0, 0, 0, en, zh, level }
#define TASK(was, now, skipped, en, zh, level)                                                     \
    { #was " -> " #now, BB_TASK_STATUS_UPDATE, 0, 0, 0, was, now, skipped, 0, 0, 0, en, zh, level }
#define FIELD(name, was, now, en, zh)                                                              \
    { #name, BB_ISSUE_FIELD_UPDATE, 0, 0, 0, 0, 0, 0, name, was, now, en, zh, BB_INFO }
#define OTHER(activity, en, zh)                                                                    \
    { #activity, activity, 0, 0, 0, 0, 0, 0, 0, 0, 0, en, zh, BB_INFO }

#define PENDING BB_TASK_PENDING
#define APPROVAL BB_TASK_PENDING_APPROVAL
#define RUNNING BB_TASK_RUNNING
#define DONE BB_TASK_DONE
#define FAILED BB_TASK_FAILED
#define CANCELED BB_TASK_CANCELED
#define SKIPPED BB_TASK_SKIPPED

/* Every title ends in " - " and the name of the issue, stage or task. */
/* clang-format off */
static const story stories[] = {
    OTHER(BB_ISSUE_CREATE, "Issue created - I", "创建工单 - I"),
    OTHER(BB_ISSUE_COMMENT_CREATE, "Comment created - I", "工单新评论 - I"),

    ISSUE(BB_ISSUE_OPEN, "Issue reopened - I", "工单重开 - I", BB_INFO),
    ISSUE(BB_ISSUE_DONE, "Issue resolved - I", "工单完成 - I", BB_SUCCESS),
    ISSUE(BB_ISSUE_CANCELED, "Issue canceled - I", "工单取消 - I", BB_INFO),
    ISSUE(0, "Updated issue - I", "工单信息变更 - I", BB_INFO),
    ISSUE(3, "Updated issue - I", "工单信息变更 - I", BB_INFO),
    ISSUE(64, "Updated issue - I", "工单信息变更 - I", BB_INFO),

    STAGE(BB_STAGE_BEGIN, 0, "Stage begins - S", "阶段开始 - S", BB_INFO),
    STAGE(BB_STAGE_BEGIN, 2, "Stage begins - S", "阶段开始 - S", BB_INFO),
    STAGE(BB_STAGE_END, 0, "Stage ends - S", "阶段结束 - S", BB_SUCCESS),
    STAGE(BB_STAGE_END, 1, "Stage failed - S", "阶段失败 - S", BB_ERROR),
    STAGE(BB_STAGE_END, -1, "Stage ends - S", "阶段结束 - S", BB_SUCCESS),
    STAGE(0, 0, "Stage changed - S", "阶段状态变更 - S", BB_INFO),
    STAGE(9, 1, "Stage changed - S", "阶段状态变更 - S", BB_INFO),

    TASK(APPROVAL, PENDING, NULL, "Task approved - T", "任务审批通过 - T", BB_INFO),
    TASK(RUNNING, PENDING, NULL, "Task canceled - T", "任务取消 - T", BB_INFO),
    TASK(FAILED, PENDING, NULL, "Task changed - T", "任务状态变更 - T", BB_INFO),
    TASK(NULL, PENDING, NULL, "Task changed - T", "任务状态变更 - T", BB_INFO),
    TASK(PENDING, RUNNING, NULL, "Task started - T", "任务运行中 - T", BB_INFO),
    TASK(NULL, RUNNING, NULL, "Task started - T", "任务运行中 - T", BB_INFO),
    TASK(RUNNING, DONE, NULL, "Task completed - T", "任务完成 - T", BB_SUCCESS),
    TASK(RUNNING, DONE, "", "Task completed - T", "任务完成 - T", BB_SUCCESS),
    TASK(PENDING, DONE, "not needed", "Task skipped - T", "任务跳过 - T", BB_INFO),
    TASK(PENDING, SKIPPED, NULL, "Task skipped - T", "任务跳过 - T", BB_INFO),
    TASK(PENDING, SKIPPED, "not needed", "Task skipped - T", "任务跳过 - T", BB_INFO),
    TASK(RUNNING, FAILED, NULL, "Task failed - T", "任务失败 - T", BB_ERROR),
    TASK(RUNNING, CANCELED, NULL, "Task canceled - T", "任务取消 - T", BB_INFO),
    TASK(PENDING, APPROVAL, NULL, "Task changed - T", "任务状态变更 - T", BB_INFO),
    TASK(PENDING, "ON_HOLD", NULL, "Task changed - T", "任务状态变更 - T", BB_INFO),
    TASK(PENDING, NULL, NULL, "Task changed - T", "任务状态变更 - T", BB_INFO),
    TASK("", "", "", "Task changed - T", "任务状态变更 - T", BB_INFO),

    FIELD("assignee", "A", "B", "Reassigned issue from A to B - I", "转派 A 的工单给 B - I"),
    FIELD("assignee", NULL, "B", "Assigned issue to B - I", "给 B 指派工单 - I"),
    FIELD("assignee", "", "B", "Assigned issue to B - I", "给 B 指派工单 - I"),
    FIELD("assignee", "A", NULL, "Unassigned issue from A - I", "取消指派给 A 的工单 - I"),
    FIELD("assignee", "A", "", "Unassigned issue from A - I", "取消指派给 A 的工单 - I"),
    FIELD("assignee", "A", "A", "Updated issue - I", "工单信息变更 - I"),
    FIELD("assignee", NULL, NULL, "Updated issue - I", "工单信息变更 - I"),
    FIELD("assignee", "", "", "Updated issue - I", "工单信息变更 - I"),
    FIELD("assignee", "{b}", "{a}", "Reassigned issue from {b} to {a} - I",
          "转派 {b} 的工单给 {a} - I"),
    FIELD("assignee", "A\nline", " B ", "Reassigned issue from A to B - I",
          "转派 A 的工单给 B - I"),
    FIELD("description", "old", "new", "Changed issue description - I", "工单描述变更 - I"),
    FIELD("name", "Old", "New", "Changed issue name - New", "工单标题变更 - New"),
    FIELD("name", "Old", NULL, "Changed issue name - I", "工单标题变更 - I"),
    FIELD("priority", "1", "2", "Updated issue - I", "工单信息变更 - I"),
    FIELD("Assignee", "A", "B", "Updated issue - I", "工单信息变更 - I"),
    FIELD(NULL, "A", "B", "Updated issue - I", "工单信息变更 - I"),
    FIELD("", "", "", "Updated issue - I", "工单信息变更 - I"),
};
/* clang-format on */

/* A whole event: nothing in it is missing. */
typedef struct whole {
    bb_event event;
    bb_user creator;
    bb_project project;
    bb_issue issue;
    bb_field field;
    bb_stage stage;
    bb_task task;
} whole;

static void make_whole(whole *w, bb_activity activity) {
    *w = (whole){
        .event = BB_EVENT_INIT,
        .creator = {sizeof(bb_user), 42, "Ann", "ann@example.com"},
        .project = {sizeof(bb_project), 7, "P"},
        .issue = {.struct_size = sizeof(bb_issue),
                  .id = 101,
                  .name = "I",
                  .description = "why\nand how",
                  .status = BB_ISSUE_OPEN},
        .field = BB_FIELD_INIT,
        .stage = {.struct_size = sizeof(bb_stage), .id = 3, .name = "S"},
        .task = {.struct_size = sizeof(bb_task),
                 .id = 9,
                 .name = "T",
                 .status = "RUNNING",
                 .detail = "42 rows"},
    };
    w->event.activity = activity;
    w->event.creator = &w->creator;
    w->event.project = &w->project;
    w->event.issue = &w->issue;
    w->event.field = &w->field;
    w->event.stage = &w->stage;
    w->event.task = &w->task;
}

static void make_story(whole *w, const story *s) {
    make_whole(w, s->activity);
    w->issue.status = s->issue_status;
    w->stage.status = s->stage_status;
    w->stage.failed_tasks = s->failed_tasks;
    w->task.old_status = s->old_status;
    w->task.status = s->status;
    w->task.skipped_reason = s->skipped;
    w->field.name = s->field;
    w->field.old_value = s->was;
    w->field.new_value = s->now;
}

static struct bb_message *message_of(const bb_event *event, bb_language language) {
    static struct bb_message message;
    assert_true(bb_message_make(&message, &arena, event, language));
    return &message;
}

/* --------------------------------------------------------- title and level -- */

static void each_story_has_its_title_and_level_in_both_languages(void **state) {
    (void)state;
    whole w;
    for (size_t i = 0; i < COUNT(stories); i++) {
        make_story(&w, &stories[i]);
        const struct bb_message *m = message_of(&w.event, BB_ENGLISH);
        if (strcmp(m->title, stories[i].en) != 0 || m->level != stories[i].level)
            fail_msg("%s: \"%s\", level %d; wanted \"%s\", %d", stories[i].label, m->title,
                     (int)m->level, stories[i].en, (int)stories[i].level);
        assert_int_equal(bb_event_level(&w.event), stories[i].level);
        m = message_of(&w.event, BB_CHINESE);
        assert_string_equal(m->title, stories[i].zh);
        assert_int_equal(m->level, stories[i].level);
        assert_string_equal(message_of(&w.event, 0)->title, stories[i].en);
    }
}

/* What a story is about may be missing altogether. */
static const struct {
    bb_activity activity;
    const char *bare, *with_id;
} bare_titles[] = {
    {BB_ISSUE_CREATE, "Issue created", "Issue created - #101"},
    {BB_ISSUE_STATUS_UPDATE, "Updated issue", "Issue reopened - #101"},
    {BB_STAGE_STATUS_UPDATE, "Stage changed", "Stage changed - #3"},
    {BB_TASK_STATUS_UPDATE, "Task changed", "Task started - #9"},
    {BB_ISSUE_FIELD_UPDATE, "Updated issue", "Updated issue - #101"},
    {BB_ISSUE_COMMENT_CREATE, "Comment created", "Comment created - #101"},
};

static void an_event_of_nothing_but_its_activity_has_a_title(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(bare_titles); i++) {
        bb_event event = BB_EVENT_INIT;
        event.activity = bare_titles[i].activity;
        const struct bb_message *m = message_of(&event, BB_ENGLISH);
        assert_string_equal(m->title, bare_titles[i].bare);
        assert_int_equal(m->level, BB_INFO);
        assert_string_equal(m->description, "");
        assert_string_equal(m->link, "");
        assert_int_equal(m->fact_count, 0);
        assert_int_equal(m->mention_count, 0);
        assert_int_equal(m->cuts.count, 0);
    }
}

static void what_has_no_name_is_called_by_its_id(void **state) {
    (void)state;
    static const char *const nothing[] = {NULL,           "",         " \n\t",
                                          "\xE2\x80\x8B", "\x01\x02", "\xE2\x80\x8D"};
    whole w;
    for (size_t i = 0; i < COUNT(bare_titles); i++) {
        for (size_t n = 0; n < COUNT(nothing); n++) {
            make_whole(&w, bare_titles[i].activity);
            w.issue.name = w.stage.name = w.task.name = w.project.name = nothing[n];
            const struct bb_message *m = message_of(&w.event, BB_ENGLISH);
            assert_string_equal(m->title, bare_titles[i].with_id);
            assert_string_equal(m->facts[0].value, "#7");
            assert_string_equal(m->facts[1].value, "#101");
        }
    }
    make_whole(&w, BB_ISSUE_CREATE);
    w.issue.name = NULL;
    w.issue.id = INT64_MIN;
    assert_string_equal(message_of(&w.event, 0)->title, "Issue created - #-9223372036854775808");
    w.issue.id = 0;
    assert_string_equal(message_of(&w.event, 0)->title, "Issue created");
}

static void every_title_of_every_language_is_there_and_its_own(void **state) {
    (void)state;
    for (int i = 0; i < BB_TITLE_COUNT; i++) {
        const char *en = bb_word_title(BB_ENGLISH, (enum bb_title)i);
        const char *zh = bb_word_title(BB_CHINESE, (enum bb_title)i);
        assert_true(en && *en && zh && *zh);
        assert_string_not_equal(en, zh);
        for (const char *c = en; *c; c++)
            assert_true((unsigned char)*c < 0x80);
        assert_int_equal(strstr(en, "{a}") != NULL, strstr(zh, "{a}") != NULL);
        assert_int_equal(strstr(en, "{b}") != NULL, strstr(zh, "{b}") != NULL);
        assert_string_equal(bb_word_title(0, (enum bb_title)i), en);
    }
}

static void the_hosts_own_title_and_level_stand(void **state) {
    (void)state;
    whole w;
    for (size_t i = 0; i < COUNT(stories); i++) {
        make_story(&w, &stories[i]);
        w.event.title = "\n  Backup of \tshop\nsecond line";
        w.event.level = BB_WARN;
        const struct bb_message *m = message_of(&w.event, BB_CHINESE);
        assert_string_equal(m->title, "Backup of shop");
        assert_int_equal(m->level, BB_WARN);
    }
    w.event.title = " \n\xE2\x80\x8B"; /* nothing to see: as if none was given */
    assert_string_not_equal(message_of(&w.event, 0)->title, "");
}

/* ------------------------------------------------------------------ facts -- */

enum { ALL_FACTS = 8 };
static const char *const labels_en[ALL_FACTS] = {"Project", "Issue",  "Issue description", "Stage",
                                                 "Task",    "Status", "Result detail",     "By"};
static const char *const labels_zh[ALL_FACTS] = {"项目", "工单", "工单描述", "阶段",
                                                 "任务", "状态", "结果详情", "操作人"};
static const char *const names[ALL_FACTS] = {"project", "issue",  "issue_description", "stage",
                                             "task",    "status", "result_detail",     "by"};
static const char *const values[ALL_FACTS] = {"P", "I",    "why\nand how", "S",
                                              "T", "DONE", "42 rows",      "Ann"};

/* Leaves the facts whose bit is not set without a value, by turns missing and empty. */
static void keep_facts(whole *w, unsigned bits) {
    const char *nothing = bits & 1 ? "" : NULL;
    if (!(bits & 0x01))
        w->event.project = NULL;
    if (!(bits & 0x02))
        w->issue.name = nothing, w->issue.id = 0;
    if (!(bits & 0x04))
        w->issue.description = nothing;
    if (!(bits & 0x08))
        w->stage.name = nothing, w->stage.id = 0;
    if (!(bits & 0x10))
        w->task.name = nothing, w->task.id = 0;
    if (!(bits & 0x20))
        w->task.status = nothing;
    if (!(bits & 0x40))
        w->task.detail = nothing;
    if (!(bits & 0x80))
        w->event.creator = NULL;
}

static void facts_come_in_their_order_each_only_with_a_value(void **state) {
    (void)state;
    whole w;
    for (unsigned bits = 0; bits < 1u << ALL_FACTS; bits++) {
        make_whole(&w, BB_TASK_STATUS_UPDATE);
        w.task.status = BB_TASK_DONE;
        keep_facts(&w, bits);
        for (bb_language language = BB_ENGLISH; language <= BB_CHINESE; language++) {
            const struct bb_message *m = message_of(&w.event, language);
            size_t at = 0;
            for (unsigned i = 0; i < ALL_FACTS; i++) {
                if (!(bits & 1u << i))
                    continue;
                const struct bb_fact *fact = &m->facts[at++];
                assert_int_equal(fact->kind, i);
                assert_string_equal(fact->name, names[i]);
                assert_string_equal(fact->value, values[i]);
                assert_int_equal(fact->is_long, i == 2 || i == 6);
                assert_string_equal(fact->label,
                                    (language == BB_CHINESE ? labels_zh : labels_en)[i]);
            }
            assert_int_equal(m->fact_count, at);
        }
    }
}

static const char *fact(const struct bb_message *m, enum bb_label kind) {
    for (size_t i = 0; i < m->fact_count; i++)
        if (m->facts[i].kind == kind)
            return m->facts[i].value;
    return NULL;
}

static void the_status_is_that_of_what_the_event_is_about(void **state) {
    (void)state;
    whole w;
    make_whole(&w, BB_TASK_STATUS_UPDATE);
    w.task.status = "ON_HOLD"; /* the host's own word is shown as it is */
    assert_string_equal(fact(message_of(&w.event, 0), BB_LABEL_STATUS), "ON_HOLD");
    w.event.activity = BB_STAGE_STATUS_UPDATE;
    w.stage.status = BB_STAGE_END;
    assert_string_equal(fact(message_of(&w.event, 0), BB_LABEL_STATUS), "END");
    w.event.activity = BB_ISSUE_STATUS_UPDATE;
    w.issue.status = BB_ISSUE_CANCELED;
    assert_string_equal(fact(message_of(&w.event, 0), BB_LABEL_STATUS), "CANCELED");
    w.issue.status = 64;
    assert_null(fact(message_of(&w.event, 0), BB_LABEL_STATUS));
}

static void a_skipped_task_tells_its_reason(void **state) {
    (void)state;
    whole w;
    make_whole(&w, BB_TASK_STATUS_UPDATE);
    w.task.status = BB_TASK_DONE;
    w.task.skipped_reason = "the table\nis empty";
    assert_string_equal(fact(message_of(&w.event, 0), BB_LABEL_RESULT_DETAIL),
                        "the table\nis empty");
}

static void a_person_without_a_name_is_shown_by_email(void **state) {
    (void)state;
    whole w;
    make_whole(&w, BB_ISSUE_CREATE);
    w.creator.name = NULL;
    assert_string_equal(fact(message_of(&w.event, 0), BB_LABEL_BY), "ann@example.com");
    w.creator.name = "";
    assert_string_equal(fact(message_of(&w.event, 0), BB_LABEL_BY), "ann@example.com");
    w.creator.email = NULL;
    assert_null(fact(message_of(&w.event, 0), BB_LABEL_BY));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_story_has_its_title_and_level_in_both_languages),
        cmocka_unit_test(an_event_of_nothing_but_its_activity_has_a_title),
        cmocka_unit_test(what_has_no_name_is_called_by_its_id),
        cmocka_unit_test(every_title_of_every_language_is_there_and_its_own),
        cmocka_unit_test(the_hosts_own_title_and_level_stand),
        cmocka_unit_test(facts_come_in_their_order_each_only_with_a_value),
        cmocka_unit_test(the_status_is_that_of_what_the_event_is_about),
        cmocka_unit_test(a_skipped_task_tells_its_reason),
        cmocka_unit_test(a_person_without_a_name_is_shown_by_email),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
