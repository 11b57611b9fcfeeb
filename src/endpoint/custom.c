/*
 * The Custom endpoint: a documented JSON body, signed as Standard Webhooks 1.0.0
 * says, for receivers that hosts write themselves.
 */
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "endpoint/endpoint.h"

/* In bytes of JSON: together below the 256 KiB that the whole payload may have. */
static const struct bb_limit name_limit = {.json = 1000};
static const struct bb_limit title_limit = {.json = 4000};
static const struct bb_limit detail_limit = {.json = 48000};
static const struct bb_limit description_limit = {.json = 120000};

/* ---- render ---- */

static void push_text(struct bb_render *r, const char *key, const char *cut_name, const char *text,
                      struct bb_limit limit) {
    bool cut = false;
    const char *repaired = bb_text_repaired(r->arena, text, BB_TEXT_MAX, &cut);
    if (cut)
        bb_cuts_add(r->cuts, cut_name);
    bb_json_string(&r->json, key, bb_render_fit(r, cut_name, repaired, NULL, limit));
}

static void push_issue(struct bb_render *r, const bb_issue *issue) {
    if (!issue) {
        bb_json_null(&r->json, "issue");
        return;
    }
    bb_json_object(&r->json, "issue");
    bb_json_integer(&r->json, "id", issue->id);
    push_text(r, "name", "issue", issue->name, title_limit);
    bb_json_string(&r->json, "status", bb_issue_status_name(issue->status));
    push_text(r, "type", "issue_type", issue->type, name_limit);
    push_text(r, "description", "issue_description", issue->description, detail_limit);
    bb_json_end(&r->json);
}

static void push_project(struct bb_render *r, const bb_project *project) {
    if (!project) {
        bb_json_null(&r->json, "project");
        return;
    }
    bb_json_object(&r->json, "project");
    bb_json_integer(&r->json, "id", project->id);
    push_text(r, "name", "project", project->name, title_limit);
    bb_json_end(&r->json);
}

static void push_stage(struct bb_render *r, const bb_stage *stage) {
    bb_json_object(&r->json, "stage");
    bb_json_integer(&r->json, "id", stage->id);
    push_text(r, "name", "stage", stage->name, title_limit);
    bb_json_string(&r->json, "status", bb_stage_status_name(stage->status));
    bb_json_integer(&r->json, "failed_tasks", stage->failed_tasks);
    bb_json_end(&r->json);
}

static void push_task(struct bb_render *r, const bb_task *task) {
    bb_json_object(&r->json, "task");
    bb_json_integer(&r->json, "id", task->id);
    push_text(r, "name", "task", task->name, title_limit);
    push_text(r, "old_status", "status", task->old_status, name_limit);
    push_text(r, "status", "status", task->status, name_limit);
    push_text(r, "detail", "result_detail", task->detail, detail_limit);
    push_text(r, "skipped_reason", "skipped_reason", task->skipped_reason, title_limit);
    bb_json_end(&r->json);
}

static void render(struct bb_render *r) {
    const struct bb_message *m = r->message;
    const bb_event *event = m->event;
    const bb_user *creator = event->creator;
    bb_json_string(&r->json, "level", bb_level_name(m->level));
    bb_json_string(&r->json, "activity_type", bb_activity_name(event->activity));
    bb_json_string(&r->json, "title", bb_render_fit(r, "title", m->title, NULL, title_limit));
    bb_json_string(&r->json, "description",
                   bb_render_fit(r, "description", m->description, NULL, description_limit));
    bb_json_string(&r->json, "link", m->link);
    bb_json_integer(&r->json, "creator_id", creator ? creator->id : 0);
    push_text(r, "creator_name", "by", creator ? creator->name : NULL, title_limit);
    bb_json_integer(&r->json, "created_ts", m->created_ts);
    push_issue(r, event->issue);
    push_project(r, event->project);
    if (event->activity == BB_STAGE_STATUS_UPDATE && event->stage)
        push_stage(r, event->stage);
    if (event->activity == BB_TASK_STATUS_UPDATE && event->task)
        push_task(r, event->task);
}

/* ---- secret and signature ---- */

enum { KEY_MIN = 16, KEY_MAX = 64 };

