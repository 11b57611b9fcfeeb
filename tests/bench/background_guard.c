/* What the address guard and a webhook's own headers cost a delivery: a dispatcher without rules
 * next to one with long lists, and the judgement by itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "bench/background.h"
#include "delivery/guard.h"
#include "driver/http_guard.h"

enum { ENTRIES = 64 };

static const char *list_of(const char *first, const char *format, char text[4096]) {
    size_t used = (size_t)snprintf(text, 4096, "%s", first);
    for (int i = 0; i < ENTRIES; i++)
        used += (size_t)snprintf(text + used, 4096 - used, format, i);
    return text;
}

/* The receiver's address is allowed; none of the others matters. */
static bb_egress make_rules(void) {
    static char allowed[4096], denied[4096];
    bb_egress rules = BB_EGRESS_INIT;
    rules.allow_addresses = list_of("127.0.0.0/8", ", 10.%d.0.0/16", allowed);
    rules.deny_addresses = list_of("192.0.2.0/24", ", 2001:db8:%d::/48", denied);
    rules.ports = "1-65535";
    return rules;
}

static struct bench_fleet make_fleet(unsigned port) {
    return (struct bench_fleet){
        .type = BB_CUSTOM, .count = 64, .port = port, .path = "/hooks", .by_project = true};
}

static bool run(struct bench_sender *sender, const struct bench_fleet *fleet, unsigned count,
                double *cpu_us) {
    double began = bench_cpu_s();
    bool ok = bench_sender_run(sender, fleet, count);
    *cpu_us = (bench_cpu_s() - began) * 1e6 / count;
    return ok;
}

/* One connection's peer, as libcurl tells it before each request. */
static double judge_ns(const bb_egress *rules) {
    enum { TIMES = 1000000 };
    const char *peer = "127.0.0.1";
    bb_allocator mem;
    struct bb_guard *guard = NULL;
    struct bb_address address;
    unsigned refused = 0;
    bb_allocator_read(&mem, NULL, NULL);
    if (bb_guard_new(&mem, rules, &guard, NULL) != BB_OK)
        return -1;
    struct bb_http_guard *judge = bb_http_guard_new(&mem, guard);
    double began = bench_cpu_s();
    for (unsigned i = 0; judge && i < TIMES; i++)
        refused += !bb_address_read(&address, peer, strlen(peer)) ||
                   bb_http_guard_judge(judge, false, &address) != NULL;
    double took = (bench_cpu_s() - began) * 1e9 / TIMES;
    bb_http_guard_free(judge);
    bb_mem_free(&mem, guard);
    return judge && refused == 0 ? took : -1;
}

static void print(const double *ratios, double open_us, double ruled_us, double ns) {
    printf("the address guard, %d entries in each list, and three headers of the webhook's own\n"
           "    without %.2f us CPU a delivery, with %.2f us: ratio %.3f (at most 1.03)\n"
           "    one judgement by itself: %.0f ns, %.2f %% of a delivery\n\n",
           ENTRIES, open_us, ruled_us, *ratios, ns, ns / (10 * open_us));
}

bool bench_guard(unsigned port, unsigned rounds, unsigned count) {
    const bb_egress rules = make_rules();
    const struct bench_fleet open_fleet = make_fleet(port);
    struct bench_fleet ruled_fleet = open_fleet;
    double open_us[BENCH_MAX_ROUNDS], ruled_us[BENCH_MAX_ROUNDS], ratios[BENCH_MAX_ROUNDS];
    struct bench_sender open, ruled;
    ruled_fleet.egress = &rules;
    ruled_fleet.has_headers = true;
    bool ok = bench_sender_open(&open, &open_fleet) && bench_sender_open(&ruled, &ruled_fleet) &&
              bench_sender_run(&open, &open_fleet, 2000) &&
              bench_sender_run(&ruled, &ruled_fleet, 2000);
    for (unsigned i = 0; ok && i < rounds; i++) {
        ok = run(&open, &open_fleet, count, &open_us[i]) &&
             run(&ruled, &ruled_fleet, count, &ruled_us[i]);
        ratios[i] = ruled_us[i] / open_us[i];
    }
    double ratio = bench_median(ratios, rounds);
    if (ok)
        print(&ratio, bench_median(open_us, rounds), bench_median(ruled_us, rounds),
              judge_ns(&rules));
    bench_sender_close(&open);
    bench_sender_close(&ruled);
    return ok;
}
