/*
 * No file descriptor is left: every call that needs one says so, or does without; nothing is lost,
 * and everything goes on when there are some again. And a file that may not grow, as on a full
 * disk, without a shim.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/outbox.h"
#include "support/outbox_postgres.h"

enum { MOST = 256, EVENTS = 200 };

/* ---- descriptors ---- */

static int filled[MOST], filled_count;
static struct rlimit before;

/* Nobody gets one any more. */
static void exhaust(void) {
    struct rlimit low;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = MOST;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    for (int fd; (fd = open("/dev/null", O_RDONLY)) >= 0;)
        filled[filled_count++] = fd;
    assert_int_equal(errno, EMFILE);
}

static void give_some_back(void) {
    while (filled_count > 0)
        close(filled[--filled_count]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void use_own_process(background *b) {
    static const uint32_t delays_ms[] = {20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20};
    server_stop(b->receiver);
    b->receiver = server_start(&(server_options){.own_process = 1});
    b->options.no_jitter = 1;
    b->options.retry_delays_ms = delays_ms;
    b->options.retry_delay_count = sizeof delays_ms / sizeof delays_ms[0];
    b->options.breaker_open_ms = b->options.breaker_open_max_ms = 10;
}

static void deliver_all(background *b, size_t count) {
    int64_t end = server_now_ms() + PATIENCE_MS;
    while (background_stats(b, NULL).delivered < count && server_now_ms() < end) {
        background_flush(b);
        poll(NULL, 0, 5);
    }
    bb_stats stats = background_stats(b, NULL);
    assert_int_equal(stats.delivered, count);
    assert_int_equal(stats.dead + stats.waiting + stats.in_flight, 0);
}

static void who_would_drive_is_told_and_drives_later(void **state) {
    background *b = *state;
    bb_error errors[3] = {BB_ERROR_INIT, BB_ERROR_INIT, BB_ERROR_INIT};
    use_own_process(b);
    background_open(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    background_enqueue(b, NULL);
    exhaust();
    const int codes[] = {bb_dispatcher_start(b->dispatcher, &errors[0]),
                         bb_dispatcher_run(b->dispatcher, &errors[1]),
                         bb_dispatcher_flush(b->dispatcher, 100, &errors[2]),
                         bb_dispatcher_fd(b->dispatcher)};
    give_some_back();
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(codes[i], BB_ERR_SYSTEM);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(errors[i].text,
                            "no file descriptor is left: close some, or raise RLIMIT_NOFILE");
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    deliver_all(b, 1);
}

/* A post's row says that nothing was sent; a dispatcher needs none to be made. */
static void a_post_without_descriptors_is_a_retry(void **state) {
    background *b = *state;
    bb_report *report = NULL;
    bb_dispatcher *other = NULL;
    use_own_process(b);
    background_open(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    bb_options options = posting_options();
    exhaust();
    int made = bb_dispatcher_new(&options, &other, NULL);
    int code = bb_webhook_post(b->dispatcher, posting_event(), NULL, &report, NULL);
    give_some_back();
    assert_int_equal(made, BB_OK);
    assert_int_equal(bb_dispatcher_free(other), BB_OK);
    assert_int_equal(code, BB_OK);
    posting_assert_row(bb_report_row(report, 0), BB_RETRY, 0);
    print_message("%s\n", bb_report_row(report, 0)->outcome->text);
    bb_report_free(report);
    posting_assert_row(posting_send_one(b->dispatcher, "hook"), BB_DELIVERED, 1);
}

/* They run out while the thread drives. */
static void deliveries_wait_for_descriptors(void **state) {
    background *b = *state;
    use_own_process(b);
    background_open(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    exhaust();
    background_enqueue(b, NULL);
    background_wait_until(b, BB_NOTICE_RETRYING, 2);
    give_some_back();
    deliver_all(b, 1);
    assert_int_equal(background_told(b, BB_NOTICE_RETRYING, 0)->sent, 0);
    assert_int_equal(server_requests(b->receiver), 1);
}

static void an_outbox_is_not_opened_without_descriptors(void **state) {
    (void)state;
    bb_outbox *outbox = NULL;
    bb_error file = BB_ERROR_INIT, database = BB_ERROR_INIT;
    char conninfo[512];
    snprintf(conninfo, sizeof conninfo, "%s", postgres_conninfo_with(""));
    exhaust();
    int of_file = bb_sqlite_open(outbox_path, NULL, &outbox, &file);
    int of_database = bb_postgres_open(conninfo, NULL, &outbox, &database);
    give_some_back();
    assert_null(outbox);
    assert_int_equal(of_file, BB_ERR_OUTBOX);
    assert_non_null(strstr(file.text, "unable to open database file"));
    assert_int_equal(of_database, BB_ERR_OUTBOX);
    assert_non_null(strstr(database.text, "Too many open files"));
    assert_int_equal(bb_sqlite_open(outbox_path, NULL, &outbox, NULL), BB_OK);
    bb_outbox_free(outbox);
    outbox = pg_open_outbox();
    bb_outbox_free(outbox);
}

/* ---- a file that may not grow ---- */

static void a_file_that_may_not_grow_loses_nothing(void **state) {
    background *b = *state;
    struct rlimit unlimited, low;
    size_t taken = 0, refused = 0;
    bb_error error = BB_ERROR_INIT;
    use_own_process(b);
    outbox_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    signal(SIGXFSZ, SIG_IGN); /* a host that wants an error, and not its end */
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
    low = unlimited;
    low.rlim_cur = 256 * 1024;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    for (int i = 0; i < EVENTS; i++) {
        bb_event event = *posting_event();
        event.id = NULL;
        int code = bb_webhook_enqueue(b->dispatcher, &event, NULL, NULL, &error);
        taken += code == BB_OK;
        refused += code == BB_ERR_OUTBOX;
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
    signal(SIGXFSZ, SIG_DFL);
    print_message("%zu taken, %zu refused: %s\n", taken, refused, error.text);
    assert_int_equal(taken + refused, EVENTS);
    assert_true(taken > 0 && refused > 0);
    assert_int_not_equal(error.text[0], '\0');
    deliver_all(b, taken);
    assert_int_equal(server_requests(b->receiver), taken);
    outbox_close_all(b);
    assert_int_equal(outbox_count(OUTBOX_EVENTS), 0);
}

#define PLAIN_TEST(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, background_setup, background_teardown)

static int set_both(void **state) {
    outbox_make_file();
    return pg_setup(state);
}

static int clear_both(void **state) {
    outbox_remove_files();
    return pg_teardown(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        PLAIN_TEST(who_would_drive_is_told_and_drives_later),
        PLAIN_TEST(a_post_without_descriptors_is_a_retry),
        PLAIN_TEST(deliveries_wait_for_descriptors),
        cmocka_unit_test_setup_teardown(an_outbox_is_not_opened_without_descriptors, set_both,
                                        clear_both),
        OUTBOX_TEST(a_file_that_may_not_grow_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
