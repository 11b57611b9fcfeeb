/* Slack: mrkdwn and the blocks that an incoming webhook takes. */
#include <string.h>

#include "decode/decode_markup.h"

/* More than 4,000 is only advised against; what is beyond 40,000 is cut off. */
enum { TEXT_LIMIT = 40000, BLOCKS_TOTAL = 12000, URL_LIMIT = 3000 };

/* The link with the entities that mrkdwn wants inside < >. */
static bool is_our_link(const struct decode_scan *scan, const char *url, size_t length) {
    char plain[URL_LIMIT + 1];
    size_t size = 0;
    for (size_t i = 0; i < length && size < URL_LIMIT; size++) {
        char byte = url[i];
        size_t entity = decode_html_entity(url + i, &byte);
        if (url[i] == '&' && !entity)
            return false;
        plain[size] = byte;
        i += entity ? entity : 1;
    }
    return scan->d->expect->link && decode_same_url(plain, size, scan->d->expect->link);
}

/* "<url|label>": the label is scanned like any text, up to its ">". */
static size_t link(struct decode_scan *scan, const char *body, const char *end) {
    size_t url = strcspn(body, "|>");
    if (!is_our_link(scan, body, url))
        decode_live(scan, "a link that is not ours");
    scan->d->link_seen = true;
    if (body + url >= end)
        return (size_t)(end + 1 - scan->at);
    scan->link_end = end;
    scan->link_end_length = 1;
    return url + 2;
}

static void mention(struct decode_scan *scan, const char *id) {
    if (!decode_mention(scan->d, id, strcspn(id, "|>")))
        decode_live(scan, "a mention that is not asked for");
}

static void everyone(struct decode_scan *scan) {
    scan->d->everyone_seen = true;
    if (!scan->d->expect->everyone)
        decode_live(scan, "a mention of everyone");
}

/* "<!date^1700000000^{date_short}|fallback>" shows a time and cannot forge more. */
static bool is_date(const char *body, const char *end) {
    if (!decode_starts(body, "!date^"))
        return false;
    const char *format = body + 6 + strspn(body + 6, "0123456789");
    const char *bar = memchr(body, '|', (size_t)(end - body));
    return *format == '^' && bar && !memchr(format + 1, '^', (size_t)(bar - format - 1));
}

/* "<...>" */
static size_t control(struct decode_scan *scan) {
    const char *body = scan->at + 1, *end = strpbrk(body, "<>\n");
    if (!end || *end != '>') {
        decode_live(scan, "a raw '<'");
        return 1;
    }
    if (decode_starts(body, "@"))
        mention(scan, body + 1);
    else if (decode_starts(body, "!subteam^"))
        mention(scan, body + 9);
    else if (decode_starts(body, "!channel") || decode_starts(body, "!here") ||
             decode_starts(body, "!everyone"))
        everyone(scan);
    else if (*body == '#' || (*body == '!' && !is_date(body, end)))
        decode_live(scan, "a channel or command");
    else if (*body != '!')
        return link(scan, body, end);
    return (size_t)(end + 1 - scan->at);
}

/* jsx-slack (src/mrkdwn/escape.ts) found that the fullwidth twins act as well. */
static size_t fullwidth(struct decode_scan *scan) {
    static const char *const twins[] = {"＊", "＿", "｀"};
    for (size_t i = 0; i < sizeof(twins) / sizeof(twins[0]); i++)
        if (decode_starts(scan->at, twins[i]))
            decode_live(scan, "a fullwidth mark");
    bool line = scan->at == scan->text || scan->at[-1] == '\n';
    if (line && decode_starts(scan->at, "＞"))
        decode_live(scan, "a quote");
    return 0;
}

static size_t token(struct decode_scan *scan) {
    return *scan->at == '<' ? control(scan) : fullwidth(scan);
}

static size_t entity(const char *at, char *plain) {
    bool known =
        decode_starts(at, "&amp;") || decode_starts(at, "&lt;") || decode_starts(at, "&gt;");
    return known ? decode_html_entity(at, plain) : 0;
}

static const struct decode_dialect mrkdwn = {
    .bare = ">&`*~",
    .inner = "_",
    .bold = "*",
    .emoji = true,
    .line = DECODE_QUOTE_ENTITY,
    .token = token,
    .entity = entity,
};

/* Shown where blocks cannot be, with or without its entities read; control
 * sequences might be. */
static void fallback(struct decoding *d, const cJSON *text) {
    static const char *const controls[] = {"<!", "<@", "<#", "<http", "<mailto"};
    decode_filled(d, text);
    decode_one_line(d, text);
    for (size_t i = 0; text && i < sizeof(controls) / sizeof(controls[0]); i++) {
        if (strstr(text->valuestring, controls[i]))
            decode_fail(d, text, "has a live '%s'", controls[i]);
    }
}

/* A text object of a block. */
static void text_object(struct decoding *d, const cJSON *object, size_t most, bool plain_only) {
    decode_keys(d, object, "type text verbatim emoji");
    const cJSON *text = decode_need(d, object, "text", cJSON_String);
    decode_one_of(d, object, "type", plain_only ? "plain_text" : "mrkdwn plain_text");
    decode_limit(d, text, DECODE_UTF16, most);
    d->units += text ? decode_utf16(text->valuestring) : 0;
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(object, "type");
    bool plain =
        plain_only || (cJSON_IsString(type) && strcmp(type->valuestring, "plain_text") == 0);
    const cJSON *flag = decode_need(d, object, plain ? "emoji" : "verbatim", cJSON_True);
    if (flag && cJSON_IsTrue(flag) == plain)
        decode_fail(d, flag, "is %s",
                    plain ? "true: names become pictures"
                          : "false: URLs and channels become links");
    if (plain)
        decode_plain(d, text);
    else
        decode_markup(d, text, &mrkdwn);
}

