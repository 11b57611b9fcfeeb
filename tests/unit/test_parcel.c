/* An event at rest: a copy of all of it, in one block, independent of the original. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event/parcel.h"
#include "support/alloc.h"

enum { MENTIONS = 3, TEXT_SIZE = 24, TEXTS = 19 + 8 * MENTIONS };

/* An event in which every field is set, each to something else. Its texts are writable. */
struct full {
    struct bb_event_view view;
    bb_mention mentions[MENTIONS];
    const bb_mention *pointers[MENTIONS];
    char texts[TEXTS][TEXT_SIZE];
    size_t used;
};

static const char *text(struct full *full) {
    assert_true(full->used < TEXTS);
    char *out = full->texts[full->used++];
    snprintf(out, TEXT_SIZE, "text number %zu", full->used);
    return out;
}

static void fill_people(struct full *full) {
    for (int i = 0; i < MENTIONS; i++) {
        full->pointers[i] = &full->mentions[i];
        full->mentions[i] = (bb_mention){
            .struct_size = sizeof(bb_mention),
            .name = text(full),
            .slack = text(full),
            .discord = text(full),
            .teams = text(full),
            .dingtalk = text(full),
            .phone = text(full),
            .feishu = text(full),
            .wecom = text(full),
            .everyone = 100 + i,
        };
    }
    full->view.event.mentions = full->pointers;
    full->view.event.mention_count = MENTIONS;
}

static void fill_parts(struct full *full) {
    struct bb_event_view *v = &full->view;
    v->creator = (bb_user){sizeof v->creator, 11, text(full), text(full)};
    v->issue =
        (bb_issue){sizeof v->issue, 12, text(full), text(full), text(full), BB_ISSUE_DONE, 0};
    v->project = (bb_project){sizeof v->project, 13, text(full)};
    v->field = (bb_field){sizeof v->field, text(full), text(full), text(full)};
    v->stage = (bb_stage){sizeof v->stage, 14, text(full), 15, BB_STAGE_END, 0};
    v->task = (bb_task){sizeof v->task, 16, text(full), text(full), text(full), text(full), NULL};
    v->task.skipped_reason = v->task.detail; /* one text in two places */
    v->event.creator = &v->creator;
    v->event.issue = &v->issue;
    v->event.project = &v->project;
    v->event.field = &v->field;
    v->event.stage = &v->stage;
    v->event.task = &v->task;
}

static bb_event *fill(struct full *full) {
    memset(full, 0, sizeof *full);
    full->view.event = (bb_event){
        .struct_size = sizeof(bb_event),
        .id = text(full),
        .activity = BB_TASK_STATUS_UPDATE,
        .level = BB_WARN,
        .title = text(full),
        .description = text(full),
        .link = text(full),
        .comment = text(full),
        .created_ts = INT64_MIN,
    };
    fill_parts(full);
    fill_people(full);
    return &full->view.event;
}

/* ---- comparing ---- */

/* The same text, in the parcel's own block. */
static void same_text(const struct bb_parcel *parcel, const char *copy, const char *original) {
    if (!original) {
        assert_null(copy);
        return;
    }
    assert_string_equal(copy, original);
    assert_true(copy > (const char *)parcel);
    assert_true(copy + strlen(copy) < (const char *)parcel + parcel->size);
}

static void in_block(const struct bb_parcel *parcel, const void *part, size_t size) {
    assert_non_null(part);
    assert_int_equal((uintptr_t)part % alignof(max_align_t), 0);
    assert_true((const char *)part >= (const char *)(parcel + 1));
    assert_true((const char *)part + size <= (const char *)parcel + parcel->size);
}

#define SAME_TEXT(member) same_text(parcel, copy->member, original->member)

static void same_event(const struct bb_parcel *parcel, const bb_event *copy,
                       const bb_event *original) {
    in_block(parcel, copy, sizeof *copy);
    assert_int_equal(copy->struct_size, original->struct_size);
    assert_int_equal(copy->activity, original->activity);
    assert_int_equal(copy->level, original->level);
    assert_true(copy->created_ts == original->created_ts);
    assert_int_equal(copy->mention_count, original->mention_count);
    SAME_TEXT(id);
    SAME_TEXT(title);
    SAME_TEXT(description);
    SAME_TEXT(link);
    SAME_TEXT(comment);
}

