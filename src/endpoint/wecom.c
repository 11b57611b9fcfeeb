/*
 * WeCom group robots: markdown, with the three colours that it knows.
 * Facts: developer.work.weixin.qq.com, documents 91770 and 99110.
 */
#include <string.h>

#include "endpoint/endpoint.h"

/* In bytes of UTF-8, of which the content may have 4,096. Link, mentions and what
 * a cut needs are set aside first; facts and description share the rest. */
enum {
    CONTENT_MAX = 4096,
    TITLE_MAX = 300,
    NAME_MAX_BYTES = 160,
    EXCERPT_MAX = 500,
    PERSON_MAX = 60,
    MENTIONS_SHOWN = 5,
    SMALLEST_PART = 40 /* less room is not worth beginning a line */
};

/* ---- markdown ---- */

static const unsigned char specials[256] = {
    ['<'] = 1, ['>'] = 1, ['['] = 1, [']'] = 1,  ['`'] = 1,
    ['#'] = 1, ['*'] = 1, ['&'] = 1, ['\n'] = 1,
};

/* No escape is documented: look-alikes, and a zero-width space within what would
 * be bold; there are no italics. */
static size_t escape_char(const char *begin, const char *at, char *out) {
    switch (*at) {
    case '<':
        return bb_escape_put(out, "＜");
    case '>':
        return bb_escape_put(out, "＞");
    case '[':
        return bb_escape_put(out, "［");
    case ']':
        return bb_escape_put(out, "］");
    case '`':
        return bb_escape_put(out, "'");
    case '\n': /* within the quote that a description stands in */
        return bb_escape_put(out, "\n> ");
    case '#':
        return bb_escape_put(out, bb_text_at_line_start(begin, at, false) ? BB_ZERO_WIDTH_SPACE "#"
                                                                          : "#");
    case '&':
        return bb_escape_put(out, bb_render_begins_entity(at) ? "&" BB_ZERO_WIDTH_SPACE : "&");
    case '*':
        return bb_escape_put(out, at[1] == '*' ? "*" BB_ZERO_WIDTH_SPACE : "*");
    default:
        *out = *at;
        return 1;
    }
}

static const struct bb_escape markdown = {specials, escape_char};

/* ---- render ---- */

/* Green, grey, orange: there are no others. */
static const char *const colors[] = {
    [BB_INFO] = "comment", [BB_SUCCESS] = "info", [BB_WARN] = "warning", [BB_ERROR] = "warning"};

/* Tells apart the two that are orange. */
static const char *const marks[] = {
    [BB_INFO] = "●", [BB_SUCCESS] = "●", [BB_WARN] = "▲", [BB_ERROR] = "●"};

/* Documented for people; that <@all> calls the room is what other senders rely on. */
static const char *person(struct bb_render *r, const bb_mention *mention) {
    if (mention->wecom)
        return bb_arena_join(r->arena, "<@%s>", mention->wecom);
    return bb_render_fit(r, "mentions", mention->name, &markdown,
                         (struct bb_limit){.bytes = PERSON_MAX});
}

static const char *link_text(struct bb_render *r) {
    if (!bb_render_has_link(r))
        return "";
    const char *link = bb_render_markdown_link(r);
    bool cut = false; /* the button's text was bounded already */
    const char *label =
        bb_text_fit(r->arena, bb_render_button(r), &markdown, (struct bb_limit){.units = 0}, &cut);
    return bb_arena_join(r->arena, "\n[%s](%s)", label, link);
}

/* What stands at the end and must not be cut. */
static const char *make_tail(struct bb_render *r) {
    const char *link = link_text(r),
               *mentions = bb_render_mentions(r, "<@all>", MENTIONS_SHOWN, person);
    return bb_arena_join(r->arena, "%s%s%s", link, mentions && *mentions ? "\n" : "", mentions);
}

/* A piece of the content: `text`, cut to `most` bytes and to what room there is. */
struct part {
    const char *name; /* for bb_cuts */
    const char *before;
    const char *text;
    const char *after;
    size_t most;
};

/* Adds the part whole, shortened, or (with too little room) not at all. */
static void add_part(struct bb_render *r, struct bb_buf *out, size_t room,
                     const struct part *part) {
    size_t around = part->before ? strlen(part->before) + strlen(part->after) : 0;
    size_t left = room - out->length, most = part->most;
    if (left < around + SMALLEST_PART) {
        bb_cuts_add(r->cuts, part->name);
        return;
    }
    if (most > left - around)
        most = left - around;
    bb_buf_text(out, part->before);
    bb_buf_text(
        out, bb_render_fit(r, part->name, part->text, &markdown, (struct bb_limit){.bytes = most}));
    bb_buf_text(out, part->after);
}

static void add_heading(struct bb_render *r, struct bb_buf *out, size_t room) {
    struct part part = {
        .name = "title",
        .before = bb_arena_join(r->arena, "### <font color=\"%s\">%s</font> ",
                                colors[r->message->level], marks[r->message->level]),
        .text = r->message->title,
        .after = "",
        .most = TITLE_MAX,
    };
    add_part(r, out, room, &part);
}

