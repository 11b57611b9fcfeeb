/* A webhook without a URL is sent with what the host's callback says at that moment: posts, test
 * messages, deliveries in the background and prepared requests; under the same checks, with nothing
 * sent where it says nothing, and with nothing of it left behind. */
#include "support/background.h"
#include "support/canary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEW "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
#define OLD "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

/* ---- the host's vault */

typedef struct vault {
    char url[128], secret[128], previous[128], authorization[128];
    int fails;
    atomic_int asked, released;
} vault;

static void release(bb_credentials *given) {
    vault *v = given->kept;
    atomic_fetch_add(&v->released, 1);
    /* whoever still read these would send something else */
    memset((char *)given->url, '#', strlen(given->url));
    memset((char *)given->secret, '#', strlen(given->secret));
    free((char *)given->url);
    free((char *)given->secret);
}

static char *copy(const char *text) {
    char *made = malloc(strlen(text) + 1);
    assert_non_null(made);
    return strcpy(made, text);
}

static int ask(void *user, const char *webhook_id, bb_credentials *given) {
    vault *v = user;
    atomic_fetch_add(&v->asked, 1);
    assert_int_equal(given->struct_size, sizeof *given);
    assert_null(given->url);
    assert_string_equal(webhook_id, "hook");
    if (v->fails)
        return v->fails;
    given->url = copy(v->url);
    given->secret = copy(v->secret);
    given->previous_secret = v->previous;
    given->authorization = v->authorization;
    given->release = release;
    given->kept = v;
    return 0;
}

static vault vault_at(const char *url) {
    vault v = {.secret = NEW};
    snprintf(v.url, sizeof v.url, "%s", url);
    return v;
}

static void open_with(background *b, vault *v) {
    bb_options options = background_bb_options(b);
    bb_error error = BB_ERROR_INIT;
    options.credentials = ask;
    options.credentials_user = v;
    if (bb_dispatcher_new(&options, &b->dispatcher, &error) != BB_OK)
        fail_msg("%s", error.text);
    bb_webhook hook = posting_hook(BB_CUSTOM, "hook", NULL);
    hook.no_rate = 1;
    if (bb_dispatcher_add(b->dispatcher, &hook, &error) != BB_OK)
        fail_msg("%s", error.text);
    assert_int_equal(v->asked, 0); /* only when something is sent */
}

static void answer(background *b, server_step step) {
    server_on(b->receiver, NULL, &step, 1);
}

static void assert_signed_by(const server_request *request, const char *secret) {
    bb_received received = BB_RECEIVED_INIT;
    bb_error error = BB_ERROR_INIT;
    received.id = server_header(request, "webhook-id");
    received.timestamp = server_header(request, "webhook-timestamp");
    received.signature = server_header(request, "webhook-signature");
    received.body = request->body;
    received.body_length = request->body_length;
    received.secrets = &secret;
    received.secret_count = 1;
    received.now_ms = (int64_t)strtoll(received.timestamp, NULL, 10) * 1000;
    if (bb_webhook_verify(&received, &error) != BB_OK)
        fail_msg("%s", error.text);
}

#define BACKGROUND_TEST(test)                                                                      \
    cmocka_unit_test_setup_teardown(test, background_setup, background_teardown)

/* ---- what is sent */

static void every_attempt_asks_anew(void **state) {
    background *b = *state;
    static const char *const paths[] = {"/post", "/test", "/background"};
    vault v = vault_at(server_url(b->receiver, paths[0]));
    open_with(b, &v);
    answer(b, posting_success(BB_CUSTOM));
    assert_int_equal(posting_send_one(b->dispatcher, "hook")->outcome->verdict, BB_DELIVERED);
    snprintf(v.url, sizeof v.url, "%s", server_url(b->receiver, paths[1]));
    strcpy(v.previous, OLD);
    assert_int_equal(bb_webhook_test(b->dispatcher, "hook", NULL, NULL), BB_OK);
    snprintf(v.url, sizeof v.url, "%s", server_url(b->receiver, paths[2]));
    strcpy(v.authorization, "Bearer token");
    background_enqueue(b, "one");
    background_flush(b);
    assert_int_equal(v.asked, 3);
    assert_int_equal(v.released, 3);
    for (size_t i = 0; i < 3; i++) {
        const server_request *request = server_request_at(b->receiver, i);
        assert_string_equal(request->path, paths[i]);
        assert_signed_by(request, NEW);
        if (i > 0)
            assert_signed_by(request, OLD);
    }
    assert_null(server_header(server_request_at(b->receiver, 0), "Authorization"));
    assert_string_equal(server_header(server_request_at(b->receiver, 2), "Authorization"),
                        "Bearer token");
}

