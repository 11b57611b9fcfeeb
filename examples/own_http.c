/* Posts one event with an HTTP stack of the host's own, here libcurl's easy
 * interface: the library makes the request and judges the answer, nothing else.
 *     ./own_http https://hooks.example.com/x [custom | slack | discord | ...]
 *     ./own_http --local http://127.0.0.1:8080/x    (a receiver on this machine) */
#include <bb_webhook.h>
#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ANSWER_LIMIT ((size_t)64 * 1024) /* of what bb_webhook_judge reads */

static struct text {
    char bytes[ANSWER_LIMIT + 1]; /* NUL-terminated */
    size_t length;
} headers, body; /* of the answer */

/* What is over the limit is read and dropped. */
static size_t keep(char *bytes, size_t size, size_t count, void *user) {
    struct text *text = user;
    size_t length = size * count;
    size_t room = ANSWER_LIMIT - text->length;
    size_t kept = length < room ? length : room;
    memcpy(text->bytes + text->length, bytes, kept);
    text->length += kept;
    text->bytes[text->length] = '\0';
    return length;
}

/* Before the answer itself there may be a 100 Continue: only the last one counts. */
static size_t keep_header(char *bytes, size_t size, size_t count, void *user) {
    if (size * count > 5 && memcmp(bytes, "HTTP/", 5) == 0)
        headers.length = 0;
    return keep(bytes, size, count, user);
}

static struct curl_slist *make_headers(const bb_request *request) {
    struct curl_slist *list = NULL;
    for (size_t i = 0; i < bb_request_header_count(request); i++) {
        char line[1024];
        snprintf(line, sizeof line, "%s: %s", bb_request_header_name(request, i),
                 bb_request_header_value(request, i, BB_REAL));
        list = curl_slist_append(list, line);
    }
    return list;
}

/* Whether anything was sent decides if sending again is safe. */
static bb_failure failure_of(CURL *curl, CURLcode code) {
    curl_off_t sent = 0;
    switch (code) {
    case CURLE_OK:
        return 0;
    case CURLE_COULDNT_RESOLVE_HOST:
        return BB_FAILURE_RESOLVE;
    case CURLE_SSL_CONNECT_ERROR:
        return BB_FAILURE_TLS;
    case CURLE_PEER_FAILED_VERIFICATION:
        return BB_FAILURE_CERTIFICATE;
    default:
        curl_easy_getinfo(curl, CURLINFO_PRETRANSFER_TIME_T, &sent); /* 0: it never began */
        return sent ? BB_FAILURE_ANSWER_LOST : BB_FAILURE_CONNECT;
    }
}

/* The host's own stack: one POST, no redirects. */
static void post(const bb_request *request, bb_response *response) {
    CURL *curl = curl_easy_init(); /* NULL makes every call below fail, and so the post */
    struct curl_slist *list = make_headers(request);
    size_t length;
    const char *bytes = bb_request_body(request, BB_REAL, &length);
    long status = 0;
    curl_easy_setopt(curl, CURLOPT_URL, bb_request_url(request, BB_REAL));
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, bytes);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 15000L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, keep_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &headers);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);

    response->failure = failure_of(curl, code);
    response->failure_text = code == CURLE_OK ? NULL : curl_easy_strerror(code);
    response->http_status = code == CURLE_OK ? (int)status : 0;
    response->headers = headers.bytes;
    response->body = body.bytes;
    response->body_length = body.length;
    curl_slist_free_all(list);
    curl_easy_cleanup(curl);
}

static int tell(const bb_webhook *webhook, const bb_request *request, bb_error *error) {
    bb_response response = BB_RESPONSE_INIT;
    bb_outcome outcome = BB_OUTCOME_INIT;
    int64_t now_ms = (int64_t)time(NULL) * 1000;
    printf("%s %s\n", bb_request_method(request), bb_request_url(request, BB_MASKED));
    post(request, &response);
    if (bb_webhook_judge(webhook, &response, now_ms, &outcome, error) != BB_OK)
        return -1;
    printf("%s, HTTP %d\n%s\n", bb_verdict_name(outcome.verdict), outcome.http_status,
           outcome.text);
    return outcome.verdict == BB_DELIVERED ? 0 : 1;
}

static int notify(const bb_options *options, const bb_webhook *webhook, bb_error *error) {
    bb_issue issue = BB_ISSUE_INIT;
    bb_event event = BB_EVENT_INIT;
    bb_request *request;
    issue.id = 101;
    issue.name = "Add index to orders";
    issue.status = BB_ISSUE_OPEN;
    event.activity = BB_ISSUE_CREATE;
    event.issue = &issue;
    event.link = "https://bb.example.com/issue/101";
    if (bb_webhook_prepare(options, webhook, &event, NULL, &request, error) != BB_OK)
        return -1;
    int status = tell(webhook, request, error);
    bb_request_free(request);
    return status;
}

int main(int argc, char **argv) {
    bool local = argc > 1 && strcmp(argv[1], "--local") == 0;
    char **arguments = argv + 1 + local;
    bb_options options = BB_OPTIONS_INIT;
    bb_webhook webhook = BB_WEBHOOK_INIT;
    bb_error error = BB_ERROR_INIT;
    if (!arguments[0])
        return fprintf(stderr, "usage: own_http [--local] URL [TYPE]\n"), 2;
    options.insecure_allow_http = local;
    options.insecure_allow_private_addresses = local;
    webhook.name = "own http";
    webhook.url = arguments[0];
    webhook.type = arguments[1] ? bb_type_from_name(arguments[1]) : BB_CUSTOM;
    webhook.secret = getenv("WEBHOOK_SECRET");
    webhook.activities = BB_ACTIVITY_ALL;
    webhook.allow_any_host = local;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int status = notify(&options, &webhook, &error);
    if (status < 0)
        fprintf(stderr, "%s\n", error.text);
    curl_global_cleanup();
    return status < 0 ? 2 : status;
}
