/* URLs: what is refused and why, parts as they were written, queries, dates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <curl/curl.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/url.h"
#include "bb_webhook.h"
#include "support/alloc.h"
#include "support/arena.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ------------------------------------------------------------------ parsing -- */

static const struct {
    const char *text, *whole, *host, *port, *path, *query;
} good[] = {
    {"https://hooks.slack.com/services/T/B/x", "https://hooks.slack.com/services/T/B/x",
     "hooks.slack.com", "", "/services/T/B/x", ""},
    {"HTTPS://Hooks.Slack.COM/Services/T", "https://hooks.slack.com/Services/T", "hooks.slack.com",
     "", "/Services/T", ""},
    {"https://h.example:443/p", "https://h.example:443/p", "h.example", "443", "/p", ""},
    {"https://h.example:8443/p?a=b&c=d", "https://h.example:8443/p?a=b&c=d", "h.example", "8443",
     "/p", "a=b&c=d"},
    {"https://h.example", "https://h.example/", "h.example", "", "/", ""},
    {"https://h.example?x=1", "https://h.example/?x=1", "h.example", "", "/", "x=1"},
    {"http://h.example/p", "http://h.example/p", "h.example", "", "/p", ""},
    {"https://h.example/a%2fb/%7e%41?k=a%2Bb%3d", "https://h.example/a%2fb/%7e%41?k=a%2Bb%3d",
     "h.example", "", "/a%2fb/%7e%41", "k=a%2Bb%3d"},
    {"https://h.example/a/../b/./c//d", "https://h.example/a/../b/./c//d", "h.example", "",
     "/a/../b/./c//d", ""},
    {"https://h.example/p?a=https://b/?c", "https://h.example/p?a=https://b/?c", "h.example", "",
     "/p", "a=https://b/?c"},
    {"https://[2606:4700::1]/p", "https://[2606:4700::1]/p", "[2606:4700::1]", "", "/p", ""},
    {"https://[2606:4700::1]:8443/p:q", "https://[2606:4700::1]:8443/p:q", "[2606:4700::1]", "8443",
     "/p:q", ""},
    {"https://h.example/a:1/b?c/d:e?f", "https://h.example/a:1/b?c/d:e?f", "h.example", "",
     "/a:1/b", "c/d:e?f"},
    {"https://127.1/p", "https://127.0.0.1/p", "127.0.0.1", "", "/p", ""},
    {"https://0x7f000001/p", "https://127.0.0.1/p", "127.0.0.1", "", "/p", ""},
    {"https://2130706433/p", "https://127.0.0.1/p", "127.0.0.1", "", "/p", ""},
    {"https://0177.0.0.1/p", "https://127.0.0.1/p", "127.0.0.1", "", "/p", ""},
    {"https://127.0.0.1./p", "https://127.0.0.1./p", "127.0.0.1.", "", "/p", ""},
};

static void parts_are_what_was_written(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        struct bb_url url;
        const char *why = NULL;
        if (bb_url_parse(&arena, good[i].text, &url, &why) != BB_OK)
            fail_msg("%s %s", good[i].text, why);
        assert_string_equal(url.text, good[i].whole);
        assert_string_equal(url.host, good[i].host);
        assert_string_equal(url.port, good[i].port);
        assert_string_equal(url.path, good[i].path);
        assert_string_equal(url.query, good[i].query);
        assert_memory_equal(url.scheme, url.text, strlen(url.scheme));
    }
}

static void a_whole_url_has_the_same_parts_again(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        struct bb_url url;
        assert_true(bb_url_split(&arena, good[i].whole, &url));
        assert_ptr_equal(url.text, good[i].whole);
        assert_string_equal(url.scheme, strncmp(url.text, "https", 5) == 0 ? "https" : "http");
        assert_string_equal(url.host, good[i].host);
        assert_string_equal(url.port, good[i].port);
        assert_string_equal(url.path, good[i].path);
        assert_string_equal(url.query, good[i].query);
        assert_int_equal(bb_url_join(&arena, &url), BB_OK);
        assert_string_equal(url.text, good[i].whole);
    }
}