/* A secret that was replaced between two attempts of one delivery. */
static void a_retry_is_signed_with_what_is_valid_then(void **state) {
    background *b = *state;
    vault v = vault_at(server_url(b->receiver, "/a"));
    static const uint32_t delays[] = {1};
    b->options.retry_delays_ms = delays;
    b->options.retry_delay_count = 1;
    b->options.no_jitter = 1;
    strcpy(v.secret, OLD);
    open_with(b, &v);
    answer(b, (server_step){.status = 503});
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_RETRYING, 1);
    strcpy(v.secret, NEW);
    snprintf(v.url, sizeof v.url, "%s", server_url(b->receiver, "/b"));
    answer(b, posting_success(BB_CUSTOM));
    background_drive_until(b, BB_NOTICE_DELIVERED, 1);
    assert_signed_by(server_request_to(b->receiver, "/a"), OLD);
    assert_signed_by(server_request_to(b->receiver, "/b"), NEW);
    background_check_books(b);
}

static void a_prepared_request_asks_too(void **state) {
    (void)state;
    vault v = vault_at("https://h.example/cAnArY");
    bb_options options = BB_OPTIONS_INIT;
    bb_webhook hook = posting_hook(BB_SLACK, "hook", "");
    bb_request *request = NULL;
    bb_error error = BB_ERROR_INIT;
    options.credentials = ask;
    options.credentials_user = &v;
    v.secret[0] = '\0';
    assert_int_equal(bb_webhook_prepare(&options, &hook, posting_event(), NULL, &request, NULL),
                     BB_OK);
    assert_string_equal(bb_request_url(request, BB_REAL), "https://h.example/cAnArY");
    assert_string_equal(bb_request_url(request, BB_MASKED), "https://h.example/***");
    bb_request_free(request);
    v.fails = 1;
    assert_int_equal(bb_webhook_prepare(&options, &hook, posting_event(), NULL, &request, &error),
                     BB_ERR_WEBHOOK);
    assert_null(request);
    assert_string_equal(error.text, "webhook \"hook\": options.credentials had none for it");
    assert_int_equal(v.asked, 2);
    assert_int_equal(v.released, 1);
}

/* ---- what is not sent */

static void assert_not_given(const bb_outcome *outcome, const char *why) {
    char text[400];
    snprintf(text, sizeof text, "webhook \"hook\": its URL and secrets were not given: %s", why);
    assert_string_equal(outcome->text, text);
    assert_int_equal(outcome->verdict, BB_RETRY);
    assert_int_equal(outcome->advice, BB_ADVICE_OPERATOR);
    assert_int_equal(outcome->http_status, 0);
}

static void a_callback_that_has_nothing_sends_nothing(void **state) {
    background *b = *state;
    vault v = vault_at(server_url(b->receiver, "/a"));
    v.fails = -7;
    open_with(b, &v);
    answer(b, posting_success(BB_CUSTOM));
    const bb_attempt_report *row = posting_send_one(b->dispatcher, "hook");
    posting_assert_row(row, BB_RETRY, 0);
    assert_not_given(row->outcome, "options.credentials had none for it");
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_RETRYING, 1);
    const told *retry = background_told(b, BB_NOTICE_RETRYING, 0);
    assert_non_null(strstr(retry->text, "its URL and secrets were not given"));
    assert_int_equal(retry->sent, 0);
    assert_int_equal(server_connections(b->receiver), 0);
    assert_int_equal(v.released, 0);
    background_check_books(b);
}

