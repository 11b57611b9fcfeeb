/* WeCom: one Markdown text, counted in bytes. */
#include <string.h>

#include "decode/decode_markup.h"

enum { CONTENT_BYTES = 4096 };

static const char *const colours[] = {"<font color=\"info\">", "<font color=\"comment\">",
                                      "<font color=\"warning\">"};
static const char font_end[] = "</font>";

static size_t mention(struct decode_scan *scan) {
    const char *id = scan->at + 2;
    size_t length = strcspn(id, ">\n");
    bool all = length == 3 && decode_starts(id, "all");
    if (!decode_mention(scan->d, id, length) && !(all && scan->d->expect->everyone))
        decode_live(scan, "a mention that is not asked for");
    return 2 + length + (id[length] == '>');
}

/* "Status: ", with the label in bold or not, is all that stands on the line. */
static bool follows_label(struct decode_scan *scan, const char *begin) {
    const char *end = scan->at;
    if (decode_label(scan, begin)) { /* noted when its mark was met */
        const char *mark = strstr(begin + 2, "**") + 2;
        return mark + strspn(mark, ": ") == end || mark + strlen("：") == end;
    }
    while (end > begin && end[-1] == ' ')
        end--;
    return end > begin && decode_label_once(scan, begin, (size_t)(end - begin));
}

/* A colour of ours begins the heading, or follows a label of ours. */
static bool may_be_coloured(struct decode_scan *scan) {
    const char *line = scan->at;
    while (line > scan->text && line[-1] != '\n')
        line--;
    const char *begin = line + strspn(line, "#> ");
    return (line == scan->text && begin >= scan->at) || follows_label(scan, begin);
}

static size_t colour(struct decode_scan *scan, size_t length) {
    const char *end = strstr(scan->at, font_end), *next = strstr(scan->at + length, "<font");
    if (!end || (next && next < end) || memchr(scan->at, '\n', (size_t)(end - scan->at)))
        decode_live(scan, "a colour that does not end");
    if (!may_be_coloured(scan))
        decode_live(scan, "a colour that is not ours");
    scan->d->units++;
    return length;
}

static size_t font(struct decode_scan *scan) {
    for (size_t i = 0; i < sizeof(colours) / sizeof(colours[0]); i++) {
        if (decode_starts(scan->at, colours[i]))
            return colour(scan, strlen(colours[i]));
    }
    if (!decode_starts(scan->at, font_end))
        return 0;
    if (scan->d->units == 0)
        decode_live(scan, "an end of no colour");
    else
        scan->d->units--;
    return strlen(font_end);
}

/* "<@userid>", "<font ...>", "</font>", and ">" that U+200B breaks. */
static size_t token(struct decode_scan *scan) {
    if (decode_starts(scan->at, "<@"))
        return mention(scan);
    if (*scan->at == '>' && decode_zero_width(scan->at + 1)) {
        decode_say(scan->d, ">", 1);
        return 4;
    }
    return font(scan);
}

/* The heading that shows the title. */
static size_t own_line(struct decode_scan *scan) {
    size_t hashes = strspn(scan->at, "#");
    bool heading = scan->at == scan->text && hashes > 0 && hashes <= 6 && scan->at[hashes] == ' ';
    return heading ? hashes + 1 : 0;
}

static const struct decode_dialect markdown = {
    .bare = "<>[]`",
    .doubled = "*",
    .bold = "**",
    .links = true,
    .quotation = true,
    .line = DECODE_HASH | DECODE_QUOTE,
    .own_line = own_line,
    .token = token,
};

void decode_wecom(struct decoding *d) {
    decode_keys(d, d->root, "msgtype markdown");
    decode_one_of(d, d->root, "msgtype", "markdown");
    const cJSON *message = decode_need(d, d->root, "markdown", cJSON_Object);
    decode_keys(d, message, "content");
    const cJSON *content = decode_need(d, message, "content", cJSON_String);
    decode_limit(d, content, DECODE_BYTES, CONTENT_BYTES);
    decode_markup(d, content, &markdown);
    decode_all_seen(d);
}
