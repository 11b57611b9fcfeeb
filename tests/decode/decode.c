#include "decode/decode.h"

#include <stdlib.h>
#include <string.h>

#include "decode/decode_inside.h"

static const struct product {
    const char *name;
    void (*check)(struct decoding *d);
} products[] = {
    [BB_SLACK] = {"slack", decode_slack},    [BB_DISCORD] = {"discord", decode_discord},
    [BB_TEAMS] = {"teams", decode_teams},    [BB_DINGTALK] = {"dingtalk", decode_dingtalk},
    [BB_FEISHU] = {"feishu", decode_feishu}, [BB_WECOM] = {"wecom", decode_wecom},
    [BB_CUSTOM] = {"custom", decode_custom},
};

enum { PAYLOAD_CAP = 256 * 1024 };

static const struct decode_expect nothing = {0};

/* The walk that checks and collects. False when the body is no JSON at all. */
static bool walk(struct decoding *d, bb_type type) {
    d->product = products[type].name;
    decode_body_limit(d, PAYLOAD_CAP);
    cJSON *root = decode_json(d) ? cJSON_ParseWithLength(d->body, d->length) : NULL;
    d->root = root;
    if (!root) {
        decode_fail(d, NULL, "cannot be parsed");
        return false;
    }
    decode_common(d, root);
    if (cJSON_IsObject(root))
        products[type].check(d);
    else
        decode_fail(d, NULL, "is not an object");
    cJSON_Delete(root);
    return true;
}

bool decode_check(bb_type type, const char *body, size_t length, const struct decode_expect *expect,
                  char *why, size_t why_size) {
    struct decoding d = {.body = body, .length = length, .expect = expect ? expect : &nothing};
    d.why = why;
    d.why_size = why_size;
    walk(&d, type);
    free(d.texts);
    return !d.failed;
}

char *decode_texts(bb_type type, const char *body, size_t length) {
    struct decoding d = {.body = body, .length = length, .expect = &nothing};
    if (!walk(&d, type)) {
        free(d.texts);
        return NULL;
    }
    decode_say(&d, "", 1);
    return d.texts;
}

/* Where a product has no escape, a mark is sent as its twin. */
static const struct twin {
    bb_type type; /* 0: all */
    const char *sent, *meant;
} twins[] = {
    {BB_WECOM, "＜", "<"}, {BB_WECOM, "＞", ">"}, {BB_WECOM, "［", "["}, {BB_WECOM, "］", "]"},
    {BB_WECOM, "`", "'"},  {0, "∗", "*"},         {0, "ˍ", "_"},         {0, "ˋ", "`"},
    {0, "∼", "~"},         {0, "∣", "|"},         {BB_SLACK, "＊", "*"}, {BB_SLACK, "＿", "_"},
    {BB_SLACK, "｀", "`"}, {0, "\u200b", ""},
};

static void replace(char *text, const struct twin *twin) {
    size_t drop = strlen(twin->sent) - strlen(twin->meant);
    for (char *at = text; (at = strstr(at, twin->sent));) {
        memmove(at, at + drop, strlen(at + drop) + 1);
        if (*twin->meant)
            *at++ = *twin->meant;
    }
}

static void fold(bb_type type, char *text) {
    for (size_t i = 0; i < sizeof(twins) / sizeof(twins[0]); i++)
        if (!twins[i].type || twins[i].type == type)
            replace(text, &twins[i]);
}

bool decode_shows(bb_type type, const char *body, size_t length, const char *words) {
    char *texts = decode_texts(type, body, length);
    char *wanted = strdup(words);
    bool shown = false;
    if (texts && wanted) {
        fold(type, texts);
        fold(type, wanted);
        shown = strstr(texts, wanted) != NULL;
    }
    free(texts);
    free(wanted);
    return shown;
}