static void section(struct decoding *d, const cJSON *block) {
    const cJSON *text = decode_may(d, block, "text", cJSON_Object);
    const cJSON *fields = decode_may(d, block, "fields", cJSON_Array);
    const cJSON *field;
    decode_keys(d, block, "type block_id text fields");
    if (!text && !fields)
        decode_fail(d, block, "has neither text nor fields");
    if (text)
        text_object(d, text, 3000, false);
    decode_items(d, fields, 1, 10);
    cJSON_ArrayForEach(field, fields) text_object(d, field, 2000, false);
}

static void context(struct decoding *d, const cJSON *block) {
    const cJSON *elements = decode_need(d, block, "elements", cJSON_Array);
    const cJSON *element;
    decode_keys(d, block, "type block_id elements");
    decode_items(d, elements, 1, 10);
    cJSON_ArrayForEach(element, elements) text_object(d, element, 3000, false);
}

static void button(struct decoding *d, const cJSON *element) {
    decode_keys(d, element, "type text url action_id value style");
    decode_one_of(d, element, "type", "button");
    text_object(d, decode_need(d, element, "text", cJSON_Object), 75, true);
    const cJSON *url = decode_need(d, element, "url", cJSON_String);
    decode_limit(d, url, DECODE_UTF16, URL_LIMIT);
    decode_link(d, url);
    decode_limit(d, decode_may(d, element, "action_id", cJSON_String), DECODE_UTF16, 255);
    decode_limit(d, decode_may(d, element, "value", cJSON_String), DECODE_UTF16, 2000);
    if (decode_may(d, element, "style", cJSON_String))
        decode_one_of(d, element, "style", "primary danger");
}

static void actions(struct decoding *d, const cJSON *block) {
    const cJSON *elements = decode_need(d, block, "elements", cJSON_Array);
    const cJSON *element;
    decode_keys(d, block, "type block_id elements");
    decode_items(d, elements, 1, 25);
    cJSON_ArrayForEach(element, elements) button(d, element);
}

static void header(struct decoding *d, const cJSON *block) {
    decode_keys(d, block, "type block_id text");
    text_object(d, decode_need(d, block, "text", cJSON_Object), 150, true);
}

static void divider(struct decoding *d, const cJSON *block) {
    decode_keys(d, block, "type block_id");
}

static void one_block(struct decoding *d, const cJSON *block) {
    static const struct {
        const char *type;
        void (*check)(struct decoding *d, const cJSON *block);
    } kinds[] = {{"section", section},
                 {"context", context},
                 {"actions", actions},
                 {"header", header},
                 {"divider", divider}};
    const cJSON *type = decode_need(d, block, "type", cJSON_String);
    decode_limit(d, decode_may(d, block, "block_id", cJSON_String), DECODE_UTF16, 255);
    for (size_t i = 0; type && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(type->valuestring, kinds[i].type) == 0) {
            kinds[i].check(d, block);
            return;
        }
    }
    if (type)
        decode_fail(d, type, "is '%s', no known block", type->valuestring);
}

static void blocks(struct decoding *d, const cJSON *list) {
    const cJSON *block;
    decode_items(d, list, 1, 50);
    cJSON_ArrayForEach(block, list) one_block(d, block);
    if (d->units > BLOCKS_TOTAL)
        decode_fail(d, list, "has %zu UTF-16 units in all, limit %d", d->units, BLOCKS_TOTAL);
}

static bool is_colour(const char *text) {
    if (*text != '#')
        return decode_listed("good warning danger", text);
    return strlen(text) == 7 && strspn(text + 1, "0123456789abcdefABCDEF") == 6;
}

static void attachment(struct decoding *d, const cJSON *one) {
    decode_keys(d, one, "color fallback blocks");
    const cJSON *color = decode_need(d, one, "color", cJSON_String);
    if (color && !is_colour(color->valuestring))
        decode_fail(d, color, "is '%s', no colour", color->valuestring);
    fallback(d, decode_need(d, one, "fallback", cJSON_String));
    blocks(d, decode_need(d, one, "blocks", cJSON_Array));
}

static void off(struct decoding *d, const char *key) {
    const cJSON *flag = decode_need(d, d->root, key, cJSON_True);
    if (cJSON_IsTrue(flag))
        decode_fail(d, flag, "is true");
}

void decode_slack(struct decoding *d) {
    decode_keys(d, d->root, "text attachments blocks unfurl_links unfurl_media");
    const cJSON *text = decode_need(d, d->root, "text", cJSON_String);
    decode_limit(d, text, DECODE_UTF16, TEXT_LIMIT);
    decode_titled(d, text, &mrkdwn);
    off(d, "unfurl_links");
    off(d, "unfurl_media");
    const cJSON *attachments = decode_may(d, d->root, "attachments", cJSON_Array);
    const cJSON *own_blocks = decode_may(d, d->root, "blocks", cJSON_Array);
    const cJSON *one;
    decode_items(d, attachments, 1, 20);
    cJSON_ArrayForEach(one, attachments) attachment(d, one);
    if (own_blocks)
        blocks(d, own_blocks);
    decode_all_seen(d);
    if (d->expect->everyone && !d->everyone_seen)
        decode_fail(d, NULL, "does not notify everyone");
}
