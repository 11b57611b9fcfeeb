/* The dialects of markup that the products read, each turned into HTML as its clients
 * show it. Pure: text in, HTML out. */
#ifndef BB_NOTIFY_PAGE_MARKUP_H
#define BB_NOTIFY_PAGE_MARKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "bb_webhook.h"

struct dialect;

struct markup {
    FILE *out;
    const struct dialect *dialect;
    const bb_event *event; /* who is behind the ids that are mentioned */
};

extern const struct dialect slack_dialect;
extern const struct dialect discord_dialect;
extern const struct dialect teams_dialect;
extern const struct dialect dingtalk_dialect;
extern const struct dialect feishu_dialect;
extern const struct dialect wecom_dialect;

void markup_write(const struct markup *markup, const char *text); /* NULL: nothing */

/* ---- for the dialects themselves */

struct marker {
    const char *mark;
    const char *tag;
    bool at_words; /* only at the edges of a word, as Slack's are */
};

struct dialect {
    bool backslash;             /* "\*" is an asterisk */
    bool links;                 /* [label](url) */
    bool joins_lines;           /* one newline is a blank, two begin a paragraph */
    const char *blocks;         /* of "#" headings, ">" quotes, "-" lists, "`" fences */
    const char *const *names;   /* entities that are decoded: "lt", "<", ..., NULL */
    bool numbers;               /* so are &#60; and &#x3c; */
    const struct marker *marks; /* the longer ones first, ends with {NULL} */
    /* What begins with "<" or "@": bytes taken, 0 for plain text. */
    size_t (*special)(const struct markup *markup, const char *at, size_t length);
};

/* One line, or a part of one. */
void markup_line(const struct markup *markup, const char *text, size_t length);

#endif
