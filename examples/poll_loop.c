/* Delivers three events from a poll(2) loop, as a program that has one already would:
 *     WEBHOOK_URL=https://... ./poll_loop
 * With ALLOW_HTTP set the URL may also be http:// and of this machine. It ends when each event is
 * delivered or given up; where attempts go on failing, that takes days. */
#include <bb_webhook.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

enum { EVENTS = 3 };

struct progress {
    size_t delivered, dead;
};

/* Called by bb_dispatcher_run, so on this thread. */
static void on_notice(void *user, const bb_notice *notice) {
    struct progress *progress = user;
    if (notice->attempt) /* pauses, recoveries and the like are not shown */
        printf("%s\n", notice->text);
    if (notice->kind == BB_NOTICE_RETRYING)
        printf("  again in %lld ms\n", (long long)notice->wait_ms);
    progress->delivered += notice->kind == BB_NOTICE_DELIVERED;
    progress->dead += notice->kind == BB_NOTICE_DEAD;
}

static int open_dispatcher(bb_dispatcher **dispatcher, struct progress *progress, bb_error *error) {
    bb_background_options background = BB_BACKGROUND_OPTIONS_INIT;
    bb_options options = BB_OPTIONS_INIT;
    bb_webhook hook = BB_WEBHOOK_INIT;
    background.notify = on_notice;
    background.notify_user = progress;
    options.background = &background;
    options.insecure_allow_http = getenv("ALLOW_HTTP") != NULL;
    options.insecure_allow_private_addresses = getenv("ALLOW_HTTP") != NULL;
    hook.name = "my service";
    hook.type = BB_CUSTOM;
    hook.url = getenv("WEBHOOK_URL");
    hook.activities = BB_ACTIVITY_ALL;
    int code = bb_dispatcher_new(&options, dispatcher, error);
    return code == BB_OK ? bb_dispatcher_add(*dispatcher, &hook, error) : code;
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

/* A program's own descriptors would stand next to the dispatcher's. */
static int loop(bb_dispatcher *dispatcher, const struct progress *progress, bb_error *error) {
    struct pollfd ready = {.fd = bb_dispatcher_fd(dispatcher), .events = POLLIN};
    int code = BB_OK;
    while (code == BB_OK && progress->delivered + progress->dead < EVENTS) {
        poll(&ready, 1, bb_dispatcher_timeout_ms(dispatcher));
        code = bb_dispatcher_run(dispatcher, error);
    }
    return code;
}

int main(void) {
    bb_dispatcher *dispatcher = NULL;
    struct progress progress = {0, 0};
    bb_error error = BB_ERROR_INIT;
    int code = open_dispatcher(&dispatcher, &progress, &error);
    if (code == BB_OK)
        code = enqueue_events(dispatcher, &error);
    if (code == BB_OK)
        code = loop(dispatcher, &progress, &error);
    if (code != BB_OK)
        fprintf(stderr, "%s\n", error.text);
    bb_dispatcher_free(dispatcher);
    return code == BB_OK && progress.delivered == EVENTS ? EXIT_SUCCESS : EXIT_FAILURE;
}
