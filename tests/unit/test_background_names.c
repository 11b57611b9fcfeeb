/* Where background delivery connects to: names are looked up outside of libcurl, the addresses
 * pinned, and each is judged when it is connected to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/background.h"
#include "support/dns.h"
#include "support/resolve.h"

enum { SHORT_TTL_S = 1 };

static const uint32_t at_once[] = {1, 1, 1, 1};

typedef struct scene {
    background *b;
    dns *names;
} scene;

static int open_scene(void **state) {
    static scene s;
    background *b = NULL;
    if (background_setup((void **)&b) != 0)
        return -1;
    s = (scene){.b = b, .names = dns_start()};
    b->options.dns_servers = dns_servers(s.names);
    b->options.retry_delays_ms = at_once;
    b->options.retry_delay_count = 4;
    *state = &s;
    return 0;
}

static int close_scene(void **state) {
    scene *s = *state;
    void *b = s->b;
    int code = background_teardown(&b);
    dns_stop(s->names);
    resolve_forget();
    return code;
}

/* A webhook at a name of the test's, with the receiver's port. */
static void add_named(background *b, const char *id, const char *name) {
    char url[120];
    server_step yes = posting_success(BB_CUSTOM);
    bb_webhook hook = background_hook(b, BB_CUSTOM, id, &yes, 1);
    snprintf(url, sizeof(url), "http://%s:%d/%s", name, server_port(b->receiver), id);
    hook.url = url;
    background_add(b, &hook);
}

static void a_name_is_looked_up_once_for_many_deliveries(void **state) {
    scene *s = *state;
    dns_set(s->names, "hooks.test", "127.0.0.1", 60);
    background_open(s->b);
    add_named(s->b, "one", "hooks.test");
    add_named(s->b, "two", "hooks.test");
    for (int i = 0; i < 20; i++) {
        background_enqueue(s->b, NULL);
        background_flush(s->b);
    }
    assert_int_equal(s->b->counts[BB_NOTICE_DELIVERED], 40);
    assert_int_equal(dns_count(s->names, "hooks.test"), 2); /* A and AAAA */
    const char *host = server_header(server_request_at(s->b->receiver, 0), "Host");
    assert_non_null(strstr(host, "hooks.test:"));
}

static void an_address_that_does_not_answer_is_followed_by_the_next(void **state) {
    scene *s = *state;
    dns_set(s->names, "hooks.test", "127.0.0.2,127.0.0.1", 60);
    background_open(s->b); /* the receiver listens on the second alone */
    add_named(s->b, "one", "hooks.test");
    background_enqueue(s->b, "event");
    background_drive_until(s->b, BB_NOTICE_DELIVERED, 1);
    assert_int_equal(background_told(s->b, BB_NOTICE_DELIVERED, 0)->attempt, 1);
}

static void a_name_that_moves_is_followed(void **state) {
    scene *s = *state;
    dns_set(s->names, "hooks.test", "127.0.0.2", SHORT_TTL_S);
    background_open(s->b);
    add_named(s->b, "one", "hooks.test");
    background_enqueue(s->b, "event");
    background_drive_until(s->b, BB_NOTICE_RETRYING, 1);
    dns_set(s->names, "hooks.test", "127.0.0.1", SHORT_TTL_S);
    background_drive_until(s->b, BB_NOTICE_DEAD, 1); /* the retries are over before the TTL */
    int64_t end = server_now_ms() + BACKGROUND_PATIENCE_MS;
    while (s->b->counts[BB_NOTICE_DELIVERED] == 0 && server_now_ms() < end) {
        bb_dispatcher_resume(s->b->dispatcher, "one", NULL); /* the breaker has opened */
        background_enqueue(s->b, NULL);
        background_flush(s->b);
    }
    assert_true(s->b->counts[BB_NOTICE_DELIVERED] > 0);
}

static void a_name_that_leads_to_a_private_address_is_refused(void **state) {
    scene *s = *state;
    dns_set(s->names, "hooks.test", "127.0.0.1", 60);
    bb_options options = background_bb_options(s->b);
    options.insecure_allow_private_addresses = 0;
    s->b->dispatcher = posting_dispatcher(&options);
    add_named(s->b, "one", "hooks.test");
    background_enqueue(s->b, "event");
    background_drive_until(s->b, BB_NOTICE_DEAD, 1);
    const told *dead = background_told(s->b, BB_NOTICE_DEAD, 0);
    assert_non_null(strstr(dead->text, "private or local address"));
    assert_null(strstr(dead->text, "127.0.0.1"));
    assert_int_equal(server_connections(s->b->receiver), 0);
}

static void the_systems_resolver_serves_by_option(void **state) {
    scene *s = *state;
    resolve_to("hooks.test", "192.0.2.7", server_port(s->b->receiver));
    s->b->options.resolver = BB_RESOLVER_SYSTEM;
    background_open(s->b);
    add_named(s->b, "one", "hooks.test");
    background_enqueue(s->b, "event");
    background_drive_until(s->b, BB_NOTICE_DELIVERED, 1);
    assert_true(resolve_lookups("hooks.test") > 0);
}

static void servers_that_are_none_are_refused(void **state) {
    scene *s = *state;
    bb_dispatcher *dispatcher = NULL;
    bb_error error = BB_ERROR_INIT;
    s->b->options.dns_servers = "not a server";
    bb_options options = background_bb_options(s->b);
    assert_int_equal(bb_dispatcher_new(&options, &dispatcher, &error), BB_ERR_ARGUMENT);
    assert_null(dispatcher);
    assert_non_null(strstr(error.text, "dns_servers"));
}

#define WITH_SCENE(test) cmocka_unit_test_setup_teardown(test, open_scene, close_scene)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_SCENE(a_name_is_looked_up_once_for_many_deliveries),
        WITH_SCENE(an_address_that_does_not_answer_is_followed_by_the_next),
        WITH_SCENE(a_name_that_moves_is_followed),
        WITH_SCENE(a_name_that_leads_to_a_private_address_is_refused),
        WITH_SCENE(the_systems_resolver_serves_by_option),
        WITH_SCENE(servers_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
