#include "driver/store_sqlite_pass.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "driver/store_memory.h"

/* ---- queues ---- */

void bb_sqlite_time(struct bb_sqlite *s, struct bb_sqlite_queue *q) {
    int64_t due_ms = q->due_ms > q->not_before_ms ? q->due_ms : q->not_before_ms;
    if (q->is_timed)
        bb_heap_remove(&s->due, &q->node);
    q->is_timed = due_ms != INT64_MAX && !q->is_full;
    if (q->is_timed)
        bb_heap_insert(&s->due, &q->node, due_ms, (uint64_t)q->number);
}

static struct bb_sqlite_queue *of_node(struct bb_heap_node *node) {
    return (struct bb_sqlite_queue *)((char *)node - offsetof(struct bb_sqlite_queue, node));
}

/* Without rows to wait for it is out of the heap. */
static bool refresh(struct bb_sqlite *s, struct bb_sqlite_queue *q) {
    bool failed = false;
    sqlite3_stmt *row = bb_sqlite_db_bind(&s->db, BB_SQL_DUE_MS, "i", q->number);
    q->due_ms = INT64_MAX;
    if (bb_sqlite_db_step(row, &failed)) {
        q->due_ms = sqlite3_column_int64(row, 0) - s->host.wall_offset_ms;
        sqlite3_reset(row);
    }
    q->has_suspects &= q->due_ms != INT64_MAX;
    if (q->has_suspects && q->due_ms < s->now_ms + BB_LEASES_SUSPECT_MS)
        q->due_ms = s->now_ms + BB_LEASES_SUSPECT_MS;
    q->is_stale = failed;
    bb_sqlite_time(s, q);
    return !failed;
}

static bool has_place(struct bb_sqlite *s, int64_t number) {
    size_t count = s->numbers ? s->numbers : 64;
    while (count <= (size_t)number)
        count *= 2;
    if (count == s->numbers)
        return true;
    struct bb_sqlite_queue **more =
        bb_mem_resize(&s->config.mem, s->by_number, count * sizeof(void *));
    if (!more)
        return false;
    memset(more + s->numbers, 0, (count - s->numbers) * sizeof(void *));
    s->by_number = more;
    s->numbers = count;
    return true;
}

/* One that was removed, and not closed yet, may have had the number: what waits is the new one's.
 */
static void take_number(struct bb_sqlite *s, struct bb_sqlite_queue *q, int64_t number) {
    struct bb_sqlite_queue *before = s->by_number[number];
    if (before) {
        before->due_ms = INT64_MAX;
        before->is_stale = false;
        bb_sqlite_time(s, before);
    }
    q->number = number;
    s->by_number[number] = q;
}

/* Of webhooks that were opened since the last pass: an opening must not wait for the database. */
static bool number_queues(struct bb_sqlite *s) {
    for (struct bb_sqlite_queue *q = s->queues; s->has_unnumbered && q; q = q->next) {
        if (q->number >= 0)
            continue;
        int64_t number = bb_sqlite_number_of(s, q->id);
        if (number < 0 || !has_place(s, number))
            return false;
        take_number(s, q, number);
    }
    s->has_unnumbered = false;
    return true;
}

/* The one to which the rows of its number belong. */
static bool is_current(const struct bb_sqlite *s, const struct bb_sqlite_queue *q) {
    return q->number >= 0 && s->by_number[q->number] == q;
}

static bool refresh_stale(struct bb_sqlite *s) {
    for (struct bb_sqlite_queue *q = s->queues; q; q = q->next)
        if (q->is_stale && is_current(s, q) && !refresh(s, q))
            return false;
    return true;
}

/* ---- what was settled ---- */

bool bb_sqlite_end_event(struct bb_sqlite *s, const struct bb_claim *claim) {
    if (!claim->is_shared)
        return bb_sqlite_db_run(&s->db, BB_SQL_END_EVENT, "i", claim->event);
    return bb_sqlite_db_run(&s->db, BB_SQL_END_ONE_OF_SHARED, "i", claim->event) &&
           bb_sqlite_db_run(&s->db, BB_SQL_END_SHARED, "i", claim->event) &&
           (sqlite3_changes(s->db.handle) == 0 ||
            bb_sqlite_db_run(&s->db, BB_SQL_END_EVENT, "i", claim->event));
}

/* It is somebody else's by now. This process was late, but it has not ended: its claim is none of
 * those that count. */
static bool take_back_claim(struct bb_sqlite *s, const struct bb_claim *claim) {
    return bb_sqlite_db_run(&s->db, BB_SQL_UNCLAIM, "ii", claim->number, claim->lease);
}

/* A dead letter keeps its event, but not the event's key; nor does one that was delivered, when the
 * event's others are dead. */
