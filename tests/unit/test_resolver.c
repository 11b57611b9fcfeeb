/* Names are looked up without a wait, once for all who ask, and kept for as long as they hold. */
#include "support/resolving.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/resolver_names.h"
#include "support/alloc.h"
#include "support/server.h"

enum { PATIENCE_MS = 20000, MINUTE_MS = 60 * 1000 };

static int open_resolver(void **state) {
    static resolving r;
    resolving_open(&r, NULL);
    *state = &r;
    return r.resolver == NULL;
}

static int close_resolver(void **state) {
    resolving_close(*state);
    return 0;
}

/* Whether it is told without a question: from what is kept. */
static bool is_kept(resolving *r, const char *host) {
    probe p = {0};
    resolving_find(r, host, &p);
    bb_resolver_cancel(r->resolver, &p.lookup);
    return p.calls == 1;
}

static size_t count_addresses(const char *list) {
    size_t count = *list != '\0';
    for (; *list != '\0'; list++)
        count += *list == ',';
    return count;
}

/* ------------------------------------------------------------- what is found -- */

static void a_name_is_found(void **state) {
    resolving *r = *state;
    dns_set(r->names, "hooks.test", "192.0.2.1", 60);
    probe p = resolving_look_up(r, "hooks.test");
    assert_string_equal(p.list, "192.0.2.1");
    assert_int_not_equal(p.version, 0);
}

static void all_addresses_of_both_kinds_are_told(void **state) {
    resolving *r = *state;
    dns_set(r->names, "both.test", "192.0.2.1,2001:db8::1,192.0.2.2", 60);
    probe p = resolving_look_up(r, "both.test");
    assert_int_equal(count_addresses(p.list), 3);
    assert_non_null(strstr(p.list, "192.0.2.1"));
    assert_non_null(strstr(p.list, "192.0.2.2"));
    assert_non_null(strstr(p.list, "2001:db8::1"));
    assert_null(strchr(p.list, '['));
}

static void at_most_8_addresses_are_told(void **state) {
    resolving *r = *state;
    dns_set(r->names, "many.test",
            "192.0.2.1,192.0.2.2,192.0.2.3,192.0.2.4,192.0.2.5,192.0.2.6,192.0.2.7,192.0.2.8,"
            "192.0.2.9",
            60);
    dns_set(r->names, "long.test",
            "2001:db8:1111:2222:3333:4444:5555:1111,2001:db8:1111:2222:3333:4444:5555:2222,"
            "2001:db8:1111:2222:3333:4444:5555:3333,2001:db8:1111:2222:3333:4444:5555:4444,"
            "2001:db8:1111:2222:3333:4444:5555:5555,2001:db8:1111:2222:3333:4444:5555:6666,"
            "2001:db8:1111:2222:3333:4444:5555:7777,2001:db8:1111:2222:3333:4444:5555:8888",
            60);
    assert_int_equal(count_addresses(resolving_look_up(r, "many.test").list), 8);
    assert_int_equal(count_addresses(resolving_look_up(r, "long.test").list), 8);
}

static void an_alias_leads_to_the_addresses_of_its_target(void **state) {
    resolving *r = *state;
    dns_alias(r->names, "alias.test", "target.test", 2);
    dns_set(r->names, "target.test", "192.0.2.7", 600);
    assert_string_equal(resolving_look_up(r, "alias.test").list, "192.0.2.7");
    r->now_ms += 1999;
    assert_true(is_kept(r, "alias.test"));
    r->now_ms += 1; /* the alias has ended, though the address has not */
    assert_false(is_kept(r, "alias.test"));
}

static void localhost_is_found_without_a_question(void **state) {
    resolving *r = *state;
    dns_set(r->names, "*", "192.0.2.1", 60);
    probe p = {0};
    resolving_find(r, "localhost", &p);
    assert_int_equal(p.calls, 1);
    assert_true(strstr(p.list, "127.0.0.1") != NULL || strstr(p.list, "::1") != NULL);
    assert_int_equal(dns_count(r->names, "*"), 0);
}

static size_t take_nothing(char *bytes, size_t size, size_t count, void *user) {
    (void)bytes, (void)user;
    return size * count;
}