static const struct {
    const char *text, *why;
} bad[] = {
    {NULL, "is empty"},
    {"", "is empty"},
    {" ", "blank"},
    {"not-a-url", "does not begin with https://"},
    {"h.example/p", "does not begin with https://"},
    {"h.example/p?a=https://b", ""},
    {"/p", "does not begin with https://"},
    {"ftp://h.example/p", "neither https nor http"},
    {"file:///etc/passwd", "neither https nor http"},
    {"javascript://h.example/%0aalert(1)", ""},
    {"gopher://h.example/", "neither https nor http"},
    {"https:h.example", "does not begin with https://"},
    {"https:/h.example/p", "does not begin with https://"},
    {"https:/h.example/p?a=https://b", "does not begin with https://"},
    {"https:///h.example/p", "has no host"},
    {"http:///h.example/p", "has no host"},
    {"https://", ""},
    {"https://:443/p", ""},
    {"https://h.example:0x50/p", ""},
    {"https://h.example:65536/p", ""},
    {"https://h.example:-1/p", ""},
    {" https://h.example/p", "begins or ends with a blank"},
    {"https://h.example/p\n", "begins or ends with a blank"},
    {"https://h.example/p\r\n", "blank"},
    {"https://h.example/a b", "has a blank in it"},
    {"https://h.example/a\tb", "has a blank in it"},
    {"https://h.example/a\x01", "control character"},
    {"https://h.example/a\x7F", "control character"},
    {"https://h.example/\xE4\xB8\x96", "not ASCII"},
    {"https://h.example\\@evil.example/", "backslash"},
    {"https:\\\\h.example/", "backslash"},
    {"https://ann@h.example/p", "user name"},
    {"https://ann:secret@h.example/p", "user name"},
    {"https://:secret@h.example/p", ""},
    {"https://hooks.slack.com@evil.example/", "user name"},
    {"https://h.example/p#part", "fragment"},
    {"https://h.example/p#", "fragment"},
    {"https://evil.example#hooks.slack.com/services/", "fragment"},
    {"https://[fe80::1%25eth0]/p", "zone id"},
    {"https://%31%32%37.0.0.1/p", "percent sign in its host"},
    /* to libcurl's list of addresses a sign in front is a command about the name behind it */
    {"https://-hooks.slack.com/p", "neither a name nor an address"},
    {"https://-:8443/p", "neither a name nor an address"},
    {"https://+hooks.slack.com/p", ""},
    {"https://*/p", ""},
    {"https://*.slack.com/p", ""},
    {"https://a|b/p", "neither a name nor an address"},
    {"https://a~b/p", "neither a name nor an address"},
    {"https://[::1/p", ""},
    {"https://[::g]/p", ""},
    /* in the host it may be an internationalised one, elsewhere it is none */
    {"https://b\xC3\xBC"
     "cher.example/\xC3\xBC",
     "not ASCII"},
    {"https://b\xC3\xBC"
     "cher.example/?\xC3\xBC",
     "not ASCII"},
    {"https://b\xC3\xBC"
     "cher.example?\xC3\xBC",
     "not ASCII"},
    {"\xC3\xBC://h.example/", "not ASCII"},
    {"b\xC3\xBC"
     "cher.example",
     "not ASCII"},
    {"https://\xC3\xBC@h.example/", "user name"},
    {"https://b\xC3\xBC"
     "cher.example\\@evil.example/",
     "backslash"},
    {"https://b\xC3\xBC"
     "cher.example:443:1/",
     ""},
};

/* What they look like, and become, is not what is reached. */
static const char *const disguised[] = {
    "https://\xFF\xFE.example/",                           /* not UTF-8 */
    "https://\xC3\xBC\xC3.example/",                       /* nor this */
    "https://\xEF\xBC\x91\xEF\xBC\x92\xEF\xBC\x97.0.0.1/", /* full width 127.0.0.1 */
    "https://\xEF\xBC\x92\xEF\xBC\x91"
    "30706433/", /* as one number */
    "https://169\xE3\x80\x82"
    "254.169.254/", /* an ideographic full stop */
    "https://l\xE2\x93\x9E"
    "calhost/",                                    /* a circled o */
    "https://\xF0\x9D\x93\x81ocalhost/",           /* a script l */
    "https://hooks\xE2\x80\x8B.slack.com/",        /* a blank without width */
    "https://evil.example\xEF\xBC\x8F.slack.com/", /* a full width slash */
    "https://b\xC3\xBC"
    "cher.example\xEF\xBC\x8F.slack.com/", /* with a name that is good */
    "https://b\xC3\xBC"
    "cher\xE2\x84\x80.slack.com/", /* a/c in one character */
    "https://b\xC3\xBC"
    "cher\xEF\xBC\xA0slack.com/", /* a full width @ */
    "https://b\xC3\xBC"
    "cher\xEF\xBC\x9A"
    "8443/", /* a full width colon */
    "https://b\xC3\xBC"
    "cher.example\xEF\xBC\x9F.slack.com/", /* a full width ? */
    "https://b\xC3\xBC"
    "cher\xEF\xBC\x85"
    "00.slack.com/",                      /* a full width % */
    "https://b\xC3\xBC\xC2\xA0.example/", /* a no-break space */
};

