/* A PostgreSQL server of the test program's own: made when it is first asked for, reached by a
 * socket in a folder of its own and by nothing else, gone with the program. A machine without one
 * fails the test program. */
#ifndef SUPPORT_POSTGRES_H
#define SUPPORT_POSTGRES_H

#include <libpq-fe.h>

/* How to reach a new, empty database as a role that may do nothing else; until the next call,
 * which removes it. */
const char *postgres_fresh(void);

/* The same database, with these words more. Static. */
const char *postgres_conninfo_with(const char *more);

/* Opens a connection to it, as a host would. */
PGconn *postgres_connect(void);

/* Runs statements; the first number of the last one's answer. They fail the test. */
long long postgres_run(PGconn *conn, const char *sql);

/* As when the machine loses its power: no goodbye to anybody. Between stop and start nobody
 * answers. */
void postgres_stop(void);
void postgres_start(void);

#endif
