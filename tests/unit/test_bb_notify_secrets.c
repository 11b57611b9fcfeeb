/* The canary in bb-notify: whatever it is told to do and whatever the receivers repeat, neither its
 * output nor its errors nor its outbox tell a secret. */
#include "support/canary.h"
#include "support/notify_outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define HIDDEN                                                                                     \
    "'activities':'all','authorization':'Bearer cAnArYbearer0123456789',"                          \
    "'headers':{'X-Api-Key':'cAnArYkey-0123456789'},'max_attempts':1"

static const char webhooks[] =
    "{'name':'a','type':'slack','url':'@/services/T/B/cAnArYslack-0123456789'," HIDDEN "},"
    "{'name':'b','type':'discord','url':'@/api/webhooks/1/cAnArYdiscord-0123456789'," HIDDEN "},"
    "{'name':'c','type':'teams','url':'@/w/cAnArYteams-0123?sig=cAnArYsig-0123456789'," HIDDEN "},"
    "{'name':'d','type':'dingtalk','url':'@/robot/send?access_token=cAnArYtoken0123',"
    "'secret':'SECcAnArY0123456789'," HIDDEN "},"
    "{'name':'e','type':'feishu','url':'@/hook/cAnArYfeishu-0123','secret':'cAnArYfeishu'," HIDDEN
    "},"
    "{'name':'f','type':'wecom','url':'@/send?key=cAnArYwecom-0123456789'," HIDDEN "},"
    "{'name':'g','type':'custom','url':'@/in/cAnArYcustom?token=cAnArYtoken0123456789',"
    "'secret':'whsec_cAnArYcAnArYcAnArYcAnArYcAnArYcA',"
    "'previous_secret':'cAnArYoldcAnArYoldcAnArYoldcAnAr'," HIDDEN "}";

static void configure(notify *fixture) {
    char config[4096];
    snprintf(config, sizeof config, "{%s,'no_jitter':true,'webhooks':[%s]}", NOTIFY_LOCAL,
             webhooks);
    notify_write_config(fixture, config);
}

/* Whatever comes from now on is answered so, and with all that it was. */
static void echo(notify *fixture, int status, const char *before, const char *behind) {
    const server_step step = {
        .status = status, .body = before, .echo = SERVER_ECHO_PLAIN, .tail = behind};
    server_on(fixture->receiver, NULL, &step, 1);
}

static void look(const notify *fixture, const char *what) {
    const program_result *result = &fixture->result;
    if (result->out_length + strlen(result->err) == 0)
        fail_msg("%s says nothing", what);
    canary_assert_bytes_silent(what, result->out, result->out_length, fixture->receiver);
    canary_assert_bytes_silent(what, result->err, strlen(result->err), fixture->receiver);
}

static void posts_tests_and_dry_runs_tell_nothing(void **state) {
    static const struct {
        int status;
        const char *before, *behind;
    } answers[] = {{400, "no: ", ""},
                   {200, "{\"code\":7,\"errcode\":7,\"message\":\"", "\"}"},
                   {200, "{\"code\":\"", "\"}"},
                   {404, "{\"message\":\"", "\",\"code\":10015}"},
                   {503, "", ""}};
    notify *fixture = *state;
    configure(fixture);
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        echo(fixture, answers[i].status, answers[i].before, answers[i].behind);
        assert_int_equal(notify_post(fixture, NULL), 1);
        look(fixture, "a post");
        assert_int_equal(notify_post(fixture, "--json", NULL), 1);
        look(fixture, "--json");
        assert_int_equal(notify_post(fixture, "--background", "--stats", NULL), 1);
        look(fixture, "--background --stats");
        assert_int_equal(notify_post(fixture, "--background", "--json", NULL), 1);
        look(fixture, "--background --json");
        assert_int_equal(notify_run(fixture, "-c", fixture->config, "--test", "g", NULL), 1);
        look(fixture, "--test");
    }
    assert_int_equal(notify_post(fixture, "--dry-run", NULL), 0);
    look(fixture, "--dry-run");
}

/* Runs each verb on the outbox, with and without --json, and looks. */
static void run_verbs(notify *fixture) {
    NOTIFY_RUN("stats");
    look(fixture, "stats");
    NOTIFY_RUN("--json", "stats");
    look(fixture, "--json stats");
    NOTIFY_RUN("list");
    look(fixture, "list");
    NOTIFY_RUN("--json", "list");
    look(fixture, "--json list");
    for (int number = 1; number <= 7; number++) {
        char text[16];
        snprintf(text, sizeof text, "%d", number);
        NOTIFY_RUN("list", text);
        look(fixture, "list of one");
    }
}

static void verbs_tell_nothing(void **state) {
    notify *fixture = *state;
    configure(fixture);
    echo(fixture, 400, "{\"code\":7,\"message\":\"", "\"}");
    assert_int_equal(notify_enqueue(fixture, 1), 0);
    look(fixture, "enqueue");
    assert_int_equal(NOTIFY_RUN("deliver"), 1);
    assert_told(fixture->result.out, "dead");
    look(fixture, "deliver");
    run_verbs(fixture);
    assert_told(fixture->result.out, "webhook   g\n");
    NOTIFY_RUN("--yes", "replay");
    look(fixture, "replay");
    NOTIFY_RUN("--json", "deliver");
    look(fixture, "--json deliver");
    run_verbs(fixture);
    NOTIFY_RUN("--yes", "--before", "2100-01-01", "purge");
    look(fixture, "purge");
    assert_true(server_requests(fixture->receiver) >= 14);
    if (strncmp(notify_place, "postgres", 8) != 0)
        canary_assert_file_silent(notify_place, fixture->receiver);
}

int main(void) {
    const struct CMUnitTest posts[] = {NOTIFY_TEST(posts_tests_and_dry_runs_tell_nothing)};
    const struct CMUnitTest verbs[] = {NOTIFY_OUTBOX_TEST(verbs_tell_nothing)};
    int failed = cmocka_run_group_tests_name("posts", posts, NULL, NULL);
    notify_use(&notify_sqlite);
    failed += cmocka_run_group_tests_name("SQLite", verbs, NULL, NULL);
    notify_use(&notify_postgres);
    return failed + cmocka_run_group_tests_name("PostgreSQL", verbs, NULL, NULL);
}
