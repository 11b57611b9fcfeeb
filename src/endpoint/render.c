#include "endpoint/render.h"

#include <string.h>

static bool is_word(char c) {
    return bb_is_letter(c) || bb_is_digit(c);
}

const char *bb_render_fit(struct bb_render *r, const char *name, const char *text,
                          const struct bb_escape *escape, struct bb_limit limit) {
    bool cut = false;
    const char *fitted = bb_text_fit(r->arena, text, escape, limit, &cut);
    if (cut)
        bb_cuts_add(r->cuts, name);
    return fitted;
}

const char *bb_render_fact(struct bb_render *r, const struct bb_fact *fact,
                           const struct bb_escape *escape, struct bb_limit names,
                           struct bb_limit excerpts) {
    if (fact->is_cut)
        bb_cuts_add(r->cuts, fact->name);
    return bb_render_fit(r, fact->name, fact->value, escape, fact->is_long ? excerpts : names);
}

const char *bb_render_one_line(struct bb_render *r, const char *text) {
    return bb_text_flatten(bb_arena_copy(r->arena, text, strlen(text)));
}

const char *bb_render_fact_line(struct bb_render *r, const struct bb_fact *fact,
                                const struct bb_escape *escape, struct bb_limit names,
                                struct bb_limit excerpts) {
    struct bb_fact line = *fact;
    if (fact->is_long)
        line.value = bb_render_one_line(r, fact->value);
    return bb_render_fact(r, &line, escape, names, excerpts);
}

static char *repaired_line(struct bb_render *r, const char *text) {
    enum { LINE_MAX_BYTES = 1024 };
    bool cut = false;
    return bb_text_flatten(bb_text_repair(r->arena, text, LINE_MAX_BYTES, &cut));
}

const char *bb_render_button(struct bb_render *r) {
    const char *text = repaired_line(r, r->webhook->button_text);
    if (text && !*text)
        return bb_word_button(r->message->language);
    return bb_render_fit(r, "button_text", text, NULL, (struct bb_limit){.units = 75});
}

const char *bb_render_keyword(struct bb_render *r) {
    return r->webhook->keyword ? repaired_line(r, r->webhook->keyword) : "Bytebase";
}

unsigned bb_render_color(bb_level level) {
    switch (level) {
    case BB_SUCCESS:
        return 0x16A34A;
    case BB_WARN:
        return 0xD97706;
    case BB_ERROR:
        return 0xDC2626;
    default:
        return 0x2563EB;
    }
}

static void put_digits(char *to, unsigned number, int count) {
    for (; count > 0; number /= 10)
        to[--count] = (char)('0' + number % 10);
}

/* "2026-01-02". The calendar repeats every 400 years; counted from March, a leap day
 * is a year's last, and 153 days make five months. (gmtime and strftime take several
 * times as long, and look at the environment.) */
static void put_date(char *to, unsigned days_since_1970) {
    enum { DAYS_IN_400_YEARS = 146097, MARCH_0000_TO_1970 = 719468 };
    unsigned days = days_since_1970 + MARCH_0000_TO_1970;
    unsigned era = days / DAYS_IN_400_YEARS, day = days % DAYS_IN_400_YEARS;
    unsigned year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= 365 * year + year / 4 - year / 100;
    unsigned month = (5 * day + 2) / 153; /* 0 = March */
    put_digits(to, 400 * era + year + (month >= 10), 4);
    put_digits(to + 5, month < 10 ? month + 3 : month - 9, 2);
    put_digits(to + 8, day - (153 * month + 2) / 5 + 1, 2);
}

const char *bb_render_time(const struct bb_render *r) {
    enum { SECONDS_A_DAY = 24 * 60 * 60 };
    const int64_t year_10000 = 253402300800;
    if (r->message->created_ts <= 0 || r->message->created_ts >= year_10000)
        return NULL;
    char text[] = "0000-00-00T00:00:00Z";
    unsigned seconds = (unsigned)(r->message->created_ts % SECONDS_A_DAY);
    put_date(text, (unsigned)(r->message->created_ts / SECONDS_A_DAY));
    put_digits(text + 11, seconds / 3600, 2);
    put_digits(text + 14, seconds / 60 % 60, 2);
    put_digits(text + 17, seconds % 60, 2);
    return bb_arena_copy(r->arena, text, sizeof text - 1);
}

size_t bb_render_mention_count(const struct bb_render *r, size_t most) {
    return r->message->mention_count < most ? r->message->mention_count : most;
}

const char *bb_render_mentions(struct bb_render *r, const char *everyone, size_t most,
                               bb_render_person *person) {
    const struct bb_message *m = r->message;
    const char *line = m->everyone ? everyone : "";
    for (size_t i = 0; line && i < bb_render_mention_count(r, most); i++) {
        const char *who = person(r, &m->mentions[i]);
        if (!who || *who)
            line = bb_arena_join(r->arena, "%s%s%s", line, *line ? " " : "", who);
    }
    if (m->mention_count > most)
        bb_cuts_add(r->cuts, "mentions");
    return line;
}

bool bb_render_is_markup(const char *begin, const char *at, const char *leaders) {
    if (*at == '.')
        return at > begin && bb_is_digit(at[-1]) && bb_text_at_line_start(begin, at, true);
    return !strchr(leaders, *at) || bb_text_at_line_start(begin, at, false);
}

bool bb_render_begins_emoji(const char *at) {
    enum { LONGEST_NAME = 100 };
    size_t n = 0, digits = 0;
    for (; n < LONGEST_NAME && (is_word(at[1 + n]) || strchr("_+-'", at[1 + n])); n++) {
        if (!at[1 + n])
            return false;
        digits += bb_is_digit(at[1 + n]);
    }
    bool is_number = digits == n && strncmp(at, ":100:", 5) != 0 && strncmp(at, ":1234:", 6) != 0;
    return at[1 + n] == ':' && !is_number;
}

bool bb_render_is_within_word(const char *begin, const char *at) {
    return at > begin && is_word(at[-1]) && is_word(at[1]);
}

size_t bb_render_look_alike(char mark, char *out) {
    switch (mark) {
    case '*':
        return bb_escape_put(out, "∗");
    case '_':
        return bb_escape_put(out, "ˍ");
    case '~':
        return bb_escape_put(out, "∼");
    case '|':
        return bb_escape_put(out, "∣");
    default:
        return bb_escape_put(out, "ˋ");
    }
}

bool bb_render_begins_entity(const char *at) {
    enum { LONGEST_NAME = 32 };
    size_t n = at[1] == '#' ? 2 : 1, first = n;
    while (n < LONGEST_NAME && is_word(at[n]))
        n++;
    return n > first && at[n] == ';';
}

bool bb_render_has_link(const struct bb_render *r) {
    return r->message->link && *r->message->link;
}

const char *bb_render_markdown_link(struct bb_render *r) {
    const char *link = r->message->link;
    char *out = bb_arena_reserve(r->arena, 3 * strlen(link) + 1);
    if (!out)
        return NULL;
    char *to = out;
    for (; *link; link++) {
        if (*link == '(' || *link == ')') {
            memcpy(to, *link == '(' ? "%28" : "%29", 3);
            to += 3;
        } else {
            *to++ = *link;
        }
    }
    *to = '\0';
    bb_arena_commit(r->arena, (size_t)(to - out) + 1);
    return out;
}
