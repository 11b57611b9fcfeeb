#include "page_html.h"

#include <string.h>
#include <strings.h>
#include <time.h>

void html_slice(FILE *out, const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        switch (text[i]) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        case '\'':
            fputs("&#39;", out);
            break;
        default:
            fputc(text[i], out);
        }
    }
}

void html_text(FILE *out, const char *text) {
    if (text)
        html_slice(out, text, strlen(text));
}

void html_link_open(FILE *out, const char *url, size_t length) {
    bool web = (length > 7 && strncasecmp(url, "http://", 7) == 0) ||
               (length > 8 && strncasecmp(url, "https://", 8) == 0);
    fputs("<a", out);
    if (web) {
        fputs(" href=\"", out);
        html_slice(out, url, length);
        fputs("\"", out);
    }
    fputs(">", out);
}

void html_link_close(FILE *out) {
    fputs("</a>", out);
}

const char *html_color(const char *color, const char *otherwise) {
    bool plain = color && color[0] == '#' && strlen(color) == 7 &&
                 strspn(color + 1, "0123456789abcdefABCDEF") == 6;
    return plain ? color : otherwise;
}

static bool read_time(int64_t seconds, struct tm *utc) {
    time_t when = (time_t)seconds;
    return gmtime_r(&when, utc) != NULL;
}

void html_clock(FILE *out, int64_t seconds) {
    char text[32] = "";
    struct tm utc;
    if (read_time(seconds, &utc))
        strftime(text, sizeof text, "%I:%M %p", &utc);
    fputs(*text == '0' ? text + 1 : text, out);
}

void html_date(FILE *out, int64_t seconds) {
    char text[32] = "";
    struct tm utc;
    if (read_time(seconds, &utc))
        strftime(text, sizeof text, "%Y-%m-%d", &utc);
    fputs(text, out);
}
