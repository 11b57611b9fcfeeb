/*
 * The public structs as other compilations hand them over: not initialised, older
 * and smaller, newer and larger; and NULL where it may and may not be. Each struct
 * lies in a block of exactly its claimed size, so that a sanitizer sees a read or
 * write beyond it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/samples.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- every struct that goes in, and a call that reads it */

static int prepare_with(const bb_options *options, const bb_webhook *webhook, const bb_event *event,
                        const bb_attempt *attempt, bb_error *error) {
    bb_webhook usual = sample_webhook(BB_SLACK);
    bb_request *request = NULL;
    int code =
        bb_webhook_prepare(options, webhook ? webhook : &usual, event, attempt, &request, error);
    bb_request_free(request);
    return code;
}

static int use_options(const void *object, bb_error *error) {
    sample s;
    sample_make(&s, &sample_cases[0]);
    return prepare_with(object, NULL, &s.event, NULL, error);
}

static int use_allocator(const void *object, bb_error *error) {
    bb_options options = BB_OPTIONS_INIT;
    options.allocator = object;
    return use_options(&options, error);
}

static int use_egress(const void *object, bb_error *error) {
    bb_options options = BB_OPTIONS_INIT;
    options.egress = object;
    return use_options(&options, error);
}

static int use_webhook(const void *object, bb_error *error) {
    sample s;
    sample_make(&s, &sample_cases[0]);
    return prepare_with(NULL, object, &s.event, NULL, error);
}

static int use_attempt(const void *object, bb_error *error) {
    sample s;
    sample_make(&s, &sample_cases[0]);
    return prepare_with(NULL, NULL, &s.event, object, error);
}

static int use_event(const void *object, bb_error *error) {
    return prepare_with(NULL, NULL, object, NULL, error);
}

/* One of the structs that an event points to. */
#define USE_PART(member)                                                                           \
    static int use_##member(const void *object, bb_error *error) {                                 \
        sample s;                                                                                  \
        sample_fill(&s, BB_TASK_STATUS_UPDATE);                                                    \
        s.event.member = object;                                                                   \
        return use_event(&s.event, error);                                                         \
    }
USE_PART(creator)
USE_PART(project)
USE_PART(issue)
USE_PART(field)
USE_PART(stage)
USE_PART(task)

static int use_mention(const void *object, bb_error *error) {
    sample s;
    sample_fill(&s, BB_TASK_STATUS_UPDATE);
    s.mentions[0] = object;
    return use_event(&s.event, error);
}

static int use_response(const void *object, bb_error *error) {
    bb_webhook webhook = sample_webhook(BB_SLACK);
    bb_outcome outcome = BB_OUTCOME_INIT;
    return bb_webhook_judge(&webhook, object, 0, &outcome, error);
}

static int use_post_options(const void *object, bb_error *error) {
    bb_dispatcher *dispatcher = NULL;
    sample s;
    sample_make(&s, &sample_cases[0]);
    assert_int_equal(bb_dispatcher_new(NULL, &dispatcher, NULL), BB_OK);
    int code = bb_webhook_post(dispatcher, &s.event, object, NULL, error);
    bb_dispatcher_free(dispatcher);
    return code;
}

static void *give(size_t size, void *user) {
    (void)user;
    return malloc(size);
}

static void *give_again(void *block, size_t size, void *user) {
    (void)user;
    return realloc(block, size);
}

static void take_back(void *block, void *user) {
    (void)user;
    free(block);
}

typedef struct input {
    const char *name;
    const void *valid;
    size_t size;
    size_t needed; /* the part without which it is refused for what it says */
    int (*use)(const void *object, bb_error *error);
} input;

enum { INPUTS = 15 };

static void fill_inputs(input inputs[INPUTS]) {
    static sample s;
    static bb_webhook webhook;
    static bb_attempt attempt;
    static const bb_options options = BB_OPTIONS_INIT;
    static const bb_egress egress = BB_EGRESS_INIT;
    static const bb_allocator allocator = {sizeof(allocator), give, give_again, take_back, NULL};
    static const bb_response response = BB_RESPONSE_INIT;
    static const bb_post_options post_options = BB_POST_OPTIONS_INIT;
    const size_t head = sizeof(size_t);
    sample_fill(&s, BB_TASK_STATUS_UPDATE);
    webhook = sample_webhook(BB_SLACK);
    attempt = sample_attempt();
    const input all[INPUTS] = {
        {"options", &options, sizeof(options), head, use_options},
        {"allocator", &allocator, sizeof(allocator), offsetof(bb_allocator, user), use_allocator},
        {"egress", &egress, sizeof(egress), head, use_egress},
        {"webhook", &webhook, sizeof(webhook), offsetof(bb_webhook, activities), use_webhook},
        {"attempt", &attempt, sizeof(attempt), head, use_attempt},
        {"event", &s.event, sizeof(s.event), offsetof(bb_event, level), use_event},
        {"creator", &s.creator, sizeof(s.creator), head, use_creator},
        {"project", &s.project, sizeof(s.project), head, use_project},
        {"issue", &s.issue, sizeof(s.issue), head, use_issue},
        {"field", &s.field, sizeof(s.field), head, use_field},
        {"stage", &s.stage, sizeof(s.stage), head, use_stage},
        {"task", &s.task, sizeof(s.task), head, use_task},
        {"mentions[]", &s.mention, sizeof(s.mention), head, use_mention},
        {"response", &response, sizeof(response), head, use_response},
        {"options", &post_options, sizeof(post_options), head, use_post_options},
    };
    memcpy(inputs, all, sizeof(all));
}

