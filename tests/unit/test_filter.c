/* Which webhooks an event fires: every condition, and a look-up that visits only what it finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "event/filter.h"
#include "support/alloc.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---------------------------------------------------------------- decision -- */

static const char *const two_types[] = {"schema", "data"};

typedef struct condition {
    const char *what;
    bb_webhook webhook;
    int matches;
} condition;

/* The event of most rows: a task failed (ERROR) in an issue of project 7, OPEN, type "schema". */
#define WANTS(...)                                                                                 \
    { .struct_size = sizeof(bb_webhook), __VA_ARGS__ }
static const condition conditions[] = {
    {"its activity", WANTS(.activities = BB_TASK_STATUS_UPDATE), 1},
    {"every activity", WANTS(.activities = BB_ACTIVITY_ALL), 1},
    {"no activity", WANTS(.activities = 0), 0},
    {"another activity", WANTS(.activities = BB_ISSUE_CREATE), 0},
    {"all but its activity",
     WANTS(.activities = BB_ACTIVITY_ALL & ~(uint32_t)BB_TASK_STATUS_UPDATE), 0},
    {"its project", WANTS(.activities = BB_ACTIVITY_ALL, .project_id = 7), 1},
    {"another project", WANTS(.activities = BB_ACTIVITY_ALL, .project_id = 8), 0},
    {"a negative project", WANTS(.activities = BB_ACTIVITY_ALL, .project_id = -7), 0},
    {"its project, disabled", WANTS(.activities = BB_ACTIVITY_ALL, .project_id = 7, .disabled = 1),
     0},
    {"disabled", WANTS(.activities = BB_ACTIVITY_ALL, .disabled = -1), 0},
    {"any level", WANTS(.activities = BB_ACTIVITY_ALL, .min_level = BB_INFO), 1},
    {"its level", WANTS(.activities = BB_ACTIVITY_ALL, .min_level = BB_ERROR), 1},
    {"its status", WANTS(.activities = BB_ACTIVITY_ALL, .issue_statuses = BB_ISSUE_OPEN), 1},
    {"its status or another",
     WANTS(.activities = BB_ACTIVITY_ALL, .issue_statuses = BB_ISSUE_OPEN | BB_ISSUE_DONE), 1},
    {"other statuses",
     WANTS(.activities = BB_ACTIVITY_ALL, .issue_statuses = BB_ISSUE_CANCELED | BB_ISSUE_DONE), 0},
    {"its type",
     WANTS(.activities = BB_ACTIVITY_ALL, .issue_types = two_types, .issue_type_count = 2), 1},
    {"another type",
     WANTS(.activities = BB_ACTIVITY_ALL, .issue_types = two_types + 1, .issue_type_count = 1), 0},
    {"everything of it",
     WANTS(.activities = BB_TASK_STATUS_UPDATE, .project_id = 7, .min_level = BB_WARN,
           .issue_statuses = BB_ISSUE_OPEN, .issue_types = two_types, .issue_type_count = 1),
     1},
};

typedef struct happening {
    bb_event event;
    bb_issue issue;
    bb_project project;
    bb_task task;
} happening;

static void make_failed_task(happening *h) {
    *h = (happening){.event = BB_EVENT_INIT,
                     .issue = BB_ISSUE_INIT,
                     .project = BB_PROJECT_INIT,
                     .task = BB_TASK_INIT};
    h->event.activity = BB_TASK_STATUS_UPDATE;
    h->event.issue = &h->issue;
    h->event.project = &h->project;
    h->event.task = &h->task;
    h->issue.status = BB_ISSUE_OPEN;
    h->issue.type = "schema";
    h->project.id = 7;
    h->task.status = BB_TASK_FAILED;
}

/* Both the internal word and the public one. */
static void assert_matches(const bb_webhook *webhook, const bb_event *event, int expected,
                           const char *what) {
    bb_webhook named = *webhook;
    bb_error error = BB_ERROR_INIT;
    named.name = "n";
    named.type = BB_SLACK;
    if (bb_filter_matches(webhook, event) != expected ||
        bb_webhook_matches(&named, event, &error) != expected)
        fail_msg("%s: wanted %d %s", what, expected, error.text);
}

static void every_condition_counts(void **state) {
    (void)state;
    happening h;
    make_failed_task(&h);
    for (size_t i = 0; i < COUNT(conditions); i++)
        assert_matches(&conditions[i].webhook, &h.event, conditions[i].matches, conditions[i].what);
}