/* Half of the room that is left, where facts follow. */
static void add_description(struct bb_render *r, struct bb_buf *out, size_t room) {
    const struct bb_message *m = r->message;
    size_t left = room - out->length;
    struct part part = {
        .name = "description",
        .before = "\n> ",
        .text = m->description,
        .after = m->fact_count > 0 ? "\n" : "", /* else the facts would join the quote */
        .most = m->fact_count > 0 ? left / 2 : left,
    };
    if (m->description && *m->description)
        add_part(r, out, room, &part);
}

static void add_fact(struct bb_render *r, struct bb_buf *out, size_t room,
                     const struct bb_fact *fact) {
    const struct bb_message *m = r->message;
    bool is_status = fact->kind == BB_LABEL_STATUS;
    struct part part = {
        .name = fact->name,
        .before =
            bb_arena_join(r->arena, "\n%s%s<font color=\"%s\">", fact->label,
                          bb_word_colon(m->language), is_status ? colors[m->level] : "comment"),
        .text = bb_render_one_line(r, fact->value),
        .after = "</font>",
        .most = fact->is_long ? EXCERPT_MAX : NAME_MAX_BYTES,
    };
    if (fact->is_cut)
        bb_cuts_add(r->cuts, fact->name);
    add_part(r, out, room, &part);
}

static const char *make_content(struct bb_render *r) {
    const char *tail = make_tail(r), *copy = NULL;
    if (!tail)
        return NULL;
    size_t room = CONTENT_MAX - strlen(tail);
    struct bb_buf out;
    bb_buf_init(&out, r->arena->mem, CONTENT_MAX);
    add_heading(r, &out, room);
    add_description(r, &out, room);
    for (size_t i = 0; i < r->message->fact_count; i++)
        add_fact(r, &out, room, &r->message->facts[i]);
    bb_buf_text(&out, tail);
    if (!bb_buf_failed(&out))
        copy = bb_arena_copy(r->arena, out.data, out.length);
    bb_buf_free(&out);
    return copy;
}

static void render(struct bb_render *r) {
    bb_json_string(&r->json, "msgtype", "markdown");
    bb_json_object(&r->json, "markdown");
    bb_json_string(&r->json, "content", make_content(r));
    bb_json_end(&r->json);
}

/* ---- configure ---- */

static const char *configure(struct bb_arena *arena, const bb_webhook *webhook,
                             struct bb_url *url) {
    (void)arena;
    if (webhook->secret && *webhook->secret)
        return "secret: WeCom's robots have none, remove it";
    if (!webhook->allow_any_host && !bb_url_query_has(url->query, "key"))
        return "url: has no key in its query";
    return NULL;
}

/* ---- judge ---- */

enum { RATE_WAIT_S = 60 };

/* Document 90313 and bodies seen by users. 93000 once stood for a long content,
 * too, so its words count. */
static const struct bb_rule rules[] = {
    {BB_ANY_2XX, "0", NULL, BB_ACT_DELIVERED, 0},
    {0, "-1", NULL, BB_ACT_RETRY, 0},
    {0, "93000", "invalid webhook url", BB_ACT_DISABLE, 0},
    {0, "93000", NULL, BB_ACT_DROP, 0},
    {0, "93004", NULL, BB_ACT_DISABLE, 0},
    {0, "93008", NULL, BB_ACT_DISABLE, 0},
    {0, "49008", NULL, BB_ACT_DISABLE, 0},
    {0, "45009", NULL, BB_ACT_RETRY, RATE_WAIT_S},
    {0, "45033", NULL, BB_ACT_RETRY, 0},
    {0, "6000", NULL, BB_ACT_RETRY, 0},
    {0, "48002", NULL, BB_ACT_OPERATOR, 0},
    {0, "40001", NULL, BB_ACT_OPERATOR, 0},
    {0, "60020", NULL, BB_ACT_OPERATOR, 0},
    BB_RULE_END,
};

static void judge(const struct bb_answer *answer, const bb_webhook *webhook, bb_outcome *outcome) {
    (void)webhook;
    bb_answer_apply_body(answer, rules, "errcode", "errmsg", outcome);
}

static const char *const hosts[] = {"qyapi.weixin.qq.com", NULL};

extern const struct bb_endpoint bb_endpoint_wecom;
const struct bb_endpoint bb_endpoint_wecom = {
    .type = BB_WECOM,
    .label = "WeCom",
    .hosts = hosts,
    .content_type = "application/json; charset=utf-8",
    .body_max = 16 * 1024,
    .is_success_by_body = true,
    .rates = {{20, 60000}}, /* doc 91770 */
    .max_in_flight = 1,
    .age_limit_s = BB_CHAT_AGE_LIMIT_S,
    .configure = configure,
    .render = render,
    .judge = judge,
};
