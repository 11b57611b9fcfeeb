#include "support/notify_outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

static char path[112];

static const char *make(const notify *fixture) {
    snprintf(path, sizeof path, "%s/outbox.db", fixture->directory);
    return path;
}

static void remove_files(void) {
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        char name[128];
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
}

static void execute(const char *sql) {
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

const notify_outbox_kind notify_sqlite = {
    .name = "SQLite",
    .make = make,
    .remove = remove_files,
    .execute = execute,
    .no_room = "CREATE TRIGGER full BEFORE INSERT ON bb_event"
               " WHEN (SELECT count(*) FROM bb_event) = 2"
               " BEGIN SELECT RAISE(ABORT, 'no room'); END",
    .insert_event = "INSERT INTO bb_event(json) VALUES('%s')",
};
