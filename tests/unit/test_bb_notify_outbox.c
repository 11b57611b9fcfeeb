/* bb-notify --outbox end to end: what waits in a file, delivered by processes that come and go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/bb_notify.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000, MOST_EVENTS = 200 };

#define OPS NOTIFY_CUSTOM("ops")
#define DEV NOTIFY_CUSTOM("dev")

static const server_step yes = {.status = 200, .body = "{\"code\":0}"};
static const server_step held = {.status = 200, .body = "{\"code\":0}", .hold = 1};
static const server_step busy = {.status = 503};
static const server_step gone = {.status = 410};

static char outbox[112];    /* the file */
static program *started[2]; /* and not ended yet */

/* ---- fixture ---- */

static int setup(void **state) {
    int code = notify_setup(state);
    snprintf(outbox, sizeof outbox, "%s/outbox.db", ((notify *)*state)->directory);
    return code;
}

/* A test that failed has left some behind, and they may run for ever. */
static void end_started(void) {
    for (size_t i = 0; i < 2; i++) {
        program_result result = {0};
        if (!started[i])
            continue;
        program_signal(started[i], SIGKILL);
        program_finish(started[i], &result);
        program_result_free(&result);
        started[i] = NULL;
    }
}

static int teardown(void **state) {
    static const char *const ends[] = {"", "-wal", "-shm"};
    end_started();
    for (size_t i = 0; i < 3; i++) {
        char name[128];
        snprintf(name, sizeof name, "%s%s", outbox, ends[i]);
        unlink(name);
    }
    return notify_teardown(state);
}

#define OUTBOX_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void configure(notify *fixture, const char *members, const char *webhooks) {
    char config[2048];
    snprintf(config, sizeof config, "{%s,'no_jitter':true,%s'webhooks':[%s]}", NOTIFY_LOCAL,
             members, webhooks);
    notify_write_config(fixture, config);
}

static void answer(notify *fixture, const char *path, const server_step *step) {
    server_on(fixture->receiver, path, step, 1);
}

static int enqueue(notify *fixture, size_t events) {
    char *text = calloc(MOST_EVENTS, sizeof NOTIFY_CREATED);
    assert_non_null(text);
    assert_true(events <= MOST_EVENTS);
    for (size_t i = 0; i < events; i++)
        strcat(text, NOTIFY_CREATED);
    notify_write_events(fixture, text);
    free(text);
    return notify_post(fixture, "--outbox", outbox, "enqueue", NULL);
}

#define RUN(...) notify_run(fixture, "-c", fixture->config, __VA_ARGS__, NULL)

static int deliver(notify *fixture) {
    return RUN("-o", outbox, "deliver");
}

static program *keep(program *running) {
    started[started[0] != NULL] = running;
    return running;
}

static program *start_deliver(const notify *fixture, const char *option) {
    const char *const arguments[] = {BB_NOTIFY, "-c",      fixture->config, "-o",
                                     outbox,    "deliver", option,          NULL};
    return keep(program_start(arguments));
}

static int finish(notify *fixture, program *running) {
    started[started[1] == running] = NULL;
    return notify_finish(fixture, running);
}

static int stats(notify *fixture) {
    return RUN("-o", outbox, "stats");
}

static const char *id_of(const notify *fixture, size_t request) {
    return server_header(server_request_at(fixture->receiver, request), "webhook-id");
}

static size_t different_ids(const notify *fixture) {
    size_t different = 0;
    for (size_t i = 0; i < server_requests(fixture->receiver); i++) {
        size_t j = 0;
        while (j < i && strcmp(id_of(fixture, i), id_of(fixture, j)) != 0)
            j++;
        different += j == i;
    }
    return different;
}

/* ---- enqueue ---- */

