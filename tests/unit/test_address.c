/*
 * What an address is: every range's edges, its first and last address in, the ones before and after
 * it out, and what an address is called. The ranges are those of IANA's special-purpose registries
 * for IPv4 and IPv6, multicast, and what is reserved.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "delivery/address.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct bb_address address_of(const char *text) {
    struct bb_address address;
    if (!bb_address_read(&address, text, strlen(text)))
        fail_msg("%s is no address", text);
    return address;
}

/* `before` and `after` are NULL where another range begins. */
static const struct range {
    const char *before, *first, *last, *after, *kind;
} ranges[] = {
    {NULL, "0.0.0.0", "0.0.0.0", NULL, "unspecified"},
    {NULL, "0.0.0.1", "0.255.255.255", "1.0.0.0", "this network"},
    {"9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0", "private"},
    {"100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0", "CGNAT"},
    {"126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0", "loopback"},
    {"169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0", "link-local"},
    {"172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0", "private"},
    {"191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0", "protocol assignments"},
    {"192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0", "documentation"},
    {"192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0", "6to4 relay"},
    {"192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0", "private"},
    {"198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0", "benchmarking"},
    {"198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0", "documentation"},
    {"203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0", "documentation"},
    {"223.255.255.255", "224.0.0.0", "239.255.255.255", NULL, "multicast"},
    {NULL, "240.0.0.0", "255.255.255.254", NULL, "reserved"},
    {NULL, "255.255.255.255", "255.255.255.255", NULL, "broadcast"},

    {NULL, "::", "::", NULL, "unspecified"},
    {NULL, "::1", "::1", NULL, "loopback"},
    {NULL, "::2", "::ffff:ffff", NULL, "IPv4-compatible"},
    {NULL, "::1:0:0", "::fffe:ffff:ffff", NULL, "reserved"},
    {NULL, "::ffff:0:0", "::ffff:ffff:ffff", NULL, "IPv4-mapped"},
    {NULL, "::1:0:0:0", "64:ff9b:0:ffff:ffff:ffff:ffff:ffff", NULL, "reserved"},
    {NULL, "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", NULL, "NAT64 for local use"},
    {NULL, "64:ff9b:2::", "ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, "reserved"},
    {NULL, "100::", "100::ffff:ffff:ffff:ffff", NULL, "discard"},
    {NULL, "100:0:0:1::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2000::", "reserved"},
    {"2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff",
     NULL, "Teredo"},
    {NULL, "2001:1::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
     "2001:200::", "protocol assignments"},
    {"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
     "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::", "documentation"},
    {"2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     "2003::", "6to4"},
    {"3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
     "3fff:1000::", "documentation"},
    {"3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "4000::", "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     NULL, "reserved"},
    {NULL, "5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, "segment routing"},
    {NULL, "5f01::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, "reserved"},
    {NULL, "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, "unique local"},
    {NULL, "fe00::", "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, "reserved"},
    {NULL, "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, "link-local"},
    {NULL, "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, "site local"},
    {NULL, "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, "multicast"},
};

/* NULL: it should be public. */
static size_t complain(const char *text, const char *kind) {
    struct bb_address address = address_of(text);
    const char *found = bb_address_kind(&address);
    if (!found == !kind && (!kind || strstr(found, kind)))
        return 0;
    print_error("%s: is %s, should be %s\n", text, found ? found : "public",
                kind ? kind : "public");
    return 1;
}

static void a_range_holds_its_edges_and_nothing_beyond(void **state) {
    (void)state;
    size_t wrong = 0;
    for (size_t i = 0; i < COUNT(ranges); i++) {
        wrong += complain(ranges[i].first, ranges[i].kind);
        wrong += complain(ranges[i].last, ranges[i].kind);
        wrong += ranges[i].before ? complain(ranges[i].before, NULL) : 0;
        wrong += ranges[i].after ? complain(ranges[i].after, NULL) : 0;
    }
    assert_int_equal(wrong, 0);
}

static void addresses_of_the_products_are_public(void **state) {
    (void)state;
    static const char *const addresses[] = {
        "1.1.1.1",  "8.8.8.8",    "3.68.0.1",          "162.159.128.233",   "203.119.1.1",
        "47.1.2.3", "52.112.0.1", "2606:4700::6810:1", "2a00:1450:4001::1", "2400:3200::1",
    };
    size_t wrong = 0;
    for (size_t i = 0; i < COUNT(addresses); i++)
        wrong += complain(addresses[i], NULL);
    assert_int_equal(wrong, 0);
}

static void metadata_services_are_known_by_their_exact_addresses(void **state) {
    (void)state;
    static const char *const services[] = {
        "169.254.169.254",   "169.254.170.2", "169.254.170.23",    "100.100.100.200",
        "192.0.0.192",       "168.63.129.16", "169.254.0.23",      "169.254.42.42",
        "fd00:ec2::254",     "fd00:ec2::23",  "fd20:ce::254",      "fd00:c1::a9fe:a9fe",
        "fd00:100::100:200", "fd00:42::42",   "fd00:a9fe:a9fe::1",
    };
    static const char *const others[] = {
        "169.254.169.253", "169.254.169.255",    "169.254.170.1", "169.254.170.3",
        "100.100.100.199", "100.100.100.201",    "192.0.0.191",   "192.0.0.193",
        "168.63.129.15",   "168.63.129.17",      "fd00:ec2::253", "fd00:ec2::255",
        "fd00:ec2:1::254", "a9fe:a9fe::",        "::a9fe:a9fe",   "169.254.0.22",
        "169.254.42.43",   "fd00:c1::a9fe:a9ff", "fd00:42::41",   "fd00:a9fe:a9fe::2",
    };
    for (size_t i = 0; i < COUNT(services); i++) {
        struct bb_address address = address_of(services[i]);
        if (!bb_address_is_metadata(&address))
            fail_msg("%s is not known", services[i]);
    }
    for (size_t i = 0; i < COUNT(others); i++) {
        struct bb_address address = address_of(others[i]);
        if (bb_address_is_metadata(&address))
            fail_msg("%s is taken for one", others[i]);
    }
}

/* ---- what is carried */

static const struct {
    const char *prefix, *outer, *inner;
    enum bb_carried carried;
} carriers[] = {
    {NULL, "::ffff:192.0.2.33", "192.0.2.33", BB_CARRIED_REACHED},
    {NULL, "::fffe:192.0.2.33", NULL, BB_CARRIED_NONE},
    {NULL, "64:ff9b::192.0.2.33", "192.0.2.33", BB_CARRIED_REACHED},
    {NULL, "64:ff9b:0:0:0:1:c000:221", NULL, BB_CARRIED_NONE},
    {NULL, "64:ff9b:1::192.0.2.33", NULL, BB_CARRIED_NONE},
    {NULL, "::192.0.2.33", "192.0.2.33", BB_CARRIED_DEAD},
    {NULL, "2002:c000:221::1", "192.0.2.33", BB_CARRIED_DEAD},
    {NULL, "2001:db8::192.0.2.33", NULL, BB_CARRIED_NONE},
    /* the table of RFC 6052, section 2.4 */
    {"2001:db8::/32", "2001:db8:c000:221::", "192.0.2.33", BB_CARRIED_REACHED},
    {"2001:db8:100::/40", "2001:db8:1c0:2:21::", "192.0.2.33", BB_CARRIED_REACHED},
    {"2001:db8:122::/48", "2001:db8:122:c000:2:2100::", "192.0.2.33", BB_CARRIED_REACHED},
    {"2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::", "192.0.2.33", BB_CARRIED_REACHED},
    {"2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::", "192.0.2.33", BB_CARRIED_REACHED},
    {"2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33", "192.0.2.33", BB_CARRIED_REACHED},
    {"2001:db8:122:344::/96", "2001:db8:122:344::1:192.0.2.33", NULL, BB_CARRIED_NONE},
    {"64:ff9b:1::/48", "64:ff9b:1:c000:2:2100::", "192.0.2.33", BB_CARRIED_REACHED},
};

static struct bb_range range_of(const char *text) {
    const char *slash = strchr(text, '/');
    struct bb_range range = {.bits = atoi(slash + 1)};
    assert_true(bb_address_read(&range.first, text, (size_t)(slash - text)));
    return range;
}

static void an_address_within_another_is_found(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(carriers); i++) {
        struct bb_address outer = address_of(carriers[i].outer), inner, expected;
        struct bb_range nat64 = {0};
        if (carriers[i].prefix)
            nat64 = range_of(carriers[i].prefix);
        enum bb_carried carried =
            bb_address_carried(&outer, &nat64, carriers[i].prefix ? 1 : 0, &inner);
        if (carried != carriers[i].carried)
            fail_msg("%s: %d", carriers[i].outer, (int)carried);
        if (carried == BB_CARRIED_NONE)
            continue;
        expected = address_of(carriers[i].inner);
        if (!bb_address_is(&inner, &expected))
            fail_msg("%s: carries another", carriers[i].outer);
    }
}

static void of_two_nat64_prefixes_the_longer_one_counts(void **state) {
    (void)state;
    struct bb_range prefixes[] = {range_of("2001:db8::/32"), range_of("2001:db8:0:1::/96"),
                                  range_of("2001:db8::/40")};
    struct bb_address outer = address_of("2001:db8:0:1::8.8.8.8"), inner,
                      expected = address_of("8.8.8.8");
    assert_int_equal(bb_address_carried(&outer, prefixes, 3, &inner), BB_CARRIED_REACHED);
    assert_true(bb_address_is(&inner, &expected));
}

static void only_one_spelling_is_read(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",           "127.1",      "0x7f.0.0.1",
        "0177.0.0.1", "2130706433", "127.0.0.1.",
        "127.0.0.01", "[::1]",      "::1%lo",
        "fe80::1%1",  " ::1",       "127.0.0.1 ",
        "1.2.3.4.5",  "1.2.3.-4",   "::1::",
        "12345::",    "localhost",  "0000:0000:0000:0000:0000:0000:0000:0000:0000:0001",
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct bb_address address;
        if (bb_address_read(&address, texts[i], strlen(texts[i])))
            fail_msg("\"%s\"", texts[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_range_holds_its_edges_and_nothing_beyond),
        cmocka_unit_test(addresses_of_the_products_are_public),
        cmocka_unit_test(metadata_services_are_known_by_their_exact_addresses),
        cmocka_unit_test(an_address_within_another_is_found),
        cmocka_unit_test(of_two_nat64_prefixes_the_longer_one_counts),
        cmocka_unit_test(only_one_spelling_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
