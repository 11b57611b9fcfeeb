/*
 * Who is notified: exactly the people of the event's list whom the product can
 * reach by the id that it needs. Everybody else is a name in the text, and no id
 * and no name is ever markup.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/contract.h"
#include "support/hostile.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- people */

typedef struct room {
    sample s;
    bb_mention people[CONTRACT_PEOPLE];
    const bb_mention *list[CONTRACT_PEOPLE];
    const char *ids[CONTRACT_PEOPLE];
} room;

static void open_room(room *r, size_t count) {
    sample_make(&r->s, &sample_cases[0]);
    for (size_t i = 0; i < count; i++) {
        r->people[i] = (bb_mention)BB_MENTION_INIT;
        r->list[i] = &r->people[i];
    }
    r->s.event.mentions = r->list;
    r->s.event.mention_count = count;
}

/* Where a person's id for that product is kept; NULL: it has none. */
static const char **id_of(bb_mention *person, bb_type type) {
    switch (type) {
    case BB_SLACK:
        return &person->slack;
    case BB_DISCORD:
        return &person->discord;
    case BB_TEAMS:
        return &person->teams;
    case BB_DINGTALK:
        return &person->dingtalk;
    case BB_FEISHU:
        return &person->feishu;
    case BB_WECOM:
        return &person->wecom;
    case BB_CUSTOM:
        break;
    }
    return NULL;
}

static const bb_mention ann = {.struct_size = sizeof(bb_mention),
                               .name = "Ann Lee",
                               .slack = "U0123ABCD",
                               .discord = "80351110224678912",
                               .teams = "ann.lee@example.com",
                               .dingtalk = "manager4220",
                               .phone = "13800000001",
                               .feishu = "ou_18eac85d35a26f989317ad4f02e8bbbb",
                               .wecom = "AnnLee"};
static const bb_mention bob = {.struct_size = sizeof(bb_mention),
                               .name = "李博",
                               .slack = "W0BOB",
                               .discord = "1",
                               .teams = "87d349ed-44d7-43e1-9a83-5f2406dee5bd",
                               .dingtalk = "user_2-b.c@d",
                               .phone = "+86 138-0000-0002",
                               .feishu = "on_2",
                               .wecom = "li.bo_2-x"};

/* Prepares and checks; everybody with an id for that product is expected. */
static bool prepare_room(contract_made *made, const bb_webhook *webhook, room *r, bool everyone) {
    struct decode_expect expect = {.link = SAMPLE_LINK, .mentions = r->ids, .everyone = everyone};
    for (size_t i = 0; i < r->s.event.mention_count; i++) {
        const char **id = id_of(&r->people[i], webhook->type);
        if (id && *id)
            r->ids[expect.mention_count++] = *id;
    }
    if (!contract_prepare(made, webhook, &r->s.event))
        return false;
    contract_check(made, &expect);
    return true;
}

static void people_with_the_products_id_are_notified(void **state) {
    (void)state;
    static room r;
    FOR_EACH_TYPE(type) {
        bb_webhook webhook = sample_webhook(type);
        contract_made made;
        open_room(&r, 2);
        r.people[0] = ann;
        r.people[1] = bob;
        contract_try("%s", bb_type_name(type));
        if (prepare_room(&made, &webhook, &r, false) && type == BB_TEAMS)
            contract_check_shows(&made, "Ann Lee 李博", true);
        contract_free(&made);
    }
}

static void people_without_the_products_id_are_named(void **state) {
    (void)state;
    static room r;
    FOR_EACH_TYPE(type) {
        bb_webhook webhook = sample_webhook(type);
        contract_made made;
        open_room(&r, 3);
        r.people[0] = ann;
        r.people[1] = bob;
        r.people[1].phone = NULL;
        if (id_of(&r.people[1], type))
            *id_of(&r.people[1], type) = NULL;
        contract_try("%s", bb_type_name(type));
        if (prepare_room(&made, &webhook, &r, false))
            contract_check_shows(&made, "李博", type != BB_CUSTOM);
        contract_free(&made);
    }
}

