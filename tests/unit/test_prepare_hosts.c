/*
 * Which hosts a webhook's URL may name: the product's, and none that is near
 * unless the options allow it, however its address is spelled.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/contract.h"
#include "support/urls.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- hosts */

static const struct {
    bb_type type;
    const char *host;
    bool any_before; /* the rule is a suffix */
} hosts[] = {
    {BB_SLACK, "hooks.slack.com", false},
    {BB_SLACK, "hooks.slack-gov.com", false},
    {BB_DISCORD, "discord.com", false},
    {BB_DISCORD, "discordapp.com", false},
    {BB_DISCORD, "ptb.discord.com", false},
    {BB_DISCORD, "canary.discord.com", false},
    {BB_TEAMS, "prod-01.westeurope.logic.azure.com", true},
    {BB_TEAMS, "env.01.environment.api.powerplatform.com", true},
    {BB_TEAMS, "x.powerautomate.com", true},
    {BB_TEAMS, "x.flow.microsoft.com", true},
    {BB_TEAMS, "tenant.webhook.office.com", true},
    {BB_TEAMS, "outlook.office.com", false},
    {BB_TEAMS, "outlook.office365.com", false},
    {BB_DINGTALK, "oapi.dingtalk.com", false},
    {BB_DINGTALK, "oapi.dingtalk.io", false},
    {BB_FEISHU, "open.feishu.cn", false},
    {BB_FEISHU, "open.larksuite.com", false},
    {BB_WECOM, "qyapi.weixin.qq.com", false},
};

/* Path and query of the type's sample. */
static const char *tail_of(bb_type type) {
    return strchr(sample_webhook(type).url + strlen("https://"), '/');
}

static void each_product_receives_on_its_hosts(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(hosts); i++) {
        bb_webhook webhook = sample_webhook(hosts[i].type);
        bb_error error = BB_ERROR_INIT;
        char url[512], requested[1024], begin[256];
        snprintf(url, sizeof(url), "https://%s%s", hosts[i].host, tail_of(hosts[i].type));
        snprintf(begin, sizeof(begin), "https://%s/", hosts[i].host);
        webhook.url = url;
        if (urls_try(NULL, &webhook, requested, sizeof(requested), &error) != BB_OK)
            fail_msg("%s: %s", url, error.text);
        assert_memory_equal(requested, begin, strlen(begin));
    }
}

/* The host, then path and query, stand in for the two %s. */
static const char *const disguises[] = {
    "https://evil%s%s",         "https://evil-%s%s",         "https://%s.evil.com%s",
    "https://%s@evil.com%s",    "https://x:%s@evil.com%s",   "https://%s:x@evil.com%s",
    "https://evil.com/%s%s",    "https://evil.com?%s%s",     "https://evil.com#%s%s",
    "https://evil.com\\@%s%s",  "https://evil.com\\.%s%s",   "https://evil.com%%2f.%s%s",
    "https://%s%%2eevil.com%s", "https://evil.com%%00.%s%s", "https://evil.com%%23.%s%s",
    "https://%s\t.evil.com%s",  "https://%s,evil.com%s",     "https://%s;evil.com%s",
    "https://%s_evil.com%s",
};

static void a_host_that_only_looks_like_the_product_s_is_refused(void **state) {
    (void)state;
    enum { WITHIN_NAME = 2 }; /* what a suffix rule admits */
    for (size_t i = 0; i < COUNT(hosts); i++) {
        for (size_t d = hosts[i].any_before ? WITHIN_NAME : 0; d < COUNT(disguises); d++) {
            char url[512];
            snprintf(url, sizeof(url), disguises[d], hosts[i].host, tail_of(hosts[i].type));
            urls_check_refused(hosts[i].type, url, "url: ");
        }
    }
}

/* A Cyrillic letter in a name that looks the same, and what becomes the name itself. */
static void a_name_in_other_letters_is_not_the_product_s(void **state) {
    (void)state;
    urls_check_refused(BB_SLACK, "https://hooks.\xD1\x95lack.com/services/T/B/" URLS_CANARY,
                       "url: ");
    urls_check_refused(BB_SLACK, "https://hooks.\xEF\xBD\x93lack.com/services/T/B/" URLS_CANARY,
                       "xn--");
}

