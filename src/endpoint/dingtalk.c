/*
 * DingTalk custom robots: markdown, or an action card on request.
 * Facts: DingTalk's documentation of custom robots and its security settings.
 */
#include <string.h>

#include "base/digest.h"
#include "endpoint/endpoint.h"

/* In bytes of JSON. DingTalk refuses bodies above 20,000 bytes; these make 18,600
 * in all. The title is also what the chat list shows. */
static const struct bb_limit list_title_limit = {.units = 64};
static const struct bb_limit title_limit = {.json = 600};
static const struct bb_limit name_limit = {.json = 500};
static const struct bb_limit excerpt_limit = {.json = 2000};
static const struct bb_limit description_limit = {.json = 5400};
static const struct bb_limit person_limit = {.json = 150};

enum { MENTIONS_SHOWN = 10, TEXT_ROOM = 18000 };

/* ---- markdown ---- */

static const unsigned char specials[256] = {
    ['<'] = 1, ['>'] = 1, ['&'] = 1, ['\\'] = 1, ['*'] = 1,  ['_'] = 1,
    ['`'] = 1, ['['] = 1, [']'] = 1, ['~'] = 1,  ['#'] = 1,  ['-'] = 1,
    ['+'] = 1, ['.'] = 1, ['='] = 1, ['|'] = 1,  ['\n'] = 1,
};

/* HTML is shown on a desktop and blanks the whole message on a phone. */
static size_t escape_char(const char *begin, const char *at, char *out) {
    size_t n = 0;
    switch (*at) {
    case '<':
        return bb_escape_put(out, "&lt;");
    case '>':
        return bb_escape_put(out, "&gt;");
    case '&':
        return bb_escape_put(out, "&amp;");
    case '\n': /* within the quote that a description stands in */
        return bb_escape_put(out, "  \n> ");
    default: /* an underscore within a word is inert, and often part of a link */
        if (*at == '_' ? !bb_render_is_within_word(begin, at)
                       : bb_render_is_markup(begin, at, "#-+="))
            out[n++] = '\\';
        out[n++] = *at;
        return n;
    }
}

static const struct bb_escape markdown = {specials, escape_char};

/* ---- render ---- */

/* The only colour that phones show, too. */
static const char *const marks[] = {
    [BB_INFO] = "🔵", [BB_SUCCESS] = "🟢", [BB_WARN] = "🟠", [BB_ERROR] = "🔴"};

static void add_facts(struct bb_render *r, struct bb_buf *text) {
    const struct bb_message *m = r->message;
    for (size_t i = 0; i < m->fact_count; i++) {
        const struct bb_fact *fact = &m->facts[i];
        const char *value = bb_render_fact_line(r, fact, &markdown, name_limit, excerpt_limit);
        bb_buf_text(text, i == 0 ? "\n\n" : "\n");
        bb_buf_text(text, bb_arena_join(r->arena, "- **%s**%s%s", fact->label,
                                        bb_word_colon(m->language), value));
    }
}

static void add_description(struct bb_render *r, struct bb_buf *text) {
    const char *description = r->message->description;
    if (!description || !*description)
        return;
    bb_buf_text(text, "\n\n> ");
    bb_buf_text(text, bb_render_fit(r, "description", description, &markdown, description_limit));
}

/* A card needs a link for its button. */
static bool is_card(const struct bb_render *r) {
    return r->webhook->dingtalk_action_card && bb_render_has_link(r);
}

static bool can_notify(const struct bb_render *r, const bb_mention *mention) {
    return !is_card(r) && (mention->dingtalk || mention->phone);
}

/* The literal @ must stand in the text, or nobody is notified. */
static const char *person(struct bb_render *r, const bb_mention *mention) {
    if (can_notify(r, mention))
        return bb_arena_join(r->arena, "@%s",
                             mention->dingtalk ? mention->dingtalk : mention->phone);
    return bb_render_fit(r, "mentions", mention->name, &markdown, person_limit);
}

static void add_mentions(struct bb_render *r, struct bb_buf *text) {
    const char *everyone = bb_arena_join(r->arena, "@%s", bb_word_everyone(r->message->language));
    const char *line = bb_render_mentions(r, everyone, MENTIONS_SHOWN, person);
    if (line && !*line)
        return;
    bb_buf_text(text, "\n\n");
    bb_buf_text(text, line);
}

