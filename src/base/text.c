#include "base/text.h"

#include <string.h>

#include <utf8proc.h>

#include "base/scan.h"

/* ---- repair ---- */

/* The code point at `s`; a maximal ill-formed prefix counts as U+FFFD. Returns
 * how many of the `n` > 0 bytes it takes. */
static size_t decode(const char *s, size_t n, int32_t *cp) {
    const unsigned char *u = (const unsigned char *)s;
    utf8proc_ssize_t length = utf8proc_iterate(u, (utf8proc_ssize_t)n, cp);
    if (length > 0)
        return (size_t)length;
    *cp = 0xFFFD;
    size_t expected = u[0] >= 0xF0 && u[0] <= 0xF4 ? 4 : u[0] >= 0xE0 ? 3 : 2;
    if (u[0] < 0xC2 || u[0] > 0xF4)
        return 1;
    size_t taken = 1;
    while (taken < expected && taken < n && (u[taken] & 0xC0) == 0x80) {
        /* E0, ED, F0, F4 narrow the second byte: outside it, the sequence ends */
        if (taken == 1 && ((u[0] == 0xE0 && u[1] < 0xA0) || (u[0] == 0xED && u[1] > 0x9F) ||
                           (u[0] == 0xF0 && u[1] < 0x90) || (u[0] == 0xF4 && u[1] > 0x8F)))
            break;
        taken++;
    }
    return taken;
}

static bool is_removed(int32_t cp) {
    if (cp < 0x20)
        return cp != '\n' && cp != '\t';
    return (cp >= 0x7F && cp <= 0x9F) || cp == 0x200B || cp == 0x2060 || cp == 0xFEFF ||
           (cp >= 0x202A && cp <= 0x202E) || (cp >= 0x2066 && cp <= 0x2069);
}

static bool is_noncharacter(int32_t cp) {
    return (cp & 0xFFFE) == 0xFFFE || (cp >= 0xFDD0 && cp <= 0xFDEF);
}

static size_t repaired_code_point(const char *s, size_t n, char *out) {
    int32_t cp;
    decode(s, n, &cp);
    if (cp == '\r' && n > 1 && s[1] == '\n')
        return 0;
    if (cp == '\r' || cp == 0x2028 || cp == 0x2029)
        cp = '\n';
    if (is_removed(cp))
        return 0;
    return (size_t)utf8proc_encode_char(is_noncharacter(cp) ? 0xFFFD : cp, (unsigned char *)out);
}

bool bb_text_is_utf8(const char *text) {
    int32_t cp;
    for (size_t n = strlen(text); n > 0;) {
        utf8proc_ssize_t taken =
            utf8proc_iterate((const unsigned char *)text, (utf8proc_ssize_t)n, &cp);
        if (taken <= 0)
            return false;
        text += taken;
        n -= (size_t)taken;
    }
    return true;
}

static bool is_plain(char c) {
    return (c >= 0x20 && c < 0x7F) || c == '\n' || c == '\t';
}

static bb_scan unprintable(bb_scan bytes) {
    return (bb_scan)((bytes < 0x20) | (bytes > 0x7E));
}

/* A block with a line break in it is gone over byte by byte, as is what is shorter than one. */
static size_t plain_ascii_run(const char *s, size_t n) {
    size_t i = bb_scan_usual(s, n, unprintable);
    while (i < n && is_plain(s[i])) {
        i++;
        if (i % BB_SCAN_SIZE == 0)
            i += bb_scan_usual(s + i, n - i, unprintable);
    }
    return i;
}

char *bb_text_repair(struct bb_arena *arena, const char *text, size_t max, bool *cut) {
    size_t n = text ? strnlen(text, max) : 0;
    while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80)
        n--;                                        /* `max` fell inside a sequence */
    char *out = bb_arena_reserve(arena, 3 * n + 5); /* one bad byte becomes three */
    if (!out)
        return NULL;
    size_t used = 0;
    for (size_t i = 0; i < n;) {
        size_t run = plain_ascii_run(text + i, n - i);
        memcpy(out + used, text + i, run);
        used += run;
        i += run;
        if (i == n)
            break;
        int32_t cp;
        used += repaired_code_point(text + i, n - i, out + used);
        i += decode(text + i, n - i, &cp);
    }
    out[used] = '\0';
    bb_arena_commit(arena, used + 1);
    if (text && text[n])
        *cut = true;
    return out;
}

