#include "event/event.h"

#include "event/names.h"

/* Reads the struct behind one of the event's pointers, which may be NULL. */
#define READ_PART(member)                                                                          \
    do {                                                                                           \
        if (event->member) {                                                                       \
            int code_ = bb_struct_read(&view->member, sizeof view->member, event->member,          \
                                       "event." #member, error);                                   \
            if (code_)                                                                             \
                return code_;                                                                      \
            event->member = &view->member;                                                         \
        }                                                                                          \
    } while (0)

static int read_parts(struct bb_event_view *view, bb_error *error) {
    bb_event *event = &view->event;
    READ_PART(creator);
    READ_PART(issue);
    READ_PART(project);
    READ_PART(field);
    READ_PART(stage);
    READ_PART(task);
    return BB_OK;
}

static int read_mentions(bb_event *event, struct bb_arena *arena, bb_error *error) {
    if (!event->mentions || event->mention_count == 0) {
        event->mentions = NULL;
        event->mention_count = 0;
        return BB_OK;
    }
    if (event->mention_count > BB_MENTIONS_MAX)
        event->mention_count = BB_MENTIONS_MAX;
    bb_mention **mentions = bb_arena_alloc(arena, event->mention_count * sizeof *mentions);
    bb_mention *copies = bb_arena_alloc(arena, event->mention_count * sizeof *copies);
    if (!mentions || !copies)
        return bb_fail_memory(error);
    for (size_t i = 0; i < event->mention_count; i++) {
        mentions[i] = &copies[i];
        int code = bb_struct_read(mentions[i], sizeof **mentions, event->mentions[i],
                                  "event.mentions[]", error);
        if (code)
            return code;
    }
    event->mentions = (const bb_mention *const *)mentions;
    return BB_OK;
}

int bb_event_read(struct bb_event_view *view, struct bb_arena *arena, const bb_event *event,
                  bb_error *error) {
    int code = bb_struct_read(&view->event, sizeof view->event, event, "event", error);
    if (code == BB_OK)
        code = read_parts(view, error);
    if (code == BB_OK)
        code = read_mentions(&view->event, arena, error);
    if (code)
        return code;
    if (!bb_activity_is_valid((int)view->event.activity))
        return bb_fail(error, BB_ERR_EVENT, "event.activity is not one of BB_ISSUE_CREATE, ...: %d",
                       (int)view->event.activity);
    if (!bb_level_is_valid((int)view->event.level))
        return bb_fail(error, BB_ERR_EVENT, "event.level is not one of BB_INFO, ...: %d",
                       (int)view->event.level);
    return BB_OK;
}
