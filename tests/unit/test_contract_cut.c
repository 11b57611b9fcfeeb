/*
 * What every endpoint promises of text that does not fit: it is cut between
 * graphemes, ends with an ellipsis, and the request names it; and nothing else is
 * named. Boundaries are asked of utf8proc here, where the limits are is found out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <utf8proc.h>

#include "support/contract.h"
#include "support/hostile.h"

/* Begins a text that is looked for; no other text holds it. */
#define MARK "Zq"
#define ELLIPSIS "\u2026"

enum { ENOUGH = 300 * 1024 }; /* more than any product takes of one text */

/* ---- one text among short ones */

struct place {
    const sample_text *text;
    bb_webhook webhook;
    bb_activity activity;
};

static bool prepare_at(contract_made *made, const struct place *place, const char *value) {
    sample s;
    sample_fill(&s, place->activity);
    sample_set(&s, place->text, value);
    return contract_prepare(made, &place->webhook, &s.event);
}

static const char *cut_name(const struct place *place) {
    bool custom = place->webhook.type == BB_CUSTOM && place->text->cut_custom;
    return custom ? place->text->cut_custom : place->text->cut;
}

/* With which activity a text is shown, if possible not also within a title. */
static bool find_place(struct place *place, bb_type type, const sample_text *text) {
    *place = (struct place){.text = text, .webhook = sample_webhook(type)};
    for (size_t i = 0; i < SAMPLE_ACTIVITIES; i++) {
        bb_activity activity = sample_activity(i);
        bool is_better = !place->activity || !(text->in_title & (uint32_t)activity);
        if (is_better && sample_shows(text, type, activity))
            place->activity = activity;
    }
    return place->activity != 0;
}

static void for_each_place(void (*check)(const struct place *place)) {
    FOR_EACH_TYPE(type) {
        for (size_t t = 0; t < sample_text_count; t++) {
            struct place place;
            contract_try("%s, %s", bb_type_name(type), sample_texts[t].name);
            if (find_place(&place, type, &sample_texts[t]))
                check(&place);
        }
    }
}

/* ---- names of what was cut */

static void check_long(bb_type type, const sample_text *text, bb_activity activity,
                       const char *value) {
    struct place place = {.text = text, .webhook = sample_webhook(type), .activity = activity};
    const char *names[3] = {NULL};
    size_t count = 0;
    contract_made made;
    if (sample_shows(text, type, activity))
        names[count++] = cut_name(&place);
    if ((text->in_title & (uint32_t)activity) && (!count || strcmp(names[0], "title") != 0))
        names[count++] = "title";
    contract_try("%s, %s, %s", bb_type_name(type), bb_activity_name(activity), text->name);
    if (prepare_at(&made, &place, value)) {
        contract_check(&made, &(struct decode_expect){.link = SAMPLE_LINK});
        contract_check_cuts(&made, names);
    }
    contract_free(&made);
}

static void what_was_cut_is_named_and_nothing_else(void **state) {
    (void)state;
    char *value = hostile_repeat("a", ENOUGH);
    FOR_EACH_TYPE(type) {
        for (size_t t = 0; t < sample_text_count; t++)
            for (size_t i = 0; i < SAMPLE_ACTIVITIES; i++)
                check_long(type, &sample_texts[t], sample_activity(i), value);
    }
    free(value);
}

/* ---- the limit itself */

/* How many bytes of 'a', after MARK, are shown before an ellipsis: where they are
 * fewest and where they are most. 0: nowhere. */
struct shown {
    size_t least, most;
};

static struct shown shown_lengths(const contract_made *made) {
    char *texts = decode_texts(made->type, made->body, made->length);
    struct shown shown = {0, 0};
    for (const char *at = texts; at && (at = strstr(at, MARK));) {
        at += sizeof(MARK) - 1;
        size_t n = strspn(at, "a");
        if (strncmp(at + n, ELLIPSIS, sizeof(ELLIPSIS) - 1) != 0)
            continue;
        if (shown.least == 0 || n < shown.least)
            shown.least = n;
        if (n > shown.most)
            shown.most = n;
    }
    free(texts);
    return shown;
}

static char *marked(size_t letters, const char *more) {
    char *text = malloc(sizeof(MARK) + letters + strlen(more));
    assert_non_null(text);
    memcpy(text, MARK, sizeof(MARK) - 1);
    memset(text + sizeof(MARK) - 1, 'a', letters);
    strcpy(text + sizeof(MARK) - 1 + letters, more);
    return text;
}

