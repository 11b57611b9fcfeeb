#include "page_card.h"

static const char style[] =
    ".wecom .frame{background:#ebedf0;color:#1f2329;font:14px/1.65 \"PingFang SC\",Inter,"
    "\"Noto Sans CJK SC\",\"Microsoft YaHei\",\"Noto Color Emoji\",sans-serif;padding:16px;"
    "display:grid;grid-template-columns:36px minmax(0,1fr);gap:10px}\n"
    ".wecom .avatar{width:36px;height:36px;border-radius:4px;background:#2f7dcd;color:#fff;"
    "font:700 17px/36px Inter,sans-serif;text-align:center}\n"
    ".wecom .who{font-size:12px;color:#7d7e80;margin-bottom:4px}\n"
    ".wecom .robot{color:#2f7dcd;margin-left:4px}\n"
    ".wecom .bubble{background:#fff;border-radius:4px;padding:11px 14px}\n"
    ".wecom .h1{font-size:19px}.wecom .h2{font-size:17px}.wecom .h3{font-size:16px}\n"
    ".wecom .h1,.wecom .h2,.wecom .h3,.wecom .h4{font-weight:600;line-height:1.45;"
    "margin-bottom:4px}\n"
    ".wecom blockquote{border-left:3px solid #dcdee2;color:#7d7e80;padding-left:10px;margin:0}\n"
    ".wecom a,.wecom .at{color:#2f7dcd}\n"
    ".wecom code{font:12px \"JetBrains Mono\",monospace;background:#f2f3f5;padding:1px 3px}\n"
    ".wecom .font-info{color:#07a35a}.wecom .font-comment{color:#8c8c8c}\n"
    ".wecom .font-warning{color:#f37b1d}\n";

static void write_message(const struct page_view *view) {
    const struct markup markup = {view->out, &wecom_dialect, view->event};
    fputs("<div class=\"avatar\">B</div><div><div class=\"who\">Bytebase"
          "<span class=\"robot\">BOT</span></div><div class=\"bubble\">",
          view->out);
    markup_write(&markup, json_string(json_member(view->message, "markdown"), "content"));
    fputs("</div></div>", view->out);
}

const struct page_card page_wecom = {"WeCom 企业微信", "DB changes", "wecom", style, write_message};