static void a_suffix_is_matched_at_a_dot_and_never_alone(void **state) {
    (void)state;
    static const char *const names[] = {
        "powerplatform.com",
        "notpowerplatform.com",
        "logic.azure.com",
        "xlogic.azure.com",
        "powerautomate.com",
        "evilpowerautomate.com",
        "flow.microsoft.com",
        "webhook.office.com",
        "evilwebhook.office.com",
        "office.com",
        "azure.com",
        "x.outlook.office.com",
    };
    for (size_t i = 0; i < COUNT(names); i++) {
        char url[128];
        snprintf(url, sizeof(url), "https://%s/" URLS_CANARY "?sig=" URLS_CANARY, names[i]);
        urls_check_refused(BB_TEAMS, url, "allow_any_host");
    }
}

static void one_product_s_url_is_no_other_s(void **state) {
    (void)state;
    for (bb_type type = BB_SLACK; type < BB_CUSTOM; type++)
        for (bb_type other = BB_SLACK; other <= BB_CUSTOM; other++)
            if (other != type)
                urls_check_refused(type, sample_webhook(other).url, "allow_any_host");
}

static void allow_any_host_admits_private_deployments(void **state) {
    (void)state;
    for (bb_type type = BB_SLACK; type <= BB_CUSTOM; type++) {
        bb_webhook webhook = sample_webhook(type);
        char requested[1024];
        webhook.url = "https://chat.example.com/hooks/x?y=z";
        webhook.allow_any_host = 1;
        assert_int_equal(urls_try(NULL, &webhook, requested, sizeof(requested), NULL), BB_OK);
        assert_memory_equal(requested, "https://chat.example.com/hooks/x?y=z",
                            strlen("https://chat.example.com/hooks/x?y=z"));
        urls_check_refused_with(NULL, &webhook, "https://127.0.0.1/hooks/x",
                                "insecure_allow_private_addresses");
        urls_check_refused_with(NULL, &webhook, "http://chat.example.com/hooks/x",
                                "insecure_allow_http");
    }
}

/* ---- http, and addresses that are near */

static void http_needs_its_switch(void **state) {
    (void)state;
    bb_options http = urls_insecure(true, false), near = urls_insecure(false, true);
    for (bb_type type = BB_SLACK; type <= BB_CUSTOM; type++) {
        bb_webhook webhook = sample_webhook(type);
        char url[512], requested[1024];
        snprintf(url, sizeof(url), "http%s", webhook.url + strlen("https"));
        urls_check_refused_with(NULL, &webhook, url, "insecure_allow_http");
        urls_check_refused_with(&near, &webhook, url, "insecure_allow_http");
        assert_int_equal(urls_try(&http, &webhook, requested, sizeof(requested), NULL), BB_OK);
        assert_memory_equal(requested, "http://", 7);
    }
}

static const bb_egress any_port = {.struct_size = sizeof(bb_egress), .ports = "*"};

static const char *const near_hosts[] = {
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "0x7f000001",
    "0x7F.1",
    "0x7f.0.0.0x1",
    "0177.0.0.1",
    "017700000001",
    "2130706433",
    "0",
    "0.0.0.0",
    "0x0",
    "00000.1",
    "127.0.0.1.",
    "127.1.",
    "2130706433.",
    "localhost",
    "LocalHost",
    "localhost.",
    "x.localhost",
    "a.b.LOCALHOST.",
    "10.0.0.1",
    "10.1",
    "0xa000001",
    "167772161",
    "012.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "192.168.257",
    "0xc0a80001",
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "0251.0376.0251.0376",
    "100.64.0.1",
    "100.127.255.255",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "168.63.129.16",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::FFFF:a00:1]",
    "[0:0:0:0:0:ffff:c0a8:101]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::10.0.0.1]",
    "[2002:7f00:1::]",
    "[2002:808:808::]",
    "[::8.8.8.8]",
    "[2001::1]",
    "[64:ff9b::a9fe:a9fe]",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[4000::1]",
    "169.254.43518",
    "169.16689662",
    "0xA9.0xFE.0xA9.0xFE",
    "025177524776",
    "169.254.169.254.",
    "2852039166.",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[febf::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[fe80::1%25eth0]",
    "[::1%251]",
    "%31%32%37.0.0.1",
    "127%2e0%2e0%2e1",
    "%31%32%37.1",
    "%30x7f000001",
    "0%787f000001",
    "%6c%6fcalhost",
    "localhost%2e",
    "213070643%33",
    "%5b::1%5d",
};

