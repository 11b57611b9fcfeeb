#include "page_card.h"

static const char style[] =
    ".slack .frame{background:#fff;color:#1d1c1d;font:15px/1.47 Lato,\"Slack-Lato\",Inter,"
    "\"Noto Sans CJK SC\",\"PingFang SC\",\"Noto Color Emoji\",sans-serif;padding:16px 18px 18px;"
    "display:grid;grid-template-columns:36px minmax(0,1fr);gap:10px}\n"
    ".slack .avatar{width:36px;height:36px;border-radius:8px;background:#4f46e5;color:#fff;"
    "font:800 18px/36px Inter,sans-serif;text-align:center}\n"
    ".slack .who{display:flex;align-items:baseline;gap:6px}\n"
    ".slack .who b{font-weight:900}\n"
    ".slack .app{font-size:10px;line-height:1.4;background:#e8e8e8;color:#616061;border-radius:3px;"
    "padding:0 4px;align-self:center}\n"
    ".slack .who time,.slack .context{color:#616061;font-size:12px}\n"
    ".slack a{color:#1264a3}\n"
    ".slack .bar{border-left:4px solid;border-radius:4px;padding:2px 0 2px 12px;margin-top:6px;"
    "display:grid;gap:10px}\n"
    ".slack .fields{display:grid;grid-template-columns:1fr 1fr;gap:10px 14px}\n"
    ".slack .at{background:#e8f5fa;color:#1264a3;border-radius:3px;padding:0 2px}\n"
    ".slack code{font:12px/1.5 \"JetBrains Mono\",Menlo,monospace;color:#e01e5a;background:#f8f8f8;"
    "border:1px solid #ddd;border-radius:3px;padding:1px 3px}\n"
    ".slack .button{display:inline-block;border:1px solid #c9c9c9;border-radius:8px;"
    "font-weight:700;font-size:14px;padding:4px 12px;color:#1d1c1d}\n"
    ".slack .heading{font-weight:900;font-size:18px}\n";

static void put_text(const struct page_view *view, const struct json *object) {
    const struct markup markup = {view->out, &slack_dialect, view->event};
    if (json_says(object, "type", "plain_text"))
        html_text(view->out, json_string(object, "text"));
    else
        markup_write(&markup, json_string(object, "text"));
}

static void put_each(const struct page_view *view, const struct json *list, const char *class) {
    fprintf(view->out, "<div class=\"%s\">", class);
    for (const struct json *item = json_first(list); item; item = item->next) {
        fputs("<div>", view->out);
        put_text(view, item);
        fputs("</div>", view->out);
    }
    fputs("</div>", view->out);
}

static void put_section(const struct page_view *view, const struct json *block) {
    const struct json *fields = json_member(block, "fields");
    if (json_member(block, "text")) {
        fputs("<div>", view->out);
        put_text(view, json_member(block, "text"));
        fputs("</div>", view->out);
    }
    if (fields)
        put_each(view, fields, "fields");
}

static void put_actions(const struct page_view *view, const struct json *block) {
    const struct json *elements = json_member(block, "elements");
    fputs("<div>", view->out);
    for (const struct json *at = json_first(elements); at; at = at->next) {
        fputs("<span class=\"button\">", view->out);
        put_text(view, json_member(at, "text"));
        fputs("</span> ", view->out);
    }
    fputs("</div>", view->out);
}

static void put_block(const struct page_view *view, const struct json *block) {
    if (json_says(block, "type", "section"))
        put_section(view, block);
    else if (json_says(block, "type", "context"))
        put_each(view, json_member(block, "elements"), "context");
    else if (json_says(block, "type", "actions"))
        put_actions(view, block);
    else if (json_says(block, "type", "header")) {
        fputs("<div class=\"heading\">", view->out);
        put_text(view, json_member(block, "text"));
        fputs("</div>", view->out);
    }
}

static void put_attachment(const struct page_view *view, const struct json *attachment) {
    const struct json *blocks = json_member(attachment, "blocks");
    fprintf(view->out, "<div class=\"bar\" style=\"border-color:%s\">",
            html_color(json_string(attachment, "color"), "#dddddd"));
    for (const struct json *block = json_first(blocks); block; block = block->next)
        put_block(view, block);
    fputs("</div>", view->out);
}

static void write_message(const struct page_view *view) {
    const struct json *attachments = json_member(view->message, "attachments");
    fputs("<div class=\"avatar\">B</div><div><div class=\"who\"><b>Bytebase</b>"
          "<span class=\"app\">APP</span><time>",
          view->out);
    html_clock(view->out, view->exchange->time_ms / 1000);
    fputs("</time></div><div>", view->out);
    put_text(view, view->message);
    fputs("</div>", view->out);
    for (const struct json *at = json_first(attachments); at; at = at->next)
        put_attachment(view, at);
    fputs("</div>", view->out);
}

const struct page_card page_slack = {"Slack", "#db-changes", "slack", style, write_message};
