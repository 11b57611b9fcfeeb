#include "page_card.h"

static const char style[] =
    ".teams .frame{background:#f5f5f5;color:#242424;font:14px/1.45 \"Segoe UI\",Inter,"
    "\"Noto Sans CJK SC\",\"Microsoft YaHei\",\"Noto Color Emoji\",sans-serif;padding:16px}\n"
    ".teams .who{display:flex;align-items:center;gap:8px;font-size:12px;color:#616161;"
    "margin-bottom:8px}\n"
    ".teams .avatar{width:32px;height:32px;border-radius:6px;background:#0f6cbd;color:#fff;"
    "font:700 16px/32px Inter,sans-serif;text-align:center}\n"
    ".teams .who b{color:#242424;font-weight:600}\n"
    ".teams .card{background:#fff;border:1px solid #e0e0e0;border-radius:6px;overflow:hidden;"
    "padding:0 16px 16px;display:grid;gap:12px;box-shadow:0 1px 2px #0001}\n"
    ".teams .box{margin:0 -16px;padding:12px 16px;display:grid;gap:6px;background:#f9f9f9}\n"
    ".teams .box.good{background:#dff6dd}.teams .box.warning{background:#fff4ce}\n"
    ".teams .box.attention{background:#fde7e9}.teams .box.accent{background:#deecf9}\n"
    ".teams .box.default{background:#fff}\n"
    ".teams .bolder{font-weight:600}.teams .lighter{font-weight:300}\n"
    ".teams .medium{font-size:17px;line-height:1.35}.teams .large{font-size:20px}\n"
    ".teams .small,.teams .subtle{font-size:12px;color:#616161}\n"
    ".teams .facts{display:grid;grid-template-columns:minmax(70px,max-content) minmax(0,1fr);"
    "gap:4px 16px}\n"
    ".teams .facts b{font-weight:600}\n"
    ".teams .button{display:inline-block;border:1px solid #d1d1d1;border-radius:4px;"
    "font-weight:600;padding:5px 12px;background:#fff}\n"
    ".teams .at,.teams a{color:#5b5fc7}.teams .at{font-weight:600}\n";

static void put_markup(const struct page_view *view, const char *text) {
    const struct markup markup = {view->out, &teams_dialect, view->event};
    markup_write(&markup, text);
}

static void put_element(const struct page_view *view, const struct json *element);

static void put_elements(const struct page_view *view, const struct json *items) {
    for (const struct json *item = json_first(items); item; item = item->next)
        put_element(view, item);
}

/* A semantic name as the lower-case class of the same name. */
static void put_class(FILE *out, const struct json *element, const char *key) {
    const char *name = json_string(element, key);
    if (name) {
        fputc(' ', out);
        for (; *name; name++)
            html_slice(out, &(char){(char)(*name | 0x20)}, 1);
    }
}

static void put_text_block(const struct page_view *view, const struct json *block) {
    const struct json *subtle = json_member(block, "isSubtle");
    fputs("<div class=\"", view->out);
    put_class(view->out, block, "weight");
    put_class(view->out, block, "size");
    fputs(json_is(subtle, JSON_BOOL) && subtle->number > 0 ? " subtle\">" : "\">", view->out);
    put_markup(view, json_string(block, "text"));
    fputs("</div>", view->out);
}

static void put_facts(const struct page_view *view, const struct json *facts) {
    fputs("<div class=\"facts\">", view->out);
    for (const struct json *fact = json_first(facts); fact; fact = fact->next) {
        fputs("<b>", view->out);
        put_markup(view, json_string(fact, "title"));
        fputs("</b><div>", view->out);
        put_markup(view, json_string(fact, "value"));
        fputs("</div>", view->out);
    }
    fputs("</div>", view->out);
}

static void put_runs(const struct page_view *view, const struct json *inlines) {
    fputs("<div>", view->out);
    for (const struct json *run = json_first(inlines); run; run = run->next)
        html_text(view->out, run->kind == JSON_STRING ? run->text : json_string(run, "text"));
    fputs("</div>", view->out);
}

static void put_element(const struct page_view *view, const struct json *element) {
    if (json_says(element, "type", "TextBlock")) {
        put_text_block(view, element);
    } else if (json_says(element, "type", "FactSet")) {
        put_facts(view, json_member(element, "facts"));
    } else if (json_says(element, "type", "RichTextBlock")) {
        put_runs(view, json_member(element, "inlines"));
    } else if (json_says(element, "type", "ColumnSet")) {
        put_elements(view, json_member(element, "columns"));
    } else {
        fputs("<div class=\"box", view->out);
        put_class(view->out, element, "style");
        fputs("\">", view->out);
        put_elements(view, json_member(element, "items"));
        fputs("</div>", view->out);
    }
}

static void put_card(const struct page_view *view, const struct json *card) {
    const struct json *actions = json_member(card, "actions");
    fputs("<div class=\"card\">", view->out);
    put_elements(view, json_member(card, "body"));
    fputs("<div>", view->out);
    for (const struct json *at = json_first(actions); at; at = at->next) {
        fputs("<span class=\"button\">", view->out);
        html_text(view->out, json_string(at, "title"));
        fputs("</span> ", view->out);
    }
    fputs("</div></div>", view->out);
}

static void write_message(const struct page_view *view) {
    const struct json *attachments = json_member(view->message, "attachments");
    fputs("<div class=\"who\"><div class=\"avatar\">⚡</div><div><b>Workflows</b> ", view->out);
    html_clock(view->out, view->exchange->time_ms / 1000);
    fputs("</div></div>", view->out);
    for (const struct json *at = json_first(attachments); at; at = at->next)
        put_card(view, json_member(at, "content"));
}

const struct page_card page_teams = {"Microsoft Teams", "DB changes", "teams", style,
                                     write_message};
