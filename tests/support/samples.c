#include "support/samples.h"

/* ---- webhooks */

#define TOKEN "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char *const urls[] = {
    [BB_SLACK] = "https://hooks.slack.com/services/T0123/B4567/abcdefghijklmnopqrstuvwx",
    [BB_DISCORD] = "https://discord.com/api/webhooks/1234567890/AbCdEfGhIjKlMnOpQrStUvWxYz",
    [BB_TEAMS] = "https://env.01.environment.api.powerplatform.com:443/powerautomate/automations/"
                 "direct/workflows/0a1b2c/triggers/manual/paths/invoke?api-version=1"
                 "&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=Sig-Of_The-Flow",
    [BB_DINGTALK] = "https://oapi.dingtalk.com/robot/send?access_token=" TOKEN,
    [BB_FEISHU] =
        "https://open.feishu.cn/open-apis/bot/v2/hook/0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
    [BB_WECOM] = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=0a1b2c3d-4e5f-6071-8293",
    [BB_CUSTOM] = "https://receiver.example.com/hooks/bytebase?token=abcdef",
};

bb_webhook sample_webhook(bb_type type) {
    bb_webhook webhook = BB_WEBHOOK_INIT;
    webhook.id = "hook-1";
    webhook.name = "ops room";
    webhook.type = type;
    webhook.url = urls[type];
    webhook.activities = BB_ACTIVITY_ALL;
    return webhook;
}

bb_attempt sample_attempt(void) {
    bb_attempt attempt = BB_ATTEMPT_INIT;
    attempt.time_ms = SAMPLE_TIME * 1000;
    attempt.delivery_id = "msg_sample";
    return attempt;
}

/* ---- events */

const sample_case sample_cases[] = {
    {"issue created", "Issue created", "创建工单", BB_ISSUE_CREATE, BB_INFO,
     .issue_status = BB_ISSUE_OPEN},
    {"issue reopened", "Issue reopened", "工单重开", BB_ISSUE_STATUS_UPDATE, BB_INFO,
     .issue_status = BB_ISSUE_OPEN},
    {"issue resolved", "Issue resolved", "工单完成", BB_ISSUE_STATUS_UPDATE, BB_SUCCESS,
     .issue_status = BB_ISSUE_DONE},
    {"issue canceled", "Issue canceled", "工单取消", BB_ISSUE_STATUS_UPDATE, BB_INFO,
     .issue_status = BB_ISSUE_CANCELED},
    {"stage begins", "Stage begins", "阶段开始", BB_STAGE_STATUS_UPDATE, BB_INFO,
     .stage_status = BB_STAGE_BEGIN},
    {"stage ends", "Stage ends", "阶段结束", BB_STAGE_STATUS_UPDATE, BB_SUCCESS,
     .stage_status = BB_STAGE_END},
    {"stage failed", "Stage failed", "阶段失败", BB_STAGE_STATUS_UPDATE, BB_ERROR,
     .stage_status = BB_STAGE_END, .failed_tasks = 2},
    {"task approved", "Task approved", "任务审批通过", BB_TASK_STATUS_UPDATE, BB_INFO,
     .old_status = BB_TASK_PENDING_APPROVAL, .status = BB_TASK_PENDING},
    {"task canceled while running", "Task canceled", "任务取消", BB_TASK_STATUS_UPDATE, BB_INFO,
     .old_status = BB_TASK_RUNNING, .status = BB_TASK_PENDING},
    {"task canceled", "Task canceled", "任务取消", BB_TASK_STATUS_UPDATE, BB_INFO,
     .old_status = BB_TASK_PENDING, .status = BB_TASK_CANCELED},
    {"task started", "Task started", "任务运行中", BB_TASK_STATUS_UPDATE, BB_INFO,
     .old_status = BB_TASK_PENDING, .status = BB_TASK_RUNNING},
    {"task completed", "Task completed", "任务完成", BB_TASK_STATUS_UPDATE, BB_SUCCESS,
     .old_status = BB_TASK_RUNNING, .status = BB_TASK_DONE},
    {"task skipped", "Task skipped", "任务跳过", BB_TASK_STATUS_UPDATE, BB_INFO,
     .old_status = BB_TASK_FAILED, .status = BB_TASK_DONE,
     .skipped_reason = "The index is there already"},
    {"task failed", "Task failed", "任务失败", BB_TASK_STATUS_UPDATE, BB_ERROR,
     .old_status = BB_TASK_RUNNING, .status = BB_TASK_FAILED,
     .detail = "ERROR 1062 (23000): Duplicate entry '7-2026' for key 'orders.uk_number'"},
    {"task changed", "Task changed", "任务状态变更", BB_TASK_STATUS_UPDATE, BB_INFO,
     .old_status = BB_TASK_PENDING, .status = "WAITING_FOR_WINDOW"},
    {"assignee replaced", "Reassigned issue from Ann Lee to Bob Ray",
     "转派 Ann Lee 的工单给 Bob Ray", BB_ISSUE_FIELD_UPDATE, BB_INFO, .field = "assignee",
     .old_value = "Ann Lee", .new_value = "Bob Ray"},
    {"assignee set", "Assigned issue to Bob Ray", "给 Bob Ray 指派工单", BB_ISSUE_FIELD_UPDATE,
     BB_INFO, .field = "assignee", .new_value = "Bob Ray"},
    {"assignee removed", "Unassigned issue from Ann Lee", "取消指派给 Ann Lee 的工单",
     BB_ISSUE_FIELD_UPDATE, BB_INFO, .field = "assignee", .old_value = "Ann Lee"},
    {"description changed", "Changed issue description", "工单描述变更", BB_ISSUE_FIELD_UPDATE,
     BB_INFO, .field = "description", .old_value = "slow", .new_value = "slow on Mondays"},
    {"name changed", "Changed issue name", "工单标题变更", BB_ISSUE_FIELD_UPDATE, BB_INFO,
     .field = "name", .old_value = "Add index", .new_value = SAMPLE_ISSUE},
    {"other field changed", "Updated issue", "工单信息变更", BB_ISSUE_FIELD_UPDATE, BB_INFO,
     .field = "priority", .old_value = "low", .new_value = "high"},
    {"comment", "Comment created", "工单新评论", BB_ISSUE_COMMENT_CREATE, BB_INFO,
     .issue_status = BB_ISSUE_OPEN},
};
const size_t sample_case_count = sizeof(sample_cases) / sizeof(sample_cases[0]);

