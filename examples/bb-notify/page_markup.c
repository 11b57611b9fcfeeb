#include "page_markup.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "page_html.h"
#include "receiver_text.h"

static bool starts(const char *at, size_t length, const char *with) {
    size_t n = strlen(with);
    return length >= n && memcmp(at, with, n) == 0;
}

/* ---- within a line */

static size_t put_escape(const struct markup *m, const char *at, size_t length) {
    if (!m->dialect->backslash || length < 2 || *at != '\\' || !ispunct((unsigned char)at[1]))
        return 0;
    html_slice(m->out, at + 1, 1);
    return 2;
}

static size_t put_number(const struct markup *m, const char *at, size_t length) {
    char digits[12] = "";
    char point[5] = "";
    if (!m->dialect->numbers || !starts(at, length, "&#"))
        return 0;
    bool hex = length > 2 && (at[2] == 'x' || at[2] == 'X');
    const char *from = at + 2 + hex;
    size_t n = strspn(from, hex ? "0123456789abcdefABCDEF" : "0123456789");
    if (n == 0 || n >= sizeof digits - 1 || from + n >= at + length || from[n] != ';')
        return 0;
    memcpy(digits, from, n);
    unsigned long code = strtoul(digits, NULL, hex ? 16 : 10);
    if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    html_slice(m->out, point, utf8_encode((uint32_t)code, point));
    return (size_t)(from - at) + n + 1;
}

static size_t put_entity(const struct markup *m, const char *at, size_t length) {
    if (*at != '&')
        return 0;
    for (const char *const *name = m->dialect->names; name && *name; name += 2) {
        size_t n = strlen(*name);
        if (length > n + 1 && memcmp(at + 1, *name, n) == 0 && at[n + 1] == ';') {
            html_text(m->out, name[1]);
            return n + 2;
        }
    }
    return put_number(m, at, length);
}

/* A zero-width space counts as a blank: that is why it disarms a marker. */
static bool is_blank_at(const char *at) {
    return isspace((unsigned char)*at) || strncmp(at, "\u200b", 3) == 0;
}

