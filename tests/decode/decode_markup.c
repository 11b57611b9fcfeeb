#include "decode/decode_markup.h"

#include <ctype.h>
#include <string.h>

/* The labels of the facts (design of the messages: project, issue, ... by), which
 * alone are shown in bold. Each may stand once in a message, so that a forged
 * one beside ours is noticed. English and Chinese share a place. */
static const char *const labels[][3] = {
    {"Project", "项目"}, {"Issue", "工单"},  {"Stage", "阶段"}, {"Issue description", "工单描述"},
    {"Task", "任务"},    {"Status", "状态"}, {"By", "操作人"},  {"Result detail", "结果详情"},
};

void decode_live(struct decode_scan *scan, const char *what) {
    decode_fail(scan->d, scan->where, "has %s at byte %zu", what, (size_t)(scan->at - scan->text));
}

bool decode_starts(const char *at, const char *with) {
    return strncmp(at, with, strlen(with)) == 0;
}

/* ---- beginnings of lines */

static const char *skip_run(const char *at, char byte) {
    while (*at == byte)
        at++;
    return at;
}

static bool is_blank(char byte) {
    return byte == ' ' || byte == '\t';
}

static bool ends_marker(const char *at) {
    return is_blank(*at) || *at == '\n' || *at == '\0';
}

static const char *live_list(unsigned line, const char *at) {
    if ((line & DECODE_SUBTEXT) && decode_starts(at, "-#") && ends_marker(at + 2))
        return "small print";
    if ((line & DECODE_RULE) && decode_starts(at, "---") && ends_marker(skip_run(at, '-')))
        return "a rule";
    if ((line & DECODE_LIST) && *at && strchr("-+*", *at) && is_blank(at[1]))
        return "a list";
    size_t digits = strspn(at, "0123456789");
    bool ordered = digits > 0 && digits < 10 && at[digits] == '.' && is_blank(at[digits + 1]);
    return (line & DECODE_ORDERED) && ordered ? "an ordered list" : NULL;
}

static const char *live_line(unsigned line, const char *at) {
    const char *after = skip_run(at, '#');
    bool hash = after > at && !decode_zero_width(after);
    if (hash && ((line & DECODE_HASH) || ((line & DECODE_HEADING) && ends_marker(after))))
        return "a heading";
    after = skip_run(at, '>');
    bool quote = after > at && !decode_zero_width(after);
    if (quote && ((line & DECODE_QUOTE) || ((line & DECODE_QUOTE_BLANK) && ends_marker(after))))
        return "a quote";
    if ((line & DECODE_QUOTE_ENTITY) && decode_starts(at, "&gt;"))
        return "a quote";
    return live_list(line, at);
}

static void check_line(struct decode_scan *scan, const char *line) {
    const char *what = live_line(scan->dialect->line, line + strspn(line, " \t"));
    if (what)
        decode_live(scan, what);
}

/* "> " of our quotation: of a second one we know nothing. */
static size_t quotation(struct decode_scan *scan) {
    bool may_stand = scan->dialect->quotation && (scan->in_quote || !scan->quoted);
    scan->in_quote = may_stand && decode_starts(scan->at, "> ");
    if (!scan->in_quote)
        return 0;
    scan->quoted = true;
    check_line(scan, scan->at + 2);
    return 2;
}

/* Length of what is ours at the beginning of a line; reports what is not. */
static size_t line_start(struct decode_scan *scan) {
    if (scan->at != scan->text && scan->at[-1] != '\n')
        return 0;
    size_t ours = quotation(scan);
    if (!ours && scan->dialect->own_line)
        ours = scan->dialect->own_line(scan);
    if (!ours)
        check_line(scan, scan->at);
    return ours;
}

/* ---- bold of ours */

/* Which label the text is (a colon may follow it), or -1. */
static int label_index(const char *text, size_t length) {
    if (length > 0 && text[length - 1] == ':')
        length--;
    else if (length > 3 && memcmp(text + length - 3, "：", 3) == 0)
        length -= 3;
    for (int i = 0; i < (int)(sizeof(labels) / sizeof(labels[0])); i++) {
        for (const char *const *name = labels[i]; *name; name++) {
            if (strlen(*name) == length && memcmp(*name, text, length) == 0)
                return i;
        }
    }
    return -1;
}

