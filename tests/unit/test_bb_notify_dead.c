/* bb-notify --outbox with list, replay and purge, end to end, with a SQLite file: what becomes of
 * dead letters; and how the verbs are used wrongly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/notify_outbox.h"

static void an_event_that_cannot_be_read_is_listed(void **state) {
    notify *fixture = *state;
    assert_int_equal(NOTIFY_RUN("stats"), 0); /* makes the tables */
    notify_execute("INSERT INTO bb_event(json, webhooks) VALUES('no \"JSON', '0 3:ops,')");
    assert_int_equal(NOTIFY_RUN("deliver"), 1);
    assert_int_equal(NOTIFY_RUN("list"), 0);
    assert_told(fixture->result.out,
                "dead       not sent, its event cannot be read: the event is not JSON\n");
    assert_int_equal(NOTIFY_RUN("list", "1"), 0);
    assert_told(fixture->result.out, "event     no \"JSON\n");
    assert_int_equal(NOTIFY_RUN("-j", "list"), 0);
    cJSON *letter = notify_json_line(fixture, 0);
    assert_string_equal(text_of(letter, "event"), "no \"JSON");
    cJSON_Delete(letter);
}

static void options_that_make_no_sense_are_refused(void **state) {
    notify *fixture = *state;
    const char *only = "--yes go with list, replay and purge only\n";
    const char *json = "--json goes with deliver, stats and list only\n";
    notify_assert_refused(fixture, NOTIFY_RUN("--yes", "list"),
                          "--yes goes with replay and purge only\n");
    notify_assert_refused(fixture, NOTIFY_RUN("--yes", "deliver"), only);
    notify_assert_refused(fixture, NOTIFY_RUN("--most", "3", "stats"), only);
    notify_assert_refused(fixture, notify_post(fixture, "--webhook", "ops", NULL), only);
    notify_assert_refused(fixture, notify_run(fixture, "--demo", "--yes", NULL),
                          "--demo goes with no");
    notify_assert_refused(fixture, NOTIFY_RUN("--json", "replay"), json);
    notify_assert_refused(fixture, NOTIFY_RUN("--json", "--before", "2026-01-01", "purge"), json);
    notify_assert_refused(fixture, NOTIFY_RUN("--forever", "list"),
                          "--forever goes with deliver only\n");
    notify_assert_refused(fixture, NOTIFY_RUN("list", "1", "2"),
                          "the number of one dead letter, no more\n");
    notify_assert_refused(fixture, NOTIFY_RUN("--most", "2", "list", "1"),
                          "goes without --webhook, ");
    notify_assert_refused(fixture, NOTIFY_RUN("purge"), "purge needs --before: ");
    notify_assert_refused(fixture, NOTIFY_RUN("--before", "2026-01-01", "purge", "1"),
                          "and no number\n");
    notify_assert_refused(fixture, NOTIFY_RUN("--before", "2026-01-01", "--most", "1", "purge"),
                          "purge goes with --before only");
}

static void values_that_say_nothing_are_refused(void **state) {
    static const char *const moments[] = {"",
                                          "yesterday",
                                          "2026-1-2",
                                          "2026-02-29",
                                          "2026-13-01",
                                          "2026-01-02T24:00:00Z",
                                          "2026-01-02T03:04:05",
                                          "2026-01-02T03:04:05+01:00",
                                          "1970-01-01",
                                          "1969-12-31",
                                          "2026-01-02 03:04:05Z",
                                          "2026-01-02T03:60:00Z"};
    static const char *const numbers[] = {"", "0", "-1", "x", "1x", "9223372036854775808"};
    notify *fixture = *state;
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        notify_assert_refused(fixture, NOTIFY_RUN("--since", moments[i], "list"),
                              "--since takes a time in UTC");
        notify_assert_refused(fixture, NOTIFY_RUN("--before", moments[i], "--yes", "purge"),
                              "--before takes a");
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        notify_assert_refused(fixture, NOTIFY_RUN("--most", numbers[i], "list"),
                              "--most takes a number");
        notify_assert_refused(fixture, NOTIFY_RUN("--yes", "replay", "--", numbers[i]),
                              "the number of one dead");
    }
    notify_assert_refused(fixture, NOTIFY_RUN("--most", "4294967296", "list"),
                          "--most takes a number");
    notify_assert_refused(fixture, NOTIFY_RUN("--verdict", "delivered", "list"),
                          "--verdict takes dead, retry or unknown\n");
    notify_assert_refused(fixture, NOTIFY_RUN("--webhook", "", "list"),
                          "--webhook takes the id of a webhook\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        NOTIFY_OUTBOX_TEST(an_event_that_cannot_be_read_is_listed),
        NOTIFY_OUTBOX_TEST(options_that_make_no_sense_are_refused),
        NOTIFY_OUTBOX_TEST(values_that_say_nothing_are_refused),
    };
    int failed = notify_dead_cases_run(&notify_sqlite);
    return failed + cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}