static void make_common(sample *s, bb_activity activity) {
    *s = (sample){.event = BB_EVENT_INIT, .creator = BB_USER_INIT, .project = BB_PROJECT_INIT};
    s->issue = (bb_issue)BB_ISSUE_INIT;
    s->field = (bb_field)BB_FIELD_INIT;
    s->stage = (bb_stage)BB_STAGE_INIT;
    s->task = (bb_task)BB_TASK_INIT;
    s->mention = (bb_mention)BB_MENTION_INIT;
    s->creator.id = 42;
    s->creator.name = "Ada Lovelace";
    s->creator.email = "ada@example.com";
    s->project.id = 7;
    s->project.name = "Shop";
    s->issue.id = 101;
    s->issue.name = SAMPLE_ISSUE;
    s->issue.type = "bb.issue.database.schema.update";
    s->issue.description = "The list of orders reads the whole table.";
    s->issue.status = BB_ISSUE_OPEN;
    s->event.id = "evt-1";
    s->event.activity = activity;
    s->event.created_ts = SAMPLE_TIME;
    s->event.link = SAMPLE_LINK;
    s->event.creator = &s->creator;
    s->event.project = &s->project;
    s->event.issue = &s->issue;
}

static void add_stage(sample *s, bb_stage_status status, int64_t failed_tasks) {
    s->stage.id = 3;
    s->stage.name = "Prod";
    s->stage.status = status;
    s->stage.failed_tasks = failed_tasks;
    s->event.stage = &s->stage;
}

static void add_task(sample *s, const char *old_status, const char *status) {
    s->task.id = 9;
    s->task.name = "Update schema of shop_prod";
    s->task.old_status = old_status;
    s->task.status = status;
    s->event.task = &s->task;
}

static void add_field(sample *s, const char *name, const char *old_value, const char *new_value) {
    s->field.name = name;
    s->field.old_value = old_value;
    s->field.new_value = new_value;
    s->event.field = &s->field;
}

void sample_make(sample *s, const sample_case *c) {
    make_common(s, c->activity);
    if (c->issue_status)
        s->issue.status = c->issue_status;
    if (c->activity == BB_STAGE_STATUS_UPDATE)
        add_stage(s, c->stage_status, c->failed_tasks);
    if (c->activity == BB_TASK_STATUS_UPDATE) {
        add_stage(s, BB_STAGE_BEGIN, 0);
        add_task(s, c->old_status, c->status);
        s->task.detail = c->detail;
        s->task.skipped_reason = c->skipped_reason;
    }
    if (c->activity == BB_ISSUE_FIELD_UPDATE)
        add_field(s, c->field, c->old_value, c->new_value);
    if (c->activity == BB_ISSUE_COMMENT_CREATE)
        s->event.comment = "Please run it after the backup.\nThe table is large.";
}

