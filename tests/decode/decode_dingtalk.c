/* DingTalk: Markdown or an action card. */
#include <string.h>

#include "decode/decode_markup.h"

enum { BODY_BYTES = 19000, TITLE_UNITS = 64 };

static const char in_browser[] = "dingtalk://dingtalkclient/page/link?url=";

/* "@13800000000" of the list: an id may hold bytes that are markup elsewhere. */
static size_t token(struct decode_scan *scan) {
    for (size_t i = 0; *scan->at == '@' && i < scan->d->expect->mention_count; i++) {
        const char *id = scan->d->expect->mentions[i];
        if (decode_starts(scan->at + 1, id)) {
            decode_say(scan->d, scan->at, strlen(id) + 1);
            return strlen(id) + 1;
        }
    }
    return 0;
}

/* The heading that shows the title, and a list of facts. */
static size_t own_line(struct decode_scan *scan) {
    size_t hashes = strspn(scan->at, "#");
    if (scan->at == scan->text && hashes > 0 && hashes <= 6 && scan->at[hashes] == ' ')
        return hashes + 1;
    return decode_starts(scan->at, "- ") && decode_label(scan, scan->at + 2) ? 2 : 0;
}

static const struct decode_dialect markdown = {
    .bare = "<>*[]`&",
    .inner = "_",
    .doubled = "~",
    .bold = "**",
    .label_per_line = true,
    .backslash = true,
    .links = true,
    .quotation = true,
    .line = DECODE_HASH | DECODE_QUOTE | DECODE_LIST | DECODE_ORDERED | DECODE_RULE,
    .own_line = own_line,
    .token = token,
    .entity = decode_html_entity,
};

/* Keywords are looked for in title and text; both must be there. */
static void texts(struct decoding *d, const cJSON *message) {
    const cJSON *title = decode_need(d, message, "title", cJSON_String);
    decode_limit(d, title, DECODE_UTF16, TITLE_UNITS);
    decode_one_line(d, title);
    decode_plain(d, title);
    decode_titled(d, decode_need(d, message, "text", cJSON_String), &markdown);
}

static void ids(struct decoding *d, const cJSON *at, const char *key, const char *text) {
    const cJSON *list = decode_may(d, at, key, cJSON_Array), *one;
    cJSON_ArrayForEach(one, list) {
        if (!cJSON_IsString(one) || !decode_mention(d, one->valuestring, strlen(one->valuestring)))
            decode_fail(d, one, "is nobody who is to be notified");
        const char *place = cJSON_IsString(one) ? strstr(text, one->valuestring) : NULL;
        while (place && (place == text || place[-1] != '@'))
            place = strstr(place + 1, one->valuestring);
        if (!place)
            decode_fail(d, one, "has no @ in the text, so nobody is told");
    }
}

static void mentions(struct decoding *d, const cJSON *message) {
    const cJSON *at = decode_may(d, d->root, "at", cJSON_Object);
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(message, "text");
    const char *shown = cJSON_IsString(text) ? text->valuestring : "";
    decode_keys(d, at, "atMobiles atUserIds isAtAll");
    ids(d, at, "atMobiles", shown);
    ids(d, at, "atUserIds", shown);
    const cJSON *all = decode_may(d, at, "isAtAll", cJSON_True);
    if (cJSON_IsTrue(all) != d->expect->everyone)
        decode_fail(d, all ? all : d->root, "%s",
                    d->expect->everyone ? "does not notify everyone" : "notifies everyone");
    if (cJSON_IsTrue(all) && !strstr(shown, "@all") && !strstr(shown, "@everyone") &&
        !strstr(shown, "@所有人"))
        decode_fail(d, all, "has no @all in the text");
    decode_all_seen(d);
}

static void target(struct decoding *d, const cJSON *url) {
    size_t scheme = sizeof(in_browser) - 1;
    if (!url || !decode_starts(url->valuestring, in_browser)) {
        decode_link(d, url);
        return;
    }
    const char *page = url->valuestring + scheme;
    const char *expected = d->expect->link;
    if (!expected || !decode_same_url(page, strcspn(page, "&"), expected))
        decode_fail(d, url, "is '%s', which is not the event's link", url->valuestring);
    d->link_seen = true;
}

static void action_card(struct decoding *d) {
    const cJSON *card = decode_need(d, d->root, "actionCard", cJSON_Object);
    decode_keys(d, d->root, "msgtype actionCard msgUuid");
    decode_keys(d, card, "title text btnOrientation singleTitle singleURL");
    texts(d, card);
    if (decode_may(d, card, "btnOrientation", cJSON_String))
        decode_one_of(d, card, "btnOrientation", "0 1");
    const cJSON *button = decode_need(d, card, "singleTitle", cJSON_String);
    decode_one_line(d, button);
    decode_plain(d, button);
    target(d, decode_need(d, card, "singleURL", cJSON_String));
}

static void markdown_message(struct decoding *d) {
    const cJSON *message = decode_need(d, d->root, "markdown", cJSON_Object);
    decode_keys(d, d->root, "msgtype markdown at msgUuid");
    decode_keys(d, message, "title text");
    texts(d, message);
    mentions(d, message);
}

void decode_dingtalk(struct decoding *d) {
    decode_body_limit(d, BODY_BYTES);
    const cJSON *type = decode_need(d, d->root, "msgtype", cJSON_String);
    decode_one_of(d, d->root, "msgtype", "markdown actionCard");
    decode_filled(d, decode_may(d, d->root, "msgUuid", cJSON_String));
    if (type && strcmp(type->valuestring, "actionCard") == 0)
        action_card(d);
    else
        markdown_message(d);
}