static void the_level_is_the_one_that_will_be_shown(void **state) {
    (void)state;
    static const struct {
        const char *task_status;
        bb_level given, level;
    } levels[] = {{BB_TASK_FAILED, 0, BB_ERROR},      {BB_TASK_DONE, 0, BB_SUCCESS},
                  {BB_TASK_RUNNING, 0, BB_INFO},      {BB_TASK_RUNNING, BB_WARN, BB_WARN},
                  {BB_TASK_FAILED, BB_INFO, BB_INFO}, {NULL, BB_ERROR, BB_ERROR}};
    happening h;
    make_failed_task(&h);
    for (size_t i = 0; i < COUNT(levels); i++) {
        h.task.status = levels[i].task_status;
        h.event.level = levels[i].given;
        for (bb_level least = 0; least <= BB_ERROR; least++) {
            bb_webhook webhook = WANTS(.activities = BB_ACTIVITY_ALL, .min_level = least);
            assert_matches(&webhook, &h.event, levels[i].level >= least, "level");
        }
    }
}

static void what_the_event_lacks_meets_no_condition(void **state) {
    (void)state;
    happening h;
    make_failed_task(&h);
    bb_webhook any = WANTS(.activities = BB_ACTIVITY_ALL);
    bb_webhook project = WANTS(.activities = BB_ACTIVITY_ALL, .project_id = 7);
    bb_webhook status = WANTS(.activities = BB_ACTIVITY_ALL, .issue_statuses = 7);
    bb_webhook type =
        WANTS(.activities = BB_ACTIVITY_ALL, .issue_types = two_types, .issue_type_count = 2);
    h.issue.type = NULL;
    h.issue.status = 0;
    assert_matches(&type, &h.event, 0, "type of an issue without one");
    assert_matches(&status, &h.event, 0, "status of an issue without one");
    h.event.issue = NULL;
    h.event.project = NULL;
    assert_matches(&any, &h.event, 1, "anything");
    assert_matches(&project, &h.event, 0, "project");
    assert_matches(&status, &h.event, 0, "status without an issue");
    assert_matches(&type, &h.event, 0, "type without an issue");
    h.event.project = &h.project;
    h.project.id = 0;
    assert_matches(&any, &h.event, 1, "anything, project 0");
    assert_matches(&project, &h.event, 0, "project, project 0");
}

static void a_mistake_is_an_error_and_no_answer(void **state) {
    (void)state;
    happening h;
    make_failed_task(&h);
    bb_webhook webhook = WANTS(.name = "ops", .type = BB_SLACK, .activities = 0x40);
    bb_error error = BB_ERROR_INIT;
    assert_int_equal(bb_webhook_matches(&webhook, &h.event, &error), BB_ERR_WEBHOOK);
    assert_non_null(strstr(error.text, "ops"));
    assert_non_null(strstr(error.text, "activities"));
    webhook.activities = BB_ACTIVITY_ALL;
    h.event.activity = 0;
    assert_int_equal(bb_webhook_matches(&webhook, &h.event, &error), BB_ERR_EVENT);
    assert_int_equal(bb_webhook_matches(&webhook, NULL, &error), BB_ERR_ARGUMENT);
    assert_int_equal(bb_webhook_matches(NULL, &h.event, &error), BB_ERR_ARGUMENT);
}

/* ------------------------------------------------------------------- index -- */

enum { WEBHOOKS = 100000, PROJECTS = 10000, GLOBAL_EVERY = 1000 };

/* What a look-up visits, and what of it matches. */
typedef struct visits {
    const bb_event *event;
    size_t visited;
    size_t matched;
    int64_t sum; /* of the entries' numbers, to tell them apart */
} visits;

static void visit(void *user, void *entry) {
    visits *v = user;
    const bb_webhook *webhook = entry;
    v->visited++;
    v->matched += bb_filter_matches(webhook, v->event);
    v->sum += webhook->dingtalk_action_card;
}

static visits find(const struct bb_index *index, const bb_event *event) {
    visits v = {.event = event};
    bb_index_find(index, event, visit, &v);
    return v;
}

/* Webhook i is of project i % PROJECTS + 1, but every GLOBAL_EVERY-th is of all. */
static bb_webhook *make_webhooks(void) {
    bb_webhook *webhooks = calloc(WEBHOOKS, sizeof(*webhooks));
    assert_non_null(webhooks);
    for (int i = 0; i < WEBHOOKS; i++) {
        webhooks[i].project_id = i % GLOBAL_EVERY == 0 ? 0 : i % PROJECTS + 1;
        webhooks[i].activities = i % 2 ? BB_TASK_STATUS_UPDATE : BB_ACTIVITY_ALL;
        webhooks[i].dingtalk_action_card = i;
    }
    return webhooks;
}

/* The same by looking at every one of them. */
static visits scan(const bb_webhook *webhooks, const bb_event *event) {
    visits v = {.event = event};
    for (size_t i = 0; i < WEBHOOKS; i++) {
        if (!bb_filter_matches(&webhooks[i], event))
            continue;
        v.matched++;
        v.sum += webhooks[i].dingtalk_action_card;
    }
    return v;
}

