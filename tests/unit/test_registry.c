/* The webhooks of a dispatcher: added, replaced, removed, listed, and found for an event. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/registry.h"
#include "support/alloc.h"

#define URL "https://hooks.slack.com/services/T0/B0/abcdefghijkl"

static bb_dispatcher *dispatcher;

static int open_dispatcher(void **state) {
    (void)state;
    bb_options options = BB_OPTIONS_INIT;
    options.allocator = alloc_library();
    return bb_dispatcher_new(&options, &dispatcher, NULL);
}

static int close_dispatcher(void **state) {
    (void)state;
    bb_dispatcher_free(dispatcher);
    return 0;
}

static bb_webhook hook_of(const char *id) {
    bb_webhook hook = BB_WEBHOOK_INIT;
    hook.id = id;
    hook.name = id;
    hook.type = BB_SLACK;
    hook.url = URL;
    hook.activities = BB_ACTIVITY_ALL;
    return hook;
}

static int add(const char *id) {
    bb_webhook hook = hook_of(id);
    return bb_dispatcher_add(dispatcher, &hook, NULL);
}

/* The ids in their order, each followed by a blank. */
static int append_id(void *user, const bb_webhook *webhook) {
    strcat(strcat(user, webhook->id), " ");
    return 0;
}

static const char *listed(void) {
    static char ids[4096];
    ids[0] = '\0';
    assert_int_equal(bb_dispatcher_list(dispatcher, append_id, ids, NULL), BB_OK);
    return ids;
}

/* ------------------------------------------------------------------ changes -- */

static void webhooks_are_listed_in_the_order_of_their_coming(void **state) {
    (void)state;
    assert_string_equal(listed(), "");
    assert_int_equal(bb_dispatcher_count(dispatcher), 0);
    assert_int_equal(add("c"), BB_OK);
    assert_int_equal(add("a"), BB_OK);
    assert_int_equal(add("b"), BB_OK);
    assert_string_equal(listed(), "c a b ");
    bb_webhook replaced = hook_of("a");
    replaced.type = BB_CUSTOM;
    assert_int_equal(bb_dispatcher_replace(dispatcher, &replaced, NULL), BB_OK);
    assert_string_equal(listed(), "c a b "); /* it keeps its place */
    assert_int_equal(bb_dispatcher_remove(dispatcher, "c", NULL), BB_OK);
    assert_int_equal(add("c"), BB_OK);
    assert_string_equal(listed(), "a b c ");
    assert_int_equal(bb_dispatcher_count(dispatcher), 3);
}

static void an_id_is_there_once(void **state) {
    (void)state;
    bb_error error = BB_ERROR_INIT;
    bb_webhook hook = hook_of("ops");
    assert_int_equal(bb_dispatcher_replace(dispatcher, &hook, &error), BB_ERR_NOT_FOUND);
    assert_non_null(strstr(error.text, "ops"));
    assert_int_equal(bb_dispatcher_add(dispatcher, &hook, NULL), BB_OK);
    assert_int_equal(bb_dispatcher_add(dispatcher, &hook, &error), BB_ERR_EXISTS);
    assert_int_equal(error.code, BB_ERR_EXISTS);
    assert_non_null(strstr(error.text, "ops"));
    hook.id = NULL; /* the name serves as id */
    assert_int_equal(bb_dispatcher_add(dispatcher, &hook, NULL), BB_ERR_EXISTS);
    hook.id = "";
    assert_int_equal(bb_dispatcher_add(dispatcher, &hook, NULL), BB_ERR_EXISTS);
    hook.id = "Ops";
    assert_int_equal(bb_dispatcher_add(dispatcher, &hook, NULL), BB_OK);
    assert_int_equal(bb_dispatcher_remove(dispatcher, "ops", NULL), BB_OK);
    assert_int_equal(bb_dispatcher_remove(dispatcher, "ops", &error), BB_ERR_NOT_FOUND);
    assert_string_equal(listed(), "Ops ");
}

static void what_is_kept_is_a_copy(void **state) {
    (void)state;
    char id[] = "id", name[] = "name", url[] = URL, keyword[] = "word", button[] = "open";
    char type[] = "schema";
    const char *types[] = {type};
    bb_webhook hook = hook_of(id);
    hook.name = name;
    hook.url = url;
    hook.keyword = keyword;
    hook.button_text = button;
    hook.issue_types = types;
    hook.issue_type_count = 1;
    assert_int_equal(bb_dispatcher_add(dispatcher, &hook, NULL), BB_OK);
    id[0] = name[0] = url[0] = keyword[0] = button[0] = type[0] = '!';
    types[0] = NULL;
    assert_string_equal(listed(), "id ");
}

