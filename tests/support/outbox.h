/* What tests of the outbox in SQLite share: a file for each test, and the host's view of it. */
#ifndef SUPPORT_OUTBOX_H
#define SUPPORT_OUTBOX_H

#include "bb_webhook_sqlite.h"
#include "support/background.h"

enum { OUTBOX_LEASE_MS = BACKGROUND_LEASE_MS };

extern char outbox_path[64];
extern bb_outbox *outbox_now; /* of outbox_open_all */

/* cmocka's setup and teardown: *state is a background. */
int outbox_setup(void **state);
int outbox_teardown(void **state);

#define OUTBOX_TEST(test) cmocka_unit_test_setup_teardown(test, outbox_setup, outbox_teardown)

/* The file by itself: outbox_path. */
void outbox_make_file(void);
void outbox_remove_files(void);

/* Safe from a crash of the process, with the shortest lease. */
bb_outbox *outbox_open(void);

/* Outbox and dispatcher; and as when the program ends and is started again. */
void outbox_open_all(background *b);
void outbox_close_all(background *b);

/* A connection of the host's own. */
sqlite3 *outbox_open_host(void);
void outbox_run(sqlite3 *db, const char *sql);
int64_t outbox_count(const char *table);

/* The newest one's row stays when it is over, emptied. */
#define OUTBOX_EVENTS "bb_event WHERE number <> (SELECT ended FROM bb_outbox_version)"
/* The webhook "hook" at that receiver, whose script stays as it is. */
void outbox_add_hook_at(background *b, server *receiver);
int outbox_enqueue_on(background *b, sqlite3 *db, const char *id, bb_error *error);

#endif