static void what_it_says_meets_every_check(void **state) {
    static const struct {
        const char *url, *secret, *previous, *authorization, *why;
    } wrong[] = {
        {"", NEW, "", "", "url: is empty"},
        {"ftp://127.0.0.1/cAnArY", NEW, "", "", "url: is neither https nor http"},
        {"http://127.0.0.1/cAnArY\n", NEW, "", "", "url: begins or ends with a blank or newline"},
        {"http://u:cAnArY@127.0.0.1/", NEW, "", "", "url: has a user name before the host"},
        {"@", "whsec_cAnArY", "", "", "secret: is neither"},
        {"@", "cAnArY ", "", "", "secret: begins or ends with a blank"},
        {"@", "", OLD, "", "previous_secret: is given without secret"},
        {"@", NEW, "whsec_cAnArY", "", "previous_secret: is neither"},
        {"@", NEW, "", "cAnArY\r\nX: 1", "authorization: its value has a control"},
    };
    background *b = *state;
    vault v = vault_at("");
    open_with(b, &v);
    answer(b, posting_success(BB_CUSTOM));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        bool is_fine = wrong[i].url[0] == '@';
        snprintf(v.url, sizeof v.url, "%s", is_fine ? server_url(b->receiver, "/a") : wrong[i].url);
        snprintf(v.secret, sizeof v.secret, "%s", wrong[i].secret);
        snprintf(v.previous, sizeof v.previous, "%s", wrong[i].previous);
        snprintf(v.authorization, sizeof v.authorization, "%s", wrong[i].authorization);
        const bb_outcome *outcome = posting_send_one(b->dispatcher, "hook")->outcome;
        if (!strstr(outcome->text, wrong[i].why))
            fail_msg("'%s' instead of '%s'", outcome->text, wrong[i].why);
        assert_int_equal(outcome->verdict, BB_RETRY);
        canary_assert_silent("outcome", outcome->text, NULL);
    }
    assert_int_equal(v.released, sizeof wrong / sizeof *wrong);
    assert_int_equal(server_connections(b->receiver), 0);
}

/* The operator's switches hold for it as for a configured one. */
static void private_and_plain_urls_are_refused_as_ever(void **state) {
    static const struct {
        const char *url, *why;
    } wrong[] = {{"http://h.example/cAnArY", "url: is not https"},
                 {"https://127.0.0.1/cAnArY", "url: its host is not a public address: loopback"},
                 {"https://evil.example/cAnArY", "url: its host is not one of this product's"}};
    (void)state;
    vault v = vault_at("");
    bb_options options = BB_OPTIONS_INIT;
    options.credentials = ask;
    options.credentials_user = &v;
    v.secret[0] = '\0';
    bb_dispatcher *dispatcher = posting_dispatcher(&options);
    bb_webhook hook = posting_hook(BB_SLACK, "hook", NULL);
    hook.allow_any_host = 0;
    assert_int_equal(bb_dispatcher_add(dispatcher, &hook, NULL), BB_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(v.url, sizeof v.url, "%s", wrong[i].url);
        const bb_attempt_report *row = posting_send_one(dispatcher, "hook");
        if (!strstr(row->outcome->text, wrong[i].why))
            fail_msg("'%s' instead of '%s'", row->outcome->text, wrong[i].why);
        posting_assert_row(row, BB_RETRY, 0);
    }
    bb_dispatcher_free(dispatcher);
}

static void an_answer_that_repeats_them_is_masked(void **state) {
    background *b = *state;
    vault v = vault_at(server_url(b->receiver, "/cAnArYpath-0123456789?k=cAnArYquery"));
    strcpy(v.secret, "whsec_cAnArYcAnArYcAnArYcAnArYcAnArYcA");
    strcpy(v.authorization, "Bearer cAnArYbearer-0123456789");
    open_with(b, &v);
    answer(b, (server_step){.status = 400,
                            .body = "{\"code\":1,\"message\":\"cAnArYcAnArYcAnArYcAnArYcAnArYcA ",
                            .echo = SERVER_ECHO_PLAIN,
                            .tail = "\"}"});
    const bb_outcome *outcome = posting_send_one(b->dispatcher, "hook")->outcome;
    canary_assert_bytes_silent("outcome", (const char *)outcome, sizeof *outcome, b->receiver);
    assert_non_null(strstr(outcome->remote_message, "***"));
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_DEAD, 1);
    const told *dead = background_told(b, BB_NOTICE_DEAD, 0);
    canary_assert_bytes_silent("notice", (const char *)dead, sizeof *dead, b->receiver);
}

