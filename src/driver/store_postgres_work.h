/*
 * One pass over the database, in one transaction of a few round trips: new events are fanned out
 * into deliveries, what was settled is written, what is due is leased. When nothing waits for what
 * was settled it is posted instead: a transaction of its own, whose answer is only waited for when
 * the database is asked next, or the queue may send no more before.
 *
 * Whoever waits for another process's lock has to hold none that this one may wait for. So all take
 * them in one order: the right to fan out (or nothing), the right to change orders, deliveries by
 * their numbers, or dead letters by their time, events by their numbers, webhooks by their numbers.
 * What is leased, and whose turn it is, is locked only where nobody else has it. Only a pass that
 * meets an event which cannot be read takes some once more; the server ends one of two that wait in
 * a circle, which is tried again.
 */
#ifndef BB_DRIVER_STORE_POSTGRES_WORK_H
#define BB_DRIVER_STORE_POSTGRES_WORK_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/heap.h"
#include "driver/store_leases.h"
#include "driver/store_note.h"
#include "driver/store_postgres.h"
#include "driver/store_postgres_db.h"

/* The rows of one webhook that are not in memory. */
struct bb_postgres_queue {
    struct bb_queue *queue; /* of those that are */
    int64_t number;         /* of the webhook in the database; 0: not known yet */
    int64_t due_ms;         /* of the first that waits, or before; INT64_MAX: none does */
    int64_t oldest_ms;      /* when the oldest of all of them was enqueued, or before; INT64_MAX:
                               none is */
    int64_t not_before_ms;
    int64_t turn_ms;         /* its rate lets nothing begin before */
    int64_t paused_until_ms; /* as it was written or read last; 0: it is not */
    int64_t own_pause_ms;    /* the same, to be written */
    uint32_t ended;          /* attempts since they were written, when it has a rate */
    struct bb_heap_node node;
    bool is_timed;         /* `node` is in the heap */
    bool is_full;          /* as much is leased as it may have */
    bool is_stale;         /* `due_ms` and `oldest_ms` must be read again */
    bool has_suspects;     /* that are due, and must wait for another one to end */
    bool has_own_pause;    /* `own_pause_ms` is to be written */
    bool has_others_pause; /* `paused_until_ms` was read: its flow is to be told */
    struct bb_postgres_queue *next, *previous;
    char id[];
};

/* An event that was written by SQL. */
struct bb_postgres_unmatched {
    int64_t number;
    struct bb_parcel *parcel;
};

struct bb_postgres {
    struct bb_store store; /* first */
    struct bb_store_postgres_config config;
    struct bb_store_host host;
    bool is_attached;
    int64_t skew_ms;   /* what the database's clock is ahead of this machine's */
    int64_t offset_ms; /* to be added to the caller's times, which gives the database's */

    pthread_mutex_t put_lock; /* guards the connection on which events are enqueued */
    struct bb_postgres_db put_db;
    atomic_bool is_put; /* there are events that nobody has looked for */

    pthread_mutex_t archive_lock; /* guards the connection to what is kept; taken before `lock` */
    struct bb_postgres_db archive_db;

    pthread_mutex_t lock; /* guards all that follows */
    struct bb_postgres_db db;
    struct bb_store *memory; /* what is leased */
    struct bb_postgres_queue *queues;
    size_t queue_count;
    bool has_unnumbered;                  /* queues */
    struct bb_postgres_queue **by_number; /* the same, by the webhook's number */
    size_t numbers;
    struct bb_heap due;                /* of the queues that have something to lease */
    struct bb_settled settled, posted; /* the latter are on their way to the database */
    struct bb_postgres_unmatched unmatched[BB_LEASES_NEWS]; /* of the last look, ... */
    size_t unmatched_count, unmatched_at;                   /* ... from the next one on */
    struct bb_postgres_rows matched;                        /* to be written by the next pass */
    bool has_news;                                          /* events were put, or may have been */
    bool has_expired;                                       /* leases, which are to be freed */
    bool has_flow_news;      /* a queue has ended attempts, or a pause of its own, to be written */
    bool has_others_pauses;  /* a queue has one */
    struct bb_looks looks;   /* for what others have written */
    int64_t renew_ms;        /* the leases, at this time */
    int64_t not_before_ms;   /* no pass: the last one failed */
    int64_t back_off_ms;     /* the longer, the more have failed in a row */
    int64_t now_ms, pass_ms; /* of the last call, and of the last pass */
};

/* What one transaction leases. */
struct bb_postgres_leased {
    struct bb_leases leases;
    bool has_looked, has_found, has_more; /* new events, those that have to be matched too */
    bool leases_nothing, settles_nothing;
    struct bb_postgres_rows surplus; /* suspects that must wait: their numbers, and the lease */
};

/* ---- store_postgres_settle.c ---- */

/* Adds to the next exchange what writes what was settled. `is_locked`: the right to change orders
 * is had. */
bool bb_postgres_send_settled(struct bb_postgres *s, bool is_locked);

/* Posts what was settled, if that may be. Collecting waits for the answer: false, it failed, and
 * they are settled as before. */
bool bb_postgres_may_post(const struct bb_postgres *s);
bool bb_postgres_post_settled(struct bb_postgres *s);
bool bb_postgres_collect(struct bb_postgres *s);

/* Some have ended that are not known to be written, and nothing else is under way. */
bool bb_postgres_is_settled_alone(const struct bb_postgres *s);

/* What is leased of a queue, and was not claimed, is given back. */
void bb_postgres_release_waiting(struct bb_postgres *s, struct bb_postgres_queue *q);

