/*
 * A child of fork() makes its own and delivers, and so does a child of the child; nothing of its
 * parent's is hurt. What it is refused: test_fork.c.
 *
 * The receiver is a process of its own. A child that hangs is ended by its alarm.
 */
#include <setjmp.h>
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
#include "support/outbox_postgres.h"

enum { CHILD_PATIENCE_S = 60, FORKS = 20 };

/* 0, or what went wrong. With `outbox` NULL in memory. Enqueues and posts one each. */
static int deliver(const char *url, bb_outbox *outbox, int with_thread) {
    bb_background_options own = BB_BACKGROUND_OPTIONS_INIT;
    bb_options options = posting_options();
    bb_dispatcher *dispatcher = NULL;
    bb_webhook hook = posting_hook(BB_CUSTOM, "hook", url);
    bb_report *own_report = NULL;
    bb_stats own_stats = BB_STATS_INIT;
    own.outbox = outbox;
    options.timeout_ms = BACKGROUND_ATTEMPT_MS;
    options.background = &own;
    if (bb_dispatcher_new(&options, &dispatcher, NULL) != BB_OK ||
        bb_dispatcher_add(dispatcher, &hook, NULL) != BB_OK)
        return 1;
    if (with_thread && bb_dispatcher_start(dispatcher, NULL) != BB_OK)
        return 2;
    bb_event event = *posting_event();
    event.id = NULL;
    if (bb_webhook_enqueue(dispatcher, &event, NULL, NULL, NULL) != BB_OK ||
        bb_dispatcher_flush(dispatcher, PATIENCE_MS, NULL) != BB_OK)
        return 3;
    if (bb_webhook_post(dispatcher, &event, NULL, &own_report, NULL) != BB_OK ||
        bb_report_undelivered(own_report) != 0)
        return 4;
    bb_report_free(own_report);
    bb_dispatcher_stats(dispatcher, NULL, &own_stats, NULL);
    return own_stats.delivered == 1 && bb_dispatcher_free(dispatcher) == BB_OK ? 0 : 5;
}

/* The child forks too, after it has delivered, and so on. */
static int deliver_in_generations(const char *url, int generations) {
    int code = deliver(url, NULL, generations % 2);
    if (code || generations == 1)
        return code;
    pid_t child = fork();
    if (child == 0) {
        alarm(CHILD_PATIENCE_S);
        _exit(deliver_in_generations(url, generations - 1));
    }
    int ended = -1;
    waitpid(child, &ended, 0);
    return WIFEXITED(ended) ? WEXITSTATUS(ended) : 9;
}

static void children_of_children_deliver_by_themselves(void **state) {
    background *b = *state;
    enum { GENERATIONS = 3 };
    background_use_own_process(b);
    background_open(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    background_enqueue(b, NULL);
    background_flush(b);
    pid_t child = fork();
    if (child == 0) {
        alarm(CHILD_PATIENCE_S);
        _exit(deliver_in_generations(server_url(b->receiver, "/hook"), GENERATIONS));
    }
    assert_int_equal(background_wait_for_child(child), 0);
    background_enqueue(b, NULL);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 2);
    assert_int_equal(server_requests(b->receiver), 2 * (GENERATIONS + 1));
}

