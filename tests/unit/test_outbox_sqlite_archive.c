/* What the outbox in SQLite keeps: dead letters, attempts; and what SQL alone can do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/archive_cases.h"
#include "support/outbox.h"

static bb_outbox *open_sqlite(background *b) {
    outbox_open_all(b);
    return outbox_now;
}

static void *connect_host(void) {
    return outbox_open_host();
}

static void disconnect_host(void *connection) {
    sqlite3_close(connection);
}

static void run(void *connection, const char *sql) {
    outbox_run(connection, sql);
}

static int enqueue(background *b, void *connection, const bb_event *event,
                   const bb_enqueue_options *options) {
    return bb_sqlite_enqueue(b->dispatcher, connection, sqlite3_sourceid(), event, options, NULL,
                             NULL);
}

int main(void) {
    static const char *const tables[] = {OUTBOX_EVENTS, "bb_delivery", "bb_dead", "bb_shared",
                                         NULL};
    const archive_kind kind = {
        .setup = outbox_setup,
        .teardown = outbox_teardown,
        .open = open_sqlite,
        .connect = connect_host,
        .disconnect = disconnect_host,
        .run = run,
        .enqueue = enqueue,
        .count = outbox_count,
        .tables = tables,
    };
    return archive_cases_run(&kind);
}
