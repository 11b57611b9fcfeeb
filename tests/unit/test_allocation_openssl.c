/*
 * Running out of memory where OpenSSL is used: each of its allocations fails once, alone and with
 * all that follow, together with those of the library, cJSON and libcurl. A signature is then
 * right, or there is none and the call says BB_ERR_NO_MEMORY: nobody is told that a key or a
 * signature is wrong for want of memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/digest.h"
#include "support/alloc.h"
#include "support/vectors.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* V1A, but for a bit near its end. */
#define FALSE_V1A                                                                                  \
    "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/"                                                       \
    "enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAA=="
#define FALSE_V1 "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

/* What a call may say when memory was short; anything else it must have done in full. */
static void assert_no_memory(int code, const bb_error *error) {
    if (code != BB_ERR_NO_MEMORY || !alloc_has_failed())
        fail_msg("%s: %s", bb_code_name(code), error->text);
    assert_int_equal(error->code, BB_ERR_NO_MEMORY);
}

/* ---- the receiver's side ---- */

static const struct verification {
    const char *secrets[2];
    const char *signature;
    int code;
} verifications[] = {
    {{WHSEC, NULL}, V1, BB_OK},
    {{WHSEC, NULL}, FALSE_V1, BB_ERR_SIGNATURE},
    {{WHPK, NULL}, V1A, BB_OK},
    {{WHPK, NULL}, FALSE_V1A, BB_ERR_SIGNATURE},
    {{WHSK, NULL}, V1A, BB_OK},
    {{WHSK, WHSEC}, FALSE_V1A " " V1, BB_OK},
    {{WHSEC, WHPK}, FALSE_V1 " " FALSE_V1A, BB_ERR_SIGNATURE},
    {{"whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh/VKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg"
      "==",
      NULL},
     V1A,
     BB_ERR_ARGUMENT},
};

static int verify(const struct verification *v, bb_error *error) {
    static const char body[] = "{\"test\": 2432232314}";
    bb_received r = BB_RECEIVED_INIT;
    r.id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    r.timestamp = "1614265330";
    r.signature = v->signature;
    r.body = body;
    r.body_length = strlen(body);
    r.secrets = v->secrets;
    r.secret_count = 2;
    r.now_ms = INT64_C(1614265330) * 1000;
    return bb_webhook_verify(&r, error);
}

static void verify_once(void *user) {
    const struct verification *v = user;
    bb_error error = BB_ERROR_INIT;
    int code = verify(v, &error);
    alloc_end();
    if (code != v->code)
        assert_no_memory(code, &error);
    assert_int_equal(verify(v, NULL), v->code);
}

static void a_signature_is_judged_rightly_or_not_at_all(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(verifications); i++) {
        char what[64];
        struct verification v = verifications[i];
        snprintf(what, sizeof what, "bb_webhook_verify, %zu", i);
        alloc_fail_each(what, 0, verify_once, &v);
    }
}

/* ---- the sender's ---- */

static const bb_header own_headers[] = {{"X-Tenant", "seven"}, {"X-Token", "abcdefghijkl"}};

static const bb_webhook *hooks(void) {
    static const bb_webhook both = {.struct_size = sizeof(bb_webhook),
                                    .name = "custom",
                                    .type = BB_CUSTOM,
                                    .url = "https://ci.example.com/hook/abcdefghijkl",
                                    .secret = WHSK,
                                    .previous_secret = WHSEC,
                                    .authorization = "Bearer abcdefghijkl",
                                    .headers = own_headers,
                                    .header_count = 2,
                                    .activities = BB_ACTIVITY_ALL};
    return &both;
}

static bb_event event(void) {
    bb_event e = BB_EVENT_INIT;
    e.activity = BB_ISSUE_CREATE;
    e.title = "Issue created";
    e.created_ts = 1700000000;
    return e;
}

static const char *value_of(const bb_request *request, const char *name) {
    for (size_t i = 0; i < bb_request_header_count(request); i++)
        if (strcmp(bb_request_header_name(request, i), name) == 0)
            return bb_request_header_value(request, i, BB_REAL);
    fail_msg("no header %s", name);
    return NULL;
}

static int prepare(bb_request **request, bb_error *error) {
    bb_options options = BB_OPTIONS_INIT;
    bb_attempt attempt = BB_ATTEMPT_INIT;
    bb_event e = event();
    options.allocator = alloc_library();
    attempt.time_ms = INT64_C(1700000000000);
    return bb_webhook_prepare(&options, hooks(), &e, &attempt, request, error);
}

