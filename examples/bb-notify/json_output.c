#include "json_output.h"

#include "json_line.h"

static void write_delivery(struct json_line *line, const bb_attempt_report *row) {
    const bb_outcome *outcome = row->outcome;
    json_line_string(line, "webhook", row->webhook_name);
    json_line_string(line, "type", bb_type_name(row->type));
    json_line_string(line, "activity_type", bb_activity_name(row->activity));
    json_line_string(line, "verdict", bb_verdict_name(outcome->verdict));
    json_line_integer(line, "http_status", outcome->http_status);
    json_line_string(line, "remote_code", outcome->remote_code);
    json_line_string(line, "remote_message", outcome->remote_message);
    json_line_integer(line, "retry_after_ms", outcome->retry_after_ms);
    json_line_integer(line, "attempt", row->attempt);
    json_line_integer(line, "duration_ms", row->duration_ms);
}

void json_output_delivery(FILE *out, const bb_attempt_report *row) {
    struct json_line line;
    json_line_begin(&line, out);
    write_delivery(&line, row);
    json_line_end(&line);
}

void json_output_attempt(FILE *out, const bb_notice *notice) {
    const bb_attempt_report *row = notice->attempt;
    struct json_line line;
    json_line_begin(&line, out);
    write_delivery(&line, row);
    json_line_string(&line, "webhook_id", row->webhook_id);
    json_line_string(&line, "event_id", row->event_id);
    json_line_string(&line, "delivery_id", row->delivery_id);
    json_line_flag(&line, "sent", row->sent != 0);
    if (row->not_made)
        json_line_flag(&line, "not_made", true);
    json_line_string(&line, "text", notice->text);
    if (notice->kind == BB_NOTICE_RETRYING)
        json_line_integer(&line, "next_attempt_ms", notice->wait_ms);
    json_line_end(&line);
}

void json_output_statistics(FILE *out, const char *prometheus, size_t length) {
    struct json_line line;
    json_line_begin(&line, out);
    json_line_bytes(&line, "prometheus", prometheus, length);
    json_line_end(&line);
}

static void write_headers(struct json_line *line, const bb_request *request) {
    json_line_open(line, "headers", "{");
    for (size_t i = 0; i < bb_request_header_count(request); i++)
        json_line_string(line, bb_request_header_name(request, i),
                         bb_request_header_value(request, i, BB_MASKED));
    json_line_close(line, "}");
}

static void write_body(struct json_line *line, const bb_request *request) {
    size_t length;
    const char *body = bb_request_body(request, BB_MASKED, &length);
    json_line_bytes(line, "body", body, length);
}

static void write_cuts(struct json_line *line, const bb_request *request) {
    json_line_open(line, "cut", "[");
    for (size_t i = 0; i < bb_request_cut_count(request); i++)
        json_line_element(line, bb_request_cut(request, i));
    json_line_close(line, "]");
}

void json_output_request(FILE *out, const bb_webhook *webhook, const bb_request *request) {
    struct json_line line;
    json_line_begin(&line, out);
    json_line_string(&line, "webhook", webhook->name);
    json_line_string(&line, "type", bb_type_name(webhook->type));
    json_line_string(&line, "method", bb_request_method(request));
    json_line_string(&line, "url", bb_request_url(request, BB_MASKED));
    write_headers(&line, request);
    write_body(&line, request);
    write_cuts(&line, request);
    json_line_end(&line);
}
