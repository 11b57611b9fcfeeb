/*
 * Where deliveries wait. A store keeps each event once and one narrow row per delivery: never a
 * rendered body, a URL or a secret. It decides what is due and in which order; what may be sent now
 * is the scheduler's business.
 *
 * The scheduler takes a queue (the deliveries of one webhook) that has something due, claims from
 * it, and gives it back; queues are taken in the order in which they were given back or became due,
 * so that one with a million deliveries has its turn no more often than one with a single one.
 *
 * Threads: `put`, `wake`, `counts` and `waiting` from any, also at once; the others by one at a
 * time. Times: milliseconds of whatever clock the caller uses throughout.
 */
#ifndef BB_DELIVERY_STORE_H
#define BB_DELIVERY_STORE_H

#include "delivery/flow.h"
#include "delivery/retry.h"
#include "event/parcel.h"

/* A webhook's deliveries. The store allocates it; `owner` is the caller's, `kept` the store's. */
struct bb_queue {
    void *owner;
    void *kept;
    struct bb_flow *flow; /* set by the caller once it is opened, or NULL. A store on which other
                             processes work as well heeds its rates, tells them its pauses and it
                             theirs: in the calls that are made by one at a time. One that writes
                             later what was settled lets no more be claimed than would, with what
                             is under way, be the most at once: so many, and no more, are sent
                             again after a crash */
    size_t unwritten;     /* of these: attempts that were settled so, the store's own count */
};

enum bb_settlement { BB_SETTLED = 1, BB_SETTLED_RETRY, BB_SETTLED_RELEASE };

/* A claim as a store that keeps its rows elsewhere knows it. */
struct bb_note;
struct bb_claim {
    int64_t number; /* of the row */
    int64_t event;
    bool is_shared; /* the event has other deliveries */
    int64_t order_key;
    int64_t lease; /* whoever settles must still have it */
    int64_t leased_until_ms;
    int64_t due_ms;           /* of a retry that was settled and not written yet */
    enum bb_settlement how;   /* the same */
    bool is_dead;             /* settled for good, and not delivered */
    struct bb_note *note;     /* the store's copy of the result; NULL: none */
    struct bb_delivery *next; /* of those */
};

/* A row that has been claimed: the caller's until it is settled. */
struct bb_delivery {
    struct bb_parcel *parcel; /* lives as long as the row; may have to be opened first */
    struct bb_queue *queue;
    struct bb_retry_history history; /* kept when it is settled to be retried or released */
    struct bb_claim claim;           /* the store's own */
};

struct bb_put {
    struct bb_queue *queue;
    uint64_t order_key; /* deliveries of one queue with the same one stay in order; 0: none */
};

/* An event on its way in. */
struct bb_put_event {
    const bb_event *event;     /* with an id and a time */
    const char *key;           /* a second one with the same key is left out; NULL: none */
    const struct bb_put *puts; /* for the webhooks that want it */
    size_t count;
    bool is_left_out; /* afterwards: one with its key was there */
};

struct bb_store_counts {
    uint64_t waiting;
    uint64_t claimed;
    uint64_t bytes; /* of the events and rows of both */
};

/* What came of a claim: for the log of attempts, and of those that are dead. */
struct bb_result {
    const bb_outcome *outcome;
    int64_t duration_ms; /* -1: no attempt was made */
};

struct bb_store; /* each kind's own, its first member the vtable */

/* Changes with this file: a store of another version is refused. */
enum { BB_STORE_VERSION = 2 };

/* What a store needs of the dispatcher that it works for. */
struct bb_store_host {
    int64_t wall_offset_ms; /* to be added to times, which gives milliseconds since 1970 */
    /* Told, and tried again later; or an event by plain SQL that cannot be read became a dead
     * letter. */
    void (*trouble)(void *user, const char *text);
    void *user;
};

struct bb_store;
struct bb_store_archive {
    int (*dead)(struct bb_store *store, const bb_dead_filter *filter, bb_dead_visitor visit,
                void *user, size_t *count, bb_error *error);
    int (*replay)(struct bb_store *store, const bb_dead_filter *filter, size_t *count,
                  bb_error *error);
    int (*attempts)(struct bb_store *store, int64_t number, bb_attempt_visitor visit, void *user,
                    bb_error *error);
    int (*purge)(struct bb_store *store, int64_t before_ms, size_t *count, bb_error *error);
    int (*cancel)(struct bb_store *store, const char *key, size_t *count, bb_error *error);
};

struct bb_store_vtable {
    unsigned version;
    bool keeps_rows; /* they outlive queue and process: an opened queue may have some already, and
                        closing it leaves them where they are */

