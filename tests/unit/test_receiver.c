/* The example receiver at the other end of the library: what is signed with its secrets, now, is
 * shown and delivered; what is not is dead, and shown to nobody. */
#include "support/posting.h"
#include "support/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OLD "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define NEW "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
#define PRIVATE                                                                                    \
    "whsk_6Xb/dCcHpPea21PS1N9VY/"                                                                  \
    "NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
#define PUBLIC "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
#define TITLE "Comment created - Add index to orders\n"

static void set(const char *name, const char *value) {
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

/* Started with these secrets; its address goes to `url`. */
static program *start_receiver(const char *secret, const char *previous, char url[64]) {
    static const char *const arguments[] = {RECEIVER, "0", NULL};
    set("SECRET", secret);
    set("PREVIOUS_SECRET", previous);
    program *receiver = program_start(arguments);
    long port = program_wait_number(receiver, "http://127.0.0.1:", PATIENCE_MS);
    assert_true(port > 0);
    snprintf(url, 64, "http://127.0.0.1:%ld/hook", port);
    return receiver;
}

static void stop_receiver(program *receiver, program_result *result) {
    program_signal(receiver, SIGTERM);
    program_finish(receiver, result);
    assert_int_equal(result->status, 0);
}

static int64_t shifted_clock(void *user) {
    return (int64_t)time(NULL) * 1000 + *(const int *)user * INT64_C(1000);
}

/* One post, signed with these secrets by a clock that is off. */
static bb_outcome post_at(const char *url, const char *secret, const char *previous, int off_s) {
    bb_options options = posting_options();
    options.clock = shifted_clock;
    options.clock_user = &off_s;
    bb_dispatcher *dispatcher = posting_dispatcher(&options);
    bb_webhook hook = posting_hook(BB_CUSTOM, "hook", url);
    hook.secret = secret;
    hook.previous_secret = previous;
    assert_int_equal(bb_dispatcher_add(dispatcher, &hook, NULL), BB_OK);
    bb_outcome outcome = *posting_send_one(dispatcher, "hook")->outcome;
    bb_dispatcher_free(dispatcher);
    return outcome;
}

static void assert_delivered(bb_outcome outcome) {
    if (outcome.verdict != BB_DELIVERED)
        fail_msg("%s", outcome.text);
}

static void assert_dead(bb_outcome outcome, int status) {
    if (outcome.verdict != BB_DEAD || outcome.http_status != status)
        fail_msg("verdict %d: %s", outcome.verdict, outcome.text);
}

static void what_is_signed_is_shown_once_and_delivered(void **state) {
    (void)state;
    char url[64];
    program_result result;
    program *receiver = start_receiver(NEW, NULL, url);
    assert_delivered(post_at(url, NEW, NULL, 0));
    assert_delivered(post_at(url, NEW, NULL, 1)); /* the same delivery: sent again */
    stop_receiver(receiver, &result);
    assert_string_equal(result.out, TITLE);
    program_result_free(&result);
}

static void what_is_not_signed_so_is_dead_and_shown_to_nobody(void **state) {
    (void)state;
    char url[64];
    program_result result;
    program *receiver = start_receiver(NEW, NULL, url);
    assert_dead(post_at(url, OLD, NULL, 0), 401);
    assert_dead(post_at(url, PRIVATE, NULL, 0), 401);
    assert_dead(post_at(url, NULL, NULL, 0), 400);
    assert_dead(post_at(url, NEW, NULL, -400), 401);
    assert_dead(post_at(url, NEW, NULL, 400), 401);
    stop_receiver(receiver, &result);
    assert_string_equal(result.out, "");
    assert_non_null(strstr(result.err, "no signature is of these secrets"));
    assert_non_null(strstr(result.err, "webhook-signature is missing"));
    assert_non_null(strstr(result.err, "too old"));
    assert_non_null(strstr(result.err, "of the future"));
    program_result_free(&result);
}

/* Whoever has the old secret and whoever has the new one get what is sent meanwhile. */
static void a_secret_is_replaced_without_a_gap(void **state) {
    static const char *const senders[][2] = {{OLD, NULL}, {NEW, OLD}, {NEW, NULL}};
    static const char *const receivers[][2] = {{OLD, NULL}, {NEW, OLD}, {NEW, NULL}};
    static const int fits[3][3] = {{1, 1, 0}, {1, 1, 1}, {0, 1, 1}};
    (void)state;
    for (size_t r = 0; r < 3; r++) {
        char url[64];
        program_result result;
        program *receiver = start_receiver(receivers[r][0], receivers[r][1], url);
        for (size_t s = 0; s < 3; s++) {
            bb_outcome outcome = post_at(url, senders[s][0], senders[s][1], 0);
            assert_int_equal(outcome.verdict, fits[s][r] ? BB_DELIVERED : BB_DEAD);
        }
        stop_receiver(receiver, &result);
        program_result_free(&result);
    }
}

/* The sender goes over from v1 to v1a; the receiver only ever knows the public half. */
static void a_receiver_with_a_public_key_verifies_v1a(void **state) {
    (void)state;
    char url[64];
    program_result result;
    program *receiver = start_receiver(PUBLIC, NULL, url);
    assert_delivered(post_at(url, PRIVATE, NULL, 0));
    assert_delivered(post_at(url, PRIVATE, OLD, 0));
    assert_delivered(post_at(url, OLD, PRIVATE, 0));
    assert_dead(post_at(url, OLD, NULL, 0), 401);
    stop_receiver(receiver, &result);
    program_result_free(&result);
}

/* ---- what the library would not send */

static size_t drop(char *data, size_t size, size_t count, void *user) {
    (void)data, (void)user;
    return size * count;
}

static struct curl_slist *copy_headers(const bb_request *request) {
    struct curl_slist *list = NULL;
    char line[512];
    for (size_t i = 0; i < bb_request_header_count(request); i++) {
        snprintf(line, sizeof line, "%s: %s", bb_request_header_name(request, i),
                 bb_request_header_value(request, i, BB_REAL));
        list = curl_slist_append(list, line);
    }
    return list;
}

/* Sends the request with this body instead; the status of the answer. */
static long send_body(const char *url, const bb_request *request, const char *body, size_t length) {
    long status = 0;
    CURL *easy = curl_easy_init();
    struct curl_slist *headers = copy_headers(request);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)length);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)PATIENCE_MS);
    assert_int_equal(curl_easy_perform(easy), CURLE_OK);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(easy);
    return status;
}

