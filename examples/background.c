/* Tells one service of an issue in the background, as a program that goes on meanwhile would:
 *     WEBHOOK_URL=https://... ./background
 * With ALLOW_HTTP set the URL may also be http:// and of this machine. */
#include <bb_webhook.h>
#include <stdio.h>
#include <stdlib.h>

/* Called on the library's thread. */
static void on_notice(void *user, const bb_notice *notice) {
    (void)user;
    if (notice->kind == BB_NOTICE_DEAD || notice->kind == BB_NOTICE_DISABLED)
        fprintf(stderr, "%s\n", notice->text);
}

static int open_dispatcher(bb_dispatcher **dispatcher, bb_options options, const bb_webhook *hook,
                           bb_error *error) {
    bb_background_options background = BB_BACKGROUND_OPTIONS_INIT;
    background.notify = on_notice;
    options.background = &background; /* copied by bb_dispatcher_new */
    int code = bb_dispatcher_new(&options, dispatcher, error);
    if (code == BB_OK)
        code = bb_dispatcher_add(*dispatcher, hook, error);
    if (code == BB_OK) /* a thread of the library's own */
        code = bb_dispatcher_start(*dispatcher, error);
    return code;
}

/* At the program's end: time for what is due now, and for what is under way then. What waits for a
 * later attempt is lost with the process. Returns how many deliveries did not arrive. */
static uint64_t close_dispatcher(bb_dispatcher *dispatcher) {
    bb_stats stats = BB_STATS_INIT;
    bb_dispatcher_flush(dispatcher, 5000, NULL);
    bb_dispatcher_stop(dispatcher, 5000, NULL, NULL);
    bb_dispatcher_stats(dispatcher, NULL, &stats, NULL);
    bb_dispatcher_free(dispatcher);
    return stats.enqueued - stats.delivered;
}

int main(void) {
    bb_dispatcher *dispatcher = NULL;
    bb_error error = BB_ERROR_INIT;
    bb_options options = BB_OPTIONS_INIT;
    bb_webhook hook = BB_WEBHOOK_INIT;
    bb_issue issue = BB_ISSUE_INIT;
    bb_event event = BB_EVENT_INIT;

    hook.name = "my service";
    hook.type = BB_CUSTOM;
    hook.url = getenv("WEBHOOK_URL");
    hook.activities = BB_ACTIVITY_ALL;

    options.insecure_allow_http = getenv("ALLOW_HTTP") != NULL;
    options.insecure_allow_private_addresses = options.insecure_allow_http;

    issue.id = 101;
    issue.name = "Add index to orders";
    event.activity = BB_ISSUE_CREATE;
    event.issue = &issue;

    int code = open_dispatcher(&dispatcher, options, &hook, &error);
    if (code == BB_OK) /* the event is copied: no network, no waiting */
        code = bb_webhook_enqueue(dispatcher, &event, NULL, NULL, &error);
    if (code != BB_OK)
        fprintf(stderr, "%s\n", error.text);
    uint64_t lost = dispatcher ? close_dispatcher(dispatcher) : 0;
    if (lost > 0)
        fprintf(stderr, "not delivered: %llu\n", (unsigned long long)lost);
    return code == BB_OK && lost == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
