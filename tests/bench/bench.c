/*
 * What the library costs, as ratios measured side by side in one run.
 *
 *   bench [rounds] [requests a round]      (default 7 rounds of 3000)
 *
 * (a) a bare libcurl loop: one reused easy handle posts the same bytes again and again;
 * (b) bb_webhook_post: a different event each time, one matching webhook.
 * Both post to the same receiver, a process of its own on loopback, in turn, round by round;
 * medians are printed. Sender and receiver are pinned to a core each, where there are two: left
 * to the scheduler, the round trip jumps between 15 and 80 microseconds. CPU is the sender's, user
 * and system.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <curl/curl.h>

#include "bench/bench.h"
#include "endpoint/endpoint.h"
#include "event/message.h"

enum { RENDERS = 20000 };

/* ---- figures ---- */

struct figures {
    double rate[BENCH_MAX_ROUNDS];
    double cpu_us[BENCH_MAX_ROUNDS];
};

/* ---- (a) and (b) ---- */

static size_t ignore(char *data, size_t size, size_t count, void *user) {
    (void)data, (void)user;
    return size * count;
}

struct bare {
    CURL *easy;
    struct curl_slist *headers;
    const char *body;
    size_t length;
};

static bool bare_init(struct bare *bare, const bb_request *request) {
    bare->body = bb_request_body(request, BB_REAL, &bare->length);
    bare->easy = curl_easy_init();
    for (size_t i = 0; i < bb_request_header_count(request); i++) {
        char line[512];
        snprintf(line, sizeof line, "%s: %s", bb_request_header_name(request, i),
                 bb_request_header_value(request, i, BB_REAL));
        bare->headers = curl_slist_append(bare->headers, line);
    }
    curl_easy_setopt(bare->easy, CURLOPT_URL, bb_request_url(request, BB_REAL));
    curl_easy_setopt(bare->easy, CURLOPT_HTTPHEADER, bare->headers);
    curl_easy_setopt(bare->easy, CURLOPT_POSTFIELDS, bare->body);
    curl_easy_setopt(bare->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)bare->length);
    curl_easy_setopt(bare->easy, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(bare->easy, CURLOPT_NOSIGNAL, 1L);
    return bare->easy != NULL;
}

static bool bare_run(struct bare *bare, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        if (curl_easy_perform(bare->easy) != CURLE_OK)
            return false;
    return true;
}

static bool post_run(bb_dispatcher *d, struct bench_sample *sample, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        bb_report *report = NULL;
        bench_sample_next(sample, i);
        if (bb_webhook_post(d, &sample->event, NULL, &report, NULL) != BB_OK)
            return false;
        bool delivered = bb_report_count(report) == 1 && bb_report_undelivered(report) == 0;
        bb_report_free(report);
        if (!delivered)
            return false;
    }
    return true;
}

static void note(struct figures *figures, unsigned round, unsigned count, double wall, double cpu) {
    figures->rate[round] = count / wall;
    figures->cpu_us[round] = cpu * 1e6 / count;
}

static bool measure(struct bare *bare, bb_dispatcher *d, unsigned rounds, unsigned count,
                    struct figures *a, struct figures *b, double *ratios) {
    struct bench_sample sample;
    bench_sample_init(&sample);
    if (!bare_run(bare, 200) || !post_run(d, &sample, 200))
        return false;
    for (unsigned round = 0; round < rounds; round++) {
        double t0 = bench_now_s(), c0 = bench_cpu_s();
        if (!bare_run(bare, count))
            return false;
        double t1 = bench_now_s(), c1 = bench_cpu_s();
        if (!post_run(d, &sample, count))
            return false;
        double t2 = bench_now_s(), c2 = bench_cpu_s();
        note(a, round, count, t1 - t0, c1 - c0);
        note(b, round, count, t2 - t1, c2 - c1);
        ratios[round] = b->rate[round] / a->rate[round];
    }
    return true;
}

/* ---- the work without the network ---- */