static void add_link(struct bb_render *r, struct bb_buf *text) {
    if (!bb_render_has_link(r) || is_card(r))
        return;
    bool cut = false; /* the button's text was bounded already */
    const char *label =
        bb_text_fit(r->arena, bb_render_button(r), &markdown, (struct bb_limit){.units = 0}, &cut);
    bb_buf_text(text, bb_arena_join(r->arena, "\n\n[%s](%s)", label, bb_render_markdown_link(r)));
}

static void add_keyword(struct bb_render *r, struct bb_buf *text) {
    const char *keyword = bb_render_keyword(r);
    if (keyword && (!*keyword || strstr(bb_buf_data(text), keyword)))
        return;
    bb_buf_text(text, "\n\n");
    bb_buf_text(text, keyword);
}

static const char *make_text(struct bb_render *r) {
    struct bb_buf text;
    const struct bb_message *m = r->message;
    bb_buf_init(&text, r->arena->mem, TEXT_ROOM);
    const char *title = bb_render_fit(r, "title", m->title, &markdown, title_limit);
    bb_buf_text(&text, bb_arena_join(r->arena, "### %s %s", marks[m->level], title));
    add_description(r, &text);
    add_facts(r, &text);
    add_link(r, &text);
    add_mentions(r, &text);
    add_keyword(r, &text);
    const char *copy =
        bb_buf_failed(&text) ? NULL : bb_arena_copy(r->arena, text.data, text.length);
    bb_buf_free(&text);
    return copy;
}

static void push_ids(struct bb_render *r, const char *key, bool users) {
    const struct bb_message *m = r->message;
    bb_json_array(&r->json, key);
    for (size_t i = 0, n = bb_render_mention_count(r, MENTIONS_SHOWN); i < n; i++) {
        const bb_mention *mention = &m->mentions[i];
        if (users ? mention->dingtalk != NULL : !mention->dingtalk && mention->phone)
            bb_json_string(&r->json, NULL, users ? mention->dingtalk : mention->phone);
    }
    bb_json_end(&r->json);
}

static void push_at(struct bb_render *r) {
    bb_json_object(&r->json, "at");
    push_ids(r, "atMobiles", false);
    push_ids(r, "atUserIds", true);
    bb_json_bool(&r->json, "isAtAll", r->message->everyone);
    bb_json_end(&r->json);
}

/* For the chat list; the heading holds more of it. */
static const char *list_title(struct bb_render *r) {
    bool cut = false;
    return bb_text_fit(r->arena, r->message->title, NULL, list_title_limit, &cut);
}

static void render(struct bb_render *r) {
    const char *type = is_card(r) ? "actionCard" : "markdown";
    bb_json_string(&r->json, "msgtype", type);
    bb_json_object(&r->json, type);
    bb_json_string(&r->json, "title", list_title(r));
    bb_json_string(&r->json, "text", make_text(r));
    if (is_card(r)) {
        bb_json_string(&r->json, "btnOrientation", "0");
        bb_json_string(&r->json, "singleTitle", bb_render_button(r));
        bb_json_string(&r->json, "singleURL", r->message->link);
    }
    bb_json_end(&r->json);
    if (!is_card(r))
        push_at(r);
}

/* ---- configure and sign ---- */

static const char *configure(struct bb_arena *arena, const bb_webhook *webhook,
                             struct bb_url *url) {
    static const char *const stale[] = {"timestamp", "sign", NULL};
    if (!webhook->allow_any_host && !bb_url_query_has(url->query, "access_token"))
        return "url: has no access_token in its query";
    if (webhook->keyword && strpbrk(webhook->keyword, "<>"))
        return "keyword: has < or > in it, which phones would not show";
    url->query = bb_url_query_without(arena, url->query, stale);
    if (url->query)
        bb_url_join(arena, url);
    return NULL;
}

/* base64(HMAC-SHA256(key = secret, message = "timestamp\nsecret")); the mirror
 * image of Feishu's. */
static const char *signature(struct bb_arena *arena, const char *secret, const char *timestamp) {
    char encoded[BB_BASE64_SHA256_SIZE];
    size_t length = strlen(secret);
    const struct bb_part content[] = {{timestamp, strlen(timestamp)}, {"\n", 1}, {secret, length}};
    if (bb_hmac_sha256_base64(secret, length, content, 3, encoded))
        return bb_arena_copy(arena, encoded, strlen(encoded));
    arena->failed = true;
    return NULL;
}

