/*
 * What cannot be is refused where it is given, with its own code and a sentence that names it:
 * settings of the background, of a webhook, of the outbox in SQLite, and arguments that are not
 * there. That the same thing without its mistake is taken is seen first.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "bb_webhook.h"
#include "bb_webhook_background.h"
#include "bb_webhook_outbox.h"
#include "support/outbox.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void assert_refused(int code, int expected, const bb_error *error, const char *part) {
    assert_int_equal(code, expected);
    assert_int_equal(error->code, expected);
    if (!strstr(error->text, part))
        fail_msg("\"%s\" is not said in: %s", part, error->text);
}

/* ------------------------------------------------------------ background -- */

static int open_with(const bb_background_options *given, bb_error *error) {
    bb_options options = BB_OPTIONS_INIT;
    bb_dispatcher *dispatcher = NULL;
    options.background = given;
    int code = bb_dispatcher_new(&options, &dispatcher, error);
    assert_int_equal(code == BB_OK, dispatcher != NULL);
    bb_dispatcher_free(dispatcher);
    return code;
}

static void a_setting_of_the_background_that_cannot_be_is_named(void **state) {
    (void)state;
    static const uint32_t delays[101];
    static const bb_background_options usual = BB_BACKGROUND_OPTIONS_INIT;
    struct {
        const char *part;
        bb_background_options given;
    } cases[] = {
        {"retry_delay_count", usual}, {"max_in_flight", usual}, {"breaker_percent", usual},
        {"when_full", usual},         {"resolver", usual},      {"dns_servers", usual},
    };
    cases[0].given.retry_delays_ms = delays;
    cases[0].given.retry_delay_count = COUNT(delays);
    cases[1].given.max_in_flight = 65537;
    cases[2].given.breaker_percent = 101;
    cases[3].given.when_full = BB_FULL_DROP_OLDEST + 1;
    cases[4].given.resolver = BB_RESOLVER_SYSTEM + 1;
    cases[5].given.dns_servers = "ns.example.com";
    assert_int_equal(open_with(&usual, NULL), BB_OK);
    for (size_t i = 0; i < COUNT(cases); i++) {
        bb_error error = BB_ERROR_INIT;
        assert_refused(open_with(&cases[i].given, &error), BB_ERR_ARGUMENT, &error, cases[i].part);
    }
}

static void the_largest_settings_of_the_background_are_taken(void **state) {
    (void)state;
    static const uint32_t delays[100];
    bb_background_options given = BB_BACKGROUND_OPTIONS_INIT;
    given.retry_delays_ms = delays;
    given.retry_delay_count = COUNT(delays);
    given.max_in_flight = 65536;
    given.breaker_percent = 100;
    given.when_full = BB_FULL_DROP_OLDEST;
    given.dns_servers = ""; /* as when it is not given */
    assert_int_equal(open_with(&given, NULL), BB_OK);
}

/* --------------------------------------------------------------- webhooks -- */

static bb_webhook room(void) {
    bb_webhook hook = BB_WEBHOOK_INIT;
    hook.name = "room";
    hook.type = BB_SLACK;
    hook.url = "https://hooks.slack.com/services/T0/B0/x";
    hook.activities = BB_ACTIVITY_ALL;
    return hook;
}

