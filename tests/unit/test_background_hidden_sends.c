/* No message is posted twice by anybody but the library, which tells: receivers that close kept
 * connections under requests get exactly as many requests as attempts were told of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/alloc.h"
#include "support/background.h"

enum { HOOKS = 8, POSTS = 10000, SCRIPT = 2000 };

/* splitmix64, from a fixed seed: each run is the same. */
static uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    return z ^ (z >> 27);
}

static server_step closed_under_a_request(uint64_t random) {
    static const server_step ends[] = {
        {.end = SERVER_CLOSE},
        {.end = SERVER_RESET},
        {.end = SERVER_CLOSE, .moment = SERVER_AFTER_HEADERS},
        {.end = SERVER_RESET, .moment = SERVER_AFTER_HEADERS},
        {.status = 200, .body = "{\"code\":0}", .stop_after = 20, .end = SERVER_CLOSE},
        {.status = 200, .body = "{\"code\":0}", .declared_length = 99, .end = SERVER_RESET},
    };
    return ends[random % (sizeof ends / sizeof *ends)];
}

/* Of four answers, one is none. The last step, which is repeated, is an answer. */
static void add_hook(background *b, const char *id, uint64_t seed) {
    server_step *steps = calloc(SCRIPT + 1, sizeof *steps);
    assert_non_null(steps);
    for (size_t i = 0; i < SCRIPT; i++) {
        uint64_t random = next_random(&seed);
        steps[i] = random % 4 ? posting_success(BB_CUSTOM) : closed_under_a_request(random >> 8);
    }
    steps[SCRIPT] = posting_success(BB_CUSTOM);
    background_script(b, BB_CUSTOM, id, steps, SCRIPT + 1);
    free(steps);
}

static void every_request_was_told_of(void **state) {
    static uint32_t soon[100];
    background *b = *state;
    for (size_t i = 0; i < 100; i++)
        soon[i] = 1;
    b->options.retry_delays_ms = soon;
    b->options.retry_delay_count = 100;
    b->options.breaker_failures = 1000;
    b->options.breaker_percent = 100;
    b->options.breaker_open_ms = b->options.breaker_open_max_ms = 1;
    background_open(b);
    for (size_t i = 0; i < HOOKS; i++) {
        char id[16];
        snprintf(id, sizeof id, "hook%zu", i);
        add_hook(b, id, i);
    }
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    size_t events = POSTS * alloc_scale() / HOOKS;
    for (size_t i = 0; i < events; i++)
        assert_int_equal(background_enqueue(b, NULL), HOOKS);
    background_wait_until(b, BB_NOTICE_DELIVERED, events * HOOKS);
    background_flush(b);
    assert_true(b->sent > events * HOOKS);
    assert_int_equal(b->counts[BB_NOTICE_DEAD], 0);
    background_check_books(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_request_was_told_of, background_setup,
                                        background_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
