/*
 * Microsoft Teams: an Adaptive Card 1.4 in a message, for Workflows and for the
 * old Office 365 connectors alike.
 * Facts: msteams-docs (connectors, cards reference), adaptivecards.io.
 */
#include <string.h>

#include "endpoint/endpoint.h"

/* In bytes of JSON. Teams refuses what it stores as more than 28 KB, which a
 * request of 19.6 KB has reached: the whole body stays below 16 KiB. */
static const struct bb_limit title_limit = {.json = 500};
static const struct bb_limit name_limit = {.json = 300};
static const struct bb_limit excerpt_limit = {.json = 1500};
static const struct bb_limit description_limit = {.json = 4300};
static const struct bb_limit person_limit = {.json = 90};

enum { MENTIONS_SHOWN = 5 };

/* ---- markdown ---- */

static const unsigned char specials[256] = {
    ['\\'] = 1, ['*'] = 1, ['_'] = 1, ['['] = 1, [']'] = 1, ['~'] = 1, ['`'] = 1, ['#'] = 1,
    ['>'] = 1,  ['+'] = 1, ['-'] = 1, ['.'] = 1, ['<'] = 1, ['{'] = 1, ['&'] = 1, ['\n'] = 1};

static bool begins_tag(const char *at) {
    return bb_is_letter(at[1]) || at[1] == '/' || at[1] == '!' || at[1] == '?';
}

/* Phones read a backslash only before [ ] * _; a tag, a function, an entity and
 * what leads a line are broken by a zero-width space. */
static size_t escape_char(const char *begin, const char *at, char *out) {
    char one[] = {*at, '\0'};
    switch (*at) {
    case '\n': /* a single one is a blank */
        return bb_escape_put(out, "\n\n");
    case '`':
    case '~':
        return bb_render_look_alike(*at, out);
    case '_': /* within a word inert, and often part of a link */
        if (bb_render_is_within_word(begin, at))
            return bb_escape_put(out, one);
        return bb_escape_put(out, "\\_");
    case '\\':
    case '*':
    case '[':
    case ']':
        return bb_escape_put(out, "\\") + bb_escape_put(out + 1, one);
    case '<':
        return begins_tag(at) ? bb_escape_put(out, "<" BB_ZERO_WIDTH_SPACE)
                              : bb_escape_put(out, one);
    case '{':
        return bb_escape_put(out, at[1] == '{' ? "{" BB_ZERO_WIDTH_SPACE : one);
    case '&':
        return bb_escape_put(out, bb_render_begins_entity(at) ? "&" BB_ZERO_WIDTH_SPACE : one);
    default: {
        bool leads = bb_render_is_markup(begin, at, "#>+-");
        size_t n = leads ? bb_escape_put(out, BB_ZERO_WIDTH_SPACE) : 0;
        return n + bb_escape_put(out + n, one);
    }
    }
}

static const struct bb_escape markdown = {specials, escape_char};

/* Between <at> and </at> the text must be the entity's, byte for byte. */
static const unsigned char name_specials[256] = {['<'] = 1, ['>'] = 1, ['{'] = 1};

static size_t escape_name(const char *begin, const char *at, char *out) {
    (void)begin;
    *out = *at == '>' ? ')' : '(';
    return 1;
}

static const struct bb_escape person = {name_specials, escape_name};

/* ---- render ---- */

static const char *const styles[] = {
    [BB_INFO] = "accent", [BB_SUCCESS] = "good", [BB_WARN] = "warning", [BB_ERROR] = "attention"};

static void push_text_block(struct bb_render *r, const char *text) {
    bb_json_object(&r->json, NULL);
    bb_json_string(&r->json, "type", "TextBlock");
    bb_json_string(&r->json, "text", text);
    bb_json_bool(&r->json, "wrap", true);
    bb_json_end(&r->json);
}

static void push_heading(struct bb_render *r) {
    const struct bb_message *m = r->message;
    bb_json_object(&r->json, NULL);
    bb_json_string(&r->json, "type", "Container");
    bb_json_string(&r->json, "style", styles[m->level]);
    bb_json_bool(&r->json, "bleed", true);
    bb_json_array(&r->json, "items");
    bb_json_object(&r->json, NULL);
    bb_json_string(&r->json, "type", "TextBlock");
    bb_json_string(&r->json, "text", bb_render_fit(r, "title", m->title, &markdown, title_limit));
    bb_json_string(&r->json, "weight", "Bolder");
    bb_json_string(&r->json, "size", "Medium");
    bb_json_bool(&r->json, "wrap", true);
    bb_json_end(&r->json);
    bb_json_end(&r->json);
    bb_json_end(&r->json);
}

