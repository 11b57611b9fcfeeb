/*
 * The whole body of every kind of event for every endpoint in every language, as
 * it was last looked at: tests/golden/TYPE.LANGUAGE.json, laid out for reading. A
 * change is seen in the diff of these files. They are rewritten by
 *
 *     BB_UPDATE_GOLDEN=1 ctest --test-dir BUILD -R test_golden
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "support/contract.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { WIDTH = 100 };

/* ---- a file's text */

typedef struct text {
    char *bytes;
    size_t length, room;
} text;

static void add_bytes(text *t, const char *bytes, size_t length) {
    if (t->length + length + 1 > t->room) {
        t->room = 2 * (t->length + length + 1);
        t->bytes = realloc(t->bytes, t->room);
        assert_non_null(t->bytes);
    }
    memcpy(t->bytes + t->length, bytes, length);
    t->length += length;
    t->bytes[t->length] = '\0';
}

static void add(text *t, const char *words) {
    add_bytes(t, words, strlen(words));
}

static void add_indent(text *t, int depth) {
    add(t, "\n");
    for (int i = 0; i < depth; i++)
        add(t, "  ");
}

/* What a reader of the file could not see is written as an escape. */
static void add_visibly(text *t, const char *json) {
    for (const char *hidden; (hidden = strstr(json, "\u200b")); json = hidden + 3) {
        add_bytes(t, json, (size_t)(hidden - json));
        add(t, "\\u200b");
    }
    add(t, json);
}

static void add_key(text *t, const cJSON *value) {
    if (!value->string)
        return;
    add(t, "\"");
    add(t, value->string);
    add(t, "\": ");
}

/* In one line when it fits, else a line for each member. */
static void add_value(text *t, const cJSON *value, int depth) {
    char *line = cJSON_PrintUnformatted(value);
    assert_non_null(line);
    add_key(t, value);
    bool fits = strlen(line) + 2 * (size_t)depth <= WIDTH;
    if (fits || !value->child) {
        add_visibly(t, line);
    } else {
        bool is_object = cJSON_IsObject(value);
        add(t, is_object ? "{" : "[");
        for (const cJSON *child = value->child; child; child = child->next) {
            add_indent(t, depth + 1);
            add_value(t, child, depth + 1);
            add(t, child->next ? "," : "");
        }
        add_indent(t, depth);
        add(t, is_object ? "}" : "]");
    }
    free(line);
}

/* ---- what is told apart from the samples */

static void as_success(sample *s, bb_webhook *webhook) {
    (void)webhook;
    s->event.level = BB_SUCCESS;
}

static void as_warning(sample *s, bb_webhook *webhook) {
    (void)webhook;
    s->event.level = BB_WARN;
}

static void as_error(sample *s, bb_webhook *webhook) {
    (void)webhook;
    s->event.level = BB_ERROR;
}

static void without_link(sample *s, bb_webhook *webhook) {
    (void)webhook;
    s->event.link = NULL;
}

static void bare(sample *s, bb_webhook *webhook) {
    (void)webhook;
    s->event = (bb_event)BB_EVENT_INIT;
    s->event.activity = BB_ISSUE_CREATE;
}

static void own_words(sample *s, bb_webhook *webhook) {
    s->event.title = "Night run is over";
    s->event.description = "12 of 12 databases are done.\n\nNothing is left to do.";
    webhook->button_text = "Open the run";
    webhook->keyword = "night run";
}

static void markup(sample *s, bb_webhook *webhook) {
    (void)webhook;
    s->issue.name = "*Add* <index> & [drop](https://evil.example) `x` @everyone";
    s->issue.description = "# not a heading :smile: </font><at id=all></at> {{DATE(x)}}";
    s->event.description = "```\n> quote\n- item\n1. one\n<!channel> <@all> \\_o_/";
}

static const bb_mention people[] = {
    {.struct_size = sizeof(bb_mention),
     .name = "Ann Lee",
     .slack = "U0123ABCD",
     .discord = "80351110224678912",
     .teams = "ann.lee@example.com",
     .dingtalk = "ann_lee",
     .feishu = "ou_18eac85d35a26f98",
     .wecom = "AnnLee"},
    {.struct_size = sizeof(bb_mention), .name = "李博", .phone = "+86 138 0000 0000"},
    {.struct_size = sizeof(bb_mention), .everyone = 1},
};
static const bb_mention *const list[] = {&people[0], &people[1], &people[2]};

static void mention_people(sample *s, bb_webhook *webhook) {
    (void)webhook;
    s->event.mentions = list;
    s->event.mention_count = 2;
}

static void mention_everyone(sample *s, bb_webhook *webhook) {
    (void)webhook;
    s->event.mentions = list + 2;
    s->event.mention_count = 1;
}

static void action_card(sample *s, bb_webhook *webhook) {
    (void)s;
    webhook->dingtalk_action_card = 1;
}