static void a_disguised_host_is_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(disguised); i++) {
        struct bb_url url;
        const char *why = NULL;
        if (bb_url_parse(&arena, disguised[i], &url, &why) != BB_ERR_URL)
            fail_msg("accepted: %s as %s", disguised[i], url.text);
        assert_non_null(why);
    }
}

static const struct {
    const char *text, *whole, *host;
} international[] = {
    {"https://b\xC3\xBC"
     "cher.example/p",
     "https://xn--bcher-kva.example/p", "xn--bcher-kva.example"},
    {"https://B\xC3\x9C"
     "CHER.Example:8443/p?q=%2F",
     "https://xn--bcher-kva.example:8443/p?q=%2F", "xn--bcher-kva.example"},
    {"https://xn--bcher-kva.example/p", "https://xn--bcher-kva.example/p", "xn--bcher-kva.example"},
    {"https://b\xC3\xBC"
     "cher.example?q",
     "https://xn--bcher-kva.example/?q", "xn--bcher-kva.example"},
    {"https://hooks.\xE4\xBE\x8B\xE3\x81\x88\xE3\x80\x82\xE3\x83\x86\xE3\x82\xB9\xE3\x83\x88/p",
     "https://hooks.xn--r8jz45g.xn--zckzah/p", "hooks.xn--r8jz45g.xn--zckzah"},
    {"https://\xD1\x81lack.com/", "https://xn--lack-k6d.com/", "xn--lack-k6d.com"}, /* Cyrillic */
};

static bool has_idn(void) {
    return curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_IDN;
}

/* In whatever locale the program is: in these tests it is C. */
static void an_internationalised_host_is_given_in_ascii(void **state) {
    (void)state;
    locale_t before = uselocale((locale_t)0);
    for (size_t i = 0; i < COUNT(international); i++) {
        struct bb_url url;
        const char *why = NULL;
        int code = bb_url_parse(&arena, international[i].text, &url, &why);
        if (!has_idn() && code == BB_ERR_URL) {
            assert_non_null(strstr(why, "xn--"));
            continue;
        }
        if (code != BB_OK)
            fail_msg("%s %s", international[i].text, why);
        assert_string_equal(url.text, international[i].whole);
        assert_string_equal(url.host, international[i].host);
    }
    assert_true(uselocale((locale_t)0) == before);
}

static void a_refusal_says_why(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct bb_url url;
        const char *why = NULL;
        if (bb_url_parse(&arena, bad[i].text, &url, &why) != BB_ERR_URL)
            fail_msg("accepted: %s", bad[i].text);
        assert_non_null(why);
        if (!strstr(why, bad[i].why))
            fail_msg("%s: %s", bad[i].text, why);
    }
}

static void a_url_has_at_most_4096_bytes(void **state) {
    (void)state;
    static const char begin[] = "https://h.example/";
    char text[4098];
    struct bb_url url;
    const char *why = NULL;
    memset(text, 'a', sizeof(text));
    memcpy(text, begin, sizeof(begin) - 1);
    text[4097] = '\0';
    assert_int_equal(bb_url_parse(&arena, text, &url, &why), BB_ERR_URL);
    assert_string_equal(why, "is longer than 4,096 bytes");
    text[4096] = '\0';
    assert_int_equal(bb_url_parse(&arena, text, &url, &why), BB_OK);
    assert_string_equal(url.text, text);
}

