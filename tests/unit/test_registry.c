/* The webhooks of a dispatcher: added, replaced, removed, listed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "bb_webhook.h"
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

/* One that is not spoils a page for Prometheus, and a database does not take the events of all. */
static void an_id_is_utf8(void **state) {
    (void)state;
    static const char *const bad[] = {"a\xFF", "\x80", "\xC0\xAF", "\xED\xA0\x80", "caf\xC3"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        bb_error error = BB_ERROR_INIT;
        bb_webhook hook = hook_of(bad[i]);
        assert_int_equal(bb_dispatcher_add(dispatcher, &hook, &error), BB_ERR_WEBHOOK);
        assert_non_null(strstr(error.text, "id: is not UTF-8"));
        hook.id = NULL;
        hook.name = bad[i]; /* which serves as one */
        assert_int_equal(bb_dispatcher_add(dispatcher, &hook, &error), BB_ERR_WEBHOOK);
        hook.id = "it has one";
        assert_int_equal(bb_dispatcher_add(dispatcher, &hook, &error), BB_OK);
        assert_int_equal(bb_dispatcher_remove(dispatcher, hook.id, NULL), BB_OK);
    }
    assert_int_equal(add("caf\xC3\xA9 \xE4\xB8\x96\xF0\x9F\x98\x80"), BB_OK);
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
        WITH_DISPATCHER(an_id_is_utf8),
        WITH_DISPATCHER(an_id_has_at_most_255_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