/* ---- configuration */

static void a_webhook_without_a_url_has_no_secrets_either(void **state) {
    (void)state;
    vault v = vault_at("https://h.example/");
    bb_options options = BB_OPTIONS_INIT;
    options.credentials = ask;
    options.credentials_user = &v;
    for (int i = 0; i < 4; i++) {
        bb_webhook hook = posting_hook(BB_CUSTOM, "hook", i % 2 ? "" : NULL);
        bb_error error = BB_ERROR_INIT;
        const char **members[] = {&hook.secret, &hook.previous_secret, &hook.authorization};
        static const char *const names[] = {
            ": secret: ", ": previous_secret: ", ": authorization: "};
        bb_dispatcher *dispatcher = posting_dispatcher(i < 3 ? &options : NULL);
        if (i < 3)
            *members[i] = NEW;
        int code = bb_dispatcher_add(dispatcher, &hook, &error);
        assert_int_equal(code, i < 3 ? BB_ERR_WEBHOOK : BB_ERR_URL);
        assert_non_null(strstr(error.text, i < 3 ? names[i] : "url: is empty"));
        bb_dispatcher_free(dispatcher);
    }
    assert_int_equal(v.asked, 0);
}

/* Beside each other: one that has its URL is never asked for. */
static void a_configured_webhook_does_not_ask(void **state) {
    background *b = *state;
    vault v = vault_at(server_url(b->receiver, "/vault"));
    open_with(b, &v);
    answer(b, posting_success(BB_CUSTOM));
    posting_add(b->dispatcher, BB_CUSTOM, "own", server_url(b->receiver, "/own"));
    bb_report_free(posting_send(b->dispatcher));
    assert_int_equal(v.asked, 1);
    assert_int_equal(server_requests_to(b->receiver, "/own"), 1);
    assert_int_equal(server_requests_to(b->receiver, "/vault"), 1);
}

/* ---- threads */

enum { THREADS = 4, POSTS = 10 };

static void *post_some(void *user) {
    background *b = user;
    for (int i = 0; i < POSTS; i++)
        bb_report_free(posting_send(b->dispatcher));
    return NULL;
}

static void several_threads_ask_at_once(void **state) {
    background *b = *state;
    vault v = vault_at(server_url(b->receiver, "/a"));
    pthread_t threads[THREADS];
    open_with(b, &v);
    answer(b, posting_success(BB_CUSTOM));
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post_some, b), 0);
    for (int i = 0; i < 10; i++) {
        char id[32];
        snprintf(id, sizeof id, "event %d", i);
        background_enqueue(b, id);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    background_wait_until(b, BB_NOTICE_DELIVERED, 10);
    assert_int_equal(v.asked, THREADS * POSTS + 10);
    assert_int_equal(v.released, v.asked);
    assert_int_equal(server_requests(b->receiver), v.asked);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BACKGROUND_TEST(every_attempt_asks_anew),
        BACKGROUND_TEST(a_retry_is_signed_with_what_is_valid_then),
        cmocka_unit_test(a_prepared_request_asks_too),
        BACKGROUND_TEST(a_callback_that_has_nothing_sends_nothing),
        BACKGROUND_TEST(what_it_says_meets_every_check),
        cmocka_unit_test(private_and_plain_urls_are_refused_as_ever),
        BACKGROUND_TEST(an_answer_that_repeats_them_is_masked),
        cmocka_unit_test(a_webhook_without_a_url_has_no_secrets_either),
        BACKGROUND_TEST(a_configured_webhook_does_not_ask),
        BACKGROUND_TEST(several_threads_ask_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
