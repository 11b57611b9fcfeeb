/*
 * A process that works with the outbox is killed by SIGKILL before its first SQL statement, its
 * second, and so on to its last: within enqueueing, fanning out, leasing, settling, and between
 * them. Each time the next process finds the host's data and the events consistent, delivers
 * everything that was committed, nothing else, and what it sends again has the same webhook-id.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/outbox.h"

enum { MOST_POINTS = 4000, MOST_UNDER_WAY = 8 }; /* the latter: of a webhook, by default */

static const char *const hooks[] = {"fine", "busy", "gone"};
static const uint32_t soon[] = {1};

/* What the one that is killed has to do. */
static struct {
    int issues;
    size_t hooks; /* the first so many */
} task;

/* ---- the one that is killed */

static int statements_left;

static int on_statement(unsigned what, void *user, void *statement, void *text) {
    (void)what, (void)user, (void)statement, (void)text;
    if (--statements_left == 0)
        kill(getpid(), SIGKILL);
    return 0;
}

/* Of every connection, the outbox's own one too. */
static int watch(sqlite3 *db, char **error, const struct sqlite3_api_routines *api) {
    (void)error, (void)api;
    return sqlite3_trace_v2(db, SQLITE_TRACE_STMT, on_statement, NULL);
}

static void add_hooks(bb_dispatcher *dispatcher, server *receiver) {
    for (size_t i = 0; i < task.hooks; i++) {
        char path[32];
        bb_webhook hook = BB_WEBHOOK_INIT;
        snprintf(path, sizeof path, "/%s", hooks[i]);
        hook.id = hook.name = hooks[i];
        hook.type = BB_CUSTOM;
        hook.url = server_url(receiver, path);
        hook.activities = BB_ACTIVITY_ALL;
        if (bb_dispatcher_add(dispatcher, &hook, NULL) != BB_OK)
            _exit(3);
    }
}

static bb_dispatcher *make_dispatcher(bb_outbox *outbox, server *receiver) {
    bb_options options = posting_options();
    bb_background_options settings = BB_BACKGROUND_OPTIONS_INIT;
    bb_dispatcher *dispatcher = NULL;
    settings.outbox = outbox;
    settings.retry_delays_ms = soon;
    settings.retry_delay_count = 1;
    options.background = &settings;
    options.timeout_ms = BACKGROUND_ATTEMPT_MS;
    if (bb_dispatcher_new(&options, &dispatcher, NULL) != BB_OK)
        _exit(3);
    add_hooks(dispatcher, receiver);
    return dispatcher;
}

/* The host's change and its event, together; told as soon as they are committed. */
static void change(bb_dispatcher *dispatcher, sqlite3 *db, int number, int ack) {
    char name[16], sql[80];
    bb_issue issue = BB_ISSUE_INIT;
    bb_event event = BB_EVENT_INIT;
    snprintf(name, sizeof name, "issue-%d", number);
    snprintf(sql, sizeof sql, "BEGIN; INSERT INTO issue VALUES(%d)", number);
    issue.id = number;
    issue.name = name;
    event.activity = BB_ISSUE_CREATE;
    event.id = name;
    event.issue = &issue;
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK ||
        bb_sqlite_enqueue(dispatcher, db, sqlite3_sourceid(), &event, NULL, NULL, NULL) != BB_OK ||
        sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK ||
        write(ack, &number, sizeof number) != (ssize_t)sizeof number)
        _exit(3);
}

static void work_until_killed(server *receiver, int point, int ack) {
    sqlite3 *db = NULL;
    statements_left = point;
    sqlite3_auto_extension((void (*)(void))watch);
    bb_outbox *outbox = outbox_open();
    bb_dispatcher *dispatcher = make_dispatcher(outbox, receiver);
    if (sqlite3_open(outbox_path, &db) != SQLITE_OK)
        _exit(3);
    sqlite3_busy_timeout(db, 5000);
    for (int i = 0; i < task.issues; i++)
        change(dispatcher, db, i, ack);
    if (bb_dispatcher_wake(dispatcher, NULL) != BB_OK ||
        bb_dispatcher_flush(dispatcher, 20000, NULL) != BB_OK)
        _exit(3);
    _exit(0); /* without an end in good order: that is a crash, too */
}

/* False: it came to its end before that point. */
static bool kill_at(background *b, int point, size_t *acknowledged) {
    int ends[2], status = 0, number;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        work_until_killed(b->receiver, point, ends[1]);
    close(ends[1]);
    for (*acknowledged = 0; read(ends[0], &number, sizeof number) == (ssize_t)sizeof number;)
        ++*acknowledged;
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status))
        assert_int_equal(WEXITSTATUS(status), 0);
    return WIFSIGNALED(status);
}

