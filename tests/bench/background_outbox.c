/* What the outbox on disk costs: delivery of what is enqueued already, against the one in memory;
 * and enqueueing in the host's own transaction, against a bare INSERT of the same bytes. */
#include "bench/background.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bb_webhook_postgres.h"
#include "bb_webhook_sqlite.h"
#include "support/postgres.h"

enum { HOOKS = 64 };

static char path[] = "/tmp/bench_outbox_XXXXXX";

static void remove_files(void) {
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
}

static bb_outbox *open_outbox(bb_sqlite_safety safety) {
    bb_sqlite_options options = BB_SQLITE_OPTIONS_INIT;
    bb_error error = BB_ERROR_INIT;
    bb_outbox *outbox = NULL;
    options.safety = safety;
    if (bb_sqlite_open(path, &options, &outbox, &error) != BB_OK)
        fprintf(stderr, "bench: %s\n", error.text);
    return outbox;
}

/* ---- delivery */

static bool enqueue_all(struct bench_sender *sender, unsigned count) {
    bool ok = true;
    for (unsigned i = 0; ok && i < count; i++) {
        struct bench_sample *sample = &sender->samples[i % 4096];
        sample->project.id = i % HOOKS + 1;
        ok = bb_webhook_enqueue(sender->dispatcher, &sample->event, NULL, NULL, NULL) == BB_OK;
    }
    return ok;
}

/* Deliveries a second; negative when one failed. */
static double deliver(unsigned port, unsigned count, bb_outbox *outbox) {
    struct bench_fleet fleet = {.type = BB_CUSTOM,
                                .count = HOOKS,
                                .port = port,
                                .path = "/hooks",
                                .by_project = true,
                                .outbox = outbox};
    struct bench_sender sender;
    bool ok = bench_sender_open(&sender, &fleet) && bench_sender_run(&sender, &fleet, 2 * HOOKS) &&
              enqueue_all(&sender, count);
    double began = bench_now_s();
    ok = ok && bb_dispatcher_flush(sender.dispatcher, 120000, NULL) == BB_OK;
    double took = bench_now_s() - began;
    bench_sender_close(&sender);
    return ok ? count / took : -1;
}

static double deliver_from_disk(unsigned port, unsigned count) {
    remove_files();
    bb_outbox *outbox = open_outbox(BB_SQLITE_PROCESS_CRASH);
    double rate = outbox ? deliver(port, count, outbox) : -1;
    bb_outbox_free(outbox);
    remove_files();
    return rate;
}

static double deliver_from_server(unsigned port, unsigned count) {
    bb_error error = BB_ERROR_INIT;
    bb_outbox *outbox = NULL;
    if (bb_postgres_open(postgres_fresh(), NULL, &outbox, &error) != BB_OK)
        fprintf(stderr, "bench: %s\n", error.text);
    double rate = outbox ? deliver(port, count, outbox) : -1;
    bb_outbox_free(outbox);
    return rate;
}

static bool compare_deliveries(unsigned port, unsigned rounds, unsigned count) {
    double memory[BENCH_MAX_ROUNDS], disk[BENCH_MAX_ROUNDS], ratios[BENCH_MAX_ROUNDS];
    double server[BENCH_MAX_ROUNDS], server_ratios[BENCH_MAX_ROUNDS];
    for (unsigned i = 0; i < rounds; i++) {
        memory[i] = deliver(port, count, NULL);
        disk[i] = deliver_from_disk(port, count);
        server[i] = deliver_from_server(port, count);
        if (memory[i] < 0 || disk[i] < 0 || server[i] < 0)
            return false;
        ratios[i] = disk[i] / memory[i];
        server_ratios[i] = server[i] / memory[i];
    }
    printf("delivery of %u events that are enqueued already, Custom\n"
           "    in memory %8.0f/s\n    in SQLite %8.0f/s (process crash): ratio %.2f (at least "
           "0.5)\n",
           count, bench_median(memory, rounds), bench_median(disk, rounds),
           bench_median(ratios, rounds));
    printf("    in PostgreSQL, its server on the receiver's core %8.0f/s: ratio %.2f (at least "
           "0.25)\n\n",
           bench_median(server, rounds), bench_median(server_ratios, rounds));
    return true;
}

/* ---- enqueue in the host's transaction */

