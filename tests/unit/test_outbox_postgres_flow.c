/* What processes on one outbox in PostgreSQL have in common of a webhook: its rate, its pauses.
 * Each dispatcher with an outbox of its own stands for a process. In real time: the server's clock
 * decides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/outbox_postgres.h"

enum { RATE = 4, PERIOD_MS = 700 };

/* -------------------------------------------------------------------- rates -- */

static bb_webhook slow_hook(background *b) {
    bb_webhook hook = posting_hook(BB_CUSTOM, "hook", server_url(b->receiver, "/hook"));
    hook.rate_count = RATE;
    hook.rate_period_ms = PERIOD_MS;
    return hook;
}

static void script_success(background *b) {
    const server_step yes = posting_success(BB_CUSTOM);
    server_on(b->receiver, "/hook", &yes, 1);
}

static bb_webhook open_with_slow_hook(background *b) {
    pg_open_all(b);
    bb_webhook hook = slow_hook(b);
    script_success(b);
    background_add(b, &hook);
    return hook;
}

static void enqueue_its_rate(background *b) {
    for (int i = 0; i < RATE; i++)
        background_enqueue(b, NULL);
}

/* No window of the period holds more than the limit; they come as the receiver has noted them. */
static void check_rate(background *b, size_t count) {
    assert_true(server_wait_requests(b->receiver, count, BACKGROUND_PATIENCE_MS));
    for (size_t i = RATE; i < count; i++)
        assert_true(server_request_at(b->receiver, i)->time_ms -
                        server_request_at(b->receiver, i - RATE)->time_ms >=
                    PERIOD_MS);
}

static void a_rate_is_that_of_all_processes_together(void **state) {
    enum { EVENTS = 14 };
    background *b = *state;
    bb_webhook hook = open_with_slow_hook(b);
    background *second = pg_open_second_with(&hook);
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    assert_int_equal(bb_dispatcher_start(second->dispatcher, NULL), BB_OK);
    for (int i = 0; i < EVENTS; i++) /* each leases what it has enqueued itself, as a rule */
        background_enqueue(i % 2 ? second : b, NULL);
    check_rate(b, EVENTS);
    pg_close_second(second);
    assert_int_equal(server_requests(b->receiver), EVENTS);
}

static void a_flush_waits_for_the_turns_that_others_have_taken(void **state) {
    background *b = *state;
    bb_webhook hook = open_with_slow_hook(b);
    enqueue_its_rate(b);
    background_flush(b);
    background *second = pg_open_second_with(&hook);
    background_enqueue(second, NULL);
    background_flush(second);
    assert_int_equal(second->counts[BB_NOTICE_DELIVERED], 1);
    check_rate(b, RATE + 1);
    pg_close_second(second);
}

static void a_program_that_is_started_again_remembers_what_it_has_sent(void **state) {
    background *b = *state;
    bb_webhook hook = open_with_slow_hook(b);
    enqueue_its_rate(b);
    background_flush(b);
    pg_close_all(b);
    pg_open_all(b);
    background_add(b, &hook);
    background_enqueue(b, NULL);
    background_flush(b);
    check_rate(b, RATE + 1);
}

/* It may have sent until its leases ran out. */
static void what_a_process_that_has_died_had_leased_counts(void **state) {
    background *b = *state;
    open_with_slow_hook(b);
    enqueue_its_rate(b);
    assert_int_equal(background_stats(b, NULL).waiting,
                     RATE); /* who counts makes them deliveries */
    int64_t begin_ms = server_now_ms();
    PGconn *db = postgres_connect();
    postgres_run(db, "UPDATE bb_delivery SET lease = 7, leased_until_ms ="
                     " extract(epoch FROM clock_timestamp()) * 1000 + 500");
    PQfinish(db);
    background_enqueue(b, NULL);
    background_flush(b);
    check_rate(b, RATE + 1);
    assert_true(server_request_at(b->receiver, 0)->time_ms >= begin_ms + 500 + PERIOD_MS);
}

/* As while a new configuration is rolled out. */
static void a_process_with_a_smaller_rate_forgets_nothing_of_a_larger_one(void **state) {
    background *b = *state;
    bb_webhook hook = open_with_slow_hook(b);
    enqueue_its_rate(b);
    background_flush(b);
    bb_webhook other = hook;
    other.rate_count = 1;
    other.rate_period_ms = 1;
    background *second = pg_open_second_with(&other);
    background_enqueue(second, NULL);
    background_flush(second);
    pg_close_second(second);
    pg_close_all(b); /* what it remembers itself */
    pg_open_all(b);
    background_add(b, &hook);
    background_enqueue(b, NULL);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), RATE + 2);
    assert_true(server_request_at(b->receiver, RATE + 1)->time_ms -
                    server_request_at(b->receiver, 1)->time_ms >=
                PERIOD_MS);
}

