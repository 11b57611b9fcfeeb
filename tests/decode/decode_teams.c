/* Teams: an Adaptive Card that Workflows and the old connectors take. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "decode/decode_markup.h"

enum { BODY_BYTES = 16384 };

/* "<at>Ann</at>" for which the card has an entity. */
static size_t at_tag(struct decode_scan *scan) {
    const cJSON *entity;
    cJSON_ArrayForEach(entity, scan->d->entities) {
        const cJSON *text = cJSON_GetObjectItemCaseSensitive(entity, "text");
        if (cJSON_IsString(text) && *text->valuestring &&
            decode_starts(scan->at, text->valuestring)) {
            size_t length = strlen(text->valuestring);
            decode_say(scan->d, text->valuestring + 4, length > 9 ? length - 9 : 0);
            return length;
        }
    }
    decode_live(scan, "<at> without an entity");
    return 0;
}

static size_t token(struct decode_scan *scan) {
    const char *at = scan->at;
    if (decode_starts(at, "{{"))
        decode_live(scan, "a function '{{'");
    if (*at != '<')
        return 0;
    if (strncasecmp(at, "<at", 3) == 0)
        return at_tag(scan);
    if (isalpha((unsigned char)at[1]) || (at[1] && strchr("/!?", at[1])))
        decode_live(scan, "a tag");
    return 0;
}

static const struct decode_dialect markdown = {
    .bare = "*[]~`",
    .inner = "_",
    .bold = "**",
    .backslash = true,
    .links = true,
    .line = DECODE_HEADING | DECODE_QUOTE | DECODE_LIST | DECODE_ORDERED,
    .token = token,
};

static void text_block(struct decoding *d, const cJSON *block) {
    decode_keys(d, block,
                "type id text wrap weight size color isSubtle spacing separator maxLines style "
                "horizontalAlignment");
    const cJSON *wrap = decode_need(d, block, "wrap", cJSON_True);
    if (wrap && !cJSON_IsTrue(wrap))
        decode_fail(d, wrap, "is false: the text is cut at one line");
    decode_markup(d, decode_need(d, block, "text", cJSON_String), &markdown);
}

static void fact_set(struct decoding *d, const cJSON *set) {
    decode_keys(d, set, "type id facts spacing separator");
    const cJSON *facts = decode_need(d, set, "facts", cJSON_Array);
    const cJSON *fact;
    decode_items(d, facts, 1, 100);
    cJSON_ArrayForEach(fact, facts) {
        decode_keys(d, fact, "title value");
        decode_markup(d, decode_need(d, fact, "title", cJSON_String), &markdown);
        decode_markup(d, decode_need(d, fact, "value", cJSON_String), &markdown);
    }
}

/* Text without Markdown; a function would still act. */
static void text_run(struct decoding *d, const cJSON *run) {
    decode_keys(d, run, "type text weight size color isSubtle italic strikethrough highlight");
    decode_one_of(d, run, "type", "TextRun");
    const cJSON *text = decode_need(d, run, "text", cJSON_String);
    decode_plain(d, text);
    if (text && strstr(text->valuestring, "{{"))
        decode_fail(d, text, "has a function '{{'");
}

static void rich_text(struct decoding *d, const cJSON *block) {
    decode_keys(d, block, "type id inlines spacing separator horizontalAlignment");
    const cJSON *inlines = decode_need(d, block, "inlines", cJSON_Array);
    const cJSON *run;
    decode_items(d, inlines, 1, 100);
    cJSON_ArrayForEach(run, inlines) text_run(d, run);
}

static void elements(struct decoding *d, const cJSON *list);

static void container(struct decoding *d, const cJSON *box) {
    decode_keys(d, box, "type id style bleed items spacing separator");
    if (decode_may(d, box, "style", cJSON_String))
        decode_one_of(d, box, "style", "default emphasis good attention warning accent");
    decode_may(d, box, "bleed", cJSON_True);
    elements(d, decode_need(d, box, "items", cJSON_Array));
}

static void element(struct decoding *d, const cJSON *one) {
    static const struct {
        const char *type;
        void (*check)(struct decoding *d, const cJSON *one);
    } kinds[] = {{"TextBlock", text_block},
                 {"FactSet", fact_set},
                 {"RichTextBlock", rich_text},
                 {"Container", container}};
    const cJSON *type = decode_need(d, one, "type", cJSON_String);
    for (size_t i = 0; type && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(type->valuestring, kinds[i].type) == 0) {
            kinds[i].check(d, one);
            return;
        }
    }
    if (type)
        decode_fail(d, type, "is '%s', no known element", type->valuestring);
}

