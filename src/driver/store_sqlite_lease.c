/* What is due is leased. */
#include "driver/store_sqlite_pass.h"

/* ---- rows that are leased ---- */

enum { EVENT = 1, SHARED = 8, CLAIMS, JSON }; /* columns */

/* By the database's clock. */
static int64_t lease_end_ms(const struct bb_sqlite *s) {
    return bb_leases_later(s->clock_ms, s->config.lease_ms);
}

/* NULL: out of memory. */
static struct bb_parcel *parcel_of(struct bb_sqlite *s, const struct bb_sqlite_leased *leased,
                                   sqlite3_stmt *row) {
    return bb_sqlite_parcel(s, sqlite3_column_int(row, SHARED) ? leased : NULL,
                            sqlite3_column_int64(row, EVENT),
                            (const char *)sqlite3_column_text(row, JSON));
}

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
                    .claims = (uint32_t)sqlite3_column_int64(row, CLAIMS)},
        .claim = {.number = sqlite3_column_int64(row, 0),
                  .event = sqlite3_column_int64(row, EVENT),
                  .is_shared = sqlite3_column_int(row, SHARED) != 0,
                  .order_key = sqlite3_column_int64(row, 4)},
    };
    bb_sqlite_add_leased(leased, &delivery, sqlite3_column_int64(row, 3) - offset);
}

/* It is not this one's turn, and given back at once. */
static bool must_wait(struct bb_sqlite *s, struct bb_sqlite_leased *leased,
                      struct bb_sqlite_queue *q, sqlite3_stmt *row) {
    bool must = bb_leases_is_suspect(sqlite3_column_int64(row, CLAIMS)) &&
                bb_leases_has_suspect(&leased->leases, s->memory);
    if (must)
        leased->surplus[leased->surplus_count++] = sqlite3_column_int64(row, 0);
    q->has_suspects |= must;
    return must;
}

static bool give_back_surplus(struct bb_sqlite *s, struct bb_sqlite_leased *leased) {
    bool ok = true;
    while (ok && leased->surplus_count > 0)
        ok = bb_sqlite_db_run(&s->db, BB_SQL_RELEASE, "ii",
                              leased->surplus[--leased->surplus_count], leased->leases.lease);
    return ok;
}

bool bb_sqlite_lease_from(struct bb_sqlite *s, struct bb_sqlite_leased *leased,
                          struct bb_sqlite_queue *q, enum bb_sql which, int64_t before_ms,
                          size_t most) {
    bool failed = false;
    sqlite3_stmt *row = bb_sqlite_db_bind(&s->db, which, "iiiii", q->number,
                                          bb_leases_later(before_ms, s->host.wall_offset_ms),
                                          (int64_t)most, leased->leases.lease, lease_end_ms(s));
    while (!failed && bb_sqlite_db_step(row, &failed)) {
        if (which == BB_SQL_DUE && must_wait(s, leased, q, row))
            continue;
        struct bb_parcel *parcel = parcel_of(s, leased, row);
        failed = !parcel;
        if (parcel)
            read_row(s, leased, q, parcel, row);
    }
    sqlite3_reset(row);
    return !failed && give_back_surplus(s, leased);
}

/* ---- which ---- */

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

static struct bb_sqlite_queue *of_node(struct bb_heap_node *node) {
    return (struct bb_sqlite_queue *)((char *)node - offsetof(struct bb_sqlite_queue, node));
}

enum { QUEUES = BB_LEASES_BATCH / BB_LEASES_LEAST };

/* Takes those that are due out of the heap; one that is full stays out until some of it is claimed.
 */
static size_t choose_due(struct bb_sqlite *s, struct bb_sqlite_leased *leased,
                         struct bb_sqlite_queue *queues[QUEUES], size_t most) {
    size_t count = 0;
    while (s->due.root && s->due.root->key <= s->now_ms && count < QUEUES && count < most) {
        struct bb_sqlite_queue *q = of_node(s->due.root);
        q->is_full = bb_sqlite_room(s, leased, q) == 0;
        q->due_ms = INT64_MAX; /* not again in this pass */
        q->is_stale = true;
        q->has_suspects = false;
        bb_sqlite_time(s, q);
        if (!q->is_full)
            queues[count++] = q;
    }
    return count;
}

bool bb_sqlite_lease_due(struct bb_sqlite *s, struct bb_sqlite_leased *leased) {
    struct bb_sqlite_queue *queues[QUEUES];
    size_t most = bb_leases_batch(s->memory), has = leased->leases.count;
    size_t count = has < most ? choose_due(s, leased, queues, most - has) : 0;
    for (size_t i = 0; i < count; i++) {
        size_t share = (most - has) / count, room = bb_sqlite_room(s, leased, queues[i]);
        if (!bb_sqlite_lease_from(s, leased, queues[i], BB_SQL_DUE, s->now_ms,
                                  share < room ? share : room))
            return false;
    }
    return true;
}
