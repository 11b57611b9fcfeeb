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

struct sides {
    struct bench_fleet fleet;
    struct bench_sender sender;
    double us[BENCH_MAX_ROUNDS], ratios[BENCH_MAX_ROUNDS];
};

static void print(struct sides *sides, unsigned rounds, double ns) {
    double open_us = bench_median(sides[0].us, rounds);
    printf(
        "the address guard, %d entries in each list: without %.2f us CPU a delivery, with %.2f us,"
        " ratio %.3f (at most 1.03)\n    one judgement by itself: %.0f ns, %.2f %% of a delivery\n"
        "    three headers of the webhook's own on top: %.2f us, ratio %.3f\n\n",
        ENTRIES, open_us, bench_median(sides[1].us, rounds), bench_median(sides[1].ratios, rounds),
        ns, ns / (10 * open_us), bench_median(sides[2].us, rounds),
        bench_median(sides[2].ratios, rounds));
}

/* Without rules, with them, and with headers too: in turn, so that all meet the same machine. */
bool bench_guard(unsigned port, unsigned rounds, unsigned count) {
    enum { SIDES = 3 };
    static struct sides sides[SIDES];
    const bb_egress rules = make_rules();
    bool ok = true;
    for (int i = 0; i < SIDES; i++) {
        sides[i].fleet = make_fleet(port);
        sides[i].fleet.egress = i > 0 ? &rules : NULL;
        sides[i].fleet.has_headers = i > 1;
        ok = ok && bench_sender_open(&sides[i].sender, &sides[i].fleet) &&
             bench_sender_run(&sides[i].sender, &sides[i].fleet, 2000);
    }
    for (unsigned round = 0; ok && round < rounds; round++) {
        for (int i = 0; ok && i < SIDES; i++) {
            ok = run(&sides[i].sender, &sides[i].fleet, count, &sides[i].us[round]);
            sides[i].ratios[round] = sides[i].us[round] / sides[0].us[round];
        }
    }
    if (ok)
        print(sides, rounds, judge_ns(&rules));
    for (int i = 0; i < SIDES; i++)
        bench_sender_close(&sides[i].sender);
    return ok;
}
