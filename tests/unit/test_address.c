/*
 * Which addresses are anything but public: every range's edges, its first and last address in, the
 * ones before and after it out. The ranges are those of IANA's special-purpose registries for IPv4
 * and IPv6, multicast, and the metadata service that lies outside of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "delivery/address.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool is_private(const char *text) {
    unsigned char address[16];
    bool is_6 = strchr(text, ':') != NULL;
    if (inet_pton(is_6 ? AF_INET6 : AF_INET, text, address) != 1)
        fail_msg("%s is no address", text);
    return bb_address_is_private(address, is_6 ? 16 : 4);
}

static void assert_private(const char *text, bool expected) {
    if (is_private(text) != expected)
        fail_msg("%s: taken for %s", text, expected ? "public" : "private");
}

/* `before` and `after` are NULL where another range begins. */
static const struct range {
    const char *before, *first, *last, *after;
} ranges[] = {
    {NULL, "0.0.0.0", "0.255.255.255", "1.0.0.0"},
    {"9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"},
    {"100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"},
    {"126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"},
    {"168.63.129.15", "168.63.129.16", "168.63.129.16", "168.63.129.17"},
    {"169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"},
    {"172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"},
    {"191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"},
    {"192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"},
    {"192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"},
    {"192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"},
    {"198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"},
    {"198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"},
    {"203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"},
    {"223.255.255.255", "224.0.0.0", "239.255.255.255", NULL},
    {NULL, "240.0.0.0", "255.255.255.255", NULL},

    {NULL, "::", "::1", NULL},
    {"64:ff9b:0:ffff:ffff:ffff:ffff:ffff", "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
     "64:ff9b:2::"}, /* NAT64 for local use */
    {"ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "100::", "100::ffff:ffff:ffff:ffff", NULL},
    {"2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
     "2001:200::"},
    {"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
     "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"},
    {"3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
     "3fff:1000::"},
    {"5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     "5f01::"},
    {"fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     "fe00::"},
    {"fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     NULL},
    {NULL, "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
    {NULL, "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
};

static void a_range_holds_its_edges_and_nothing_beyond(void **state) {
    (void)state;
    size_t wrong = 0;
    for (size_t i = 0; i < COUNT(ranges); i++) {
        const char *const edges[] = {ranges[i].before, ranges[i].first, ranges[i].last,
                                     ranges[i].after};
        for (size_t e = 0; e < COUNT(edges); e++) {
            bool expected = e == 1 || e == 2;
            if (edges[e] && is_private(edges[e]) != expected) {
                print_error("%s: taken for %s\n", edges[e], expected ? "public" : "private");
                wrong++;
            }
        }
    }
    assert_int_equal(wrong, 0);
}

static void the_addresses_that_attacks_use_are_private(void **state) {
    (void)state;
    static const char *const addresses[] = {
        "127.0.0.1",
        "127.1.2.3",
        "0.0.0.0",
        "10.1.2.3",
        "172.20.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fd00:ec2::254",
        "ff02::1",
        "2001::1",
    };
    for (size_t i = 0; i < COUNT(addresses); i++)
        assert_private(addresses[i], true);
}

static void addresses_of_the_products_are_public(void **state) {
    (void)state;
    static const char *const addresses[] = {
        "1.1.1.1",  "8.8.8.8",    "3.68.0.1",          "162.159.128.233",   "203.119.1.1",
        "47.1.2.3", "52.112.0.1", "2606:4700::6810:1", "2a00:1450:4001::1", "2400:3200::1",
    };
    for (size_t i = 0; i < COUNT(addresses); i++)
        assert_private(addresses[i], false);
}

/* Every IPv4 edge again, inside each IPv6 form that carries an IPv4 address. */
static void a_carried_address_is_judged_by_what_it_carries(void **state) {
    (void)state;
    static const char *const forms[] = {"::ffff:%u.%u.%u.%u", "64:ff9b::%u.%u.%u.%u",
                                        "::%u.%u.%u.%u", "2002:%02x%02x:%02x%02x::1",
                                        "2002:%02x%02x:%02x%02x:ffff::1"};
    for (size_t i = 0; i < COUNT(ranges) && !strchr(ranges[i].first, ':'); i++) {
        const char *const edges[] = {ranges[i].before, ranges[i].first, ranges[i].last,
                                     ranges[i].after};
        for (size_t k = 0; k < COUNT(forms) * COUNT(edges); k++) {
            unsigned char b[4];
            char text[64];
            const char *edge = edges[k % COUNT(edges)];
            if (!edge || inet_pton(AF_INET, edge, b) != 1)
                continue;
            snprintf(text, sizeof(text), forms[k / COUNT(edges)], b[0], b[1], b[2], b[3]);
            assert_private(text, bb_address_is_private(b, 4));
        }
    }
}

static const struct {
    const char *host;
    bool is_private;
} hosts[] = {
    {"127.0.0.1", true},
    {"10.0.0.1", true},
    {"8.8.8.8", false},
    {"[::1]", true},
    {"[fe80::1]", true},
    {"[::ffff:127.0.0.1]", true},
    {"[::ffff:8.8.8.8]", false},
    {"[64:ff9b::7f00:1]", true},
    {"[64:ff9b::808:808]", false},
    {"[2606:4700::1]", false},
    {"[not an address]", true},
    {"[]", true},
    {"localhost", true},
    {"localhost.", true},
    {"a.localhost", true},
    {"a.b.localhost.", true},
    {"notlocalhost", false},
    {"localhost.example.com", false},
    {"hooks.slack.com", false},
    {"127.0.0.1.example.com", false},
    {"", false},
};

static void hosts_are_judged_by_their_form(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(hosts); i++)
        if (bb_address_host_is_private(hosts[i].host) != hosts[i].is_private)
            fail_msg("\"%s\"", hosts[i].host);
}

static void a_host_longer_than_any_address_is_survived(void **state) {
    (void)state;
    char host[300];
    memset(host, '1', sizeof(host));
    host[0] = '[';
    host[sizeof(host) - 2] = ']';
    host[sizeof(host) - 1] = '\0';
    bb_address_host_is_private(host);
    assert_false(bb_address_host_is_private(host + 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_range_holds_its_edges_and_nothing_beyond),
        cmocka_unit_test(the_addresses_that_attacks_use_are_private),
        cmocka_unit_test(addresses_of_the_products_are_public),
        cmocka_unit_test(a_carried_address_is_judged_by_what_it_carries),
        cmocka_unit_test(hosts_are_judged_by_their_form),
        cmocka_unit_test(a_host_longer_than_any_address_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