/* `batch` inserts in each transaction. */
static double bare_inserts(sqlite3 *db, const char *json, unsigned batch, unsigned count) {
    sqlite3_stmt *statement = NULL;
    sqlite3_prepare_v2(db, "INSERT INTO bare(json, name) VALUES(?1, ?2)", -1, &statement, NULL);
    double began = bench_cpu_s();
    for (unsigned i = 0; i < count; i++) {
        if (i % batch == 0)
            sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
        sqlite3_bind_text(statement, 1, json, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 2, "0 6:room 1,", -1, SQLITE_STATIC);
        sqlite3_step(statement);
        sqlite3_reset(statement);
        if (i % batch == batch - 1)
            sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    }
    double took = bench_cpu_s() - began;
    sqlite3_finalize(statement);
    return took;
}

static double enqueues(struct bench_sender *sender, sqlite3 *db, unsigned batch, unsigned count) {
    bb_sqlite_writer *writer = NULL;
    bool ok =
        bb_sqlite_writer_new(sender->dispatcher, db, sqlite3_sourceid(), &writer, NULL) == BB_OK;
    double began = bench_cpu_s();
    for (unsigned i = 0; ok && i < count; i++) {
        if (i % batch == 0)
            sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
        ok = bb_sqlite_writer_enqueue(writer, &sender->samples[0].event, NULL, NULL, NULL) == BB_OK;
        if (i % batch == batch - 1)
            sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    }
    double took = bench_cpu_s() - began;
    bb_sqlite_writer_free(writer);
    return ok ? took : -1;
}

struct desk {
    struct bench_sender sender;
    bb_outbox *outbox;
    sqlite3 *db;
    char json[4096];
};

static bool open_desk(struct desk *desk, unsigned port, bb_sqlite_safety safety) {
    size_t length;
    remove_files();
    desk->outbox = open_outbox(safety);
    struct bench_fleet fleet = {.type = BB_CUSTOM,
                                .count = HOOKS,
                                .port = port,
                                .path = "/hooks",
                                .by_project = true,
                                .outbox = desk->outbox};
    if (!desk->outbox || !bench_sender_open(&desk->sender, &fleet) ||
        sqlite3_open(path, &desk->db) != SQLITE_OK)
        return false;
    desk->sender.samples[0].project.id = 1;
    sqlite3_exec(desk->db, "CREATE TABLE bare(number INTEGER PRIMARY KEY, json TEXT, name TEXT)",
                 NULL, NULL, NULL);
    sqlite3_exec(desk->db,
                 safety == BB_SQLITE_POWER_LOSS ? "PRAGMA synchronous = FULL"
                                                : "PRAGMA synchronous = NORMAL",
                 NULL, NULL, NULL);
    return bb_event_print(&desk->sender.samples[0].event, desk->json, sizeof desk->json, &length,
                          NULL) == BB_OK;
}

static void close_desk(struct desk *desk) {
    sqlite3_close(desk->db);
    bench_sender_close(&desk->sender);
    bb_outbox_free(desk->outbox);
    remove_files();
}

static bool compare_enqueues(unsigned port, unsigned rounds, unsigned batch) {
    enum { COUNT = 5000 };
    double bare[BENCH_MAX_ROUNDS], own[BENCH_MAX_ROUNDS], ratios[BENCH_MAX_ROUNDS];
    struct desk desk;
    bool ok = open_desk(&desk, port, BB_SQLITE_PROCESS_CRASH);
    for (unsigned i = 0; ok && i < rounds; i++) {
        bare[i] = bare_inserts(desk.db, desk.json, batch, COUNT) * 1e6 / COUNT;
        own[i] = enqueues(&desk.sender, desk.db, batch, COUNT) * 1e6 / COUNT;
        ratios[i] = own[i] / bare[i];
        ok = own[i] > 0;
    }
    printf(
        "enqueue in the host's transaction, %u in each\n    %.1f us CPU, a bare INSERT of the same "
        "bytes %.1f us: ratio %.2f (at most 1.5)\n\n",
        batch, bench_median(own, rounds), bench_median(bare, rounds), bench_median(ratios, rounds));
    close_desk(&desk);
    return ok;
}

/* ---- threads that enqueue, each event safe from a loss of power when the call returns */

struct thread {
    pthread_t thread;
    bb_dispatcher *dispatcher;
    const bb_event *event;
    unsigned count;
};

