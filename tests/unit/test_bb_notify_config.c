/* bb-notify's configuration file: what it says takes effect, and no mistake in it is passed over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/bb_notify.h"

#include <stdio.h>
#include <string.h>

#define REST "'type':'custom','url':'@/a','activities':'all'"
#define NAMED "'name':'ops'," REST

/* ---- mistakes ---- */

/* Whether every one of `words`, which are apart by "|", is told on standard error. */
static void assert_words_told(const char *told, const char *words) {
    char word[128];
    while (*words) {
        size_t length = strcspn(words, "|");
        assert_true(length < sizeof word);
        memcpy(word, words, length);
        word[length] = '\0';
        assert_told(told, word);
        words += length + (words[length] == '|');
    }
}

static void assert_refused(notify *fixture, const char *config, const char *words) {
    notify_write_config(fixture, config);
    if (notify_post(fixture, "--json", NULL) != 2)
        fail_msg("status %d for %s", fixture->result.status, config);
    assert_string_equal(fixture->result.out, "");
    assert_told(fixture->result.err, fixture->config);
    assert_words_told(fixture->result.err, words);
    assert_int_equal(line_count(fixture->result.err), 1);
}

static void a_mistake_of_a_webhook_names_it_and_the_member(void **state) {
    static const struct {
        const char *webhook;
        const char *words;
    } mistakes[] = {
        {NAMED ",'project':1", "webhook \"ops\": project: "},
        {NAMED ",'Name':'x'", "webhook \"ops\": Name: "},
        {NAMED ",'name':'x'", "webhook \"ops\": name: is given twice"},
        {REST, "webhook 2: name: is missing"},
        {"'name':null," REST, "webhook 2: name: is missing"},
        {"'name':''," REST, "webhook 2: name: must not be empty"},
        {"'name':7," REST, "webhook 2: name: must be a string"},
        {"'name':'ops','url':'@/a','activities':'all'", "webhook \"ops\": type: is missing"},
        {"'name':'ops','type':'custom','activities':'all'", "webhook \"ops\": url: is missing"},
        {"'name':'ops','type':'custom','url':'@/a'", "webhook \"ops\": activities: is missing"},
        {"'name':'ops','type':'Slack','url':'@/a','activities':'all'",
         "webhook \"ops\": type: \"Slack\""},
        {"'name':'ops','type':'custom','url':7,'activities':'all'", "webhook \"ops\": url: "},
        {"'name':'ops','type':'custom','url':'','activities':'all'", "webhook \"ops\": url: "},
        {"'name':'ops','type':'custom','url':'ftp://x/SECRET','activities':'all'",
         "webhook \"ops\": |url"},
        {"'name':'ops','type':'custom','url':'@/a','activities':['bb.issue.created']",
         "webhook \"ops\": activities: \"bb.issue.created\""},
        {"'name':'ops','type':'custom','url':'@/a','activities':['']",
         "webhook \"ops\": activities: \"\""},
        {"'name':'ops','type':'custom','url':'@/a','activities':[7]",
         "webhook \"ops\": activities: must be a string"},
        {"'name':'ops','type':'custom','url':'@/a','activities':'any'",
         "webhook \"ops\": activities: |\"all\""},
        {NAMED ",'secret':7", "webhook \"ops\": secret: must be a string"},
        {NAMED ",'secret':'short'", "webhook \"ops\": |secret"},
        {NAMED ",'language':'fr'", "webhook \"ops\": language: \"fr\""},
        {NAMED ",'enabled':1", "webhook \"ops\": enabled: must be true or false"},
        {NAMED ",'allow_any_2xx':'yes'", "webhook \"ops\": allow_any_2xx: "},
        {NAMED ",'teams_connector':0", "webhook \"ops\": teams_connector: "},
        {NAMED ",'dingtalk_action_card':[]", "webhook \"ops\": dingtalk_action_card: "},
        {NAMED ",'min_level':'info'", "webhook \"ops\": min_level: \"info\""},
        {NAMED ",'issue_statuses':['open']", "webhook \"ops\": issue_statuses: \"open\""},
        {NAMED ",'issue_statuses':[]", "webhook \"ops\": issue_statuses: "},
        {NAMED ",'issue_types':'schema'", "webhook \"ops\": issue_types: "},
        {NAMED ",'issue_types':['schema',3]", "webhook \"ops\": issue_types: "},
        {NAMED ",'project_id':1.5", "webhook \"ops\": project_id: must be an integer"},
        {NAMED ",'project_id':'1x'", "webhook \"ops\": project_id: must be an integer"},
        {NAMED ",'project_id':''", "webhook \"ops\": project_id: must be an integer"},
        {NAMED ",'project_id':1e300", "webhook \"ops\": project_id: must be an integer"},
        {NAMED ",'project_id':9223372036854775808", "webhook \"ops\": project_id: must be"},
        {NAMED ",'project_id':true", "webhook \"ops\": project_id: must be an integer"},
        {NAMED ",'order':'project'", "webhook \"ops\": order: \"project\" is not known"},
        {NAMED ",'order':true", "webhook \"ops\": order: must be a string"},
        {NAMED ",'when_unknown':'never'", "webhook \"ops\": when_unknown: \"never\""},
        {NAMED ",'max_in_flight':0", "webhook \"ops\": max_in_flight: must be from 1"},
        {NAMED ",'rate_count':1001,'rate_period_ms':1", "webhook \"ops\": rate_count: "},
        {NAMED ",'rate_count':4294967296,'rate_period_ms':1", "webhook \"ops\": rate_count: "},
        {NAMED ",'rate_count':5", "webhook \"ops\": |rate_period_ms"},
        {NAMED ",'rate_period_ms':5", "webhook \"ops\": |rate_count"},
        {NAMED ",'rate_count':5,'rate_period_ms':'1s'", "webhook \"ops\": rate_period_ms: "},
        {NAMED ",'insecure_allow_private_addresses':1",
         "webhook \"ops\": insecure_allow_private_addresses: must be true or false"},
        {NAMED ",'no_rate':1", "webhook \"ops\": no_rate: must be true or false"},
        {NAMED ",'age_limit_s':-1", "webhook \"ops\": age_limit_s: must be from 1"},
        {NAMED ",'max_attempts':0", "webhook \"ops\": max_attempts: must be from 1"},
        {NAMED ",'id':'first'", "webhook \"ops\": id: \"first\" is another webhook's too"},
        {NAMED ",'id':''", "webhook \"ops\": id: must not be empty"},
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        char config[1024];
        snprintf(config, sizeof config, "{%s,'webhooks':[{'name':'first','id':'first',%s},{%s}]}",
                 NOTIFY_LOCAL, REST, mistakes[i].webhook);
        assert_refused(*state, config, mistakes[i].words);
        assert_not_told(((notify *)*state)->result.err, "SECRET");
    }
}

