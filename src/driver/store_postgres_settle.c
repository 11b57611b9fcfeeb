/* What a pass writes of what has happened: settlements, and leases that go on. */
#include <stdlib.h>

#include "driver/store_memory.h"
#include "driver/store_postgres_work.h"

/* ---- what was settled ---- */

static bool send_released(struct bb_postgres *s) {
    struct bb_postgres_rows rows;
    bb_postgres_rows_begin(&rows, &s->config.mem, "ii");
    for (const struct bb_delivery *d = s->settled.first; d; d = d->claim.next)
        if (d->claim.how == BB_SETTLED_RELEASE)
            bb_postgres_rows_add(&rows, d->claim.number, d->claim.lease);
    return bb_postgres_rows_send(&rows, &s->db, BB_PG_RELEASE);
}

static bool send_retries(struct bb_postgres *s) {
    struct bb_postgres_rows rows;
    bb_postgres_rows_begin(&rows, &s->config.mem, "iiiiii");
    for (const struct bb_delivery *d = s->settled.first; d; d = d->claim.next)
        if (d->claim.how == BB_SETTLED_RETRY)
            bb_postgres_rows_add(&rows, d->claim.number, d->claim.lease,
                                 bb_leases_later(d->claim.due_ms, s->offset_ms),
                                 (int64_t)d->history.attempts, (int64_t)d->history.steps,
                                 (int64_t)d->history.unknowns);
    return bb_postgres_rows_send(&rows, &s->db, BB_PG_RETRY);
}

/* Those that are over; verdict 0: it is no dead letter. */
static bool send_ended(struct bb_postgres *s) {
    struct bb_postgres_rows rows;
    bb_postgres_rows_begin(&rows, &s->config.mem, "iiiiu");
    for (const struct bb_delivery *d = s->settled.first; d; d = d->claim.next) {
        const struct bb_claim *claim = &d->claim;
        if (claim->how == BB_SETTLED)
            bb_postgres_rows_add(&rows, claim->number, claim->lease, (int64_t)d->history.attempts,
                                 (int64_t)(claim->is_dead ? bb_note_verdict(claim) : 0),
                                 claim->is_dead ? bb_note_reason(claim) : "");
    }
    return bb_postgres_rows_send(&rows, &s->db, BB_PG_END);
}

/* Those that waited for what has ended. */
static bool send_next_of_order(struct bb_postgres *s) {
    struct bb_postgres_rows rows;
    bb_postgres_rows_begin(&rows, &s->config.mem, "ii");
    for (const struct bb_delivery *d = s->settled.first; d; d = d->claim.next) {
        const struct bb_postgres_queue *q = d->queue->kept;
        if (d->claim.how == BB_SETTLED && d->claim.order_key)
            bb_postgres_rows_add(&rows, q->number, d->claim.order_key);
    }
    return bb_postgres_rows_send(&rows, &s->db, BB_PG_NEXT_OF_ORDER);
}

/* The attempts that were made, however they ended. */
static bool send_log(struct bb_postgres *s) {
    struct bb_postgres_rows rows;
    bb_postgres_rows_begin(&rows, &s->config.mem, "iiiiiiuu");
    for (const struct bb_delivery *d = s->settled.first; d; d = d->claim.next) {
        const struct bb_postgres_queue *q = d->queue->kept;
        const struct bb_note *note = d->claim.note;
        if (bb_note_is_attempt(note))
            bb_postgres_rows_add(&rows, d->claim.number, q->number, note->duration_ms,
                                 note->attempt, (int64_t)note->verdict, (int64_t)note->status,
                                 note->code, note->words);
    }
    return bb_postgres_rows_send(&rows, &s->db, BB_PG_LOG);
}

static bool ends_orders(const struct bb_postgres *s) {
    for (const struct bb_delivery *d = s->settled.first; d; d = d->claim.next)
        if (d->claim.how == BB_SETTLED && d->claim.order_key)
            return true;
    return false;
}

/* One is over, the next may come. */
static void call_suspects(struct bb_postgres *s) {
    for (struct bb_postgres_queue *q = s->queues; q; q = q->next) {
        q->is_stale |= q->has_suspects;
        q->has_suspects = false;
    }
}

/* Whatever comes back to the database, or frees another one there, is looked for again. */
static void make_stale(struct bb_postgres *s) {
    for (const struct bb_delivery *d = s->settled.first; d; d = d->claim.next) {
        const struct bb_postgres_queue *of = d->queue->kept;
        struct bb_postgres_queue *q = bb_postgres_find_queue(s, of->number);
        if (q && (d->claim.how != BB_SETTLED || d->claim.order_key))
            q->is_stale = true;
        if (bb_leases_is_suspect(d->history.claims))
            call_suspects(s);
    }
}

