/* Feishu and Lark: an interactive card, JSON 1.0. */
#include <string.h>

#include "decode/decode_markup.h"

/* Signed or not: what is added when signing is part of the limit. */
enum { BODY_BYTES = 19000 };

/* "<at id=ou_1></at>" */
static size_t at_tag(struct decode_scan *scan) {
    const char *id = scan->at + 7;
    if (!decode_starts(scan->at, "<at id="))
        return 0;
    size_t length = strcspn(id, "> ");
    if (!decode_starts(id + length, "></at>"))
        return 0;
    if (length == 3 && decode_starts(id, "all") && scan->d->expect->everyone)
        scan->d->everyone_seen = true;
    else if (!decode_mention(scan->d, id, length))
        decode_live(scan, "a mention that is not asked for");
    return 7 + length + 6;
}

static size_t token(struct decode_scan *scan) {
    static const char *const fonts[] = {"<font color='green'>", "<font color='red'>",
                                        "<font color='grey'>", "</font>"};
    for (size_t i = 0; i < sizeof(fonts) / sizeof(fonts[0]); i++) {
        if (decode_starts(scan->at, fonts[i]))
            return strlen(fonts[i]);
    }
    size_t named = *scan->at == '&' ? strspn(scan->at + 1, "abcdefghijklmnopqrstuvwxyz") : 0;
    if (named && scan->at[named + 1] == ';' && !decode_starts(scan->at, "&sim;"))
        decode_live(scan, "an entity that is not ours");
    return at_tag(scan);
}

static size_t entity(const char *at, char *plain) {
    if (decode_starts(at, "&sim;")) {
        *plain = '~';
        return 5;
    }
    return decode_starts(at, "&#") ? decode_html_entity(at, plain) : 0;
}

/* The documented table of special characters, each of which has an entity. */
static const struct decode_dialect lark_md = {
    .bare = "<>*_~-![]()#:+\"'`$/\\",
    .bold = "**",
    .links = true,
    .line = DECODE_ORDERED,
    .token = token,
    .entity = entity,
};

/* Entities are not read here and would be shown. One that a user wrote may stand:
 * text that was escaped has no special character left but in entities. */
static bool is_escaped(const char *text) {
    bool escaped = false;
    while (*text) {
        char plain;
        size_t length = entity(text, &plain);
        if (!length && (*text == '&' || strchr(lark_md.bare, *text)))
            return false;
        escaped = escaped || length;
        text += length ? length : 1;
    }
    return escaped;
}

static void plain_text(struct decoding *d, const cJSON *text) {
    decode_plain(d, text);
    if (text && is_escaped(text->valuestring))
        decode_fail(d, text, "shows an entity as it is");
}

static void text_object(struct decoding *d, const cJSON *object, const char *tags) {
    decode_keys(d, object, "tag content");
    decode_one_of(d, object, "tag", tags);
    const cJSON *tag = cJSON_GetObjectItemCaseSensitive(object, "tag");
    const cJSON *content = decode_need(d, object, "content", cJSON_String);
    if (cJSON_IsString(tag) && strcmp(tag->valuestring, "plain_text") == 0)
        plain_text(d, content);
    else
        decode_markup(d, content, &lark_md);
}

static void field(struct decoding *d, const cJSON *one) {
    decode_keys(d, one, "is_short text");
    decode_need(d, one, "is_short", cJSON_True);
    text_object(d, decode_need(d, one, "text", cJSON_Object), "lark_md plain_text");
}

static void div(struct decoding *d, const cJSON *one) {
    decode_keys(d, one, "tag text fields");
    const cJSON *text = decode_may(d, one, "text", cJSON_Object);
    const cJSON *fields = decode_may(d, one, "fields", cJSON_Array);
    const cJSON *item;
    if (!text && !fields)
        decode_fail(d, one, "has neither text nor fields");
    if (text)
        text_object(d, text, "lark_md plain_text");
    decode_items(d, fields, 1, 100);
    cJSON_ArrayForEach(item, fields) field(d, item);
}

static void markdown(struct decoding *d, const cJSON *one) {
    decode_keys(d, one, "tag content text_align");
    decode_markup(d, decode_need(d, one, "content", cJSON_String), &lark_md);
}