static struct bb_index *index_of(bb_webhook *webhooks) {
    struct bb_index *index = bb_index_new(alloc_library());
    assert_non_null(index);
    for (size_t i = 0; i < WEBHOOKS; i++)
        assert_true(bb_index_add(index, &webhooks[i], &webhooks[i]));
    return index;
}

static void a_look_up_visits_only_what_it_finds(void **state) {
    (void)state;
    happening h;
    make_failed_task(&h);
    long live = alloc_live();
    bb_webhook *webhooks = make_webhooks();
    struct bb_index *index = index_of(webhooks);
    static const int64_t projects[] = {1, 2, 1001, 5000, PROJECTS, PROJECTS + 1, -1, INT64_MAX};
    for (size_t i = 0; i < COUNT(projects); i++) {
        for (uint32_t activity = 1; activity & BB_ACTIVITY_ALL; activity <<= 1) {
            h.project.id = projects[i];
            h.event.activity = (bb_activity)activity;
            visits found = find(index, &h.event), expected = scan(webhooks, &h.event);
            assert_int_equal(found.visited, expected.matched);
            assert_int_equal(found.matched, expected.matched);
            assert_int_equal(found.sum, expected.sum);
        }
    }
    h.event.project = NULL;
    assert_int_equal(find(index, &h.event).visited, WEBHOOKS / GLOBAL_EVERY);
    bb_index_free(index);
    free(webhooks);
    assert_int_equal(alloc_live(), live);
}

static void a_webhook_is_found_once_even_in_project_0(void **state) {
    (void)state;
    happening h;
    make_failed_task(&h);
    h.project.id = 0;
    bb_webhook webhook = WANTS(.activities = BB_ACTIVITY_ALL);
    struct bb_index *index = bb_index_new(alloc_library());
    assert_true(bb_index_add(index, &webhook, &webhook));
    assert_int_equal(find(index, &h.event).visited, 1);
    bb_index_free(index);
    bb_index_free(NULL);
}

static void what_is_removed_or_disabled_is_not_found(void **state) {
    (void)state;
    happening h;
    make_failed_task(&h);
    bb_webhook hooks[5];
    struct bb_index *index = bb_index_new(alloc_library());
    for (int i = 0; i < 5; i++) {
        hooks[i] = (bb_webhook)WANTS(.activities = BB_ACTIVITY_ALL, .project_id = 7,
                                     .disabled = i == 3, .dingtalk_action_card = 1 << i);
        assert_true(bb_index_add(index, &hooks[i], &hooks[i]));
    }
    assert_int_equal(find(index, &h.event).sum, 0x17);
    bb_index_remove(index, &hooks[3], &hooks[3]); /* was never there */
    bb_index_remove(index, &hooks[1], &hooks[1]);
    assert_int_equal(find(index, &h.event).sum, 0x15);
    bb_index_remove(index, &hooks[1], &hooks[1]); /* is there no more */
    assert_int_equal(find(index, &h.event).sum, 0x15);
    bb_index_remove(index, &hooks[0], &hooks[0]);
    bb_index_remove(index, &hooks[2], &hooks[2]);
    bb_index_remove(index, &hooks[4], &hooks[4]);
    assert_int_equal(find(index, &h.event).visited, 0);
    bb_index_free(index);
}

/* A failed addition leaves nothing of the webhook under any activity. */
static void without_memory_nothing_is_added(void **state) {
    (void)state;
    happening h;
    make_failed_task(&h);
    bb_webhook webhook = WANTS(.activities = BB_ACTIVITY_ALL, .project_id = 7);
    struct bb_index *index = bb_index_new(alloc_library());
    long live = alloc_live();
    for (size_t nth = 1;; nth++) {
        alloc_begin(nth, 0);
        bool added = bb_index_add(index, &webhook, &webhook);
        alloc_end();
        if (added)
            break;
        assert_int_equal(alloc_live(), live);
        for (uint32_t activity = 1; activity & BB_ACTIVITY_ALL; activity <<= 1) {
            h.event.activity = (bb_activity)activity;
            assert_int_equal(find(index, &h.event).visited, 0);
        }
    }
    bb_index_free(index);
    alloc_begin(1, 0);
    assert_null(bb_index_new(alloc_library()));
    alloc_end();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_condition_counts),
        cmocka_unit_test(the_level_is_the_one_that_will_be_shown),
        cmocka_unit_test(what_the_event_lacks_meets_no_condition),
        cmocka_unit_test(a_mistake_is_an_error_and_no_answer),
        cmocka_unit_test(a_look_up_visits_only_what_it_finds),
        cmocka_unit_test(a_webhook_is_found_once_even_in_project_0),
        cmocka_unit_test(what_is_removed_or_disabled_is_not_found),
        cmocka_unit_test(without_memory_nothing_is_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
