/*
 * The Custom endpoint: a documented JSON body, signed as Standard Webhooks 1.0.0
 * says, for receivers that hosts write themselves.
 */
#include <stdio.h>
#include <string.h>

#include "base/key.h"
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

/* ---- secrets and signatures ---- */

static bool is_given(const char *text) {
    return text && *text;
}

static const char *find_mistake(struct bb_arena *arena, const char *secret, const char *malformed,
                                const char *public) {
    struct bb_key key;
    if (!is_given(secret))
        return NULL;
    enum bb_truth is_key = bb_key_read(&key, secret);
    arena->failed = arena->failed || is_key == BB_UNDECIDED;
    if (is_key != BB_TRUE)
        return is_key == BB_FALSE ? malformed : NULL;
    bool can_sign = key.kind != BB_KEY_PUBLIC;
    bb_wipe(&key, sizeof key);
    return can_sign ? NULL : public;
}

#define MALFORMED                                                                                  \
    ": is neither \"whsec_\" and base64 of 16 to 64 bytes nor \"whsk_\" and base64 of an Ed25519 " \
    "key"
#define PUBLIC ": is a public key (whpk_), for receivers: give the private one (whsk_)"

static const char *configure(struct bb_arena *arena, const bb_webhook *webhook,
                             struct bb_url *url) {
    (void)url;
    const char *mistake = find_mistake(arena, webhook->secret, "secret" MALFORMED, "secret" PUBLIC);
    if (mistake)
        return mistake;
    if (is_given(webhook->previous_secret) && !is_given(webhook->secret))
        return "previous_secret: is given without secret, the one that replaces it";
    return find_mistake(arena, webhook->previous_secret, "previous_secret" MALFORMED,
                        "previous_secret" PUBLIC);
}

/* The signature of "id.timestamp.body". */
static const char *signature(struct bb_request *request, const char *secret, const char *id,
                             const char *timestamp) {
    struct bb_arena *arena = &request->arena;
    struct bb_key key;
    char token[BB_KEY_TOKEN_SIZE];
    const struct bb_part content[] = {{id, strlen(id)},
                                      {".", 1},
                                      {timestamp, strlen(timestamp)},
                                      {".", 1},
                                      {request->body, request->length}};
    bool is_signed = bb_key_read(&key, secret) == BB_TRUE && bb_key_sign(&key, content, 5, token);
    bb_wipe(&key, sizeof key);
    arena->failed = arena->failed || !is_signed;
    return is_signed ? bb_arena_copy(arena, token, strlen(token)) : NULL;
}

/* While a secret is being replaced, receivers may know either. */
static const char *signatures(struct bb_request *request, const bb_webhook *webhook, const char *id,
                              const char *timestamp) {
    const char *present = signature(request, webhook->secret, id, timestamp);
    if (!present || !is_given(webhook->previous_secret))
        return present;
    const char *previous = signature(request, webhook->previous_secret, id, timestamp);
    return bb_arena_join(&request->arena, "%s %s", present, previous);
}

static void sign(struct bb_request *request, const bb_webhook *webhook,
                 const struct bb_signing *signing) {
    struct bb_arena *arena = &request->arena;
    const char *timestamp = bb_text_integer(arena, signing->time_ms / 1000);
    bb_request_add_header(request, "webhook-id", signing->delivery_id, false);
    bb_request_add_header(request, "webhook-timestamp", timestamp, false);
    if (timestamp && is_given(webhook->secret))
        bb_request_add_header(request, "webhook-signature",
                              signatures(request, webhook, signing->delivery_id, timestamp), true);
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
