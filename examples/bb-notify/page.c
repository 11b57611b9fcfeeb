#include "page.h"

#include "page_card.h"

static const struct page_card *const cards[] = {
    [BB_SLACK] = &page_slack,       [BB_DISCORD] = &page_discord, [BB_TEAMS] = &page_teams,
    [BB_DINGTALK] = &page_dingtalk, [BB_FEISHU] = &page_feishu,   [BB_WECOM] = &page_wecom,
    [BB_CUSTOM] = &page_custom};

static const char style[] =
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:#eef0f3;color:#1c2430;font:16px/1.5 Inter,system-ui,\"Segoe UI\","
    "\"Noto Sans CJK SC\",\"PingFang SC\",\"Noto Color Emoji\",sans-serif}\n"
    ".page{max-width:1640px;margin:0 auto;padding:44px 40px 60px}\n"
    ".top h1{font-size:34px;line-height:1.2;letter-spacing:-.02em;margin:0 0 8px;font-weight:700}\n"
    ".top p{margin:0;color:#5b6675}\n"
    ".top small{font-size:15px;font-weight:500;color:#7b8694;letter-spacing:0}\n"
    ".top code{font:.88em \"JetBrains Mono\",Menlo,Consolas,monospace;white-space:nowrap}\n"
    ".event{margin-top:44px}\n"
    ".event>h2{font-size:20px;font-weight:600;letter-spacing:-.01em;margin:0 0 4px;display:flex;"
    "align-items:center;gap:10px}\n"
    ".dot{width:11px;height:11px;border-radius:50%;background:#2563eb;flex:none}\n"
    ".dot.SUCCESS{background:#16a34a}.dot.WARN{background:#d97706}.dot.ERROR{background:#dc2626}\n"
    ".event>p{margin:0 0 18px 21px;color:#5b6675;font-size:14px}\n"
    ".event>p code,.answer{font-family:\"JetBrains "
    "Mono\",Menlo,Consolas,monospace;font-size:12px}\n"
    ".rooms{display:grid;grid-template-columns:repeat(auto-fill,minmax(340px,1fr));gap:22px 20px;"
    "align-items:start}\n"
    ".room h3{font-size:13px;font-weight:600;margin:0 0 8px 2px;display:flex;gap:8px;"
    "align-items:baseline}\n"
    ".room h3 span{color:#7b8694;font-weight:400}\n"
    ".frame{border-radius:12px;overflow:hidden;box-shadow:0 0 0 1px #1c24300f,0 1px 2px #1c243014,"
    "0 8px 24px -12px #1c243026;overflow-wrap:anywhere}\n"
    ".frame .gap{height:.7em}\n"
    ".frame pre{margin:4px 0;padding:8px;white-space:pre-wrap;background:#0000000a}\n"
    ".frame blockquote{margin:0;border-left:4px solid #ddd;padding-left:10px}\n"
    ".frame .list>div{padding-left:1em;text-indent:-.75em}\n"
    ".frame a{text-decoration:none}\n"
    ".answer{color:#7b8694;margin:8px 2px 0;white-space:nowrap;overflow:hidden;"
    "text-overflow:ellipsis}\n"
    ".answer b{color:#16803c;font-weight:600}.answer.no b{color:#b91c1c}\n"
    "@media(max-width:800px){.page{padding:24px 16px}.custom{grid-column:auto!important}}\n";

static void put_head(FILE *out) {
    fputs("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width\">\n"
          "<title>bb_webhook: what the rooms see</title>\n<style>\n",
          out);
    fputs(style, out);
    for (bb_type type = BB_SLACK; type <= BB_CUSTOM; type++)
        fputs(cards[type]->style, out);
    fprintf(out,
            "</style>\n<div class=\"page\">\n<header class=\"top\"><h1>bb_webhook <small>%s</small>"
            "</h1><p>One <code>bb_webhook_post()</code>, seven rooms. Each card is drawn from the "
            "request that the receiver of <code>bb-notify --demo</code> got, the way its product "
            "lays it out.</p></header>\n",
            bb_webhook_version());
}

static void put_answer(const struct page_view *view) {
    const struct receiver_answer *answer = &view->exchange->answer;
    bool taken = answer->status >= 200 && answer->status <= 299;
    fprintf(view->out, "<div class=\"answer%s\"><b>%d</b> ", taken ? "" : " no", answer->status);
    html_text(view->out, answer->body);
    fputs("</div>", view->out);
}

static void put_message(const struct page_view *view, const struct page_card *card) {
    fputs("<div class=\"frame\">", view->out);
    card->write(view);
    fputs("</div>", view->out);
    put_answer(view);
}

static void put_room(FILE *out, const struct page_section *section, bb_type type) {
    const struct page_card *card = cards[type];
    const struct receiver_exchange *exchange = section->messages[type];
    struct json *body =
        exchange ? json_parse(exchange->request.body, exchange->request.body_length) : NULL;
    struct page_view view = {out, section->event, exchange, body};
    fprintf(out, "<article class=\"room %s\"><h3>%s <span>%s</span></h3>", card->class,
            card->product, card->room);
    if (body)
        put_message(&view, card);
    else
        fputs("<p>Nothing arrived.</p>", out);
    fputs("</article>\n", out);
    json_free(body);
}

/* The neutral title and level, which the Custom endpoint carries as they are. */
static void put_heading(FILE *out, const struct page_section *section) {
    const struct receiver_exchange *exchange = section->messages[BB_CUSTOM];
    struct json *body =
        exchange ? json_parse(exchange->request.body, exchange->request.body_length) : NULL;
    fputs("<h2><span class=\"dot ", out);
    html_text(out, json_string(body, "level"));
    fputs("\"></span>", out);
    html_text(out, json_string(body, "title"));
    fprintf(out, "</h2><p><code>%s</code> · ", bb_activity_name(section->event->activity));
    html_date(out, section->time_ms / 1000);
    fputs(", ", out);
    html_clock(out, section->time_ms / 1000);
    fputs(" UTC</p>\n", out);
    json_free(body);
}

void page_write(FILE *out, const struct page_section *sections, size_t count) {
    put_head(out);
    for (size_t i = 0; i < count; i++) {
        fputs("<section class=\"event\">", out);
        put_heading(out, &sections[i]);
        fputs("<div class=\"rooms\">\n", out);
        for (bb_type type = BB_SLACK; type <= BB_CUSTOM; type++)
            put_room(out, &sections[i], type);
        fputs("</div></section>\n", out);
    }
    fputs("</div>\n</html>\n", out);
}