/* The prefix is optional, as in the reference libraries. -1: not a secret. */
static int decode_secret(const char *secret, unsigned char key[KEY_MAX]) {
    static const char prefix[] = "whsec_";
    if (strncmp(secret, prefix, sizeof prefix - 1) == 0)
        secret += sizeof prefix - 1;
    int length = bb_base64_decode(secret, key, KEY_MAX);
    return length >= KEY_MIN ? length : -1;
}

static const char *configure(struct bb_arena *arena, const bb_webhook *webhook,
                             struct bb_url *url) {
    (void)arena;
    (void)url;
    unsigned char key[KEY_MAX];
    if (!webhook->secret || !*webhook->secret)
        return NULL;
    int length = decode_secret(webhook->secret, key);
    bb_wipe(key, sizeof key);
    return length < 0 ? "secret: is not \"whsec_\" and base64 of 16 to 64 bytes" : NULL;
}

/* The signature of "id.timestamp.body". */
static const char *signature(struct bb_request *request, const char *secret, const char *id,
                             const char *timestamp) {
    struct bb_arena *arena = &request->arena;
    unsigned char key[KEY_MAX];
    char encoded[BB_BASE64_SHA256_SIZE];
    const struct bb_part content[] = {{id, strlen(id)},
                                      {".", 1},
                                      {timestamp, strlen(timestamp)},
                                      {".", 1},
                                      {request->body, request->length}};
    int length = decode_secret(secret, key);
    bool is_signed = length > 0 && bb_hmac_sha256_base64(key, (size_t)length, content, 5, encoded);
    bb_wipe(key, sizeof key);
    arena->failed = arena->failed || !is_signed;
    return bb_arena_join(arena, "v1,%s", encoded);
}

static void sign(struct bb_request *request, const bb_webhook *webhook,
                 const struct bb_signing *signing) {
    struct bb_arena *arena = &request->arena;
    const char *timestamp = bb_text_integer(arena, signing->time_ms / 1000);
    bb_request_add_header(request, "webhook-id", signing->delivery_id, false);
    bb_request_add_header(request, "webhook-timestamp", timestamp, false);
    if (timestamp && webhook->secret && *webhook->secret)
        bb_request_add_header(request, "webhook-signature",
                              signature(request, webhook->secret, signing->delivery_id, timestamp),
                              true);
}

/* ---- judge ---- */

/* The wording is told, because a plain 200 is what most receivers answer first. */
static void not_understood(bb_outcome *outcome) {
    snprintf(outcome->text, sizeof outcome->text,
             "HTTP 200 with {\"code\":0} is wanted (set allow_any_2xx if any 2xx shall do)");
}

/* `code` as a number or a numeric string: older documentation shows both. */
static void judge_success(const struct bb_answer *answer, const bb_webhook *webhook,
                          bb_outcome *outcome) {
    const struct bb_value *code = bb_json_get(answer->json, "code");
    int64_t number = -1;
    bool is_number = bb_json_int64(code, &number);
    if (webhook->allow_any_2xx || (answer->status == 200 && is_number && number == 0)) {
        bb_outcome_act(outcome, BB_ACT_DELIVERED, 0);
        return;
    }
    bb_outcome_act(outcome, BB_ACT_DROP, 0);
    if (answer->status != 200 || !is_number)
        not_understood(outcome);
}

static void judge(const struct bb_answer *answer, const bb_webhook *webhook, bb_outcome *outcome) {
    const char *code = bb_answer_code(answer, bb_json_get(answer->json, "code"));
    const char *words = bb_json_text(bb_json_get(answer->json, "message"));
    bb_outcome_quote(outcome, answer, code, words || code ? words : answer->text);
    if (answer->status >= 200 && answer->status <= 299)
        judge_success(answer, webhook, outcome);
    else
        bb_answer_apply_status(answer, outcome);
}

extern const struct bb_endpoint bb_endpoint_custom;
const struct bb_endpoint bb_endpoint_custom = {
    .type = BB_CUSTOM,
    .label = "Custom",
    .content_type = "application/json",
    .body_max = 256 * 1024,
    .is_success_by_body = true,
    .is_data = true,
    .max_in_flight = 8,
    .is_idempotent = true, /* by webhook-id */
    .configure = configure,
    .render = render,
    .sign = sign,
    .judge = judge,
};
