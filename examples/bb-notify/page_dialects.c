#include "page_markup.h"

#include <stdlib.h>
#include <string.h>

#include "page_html.h"

/* The text between `open` and `close` at `at`; NULL: it does not stand there. */
static const char *between(const char *at, size_t length, const char *open, const char *close,
                           size_t *inner) {
    size_t n = strlen(open);
    if (length < n || memcmp(at, open, n) != 0)
        return NULL;
    for (const char *end = at + n; end + strlen(close) <= at + length; end++)
        if (memcmp(end, close, strlen(close)) == 0) {
            *inner = (size_t)(end - at) - n;
            return at + n;
        }
    return NULL;
}

static bool is_id(const char *id, const char *at, size_t length) {
    return id && strlen(id) == length && memcmp(id, at, length) == 0;
}

/* DingTalk and WeCom know people by a phone number too, "+86" and blanks apart. */
static bool is_phone(const char *phone, const char *at, size_t length) {
    size_t n = phone ? strlen(phone) : 0;
    return n >= length && length == 11 && memcmp(phone + n - length, at, length) == 0;
}

static const char *name_of(const bb_event *event, const char *id, size_t length) {
    for (size_t i = 0; event && i < event->mention_count; i++) {
        const bb_mention *who = event->mentions[i];
        if (is_id(who->slack, id, length) || is_id(who->discord, id, length) ||
            is_id(who->feishu, id, length) || is_id(who->wecom, id, length) ||
            is_id(who->dingtalk, id, length) || is_phone(who->phone, id, length))
            return who->name;
    }
    return NULL;
}

/* What a client shows in place of an id that it knows. */
static void put_mention(const struct markup *m, const char *id, size_t length) {
    const char *name = name_of(m->event, id, length);
    fputs("<span class=\"at\">@", m->out);
    html_slice(m->out, name ? name : id, name ? strlen(name) : length);
    fputs("</span>", m->out);
}

/* <font color="x">inner</font>: a class of its own for each colour. */
static size_t put_font(const struct markup *m, const char *at, size_t length) {
    static const char *const colors[] = {"info", "comment", "warning", "green", "red", "grey"};
    size_t tag, inner;
    const char *open = between(at, length, "<font color=", ">", &tag);
    if (!open)
        return 0;
    const char *text = open + tag + 1;
    const char *start = between(text, length - (size_t)(text - at), "", "</font>", &inner);
    if (!start)
        return 0;
    const char *class = "default";
    for (size_t i = 0; i < sizeof colors / sizeof *colors; i++)
        if (tag == strlen(colors[i]) + 2 && memcmp(open + 1, colors[i], tag - 2) == 0)
            class = colors[i];
    fprintf(m->out, "<span class=\"font-%s\">", class);
    markup_line(m, text, inner);
    fputs("</span>", m->out);
    return (size_t)(text - at) + inner + strlen("</font>");
}

/* ---- Slack: <url|label>, <@U..>, <!channel>, <!date^TIME^FORMAT|text> */

enum { SLACK_URL_MAX = 3000 };

/* A URL's `&` comes as its entity. */
static size_t decode_slack_url(const char *at, size_t length, char url[SLACK_URL_MAX]) {
    size_t used = 0;
    for (size_t i = 0; i < length && used < SLACK_URL_MAX; i++) {
        url[used++] = at[i];
        if (length - i >= 5 && memcmp(at + i, "&amp;", 5) == 0)
            i += 4;
    }
    return used;
}

static void put_slack_link(const struct markup *m, const char *at, size_t length) {
    char url[SLACK_URL_MAX] = "";
    const char *bar = memchr(at, '|', length);
    size_t url_length = bar ? (size_t)(bar - at) : length;
    html_link_open(m->out, url, decode_slack_url(at, url_length, url));
    if (bar)
        markup_line(m, bar + 1, length - url_length - 1);
    else
        html_slice(m->out, at, length);
    html_link_close(m->out);
}

static size_t slack_special(const struct markup *m, const char *at, size_t length) {
    size_t inner;
    const char *text = between(at, length, "<", ">", &inner);
    if (!text || inner < 2)
        return 0;
    if (inner > 6 && memcmp(text, "!date^", 6) == 0) {
        html_date(m->out, strtoll(text + 6, NULL, 10));
        fputs(" at ", m->out);
        html_clock(m->out, strtoll(text + 6, NULL, 10));
    } else if (*text == '@' || *text == '!') {
        put_mention(m, text + 1, inner - 1);
    } else {
        put_slack_link(m, text, inner);
    }
    return inner + 2;
}

