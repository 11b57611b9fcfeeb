/*
 * Slack incoming webhooks: a title line in `text` (which also is what a push
 * shows) and one coloured attachment of blocks.
 * Facts: docs.slack.dev, block reference, formatting, incoming webhooks.
 */
#include <string.h>

#include "endpoint/endpoint.h"

/* In UTF-16 units, after escaping. Slack's own limits are 3,000 for a text, 2,000
 * for a field, about 13,200 for all blocks: with eight facts these make 10,500. */
static const struct bb_limit title_limit = {.units = 300};
static const struct bb_limit name_limit = {.units = 300};
static const struct bb_limit excerpt_limit = {.units = 1500};
static const struct bb_limit description_limit = {.units = 2800};

enum { MENTIONS_SHOWN = 20, FIELDS_A_SECTION = 10 };

/* ---- mrkdwn ---- */

static const unsigned char specials[256] = {['&'] = 1, ['<'] = 1, ['>'] = 1, ['*'] = 1, ['_'] = 1,
                                            ['~'] = 1, ['`'] = 1, [':'] = 1, [0xEF] = 1};

/* mrkdwn has entities for & < > and no escape for its other markers (a zero-width
 * space beside one switches it on rather than off). An underscore within a word is
 * inert and stays, so that order_items can be copied; else a look-alike stands. */
static size_t escape_marker(const char *begin, const char *at, char *out) {
    if (*at != '_' || !bb_render_is_within_word(begin, at))
        return bb_render_look_alike(*at, out);
    *out = *at;
    return 1;
}

/* ＊ ＿ ｀ ＞ mark up like their ASCII relatives. They and most others that begin
 * with this byte take three. */
static size_t escape_fullwidth(const char *begin, const char *at, char *out) {
    static const struct {
        const char *mark;
        char narrow;
    } marks[] = {{"＊", '*'}, {"＿", '_'}, {"｀", '`'}};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (strncmp(at, marks[i].mark, 3) == 0)
            return bb_render_look_alike(marks[i].narrow, out);
    size_t n = 0;
    if (strncmp(at, "＞", 3) == 0 && bb_text_at_line_start(begin, at, false))
        n = bb_escape_put(out, BB_ZERO_WIDTH_SPACE);
    memcpy(out + n, at, 3);
    return n + 3;
}

static size_t escape_char(const char *begin, const char *at, char *out) {
    switch (*at) {
    case '&':
        return bb_escape_put(out, "&amp;");
    case '<':
        return bb_escape_put(out, "&lt;");
    case '>': /* would quote at the beginning of a line, also as an entity */
        return bb_escape_put(
            out, bb_text_at_line_start(begin, at, false) ? BB_ZERO_WIDTH_SPACE "&gt;" : "&gt;");
    case ':':
        return bb_escape_put(out, bb_render_begins_emoji(at) ? ":" BB_ZERO_WIDTH_SPACE : ":");
    case (char)0xEF:
        return escape_fullwidth(begin, at, out);
    default:
        return escape_marker(begin, at, out);
    }
}

static const struct bb_escape mrkdwn = {specials, escape_char};

/* A link stands between < and |, where only & needs its entity. */
static const unsigned char link_specials[256] = {['&'] = 1};
static const struct bb_escape link_escape = {link_specials, escape_char};

/* ---- render ---- */

