/* What the formatters share: fitting text, colours, times, the webhook's words. */
#ifndef BB_ENDPOINT_RENDER_H
#define BB_ENDPOINT_RENDER_H

#include "base/json.h"
#include "base/text.h"
#include "event/message.h"

struct bb_render {
    const struct bb_message *message;
    const bb_webhook *webhook;
    struct bb_arena *arena; /* of texts on their way into the JSON */
    struct bb_json json;
    struct bb_cuts *cuts;
};

/* bb_text_fit, noting under `name` that something was cut. */
const char *bb_render_fit(struct bb_render *r, const char *name, const char *text,
                          const struct bb_escape *escape, struct bb_limit limit);

/* The same for a fact's value: `names` bounds names and words, `excerpts` the
 * long ones. */
const char *bb_render_fact(struct bb_render *r, const struct bb_fact *fact,
                           const struct bb_escape *escape, struct bb_limit names,
                           struct bb_limit excerpts);

/* A copy of repaired `text` with its lines put together into one. */
const char *bb_render_one_line(struct bb_render *r, const char *text);

/* bb_render_fact on one line. */
const char *bb_render_fact_line(struct bb_render *r, const struct bb_fact *fact,
                                const struct bb_escape *escape, struct bb_limit names,
                                struct bb_limit excerpts);

/* One line, not escaped, at most 75 UTF-16 units (Slack's limit, the narrowest). */
const char *bb_render_button(struct bb_render *r);

/* The webhook's keyword, repaired; "" for none. */
const char *bb_render_keyword(struct bb_render *r);

/* 0xRRGGBB of a level. */
unsigned bb_render_color(bb_level level);

/* "2026-01-02T03:04:05Z"; NULL for a time outside the years 1970 to 9999. */
const char *bb_render_time(const struct bb_render *r);

/* How a product writes one person: its own syntax, or the escaped name; "" to
 * leave the person out. */
typedef const char *bb_render_person(struct bb_render *r, const bb_mention *mention);

/* The people to notify, blanks between them, after `everyone` where the whole room
 * is asked for; "" when there is nobody. At most `most`, the rest is noted as cut. */
const char *bb_render_mentions(struct bb_render *r, const char *everyone, size_t most,
                               bb_render_person *person);

/* How many of the message's mentions those are. */
size_t bb_render_mention_count(const struct bb_render *r, size_t most);

/* Whether the markdown character at `at` means anything where it stands: one of
 * `leaders` only at the beginning of a line, a full stop only in a list's "1." */
bool bb_render_is_markup(const char *begin, const char *at, const char *leaders);

/* Whether the colon at `at` begins an emoji's name, as in ":smile:", ":+1:" or
 * ":100:"; those of 12:30:45 and https:// do not. */
bool bb_render_begins_emoji(const char *at);

/* Whether a letter or digit stands on either side of `at`: an underscore there is
 * inert everywhere, and part of a name that people copy. */
bool bb_render_is_within_word(const char *begin, const char *at);

/* Writes a character that looks like one of * _ ~ ` | where it has no escape. */
size_t bb_render_look_alike(char mark, char *out);

/* Whether what begins with the & at `at` would be read as an entity. */
bool bb_render_begins_entity(const char *at);

/* Whether the message's link may be used; it then goes between parentheses of
 * markdown: `(`, `)` and blanks in it are percent-encoded. */
bool bb_render_has_link(const struct bb_render *r);
const char *bb_render_markdown_link(struct bb_render *r);

#endif
