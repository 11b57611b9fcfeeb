#define _GNU_SOURCE /* open_memstream */
#include "support/server_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { UNIT = 16 * 1024 };

static const char *reason(int status) {
    return status / 100 == 2 ? "OK" : "Scripted";
}

static const char *put_decoded(FILE *out, const char *text) {
    char hex[3] = {text[1], text[1] == '\0' ? '\0' : text[2], '\0'};
    char *end = NULL;
    long byte = strtol(hex, &end, 16);
    if (end != hex + 2)
        return text;
    fputc((int)byte, out);
    return text + 2;
}

static void put_echoed(FILE *out, const char *text, server_echo echo) {
    for (; *text != '\0'; text++) {
        if (strchr("\"\\\r\n", *text) != NULL)
            continue;
        const char *decoded = text;
        if (*text == '%' && echo == SERVER_ECHO_DECODED)
            decoded = put_decoded(out, text);
        if (*text == '/' && echo == SERVER_ECHO_ESCAPED)
            fputc('\\', out);
        if (decoded == text)
            fputc(*text, out);
        text = decoded;
    }
    fputc(' ', out);
}

static void put_echo(FILE *out, const server_request *request, server_echo echo) {
    put_echoed(out, request->path, echo);
    put_echoed(out, request->query, echo);
    for (size_t i = 0; i < request->header_count; i++) {
        put_echoed(out, request->headers[i].name, echo);
        put_echoed(out, request->headers[i].value, echo);
    }
    put_echoed(out, request->body, echo);
}

static char *make_body(const server_step *step, const server_request *request, size_t *length) {
    char *body = NULL;
    FILE *out = open_memstream(&body, length);
    if (out == NULL)
        server_die("answer");
    if (step->body != NULL)
        fwrite(step->body, 1, step->body_length, out);
    if (step->echo != SERVER_ECHO_NOTHING && request != NULL)
        put_echo(out, request, step->echo);
    if (step->tail != NULL)
        fputs(step->tail, out);
    fclose(out);
    return body;
}

static int frames_itself(const char *headers) {
    return headers != NULL && (strcasestr(headers, "Content-Length:") != NULL ||
                               strcasestr(headers, "Transfer-Encoding:") != NULL);
}

static void put_answer(FILE *out, const server_step *step, const server_request *request) {
    size_t length = 0;
    char *body = make_body(step, request, &length);
    size_t declared = step->declared_length != 0 ? step->declared_length : length;
    fprintf(out, "HTTP/1.1 %d %s\r\n", step->status, reason(step->status));
    if (step->headers != NULL)
        fputs(step->headers, out);
    if (!frames_itself(step->headers) && step->status != 204)
        fprintf(out, "Content-Length: %zu\r\n", declared);
    fputs("\r\n", out);
    fwrite(body, 1, length, out);
    free(body);
}

static void make_head(server_output *output, const server_step *step,
                      const server_request *request) {
    FILE *out = open_memstream(&output->head, &output->head_length);
    if (out == NULL)
        server_die("answer");
    if (step->raw != NULL)
        fwrite(step->raw, 1, step->raw_length, out);
    else if (step->status != 0)
        put_answer(out, step, request);
    fclose(out);
}

static void make_unit(server_output *output, const char *repeat, size_t length) {
    size_t times = UNIT / length + 1;
    output->unit_length = times * length;
    output->unit = malloc(output->unit_length);
    if (output->unit == NULL)
        server_die("answer");
    for (size_t i = 0; i < times; i++)
        memcpy(output->unit + i * length, repeat, length);
}

static uint64_t whole_length(const server_output *output, const server_step *step) {
    if (step->repeat == NULL)
        return output->head_length;
    return step->repeat_bytes == 0 ? UINT64_MAX : output->head_length + step->repeat_bytes;
}

void server_output_begin(server_output *output, const server_step *step,
                         const server_request *request) {
    memset(output, 0, sizeof(*output));
    make_head(output, step, request);
    if (step->repeat != NULL)
        make_unit(output, step->repeat, step->repeat_length);
    output->limit = whole_length(output, step);
    if (step->stop_after != 0 && step->stop_after < output->limit)
        output->limit = step->stop_after;
}

static const char *bytes_at(const server_output *output, uint64_t at, size_t *length) {
    if (at < output->head_length) {
        *length = output->head_length - (size_t)at;
        return output->head + at;
    }
    size_t in_unit = (size_t)((at - output->head_length) % output->unit_length);
    *length = output->unit_length - in_unit;
    return output->unit + in_unit;
}

const char *server_output_next(const server_output *output, size_t *length) {
    uint64_t left = output->limit - output->sent;
    *length = 0;
    if (left == 0)
        return "";
    const char *bytes = bytes_at(output, output->sent, length);
    if (*length > left)
        *length = (size_t)left;
    return bytes;
}

void server_output_end(server_output *output) {
    free(output->head);
    free(output->unit);
    memset(output, 0, sizeof(*output));
}