/* The lengths at which the place cuts; a complaint when it does not. */
static struct shown limits_of(const struct place *place) {
    contract_made made;
    struct shown limits = {0, 0};
    char *text = marked(ENOUGH, "");
    if (prepare_at(&made, place, text))
        limits = shown_lengths(&made);
    if (limits.least == 0)
        contract_complain("shows no ellipsis");
    contract_free(&made);
    free(text);
    return limits;
}

/* Whether it stands within a title of more words. */
static bool is_followed(const struct place *place) {
    return (place->text->in_title & (uint32_t)place->activity) &&
           place->text->offset != offsetof(sample, event.title);
}

static void check_around_limit(const struct place *place) {
    size_t limit = limits_of(place).most;
    for (size_t length = limit - 3; limit && length <= limit + 5; length++) {
        contract_made made;
        char *text = marked(length, "");
        contract_try("%s, %s of %zu bytes", bb_type_name(place->webhook.type), place->text->name,
                     strlen(text));
        if (prepare_at(&made, place, text)) {
            bool is_cut = contract_is_cut(&made, cut_name(place));
            if (!is_cut || !is_followed(place)) /* else the cut may come behind it */
                contract_check_shows(&made, text, !is_cut);
            if (length > limit + 3 && bb_request_cut_count(made.request) == 0)
                contract_complain("is not cut");
        }
        contract_free(&made);
        free(text);
    }
}

static void a_text_is_whole_or_told_as_cut(void **state) {
    (void)state;
    for_each_place(check_around_limit);
}

/* ---- graphemes */

static bool is_boundary(const char *text, size_t at) {
    utf8proc_int32_t previous = -1, rune = 0, state = 0;
    for (size_t i = 0; i <= at && text[i];) {
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text + i, -1, &rune);
        assert_true(n > 0);
        bool may_break = previous < 0 || utf8proc_grapheme_break_stateful(previous, rune, &state);
        if (i == at)
            return may_break;
        previous = rune;
        i += (size_t)n;
    }
    return false;
}

/* Each piece of `text` that is shown is the whole of it, or its beginning up to a
 * boundary and an ellipsis. Returns whether there is one. */
static bool check_pieces(const char *texts, const char *text) {
    const char *piece = strstr(texts, MARK);
    if (!piece)
        return false;
    for (; piece; piece = strstr(piece + 1, MARK)) {
        size_t same = 0;
        while (text[same] && piece[same] == text[same])
            same++;
        bool is_cut = strncmp(piece + same, ELLIPSIS, sizeof(ELLIPSIS) - 1) == 0;
        if (text[same] && !is_cut)
            contract_complain("differs at byte %zu: %.40s", same, piece + same);
        else if (is_cut && !is_boundary(text, same))
            contract_complain("splits a grapheme at byte %zu: %.40s", same, piece + same);
    }
    return true;
}

static void check_cluster(const struct place *place, size_t letters, const hostile *cluster) {
    char *clusters = hostile_repeat(cluster->text, 4096), *text = marked(letters, clusters);
    contract_made made;
    contract_try("%s, %s, %s from byte %zu on", bb_type_name(place->webhook.type),
                 place->text->name, cluster->name, letters + sizeof(MARK) - 1);
    if (prepare_at(&made, place, text)) {
        char *texts = decode_texts(made.type, made.body, made.length);
        contract_check(&made, &(struct decode_expect){.link = SAMPLE_LINK});
        if (!texts || !check_pieces(texts, text))
            contract_complain("is not shown");
        free(texts);
    }
    contract_free(&made);
    free(clusters);
    free(text);
}

/* The first cluster begins at every byte from three behind the cut back to so far
 * before it that the cut comes three bytes behind its end. Texts that take
 * thousands of bytes are cut by the same code: a few places do. */
static void check_clusters_at(const struct place *place, size_t limit) {
    size_t step = limit > 1000 ? 5 : 1;
    for (size_t c = 0; limit && c < hostile_cluster_count; c++) {
        size_t first = strlen(hostile_clusters[c].text) + 3;
        for (size_t at = limit - first; at <= limit + 3; at += step)
            check_cluster(place, at, &hostile_clusters[c]);
    }
}

/* Lists of chats show less of a title than chats do. */
static void check_clusters(const struct place *place) {
    struct shown limits = limits_of(place);
    check_clusters_at(place, limits.most);
    if (limits.least != limits.most)
        check_clusters_at(place, limits.least);
}

static void no_grapheme_is_split_at_any_cut(void **state) {
    (void)state;
    for_each_place(check_clusters);
}

