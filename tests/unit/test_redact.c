/* No part of a webhook's URL, secret or signature is left in a text that others wrote. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "endpoint/redact.h"
#include "support/alloc.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *redact(const char *url, const char *secret, const char *text) {
    static char out[4096];
    struct bb_arena arena;
    bb_webhook webhook = BB_WEBHOOK_INIT;
    webhook.url = url;
    webhook.secret = secret;
    struct bb_secrets secrets = {.arena = &arena, .webhook = &webhook};
    bb_arena_init(&arena, &bb_mem_default);
    snprintf(out, sizeof(out), "%s", bb_redact(&secrets, text));
    bb_arena_free(&arena);
    return out;
}

static const struct {
    const char *url, *secret, *text, *redacted;
} cases[] = {
    /* the whole, and its parts */
    {"https://h.example/hook/abcdefghijkl", NULL, "POST /hook/abcdefghijkl failed",
     "POST *** failed"},
    {"https://h.example/hook/abcdefghijkl", NULL, "no abcdefghijkl here", "no *** here"},
    {"https://h.example/hook/abcdefghijkl", NULL, "https://h.example/hook/abcdefghijkl",
     "https://h.example***"},
    {"https://h.example/p?key=0123456789ab&v=1", NULL, "key=0123456789ab&v=1", "***"},
    {"https://h.example/p?key=0123456789ab&v=1", NULL, "0123456789ab!", "***!"},
    {"https://h.example/p?key=0123456789ab&v=1", NULL, "twice 0123456789ab0123456789ab",
     "twice ******"},
    {"https://h.example/p?0123456789ab", NULL, "x 0123456789ab", "x ***"},
    /* words are not secrets */
    {"https://h.example/services/T0/B0/abcdefghijkl?v=1", NULL, "a v1 of T0 is fine, 1 too",
     "a v1 of T0 is fine, 1 too"},
    /* percent-encoded where it is not in the URL, and the reverse, in any case */
    {"https://h.example/p?key=ab%2Bcd%2Fef%3Dgh", NULL, "ab%2Bcd%2Fef%3Dgh", "***"},
    {"https://h.example/p?key=ab%2Bcd%2Fef%3Dgh", NULL, "ab%2bcd%2fef%3dgh", "***"},
    {"https://h.example/p?key=ab%2Bcd%2Fef%3Dgh", NULL, "ab+cd/ef=gh", "***"},
    {"https://h.example/p?key=ab+cd/ef=gh", NULL, "ab%2Bcd%2Fef%3Dgh", "***"},
    {"https://h.example/p?key=ab+cd/ef=gh", NULL, "ab%2Bcd/ef%3Dgh", "***"},
    {"https://h.example/p?key=abcdefgh", NULL, "%61%62%63%64%65%66%67%68", "***"},
    {"https://h.example/hook/abc%20defghi", NULL, "abc defghi", "***"},
    {"https://h.example/p?key=ab%2541cdefgh", NULL, "ab%2541cdefgh", "***"},
    {"https://h.example/p?key=ab%2541cdefgh", NULL, "ab%41cdefgh", "***"},
    {"https://h.example/%00abcdefgh/ij", NULL, "at /%00abcdefgh/ij", "at ***"},
    {"https://h.example/p?key=ab%00cdefgh", NULL, "ab%00cdefgh", "***"},
    /* with JSON's escapes */
    {"https://h.example/a/b/cdefghij", NULL, "\\/a\\/b\\/cdefghij", "***"},
    {"https://h.example/p?key=ab%26cd%3Cef", NULL, "ab\\u0026cd\\u003Cef", "***"},
    {"https://h.example/p?key=ab%26cd%3Cef", NULL, "ab\\u0026cd\\u003cef", "***"},
    {NULL, "se\"cr\\et-12345", "{\"s\":\"se\\\"cr\\\\et-12345\"}", "{\"s\":\"***\"}"},
    {NULL, "se\\\\cret-12345", "bad se\\\\cret-12345", "bad ***"},
    {NULL, "se\\\\cr%25et-12345", "bad se\\\\cr%25et-12345", "bad ***"},
    {NULL, "se\\/cret-12345", "bad se\\/cret-12345", "bad ***"},
    /* what the end of a text cuts off */
    {"https://h.example/hook/abcdefghijkl", NULL, "cut abcdefghij", "cut ***"},
    {"https://h.example/p?key=ab%2Bcdefghijk", NULL, "cut ab%2Bcdefgh%6", "cut ***"},
    {"https://h.example/hook/abcdefghijkl", NULL, "abcdefghij and more", "abcdefghij and more"},
    /* a refused URL that has :// only further on */
    {"https:/h.example/hook/abcdefghijkl?u=https://b", NULL, "no abcdefghijkl here", "no *** here"},
    /* user information, fragments and what is no URL at all */
    {"https://ann:pass@h.example/p", NULL, "ann:pass", "***"},
    {"https://h.example/p#abcdefgh", NULL, "abcdefgh", "***"},
    {"abcdefgh-no-url/0123456789", NULL, "0123456789", "***"},
    /* secrets */
    {NULL, "SECabcdef", "bad SECabcdef.", "bad ***."},
    {NULL, "whsec_MfKQ9r8GKYqrTwj", "whsec_MfKQ9r8GKYqrTwj", "whsec_***"},
    {NULL, "whsec_MfKQ9r8GKYqrTwj", "MfKQ9r8GKYqrTwj", "***"},
    {NULL, "abc", "abc is too short to be one", "abc is too short to be one"},
    {NULL, NULL, "nothing", "nothing"},
    {"", "", "nothing", "nothing"},
    {"https://h.example/hook/abcdefghijkl", "SECabcdef", "", ""},
};

