/* What the stores cost with many rows that wait. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/background_depot.h"
#include "support/postgres.h"

static const char *name_of(const struct bench_place *place) {
    return place->is_server ? "PostgreSQL" : "SQLite (process crash)";
}

/* ---- many that wait ---- */

enum { FEW = 20000, WORKED = 16000 };

struct filling {
    const struct bench_place *place;
    unsigned count;
};

static bool fill(const void *user, double figures[BENCH_FIGURES]) {
    const struct filling *filling = user;
    struct bench_depot depot;
    if (!bench_depot_open(&depot, filling->place, BENCH_HOOKS))
        return false;
    double began = bench_now_s();
    bool ok = bench_depot_put(&depot, filling->count, false);
    figures[0] = bench_now_s() - began;
    bench_depot_fan_out(&depot);
    figures[1] = bench_now_s() - began - figures[0];
    bench_depot_close(&depot);
    return ok;
}

/* What the server does by itself, soon. */
static void vacuum(const struct bench_place *place) {
    if (!place->is_server)
        return;
    PGconn *db = PQconnectdb(place->where);
    postgres_run(db, "VACUUM ANALYZE bb_event");
    postgres_run(db, "VACUUM ANALYZE bb_delivery");
    PQfinish(db);
}

enum { OPENED, FIRST, FIRST_CPU, RATE, RATE_CPU, MEMORY };

static bool work_some(const void *user, double figures[BENCH_FIGURES]) {
    const struct bench_place *place = user;
    struct bench_depot depot;
    double began = bench_now_s();
    if (!bench_depot_open(&depot, place, BENCH_HOOKS))
        return false;
    figures[OPENED] = (bench_now_s() - began) * 1e3;
    double cpu = bench_cpu_s();
    began = bench_now_s();
    bench_depot_work(&depot, 1);
    figures[FIRST] = (bench_now_s() - began) * 1e3;
    figures[FIRST_CPU] = (bench_cpu_s() - cpu) * 1e3;
    began = bench_now_s();
    cpu = bench_cpu_s();
    bench_depot_work(&depot, WORKED);
    figures[RATE] = WORKED / (bench_now_s() - began);
    figures[RATE_CPU] = (bench_cpu_s() - cpu) * 1e6 / WORKED;
    figures[MEMORY] = bench_most_memory_mib();
    bench_depot_close(&depot);
    return true;
}

/* What a round found out of one place. */
struct work {
    double rate[BENCH_MAX_ROUNDS], own_us[BENCH_MAX_ROUNDS];
    double opened[BENCH_MAX_ROUNDS], first[BENCH_MAX_ROUNDS], first_cpu[BENCH_MAX_ROUNDS];
};

/* The few were filled up a moment ago, and would still be in the processor's cache. */
static bool empty_cache(const void *user, double figures[BENCH_FIGURES]) {
    enum { BYTES = 256 * 1024 * 1024, LINE = 64 };
    volatile char *bytes = malloc(BYTES);
    (void)user, (void)figures;
    for (int pass = 0; bytes && pass < 2; pass++)
        for (size_t i = 0; i < BYTES; i += LINE)
            bytes[i] = (char)pass;
    free((void *)bytes);
    return bytes != NULL;
}

static bool work_and_note(const struct bench_place *place, struct work *work, unsigned round) {
    double figures[BENCH_FIGURES];
    if (!bench_apart(empty_cache, NULL, NULL) || !bench_apart(work_some, place, figures))
        return false;
    work->rate[round] = figures[RATE];
    work->own_us[round] = figures[RATE_CPU];
    work->opened[round] = figures[OPENED];
    work->first[round] = figures[FIRST];
    work->first_cpu[round] = figures[FIRST_CPU];
    return true;
}

