/*
 * Which URL is requested, and of which form it must be: by bb_webhook_prepare,
 * which asks the same rules as a post. A refusal names the webhook and never the
 * URL. Its host: test_prepare_hosts.c.
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

/* ---- as pasted */

static void the_url_of_most_products_is_requested_as_it_is(void **state) {
    (void)state;
    for (bb_type type = BB_SLACK; type <= BB_CUSTOM; type++) {
        const char *url = sample_webhook(type).url;
        if (type != BB_DISCORD)
            urls_check_requested(type, url, url);
    }
}

/* Power Automate signs the query: a byte of it changed, and the flow is not found. */
static void a_query_is_kept_byte_by_byte(void **state) {
    (void)state;
    static const char *const urls[] = {
        "https://p.logic.azure.com:443/w?sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=a-b_c~d.e",
        "https://x.environment.api.powerplatform.com/w?sp=%2ftriggers%2frun&sig=%2B%2b+a,b;c:d@e/f",
        "https://x.environment.api.powerplatform.com/w?a=&a=1&&b&=c&d=%41%zz'()*!$",
        "https://t.webhook.office.com/webhookb2/0a-1@2b-3/IncomingWebhook/c4/d5/V2x",
        "https://outlook.office.com/webhook/0a@2b/IncomingWebhook/../c/./d//e/%2e%2E/f",
    };
    for (size_t i = 0; i < COUNT(urls); i++)
        urls_check_requested(BB_TEAMS, urls[i], urls[i]);
}

static void scheme_and_host_are_written_in_lower_case(void **state) {
    (void)state;
    urls_check_requested(BB_SLACK, "HTTPS://Hooks.SLACK.com/services/T/B/X",
                         "https://hooks.slack.com/services/T/B/X");
    urls_check_requested(BB_SLACK, "https://hooks.slack.com:443/services/T/B/X",
                         "https://hooks.slack.com:443/services/T/B/X");
    urls_check_requested(BB_CUSTOM, "https://Receiver.Example.com/Path?Query=X",
                         "https://receiver.example.com/Path?Query=X");
    urls_check_requested(BB_CUSTOM, "https://R\u00e9ceiver.Example.com/Path?Query=X%C3%A9",
                         "https://xn--rceiver-bya.example.com/Path?Query=X%C3%A9");
}

/* ---- Discord */

static void discord_is_asked_in_version_10_and_to_wait(void **state) {
    (void)state;
    static const struct {
        const char *pasted, *requested;
    } urls[] = {
        {"https://discord.com/api/webhooks/123/To-k_en",
         "https://discord.com/api/v10/webhooks/123/To-k_en?wait=true"},
        {"https://discord.com/api/v6/webhooks/123/T",
         "https://discord.com/api/v10/webhooks/123/T?wait=true"},
        {"https://discord.com/api/v9/webhooks/123/T",
         "https://discord.com/api/v10/webhooks/123/T?wait=true"},
        {"https://discord.com/api/v10/webhooks/123/T",
         "https://discord.com/api/v10/webhooks/123/T?wait=true"},
        {"https://discordapp.com/api/webhooks/123/T",
         "https://discordapp.com/api/v10/webhooks/123/T?wait=true"},
        {"https://ptb.discord.com/api/webhooks/123/T",
         "https://ptb.discord.com/api/v10/webhooks/123/T?wait=true"},
        {"https://canary.discord.com/api/v8/webhooks/123/T",
         "https://canary.discord.com/api/v10/webhooks/123/T?wait=true"},
        {"https://DISCORD.com:443/api/webhooks/123/T",
         "https://discord.com:443/api/v10/webhooks/123/T?wait=true"},
        {"https://discord.com/api/webhooks/123/T?thread_id=456",
         "https://discord.com/api/v10/webhooks/123/T?thread_id=456&wait=true"},
        {"https://discord.com/api/webhooks/123/T?wait=true",
         "https://discord.com/api/v10/webhooks/123/T?wait=true"},
        {"https://discord.com/api/webhooks/123/T?wait=false&thread_id=456",
         "https://discord.com/api/v10/webhooks/123/T?thread_id=456&wait=true"},
        {"https://discord.com/api/webhooks/123/T?thread_id=456&wait&with_components=true",
         "https://discord.com/api/v10/webhooks/123/T?thread_id=456&with_components=true&wait=true"},
    };
    for (size_t i = 0; i < COUNT(urls); i++)
        urls_check_requested(BB_DISCORD, urls[i].pasted, urls[i].requested);
}

static void discord_urls_of_another_form_are_refused(void **state) {
    (void)state;
    static const char *const urls[] = {
        "https://discord.com/api/webhooks/123/" URLS_CANARY "/slack",
        "https://discord.com/api/webhooks/123/" URLS_CANARY "/github",
        "https://discord.com/api/webhooks/123/" URLS_CANARY "/slack?wait=true",
        "https://discord.com/api/webhooks/123/" URLS_CANARY "/slack/",
        "https://discord.com/api/webhooks/123/" URLS_CANARY "/messages/456",
        "https://discord.com/api/webhooks/123",
        "https://discord.com/api/webhooks/123/",
        "https://discord.com/api/webhooks//" URLS_CANARY,
        "https://discord.com/api/webhooks/" URLS_CANARY "/123",
        "https://discord.com/api/v10/channels/123/" URLS_CANARY,
        "https://discord.com/webhooks/123/" URLS_CANARY,
        "https://discord.com/api/vx/webhooks/123/" URLS_CANARY,
        "https://discord.com/channels/123/456",
        "https://discord.com/",
        "https://discord.com",
    };
    for (size_t i = 0; i < COUNT(urls); i++)
        urls_check_refused(BB_DISCORD, urls[i], "url: ");
}

