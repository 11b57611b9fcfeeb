/* bb-notify --dry-run: what would be sent, without its secrets and without a byte sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/bb_notify.h"

#include <string.h>

#define CUSTOM_SECRET "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

/* Every type, with a canary in each place that is secret. */
static const char every_type[] =
    "{'webhooks':["
    "{'name':'a','type':'slack','activities':'all',"
    "'url':'https://hooks.slack.com/services/T0CANARY/B0CANARY/CANARYCANARY'},"
    "{'name':'b','type':'discord','activities':'all',"
    "'url':'https://discord.com/api/webhooks/123456789012345678/CANARYCANARY'},"
    "{'name':'c','type':'teams','activities':'all',"
    "'url':'https://prod-01.westus.logic.azure.com/workflows/CANARY/triggers/manual/paths/invoke"
    "?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=CANARY'},"
    "{'name':'d','type':'dingtalk','activities':'all','secret':'SECCANARY',"
    "'url':'https://oapi.dingtalk.com/robot/send?access_token=CANARYCANARY'},"
    "{'name':'e','type':'feishu','activities':'all','secret':'CANARYCANARY',"
    "'url':'https://open.feishu.cn/open-apis/bot/v2/hook/CANARYCANARY'},"
    "{'name':'f','type':'wecom','activities':'all',"
    "'url':'https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=CANARYCANARY'},"
    "{'name':'g','type':'custom','activities':'all','secret':'" CUSTOM_SECRET "',"
    "'previous_secret':'" CUSTOM_SECRET "','authorization':'Bearer CANARY',"
    "'headers':{'X-Api-Key':'CANARY'},"
    "'url':'https://bb.example.com/CANARY?key=CANARY'}]}";

#define R "\xEF\xBF\xBD" /* U+FFFD, one for each byte that is out of place */

enum { TYPE_COUNT = 7 };

static void assert_masked(const char *text) {
    assert_not_told(text, "CANARY");
    assert_not_told(text, "AAECAwQFBgcICQoL");
}

static void a_line_has_the_promised_members(void **state) {
    notify *fixture = *state;
    char names[128];
    assert_int_equal(notify_post(fixture, "--dry-run", NULL), 0);
    assert_string_equal(fixture->result.err, "");
    assert_int_equal(line_count(fixture->result.out), 1);
    cJSON *json = notify_json_line(fixture, 0);
    assert_string_equal(names_of(json, names, sizeof names),
                        "webhook,type,method,url,headers,body,cut");
    assert_string_equal(text_of(json, "webhook"), "ops");
    assert_string_equal(text_of(json, "type"), "custom");
    assert_string_equal(text_of(json, "method"), "POST");
    const cJSON *headers = cJSON_GetObjectItemCaseSensitive(json, "headers");
    assert_string_equal(text_of(headers, "Content-Type"), "application/json");
    const cJSON *cut = cJSON_GetObjectItemCaseSensitive(json, "cut");
    assert_true(cJSON_IsArray(cut));
    assert_null(cut->child);
    cJSON *body = cJSON_Parse(text_of(json, "body"));
    assert_string_equal(text_of(body, "activity_type"), "bb.issue.create");
    cJSON_Delete(body);
    cJSON_Delete(json);
}

static void nothing_is_sent(void **state) {
    notify *fixture = *state;
    assert_int_equal(notify_post(fixture, "--dry-run", "--json", NULL), 0);
    assert_int_equal(line_count(fixture->result.out), 1);
    assert_int_equal(server_connections(fixture->receiver), 0);
}

static void secrets_are_masked_for_every_type(void **state) {
    notify *fixture = *state;
    notify_write_config(fixture, every_type);
    assert_int_equal(notify_post(fixture, "--dry-run", NULL), 0);
    assert_int_equal(line_count(fixture->result.out), TYPE_COUNT);
    assert_masked(fixture->result.out);
    assert_masked(fixture->result.err);
    assert_told(fixture->result.out, "\"url\":\"https://hooks.slack.com/***");
    assert_told(fixture->result.out, "\"webhook-signature\":\"***\"");
    assert_told(fixture->result.out, "\"Authorization\":\"***\",\"X-Api-Key\":\"***\"");
    assert_told(fixture->result.out, "\\\"sign\\\":\\\"***\\\"");
}

static void every_body_is_json_and_names_the_issue(void **state) {
    notify *fixture = *state;
    notify_write_config(fixture, every_type);
    notify_write_events(fixture, "{'activity_type':'bb.issue.create','created_ts':1700000000,"
                                 "'issue':{'id':101,'name':'Add index to orders'}}\n");
    assert_int_equal(notify_post(fixture, "--dry-run", NULL), 0);
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        cJSON *json = notify_json_line(fixture, i);
        assert_told(text_of(json, "body"), "Add index to orders");
        cJSON *body = cJSON_Parse(text_of(json, "body"));
        assert_true(cJSON_IsObject(body));
        cJSON_Delete(body);
        cJSON_Delete(json);
    }
}

static void what_was_cut_is_told(void **state) {
    notify *fixture = *state;
    char event[9000] = "{'activity_type':'bb.issue.create','title':'";
    size_t length = strlen(event);
    memset(event + length, 'x', 8000);
    strcpy(event + length + 8000, "'}\n");
    notify_write_config(fixture, every_type);
    notify_write_events(fixture, event);
    assert_int_equal(notify_post(fixture, "--dry-run", NULL), 0);
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        cJSON *json = notify_json_line(fixture, i);
        const cJSON *cut = cJSON_GetObjectItemCaseSensitive(json, "cut");
        assert_non_null(cut->child);
        assert_string_equal(cut->child->valuestring, "title");
        cJSON_Delete(json);
    }
}