static void same_issue(const struct bb_parcel *parcel, const bb_issue *copy,
                       const bb_issue *original) {
    in_block(parcel, copy, sizeof *copy);
    assert_int_equal(copy->struct_size, original->struct_size);
    assert_int_equal(copy->id, original->id);
    assert_int_equal(copy->status, original->status);
    SAME_TEXT(name);
    SAME_TEXT(type);
    SAME_TEXT(description);
}

static void same_creator(const struct bb_parcel *parcel, const bb_user *copy,
                         const bb_user *original) {
    in_block(parcel, copy, sizeof *copy);
    assert_int_equal(copy->id, original->id);
    SAME_TEXT(name);
    SAME_TEXT(email);
}

static void same_project(const struct bb_parcel *parcel, const bb_project *copy,
                         const bb_project *original) {
    in_block(parcel, copy, sizeof *copy);
    assert_int_equal(copy->id, original->id);
    SAME_TEXT(name);
}

static void same_field(const struct bb_parcel *parcel, const bb_field *copy,
                       const bb_field *original) {
    in_block(parcel, copy, sizeof *copy);
    SAME_TEXT(name);
    SAME_TEXT(old_value);
    SAME_TEXT(new_value);
}

static void same_stage(const struct bb_parcel *parcel, const bb_stage *copy,
                       const bb_stage *original) {
    in_block(parcel, copy, sizeof *copy);
    assert_int_equal(copy->id, original->id);
    assert_int_equal(copy->failed_tasks, original->failed_tasks);
    assert_int_equal(copy->status, original->status);
    SAME_TEXT(name);
}

static void same_task(const struct bb_parcel *parcel, const bb_task *copy,
                      const bb_task *original) {
    in_block(parcel, copy, sizeof *copy);
    assert_int_equal(copy->id, original->id);
    SAME_TEXT(name);
    SAME_TEXT(old_status);
    SAME_TEXT(status);
    SAME_TEXT(detail);
    SAME_TEXT(skipped_reason);
}

static void same_mention(const struct bb_parcel *parcel, const bb_mention *copy,
                         const bb_mention *original) {
    in_block(parcel, copy, sizeof *copy);
    assert_int_equal(copy->struct_size, original->struct_size);
    assert_int_equal(copy->everyone, original->everyone);
    SAME_TEXT(name);
    SAME_TEXT(slack);
    SAME_TEXT(discord);
    SAME_TEXT(teams);
    SAME_TEXT(dingtalk);
    SAME_TEXT(phone);
    SAME_TEXT(feishu);
    SAME_TEXT(wecom);
}

static void same(const struct bb_parcel *parcel, const bb_event *original) {
    const bb_event *copy = parcel->event;
    same_event(parcel, copy, original);
    same_creator(parcel, copy->creator, original->creator);
    same_issue(parcel, copy->issue, original->issue);
    same_project(parcel, copy->project, original->project);
    same_field(parcel, copy->field, original->field);
    same_stage(parcel, copy->stage, original->stage);
    same_task(parcel, copy->task, original->task);
    for (size_t i = 0; i < original->mention_count; i++)
        same_mention(parcel, copy->mentions[i], original->mentions[i]);
}

/* ---- tests ---- */

static struct bb_parcel *make(const bb_event *event) {
    struct bb_parcel *parcel = bb_parcel_new(alloc_library(), event);
    assert_non_null(parcel);
    return parcel;
}

static void every_field_of_every_struct_is_copied(void **state) {
    (void)state;
    struct full full;
    const bb_event *event = fill(&full);
    struct bb_parcel *parcel = make(event);
    same(parcel, event);
    assert_null(parcel->batch);
    assert_int_equal(parcel->rows, 0);
    bb_parcel_release(parcel);
}

/* So that a field that is added to a struct is not forgotten here and there. */
static void no_struct_has_grown_unseen(void **state) {
    (void)state;
    assert_int_equal(sizeof(bb_event), 128);
    assert_int_equal(sizeof(bb_user), 32);
    assert_int_equal(sizeof(bb_issue), 48);
    assert_int_equal(sizeof(bb_project), 24);
    assert_int_equal(sizeof(bb_field), 32);
    assert_int_equal(sizeof(bb_stage), 40);
    assert_int_equal(sizeof(bb_task), 56);
    assert_int_equal(sizeof(bb_mention), 80);
}

