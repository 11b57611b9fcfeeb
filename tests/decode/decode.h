/*
 * An independent reading of request bodies: would the product take this body,
 * within every limit, and is all markup in it ours? Shares no code with src/,
 * so that one misunderstanding cannot stand on both sides of a test.
 */
#ifndef DECODE_H
#define DECODE_H

#include <stdbool.h>
#include <stddef.h>

#include "bb_webhook.h"

/* Discord's limit for one list; no product takes more. */
enum { DECODE_MENTIONS = 100 };

/* What may be live in a body, and must be there. */
struct decode_expect {
    const char *link;            /* the one URL; NULL: none. Custom: its `link` */
    const char *const *mentions; /* ids of that product: Slack "U..", DingTalk user
                                    ids and bare phone numbers, ... */
    size_t mention_count;        /* <= DECODE_MENTIONS */
    bool everyone;
};

/*
 * Whether a webhook of that type may send `body`. Otherwise `why` names the
 * first violation: "slack: attachments[0].blocks[1].fields[3].text has 2013
 * UTF-16 units, limit 2000". `expect` may be NULL: no link, nobody.
 */
bool decode_check(bb_type type, const char *body, size_t length, const struct decode_expect *expect,
                  char *why, size_t why_size);

/*
 * Every text that a reader of the message can see, as it is shown: without
 * escapes, entities, markup of ours and U+200B; each followed by a newline. For
 * the caller to free; NULL when the body is no JSON.
 */
char *decode_texts(bb_type type, const char *body, size_t length);

/*
 * Whether `words` (as a user wrote them: well-formed, one line) can be read in
 * one of the texts. WeCom cannot show < > [ ] and ` as they are: there their
 * stand-ins count.
 */
bool decode_shows(bb_type type, const char *body, size_t length, const char *words);

#endif