static void push_facts(struct bb_render *r) {
    const struct bb_message *m = r->message;
    if (m->fact_count == 0)
        return;
    bb_json_object(&r->json, NULL);
    bb_json_string(&r->json, "type", "FactSet");
    bb_json_array(&r->json, "facts");
    for (size_t i = 0; i < m->fact_count; i++) {
        bb_json_object(&r->json, NULL);
        bb_json_string(&r->json, "title", m->facts[i].label);
        bb_json_string(&r->json, "value",
                       bb_render_fact_line(r, &m->facts[i], &markdown, name_limit, excerpt_limit));
        bb_json_end(&r->json);
    }
    bb_json_end(&r->json);
    bb_json_end(&r->json);
}

static const char *person_name(struct bb_render *r, const bb_mention *mention) {
    const char *name = *mention->name ? mention->name : mention->teams;
    return bb_render_fit(r, "mentions", name, &person, person_limit);
}

/* "everyone" cannot be notified from a webhook. */
static const char *mention_text(struct bb_render *r, const bb_mention *mention) {
    if (mention->teams)
        return bb_arena_join(r->arena, "<at>%s</at>", person_name(r, mention));
    return bb_render_fit(r, "mentions", mention->name, &markdown, person_limit);
}

static void push_mentions(struct bb_render *r) {
    const char *everyone = bb_word_everyone(r->message->language);
    const char *line = bb_render_mentions(r, everyone, MENTIONS_SHOWN, mention_text);
    if (!line || *line)
        push_text_block(r, line);
}

static void push_entities(struct bb_render *r) {
    const struct bb_message *m = r->message;
    bb_json_array(&r->json, "entities");
    for (size_t i = 0, n = bb_render_mention_count(r, MENTIONS_SHOWN); i < n; i++) {
        const bb_mention *mention = &m->mentions[i];
        if (!mention->teams)
            continue;
        bb_json_object(&r->json, NULL);
        bb_json_string(&r->json, "type", "mention");
        bb_json_string(&r->json, "text", mention_text(r, mention));
        bb_json_object(&r->json, "mentioned");
        bb_json_string(&r->json, "id", mention->teams);
        bb_json_string(&r->json, "name", person_name(r, mention));
        bb_json_end(&r->json);
        bb_json_end(&r->json);
    }
    bb_json_end(&r->json);
}

static void push_action(struct bb_render *r) {
    if (!bb_render_has_link(r))
        return;
    bb_json_array(&r->json, "actions");
    bb_json_object(&r->json, NULL);
    bb_json_string(&r->json, "type", "Action.OpenUrl");
    bb_json_string(&r->json, "title", bb_render_button(r));
    bb_json_string(&r->json, "url", r->message->link);
    bb_json_end(&r->json);
    bb_json_end(&r->json);
}

static void push_card(struct bb_render *r) {
    const struct bb_message *m = r->message;
    bb_json_object(&r->json, "content");
    bb_json_string(&r->json, "type", "AdaptiveCard");
    bb_json_string(&r->json, "$schema", "http://adaptivecards.io/schemas/adaptive-card.json");
    bb_json_string(&r->json, "version", "1.4");
    bb_json_object(&r->json, "msteams");
    bb_json_string(&r->json, "width", "Full");
    push_entities(r);
    bb_json_end(&r->json);
    bb_json_array(&r->json, "body");
    push_heading(r);
    if (m->description && *m->description)
        push_text_block(
            r, bb_render_fit(r, "description", m->description, &markdown, description_limit));
    push_facts(r);
    push_mentions(r);
    bb_json_end(&r->json);
    push_action(r);
    bb_json_end(&r->json);
}

static void render(struct bb_render *r) {
    bb_json_string(&r->json, "type", "message");
    bb_json_string(&r->json, "summary",
                   bb_render_fit(r, "title", r->message->title, NULL, title_limit));
    bb_json_array(&r->json, "attachments");
    bb_json_object(&r->json, NULL);
    bb_json_string(&r->json, "contentType", "application/vnd.microsoft.card.adaptive");
    bb_json_null(&r->json, "contentUrl");
    push_card(r);
    bb_json_end(&r->json);
    bb_json_end(&r->json);
}

static const char *configure(struct bb_arena *arena, const bb_webhook *webhook,
                             struct bb_url *url) {
    (void)arena;
    (void)url;
    if (webhook->secret && *webhook->secret)
        return "secret: Teams' webhooks have none, remove it";
    return NULL;
}

