/*
 * Processes of their own that work on one outbox, in SQLite or in PostgreSQL, as hosts do: each
 * with an outbox, a dispatcher that its thread drives, and notes in memory that the test sees, too.
 *
 * They are forked off, which only a program without threads can do safely: receivers have to be
 * processes of their own. A worker that cannot do its work ends with a sentence on standard error,
 * and worker_end fails the test.
 */
#ifndef SUPPORT_WORKER_H
#define SUPPORT_WORKER_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "bb_webhook.h"
#include "support/server.h"

typedef enum worker_store { WORKER_SQLITE = 1, WORKER_POSTGRES } worker_store;

/* A fresh outbox of that kind, which everything below is about; and its end. */
void worker_begin(worker_store kind);
void worker_finish(void);
bb_outbox *worker_open_outbox(uint32_t lease_ms);

/* The first number of the answer; statements that both databases know. */
int64_t worker_number(const char *sql);

/* Waits until the answer is that number; fails the test when it does not change for long. */
void worker_wait_number(const char *sql, int64_t number);

enum { WORKER_MOST_ATTEMPTS = 4 };

/* What the test and all workers share. */
typedef struct worker_notes {
    atomic_size_t counts[BB_NOTICE_RECOVERED + 1]; /* notices, by kind */
    atomic_uchar (
        *attempts)[WORKER_MOST_ATTEMPTS]; /* of the event with that id, a number: how often
                                             its first attempt was told of, its second ... */
    size_t events;                        /* in `attempts` */
} worker_notes;

worker_notes *worker_notes_new(size_t events);
void worker_notes_free(worker_notes *notes);
void worker_wait_counts(const worker_notes *notes, bb_notice_kind kind, size_t count);

typedef struct worker_life {
    server *receiver;
    const char *hooks[2]; /* Custom webhooks' ids, at these paths of the receiver; NULL: none */
    uint32_t age_limit_s; /* of both */
    uint32_t lease_ms;
    bb_background_options options; /* outbox and notices are the worker's */
    size_t first, count;           /* it enqueues these events */
    uint32_t delay_ms;             /* of them */
    void (*begin)(size_t number);  /* called first in the new process; NULL: nothing */
    size_t number;
    worker_notes *notes; /* its own; NULL: none */
} worker_life;

typedef struct worker {
    pid_t pid;
} worker;

/* It drives when this returns, and enqueues meanwhile. */
worker worker_start(const worker_life *life);

/* Ends it in good order. */
void worker_end(worker running);

#endif
