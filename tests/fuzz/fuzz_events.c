/*
 * Whatever an event says, every product takes what bb_webhook_prepare makes of it: the independent
 * decoder of tests/decode finds valid JSON within every limit, no markup but ours, one link and
 * nobody notified but the event's own list; and what is printed of the request tells no secret.
 *
 * Input: choices (see make_event), then the texts in the order of `texts`, the keyword and the
 * button, then a name and an id for each person. One event is prepared for all seven products.
 */
#include "fuzz/fuzz.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decode/decode.h"
#include "decode/decode_inside.h"
#include "support/samples.h"

enum { PEOPLE = 3, IDS = 6 };

typedef struct scene {
    sample s;
    bb_mention people[PEOPLE];
    const bb_mention *list[PEOPLE];
    bool has_id[PEOPLE];
    bool everyone;
    const char *keyword;
    const char *button;
    bb_language language;
    int action_card;
    bool has_ampersand;
} scene;

/* ---- the event */

static const char *or_null(const char *text) {
    return text && *text ? text : NULL;
}

static void keep_parts(bb_event *event, unsigned parts) {
    if (parts & 1)
        event->creator = NULL;
    if (parts & 2)
        event->issue = NULL;
    if (parts & 4)
        event->project = NULL;
    if (parts & 8)
        event->field = NULL;
    if (parts & 16)
        event->stage = NULL;
    if (parts & 32)
        event->task = NULL;
}

static void read_texts(scene *at, fuzz_input *input) {
    bb_event *event = &at->s.event;
    const char **texts[] = {&event->title,
                            &event->description,
                            &event->link,
                            &event->comment,
                            &at->s.creator.name,
                            &at->s.creator.email,
                            &at->s.issue.name,
                            &at->s.issue.type,
                            &at->s.issue.description,
                            &at->s.project.name,
                            &at->s.field.name,
                            &at->s.field.old_value,
                            &at->s.field.new_value,
                            &at->s.stage.name,
                            &at->s.task.name,
                            &at->s.task.status,
                            &at->s.task.old_status,
                            &at->s.task.detail,
                            &at->s.task.skipped_reason,
                            &at->keyword,
                            &at->button};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        *texts[i] = or_null(fuzz_text(input));
}

/* The keyword is the operator's own and stands as it is, because the product looks for it: words.
 */
static const char *words_only(const char *keyword) {
    for (const char *c = keyword; c && *c; c++)
        if ((unsigned char)*c < 0x80 && !isalnum((unsigned char)*c) && *c != ' ')
            return NULL;
    return keyword;
}

static void make_event(scene *at, fuzz_input *input) {
    static const char *const fields[] = {NULL, "assignee", "description", "name"};
    static const char *const statuses[] = {NULL,   "PENDING", "PENDING_APPROVAL", "RUNNING",
                                           "DONE", "FAILED",  "CANCELED",         "SKIPPED"};
    static const int64_t times[] = {SAMPLE_TIME, 0, 1, -1, 99999999999};
    sample *s = &at->s;
    sample_fill(s, sample_activity(fuzz_choose(input, SAMPLE_ACTIVITIES)));
    s->event.level = (bb_level)fuzz_choose(input, BB_ERROR + 1);
    s->issue.status = (bb_issue_status)(1u << fuzz_choose(input, 4) >> 1);
    s->stage.status = (bb_stage_status)fuzz_choose(input, 3);
    s->stage.failed_tasks = fuzz_choose(input, 2);
    s->event.created_ts = times[fuzz_choose(input, 5)];
    keep_parts(&s->event, fuzz_choose(input, 64));
    const char *field = fields[fuzz_choose(input, 4)];
    const char *status = statuses[fuzz_choose(input, 8)], *old = statuses[fuzz_choose(input, 8)];
    read_texts(at, input);
    at->keyword = words_only(at->keyword);
    s->field.name = field ? field : s->field.name;
    s->task.status = status ? status : s->task.status;
    s->task.old_status = old ? old : s->task.old_status;
}

/* ---- people */

