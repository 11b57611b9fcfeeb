/* The host's list of DNS servers: "192.0.2.53,[2001:db8::53]:5353". */
#ifndef BB_DRIVER_RESOLVER_SERVERS_H
#define BB_DRIVER_RESOLVER_SERVERS_H

#include <stdbool.h>
#include <stddef.h>

enum { BB_SERVERS_MAX = 8, BB_SERVERS_TEXT = BB_SERVERS_MAX * 56 };

/* Written as every c-ares reads it: each with brackets if it is IPv6, and with its port (1.18
 * refuses brackets without one). `text` has BB_SERVERS_TEXT bytes. False: not such a list. */
bool bb_servers_normalise(const char *servers, char *text);

#endif
