/*
 * A small DNS server on 127.0.0.1, UDP only, in a thread of the test: it answers questions for A
 * and AAAA from a table. Names that are in no table do not exist.
 *
 * Like the scripted HTTP server it ends the program, with a sentence, when the machine refuses.
 * What is passed in is copied. All functions may be called from any thread, also while it serves.
 */
#ifndef SUPPORT_DNS_H
#define SUPPORT_DNS_H

#include <stddef.h>

typedef struct dns dns;

dns *dns_start(void);
void dns_stop(dns *server); /* NULL is fine */

/* "127.0.0.1:PORT", until dns_stop. */
const char *dns_servers(const dns *server);

/*
 * What the questions for `name` get, in place of what they got before. The `name` "*" stands for
 * every name without a row of its own. Addresses of both kinds, with commas between; a name with
 * none of the kind that is asked for exists all the same, so "" is a name without any.
 */
void dns_set(dns *server, const char *name, const char *addresses, unsigned ttl_s);
void dns_alias(dns *server, const char *name, const char *target, unsigned ttl_s); /* CNAME */
void dns_missing(dns *server, const char *name);                                   /* NXDOMAIN */
void dns_failing(dns *server, const char *name);                                   /* SERVFAIL */
void dns_garbage(dns *server, const char *name);                                   /* no sense */
void dns_silent(dns *server, const char *name);                                    /* no answer */

/* The questions for a name that has a row, or for all that came to "*". A look-up asks two, one for
 * each kind of address; repeated ones count. */
size_t dns_count(dns *server, const char *name);

/* Waits until there were as many. 1, or 0 when the time is over. */
int dns_wait_count(dns *server, const char *name, size_t count, int timeout_ms);

#endif
