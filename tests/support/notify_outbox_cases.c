#include "support/notify_outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const server_step yes = {.status = 200, .body = "{\"code\":0}"};
static const server_step held = {.status = 200, .body = "{\"code\":0}", .hold = 1};
static const server_step busy = {.status = 503};
static const server_step gone = {.status = 410};

/* ---- enqueue ---- */

static void enqueue_sends_nothing_and_deliver_all_of_it_once(void **state) {
    notify *fixture = *state;
    notify_write_webhooks(fixture, NOTIFY_OPS "," NOTIFY_DEV);
    notify_script(fixture, "/ops", &yes);
    notify_script(fixture, "/dev", &yes);
    assert_int_equal(notify_enqueue(fixture, 3), 0);
    assert_string_equal(fixture->result.out, "3 events enqueued, 6 deliveries\n");
    assert_string_equal(fixture->result.err, "");
    assert_int_equal(server_connections(fixture->receiver), 0);
    assert_int_equal(NOTIFY_RUN("deliver"), 0);
    assert_string_equal(fixture->result.err, "");
    assert_string_equal(fixture->result.out,
                        "WEBHOOK  TYPE      DELIVERED  DEAD  DROPPED  LEFT  ATTEMPTS\n"
                        "ops      custom            3     -        -     -         3\n"
                        "dev      custom            3     -        -     -         3\n"
                        "\n"
                        "6 deliveries: 6 delivered\n");
    assert_int_equal(server_requests(fixture->receiver), 6);
    assert_int_equal(NOTIFY_RUN("deliver"), 0);
    assert_string_equal(fixture->result.out, "0 deliveries\n");
    assert_int_equal(server_requests(fixture->receiver), 6);
}

/* What is told as not enqueued is not: it can be enqueued again. */
static void a_failure_of_the_database_takes_back_what_was_not_committed(void **state) {
    notify *fixture = *state;
    assert_int_equal(NOTIFY_RUN("stats"), 0); /* makes the tables */
    notify_leave_no_room();
    assert_int_equal(notify_enqueue(fixture, 5), 1);
    assert_told(fixture->result.err, "events.jsonl: line 3: outbox: ");
    assert_told(fixture->result.err, "no room\n");
    assert_told(fixture->result.err, "events.jsonl: line 1 and what follows was not enqueued\n");
    assert_string_equal(fixture->result.out, "0 events enqueued, 0 deliveries\n");
    assert_int_equal(NOTIFY_RUN("deliver"), 0);
    assert_int_equal(server_connections(fixture->receiver), 0);
}

static void a_bad_line_is_named_and_the_rest_is_enqueued(void **state) {
    notify *fixture = *state;
    notify_write_events(fixture, NOTIFY_CREATED "no event\n\n" NOTIFY_CREATED);
    assert_int_equal(notify_post(fixture, "-o", notify_place, "enqueue", NULL), 1);
    assert_told(fixture->result.err, "events.jsonl: line 2: ");
    assert_string_equal(fixture->result.out, "2 events enqueued, 2 deliveries; 1 bad line\n");
}

/* What was read is in the outbox though the input goes on. */
static void standard_input_is_enqueued_as_it_comes(void **state) {
    notify *fixture = *state;
    notify_script(fixture, "/ops", &yes);
    assert_int_equal(NOTIFY_RUN("stats"), 0); /* makes the tables */
    program *forever = notify_start_deliver(fixture, "--forever");
    program *enqueuing = notify_keep(notify_start(fixture, "-o", notify_place, "enqueue", NULL));
    notify_type(enqueuing, NOTIFY_CREATED);
    assert_true(server_wait_requests(fixture->receiver, 1, NOTIFY_PATIENCE_MS));
    notify_type(enqueuing, NOTIFY_CREATED NOTIFY_CREATED);
    assert_true(server_wait_requests(fixture->receiver, 3, NOTIFY_PATIENCE_MS));
    assert_int_equal(notify_end(fixture, enqueuing), 0);
    assert_string_equal(fixture->result.out, "3 events enqueued, 3 deliveries\n");
    program_signal(forever, SIGTERM);
    assert_int_equal(notify_end(fixture, forever), 0);
}

