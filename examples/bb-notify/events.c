#include "events.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A directory opens like a file; only reading tells. Nothing is read, so that nothing is waited
 * for either. */
static bool is_readable(int descriptor) {
    char none;
    return descriptor >= 0 && read(descriptor, &none, 0) == 0;
}

bool events_open(struct events *events, const char *path) {
    bool standard_input = strcmp(path, "-") == 0;
    int descriptor = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    *events = (struct events){.name = standard_input ? "standard input" : path};
    lines_start(&events->lines, descriptor);
    if (!is_readable(descriptor))
        events->failure = errno;
    return events->failure == 0;
}

void events_close(struct events *events) {
    int descriptor = events->lines.descriptor;
    bb_event_doc_free(events->document);
    lines_end(&events->lines);
    if (descriptor >= 0 && descriptor != STDIN_FILENO)
        close(descriptor);
}

static enum event_kind bad(struct events *events, const char *text) {
    snprintf(events->problem.text, sizeof events->problem.text, "%s", text);
    return EVENTS_BAD;
}

static enum event_kind parse(struct events *events) {
    bb_event_doc_free(events->document);
    events->document = NULL;
    events->problem = (bb_error)BB_ERROR_INIT;
    if (bb_event_parse(NULL, events->lines.text, events->lines.length, &events->document,
                       &events->problem) != BB_OK)
        return EVENTS_BAD;
    events->event = bb_event_doc_event(events->document);
    return EVENTS_EVENT;
}

static enum event_kind end(struct events *events) {
    events->failure = events->lines.failure;
    return EVENTS_END;
}

static bool is_blank(const struct lines *lines) {
    for (size_t i = 0; i < lines->length; i++)
        if (!strchr(" \t\r", lines->text[i]) || lines->text[i] == '\0')
            return false;
    return true;
}

enum event_kind events_take(struct events *events) {
    for (;;)
        switch (lines_take(&events->lines)) {
        case LINE_END:
            return end(events);
        case LINE_TOO_LONG:
            return bad(events, "is longer than 16 MiB");
        case LINE_NO_MEMORY:
            return bad(events, "there is no memory for it");
        case LINE_PART:
            return EVENTS_PART;
        case LINE_TEXT:
            if (!is_blank(&events->lines))
                return parse(events);
        }
}

enum event_kind events_next(struct events *events) {
    enum event_kind kind;
    while ((kind = events_take(events)) == EVENTS_PART)
        lines_read(&events->lines);
    return kind;
}
