/* One webhook may reach inside the network, its neighbours may not: with the same name, the same
 * port and the same server, while webhooks are replaced, secrets fetched, posts and deliveries
 * sent. Under ThreadSanitizer, too. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/background.h"

enum { ROUNDS = 60 };

#define SECRET "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

typedef struct inside {
    background *b;
    char open[100], shut[100], numeric[100]; /* where who may, and who may not, is sent */
    atomic_int asked;
} inside;

/* Now by name, now by number. */
static int ask(void *user, const char *webhook_id, bb_credentials *given) {
    inside *i = user;
    (void)webhook_id;
    given->url = atomic_fetch_add(&i->asked, 1) % 2 ? i->shut : i->numeric;
    given->secret = SECRET;
    return 0;
}

static bb_webhook hook_of(const char *id, const char *url, int may) {
    bb_webhook hook = posting_hook(BB_CUSTOM, id, url);
    hook.no_rate = 1;
    hook.max_attempts = 1;
    hook.insecure_allow_private_addresses = may;
    return hook;
}

static void *post(void *user) {
    inside *i = user;
    for (int n = 0; n < ROUNDS; n++)
        bb_webhook_post(i->b->dispatcher, posting_event(), NULL, NULL, NULL);
    return NULL;
}

static void *enqueue(void *user) {
    inside *i = user;
    for (int n = 0; n < ROUNDS; n++)
        bb_webhook_enqueue(i->b->dispatcher, posting_event(), NULL, NULL, NULL);
    return NULL;
}

static void *replace(void *user) {
    inside *i = user;
    for (int n = 0; n < ROUNDS; n++) {
        bb_webhook hook = hook_of("changing", n % 2 ? i->open : i->shut, n % 2);
        assert_int_equal(bb_dispatcher_replace(i->b->dispatcher, &hook, NULL), BB_OK);
    }
    return NULL;
}

/* The name may be given, because one of its addresses is allowed: not the one that answers. */
static void open_dispatcher(inside *i) {
    static const server_step yes = {.status = 200, .body = "{\"code\": 0}"};
    background *b = i->b;
    int port = server_port(b->receiver);
    bb_egress egress = BB_EGRESS_INIT;
    b->options.breaker_failures = UINT32_MAX;
    bb_options options = background_bb_options(b);
    egress.ports = "*";
    egress.allow_addresses = "::1";
    options.egress = &egress;
    options.insecure_allow_private_addresses = 0;
    options.credentials = ask;
    options.credentials_user = i;
    snprintf(i->open, sizeof i->open, "http://localhost:%d/open", port);
    snprintf(i->shut, sizeof i->shut, "http://localhost:%d/shut", port);
    snprintf(i->numeric, sizeof i->numeric, "http://127.0.0.1:%d/shut", port);
    server_on(b->receiver, "/open", &yes, 1);
    server_on(b->receiver, "/shut", &yes, 1);
    assert_int_equal(bb_dispatcher_new(&options, &b->dispatcher, NULL), BB_OK);
}

static void nobody_gets_in_by_a_neighbours_permission(void **state) {
    inside i = {.b = *state};
    open_dispatcher(&i);
    const bb_webhook hooks[] = {hook_of("own", i.open, 1), hook_of("tenant", i.shut, 0),
                                hook_of("vault", NULL, 0), hook_of("changing", i.shut, 0)};
    for (size_t n = 0; n < 4; n++)
        assert_int_equal(bb_dispatcher_add(i.b->dispatcher, &hooks[n], NULL), BB_OK);
    void *(*const all[])(void *) = {post, post, enqueue, replace};
    pthread_t threads[4];
    assert_int_equal(bb_dispatcher_start(i.b->dispatcher, NULL), BB_OK);
    for (size_t n = 0; n < 4; n++)
        assert_int_equal(pthread_create(&threads[n], NULL, all[n], &i), 0);
    for (size_t n = 0; n < 4; n++)
        pthread_join(threads[n], NULL);
    background_flush(i.b);
    bb_stats own = background_stats(i.b, "own"), tenant = background_stats(i.b, "tenant");
    assert_int_equal(own.delivered, ROUNDS);
    assert_int_equal(tenant.delivered, 0);
    assert_int_equal(tenant.dead, ROUNDS);
    assert_int_equal(background_stats(i.b, "vault").delivered, 0);
    assert_true(i.asked > ROUNDS);
    assert_true(server_requests(i.b->receiver) >= ROUNDS);
    for (size_t n = 0; n < server_requests(i.b->receiver); n++)
        assert_string_equal(server_request_at(i.b->receiver, n)->path, "/open");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nobody_gets_in_by_a_neighbours_permission, background_setup,
                                        background_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
