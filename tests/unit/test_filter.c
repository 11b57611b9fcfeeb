/* Which webhooks an event fires: every condition, and a look-up that visits no other project. */
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

typedef struct room {
    struct bb_member member; /* first */
    bb_webhook webhook;
    int number;
} room;

/* What a look-up visits, and what of it matches. */
typedef struct visits {
    const bb_event *event;
    size_t visited;
    size_t matched;
    int64_t sum; /* of the numbers of those that match, to tell them apart */
} visits;

static void count(visits *v, const room *r) {
    v->visited++;
    if (!bb_filter_matches(&r->webhook, v->event))
        return;
    v->matched++;
    v->sum += r->number;
}

static void visit(void *user, struct bb_member *member) {
    count(user, (const room *)member);
}

static visits find(const struct bb_index *index, const bb_event *event) {
    visits v = {.event = event};
    bb_index_find(index, event, visit, &v);
    return v;
}

static bool add(struct bb_index *index, room *r) {
    return bb_index_add(index, r->webhook.project_id, &r->member);
}

static void take_out(struct bb_index *index, room *r) {
    bb_index_remove(index, r->webhook.project_id, &r->member);
}

/* Room i is of project i % PROJECTS + 1, but every GLOBAL_EVERY-th is of all. */
static room *make_rooms(void) {
    room *rooms = calloc(WEBHOOKS, sizeof(*rooms));
    assert_non_null(rooms);
    for (int i = 0; i < WEBHOOKS; i++) {
        rooms[i].webhook.project_id = i % GLOBAL_EVERY == 0 ? 0 : i % PROJECTS + 1;
        rooms[i].webhook.activities = i % 2 ? BB_TASK_STATUS_UPDATE : BB_ACTIVITY_ALL;
        rooms[i].number = i;
    }
    return rooms;
}

/* The same by looking at every one of them; "visited" are those that should be. */
static visits scan(const room *rooms, const bb_event *event) {
    visits v = {.event = event};
    for (size_t i = 0; i < WEBHOOKS; i++) {
        int64_t project = rooms[i].webhook.project_id;
        if (project == 0 || (event->project && event->project->id == project))
            count(&v, &rooms[i]);
    }
    return v;
}

static void assert_same_visits(visits found, visits expected) {
    assert_int_equal(found.visited, expected.visited);
    assert_int_equal(found.matched, expected.matched);
    assert_int_equal(found.sum, expected.sum);
}

static struct bb_index *index_of(room *rooms) {
    struct bb_index *index = bb_index_new(alloc_library());
    assert_non_null(index);
    for (size_t i = 0; i < WEBHOOKS; i++)
        assert_true(add(index, &rooms[i]));
    return index;
}

static void a_look_up_visits_only_its_project_and_those_of_all(void **state) {
    (void)state;
    happening h;
    make_failed_task(&h);
    long live = alloc_live();
    room *rooms = make_rooms();
    struct bb_index *index = index_of(rooms);
    static const int64_t projects[] = {1, 2, 1001, 5000, PROJECTS, PROJECTS + 1, -1, INT64_MAX};
    for (size_t i = 0; i < COUNT(projects); i++) {
        for (uint32_t activity = 1; activity & BB_ACTIVITY_ALL; activity <<= 1) {
            h.project.id = projects[i];
            h.event.activity = (bb_activity)activity;
            assert_same_visits(find(index, &h.event), scan(rooms, &h.event));
        }
    }
    h.event.project = NULL;
    assert_int_equal(find(index, &h.event).visited, WEBHOOKS / GLOBAL_EVERY);
    bb_index_free(index);
    free(rooms);
    assert_int_equal(alloc_live(), live);
}

static void a_webhook_is_found_once_even_in_project_0(void **state) {
    (void)state;
    happening h;
    make_failed_task(&h);
    h.project.id = 0;
    room r = {.webhook = WANTS(.activities = BB_ACTIVITY_ALL)};
    struct bb_index *index = bb_index_new(alloc_library());
    assert_true(add(index, &r));
    assert_int_equal(find(index, &h.event).visited, 1);
    bb_index_free(index);
    bb_index_free(NULL);
}

