/*
 * Signatures and what else belongs to one attempt. The vectors come from the
 * products' documentation and their users' tests: where they sign a time alone
 * (DingTalk, Feishu) the whole request is made; where they sign a body that is not
 * ours (Standard Webhooks) the endpoint's own function signs it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/digest.h"
#include "base/mem.h"
#include "endpoint/endpoint.h"
#include "support/samples.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LONG_SECRET "SEC0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define WHSEC "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define WHSK                                                                                       \
    "whsk_6Xb/dCcHpPea21PS1N9VY/"                                                                  \
    "NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="

/* ---- helpers */

static bb_request *prepare_at(bb_type type, const char *secret, int64_t time_ms) {
    bb_webhook webhook = sample_webhook(type);
    bb_attempt attempt = sample_attempt();
    bb_error error = BB_ERROR_INIT;
    bb_request *request = NULL;
    sample s;
    sample_make(&s, &sample_cases[0]);
    webhook.secret = secret;
    attempt.time_ms = time_ms;
    if (bb_webhook_prepare(NULL, &webhook, &s.event, &attempt, &request, &error) != BB_OK)
        fail_msg("%s", error.text);
    return request;
}

static const char *header(const bb_request *request, const char *name, bb_view view) {
    const char *value = NULL;
    for (size_t i = 0; i < bb_request_header_count(request); i++) {
        if (strcmp(bb_request_header_name(request, i), name) != 0)
            continue;
        assert_null(value); /* once */
        value = bb_request_header_value(request, i, view);
    }
    return value;
}

static const char *body_of(const bb_request *request, bb_view view) {
    size_t length = 0;
    const char *body = bb_request_body(request, view, &length);
    assert_int_equal(strlen(body), length);
    return body;
}

static void assert_ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    if (n < m || strcmp(text + n - m, end) != 0)
        fail_msg("'%s' does not end with '%s'", text, end);
}

static void assert_holds(const char *text, const char *part) {
    if (!strstr(text, part))
        fail_msg("'%s' is not in '%s'", part, text);
}

static void assert_lacks(const char *text, const char *part) {
    if (strstr(text, part))
        fail_msg("'%s' is in '%s'", part, text);
}

static size_t occurrences(const char *text, const char *part) {
    size_t count = 0;
    for (; (text = strstr(text, part)); text++)
        count++;
    return count;
}

/* ---- digests */