static void *enqueue_some(void *user) {
    const struct thread *t = user;
    for (unsigned i = 0; i < t->count; i++)
        if (bb_webhook_enqueue(t->dispatcher, t->event, NULL, NULL, NULL) != BB_OK)
            abort();
    return NULL;
}

static double enqueue_by_threads(struct bench_sender *sender, unsigned threads, unsigned count) {
    struct thread all[32];
    double began = bench_now_s();
    for (unsigned i = 0; i < threads; i++) {
        all[i] = (struct thread){.dispatcher = sender->dispatcher,
                                 .event = &sender->samples[0].event,
                                 .count = count / threads};
        pthread_create(&all[i].thread, NULL, enqueue_some, &all[i]);
    }
    for (unsigned i = 0; i < threads; i++)
        pthread_join(all[i].thread, NULL);
    return count / (bench_now_s() - began);
}

/* `batch` events in each call. */
static double enqueue_many(struct bench_sender *sender, unsigned batch, unsigned count) {
    const bb_event *events[100];
    double began = bench_now_s();
    for (unsigned i = 0; i < batch; i++)
        events[i] = &sender->samples[0].event;
    for (unsigned i = 0; i < count; i += batch)
        if (bb_webhook_enqueue_many(sender->dispatcher, events, batch, NULL, NULL, NULL) != BB_OK)
            abort();
    return count / (bench_now_s() - began);
}

static double raw_inserts(const struct desk *desk, unsigned batch, unsigned count) {
    double began = bench_now_s();
    bare_inserts(desk->db, desk->json, batch, count);
    return count / (bench_now_s() - began);
}

static bool compare_groups(unsigned port) {
    enum { COUNT = 8000 };
    struct desk desk;
    bool ok = open_desk(&desk, port, BB_SQLITE_POWER_LOSS);
    double single = raw_inserts(&desk, 1, COUNT / 4), batched = raw_inserts(&desk, 100, COUNT);
    bench_pin_to_core(BENCH_EVERY_CORE);
    double one = enqueue_by_threads(&desk.sender, 1, COUNT / 4);
    double eight = enqueue_by_threads(&desk.sender, 8, COUNT);
    double all = enqueue_by_threads(&desk.sender, 32, COUNT);
    bench_pin_to_core(0);
    printf("enqueue, safe from a loss of power\n"
           "    raw inserts %8.0f/s one by one, %8.0f/s by a hundred\n"
           "    1 thread    %8.0f/s\n"
           "    8 threads   %8.0f/s: %.2f of those by a hundred (at least 0.15)\n"
           "    32 threads  %8.0f/s: %.2f\n\n",
           single, batched, one, eight, eight / batched, all, all / batched);
    close_desk(&desk);
    return ok;
}

/* Side by side: how long a flush takes changes from one second to the next. */
static bool compare_many(unsigned port, unsigned rounds) {
    enum { COUNT = 5000, MANY = 100 };
    double raw[BENCH_MAX_ROUNDS], own[BENCH_MAX_ROUNDS], ratios[BENCH_MAX_ROUNDS];
    struct desk desk;
    bool ok = open_desk(&desk, port, BB_SQLITE_POWER_LOSS);
    for (unsigned i = 0; ok && i < rounds; i++) {
        raw[i] = raw_inserts(&desk, MANY, COUNT);
        own[i] = enqueue_many(&desk.sender, MANY, COUNT);
        ratios[i] = own[i] / raw[i];
    }
    printf("enqueue many, safe from a loss of power, %u in each call\n"
           "    %8.0f/s, raw inserts in transactions of as many %8.0f/s: ratio %.2f (at least "
           "0.40)\n\n",
           MANY, bench_median(own, rounds), bench_median(raw, rounds),
           bench_median(ratios, rounds));
    close_desk(&desk);
    return ok;
}

bool bench_outbox(unsigned port, unsigned rounds, unsigned count) {
    close(mkstemp(path));
    bench_pin_to_core(1); /* where the server stays */
    postgres_fresh();
    bench_pin_to_core(0);
    return compare_enqueues(port, rounds, 1) && compare_enqueues(port, rounds, 100) &&
           compare_groups(port) && compare_many(port, rounds) &&
           compare_deliveries(port, rounds, count);
}
