/*
 * fork(): what the parent made is refused in the child, in every call, and the parent goes on as if
 * nothing had been. What a child makes for itself: test_fork_children.c.
 *
 * The receiver is a process of its own. A child that hangs is ended by its alarm.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/outbox.h"
#include "support/outbox_postgres.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { CHILD_PATIENCE_S = 60 };

/* ---- what every call says in a child ---- */

/* What the parent has made. */
typedef struct made {
    bb_dispatcher *dispatcher;
    bb_outbox *outbox;
    sqlite3 *db;
    PGconn *conn;
    bb_sqlite_writer *writer;
} made;

static int visit_none(void *user, const bb_webhook *webhook) {
    (void)user, (void)webhook;
    return 1;
}

static int visit_letter(void *user, const bb_dead_letter *letter) {
    (void)user, (void)letter;
    return 1;
}

static int visit_attempt(void *user, const bb_attempt_record *attempt) {
    (void)user, (void)attempt;
    return 1;
}

static bb_webhook other_hook(void) {
    return posting_hook(BB_CUSTOM, "other", "https://hooks.example.com/");
}

#define CALL(name, ...)                                                                            \
    static int call_##name(const made *m, bb_error *error) {                                       \
        return name(__VA_ARGS__);                                                                  \
    }
#define D m->dispatcher

static bb_report *report;
static size_t number;
static char text[64];
static bb_stats stats = BB_STATS_INIT;
static bb_webhook_status status = BB_WEBHOOK_STATUS_INIT;
static bb_sqlite_writer *writer;

CALL(bb_webhook_post, D, posting_event(), NULL, &report, error)
CALL(bb_webhook_test, D, "hook", &report, error)
CALL(bb_webhook_enqueue, D, posting_event(), NULL, &number, error)
CALL(bb_webhook_enqueue_on, D, m->conn, posting_event(), NULL, &number, error)
CALL(bb_dispatcher_wake, D, error)
CALL(bb_dispatcher_start, D, error)
CALL(bb_dispatcher_stop, D, 0, &number, error)
CALL(bb_dispatcher_flush, D, 0, error)
CALL(bb_dispatcher_run, D, error)
CALL(bb_dispatcher_stats, D, NULL, &stats, error)
CALL(bb_dispatcher_prometheus, D, text, sizeof text, &number, error)
CALL(bb_dispatcher_list, D, visit_none, NULL, error)
CALL(bb_dispatcher_status, D, "hook", &status, error)
CALL(bb_dispatcher_resume, D, "hook", error)
CALL(bb_dispatcher_remove, D, "hook", error)
CALL(bb_outbox_dead, m->outbox, NULL, visit_letter, NULL, &number, error)
CALL(bb_outbox_replay, m->outbox, NULL, &number, error)
CALL(bb_outbox_attempts, m->outbox, 1, visit_attempt, NULL, error)
CALL(bb_outbox_purge, m->outbox, INT64_MAX, &number, error)
CALL(bb_outbox_cancel, m->outbox, "key", &number, error)
CALL(bb_sqlite_enqueue, D, m->db, sqlite3_sourceid(), posting_event(), NULL, &number, error)
CALL(bb_sqlite_writer_new, D, m->db, sqlite3_sourceid(), &writer, error)
CALL(bb_sqlite_writer_enqueue, m->writer, posting_event(), NULL, &number, error)
CALL(bb_postgres_enqueue, D, m->conn, posting_event(), NULL, &number, error)

static int call_bb_webhook_enqueue_many(const made *m, bb_error *error) {
    const bb_event *events[] = {posting_event()};
    return bb_webhook_enqueue_many(D, events, 1, NULL, &number, error);
}

static int call_bb_dispatcher_add(const made *m, bb_error *error) {
    bb_webhook hook = other_hook();
    return bb_dispatcher_add(D, &hook, error);
}

static int call_bb_dispatcher_replace(const made *m, bb_error *error) {
    bb_webhook hook = other_hook();
    return bb_dispatcher_replace(D, &hook, error);
}

/* With the parent's outbox. */
static int call_bb_dispatcher_new(const made *m, bb_error *error) {
    bb_background_options own = BB_BACKGROUND_OPTIONS_INIT;
    bb_options options = posting_options();
    bb_dispatcher *dispatcher = NULL;
    own.outbox = m->outbox;
    options.timeout_ms = BACKGROUND_ATTEMPT_MS;
    options.background = &own;
    return bb_dispatcher_new(&options, &dispatcher, error);
}

