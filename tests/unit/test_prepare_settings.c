/*
 * What a webhook's settings and the options make of a request: secrets that are
 * checked per type, what is masked, headers, button and keyword, the filter's
 * word, and the Custom endpoint's body to the byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/contract.h"
#include "support/hostile.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- helpers */

static bb_request *prepare(const bb_options *options, const bb_webhook *webhook,
                           const bb_event *event) {
    bb_attempt attempt = sample_attempt();
    bb_error error = BB_ERROR_INIT;
    bb_request *request = NULL;
    if (bb_webhook_prepare(options, webhook, event, &attempt, &request, &error) != BB_OK)
        fail_msg("%s: %s", bb_type_name(webhook->type), error.text);
    return request;
}

static bb_request *prepare_first(const bb_options *options, const bb_webhook *webhook) {
    sample s;
    sample_make(&s, &sample_cases[0]);
    return prepare(options, webhook, &s.event);
}

static const char *body_of(const bb_request *request) {
    return bb_request_body(request, BB_REAL, NULL);
}

static const char *header(const bb_request *request, const char *name) {
    for (size_t i = 0; i < bb_request_header_count(request); i++)
        if (strcmp(bb_request_header_name(request, i), name) == 0)
            return bb_request_header_value(request, i, BB_REAL);
    return NULL;
}

static void assert_webhook_refused(const bb_webhook *webhook, const char *what) {
    bb_error error = BB_ERROR_INIT;
    bb_request *request = NULL;
    sample s;
    sample_make(&s, &sample_cases[0]);
    int code = bb_webhook_prepare(NULL, webhook, &s.event, NULL, &request, &error);
    bb_request_free(request);
    if (code != BB_ERR_WEBHOOK)
        fail_msg("%s, %s (%s): %s", bb_type_name(webhook->type), what,
                 webhook->secret ? webhook->secret : "none", bb_code_name(code));
    if (!strstr(error.text, what))
        fail_msg("'%s' does not say %s", error.text, what);
    if (webhook->secret && strlen(webhook->secret) > 6 && strstr(error.text, webhook->secret))
        fail_msg("'%s' tells the secret", error.text);
}

/* ---- secrets */

static void products_that_have_no_secret_take_none(void **state) {
    (void)state;
    static const bb_type types[] = {BB_SLACK, BB_DISCORD, BB_TEAMS, BB_WECOM};
    for (size_t i = 0; i < COUNT(types); i++) {
        bb_webhook webhook = sample_webhook(types[i]);
        webhook.secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        assert_webhook_refused(&webhook, "secret");
        webhook.secret = "";
        bb_request_free(prepare_first(NULL, &webhook));
    }
}