static void a_mistake_of_its_headers_names_it_and_tells_no_value(void **state) {
    static const struct {
        const char *webhook;
        const char *words;
    } mistakes[] = {
        {"'previous_secret':7", "webhook \"ops\": previous_secret: must be a string"},
        {"'previous_secret':'whsec_SECRET'", "webhook \"ops\": previous_secret: "},
        {"'authorization':['SECRET']", "webhook \"ops\": authorization: must be a string"},
        {"'authorization':'SECRET\\r\\nX: 1'", "webhook \"ops\": authorization: "},
        {"'headers':['X: SECRET']", "webhook \"ops\": headers: must be an object"},
        {"'headers':{'X':7}", "webhook \"ops\": headers: must be a string"},
        {"'headers':{'X: SECRET':'1'}", "webhook \"ops\": headers[0]: "},
        {"'headers':{'A':'1','X':'SECRET\\n'}", "webhook \"ops\": headers: X: "},
        {"'headers':{'Host':'SECRET'}", "webhook \"ops\": headers: Host: "},
        {"'headers':{'A':'1','a':'SECRET'}", "webhook \"ops\": headers: a: is given twice"},
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        char config[1024];
        snprintf(config, sizeof config, "{%s,'webhooks':[{%s,%s}]}", NOTIFY_LOCAL, NAMED,
                 mistakes[i].webhook);
        assert_refused(*state, config, mistakes[i].words);
        assert_not_told(((notify *)*state)->result.err, "SECRET");
    }
}