static bool end_row(struct bb_sqlite *s, const struct bb_delivery *delivery, int64_t webhook) {
    const struct bb_claim *claim = &delivery->claim;
    if ((claim->is_dead && !bb_sqlite_bury(s, claim, delivery->history.attempts)) ||
        !bb_sqlite_db_run(&s->db, BB_SQL_END, "ii", claim->number, claim->lease))
        return false;
    if (sqlite3_changes(s->db.handle) == 0)
        return take_back_claim(s, claim);
    bool ok = claim->is_dead || bb_sqlite_end_event(s, claim);
    if (ok && (claim->is_dead || claim->is_shared))
        ok = bb_sqlite_db_run(&s->db, BB_SQL_FREE_KEY, "i", claim->event);
    return ok && (!claim->order_key ||
                  bb_sqlite_db_run(&s->db, BB_SQL_NEXT_OF_ORDER, "ii", webhook, claim->order_key));
}

static bool give_back(struct bb_sqlite *s, const struct bb_delivery *delivery) {
    const struct bb_claim *claim = &delivery->claim;
    const struct bb_retry_history *history = &delivery->history;
    bool ok = claim->how == BB_SETTLED_RELEASE
                  ? bb_sqlite_db_run(&s->db, BB_SQL_RELEASE, "ii", claim->number, claim->lease)
                  : bb_sqlite_db_run(&s->db, BB_SQL_RETRY, "iiiiii", claim->number, claim->lease,
                                     bb_leases_later(claim->due_ms, s->host.wall_offset_ms),
                                     (int64_t)history->attempts, (int64_t)history->steps,
                                     (int64_t)history->unknowns);
    return ok && (sqlite3_changes(s->db.handle) > 0 || take_back_claim(s, claim));
}

/* One is over, the next may come. */
static void call_suspects(struct bb_sqlite *s) {
    for (struct bb_sqlite_queue *q = s->queues; q; q = q->next) {
        q->is_stale |= q->has_suspects;
        q->has_suspects = false;
    }
}

static bool settle(struct bb_sqlite *s, const struct bb_delivery *delivery) {
    struct bb_sqlite_queue *q = delivery->queue->kept;
    const struct bb_claim *claim = &delivery->claim;
    struct bb_sqlite_queue *present = s->by_number[q->number];
    if (present && (claim->how != BB_SETTLED || claim->order_key))
        present->is_stale = true;
    if (bb_leases_is_suspect(delivery->history.claims))
        call_suspects(s);
    if (!bb_sqlite_log(s, claim, q->number))
        return false;
    return claim->how == BB_SETTLED ? end_row(s, delivery, q->number) : give_back(s, delivery);
}

bool bb_sqlite_settle_all(struct bb_sqlite *s) {
    for (const struct bb_delivery *d = s->settled.first; d; d = d->claim.next)
        if (!settle(s, d))
            return false;
    return true;
}

void bb_sqlite_release_waiting(struct bb_sqlite *s, struct bb_sqlite_queue *q) {
    bb_settled_release(&s->settled, s->memory, q->queue, s->now_ms);
    q->is_full = false;
}

void bb_sqlite_forget_settled(struct bb_sqlite *s, const struct bb_sqlite_queue *q) {
    bb_settled_forget(&s->settled, s->memory, &s->config.mem, q ? q->queue : NULL);
}

/* ---- what is due ---- */

static void read_row(struct bb_sqlite *s, struct bb_sqlite_leased *leased,
                     struct bb_sqlite_queue *q, struct bb_parcel *parcel, sqlite3_stmt *row) {
    int64_t offset = s->host.wall_offset_ms;
    const struct bb_delivery delivery = {
        .parcel = parcel,
        .queue = q->queue,
        .history = {.enqueued_ms = sqlite3_column_int64(row, 2) - offset,
                    .attempts = (uint32_t)sqlite3_column_int64(row, 5),
                    .steps = (uint32_t)sqlite3_column_int64(row, 6),
                    .unknowns = (uint32_t)sqlite3_column_int64(row, 7),
                    .claims = (uint32_t)sqlite3_column_int64(row, 10) + 1},
        .claim = {.number = sqlite3_column_int64(row, 0),
                  .event = sqlite3_column_int64(row, 1),
                  .is_shared = sqlite3_column_int(row, 9) != 0,
                  .order_key = sqlite3_column_int64(row, 4)},
    };
    bb_sqlite_add_leased(leased, &delivery, sqlite3_column_int64(row, 3) - offset);
}

/* It is not this one's turn. */
static bool must_wait(struct bb_sqlite *s, const struct bb_sqlite_leased *leased,
                      struct bb_sqlite_queue *q, sqlite3_stmt *row) {
    bool must = bb_leases_is_suspect(sqlite3_column_int64(row, 10) + 1) &&
                bb_leases_has_suspect(&leased->leases, s->memory);
    q->has_suspects |= must;
    return must;
}

