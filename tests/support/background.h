/* What tests of background delivery share: a dispatcher that notes what it tells, with a server
 * next to it; and a clock that stands still until the test moves it. */
#ifndef SUPPORT_BACKGROUND_H
#define SUPPORT_BACKGROUND_H

#include <pthread.h>
#include <sys/types.h>

#include "support/posting.h"

enum { TOLD_MAX = 4096, BACKGROUND_PATIENCE_MS = 20000 };

/* Of outboxes that lease: short, because tests wait for the end of leases; and attempts are
 * shorter. */
enum { BACKGROUND_LEASE_MS = 2000, BACKGROUND_ATTEMPT_MS = 1900 };

/* A notice, copied. */
typedef struct told {
    bb_notice_kind kind;
    char webhook_id[64];
    char event_id[64];
    char delivery_id[64];
    char text[512];
    bb_verdict verdict; /* 0: no attempt is told of */
    int attempt;
    int sent;
    int http_status;
    int64_t wait_ms;
    uint64_t count;
    int64_t at_ms; /* by the test's clock, if it has one */
} told;

typedef struct background {
    server *receiver;
    bb_dispatcher *dispatcher;
    bb_background_options options;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    told tells[TOLD_MAX]; /* the first ones */
    size_t count;
    size_t counts[BB_NOTICE_RECOVERED + 1]; /* by kind, also those beyond */
    size_t sent;                            /* attempts that were */
    int64_t clock_ms;                       /* 0: the system's is used */
    void (*on_notice)(struct background *b, const bb_notice *notice); /* NULL: only noted */
} background;

/* cmocka's setup and teardown: *state is a background with a receiver and no dispatcher yet. */
int background_setup(void **state);
int background_teardown(void **state);

/* The receiver in a process of its own, which children of the test's reach too. */
void background_use_own_process(background *b);

/* The child's exit code; fails when a signal has ended it. */
int background_wait_for_child(pid_t child);

/* Makes the dispatcher from b->options (their notify is the fixture's). */
void background_open(background *b);
bb_options background_bb_options(background *b);

/* A webhook of the receiver at "/<id>", which answers so. Rates off. */
bb_webhook background_hook(background *b, bb_type type, const char *id, const server_step *steps,
                           size_t count);
void background_add(background *b, const bb_webhook *hook);
void background_add_healthy(background *b, bb_type type, const char *id);
/* background_hook and background_add in one. */
void background_script(background *b, bb_type type, const char *id, const server_step *steps,
                       size_t count);

/* Enqueues the sample event under this id; the number of deliveries. */
size_t background_enqueue(background *b, const char *event_id);
size_t background_enqueue_issue(background *b, const char *event_id, int64_t issue_id);

void background_flush(background *b);

/* Drives (nobody else does) until so many notices of the kind have come; fails when they do not. */
void background_drive_until(background *b, bb_notice_kind kind, size_t count);
/* The same with the test's clock, which is moved on to the next thing to do whenever nothing is in
 * flight; never beyond `until_ms`. Without a failure: whether they have come. */
int background_pass_time(background *b, bb_notice_kind kind, size_t count, int64_t until_ms);
/* The same while the library's thread drives. */
void background_wait_until(background *b, bb_notice_kind kind, size_t count);

/* The `index`th notice of the kind, from 0; fails the test when there is none. */
const told *background_told(background *b, bb_notice_kind kind, size_t index);

bb_stats background_stats(background *b, const char *id);

/* Each delivery is in the books once, and as many requests came as were told of (looked at while
 * nothing is in flight). */
void background_check_books(background *b);

#endif
