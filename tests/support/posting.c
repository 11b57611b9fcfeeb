#include "support/posting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

bb_options posting_options(void) {
    bb_options options = BB_OPTIONS_INIT;
    options.insecure_allow_http = 1;
    options.insecure_allow_private_addresses = 1;
    options.connect_timeout_ms = PATIENCE_MS;
    options.timeout_ms = PATIENCE_MS;
    options.post_timeout_ms = PATIENCE_MS;
    return options;
}

bb_options posting_guarded_options(void) {
    static const bb_egress any_port = {.struct_size = sizeof(bb_egress), .ports = "*"};
    bb_options options = posting_options();
    options.insecure_allow_private_addresses = 0;
    options.egress = &any_port;
    return options;
}

bb_dispatcher *posting_dispatcher(const bb_options *options) {
    bb_options usual = posting_options();
    bb_dispatcher *dispatcher = NULL;
    bb_error error = BB_ERROR_INIT;
    if (bb_dispatcher_new(options != NULL ? options : &usual, &dispatcher, &error) != BB_OK)
        fail_msg("%s", error.text);
    return dispatcher;
}

int posting_open_world(void **state) {
    static world w;
    w.receiver = server_start(NULL);
    w.dispatcher = posting_dispatcher(NULL);
    *state = &w;
    return 0;
}

int posting_close_world(void **state) {
    world *w = *state;
    bb_dispatcher_free(w->dispatcher);
    server_stop(w->receiver);
    return 0;
}

void posting_use(world *w, const bb_options *options) {
    bb_dispatcher_free(w->dispatcher);
    w->dispatcher = posting_dispatcher(options);
}

void posting_limit_connecting(world *w, uint32_t connect_timeout_ms) {
    bb_options options = posting_options();
    options.connect_timeout_ms = connect_timeout_ms;
    posting_use(w, &options);
}

const char *posting_url_at(const server *receiver, const char *scheme, const char *host) {
    static char url[200];
    snprintf(url, sizeof(url), "%s://%s:%d/hook", scheme, host, server_port(receiver));
    return url;
}

void posting_script(world *w, bb_type type, const char *id, const server_step *steps,
                    size_t count) {
    char path[64];
    snprintf(path, sizeof(path), "/%s", id);
    server_on(w->receiver, path, steps, count);
    posting_add(w->dispatcher, type, id, server_url(w->receiver, path));
}

bb_webhook posting_hook(bb_type type, const char *id, const char *url) {
    bb_webhook hook = BB_WEBHOOK_INIT;
    hook.id = id;
    hook.name = id;
    hook.type = type;
    hook.url = url;
    hook.activities = BB_ACTIVITY_ALL;
    hook.allow_any_host = 1;
    return hook;
}

void posting_add(bb_dispatcher *dispatcher, bb_type type, const char *id, const char *url) {
    bb_webhook hook = posting_hook(type, id, url);
    bb_error error = BB_ERROR_INIT;
    if (bb_dispatcher_add(dispatcher, &hook, &error) != BB_OK)
        fail_msg("%s: %s", id, error.text);
}

void posting_add_healthy(bb_dispatcher *dispatcher, server *receiver, const char *id) {
    char path[64];
    snprintf(path, sizeof(path), "/%s", id);
    server_step yes = posting_success(BB_SLACK);
    server_on(receiver, path, &yes, 1);
    posting_add(dispatcher, BB_SLACK, id, server_url(receiver, path));
}

server_step posting_success(bb_type type) {
    static const char json[] = "Content-Type: application/json\r\n";
    switch (type) {
    case BB_SLACK:
        return (server_step){.status = 200, .body = "ok"};
    case BB_DISCORD:
        return (server_step){.status = 200, .headers = json, .body = "{\"id\":\"1\"}"};
    case BB_TEAMS:
        return (server_step){.status = 202};
    case BB_FEISHU:
        return (server_step){
            .status = 200, .headers = json, .body = "{\"code\":0,\"msg\":\"success\"}"};
    case BB_CUSTOM:
        return (server_step){
            .status = 200, .headers = json, .body = "{\"code\":0,\"message\":\"ok\"}"};
    default: /* DingTalk, WeCom */
        return (server_step){
            .status = 200, .headers = json, .body = "{\"errcode\":0,\"errmsg\":\"ok\"}"};
    }
}

const bb_event *posting_event(void) {
    static const bb_user creator = {sizeof(creator), 42, "Ann", "ann@example.com"};
    static const bb_project project = {sizeof(project), 7, "Shop"};
    static const bb_issue issue = {.struct_size = sizeof(issue),
                                   .id = 101,
                                   .name = "Add index to orders",
                                   .status = BB_ISSUE_OPEN};
    static const bb_event event = {.struct_size = sizeof(event),
                                   .id = "event-1",
                                   .activity = BB_ISSUE_COMMENT_CREATE,
                                   .comment = "Looks good to me.",
                                   .link = "https://bb.example.com/issue/101",
                                   .created_ts = 1700000000,
                                   .creator = &creator,
                                   .issue = &issue,
                                   .project = &project};
    return &event;
}

bb_report *posting_send(bb_dispatcher *dispatcher) {
    bb_report *report = NULL;
    bb_error error = BB_ERROR_INIT;
    if (bb_webhook_post(dispatcher, posting_event(), NULL, &report, &error) != BB_OK)
        fail_msg("%s", error.text);
    assert_non_null(report);
    return report;
}

const bb_attempt_report *posting_row(const bb_report *report, const char *id) {
    for (size_t i = 0; i < bb_report_count(report); i++) {
        const bb_attempt_report *row = bb_report_row(report, i);
        if (strcmp(row->webhook_id, id) == 0)
            return row;
    }
    fail_msg("no row for %s", id);
    return NULL;
}

static const bb_attempt_report *keep_row(const bb_attempt_report *given) {
    static bb_attempt_report row;
    static bb_outcome outcome;
    row = *given;
    outcome = *given->outcome;
    row.outcome = &outcome;
    return &row;
}

const bb_attempt_report *posting_send_one(bb_dispatcher *dispatcher, const char *id) {
    bb_report *report = posting_send(dispatcher);
    const bb_attempt_report *row = keep_row(posting_row(report, id));
    bb_report_free(report);
    return row;
}

const bb_attempt_report *posting_send_in_vain(world *w, bb_verdict verdict, int64_t bound_ms) {
    posting_add_healthy(w->dispatcher, w->receiver, "healthy");
    size_t before = server_requests_to(w->receiver, "/healthy");
    int64_t began = server_now_ms();
    bb_report *report = posting_send(w->dispatcher);
    assert_true(server_now_ms() - began < bound_ms);
    const bb_attempt_report *row = keep_row(posting_row(report, "hook"));
    posting_assert_row(row, verdict, 0);
    assert_int_equal(row->outcome->http_status, 0);
    assert_int_equal(row->attempt, 1);
    posting_assert_row(posting_row(report, "healthy"), BB_DELIVERED, 1);
    assert_int_equal(server_requests_to(w->receiver, "/healthy"), before + 1);
    bb_report_free(report);
    assert_int_equal(bb_dispatcher_remove(w->dispatcher, "healthy", NULL), BB_OK);
    return row;
}

void posting_assert_row(const bb_attempt_report *row, bb_verdict verdict, int sent) {
    if (row->outcome->verdict != verdict || (row->sent != 0) != sent)
        fail_msg("wanted %s, sent %d; got %s, sent %d: %s", bb_verdict_name(verdict), sent,
                 bb_verdict_name(row->outcome->verdict), row->sent, row->outcome->text);
}