static void sign(struct bb_request *request, const bb_webhook *webhook,
                 const struct bb_signing *signing) {
    struct bb_arena *arena = &request->arena;
    bb_request_add_members(request,
                           bb_arena_join(arena, "\"msgUuid\":\"%s\",", signing->delivery_id), NULL);
    if (!webhook->secret || !*webhook->secret)
        return;
    const char *timestamp = bb_text_integer(arena, signing->time_ms);
    const char *code = timestamp ? signature(arena, webhook->secret, timestamp) : NULL;
    if (!code)
        return;
    bb_request_add_query(request, "timestamp", timestamp);
    bb_request_add_query(request, "sign", code);
}

/* ---- judge ---- */

enum { RATE_WAIT_S = 60, DAY_S = 24 * 60 * 60 };

/* The same code has had several texts, in two languages: matched by what stays. */
static const struct bb_rule rules[] = {
    {BB_ANY_2XX, "0", NULL, BB_ACT_DELIVERED, 0},
    {0, "-1", NULL, BB_ACT_RETRY, 0},
    {0, "310000", "invalid timestamp", BB_ACT_RETRY_OPERATOR, 0}, /* a clock is wrong */
    {0, "310000", "签名过期", BB_ACT_RETRY_OPERATOR, 0},
    {0, "310000", NULL, BB_ACT_OPERATOR, 0}, /* keyword, signature, address */
    {0, "300001", NULL, BB_ACT_DISABLE, 0},
    {0, "300005", NULL, BB_ACT_DISABLE, 0},
    {0, "400013", NULL, BB_ACT_DISABLE, 0},
    {0, "400101", NULL, BB_ACT_DISABLE, 0},
    {0, "400102", NULL, BB_ACT_DISABLE, 0},
    {0, "400106", NULL, BB_ACT_DISABLE, 0},
    {0, "130101", NULL, BB_ACT_RETRY, RATE_WAIT_S},
    {0, "410100", NULL, BB_ACT_RETRY, RATE_WAIT_S},
    {0, "660026", NULL, BB_ACT_RETRY, RATE_WAIT_S},
    {0, "90030", NULL, BB_ACT_RETRY, DAY_S},
    {0, "88", NULL, BB_ACT_OPERATOR, 0},
    {0, "40035", "access_token", BB_ACT_OPERATOR, 0},
    BB_RULE_END,
};

/* The firewall in front answers {"status":1111,"wait":5,"punish":"deny"}. */
static void judge_punishment(const struct bb_answer *answer, bb_outcome *outcome) {
    double wait_s = 0;
    if (bb_json_is_null(bb_json_get(answer->json, "punish")))
        return;
    bb_json_number(bb_json_get(answer->json, "wait"), &wait_s);
    if (!(wait_s > RATE_WAIT_S))
        wait_s = RATE_WAIT_S;
    bb_outcome_act(outcome, BB_ACT_RETRY,
                   wait_s < DAY_S ? (int64_t)(wait_s * 1000) : INT64_C(1000) * DAY_S);
}

static void judge(const struct bb_answer *answer, const bb_webhook *webhook, bb_outcome *outcome) {
    (void)webhook;
    bb_answer_apply_body(answer, rules, "errcode", "errmsg", outcome);
    judge_punishment(answer, outcome);
}

static const char *const hosts[] = {"oapi.dingtalk.com", "oapi.dingtalk.io", NULL};

extern const struct bb_endpoint bb_endpoint_dingtalk;
const struct bb_endpoint bb_endpoint_dingtalk = {
    .type = BB_DINGTALK,
    .label = "DingTalk",
    .hosts = hosts,
    .content_type = "application/json; charset=utf-8",
    .body_max = 18900, /* and 60 for msgUuid */
    .is_success_by_body = true,
    .rates = {{20, 60000}}, /* its documentation; one more blocks the robot for ten minutes */
    .max_in_flight = 1,
    .age_limit_s = BB_CHAT_AGE_LIMIT_S,
    .is_idempotent = true, /* by msgUuid */
    .configure = configure,
    .render = render,
    .sign = sign,
    .judge = judge,
};
