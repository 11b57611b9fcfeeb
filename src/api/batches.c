/* The events that are being delivered now. */
#include <utlist.h>

#include "api/courier.h"

enum { IDLE_BATCHES = 16, SPARE_BATCHES = 32 };

static void free_one(struct bb_courier *courier, struct bb_kept_batch *kept) {
    bb_batch_free(&kept->batch);
    bb_mem_free(&courier->dispatcher->settings.mem, kept);
}

/* Its memory is kept for the next event: fresh memory costs as much as a fifth of a delivery. What
 * was read of the event's JSON is not needed until it is written that the delivery is over. */
static void drop(struct bb_courier *courier, struct bb_kept_batch *kept) {
    if (kept->parcel->batch == kept)
        kept->parcel->batch = NULL;
    bb_parcel_close(kept->parcel);
    bb_parcel_release(kept->parcel);
    if (courier->spare_batch_count >= SPARE_BATCHES) {
        free_one(courier, kept);
        return;
    }
    bb_batch_reset(&kept->batch);
    kept->next = courier->spare_batches;
    courier->spare_batches = kept;
    courier->spare_batch_count++;
}

static struct bb_kept_batch *take_spare(struct bb_courier *courier) {
    const struct bb_settings *settings = &courier->dispatcher->settings;
    struct bb_kept_batch *kept = courier->spare_batches;
    if (kept) {
        courier->spare_batches = kept->next;
        courier->spare_batch_count--;
    } else if ((kept = bb_mem_zalloc(&settings->mem, sizeof *kept))) {
        bb_batch_init(&kept->batch, settings, &courier->scratch);
    }
    return kept;
}

static struct bb_kept_batch *make(struct bb_courier *courier, struct bb_parcel *parcel,
                                  bb_error *error) {
    const bb_event *event = bb_parcel_open(parcel, error);
    struct bb_kept_batch *kept = event ? take_spare(courier) : NULL;
    if (!kept)
        return NULL;
    kept->parcel = bb_parcel_retain(parcel);
    if (bb_batch_begin(&kept->batch, event, NULL, 0, NULL) != BB_OK) {
        drop(courier, kept);
        return NULL;
    }
    parcel->batch = kept;
    return kept;
}

static void take_out(struct bb_courier *courier, struct bb_kept_batch *kept) {
    DL_DELETE2(courier->idle_batches, kept, previous, next);
    courier->idle_batch_count--;
}

struct bb_kept_batch *bb_batches_use(struct bb_courier *courier, struct bb_parcel *parcel,
                                     bb_error *error) {
    struct bb_kept_batch *kept = parcel->batch;
    if (!kept)
        kept = make(courier, parcel, error);
    else if (kept->uses == 0)
        take_out(courier, kept);
    if (kept)
        kept->uses++;
    return kept;
}

void bb_batches_close(struct bb_kept_batch *kept) {
    enum { OWN = 2 }; /* references: the delivery's and this one's */
    struct bb_parcel *parcel = kept->parcel;
    if (!parcel->document || kept->uses > 1 || atomic_load(&parcel->references) > OWN ||
        !bb_batch_forget_event(&kept->batch))
        return;
    bb_parcel_close(parcel);
    parcel->batch = NULL;
}

void bb_batches_leave(struct bb_courier *courier, struct bb_kept_batch *kept) {
    if (--kept->uses > 0)
        return;
    bool is_last = atomic_load(&kept->parcel->references) == 1 || kept->parcel->batch != kept;
    if (is_last || kept->batch.arena.failed) { /* whose every next use would fail, too */
        drop(courier, kept);
        return;
    }
    DL_PREPEND2(courier->idle_batches, kept, previous, next);
    if (++courier->idle_batch_count <= IDLE_BATCHES)
        return;
    struct bb_kept_batch *longest = courier->idle_batches->previous;
    take_out(courier, longest);
    drop(courier, longest);
}

void bb_batches_free(struct bb_courier *courier) {
    struct bb_kept_batch *kept;
    while ((kept = courier->idle_batches)) {
        take_out(courier, kept);
        drop(courier, kept);
    }
    while ((kept = courier->spare_batches)) {
        courier->spare_batches = kept->next;
        free_one(courier, kept);
    }
}