/* What it has told nobody of is there nevertheless: started again, it enqueues that once more. */
static void a_killed_enqueue_is_started_again(void **state) {
    static const char first[] = "{'id':'a','activity_type':'bb.issue.create'}\n"
                                "{'id':'b','activity_type':'bb.issue.create'}\n";
    notify *fixture = *state;
    char all[sizeof first + 64];
    snprintf(all, sizeof all, "%s{'id':'c','activity_type':'bb.issue.create'}\n", first);
    notify_script(fixture, "/ops", &yes);
    assert_int_equal(NOTIFY_RUN("stats"), 0); /* makes the tables */
    program *forever = notify_start_deliver(fixture, "--forever");
    program *killed = notify_keep(notify_start(fixture, "-o", notify_place, "enqueue", NULL));
    notify_type(killed, first);
    assert_true(server_wait_requests(fixture->receiver, 2, NOTIFY_PATIENCE_MS));
    program_signal(killed, SIGKILL);
    assert_int_equal(notify_end(fixture, killed), -SIGKILL);
    notify_write_events(fixture, all);
    assert_int_equal(NOTIFY_RUN("enqueue", fixture->events), 0);
    assert_true(server_wait_requests(fixture->receiver, 5, NOTIFY_PATIENCE_MS));
    assert_int_equal(notify_different_ids(fixture), 3);
    program_signal(forever, SIGTERM);
    assert_int_equal(notify_end(fixture, forever), 0);
}

/* ---- deliver ---- */

static void json_has_one_line_an_attempt(void **state) {
    notify *fixture = *state;
    notify_script(fixture, "/ops", &yes);
    notify_enqueue(fixture, 2);
    assert_int_equal(NOTIFY_RUN("--json", "deliver"), 0);
    assert_int_equal(line_count(fixture->result.out), 2);
    cJSON *first = notify_json_line(fixture, 0);
    assert_string_equal(text_of(first, "verdict"), "delivered");
    assert_int_equal(number_of(first, "attempt"), 1);
    cJSON_Delete(first);
}

static void what_waits_for_a_later_attempt_is_told_and_left_for_the_next_run(void **state) {
    notify *fixture = *state;
    notify_configure(fixture, "'retry_delays_ms':[3600000],", NOTIFY_OPS);
    notify_script(fixture, "/ops", &busy);
    notify_enqueue(fixture, 1);
    assert_int_equal(NOTIFY_RUN("deliver"), 1);
    assert_told(fixture->result.out, "next attempt in 59 min: Custom answered HTTP 503\n");
    assert_told(fixture->result.out, "1 delivery: 1 left\n");
    assert_told(fixture->result.err, ": 1 delivery waits, the next attempt is due in 59 min\n");
    assert_int_equal(NOTIFY_RUN("deliver"), 1);
    assert_told(fixture->result.out, "1         0  next attempt in 59 min\n");
    assert_int_equal(NOTIFY_RUN("--json", "deliver"), 1);
    assert_string_equal(fixture->result.out, "");
    assert_told(fixture->result.err, "webhook \"ops\": 1 left: next attempt in 59 min\n");
    assert_int_equal(server_requests(fixture->receiver), 1);
}

static void an_attempt_that_has_become_due_is_made_by_the_next_run(void **state) {
    notify *fixture = *state;
    const server_step steps[] = {busy, yes};
    notify_configure(fixture, "'retry_delays_ms':[1],", NOTIFY_OPS);
    server_on(fixture->receiver, "/ops", steps, 2);
    notify_enqueue(fixture, 1);
    while (NOTIFY_RUN("deliver") == 1) /* a later look may find it due already */
        assert_told(fixture->result.err, "1 delivery waits, ");
    assert_int_equal(server_requests(fixture->receiver), 2);
    assert_int_equal(notify_different_ids(fixture), 1);
}

static void what_waits_for_a_webhook_that_is_gone_is_not_waited_for(void **state) {
    notify *fixture = *state;
    notify_script(fixture, "/ops", &gone);
    notify_enqueue(fixture, 3);
    assert_int_equal(NOTIFY_RUN("deliver"), 1);
    assert_told(fixture->result.out, "disabled: Custom answered HTTP 410");
    assert_told(fixture->result.out, "3 deliveries: 1 dead, 2 left\n");
    assert_told(fixture->result.err, "2 deliveries wait, no further attempt is due\n");
}

static void what_waits_for_a_webhook_that_was_removed_waits_for_its_return(void **state) {
    notify *fixture = *state;
    notify_script(fixture, "/ops", &yes);
    notify_enqueue(fixture, 2);
    notify_write_webhooks(fixture, NOTIFY_DEV);
    assert_int_equal(NOTIFY_RUN("deliver"), 1);
    assert_told(fixture->result.err,
                "2 deliveries wait for webhooks that the configuration does not have\n");
    notify_write_webhooks(fixture, NOTIFY_OPS);
    assert_int_equal(NOTIFY_RUN("deliver"), 0);
    assert_int_equal(server_requests(fixture->receiver), 2);
}

