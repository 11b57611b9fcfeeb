/*
 * Feishu and Lark custom bots: an interactive card, JSON 1.0.
 * Facts: open.feishu.cn, custom bot guide and message card markdown.
 */
#include <string.h>

#include "base/digest.h"
#include "endpoint/endpoint.h"

/* In bytes of JSON. Feishu refuses bodies above 20 KB, signature included: these
 * make 18,200. */
static const struct bb_limit title_limit = {.units = 256, .json = 700};
static const struct bb_limit name_limit = {.json = 500};
static const struct bb_limit excerpt_limit = {.json = 2300};
static const struct bb_limit description_limit = {.json = 5400};
static const struct bb_limit person_limit = {.json = 150};

enum { MENTIONS_SHOWN = 10 };

/* ---- lark_md ---- */

/* Escaped by entities, as the message card's markdown page lists them. */
static const char *const entities[128] = {
    ['<'] = "&#60;",  ['>'] = "&#62;", ['*'] = "&#42;", ['_'] = "&#95;", ['~'] = "&#126;",
    ['-'] = "&#45;",  ['!'] = "&#33;", ['['] = "&#91;", [']'] = "&#93;", ['('] = "&#40;",
    [')'] = "&#41;",  ['#'] = "&#35;", [':'] = "&#58;", ['+'] = "&#43;", ['"'] = "&#34;",
    ['\''] = "&#39;", ['`'] = "&#96;", ['$'] = "&#36;", ['/'] = "&#47;", ['\\'] = "&#92;",
    ['&'] = "&#38;",  ['.'] = "&#46;",
};

static const unsigned char specials[256] = {
    ['.'] = 1, ['<'] = 1, ['>'] = 1, ['*'] = 1,  ['_'] = 1,  ['~'] = 1, ['-'] = 1, ['!'] = 1,
    ['['] = 1, [']'] = 1, ['('] = 1, [')'] = 1,  ['#'] = 1,  [':'] = 1, ['+'] = 1, ['"'] = 1,
    ['`'] = 1, ['$'] = 1, ['/'] = 1, ['\\'] = 1, ['\''] = 1, ['&'] = 1,
};

static size_t escape_char(const char *begin, const char *at, char *out) {
    if (*at == '.' && !bb_render_is_markup(begin, at, "")) {
        *out = '.';
        return 1;
    }
    return bb_escape_put(out, entities[(unsigned char)*at]);
}

static const struct bb_escape lark_md = {specials, escape_char};

/* ---- render ---- */

static const char *const templates[] = {
    [BB_INFO] = "blue", [BB_SUCCESS] = "green", [BB_WARN] = "orange", [BB_ERROR] = "red"};

static void push_plain(struct bb_render *r, const char *key, const char *text) {
    bb_json_object(&r->json, key);
    bb_json_string(&r->json, "tag", "plain_text");
    bb_json_string(&r->json, "content", text);
    bb_json_end(&r->json);
}

static void push_header(struct bb_render *r) {
    bb_json_object(&r->json, "header");
    bb_json_string(&r->json, "template", templates[r->message->level]);
    push_plain(r, "title", bb_render_fit(r, "title", r->message->title, NULL, title_limit));
    bb_json_end(&r->json);
}

static void push_facts(struct bb_render *r) {
    const struct bb_message *m = r->message;
    if (m->fact_count == 0)
        return;
    bb_json_object(&r->json, NULL);
    bb_json_string(&r->json, "tag", "div");
    bb_json_array(&r->json, "fields");
    for (size_t i = 0; i < m->fact_count; i++) {
        const struct bb_fact *fact = &m->facts[i];
        const char *value = bb_render_fact(r, fact, &lark_md, name_limit, excerpt_limit);
        bb_json_object(&r->json, NULL);
        bb_json_bool(&r->json, "is_short", !fact->is_long);
        bb_json_object(&r->json, "text");
        bb_json_string(&r->json, "tag", "lark_md");
        bb_json_string(&r->json, "content",
                       bb_arena_join(r->arena, "**%s**\n%s", fact->label, value));
        bb_json_end(&r->json);
        bb_json_end(&r->json);
    }
    bb_json_end(&r->json);
    bb_json_end(&r->json);
}

static void push_markdown(struct bb_render *r, const char *text) {
    bb_json_object(&r->json, NULL);
    bb_json_string(&r->json, "tag", "markdown");
    bb_json_string(&r->json, "content", text);
    bb_json_end(&r->json);
}

static const char *person(struct bb_render *r, const bb_mention *mention) {
    if (mention->feishu)
        return bb_arena_join(r->arena, "<at id=%s></at>", mention->feishu);
    return bb_render_fit(r, "mentions", mention->name, &lark_md, person_limit);
}

static void push_mentions(struct bb_render *r) {
    const char *line = bb_render_mentions(r, "<at id=all></at>", MENTIONS_SHOWN, person);
    if (!line || *line)
        push_markdown(r, line);
}

static void push_button(struct bb_render *r) {
    if (!bb_render_has_link(r))
        return;
    bb_json_object(&r->json, NULL);
    bb_json_string(&r->json, "tag", "action");
    bb_json_array(&r->json, "actions");
    bb_json_object(&r->json, NULL);
    bb_json_string(&r->json, "tag", "button");
    bb_json_string(&r->json, "type", "primary");
    push_plain(r, "text", bb_render_button(r));
    bb_json_string(&r->json, "url", r->message->link);
    bb_json_end(&r->json);
    bb_json_end(&r->json);
    bb_json_end(&r->json);
}

/* In plain text, so that no entity hides it; always, because only Feishu knows
 * which of a card's texts its check reads. */
