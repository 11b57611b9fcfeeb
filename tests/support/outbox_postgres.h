/* What the tests of the outbox in PostgreSQL share: a dispatcher on an outbox in a fresh database.
 */
#ifndef SUPPORT_OUTBOX_POSTGRES_H
#define SUPPORT_OUTBOX_POSTGRES_H

#include "bb_webhook_postgres.h"
#include "support/background.h"
#include "support/postgres.h"

enum { PG_LEASE_MS = BACKGROUND_LEASE_MS };

/* cmocka's setup and teardown: of a background, and of what is said below. */
int pg_setup(void **state);
int pg_teardown(void **state);
#define PG_TEST(test) cmocka_unit_test_setup_teardown(test, pg_setup, pg_teardown)

bb_outbox *pg_open_outbox(void);

/* The dispatcher, on an outbox of its own; and as when the program ends. What the outbox is in
 * trouble about is kept. */
void pg_open_all(background *b);
void pg_close_all(background *b);
const char *pg_last_trouble(void);

/* A second one, as if it were another process, with the first one's webhook, or this one. */
background *pg_open_second(background *first);
background *pg_open_second_with(const bb_webhook *hook);
void pg_close_second(background *second);

/* The first one's webhook, at its receiver, for the second. */
void pg_add_hook_of(background *first, background *second);

int pg_enqueue_on(background *b, PGconn *db, const char *id, bb_error *error);

/* Rows of a table. */
long long postgres_count(const char *table);

/* Different values of the header with the delivery's id, among all requests. */
size_t pg_different_ids(server *receiver);

#endif
