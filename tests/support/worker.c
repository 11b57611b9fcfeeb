#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "support/worker.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/outbox.h"
#include "support/outbox_postgres.h"

static worker_store store;
static PGconn *looking; /* the test's own connection, of which workers know nothing */

/* -------------------------------------------------------------------- outbox -- */

void worker_begin(worker_store kind) {
    store = kind;
    if (kind == WORKER_SQLITE)
        outbox_make_file();
    else
        postgres_fresh();
    looking = NULL;
}

void worker_finish(void) {
    if (store == WORKER_SQLITE)
        outbox_remove_files();
    PQfinish(looking);
    looking = NULL;
}

bb_outbox *worker_open_outbox(uint32_t lease_ms) {
    bb_sqlite_options sqlite = BB_SQLITE_OPTIONS_INIT;
    bb_postgres_options postgres = BB_POSTGRES_OPTIONS_INIT;
    bb_error error = BB_ERROR_INIT;
    bb_outbox *opened = NULL;
    sqlite.lease_ms = postgres.lease_ms = lease_ms;
    sqlite.safety = BB_SQLITE_PROCESS_CRASH;
    int code = store == WORKER_SQLITE
                   ? bb_sqlite_open(outbox_path, &sqlite, &opened, &error)
                   : bb_postgres_open(postgres_conninfo_with(""), &postgres, &opened, &error);
    if (code != BB_OK)
        fail_msg("%s", error.text);
    return opened;
}

static int64_t number_of_sqlite(const char *sql) {
    sqlite3 *db = outbox_open_host();
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    int64_t number = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return number;
}

int64_t worker_number(const char *sql) {
    if (store == WORKER_SQLITE)
        return number_of_sqlite(sql);
    if (!looking)
        looking = postgres_connect();
    return postgres_run(looking, sql);
}

/* --------------------------------------------------------------------- waits -- */

enum { WAIT_MS = 30000 };

static void rest(void) {
    const struct timespec moment = {.tv_nsec = 5000000};
    nanosleep(&moment, NULL);
}

void worker_wait_number(const char *sql, int64_t number) {
    int64_t end_ms = server_now_ms() + WAIT_MS, now = worker_number(sql), last = now;
    for (; now != number; now = worker_number(sql)) {
        if (now != last)
            end_ms = server_now_ms() + WAIT_MS;
        if (server_now_ms() > end_ms)
            fail_msg("%s: %lld, not %lld", sql, (long long)now, (long long)number);
        last = now;
        rest();
    }
}

void worker_wait_counts(const worker_notes *notes, bb_notice_kind kind, size_t count) {
    int64_t end_ms = server_now_ms() + WAIT_MS;
    size_t now, last = 0;
    for (; (now = atomic_load(&notes->counts[kind])) < count; last = now) {
        if (now != last)
            end_ms = server_now_ms() + WAIT_MS;
        if (server_now_ms() > end_ms)
            fail_msg("%zu of %zu notices of kind %d came", now, count, (int)kind);
        rest();
    }
}

/* --------------------------------------------------------------------- notes -- */

static void *share(size_t size) {
    void *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        fail_msg("no memory can be shared");
    return shared;
}

worker_notes *worker_notes_new(size_t events) {
    worker_notes *notes = share(sizeof(*notes));
    notes->attempts = share((events + 1) * sizeof(*notes->attempts));
    notes->events = events;
    return notes;
}

void worker_notes_free(worker_notes *notes) {
    munmap(notes->attempts, (notes->events + 1) * sizeof(*notes->attempts));
    munmap(notes, sizeof(*notes));
}

static void note(void *user, const bb_notice *notice) {
    worker_notes *notes = user;
    if (notice->attempt && notice->attempt->attempt > 0) {
        size_t event = (size_t)strtoul(notice->attempt->event_id, NULL, 10);
        int attempt = notice->attempt->attempt;
        if (event < notes->events && attempt <= WORKER_MOST_ATTEMPTS)
            atomic_fetch_add(&notes->attempts[event][attempt - 1], 1);
    }
    atomic_fetch_add(&notes->counts[notice->kind], 1);
}

/* -------------------------------------------------------------------- worker -- */

