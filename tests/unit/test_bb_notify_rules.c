/* The members of bb-notify's configuration that background delivery heeds: what each one does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/bb_notify.h"

#include <stdio.h>
#include <string.h>

#define ISSUE(id) "{'activity_type':'bb.issue.create','issue':{'id':" #id "}}\n"

static const server_step yes = {.status = 200, .body = "{\"code\":0}"};
static const server_step busy = {.status = 503};
static const server_step lost = {.end = SERVER_CLOSE};

/* One webhook of the type at /ops with these further members, which answers so. */
static void configure(notify *fixture, const char *top, const char *type, const char *members) {
    char config[1024];
    snprintf(config, sizeof config,
             "{%s,'no_jitter':true,%s'webhooks':[{'name':'ops','type':'%s','url':'@/ops',"
             "'activities':'all'%s}]}",
             NOTIFY_LOCAL, top, type, members);
    notify_write_config(fixture, config);
}

static void answer(notify *fixture, const server_step *steps, size_t count) {
    server_on(fixture->receiver, "/ops", steps, count);
}

/* Delivers the events, and returns how many requests came of it. */
static size_t deliver(notify *fixture, int status) {
    size_t before = server_requests(fixture->receiver);
    assert_int_equal(notify_post(fixture, "--background", NULL), status);
    return server_requests(fixture->receiver) - before;
}

static int64_t time_of(notify *fixture, size_t index) {
    return server_request_at(fixture->receiver, index)->time_ms;
}

/* "7,7,8": of which issue each request tells. */
static void assert_issues(notify *fixture, const char *expected) {
    char issues[64] = "";
    for (size_t i = 0; i < server_requests(fixture->receiver); i++) {
        const char *id = strstr(server_request_at(fixture->receiver, i)->body, "\"id\":");
        assert_non_null(id);
        snprintf(issues + strlen(issues), sizeof issues - strlen(issues), "%s%c", i ? "," : "",
                 id[5]);
    }
    assert_string_equal(issues, expected);
}

static void order_decides_what_waits_for_what(void **state) {
    static const struct {
        const char *members;
        const char *issues;
    } cases[] = {
        {",'max_in_flight':1", "7,7,8,7"},
        {",'max_in_flight':1,'order':'issue'", "7,8,7,7"},
        {",'max_in_flight':1,'order':'webhook'", "7,7,7,8"},
    };
    const server_step steps[] = {busy, yes};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        notify *fixture;
        notify_setup((void **)&fixture);
        configure(fixture, "'retry_delays_ms':[400],", "custom", cases[i].members);
        answer(fixture, steps, 2);
        notify_write_events(fixture, ISSUE(7) ISSUE(7) ISSUE(8));
        assert_int_equal(deliver(fixture, 0), 4);
        assert_issues(fixture, cases[i].issues);
        notify_teardown((void **)&fixture);
    }
    (void)state;
}

static void when_unknown_decides_how_often_a_lost_answer_is_sent_again(void **state) {
    notify *fixture = *state;
    const char *top = "'retry_delays_ms':[1,1,1],";
    answer(fixture, &lost, 1);
    configure(fixture, top, "custom", "");
    assert_int_equal(deliver(fixture, 1), 4);
    configure(fixture, top, "custom", ",'when_unknown':'once_more'");
    assert_int_equal(deliver(fixture, 1), 2);
    configure(fixture, top, "custom", ",'when_unknown':'give_up'");
    assert_int_equal(deliver(fixture, 1), 1);
    configure(fixture, top, "slack", ",'no_rate':true");
    assert_int_equal(deliver(fixture, 1), 2);
    configure(fixture, top, "slack", ",'no_rate':true,'when_unknown':'retry'");
    assert_int_equal(deliver(fixture, 1), 4);
}

static void a_rate_spreads_the_requests(void **state) {
    notify *fixture = *state;
    configure(fixture, "", "custom", ",'rate_count':2,'rate_period_ms':400");
    answer(fixture, &yes, 1);
    notify_write_events(fixture, ISSUE(1) ISSUE(2) ISSUE(3));
    assert_int_equal(deliver(fixture, 0), 3);
    assert_true(time_of(fixture, 2) - time_of(fixture, 0) >= 400);
}

/* Discord's own rate would make the sixth wait for two seconds. */
static void no_rate_lifts_the_products_own(void **state) {
    notify *fixture = *state;
    const server_step fine = {.status = 204};
    configure(fixture, "", "discord", ",'no_rate':true");
    answer(fixture, &fine, 1);
    notify_write_events(fixture, ISSUE(1) ISSUE(2) ISSUE(3) ISSUE(4) ISSUE(5) ISSUE(6));
    assert_int_equal(deliver(fixture, 0), 6);
    assert_true(time_of(fixture, 5) - time_of(fixture, 0) < 2000);
}