static void a_mistake_of_the_file_names_the_member(void **state) {
    static const struct {
        const char *config;
        const char *words;
    } mistakes[] = {
        {"", "is not JSON, see line 1"},
        {"{'webhooks':[\n\n}", "is not JSON, see line 3"},
        {"{'webhooks':[]} x", "is not JSON"},
        {"[]", "must be an object"},
        {"{}", "webhooks: is missing"},
        {"{'webhooks':{}}", "webhooks: must be a list"},
        {"{'webhooks':[7]}", "webhook 1: must be an object"},
        {"{'webhooks':[],'webhook':1}", "webhook: there is no such member"},
        {"{'webhooks':[],'webhooks':[]}", "webhooks: is given twice"},
        {"{'webhooks':[],'insecure_allow_http':'true'}", "insecure_allow_http: "},
        {"{'webhooks':[],'insecure_allow_private_addresses':1}",
         "insecure_allow_private_addresses: "},
        {"{'webhooks':[],'allow_addresses':['10.0.0.1']}", "allow_addresses: must be a string"},
        {"{'webhooks':[],'allow_addresses':'10.0.0.0/33'}", "allow_addresses: \"10.0.0.0/33\""},
        {"{'webhooks':[],'deny_addresses':'evil.test'}", "deny_addresses: \"evil.test\""},
        {"{'webhooks':[],'deny_addresses':''}", "deny_addresses: must not be empty"},
        {"{'webhooks':[],'nat64_prefixes':'64:ff9b::/97'}", "nat64_prefixes: \"64:ff9b::/97\""},
        {"{'webhooks':[],'ports':'https'}", "ports: \"https\""},
        {"{'webhooks':[],'ports':443}", "ports: must be a string"},
        {"{'webhooks':[],'allow_any_host':{}}", "allow_any_host: "},
        {"{'webhooks':[],'keyword':1}", "keyword: must be a string"},
        {"{'webhooks':[],'button_text':false}", "button_text: must be a string"},
        {"{'webhooks':[],'user_agent':1}", "user_agent: must be a string"},
        {"{'webhooks':[],'timeout_ms':0}", "timeout_ms: must be from 1"},
        {"{'webhooks':[],'timeout_ms':-5}", "timeout_ms: must be from 1"},
        {"{'webhooks':[],'timeout_ms':4294967296}", "timeout_ms: must be from 1"},
        {"{'webhooks':[],'connect_timeout_ms':'soon'}", "connect_timeout_ms: "},
        {"{'webhooks':[],'retry_delays_ms':5}", "retry_delays_ms: must be a list"},
        {"{'webhooks':[],'retry_delays_ms':[]}", "retry_delays_ms: must be a list of 1 to 100"},
        {"{'webhooks':[],'retry_delays_ms':[1,0]}", "retry_delays_ms: must be from 1"},
        {"{'webhooks':[],'retry_delays_ms':[1,'x']}", "retry_delays_ms: "},
        {"{'webhooks':[],'no_jitter':0}", "no_jitter: must be true or false"},
        {"{'webhooks':[],'max_waiting':0}", "max_waiting: must be from 1"},
        {"{'webhooks':[],'max_waiting_bytes':-1}", "max_waiting_bytes: must be from 1"},
        {"{'webhooks':[],'max_in_flight':65537}", "max_in_flight: must be from 1 to 65536"},
        {"{'webhooks':[],'slow_after_ms':0}", "slow_after_ms: must be from 1"},
        {"{'webhooks':[],'breaker_failures':0}", "breaker_failures: must be from 1"},
        {"{'webhooks':[],'breaker_percent':101}", "breaker_percent: must be from 1 to 100"},
        {"{'webhooks':[],'breaker_open_ms':''}", "breaker_open_ms: must be an integer"},
        {"{'webhooks':[],'breaker_open_max_ms':0}", "breaker_open_max_ms: must be from 1"},
        {"{'webhooks':[],'disable_after_s':0}", "disable_after_s: must be from 1"},
        {"{'webhooks':[],'when_full':'wait'}", "when_full: \"wait\" is not known"},
        {"{'webhooks':[],'resolver':'dns'}", "resolver: \"dns\" is not known"},
        {"{'webhooks':[],'dns_servers':''}", "dns_servers: must not be empty"},
        {"{'webhooks':[],'dns_servers':'localhost'}", "dns_servers: "},
        {"{'webhooks':[],'ca_file':'/nonexistent/ca.pem'}", "ca_file: /nonexistent/ca.pem: "},
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++)
        assert_refused(*state, mistakes[i].config, mistakes[i].words);
}

static void a_file_that_cannot_be_read_is_named(void **state) {
    notify *fixture = *state;
    const char *const paths[] = {"/nonexistent/webhooks.json", fixture->directory};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(notify_run(fixture, "--config", paths[i], "--dry-run", "-", NULL), 2);
        assert_told(fixture->result.err, paths[i]);
        assert_string_equal(fixture->result.out, "");
    }
}

static void a_file_with_a_nul_byte_is_refused(void **state) {
    notify *fixture = *state;
    static const char config[] = "{\"webhooks\":[]}\0,";
    FILE *file = fopen(fixture->config, "w");
    assert_non_null(file);
    fwrite(config, 1, sizeof config - 1, file);
    fclose(file);
    assert_int_equal(notify_post(fixture, NULL), 2);
    assert_told(fixture->result.err, "NUL");
}

