/* bb-notify --demo as a user runs it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bb_webhook.h>
#include <cmocka.h>

#include "support/program.h"

#define EVENTS SOURCE_DIR "/examples/events.jsonl"

struct demo {
    char directory[64];
    char page[96];
    program_result result;
};

static int set_up(void **state) {
    struct demo *demo = calloc(1, sizeof *demo);
    strcpy(demo->directory, "/tmp/bb-demo-XXXXXX");
    assert_non_null(mkdtemp(demo->directory));
    snprintf(demo->page, sizeof demo->page, "%s/page.html", demo->directory);
    *state = demo;
    return 0;
}

static int tear_down(void **state) {
    struct demo *demo = *state;
    unlink(demo->page);
    rmdir(demo->directory);
    program_result_free(&demo->result);
    free(demo);
    return 0;
}

static int run(struct demo *demo, const char *events, const char *input) {
    const char *const arguments[] = {BB_NOTIFY, "--demo", events, demo->page, NULL};
    const program_options options = {.input = input, .input_length = strlen(input)};
    program_run(&demo->result, arguments, &options);
    return demo->result.status;
}

static char *read_page(const struct demo *demo) {
    FILE *file = fopen(demo->page, "r");
    char *text = calloc(1, 1 << 20);
    assert_non_null(file);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    return text;
}

static void its_story_has_every_activity_and_is_delivered(void **state) {
    struct demo *demo = *state;
    assert_int_equal(run(demo, EVENTS, ""), 0);
    assert_string_equal(demo->result.err, "");
    for (unsigned activity = BB_ISSUE_CREATE; activity <= BB_ISSUE_COMMENT_CREATE; activity *= 2)
        assert_non_null(strstr(demo->result.out, bb_activity_name((bb_activity)activity)));
    assert_non_null(strstr(demo->result.out, "delivered, 0 not."));
}

static void its_output_has_no_secret(void **state) {
    static const char *const secrets[] = {
        "/services/T", "access_token", "sig=", "key=", "sign=", "/hook/", "whsec_"};
    struct demo *demo = *state;
    run(demo, EVENTS, "");
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
        assert_null(strstr(demo->result.out, secrets[i]));
}

static void its_page_shows_every_product(void **state) {
    static const char *const shown[] = {"Slack",  "Discord", "Microsoft Teams",  "DingTalk",
                                        "Feishu", "WeCom",   "webhook-signature"};
    struct demo *demo = *state;
    run(demo, EVENTS, "");
    char *page = read_page(demo);
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        assert_non_null(strstr(page, shown[i]));
    assert_null(strstr(page, "Nothing arrived"));
    free(page);
}

/* More than any product takes at once: the demo's clock leaves room for each. */
static void many_events_of_one_moment_are_all_delivered(void **state) {
    enum { EVENTS_SENT = 40 };
    static const char line[] = "{\"activity_type\":\"bb.issue.create\"}\n";
    struct demo *demo = *state;
    char input[EVENTS_SENT * sizeof line] = "";
    for (int i = 0; i < EVENTS_SENT; i++)
        strcat(input, line);
    assert_int_equal(run(demo, "-", input), 0);
    assert_non_null(strstr(demo->result.out, "280 delivered, 0 not."));
}

static void a_bad_line_is_told_and_does_not_stop_the_rest(void **state) {
    struct demo *demo = *state;
    assert_int_equal(run(demo, "-", "{\n{\"activity_type\":\"bb.issue.create\"}\n"), 1);
    assert_non_null(strstr(demo->result.err, "line 1"));
    assert_non_null(strstr(demo->result.out, "7 delivered, 0 not."));
}

static void files_that_cannot_be_used_are_told(void **state) {
    struct demo *demo = *state;
    assert_int_equal(run(demo, "/nonexistent/events.jsonl", ""), 2);
    assert_non_null(strstr(demo->result.err, "/nonexistent/events.jsonl"));
    program_result_free(&demo->result);
    strcpy(demo->page, "/nonexistent/page.html");
    assert_int_equal(run(demo, EVENTS, ""), 2);
    assert_non_null(strstr(demo->result.err, "/nonexistent/page.html"));
}

#define DEMO_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {DEMO_TEST(its_story_has_every_activity_and_is_delivered),
                                       DEMO_TEST(its_output_has_no_secret),
                                       DEMO_TEST(its_page_shows_every_product),
                                       DEMO_TEST(many_events_of_one_moment_are_all_delivered),
                                       DEMO_TEST(a_bad_line_is_told_and_does_not_stop_the_rest),
                                       DEMO_TEST(files_that_cannot_be_used_are_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
