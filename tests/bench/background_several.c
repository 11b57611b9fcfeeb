/* Two delivering processes on one outbox in PostgreSQL, whose receivers take their time. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/background_depot.h"

/* What may be under way bounds a process, and not the machine: half of it for those that take
 * 100 ms. */
enum { PROCESSES = 2, AT_ONCE = 128 };

struct worker {
    pid_t pid;
    int to, from; /* pipes: go, and how many it has delivered */
};

static bool deliver(const struct bench_place *place, unsigned port, int go, int back) {
    struct bench_sender sender;
    struct bench_fleet fleet = {.type = BB_CUSTOM,
                                .count = BENCH_HOOKS,
                                .port = port,
                                .path = "/later",
                                .by_project = true,
                                .at_once = AT_ONCE,
                                .outbox = bench_place_open(place)};
    bb_stats stats = BB_STATS_INIT;
    char word = 0;
    bool ok = fleet.outbox && bench_sender_open(&sender, &fleet) && write(back, &word, 1) == 1 &&
              read(go, &word, 1) == 1 &&
              bb_dispatcher_flush(sender.dispatcher, 120000, NULL) == BB_OK;
    bb_dispatcher_stats(sender.dispatcher, NULL, &stats, NULL);
    ok = ok && write(back, &stats.delivered, sizeof stats.delivered) > 0;
    bench_sender_close(&sender);
    bb_outbox_free(fleet.outbox);
    return ok;
}

/* Once it has opened the outbox it waits for a word. */
static struct worker start(const struct bench_place *place, unsigned port) {
    struct worker worker = {.pid = -1};
    int go[2], back[2];
    char ready;
    if (pipe(go) != 0 || pipe(back) != 0 || (worker.pid = fork()) < 0)
        return worker;
    if (worker.pid == 0)
        _exit(deliver(place, port, go[0], back[1]) ? 0 : 1);
    close(go[0]);
    close(back[1]);
    worker.to = go[1];
    worker.from = back[0];
    if (read(worker.from, &ready, 1) != 1)
        fputs("bench: a process could not begin\n", stderr);
    return worker;
}

static uint64_t finish(struct worker *worker) {
    uint64_t delivered = 0;
    if (read(worker->from, &delivered, sizeof delivered) != sizeof delivered)
        delivered = 0;
    close(worker->to);
    close(worker->from);
    waitpid(worker->pid, NULL, 0);
    return delivered;
}

static bool enqueue(const struct bench_place *place, unsigned count) {
    struct bench_depot depot;
    bool ok = bench_depot_open(&depot, place, BENCH_HOOKS) && bench_depot_put(&depot, count, false);
    bench_depot_fan_out(&depot);
    bench_depot_close(&depot);
    return ok;
}

/* Deliveries a second of so many processes together; negative when some are missing. `*least` is
 * the smallest share of one. */
static double rate_of(unsigned port, unsigned processes, unsigned count, double *least) {
    struct worker workers[PROCESSES];
    uint64_t delivered = 0;
    struct bench_place place = bench_place_fresh(true, "several");
    if (!enqueue(&place, count))
        return -1;
    for (unsigned i = 0; i < processes; i++)
        workers[i] = start(&place, port);
    double began = bench_now_s();
    for (unsigned i = 0; i < processes; i++)
        if (write(workers[i].to, "", 1) != 1)
            return -1;
    *least = 1;
    for (unsigned i = 0; i < processes; i++) {
        uint64_t some = finish(&workers[i]);
        delivered += some;
        *least = (double)some / count < *least ? (double)some / count : *least;
    }
    return delivered == count ? count / (bench_now_s() - began) : -1;
}

bool bench_several(unsigned port, unsigned rounds, unsigned count) {
    double one[BENCH_MAX_ROUNDS], two[BENCH_MAX_ROUNDS], ratios[BENCH_MAX_ROUNDS];
    double least[BENCH_MAX_ROUNDS], whole;
    for (unsigned i = 0; i < rounds; i++) {
        one[i] = rate_of(port, 1, count, &whole);
        two[i] = rate_of(port, PROCESSES, count, &least[i]);
        ratios[i] = two[i] / one[i];
        if (one[i] < 0 || two[i] < 0)
            return false;
    }
    printf("%u deliveries in PostgreSQL, %d webhooks, answers after 100 ms, %d under way at most\n"
           "    one process %8.0f/s, two %8.0f/s: ratio %.2f (at least 1.9); the one with less had "
           "%.0f %%\n\n",
           count, BENCH_HOOKS, AT_ONCE, bench_median(one, rounds), bench_median(two, rounds),
           bench_median(ratios, rounds), bench_median(least, rounds) * 100);
    return true;
}