static const char *person(struct bb_render *r, const bb_mention *mention) {
    if (mention->slack &&
        strspn(mention->slack, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == strlen(mention->slack))
        return bb_arena_join(r->arena, "<@%s>", mention->slack);
    return bb_render_fit(r, "mentions", mention->name, &mrkdwn, (struct bb_limit){.units = 80});
}

/* Returns the escaped title, which the attachment's fallback repeats. */
static const char *render_text(struct bb_render *r) {
    const char *title = bb_render_fit(r, "title", r->message->title, &mrkdwn, title_limit);
    const char *mentions = bb_render_mentions(r, "<!channel>", MENTIONS_SHOWN, person), *text;
    const char *gap = mentions && *mentions ? "\n" : "";
    if (bb_render_has_link(r)) {
        const char *link =
            bb_render_fit(r, "link", r->message->link, &link_escape, (struct bb_limit){.units = 0});
        text = bb_arena_join(r->arena, "*<%s|%s>*%s%s", link, title, gap, mentions);
    } else {
        text = bb_arena_join(r->arena, "*%s*%s%s", title, gap, mentions);
    }
    bb_json_string(&r->json, "text", text);
    return title;
}

static void push_mrkdwn(struct bb_render *r, const char *key, const char *text) {
    bb_json_object(&r->json, key);
    bb_json_string(&r->json, "type", "mrkdwn");
    bb_json_string(&r->json, "text", text);
    bb_json_bool(&r->json, "verbatim", true); /* nothing but our own markup becomes a link */
    bb_json_end(&r->json);
}

static const char *fact_text(struct bb_render *r, const struct bb_fact *fact) {
    const char *value = bb_render_fact(r, fact, &mrkdwn, name_limit, excerpt_limit);
    return bb_arena_join(r->arena, "*%s*\n%s", fact->label, value);
}

static void push_section(struct bb_render *r, const char *text) {
    bb_json_object(&r->json, NULL);
    bb_json_string(&r->json, "type", "section");
    push_mrkdwn(r, "text", text);
    bb_json_end(&r->json);
}

static bool is_in_grid(const struct bb_message *m, size_t i) {
    return i < m->fact_count && !m->facts[i].is_long && m->facts[i].kind != BB_LABEL_BY;
}

/* Names and words stand in two columns, from `i` up to the next excerpt. */
static size_t push_grid(struct bb_render *r, size_t i) {
    bb_json_object(&r->json, NULL);
    bb_json_string(&r->json, "type", "section");
    bb_json_array(&r->json, "fields");
    for (size_t n = 0; n < FIELDS_A_SECTION && is_in_grid(r->message, i); n++, i++)
        push_mrkdwn(r, NULL, fact_text(r, &r->message->facts[i]));
    bb_json_end(&r->json);
    bb_json_end(&r->json);
    return i;
}

static const char *date_text(struct bb_render *r) {
    const char *time = bb_render_time(r);
    if (!time)
        return "";
    char room[BB_INTEGER_SIZE];
    return bb_arena_join(r->arena, "<!date^%s^{date_short_pretty} {time}|%s>",
                         bb_text_digits(r->message->created_ts, room), time);
}

/* Who and when, small and grey. */
static void push_context(struct bb_render *r, const struct bb_fact *by) {
    const char *when = date_text(r), *text = when;
    if (by) {
        const char *who = bb_render_fact(r, by, &mrkdwn, name_limit, excerpt_limit);
        const char *colon = bb_word_colon(r->message->language);
        text = bb_arena_join(r->arena, "%s%s%s%s%s", by->label, colon, who,
                             when && *when ? " · " : "", when);
    }
    if (text && !*text)
        return;
    bb_json_object(&r->json, NULL);
    bb_json_string(&r->json, "type", "context");
    bb_json_array(&r->json, "elements");
    push_mrkdwn(r, NULL, text);
    bb_json_end(&r->json);
    bb_json_end(&r->json);
}

static void push_button(struct bb_render *r) {
    if (!bb_render_has_link(r))
        return;
    bb_json_object(&r->json, NULL);
    bb_json_string(&r->json, "type", "actions");
    bb_json_array(&r->json, "elements");
    bb_json_object(&r->json, NULL);
    bb_json_string(&r->json, "type", "button");
    bb_json_object(&r->json, "text");
    bb_json_string(&r->json, "type", "plain_text");
    bb_json_string(&r->json, "text", bb_render_button(r));
    bb_json_bool(&r->json, "emoji", false);
    bb_json_end(&r->json);
    bb_json_string(&r->json, "url", r->message->link);
    bb_json_end(&r->json);
    bb_json_end(&r->json);
    bb_json_end(&r->json);
}

static void push_blocks(struct bb_render *r) {
    const struct bb_message *m = r->message;
    const struct bb_fact *by = NULL;
    if (m->description && *m->description)
        push_section(r,
                     bb_render_fit(r, "description", m->description, &mrkdwn, description_limit));
    for (size_t i = 0; i < m->fact_count;) {
        const struct bb_fact *fact = &m->facts[i];
        if (is_in_grid(m, i)) {
            i = push_grid(r, i);
            continue;
        }
        if (fact->kind == BB_LABEL_BY)
            by = fact;
        else
            push_section(r, fact_text(r, fact));
        i++;
    }
    push_context(r, by);
    push_button(r);
}

static bool has_blocks(const struct bb_render *r) {
    return r->message->fact_count > 0 || (r->message->description && *r->message->description) ||
           bb_render_has_link(r) || bb_render_time(r);
}

static void push_color(struct bb_render *r) {
    char text[] = "#000000";
    unsigned color = bb_render_color(r->message->level);
    for (size_t i = 6; i > 0; i--, color >>= 4)
        text[i] = "0123456789ABCDEF"[color & 15];
    bb_json_string(&r->json, "color", text);
}

static void render(struct bb_render *r) {
    const char *title = render_text(r);
    if (has_blocks(r)) {
        bb_json_array(&r->json, "attachments");
        bb_json_object(&r->json, NULL);
        push_color(r);
        bb_json_string(&r->json, "fallback", title);
        bb_json_array(&r->json, "blocks");
        push_blocks(r);
        bb_json_end(&r->json);
        bb_json_end(&r->json);
        bb_json_end(&r->json);
    }
    bb_json_bool(&r->json, "unfurl_links", false);
    bb_json_bool(&r->json, "unfurl_media", false);
}

/* ---- configure ---- */

static const char *configure(struct bb_arena *arena, const bb_webhook *webhook,
                             struct bb_url *url) {
    (void)arena;
    if (webhook->secret && *webhook->secret)
        return "secret: Slack's webhooks have none, remove it";
    if (!webhook->allow_any_host && strncmp(url->path, "/services/", 10) != 0)
        return "url: the path does not begin with /services/ (workflow triggers are not supported)";
    return NULL;
}

/* ---- judge ---- */

/* Changelog 2016-05-17 of Slack's API, and threads of its users. */
static const struct bb_rule rules[] = {
    {200, "ok", NULL, BB_ACT_DELIVERED, 0},
    {0, "invalid_token", NULL, BB_ACT_DISABLE, 0},
    {0, "team_disabled", NULL, BB_ACT_DISABLE, 0},
    {0, "channel_not_found", NULL, BB_ACT_DISABLE, 0},
    {0, "no_service", NULL, BB_ACT_DISABLE, 0},
    {0, "no_service_id", NULL, BB_ACT_DISABLE, 0},
    {0, "no_team", NULL, BB_ACT_DISABLE, 0},
    {0, "no_active_hooks", NULL, BB_ACT_DISABLE, 0},
    {0, "channel_is_archived", NULL, BB_ACT_DISABLE, 0},
    {0, "user_not_found", NULL, BB_ACT_OPERATOR, 0},
    {0, "action_prohibited", NULL, BB_ACT_OPERATOR, 0},
    {0, "posting_to_general_channel_denied", NULL, BB_ACT_OPERATOR, 0},
    {0, "restricted_action", NULL, BB_ACT_OPERATOR, 0},
    {0, "rate_limited", NULL, BB_ACT_RETRY, 0},
    {0, "ratelimited", NULL, BB_ACT_RETRY, 0},
    {0, "rollup_error", NULL, BB_ACT_RETRY, 0},
    BB_RULE_END,
};

static bool is_code(const char *text) {
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz_");
    return n > 0 && n < 64 && text[n] == '\0';
}

static void judge(const struct bb_answer *answer, const bb_webhook *webhook, bb_outcome *outcome) {
    (void)webhook;
    const char *code = is_code(answer->text) ? answer->text : NULL;
    if (bb_json_is_true(bb_json_get(answer->json, "ok")))
        code = "ok";
    else if (bb_json_is_object(answer->json))
        code = bb_json_text(bb_json_get(answer->json, "error"));
    bb_outcome_quote(outcome, answer, code, code ? NULL : answer->text);
    if (!answer->is_whole || !bb_answer_apply(answer, rules, code, NULL, outcome))
        bb_answer_apply_status(answer, outcome);
    const char *wait = bb_answer_code(answer, bb_json_get(answer->json, "retry_after"));
    if (outcome->verdict == BB_RETRY && outcome->retry_after_ms == 0)
        bb_outcome_act(outcome, BB_ACT_RETRY, bb_seconds_to_ms(wait));
}

static const char *const hosts[] = {"hooks.slack.com", "hooks.slack-gov.com", NULL};

extern const struct bb_endpoint bb_endpoint_slack;
const struct bb_endpoint bb_endpoint_slack = {
    .type = BB_SLACK,
    .label = "Slack",
    .hosts = hosts,
    .content_type = "application/json; charset=utf-8",
    .body_max = 256 * 1024,
    .is_success_by_body = true,
    .rates = {{1, 1000}}, /* docs.slack.dev, rate limits */
    .max_in_flight = 1,
    .age_limit_s = BB_CHAT_AGE_LIMIT_S,
    .configure = configure,
    .render = render,
    .judge = judge,
};