/* These have no error. */
static int say(bb_error *error, int code) {
    error->code = (bb_code)code;
    strcpy(error->text, "parent");
    return code;
}

static int call_bb_dispatcher_fd(const made *m, bb_error *error) {
    return say(error, bb_dispatcher_fd(D));
}

static int call_bb_dispatcher_timeout_ms(const made *m, bb_error *error) {
    return say(error, bb_dispatcher_timeout_ms(D) == -1 ? BB_ERR_FORKED : BB_OK);
}

static int call_bb_dispatcher_count(const made *m, bb_error *error) {
    return say(error, bb_dispatcher_count(D) == 0 ? BB_ERR_FORKED : BB_OK);
}

static int call_bb_dispatcher_free(const made *m, bb_error *error) {
    return say(error, bb_dispatcher_free(D));
}

/* The parent's connection is still there afterwards, which the parent looks at. */
static int call_bb_outbox_free(const made *m, bb_error *error) {
    bb_outbox_free(m->outbox);
    return say(error, BB_ERR_FORKED);
}

#define ROW(name)                                                                                  \
    { #name, call_##name }

static const struct row {
    const char *name;
    int (*call)(const made *m, bb_error *error);
} rows[] = {
    ROW(bb_webhook_post),         ROW(bb_webhook_test),       ROW(bb_webhook_enqueue),
    ROW(bb_webhook_enqueue_many), ROW(bb_webhook_enqueue_on), ROW(bb_dispatcher_wake),
    ROW(bb_dispatcher_start),     ROW(bb_dispatcher_stop),    ROW(bb_dispatcher_flush),
    ROW(bb_dispatcher_run),       ROW(bb_dispatcher_stats),   ROW(bb_dispatcher_prometheus),
    ROW(bb_dispatcher_list),      ROW(bb_dispatcher_status),  ROW(bb_dispatcher_resume),
    ROW(bb_dispatcher_remove),    ROW(bb_dispatcher_add),     ROW(bb_dispatcher_replace),
    ROW(bb_dispatcher_fd),        ROW(bb_dispatcher_count),   ROW(bb_dispatcher_timeout_ms),
    ROW(bb_outbox_dead),          ROW(bb_outbox_replay),      ROW(bb_outbox_attempts),
    ROW(bb_outbox_purge),         ROW(bb_outbox_cancel),      ROW(bb_sqlite_enqueue),
    ROW(bb_sqlite_writer_new),    ROW(bb_postgres_enqueue),   ROW(bb_dispatcher_new),
    ROW(bb_outbox_free),          ROW(bb_dispatcher_free),    ROW(bb_sqlite_writer_enqueue),
};

static bool has_row(const char *name) {
    for (size_t i = 0; i < COUNT(rows); i++)
        if (strcmp(rows[i].name, name) == 0)
            return true;
    return false;
}

/* Begins where a declaration ends its name: whether a dispatcher or an outbox is given to it. */
static bool takes_what_forks(const char *declaration) {
    size_t length = strcspn(declaration, ";");
    const char *dispatcher = strstr(declaration, "bb_dispatcher *");
    const char *outbox = strstr(declaration, "bb_outbox *");
    return (dispatcher && dispatcher < declaration + length) ||
           (outbox && outbox < declaration + length);
}

static char *read_file(const char *path) {
    enum { SIZE = 128 * 1024 };
    char *content = calloc(1, SIZE);
    FILE *file = fopen(path, "r");
    assert_true(content != NULL && file != NULL);
    assert_in_range(fread(content, 1, SIZE - 1, file), 1, SIZE - 2);
    fclose(file);
    return content;
}

/* Checks the declarations of one header; how many there are that take one of them. */
static size_t check_header(const char *path) {
    char *header = read_file(path), name[64];
    size_t count = 0;
    for (const char *at = header; (at = strstr(at, "\nBB_API ")) != NULL;) {
        at += strlen("\nBB_API ");
        const char *end = strchr(at, '('), *start = end;
        while (start[-1] != ' ' && start[-1] != '*')
            start--;
        snprintf(name, sizeof name, "%.*s", (int)(end - start), start);
        if (!takes_what_forks(end))
            continue;
        count++;
        if (!has_row(name) && strcmp(name, "bb_sqlite_open") != 0 &&
            strcmp(name, "bb_postgres_open") != 0) /* these make one */
            fail_msg("nobody calls %s in a child", name);
    }
    free(header);
    return count;
}

static void every_function_is_called_in_a_child(void **state) {
    (void)state;
    DIR *folder = opendir(SOURCE_DIR "/include");
    size_t count = 0;
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char path[512];
        snprintf(path, sizeof path, SOURCE_DIR "/include/%s", entry->d_name);
        if (strstr(entry->d_name, ".h"))
            count += check_header(path);
    }
    closedir(folder);
    print_message("%zu functions take a dispatcher or an outbox\n", count);
    assert_int_equal(count, COUNT(rows) + 1); /* a writer is neither */
}

