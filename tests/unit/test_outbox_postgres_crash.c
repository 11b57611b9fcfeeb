/*
 * A process that works with the outbox in PostgreSQL is killed by SIGKILL at one point, at the next
 * one, and so on to its last: before and after each statement of its own and of the outbox's, each
 * request that is sent, and each answer that is read. What it had said to the server up to then has
 * arrived there. Each time the next process finds the host's data and the events consistent,
 * delivers everything that was committed, nothing else, and what it sends again has the same
 * webhook-id and was under way, or answered and not written down, when the first one died.
 */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <dlfcn.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "driver/store_leases.h"
#include "driver/store_postgres_db.h"
#include "support/alloc.h"
#include "support/outbox_postgres.h"

enum { MOST_POINTS = 2000, MOST_IN_FLIGHT = 8 }; /* the latter: of a webhook, when nothing is set */

static const char *const hooks[] = {"fine", "busy", "gone"};
static const uint32_t soon[] = {1};

/* What the process does: so many changes, told to the first so many of the hooks. */
static struct {
    int issues;
    size_t hooks;
    int answer_ms; /* how long the receiver of the first one takes */
} task;

/* ---- the points ---- */

enum step { INSERT, COMMIT, CLAIM, SETTLE, OTHER, SEND, ANSWER, STEPS_COUNT };
enum side { BEFORE, AFTER, SIDES };

static const char *const names[] = {"insert", "commit", "claim", "settle",
                                    "other",  "send",   "answer"};

/* What the process that is killed leaves behind. */
static struct {
    unsigned steps; /* at which it was killed, as bits: one exchange may have several */
    enum side side;
    size_t begun;     /* requests */
    size_t answered;  /* of them, as far as it knew */
    size_t settled;   /* of these, committed as far as it knew */
    size_t in_flight; /* at most, at one time */
} * left;

static int points_left; /* 0: this process is not to be killed */
static unsigned asked;  /* steps of the exchange that has begun */
static size_t settling; /* deliveries in it */

static void reach(unsigned steps, enum side side) {
    if (points_left == 0 || --points_left > 0)
        return;
    left->steps = steps;
    left->side = side;
    kill(getpid(), SIGKILL);
}

static bool is(const char *sql, enum bb_pg which) {
    return strcmp(sql, bb_postgres_db_text(which)) == 0;
}

static enum step step_of(const char *sql) {
    if (is(sql, BB_PG_PUT) || strncmp(sql, "BEGIN; INSERT", 13) == 0)
        return INSERT;
    if (is(sql, BB_PG_DUE) || is(sql, BB_PG_FAN_OUT))
        return CLAIM;
    if (is(sql, BB_PG_END) || is(sql, BB_PG_RETRY))
        return SETTLE;
    return strcmp(sql, "COMMIT") == 0 ? COMMIT : OTHER;
}

/* What was sent is at the server, which has begun to answer. */
static void wait_for_server(PGconn *conn) {
    struct pollfd ready = {.fd = PQsocket(conn), .events = POLLIN};
    while (PQflush(conn) == 1)
        ;
    poll(&ready, 1, 1000);
}