/* Filter, render, sign and judge, as hosts with an HTTP stack of their own call them. */
static double prepare_us(const bb_options *options, const bb_webhook *webhook) {
    struct bench_sample sample;
    bb_outcome outcome = BB_OUTCOME_INIT;
    bb_response response = BB_RESPONSE_INIT;
    bench_sample_init(&sample);
    response.http_status = 200;
    response.body = webhook->type == BB_SLACK ? "ok" : "{\"code\":0,\"message\":\"ok\"}";
    response.body_length = strlen(response.body);
    double start = bench_now_s();
    for (unsigned i = 0; i < RENDERS; i++) {
        bb_request *request = NULL;
        bench_sample_next(&sample, i);
        if (bb_webhook_matches(webhook, &sample.event, NULL) != 1 ||
            bb_webhook_prepare(options, webhook, &sample.event, NULL, &request, NULL) != BB_OK ||
            bb_webhook_judge(webhook, &response, 0, &outcome, NULL) != BB_OK)
            return -1;
        bb_request_free(request);
    }
    return (bench_now_s() - start) * 1e6 / RENDERS;
}

static cJSON *copy_tree(const cJSON *from) {
    cJSON *to = cJSON_IsObject(from)   ? cJSON_CreateObject()
                : cJSON_IsArray(from)  ? cJSON_CreateArray()
                : cJSON_IsString(from) ? cJSON_CreateString(from->valuestring)
                : cJSON_IsNumber(from) ? cJSON_CreateNumber(from->valuedouble)
                : cJSON_IsBool(from)   ? cJSON_CreateBool(cJSON_IsTrue(from))
                                       : cJSON_CreateNull();
    for (const cJSON *child = from->child; child; child = child->next) {
        if (child->string)
            cJSON_AddItemToObject(to, child->string, copy_tree(child));
        else
            cJSON_AddItemToArray(to, copy_tree(child));
    }
    return to;
}

/* The same tree built by cJSON's ordinary calls, and printed. */
static double cjson_us(const char *body) {
    cJSON *tree = cJSON_Parse(body);
    double start = bench_now_s();
    for (unsigned i = 0; i < RENDERS; i++) {
        cJSON *copy = copy_tree(tree);
        char *text = cJSON_PrintUnformatted(copy);
        cJSON_Delete(copy);
        free(text);
    }
    double us = (bench_now_s() - start) * 1e6 / RENDERS;
    cJSON_Delete(tree);
    return us;
}

/* Message and body of a different event each time. */
static double render_us(const bb_webhook *webhook, size_t *length) {
    const struct bb_endpoint *endpoint = bb_endpoint_of(webhook->type);
    struct bench_sample sample;
    bench_sample_init(&sample);
    double start = bench_now_s();
    for (unsigned i = 0; i < RENDERS; i++) {
        struct bb_message message;
        struct bb_arena arena, scratch;
        struct bb_cuts cuts;
        struct bb_buf body;
        bench_sample_next(&sample, i);
        bb_arena_init(&arena, &bb_mem_default);
        bb_arena_init(&scratch, &bb_mem_default);
        bb_buf_init(&body, &bb_mem_default, endpoint->body_max);
        if (!bb_message_make(&message, &arena, &sample.event, BB_ENGLISH) ||
            !bb_endpoint_render(endpoint, &scratch, &message, webhook, &body, &cuts))
            return -1;
        *length = body.length;
        bb_buf_free(&body);
        bb_arena_free(&scratch);
        bb_arena_free(&arena);
    }
    return (bench_now_s() - start) * 1e6 / RENDERS;
}

