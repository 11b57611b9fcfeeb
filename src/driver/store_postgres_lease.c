/* What is due is leased, and what was leased gets into memory. */
#include "driver/store_postgres_work.h"

/* ---- rows that are leased ---- */

enum { CLAIMS = 9, JSON };

/* The JSON came with the event's first row, which may be one that must wait. NULL: out of memory.
 */
static struct bb_parcel *parcel_of(struct bb_postgres *s, const struct bb_postgres_leased *leased,
                                   const PGresult *rows, int row) {
    int64_t event = bb_postgres_db_int(rows, row, 2, 0);
    for (size_t i = leased->leases.count; i-- > 0;)
        if (leased->leases.rows[i].claim.event == event)
            return bb_parcel_retain(leased->leases.rows[i].parcel);
    while (row > 0 &&
           (PQgetisnull(rows, row, JSON) || bb_postgres_db_int(rows, row, 2, 0) != event))
        row--;
    return bb_parcel_of_json(&s->config.mem, event, PQgetvalue(rows, row, JSON),
                             (size_t)PQgetlength(rows, row, JSON));
}

static void read_row(struct bb_postgres *s, struct bb_postgres_leased *leased,
                     struct bb_postgres_queue *q, struct bb_parcel *parcel, const PGresult *rows,
                     int row) {
    leased->leases.due_ms[leased->leases.count] =
        bb_postgres_db_int(rows, row, 4, 0) - s->offset_ms;
    leased->leases.rows[leased->leases.count++] = (struct bb_delivery){
        .parcel = parcel,
        .queue = q->queue,
        .history = {.enqueued_ms = bb_postgres_db_int(rows, row, 3, 0) - s->offset_ms,
                    .attempts = (uint32_t)bb_postgres_db_int(rows, row, 6, 0),
                    .steps = (uint32_t)bb_postgres_db_int(rows, row, 7, 0),
                    .unknowns = (uint32_t)bb_postgres_db_int(rows, row, 8, 0),
                    .claims = (uint32_t)bb_postgres_db_int(rows, row, CLAIMS, 0)},
        .claim = {.number = bb_postgres_db_int(rows, row, 0, 0),
                  .event = bb_postgres_db_int(rows, row, 2, 0),
                  .order_key = bb_postgres_db_int(rows, row, 5, 0),
                  .lease = leased->leases.lease},
    };
}

/* It is not this one's turn, and given back at once. */
static bool must_wait(struct bb_postgres *s, struct bb_postgres_leased *leased,
                      struct bb_postgres_queue *q, const PGresult *rows, int row) {
    bool must = q && bb_leases_is_suspect(bb_postgres_db_int(rows, row, CLAIMS, 0)) &&
                bb_leases_has_suspect(&leased->leases, s->memory);
    if (must) {
        q->has_suspects = q->is_stale = true;
        bb_postgres_rows_add(&leased->surplus, bb_postgres_db_int(rows, row, 0, 0),
                             leased->leases.lease);
    }
    return must;
}

/* One that finds no memory is tried again when its lease has run out: it must not stand in the way
 * of all others. */
void bb_postgres_read_leased(struct bb_postgres *s, struct bb_postgres_leased *leased,
                             enum bb_pg which) {
    const PGresult *rows = bb_postgres_db_result(&s->db, which);
    for (int i = 0; i < bb_postgres_db_rows(rows) && leased->leases.count < BB_LEASES_BATCH; i++) {
        if (PQgetisnull(rows, i, 0))
            continue;
        struct bb_postgres_queue *q = bb_postgres_find_queue(s, bb_postgres_db_int(rows, i, 1, 0));
        if (which == BB_PG_DUE && must_wait(s, leased, q, rows, i))
            continue;
        struct bb_parcel *parcel = q ? parcel_of(s, leased, rows, i) : NULL;
        if (parcel)
            read_row(s, leased, q, parcel, rows, i);
        else
            bb_postgres_tell(s, "out of memory");
    }
}

static struct bb_postgres_queue *of_node(struct bb_heap_node *node) {
    return (struct bb_postgres_queue *)((char *)node - offsetof(struct bb_postgres_queue, node));
}

/* ---- leasing ---- */

enum { QUEUES = BB_LEASES_BATCH / BB_LEASES_LEAST };