/* A copy that claims `claimed` bytes and has room for just as many; what the
 * valid one lacks is `filler`. */
static void *resized(const input *in, size_t claimed, char filler) {
    char *object = malloc(claimed);
    assert_non_null(object);
    memset(object, filler, claimed);
    memcpy(object, in->valid, claimed < in->size ? claimed : in->size);
    memcpy(object, &claimed, sizeof(claimed));
    return object;
}

static void assert_code(const input *in, size_t claimed, char filler, int expected) {
    bb_error error = BB_ERROR_INIT;
    void *object = resized(in, claimed, filler);
    int code = in->use(object, &error);
    free(object);
    if (code != expected)
        fail_msg("%s of %zu bytes: %s: %s", in->name, claimed, bb_code_name(code), error.text);
    if (expected != BB_OK && !strstr(error.text, in->name))
        fail_msg("%s of %zu bytes: '%s' does not name it", in->name, claimed, error.text);
}

/* ---- sizes */

static void a_struct_without_its_size_is_refused(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, sizeof(size_t) - 1, SIZE_MAX, SIZE_MAX / 2, 1 << 20};
    input inputs[INPUTS];
    fill_inputs(inputs);
    for (size_t i = 0; i < INPUTS * COUNT(sizes); i++) {
        const input *in = &inputs[i / COUNT(sizes)];
        bb_error error = BB_ERROR_INIT;
        void *object = resized(in, in->size, 0);
        memcpy(object, &sizes[i % COUNT(sizes)], sizeof(size_t));
        int code = in->use(object, &error);
        free(object);
        if (code != BB_ERR_STRUCT)
            fail_msg("%s that claims %zu bytes: %s", in->name, sizes[i % COUNT(sizes)],
                     bb_code_name(code));
        assert_non_null(strstr(error.text, in->name));
        assert_non_null(strstr(error.text, "struct_size"));
    }
}

static void an_older_smaller_struct_is_taken(void **state) {
    (void)state;
    input inputs[INPUTS];
    fill_inputs(inputs);
    for (size_t i = 0; i < INPUTS; i++)
        for (size_t size = inputs[i].needed; size <= inputs[i].size; size++)
            if (size % sizeof(void *) == 0 || size == inputs[i].size)
                assert_code(&inputs[i], size, 0, BB_OK);
}

static void a_newer_larger_struct_is_taken_while_its_tail_is_zero(void **state) {
    (void)state;
    input inputs[INPUTS];
    fill_inputs(inputs);
    for (size_t i = 0; i < INPUTS; i++) {
        assert_code(&inputs[i], inputs[i].size + 1, 0, BB_OK);
        assert_code(&inputs[i], inputs[i].size + 8, 0, BB_OK);
        assert_code(&inputs[i], inputs[i].size + 1000, 0, BB_OK);
        assert_code(&inputs[i], inputs[i].size + 1, 1, BB_ERR_STRUCT);
        assert_code(&inputs[i], inputs[i].size + 1000, 1, BB_ERR_STRUCT);
    }
}

static void one_byte_in_the_tail_is_enough_to_refuse_it(void **state) {
    (void)state;
    input inputs[INPUTS];
    fill_inputs(inputs);
    for (size_t i = 0; i < INPUTS; i++) {
        char *object = resized(&inputs[i], inputs[i].size + 100, 0);
        object[inputs[i].size + 99] = 1;
        int code = inputs[i].use(object, NULL);
        free(object);
        assert_int_equal(code, BB_ERR_STRUCT);
    }
}

/* ---- structs that come out */