static bool bench_rendering(const bb_options *options, const bb_webhook *slack) {
    double ours[BENCH_MAX_ROUNDS], bare[BENCH_MAX_ROUNDS], ratios[BENCH_MAX_ROUNDS];
    enum { ROUNDS = 7 };
    size_t length = 0;
    struct bench_sample sample;
    bb_request *request;
    bench_sample_init(&sample);
    bench_sample_next(&sample, 1);
    if (bb_webhook_prepare(options, slack, &sample.event, NULL, &request, NULL) != BB_OK)
        return false;
    for (int i = 0; i < ROUNDS; i++) {
        ours[i] = render_us(slack, &length);
        bare[i] = cjson_us(bb_request_body(request, BB_REAL, NULL));
        ratios[i] = ours[i] / bare[i];
    }
    bb_request_free(request);
    printf("\nrendering a Slack task event (%zu bytes)\n"
           "  bb_webhook %6.2f us    bare cJSON build and print %6.2f us    ratio %.2f (<= 1.5)\n",
           length, bench_median(ours, ROUNDS), bench_median(bare, ROUNDS),
           bench_median(ratios, ROUNDS));
    return true;
}

/* ---- the whole post ---- */

static bool bench_posts(const bb_options *options, const bb_webhook *webhook, unsigned rounds,
                        unsigned count, double wanted) {
    static struct figures a, b;
    double ratios[BENCH_MAX_ROUNDS];
    bb_dispatcher *d = NULL;
    bb_request *request = NULL;
    struct bare bare = {0};
    struct bench_sample sample;
    bench_sample_init(&sample);
    bench_sample_next(&sample, 1);
    bool ok = bb_dispatcher_new(options, &d, NULL) == BB_OK &&
              bb_dispatcher_add(d, webhook, NULL) == BB_OK &&
              bb_webhook_prepare(options, webhook, &sample.event, NULL, &request, NULL) == BB_OK &&
              bare_init(&bare, request) && measure(&bare, d, rounds, count, &a, &b, ratios);
    if (ok)
        printf(
            "%-7s (a) bare loop  %8.0f/s %6.1f us CPU    (b) bb_webhook_post %8.0f/s %6.1f us CPU"
            "    (b)/(a) %.2f (>= %.2f)\n        filter, render, sign, judge alone: %.2f us\n",
            bb_type_name(webhook->type), bench_median(a.rate, rounds),
            bench_median(a.cpu_us, rounds), bench_median(b.rate, rounds),
            bench_median(b.cpu_us, rounds), bench_median(ratios, rounds), wanted,
            prepare_us(options, webhook));
    curl_easy_cleanup(bare.easy);
    curl_slist_free_all(bare.headers);
    bb_request_free(request);
    bb_dispatcher_free(d);
    return ok;
}

static bool run(unsigned port, unsigned rounds, unsigned count) {
    bb_options options = BB_OPTIONS_INIT;
    bb_webhook slack = BB_WEBHOOK_INIT, custom = BB_WEBHOOK_INIT;
    char slack_url[128], custom_url[128];
    options.insecure_allow_http = options.insecure_allow_private_addresses = 1;
    snprintf(slack_url, sizeof slack_url, "http://127.0.0.1:%u/services/T0/B0/bench", port);
    snprintf(custom_url, sizeof custom_url, "http://127.0.0.1:%u/hooks/bench", port);
    slack.name = "slack", slack.type = BB_SLACK, slack.url = slack_url;
    custom.name = "custom", custom.type = BB_CUSTOM, custom.url = custom_url;
    custom.secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    slack.activities = custom.activities = BB_ACTIVITY_ALL;
    slack.allow_any_host = 1;
    printf("%u rounds of %u posts, one connection, receiver in a process of its own\n\n", rounds,
           count);
    return bench_posts(&options, &custom, rounds, count, 0.85) &&
           bench_posts(&options, &slack, rounds, count, 0.80) &&
           bench_rendering(&options, &slack) && bench_webhooks();
}

int main(int argc, char **argv) {
    unsigned rounds = bench_argument(argc, argv, 1, 7, BENCH_MAX_ROUNDS);
    unsigned count = bench_argument(argc, argv, 2, 3000, 1000000);
    struct bench_receiver receiver = bench_receiver_start();
    bool ok = run(receiver.port, rounds, count);
    bench_receiver_stop(&receiver);
    if (!ok)
        fputs("bench: a post failed\n", stderr);
    return ok ? 0 : 1;
}