const char *bb_text_repaired(struct bb_arena *arena, const char *text, size_t max, bool *cut) {
    size_t n = text ? strnlen(text, max) : 0;
    bool is_sound = text && !text[n] && plain_ascii_run(text, n) == n;
    return is_sound ? text : bb_text_repair(arena, text, max, cut);
}

size_t bb_text_copy(char *out, size_t size, const char *text) {
    size_t n = strnlen(text, size - 1);
    memcpy(out, text, n);
    out[n] = '\0';
    return n;
}

/* ---- numbers ---- */

const char *bb_text_digits(int64_t number, char out[BB_INTEGER_SIZE]) {
    char *at = out + BB_INTEGER_SIZE - 1;
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    *at = '\0';
    do
        *--at = (char)('0' + left % 10);
    while (left /= 10);
    if (number < 0)
        *--at = '-';
    return at;
}

const char *bb_text_integer(struct bb_arena *arena, int64_t number) {
    char room[BB_INTEGER_SIZE];
    const char *digits = bb_text_digits(number, room);
    return bb_arena_copy(arena, digits, strlen(digits));
}

/* ---- lines ---- */

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n';
}

char *bb_text_trim(char *text) {
    if (!text)
        return NULL;
    while (is_blank(*text))
        text++;
    size_t n = strlen(text);
    while (n > 0 && is_blank(text[n - 1]))
        n--;
    text[n] = '\0';
    return text;
}

/* Each run of white space in a trimmed text becomes a blank. */
static void collapse(char *text) {
    char *to = text;
    while (*to && (*to > ' ' || (*to == ' ' && to[1] > ' ')))
        to++; /* nearly always all of it */
    for (const char *from = to; *from; from++) {
        if (!is_blank(*from))
            *to++ = *from;
        else if (to[-1] != ' ')
            *to++ = ' ';
    }
    *to = '\0';
}

char *bb_text_flatten(char *text) {
    text = bb_text_trim(text);
    if (text)
        collapse(text);
    return text;
}

char *bb_text_first_line(char *text) {
    text = bb_text_trim(text);
    char *end = text ? strchr(text, '\n') : NULL;
    if (end) {
        *end = '\0';
        text = bb_text_trim(text);
    }
    if (text)
        collapse(text);
    return text;
}

bool bb_text_same(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool bb_is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool bb_is_digit(char c) {
    return c >= '0' && c <= '9';
}

char bb_to_lower(char c) {
    static const char lower[] = "abcdefghijklmnopqrstuvwxyz";
    if (c < 'A' || c > 'Z')
        return c;
    return lower[c - 'A'];
}

bool bb_text_begins_like(const char *text, const char *beginning) {
    size_t i = 0;
    while (beginning[i] && bb_to_lower(text[i]) == bb_to_lower(beginning[i]))
        i++;
    return !beginning[i];
}

bool bb_text_is_like(const char *a, const char *b) {
    return bb_text_begins_like(a, b) && strlen(a) == strlen(b);
}

bool bb_text_ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static bool is_invisible(int32_t cp) {
    switch (utf8proc_category(cp)) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
        return true;
    default: /* fillers, braille blank, variation selectors */
        return cp == 0x115F || cp == 0x1160 || cp == 0x3164 || cp == 0xFFA0 || cp == 0x2800 ||
               (cp >= 0xFE00 && cp <= 0xFE0F) || cp == 0x034F;
    }
}

bool bb_text_is_invisible(const char *text) {
    if (*text > ' ' && *text < 0x7F) /* nearly always */
        return false;
    size_t n = strlen(text);
    for (size_t i = 0; i < n;) {
        int32_t cp;
        size_t taken = decode(text + i, n - i, &cp);
        if (!is_invisible(cp))
            return false;
        i += taken;
    }
    return true;
}