static void the_copy_outlives_the_original(void **state) {
    (void)state;
    struct full expected, *full = malloc(sizeof *full);
    assert_non_null(full);
    struct bb_parcel *parcel = make(fill(full));
    memset(full, 0xEE, sizeof *full);
    free(full);
    same(parcel, fill(&expected));
    bb_parcel_release(parcel);
}

static void what_is_missing_stays_missing(void **state) {
    (void)state;
    bb_event event = BB_EVENT_INIT;
    event.activity = BB_ISSUE_CREATE;
    struct bb_parcel *parcel = make(&event);
    const bb_event *copy = parcel->event;
    same_event(parcel, copy, &event);
    assert_null(copy->creator);
    assert_null(copy->issue);
    assert_null(copy->project);
    assert_null(copy->field);
    assert_null(copy->stage);
    assert_null(copy->task);
    assert_null(copy->mentions);
    bb_parcel_release(parcel);
}

static void parts_without_texts_are_copied(void **state) {
    (void)state;
    bb_mention nobody = BB_MENTION_INIT;
    const bb_mention *mentions[] = {&nobody};
    bb_task task = BB_TASK_INIT;
    bb_event event = BB_EVENT_INIT;
    task.id = 7;
    event.task = &task;
    event.mentions = mentions;
    event.mention_count = 1;
    struct bb_parcel *parcel = make(&event);
    same_task(parcel, parcel->event->task, &task);
    same_mention(parcel, parcel->event->mentions[0], &nobody);
    bb_parcel_release(parcel);
}

static void each_part_alone_is_copied(void **state) {
    (void)state;
    struct full full;
    for (int part = 0; part < 6; part++) {
        bb_event event = *fill(&full);
        event.creator = part == 0 ? event.creator : NULL;
        event.issue = part == 1 ? event.issue : NULL;
        event.project = part == 2 ? event.project : NULL;
        event.field = part == 3 ? event.field : NULL;
        event.stage = part == 4 ? event.stage : NULL;
        event.task = part == 5 ? event.task : NULL;
        struct bb_parcel *parcel = make(&event);
        const bb_event *copy = parcel->event;
        same_event(parcel, copy, &event);
        assert_int_equal(copy->creator != NULL, part == 0);
        assert_int_equal(copy->issue != NULL, part == 1);
        assert_int_equal(copy->project != NULL, part == 2);
        assert_int_equal(copy->field != NULL, part == 3);
        assert_int_equal(copy->stage != NULL, part == 4);
        assert_int_equal(copy->task != NULL, part == 5);
        bb_parcel_release(parcel);
    }
}

static void texts_are_cut_where_nobody_looks_any_more(void **state) {
    (void)state;
    char *longest = malloc(BB_TEXT_MAX + 100);
    assert_non_null(longest);
    for (int more = -1; more < 2; more++) {
        size_t length = (size_t)(BB_TEXT_MAX + more);
        memset(longest, 'x', length);
        longest[length] = '\0';
        bb_event event = BB_EVENT_INIT;
        event.id = "after";
        event.description = longest;
        struct bb_parcel *parcel = make(&event);
        assert_int_equal(strlen(parcel->event->description), more > 0 ? BB_TEXT_MAX : length);
        assert_string_equal(parcel->event->id, "after");
        bb_parcel_release(parcel);
    }
    free(longest);
}

static void any_length_of_text_keeps_its_neighbours(void **state) {
    (void)state;
    char name[40] = "";
    for (size_t i = 0; i < sizeof name - 1; i++) {
        bb_user user = BB_USER_INIT;
        bb_project project = BB_PROJECT_INIT;
        bb_event event = BB_EVENT_INIT;
        event.id = user.name = name;
        user.email = project.name = "n";
        event.creator = &user;
        event.project = &project;
        struct bb_parcel *parcel = make(&event);
        same_event(parcel, parcel->event, &event);
        same_creator(parcel, parcel->event->creator, &user);
        same_project(parcel, parcel->event->project, &project);
        bb_parcel_release(parcel);
        name[i] = 'a';
        name[i + 1] = '\0';
    }
}

static void it_is_one_block_and_its_size_is_known(void **state) {
    (void)state;
    struct full full;
    const bb_event *event = fill(&full);
    long before = alloc_live();
    alloc_begin(0, 0);
    struct bb_parcel *parcel = make(event);
    assert_int_equal(alloc_end(), 1);
    assert_int_equal(alloc_bytes(), parcel->size);
    assert_int_equal(alloc_live(), before + 1);
    bb_parcel_release(parcel);
    assert_int_equal(alloc_live(), before);
}