static void a_body_that_was_changed_or_is_endless_is_refused(void **state) {
    enum { HUGE = 3 << 20 };
    (void)state;
    char url[64], *huge = calloc(1, HUGE);
    program_result result;
    bb_request *request = NULL;
    program *receiver = start_receiver(NEW, NULL, url);
    bb_options options = posting_options();
    bb_webhook hook = posting_hook(BB_CUSTOM, "hook", url);
    hook.secret = NEW;
    assert_int_equal(bb_webhook_prepare(&options, &hook, posting_event(), NULL, &request, NULL),
                     BB_OK);
    size_t length;
    const char *body = bb_request_body(request, BB_REAL, &length);
    char *changed = malloc(length);
    memcpy(changed, body, length);
    changed[length / 2] ^= 1;
    assert_int_equal(send_body(url, request, changed, length), 401);
    assert_int_equal(send_body(url, request, body, length - 1), 401);
    assert_int_equal(send_body(url, request, huge, HUGE), 413);
    assert_int_equal(send_body(url, request, body, length), 200);
    stop_receiver(receiver, &result);
    assert_string_equal(result.out, TITLE);
    program_result_free(&result);
    bb_request_free(request);
    free(changed);
    free(huge);
}

static void a_receiver_without_a_sound_secret_does_not_start(void **state) {
    static const char *const arguments[] = {RECEIVER, "0", NULL};
    static const char *const secrets[] = {NULL, "", "whsec_cAnArY", "whpk_cAnArYcAnArY"};
    (void)state;
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        program_result result = {0};
        set("SECRET", secrets[i]);
        set("PREVIOUS_SECRET", NULL);
        program_run(&result, arguments, NULL);
        assert_int_equal(result.status, 2);
        assert_non_null(strstr(result.err, "SECRET"));
        assert_null(strstr(result.err, "cAnArY"));
        program_result_free(&result);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_signed_is_shown_once_and_delivered),
        cmocka_unit_test(what_is_not_signed_so_is_dead_and_shown_to_nobody),
        cmocka_unit_test(a_secret_is_replaced_without_a_gap),
        cmocka_unit_test(a_receiver_with_a_public_key_verifies_v1a),
        cmocka_unit_test(a_body_that_was_changed_or_is_endless_is_refused),
        cmocka_unit_test(a_receiver_without_a_sound_secret_does_not_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
