/* The demo's receiver refuses what the products refuse: each rule is broken once, in a
 * request that passes as it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bb-notify/receiver.h"

#define JSON_TYPE "application/json; charset=utf-8"
#define NOW_MS INT64_C(1700000000000)

/* The signing vectors of DingTalk and Feishu are public ones. */
#define TOKEN "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DINGTALK_SIGN "w3RMHXzixTMdzr8OHJUmVLS4IoPJVdu%2BUt1LE48MePE%3D"
#define FEISHU_SIGN "f+lWXYD8kUfJ/ZGi8+vfRB4ZG/0Un8ytATvG1pORXcU="
#define CUSTOM_SIGN "2r4RfMiKCoizf0R8g36PXEapMS4QFyNLl4yIsMJbFzI="
#define CUSTOM_SECRET "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static const struct receiver_room rooms[] = {
    [BB_SLACK] = {BB_SLACK, NULL, NULL},
    [BB_DISCORD] = {BB_DISCORD, NULL, NULL},
    [BB_TEAMS] = {BB_TEAMS, NULL, NULL},
    [BB_DINGTALK] = {BB_DINGTALK, "SECtest123", "Bytebase"},
    [BB_FEISHU] = {BB_FEISHU, "AbCdEfGhIjKlMnOpQrStUv", "Bytebase"},
    [BB_WECOM] = {BB_WECOM, NULL, NULL},
    [BB_CUSTOM] = {BB_CUSTOM, CUSTOM_SECRET, NULL}};

/* The parts of a request, as one case changes one of them. JSON is written with ' for ". */
enum part { METHOD, TARGET, TYPE, AGENT, BODY, NOW, ID, TIME, SIGNATURE, PARTS };

#define TEXT "{'type':'mrkdwn','text':'x'}"
#define TEXTS "{'type':'mrkdwn','text':'⟦x×%d⟧'}"
#define LINK "{'type':'button','text':{'type':'plain_text','text':'b'}}"
#define HEADER "'header','text':{'type':'plain_text','text':'"
#define IMAGE "{'type':'image','image_url':'https://a.b',"
#define DIVIDER "{'type':'divider'}"
#define BIG "{'type':'section','text':{'type':'mrkdwn','text':'⟦x×2700⟧'}},"
#define SECTION "{'type':'section','text':{'type':'mrkdwn','text':'d'}}"
#define BUTTON ",'singleTitle':'o','singleURL':'u'"