static void max_attempts_ends_the_schedule_early(void **state) {
    notify *fixture = *state;
    answer(fixture, &busy, 1);
    configure(fixture, "'retry_delays_ms':[1,1,1],", "custom", ",'max_attempts':2");
    assert_int_equal(deliver(fixture, 1), 2);
}

static void what_would_be_too_old_is_dead(void **state) {
    notify *fixture = *state;
    answer(fixture, &busy, 1);
    configure(fixture, "'retry_delays_ms':[3600000],", "custom", ",'age_limit_s':60");
    assert_int_equal(deliver(fixture, 1), 1);
    assert_told(fixture->result.out, "it would be too old by the next attempt");
}

static void the_breaker_opens_as_configured(void **state) {
    notify *fixture = *state;
    const server_step steps[] = {busy, busy, yes};
    answer(fixture, steps, 3);
    configure(fixture,
              "'retry_delays_ms':[1,1],'breaker_failures':2,'breaker_open_ms':500,"
              "'breaker_open_max_ms':500,",
              "custom", "");
    assert_int_equal(deliver(fixture, 0), 3);
    assert_told(fixture->result.err, "gets nothing for 500 ms: Custom answered HTTP 503\n");
    assert_true(time_of(fixture, 2) - time_of(fixture, 1) >= 490);
}

static void a_webhook_without_success_is_disabled_in_the_end(void **state) {
    notify *fixture = *state;
    answer(fixture, &busy, 1);
    configure(fixture,
              "'retry_delays_ms':[600,600,600],'disable_after_s':1,'breaker_failures':3,"
              "'breaker_open_ms':1,",
              "custom", "");
    assert_int_equal(deliver(fixture, 1), 3);
    assert_told(fixture->result.out, "1 delivery of 1 event: 1 left\n");
    assert_told(fixture->result.out, "disabled: ");
}

static void max_waiting_bytes_is_a_limit_too(void **state) {
    notify *fixture = *state;
    configure(fixture, "'max_waiting_bytes':100,", "custom", "");
    assert_int_equal(deliver(fixture, 1), 0);
    assert_told(fixture->result.err, "the outbox is full");
}

static void the_systems_resolver_may_look_names_up(void **state) {
    notify *fixture = *state;
    char config[512];
    answer(fixture, &yes, 1);
    snprintf(config, sizeof config,
             "{%s,'resolver':'system','dns_servers':'127.0.0.1:1','webhooks':[{'name':'ops',"
             "'type':'custom','url':'http://localhost:%d/ops','activities':'all'}]}",
             NOTIFY_LOCAL, server_port(fixture->receiver));
    notify_write_config(fixture, config);
    assert_int_equal(deliver(fixture, 0), 1);
}

/* Nobody listens there, so no name has an address. */
static void dns_servers_are_asked_in_place_of_the_systems(void **state) {
    notify *fixture = *state;
    char config[512];
    snprintf(config, sizeof config,
             "{%s,'dns_servers':'127.0.0.1:1','retry_delays_ms':[3600000],'connect_timeout_ms':500,"
             "'webhooks':[{'name':'ops','type':'custom','url':'http://hook.example:%d/ops',"
             "'activities':'all','max_attempts':1}]}",
             NOTIFY_LOCAL, server_port(fixture->receiver));
    notify_write_config(fixture, config);
    assert_int_equal(deliver(fixture, 1), 0);
    assert_told(fixture->result.out, "its name has no address");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        NOTIFY_TEST(order_decides_what_waits_for_what),
        NOTIFY_TEST(when_unknown_decides_how_often_a_lost_answer_is_sent_again),
        NOTIFY_TEST(a_rate_spreads_the_requests),
        NOTIFY_TEST(no_rate_lifts_the_products_own),
        NOTIFY_TEST(max_attempts_ends_the_schedule_early),
        NOTIFY_TEST(what_would_be_too_old_is_dead),
        NOTIFY_TEST(the_breaker_opens_as_configured),
        NOTIFY_TEST(a_webhook_without_success_is_disabled_in_the_end),
        NOTIFY_TEST(max_waiting_bytes_is_a_limit_too),
        NOTIFY_TEST(the_systems_resolver_may_look_names_up),
        NOTIFY_TEST(dns_servers_are_asked_in_place_of_the_systems),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
