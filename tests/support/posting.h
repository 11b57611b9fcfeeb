/*
 * What the tests of bb_webhook_post share: dispatchers that may talk to the scripted server, a
 * webhook of each kind and the answer that its product gives, an event, and assertions on rows.
 * Everything that fails here fails the running cmocka test.
 */
#ifndef SUPPORT_POSTING_H
#define SUPPORT_POSTING_H

#include "bb_webhook.h"
#include "support/server.h"

#include <stddef.h>

/* Time limits which only a failing test ever reaches, also on a loaded machine. */
enum { PATIENCE_MS = 30000 };

/* A script: what server_on takes as its last two arguments. */
#define STEPS(...)                                                                                 \
    (const server_step[]){__VA_ARGS__},                                                            \
        sizeof((const server_step[]){__VA_ARGS__}) / sizeof(server_step)

/* A receiver and a dispatcher, as most tests want them: cmocka's setup and teardown. */
typedef struct world {
    server *receiver;
    bb_dispatcher *dispatcher;
} world;

int posting_open_world(void **state);
int posting_close_world(void **state);
#define WITH_WORLD(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, posting_open_world, posting_close_world)

/* Replaces the world's dispatcher by one with these options. */
void posting_use(world *w, const bb_options *options);

/* The same with the usual options, but this long to connect. */
void posting_limit_connecting(world *w, uint32_t connect_timeout_ms);

/* The path "/hook" of the receiver under another scheme or host; until the next call. */
const char *posting_url_at(const server *receiver, const char *scheme, const char *host);

/* Adds a webhook `id` of that kind, at the path "/<id>" with this script. */
void posting_script(world *w, bb_type type, const char *id, const server_step *steps, size_t count);

/* Both insecure switches on, every limit PATIENCE_MS. */
bb_options posting_options(void);

/* The same with the address guard on, and any port. */
bb_options posting_guarded_options(void);

/* `options` NULL: posting_options(). */
bb_dispatcher *posting_dispatcher(const bb_options *options);

/* A webhook for every activity of every project, at any host. Borrows the strings. */
bb_webhook posting_hook(bb_type type, const char *id, const char *url);

/* Adds posting_hook(...). */
void posting_add(bb_dispatcher *dispatcher, bb_type type, const char *id, const char *url);

/* Adds a Slack webhook `id` at the receiver's path "/<id>", which answers "ok" from now on. */
void posting_add_healthy(bb_dispatcher *dispatcher, server *receiver, const char *id);

/* The answer with which the product of this kind says yes. */
server_step posting_success(bb_type type);

/* A comment on issue 101 of project 7; static, and the same each time. */
const bb_event *posting_event(void);

/* Posts posting_event() within the dispatcher's own limit. Free with bb_report_free. */
bb_report *posting_send(bb_dispatcher *dispatcher);

/* Posts, frees the report, and hands over a copy of the row of `id`; only its numbers and its
 * outcome may be used, until the next call. */
const bb_attempt_report *posting_send_one(bb_dispatcher *dispatcher, const char *id);

/* Posts to "hook", which cannot be reached, and to a healthy one that is there for this post alone:
 * within `bound_ms`, the first has this verdict with nothing sent, the second is delivered. Hands
 * over the first one's row as posting_send_one does. */
const bb_attempt_report *posting_send_in_vain(world *w, bb_verdict verdict, int64_t bound_ms);

/* The row of the webhook `id`; fails when it has none. */
const bb_attempt_report *posting_row(const bb_report *report, const char *id);

void posting_assert_row(const bb_attempt_report *row, bb_verdict verdict, int sent);

#endif
