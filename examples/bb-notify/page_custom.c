#include <string.h>
#include <strings.h>

#include "page_card.h"

static const char style[] =
    ".custom{grid-column:span 2}\n"
    ".custom .frame{background:#fff;color:#24292f;font:12.5px/1.6 \"JetBrains "
    "Mono\",Menlo,Consolas,"
    "\"Noto Sans Mono CJK SC\",\"Noto Color Emoji\",monospace}\n"
    ".custom .head{padding:12px 16px;background:#f6f8fa;border-bottom:1px solid #e4e7eb;"
    "color:#57606a;overflow-wrap:anywhere}\n"
    ".custom .head b{color:#24292f}\n"
    ".custom .json{padding:12px 16px 14px;white-space:pre-wrap;overflow-wrap:anywhere}\n"
    ".custom .k{color:#0550ae}.custom .s{color:#116329}.custom .n{color:#953800}\n";

static void put_json_text(FILE *out, const char *text) {
    for (; *text; text++) {
        if (*text == '\n')
            fputs("\\n", out);
        else if (*text == '"')
            html_text(out, "\\\"");
        else if (*text == '\\')
            html_text(out, "\\\\");
        else
            html_slice(out, text, 1);
    }
}

static void put_value(FILE *out, const struct json *value, int depth);

static void put_members(FILE *out, const struct json *container, int depth) {
    bool object = container->kind == JSON_OBJECT;
    fputc(object ? '{' : '[', out);
    for (const struct json *at = container->child; at; at = at->next) {
        fprintf(out, "\n%*s", 2 * depth + 2, "");
        if (object) {
            fputs("<span class=\"k\">&quot;", out);
            put_json_text(out, at->key);
            fputs("&quot;</span>: ", out);
        }
        put_value(out, at, depth + 1);
        fputs(at->next ? "," : "", out);
    }
    if (container->child)
        fprintf(out, "\n%*s", 2 * depth, "");
    fputc(object ? '}' : ']', out);
}

static void put_value(FILE *out, const struct json *value, int depth) {
    switch (value->kind) {
    case JSON_STRING:
        fputs("<span class=\"s\">&quot;", out);
        put_json_text(out, value->text);
        fputs("&quot;</span>", out);
        break;
    case JSON_OBJECT:
    case JSON_ARRAY:
        put_members(out, value, depth);
        break;
    case JSON_NUMBER:
        fprintf(out, "<span class=\"n\">%s</span>", value->text);
        break;
    case JSON_BOOL:
        fprintf(out, "<span class=\"n\">%s</span>", value->number > 0 ? "true" : "false");
        break;
    default:
        fputs("<span class=\"n\">null</span>", out);
    }
}

static void put_header(FILE *out, const struct receiver_request *request, const char *name) {
    for (size_t i = 0; i < request->header_count; i++)
        if (strcasecmp(request->headers[i].name, name) == 0) {
            fprintf(out, "<div><b>%s</b>: ", name);
            html_text(out, request->headers[i].value);
            fputs("</div>", out);
        }
}

static void write_message(const struct page_view *view) {
    static const char *const shown[] = {"Content-Type", "User-Agent", "webhook-id",
                                        "webhook-timestamp", "webhook-signature"};
    const struct receiver_request *request = &view->exchange->request;
    fputs("<div class=\"head\"><div><b>POST</b> ", view->out);
    html_text(view->out, request->target);
    fputs(" HTTP/1.1</div>", view->out);
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        put_header(view->out, request, shown[i]);
    fputs("</div><div class=\"json\">", view->out);
    put_value(view->out, view->message, 0);
    fputs("</div>", view->out);
}

const struct page_card page_custom = {"Custom", "a service of your own", "custom", style,
                                      write_message};