/* SQLite's account of its locks comes along with the fork. */
static void a_file_that_the_parent_has_open_is_refused_and_another_is_not(void **state) {
    background *b = *state;
    background_use_own_process(b);
    outbox_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    pid_t child = fork();
    if (child == 0) {
        bb_outbox *own = NULL;
        bb_error error = BB_ERROR_INIT;
        bb_sqlite_options options = BB_SQLITE_OPTIONS_INIT;
        options.lease_ms = OUTBOX_LEASE_MS;
        alarm(CHILD_PATIENCE_S);
        if (bb_sqlite_open(outbox_path, NULL, &own, &error) != BB_ERR_FORKED || own ||
            !strstr(error.text, "the parent process had this file open"))
            _exit(20);
        outbox_make_file();
        if (bb_sqlite_open(outbox_path, &options, &own, &error) != BB_OK)
            _exit(21);
        int code = deliver(server_url(b->receiver, "/hook"), own, 1);
        bb_outbox_free(own);
        outbox_remove_files();
        _exit(code);
    }
    assert_int_equal(background_wait_for_child(child), 0);
    outbox_close_all(b); /* closed: a child may open it now */
    child = fork();
    if (child == 0) {
        alarm(CHILD_PATIENCE_S);
        bb_outbox *own = outbox_open();
        int code = deliver(server_url(b->receiver, "/hook"), own, 0);
        bb_outbox_free(own);
        _exit(code);
    }
    assert_int_equal(background_wait_for_child(child), 0);
    assert_int_equal(server_requests(b->receiver), 4);
}

static void a_child_opens_the_database_of_its_parent_again(void **state) {
    background *b = *state;
    background_use_own_process(b);
    pg_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    pid_t child = fork();
    if (child == 0) {
        alarm(CHILD_PATIENCE_S);
        bb_outbox *own = pg_open_outbox();
        int code = deliver(server_url(b->receiver, "/hook"), own, 1);
        bb_outbox_free(own);
        _exit(code);
    }
    assert_int_equal(background_wait_for_child(child), 0);
    background_enqueue(b, NULL);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 1);
    assert_int_equal(server_requests(b->receiver), 3);
}

/* The fork may come while the thread is anywhere. But ASan's allocator takes its locks along into
 * the child, held for ever if the thread was in it: there the fork comes in the middle of a turn,
 * while the thread tells a notice. */
#ifdef __SANITIZE_ADDRESS__
enum { IS_STOPPED = 1 };
#else
enum { IS_STOPPED = 0 };
#endif

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_wanted, is_there;
} stop = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void stop_here(background *b, const bb_notice *notice) {
    (void)b, (void)notice;
    pthread_mutex_lock(&stop.lock);
    stop.is_there = true;
    pthread_cond_broadcast(&stop.changed);
    while (stop.is_wanted)
        pthread_cond_wait(&stop.changed, &stop.lock);
    stop.is_there = false;
    pthread_mutex_unlock(&stop.lock);
}

static void want_stop(bool is_wanted) {
    pthread_mutex_lock(&stop.lock);
    stop.is_wanted = is_wanted && IS_STOPPED;
    pthread_cond_broadcast(&stop.changed);
    pthread_mutex_unlock(&stop.lock);
}

static void wait_for_stop(void) {
    pthread_mutex_lock(&stop.lock);
    while (stop.is_wanted && !stop.is_there)
        pthread_cond_wait(&stop.changed, &stop.lock);
    pthread_mutex_unlock(&stop.lock);
}

static void forks_while_the_thread_drives_hurt_nobody(void **state) {
    background *b = *state;
    background_use_own_process(b);
    b->on_notice = stop_here;
    background_open(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    const char *url = server_url(b->receiver, "/hook");
    for (int i = 0; i < FORKS; i++) {
        want_stop(true);
        for (int event = 0; event < 10; event++)
            background_enqueue(b, NULL);
        wait_for_stop();
        pid_t child = fork();
        if (child == 0) {
            alarm(CHILD_PATIENCE_S);
            _exit(deliver(url, NULL, i % 2));
        }
        want_stop(false);
        assert_int_equal(background_wait_for_child(child), 0);
    }
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 10 * FORKS);
    assert_int_equal(server_requests(b->receiver), (10 + 2) * FORKS);
}

#define PLAIN_TEST(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, background_setup, background_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        PLAIN_TEST(children_of_children_deliver_by_themselves),
        OUTBOX_TEST(a_file_that_the_parent_has_open_is_refused_and_another_is_not),
        PG_TEST(a_child_opens_the_database_of_its_parent_again),
        PLAIN_TEST(forks_while_the_thread_drives_hurt_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