#define REAL(function)                                                                             \
    __typeof__(function) *real;                                                                    \
    *(void **)&real = dlsym(RTLD_NEXT, #function)

int PQsendQueryParams(PGconn *conn, const char *sql, int count, const Oid *types,
                      const char *const *values, const int *lengths, const int *formats,
                      int result_format) {
    REAL(PQsendQueryParams);
    enum step step = step_of(sql);
    if (points_left == 1 && asked != 0) {
        PQsendFlushRequest(conn);
        wait_for_server(conn);
    }
    reach(1u << step, BEFORE);
    asked |= 1u << step;
    for (const char *at = values && step == SETTLE ? values[0] : NULL; at; at = strchr(at + 1, ','))
        settling++;
    return real(conn, sql, count, types, values, lengths, formats, result_format);
}

int PQpipelineSync(PGconn *conn) {
    REAL(PQpipelineSync);
    int ok = real(conn);
    if (points_left == 1)
        wait_for_server(conn);
    reach(asked, AFTER);
    return ok;
}

PGresult *PQgetResult(PGconn *conn) {
    REAL(PQgetResult);
    PGresult *result = real(conn);
    if (PQresultStatus(result) != PGRES_PIPELINE_SYNC || points_left == 0)
        return result;
    if (asked & 1u << COMMIT) {
        left->settled += settling;
        settling = 0;
    }
    reach(asked, AFTER);
    asked = 0;
    return result;
}

/* The host's own statements. */
PGresult *PQexec(PGconn *conn, const char *sql) {
    REAL(PQexec);
    reach(1u << step_of(sql), BEFORE);
    PGresult *result = real(conn, sql);
    reach(1u << step_of(sql), AFTER);
    return result;
}

PGresult *PQexecParams(PGconn *conn, const char *sql, int count, const Oid *types,
                       const char *const *values, const int *lengths, const int *formats,
                       int result_format) {
    REAL(PQexecParams);
    reach(1u << step_of(sql), BEFORE);
    PGresult *result = real(conn, sql, count, types, values, lengths, formats, result_format);
    reach(1u << step_of(sql), AFTER);
    return result;
}

/* libpq's are to a socket in a folder. */
static bool is_receivers(int fd) {
    struct sockaddr_storage peer = {0};
    socklen_t size = sizeof(peer);
    return points_left > 0 && getpeername(fd, (struct sockaddr *)&peer, &size) == 0 &&
           peer.ss_family == AF_INET;
}

ssize_t send(int fd, const void *bytes, size_t length, int flags) {
    REAL(send);
    bool is_request = is_receivers(fd) && length > 5 && memcmp(bytes, "POST ", 5) == 0;
    if (is_request)
        reach(1u << SEND, BEFORE);
    ssize_t sent = real(fd, bytes, length, flags);
    if (is_request && sent > 0) {
        left->begun++;
        if (left->in_flight < left->begun - left->answered)
            left->in_flight = left->begun - left->answered;
        reach(1u << SEND, AFTER);
    }
    return sent;
}

ssize_t recv(int fd, void *bytes, size_t length, int flags) {
    REAL(recv);
    char first[5];
    bool is_answer = is_receivers(fd) && real(fd, first, sizeof(first), MSG_PEEK) == 5 &&
                     memcmp(first, "HTTP/", 5) == 0;
    if (is_answer)
        reach(1u << ANSWER, BEFORE);
    ssize_t got = real(fd, bytes, length, flags);
    if (is_answer) {
        left->answered++;
        reach(1u << ANSWER, AFTER);
    }
    return got;
}

/* ---- the one that is killed ---- */

static void add_hooks(bb_dispatcher *dispatcher, server *receiver) {
    for (size_t i = 0; i < task.hooks; i++) {
        char path[32];
        snprintf(path, sizeof(path), "/%s", hooks[i]);
        bb_webhook hook = posting_hook(BB_CUSTOM, hooks[i], server_url(receiver, path));
        hook.no_rate = 1;
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

static bool is_done(PGresult *result) {
    bool is_good = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    return is_good;
}

/* The host's change and its event, together; told as soon as they are committed. */
static void change(bb_dispatcher *dispatcher, PGconn *db, int number, int ack) {
    char name[16], sql[80];
    bb_issue issue = BB_ISSUE_INIT;
    bb_event event = BB_EVENT_INIT;
    snprintf(name, sizeof(name), "issue-%d", number);
    snprintf(sql, sizeof(sql), "BEGIN; INSERT INTO issue VALUES(%d)", number);
    issue.id = number;
    issue.name = name;
    event.activity = BB_ISSUE_CREATE;
    event.id = name;
    event.issue = &issue;
    if (!is_done(PQexec(db, sql)) ||
        bb_postgres_enqueue(dispatcher, db, &event, NULL, NULL, NULL) != BB_OK ||
        !is_done(PQexec(db, "COMMIT")) ||
        write(ack, &number, sizeof(number)) != (ssize_t)sizeof(number))
        _exit(3);
}

static void make_tables(server *receiver, int ack) {
    (void)receiver, (void)ack;
    pg_open_outbox();
    _exit(0); /* without an end in good order: that is a crash, too */
}

static void work(server *receiver, int ack) {
    bb_outbox *outbox = pg_open_outbox();
    bb_dispatcher *dispatcher = make_dispatcher(outbox, receiver);
    PGconn *db = postgres_connect();
    for (int i = 0; i < task.issues; i++)
        change(dispatcher, db, i, ack);
    if (bb_dispatcher_wake(dispatcher, NULL) != BB_OK ||
        bb_dispatcher_flush(dispatcher, 20000, NULL) != BB_OK)
        _exit(3);
    _exit(0);
}

/* Its server processes may still be at what it told them last. */
static void wait_until_alone(PGconn *db) {
    const struct timespec moment = {.tv_nsec = 1000000};
    int64_t end_ms = server_now_ms() + BACKGROUND_PATIENCE_MS;
    while (postgres_run(db, "SELECT count(*) FROM pg_stat_activity WHERE"
                            " datname = current_database() AND pid <> pg_backend_pid()") > 0) {
        assert_true(server_now_ms() < end_ms);
        nanosleep(&moment, NULL);
    }
}

/* False: it came to its end before that point. */
static bool kill_at(server *receiver, void (*run)(server *receiver, int ack), int point,
                    size_t *acknowledged) {
    int ends[2], status = 0, number;
    memset(left, 0, sizeof(*left));
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        points_left = point;
        run(receiver, ends[1]);
    }
    close(ends[1]);
    for (*acknowledged = 0; read(ends[0], &number, sizeof(number)) == (ssize_t)sizeof(number);)
        ++*acknowledged;
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status))
        assert_int_equal(WEXITSTATUS(status), 0);
    return WIFSIGNALED(status);
}

