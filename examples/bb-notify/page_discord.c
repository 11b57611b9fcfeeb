#include <string.h>

#include "page_card.h"

static const char style[] =
    ".discord .frame{background:#313338;color:#dbdee1;font:15px/1.4 \"gg sans\",Inter,"
    "\"Noto Sans CJK SC\",\"PingFang SC\",\"Noto Color "
    "Emoji\",sans-serif;padding:16px;display:grid;"
    "grid-template-columns:40px minmax(0,1fr);gap:14px}\n"
    ".discord .avatar{width:40px;height:40px;border-radius:50%;background:#4f46e5;color:#fff;"
    "font:800 19px/40px Inter,sans-serif;text-align:center}\n"
    ".discord .who{display:flex;align-items:baseline;gap:6px}\n"
    ".discord .who b{color:#f2f3f5;font-weight:500}\n"
    ".discord .app{background:#5865f2;color:#fff;font-size:10px;font-weight:600;line-height:15px;"
    "border-radius:3px;padding:0 5px;align-self:center}\n"
    ".discord .who time{color:#949ba4;font-size:12px}\n"
    ".discord a{color:#00a8fc}\n"
    ".discord .embed{background:#2b2d31;border-left:4px solid;border-radius:4px;margin-top:4px;"
    "padding:10px 14px 14px 12px;display:grid;gap:8px;font-size:14px}\n"
    ".discord .title{font-weight:600;font-size:15px;color:#f2f3f5}\n"
    ".discord .fields{display:grid;grid-template-columns:repeat(var(--n),minmax(0,1fr));gap:8px}\n"
    ".discord .fields b{display:block;color:#f2f3f5;font-weight:600}\n"
    ".discord .foot{color:#b5bac1;font-size:12px}\n"
    ".discord .at{background:#3c4270;color:#c9cdfb;border-radius:3px;padding:0 2px;"
    "font-weight:500}\n"
    ".discord code{font:13px \"JetBrains Mono\",Menlo,monospace;background:#1e1f22;"
    "border-radius:3px;padding:1px 3px}\n";

static void put_markup(const struct page_view *view, const char *text) {
    const struct markup markup = {view->out, &discord_dialect, view->event};
    markup_write(&markup, text);
}

static void put_title(const struct page_view *view, const struct json *embed) {
    const char *title = json_string(embed, "title");
    const struct json *url = json_member(embed, "url");
    if (!title)
        return;
    fputs("<div class=\"title\">", view->out);
    if (json_is(url, JSON_STRING))
        html_link_open(view->out, url->text, strlen(url->text));
    put_markup(view, title);
    if (json_is(url, JSON_STRING))
        html_link_close(view->out);
    fputs("</div>", view->out);
}

static bool is_inline(const struct json *field) {
    const struct json *value = json_member(field, "inline");
    return json_is(value, JSON_BOOL) && value->number > 0;
}

/* Neighbours that are inline share a line, three at most, in columns of one width. */
static size_t fields_in_line(const struct json *field) {
    size_t count = 0;
    while (count < 3 && field && is_inline(field)) {
        field = field->next;
        count++;
    }
    return count ? count : 1;
}

static const struct json *put_line(const struct page_view *view, const struct json *field) {
    size_t count = fields_in_line(field);
    fprintf(view->out, "<div class=\"fields\" style=\"--n:%zu\">", count);
    for (; count > 0; count--, field = field->next) {
        fputs("<div><b>", view->out);
        put_markup(view, json_string(field, "name"));
        fputs("</b>", view->out);
        put_markup(view, json_string(field, "value"));
        fputs("</div>", view->out);
    }
    fputs("</div>", view->out);
    return field;
}

static void put_footer(const struct page_view *view, const struct json *embed) {
    const char *text = json_string(json_member(embed, "footer"), "text");
    const char *time = json_string(embed, "timestamp");
    if (!text && !time)
        return;
    fputs("<div class=\"foot\">", view->out);
    html_text(view->out, text);
    if (time && strlen(time) >= 16) {
        fputs(text ? " • " : "", view->out);
        html_slice(view->out, time, 10);
        fputs(" ", view->out);
        html_slice(view->out, time + 11, 5);
    }
    fputs("</div>", view->out);
}

static void put_embed(const struct page_view *view, const struct json *embed) {
    const struct json *color = json_member(embed, "color");
    const struct json *fields = json_member(embed, "fields");
    unsigned rgb = json_is(color, JSON_NUMBER) ? (unsigned)color->number & 0xffffff : 0x1e1f22;
    fprintf(view->out, "<div class=\"embed\" style=\"border-color:#%06x\">", rgb);
    put_title(view, embed);
    if (json_string(embed, "description")) {
        fputs("<div>", view->out);
        put_markup(view, json_string(embed, "description"));
        fputs("</div>", view->out);
    }
    for (const struct json *field = json_first(fields); field;)
        field = put_line(view, field);
    put_footer(view, embed);
    fputs("</div>", view->out);
}

static void write_message(const struct page_view *view) {
    const struct json *embeds = json_member(view->message, "embeds");
    fputs("<div class=\"avatar\">B</div><div><div class=\"who\"><b>Bytebase</b>"
          "<span class=\"app\">APP</span><time>Today at ",
          view->out);
    html_clock(view->out, view->exchange->time_ms / 1000);
    fputs("</time></div>", view->out);
    put_markup(view, json_string(view->message, "content"));
    for (const struct json *embed = json_first(embeds); embed; embed = embed->next)
        put_embed(view, embed);
    fputs("</div>", view->out);
}

const struct page_card page_discord = {"Discord", "# db-changes", "discord", style, write_message};
