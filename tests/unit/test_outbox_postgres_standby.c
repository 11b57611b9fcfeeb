/* The outbox in PostgreSQL while nobody may write there: a hot standby that is promoted in the end,
 * and a database that is set to be read only. It says so, loses nothing, and goes on afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "support/outbox_postgres.h"

static const server_step slow = {.status = 200, .delay_ms = 20, .body = "{\"code\":0}"};

static void wait_for_trouble(const char *words) {
    const struct timespec moment = {.tv_nsec = 5000000};
    int64_t end_ms = server_now_ms() + BACKGROUND_PATIENCE_MS;
    while (strstr(pg_last_trouble(), words) == NULL) {
        if (server_now_ms() > end_ms)
            fail_msg("\"%s\" was never told, but \"%s\"", words, pg_last_trouble());
        nanosleep(&moment, NULL);
    }
}

/* What was lost with the server's memory comes back when its leases have run out. */
static void wait_until_empty(void) {
    const struct timespec moment = {.tv_nsec = 50 * 1000000};
    int64_t end_ms = server_now_ms() + BACKGROUND_PATIENCE_MS;
    while (postgres_count("bb_delivery") > 0) {
        assert_true(server_now_ms() < end_ms);
        nanosleep(&moment, NULL);
    }
}

/* The server is lost in mid-run, and a standby takes its place, which is promoted only then. */
static void a_standby_is_told_of_and_goes_on_when_it_is_promoted(void **state) {
    enum { EVENTS = 100 };
    background *b = *state;
    bb_error error = BB_ERROR_INIT;
    pg_open_all(b);
    background_script(b, BB_CUSTOM, "hook", &slow, 1);
    for (int i = 0; i < EVENTS; i++)
        background_enqueue(b, NULL);
    assert_int_equal(bb_dispatcher_start(b->dispatcher, NULL), BB_OK);
    background_wait_until(b, BB_NOTICE_DELIVERED, EVENTS / 10);
    postgres_stop();
    postgres_start_standby();
    assert_int_equal(bb_webhook_enqueue(b->dispatcher, posting_event(), NULL, NULL, &error),
                     BB_ERR_OUTBOX);
    assert_non_null(strstr(error.text, "the event cannot be written: "));
    assert_non_null(strstr(error.text, "during recovery"));
    wait_for_trouble("during recovery");
    postgres_promote();
    background_enqueue(b, "afterwards");
    background_wait_until(b, BB_NOTICE_DELIVERED, EVENTS + 1);
    wait_until_empty();
    assert_int_equal(pg_different_ids(b->receiver), EVENTS + 1);
    assert_int_equal(b->counts[BB_NOTICE_DEAD], 0);
}

/* Neither with its tables nor without. */
static void an_outbox_is_not_opened_on_a_standby(void **state) {
    (void)state;
    bb_error error = BB_ERROR_INIT;
    bb_outbox *outbox = NULL;
    postgres_stop();
    postgres_start_standby();
    for (int i = 0; i < 2; i++) {
        assert_int_equal(bb_postgres_open(postgres_conninfo_with(""), NULL, &outbox, &error),
                         BB_ERR_OUTBOX);
        assert_null(outbox);
        assert_non_null(strstr(error.text, "during recovery"));
        postgres_promote();
        bb_outbox_free(pg_open_outbox());
        if (i == 0) {
            postgres_stop();
            postgres_start_standby();
        }
    }
}

/* A default is what the outbox does not depend on: neither of this nor of the isolation. */
static void defaults_of_transactions_do_not_matter(void **state) {
    static const char *const defaults[] = {"default_transaction_read_only = on",
                                           "default_transaction_isolation = serializable",
                                           "default_transaction_deferrable = on"};
    background *b = *state;
    char sql[256];
    PGconn *db = postgres_connect();
    for (size_t i = 0; i < 3; i++) {
        snprintf(sql, sizeof(sql),
                 "DO $$ BEGIN EXECUTE format('ALTER DATABASE %%I SET %s', current_database());"
                 " END $$",
                 defaults[i]);
        postgres_run(db, sql);
    }
    PQfinish(db);
    pg_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    background_enqueue(b, "one");
    background_flush(b);
    assert_string_equal(pg_last_trouble(), "");
    assert_int_equal(b->counts[BB_NOTICE_DELIVERED], 1);
    pg_close_all(b);
    assert_int_equal(postgres_count("bb_delivery"), 0);
}

/* The host's own transaction is as it is: an error, which leaves nothing behind. */
static void a_host_that_may_only_read_is_told_so(void **state) {
    background *b = *state;
    bb_error error = BB_ERROR_INIT;
    pg_open_all(b);
    background_add_healthy(b, BB_CUSTOM, "hook");
    PGconn *db = postgres_connect();
    postgres_run(db, "BEGIN READ ONLY");
    assert_int_equal(pg_enqueue_on(b, db, "one", &error), BB_ERR_OUTBOX);
    assert_non_null(strstr(error.text, "read-only transaction"));
    postgres_run(db, "ROLLBACK");
    assert_int_equal(pg_enqueue_on(b, db, "two", &error), BB_OK);
    PQfinish(db);
    background_flush(b);
    assert_int_equal(server_requests(b->receiver), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        PG_TEST(a_standby_is_told_of_and_goes_on_when_it_is_promoted),
        PG_TEST(an_outbox_is_not_opened_on_a_standby),
        PG_TEST(defaults_of_transactions_do_not_matter),
        PG_TEST(a_host_that_may_only_read_is_told_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
