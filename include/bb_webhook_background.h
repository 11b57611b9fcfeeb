/*
 * bb_webhook_background.h: delivery in the background. bb_webhook_enqueue hands an event over and
 * returns; the library then delivers it as a careful engineer would by hand: at the pace that each
 * product takes, again after a failure, around endpoints that hang. The rules of bb_webhook.h hold.
 *
 * Who drives   Either a thread of the library's own (bb_dispatcher_start), or the host's loop (poll
 *              bb_dispatcher_fd for reading, for at most bb_dispatcher_timeout_ms, then call
 *              bb_dispatcher_run), or from time to time a call of bb_dispatcher_flush. One at a
 *              time; a second one is told BB_ERR_BUSY.
 * Callbacks    come on the thread that drives, one at a time, without a lock held: they may call
 *              any function but start, stop, flush, run and free, which say BB_ERR_BUSY then.
 * Where        deliveries wait (in memory, or where bb_background_options.outbox says): they end
 * with the process. Clock        waits and limits are counted by a clock that never goes back: the
 * system's monotonic one, or with bb_options.clock that one, standing still while it is set back.
 */
#ifndef BB_WEBHOOK_BACKGROUND_H
#define BB_WEBHOOK_BACKGROUND_H

#include "bb_webhook_event.h"

