/* What tests of bb-notify --outbox share, whatever database the outbox is in: an outbox for each
 * test, and programs that come and go. */
#ifndef SUPPORT_NOTIFY_OUTBOX_H
#define SUPPORT_NOTIFY_OUTBOX_H

#include "support/bb_notify.h"

enum { NOTIFY_PATIENCE_MS = 20000, NOTIFY_MOST_EVENTS = 300 };

#define NOTIFY_OPS NOTIFY_CUSTOM("ops")
#define NOTIFY_DEV NOTIFY_CUSTOM("dev")

/* A lease that is short, and attempts that are shorter. */
#define NOTIFY_SHORT_LEASE "'lease_ms':2000,'timeout_ms':1900,"

/* A kind of outbox. */
typedef struct notify_outbox_kind {
    const char *name;
    const char *(*make)(
        const notify *fixture);       /* a new, empty one: what --outbox is given. Static */
    void (*remove)(void);             /* NULL: with the next one */
    void (*execute)(const char *sql); /* in its database */
    const char *no_room;              /* SQL, after which there is no room for a third event */
    const char *insert_event;         /* SQL that enqueues the JSON in place of %s */
} notify_outbox_kind;

/* A file next to the configuration; a database of the test's own server, whose URL has
 * NOTIFY_CANARY for a password. */
extern const notify_outbox_kind notify_sqlite, notify_postgres;
#define NOTIFY_CANARY "c4n4ry-p4ss"

/* The cases of enqueue, deliver and stats, and those of list, replay and purge. Return how many
 * failed. */
int notify_outbox_cases_run(const notify_outbox_kind *kind);
int notify_dead_cases_run(const notify_outbox_kind *kind);

/* ---- what the cases are written with ---- */

/* cmocka's setup and teardown; *state is a notify. `notify_use` says first which kind. */
void notify_use(const notify_outbox_kind *kind);
int notify_outbox_setup(void **state);
int notify_outbox_teardown(void **state);
#define NOTIFY_OUTBOX_TEST(test)                                                                   \
    cmocka_unit_test_setup_teardown(test, notify_outbox_setup, notify_outbox_teardown)

extern const char *notify_place; /* of this test's outbox, as --outbox takes it */

/* The program with --config, --outbox and these arguments. */
#define NOTIFY_RUN(...)                                                                            \
    notify_run(fixture, "-c", fixture->config, "-o", notify_place, __VA_ARGS__, NULL)

void notify_configure(notify *fixture, const char *members, const char *webhooks);
void notify_script(notify *fixture, const char *path, const server_step *step);

/* So many events. Returns the program's exit status. */
int notify_enqueue(notify *fixture, size_t events);

/* Starts one that delivers; `option` may be NULL. One that is kept is ended with the test, at the
 * latest. `notify_end` waits for its end and returns its exit status. */
program *notify_start_deliver(const notify *fixture, const char *option);
program *notify_keep(program *running);
int notify_end(notify *fixture, program *running);

void notify_execute(const char *sql);
void notify_insert_event(const char *json);
void notify_leave_no_room(void); /* for more than two events */

const char *notify_id_of(const notify *fixture, size_t request); /* its webhook-id */
size_t notify_different_ids(const notify *fixture);

/* Refused as wrong usage, with these words. */
void notify_assert_refused(const notify *fixture, int status, const char *words);

#endif
