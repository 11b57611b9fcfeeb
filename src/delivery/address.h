/* Which addresses the library may connect to: a pure table. */
#ifndef BB_DELIVERY_ADDRESS_H
#define BB_DELIVERY_ADDRESS_H

#include <stdbool.h>

/* Whether an IPv4 (4 bytes) or IPv6 (16 bytes) address, in network order, is
 * anything but public: loopback, private, link-local, shared, documentation,
 * multicast, reserved. IPv6 forms that carry an IPv4 address are judged by it. */
bool bb_address_is_private(const unsigned char *address, int length);

/* The same for a URL's host: an address literal ("[::1]" too), or localhost and
 * names below it. A name is not looked up: it is judged when it is connected to. */
bool bb_address_host_is_private(const char *host);

#endif
