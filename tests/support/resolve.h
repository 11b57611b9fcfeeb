/*
 * Name resolution by a table, so that the real hosts of products, and lookups that fail or hang,
 * can be tested without a network. Linking this file puts its getaddrinfo, connect and
 * getpeername in front of the C library's for the whole process, shared libraries included; names
 * and addresses that no test has registered go on to the real ones.
 */
#ifndef SUPPORT_RESOLVE_H
#define SUPPORT_RESOLVE_H

#include <stddef.h>

/* `name` has the IPv4 `address`; a connection to that address, whatever its port, is made to
 * 127.0.0.1:`port` instead, and its peer is told as asked for (port 0: it is made as asked). A name
 * registered twice has the later address: what rebinding does. */
void resolve_to(const char *name, const char *address, int port);

/* From now on connections that are made elsewhere tell the peer that they really have. */
void resolve_show_peers(void);

/* Lookups of `name` say that it does not exist. */
void resolve_fail(const char *name);

/* Lookups of `name` do not return before resolve_forget. */
void resolve_hang(const char *name);

/* Lookups of `name` that have begun. */
size_t resolve_lookups(const char *name);

/* Empties the table, ends resolve_show_peers and ends the hanging lookups, as failures, before it
 * returns. */
void resolve_forget(void);

#endif
