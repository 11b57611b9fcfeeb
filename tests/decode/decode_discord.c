/* Discord: embeds and its Markdown; who may be pinged. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "decode/decode_markup.h"

enum { EMBEDS_TOTAL = 6000, DESCRIPTION_BYTES = 9000 };

/* Our link in angle brackets, where an embed cannot have it. */
static bool is_our_link(const struct decode_scan *scan, const char *end) {
    const char *expected = scan->d->expect->link, *url = scan->at + 1;
    return expected && strncasecmp(url, "http", 4) == 0 &&
           decode_same_url(url, (size_t)(end - url), expected);
}

/* "<@1>", "<#1>", "<:name:1>", "<t:1>", "</cmd:1>", "<id:..>", "<https://..>" */
static size_t angle(struct decode_scan *scan) {
    static const char *const live[] = {"<@", "<#", "<:", "<a:", "<t:", "</", "<id:", "<http"};
    const char *id = scan->at + 2, *end = strchr(scan->at, '>');
    if (end && is_our_link(scan, end)) {
        scan->d->link_seen = true;
        return (size_t)(end + 1 - scan->at);
    }
    if (end && decode_starts(scan->at, "<@") && decode_mention(scan->d, id, (size_t)(end - id)))
        return (size_t)(end + 1 - scan->at);
    for (size_t i = 0; i < sizeof(live) / sizeof(live[0]); i++) {
        if (decode_starts(scan->at, live[i]))
            decode_live(scan, "a mention or token that is not asked for");
    }
    return 0;
}

static size_t token(struct decode_scan *scan) {
    if (*scan->at == '<')
        return angle(scan);
    bool everyone = decode_starts(scan->at, "@everyone");
    if (!everyone && !decode_starts(scan->at, "@here"))
        return 0;
    scan->d->everyone_seen = true;
    if (!scan->d->expect->everyone)
        decode_live(scan, "a mention of everyone");
    return 0;
}

static const struct decode_dialect markdown = {
    .bare = "*`",
    .inner = "_",
    .doubled = "~|",
    .backslash = true,
    .emoji = true,
    .links = true,
    .line = DECODE_HEADING | DECODE_QUOTE_BLANK | DECODE_LIST | DECODE_ORDERED | DECODE_SUBTEXT,
    .token = token,
};

/* Backslashes are shown in a title; a masked link is not one there. */
static const struct decode_dialect title_text = {
    .bare = "*`",
    .inner = "_",
    .doubled = "~|",
    .emoji = true,
    .links = true,
    .token = token,
};

/* A text of an embed: its limit, and its share of the limit for all. */
static const cJSON *counted(struct decoding *d, const cJSON *object, const char *key, bool needed,
                            size_t most) {
    const cJSON *text = needed ? decode_need(d, object, key, cJSON_String)
                               : decode_may(d, object, key, cJSON_String);
    decode_limit(d, text, DECODE_UTF16, most);
    d->units += text ? decode_utf16(text->valuestring) : 0;
    return text;
}

static void field(struct decoding *d, const cJSON *one) {
    decode_keys(d, one, "name value inline");
    const cJSON *name = counted(d, one, "name", true, 256);
    decode_one_line(d, name);
    decode_markup(d, name, &markdown);
    decode_markup(d, counted(d, one, "value", true, 1024), &markdown);
    decode_may(d, one, "inline", cJSON_True);
}

/* "2026-01-02T03:04:05.000Z" */
static bool is_time(const char *text) {
    int year, month, day, hour, minute, second, used = 0;
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &year, &month, &day, &hour, &minute, &second,
               &used) != 6 ||
        used != 19)
        return false;
    const char *rest = text + used;
    if (*rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    bool zone = strcmp(rest, "Z") == 0 || strcmp(rest, "+00:00") == 0;
    return zone && month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour <= 23 &&
           minute <= 59 && second <= 60;
}

/* "author" and "footer": shown as they are. */
static void plain_part(struct decoding *d, const cJSON *embed, const char *part, const char *key,
                       size_t most) {
    const cJSON *object = decode_may(d, embed, part, cJSON_Object);
    if (!object)
        return;
    decode_keys(d, object, key);
    decode_plain(d, counted(d, object, key, true, most));
}