static void a_setting_of_a_webhook_that_cannot_be_is_named(void **state) {
    (void)state;
    static const char *const no_types[1] = {0};
    static char name[1026], id[257];
    struct {
        const char *part;
        bb_webhook given;
    } cases[] = {{"order:", room()},          {"when_unknown:", room()},   {"rate_count", room()},
                 {"rate_count:", room()},     {"name:", room()},           {"id:", room()},
                 {"issue_types: is", room()}, {"issue_types: has", room()}};
    bb_dispatcher *dispatcher = NULL;
    memset(name, 'n', sizeof name - 1);
    memset(id, 'i', sizeof id - 1);
    cases[0].given.order = BB_ORDER_WEBHOOK + 1;
    cases[1].given.when_unknown = BB_UNKNOWN_GIVE_UP + 1;
    cases[2].given.rate_period_ms = 1000;
    cases[3].given.rate_count = 1001;
    cases[3].given.rate_period_ms = 1000;
    cases[4].given.id = "room";
    cases[4].given.name = name;
    cases[5].given.id = id;
    cases[6].given.issue_types = no_types;
    cases[7].given.issue_types = no_types;
    cases[7].given.issue_type_count = 1;
    assert_int_equal(bb_dispatcher_new(NULL, &dispatcher, NULL), BB_OK);
    for (size_t i = 0; i < COUNT(cases); i++) {
        bb_error error = BB_ERROR_INIT;
        assert_refused(bb_dispatcher_add(dispatcher, &cases[i].given, &error), BB_ERR_WEBHOOK,
                       &error, cases[i].part);
    }
    const bb_webhook good = room();
    assert_int_equal(bb_dispatcher_count(dispatcher), 0);
    assert_int_equal(bb_dispatcher_add(dispatcher, &good, NULL), BB_OK);
    bb_dispatcher_free(dispatcher);
}

/* ----------------------------------------------------------------- outbox -- */

typedef struct box {
    bb_outbox *outbox;
    bb_dispatcher *dispatcher;
    sqlite3 *db; /* the host's own connection */
} box;

static void open_box(box *b) {
    bb_options options = BB_OPTIONS_INIT;
    bb_background_options behind = BB_BACKGROUND_OPTIONS_INIT;
    outbox_make_file();
    b->outbox = outbox_open();
    options.timeout_ms = OUTBOX_LEASE_MS / 2;
    behind.outbox = b->outbox;
    options.background = &behind;
    assert_int_equal(bb_dispatcher_new(&options, &b->dispatcher, NULL), BB_OK);
    b->db = outbox_open_host();
}

static void close_box(box *b) {
    sqlite3_close(b->db);
    bb_dispatcher_free(b->dispatcher);
    bb_outbox_free(b->outbox);
    outbox_remove_files();
}

static void an_outbox_in_sqlite_is_not_opened_with_what_cannot_be(void **state) {
    (void)state;
    bb_outbox *outbox = (bb_outbox *)&outbox;
    bb_error error = BB_ERROR_INIT;
    bb_sqlite_options options = BB_SQLITE_OPTIONS_INIT;
    const char *path = "/tmp/bb_refused.db"; /* nothing is made */
    assert_refused(bb_sqlite_open(NULL, NULL, &outbox, &error), BB_ERR_ARGUMENT, &error, "path");
    assert_refused(bb_sqlite_open(path, NULL, NULL, &error), BB_ERR_ARGUMENT, &error, "outbox");
    options.lease_ms = 999;
    assert_refused(bb_sqlite_open(path, &options, &outbox, &error), BB_ERR_ARGUMENT, &error,
                   "lease_ms");
    assert_null(outbox);
    options.lease_ms = 0;
    options.safety = BB_SQLITE_PROCESS_CRASH + 1;
    assert_refused(bb_sqlite_open(path, &options, &outbox, &error), BB_ERR_ARGUMENT, &error,
                   "safety");
    options.struct_size = 0;
    assert_refused(bb_sqlite_open(path, &options, &outbox, &error), BB_ERR_STRUCT, &error,
                   "sqlite options");
}

static void nothing_is_enqueued_on_a_connection_that_is_not_there(void **state) {
    (void)state;
    box b;
    bb_error error = BB_ERROR_INIT;
    bb_event event = BB_EVENT_INIT;
    size_t count = 9;
    const char *id = sqlite3_sourceid();
    open_box(&b);
    event.activity = BB_ISSUE_CREATE;
    assert_refused(bb_sqlite_enqueue(b.dispatcher, NULL, id, &event, NULL, &count, &error),
                   BB_ERR_ARGUMENT, &error, "db");
    assert_int_equal(count, 0);
    assert_refused(bb_sqlite_enqueue(b.dispatcher, b.db, NULL, &event, NULL, NULL, &error),
                   BB_ERR_ARGUMENT, &error, "sourceid");
    assert_refused(bb_webhook_enqueue_on(b.dispatcher, NULL, &event, NULL, NULL, &error),
                   BB_ERR_ARGUMENT, &error, "connection");
    close_box(&b);
}