static const char *const good[][PARTS] = {
    [BB_SLACK] = {"POST", "/services/T01/B02/abcDEF", JSON_TYPE, "test/1",
                  "{'text':'t','attachments':[{'color':'#36a64f','fallback':'f','blocks':["
                  "{'type':'section','fields':[{'type':'mrkdwn','text':'*A*'}]}," SECTION ","
                  "{'type':'context','elements':[{'type':'mrkdwn','text':'c'}]},"
                  "{'type':'actions','elements':[{'type':'button','text':"
                  "{'type':'plain_text','text':'b'},'url':'https://a.b'}]}]}]}"},
    [BB_DISCORD] = {"POST", "/api/v10/webhooks/123/tok-EN_1?wait=true", JSON_TYPE, "test/1",
                    "{'content':'c','username':'u','allowed_mentions':{'parse':[]},'embeds':["
                    "{'title':'t','url':'https://a.b','description':'d','color':255,"
                    "'timestamp':'2026-01-02T03:04:05.000Z','fields':[{'name':'n','value':'v'}],"
                    "'footer':{'text':'f'},'author':{'name':'a'}}]}"},
    [BB_TEAMS] = {"POST",
                  "/powerautomate/automations/direct/workflows/ab12/triggers/manual/paths/invoke"
                  "?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=s-_1",
                  JSON_TYPE, "test/1",
                  "{'type':'message','summary':'s','attachments':[{'contentType':"
                  "'application/vnd.microsoft.card.adaptive','content':{'type':'AdaptiveCard',"
                  "'version':'1.4','msteams':{'entities':[{'type':'mention',"
                  "'text':'<at>Ann</at>','mentioned':{'id':'1'}}]},'body':["
                  "{'type':'Container','style':'good','items':[{'type':'TextBlock','text':'t'}]},"
                  "{'type':'FactSet','facts':[{'title':'k','value':'v'}]},"
                  "{'type':'TextBlock','text':'<at>Ann</at>'}],'actions':["
                  "{'type':'Action.OpenUrl','title':'o','url':'https://a.b'}]}}]}"},
    [BB_DINGTALK] = {"POST",
                     "/robot/send?access_token=" TOKEN "&timestamp=1700000000000"
                     "&sign=" DINGTALK_SIGN,
                     JSON_TYPE, "test/1",
                     "{'msgtype':'markdown','markdown':{'title':'t','text':'Bytebase'},"
                     "'at':{'atMobiles':['138'],'isAtAll':false}}"},
    [BB_FEISHU] = {"POST", "/open-apis/bot/v2/hook/0aa1-22", JSON_TYPE, "test/1",
                   "{'timestamp':'1700000000','sign':'" FEISHU_SIGN "','msg_type':'interactive',"
                   "'card':{'header':{'title':{'tag':'plain_text','content':'t'}},'elements':["
                   "{'tag':'div','fields':[{'text':{'tag':'lark_md','content':'k'}}]},"
                   "{'tag':'markdown','content':'Bytebase'},{'tag':'hr'},"
                   "{'tag':'action','actions':[{'tag':'button','text':"
                   "{'tag':'plain_text','content':'o'},'url':'https://a.b'}]},"
                   "{'tag':'note','elements':[{'tag':'plain_text','content':'n'}]}]}}"},
    [BB_WECOM] = {"POST", "/cgi-bin/webhook/send?key=693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa",
                  JSON_TYPE, "test/1",
                  "{'msgtype':'markdown','markdown':{'content':'c [o](https://a.b)'}}"},
    [BB_CUSTOM] = {"POST", "/hooks/bb", "application/json", "test/1",
                   "{'level':'INFO','activity_type':'bb.issue.create','title':'t',"
                   "'description':'','link':'','creator_id':1,'creator_name':'n','created_ts':2,"
                   "'issue':{'id':3,'name':'i','status':'OPEN','type':'','description':''},"
                   "'project':null}",
                   NULL, "msg_1", "1700000000", "v1,AAAA v1," CUSTOM_SIGN},
};

/* A good request in which `from` (NULL: the whole part) becomes `to`, where "⟦x×3⟧"
 * stands for "xxx"; without `to` the part is not sent. */
struct change {
    bb_type type;
    enum part part;
    const char *from;
    const char *to;
    int status;
    const char *answer; /* its body, or what is in it */
};

#define BAD_BLOCK 400, "invalid_attachments"
#define BAD_FORM 400, "'code':50035"
#define BAD_CARD 400, "TriggerInputSchemaMismatch"
#define BAD_ELEMENT 200, "'code':230099"
#define BAD_SIGN 200, "'errcode':310000,'errmsg':'sign"
#define NO_WORD 200, "'errcode':40035"
#define ACTION_CARD "{'msgtype':'actionCard','actionCard':{'title':'t','text':'Bytebase'"