static void the_filter_decides_as_it_does_for_a_post(void **state) {
    notify *fixture = *state;
    notify_write_webhooks(
        fixture,
        "{'name':'all','type':'custom','url':'@/all','activities':'all'},"
        "{'name':'nothing','type':'custom','url':'@/x','activities':[]},"
        "{'name':'off','type':'custom','url':'@/x','activities':'all','enabled':false},"
        "{'name':'comments','type':'custom','url':'@/x','activities':['bb.issue.comment.create']},"
        "{'name':'elsewhere','type':'custom','url':'@/x','activities':'all','project_id':2},"
        "{'name':'here','type':'custom','url':'@/here','project_id':1,"
        "'activities':['bb.issue.create','bb.issue.comment.create']},"
        "{'name':'errors','type':'custom','url':'@/x','activities':'all','min_level':'ERROR'},"
        "{'name':'done','type':'custom','url':'@/x','activities':'all','issue_statuses':['DONE']},"
        "{'name':'open','type':'custom','url':'@/open','activities':'all',"
        "'issue_statuses':['OPEN','DONE'],'issue_types':['schema','data'],'min_level':'INFO'},"
        "{'name':'grants','type':'custom','url':'@/x','activities':'all',"
        "'issue_types':['grant']}");
    notify_write_events(fixture, "{'activity_type':'bb.issue.create','project':{'id':1},"
                                 "'issue':{'id':3,'status':'OPEN','type':'schema'}}\n");
    static const char *const expected[] = {"all", "here", "open"};
    assert_int_equal(notify_post(fixture, "--dry-run", NULL), 0);
    assert_int_equal(line_count(fixture->result.out), 3);
    for (size_t i = 0; i < 3; i++) {
        cJSON *json = notify_json_line(fixture, i);
        assert_string_equal(text_of(json, "webhook"), expected[i]);
        cJSON_Delete(json);
    }
    notify_post(fixture, "--json", NULL);
    assert_int_equal(server_requests(fixture->receiver), 3);
    assert_int_equal(server_requests_to(fixture->receiver, "/x"), 0);
}

static void the_body_is_the_one_that_a_post_sends_and_twice_the_same(void **state) {
    notify *fixture = *state;
    notify_answer_ok(fixture, "/ops");
    notify_write_events(fixture, "{'id':'e1','activity_type':'bb.issue.create',"
                                 "'created_ts':1700000000,'issue':{'id':7,'name':'\\ud83d\\ude00 "
                                 "\\u0022quoted\\u0022 \\\\ \\u0000\\u0007 end'}}\n");
    assert_int_equal(notify_post(fixture, NULL), 0);
    const char *sent = server_request_to(fixture->receiver, "/ops")->body;
    for (int round = 0; round < 2; round++) {
        assert_int_equal(notify_post(fixture, "--dry-run", NULL), 0);
        cJSON *json = notify_json_line(fixture, 0);
        assert_string_equal(text_of(json, "body"), sent);
        cJSON_Delete(json);
    }
}

static void bytes_that_are_not_utf8_do_not_spoil_the_json(void **state) {
    notify *fixture = *state;
    notify_write_webhooks(fixture,
                          "{'id':'a','name':'a\xFF\xE2\x82|\xED\xA0\x80|\xC1\xBF|\xF4\x90\x80\x80"
                          "\\u0001z','type':'custom','url':'@/a','activities':'all'}");
    notify_write_events(fixture, "{'activity_type':'bb.issue.create','title':'x\xFEy'}\n");
    assert_int_equal(notify_post(fixture, "--dry-run", NULL), 0);
    assert_told(fixture->result.out, "\\u0001z\"");
    cJSON *json = notify_json_line(fixture, 0);
    assert_string_equal(text_of(json, "webhook"), "a" R R R "|" R R R "|" R R "|" R R R R "\x01z");
    assert_told(text_of(json, "body"), "x\xEF\xBF\xBDy");
    cJSON_Delete(json);
}

static void a_bad_line_is_told_and_the_rest_is_printed(void **state) {
    notify *fixture = *state;
    notify_write_events(fixture, "{}\n" NOTIFY_CREATED);
    assert_int_equal(notify_post(fixture, "--dry-run", NULL), 1);
    assert_told(fixture->result.err, "line 1: ");
    assert_int_equal(line_count(fixture->result.err), 1);
    assert_int_equal(line_count(fixture->result.out), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        NOTIFY_TEST(a_line_has_the_promised_members),
        NOTIFY_TEST(nothing_is_sent),
        NOTIFY_TEST(secrets_are_masked_for_every_type),
        NOTIFY_TEST(every_body_is_json_and_names_the_issue),
        NOTIFY_TEST(what_was_cut_is_told),
        NOTIFY_TEST(the_filter_decides_as_it_does_for_a_post),
        NOTIFY_TEST(the_body_is_the_one_that_a_post_sends_and_twice_the_same),
        NOTIFY_TEST(bytes_that_are_not_utf8_do_not_spoil_the_json),
        NOTIFY_TEST(a_bad_line_is_told_and_the_rest_is_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
