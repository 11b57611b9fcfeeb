/*
 * Discord webhooks: one embed with colour, fields and time.
 * Facts: discord-api-docs, resources/webhook and resources/message.
 */
#include <string.h>

#include "endpoint/endpoint.h"

/* Discord counts characters; UTF-16 units are never fewer. All texts of an embed
 * may have 6,000 together: these make 5,700. A description of 4,096 emoji was
 * refused although it has few enough characters, hence its limit in bytes. */
static const struct bb_limit title_limit = {.units = 256};
static const struct bb_limit name_limit = {.units = 200};
static const struct bb_limit excerpt_limit = {.units = 700};
static const struct bb_limit description_limit = {.units = 2200, .bytes = 7000};

enum { MENTIONS_SHOWN = 20 /* of 80 units: content may have 2,000 */ };

/* ---- markdown ---- */

static const unsigned char specials[256] = {
    ['\\'] = 1, ['*'] = 1, ['_'] = 1, ['~'] = 1, ['`'] = 1, ['|'] = 1, ['['] = 1, [']'] = 1,
    ['<'] = 1,  ['@'] = 1, ['>'] = 1, ['#'] = 1, ['-'] = 1, ['+'] = 1, ['.'] = 1, [':'] = 1};

static bool is_doubled(const char *begin, const char *at) {
    return at[1] == *at || (at > begin && at[-1] == *at);
}

static bool is_active(const char *begin, const char *at) {
    if (*at == ':')
        return bb_render_begins_emoji(at);
    if (*at == '_') /* within a word it is inert, and often part of a link */
        return !bb_render_is_within_word(begin, at);
    if (*at == '~' || *at == '|')
        return is_doubled(begin, at);
    return bb_render_is_markup(begin, at, ">#-+");
}

static size_t escape_char(const char *begin, const char *at, char *out) {
    size_t n = 0;
    if (is_active(begin, at))
        out[n++] = '\\';
    out[n++] = *at;
    return n;
}

static const struct bb_escape markdown = {specials, escape_char};

/* Titles show backslashes, and still some markup: look-alikes, and a zero-width
 * space behind what begins a mention, an emoji or a link. */
static const unsigned char title_specials[256] = {
    ['*'] = 1, ['_'] = 1, ['~'] = 1, ['|'] = 1, ['`'] = 1,
    [':'] = 1, ['<'] = 1, ['@'] = 1, [']'] = 1};

static size_t escape_title(const char *begin, const char *at, char *out) {
    bool is_mark = strchr("*`", *at) || (*at == '_' && !bb_render_is_within_word(begin, at)) ||
                   (strchr("~|", *at) && is_doubled(begin, at));
    bool is_begin = *at == '@' || (*at == ':' && bb_render_begins_emoji(at)) ||
                    (*at == '<' && at[1] != ' ') || (*at == ']' && at[1] == '(');
    if (is_mark)
        return bb_render_look_alike(*at, out);
    *out = *at;
    return is_begin ? 1 + bb_escape_put(out + 1, BB_ZERO_WIDTH_SPACE) : 1;
}

static const struct bb_escape title_text = {title_specials, escape_title};

/* ---- render ---- */

/* A 63-bit number: with any other in its list, Discord refuses the message. */
static bool has_user_id(const bb_mention *mention) {
    static const char largest[] = "9223372036854775807";
    const char *id = mention->discord;
    size_t n = id ? strlen(id) : 0;
    return n > 0 && strspn(id, "0123456789") == n &&
           (n < sizeof largest - 1 || (n == sizeof largest - 1 && strcmp(id, largest) <= 0));
}

static const char *person(struct bb_render *r, const bb_mention *mention) {
    if (has_user_id(mention))
        return bb_arena_join(r->arena, "<@%s>", mention->discord);
    return bb_render_fit(r, "mentions", mention->name, &markdown, (struct bb_limit){.units = 80});
}

/* Only mentions: everything else stands in the embed. */
static void push_content(struct bb_render *r) {
    const char *line = bb_render_mentions(r, "@everyone", MENTIONS_SHOWN, person);
    if (!line || *line)
        bb_json_string(&r->json, "content", line);
}

static bool is_repeated(const struct bb_message *m, size_t i) {
    for (size_t k = 0; k < i; k++)
        if (has_user_id(&m->mentions[k]) &&
            strcmp(m->mentions[k].discord, m->mentions[i].discord) == 0)
            return true;
    return false;
}

