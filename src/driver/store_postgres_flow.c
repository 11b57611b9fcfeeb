/* What processes have in common of one webhook: its rate, and its pauses. The webhook's row has
 * when its last attempts ended; what is leased counts as under way. Whoever leases deliveries of a
 * webhook with a rate has its row to itself until the commit, so that two never give away the same
 * turn. */
#include <stdlib.h>

#include "driver/store_postgres_work.h"

enum { BUSY_MS = 50, UNKNOWN_MS = 1000 };

/* ---- rates ---- */

bool bb_postgres_has_rate(const struct bb_postgres_queue *q) {
    return q->queue->flow && q->queue->flow->window.size > 0;
}

/* False: out of memory. */
static bool send_turns(struct bb_postgres *s, const struct bb_postgres_share *shares,
                       size_t count) {
    struct bb_postgres_rows locks, turns;
    bb_postgres_rows_begin(&locks, &s->config.mem, "ii");
    bb_postgres_rows_begin(&turns, &s->config.mem, "i");
    for (size_t i = 0; i < count; i++) {
        const struct bb_postgres_queue *q = shares[i].queue;
        if (!bb_postgres_has_rate(q))
            continue;
        bb_postgres_rows_add(&locks, q->number, (int64_t)q->queue->flow->window.size);
        bb_postgres_rows_add(&turns, q->number);
    }
    bool ok = bb_postgres_rows_send(&locks, &s->db, BB_PG_LOCK_TURNS);
    return bb_postgres_rows_send(&turns, &s->db, BB_PG_TURNS) && ok;
}

/* The row of an answer that is about the queue; -1: there is none. */
static int row_of(const PGresult *result, const struct bb_postgres_queue *q) {
    for (int i = 0; i < bb_postgres_db_rows(result); i++)
        if (bb_postgres_db_int(result, i, 0, 0) == q->number)
            return i;
    return -1;
}

/* "{1,2}" as PostgreSQL writes it, in the caller's time: how long ago, by the server's clock. */
static uint32_t read_ends(const struct bb_postgres *s, const PGresult *turns, int row,
                          int64_t ends[BB_RATE_COUNT_MAX]) {
    int64_t server_now_ms = bb_postgres_db_int(turns, row, 3, 0);
    const char *at = PQgetvalue(turns, row, 1);
    uint32_t count = 0;
    while ((*at == '{' || *at == ',') && at[1] != '}' && count < BB_RATE_COUNT_MAX) {
        char *end;
        ends[count++] = s->now_ms - (server_now_ms - strtoll(at + 1, &end, 10));
        at = end;
    }
    return count;
}

/* Takes turns, at most `most`, and says when there may be another one. */
static int64_t take_turns(const struct bb_postgres *s, struct bb_postgres_queue *q,
                          const PGresult *turns, int row, int64_t most) {
    int64_t ends[BB_RATE_COUNT_MAX], taken = 0, wait_ms = 0;
    uint32_t count = read_ends(s, turns, row, ends);
    struct bb_window window = bb_window_of(q->queue->flow->window.rates, ends, count,
                                           (uint32_t)bb_postgres_db_int(turns, row, 2, 0));
    while ((wait_ms = bb_window_wait(&window, s->now_ms)) == 0 && taken < most) {
        bb_window_begin(&window);
        taken++;
    }
    q->turn_ms = bb_leases_later(s->now_ms, wait_ms < UNKNOWN_MS ? wait_ms : UNKNOWN_MS);
    return taken;
}

static void limit(struct bb_postgres *s, struct bb_postgres_share *share) {
    const PGresult *turns = bb_postgres_db_result(&s->db, BB_PG_TURNS);
    int row = row_of(turns, share->queue);
    if (row >= 0 && row_of(bb_postgres_db_result(&s->db, BB_PG_LOCK_TURNS), share->queue) >= 0) {
        share->most = take_turns(s, share->queue, turns, row, share->most);
        return;
    }
    share->most = 0;
    share->queue->turn_ms = bb_leases_later(s->now_ms, BUSY_MS);
}

static bool have_rates(const struct bb_postgres_share *shares, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (bb_postgres_has_rate(shares[i].queue))
            return true;
    return false;
}

