/* The outbox in SQLite on a disk that is full or broken, in a file that may not be written or that
 * somebody else writes: a clear error for who enqueues, nothing lost, nothing sent twice, and work
 * goes on by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/disk.h"
#include "support/outbox.h"

enum { MANY = 5, MOST_POINTS = 500 };

static char trouble[512]; /* what the log was told of the outbox, the last */

static void note_trouble(void *user, bb_level level, const char *text) {
    (void)user, (void)level;
    if (strncmp(text, "outbox", 6) == 0)
        snprintf(trouble, sizeof trouble, "%s", text);
}

static void open_all(background *b) {
    trouble[0] = '\0';
    outbox_now = outbox_open();
    b->options.outbox = outbox_now;
    bb_options options = background_bb_options(b);
    options.log = note_trouble;
    b->dispatcher = posting_dispatcher(&options);
    background_add_healthy(b, BB_CUSTOM, "hook");
}

/* ---- the disk ---- */

/* Events that were taken, by their ids; the others were refused with these words. */
static size_t taken;
static bool was_taken[2 * MANY];

static void enqueue_one(background *b, int number, const char *words) {
    char id[32];
    bb_event event = BB_EVENT_INIT;
    bb_error error = BB_ERROR_INIT;
    snprintf(id, sizeof id, "event-%d-", number);
    event.activity = BB_ISSUE_CREATE;
    event.id = event.title = id;
    int code = bb_webhook_enqueue(b->dispatcher, &event, NULL, NULL, &error);
    was_taken[number] = code == BB_OK;
    taken += was_taken[number];
    if (code != BB_OK) {
        assert_int_equal(code, BB_ERR_OUTBOX);
        assert_non_null(strstr(error.text, words));
    }
}

static void enqueue_many(background *b, const char *words) {
    char ids[MANY][32];
    bb_event events[MANY];
    const bb_event *pointers[MANY];
    bb_error error = BB_ERROR_INIT;
    for (int i = 0; i < MANY; i++) {
        snprintf(ids[i], sizeof ids[i], "event-%d-", MANY + i);
        events[i] = (bb_event)BB_EVENT_INIT;
        events[i].activity = BB_ISSUE_CREATE;
        events[i].id = events[i].title = ids[i];
        pointers[i] = &events[i];
    }
    int code = bb_webhook_enqueue_many(b->dispatcher, pointers, MANY, NULL, NULL, &error);
    for (int i = 0; i < MANY; i++)
        was_taken[MANY + i] = code == BB_OK;
    taken += code == BB_OK ? MANY : 0;
    if (code != BB_OK) {
        assert_int_equal(code, BB_ERR_OUTBOX);
        assert_non_null(strstr(error.text, words));
    }
}

static size_t requests_for(background *b, int number) {
    char id[32];
    size_t count = 0;
    snprintf(id, sizeof id, "event-%d-", number);
    for (size_t i = 0; i < server_requests(b->receiver); i++)
        count += strstr(server_request_at(b->receiver, i)->body, id) != NULL;
    return count;
}

/* Whatever could be done is done; then the trouble passes, and so does the rest. False: the disk
 * was not needed so often. */
static bool live_through(size_t point, int code, const char *words) {
    void *state = NULL;
    assert_int_equal(outbox_setup(&state), 0);
    background *b = state;
    open_all(b);
    taken = 0;
    disk_fail_from(point, code);
    for (int i = 0; i < MANY; i++)
        enqueue_one(b, i, words);
    enqueue_many(b, words);
    bb_dispatcher_flush(b->dispatcher, 100, NULL);
    bool has_failed = disk_failures() > 0;
    disk_fail_from(0, SQLITE_OK);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], taken);
    for (int i = 0; i < 2 * MANY; i++)
        assert_int_equal(requests_for(b, i), was_taken[i]);
    if (!has_failed)
        assert_int_equal(taken, 2 * MANY);
    assert_int_equal(background_stats(b, NULL).waiting, 0);
    outbox_close_all(b);
    assert_int_equal(outbox_count("bb_delivery"), 0);
    assert_int_equal(outbox_count(OUTBOX_EVENTS), 0);
    assert_int_equal(outbox_teardown(&state), 0);
    return has_failed;
}

static void live_through_each(const char *what, int code, const char *words) {
    size_t point = 1;
    while (point < MOST_POINTS && live_through(point, code, words))
        point++;
    print_message("%s: %zu points\n", what, point - 1);
    assert_in_range(point, 10, MOST_POINTS - 1);
}

static void a_full_disk_loses_nothing(void **state) {
    (void)state;
    live_through_each("a full disk", SQLITE_FULL, "database or disk is full");
}

