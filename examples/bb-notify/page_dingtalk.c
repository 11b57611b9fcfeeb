#include "page_card.h"

static const char style[] =
    ".dingtalk .frame{background:#f2f2f6;color:#171a1d;font:14px/1.6 \"PingFang SC\",Inter,"
    "\"Noto Sans CJK SC\",\"Microsoft YaHei\",\"Noto Color Emoji\",sans-serif;padding:16px;"
    "display:grid;grid-template-columns:36px minmax(0,1fr);gap:10px}\n"
    ".dingtalk .avatar{width:36px;height:36px;border-radius:50%;background:#1677ff;color:#fff;"
    "font:700 17px/36px Inter,sans-serif;text-align:center}\n"
    ".dingtalk .who{font-size:12px;color:#747677;margin-bottom:4px}\n"
    ".dingtalk .robot{background:#e7f1ff;color:#1677ff;border-radius:3px;font-size:10px;"
    "padding:1px 4px;margin-left:4px}\n"
    ".dingtalk .bubble{background:#fff;border-radius:2px 8px 8px 8px;padding:12px "
    "14px;display:grid;"
    "gap:8px}\n"
    ".dingtalk .h1{font-size:20px}.dingtalk .h2{font-size:18px}.dingtalk .h3{font-size:16px}\n"
    ".dingtalk .h1,.dingtalk .h2,.dingtalk .h3,.dingtalk .h4{font-weight:600;line-height:1.4}\n"
    ".dingtalk blockquote{border-left:3px solid #d9dadb;color:#747677;padding-left:10px;margin:0}\n"
    ".dingtalk .list{display:grid;gap:2px}\n"
    ".dingtalk a,.dingtalk .at{color:#1677ff}\n"
    ".dingtalk .button{border-top:1px solid #ebecef;margin:4px -14px -12px;padding:10px;"
    "text-align:center;color:#1677ff}\n";

static void put_buttons(const struct page_view *view, const struct json *card) {
    const struct json *buttons = json_member(card, "btns");
    if (json_string(card, "singleTitle")) {
        fputs("<div class=\"button\">", view->out);
        html_text(view->out, json_string(card, "singleTitle"));
        fputs("</div>", view->out);
    }
    for (const struct json *at = json_first(buttons); at; at = at->next) {
        fputs("<div class=\"button\">", view->out);
        html_text(view->out, json_string(at, "title"));
        fputs("</div>", view->out);
    }
}

static void write_message(const struct page_view *view) {
    const struct markup markup = {view->out, &dingtalk_dialect, view->event};
    const struct json *card = json_member(view->message, "actionCard");
    const struct json *body = card ? card : json_member(view->message, "markdown");
    fputs("<div class=\"avatar\">B</div><div><div class=\"who\">Bytebase"
          "<span class=\"robot\">机器人</span></div><div class=\"bubble\">",
          view->out);
    markup_write(&markup, json_string(body, "text"));
    put_buttons(view, card);
    fputs("</div></div>", view->out);
}

const struct page_card page_dingtalk = {"DingTalk 钉钉", "数据库变更群", "dingtalk", style,
                                        write_message};