bool bb_postgres_limit_shares(struct bb_postgres *s, struct bb_postgres_share *shares,
                              size_t count) {
    if (!have_rates(shares, count))
        return true;
    if (!send_turns(s, shares, count) || !bb_postgres_db_exchange(&s->db))
        return false;
    for (size_t i = 0; i < count; i++)
        if (bb_postgres_has_rate(shares[i].queue))
            limit(s, &shares[i]);
    return true;
}

bool bb_postgres_waits_for_turn(const struct bb_postgres *s, int64_t now_ms) {
    for (const struct bb_postgres_queue *q = s->queues; q; q = q->next)
        if (q->turn_ms > now_ms && q->due_ms <= now_ms && q->not_before_ms <= now_ms)
            return true;
    return false;
}

/* ---- what is written ---- */

void bb_postgres_note_attempt(struct bb_postgres *s, struct bb_postgres_queue *q) {
    if (!bb_postgres_has_rate(q))
        return;
    q->ended++;
    s->has_flow_news = true;
}

/* 0: it is not paused, or not any more. */
static int64_t pause_of(const struct bb_flow *flow, int64_t now_ms) {
    int64_t left_ms = bb_flow_pause_left(flow, now_ms);
    return left_ms > 0 ? bb_leases_later(now_ms, left_ms) : 0;
}

/* A pause that has run out has ended for everybody. */
void bb_postgres_note_pause(struct bb_postgres *s, struct bb_postgres_queue *q) {
    if (!q->queue->flow || q->has_others_pause)
        return;
    int64_t known_ms = q->has_own_pause ? q->own_pause_ms : q->paused_until_ms;
    int64_t pause_ms = pause_of(q->queue->flow, s->now_ms);
    if (pause_ms == (known_ms > s->now_ms ? known_ms : 0))
        return;
    q->own_pause_ms = pause_ms;
    q->has_own_pause = s->has_flow_news = true;
}

void bb_postgres_note_pauses(struct bb_postgres *s) {
    for (struct bb_postgres_queue *q = s->queues; q; q = q->next)
        bb_postgres_note_pause(s, q);
}

static int64_t written_pause(const struct bb_postgres *s, const struct bb_postgres_queue *q) {
    if (!q->has_own_pause)
        return -1;
    return q->own_pause_ms ? bb_leases_later(q->own_pause_ms, s->offset_ms) : 0;
}

bool bb_postgres_send_flows(struct bb_postgres *s) {
    struct bb_postgres_rows rows;
    if (!s->has_flow_news)
        return true;
    bb_postgres_rows_begin(&rows, &s->config.mem, "iii");
    for (const struct bb_postgres_queue *q = s->queues; q; q = q->next)
        if (q->number && (q->ended || q->has_own_pause))
            bb_postgres_rows_add(&rows, q->number, (int64_t)q->ended, written_pause(s, q));
    return bb_postgres_rows_send(&rows, &s->db, BB_PG_NOTE_FLOWS);
}

/* What has ended is under way no more. */
void bb_postgres_free_turns(struct bb_postgres *s) {
    for (struct bb_postgres_queue *q = s->has_flow_news ? s->queues : NULL; q; q = q->next) {
        if (!q->ended)
            continue;
        q->turn_ms = 0;
        bb_postgres_time(s, q);
    }
}

void bb_postgres_note_flows(struct bb_postgres *s) {
    if (!s->has_flow_news)
        return;
    for (struct bb_postgres_queue *q = s->queues; q; q = q->next) {
        if (!q->number)
            continue;
        if (q->has_own_pause)
            q->paused_until_ms = q->own_pause_ms;
        q->ended = 0;
        q->has_own_pause = false;
    }
    s->has_flow_news = false;
}

/* ---- what is read ---- */

/* Its own news are newer. */
void bb_postgres_learn_pause(struct bb_postgres *s, struct bb_postgres_queue *q, int64_t until_ms) {
    if (until_ms <= s->now_ms)
        until_ms = 0;
    if (q->has_own_pause || until_ms == (q->paused_until_ms > s->now_ms ? q->paused_until_ms : 0))
        return;
    q->paused_until_ms = until_ms;
    q->has_others_pause = s->has_others_pauses = true;
}

bool bb_postgres_tell_pause(struct bb_postgres_queue *q) {
    if (!q->has_others_pause)
        return false;
    q->has_others_pause = false;
    if (q->queue->flow)
        q->queue->flow->paused_until_ms = q->paused_until_ms;
    return true;
}