static const struct change refused[] = {
    {BB_SLACK, TARGET, "/services/T", "/services/", 404, "no_service"},
    {BB_SLACK, METHOD, NULL, "GET", 400, "invalid_payload"},
    {BB_SLACK, TYPE, NULL, "text/plain", 400, "invalid_payload"},
    {BB_SLACK, TYPE, NULL, NULL, 400, "invalid_payload"},
    {BB_SLACK, BODY, NULL, "[]", 400, "invalid_payload"},
    {BB_SLACK, BODY, NULL, "{'text':'\xc0\x80'}", 400, "invalid_payload"},
    {BB_SLACK, BODY, NULL, "{'text':'t'} x", 400, "invalid_payload"},
    {BB_SLACK, BODY, "'text':'t'", "'text':1", 400, "invalid_payload"},
    {BB_SLACK, BODY, NULL, "{'text':' ','attachments':[]}", 400, "no_text"},
    {BB_SLACK, BODY, "[{'color", "[{'color':''},{'color", 400, "missing_text_or_fallback"},
    {BB_SLACK, BODY, SECTION, "{'type':'card'}", BAD_BLOCK},
    {BB_SLACK, BODY, SECTION, "{'type':'section'}", BAD_BLOCK},
    {BB_SLACK, BODY, SECTION, "{'type':'context','elements':[]}", BAD_BLOCK},
    {BB_SLACK, BODY, SECTION, "{'type':'context','elements':{}}", BAD_BLOCK},
    {BB_SLACK, BODY, SECTION, "{'type':'actions','elements':[]}", BAD_BLOCK},
    {BB_SLACK, BODY, SECTION, "{'type':'actions','elements':{}}", BAD_BLOCK},
    {BB_SLACK, BODY, SECTION, "{'type':'header','text':" TEXT "}", BAD_BLOCK},
    {BB_SLACK, BODY, SECTION, IMAGE "'alt_text':''}", BAD_BLOCK},
    {BB_SLACK, BODY, "'text':'d'", "'text':''", BAD_BLOCK},
    {BB_SLACK, BODY, "mrkdwn','text':'d'", "html','text':'d'", BAD_BLOCK},
    {BB_SLACK, BODY, "'https://a.b'", "'/relative'", BAD_BLOCK},
    {BB_SLACK, BODY, "'https://a.b'", "'https://'", BAD_BLOCK},
    {BB_SLACK, BODY, "'https://a.b'", "'https://a b'", BAD_BLOCK},

    {BB_DISCORD, AGENT, NULL, NULL, 403, "error code: 1010"},
    {BB_DISCORD, TARGET, "/webhooks/", "/webhook/", 404, "404: Not Found"},
    {BB_DISCORD, METHOD, NULL, "PUT", 405, "405: Method Not Allowed"},
    {BB_DISCORD, TYPE, NULL, "text/plain", BAD_FORM},
    {BB_DISCORD, BODY, NULL, "{", 400, "'code':50109"},
    {BB_DISCORD, BODY, NULL, "{'content':'\\n','embeds':[]}", 400, "'code':50006"},
    {BB_DISCORD, BODY, "'u'", "'My DisCord bot'", 400, "USERNAME_INVALID_CONTAINS"},
    {BB_DISCORD, BODY, "'t'", "'⟦t×257⟧'", 400,
     "{'embeds':{'0':{'title':{'_errors':[{'code':'BASE_TYPE_MAX_LENGTH','message':'Must be 256 "},
    {BB_DISCORD, BODY, "https://a.b", "ftp://a.b", 400, "URL_TYPE_INVALID_URL"},
    {BB_DISCORD, BODY, "255", "'#0000ff'", 400, "NUMBER_TYPE_COERCE"},
    {BB_DISCORD, BODY, "255", "16777216", 400, "NUMBER_TYPE_COERCE"},
    {BB_DISCORD, BODY, "2026-01-02T03:04:05.000Z", "", 400, "DATE_TIME_TYPE_PARSE"},
    {BB_DISCORD, BODY, "2026-01", "2026-o1", 400, "DATE_TIME_TYPE_PARSE"},
    {BB_DISCORD, BODY, "'v'", "' '", 400, "'fields':{'0':{'value':{'_errors':"},
    {BB_DISCORD, BODY, "{'text':'f'}", "{}", 400, "BASE_TYPE_REQUIRED"},
    {BB_DISCORD, BODY, "'parse':[]", "'parse':['users'],'users':['1']", 400, "PARSE_EXCLUSIVE"},

    {BB_TEAMS, TARGET, "/invoke", "/run", 404, "WorkflowNotFound"},
    {BB_TEAMS, TARGET, "api-version", "version", 400, "MissingApiVersionParameter"},
    {BB_TEAMS, TARGET, "&sig=s-_1", "", 401, "DirectApiAuthorizationRequired"},
    {BB_TEAMS, TARGET, "%2Ftriggers%2Fmanual%2F", "/triggers/manual/", 401, "AuthorizationFailed"},
    {BB_TEAMS, METHOD, NULL, "GET", BAD_CARD},
    {BB_TEAMS, TYPE, NULL, "text/plain", BAD_CARD},
    {BB_TEAMS, BODY, NULL, "{'text':'t'}", BAD_CARD},
    {BB_TEAMS, BODY, NULL, "{'type':'message','attachments':[]}", BAD_CARD},
    {BB_TEAMS, BODY, "card.adaptive", "card.hero", BAD_CARD},
    {BB_TEAMS, BODY, "AdaptiveCard", "MessageCard", BAD_CARD},
    {BB_TEAMS, BODY, "'1.4'", "'1.5'", BAD_CARD},
    {BB_TEAMS, BODY, "'good'", "'green'", BAD_CARD},
    {BB_TEAMS, BODY, "'text':'t'", "'text':''", BAD_CARD},
    {BB_TEAMS, BODY, "'FactSet'", "'Facts'", BAD_CARD},
    {BB_TEAMS, BODY, "'title':'k'", "'title':''", BAD_CARD},
    {BB_TEAMS, BODY, "{'title':'k','value':'v'}", "", BAD_CARD},
    {BB_TEAMS, BODY, "Action.OpenUrl", "Action.Submit", BAD_CARD},
    {BB_TEAMS, BODY, "https://a.b", "javascript:a", BAD_CARD},
    {BB_TEAMS, BODY, "'text':'<at>Ann</at>','m", "'text':'<at>Bob</at>','m", BAD_CARD},
    {BB_TEAMS, BODY, "{'id':'1'}", "{}", BAD_CARD},

    {BB_DINGTALK, TARGET, TOKEN, "", 200, "'errcode':400101"},
    {BB_DINGTALK, TARGET, "0123", "g123", 200, "'errcode':300005"},
    {BB_DINGTALK, METHOD, NULL, "GET", 200, "'errcode':43002"},
    {BB_DINGTALK, TYPE, NULL, "text/plain", 200, "'errcode':43004"},
    {BB_DINGTALK, TARGET, "&sign=" DINGTALK_SIGN, "", BAD_SIGN},
    {BB_DINGTALK, TARGET, "sign=w3", "sign=w4", BAD_SIGN},
    {BB_DINGTALK, TARGET, "%2BUt1", "+Ut1", BAD_SIGN},
    {BB_DINGTALK, NOW, NULL, "1699996399999", 200, "invalid timestamp"},
    {BB_DINGTALK, NOW, NULL, "1700003600001", 200, "invalid timestamp"},
    {BB_DINGTALK, BODY, NULL, "text", NO_WORD},
    {BB_DINGTALK, BODY, "'msgtype':'markdown'", "'msgtype':'md'", 200, "'errcode':400105"},
    {BB_DINGTALK, BODY, "'t'", "''", NO_WORD},
    {BB_DINGTALK, BODY, "'Bytebase'", "' '", NO_WORD},
    {BB_DINGTALK, BODY, "['138']", "[138]", NO_WORD},
    {BB_DINGTALK, BODY, "false", "'false'", NO_WORD},
    {BB_DINGTALK, BODY, NULL, ACTION_CARD "}}", NO_WORD},
    {BB_DINGTALK, BODY, NULL, ACTION_CARD ",'singleTitle':'o'}}", NO_WORD},
    {BB_DINGTALK, BODY, NULL, ACTION_CARD ",'btns':[]}}", NO_WORD},
    {BB_DINGTALK, BODY, NULL, ACTION_CARD ",'btns':[{'title':'o'}]}}", NO_WORD},
    {BB_DINGTALK, BODY, NULL, "{'msgtype':'actionCard','actionCard':{'text':'Bytebase'" BUTTON "}}",
     NO_WORD},
    {BB_DINGTALK, BODY, "Bytebase", "bytebase", 200, "keywords not in content"},

    {BB_FEISHU, TARGET, "/hook/0aa1-22", "/hook/", 200, "'code':19001"},
    {BB_FEISHU, METHOD, NULL, "GET", 400, "'code':9499"},
    {BB_FEISHU, TYPE, NULL, "text/plain", 400, "'code':9499"},
    {BB_FEISHU, BODY, NULL, "{'a':}", 400, "fail to parse content"},
    {BB_FEISHU, BODY, "'sign'", "'signature'", 200, "'code':19021"},
    {BB_FEISHU, BODY, "f+lW", "f+lX", 200, "'code':19021"},
    {BB_FEISHU, BODY, "'1700000000'", "1700000000", 200, "'code':19021"},
    {BB_FEISHU, NOW, NULL, "1699996399999", 200, "'code':19021"},
    {BB_FEISHU, NOW, NULL, "1700003601000", 200, "'code':19021"},
    {BB_FEISHU, BODY, "msg_type", "msgtype", 200, "msg_type need"},
    {BB_FEISHU, BODY, "interactive", "card", 200, "'code':19002"},
    {BB_FEISHU, BODY, "'card':{", "'card':'{}','c':{", 200, "'code':19002"},
    {BB_FEISHU, BODY, "'content':'t'", "'content':''", BAD_ELEMENT},
    {BB_FEISHU, BODY, "'tag':'div'", "'tag':'table'", BAD_ELEMENT},
    {BB_FEISHU, BODY, "lark_md", "markdown", BAD_ELEMENT},
    {BB_FEISHU, BODY, "'Bytebase'", "''", BAD_ELEMENT},
    {BB_FEISHU, BODY, "https://a.b", "a.b", BAD_ELEMENT},
    {BB_FEISHU, BODY, "'content':'n'", "'content':''", BAD_ELEMENT},
    {BB_FEISHU, BODY, "Bytebase", "bytebase", 200, "'code':19024"},

    {BB_WECOM, TARGET, "key=", "key=0", 200, "'errcode':93000,'errmsg':'invalid webhook url"},
    {BB_WECOM, METHOD, NULL, "GET", 200, "'errcode':43002"},
    {BB_WECOM, BODY, NULL, "c", 200, "'errcode':47001"},
    {BB_WECOM, BODY, "'msgtype':'markdown'", "'msgtype':'md'", 200, "'errcode':40008"},
    {BB_WECOM, BODY, "'content'", "'text'", 200, "'errcode':40063"},
    {BB_WECOM, BODY, "c [o](https://a.b)", "", 200, "'errcode':44004"},
    {BB_WECOM, BODY, "https://a.b", "a.b", 200, "'errcode':45034"},

    {BB_CUSTOM, TARGET, "/bb", "/other", 404, "{'code':404,"},
    {BB_CUSTOM, METHOD, NULL, "GET", 405, "{'code':405,"},
    {BB_CUSTOM, TYPE, NULL, JSON_TYPE, 415, "{'code':415,"},
    {BB_CUSTOM, ID, NULL, NULL, 401, "missing required headers"},
    {BB_CUSTOM, ID, NULL, "msg.1", 401, "missing required headers"},
    {BB_CUSTOM, SIGNATURE, NULL, NULL, 401, "missing required headers"},
    {BB_CUSTOM, NOW, NULL, "1699999699999", 401, "out of tolerance"},
    {BB_CUSTOM, NOW, NULL, "1700000301000", 401, "out of tolerance"},
    {BB_CUSTOM, TIME, NULL, "1700000001", 401, "no matching signature"},
    {BB_CUSTOM, SIGNATURE, NULL, "v1,AAAA v2,BBBB", 401, "no matching signature"},
    {BB_CUSTOM, BODY, NULL, "level", 200, "body is missing or wrong"},
    {BB_CUSTOM, BODY, "INFO", "info", 200, "level is missing or wrong"},
    {BB_CUSTOM, BODY, ".create", ".created", 200, "activity_type is missing or wrong"},
    {BB_CUSTOM, BODY, "'t'", "''", 200, "title is missing or wrong"},
    {BB_CUSTOM, BODY, "'description':'',", "", 200, "description is missing or wrong"},
    {BB_CUSTOM, BODY, "'link':''", "'link':null", 200, "link is missing or wrong"},
    {BB_CUSTOM, BODY, "'creator_id':1", "'creator_id':'1'", 200, "creator_id is"},
    {BB_CUSTOM, BODY, "'creator_name':'n'", "'creator_name':1", 200, "creator_name is"},
    {BB_CUSTOM, BODY, "'created_ts':2", "'created_ts':2.5", 200, "created_ts is"},
    {BB_CUSTOM, BODY, "OPEN", "Open", 200, "issue is missing or wrong"},
    {BB_CUSTOM, BODY, ",'project':null", "", 200, "project is missing or wrong"},
    {BB_CUSTOM, BODY, "'project':null", "'project':null,'stage':{'id':1}", 200, "stage is"},
    {BB_CUSTOM, BODY, "'project':null", "'project':null,'task':{'name':''}", 200, "task is"},
};

