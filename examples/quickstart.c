/* Tells one Slack room that an issue was created:
 *     SLACK_URL=https://hooks.slack.com/services/... ./quickstart */
#include <bb_webhook.h>
#include <stdio.h>
#include <stdlib.h>

static void show(const bb_report *report) {
    size_t i;
    for (i = 0; i < bb_report_count(report); i++) {
        const bb_attempt_report *row = bb_report_row(report, i);
        const bb_outcome *outcome = row->outcome;
        if (outcome->verdict == BB_DELIVERED)
            printf("webhook \"%s\": delivered\n", row->webhook_name);
        else /* it names the webhook too */
            printf("%s\n", outcome->text);
    }
}

int main(void) {
    bb_dispatcher *dispatcher = NULL;
    bb_report *report = NULL; /* one row per webhook that fired */
    bb_error error = BB_ERROR_INIT;
    bb_webhook hook = BB_WEBHOOK_INIT;
    bb_issue issue = BB_ISSUE_INIT;
    bb_event event = BB_EVENT_INIT;
    int code, failed;

    hook.name = "ops room";
    hook.type = BB_SLACK;
    hook.url = getenv("SLACK_URL");
    hook.activities = BB_ACTIVITY_ALL;

    issue.id = 101;
    issue.name = "Add index to orders";
    issue.status = BB_ISSUE_OPEN;

    event.activity = BB_ISSUE_CREATE;
    event.issue = &issue;
    event.link = "https://bb.example.com/issue/101";

    code = bb_dispatcher_new(NULL, &dispatcher, &error);
    if (code == BB_OK)
        code = bb_dispatcher_add(dispatcher, &hook, &error);
    if (code == BB_OK) /* filter, render, sign, send in parallel, judge */
        code = bb_webhook_post(dispatcher, &event, NULL, &report, &error);
    if (code == BB_OK)
        show(report);
    else
        fprintf(stderr, "%s\n", error.text);

    failed = code != BB_OK || bb_report_undelivered(report) > 0;
    bb_report_free(report);
    bb_dispatcher_free(dispatcher);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
