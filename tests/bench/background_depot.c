/* A store without a dispatcher: rows in, claims, results; and what a server's processes use. */
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include "bench/background_depot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "bb_webhook_postgres.h"
#include "bb_webhook_sqlite.h"
#include "driver/store_postgres.h"
#include "driver/store_sqlite.h"
#include "support/postgres.h"

enum { BEHIND_MS = 60 * 60 * 1000, GATHER_MS = 20, LEASE_MS = 60000 };

/* ---- places ---- */

static const char *const ends[] = {"", "-wal", "-shm"};

void bench_place_clear(const struct bench_place *place) {
    char name[300];
    for (size_t i = 0; !place->is_server && i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", place->where, ends[i]);
        unlink(name);
    }
}

/* Each schema is an outbox of its own. */
struct bench_place bench_place_make(bool is_server, const char *name) {
    struct bench_place place = {.is_server = is_server};
    char text[128];
    if (is_server) {
        PGconn *db = postgres_connect();
        snprintf(text, sizeof text, "CREATE SCHEMA %s", name);
        postgres_run(db, text);
        PQfinish(db);
        snprintf(text, sizeof text, "options=-csearch_path=%s", name);
        snprintf(place.where, sizeof place.where, "%s", postgres_conninfo_with(text));
    } else {
        snprintf(place.where, sizeof place.where, "/tmp/bench_%s_%ld", name, (long)getpid());
    }
    bench_place_clear(&place);
    return place;
}

struct bench_place bench_place_fresh(bool is_server, const char *name) {
    if (is_server) {
        bench_pin_to_core(1); /* where the server stays */
        postgres_fresh();
        bench_pin_to_core(0);
    }
    return bench_place_make(is_server, name);
}

bool bench_store_is_asked(bool is_server) {
    const char *asked = getenv("BENCH_STORE");
    return !asked || (strcmp(asked, "postgres") == 0) == is_server;
}

bb_outbox *bench_place_open(const struct bench_place *place) {
    bb_sqlite_options options = BB_SQLITE_OPTIONS_INIT;
    bb_error error = BB_ERROR_INIT;
    bb_outbox *outbox = NULL;
    options.safety = BB_SQLITE_PROCESS_CRASH;
    int code = place->is_server ? bb_postgres_open(place->where, NULL, &outbox, &error)
                                : bb_sqlite_open(place->where, &options, &outbox, &error);
    if (code != BB_OK)
        fprintf(stderr, "bench: %s\n", error.text);
    return outbox;
}

static double bytes_of_file(const char *path) {
    static const char sql[] = "SELECT (page_count - freelist_count) * page_size FROM"
                              " pragma_page_count, pragma_freelist_count, pragma_page_size";
    sqlite3_stmt *row = NULL;
    sqlite3 *db = NULL;
    double bytes = 0;
    if (sqlite3_open(path, &db) == SQLITE_OK &&
        sqlite3_prepare_v2(db, sql, -1, &row, NULL) == SQLITE_OK && sqlite3_step(row) == SQLITE_ROW)
        bytes = sqlite3_column_double(row, 0);
    sqlite3_finalize(row);
    sqlite3_close(db);
    return bytes;
}

double bench_place_bytes(const struct bench_place *place, const char *tables) {
    char sql[256];
    if (!place->is_server)
        return bytes_of_file(place->where);
    PGconn *db = PQconnectdb(place->where);
    snprintf(sql, sizeof sql,
             "SELECT sum(pg_total_relation_size(t::regclass)) FROM unnest('{%s}'::text[]) AS t",
             tables);
    double bytes = (double)postgres_run(db, sql);
    PQfinish(db);
    return bytes;
}

/* ---- depots ---- */

static void tell(void *user, const char *text) {
    (void)user;
    fprintf(stderr, "bench: %s\n", text);
}

static int64_t wall_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t steady_ms(void) {
    return (int64_t)(bench_now_s() * 1e3);
}

static int64_t now_ms(const struct bench_depot *depot) {
    return steady_ms() - depot->behind_ms;
}

static int open_store(struct bench_depot *depot, const struct bench_place *place, bb_error *error) {
    struct bb_store_postgres_config server = {.gather_ms = GATHER_MS, .lease_ms = LEASE_MS};
    struct bb_store_sqlite_config file = {.gather_ms = GATHER_MS, .lease_ms = LEASE_MS};
    bb_allocator_read(&server.mem, NULL, NULL);
    bb_allocator_read(&file.mem, NULL, NULL);
    return place->is_server ? bb_store_postgres_open(&server, place->where, &depot->store, error)
                            : bb_store_sqlite_open(&file, place->where, &depot->store, error);
}

bool bench_depot_open(struct bench_depot *depot, const struct bench_place *place, unsigned count) {
    const struct bb_store_host host = {.wall_offset_ms = wall_ms() - steady_ms(), .trouble = tell};
    bb_error error = BB_ERROR_INIT;
    char id[32];
    *depot = (struct bench_depot){.count = count};
    if (open_store(depot, place, &error) != BB_OK) {
        fprintf(stderr, "bench: %s\n", error.text);
        return false;
    }
    depot->store->vtable->attach(depot->store, &host);
    for (unsigned i = 0; i < count; i++) {
        snprintf(id, sizeof id, "room %u", i);
        depot->queues[i] = depot->store->vtable->open(depot->store, id, NULL);
    }
    return true;
}