/* ---- the next one ---- */

static void recover(server *receiver, PGconn *db) {
    bb_outbox *outbox = pg_open_outbox();
    postgres_run(db, "UPDATE bb_delivery SET leased_until_ms = 0 WHERE lease <> 0"); /* later */
    bb_dispatcher *dispatcher = make_dispatcher(outbox, receiver);
    int64_t end_ms = server_now_ms() + BACKGROUND_PATIENCE_MS;
    while (postgres_run(db, "SELECT (SELECT count(*) FROM bb_delivery) +"
                            " (SELECT count(*) FROM bb_event WHERE open IS NULL)") > 0) {
        assert_true(server_now_ms() < end_ms);
        assert_int_equal(bb_dispatcher_flush(dispatcher, BACKGROUND_PATIENCE_MS, NULL), BB_OK);
    }
    assert_int_equal(bb_dispatcher_free(dispatcher), BB_OK);
    bb_outbox_free(outbox);
}

/* How often the hook was asked about the issue; always with the same id. */
static size_t requests_for(server *receiver, const char *hook, int issue) {
    char path[32], name[32], id[80] = "";
    size_t found = 0;
    snprintf(path, sizeof(path), "/%s", hook);
    snprintf(name, sizeof(name), "\"issue-%d\"", issue);
    for (size_t i = 0; i < server_requests(receiver); i++) {
        const server_request *request = server_request_at(receiver, i);
        if (strcmp(request->path, path) != 0 || strstr(request->body, name) == NULL)
            continue;
        const char *its = server_header(request, "webhook-id");
        assert_true(found == 0 || strcmp(id, its) == 0);
        snprintf(id, sizeof(id), "%s", its);
        found++;
    }
    return found;
}

/* How many were sent again. */
static size_t check(server *receiver, PGconn *db, size_t acknowledged) {
    size_t again = 0, committed = (size_t)postgres_run(db, "SELECT count(*) FROM issue");
    assert_in_range(committed, acknowledged, task.issues);
    for (size_t hook = 0; hook < task.hooks; hook++)
        for (int i = 0; i < task.issues; i++) {
            size_t least = (size_t)i < committed,
                   at_once = strcmp(hooks[hook], "busy") == 0 ? 2 : 1;
            size_t times = requests_for(receiver, hooks[hook], i);
            assert_in_range(times, least, 2 * at_once * least);
            again += times > at_once ? times - at_once : 0;
        }
    assert_true(again <= left->begun - left->settled);
    assert_in_range(left->in_flight, 0, MOST_IN_FLIGHT * task.hooks);
    return again;
}

/* ---- the matrix ---- */

struct figures {
    size_t points[STEPS_COUNT][SIDES];
    size_t again, most_again, most_in_flight;
};

static void note(struct figures *figures, size_t again) {
    figures->again += again;
    if (figures->most_again < again)
        figures->most_again = again;
    if (figures->most_in_flight < left->in_flight)
        figures->most_in_flight = left->in_flight;
    for (int step = 0; step < STEPS_COUNT; step++)
        figures->points[step][left->side] += left->steps >> step & 1;
}

static void set_scripts(server *receiver) {
    static const server_step gone = {.status = 404};
    const server_step fine = {.status = 200, .delay_ms = task.answer_ms, .body = "{\"code\":0}"};
    static const server_step busy[] = {{.status = 503}, {.status = 200, .body = "{\"code\":0}"}};
    server_on(receiver, "/fine", &fine, 1);
    server_on(receiver, "/busy", busy, 2);
    server_on(receiver, "/gone", &gone, 1);
}

