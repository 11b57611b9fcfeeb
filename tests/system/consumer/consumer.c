/* A host as small as can be: it prepares a request and opens a dispatcher, so that the
 * library and all it is linked with must be there. */
#include <bb_webhook.h>
#include <stdio.h>
#include <string.h>

static int prepares_a_request(void) {
    bb_webhook hook = BB_WEBHOOK_INIT;
    bb_event event = BB_EVENT_INIT;
    bb_error error = BB_ERROR_INIT;
    bb_request *request = NULL;

    hook.name = "consumer";
    hook.type = BB_CUSTOM;
    hook.url = "https://hooks.example.com/in";
    hook.activities = BB_ACTIVITY_ALL;
    event.activity = BB_ISSUE_CREATE;
    if (bb_webhook_prepare(NULL, &hook, &event, NULL, &request, &error) != BB_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 0;
    }
    size_t length = 0;
    const char *body = bb_request_body(request, BB_REAL, &length);
    int sound = length > 0 && strstr(body, "bb.issue.create") != NULL;
    bb_request_free(request);
    return sound;
}

static int opens_a_dispatcher(void) {
    bb_dispatcher *dispatcher = NULL;
    int code = bb_dispatcher_new(NULL, &dispatcher, NULL);
    bb_dispatcher_free(dispatcher);
    return code == BB_OK;
}

int main(void) {
    int same_version = strcmp(bb_webhook_version(), BB_WEBHOOK_VERSION) == 0;
    return same_version && prepares_a_request() && opens_a_dispatcher() ? 0 : 1;
}