/* The leases of what is in memory, in two halves around an exchange: `until_ms` is theirs then. */
bool bb_postgres_send_renewals(struct bb_postgres *s);
void bb_postgres_note_renewals(struct bb_postgres *s, int64_t until_ms);

/* ---- store_postgres_events.c ---- */

/* Looks for new events and fans them out, within the transaction that `begin` has added to the next
 * exchange; what was settled goes along with it. */
bool bb_postgres_fan_out(struct bb_postgres *s, struct bb_postgres_leased *leased);

/* As the store's contract says. Nothing of it touches the database: passes do. */
struct bb_parcel *bb_postgres_unmatched(struct bb_store *store, int64_t *number);
int bb_postgres_match(struct bb_store *store, int64_t number, const struct bb_parcel *parcel,
                      const struct bb_put *puts, size_t count);

/* Those that wait to be matched; and those that were, too. They are looked for again. */
void bb_postgres_forget_unmatched(struct bb_postgres *s);
void bb_postgres_forget_matches(struct bb_postgres *s);

/* ---- store_postgres_put.c ---- */

int bb_postgres_put(struct bb_store *store, void *connection, struct bb_put_event *events,
                    size_t count, int64_t now_ms, int64_t due_ms, bb_error *error);

/* The webhooks of an event and their order keys, as arrays. False: out of memory. */
bool bb_postgres_print_webhooks(struct bb_buf *webhooks, struct bb_buf *order_keys,
                                const struct bb_put *puts, size_t count);

/* ---- store_postgres_archive.c ---- */

extern const struct bb_store_archive bb_store_postgres_archive;

/* ---- store_postgres_lease.c ---- */

/* So many of a queue may be leased. */
struct bb_postgres_share {
    struct bb_postgres_queue *queue;
    int64_t most;
};

/* Takes in what such a statement has leased. What must be written about events that nobody can read
 * is added to the next exchange. False: out of memory. */
void bb_postgres_read_leased(struct bb_postgres *s, struct bb_postgres_leased *leased,
                             enum bb_pg which);

/* Adds to the next exchange what leases so much of each of the queues: due by `time_ms`, or
 * enqueued before. False: out of memory. */
bool bb_postgres_send_leases(struct bb_postgres *s, const struct bb_postgres_share *shares,
                             size_t count, enum bb_pg which, int64_t time_ms,
                             const struct bb_leases *leases);

/* Leases what is due, within the transaction. */
bool bb_postgres_lease_due(struct bb_postgres *s, struct bb_postgres_leased *leased);

/* ---- store_postgres_flow.c ---- */

bool bb_postgres_has_rate(const struct bb_postgres_queue *q);

/* Of queues with a rate it leaves what may begin now, over all processes, and takes the right to
 * lease it: until the end of the transaction. A queue whose right another one has gets nothing. */
bool bb_postgres_limit_shares(struct bb_postgres *s, struct bb_postgres_share *shares,
                              size_t count);

/* An attempt has ended; the flow may have been paused, or be paused no more; all of them may. */
void bb_postgres_note_attempt(struct bb_postgres *s, struct bb_postgres_queue *q);
void bb_postgres_note_pause(struct bb_postgres *s, struct bb_postgres_queue *q);
void bb_postgres_note_pauses(struct bb_postgres *s);

/* Adds to the next exchange what writes that. False: out of memory. After the exchange there may be
 * other turns; after the commit it is written. */
bool bb_postgres_send_flows(struct bb_postgres *s);
void bb_postgres_free_turns(struct bb_postgres *s);
void bb_postgres_note_flows(struct bb_postgres *s);

/* The database says so, in the caller's time (0: no pause); whether there is something to tell the
 * flow, which is told then. */
void bb_postgres_learn_pause(struct bb_postgres *s, struct bb_postgres_queue *q, int64_t until_ms);
bool bb_postgres_tell_pause(struct bb_postgres_queue *q);

/* Something is due and waits for its turn only. */
bool bb_postgres_waits_for_turn(const struct bb_postgres *s, int64_t now_ms);

/* ---- store_postgres_work.c ---- */

struct bb_postgres_queue *bb_postgres_find_queue(const struct bb_postgres *s, int64_t number);

/* Tells the host of trouble. */
void bb_postgres_tell(struct bb_postgres *s, const char *what);

/* What waits in any of them must be looked for again. */
void bb_postgres_make_stale(struct bb_postgres *s);

/* Does it, all of it or all but leasing. False: nothing was changed, the host was told, it is tried
 * again a little later. */
bool bb_postgres_pass(struct bb_postgres *s, int64_t now_ms);
bool bb_postgres_pass_over(struct bb_postgres *s, int64_t now_ms);

/* Leases what was enqueued before that time, due or not, held or not. */
bool bb_postgres_lease_older(struct bb_postgres *s, struct bb_postgres_queue *q, int64_t before_ms);

/* Posts what was settled, and nothing else, if that may be; waits for what was. False: as above. */
bool bb_postgres_post(struct bb_postgres *s);
bool bb_postgres_wait_for_posted(struct bb_postgres *s);

/* Writes what was settled, and nothing else, and forgets it then. False: the host was told, or it
 * is too early to try again. */
bool bb_postgres_write_settled(struct bb_postgres *s);

/* The queue has something to lease at this time, or (INT64_MAX) nothing. */
void bb_postgres_time(struct bb_postgres *s, struct bb_postgres_queue *q);

/* A count, of a queue (0: of all); 0 when it cannot be had. */
uint64_t bb_postgres_count(struct bb_postgres *s, int64_t number);

#endif
