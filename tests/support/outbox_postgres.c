#include "support/outbox_postgres.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static bb_outbox *outbox, *second_outbox;
static char trouble[512];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

int pg_setup(void **state) {
    postgres_fresh();
    trouble[0] = '\0';
    return background_setup(state);
}

int pg_teardown(void **state) {
    int code = background_teardown(state);
    bb_outbox_free(outbox);
    outbox = NULL;
    return code;
}

bb_outbox *pg_open_outbox(void) {
    bb_postgres_options options = BB_POSTGRES_OPTIONS_INIT;
    bb_error error = BB_ERROR_INIT;
    bb_outbox *opened = NULL;
    options.lease_ms = PG_LEASE_MS;
    if (bb_postgres_open(postgres_conninfo_with(""), &options, &opened, &error) != BB_OK)
        fail_msg("%s", error.text);
    return opened;
}

static void note_trouble(void *user, bb_level level, const char *text) {
    (void)user, (void)level;
    if (strncmp(text, "outbox", 6) != 0)
        return;
    pthread_mutex_lock(&lock);
    snprintf(trouble, sizeof(trouble), "%s", text);
    pthread_mutex_unlock(&lock);
}

const char *pg_last_trouble(void) {
    static char copy[sizeof(trouble)];
    pthread_mutex_lock(&lock);
    memcpy(copy, trouble, sizeof(copy));
    pthread_mutex_unlock(&lock);
    return copy;
}

void pg_open_all(background *b) {
    outbox = pg_open_outbox();
    b->options.outbox = outbox;
    bb_options options = background_bb_options(b);
    options.log = note_trouble;
    b->dispatcher = posting_dispatcher(&options);
}

void pg_close_all(background *b) {
    assert_int_equal(bb_dispatcher_free(b->dispatcher), BB_OK);
    b->dispatcher = NULL;
    bb_outbox_free(outbox);
    outbox = NULL;
}

void pg_add_hook_of(background *first, background *second) {
    bb_webhook hook = posting_hook(BB_CUSTOM, "hook", server_url(first->receiver, "/hook"));
    hook.no_rate = 1;
    background_add(second, &hook);
}

static background *open_second(void) {
    void *made = NULL;
    assert_int_equal(background_setup(&made), 0);
    background *second = made;
    second_outbox = pg_open_outbox();
    second->options.outbox = second_outbox;
    background_open(second);
    return second;
}

background *pg_open_second(background *first) {
    background *second = open_second();
    pg_add_hook_of(first, second);
    return second;
}

background *pg_open_second_with(const bb_webhook *hook) {
    background *second = open_second();
    background_add(second, hook);
    return second;
}

void pg_close_second(background *second) {
    void *state = second;
    assert_int_equal(background_teardown(&state), 0);
    bb_outbox_free(second_outbox);
    second_outbox = NULL;
}

int pg_enqueue_on(background *b, PGconn *db, const char *id, bb_error *error) {
    bb_event event = *posting_event();
    event.id = id;
    return bb_postgres_enqueue(b->dispatcher, db, &event, NULL, NULL, error);
}

long long postgres_count(const char *table) {
    char sql[80];
    PGconn *db = postgres_connect();
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
    long long number = postgres_run(db, sql);
    PQfinish(db);
    return number;
}

size_t pg_different_ids(server *receiver) {
    size_t different = 0;
    for (size_t i = 0; i < server_requests(receiver); i++) {
        const char *id = server_header(server_request_at(receiver, i), "webhook-id");
        size_t j = 0;
        while (j < i &&
               strcmp(id, server_header(server_request_at(receiver, j), "webhook-id")) != 0)
            j++;
        different += j == i;
    }
    return different;
}