static const char *const slack_entities[] = {"amp", "&", "lt", "<", "gt", ">", NULL};
static const struct marker slack_marks[] = {
    {"*", "b", true}, {"_", "i", true}, {"~", "s", true}, {"`", "code", true}, {NULL, NULL, false}};
const struct dialect slack_dialect = {
    .blocks = ">`", .names = slack_entities, .marks = slack_marks, .special = slack_special};

/* ---- Discord: <@ID> */

static size_t discord_special(const struct markup *m, const char *at, size_t length) {
    size_t inner;
    const char *text = between(at, length, "<@", ">", &inner);
    if (!text || inner == 0 || strspn(text, "0123456789") < inner)
        return 0;
    put_mention(m, text, inner);
    return inner + 3;
}

static const struct marker discord_marks[] = {
    {"**", "b", false},   {"__", "u", true}, {"~~", "s", false}, {"||", "mark", false},
    {"`", "code", false}, {"*", "i", false}, {"_", "i", true},   {NULL, NULL, false}};
const struct dialect discord_dialect = {.backslash = true,
                                        .links = true,
                                        .blocks = "#>-`",
                                        .marks = discord_marks,
                                        .special = discord_special};

/* ---- Teams: a part of CommonMark, and <at>Name</at> */

static size_t teams_special(const struct markup *m, const char *at, size_t length) {
    size_t inner;
    const char *text = between(at, length, "<at>", "</at>", &inner);
    if (!text)
        return 0;
    fputs("<span class=\"at\">", m->out);
    html_slice(m->out, text, inner);
    fputs("</span>", m->out);
    return inner + strlen("<at></at>");
}

static const struct marker markdown_marks[] = {
    {"**", "b", false}, {"*", "i", false}, {"_", "i", true}, {NULL, NULL, false}};
const struct dialect teams_dialect = {.backslash = true,
                                      .links = true,
                                      .joins_lines = true,
                                      .blocks = "-",
                                      .marks = markdown_marks,
                                      .special = teams_special};

/* ---- DingTalk: @13800000000, <font color> */

static size_t dingtalk_special(const struct markup *m, const char *at, size_t length) {
    size_t digits = 0;
    if (*at == '<')
        return put_font(m, at, length);
    while (digits + 1 < length && at[digits + 1] >= '0' && at[digits + 1] <= '9')
        digits++;
    if (!name_of(m->event, at + 1, digits))
        return 0;
    put_mention(m, at + 1, digits);
    return digits + 1;
}

static const char *const html_entities[] = {"amp", "&",    "lt", "<",   "gt", ">", "quot",
                                            "\"",  "nbsp", " ",  "sim", "~",  NULL};
const struct dialect dingtalk_dialect = {.backslash = true,
                                         .links = true,
                                         .joins_lines = true,
                                         .blocks = "#>-",
                                         .names = html_entities,
                                         .numbers = true,
                                         .marks = markdown_marks,
                                         .special = dingtalk_special};

/* ---- Feishu: <at id=ou_x></at>, <font color='green'> */

static size_t feishu_special(const struct markup *m, const char *at, size_t length) {
    size_t inner;
    const char *text = between(at, length, "<at id=", "></at>", &inner);
    if (!text)
        return put_font(m, at, length);
    put_mention(m, text, inner);
    return inner + strlen("<at id=></at>");
}

static const struct marker lark_marks[] = {
    {"**", "b", false}, {"~~", "s", false}, {"*", "i", false}, {NULL, NULL, false}};
const struct dialect feishu_dialect = {.links = true,
                                       .blocks = "-",
                                       .names = html_entities,
                                       .numbers = true,
                                       .marks = lark_marks,
                                       .special = feishu_special};

/* ---- WeCom: <@userid>, <font color="info"> */

static size_t wecom_special(const struct markup *m, const char *at, size_t length) {
    size_t inner;
    const char *text = between(at, length, "<@", ">", &inner);
    if (!text)
        return put_font(m, at, length);
    put_mention(m, text, inner);
    return inner + 3;
}

static const struct marker wecom_marks[] = {
    {"**", "b", false}, {"`", "code", false}, {NULL, NULL, false}};
const struct dialect wecom_dialect = {
    .links = true, .blocks = "#>", .marks = wecom_marks, .special = wecom_special};