/* Changes to the first sample. */
static const struct {
    const char *name;
    void (*change)(sample *s, bb_webhook *webhook);
    bb_type only; /* 0: for every type */
} changes[] = {
    {"issue created, as a success", as_success, 0},
    {"issue created, as a warning", as_warning, 0},
    {"issue created, as an error", as_error, 0},
    {"issue created, without a link", without_link, 0},
    {"nothing but the activity", bare, 0},
    {"the host's own words, button and keyword", own_words, 0},
    {"markup in every text", markup, 0},
    {"two people", mention_people, 0},
    {"everyone", mention_everyone, 0},
    {"action card", action_card, BB_DINGTALK},
};

/* ---- files */

static void add_case(text *t, const char *name, const sample *s, const bb_webhook *webhook) {
    contract_made made;
    contract_try("%s, %s, %s", bb_type_name(webhook->type), bb_language_name(webhook->language),
                 name);
    if (contract_prepare(&made, webhook, &s->event)) {
        cJSON *one = cJSON_CreateObject();
        cJSON_AddStringToObject(one, "case", name);
        cJSON_AddItemToObject(one, "body", cJSON_ParseWithLength(made.body, made.length));
        add(t, t->length > 2 ? ",\n" : "");
        add_value(t, one, 0);
        cJSON_Delete(one);
    }
    contract_free(&made);
}

static void add_changed(text *t, size_t change, const bb_webhook *usual_webhook) {
    bb_webhook webhook = *usual_webhook;
    sample s;
    sample_make(&s, &sample_cases[0]);
    changes[change].change(&s, &webhook);
    add_case(t, changes[change].name, &s, &webhook);
}

static text make_file(const bb_webhook *webhook) {
    text t = {0};
    add(&t, "[\n");
    for (size_t i = 0; i < sample_case_count; i++) {
        sample s;
        sample_make(&s, &sample_cases[i]);
        add_case(&t, sample_cases[i].name, &s, webhook);
    }
    for (size_t i = 0; i < COUNT(changes); i++)
        if (!changes[i].only || changes[i].only == webhook->type)
            add_changed(&t, i, webhook);
    add(&t, "\n]\n");
    return t;
}

static text read_file(const char *path) {
    text t = {0};
    char block[8192];
    size_t length;
    FILE *file = fopen(path, "rb");
    add(&t, "");
    while (file && (length = fread(block, 1, sizeof(block), file)) > 0)
        add_bytes(&t, block, length);
    if (file)
        fclose(file);
    return t;
}

static void write_file(const char *path, const text *t) {
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(t->bytes, 1, t->length, file) != t->length || fclose(file) != 0)
        fail_msg("cannot write %s", path);
}

static void complain_of_difference(const char *path, const char *golden, const char *made) {
    size_t line = 1, begin = 0, at = 0;
    for (; golden[at] && golden[at] == made[at]; at++) {
        if (golden[at] == '\n') {
            line++;
            begin = at + 1;
        }
    }
    contract_try("%s:%zu", path, line);
    contract_complain("\n  golden: %.*s\n  now:    %.*s\n"
                      "If it is meant: BB_UPDATE_GOLDEN=1 ctest -R test_golden",
                      (int)strcspn(golden + begin, "\n"), golden + begin,
                      (int)strcspn(made + begin, "\n"), made + begin);
}

static void check_file(bb_type type, bb_language language) {
    bb_webhook webhook = sample_webhook(type);
    char path[512];
    webhook.language = language;
    snprintf(path, sizeof(path), "%s/golden/%s.%s.json", TESTS_DIR, bb_type_name(type),
             bb_language_name(language));
    text made = make_file(&webhook);
    if (getenv("BB_UPDATE_GOLDEN"))
        write_file(path, &made);
    text golden = read_file(path);
    if (strcmp(golden.bytes, made.bytes) != 0)
        complain_of_difference(path, golden.bytes, made.bytes);
    free(golden.bytes);
    free(made.bytes);
}

static void every_body_is_as_it_was_last_looked_at(void **state) {
    (void)state;
    FOR_EACH_TYPE(type) {
        check_file(type, BB_ENGLISH);
        check_file(type, BB_CHINESE);
    }
}

/* What the files leave out: these settings at 0 are what they show. */
static void no_language_is_english(void **state) {
    (void)state;
    FOR_EACH_TYPE(type) {
        bb_webhook webhook = sample_webhook(type);
        text unset = make_file(&webhook);
        webhook.language = BB_ENGLISH;
        text english = make_file(&webhook);
        assert_string_equal(unset.bytes, english.bytes);
        free(unset.bytes);
        free(english.bytes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CONTRACT(every_body_is_as_it_was_last_looked_at),
        CONTRACT(no_language_is_english),
    };
    return cmocka_run_group_tests_name("golden", tests, NULL, NULL);
}