static const struct change accepted[] = {
    {BB_SLACK, METHOD, NULL, "POST", 200, "ok"},
    {BB_DISCORD, METHOD, NULL, "POST", 200, "'id':"},
    {BB_TEAMS, METHOD, NULL, "POST", 202, ""},
    {BB_DINGTALK, METHOD, NULL, "POST", 200, "{'errcode':0,'errmsg':'ok'}"},
    {BB_FEISHU, METHOD, NULL, "POST", 200, "'code':0"},
    {BB_WECOM, METHOD, NULL, "POST", 200, "{'errcode':0,'errmsg':'ok'}"},
    {BB_CUSTOM, METHOD, NULL, "POST", 200, "{'code':0,"},

    {BB_SLACK, BODY, "'t'", "'⟦t×40001⟧'", 200, "ok"}, /* it cuts, it does not refuse */
    {BB_SLACK, BODY, "[{'color", "[{'text':'x'},{'fallback':'x'},{'color", 200, "ok"},
    {BB_DISCORD, TARGET, "?wait=true", "", 204, ""},
    {BB_DISCORD, BODY, "'parse':[]", "'parse':['roles'],'users':['1']", 200, "'id'"},
    {BB_DINGTALK, TARGET, "%2BUt1", "%2bUt1", 200, "'errcode':0"},
    {BB_DINGTALK, NOW, NULL, "1700003600000", 200, "'errcode':0"},
    {BB_DINGTALK, BODY, NULL, ACTION_CARD BUTTON "}}", 200, "'errcode':0"},
    {BB_DINGTALK, BODY, NULL, ACTION_CARD ",'btns':[{'title':'o','actionURL':'u'}]}}", 200,
     "'errcode':0"},
    {BB_FEISHU, NOW, NULL, "1700003600999", 200, "'code':0"},
    {BB_CUSTOM, NOW, NULL, "1700000300999", 200, "'code':0"},
    {BB_CUSTOM, BODY, "'t'", "'\\ud83d\\udd37\\u4e16\\n\\''", 200, "'code':0"},
    {BB_CUSTOM, BODY, "'project':null", "'project':{'id':9,'name':'p'}", 200, "'code':0"},
};

