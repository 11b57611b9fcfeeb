/* The events that are being delivered now. */
#include <utlist.h>

#include "api/courier.h"

enum { IDLE_BATCHES = 16 };

static void drop(struct bb_courier *courier, struct bb_kept_batch *kept) {
    kept->parcel->batch = NULL;
    bb_batch_free(&kept->batch);
    bb_parcel_release(kept->parcel);
    bb_mem_free(&courier->dispatcher->settings.mem, kept);
}

static struct bb_kept_batch *make(struct bb_courier *courier, struct bb_parcel *parcel) {
    const struct bb_settings *settings = &courier->dispatcher->settings;
    struct bb_kept_batch *kept = bb_mem_zalloc(&settings->mem, sizeof *kept);
    if (!kept)
        return NULL;
    kept->parcel = bb_parcel_retain(parcel);
    if (bb_batch_init(&kept->batch, settings, parcel->event, NULL, 0, NULL) != BB_OK) {
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

struct bb_kept_batch *bb_batches_use(struct bb_courier *courier, struct bb_parcel *parcel) {
    struct bb_kept_batch *kept = parcel->batch;
    if (!kept)
        kept = make(courier, parcel);
    else if (kept->uses == 0)
        take_out(courier, kept);
    if (kept)
        kept->uses++;
    return kept;
}

void bb_batches_leave(struct bb_courier *courier, struct bb_kept_batch *kept) {
    if (--kept->uses > 0)
        return;
    if (kept->batch.arena.failed) { /* whatever is asked of it next would fail, too */
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
}