static void a_custom_secret_has_16_to_64_bytes_in_base64(void **state) {
    (void)state;
#define BYTES_00_3F                                                                                \
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P"
    static const char *const good[] = {
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_AAECAwQFBgcICQoLDA0ODw==", /* 16 */
        "AAECAwQFBgcICQoLDA0ODw",
        "whsec_" BYTES_00_3F "w==", /* 64 */
    };
    static const char *const bad[] = {
        "whsec_",
        "whsec_AAECAwQFBgcICQoLDA0O", /* 15 */
        "whsec_" BYTES_00_3F "0A=",   /* 65 */
        "plain text that is not base64!",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwM",
        "whsec_MfKQ9r8G KYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw===",
        "whsec_=fKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    };
    bb_webhook webhook = sample_webhook(BB_CUSTOM);
    for (size_t i = 0; i < COUNT(good); i++) {
        webhook.secret = good[i];
        bb_request *request = prepare_first(NULL, &webhook);
        assert_non_null(header(request, "webhook-signature"));
        bb_request_free(request);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        webhook.secret = bad[i];
        assert_webhook_refused(&webhook, "secret");
    }
}

/* ---- mistakes */

static void a_webhook_with_a_mistake_is_refused_by_its_field(void **state) {
    (void)state;
    char long_id[300], long_keyword[300];
    memset(long_id, 'x', sizeof(long_id));
    memset(long_keyword, 'x', sizeof(long_keyword));
    long_id[256] = long_keyword[201] = '\0';
    static const char *const no_type[] = {NULL};
    const bb_webhook usual = sample_webhook(BB_DINGTALK);
    bb_webhook w = usual;
    w.id = w.name = NULL;
    assert_webhook_refused(&w, "id");
    w = usual, w.id = long_id;
    assert_webhook_refused(&w, "id");
    w = usual, w.type = (bb_type)0;
    assert_webhook_refused(&w, "type");
    w = usual, w.type = (bb_type)8;
    assert_webhook_refused(&w, "type");
    w = usual, w.activities = BB_ACTIVITY_ALL + 1;
    assert_webhook_refused(&w, "activities");
    w = usual, w.language = (bb_language)3;
    assert_webhook_refused(&w, "language");
    w = usual, w.min_level = (bb_level)5;
    assert_webhook_refused(&w, "min_level");
    w = usual, w.issue_statuses = 8;
    assert_webhook_refused(&w, "issue_statuses");
    w = usual, w.issue_types = no_type, w.issue_type_count = 1;
    assert_webhook_refused(&w, "issue_types");
    w = usual, w.issue_types = NULL, w.issue_type_count = 1;
    assert_webhook_refused(&w, "issue_types");
    w = usual, w.keyword = long_keyword;
    assert_webhook_refused(&w, "keyword");
}

static void an_event_with_a_mistake_is_refused(void **state) {
    (void)state;
    static const int activities[] = {0, 3, 0x40, -1};
    bb_webhook webhook = sample_webhook(BB_SLACK);
    bb_request *request = NULL;
    for (size_t i = 0; i < COUNT(activities); i++) {
        bb_event event = BB_EVENT_INIT;
        event.activity = (bb_activity)activities[i];
        assert_int_equal(bb_webhook_prepare(NULL, &webhook, &event, NULL, &request, NULL),
                         BB_ERR_EVENT);
        event.activity = BB_ISSUE_CREATE;
        event.level = (bb_level)(5 + i);
        assert_int_equal(bb_webhook_prepare(NULL, &webhook, &event, NULL, &request, NULL),
                         BB_ERR_EVENT);
    }
    assert_null(request);
}

/* ---- headers and masks */

static void each_request_has_its_headers(void **state) {
    (void)state;
    FOR_EACH_TYPE(type) {
        bb_webhook webhook = sample_webhook(type);
        bb_request *request = prepare_first(NULL, &webhook);
        size_t count = bb_request_header_count(request);
        assert_string_equal(bb_request_method(request), "POST");
        assert_string_equal(header(request, "Content-Type"),
                            type == BB_CUSTOM ? "application/json"
                                              : "application/json; charset=utf-8");
        assert_string_equal(header(request, "User-Agent"), "bb_webhook/" BB_WEBHOOK_VERSION);
        assert_int_equal(count, type == BB_CUSTOM ? 4 : 2);
        assert_null(bb_request_header_name(request, count));
        assert_null(bb_request_header_value(request, count, BB_REAL));
        assert_null(bb_request_header_value(request, SIZE_MAX, BB_MASKED));
        assert_null(bb_request_cut(request, bb_request_cut_count(request)));
        bb_request_free(request);
    }
}

static void the_user_agent_is_the_hosts(void **state) {
    (void)state;
    static const char *const bad[] = {"a\r\nX-Evil: 1", "a\nb", "a\x01", "a\x7f"};
    bb_webhook webhook = sample_webhook(BB_SLACK);
    bb_options options = BB_OPTIONS_INIT;
    bb_request *request;
    char agent[] = "tracker/2.0";
    sample s;
    sample_make(&s, &sample_cases[0]);
    options.user_agent = agent;
    request = prepare_first(&options, &webhook);
    memset(agent, '?', sizeof(agent) - 1); /* borrowed for the call only */
    assert_string_equal(header(request, "User-Agent"), "tracker/2.0");
    bb_request_free(request);
    for (size_t i = 0; i < COUNT(bad); i++) {
        options.user_agent = bad[i];
        assert_int_equal(bb_webhook_prepare(&options, &webhook, &s.event, NULL, &request, NULL),
                         BB_ERR_ARGUMENT);
    }
}

static void url_path_and_query_are_masked(void **state) {
    (void)state;
    FOR_EACH_TYPE(type) {
        bb_webhook webhook = sample_webhook(type);
        bb_request *request = prepare_first(NULL, &webhook);
        char expected[256];
        size_t origin = (size_t)(strchr(webhook.url + 8, '/') - webhook.url);
        snprintf(expected, sizeof(expected), "%.*s/***", (int)origin, webhook.url);
        assert_string_equal(bb_request_url(request, BB_MASKED), expected);
        assert_string_equal(bb_request_body(request, BB_MASKED, NULL), body_of(request));
        bb_request_free(request);
    }
}

/* Nothing that was borrowed for the call is needed afterwards. */
static void a_request_outlives_what_it_was_made_of(void **state) {
    (void)state;
    FOR_EACH_TYPE(type) {
        bb_webhook webhook = sample_webhook(type);
        char *url = strdup(webhook.url), *name = strdup(SAMPLE_ISSUE);
        sample s;
        sample_make(&s, &sample_cases[0]);
        webhook.url = url;
        s.issue.name = name;
        bb_request *request = prepare(NULL, &webhook, &s.event);
        memset(url, '?', strlen(url));
        memset(name, '?', strlen(name));
        assert_non_null(strstr(body_of(request), SAMPLE_ISSUE));
        assert_null(strchr(bb_request_url(request, BB_MASKED), '?'));
        bb_request_free(request);
        free(url);
        free(name);
    }
}

/* ---- button */

static void check_button(bb_webhook *webhook, const sample *s, const char *text,
                         const char *expected) {
    contract_made made;
    webhook->button_text = text;
    contract_try("%s, %s, button = %s", bb_type_name(webhook->type),
                 bb_language_name(webhook->language), text ? text : "NULL");
    if (contract_prepare(&made, webhook, &s->event)) {
        contract_check(&made, &(struct decode_expect){.link = SAMPLE_LINK});
        contract_check_shows(&made, expected, true);
    }
    contract_free(&made);
}

static void the_button_says_what_the_webhook_wants(void **state) {
    (void)state;
    FOR_EACH_TYPE(type) {
        bb_webhook webhook = sample_webhook(type);
        sample s;
        sample_make(&s, &sample_cases[0]);
        if (type == BB_DISCORD || type == BB_CUSTOM) /* Discord's title is the link */
            continue;
        webhook.language = BB_ENGLISH;
        check_button(&webhook, &s, NULL, "View in Bytebase");
        check_button(&webhook, &s, "", "View in Bytebase");
        check_button(&webhook, &s, " \n\u200b", "View in Bytebase");
        check_button(&webhook, &s, "Open the tracker", "Open the tracker");
        check_button(&webhook, &s, "打开 *工单* [1]", "打开 *工单* [1]");
        check_button(&webhook, &s, "two\nlines", "two lines");
        webhook.dingtalk_action_card = 1;
        check_button(&webhook, &s, "Open <the> tracker", "Open <the> tracker");
    }
}

/* ---- keyword */

static size_t occurrences(const char *text, const char *part) {
    size_t count = 0;
    for (; (text = strstr(text, part)); text++)
        count++;
    return count;
}

/* How often a reader of the message sees the keyword; `button` keeps the usual one
 * out of the link. */
static size_t seen(bb_type type, const char *keyword, const char *wanted, const char *title) {
    bb_webhook webhook = sample_webhook(type);
    contract_made made;
    sample s;
    size_t count = 0;
    sample_make(&s, &sample_cases[0]);
    s.event.title = title;
    webhook.keyword = keyword;
    webhook.button_text = "Open";
    contract_try("%s, keyword = %s", bb_type_name(type), keyword ? keyword : "NULL");
    if (contract_prepare(&made, &webhook, &s.event)) {
        char *texts = decode_texts(type, made.body, made.length);
        contract_check(&made, &(struct decode_expect){.link = SAMPLE_LINK});
        count = occurrences(texts, wanted);
        free(texts);
    }
    contract_free(&made);
    return count;
}

static void the_keyword_is_added_for_dingtalk_and_feishu_alone(void **state) {
    (void)state;
    FOR_EACH_TYPE(type) {
        bool needs_it = type == BB_DINGTALK || type == BB_FEISHU;
        assert_int_equal(seen(type, NULL, "Bytebase", NULL), needs_it);
        assert_int_equal(seen(type, "", "Bytebase", NULL), 0);
        assert_int_equal(seen(type, "告警", "告警", NULL), needs_it);
        assert_int_equal(seen(type, "DB ops", "DB ops", NULL), needs_it);
        assert_int_equal(seen(type, "DB ops", "Bytebase", NULL), 0);
    }
    assert_int_equal(seen(BB_DINGTALK, "Shop", "Shop", NULL), 1); /* the project's name */
}

static void the_longest_keyword_is_never_cut(void **state) {
    (void)state;
    static const bb_type types[] = {BB_DINGTALK, BB_FEISHU};
    char *keyword = hostile_repeat("词", 200);
    for (size_t i = 0; i < COUNT(types); i++)
        assert_int_equal(seen(types[i], keyword, keyword, hostile_long(4)->text), 1);
    free(keyword);
}

/* ---- the filter's word */

static void a_webhook_matches_what_it_asked_for(void **state) {
    (void)state;
    static const char *const types[] = {"bb.issue.x", "bb.issue.database.schema.update"};
    bb_webhook usual = sample_webhook(BB_SLACK), w = usual;
    sample s;
    sample_make(&s, &sample_cases[0]);
#define MATCHES(expected) assert_int_equal(bb_webhook_matches(&w, &s.event, NULL), expected)
    MATCHES(1);
    w = usual, w.activities = BB_ISSUE_COMMENT_CREATE;
    MATCHES(0);
    w.activities = 0;
    MATCHES(0);
    w = usual, w.disabled = 1;
    MATCHES(0);
    w = usual, w.project_id = 7;
    MATCHES(1);
    w.project_id = 8;
    MATCHES(0);
    w = usual, w.min_level = BB_INFO;
    MATCHES(1);
    w.min_level = BB_SUCCESS;
    MATCHES(0);
    w = usual, w.issue_statuses = BB_ISSUE_OPEN | BB_ISSUE_DONE;
    MATCHES(1);
    w.issue_statuses = BB_ISSUE_DONE;
    MATCHES(0);
    w = usual, w.issue_types = types, w.issue_type_count = 2;
    MATCHES(1);
    w.issue_type_count = 1;
    MATCHES(0);
    s.event.issue = NULL;
    MATCHES(0);
    w = usual, w.issue_statuses = BB_ISSUE_OPEN;
    MATCHES(0);
    s.event.project = NULL;
    w = usual, w.project_id = 7;
    MATCHES(0);
    w = usual, w.type = (bb_type)9;
    MATCHES(BB_ERR_WEBHOOK);
    w = usual, s.event.activity = (bb_activity)0;
    MATCHES(BB_ERR_EVENT);
#undef MATCHES
}

/* ---- the Custom body */

static void assert_custom_body(const sample *s, const char *expected) {
    bb_webhook webhook = sample_webhook(BB_CUSTOM);
    bb_request *request = prepare(NULL, &webhook, &s->event);
    assert_string_equal(body_of(request), expected);
    bb_request_free(request);
}

static void a_custom_body_is_the_documented_one(void **state) {
    (void)state;
    sample s;
    sample_make(&s, &sample_cases[0]);
    s.event.description = "a \"b\"\n/c";
    assert_custom_body(
        &s,
        "{\"level\":\"INFO\",\"activity_type\":\"bb.issue.create\","
        "\"title\":\"Issue created - Add index to orders\",\"description\":\"a \\\"b\\\"\\n/c\","
        "\"link\":\"https://bb.example.com/issue/101\",\"creator_id\":42,"
        "\"creator_name\":\"Ada Lovelace\",\"created_ts\":1700000000,"
        "\"issue\":{\"id\":101,\"name\":\"Add index to orders\",\"status\":\"OPEN\","
        "\"type\":\"bb.issue.database.schema.update\","
        "\"description\":\"The list of orders reads the whole table.\"},"
        "\"project\":{\"id\":7,\"name\":\"Shop\"}}");
}

static void a_custom_body_says_null_of_what_is_missing(void **state) {
    (void)state;
    sample s;
    sample_make(&s, &sample_cases[0]);
    s.event.issue = NULL;
    s.event.project = NULL;
    s.event.creator = NULL;
    s.event.link = NULL;
    s.event.created_ts = 0; /* when it is posted */
    assert_custom_body(&s, "{\"level\":\"INFO\",\"activity_type\":\"bb.issue.create\","
                           "\"title\":\"Issue created\",\"description\":\"\",\"link\":\"\","
                           "\"creator_id\":0,\"creator_name\":\"\",\"created_ts\":1700000000,"
                           "\"issue\":null,\"project\":null}");
}

static void a_custom_body_keeps_64_bits(void **state) {
    (void)state;
    bb_webhook webhook = sample_webhook(BB_CUSTOM);
    sample s;
    sample_make(&s, &sample_cases[0]);
    s.creator.id = INT64_MAX;
    s.issue.id = INT64_C(9007199254740993);
    s.project.id = INT64_MIN;
    s.event.created_ts = -1;
    bb_request *request = prepare(NULL, &webhook, &s.event);
    assert_non_null(strstr(body_of(request), "\"creator_id\":9223372036854775807,"));
    assert_non_null(strstr(body_of(request), "\"created_ts\":-1,"));
    assert_non_null(strstr(body_of(request), "\"issue\":{\"id\":9007199254740993,"));
    assert_non_null(strstr(body_of(request), "\"project\":{\"id\":-9223372036854775808,"));
    bb_request_free(request);
}

/* Only events of a stage have a `stage`, only events of a task a `task`. */
static void a_custom_body_tells_of_stage_and_task_where_they_are_the_subject(void **state) {
    (void)state;
    bb_webhook webhook = sample_webhook(BB_CUSTOM);
    for (size_t i = 0; i < SAMPLE_ACTIVITIES; i++) {
        sample s;
        sample_fill(&s, sample_activity(i));
        bb_request *request = prepare(NULL, &webhook, &s.event);
        bool is_stage = s.event.activity == BB_STAGE_STATUS_UPDATE;
        bool is_task = s.event.activity == BB_TASK_STATUS_UPDATE;
        assert_int_equal(strstr(body_of(request), ",\"stage\":{\"id\":3,\"name\":\"Prod\","
                                                  "\"status\":\"END\",\"failed_tasks\":0}") != NULL,
                         is_stage);
        assert_int_equal(strstr(body_of(request),
                                ",\"task\":{\"id\":9,\"name\":\"Update schema of shop_prod\","
                                "\"old_status\":\"RUNNING\",\"status\":\"FAILED\","
                                "\"detail\":\"Lock wait timeout\",\"skipped_reason\":\"\"}") !=
                             NULL,
                         is_task);
        assert_int_equal(strstr(body_of(request), "\"stage\":") != NULL, is_stage);
        assert_int_equal(strstr(body_of(request), "\"task\":") != NULL, is_task);
        bb_request_free(request);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_that_have_no_secret_take_none),
        cmocka_unit_test(a_custom_secret_has_16_to_64_bytes_in_base64),
        cmocka_unit_test(a_webhook_with_a_mistake_is_refused_by_its_field),
        cmocka_unit_test(an_event_with_a_mistake_is_refused),
        cmocka_unit_test(each_request_has_its_headers),
        cmocka_unit_test(the_user_agent_is_the_hosts),
        cmocka_unit_test(url_path_and_query_are_masked),
        cmocka_unit_test(a_request_outlives_what_it_was_made_of),
        CONTRACT(the_button_says_what_the_webhook_wants),
        CONTRACT(the_keyword_is_added_for_dingtalk_and_feishu_alone),
        CONTRACT(the_longest_keyword_is_never_cut),
        cmocka_unit_test(a_webhook_matches_what_it_asked_for),
        cmocka_unit_test(a_custom_body_is_the_documented_one),
        cmocka_unit_test(a_custom_body_says_null_of_what_is_missing),
        cmocka_unit_test(a_custom_body_keeps_64_bits),
        cmocka_unit_test(a_custom_body_tells_of_stage_and_task_where_they_are_the_subject),
    };
    int failed = cmocka_run_group_tests_name("prepare: settings", tests, NULL, NULL);
    hostile_free();
    return failed;
}