/* In the good body `from` becomes `to` with `most` for %d, which is accepted; with one
 * more it is refused. `most` 0: as many as fill the body to `bytes`. */
static const struct limit {
    bb_type type;
    const char *from;
    const char *to;
    int most;
    int bytes;
    int status;
    const char *answer;
} limits[] = {
    {BB_SLACK, "[{'color", "[⟦{'text':'x'},×%d⟧{'color", 99, 0, 400, "too_many_attachments"},
    {BB_SLACK, SECTION, "⟦" DIVIDER ",×%d⟧" SECTION, 46, 0, BAD_BLOCK},
    {BB_SLACK, "'t'", "'t','blocks':[⟦" DIVIDER ",×%d⟧" DIVIDER "]", 49, 0, 400, "invalid_blocks"},
    {BB_SLACK, "'text':'d'", "'text':'⟦x×%d⟧'", 3000, 0, BAD_BLOCK},
    {BB_SLACK, "'text':'d'", "'text':'⟦🔷×%d⟧'", 1500, 0, BAD_BLOCK},
    {BB_SLACK, "'*A*'", "'⟦x×%d⟧'", 2000, 0, BAD_BLOCK},
    {BB_SLACK, "'fields':[", "'fields':[⟦" TEXT ",×%d⟧", 9, 0, BAD_BLOCK},
    {BB_SLACK, "'context','elements':[", "'context','elements':[⟦" TEXT ",×%d⟧", 9, 0, BAD_BLOCK},
    {BB_SLACK, "'actions','elements':[", "'actions','elements':[⟦" LINK ",×%d⟧", 24, 0, BAD_BLOCK},
    {BB_SLACK, "'section','text':{'type':'mrkdwn','text':'d", HEADER "⟦x×%d⟧", 150, 0, BAD_BLOCK},
    {BB_SLACK, "'text':'b'", "'text':'⟦b×%d⟧'", 75, 0, BAD_BLOCK},
    {BB_SLACK, "'https://a.b'", "'https://⟦b×%d⟧'", 2992, 0, BAD_BLOCK},
    {BB_SLACK, "'url':", "'value':'⟦v×%d⟧','url':", 2000, 0, BAD_BLOCK},
    {BB_SLACK, "'url':", "'action_id':'⟦v×%d⟧','url':", 255, 0, BAD_BLOCK},
    {BB_SLACK, SECTION, BIG BIG BIG BIG "{'type':'section','text':" TEXTS "}", 2395, 0, 400,
     "msg_blocks_too_long"},
    {BB_DISCORD, "'c'", "'⟦x×%d⟧'", 2000, 0, 400, "{'content':{'_errors':[{'code':'BASE_TYPE_MAX"},
    {BB_DISCORD, "'u'", "'⟦u×%d⟧'", 80, 0, BAD_FORM},
    {BB_DISCORD, "'t'", "'⟦🔷×%d⟧ '", 256, 0, BAD_FORM},
    {BB_DISCORD, "'d'", "'⟦d×%d⟧'", 4096, 0, BAD_FORM},
    {BB_DISCORD, "'d'", "'⟦🔷×%d⟧'", 2490, 0, BAD_FORM},
    {BB_DISCORD, "'fields':[", "'fields':[⟦{'name':'n','value':'v'},×%d⟧", 24, 0, BAD_FORM},
    {BB_DISCORD, "'n'", "'⟦n×%d⟧'", 256, 0, BAD_FORM},
    {BB_DISCORD, "'v'", "'⟦v×%d⟧'", 1024, 0, BAD_FORM},
    {BB_DISCORD, "'f'", "'⟦f×%d⟧'", 2048, 0, BAD_FORM},
    {BB_DISCORD, "'a'", "'⟦a×%d⟧'", 256, 0, BAD_FORM},
    {BB_DISCORD, "'embeds':[", "'embeds':[⟦{'title':'x'},×%d⟧", 9, 0, BAD_FORM},
    {BB_DISCORD, "'d'", "'⟦d×4096⟧'},{'description':'⟦d×%d⟧'", 1899, 0, 400, "MAX_EMBED_SIZE"},
    {BB_DISCORD, "'parse':[]", "'users':[⟦'1',×%d⟧'1']", 99, 0, BAD_FORM},
    {BB_TEAMS, "'s'", "'⟦s×%d⟧'", 0, 19600, 413, "RequestEntityTooLarge"},
    {BB_DINGTALK, "'t'", "'⟦t×%d⟧'", 0, 20000, 200, "'errcode':460101"},
    {BB_FEISHU, "'t'", "'⟦t×%d⟧'", 0, 20480, 400, "'code':9499"},
    {BB_WECOM, "c [o](https://a.b)", "⟦世×1364⟧⟦a×%d⟧", 4, 0, 200, "'errcode':40058"},
    {BB_WECOM, "https://a.b", "https://⟦b×%d⟧", 1016, 0, 200, "'errcode':40039"},
};