bb_activity sample_activity(size_t index) {
    return (bb_activity)(1u << index);
}

void sample_fill(sample *s, bb_activity activity) {
    make_common(s, activity);
    add_stage(s, BB_STAGE_END, 0);
    add_task(s, BB_TASK_RUNNING, BB_TASK_FAILED);
    add_field(s, "assignee", "Ann Lee", "Bob Ray");
    s->task.detail = "Lock wait timeout";
    s->event.description = "Two lines.\nThis is the second one.";
    s->event.comment = "A comment.";
    s->mention.name = "Cho Eun";
    s->mentions[0] = &s->mention;
    s->event.mentions = s->mentions;
    s->event.mention_count = 1;
}

/* ---- texts */

enum {
    ALL = BB_ACTIVITY_ALL,
    OF_ISSUE =
        BB_ISSUE_CREATE | BB_ISSUE_STATUS_UPDATE | BB_ISSUE_FIELD_UPDATE | BB_ISSUE_COMMENT_CREATE,
    OF_STAGE = BB_STAGE_STATUS_UPDATE,
    OF_TASK = BB_TASK_STATUS_UPDATE,
    OF_FIELD = BB_ISSUE_FIELD_UPDATE,
};

#define AT(member) offsetof(sample, member)

const sample_text sample_texts[] = {
    {"id", AT(event.id), 0, 0, 0, NULL, NULL, 0},
    {"title", AT(event.title), 0, ALL, ALL, "title", NULL, ALL},
    {"description", AT(event.description), 0, ALL, ALL, "description", NULL, 0},
    {"comment", AT(event.comment), AT(event.description), BB_ISSUE_COMMENT_CREATE,
     BB_ISSUE_COMMENT_CREATE, "description", NULL, 0},
    {"creator.name", AT(creator.name), 0, ALL, ALL, "by", NULL, 0},
    {"creator.email", AT(creator.email), AT(creator.name), ALL, 0, "by", NULL, 0},
    {"issue.name", AT(issue.name), 0, ALL, ALL, "issue", NULL, OF_ISSUE},
    {"issue.type", AT(issue.type), 0, 0, ALL, "issue_type", NULL, 0},
    {"issue.description", AT(issue.description), 0, ALL, ALL, "issue_description", NULL, 0},
    {"project.name", AT(project.name), 0, ALL, ALL, "project", NULL, 0},
    {"field.name", AT(field.name), 0, 0, 0, NULL, NULL, 0},
    {"field.old", AT(field.old_value), 0, OF_FIELD, OF_FIELD, "title", NULL, OF_FIELD},
    {"field.new", AT(field.new_value), 0, OF_FIELD, OF_FIELD, "title", NULL, OF_FIELD},
    {"stage.name", AT(stage.name), 0, ALL, OF_STAGE, "stage", NULL, OF_STAGE},
    {"task.name", AT(task.name), 0, ALL, OF_TASK, "task", NULL, OF_TASK},
    {"task.old_status", AT(task.old_status), 0, 0, OF_TASK, "status", NULL, 0},
    {"task.status", AT(task.status), 0, OF_TASK, OF_TASK, "status", NULL, 0},
    {"task.detail", AT(task.detail), 0, ALL, OF_TASK, "result_detail", NULL, 0},
    {"task.skipped_reason", AT(task.skipped_reason), AT(task.detail), ALL, OF_TASK, "result_detail",
     "skipped_reason", 0},
    {"mentions[].name", AT(mention.name), 0, ALL, 0, "mentions", NULL, 0},
};
const size_t sample_text_count = sizeof(sample_texts) / sizeof(sample_texts[0]);

static void put(sample *s, size_t offset, const char *value) {
    *(const char **)((char *)s + offset) = value;
}

void sample_set(sample *s, const sample_text *text, const char *value) {
    put(s, text->offset, value);
    if (text->hides)
        put(s, text->hides, NULL);
}

int sample_shows(const sample_text *text, bb_type type, bb_activity activity) {
    return ((type == BB_CUSTOM ? text->in_custom : text->in_rooms) & (uint32_t)activity) != 0;
}