/* ---- judge ---- */

/* error.code of Power Automate and Logic Apps, as users report it. */
static const struct bb_rule workflow_rules[] = {
    {0, "WorkflowTriggerIsNotEnabled", NULL, BB_ACT_DISABLE, 0},
    {0, "WorkflowNotFound", NULL, BB_ACT_DISABLE, 0},
    {0, "TriggerInputSchemaMismatch", NULL, BB_ACT_DROP, 0},
    {0, "MissingApiVersionParameter", NULL, BB_ACT_OPERATOR, 0},
    {401, NULL, NULL, BB_ACT_OPERATOR, 0}, /* sig is missing, or a tenant is demanded */
    {403, NULL, NULL, BB_ACT_OPERATOR, 0},
    {404, NULL, NULL, BB_ACT_OPERATOR, 0},
    BB_RULE_END,
};

/* By the status that a connector has, or quotes in its words under HTTP 200. */
static const struct bb_rule connector_rules[] = {
    {0, NULL, "Invalid webhook URL", BB_ACT_DISABLE, 0},
    {403, NULL, NULL, BB_ACT_DISABLE, 0},
    {404, NULL, NULL, BB_ACT_DISABLE, 0},
    BB_RULE_END,
};

static bool is_connector(const bb_webhook *webhook, const char *host) {
    return webhook->teams_connector || bb_text_ends_with(host, ".webhook.office.com") ||
           strcmp(host, "outlook.office.com") == 0 || strcmp(host, "outlook.office365.com") == 0;
}

/* NNN of "Microsoft Teams endpoint returned HTTP error NNN", or 0. */
static int quoted_status(const char *text) {
    static const char words[] = "HTTP error ";
    const char *at = strstr(text, words);
    at = at ? at + sizeof words - 1 : "";
    if (strspn(at, "0123456789") != 3)
        return 0;
    return (at[0] - '0') * 100 + (at[1] - '0') * 10 + (at[2] - '0');
}

static void judge_connector(const struct bb_answer *answer, bb_outcome *outcome) {
    struct bb_answer quoted = *answer;
    bool is_success = answer->status >= 200 && answer->status <= 299;
    if (is_success && strcmp(answer->text, "1") == 0) {
        bb_outcome_act(outcome, BB_ACT_DELIVERED, 0);
        return;
    }
    if (is_success && quoted_status(answer->text) >= 300)
        quoted.status = quoted_status(answer->text);
    if (!bb_answer_apply(&quoted, connector_rules, NULL, answer->text, outcome))
        bb_answer_apply_status(&quoted, outcome);
}

static void judge_workflow(const struct bb_answer *answer, const char *code, bb_outcome *outcome) {
    if (answer->status >= 200 && answer->status <= 299)
        bb_outcome_act(outcome, BB_ACT_DELIVERED, 0);
    else if (!bb_answer_apply(answer, workflow_rules, code, NULL, outcome))
        bb_answer_apply_status(answer, outcome);
}

static void judge(const struct bb_answer *answer, const bb_webhook *webhook, bb_outcome *outcome) {
    const struct bb_value *error = bb_json_get(answer->json, "error");
    const char *code = bb_json_text(bb_json_get(error, "code"));
    const char *words = bb_json_text(bb_json_get(error, "message"));
    bb_outcome_quote(outcome, answer, code, words ? words : answer->text);
    if (is_connector(webhook, answer->host))
        judge_connector(answer, outcome);
    else
        judge_workflow(answer, code, outcome);
    if (outcome->verdict == BB_DELIVERED)
        bb_outcome_quote(outcome, answer, NULL, NULL);
}

static const char *const hosts[] = {
    ".logic.azure.com",    ".powerplatform.com", ".powerautomate.com",    ".flow.microsoft.com",
    ".webhook.office.com", "outlook.office.com", "outlook.office365.com", NULL};

extern const struct bb_endpoint bb_endpoint_teams;
const struct bb_endpoint bb_endpoint_teams = {
    .type = BB_TEAMS,
    .label = "Teams",
    .hosts = hosts,
    .content_type = "application/json; charset=utf-8",
    .body_max = 16 * 1024,
    .rates = {{4, 1000}}, /* msteams-docs, connectors-using */
    .max_in_flight = 1,
    .age_limit_s = BB_CHAT_AGE_LIMIT_S,
    .configure = configure,
    .render = render,
    .judge = judge,
};
