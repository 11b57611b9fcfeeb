/* What a pass writes of what has happened: settlements, new events, leases that go on. */
#include <stdlib.h>

#include "driver/store_memory.h"
#include "driver/store_postgres_work.h"

enum { MOST_ARRAY = 64 * 1024 * 1024 };

/* ---- columns ---- */

enum { COLUMNS = 6 };

/* Rows on their way to the server, one array for each of their columns. */
struct columns {
    struct bb_buf arrays[COLUMNS];
    size_t width;
    size_t rows;
};

static void begin_columns(struct columns *c, const bb_allocator *mem, size_t width) {
    c->width = width;
    c->rows = 0;
    for (size_t i = 0; i < width; i++)
        bb_buf_init(&c->arrays[i], mem, MOST_ARRAY);
}

static void add_row(struct columns *c, const int64_t *values) {
    for (size_t i = 0; i < c->width; i++)
        bb_postgres_add_number(&c->arrays[i], values[i]);
    c->rows++;
}

static void free_columns(struct columns *c) {
    for (size_t i = 0; i < c->width; i++)
        bb_buf_free(&c->arrays[i]);
}

/* Sends the statement for them, if there are any, and frees them. False: out of memory. */
static bool send_columns(struct bb_postgres *s, enum bb_pg which, struct columns *c) {
    const char *texts[COLUMNS] = {NULL};
    bool ok = true;
    for (size_t i = 0; i < c->width; i++)
        ok = (texts[i] = bb_postgres_array(&c->arrays[i])) && ok;
    if (ok && c->rows > 0 && c->width == 2)
        bb_postgres_db_send(&s->db, which, "tt", texts[0], texts[1]);
    else if (ok && c->rows > 0)
        bb_postgres_db_send(&s->db, which, "tttttt", texts[0], texts[1], texts[2], texts[3],
                            texts[4], texts[5]);
    free_columns(c);
    return ok;
}

/* ---- what was settled ---- */

static bool send_how(struct bb_postgres *s, enum bb_settlement how, enum bb_pg which) {
    struct columns c;
    begin_columns(&c, &s->config.mem, how == BB_SETTLED_RETRY ? 6 : 2);
    for (const struct bb_delivery *d = s->settled.first; d; d = d->claim.next) {
        const int64_t values[COLUMNS] = {
            d->claim.number,     d->claim.lease,   bb_leases_later(d->claim.due_ms, s->offset_ms),
            d->history.attempts, d->history.steps, d->history.unknowns};
        if (d->claim.how == how)
            add_row(&c, values);
    }
    return send_columns(s, which, &c);
}

/* Those that waited for what has ended. */
static bool send_next_of_order(struct bb_postgres *s) {
    struct columns c;
    begin_columns(&c, &s->config.mem, 2);
    for (const struct bb_delivery *d = s->settled.first; d; d = d->claim.next) {
        const struct bb_postgres_queue *q = d->queue->kept;
        const int64_t values[] = {q->number, d->claim.order_key};
        if (d->claim.how == BB_SETTLED && d->claim.order_key)
            add_row(&c, values);
    }
    return send_columns(s, BB_PG_NEXT_OF_ORDER, &c);
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

static bool send_fan_out(struct bb_postgres *s, struct bb_buf *numbers, size_t count,
                         bool is_ordered) {
    const char *array = bb_postgres_array(numbers);
    if (!array || count == 0)
        return array != NULL;
    bb_postgres_db_send(&s->db, BB_PG_ADD_WEBHOOKS_OF, "t", array);
    if (is_ordered)
        bb_postgres_db_send(&s->db, BB_PG_LOCK_ORDER, "");
    bb_postgres_db_send(&s->db, BB_PG_FAN_OUT, "t", array);
    return true;
}

static void note_fanned_out(struct bb_postgres *s) {
    const PGresult *fanned = bb_postgres_db_result(&s->db, BB_PG_FAN_OUT);
    for (int i = 0; i < bb_postgres_db_rows(fanned); i++) {
        struct bb_postgres_queue *q =
            bb_postgres_find_queue(s, bb_postgres_db_int(fanned, i, 0, 0));
        if (q)
            q->is_stale = true;
    }
}

/* Oldest first. */
bool bb_postgres_fan_out(struct bb_postgres *s, struct bb_postgres_leased *leased) {
    struct bb_buf numbers;
    size_t count = 0;
    bool is_ordered = false;
    bb_buf_init(&numbers, &s->config.mem, MOST_ARRAY);
    if (s->has_news) {
        bb_postgres_db_send(&s->db, BB_PG_NEW_EVENTS, "i", (int64_t)BB_LEASES_BATCH);
        if (!bb_postgres_db_exchange(&s->db))
            return false;
        is_ordered = read_new(s, &numbers, &count);
    }
    bool ok = send_fan_out(s, &numbers, count, is_ordered) &&
              bb_postgres_send_settled(s, is_ordered) && bb_postgres_send_renewals(s);
    bb_buf_free(&numbers);
    if (ok && s->has_expired)
        bb_postgres_db_send(&s->db, BB_PG_FREE_EXPIRED, "");
    ok = ok && bb_postgres_db_exchange(&s->db);
    if (ok && s->has_expired)
        bb_postgres_make_stale(s);
    if (ok) {
        note_fanned_out(s);
        bb_postgres_note_renewals(s, leased->leases.until_ms);
    }
    leased->found = count;
    return ok;
}

/* ---- leases that go on ---- */

static void add_renewal(void *user, struct bb_delivery *delivery) {
    struct columns *c = user;
    const int64_t values[] = {delivery->claim.number, delivery->claim.lease};
    if (!delivery->claim.how)
        add_row(c, values);
}

bool bb_postgres_send_renewals(struct bb_postgres *s) {
    struct columns c;
    if (s->now_ms < s->renew_ms)
        return true;
    begin_columns(&c, &s->config.mem, 2);
    bb_store_memory_each(s->memory, add_renewal, &c);
    const char *numbers = bb_postgres_array(&c.arrays[0]);
    const char *leases = bb_postgres_array(&c.arrays[1]);
    if (numbers && leases && c.rows > 0)
        bb_postgres_db_send(&s->db, BB_PG_RENEW, "tti", numbers, leases, s->config.lease_ms);
    free_columns(&c);
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