static void no_byte_that_is_no_url_character_is_let_in(void **state) {
    (void)state;
    for (int c = 1; c < 256; c++) {
        char text[64];
        struct bb_url url;
        const char *why = NULL;
        snprintf(text, sizeof(text), "https://h.example/a%cb", c);
        int code = bb_url_parse(&arena, text, &url, &why);
        if (c <= ' ' || c >= 0x7F || c == '\\' || c == '#')
            assert_int_equal(code, BB_ERR_URL);
        else
            assert_int_equal(code, BB_OK);
    }
}

/* ------------------------------------------------------------------ queries -- */

static void a_parameter_is_taken_out_whole(void **state) {
    (void)state;
    static const char *const names[] = {"sign", "timestamp", NULL};
    static const struct {
        const char *query, *rest;
    } cases[] = {
        {"", ""},
        {"a=1", "a=1"},
        {"sign=x", ""},
        {"sign", ""},
        {"sign=", ""},
        {"sign=x&a=1", "a=1"},
        {"a=1&sign=x", "a=1"},
        {"a=1&sign=x&b=2&timestamp=3&c=4", "a=1&b=2&c=4"},
        {"sign=x&timestamp=3&sign=y", ""},
        {"signature=1&asign=2&sig=3", "signature=1&asign=2&sig=3"},
        {"a=sign=x", "a=sign=x"},
        {"Sign=1", "Sign=1"},
        {"a=1&", "a=1&"},
        {"&a=1", "&a=1"},
        {"a=1&&b=2&&sign=x", "a=1&&b=2&"},
        {"sign=x&", ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_string_equal(bb_url_query_without(&arena, cases[i].query, names), cases[i].rest);
}

static void a_parameter_counts_only_with_a_value(void **state) {
    (void)state;
    assert_true(bb_url_query_has("key=1", "key"));
    assert_true(bb_url_query_has("a=b&key=1&c", "key"));
    assert_true(bb_url_query_has("key=&key=1", "key"));
    assert_false(bb_url_query_has("key=", "key"));
    assert_false(bb_url_query_has("key", "key"));
    assert_false(bb_url_query_has("", "key"));
    assert_false(bb_url_query_has("monkey=1&keys=1", "key"));
    assert_false(bb_url_query_has("a=key=1", "key"));
}

static void all_but_unreserved_bytes_are_encoded(void **state) {
    (void)state;
    static const char unreserved[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (int c = 1; c < 256; c++) {
        char text[] = {(char)c, '\0'}, expected[8];
        snprintf(expected, sizeof(expected), strchr(unreserved, c) ? "%c" : "%%%02X", c);
        assert_string_equal(bb_url_encode(&arena, text), expected);
    }
    assert_string_equal(bb_url_encode(&arena, ""), "");
    assert_string_equal(bb_url_encode(&arena, "r4CWp/Dz+Ng0="), "r4CWp%2FDz%2BNg0%3D");
}

static void parts_are_put_together_again(void **state) {
    (void)state;
    struct bb_url url;
    const char *why = NULL;
    assert_int_equal(bb_url_parse(&arena, "https://h.example:1/p?q", &url, &why), BB_OK);
    url.query = "";
    assert_int_equal(bb_url_join(&arena, &url), BB_OK);
    assert_string_equal(url.text, "https://h.example:1/p");
    url.path = "/other";
    url.query = "a=b";
    url.port = "";
    assert_int_equal(bb_url_join(&arena, &url), BB_OK);
    assert_string_equal(url.text, "https://h.example/other?a=b");
}

/* -------------------------------------------------------------------- dates -- */

static void dates_are_read_in_all_three_forms(void **state) {
    (void)state;
    assert_int_equal(bb_url_date("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
    assert_int_equal(bb_url_date("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777);
    assert_int_equal(bb_url_date("Sun Nov  6 08:49:37 1994"), 784111777);
    assert_int_equal(bb_url_date("Fri, 02 Jan 2026 03:04:05 GMT"), 1767323045);
    assert_int_equal(bb_url_date("Tue, 19 Jan 2038 03:14:08 GMT"), 2147483648);
    assert_int_equal(bb_url_date("soon"), -1);
    assert_int_equal(bb_url_date(""), -1);
    assert_int_equal(bb_url_date("Sun, 99 Nov 1994 08:49:37 GMT"), -1);
}

/* ------------------------------------------------------------------- memory -- */

static void parse_short_of_memory(void *user) {
    struct bb_arena scratch;
    struct bb_url url;
    const char *why = NULL;
    bb_arena_init(&scratch, alloc_library());
    int code = bb_url_parse(&scratch, user, &url, &why);
    alloc_end();
    if (code == BB_OK)
        assert_string_equal(url.text, user);
    else
        assert_int_equal(code, BB_ERR_NO_MEMORY);
    bb_arena_free(&scratch);
}

/* libcurl does not tell whether memory was short or the name is none: then it is not reached. */
static void international_short_of_memory(void *user) {
    struct bb_arena scratch;
    struct bb_url url;
    const char *why = "";
    bb_arena_init(&scratch, alloc_library());
    int code = bb_url_parse(&scratch, user, &url, &why);
    alloc_end();
    if (code == BB_OK)
        assert_string_equal(url.text, "https://xn--bcher-kva.example/p?q");
    else if (code == BB_ERR_URL)
        assert_non_null(strstr(why, "xn--"));
    else
        assert_int_equal(code, BB_ERR_NO_MEMORY);
    bb_arena_free(&scratch);
}

static void an_internationalised_host_is_never_half_read(void **state) {
    (void)state;
    alloc_fail_each("internationalised host", 0, international_short_of_memory,
                    "https://b\xC3\xBC"
                    "cher.example/p?q");
}

static void split_short_of_memory(void *user) {
    struct bb_arena scratch;
    struct bb_url url;
    bb_arena_init(&scratch, alloc_library());
    bool is_split = bb_url_split(&scratch, user, &url);
    alloc_end();
    assert_true(is_split || alloc_has_failed());
    if (is_split)
        assert_string_equal(url.host, "h.example");
    bb_arena_free(&scratch);
}

static void a_url_is_split_wholly_or_not_at_all(void **state) {
    (void)state;
    alloc_fail_each("bb_url_split", 0, split_short_of_memory, "https://h.example:8443/path?key=0");
}

static void a_good_url_is_never_blamed_for_want_of_memory(void **state) {
    (void)state;
    alloc_fail_each("bb_url_parse", 0, parse_short_of_memory,
                    "https://h.example:8443/a/long/path/abcdefghijkl?key=0123456789ab");
}

static void parse_refused_short_of_memory(void *user) {
    struct bb_arena scratch;
    struct bb_url url;
    const char *why = NULL;
    bb_arena_init(&scratch, alloc_library());
    int code = bb_url_parse(&scratch, user, &url, &why);
    alloc_end();
    assert_true(code == BB_ERR_URL || (code == BB_ERR_NO_MEMORY && alloc_has_failed()));
    bb_arena_free(&scratch);
}

static void a_refused_url_is_not_let_in_for_want_of_memory(void **state) {
    (void)state;
    static const char *const refused[] = {"https://ann@h.example/p", "https://h.example/p#part",
                                          "ftp://h.example/p", "https://[fe80::1%25eth0]/p"};
    for (size_t i = 0; i < COUNT(refused); i++) {
        char text[64];
        strcpy(text, refused[i]);
        alloc_fail_each(text, 0, parse_refused_short_of_memory, text);
    }
}

int main(void) {
    alloc_hook_others();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_what_was_written),
        cmocka_unit_test(a_whole_url_has_the_same_parts_again),
        cmocka_unit_test(a_refusal_says_why),
        cmocka_unit_test(a_disguised_host_is_refused),
        cmocka_unit_test(an_internationalised_host_is_given_in_ascii),
        cmocka_unit_test(an_internationalised_host_is_never_half_read),
        cmocka_unit_test(a_url_has_at_most_4096_bytes),
        cmocka_unit_test(no_byte_that_is_no_url_character_is_let_in),
        cmocka_unit_test(a_parameter_is_taken_out_whole),
        cmocka_unit_test(a_parameter_counts_only_with_a_value),
        cmocka_unit_test(all_but_unreserved_bytes_are_encoded),
        cmocka_unit_test(parts_are_put_together_again),
        cmocka_unit_test(dates_are_read_in_all_three_forms),
        cmocka_unit_test_teardown(a_url_is_split_wholly_or_not_at_all, alloc_teardown),
        cmocka_unit_test_teardown(a_good_url_is_never_blamed_for_want_of_memory, alloc_teardown),
        cmocka_unit_test_teardown(a_refused_url_is_not_let_in_for_want_of_memory, alloc_teardown),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
