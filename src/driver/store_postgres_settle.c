/* What a pass writes of what has happened: settlements, new events, leases that go on. */
#include <stdlib.h>

#include "driver/store_memory.h"
#include "driver/store_postgres_work.h"

/* ---- what was settled ---- */

static bool send_how(struct bb_postgres *s, enum bb_settlement how, enum bb_pg which) {
    struct bb_postgres_columns c;
    bb_postgres_begin_columns(&c, &s->config.mem, how == BB_SETTLED_RETRY ? 6 : 2);
    for (const struct bb_delivery *d = s->settled.first; d; d = d->claim.next) {
        const int64_t values[BB_PG_COLUMNS] = {
            d->claim.number,     d->claim.lease,   bb_leases_later(d->claim.due_ms, s->offset_ms),
            d->history.attempts, d->history.steps, d->history.unknowns};
        if (d->claim.how == how)
            bb_postgres_add_row(&c, values);
    }
    return bb_postgres_send_columns(&s->db, which, &c);
}

/* Those that waited for what has ended. */
static bool send_next_of_order(struct bb_postgres *s) {
    struct bb_postgres_columns c;
    bb_postgres_begin_columns(&c, &s->config.mem, 2);
    for (const struct bb_delivery *d = s->settled.first; d; d = d->claim.next) {
        const struct bb_postgres_queue *q = d->queue->kept;
        const int64_t values[] = {q->number, d->claim.order_key};
        if (d->claim.how == BB_SETTLED && d->claim.order_key)
            bb_postgres_add_row(&c, values);
    }
    return bb_postgres_send_columns(&s->db, BB_PG_NEXT_OF_ORDER, &c);
}

static bool ends_orders(const struct bb_postgres *s) {
    for (const struct bb_delivery *d = s->settled.first; d; d = d->claim.next)
        if (d->claim.how == BB_SETTLED && d->claim.order_key)
            return true;
    return false;
}

/* Whatever comes back to the database, or frees another one there, is looked for again. */
static void make_stale(struct bb_postgres *s) {
    for (const struct bb_delivery *d = s->settled.first; d; d = d->claim.next) {
        const struct bb_postgres_queue *of = d->queue->kept;
        struct bb_postgres_queue *q = bb_postgres_find_queue(s, of->number);
        if (q && (d->claim.how != BB_SETTLED || d->claim.order_key))
            q->is_stale = true;
    }
}

bool bb_postgres_send_settled(struct bb_postgres *s, bool is_locked) {
    if (!s->settled.first)
        return true;
    make_stale(s);
    if (ends_orders(s) && !is_locked)
        bb_postgres_db_send(&s->db, BB_PG_LOCK_ORDER, "");
    return send_how(s, BB_SETTLED_RETRY, BB_PG_RETRY) &&
           send_how(s, BB_SETTLED_RELEASE, BB_PG_RELEASE) && send_how(s, BB_SETTLED, BB_PG_END) &&
           send_next_of_order(s);
}

/* ---- new events ---- */

/* The numbers of the events that were found, and whether one of them has an order. */
static bool read_new(struct bb_postgres *s, struct bb_buf *numbers, size_t *count) {
    const PGresult *found = bb_postgres_db_result(&s->db, BB_PG_NEW_EVENTS);
    bool is_ordered = false;
    *count = (size_t)bb_postgres_db_rows(found);
    for (int i = 0; i < (int)*count; i++) {
        bb_postgres_add_number(numbers, bb_postgres_db_int(found, i, 0, 0));
        is_ordered |= bb_postgres_db_int(found, i, 1, 0) != 0;
    }
    return is_ordered;
}

/* What is due of it can be leased as it is made: nothing waits ahead of it. */
static bool is_free(const struct bb_postgres *s, const struct bb_postgres_queue *q) {
    const struct bb_flow *flow = q->queue->flow;
    return q->number && !q->is_stale && q->due_ms == INT64_MAX && q->not_before_ms <= s->now_ms &&
           !(flow && flow->window.size > 0);
}

static void add_free_queues(const struct bb_postgres *s, struct bb_postgres_columns *c) {
    for (const struct bb_postgres_queue *q = s->queues; q; q = q->next) {
        if (!is_free(s, q))
            continue;
        size_t room = bb_leases_room(s->memory, q->queue, s->queue_count);
        const int64_t values[] = {q->number, (int64_t)room};
        if (room > 0)
            bb_postgres_add_row(c, values);
    }
}