#ifdef __cplusplus
extern "C" {
#endif

struct bb_dispatcher;
struct bb_attempt_report;

/* -------------------------------------------------------------- notices -- */

typedef enum bb_notice_kind {
    BB_NOTICE_DELIVERED = 1, /* an attempt: the receiver said yes */
    BB_NOTICE_RETRYING = 2,  /* an attempt failed; another one follows */
    BB_NOTICE_DEAD = 3,      /* it is given up: refused, expired, out of attempts, removed, or with
                                BB_UNKNOWN: five processes in a row ended while they had it */
    BB_NOTICE_DROPPED = 4,   /* `count` waiting deliveries made room for newer ones */
    BB_NOTICE_FULL = 5,      /* `count` events were refused since the last time, for want of room */
    BB_NOTICE_PAUSED = 6,    /* nothing is sent to the webhook for a while */
    BB_NOTICE_DISABLED = 7,  /* nor any more, until bb_dispatcher_resume or _replace */
    BB_NOTICE_RECOVERED = 8  /* it has taken a message again after one of these two */
} bb_notice_kind;

/* Something that the host may want to know, of background delivery: what a post comes to is told by
 * its report. Borrowed for the callback. */
typedef struct bb_notice {
    size_t struct_size;
    const char *webhook_id; /* NULL of BB_NOTICE_FULL */
    const char *webhook_name;
    const struct bb_attempt_report *attempt; /* of the first three kinds, else NULL. Each attempt
                                                is told exactly once; a delivery that ends without
                                                one has `not_made` set */
    const char *text;                        /* one sentence without a secret */
    int64_t wait_ms;                         /* until the next attempt, or the pause's end */
    uint64_t count;                          /* of BB_NOTICE_DROPPED and BB_NOTICE_FULL */
    bb_notice_kind kind;
    int reserved;
} bb_notice;
#define BB_NOTICE_INIT BB_INIT_STRUCT(bb_notice)

typedef void (*bb_notice_fn)(void *user, const bb_notice *notice);

/* -------------------------------------------------------------- options -- */

typedef enum bb_when_full {
    BB_FULL_REFUSE = 1,     /* bb_webhook_enqueue says BB_ERR_FULL (the usual case) */
    BB_FULL_DROP_OLDEST = 2 /* what has waited longest goes, and is told */
} bb_when_full;

typedef enum bb_resolver_kind {
    BB_RESOLVER_CARES = 1, /* a look-up that hangs delays nobody (the usual case) */
    BB_RESOLVER_SYSTEM = 2 /* getaddrinfo on threads of libcurl's, for names that only it knows */
} bb_resolver_kind;

/* bb_options.background; zero in any field means the usual case. */
typedef struct bb_background_options {
    size_t struct_size;
    bb_notice_fn notify; /* NULL: nobody is told */
    void *notify_user;
    const char *dns_servers;         /* "192.0.2.53,[2001:db8::53]:5353"; NULL: the system's */
    const uint32_t *retry_delays_ms; /* waits before the second, third, ... attempt. NULL: 5 s,
                                        5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h, which is
                                        the schedule of Standard Webhooks */
    size_t retry_delay_count;        /* at most 100 */
    uint64_t max_waiting_bytes;      /* of events and their deliveries; 0: 256 MiB */
    uint32_t max_waiting;            /* deliveries, those in flight too; 0: 100,000 */
    uint32_t max_in_flight;          /* attempts at once; 0: 512 */
    uint32_t slow_after_ms; /* a request of this age makes its webhook a slow one: all that answer
                               so have half of max_in_flight, those that do not answer three
                               quarters. 0: 100 */
    uint32_t breaker_failures;    /* in a row, open the circuit breaker; 0: 5 */
    uint32_t breaker_percent;     /* so do so many of the last ten; 0: 70 */
    uint32_t breaker_open_ms;     /* then one probe; doubles with each failed one. 0: 30,000 */
    uint32_t breaker_open_max_ms; /* 0: 600,000 */
    uint32_t disable_after_s;     /* without any success; 0: five days */
    bb_when_full when_full;
    bb_resolver_kind resolver;
    int no_jitter;            /* not 0: delays exactly as they stand, not +-20 % */
    int reserved;             /* zero */
    struct bb_outbox *outbox; /* where deliveries wait; it outlives the dispatcher, and works for
                                 one at a time. NULL: in memory */
} bb_background_options;
#define BB_BACKGROUND_OPTIONS_INIT BB_INIT_STRUCT(bb_background_options)

/* ----------------------------------------------------------- handing over -- */

typedef struct bb_enqueue_options {
    size_t struct_size;
    uint32_t delay_ms; /* the first attempt is not made before */
    int reserved;      /* zero */
    const char *key; /* while an event with the same key waits in the outbox, this one is not taken
                        (and that is no error). Needs an outbox that keeps events. NULL: none */
    const char *const *keys; /* the same for bb_webhook_enqueue_many: one for each of its events,
                                NULL where it has none */
} bb_enqueue_options;
#define BB_ENQUEUE_OPTIONS_INIT BB_INIT_STRUCT(bb_enqueue_options)

/* Copies the event and puts a delivery of it into the outbox for every webhook that wants it, or
 * for none. No network, no waiting: microseconds. `options` may be NULL; `*deliveries` (may be
 * NULL) receives how many there are. Paused and disabled webhooks wait, they lose nothing. Any
 * thread, also a callback. BB_ERR_FULL (nothing was taken), BB_ERR_EVENT, BB_ERR_STRUCT,
 * BB_ERR_NO_MEMORY, BB_ERR_FORKED. */
BB_API int bb_webhook_enqueue(struct bb_dispatcher *dispatcher, const bb_event *event,
                              const bb_enqueue_options *options, size_t *deliveries,
                              bb_error *error);

/* The same for `count` events, which are taken together or not at all: an outbox on a disk writes
 * them in one transaction, which for many events is much faster. They go out in this order. In
 * `options` stand `keys` instead of `key`; an event whose key is taken, also by one before it, is
 * left out and does not count in `*deliveries`. All are copied first, so there has to be memory for
 * them. The error of an event names its place, "events[3]: ...". */
BB_API int bb_webhook_enqueue_many(struct bb_dispatcher *dispatcher, const bb_event *const *events,
                                   size_t count, const bb_enqueue_options *options,
                                   size_t *deliveries, bb_error *error);

/* bb_webhook_enqueue within a transaction of the host's, on its own open connection to the database
 * in which the outbox is: a rollback takes the event back, a commit lets it be sent. For the
 * functions of the outboxes' own headers, which say what `connection` is: hosts call those. Also
 * BB_ERR_OUTBOX, BB_ERR_ARGUMENT where the outbox is in memory. */
BB_API int bb_webhook_enqueue_on(struct bb_dispatcher *dispatcher, void *connection,
                                 const bb_event *event, const bb_enqueue_options *options,
                                 size_t *deliveries, bb_error *error);

/* Tells the dispatcher that a transaction with enqueued events was committed. Without it they are
 * noticed a little later. Any thread. BB_ERR_FORKED. */
BB_API int bb_dispatcher_wake(struct bb_dispatcher *dispatcher, bb_error *error);

/* An outbox that keeps what waits: bb_webhook_sqlite.h. Not while a dispatcher works with it. In
 * a child of fork() nothing is freed: the connection is the parent's. */
typedef struct bb_outbox bb_outbox;
BB_API void bb_outbox_free(bb_outbox *outbox); /* NULL is fine */

/* -------------------------------------------------------------- driving -- */

/* Starts a thread that drives. Its signals are blocked. BB_ERR_BUSY when somebody drives already,
 * BB_ERR_SYSTEM, BB_ERR_NO_MEMORY, BB_ERR_FORKED. */
BB_API int bb_dispatcher_start(struct bb_dispatcher *dispatcher, bb_error *error);

/* Begins nothing more, waits up to `deadline_ms` for what is in flight, abandons the rest (what was
 * sent is told as unknown and goes on by that webhook's rule, what was not waits on), and ends the
 * thread, if there is one. `*waiting` (may be NULL) receives how many deliveries are left; they go
 * on when somebody drives again. Blocks. BB_ERR_BUSY from a callback or while another thread stops
 * or flushes by driving, BB_ERR_FORKED. */
BB_API int bb_dispatcher_stop(struct bb_dispatcher *dispatcher, uint32_t deadline_ms,
                              size_t *waiting, bb_error *error);

/* Waits until nothing is in flight or due: what waits for its next attempt, a pause or an open
 * breaker is not waited for; what waits for its turn within a rate is. Where no thread drives, this
 * call does. BB_ERR_TIMEOUT when that took longer than `timeout_ms`, BB_ERR_BUSY (also when the
 * thread is stopped meanwhile, and at once when the calling thread has enqueued into a SQLite file
 * within a transaction of its own that is still open: nothing could be written meanwhile),
 * BB_ERR_FORKED. */
BB_API int bb_dispatcher_flush(struct bb_dispatcher *dispatcher, uint32_t timeout_ms,
                               bb_error *error);

/* For the host's loop: a descriptor that is readable when bb_dispatcher_run has something to do.
 * The same for the dispatcher's life; not to be read or closed. Negative: a bb_code. */
BB_API int bb_dispatcher_fd(struct bb_dispatcher *dispatcher);

/* How long the loop may wait at most: milliseconds, 0 for not at all, -1 for any time. To be asked
 * after each bb_dispatcher_run. */
BB_API int bb_dispatcher_timeout_ms(struct bb_dispatcher *dispatcher);

/* Does what is to be done now: begins what is due, moves what is in flight, judges what is
 * answered, calls back. Never waits. BB_ERR_BUSY, BB_ERR_SYSTEM, BB_ERR_NO_MEMORY, BB_ERR_FORKED.
 */
BB_API int bb_dispatcher_run(struct bb_dispatcher *dispatcher, bb_error *error);

/* ----------------------------------------------------------- looking inside -- */

enum { BB_LATENCY_BUCKETS = 16 };

/* What has come of everything so far. Each delivery that was enqueued is in one of waiting,
 * in_flight, delivered, dead and dropped. */
typedef struct bb_stats {
    size_t struct_size;
    uint64_t enqueued; /* deliveries */
    uint64_t waiting;
    uint64_t in_flight;
    uint64_t delivered;
    uint64_t dead;
    uint64_t dropped;
    uint64_t refused;                     /* events for which there was no room; in all only */
    uint64_t attempts;                    /* also those that reached nobody */
    uint64_t sent;                        /* requests that were at least begun on the wire */
    uint64_t retried;                     /* attempts that another one follows */
    uint64_t unknown;                     /* attempts whose answer was lost */
    uint64_t waiting_bytes;               /* from here on in all only, 0 for one webhook */
    uint64_t webhooks_paused;             /* by an answer */
    uint64_t webhooks_broken;             /* by the circuit breaker */
    uint64_t webhooks_disabled;           /* by an answer, or for want of success */
    uint64_t latency_sum_ms;              /* from enqueuing to the answer, of delivered ones */
    uint64_t latency[BB_LATENCY_BUCKETS]; /* how many took up to bb_latency_bound_ms(i), and more
                                             than the bucket before */
} bb_stats;
#define BB_STATS_INIT BB_INIT_STRUCT(bb_stats)

/* 5, 10, 25, 50, ... 1,800,000, and INT64_MAX for the last bucket; -1 past the end. */
BB_API int64_t bb_latency_bound_ms(size_t bucket);

/* Of one webhook, or (`webhook_id` NULL) of all together. Any thread. BB_ERR_NOT_FOUND,
 * BB_ERR_STRUCT. */
BB_API int bb_dispatcher_stats(struct bb_dispatcher *dispatcher, const char *webhook_id,
                               bb_stats *stats, bb_error *error);

/* The same as Prometheus text (exposition format 0.0.4), each webhook labelled by its id and type;
 * webhooks that nothing was enqueued for are left out. Sizes as in bb_event_print. Any thread.
 * BB_ERR_TOO_LARGE, BB_ERR_NO_MEMORY. */
BB_API int bb_dispatcher_prometheus(struct bb_dispatcher *dispatcher, char *out, size_t size,
                                    size_t *length, bb_error *error);

#ifdef __cplusplus
}
#endif

#endif
