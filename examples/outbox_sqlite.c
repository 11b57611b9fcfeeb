/* A program whose issues are in its own SQLite file tells a service of their changes. The event is
 * enqueued in the transaction that makes the change: both are in the file, or neither is.
 *     ./outbox_sqlite https://... app.db
 * With ALLOW_HTTP set the URL may also be http:// and of this machine. */
#include <bb_webhook_sqlite.h>
#include <stdio.h>
#include <stdlib.h>

struct app {
    sqlite3 *db; /* the program's own connection */
    bb_outbox *outbox;
    bb_dispatcher *dispatcher;
    bb_error error;
};

/* Called by whoever drives: here the flush at the end. */
static void on_notice(void *user, const bb_notice *notice) {
    (void)user;
    if (notice->kind == BB_NOTICE_DELIVERED)
        printf("%s was delivered\n", notice->attempt->event_id);
    else
        printf("%s\n", notice->text);
}

static int run(struct app *app, const char *sql) {
    char *problem = NULL;
    if (sqlite3_exec(app->db, sql, NULL, NULL, &problem) == SQLITE_OK)
        return BB_OK;
    snprintf(app->error.text, sizeof app->error.text, "%s: %s", sql, problem);
    sqlite3_free(problem);
    return BB_ERR_OUTBOX;
}

static int open_database(struct app *app, const char *path) {
    if (sqlite3_open(path, &app->db) != SQLITE_OK) {
        snprintf(app->error.text, sizeof app->error.text, "%s: %s", path, sqlite3_errmsg(app->db));
        return BB_ERR_OUTBOX;
    }
    sqlite3_busy_timeout(app->db, 5000); /* the library writes to the same file now and then */
    return run(app, "CREATE TABLE IF NOT EXISTS issue(id INTEGER PRIMARY KEY, status TEXT);"
                    "INSERT OR IGNORE INTO issue VALUES(101, 'OPEN'), (102, 'OPEN')");
}

static int open_dispatcher(struct app *app, const char *url, const char *path) {
    bb_background_options background = BB_BACKGROUND_OPTIONS_INIT;
    bb_options options = BB_OPTIONS_INIT;
    bb_webhook hook = BB_WEBHOOK_INIT;
    int code = bb_sqlite_open(path, NULL, &app->outbox, &app->error);
    background.notify = on_notice;
    background.outbox = app->outbox;
    options.background = &background;
    options.insecure_allow_http = getenv("ALLOW_HTTP") != NULL;
    options.insecure_allow_private_addresses = options.insecure_allow_http;
    hook.id = "my service"; /* what waits is kept under it: the same in every run */
    hook.name = "my service";
    hook.type = BB_CUSTOM;
    hook.url = url;
    hook.activities = BB_ACTIVITY_ALL;
    if (code == BB_OK)
        code = bb_dispatcher_new(&options, &app->dispatcher, &app->error);
    return code == BB_OK ? bb_dispatcher_add(app->dispatcher, &hook, &app->error) : code;
}

/* The change and its event, in one transaction that `end` ends. */
static int resolve(struct app *app, int64_t id, const char *event_id, const char *end) {
    bb_issue issue = BB_ISSUE_INIT;
    bb_event event = BB_EVENT_INIT;
    char sql[120];
    issue.id = id;
    issue.status = BB_ISSUE_DONE;
    event.activity = BB_ISSUE_STATUS_UPDATE;
    event.id = event_id;
    event.issue = &issue;
    snprintf(sql, sizeof sql, "BEGIN IMMEDIATE; UPDATE issue SET status = 'DONE' WHERE id = %lld",
             (long long)id);
    int code = run(app, sql);
    if (code == BB_OK)
        code = bb_sqlite_enqueue(app->dispatcher, app->db, sqlite3_sourceid(), &event, NULL, NULL,
                                 &app->error);
    if (code == BB_OK)
        code = run(app, end);
    if (code == BB_OK) /* where a thread drives: to begin at once and not a little later */
        code = bb_dispatcher_wake(app->dispatcher, &app->error);
    printf("issue %lld: %s\n", (long long)id, code == BB_OK ? end : app->error.text);
    return code;
}

int main(int argc, char **argv) {
    struct app app = {.error = BB_ERROR_INIT};
    size_t waiting = 0;
    if (argc != 3) {
        fprintf(stderr, "usage: %s URL FILE\n", argv[0]);
        return EXIT_FAILURE;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    int code = open_database(&app, argv[2]);
    if (code == BB_OK)
        code = open_dispatcher(&app, argv[1], argv[2]);
    if (code == BB_OK)
        code = resolve(&app, 101, "issue-101-done", "ROLLBACK"); /* is never sent */
    if (code == BB_OK)
        code = resolve(&app, 102, "issue-102-done", "COMMIT");
    if (code == BB_OK) /* drives; what waits for later stays in the file, for the next run */
        code = bb_dispatcher_flush(app.dispatcher, 5000, &app.error);
    if (code != BB_OK)
        fprintf(stderr, "%s\n", app.error.text);
    if (app.dispatcher && bb_dispatcher_stop(app.dispatcher, 5000, &waiting, NULL) == BB_OK)
        printf("%zu waiting in %s\n", waiting, argv[2]);
    bb_dispatcher_free(app.dispatcher);
    bb_outbox_free(app.outbox);
    sqlite3_close(app.db);
    return code == BB_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