static void everyone_is_notified_where_a_webhook_can(void **state) {
    (void)state;
    static room r;
    FOR_EACH_TYPE(type) {
        for (size_t count = 1; count <= 2; count++) {
            bb_webhook webhook = sample_webhook(type);
            contract_made made;
            open_room(&r, count);
            r.people[0].everyone = 1;
            r.people[count - 1].wecom = ann.wecom;
            r.people[count - 1].slack = ann.slack;
            if (count == 1) /* "the ids are ignored" */
                r.people[0].slack = r.people[0].wecom = NULL;
            contract_try("%s, everyone and %zu more", bb_type_name(type), count - 1);
            if (prepare_room(&made, &webhook, &r, true)) {
                if (type == BB_WECOM && !strstr(made.body, "<@all>"))
                    contract_complain("does not notify everyone");
                contract_check_shows(&made, "everyone",
                                     type == BB_TEAMS || type == BB_DISCORD || type == BB_DINGTALK);
            }
            contract_free(&made);
        }
    }
}

static void a_mention_of_nobody_is_left_out(void **state) {
    (void)state;
    static room r;
    FOR_EACH_TYPE(type) {
        bb_webhook webhook = sample_webhook(type);
        contract_made made, without;
        open_room(&r, 3);
        r.people[1].name = "";
        r.people[2].name = " \u200b\n";
        contract_try("%s", bb_type_name(type));
        bool both = prepare_room(&made, &webhook, &r, false);
        r.s.event.mention_count = 0;
        both = contract_prepare(&without, &webhook, &r.s.event) && both;
        if (both &&
            (made.length != without.length || memcmp(made.body, without.body, made.length) != 0))
            contract_complain("is not the same as without mentions: %s", made.body);
        contract_free(&made);
        contract_free(&without);
    }
}

/* ---- ids that are none */

static const char *const bad_ids[] = {
    "U1> <!channel>",
    "U1|x",
    "u0123abcd",
    "!channel",
    "!here",
    "#C1",
    "1> @everyone",
    "&1",
    "!1",
    "1 2",
    "everyone",
    "here",
    "all",
    "ALL",
    "@all",
    "@everyone",
    "channel",
    "x></at><at id=all",
    "\"all\"",
    "ou_1\nou_2",
    "ou_1\xff",
    "ou_1\u200b",
    "*a*",
    "_a_ <b>",
    "a](https://evil.example)",
    "{{DATE(x)}}",
    "</font>",
    "a`b",
    "世",
    "",
    " ",
};

/* What may be an id after all, for that product: then it calls nobody else. */
static bool is_good_id(bb_type type, const char *id) {
    static const char *const good[] = {"u0123abcd", "everyone", "here", "channel", "@everyone"};
    bool takes_words = type != BB_SLACK && type != BB_DISCORD;
    for (size_t i = 0; i < COUNT(good); i++)
        if (strcmp(id, good[i]) == 0)
            return takes_words;
    if (strcmp(id, "ALL") == 0)
        return type != BB_DISCORD && type != BB_WECOM;
    if (strcmp(id, "all") == 0) /* Feishu and WeCom call everyone by it */
        return type == BB_TEAMS || type == BB_DINGTALK;
    return strcmp(id, "@all") == 0 && takes_words && type != BB_WECOM;
}

static void check_bad_id(bb_type type, const char *id) {
    static room r;
    bb_webhook webhook = sample_webhook(type);
    contract_made made;
    open_room(&r, 1);
    r.people[0].name = "Ann Lee";
    if (id_of(&r.people[0], type))
        *id_of(&r.people[0], type) = id;
    r.people[0].phone = id;
    contract_try("%s, id = %s", bb_type_name(type), id);
    if (contract_prepare(&made, &webhook, &r.s.event)) {
        contract_check(&made, &(struct decode_expect){.link = SAMPLE_LINK});
        contract_check_shows(&made, "Ann Lee", type != BB_CUSTOM);
    }
    contract_free(&made);
}

static void an_id_that_is_none_is_never_markup(void **state) {
    (void)state;
    FOR_EACH_TYPE(type) {
        for (size_t i = 0; i < COUNT(bad_ids); i++)
            if (!is_good_id(type, bad_ids[i]))
                check_bad_id(type, bad_ids[i]);
    }
}

