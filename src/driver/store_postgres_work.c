#include "driver/store_postgres_work.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "driver/store_memory.h"

enum { MOST_ARRAY = 64 * 1024 * 1024, SHORTEST_MS = 50, LONGEST_MS = 1000 };

/* ---- queues ---- */

struct bb_postgres_queue *bb_postgres_find_queue(const struct bb_postgres *s, int64_t number) {
    return number > 0 && (uint64_t)number < s->numbers ? s->by_number[number] : NULL;
}

void bb_postgres_time(struct bb_postgres *s, struct bb_postgres_queue *q) {
    int64_t due_ms = q->due_ms > q->not_before_ms ? q->due_ms : q->not_before_ms;
    if (q->is_timed)
        bb_heap_remove(&s->due, &q->node);
    q->is_timed = due_ms != INT64_MAX;
    if (q->is_timed)
        bb_heap_insert(&s->due, &q->node, due_ms, (uint64_t)q->number);
}

static struct bb_postgres_queue *of_node(struct bb_heap_node *node) {
    return (struct bb_postgres_queue *)((char *)node - offsetof(struct bb_postgres_queue, node));
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

/* A transaction has the outbox's settings: without them a statement might hang on the server for
 * longer than its answer is waited for. */
static void begin(struct bb_postgres *s, enum bb_pg how) {
    bb_postgres_db_send(&s->db, how, "");
    bb_postgres_db_send(&s->db, BB_PG_SETTINGS, "");
}

static bool commit(struct bb_postgres *s) {
    bb_postgres_db_send(&s->db, BB_PG_COMMIT, "");
    return bb_postgres_db_exchange(&s->db);
}

/* In a transaction of its own, so that nobody who adds one waits for more than that. */
static bool number_queues(struct bb_postgres *s) {
    struct bb_buf ids;
    if (!s->has_unnumbered)
        return true;
    bb_buf_init(&ids, &s->config.mem, MOST_ARRAY);
    for (struct bb_postgres_queue *q = s->queues; q; q = q->next)
        if (!q->number)
            bb_postgres_add_text(&ids, q->id);
    const char *array = bb_postgres_array(&ids);
    bool ok = array != NULL;
    if (ok) {
        begin(s, BB_PG_BEGIN);
        bb_postgres_db_send(&s->db, BB_PG_ADD_WEBHOOKS, "u", array);
        bb_postgres_db_send(&s->db, BB_PG_FIND_WEBHOOKS, "u", array);
        ok = commit(s);
    }
    bb_buf_free(&ids);
    if (ok)
        note_numbers(s);
    return ok;
}

/* ---- what waits, and since when ---- */

/* The one to which the rows of its number belong. */
static bool is_current(const struct bb_postgres *s, const struct bb_postgres_queue *q) {
    return bb_postgres_find_queue(s, q->number) == q;
}

/* Of all queues, or of the stale ones. False: out of memory. */
static bool send_times(struct bb_postgres *s, bool all) {
    struct bb_buf numbers;
    bb_buf_init(&numbers, &s->config.mem, MOST_ARRAY);
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

/* Whether any is due at another time than was known. */
static bool note_times(struct bb_postgres *s) {
    const PGresult *times = bb_postgres_db_result(&s->db, BB_PG_TIMES);
    bool is_changed = false;
    for (int i = 0; i < bb_postgres_db_rows(times); i++) {
        struct bb_postgres_queue *q = bb_postgres_find_queue(s, bb_postgres_db_int(times, i, 0, 0));
        if (!q)
            continue;
        int64_t due_ms = own_time(s, bb_postgres_db_int(times, i, 1, INT64_MAX));
        is_changed |= due_ms != q->due_ms;
        q->due_ms = due_ms;
        q->oldest_ms = own_time(s, bb_postgres_db_int(times, i, 2, INT64_MAX));
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
    note_times(s);
    return true;
}

/* ---- others ---- */

/* A little less than the longest, by chance: many that look shall not look at once. */
static void look_later(struct bb_postgres *s, bool is_changed) {
    s->wait_ms = is_changed                    ? SHORTEST_MS
                 : 2 * s->wait_ms < LONGEST_MS ? 2 * s->wait_ms
                                               : LONGEST_MS;
    int64_t less_ms = (int64_t)(bb_retry_chance(&s->chance) % (uint64_t)(s->wait_ms / 4 + 1));
    s->look_again_ms = bb_leases_later(s->now_ms, s->wait_ms - less_ms);
}

/* Whether somebody else has written, or a lease has run out: one round trip. */
static bool look_around(struct bb_postgres *s) {
    if (s->now_ms < s->look_again_ms)
        return true;
    begin(s, BB_PG_BEGIN_READING);
    bb_postgres_db_send(&s->db, BB_PG_LOOK, "");
    if (!send_times(s, true) || !commit(s))
        return false;
    const PGresult *look = bb_postgres_db_result(&s->db, BB_PG_LOOK);
    s->has_news |= bb_postgres_db_int(look, 0, 0, 0) != 0;
    s->has_expired |= bb_postgres_db_int(look, 0, 1, 0) != 0;
    bool is_changed = note_times(s);
    look_later(s, is_changed || s->has_news || s->has_expired);
    return true;
}

/* ---- leases ---- */

static struct bb_parcel *parse(struct bb_postgres *s, const char *json, size_t length) {
    bb_event_doc *document = NULL;
    if (bb_event_parse(&s->config.mem, json, length, &document, NULL) != BB_OK)
        return NULL;
    struct bb_parcel *parcel = bb_parcel_new(&s->config.mem, bb_event_doc_event(document));
    bb_event_doc_free(document);
    return parcel;
}

/* The JSON came with the event's first row. */
static struct bb_parcel *parcel_of(struct bb_postgres *s, const struct bb_postgres_leased *leased,
                                   const PGresult *rows, int row) {
    enum { JSON = 9 };
    int64_t event = bb_postgres_db_int(rows, row, 2, 0);
    for (size_t i = leased->leases.count; i-- > 0;)
        if (leased->leases.rows[i].claim.event == event)
            return bb_parcel_retain(leased->leases.rows[i].parcel);
    if (PQgetisnull(rows, row, JSON))
        return NULL;
    return parse(s, PQgetvalue(rows, row, JSON), (size_t)PQgetlength(rows, row, JSON));
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
                    .unknowns = (uint32_t)bb_postgres_db_int(rows, row, 8, 0)},
        .claim = {.number = bb_postgres_db_int(rows, row, 0, 0),
                  .event = bb_postgres_db_int(rows, row, 2, 0),
                  .order_key = bb_postgres_db_int(rows, row, 5, 0),
                  .lease = leased->leases.lease},
    };
}

static void tell(struct bb_postgres *s, const char *what) {
    char text[BB_PG_TROUBLE + 32];
    snprintf(text, sizeof text, "outbox: %s", what);
    if (s->host.trouble)
        s->host.trouble(s->host.user, text);
}

/* One that cannot be read, or finds no memory, is tried again when its lease has run out: it must
 * not stand in the way of all others. */
static void read_leased(struct bb_postgres *s, struct bb_postgres_leased *leased,
                        enum bb_pg which) {
    const PGresult *rows = bb_postgres_db_result(&s->db, which);
    for (int i = 0; i < bb_postgres_db_rows(rows) && leased->leases.count < BB_LEASES_BATCH; i++) {
        struct bb_postgres_queue *q = bb_postgres_find_queue(s, bb_postgres_db_int(rows, i, 1, 0));
        struct bb_parcel *parcel = q ? parcel_of(s, leased, rows, i) : NULL;
        if (parcel)
            read_row(s, leased, q, parcel, rows, i);
        else
            tell(s, "a delivery's event cannot be read");
    }
}

/* Takes out of the heap those that are due, until there are enough to share a batch. */
static size_t choose_due(struct bb_postgres *s, struct bb_buf *numbers) {
    enum { LEAST = 8 };
    size_t count = 0;
    while (s->due.root && s->due.root->key <= s->now_ms && count < BB_LEASES_BATCH / LEAST) {
        struct bb_postgres_queue *q = of_node(s->due.root);
        bb_postgres_add_number(numbers, q->number);
        q->due_ms = INT64_MAX; /* not again in this pass */
        q->is_stale = true;
        bb_postgres_time(s, q);
        count++;
    }
    return count;
}

/* A fair share for each queue that is due: what is leased and cannot be sent is of use to nobody.
 */
static bool lease_due(struct bb_postgres *s, struct bb_postgres_leased *leased) {
    struct bb_buf numbers;
    bb_buf_init(&numbers, &s->config.mem, MOST_ARRAY);
    size_t count = choose_due(s, &numbers);
    const char *array = bb_postgres_array(&numbers);
    bool ok = array != NULL;
    if (ok && count > 0) {
        bb_postgres_db_send(
            &s->db, BB_PG_DUE, "tiiii", array, bb_leases_later(s->now_ms, s->offset_ms),
            (int64_t)(BB_LEASES_BATCH / count), leased->leases.lease, s->config.lease_ms);
        ok = bb_postgres_db_exchange(&s->db);
    }
    bb_buf_free(&numbers);
    if (ok && count > 0)
        read_leased(s, leased, BB_PG_DUE);
    return ok;
}

/* ---- the pass ---- */

/* Longer and longer, so that nothing else stands still while nobody answers. */
static bool give_up(struct bb_postgres *s) {
    enum { FIRST_MS = 100, MOST_MS = 5000 };
    tell(s, *s->db.trouble ? s->db.trouble : "out of memory");
    bb_postgres_db_roll_back(&s->db);
    bb_postgres_make_stale(s);
    s->has_news = true;
    s->look_again_ms = s->now_ms;
    s->back_off_ms = s->back_off_ms == 0            ? FIRST_MS
                     : 2 * s->back_off_ms < MOST_MS ? 2 * s->back_off_ms
                                                    : MOST_MS;
    s->not_before_ms = bb_leases_later(s->now_ms, s->back_off_ms);
    return false;
}

/* A connection that was cut while nobody used it costs no more than a new one. */
static bool is_ready(struct bb_postgres *s) {
    bool was_connected = s->db.handle != NULL;
    bb_postgres_db_check(&s->db);
    if (was_connected && !s->db.handle)
        tell(s, s->db.trouble);
    return bb_postgres_db_connect(&s->db) && number_queues(s);
}

static bool refresh_and_commit(struct bb_postgres *s) {
    if (!(send_times(s, false) && commit(s)))
        return false;
    note_times(s);
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
    const struct bb_postgres_queue *queue;
    int64_t before_ms;
};

/* One transaction; what it leased is kept once it is committed. */
static bool transact(struct bb_postgres *s, const struct task *task) {
    struct bb_postgres_leased leased = {
        .leases = {.until_ms = bb_leases_later(s->now_ms, s->config.lease_ms),
                   .lease = new_lease()}};
    begin(s, BB_PG_BEGIN);
    bool ok = task->work(s, task, &leased);
    if (ok) {
        bb_settled_forget(&s->settled, s->memory, &s->config.mem, NULL);
        bb_leases_keep(&leased.leases, s->memory);
        s->back_off_ms = 0;
    }
    bb_leases_release(&leased.leases);
    return ok || give_up(s);
}

/* After it there are no news, unless there was a whole batch of them. None at all may mean that
 * somebody else has them right now. */
static void note_news(struct bb_postgres *s, size_t found) {
    int64_t soon_ms = bb_leases_later(s->now_ms, SHORTEST_MS);
    if (s->has_news && found == 0 && s->look_again_ms > soon_ms)
        s->look_again_ms = soon_ms;
    s->has_news = found == BB_LEASES_BATCH;
    s->has_expired = false;
}

static bool do_pass(struct bb_postgres *s, const struct task *task,
                    struct bb_postgres_leased *leased) {
    (void)task;
    if (!bb_postgres_fan_out(s, leased) || !refresh_stale(s) || !lease_due(s, leased) ||
        !refresh_and_commit(s))
        return false;
    note_news(s, leased->found);
    return true;
}

static bool has_work(const struct bb_postgres *s) {
    return s->settled.first || s->has_news || s->has_expired || s->now_ms >= s->renew_ms ||
           has_stale(s) || (s->due.root && s->due.root->key <= s->now_ms);
}

bool bb_postgres_pass(struct bb_postgres *s, int64_t now_ms) {
    const struct task pass = {.work = do_pass};
    s->now_ms = s->pass_ms = now_ms;
    if (!is_ready(s) || !look_around(s))
        return give_up(s);
    return !has_work(s) || transact(s, &pass);
}

static bool do_older(struct bb_postgres *s, const struct task *task,
                     struct bb_postgres_leased *leased) {
    enum { SOME = 32 };
    char number[32];
    snprintf(number, sizeof number, "{%" PRId64 "}", task->queue->number);
    if (!bb_postgres_send_settled(s, false))
        return false;
    bb_postgres_db_send(&s->db, BB_PG_OLDER, "tiiii", number,
                        bb_leases_later(task->before_ms, s->offset_ms), (int64_t)SOME,
                        leased->leases.lease, s->config.lease_ms);
    if (!bb_postgres_db_exchange(&s->db))
        return false;
    read_leased(s, leased, BB_PG_OLDER);
    return refresh_and_commit(s);
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
    return bb_postgres_send_settled(s, false) && commit(s);
}

bool bb_postgres_write_settled(struct bb_postgres *s) {
    const struct task task = {.work = do_settle};
    if (!s->settled.first)
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
    begin(s, BB_PG_BEGIN_READING);
    bb_postgres_db_send(&s->db, which, number ? "i" : "", number);
    if (!commit(s)) {
        bb_postgres_db_roll_back(&s->db);
        return 0;
    }
    return (uint64_t)bb_postgres_db_int(bb_postgres_db_result(&s->db, which), 0, 0, 0);
}
