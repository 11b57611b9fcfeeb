/*
 * One pass over the database, in one transaction of a few round trips: new events are fanned out
 * into deliveries, what was settled is written, what is due is leased.
 *
 * Whoever waits for another process's lock has to hold none that this one may wait for. So all take
 * them in one order: the right to fan out (or nothing), the right to change orders, deliveries by
 * their numbers, events by theirs.
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
    int64_t due_ms;         /* of the first that waits; INT64_MAX: none does */
    int64_t oldest_ms;      /* when the oldest of all of them was enqueued; INT64_MAX: none is */
    int64_t not_before_ms;
    struct bb_heap_node node;
    bool is_timed; /* `node` is in the heap */
    bool is_stale; /* `due_ms` and `oldest_ms` must be read again */
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
    bool has_unnumbered;                  /* queues */
    struct bb_postgres_queue **by_number; /* the same, by the webhook's number */
    size_t numbers;
    struct bb_heap due; /* of the queues that have something to lease */
    struct bb_settled settled;
    struct bb_postgres_unmatched unmatched[BB_LEASES_BATCH]; /* of the last look, ... */
    size_t unmatched_count, unmatched_at;                    /* ... from the next one on */
    struct bb_postgres_rows matched;                         /* to be written by the next pass */
    bool has_news;                                           /* events were put, or may have been */
    bool has_expired;                                        /* leases, which are to be freed */
    int64_t look_again_ms;                                   /* for what others have written */
    int64_t wait_ms;         /* between two looks: longer while nothing comes */
    int64_t renew_ms;        /* the leases, at this time */
    int64_t not_before_ms;   /* no pass: the last one failed */
    int64_t back_off_ms;     /* the longer, the more have failed in a row */
    int64_t now_ms, pass_ms; /* of the last call, and of the last pass */
    uint64_t chance;         /* of the jitter */
};

/* What one transaction leases. */
struct bb_postgres_leased {
    struct bb_leases leases;
    size_t found; /* new events, those that have to be matched too */
};

/* ---- store_postgres_settle.c ---- */

/* Adds to the next exchange what writes what was settled. `is_locked`: the right to change orders
 * is had. */
bool bb_postgres_send_settled(struct bb_postgres *s, bool is_locked);

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

/* ---- store_postgres.c ---- */

/* The webhooks of an event and their order keys, as arrays. False: out of memory. */
bool bb_postgres_print_webhooks(struct bb_buf *webhooks, struct bb_buf *order_keys,
                                const struct bb_put *puts, size_t count);

/* ---- store_postgres_archive.c ---- */

extern const struct bb_store_archive bb_store_postgres_archive;

/* ---- store_postgres_work.c ---- */

struct bb_postgres_queue *bb_postgres_find_queue(const struct bb_postgres *s, int64_t number);

/* What waits in any of them must be looked for again. */
void bb_postgres_make_stale(struct bb_postgres *s);

/* Does it. False: nothing was changed, the host was told, it is tried again a little later. */
bool bb_postgres_pass(struct bb_postgres *s, int64_t now_ms);

/* Leases what was enqueued before that time, due or not, held or not. */
bool bb_postgres_lease_older(struct bb_postgres *s, struct bb_postgres_queue *q, int64_t before_ms);

/* Writes what was settled, and nothing else, and forgets it then. False: the host was told, or it
 * is too early to try again. */
bool bb_postgres_write_settled(struct bb_postgres *s);

/* The queue has something to lease at this time, or (INT64_MAX) nothing. */
void bb_postgres_time(struct bb_postgres *s, struct bb_postgres_queue *q);

/* A count, of a queue (0: of all); 0 when it cannot be had. */
uint64_t bb_postgres_count(struct bb_postgres *s, int64_t number);

#endif