static void push_keyword(struct bb_render *r) {
    const char *keyword = bb_render_keyword(r);
    if (keyword && !*keyword)
        return;
    bb_json_object(&r->json, NULL);
    bb_json_string(&r->json, "tag", "note");
    bb_json_array(&r->json, "elements");
    push_plain(r, NULL, keyword);
    bb_json_end(&r->json);
    bb_json_end(&r->json);
}

static bool has_elements(struct bb_render *r) {
    const struct bb_message *m = r->message;
    const char *keyword = bb_render_keyword(r);
    return m->fact_count > 0 || (m->description && *m->description) || m->everyone ||
           bb_render_has_link(r) || (keyword && *keyword);
}

static void push_elements(struct bb_render *r) {
    const struct bb_message *m = r->message;
    bb_json_array(&r->json, "elements");
    if (m->description && *m->description)
        push_markdown(r,
                      bb_render_fit(r, "description", m->description, &lark_md, description_limit));
    push_facts(r);
    push_mentions(r);
    push_button(r);
    push_keyword(r);
    if (!has_elements(r)) /* a card must have one */
        push_markdown(r, bb_render_fit(r, "title", m->title, &lark_md, title_limit));
    bb_json_end(&r->json);
}

static void render(struct bb_render *r) {
    bb_json_string(&r->json, "msg_type", "interactive");
    bb_json_object(&r->json, "card");
    bb_json_object(&r->json, "config");
    bb_json_bool(&r->json, "wide_screen_mode", true);
    bb_json_bool(&r->json, "enable_forward", true);
    bb_json_end(&r->json);
    push_header(r);
    push_elements(r);
    bb_json_end(&r->json);
}

/* ---- configure and sign ---- */

static const char *configure(struct bb_arena *arena, const bb_webhook *webhook,
                             struct bb_url *url) {
    static const char prefix[] = "/open-apis/bot/v2/hook/";
    (void)arena;
    if (!webhook->allow_any_host && strncmp(url->path, prefix, sizeof prefix - 1) != 0)
        return "url: the path does not begin with /open-apis/bot/v2/hook/";
    return NULL;
}

/* base64(HMAC-SHA256(key = "timestamp\nsecret", message = nothing)); the mirror
 * image of DingTalk's. */
static const char *signature(struct bb_arena *arena, const char *secret, const char *timestamp) {
    char encoded[BB_BASE64_SHA256_SIZE];
    const char *key = bb_arena_join(arena, "%s\n%s", timestamp, secret);
    if (key && bb_hmac_sha256_base64(key, strlen(key), NULL, 0, encoded))
        return bb_arena_copy(arena, encoded, strlen(encoded));
    arena->failed = true;
    return NULL;
}

static void sign(struct bb_request *request, const bb_webhook *webhook,
                 const struct bb_signing *signing) {
    struct bb_arena *arena = &request->arena;
    if (!webhook->secret || !*webhook->secret)
        return;
    const char *timestamp = bb_text_integer(arena, signing->time_ms / 1000);
    const char *code = timestamp ? signature(arena, webhook->secret, timestamp) : NULL;
    bb_request_add_members(
        request, bb_arena_join(arena, "\"timestamp\":\"%s\",\"sign\":\"%s\",", timestamp, code),
        code);
}

/* ---- judge ---- */

/* The body stands above the HTTP status: rate limits come as 200 and as 400. */
static const struct bb_rule rules[] = {
    {BB_ANY_2XX, "0", NULL, BB_ACT_DELIVERED, 0},
    {0, "9499", "too many", BB_ACT_RETRY, 0},
    {0, "9499", NULL, BB_ACT_DROP, 0},
    {0, "19001", NULL, BB_ACT_DISABLE, 0},
    {0, "19021", NULL, BB_ACT_OPERATOR, 0},
    {0, "19022", NULL, BB_ACT_OPERATOR, 0},
    {0, "19024", NULL, BB_ACT_OPERATOR, 0},
    {0, "11232", NULL, BB_ACT_RETRY, 0},
    {0, "11220", NULL, BB_ACT_RETRY, 0},
    {0, "99991400", NULL, BB_ACT_RETRY, 0},
    {0, "230020", NULL, BB_ACT_RETRY, 0},
    {0, "230006", NULL, BB_ACT_RETRY, 0},
    {0, "2200", NULL, BB_ACT_RETRY, 0},
    {0, "1500", NULL, BB_ACT_RETRY, 0},
    {0, "1503", NULL, BB_ACT_RETRY, 0},
    BB_RULE_END,
};

/* `code`, or in answers of the old form `StatusCode`. */
static void judge(const struct bb_answer *answer, const bb_webhook *webhook, bb_outcome *outcome) {
    (void)webhook;
    if (bb_json_is_null(bb_json_get(answer->json, "code")))
        bb_answer_apply_body(answer, rules, "StatusCode", "StatusMessage", outcome);
    else
        bb_answer_apply_body(answer, rules, "code", "msg", outcome);
}

static const char *const hosts[] = {"open.feishu.cn", "open.larksuite.com", NULL};

extern const struct bb_endpoint bb_endpoint_feishu;
const struct bb_endpoint bb_endpoint_feishu = {
    .type = BB_FEISHU,
    .label = "Feishu",
    .hosts = hosts,
    .content_type = "application/json; charset=utf-8",
    .body_max = 18800, /* and 150 for the signature */
    .is_success_by_body = true,
    .rates = {{5, 1000}, {100, 60000}}, /* its documentation */
    .max_in_flight = 1,
    .age_limit_s = BB_CHAT_AGE_LIMIT_S,
    .configure = configure,
    .render = render,
    .sign = sign,
    .judge = judge,
};