/* First, last, middle, only; and what is left is found each time. */
static void what_is_removed_is_not_found(void **state) {
    (void)state;
    static const int order[] = {0, 4, 2, 1, 3};
    happening h;
    make_failed_task(&h);
    room rooms[5];
    struct bb_index *index = bb_index_new(alloc_library());
    long empty = alloc_live();
    int64_t left = 0x1F;
    for (int i = 0; i < 5; i++) {
        rooms[i] = (room){.webhook = WANTS(.activities = BB_ACTIVITY_ALL, .project_id = 7)};
        rooms[i].number = 1 << i;
        assert_true(add(index, &rooms[i]));
    }
    assert_int_equal(find(index, &h.event).sum, left);
    for (int i = 0; i < 5; i++) {
        take_out(index, &rooms[order[i]]);
        left &= ~(int64_t)rooms[order[i]].number;
        assert_int_equal(find(index, &h.event).sum, left);
        assert_int_equal(find(index, &h.event).visited, 4 - i);
    }
    assert_int_equal(alloc_live(), empty); /* nor is anything kept of the project */
    assert_true(add(index, &rooms[2]));
    assert_int_equal(find(index, &h.event).sum, rooms[2].number);
    bb_index_free(index);
}

static void what_is_moved_is_found_where_it_is_now(void **state) {
    (void)state;
    static const int64_t places[] = {7, 8, 0, 7, 7, 8};
    happening h;
    make_failed_task(&h);
    room stays = {.webhook = WANTS(.activities = BB_ACTIVITY_ALL, .project_id = 8)};
    room moves = {.webhook = WANTS(.activities = BB_ACTIVITY_ALL, .project_id = 8)};
    struct bb_index *index = bb_index_new(alloc_library());
    assert_true(add(index, &stays));
    assert_true(add(index, &moves));
    for (size_t i = 0; i < COUNT(places); i++) {
        assert_true(bb_index_move(index, moves.webhook.project_id, places[i], &moves.member));
        moves.webhook.project_id = places[i];
        h.project.id = 7;
        assert_int_equal(find(index, &h.event).visited, places[i] != 8);
        h.project.id = 8;
        assert_int_equal(find(index, &h.event).visited, 1 + (places[i] != 7));
    }
    bb_index_free(index);
}

/* Adds the room to the project, or moves it there: fails the 1st allocation, the 2nd ... until it
 * is done; each time before that, nothing has changed. Returns how often it failed. */
static size_t put_at_last(struct bb_index *index, room *r, int64_t project, bool is_move) {
    happening h;
    make_failed_task(&h);
    int64_t from = r->webhook.project_id;
    long live = alloc_live();
    for (size_t nth = 1;; nth++) {
        alloc_begin(nth, 0);
        bool done = is_move ? bb_index_move(index, from, project, &r->member)
                            : bb_index_add(index, project, &r->member);
        alloc_end();
        h.project.id = project;
        assert_int_equal(find(index, &h.event).visited, done);
        h.project.id = from;
        assert_int_equal(find(index, &h.event).visited, is_move && !done);
        r->webhook.project_id = project;
        if (done)
            return nth - 1;
        assert_int_equal(alloc_live(), live);
    }
}

/* Enough projects that the table has to grow. */
static void without_memory_nothing_is_added_or_moved(void **state) {
    (void)state;
    enum { MANY = 2000 };
    static room rooms[MANY];
    struct bb_index *index = bb_index_new(alloc_library());
    size_t failures = 0;
    for (int i = 0; i < MANY; i++) {
        rooms[i].webhook.activities = BB_ACTIVITY_ALL;
        failures += put_at_last(index, &rooms[i], 2 * i + 1, false);
        failures += put_at_last(index, &rooms[i], 2 * i + 2, true);
    }
    assert_true(failures > 2 * MANY); /* the table did grow */
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
        cmocka_unit_test(a_look_up_visits_only_its_project_and_those_of_all),
        cmocka_unit_test(a_webhook_is_found_once_even_in_project_0),
        cmocka_unit_test(what_is_removed_is_not_found),
        cmocka_unit_test(what_is_moved_is_found_where_it_is_now),
        cmocka_unit_test(without_memory_nothing_is_added_or_moved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