/* ---- the next one */

static void recover(background *b) {
    sqlite3 *db = outbox_open_host();
    sqlite3_exec(db, "UPDATE bb_delivery SET leased_until_ms = 0", NULL, NULL, NULL); /* later */
    sqlite3_close(db);
    bb_outbox *outbox = outbox_open();
    bb_dispatcher *dispatcher = make_dispatcher(outbox, b->receiver);
    while (outbox_count("bb_delivery") > 0 ||
           outbox_count(OUTBOX_EVENTS " AND NOT EXISTS (SELECT 1 FROM bb_dead WHERE event ="
                                      " bb_event.number)") > 0)
        assert_int_equal(bb_dispatcher_flush(dispatcher, 20000, NULL), BB_OK);
    assert_int_equal(bb_dispatcher_free(dispatcher), BB_OK);
    bb_outbox_free(outbox);
}

/* How often the hook was asked about the issue; always with the same id. */
static size_t requests_for(background *b, const char *hook, int issue) {
    char path[32], name[32], id[80] = "";
    size_t found = 0;
    snprintf(path, sizeof path, "/%s", hook);
    snprintf(name, sizeof name, "\"issue-%d\"", issue);
    for (size_t i = 0; i < server_requests(b->receiver); i++) {
        const server_request *request = server_request_at(b->receiver, i);
        if (strcmp(request->path, path) != 0 || strstr(request->body, name) == NULL)
            continue;
        const char *its = server_header(request, "webhook-id");
        assert_true(found == 0 || strcmp(id, its) == 0);
        snprintf(id, sizeof id, "%s", its);
        found++;
    }
    return found;
}

static size_t check(background *b, size_t acknowledged) {
    size_t again = 0, committed = (size_t)outbox_count("issue");
    assert_in_range(committed, acknowledged, task.issues);
    for (int i = 0; i < task.issues; i++) {
        size_t least = (size_t)i < committed, fine = requests_for(b, "fine", i);
        assert_in_range(fine, least, 2 * least);
        again += fine - least;
        if (task.hooks == 1)
            continue;
        size_t gone = requests_for(b, "gone", i);
        assert_in_range(gone, least, 2 * least);
        assert_in_range(requests_for(b, "busy", i), least, 4 * least);
        again += gone - least;
    }
    assert_int_equal(outbox_count("bb_dead"), task.hooks == 1 ? 0 : committed); /* of "gone" */
    return again;
}

static bool crash_and_recover(int point, size_t *again) {
    static const server_step fine = {.status = 200, .body = "{\"code\":0}"}, gone = {.status = 404};
    static const server_step busy[] = {{.status = 503}, {.status = 200, .body = "{\"code\":0}"}};
    void *state = NULL;
    size_t acknowledged;
    assert_int_equal(outbox_setup(&state), 0);
    background *b = state;
    server_on(b->receiver, "/fine", &fine, 1);
    server_on(b->receiver, "/busy", busy, 2);
    server_on(b->receiver, "/gone", &gone, 1);
    sqlite3 *db = outbox_open_host();
    outbox_run(db, "CREATE TABLE issue(id INTEGER PRIMARY KEY)");
    sqlite3_close(db);
    bool is_killed = kill_at(b, point, &acknowledged);
    recover(b);
    *again += check(b, acknowledged);
    assert_int_equal(outbox_teardown(&state), 0);
    return is_killed;
}

/* The receiver answers at once, so that nearly all that was begun was answered. */
static void no_more_is_sent_again_than_may_be_under_way(void **state) {
    enum { STRIDE = 29 };
    size_t most = 0, kills = 0;
    (void)state;
    task.issues = 40;
    task.hooks = 1;
    for (int point = 1; point < MOST_POINTS; point += STRIDE, kills++) {
        size_t again = 0;
        if (!crash_and_recover(point, &again))
            break;
        most = most < again ? again : most;
        assert_in_range(again, 0, MOST_UNDER_WAY);
    }
    print_message("killed %zu times: at most %zu were sent again\n", kills, most);
    assert_in_range(kills, 10, MOST_POINTS / STRIDE - 1);
    assert_in_range(most, 1, MOST_UNDER_WAY);
}

static void nothing_is_lost_wherever_the_process_is_killed(void **state) {
    int point = 1;
    size_t again = 0;
    (void)state;
    task.issues = 3;
    task.hooks = 3;
    while (point < MOST_POINTS && crash_and_recover(point, &again))
        point++;
    assert_in_range(point, 50, MOST_POINTS - 1);
    print_message("killed at %d points, one after the other; %zu deliveries were sent again\n",
                  point - 1, again);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_wherever_the_process_is_killed),
        cmocka_unit_test(no_more_is_sent_again_than_may_be_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