bool decode_label_once(struct decode_scan *scan, const char *text, size_t length) {
    int label = label_index(text, length);
    if (label < 0)
        return false;
    if (scan->d->labels_seen & (1u << label))
        decode_live(scan, "the same label once more");
    scan->d->labels_seen |= 1u << label;
    return true;
}

/* Where the closing mark of a bold label that begins at `at` stands, or NULL. */
static const char *label_end(const struct decode_scan *scan, const char *at) {
    const char *mark = scan->dialect->bold;
    if (!mark || !decode_starts(at, mark))
        return NULL;
    at += strlen(mark);
    const char *end = strstr(at, mark);
    return end && label_index(at, (size_t)(end - at)) >= 0 ? end : NULL;
}

bool decode_label(const struct decode_scan *scan, const char *at) {
    return label_end(scan, at) != NULL;
}

/* A title in bold: the last mark of its line that is not broken by U+200B. */
static const char *title_end(const struct decode_scan *scan) {
    const char *mark = scan->dialect->bold, *begin = scan->at + strlen(mark);
    const char *end = scan->at + strcspn(scan->at, "\n");
    if (!scan->titled || memchr(scan->text, '\n', (size_t)(scan->at - scan->text)))
        return NULL;
    while (end > begin && !(decode_starts(end, mark) && !decode_zero_width(end + strlen(mark))))
        end--;
    return end > begin ? end : NULL;
}

/* Length of the opening mark of bold that is ours. */
static size_t own_bold(struct decode_scan *scan, bool label_may_stand) {
    const char *mark = scan->dialect->bold;
    if (!mark || !label_may_stand || !decode_starts(scan->at, mark))
        return 0;
    const char *inside = scan->at + strlen(mark), *end = label_end(scan, scan->at);
    if (end)
        decode_label_once(scan, inside, (size_t)(end - inside));
    else
        end = title_end(scan);
    scan->bold_end = end;
    return end ? strlen(mark) : 0;
}

/* ---- links */

static const char *closing_bracket(const char *at, bool backslash) {
    for (; *at && *at != '\n'; at++) {
        if (backslash && *at == '\\' && at[1])
            at++;
        else if (*at == ']' && at[1] == '(')
            return at;
    }
    return NULL;
}

/* "[" of a link: our own, or reported. */
static size_t markdown_link(struct decode_scan *scan) {
    const char *end =
        *scan->at == '[' ? closing_bracket(scan->at + 1, scan->dialect->backslash) : NULL;
    if (!end || scan->link_end)
        return 0;
    const char *url = end + 2;
    size_t length = strcspn(url, ") \n");
    const char *expected = scan->d->expect->link;
    if (url[length] != ')' || !expected || !decode_same_url(url, length, expected))
        decode_live(scan, "a link that is not ours");
    if (scan->at > scan->text && scan->at[-1] == '!')
        decode_live(scan, "a picture");
    scan->d->link_seen = true;
    scan->link_end = end;
    scan->link_end_length = 2 + length + (url[length] == ')');
    return 1;
}

/* Length of the second half of a link or of bold of ours. */
static size_t closing(struct decode_scan *scan) {
    if (scan->at == scan->link_end) {
        scan->link_end = NULL;
        return scan->link_end_length;
    }
    if (scan->at == scan->bold_end) {
        scan->bold_end = NULL;
        return strlen(scan->dialect->bold);
    }
    return 0;
}

/* ---- escapes and plain bytes */

