/* What the stores cost by themselves, without HTTP: claim and settle, against the barest queue that
 * does so in the same database. How quick the disk and the server are cancels out in the ratio. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bb_webhook_sqlite.h"
#include "bench/background_depot.h"
#include "support/postgres.h"

/* The rates that are wanted came with those of a bare queue on a quick disk, once: 40,000 and
 * 103,000 a second in SQLite, 15,000 and 52,000 in PostgreSQL. The ratios are theirs. */
struct bound {
    const char *name;
    const char *rate;
    double ratio;
};
static const struct bound bounds[] = {{"SQLite", "40,000", 0.39}, {"PostgreSQL", "15,000", 0.29}};

/* ---- meters ---- */

/* What one side has used so far in this round. */
struct meter {
    PGconn *watcher; /* NULL: there is no server */
    double wall_s, own_s, server_s;
};

static void start_meter(struct meter *meter) {
    if (meter->watcher)
        meter->server_s -= bench_server_cpu_s(meter->watcher);
    meter->own_s -= bench_cpu_s();
    meter->wall_s -= bench_now_s();
}

static void stop_meter(struct meter *meter) {
    meter->wall_s += bench_now_s();
    meter->own_s += bench_cpu_s();
    if (meter->watcher)
        meter->server_s += bench_server_cpu_s(meter->watcher);
}

struct figures {
    double rate[BENCH_MAX_ROUNDS], own_us[BENCH_MAX_ROUNDS], server_us[BENCH_MAX_ROUNDS];
};

static void note(struct figures *figures, unsigned round, unsigned count, const struct meter *m) {
    figures->rate[round] = count / m->wall_s;
    figures->own_us[round] = m->own_s * 1e6 / count;
    figures->server_us[round] = m->server_s * 1e6 / count;
}

/* ---- bare queues: one table of rows that are claimed and deleted by a hundred. No log, and no
 * events apart from their deliveries ---- */

enum { BATCH = 100 };

struct batch {
    int64_t ids[BATCH];
    int count;
};

struct body {
    struct bench_sample sample;
    char id[40], json[4096];
    size_t length;
};

/* The JSON that an outbox keeps of event `number`. */
static bool print_body(struct body *body, unsigned number) {
    bench_sample_next(&body->sample, number);
    snprintf(body->id, sizeof body->id, "evt_bench_%016u", number);
    body->sample.event.id = body->id;
    return bb_event_print(&body->sample.event, body->json, sizeof body->json, &body->length,
                          NULL) == BB_OK;
}

/* ---- in a SQLite file */

struct bare_file {
    sqlite3 *db;
    sqlite3_stmt *insert, *claim, *delete;
};