static bool send_fan_out(struct bb_postgres *s, struct bb_buf *numbers, size_t count,
                         bool is_ordered, const struct bb_postgres_leased *leased) {
    struct bb_postgres_columns c;
    const char *array = bb_postgres_array(numbers);
    if (!array || count == 0)
        return array != NULL;
    bb_postgres_begin_columns(&c, &s->config.mem, 2);
    if (!leased->leases_nothing)
        add_free_queues(s, &c);
    const char *queues = bb_postgres_array(&c.arrays[0]), *room = bb_postgres_array(&c.arrays[1]);
    if (queues && room) {
        bb_postgres_db_send(&s->db, BB_PG_ADD_WEBHOOKS_OF, "t", array);
        if (is_ordered)
            bb_postgres_db_send(&s->db, BB_PG_LOCK_ORDER, "");
        bb_postgres_db_send(&s->db, BB_PG_FAN_OUT, "tttiiii", array, queues, room,
                            bb_leases_later(s->now_ms, s->offset_ms), leased->leases.lease,
                            s->config.lease_ms, (int64_t)BB_LEASES_BATCH);
    }
    bb_postgres_free_columns(&c);
    return queues && room;
}

/* Of those that were not leased. */
static void note_fanned_out(struct bb_postgres *s) {
    const PGresult *fanned = bb_postgres_db_result(&s->db, BB_PG_FAN_OUT);
    for (int i = 0; i < bb_postgres_db_rows(fanned); i++) {
        struct bb_postgres_queue *q =
            bb_postgres_find_queue(s, bb_postgres_db_int(fanned, i, 1, 0));
        if (q && PQgetisnull(fanned, i, 0))
            q->is_stale = true;
    }
}

/* Oldest first. */
bool bb_postgres_fan_out(struct bb_postgres *s, struct bb_postgres_leased *leased) {
    struct bb_buf numbers;
    size_t count = 0;
    bool is_ordered = false;
    bb_buf_init(&numbers, &s->config.mem, BB_PG_ARRAY_MAX);
    leased->has_looked = s->has_news && !bb_leases_are_enough(s->memory, s->now_ms);
    if (leased->has_looked) {
        bb_postgres_db_send(&s->db, BB_PG_NEW_EVENTS, "i", (int64_t)BB_LEASES_BATCH);
        if (!bb_postgres_db_exchange(&s->db))
            return false;
        is_ordered = read_new(s, &numbers, &count);
    }
    bool ok = send_fan_out(s, &numbers, count, is_ordered, leased) &&
              bb_postgres_send_settled(s, is_ordered) && bb_postgres_send_renewals(s) &&
              bb_postgres_send_flows(s);
    bb_buf_free(&numbers);
    ok = ok && bb_postgres_db_exchange(&s->db);
    if (ok) {
        note_fanned_out(s);
        bb_postgres_read_leased(s, leased, BB_PG_FAN_OUT);
        bb_postgres_free_turns(s);
        bb_postgres_note_renewals(s, leased->leases.until_ms);
    }
    leased->found = count;
    return ok;
}

/* ---- leases that go on ---- */

static void add_renewal(void *user, struct bb_delivery *delivery) {
    struct bb_postgres_columns *c = user;
    const int64_t values[] = {delivery->claim.number, delivery->claim.lease};
    if (!delivery->claim.how)
        bb_postgres_add_row(c, values);
}

bool bb_postgres_send_renewals(struct bb_postgres *s) {
    struct bb_postgres_columns c;
    if (s->now_ms < s->renew_ms)
        return true;
    bb_postgres_begin_columns(&c, &s->config.mem, 2);
    bb_store_memory_each(s->memory, add_renewal, &c);
    const char *numbers = bb_postgres_array(&c.arrays[0]);
    const char *leases = bb_postgres_array(&c.arrays[1]);
    if (numbers && leases && c.rows > 0)
        bb_postgres_db_send(&s->db, BB_PG_RENEW, "tti", numbers, leases, s->config.lease_ms);
    bb_postgres_free_columns(&c);
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
