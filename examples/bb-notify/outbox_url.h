/* The URL of an outbox in PostgreSQL. A password may stand in it, so it is never printed as it is,
 * and where a password might be taken for something else, which libpq prints, it is refused. */
#ifndef BB_NOTIFY_OUTBOX_URL_H
#define BB_NOTIFY_OUTBOX_URL_H

#include <stdbool.h>

bool outbox_url_is(const char *where);

/* Of one that is: NULL, or what is wrong with it. */
const char *outbox_url_mistake(const char *url);

/* The same without user, password and parameters, to be freed; NULL: out of memory. */
char *outbox_url_masked(const char *url);

#endif