static bool execute(sqlite3 *db, const char *sql) {
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static bool prepare(sqlite3 *db, const char *sql, sqlite3_stmt **statement) {
    return sqlite3_prepare_v2(db, sql, -1, statement, NULL) == SQLITE_OK;
}

static bool open_file(struct bare_file *file, const char *path) {
    return sqlite3_open(path, &file->db) == SQLITE_OK &&
           execute(file->db, "PRAGMA journal_mode = WAL") &&
           execute(file->db, "PRAGMA synchronous = NORMAL") &&
           execute(file->db, "CREATE TABLE q(id INTEGER PRIMARY KEY, due INTEGER,"
                             " lease INTEGER DEFAULT 0, body TEXT);"
                             "CREATE INDEX q_due ON q(due) WHERE lease = 0") &&
           prepare(file->db, "INSERT INTO q(due, body) VALUES(1, ?1)", &file->insert) &&
           prepare(file->db,
                   "UPDATE q SET lease = 2 WHERE id IN (SELECT id FROM q WHERE lease = 0 AND"
                   " due <= ?1 ORDER BY due LIMIT 100) RETURNING id, body",
                   &file->claim) &&
           prepare(file->db, "DELETE FROM q WHERE id = ?1", &file->delete);
}

static void close_file(struct bare_file *file) {
    sqlite3_finalize(file->insert);
    sqlite3_finalize(file->claim);
    sqlite3_finalize(file->delete);
    sqlite3_close(file->db);
}

static bool step(sqlite3_stmt *statement) {
    bool ok = sqlite3_step(statement) == SQLITE_DONE;
    sqlite3_reset(statement);
    return ok;
}

static bool fill_file(struct bare_file *file, struct body *body, unsigned count) {
    bool ok = execute(file->db, "BEGIN");
    for (unsigned i = 0; ok && i < count; i++) {
        ok = print_body(body, i);
        sqlite3_bind_text(file->insert, 1, body->json, (int)body->length, SQLITE_STATIC);
        ok = ok && step(file->insert);
    }
    return ok && execute(file->db, "COMMIT");
}

static bool claim_in_file(struct bare_file *file, struct batch *batch) {
    bool ok = execute(file->db, "BEGIN IMMEDIATE");
    sqlite3_bind_int64(file->claim, 1, 1);
    batch->count = 0;
    while (ok && sqlite3_step(file->claim) == SQLITE_ROW) {
        batch->ids[batch->count++] = sqlite3_column_int64(file->claim, 0);
        ok = sqlite3_column_bytes(file->claim, 1) > 0;
    }
    ok = sqlite3_reset(file->claim) == SQLITE_OK && ok;
    return execute(file->db, "COMMIT") && ok;
}

static bool delete_in_file(struct bare_file *file, const struct batch *batch) {
    bool ok = execute(file->db, "BEGIN IMMEDIATE");
    for (int i = 0; ok && i < batch->count; i++) {
        sqlite3_bind_int64(file->delete, 1, batch->ids[i]);
        ok = step(file->delete);
    }
    return execute(file->db, "COMMIT") && ok;
}

static bool cycle_in_file(struct bare_file *file, struct batch *batch) {
    return (batch->count == 0 || delete_in_file(file, batch)) && claim_in_file(file, batch);
}

/* ---- in PostgreSQL */

static bool has_worked(PGresult *result) {
    ExecStatusType status = PQresultStatus(result);
    PQclear(result);
    return status == PGRES_COMMAND_OK;
}

static bool prepare_named(PGconn *db, const char *name, const char *sql) {
    return has_worked(PQprepare(db, name, sql, 0, NULL));
}

/* synchronous_commit is off as it is in the library's passes. */
static bool open_table(PGconn **db, const char *where) {
    *db = PQconnectdb(where);
    postgres_run(*db, "SET synchronous_commit = off");
    postgres_run(*db, "CREATE TABLE q(id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
                      " due bigint, lease bigint DEFAULT 0, body text)");
    postgres_run(*db, "CREATE INDEX q_due ON q(due) WHERE lease = 0");
    return prepare_named(*db, "claim",
                         "WITH c AS MATERIALIZED (SELECT id FROM q WHERE lease = 0 AND due <= $1"
                         " ORDER BY due LIMIT 100 FOR UPDATE SKIP LOCKED) UPDATE q SET lease = 2"
                         " WHERE id IN (SELECT id FROM c) RETURNING id, body") &&
           prepare_named(*db, "delete", "DELETE FROM q WHERE id = ANY($1)");
}

/* Neither of the two characters is ever in JSON as it is: nothing needs escaping. */
static bool fill_table(PGconn *db, struct body *body, unsigned count) {
    PQclear(PQexec(db, "COPY q(due, body) FROM STDIN"
                       " (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')"));
    bool ok = true;
    for (unsigned i = 0; ok && i < count; i++)
        ok = print_body(body, i) && PQputCopyData(db, "1\x01", 2) == 1 &&
             PQputCopyData(db, body->json, (int)body->length) == 1 &&
             PQputCopyData(db, "\n", 1) == 1;
    ok = PQputCopyEnd(db, ok ? NULL : "no") == 1 && has_worked(PQgetResult(db)) && ok;
    PQclear(PQgetResult(db));
    return ok && PQenterPipelineMode(db) == 1;
}

static bool read_batch(PGresult *rows, struct batch *batch) {
    bool ok = PQresultStatus(rows) == PGRES_TUPLES_OK;
    batch->count = PQntuples(rows);
    for (int i = 0; ok && i < batch->count; i++) {
        batch->ids[i] = strtoll(PQgetvalue(rows, i, 0), NULL, 10);
        ok = PQgetlength(rows, i, 1) > 0;
    }
    PQclear(rows);
    return ok;
}

static void send_delete(PGconn *db, const struct batch *batch) {
    char ids[BATCH * 24] = "{";
    const char *values[] = {ids};
    int length = 0;
    for (int i = 0; i < batch->count; i++)
        length += sprintf(ids + length, "%c%lld", i ? ',' : '{', (long long)batch->ids[i]);
    strcpy(ids + length, "}");
    PQsendQueryPrepared(db, "delete", 1, values, NULL, NULL, 0);
}

/* Of one statement in a pipeline, after which NULL is said. */
static PGresult *next_result(PGconn *db) {
    PGresult *result = PQgetResult(db);
    PQgetResult(db);
    return result;
}

/* In one round trip. */
static bool cycle_in_table(PGconn *db, struct batch *batch) {
    const char *now[] = {"1"};
    bool has_some = batch->count > 0;
    if (has_some)
        send_delete(db, batch);
    PQsendQueryPrepared(db, "claim", 1, now, NULL, NULL, 0);
    PQpipelineSync(db);
    bool ok = !has_some || has_worked(next_result(db));
    ok = read_batch(next_result(db), batch) && ok;
    PQclear(PQgetResult(db)); /* the end of the pipeline */
    return ok;
}

/* ---- in either */

struct bare {
    bool is_server;
    struct bare_file file;
    PGconn *table;
    struct batch batch; /* what is claimed and not deleted */
    unsigned done;
};

static bool check(const struct bare *bare, bool ok) {
    if (!ok)
        fprintf(stderr, "bench: the bare queue in %s: %s\n", bounds[bare->is_server].name,
                bare->is_server ? PQerrorMessage(bare->table) : sqlite3_errmsg(bare->file.db));
    return ok;
}

static bool open_bare(struct bare *bare, const struct bench_place *place, unsigned count) {
    static struct body body;
    *bare = (struct bare){.is_server = place->is_server};
    bench_sample_init(&body.sample);
    return check(
        bare, place->is_server
                  ? open_table(&bare->table, place->where) && fill_table(bare->table, &body, count)
                  : open_file(&bare->file, place->where) && fill_file(&bare->file, &body, count));
}

static void close_bare(struct bare *bare) {
    close_file(&bare->file);
    PQfinish(bare->table);
}

/* Deletes what was claimed last and claims the next. */
static bool cycle(struct bare *bare) {
    bool ok = bare->is_server ? cycle_in_table(bare->table, &bare->batch)
                              : cycle_in_file(&bare->file, &bare->batch);
    bare->done += (unsigned)bare->batch.count;
    return check(bare, ok);
}

static bool work_bare(struct bare *bare, unsigned count) {
    unsigned goal = bare->done + count;
    bool ok = true;
    while (ok && bare->done < goal)
        ok = cycle(bare) && bare->batch.count > 0;
    return ok;
}

/* Nothing is left then. */
static bool finish_bare(struct bare *bare) {
    return cycle(bare) && bare->batch.count == 0;
}

/* ---- side by side ---- */

struct comparison {
    struct figures bare, own;
    double ratios[BENCH_MAX_ROUNDS];
    double waiting_bytes, log_bytes; /* of one of the library's own, on the disk */
};

/* A machine that others use changes from one second to the next: so by turns, a little of each. */
enum { TURN = 2000 };

static bool take_turns(struct bare *bare, struct meter *bare_meter, struct bench_depot *depot,
                       struct meter *own_meter, unsigned count) {
    bool ok = true;
    for (unsigned done = 0; ok && done < count; done += TURN) {
        unsigned some = count - done < TURN ? count - done : TURN;
        bool is_last = done + some == count;
        start_meter(bare_meter);
        ok = work_bare(bare, some) && (!is_last || finish_bare(bare));
        stop_meter(bare_meter);
        start_meter(own_meter);
        bench_depot_work(depot, some);
        if (is_last)
            bench_depot_finish(depot);
        stop_meter(own_meter);
    }
    return ok;
}

static bool measure(const struct bench_place *places, unsigned hooks, unsigned count,
                    struct comparison *all, unsigned round) {
    struct bare bare;
    struct bench_depot depot;
    if (!bench_depot_open(&depot, &places[1], hooks))
        return false;
    bool ok = open_bare(&bare, &places[0], count) && bench_depot_put(&depot, count, false);
    bench_depot_fan_out(&depot);
    bench_depot_pass_time(&depot);
    all->waiting_bytes = bench_place_bytes(&places[1], "bb_event,bb_delivery") / count;
    struct meter bare_meter = {.watcher = places->is_server ? postgres_connect() : NULL};
    struct meter own_meter = bare_meter;
    ok = ok && take_turns(&bare, &bare_meter, &depot, &own_meter, count);
    PQfinish(own_meter.watcher);
    all->log_bytes = bench_place_bytes(&places[1], "bb_attempt") / count;
    bench_depot_close(&depot);
    close_bare(&bare);
    note(&all->bare, round, count, &bare_meter);
    note(&all->own, round, count, &own_meter);
    all->ratios[round] = all->own.rate[round] / all->bare.rate[round];
    return ok;
}

static void print_side(const char *name, struct figures *side, unsigned rounds, bool is_server) {
    printf("        %-10s %8.0f/s, %.1f us CPU", name, bench_median(side->rate, rounds),
           bench_median(side->own_us, rounds));
    if (is_server)
        printf(" and %.1f us of its server", bench_median(side->server_us, rounds));
}

static void print(struct comparison *all, bool is_server, unsigned hooks, unsigned rounds) {
    const struct bound *bound = &bounds[is_server];
    printf("    %s, %u webhook%s: ratio %.2f (at least %.2f)\n", bound->name, hooks,
           hooks > 1 ? "s" : "", bench_median(all->ratios, rounds), bound->ratio);
    print_side("own", &all->own, rounds, is_server);
    printf(" (at least %s/s on a quick disk)\n", bound->rate);
    print_side("bare queue", &all->bare, rounds, is_server);
    printf("\n        on the disk %.0f bytes while one waits, %.0f in the log afterwards\n",
           all->waiting_bytes, all->log_bytes);
}

static bool run_claims(bool is_server, unsigned hooks, unsigned rounds, unsigned count) {
    static struct comparison all;
    bool ok = true;
    for (unsigned i = 0; ok && i < rounds; i++) {
        const struct bench_place places[] = {bench_place_fresh(is_server, "bare"),
                                             bench_place_make(is_server, "claims")};
        ok = measure(places, hooks, count, &all, i);
        bench_place_clear(&places[0]);
        bench_place_clear(&places[1]);
    }
    print(&all, is_server, hooks, rounds);
    return ok;
}

static void print_settings(void) {
    PGconn *db = postgres_connect();
    PGresult *row =
        PQexec(db, "SELECT current_setting('synchronous_commit'), current_setting('fsync')");
    printf("        both with synchronous_commit off, which is %s in this server, and fsync %s\n",
           PQgetvalue(row, 0, 0), PQgetvalue(row, 0, 1));
    PQclear(row);
    PQfinish(db);
}

static bool run_store(bool is_server, unsigned rounds, unsigned count) {
    bool ok = run_claims(is_server, 1, rounds, count) &&
              run_claims(is_server, BENCH_HOOKS, rounds, count);
    if (ok && is_server)
        print_settings();
    return ok;
}

bool bench_claims(unsigned rounds, unsigned count) {
    printf(
        "claim and settle, %u deliveries that are made already, in turns with a bare queue:\n"
        "rows of the same JSON, claimed and deleted by a hundred. Our own also writes a line of\n"
        "each into the log, and keeps events apart from deliveries\n",
        count);
    bool ok = true;
    for (int is_server = 0; ok && is_server < 2; is_server++)
        ok = !bench_store_is_asked(is_server) || run_store(is_server, rounds, count);
    puts("");
    return ok;
}
