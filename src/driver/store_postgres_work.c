#include "driver/store_postgres_work.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/text.h"
#include "driver/store_memory.h"

/* ---- queues ---- */

struct bb_postgres_queue *bb_postgres_find_queue(const struct bb_postgres *s, int64_t number) {
    return number > 0 && (uint64_t)number < s->numbers ? s->by_number[number] : NULL;
}

void bb_postgres_time(struct bb_postgres *s, struct bb_postgres_queue *q) {
    int64_t due_ms = q->due_ms > q->not_before_ms ? q->due_ms : q->not_before_ms;
    due_ms = due_ms > q->turn_ms ? due_ms : q->turn_ms;
    if (q->is_timed)
        bb_heap_remove(&s->due, &q->node);
    q->is_timed = due_ms != INT64_MAX && !q->is_full;
    if (q->is_timed)
        bb_heap_insert(&s->due, &q->node, due_ms, (uint64_t)q->number);
}

static bool has_place(struct bb_postgres *s, int64_t number) {
    size_t count = s->numbers ? s->numbers : 64;
    while (count <= (size_t)number)
        count *= 2;
    if (count == s->numbers)
        return true;
    struct bb_postgres_queue **more =
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
static void take_number(struct bb_postgres *s, struct bb_postgres_queue *q, int64_t number) {
    struct bb_postgres_queue *before = bb_postgres_find_queue(s, number);
    if (before) {
        before->due_ms = before->oldest_ms = INT64_MAX;
        before->is_stale = false;
        bb_postgres_time(s, before);
    }
    q->number = number;
    q->is_stale = true;
    s->by_number[number] = q;
}

static void note_numbers(struct bb_postgres *s) {
    const PGresult *found = bb_postgres_db_result(&s->db, BB_PG_FIND_WEBHOOKS);
    int row = 0;
    s->has_unnumbered = false;
    for (struct bb_postgres_queue *q = s->queues; q; q = q->next) {
        if (q->number)
            continue;
        int64_t number = bb_postgres_db_int(found, row++, 0, 0);
        if (number > 0 && has_place(s, number))
            take_number(s, q, number);
        else
            s->has_unnumbered = true;
    }
}

/* Adds to the next exchange what is told of those without a number: by `which`. False: out of
 * memory. */
static bool send_unnumbered(struct bb_postgres *s, enum bb_pg which) {
    struct bb_buf ids;
    if (!s->has_unnumbered)
        return true;
    bb_buf_init(&ids, &s->config.mem, BB_PG_ARRAY_MAX);
    for (struct bb_postgres_queue *q = s->queues; q; q = q->next)
        if (!q->number)
            bb_postgres_add_text(&ids, q->id);
    const char *array = bb_postgres_array(&ids);
    if (array)
        bb_postgres_db_send(&s->db, which, "u", array);
    bb_buf_free(&ids);
    return array != NULL;
}

/* ---- what waits, and since when ---- */

/* The one to which the rows of its number belong. */
static bool is_current(const struct bb_postgres *s, const struct bb_postgres_queue *q) {
    return bb_postgres_find_queue(s, q->number) == q;
}

/* Of all queues, or of the stale ones. False: out of memory. */
static bool send_times(struct bb_postgres *s, bool all) {
    struct bb_buf numbers;
    bb_buf_init(&numbers, &s->config.mem, BB_PG_ARRAY_MAX);
    for (const struct bb_postgres_queue *q = s->queues; q; q = q->next)
        if (is_current(s, q) && (all || q->is_stale))
            bb_postgres_add_number(&numbers, q->number);
    bool has_some = numbers.length > 0;
    const char *array = bb_postgres_array(&numbers);
    if (array && has_some)
        bb_postgres_db_send(&s->db, BB_PG_TIMES, "t", array);
    bb_buf_free(&numbers);
    return array != NULL;
}

static int64_t own_time(const struct bb_postgres *s, int64_t time_ms) {
    return time_ms == INT64_MAX ? INT64_MAX : time_ms - s->offset_ms;
}

/* Whether any is due earlier than was known. */
static bool note_times(struct bb_postgres *s, enum bb_pg which) {
    const PGresult *times = bb_postgres_db_result(&s->db, which);
    bool is_changed = false;
    for (int i = 0; i < bb_postgres_db_rows(times); i++) {
        struct bb_postgres_queue *q = bb_postgres_find_queue(s, bb_postgres_db_int(times, i, 0, 0));
        if (!q)
            continue;
        int64_t due_ms = own_time(s, bb_postgres_db_int(times, i, 1, INT64_MAX));
        q->has_suspects &= due_ms != INT64_MAX;
        if (q->has_suspects && due_ms < s->now_ms + BB_LEASES_SUSPECT_MS)
            due_ms = s->now_ms + BB_LEASES_SUSPECT_MS;
        is_changed |= due_ms < q->due_ms;
        q->due_ms = due_ms;
        q->oldest_ms = own_time(s, bb_postgres_db_int(times, i, 2, INT64_MAX));
        bb_postgres_learn_pause(s, q, own_time(s, bb_postgres_db_int(times, i, 3, 0)));
        q->is_stale = false;
        bb_postgres_time(s, q); /* without rows to wait for it is out of the heap */
    }
    return is_changed;
}

static bool has_stale(const struct bb_postgres *s) {
    for (const struct bb_postgres_queue *q = s->queues; q; q = q->next)
        if (is_current(s, q) && q->is_stale)
            return true;
    return false;
}

void bb_postgres_make_stale(struct bb_postgres *s) {
    for (struct bb_postgres_queue *q = s->queues; q; q = q->next)
        q->is_stale = true;
}

static bool refresh_stale(struct bb_postgres *s) {
    if (!has_stale(s))
        return true;
    if (!send_times(s, false) || !bb_postgres_db_exchange(&s->db))
        return false;
    note_times(s, BB_PG_TIMES);
    return true;
}

/* ---- others ---- */

/* False: a later library has changed the tables. */
static bool check_version(struct bb_postgres *s) {
    const PGresult *look = bb_postgres_db_result(&s->db, BB_PG_LOOK);
    bool is_known = bb_postgres_db_int(look, 0, 2, 0) == BB_PG_VERSION;
    if (!is_known)
        bb_text_copy(s->db.trouble, sizeof s->db.trouble, BB_LEASES_OUTDATED);
    return is_known;
}

/* No new events may mean that somebody is about to commit one, so that the next look is soon. */
static void note_look(struct bb_postgres *s, bool is_changed) {
    const PGresult *look = bb_postgres_db_result(&s->db, BB_PG_LOOK);
    bool had_news = s->has_news, has_own = s->unmatched_count > 0 || s->matched.count > 0;
    s->has_news = bb_postgres_db_int(look, 0, 0, 0) != 0 || has_own;
    s->has_expired |= bb_postgres_db_int(look, 0, 1, 0) != 0;
    bb_looks_note(&s->looks, is_changed || had_news || s->has_news || s->has_expired, s->now_ms);
}

/* What nobody knows yet. In a transaction of its own, so that nobody who adds one waits for more
 * than that; and a safe one: a number that the server forgets when it dies would be remembered
 * here. */
static bool add_webhooks(struct bb_postgres *s) {
    if (!s->has_unnumbered)
        return true;
    bb_postgres_db_begin(&s->db, BB_PG_BEGIN, BB_PG_SAFE_SETTINGS);
    if (!send_unnumbered(s, BB_PG_ADD_WEBHOOKS))
        return false;
    bb_postgres_db_send(&s->db, BB_PG_COMMIT, "");
    bb_postgres_db_begin(&s->db, BB_PG_BEGIN_READING, BB_PG_SETTINGS);
    if (!send_unnumbered(s, BB_PG_FIND_WEBHOOKS) || !bb_postgres_db_commit(&s->db))
        return false;
    note_numbers(s);
    note_times(s, BB_PG_FIND_WEBHOOKS);
    return true;
}

/* Queues get their numbers, and it is seen whether somebody else has written, or a lease has run
 * out: one round trip, unless there is a webhook that nobody knows yet. */
static bool look_around(struct bb_postgres *s) {
    bool is_time = s->now_ms >= s->looks.again_ms;
    if (!is_time && !s->has_unnumbered)
        return true;
    bb_postgres_db_begin(&s->db, BB_PG_BEGIN_READING, BB_PG_SETTINGS);
    if (is_time)
        bb_postgres_db_send(&s->db, BB_PG_LOOK, "");
    if (!(send_unnumbered(s, BB_PG_FIND_WEBHOOKS) && (!is_time || send_times(s, true)) &&
          bb_postgres_db_commit(&s->db)))
        return false;
    if (is_time && !check_version(s))
        return false;
    note_numbers(s);
    bool is_changed = note_times(s, BB_PG_FIND_WEBHOOKS);
    is_changed |= note_times(s, BB_PG_TIMES);
    if (is_time)
        note_look(s, is_changed);
    return add_webhooks(s);
}

/* ---- the pass ---- */

void bb_postgres_tell(struct bb_postgres *s, const char *what) {
    char text[BB_PG_TROUBLE + 32];
    snprintf(text, sizeof text, "outbox: %s", what);
    if (s->host.trouble)
        s->host.trouble(s->host.user, text);
}

/* Longer and longer, so that nothing else stands still while nobody answers. */
static bool give_up(struct bb_postgres *s) {
    enum { FIRST_MS = 100, MOST_MS = 5000 };
    bb_postgres_tell(s, *s->db.trouble ? s->db.trouble : "out of memory");
    bb_postgres_db_roll_back(&s->db);
    bb_postgres_forget_matches(s);
    bb_postgres_make_stale(s);
    s->has_news = true;
    s->looks.again_ms = s->now_ms;
    s->back_off_ms = s->back_off_ms == 0            ? FIRST_MS
                     : 2 * s->back_off_ms < MOST_MS ? 2 * s->back_off_ms
                                                    : MOST_MS;
    s->not_before_ms = bb_leases_later(s->now_ms, s->back_off_ms);
    return false;
}

/* A connection that was cut while nobody used it costs no more than a new one. */
static bool is_ready(struct bb_postgres *s) {
    bool was_connected = s->db.handle != NULL;
    if (!bb_postgres_collect(s) && s->db.handle)
        return false;
    bb_postgres_db_check(&s->db);
    if (was_connected && !s->db.handle)
        bb_postgres_tell(s, s->db.trouble);
    return bb_postgres_db_connect(&s->db) && (!s->has_unnumbered || look_around(s));
}

static bool refresh_and_commit(struct bb_postgres *s, struct bb_postgres_leased *leased) {
    if (!(bb_postgres_rows_send(&leased->surplus, &s->db, BB_PG_RELEASE) && send_times(s, false) &&
          bb_postgres_db_commit(&s->db)))
        return false;
    note_times(s, BB_PG_TIMES);
    return true;
}

static int64_t new_lease(void) {
    int64_t lease = 0;
    while (getrandom(&lease, sizeof lease, 0) != (ssize_t)sizeof lease)
        ;
    return (lease & INT64_MAX) | 1; /* never 0, which is nobody's */
}

/* What is asked of a transaction. */
struct task {
    bool (*work)(struct bb_postgres *s, const struct task *task, struct bb_postgres_leased *leased);
    struct bb_postgres_queue *queue;
    int64_t before_ms;
    bool leases_nothing, settles_nothing;
};

/* One transaction; what it leased is kept once it is committed. */
static bool transact(struct bb_postgres *s, const struct task *task) {
    struct bb_postgres_leased leased = {
        .leases = {.until_ms = bb_leases_later(s->now_ms, s->config.lease_ms),
                   .lease = new_lease()},
        .leases_nothing = task->leases_nothing,
        .settles_nothing = task->settles_nothing};
    bb_postgres_rows_begin(&leased.surplus, &s->config.mem, "ii");
    bb_postgres_db_begin(&s->db, BB_PG_BEGIN, BB_PG_SETTINGS);
    bool ok = task->work(s, task, &leased);
    if (ok) {
        if (!task->settles_nothing)
            bb_settled_forget(&s->settled, s->memory, &s->config.mem, NULL);
        bb_postgres_note_flows(s);
        bb_leases_keep(&leased.leases, s->memory);
        s->back_off_ms = 0;
    }
    bb_postgres_rows_free(&leased.surplus);
    bb_leases_release(&leased.leases);
    return ok || give_up(s);
}

/* After it there are no news, unless there were more than one look takes, and none has to be
 * matched first. None at all may mean that somebody else has them right now. */
static void note_news(struct bb_postgres *s, const struct bb_postgres_leased *leased) {
    int64_t soon_ms = bb_leases_later(s->now_ms, BB_LOOKS_SHORTEST_MS);
    if (!leased->has_looked)
        return;
    if (!leased->has_found && s->looks.again_ms > soon_ms)
        s->looks.again_ms = soon_ms;
    s->has_news = leased->has_more && s->unmatched_count == 0;
}

static bool do_pass(struct bb_postgres *s, const struct task *task,
                    struct bb_postgres_leased *leased) {
    (void)task;
    if (!bb_postgres_fan_out(s, leased) || !refresh_stale(s) ||
        !(leased->leases_nothing || bb_postgres_lease_due(s, leased)) ||
        !refresh_and_commit(s, leased))
        return false;
    note_news(s, leased);
    return true;
}

static bool has_work(const struct bb_postgres *s, const struct task *task) {
    return (s->settled.first && !task->settles_nothing) || s->has_news || s->has_flow_news ||
           s->now_ms >= s->renew_ms || has_stale(s) ||
           (s->due.root && s->due.root->key <= s->now_ms);
}

/* By itself, so that nothing else is locked meanwhile. */
static bool free_expired(struct bb_postgres *s) {
    if (!s->has_expired)
        return true;
    bb_postgres_db_begin(&s->db, BB_PG_BEGIN, BB_PG_SETTINGS);
    bb_postgres_db_send(&s->db, BB_PG_FREE_EXPIRED, "");
    if (!bb_postgres_db_commit(&s->db))
        return false;
    s->has_expired = false;
    bb_postgres_make_stale(s);
    return true;
}

static bool pass(struct bb_postgres *s, int64_t now_ms, bool leases_nothing) {
    struct task task = {.work = do_pass, .leases_nothing = leases_nothing};
    s->now_ms = s->pass_ms = now_ms;
    if (!is_ready(s) || !look_around(s) || !free_expired(s))
        return give_up(s);
    task.settles_nothing = bb_postgres_may_post(s);
    if (has_work(s, &task) && !transact(s, &task))
        return false;
    return !task.settles_nothing || bb_postgres_post_settled(s) || give_up(s);
}

bool bb_postgres_pass(struct bb_postgres *s, int64_t now_ms) {
    return pass(s, now_ms, false);
}

bool bb_postgres_pass_over(struct bb_postgres *s, int64_t now_ms) {
    return pass(s, now_ms, true);
}

static bool do_older(struct bb_postgres *s, const struct task *task,
                     struct bb_postgres_leased *leased) {
    enum { SOME = 32 };
    const struct bb_postgres_share share = {.queue = task->queue, .most = SOME};
    if (!bb_postgres_send_settled(s, false) || !bb_postgres_send_flows(s) ||
        !bb_postgres_send_leases(s, &share, 1, BB_PG_OLDER, task->before_ms, &leased->leases) ||
        !bb_postgres_db_exchange(&s->db))
        return false;
    bb_postgres_read_leased(s, leased, BB_PG_OLDER);
    return refresh_and_commit(s, leased);
}

bool bb_postgres_lease_older(struct bb_postgres *s, struct bb_postgres_queue *q,
                             int64_t before_ms) {
    const struct task task = {.work = do_older, .queue = q, .before_ms = before_ms};
    q->is_stale = true;
    return is_ready(s) ? transact(s, &task) : give_up(s);
}

static bool do_settle(struct bb_postgres *s, const struct task *task,
                      struct bb_postgres_leased *leased) {
    (void)task, (void)leased;
    return bb_postgres_send_settled(s, false) && bb_postgres_send_flows(s) &&
           bb_postgres_db_commit(&s->db);
}

bool bb_postgres_wait_for_posted(struct bb_postgres *s) {
    return !s->posted.first || is_ready(s) || give_up(s);
}

bool bb_postgres_post(struct bb_postgres *s) {
    if (s->now_ms < s->not_before_ms || !bb_postgres_may_post(s))
        return true;
    return (is_ready(s) && bb_postgres_post_settled(s)) || give_up(s);
}

bool bb_postgres_write_settled(struct bb_postgres *s) {
    const struct task task = {.work = do_settle};
    if (!bb_postgres_wait_for_posted(s))
        return false;
    if (!s->settled.first && !s->has_flow_news)
        return true;
    if (s->now_ms < s->not_before_ms)
        return false;
    return is_ready(s) ? transact(s, &task) : give_up(s);
}

/* ---- counts ---- */

uint64_t bb_postgres_count(struct bb_postgres *s, int64_t number) {
    enum bb_pg which = number ? BB_PG_COUNT_WAITING_OF : BB_PG_COUNT_WAITING;
    if (!s->db.handle)
        return 0;
    bb_postgres_db_begin(&s->db, BB_PG_BEGIN_READING, BB_PG_SETTINGS);
    bb_postgres_db_send(&s->db, which, number ? "i" : "", number);
    if (!bb_postgres_db_commit(&s->db)) {
        bb_postgres_db_roll_back(&s->db);
        return 0;
    }
    return (uint64_t)bb_postgres_db_int(bb_postgres_db_result(&s->db, which), 0, 0, 0);
}