static void addresses_that_are_near_need_their_switch(void **state) {
    (void)state;
    bb_options http = urls_insecure(true, false);
    http.egress = &any_port;
    for (size_t i = 0; i < COUNT(near_hosts); i++) {
        bb_webhook webhook = sample_webhook(BB_CUSTOM);
        char url[128];
        snprintf(url, sizeof(url), "https://%s/" URLS_CANARY, near_hosts[i]);
        urls_check_refused_with(NULL, &webhook, url, "url: ");
        snprintf(url, sizeof(url), "http://%s:8080/" URLS_CANARY "?x", near_hosts[i]);
        urls_check_refused_with(&http, &webhook, url, "url: ");
    }
}

static const char *const metadata_hosts[] = {
    "169.254.169.254",    "169.254.43518",        "169.16689662",        "2852039166",
    "0xa9fea9fe",         "0xA9.0xFE.0xA9.0xFE",  "0251.0376.0251.0376", "025177524776",
    "169.254.169.254.",   "2852039166.",          "0xa9fea9fe.",         "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]", "[::a9fe:a9fe]",       "[2002:a9fe:a9fe::1]",
    "[fd00:ec2::254]",    "168.63.129.16",        "100.100.100.200",
};

static void no_switch_admits_a_metadata_service(void **state) {
    (void)state;
    bb_egress wide = BB_EGRESS_INIT;
    wide.allow_addresses = "0.0.0.0/0, ::/0, 169.254.0.0/16";
    bb_options both = urls_insecure(true, true);
    both.egress = &wide;
    for (size_t i = 0; i < COUNT(metadata_hosts); i++) {
        bb_webhook webhook = sample_webhook(BB_CUSTOM);
        char url[128];
        webhook.insecure_allow_private_addresses = 1;
        snprintf(url, sizeof(url), "http://%s/" URLS_CANARY, metadata_hosts[i]);
        urls_check_refused_with(&both, &webhook, url, "metadata");
    }
}

/* ---- what the operator lists */

static int try_with(const bb_egress *egress, const char *url, bb_error *error) {
    bb_options options = BB_OPTIONS_INIT;
    bb_webhook webhook = sample_webhook(BB_CUSTOM);
    char requested[256];
    options.egress = egress;
    webhook.url = url;
    return urls_try(&options, &webhook, requested, sizeof(requested), error);
}

static void the_operator_s_lists_open_and_close_hosts(void **state) {
    (void)state;
    bb_error error = BB_ERROR_INIT;
    bb_egress egress = BB_EGRESS_INIT;
    egress.allow_addresses = "10.20.0.0/16";
    egress.deny_addresses = "10.20.30.0/24, 8.8.8.8";
    egress.nat64_prefixes = "2a00:64::/96";
    assert_int_equal(try_with(&egress, "https://10.20.1.1/x", &error), BB_OK);
    assert_int_equal(try_with(&egress, "https://8.8.4.4/x", &error), BB_OK);
    assert_int_equal(try_with(&egress, "https://[2a00:64::808:404]/x", &error), BB_OK);
    static const char *const closed[] = {"https://10.20.30.1/x", "https://8.8.8.8/x",
                                         "https://[2a00:64::808:808]/x", "https://134744072/x"};
    for (size_t i = 0; i < COUNT(closed); i++) {
        assert_int_equal(try_with(&egress, closed[i], &error), BB_ERR_URL);
        assert_non_null(strstr(error.text, "egress.deny_addresses"));
    }
    assert_int_equal(try_with(&egress, "https://10.21.1.1/x", &error), BB_ERR_URL);
    assert_non_null(strstr(error.text, "egress.allow_addresses"));
    assert_int_equal(try_with(&egress, "https://[2a00:64::a00:1]/x", &error), BB_ERR_URL);
    egress.allow_addresses = "10.20.0.0/16, 169.254.169.254";
    assert_int_equal(try_with(&egress, "https://169.254.169.254/x", &error), BB_OK);
}

