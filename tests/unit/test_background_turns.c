/* What one turn of whoever drives may take, and what the library's own thread is like. */
#include <dirent.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/background.h"

#define BACKGROUND_TEST(function)                                                                  \
    cmocka_unit_test_setup_teardown(function, background_setup, background_teardown)

/* -------------------------------------------------------------------- ends -- */

/* As many as there are: their notices may take a while, in which something else is under way. */
static void what_ends_without_an_attempt_holds_up_nothing(void **state) {
    enum { GONE = 3000, A_FEW = 200 };
    background *b = *state;
    background_open(b);
    background_add_healthy(b, BB_CUSTOM, "gone");
    for (int i = 0; i < GONE; i++)
        background_enqueue(b, NULL);
    assert_int_equal(bb_dispatcher_remove(b->dispatcher, "gone", NULL), BB_OK);
    background_add_healthy(b, BB_CUSTOM, "healthy");
    background_enqueue(b, NULL);
    assert_int_equal(bb_dispatcher_run(b->dispatcher, NULL), BB_OK);
    assert_in_range(b->counts[BB_NOTICE_DEAD], 1, A_FEW);
    assert_int_equal(bb_dispatcher_timeout_ms(b->dispatcher), 0);
    background_drive_until(b, BB_NOTICE_DELIVERED, 1);
    assert_true(b->counts[BB_NOTICE_DEAD] < GONE);
    background_flush(b);
    assert_int_equal(b->counts[BB_NOTICE_DEAD], GONE);
    background_check_books(b);
}

/* ------------------------------------------------------------------- drops -- */

enum { MANY = 60000, DROPS_MS = 5000 };

static void remove_every_tenth(background *b, const bb_notice *notice) {
    if (notice->kind == BB_NOTICE_DROPPED && b->counts[BB_NOTICE_DROPPED] % 10 == 0)
        assert_int_equal(bb_dispatcher_remove(b->dispatcher, notice->webhook_id, NULL), BB_OK);
}

static void drops_of_many_webhooks_are_told_once_each_and_soon(void **state) {
    background *b = *state;
    char id[16];
    b->options.max_waiting = MANY;
    b->options.when_full = BB_FULL_DROP_OLDEST;
    b->on_notice = remove_every_tenth;
    background_open(b);
    for (int i = 0; i < MANY; i++) {
        snprintf(id, sizeof id, "hook%d", i);
        posting_add(b->dispatcher, BB_CUSTOM, id, "http://127.0.0.1:1/");
    }
    background_enqueue(b, NULL);
    background_enqueue(b, NULL);
    int64_t began = server_now_ms();
    assert_int_equal(bb_dispatcher_run(b->dispatcher, NULL), BB_OK);
    assert_true(server_now_ms() - began < DROPS_MS);
    assert_int_equal(b->counts[BB_NOTICE_DROPPED], MANY);
    assert_int_equal(background_stats(b, NULL).dropped, MANY);
}

/* ------------------------------------------------------------------ signals -- */

enum { THREADS_MAX = 16 };

static size_t list_threads(int threads[THREADS_MAX]) {
    size_t count = 0;
    DIR *dir = opendir("/proc/self/task");
    const struct dirent *entry;
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL && count < THREADS_MAX)
        if (*entry->d_name != '.')
            threads[count++] = atoi(entry->d_name);
    closedir(dir);
    return count;
}

static uint64_t blocked_signals(int thread) {
    char path[64], line[128];
    uint64_t blocked = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/status", thread);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        sscanf(line, "SigBlk: %" SCNx64, &blocked);
    fclose(file);
    return blocked;
}

/* The host may have reserved a thread of its own for them. */
static void no_signal_ever_reaches_the_thread(void **state) {
    background *b = *state;
    int before[THREADS_MAX], after[THREADS_MAX];
    background_open(b);
    size_t old = list_threads(before);
    uint64_t own = blocked_signals(before[0]);
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    assert_int_equal(list_threads(after), old + 1); /* the last one is the newest */
    uint64_t blocked = blocked_signals(after[old]);
    for (int signal = 1; signal < 32; signal++)
        assert_true(signal == 9 || signal == 19 || (blocked >> (signal - 1) & 1));
    assert_int_equal(blocked_signals(before[0]), own);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BACKGROUND_TEST(what_ends_without_an_attempt_holds_up_nothing),
        BACKGROUND_TEST(drops_of_many_webhooks_are_told_once_each_and_soon),
        BACKGROUND_TEST(no_signal_ever_reaches_the_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
