/* The test message: an ordinary event whose words say that it is a test. */
#include "api/post.h"
#include "event/webhook.h"
#include "event/words.h"

static void fill_in(bb_event *event, struct bb_arena *arena, const bb_webhook *webhook) {
    const char *name = bb_webhook_called(webhook);
    const char *title = bb_word_title(webhook->language, BB_TITLE_TEST);
    event->activity = BB_ISSUE_CREATE;
    event->level = BB_INFO;
    event->title = bb_arena_join(arena, "%s - %s", title, name);
    event->description = bb_word_expand(arena, bb_word_test(webhook->language), name, "");
}

static int post_test(bb_dispatcher *d, struct bb_hook *hook, bb_report **report, bb_error *error) {
    struct bb_post_mode mode = {.timeout_ms = d->settings.options.post_timeout_ms, .only = hook};
    struct bb_arena arena;
    bb_event event = BB_EVENT_INIT;
    bb_arena_init(&arena, &d->settings.mem);
    fill_in(&event, &arena, &hook->webhook);
    int code = arena.failed ? bb_fail_memory(error) : bb_post(d, &event, &mode, report, error);
    bb_arena_free(&arena);
    return code;
}

int bb_webhook_test(bb_dispatcher *dispatcher, const char *id, bb_report **report,
                    bb_error *error) {
    if (report)
        *report = NULL;
    if (!dispatcher || !id)
        return bb_fail(error, BB_ERR_ARGUMENT, "dispatcher or id is NULL");
    int code = bb_dispatcher_check(dispatcher, error);
    if (code)
        return code;
    struct bb_hook *hook = bb_registry_find(dispatcher->registry, id);
    if (!hook)
        return bb_registry_missing(id, error);
    code = post_test(dispatcher, hook, report, error);
    bb_hook_release(hook);
    return code;
}
