/* The registry behind a dispatcher: found for an event, in their order, also when there are many;
 * and what a webhook costs. */
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

static bb_webhook hook_of(const char *id) {
    bb_webhook hook = BB_WEBHOOK_INIT;
    hook.id = id;
    hook.name = id;
    hook.type = BB_SLACK;
    hook.url = "https://hooks.slack.com/services/T0/B0/abcdefghijkl";
    hook.activities = BB_ACTIVITY_ALL;
    return hook;
}

/* ------------------------------------------------------------- what is kept -- */

static struct bb_hook *make_hook(const bb_webhook *webhook) {
    struct bb_policy policy = {.allow_http = false};
    struct bb_hook *hook = NULL;
    long live = alloc_live();
    assert_int_equal(bb_hook_new(alloc_library(), &policy, webhook, &hook, NULL), BB_OK);
    assert_int_equal(alloc_live(), live + 1);
    return hook;
}

static void a_hook_is_one_block_without_doubles(void **state) {
    (void)state;
    const char *types[] = {"schema", "data"};
    bb_webhook webhook = hook_of("ops");
    webhook.name = NULL;
    struct bb_hook *plain = make_hook(&webhook);
    webhook.name = "ops";
    struct bb_hook *same = make_hook(&webhook);
    assert_null(plain->webhook.name);
    assert_null(plain->webhook.issue_types);
    assert_ptr_equal(same->webhook.name, same->webhook.id);
    assert_ptr_equal(bb_hook_target(same), same->webhook.url); /* requested as it was given */
    webhook.type = BB_DISCORD;
    webhook.name = "room";
    webhook.url = "https://discord.com/api/webhooks/123456789012345678/abcdefghijkl";
    webhook.keyword = "";
    webhook.issue_types = types;
    webhook.issue_type_count = 2;
    struct bb_hook *full = make_hook(&webhook);
    assert_string_equal(full->webhook.id, "ops");
    assert_string_equal(full->webhook.name, "room");
    assert_string_equal(full->webhook.url, webhook.url);
    assert_string_equal(full->webhook.keyword, "");
    assert_string_equal(full->webhook.issue_types[0], "schema");
    assert_string_equal(full->webhook.issue_types[1], "data");
    assert_ptr_not_equal(full->webhook.issue_types[1], types[1]);
    assert_string_equal(
        bb_hook_target(full),
        "https://discord.com/api/v10/webhooks/123456789012345678/abcdefghijkl?wait=true");
    bb_hook_release(plain);
    bb_hook_release(same);
    bb_hook_release(full);
}

/* -------------------------------------------------------------- for an event -- */

static struct bb_registry *registry;

static void add_hook(const char *id, int64_t project, uint32_t activities, int disabled) {
    bb_webhook webhook = hook_of(id);
    webhook.project_id = project;
    webhook.activities = activities;
    webhook.disabled = disabled;
    struct bb_hook *hook = make_hook(&webhook);
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
        strcat(strcat(ids, hooks.items[i]->webhook.id), " ");
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

/* Every tenth in a project of its own. As users have them; idle. */
static void ten_thousand_webhooks_fit_into_5_mib(void **state) {
    enum { TEN_THOUSAND = 10000 };
    (void)state;
    long before = alloc_live_bytes();
    registry = bb_registry_new(alloc_library());
    for (int i = 0; i < TEN_THOUSAND; i++) {
        char id[24], name[24];
        bb_webhook webhook = hook_of(id);
        snprintf(id, sizeof(id), "w-%05d", i);
        snprintf(name, sizeof(name), "room %05d", i);
        webhook.name = name;
        webhook.url =
            "https://hooks.slack.com/services/T0123ABCD/B0123ABCD/abcdefghijklmnopqrstuvwx";
        webhook.project_id = i % 10 == 0 ? i : 0;
        assert_int_equal(bb_registry_add(registry, make_hook(&webhook), NULL), BB_OK);
    }
    long bytes = alloc_live_bytes() - before;
    print_message("%ld bytes a webhook\n", bytes / TEN_THOUSAND);
    assert_true(bytes <= 5 * 1024 * 1024);
    bb_registry_free(registry);
    assert_int_equal(alloc_live_bytes(), before);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hook_is_one_block_without_doubles),
        cmocka_unit_test(an_event_finds_its_webhooks_also_after_changes),
        cmocka_unit_test(many_are_found_in_their_order_after_many_changes),
        cmocka_unit_test(any_of_a_project_may_go),
        cmocka_unit_test(ten_thousand_webhooks_fit_into_5_mib),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
