/* What a pass writes of what has happened: settlements, and leases that go on. */
#include "driver/store_memory.h"
#include "driver/store_sqlite_pass.h"

/* ---- what was settled ---- */

bool bb_sqlite_drop_event(struct bb_sqlite *s, int64_t event) {
    if (event < s->newest_event)
        return bb_sqlite_db_run(&s->db, BB_SQL_END_EVENT, "i", event);
    return bb_sqlite_db_run(&s->db, BB_SQL_EMPTY_EVENT, "i", event) &&
           bb_sqlite_db_run(&s->db, BB_SQL_NOTE_EMPTY, "i", event);
}

bool bb_sqlite_end_event(struct bb_sqlite *s, const struct bb_claim *claim) {
    if (!claim->is_shared)
        return bb_sqlite_drop_event(s, claim->event);
    return bb_sqlite_db_run(&s->db, BB_SQL_END_ONE_OF_SHARED, "i", claim->event) &&
           bb_sqlite_db_run(&s->db, BB_SQL_END_SHARED, "i", claim->event) &&
           (sqlite3_changes(s->db.handle) == 0 || bb_sqlite_drop_event(s, claim->event));
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

static void call_others(struct bb_sqlite *s, const struct bb_delivery *delivery) {
    const struct bb_sqlite_queue *q = delivery->queue->kept;
    struct bb_sqlite_queue *present = s->by_number[q->number];
    if (present && (delivery->claim.how != BB_SETTLED || delivery->claim.order_key))
        present->is_stale = true;
    if (bb_leases_is_suspect(delivery->history.claims))
        call_suspects(s);
}

static bool settle(struct bb_sqlite *s, const struct bb_delivery *delivery) {
    const struct bb_sqlite_queue *q = delivery->queue->kept;
    return delivery->claim.how == BB_SETTLED ? end_row(s, delivery, q->number)
                                             : give_back(s, delivery);
}

/* ---- runs: usually what was leased together ends together, and takes its events with it ---- */

/* Its row and its event's row are all that there is of it. */
static bool is_plain(const struct bb_sqlite *s, const struct bb_claim *claim) {
    return claim->how == BB_SETTLED && !claim->is_dead && !claim->is_shared && !claim->order_key &&
           claim->event < s->newest_event;
}

static bool follows(const struct bb_claim *claim, const struct bb_claim *before) {
    return claim->number == before->number + 1 && claim->event == before->event + 1 &&
           claim->lease == before->lease;
}

/* The last of the run that `first` begins: maybe itself. */
static const struct bb_delivery *end_of_run(const struct bb_sqlite *s,
                                            const struct bb_delivery *first) {
    const struct bb_delivery *last = first;
    while (is_plain(s, &last->claim) && last->claim.next && is_plain(s, &last->claim.next->claim) &&
           follows(&last->claim.next->claim, &last->claim))
        last = last->claim.next;
    return last;
}

/* None of it has become somebody else's. */
static bool is_whole(struct bb_sqlite *s, const struct bb_claim *first, const struct bb_claim *last,
                     bool *failed) {
    sqlite3_stmt *row = bb_sqlite_db_bind(&s->db, BB_SQL_COUNT_RUN, "iii", first->number,
                                          last->number, first->lease);
    bool is = bb_sqlite_db_step(row, failed) &&
              sqlite3_column_int64(row, 0) == last->number - first->number + 1;
    sqlite3_reset(row);
    return is;
}

static bool end_run(struct bb_sqlite *s, const struct bb_claim *first,
                    const struct bb_claim *last) {
    return bb_sqlite_db_run(&s->db, BB_SQL_END_RUN, "ii", first->number, last->number) &&
           bb_sqlite_db_run(&s->db, BB_SQL_END_EVENTS_OF_RUN, "ii", first->event, last->event);
}

static bool settle_run(struct bb_sqlite *s, const struct bb_delivery *first,
                       const struct bb_delivery *last) {
    bool failed = false;
    if (first != last && is_whole(s, &first->claim, &last->claim, &failed))
        return end_run(s, &first->claim, &last->claim);
    for (const struct bb_delivery *d = first; !failed && d != last->claim.next; d = d->claim.next)
        failed = !settle(s, d);
    return !failed;
}

bool bb_sqlite_settle_all(struct bb_sqlite *s) {
    bb_settled_sort(&s->settled);
    for (const struct bb_delivery *d = s->settled.first; d; d = d->claim.next)
        call_others(s, d);
    bool ok = bb_sqlite_log(s);
    for (const struct bb_delivery *d = s->settled.first, *last; ok && d; d = last->claim.next) {
        last = end_of_run(s, d);
        ok = settle_run(s, d, last);
    }
    return ok;
}

void bb_sqlite_release_waiting(struct bb_sqlite *s, struct bb_sqlite_queue *q) {
    bb_settled_release(&s->settled, s->memory, q->queue, s->now_ms);
    q->is_full = false;
}

void bb_sqlite_forget_settled(struct bb_sqlite *s, const struct bb_sqlite_queue *q) {
    bb_settled_forget(&s->settled, s->memory, &s->config.mem, q ? q->queue : NULL);
}

/* ---- leases that go on ---- */

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
                                        bb_sqlite_lease_end_ms(s));
    if (sqlite3_changes(s->db.handle) > 0)
        delivery->claim.leased_until_ms = renewal->until_ms;
}

bool bb_sqlite_renew_leases(struct bb_sqlite *s, int64_t until_ms) {
    struct renewal renewal = {.s = s, .until_ms = until_ms};
    if (s->now_ms < s->renew_ms)
        return true;
    bb_store_memory_each(s->memory, renew, &renewal);
    if (!renewal.failed)
        s->renew_ms = bb_leases_later(s->now_ms, s->config.lease_ms / 3);
    return !renewal.failed;
}
