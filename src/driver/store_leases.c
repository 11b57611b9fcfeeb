#include "driver/store_leases.h"

#include <utlist.h>

#include "delivery/retry.h"
#include "driver/store_memory.h"

/* ---- looks ---- */

void bb_looks_note(struct bb_looks *looks, bool is_changed, int64_t now_ms) {
    looks->wait_ms = is_changed || looks->wait_ms == 0          ? BB_LOOKS_SHORTEST_MS
                     : 2 * looks->wait_ms < BB_LOOKS_LONGEST_MS ? 2 * looks->wait_ms
                                                                : BB_LOOKS_LONGEST_MS;
    int64_t less_ms =
        (int64_t)(bb_retry_chance(&looks->chance) % (uint64_t)(looks->wait_ms / 4 + 1));
    looks->again_ms = bb_leases_later(now_ms, looks->wait_ms - less_ms);
}

/* ---- claims that have ended ---- */

void bb_settled_add(struct bb_settled *settled, struct bb_delivery *delivery,
                    enum bb_settlement how, int64_t due_ms, int64_t now_ms) {
    if (!settled->first)
        settled->since_ms = now_ms;
    delivery->claim.how = how;
    delivery->claim.due_ms = due_ms;
    delivery->claim.next = settled->first;
    settled->first = delivery;
    settled->count++;
    settled->ended += how == BB_SETTLED;
    delivery->queue->unwritten += how != BB_SETTLED_RELEASE;
    settled->is_urgent |= (how == BB_SETTLED && delivery->claim.order_key) ||
                          (how == BB_SETTLED_RETRY && due_ms <= now_ms);
    settled->has_suspect |= bb_leases_is_suspect(delivery->history.claims);
}

void bb_settled_move(struct bb_settled *to, struct bb_settled *from) {
    if (!from->first)
        return;
    if (!to->first || from->since_ms < to->since_ms)
        to->since_ms = from->since_ms;
    to->count += from->count;
    to->ended += from->ended;
    to->is_urgent |= from->is_urgent;
    to->has_suspect |= from->has_suspect;
    LL_CONCAT2(to->first, from->first, claim.next);
    *from = (struct bb_settled){0};
}

bool bb_settled_are_plain(const struct bb_settled *settled) {
    return settled->count == settled->ended && !settled->is_urgent && !settled->has_suspect;
}

void bb_settled_release(struct bb_settled *settled, struct bb_store *memory, struct bb_queue *queue,
                        int64_t now_ms) {
    struct bb_delivery *row;
    while ((row = memory->vtable->claim_older(memory, queue, INT64_MAX)))
        bb_settled_add(settled, row, BB_SETTLED_RELEASE, 0, now_ms);
}

void bb_settled_forget(struct bb_settled *settled, struct bb_store *memory, const bb_allocator *mem,
                       const struct bb_queue *queue) {
    struct bb_delivery **at = &settled->first;
    while (*at) {
        struct bb_delivery *delivery = *at;
        if (queue && delivery->queue != queue) {
            at = &delivery->claim.next;
            continue;
        }
        *at = delivery->claim.next;
        settled->count--;
        settled->ended -= delivery->claim.how == BB_SETTLED;
        delivery->queue->unwritten -= delivery->claim.how != BB_SETTLED_RELEASE;
        bb_mem_free(mem, delivery->claim.note);
        memory->vtable->settle(memory, delivery, BB_SETTLED, 0, NULL);
    }
    if (!settled->first)
        settled->is_urgent = settled->has_suspect = false;
}

bool bb_settled_must_be_written(const struct bb_queue *queue) {
    const struct bb_flow *flow = queue->flow;
    return flow && queue->unwritten > 0 && queue->unwritten + flow->in_flight >= flow->most;
}

bool bb_settled_must_soon_be_written(const struct bb_queue *queue) {
    const struct bb_flow *flow = queue->flow;
    return flow && queue->unwritten > 0 && 2 * queue->unwritten >= flow->most;
}

