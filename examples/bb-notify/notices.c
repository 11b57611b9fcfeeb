#include "notices.h"

#include "complain.h"
#include "json_output.h"
#include "text.h"

void notices_tell_attempt(struct session *session, const bb_notice *notice) {
    if (!session->options->json)
        return;
    progress_hide(&session->progress);
    json_output_attempt(stdout, notice);
    session_flush(session);
}

void notices_tell_webhook(struct session *session, const bb_notice *notice) {
    char wait[TEXT_WAIT_SIZE];
    const char *text = text_without_name(notice->text, notice->webhook_name);
    progress_hide(&session->progress);
    if (notice->kind == BB_NOTICE_PAUSED)
        complain("webhook \"%s\" gets nothing for %s: %s", notice->webhook_name,
                 text_wait(notice->wait_ms, wait), text);
    else if (notice->kind == BB_NOTICE_DISABLED)
        complain("webhook \"%s\" gets nothing any more: %s", notice->webhook_name, text);
    else
        complain("webhook \"%s\" takes messages again", notice->webhook_name);
}