static void http_and_private_addresses_are_refused_unless_switched_on(void **state) {
    notify *fixture = *state;
    assert_refused(fixture, "{'webhooks':[{" NAMED "}]}", "webhook \"ops\": |http");
    assert_refused(fixture, "{'insecure_allow_http':true,'webhooks':[{" NAMED "}]}",
                   "webhook \"ops\": |address");
    assert_int_equal(server_connections(fixture->receiver), 0);
}

/* ---- effects ---- */

static const char *only_body(notify *fixture) {
    assert_true(server_requests(fixture->receiver) > 0);
    return server_request_at(fixture->receiver, server_requests(fixture->receiver) - 1)->body;
}

static void nulls_and_an_empty_list_of_webhooks_are_fine(void **state) {
    notify *fixture = *state;
    notify_write_config(fixture, "{'webhooks':[],'keyword':null,'timeout_ms':null}");
    assert_int_equal(notify_post(fixture, NULL), 0);
    assert_string_equal(fixture->result.out, "0 deliveries of 1 event\n");
    notify_write_webhooks(fixture, "{" NAMED ",'secret':null,'project_id':null,'language':null,"
                                   "'enabled':null,'issue_types':null}");
    notify_answer_ok(fixture, "/a");
    assert_int_equal(notify_post(fixture, NULL), 0);
    assert_int_equal(server_requests(fixture->receiver), 1);
}

static void webhooks_may_share_a_name(void **state) {
    notify *fixture = *state;
    notify_write_webhooks(fixture, "{" NAMED "},{" NAMED "},{" NAMED ",'id':'ops#2'},"
                                   "{'name':'ops#2'," REST "}");
    notify_answer_ok(fixture, "/a");
    assert_int_equal(notify_post(fixture, NULL), 0);
    assert_told(fixture->result.out, "4 deliveries of 1 event: 4 delivered\n");
    assert_int_equal(notify_run(fixture, "--config", fixture->config, "--test", "ops", NULL), 0);
    assert_told(fixture->result.out, "3 deliveries: 3 delivered\n");
}

static void the_language_the_keyword_and_the_button_text_are_in_the_message(void **state) {
    notify *fixture = *state;
    notify_write_config(fixture, "{" NOTIFY_LOCAL ",'keyword':'DBA','button_text':'Look','webhooks'"
                                 ":[{'name':'ding','type':'dingtalk','url':'@/ding','language':'zh'"
                                 ",'activities':'all','dingtalk_action_card':true}]}");
    notify_write_events(fixture, "{'activity_type':'bb.issue.create','link':'https://bb.example/1',"
                                 "'issue':{'id':1,'name':'orders'}}\n");
    notify_answer(fixture, "/ding", 200, NULL, "{\"errcode\":0,\"errmsg\":\"ok\"}");
    assert_int_equal(notify_post(fixture, NULL), 0);
    const char *body = only_body(fixture);
    assert_told(body, "创建工单");
    assert_told(body, "DBA");
    assert_told(body, "\"singleTitle\":\"Look\"");
}

static void any_2xx_is_delivered_where_the_webhook_allows_it(void **state) {
    notify *fixture = *state;
    notify_answer(fixture, "/a", 204, NULL, NULL);
    notify_write_webhooks(fixture, "{" NAMED ",'allow_any_2xx':true}");
    assert_int_equal(notify_post(fixture, NULL), 0);
    notify_write_webhooks(fixture, "{" NAMED ",'allow_any_2xx':false}");
    assert_int_equal(notify_post(fixture, NULL), 1);
}

static void a_teams_webhook_may_be_judged_as_a_connector(void **state) {
    notify *fixture = *state;
    notify_answer(fixture, "/t", 200, "Content-Type: text/plain\r\n",
                  "Webhook message delivery failed with error: Microsoft Teams endpoint returned "
                  "HTTP error 429 with ContextId x");
    notify_write_webhooks(fixture, "{'name':'t','type':'teams','url':'@/t','activities':'all'}");
    assert_int_equal(notify_post(fixture, NULL), 0);
    notify_write_webhooks(fixture, "{'name':'t','type':'teams','url':'@/t','activities':'all',"
                                   "'teams_connector':true}");
    assert_int_equal(notify_post(fixture, NULL), 1);
    assert_told(fixture->result.out, "retry");
}

static void a_secret_signs_the_request(void **state) {
    notify *fixture = *state;
    notify_answer_ok(fixture, "/a");
    notify_write_webhooks(
        fixture, "{" NAMED ",'secret':'whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8='}");
    assert_int_equal(notify_post(fixture, NULL), 0);
    const server_request *request = server_request_to(fixture->receiver, "/a");
    assert_non_null(server_header(request, "webhook-signature"));
    assert_int_equal(strncmp(server_header(request, "webhook-signature"), "v1,", 3), 0);
}

