/*
 * Debian's PgBouncer in transaction mode before the server of postgres.h: each transaction may have
 * another of its few connections. In the server's folder, reached by a socket there, gone with the
 * program. A machine without one fails the test program.
 */
#ifndef SUPPORT_PGBOUNCER_H
#define SUPPORT_PGBOUNCER_H

enum { PGBOUNCER_PORT = 6432 };

/* After postgres_fresh(), with so many connections to its database: all that postgres.h says of it
 * goes through the pooler until it is stopped. */
void pgbouncer_start(int connections);
void pgbouncer_stop(void);

#endif