/* First all are read, because a lease takes a row out of the index that is read. */
static bool lease_from(struct bb_sqlite *s, struct bb_sqlite_leased *leased,
                       struct bb_sqlite_queue *q, enum bb_sql which, int64_t time_ms, size_t most) {
    bool failed = false;
    size_t first = leased->leases.count;
    sqlite3_stmt *row = bb_sqlite_db_bind(&s->db, which, "iii", q->number, time_ms, (int64_t)most);
    while (!failed && leased->leases.count - first < most && bb_sqlite_db_step(row, &failed)) {
        if (which == BB_SQL_DUE && must_wait(s, leased, q, row))
            continue;
        struct bb_parcel *parcel = bb_sqlite_parcel(s, leased, sqlite3_column_int64(row, 1),
                                                    (const char *)sqlite3_column_text(row, 8));
        failed = !parcel;
        if (parcel)
            read_row(s, leased, q, parcel, row);
    }
    sqlite3_reset(row);
    for (size_t i = first; !failed && i < leased->leases.count; i++)
        failed = !bb_sqlite_db_run(&s->db, BB_SQL_LEASE, "iii", leased->leases.rows[i].claim.number,
                                   leased->leases.lease, s->config.lease_ms);
    return !failed;
}

/* A fair share for each queue: what is leased and cannot be sent is of use to nobody. */
size_t bb_sqlite_room(const struct bb_sqlite *s, const struct bb_sqlite_leased *leased,
                      const struct bb_sqlite_queue *q) {
    size_t room = bb_leases_room(s->memory, q->queue, s->queue_count), taken = 0;
    for (size_t i = 0; leased && i < leased->leases.count; i++)
        taken += leased->leases.rows[i].queue == q->queue;
    room = taken < room ? room - taken : 0;
    size_t left = BB_LEASES_BATCH - (leased ? leased->leases.count : 0);
    return room < left ? room : left;
}

static bool lease_due(struct bb_sqlite *s, struct bb_sqlite_leased *leased) {
    size_t most = bb_leases_batch(s->memory);
    while (s->due.root && s->due.root->key <= s->now_ms && leased->leases.count < most) {
        struct bb_sqlite_queue *q = of_node(s->due.root);
        size_t room = bb_sqlite_room(s, leased, q), left = most - leased->leases.count;
        q->has_suspects = false;
        if (room > 0 && !lease_from(s, leased, q, BB_SQL_DUE,
                                    bb_leases_later(s->now_ms, s->host.wall_offset_ms),
                                    room < left ? room : left))
            return false;
        q->is_full = room == 0; /* until some of it is claimed */
        q->due_ms = INT64_MAX;  /* not again in this pass */
        q->is_stale = true;
        bb_sqlite_time(s, q);
    }
    return true;
}

/* ---- others ---- */

struct renewal {
    struct bb_sqlite *s;
    int64_t until_ms;
    bool failed;
};

static void renew(void *user, struct bb_delivery *delivery) {
    struct renewal *renewal = user;
    struct bb_sqlite *s = renewal->s;
    const struct bb_claim *claim = &delivery->claim;
    if (renewal->failed || claim->how)
        return;
    renewal->failed = !bb_sqlite_db_run(&s->db, BB_SQL_RENEW, "iii", claim->number, claim->lease,
                                        s->config.lease_ms);
    if (sqlite3_changes(s->db.handle) > 0)
        delivery->claim.leased_until_ms = renewal->until_ms;
}

static bool renew_leases(struct bb_sqlite *s, int64_t until_ms) {
    struct renewal renewal = {.s = s, .until_ms = until_ms};
    if (s->now_ms < s->renew_ms)
        return true;
    bb_store_memory_each(s->memory, renew, &renewal);
    if (!renewal.failed)
        s->renew_ms = bb_leases_later(s->now_ms, s->config.lease_ms / 3);
    return !renewal.failed;
}

static bool free_expired(struct bb_sqlite *s) {
    return bb_sqlite_db_run(&s->db, BB_SQL_FREE_EXPIRED, "");
}

/* Whether somebody else has written, or a lease may have run out. */
static bool look_around(struct bb_sqlite *s) {
    enum { SHORTEST_MS = 50, LONGEST_MS = 1000 };
    bool failed = false;
    if (s->now_ms < s->look_again_ms)
        return true;
    sqlite3_stmt *row = bb_sqlite_db_bind(&s->db, BB_SQL_DATA_VERSION, "");
    int64_t version = bb_sqlite_db_step(row, &failed) ? sqlite3_column_int64(row, 0) : 0;
    sqlite3_reset(row);
    bool is_changed = version != s->data_version;
    s->data_version = version;
    if (!free_expired(s))
        return false;
    is_changed |= sqlite3_changes(s->db.handle) > 0;
    s->has_news |= is_changed;
    for (struct bb_sqlite_queue *q = s->queues; is_changed && q; q = q->next)
        q->is_stale = true;
    /* 0: no look has succeeded so far */
    s->wait_ms = is_changed || s->wait_ms == 0 ? SHORTEST_MS
                 : 2 * s->wait_ms < LONGEST_MS ? 2 * s->wait_ms
                                               : LONGEST_MS;
    s->look_again_ms = bb_leases_later(s->now_ms, s->wait_ms);
    return !failed;
}