static bool is_word(char c) {
    return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

static bool ends_blank(const char *begin, const char *end) {
    return isspace((unsigned char)end[-1]) ||
           (end - begin >= 3 && strncmp(end - 3, "\u200b", 3) == 0);
}

/* Where `marker` closes what it opened at `at`, NULL for nowhere. */
static const char *find_close(const struct markup *m, const struct marker *marker, const char *at,
                              const char *end) {
    size_t n = strlen(marker->mark);
    for (const char *close = at + n; close + n <= end; close++) {
        if (m->dialect->backslash && *close == '\\' && *marker->mark != '`') {
            close++;
        } else if (close > at + n && starts(close, (size_t)(end - close), marker->mark) &&
                   !ends_blank(at + n, close) &&
                   !(marker->at_words && close + n < end && is_word(close[n]))) {
            return close;
        }
    }
    return NULL;
}

static void put_marked(const struct markup *m, const struct marker *marker, const char *text,
                       size_t length) {
    fprintf(m->out, "<%s>", marker->tag);
    if (*marker->mark == '`')
        html_slice(m->out, text, length);
    else
        markup_line(m, text, length);
    fprintf(m->out, "</%s>", marker->tag);
}

static size_t put_span(const struct markup *m, const char *begin, const char *at, const char *end) {
    for (const struct marker *marker = m->dialect->marks; marker->mark; marker++) {
        size_t n = strlen(marker->mark);
        bool opens = starts(at, (size_t)(end - at), marker->mark) && at + n < end &&
                     !is_blank_at(at + n) && !(marker->at_words && at > begin && is_word(at[-1]));
        const char *close = opens ? find_close(m, marker, at, end) : NULL;
        if (close) {
            put_marked(m, marker, at + n, (size_t)(close - at) - n);
            return (size_t)(close - at) + n;
        }
    }
    return 0;
}

static const char *find_plain(const struct markup *m, const char *at, const char *end, char c) {
    while (at < end && *at != c)
        at += m->dialect->backslash && *at == '\\' && at + 1 < end ? 2 : 1;
    return at < end ? at : NULL;
}

static size_t put_link(const struct markup *m, const char *at, const char *end) {
    const char *label = at + 1;
    const char *middle = m->dialect->links && *at == '[' ? find_plain(m, label, end, ']') : NULL;
    if (!middle || middle + 1 >= end || middle[1] != '(')
        return 0;
    const char *close = memchr(middle + 2, ')', (size_t)(end - middle) - 2);
    if (!close)
        return 0;
    html_link_open(m->out, middle + 2, (size_t)(close - middle) - 2);
    markup_line(m, label, (size_t)(middle - label));
    html_link_close(m->out);
    return (size_t)(close - at) + 1;
}

static size_t put_special(const struct markup *m, const char *at, size_t length) {
    return (*at == '<' || *at == '@') && m->dialect->special ? m->dialect->special(m, at, length)
                                                             : 0;
}

void markup_line(const struct markup *m, const char *text, size_t length) {
    const char *end = text + length;
    for (const char *at = text; at < end;) {
        size_t left = (size_t)(end - at);
        size_t used = put_escape(m, at, left);
        used = used ? used : put_entity(m, at, left);
        used = used ? used : put_special(m, at, left);
        used = used ? used : put_link(m, at, end);
        used = used ? used : put_span(m, text, at, end);
        if (!used)
            html_slice(m->out, at, 1);
        at += used ? used : 1;
    }
}

/* ---- lines */

/* What kind of line it is, and how many bytes say so. */
struct opening {
    char kind; /* of dialect.blocks; ' ' for an ordinary line */
    int level; /* of a heading */
    size_t length;
};

static struct opening open_heading(const char *line, size_t length) {
    size_t n = 0;
    while (n < length && line[n] == '#')
        n++;
    if (n == 0 || n > 6 || n == length || line[n] != ' ')
        return (struct opening){' ', 0, 0};
    return (struct opening){'#', (int)n, n + 1};
}

static struct opening open_item(const char *line, size_t length) {
    size_t n = 0;
    while (n < length && isdigit((unsigned char)line[n]))
        n++;
    if (n > 0 && n + 1 < length && line[n] == '.' && line[n + 1] == ' ')
        return (struct opening){'1', 0, 0};
    if (n == 0 && length > 1 && strchr("-*+", *line) && line[1] == ' ')
        return (struct opening){'-', 0, 2};
    return (struct opening){' ', 0, 0};
}

static struct opening open_quote(const char *line, size_t length, size_t mark) {
    return (struct opening){'>', 0, mark + (length > mark && line[mark] == ' ')};
}

static struct opening open_line(const struct dialect *dialect, const char *line, size_t length) {
    struct opening none = {' ', 0, 0};
    bool entity = dialect->names && starts(line, length, "&gt;");
    if (strchr(dialect->blocks, '#') && length && *line == '#')
        return open_heading(line, length);
    if (strchr(dialect->blocks, '>') && length && (*line == '>' || entity))
        return open_quote(line, length, entity ? 4 : 1);
    if (strchr(dialect->blocks, '`') && starts(line, length, "```"))
        return (struct opening){'`', 0, 3};
    return length && strchr(dialect->blocks, '-') ? open_item(line, length) : none;
}

static void put_line(const struct markup *m, const struct opening *opening, const char *line,
                     size_t length) {
    static const char *const headings[] = {"", "h1", "h2", "h3", "h4", "h5", "h6"};
    line += opening->length;
    length -= opening->length;
    if (opening->kind == '#')
        fprintf(m->out, "<div class=\"%s\">", headings[opening->level]);
    else if (opening->kind == '>' && strspn(line, " ") >= length)
        fputs("<div class=\"gap\">", m->out);
    else
        fputs(opening->kind == '-' ? "<div>• " : "<div>", m->out);
    markup_line(m, line, length);
    fputs("</div>", m->out);
}

/* Neighbouring lines of a quote or a list are in one element. */
static void change_group(const struct markup *m, char from, char to) {
    if (from == to)
        return;
    if (from == '>' || from == '-')
        fputs(from == '>' ? "</blockquote>" : "</div>", m->out);
    if (to == '>' || to == '-')
        fputs(to == '>' ? "<blockquote>" : "<div class=\"list\">", m->out);
}

/* A fence up to the line that closes it, or the text's end. */
static const char *put_fence(const struct markup *m, const char *text) {
    const char *close = strstr(text, "```");
    size_t length = close ? (size_t)(close - text) : strlen(text);
    fputs("<pre>", m->out);
    html_slice(m->out, text, length);
    fputs("</pre>", m->out);
    return text + length + (close ? 3 : 0);
}

/* The end of the paragraph's line that begins at `text`. */
static const char *line_end(const struct markup *m, const char *text) {
    const char *end = text + strcspn(text, "\n");
    while (m->dialect->joins_lines && end > text && *end == '\n' && end[1] != '\n' &&
           !(end - text >= 2 && end[-1] == ' ' && end[-2] == ' ') &&
           open_line(m->dialect, end + 1, strcspn(end + 1, "\n")).kind == ' ')
        end += 1 + strcspn(end + 1, "\n");
    return end;
}

/* One line, or what goes on over several; returns where it ends. */
static const char *put_block(const struct markup *m, const struct opening *opening,
                             const char *text) {
    if (opening->kind == '`')
        return put_fence(m, text + opening->length);
    const char *end = line_end(m, text);
    if (end > text)
        put_line(m, opening, text, (size_t)(end - text));
    else if (!m->dialect->joins_lines)
        fputs("<div class=\"gap\"></div>", m->out);
    return end;
}

void markup_write(const struct markup *m, const char *text) {
    char group = ' ';
    while (text && *text) {
        struct opening opening = open_line(m->dialect, text, strcspn(text, "\n"));
        change_group(m, group, opening.kind);
        group = opening.kind;
        text = put_block(m, &opening, text);
        text += *text == '\n';
    }
    change_group(m, group, ' ');
}
