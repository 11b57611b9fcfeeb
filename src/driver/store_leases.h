/* What stores have in common that lease rows of a database: how claims end before that is written,
 * and how what was leased gets into memory. */
#ifndef BB_DRIVER_STORE_LEASES_H
#define BB_DRIVER_STORE_LEASES_H

#include "delivery/store.h"

enum {
    BB_LEASES_BATCH = 512,     /* rows that are leased in one transaction */
    BB_LEASES_FIRST = 8,       /* by whoever has nothing: the first of a million is sent soon */
    BB_LEASES_LEAST = 8,       /* of one queue: fewer are not worth a statement, when more wait */
    BB_LEASES_NEWS = 512,      /* events that become deliveries in one transaction */
    BB_LEASES_MOST = 1024,     /* about, waiting in memory: of use to nobody else */
    BB_LEASES_WRITE = 1024,    /* settled, which are written at once ... */
    BB_LEASES_WRITE_MS = 100,  /* ... and after so long, be they ever so few */
    BB_LEASES_TRUSTED = 2,     /* claims of one row; it is a suspect after that */
    BB_LEASES_SUSPECT_MS = 100 /* between two looks for whether a suspect's turn has come */
};

/* When to look for what others have written: soon after they have, less and less often while they
 * have not. */
enum { BB_LOOKS_SHORTEST_MS = 50, BB_LOOKS_LONGEST_MS = 1000 };
struct bb_looks {
    int64_t again_ms;
    int64_t wait_ms; /* before that; 0: no look has succeeded so far */
    uint64_t chance; /* of the jitter */
};

/* A look has succeeded: the next is after the wait or, by chance, up to a quarter of it sooner, for
 * many that look shall not look at once. */
void bb_looks_note(struct bb_looks *looks, bool is_changed, int64_t now_ms);

/* What a process says that has tables open which a later library has brought up to its version. */
#define BB_LEASES_OUTDATED "its tables are of another version since it was opened"

/* Times do not overflow: the end of time stays the end of time. */
static inline int64_t bb_leases_later(int64_t time_ms, int64_t by_ms) {
    return by_ms > 0 && time_ms > INT64_MAX - by_ms ? INT64_MAX : time_ms + by_ms;
}

static inline int64_t bb_leases_least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* ---- claims that have ended */

struct bb_settled {
    struct bb_delivery *first; /* not written yet */
    size_t count;
    size_t ended; /* of these: not to be retried or released */
    int64_t since_ms;
    bool is_urgent;   /* another delivery may be due as soon as they are written */
    bool has_suspect; /* another one's turn may come then */
};

/* Notes how a claim ended. Cannot fail. */
void bb_settled_add(struct bb_settled *settled, struct bb_delivery *delivery,
                    enum bb_settlement how, int64_t due_ms, int64_t now_ms);

/* What is in memory of a queue, and was not claimed, is given back. */
void bb_settled_release(struct bb_settled *settled, struct bb_store *memory, struct bb_queue *queue,
                        int64_t now_ms);

/* Forgets them, of one queue or (NULL) of all, written or not; `mem` has their notes. */
void bb_settled_forget(struct bb_settled *settled, struct bb_store *memory, const bb_allocator *mem,
                       const struct bb_queue *queue);

/* Hands all of `from` over. */
void bb_settled_move(struct bb_settled *to, struct bb_settled *from);

/* Nothing waits for them to be written but their rows' end. */
bool bb_settled_are_plain(const struct bb_settled *settled);

/* By their numbers: what lies together in the database is written together. */
void bb_settled_sort(struct bb_settled *settled);

/* Whether one more claim of the queue would, with what is under way of it and what was answered and
 * is not written, be more than may be sent again after a crash: then these are written first. While
 * they cannot be, it is claimed all the same. */
bool bb_settled_must_be_written(const struct bb_queue *queue);

/* Half of that is reached. */
bool bb_settled_must_soon_be_written(const struct bb_queue *queue);

/* They are many, have waited long enough, or others wait for them. */
bool bb_settled_is_due(const struct bb_settled *settled, int64_t now_ms);

/* Writing them may give a delivery to claim. */
bool bb_settled_may_bring(const struct bb_settled *settled);

/* So many are settled, some at least, and nothing else is under way that would be soon. */
bool bb_settled_is_alone(size_t count, struct bb_store *memory);

/* When the oldest of the queue that will wait again was enqueued; INT64_MAX: there is none. */
int64_t bb_settled_oldest_ms(const struct bb_settled *settled, const struct bb_queue *queue);

/* ---- rows that are leased */

/* When a process ends, nobody knows which of the rows that it had leased has ended it. Those that
 * go on to be around are suspects: a process has one of them at a time, which so takes the blame
 * alone. */
static inline bool bb_leases_is_suspect(int64_t claims) {
    return claims > BB_LEASES_TRUSTED;
}

/* Of one transaction; each has a reference to its parcel. */
struct bb_leases {
    struct bb_delivery rows[BB_LEASES_BATCH];
    int64_t due_ms[BB_LEASES_BATCH];
    size_t count;
    int64_t lease;
    int64_t until_ms;
};

/* How many more of one of so many queues may be leased: each has a share. */
size_t bb_leases_room(struct bb_store *memory, struct bb_queue *queue, size_t queues);

/* How many may be leased in one transaction. */
size_t bb_leases_batch(struct bb_store *memory);

/* Enough is in memory that can be sent at once: new events may wait where they are. */
bool bb_leases_are_enough(struct bb_store *memory, int64_t now_ms);

/* Puts them into memory: after the commit, when nobody else can have them. */
void bb_leases_keep(const struct bb_leases *leases, struct bb_store *memory);
void bb_leases_release(const struct bb_leases *leases);

/* Whether a suspect is leased, now or before, and not settled. */
bool bb_leases_has_suspect(const struct bb_leases *leases, struct bb_store *memory);

/* Claims from memory. One whose lease may have run out while this process did not run is somebody
 * else's: it is given back, for what that is worth. */
struct bb_delivery *bb_leases_claim(struct bb_settled *settled, struct bb_store *memory,
                                    struct bb_queue *queue, int64_t now_ms);

#endif
