/* What is due is leased. */
#include <string.h>

#include "base/text.h"
#include "driver/store_sqlite_pass.h"

/* ---- rows that are leased ---- */

enum { CLAIMS = 8, WEBHOOK }; /* columns */

void bb_sqlite_add_leased(struct bb_sqlite_leased *leased, const struct bb_delivery *row,
                          int64_t due_ms) {
    struct bb_sqlite_queue *q = row->queue->kept;
    q->leased = q->lease == leased->leases.lease ? q->leased + 1 : 1;
    q->lease = leased->leases.lease;
    leased->leases.due_ms[leased->leases.count] = due_ms;
    leased->leases.rows[leased->leases.count] = *row;
    leased->leases.rows[leased->leases.count++].claim.lease = leased->leases.lease;
}

/* One for all deliveries of an event that are leased together. NULL: out of memory. */
static struct bb_parcel *parcel_of(struct bb_sqlite *s, const struct bb_sqlite_leased *leased,
                                   const struct bb_claim *claim, const char *json) {
    for (size_t i = claim->is_shared ? leased->leases.count : 0; i-- > 0;)
        if (leased->leases.rows[i].claim.event == claim->event)
            return bb_parcel_retain(leased->leases.rows[i].parcel);
    return bb_parcel_of_json(&s->config.mem, claim->event, json, json ? strlen(json) : 0);
}

/* Without its event, which somebody has taken away, it is one that cannot be read. */
static bool read_event(struct bb_sqlite *s, struct bb_sqlite_leased *leased,
                       struct bb_delivery *delivery) {
    bool failed = false;
    sqlite3_stmt *row = bb_sqlite_db_bind(&s->db, BB_SQL_EVENT, "i", delivery->claim.event);
    bool is_there = bb_sqlite_db_step(row, &failed);
    delivery->claim.is_shared = is_there && sqlite3_column_int(row, 1) != 0;
    if (!failed)
        delivery->parcel = parcel_of(s, leased, &delivery->claim,
                                     is_there ? (const char *)sqlite3_column_text(row, 0) : NULL);
    sqlite3_reset(row);
    return delivery->parcel != NULL;
}

static bool read_row(struct bb_sqlite *s, struct bb_sqlite_leased *leased,
                     const struct bb_sqlite_queue *q, sqlite3_stmt *row) {
    int64_t offset = s->host.wall_offset_ms;
    struct bb_delivery delivery = {
        .queue = q->queue,
        .history = {.enqueued_ms = sqlite3_column_int64(row, 2) - offset,
                    .attempts = (uint32_t)sqlite3_column_int64(row, 5),
                    .steps = (uint32_t)sqlite3_column_int64(row, 6),
                    .unknowns = (uint32_t)sqlite3_column_int64(row, 7),
                    .claims = (uint32_t)sqlite3_column_int64(row, CLAIMS)},
        .claim = {.number = sqlite3_column_int64(row, 0),
                  .event = sqlite3_column_int64(row, 1),
                  .order_key = sqlite3_column_int64(row, 4)},
    };
    if (!read_event(s, leased, &delivery))
        return false;
    bb_sqlite_add_leased(leased, &delivery, sqlite3_column_int64(row, 3) - offset);
    return true;
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

bool bb_sqlite_choose(struct bb_sqlite *s, struct bb_sqlite_leased *leased,
                      const struct bb_sqlite_queue *q, enum bb_sql which, int64_t before_ms,
                      size_t most) {
    bool failed = false;
    sqlite3_stmt *row =
        bb_sqlite_db_bind(&s->db, which, "iii", q->number,
                          bb_leases_later(before_ms, s->host.wall_offset_ms), (int64_t)most);
    while (leased->chosen_count < BB_LEASES_BATCH && bb_sqlite_db_step(row, &failed))
        leased->chosen[leased->chosen_count++] = sqlite3_column_int64(row, 0);
    sqlite3_reset(row);
    return !failed;
}

/* As a JSON array. NULL: out of memory. */
static const char *print_chosen(struct bb_sqlite *s, const struct bb_sqlite_leased *leased) {
    char digits[BB_INTEGER_SIZE];
    char *out = bb_arena_alloc(&s->scratch, leased->chosen_count * sizeof digits + sizeof "[]");
    char *to = out;
    for (size_t i = 0; out && i < leased->chosen_count; i++) {
        const char *number = bb_text_digits(leased->chosen[i], digits);
        *to++ = i ? ',' : '[';
        to += bb_text_copy(to, sizeof digits, number);
    }
    if (out)
        memcpy(to, "]", sizeof "]");
    return out;
}

static bool read_rows(struct bb_sqlite *s, struct bb_sqlite_leased *leased, sqlite3_stmt *row,
                      bool all_at_once) {
    bool failed = false;
    while (!failed && bb_sqlite_db_step(row, &failed)) {
        struct bb_sqlite_queue *q = bb_sqlite_find_queue(s, sqlite3_column_int64(row, WEBHOOK));
        if (!all_at_once && must_wait(s, leased, q, row))
            continue;
        failed = !read_row(s, leased, q, row);
    }
    sqlite3_reset(row);
    return !failed;
}

bool bb_sqlite_lease_chosen(struct bb_sqlite *s, struct bb_sqlite_leased *leased,
                            bool all_at_once) {
    if (leased->chosen_count == 0)
        return true;
    const char *chosen = print_chosen(s, leased);
    leased->chosen_count = 0;
    return chosen &&
           read_rows(s, leased,
                     bb_sqlite_db_bind(&s->db, BB_SQL_LEASE, "tii", chosen, leased->leases.lease,
                                       bb_sqlite_lease_end_ms(s)),
                     all_at_once) &&
           give_back_surplus(s, leased);
}

/* ---- which ---- */

/* A fair share for each queue: what is leased and cannot be sent is of use to nobody. */
size_t bb_sqlite_room(const struct bb_sqlite *s, const struct bb_sqlite_leased *leased,
                      const struct bb_sqlite_queue *q) {
    size_t room = bb_leases_room(s->memory, q->queue, s->queue_count);
    size_t taken = leased && q->lease == leased->leases.lease ? q->leased : 0;
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
        if (!bb_sqlite_choose(s, leased, queues[i], BB_SQL_DUE, s->now_ms,
                              share < room ? share : room))
            return false;
    }
    return bb_sqlite_lease_chosen(s, leased, false);
}
