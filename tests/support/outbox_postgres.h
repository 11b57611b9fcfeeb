/* What the tests of the outbox in PostgreSQL share: a dispatcher on an outbox in a fresh database.
 */
#ifndef SUPPORT_OUTBOX_POSTGRES_H
#define SUPPORT_OUTBOX_POSTGRES_H

#include "bb_webhook_postgres.h"
#include "support/background.h"
#include "support/postgres.h"

enum { LEASE_MS = 1000 };

/* cmocka's setup and teardown: of a background, and of what is said below. */
int outbox_setup(void **state);
int outbox_teardown(void **state);
#define OUTBOX_TEST(test) cmocka_unit_test_setup_teardown(test, outbox_setup, outbox_teardown)

bb_outbox *open_outbox(void);

/* The dispatcher, on an outbox of its own; and as when the program ends. What the outbox is in
 * trouble about is kept. */
void open_all(background *b);
void close_all(background *b);
const char *last_trouble(void);

/* A second one, as if it were another process, with the first one's webhook. */
background *open_second(background *first);
void close_second(background *second);

/* The first one's webhook, at its receiver, for the second. */
void add_hook_of(background *first, background *second);

int enqueue_on(background *b, PGconn *db, const char *id, bb_error *error);

/* Rows of a table. */
long long postgres_count(const char *table);

/* Different values of the header with the delivery's id, among all requests. */
size_t different_ids(server *receiver);

#endif
