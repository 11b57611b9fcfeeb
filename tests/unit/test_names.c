/* Names and values: each the other's inverse, exactly spelled, and nothing else known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <string.h>

#include "event/names.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The enums' functions, each with int in place of its enum. */
#define FACE(name)                                                                                 \
    static const char *name##_name(int value) {                                                    \
        return bb_##name##_name((bb_##name)value);                                                 \
    }                                                                                              \
    static int name##_value(const char *text) {                                                    \
        return (int)bb_##name##_from_name(text);                                                   \
    }
FACE(activity)
FACE(level)
FACE(type)
FACE(language)
FACE(issue_status)
FACE(stage_status)

static const char *verdict_name(int value) {
    return bb_verdict_name((bb_verdict)value);
}

static const char *advice_name(int value) {
    return bb_advice_name((bb_advice)value);
}

static const struct vocabulary {
    const char *(*name)(int value);
    int (*value)(const char *name); /* NULL: there is no way back */
    struct {
        int value;
        const char *name;
    } words[8];
} vocabularies[] = {
    {activity_name,
     activity_value,
     {{BB_ISSUE_CREATE, "bb.issue.create"},
      {BB_ISSUE_STATUS_UPDATE, "bb.issue.status.update"},
      {BB_STAGE_STATUS_UPDATE, "bb.pipeline.stage.status.update"},
      {BB_TASK_STATUS_UPDATE, "bb.pipeline.task.status.update"},
      {BB_ISSUE_FIELD_UPDATE, "bb.issue.field.update"},
      {BB_ISSUE_COMMENT_CREATE, "bb.issue.comment.create"}}},
    {level_name,
     level_value,
     {{BB_INFO, "INFO"}, {BB_SUCCESS, "SUCCESS"}, {BB_WARN, "WARN"}, {BB_ERROR, "ERROR"}}},
    {type_name,
     type_value,
     {{BB_SLACK, "slack"},
      {BB_DISCORD, "discord"},
      {BB_TEAMS, "teams"},
      {BB_DINGTALK, "dingtalk"},
      {BB_FEISHU, "feishu"},
      {BB_WECOM, "wecom"},
      {BB_CUSTOM, "custom"}}},
    {language_name, language_value, {{BB_ENGLISH, "en"}, {BB_CHINESE, "zh"}}},
    {issue_status_name,
     issue_status_value,
     {{BB_ISSUE_OPEN, "OPEN"}, {BB_ISSUE_DONE, "DONE"}, {BB_ISSUE_CANCELED, "CANCELED"}}},
    {stage_status_name, stage_status_value, {{BB_STAGE_BEGIN, "BEGIN"}, {BB_STAGE_END, "END"}}},
    {verdict_name,
     NULL,
     {{BB_DELIVERED, "delivered"},
      {BB_RETRY, "retry"},
      {BB_DEAD, "dead"},
      {BB_UNKNOWN, "unknown"}}},
    {advice_name,
     NULL,
     {{BB_ADVICE_PAUSE, "pause"},
      {BB_ADVICE_OPERATOR, "operator"},
      {BB_ADVICE_DISABLE, "disable"}}},
};

static const char *expected_name(const struct vocabulary *v, int value) {
    for (size_t i = 0; i < COUNT(v->words); i++)
        if (v->words[i].name && v->words[i].value == value)
            return v->words[i].name;
    return "";
}

static void every_value_has_its_name_and_others_have_none(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(vocabularies); i++) {
        const struct vocabulary *v = &vocabularies[i];
        for (int value = -300; value <= 300; value++) {
            const char *name = expected_name(v, value);
            assert_string_equal(v->name(value), name);
            if (*name && v->value)
                assert_int_equal(v->value(name), value);
        }
    }
}

static void only_exact_spelling_is_known(void **state) {
    (void)state;
    static const char *const others[] = {
        NULL,
        "",
        " ",
        "Slack",
        "SLACK",
        "slack ",
        " slack",
        "slac",
        "slackk",
        "info",
        "open",
        "begin",
        "EN",
        "zh-CN",
        "english",
        "bb.issue.created",
        "BB.ISSUE.CREATE",
        "issue.create",
        "wechat",
        "webhook",
        "all",
    };
    for (size_t i = 0; i < COUNT(vocabularies); i++)
        for (size_t k = 0; vocabularies[i].value && k < COUNT(others); k++)
            assert_int_equal(vocabularies[i].value(others[k]), 0);
}

static void lark_is_another_name_of_feishu(void **state) {
    (void)state;
    assert_int_equal(bb_type_from_name("lark"), BB_FEISHU);
    assert_string_equal(bb_type_name(BB_FEISHU), "feishu");
}

static void all_activities_are_the_six_of_them(void **state) {
    (void)state;
    uint32_t all = 0;
    for (size_t i = 0; i < 6; i++)
        all |= (uint32_t)vocabularies[0].words[i].value;
    assert_int_equal(all, BB_ACTIVITY_ALL);
}

static void a_value_is_valid_when_it_has_a_name_or_means_the_usual(void **state) {
    (void)state;
    for (int value = -300; value <= 300; value++) {
        assert_int_equal(bb_activity_is_valid(value), *activity_name(value) != '\0');
        assert_int_equal(bb_level_is_valid(value), value == 0 || *level_name(value));
        assert_int_equal(bb_language_is_valid(value), value == 0 || *language_name(value));
    }
}

static void every_code_has_its_name(void **state) {
    (void)state;
    static const char *const names[] = {"BB_OK",
                                        "BB_ERR_NO_MEMORY",
                                        "BB_ERR_ARGUMENT",
                                        "BB_ERR_STRUCT",
                                        "BB_ERR_EVENT",
                                        "BB_ERR_WEBHOOK",
                                        "BB_ERR_URL",
                                        "BB_ERR_EXISTS",
                                        "BB_ERR_NOT_FOUND",
                                        "BB_ERR_TOO_LARGE",
                                        "BB_ERR_SYSTEM",
                                        "BB_ERR_FULL",
                                        "BB_ERR_BUSY",
                                        "BB_ERR_TIMEOUT",
                                        "BB_ERR_FORKED",
                                        "BB_ERR_OUTBOX",
                                        "BB_ERR_SIGNATURE",
                                        "BB_ERR_TOO_OLD",
                                        "BB_ERR_TOO_NEW",
                                        "BB_ERR_MISSING",
                                        "BB_ERR_MALFORMED"};
    for (size_t i = 0; i < COUNT(names); i++)
        assert_string_equal(bb_code_name(-(int)i), names[i]);
    assert_int_equal(BB_ERR_MALFORMED, 1 - (int)COUNT(names));
    const char *unknown = bb_code_name(-(int)COUNT(names));
    assert_string_not_equal(unknown, "");
    for (size_t i = 0; i < COUNT(names); i++)
        assert_string_not_equal(unknown, names[i]);
    assert_string_equal(bb_code_name(1), unknown);
    assert_string_equal(bb_code_name(INT32_MIN), unknown);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_has_its_name_and_others_have_none),
        cmocka_unit_test(only_exact_spelling_is_known),
        cmocka_unit_test(lark_is_another_name_of_feishu),
        cmocka_unit_test(all_activities_are_the_six_of_them),
        cmocka_unit_test(a_value_is_valid_when_it_has_a_name_or_means_the_usual),
        cmocka_unit_test(every_code_has_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