/* Always sent: what it leaves out, text cannot notify. */
static void push_allowed_mentions(struct bb_render *r) {
    const struct bb_message *m = r->message;
    bb_json_object(&r->json, "allowed_mentions");
    bb_json_array(&r->json, "parse");
    if (m->everyone)
        bb_json_string(&r->json, NULL, "everyone");
    bb_json_end(&r->json);
    bb_json_array(&r->json, "users");
    for (size_t i = 0, n = bb_render_mention_count(r, MENTIONS_SHOWN); i < n; i++)
        if (has_user_id(&m->mentions[i]) && !is_repeated(m, i))
            bb_json_string(&r->json, NULL, m->mentions[i].discord);
    bb_json_end(&r->json);
    bb_json_end(&r->json);
}

static void push_fields(struct bb_render *r) {
    const struct bb_message *m = r->message;
    if (m->fact_count == 0)
        return;
    bb_json_array(&r->json, "fields");
    for (size_t i = 0; i < m->fact_count; i++) {
        const struct bb_fact *fact = &m->facts[i];
        bb_json_object(&r->json, NULL);
        bb_json_string(&r->json, "name", fact->label);
        bb_json_string(&r->json, "value",
                       bb_render_fact(r, fact, &markdown, name_limit, excerpt_limit));
        bb_json_bool(&r->json, "inline", !fact->is_long);
        bb_json_end(&r->json);
    }
    bb_json_end(&r->json);
}

/* Discord refuses the whole message for an `url` whose host has no dot. */
static bool takes_link(const struct bb_render *r) {
    const char *host = bb_render_has_link(r) ? strstr(r->message->link, "://") + 3 : "";
    const char *dot = strchr(host, '.');
    return *host == '[' || (dot && (size_t)(dot - host) < strcspn(host, ":/?#"));
}

static void push_description(struct bb_render *r) {
    const struct bb_message *m = r->message;
    const char *text =
        bb_render_fit(r, "description", m->description, &markdown, description_limit);
    if (bb_render_has_link(r) && !takes_link(r))
        text = bb_arena_join(r->arena, "%s%s<%s>", text, text && *text ? "\n" : "", m->link);
    if (!text || *text)
        bb_json_string(&r->json, "description", text);
}

static void push_embed(struct bb_render *r) {
    const struct bb_message *m = r->message;
    const char *time = bb_render_time(r);
    bb_json_object(&r->json, NULL);
    bb_json_string(&r->json, "title",
                   bb_render_fit(r, "title", m->title, &title_text, title_limit));
    if (takes_link(r))
        bb_json_string(&r->json, "url", m->link);
    push_description(r);
    bb_json_integer(&r->json, "color", (int64_t)bb_render_color(m->level));
    push_fields(r);
    if (time)
        bb_json_string(&r->json, "timestamp", time);
    bb_json_end(&r->json);
}

static void render(struct bb_render *r) {
    push_content(r);
    push_allowed_mentions(r);
    bb_json_array(&r->json, "embeds");
    push_embed(r);
    bb_json_end(&r->json);
}

/* ---- configure ---- */

/* "/ID/TOKEN" of "/api[/vN]/webhooks/ID/TOKEN", or NULL. */
static const char *webhook_path(const char *path) {
    static const char api[] = "/api/", webhooks[] = "webhooks/";
    if (strncmp(path, api, sizeof api - 1) != 0)
        return NULL;
    path += sizeof api - 1;
    if (*path == 'v' && bb_is_digit(path[1]))
        path += 1 + strspn(path + 1, "0123456789") + 1;
    if (strncmp(path, webhooks, sizeof webhooks - 1) != 0)
        return NULL;
    path += sizeof webhooks - 2;
    size_t id = strspn(path + 1, "0123456789");
    const char *token = path[1 + id] == '/' ? path + 2 + id : "";
    return id > 0 && *token && !strchr(token, '/') ? path : NULL;
}

/* The pasted URL has no version and would mean v6, whose waits are milliseconds;
 * without wait=true a message that is not saved is no error. */
static const char *configure(struct bb_arena *arena, const bb_webhook *webhook,
                             struct bb_url *url) {
    static const char *const waits[] = {"wait", NULL};
    const char *tail = webhook_path(url->path);
    if (webhook->secret && *webhook->secret)
        return "secret: Discord's webhooks have none, remove it";
    if (bb_text_ends_with(url->path, "/slack") || bb_text_ends_with(url->path, "/github"))
        return "url: ends with /slack or /github, which is another format: remove that";
    if (!tail && !webhook->allow_any_host)
        return "url: the path is not /api/webhooks/ID/TOKEN";
    if (tail)
        url->path = bb_arena_join(arena, "/api/v10/webhooks%s", tail);
    const char *rest = bb_url_query_without(arena, url->query, waits);
    url->query = rest ? bb_arena_join(arena, "%s%swait=true", rest, *rest ? "&" : "") : NULL;
    if (!arena->failed)
        bb_url_join(arena, url);
    return NULL;
}

/* ---- judge ---- */

enum { EDGE_WAIT_S = 60 };

