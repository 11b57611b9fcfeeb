#include "support/bb_notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 16 };

int notify_setup(void **state) {
    notify *made = calloc(1, sizeof *made);
    if (!made)
        abort();
    strcpy(made->directory, "/tmp/bb-notify-XXXXXX");
    if (!mkdtemp(made->directory))
        abort();
    snprintf(made->config, sizeof made->config, "%s/webhooks.json", made->directory);
    snprintf(made->events, sizeof made->events, "%s/events.jsonl", made->directory);
    made->receiver = server_start(NULL);
    notify_write_webhooks(made, NOTIFY_CUSTOM("ops"));
    notify_write_events(made, NOTIFY_CREATED);
    *state = made;
    return 0;
}

int notify_teardown(void **state) {
    notify *fixture = *state;
    server_stop(fixture->receiver);
    program_result_free(&fixture->result);
    unlink(fixture->config);
    unlink(fixture->events);
    rmdir(fixture->directory);
    free(fixture);
    return 0;
}

static void write_text(FILE *file, const char *text, const char *address) {
    for (; *text; text++) {
        if (*text == '@')
            fputs(address, file);
        else
            fputc(*text == '\'' ? '"' : *text, file);
    }
}

static void write_file(notify *fixture, const char *path, const char *const *texts, size_t count) {
    FILE *file = fopen(path, "w");
    if (!file)
        abort();
    for (size_t i = 0; i < count; i++)
        write_text(file, texts[i], server_url(fixture->receiver, ""));
    if (fclose(file) != 0)
        abort();
}

void notify_write_config(notify *fixture, const char *text) {
    write_file(fixture, fixture->config, &text, 1);
}

void notify_write_events(notify *fixture, const char *text) {
    write_file(fixture, fixture->events, &text, 1);
}

void notify_write_webhooks(notify *fixture, const char *webhooks) {
    const char *texts[] = {"{" NOTIFY_LOCAL ",'webhooks':[", webhooks, "]}"};
    write_file(fixture, fixture->config, texts, 3);
}

/* Appends the arguments up to NULL, and returns how many there are then. */
static size_t append(const char **arguments, size_t count, va_list more) {
    const char *argument;
    while ((argument = va_arg(more, const char *)) != NULL) {
        if (count + 2 >= ARGUMENTS_MAX)
            abort();
        arguments[count++] = argument;
    }
    return count;
}

static int run(notify *fixture, const char *const *arguments) {
    program_result_free(&fixture->result);
    program_run(&fixture->result, arguments, &fixture->options);
    return fixture->result.status;
}

int notify_run(notify *fixture, ...) {
    const char *arguments[ARGUMENTS_MAX] = {BB_NOTIFY};
    va_list more;
    va_start(more, fixture);
    append(arguments, 1, more);
    va_end(more);
    return run(fixture, arguments);
}

int notify_post(notify *fixture, ...) {
    const char *arguments[ARGUMENTS_MAX] = {BB_NOTIFY, "--config", fixture->config};
    va_list more;
    va_start(more, fixture);
    size_t count = append(arguments, 3, more);
    va_end(more);
    arguments[count] = fixture->events;
    return run(fixture, arguments);
}

program *notify_start(notify *fixture, ...) {
    const char *arguments[ARGUMENTS_MAX] = {BB_NOTIFY, "--config", fixture->config};
    va_list more;
    va_start(more, fixture);
    size_t count = append(arguments, 3, more);
    va_end(more);
    arguments[count] = "-";
    return program_start(arguments);
}

void notify_type(program *running, const char *text) {
    char quoted[4096];
    if (strlen(text) >= sizeof quoted)
        abort();
    strcpy(quoted, text);
    for (char *at = quoted; *at; at++)
        if (*at == '\'')
            *at = '"';
    program_type(running, quoted);
}

int notify_finish(notify *fixture, program *running) {
    program_result_free(&fixture->result);
    program_finish(running, &fixture->result);
    return fixture->result.status;
}

void notify_answer(notify *fixture, const char *path, int status, const char *headers,
                   const char *body) {
    server_step step = {.status = status, .headers = headers, .body = body};
    server_on(fixture->receiver, path, &step, 1);
}

void notify_answer_ok(notify *fixture, const char *path) {
    notify_answer(fixture, path, 200, NULL, "{\"code\":0,\"message\":\"ok\"}");
}

cJSON *notify_json_line(const notify *fixture, size_t index) {
    const char *line = fixture->result.out;
    while (index-- > 0 && line)
        line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL;
    const char *end = line ? strchr(line, '\n') : NULL;
    assert_non_null(end);
    cJSON *json = cJSON_ParseWithLength(line, (size_t)(end - line));
    assert_non_null(json);
    return json;
}

size_t line_count(const char *text) {
    size_t count = 0;
    for (; *text; text++)
        count += *text == '\n';
    return count;
}

void assert_told(const char *text, const char *part) {
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in:\n%s", part, text);
}

void assert_not_told(const char *text, const char *part) {
    if (strstr(text, part))
        fail_msg("\"%s\" is in:\n%s", part, text);
}

const char *text_of(const cJSON *object, const char *name) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    assert_non_null(text);
    return text;
}

double number_of(const cJSON *object, const char *name) {
    const cJSON *number = cJSON_GetObjectItemCaseSensitive(object, name);
    assert_true(cJSON_IsNumber(number));
    return number->valuedouble;
}

const char *names_of(const cJSON *object, char *names, size_t size) {
    const cJSON *member;
    size_t length = 0;
    *names = '\0';
    cJSON_ArrayForEach(member, object) {
        snprintf(names + length, size - length, "%s%s", length ? "," : "", member->string);
        length = strlen(names);
    }
    return names;
}