static int check_texts(void *user, const bb_webhook *webhook) {
    *(int *)user += 1;
    assert_string_equal(webhook->name, "room");
    assert_string_equal(webhook->url, "https://ci.example.com/h?k=v"); /* the real ones */
    assert_string_equal(webhook->secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    assert_string_equal(webhook->issue_types[1], "data");
    assert_null(webhook->keyword);
    assert_string_equal(webhook->button_text, "");
    assert_int_equal(webhook->min_level, BB_WARN);
    assert_int_equal(webhook->struct_size, sizeof(*webhook));
    return 7;
}

static void a_visitor_sees_everything_and_may_end_the_list(void **state) {
    (void)state;
    const char *types[] = {"schema", "data"};
    bb_webhook hook = hook_of("1");
    hook.name = "room";
    hook.type = BB_CUSTOM;
    hook.url = "https://ci.example.com/h?k=v";
    hook.secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    hook.button_text = "";
    hook.min_level = BB_WARN;
    hook.disabled = 1; /* also listed, also counted */
    hook.issue_types = types;
    hook.issue_type_count = 2;
    assert_int_equal(bb_dispatcher_add(dispatcher, &hook, NULL), BB_OK);
    assert_int_equal(add("2"), BB_OK);
    int visited = 0;
    assert_int_equal(bb_dispatcher_list(dispatcher, check_texts, &visited, NULL), 7);
    assert_int_equal(visited, 1);
    assert_int_equal(bb_dispatcher_count(dispatcher), 2);
}

/* Removes the webhook that it sees and the next, and adds two in their place. */
static int rearrange(void *user, const bb_webhook *webhook) {
    int *visited = user;
    char id[24];
    ++*visited;
    assert_non_null(strstr(webhook->url, "hooks.slack.com"));
    bb_dispatcher_remove(dispatcher, webhook->id, NULL);
    assert_non_null(strstr(webhook->url, "hooks.slack.com")); /* borrowed for the whole visit */
    snprintf(id, sizeof(id), "%d", *visited);
    bb_dispatcher_remove(dispatcher, id, NULL);
    snprintf(id, sizeof(id), "new %d", *visited);
    assert_int_equal(add(id), BB_OK);
    return 0;
}

static void a_visitor_may_add_and_remove(void **state) {
    (void)state;
    int visited = 0;
    for (int i = 0; i < 5; i++) {
        char id[24];
        snprintf(id, sizeof(id), "%d", i);
        assert_int_equal(add(id), BB_OK);
    }
    assert_int_equal(bb_dispatcher_list(dispatcher, rearrange, &visited, NULL), BB_OK);
    assert_int_equal(visited, 5); /* those that were there when the call began */
    assert_string_equal(listed(), "new 1 new 2 new 3 new 4 new 5 ");
}

static void missing_arguments_are_told(void **state) {
    (void)state;
    bb_error error = BB_ERROR_INIT;
    bb_webhook hook = hook_of("x");
    bb_webhook_status status = BB_WEBHOOK_STATUS_INIT;
    int n = 0;
    assert_int_equal(bb_dispatcher_add(NULL, &hook, &error), BB_ERR_ARGUMENT);
    assert_int_equal(bb_dispatcher_add(dispatcher, NULL, &error), BB_ERR_ARGUMENT);
    assert_int_equal(bb_dispatcher_replace(NULL, &hook, &error), BB_ERR_ARGUMENT);
    assert_int_equal(bb_dispatcher_remove(NULL, "x", &error), BB_ERR_ARGUMENT);
    assert_int_equal(bb_dispatcher_remove(dispatcher, NULL, &error), BB_ERR_ARGUMENT);
    assert_int_equal(bb_dispatcher_list(NULL, append_id, &n, &error), BB_ERR_ARGUMENT);
    assert_int_equal(bb_dispatcher_list(dispatcher, NULL, &n, &error), BB_ERR_ARGUMENT);
    assert_int_equal(bb_dispatcher_status(dispatcher, "x", &status, &error), BB_ERR_NOT_FOUND);
    assert_int_equal(bb_dispatcher_resume(dispatcher, "x", &error), BB_ERR_NOT_FOUND);
    assert_int_equal(bb_dispatcher_count(NULL), 0);
    assert_int_equal(add("x"), BB_OK);
    assert_int_equal(bb_dispatcher_status(dispatcher, "x", NULL, &error), BB_ERR_ARGUMENT);
    status.struct_size = 0;
    assert_int_equal(bb_dispatcher_status(dispatcher, "x", &status, &error), BB_ERR_STRUCT);
    bb_dispatcher_free(NULL);
}

/* ------------------------------------------------------------------ mistakes -- */

static const char *const unknown_type[] = {NULL};
#define WRONG(field_name, code, kind, address, ...)                                                \
    {                                                                                              \
        field_name, code, {                                                                        \
            .struct_size = sizeof(bb_webhook), .name = "ops room", .type = kind, .url = address,   \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

static const struct {
    const char *field;
    int code;
    bb_webhook hook;
} mistakes[] = {
    WRONG("type", BB_ERR_WEBHOOK, 0, URL, .disabled = 0),
    WRONG("type", BB_ERR_WEBHOOK, 8, URL, .disabled = 0),
    WRONG("activities", BB_ERR_WEBHOOK, BB_SLACK, URL, .activities = 0x40),
    WRONG("language", BB_ERR_WEBHOOK, BB_SLACK, URL, .language = 3),
    WRONG("min_level", BB_ERR_WEBHOOK, BB_SLACK, URL, .min_level = 5),
    WRONG("issue_statuses", BB_ERR_WEBHOOK, BB_SLACK, URL, .issue_statuses = 8),
    WRONG("issue_types", BB_ERR_WEBHOOK, BB_SLACK, URL, .issue_type_count = 1),
    WRONG("issue_types", BB_ERR_WEBHOOK, BB_SLACK, URL, .issue_types = unknown_type,
          .issue_type_count = 1),
    WRONG("secret", BB_ERR_WEBHOOK, BB_SLACK, URL, .secret = "x"),
    WRONG("secret", BB_ERR_WEBHOOK, BB_CUSTOM, URL, .secret = "whsec_short"),
    WRONG("url", BB_ERR_URL, BB_SLACK, NULL, .disabled = 0),
    WRONG("url", BB_ERR_URL, BB_SLACK, "", .disabled = 0),
    WRONG("url", BB_ERR_URL, BB_SLACK, "http://hooks.slack.com/services/T/B/x", .disabled = 0),
    WRONG("url", BB_ERR_URL, BB_SLACK, "https://evil.example/services/T/B/x", .disabled = 0),
    WRONG("url", BB_ERR_URL, BB_CUSTOM, "https://127.0.0.1/x", .disabled = 0),
};

static void a_mistake_names_the_webhook_and_the_field(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        bb_error error = BB_ERROR_INIT;
        assert_int_equal(bb_dispatcher_add(dispatcher, &mistakes[i].hook, &error),
                         mistakes[i].code);
        char expected[64];
        snprintf(expected, sizeof(expected), "webhook \"ops room\": %s: ", mistakes[i].field);
        if (strncmp(error.text, expected, strlen(expected)) != 0)
            fail_msg("%s", error.text);
    }
    bb_webhook nameless = hook_of(NULL);
    assert_int_equal(bb_dispatcher_add(dispatcher, &nameless, NULL), BB_ERR_WEBHOOK);
    nameless.id = nameless.name = "";
    assert_int_equal(bb_dispatcher_add(dispatcher, &nameless, NULL), BB_ERR_WEBHOOK);
    nameless.struct_size = 0;
    assert_int_equal(bb_dispatcher_add(dispatcher, &nameless, NULL), BB_ERR_STRUCT);
    assert_int_equal(bb_dispatcher_count(dispatcher), 0);
}

static void an_id_has_at_most_255_bytes(void **state) {
    (void)state;
    char id[257];
    memset(id, 'i', sizeof(id));
    id[256] = '\0';
    assert_int_equal(add(id), BB_ERR_WEBHOOK);
    id[255] = '\0';
    assert_int_equal(add(id), BB_OK);
    assert_int_equal(bb_dispatcher_remove(dispatcher, id, NULL), BB_OK);
}

/* -------------------------------------------------------------- for an event -- */

static struct bb_registry *registry;

static void add_hook(const char *id, int64_t project, uint32_t activities, int disabled) {
    struct bb_policy policy = {false, false};
    struct bb_hook *hook = NULL;
    bb_webhook webhook = hook_of(id);
    webhook.project_id = project;
    webhook.activities = activities;
    webhook.disabled = disabled;
    assert_int_equal(bb_hook_new(alloc_library(), &policy, &webhook, &hook, NULL), BB_OK);
    int code = bb_registry_replace(registry, hook, NULL);
    if (code == BB_ERR_NOT_FOUND)
        code = bb_registry_add(registry, hook, NULL);
    assert_int_equal(code, BB_OK);
}

static const char *fired(int64_t project_id, bb_activity activity) {
    static char ids[1024];
    struct bb_hooks hooks;
    bb_event event = BB_EVENT_INIT;
    bb_project project = BB_PROJECT_INIT;
    project.id = project_id;
    event.project = &project;
    event.activity = activity;
    ids[0] = '\0';
    assert_int_equal(bb_registry_list(registry, &event, &hooks, NULL), BB_OK);
    for (size_t i = 0; i < hooks.count; i++)
        append_id(ids, &hooks.items[i]->webhook);
    bb_hooks_free(&hooks);
    return ids;
}

static void an_event_finds_its_webhooks_also_after_changes(void **state) {
    (void)state;
    long live = alloc_live();
    registry = bb_registry_new(alloc_library());
    add_hook("p1", 1, BB_ACTIVITY_ALL, 0);
    add_hook("all", 0, BB_ACTIVITY_ALL, 0);
    add_hook("p2", 2, BB_ISSUE_CREATE, 0);
    add_hook("p1 too", 1, BB_ISSUE_CREATE, 0);
    add_hook("off", 1, BB_ACTIVITY_ALL, 1);
    add_hook("none", 1, 0, 0);
    assert_string_equal(fired(1, BB_ISSUE_CREATE), "p1 all p1 too ");
    assert_string_equal(fired(1, BB_TASK_STATUS_UPDATE), "p1 all ");
    assert_string_equal(fired(2, BB_ISSUE_CREATE), "all p2 ");
    assert_string_equal(fired(3, BB_ISSUE_CREATE), "all ");
    add_hook("p1", 2, BB_TASK_STATUS_UPDATE, 0); /* another project, another activity */
    add_hook("off", 1, BB_ISSUE_CREATE, 0);      /* on */
    add_hook("all", 0, BB_ACTIVITY_ALL, 1);      /* off */
    assert_string_equal(fired(1, BB_ISSUE_CREATE), "p1 too off ");
    assert_string_equal(fired(2, BB_TASK_STATUS_UPDATE), "p1 ");
    assert_int_equal(bb_registry_remove(registry, "p1 too", NULL), BB_OK);
    assert_string_equal(fired(1, BB_ISSUE_CREATE), "off ");
    assert_null(bb_registry_find(registry, "p1 too"));
    struct bb_hook *found = bb_registry_find(registry, "off");
    bb_registry_free(registry);
    assert_string_equal(found->webhook.id, "off"); /* held, so it outlives the registry */
    bb_hook_release(found);
    bb_hook_release(NULL);
    bb_registry_free(NULL);
    assert_int_equal(alloc_live(), live);
}

/* --------------------------------------------------------------- many of them -- */

enum { MANY = 3000, FEW_PROJECTS = 7 };

/* What the registry should hold: the project of each id, or GONE, and when it was added. */
enum { GONE = -1 };
static int projects[MANY];
static unsigned added[MANY];

/* A series that is the same on every machine. */
static unsigned next_number(unsigned most) {
    static uint32_t seed = 1;
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % most;
}

static void change_one_of_many(unsigned now) {
    unsigned i = next_number(MANY);
    char id[24];
    snprintf(id, sizeof(id), "%u", i);
    if (projects[i] != GONE && next_number(3) == 0) {
        assert_int_equal(bb_registry_remove(registry, id, NULL), BB_OK);
        projects[i] = GONE;
        return;
    }
    if (projects[i] == GONE)
        added[i] = now; /* one that is replaced keeps its place */
    projects[i] = (int)next_number(FEW_PROJECTS);
    add_hook(id, projects[i], i % 2 ? BB_ACTIVITY_ALL : BB_ISSUE_CREATE, 0);
}

static bool is_wanted(unsigned i, int project, bb_activity activity) {
    return (projects[i] == 0 || projects[i] == project) && (i % 2 || activity == BB_ISSUE_CREATE);
}

/* Exactly those that should be there, each with what it was last told, in their order. */
static void assert_holds(int project, bb_activity activity) {
    struct bb_hooks hooks;
    bb_project its = BB_PROJECT_INIT;
    bb_event event = BB_EVENT_INIT;
    size_t expected = 0;
    its.id = project;
    event.project = &its;
    event.activity = activity;
    for (unsigned i = 0; i < MANY; i++)
        expected += activity ? is_wanted(i, project, activity) : projects[i] != GONE;
    assert_int_equal(bb_registry_list(registry, activity ? &event : NULL, &hooks, NULL), BB_OK);
    assert_int_equal(hooks.count, expected);
    unsigned last = 0;
    for (size_t n = 0; n < hooks.count; n++) {
        const bb_webhook *webhook = &hooks.items[n]->webhook;
        unsigned i = (unsigned)strtoul(webhook->id, NULL, 10);
        assert_int_equal(webhook->project_id, projects[i]);
        assert_true(activity == 0 || is_wanted(i, project, activity));
        assert_true(added[i] > last);
        last = added[i];
    }
    bb_hooks_free(&hooks);
}

static void many_are_found_in_their_order_after_many_changes(void **state) {
    (void)state;
    long live = alloc_live();
    registry = bb_registry_new(alloc_library());
    for (unsigned i = 0; i < MANY; i++)
        projects[i] = GONE;
    for (unsigned now = 1; now <= 5 * MANY; now++) {
        change_one_of_many(now);
        if (now % 1000)
            continue;
        assert_holds(0, 0);
        for (int project = 0; project <= FEW_PROJECTS; project++) {
            assert_holds(project, BB_ISSUE_CREATE);
            assert_holds(project, BB_TASK_STATUS_UPDATE);
        }
    }
    bb_registry_free(registry);
    assert_int_equal(alloc_live(), live);
}

/* The project's first, last and middle one; then all that are left; then the project again. */
static void any_of_a_project_may_go(void **state) {
    (void)state;
    registry = bb_registry_new(alloc_library());
    for (const char *id = "a\0b\0c\0d\0e\0"; *id; id += 2)
        add_hook(id, 1, BB_ACTIVITY_ALL, 0);
    assert_string_equal(fired(1, BB_ISSUE_CREATE), "a b c d e ");
    add_hook("c", 1, BB_ACTIVITY_ALL, 0); /* replaced: in its place */
    assert_string_equal(fired(1, BB_ISSUE_CREATE), "a b c d e ");
    add_hook("a", 2, BB_ACTIVITY_ALL, 0);
    add_hook("a", 1, BB_ACTIVITY_ALL, 0); /* and back from another project */
    assert_string_equal(fired(1, BB_ISSUE_CREATE), "a b c d e ");
    assert_string_equal(fired(2, BB_ISSUE_CREATE), "");
    assert_int_equal(bb_registry_remove(registry, "a", NULL), BB_OK);
    assert_string_equal(fired(1, BB_ISSUE_CREATE), "b c d e ");
    assert_int_equal(bb_registry_remove(registry, "e", NULL), BB_OK);
    assert_string_equal(fired(1, BB_ISSUE_CREATE), "b c d ");
    assert_int_equal(bb_registry_remove(registry, "c", NULL), BB_OK);
    assert_string_equal(fired(1, BB_ISSUE_CREATE), "b d ");
    assert_int_equal(bb_registry_remove(registry, "c", NULL), BB_ERR_NOT_FOUND);
    assert_int_equal(bb_registry_remove(registry, "b", NULL), BB_OK);
    assert_int_equal(bb_registry_remove(registry, "d", NULL), BB_OK);
    assert_string_equal(fired(1, BB_ISSUE_CREATE), "");
    assert_int_equal(bb_registry_count(registry), 0);
    add_hook("a", 1, BB_ACTIVITY_ALL, 0);
    assert_string_equal(fired(1, BB_ISSUE_CREATE), "a ");
    bb_registry_free(registry);
}

#define WITH_DISPATCHER(test)                                                                      \
    cmocka_unit_test_setup_teardown(test, open_dispatcher, close_dispatcher)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_DISPATCHER(webhooks_are_listed_in_the_order_of_their_coming),
        WITH_DISPATCHER(an_id_is_there_once),
        WITH_DISPATCHER(what_is_kept_is_a_copy),
        WITH_DISPATCHER(a_visitor_sees_everything_and_may_end_the_list),
        WITH_DISPATCHER(a_visitor_may_add_and_remove),
        WITH_DISPATCHER(missing_arguments_are_told),
        WITH_DISPATCHER(a_mistake_names_the_webhook_and_the_field),
        WITH_DISPATCHER(an_id_has_at_most_255_bytes),
        cmocka_unit_test(an_event_finds_its_webhooks_also_after_changes),
        cmocka_unit_test(many_are_found_in_their_order_after_many_changes),
        cmocka_unit_test(any_of_a_project_may_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