/* ------------------------------------------------------------------- pauses -- */

static const server_step rest[] = {{.status = 429, .headers = "Retry-After: 3600\r\n"},
                                   {.status = 200, .body = "{\"code\":0}"}};

static int64_t paused_until(background *b, const char *id) {
    bb_webhook_status status = BB_WEBHOOK_STATUS_INIT;
    assert_int_equal(bb_dispatcher_status(b->dispatcher, id, &status, NULL), BB_OK);
    assert_int_equal(status.paused_until_ms == 0, *status.reason == '\0');
    return status.paused_until_ms;
}

/* A dispatcher looks around every now and then, if it is asked to go on. */
static void drive_until_paused(background *b, const char *id, int is_paused) {
    int64_t end_ms = server_now_ms() + BACKGROUND_PATIENCE_MS;
    while ((paused_until(b, id) != 0) != is_paused && server_now_ms() < end_ms)
        bb_dispatcher_run(b->dispatcher, NULL);
    assert_int_equal(paused_until(b, id) != 0, is_paused);
}

/* The webhook "hook" has been told to rest for an hour. */
static void rest_for_an_hour(background *b) {
    pg_open_all(b);
    background_script(b, BB_CUSTOM, "hook", rest, 2);
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_PAUSED, 1);
    background_flush(b);
    assert_true(paused_until(b, "hook") != 0);
}

static void a_pause_holds_in_every_process(void **state) {
    background *b = *state;
    rest_for_an_hour(b);
    background *second = pg_open_second(b);
    background_enqueue(second, "two");
    drive_until_paused(second, "hook", 1);
    background_flush(second);
    assert_int_equal(server_requests(b->receiver), 1);
    assert_true(llabs(paused_until(second, "hook") - paused_until(b, "hook")) < 2000);
    pg_close_second(second);
}

static void the_end_of_a_pause_holds_in_every_process_too(void **state) {
    background *b = *state;
    rest_for_an_hour(b);
    background *second = pg_open_second(b);
    background_enqueue(second, "two");
    drive_until_paused(second, "hook", 1);
    assert_int_equal(bb_dispatcher_resume(second->dispatcher, "hook", NULL), BB_OK);
    background_drive_until(second, BB_NOTICE_DELIVERED, 1);
    drive_until_paused(b, "hook", 0);
    pg_close_second(second);
}

static void a_pause_outlives_its_process(void **state) {
    background *b = *state;
    rest_for_an_hour(b);
    pg_close_all(b);
    pg_open_all(b);
    pg_add_hook_of(b, b);
    background_enqueue(b, "two");
    drive_until_paused(b, "hook", 1);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 1);
}

static void a_pause_of_a_whole_type_holds_in_every_process(void **state) {
    static const server_step limited = {
        .status = 429,
        .headers = "Content-Type: application/json\r\nX-RateLimit-Global: true\r\n"
                   "X-RateLimit-Scope: global\r\n",
        .body = "{\"message\":\"slow down\",\"retry_after\":3600,\"global\":true}"};
    background *b = *state;
    pg_open_all(b);
    background_script(b, BB_DISCORD, "hook", &limited, 1);
    background_add_healthy(b, BB_DISCORD, "other");
    background_enqueue(b, "one");
    background_drive_until(b, BB_NOTICE_PAUSED, 1);
    background_flush(b);
    bb_webhook other = posting_hook(BB_DISCORD, "other", server_url(b->receiver, "/other"));
    background *second = pg_open_second_with(&other);
    size_t before = server_requests_to(b->receiver, "/other");
    background_enqueue(second, "two");
    drive_until_paused(second, "other", 1);
    background_flush(second);
    assert_int_equal(server_requests_to(b->receiver, "/other"), before);
    pg_close_second(second);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        PG_TEST(a_rate_is_that_of_all_processes_together),
        PG_TEST(a_flush_waits_for_the_turns_that_others_have_taken),
        PG_TEST(a_program_that_is_started_again_remembers_what_it_has_sent),
        PG_TEST(what_a_process_that_has_died_had_leased_counts),
        PG_TEST(a_process_with_a_smaller_rate_forgets_nothing_of_a_larger_one),
        PG_TEST(a_pause_holds_in_every_process),
        PG_TEST(the_end_of_a_pause_holds_in_every_process_too),
        PG_TEST(a_pause_outlives_its_process),
        PG_TEST(a_pause_of_a_whole_type_holds_in_every_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
