/*
 * Signals: SIGPIPE never reaches the host, whoever closes early, and a storm of signals, with and
 * without SA_RESTART, disturbs nothing. The library's thread takes none.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/outbox_postgres.h"

enum { ROUNDS = 10, CHILD_PATIENCE_S = 60, STORM_US = 500 };

/* ---- SIGPIPE ---- */

static const server_step rude[] = {
    {.end = SERVER_RESET, .moment = SERVER_AFTER_HEADERS},
    {.end = SERVER_CLOSE, .moment = SERVER_AFTER_HEADERS},
    {.status = 200, .body = "{\"code\":0}", .end = SERVER_RESET},
    {.status = 200, .body = "{\"code\":0}", .stop_after = 20, .end = SERVER_RESET},
    {.status = 200, .body = "{\"code\":0}", .end = SERVER_CLOSE},
    {.status = 200, .body = "{\"code\":0}"},
};
enum { RUDE = sizeof rude / sizeof rude[0] };

/* An event whose request is larger than what is written at once. */
static bb_event large_event(void) {
    static char words[200 * 1024];
    bb_event event = *posting_event();
    memset(words, 'w', sizeof words - 1);
    event.description = words;
    event.id = NULL;
    return event;
}

/* In a child with nothing but what every process begins with. 0, or what went wrong. */
static int send_rudely(const char *url, const char *ca_file) {
    bb_options options = posting_options();
    bb_dispatcher *dispatcher = NULL;
    bb_webhook hook = posting_hook(BB_CUSTOM, "hook", url);
    bb_event event = large_event();
    signal(SIGPIPE, SIG_DFL);
    alarm(CHILD_PATIENCE_S);
    options.ca_file = ca_file;
    hook.allow_any_2xx = 1;
    if (bb_dispatcher_new(&options, &dispatcher, NULL) != BB_OK ||
        bb_dispatcher_add(dispatcher, &hook, NULL) != BB_OK)
        return 1;
    for (int i = 0; i < ROUNDS * RUDE; i++)
        if (bb_webhook_post(dispatcher, &event, NULL, NULL, NULL) != BB_OK)
            return 2;
    for (int i = 0; i < RUDE; i++)
        if (bb_webhook_enqueue(dispatcher, &event, NULL, NULL, NULL) != BB_OK ||
            bb_dispatcher_flush(dispatcher, PATIENCE_MS, NULL) != BB_OK)
            return 3;
    return bb_dispatcher_free(dispatcher) == BB_OK ? 0 : 4;
}

static void assert_child_ends(pid_t child) {
    int ended = -1;
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &ended, 0), child);
    if (WIFSIGNALED(ended))
        fail_msg("the child was ended by signal %d", WTERMSIG(ended));
    assert_int_equal(WEXITSTATUS(ended), 0);
}

static void be_rude(const char *tls_names) {
    server_step steps[ROUNDS * RUDE + 2 * RUDE];
    server *receiver = server_start(&(server_options){.own_process = 1, .tls_names = tls_names});
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        steps[i] = rude[i % RUDE];
    server_on(receiver, "/hook", steps, sizeof steps / sizeof steps[0]);
    const char *url = server_url(receiver, "/hook");
    pid_t child = fork();
    if (child == 0)
        _exit(send_rudely(url, server_ca_file(receiver)));
    assert_child_ends(child);
    /* some meet a kept connection that has just been closed */
    print_message("%zu requests\n", server_requests(receiver));
    assert_in_range(server_requests(receiver), ROUNDS * RUDE / 2, 1000000);
    server_stop(receiver);
}

static void a_receiver_that_closes_early_raises_no_sigpipe(void **state) {
    (void)state;
    be_rude(NULL);
}

static void nor_does_one_behind_tls(void **state) {
    (void)state;
    be_rude("IP:127.0.0.1");
}

static int enqueue_to_nobody(void) {
    bb_outbox *outbox = pg_open_outbox();
    bb_background_options own = BB_BACKGROUND_OPTIONS_INIT;
    bb_options options = posting_options();
    bb_dispatcher *dispatcher = NULL;
    signal(SIGPIPE, SIG_DFL);
    alarm(CHILD_PATIENCE_S);
    own.outbox = outbox;
    options.timeout_ms = BACKGROUND_ATTEMPT_MS;
    options.background = &own;
    bb_webhook hook = posting_hook(BB_CUSTOM, "hook", "http://127.0.0.1:1/hook");
    if (bb_dispatcher_new(&options, &dispatcher, NULL) != BB_OK ||
        bb_dispatcher_add(dispatcher, &hook, NULL) != BB_OK)
        return 1;
    for (int i = 0; i < ROUNDS; i++) {
        PGconn *other = postgres_connect();
        bb_webhook_enqueue(dispatcher, posting_event(), NULL, NULL, NULL);
        postgres_run(other, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                            " WHERE datname = current_database() AND pid <> pg_backend_pid()");
        PQfinish(other);
        bb_webhook_enqueue(dispatcher, posting_event(), NULL, NULL, NULL); /* may fail */
        bb_dispatcher_run(dispatcher, NULL);
        bb_outbox_dead(outbox, NULL, NULL, NULL, NULL, NULL);
    }
    bb_dispatcher_free(dispatcher);
    bb_outbox_free(outbox);
    return 0;
}

