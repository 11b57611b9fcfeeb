/* The single figures of background delivery: handing over, many hosts, slow receivers, memory. */
#include "bench/background.h"

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- handing over, which nobody drives here */

static bool enqueue_many(struct bench_sender *sender, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        if (bb_webhook_enqueue(sender->dispatcher, &sender->samples[i % 4096].event, NULL, NULL,
                               NULL) != BB_OK)
            return false;
    return true;
}

static double enqueue_us(unsigned webhooks, unsigned count) {
    struct bench_fleet fleet = {.type = BB_SLACK, .count = webhooks, .path = "/services/T0/B0"};
    struct bench_sender sender;
    bool ok = bench_sender_open(&sender, &fleet) && enqueue_many(&sender, 100);
    double cpu = bench_cpu_s();
    ok = ok && enqueue_many(&sender, count);
    cpu = bench_cpu_s() - cpu;
    bench_sender_close(&sender);
    return ok ? cpu * 1e6 / count : -1;
}

struct crowd {
    struct bench_sender sender;
    unsigned count; /* by each */
    atomic_bool failed;
};

static void *enqueue_in_crowd(void *user) {
    struct crowd *crowd = user;
    if (!enqueue_many(&crowd->sender, crowd->count))
        crowd->failed = true;
    return NULL;
}

/* Events a second of so many threads together. */
static double crowd_rate(unsigned threads, unsigned count) {
    struct bench_fleet fleet = {.type = BB_SLACK, .count = 1, .path = "/services/T0/B0"};
    struct crowd crowd = {.count = count / threads};
    pthread_t ids[8];
    if (!bench_sender_open(&crowd.sender, &fleet) || !enqueue_many(&crowd.sender, 100))
        return -1;
    double begin = bench_now_s();
    for (unsigned i = 0; i < threads; i++)
        pthread_create(&ids[i], NULL, enqueue_in_crowd, &crowd);
    for (unsigned i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    double rate = count / (bench_now_s() - begin);
    bench_sender_close(&crowd.sender);
    return crowd.failed ? -1 : rate;
}

bool bench_enqueue(unsigned rounds) {
    enum { EVENTS = 200000, FANNED = 300 };
    double one[BENCH_MAX_ROUNDS], further[BENCH_MAX_ROUNDS], ratios[BENCH_MAX_ROUNDS];
    bench_pin_to_core(BENCH_EVERY_CORE);
    for (unsigned i = 0; i < rounds; i++) {
        one[i] = enqueue_us(1, EVENTS);
        further[i] = (enqueue_us(1001, FANNED) - one[i]) / 1000;
        ratios[i] = crowd_rate(8, EVENTS) / crowd_rate(1, EVENTS);
        if (one[i] < 0)
            return false;
    }
    bench_pin_to_core(0);
    printf("enqueue\n    %.2f us CPU an event (at most 5), %.2f us each further webhook (at most 1)"
           "\n    8 threads on two cores: %.2f of the rate of one (at least 1)\n\n",
           bench_median(one, rounds), bench_median(further, rounds), bench_median(ratios, rounds));
    return true;
}

/* ---- many hosts */

static double fleet_rate(const struct bench_fleet *fleet, unsigned count) {
    struct bench_sender sender;
    bool ok = bench_sender_open(&sender, fleet) && bench_sender_run(&sender, fleet, 2000);
    double begin = bench_now_s();
    ok = ok && bench_sender_run(&sender, fleet, count);
    double rate = count / (bench_now_s() - begin);
    bench_sender_close(&sender);
    return ok ? rate : -1;
}

bool bench_hosts(unsigned port, unsigned rounds, unsigned count) {
    struct bench_fleet one = {
        .type = BB_CUSTOM, .count = 1000, .port = port, .path = "/hooks", .by_project = true};
    struct bench_fleet many = one;
    double ratios[BENCH_MAX_ROUNDS], rates[BENCH_MAX_ROUNDS];
    many.own_hosts = true;
    for (unsigned i = 0; i < rounds; i++) {
        rates[i] = fleet_rate(&many, count);
        ratios[i] = rates[i] / fleet_rate(&one, count);
        if (rates[i] < 0)
            return false;
    }
    printf("1,000 webhooks in turn, each on a host of its own\n    %.0f/s, %.2f of the rate with "
           "one host (at least 0.70)\n\n",
           bench_median(rates, rounds), bench_median(ratios, rounds));
    return true;
}

/* ---- memory of what waits */

static _Atomic(size_t) live_bytes;

static void *counting_alloc(size_t size, void *user) {
    void *block = malloc(size);
    (void)user;
    live_bytes += block ? malloc_usable_size(block) + 8 : 0;
    return block;
}

static void counting_free(void *block, void *user) {
    (void)user;
    live_bytes -= block ? malloc_usable_size(block) + 8 : 0;
    free(block);
}

static void *counting_resize(void *block, size_t size, void *user) {
    size_t before = block ? malloc_usable_size(block) + 8 : 0;
    void *moved = realloc(block, size);
    (void)user;
    if (moved)
        live_bytes += malloc_usable_size(moved) + 8 - before;
    return moved;
}

bool bench_memory(void) {
    enum { EVENTS = 20000 };
    bb_allocator allocator = BB_ALLOCATOR_INIT;
    struct bench_fleet fleet = {
        .type = BB_SLACK, .count = 1, .path = "/services/T0/B0", .allocator = &allocator};
    struct bench_sender sender;
    size_t payload = 0;
    allocator.alloc = counting_alloc;
    allocator.resize = counting_resize;
    allocator.free = counting_free;
    bool ok = bench_sender_open(&sender, &fleet);
    size_t before = live_bytes;
    ok = ok && enqueue_many(&sender, EVENTS);
    for (unsigned i = 0; ok && i < EVENTS; i++) {
        size_t length = 0;
        bb_event_print(&sender.samples[i % 4096].event, NULL, 0, &length, NULL);
        payload += length;
    }
    double each = (double)(live_bytes - before) / EVENTS, json = (double)payload / EVENTS;
    bench_sender_close(&sender);
    printf(
        "memory of a waiting delivery\n    %.0f bytes, its event as JSON has %.0f: %.0f more (at "
        "most 512)\n\n",
        each, json, each - json);
    return ok;
}