static void hmac_sha256_is_the_known_one(void **state) {
    (void)state;
    static const char key[] = "It's a Secret to Everybody", text[] = "Hello, World!";
    unsigned char digest[BB_SHA256_SIZE];
    char hex[2 * BB_SHA256_SIZE + 1];
    const struct bb_part parts[] = {{text, sizeof(text) - 1}};
    assert_true(bb_hmac_sha256(key, sizeof(key) - 1, parts, 1, digest));
    bb_hex(digest, sizeof(digest), hex);
    assert_string_equal(hex, "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
}

/* ---- DingTalk: timestamp and sign in the query */

static void dingtalk_signs_as_its_vectors_say(void **state) {
    (void)state;
    static const struct {
        const char *secret;
        int64_t time_ms;
        const char *tail;
    } vectors[] = {
        {LONG_SECRET, 1700000000004,
         "&timestamp=1700000000004&sign=ZeaJlNY30xUaF%2Fp%2BhFzRR5gZ4qFj%2Bi4uxCJUEwchUXQ%3D"},
        {"SECtest123", 1700000000000,
         "&timestamp=1700000000000&sign=w3RMHXzixTMdzr8OHJUmVLS4IoPJVdu%2BUt1LE48MePE%3D"},
        {"xxx", 1661860880,
         "&timestamp=1661860880&sign=dIUMcehSFkPlWOGqwoP5EFcartyN67QSY9wbVW%2BhTbE%3D"},
        {"SECtest", 1700000000001,
         "&timestamp=1700000000001&sign=r4CWp%2FDz%2BNg0sbTjH1vB0Fr%2BuQ2fn831mssaN6%2FC05I%3D"},
    };
    for (size_t i = 0; i < COUNT(vectors); i++) {
        bb_request *request = prepare_at(BB_DINGTALK, vectors[i].secret, vectors[i].time_ms);
        assert_ends_with(bb_request_url(request, BB_REAL), vectors[i].tail);
        bb_request_free(request);
    }
}

static void dingtalk_drops_a_stale_signature_of_the_pasted_url(void **state) {
    (void)state;
    static const char *const pasted[] = {
        "https://oapi.dingtalk.com/robot/send?access_token=abcd&timestamp=1&sign=old%3D",
        "https://oapi.dingtalk.com/robot/send?timestamp=1&access_token=abcd&sign=old%3D",
        "https://oapi.dingtalk.com/robot/send?sign=old&timestamp=1&access_token=abcd",
        "https://oapi.dingtalk.com/robot/send?timestamp&sign=&access_token=abcd&timestamp=2",
    };
    bb_attempt attempt = sample_attempt();
    sample s;
    sample_make(&s, &sample_cases[0]);
    for (size_t i = 0; i < 2 * COUNT(pasted); i++) {
        bb_webhook webhook = sample_webhook(BB_DINGTALK);
        bb_request *request = NULL;
        webhook.url = pasted[i / 2];
        webhook.secret = i % 2 ? "SECtest123" : NULL;
        assert_int_equal(bb_webhook_prepare(NULL, &webhook, &s.event, &attempt, &request, NULL),
                         BB_OK);
        const char *url = bb_request_url(request, BB_REAL);
        assert_holds(url, "?access_token=abcd");
        assert_lacks(url, "old");
        assert_int_equal(occurrences(url, "timestamp"), i % 2);
        assert_int_equal(occurrences(url, "sign="), i % 2);
        bb_request_free(request);
    }
}

static void dingtalk_keeps_other_parameters(void **state) {
    (void)state;
    bb_webhook webhook = sample_webhook(BB_DINGTALK);
    bb_request *request = NULL;
    sample s;
    sample_make(&s, &sample_cases[0]);
    webhook.url = "https://oapi.dingtalk.com/robot/send?a=%2F&access_token=abcd&signer=x&sign=y&b";
    assert_int_equal(bb_webhook_prepare(NULL, &webhook, &s.event, NULL, &request, NULL), BB_OK);
    assert_string_equal(bb_request_url(request, BB_REAL),
                        "https://oapi.dingtalk.com/robot/send?a=%2F&access_token=abcd&signer=x&b");
    bb_request_free(request);
}

static void dingtalk_names_the_delivery_in_the_body(void **state) {
    (void)state;
    bb_request *first = prepare_at(BB_DINGTALK, "SECtest123", 1700000000000);
    bb_request *later = prepare_at(BB_DINGTALK, "SECtest123", 1700003600000);
    assert_holds(body_of(first, BB_REAL), "\"msgUuid\":\"msg_sample\"");
    assert_string_equal(body_of(first, BB_REAL), body_of(later, BB_REAL));
    assert_string_not_equal(bb_request_url(first, BB_REAL), bb_request_url(later, BB_REAL));
    bb_request_free(first);
    bb_request_free(later);
}

/* ---- Feishu: timestamp and sign in the body */

static void feishu_signs_as_its_vectors_say(void **state) {
    (void)state;
    static const struct {
        const char *secret;
        int64_t time_s;
        const char *members;
    } vectors[] = {
        {"xxx", 1661860880,
         "\"timestamp\":\"1661860880\",\"sign\":\"QnWVTSBe6FmQDE0bG6X0mURbI+DnvVyu1h+j5dHOjrU=\""},
        {"AbCdEfGhIjKlMnOpQrStUv", 1700000000,
         "\"timestamp\":\"1700000000\",\"sign\":\"f+lWXYD8kUfJ/ZGi8+vfRB4ZG/0Un8ytATvG1pORXcU=\""},
        {"SECtest123", 1700000000000,
         "\"timestamp\":\"1700000000000\","
         "\"sign\":\"Hd4xFWQU6R6ad4nzy4ETIznzlqebqH7xcTFVmONTudo=\""},
        {"demo", 1599360473,
         "\"timestamp\":\"1599360473\",\"sign\":\"l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=\""},
    };
    for (size_t i = 0; i < COUNT(vectors); i++) {
        bb_request *request = prepare_at(BB_FEISHU, vectors[i].secret, vectors[i].time_s * 1000);
        assert_holds(body_of(request, BB_REAL), vectors[i].members);
        assert_lacks(bb_request_url(request, BB_REAL), "?");
        bb_request_free(request);
    }
}

static void feishu_counts_whole_seconds(void **state) {
    (void)state;
    bb_request *request = prepare_at(BB_FEISHU, "xxx", 1661860880999);
    assert_holds(body_of(request, BB_REAL), "\"timestamp\":\"1661860880\"");
    bb_request_free(request);
}

/* What Feishu's signature adds to the body is part of the limit. */
static void feishu_signs_within_the_limit(void **state) {
    (void)state;
    char *huge = malloc(1 << 20);
    bb_webhook webhook = sample_webhook(BB_FEISHU);
    bb_attempt attempt = sample_attempt();
    bb_request *request = NULL;
    sample s;
    sample_fill(&s, BB_TASK_STATUS_UPDATE);
    assert_non_null(huge);
    memset(huge, '*', (1 << 20) - 1);
    huge[(1 << 20) - 1] = '\0';
    s.event.description = s.issue.description = s.task.detail = s.issue.name = huge;
    s.task.name = s.stage.name = s.project.name = s.creator.name = huge;
    webhook.secret = "demo";
    assert_int_equal(bb_webhook_prepare(NULL, &webhook, &s.event, &attempt, &request, NULL), BB_OK);
    assert_in_range(strlen(body_of(request, BB_REAL)), 10000, 19000);
    bb_request_free(request);
    free(huge);
}

/* ---- Custom: Standard Webhooks in headers */

static const char *sign_body(struct bb_request *request, const char *secret, const char *id,
                             int64_t time_s, const char *body) {
    bb_webhook webhook = sample_webhook(BB_CUSTOM);
    struct bb_signing signing = {.time_ms = time_s * 1000 + 999, .delivery_id = id};
    webhook.secret = secret;
    *request = (struct bb_request){.body = body, .length = strlen(body)};
    bb_arena_init(&request->arena, &bb_mem_default);
    bb_endpoint_of(BB_CUSTOM)->sign(request, &webhook, &signing);
    assert_false(request->arena.failed);
    return header(request, "webhook-signature", BB_REAL);
}

static void custom_signs_as_standard_webhooks_vectors_say(void **state) {
    (void)state;
    static const char event[] =
        "{\"type\":\"issue.created\",\"timestamp\":\"2023-11-14T22:13:20Z\","
        "\"data\":{\"id\":\"iss_1\"}}";
    static const struct {
        const char *secret, *id, *body;
        int64_t time_s;
        const char *signature;
    } vectors[] = {
        {WHSEC, "msg_p5jXN8AQM9LWM0D4loKWxJek", "{\"test\": 2432232314}", 1614265330,
         "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
        {"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "msg_0001", event, 1700000000,
         "v1,gxpur7G/H6aqWVm6FBsUR6OnGGFWr2PMA2Iv/5aZMUU="},
        {"whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=", "msg_0001", event, 1700000000,
         "v1,l82ti+Q+Q8+mTySFMMJGV/R9+zpPaCwv69puMsaeZWk="},
        {WHSK, "msg_p5jXN8AQM9LWM0D4loKWxJek", "{\"test\": 2432232314}", 1614265330,
         "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+"
         "m7TBAg=="},
    };
    for (size_t i = 0; i < 2 * COUNT(vectors); i++) {
        struct bb_request request;
        bool is_bare = i % 2 && strncmp(vectors[i / 2].secret, "whsec_", 6) == 0;
        const char *secret = vectors[i / 2].secret + (is_bare ? strlen("whsec_") : 0);
        const char *made = sign_body(&request, secret, vectors[i / 2].id, vectors[i / 2].time_s,
                                     vectors[i / 2].body);
        assert_string_equal(made, vectors[i / 2].signature);
        assert_string_equal(request.body, vectors[i / 2].body);
        bb_arena_free(&request.arena);
    }
}

/* The signature worked out here, from what the request itself shows. */
static void assert_signature_fits(const bb_request *request, const unsigned char *key, int length) {
    char content[8192], expected[64] = "v1,";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    int n = snprintf(content, sizeof(content), "%s.%s.%s", header(request, "webhook-id", BB_REAL),
                     header(request, "webhook-timestamp", BB_REAL), body_of(request, BB_REAL));
    assert_in_range(n, 100, sizeof(content) - 1);
    assert_non_null(
        HMAC(EVP_sha256(), key, length, (unsigned char *)content, (size_t)n, digest, &size));
    EVP_EncodeBlock((unsigned char *)expected + 3, digest, (int)size);
    assert_string_equal(header(request, "webhook-signature", BB_REAL), expected);
}

static void custom_signs_the_very_bytes_that_are_sent(void **state) {
    (void)state;
    static const unsigned char key[] = {0x31, 0xf2, 0x90, 0xf6, 0xbf, 0x06, 0x29, 0x8a,
                                        0xab, 0x4f, 0x08, 0xd4, 0x3c, 0x3f, 0x08, 0x2c,
                                        0xf6, 0x48, 0xa3, 0x62, 0xda, 0x2d, 0xa4, 0xb0};
    bb_request *request = prepare_at(BB_CUSTOM, WHSEC, 1614265330123);
    assert_string_equal(header(request, "webhook-id", BB_REAL), "msg_sample");
    assert_string_equal(header(request, "webhook-timestamp", BB_REAL), "1614265330");
    assert_signature_fits(request, key, sizeof(key));
    bb_request_free(request);
}

static void custom_retries_with_the_same_id_and_a_new_time(void **state) {
    (void)state;
    bb_webhook webhook = sample_webhook(BB_CUSTOM);
    bb_request *requests[2];
    sample s;
    sample_make(&s, &sample_cases[0]);
    webhook.secret = WHSEC;
    for (int i = 0; i < 2; i++) {
        bb_attempt attempt = BB_ATTEMPT_INIT;
        attempt.time_ms = (SAMPLE_TIME + i * 3600) * 1000;
        assert_int_equal(bb_webhook_prepare(NULL, &webhook, &s.event, &attempt, &requests[i], NULL),
                         BB_OK);
    }
    assert_string_equal(header(requests[0], "webhook-id", BB_REAL),
                        header(requests[1], "webhook-id", BB_REAL));
    assert_string_equal(header(requests[0], "webhook-timestamp", BB_REAL), "1700000000");
    assert_string_equal(header(requests[1], "webhook-timestamp", BB_REAL), "1700003600");
    assert_string_not_equal(header(requests[0], "webhook-signature", BB_REAL),
                            header(requests[1], "webhook-signature", BB_REAL));
    assert_string_equal(body_of(requests[0], BB_REAL), body_of(requests[1], BB_REAL));
    bb_request_free(requests[0]);
    bb_request_free(requests[1]);
}

/* ---- the id of a delivery */

static void delivery_id(const char *event_id, const char *webhook_id, char id[64]) {
    bb_webhook webhook = sample_webhook(BB_CUSTOM);
    bb_request *request = NULL;
    sample s;
    sample_make(&s, &sample_cases[0]);
    s.event.id = event_id;
    webhook.id = webhook_id;
    assert_int_equal(bb_webhook_prepare(NULL, &webhook, &s.event, NULL, &request, NULL), BB_OK);
    snprintf(id, 64, "%s", header(request, "webhook-id", BB_REAL));
    bb_request_free(request);
}

static void a_delivery_id_differs_by_event_and_by_webhook(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"evt-1", "hook-1"}, {"evt-1", "hook-2"}, {"evt-2", "hook-1"}, {"evt-1h", "ook-1"},
        {"a.b", "c"},        {"a", "b.c"},        {"\n\xff", "x y"}};
    char ids[COUNT(pairs)][64], again[64];
    for (size_t i = 0; i < COUNT(pairs); i++) {
        delivery_id(pairs[i][0], pairs[i][1], ids[i]);
        delivery_id(pairs[i][0], pairs[i][1], again);
        assert_string_equal(ids[i], again);
        assert_lacks(ids[i], "."); /* it parts what is signed */
        assert_in_range(strspn(ids[i], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                       "0123456789_-"),
                        8, 63);
        assert_int_equal(strspn(ids[i], "msg_0123456789abcdef"), strlen(ids[i]));
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(ids[i], ids[k]);
    }
}