static void print_work(struct work *some, struct work *all, unsigned rounds) {
    double ratios[BENCH_MAX_ROUNDS];
    for (unsigned i = 0; i < rounds; i++)
        ratios[i] = all->rate[i] / some->rate[i];
    printf("        opened in %.1f ms, first claim %.1f ms later, of which %.1f ms CPU (less than "
           "10)\n",
           bench_median(all->opened, rounds), bench_median(all->first, rounds),
           bench_median(all->first_cpu, rounds));
    printf("        claim and settle %8.0f/s, %.1f us CPU, with %u waiting %8.0f/s, %.1f us: ratio "
           "%.2f (at least 0.9)\n",
           bench_median(all->rate, rounds), bench_median(all->own_us, rounds), FEW,
           bench_median(some->rate, rounds), bench_median(some->own_us, rounds),
           bench_median(ratios, rounds));
}

/* Every second round begins with the many. */
static bool compare_rates(const struct bench_place *few, const struct bench_place *many,
                          unsigned rounds) {
    static struct work some, all;
    bool ok = true;
    for (unsigned i = 0; ok && i < rounds; i++) {
        const struct filling filling = {few, i == 0 ? FEW : WORKED};
        ok = bench_apart(fill, &filling, NULL);
        vacuum(few);
        vacuum(many);
        ok = ok && (i % 2 == 0 || work_and_note(few, &some, i)) && work_and_note(many, &all, i) &&
             (i % 2 == 1 || work_and_note(few, &some, i));
    }
    print_work(&some, &all, rounds);
    return ok;
}

/* ---- the same, sent ---- */

struct sending {
    const struct bench_place *place;
    unsigned port;
};

static void count_delivered(void *user, const bb_notice *notice) {
    unsigned *delivered = user;
    *delivered += notice->kind == BB_NOTICE_DELIVERED;
}

static bool send_some(const void *user, double figures[BENCH_FIGURES]) {
    enum { SENT = 10000 };
    const struct sending *sending = user;
    unsigned delivered = 0;
    struct bench_sender sender;
    struct bench_fleet fleet = {.type = BB_CUSTOM,
                                .count = BENCH_HOOKS,
                                .port = sending->port,
                                .path = "/hooks",
                                .by_project = true,
                                .outbox = bench_place_open(sending->place),
                                .notify = count_delivered,
                                .notify_user = &delivered};
    bool ok = fleet.outbox && bench_sender_open(&sender, &fleet);
    double began = bench_now_s();
    while (ok && delivered < SENT && bench_now_s() - began < 60)
        ok = bb_dispatcher_run(sender.dispatcher, NULL) == BB_OK;
    figures[RATE] = delivered / (bench_now_s() - began);
    figures[MEMORY] = bench_most_memory_mib();
    bench_sender_close(&sender);
    bb_outbox_free(fleet.outbox);
    return ok && delivered >= SENT;
}

static bool send_from(const struct bench_place *many, unsigned port) {
    const struct sending sending = {many, port};
    double figures[BENCH_FIGURES];
    bool ok = bench_apart(send_some, &sending, figures);
    printf("        sent %8.0f/s by a process of %.1f MiB (at most 64)\n", figures[RATE],
           figures[MEMORY]);
    return ok;
}

static bool run_waiting(bool is_server, unsigned port, unsigned rounds, unsigned count) {
    struct bench_place few = bench_place_fresh(is_server, "few");
    struct bench_place many = bench_place_make(is_server, "many");
    const struct filling filling = {&many, count};
    double took[BENCH_FIGURES];
    bool ok = bench_apart(fill, &filling, took);
    printf("    %s: %u enqueued by a thousand %8.0f/s, made into deliveries %8.0f/s\n",
           name_of(&many), count, count / took[0], count / took[1]);
    ok = ok && compare_rates(&few, &many, rounds) && send_from(&many, port);
    bench_place_clear(&few);
    bench_place_clear(&many);
    return ok;
}

/* The default is small; a million is asked for by BENCH_WAITING=1000000. */
bool bench_waiting(unsigned port, unsigned rounds) {
    const char *asked = getenv("BENCH_WAITING");
    unsigned count = asked ? (unsigned)strtoul(asked, NULL, 10) : 100000;
    printf("many deliveries that wait for %d webhooks\n", BENCH_HOOKS);
    bool ok = true;
    for (int is_server = 0; ok && is_server < 2; is_server++)
        ok = !bench_store_is_asked(is_server) || run_waiting(is_server, port, rounds, count);
    puts("");
    return ok;
}