static void an_id_of_any_length_keeps_the_limits(void **state) {
    (void)state;
    FOR_EACH_TYPE(type) {
        for (size_t length = 20; length <= 1024 * 1024; length *= 8) {
            char *id = hostile_repeat("1", length);
            static room r;
            bb_webhook webhook = sample_webhook(type);
            contract_made made;
            open_room(&r, CONTRACT_PEOPLE);
            for (size_t i = 0; i < CONTRACT_PEOPLE; i++)
                if (id_of(&r.people[i], type))
                    *id_of(&r.people[i], type) = id;
            contract_try("%s, ids of %zu bytes", bb_type_name(type), length);
            const char *const ids[] = {id};
            struct decode_expect expect = {.link = SAMPLE_LINK, .mentions = ids};
            if (contract_prepare(&made, &webhook, &r.s.event)) {
                /* whether it is taken for an id is not the point here */
                expect.mention_count = strstr(made.body, id) != NULL;
                contract_check(&made, &expect);
            }
            contract_free(&made);
            free(id);
        }
    }
}

/* ---- phones: DingTalk only, a group robot of WeCom cannot call them in markdown */

static void check_phone(const char *phone, const char *expected) {
    static room r;
    bb_webhook webhook = sample_webhook(BB_DINGTALK);
    struct decode_expect expect = {.link = SAMPLE_LINK, .mentions = &expected};
    contract_made made;
    open_room(&r, 1);
    r.people[0].name = "Ann Lee";
    r.people[0].phone = phone;
    expect.mention_count = expected != NULL;
    contract_try("phone %s", phone);
    if (contract_prepare(&made, &webhook, &r.s.event)) {
        contract_check(&made, &expect);
        contract_check_shows(&made, "Ann Lee", !expected);
    }
    contract_free(&made);
}

static void dingtalk_calls_bare_mainland_numbers(void **state) {
    (void)state;
    check_phone("13800000000", "13800000000");
    check_phone("+8613800000000", "13800000000");
    check_phone("+86 138 0000 0000", "13800000000");
    check_phone("138-0000-0000", "13800000000");
    check_phone("1380000000", NULL);
    check_phone("138000000001", NULL);
    check_phone("+4915100000000", NULL);
    check_phone("1380000000x", NULL);
    check_phone("13800000000,13900000000", NULL);
    check_phone("１３８０００００００００", NULL);
}

/* ---- names */

/* A name stands between <at> and </at> only in Teams: as text it is tried with
 * every other hostile text. */
static void a_teams_name_is_never_markup(void **state) {
    (void)state;
    static room r;
    bb_webhook webhook = sample_webhook(BB_TEAMS);
    for (size_t i = 0; i < hostile_text_count + hostile_blank_count; i++) {
        const hostile *h =
            i < hostile_text_count ? &hostile_texts[i] : &hostile_blanks[i - hostile_text_count];
        contract_made made;
        open_room(&r, 2);
        r.people[0].name = h->text;
        r.people[0].teams = i < hostile_text_count ? ann.teams : NULL;
        r.people[1].name = "<>";
        contract_try("teams, name = %s", h->name);
        prepare_room(&made, &webhook, &r, false);
        contract_free(&made);
    }
}

static void a_teams_name_of_nothing_but_brackets_is_no_empty_mention(void **state) {
    (void)state;
    static room r;
    bb_webhook webhook = sample_webhook(BB_TEAMS);
    contract_made made;
    open_room(&r, 1);
    r.people[0].name = "<<>>";
    r.people[0].teams = ann.teams;
    contract_try("teams, name = <<>>");
    if (contract_prepare(&made, &webhook, &r.s.event)) {
        const char *const ids[] = {ann.teams};
        struct decode_expect expect = {.link = SAMPLE_LINK, .mentions = ids};
        expect.mention_count = strstr(made.body, ann.teams) != NULL;
        contract_check(&made, &expect);
    }
    contract_free(&made);
}

/* ---- many */

/* How many of the first people are notified or, without ids, named (if only in part:
 * the beginnings of their names differ). */
