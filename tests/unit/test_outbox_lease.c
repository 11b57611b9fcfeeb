/* A lease outlasts any attempt: a dispatcher whose outbox says otherwise is not made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bb_webhook_postgres.h"
#include "bb_webhook_sqlite.h"
#include "support/postgres.h"

typedef int opener(uint32_t lease_ms, bb_outbox **outbox);

static char path[] = "/tmp/bb_lease_XXXXXX";

static int open_sqlite(uint32_t lease_ms, bb_outbox **outbox) {
    bb_sqlite_options options = BB_SQLITE_OPTIONS_INIT;
    options.lease_ms = lease_ms;
    return bb_sqlite_open(path, &options, outbox, NULL);
}

static int open_postgres(uint32_t lease_ms, bb_outbox **outbox) {
    bb_postgres_options options = BB_POSTGRES_OPTIONS_INIT;
    options.lease_ms = lease_ms;
    return bb_postgres_open(postgres_conninfo_with(""), &options, outbox, NULL);
}

static opener *const openers[] = {open_sqlite, open_postgres};
enum { KINDS = sizeof openers / sizeof *openers };

static int make_outboxes(void **state) {
    (void)state;
    postgres_fresh();
    int file = mkstemp(path);
    return file < 0 ? -1 : close(file);
}

static int remove_outboxes(void **state) {
    static const char *const ends[] = {"", "-wal", "-shm"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char name[80];
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
    return 0;
}

/* What bb_dispatcher_new says. */
static int try_to_use(bb_outbox *outbox, uint32_t timeout_ms, bb_error *error) {
    bb_background_options background = BB_BACKGROUND_OPTIONS_INIT;
    bb_options options = BB_OPTIONS_INIT;
    bb_dispatcher *dispatcher = NULL;
    background.outbox = outbox;
    options.background = &background;
    options.timeout_ms = timeout_ms;
    int code = bb_dispatcher_new(&options, &dispatcher, error);
    assert_int_equal(dispatcher == NULL, code != BB_OK);
    assert_int_equal(bb_dispatcher_free(dispatcher), BB_OK);
    return code;
}

/* With timeouts of 0 and leases of 0 as the usual ones. */
static void assert_refused(uint32_t lease_ms, uint32_t timeout_ms, const char *words) {
    for (size_t i = 0; i < KINDS; i++) {
        bb_error error = BB_ERROR_INIT;
        bb_outbox *outbox = NULL;
        assert_int_equal(openers[i](lease_ms, &outbox), BB_OK);
        assert_int_equal(try_to_use(outbox, timeout_ms, &error), BB_ERR_ARGUMENT);
        assert_string_equal(error.text, words);
        bb_outbox_free(outbox);
    }
}

static void a_lease_that_is_not_longer_than_an_attempt_is_refused(void **state) {
    (void)state;
    assert_refused(2000, 2000,
                   "options: timeout_ms (2000) is not shorter than the lease_ms (2000) of the "
                   "outbox: a lease must outlast any attempt");
    assert_refused(15000, 0,
                   "options: timeout_ms (15000) is not shorter than the lease_ms (15000) of the "
                   "outbox: a lease must outlast any attempt");
    assert_refused(0, 4000000000,
                   "options: timeout_ms (4000000000) is not shorter than the lease_ms (60000) of "
                   "the outbox: a lease must outlast any attempt");
}

/* The refusal leaves it free for another dispatcher. */
static void one_that_is_longer_by_a_millisecond_is_taken(void **state) {
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        bb_outbox *outbox = NULL;
        assert_int_equal(openers[i](2000, &outbox), BB_OK);
        assert_int_equal(try_to_use(outbox, 2000, NULL), BB_ERR_ARGUMENT);
        assert_int_equal(try_to_use(outbox, 1999, NULL), BB_OK);
        bb_outbox_free(outbox);
    }
}

static void an_outbox_in_memory_has_no_lease(void **state) {
    (void)state;
    assert_int_equal(try_to_use(NULL, UINT32_MAX, NULL), BB_OK);
}

/* Its name would serve as its id, and be changed one day. */
static void a_webhook_of_a_kept_outbox_needs_an_id(void **state) {
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        bb_options options = BB_OPTIONS_INIT;
        bb_background_options background = BB_BACKGROUND_OPTIONS_INIT;
        bb_dispatcher *dispatcher = NULL;
        bb_webhook hook = BB_WEBHOOK_INIT;
        bb_error error = BB_ERROR_INIT;
        hook.name = "ops room";
        hook.type = BB_CUSTOM;
        hook.url = "https://example.com/";
        assert_int_equal(openers[i](0, &background.outbox), BB_OK);
        options.background = &background;
        assert_int_equal(bb_dispatcher_new(&options, &dispatcher, NULL), BB_OK);
        assert_int_equal(bb_dispatcher_add(dispatcher, &hook, &error), BB_ERR_WEBHOOK);
        assert_string_equal(error.text, "webhook \"ops room\": id: is required with an outbox");
        assert_int_equal(bb_dispatcher_add(dispatcher, NULL, NULL), BB_ERR_ARGUMENT);
        hook.id = "ops";
        assert_int_equal(bb_dispatcher_add(dispatcher, &hook, NULL), BB_OK);
        hook.id = "";
        assert_int_equal(bb_dispatcher_replace(dispatcher, &hook, NULL), BB_ERR_WEBHOOK);
        assert_int_equal(bb_dispatcher_free(dispatcher), BB_OK);
        bb_outbox_free(background.outbox);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lease_that_is_not_longer_than_an_attempt_is_refused),
        cmocka_unit_test(one_that_is_longer_by_a_millisecond_is_taken),
        cmocka_unit_test(an_outbox_in_memory_has_no_lease),
        cmocka_unit_test(a_webhook_of_a_kept_outbox_needs_an_id),
    };
    return cmocka_run_group_tests(tests, make_outboxes, remove_outboxes);
}
