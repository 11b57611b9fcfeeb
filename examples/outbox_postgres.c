/* A program whose issues are in its own PostgreSQL database tells a service of their changes. Each
 * event is enqueued in the transaction that makes the change: both are in the database, or neither
 * is. Any number of processes deliver, on any machines; each event is sent by one of them.
 *     ./outbox_postgres enqueue CONNINFO https://...    changes its issues, sends nothing
 *     ./outbox_postgres deliver CONNINFO https://...    sends what is due, and ends
 *     ./outbox_postgres share CONNINFO https://...      enqueues, and starts two that deliver
 * CONNINFO is libpq's, such as "dbname=app" or a URL. With ALLOW_HTTP set the service's URL may
 * also be http:// and of this machine. */
#include <bb_webhook_postgres.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ISSUES = 300, PATIENCE_MS = 60000 };

extern char **environ;

struct app {
    PGconn *db; /* the program's own connection */
    bb_outbox *outbox;
    bb_dispatcher *dispatcher;
    bb_error error;
};

/* ---- the library ---- */

/* Called by whoever drives: here the flush. */
static void on_notice(void *user, const bb_notice *notice) {
    (void)user;
    if (notice->kind == BB_NOTICE_DELIVERED)
        printf("process %ld delivered %s\n", (long)getpid(), notice->attempt->event_id);
    else
        printf("process %ld: %s\n", (long)getpid(), notice->text);
}

static int open_dispatcher(struct app *app, const char *conninfo, const char *url) {
    bb_background_options background = BB_BACKGROUND_OPTIONS_INIT;
    bb_options options = BB_OPTIONS_INIT;
    bb_webhook hook = BB_WEBHOOK_INIT;
    int code = bb_postgres_open(conninfo, NULL, &app->outbox, &app->error);
    background.notify = on_notice;
    background.outbox = app->outbox;
    options.background = &background;
    options.insecure_allow_http = getenv("ALLOW_HTTP") != NULL;
    options.insecure_allow_private_addresses = options.insecure_allow_http;
    hook.id = "my service"; /* what waits is kept under it: the same in every process */
    hook.name = "my service";
    hook.type = BB_CUSTOM;
    hook.url = url;
    hook.activities = BB_ACTIVITY_ALL;
    if (code == BB_OK)
        code = bb_dispatcher_new(&options, &app->dispatcher, &app->error);
    return code == BB_OK ? bb_dispatcher_add(app->dispatcher, &hook, &app->error) : code;
}

static void close_all(struct app *app) {
    bb_dispatcher_free(app->dispatcher);
    bb_outbox_free(app->outbox);
    PQfinish(app->db);
}

/* ---- enqueue ---- */

static int run(struct app *app, const char *sql) {
    PGresult *result = PQexec(app->db, sql);
    int code = PQresultStatus(result) == PGRES_COMMAND_OK ? BB_OK : BB_ERR_OUTBOX;
    if (code != BB_OK)
        snprintf(app->error.text, sizeof app->error.text, "%.60s: %s", sql,
                 PQerrorMessage(app->db));
    PQclear(result);
    return code;
}

/* "relation exists, skipping" is nothing to tell. */
static void say_nothing(void *user, const char *text) {
    (void)user, (void)text;
}

static int open_database(struct app *app, const char *conninfo) {
    app->db = PQconnectdb(conninfo);
    if (PQstatus(app->db) != CONNECTION_OK) {
        snprintf(app->error.text, sizeof app->error.text, "%s", PQerrorMessage(app->db));
        return BB_ERR_OUTBOX;
    }
    PQsetNoticeProcessor(app->db, say_nothing, NULL);
    return run(app, "CREATE TABLE IF NOT EXISTS issue(id bigint PRIMARY KEY, status text);"
                    "INSERT INTO issue SELECT id, 'OPEN' FROM generate_series(1, 300) AS id"
                    " ON CONFLICT DO NOTHING");
}

/* The change and its event, in one transaction that `end` ends. */
static int resolve(struct app *app, int id, const char *end) {
    bb_issue issue = BB_ISSUE_INIT;
    bb_event event = BB_EVENT_INIT;
    char sql[80], event_id[40];
    snprintf(sql, sizeof sql, "BEGIN; UPDATE issue SET status = 'DONE' WHERE id = %d", id);
    snprintf(event_id, sizeof event_id, "issue-%d-done", id);
    issue.id = id;
    issue.status = BB_ISSUE_DONE;
    event.activity = BB_ISSUE_STATUS_UPDATE;
    event.id = event_id;
    event.issue = &issue;
    int code = run(app, sql);
    if (code == BB_OK)
        code = bb_postgres_enqueue(app->dispatcher, app->db, &event, NULL, NULL, &app->error);
    return code == BB_OK ? run(app, end) : code;
}

static int enqueue(struct app *app, const char *conninfo) {
    int code = open_database(app, conninfo);
    if (code == BB_OK)
        code = resolve(app, 1, "ROLLBACK"); /* is never sent */
    for (int id = 2; code == BB_OK && id <= ISSUES; id++)
        code = resolve(app, id, "COMMIT");
    if (code == BB_OK)
        printf("issue 1: ROLLBACK, issues 2 to %d: COMMIT\n", ISSUES);
    return code;
}

/* ---- deliver ---- */

/* What waits for later, and what another process has, stays in the database. */
static int deliver(struct app *app) {
    int code = bb_dispatcher_flush(app->dispatcher, PATIENCE_MS, &app->error);
    bb_dispatcher_stop(app->dispatcher, PATIENCE_MS, NULL, NULL);
    printf("process %ld has ended\n", (long)getpid());
    return code;
}

static int run_mode(const char *mode, const char *conninfo, const char *url) {
    struct app app = {.error = BB_ERROR_INIT};
    int code = open_dispatcher(&app, conninfo, url);
    if (code == BB_OK)
        code = strcmp(mode, "deliver") == 0 ? deliver(&app) : enqueue(&app, conninfo);
    if (code != BB_OK)
        fprintf(stderr, "process %ld: %s\n", (long)getpid(), app.error.text);
    close_all(&app);
    return code == BB_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Programs of their own: nothing of the library's may be used in a fork of its process. */
static int share(char **arguments) {
    enum { PROCESSES = 2 };
    char *deliver_arguments[] = {arguments[0], "deliver", arguments[2], arguments[3], NULL};
    pid_t pids[PROCESSES];
    int failed = 0, status;
    for (int i = 0; i < PROCESSES; i++)
        if (posix_spawnp(&pids[i], arguments[0], NULL, NULL, deliver_arguments, environ) != 0)
            pids[i] = -1;
    for (int i = 0; i < PROCESSES; i++)
        failed |= pids[i] < 0 || waitpid(pids[i], &status, 0) < 0 || status != 0;
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    const char *mode = argc == 4 ? argv[1] : "";
    int shares = strcmp(mode, "share") == 0;
    if (!shares && strcmp(mode, "enqueue") != 0 && strcmp(mode, "deliver") != 0) {
        fprintf(stderr, "usage: %s enqueue|deliver|share CONNINFO URL\n", argv[0]);
        return EXIT_FAILURE;
    }
    setvbuf(stdout, NULL, _IOLBF, 0); /* whole lines of several processes */
    int status = run_mode(mode, argv[2], argv[3]);
    return shares && status == EXIT_SUCCESS ? share(argv) : status;
}