static void a_delivery_id_counts_every_byte_of_a_long_event_id(void **state) {
    (void)state;
    char event_id[1000], ids[2][64];
    memset(event_id, 'x', sizeof(event_id));
    event_id[sizeof(event_id) - 1] = '\0';
    delivery_id(event_id, "hook-1", ids[0]);
    event_id[sizeof(event_id) - 2] = 'y';
    delivery_id(event_id, "hook-1", ids[1]);
    assert_string_not_equal(ids[0], ids[1]);
}

static void a_delivery_id_that_would_break_the_signature_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"a.b", "a b", "a\r\nX: y", "\"", "ü", "a,b"};
    bb_webhook webhook = sample_webhook(BB_CUSTOM);
    sample s;
    sample_make(&s, &sample_cases[0]);
    for (size_t i = 0; i < COUNT(bad); i++) {
        bb_attempt attempt = BB_ATTEMPT_INIT;
        bb_request *request = NULL;
        attempt.delivery_id = bad[i];
        assert_int_equal(bb_webhook_prepare(NULL, &webhook, &s.event, &attempt, &request, NULL),
                         BB_ERR_ARGUMENT);
        assert_null(request);
    }
}

/* ---- none, and masked */

static void without_a_secret_nothing_is_signed(void **state) {
    (void)state;
    for (bb_type type = BB_SLACK; type <= BB_CUSTOM; type++) {
        for (int i = 0; i < 2; i++) {
            bb_request *request = prepare_at(type, i ? "" : NULL, 1700000000000);
            assert_null(header(request, "webhook-signature", BB_REAL));
            assert_lacks(bb_request_url(request, BB_REAL), "sign=");
            assert_lacks(body_of(request, BB_REAL), "\"sign\"");
            bb_request_free(request);
        }
    }
}