static const char *const good_ids[PEOPLE][IDS + 1] = {
    {"U0123ABCD", "80351110224678912", "ann.lee@example.com", "manager4220",
     "ou_18eac85d35a26f989317ad4f02e8bbbb", "AnnLee", "13800000001"},
    {"W0BOB", "1", "87d349ed-44d7-43e1-9a83-5f2406dee5bd", "user_2-b.c@d", "on_2", "li.bo_2-x",
     "13800000002"},
    {"U1", "1234567890123456789", "o'neil@example.com", "0", "a", "b", "13800000003"},
};

/* One that no product takes; NULL where the text might be taken. */
static const char *bad_id(const char *text) {
    static const char taken[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789_.@+-' ";
    return text && text[strspn(text, taken)] ? text : NULL;
}

static void give_ids(bb_mention *person, size_t index, const char *id) {
    const char *const *good = good_ids[index];
    person->slack = id ? id : good[0];
    person->discord = id ? id : good[1];
    person->teams = id ? id : good[2];
    person->dingtalk = id ? id : good[3];
    person->feishu = id ? id : good[4];
    person->wecom = id ? id : good[5];
    person->phone = id ? id : good[6];
}

static void make_people(scene *at, fuzz_input *input, size_t count, unsigned everyone) {
    for (size_t i = 0; i < count; i++) {
        bb_mention *person = &at->people[i];
        *person = (bb_mention)BB_MENTION_INIT;
        person->name = or_null(fuzz_text(input));
        const char *id = fuzz_text(input);
        at->has_id[i] = id && strcmp(id, "+") == 0;
        if (at->has_id[i] || bad_id(id))
            give_ids(person, i, bad_id(id));
        person->everyone = everyone >> i & 1;
        at->everyone = at->everyone || person->everyone;
        at->has_id[i] = at->has_id[i] && !person->everyone;
        at->list[i] = person;
    }
    at->s.event.mentions = at->list;
    at->s.event.mention_count = count;
}

static void expect_people(const scene *at, bb_type type, const char **ids,
                          struct decode_expect *expect) {
    static const int columns[] = {[BB_SLACK] = 0,    [BB_DISCORD] = 1, [BB_TEAMS] = 2,
                                  [BB_DINGTALK] = 3, [BB_FEISHU] = 4,  [BB_WECOM] = 5};
    bool is_card = type == BB_DINGTALK && at->action_card && expect->link;
    expect->mentions = ids;
    expect->everyone = at->everyone;
    for (size_t i = 0; i < at->s.event.mention_count && type != BB_CUSTOM && !is_card; i++)
        if (at->has_id[i])
            ids[expect->mention_count++] = good_ids[i][columns[type]];
}

/* ---- one product */

/* Feishu's signature stands in it; else it is the body that is sent. */
static void check_masked_body(const bb_request *request, bb_type type) {
    static const char hidden[] = "\",\"sign\":\"***\",";
    size_t length = 0;
    const char *body = bb_request_body(request, BB_MASKED, &length);
    FUZZ_CHECK(strlen(body) == length, "the masked body's length is %zu", length);
    if (type == BB_FEISHU)
        FUZZ_CHECK(strncmp(body + strlen("{\"timestamp\":\"1700000000"), hidden, strlen(hidden)) ==
                       0,
                   "the signature is in %s", body);
    else
        FUZZ_CHECK(strcmp(body, bb_request_body(request, BB_REAL, NULL)) == 0, "masked as %s",
                   body);
}

static void check_secrets(const bb_request *request, const bb_webhook *webhook) {
    const char *host_end = strchr(webhook->url + strlen("https://"), '/');
    const char *url = bb_request_url(request, BB_MASKED), *shown = strstr(url, "/***");
    FUZZ_CHECK(strncmp(url, webhook->url, (size_t)(host_end - webhook->url)) == 0 && shown &&
                   shown[4] == '\0',
               "the masked URL is %s", url);
    check_masked_body(request, webhook->type);
    for (size_t i = 0; i < bb_request_header_count(request); i++) {
        const char *name = bb_request_header_name(request, i);
        bool is_signature = strcmp(name, "webhook-signature") == 0;
        const char *value = bb_request_header_value(request, i, BB_MASKED);
        FUZZ_CHECK(!is_signature || strcmp(value, "***") == 0, "%s shows %s", name, value);
        FUZZ_CHECK(!strpbrk(bb_request_header_value(request, i, BB_REAL), "\r\n"),
                   "%s has more than one line", name);
    }
}

/* The link as Custom tells it, which is the event's own; NULL: none. */
static char *link_of(const bb_request *request) {
    size_t length = 0;
    const char *body = bb_request_body(request, BB_REAL, &length);
    cJSON *root = cJSON_ParseWithLength(body, length);
    const char *link = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "link"));
    FUZZ_CHECK(link, "no JSON or no link: %s", body);
    char *own = *link ? strdup(link) : NULL;
    cJSON_Delete(root);
    return own;
}