/* Whatever tables there are. */
static const char empty_all[] =
    "DO $$ DECLARE t text; BEGIN FOR t IN SELECT tablename FROM pg_tables WHERE"
    " schemaname = 'public' AND tablename <> 'bb_outbox_version' LOOP"
    " EXECUTE format('DELETE FROM %I', t); END LOOP; END $$";

static bool crash_and_recover(PGconn *db, int point, struct figures *figures) {
    const server_options apart = {.own_process = 1}; /* a program without threads can be forked */
    size_t acknowledged;
    server *receiver = server_start(&apart);
    set_scripts(receiver);
    postgres_run(db, empty_all);
    bool is_killed = kill_at(receiver, work, point, &acknowledged);
    wait_until_alone(db);
    recover(receiver, db);
    note(figures, check(receiver, db, acknowledged));
    server_stop(receiver);
    return is_killed;
}

static void print_points(const struct figures *figures) {
    for (int step = 0; step < STEPS_COUNT; step++) {
        const size_t *sides = figures->points[step];
        print_message("    %-6s before %3zu, after %3zu\n", names[step], sides[BEFORE],
                      sides[AFTER]);
        assert_true(sides[BEFORE] > 0 && sides[AFTER] > 0);
    }
}

/* At every `stride`th point. */
static void kill_again_and_again(int stride, struct figures *figures) {
    int point = 1, kills = 0;
    postgres_fresh();
    bb_outbox_free(pg_open_outbox());
    PGconn *db = postgres_connect();
    postgres_run(db, "CREATE TABLE issue(id bigint PRIMARY KEY)");
    for (; point < MOST_POINTS && crash_and_recover(db, point, figures); point += stride)
        kills++;
    PQfinish(db);
    assert_in_range(point, 50, MOST_POINTS - 1);
    print_message("killed %d times, at every point number %d of %d;\n    sent again at most %zu of"
                  " one crash, in flight at most %zu\n",
                  kills, stride, point - 1, figures->most_again, figures->most_in_flight);
}

static void nothing_is_lost_wherever_the_process_is_killed(void **state) {
    (void)state;
    struct figures figures = {0};
    task.issues = alloc_scale() > 1 ? 3 : 2;
    task.hooks = 3;
    task.answer_ms = 0;
    kill_again_and_again(1, &figures);
    print_points(&figures);
}

static void kill_with_one_hook(int answer_ms, struct figures *figures) {
    task.issues = 40;
    task.hooks = 1;
    task.answer_ms = answer_ms;
    kill_again_and_again(alloc_scale() > 1 ? 7 : 41, figures);
    assert_in_range(figures->most_again, 1, MOST_IN_FLIGHT);
}

/* While as much is under way as ever is. */
static void what_is_sent_again_was_under_way(void **state) {
    (void)state;
    struct figures figures = {0};
    kill_with_one_hook(2 * BB_LEASES_WRITE_MS, &figures);
    assert_int_equal(figures.most_in_flight, MOST_IN_FLIGHT);
}

/* Answers that come at once wait to be written. */
static void no_more_is_sent_again_than_may_be_under_way(void **state) {
    (void)state;
    struct figures figures = {0};
    kill_with_one_hook(0, &figures);
}

static void tables_are_made_whole_or_not_at_all(void **state) {
    (void)state;
    size_t none;
    int point = 1, stride = alloc_scale() > 1 ? 1 : 3;
    static const char count[] = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    postgres_fresh();
    PGconn *db = postgres_connect();
    for (bool is_killed = true; is_killed; point += stride) {
        postgres_run(db, "SET client_min_messages = warning; DROP SCHEMA public CASCADE;"
                         " CREATE SCHEMA public");
        is_killed = kill_at(NULL, make_tables, point, &none);
        wait_until_alone(db);
        long long tables = postgres_run(db, count);
        bb_outbox_free(pg_open_outbox());
        assert_true(tables == 0 || tables == postgres_run(db, count));
    }
    PQfinish(db);
    assert_in_range(point, 10, MOST_POINTS - 1);
    print_message("killed at every point number %d of %d while tables were made\n", stride, point);
}

int main(void) {
    left = mmap(NULL, sizeof(*left), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_wherever_the_process_is_killed),
        cmocka_unit_test(what_is_sent_again_was_under_way),
        cmocka_unit_test(no_more_is_sent_again_than_may_be_under_way),
        cmocka_unit_test(tables_are_made_whole_or_not_at_all),
    };
    return left == MAP_FAILED || cmocka_run_group_tests(tests, NULL, NULL);
}
