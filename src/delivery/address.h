/* What an address is, and which are public: a pure table. Who may be connected to is guard.h's. */
#ifndef BB_DELIVERY_ADDRESS_H
#define BB_DELIVERY_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

struct bb_address {
    unsigned char bytes[16]; /* in network order */
    int length;              /* 4 or 16 */
};

/* Addresses whose first `bits` are those of `first`. */
struct bb_range {
    struct bb_address first;
    int bits;
};

/* "192.0.2.1" or "2001:db8::1", of `length` bytes: no brackets, no zone, no other spelling. */
bool bb_address_read(struct bb_address *address, const char *text, size_t length);

bool bb_address_is(const struct bb_address *address, const struct bb_address *other);
bool bb_range_holds(const struct bb_range *range, const struct bb_address *address);

/* What an address is that is not public, in words ("loopback"); NULL: it is public. An IPv6 address
 * is judged as it stands, not by an IPv4 address in it. */
const char *bb_address_kind(const struct bb_address *address);

/* Whether a cloud's metadata service answers there, which hands out credentials. */
bool bb_address_is_metadata(const struct bb_address *address);

/* The IPv4 address within an IPv6 one. */
enum bb_carried {
    BB_CARRIED_NONE,
    BB_CARRIED_DEAD, /* IPv4-compatible or 6to4: given up by the IETF, nothing should lead there */
    BB_CARRIED_REACHED /* mapped or NAT64: a connection ends at the inner one */
};

/* `nat64` are this network's own prefixes of RFC 6052, next to 64:ff9b::/96. */
enum bb_carried bb_address_carried(const struct bb_address *address, const struct bb_range *nat64,
                                   size_t nat64_count, struct bb_address *inner);

/* The lengths that RFC 6052 has for a prefix. */
bool bb_address_is_nat64_length(int bits);

#endif