/* ---- the same in children ---- */

/* The exit code of the child: 0, or the number of a row from 1. */
static int call_all(const made *m) {
    for (size_t i = 0; i < COUNT(rows); i++) {
        bb_error error = BB_ERROR_INIT;
        int code = rows[i].call(m, &error);
        if (code != BB_ERR_FORKED || error.code != BB_ERR_FORKED || !strstr(error.text, "parent")) {
            fprintf(stderr, "%s: %s, %s\n", rows[i].name, bb_code_name(code), error.text);
            return (int)i + 1;
        }
    }
    return 0;
}

static void call_all_in_a_child(const made *m) {
    pid_t child = fork();
    if (child == 0) {
        alarm(CHILD_PATIENCE_S);
        _exit(call_all(m));
    }
    assert_int_equal(background_wait_for_child(child), 0);
}

/* Nothing of the parent's is hurt: what waited and what comes then is delivered, each once. */
static void go_on(background *b, const made *m) {
    background_enqueue(b, "before");
    call_all_in_a_child(m);
    background_enqueue(b, "after");
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 2);
    assert_int_equal(server_requests(b->receiver), 2);
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    background_enqueue(b, "driven");
    background_wait_until(b, BB_NOTICE_DELIVERED, 3);
    call_all_in_a_child(m);
    background_enqueue(b, "driven after");
    background_wait_until(b, BB_NOTICE_DELIVERED, 4);
    assert_int_equal(server_requests(b->receiver), 4);
    assert_int_equal(bb_outbox_purge(m->outbox, INT64_MAX, NULL, NULL), BB_OK);
}

static void a_child_is_refused_what_works_on_sqlite(void **state) {
    background *b = *state;
    background_use_own_process(b);
    outbox_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    made m = {.dispatcher = b->dispatcher, .outbox = outbox_now, .db = outbox_open_host()};
    assert_int_equal(bb_sqlite_writer_new(b->dispatcher, m.db, sqlite3_sourceid(), &m.writer, NULL),
                     BB_OK);
    PGconn *nobody = PQconnectStart("host=/nowhere");
    m.conn = nobody;
    go_on(b, &m);
    PQfinish(nobody);
    bb_sqlite_writer_free(m.writer);
    sqlite3_close(m.db);
    outbox_close_all(b);
    assert_int_equal(outbox_count(OUTBOX_EVENTS), 0);
}

static void a_child_is_refused_what_works_on_postgres(void **state) {
    background *b = *state;
    sqlite3 *db = NULL;
    background_use_own_process(b);
    pg_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    made m = {.dispatcher = b->dispatcher, .outbox = b->options.outbox, .db = db};
    m.conn = postgres_connect();
    outbox_make_file(); /* a writer needs a dispatcher that has nothing to do with it */
    bb_outbox *file = outbox_open();
    sqlite3 *host = outbox_open_host();
    assert_int_equal(bb_sqlite_writer_new(b->dispatcher, host, sqlite3_sourceid(), &m.writer, NULL),
                     BB_OK);
    go_on(b, &m);
    bb_sqlite_writer_free(m.writer);
    sqlite3_close(host);
    sqlite3_close(db);
    bb_outbox_free(file);
    outbox_remove_files();
    PQfinish(m.conn);
    pg_close_all(b);
    assert_int_equal(postgres_count("bb_event"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_function_is_called_in_a_child),
        OUTBOX_TEST(a_child_is_refused_what_works_on_sqlite),
        PG_TEST(a_child_is_refused_what_works_on_postgres),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
