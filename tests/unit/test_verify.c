/* A receiver believes what is signed with one of its secrets, now, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bb_webhook_verify.h"
#include "endpoint/endpoint.h"
#include "support/samples.h"
#include "support/vectors.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define OTHER "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define TIME_S INT64_C(1614265330)

static const char *secrets[3];

/* A request that is as it should be, with the secret alone. */
static bb_received request_for(const char *secret) {
    static const char body[] = "{\"test\": 2432232314}";
    bb_received r = BB_RECEIVED_INIT;
    secrets[0] = secret;
    r.id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    r.timestamp = "1614265330";
    r.signature = V1;
    r.body = body;
    r.body_length = strlen(body);
    r.secrets = secrets;
    r.secret_count = 1;
    r.now_ms = TIME_S * 1000;
    return r;
}

/* An error has its code, a sentence, and no secret in it. */
static void assert_refused(const bb_received *r, int code, const char *part) {
    bb_error error = BB_ERROR_INIT;
    int got = bb_webhook_verify(r, &error);
    if (got != code || error.code != code)
        fail_msg("%s: %s instead of %s", bb_code_name(got), error.text, bb_code_name(code));
    if (!strstr(error.text, part))
        fail_msg("'%s' does not name '%s'", error.text, part);
    for (size_t i = 0; r->secrets && i < r->secret_count; i++)
        if (r->secrets[i] && strlen(r->secrets[i]) > 6 && strstr(error.text, r->secrets[i] + 6))
            fail_msg("'%s' tells a secret", error.text);
    assert_int_equal(bb_webhook_verify(r, NULL), code);
}

static void assert_accepted(const bb_received *r) {
    bb_error error = BB_ERROR_INIT;
    if (bb_webhook_verify(r, &error) != BB_OK)
        fail_msg("%s with %s", error.text, r->secrets[0]);
}

/* ---- what is signed */

static void the_vectors_are_accepted(void **state) {
    (void)state;
    static const struct {
        const char *secret, *signature;
    } vectors[] = {{WHSEC, V1}, {WHSEC + 6, V1}, {WHPK, V1A}, {WHSK, V1A}};
    for (size_t i = 0; i < COUNT(vectors); i++) {
        bb_received r = request_for(vectors[i].secret);
        r.signature = vectors[i].signature;
        assert_accepted(&r);
    }
}

static void one_of_several_signatures_and_secrets_is_enough(void **state) {
    (void)state;
    static const char wrong[] = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    static const char *const headers[] = {V1,           V1A,
                                          V1 " " V1A,   V1A " " V1,
                                          "v2,new " V1, "v1,short " V1,
                                          "v1, " V1A,   " " V1 "  " V1A " "};
    char among[400];
    for (size_t i = 0; i < COUNT(headers); i++) {
        bb_received r = request_for(OTHER);
        snprintf(among, sizeof among, "%s %s", wrong, headers[i]);
        r.signature = i % 2 ? among : headers[i];
        r.secret_count = 3;
        secrets[1] = WHPK;
        secrets[2] = WHSEC;
        assert_accepted(&r);
        secrets[1] = NULL; /* as of an environment variable that is not set */
        secrets[2] = "";
        assert_refused(&r, BB_ERR_SIGNATURE, "signature");
    }
}

/* Every bit of what is signed and of both signatures counts. */
static void any_change_is_found(void **state) {
    (void)state;
    static const struct { const char *secret, *signature; } pairs[] = {{WHSEC, V1}, {WHPK, V1A}};
    for (size_t p = 0; p < COUNT(pairs); p++) {
        bb_received r = request_for(pairs[p].secret);
        char body[64], id[64];
        memcpy(body, r.body, r.body_length);
        snprintf(id, sizeof id, "%s", r.id);
        r.signature = pairs[p].signature;
        r.body = body;
        r.id = id;
        for (size_t bit = 0; bit < 8 * r.body_length; bit++) {
            body[bit / 8] = (char)(body[bit / 8] ^ 1 << bit % 8);
            assert_refused(&r, BB_ERR_SIGNATURE, "signature");
            body[bit / 8] = (char)(body[bit / 8] ^ 1 << bit % 8);
        }
        assert_accepted(&r);
        r.body_length--;
        assert_refused(&r, BB_ERR_SIGNATURE, "signature");
        r.body_length++;
        r.timestamp = "1614265331";
        assert_refused(&r, BB_ERR_SIGNATURE, "signature");
        r.timestamp = "01614265330"; /* the text is signed, not the number */
        assert_refused(&r, BB_ERR_SIGNATURE, "signature");
        r.timestamp = "1614265330";
        id[5] ^= 1;
        assert_refused(&r, BB_ERR_SIGNATURE, "signature");
    }
}