static void secrets_are_masked_however_they_are_spelled(void **state) {
    (void)state;
    size_t wrong = 0;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *redacted = redact(cases[i].url, cases[i].secret, cases[i].text);
        if (strcmp(redacted, cases[i].redacted) != 0) {
            print_error("%s became %s, wanted %s\n", cases[i].text, redacted, cases[i].redacted);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

/* Of two secrets of which one begins the other, the longer goes. */
static void the_longest_secret_is_taken_out_whole(void **state) {
    (void)state;
    const char *url = "https://h.example/p?a=abcdefgh&b=abcdefghijkl";
    assert_string_equal(redact(url, NULL, "abcdefghijkl"), "***");
    assert_string_equal(redact(url, NULL, "abcdefgh "), "*** ");
    assert_string_equal(redact(url, NULL, "xabcdefghijklx"), "x***x");
}

static void signatures_that_were_sent_are_masked(void **state) {
    (void)state;
    struct bb_arena arena;
    bb_arena_init(&arena, &bb_mem_default);
    bb_webhook webhook = BB_WEBHOOK_INIT;
    webhook.url = "https://h.example/robot?access_token=abcdefgh";
    struct bb_request request = {
        .url = {.text = "https://h.example/robot?access_token=abcdefgh&sign=r4CW%2FDz%2BNg0%3D"},
        .headers = {{"webhook-id", "msg_0123456789", false},
                    {"webhook-signature", "v1,g0hM9SsE+OTP", true}},
        .header_count = 2,
        .body = "{\"sign\":\"QnWVTSBe6Fm=\",\"a\":1}",
        .length = 29,
    };
    request.secret = request.body + 9;
    request.secret_length = 12;
    struct bb_secrets secrets = {.arena = &arena, .webhook = &webhook, .request = &request};
    assert_string_equal(
        bb_redact(&secrets, "r4CW/Dz+Ng0= g0hM9SsE+OTP QnWVTSBe6Fm= msg_0123456789 abcdefgh"),
        "*** *** *** msg_0123456789 ***");
    bb_arena_free(&arena);
}

enum { SPELLINGS = 6 };

/* One byte in one of its spellings; returns how long it is. */
static int spell(char *out, char c, unsigned spelling) {
    unsigned byte = (unsigned char)c;
    switch (spelling) {
    case 0:
        return sprintf(out, "%%%02X", byte);
    case 1:
        return sprintf(out, "%%%02x", byte);
    case 2:
        return sprintf(out, "\\u%04x", byte);
    case 3:
        return sprintf(out, "\\u%04X", byte);
    case 4:
        return sprintf(out, c == '/' ? "\\%c" : "%c", c);
    default:
        return sprintf(out, "%c", c);
    }
}

/* A token of every character that a URL has, under any mixture of spellings, at any place. */
static void no_mixture_of_spellings_gets_through(void **state) {
    (void)state;
    static const char token[] = "aZ09-._~+/=!*'(),;:@";
    char url[128], text[512], expected[64];
    uint32_t seed = 12345;
    snprintf(url, sizeof(url), "https://h.example/p?key=%s", token);
    for (int round = 0; round < 2000; round++) {
        char *to = text + sprintf(text, "%.*s", round % 7, "before ");
        for (const char *c = token; *c; c++) {
            seed = seed * 1103515245u + 12345u;
            to += spell(to, *c, (seed >> 16) % SPELLINGS);
        }
        strcpy(to, " after");
        snprintf(expected, sizeof(expected), "%.*s*** after", round % 7, "before ");
        assert_string_equal(redact(url, NULL, text), expected);
    }
}

static void without_memory_nothing_is_quoted(void **state) {
    (void)state;
    bb_webhook webhook = BB_WEBHOOK_INIT;
    webhook.url = "https://h.example/hook/abcdefghijkl?key=0123456789ab";
    webhook.secret = "SECabcdef";
    for (size_t nth = 1;; nth++) {
        struct bb_arena arena;
        struct bb_secrets secrets = {.arena = &arena, .webhook = &webhook};
        bb_arena_init(&arena, alloc_library());
        alloc_begin(nth, 0);
        const char *redacted = bb_redact(&secrets, "abcdefghijkl SECabcdef 0123456789ab");
        alloc_end();
        if (redacted)
            assert_string_equal(redacted, "*** *** ***");
        bool is_done = !alloc_has_failed();
        bb_arena_free(&arena);
        if (is_done)
            break;
        assert_null(redacted);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_masked_however_they_are_spelled),
        cmocka_unit_test(the_longest_secret_is_taken_out_whole),
        cmocka_unit_test(signatures_that_were_sent_are_masked),
        cmocka_unit_test(no_mixture_of_spellings_gets_through),
        cmocka_unit_test(without_memory_nothing_is_quoted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