static void signatures_are_masked_in_print(void **state) {
    (void)state;
    bb_request *dingtalk = prepare_at(BB_DINGTALK, "SECtest123", 1700000000000);
    bb_request *feishu = prepare_at(BB_FEISHU, "demo", 1599360473000);
    bb_request *custom = prepare_at(BB_CUSTOM, WHSEC, 1614265330000);
    assert_string_equal(bb_request_url(dingtalk, BB_MASKED), "https://oapi.dingtalk.com/***");
    assert_holds(body_of(feishu, BB_MASKED), "\"timestamp\":\"1599360473\",\"sign\":\"***\"");
    assert_lacks(body_of(feishu, BB_MASKED), "l1N0gAcB");
    assert_string_equal(header(custom, "webhook-signature", BB_MASKED), "***");
    assert_string_equal(header(custom, "webhook-id", BB_MASKED), "msg_sample");
    assert_string_equal(header(custom, "webhook-timestamp", BB_MASKED), "1614265330");
    assert_string_equal(body_of(custom, BB_MASKED), body_of(custom, BB_REAL));
    bb_request_free(dingtalk);
    bb_request_free(feishu);
    bb_request_free(custom);
}

/* But for the signature the masked body is the real one. */
static void a_masked_body_differs_in_nothing_else(void **state) {
    (void)state;
    bb_request *request = prepare_at(BB_FEISHU, "demo", 1599360473000);
    const char *real = body_of(request, BB_REAL), *masked = body_of(request, BB_MASKED);
    size_t before = (size_t)(strstr(masked, "***") - masked);
    assert_memory_equal(real, masked, before);
    assert_string_equal(real + before + strlen("l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8="),
                        masked + before + strlen("***"));
    bb_request_free(request);
}

