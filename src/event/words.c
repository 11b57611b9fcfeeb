#include "event/words.h"

#include <string.h>

static const char *const titles_en[BB_TITLE_COUNT] = {
    [BB_TITLE_ISSUE_CREATED] = "Issue created",
    [BB_TITLE_ISSUE_REOPENED] = "Issue reopened",
    [BB_TITLE_ISSUE_RESOLVED] = "Issue resolved",
    [BB_TITLE_ISSUE_CANCELED] = "Issue canceled",
    [BB_TITLE_ISSUE_UPDATED] = "Updated issue",
    [BB_TITLE_REASSIGNED] = "Reassigned issue from {a} to {b}",
    [BB_TITLE_ASSIGNED] = "Assigned issue to {b}",
    [BB_TITLE_UNASSIGNED] = "Unassigned issue from {a}",
    [BB_TITLE_DESCRIPTION_CHANGED] = "Changed issue description",
    [BB_TITLE_NAME_CHANGED] = "Changed issue name",
    [BB_TITLE_COMMENT_CREATED] = "Comment created",
    [BB_TITLE_STAGE_BEGINS] = "Stage begins",
    [BB_TITLE_STAGE_ENDS] = "Stage ends",
    [BB_TITLE_STAGE_FAILED] = "Stage failed",
    [BB_TITLE_STAGE_CHANGED] = "Stage changed",
    [BB_TITLE_TASK_APPROVED] = "Task approved",
    [BB_TITLE_TASK_CANCELED] = "Task canceled",
    [BB_TITLE_TASK_STARTED] = "Task started",
    [BB_TITLE_TASK_COMPLETED] = "Task completed",
    [BB_TITLE_TASK_SKIPPED] = "Task skipped",
    [BB_TITLE_TASK_FAILED] = "Task failed",
    [BB_TITLE_TASK_CHANGED] = "Task changed",
    [BB_TITLE_TEST] = "Webhook test",
};

static const char *const titles_zh[BB_TITLE_COUNT] = {
    [BB_TITLE_ISSUE_CREATED] = "创建工单",
    [BB_TITLE_ISSUE_REOPENED] = "工单重开",
    [BB_TITLE_ISSUE_RESOLVED] = "工单完成",
    [BB_TITLE_ISSUE_CANCELED] = "工单取消",
    [BB_TITLE_ISSUE_UPDATED] = "工单信息变更",
    [BB_TITLE_REASSIGNED] = "转派 {a} 的工单给 {b}",
    [BB_TITLE_ASSIGNED] = "给 {b} 指派工单",
    [BB_TITLE_UNASSIGNED] = "取消指派给 {a} 的工单",
    [BB_TITLE_DESCRIPTION_CHANGED] = "工单描述变更",
    [BB_TITLE_NAME_CHANGED] = "工单标题变更",
    [BB_TITLE_COMMENT_CREATED] = "工单新评论",
    [BB_TITLE_STAGE_BEGINS] = "阶段开始",
    [BB_TITLE_STAGE_ENDS] = "阶段结束",
    [BB_TITLE_STAGE_FAILED] = "阶段失败",
    [BB_TITLE_STAGE_CHANGED] = "阶段状态变更",
    [BB_TITLE_TASK_APPROVED] = "任务审批通过",
    [BB_TITLE_TASK_CANCELED] = "任务取消",
    [BB_TITLE_TASK_STARTED] = "任务运行中",
    [BB_TITLE_TASK_COMPLETED] = "任务完成",
    [BB_TITLE_TASK_SKIPPED] = "任务跳过",
    [BB_TITLE_TASK_FAILED] = "任务失败",
    [BB_TITLE_TASK_CHANGED] = "任务状态变更",
    [BB_TITLE_TEST] = "测试消息",
};

static const char *const labels_en[BB_LABEL_COUNT] = {
    [BB_LABEL_PROJECT] = "Project",
    [BB_LABEL_ISSUE] = "Issue",
    [BB_LABEL_ISSUE_DESCRIPTION] = "Issue description",
    [BB_LABEL_STAGE] = "Stage",
    [BB_LABEL_TASK] = "Task",
    [BB_LABEL_STATUS] = "Status",
    [BB_LABEL_RESULT_DETAIL] = "Result detail",
    [BB_LABEL_BY] = "By",
};

static const char *const labels_zh[BB_LABEL_COUNT] = {
    [BB_LABEL_PROJECT] = "项目",
    [BB_LABEL_ISSUE] = "工单",
    [BB_LABEL_ISSUE_DESCRIPTION] = "工单描述",
    [BB_LABEL_STAGE] = "阶段",
    [BB_LABEL_TASK] = "任务",
    [BB_LABEL_STATUS] = "状态",
    [BB_LABEL_RESULT_DETAIL] = "结果详情",
    [BB_LABEL_BY] = "操作人",
};

const char *bb_word_title(bb_language language, enum bb_title title) {
    return language == BB_CHINESE ? titles_zh[title] : titles_en[title];
}

const char *bb_word_label(bb_language language, enum bb_label label) {
    return language == BB_CHINESE ? labels_zh[label] : labels_en[label];
}

const char *bb_word_colon(bb_language language) {
    return language == BB_CHINESE ? "：" : ": ";
}

const char *bb_word_button(bb_language language) {
    return language == BB_CHINESE ? "在 Bytebase 中查看" : "View in Bytebase";
}

const char *bb_word_everyone(bb_language language) {
    return language == BB_CHINESE ? "所有人" : "everyone";
}

const char *bb_word_test(bb_language language) {
    return language == BB_CHINESE ? "这是 Webhook {a} 的测试消息。"
                                  : "This is a test of webhook {a}.";
}

static size_t put(char *out, const char *text, size_t length) {
    if (out)
        memcpy(out, text, length);
    return length;
}

/* Writes the expansion, or with `out` NULL only counts it. */
static size_t expand(char *out, const char *pattern, const char *a, const char *b) {
    size_t used = 0;
    while (*pattern) {
        size_t plain = strcspn(pattern, "{");
        used += put(out ? out + used : NULL, pattern, plain);
        pattern += plain;
        if (*pattern) {
            const char *value = pattern[1] == 'a' ? a : b;
            used += put(out ? out + used : NULL, value, strlen(value));
            pattern += strlen("{a}");
        }
    }
    return used;
}

char *bb_word_expand(struct bb_arena *arena, const char *pattern, const char *a, const char *b) {
    if (!a || !b)
        return NULL;
    size_t length = expand(NULL, pattern, a, b);
    char *out = bb_arena_alloc(arena, length + 1);
    if (out)
        out[expand(out, pattern, a, b)] = '\0';
    return out;
}