/* An IPv6 address without brackets is understood; nobody answers there, so the next is taken. */
static void libcurl_takes_the_list_as_it_is(void **state) {
    resolving *r = *state;
    server *receiver = server_start(NULL);
    char entry[RESOLVING_LIST + 64], url[64];
    server_on(receiver, "/hook", &(server_step){.status = 200}, 1);
    dns_set(r->names, "list.test", "::1,127.0.0.1", 60);
    probe p = resolving_look_up(r, "list.test");
    assert_int_equal(count_addresses(p.list), 2);
    snprintf(entry, sizeof(entry), "list.test:%d:%s", server_port(receiver), p.list);
    snprintf(url, sizeof(url), "http://list.test:%d/hook", server_port(receiver));
    struct curl_slist *resolve = curl_slist_append(NULL, entry);
    CURL *easy = curl_easy_init();
    assert_true(easy != NULL && resolve != NULL);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_RESOLVE, resolve);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_nothing);
    assert_int_equal(curl_easy_perform(easy), CURLE_OK);
    curl_easy_cleanup(easy);
    curl_slist_free_all(resolve);
    assert_int_equal(server_requests_to(receiver, "/hook"), 1);
    server_stop(receiver);
}

/* --------------------------------------------------------- what is not found -- */

static void a_missing_name_fails_with_a_sentence(void **state) {
    resolving *r = *state;
    dns_set(r->names, "empty.test", "", 60);
    assert_string_equal(resolving_look_up(r, "missing.test").why, "no such name");
    assert_string_equal(resolving_look_up(r, "empty.test").why, "the name has no address");
    assert_string_equal(resolving_look_up(r, "bad..test").why, "not a valid name");
}

static void servers_that_fail_or_are_not_there_are_told(void **state) {
    resolving *r = *state;
    dns_failing(r->names, "failing.test");
    assert_non_null(strstr(resolving_look_up(r, "failing.test").why, "its DNS servers failed"));
    char gone[64];
    dns *short_lived = dns_start();
    snprintf(gone, sizeof(gone), "%s", dns_servers(short_lived));
    dns_stop(short_lived);
    resolving other;
    resolving_open(&other, gone);
    probe p = resolving_look_up(&other, "hooks.test");
    /* of two questions one meets the refusal, and c-ares waits a second for the other */
    assert_non_null(strstr(p.why, "its DNS servers"));
    resolving_close(&other);
}

static void a_silent_server_holds_up_its_own_names_only(void **state) {
    resolving *r = *state;
    probe silent = {0};
    dns_silent(r->names, "silent.test");
    dns_set(r->names, "hooks.test", "192.0.2.1", 60);
    resolving_find(r, "silent.test", &silent);
    assert_true(dns_wait_count(r->names, "silent.test", 2, PATIENCE_MS));
    assert_string_equal(resolving_look_up(r, "hooks.test").list, "192.0.2.1");
    assert_int_equal(silent.calls, 0);
    assert_true(bb_resolver_timeout_ms(r->resolver) >= 0);
    bb_resolver_cancel(r->resolver, &silent.lookup);
    r->now_ms += 2 * MINUTE_MS;
    assert_string_equal(resolving_look_up(r, "hooks.test").list, "192.0.2.1");
    assert_int_equal(silent.calls, 0);
} /* and the resolver is freed with the query under way */

/* Takes 7 s: only when tests may be long. */
static void a_silent_server_is_given_up_in_the_end(void **state) {
    resolving *r = *state;
    if (alloc_scale() < 2)
        skip();
    dns_silent(r->names, "silent.test");
    probe p = resolving_look_up(r, "silent.test");
    assert_string_equal(p.why, "its DNS servers did not answer");
    assert_int_equal(dns_count(r->names, "silent.test"), 6);
    assert_int_equal(bb_resolver_timeout_ms(r->resolver), -1);
}

/* -------------------------------------------------------------- what is kept -- */

static void what_was_found_is_kept_for_its_time_to_live(void **state) {
    resolving *r = *state;
    dns_set(r->names, "hooks.test", "192.0.2.1", 60);
    resolving_look_up(r, "hooks.test");
    size_t asked = dns_count(r->names, "hooks.test");
    r->now_ms += 60 * 1000 - 1;
    assert_true(is_kept(r, "hooks.test"));
    assert_int_equal(dns_count(r->names, "hooks.test"), asked);
    r->now_ms += 1;
    resolving_look_up(r, "hooks.test");
    assert_true(dns_count(r->names, "hooks.test") > asked);
}

static void it_is_kept_for_at_least_a_second_and_at_most_5_minutes(void **state) {
    resolving *r = *state;
    dns_set(r->names, "short.test", "192.0.2.1", 0);
    dns_set(r->names, "long.test", "192.0.2.1", 86400);
    dns_set(r->names, "endless.test", "192.0.2.1", UINT32_MAX); /* none, says RFC 2181 */
    resolving_look_up(r, "short.test");
    resolving_look_up(r, "long.test");
    resolving_look_up(r, "endless.test");
    r->now_ms += 999;
    assert_true(is_kept(r, "short.test") && is_kept(r, "endless.test"));
    r->now_ms += 1;
    assert_false(is_kept(r, "short.test") || is_kept(r, "endless.test"));
    r->now_ms += 5 * MINUTE_MS - 1001;
    assert_true(is_kept(r, "long.test"));
    r->now_ms += 1;
    assert_false(is_kept(r, "long.test"));
}