static void a_database_that_hangs_up_raises_no_sigpipe(void **state) {
    (void)state;
    pid_t child = fork();
    if (child == 0)
        _exit(enqueue_to_nobody());
    assert_child_ends(child);
}

/* ---- a storm ---- */

static atomic_ulong caught;
static atomic_bool library_caught;
static _Atomic(pthread_t) library; /* 0: none */

static void count_signal(int signal) {
    (void)signal;
    atomic_fetch_add(&caught, 1);
    if (atomic_load(&library) == pthread_self())
        atomic_store(&library_caught, true);
}

static void begin_storm(int flags) {
    struct sigaction action = {.sa_handler = count_signal, .sa_flags = flags};
    struct itimerval often = {{0, STORM_US}, {0, STORM_US}};
    atomic_store(&caught, 0);
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
}

static void end_storm(void) {
    struct itimerval never = {{0, 0}, {0, 0}};
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    signal(SIGALRM, SIG_DFL);
    print_message("%lu signals\n", atomic_load(&caught));
    assert_in_range(atomic_load(&caught), 10, 10000000);
}

static void use_own_process(background *b) {
    server_stop(b->receiver);
    b->receiver = server_start(&(server_options){.own_process = 1});
}

/* Answers late, so that everybody waits in the storm. */
static void add_slow_hook(background *b) {
    server_step slow = posting_success(BB_CUSTOM);
    slow.delay_ms = 30;
    background_script(b, BB_CUSTOM, "hook", &slow, 1);
}

static void weather(background *b, int flags) {
    int posts[ROUNDS], flushes[ROUNDS], enqueued[ROUNDS];
    size_t undelivered = 0;
    begin_storm(flags);
    for (int i = 0; i < ROUNDS; i++) {
        bb_report *report = NULL;
        bb_event event = *posting_event();
        event.id = NULL;
        posts[i] = bb_webhook_post(b->dispatcher, &event, NULL, &report, NULL);
        undelivered += bb_report_undelivered(report);
        bb_report_free(report);
        enqueued[i] = bb_webhook_enqueue(b->dispatcher, &event, NULL, NULL, NULL);
        flushes[i] = bb_dispatcher_flush(b->dispatcher, PATIENCE_MS, NULL);
    }
    end_storm();
    for (int i = 0; i < ROUNDS; i++) {
        assert_int_equal(posts[i], BB_OK);
        assert_int_equal(enqueued[i], BB_OK);
        assert_int_equal(flushes[i], BB_OK);
    }
    assert_int_equal(undelivered, 0);
    assert_int_equal(b->counts[BB_NOTICE_RETRYING] + b->counts[BB_NOTICE_DEAD], 0);
}

static void weather_both(background *b) {
    weather(b, 0);
    weather(b, SA_RESTART);
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 2 * ROUNDS);
    assert_int_equal(server_requests(b->receiver), 4 * ROUNDS);
}

static void a_storm_disturbs_no_caller(void **state) {
    background *b = *state;
    use_own_process(b);
    background_open(b);
    add_slow_hook(b);
    weather_both(b);
}

static atomic_bool is_open; /* a signal of the library's thread is not blocked */

static void look_at_mask(background *b, const bb_notice *notice) {
    static const int signals[] = {SIGALRM, SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGPIPE, SIGUSR1};
    sigset_t blocked;
    (void)b, (void)notice;
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (!sigismember(&blocked, signals[i]))
            atomic_store(&is_open, true);
    atomic_store(&library, pthread_self());
}

static void a_storm_does_not_reach_the_librarys_thread(void **state) {
    background *b = *state;
    use_own_process(b);
    b->on_notice = look_at_mask;
    background_open(b);
    add_slow_hook(b);
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    weather_both(b);
    assert_true(atomic_load(&library) != 0);
    assert_false(atomic_load(&is_open));
    assert_false(atomic_load(&library_caught));
}

static void a_storm_disturbs_no_exchange_with_the_database(void **state) {
    background *b = *state;
    use_own_process(b);
    pg_open_all(b);
    add_slow_hook(b);
    weather_both(b);
    begin_storm(0);
    int codes[ROUNDS];
    for (int i = 0; i < ROUNDS; i++)
        codes[i] = bb_outbox_purge(b->options.outbox, 1, NULL, NULL);
    bb_outbox *other = pg_open_outbox();
    end_storm();
    bb_outbox_free(other);
    for (int i = 0; i < ROUNDS; i++)
        assert_int_equal(codes[i], BB_OK);
}

#define PLAIN_TEST(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, background_setup, background_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_receiver_that_closes_early_raises_no_sigpipe),
        cmocka_unit_test(nor_does_one_behind_tls),
        PG_TEST(a_database_that_hangs_up_raises_no_sigpipe),
        PLAIN_TEST(a_storm_disturbs_no_caller),
        PLAIN_TEST(a_storm_does_not_reach_the_librarys_thread),
        PG_TEST(a_storm_disturbs_no_exchange_with_the_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
