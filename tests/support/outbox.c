#include "support/outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

char outbox_path[64];
bb_outbox *outbox_now;

void outbox_remove_files(void) {
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        char name[80];
        snprintf(name, sizeof name, "%s%s", outbox_path, ends[i]);
        unlink(name);
    }
}

void outbox_make_file(void) {
    snprintf(outbox_path, sizeof outbox_path, "/tmp/bb_outbox_XXXXXX");
    close(mkstemp(outbox_path));
}

int outbox_setup(void **state) {
    outbox_make_file();
    return background_setup(state);
}

int outbox_teardown(void **state) {
    int code = background_teardown(state);
    bb_outbox_free(outbox_now);
    outbox_now = NULL;
    outbox_remove_files();
    return code;
}

bb_outbox *outbox_open(void) {
    bb_sqlite_options options = BB_SQLITE_OPTIONS_INIT;
    bb_error error = BB_ERROR_INIT;
    bb_outbox *opened = NULL;
    options.lease_ms = OUTBOX_LEASE_MS;
    options.safety = BB_SQLITE_PROCESS_CRASH;
    if (bb_sqlite_open(outbox_path, &options, &opened, &error) != BB_OK)
        fail_msg("%s", error.text);
    return opened;
}

void outbox_open_all(background *b) {
    outbox_now = outbox_open();
    b->options.outbox = outbox_now;
    background_open(b);
}

/* As when the program ends and is started again. */
void outbox_close_all(background *b) {
    assert_int_equal(bb_dispatcher_free(b->dispatcher), BB_OK);
    b->dispatcher = NULL;
    bb_outbox_free(outbox_now);
    outbox_now = NULL;
}

sqlite3 *outbox_open_host(void) {
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(outbox_path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    return db;
}

void outbox_run(sqlite3 *db, const char *sql) {
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
}

int64_t outbox_count(const char *table) {
    char sql[256];
    sqlite3 *db = outbox_open_host();
    sqlite3_stmt *statement = NULL;
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return number;
}

void outbox_add_hook_at(background *b, server *receiver) {
    bb_webhook hook = BB_WEBHOOK_INIT;
    hook.id = hook.name = "hook";
    hook.type = BB_CUSTOM;
    hook.url = server_url(receiver, "/hook");
    hook.activities = BB_ACTIVITY_ALL;
    background_add(b, &hook);
}

int outbox_enqueue_on(background *b, sqlite3 *db, const char *id, bb_error *error) {
    bb_issue issue = BB_ISSUE_INIT;
    bb_event event = BB_EVENT_INIT;
    issue.id = 1;
    issue.name = "Add index";
    event.activity = BB_ISSUE_CREATE;
    event.id = id;
    event.issue = &issue;
    return bb_sqlite_enqueue(b->dispatcher, db, sqlite3_sourceid(), &event, NULL, NULL, error);
}