/* ---- excerpts */

static void check_excerpt(bb_type type, size_t length, bool whole) {
    bb_webhook webhook = sample_webhook(type);
    char *text = hostile_repeat("x", length);
    contract_made made;
    sample s;
    sample_make(&s, &sample_cases[0]);
    s.issue.description = text;
    contract_try("%s, an issue description of %zu", bb_type_name(type), length);
    if (contract_prepare(&made, &webhook, &s.event)) {
        contract_check_shows(&made, text, whole);
        if (contract_is_cut(&made, "issue_description") == whole)
            contract_complain("%s",
                              whole ? "says that it was cut" : "does not say that it was cut");
        text[length - 1] = '\0';
        text[length - 2] = '\0';
        contract_check_shows(&made, text, true);
    }
    contract_free(&made);
    free(text);
}

/* Custom is no chat: what it is given is all there. */
static void an_issue_description_is_shortened_from_451_characters_on(void **state) {
    (void)state;
    FOR_EACH_TYPE(type) {
        check_excerpt(type, 449, true);
        check_excerpt(type, 450, true);
        check_excerpt(type, 451, type == BB_CUSTOM);
    }
}

static void an_excerpt_counts_what_a_reader_calls_a_character(void **state) {
    (void)state;
    bb_webhook webhook = sample_webhook(BB_FEISHU);
    char *text = hostile_repeat("e\u0301", 450 * strlen("e\u0301"));
    contract_made made;
    sample s;
    sample_make(&s, &sample_cases[0]);
    s.issue.description = text;
    contract_try("450 letters with marks");
    if (contract_prepare(&made, &webhook, &s.event))
        contract_check_shows(&made, text, true);
    contract_free(&made);
    free(text);
}

/* ---- other things that are shortened */

static void a_button_text_that_is_cut_is_named(void **state) {
    (void)state;
    static const char *const cut[] = {"button_text", NULL};
    static const char *const none[] = {NULL};
    char *text = hostile_repeat("Open ", 100);
    FOR_EACH_TYPE(type) {
        bb_webhook webhook = sample_webhook(type);
        contract_made made;
        sample s;
        bool has_button = type != BB_DISCORD && type != BB_CUSTOM;
        sample_make(&s, &sample_cases[0]);
        webhook.button_text = text;
        contract_try("%s", bb_type_name(type));
        if (contract_prepare(&made, &webhook, &s.event)) {
            contract_check(&made, &(struct decode_expect){.link = SAMPLE_LINK});
            contract_check_cuts(&made, has_button ? cut : none);
        }
        contract_free(&made);
    }
    free(text);
}

/* WeCom's 4,096 bytes are few: what is left out in favour of the rest is named. */
static void wecom_names_the_facts_that_it_leaves_out(void **state) {
    (void)state;
    bb_webhook webhook = sample_webhook(BB_WECOM);
    char *words = hostile_repeat("字", 4200), link[1990] = "https://bb.example.com/";
    contract_made made;
    sample s;
    memset(link + strlen(link), 'x', sizeof(link) - 1 - strlen(link));
    sample_fill(&s, BB_TASK_STATUS_UPDATE);
    for (size_t t = 0; t < sample_text_count; t++)
        if (!sample_texts[t].hides && sample_texts[t].in_rooms)
            sample_set(&s, &sample_texts[t], words);
    s.event.link = link;
    contract_try("wecom, everything long");
    if (contract_prepare(&made, &webhook, &s.event)) {
        contract_check(&made, &(struct decode_expect){.link = link});
        for (size_t t = 0; t < sample_text_count; t++)
            if (!sample_texts[t].hides &&
                sample_shows(&sample_texts[t], BB_WECOM, BB_TASK_STATUS_UPDATE) &&
                !contract_is_cut(&made, sample_texts[t].cut))
                contract_complain("does not say that %s was cut", sample_texts[t].cut);
    }
    contract_free(&made);
    free(words);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CONTRACT(what_was_cut_is_named_and_nothing_else),
        CONTRACT(a_text_is_whole_or_told_as_cut),
        CONTRACT(no_grapheme_is_split_at_any_cut),
        CONTRACT(an_issue_description_is_shortened_from_451_characters_on),
        CONTRACT(an_excerpt_counts_what_a_reader_calls_a_character),
        CONTRACT(a_button_text_that_is_cut_is_named),
        CONTRACT(wecom_names_the_facts_that_it_leaves_out),
    };
    return cmocka_run_group_tests_name("contract: cut", tests, NULL, NULL);
}