static void an_outcome_is_written_as_far_as_its_owner_knows_it(void **state) {
    (void)state;
    bb_webhook webhook = sample_webhook(BB_SLACK);
    bb_response response = BB_RESPONSE_INIT;
    response.http_status = 200;
    response.body = "ok";
    response.body_length = 2;
    for (size_t size = sizeof(size_t); size <= sizeof(bb_outcome) + 64; size += 8) {
        char *block = malloc(size);
        assert_non_null(block);
        memset(block, 0x55, size);
        memcpy(block, &size, sizeof(size));
        assert_int_equal(
            bb_webhook_judge(&webhook, &response, 0, (bb_outcome *)(void *)block, NULL), BB_OK);
        assert_memory_equal(block, &size, sizeof(size));
        if (size >= offsetof(bb_outcome, advice))
            assert_int_equal(((bb_outcome *)(void *)block)->verdict, BB_DELIVERED);
        for (size_t i = sizeof(bb_outcome); i < size; i++)
            assert_int_equal(block[i], 0);
        free(block);
    }
}

static void an_outcome_without_its_size_is_refused(void **state) {
    (void)state;
    bb_webhook webhook = sample_webhook(BB_SLACK);
    bb_response response = BB_RESPONSE_INIT;
    bb_outcome outcome;
    memset(&outcome, 0, sizeof(outcome));
    assert_int_equal(bb_webhook_judge(&webhook, &response, 0, &outcome, NULL), BB_ERR_STRUCT);
    assert_int_equal(outcome.verdict, 0);
}

static void an_error_is_untouched_when_all_is_well(void **state) {
    (void)state;
    bb_error error = BB_ERROR_INIT, before;
    strcpy(error.text, "mine");
    before = error;
    assert_int_equal(use_options(NULL, &error), BB_OK);
    assert_memory_equal(&error, &before, sizeof(error));
}

static void an_error_is_never_written_beyond_its_size(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 8, 16, 24, 100, sizeof(bb_error), sizeof(bb_error) + 40};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        size_t room = sizes[i] < sizeof(size_t) ? sizeof(size_t) : sizes[i];
        bb_error *error = calloc(1, room);
        assert_non_null(error);
        error->struct_size = sizes[i];
        assert_int_equal(bb_webhook_prepare(NULL, NULL, NULL, NULL, NULL, error), BB_ERR_ARGUMENT);
        assert_int_equal(error->struct_size, sizes[i]);
        if (sizes[i] >= sizeof(bb_error))
            assert_string_not_equal(error->text, "");
        free(error);
    }
}

static void bb_struct_init_does_what_the_macros_do(void **state) {
    (void)state;
    bb_event by_macro = BB_EVENT_INIT, by_call;
    memset(&by_call, 0x55, sizeof(by_call));
    assert_int_equal(bb_struct_init(&by_call, sizeof(by_call)), BB_OK);
    assert_int_equal(by_call.struct_size, by_macro.struct_size);
    for (size_t i = sizeof(size_t); i < sizeof(by_call); i++)
        assert_int_equal(((char *)&by_call)[i], 0);
    assert_int_equal(bb_struct_init(NULL, sizeof(by_call)), BB_ERR_ARGUMENT);
    assert_int_equal(bb_struct_init(&by_call, sizeof(size_t) - 1), BB_ERR_ARGUMENT);
    assert_int_equal(bb_struct_init(&by_call, 0), BB_ERR_ARGUMENT);
}

/* ---- NULL */

static int visit_nothing(void *user, const bb_webhook *webhook) {
    (void)user;
    (void)webhook;
    return 0;
}

#define REFUSES(call)                                                                              \
    do {                                                                                           \
        bb_error error = BB_ERROR_INIT;                                                            \
        assert_int_equal(call, BB_ERR_ARGUMENT);                                                   \
        assert_int_equal(error.code, BB_ERR_ARGUMENT);                                             \
        assert_non_null(strstr(error.text, "NULL"));                                               \
    } while (0)

static void a_null_that_is_needed_is_refused_where_no_dispatcher_is(void **state) {
    (void)state;
    bb_webhook webhook = sample_webhook(BB_SLACK);
    bb_response response = BB_RESPONSE_INIT;
    bb_outcome outcome = BB_OUTCOME_INIT;
    bb_request *request = NULL;
    bb_event_doc *document = NULL;
    size_t length;
    sample s;
    sample_make(&s, &sample_cases[0]);
    REFUSES(bb_webhook_prepare(NULL, NULL, &s.event, NULL, &request, &error));
    REFUSES(bb_webhook_prepare(NULL, &webhook, NULL, NULL, &request, &error));
    REFUSES(bb_webhook_prepare(NULL, &webhook, &s.event, NULL, NULL, &error));
    REFUSES(bb_webhook_matches(NULL, &s.event, &error));
    REFUSES(bb_webhook_matches(&webhook, NULL, &error));
    REFUSES(bb_webhook_judge(NULL, &response, 0, &outcome, &error));
    REFUSES(bb_webhook_judge(&webhook, NULL, 0, &outcome, &error));
    REFUSES(bb_webhook_judge(&webhook, &response, 0, NULL, &error));
    REFUSES(bb_event_parse(NULL, NULL, 0, &document, &error));
    REFUSES(bb_event_parse(NULL, "{}", 2, NULL, &error));
    REFUSES(bb_event_print(NULL, NULL, 0, &length, &error));
    REFUSES(bb_event_print(&s.event, NULL, 0, NULL, &error));
    REFUSES(bb_event_print(&s.event, NULL, 5, &length, &error));
    s.mentions[0] = NULL;
    s.event.mentions = s.mentions;
    s.event.mention_count = 1;
    REFUSES(bb_webhook_prepare(NULL, &webhook, &s.event, NULL, &request, &error));
    assert_null(request);
}