void bb_text_safe(char *text) {
    size_t n = strlen(text), used = bb_scan_usual(text, n, unprintable);
    for (size_t i = used; i < n;) {
        int32_t cp = (unsigned char)text[i];
        if (cp >= 0x20 && cp < 0x7F) {
            text[used++] = text[i++];
            continue;
        }
        size_t taken = decode(text + i, n - i, &cp);
        bool bad = cp == 0xFFFD && (taken != 3 || memcmp(text + i, "\xEF\xBF\xBD", 3) != 0);
        if (bad && i + taken == n)
            break; /* a sequence that a fixed-size array cut off */
        if (bad || is_removed(cp) || cp == '\n' || cp == '\t' || cp == 0x2028 || cp == 0x2029) {
            text[used++] = bad ? '?' : ' ';
        } else {
            memmove(text + used, text + i, taken);
            used += taken;
        }
        i += taken;
    }
    text[used] = '\0';
}

/* ---- graphemes ---- */

/* Between two ASCII bytes there is always a boundary (CR is gone by repair). */
static size_t certain_boundary(const char *s, size_t at) {
    while (at > 0 && ((unsigned char)s[at] >= 0x80 || (unsigned char)s[at - 1] >= 0x80))
        at--;
    return at;
}

/* The last grapheme boundary at or before `at`. */
static size_t boundary_before(const char *s, size_t n, size_t at) {
    if (at >= n)
        return n;
    size_t i = certain_boundary(s, at), boundary = i;
    int32_t previous = -1, state = 0;
    while (i <= at && i < n) {
        int32_t cp;
        size_t taken = decode(s + i, n - i, &cp);
        if (previous < 0 || utf8proc_grapheme_break_stateful(previous, cp, &state))
            boundary = i;
        previous = cp;
        i += taken;
    }
    return boundary;
}

static size_t skip_graphemes(const char *s, size_t n, size_t count) {
    size_t i = 0;
    int32_t previous = -1, state = 0;
    while (i < n && count > 0) {
        int32_t cp;
        size_t taken = decode(s + i, n - i, &cp);
        if (previous >= 0 && utf8proc_grapheme_break_stateful(previous, cp, &state) && --count == 0)
            break;
        previous = cp;
        i += taken;
    }
    return i;
}

/* `length` bytes of `text`, without blanks at their end, and an ellipsis. */
static char *with_ellipsis(struct bb_arena *arena, const char *text, size_t length) {
    while (length > 0 && is_blank(text[length - 1]))
        length--;
    char *out = bb_arena_alloc(arena, length + sizeof BB_ELLIPSIS);
    if (!out)
        return NULL;
    memcpy(out, text, length);
    memcpy(out + length, BB_ELLIPSIS, sizeof BB_ELLIPSIS);
    return out;
}

const char *bb_text_excerpt(struct bb_arena *arena, const char *text, size_t graphemes, bool *cut) {
    if (!text)
        return NULL;
    size_t n = strlen(text);
    if (n <= graphemes || skip_graphemes(text, n, graphemes) == n)
        return text;
    *cut = true;
    if (graphemes == 0)
        return "";
    return with_ellipsis(arena, text, skip_graphemes(text, n, graphemes - 1));
}

/* ---- fit ---- */

size_t bb_escape_put(char *out, const char *text) {
    size_t n = strlen(text);
    memcpy(out, text, n);
    return n;
}

bool bb_text_at_line_start(const char *begin, const char *at, bool digits) {
    while (at > begin && at[-1] != '\n') {
        at--;
        if (*at != ' ' && *at != '\t' && !(digits && *at >= '0' && *at <= '9'))
            return false;
    }
    return true;
}

struct bb_limit bb_text_measure(const char *text, size_t length) {
    struct bb_limit size = {.bytes = length, .json = length};
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        size.units += (c & 0xC0) != 0x80;
        size.units += c >= 0xF0;
        size.json += c == '"' || c == '\\' || c == '\n' || c == '\t';
    }
    return size;
}