static void ports_that_are_not_listed_are_refused(void **state) {
    (void)state;
    bb_error error = BB_ERROR_INIT;
    bb_egress egress = BB_EGRESS_INIT;
    assert_int_equal(try_with(NULL, "https://h.example:443/x", &error), BB_OK);
    static const char *const closed[] = {"https://h.example:8443/x", "https://h.example:80/x",
                                         "https://h.example:22/x", "https://h.example:0/x",
                                         "https://hooks.slack.com:444/x"};
    for (size_t i = 0; i < COUNT(closed); i++) {
        assert_int_equal(try_with(NULL, closed[i], &error), BB_ERR_URL);
        assert_non_null(strstr(error.text, "egress.ports"));
    }
    egress.ports = "8443";
    assert_int_equal(try_with(&egress, "https://h.example:8443/x", &error), BB_OK);
    assert_int_equal(try_with(&egress, "https://h.example/x", &error), BB_ERR_URL);
    assert_non_null(strstr(error.text, "egress.ports"));
}

static void one_webhook_s_switch_opens_nothing_for_another(void **state) {
    (void)state;
    bb_webhook inside = sample_webhook(BB_CUSTOM), other = sample_webhook(BB_CUSTOM);
    char requested[256];
    inside.insecure_allow_private_addresses = 1;
    inside.url = other.url = "https://10.0.0.1:8443/x";
    assert_int_equal(urls_try(NULL, &inside, requested, sizeof(requested), NULL), BB_OK);
    urls_check_refused_with(NULL, &other, "https://10.0.0.1:8443/x",
                            "insecure_allow_private_addresses");
    urls_check_refused_with(NULL, &inside, "http://10.0.0.1/x", "insecure_allow_http");
}

static void the_switch_admits_them(void **state) {
    (void)state;
    static const char *const urls[] = {"http://127.0.0.1:8080/x", "http://localhost/x",
                                       "http://[::1]:8080/x", "http://192.168.0.1/x"};
    bb_options both = urls_insecure(true, true), http = urls_insecure(true, false);
    for (size_t i = 0; i < COUNT(urls); i++) {
        bb_webhook webhook = sample_webhook(BB_CUSTOM);
        char requested[1024];
        urls_check_refused_with(&http, &webhook, urls[i], "insecure_allow_private_addresses");
        assert_int_equal(urls_try(&both, &webhook, requested, sizeof(requested), NULL), BB_OK);
        assert_string_equal(requested, urls[i]);
    }
}

static void addresses_that_are_far_need_none(void **state) {
    (void)state;
    static const char *const far_hosts[] = {
        "8.8.8.8",           "11.0.0.1",           "9.255.255.255",        "172.15.255.255",
        "172.32.0.1",        "192.167.1.1",        "192.169.0.1",          "169.253.1.1",
        "100.63.255.255",    "100.128.0.1",        "126.255.255.255",      "128.0.0.1",
        "[2606:4700::1111]", "[64:ff9b::808:808]", "[::ffff:8.8.8.8]",     "localhost.example.com",
        "notlocalhost",      "10.example.com",     "127.0.0.1.example.com"};
    for (size_t i = 0; i < COUNT(far_hosts); i++) {
        bb_webhook webhook = sample_webhook(BB_CUSTOM);
        bb_error error = BB_ERROR_INIT;
        char url[128], requested[1024];
        snprintf(url, sizeof(url), "https://%s/x", far_hosts[i]);
        webhook.url = url;
        if (urls_try(NULL, &webhook, requested, sizeof(requested), &error) != BB_OK)
            fail_msg("%s: %s", url, error.text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CONTRACT(each_product_receives_on_its_hosts),
        CONTRACT(a_host_that_only_looks_like_the_product_s_is_refused),
        CONTRACT(a_name_in_other_letters_is_not_the_product_s),
        CONTRACT(a_suffix_is_matched_at_a_dot_and_never_alone),
        CONTRACT(one_product_s_url_is_no_other_s),
        CONTRACT(allow_any_host_admits_private_deployments),
        CONTRACT(http_needs_its_switch),
        CONTRACT(addresses_that_are_near_need_their_switch),
        CONTRACT(the_switch_admits_them),
        CONTRACT(no_switch_admits_a_metadata_service),
        CONTRACT(the_operator_s_lists_open_and_close_hosts),
        CONTRACT(ports_that_are_not_listed_are_refused),
        CONTRACT(one_webhook_s_switch_opens_nothing_for_another),
        CONTRACT(addresses_that_are_far_need_none),
    };
    return cmocka_run_group_tests_name("prepare: hosts", tests, NULL, NULL);
}