/* ---- several processes, and ends ---- */

static void two_processes_share_the_work(void **state) {
    notify *fixture = *state;
    notify_script(fixture, "/ops", &yes);
    notify_enqueue(fixture, NOTIFY_MOST_EVENTS);
    program *one = notify_start_deliver(fixture, NULL), *two = notify_start_deliver(fixture, NULL);
    assert_int_equal(notify_end(fixture, one), 0);
    assert_int_equal(notify_end(fixture, two), 0);
    assert_int_equal(server_requests(fixture->receiver), NOTIFY_MOST_EVENTS);
    assert_int_equal(notify_different_ids(fixture), NOTIFY_MOST_EVENTS);
}

/* Sent twice is at most what was under way, and what was answered and not written yet. */
static void a_killed_process_loses_nothing(void **state) {
    enum { EVENTS = 40, UNDER_WAY = 8 };
    notify *fixture = *state;
    const server_step steps[] = {yes, yes, yes, yes, held};
    notify_configure(fixture, NOTIFY_SHORT_LEASE, NOTIFY_OPS);
    server_on(fixture->receiver, "/ops", steps, 5);
    notify_enqueue(fixture, EVENTS);
    program *killed = notify_start_deliver(fixture, NULL);
    assert_true(server_wait_requests(fixture->receiver, 5, NOTIFY_PATIENCE_MS));
    program_signal(killed, SIGKILL);
    assert_int_equal(notify_end(fixture, killed), -SIGKILL);
    size_t before = server_requests(fixture->receiver);
    assert_in_range(before, 5, 4 + UNDER_WAY);
    server_release(fixture->receiver);
    assert_int_equal(NOTIFY_RUN("deliver"), 0);
    assert_int_equal(notify_different_ids(fixture), EVENTS);
    assert_in_range(server_requests(fixture->receiver), EVENTS, EVENTS + 4 + UNDER_WAY);
}

/* At whatever moment: others, or the next one, go on. */
static void killed_again_and_again_it_only_has_to_be_started_again(void **state) {
    enum { EVENTS = NOTIFY_MOST_EVENTS, KILLS = 4, EACH = 30 };
    notify *fixture = *state;
    notify_configure(fixture, NOTIFY_SHORT_LEASE, NOTIFY_OPS);
    notify_script(fixture, "/ops", &yes);
    notify_enqueue(fixture, EVENTS);
    for (size_t kill = 1; kill <= KILLS; kill++) {
        program *killed = notify_start_deliver(fixture, NULL);
        assert_true(server_wait_requests(fixture->receiver, kill * EACH, NOTIFY_PATIENCE_MS));
        program_signal(killed, SIGKILL);
        assert_int_equal(notify_end(fixture, killed), -SIGKILL);
    }
    assert_int_equal(NOTIFY_RUN("deliver"), 0);
    assert_int_equal(notify_different_ids(fixture), EVENTS);
    assert_int_equal(NOTIFY_RUN("deliver"), 0);
    assert_string_equal(fixture->result.out, "0 deliveries\n");
}

static void forever_goes_on_and_ends_in_good_order(void **state) {
    notify *fixture = *state;
    notify_script(fixture, "/ops", &held);
    assert_int_equal(NOTIFY_RUN("stats"), 0); /* makes the tables */
    program *forever = notify_start_deliver(fixture, "--forever");
    notify_enqueue(fixture, 1);
    assert_true(server_wait_requests(fixture->receiver, 1, NOTIFY_PATIENCE_MS));
    program_signal(forever, SIGTERM);
    assert_true(program_wait_told(forever, "stopping: ", NOTIFY_PATIENCE_MS));
    server_release(fixture->receiver);
    assert_int_equal(notify_end(fixture, forever), 0);
    assert_told(fixture->result.out, "1 delivery: 1 delivered\n");
    assert_int_equal(NOTIFY_RUN("deliver"), 0);
    assert_int_equal(server_requests(fixture->receiver), 1);
}

