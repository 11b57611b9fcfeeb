/*
 * What background delivery costs, as ratios measured side by side in one run, with the same
 * receiver (a process of its own on the second core), round by round; medians are printed.
 *
 *   bench_background [rounds] [requests a round] [number of the only one]
 *                                                     (default 5 rounds of 20000, all)
 */
#include "bench/background.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct figures {
    double rate[BENCH_MAX_ROUNDS];
    double cpu_us[BENCH_MAX_ROUNDS];
};

static void note(struct figures *figures, unsigned round, unsigned count, double wall, double cpu) {
    figures->rate[round] = count / wall;
    figures->cpu_us[round] = cpu * 1e6 / count;
}

static void print_side(const char *name, struct figures *figures, unsigned rounds) {
    printf("    %-34s %8.0f/s %6.1f us CPU\n", name, bench_median(figures->rate, rounds),
           bench_median(figures->cpu_us, rounds));
}

/* ---- against a bare loop */

struct match {
    const char *title;
    struct bench_fleet fleet;
    double least, wanted;
};

static struct bench_bare *open_bare(const struct match *match, const bb_request *request) {
    enum { MOST = 1024 };
    static char texts[MOST][96];
    static const char *urls[MOST];
    for (unsigned i = 0; i < match->fleet.count; i++) {
        snprintf(texts[i], sizeof texts[i], "http://127.0.0.1:%u%s/%u", match->fleet.port,
                 match->fleet.path, i);
        urls[i] = texts[i];
    }
    return bench_bare_open(&(struct bench_bare_config){
        .urls = urls, .url_count = match->fleet.count, .at_once = 64, .request = request});
}

static bool run_match(const struct match *match, unsigned rounds, unsigned count) {
    static struct figures bare_figures, own_figures;
    double ratios[BENCH_MAX_ROUNDS];
    struct bench_sender sender;
    bb_request *request = bench_bare_request(match->fleet.type);
    struct bench_bare *bare = open_bare(match, request);
    unsigned events = match->fleet.by_project ? count : count / match->fleet.count;
    bool ok = bench_sender_open(&sender, &match->fleet) && bench_bare_run(bare, 2000) &&
              bench_sender_run(&sender, &match->fleet, match->fleet.by_project ? 2000 : 2);
    for (unsigned round = 0; ok && round < rounds; round++) {
        double t0 = bench_now_s(), c0 = bench_cpu_s();
        ok = bench_bare_run(bare, count);
        double t1 = bench_now_s(), c1 = bench_cpu_s();
        ok = ok && bench_sender_run(&sender, &match->fleet, events);
        double t2 = bench_now_s(), c2 = bench_cpu_s();
        note(&bare_figures, round, count, t1 - t0, c1 - c0);
        note(&own_figures, round, count, t2 - t1, c2 - c1);
        ratios[round] = own_figures.rate[round] / bare_figures.rate[round];
    }
    printf("%s\n", match->title);
    print_side("bare libcurl loop, constant body", &bare_figures, rounds);
    print_side("enqueued and delivered", &own_figures, rounds);
    printf("    ratio %.2f (at least %.2f, wanted %.2f)\n\n", bench_median(ratios, rounds),
           match->least, match->wanted);
    bench_sender_close(&sender);
    bench_bare_close(bare);
    bb_request_free(request);
    return ok;
}

static bool run_matches(unsigned port, unsigned rounds, unsigned count, unsigned only) {
    const struct match matches[] = {
        {"64 Slack webhooks, different events",
         {.type = BB_SLACK,
          .count = 64,
          .port = port,
          .path = "/services/T0/B0",
          .by_project = true},
         0.55,
         0.65},
        {"64 Custom webhooks, different events",
         {.type = BB_CUSTOM, .count = 64, .port = port, .path = "/hooks", .by_project = true},
         0.75,
         0.85},
        {"one event to 1,000 Slack webhooks",
         {.type = BB_SLACK, .count = 1000, .port = port, .path = "/services/T0/B0"},
         0.90,
         0.90},
    };
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof matches / sizeof *matches; i++)
        if (only == 0 || only == i + 1)
            ok = run_match(&matches[i], rounds, count);
    return ok;
}

static bool run_rest(unsigned port, unsigned rounds, unsigned count, unsigned only) {
    return (only && only != 4 ? true : bench_enqueue(rounds)) &&
           (only && only != 5 ? true : bench_hosts(port, rounds, count)) &&
           (only && only != 6 ? true : bench_tls(rounds)) &&
           (only && only != 7 ? true : bench_slow(port, rounds < 3 ? rounds : 3)) &&
           (only && only != 8 ? true : bench_memory()) &&
           (only && only != 9 ? true : bench_peer(port, rounds, count)) &&
           (only && only != 10 ? true : bench_outbox(port, rounds, count)) &&
           (only && only != 11 ? true : bench_claims(rounds, count)) &&
           (only && only != 12 ? true : bench_waiting(port, rounds)) &&
           (only && only != 13 ? true : bench_several(port, rounds < 3 ? rounds : 3, count)) &&
           (only && only != 14 ? true : bench_host(port, rounds)) &&
           (only && only != 15 ? true : bench_guard(port, rounds, count));
}

int main(int argc, char **argv) {
    unsigned rounds = bench_argument(argc, argv, 1, 5, BENCH_MAX_ROUNDS);
    unsigned count = bench_argument(argc, argv, 2, 20000, 1000000);
    setvbuf(stdout, NULL, _IOLBF, 0); /* nothing is left for processes that are forked off */
    struct bench_receiver receiver = bench_receiver_start();
    curl_global_init(CURL_GLOBAL_DEFAULT);
    unsigned only = bench_argument(argc, argv, 3, 0, 99);
    bool ok = run_matches(receiver.port, rounds, count, only) &&
              run_rest(receiver.port, rounds, count, only);
    bench_receiver_stop(&receiver);
    curl_global_cleanup();
    if (!ok)
        fputs("bench_background: a delivery failed\n", stderr);
    return ok ? 0 : 1;
}
