/* The address guard's rules: their order, what each opens and what it does not, and how the
 * operator's lists are read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "delivery/guard.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct bb_address address_of(const char *text) {
    struct bb_address address;
    if (!bb_address_read(&address, text, strlen(text)))
        fail_msg("%s is no address", text);
    return address;
}

/* Judges by these lists. */
static const char *judge(bb_egress egress, bool allow_private, const char *text) {
    struct bb_address address = address_of(text);
    struct bb_guard *guard;
    bb_error error = BB_ERROR_INIT;
    if (bb_guard_new(&bb_mem_default, &egress, &guard, &error) != BB_OK)
        fail_msg("%s", error.text);
    struct bb_bounds bounds = {.guard = guard, .allow_private = allow_private};
    const char *rule = bb_guard_judge(&bounds, &address);
    bb_mem_free(&bb_mem_default, guard);
    return rule;
}

static bb_egress lists(const char *allow, const char *deny) {
    bb_egress egress = BB_EGRESS_INIT;
    egress.allow_addresses = allow;
    egress.deny_addresses = deny;
    return egress;
}

/* ---- the order */

static const struct {
    const char *allow, *deny, *address, *rule; /* no rule: it is allowed */
} orders[] = {
    {NULL, NULL, "8.8.8.8", NULL},
    {NULL, NULL, "10.1.2.3", "private"},
    {NULL, NULL, "2606:4700::1", NULL},
    {NULL, NULL, "fd00::1", "unique local"},
    {"", "", "10.1.2.3", "private"},
    /* the allow list stands before the built-in rules */
    {"10.1.0.0/16", NULL, "10.1.2.3", NULL},
    {"10.1.0.0/16", NULL, "10.2.2.3", "private"},
    {"10.1.2.3", NULL, "10.1.2.3", NULL},
    {"10.1.2.3", NULL, "10.1.2.4", "private"},
    {"fd00:1::/32", NULL, "fd00:1::5", NULL},
    {"fd00:1::/32", NULL, "fd00:2::5", "unique local"},
    {"192.168.0.0/16 ,\t10.1.0.0/16,fd00::/8", NULL, "fd00::9", NULL},
    {"0.0.0.0/0", NULL, "127.0.0.1", NULL},
    {"0.0.0.0/0", NULL, "::1", "loopback"},
    {"::/0", NULL, "127.0.0.1", "loopback"},
    /* the deny list before the allow list */
    {"10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "deny_addresses"},
    {"10.0.0.0/8", "10.1.0.0/16", "10.2.2.3", NULL},
    {"10.1.2.3", "10.0.0.0/8", "10.1.2.3", "deny_addresses"},
    {NULL, "8.8.8.0/24", "8.8.8.8", "deny_addresses"},
    {NULL, "8.8.8.0/24", "8.8.9.8", NULL},
    {NULL, "0.0.0.0/0", "2606:4700::1", NULL},
    {NULL, "2000::/3", "2606:4700::1", "deny_addresses"},
    {NULL, "8.8.8.0/31", "8.8.8.2", NULL},
    {NULL, "8.8.8.0/31", "8.8.8.1", "deny_addresses"},
    /* metadata services: by their exact address only */
    {NULL, NULL, "169.254.169.254", "cloud metadata"},
    {NULL, NULL, "168.63.129.16", "cloud metadata"},
    {NULL, NULL, "fd00:ec2::254", "cloud metadata"},
    {"169.254.0.0/16", NULL, "169.254.169.254", "cloud metadata"},
    {"169.254.0.0/16", NULL, "169.254.169.253", NULL},
    {"169.254.169.254/31", NULL, "169.254.169.254", "cloud metadata"},
    {"0.0.0.0/0,::/0", NULL, "169.254.169.254", "cloud metadata"},
    {"0.0.0.0/0,::/0", NULL, "168.63.129.16", "cloud metadata"},
    {"0.0.0.0/0,::/0", NULL, "fd00:ec2::254", "cloud metadata"},
    {"fd00:ec2::/64", NULL, "fd00:ec2::254", "cloud metadata"},
    {"fd00::/8", NULL, "fd00:c1::a9fe:a9fe", "cloud metadata"},
    {"169.254.0.0/16", NULL, "169.254.42.42", "cloud metadata"},
    {"169.254.169.254/32", NULL, "169.254.169.254", NULL},
    {"169.254.169.254", NULL, "169.254.169.254", NULL},
    {"169.254.169.254", NULL, "169.254.170.2", "cloud metadata"},
    {"fd00:ec2::254/128", NULL, "fd00:ec2::254", NULL},
    {"169.254.169.254", "169.254.0.0/16", "169.254.169.254", "deny_addresses"},
    /* both lists see an address that carries another as both */
    {NULL, NULL, "::ffff:10.1.2.3", "private"},
    {NULL, NULL, "::ffff:8.8.8.8", NULL},
    {NULL, NULL, "64:ff9b::10.1.2.3", "private"},
    {NULL, NULL, "64:ff9b::8.8.8.8", NULL},
    {"10.0.0.0/8", NULL, "::ffff:10.1.2.3", NULL},
    {"10.0.0.0/8", NULL, "64:ff9b::10.1.2.3", NULL},
    {"::ffff:10.0.0.0/104", NULL, "10.1.2.3", NULL},
    {"64:ff9b::/96", NULL, "64:ff9b::10.1.2.3", NULL},
    {NULL, "8.8.8.0/24", "::ffff:8.8.8.8", "deny_addresses"},
    {NULL, "8.8.8.0/24", "64:ff9b::8.8.8.8", "deny_addresses"},
    {NULL, "64:ff9b::/96", "64:ff9b::8.8.8.8", "deny_addresses"},
    {NULL, "::ffff:8.8.8.0/120", "8.8.8.8", "deny_addresses"},
    {NULL, NULL, "::ffff:169.254.169.254", "cloud metadata"},
    {NULL, NULL, "64:ff9b::169.254.169.254", "cloud metadata"},
    {"::/0", NULL, "::ffff:169.254.169.254", "cloud metadata"},
    {"64:ff9b::/96", NULL, "64:ff9b::169.254.169.254", "cloud metadata"},
    {"169.254.169.254", NULL, "64:ff9b::169.254.169.254", NULL},
    /* what leads nowhere any more is not opened by the address in it */
    {NULL, NULL, "::8.8.8.8", "IPv4-compatible"},
    {NULL, NULL, "2002:808:808::1", "6to4"},
    {NULL, NULL, "2001::1", "Teredo"},
    {"8.8.8.8", NULL, "::8.8.8.8", "IPv4-compatible"},
    {"8.8.8.8", NULL, "2002:808:808::1", "6to4"},
    {"2002:808:808::/48", NULL, "2002:808:808::1", NULL},
    {"2002::/16", NULL, "2002:a9fe:a9fe::1", "cloud metadata"},
    {NULL, "8.8.8.0/24", "2002:808:808::1", "deny_addresses"},
};

static void the_first_rule_that_holds_decides(void **state) {
    (void)state;
    size_t wrong = 0;
    for (size_t i = 0; i < COUNT(orders); i++) {
        const char *rule = judge(lists(orders[i].allow, orders[i].deny), false, orders[i].address);
        if (!rule == !orders[i].rule && (!rule || strcmp(rule, orders[i].rule) == 0))
            continue;
        print_error("allow %s, deny %s: %s is refused by %s\n", orders[i].allow, orders[i].deny,
                    orders[i].address, rule);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

static void the_switch_opens_all_but_metadata_and_what_is_denied(void **state) {
    (void)state;
    static const char *const opened[] = {"127.0.0.1", "10.1.2.3", "169.254.1.1",      "::1",
                                         "fe80::1",   "fd00::1",  "::ffff:127.0.0.1", "8.8.8.8"};
    static const char *const metadata[] = {
        "169.254.169.254", "169.254.170.2",   "100.100.100.200",        "192.0.0.192",
        "168.63.129.16",   "fd00:ec2::254",   "::ffff:169.254.169.254", "64:ff9b::169.254.169.254",
        "::a9fe:a9fe",     "2002:a9fe:a9fe::"};
    for (size_t i = 0; i < COUNT(opened); i++)
        if (judge(lists(NULL, NULL), true, opened[i]))
            fail_msg("%s is refused", opened[i]);
    for (size_t i = 0; i < COUNT(metadata); i++)
        if (judge(lists(NULL, NULL), true, metadata[i]) != bb_guard_metadata)
            fail_msg("%s is allowed", metadata[i]);
    assert_ptr_equal(judge(lists(NULL, "127.0.0.0/8"), true, "127.0.0.1"), bb_guard_denied);
    assert_null(judge(lists("169.254.169.254", NULL), true, "169.254.169.254"));
}

static void an_operator_s_nat64_prefix_is_judged_by_what_it_carries(void **state) {
    (void)state;
    bb_egress egress = BB_EGRESS_INIT;
    egress.nat64_prefixes = "2a00:64::/96, 2a00:aa00::/32,64:ff9b:1::/48";
    assert_string_equal(judge(egress, false, "2a00:64::10.0.0.1"), "private");
    assert_string_equal(judge(egress, false, "2a00:64::127.0.0.1"), "loopback");
    assert_ptr_equal(judge(egress, false, "2a00:64::169.254.169.254"), bb_guard_metadata);
    assert_null(judge(egress, false, "2a00:64::8.8.8.8"));
    assert_null(judge(egress, false, "2a00:64:0:0:1::10.0.0.1")); /* not in the prefix */
    assert_string_equal(judge(egress, false, "2a00:aa00:0a00:1::"), "private");
    assert_null(judge(egress, false, "2a00:aa00:0808:808::"));
    assert_null(judge(egress, false, "64:ff9b:1:808:8:800::"));
    assert_string_equal(judge(egress, false, "64:ff9b:1:7f00:0:100::"), "loopback");
    assert_null(judge((bb_egress)BB_EGRESS_INIT, false, "2a00:64::10.0.0.1"));
}

static void this_host_s_own_addresses_are_refused_in_every_form(void **state) {
    (void)state;
    struct bb_address own[] = {address_of("8.8.4.4"), address_of("2a00::77")};
    static const char *const refused[] = {"8.8.4.4", "::ffff:8.8.4.4", "64:ff9b::8.8.4.4",
                                          "2a00::77"};
    struct bb_bounds bounds = {.own = own, .own_count = COUNT(own)};
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct bb_address address = address_of(refused[i]);
        bounds.allow_private = false;
        assert_string_equal(bb_guard_judge(&bounds, &address), "this host's own");
        bounds.allow_private = true;
        assert_null(bb_guard_judge(&bounds, &address));
    }
    struct bb_address next = address_of("8.8.4.5");
    bounds.allow_private = false;
    assert_null(bb_guard_judge(&bounds, &next));
    bb_egress egress = lists("8.8.4.4", NULL);
    struct bb_guard *guard;
    assert_int_equal(bb_guard_new(&bb_mem_default, &egress, &guard, NULL), BB_OK);
    bounds.guard = guard;
    assert_null(bb_guard_judge(&bounds, &own[0]));
    assert_non_null(bb_guard_judge(&bounds, &own[1]));
    bb_mem_free(&bb_mem_default, guard);
}

/* ---- hosts */

static const struct {
    const char *host, *rule;
} hosts[] = {
    {"127.0.0.1", "loopback"},
    {"10.0.0.1", "private"},
    {"8.8.8.8", NULL},
    {"[::1]", "loopback"},
    {"[fe80::1]", "link-local"},
    {"[::ffff:127.0.0.1]", "loopback"},
    {"[::ffff:8.8.8.8]", NULL},
    {"[64:ff9b::7f00:1]", "loopback"},
    {"[64:ff9b::808:808]", NULL},
    {"[64:ff9b::a9fe:a9fe]", "cloud metadata"},
    {"[2606:4700::1]", NULL},
    {"[not an address]", "not an address"},
    {"[127.0.0.1]", "not an address"},
    {"[]", "not an address"},
    {"[", "not an address"},
    {"localhost", "loopback"},
    {"localhost.", "loopback"},
    {"a.localhost", "loopback"},
    {"a.b.localhost.", "loopback"},
    {"169.254.169.254.", "cloud metadata"},
    {"2852039166.", "cloud metadata"},
    {"0xa9.0376.43518.", "cloud metadata"},
    {"127.1.", "loopback"},
    {"8.8.8.8.", NULL},
    {"1.2.3.4.5.", "broadcast"},
    {"example.1x.", "broadcast"},
    {"1111111111111111111111111111111111111111111111111111111111111111111111.", "not an address"},
    {"notlocalhost", NULL},
    {"localhost.example.com", NULL},
    {"hooks.slack.com", NULL},
    {"127.0.0.1.example.com", NULL},
    {"", NULL},
};

static void hosts_are_judged_by_their_form(void **state) {
    (void)state;
    struct bb_bounds bounds = {0};
    for (size_t i = 0; i < COUNT(hosts); i++) {
        const char *rule = bb_guard_judge_host(&bounds, hosts[i].host);
        if (!rule != !hosts[i].rule || (rule && strcmp(rule, hosts[i].rule) != 0))
            fail_msg("\"%s\": %s", hosts[i].host, rule);
    }
}

static void localhost_is_open_when_one_of_its_addresses_is(void **state) {
    (void)state;
    static const char *const opening[] = {"127.0.0.1", "127.0.0.0/8", "::1", "127.0.0.1,::1"};
    for (size_t i = 0; i < COUNT(opening); i++) {
        bb_egress egress = lists(opening[i], NULL);
        struct bb_guard *guard;
        assert_int_equal(bb_guard_new(&bb_mem_default, &egress, &guard, NULL), BB_OK);
        struct bb_bounds bounds = {.guard = guard};
        assert_null(bb_guard_judge_host(&bounds, "localhost"));
        bb_mem_free(&bb_mem_default, guard);
    }
}

static void a_host_longer_than_any_address_is_survived(void **state) {
    (void)state;
    struct bb_bounds bounds = {0};
    char host[300];
    memset(host, '1', sizeof(host));
    host[0] = '[';
    host[sizeof(host) - 2] = ']';
    host[sizeof(host) - 1] = '\0';
    assert_non_null(bb_guard_judge_host(&bounds, host));
    assert_null(bb_guard_judge_host(&bounds, host + 1));
}

/* ---- ports */

static bool has_port(const char *ports, bool allow_http, bool allow_private, unsigned port) {
    bb_egress egress = BB_EGRESS_INIT;
    struct bb_guard *guard;
    egress.ports = ports;
    assert_int_equal(bb_guard_new(&bb_mem_default, &egress, &guard, NULL), BB_OK);
    struct bb_bounds bounds = {.guard = guard, .allow_private = allow_private};
    bool has = bb_guard_has_port(&bounds, allow_http, port);
    bb_mem_free(&bb_mem_default, guard);
    return has;
}

static void without_a_list_the_usual_ports_are_open(void **state) {
    (void)state;
    static const unsigned closed[] = {1, 22, 79, 81, 442, 444, 8443, 65535};
    static const char *const none[] = {NULL, ""};
    for (size_t i = 0; i < COUNT(none); i++) {
        assert_true(has_port(none[i], false, false, 443));
        assert_false(has_port(none[i], false, false, 80));
        assert_true(has_port(none[i], true, false, 80));
    }
    for (size_t i = 0; i < COUNT(closed); i++) {
        assert_false(has_port(NULL, true, false, closed[i]));
        assert_true(has_port(NULL, false, true, closed[i]));
    }
}

static void a_list_of_ports_holds_for_everybody(void **state) {
    (void)state;
    static const unsigned open[] = {8443, 9000, 9001, 9100, 1, 65535};
    static const unsigned closed[] = {443, 80, 8442, 8444, 8999, 9101, 2, 65534};
    for (size_t i = 0; i < COUNT(open); i++)
        assert_true(has_port("8443, 9000-9100 ,1,65535", false, false, open[i]));
    for (size_t i = 0; i < COUNT(closed); i++)
        assert_false(has_port("8443, 9000-9100 ,1,65535", true, true, closed[i]));
    assert_true(has_port("*", false, false, 22));
    assert_true(has_port("443,*", false, false, 22));
}

/* ---- mistakes */

static void check_mistake(bb_egress egress, const char *field, const char *entry) {
    struct bb_guard *guard = (struct bb_guard *)&egress;
    bb_error error = BB_ERROR_INIT;
    char quoted[80];
    snprintf(quoted, sizeof quoted, "\"%s\"", entry);
    int code = bb_guard_new(&bb_mem_default, &egress, &guard, &error);
    if (code != BB_ERR_ARGUMENT || guard)
        fail_msg("%s: %s: %s", field, entry, bb_code_name(code));
    if (!strstr(error.text, field) || !strstr(error.text, quoted))
        fail_msg("\"%s\" names neither %s nor %s", error.text, field, entry);
}

static void a_range_that_is_none_is_named(void **state) {
    (void)state;
    static const char *const entries[] = {
        "10.0.0.0/33", "10.0.0.0/",   "10.0.0.0/x",        "10.0.0.0/-1", "10.0.0.0/8/8",
        "10.0.0.1/8",  "10.1",        "127.0.0.1.",        "fd00::/129",  "fe80::1%eth0",
        "[::1]",       "fd00::1/16",  "example.com",       "/8",          "10.0.0.0 /8",
        "0x7f000001",  "::ffff:1/96", "10.0.0.0-10.0.0.9", "10.0.0.0/08x"};
    for (size_t i = 0; i < COUNT(entries); i++) {
        char list[80];
        snprintf(list, sizeof list, "192.168.0.0/16, %s ,172.16.0.0/12", entries[i]);
        check_mistake(lists(list, NULL), "allow_addresses", entries[i]);
        check_mistake(lists(NULL, list), "deny_addresses", entries[i]);
        check_mistake(lists(NULL, entries[i]), "deny_addresses", entries[i]);
    }
    check_mistake(lists("10.0.0.0/8,", NULL), "allow_addresses", "");
    check_mistake(lists(",10.0.0.0/8", NULL), "allow_addresses", "");
    check_mistake(lists(" ", NULL), "allow_addresses", "");
}

static void a_nat64_prefix_of_another_length_is_named(void **state) {
    (void)state;
    static const char *const entries[] = {"64:ff9b::/95", "2a00::/33", "2a00::/128", "2a00::",
                                          "10.0.0.0/32",  "2a00::/0",  "2a00::1/96"};
    for (size_t i = 0; i < COUNT(entries); i++) {
        bb_egress egress = BB_EGRESS_INIT;
        egress.nat64_prefixes = entries[i];
        check_mistake(egress, "nat64_prefixes", entries[i]);
    }
}

static void a_port_that_is_none_is_named(void **state) {
    (void)state;
    static const char *const entries[] = {"0",     "65536",     "https", "443-", "-443",
                                          "90-80", "443-65536", "4 43",  "**",   "99999999999999"};
    for (size_t i = 0; i < COUNT(entries); i++) {
        bb_egress egress = BB_EGRESS_INIT;
        egress.ports = entries[i];
        check_mistake(egress, "ports", entries[i]);
    }
    bb_egress egress = BB_EGRESS_INIT;
    egress.ports = "443,";
    check_mistake(egress, "ports", "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_rule_that_holds_decides),
        cmocka_unit_test(the_switch_opens_all_but_metadata_and_what_is_denied),
        cmocka_unit_test(an_operator_s_nat64_prefix_is_judged_by_what_it_carries),
        cmocka_unit_test(this_host_s_own_addresses_are_refused_in_every_form),
        cmocka_unit_test(hosts_are_judged_by_their_form),
        cmocka_unit_test(localhost_is_open_when_one_of_its_addresses_is),
        cmocka_unit_test(a_host_longer_than_any_address_is_survived),
        cmocka_unit_test(without_a_list_the_usual_ports_are_open),
        cmocka_unit_test(a_list_of_ports_holds_for_everybody),
        cmocka_unit_test(a_range_that_is_none_is_named),
        cmocka_unit_test(a_nat64_prefix_of_another_length_is_named),
        cmocka_unit_test(a_port_that_is_none_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