    /* Begins, and ends, the work for a dispatcher; NULL where `keeps_rows` is false. BB_ERR_BUSY:
     * it works for another one. After `detach` its queues are closed, and what was claimed is
     * anybody's again. */
    int (*attach)(struct bb_store *store, const struct bb_store_host *host);
    void (*detach)(struct bb_store *store);

    void (*free)(struct bb_store *store);

    /* A queue for the webhook, NULL when out of memory. Closing it frees what waits in it; nothing
     * of it is claimed any more, and it is not taken. */
    struct bb_queue *(*open)(struct bb_store *store, const char *webhook_id, void *owner);
    void (*close)(struct bb_store *store, struct bb_queue *queue);

    /* Adds a delivery of each event to each of its queues, due at `due_ms`, all or none.
     * BB_ERR_FULL when the store's limits leave no room, BB_ERR_NO_MEMORY, BB_ERR_OUTBOX. May block
     * where the store writes to a disk. `connection` is NULL, or says where else than on its own
     * connection a store that keeps rows writes: in the host's transaction. */
    int (*put)(struct bb_store *store, void *connection, struct bb_put_event *events, size_t count,
               int64_t now_ms, int64_t due_ms, bb_error *error);

    /* A queue with something due, which is the caller's until it gives it back; NULL: there is
     * none. It may turn out to have nothing to claim. */
    struct bb_queue *(*take)(struct bb_store *store, int64_t now_ms);

    /* Not to be taken before `not_before_ms` (0: as soon as something is due). */
    void (*give)(struct bb_store *store, struct bb_queue *queue, int64_t not_before_ms);

    /* Forgets the time until which a queue was given back, and lets it be taken even when nothing
     * in it is due; does nothing for one that is taken. */
    void (*wake)(struct bb_store *store, struct bb_queue *queue);

    /* Of a taken queue: the delivery that has been due longest; NULL: nothing is due, or what is
     * must wait for its turn in its order. */
    struct bb_delivery *(*claim)(struct bb_store *store, struct bb_queue *queue, int64_t now_ms);

    /* The same for one that was enqueued before, due or not, whatever its order. */
    struct bb_delivery *(*claim_older)(struct bb_store *store, struct bb_queue *queue,
                                       int64_t enqueued_before_ms);

    /* Ends a claim; `due_ms` is for BB_SETTLED_RETRY. Needs no memory and cannot fail. A store that
     * writes may do so later, in batches. `result` (NULL: nothing is told) is copied as far as
     * there is memory; one that is settled for good and was not delivered is a dead letter. */
    void (*settle)(struct bb_store *store, struct bb_delivery *delivery, enum bb_settlement how,
                   int64_t due_ms, const struct bb_result *result);

    /* An event that was written past the library, by SQL, so that nobody has said which webhooks
     * want it: retained for the caller, with its number and an id; NULL: there is none. Then
     * `match` says so (`parcel` with the time that it had to be given): it is a put of the store's
     * own. By who drives, without any lock. What is no event never comes here: it is a dead letter.
     * NULL: never happens. */
    struct bb_parcel *(*unmatched)(struct bb_store *store, int64_t *number);
    int (*match)(struct bb_store *store, int64_t number, const struct bb_parcel *parcel,
                 const struct bb_put *puts, size_t count);

    /* Something was written past the store: `take` looks for it at once. NULL: never happens. */
    void (*look_again)(struct bb_store *store);

    /* Whether the calling thread itself keeps everybody from writing, by a transaction of its own
     * in which it has put something. NULL: never. From any thread. */
    bool (*is_blocked)(struct bb_store *store);

    /* Whether there is something to write or to look for, which may have to wait for the store's
     * own trouble to pass. NULL: never. */
    bool (*owes)(struct bb_store *store, int64_t now_ms);

    /* When `take` may have something: a time not later than now: at once; INT64_MAX: not before
     * something is put. A store that others work on as well names the time to look again. */
    int64_t (*next_ms)(struct bb_store *store, int64_t now_ms);

    /* When the oldest waiting delivery of the queue was enqueued; INT64_MAX: none waits. */
    int64_t (*oldest_ms)(struct bb_store *store, struct bb_queue *queue);

    /* What bb_webhook_outbox.h says of each; all arguments are read and sound. NULL where nothing
     * is kept. From any thread. */
    const struct bb_store_archive *archive;

    size_t (*waiting)(struct bb_store *store, struct bb_queue *queue);
    struct bb_store_counts (*counts)(struct bb_store *store);
};

struct bb_store {
    const struct bb_store_vtable *vtable;
    int64_t lease_ms; /* how long a claim is safe from others; longer than any attempt. 0: there are
                         no others */
    long process; /* getpid() of who opened it: in a child of fork() it is not to be used, as its
                     connection and locks are the parent's. Of those that keep rows */
};

#endif