static void hr(struct decoding *d, const cJSON *one) {
    decode_keys(d, one, "tag");
}

static void button(struct decoding *d, const cJSON *one) {
    decode_keys(d, one, "tag type text url");
    decode_one_of(d, one, "tag", "button");
    if (decode_may(d, one, "type", cJSON_String))
        decode_one_of(d, one, "type", "default primary danger");
    text_object(d, decode_need(d, one, "text", cJSON_Object), "plain_text");
    decode_link(d, decode_need(d, one, "url", cJSON_String));
}

static void action(struct decoding *d, const cJSON *one) {
    decode_keys(d, one, "tag actions layout");
    const cJSON *actions = decode_need(d, one, "actions", cJSON_Array);
    const cJSON *item;
    decode_items(d, actions, 1, 20);
    cJSON_ArrayForEach(item, actions) button(d, item);
}

static void note(struct decoding *d, const cJSON *one) {
    decode_keys(d, one, "tag elements");
    const cJSON *elements = decode_need(d, one, "elements", cJSON_Array);
    const cJSON *item;
    decode_items(d, elements, 1, 20);
    cJSON_ArrayForEach(item, elements) text_object(d, item, "plain_text lark_md");
}

static void element(struct decoding *d, const cJSON *one) {
    static const struct {
        const char *tag;
        void (*check)(struct decoding *d, const cJSON *one);
    } kinds[] = {
        {"div", div}, {"markdown", markdown}, {"hr", hr}, {"action", action}, {"note", note}};
    const cJSON *tag = decode_need(d, one, "tag", cJSON_String);
    for (size_t i = 0; tag && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(tag->valuestring, kinds[i].tag) == 0) {
            kinds[i].check(d, one);
            return;
        }
    }
    if (tag)
        decode_fail(d, tag, "is '%s', no known element", tag->valuestring);
}

static void header(struct decoding *d, const cJSON *one) {
    decode_keys(d, one, "template title");
    decode_one_of(
        d, one, "template",
        "blue wathet turquoise green yellow orange red carmine violet purple indigo grey");
    const cJSON *title = decode_need(d, one, "title", cJSON_Object);
    text_object(d, title, "plain_text");
    decode_one_line(d, decode_may(d, title, "content", cJSON_String));
}

static void config(struct decoding *d, const cJSON *one) {
    const cJSON *flag;
    decode_keys(d, one, "wide_screen_mode enable_forward update_multi");
    cJSON_ArrayForEach(flag, one) {
        if (!cJSON_IsBool(flag))
            decode_fail(d, flag, "is not a boolean");
    }
}

static void signature(struct decoding *d) {
    const cJSON *time = decode_may(d, d->root, "timestamp", cJSON_String);
    const cJSON *sign = decode_may(d, d->root, "sign", cJSON_String);
    if (!time != !sign)
        decode_fail(d, NULL, "has one of timestamp and sign");
    if (time && (!*time->valuestring || strlen(time->valuestring) > 11 ||
                 time->valuestring[strspn(time->valuestring, "0123456789")]))
        decode_fail(d, time, "is no time in seconds");
    const char *base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (sign && (strlen(sign->valuestring) != 44 || strspn(sign->valuestring, base64) != 43 ||
                 sign->valuestring[43] != '='))
        decode_fail(d, sign, "is no HMAC-SHA256 in base64");
}

void decode_feishu(struct decoding *d) {
    decode_body_limit(d, BODY_BYTES);
    decode_keys(d, d->root, "timestamp sign msg_type card");
    decode_one_of(d, d->root, "msg_type", "interactive");
    signature(d);
    const cJSON *card = decode_need(d, d->root, "card", cJSON_Object);
    decode_keys(d, card, "config header elements");
    config(d, decode_may(d, card, "config", cJSON_Object));
    header(d, decode_need(d, card, "header", cJSON_Object));
    const cJSON *elements = decode_need(d, card, "elements", cJSON_Array), *one;
    decode_items(d, elements, 1, 50);
    cJSON_ArrayForEach(one, elements) element(d, one);
    decode_all_seen(d);
    if (d->expect->everyone && !d->everyone_seen)
        decode_fail(d, NULL, "does not notify everyone");
}
