/*
 * One pass over the database, in one transaction: what was settled is written, new events are
 * fanned out into deliveries, what is due is leased.
 */
#ifndef BB_DRIVER_STORE_SQLITE_WORK_H
#define BB_DRIVER_STORE_SQLITE_WORK_H

#include <pthread.h>

#include "base/heap.h"
#include "driver/store_leases.h"
#include "driver/store_sqlite.h"
#include "driver/store_sqlite_db.h"
#include "driver/store_sqlite_files.h"

/* The rows of one webhook that are not in memory. */
struct bb_sqlite_queue {
    struct bb_queue *queue; /* of those that are */
    int64_t number;         /* of the webhook in the database; -1: not known so far */
    int64_t due_ms;         /* of the first that waits; INT64_MAX: none does */
    int64_t not_before_ms;
    int64_t lease; /* of the transaction that has leased so many of it last */
    size_t leased;
    struct bb_heap_node node;
    bool is_timed;     /* `node` is in the heap */
    bool is_full;      /* as much is leased as it may have */
    bool is_stale;     /* `due_ms` must be read again */
    bool has_suspects; /* that are due, and must wait for another one to end */
    struct bb_sqlite_queue *next, *previous;
    char id[];
};

/* What one transaction leases. */
struct bb_sqlite_leased {
    struct bb_leases leases;
    size_t numbered;                  /* of these, while events are fanned out: are written */
    bool has_looked, has_more;        /* for, and new events */
    int64_t surplus[BB_LEASES_BATCH]; /* suspects that must wait: their numbers */
    size_t surplus_count;
    int64_t chosen[BB_LEASES_BATCH]; /* to be leased, by their numbers */
    size_t chosen_count;
};

struct bb_sqlite_putting;

struct bb_sqlite {
    struct bb_store store; /* first */
    struct bb_store_sqlite_config config;
    struct bb_store_host host;
    bool is_attached;
    struct bb_sqlite_file file;
    uint64_t serial;            /* of all that this process has opened; never 0 */
    pthread_mutex_t group_lock; /* guards the events that are on their way in; taken alone */
    pthread_cond_t group_done;
    struct bb_sqlite_putting *group;
    size_t group_size;
    size_t company;       /* who were in the last group, or came while it was written */
    int64_t group_us;     /* it took so long to write */
    unsigned vain;        /* times that so many were waited for and did not come */
    bool is_led;          /* somebody writes the group before this one */
    pthread_mutex_t lock; /* guards what follows */
    struct bb_sqlite_db db;
    struct bb_store *memory; /* what is leased */
    struct bb_arena scratch;
    struct bb_sqlite_queue *queues;
    size_t queue_count;
    struct bb_sqlite_queue **by_number; /* the same, by the webhook's number */
    size_t numbers;
    struct bb_heap due; /* of the queues that have something to lease */
    struct bb_settled settled;
    bool has_unmatched;    /* an event that was written by SQL waits to be matched */
    bool has_news;         /* events were put, or may have been */
    int64_t data_version;  /* changes when another connection has written */
    struct bb_looks looks; /* for what others have written */
    int64_t renew_ms;      /* the leases, at this time */
    int64_t not_before_ms; /* no pass: the last one failed ... */
    int64_t again_ms;      /* ... so long before; 0: it did not */
    int64_t failing_since_ms;
    bool has_unnumbered;     /* queues that were opened since the last pass */
    int64_t now_ms, pass_ms; /* of the last call, and of the last pass */
    int64_t clock_ms;        /* the database's, as the transaction began */
    int64_t newest_event;    /* its number then; 0: there is none */
    bool is_outdated;        /* a later library has changed the tables */
    struct bb_sqlite_leased leased;
    struct bb_sqlite_queue *asked; /* by bb_sqlite_lease_older */
    int64_t asked_ms;
};

/* What is leased of a queue, and was not claimed, is given back. */
void bb_sqlite_release_waiting(struct bb_sqlite *s, struct bb_sqlite_queue *q);

/* Writes what was settled now, and nothing else; forgets it, of one queue or (NULL) of all, written
 * or not. */
bool bb_sqlite_write_settled(struct bb_sqlite *s);
void bb_sqlite_forget_settled(struct bb_sqlite *s, const struct bb_sqlite_queue *q);

/* The webhook's number, which it gets when it has none; -1: it could not be read or written. */
int64_t bb_sqlite_number_of(struct bb_sqlite *s, const char *webhook_id);

/* Of a webhook's number; NULL: nobody here delivers to it. */
struct bb_sqlite_queue *bb_sqlite_find_queue(const struct bb_sqlite *s, int64_t number);

/* Begins a transaction that writes. False: that failed, or the tables are of another library's
 * version by now. */
bool bb_sqlite_begin(struct bb_sqlite *s);

/* Does it. False: nothing was changed, the host was told, it is tried again a little later. */
bool bb_sqlite_pass(struct bb_sqlite *s, int64_t now_ms);

/* Leases what was enqueued before that time, due or not, held or not. */
bool bb_sqlite_lease_older(struct bb_sqlite *s, struct bb_sqlite_queue *q, int64_t before_ms);

/* The queue has something to lease at this time, or (INT64_MAX) nothing. */
void bb_sqlite_time(struct bb_sqlite *s, struct bb_sqlite_queue *q);

#endif
