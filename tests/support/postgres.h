/* A PostgreSQL server of the test program's own: made when it is first asked for, reached by a
 * socket in a folder of its own and by nothing else, gone with the program. A machine without one
 * fails the test program. */
#ifndef SUPPORT_POSTGRES_H
#define SUPPORT_POSTGRES_H

#include <libpq-fe.h>
#include <sys/types.h>

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

/* In place of the latter: nobody can write, as on a hot standby, until it is promoted. */
void postgres_start_standby(void);
void postgres_promote(void);

/* ---- for a pooler in front of it: pgbouncer.h ---- */

enum { POSTGRES_PORT = 5432 }; /* the server's own: a part of its socket's name */

/* Where the sockets are. */
const char *postgres_folder(void);

/* All that is said about the last database leads there from now on, until the next one. */
void postgres_go_through(int port);

/* Waits until somebody answers there; else ends the test program. */
void postgres_wait_for(int port);

/* A program that ends with this one, in that folder, as the server's user. */
pid_t postgres_run_program(const char *path, const char *const *arguments);

#endif