static void embed_texts(struct decoding *d, const cJSON *embed) {
    const cJSON *title = counted(d, embed, "title", true, 256);
    decode_one_line(d, title);
    decode_markup(d, title, &title_text);
    const cJSON *text = decode_may(d, embed, "description", cJSON_String);
    decode_limit(d, text, DECODE_CODEPOINTS, 4096);
    decode_limit(d, text, DECODE_BYTES, DESCRIPTION_BYTES);
    d->units += text ? decode_utf16(text->valuestring) : 0;
    decode_markup(d, text, &markdown);
    const cJSON *fields = decode_may(d, embed, "fields", cJSON_Array);
    const cJSON *one;
    decode_items(d, fields, 1, 25);
    cJSON_ArrayForEach(one, fields) field(d, one);
    plain_part(d, embed, "footer", "text", 2048);
    plain_part(d, embed, "author", "name", 256);
}

static void embed(struct decoding *d, const cJSON *one) {
    decode_keys(d, one, "title url description color timestamp fields footer author");
    embed_texts(d, one);
    decode_link(d, decode_may(d, one, "url", cJSON_String));
    const cJSON *color = decode_need(d, one, "color", cJSON_Number);
    if (color && (color->valuedouble < 0 || color->valuedouble > 0xFFFFFF))
        decode_fail(d, color, "is no colour");
    const cJSON *time = decode_may(d, one, "timestamp", cJSON_String);
    if (time && !is_time(time->valuestring))
        decode_fail(d, time, "is '%s', no ISO 8601 time", time->valuestring);
}

static void allowed_mentions(struct decoding *d) {
    const cJSON *allowed = decode_need(d, d->root, "allowed_mentions", cJSON_Object);
    const cJSON *parse = decode_need(d, allowed, "parse", cJSON_Array);
    const cJSON *users = decode_may(d, allowed, "users", cJSON_Array);
    const cJSON *one;
    bool everyone = false;
    decode_keys(d, allowed, "parse users");
    cJSON_ArrayForEach(one, parse) {
        everyone = cJSON_IsString(one) && strcmp(one->valuestring, "everyone") == 0;
        if (!everyone || !d->expect->everyone)
            decode_fail(d, one, "lets somebody be pinged who is not asked for");
    }
    if (parse && d->expect->everyone && !everyone)
        decode_fail(d, parse, "does not let everyone be pinged");
    decode_items(d, users, 0, DECODE_MENTIONS);
    cJSON_ArrayForEach(one, users) {
        if (!cJSON_IsString(one) || !decode_mention(d, one->valuestring, strlen(one->valuestring)))
            decode_fail(d, one, "is nobody who is to be pinged");
    }
}

/* Only `content` can ping, and only whom both it and the list name. */
static void pings(struct decoding *d, const cJSON *content) {
    const char *text = content ? content->valuestring : "";
    char token[64];
    for (size_t i = 0; i < d->expect->mention_count; i++) {
        snprintf(token, sizeof(token), "<@%s>", d->expect->mentions[i]);
        if (!d->mention_seen[i] || !strstr(text, token))
            decode_fail(d, NULL, "does not ping '%s'", d->expect->mentions[i]);
    }
    if (d->expect->everyone && !strstr(text, "@everyone"))
        decode_fail(d, NULL, "does not ping everyone");
}

/* The rules for names of webhooks; the name may replace the webhook's own. */
static void username(struct decoding *d) {
    const cJSON *name = decode_may(d, d->root, "username", cJSON_String);
    if (!name)
        return;
    decode_limit(d, name, DECODE_UTF16, 80);
    decode_filled(d, name);
    bool bad = strpbrk(name->valuestring, "@#:") || strstr(name->valuestring, "```") ||
               decode_listed("everyone here", name->valuestring);
    for (const char *at = name->valuestring; *at; at++)
        bad = bad || strncasecmp(at, "discord", 7) == 0 || strncasecmp(at, "clyde", 5) == 0;
    if (bad)
        decode_fail(d, name, "is a name that is not allowed");
}

void decode_discord(struct decoding *d) {
    decode_keys(d, d->root, "content username allowed_mentions embeds");
    const cJSON *content = decode_may(d, d->root, "content", cJSON_String);
    decode_limit(d, content, DECODE_UTF16, 2000);
    if (content && *content->valuestring)
        decode_markup(d, content, &markdown);
    memset(d->mention_seen, 0, sizeof(d->mention_seen));
    username(d);
    allowed_mentions(d);
    pings(d, content);
    const cJSON *embeds = decode_need(d, d->root, "embeds", cJSON_Array);
    const cJSON *one;
    decode_items(d, embeds, 1, 10);
    cJSON_ArrayForEach(one, embeds) embed(d, one);
    if (d->units > EMBEDS_TOTAL)
        decode_fail(d, embeds, "has %zu UTF-16 units in all, limit %d", d->units, EMBEDS_TOTAL);
    decode_link_seen(d);
}