static void without_memory_there_is_none(void **state) {
    (void)state;
    struct full full;
    const bb_event *event = fill(&full);
    alloc_begin(1, 0);
    assert_null(bb_parcel_new(alloc_library(), event));
    alloc_end();
}

static void the_last_reference_frees_it(void **state) {
    (void)state;
    bb_event event = BB_EVENT_INIT;
    long before = alloc_live();
    struct bb_parcel *parcel = make(&event);
    assert_ptr_equal(bb_parcel_retain(parcel), parcel);
    bb_parcel_release(parcel);
    assert_int_equal(alloc_live(), before + 1);
    bb_parcel_release(parcel);
    assert_int_equal(alloc_live(), before);
    bb_parcel_release(NULL);
}

/* ---- JSON ---- */

static struct bb_parcel *make_of(const char *json) {
    struct bb_parcel *parcel = bb_parcel_of_json(alloc_library(), 7, json, strlen(json));
    assert_non_null(parcel);
    assert_null(parcel->event);
    return parcel;
}

static void json_is_read_by_the_first_who_needs_the_event(void **state) {
    (void)state;
    char json[] = "{\"id\":\"own\",\"activity_type\":\"bb.issue.create\",\"comment\":\"c\"}";
    long before = alloc_live();
    struct bb_parcel *parcel = make_of(json);
    memset(json, 'x', sizeof json - 1);
    const bb_event *event = bb_parcel_open(parcel, NULL);
    assert_non_null(event);
    assert_string_equal(event->id, "own");
    assert_string_equal(event->comment, "c");
    assert_int_equal(event->activity, BB_ISSUE_CREATE);
    assert_ptr_equal(bb_parcel_open(parcel, NULL), event);
    assert_ptr_equal(parcel->event, event);
    bb_parcel_release(parcel);
    assert_int_equal(alloc_live(), before);
}

static void an_event_without_an_id_has_one_of_its_number(void **state) {
    (void)state;
    struct bb_parcel *parcel = make_of("{\"id\":\"\",\"activity_type\":\"bb.issue.create\"}");
    assert_string_equal(bb_parcel_open(parcel, NULL)->id, "evt_sql_7");
    bb_parcel_release(parcel);
}

static void json_that_is_no_event_says_so_each_time(void **state) {
    static const char *const texts[] = {"", "nonsense", "{}", "[1]"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct bb_parcel *parcel = make_of(texts[i]);
        for (int time = 0; time < 2; time++) {
            bb_error error = BB_ERROR_INIT;
            assert_null(bb_parcel_open(parcel, &error));
            assert_int_equal(error.code, BB_ERR_EVENT);
        }
        bb_parcel_release(parcel);
    }
}

static void json_that_finds_no_memory_is_read_later(void **state) {
    (void)state;
    struct bb_parcel *parcel = make_of("{\"activity_type\":\"bb.issue.create\"}");
    bb_error error = BB_ERROR_INIT;
    alloc_begin(1, 1);
    assert_null(bb_parcel_open(parcel, &error));
    alloc_end();
    assert_int_equal(error.code, BB_ERR_NO_MEMORY);
    assert_non_null(bb_parcel_open(parcel, NULL));
    bb_parcel_release(parcel);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_of_every_struct_is_copied),
        cmocka_unit_test(no_struct_has_grown_unseen),
        cmocka_unit_test(the_copy_outlives_the_original),
        cmocka_unit_test(what_is_missing_stays_missing),
        cmocka_unit_test(parts_without_texts_are_copied),
        cmocka_unit_test(each_part_alone_is_copied),
        cmocka_unit_test(texts_are_cut_where_nobody_looks_any_more),
        cmocka_unit_test(any_length_of_text_keeps_its_neighbours),
        cmocka_unit_test(it_is_one_block_and_its_size_is_known),
        cmocka_unit_test(without_memory_there_is_none),
        cmocka_unit_test(the_last_reference_frees_it),
        cmocka_unit_test(json_is_read_by_the_first_who_needs_the_event),
        cmocka_unit_test(an_event_without_an_id_has_one_of_its_number),
        cmocka_unit_test(json_that_is_no_event_says_so_each_time),
        cmocka_unit_test(json_that_finds_no_memory_is_read_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
