#include "delivery/address.h"

#include <string.h>

#include <arpa/inet.h>

struct range {
    unsigned char prefix[16];
    int bits;
};

/* IANA's special-purpose registry, and metadata services outside of it. */
static const struct range ranges_4[] = {
    {{0, 0, 0, 0}, 8},      {{10, 0, 0, 0}, 8},     {{100, 64, 0, 0}, 10}, {{127, 0, 0, 0}, 8},
    {{169, 254, 0, 0}, 16}, {{172, 16, 0, 0}, 12},  {{192, 0, 0, 0}, 24},  {{192, 0, 2, 0}, 24},
    {{192, 88, 99, 0}, 24}, {{192, 168, 0, 0}, 16}, {{198, 18, 0, 0}, 15}, {{198, 51, 100, 0}, 24},
    {{203, 0, 113, 0}, 24}, {{224, 0, 0, 0}, 4},    {{240, 0, 0, 0}, 4},   {{168, 63, 129, 16}, 32},
};
static const struct range ranges_6[] = {
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48}, /* NAT64 of local use */
    {{0x01, 0x00}, 64},                         /* discard */
    {{0x20, 0x01, 0x00, 0x00}, 23},             /* protocol assignments, Teredo among them */
    {{0x20, 0x01, 0x0d, 0xb8}, 32},             /* documentation */
    {{0x3f, 0xff}, 20},                         /* documentation */
    {{0x5f, 0x00}, 16},                         /* segment routing */
    {{0xfc, 0x00}, 7},                          /* unique local */
    {{0xfe, 0x80}, 10},                         /* link-local */
    {{0xfe, 0xc0}, 10},                         /* site-local */
    {{0xff, 0x00}, 8},                          /* multicast */
};

/* IPv6 prefixes that are followed, at `bits`, by an IPv4 address. */
static const struct range carriers[] = {
    {{0}, 96},                                        /* ::/96: ::1 and :: too */
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96}, /* mapped */
    {{0x00, 0x64, 0xff, 0x9b}, 96},                   /* NAT64 */
    {{0x20, 0x02}, 16},                               /* 6to4 */
};

static bool is_in(const unsigned char *address, const struct range *range) {
    int bytes = range->bits / 8, rest = range->bits % 8;
    if (memcmp(address, range->prefix, (size_t)bytes) != 0)
        return false;
    unsigned mask = 0xFFu << (8 - rest) & 0xFFu;
    return rest == 0 || (address[bytes] & mask) == (range->prefix[bytes] & mask);
}

static bool is_in_any(const unsigned char *address, const struct range *ranges, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (is_in(address, &ranges[i]))
            return true;
    return false;
}

bool bb_address_is_private(const unsigned char *address, int length) {
    if (length == 4)
        return is_in_any(address, ranges_4, sizeof ranges_4 / sizeof *ranges_4);
    for (size_t i = 0; i < sizeof carriers / sizeof *carriers; i++)
        if (is_in(address, &carriers[i]))
            return bb_address_is_private(address + carriers[i].bits / 8, 4);
    return is_in_any(address, ranges_6, sizeof ranges_6 / sizeof *ranges_6);
}

static bool is_localhost(const char *host) {
    static const char name[] = "localhost";
    size_t n = strlen(host), tail = sizeof name - 1;
    if (n > 0 && host[n - 1] == '.')
        n--;
    return n >= tail && strncmp(host + n - tail, name, tail) == 0 &&
           (n == tail || host[n - tail - 1] == '.');
}

/* "127.1." and the like: resolvers take them for addresses, libcurl's parser for
 * names. No name has a last label that begins with a digit. */
static bool is_dotted_number(const char *host) {
    size_t n = strlen(host);
    if (n < 2 || host[n - 1] != '.')
        return false;
    for (n--; n > 0 && host[n - 1] != '.'; n--)
        continue;
    return host[n] >= '0' && host[n] <= '9';
}

bool bb_address_host_is_private(const char *host) {
    unsigned char address[16];
    char inner[64];
    if (is_dotted_number(host))
        return true;
    if (inet_pton(AF_INET, host, address) == 1)
        return bb_address_is_private(address, 4);
    size_t n = strlen(host);
    if (*host == '[' && n - 2 < sizeof inner) {
        memcpy(inner, host + 1, n - 2);
        inner[n - 2] = '\0';
        return inet_pton(AF_INET6, inner, address) != 1 || bb_address_is_private(address, 16);
    }
    return is_localhost(host);
}