static void a_changed_signature_is_no_signature(void **state) {
    (void)state;
    static const struct { const char *secret, *signature; } pairs[] = {{WHSEC, V1}, {WHPK, V1A}};
    for (size_t p = 0; p < COUNT(pairs); p++) {
        bb_received r = request_for(pairs[p].secret);
        char changed[128];
        size_t n = strlen(pairs[p].signature);
        snprintf(changed, sizeof changed, "%s", pairs[p].signature);
        r.signature = changed;
        for (size_t i = strcspn(changed, ",") + 1; changed[i] != '='; i++) {
            char was = changed[i];
            changed[i] = was == 'A' ? 'Q' : 'A'; /* Q: the first bits, which no decoder drops */
            assert_refused(&r, BB_ERR_SIGNATURE, "signature");
            changed[i] = was;
        }
        assert_accepted(&r);
        changed[n - 8] = '\0';
        assert_refused(&r, BB_ERR_SIGNATURE, "signature");
    }
}

/* A v1 signature is nothing to an Ed25519 key, and the reverse. */
static void versions_are_not_mixed_up(void **state) {
    (void)state;
    bb_received r = request_for(WHPK);
    assert_refused(&r, BB_ERR_SIGNATURE, "signature");
    r = request_for(WHSEC);
    r.signature = V1A;
    assert_refused(&r, BB_ERR_SIGNATURE, "signature");
}

static void an_empty_body_can_be_signed(void **state) {
    (void)state;
    bb_received r = request_for(WHSEC);
    r.body = NULL;
    r.body_length = 0;
    assert_refused(&r, BB_ERR_SIGNATURE, "signature");
    r.signature = "v1,v48jdbgvh29KJz2Qc+ghw8G6vG3nAKnujWBg8oM/62A=";
    assert_accepted(&r);
}

/* ---- when */

static void the_time_may_be_off_by_the_tolerance_and_no_more(void **state) {
    (void)state;
    static const struct {
        uint32_t tolerance_s;
        int64_t off_s;
        int code;
    } cases[] = {{0, 0, BB_OK},          {0, 300, BB_OK},           {0, 301, BB_ERR_TOO_OLD},
                 {0, -300, BB_OK},       {0, -301, BB_ERR_TOO_NEW}, {1, 1, BB_OK},
                 {1, 2, BB_ERR_TOO_OLD}, {1, -2, BB_ERR_TOO_NEW},   {UINT32_MAX, 5000, BB_OK}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        bb_received r = request_for(WHSEC);
        r.tolerance_s = cases[i].tolerance_s;
        r.now_ms = (TIME_S + cases[i].off_s) * 1000;
        if (cases[i].code)
            assert_refused(&r, cases[i].code, "time");
        else
            assert_accepted(&r);
    }
}

/* ---- headers */

static void a_header_that_is_missing_is_named(void **state) {
    (void)state;
    static const char *const names[] = {"webhook-id", "webhook-timestamp", "webhook-signature"};
    for (size_t i = 0; i < 2 * COUNT(names); i++) {
        bb_received r = request_for(WHSEC);
        const char **headers[] = {&r.id, &r.timestamp, &r.signature};
        *headers[i / 2] = i % 2 ? "" : NULL;
        assert_refused(&r, BB_ERR_MISSING, names[i / 2]);
    }
}

static void a_header_that_cannot_be_read_is_named(void **state) {
    (void)state;
    static const char *const times[] = {
        "now",         "-1",           "+1614265330", "1614265330 ",
        " 1614265330", "1614265330.5", "0x10",        "1614265330000000000000"};
    static const char *const signatures[] = {"g0hM", "v1", "v2,AAAA", "v1a", " ", "V1,AAAA"};
    char many[800] = V1;
    bb_received r;
    for (size_t i = 0; i < COUNT(times); i++) {
        r = request_for(WHSEC);
        r.timestamp = times[i];
        assert_refused(&r, BB_ERR_MALFORMED, "webhook-timestamp");
    }
    for (size_t i = 0; i < COUNT(signatures); i++) {
        r = request_for(WHSEC);
        r.signature = signatures[i];
        assert_refused(&r, BB_ERR_MALFORMED, "webhook-signature");
    }
    r = request_for(WHSEC);
    r.signature = many;
    for (int i = 1; i < 16; i++)
        strcat(many, " v1,AAAA");
    assert_accepted(&r);
    strcat(many, " v1,AAAA");
    assert_refused(&r, BB_ERR_MALFORMED, "webhook-signature");
    r = request_for(WHSEC);
    r.id = "msg.1";
    assert_refused(&r, BB_ERR_MALFORMED, "webhook-id");
}

/* "id.time.body" reads as another request when the points are counted elsewhere. */
static void a_request_cannot_be_read_as_another(void **state) {
    (void)state;
    bb_received r = request_for(WHSEC);
    r.id = "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330";
    r.timestamp = "1614265330";
    r.body = "x";
    r.body_length = 1;
    assert_refused(&r, BB_ERR_MALFORMED, "webhook-id");
}

/* ---- the receiver's own mistakes */