/* resources/webhook, topics/opcodes-and-status-codes and threads of its users. */
static const struct bb_rule rules[] = {
    {401, "50027", NULL, BB_ACT_DISABLE, 0},
    {404, "10015", NULL, BB_ACT_DISABLE, 0},
    {404, NULL, NULL, BB_ACT_OPERATOR, 0}, /* a malformed URL */
    {0, "220001", NULL, BB_ACT_OPERATOR, 0},
    {0, "220002", NULL, BB_ACT_OPERATOR, 0},
    {0, "220003", NULL, BB_ACT_OPERATOR, 0},
    {0, "10003", NULL, BB_ACT_OPERATOR, 0},
    {0, "50083", NULL, BB_ACT_OPERATOR, 0},
    {0, "160005", NULL, BB_ACT_OPERATOR, 0},
    {0, "200000", NULL, BB_ACT_DROP, 0},
    {0, "240000", NULL, BB_ACT_DROP, 0},
    {0, "130000", NULL, BB_ACT_RETRY, 0},
    {403, NULL, NULL, BB_ACT_OPERATOR, 0}, /* permissions, or the edge's 1010 */
    BB_RULE_END,
};

static int64_t header_ms(const struct bb_answer *answer, const char *name) {
    return bb_seconds_to_ms(bb_answer_header(answer, name));
}

/* The body is exact where the header is rounded; both are seconds in v10. */
static int64_t stated_wait_ms(const struct bb_answer *answer) {
    double seconds = 0;
    if (bb_json_number(bb_json_get(answer->json, "retry_after"), &seconds) && seconds >= 0)
        return seconds < 1e6 ? (int64_t)(seconds * 1000 + 0.999) + (seconds == 0)
                             : INT64_C(1000000000);
    int64_t stated = bb_answer_retry_after_ms(answer);
    return stated ? stated : header_ms(answer, "X-RateLimit-Reset-After");
}

static bool is_header(const struct bb_answer *answer, const char *name, const char *expected) {
    const char *value = bb_answer_header(answer, name);
    return value && strcmp(value, expected) == 0;
}

static bool is_global(const struct bb_answer *answer) {
    return bb_json_is_true(bb_json_get(answer->json, "global")) ||
           is_header(answer, "X-RateLimit-Global", "true") ||
           is_header(answer, "X-RateLimit-Scope", "global");
}

static void judge_rate(const struct bb_answer *answer, bb_outcome *outcome) {
    bool is_edge = !bb_json_is_object(answer->json); /* Cloudflare: the whole address is banned */
    int64_t wait = stated_wait_ms(answer);
    if (is_edge && wait < EDGE_WAIT_S * 1000)
        wait = EDGE_WAIT_S * 1000;
    bb_outcome_act(outcome, BB_ACT_RETRY, wait);
    outcome->whole_type = outcome->retry_after_ms > 0 && (is_edge || is_global(answer));
}

/* When the bucket is empty, the next request would be refused. */
static void judge_success(const struct bb_answer *answer, bb_outcome *outcome) {
    bool is_empty = is_header(answer, "X-RateLimit-Remaining", "0");
    bb_outcome_act(outcome, BB_ACT_DELIVERED,
                   is_empty ? header_ms(answer, "X-RateLimit-Reset-After") : 0);
}

static void judge(const struct bb_answer *answer, const bb_webhook *webhook, bb_outcome *outcome) {
    (void)webhook;
    if (answer->status >= 200 && answer->status <= 299) {
        judge_success(answer, outcome);
        return;
    }
    const char *code = bb_answer_code(answer, bb_json_get(answer->json, "code"));
    const char *words = bb_json_text(bb_json_get(answer->json, "message"));
    bool is_form = code && strcmp(code, "50035") == 0; /* what is wrong stands in `errors` */
    bb_outcome_quote(outcome, answer, code, words && !is_form ? words : answer->text);
    if (answer->status == 429)
        judge_rate(answer, outcome);
    else if (!bb_answer_apply(answer, rules, code, words, outcome))
        bb_answer_apply_status(answer, outcome);
}

static const char *const hosts[] = {"discord.com", "discordapp.com", "ptb.discord.com",
                                    "canary.discord.com", NULL};

extern const struct bb_endpoint bb_endpoint_discord;
const struct bb_endpoint bb_endpoint_discord = {
    .type = BB_DISCORD,
    .label = "Discord",
    .hosts = hosts,
    .content_type = "application/json; charset=utf-8",
    .body_max = 256 * 1024,
    .rates = {{5, 2000}}, /* staff in discord/discord-api-docs#367 */
    .max_in_flight = 1,
    .age_limit_s = BB_CHAT_AGE_LIMIT_S,
    .configure = configure,
    .render = render,
    .judge = judge,
};