static void both_secrets_sign_and_the_headers_are_sent(void **state) {
    notify *fixture = *state;
    notify_answer_ok(fixture, "/a");
    notify_write_webhooks(
        fixture, "{" NAMED ",'secret':'whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=',"
                 "'previous_secret':'whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=',"
                 "'authorization':'Bearer token','headers':{'X-Api-Key':'key 1','X-Tenant':'7'}}");
    assert_int_equal(notify_post(fixture, NULL), 0);
    const server_request *request = server_request_to(fixture->receiver, "/a");
    const char *signature = server_header(request, "webhook-signature");
    assert_int_equal(strlen(signature), 2 * (3 + 44) + 1);
    assert_non_null(strstr(signature, "= v1,"));
    assert_string_equal(server_header(request, "Authorization"), "Bearer token");
    assert_string_equal(server_header(request, "X-Api-Key"), "key 1");
    assert_string_equal(server_header(request, "X-Tenant"), "7");
}

static void the_user_agent_is_sent(void **state) {
    notify *fixture = *state;
    notify_answer_ok(fixture, "/a");
    notify_write_config(fixture,
                        "{" NOTIFY_LOCAL ",'user_agent':'tracker/7','webhooks':[{" NAMED "}]}");
    assert_int_equal(notify_post(fixture, NULL), 0);
    assert_string_equal(server_header(server_request_to(fixture->receiver, "/a"), "User-Agent"),
                        "tracker/7");
}

static void the_timeout_ends_an_attempt(void **state) {
    notify *fixture = *state;
    const server_step silent = {.end = SERVER_SILENT};
    server_on(fixture->receiver, "/a", &silent, 1);
    notify_write_config(fixture, "{" NOTIFY_LOCAL ",'timeout_ms':200,'connect_timeout_ms':'150',"
                                 "'webhooks':[{" NAMED "}]}");
    assert_int_equal(notify_post(fixture, "--json", NULL), 1);
    cJSON *json = notify_json_line(fixture, 0);
    assert_string_equal(text_of(json, "verdict"), "unknown");
    assert_in_range((uintmax_t)number_of(json, "duration_ms"), 150, 10000);
    cJSON_Delete(json);
}

static void the_ca_file_decides_which_certificates_are_trusted(void **state) {
    notify *fixture = *state;
    server_options options = {.tls_names = "IP:127.0.0.1,DNS:localhost"};
    server *secure = server_start(&options);
    const server_step ok = {.status = 200, .body = "{\"code\":0}"};
    char config[1024];
    server_on(secure, "/a", &ok, 1);
    for (int trusted = 0; trusted < 2; trusted++) {
        snprintf(config, sizeof config,
                 "{%s%s%s%s,'webhooks':[{'name':'s','type':'custom','url':'%s',"
                 "'activities':'all'}]}",
                 NOTIFY_LOCAL, trusted ? ",'ca_file':'" : "", trusted ? server_ca_file(secure) : "",
                 trusted ? "'" : "", server_url(secure, "/a"));
        notify_write_config(fixture, config);
        assert_int_equal(notify_post(fixture, NULL), trusted ? 0 : 1);
    }
    assert_int_equal(server_requests(secure), 1);
    server_stop(secure);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        NOTIFY_TEST(a_mistake_of_a_webhook_names_it_and_the_member),
        NOTIFY_TEST(a_mistake_of_its_headers_names_it_and_tells_no_value),
        NOTIFY_TEST(a_mistake_of_the_file_names_the_member),
        NOTIFY_TEST(a_file_that_cannot_be_read_is_named),
        NOTIFY_TEST(a_file_with_a_nul_byte_is_refused),
        NOTIFY_TEST(http_and_private_addresses_are_refused_unless_switched_on),
        NOTIFY_TEST(nulls_and_an_empty_list_of_webhooks_are_fine),
        NOTIFY_TEST(webhooks_may_share_a_name),
        NOTIFY_TEST(the_language_the_keyword_and_the_button_text_are_in_the_message),
        NOTIFY_TEST(any_2xx_is_delivered_where_the_webhook_allows_it),
        NOTIFY_TEST(a_teams_webhook_may_be_judged_as_a_connector),
        NOTIFY_TEST(a_secret_signs_the_request),
        NOTIFY_TEST(both_secrets_sign_and_the_headers_are_sent),
        NOTIFY_TEST(the_user_agent_is_sent),
        NOTIFY_TEST(the_timeout_ends_an_attempt),
        NOTIFY_TEST(the_ca_file_decides_which_certificates_are_trusted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
