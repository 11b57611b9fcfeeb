/* Writing HTML: everything that is not markup of the page's own goes through here. */
#ifndef BB_NOTIFY_PAGE_HTML_H
#define BB_NOTIFY_PAGE_HTML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Text with & < > " ' as entities: fit for content and for quoted attributes. NULL: "". */
void html_text(FILE *out, const char *text);
void html_slice(FILE *out, const char *text, size_t length);

/* An <a>, its label left to the caller; plain text where the URL is not http(s). */
void html_link_open(FILE *out, const char *url, size_t length);
void html_link_close(FILE *out);

/* `color` when it is "#" and six digits, else `otherwise`: for a style attribute. */
const char *html_color(const char *color, const char *otherwise);

/* "11:09 AM" and "2026-03-12", in UTC. */
void html_clock(FILE *out, int64_t seconds);
void html_date(FILE *out, int64_t seconds);

#endif
