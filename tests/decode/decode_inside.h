/*
 * What the decoders of the products share: one walk over a body, which records
 * the first violation and never stops, so that the same walk collects the texts.
 * Every function takes NULL nodes: a missing one has been reported already.
 */
#ifndef DECODE_INSIDE_H
#define DECODE_INSIDE_H

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdint.h>

#include "decode/decode.h"

struct decoding {
    const char *product;
    const cJSON *root;
    const char *body;
    size_t length;
    const struct decode_expect *expect;
    char *why;
    size_t why_size;
    bool failed;
    bool link_seen;
    bool everyone_seen;
    bool mention_seen[DECODE_MENTIONS];
    unsigned labels_seen;  /* a bit for each label of ours, see decode_markup.c */
    size_t units;          /* what a product's limit for the whole counts */
    const cJSON *entities; /* Teams: what <at> may refer to */
    char *texts;           /* grows by doubling */
    size_t text_length, text_room;
};

/* Records a violation at a node (NULL: the whole body). The first one stands. */
__attribute__((format(printf, 3, 4))) void decode_fail(struct decoding *d, const cJSON *where,
                                                       const char *format, ...);

/* Adds to the texts. */
void decode_say(struct decoding *d, const char *bytes, size_t length);

/* ---- decode_json.c: RFC 8259, of which bodies use less: whole numbers in 64
 * bits, and no escape but \" \\ \n \t, because the rest is raw UTF-8. */
bool decode_json(struct decoding *d);

/* ---- decode_text.c */

/* The bytes of the code point at `text`, 0 when it is ill-formed. */
size_t decode_rune(const char *text, size_t length, uint32_t *rune);
size_t decode_utf16(const char *text);
size_t decode_codepoints(const char *text);
/* The first code point that must never be sent (a control, an invisible or a
 * bidirectional one), 0 when there is none. U+200B is asked for apart. */
uint32_t decode_forbidden(const char *text);
bool decode_zero_width(const char *at); /* U+200B stands there */
bool decode_blank(const char *text);    /* nothing but white space and U+200B */
/* Equal but for the way in which they are percent-encoded. */
bool decode_same_url(const char *url, size_t length, const char *expected);
bool decode_web_url(const char *url); /* absolute http(s), without blank or control */

/* ---- decode_shape.c */

/* The member of that cJSON type; cJSON_True stands for either boolean. */
const cJSON *decode_need(struct decoding *d, const cJSON *object, const char *key, int type);
const cJSON *decode_may(struct decoding *d, const cJSON *object, const char *key, int type);
/* `allowed` is a list of names with a blank between them. */
bool decode_listed(const char *allowed, const char *word);
void decode_keys(struct decoding *d, const cJSON *object, const char *allowed);
void decode_one_of(struct decoding *d, const cJSON *object, const char *key, const char *allowed);
size_t decode_items(struct decoding *d, const cJSON *array, size_t least, size_t most);

enum decode_unit { DECODE_UTF16, DECODE_CODEPOINTS, DECODE_BYTES };
void decode_limit(struct decoding *d, const cJSON *text, enum decode_unit unit, size_t most);
void decode_filled(struct decoding *d, const cJSON *text);
void decode_one_line(struct decoding *d, const cJSON *text);
/* Shown as it is: filled, no U+200B. Adds it to the texts. */
void decode_plain(struct decoding *d, const cJSON *text);
/* Must be the expected link. */
void decode_link(struct decoding *d, const cJSON *url);
/* Marks a mention as seen; false when it is not expected. */
bool decode_mention(struct decoding *d, const char *id, size_t length);
void decode_body_limit(struct decoding *d, size_t most);
/* Every mention and the link that are expected have been seen. */
void decode_all_seen(struct decoding *d);
void decode_link_seen(struct decoding *d);

/* What holds for every body: unique keys, no forbidden code points. */
void decode_common(struct decoding *d, const cJSON *node);

/* ---- one per product */
void decode_slack(struct decoding *d);
void decode_discord(struct decoding *d);
void decode_teams(struct decoding *d);
void decode_dingtalk(struct decoding *d);
void decode_feishu(struct decoding *d);
void decode_wecom(struct decoding *d);
void decode_custom(struct decoding *d);

#endif