static int compare(const struct bb_delivery *a, const struct bb_delivery *b) {
    return (a->claim.number > b->claim.number) - (a->claim.number < b->claim.number);
}

void bb_settled_sort(struct bb_settled *settled) {
    LL_SORT2(settled->first, compare, claim.next);
}

bool bb_settled_is_due(const struct bb_settled *settled, int64_t now_ms) {
    return settled->is_urgent || settled->count >= BB_LEASES_WRITE ||
           (settled->first && now_ms - settled->since_ms >= BB_LEASES_WRITE_MS);
}

bool bb_settled_may_bring(const struct bb_settled *settled) {
    return settled->is_urgent || settled->count > settled->ended;
}

bool bb_settled_is_alone(size_t count, struct bb_store *memory) {
    return count > 0 && memory->vtable->counts(memory).claimed == count;
}

int64_t bb_settled_oldest_ms(const struct bb_settled *settled, const struct bb_queue *queue) {
    int64_t oldest = INT64_MAX;
    for (const struct bb_delivery *d = settled->first; d; d = d->claim.next)
        if (d->queue == queue && d->claim.how != BB_SETTLED && d->history.enqueued_ms < oldest)
            oldest = d->history.enqueued_ms;
    return oldest;
}

/* ---- rows that are leased ---- */

size_t bb_leases_room(struct bb_store *memory, struct bb_queue *queue, size_t queues) {
    size_t share = BB_LEASES_MOST / (queues ? queues : 1);
    size_t has = memory->vtable->waiting(memory, queue);
    share = share < BB_LEASES_LEAST ? BB_LEASES_LEAST : share;
    return has < share ? share - has : 0;
}

size_t bb_leases_batch(struct bb_store *memory) {
    struct bb_store_counts counts = memory->vtable->counts(memory);
    return counts.waiting + counts.claimed == 0 ? BB_LEASES_FIRST : BB_LEASES_BATCH;
}

bool bb_leases_are_enough(struct bb_store *memory, int64_t now_ms) {
    return memory->vtable->counts(memory).waiting >= BB_LEASES_MOST / 2 &&
           memory->vtable->next_ms(memory, now_ms) <= now_ms;
}

void bb_leases_keep(const struct bb_leases *leases, struct bb_store *memory) {
    for (size_t i = 0; i < leases->count; i++) {
        struct bb_delivery row = leases->rows[i];
        row.claim.leased_until_ms = leases->until_ms;
        /* without memory its lease runs out */
        bb_store_memory_add(memory, row.queue, &row, leases->due_ms[i]);
    }
}

void bb_leases_release(const struct bb_leases *leases) {
    for (size_t i = 0; i < leases->count; i++)
        bb_parcel_release(leases->rows[i].parcel);
}

static void look_for_suspect(void *user, struct bb_delivery *delivery) {
    bool *has_suspect = user;
    *has_suspect |= bb_leases_is_suspect(delivery->history.claims) && !delivery->claim.how;
}

bool bb_leases_has_suspect(const struct bb_leases *leases, struct bb_store *memory) {
    bool has_suspect = false;
    for (size_t i = 0; i < leases->count; i++)
        has_suspect |= bb_leases_is_suspect(leases->rows[i].history.claims);
    bb_store_memory_each(memory, look_for_suspect, &has_suspect);
    return has_suspect;
}

struct bb_delivery *bb_leases_claim(struct bb_settled *settled, struct bb_store *memory,
                                    struct bb_queue *queue, int64_t now_ms) {
    struct bb_delivery *claimed;
    while ((claimed = memory->vtable->claim(memory, queue, now_ms)) &&
           now_ms >= claimed->claim.leased_until_ms)
        bb_settled_add(settled, claimed, BB_SETTLED_RELEASE, 0, now_ms);
    return claimed;
}
