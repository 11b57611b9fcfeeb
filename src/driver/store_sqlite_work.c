#include "driver/store_sqlite_pass.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "driver/store_memory.h"

/* ---- queues ---- */

struct bb_sqlite_queue *bb_sqlite_find_queue(const struct bb_sqlite *s, int64_t number) {
    return number >= 0 && (size_t)number < s->numbers ? s->by_number[number] : NULL;
}

void bb_sqlite_time(struct bb_sqlite *s, struct bb_sqlite_queue *q) {
    int64_t due_ms = q->due_ms > q->not_before_ms ? q->due_ms : q->not_before_ms;
    if (q->is_timed)
        bb_heap_remove(&s->due, &q->node);
    q->is_timed = due_ms != INT64_MAX && !q->is_full;
    if (q->is_timed)
        bb_heap_insert(&s->due, &q->node, due_ms, (uint64_t)q->number);
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

/* ---- others ---- */

static bool free_expired(struct bb_sqlite *s) {
    return bb_sqlite_db_run(&s->db, BB_SQL_FREE_EXPIRED, "i", s->clock_ms);
}

/* Whether somebody else has written, or a lease may have run out. */
static bool look_around(struct bb_sqlite *s) {
    bool failed = false;
    if (s->now_ms < s->looks.again_ms)
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
    bb_looks_note(&s->looks, is_changed, s->now_ms);
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
    snprintf(text, sizeof text, "outbox: %s",
             s->is_outdated ? BB_LEASES_OUTDATED : sqlite3_errmsg(s->db.handle));
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

/* With the database's clock, which says when leases end. Nobody else writes until the end. */
bool bb_sqlite_begin(struct bb_sqlite *s) {
    bool failed = false;
    if (!bb_sqlite_db_run(&s->db, BB_SQL_BEGIN, ""))
        return false;
    sqlite3_stmt *row = bb_sqlite_db_bind(&s->db, BB_SQL_NOW, "");
    bool ok = bb_sqlite_db_step(row, &failed);
    if (ok) {
        s->clock_ms = sqlite3_column_int64(row, 0);
        s->newest_event = sqlite3_column_int64(row, 1);
        s->is_outdated = sqlite3_column_int(row, 2) != BB_SQLITE_VERSION;
    }
    sqlite3_reset(row);
    if (ok && !s->is_outdated)
        return true;
    bb_sqlite_db_run(&s->db, BB_SQL_ROLLBACK, "");
    return false;
}

static struct bb_sqlite_leased *new_leased(struct bb_sqlite *s) {
    struct bb_sqlite_leased *leased = &s->leased; /* not all of it is set: it is large */
    leased->leases.count = leased->numbered = leased->surplus_count = leased->chosen_count = 0;
    leased->has_looked = leased->has_more = false;
    leased->leases.until_ms = bb_leases_later(s->now_ms, s->config.lease_ms);
    sqlite3_randomness(sizeof leased->leases.lease, &leased->leases.lease);
    leased->leases.lease = (leased->leases.lease & INT64_MAX) | 1; /* never 0, which is nobody's */
    return leased;
}

/* One transaction of `work`; what it leased is kept once it is committed. */
static bool transact(struct bb_sqlite *s,
                     bool (*work)(struct bb_sqlite *s, struct bb_sqlite_leased *leased)) {
    struct bb_sqlite_leased *leased = new_leased(s);
    bool ok = bb_sqlite_begin(s) && work(s, leased) && bb_sqlite_db_run(&s->db, BB_SQL_COMMIT, "");
    bb_arena_reset(&s->scratch);
    if (ok) {
        s->again_ms = s->failing_since_ms = 0;
        if (leased->has_looked)
            s->has_news = leased->has_more;
        bb_sqlite_forget_settled(s, NULL);
        bb_leases_keep(&leased->leases, s->memory);
    }
    bb_leases_release(&leased->leases);
    return ok || give_up(s);
}

static bool work(struct bb_sqlite *s, struct bb_sqlite_leased *leased) {
    return number_queues(s) && bb_sqlite_settle_all(s) && look_around(s) &&
           bb_sqlite_renew_leases(s, leased->leases.until_ms) &&
           (!s->has_news || bb_leases_are_enough(s->memory, s->now_ms) ||
            bb_sqlite_fan_out(s, leased)) &&
           refresh_stale(s) && bb_sqlite_lease_due(s, leased) && refresh_stale(s);
}

bool bb_sqlite_pass(struct bb_sqlite *s, int64_t now_ms) {
    s->now_ms = s->pass_ms = now_ms;
    return transact(s, work);
}

static bool older(struct bb_sqlite *s, struct bb_sqlite_leased *leased) {
    enum { SOME = 32 };
    struct bb_sqlite_queue *q = s->asked;
    q->is_stale = true;
    return bb_sqlite_settle_all(s) &&
           bb_sqlite_choose(s, leased, q, BB_SQL_OLDER, s->asked_ms, SOME) &&
           bb_sqlite_lease_chosen(s, leased, true) && refresh_stale(s);
}

bool bb_sqlite_lease_older(struct bb_sqlite *s, struct bb_sqlite_queue *q, int64_t before_ms) {
    s->asked = q;
    s->asked_ms = before_ms;
    return is_current(s, q) && transact(s, older);
}

static bool write_settled(struct bb_sqlite *s, struct bb_sqlite_leased *leased) {
    (void)leased;
    return bb_sqlite_settle_all(s);
}

bool bb_sqlite_write_settled(struct bb_sqlite *s) {
    return transact(s, write_settled);
}