/* A link that nothing has to be done to is the one that was given. */
static void check_link(const char *given, const char *link) {
    FUZZ_CHECK(!link || decode_web_url(link), "the link is %s", link);
    bool is_plain = given && strlen(given) < 600 && decode_web_url(given) &&
                    isalnum((unsigned char)strstr(given, "://")[3]);
    for (const char *c = given; is_plain && *c; c++)
        is_plain = *c > ' ' && *c < 0x7F;
    FUZZ_CHECK(!is_plain || (link && strcmp(link, given) == 0), "the link is %s, not %s",
               link ? link : "none", given);
}

static bool prepare(const scene *at, bb_type type, bb_webhook *webhook, bb_request **request) {
    bb_attempt attempt = sample_attempt();
    bb_error error = BB_ERROR_INIT;
    *webhook = sample_webhook(type);
    webhook->language = at->language;
    webhook->keyword = at->keyword;
    webhook->button_text = at->button;
    webhook->dingtalk_action_card = at->action_card;
    if (type == BB_CUSTOM)
        webhook->secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    if (type == BB_FEISHU || type == BB_DINGTALK)
        webhook->secret = "SEC8b5d2f9a6c3e7014d8b6f4a2c0e9758362f1d9b7a5c3e801";
    int code = bb_webhook_prepare(NULL, webhook, &at->s.event, &attempt, request, &error);
    bool is_made = fuzz_check_error("prepare", code, &error);
    FUZZ_CHECK(is_made || code == BB_ERR_WEBHOOK, "%s", error.text);
    return is_made;
}

/* One that the user wrote, and that is all there is: the decoder cannot tell it from ours. */
static bool is_own_entity(const scene *at, const char *why) {
    return at->has_ampersand && strstr(why, "shows an entity as it is");
}

/* `link` is what Custom, the first one, has told. */
static void check_product(const scene *at, bb_type type, char **link) {
    bb_request *request = NULL;
    bb_webhook webhook;
    if (!prepare(at, type, &webhook, &request))
        return; /* the keyword is none */
    if (type == BB_CUSTOM) {
        *link = link_of(request);
        check_link(at->s.event.link, *link);
    }
    const char *ids[PEOPLE];
    struct decode_expect expect = {.link = *link};
    expect_people(at, type, ids, &expect);
    size_t length = 0;
    const char *body = bb_request_body(request, BB_REAL, &length);
    char why[512] = "";
    if (!decode_check(type, body, length, &expect, why, sizeof(why)) && !is_own_entity(at, why))
        fuzz_fail("%s\n%s", why, body);
    check_secrets(request, &webhook);
    bb_request_free(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static scene at;
    fuzz_input input = fuzz_open(data, size);
    at = (scene){.language = fuzz_choose(&input, 2) ? BB_CHINESE : BB_ENGLISH};
    at.action_card = (int)fuzz_choose(&input, 2);
    at.has_ampersand = size && memchr(data, '&', size);
    unsigned people = fuzz_choose(&input, PEOPLE + 1), everyone = fuzz_choose(&input, 8);
    make_event(&at, &input);
    make_people(&at, &input, people, everyone);
    char *link = NULL;
    for (int type = BB_CUSTOM; type >= BB_SLACK; type--)
        check_product(&at, (bb_type)type, &link);
    free(link);
    fuzz_close(&input);
    return 0;
}