/* ---- what a product's URL must have */

static void a_url_that_lacks_its_product_s_form_is_refused(void **state) {
    (void)state;
    static const struct {
        bb_type type;
        const char *url, *reason;
    } urls[] = {
        {BB_SLACK, "https://hooks.slack.com/workflows/T/A/1/" URLS_CANARY, "/services/"},
        {BB_SLACK, "https://hooks.slack.com/triggers/T/1/" URLS_CANARY, "/services/"},
        {BB_SLACK, "https://hooks.slack.com/", "/services/"},
        {BB_DINGTALK, "https://oapi.dingtalk.com/robot/send", "access_token"},
        {BB_DINGTALK, "https://oapi.dingtalk.com/robot/send?access_token=", "access_token"},
        {BB_DINGTALK, "https://oapi.dingtalk.com/robot/send?xaccess_token=" URLS_CANARY,
         "access_token"},
        {BB_FEISHU, "https://open.feishu.cn/open-apis/bot/hook/" URLS_CANARY,
         "/open-apis/bot/v2/hook/"},
        {BB_FEISHU, "https://open.feishu.cn/" URLS_CANARY, "/open-apis/bot/v2/hook/"},
        {BB_WECOM, "https://qyapi.weixin.qq.com/cgi-bin/webhook/send", "key"},
        {BB_WECOM, "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=", "key"},
        {BB_WECOM, URLS_CANARY "-693axxx6-7aoc-4bc4", "url: "},
    };
    for (size_t i = 0; i < COUNT(urls); i++)
        urls_check_refused(urls[i].type, urls[i].url, urls[i].reason);
}

/* ---- what is no URL of a webhook at all */

static void what_is_no_clean_url_is_refused(void **state) {
    (void)state;
    static const char *const urls[] = {
        NULL,
        "",
        " ",
        "not-a-url",
        "receiver.example.com/" URLS_CANARY,
        "//receiver.example.com/" URLS_CANARY,
        "https:receiver.example.com/" URLS_CANARY,
        "https:/receiver.example.com/" URLS_CANARY,
        "https://",
        "https:///",
        "https://:443/" URLS_CANARY,
        "https://?" URLS_CANARY,
        "https://receiver.example.com:0x50/" URLS_CANARY,
        "https://receiver.example.com:99999/" URLS_CANARY,
        "https://receiver.example.com:-1/" URLS_CANARY,
        "https://[::g]/" URLS_CANARY,
        "https://[8.8.8.8]/" URLS_CANARY,
        "https://a b/" URLS_CANARY,
        "ftp://receiver.example.com/" URLS_CANARY,
        "file:///etc/" URLS_CANARY,
        "gopher://receiver.example.com/" URLS_CANARY,
        "javascript:alert('" URLS_CANARY "')",
        "data:text/plain," URLS_CANARY,
        "https://" URLS_CANARY "@receiver.example.com/",
        "https://user:" URLS_CANARY "@receiver.example.com/",
        "https://@receiver.example.com/" URLS_CANARY,
        "https://receiver.example.com/#" URLS_CANARY,
        "https://receiver.example.com/" URLS_CANARY "\n",
        "https://receiver.example.com/" URLS_CANARY " ",
        " https://receiver.example.com/" URLS_CANARY,
        "\thttps://receiver.example.com/" URLS_CANARY,
        "https://receiver.example.com/a b" URLS_CANARY,
        "https://receiver.example.com/" URLS_CANARY "\r\nX-Header: 1",
        "https://receiver.example.com/\x01" URLS_CANARY,
        "https://receiver.example.com/\x7f" URLS_CANARY,
        "https://receiver.example.com\\" URLS_CANARY,
        "https:\\\\receiver.example.com/" URLS_CANARY,
        "https://receiver.example.com/\u00fc" URLS_CANARY,
        "https://r\u00e9ceiver.example.com/\u00fc" URLS_CANARY,
        "https://receiver\u3002x.com/" URLS_CANARY,
        "https://receiver.example.com/\xff" URLS_CANARY,
    };
    for (size_t i = 0; i < COUNT(urls); i++)
        urls_check_refused(BB_CUSTOM, urls[i], "url: ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CONTRACT(the_url_of_most_products_is_requested_as_it_is),
        CONTRACT(a_query_is_kept_byte_by_byte),
        CONTRACT(scheme_and_host_are_written_in_lower_case),
        CONTRACT(discord_is_asked_in_version_10_and_to_wait),
        CONTRACT(discord_urls_of_another_form_are_refused),
        CONTRACT(a_url_that_lacks_its_product_s_form_is_refused),
        CONTRACT(what_is_no_clean_url_is_refused),
    };
    return cmocka_run_group_tests_name("prepare: URLs", tests, NULL, NULL);
}
