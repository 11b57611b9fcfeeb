/* A store without a dispatcher, for the benchmarks of outboxes. */
#ifndef BENCH_BACKGROUND_DEPOT_H
#define BENCH_BACKGROUND_DEPOT_H

#include <libpq-fe.h>

#include "bench/background.h"
#include "delivery/store.h"

/* Where an outbox lies: a SQLite file, which may lose what was written last with the machine's
 * power, or a schema of the test's server. */
struct bench_place {
    bool is_server;
    char where[300];
};

struct bench_place bench_place_make(bool is_server, const char *name);

/* The same in a database that is new; its server has the second core. The last one is gone. */
struct bench_place bench_place_fresh(bool is_server, const char *name);

void bench_place_clear(const struct bench_place *place); /* a file is gone */
bb_outbox *bench_place_open(const struct bench_place *place);

/* BENCH_STORE=sqlite or postgres leaves the other one out. */
bool bench_store_is_asked(bool is_server);

/* What these tables take on the disk, indexes and all; of a file, whatever is in it. */
double bench_place_bytes(const struct bench_place *place, const char *tables);

enum { BENCH_HOOKS = 64 };

struct bench_depot {
    struct bb_store *store;
    struct bb_queue *queues[BENCH_HOOKS]; /* of the webhooks that a fleet has */
    unsigned count;
    int64_t behind_ms; /* its clock is */
};

bool bench_depot_open(struct bench_depot *depot, const struct bench_place *place, unsigned count);
void bench_depot_close(struct bench_depot *depot);

/* Events of one delivery each, for one queue after the other. Those that are not due are put, and
 * fanned out, by a clock that is behind, and due as soon as time has passed. */
bool bench_depot_put(struct bench_depot *depot, unsigned count, bool is_due);
void bench_depot_fan_out(struct bench_depot *depot);
void bench_depot_pass_time(struct bench_depot *depot);

/* Claims so many and settles each as delivered; and whatever is left. */
void bench_depot_work(struct bench_depot *depot, unsigned count);
void bench_depot_finish(struct bench_depot *depot);

/* ---- processes */

enum { BENCH_FIGURES = 8 };
typedef bool (*bench_work_fn)(const void *user, double figures[BENCH_FIGURES]);
bool bench_apart(bench_work_fn work, const void *user, double figures[BENCH_FIGURES]);

double bench_most_memory_mib(void); /* of this process, ever */

/* Of the server's processes that serve the last database, but for this connection's own. */
double bench_server_cpu_s(PGconn *watcher);

#endif