bool bb_postgres_send_settled(struct bb_postgres *s, bool is_locked) {
    if (!s->settled.first)
        return true;
    make_stale(s);
    if (ends_orders(s) && !is_locked)
        bb_postgres_db_send(&s->db, BB_PG_LOCK_ORDER, "");
    return send_retries(s) && send_released(s) && send_ended(s) && send_next_of_order(s) &&
           send_log(s);
}

/* ---- without waiting ---- */

bool bb_postgres_is_settled_alone(const struct bb_postgres *s) {
    return bb_settled_is_alone(s->settled.count + s->posted.count, s->memory);
}

/* A rate counts what is leased: that must not end before it is counted as ended. */
bool bb_postgres_may_post(const struct bb_postgres *s) {
    return s->settled.first && !s->posted.first && bb_settled_are_plain(&s->settled) &&
           !s->has_flow_news && !bb_postgres_is_settled_alone(s);
}

bool bb_postgres_post_settled(struct bb_postgres *s) {
    bb_postgres_db_begin(&s->db, BB_PG_BEGIN, BB_PG_SETTINGS);
    if (!bb_postgres_send_settled(s, false))
        return false;
    bb_postgres_db_send(&s->db, BB_PG_COMMIT, "");
    bool is_sent = bb_postgres_db_post(&s->db);
    bb_settled_move(&s->posted, &s->settled);
    s->posted.since_ms = s->now_ms;
    return is_sent || bb_postgres_collect(s);
}

bool bb_postgres_collect(struct bb_postgres *s) {
    if (!s->posted.first)
        return true;
    bool ok = bb_postgres_db_collect(&s->db);
    if (ok)
        bb_settled_forget(&s->posted, s->memory, &s->config.mem, NULL);
    else
        bb_settled_move(&s->settled, &s->posted);
    return ok;
}

void bb_postgres_release_waiting(struct bb_postgres *s, struct bb_postgres_queue *q) {
    bb_settled_release(&s->settled, s->memory, q->queue, s->now_ms);
    q->is_full = false;
}

/* ---- leases that go on ---- */

struct renewal {
    struct bb_buf numbers, leases;
};

static void add_renewal(void *user, struct bb_delivery *delivery) {
    struct renewal *renewal = user;
    if (delivery->claim.how)
        return;
    bb_postgres_add_number(&renewal->numbers, delivery->claim.number);
    bb_postgres_add_number(&renewal->leases, delivery->claim.lease);
}

bool bb_postgres_send_renewals(struct bb_postgres *s) {
    struct renewal renewal;
    if (s->now_ms < s->renew_ms)
        return true;
    bb_buf_init(&renewal.numbers, &s->config.mem, BB_PG_ARRAY_MAX);
    bb_buf_init(&renewal.leases, &s->config.mem, BB_PG_ARRAY_MAX);
    bb_store_memory_each(s->memory, add_renewal, &renewal);
    bool has_some = renewal.numbers.length > 0;
    const char *numbers = bb_postgres_array(&renewal.numbers);
    const char *leases = bb_postgres_array(&renewal.leases);
    if (numbers && leases && has_some)
        bb_postgres_db_send(&s->db, BB_PG_RENEW, "tti", numbers, leases, s->config.lease_ms);
    bb_buf_free(&renewal.numbers);
    bb_buf_free(&renewal.leases);
    return numbers && leases;
}

struct renewed {
    struct claimed {
        int64_t number, lease;
    } * claims;
    size_t count;
    int64_t until_ms;
};

static int compare(const void *a, const void *b) {
    const struct claimed *x = a, *y = b;
    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return (x->lease > y->lease) - (x->lease < y->lease);
}

static void prolong(void *user, struct bb_delivery *delivery) {
    const struct renewed *renewed = user;
    const struct claimed claim = {delivery->claim.number, delivery->claim.lease};
    if (bsearch(&claim, renewed->claims, renewed->count, sizeof claim, compare))
        delivery->claim.leased_until_ms = renewed->until_ms;
}

/* One that somebody else has by now keeps its end; so does, without memory, everyone. */
void bb_postgres_note_renewals(struct bb_postgres *s, int64_t until_ms) {
    const PGresult *rows = bb_postgres_db_result(&s->db, BB_PG_RENEW);
    struct renewed renewed = {.until_ms = until_ms};
    int count = bb_postgres_db_rows(rows);
    if (s->now_ms >= s->renew_ms)
        s->renew_ms = bb_leases_later(s->now_ms, s->config.lease_ms / 3);
    if (count > 0)
        renewed.claims = bb_mem_alloc(&s->config.mem, (size_t)count * sizeof *renewed.claims);
    if (!renewed.claims)
        return;
    for (int i = 0; i < count; i++)
        renewed.claims[renewed.count++] =
            (struct claimed){bb_postgres_db_int(rows, i, 0, 0), bb_postgres_db_int(rows, i, 1, 0)};
    qsort(renewed.claims, renewed.count, sizeof *renewed.claims, compare);
    bb_store_memory_each(s->memory, prolong, &renewed);
    bb_mem_free(&s->config.mem, renewed.claims);
}