static void a_writer_is_not_made_of_what_is_not_there(void **state) {
    (void)state;
    box b;
    bb_error error = BB_ERROR_INIT;
    bb_event event = BB_EVENT_INIT;
    bb_sqlite_writer *writer = (bb_sqlite_writer *)&b;
    sqlite3 *empty = NULL;
    size_t count = 9;
    const char *id = sqlite3_sourceid();
    open_box(&b);
    event.activity = BB_ISSUE_CREATE;
    assert_refused(bb_sqlite_writer_new(NULL, b.db, id, &writer, &error), BB_ERR_ARGUMENT, &error,
                   "dispatcher");
    assert_refused(bb_sqlite_writer_new(b.dispatcher, b.db, id, NULL, &error), BB_ERR_ARGUMENT,
                   &error, "writer");
    assert_refused(bb_sqlite_writer_new(b.dispatcher, NULL, id, &writer, &error), BB_ERR_ARGUMENT,
                   &error, "db");
    assert_null(writer);
    assert_int_equal(sqlite3_open(":memory:", &empty), SQLITE_OK);
    assert_refused(bb_sqlite_writer_new(b.dispatcher, empty, id, &writer, &error), BB_ERR_OUTBOX,
                   &error, "has no outbox");
    assert_null(writer);
    assert_refused(bb_sqlite_writer_enqueue(NULL, &event, NULL, &count, &error), BB_ERR_ARGUMENT,
                   &error, "writer");
    assert_int_equal(count, 0);
    bb_sqlite_writer_free(NULL);
    sqlite3_close(empty);
    close_box(&b);
}

static void dead_letters_are_not_asked_for_without_saying_which(void **state) {
    (void)state;
    box b;
    bb_error error = BB_ERROR_INIT;
    size_t count = 9;
    open_box(&b);
    assert_refused(bb_outbox_dead(NULL, NULL, NULL, NULL, &count, &error), BB_ERR_ARGUMENT, &error,
                   "outbox");
    assert_int_equal(count, 0);
    assert_refused(bb_outbox_attempts(b.outbox, 1, NULL, NULL, &error), BB_ERR_ARGUMENT, &error,
                   "visit");
    assert_refused(bb_outbox_cancel(b.outbox, NULL, NULL, &error), BB_ERR_ARGUMENT, &error, "key");
    assert_refused(bb_outbox_cancel(b.outbox, "", NULL, &error), BB_ERR_ARGUMENT, &error, "key");
    assert_int_equal(bb_outbox_cancel(b.outbox, "nobody's", &count, NULL), BB_OK);
    assert_int_equal(bb_outbox_purge(b.outbox, INT64_MAX, NULL, NULL), BB_OK);
    assert_int_equal(bb_outbox_replay(b.outbox, NULL, NULL, NULL), BB_OK);
    close_box(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_setting_of_the_background_that_cannot_be_is_named),
        cmocka_unit_test(the_largest_settings_of_the_background_are_taken),
        cmocka_unit_test(a_setting_of_a_webhook_that_cannot_be_is_named),
        cmocka_unit_test(an_outbox_in_sqlite_is_not_opened_with_what_cannot_be),
        cmocka_unit_test(nothing_is_enqueued_on_a_connection_that_is_not_there),
        cmocka_unit_test(a_writer_is_not_made_of_what_is_not_there),
        cmocka_unit_test(dead_letters_are_not_asked_for_without_saying_which),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