static size_t notified(bb_type type, room *r, size_t count, bool by_id, bool *is_cut) {
    bb_webhook webhook = sample_webhook(type);
    contract_made made;
    size_t shown = 0;
    r->s.event.mention_count = count;
    if (contract_prepare(&made, &webhook, &r->s.event)) {
        struct decode_expect expect = {.link = SAMPLE_LINK, .mentions = r->ids};
        char *texts = decode_texts(type, made.body, made.length);
        for (size_t i = 0; texts && i < count; i++) {
            char name[32];
            snprintf(name, sizeof(name), "Name%03zu", i);
            shown += strstr(by_id ? made.body : texts, by_id ? r->ids[i] : name) != NULL;
        }
        expect.mention_count = by_id ? shown : 0;
        contract_check(&made, &expect);
        *is_cut = contract_is_cut(&made, "mentions");
        free(texts);
    }
    contract_free(&made);
    return shown;
}

static void check_many(bb_type type, bool by_id, const char *filler) {
    static char names[CONTRACT_PEOPLE][160], ids[CONTRACT_PEOPLE][32];
    static room r;
    bool is_cut = false;
    open_room(&r, CONTRACT_PEOPLE);
    for (size_t i = 0; i < CONTRACT_PEOPLE; i++) {
        snprintf(names[i], sizeof(names[i]), "Name%03zu%s", i, filler);
        snprintf(ids[i], sizeof(ids[i]), "9%017zu", i);
        r.people[i].name = names[i];
        if (by_id)
            *id_of(&r.people[i], type) = ids[i];
        r.ids[i] = ids[i];
    }
    contract_try("%s, many %s%s", bb_type_name(type), by_id ? "ids" : "names", filler);
    size_t most = notified(type, &r, CONTRACT_PEOPLE, by_id, &is_cut);
    if (most < 3 || (most < CONTRACT_PEOPLE && !is_cut))
        contract_complain("shows %zu and %s", most, is_cut ? "says so" : "says nothing");
    for (size_t count = 1; count < CONTRACT_PEOPLE; count += 3) {
        contract_try("%s, %zu %s%s", bb_type_name(type), count, by_id ? "ids" : "names", filler);
        size_t shown = notified(type, &r, count, by_id, &is_cut);
        bool may_be_cut = shown < count || *filler;
        if ((shown < count && !is_cut) || (is_cut && !may_be_cut))
            contract_complain("shows %zu and %s", shown, is_cut ? "says cut" : "says nothing");
    }
}

static void people_who_are_too_many_are_told_as_cut(void **state) {
    (void)state;
    FOR_EACH_TYPE(type) {
        if (type == BB_CUSTOM)
            continue;
        check_many(type, true, "");
        check_many(type, false, "");
        check_many(type, false,
                   " 诸葛诸葛诸葛诸葛诸葛诸葛诸葛诸葛诸葛诸葛诸葛诸葛诸葛诸葛诸葛诸葛诸葛诸葛诸葛");
    }
}

static void an_action_card_names_people_and_notifies_nobody(void **state) {
    (void)state;
    static room r;
    bb_webhook webhook = sample_webhook(BB_DINGTALK);
    contract_made made;
    open_room(&r, 2);
    r.people[0] = ann;
    r.people[1].everyone = 1;
    webhook.dingtalk_action_card = 1;
    contract_try("dingtalk, action card");
    if (contract_prepare(&made, &webhook, &r.s.event)) {
        contract_check(&made, &(struct decode_expect){.link = SAMPLE_LINK});
        contract_check_shows(&made, "Ann Lee", true);
        contract_check_shows(&made, ann.dingtalk, false);
        contract_check_shows(&made, "everyone", true);
    }
    contract_free(&made);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CONTRACT(people_with_the_products_id_are_notified),
        CONTRACT(people_without_the_products_id_are_named),
        CONTRACT(everyone_is_notified_where_a_webhook_can),
        CONTRACT(a_mention_of_nobody_is_left_out),
        CONTRACT(an_id_that_is_none_is_never_markup),
        CONTRACT(an_id_of_any_length_keeps_the_limits),
        CONTRACT(dingtalk_calls_bare_mainland_numbers),
        CONTRACT(a_teams_name_is_never_markup),
        CONTRACT(a_teams_name_of_nothing_but_brackets_is_no_empty_mention),
        CONTRACT(people_who_are_too_many_are_told_as_cut),
        CONTRACT(an_action_card_names_people_and_notifies_nobody),
    };
    return cmocka_run_group_tests_name("contract: mentions", tests, NULL, NULL);
}
