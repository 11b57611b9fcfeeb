#include "support/notify_outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *notify_place;

static const notify_outbox_kind *kind;
static program *started[3]; /* and not ended yet */
enum { STARTED = sizeof started / sizeof *started };

/* ---- life ---- */

void notify_use(const notify_outbox_kind *used) {
    kind = used;
}

int notify_outbox_setup(void **state) {
    int code = notify_setup(state);
    notify_place = kind->make(*state);
    return code;
}

/* A test that failed has left some behind, and they may run for ever. */
static void end_started(void) {
    for (size_t i = 0; i < STARTED; i++) {
        program_result result = {0};
        if (!started[i])
            continue;
        program_signal(started[i], SIGKILL);
        program_finish(started[i], &result);
        program_result_free(&result);
        started[i] = NULL;
    }
}

int notify_outbox_teardown(void **state) {
    end_started();
    if (kind->remove)
        kind->remove();
    return notify_teardown(state);
}

void notify_configure(notify *fixture, const char *members, const char *webhooks) {
    char config[2048];
    snprintf(config, sizeof config, "{%s,'no_jitter':true,%s'webhooks':[%s]}", NOTIFY_LOCAL,
             members, webhooks);
    notify_write_config(fixture, config);
}

void notify_script(notify *fixture, const char *path, const server_step *step) {
    server_on(fixture->receiver, path, step, 1);
}

/* ---- programs ---- */

int notify_enqueue(notify *fixture, size_t events) {
    char *text = calloc(NOTIFY_MOST_EVENTS, sizeof NOTIFY_CREATED);
    assert_non_null(text);
    assert_true(events <= NOTIFY_MOST_EVENTS);
    for (size_t i = 0; i < events; i++)
        strcat(text, NOTIFY_CREATED);
    notify_write_events(fixture, text);
    free(text);
    return notify_post(fixture, "--outbox", notify_place, "enqueue", NULL);
}

program *notify_keep(program *running) {
    size_t i = 0;
    while (i < STARTED && started[i])
        i++;
    assert_true(i < STARTED);
    started[i] = running;
    return running;
}

program *notify_start_deliver(const notify *fixture, const char *option) {
    const char *const arguments[] = {BB_NOTIFY,    "-c",      fixture->config, "-o",
                                     notify_place, "deliver", option,          NULL};
    return notify_keep(program_start(arguments));
}

int notify_end(notify *fixture, program *running) {
    for (size_t i = 0; i < STARTED; i++)
        if (started[i] == running)
            started[i] = NULL;
    return notify_finish(fixture, running);
}

/* ---- the database ---- */

void notify_execute(const char *sql) {
    kind->execute(sql);
}

void notify_insert_event(const char *json) {
    char sql[512];
    const char *at = strstr(kind->insert_event, "%s");
    assert_non_null(at);
    snprintf(sql, sizeof sql, "%.*s%s%s", (int)(at - kind->insert_event), kind->insert_event, json,
             at + 2);
    notify_execute(sql);
}

void notify_leave_no_room(void) {
    notify_execute(kind->no_room);
}

/* ---- what came ---- */

const char *notify_id_of(const notify *fixture, size_t request) {
    return server_header(server_request_at(fixture->receiver, request), "webhook-id");
}

size_t notify_different_ids(const notify *fixture) {
    size_t different = 0;
    for (size_t i = 0; i < server_requests(fixture->receiver); i++) {
        size_t j = 0;
        while (j < i && strcmp(notify_id_of(fixture, i), notify_id_of(fixture, j)) != 0)
            j++;
        different += j == i;
    }
    return different;
}

void notify_assert_refused(const notify *fixture, int status, const char *words) {
    assert_int_equal(status, 2);
    assert_string_equal(fixture->result.out, "");
    assert_told(fixture->result.err, words);
}