static void a_signal_leaves_the_rest_in_the_outbox(void **state) {
    notify *fixture = *state;
    notify_script(fixture, "/ops", &held);
    notify_enqueue(fixture, 3);
    program *running = notify_start_deliver(fixture, NULL);
    assert_true(server_wait_requests(fixture->receiver, 1, NOTIFY_PATIENCE_MS));
    program_signal(running, SIGTERM);
    assert_true(program_wait_told(running, "stopping: ", NOTIFY_PATIENCE_MS));
    server_release(fixture->receiver);
    assert_int_equal(notify_end(fixture, running), 1);
    assert_told(fixture->result.out, "3 deliveries: 1 delivered, 2 left\n");
    assert_int_equal(NOTIFY_RUN("deliver"), 0); /* at once: nothing is leased any more */
    assert_int_equal(server_requests(fixture->receiver), 3);
}

/* ---- stats ---- */

static void stats_tells_what_waits_by_webhook_and_changes_nothing(void **state) {
    notify *fixture = *state;
    notify_configure(fixture, "'retry_delays_ms':[3600000],", NOTIFY_OPS "," NOTIFY_DEV);
    notify_script(fixture, "/ops", &busy);
    notify_script(fixture, "/dev", &yes);
    notify_enqueue(fixture, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(NOTIFY_RUN("stats"), 0);
        assert_told(fixture->result.out, "WEBHOOK  TYPE      WAITING  LEASED  NEXT\n"
                                         "ops      custom          2       -  now\n"
                                         "dev      custom          2       -  now\n"
                                         "\n"
                                         "4 deliveries wait\n"
                                         "\n"
                                         "# HELP ");
    }
    assert_int_equal(NOTIFY_RUN("deliver"), 1);
    assert_int_equal(NOTIFY_RUN("stats"), 0);
    assert_told(fixture->result.out, "ops      custom          2       -  in 59 min\n");
    assert_not_told(fixture->result.out, "dev ");
    notify_write_webhooks(fixture, NOTIFY_DEV);
    assert_int_equal(NOTIFY_RUN("stats"), 0);
    assert_told(fixture->result.out, "ops      -               2       -  not in the "
                                     "configuration\n");
    assert_int_equal(NOTIFY_RUN("-j", "stats"), 0);
    assert_int_equal(line_count(fixture->result.out), 1);
}

static void a_lease_that_an_attempt_outlasts_is_refused(void **state) {
    notify *fixture = *state;
    notify_configure(fixture, "'lease_ms':15000,", NOTIFY_OPS);
    notify_assert_refused(fixture, NOTIFY_RUN("deliver"),
                          "webhooks.json: options: timeout_ms (15000) is not shorter than the "
                          "lease_ms (15000) of the outbox");
}

int notify_outbox_cases_run(const notify_outbox_kind *kind) {
    const struct CMUnitTest tests[] = {
        NOTIFY_OUTBOX_TEST(enqueue_sends_nothing_and_deliver_all_of_it_once),
        NOTIFY_OUTBOX_TEST(a_failure_of_the_database_takes_back_what_was_not_committed),
        NOTIFY_OUTBOX_TEST(a_bad_line_is_named_and_the_rest_is_enqueued),
        NOTIFY_OUTBOX_TEST(standard_input_is_enqueued_as_it_comes),
        NOTIFY_OUTBOX_TEST(a_killed_enqueue_is_started_again),
        NOTIFY_OUTBOX_TEST(json_has_one_line_an_attempt),
        NOTIFY_OUTBOX_TEST(what_waits_for_a_later_attempt_is_told_and_left_for_the_next_run),
        NOTIFY_OUTBOX_TEST(an_attempt_that_has_become_due_is_made_by_the_next_run),
        NOTIFY_OUTBOX_TEST(what_waits_for_a_webhook_that_is_gone_is_not_waited_for),
        NOTIFY_OUTBOX_TEST(what_waits_for_a_webhook_that_was_removed_waits_for_its_return),
        NOTIFY_OUTBOX_TEST(two_processes_share_the_work),
        NOTIFY_OUTBOX_TEST(a_killed_process_loses_nothing),
        NOTIFY_OUTBOX_TEST(killed_again_and_again_it_only_has_to_be_started_again),
        NOTIFY_OUTBOX_TEST(forever_goes_on_and_ends_in_good_order),
        NOTIFY_OUTBOX_TEST(a_signal_leaves_the_rest_in_the_outbox),
        NOTIFY_OUTBOX_TEST(stats_tells_what_waits_by_webhook_and_changes_nothing),
        NOTIFY_OUTBOX_TEST(a_lease_that_an_attempt_outlasts_is_refused),
    };
    notify_use(kind);
    return cmocka_run_group_tests_name(kind->name, tests, NULL, NULL);
}
