/* Delivers three events from a libuv loop:
 *     WEBHOOK_URL=https://... ./libuv_loop
 * With ALLOW_HTTP set the URL may also be http:// and of this machine. It ends when each event is
 * delivered or given up; where attempts go on failing, that takes days. */
#include <bb_webhook.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

enum { EVENTS = 3 };

/* What the loop watches for the dispatcher: a descriptor and a time. */
struct driver {
    bb_dispatcher *dispatcher;
    uv_poll_t ready;
    uv_timer_t due;
    size_t delivered, dead;
    int code;
};

/* Called by bb_dispatcher_run, so on the loop's thread. */
static void on_notice(void *user, const bb_notice *notice) {
    struct driver *driver = user;
    if (notice->attempt) /* pauses, recoveries and the like are not shown */
        printf("%s\n", notice->text);
    if (notice->kind == BB_NOTICE_RETRYING)
        printf("  again in %lld ms\n", (long long)notice->wait_ms);
    driver->delivered += notice->kind == BB_NOTICE_DELIVERED;
    driver->dead += notice->kind == BB_NOTICE_DEAD;
}

/* ---- driving ---- */

static void on_due(uv_timer_t *timer);

/* The loop ends by itself when it watches nothing any more. */
static void stop_watching(struct driver *driver) {
    uv_close((uv_handle_t *)&driver->ready, NULL);
    uv_close((uv_handle_t *)&driver->due, NULL);
}

/* After each run the time may be another one. */
static void drive(struct driver *driver) {
    driver->code = bb_dispatcher_run(driver->dispatcher, NULL);
    if (driver->code != BB_OK || driver->delivered + driver->dead == EVENTS) {
        stop_watching(driver);
        return;
    }
    int wait_ms = bb_dispatcher_timeout_ms(driver->dispatcher);
    if (wait_ms < 0)
        uv_timer_stop(&driver->due);
    else
        uv_timer_start(&driver->due, on_due, (uint64_t)wait_ms, 0);
}

static void on_ready(uv_poll_t *ready, int status, int events) {
    (void)status;
    (void)events;
    drive(ready->data);
}

static void on_due(uv_timer_t *timer) {
    drive(timer->data);
}

static void start_watching(struct driver *driver, uv_loop_t *loop) {
    uv_poll_init(loop, &driver->ready, bb_dispatcher_fd(driver->dispatcher));
    uv_timer_init(loop, &driver->due);
    driver->ready.data = driver->due.data = driver;
    uv_poll_start(&driver->ready, UV_READABLE, on_ready);
    uv_timer_start(&driver->due, on_due, 0, 0);
}

/* ---- what is driven ---- */

static int open_dispatcher(struct driver *driver, bb_error *error) {
    bb_background_options background = BB_BACKGROUND_OPTIONS_INIT;
    bb_options options = BB_OPTIONS_INIT;
    bb_webhook hook = BB_WEBHOOK_INIT;
    background.notify = on_notice;
    background.notify_user = driver;
    options.background = &background;
    options.insecure_allow_http = getenv("ALLOW_HTTP") != NULL;
    options.insecure_allow_private_addresses = getenv("ALLOW_HTTP") != NULL;
    hook.name = "my service";
    hook.type = BB_CUSTOM;
    hook.url = getenv("WEBHOOK_URL");
    hook.activities = BB_ACTIVITY_ALL;
    int code = bb_dispatcher_new(&options, &driver->dispatcher, error);
    return code == BB_OK ? bb_dispatcher_add(driver->dispatcher, &hook, error) : code;
}

static int enqueue_events(bb_dispatcher *dispatcher, bb_error *error) {
    bb_issue issue = BB_ISSUE_INIT;
    bb_event event = BB_EVENT_INIT;
    int code = BB_OK;
    issue.name = "Add index to orders";
    issue.status = BB_ISSUE_OPEN;
    event.activity = BB_ISSUE_CREATE;
    event.issue = &issue;
    for (issue.id = 101; code == BB_OK && issue.id < 101 + EVENTS; issue.id++)
        code = bb_webhook_enqueue(dispatcher, &event, NULL, NULL, error);
    return code;
}

int main(void) {
    struct driver driver = {0};
    bb_error error = BB_ERROR_INIT;
    uv_loop_t *loop = uv_default_loop();
    int code = open_dispatcher(&driver, &error);
    if (code == BB_OK)
        code = enqueue_events(driver.dispatcher, &error);
    if (code == BB_OK) {
        start_watching(&driver, loop);
        uv_run(loop, UV_RUN_DEFAULT);
    } else {
        fprintf(stderr, "%s\n", error.text);
    }
    uv_loop_close(loop);
    bb_dispatcher_free(driver.dispatcher);
    return code == BB_OK && driver.code == BB_OK && driver.delivered == EVENTS ? EXIT_SUCCESS
                                                                               : EXIT_FAILURE;
}