/* What is surely within needs no measuring: a byte is at most one unit, and two
 * bytes of JSON. */
static bool is_surely_within(size_t bytes, struct bb_limit limit) {
    return (!limit.units || bytes <= limit.units) && (!limit.bytes || bytes <= limit.bytes) &&
           (!limit.json || 2 * bytes <= limit.json);
}

static bool within(struct bb_limit size, struct bb_limit limit) {
    return (!limit.units || size.units <= limit.units) &&
           (!limit.bytes || size.bytes <= limit.bytes) && (!limit.json || size.json <= limit.json);
}

static size_t inert_run(const char *text, size_t n, const unsigned char *special) {
    size_t i = 0;
    while (i < n && !special[(unsigned char)text[i]])
        i++;
    return i;
}

static size_t escape_into(char *out, const char *text, size_t n, const struct bb_escape *escape) {
    char *to = out;
    for (size_t i = 0; i < n;) {
        size_t run = inert_run(text + i, n - i, escape->special);
        memcpy(to, text + i, run);
        to += run;
        i += run;
        if (i < n) {
            int32_t cp;
            to += escape->write(text, text + i, to);
            i += decode(text + i, n - i, &cp);
        }
    }
    return (size_t)(to - out);
}

/* What can at most be of use: escaping never shortens, and a UTF-16 unit takes
 * three bytes at most. Keeps a megabyte from being escaped for a tweet. */
static size_t useful_length(const char *text, struct bb_limit limit) {
    size_t most = SIZE_MAX;
    if (limit.units)
        most = 3 * limit.units;
    if (limit.bytes && limit.bytes < most)
        most = limit.bytes;
    if (limit.json && limit.json < most)
        most = limit.json;
    return strnlen(text, most == SIZE_MAX ? most : most + 1);
}

/* How many bytes of `text` can be kept so that they, escaped, and an ellipsis
 * are within the limit. */
static size_t fitting_prefix(const char *text, size_t n, const struct bb_escape *escape,
                             struct bb_limit limit) {
    struct bb_limit size = bb_text_measure(BB_ELLIPSIS, 3);
    size_t i = 0;
    while (i < n) {
        int32_t cp;
        char out[BB_ESCAPE_MAX];
        size_t taken = decode(text + i, n - i, &cp);
        bool special = escape && escape->special[(unsigned char)text[i]];
        size_t written = special ? escape->write(text, text + i, out) : 0;
        struct bb_limit part =
            special ? bb_text_measure(out, written) : bb_text_measure(text + i, taken);
        size.units += part.units;
        size.bytes += part.bytes;
        size.json += part.json;
        if (!within(size, limit))
            break;
        i += taken;
    }
    return boundary_before(text, n, i);
}

static const char *escaped(struct bb_arena *arena, const char *text, size_t n,
                           const struct bb_escape *escape, size_t *length) {
    *length = n;
    if (!escape || inert_run(text, n, escape->special) == n)
        return text[n] ? bb_arena_copy(arena, text, n) : text;
    char *out = bb_arena_reserve(arena, n * BB_ESCAPE_GROWTH + BB_ESCAPE_MAX);
    if (!out)
        return NULL;
    *length = escape_into(out, text, n, escape);
    out[*length] = '\0';
    bb_arena_commit(arena, *length + 1);
    return out;
}

const char *bb_text_fit(struct bb_arena *arena, const char *text, const struct bb_escape *escape,
                        struct bb_limit limit, bool *cut) {
    if (!text)
        return NULL;
    size_t n = useful_length(text, limit), length;
    const char *whole = escaped(arena, text, n, escape, &length);
    if (!whole || (!text[n] && (is_surely_within(length, limit) ||
                                within(bb_text_measure(whole, length), limit))))
        return whole;
    *cut = true;
    if (!within(bb_text_measure(BB_ELLIPSIS, 3), limit))
        return "";
    size_t kept = fitting_prefix(text, strlen(text), escape, limit);
    const char *prefix = with_ellipsis(arena, text, kept);
    return prefix ? escaped(arena, prefix, strlen(prefix), escape, &length) : NULL;
}