static void a_broken_disk_loses_nothing(void **state) {
    (void)state;
    live_through_each("a broken disk", SQLITE_IOERR_WRITE, "disk I/O error");
}

/* Of the disk the log is told at once. */
static void the_log_is_told_why_nothing_can_be_written(void **state) {
    background *b = *state;
    open_all(b);
    background_enqueue(b, "one");
    disk_fail_from(1, SQLITE_FULL);
    assert_int_equal(bb_dispatcher_flush(b->dispatcher, 200, NULL), BB_ERR_TIMEOUT);
    assert_string_equal(trouble, "outbox: database or disk is full");
    disk_fail_from(0, SQLITE_OK);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 1);
}

static void a_file_that_may_not_be_written_is_an_error(void **state) {
    (void)state;
    bb_outbox *outbox = NULL;
    bb_error error = BB_ERROR_INIT;
    bb_outbox_free(outbox_open());
    disk_make_read_only(1);
    assert_int_equal(bb_sqlite_open(outbox_path, NULL, &outbox, &error), BB_ERR_OUTBOX);
    disk_make_read_only(0);
    assert_null(outbox);
    if (!strstr(error.text, "readonly database"))
        fail_msg("%s", error.text);
    bb_outbox_free(outbox_open());
}

/* ---- somebody else who writes ---- */

/* A process that has the right to write until its pipe is closed. */
struct writer {
    pid_t process;
    int pipe;
};

static void hold_the_lock(int ready, int until) {
    sqlite3 *db = NULL;
    char byte = 0;
    if (sqlite3_open(outbox_path, &db) != SQLITE_OK ||
        sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK ||
        write(ready, &byte, 1) != 1)
        _exit(1);
    while (read(until, &byte, 1) > 0)
        ;
    _exit(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK ? 0 : 1);
}

static struct writer begin_to_write(void) {
    int ready[2], until[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(until), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(until[1]);
        hold_the_lock(ready[1], until[0]);
    }
    close(ready[1]);
    close(until[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return (struct writer){child, until[1]};
}

static void end_to_write(struct writer writer) {
    int status = 0;
    close(writer.pipe);
    assert_int_equal(waitpid(writer.process, &status, 0), writer.process);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void what_ends_while_another_process_writes_is_written_after_it(void **state) {
    static const server_step hold = {.status = 200, .hold = 1, .body = "{\"code\":0}"};
    background *b = *state;
    open_all(b);
    server_on(b->receiver, "/hook", &hold, 1);
    background_enqueue(b, "one");
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    assert_true(server_wait_requests(b->receiver, 1, BACKGROUND_PATIENCE_MS));
    struct writer writer = begin_to_write();
    server_release(b->receiver);
    background_wait_until(b, BB_NOTICE_DELIVERED, 1); /* it is known, and not written */
    assert_int_equal(outbox_count("bb_delivery"), 1);
    end_to_write(writer);
    background_flush(b);
    assert_int_equal(outbox_count("bb_delivery"), 0);
    assert_int_equal(server_requests(b->receiver), 1);
}

static void *enqueue_meanwhile(void *user) {
    background_enqueue(user, "meanwhile");
    return NULL;
}

static void who_enqueues_waits_for_another_process(void **state) {
    background *b = *state;
    pthread_t thread;
    open_all(b);
    struct writer writer = begin_to_write();
    assert_int_equal(pthread_create(&thread, NULL, enqueue_meanwhile, b), 0);
    assert_int_equal(outbox_count(OUTBOX_EVENTS), 0);
    end_to_write(writer);
    pthread_join(thread, NULL);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 1);
}

static void who_waits_too_long_is_told_so(void **state) {
    background *b = *state;
    bb_error error = BB_ERROR_INIT;
    bb_event event = BB_EVENT_INIT;
    event.activity = BB_ISSUE_CREATE;
    open_all(b);
    struct writer writer = begin_to_write();
    assert_int_equal(bb_webhook_enqueue(b->dispatcher, &event, NULL, NULL, &error), BB_ERR_OUTBOX);
    assert_non_null(strstr(error.text, "database is locked"));
    end_to_write(writer);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_loses_nothing),
        cmocka_unit_test(a_broken_disk_loses_nothing),
        OUTBOX_TEST(the_log_is_told_why_nothing_can_be_written),
        OUTBOX_TEST(a_file_that_may_not_be_written_is_an_error),
        OUTBOX_TEST(what_ends_while_another_process_writes_is_written_after_it),
        OUTBOX_TEST(who_enqueues_waits_for_another_process),
        OUTBOX_TEST(who_waits_too_long_is_told_so),
    };
    disk_use();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
