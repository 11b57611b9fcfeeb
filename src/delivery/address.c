#include "delivery/address.h"

#include <string.h>

#include <arpa/inet.h>

struct kind {
    unsigned char prefix[16];
    int bits;
    const char *words;
};

/* IANA's special-purpose registries; the first that holds the address names it. */
static const struct kind kinds_4[] = {
    {{0, 0, 0, 0}, 32, "unspecified"},
    {{0, 0, 0, 0}, 8, "this network"},
    {{10, 0, 0, 0}, 8, "private"},
    {{100, 64, 0, 0}, 10, "shared by a carrier's customers (CGNAT)"},
    {{127, 0, 0, 0}, 8, "loopback"},
    {{169, 254, 0, 0}, 16, "link-local"},
    {{172, 16, 0, 0}, 12, "private"},
    {{192, 0, 0, 0}, 24, "protocol assignments"},
    {{192, 0, 2, 0}, 24, "documentation"},
    {{192, 88, 99, 0}, 24, "6to4 relay"},
    {{192, 168, 0, 0}, 16, "private"},
    {{198, 18, 0, 0}, 15, "benchmarking"},
    {{198, 51, 100, 0}, 24, "documentation"},
    {{203, 0, 113, 0}, 24, "documentation"},
    {{224, 0, 0, 0}, 4, "multicast"},
    {{255, 255, 255, 255}, 32, "broadcast"},
    {{240, 0, 0, 0}, 4, "reserved"},
};
static const struct kind kinds_6[] = {
    {{0}, 128, "unspecified"},
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, "loopback"},
    {{0}, 96, "IPv4-compatible"},
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, "IPv4-mapped"},
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48, "NAT64 for local use"},
    {{0x01, 0x00}, 64, "discard"},
    {{0x20, 0x01, 0x00, 0x00}, 32, "Teredo"},
    {{0x20, 0x01, 0x00, 0x00}, 23, "protocol assignments"},
    {{0x20, 0x01, 0x0d, 0xb8}, 32, "documentation"},
    {{0x20, 0x02}, 16, "6to4"},
    {{0x3f, 0xff}, 20, "documentation"},
    {{0x5f, 0x00}, 16, "segment routing"},
    {{0xfc, 0x00}, 7, "unique local"},
    {{0xfe, 0x80}, 10, "link-local"},
    {{0xfe, 0xc0}, 10, "site local"},
    {{0xff, 0x00}, 8, "multicast"},
};

/* All that IANA has given out for use in public. */
static const struct bb_range global_unicast = {{{0x20}, 16}, 3};

/* AWS, Azure, Google, Oracle, Alibaba, Tencent and Scaleway, Linode; those of AWS' containers and
 * pods. */
static const struct bb_address metadata[] = {
    {{169, 254, 169, 254}, 4},
    {{169, 254, 170, 2}, 4},
    {{169, 254, 170, 23}, 4},
    {{100, 100, 100, 200}, 4},
    {{192, 0, 0, 192}, 4},
    {{169, 254, 0, 23}, 4},
    {{169, 254, 42, 42}, 4},
    {{168, 63, 129, 16}, 4},
    {{0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54}, 16},
    {{0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x00, 0x23}, 16},
    {{0xfd, 0x20, 0x00, 0xce, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54}, 16},
    {{0xfd, 0x00, 0x00, 0xc1, 0, 0, 0, 0, 0, 0, 0, 0, 0xa9, 0xfe, 0xa9, 0xfe}, 16},
    {{0xfd, 0x00, 0x01, 0x00, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x00, 0x02, 0x00}, 16},
    {{0xfd, 0x00, 0x00, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x00, 0x42}, 16},
    {{0xfd, 0x00, 0xa9, 0xfe, 0xa9, 0xfe, 0, 0, 0, 0, 0, 0, 0, 0, 0x00, 0x01}, 16},
};

/* ---- texts and ranges ---- */