static void elements(struct decoding *d, const cJSON *list) {
    const cJSON *one;
    decode_items(d, list, 1, 100);
    cJSON_ArrayForEach(one, list) element(d, one);
}

static bool is_at_text(const char *text) {
    size_t length = strlen(text);
    return length > 9 && decode_starts(text, "<at>") && strcmp(text + length - 5, "</at>") == 0 &&
           strcspn(text + 4, "<>{\n") == length - 9;
}

static void entity(struct decoding *d, const cJSON *one) {
    decode_keys(d, one, "type text mentioned");
    decode_one_of(d, one, "type", "mention");
    const cJSON *text = decode_need(d, one, "text", cJSON_String);
    const cJSON *who = decode_need(d, one, "mentioned", cJSON_Object);
    decode_keys(d, who, "id name");
    const cJSON *id = decode_need(d, who, "id", cJSON_String);
    decode_filled(d, decode_need(d, who, "name", cJSON_String));
    if (text && !is_at_text(text->valuestring))
        decode_fail(d, text, "is not <at>name</at>");
    if (id && !decode_mention(d, id->valuestring, strlen(id->valuestring)))
        decode_fail(d, id, "is '%s', nobody who is to be notified", id->valuestring);
}

/* Whether a text anywhere below holds the words. */
static bool holds(const cJSON *node, const char *words) {
    if (cJSON_IsString(node))
        return strstr(node->valuestring, words) != NULL;
    const cJSON *child;
    cJSON_ArrayForEach(child, node) {
        if (holds(child, words))
            return true;
    }
    return false;
}

static void mentions(struct decoding *d, const cJSON *card) {
    const cJSON *msteams = decode_may(d, card, "msteams", cJSON_Object);
    decode_keys(d, msteams, "width entities");
    if (decode_may(d, msteams, "width", cJSON_String))
        decode_one_of(d, msteams, "width", "Full");
    d->entities = decode_may(d, msteams, "entities", cJSON_Array);
    const cJSON *body = cJSON_GetObjectItemCaseSensitive(card, "body"), *one;
    cJSON_ArrayForEach(one, d->entities) {
        entity(d, one);
        const cJSON *text = cJSON_GetObjectItemCaseSensitive(one, "text");
        if (cJSON_IsString(text) && !holds(body, text->valuestring))
            decode_fail(d, text, "stands in no text of the card");
    }
}

static void action(struct decoding *d, const cJSON *one) {
    decode_keys(d, one, "type id title url style tooltip");
    decode_one_of(d, one, "type", "Action.OpenUrl");
    decode_plain(d, decode_need(d, one, "title", cJSON_String));
    decode_link(d, decode_need(d, one, "url", cJSON_String));
}

static void card(struct decoding *d, const cJSON *content) {
    decode_keys(d, content, "type $schema version msteams body actions fallbackText lang");
    decode_one_of(d, content, "type", "AdaptiveCard");
    decode_one_of(d, content, "version", "1.0 1.1 1.2 1.3 1.4");
    mentions(d, content);
    elements(d, decode_need(d, content, "body", cJSON_Array));
    const cJSON *actions = decode_may(d, content, "actions", cJSON_Array);
    const cJSON *one;
    decode_items(d, actions, 1, 6);
    cJSON_ArrayForEach(one, actions) action(d, one);
}

static void attachment(struct decoding *d, const cJSON *one) {
    decode_keys(d, one, "contentType contentUrl content");
    decode_one_of(d, one, "contentType", "application/vnd.microsoft.card.adaptive");
    decode_may(d, one, "contentUrl", cJSON_NULL);
    card(d, decode_need(d, one, "content", cJSON_Object));
}

void decode_teams(struct decoding *d) {
    decode_body_limit(d, BODY_BYTES);
    decode_keys(d, d->root, "type summary attachments");
    decode_one_of(d, d->root, "type", "message");
    const cJSON *summary = decode_need(d, d->root, "summary", cJSON_String);
    decode_one_line(d, summary);
    decode_plain(d, summary);
    const cJSON *attachments = decode_need(d, d->root, "attachments", cJSON_Array);
    decode_items(d, attachments, 1, 1);
    attachment(d, cJSON_GetArrayItem(attachments, 0));
    decode_all_seen(d);
}
