/*
 * Text that products accept: repaired UTF-8, cut between graphemes, escaped
 * for one markup dialect, measured after escaping.
 */
#ifndef BB_BASE_TEXT_H
#define BB_BASE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

#define BB_ELLIPSIS "\xE2\x80\xA6"         /* U+2026 */
#define BB_ZERO_WIDTH_SPACE "\xE2\x80\x8B" /* U+200B */

/*
 * A copy of `text` that is well-formed UTF-8, of at most `max` bytes of it:
 * ill-formed sequences and noncharacters become U+FFFD; removed are NUL, C0 (but
 * newline and tab), DEL, C1, U+FEFF, U+200B, U+2060 and the bidirectional controls
 * (they hide or reorder what a reader sees); CR, CR LF, U+2028 and U+2029 become
 * newlines. Zero-width joiners stay: emoji and several scripts need them.
 * `*cut` is set when `max` left something out. NULL gives "".
 */
char *bb_text_repair(struct bb_arena *arena, const char *text, size_t max, bool *cut);

/* The same for those who only read: `text` itself where nothing has to be done. */
const char *bb_text_repaired(struct bb_arena *arena, const char *text, size_t max, bool *cut);

/* Puts as much of `text` into `out` as `size` > 0 bytes hold, with a NUL. Returns how much. */
size_t bb_text_copy(char *out, size_t size, const char *text);

/* The decimal digits of a number: in `out`, or in the arena. */
enum { BB_INTEGER_SIZE = 21 };
const char *bb_text_digits(int64_t number, char out[BB_INTEGER_SIZE]);
const char *bb_text_integer(struct bb_arena *arena, int64_t number);

/* In place, on repaired text. */
char *bb_text_first_line(char *text); /* its first line that is not blank, trimmed */
char *bb_text_flatten(char *text);    /* one line: each run of white space is a blank */
char *bb_text_trim(char *text);       /* no white space at either end */

/* Whether there is nothing to see in it: products refuse a field of blanks. */
bool bb_text_is_invisible(const char *text);

bool bb_text_ends_with(const char *text, const char *end);

/* Whether both are the same bytes, or both NULL. */
bool bb_text_same(const char *a, const char *b);

/* Letters and digits in ASCII, whatever the host's locale: not in each is tolower('I') an 'i'. */
bool bb_is_letter(char c);
bool bb_is_digit(char c);
char bb_to_lower(char c);

/* Whether they are the same, or one begins with the other, but for the case of letters in ASCII. */
bool bb_text_is_like(const char *a, const char *b);
bool bb_text_begins_like(const char *text, const char *beginning);

/* Whether it is well-formed. */
bool bb_text_is_utf8(const char *text);

/* Makes `text` of unknown origin safe to print, in place: one line, well-formed
 * up to its end (a sequence that was cut off is dropped), controls are blanks. */
void bb_text_safe(char *text);

/* At most `graphemes` user-perceived characters of repaired `text`, the last an
 * ellipsis when something was left out (then `*cut` is set). */
const char *bb_text_excerpt(struct bb_arena *arena, const char *text, size_t graphemes, bool *cut);

/* The markup of one dialect. */
enum {
    BB_ESCAPE_MAX = 12,  /* bytes that stand for one character */
    BB_ESCAPE_GROWTH = 8 /* and for each of its bytes */
};

struct bb_escape {
    const unsigned char *special; /* 256 flags: first bytes of what `write` must see */
    /* Writes what stands for the character at `at` in a text that begins at `begin`
     * (so that it can look back and, up to the NUL, ahead) and returns its length,
     * at least that of the character. */
    size_t (*write)(const char *begin, const char *at, char *out);
};

/* For `write`: copies `text` without its NUL, returns its length. */
size_t bb_escape_put(char *out, const char *text);

/* Whether only blanks (with `digits`: and digits) stand between `at` and the
 * beginning of its line. */
bool bb_text_at_line_start(const char *begin, const char *at, bool digits);

/* How much room a place has, after escaping; 0 = no limit. */
struct bb_limit {
    size_t units; /* UTF-16 code units */
    size_t bytes; /* UTF-8 */
    size_t json;  /* bytes inside a JSON string */
};

/* Repaired `text`, escaped (`escape` may be NULL), within `limit`; shortened
 * between graphemes and ended with an ellipsis where it must be (then `*cut` is
 * set). "" when not even the ellipsis fits. */
const char *bb_text_fit(struct bb_arena *arena, const char *text, const struct bb_escape *escape,
                        struct bb_limit limit, bool *cut);

/* What `text` measures. */
struct bb_limit bb_text_measure(const char *text, size_t length);

#endif