bool bb_address_read(struct bb_address *address, const char *text, size_t length) {
    char copy[INET6_ADDRSTRLEN];
    if (length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    *address = (struct bb_address){.length = memchr(text, ':', length) ? 16 : 4};
    return inet_pton(address->length == 4 ? AF_INET : AF_INET6, copy, address->bytes) == 1;
}

bool bb_address_is(const struct bb_address *address, const struct bb_address *other) {
    return address->length == other->length &&
           memcmp(address->bytes, other->bytes, (size_t)address->length) == 0;
}

static bool has_prefix(const unsigned char *bytes, const unsigned char *prefix, int bits) {
    int whole = bits / 8, rest = bits % 8;
    if (memcmp(bytes, prefix, (size_t)whole) != 0)
        return false;
    unsigned mask = 0xFFu << (8 - rest) & 0xFFu;
    return rest == 0 || (bytes[whole] & mask) == (prefix[whole] & mask);
}

bool bb_range_holds(const struct bb_range *range, const struct bb_address *address) {
    return range->first.length == address->length &&
           has_prefix(address->bytes, range->first.bytes, range->bits);
}

/* ---- what it is ---- */

static const char *find_kind(const unsigned char *bytes, const struct kind *kinds, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (has_prefix(bytes, kinds[i].prefix, kinds[i].bits))
            return kinds[i].words;
    return NULL;
}

const char *bb_address_kind(const struct bb_address *address) {
    if (address->length == 4)
        return find_kind(address->bytes, kinds_4, sizeof kinds_4 / sizeof *kinds_4);
    const char *words = find_kind(address->bytes, kinds_6, sizeof kinds_6 / sizeof *kinds_6);
    return words || bb_range_holds(&global_unicast, address) ? words : "reserved";
}

bool bb_address_is_metadata(const struct bb_address *address) {
    for (size_t i = 0; i < sizeof metadata / sizeof *metadata; i++)
        if (bb_address_is(address, &metadata[i]))
            return true;
    return false;
}

/* ---- what it carries ---- */

static const struct bb_range mapped = {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 16}, 96};
static const struct bb_range nat64_of_all = {{{0x00, 0x64, 0xff, 0x9b}, 16}, 96};
static const struct bb_range compatible = {{{0}, 16}, 96};
static const struct bb_range six_to_four = {{{0x20, 0x02}, 16}, 16};

bool bb_address_is_nat64_length(int bits) {
    return bits == 32 || bits == 40 || bits == 48 || bits == 56 || bits == 64 || bits == 96;
}

/* Four bytes from `bits` on, without the ninth: RFC 6052 keeps that one zero. */
static void take_inner(const struct bb_address *address, int bits, bool skips,
                       struct bb_address *inner) {
    int at = bits / 8;
    *inner = (struct bb_address){.length = 4};
    for (int i = 0; i < 4; i++, at++) {
        at += skips && at == 8;
        inner->bytes[i] = address->bytes[at];
    }
}

/* Of several the longest, as routing does. */
static const struct bb_range *find_nat64(const struct bb_address *address,
                                         const struct bb_range *nat64, size_t count) {
    const struct bb_range *found = bb_range_holds(&nat64_of_all, address) ? &nat64_of_all : NULL;
    for (size_t i = 0; i < count; i++)
        if (bb_range_holds(&nat64[i], address) && (!found || found->bits < nat64[i].bits))
            found = &nat64[i];
    return found;
}

enum bb_carried bb_address_carried(const struct bb_address *address, const struct bb_range *nat64,
                                   size_t nat64_count, struct bb_address *inner) {
    const struct bb_range *found = find_nat64(address, nat64, nat64_count);
    enum bb_carried carried = BB_CARRIED_REACHED;
    bool skips = found != NULL;
    if (!found && bb_range_holds(&mapped, address))
        found = &mapped;
    if (!found) {
        found = bb_range_holds(&compatible, address)    ? &compatible
                : bb_range_holds(&six_to_four, address) ? &six_to_four
                                                        : NULL;
        carried = BB_CARRIED_DEAD;
    }
    if (!found)
        return BB_CARRIED_NONE;
    take_inner(address, found->bits, skips, inner);
    return carried;
}