/* ---- the pass ---- */

/* A lock is told only when it lasts. */
static void tell_trouble(struct bb_sqlite *s) {
    enum { LONG_MS = 5000 };
    char text[256];
    if (s->failing_since_ms == 0)
        s->failing_since_ms = s->now_ms;
    if (!s->host.trouble ||
        (bb_sqlite_db_is_busy(&s->db) && s->now_ms - s->failing_since_ms < LONG_MS))
        return;
    snprintf(text, sizeof text, "outbox: %s", sqlite3_errmsg(s->db.handle));
    s->host.trouble(s->host.user, text);
}

/* Soon at first: whoever has the lock most often has it for a moment. */
static bool give_up(struct bb_sqlite *s) {
    enum { FIRST_MS = 2, LONGEST_MS = 200 };
    tell_trouble(s);
    if (!sqlite3_get_autocommit(s->db.handle))
        bb_sqlite_db_run(&s->db, BB_SQL_ROLLBACK, "");
    for (struct bb_sqlite_queue *q = s->queues; q; q = q->next)
        q->is_stale = true;
    s->has_news = true;
    s->again_ms = s->again_ms == 0               ? FIRST_MS
                  : 2 * s->again_ms < LONGEST_MS ? 2 * s->again_ms
                                                 : LONGEST_MS;
    s->not_before_ms = bb_leases_later(s->now_ms, s->again_ms);
    return false;
}

/* One transaction of `work`; what it leased is kept once it is committed. */
static bool transact(struct bb_sqlite *s,
                     bool (*work)(struct bb_sqlite *s, struct bb_sqlite_leased *leased)) {
    struct bb_sqlite_leased leased; /* not all of it is set: it is large */
    leased.leases.count = 0;
    leased.has_looked = leased.has_more = false;
    leased.leases.until_ms = bb_leases_later(s->now_ms, s->config.lease_ms);
    sqlite3_randomness(sizeof leased.leases.lease, &leased.leases.lease);
    leased.leases.lease = (leased.leases.lease & INT64_MAX) | 1; /* never 0, which is nobody's */
    bool ok = bb_sqlite_db_run(&s->db, BB_SQL_BEGIN, "") && work(s, &leased) &&
              bb_sqlite_db_run(&s->db, BB_SQL_COMMIT, "");
    bb_arena_reset(&s->scratch);
    if (ok) {
        s->again_ms = s->failing_since_ms = 0;
        if (leased.has_looked)
            s->has_news = leased.has_more;
        bb_sqlite_forget_settled(s, NULL);
        bb_leases_keep(&leased.leases, s->memory);
    }
    bb_leases_release(&leased.leases);
    return ok || give_up(s);
}

static bool work(struct bb_sqlite *s, struct bb_sqlite_leased *leased) {
    return number_queues(s) && bb_sqlite_settle_all(s) && look_around(s) &&
           renew_leases(s, leased->leases.until_ms) &&
           (!s->has_news || bb_leases_are_enough(s->memory, s->now_ms) ||
            bb_sqlite_fan_out(s, leased)) &&
           refresh_stale(s) && lease_due(s, leased) && refresh_stale(s);
}

bool bb_sqlite_pass(struct bb_sqlite *s, int64_t now_ms) {
    s->now_ms = s->pass_ms = now_ms;
    return transact(s, work);
}

static bool older(struct bb_sqlite *s, struct bb_sqlite_leased *leased) {
    enum { SOME = 32 };
    struct bb_sqlite_queue *q = s->asked;
    int64_t before_ms = bb_leases_later(s->asked_ms, s->host.wall_offset_ms);
    q->is_stale = true;
    return bb_sqlite_settle_all(s) && lease_from(s, leased, q, BB_SQL_OLDER, before_ms, SOME) &&
           refresh_stale(s);
}

bool bb_sqlite_lease_older(struct bb_sqlite *s, struct bb_sqlite_queue *q, int64_t before_ms) {
    s->asked = q;
    s->asked_ms = before_ms;
    return transact(s, older);
}

static bool write_settled(struct bb_sqlite *s, struct bb_sqlite_leased *leased) {
    (void)leased;
    return bb_sqlite_settle_all(s);
}

bool bb_sqlite_write_settled(struct bb_sqlite *s) {
    return transact(s, write_settled);
}