/* ---- secrets that cannot be right */

/* Read from a file they end with a newline; signed with it, nothing is ever taken. */
static void a_blank_around_a_secret_is_trimmed_or_refused(void **state) {
    (void)state;
    static const struct {
        bb_type type;
        const char *clean, *blank;
    } secrets[] = {
        {BB_DINGTALK, "SECtest123", "SECtest123\n"},
        {BB_DINGTALK, "SECtest123", " SECtest123"},
        {BB_FEISHU, "demo", "demo\r\n"},
        {BB_FEISHU, "demo", "demo "},
        {BB_CUSTOM, WHSEC, WHSEC "\n"},
        {BB_CUSTOM, WHSEC, " " WHSEC},
    };
    sample s;
    sample_make(&s, &sample_cases[0]);
    for (size_t i = 0; i < COUNT(secrets); i++) {
        bb_request *clean = prepare_at(secrets[i].type, secrets[i].clean, 1700000000000);
        bb_webhook webhook = sample_webhook(secrets[i].type);
        bb_attempt attempt = sample_attempt();
        bb_request *request = NULL;
        bb_error error = BB_ERROR_INIT;
        webhook.secret = secrets[i].blank;
        int code = bb_webhook_prepare(NULL, &webhook, &s.event, &attempt, &request, &error);
        if (code == BB_OK) {
            assert_string_equal(bb_request_url(request, BB_REAL), bb_request_url(clean, BB_REAL));
            assert_string_equal(body_of(request, BB_REAL), body_of(clean, BB_REAL));
        } else {
            assert_int_equal(code, BB_ERR_WEBHOOK);
            assert_holds(error.text, "secret");
        }
        bb_request_free(request);
        bb_request_free(clean);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hmac_sha256_is_the_known_one),
        cmocka_unit_test(dingtalk_signs_as_its_vectors_say),
        cmocka_unit_test(dingtalk_drops_a_stale_signature_of_the_pasted_url),
        cmocka_unit_test(dingtalk_keeps_other_parameters),
        cmocka_unit_test(dingtalk_names_the_delivery_in_the_body),
        cmocka_unit_test(feishu_signs_as_its_vectors_say),
        cmocka_unit_test(feishu_counts_whole_seconds),
        cmocka_unit_test(feishu_signs_within_the_limit),
        cmocka_unit_test(custom_signs_as_standard_webhooks_vectors_say),
        cmocka_unit_test(custom_signs_the_very_bytes_that_are_sent),
        cmocka_unit_test(custom_retries_with_the_same_id_and_a_new_time),
        cmocka_unit_test(a_delivery_id_differs_by_event_and_by_webhook),
        cmocka_unit_test(a_delivery_id_counts_every_byte_of_a_long_event_id),
        cmocka_unit_test(a_delivery_id_that_would_break_the_signature_is_refused),
        cmocka_unit_test(without_a_secret_nothing_is_signed),
        cmocka_unit_test(signatures_are_masked_in_print),
        cmocka_unit_test(a_masked_body_differs_in_nothing_else),
        cmocka_unit_test(a_blank_around_a_secret_is_trimmed_or_refused),
    };
    return cmocka_run_group_tests_name("signing", tests, NULL, NULL);
}
