#include "demo_story.h"

#include <stdlib.h>
#include <string.h>

#include "complain.h"
#include "events.h"

const bb_event *demo_story_event(const struct demo_story *story, size_t index) {
    return bb_event_doc_event(story->documents[index]);
}

/* Takes the document that was read last over. */
static bool keep(struct demo_story *story, struct events *events) {
    size_t size = (story->count + 1) * sizeof *story->documents;
    bb_event_doc **grown = realloc(story->documents, size);
    if (!grown) {
        complain("there is no memory for the events");
        return false;
    }
    story->documents = grown;
    story->documents[story->count++] = events->document;
    events->document = NULL;
    return true;
}

static bool read_all(struct demo_story *story, struct events *events) {
    enum event_kind kind;
    while ((kind = events_next(events)) != EVENTS_END) {
        if (kind == EVENTS_BAD) {
            complain("%s, line %lu: %s", events->name, events->lines.number, events->problem.text);
            story->bad_lines++;
        } else if (!keep(story, events)) {
            return false;
        }
    }
    return events->failure == 0;
}

bool demo_story_read(struct demo_story *story, const char *path) {
    struct events events;
    *story = (struct demo_story){0};
    bool fine = events_open(&events, path) && read_all(story, &events);
    if (events.failure)
        complain("%s: %s", events.name, strerror(events.failure));
    events_close(&events);
    return fine;
}

void demo_story_free(struct demo_story *story) {
    for (size_t i = 0; i < story->count; i++)
        bb_event_doc_free(story->documents[i]);
    free(story->documents);
}

static bool is_creation(const bb_event *event) {
    return event->activity == BB_ISSUE_CREATE;
}

static bool is_comment(const bb_event *event) {
    return event->activity == BB_ISSUE_COMMENT_CREATE;
}

static bool is_failure(const bb_event *event) {
    return event->activity == BB_TASK_STATUS_UPDATE && event->task && event->task->status &&
           strcmp(event->task->status, BB_TASK_FAILED) == 0;
}

static bool is_end(const bb_event *event) {
    return event->activity == BB_ISSUE_STATUS_UPDATE;
}

static bool is_any(const bb_event *event) {
    return event != NULL;
}

static bool is_picked(const size_t *indices, size_t count, size_t index) {
    for (size_t i = 0; i < count; i++)
        if (indices[i] == index)
            return true;
    return false;
}

static int by_value(const void *a, const void *b) {
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

size_t demo_story_pick(const struct demo_story *story, size_t *indices, size_t most) {
    static bool (*const wishes[])(const bb_event *event) = {
        is_creation, is_comment, is_failure, is_end, is_any, is_any, is_any, is_any};
    size_t count = 0;
    for (size_t wish = 0; wish < sizeof wishes / sizeof *wishes && count < most; wish++)
        for (size_t i = 0; i < story->count; i++)
            if (wishes[wish](demo_story_event(story, i)) && !is_picked(indices, count, i)) {
                indices[count++] = i;
                break;
            }
    if (count)
        qsort(indices, count, sizeof *indices, by_value);
    return count;
}