/* Spreads the repetitions and turns ' into ". */
static char *spread(const char *text) {
    char *out = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&out, &size);
    const char *open;
    while ((open = strstr(text, "⟦")) != NULL) {
        const char *times = strstr(open, "×");
        const char *what = open + strlen("⟦");
        fwrite(text, 1, (size_t)(open - text), stream);
        for (long i = strtol(times + strlen("×"), NULL, 10); i > 0; i--)
            fwrite(what, 1, (size_t)(times - what), stream);
        text = strstr(times, "⟧") + strlen("⟧");
    }
    fputs(text, stream);
    fclose(stream);
    for (char *quote = out; (quote = strchr(quote, '\'')) != NULL;)
        *quote = '"';
    return out;
}

/* The part of the good request with the case's change; NULL: it is not sent. */
static char *changed(const struct change *change) {
    char text[4096];
    const char *good_part = good[change->type][change->part];
    const char *whole = good_part ? good_part : "";
    const char *from = change->from ? change->from : whole;
    const char *at = strstr(whole, from);
    if (!change->to)
        return NULL;
    assert_non_null(at);
    int length = snprintf(text, sizeof text, "%.*s%s%s", (int)(at - whole), whole, change->to,
                          at + strlen(from));
    assert_in_range(length, 0, sizeof text - 1);
    return spread(text);
}

