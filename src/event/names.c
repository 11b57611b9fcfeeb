/* Names <-> enums: how configuration, JSON and Prometheus spell the vocabulary. */
#include "event/names.h"

#include <string.h>

struct name {
    int value;
    const char *text;
};

static const struct name activities[] = {
    {BB_ISSUE_CREATE, "bb.issue.create"},
    {BB_ISSUE_STATUS_UPDATE, "bb.issue.status.update"},
    {BB_STAGE_STATUS_UPDATE, "bb.pipeline.stage.status.update"},
    {BB_TASK_STATUS_UPDATE, "bb.pipeline.task.status.update"},
    {BB_ISSUE_FIELD_UPDATE, "bb.issue.field.update"},
    {BB_ISSUE_COMMENT_CREATE, "bb.issue.comment.create"},
    {0, NULL},
};
static const struct name levels[] = {
    {BB_INFO, "INFO"}, {BB_SUCCESS, "SUCCESS"}, {BB_WARN, "WARN"}, {BB_ERROR, "ERROR"}, {0, NULL},
};
static const struct name types[] = {
    {BB_SLACK, "slack"},       {BB_DISCORD, "discord"}, {BB_TEAMS, "teams"},
    {BB_DINGTALK, "dingtalk"}, {BB_FEISHU, "feishu"},   {BB_WECOM, "wecom"},
    {BB_CUSTOM, "custom"},     {BB_FEISHU, "lark"},     {0, NULL},
};
static const struct name languages[] = {{BB_ENGLISH, "en"}, {BB_CHINESE, "zh"}, {0, NULL}};
static const struct name issue_statuses[] = {
    {BB_ISSUE_OPEN, "OPEN"},
    {BB_ISSUE_DONE, "DONE"},
    {BB_ISSUE_CANCELED, "CANCELED"},
    {0, NULL},
};
static const struct name stage_statuses[] = {
    {BB_STAGE_BEGIN, "BEGIN"},
    {BB_STAGE_END, "END"},
    {0, NULL},
};
static const struct name verdicts[] = {
    {BB_DELIVERED, "delivered"}, {BB_RETRY, "retry"}, {BB_DEAD, "dead"},
    {BB_UNKNOWN, "unknown"},     {0, NULL},
};
static const struct name advices[] = {
    {BB_ADVICE_PAUSE, "pause"},
    {BB_ADVICE_OPERATOR, "operator"},
    {BB_ADVICE_DISABLE, "disable"},
    {0, NULL},
};
static const struct name codes[] = {
    {BB_OK, "BB_OK"},
    {BB_ERR_NO_MEMORY, "BB_ERR_NO_MEMORY"},
    {BB_ERR_ARGUMENT, "BB_ERR_ARGUMENT"},
    {BB_ERR_STRUCT, "BB_ERR_STRUCT"},
    {BB_ERR_EVENT, "BB_ERR_EVENT"},
    {BB_ERR_WEBHOOK, "BB_ERR_WEBHOOK"},
    {BB_ERR_URL, "BB_ERR_URL"},
    {BB_ERR_EXISTS, "BB_ERR_EXISTS"},
    {BB_ERR_NOT_FOUND, "BB_ERR_NOT_FOUND"},
    {BB_ERR_TOO_LARGE, "BB_ERR_TOO_LARGE"},
    {BB_ERR_SYSTEM, "BB_ERR_SYSTEM"},
    {BB_ERR_FULL, "BB_ERR_FULL"},
    {BB_ERR_BUSY, "BB_ERR_BUSY"},
    {BB_ERR_TIMEOUT, "BB_ERR_TIMEOUT"},
    {BB_ERR_FORKED, "BB_ERR_FORKED"},
    {BB_ERR_OUTBOX, "BB_ERR_OUTBOX"},
    {BB_ERR_SIGNATURE, "BB_ERR_SIGNATURE"},
    {BB_ERR_TOO_OLD, "BB_ERR_TOO_OLD"},
    {BB_ERR_TOO_NEW, "BB_ERR_TOO_NEW"},
    {BB_ERR_MISSING, "BB_ERR_MISSING"},
    {BB_ERR_MALFORMED, "BB_ERR_MALFORMED"},
    {0, NULL},
};

static const char *text_of(const struct name *names, int value) {
    for (; names->text; names++)
        if (names->value == value)
            return names->text;
    return "";
}

static int value_of(const struct name *names, const char *text) {
    for (; text && names->text; names++)
        if (strcmp(names->text, text) == 0)
            return names->value;
    return 0;
}

const char *bb_activity_name(bb_activity activity) {
    return text_of(activities, (int)activity);
}

const char *bb_level_name(bb_level level) {
    return text_of(levels, (int)level);
}

const char *bb_type_name(bb_type type) {
    return text_of(types, (int)type);
}

const char *bb_language_name(bb_language language) {
    return text_of(languages, (int)language);
}

const char *bb_issue_status_name(bb_issue_status status) {
    return text_of(issue_statuses, (int)status);
}

const char *bb_stage_status_name(bb_stage_status status) {
    return text_of(stage_statuses, (int)status);
}

const char *bb_verdict_name(bb_verdict verdict) {
    return text_of(verdicts, (int)verdict);
}

const char *bb_advice_name(bb_advice advice) {
    return text_of(advices, (int)advice);
}

const char *bb_code_name(int code) {
    const char *name = text_of(codes, code);
    return *name ? name : "BB_ERR_?";
}

bb_activity bb_activity_from_name(const char *name) {
    return (bb_activity)value_of(activities, name);
}

bb_level bb_level_from_name(const char *name) {
    return (bb_level)value_of(levels, name);
}

bb_type bb_type_from_name(const char *name) {
    return (bb_type)value_of(types, name);
}

bb_language bb_language_from_name(const char *name) {
    return (bb_language)value_of(languages, name);
}

bb_issue_status bb_issue_status_from_name(const char *name) {
    return (bb_issue_status)value_of(issue_statuses, name);
}

bb_stage_status bb_stage_status_from_name(const char *name) {
    return (bb_stage_status)value_of(stage_statuses, name);
}

bool bb_activity_is_valid(int activity) {
    return *text_of(activities, activity) != '\0';
}

bool bb_level_is_valid(int level) {
    return level == 0 || *text_of(levels, level) != '\0';
}

bool bb_language_is_valid(int language) {
    return language == 0 || *text_of(languages, language) != '\0';
}
