/* Isolation: what the healthy notice of those that hang. */
#include "bench/background.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WEBHOOKS = 1000, HANGING = 100, RATE = 2000, SECONDS = 8 };

/* When each event was handed over; its number is its id. */
struct watch {
    double *begun_s;
    double *took_ms;
    size_t count;
    size_t healthy; /* events for those that do not hang */
};

static void note(void *user, const bb_notice *notice) {
    struct watch *watch = user;
    if (notice->kind != BB_NOTICE_DELIVERED)
        return;
    double begun = watch->begun_s[strtoul(notice->attempt->event_id, NULL, 10)];
    watch->took_ms[watch->count++] = (bench_now_s() - begun) * 1e3;
}

static void sleep_until(double due_s) {
    double left = due_s - bench_now_s();
    struct timespec t = {.tv_nsec = left > 0 ? (long)(left * 1e9) : 0};
    nanosleep(&t, NULL);
}

/* An open loop: events come at their times, whatever has become of those before. */
static bool pour(struct bench_sender *sender, unsigned hanging, struct watch *watch) {
    double begin = bench_now_s();
    for (unsigned i = 0; i < RATE * SECONDS; i++) {
        struct bench_sample *sample = &sender->samples[i % 4096];
        char id[24];
        snprintf(id, sizeof id, "%u", i);
        sample->event.id = id;
        sample->project.id = rand() % WEBHOOKS + 1;
        watch->healthy += sample->project.id > hanging;
        if (i % 10 == 0)
            sleep_until(begin + (double)i / RATE);
        watch->begun_s[i] = bench_now_s();
        if (bb_webhook_enqueue(sender->dispatcher, &sample->event, NULL, NULL, NULL) != BB_OK)
            return false;
    }
    return true;
}

/* The 99th percentile of the healthy ones; the share of them that was delivered. */
static double p99_ms(unsigned port, unsigned hanging, double *share) {
    struct watch watch = {.begun_s = calloc(RATE * SECONDS, sizeof(double)),
                          .took_ms = calloc(RATE * SECONDS, sizeof(double))};
    struct bench_fleet fleet = {.type = BB_SLACK,
                                .count = WEBHOOKS,
                                .port = port,
                                .path = "/late",
                                .hanging = hanging,
                                .hanging_path = "/hang",
                                .own_hosts = true,
                                .by_project = true,
                                .notify = note,
                                .notify_user = &watch};
    struct bench_sender sender;
    srand(1);
    bool ok = bench_sender_open(&sender, &fleet) &&
              bb_dispatcher_start(sender.dispatcher, NULL) == BB_OK &&
              pour(&sender, hanging, &watch);
    nanosleep(&(struct timespec){.tv_sec = 1}, NULL); /* the last ones answer in 5 ms */
    bb_dispatcher_stop(sender.dispatcher, 0, NULL, NULL);
    bench_sender_close(&sender);
    *share = (double)watch.count / (double)watch.healthy;
    qsort(watch.took_ms, watch.count, sizeof(double), bench_compare);
    double p99 = ok && watch.count ? watch.took_ms[watch.count * 99 / 100] : -1;
    free(watch.begun_s);
    free(watch.took_ms);
    return p99;
}

bool bench_slow(unsigned port, unsigned rounds) {
    double ratios[BENCH_MAX_ROUNDS], with[BENCH_MAX_ROUNDS], without[BENCH_MAX_ROUNDS];
    double all, healthy = 0;
    for (unsigned i = 0; i < rounds; i++) {
        without[i] = p99_ms(port, 0, &all);
        with[i] = p99_ms(port, HANGING, &healthy);
        ratios[i] = with[i] / without[i];
        if (with[i] < 0 || without[i] < 0)
            return false;
    }
    printf("1,000 webhooks that answer in 5 ms, 2,000 events a second; then 100 of them hang\n"
           "    p99 of the healthy %.1f ms, without hanging ones %.1f ms: ratio %.2f (at most "
           "1.2); %.0f %% of the healthy delivered\n\n",
           bench_median(with, rounds), bench_median(without, rounds), bench_median(ratios, rounds),
           healthy * 100);
    return true;
}