static bool answer_is(const struct receiver_answer *answer, int status, const char *body) {
    char *wanted = spread(body);
    bool is = answer->status == status && strstr(answer->body, wanted);
    free(wanted);
    return is;
}

static void send_changed(const struct change *change, struct receiver_answer *answer) {
    static const char *const names[PARTS] = {[TYPE] = "Content-Type",
                                             [AGENT] = "User-Agent",
                                             [ID] = "webhook-id",
                                             [TIME] = "webhook-timestamp",
                                             [SIGNATURE] = "webhook-signature"};
    struct receiver_room room = rooms[change->type];
    struct receiver_header headers[PARTS];
    char *body = spread(good[change->type][BODY]);
    char *part = changed(change);
    const char *parts[PARTS];
    memcpy(parts, good[change->type], sizeof parts);
    parts[BODY] = body;
    parts[change->part] = part;
    struct receiver_request request = {parts[METHOD], parts[TARGET],      headers, 0,
                                       parts[BODY],   strlen(parts[BODY])};
    for (int i = 0; i < PARTS; i++) {
        if (names[i] && parts[i])
            headers[request.header_count++] = (struct receiver_header){names[i], parts[i]};
    }
    if (change->type == BB_CUSTOM && change->part == BODY) {
        room.secret = NULL; /* its signature is one of the good body */
    }
    int64_t now_ms = parts[NOW] ? strtoll(parts[NOW], NULL, 10) : NOW_MS;
    receiver_check(&room, &request, now_ms, answer);
    free(part);
    free(body);
}