static void a_null_that_is_needed_is_refused_of_a_dispatcher(void **state) {
    (void)state;
    bb_webhook webhook = sample_webhook(BB_SLACK);
    bb_webhook_status status = BB_WEBHOOK_STATUS_INIT;
    bb_dispatcher *d = NULL;
    sample s;
    sample_make(&s, &sample_cases[0]);
    assert_int_equal(bb_dispatcher_new(NULL, &d, NULL), BB_OK);
    assert_int_equal(bb_dispatcher_add(d, &webhook, NULL), BB_OK);
    REFUSES(bb_dispatcher_new(NULL, NULL, &error));
    REFUSES(bb_dispatcher_add(NULL, &webhook, &error));
    REFUSES(bb_dispatcher_add(d, NULL, &error));
    REFUSES(bb_dispatcher_replace(NULL, &webhook, &error));
    REFUSES(bb_dispatcher_replace(d, NULL, &error));
    REFUSES(bb_dispatcher_remove(NULL, "x", &error));
    REFUSES(bb_dispatcher_remove(d, NULL, &error));
    REFUSES(bb_dispatcher_list(NULL, visit_nothing, NULL, &error));
    REFUSES(bb_dispatcher_list(d, NULL, NULL, &error));
    REFUSES(bb_dispatcher_status(NULL, "hook-1", &status, &error));
    REFUSES(bb_dispatcher_status(d, NULL, &status, &error));
    REFUSES(bb_dispatcher_status(d, "hook-1", NULL, &error));
    REFUSES(bb_dispatcher_resume(NULL, "hook-1", &error));
    REFUSES(bb_dispatcher_resume(d, NULL, &error));
    REFUSES(bb_webhook_post(NULL, &s.event, NULL, NULL, &error));
    REFUSES(bb_webhook_post(d, NULL, NULL, NULL, &error));
    REFUSES(bb_webhook_test(NULL, "hook-1", NULL, &error));
    REFUSES(bb_webhook_test(d, NULL, NULL, &error));
    assert_int_equal(bb_dispatcher_count(d), 1);
    bb_dispatcher_free(d);
}

static void a_null_that_means_nothing_is_taken(void **state) {
    (void)state;
    bb_request_free(NULL);
    bb_event_doc_free(NULL);
    bb_report_free(NULL);
    bb_dispatcher_free(NULL);
    assert_int_equal(bb_report_count(NULL), 0);
    assert_int_equal(bb_report_undelivered(NULL), 0);
    assert_null(bb_report_row(NULL, 0));
    assert_null(bb_event_doc_event(NULL));
    assert_int_equal(bb_activity_from_name(NULL), 0);
    assert_int_equal(bb_level_from_name(NULL), 0);
    assert_int_equal(bb_type_from_name(NULL), 0);
    assert_int_equal(bb_language_from_name(NULL), 0);
    assert_int_equal(bb_issue_status_from_name(NULL), 0);
    assert_int_equal(bb_stage_status_from_name(NULL), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_struct_without_its_size_is_refused),
        cmocka_unit_test(an_older_smaller_struct_is_taken),
        cmocka_unit_test(a_newer_larger_struct_is_taken_while_its_tail_is_zero),
        cmocka_unit_test(one_byte_in_the_tail_is_enough_to_refuse_it),
        cmocka_unit_test(an_outcome_is_written_as_far_as_its_owner_knows_it),
        cmocka_unit_test(an_outcome_without_its_size_is_refused),
        cmocka_unit_test(an_error_is_untouched_when_all_is_well),
        cmocka_unit_test(an_error_is_never_written_beyond_its_size),
        cmocka_unit_test(bb_struct_init_does_what_the_macros_do),
        cmocka_unit_test(a_null_that_is_needed_is_refused_where_no_dispatcher_is),
        cmocka_unit_test(a_null_that_is_needed_is_refused_of_a_dispatcher),
        cmocka_unit_test(a_null_that_means_nothing_is_taken),
    };
    return cmocka_run_group_tests_name("prepare: structs", tests, NULL, NULL);
}