static void prepare_once(void *user) {
    const bb_request *expected = user;
    bb_request *request = NULL;
    bb_error error = BB_ERROR_INIT;
    int code = prepare(&request, &error);
    alloc_end();
    if (code) {
        assert_no_memory(code, &error);
        assert_null(request);
        return;
    }
    static const char *const names[] = {"webhook-id", "webhook-signature", "Authorization",
                                        "X-Token"};
    for (size_t i = 0; i < COUNT(names); i++)
        assert_string_equal(value_of(request, names[i]), value_of(expected, names[i]));
    assert_string_equal(bb_request_method(request), "POST");
    bb_request_free(request);
}

static void a_request_is_signed_with_both_keys_or_not_made(void **state) {
    (void)state;
    bb_request *expected = NULL;
    assert_int_equal(prepare(&expected, NULL), BB_OK);
    const char *signatures = value_of(expected, "webhook-signature");
    assert_non_null(strstr(signatures, "v1a,"));
    assert_non_null(strstr(signatures, " v1,"));
    alloc_fail_each("bb_webhook_prepare, v1a and v1", 0, prepare_once, expected);
    bb_request_free(expected);
}

typedef int change(bb_dispatcher *dispatcher, const bb_webhook *webhook, bb_error *error);

static void change_once(change *apply, bb_dispatcher *dispatcher) {
    bb_error error = BB_ERROR_INIT;
    alloc_resume();
    int code = apply(dispatcher, hooks(), &error);
    alloc_end();
    if (code) {
        assert_no_memory(code, &error);
        assert_int_equal(apply(dispatcher, hooks(), NULL), BB_OK);
    }
}

static void add_and_replace(void *user) {
    bb_options options = BB_OPTIONS_INIT;
    bb_dispatcher *dispatcher = NULL;
    (void)user;
    options.allocator = alloc_library();
    int code = bb_dispatcher_new(&options, &dispatcher, NULL);
    alloc_end();
    if (code)
        assert_int_equal(bb_dispatcher_new(&options, &dispatcher, NULL), BB_OK);
    change_once(bb_dispatcher_add, dispatcher);
    change_once(bb_dispatcher_replace, dispatcher);
    alloc_end();
    assert_int_equal(bb_dispatcher_remove(dispatcher, "custom", NULL), BB_OK);
    assert_int_equal(bb_dispatcher_free(dispatcher), BB_OK);
}

static void a_webhook_with_keys_is_taken_or_is_not(void **state) {
    (void)state;
    alloc_fail_each("new, add and replace with keys", 0, add_and_replace, NULL);
}

/* ---- the first use ---- */

/* In a process that has not hashed or signed anything: 0 when the nth allocation failed, 1 when
 * there are no so many, else what is wrong. What was looked up in vain must be looked up again.
 * (What OpenSSL itself looks up once for Ed25519 it does not.) */
static int use_first(size_t nth, int and_after) {
    pid_t child = fork();
    if (child == 0) {
        unsigned char digest[BB_SHA256_SIZE];
        bb_error error = BB_ERROR_INIT;
        alloc_begin(nth, and_after);
        int code = verify(verifications, &error);
        bool is_hashed = bb_sha256("a", 1, digest);
        alloc_end();
        bool has_failed = alloc_has_failed();
        if (!has_failed && (code != BB_OK || !is_hashed))
            _exit(2);
        if (code != BB_OK && code != BB_ERR_NO_MEMORY)
            _exit(3);
        if (verify(verifications, NULL) != BB_OK || !bb_sha256("a", 1, digest))
            _exit(4);
        _exit(!has_failed);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 5;
}

static void a_first_use_without_memory_spoils_none_that_follows(void **state) {
    (void)state;
    size_t nth = 0;
    int alone, with_the_rest;
    do {
        nth++;
        alone = use_first(nth, 0);
        with_the_rest = use_first(nth, 1);
        if (alone > 1 || with_the_rest > 1)
            fail_msg("allocation %zu: %d, %d", nth, alone, with_the_rest);
    } while (alone == 0);
    print_message("the first use: %zu allocations, all failed\n", nth - 1);
    assert_in_range(nth, 20, 1000);
}

int main(void) {
    alloc_hook_openssl();
    alloc_hook_others();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_use_without_memory_spoils_none_that_follows), /* the first */
        cmocka_unit_test_teardown(a_signature_is_judged_rightly_or_not_at_all, alloc_teardown),
        cmocka_unit_test_teardown(a_request_is_signed_with_both_keys_or_not_made, alloc_teardown),
        cmocka_unit_test_teardown(a_webhook_with_keys_is_taken_or_is_not, alloc_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