void bench_depot_close(struct bench_depot *depot) {
    depot->store->vtable->free(depot->store);
}

/* ---- rows in ---- */

enum { MANY = 1000 };

static bool put_many(struct bench_depot *depot, struct bench_sample *samples, unsigned first,
                     unsigned count, int64_t due_ms) {
    static char ids[MANY][40];
    struct bb_put_event events[MANY];
    struct bb_put puts[MANY];
    memset(events, 0, sizeof events);
    for (unsigned i = 0; i < count; i++) {
        bench_sample_next(&samples[i], first + i);
        snprintf(ids[i], sizeof ids[i], "evt_bench_%016u", first + i);
        samples[i].event.id = ids[i];
        puts[i] = (struct bb_put){.queue = depot->queues[(first + i) % depot->count]};
        events[i] = (struct bb_put_event){.event = &samples[i].event, .puts = &puts[i], .count = 1};
    }
    return depot->store->vtable->put(depot->store, NULL, events, count, now_ms(depot), due_ms,
                                     NULL) == BB_OK;
}

bool bench_depot_put(struct bench_depot *depot, unsigned count, bool is_due) {
    struct bench_sample *samples = calloc(MANY, sizeof *samples);
    bool ok = samples != NULL;
    depot->behind_ms = is_due ? 0 : BEHIND_MS;
    int64_t due_ms = now_ms(depot) + depot->behind_ms / 2;
    for (unsigned i = 0; ok && i < MANY; i++)
        bench_sample_init(&samples[i]);
    for (unsigned done = 0; ok && done < count; done += MANY)
        ok = put_many(depot, samples, done, count - done < MANY ? count - done : MANY, due_ms);
    free(samples);
    return ok;
}

/* What is not due yet is made, and leased by nobody. */
void bench_depot_fan_out(struct bench_depot *depot) {
    const struct bb_store_vtable *store = depot->store->vtable;
    while (store->owes(depot->store, now_ms(depot)))
        store->take(depot->store, now_ms(depot));
}

void bench_depot_pass_time(struct bench_depot *depot) {
    depot->behind_ms = 0;
}

/* ---- rows out ---- */

static void settle(struct bench_depot *depot, struct bb_delivery *delivery) {
    bb_outcome outcome = BB_OUTCOME_INIT;
    const struct bb_result result = {&outcome, 5};
    outcome.verdict = BB_DELIVERED;
    outcome.http_status = 200;
    strcpy(outcome.remote_code, "0");
    strcpy(outcome.remote_message, "ok");
    delivery->history.attempts++;
    depot->store->vtable->settle(depot->store, delivery, BB_SETTLED, 0, &result);
}

enum { AT_ONCE = 8 }; /* as many as one webhook of type Custom has under way */

static unsigned work_one(struct bench_depot *depot, unsigned most) {
    const struct bb_store_vtable *store = depot->store->vtable;
    struct bb_queue *queue = store->take(depot->store, now_ms(depot));
    struct bb_delivery *claimed[AT_ONCE];
    unsigned count = 0;
    if (!queue)
        return 0;
    while (count < AT_ONCE && count < most &&
           (claimed[count] = store->claim(depot->store, queue, now_ms(depot))) != NULL)
        count++;
    for (unsigned i = 0; i < count; i++)
        settle(depot, claimed[i]);
    store->give(depot->store, queue, 0);
    return count;
}

void bench_depot_work(struct bench_depot *depot, unsigned count) {
    unsigned done = 0;
    while (done < count)
        done += work_one(depot, count - done);
}

/* The last results are written, too. */
void bench_depot_finish(struct bench_depot *depot) {
    const struct bb_store_vtable *store = depot->store->vtable;
    while (store->owes(depot->store, now_ms(depot)))
        work_one(depot, AT_ONCE);
}

/* ---- processes ---- */

/* In a process of its own, whose memory is that of nothing else; what it found out it leaves in
 * `figures`. */
bool bench_apart(bench_work_fn work, const void *user, double figures[BENCH_FIGURES]) {
    double *shared = mmap(NULL, sizeof(double) * BENCH_FIGURES, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = 1;
    if (shared == MAP_FAILED)
        return false;
    pid_t pid = fork();
    if (pid == 0)
        _exit(work(user, shared) ? 0 : 1);
    waitpid(pid, &status, 0);
    if (figures)
        memcpy(figures, shared, sizeof(double) * BENCH_FIGURES);
    munmap(shared, sizeof(double) * BENCH_FIGURES);
    return status == 0;
}

double bench_most_memory_mib(void) {
    char line[256];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        sscanf(line, "VmHWM: %ld", &kib);
    if (file)
        fclose(file);
    return (double)kib / 1024;
}

static double cpu_of(const char *pid) {
    char path[64], line[1024];
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    FILE *file = fopen(path, "r");
    if (file && fgets(line, sizeof line, file))
        sscanf(strrchr(line, ')') + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
               &user, &system);
    if (file)
        fclose(file);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

double bench_server_cpu_s(PGconn *watcher) {
    PGresult *pids = PQexec(watcher, "SELECT pid FROM pg_stat_activity WHERE"
                                     " datname = current_database() AND pid <> pg_backend_pid()"
                                     " AND backend_type = 'client backend'");
    double seconds = 0;
    for (int i = 0; i < PQntuples(pids); i++)
        seconds += cpu_of(PQgetvalue(pids, i, 0));
    PQclear(pids);
    return seconds;
}
