/* bb-notify --outbox end to end, with a SQLite file: what waits is delivered by processes that come
 * and go; and how it is used wrongly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/notify_outbox.h"

#define RUN(...) notify_run(fixture, "-c", fixture->config, __VA_ARGS__, NULL)

static void options_that_make_no_sense_together_are_refused(void **state) {
    notify *fixture = *state;
    const char *verbs =
        "--outbox goes with one of the verbs enqueue, deliver, stats, list, replay and purge\n";
    const char *none = "--outbox goes with none of --background, --dry-run, --test and --stats\n";
    notify_assert_refused(
        fixture, notify_run(fixture, "-c", fixture->config, "-o", notify_place, NULL), verbs);
    notify_assert_refused(fixture, NOTIFY_RUN("send"), verbs);
    notify_assert_refused(fixture, NOTIFY_RUN(fixture->events), verbs);
    notify_assert_refused(fixture, NOTIFY_RUN("enqueue"), "enqueue takes one events file");
    notify_assert_refused(fixture, NOTIFY_RUN("enqueue", "a", "b"), "enqueue takes one events");
    notify_assert_refused(fixture, NOTIFY_RUN("deliver", "a"), "take no events file");
    notify_assert_refused(fixture, NOTIFY_RUN("stats", "a"), "take no events file");
    notify_assert_refused(fixture, NOTIFY_RUN("-b", "deliver"), none);
    notify_assert_refused(fixture, NOTIFY_RUN("-n", "deliver"), none);
    notify_assert_refused(fixture, NOTIFY_RUN("-t", "ops"), none);
    notify_assert_refused(fixture, NOTIFY_RUN("--stats", "deliver"), none);
    notify_assert_refused(fixture, NOTIFY_RUN("--forever", "stats"), "--forever goes with deliver");
    notify_assert_refused(fixture, RUN("--forever", fixture->events),
                          "--forever goes with --outbox");
    notify_assert_refused(fixture, NOTIFY_RUN("-j", "enqueue", "-"), "--json goes with deliver");
    notify_assert_refused(fixture, notify_run(fixture, "-o", notify_place, "deliver", NULL),
                          "--config");
    notify_assert_refused(fixture, notify_run(fixture, "--demo", "-o", notify_place, NULL),
                          "--demo");
}

static void places_that_cannot_keep_anything_are_refused(void **state) {
    static const char *const neither = "--outbox takes the path of a file, or a URL that begins";
    notify *fixture = *state;
    notify_assert_refused(fixture, RUN("-o", "", "deliver"), "--outbox takes the path of a file");
    notify_assert_refused(fixture, RUN("-o", ":memory:", "deliver"), "the path of a file, where");
    notify_assert_refused(fixture, RUN("-o", "/nonexistent/o.db", "deliver"),
                          "/nonexistent/o.db: ");
    notify_assert_refused(fixture, RUN("-o", fixture->config, "deliver"), "not a database");
    notify_assert_refused(fixture, RUN("-o", "postgre://host/db", "deliver"), neither);
    notify_assert_refused(fixture, RUN("-o", "host=db dbname=app", "deliver"), neither);
    notify_assert_refused(fixture, RUN("-o", " user = me", "deliver"), neither);
    notify_assert_refused(fixture, RUN("-o", "./nonexistent/a=b", "stats"), "a=b: outbox: ");
    notify_assert_refused(fixture, NOTIFY_RUN("enqueue", "/nonexistent/e"), "/nonexistent/e: ");
    notify_configure(fixture, "'lease_ms':999,", NOTIFY_OPS);
    notify_assert_refused(fixture, NOTIFY_RUN("deliver"), "lease_ms: must be at least 1000 mill");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        NOTIFY_OUTBOX_TEST(options_that_make_no_sense_together_are_refused),
        NOTIFY_OUTBOX_TEST(places_that_cannot_keep_anything_are_refused),
    };
    int failed = notify_outbox_cases_run(&notify_sqlite);
    return failed + cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}