static void a_receiver_without_a_sound_secret_believes_nobody(void **state) {
    (void)state;
    static const char *const unsound[] = {"whsec_",
                                          "whsec_AAAA",
                                          "whsk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=",
                                          "whpk_AAAA",
                                          "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n",
                                          "whpk_"};
    bb_received r;
    for (size_t i = 0; i < COUNT(unsound); i++) {
        r = request_for(WHSEC);
        r.secret_count = 2;
        secrets[1] = unsound[i]; /* though the first one fits */
        assert_refused(&r, BB_ERR_ARGUMENT, "secrets[1]");
    }
    r = request_for(NULL);
    assert_refused(&r, BB_ERR_ARGUMENT, "secrets");
    r = request_for("");
    assert_refused(&r, BB_ERR_ARGUMENT, "secrets");
    r = request_for(WHSEC);
    r.secret_count = 0;
    assert_refused(&r, BB_ERR_ARGUMENT, "secrets");
    r.secrets = NULL;
    r.secret_count = 1;
    assert_refused(&r, BB_ERR_ARGUMENT, "secrets");
    r = request_for(WHSEC);
    r.now_ms = 0;
    assert_refused(&r, BB_ERR_ARGUMENT, "now_ms");
    r = request_for(WHSEC);
    r.body = NULL;
    assert_refused(&r, BB_ERR_ARGUMENT, "body");
    r = request_for(WHSEC);
    r.struct_size = 0;
    assert_refused(&r, BB_ERR_STRUCT, "received");
    assert_int_equal(bb_webhook_verify(NULL, NULL), BB_ERR_ARGUMENT);
}

/* ---- both ends together */

/* One blank between them and none at the end: the Python library reads nothing else. */
static void both_signatures_are_sent_while_a_secret_is_replaced(void **state) {
    (void)state;
    static const char *const pairs[][3] = {
        {WHSK, WHSEC, V1A " " V1}, {WHSEC, WHSK, V1 " " V1A}, {WHSEC, NULL, V1}, {WHSK, "", V1A}};
    bb_received vector = request_for(WHSEC);
    for (size_t i = 0; i < COUNT(pairs); i++) {
        bb_webhook webhook = sample_webhook(BB_CUSTOM);
        struct bb_signing signing = {.time_ms = TIME_S * 1000 + 999, .delivery_id = vector.id};
        struct bb_request request = {.body = vector.body, .length = vector.body_length};
        webhook.secret = pairs[i][0];
        webhook.previous_secret = pairs[i][1];
        bb_arena_init(&request.arena, &bb_mem_default);
        bb_endpoint_of(BB_CUSTOM)->sign(&request, &webhook, &signing);
        assert_int_equal(request.header_count, 3);
        assert_string_equal(request.headers[2].name, "webhook-signature");
        assert_string_equal(request.headers[2].value, pairs[i][2]);
        bb_arena_free(&request.arena);
    }
}

static void what_the_library_sends_is_accepted(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {WHSEC, NULL}, {WHSK, NULL}, {WHSEC, OTHER}, {WHSK, WHSEC}, {OTHER, WHSK}};
    for (size_t i = 0; i < COUNT(pairs); i++) {
        bb_webhook webhook = sample_webhook(BB_CUSTOM);
        bb_request *request = NULL;
        sample s;
        sample_make(&s, &sample_cases[0]);
        webhook.secret = pairs[i][0];
        webhook.previous_secret = pairs[i][1];
        assert_int_equal(bb_webhook_prepare(NULL, &webhook, &s.event, NULL, &request, NULL), BB_OK);
        bb_received r = request_for(pairs[i][0]);
        for (size_t h = 0; h < bb_request_header_count(request); h++) {
            const char *name = bb_request_header_name(request, h);
            const char *value = bb_request_header_value(request, h, BB_REAL);
            r.id = strcmp(name, "webhook-id") == 0 ? value : r.id;
            r.timestamp = strcmp(name, "webhook-timestamp") == 0 ? value : r.timestamp;
            r.signature = strcmp(name, "webhook-signature") == 0 ? value : r.signature;
        }
        r.body = bb_request_body(request, BB_REAL, &r.body_length);
        r.now_ms = (int64_t)strtoll(r.timestamp, NULL, 10) * 1000;
        assert_accepted(&r);
        if (pairs[i][1]) {
            secrets[0] = pairs[i][1];
            assert_accepted(&r);
        }
        bb_request_free(request);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_are_accepted),
        cmocka_unit_test(one_of_several_signatures_and_secrets_is_enough),
        cmocka_unit_test(any_change_is_found),
        cmocka_unit_test(a_changed_signature_is_no_signature),
        cmocka_unit_test(versions_are_not_mixed_up),
        cmocka_unit_test(an_empty_body_can_be_signed),
        cmocka_unit_test(the_time_may_be_off_by_the_tolerance_and_no_more),
        cmocka_unit_test(a_header_that_is_missing_is_named),
        cmocka_unit_test(a_header_that_cannot_be_read_is_named),
        cmocka_unit_test(a_request_cannot_be_read_as_another),
        cmocka_unit_test(a_receiver_without_a_sound_secret_believes_nobody),
        cmocka_unit_test(both_signatures_are_sent_while_a_secret_is_replaced),
        cmocka_unit_test(what_the_library_sends_is_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