size_t decode_html_entity(const char *at, char *plain) {
    static const struct {
        const char *entity;
        char plain;
    } named[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}};
    for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
        if (decode_starts(at, named[i].entity)) {
            *plain = named[i].plain;
            return strlen(named[i].entity);
        }
    }
    size_t digits = decode_starts(at, "&#") ? strspn(at + 2, "0123456789") : 0;
    if (digits < 1 || digits > 3 || at[2 + digits] != ';')
        return 0;
    int code = 0;
    for (size_t i = 0; i < digits; i++)
        code = code * 10 + at[2 + i] - '0';
    *plain = (char)code;
    return code < 0x80 ? digits + 3 : 0;
}

static size_t escape(struct decode_scan *scan) {
    char plain = 0;
    size_t length = 0;
    if (scan->dialect->backslash && *scan->at == '\\') {
        plain = scan->at[1];
        length = ispunct((unsigned char)plain) ? 2 : 0;
        if (!length)
            decode_live(scan, "a bare backslash");
    } else if (scan->dialect->entity) {
        length = scan->dialect->entity(scan->at, &plain);
    }
    if (length)
        decode_say(scan->d, &plain, 1);
    return length;
}

/* A name begins with a letter, but for a few; 12:30:45 holds none. */
static bool emoji(const char *at) {
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-'";
    static const char *const others[] = {":+1:",
                                         ":-1:",
                                         ":100:",
                                         ":1234:",
                                         ":8ball:",
                                         ":1st_place_medal:",
                                         ":2nd_place_medal:",
                                         ":3rd_place_medal:"};
    if (*at != ':')
        return false;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (decode_starts(at, others[i]))
            return true;
    }
    return isalpha((unsigned char)at[1]) && at[1 + strspn(at + 1, letters)] == ':';
}

static bool is_within_word(const struct decode_scan *scan) {
    const char *at = scan->at;
    return at > scan->text && isalnum((unsigned char)at[-1]) && isalnum((unsigned char)at[1]);
}

static size_t plain_byte(struct decode_scan *scan) {
    const struct decode_dialect *dialect = scan->dialect;
    const char *at = scan->at;
    char what[] = "a live '?'";
    what[8] = *at;
    if (decode_zero_width(at))
        return 3;
    bool twice = dialect->doubled && strchr(dialect->doubled, *at) && at[1] == *at;
    bool outside = dialect->inner && strchr(dialect->inner, *at) && !is_within_word(scan);
    if (strchr(dialect->bare, *at) || twice || outside)
        decode_live(scan, what);
    if (dialect->emoji && emoji(at))
        decode_live(scan, "an emoji name");
    decode_say(scan->d, at, 1);
    return 1;
}

static size_t step(struct decode_scan *scan, bool label_may_stand) {
    size_t length = closing(scan);
    if (!length)
        length = own_bold(scan, label_may_stand);
    if (!length)
        length = scan->dialect->token ? scan->dialect->token(scan) : 0;
    if (!length && scan->dialect->links)
        length = markdown_link(scan);
    if (!length)
        length = escape(scan);
    return length ? length : plain_byte(scan);
}

static void run(struct decode_scan *scan) {
    bool label_may_stand = true;
    while (*scan->at) {
        size_t ours = line_start(scan);
        if (ours ||
            (scan->dialect->label_per_line && scan->at > scan->text && scan->at[-1] == '\n'))
            label_may_stand = true;
        scan->at += ours;
        if (*scan->at)
            scan->at += step(scan, label_may_stand);
        label_may_stand = false;
    }
    if (scan->link_end || scan->bold_end)
        decode_live(scan, "an end inside markup");
    decode_say(scan->d, "\n", 1);
}

static void scan_text(struct decoding *d, const cJSON *where, const struct decode_dialect *dialect,
                      bool titled) {
    if (!where)
        return;
    decode_filled(d, where);
    struct decode_scan scan = {.d = d, .where = where, .dialect = dialect};
    scan.text = scan.at = where->valuestring;
    scan.titled = titled;
    run(&scan);
}

void decode_markup(struct decoding *d, const cJSON *where, const struct decode_dialect *dialect) {
    scan_text(d, where, dialect, false);
}

void decode_titled(struct decoding *d, const cJSON *where, const struct decode_dialect *dialect) {
    scan_text(d, where, dialect, true);
}