/* Takes them out of the heap; one that is full stays out until some of it is claimed. */
static size_t choose_due(struct bb_postgres *s, struct bb_postgres_share shares[QUEUES],
                         size_t left) {
    size_t count = 0;
    while (s->due.root && s->due.root->key <= s->now_ms && count < QUEUES && count < left) {
        struct bb_postgres_queue *q = of_node(s->due.root);
        size_t room = bb_leases_room(s->memory, q->queue, s->queue_count);
        q->is_full = room == 0;
        if (room > 0) {
            shares[count++] = (struct bb_postgres_share){.queue = q, .most = (int64_t)room};
            q->due_ms = INT64_MAX; /* not again in this pass */
            q->is_stale = true;
            q->has_suspects = false;
        }
        bb_postgres_time(s, q);
    }
    for (size_t i = 0; i < count; i++)
        shares[i].most = bb_leases_least(shares[i].most, (int64_t)(left / count));
    return count;
}

/* False: out of memory. */
bool bb_postgres_send_leases(struct bb_postgres *s, const struct bb_postgres_share *shares,
                             size_t count, enum bb_pg which, int64_t time_ms,
                             const struct bb_leases *leases) {
    struct bb_postgres_rows rows;
    bb_postgres_rows_begin(&rows, &s->config.mem, "ii");
    for (size_t i = 0; i < count; i++)
        if (shares[i].most > 0)
            bb_postgres_rows_add(&rows, shares[i].queue->number, shares[i].most);
    const char *numbers = bb_postgres_array(&rows.columns[0]);
    const char *most = bb_postgres_array(&rows.columns[1]);
    if (numbers && most && rows.count > 0)
        bb_postgres_db_send(&s->db, which, "titii", numbers, bb_leases_later(time_ms, s->offset_ms),
                            most, leases->lease, s->config.lease_ms);
    bb_postgres_rows_free(&rows);
    return numbers && most;
}

static const struct bb_postgres_share *share_of(const struct bb_postgres_share *shares,
                                                size_t count, int64_t number) {
    for (size_t i = 0; i < count; i++)
        if (shares[i].queue->number == number)
            return &shares[i];
    return NULL;
}

/* A queue that has given all it was asked for goes on where that ended: the next one that waits is
 * due then or later, which is not asked for now. Where turns are taken, what is due must be known.
 */
static void note_given(struct bb_postgres *s, const struct bb_postgres_share *share, int64_t given,
                       int64_t due_ms) {
    struct bb_postgres_queue *q = share->queue;
    if (given < share->most || q->has_suspects || bb_postgres_has_rate(q))
        return;
    q->due_ms = due_ms - s->offset_ms;
    q->is_stale = false;
    bb_postgres_time(s, q);
}

/* The rows of each queue lie together. */
static void note_all_given(struct bb_postgres *s, const struct bb_postgres_share *shares,
                           size_t count) {
    const PGresult *rows = bb_postgres_db_result(&s->db, BB_PG_DUE);
    int64_t given = 0;
    for (int i = 0; i < bb_postgres_db_rows(rows); i++) {
        int64_t number = bb_postgres_db_int(rows, i, 1, 0);
        given++;
        if (bb_postgres_db_int(rows, i + 1, 1, 0) == number)
            continue;
        const struct bb_postgres_share *share = share_of(shares, count, number);
        if (share)
            note_given(s, share, given, bb_postgres_db_int(rows, i, 4, 0));
        given = 0;
    }
}

/* A fair share for each queue that is due: what is leased and cannot be sent is of use to nobody.
 */
bool bb_postgres_lease_due(struct bb_postgres *s, struct bb_postgres_leased *leased) {
    struct bb_postgres_share shares[QUEUES];
    size_t most = bb_leases_batch(s->memory), has = leased->leases.count;
    size_t count = has < most ? choose_due(s, shares, most - has) : 0;
    if (count == 0)
        return true;
    bool ok = bb_postgres_limit_shares(s, shares, count) &&
              bb_postgres_send_leases(s, shares, count, BB_PG_DUE, s->now_ms, &leased->leases) &&
              bb_postgres_db_exchange(&s->db);
    if (ok) {
        bb_postgres_read_leased(s, leased, BB_PG_DUE);
        note_all_given(s, shares, count);
    }
    return ok;
}
