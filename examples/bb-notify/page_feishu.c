#include "page_card.h"

static const char style[] =
    ".feishu .frame{background:#fff;color:#1f2329;font:14px/1.6 \"PingFang SC\",Inter,"
    "\"Noto Sans CJK SC\",\"Microsoft YaHei\",\"Noto Color Emoji\",sans-serif;padding:16px;"
    "display:grid;grid-template-columns:36px minmax(0,1fr);gap:10px}\n"
    ".feishu .avatar{width:36px;height:36px;border-radius:50%;background:#3370ff;color:#fff;"
    "font:700 17px/36px Inter,sans-serif;text-align:center}\n"
    ".feishu .who{font-size:12px;color:#646a73;margin-bottom:4px}\n"
    ".feishu .robot{background:#fdf1d2;color:#8d5b00;border-radius:3px;font-size:10px;"
    "padding:1px 4px;margin-left:4px}\n"
    ".feishu .card{border:1px solid #dee0e3;border-radius:8px;overflow:hidden}\n"
    ".feishu .head{padding:12px 14px;font-weight:600;font-size:16px;line-height:1.4;"
    "background:#eff0f1}\n"
    ".feishu .head.blue{background:#e1eaff;color:#245bdb}\n"
    ".feishu .head.wathet{background:#d9f3fd;color:#0a6c8d}\n"
    ".feishu .head.turquoise{background:#d5f6f2;color:#04756c}\n"
    ".feishu .head.green{background:#d9f5d6;color:#237b19}\n"
    ".feishu .head.yellow{background:#faf1d1;color:#7c5f00}\n"
    ".feishu .head.orange{background:#feead2;color:#a14d05}\n"
    ".feishu .head.red,.feishu .head.carmine{background:#fde2e2;color:#ac2f28}\n"
    ".feishu .body{padding:12px 14px;display:grid;gap:12px}\n"
    ".feishu .fields{display:grid;grid-template-columns:1fr 1fr;gap:10px 14px}\n"
    ".feishu .wide{grid-column:1/-1}\n"
    ".feishu hr{border:0;border-top:1px solid #dee0e3;margin:0}\n"
    ".feishu .note{color:#8f959e;font-size:12px}\n"
    ".feishu a,.feishu .at{color:#3370ff}\n"
    ".feishu .button{display:inline-block;border:1px solid #d0d3d6;border-radius:6px;"
    "padding:4px 12px}\n"
    ".feishu .button.primary{background:#3370ff;border-color:#3370ff;color:#fff}\n"
    ".feishu .button.danger{background:#f54a45;border-color:#f54a45;color:#fff}\n"
    ".feishu .font-green{color:#2ea121}.feishu .font-red{color:#d83931}\n"
    ".feishu .font-grey{color:#8f959e}\n";

static void put_markup(const struct page_view *view, const char *text) {
    const struct markup markup = {view->out, &feishu_dialect, view->event};
    markup_write(&markup, text);
}

static void put_text(const struct page_view *view, const struct json *text) {
    if (json_says(text, "tag", "plain_text"))
        html_text(view->out, json_string(text, "content"));
    else
        put_markup(view, json_string(text, "content"));
}

static void put_div(const struct page_view *view, const struct json *div) {
    const struct json *fields = json_member(div, "fields");
    if (json_member(div, "text")) {
        fputs("<div>", view->out);
        put_text(view, json_member(div, "text"));
        fputs("</div>", view->out);
    }
    fputs("<div class=\"fields\">", view->out);
    for (const struct json *field = json_first(fields); field; field = field->next) {
        const struct json *narrow = json_member(field, "is_short");
        fputs(narrow && narrow->number > 0 ? "<div>" : "<div class=\"wide\">", view->out);
        put_text(view, json_member(field, "text"));
        fputs("</div>", view->out);
    }
    fputs("</div>", view->out);
}

static void put_actions(const struct page_view *view, const struct json *actions) {
    fputs("<div>", view->out);
    for (const struct json *at = json_first(actions); at; at = at->next) {
        fputs("<span class=\"button ", view->out);
        html_text(view->out, json_string(at, "type"));
        fputs("\">", view->out);
        put_text(view, json_member(at, "text"));
        fputs("</span> ", view->out);
    }
    fputs("</div>", view->out);
}

static void put_note(const struct page_view *view, const struct json *parts) {
    fputs("<div class=\"note\">", view->out);
    for (const struct json *part = json_first(parts); part; part = part->next) {
        put_text(view, part);
        fputs(" ", view->out);
    }
    fputs("</div>", view->out);
}

static void put_element(const struct page_view *view, const struct json *element) {
    if (json_says(element, "tag", "div")) {
        put_div(view, element);
    } else if (json_says(element, "tag", "markdown")) {
        fputs("<div>", view->out);
        put_markup(view, json_string(element, "content"));
        fputs("</div>", view->out);
    } else if (json_says(element, "tag", "hr")) {
        fputs("<hr>", view->out);
    } else if (json_says(element, "tag", "action")) {
        put_actions(view, json_member(element, "actions"));
    } else if (json_says(element, "tag", "note")) {
        put_note(view, json_member(element, "elements"));
    }
}

static void write_message(const struct page_view *view) {
    const struct json *card = json_member(view->message, "card");
    const struct json *header = json_member(card, "header");
    const struct json *elements = json_member(card, "elements");
    fputs("<div class=\"avatar\">B</div><div><div class=\"who\">Bytebase"
          "<span class=\"robot\">机器人</span></div><div class=\"card\"><div class=\"head ",
          view->out);
    html_text(view->out, json_string(header, "template"));
    fputs("\">", view->out);
    html_text(view->out, json_string(json_member(header, "title"), "content"));
    fputs("</div><div class=\"body\">", view->out);
    for (const struct json *at = json_first(elements); at; at = at->next)
        put_element(view, at);
    fputs("</div></div></div>", view->out);
}

const struct page_card page_feishu = {"Feishu 飞书", "数据库变更", "feishu", style, write_message};
