/* The demo's receiver over HTTP, and what it says to those who come too often. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "bb-notify/receiver.h"

#define NOW_MS INT64_C(1700000000000)

static bool answer_is(const struct receiver_answer *answer, int status, const char *body) {
    return answer->status == status && strstr(answer->body, body);
}

static void each_product_says_when_it_was_too_much(void **state) {
    static const struct {
        bb_type type;
        int count;      /* that many are fine, */
        int spacing_ms; /* so far apart */
        int status;
        const char *retry_after;
        const char *body;
    } cases[] = {{BB_SLACK, 5, 0, 429, "5", "rate_limited"},
                 {BB_DISCORD, 5, 0, 429, "2", "\"retry_after\":2.000,"},
                 {BB_DISCORD, 30, 600, 429, "43", "\"retry_after\":42.600,"},
                 {BB_TEAMS, 4, 0, 429, "1", "TooManyRequests"},
                 {BB_TEAMS, 60, 400, 429, "7", "TooManyRequests"},
                 {BB_DINGTALK, 20, 0, 200, "", "\"errcode\":130101"},
                 {BB_FEISHU, 5, 0, 200, "", "\"code\":11232"},
                 {BB_FEISHU, 100, 300, 200, "", "\"code\":11232"},
                 {BB_WECOM, 20, 0, 200, "", "\"errcode\":45009"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct receiver_room room = {cases[i].type, NULL, NULL};
        struct receiver_request request = {.target = "/api/v10/webhooks/1/t"};
        struct receiver_answer answer;
        int64_t times[100];
        size_t count = (size_t)cases[i].count;
        for (int n = 0; n < cases[i].count; n++)
            times[n] = NOW_MS - (int64_t)(cases[i].count - 1 - n) * cases[i].spacing_ms;
        assert_false(receiver_check_rate(&room, &request, times + 1, count - 1, NOW_MS, &answer));
        assert_false(receiver_check_rate(&room, &request, times, count, NOW_MS + 60000, &answer));
        assert_true(receiver_check_rate(&room, &request, times, count, NOW_MS, &answer));
        assert_true(answer_is(&answer, cases[i].status, cases[i].body));
        assert_string_equal(answer.retry_after, cases[i].retry_after);
    }
}

static void discord_without_a_version_answers_as_v6(void **state) {
    static const int64_t times[5] = {NOW_MS, NOW_MS, NOW_MS, NOW_MS, NOW_MS};
    static const char body[] = "{\"embeds\":[{\"color\":\"red\"}]}";
    static const struct receiver_header headers[] = {{"Content-Type", "application/json"},
                                                     {"User-Agent", "test/1"}};
    const struct receiver_room discord = {BB_DISCORD, NULL, NULL};
    struct receiver_request request = {"POST", "/api/webhooks/1/t", headers, 2,
                                       body,   sizeof body - 1};
    struct receiver_answer answer;
    (void)state;
    receiver_check(&discord, &request, NOW_MS, &answer);
    assert_true(answer_is(&answer, 400, "{\"embeds\":[\"0\"]}"));
    assert_true(receiver_check_rate(&discord, &request, times, 5, NOW_MS, &answer));
    assert_true(answer_is(&answer, 429, "\"retry_after\":2000,"));
    assert_string_equal(answer.retry_after, "2000");
}

static int64_t stopped_clock(void *user) {
    (void)user;
    return NOW_MS;
}

static size_t keep_answer(char *data, size_t size, size_t count, void *user) {
    strncat(user, data, size * count);
    return size * count;
}

/* Posts what Slack accepts; the status, and the body in `answer`. */
static long post_to_slack(unsigned port, char *answer) {
    char url[128];
    long status = 0;
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    snprintf(url, sizeof url, "http://127.0.0.1:%u/services/T01/B02/abcDEF?a=%%2Fb", port);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "{\"text\":\"t\"}");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep_answer);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    assert_int_equal(curl_easy_perform(curl), CURLE_OK);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return status;
}

static void it_answers_over_http_and_keeps_what_came(void **state) {
    static const struct receiver_room slack = {BB_SLACK, NULL, NULL};
    struct receiver_options options = {&slack, 1, stopped_clock, NULL};
    struct receiver *receiver = receiver_start(&options);
    char answer[2048] = "";
    (void)state;
    assert_non_null(receiver);
    assert_int_equal(post_to_slack(receiver_port(receiver), answer), 200);
    assert_string_equal(answer, "ok");
    assert_int_equal(receiver_count(receiver), 1);
    const struct receiver_exchange *exchange = receiver_exchange_at(receiver, 0);
    assert_int_equal(exchange->type, BB_SLACK);
    assert_string_equal(exchange->request.target, "/services/T01/B02/abcDEF?a=%2Fb");
    assert_string_equal(exchange->request.body, "{\"text\":\"t\"}");
    assert_null(receiver_exchange_at(receiver, 1));
    for (int i = 1; i < 5; i++)
        assert_int_equal(post_to_slack(receiver_port(receiver), answer), 200);
    assert_int_equal(post_to_slack(receiver_port(receiver), answer), 429);
    receiver_stop(receiver);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_product_says_when_it_was_too_much),
                                       cmocka_unit_test(discord_without_a_version_answers_as_v6),
                                       cmocka_unit_test(it_answers_over_http_and_keeps_what_came)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