static void send_each(const struct change *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct receiver_answer answer;
        send_changed(&cases[i], &answer);
        if (!answer_is(&answer, cases[i].status, cases[i].answer)) {
            fail_msg("case %zu, %s: wanted %d %s, got %d %s", i, cases[i].to ? cases[i].to : "-",
                     cases[i].status, cases[i].answer, answer.status, answer.body);
        }
    }
}

static void a_request_with_one_rule_broken_is_refused(void **state) {
    (void)state;
    send_each(refused, sizeof refused / sizeof *refused);
}

static void a_request_within_the_rules_is_accepted(void **state) {
    (void)state;
    send_each(accepted, sizeof accepted / sizeof *accepted);
}

static size_t body_length(const struct change *change) {
    char *body = changed(change);
    size_t length = strlen(body);
    free(body);
    return length;
}

static void each_limit_is_where_it_is_said_to_be(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        const struct limit *limit = &limits[i];
        struct change change = accepted[limit->type - 1];
        char to[1024];
        change.part = BODY;
        change.from = limit->from;
        change.to = to;
        snprintf(to, sizeof to, limit->to, 0);
        int most = limit->most ? limit->most : limit->bytes - (int)body_length(&change);
        snprintf(to, sizeof to, limit->to, most);
        send_each(&change, 1);
        snprintf(to, sizeof to, limit->to, most + 1);
        change.status = limit->status;
        change.answer = limit->answer;
        send_each(&change, 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_request_with_one_rule_broken_is_refused),
                                       cmocka_unit_test(a_request_within_the_rules_is_accepted),
                                       cmocka_unit_test(each_limit_is_where_it_is_said_to_be)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