static void enqueue_sends_nothing_and_deliver_all_of_it_once(void **state) {
    notify *fixture = *state;
    notify_write_webhooks(fixture, OPS "," DEV);
    answer(fixture, "/ops", &yes);
    answer(fixture, "/dev", &yes);
    assert_int_equal(enqueue(fixture, 3), 0);
    assert_string_equal(fixture->result.out, "3 events enqueued, 6 deliveries\n");
    assert_string_equal(fixture->result.err, "");
    assert_int_equal(server_connections(fixture->receiver), 0);
    assert_int_equal(deliver(fixture), 0);
    assert_string_equal(fixture->result.err, "");
    assert_string_equal(fixture->result.out,
                        "WEBHOOK  TYPE      DELIVERED  DEAD  DROPPED  LEFT  ATTEMPTS\n"
                        "ops      custom            3     -        -     -         3\n"
                        "dev      custom            3     -        -     -         3\n"
                        "\n"
                        "6 deliveries: 6 delivered\n");
    assert_int_equal(server_requests(fixture->receiver), 6);
    assert_int_equal(deliver(fixture), 0);
    assert_string_equal(fixture->result.out, "0 deliveries\n");
    assert_int_equal(server_requests(fixture->receiver), 6);
}

static void execute(const char *sql) {
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(outbox, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* What is told as not enqueued is not: it can be enqueued again. */
static void a_failure_of_the_file_takes_back_what_was_not_committed(void **state) {
    notify *fixture = *state;
    assert_int_equal(stats(fixture), 0); /* makes the file */
    execute("CREATE TRIGGER full BEFORE INSERT ON bb_event"
            " WHEN (SELECT count(*) FROM bb_event) = 2"
            " BEGIN SELECT RAISE(ABORT, 'no room'); END");
    assert_int_equal(enqueue(fixture, 5), 1);
    assert_told(fixture->result.err, "events.jsonl: line 3: outbox: ");
    assert_told(fixture->result.err, "no room\n");
    assert_told(fixture->result.err, "events.jsonl: line 1 and what follows was not enqueued\n");
    assert_string_equal(fixture->result.out, "0 events enqueued, 0 deliveries\n");
    assert_int_equal(deliver(fixture), 0);
    assert_int_equal(server_connections(fixture->receiver), 0);
}

static void a_bad_line_is_named_and_the_rest_is_enqueued(void **state) {
    notify *fixture = *state;
    notify_write_events(fixture, NOTIFY_CREATED "no event\n\n" NOTIFY_CREATED);
    assert_int_equal(notify_post(fixture, "-o", outbox, "enqueue", NULL), 1);
    assert_told(fixture->result.err, "events.jsonl: line 2: ");
    assert_string_equal(fixture->result.out, "2 events enqueued, 2 deliveries; 1 bad line\n");
}

/* What was read is in the file though the input goes on. */
static void standard_input_is_enqueued_as_it_comes(void **state) {
    notify *fixture = *state;
    answer(fixture, "/ops", &yes);
    assert_int_equal(stats(fixture), 0); /* makes the file */
    program *forever = start_deliver(fixture, "--forever");
    program *enqueuing = keep(notify_start(fixture, "-o", outbox, "enqueue", NULL));
    notify_type(enqueuing, NOTIFY_CREATED);
    assert_true(server_wait_requests(fixture->receiver, 1, PATIENCE_MS));
    notify_type(enqueuing, NOTIFY_CREATED NOTIFY_CREATED);
    assert_true(server_wait_requests(fixture->receiver, 3, PATIENCE_MS));
    assert_int_equal(finish(fixture, enqueuing), 0);
    assert_string_equal(fixture->result.out, "3 events enqueued, 3 deliveries\n");
    program_signal(forever, SIGTERM);
    assert_int_equal(finish(fixture, forever), 0);
}

/* ---- deliver ---- */

static void json_has_one_line_an_attempt(void **state) {
    notify *fixture = *state;
    answer(fixture, "/ops", &yes);
    enqueue(fixture, 2);
    assert_int_equal(RUN("-o", outbox, "--json", "deliver"), 0);
    assert_int_equal(line_count(fixture->result.out), 2);
    cJSON *first = notify_json_line(fixture, 0);
    assert_string_equal(text_of(first, "verdict"), "delivered");
    assert_int_equal(number_of(first, "attempt"), 1);
    cJSON_Delete(first);
}

static void what_waits_for_a_later_attempt_is_told_and_left_for_the_next_run(void **state) {
    notify *fixture = *state;
    configure(fixture, "'retry_delays_ms':[3600000],", OPS);
    answer(fixture, "/ops", &busy);
    enqueue(fixture, 1);
    assert_int_equal(deliver(fixture), 1);
    assert_told(fixture->result.out, "next attempt in 59 min: Custom answered HTTP 503\n");
    assert_told(fixture->result.out, "1 delivery: 1 left\n");
    assert_told(fixture->result.err,
                "outbox.db: 1 delivery waits, the next attempt is due in 59 min\n");
    assert_int_equal(deliver(fixture), 1);
    assert_told(fixture->result.out, "1         0  next attempt in 59 min\n");
    assert_int_equal(RUN("-o", outbox, "--json", "deliver"), 1);
    assert_string_equal(fixture->result.out, "");
    assert_told(fixture->result.err, "webhook \"ops\": 1 left: next attempt in 59 min\n");
    assert_int_equal(server_requests(fixture->receiver), 1);
}

static void an_attempt_that_has_become_due_is_made_by_the_next_run(void **state) {
    notify *fixture = *state;
    const server_step steps[] = {busy, yes};
    configure(fixture, "'retry_delays_ms':[1],", OPS);
    server_on(fixture->receiver, "/ops", steps, 2);
    enqueue(fixture, 1);
    while (deliver(fixture) == 1) /* a later look may find it due already */
        assert_told(fixture->result.err, "1 delivery waits, ");
    assert_int_equal(server_requests(fixture->receiver), 2);
    assert_int_equal(different_ids(fixture), 1);
}

static void what_waits_for_a_webhook_that_is_gone_is_not_waited_for(void **state) {
    notify *fixture = *state;
    answer(fixture, "/ops", &gone);
    enqueue(fixture, 3);
    assert_int_equal(deliver(fixture), 1);
    assert_told(fixture->result.out, "disabled: Custom answered HTTP 410");
    assert_told(fixture->result.out, "3 deliveries: 1 dead, 2 left\n");
    assert_told(fixture->result.err, "2 deliveries wait, no further attempt is due\n");
}

static void what_waits_for_a_webhook_that_was_removed_waits_for_its_return(void **state) {
    notify *fixture = *state;
    answer(fixture, "/ops", &yes);
    enqueue(fixture, 2);
    notify_write_webhooks(fixture, DEV);
    assert_int_equal(deliver(fixture), 1);
    assert_told(fixture->result.err,
                "2 deliveries wait for webhooks that the configuration does not have\n");
    notify_write_webhooks(fixture, OPS);
    assert_int_equal(deliver(fixture), 0);
    assert_int_equal(server_requests(fixture->receiver), 2);
}

/* ---- several processes, and ends ---- */

static void two_processes_share_the_work(void **state) {
    notify *fixture = *state;
    answer(fixture, "/ops", &yes);
    enqueue(fixture, MOST_EVENTS);
    program *one = start_deliver(fixture, NULL), *two = start_deliver(fixture, NULL);
    assert_int_equal(finish(fixture, one), 0);
    assert_int_equal(finish(fixture, two), 0);
    assert_int_equal(server_requests(fixture->receiver), MOST_EVENTS);
    assert_int_equal(different_ids(fixture), MOST_EVENTS);
}

/* Sent twice is at most what was under way, and what was answered and not written yet. */
static void a_killed_process_loses_nothing(void **state) {
    enum { EVENTS = 40, UNDER_WAY = 8 };
    notify *fixture = *state;
    const server_step steps[] = {yes, yes, yes, yes, held};
    configure(fixture, "'lease_ms':1000,", OPS);
    server_on(fixture->receiver, "/ops", steps, 5);
    enqueue(fixture, EVENTS);
    program *killed = start_deliver(fixture, NULL);
    assert_true(server_wait_requests(fixture->receiver, 5, PATIENCE_MS));
    program_signal(killed, SIGKILL);
    assert_int_equal(finish(fixture, killed), -SIGKILL);
    size_t before = server_requests(fixture->receiver);
    assert_in_range(before, 5, 4 + UNDER_WAY);
    server_release(fixture->receiver);
    assert_int_equal(deliver(fixture), 0);
    assert_int_equal(different_ids(fixture), EVENTS);
    assert_in_range(server_requests(fixture->receiver), EVENTS, EVENTS + 4 + UNDER_WAY);
}

static void forever_goes_on_and_ends_in_good_order(void **state) {
    notify *fixture = *state;
    answer(fixture, "/ops", &held);
    assert_int_equal(stats(fixture), 0); /* makes the file */
    program *forever = start_deliver(fixture, "--forever");
    enqueue(fixture, 1);
    assert_true(server_wait_requests(fixture->receiver, 1, PATIENCE_MS));
    program_signal(forever, SIGTERM);
    assert_true(program_wait_told(forever, "stopping: ", PATIENCE_MS));
    server_release(fixture->receiver);
    assert_int_equal(finish(fixture, forever), 0);
    assert_told(fixture->result.out, "1 delivery: 1 delivered\n");
    assert_int_equal(deliver(fixture), 0);
    assert_int_equal(server_requests(fixture->receiver), 1);
}

static void a_signal_leaves_the_rest_in_the_file(void **state) {
    notify *fixture = *state;
    answer(fixture, "/ops", &held);
    enqueue(fixture, 3);
    program *running = start_deliver(fixture, NULL);
    assert_true(server_wait_requests(fixture->receiver, 1, PATIENCE_MS));
    program_signal(running, SIGTERM);
    assert_true(program_wait_told(running, "stopping: ", PATIENCE_MS));
    server_release(fixture->receiver);
    assert_int_equal(finish(fixture, running), 1);
    assert_told(fixture->result.out, "3 deliveries: 1 delivered, 2 left\n");
    assert_int_equal(deliver(fixture), 0); /* at once: nothing is leased any more */
    assert_int_equal(server_requests(fixture->receiver), 3);
}

/* ---- stats ---- */

static void stats_tells_what_waits_by_webhook_and_changes_nothing(void **state) {
    notify *fixture = *state;
    configure(fixture, "'retry_delays_ms':[3600000],", OPS "," DEV);
    answer(fixture, "/ops", &busy);
    answer(fixture, "/dev", &yes);
    enqueue(fixture, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(stats(fixture), 0);
        assert_told(fixture->result.out, "WEBHOOK  TYPE      WAITING  LEASED  NEXT\n"
                                         "ops      custom          2       -  now\n"
                                         "dev      custom          2       -  now\n"
                                         "\n"
                                         "4 deliveries wait\n"
                                         "\n"
                                         "# HELP ");
    }
    assert_int_equal(deliver(fixture), 1);
    assert_int_equal(stats(fixture), 0);
    assert_told(fixture->result.out, "ops      custom          2       -  in 59 min\n");
    assert_not_told(fixture->result.out, "dev ");
    notify_write_webhooks(fixture, DEV);
    assert_int_equal(stats(fixture), 0);
    assert_told(fixture->result.out, "ops      -               2       -  not in the "
                                     "configuration\n");
    assert_int_equal(notify_run(fixture, "-c", fixture->config, "-o", outbox, "-j", "stats", NULL),
                     0);
    assert_int_equal(line_count(fixture->result.out), 1);
}

/* ---- usage ---- */

static void assert_refused(const notify *fixture, int status, const char *words) {
    assert_int_equal(status, 2);
    assert_string_equal(fixture->result.out, "");
    assert_told(fixture->result.err, words);
}

static void options_that_make_no_sense_together_are_refused(void **state) {
    notify *fixture = *state;
    const char *verbs =
        "--outbox goes with one of the verbs enqueue, deliver, stats, list, replay and purge\n";
    const char *none = "--outbox goes with none of --background, --dry-run, --test and --stats\n";
    assert_refused(fixture, RUN("-o", outbox), verbs);
    assert_refused(fixture, RUN("-o", outbox, "send"), verbs);
    assert_refused(fixture, RUN("-o", outbox, fixture->events), verbs);
    assert_refused(fixture, RUN("-o", outbox, "enqueue"), "enqueue takes one events file");
    assert_refused(fixture, RUN("-o", outbox, "enqueue", "a", "b"), "enqueue takes one events");
    assert_refused(fixture, RUN("-o", outbox, "deliver", "a"), "take no events file");
    assert_refused(fixture, RUN("-o", outbox, "stats", "a"), "take no events file");
    assert_refused(fixture, RUN("-o", outbox, "-b", "deliver"), none);
    assert_refused(fixture, RUN("-o", outbox, "-n", "deliver"), none);
    assert_refused(fixture, RUN("-o", outbox, "-t", "ops"), none);
    assert_refused(fixture, RUN("-o", outbox, "--stats", "deliver"), none);
    assert_refused(fixture, RUN("-o", outbox, "--forever", "stats"), "--forever goes with deliver");
    assert_refused(fixture, RUN("--forever", fixture->events), "--forever goes with --outbox");
    assert_refused(fixture, RUN("-o", outbox, "-j", "enqueue", "-"), "--json goes with deliver");
    assert_refused(fixture, notify_run(fixture, "-o", outbox, "deliver", NULL), "--config");
    assert_refused(fixture, notify_run(fixture, "--demo", "-o", outbox, NULL), "--demo");
}

static void outboxes_that_cannot_keep_anything_are_refused(void **state) {
    notify *fixture = *state;
    assert_refused(fixture, RUN("-o", "postgres://host/db", "deliver"), "PostgreSQL is not there");
    assert_refused(fixture, RUN("-o", "postgresql://host/db", "stats"), "PostgreSQL is not there");
    assert_refused(fixture, RUN("-o", "", "deliver"), "--outbox takes the path of a file");
    assert_refused(fixture, RUN("-o", ":memory:", "deliver"), "--outbox takes the path of a file");
    assert_refused(fixture, RUN("-o", "/nonexistent/o.db", "deliver"), "/nonexistent/o.db: ");
    assert_refused(fixture, RUN("-o", fixture->config, "deliver"), "not a database");
    assert_refused(fixture, RUN("-o", outbox, "enqueue", "/nonexistent/e"), "/nonexistent/e: ");
    configure(fixture, "'lease_ms':999,", OPS);
    assert_refused(fixture, deliver(fixture), "lease_ms: must be at least 1000 milliseconds\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        OUTBOX_TEST(enqueue_sends_nothing_and_deliver_all_of_it_once),
        OUTBOX_TEST(a_failure_of_the_file_takes_back_what_was_not_committed),
        OUTBOX_TEST(a_bad_line_is_named_and_the_rest_is_enqueued),
        OUTBOX_TEST(standard_input_is_enqueued_as_it_comes),
        OUTBOX_TEST(json_has_one_line_an_attempt),
        OUTBOX_TEST(what_waits_for_a_later_attempt_is_told_and_left_for_the_next_run),
        OUTBOX_TEST(an_attempt_that_has_become_due_is_made_by_the_next_run),
        OUTBOX_TEST(what_waits_for_a_webhook_that_is_gone_is_not_waited_for),
        OUTBOX_TEST(what_waits_for_a_webhook_that_was_removed_waits_for_its_return),
        OUTBOX_TEST(two_processes_share_the_work),
        OUTBOX_TEST(a_killed_process_loses_nothing),
        OUTBOX_TEST(forever_goes_on_and_ends_in_good_order),
        OUTBOX_TEST(a_signal_leaves_the_rest_in_the_file),
        OUTBOX_TEST(stats_tells_what_waits_by_webhook_and_changes_nothing),
        OUTBOX_TEST(options_that_make_no_sense_together_are_refused),
        OUTBOX_TEST(outboxes_that_cannot_keep_anything_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