static void a_failure_is_kept_for_a_second(void **state) {
    resolving *r = *state;
    dns_missing(r->names, "late.test");
    assert_string_equal(resolving_look_up(r, "late.test").why, "no such name");
    dns_set(r->names, "late.test", "192.0.2.1", 60);
    r->now_ms += 999;
    probe p = {0};
    resolving_find(r, "late.test", &p);
    assert_int_equal(p.calls, 1);
    assert_string_equal(p.why, "no such name");
    r->now_ms += 1;
    assert_string_equal(resolving_look_up(r, "late.test").list, "192.0.2.1");
}

static void the_version_changes_when_the_list_does_and_only_then(void **state) {
    resolving *r = *state;
    dns_set(r->names, "one.test", "192.0.2.1", 1);
    dns_set(r->names, "two.test", "192.0.2.2", 1);
    probe first = resolving_look_up(r, "one.test");
    probe other = resolving_look_up(r, "two.test");
    assert_true(first.version != other.version);
    r->now_ms += 1000;
    assert_true(resolving_look_up(r, "one.test").version == first.version);
    dns_missing(r->names, "one.test"); /* a failure between changes nothing */
    r->now_ms += 1000;
    assert_non_null(resolving_look_up(r, "one.test").why);
    dns_set(r->names, "one.test", "192.0.2.1", 1);
    r->now_ms += 1000;
    assert_true(resolving_look_up(r, "one.test").version == first.version);
    dns_set(r->names, "one.test", "192.0.2.3", 1);
    r->now_ms += 1000;
    probe changed = resolving_look_up(r, "one.test");
    assert_string_equal(changed.list, "192.0.2.3");
    assert_true(changed.version != first.version && changed.version != other.version);
}

static void look_up_numbers(resolving *r, int from, int count) {
    enum { BATCH = 32 }; /* as many questions as a socket holds */
    probe probes[BATCH];
    for (int done = 0; done < count; done += BATCH) {
        memset(probes, 0, sizeof(probes));
        for (int i = 0; i < BATCH; i++) {
            char host[32];
            snprintf(host, sizeof(host), "h%d.test", from + done + i);
            resolving_find(r, host, &probes[i]);
        }
        for (int i = 0; i < BATCH; i++) {
            resolving_wait(r, &probes[i]);
            assert_string_equal(probes[i].list, "192.0.2.1");
        }
        r->now_ms++;
    }
}

static void many_names_keep_the_memory_bounded(void **state) {
    resolving *r = *state;
    enum { MANY = 10016 };
    long before = alloc_live();
    dns_set(r->names, "*", "192.0.2.1", 300);
    look_up_numbers(r, 0, MANY);
    assert_int_equal(alloc_live() - before, 2 * BB_NAMES_MAX); /* each with its list */
    char newest[32];
    snprintf(newest, sizeof(newest), "h%d.test", MANY - 1);
    assert_true(is_kept(r, newest));
    assert_false(is_kept(r, "h0.test"));
}

/* ----------------------------------------------------- many look-ups at once -- */

static void look_ups_of_one_name_share_a_query(void **state) {
    resolving *r = *state;
    probe probes[3] = {0}, last = {0};
    dns_set(r->names, "hooks.test", "192.0.2.1", 60);
    dns_set(r->names, "last.test", "192.0.2.2", 60);
    for (size_t i = 0; i < 3; i++)
        resolving_find(r, "hooks.test", &probes[i]);
    resolving_find(r, "last.test", &last);
    /* questions arrive in order, so none for the first name is still to come */
    assert_true(dns_wait_count(r->names, "last.test", 2, PATIENCE_MS));
    assert_int_equal(dns_count(r->names, "hooks.test"), 2); /* A and AAAA */
    for (size_t i = 0; i < 3; i++) {
        resolving_wait(r, &probes[i]);
        assert_string_equal(probes[i].list, "192.0.2.1");
        assert_true(probes[i].version == probes[0].version);
    }
    resolving_wait(r, &last);
}

