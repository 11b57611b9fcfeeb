/*
 * Whatever stands in bb-notify's file of events: each line that is not blank is an event, the one
 * that bb_event_parse reads from it, or told as bad in one sentence; and none is left out.
 */
#include "fuzz/file.h"
#include "fuzz/fuzz.h"

#include <string.h>

#include "bb-notify/events.h"

/* The next line that is not blank; `*at` moves behind it. False at the end. */
static bool next_line(const char **at, const char *end, const char **line, size_t *length) {
    while (*at < end) {
        const char *newline = memchr(*at, '\n', (size_t)(end - *at)),
                   *stop = newline ? newline : end;
        *line = *at;
        *length = (size_t)(stop - *at);
        *at = newline ? newline + 1 : end;
        for (size_t i = 0; i < *length; i++)
            if ((*line)[i] != ' ' && (*line)[i] != '\t' && (*line)[i] != '\r')
                return true;
    }
    return false;
}

static void check_event(const bb_event *event, const char *line, size_t length) {
    bb_event_doc *document = NULL;
    bb_error error = BB_ERROR_INIT;
    char out[2][8192];
    size_t sizes[2] = {0, 0};
    int code = bb_event_parse(NULL, line, length, &document, &error);
    FUZZ_CHECK(code == BB_OK, "%s, of a line that was an event", error.text);
    const bb_event *events[2] = {event, bb_event_doc_event(document)};
    int printed[2];
    for (int i = 0; i < 2; i++)
        printed[i] = bb_event_print(events[i], out[i], sizeof(out[i]), &sizes[i], NULL);
    FUZZ_CHECK(printed[0] == printed[1] && sizes[0] == sizes[1], "the event is another");
    FUZZ_CHECK(printed[0] != BB_OK || strcmp(out[0], out[1]) == 0, "%s, not %s", out[0], out[1]);
    bb_event_doc_free(document);
}

static void check_lines(struct events *events, const char *at, const char *end) {
    const char *line;
    size_t length;
    enum event_kind kind;
    while ((kind = events_next(events)) != EVENTS_END) {
        FUZZ_CHECK(next_line(&at, end, &line, &length), "a line more than there are");
        if (kind == EVENTS_EVENT) {
            check_event(events->event, line, length);
            continue;
        }
        FUZZ_CHECK(kind == EVENTS_BAD && *events->problem.text, "the kind is %d", (int)kind);
        fuzz_check_printable("problem", events->problem.text, sizeof(events->problem.text));
        FUZZ_CHECK(bb_event_parse(NULL, line, length, &(bb_event_doc *){NULL}, NULL) != BB_OK,
                   "bad, and an event: %s", events->problem.text);
    }
    FUZZ_CHECK(!next_line(&at, end, &line, &length), "a line was left out");
    FUZZ_CHECK(events->failure == 0, "reading failed: %s", strerror(events->failure));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *bytes = size ? (const char *)data : "";
    struct events events;
    FUZZ_CHECK(events_open(&events, fuzz_file(bytes, size)), "cannot be opened");
    check_lines(&events, bytes, bytes + size);
    events_close(&events);
    return 0;
}