static void require(int code, const bb_error *error) {
    if (code == BB_OK)
        return;
    fprintf(stderr, "worker: %s\n", error->text);
    _exit(1);
}

static void log_text(void *user, bb_level level, const char *text) {
    (void)user, (void)level;
    if (strncmp(text, "outbox", 6) == 0)
        fprintf(stderr, "worker: %s\n", text);
}

static void add_hook(const worker_life *life, const char *id, bb_dispatcher *dispatcher) {
    bb_webhook hook = BB_WEBHOOK_INIT;
    bb_error error = BB_ERROR_INIT;
    char path[64];
    snprintf(path, sizeof(path), "/%s", id);
    hook.id = hook.name = id;
    hook.type = BB_CUSTOM;
    hook.url = server_url(life->receiver, path);
    hook.activities = BB_ACTIVITY_ALL;
    hook.age_limit_s = life->age_limit_s;
    require(bb_dispatcher_add(dispatcher, &hook, &error), &error);
}

static bb_dispatcher *open_dispatcher(const worker_life *life, bb_outbox *outbox) {
    bb_options options = BB_OPTIONS_INIT;
    bb_background_options settings = life->options;
    bb_error error = BB_ERROR_INIT;
    bb_dispatcher *dispatcher = NULL;
    settings.outbox = outbox;
    settings.notify = life->notes ? note : NULL;
    settings.notify_user = life->notes;
    options.background = &settings;
    options.log = log_text;
    options.insecure_allow_http = options.insecure_allow_private_addresses = 1;
    if (life->lease_ms <= 15000)
        options.timeout_ms = life->lease_ms - 100;
    require(bb_dispatcher_new(&options, &dispatcher, &error), &error);
    for (size_t i = 0; i < 2; i++)
        if (life->hooks[i])
            add_hook(life, life->hooks[i], dispatcher);
    return dispatcher;
}

static void enqueue_all(const worker_life *life, bb_dispatcher *dispatcher) {
    bb_error error = BB_ERROR_INIT;
    bb_enqueue_options how = BB_ENQUEUE_OPTIONS_INIT;
    char id[32];
    how.delay_ms = life->delay_ms;
    for (size_t i = life->first; i < life->first + life->count; i++) {
        bb_event event = BB_EVENT_INIT;
        snprintf(id, sizeof(id), "%zu", i);
        event.id = id;
        event.activity = BB_ISSUE_CREATE;
        event.title = "one of many";
        require(bb_webhook_enqueue(dispatcher, &event, &how, NULL, &error), &error);
    }
}

/* Tells that it runs, works until it is told to end. */
static void live(const worker_life *life, int tell, const sigset_t *end) {
    bb_error error = BB_ERROR_INIT;
    int number;
    if (life->begin)
        life->begin(life->number);
    bb_outbox *outbox = worker_open_outbox(life->lease_ms);
    bb_dispatcher *dispatcher = open_dispatcher(life, outbox);
    require(bb_dispatcher_start(dispatcher, &error), &error);
    if (write(tell, "", 1) != 1)
        _exit(1);
    enqueue_all(life, dispatcher);
    sigwait(end, &number);
    require(bb_dispatcher_stop(dispatcher, 10000, NULL, &error), &error);
    require(bb_dispatcher_free(dispatcher), &error);
    bb_outbox_free(outbox);
    _exit(0);
}

/* SIGTERM waits for the worker to ask for it. */
worker worker_start(const worker_life *life) {
    int ends[2];
    char byte;
    sigset_t end;
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    assert_int_equal(pipe(ends), 0);
    worker running = {.pid = fork()};
    assert_true(running.pid >= 0);
    if (running.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sigprocmask(SIG_BLOCK, &end, NULL);
        close(ends[0]);
        live(life, ends[1], &end);
    }
    close(ends[1]);
    if (read(ends[0], &byte, 1) != 1)
        fail_msg("a worker could not begin");
    close(ends[0]);
    return running;
}

void worker_end(worker running) {
    int status = 0;
    assert_int_equal(kill(running.pid, SIGTERM), 0);
    assert_int_equal(waitpid(running.pid, &status, 0), running.pid);
    assert_int_equal(status, 0);
}