static void a_cancelled_look_up_leaves_the_others(void **state) {
    resolving *r = *state;
    probe probes[3] = {0};
    dns_set(r->names, "hooks.test", "192.0.2.1", 60);
    for (size_t i = 0; i < 3; i++)
        resolving_find(r, "hooks.test", &probes[i]);
    bb_resolver_cancel(r->resolver, &probes[1].lookup);
    bb_resolver_cancel(r->resolver, &probes[1].lookup); /* once more does no harm */
    resolving_wait(r, &probes[0]);
    resolving_wait(r, &probes[2]);
    assert_int_equal(probes[1].calls, 0);
}

static void what_was_asked_for_in_vain_is_kept(void **state) {
    resolving *r = *state;
    probe p = {0}, next = {0};
    dns_set(r->names, "hooks.test", "192.0.2.1", 60);
    resolving_find(r, "hooks.test", &p);
    bb_resolver_cancel(r->resolver, &p.lookup);
    while (bb_resolver_timeout_ms(r->resolver) >= 0) /* ends at the latest with the time-outs */
        resolving_turn(r);
    resolving_find(r, "hooks.test", &next);
    assert_int_equal(next.calls, 1);
    assert_string_equal(next.list, "192.0.2.1");
    assert_int_equal(p.calls, 0);
}

/* ----------------------------------------------------------- within a `done` -- */

typedef struct two {
    resolving *r;
    probe first, second;
} two;

static void cancel_the_second(probe *self) {
    two *t = self->user;
    bb_resolver_cancel(t->r->resolver, &t->first.lookup); /* done: nothing */
    bb_resolver_cancel(t->r->resolver, &t->second.lookup);
}

static void a_look_up_may_be_cancelled_when_another_is_told(void **state) {
    two t = {.r = *state};
    const char *others[] = {"hooks.test", "silent.test"};
    dns_set(t.r->names, "hooks.test", "192.0.2.1", 1);
    dns_silent(t.r->names, "silent.test");
    for (size_t i = 0; i < 2; i++) {
        t.first = (probe){.then = cancel_the_second, .user = &t};
        t.second = (probe){0};
        t.r->now_ms += 1000; /* or what was found is still kept, and the first is told at once */
        resolving_find(t.r, "hooks.test", &t.first);
        resolving_find(t.r, others[i], &t.second);
        resolving_wait(t.r, &t.first);
        t.r->now_ms += 1000;
        assert_string_equal(resolving_look_up(t.r, "hooks.test").list, "192.0.2.1");
        assert_int_equal(t.second.calls, 0);
    }
}

static void look_up_again(probe *self) {
    two *t = self->user;
    if (self->calls < 100000)
        resolving_find(t->r, "hooks.test", self);
    else
        free(self);
}

/* Also what is kept, as often as it likes: the stack does not grow. */
static void a_look_up_may_begin_or_be_freed_when_it_is_told(void **state) {
    two t = {.r = *state};
    probe *p = calloc(1, sizeof(*p));
    assert_non_null(p);
    p->then = look_up_again;
    p->user = &t;
    dns_set(t.r->names, "hooks.test", "192.0.2.1", 60);
    resolving_find(t.r, "hooks.test", p);
    resolving_look_up(t.r, "hooks.test");
}

#define WITH_RESOLVER(test) cmocka_unit_test_setup_teardown(test, open_resolver, close_resolver)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_RESOLVER(a_name_is_found),
        WITH_RESOLVER(all_addresses_of_both_kinds_are_told),
        WITH_RESOLVER(at_most_8_addresses_are_told),
        WITH_RESOLVER(an_alias_leads_to_the_addresses_of_its_target),
        WITH_RESOLVER(localhost_is_found_without_a_question),
        WITH_RESOLVER(libcurl_takes_the_list_as_it_is),
        WITH_RESOLVER(a_missing_name_fails_with_a_sentence),
        WITH_RESOLVER(servers_that_fail_or_are_not_there_are_told),
        WITH_RESOLVER(a_silent_server_holds_up_its_own_names_only),
        WITH_RESOLVER(a_silent_server_is_given_up_in_the_end),
        WITH_RESOLVER(what_was_found_is_kept_for_its_time_to_live),
        WITH_RESOLVER(it_is_kept_for_at_least_a_second_and_at_most_5_minutes),
        WITH_RESOLVER(a_failure_is_kept_for_a_second),
        WITH_RESOLVER(the_version_changes_when_the_list_does_and_only_then),
        WITH_RESOLVER(many_names_keep_the_memory_bounded),
        WITH_RESOLVER(look_ups_of_one_name_share_a_query),
        WITH_RESOLVER(a_cancelled_look_up_leaves_the_others),
        WITH_RESOLVER(what_was_asked_for_in_vain_is_kept),
        WITH_RESOLVER(a_look_up_may_be_cancelled_when_another_is_told),
        WITH_RESOLVER(a_look_up_may_begin_or_be_freed_when_it_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
